//! Signatures and key agreement for the tests.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::OnceLock;

use dlms::KeyPairs;
use dlms_security::{
    Curve, KeyUsage, KnownPeer, PrivateKey, PublicKey, PublicKeyProvider, SecretKey, SecurityError,
    SecuritySuite, Signature, SystemTitle,
};
use sha2::Digest;

pub struct Ecc;

/// A private key that differs for each owner and usage.
pub fn private_key(curve: Curve, owner: SystemTitle, usage: KeyUsage) -> PrivateKey {
    let mut scalar = vec![0x11 * (usage as u8 + 1); curve.coordinate_len()];
    scalar[..8].copy_from_slice(owner.octets());
    PrivateKey::new(curve, &scalar).unwrap()
}

/// The signature and key agreement pairs of an owner.
pub fn key_pairs(suite: SecuritySuite, owner: SystemTitle) -> KeyPairs {
    let Some(curve) = suite.curve() else { return KeyPairs::new() };
    [KeyUsage::DigitalSignature, KeyUsage::KeyAgreement]
        .into_iter()
        .fold(KeyPairs::new(), |pairs, usage| pairs.with(usage, private_key(curve, owner, usage)))
}

/// Everybody's public keys, of one curve.
pub fn peers_on(curve: Curve) -> [KnownPeer; 2] {
    static P256: OnceLock<[KnownPeer; 2]> = OnceLock::new();
    static P384: OnceLock<[KnownPeer; 2]> = OnceLock::new();
    let known = if curve == Curve::P256 { &P256 } else { &P384 };
    *known.get_or_init(|| compute_peers(curve))
}

fn compute_peers(curve: Curve) -> [KnownPeer; 2] {
    [super::SERVER_TITLE, super::CLIENT_TITLE].map(|title| {
        let key = |usage| Some(Ecc.public_key(&private_key(curve, title, usage)).unwrap());
        KnownPeer { title, keys: [key(KeyUsage::DigitalSignature), key(KeyUsage::KeyAgreement), None] }
    })
}

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
        use dlms_security::CryptoProvider;
        let mut scalar = vec![0; curve.coordinate_len()];
        super::provider().random(&mut scalar)?;
        scalar[0] &= 0x7F;
        PrivateKey::new(curve, &scalar)
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
        if key.curve() != peer.curve() {
            return Err(SecurityError::InvalidKey);
        }
        let z = with!(key.curve(), c => {
            let invalid = SecurityError::InvalidKey;
            let secret = c::SecretKey::from_slice(key.expose()).map_err(|_| invalid)?;
            let public = c::PublicKey::from_sec1_bytes(&point(peer)).map_err(|_| invalid)?;
            secret.diffie_hellman(&public).raw_secret_bytes().to_vec()
        });
        let message = [&[0, 0, 0, 1], &z[..], &other_info.concat()].concat();
        let suite = key.curve().suite();
        match key.curve() {
            Curve::P256 => SecretKey::new(suite, &sha2::Sha256::digest(&message)[..16]),
            Curve::P384 => SecretKey::new(suite, &sha2::Sha384::digest(&message)[..32]),
        }
    }
}
