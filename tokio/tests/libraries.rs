//! Each cryptographic library that is built in at each end: sessions with mechanisms 5 and 7 in every suite.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use common::{METER, Meter, UTILITY, context, key_pair};
use cosem_objects::classes::Register;
use cosem_objects::{AccessRights, AssociationId, LogicalDevice, Object, ScalerUnit, Unit};
use dlms::client::{ClientConfig, DedicatedKeyChoice};
use dlms::server::AssociationConfig;
use dlms::xdlms::{AttributeDescriptor, Conformance};
use dlms::{Carrier, Envelope, HEADROOM, KeyClass};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationMechanism, CounterId, CryptoLibrary, Forgetful, Protection, SecuritySuite,
};
use dlms_tokio::{
    Client, ClientOptions, Endpoint, Framing, Identity, Keys, Listener, ListenerFraming, Server,
    ServerOptions, provider_on,
};

const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const EK: [u8; 32] = [1; 32];
const AK: [u8; 32] = [2; 32];
const GMAC: u16 = 1;
const ECDSA: u16 = 2;

struct Device(Register<u32>);

impl LogicalDevice for Device {
    fn object_count(&self) -> usize {
        1
    }

    fn object(&self, index: usize) -> Option<&dyn Object> {
        (index == 0).then_some(&self.0)
    }

    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object> {
        if index == 0 { Some(&mut self.0) } else { None }
    }

    fn attribute_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::READ
    }

    fn method_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::INVOKE
    }

    fn is_visible(&self, _: AssociationId, _: usize) -> bool {
        true
    }

    fn association_object(&self, _: AssociationId) -> Option<usize> {
        None
    }
}

fn association(client_sap: u16, mechanism: AuthenticationMechanism) -> AssociationConfig {
    AssociationConfig {
        ciphered: true,
        mechanism,
        security: Some(0),
        policy: Protection::AUTHENTICATED_ENCRYPTED,
        conformance: Conformance::LOGICAL_NAME,
        ..AssociationConfig::public(client_sap)
    }
}

async fn session(server: CryptoLibrary, client: CryptoLibrary, suite: SecuritySuite) {
    let (meters, utilitys) = (provider_on(server).unwrap(), provider_on(client).unwrap());
    let (meter_pairs, meter_known) = key_pair(&meters, suite, METER);
    let (_, utility_known) = key_pair(&utilitys, suite, UTILITY);
    let (ek, ak) = (&EK[..suite.key_len()], &AK[..suite.key_len()]);
    let security = context(&meters, suite, METER, [ek, ak]);
    let meter = Arc::new(Mutex::new(Meter {
        device: Device(Register::new(
            ENERGY,
            5009,
            ScalerUnit { scaler: -1, unit: Unit::ActiveEnergyWattHour },
        )),
        associations: vec![
            association(GMAC, AuthenticationMechanism::Gmac),
            association(ECDSA, AuthenticationMechanism::Ecdsa),
        ],
        security: vec![security],
        pairs: vec![meter_pairs],
        utility: [utility_known],
        provider: meters,
        counters: Forgetful,
        scratch: [0; 64],
    }));
    let listening = Server::bind("127.0.0.1:0", ServerOptions::wrapper(), Arc::clone(&meter)).await.unwrap();
    let endpoint = Endpoint::Tcp(listening.local_addr().unwrap().to_string());
    tokio::spawn(listening.run());

    let mut counter = 0;
    for (sap, mechanism) in [(GMAC, AuthenticationMechanism::Gmac), (ECDSA, AuthenticationMechanism::Ecdsa)] {
        if mechanism == AuthenticationMechanism::Ecdsa && suite.curve().is_none() {
            continue;
        }
        let (pairs, known) = key_pair(&utilitys, suite, UTILITY);
        meter.lock().unwrap().utility = [known];
        let keys = Keys::new(suite, UTILITY, ek, ak, CounterId(1), counter, Forgetful).unwrap();
        let options = ClientOptions::new(endpoint.clone(), Framing::wrapper(sap, 1))
            .with_association(ClientConfig {
                mechanism,
                max_receive_pdu_size: 1024,
                dedicated_key: DedicatedKeyChoice::Random,
                ..ClientConfig::hls_gmac()
            })
            .with_library(client)
            .with_keys(keys)
            .with_identity(Identity::new(pairs, [meter_known]));
        let mut client = Client::connect(options).await.unwrap();
        let attribute = AttributeDescriptor::new(3, ENERGY, 2);
        let value = client.get(attribute).await.unwrap();
        assert_eq!(value.data(), dlms_axdr::Data::DoubleLongUnsigned(5009));
        client.disconnect().await.unwrap();
        counter += 100;
    }
}

/// A notification in general-glo-ciphering, as the meter pushes it.
async fn push(server: CryptoLibrary, client: CryptoLibrary, suite: SecuritySuite) {
    let (ek, ak) = (&EK[..suite.key_len()], &AK[..suite.key_len()]);
    let (meters, utilitys) = (provider_on(server).unwrap(), provider_on(client).unwrap());
    let notification = [0x0F, 0, 0, 0, 1, 0, 0x11, 5];
    let mut buffer = vec![0; 64];
    buffer[HEADROOM..][..notification.len()].copy_from_slice(&notification);
    let envelope = Envelope { carrier: Carrier::WithTitle, key: KeyClass::Global };
    let protection = Protection::AUTHENTICATED_ENCRYPTED;
    let plain = HEADROOM..HEADROOM + notification.len();
    let sealed = context(&meters, suite, METER, [ek, ak])
        .seal(&meters, &mut Forgetful, None, envelope, protection, &mut buffer, plain)
        .unwrap();
    let mut listener = Listener::stream(Cursor::new(buffer[sealed].to_vec()), ListenerFraming::Raw);
    let mut received = listener.next().await.unwrap();
    let title = received.claimed_sender().unwrap();
    let mut keys = context(&utilitys, suite, UTILITY, [ek, ak]);
    let opened = received.open(&utilitys, &mut Forgetful, Some((&mut keys, title)), protection).unwrap();
    assert_eq!((opened.sender, opened.protection), (Some(METER), protection));
}

#[tokio::test]
async fn every_library_at_each_end() {
    let built_in: Vec<_> = CryptoLibrary::ALL.into_iter().filter(|library| library.is_built_in()).collect();
    for server in &built_in {
        for client in &built_in {
            for suite in SecuritySuite::ALL {
                session(*server, *client, suite).await;
                push(*server, *client, suite).await;
            }
        }
    }
}

/// A library that is not there is an error of the configuration, whatever the meter would say.
#[tokio::test]
async fn what_is_not_built_in_is_named() {
    let nowhere = Endpoint::Tcp("127.0.0.1:1".into());
    for library in CryptoLibrary::ALL {
        let options = ClientOptions::new(nowhere.clone(), Framing::wrapper(16, 1)).with_library(library);
        let Err(error) = Client::connect(options).await else { panic!("nobody is there") };
        let names_library = error.to_string().contains("is not built in");
        assert_eq!(names_library, !library.is_built_in(), "{library}: {error}");
        assert_eq!(library.name().parse(), Ok(library));
    }
    assert!("openssl".parse::<CryptoLibrary>().is_err());
}
