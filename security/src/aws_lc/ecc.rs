//! Signatures and key agreement by AWS-LC.
//!
//! Keys are made ready for each call, which for private ones computes their public key too. A received point is checked
//! to lie on its curve when it is read.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, UnparsedPublicKey};
use aws_lc_rs::digest;
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey, VerificationAlgorithm,
};
use zeroize::Zeroize;

use super::{AwsLc, hash};
use crate::{
    CryptoProvider, Curve, PrivateKey, PublicKey, PublicKeyProvider, SecretKey, SecurityError, Signature,
};

impl PublicKeyProvider for AwsLc {
    fn generate(&self, curve: Curve) -> Result<PrivateKey, SecurityError> {
        PrivateKey::draw(curve, |octets| self.random(octets), |key| agreement_key(key).is_ok())
    }

    fn public_key(&self, key: &PrivateKey) -> Result<PublicKey, SecurityError> {
        let point = agreement_key(key)?.compute_public_key().map_err(|_| SecurityError::Provider)?;
        PublicKey::new(key.curve(), point.as_ref().get(1..).unwrap_or(&[]))
    }

    fn sign(&self, key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
        let signature = signing_key(key)?
            .sign_digest(&hash(hash_of(key.curve()), message))
            .map_err(|_| SecurityError::Provider)?;
        Signature::new(key.curve(), signature.as_ref())
    }

    fn verify(&self, key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
        if key.curve() != signature.curve() {
            return Err(SecurityError::SignatureMismatch);
        }
        let algorithm: &'static dyn VerificationAlgorithm = match key.curve() {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED,
        };
        ParsedPublicKey::new(algorithm, key.sec1(&mut [0; 97]))
            .map_err(invalid)?
            .verify_digest_sig(&hash(hash_of(key.curve()), message), signature.octets())
            .map_err(|_| SecurityError::SignatureMismatch)
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
        let mut point = [0; 97];
        let peer = UnparsedPublicKey::new(agreement_of(peer.curve()), peer.sec1(&mut point));
        agreement::agree(&agreement_key(key)?, peer, SecurityError::InvalidKey, |z| {
            derive_key(key.curve(), z, other_info)
        })
    }
}

/// The leftmost octets of `H(00000001 ‖ Z ‖ other-info)`, written where they belong: a digest would stay behind.
fn derive_key(curve: Curve, z: &[u8], other_info: &[&[u8]]) -> Result<SecretKey, SecurityError> {
    let hash = match curve {
        Curve::P256 => const { get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256) },
        Curve::P384 => const { get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha384) },
    };
    let hash = hash.ok_or(SecurityError::Provider)?;
    let info = other_info.concat();
    SecretKey::written(curve.suite(), |key| {
        sskdf_digest(hash, z, &info, key).map_err(|_| SecurityError::Provider)
    })
}

fn agreement_key(key: &PrivateKey) -> Result<agreement::PrivateKey, SecurityError> {
    agreement::PrivateKey::from_private_key(agreement_of(key.curve()), key.scalar()?).map_err(invalid)
}

/// The key by way of its DER form (RFC 5915), in which alone a private key may come without the public one:
/// `ECPrivateKey ::= SEQUENCE { version 1, privateKey OCTET STRING, [0] namedCurve }`.
fn signing_key(key: &PrivateKey) -> Result<EcdsaKeyPair, SecurityError> {
    let scalar = key.scalar()?;
    let (algorithm, start, end): (_, &[u8], &[u8]) = match key.curve() {
        Curve::P256 => (
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            b"\x30\x31\x02\x01\x01\x04\x20",
            b"\xA0\x0A\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07",
        ),
        Curve::P384 => (
            &ECDSA_P384_SHA384_FIXED_SIGNING,
            b"\x30\x3E\x02\x01\x01\x04\x30",
            b"\xA0\x07\x06\x05\x2B\x81\x04\x00\x22",
        ),
    };
    let mut der = [start, scalar, end].concat();
    let signing_key = EcdsaKeyPair::from_private_key_der(algorithm, &der).map_err(invalid);
    der.zeroize();
    signing_key
}

fn hash_of(curve: Curve) -> &'static digest::Algorithm {
    match curve {
        Curve::P256 => &digest::SHA256,
        Curve::P384 => &digest::SHA384,
    }
}

fn agreement_of(curve: Curve) -> &'static agreement::Algorithm {
    match curve {
        Curve::P256 => &ECDH_P256,
        Curve::P384 => &ECDH_P384,
    }
}

fn invalid<E>(_: E) -> SecurityError {
    SecurityError::InvalidKey
}
