//! Whatever may come in general-ciphering, or in any other envelope: nothing panics, and nothing opens that was not
//! sealed.
//!
//! ```text
//! suite and form (1) | state (1) | octets
//! ```
//!
//! Bit 0 of the state: the octets are the APDU as it comes. Otherwise an APDU is sealed in the form, and the octets are
//! changes to it: place (2), octet (1).
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::side::{Side, envelopes};
use common::{CLIENT_TITLE, SERVER_TITLE};
use dlms::{Accepted, Demand};
use dlms_security::{InvocationCounter, Protection, SecuritySuite};
use libfuzzer_sys::fuzz_target;

const PLAIN: &[u8] = &[0xC0, 1, 0xC1, 0, 3, 1, 0, 1, 8, 0, 0xFF, 2, 0];
const AE: Protection = Protection::AUTHENTICATED_ENCRYPTED;

fuzz_target!(|input: &[u8]| {
    let [form, state, rest @ ..] = input else { return };
    let suite = SecuritySuite::ALL[usize::from(form % 3)];
    let envelopes = envelopes(suite);
    let envelope = envelopes[usize::from(form / 3) % envelopes.len()];
    let mut receiver = Side::new(suite, SERVER_TITLE);
    let accepted = Accepted::all();
    let demand = Demand { accepted, ..Demand::new(CLIENT_TITLE, AE) };
    if state & 1 != 0 {
        let mut apdu = rest.to_vec();
        assert!(receiver.keys().open(&mut common::Counters::default(), &demand, &mut apdu).is_err());
        let lenient = Demand { accepted, ..Demand::new(CLIENT_TITLE, Protection::empty()) };
        if let Ok(opened) = receiver.keys().open(&mut common::Counters::default(), &lenient, &mut rest.to_vec()) {
            assert_eq!((opened.protection, opened.apdu), (Protection::empty(), 0..rest.len()));
        }
        assert_eq!(receiver.context.lowest_acceptable(CLIENT_TITLE), InvocationCounter::new(0));
        return;
    }
    let sealed = Side::new(suite, CLIENT_TITLE).seal(envelope, AE, PLAIN);
    let mut apdu = sealed.clone();
    for change in rest.chunks_exact(3).take(4) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % apdu.len();
        apdu[place] = change[2];
    }
    let is_right = apdu == sealed;
    let opened = receiver.keys().open(&mut common::Counters::default(), &demand, &mut apdu);
    assert_eq!(opened.is_ok(), is_right, "{opened:?}");
});
