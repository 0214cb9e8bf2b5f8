//! The choice between the libraries at run time, for programs whose configuration names one of them.

use core::fmt;
use core::str::FromStr;

use crate::{
    AdditionalData, AeadKey, CryptoProvider, Curve, PrivateKey, PublicKey, PublicKeyProvider, Random,
    RustCrypto, SecretKey, SecurityError, SecuritySuite, Signature, WrapKey,
};
#[cfg(feature = "aws-lc-rs")]
use crate::{AwsLc, AwsLcAeadKey, AwsLcWrapKey};

/// A cryptographic library, as a configuration names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CryptoLibrary {
    /// `rustcrypto`: the RustCrypto crates.
    #[default]
    RustCrypto,
    /// `aws-lc`: AWS-LC, where the feature `aws-lc-rs` has built it in.
    AwsLc,
}

impl CryptoLibrary {
    /// All libraries, built in or not.
    pub const ALL: [Self; 2] = [Self::RustCrypto, Self::AwsLc];

    /// What configurations call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RustCrypto => "rustcrypto",
            Self::AwsLc => "aws-lc",
        }
    }

    /// Whether this program contains it.
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::RustCrypto => true,
            Self::AwsLc => cfg!(feature = "aws-lc-rs"),
        }
    }
}

impl FromStr for CryptoLibrary {
    type Err = SecurityError;

    fn from_str(name: &str) -> Result<Self, SecurityError> {
        let library = Self::ALL.into_iter().find(|library| library.name() == name);
        library.ok_or(SecurityError::InvalidValue("name of a cryptographic library"))
    }
}

impl fmt::Display for CryptoLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Any library that is built in. A key belongs to the one that made it ready; to another it is [`SecurityError::Provider`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Backend<R> {
    /// The RustCrypto crates.
    RustCrypto(RustCrypto<R>),
    /// AWS-LC, with its own source of random octets.
    #[cfg(feature = "aws-lc-rs")]
    AwsLc(AwsLc),
}

impl<R: Random> Backend<R> {
    /// The library that a configuration names. AWS-LC does not need `random`, which is then dropped.
    ///
    /// # Errors
    /// [`SecurityError::NotBuiltIn`].
    pub fn new(library: CryptoLibrary, random: R) -> Result<Self, SecurityError> {
        match library {
            CryptoLibrary::RustCrypto => Ok(Self::RustCrypto(RustCrypto::new(random))),
            #[cfg(feature = "aws-lc-rs")]
            CryptoLibrary::AwsLc => Ok(Self::AwsLc(AwsLc)),
            #[cfg(not(feature = "aws-lc-rs"))]
            CryptoLibrary::AwsLc => Err(SecurityError::NotBuiltIn("aws-lc")),
        }
    }
}

/// An encryption key of any library.
#[derive(Debug)]
#[non_exhaustive]
pub enum BackendAeadKey {
    /// Of the RustCrypto crates.
    RustCrypto(AeadKey),
    /// Of AWS-LC.
    #[cfg(feature = "aws-lc-rs")]
    AwsLc(AwsLcAeadKey),
}

/// A key encrypting key of any library.
#[derive(Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "there are few, and no allocator to put one elsewhere")]
pub enum BackendWrapKey {
    /// Of the RustCrypto crates.
    RustCrypto(WrapKey),
    /// Of AWS-LC.
    #[cfg(feature = "aws-lc-rs")]
    AwsLc(AwsLcWrapKey),
}

/// The same for the provider and the key of one library.
macro_rules! with_key {
    ($backend:expr, $key:expr, $keys:ident, $provider:ident, $own:ident => $body:expr) => {
        match ($backend, $key) {
            (Self::RustCrypto($provider), $keys::RustCrypto($own)) => $body,
            #[cfg(feature = "aws-lc-rs")]
            (Self::AwsLc($provider), $keys::AwsLc($own)) => $body,
            #[cfg(feature = "aws-lc-rs")]
            _ => Err(SecurityError::Provider),
        }
    };
}

macro_rules! with {
    ($backend:expr, $provider:ident => $body:expr) => {
        match $backend {
            Self::RustCrypto($provider) => $body,
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLc($provider) => $body,
        }
    };
}

impl<R: Random> CryptoProvider for Backend<R> {
    type AeadKey = BackendAeadKey;
    type WrapKey = BackendWrapKey;

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<BackendAeadKey, SecurityError> {
        match self {
            Self::RustCrypto(provider) => provider.aead_key(suite, key).map(BackendAeadKey::RustCrypto),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLc(provider) => provider.aead_key(suite, key).map(BackendAeadKey::AwsLc),
        }
    }

    fn seal(
        &self,
        key: &BackendAeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        with_key!(self, key, BackendAeadKey, provider, key => provider.seal(key, nonce, aad, text))
    }

    fn open(
        &self,
        key: &BackendAeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
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

    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<BackendWrapKey, SecurityError> {
        match self {
            Self::RustCrypto(provider) => provider.wrap_key(suite, key).map(BackendWrapKey::RustCrypto),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLc(provider) => provider.wrap_key(suite, key).map(BackendWrapKey::AwsLc),
        }
    }

    fn wrap<'o>(
        &self,
        kek: &BackendWrapKey,
        key: &SecretKey,
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        with_key!(self, kek, BackendWrapKey, provider, kek => provider.wrap(kek, key, wrapped))
    }

    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &BackendWrapKey,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError> {
        with_key!(self, kek, BackendWrapKey, provider, kek => provider.unwrap(suite, kek, wrapped))
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
