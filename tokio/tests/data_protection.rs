//! Data protection through a client over TCP: every method, and the buffer.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex};

use common::{METER, Meter, UTILITY, context, key_pair};
use cosem_objects::classes::{Data as DataObject, DataProtection, ProtectedObject, Register, Restriction};
use cosem_objects::{AccessRights, AssociationId, LogicalDevice, Object, OctetString, ScalerUnit, Unit};
use dlms::client::ClientConfig;
use dlms::server::AssociationConfig;
use dlms::xdlms::{ActionResult, Conformance, DataAccessResult, MethodDescriptor};
use dlms::{Accepted, DataLayer, KeyClass, TransactionId};
use dlms_axdr::{Data, Encode, Encoder};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationMechanism, CounterId, CryptoLibrary, Forgetful, Protection, SecuritySuite,
};
use dlms_tokio::{
    Client, ClientOptions, Endpoint, Error, Framing, Identity, Keys, Server, ServerOptions, provider_on,
};

const SUITE: SecuritySuite = SecuritySuite::Suite1;
const OBJECT: LogicalName = LogicalName::new(0, 0, 43, 2, 0, 255);
const TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const ACCEPTED: Accepted = Accepted::SERVICE_SPECIFIC
    .union(Accepted::IDENTIFIED_KEY)
    .union(Accepted::SIGNING)
    .union(Accepted::DATA_PROTECTION);

struct Device(DataProtection<512>, DataObject<OctetString<64>>, Register<u32>);

impl LogicalDevice for Device {
    fn object_count(&self) -> usize {
        3
    }

    fn object(&self, index: usize) -> Option<&dyn Object> {
        let objects: [&dyn Object; 3] = [&self.0, &self.1, &self.2];
        objects.get(index).copied()
    }

    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object> {
        let objects: [&mut dyn Object; 3] = [&mut self.0, &mut self.1, &mut self.2];
        objects.into_iter().nth(index)
    }

    fn attribute_access(&self, _: AssociationId, index: usize, _: i8) -> AccessRights {
        if index == 2 { AccessRights::READ } else { AccessRights::READ | AccessRights::WRITE }
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

const fn whole(class_id: u16, logical_name: LogicalName) -> ProtectedObject<'static> {
    let restriction = Restriction::None;
    ProtectedObject { class_id, logical_name, attribute_index: 2, data_index: 0, restriction }
}

fn encoded(value: &dyn Encode) -> Vec<u8> {
    let mut buffer = [0; 256];
    let mut encoder = Encoder::new(&mut buffer);
    value.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

/// A client and the meter that it is associated with.
async fn associated() -> (Client, Arc<Mutex<Meter<Device>>>) {
    let provider = provider_on(CryptoLibrary::default()).unwrap();
    let [ek, ak] = [[1; 16], [2; 16]];
    let security = context(&provider, SUITE, METER, [&ek, &ak]);
    let (meter_pairs, meter_known) = key_pair(&provider, SUITE, METER);
    let (pairs, known) = key_pair(&provider, SUITE, UTILITY);
    let unit = ScalerUnit { scaler: 0, unit: Unit::ActiveEnergyWattHour };
    let device = Device(
        DataProtection::new(OBJECT, 0),
        DataObject::new(TEXT, OctetString::new()),
        Register::new(ENERGY, 5009, unit),
    );
    let meter = Arc::new(Mutex::new(Meter {
        device,
        associations: vec![AssociationConfig {
            ciphered: true,
            mechanism: AuthenticationMechanism::Gmac,
            security: Some(0),
            policy: Protection::AUTHENTICATED_ENCRYPTED,
            accepted: ACCEPTED,
            conformance: Conformance::LOGICAL_NAME,
            ..AssociationConfig::public(1)
        }],
        security: vec![security],
        pairs: vec![meter_pairs],
        utility: [known],
        provider,
        counters: Forgetful,
        scratch: [0; 64],
    }));
    let listening = Server::bind("127.0.0.1:0", ServerOptions::wrapper(), Arc::clone(&meter)).await.unwrap();
    let endpoint = Endpoint::Tcp(listening.local_addr().unwrap().to_string());
    tokio::spawn(listening.run());
    let options = ClientOptions::new(endpoint, Framing::wrapper(1, 1))
        .with_association(ClientConfig { accepted: ACCEPTED, ..ClientConfig::hls_gmac() })
        .with_keys(Keys::new(SUITE, UTILITY, &ek, &ak, CounterId(1), 0, Forgetful).unwrap())
        .with_identity(Identity::new(pairs, [meter_known]));
    (Client::connect(options).await.unwrap(), meter)
}

#[tokio::test]
async fn methods_and_buffer() {
    let (mut client, meter) = associated().await;
    let transaction = TransactionId::new(&[1, 2, 3]).unwrap();
    let signed = DataLayer { protection: Protection::SIGNED, key: KeyClass::Global, transaction };
    let ciphered = DataLayer { protection: Protection::AUTHENTICATED_ENCRYPTED, ..signed };
    for (number, layers) in
        [&[ciphered][..], &[signed, ciphered], &[ciphered, signed]].into_iter().enumerate()
    {
        let texts = [[number as u8, 1], [number as u8, 2]];
        let [by_method, by_buffer] = texts.each_ref().map(|text| (Data::OctetString(text),));
        let mut protection = client.data_protection(OBJECT, layers);
        protection.set(&[whole(1, TEXT)], &by_method).await.unwrap();
        let read = protection.get(&[whole(1, TEXT), whole(3, ENERGY)]).await.unwrap();
        let energy = if number == 0 { 5009u32 } else { 0 };
        assert_eq!(read.octets(), encoded(&(by_method.0, energy)));
        let reset = MethodDescriptor::new(3, ENERGY, 1);
        assert_eq!(protection.invoke(reset, &0i8).await.unwrap(), None);

        protection.set_up(&[whole(1, TEXT)]).await.unwrap();
        protection.write_buffer(&by_buffer).await.unwrap();
        assert_eq!(protection.read_buffer().await.unwrap().octets(), encoded(&by_buffer));

        // What may not be written is refused.
        let refused = protection.set(&[whole(3, ENERGY)], &(1u32,)).await;
        assert!(matches!(refused, Err(Error::Action(ActionResult::ReadWriteDenied))), "{refused:?}");
        protection.set_up(&[whole(3, ENERGY)]).await.unwrap();
        let refused = protection.write_buffer(&(1u32,)).await;
        assert!(matches!(refused, Err(Error::DataAccess(DataAccessResult::ReadWriteDenied))), "{refused:?}");
    }
    // A buffer in other layers than asked for is not taken.
    client.data_protection(OBJECT, &[ciphered]).set_up(&[whole(1, TEXT)]).await.unwrap();
    let other = client.data_protection(OBJECT, &[signed]).read_buffer().await;
    assert!(matches!(other, Err(Error::Client(_))), "{other:?}");
    meter.lock().unwrap().associations[0].accepted -= Accepted::DATA_PROTECTION;
    let refused = client.data_protection(OBJECT, &[ciphered]).get(&[whole(1, TEXT)]).await;
    assert!(matches!(refused, Err(Error::Action(ActionResult::ReadWriteDenied))), "{refused:?}");
    client.disconnect().await.unwrap();
}
