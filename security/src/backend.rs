//! The choice between both libraries at run time, for programs whose configuration names one of them.

use crate::{
    AeadKey, AwsLc, AwsLcAeadKey, AwsLcWrapKey, CryptoProvider, Curve, PrivateKey, PublicKey,
    PublicKeyProvider, Random, RustCrypto, SecretKey, SecurityError, SecuritySuite, Signature, WrapKey,
};

/// Either library. A key belongs to the one that made it ready; to the other it is [`SecurityError::Provider`].
#[derive(Clone, Copy, Debug)]
pub enum Backend<R> {
    /// The RustCrypto crates.
    RustCrypto(RustCrypto<R>),
    /// AWS-LC, with its own source of random octets.
    AwsLc(AwsLc),
}

/// An encryption key of either library.
#[derive(Debug)]
pub enum BackendAeadKey {
    /// Of the RustCrypto crates.
    RustCrypto(AeadKey),
    /// Of AWS-LC.
    AwsLc(AwsLcAeadKey),
}

/// A key encrypting key of either library.
#[derive(Debug)]
pub enum BackendWrapKey {
    /// Of the RustCrypto crates.
    RustCrypto(Box<WrapKey>),
    /// Of AWS-LC.
    AwsLc(AwsLcWrapKey),
}

/// The same for the provider and the key of one library.
macro_rules! with_key {
    ($backend:expr, $key:expr, $keys:ident, $provider:ident, $own:ident => $body:expr) => {
        match ($backend, $key) {
            (Self::RustCrypto($provider), $keys::RustCrypto($own)) => $body,
            (Self::AwsLc($provider), $keys::AwsLc($own)) => $body,
            _ => Err(SecurityError::Provider),
        }
    };
}

macro_rules! with {
    ($backend:expr, $provider:ident => $body:expr) => {
        match $backend {
            Self::RustCrypto($provider) => $body,
            Self::AwsLc($provider) => $body,
        }
    };
}

impl<R: Random> CryptoProvider for Backend<R> {
    type AeadKey = BackendAeadKey;
    type WrapKey = BackendWrapKey;

    fn aead_key(&self, suite: SecuritySuite, key: &[u8]) -> Result<BackendAeadKey, SecurityError> {
        match self {
            Self::RustCrypto(provider) => provider.aead_key(suite, key).map(BackendAeadKey::RustCrypto),
            Self::AwsLc(provider) => provider.aead_key(suite, key).map(BackendAeadKey::AwsLc),
        }
    }

    fn seal(
        &self,
        key: &BackendAeadKey,
        nonce: &[u8; 12],
        aad: &[&[u8]],
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        with_key!(self, key, BackendAeadKey, provider, key => provider.seal(key, nonce, aad, text))
    }

    fn open(
        &self,
        key: &BackendAeadKey,
        nonce: &[u8; 12],
        aad: &[&[u8]],
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        with_key!(self, key, BackendAeadKey, provider, key => provider.open(key, nonce, aad, text, tag))
    }

    fn apply_keystream(
        &self,
        key: &BackendAeadKey,
        nonce: &[u8; 12],
        text: &mut [u8],
    ) -> Result<(), SecurityError> {
        with_key!(self, key, BackendAeadKey, provider, key => provider.apply_keystream(key, nonce, text))
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &[u8]) -> Result<BackendWrapKey, SecurityError> {
        match self {
            Self::RustCrypto(provider) => {
                provider.wrap_key(suite, key).map(Box::new).map(BackendWrapKey::RustCrypto)
            }
            Self::AwsLc(provider) => provider.wrap_key(suite, key).map(BackendWrapKey::AwsLc),
        }
    }

    fn wrap<'o>(
        &self,
        kek: &BackendWrapKey,
        key: &[u8],
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        with_key!(self, kek, BackendWrapKey, provider, kek => provider.wrap(kek, key, wrapped))
    }

    fn unwrap<'o>(
        &self,
        kek: &BackendWrapKey,
        wrapped: &[u8],
        key: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        with_key!(self, kek, BackendWrapKey, provider, kek => provider.unwrap(kek, wrapped, key))
    }

    fn md5(&self, parts: &[&[u8]]) -> Result<[u8; 16], SecurityError> {
        with!(self, provider => provider.md5(parts))
    }

    fn sha1(&self, parts: &[&[u8]]) -> Result<[u8; 20], SecurityError> {
        with!(self, provider => provider.sha1(parts))
    }

    fn sha256(&self, parts: &[&[u8]]) -> Result<[u8; 32], SecurityError> {
        with!(self, provider => provider.sha256(parts))
    }

    fn random(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        with!(self, provider => provider.random(out))
    }
}

impl<R: Random> PublicKeyProvider for Backend<R> {
    fn generate(&self, curve: Curve) -> Result<PrivateKey, SecurityError> {
        with!(self, provider => provider.generate(curve))
    }

    fn public_key(&self, key: &PrivateKey) -> Result<PublicKey, SecurityError> {
        with!(self, provider => provider.public_key(key))
    }

    fn sign(&self, key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
        with!(self, provider => provider.sign(key, message))
    }

    fn verify(&self, key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
        with!(self, provider => provider.verify(key, message, signature))
    }

    fn agree(
        &self,
        key: &PrivateKey,
        peer: &PublicKey,
        other_info: &[&[u8]],
    ) -> Result<SecretKey, SecurityError> {
        with!(self, provider => provider.agree(key, peer, other_info))
    }
}
