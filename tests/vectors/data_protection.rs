//! Data protection (class_id 30) against an independent computation: what a client writes and a meter takes apart, what a
//! meter gives and a client opens, by method and by buffer, octet by octet.
//!
//! The computation shares this library's reading of what is protected; that this reading is the standard's, no vector shows.

use core::ops::Range;
use core::time::Duration;

use cosem_objects::OctetString;
use cosem_objects::classes::{Data as DataObject, DataProtection, ProtectedObject};
use dlms::client::data_protection::{buffer, get_request, open, open_buffer, parameters, set_request};
use dlms::client::{ActionItem, Client, ClientConfig, ClientError, Environment, Event, SetItem};
use dlms::server::{AssociationConfig, Host, Session};
use dlms::xdlms::{ActionResult, AttributeDescriptor, Conformance, DataAccessResult, MethodDescriptor};
use dlms::{DataLayer, PublicKeys};
use dlms_obis::LogicalName;

use super::common::Device;
use super::*;

const OBJECT: LogicalName = LogicalName::new(0, 0, 43, 2, 0, 255);
const GET: &str = "data-protection-get";
const SET: &str = "data-protection-set";

/// An associated pair; the next counter of either is that of the vector.
struct Pair<'v> {
    vector: &'v Value,
    engine: Client<Drawing, Vec<u8>>,
    client: Side,
    session: Session<Drawing, Vec<u8>>,
    server: Side,
    pairs: [[KeyPairs; 1]; 2],
    device: Device,
    associations: [AssociationConfig; 1],
    counters: [Counters; 2],
}

macro_rules! env {
    ($pair:ident) => {
        Environment {
            provider: &$pair.client.provider,
            counters: &mut $pair.counters[0],
            security: Some(&mut $pair.client.context),
            key_ring: Some(&mut $pair.client.ring),
            public_keys: Some(PublicKeys {
                provider: &$pair.client.ecc,
                own: &mut $pair.pairs[0],
                peers: &$pair.client.peers,
            }),
            manufacturer: None,
            now: Duration::ZERO,
        }
    };
}

impl<'v> Pair<'v> {
    fn new(vector: &'v Value, is_read: bool) -> Self {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let suite = SecuritySuite::from_id(input("suite")[0]).unwrap();
        let [mut client, mut server] = ["system_title_c", "system_title_s"].map(|name| {
            let mut side = Side::new(suite, title(vector, name), &input("guek"), &input("ak"));
            let kek = SecretKey::new(suite, &input("kek")).unwrap();
            side.ring.set_master_key(&side.provider, suite, &kek).unwrap();
            side
        });
        let (sender, receiver) =
            if is_read { (&mut server, &mut client) } else { (&mut client, &mut server) };
        sender.provider = drawing(vector["inputs"].get("message_key").map(octets).unwrap_or_default());
        agree_on(vector, sender, receiver);
        let config = config(AuthenticationMechanism::None, Some(suite));
        let config = AssociationConfig {
            accepted: Accepted::all() - Accepted::RESTARTING_COUNTERS,
            policy: Protection::empty(),
            security: Some(0),
            ..config
        };
        let text = |place| {
            let name = LogicalName::new(0, 0, 128, 0, place, 255);
            Box::new(DataObject::new(name, OctetString::<256>::new()))
        };
        let device = Device {
            objects: vec![
                Box::new(DataProtection::<1024>::new(OBJECT, 0)),
                text(0),
                text(1),
                // That of the association, which is not asked for.
                text(2),
            ],
            associations: 1,
            attribute_rights: Vec::new(),
            method_rights: Vec::new(),
        };
        let engine = ClientConfig {
            ciphered: true,
            policy: Protection::empty(),
            conformance: Conformance::LOGICAL_NAME,
            client_title: Some(client.context.own_title()),
            server_title: Some(server.context.own_title()),
            ..ClientConfig::public()
        };
        let pairs = [&client, &server].map(|side| [side.pairs.clone()]);
        let mut pair = Self {
            vector,
            engine: Client::new(engine, vec![0; 4096]),
            session: Session::new(config.client_sap, vec![0; 4096]),
            client,
            server,
            pairs,
            device,
            associations: [config],
            counters: Default::default(),
        };
        pair.request(
            |engine, env, out| engine.associate(env, out),
            |event| matches!(event, Event::Associated(_)).then_some(()),
        );
        let counter = u32::from_be_bytes(input("invocation_counter").try_into().unwrap());
        let sender = if is_read { &mut pair.server } else { &mut pair.client };
        sender.context.advance_counter(InvocationCounter::new(counter), u32::MAX).unwrap();
        pair
    }

    fn request<T>(
        &mut self,
        request: impl FnOnce(
            &mut Client<Drawing, Vec<u8>>,
            &mut Environment<'_, Drawing>,
            &mut [u8],
        ) -> Result<Range<usize>, ClientError>,
        mut answer: impl FnMut(&Event<'_>) -> Option<T>,
    ) -> T {
        let pair = self;
        let (mut out, mut response) = (vec![0; 4096], vec![0; 4096]);
        let mut next = Some(request(&mut pair.engine, &mut env!(pair), &mut out).unwrap());
        while let Some(range) = next.take() {
            let mut host = Host {
                device: &mut pair.device,
                system_title: pair.server.context.own_title(),
                associations: &mut pair.associations,
                security: core::slice::from_mut(&mut pair.server.context),
                key_rings: core::slice::from_mut(&mut pair.server.ring),
                public_keys: Some(PublicKeys {
                    provider: &pair.server.ecc,
                    own: &mut pair.pairs[1],
                    peers: &pair.server.peers,
                }),
                certificates: None,
                key_management: None,
                provider: &pair.server.provider,
                counters: &mut pair.counters[1],
                manufacturer: None,
                scratch: &mut [],
            };
            let sent = &mut out[range];
            let range = pair.session.handle_apdu(&mut host, Duration::ZERO, sent, &mut response).unwrap();
            let reaction = pair.engine.handle_apdu(&mut env!(pair), &mut response[range], &mut out).unwrap();
            if let Some(answer) = reaction.event.as_ref().and_then(&mut answer) {
                return answer;
            }
            next = reaction.transmit;
        }
        panic!("no answer: {}", self_name(pair.vector));
    }

    fn set(&mut self, class_id: u16, name: LogicalName, attribute: i8, value: &[u8]) -> DataAccessResult {
        let value = Data::from_octets(value).unwrap();
        let item = SetItem::new(AttributeDescriptor::new(class_id, name, attribute), &value);
        self.request(
            |engine, env, out| engine.set(env, item, out),
            |event| if let Event::SetDone(result) = event { Some(*result) } else { None },
        )
    }

    fn get(&mut self, attribute: i8) -> Vec<u8> {
        let mut value = Vec::new();
        self.request(
            |engine, env, out| engine.get(env, AttributeDescriptor::new(30, OBJECT, attribute).into(), out),
            |event| {
                let Event::GetPiece { octets, last } = event else { panic!("{event:?}") };
                value.extend_from_slice(octets);
                last.then_some(())
            },
        );
        value
    }

    fn call(&mut self, method: i8, parameter: &[u8]) -> (ActionResult, Vec<u8>) {
        let parameter = Data::from_octets(parameter).unwrap();
        let item = ActionItem::new(MethodDescriptor::new(30, OBJECT, method), &parameter);
        self.request(
            |engine, env, out| engine.action(env, item, out),
            |event| match event {
                Event::ActionDone { result, value } => {
                    Some((*result, value.map_or(vec![], |value| value.unwrap().to_vec())))
                }
                _ => None,
            },
        )
    }

    fn input(&self, name: &str) -> Vec<u8> {
        octets(&self.vector["inputs"][name])
    }

    fn expected(&self, name: &str) -> Vec<u8> {
        octets(&self.vector["expected"][name])
    }

    fn layers(&self) -> Vec<DataLayer> {
        let key = match self.input("key_information")[..] {
            [1, 0, 0] => KeyClass::Global,
            [1, 1, ..] => KeyClass::Wrapped,
            [1, 2, 1, 1, ..] => KeyClass::OnePassDiffieHellman,
            _ => KeyClass::StaticUnifiedModel,
        };
        let transaction = TransactionId::new(&self.input("transaction_id")).unwrap();
        let layer = |protection_type: &u8| match protection_type {
            0 => DataLayer { protection: Protection::AUTHENTICATED, key, transaction },
            2 => DataLayer { protection: Protection::AUTHENTICATED_ENCRYPTED, key, transaction },
            _ => DataLayer { protection: Protection::SIGNED, key: KeyClass::Global, transaction },
        };
        self.input("layers").iter().map(layer).collect()
    }

    /// The values of as many of the objects as the vector has.
    fn values(&self) -> Vec<Vec<u8>> {
        let values = self.input("values");
        let Ok(Data::Structure(values)) = Data::from_octets(&values) else { panic!() };
        values.into_iter().map(|value| written(&value)).collect()
    }

    fn held(&self) -> Vec<Vec<u8>> {
        let context = cosem_objects::Context { association: None, device: &self.device };
        let text = |place: usize| {
            let mut octets = [0; 256];
            let mut encoder = Encoder::new(&mut octets);
            self.device.objects[place].get(2, None, &context, &mut encoder).unwrap();
            encoder.written().to_vec()
        };
        (1..=self.values().len()).map(text).collect()
    }
}

#[test]
fn what_a_client_writes() {
    let count = run(SET, |vector| {
        let pair = &mut Pair::new(vector, false);
        let (layers, server) = (pair.layers(), pair.server.context.own_title());
        let (values, objects) = (pair.input("values"), pair.input("objects"));
        let values = Data::from_octets(&values).unwrap();
        let mut room = vec![0; 2048];
        let made = written(&buffer(&mut env!(pair), server, &layers, &values, &mut room).unwrap());
        let asked = parameters(&layers, &pair.client.context.own_title(), &server).map(|it| written(&it));
        let is_buffer = made == pair.expected("protection_buffer");
        let is_asked = asked == Ok(pair.expected("parameters_asked"));

        let pair = &mut Pair::new(vector, false);
        let objects = protected_objects(&objects);
        let made = set_request(&mut env!(pair), server, &objects, &layers, &values, &mut room).unwrap();
        is_buffer && is_asked && written(&made) == pair.expected("parameter")
    });
    assert!(count > 0);
}

#[test]
fn what_a_meter_takes_apart() {
    let count = run(SET, |vector| {
        let pair = &mut Pair::new(vector, false);
        for (attribute, value) in [
            (3, pair.input("objects")),
            (5, pair.expected("parameters_asked")),
            (2, pair.expected("protection_buffer")),
        ] {
            assert_eq!(
                pair.set(30, OBJECT, attribute, &value),
                DataAccessResult::Success,
                "{}",
                self_name(vector)
            );
        }
        let is_buffer = pair.held() == pair.values();

        let pair = &mut Pair::new(vector, false);
        let is_called = pair.call(2, &pair.expected("parameter")).0 == ActionResult::Success;
        is_buffer && is_called && pair.held() == pair.values()
    });
    assert!(count > 0);
}

#[test]
fn what_a_meter_gives() {
    let count = run(GET, |vector| {
        let mut is_as_computed = true;
        for by_method in [false, true] {
            let pair = &mut Pair::new(vector, true);
            for (place, value) in pair.values().iter().enumerate() {
                let name = LogicalName::new(0, 0, 128, 0, place as u8, 255);
                assert_eq!(pair.set(1, name, 2, value), DataAccessResult::Success);
            }
            is_as_computed &= if by_method {
                let returned = pair.call(1, &pair.expected("parameter"));
                returned == (ActionResult::Success, pair.expected("returned"))
            } else {
                for (attribute, value) in [(3, pair.input("objects")), (4, pair.expected("parameters_asked"))]
                {
                    assert_eq!(pair.set(30, OBJECT, attribute, &value), DataAccessResult::Success);
                }
                pair.get(2) == pair.expected("protection_buffer")
                    && pair.get(4) == pair.expected("parameters")
            };
        }
        is_as_computed
    });
    assert!(count > 0);
}

#[test]
fn what_a_client_opens() {
    let count = run(GET, |vector| {
        let mut room = vec![0; 2048];
        let mut is_opened = true;
        for by_method in [false, true] {
            let pair = &mut Pair::new(vector, true);
            let (layers, server) = (pair.layers(), pair.server.context.own_title());
            let objects = protected_objects(&pair.input("objects"));
            let (client, values) = (pair.client.context.own_title(), pair.input("values"));
            let asked = written(&get_request(client, server, &objects, &layers, &mut room).unwrap());
            is_opened &= asked == pair.expected("parameter");
            let accepted = Accepted::all() - Accepted::RESTARTING_COUNTERS;
            let demand = Demand { accepted, ..Demand::new(server, Protection::empty()) };
            let given = pair.expected(if by_method { "returned" } else { "protection_buffer" });
            let given = Data::from_octets(&given).unwrap();
            let opened = match by_method {
                true => open(&mut env!(pair), &demand, given, &mut room),
                false => open_buffer(&mut env!(pair), &demand, &layers, given, &mut room),
            };
            is_opened &= opened.map(|opened| written(&opened)) == Ok(values);
        }
        is_opened
    });
    assert!(count > 0);
}

/// All whole attributes, as the vectors have them.
fn protected_objects(octets: &[u8]) -> Vec<ProtectedObject<'static>> {
    let Ok(Data::Array(objects)) = Data::from_octets(octets) else { panic!() };
    objects
        .into_iter()
        .map(|object| {
            let object = ProtectedObject::from_data(object).unwrap();
            ProtectedObject { restriction: cosem_objects::classes::Restriction::None, ..object }
        })
        .collect()
}

fn written(value: &dyn Encode) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let mut encoder = Encoder::new(&mut buffer);
    value.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

fn self_name(vector: &Value) -> &Value {
    &vector["name"]
}
