//! Keys and cryptography: those of the interoperability tests.

use dlms::SecurityContext;
use dlms_security::SystemTitle;

pub const TITLE: SystemTitle = SystemTitle::from_octets(*b"GURX0001");

/// How many security setups there are.
pub const SETUPS: usize = cfg!(feature = "suite0") as usize + cfg!(feature = "suite2") as usize;

#[cfg(not(feature = "suite0"))]
pub type Provider = crate::no_cipher::NoCipher;
#[cfg(all(feature = "suite0", not(feature = "suite2")))]
pub type Provider = dlms_security::SuiteZero<Random, FUNCTIONS>;
#[cfg(feature = "suite2")]
pub type Provider = dlms_security::RustCrypto<Random, FUNCTIONS>;

#[cfg(feature = "suite0")]
pub type Random = fn(&mut [u8]) -> Result<(), dlms_security::SecurityError>;

/// What is used of what there is.
#[cfg(feature = "suite0")]
const FUNCTIONS: u8 = {
    use dlms_security::Functions;

    let mut used = Functions::CIPHERING;
    if cfg!(feature = "access") {
        used = used.union(Functions::ACCESS);
    }
    if cfg!(feature = "general") {
        used = used.union(Functions::GENERAL_ENVELOPES);
    }
    if cfg!(feature = "suite2") {
        used = used.union(Functions::PUBLIC_KEYS);
    }
    if cfg!(feature = "keys") {
        used = used.union(Functions::KEY_MANAGEMENT);
    }
    if cfg!(feature = "data-protection") {
        used = used.union(Functions::DATA_PROTECTION);
    }
    used.bits()
};

/// What protects messages.
pub struct Keys {
    pub provider: Provider,
    pub security: [SecurityContext<Provider>; SETUPS],
    #[cfg(feature = "keys")]
    pub key_rings: [dlms::KeyRing<Provider>; SETUPS],
    #[cfg(feature = "suite2")]
    pub key_pairs: [dlms::KeyPairs; SETUPS],
    #[cfg(feature = "suite2")]
    pub clients: [dlms_security::KnownPeer; 1],
    #[cfg(feature = "keys")]
    pub manager: dlms::server::KeyManager<Provider, Store>,
}

impl Keys {
    #[cfg(not(feature = "suite0"))]
    pub const fn new() -> Self {
        Self { provider: crate::no_cipher::NoCipher, security: [] }
    }

    #[cfg(feature = "suite0")]
    pub fn new() -> Self {
        let provider = Provider::with_functions(random);
        Self {
            security: core::array::from_fn(|setup| context(&provider, setup)),
            #[cfg(feature = "keys")]
            key_rings: core::array::from_fn(|setup| key_ring(&provider, setup)),
            #[cfg(feature = "suite2")]
            key_pairs: [dlms::KeyPairs::new(), signing()],
            #[cfg(feature = "suite2")]
            clients: [client()],
            #[cfg(feature = "keys")]
            manager: dlms::server::KeyManager::new(Store),
            provider,
        }
    }
}

#[cfg(feature = "suite0")]
fn random(out: &mut [u8]) -> Result<(), dlms_security::SecurityError> {
    crate::board::random(out);
    Ok(())
}

#[cfg(feature = "suite0")]
fn suite(setup: usize) -> dlms_security::SecuritySuite {
    use dlms_security::SecuritySuite;

    if setup == 0 { SecuritySuite::Suite0 } else { SecuritySuite::Suite2 }
}

/// Octets that count up from `first`.
#[cfg(feature = "suite0")]
fn key(setup: usize, first: u8) -> dlms_security::SecretKey {
    let octets: [u8; 32] = core::array::from_fn(|n| first.wrapping_add(n as u8));
    let length = if setup == 0 { 16 } else { 32 };
    crate::unwrap(dlms_security::SecretKey::new(suite(setup), octets.get(..length).unwrap_or_default()))
}

#[cfg(feature = "suite0")]
fn context(provider: &Provider, setup: usize) -> SecurityContext<Provider> {
    use dlms_security::{AuthenticationKey, CounterId};

    let suite = suite(setup);
    let authentication = crate::unwrap(AuthenticationKey::from_key(suite, &key(setup, 0xD0)));
    let counter = CounterId(setup as u32);
    let key = key(setup, 0x00);
    crate::unwrap(SecurityContext::new(provider, suite, TITLE, &key, authentication, counter, 0))
}

#[cfg(feature = "keys")]
fn key_ring(provider: &Provider, setup: usize) -> dlms::KeyRing<Provider> {
    let mut ring = dlms::KeyRing::new();
    crate::unwrap(ring.set_master_key(provider, suite(setup), &key(setup, 0xA0)));
    ring
}

#[cfg(feature = "suite2")]
fn signing() -> dlms::KeyPairs {
    use dlms_security::{Curve, KeyUsage, PrivateKey};

    let mut pairs = dlms::KeyPairs::new();
    let key = crate::unwrap(PrivateKey::new(Curve::P384, &[0x53; 48]));
    pairs.set_in_use(KeyUsage::DigitalSignature, Some(key));
    pairs
}

/// The client whose signatures are known.
#[cfg(feature = "suite2")]
fn client() -> dlms_security::KnownPeer {
    use dlms_security::{Curve, KnownPeer, PublicKey};

    /// The public key of the private key 43 43 … 43.
    const KEY: [u8; 96] = [
        0x69, 0x43, 0x3a, 0x61, 0x3e, 0xf0, 0xf5, 0xca, 0xfe, 0x5b, 0x1d, 0x2a, 0x9b, 0x8c, 0xf9, 0xb2, 0x9e,
        0x5b, 0x24, 0x0a, 0x75, 0x4a, 0x53, 0x20, 0x4b, 0x85, 0x64, 0xd2, 0x71, 0x93, 0x5d, 0x53, 0x69, 0x4a,
        0x40, 0x7a, 0x5a, 0x37, 0xb5, 0x69, 0x7d, 0xf8, 0xfc, 0xaa, 0xf1, 0x56, 0x2f, 0x67, 0x1e, 0xb1, 0x5e,
        0x4a, 0x17, 0xf4, 0x56, 0xa3, 0x82, 0x2e, 0x43, 0xbf, 0x37, 0x40, 0xaa, 0x44, 0x35, 0x3b, 0xfb, 0x0f,
        0x00, 0xdf, 0x5a, 0x47, 0x6c, 0x98, 0xd6, 0xb0, 0xcd, 0x34, 0xa5, 0xab, 0x34, 0x1f, 0xbc, 0xdd, 0x67,
        0x9f, 0xd3, 0x11, 0xd6, 0xc3, 0x5b, 0x12, 0xc3, 0x3a, 0x20, 0xee,
    ];
    KnownPeer {
        title: SystemTitle::from_octets([0x47, 0x55, 0x52, 0x58, 0, 0, 0, 1]),
        keys: [Some(crate::unwrap(PublicKey::new(Curve::P384, &KEY))), None, None],
    }
}

/// Where changed keys are kept: a register takes them, one octet after the other.
#[cfg(feature = "keys")]
pub struct Store;

#[cfg(feature = "keys")]
impl dlms_security::KeyStore for Store {
    fn counter_id(
        &mut self,
        _: usize,
        key: &dlms_security::KeyFingerprint,
    ) -> Result<dlms_security::CounterId, dlms_security::StorageError> {
        let [a, b, c, d, ..] = *key.octets();
        Ok(dlms_security::CounterId(u32::from_le_bytes([a, b, c, d])))
    }

    fn install(
        &mut self,
        _: usize,
        change: &dlms_security::SetupChange<'_>,
    ) -> Result<(), dlms_security::StorageError> {
        for key in change.keys {
            key.key.expose().iter().for_each(|&octet| crate::board::store(octet.into()));
        }
        for octet in change.key_pairs.iter().filter_map(|pair| pair.key).flat_map(|key| key.expose()) {
            crate::board::store((*octet).into());
        }
        Ok(())
    }
}
