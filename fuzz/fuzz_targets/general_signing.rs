//! Whatever may come in general-signing, alone, around ciphering and inside of it: nothing panics, and nothing opens that
//! was not signed.
//!
//! ```text
//! suite and nesting (1) | state (1) | octets
//! ```
//!
//! Bit 0 of the state: the octets are the APDU as it comes. Otherwise an APDU is signed, and the octets are changes to it:
//! place (2), octet (1). Nesting: the signature alone, ciphering outside of it, ciphering inside of it.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::side::Side;
use common::{CLIENT_TITLE, SERVER_TITLE};
use dlms::{Accepted, Carrier, Demand, Envelope, KeyClass};
use dlms_security::{Protection, SecuritySuite};
use libfuzzer_sys::fuzz_target;

const PLAIN: &[u8] = &[0xC0, 1, 0xC1, 0, 3, 1, 0, 1, 8, 0, 0xFF, 2, 0];
const AE: Protection = Protection::AUTHENTICATED_ENCRYPTED;

fuzz_target!(|input: &[u8]| {
    let [form, state, rest @ ..] = input else { return };
    let suite = [SecuritySuite::Suite1, SecuritySuite::Suite2][usize::from(form & 1)];
    let mut receiver = Side::new(suite, SERVER_TITLE);
    let accepted = Accepted::all();
    let demand = |required| Demand { accepted, ..Demand::new(CLIENT_TITLE, required) };
    if state & 1 != 0 {
        assert!(receiver.keys().open(&mut common::Counters::default(), &demand(Protection::SIGNED), &mut rest.to_vec()).is_err());
        return;
    }
    let mut sender = Side::new(suite, CLIENT_TITLE);
    let identified = Envelope { carrier: Carrier::GeneralCiphering, key: KeyClass::Global };
    let (sealed, required) = match form >> 1 & 3 {
        0 => (sender.seal(identified, Protection::SIGNED, PLAIN), Protection::SIGNED),
        1 => (sender.seal(identified, AE | Protection::SIGNED, PLAIN), AE | Protection::SIGNED),
        2 => {
            let ciphered = sender.seal(identified, AE, PLAIN);
            (sender.seal(identified, Protection::SIGNED, &ciphered), AE | Protection::SIGNED)
        }
        _ => {
            let ciphered = sender.seal(Envelope::GLOBAL, AE, PLAIN);
            (sender.seal(Envelope::GLOBAL, Protection::SIGNED, &ciphered), AE | Protection::SIGNED)
        }
    };
    let mut apdu = sealed.clone();
    for change in rest.chunks_exact(3).take(4) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % apdu.len();
        apdu[place] = change[2];
    }
    let is_right = apdu == sealed;
    let opened = receiver.keys().open(&mut common::Counters::default(), &demand(required), &mut apdu);
    assert_eq!(opened.is_ok(), is_right, "{opened:?}");
});
