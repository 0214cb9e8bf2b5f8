//! A client that fails too often is locked out for a while, learns nothing by it, and harms nobody who is associated.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use std::time::Duration;

use common::{Link, Meter, config, to_hex, unhex};
use cosem_objects::Effect;
use cosem_objects::classes::{CommunicationPortProtection, LockoutRule, PortProtectionMode};
use dlms::server::{AssociationConfig, Event, Lockout, LockoutState, RefusalReason, Session};
use dlms_obis::LogicalName;
use dlms_security::{AuthenticationMechanism, SecuritySuite};
use peer::{Form, Peer, stoc};

const RIGHT: &str = "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400007E1F04B0";

fn wrong() -> Vec<u8> {
    unhex(&RIGHT.replace("3132333435363738", "3132333435363739"))
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const LOCKOUT: Lockout = Lockout::new(3, at(10), 3, at(60));

fn locking(config: AssociationConfig) -> AssociationConfig {
    AssociationConfig { lockout: Some(LOCKOUT), ..config }
}

struct Line {
    session: Session<common::Provider, Vec<u8>>,
}

impl Line {
    fn new(meter: &Meter) -> Self {
        Self { session: Session::new(meter.associations[0].client_sap, vec![0; 2048]) }
    }

    fn at(&mut self, meter: &mut Meter, now: u64, apdu: &[u8]) -> String {
        let mut out = vec![0; 2048];
        let range = self.session.handle_apdu(&mut meter.host(), at(now), &mut apdu.to_vec(), &mut out);
        to_hex(&out[range.unwrap()])
    }

    fn last_refusal(&mut self) -> Option<RefusalReason> {
        let events = std::iter::from_fn(|| self.session.poll_event());
        events
            .filter_map(|event| if let Event::Refused { reason } = event { Some(reason) } else { None })
            .last()
    }
}

#[test]
fn wrong_passwords_lock_the_client_out_and_not_who_is_associated() {
    let mut meter = Meter::new(vec![locking(config(AuthenticationMechanism::Lls, None))]);
    let right = unhex(RIGHT);
    let (mut friend, mut guesser) = (Line::new(&meter), Line::new(&meter));
    let accepted = friend.at(&mut meter, 0, &right);
    let refused = guesser.at(&mut meter, 0, &wrong());
    assert_ne!(accepted, refused);
    for _ in 0..2 {
        assert_eq!(guesser.at(&mut meter, 0, &wrong()), refused);
        assert_eq!(guesser.last_refusal(), Some(RefusalReason::Authentication));
    }
    // Locked: the right password is answered as a wrong one is, on every connection, and tries make it no longer.
    for now in 0..10 {
        assert_eq!(guesser.at(&mut meter, now, &right), refused);
        assert_eq!(guesser.last_refusal(), Some(RefusalReason::LockedOut));
        assert_eq!(Line::new(&meter).at(&mut meter, now, &right), refused);
    }
    // Who was associated goes on.
    assert!(friend.session.association().is_some());
    let answer = friend.at(&mut meter, 5, &unhex("C001C100030100010800FF0200"));
    assert!(answer.starts_with("C401C100"), "{answer}");
    // The lock ends; the next failure makes one three times as long.
    assert_eq!(guesser.at(&mut meter, 10, &wrong()), refused);
    assert_eq!(guesser.at(&mut meter, 39, &right), refused);
    // It can be kept over a restart.
    let state = meter.associations[0].lockout.unwrap().state(at(39));
    assert_eq!(state, LockoutState { failed: 4, left: at(1) });
    meter.associations[0].lockout = Some(LOCKOUT.in_state(state, at(0)));
    assert_eq!(guesser.at(&mut meter, 0, &right), refused);
    assert_eq!(guesser.at(&mut meter, 1, &right), accepted);
    assert_eq!(meter.associations[0].lockout.unwrap().state(at(1)), LockoutState::default());
}

#[test]
fn wrong_proofs_and_keys_count_and_replays_do_not() {
    let suite = SecuritySuite::Suite0;
    let mut link = Link::new(locking(config(AuthenticationMechanism::Gmac, Some(suite))));
    let failed = |link: &Link| link.meter.associations[0].lockout.unwrap().state(Duration::ZERO).failed;
    let mut peer = Peer::new(suite);
    let aarq = peer.aarq(AuthenticationMechanism::Gmac, false, 0);
    let first = stoc(&link.exchange(&aarq).unwrap());
    let counter = peer.next_counter(false);
    let mut challenge = first.clone();
    challenge[0] ^= 1;
    let proof = peer.proof(&challenge, counter);
    let proof = peer.seal(Form::Glo, &proof);
    link.exchange(&proof).unwrap();
    assert_eq!(failed(&link), 1);
    // A recorded AARQ is told the lowest acceptable counter; nobody is locked out by it.
    for _ in 0..5 {
        assert!(to_hex(&link.exchange(&aarq).unwrap()).starts_with("D80106"));
    }
    assert_eq!(failed(&link), 1);
    let mut forged = peer.aarq(AuthenticationMechanism::Gmac, false, 0);
    *forged.last_mut().unwrap() ^= 1;
    link.exchange(&forged).unwrap();
    assert_eq!(failed(&link), 2);
    // A success starts anew, and each challenge is another one.
    let aarq = peer.aarq(AuthenticationMechanism::Gmac, false, 0);
    let second = stoc(&link.exchange(&aarq).unwrap());
    assert_ne!(first, second);
    assert_eq!(failed(&link), 2, "a challenge is no success");
    let counter = peer.next_counter(false);
    let proof = peer.proof(&second, counter);
    let proof = peer.seal(Form::Glo, &proof);
    link.exchange(&proof).unwrap();
    assert!(link.session.association().is_some());
    assert_eq!(failed(&link), 0);
}

/// A Communication port protection object decides for all clients of its port, shows what it counts, and is driven through
/// its attributes and its method.
#[test]
fn the_object_of_the_port_shows_and_drives_the_lock() {
    const PORT: LogicalName = LogicalName::new(0, 0, 44, 2, 0, 255);
    const PUBLIC: &str = "601DA109060760857405080101BE10040E01000000065F1F0400007E1FFFFF";
    let rule = LockoutRule {
        allowed_failed_attempts: 2,
        initial_lockout_time: 10,
        steepness_factor: 2,
        max_lockout_time: 30,
    };
    let driven = |config| AssociationConfig { lockout: Some(LOCKOUT.driven_by(PORT)), ..config };
    let lls = driven(config(AuthenticationMechanism::Lls, None));
    let other = AssociationConfig { client_sap: 17, ..lls.clone() };
    let manager = AssociationConfig { client_sap: 1, ..config(AuthenticationMechanism::None, None) };
    let mut meter = Meter::new(vec![lls, other, manager]);
    let port = CommunicationPortProtection::new(
        PORT,
        PortProtectionMode::LockedOnFailedAttempts,
        rule,
        LogicalName::new(0, 0, 22, 0, 0, 255),
    );
    meter.device.objects.insert(0, Box::new(port));
    let right = unhex(RIGHT);
    let line = |client_sap| Line { session: Session::new(client_sap, vec![0; 2048]) };
    let (mut one, mut two, mut manager) = (line(16), line(17), line(1));
    manager.at(&mut meter, 0, &unhex(PUBLIC));
    let mut read = |meter: &mut Meter, now: u64, attribute: u8| {
        manager.at(meter, now, &unhex(&format!("C001C1007C00002C0200FF{attribute:02X}00")))[8..].to_owned()
    };
    // Failures of both clients count together; each is told of.
    one.at(&mut meter, 0, &wrong());
    assert_eq!(read(&mut meter, 0, 9), "0600000001");
    assert_eq!(read(&mut meter, 0, 8), "1600");
    two.at(&mut meter, 0, &wrong());
    let locked = Effect::PortLocked { protection: PORT, seconds: 10 };
    let events: Vec<_> = std::iter::from_fn(|| two.session.poll_event()).collect();
    assert!(events.contains(&Event::Effect(locked)), "{events:?}");
    assert_eq!(read(&mut meter, 1, 8), "1601", "temporarily locked");
    assert!(one.at(&mut meter, 9, &right).contains("A203020101"));
    assert_eq!(one.last_refusal(), Some(RefusalReason::LockedOut));
    // It ends by itself.
    assert!(one.at(&mut meter, 10, &right).contains("A203020100"));
    assert_eq!(
        [8, 9, 10].map(|attribute| read(&mut meter, 10, attribute)),
        ["1600", "0600000000", "0600000002"]
    );
    // By its method.
    (0..2).for_each(|_| drop(two.at(&mut meter, 20, &wrong())));
    assert!(two.at(&mut meter, 21, &right).contains("A203020101"));
    assert_eq!(manager_again(&mut meter, "C301C1007C00002C0200FF01010F00"), "C701C10000");
    assert!(two.at(&mut meter, 22, &right).contains("A203020100"));
    // By its mode: locked for good, and open.
    assert_eq!(manager_again(&mut meter, "C101C1007C00002C0200FF02001600"), "C501C100");
    assert!(two.at(&mut meter, 10_000, &right).contains("A203020101"));
    assert_eq!(manager_again(&mut meter, "C101C1007C00002C0200FF02001602"), "C501C100");
    (0..9).for_each(|_| drop(two.at(&mut meter, 10_001, &wrong())));
    assert!(two.at(&mut meter, 10_001, &right).contains("A203020100"));
    // Where there is no such object, what the association was told holds.
    meter.device.objects.remove(0);
    (0..3).for_each(|_| drop(two.at(&mut meter, 20_000, &wrong())));
    assert!(two.at(&mut meter, 20_001, &right).contains("A203020101"));
    assert!(two.at(&mut meter, 20_010, &right).contains("A203020100"));
}

/// Asks as a client without authentication.
fn manager_again(meter: &mut Meter, apdu: &str) -> String {
    let mut line = Line { session: Session::new(1, vec![0; 2048]) };
    line.at(meter, 0, &unhex("601DA109060760857405080101BE10040E01000000065F1F0400007E1FFFFF"));
    line.at(meter, 0, &unhex(apdu))
}
