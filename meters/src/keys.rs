//! Where a simulated meter keeps keys and policies that were changed: in a file of its state directory, or in memory.
//!
//! The file is replaced as a whole, so a change is there whole or not at all. Counters stand in [`crate::counters`], by
//! the number that a key value is given when it is seen for the first time: an earlier key value finds its own again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dlms::KeyPairs;
use dlms_security::{
    CounterId, Curve, KeyFingerprint, KeyId, KeyPairSlot, KeyStore, KeyUsage, PrivateKey, RequiredProtection,
    SecurityError, SetupChange, StorageError,
};
use serde::{Deserialize, Serialize};

use crate::notation::{hex, to_hex};
use crate::state::{StateError, read_toml, write_file};

/// The keys and policies of a meter's security setups.
pub struct Keys {
    path: Option<PathBuf>,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// By fingerprint: the number of the key's counters.
    names: BTreeMap<String, u32>,
    /// By the number of the Security setup.
    setup: BTreeMap<String, KeptSetup>,
}

#[derive(Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct KeptSetup {
    /// The bits of version 1 of the class.
    policy: Option<u8>,
    /// The number of the counters of the global unicast encryption key.
    counters: Option<u32>,
    /// By key_id, in hexadecimal digits.
    key: BTreeMap<String, String>,
    /// Private keys by usage and whether they wait for their certificate; empty for one that was destroyed.
    pair: BTreeMap<String, String>,
}

fn pair_name(usage: KeyUsage, slot: KeyPairSlot) -> String {
    let slot = if slot == KeyPairSlot::Pending { "pending" } else { "in-use" };
    format!("{}-{slot}", usage as u8)
}

/// Numbers below are those of the keys that a model comes with.
const FIRST_NEW_KEY: u32 = 1000;

impl Keys {
    /// The keys in a file, if one is named and there.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self, StateError> {
        let kept = match &path {
            Some(path) => read_toml(path)?.unwrap_or_default(),
            None => Kept::default(),
        };
        Ok(Self { path, kept })
    }

    /// A key that was changed.
    pub(crate) fn key(&self, setup: usize, id: KeyId) -> Option<Vec<u8>> {
        hex(self.kept.setup.get(&setup.to_string())?.key.get(&id.id().to_string())?)
    }

    /// Puts the key pairs of a setup that were changed into their places.
    pub(crate) fn restore_pairs(
        &self,
        setup: usize,
        curve: Curve,
        pairs: &mut KeyPairs,
    ) -> Result<(), SecurityError> {
        let Some(kept) = self.kept.setup.get(&setup.to_string()) else { return Ok(()) };
        for usage in KeyUsage::ALL {
            let key = |slot| {
                let octets = hex(kept.pair.get(&pair_name(usage, slot))?)?;
                Some((!octets.is_empty()).then(|| PrivateKey::new(curve, &octets)).transpose())
            };
            if let Some(key) = key(KeyPairSlot::InUse) {
                pairs.set_in_use(usage, key?);
            }
            if let Some(key) = key(KeyPairSlot::Pending) {
                pairs.set_pending(usage, key?);
            }
        }
        Ok(())
    }

    /// A policy that was changed.
    pub(crate) fn policy(&self, setup: usize) -> Option<RequiredProtection> {
        let policy = self.kept.setup.get(&setup.to_string())?.policy?;
        RequiredProtection::from_policy_v1(policy).ok()
    }

    /// The counters of the global unicast encryption key.
    pub(crate) fn unicast(&self, setup: usize) -> CounterId {
        let changed = self.kept.setup.get(&setup.to_string()).and_then(|kept| kept.counters);
        CounterId(changed.unwrap_or(setup as u32))
    }

    /// Gives the counters of a key that the model comes with their name.
    pub(crate) fn name(&mut self, key: &KeyFingerprint, id: CounterId) {
        self.kept.names.entry(to_hex(key.octets())).or_insert(id.0);
    }

    fn write(&self, kept: &Kept) -> Result<(), StateError> {
        let Some(path) = &self.path else { return Ok(()) };
        write_file(path, toml::to_string(kept)?.as_bytes())
    }
}

impl KeyStore for Keys {
    fn counter_id(&mut self, _setup: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        let next = self.kept.names.values().max().map_or(0, |name| name + 1).max(FIRST_NEW_KEY);
        Ok(CounterId(*self.kept.names.entry(to_hex(key.octets())).or_insert(next)))
    }

    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        let mut changed = self.kept.setup.get(&setup.to_string()).cloned().unwrap_or_default();
        for key in change.keys {
            changed.key.insert(key.id.id().to_string(), to_hex(key.key.expose()));
            if let (KeyId::GlobalUnicast, Some((_, counters))) = (key.id, key.counters) {
                changed.counters = Some(counters.0);
            }
        }
        for pair in change.key_pairs {
            let place = pair_name(pair.usage, pair.slot);
            match pair.key {
                Some(key) => changed.pair.insert(place, to_hex(key.expose())),
                None => changed.pair.insert(place, String::new()),
            };
        }
        if let Some(policy) = change.policy {
            changed.policy = Some(policy.bits());
        }
        let before = self.kept.setup.insert(setup.to_string(), changed);
        self.write(&self.kept).map_err(|_| {
            // What is not on the medium is not in use either.
            match before {
                Some(before) => self.kept.setup.insert(setup.to_string(), before),
                None => self.kept.setup.remove(&setup.to_string()),
            };
            StorageError
        })
    }
}
