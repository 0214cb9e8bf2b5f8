//! The server engine against whoever means it harm: without keys, with keys of another kind, and with the right ones.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use core::time::Duration;

use common::{
    CLIENT_TITLE, ENERGY, HIDDEN, LONG_TEXT, Link, Meter, Provider, SERVER_TITLE, config, to_hex, unhex,
};
use cosem_objects::{AccessRights, AssociationId, Context};
use dlms::server::{AssociationConfig, Event, HdlcServer, RefusalReason, Session, WrapperServer};
use dlms_axdr::Encoder;
use dlms_hdlc::{SecondaryConfig, ServerAddress};
use dlms_security::{
    AuthenticationMechanism, Backend, Protection, RustCrypto, SecurityControl, SecuritySuite, SystemTitle,
};
use dlms_wrapper::WPort;
use peer::{CTOS, Form, Peer, stoc};
use proptest::prelude::*;

const AARQ_PUBLIC: &str = "601DA109060760857405080101BE10040E01000000065F1F040060FE9FFFFF";
const GET: &str = "C001C100030100010800FF0200";
const SET: &str = "C101C100010000800000FF020009020102";
const RESET: &str = "C301C100030100010800FF01010F00";
/// State error 1: what the service error says is not possible here.
const NOT_ALLOWED: &str = "D80101";
const UNDECIPHERABLE: &str = "D80105";
const NONE: AuthenticationMechanism = AuthenticationMechanism::None;
const GMAC: AuthenticationMechanism = AuthenticationMechanism::Gmac;
const FULL: Protection = Protection::AUTHENTICATED_ENCRYPTED;

fn ciphered(mechanism: AuthenticationMechanism, suite: SecuritySuite) -> AssociationConfig {
    config(mechanism, Some(suite))
}

fn open(suite: SecuritySuite) -> (Link, Peer) {
    let (mut link, mut peer) = (Link::new(ciphered(NONE, suite)), Peer::new(suite));
    peer.associate(&mut link);
    (link, peer)
}

fn public() -> Link {
    let mut link = Link::new(config(NONE, None));
    assert!(link.hex(AARQ_PUBLIC).starts_with("6129"));
    while link.session.poll_event().is_some() {}
    link
}

/// The lowest counter that the meter accepts from the client.
fn floor(link: &Link) -> u32 {
    let context = link.meter.associations[0].security.unwrap();
    link.meter.security[context].lowest_acceptable(CLIENT_TITLE).value()
}

/// Every attribute of every object.
fn objects(link: &Link) -> Vec<u8> {
    let device = &link.meter.device;
    let context = Context { association: Some(AssociationId(0)), device };
    let mut all = Vec::new();
    for object in &device.objects {
        for attribute in 1..=object.class().attributes {
            let mut buffer = vec![0; 8192];
            let mut encoder = Encoder::new(&mut buffer);
            let _ = object.get(attribute, None, &context, &mut encoder);
            all.extend(encoder.written());
        }
    }
    all
}

fn is_change(event: &Event) -> bool {
    matches!(event, Event::AttributeWritten { .. } | Event::MethodInvoked { .. } | Event::Effect(_))
}

/// Sends what must be refused, and checks that nothing came of it but a violation on record.
fn refused(link: &mut Link, apdu: &[u8], what: &str) -> String {
    let before = (link.session.association(), floor(link));
    let answer = link.exchange(apdu).map_or_else(String::new, |answer| to_hex(&answer));
    assert!(answer.is_empty() || answer.starts_with("D8"), "{what}: {answer}");
    assert_eq!((link.session.association(), floor(link)), before, "{what}: {}", to_hex(apdu));
    while let Some(event) = link.session.poll_event() {
        assert!(!is_change(&event) && !matches!(event, Event::WindowMoved { .. }), "{what}: {event:?}");
    }
    answer
}

#[test]
fn every_bit_of_a_protected_request_counts() {
    for suite in SecuritySuite::ALL {
        for policy in [Protection::AUTHENTICATED, FULL] {
            let mut link = Link::new(AssociationConfig { policy, ..ciphered(NONE, suite) });
            let mut peer = Peer::new(suite);
            peer.protection = policy;
            peer.associate(&mut link);
            for form in Form::ALL {
                for plain in [SET, RESET] {
                    let before = objects(&link);
                    let request = peer.seal(form, &unhex(plain));
                    for bit in 0..request.len() * 8 {
                        let mut flipped = request.clone();
                        flipped[bit / 8] ^= 1 << (bit % 8);
                        refused(&mut link, &flipped, &format!("{form:?}, {suite:?}, bit {bit}"));
                    }
                    for length in 0..request.len() {
                        refused(&mut link, &request[..length], "cut");
                    }
                    refused(&mut link, &[&request[..], &[0]].concat(), "with an octet behind it");
                    assert_eq!(objects(&link), before, "{form:?}");
                    // The one that was meant still passes: nothing has used up its counter.
                    let answer = link.exchange(&request).unwrap();
                    assert!(!to_hex(&answer).starts_with("D8"), "{form:?}: {}", to_hex(&answer));
                    assert_ne!(floor(&link), 0);
                    while link.session.poll_event().is_some() {}
                    assert!(refused(&mut link, &request, "once more").starts_with("D80106"));
                }
            }
        }
    }
}

#[test]
fn every_bit_of_opening_and_release_counts() {
    for suite in SecuritySuite::ALL {
        for is_dedicated in [false, true] {
            let (mut link, mut peer) = (Link::new(ciphered(NONE, suite)), Peer::new(suite));
            let aarq = peer.aarq(NONE, is_dedicated, 0);
            for bit in 0..aarq.len() * 8 {
                let mut flipped = aarq.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                link.exchange(&flipped);
                assert!(link.session.is_idle(), "{suite:?}, octet {} bit {}", bit / 8, bit % 8);
                assert_eq!(floor(&link), 0, "{suite:?}, octet {} bit {}", bit / 8, bit % 8);
            }
            link.exchange(&aarq).unwrap();
            assert!(link.session.association().is_some());
            while link.session.poll_event().is_some() {}
            let rlrq = peer.rlrq();
            let before = floor(&link);
            // With bit 1 of its tag it is an AARQ: whoever opens an association anew gives up the one before.
            for bit in (0..rlrq.len() * 8).filter(|bit| *bit != 1) {
                let mut flipped = rlrq.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                link.exchange(&flipped);
                assert!(link.session.association().is_some(), "octet {} bit {}", bit / 8, bit % 8);
                assert_eq!(floor(&link), before, "octet {} bit {}", bit / 8, bit % 8);
            }
            link.exchange(&rlrq).unwrap();
            assert!(link.session.is_idle());
        }
    }
}

/// Nobody comes in under the title of the meter, whatever the mechanism.
#[test]
fn our_own_title_is_refused() {
    for mechanism in [NONE, GMAC, AuthenticationMechanism::Sha256, AuthenticationMechanism::Ecdsa] {
        let suite = SecuritySuite::Suite1;
        let (mut link, mut peer) = (Link::new(ciphered(mechanism, suite)), Peer::new(suite));
        peer.title = SERVER_TITLE;
        let aarq = peer.aarq(mechanism, false, 0);
        assert!(to_hex(&link.exchange(&aarq).unwrap()).contains("A203020101"), "{mechanism:?}");
        assert!(link.session.is_idle());
        let reason = RefusalReason::CallingApTitle;
        assert_eq!(link.session.poll_event(), Some(Event::Refused { reason }), "{mechanism:?}");
    }
}

#[test]
fn a_recorded_request_is_of_no_use_later() {
    for suite in SecuritySuite::ALL {
        let (mut link, mut peer) = (Link::new(ciphered(GMAC, suite)), Peer::new(suite));
        let aarq = peer.aarq(GMAC, true, 0);
        let aare = link.exchange(&aarq).unwrap();
        let counter = peer.next_counter(false);
        let plain_proof = peer.proof(&stoc(&aare), counter);
        let proof = peer.seal(Form::Glo, &plain_proof);
        link.exchange(&proof).unwrap();
        assert!(link.session.association().is_some());
        let recorded = Form::ALL.map(|form| peer.seal(form, &unhex(SET)));
        for request in &recorded {
            assert!(!link.exchange(request).unwrap().starts_with(&[0xD8]));
        }
        let rlrq = peer.rlrq();
        assert_eq!(link.exchange(&rlrq).unwrap()[0], 0x63);
        assert!(link.session.is_idle());
        while link.session.poll_event().is_some() {}

        // Without an association nothing is served, whatever it is.
        for request in &recorded {
            assert_eq!(refused(&mut link, request, "idle"), NOT_ALLOWED);
        }
        // The recorded AARQ opens nothing, and neither does one that is refused for another reason.
        let floor_before = floor(&link);
        let aarq_of_another = peer.aarq_around(AuthenticationMechanism::Sha256, &[]);
        for aarq in [&aarq, &aarq_of_another, &unhex(AARQ_PUBLIC)] {
            let aare = link.exchange(aarq).unwrap();
            let answer = to_hex(&aare);
            assert!(answer.contains("A203020101") || answer.starts_with("D80106"), "rejected: {answer}");
            assert!(link.session.is_idle());
            for request in &recorded {
                assert_eq!(to_hex(&link.exchange(request).unwrap()), NOT_ALLOWED);
            }
        }
        assert_eq!(floor(&link), floor_before);
        // A new association, with another dedicated key and another challenge.
        peer.renew_dedicated(0x78);
        let aarq = peer.aarq(GMAC, true, 0);
        let challenge = stoc(&link.exchange(&aarq).unwrap());
        while link.session.poll_event().is_some() {}
        assert!(refused(&mut link, &proof, "the proof of another handshake").starts_with("D80106"));
        assert!(refused(&mut link, &recorded[0], "a request instead of the proof").starts_with("D80106"));
        let counter = peer.next_counter(false);
        let proof = peer.proof(&challenge, counter);
        let proof = peer.seal(Form::Glo, &proof);
        assert!(to_hex(&link.exchange(&proof).unwrap()).starts_with("CF"));
        assert!(link.session.association().is_some());
        while link.session.poll_event().is_some() {}
        for (request, form) in recorded.iter().zip(Form::ALL) {
            let answer = refused(&mut link, request, "in the next association");
            // The dedicated key of another association is none; what is under the global one is too old.
            assert_eq!(answer.starts_with("D80106"), !form.is_dedicated(), "{form:?}: {answer}");
        }
        let rlrq_again = link.exchange(&rlrq).unwrap();
        assert_eq!(to_hex(&rlrq_again), "6303800101", "not finished");
        assert!(link.session.association().is_some());
    }
}

#[test]
fn less_protection_than_configured_is_refused() {
    let (mut link, mut peer) = open(SecuritySuite::Suite0);
    for plain in [GET, SET, RESET, "C002C100000001", "AA", "01"] {
        assert_eq!(refused(&mut link, &unhex(plain), "plain"), UNDECIPHERABLE);
    }
    for form in Form::ALL {
        for protection in [Protection::AUTHENTICATED, Protection::ENCRYPTED] {
            peer.protection = protection;
            let request = peer.seal(form, &unhex(SET));
            assert_eq!(refused(&mut link, &request, "weaker"), UNDECIPHERABLE, "{form:?} {protection:?}");
        }
        peer.protection = FULL;
        let counter = peer.next_counter(form.is_dedicated());
        // The key set of the broadcast key, under the unicast key.
        let control = peer.control().with_broadcast();
        let content = peer.content(form.is_dedicated(), control, counter, &unhex(SET));
        let request = peer.envelope(form, 0xC1, &content);
        assert_eq!(refused(&mut link, &request, "broadcast"), UNDECIPHERABLE, "{form:?}");
        // Another suite with keys of the same length.
        let control = SecurityControl::new(SecuritySuite::Suite1, FULL);
        let content = peer.content(form.is_dedicated(), control, counter, &unhex(SET));
        let request = peer.envelope(form, 0xC1, &content);
        assert_eq!(refused(&mut link, &request, "suite"), UNDECIPHERABLE, "{form:?}");
    }
    // Carriers that this server does not have.
    for tag in [0xDD, 0xDF, 0xE0, 0xDE, 0xC4, 0xCC, 0x28, 0x48, 0x0F] {
        let content = peer.seal(Form::Glo, &unhex(SET));
        refused(&mut link, &[&[tag], &content[1..]].concat(), "carrier");
    }
    // A service in the envelope of another one: it is authentic, and still not what was announced.
    for form in [Form::Glo, Form::Ded] {
        let counter = peer.next_counter(form.is_dedicated());
        let content = peer.content(form.is_dedicated(), peer.control(), counter, &unhex(SET));
        for service in [0xC0, 0xC3] {
            let request = peer.envelope(form, service, &content);
            assert_eq!(refused(&mut link, &request, "wrong inner tag"), UNDECIPHERABLE);
        }
        let request = peer.envelope(form, 0xC1, &content);
        assert!(!link.exchange(&request).unwrap().starts_with(&[0xD8]), "its counter is still good");
        while link.session.poll_event().is_some() {}
    }
    // What is no request is refused after it was opened.
    for plain in ["AA", "C801", "6203800100", AARQ_PUBLIC, "D80101", "C401C1000600001391", ""] {
        let request = match plain {
            "" => {
                let counter = peer.next_counter(false);
                let content = peer.content(false, peer.control(), counter, &[]);
                peer.envelope(Form::GeneralGlo, 0, &content)
            }
            plain => peer.seal(Form::GeneralGlo, &unhex(plain)),
        };
        let answer = link.exchange(&request).map_or_else(String::new, |answer| to_hex(&answer));
        assert!(answer.starts_with("D802") || answer.starts_with("D801"), "{plain}: {answer}");
        assert!(link.session.association().is_some());
    }
}

#[test]
fn only_what_the_policy_asks_for_opens_an_association() {
    for suite in SecuritySuite::ALL {
        let mut link = Link::new(ciphered(NONE, suite));
        let mut peer = Peer::new(suite);
        let initiate = peer.initiate(false, 0);
        let mut attempts = vec![peer.aarq_around(NONE, &initiate), peer.aarq_around(NONE, &[])];
        for protection in [Protection::AUTHENTICATED, Protection::ENCRYPTED] {
            let control = SecurityControl::new(suite, protection);
            let counter = peer.next_counter(false);
            let content = peer.content(false, control, counter, &initiate);
            attempts.push(peer.aarq_around(NONE, &peer.envelope(Form::Glo, 0x01, &content)));
        }
        // A response in place of the request, a request under the dedicated key that it brings along.
        let control = SecurityControl::new(suite, FULL);
        let response = unhex("0800065F1F0400001010FFFF0007");
        let content = peer.content(false, control, 70, &response);
        attempts.push(peer.aarq_around(NONE, &peer.envelope(Form::Glo, 0x01, &content)));
        let content = peer.content(true, control, 70, &initiate);
        attempts.push(peer.aarq_around(NONE, &peer.envelope(Form::Ded, 0x01, &content)));
        for aarq in attempts {
            let aare = to_hex(&link.exchange(&aarq).unwrap());
            assert!(aare.contains("A203020101"), "{aare}");
            assert!(link.session.is_idle());
            assert_eq!(floor(&link), 0, "{}", to_hex(&aarq));
        }
        peer.counter = 71;
        peer.associate(&mut link);
    }
}

/// Where the policy is authentication, so may the InitiateRequest be; but a key must not travel readable.
#[test]
fn a_dedicated_key_comes_encrypted() {
    let policy = Protection::AUTHENTICATED;
    let suite = SecuritySuite::Suite0;
    let mut link = Link::new(AssociationConfig { policy, ..ciphered(NONE, suite) });
    let mut peer = Peer::new(suite);
    let mut ask = |protection, has_key| {
        let initiate = peer.initiate(has_key, 0);
        let counter = peer.next_counter(false);
        let content = peer.content(false, SecurityControl::new(suite, protection), counter, &initiate);
        let aarq = peer.aarq_around(NONE, &peer.envelope(Form::Glo, 0x01, &content));
        to_hex(&link.exchange(&aarq).unwrap()).contains("A203020100")
    };
    assert!(ask(Protection::AUTHENTICATED, false));
    assert!(!ask(Protection::AUTHENTICATED, true));
    assert!(!ask(Protection::ENCRYPTED, false));
    assert!(ask(FULL, true));
}

/// Who can write what is only encrypted can write its counter too: that shuts out nobody who proves himself.
#[test]
fn a_forged_counter_shuts_nobody_out() {
    let suite = SecuritySuite::Suite0;
    let server = AssociationConfig { policy: Protection::ENCRYPTED, ..ciphered(NONE, suite) };
    let (mut link, mut peer) = (Link::new(server), Peer::new(suite));
    peer.associate(&mut link);
    let granted = |answer: Option<Vec<u8>>| {
        let answer = answer.unwrap();
        assert_ne!(answer[0], 0xD8, "{}", to_hex(&answer));
    };
    for form in Form::ALL {
        let is_dedicated = form.is_dedicated();
        let control = SecurityControl::new(suite, Protection::ENCRYPTED);
        let counter = peer.next_counter(is_dedicated);
        let (before, stored) = (floor(&link), link.meter.counters.1.clone());
        let request = peer.content(is_dedicated, control, 0xFFFF_FFFE, &unhex(GET));
        granted(link.exchange(&peer.envelope(form, 0xC0, &request)));
        assert_eq!((floor(&link), &link.meter.counters.1), (before, &stored), "{form:?}");
        while link.session.poll_event().is_some() {}
        // What else has no tag is below it, and that is all that came of it.
        let request = peer.content(is_dedicated, control, counter, &unhex(GET));
        let answer = refused(&mut link, &peer.envelope(form, 0xC0, &request), "below");
        assert_eq!(answer, "D80106FFFFFFFF", "{form:?}");
        granted(link.exchange(&peer.seal(form, &unhex(SET))));
        let next = peer.next_counter(is_dedicated);
        let request = peer.content(is_dedicated, control, next, &unhex(GET));
        granted(link.exchange(&peer.envelope(form, 0xC0, &request)));
        while link.session.poll_event().is_some() {}
        refused(&mut link, &peer.envelope(form, 0xC0, &request), "once more");
    }
}

#[test]
fn a_title_that_proved_nothing_leaves_no_trace() {
    let (mut link, mut peer) = open(SecuritySuite::Suite0);
    let known = link.meter.security[0].windows().count();
    for n in 0..40u8 {
        peer.title = SystemTitle::from_octets([b'X', b'Y', b'Z', 0, 0, 0, 0, n]);
        // Under its own title the content is authentic; the association knows another one.
        let request = peer.seal(Form::GeneralGlo, &unhex(SET));
        assert_eq!(refused(&mut link, &request, "a stranger's title"), UNDECIPHERABLE);
    }
    peer.title = SERVER_TITLE;
    let request = peer.seal(Form::GeneralGlo, &unhex(SET));
    assert_eq!(refused(&mut link, &request, "the meter's own title"), UNDECIPHERABLE);
    // Titles in AARQs whose InitiateRequest nobody protected.
    for n in 0..40u8 {
        peer.title = SystemTitle::from_octets([b'X', b'Y', b'Z', 0, 0, 0, 0, n]);
        let mut aarq = peer.aarq(NONE, false, 0);
        *aarq.last_mut().unwrap() ^= 1;
        assert!(to_hex(&link.exchange(&aarq).unwrap()).contains("A203020101"));
    }
    assert_eq!(link.meter.security[0].windows().count(), known);
    // Our own title in an AARQ, although it was made with the right keys.
    peer.title = SERVER_TITLE;
    let aarq = peer.aarq(NONE, false, 0);
    assert!(to_hex(&link.exchange(&aarq).unwrap()).contains("A203020101A305A103020103"));
    assert_eq!(link.meter.security[0].windows().count(), known);
}

#[test]
fn what_the_meter_said_is_not_taken_from_somebody_else() {
    let (mut link, mut peer) = open(SecuritySuite::Suite1);
    for form in Form::ALL {
        let request = peer.seal(form, &unhex(GET));
        let response = link.exchange(&request).unwrap();
        while link.session.poll_event().is_some() {}
        refused(&mut link, &response, "the response itself");
        for tag in [0xC8, 0xC9, 0xCB, 0xD0, 0xD1, 0xD3] {
            refused(&mut link, &[&[tag], &response[1..]].concat(), "the response as a request");
        }
    }
}

#[test]
fn our_own_challenge_is_refused() {
    fn constant(out: &mut [u8]) -> Result<(), dlms_security::SecurityError> {
        out.fill(0x55);
        Ok(())
    }
    for mechanism in [AuthenticationMechanism::Md5, AuthenticationMechanism::Sha1] {
        let mut link = Link::new(config(mechanism, None));
        link.meter.provider = Backend::RustCrypto(RustCrypto::new(constant as _));
        let aarq = |challenge: &str| {
            let id = mechanism.id();
            let user = "BE10040E01000000065F1F040060FE9FFFFF";
            let challenge = unhex(challenge);
            let length = challenge.len() as u8;
            let value = format!("AC{:02X}80{length:02X}{}", length + 2, to_hex(&challenge));
            let body = format!("A1090607608574050801018A0207808B07608574050802{id:02X}{value}{user}");
            unhex(&format!("60{:02X}{body}", body.len() / 2))
        };
        let own = aarq(&"55".repeat(32));
        assert!(to_hex(&link.exchange(&own).unwrap()).contains("A203020101A305A10302010D"));
        assert!(link.session.is_idle());
        let other = aarq(&"56".repeat(32));
        assert!(to_hex(&link.exchange(&other).unwrap()).contains("A203020100A305A10302010E"));
        assert!(link.session.association().is_none());
    }
}

#[test]
fn one_handshake_one_proof() {
    let challenged = || {
        let (mut link, mut peer) =
            (Link::new(ciphered(GMAC, SecuritySuite::Suite0)), Peer::new(SecuritySuite::Suite0));
        let aarq = peer.aarq(GMAC, true, 0);
        let challenge = stoc(&link.exchange(&aarq).unwrap());
        while link.session.poll_event().is_some() {}
        (link, peer, challenge)
    };
    let right = |peer: &mut Peer, challenge: &[u8]| {
        let counter = peer.next_counter(false);
        let proof = peer.proof(challenge, counter);
        peer.seal(Form::Glo, &proof)
    };
    let is_denied = |link: &mut Link| {
        let events: Vec<_> = core::iter::from_fn(|| link.session.poll_event()).collect();
        assert!(events.contains(&Event::Refused { reason: RefusalReason::Authentication }), "{events:?}");
        assert!(link.session.is_idle());
    };

    // A wrong proof ends the attempt; the right one comes too late.
    let (mut link, mut peer, challenge) = challenged();
    let counter = peer.next_counter(false);
    let wrong = peer.proof(CTOS, counter);
    let wrong = peer.seal(Form::Glo, &wrong);
    assert_eq!(link.exchange(&wrong).unwrap()[0], 0xCF, "sealed as the request was");
    is_denied(&mut link);
    let proof = right(&mut peer, &challenge);
    assert_eq!(to_hex(&link.exchange(&proof).unwrap()), NOT_ALLOWED);
    assert!(link.session.association().is_none());

    // The proof under its carrier's counter: one nonce, used twice.
    let (mut link, mut peer, challenge) = challenged();
    let proof = peer.proof(&challenge, peer.counter);
    let proof = peer.seal(Form::Glo, &proof);
    link.exchange(&proof).unwrap();
    is_denied(&mut link);

    // A counter that was accepted before.
    let (mut link, mut peer, challenge) = challenged();
    let proof = peer.proof(&challenge, 0);
    let proof = peer.seal(Form::Glo, &proof);
    link.exchange(&proof).unwrap();
    is_denied(&mut link);

    // The dedicated key is not for handshakes; neither is anything but the one method, nor less protection.
    let (mut link, mut peer, challenge) = challenged();
    let counter = peer.next_counter(false);
    let plain = peer.proof(&challenge, counter);
    for form in [Form::Ded, Form::GeneralDed] {
        let proof = peer.seal(form, &plain);
        assert_eq!(to_hex(&link.exchange(&proof).unwrap()), NOT_ALLOWED);
    }
    for request in [GET, SET, RESET, "C301C1000F0000280000FF02010F00"] {
        let request = peer.seal(Form::Glo, &unhex(request));
        assert_eq!(to_hex(&link.exchange(&request).unwrap()), NOT_ALLOWED);
    }
    assert_eq!(to_hex(&link.exchange(&plain).unwrap()), UNDECIPHERABLE);
    assert!(link.session.association().is_none() && !link.session.is_idle());
    while let Some(event) = link.session.poll_event() {
        assert!(!is_change(&event));
    }
    // None of that was a proof: the attempt is still open. After the counters above the first proof's is too old.
    let proof = right(&mut peer, &challenge);
    link.exchange(&proof).unwrap();
    assert!(link.session.association().is_some());
    let again = right(&mut peer, &challenge);
    link.exchange(&again).unwrap();
    let wrong_place = link.session.association().is_some();
    assert!(wrong_place, "an open association has no use for a proof, and is not harmed by one");

    // Time ends it, whether somebody looks at the clock or the proof itself comes late.
    for late in [true, false] {
        let (mut link, mut peer, challenge) = challenged();
        let deadline = link.session.poll_timeout().unwrap();
        if !late {
            link.session.handle_timeout(deadline);
        }
        let mut proof = right(&mut peer, &challenge);
        let mut host = link.meter.host();
        let answer = link.session.handle_apdu(&mut host, deadline, &mut proof, &mut link.out).unwrap();
        assert_eq!(to_hex(&link.out[answer]), NOT_ALLOWED);
        let refused = Event::Refused { reason: RefusalReason::Timeout };
        assert_eq!(link.session.poll_event(), Some(refused));
        assert_eq!(link.session.poll_timeout(), None);
    }
}

#[test]
fn a_moved_window_is_always_reported() {
    let moved = |link: &mut Link| {
        let events: Vec<_> = core::iter::from_fn(|| link.session.poll_event()).collect();
        assert!(events.contains(&Event::WindowMoved { security: 0, peer: CLIENT_TITLE }), "{events:?}");
    };
    let (mut link, mut peer) = open(SecuritySuite::Suite0);
    let request = peer.seal(Form::Glo, &unhex(GET));
    link.exchange(&request).unwrap();
    moved(&mut link);
    let rlrq = peer.rlrq();
    link.exchange(&rlrq).unwrap();
    moved(&mut link);
    // GMAC in a context without ciphering: only the proof itself carries a counter.
    let mut link = Link::new(config(GMAC, None));
    let title = to_hex(CLIENT_TITLE.octets());
    let body = format!(
        "A109060760857405080101A60A0408{title}8A0207808B0760857405080205AC128010{}BE10040E01000000065F1F040060FE9FFFFF",
        to_hex(CTOS)
    );
    let challenge = stoc(&link.exchange(&unhex(&format!("60{:02X}{body}", body.len() / 2))).unwrap());
    link.exchange(&peer.proof(&challenge, 500)).unwrap();
    assert!(link.session.association().is_some());
    assert_eq!(floor(&link), 501);
    moved(&mut link);
}

#[test]
fn lengths_of_4_gib_are_claims() {
    let huge = "84FFFFFFFF";
    for aarq in [
        format!("60{huge}A109060760857405080101BE10040E01000000065F1F040060FE9FFFFF"),
        format!("6021A1{huge}060760857405080101BE10040E01000000065F1F040060FE9FFFFF"),
        format!("6021A10906{huge}60857405080101BE10040E01000000065F1F040060FE9FFFFF"),
        format!("6021A109060760857405080101BE{huge}040E01000000065F1F040060FE9FFFFF"),
        format!("6021A109060760857405080101BE1004{huge}01000000065F1F040060FE9FFFFF"),
        format!("6022A109060760857405080101BE15041301 01{huge}000000065F1F040060FE9FFFFF"),
        format!("6024A109060760857405080101AC{huge}8000BE10040E01000000065F1F040060FE9FFFFF"),
        "60FFFFFFFFFFFFFFFFFFFF".to_owned(),
        "6088FFFFFFFFFFFFFFFF".to_owned(),
    ] {
        let mut link = Link::new(config(NONE, None));
        let answer = link.hex(&aarq);
        assert!(answer.starts_with("6117"), "{aarq}: {answer}");
        assert!(link.session.is_idle());
    }
    let mut link = public();
    let before = objects(&link);
    let name = "00010000800000FF0200";
    for request in [
        format!("C003C1{huge}{name}"),
        format!("C101C1{name}09{huge}0102"),
        format!("C101C1{name}01{huge}0102"),
        format!("C101C1{name}04{huge}0102"),
        format!("C101C1{name}13 01 0F{huge}0102"),
        format!("C101C1{name}13 01FFFFFFFF 00 00"),
        format!("C101C1{name}13 01FFFF00 00"),
        format!("C102C1{name}0000000001{huge}0102"),
        format!("C103C10100000001{huge}0102"),
        format!("C104C1{huge}{name}020102"),
        format!("C104C101{name}{huge}0102"),
        format!("C105C1{huge}{name}0000000001020102"),
        format!("C301C100030100010800FF0101 09{huge}"),
        format!("C303C1{huge}00030100010800FF01"),
        format!("C306C10100000001{huge}"),
        format!("C001C100070100630100FF020101 02{huge}"),
        format!("C81E{huge}"),
        format!("DB{huge}"),
        format!("DB08{}{huge}", "41".repeat(8)),
    ] {
        let answer = link.hex(&request);
        assert!(
            answer.starts_with("D8") || answer.starts_with("C5") || answer.starts_with("C7"),
            "{request}: {answer}"
        );
        assert!(!answer.ends_with("C100"), "{request}: {answer}");
    }
    assert_eq!(objects(&link), before);
    let (mut link, _) = open(SecuritySuite::Suite0);
    for request in [
        format!("C8{huge}30"),
        format!("DB{huge}30"),
        format!("DB08{}{huge}30", to_hex(CLIENT_TITLE.octets())),
    ] {
        assert_eq!(refused(&mut link, &unhex(&request), "4 GiB"), UNDECIPHERABLE);
    }
}

#[test]
fn a_hundred_thousand_levels_are_too_many() {
    const DEPTH: usize = 100_000;
    let mut link = public();
    link.session = Session::new(16, vec![0; 3 * DEPTH]);
    link.hex(AARQ_PUBLIC);
    let before = objects(&link);
    let name = unhex("00010000800000FF02");
    for level in [&[0x01, 0x01][..], &[0x02, 0x01]] {
        let deep = [&level.repeat(DEPTH)[..], &[0x00]].concat();
        let compact = [&[0x13][..], &level.repeat(DEPTH), &[0x0F, 0x00]].concat();
        for value in [&deep, &compact] {
            let set = [&unhex("C101C1")[..], &name, &[0x00], value].concat();
            assert_eq!(to_hex(&link.exchange(&set).unwrap()), "D80103");
            let list = [&unhex("C104C101")[..], &name, &[0x00, 0x01], value].concat();
            assert_eq!(to_hex(&link.exchange(&list).unwrap()), "D80103");
            let selected = [&unhex("C101C1")[..], &name, &[0x01, 0x01], value, &[0x00]].concat();
            assert_eq!(to_hex(&link.exchange(&selected).unwrap()), "D80103");
            let get = [&unhex("C001C100070100630100FF020101")[..], value].concat();
            assert_eq!(to_hex(&link.exchange(&get).unwrap()), "D80103");
            let action = [&unhex("C301C100030100010800FF0101")[..], value].concat();
            assert_eq!(to_hex(&link.exchange(&action).unwrap()), "D80103");
            // In blocks each APDU is harmless; what they make up is not.
            let blocks: Vec<_> = value.chunks(1000).collect();
            for (n, block) in blocks.iter().enumerate() {
                let last = u8::from(n + 1 == blocks.len());
                let number = (n as u32 + 1).to_be_bytes();
                let length = [0x82, (block.len() >> 8) as u8, block.len() as u8];
                let head = match n {
                    0 => [&unhex("C102C1")[..], &name, &[0x00]].concat(),
                    _ => unhex("C103C1"),
                };
                let request = [&head[..], &[last], &number, &length, block].concat();
                let answer = to_hex(&link.exchange(&request).unwrap());
                match last {
                    0 => assert!(answer.starts_with("C502C1"), "{answer}"),
                    _ => assert!(answer.starts_with("C503C10C"), "type-unmatched: {answer}"),
                }
            }
        }
    }
    assert_eq!(objects(&link), before);
    assert!(link.hex(GET).starts_with("C401"), "the association is as it was");
}

#[test]
fn endless_transfers_end_at_the_storage() {
    let octets = "AA".repeat(100);
    for (first, next, more, ended) in [
        ("C102C100010000800000FF0200", "C103C1", "C502C1", "C503C111"),
        ("C105C101 00010000800000FF0200", "C103C1", "C502C1", "C503C111"),
        ("C304C100030100010800FF01", "C306C1", "C704C1", "C701C10F00"),
        ("C305C101 00030100010800FF01", "C306C1", "C704C1", "C701C10F00"),
    ] {
        for is_ciphered in [false, true] {
            let (mut link, mut peer) = if is_ciphered {
                open(SecuritySuite::Suite0)
            } else {
                (public(), Peer::new(SecuritySuite::Suite0))
            };
            let before = objects(&link);
            let mut send = |link: &mut Link, plain: &str| {
                let plain = unhex(plain);
                if !is_ciphered {
                    return to_hex(&link.exchange(&plain).unwrap());
                }
                let request = peer.seal(Form::Ded, &plain);
                let response = link.exchange(&request).unwrap();
                if response[0] == 0xD8 { to_hex(&response) } else { String::from("sealed") }
            };
            let mut taken = 0;
            for number in 1..100 {
                let head = if number == 1 { first } else { next };
                // A block without octets now and then: it costs nothing and moves nothing.
                let octets = if number % 3 == 0 { "00".to_owned() } else { format!("64{octets}") };
                let answer = send(&mut link, &format!("{head}00{number:08X}{octets}"));
                if answer.starts_with(ended) {
                    break;
                }
                assert!(answer == "sealed" || answer == format!("{more}{number:08X}"), "{answer}");
                taken += 1;
            }
            assert!(is_ciphered || (15..40).contains(&taken), "{taken} blocks");
            // It is over; the next block belongs to nothing.
            let answer = send(&mut link, &format!("{next}01{:08X}00", taken + 2));
            assert!(!answer.ends_with("C100"), "{answer}");
            assert_eq!(objects(&link), before);
        }
    }
}

#[test]
fn rights_count_for_each_item_of_each_form() {
    let mut link = public();
    let text = "00010000800000FF0200";
    let energy = "00030100010800FF0200";
    let hidden = "00010000600109FF0200";
    link.meter.device.method_rights = vec![(LONG_TEXT, 1, AccessRights::empty())];
    link.meter.device.attribute_rights = vec![
        (LONG_TEXT, 1, AccessRights::empty()),
        (ENERGY, 3, AccessRights::READ | AccessRights::SIGNED_RESPONSE),
        (ENERGY, 1, AccessRights::READ | AccessRights::ENCRYPTED_RESPONSE),
    ];
    assert_eq!(HIDDEN.octets(), &[0, 0, 96, 1, 9, 255]);
    let unreadable = text.replace("0200", "0100");
    let signed = energy.replace("FF0200", "FF0300");
    let sealed = energy.replace("FF0200", "FF0100");
    // Read: granted, not granted, hidden, signature demanded, protection demanded of a response that cannot have any.
    assert_eq!(
        link.hex(&format!("C003C106{energy}{unreadable}{hidden}{signed}{sealed}{energy}")),
        "C403C106 0006 00001391 0103 0104 0103 0103 0006 00001391".replace(' ', "")
    );
    for item in [&unreadable, &signed, &sealed] {
        assert_eq!(link.hex(&format!("C001C1{item}")), "C401C10103");
    }
    // Write, whole and in blocks: only the first of the three is granted.
    let values = "03 0902AABB 0600000000 0902AABB";
    let list = format!("03{text}{energy}{hidden}");
    assert_eq!(link.hex(&format!("C104C1{list}{values}")), "C505C103000304");
    assert_eq!(link.hex(&format!("C001C1{text}")), "C401C1000902AABB");
    let values = unhex("030902CCDD06000000000902AABB");
    let (head, tail) = values.split_at(6);
    let block = |octets: &[u8]| format!("{:02X}{}", octets.len(), to_hex(octets));
    assert_eq!(link.hex(&format!("C105C1{list}0000000001{}", block(head))), "C502C100000001");
    assert_eq!(link.hex(&format!("C103C10100000002{}", block(tail))), "C504C10300030400000002");
    assert_eq!(link.hex(&format!("C001C1{text}")), "C401C1000902CCDD");
    assert_eq!(link.hex(&format!("C102C1{energy}0000000001010600")), "D80103", "an octet left over");
    assert_eq!(link.hex(&format!("C102C1{energy}0000000001 0106")), "C502C100000001");
    assert_eq!(link.hex("C103C10100000002 0400000000"), "C503C10300000002");
    // Invoke.
    link.meter.device.method_rights = vec![(ENERGY, 1, AccessRights::empty())];
    let reset = "00030100010800FF01";
    let other = "00010000600109FF01";
    assert_eq!(link.hex(&format!("C301C1{reset}010F00")), "C701C10300");
    assert_eq!(link.hex(&format!("C303C102{reset}{other}020F000F00")), "C703C10203000400");
    assert_eq!(link.hex(&format!("C305C102{reset}{other}010000000105020F000F00")), "C703C10203000400");
    assert_eq!(link.hex(&format!("C304C1{reset}0100000001020F00")), "C701C10300");
    assert_eq!(link.hex(GET), "C401C1000600001391", "never reset");
    while let Some(event) = link.session.poll_event() {
        assert!(!matches!(event, Event::MethodInvoked { .. }));
    }
}

/// In an association whose policy demands nothing, the rights of an item may: then each request, and each block of one,
/// must have that protection.
#[test]
fn a_request_in_blocks_is_as_protected_as_its_weakest_block() {
    let suite = SecuritySuite::Suite0;
    let config = AssociationConfig { policy: Protection::empty(), ..ciphered(NONE, suite) };
    let (mut link, mut peer) = (Link::new(config), Peer::new(suite));
    peer.associate(&mut link);
    let wanted = AccessRights::AUTHENTICATED_REQUEST | AccessRights::ENCRYPTED_REQUEST;
    link.meter.device.attribute_rights =
        vec![(LONG_TEXT, 2, AccessRights::READ | AccessRights::WRITE | wanted)];
    link.meter.device.method_rights = vec![(ENERGY, 1, AccessRights::INVOKE | wanted)];
    let before = objects(&link);
    let name = "00010000800000FF0200";
    assert_eq!(link.hex(SET), "C501C103");
    assert_eq!(link.hex(RESET), "C701C10300");
    assert_eq!(link.hex(&format!("C001C1{name}")), "C401C10103");
    for (first, last) in [
        (format!("C102C1{name}0000000001 0109"), "C103C101 00000002 03020102"),
        (format!("C105C101{name}0000000001 020109"), "C103C101 00000002 03020102"),
        ("C304C100030100010800FF01 0000000001 010F".to_owned(), "C306C101 00000002 0100"),
        ("C305C10100030100010800FF01 0000000001 02010F".to_owned(), "C306C101 00000002 0100"),
    ] {
        for protected in 0..3 {
            for protection in [Protection::AUTHENTICATED, FULL] {
                let mut send = |link: &mut Link, is_protected: bool, plain: &str| {
                    peer.protection = protection;
                    let plain = unhex(plain);
                    let request = if is_protected { peer.seal(Form::Ded, &plain) } else { plain };
                    link.exchange(&request).unwrap()
                };
                // One of the two, or both with less than what is demanded.
                let (one, two) = [(true, false), (false, true), (true, true)][protected];
                let is_enough = protected == 2 && protection == FULL;
                if is_enough {
                    continue;
                }
                send(&mut link, one, &first);
                send(&mut link, two, last);
                assert_eq!(objects(&link), before, "{first} {protected} {protection:?}");
            }
        }
    }
    peer.protection = FULL;
    for plain in [format!("C102C1{name}0000000001 0109"), "C103C101 00000002 03020102".to_owned()] {
        let request = peer.seal(Form::Glo, &unhex(&plain));
        link.exchange(&request).unwrap();
    }
    assert_ne!(objects(&link), before, "with all of it, it is done");
}

#[test]
fn what_cannot_be_answered_is_not_executed() {
    // A client that takes 12 octets at a time: there is no room for the results of ten writes.
    let mut link = Link::new(config(NONE, None));
    link.hex(&AARQ_PUBLIC.replace("FFFFF", "F000C"));
    let before = objects(&link);
    let items = "00010000800000FF0200".repeat(10);
    assert_eq!(link.hex(&format!("C104C10A{items}0A{}", "09010A".repeat(10))), "D80104");
    let values = "09010A".repeat(10);
    assert_eq!(link.hex(&format!("C105C10A{items}01000000011F0A{values}")), "D80104");
    assert_eq!(objects(&link), before);
    // A storage that has no room for the results of the methods.
    link.session = Session::new(16, vec![0; 20]);
    link.hex(AARQ_PUBLIC);
    let methods = "00030100010800FF01".repeat(10);
    assert_eq!(link.hex(&format!("C303C10A{methods}0A{}", "0F00".repeat(10))), "D80104");
    assert_eq!(objects(&link), before);
    // Under protection 12 octets hold nothing at all.
    let (mut link, mut peer) =
        (Link::new(ciphered(NONE, SecuritySuite::Suite0)), Peer::new(SecuritySuite::Suite0));
    let aarq = peer.aarq(NONE, false, 12);
    assert!(to_hex(&link.exchange(&aarq).unwrap()).contains("A203020100"));
    let before = objects(&link);
    let request = peer.seal(Form::Glo, &unhex(SET));
    assert_eq!(to_hex(&link.exchange(&request).unwrap()), "D80104");
    assert_eq!(objects(&link), before);
}

// Generated input in every state.

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Challenged(SecuritySuite),
    Plain,
    Ciphered(SecuritySuite),
    /// Something long is under way.
    Long(usize, bool),
}

const LONG: [&str; 5] = [
    "C001C100070100630100FF0200",
    "C003C103 00070100630100FF0200 00030100010800FF0200 00010000800000FF0200",
    "C102C100010000800000FF0200000000000105091B010203",
    "C105C102 00010000800000FF0200 00030100010800FF0200 00 00000001 05 0209020102",
    "C304C100030100010800FF01 00 00000001 01 0F",
];

const REQUESTS: [&str; 23] = [
    GET,
    SET,
    RESET,
    AARQ_PUBLIC,
    "6203800100",
    "C001C1000F0000280000FF0200",
    "C001C100070100630100FF02010204020412000809060000010000FF0F0212000009 0C07EA010501000000008000 00090C07EA0105010A00000080000001 00",
    "C001C100070100630100FF020102020406000000020600000003120001120000",
    "C002C100000001",
    "C002C100000002",
    "C003C202 00030100010800FF0200 00030100020800FF0200",
    "C102C100010000800000FF0200000000000115093201020304050607080910111213141516171819",
    "C103C1000000000205AABBCCDDEE",
    "C103C1010000000205AABBCCDDEE",
    "C104C202 00010000800000FF0200 00030100020800FF0200 02 09030A0B0C 0600000000",
    "C105C102 00010000800000FF0200 00030100020800FF0200 00 00000001 05 0209020102",
    "C302C100000001",
    "C303C102 00030100010800FF01 00030100020800FF01 02 0F00 0F00",
    "C304C100030100010800FF01 00 00000001 01 0F",
    "C305C102 00030100010800FF01 00030100020800FF01 01 00000001 05 02 0F00 0F00",
    "C306C1010000000201 00",
    "C301C1000F0000280000FF010109 11 10 00000000 000102030405060708090A0B",
    "D97000000100 03 0100030100010800FF02 0200010000800000FF02 0300030100010800FF01 03 00 0901AA 0F00",
];

#[derive(Clone, Debug)]
enum Octets {
    Arbitrary(Vec<u8>),
    Request { index: usize, form: Form, damage: Damage },
}

#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Change(prop::sample::Index, u8),
    Extend(u8),
}

fn states() -> impl Strategy<Value = State> {
    let suite = || prop::sample::select(&SecuritySuite::ALL[..]);
    prop_oneof![
        Just(State::Idle),
        suite().prop_map(State::Challenged),
        Just(State::Plain),
        suite().prop_map(State::Ciphered),
        (0..LONG.len(), any::<bool>()).prop_map(|(index, is_ciphered)| State::Long(index, is_ciphered)),
    ]
}

fn octets() -> impl Strategy<Value = Octets> {
    let damage = prop_oneof![
        any::<prop::sample::Index>().prop_map(Damage::Cut),
        (any::<prop::sample::Index>(), 1..=255u8).prop_map(|(at, mask)| Damage::Change(at, mask)),
        any::<u8>().prop_map(Damage::Extend),
    ];
    let form = prop::sample::select(&Form::ALL[..]);
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Octets::Arbitrary),
        4 => (0..REQUESTS.len(), form, damage)
            .prop_map(|(index, form, damage)| Octets::Request { index, form, damage }),
    ]
}

impl Damage {
    fn inflict(&self, mut octets: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Cut(at) => octets.truncate(at.index(octets.len())),
            Self::Change(at, mask) => {
                let at = at.index(octets.len());
                octets[at] ^= mask;
            }
            Self::Extend(octet) => octets.push(*octet),
        }
        octets
    }
}

impl State {
    fn reach(self) -> (Link, Peer) {
        match self {
            Self::Idle => (Link::new(config(NONE, None)), Peer::new(SecuritySuite::Suite0)),
            Self::Plain => (public(), Peer::new(SecuritySuite::Suite0)),
            Self::Ciphered(suite) => open(suite),
            Self::Challenged(suite) => {
                let (mut link, mut peer) = (Link::new(ciphered(GMAC, suite)), Peer::new(suite));
                let aarq = peer.aarq(GMAC, true, 0);
                link.exchange(&aarq).unwrap();
                while link.session.poll_event().is_some() {}
                (link, peer)
            }
            Self::Long(index, is_ciphered) => {
                let state = if is_ciphered { Self::Ciphered(SecuritySuite::Suite0) } else { Self::Plain };
                let (mut link, mut peer) = state.reach();
                let size = if is_ciphered { 100 } else { 60 };
                let aarq = match is_ciphered {
                    true => peer.aarq(NONE, true, size),
                    false => unhex(&AARQ_PUBLIC.replace("FFFFF", "F003C")),
                };
                if is_ciphered {
                    peer.dedicated_counter = 0;
                }
                link.exchange(&aarq).unwrap();
                let plain = unhex(LONG[index]);
                let request = if is_ciphered { peer.seal(Form::Ded, &plain) } else { plain };
                let answer = link.exchange(&request).unwrap();
                assert_ne!(answer[0], 0xD8);
                while link.session.poll_event().is_some() {}
                (link, peer)
            }
        }
    }

    const fn is_ciphered(self) -> bool {
        matches!(self, Self::Challenged(_) | Self::Ciphered(_) | Self::Long(_, true))
    }
}

/// SNRM, AARQ, RR and DISC of the client 16 over HDLC, and AARQ, GET and RLRQ over the wrapper.
const LINES: [&str; 2] = [
    "7EA0070321930F017E 7EA02B032110FBAFE6E600601DA109060760857405080101BE10040E01000000065F1F040000301DFFFFD4C57E \
     7EA0070321311787 7E 7EA00703215303C77E",
    "00010010 0001001F 601DA109060760857405080101BE10040E01000000065F1F040000301DFFFF \
     000100100001000D C001C1000F0000280000FF0100 00010010 00010005 6203800100",
];

proptest! {
    /// Both framings with their sessions behind them: whatever the octets and however they are cut.
    #[test]
    fn damaged_lines(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        junk in prop::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
        piece in 1..40usize,
    ) {
        let damaged = LINES.map(|line| {
            let mut octets = unhex(line);
            for (at, octet) in &changes {
                let at = at.index(octets.len());
                octets[at] = *octet;
            }
            let at = at.index(octets.len());
            octets.splice(at..at, junk.iter().copied());
            octets
        });
        let mut meter = Meter::new(vec![config(NONE, None)]);
        let address = SecondaryConfig::new(ServerAddress::one(1).unwrap());
        let mut hdlc = HdlcServer::<Provider, Vec<u8>, 2>::new(address, || vec![0; 300]);
        let mut wrapper = WrapperServer::<Provider, Vec<u8>, 2>::new(WPort(1), || vec![0; 300]);
        let mut now = Duration::ZERO;
        for mut input in damaged[0].chunks(piece) {
            let mut frame = [0; 2048];
            while hdlc.handle_input(now, &mut input, &mut meter.host()) {
                let mut sent = 0;
                while let Some(length) = hdlc.poll_transmit(now, &mut frame) {
                    prop_assert!(length <= frame.len());
                    sent += 1;
                    prop_assert!(sent < 100, "the right to speak goes back");
                }
            }
            now += Duration::from_millis(10);
            hdlc.handle_timeout(now);
        }
        let mut lost = false;
        for mut input in damaged[1].chunks(piece) {
            while !input.is_empty() && !lost {
                lost = wrapper.handle_input(now, &mut input, &mut meter.host()).is_err();
            }
        }
        while let Some(event) = hdlc.poll_event().or_else(|| wrapper.poll_event()) {
            prop_assert!(!is_change(&event));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_apdus_in_every_state(state in states(), inputs in prop::collection::vec(octets(), 1..8)) {
        let (mut link, mut peer) = state.reach();
        let is_ciphered = state.is_ciphered();
        let before = is_ciphered.then(|| (objects(&link), floor(&link)));
        for input in inputs {
            let apdu = match &input {
                Octets::Arbitrary(octets) => octets.clone(),
                Octets::Request { index, form, damage } => {
                    let plain = unhex(REQUESTS[*index]);
                    let request = match plain[0] {
                        0xD9 if is_ciphered => peer.seal(Form::GeneralGlo, &plain),
                        0xC0.. if is_ciphered => peer.seal(*form, &plain),
                        0x60 if is_ciphered => peer.aarq(NONE, true, 0),
                        0x62 if is_ciphered => peer.rlrq(),
                        _ => plain,
                    };
                    damage.inflict(request)
                }
            };
            let association = link.session.association();
            let was_idle = link.session.is_idle();
            let answer = link.exchange(&apdu);
            let tag = apdu.first().copied().unwrap_or(0);
            let after = link.session.association();
            match tag {
                // An AARQ ends what there was, whatever becomes of it; without keys it opens nothing.
                0x60 => prop_assert!(!is_ciphered || link.session.is_idle()),
                0x62 if is_ciphered => prop_assert_eq!(after, association),
                0x62 => prop_assert!(after.is_none() || after == association),
                _ => {
                    prop_assert_eq!(after, association, "{:02X?}", apdu);
                    prop_assert_eq!(link.session.is_idle(), was_idle, "{:02X?}", apdu);
                }
            }
            if is_ciphered {
                let said = answer.as_deref().map_or(0xD8, |answer| answer[0]);
                prop_assert!(matches!(said, 0xD8 | 0x61 | 0x63), "{:02X?} to {:02X?}", answer, apdu);
            }
        }
        if let Some((objects_before, floor_before)) = before {
            prop_assert_eq!(objects(&link), objects_before);
            prop_assert_eq!(floor(&link), floor_before);
        }
    }

    #[test]
    fn damaged_requests_of_one_who_has_the_keys(
        state in states(),
        inputs in prop::collection::vec(octets(), 1..8),
        room in 0..300usize,
    ) {
        let (mut link, mut peer) = state.reach();
        link.out.truncate(4096 - room * 13);
        for input in inputs {
            let plain = match &input {
                Octets::Arbitrary(octets) => octets.clone(),
                Octets::Request { index, damage, .. } => damage.inflict(unhex(REQUESTS[*index])),
            };
            let form = match &input {
                Octets::Request { form, .. } => *form,
                Octets::Arbitrary(_) => Form::GeneralGlo,
            };
            let apdu = match plain.first() {
                Some(0xC0 | 0xC1 | 0xC3) if state.is_ciphered() => peer.seal(form, &plain),
                Some(_) if state.is_ciphered() => peer.seal(Form::GeneralGlo, &plain),
                _ => plain,
            };
            let association = link.session.association();
            link.exchange(&apdu);
            let after = link.session.association();
            let is_acse = matches!(apdu.first(), Some(0x60 | 0x62));
            prop_assert!(is_acse || after == association, "{:02X?}", apdu);
        }
    }
}
