//! A client and a meter with a Data protection object.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::time::Duration;

use cosem_objects::Context;
use cosem_objects::classes::{DataProtection, ProtectedObject, Restriction};
use dlms::client::data_protection::{buffer, method_request, open, open_buffer, parameters, set_request};
use dlms::client::{
    AccessItem, AccessOptions, ActionItem, Client, ClientConfig, Environment, Event, SetItem,
};
use dlms::server::AssociationConfig;
use dlms::xdlms::{
    AccessResult, ActionResult, AttributeDescriptor, AttributeDescriptorWithSelection, Conformance,
    DataAccessResult, GetDataResult, MethodDescriptor,
};
use dlms::{
    Accepted, DataLayer, Demand, KeyClass, KeyPairs, KeyRing, ProtectionError, PublicKeys, SecurityContext,
    TransactionId,
};
use dlms_axdr::{Array, Data, Encode, Encoder};
use dlms_obis::LogicalName;
use dlms_security::{AuthenticationMechanism, CounterId, Curve, KnownPeer, Protection, SecuritySuite};

use crate::common;
use crate::common::public_keys::{key_pairs, peers_on};
use crate::common::side::ALL;
use crate::common::{CLIENT_TITLE, Link, PROVIDER, Provider, SERVER_TITLE, config, keys};

pub const SUITE: SecuritySuite = SecuritySuite::Suite1;
pub const OBJECT: LogicalName = LogicalName::new(0, 0, 43, 2, 0, 255);
const CONFORMANCE: Conformance =
    Conformance::LOGICAL_NAME.union(Conformance::ACCESS).union(Conformance::GENERAL_PROTECTION);
pub const BUFFER: AttributeDescriptor = AttributeDescriptor::new(30, OBJECT, 2);
pub const AE: Protection = Protection::AUTHENTICATED_ENCRYPTED;
pub const S: Protection = Protection::SIGNED;
/// Every kind of key, and the switch.
pub const TAKEN: Accepted = ALL.union(Accepted::DATA_PROTECTION);
pub const NOT_TAKEN: Accepted = ALL.difference(Accepted::DATA_PROTECTION);

pub struct Pair {
    pub client: Client<Provider, Vec<u8>>,
    pub security: SecurityContext<Provider>,
    pub ring: KeyRing<Provider>,
    pub pairs: [KeyPairs; 1],
    pub peers: [KnownPeer; 2],
    pub counters: common::Counters,
    pub link: Link,
    /// The answers to what was read, as they came over the line.
    pub received: Vec<Vec<u8>>,
}

macro_rules! env {
    ($pair:ident) => {
        Environment {
            provider: &*PROVIDER,
            counters: &mut $pair.counters,
            security: Some(&mut $pair.security),
            key_ring: Some(&mut $pair.ring),
            public_keys: Some(PublicKeys {
                provider: &*PROVIDER,
                own: &mut $pair.pairs,
                peers: &$pair.peers,
            }),
            manufacturer: None,
            now: Duration::ZERO,
        }
    };
}

impl Pair {
    /// An associated pair; the object requires nothing of the data.
    pub fn new(accepted: Accepted, policy: Protection, required: u8) -> Self {
        let server = AssociationConfig {
            accepted,
            policy,
            conformance: CONFORMANCE,
            ..config(AuthenticationMechanism::None, Some(SUITE))
        };
        let (key, authentication_key) = keys(SUITE);
        let client = ClientConfig {
            ciphered: true,
            policy,
            conformance: CONFORMANCE,
            max_receive_pdu_size: 600,
            client_title: Some(CLIENT_TITLE),
            server_title: Some(SERVER_TITLE),
            ..ClientConfig::public()
        };
        let id = CounterId(9);
        let security =
            SecurityContext::new(&*PROVIDER, SUITE, CLIENT_TITLE, &key, authentication_key, id, 0).unwrap();
        let mut link = Link::new(server);
        link.meter.device.objects.insert(0, Box::new(DataProtection::<512>::new(OBJECT, required)));
        let mut pair = Self {
            client: Client::new(client, vec![0; 4096]),
            security,
            ring: common::key_ring(&PROVIDER, SUITE),
            pairs: [key_pairs(SUITE, CLIENT_TITLE)],
            peers: peers_on(Curve::P256),
            counters: common::Counters::default(),
            link,
            received: Vec::new(),
        };
        let mut env = env!(pair);
        let mut out = vec![0; 4096];
        let request = pair.client.associate(&mut env, &mut out).unwrap();
        let mut answer = pair.link.exchange(&out[request]).unwrap();
        let reaction = pair.client.handle_apdu(&mut env, &mut answer, &mut out).unwrap();
        assert!(matches!(reaction.event, Some(Event::Associated(_))), "{reaction:?}");
        pair
    }

    /// Invokes a method of the object.
    pub fn call(&mut self, method: i8, parameter: &[u8]) -> (ActionResult, Vec<u8>) {
        let pair = self;
        let mut env = env!(pair);
        let mut out = vec![0; 4096];
        let parameter = Data::from_octets(parameter).unwrap();
        let method = MethodDescriptor::new(30, OBJECT, method);
        let mut next =
            Some(pair.client.action(&mut env, ActionItem::new(method, &parameter), &mut out).unwrap());
        while let Some(range) = next.take() {
            let mut answer = pair.link.exchange(&out[range]).unwrap();
            let reaction = pair.client.handle_apdu(&mut env, &mut answer, &mut out).unwrap();
            if let Some(Event::ActionDone { result, value }) = reaction.event {
                return (result, value.map_or(vec![], |value| value.unwrap().to_vec()));
            }
            next = reaction.transmit;
        }
        panic!("no answer");
    }

    pub fn method(
        &mut self,
        method: MethodDescriptor,
        layers: &[DataLayer],
        parameter: &dyn Encode,
    ) -> Vec<u8> {
        let pair = self;
        let mut buffer = [0; 1024];
        let made = method_request(&mut env!(pair), SERVER_TITLE, method, layers, parameter, &mut buffer);
        encoded(&made.unwrap())
    }

    pub fn set(
        &mut self,
        objects: &[ProtectedObject<'_>],
        layers: &[DataLayer],
        values: &dyn Encode,
    ) -> Vec<u8> {
        let pair = self;
        let mut buffer = [0; 1024];
        let made = set_request(&mut env!(pair), SERVER_TITLE, objects, layers, values, &mut buffer);
        encoded(&made.unwrap())
    }

    pub fn open(
        &mut self,
        required: Protection,
        is_carried: bool,
        returned: &[u8],
    ) -> Result<Vec<u8>, ProtectionError> {
        let pair = self;
        let mut buffer = [0; 1024];
        let demand = Demand { accepted: ALL, is_carried, ..Demand::new(SERVER_TITLE, required) };
        let returned = Data::from_octets(returned).unwrap();
        open(&mut env!(pair), &demand, returned, &mut buffer).map(|data| encoded(&data))
    }

    /// Reads attributes, one of them or a list, and gives the plain octets of the response's data.
    pub fn get(
        &mut self,
        items: &[AttributeDescriptorWithSelection<'_>],
    ) -> Result<Vec<u8>, DataAccessResult> {
        let pair = self;
        let mut env = env!(pair);
        let mut out = vec![0; 4096];
        let request = match items {
            [item] => pair.client.get(&mut env, *item, &mut out),
            items => pair.client.get_with_list(&mut env, items, &mut out),
        };
        let (mut next, mut value) = (Some(request.unwrap()), Vec::new());
        while let Some(range) = next.take() {
            let mut answer = pair.link.exchange(&out[range]).unwrap();
            pair.received.push(answer.clone());
            let reaction = pair.client.handle_apdu(&mut env, &mut answer, &mut out).unwrap();
            match reaction.event {
                Some(Event::GetPiece { octets, last }) => {
                    value.extend_from_slice(octets);
                    if last {
                        return Ok(value);
                    }
                }
                Some(Event::GetRefused(result)) => return Err(result),
                event => assert_eq!(event, None),
            }
            next = reaction.transmit;
        }
        panic!("no answer");
    }

    pub fn set_attribute(&mut self, attribute: i8, value: &dyn Encode) -> DataAccessResult {
        let pair = self;
        let mut env = env!(pair);
        let mut out = vec![0; 4096];
        let item = SetItem::new(AttributeDescriptor::new(30, OBJECT, attribute), value);
        let mut next = Some(pair.client.set(&mut env, item, &mut out).unwrap());
        while let Some(range) = next.take() {
            let mut answer = pair.link.exchange(&out[range]).unwrap();
            let reaction = pair.client.handle_apdu(&mut env, &mut answer, &mut out).unwrap();
            if let Some(Event::SetDone(result)) = reaction.event {
                return result;
            }
            next = reaction.transmit;
        }
        panic!("no answer");
    }

    /// One ACCESS that reads or writes the buffer: its result, and the value that was read.
    pub fn access(&mut self, value: Option<&dyn Encode>) -> (DataAccessResult, Vec<u8>) {
        let pair = self;
        let mut env = env!(pair);
        let mut out = vec![0; 4096];
        let item = match value {
            Some(value) => AccessItem::Set(SetItem::new(BUFFER, value)),
            None => AccessItem::Get(BUFFER.into()),
        };
        let options = AccessOptions::default();
        let request = pair.client.access(&mut env, &[item], options, &mut out).unwrap();
        let mut answer = pair.link.exchange(&out[request]).unwrap();
        let reaction = pair.client.handle_apdu(&mut env, &mut answer, &mut out).unwrap();
        let Some(Event::AccessDone(response)) = reaction.event else { panic!("{reaction:?}") };
        match response.results().next().unwrap() {
            AccessResult::Get(GetDataResult::Data(value)) => (DataAccessResult::Success, encoded(&value)),
            AccessResult::Get(GetDataResult::DataAccessResult(result)) | AccessResult::Set(result) => {
                (result, vec![])
            }
            result => panic!("{result:?}"),
        }
    }

    /// Lists objects, and says how their values are protected, both ways.
    pub fn set_up(&mut self, objects: &[ProtectedObject<'_>], layers: &[DataLayer]) {
        assert_eq!(self.set_attribute(3, &Array(objects)), DataAccessResult::Success);
        let read = parameters(layers, &SERVER_TITLE, &CLIENT_TITLE).unwrap();
        assert_eq!(self.set_attribute(4, &read), DataAccessResult::Success);
        let written = parameters(layers, &CLIENT_TITLE, &SERVER_TITLE).unwrap();
        assert_eq!(self.set_attribute(5, &written), DataAccessResult::Success);
    }

    pub fn buffer(&mut self, layers: &[DataLayer], values: &dyn Encode) -> Vec<u8> {
        let pair = self;
        let mut room = [0; 2048];
        encoded(&buffer(&mut env!(pair), SERVER_TITLE, layers, values, &mut room).unwrap())
    }

    pub fn open_buffer(
        &mut self,
        layers: &[DataLayer],
        is_carried: bool,
        value: &[u8],
    ) -> Result<Vec<u8>, ProtectionError> {
        let pair = self;
        let mut room = [0; 4096];
        let demand = Demand { accepted: ALL, is_carried, ..Demand::new(SERVER_TITLE, Protection::empty()) };
        let value = Data::from_octets(value).unwrap();
        open_buffer(&mut env!(pair), &demand, layers, value, &mut room).map(|data| encoded(&data))
    }

    pub fn read(&mut self, class_id: u16, name: LogicalName) -> Vec<u8> {
        let index =
            self.link.meter.device.objects.iter().position(|object| object.logical_name() == name).unwrap();
        assert_eq!(self.link.meter.device.objects[index].class().id, class_id);
        let mut octets = [0; 256];
        let mut encoder = Encoder::new(&mut octets);
        let context = Context { association: None, device: &self.link.meter.device };
        self.link.meter.device.objects[index].get(2, None, &context, &mut encoder).unwrap();
        encoder.written().to_vec()
    }
}

pub fn encoded(value: &dyn Encode) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut encoder = Encoder::new(&mut buffer);
    value.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

pub const fn layer(protection: Protection, key: KeyClass, transaction: TransactionId) -> DataLayer {
    DataLayer { protection, key, transaction }
}

/// Every kind of layer, and both orders of two.
pub fn all_layers() -> Vec<Vec<DataLayer>> {
    let id = TransactionId::new(&[1, 2, 3, 4]).unwrap();
    let signature = layer(S, KeyClass::Global, id);
    let mut all = vec![vec![signature], vec![layer(Protection::AUTHENTICATED, KeyClass::Global, id)]];
    for key in
        [KeyClass::Global, KeyClass::Wrapped, KeyClass::OnePassDiffieHellman, KeyClass::StaticUnifiedModel]
    {
        let ciphering = layer(AE, key, id);
        all.extend([vec![ciphering], vec![signature, ciphering], vec![ciphering, signature]]);
    }
    all
}

pub const fn whole(
    class_id: u16,
    logical_name: LogicalName,
    attribute_index: i8,
) -> ProtectedObject<'static> {
    ProtectedObject { class_id, logical_name, attribute_index, data_index: 0, restriction: Restriction::None }
}
