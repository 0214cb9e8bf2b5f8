//! Where a security setup keeps its keys and its policy: what the methods of class 64 change survives a power cut whole
//! or not at all.
//!
//! | key_id | key |
//! | --- | --- |
//! | 0 | global unicast encryption key (GUEK) |
//! | 1 | global broadcast encryption key (GBEK) |
//! | 2 | authentication key (GAK) |
//! | 3 | master key (KEK) |
//!
//! An encryption key and its counters are one thing. A new key value starts at zero; a key value that was in use before
//! comes back with the counters that it had, since a nonce under it must not come twice.

use core::fmt;

use crate::{
    CounterId, CryptoProvider, KeyUsage, PrivateKey, RequiredProtection, SecretKey, SecurityError,
    StorageError, SystemTitle,
};

/// Which of the symmetric keys of a security setup: `key_id` of key_transfer and key_agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeyId {
    /// The global unicast encryption key.
    GlobalUnicast = 0,
    /// The global broadcast encryption key.
    GlobalBroadcast = 1,
    /// The global authentication key.
    Authentication = 2,
    /// The master key (KEK), under which keys are transferred.
    Master = 3,
}

impl KeyId {
    /// All keys, in the order of their numbers.
    pub const ALL: [Self; 4] =
        [Self::GlobalUnicast, Self::GlobalBroadcast, Self::Authentication, Self::Master];

    /// The number on the wire.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The key with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::GlobalUnicast),
            1 => Some(Self::GlobalBroadcast),
            2 => Some(Self::Authentication),
            3 => Some(Self::Master),
            _ => None,
        }
    }

    /// Whether invocation counters belong to the key.
    pub const fn has_counters(self) -> bool {
        matches!(self, Self::GlobalUnicast | Self::GlobalBroadcast)
    }
}

/// By what a key value is known again without being kept: the beginning of a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint([u8; Self::LENGTH]);

impl KeyFingerprint {
    /// Octets of a fingerprint.
    pub const LENGTH: usize = 16;

    /// The fingerprint of a key under which the device with the title `own_title` sends, as a provider in software makes
    /// it: others are asked for theirs by [`CryptoProvider::fingerprint`].
    ///
    /// # Errors
    /// The provider has no SHA-256, or the key is a handle.
    pub fn of<P: CryptoProvider + ?Sized>(
        provider: &P,
        own_title: SystemTitle,
        key: &SecretKey,
    ) -> Result<Self, SecurityError> {
        let digest = provider.sha256(&[b"COSEM key fingerprint", own_title.octets(), key.octets()?])?;
        digest.first_chunk().copied().map(Self).ok_or(SecurityError::Provider)
    }

    /// A fingerprint as it was stored.
    pub const fn from_octets(octets: [u8; Self::LENGTH]) -> Self {
        Self(octets)
    }

    /// The octets, for storage.
    pub const fn octets(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFingerprint(..)")
    }
}

/// A key that takes the place of another one.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'k> {
    /// Which one.
    pub id: KeyId,
    /// Its value: octets, or the handle by which its provider keeps it, which is the storage's from now on. The key in
    /// its place before still protects the answer to the request: a secure element must not free that one yet.
    pub key: &'k SecretKey,
    /// The name of an encryption key's counters, as [`KeyStore::counter_id`] gave it for this fingerprint.
    pub counters: Option<(KeyFingerprint, CounterId)>,
}

/// Which of the key pairs of one usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeyPairSlot {
    /// The pair that is used.
    InUse,
    /// The new pair that waits for its certificate.
    Pending,
}

/// A key pair that is put into its place, or destroyed.
#[derive(Clone, Copy, Debug)]
pub struct KeyPairChange<'k> {
    /// What the pair is for.
    pub usage: KeyUsage,
    /// Which one.
    pub slot: KeyPairSlot,
    /// The private key; `None` destroys the one that is there.
    pub key: Option<&'k PrivateKey>,
}

/// What changes in one security setup, all at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetupChange<'c> {
    /// The new policy.
    pub policy: Option<RequiredProtection>,
    /// The new keys, each [`KeyId`] at most once.
    pub keys: &'c [NewKey<'c>],
    /// The key pairs that are put into their places or destroyed.
    pub key_pairs: &'c [KeyPairChange<'c>],
}

/// Persistent storage of the keys and policies of security setups, filled in by the application.
pub trait KeyStore {
    /// The name of the counters of an encryption key value towards the [`CounterStore`](crate::CounterStore): the one
    /// that it had when it was in use before, so that ceilings and floors come back with it; else a name that no other
    /// key has, under which nothing is stored. It is enough to remember the last few keys, but the name of a forgotten
    /// one must not be given again as long as something is stored under it.
    ///
    /// # Errors
    /// [`StorageError`] if that cannot be read, or no name is free.
    fn counter_id(&mut self, setup: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError>;

    /// Stores a change of the security setup with this number in one record: after a power cut at any instant either
    /// all of it is there, or nothing. New encryption keys come together with the names of their counters.
    ///
    /// # Errors
    /// [`StorageError`] if the change may not be on the medium. The old keys then stay in use.
    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError>;
}

impl<S: KeyStore + ?Sized> KeyStore for &mut S {
    fn counter_id(&mut self, setup: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        (**self).counter_id(setup, key)
    }

    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        (**self).install(setup, change)
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{NoRandom, RustCrypto, SecuritySuite};

    #[test]
    fn fingerprints_tell_keys_and_titles_apart_and_show_nothing() {
        let provider = RustCrypto::new(NoRandom);
        let key = |n| SecretKey::new(SecuritySuite::Suite0, &[n; 16]).unwrap();
        let of =
            |title, n| KeyFingerprint::of(&provider, SystemTitle::from_octets([title; 8]), &key(n)).unwrap();
        assert_eq!(of(1, 1), of(1, 1));
        assert_ne!(of(1, 1), of(1, 2));
        assert_ne!(of(1, 1), of(2, 1));
        assert_eq!(std::format!("{:?}", of(1, 1)), "KeyFingerprint(..)");
    }

    #[test]
    fn numbers() {
        for id in 0..=255 {
            assert_eq!(KeyId::from_id(id).map(KeyId::id), (id < 4).then_some(id));
        }
    }
}
