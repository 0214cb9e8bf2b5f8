//! general-ciphering, general-signing and mechanism 7: the client against the server, in every form and both suites.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::time::Duration;

use common::PROVIDER;
use common::public_keys::{key_pairs, peers_on};
use common::{
    CLIENT_TITLE, ENERGY, LONG_TEXT, Link, PROFILE, Provider, SERVER_TITLE, config, keys, provider,
};
use cosem_objects::{AccessRights, AssociationId};
use dlms::client::broadcast::{self, Broadcast};
use dlms::client::{
    AccessItem, AccessOptions, ActionItem, Client, ClientConfig, ClientError, Environment, Event, SetItem,
    notification,
};
use dlms::server::{self, AssociationConfig};
use dlms::xdlms::{
    AttributeDescriptor, Conformance, DataAccessResult, LongInvokeIdAndPriority, MethodDescriptor,
};
use dlms::{
    Accepted, Asymmetric, Carrier, Demand, Envelope, KeyClass, KeyPairs, KeyRing, Keys, PublicKeys,
    SecurityContext,
};
use dlms_axdr::{Data, Encode};
use dlms_security::{
    AuthenticationMechanism, CounterId, Curve, Forgetful, KnownPeer, Protection, RequiredProtection,
    SecuritySuite,
};

type Mechanism = AuthenticationMechanism;

const ALL: Accepted = Accepted::SERVICE_SPECIFIC
    .union(Accepted::WITH_TITLE)
    .union(Accepted::IDENTIFIED_KEY)
    .union(Accepted::WRAPPED_KEY)
    .union(Accepted::ONE_PASS_DIFFIE_HELLMAN)
    .union(Accepted::STATIC_UNIFIED_MODEL)
    .union(Accepted::SIGNING);

/// A client, a server, and what went over the line.
struct Pair {
    client: Client<Provider, Vec<u8>>,
    security: SecurityContext<Provider>,
    key_ring: KeyRing<Provider>,
    key_pairs: [KeyPairs; 1],
    peers: [KnownPeer; 2],
    provider: Provider,
    counters: common::Counters,
    link: Link,
    sent: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
}

fn curve(suite: SecuritySuite) -> Curve {
    suite.curve().unwrap_or(Curve::P256)
}

impl Pair {
    fn new(suite: SecuritySuite, server: AssociationConfig, client: ClientConfig) -> Self {
        let provider = provider();
        let (key, authentication_key) = keys(suite);
        let id = CounterId(9);
        let security =
            SecurityContext::new(&provider, suite, CLIENT_TITLE, &key, authentication_key, id, 0).unwrap();
        Self {
            client: Client::new(client, vec![0; 2048]),
            security,
            key_ring: common::key_ring(&provider, suite),
            key_pairs: [key_pairs(suite, CLIENT_TITLE)],
            peers: peers_on(curve(suite)),
            provider,
            counters: common::Counters::default(),
            link: Link::new(server),
            sent: Vec::new(),
            received: Vec::new(),
        }
    }

    fn call(
        &mut self,
        request: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, ClientError>,
    ) -> Result<String, ClientError> {
        let mut env = Environment {
            provider: &self.provider,
            counters: &mut self.counters,
            security: Some(&mut self.security),
            key_ring: Some(&mut self.key_ring),
            public_keys: Some(PublicKeys {
                provider: &*PROVIDER,
                own: &mut self.key_pairs,
                peers: &self.peers,
            }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut out = vec![0; 4096];
        let mut to_send = Some(request(&mut self.client, &mut env, &mut out)?);
        let mut text = String::new();
        while let Some(range) = to_send.take() {
            self.sent.push(out[range].to_vec());
            let Some(mut response) = self.link.exchange(self.sent.last().unwrap()) else { break };
            self.received.push(response.clone());
            let reaction = self.client.handle_apdu(&mut env, &mut response, &mut out)?;
            to_send = reaction.transmit;
            match reaction.event {
                None => {}
                Some(Event::GetPiece { octets, .. }) => text += &common::to_hex(octets),
                Some(event) => text += &format!("{event:?}"),
            }
        }
        Ok(text)
    }

    fn associate(&mut self) -> String {
        self.call(|client, env, out| client.associate(env, out)).unwrap()
    }

    fn get(&mut self, name: dlms_obis::LogicalName, class_id: u16) -> Result<String, ClientError> {
        let attribute = AttributeDescriptor::new(class_id, name, 2);
        self.call(|client, env, out| client.get(env, attribute.into(), out))
    }

    fn set(&mut self, value: &dyn Encode) -> Result<String, ClientError> {
        let attribute = AttributeDescriptor::new(1, LONG_TEXT, 2);
        self.call(|client, env, out| client.set(env, SetItem::new(attribute, value), out))
    }

    fn events(&mut self) -> Vec<server::Event> {
        core::iter::from_fn(|| self.link.session.poll_event()).collect()
    }
}

fn server(mechanism: Mechanism, suite: SecuritySuite) -> AssociationConfig {
    AssociationConfig {
        accepted: ALL,
        conformance: AssociationConfig::SUPPORTED,
        ..config(mechanism, Some(suite))
    }
}

fn client(mechanism: Mechanism) -> ClientConfig {
    ClientConfig {
        mechanism,
        max_receive_pdu_size: 1024,
        conformance: Conformance::LOGICAL_NAME,
        server_title: Some(SERVER_TITLE),
        secret: dlms_security::Secret::new(common::PASSWORD).unwrap(),
        ..ClientConfig::hls_gmac()
    }
}

fn ecc_suites() -> [SecuritySuite; 2] {
    [SecuritySuite::Suite1, SecuritySuite::Suite2]
}

#[test]
fn on_aws_lc() {
    common::once_more_on_aws_lc();
}

#[test]
fn mechanism_7_opens_an_association() {
    for suite in ecc_suites() {
        let mut pair = Pair::new(suite, server(Mechanism::Ecdsa, suite), client(Mechanism::Ecdsa));
        assert!(pair.associate().starts_with("Associated"), "{suite:?}");
        assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391");
        assert!(pair.call(|client, env, out| client.release(env, out)).unwrap().starts_with("Released"));
    }
}

#[test]
fn mechanism_7_in_the_plain_context() {
    let config = AssociationConfig { security: Some(1), ..config(Mechanism::Ecdsa, None) };
    let plain = ClientConfig { ciphered: false, policy: Protection::empty(), ..client(Mechanism::Ecdsa) };
    let mut pair = Pair::new(SecuritySuite::Suite1, config, plain);
    assert!(pair.associate().starts_with("Associated"));
    assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391");
}

/// What a server with a signing key does not sign needs no room for a signature.
#[test]
fn small_apdus_without_signatures() {
    for suite in ecc_suites() {
        for mechanism in [Mechanism::None, Mechanism::Gmac, Mechanism::Ecdsa] {
            let client = ClientConfig { max_receive_pdu_size: 128, ..client(mechanism) };
            let mut pair = Pair::new(suite, server(mechanism, suite), client);
            let what = format!("{suite:?} {mechanism:?}");
            assert!(pair.associate().starts_with("Associated"), "{what}: {:?}", pair.events());
            pair.received.clear();
            assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391", "{what}");
            assert!(pair.get(PROFILE, 7).unwrap().len() > 2000, "{what}");
            assert!(pair.received.iter().any(|apdu| apdu.len() > 120), "{what}: blocks are full");
            assert!(pair.received.iter().all(|apdu| apdu.len() <= 128), "{what}");
        }
    }
}

/// Room is kept for the signatures that items demand, also in the blocks behind the first, and nothing is executed whose
/// signed response would not fit.
#[test]
fn small_apdus_with_signatures() {
    let signed = AccessRights::READ | AccessRights::SIGNED_RESPONSE;
    for suite in ecc_suites() {
        let pair = |size, rights: &[(_, _, AccessRights)]| {
            let client =
                ClientConfig { max_receive_pdu_size: size, accepted: ALL, ..client(Mechanism::Gmac) };
            let mut pair = Pair::new(suite, server(Mechanism::Gmac, suite), client);
            pair.link.meter.device.attribute_rights = rights.to_vec();
            pair.link.meter.device.method_rights = vec![(ENERGY, 1, signed)];
            assert!(pair.associate().starts_with("Associated"));
            pair.received.clear();
            pair.events();
            pair
        };
        let mut unsigned = pair(256, &[]);
        unsigned.get(PROFILE, 7).unwrap();
        let mut one = pair(256, &[(PROFILE, 2, signed)]);
        assert!(one.get(PROFILE, 7).unwrap().len() > 2000, "{suite:?}");
        assert!(one.received.len() > unsigned.received.len(), "{suite:?}");
        // A list whose last item demands it.
        let mut list = pair(256, &[(ENERGY, 3, signed)]);
        let items = [(PROFILE, 7, 2), (ENERGY, 3, 3)].map(|(name, class, id)| {
            dlms::xdlms::AttributeDescriptorWithSelection::from(AttributeDescriptor::new(class, name, id))
        });
        let values = list.call(|client, env, out| client.get_with_list(env, &items, out)).unwrap();
        assert!(values.ends_with("0002020F00161E"), "{suite:?}: {values}");
        for apdu in unsigned.received.iter().chain(&one.received).chain(&list.received) {
            assert!(apdu.len() <= 256, "{suite:?}: {}", apdu.len());
        }

        let mut small = pair(100, &[]);
        let reset = MethodDescriptor::new(3, ENERGY, 1);
        let item = ActionItem::new(reset, &Data::Integer(0));
        let answer = small.call(|client, env, out| client.action(env, item, out)).unwrap();
        assert!(answer.contains("PduTooLong"), "{suite:?}: {answer}");
        assert!(!small.events().iter().any(|event| matches!(event, server::Event::MethodInvoked { .. })));
        assert_eq!(small.get(ENERGY, 3).unwrap(), "0600001391", "{suite:?}: never reset");
    }
}

/// Every form in which requests can leave: key, signature, and whether the tag of what is seen is right.
fn forms(suite: SecuritySuite) -> Vec<(Option<KeyClass>, bool)> {
    let mut forms = vec![(Some(KeyClass::Global), false), (Some(KeyClass::Wrapped), false)];
    if suite.curve().is_some() {
        let keys = [
            KeyClass::Global,
            KeyClass::Wrapped,
            KeyClass::OnePassDiffieHellman,
            KeyClass::StaticUnifiedModel,
        ];
        forms.extend([
            (None, true),
            (Some(KeyClass::OnePassDiffieHellman), false),
            (Some(KeyClass::StaticUnifiedModel), false),
        ]);
        forms.extend(keys.map(|key| (Some(key), true)));
    }
    forms
}

#[test]
fn every_form_of_every_service() {
    for suite in SecuritySuite::ALL {
        for (key, signed) in forms(suite) {
            let mechanism = if suite.curve().is_some() { Mechanism::Ecdsa } else { Mechanism::Gmac };
            let mut policy = Protection::AUTHENTICATED_ENCRYPTED;
            policy.set(Protection::SIGNED, signed);
            let server = AssociationConfig { policy, ..server(mechanism, suite) };
            let client = ClientConfig { policy, general_ciphering: key, ..client(mechanism) };
            let mut pair = Pair::new(suite, server, client);
            let what = format!("{suite:?} {key:?} {signed}");
            assert!(pair.associate().starts_with("Associated"), "{what}: {:?}", pair.events());
            pair.sent.clear();
            pair.received.clear();
            assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391", "{what}");
            let tag = if key.is_some() { 0xDD } else { 0xDB };
            assert_eq!((pair.sent[0][0], pair.received[0][0]), (tag, tag), "{what}");
            if key.is_some() {
                assert_eq!(pair.sent[0][1..10], pair.received[0][1..10], "the transaction-id comes back");
            }
            let reset = ActionItem::new(MethodDescriptor::new(3, ENERGY, 1), &0i8);
            let items = [AttributeDescriptor::new(3, ENERGY, 2), AttributeDescriptor::new(3, ENERGY, 3)];
            let list = items.map(Into::into);
            let (text, written) = (AttributeDescriptor::new(1, LONG_TEXT, 2), Data::OctetString(&[7]));
            let set = SetItem::new(text, &written);
            let access = [AccessItem::Get(list[0]), AccessItem::Set(set), AccessItem::Action(reset)];
            let read = pair.call(|client, env, out| client.get_with_list(env, &list, out)).unwrap();
            assert!(read.starts_with("02000600001391"), "{what}: {read}");
            let done = pair.call(|client, env, out| client.action(env, reset, out)).unwrap();
            assert!(done.contains("Success"), "{what}: {done}");
            let done = pair.call(|client, env, out| client.set_with_list(env, &[set, set], out)).unwrap();
            assert!(done.contains("SetListDone"), "{what}: {done}");
            let done =
                pair.call(|client, env, out| client.action_with_list(env, &[reset, reset], out)).unwrap();
            assert!(done.contains("ActionListDone"), "{what}: {done}");
            let done =
                pair.call(|client, env, out| client.access(env, &access, AccessOptions::default(), out));
            assert!(done.as_ref().is_ok_and(|done| done.contains("AccessDone")), "{what}: {done:?}");
            // In blocks, both ways.
            let long = vec![0x5A; 900];
            assert!(pair.set(&Data::OctetString(&long)).unwrap().contains("Success"), "{what}");
            assert!(pair.get(LONG_TEXT, 1).unwrap().ends_with(&common::to_hex(&long)), "{what}");
            assert!(pair.get(PROFILE, 7).unwrap().len() > 2000, "{what}");
            for apdu in pair.sent.iter().chain(&pair.received) {
                assert!(apdu.len() <= 1024, "{what}: {}", apdu.len());
            }
            assert!(
                pair.events().iter().all(|event| !matches!(event, server::Event::SecurityViolation { .. }))
            );
        }
    }
}

#[test]
fn what_the_server_does_not_take_is_refused() {
    let suite = SecuritySuite::Suite1;
    for (key, signed) in forms(suite) {
        let mut policy = Protection::AUTHENTICATED_ENCRYPTED;
        let server = AssociationConfig { accepted: Accepted::default(), ..server(Mechanism::Gmac, suite) };
        policy.set(Protection::SIGNED, signed);
        let client = ClientConfig { policy, general_ciphering: key, ..client(Mechanism::Gmac) };
        let mut pair = Pair::new(suite, server, client);
        let _ = pair.associate();
        let answer = pair.get(ENERGY, 3);
        assert!(!matches!(&answer, Ok(text) if text == "0600001391"), "{key:?} {signed}: {answer:?}");
    }
}

#[test]
fn the_policy_of_the_setup_demands_signatures() {
    let suite = SecuritySuite::Suite2;
    let unsigned = || client(Mechanism::Gmac);
    let mut pair = Pair::new(suite, server(Mechanism::Gmac, suite), unsigned());
    assert!(pair.associate().starts_with("Associated"));
    pair.link.meter.security[2].set_policy(RequiredProtection::SIGNED_REQUEST);
    assert!(pair.get(ENERGY, 3).unwrap().contains("DecipheringError"));
    pair.link.meter.security[2].set_policy(RequiredProtection::SIGNED_RESPONSE);
    assert!(pair.get(ENERGY, 3).is_err(), "signed, but this client takes no signatures");

    // Signed requests, and responses that are not.
    let client = ClientConfig { request_protection: Protection::SIGNED, ..unsigned() };
    let mut pair = Pair::new(suite, server(Mechanism::Gmac, suite), client);
    pair.link.meter.security[2].set_policy(RequiredProtection::SIGNED_REQUEST);
    assert!(pair.associate().starts_with("Associated"));
    assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391");

    // Responses that are signed without having been asked for it.
    let client = ClientConfig { accepted: ALL, ..unsigned() };
    let mut pair = Pair::new(suite, server(Mechanism::Gmac, suite), client);
    pair.link.meter.security[2].set_policy(RequiredProtection::SIGNED_RESPONSE);
    assert!(pair.associate().starts_with("Associated"));
    assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391");
}

#[test]
fn access_rights_demand_signatures_one_by_one() {
    let suite = SecuritySuite::Suite1;
    let signed = AccessRights::READ | AccessRights::SIGNED_REQUEST;
    let mut pair = Pair::new(suite, server(Mechanism::Gmac, suite), client(Mechanism::Gmac));
    pair.link.meter.device.attribute_rights.push((ENERGY, 2, signed));
    assert!(pair.associate().starts_with("Associated"));
    let denied = format!("GetRefused({:?})", DataAccessResult::ReadWriteDenied);
    assert_eq!(pair.get(ENERGY, 3).unwrap(), denied);
    let told = server::Event::AccessDenied { class_id: 3, instance_id: ENERGY, id: 2 };
    assert!(pair.events().contains(&told));
    let items =
        [AttributeDescriptor::new(3, ENERGY, 2).into(), AttributeDescriptor::new(3, ENERGY, 1).into()];
    let list = pair.call(|client, env, out| client.get_with_list(env, &items, out)).unwrap();
    assert_eq!(list, "02010300090601000108 00FF".replace(' ', ""));

    let client = ClientConfig { request_protection: Protection::SIGNED, ..client(Mechanism::Gmac) };
    let mut pair = Pair::new(suite, server(Mechanism::Gmac, suite), client);
    pair.link.meter.device.attribute_rights.push((ENERGY, 2, signed));
    assert!(pair.associate().starts_with("Associated"));
    assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391");
}

#[test]
fn a_replayed_request_is_refused_under_every_key() {
    for suite in SecuritySuite::ALL {
        for (key, signed) in forms(suite) {
            let mut policy = Protection::AUTHENTICATED_ENCRYPTED;
            policy.set(Protection::SIGNED, signed);
            for restarting in [false, true] {
                let mut accepted = ALL;
                accepted.set(Accepted::RESTARTING_COUNTERS, restarting);
                let server = AssociationConfig { policy, accepted, ..server(Mechanism::Gmac, suite) };
                let client = ClientConfig { policy, general_ciphering: key, ..client(Mechanism::Gmac) };
                let mut pair = Pair::new(suite, server, client);
                assert!(pair.associate().starts_with("Associated"));
                pair.get(ENERGY, 3).unwrap();
                let request = pair.sent.last().unwrap().clone();
                let answer = pair.link.exchange(&request).unwrap();
                assert_eq!(answer[0], 0xD8, "{suite:?} {key:?} {signed} {restarting}");
                // Nor in a later association.
                pair.client.link_lost();
                pair.link.session.link_lost();
                assert!(pair.associate().starts_with("Associated"));
                assert_eq!(
                    pair.link.exchange(&request).unwrap()[0],
                    0xD8,
                    "{suite:?} {key:?} {signed} {restarting}"
                );
            }
        }
    }
}

/// A broadcast as this client sends it.
fn broadcast(
    pair: &mut Pair,
    carrier: Carrier,
    write: impl FnOnce(&mut Environment<'_, Provider>, &Broadcast, &mut [u8]) -> core::ops::Range<usize>,
) -> Vec<u8> {
    let mut env = Environment {
        provider: &pair.provider,
        counters: &mut pair.counters,
        security: Some(&mut pair.security),
        key_ring: Some(&mut pair.key_ring),
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    };
    let mut out = vec![0; 256];
    let form =
        Broadcast { carrier, protection: Protection::AUTHENTICATED_ENCRYPTED, recipient: SERVER_TITLE };
    let range = write(&mut env, &form, &mut out);
    out[range].to_vec()
}

#[test]
fn broadcasts_are_carried_out_and_not_answered() {
    let suite = SecuritySuite::Suite1;
    let text = AttributeDescriptor::new(1, LONG_TEXT, 2);
    let value = Data::OctetString(b"to all");
    for carrier in [Carrier::ServiceSpecific, Carrier::WithTitle, Carrier::GeneralCiphering] {
        for is_taken in [false, true] {
            let mut server = server(Mechanism::Gmac, suite);
            server.accepted.set(Accepted::BROADCAST, is_taken);
            let mut pair = Pair::new(suite, server, client(Mechanism::Gmac));
            assert!(pair.associate().starts_with("Associated"));
            pair.events();
            let apdu = broadcast(&mut pair, carrier, |env, form, out| {
                broadcast::set(env, form, SetItem::new(text, &value), out).unwrap()
            });
            let answer = pair.link.exchange(&apdu);
            let is_written =
                pair.events().iter().any(|event| matches!(event, server::Event::AttributeWritten { .. }));
            assert_eq!((answer.is_none(), is_written), (is_taken, is_taken), "{carrier:?}");
            // The same again is a replay.
            pair.link.exchange(&apdu);
            assert!(
                !pair.events().iter().any(|event| matches!(event, server::Event::AttributeWritten { .. }))
            );
        }
    }
}

#[test]
fn broadcasts_reach_no_association_unless_told_so() {
    let suite = SecuritySuite::Suite0;
    let change_secret = MethodDescriptor::new(15, common::ASSOCIATION, 2);
    let secret = Data::OctetString(b"a new secret");
    for reaches_all in [false, true] {
        let mut server = server(Mechanism::Gmac, suite);
        server.accepted |= Accepted::BROADCAST;
        server.accepted.set(Accepted::BROADCAST_REACHES_ALL, reaches_all);
        let mut pair = Pair::new(suite, server, client(Mechanism::Gmac));
        assert!(pair.associate().starts_with("Associated"));
        pair.events();
        let apdu = broadcast(&mut pair, Carrier::ServiceSpecific, |env, form, out| {
            broadcast::action(env, form, ActionItem::new(change_secret, &secret), out).unwrap()
        });
        assert_eq!(pair.link.exchange(&apdu), None);
        let is_done = pair.events().iter().any(|event| matches!(event, server::Event::MethodInvoked { .. }));
        assert_eq!(is_done, reaches_all);
    }
}

/// ACCESS under the broadcast key: each item is held to what the key may reach, and keys are out of its reach in any case.
#[test]
fn a_broadcast_access_is_judged_item_by_item() {
    let suite = SecuritySuite::Suite1;
    let (text, bytes) = (AttributeDescriptor::new(1, LONG_TEXT, 2), Data::OctetString(b"to all"));
    let secret = Data::OctetString(b"a new secret");
    let change_secret = MethodDescriptor::new(15, common::ASSOCIATION, 2);
    let setup = dlms_obis::LogicalName::new(0, 0, 43, 0, 0, 255);
    let policy = Data::Enum(4);
    let raise = MethodDescriptor::new(64, setup, 1);
    let items = [
        AccessItem::Action(ActionItem::new(change_secret, &secret)),
        AccessItem::Action(ActionItem::new(raise, &policy)),
        AccessItem::Set(SetItem::new(text, &bytes)),
    ];
    for carrier in [Carrier::ServiceSpecific, Carrier::WithTitle, Carrier::GeneralCiphering] {
        for (taken, reaches_all) in [(false, false), (true, false), (true, true)] {
            let mut server = server(Mechanism::Gmac, suite);
            server.accepted.set(Accepted::BROADCAST, taken);
            server.accepted.set(Accepted::BROADCAST_REACHES_ALL, reaches_all);
            let mut pair = Pair::new(suite, server, client(Mechanism::Gmac));
            let object = cosem_objects::classes::SecuritySetup::new(setup, 1, 1);
            pair.link.meter.device.objects.insert(0, Box::new(object));
            assert!(pair.associate().starts_with("Associated"));
            pair.events();
            let apdu = broadcast(&mut pair, carrier, |env, form, out| {
                broadcast::access(env, form, &items, out).unwrap()
            });
            let what = format!("{carrier:?} {taken} {reaches_all}");
            assert_eq!(pair.link.exchange(&apdu).is_none(), taken, "{what}");
            let events = pair.events();
            let written =
                server::Event::AttributeWritten { class_id: 1, instance_id: LONG_TEXT, attribute_id: 2 };
            assert_eq!(events.contains(&written), taken, "{what}: {events:?}");
            let done =
                server::Event::MethodInvoked { class_id: 15, instance_id: common::ASSOCIATION, method_id: 2 };
            assert_eq!(events.contains(&done), reaches_all, "{what}: {events:?}");
            let denied = |class_id, instance_id, id| {
                events.contains(&server::Event::AccessDenied { class_id, instance_id, id })
            };
            let is_restricted = taken && !reaches_all;
            assert_eq!(denied(15, common::ASSOCIATION, 2), is_restricted, "{what}: {events:?}");
            assert_eq!(denied(64, setup, 1), is_restricted, "{what}: {events:?}");
            assert!(
                !events
                    .iter()
                    .any(|event| matches!(event, server::Event::MethodInvoked { class_id: 64, .. })),
                "{what}: {events:?}"
            );
        }
    }
}

#[test]
fn a_long_get_goes_on_behind_a_broadcast() {
    let suite = SecuritySuite::Suite1;
    let mut server = server(Mechanism::Gmac, suite);
    server.accepted |= Accepted::BROADCAST;
    let mut pair =
        Pair::new(suite, server, ClientConfig { max_receive_pdu_size: 200, ..client(Mechanism::Gmac) });
    assert!(pair.associate().starts_with("Associated"));
    let text = AttributeDescriptor::new(1, LONG_TEXT, 2);
    let apdu = broadcast(&mut pair, Carrier::ServiceSpecific, |env, form, out| {
        broadcast::set(env, form, SetItem::new(text, &Data::OctetString(b"to all")), out).unwrap()
    });
    let reset = MethodDescriptor::new(3, ENERGY, 1);
    let action = broadcast(&mut pair, Carrier::ServiceSpecific, |env, form, out| {
        broadcast::action(env, form, ActionItem::new(reset, &0i8), out).unwrap()
    });
    let mut env = Environment {
        provider: &pair.provider,
        counters: &mut pair.counters,
        security: Some(&mut pair.security),
        key_ring: None,
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    };
    let mut out = vec![0; 1024];
    let profile = AttributeDescriptor::new(7, PROFILE, 2);
    let request = pair.client.get(&mut env, profile.into(), &mut out).unwrap();
    let mut response = pair.link.exchange(&out[request]).unwrap();
    assert_eq!(pair.link.exchange(&apdu), None);
    assert_eq!(pair.link.exchange(&action), None);
    let reaction = pair.client.handle_apdu(&mut env, &mut response, &mut out).unwrap();
    let range = reaction.transmit.unwrap();
    let mut response = pair.link.exchange(&out[range]).unwrap();
    let reaction = pair.client.handle_apdu(&mut env, &mut response, &mut out).unwrap();
    assert!(matches!(reaction.event, Some(Event::GetPiece { .. })), "{:?}", reaction.event);
}

#[test]
fn notifications_in_every_form() {
    for suite in SecuritySuite::ALL {
        for (key, signed) in forms(suite).into_iter().chain([(None, false)]) {
            let mut policy = Protection::AUTHENTICATED_ENCRYPTED;
            policy.set(Protection::SIGNED, signed);
            let notifications = match key {
                Some(key) => Envelope { carrier: Carrier::GeneralCiphering, key },
                None => Envelope::GLOBAL,
            };
            let server = AssociationConfig {
                policy,
                notifications,
                client_title: Some(CLIENT_TITLE),
                ..server(Mechanism::Gmac, suite)
            };
            let mut pair = Pair::new(suite, server, client(Mechanism::Gmac));
            let mut out = vec![0; 1024];
            let sent = server::data_notification(
                &mut pair.link.meter.host(),
                AssociationId(0),
                LongInvokeIdAndPriority(1),
                None,
                |encoder| encoder.octets(&[0x11, 0x05]),
                &mut out,
            )
            .unwrap();
            let mut apdu = out[sent].to_vec();
            assert_eq!(notification::claimed_sender(&apdu), Some(SERVER_TITLE));
            let mut keys = Keys {
                provider: &pair.provider,
                context: &mut pair.security,
                dedicated: None,
                key_ring: Some(&mut pair.key_ring),
                asymmetric: Some(Asymmetric {
                    provider: &*common::PROVIDER,
                    own: &pair.key_pairs[0],
                    peers: &pair.peers,
                }),
            };
            let demand = Demand { accepted: ALL, ..Demand::new(SERVER_TITLE, policy) };
            let replayed = apdu.clone();
            let opened = notification::open_with(&mut keys, &mut Forgetful, &demand, &mut apdu).unwrap();
            assert_eq!((opened.sender, opened.protection), (Some(SERVER_TITLE), policy));
            assert!(
                notification::open_with(&mut keys, &mut Forgetful, &demand, &mut replayed.clone()).is_err()
            );
        }
    }
}

#[test]
fn a_signature_alone_is_not_taken_twice() {
    let suite = SecuritySuite::Suite1;
    let policy = Protection::SIGNED;
    let server = AssociationConfig { policy, ..server(Mechanism::Gmac, suite) };
    let client = ClientConfig { policy, ..client(Mechanism::Gmac) };
    let mut pair = Pair::new(suite, server, client);
    assert!(pair.associate().starts_with("Associated"), "{:?}", pair.events());
    assert_eq!(pair.get(ENERGY, 3).unwrap(), "0600001391");
    assert_eq!((pair.sent.last().unwrap()[0], pair.received.last().unwrap()[0]), (0xDF, 0xDF));
    let request = pair.sent.last().unwrap().clone();
    assert_eq!(pair.link.exchange(&request).unwrap()[0], 0xD8);
    let replayed = dlms::ProtectionError::ReplayedTransaction;
    assert!(pair.events().contains(&server::Event::SecurityViolation { error: replayed }));
    // Nor is an old response.
    let mut old_response = pair.received.last().unwrap().clone();
    pair.get(ENERGY, 3).unwrap();
    let mut env = Environment {
        provider: &pair.provider,
        counters: &mut pair.counters,
        security: Some(&mut pair.security),
        key_ring: Some(&mut pair.key_ring),
        public_keys: Some(PublicKeys {
            provider: &*common::PROVIDER,
            own: &mut pair.key_pairs,
            peers: &pair.peers,
        }),
        manufacturer: None,
        now: Duration::ZERO,
    };
    let mut out = vec![0; 1024];
    let energy = AttributeDescriptor::new(3, ENERGY, 2);
    pair.client.get(&mut env, energy.into(), &mut out).unwrap();
    let answer = pair.client.handle_apdu(&mut env, &mut old_response, &mut out);
    assert_eq!(answer, Err(dlms::ProtectionError::WrongTransaction.into()));
}
