//! The client against the server: every mechanism, every suite, every form of every service.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::time::Duration;

use common::{
    CLIENT_TITLE, ENERGY, HLS_SECRET, LONG_TEXT, Link, PASSWORD, PROFILE, Provider, SERVER_TITLE, config,
    keys, provider,
};
use cosem_objects::classes::ProfileGeneric;
use cosem_objects::{AccessSelector, EntryDescriptor};
use dlms::SecurityContext;
use dlms::client::{
    AccessItem, AccessOptions, ActionItem, Client, ClientConfig, ClientError, DedicatedKeyChoice,
    Environment, Event, SetItem, get_results,
};
use dlms::server::AssociationConfig;
use dlms::xdlms::{
    ActionResult, AttributeDescriptor, AttributeDescriptorWithSelection, Conformance, DataAccessResult,
    GetDataResult, MethodDescriptor,
};
use dlms_axdr::{Data, Encode, Encoder};
use dlms_obis::LogicalName;
use dlms_security::{AuthenticationMechanism, CounterId, Protection, Secret, SecuritySuite};

type Mechanism = AuthenticationMechanism;

/// Both ends, and a line between them that counts.
struct Pair {
    client: Client<Provider, Vec<u8>>,
    security: Option<SecurityContext<Provider>>,
    provider: Provider,
    counters: common::Counters,
    out: Vec<u8>,
    link: Link,
    exchanges: usize,
    longest_request: usize,
    longest_response: usize,
}

/// What a request came to.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    octets: Vec<u8>,
    pieces: usize,
    refused: Option<DataAccessResult>,
    text: String,
}

fn client_config(config: &AssociationConfig, mechanism: Mechanism) -> ClientConfig {
    let secret = match mechanism {
        Mechanism::Lls => PASSWORD,
        _ => HLS_SECRET,
    };
    ClientConfig {
        ciphered: config.ciphered,
        mechanism,
        secret: Secret::new(secret).unwrap(),
        policy: config.policy,
        conformance: Conformance::LOGICAL_NAME,
        max_receive_pdu_size: 512,
        client_title: Some(CLIENT_TITLE),
        server_title: mechanism.needs_titles().then_some(SERVER_TITLE),
        ..ClientConfig::public()
    }
}

impl Pair {
    fn new(server: AssociationConfig, client: ClientConfig) -> Self {
        let provider = provider();
        let security = server.security.map(|index| {
            let suite = SecuritySuite::from_id(index as u8).unwrap();
            let (key, authentication_key) = keys(suite);
            SecurityContext::new(&provider, suite, CLIENT_TITLE, &key, authentication_key, CounterId(9), 0)
                .unwrap()
        });
        Self {
            client: Client::new(client, vec![0; 2048]),
            security,
            provider,
            counters: common::Counters::default(),
            out: vec![0; 4096],
            link: Link::new(server),
            exchanges: 0,
            longest_request: 0,
            longest_response: 0,
        }
    }

    fn of(mechanism: Mechanism, suite: Option<SecuritySuite>) -> Self {
        let server = config(mechanism, suite);
        let client = client_config(&server, mechanism);
        Self::new(server, client)
    }

    /// Makes a request and carries APDUs to and fro until it is answered.
    fn request(
        &mut self,
        request: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, ClientError>,
    ) -> Result<Answer, ClientError> {
        let Self { client, security, provider, counters, out, link, .. } = self;
        let mut env = Environment {
            provider,
            counters,
            security: security.as_mut().map(|context| context as _),
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut to_send = Some(request(client, &mut env, out)?);
        let mut answer = Answer::default();
        while let Some(range) = to_send.take() {
            self.longest_request = self.longest_request.max(range.len());
            let Some(mut response) = link.exchange(&out[range]) else { break };
            self.longest_response = self.longest_response.max(response.len());
            self.exchanges += 1;
            let reaction = client.handle_apdu(&mut env, &mut response, out)?;
            to_send = reaction.transmit;
            match reaction.event {
                None => {}
                Some(Event::GetPiece { octets, .. }) => {
                    answer.octets.extend_from_slice(octets);
                    answer.pieces += 1;
                }
                Some(Event::GetRefused(result)) => answer.refused = Some(result),
                Some(event) => answer.text += &format!("{event:?}"),
            }
        }
        Ok(answer)
    }

    fn associate(&mut self) -> Answer {
        self.request(|client, env, out| client.associate(env, out)).unwrap()
    }

    fn get(&mut self, item: AttributeDescriptorWithSelection<'_>) -> Answer {
        self.request(|client, env, out| client.get(env, item, out)).unwrap()
    }
}

fn attribute(class_id: u16, name: LogicalName, attribute_id: i8) -> AttributeDescriptor {
    AttributeDescriptor::new(class_id, name, attribute_id)
}

fn encoded(value: &dyn Encode) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut encoder = Encoder::new(&mut buffer);
    value.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

/// Everything that an association is for, over blocks in both directions.
fn use_everything(pair: &mut Pair) {
    let energy = attribute(3, ENERGY, 2);
    assert_eq!(pair.get(energy.into()).octets, encoded(&5009u32));
    assert_eq!(
        pair.get(attribute(3, LogicalName::new(1, 0, 9, 9, 9, 9), 2).into()).refused,
        Some(DataAccessResult::ObjectUndefined)
    );
    // A list, in one response.
    let items = [energy.into(), attribute(3, ENERGY, 9).into(), attribute(3, ENERGY, 3).into()];
    let answer = pair.request(|client, env, out| client.get_with_list(env, &items, out)).unwrap();
    let results: Vec<_> = get_results(&answer.octets).unwrap().iter().collect();
    assert_eq!(results.len(), 3);
    assert_eq!(results[0], GetDataResult::Data(Data::DoubleLongUnsigned(5009)));
    assert_eq!(results[1], GetDataResult::DataAccessResult(DataAccessResult::ReadWriteDenied));
    // A long value goes there in blocks and comes back in blocks.
    let text: Vec<u8> = (0..900u32).map(|n| n as u8).collect();
    let long = attribute(1, LONG_TEXT, 2);
    let value = Data::OctetString(&text);
    let answer = pair.request(|client, env, out| client.set(env, SetItem::new(long, &value), out)).unwrap();
    assert_eq!(answer.text, "SetDone(Success)");
    let answer = pair.get(long.into());
    assert_eq!(answer.octets, encoded(&value));
    assert!(answer.pieces > 1);
    // A long list too, in both directions.
    let items = [SetItem::new(long, &value), SetItem::new(energy, &1u32)];
    let answer = pair.request(|client, env, out| client.set_with_list(env, &items, out)).unwrap();
    assert!(answer.text.contains("Success") && answer.text.contains("ReadWriteDenied"), "{}", answer.text);
    let items = [long.into(), energy.into()];
    let answer = pair.request(|client, env, out| client.get_with_list(env, &items, out)).unwrap();
    let results: Vec<_> = get_results(&answer.octets).unwrap().iter().collect();
    assert_eq!(results, [GetDataResult::Data(value), GetDataResult::Data(Data::DoubleLongUnsigned(5009))]);
    assert!(answer.pieces > 1);
    // Methods: one, one that there is not, a list.
    let reset = MethodDescriptor::new(3, ENERGY, 1);
    let none = MethodDescriptor::new(3, ENERGY, 7);
    let answer =
        pair.request(|client, env, out| client.action(env, ActionItem::new(reset, &0i8), out)).unwrap();
    assert_eq!(
        answer.text,
        format!("{:?}", Event::ActionDone { result: ActionResult::Success, value: None })
    );
    let answer = pair
        .request(|client, env, out| client.action(env, ActionItem { method: none, parameter: None }, out));
    assert!(answer.unwrap().text.contains("ReadWriteDenied"));
    let items = [ActionItem::new(reset, &0i8), ActionItem { method: none, parameter: None }];
    let answer = pair.request(|client, env, out| client.action_with_list(env, &items, out)).unwrap();
    assert!(answer.text.starts_with("ActionListDone"), "{}", answer.text);
    // A mixed list: what it travels in follows from the service.
    let items = [
        AccessItem::Set(SetItem::new(long, &Data::OctetString(&[1, 2]))),
        AccessItem::Get(long.into()),
        AccessItem::Action(ActionItem::new(reset, &0i8)),
        AccessItem::Get(attribute(3, ENERGY, 9).into()),
    ];
    let options = AccessOptions::default();
    let answer = pair.request(|client, env, out| client.access(env, &items, options, out)).unwrap();
    assert!(answer.text.starts_with("AccessDone"), "{}", answer.text);
    assert!(answer.text.contains("OctetString([1, 2])"), "{}", answer.text);
    assert!(
        answer.text.contains("[Set(Success), Get(Success), Action(Success), Get(ReadWriteDenied)]"),
        "{}",
        answer.text
    );
    // The whole profile, and some of it.
    let buffer = AttributeDescriptor::from(ProfileGeneric::BUFFER.of(PROFILE));
    let answer = pair.get(buffer.into());
    let Ok(Data::Array(rows)) = Data::from_octets(&answer.octets) else { panic!("{answer:?}") };
    assert_eq!(rows.len(), 100);
    assert!(answer.pieces > 4);
    let entries =
        EntryDescriptor { from_entry: 11, to_entry: 20, from_selected_value: 1, to_selected_value: 0 };
    let parameters = encoded(&entries);
    let selection = AccessSelector { selector: 2, parameters: Data::from_octets(&parameters).unwrap() };
    let answer = pair.get(AttributeDescriptorWithSelection { attribute: buffer, selection: Some(selection) });
    let Ok(Data::Array(rows)) = Data::from_octets(&answer.octets) else { panic!("{answer:?}") };
    assert_eq!(rows.len(), 10);
    let Some(Data::Structure(row)) = rows.get(0) else { panic!("no row") };
    assert_eq!(row.get(1), Some(Data::DoubleLongUnsigned(10)));
    assert!(pair.longest_response <= 512, "{}", pair.longest_response);
    assert!(pair.longest_request <= 1024, "{}", pair.longest_request);
}

fn suites() -> impl Iterator<Item = Option<SecuritySuite>> {
    SecuritySuite::ALL.into_iter().map(Some).chain([None])
}

#[test]
fn on_aws_lc() {
    common::once_more_on_aws_lc();
}

#[test]
fn every_mechanism_with_every_suite() {
    for mechanism in
        [Mechanism::None, Mechanism::Lls, Mechanism::Md5, Mechanism::Sha1, Mechanism::Gmac, Mechanism::Sha256]
    {
        for suite in suites() {
            let mut pair = Pair::of(mechanism, suite);
            let answer = pair.associate();
            assert!(answer.text.starts_with("Associated"), "{mechanism:?} {suite:?}: {}", answer.text);
            assert!(pair.link.session.association().is_some());
            use_everything(&mut pair);
            let answer = pair.request(|client, env, out| client.release(env, out)).unwrap();
            assert!(answer.text.starts_with("Released"), "{}", answer.text);
            assert_eq!(answer.text.contains("authenticated: true"), suite.is_some(), "{}", answer.text);
            assert!(pair.link.session.association().is_none());
            // And once more, with the counters where they are.
            assert!(pair.associate().text.starts_with("Associated"));
        }
    }
}

#[test]
fn every_protection_and_envelope() {
    for protection in [
        Protection::AUTHENTICATED,
        Protection::ENCRYPTED,
        Protection::AUTHENTICATED_ENCRYPTED,
        Protection::empty(),
    ] {
        for dedicated_key in [false, true] {
            for general_protection in [false, true] {
                let server = AssociationConfig {
                    policy: protection,
                    ..config(Mechanism::Gmac, Some(SecuritySuite::Suite0))
                };
                let client = ClientConfig {
                    dedicated_key: match dedicated_key {
                        true => DedicatedKeyChoice::Random,
                        false => DedicatedKeyChoice::None,
                    },
                    general_protection,
                    ..client_config(&server, Mechanism::Gmac)
                };
                let mut pair = Pair::new(server, client);
                let text = pair.associate().text;
                assert!(
                    text.starts_with("Associated"),
                    "{protection:?} dedicated {dedicated_key} general {general_protection}: {text}"
                );
                use_everything(&mut pair);
                let answer = pair.request(|client, env, out| client.release(env, out)).unwrap();
                assert!(answer.text.contains("authenticated: true"), "{}", answer.text);
            }
        }
    }
}

#[test]
fn wrong_secrets_open_nothing() {
    for mechanism in [Mechanism::Lls, Mechanism::Md5, Mechanism::Sha1, Mechanism::Sha256] {
        let server = config(mechanism, None);
        let client = ClientConfig {
            secret: Secret::new(b"wrong secret").unwrap(),
            ..client_config(&server, mechanism)
        };
        let mut pair = Pair::new(server, client);
        let text = pair.associate().text;
        assert!(text.starts_with("Refused"), "{mechanism:?}: {text}");
        assert!(pair.client.agreement().is_none());
        assert!(pair.link.session.association().is_none());
    }
}

#[test]
fn a_server_without_the_key_is_found_out() {
    // The server has another key: it cannot open the InitiateRequest.
    let mut pair = Pair::of(Mechanism::Gmac, Some(SecuritySuite::Suite0));
    let provider = provider();
    let key = dlms_security::SecretKey::new(SecuritySuite::Suite0, &[7; 16]).unwrap();
    let (_, authentication_key) = keys(SecuritySuite::Suite0);
    pair.security = Some(
        SecurityContext::new(
            &provider,
            SecuritySuite::Suite0,
            CLIENT_TITLE,
            &key,
            authentication_key,
            CounterId(9),
            0,
        )
        .unwrap(),
    );
    let text = pair.associate().text;
    assert!(text.starts_with("Refused(Rejected"), "{text}");
}

#[test]
fn a_lost_counter_is_told() {
    let mut pair = Pair::of(Mechanism::Gmac, Some(SecuritySuite::Suite0));
    pair.associate();
    pair.get(attribute(3, ENERGY, 2).into());
    // Another client with the same title and an older counter: what it sends is a replay.
    let mut stale = Pair::of(Mechanism::Gmac, Some(SecuritySuite::Suite0));
    std::mem::swap(&mut pair.link, &mut stale.link);
    let text = stale.associate().text;
    assert!(text.contains("InvocationCounterError(Some(4))"), "{text}");
    stale.security.as_mut().unwrap().advance_counter(dlms_security::InvocationCounter::new(4), 100).unwrap();
    let text = stale.associate().text;
    assert!(text.starts_with("Associated"), "{text}");
}

#[test]
fn the_general_envelope_is_proposed_where_it_is_wanted() {
    let server = config(Mechanism::Gmac, Some(SecuritySuite::Suite0));
    let client = ClientConfig {
        conformance: ClientConfig::public().conformance,
        general_protection: true,
        ..client_config(&server, Mechanism::Gmac)
    };
    let mut pair = Pair::new(server, client);
    assert!(pair.associate().text.starts_with("Associated"));
    let attribute = attribute(3, ENERGY, 2).into();
    let mut first = 0;
    pair.request(|client, env, out| {
        let range = client.get(env, attribute, out)?;
        first = out[range.start];
        Ok(range)
    })
    .unwrap();
    assert_eq!(first, 0xDB);
}
