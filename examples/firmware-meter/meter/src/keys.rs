//! Keys and cryptography.
//!
//! The keys that a meter is made with are here, in the program: those of the interoperability tests. A real meter gets its
//! own at manufacture. Those that take their places are in [`Storage`].

use dlms::security::{
    AuthenticationKey, CounterId, CounterStore, CryptoProvider, Curve, Functions, KeyId, KeyPairSlot,
    KeyStore, KeyUsage, KnownPeer, PrivateKey, PublicKey, RequiredProtection, RustCrypto, SecretKey,
    SecurityError, SecuritySuite, SetupChange, StorageError, SystemTitle,
};
use dlms::server::KeyManager;
use dlms::{KeyPairs, KeyRing, SecurityContext};

use crate::storage::Storage;

/// The system title of the meter.
pub const TITLE: SystemTitle = SystemTitle::from_octets(*b"GURX0001");
/// The system title of the client whose counters are shown and whose signatures are known.
const CLIENT: SystemTitle = SystemTitle::from_octets([0x47, 0x55, 0x52, 0x58, 0, 0, 0, 1]);

/// The software that computes, and where its random numbers come from.
pub type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>, { FUNCTIONS.bits() }>;

/// It has no Data protection object.
const FUNCTIONS: Functions = Functions::all().difference(Functions::DATA_PROTECTION);

/// The security setups, by their places.
pub const SUITES: [SecuritySuite; 2] = [SecuritySuite::Suite0, SecuritySuite::Suite2];
pub const GMAC: usize = 0;
pub const ECDSA: usize = 1;

/// The private key of the meter's signatures.
const SIGNING_KEY: [u8; 48] = [0x53; 48];
/// The client's public key: that of the private key 43 43 … 43.
const CLIENT_KEY: [u8; 96] = [
    0x69, 0x43, 0x3a, 0x61, 0x3e, 0xf0, 0xf5, 0xca, 0xfe, 0x5b, 0x1d, 0x2a, 0x9b, 0x8c, 0xf9, 0xb2, 0x9e,
    0x5b, 0x24, 0x0a, 0x75, 0x4a, 0x53, 0x20, 0x4b, 0x85, 0x64, 0xd2, 0x71, 0x93, 0x5d, 0x53, 0x69, 0x4a,
    0x40, 0x7a, 0x5a, 0x37, 0xb5, 0x69, 0x7d, 0xf8, 0xfc, 0xaa, 0xf1, 0x56, 0x2f, 0x67, 0x1e, 0xb1, 0x5e,
    0x4a, 0x17, 0xf4, 0x56, 0xa3, 0x82, 0x2e, 0x43, 0xbf, 0x37, 0x40, 0xaa, 0x44, 0x35, 0x3b, 0xfb, 0x0f,
    0x00, 0xdf, 0x5a, 0x47, 0x6c, 0x98, 0xd6, 0xb0, 0xcd, 0x34, 0xa5, 0xab, 0x34, 0x1f, 0xbc, 0xdd, 0x67,
    0x9f, 0xd3, 0x11, 0xd6, 0xc3, 0x5b, 0x12, 0xc3, 0x3a, 0x20, 0xee,
];

/// What protects messages.
pub struct Keys {
    pub provider: Provider,
    pub security: [SecurityContext<Provider>; SUITES.len()],
    pub key_rings: [KeyRing<Provider>; SUITES.len()],
    pub key_pairs: [KeyPairs; SUITES.len()],
    pub clients: [KnownPeer; 1],
    pub manager: KeyManager<Provider, &'static Storage>,
}

impl Keys {
    pub fn new(storage: &'static Storage) -> Result<Self, SecurityError> {
        let provider = Provider::with_functions(random);
        let client_key = PublicKey::new(Curve::P384, &CLIENT_KEY)?;
        let pair = |setup: usize| {
            let kept = storage.keys(setup)?;
            let mut pairs = KeyPairs::new();
            if let Some(curve) = SUITES[setup].curve() {
                let key = kept.field(SetupKeys::IN_USE).unwrap_or(&SIGNING_KEY);
                pairs.set_in_use(KeyUsage::DigitalSignature, Some(PrivateKey::new(curve, key)?));
                let pending = kept.field(SetupKeys::PENDING).filter(|key| !key.is_empty());
                let pending = pending.map(|key| PrivateKey::new(curve, key)).transpose()?;
                pairs.set_pending(KeyUsage::DigitalSignature, pending);
            }
            Ok::<_, SecurityError>(pairs)
        };
        Ok(Self {
            security: [context(&provider, storage, GMAC)?, context(&provider, storage, ECDSA)?],
            key_rings: [key_ring(&provider, storage, GMAC)?, key_ring(&provider, storage, ECDSA)?],
            key_pairs: [pair(GMAC)?, pair(ECDSA)?],
            clients: [KnownPeer { title: CLIENT, keys: [Some(client_key), None, None] }],
            manager: KeyManager::new(storage),
            provider,
        })
    }

    /// The last invocation counter that was accepted from the client, under each setup.
    pub fn counters(&self, mut storage: &Storage) -> [u32; SUITES.len()] {
        self.security.each_ref().map(|context| {
            let heard = context.lowest_acceptable(CLIENT).value();
            let floor =
                if heard > 0 { heard } else { storage.floor(context.counter_id(), CLIENT).unwrap_or(0) };
            floor.saturating_sub(1)
        })
    }
}

fn context(
    provider: &Provider,
    mut storage: &Storage,
    setup: usize,
) -> Result<SecurityContext<Provider>, SecurityError> {
    let suite = SUITES[setup];
    let mut kept = storage.keys(setup)?;
    let encryption = key(&kept, SetupKeys::UNICAST, suite, 0x00)?;
    let authentication = key(&kept, SetupKeys::AUTHENTICATION, suite, 0xD0)?;
    let authentication = AuthenticationKey::from_key(suite, &authentication)?;
    let id = storage.counter_id(setup, &provider.fingerprint(TITLE, &encryption)?)?;
    if kept.counters() != Some(id.0) {
        // A key that is in use is not to be forgotten.
        kept.set_counters(id);
        storage.store_keys(setup, &kept)?;
    }
    let mut context = SecurityContext::new(provider, suite, TITLE, &encryption, authentication, id, 0)?;
    if let Some(policy) = kept.policy() {
        context.set_policy(RequiredProtection::from_policy_v1(policy)?);
    }
    Ok(context)
}

fn key_ring(
    provider: &Provider,
    storage: &Storage,
    setup: usize,
) -> Result<KeyRing<Provider>, SecurityError> {
    let suite = SUITES[setup];
    let master = key(&storage.keys(setup)?, SetupKeys::MASTER, suite, 0xA0)?;
    let mut ring = KeyRing::new();
    ring.set_master_key(provider, suite, &master)?;
    Ok(ring)
}

/// A key that was installed, or else the one from manufacture: its octets count up from `first`.
fn key(kept: &SetupKeys, place: Place, suite: SecuritySuite, first: u8) -> Result<SecretKey, SecurityError> {
    let made: [u8; 32] = core::array::from_fn(|n| first.wrapping_add(n as u8));
    SecretKey::new(suite, kept.field(place).unwrap_or(&made[..suite.key_len()]))
}

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    if board::random(out) { Ok(()) } else { Err(SecurityError::RandomUnavailable) }
}

/// The keys of one security setup that took the place of those from manufacture, as they are stored in one record.
///
/// ```text
/// counters u32, policy u8, three keys, two private keys        each key: its length, FF for none, and its octets
/// ```
pub struct SetupKeys([u8; Self::LENGTH]);

/// Where a key begins, and the room for it.
#[derive(Clone, Copy)]
pub struct Place(usize, usize);

impl SetupKeys {
    pub const LENGTH: usize = Self::PENDING.0 + 1 + Self::PENDING.1;
    const POLICY: usize = 4;
    const UNICAST: Place = Place(5, 32);
    const AUTHENTICATION: Place = Place(38, 32);
    const MASTER: Place = Place(71, 32);
    const IN_USE: Place = Place(104, 48);
    const PENDING: Place = Place(153, 48);
    const NONE: u8 = 0xFF;

    pub const fn new() -> Self {
        Self([Self::NONE; Self::LENGTH])
    }

    pub fn from_octets(octets: &[u8]) -> Result<Self, StorageError> {
        octets.try_into().map(Self).map_err(|_| StorageError)
    }

    pub const fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The number of the counters of the encryption key.
    pub fn counters(&self) -> Option<u32> {
        let [c0, c1, c2, c3, ..] = self.0;
        Some(u32::from_le_bytes([c0, c1, c2, c3])).filter(|counters| *counters != u32::MAX)
    }

    fn set_counters(&mut self, counters: CounterId) {
        self.0[..Self::POLICY].copy_from_slice(&counters.0.to_le_bytes());
    }

    fn policy(&self) -> Option<u8> {
        Some(self.0[Self::POLICY]).filter(|policy| *policy != Self::NONE)
    }

    fn field(&self, Place(at, room): Place) -> Option<&[u8]> {
        let length = self.0.get(at).copied().filter(|length| *length != Self::NONE)?;
        self.0.get(at + 1..at + 1 + room)?.get(..length.into())
    }

    fn set_field(&mut self, Place(at, room): Place, key: &[u8]) -> Result<(), StorageError> {
        let place = self.0.get_mut(at..at + 1 + room).filter(|_| key.len() <= room).ok_or(StorageError)?;
        place[0] = key.len() as u8;
        place[1..=key.len()].copy_from_slice(key);
        Ok(())
    }

    /// # Errors
    /// This meter has no room for such a key.
    pub fn change(&mut self, change: &SetupChange<'_>) -> Result<(), StorageError> {
        if let Some(policy) = change.policy {
            self.0[Self::POLICY] = policy.bits();
        }
        for new in change.keys {
            let place = match new.id {
                KeyId::GlobalUnicast => Self::UNICAST,
                KeyId::Authentication => Self::AUTHENTICATION,
                KeyId::Master => Self::MASTER,
                KeyId::GlobalBroadcast => return Err(StorageError),
            };
            self.set_field(place, new.key.expose())?;
            if let Some((_, counters)) = new.counters {
                self.set_counters(counters);
            }
        }
        for pair in change.key_pairs {
            let place = match (pair.usage, pair.slot) {
                (KeyUsage::DigitalSignature, KeyPairSlot::InUse) => Self::IN_USE,
                (KeyUsage::DigitalSignature, KeyPairSlot::Pending) => Self::PENDING,
                _ => return Err(StorageError),
            };
            self.set_field(place, pair.key.map_or(&[], PrivateKey::expose))?;
        }
        Ok(())
    }
}
