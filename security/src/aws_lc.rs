//! The provider on `aws-lc-rs`, for head-ends: AWS-LC's assembly where there is an operating system under it.
//!
//! It answers as [`RustCrypto`](crate::RustCrypto) does, but for signatures, whose random numbers are hedged with the key
//! and the message instead of derived from them: two signatures of one message differ. Random octets come from AWS-LC's
//! own generator. MD5, which AWS-LC does not offer to Rust, is that of the `md-5` crate.

mod ecc;
mod gcm;

use core::fmt;

use aws_lc_rs::digest::{self, Context};
use aws_lc_rs::key_wrap::{self, AesBlockCipher, AesKek, KeyWrap};
use md5::{Digest, Md5};

use crate::{AdditionalData, CryptoProvider, SecretKey, SecurityError, SecuritySuite};

/// The cryptographic library AWS-LC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AwsLc;

/// A key schedule of AES-GCM, erased when dropped.
pub struct AwsLcAeadKey(gcm::Gcm);

/// A key encrypting key, erased when dropped.
pub struct AwsLcWrapKey {
    cipher: &'static AesBlockCipher,
    key: SecretKey,
}

impl fmt::Debug for AwsLcAeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsLcAeadKey(..)")
    }
}

impl fmt::Debug for AwsLcWrapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsLcWrapKey(..)")
    }
}

impl AwsLcWrapKey {
    /// The key schedule, which AWS-LC's functions take for one use.
    fn schedule(&self) -> Result<AesKek, SecurityError> {
        AesKek::new(self.cipher, self.key.octets()?).map_err(|_| SecurityError::Provider)
    }
}

impl CryptoProvider for AwsLc {
    type AeadKey = AwsLcAeadKey;
    type WrapKey = AwsLcWrapKey;

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<AwsLcAeadKey, SecurityError> {
        gcm::Gcm::new(octets(suite, key)?).map(AwsLcAeadKey)
    }

    fn seal(
        &self,
        key: &AwsLcAeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        key.0.seal(nonce, &aad.pieces()?, text)
    }

    fn open(
        &self,
        key: &AwsLcAeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        key.0.open(nonce, &aad.pieces()?, text, tag)
    }

    fn apply_keystream(
        &self,
        key: &AwsLcAeadKey,
        nonce: &[u8; 12],
        text: &mut [u8],
    ) -> Result<(), SecurityError> {
        key.0.apply_keystream(nonce, text)
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<AwsLcWrapKey, SecurityError> {
        octets(suite, key)?;
        let cipher = match suite {
            SecuritySuite::Suite0 | SecuritySuite::Suite1 => &key_wrap::AES_128,
            SecuritySuite::Suite2 => &key_wrap::AES_256,
        };
        Ok(AwsLcWrapKey { cipher, key: key.clone() })
    }

    fn wrap<'o>(
        &self,
        kek: &AwsLcWrapKey,
        key: &SecretKey,
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        let key = key.octets()?;
        let (needed, available) = (key.len().saturating_add(8), wrapped.len());
        let room = wrapped.get_mut(..needed).ok_or(SecurityError::BufferTooSmall { needed, available })?;
        kek.schedule()?.wrap(key, room).map(|wrapped| &*wrapped).map_err(|_| SecurityError::KeyUnwrap)
    }

    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &AwsLcWrapKey,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError> {
        if wrapped.len() != suite.wrapped_key_len() {
            return Err(SecurityError::KeyUnwrap);
        }
        let schedule = kek.schedule()?;
        SecretKey::written(suite, |key| {
            schedule.unwrap(wrapped, key).map(|_| ()).map_err(|_| SecurityError::KeyUnwrap)
        })
    }

    fn md5(&self, parts: &[&[u8]]) -> Result<[u8; 16], SecurityError> {
        let mut digest = Md5::new();
        parts.iter().for_each(|part| digest.update(part));
        Ok(digest.finalize().into())
    }

    fn sha1(&self, parts: &[&[u8]]) -> Result<[u8; 20], SecurityError> {
        hash(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts)
            .as_ref()
            .try_into()
            .map_err(|_| SecurityError::Provider)
    }

    fn sha256(&self, parts: &[&[u8]]) -> Result<[u8; 32], SecurityError> {
        hash(&digest::SHA256, parts).as_ref().try_into().map_err(|_| SecurityError::Provider)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        aws_lc_rs::rand::fill(out).map_err(|_| SecurityError::RandomUnavailable)
    }
}

/// The octets of a key of the suite.
fn octets(suite: SecuritySuite, key: &SecretKey) -> Result<&[u8], SecurityError> {
    let (octets, expected) = (key.octets()?, suite.key_len());
    match octets.len() {
        found if found != expected => Err(SecurityError::KeyLength { expected, found }),
        _ => Ok(octets),
    }
}

fn hash(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> digest::Digest {
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish()
}
