//! Whatever a client may send, to a server in any state: nothing panics, and without the key nothing is served.
//!
//! ```text
//! state (1) | length (1) | APDU | length (1) | APDU …
//! ```
//!
//! Bits 0 to 2 of the state choose the association, bits 3 and 4 the suite, bits 5 and 6 the envelope, and bit 7 has the
//! APDUs sealed with the right key first.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/peer.rs"]
mod peer;

use common::{CLIENT_TITLE, Link, config, unhex};
use dlms::server::{AssociationConfig, Event, Session};
use dlms_security::{AuthenticationMechanism, Protection, SecuritySuite};
use libfuzzer_sys::fuzz_target;
use peer::{Form, Peer};

const AARQ: &str = "601DA109060760857405080101BE10040E01000000065F1F040060FEDF0040";

fuzz_target!(|input: &[u8]| {
    let Some((&state, mut rest)) = input.split_first() else { return };
    let suite = SecuritySuite::ALL[usize::from(state >> 3 & 3) % 3];
    let none = AuthenticationMechanism::None;
    let (config, is_open) = match state & 7 {
        0 => (config(none, None), false),
        1 => (config(none, None), true),
        2 => (config(AuthenticationMechanism::Lls, None), false),
        3 => (config(AuthenticationMechanism::Md5, None), false),
        4 => (config(none, Some(suite)), true),
        5 => (AssociationConfig { policy: Protection::empty(), ..config(none, Some(suite)) }, true),
        6 => (config(AuthenticationMechanism::Gmac, Some(suite)), true),
        _ => (config(AuthenticationMechanism::Gmac, Some(suite)), false),
    };
    let is_protected = !config.policy.is_empty();
    let context = config.security;
    let mut link = Link::new(config);
    link.session = Session::new(16, vec![0; 512]);
    link.out.truncate(512);
    let mut peer = Peer::new(suite);
    match (context.is_some(), is_open) {
        (true, true) => peer.associate(&mut link),
        (true, false) => {
            let aarq = peer.aarq(AuthenticationMechanism::Gmac, true, 200);
            link.exchange(&aarq).expect("an AARE");
        }
        (false, true) => {
            link.exchange(&unhex(AARQ)).expect("an AARE");
        }
        (false, false) => {}
    }
    while link.session.poll_event().is_some() {}
    let floor = |link: &Link| context.map(|index| link.meter.security[index].lowest_acceptable(CLIENT_TITLE));
    let (association, floor_before) = (link.session.association(), floor(&link));
    let form = Form::ALL[usize::from(state >> 5 & 3)];
    let is_sealed = context.is_some() && state & 0x80 != 0;
    while let Some((&length, behind)) = rest.split_first() {
        let (apdu, next) = behind.split_at(usize::from(length).min(behind.len()));
        rest = next;
        match apdu.first() {
            Some(0xC0 | 0xC1 | 0xC3) if is_sealed => link.exchange(&peer.seal(form, apdu)),
            Some(_) if is_sealed => link.exchange(&peer.seal(Form::GeneralGlo, apdu)),
            _ => link.exchange(apdu),
        };
        while let Some(event) = link.session.poll_event() {
            let is_change = matches!(
                event,
                Event::AttributeWritten { .. } | Event::MethodInvoked { .. } | Event::WindowMoved { .. }
            );
            assert!(is_sealed || !is_protected || !is_change, "{event:?}");
        }
        if is_protected && !is_sealed {
            let now = link.session.association();
            assert!(now.is_none() || now == association);
            assert_eq!(floor(&link), floor_before);
        }
    }
});
