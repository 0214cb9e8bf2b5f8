//! Signatures and key agreement for the tests.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dlms_security::{Curve, PrivateKey, PublicKey, PublicKeyProvider, SecretKey, SecurityError, Signature};

pub struct Ecc;

macro_rules! with {
    ($curve:expr, $name:ident => $body:expr) => {
        match $curve {
            Curve::P256 => {
                use p256 as $name;
                $body
            }
            Curve::P384 => {
                use p384 as $name;
                $body
            }
        }
    };
}

fn point(key: &PublicKey) -> Vec<u8> {
    [&[4], key.octets()].concat()
}

impl PublicKeyProvider for Ecc {
    fn generate(&self, curve: Curve) -> Result<PrivateKey, SecurityError> {
        PrivateKey::new(curve, &vec![0x17; curve.coordinate_len()])
    }

    fn public_key(&self, key: &PrivateKey) -> Result<PublicKey, SecurityError> {
        with!(key.curve(), c => {
            use c::elliptic_curve::sec1::ToSec1Point;
            let secret = c::SecretKey::from_slice(key.expose()).map_err(|_| SecurityError::InvalidKey)?;
            PublicKey::new(key.curve(), &secret.public_key().to_sec1_point(false).as_bytes()[1..])
        })
    }

    fn sign(&self, key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
        with!(key.curve(), c => {
            use c::ecdsa::signature::Signer;
            let key_ = c::ecdsa::SigningKey::from_slice(key.expose()).map_err(|_| SecurityError::InvalidKey)?;
            let signature: c::ecdsa::Signature = key_.sign(&message.concat());
            Signature::new(key.curve(), &signature.to_bytes())
        })
    }

    fn verify(&self, key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
        with!(key.curve(), c => {
            use c::ecdsa::signature::Verifier;
            let mismatch = SecurityError::SignatureMismatch;
            let key = c::ecdsa::VerifyingKey::from_sec1_bytes(&point(key)).map_err(|_| SecurityError::InvalidKey)?;
            let signature = c::ecdsa::Signature::from_slice(signature.octets()).map_err(|_| mismatch)?;
            key.verify(&message.concat(), &signature).map_err(|_| mismatch)
        })
    }

    fn agree(
        &self,
        key: &PrivateKey,
        peer: &PublicKey,
        other_info: &[&[u8]],
    ) -> Result<SecretKey, SecurityError> {
        let _ = (key, peer, other_info);
        Err(SecurityError::Provider)
    }
}
