//! The seam to cryptography: software, or a secure element that never shows its keys.

use bitflags::bitflags;

use crate::{AuthenticationKey, KeyFingerprint, SecretKey, SecurityError, SecuritySuite, SystemTitle};

bitflags! {
    /// What a program uses of what the engines can. It contains nothing that serves only what its provider does not
    /// name; a peer that asks for it is refused as if there were no key, or no such service.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Functions: u8 {
        /// Ciphering with symmetric keys. Without, there are no associations but those without security and with LLS.
        const CIPHERING = 0x01;
        /// The envelopes general-ciphering and general-signing.
        const GENERAL_ENVELOPES = 0x02;
        /// Signatures, key agreement and certificates: mechanism 7, general-signing, keys agreed for one message, and
        /// methods 3 to 8 of Security setup objects.
        const PUBLIC_KEYS = 0x04;
        /// The service ACCESS. It is not cryptography, but left out in the same way.
        const ACCESS = 0x08;
        /// The methods of Security setup objects, which change keys, certificates and policy.
        const KEY_MANAGEMENT = 0x10;
        /// What Data protection objects (class 30) do, where there are [`Functions::GENERAL_ENVELOPES`] too.
        const DATA_PROTECTION = 0x20;
    }
}

/// What an authentication tag covers besides the text, one piece after the other: the additional data of AES-GCM.
///
/// The authentication key is among it, so a secure element that keeps that one puts these octets in a row itself.
#[derive(Clone, Copy)]
pub struct AdditionalData<'d> {
    /// The security control octet.
    pub control: &'d [u8],
    /// The authentication key (AK).
    pub authentication_key: &'d AuthenticationKey,
    /// The header, and what is authenticated but not encrypted: information, or a challenge.
    pub rest: [&'d [u8]; 2],
}

impl<'d> AdditionalData<'d> {
    /// The pieces, for a provider in software.
    ///
    /// # Errors
    /// [`SecurityError::KeyHandle`].
    pub fn pieces(&self) -> Result<[&'d [u8]; 4], SecurityError> {
        let [header, information] = self.rest;
        Ok([self.control, self.authentication_key.octets()?, header, information])
    }
}

/// The symmetric functions of suites 0, 1 and 2.
///
/// Keys pass as [`SecretKey`] and [`AuthenticationKey`], which hold octets in software and handles with a secure element:
/// then no key leaves it, see [the crate](crate#a-secure-element). What needs public keys (signatures, key agreement) is a
/// trait of its own, [`PublicKeyProvider`](crate::PublicKeyProvider), for those who have it.
pub trait CryptoProvider {
    /// An encryption key, ready to use: its key schedule, so that no message pays for it twice, or its slot.
    type AeadKey;
    /// A key encrypting key (KEK), ready to use.
    type WrapKey;
    /// What the program uses of what the engines can: everything, unless a provider for one meter says less to save its flash.
    const FUNCTIONS: Functions = Functions::all();

    /// Makes an encryption key ready to use.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] if it has not the suite's size, [`SecurityError::KeyHandle`].
    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::AeadKey, SecurityError>;

    /// AES-GCM: encrypts `text` in place and returns the first 12 octets of the tag over `aad` and the result.
    ///
    /// # Errors
    /// [`SecurityError::TooLong`], or [`SecurityError::Provider`] if a secure element fails.
    fn seal(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError>;

    /// AES-GCM: verifies the tag in constant time and, only if it matches, decrypts `text` in place.
    ///
    /// # Errors
    /// [`SecurityError::TagMismatch`]: then `text` is what it was.
    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError>;

    /// Encryption without authentication: the keystream of AES-GCM (counter block 2 onwards) over `text`.
    ///
    /// # Errors
    /// As [`Self::seal`].
    fn apply_keystream(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        text: &mut [u8],
    ) -> Result<(), SecurityError>;

    /// Makes a key encrypting key ready to use.
    ///
    /// # Errors
    /// As [`Self::aead_key`].
    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::WrapKey, SecurityError>;

    /// AES key wrap (RFC 3394): writes `key` wrapped, 24 or 40 octets, to the front of `wrapped`, and returns that part.
    ///
    /// # Errors
    /// [`SecurityError::BufferTooSmall`], [`SecurityError::KeyHandle`].
    fn wrap<'o>(
        &self,
        kek: &Self::WrapKey,
        key: &SecretKey,
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError>;

    /// AES key unwrap (RFC 3394): the reverse, with its integrity check.
    ///
    /// # Errors
    /// [`SecurityError::KeyUnwrap`] if the check fails, or the key inside is none of the suite.
    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &Self::WrapKey,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError>;

    /// A fresh key, for one message or to be transferred; random octets unless the provider keeps its keys.
    ///
    /// # Errors
    /// [`SecurityError::RandomUnavailable`], [`SecurityError::Provider`].
    fn generate_key(&self, suite: SecuritySuite) -> Result<SecretKey, SecurityError> {
        SecretKey::generate(self, suite)
    }

    /// By what a key value is known again, [`KeyFingerprint::of`] in software. A secure element that keeps its keys
    /// answers for their values: two handles of one value have one fingerprint, now and after a restart.
    ///
    /// # Errors
    /// [`SecurityError::KeyHandle`], or what the provider answers.
    fn fingerprint(&self, own_title: SystemTitle, key: &SecretKey) -> Result<KeyFingerprint, SecurityError> {
        KeyFingerprint::of(self, own_title, key)
    }

    /// A key that [`Self::generate_key`], [`Self::unwrap`] or [`PublicKeyProvider::agree`](crate::PublicKeyProvider::agree)
    /// made is not used any more: a secure element frees its slot. What was made ready from it is gone by then. Not called
    /// for a key that a [`KeyStore`](crate::KeyStore) has installed.
    fn discard(&self, _key: &SecretKey) {}

    /// MD5 over the pieces. Broken as a hash; there for authentication mechanism 3 alone.
    ///
    /// # Errors
    /// [`SecurityError::MechanismUnavailable`] if the provider has none, as the default has.
    fn md5(&self, _parts: &[&[u8]]) -> Result<[u8; 16], SecurityError> {
        Err(SecurityError::MechanismUnavailable)
    }

    /// SHA-1 over the pieces. Broken as a hash; there for authentication mechanism 4 alone.
    ///
    /// # Errors
    /// As [`Self::md5`].
    fn sha1(&self, _parts: &[&[u8]]) -> Result<[u8; 20], SecurityError> {
        Err(SecurityError::MechanismUnavailable)
    }

    /// SHA-256 over the pieces: authentication mechanism 6.
    ///
    /// # Errors
    /// As [`Self::md5`].
    fn sha256(&self, _parts: &[&[u8]]) -> Result<[u8; 32], SecurityError> {
        Err(SecurityError::MechanismUnavailable)
    }

    /// Fills `out` from a cryptographically secure source: challenges, dedicated keys.
    ///
    /// # Errors
    /// [`SecurityError::RandomUnavailable`].
    fn random(&self, out: &mut [u8]) -> Result<(), SecurityError>;
}

/// A cryptographically secure source of random octets, which the application must supply.
///
/// Any `Fn(&mut [u8]) -> Result<(), SecurityError>` is one.
pub trait Random {
    /// Fills `out`.
    ///
    /// # Errors
    /// [`SecurityError::RandomUnavailable`].
    fn fill(&self, out: &mut [u8]) -> Result<(), SecurityError>;
}

impl<F> Random for F
where
    F: Fn(&mut [u8]) -> Result<(), SecurityError>,
{
    fn fill(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        self(out)
    }
}

/// No source of random octets: for who only opens what others sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _out: &mut [u8]) -> Result<(), SecurityError> {
        Err(SecurityError::RandomUnavailable)
    }
}
