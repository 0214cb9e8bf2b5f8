//! Every single bit of a protected APDU is changed, in every form and suite: none of them gets through.
//!
//! Some octets are covered by no tag and no signature: the tag of a service, the lengths, key-info, and the title in
//! general-glo-ciphering. A change of these must lead to a refusal all the same, by the structure, by comparison with what
//! this side expects, or because another key is used. Encryption alone covers nothing; it is refused wherever this side
//! asked for more or for nothing, so that a change can only meet who asked for it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::PROVIDER;
use common::public_keys::{key_pairs, peers_on};
use common::{CLIENT_TITLE, Counters, Provider, SERVER_TITLE, key_ring, keys, provider, to_hex, unhex};
use dlms::{
    Accepted, Asymmetric, Carrier, DedicatedKey, Demand, Envelope, Form, HEADROOM, KeyClass, KeyPairs,
    KeyRing, Keys, ProtectionError, SecurityContext, TransactionId,
};
use dlms_security::{
    CounterId, Curve, InvocationCounter, KnownPeer, Protection, SecretKey, SecuritySuite, SystemTitle,
};

const PLAIN: &str = "C001C100030100010800FF0200";
const AE: Protection = Protection::AUTHENTICATED_ENCRYPTED;
/// All that can be taken, but for deviations.
const ALL: Accepted = Accepted::all()
    .difference(Accepted::RESTARTING_COUNTERS)
    .difference(Accepted::EMPTY_RECIPIENT)
    .difference(Accepted::SIGNED_CONTENT_LENGTH);

struct Side {
    provider: Provider,
    context: SecurityContext<Provider>,
    dedicated: DedicatedKey<Provider>,
    ring: KeyRing<Provider>,
    pairs: KeyPairs,
    peers: [KnownPeer; 2],
}

impl Side {
    fn new(suite: SecuritySuite, title: SystemTitle) -> Self {
        let provider = provider();
        let (key, authentication_key) = keys(suite);
        let dedicated = SecretKey::new(suite, &vec![0xDD; suite.key_len()]).unwrap();
        let id = CounterId(0);
        Self {
            context: SecurityContext::new(&provider, suite, title, &key, authentication_key, id, 0).unwrap(),
            dedicated: DedicatedKey::new(&provider, suite, &dedicated).unwrap(),
            ring: key_ring(&provider, suite),
            pairs: key_pairs(suite, title),
            peers: peers_on(suite.curve().unwrap_or(Curve::P256)),
            provider,
        }
    }

    fn keys(&mut self) -> Keys<'_, Provider> {
        Keys {
            provider: &self.provider,
            context: &mut self.context,
            dedicated: Some(&mut self.dedicated),
            key_ring: Some(&mut self.ring),
            asymmetric: Some(Asymmetric { provider: &PROVIDER, own: &self.pairs, peers: &self.peers }),
        }
    }

    fn seal(&mut self, envelope: Envelope, protection: Protection, plain: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; 1024];
        let place = HEADROOM..HEADROOM + plain.len();
        buffer[place.clone()].copy_from_slice(plain);
        let transaction = TransactionId::new(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]).unwrap();
        let form = Form::new(envelope, protection, SERVER_TITLE, transaction);
        let sealed = self.keys().seal(&mut Counters::default(), &form, &mut buffer, place).unwrap();
        buffer[sealed].to_vec()
    }

    fn open(&mut self, required: Protection, apdu: &[u8]) -> Result<Vec<u8>, ProtectionError> {
        let mut apdu = apdu.to_vec();
        let demand = Demand { accepted: ALL, ..Demand::new(CLIENT_TITLE, required) };
        self.keys().open(&demand, &mut apdu).map(|opened| apdu[opened.apdu].to_vec())
    }
}

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

/// Every envelope with a tag, and what is left of it when a signature stands inside.
fn envelopes(suite: SecuritySuite) -> Vec<Envelope> {
    use Carrier::{GeneralCiphering, ServiceSpecific, WithTitle};
    use KeyClass::{Broadcast, Dedicated, Global, OnePassDiffieHellman, StaticUnifiedModel, Wrapped};
    let mut envelopes = Vec::new();
    for carrier in [ServiceSpecific, WithTitle] {
        envelopes.extend([Global, Dedicated, Broadcast].map(|key| Envelope { carrier, key }));
    }
    envelopes.extend([Global, Broadcast, Wrapped].map(|key| Envelope { carrier: GeneralCiphering, key }));
    if suite.curve().is_some() {
        let agreed = [OnePassDiffieHellman, StaticUnifiedModel];
        envelopes.extend(agreed.map(|key| Envelope { carrier: GeneralCiphering, key }));
    }
    envelopes
}

/// Those whose keys are not agreed on, which takes its time.
fn symmetric(suite: SecuritySuite) -> impl Iterator<Item = Envelope> {
    let is_agreed = |key| matches!(key, KeyClass::OnePassDiffieHellman | KeyClass::StaticUnifiedModel);
    envelopes(suite).into_iter().filter(move |envelope| !is_agreed(envelope.key))
}

/// What a signature is nested with: everything in suite 1, in suite 2 what takes little time.
fn nested(suite: SecuritySuite) -> Vec<Envelope> {
    match suite {
        SecuritySuite::Suite2 => {
            vec![Envelope::GLOBAL, Envelope { carrier: Carrier::GeneralCiphering, ..Envelope::GLOBAL }]
        }
        _ => envelopes(suite),
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
        if let Ok(opened) = receiver.keys().open(&demand, &mut flipped.clone()) {
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
