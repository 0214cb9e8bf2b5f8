//! A small meter for the tests of both engines.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod delegation;
pub mod public_keys;
pub mod side;

use std::sync::LazyLock;

use cosem_objects::classes::{
    ApplicationContextName, AssociatedPartnersId, AssociationLn, AuthenticationMechanismName, Data,
    ProfileGeneric, Register, RowDeque, XdlmsContextInfo,
};
use cosem_objects::{
    AccessRights, AssociationId, CaptureObjectDefinition, LogicalDevice, Object, OctetString, ScalerUnit,
    Unit,
};
use dlms::server::{AssociationConfig, Host, Session};
use dlms::xdlms::Conformance;
use dlms::{KeyPairs, KeyRing, PublicKeys, SecurityContext};
use dlms_axdr::Encoder;
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, Backend, CounterId, CounterStore, CryptoLibrary, PeerKeys,
    Protection, Secret, SecretKey, SecurityError, SecuritySuite, StorageError, SystemTitle,
};

pub const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
pub const LONG_TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
pub const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
pub const HIDDEN: LogicalName = LogicalName::new(0, 0, 96, 1, 9, 255);
pub const ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);
pub const SERVER_TITLE: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");
pub const CLIENT_TITLE: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x02");
pub const PASSWORD: &[u8] = b"12345678";
pub const HLS_SECRET: &[u8] = b"a longer secret";

pub type Provider = Backend<fn(&mut [u8]) -> Result<(), SecurityError>>;

/// Names the library that computes; the default one if it is not set.
const LIBRARY: &str = "DLMS_TEST_CRYPTO";

/// The provider of all tests.
pub static PROVIDER: LazyLock<Provider> = LazyLock::new(|| {
    let library = std::env::var(LIBRARY).map_or(CryptoLibrary::default(), |name| name.parse().unwrap());
    Backend::new(library, fill as _).unwrap()
});

pub fn provider() -> Provider {
    *PROVIDER
}

/// Runs the tests of a file once more on AWS-LC, where that is built in.
pub fn once_more_on_aws_lc() {
    if !CryptoLibrary::AwsLc.is_built_in() || std::env::var_os(LIBRARY).is_some() {
        return;
    }
    let tests = std::env::current_exe().unwrap();
    let run = std::process::Command::new(tests).env(LIBRARY, CryptoLibrary::AwsLc.name()).output().unwrap();
    assert!(run.status.success(), "on AWS-LC: {}", String::from_utf8_lossy(&run.stdout));
}

/// Random enough for a test, and never the same twice.
fn fill(out: &mut [u8]) -> Result<(), SecurityError> {
    use core::sync::atomic::{AtomicU64, Ordering};
    static STATE: AtomicU64 = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
    for octet in out {
        let state = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        *octet = (mixed >> 56) as u8;
    }
    Ok(())
}

/// A store that forgets nothing until it is dropped.
#[derive(Default)]
pub struct Counters(
    pub std::collections::BTreeMap<u32, u32>,
    pub std::collections::BTreeMap<(u32, SystemTitle), u32>,
);

impl CounterStore for Counters {
    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        let stored = self.0.entry(id.0).or_default();
        assert!(*stored <= ceiling, "a ceiling never goes down");
        *stored = ceiling;
        Ok(())
    }

    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.0.get(&id.0).copied().unwrap_or(0))
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        Ok(self.1.get(&(id.0, peer)).copied().unwrap_or(0))
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        let stored = self.1.entry((id.0, peer)).or_default();
        assert!(*stored <= floor, "a floor never goes down");
        *stored = floor;
        Ok(())
    }
}

pub struct Device {
    pub objects: Vec<Box<dyn Object>>,
    pub associations: usize,
    /// Rights to attributes and methods that differ from the usual ones.
    pub attribute_rights: Vec<(LogicalName, i8, AccessRights)>,
    pub method_rights: Vec<(LogicalName, i8, AccessRights)>,
}

impl LogicalDevice for Device {
    fn object_count(&self) -> usize {
        self.objects.len()
    }

    fn object(&self, index: usize) -> Option<&dyn Object> {
        self.objects.get(index).map(|object| &**object)
    }

    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object> {
        match self.objects.get_mut(index) {
            Some(object) => Some(&mut **object),
            None => None,
        }
    }

    fn attribute_access(&self, _association: AssociationId, index: usize, attribute: i8) -> AccessRights {
        let name = self.objects[index].logical_name();
        if let Some((_, _, rights)) = self.attribute_rights.iter().find(|r| (r.0, r.1) == (name, attribute)) {
            return *rights;
        }
        match (name, attribute) {
            (ENERGY, 2) => AccessRights::READ,
            (_, 1) => AccessRights::READ,
            _ => AccessRights::READ | AccessRights::WRITE,
        }
    }

    fn method_access(&self, _association: AssociationId, index: usize, method: i8) -> AccessRights {
        let name = self.objects[index].logical_name();
        let rights = self.method_rights.iter().find(|rights| (rights.0, rights.1) == (name, method));
        rights.map_or(AccessRights::INVOKE, |rights| rights.2)
    }

    fn is_visible(&self, association: AssociationId, index: usize) -> bool {
        self.objects[index].logical_name() != HIDDEN || association.0 > 0
    }

    fn association_object(&self, association: AssociationId) -> Option<usize> {
        Some(self.objects.len() - self.associations + usize::from(association.0))
    }
}

/// What a server serves in a test: device, associations and keys.
pub struct Meter {
    pub device: Device,
    pub associations: Vec<AssociationConfig>,
    pub security: Vec<SecurityContext<Provider>>,
    pub key_rings: Vec<KeyRing<Provider>>,
    pub key_pairs: Vec<KeyPairs>,
    pub peers: Box<dyn PeerKeys>,
    pub provider: Provider,
    pub counters: Counters,
    pub scratch: Vec<u8>,
}

impl Meter {
    /// A meter that offers these associations; security context `n` is of suite `n`.
    pub fn new(associations: Vec<AssociationConfig>) -> Self {
        let provider = provider();
        let clock = LogicalName::new(0, 0, 1, 0, 0, 255);
        let mut profile = ProfileGeneric::<RowDeque, 2>::new(
            PROFILE,
            RowDeque::new(2000),
            &[
                CaptureObjectDefinition {
                    class_id: 8,
                    logical_name: clock,
                    attribute_index: 2,
                    data_index: 0,
                },
                CaptureObjectDefinition {
                    class_id: 3,
                    logical_name: ENERGY,
                    attribute_index: 2,
                    data_index: 0,
                },
            ],
            900,
            2000,
        )
        .unwrap();
        for row in 0..100u32 {
            let mut octets = [0; 32];
            let mut encoder = Encoder::new(&mut octets);
            encoder.octets(&[2, 2, 9, 12, 0x07, 0xEA, 1, 5, 1]).unwrap();
            encoder.octets(&[(row / 4) as u8, (row % 4 * 15) as u8, 0, 0, 0x80, 0, 0, 6]).unwrap();
            encoder.u32(row).unwrap();
            let row = encoder.written().to_vec();
            cosem_objects::behaviour::Profile::store(&mut profile, &row).unwrap();
        }
        let mut objects: Vec<Box<dyn Object>> = vec![
            Box::new(Register::new(
                ENERGY,
                5009u32,
                ScalerUnit { scaler: 0, unit: Unit::ActiveEnergyWattHour },
            )),
            Box::new(Data::new(LONG_TEXT, OctetString::<1000>::new())),
            Box::new(Data::new(HIDDEN, OctetString::<64>::new())),
            Box::new(profile),
        ];
        for (index, config) in associations.iter().enumerate() {
            objects.push(Box::new(AssociationLn::<1>::new(
                LogicalName::new(0, 0, 40, 0, index as u8 + 1, 255),
                1,
                AssociationId(index as u8),
                AssociatedPartnersId { client_sap: config.client_sap as u8 as i8, server_sap: 1 },
                ApplicationContextName(if config.ciphered { 3 } else { 1 }),
                AuthenticationMechanismName(config.mechanism.id()),
                XdlmsContextInfo {
                    conformance: config.conformance.octets(),
                    max_receive_pdu_size: config.max_receive_pdu_size,
                    max_send_pdu_size: 0xFFFF,
                },
            )));
        }
        let security = SecuritySuite::ALL.map(|suite| {
            let (key, authentication_key) = keys(suite);
            let id = CounterId(suite.id().into());
            SecurityContext::new(&provider, suite, SERVER_TITLE, &key, authentication_key, id, 0).unwrap()
        });
        // A device has one suite; the peers' keys are of its curve.
        let suite = associations.first().and_then(|config| config.security).unwrap_or(1);
        let curve = if suite == 2 { dlms_security::Curve::P384 } else { dlms_security::Curve::P256 };
        Self {
            device: Device {
                objects,
                associations: associations.len(),
                attribute_rights: Vec::new(),
                method_rights: Vec::new(),
            },
            associations,
            security: security.into(),
            key_rings: SecuritySuite::ALL.map(|suite| key_ring(&provider, suite)).into(),
            key_pairs: SecuritySuite::ALL.map(|suite| public_keys::key_pairs(suite, SERVER_TITLE)).into(),
            peers: Box::new(public_keys::peers_on(curve)),
            provider,
            counters: Counters::default(),
            scratch: vec![0; 256],
        }
    }

    pub fn host(&mut self) -> Host<'_, Provider> {
        Host {
            device: &mut self.device,
            system_title: SERVER_TITLE,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &self.provider,
            counters: &mut self.counters,
            key_rings: &mut self.key_rings,
            public_keys: Some(PublicKeys {
                provider: &*PROVIDER,
                own: &mut self.key_pairs,
                peers: &*self.peers,
            }),
            certificates: None,
            key_management: None,
            manufacturer: None,
            scratch: &mut self.scratch,
        }
    }
}

/// The master key and the broadcast key of a suite: A0 A1 … and B0 B1 …
pub fn key_ring(provider: &Provider, suite: SecuritySuite) -> KeyRing<Provider> {
    let key =
        |first: u8| SecretKey::new(suite, &(first..).take(suite.key_len()).collect::<Vec<_>>()).unwrap();
    let mut ring = KeyRing::new();
    ring.set_master_key(provider, suite, &key(0xA0)).unwrap();
    ring.set_broadcast_key(provider, suite, &key(0xB0), CounterId(20), 0).unwrap();
    ring
}

/// The keys of a suite: 00 01 02 … and D0 D1 D2 …
pub fn keys(suite: SecuritySuite) -> (SecretKey, AuthenticationKey) {
    let key: Vec<u8> = (0..suite.key_len() as u8).collect();
    let authentication_key: Vec<u8> = (0..suite.key_len() as u8).map(|n| 0xD0u8.wrapping_add(n)).collect();
    (SecretKey::new(suite, &key).unwrap(), AuthenticationKey::new(&authentication_key).unwrap())
}

/// An association of the client 16 with everything that the engines can do.
pub fn config(mechanism: AuthenticationMechanism, suite: Option<SecuritySuite>) -> AssociationConfig {
    let secret = match mechanism {
        AuthenticationMechanism::Lls => PASSWORD,
        _ => HLS_SECRET,
    };
    AssociationConfig {
        client_sap: 16,
        ciphered: suite.is_some(),
        mechanism,
        secret: Secret::new(secret).unwrap(),
        security: suite.map(|suite| suite.id().into()).or(mechanism.needs_titles().then_some(0)),
        policy: if suite.is_some() { Protection::AUTHENTICATED_ENCRYPTED } else { Protection::empty() },
        accepted: dlms::Accepted::default(),
        notifications: dlms::Envelope::GLOBAL,
        presents_certificate: false,
        conformance: Conformance::LOGICAL_NAME,
        max_receive_pdu_size: 1024,
        client_title: None,
        accept_shared_counter: false,
        lockout: None,
    }
}

/// A server and one client's session with it.
pub struct Link {
    pub meter: Meter,
    pub session: Session<Provider, Vec<u8>>,
    pub out: Vec<u8>,
}

impl Link {
    pub fn new(config: AssociationConfig) -> Self {
        let session = Session::new(config.client_sap, vec![0; 2048]);
        Self { meter: Meter::new(vec![config]), session, out: vec![0; 4096] }
    }

    /// Sends an APDU and returns the answer.
    pub fn exchange(&mut self, apdu: &[u8]) -> Option<Vec<u8>> {
        let mut apdu = apdu.to_vec();
        let range = self.session.handle_apdu(
            &mut self.meter.host(),
            core::time::Duration::ZERO,
            &mut apdu,
            &mut self.out,
        )?;
        Some(self.out[range].to_vec())
    }

    /// Sends an APDU in hexadecimal digits and returns the answer in such.
    pub fn hex(&mut self, apdu: &str) -> String {
        self.exchange(&unhex(apdu)).map_or_else(String::new, |answer| to_hex(&answer))
    }
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

pub fn to_hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}
