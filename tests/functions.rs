//! What a provider does not name is not served: refused as if it were not there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::time::Duration;

use common::{CLIENT_TITLE, Counters, ENERGY, Meter, SERVER_TITLE, config, keys, to_hex, unhex};
use cosem_objects::classes::{DataProtection, ProtectedObject, Restriction, SecuritySetup};
use cosem_objects::{ActionResult, GetError};
use dlms::client::data_protection::get_request;
use dlms::client::{ActionItem, Client, ClientConfig, Environment, Event};
use dlms::server::{AssociationConfig, Host, KeyManagement, KeyManager, Session, Setup};
use dlms::xdlms::MethodDescriptor;
use dlms::{Accepted, DataLayer, KeyClass, NewKeys, SecurityContext, TransactionId};
use dlms_axdr::{Data, Encode, Encoder};
use dlms_obis::LogicalName;
use dlms_security::certificate::{CertificateStore, MemoryCertificates};
use dlms_security::{
    AuthenticationMechanism, CounterId, Functions, KeyFingerprint, KeyStore, Protection, SecurityError,
    SecuritySuite, SetupChange, StorageError, SuiteZero, SystemTitle,
};

type Zero<const FUNCTIONS: u8> = SuiteZero<fn(&mut [u8]) -> Result<(), SecurityError>, FUNCTIONS>;

const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
/// What the other tests propose, and ACCESS.
const AARQ: &str = "601DA109060760857405080101BE10040E01000000065F1F040060FEDFFFFF";
const GET_CLASS_OF_SETUP: &str = "D9 40000001 00 01 01 0040 00002B0000FF 01 01 00";
const RAISE_POLICY: &str = "C3 01 C1 0040 00002B0000FF 01 01 1601";
const GENERATE_KEY_PAIR: &str = "C3 01 C1 0040 00002B0000FF 04 01 1600";
const GET_CERTIFICATES: &str = "C0 01 C1 0040 00002B0000FF 06 00";
const DATA_PROTECTION: LogicalName = LogicalName::new(0, 0, 43, 2, 0, 255);

/// Does everything that it is asked.
struct Obliging;

impl<const FUNCTIONS: u8> KeyManagement<Zero<FUNCTIONS>> for Obliging {
    fn invoke(
        &mut self,
        _: &mut Setup<'_, Zero<FUNCTIONS>>,
        _: i8,
        _: Data<'_>,
        _: &mut Encoder<'_>,
    ) -> Result<(), ActionResult> {
        Ok(())
    }

    fn certificates(&self, _: &dyn CertificateStore, encoder: &mut Encoder<'_>) -> Result<(), GetError> {
        Ok(encoder.data(&true)?)
    }

    fn take_changes(&mut self) -> Option<(usize, NewKeys<Zero<FUNCTIONS>>)> {
        None
    }
}

struct NoKeys;

impl KeyStore for NoKeys {
    fn counter_id(&mut self, _: usize, _: &KeyFingerprint) -> Result<CounterId, StorageError> {
        Err(StorageError)
    }

    fn install(&mut self, _: usize, _: &SetupChange<'_>) -> Result<(), StorageError> {
        Err(StorageError)
    }
}

/// A meter of suite 0 that uses no more than `FUNCTIONS` besides ciphering.
struct Zeroed<const FUNCTIONS: u8> {
    meter: Meter,
    provider: Zero<FUNCTIONS>,
    security: [SecurityContext<Zero<FUNCTIONS>>; 1],
    session: Session<Zero<FUNCTIONS>, Vec<u8>>,
}

fn provider<const FUNCTIONS: u8>() -> Zero<FUNCTIONS> {
    SuiteZero::with_functions(|_| Err(SecurityError::RandomUnavailable))
}

fn context<const FUNCTIONS: u8>(title: SystemTitle) -> SecurityContext<Zero<FUNCTIONS>> {
    let (key, authentication_key) = keys(SecuritySuite::Suite0);
    let (suite, id) = (SecuritySuite::Suite0, CounterId(0));
    SecurityContext::new(&provider(), suite, title, &key, authentication_key, id, 0).unwrap()
}

impl<const FUNCTIONS: u8> Zeroed<FUNCTIONS> {
    fn new(association: AssociationConfig) -> Self {
        let mut meter = Meter::new(vec![association]);
        meter.device.objects.insert(0, Box::new(SecuritySetup::new(SETUP, 1, 0)));
        meter.device.objects.insert(0, Box::new(DataProtection::<64>::new(DATA_PROTECTION, 0)));
        let session = Session::new(16, vec![0; 256]);
        Self { meter, provider: provider(), security: [context(SERVER_TITLE)], session }
    }

    fn answer(&mut self, management: &mut dyn KeyManagement<Zero<FUNCTIONS>>, request: &mut [u8]) -> Vec<u8> {
        let mut host = Host {
            device: &mut self.meter.device,
            system_title: SERVER_TITLE,
            associations: &mut self.meter.associations,
            security: &mut self.security,
            provider: &self.provider,
            counters: &mut self.meter.counters,
            key_rings: &mut [],
            public_keys: None,
            certificates: Some(&MemoryCertificates::<1>::new()),
            key_management: Some(management),
            manufacturer: None,
            scratch: &mut self.meter.scratch,
        };
        let mut out = [0; 512];
        let range = self.session.handle_apdu(&mut host, Duration::ZERO, request, &mut out).unwrap();
        out[range].to_vec()
    }
}

/// The answer to `request` in an association without security.
fn answer<const FUNCTIONS: u8>(management: &mut dyn KeyManagement<Zero<FUNCTIONS>>, request: &str) -> String {
    let mut meter = Zeroed::new(config(AuthenticationMechanism::None, None));
    meter.answer(management, &mut unhex(AARQ));
    to_hex(&meter.answer(management, &mut unhex(request)))
}

/// What comes of a protected read by way of a Data protection object.
fn read_protected<const FUNCTIONS: u8>() -> ActionResult {
    let accepted = Accepted::default() | Accepted::IDENTIFIED_KEY | Accepted::DATA_PROTECTION;
    let suite = Some(SecuritySuite::Suite0);
    let mut meter = Zeroed::<FUNCTIONS>::new(AssociationConfig {
        accepted,
        ..config(AuthenticationMechanism::None, suite)
    });
    let mut client = Client::new(
        ClientConfig {
            ciphered: true,
            policy: Protection::AUTHENTICATED_ENCRYPTED,
            client_title: Some(CLIENT_TITLE),
            server_title: Some(SERVER_TITLE),
            ..ClientConfig::public()
        },
        vec![0; 512],
    );
    let mut environment = Environment {
        provider: &provider(),
        counters: &mut Counters::default(),
        security: Some(&mut context::<FUNCTIONS>(CLIENT_TITLE)),
        key_ring: None,
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    };
    let layer = DataLayer {
        protection: Protection::AUTHENTICATED,
        key: KeyClass::Global,
        transaction: TransactionId::new(&[1]).unwrap(),
    };
    let energy = ProtectedObject {
        class_id: 3,
        logical_name: ENERGY,
        attribute_index: 2,
        data_index: 0,
        restriction: Restriction::None,
    };
    let (mut room, mut parameter, mut out) = ([0; 256], [0; 256], [0; 512]);
    let request = get_request(CLIENT_TITLE, SERVER_TITLE, &[energy], &[layer], &mut room).unwrap();
    let mut encoder = Encoder::new(&mut parameter);
    request.encode(&mut encoder).unwrap();
    let parameter = Data::from_octets(encoder.written()).unwrap();
    let read = ActionItem::new(MethodDescriptor::new(30, DATA_PROTECTION, 1), &parameter);

    let associate = client.associate(&mut environment, &mut out).unwrap();
    let mut response = meter.answer(&mut Obliging, &mut out[associate]);
    client.handle_apdu(&mut environment, &mut response, &mut out).unwrap();
    let request = client.action(&mut environment, read, &mut out).unwrap();
    let mut response = meter.answer(&mut Obliging, &mut out[request]);
    match client.handle_apdu(&mut environment, &mut response, &mut out).unwrap().event {
        Some(Event::ActionDone { result, .. }) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn access_is_an_unknown_service() {
    let named = answer::<{ Functions::ACCESS.bits() }>(&mut Obliging, GET_CLASS_OF_SETUP);
    assert!(named.starts_with("DA"), "{named}");
    assert_eq!(answer::<0>(&mut Obliging, GET_CLASS_OF_SETUP), "D80202");
}

#[test]
fn methods_of_security_setups_are_denied() {
    assert_eq!(answer::<{ Functions::KEY_MANAGEMENT.bits() }>(&mut Obliging, RAISE_POLICY), "C701C10000");
    assert_eq!(answer::<0>(&mut Obliging, RAISE_POLICY), "C701C10300");
}

#[test]
fn without_public_keys_there_are_no_certificates() {
    const SYMMETRIC: u8 = Functions::KEY_MANAGEMENT.bits();
    const ASYMMETRIC: u8 = Functions::KEY_MANAGEMENT.union(Functions::PUBLIC_KEYS).bits();
    assert_eq!(answer::<ASYMMETRIC>(&mut Obliging, GET_CERTIFICATES), "C401C1000301");
    assert_eq!(answer::<SYMMETRIC>(&mut Obliging, GET_CERTIFICATES), "C401C1000100");
    // Suite 0 has no key pairs either way.
    assert_eq!(answer::<ASYMMETRIC>(&mut KeyManager::new(NoKeys), GENERATE_KEY_PAIR), "C701C1FA00");
    assert_eq!(answer::<SYMMETRIC>(&mut KeyManager::new(NoKeys), GENERATE_KEY_PAIR), "C701C10300");
}

#[test]
fn methods_of_data_protection_are_denied() {
    const ENVELOPES: Functions = Functions::GENERAL_ENVELOPES;
    const ALL: Functions = ENVELOPES.union(Functions::DATA_PROTECTION);
    assert_eq!(read_protected::<{ ALL.bits() }>(), ActionResult::Success);
    assert_eq!(read_protected::<{ ENVELOPES.bits() }>(), ActionResult::ReadWriteDenied);
}
