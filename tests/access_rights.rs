//! What access rights demand of a request and of its response, bit by bit, in every form of every service.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::public_keys::{key_pairs, peers_on};
use common::side::ALL;
use common::{
    CLIENT_TITLE, ENERGY, LONG_TEXT, Link, PROVIDER, Provider, SERVER_TITLE, config, key_ring, keys, to_hex,
    unhex,
};
use cosem_objects::AccessRights;
use dlms::server::{AssociationConfig, Event};
use dlms::{Asymmetric, Demand, Envelope, Form, HEADROOM, KeyPairs, Keys, SecurityContext, TransactionId};
use dlms_security::{
    AuthenticationMechanism, CounterId, Curve, Forgetful, KnownPeer, Protection, RequiredProtection,
    SecuritySuite,
};
use peer::Peer;

const SUITE: SecuritySuite = SecuritySuite::Suite1;
const A: Protection = Protection::AUTHENTICATED;
const E: Protection = Protection::ENCRYPTED;
const AE: Protection = Protection::AUTHENTICATED_ENCRYPTED;
const S: Protection = Protection::SIGNED;

/// A client that protects each request as it likes.
struct Client {
    context: SecurityContext<Provider>,
    pairs: KeyPairs,
    peers: [KnownPeer; 2],
    transaction: u8,
    link: Link,
}

impl Client {
    /// In an association whose policy demands nothing.
    fn new() -> Self {
        Self::under(Protection::empty())
    }

    fn under(policy: Protection) -> Self {
        let mut server =
            AssociationConfig { accepted: ALL, ..config(AuthenticationMechanism::None, Some(SUITE)) };
        server.policy = policy;
        let mut link = Link::new(server);
        Peer::new(SUITE).associate(&mut link);
        let (key, authentication_key) = keys(SUITE);
        let id = CounterId(0);
        Self {
            context: SecurityContext::new(&*PROVIDER, SUITE, CLIENT_TITLE, &key, authentication_key, id, 100)
                .unwrap(),
            pairs: key_pairs(SUITE, CLIENT_TITLE),
            peers: peers_on(Curve::P256),
            transaction: 0,
            link,
        }
    }

    /// The plain answer and how it was protected.
    fn ask(&mut self, protection: Protection, plain: &str) -> (String, Protection) {
        self.ask_for(protection, Protection::empty(), plain)
    }

    /// The same, where an answer that is less protected is not taken.
    fn ask_for(&mut self, protection: Protection, required: Protection, plain: &str) -> (String, Protection) {
        let plain = unhex(plain);
        self.transaction += 1;
        let transaction = TransactionId::new(&[self.transaction; 8]).unwrap();
        // An answer that is signed alone, to a request that was not, has nothing by which a replay is known.
        let mut ring = key_ring(&PROVIDER, SUITE);
        let mut keys = Keys {
            provider: &*PROVIDER,
            context: &mut self.context,
            dedicated: None,
            key_ring: Some(&mut ring),
            asymmetric: Some(Asymmetric { provider: &*PROVIDER, own: &self.pairs, peers: &self.peers }),
        };
        let mut buffer = vec![0; 1024];
        let mut place = HEADROOM..HEADROOM + plain.len();
        buffer[place.clone()].copy_from_slice(&plain);
        if !protection.is_empty() {
            let form = Form::new(Envelope::GLOBAL, protection, SERVER_TITLE, transaction);
            place = keys.seal(&mut Forgetful, &form, &mut buffer, place).unwrap();
        }
        let mut answer = self.link.exchange(&buffer[place]).unwrap();
        let demand =
            Demand { accepted: ALL, transaction: Some(transaction), ..Demand::new(SERVER_TITLE, required) };
        let opened = keys.open(&mut Forgetful, &demand, &mut answer).unwrap();
        (to_hex(&answer[opened.apdu]), opened.protection)
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.link.session.poll_event()).collect()
    }
}

const VALUE: &str = "00030100010800FF02";
const UNIT: &str = "00030100010800FF03";
const TEXT: &str = "00010000800000FF02";
const NOWHERE: &str = "00010000800001FF02";
const RESET: &str = "00030100010800FF01";

/// Items that rights are about: attributes 2 of a Register and of a Data object, method 1 of the Register.
const ITEMS: [Event; 3] = [
    Event::AccessDenied { class_id: 3, instance_id: ENERGY, id: 2 },
    Event::AccessDenied { class_id: 1, instance_id: LONG_TEXT, id: 2 },
    Event::AccessDenied { class_id: 3, instance_id: ENERGY, id: 1 },
];

/// Requests, what the last one is answered if it is granted, and if it is not; which items are refused then.
type Row = (&'static str, Vec<String>, String, String, Vec<Event>);

fn forms() -> Vec<Row> {
    let row = |name: &'static str, requests: &[String], granted: &str, denied: &str| {
        let items = match name.split(['-', ' ']).next().unwrap() {
            "get" => &ITEMS[..1],
            "set" => &ITEMS[1..2],
            "action" => &ITEMS[2..],
            _ => &ITEMS[..],
        };
        (name, requests.to_vec(), granted.replace(' ', ""), denied.replace(' ', ""), items.to_vec())
    };
    vec![
        row("get", &[format!("C001C1{VALUE}00")], "C401C1000600001391", "C401C10103"),
        row(
            "get-with-list",
            &[format!("C003C102{VALUE}00{UNIT}00")],
            "C403C102 0006 00001391 00 02020F00161E",
            "C403C102 0103 00 02020F00161E",
        ),
        row("set", &[format!("C101C1{TEXT}00 0901AA")], "C501C100", "C501C103"),
        row(
            "set-with-list",
            &[format!("C104C102{TEXT}00{NOWHERE}00 02 0901AA 0901AA")],
            "C505C1020004",
            "C505C1020304",
        ),
        row(
            "set in blocks",
            &[format!("C102C1{TEXT}00 00 00000001 02 0901"), "C103C1 01 00000002 01 AA".into()],
            "C503C10000000002",
            "C503C10300000002",
        ),
        row(
            "set-with-list in blocks",
            &[format!("C105C101{TEXT}00 00 00000001 02 0109"), "C103C1 01 00000002 02 01AA".into()],
            "C504C1 01 00 00000002",
            "C504C1 01 03 00000002",
        ),
        row(
            "access",
            &[format!("D94000000100 04 01{VALUE} 02{TEXT} 03{RESET} 01{UNIT} 04 00 0901AA 0F00 00")],
            "DA400000010000 04 0600001391 00 00 02020F00161E 04 0100 0200 0300 0100",
            "DA400000010000 04 00 00 00 02020F00161E 04 0103 0203 0303 0100",
        ),
        row("action", &[format!("C301C1{RESET}010F00")], "C701C10000", "C701C10300"),
        row(
            "action-with-list",
            &[format!("C303C102{RESET}{NOWHERE} 02 0F00 0F00")],
            "C703C102 0000 0400",
            "C703C102 0300 0400",
        ),
        row(
            "action in blocks",
            &[format!("C304C1{RESET} 00 00000001 01 0F"), "C306C1 01 00000002 01 00".into()],
            "C701C10000",
            "C701C10300",
        ),
    ]
}

/// Every form in one association, with what the rights demand and how the requests are protected.
fn check(policy: Protection, rights: AccessRights, protection: Protection) {
    let demanded = RequiredProtection::from_access_bits(rights.bits());
    let mut client = Client::under(policy);
    client.link.meter.device.attribute_rights = vec![
        (ENERGY, 2, AccessRights::READ | rights),
        (LONG_TEXT, 2, AccessRights::READ | AccessRights::WRITE | rights),
    ];
    client.link.meter.device.method_rights = vec![(ENERGY, 1, AccessRights::INVOKE | rights)];
    client.events();
    for (name, requests, granted, mut denied, mut items) in forms() {
        // What is only encrypted reads, and does nothing else.
        let reads = name.starts_with("get") || protection != E;
        let is_granted = protection.contains(demanded.request()) && reads;
        if name == "access" && protection == E && protection.contains(demanded.request()) {
            denied = "DA400000010000040600001391000002020F00161E0401000203030301 00".replace(' ', "");
            items = ITEMS[1..].to_vec();
        }
        // At least as the request was, and as the right demands.
        let least = if is_granted { protection | demanded.response() } else { protection };
        let mut answer = (String::new(), Protection::empty());
        for (index, request) in requests.iter().enumerate() {
            let is_last = index + 1 == requests.len();
            answer = client.ask_for(protection, if is_last { least } else { protection }, request);
        }
        let what = format!("{name}: {rights:?} with {protection:?}");
        assert_eq!(answer.0, if is_granted { granted } else { denied }, "{what}");
        assert!(answer.1.contains(least), "{what}: {:?}", answer.1);
        let told: Vec<_> =
            client.events().into_iter().filter(|event| matches!(event, Event::AccessDenied { .. })).collect();
        assert_eq!(told, if is_granted { vec![] } else { items }, "{what}");
    }
}

const NONE: Protection = Protection::empty();
const REQUESTS: [Protection; 6] = [Protection::empty(), A, AE, S, A.union(S), AE.union(S)];

fn subsets(bits: [AccessRights; 3]) -> impl Iterator<Item = AccessRights> {
    (0..8).map(move |set| {
        (0..3)
            .filter(|bit| set & (1 << bit) != 0)
            .fold(AccessRights::empty(), |rights, bit| rights | bits[bit])
    })
}

#[test]
fn what_rights_demand_of_requests() {
    let bits =
        [AccessRights::AUTHENTICATED_REQUEST, AccessRights::ENCRYPTED_REQUEST, AccessRights::SIGNED_REQUEST];
    for rights in subsets(bits) {
        for protection in REQUESTS {
            check(NONE, rights, protection);
        }
    }
}

/// Where the policy is encryption alone, requests without a tag are taken, but only to read; rights may still demand one,
/// or a signature.
#[test]
fn what_rights_demand_of_requests_that_are_only_encrypted() {
    let bits =
        [AccessRights::AUTHENTICATED_REQUEST, AccessRights::ENCRYPTED_REQUEST, AccessRights::SIGNED_REQUEST];
    for rights in subsets(bits) {
        for protection in [E, E.union(S), AE, AE.union(S)] {
            check(E, rights, protection);
        }
    }
    let bits = [
        AccessRights::AUTHENTICATED_RESPONSE,
        AccessRights::ENCRYPTED_RESPONSE,
        AccessRights::SIGNED_RESPONSE,
    ];
    for rights in subsets(bits) {
        check(E, rights, E);
    }
    // Nowhere else, and what is only authenticated is not encrypted.
    for (policy, protection) in [(NONE, E), (A, E), (AE, E), (E, A), (E, NONE)] {
        let mut client = Client::under(policy);
        for (name, requests, ..) in forms() {
            let refused = client.ask(protection, requests.last().unwrap()).0;
            assert!(refused.starts_with("D801"), "{name}, {policy:?} with {protection:?}: {refused}");
        }
    }
}

#[test]
fn what_rights_demand_of_responses() {
    let bits = [
        AccessRights::AUTHENTICATED_RESPONSE,
        AccessRights::ENCRYPTED_RESPONSE,
        AccessRights::SIGNED_RESPONSE,
    ];
    for rights in subsets(bits) {
        for protection in [NONE, AE] {
            check(NONE, rights, protection);
        }
    }
    check(NONE, AccessRights::AUTHENTICATED_REQUEST | AccessRights::SIGNED_RESPONSE, A);
    check(NONE, AccessRights::AUTHENTICATED_REQUEST | AccessRights::SIGNED_RESPONSE, NONE);
}

/// What there is no place for is counted.
#[test]
fn each_refused_item_is_told() {
    let get = |items: &[&str]| {
        let list: String = items.iter().map(|item| format!("{item}00")).collect();
        format!("C003C1{:02X}{list}", items.len())
    };
    let rights = AccessRights::READ | AccessRights::SIGNED_REQUEST;
    let mut client = Client::new();
    client.link.meter.device.attribute_rights = vec![(ENERGY, 2, rights), (LONG_TEXT, 2, rights)];
    client.events();
    client.ask(NONE, &get(&[VALUE, UNIT, TEXT, NOWHERE, VALUE]));
    assert_eq!(client.events(), [ITEMS[0], ITEMS[1], ITEMS[0]]);
    client.ask(NONE, &get(&[VALUE; 12]));
    let mut told = client.events();
    assert_eq!(told.pop(), Some(Event::Lost { count: 4 }));
    assert_eq!(told, [ITEMS[0]; 8]);
    // What is skipped is not refused.
    client.ask(NONE, &format!("D960000001 00 02 01{VALUE} 01{TEXT} 02 00 00"));
    let told = client.events();
    assert!(!told.contains(&ITEMS[1]), "{told:?}");

    // In blocks, however they are cut, each once.
    for size in 30..90 {
        let mut client = Client::new();
        client.link.meter.device.attribute_rights = vec![(ENERGY, 2, rights), (LONG_TEXT, 2, rights)];
        client.link.out.truncate(size + HEADROOM + 12);
        client.events();
        let mut answer = client.ask(NONE, &get(&[VALUE, UNIT, UNIT, TEXT, UNIT, VALUE, UNIT])).0;
        let mut told = client.events();
        for block in 1.. {
            if !answer.starts_with("C402C100") {
                break;
            }
            answer = client.ask(NONE, &format!("C002C1{block:08X}")).0;
            told.extend(client.events());
        }
        assert_eq!(told, [ITEMS[0], ITEMS[1], ITEMS[0]], "{size}");
    }
}

/// A long value leaves block by block, and each is asked for with its own protection.
#[test]
fn each_block_of_a_long_value_is_asked_for_anew() {
    let mut client = Client::new();
    client.link.out.truncate(500);
    let get = "C001C1 00070100630100FF02 00";
    let rights = AccessRights::READ | AccessRights::ENCRYPTED_REQUEST | AccessRights::ENCRYPTED_RESPONSE;
    client.link.meter.device.attribute_rights = vec![(common::PROFILE, 2, rights)];
    assert_eq!(client.ask(A, get).0, "C401C10103");
    let (first, protection) = client.ask(AE, get);
    assert!(first.starts_with("C402C10000000001") && protection.contains(AE), "{first}");
    let (second, protection) = client.ask(AE, "C002C100000001");
    assert!(second.starts_with("C402C10000000002") && protection.contains(AE), "{second}");
    let (refused, _) = client.ask(A, "C002C100000002");
    assert!(refused.ends_with("0103"), "{refused}");
}

/// Of a list that leaves in blocks, all from the value of an attribute on are as protected as it demands.
#[test]
fn the_blocks_of_a_list_are_as_protected_as_what_was_in_them() {
    const BUFFER: &str = "00070100630100FF02";
    for (list, is_first) in [(format!("{VALUE}00{BUFFER}00"), true), (format!("{BUFFER}00{VALUE}00"), false)]
    {
        let mut client = Client::new();
        client.link.out.truncate(500);
        client.link.meter.device.attribute_rights =
            vec![(ENERGY, 2, AccessRights::READ | AccessRights::AUTHENTICATED_RESPONSE)];
        let mut protections = Vec::new();
        let mut request = format!("C003C102{list}");
        loop {
            let (block, protection) = client.ask(Protection::empty(), &request);
            protections.push(protection);
            if block.starts_with("C402C101") {
                break;
            }
            assert!(block.starts_with("C402C100"), "{block}");
            request = format!("C002C1{:08X}", protections.len());
        }
        assert!(protections.len() > 2, "{protections:?}");
        let (first, last) = (protections[0], protections[protections.len() - 1]);
        assert!(last.contains(A) && first.contains(A) == is_first, "{protections:?}");
    }
}

/// The policy of the setup that an association refers to holds for it, ciphered or not.
#[test]
fn an_association_without_ciphering_is_held_to_the_policy_of_its_setup() {
    const AARQ: &str = "601DA109060760857405080101BE10040E01000000065F1F040062FEDFFFFF";
    let get = format!("C001C1{VALUE}00");
    for (policy, in_config) in [
        (RequiredProtection::AUTHENTICATED_REQUEST, false),
        (RequiredProtection::ENCRYPTED_RESPONSE, false),
        (RequiredProtection::SIGNED_RESPONSE, false),
        (RequiredProtection::empty(), true),
    ] {
        let mut server =
            AssociationConfig { security: Some(1), ..config(AuthenticationMechanism::None, None) };
        if in_config {
            server.policy = A;
        }
        let mut link = Link::new(server);
        link.hex(AARQ);
        if !in_config {
            assert_eq!(link.hex(&get), "C401C1000600001391");
        }
        // It holds from the moment on when it is raised.
        link.meter.security[1].set_policy(policy);
        while link.session.poll_event().is_some() {}
        for request in [&get, &format!("C301C1{RESET}010F00"), &format!("D94000000100 01 03{RESET} 01 0F00")]
        {
            assert_eq!(link.hex(request), "D80105", "{policy:?}");
            let error = dlms::ProtectionError::Required;
            assert_eq!(link.session.poll_event(), Some(Event::SecurityViolation { error }));
        }
        // Another setup's policy is nobody else's.
        link.meter.security[1].set_policy(RequiredProtection::empty());
        link.meter.security[0].set_policy(RequiredProtection::all());
        if !in_config {
            assert_eq!(link.hex(&get), "C401C1000600001391", "never reset");
        }
        assert!(link.hex("6203800100").starts_with("63"), "it can be released");
    }
}

/// Nothing is executed whose answer could not be signed as the policy demands.
#[test]
fn a_policy_that_cannot_be_met_executes_nothing() {
    let mut client = Client::new();
    client.link.meter.security[1].set_policy(RequiredProtection::SIGNED_RESPONSE);
    client.link.meter.key_pairs[1] = KeyPairs::new();
    client.events();
    let (answer, _) = client.ask(AE, &format!("C301C1{RESET}010F00"));
    assert_eq!(answer, "D80105");
    assert!(!client.events().iter().any(|event| matches!(event, Event::MethodInvoked { .. })));
}
