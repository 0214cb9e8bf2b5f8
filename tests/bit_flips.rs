//! Every single bit of a protected APDU is changed, in every form and suite: none of them gets through.
//!
//! Some octets are covered by no tag and no signature: the tag of a service, the lengths, key-info, and the title in
//! general-glo-ciphering. A change of these must lead to a refusal all the same, by the structure, by comparison with what
//! this side expects, or because another key is used. Encryption alone covers nothing; it is refused wherever this side
//! asked for more or for nothing, so that a change can only meet who asked for it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::side::{ALL, Side, envelopes};
use common::{CLIENT_TITLE, SERVER_TITLE, to_hex, unhex};
use dlms::{Carrier, Demand, Envelope, KeyClass, ProtectionError};
use dlms_security::{InvocationCounter, Protection, SecuritySuite};
use proptest::prelude::*;

const PLAIN: &str = "C001C100030100010800FF0200";
const AE: Protection = Protection::AUTHENTICATED_ENCRYPTED;

/// Changes every bit of an APDU, and at last finds that it was right.
fn flip(what: &str, apdu: &[u8], required: Protection, suite: SecuritySuite) {
    let mut receiver = Side::new(suite, SERVER_TITLE);
    for bit in 0..apdu.len() * 8 {
        let mut flipped = apdu.to_vec();
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        let opened = receiver.open(required, &flipped);
        assert!(opened.is_err(), "{what}: octet {} bit {} of {}", bit / 8, bit % 8, to_hex(apdu));
    }
    assert_eq!(receiver.context.lowest_acceptable(CLIENT_TITLE), InvocationCounter::new(0), "{what}");
    assert_eq!(receiver.open(required, apdu).as_deref(), Ok(&unhex(PLAIN)[..]), "{what}");
}

/// Those whose keys are not agreed on, which takes its time.
fn symmetric(suite: SecuritySuite) -> impl Iterator<Item = Envelope> {
    envelopes(suite).into_iter().filter(is_symmetric)
}

fn is_symmetric(envelope: &Envelope) -> bool {
    !matches!(envelope.key, KeyClass::OnePassDiffieHellman | KeyClass::StaticUnifiedModel)
}

/// What a signature is nested with: in suite 2 what takes little time, in suite 1 every carrier and every key-info.
fn nested(suite: SecuritySuite) -> Vec<Envelope> {
    match suite {
        SecuritySuite::Suite2 => {
            vec![Envelope::GLOBAL, Envelope { carrier: Carrier::GeneralCiphering, ..Envelope::GLOBAL }]
        }
        _ => envelopes(suite)
            .into_iter()
            .filter(|envelope| !matches!(envelope.key, KeyClass::Dedicated | KeyClass::Broadcast))
            .collect(),
    }
}

#[test]
fn ciphered() {
    for suite in SecuritySuite::ALL {
        for envelope in envelopes(suite) {
            let apdu = Side::new(suite, CLIENT_TITLE).seal(envelope, AE, &unhex(PLAIN));
            flip(&format!("{suite:?} {envelope:?}"), &apdu, AE, suite);
        }
    }
}

#[test]
fn authenticated_only() {
    for suite in SecuritySuite::ALL {
        for envelope in symmetric(suite) {
            let protection = Protection::AUTHENTICATED;
            let apdu = Side::new(suite, CLIENT_TITLE).seal(envelope, protection, &unhex(PLAIN));
            flip(&format!("{suite:?} {envelope:?} A"), &apdu, protection, suite);
            flip_to_nothing_else(&format!("{suite:?} {envelope:?} A"), &apdu, suite);
        }
        // What surrounds the content is the same as where it is encrypted too.
        for envelope in envelopes(suite).into_iter().filter(|envelope| !is_symmetric(envelope)) {
            let apdu =
                Side::new(suite, CLIENT_TITLE).seal(envelope, Protection::AUTHENTICATED, &unhex(PLAIN));
            let content = 5 + PLAIN.len() / 2 + 12;
            let mut receiver = Side::new(suite, SERVER_TITLE);
            for bit in (apdu.len() - content) * 8..apdu.len() * 8 {
                let mut flipped = apdu.clone();
                flipped[bit / 8] ^= 0x80 >> (bit % 8);
                assert!(
                    receiver.open(Protection::AUTHENTICATED, &flipped).is_err(),
                    "{envelope:?} bit {bit}"
                );
            }
            assert!(receiver.open(Protection::AUTHENTICATED, &apdu).is_ok(), "{envelope:?}");
        }
    }
}

/// Where nothing is required, a changed bit may make an APDU of another kind of it, unprotected, but never one that
/// passes as protected, and never the one that was sealed.
fn flip_to_nothing_else(what: &str, apdu: &[u8], suite: SecuritySuite) {
    let mut receiver = Side::new(suite, SERVER_TITLE);
    for bit in 0..apdu.len() * 8 {
        let mut flipped = apdu.to_vec();
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        let demand = Demand { accepted: ALL, ..Demand::new(CLIENT_TITLE, Protection::empty()) };
        if let Ok(opened) = receiver.keys().open(&mut dlms_security::Forgetful, &demand, &mut flipped.clone())
        {
            assert!(bit < 8, "{what}: bit {bit}");
            assert_eq!((opened.protection, opened.apdu), (Protection::empty(), 0..apdu.len()), "{what}");
        }
    }
}

#[test]
fn signed() {
    for suite in [SecuritySuite::Suite1, SecuritySuite::Suite2] {
        let apdu = Side::new(suite, CLIENT_TITLE).seal(Envelope::GLOBAL, Protection::SIGNED, &unhex(PLAIN));
        flip(&format!("{suite:?} signed"), &apdu, Protection::SIGNED, suite);
    }
}

#[test]
fn signed_then_ciphered() {
    for suite in [SecuritySuite::Suite1, SecuritySuite::Suite2] {
        for envelope in nested(suite) {
            let protection = AE | Protection::SIGNED;
            let apdu = Side::new(suite, CLIENT_TITLE).seal(envelope, protection, &unhex(PLAIN));
            flip(&format!("{suite:?} {envelope:?} signed inside"), &apdu, protection, suite);
        }
    }
}

#[test]
fn ciphered_then_signed() {
    for suite in [SecuritySuite::Suite1, SecuritySuite::Suite2] {
        for envelope in nested(suite) {
            let mut sender = Side::new(suite, CLIENT_TITLE);
            let ciphered = sender.seal(envelope, AE, &unhex(PLAIN));
            let apdu = sender.seal(envelope, Protection::SIGNED, &ciphered);
            flip(&format!("{suite:?} {envelope:?} signed outside"), &apdu, AE | Protection::SIGNED, suite);
        }
    }
}

/// Who removes a layer has less than what is required.
#[test]
fn a_layer_that_is_gone_is_missed() {
    let suite = SecuritySuite::Suite1;
    let mut sender = Side::new(suite, CLIENT_TITLE);
    let plain = unhex(PLAIN);
    let both = AE | Protection::SIGNED;
    let ciphered = sender.seal(Envelope::GLOBAL, AE, &plain);
    let signed = sender.seal(Envelope::GLOBAL, Protection::SIGNED, &plain);
    for apdu in [&plain, &ciphered, &signed] {
        assert_eq!(Side::new(suite, SERVER_TITLE).open(both, apdu), Err(ProtectionError::Required));
    }
    // Nor may one be there twice.
    let twice = sender.seal(Envelope::GLOBAL, Protection::SIGNED, &signed);
    assert_eq!(Side::new(suite, SERVER_TITLE).open(Protection::SIGNED, &twice), Err(ProtectionError::Nested));
    let general = Envelope { carrier: Carrier::WithTitle, key: KeyClass::Global };
    let twice = sender.seal(general, AE, &ciphered);
    assert_eq!(Side::new(suite, SERVER_TITLE).open(AE, &twice), Err(ProtectionError::Nested));
    let identified = Envelope { carrier: Carrier::GeneralCiphering, key: KeyClass::Global };
    let twice = sender.seal(identified, AE, &ciphered);
    assert_eq!(Side::new(suite, SERVER_TITLE).open(AE, &twice), Err(ProtectionError::Nested));
}

/// Encryption alone: nothing notices a changed bit, so it is taken only by who asked for exactly that.
#[test]
fn encryption_alone_is_taken_only_where_it_is_asked_for() {
    for suite in SecuritySuite::ALL {
        for envelope in envelopes(suite) {
            let apdu = Side::new(suite, CLIENT_TITLE).seal(envelope, Protection::ENCRYPTED, &unhex(PLAIN));
            for required in [Protection::empty(), Protection::AUTHENTICATED, AE] {
                assert!(
                    Side::new(suite, SERVER_TITLE).open(required, &apdu).is_err(),
                    "{suite:?} {envelope:?}"
                );
            }
            let opened = Side::new(suite, SERVER_TITLE).open(Protection::ENCRYPTED, &apdu);
            let is_for_one_message = envelope.key.is_for_one_message();
            assert_eq!(opened.is_err(), is_for_one_message, "{suite:?} {envelope:?} {opened:?}");
        }
    }
}

/// One change of some octets: they are cut out, put in, or overwritten.
fn change() -> impl Strategy<Value = (u8, prop::sample::Index, Vec<u8>)> {
    (0u8..4, any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..6))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// However an APDU is changed, it is refused, or says what it said: a length may be longer than it needs to be.
    #[test]
    fn changed_apdus(
        suite in prop::sample::select(&SecuritySuite::ALL[..]),
        form in any::<prop::sample::Index>(),
        signed in any::<bool>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let envelope = *form.get(&envelopes(suite));
        let mut protection = AE;
        protection.set(Protection::SIGNED, signed && suite.curve().is_some());
        let sealed = Side::new(suite, CLIENT_TITLE).seal(envelope, protection, &unhex(PLAIN));
        let mut apdu = sealed.clone();
        for (kind, at, octets) in changes {
            if apdu.is_empty() {
                break;
            }
            let at = at.index(apdu.len());
            match kind {
                0 => apdu.truncate(at),
                1 => { apdu.splice(at..at, octets); }
                2 => { apdu.drain(at..apdu.len().min(at + octets.len())); }
                _ => apdu.iter_mut().skip(at).zip(octets).for_each(|(octet, new)| *octet = new),
            }
        }
        let opened = Side::new(suite, SERVER_TITLE).open(protection, &apdu);
        prop_assert!(opened.is_err() || opened == Ok(unhex(PLAIN)));
    }
}
