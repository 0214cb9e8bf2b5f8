//! Keys, certificates and policies changed from afar, with everything lost that can be lost.
//!
//! A rotation is run once whole, to count its exchanges and its writes; then again for each of them, with the request
//! lost there, the answer lost, or the head-end killed, over both framings. Whatever happens both ends have the new key,
//! the old one is refused, the meter, which locks out at the third failure in a row, never did, and no nonce came twice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/fleet/mod.rs"]
mod fleet;
#[path = "common/secure_element.rs"]
mod secure_element;

use dlms::client::rotation::{
    Answer, KeyRotation, NewRotation, RotationEnvironment, RotationError, RotationMethod, RotationStore,
    STEP_BUFFER, SetupKeys, Step,
};
use dlms_axdr::Data;
use dlms_security::{AuthenticationMechanism, KeyId, SecretKey, SecuritySuite};
use proptest::prelude::*;

use fleet::{End, Fault, Framing, Keys, SETUP, World, initial, sealed_under};

const SUITES: [SecuritySuite; 3] = [SecuritySuite::Suite0, SecuritySuite::Suite1, SecuritySuite::Suite2];
const GMAC: AuthenticationMechanism = AuthenticationMechanism::Gmac;

fn world(suite: SecuritySuite, framing: Framing) -> World {
    World::new(Keys::Octets, suite, framing, GMAC)
}

/// Both ends have the new key, and the old one is good for nothing.
fn check(world: &mut World, new: &NewRotation) {
    let (suite, id) = (world.suite, new.id);
    let old = initial(suite, 0, id);
    assert!(world.store.pending.is_none());
    let value = |world: &World, id| world.recorder.reveal(&world.store.key(id));
    for id in KeyId::ALL {
        let meters = world.meter.recorder.reveal(&world.meter.key(id));
        assert!(value(world, id) == meters, "{id:?} differs");
    }
    assert_ne!(value(world, id), old.expose());
    let old = world.recorder.put(suite, &old);
    let current = world.store.setup_keys();
    assert!(world.opens_with(&current));
    match id {
        KeyId::GlobalUnicast => assert!(!world.opens_with(&SetupKeys { unicast: old, ..current.clone() })),
        KeyId::Authentication => {
            let authentication = dlms_security::AuthenticationKey::from_key(suite, &old).unwrap();
            assert!(!world.opens_with(&SetupKeys { authentication, ..current.clone() }));
        }
        KeyId::Master => {
            assert!(!world.transfers_under(&old));
            let master = world.store.keys.master.clone().unwrap();
            assert!(world.transfers_under(&master));
        }
        KeyId::GlobalBroadcast => {
            let new = world.store.keys.broadcast.clone().unwrap();
            assert!(world.hears_broadcast(&new));
            assert!(!world.hears_broadcast(&old));
        }
    }
    assert!(world.opens_with(&current));
}

/// A rotation with one fault at each place in turn.
fn with_every_fault(keys: Keys, suite: SecuritySuite, framing: Framing, new: &NewRotation) {
    let world = |suite, framing| World::new(keys, suite, framing, GMAC);
    // P-384 is slow: there, what changes most.
    let is_slow = suite == SecuritySuite::Suite2 && new.method == RotationMethod::Agreement;
    let faults = if is_slow { &[Fault::LoseAnswer] } else { &Fault::ALL[..] };
    let slots = |world: &World| [&world.recorder, &world.meter.recorder].map(fleet::Recorder::slots);
    let mut whole = world(suite, framing);
    let [utility, meter] = slots(&whole);
    // Nobody keeps more than before, but for the key that the meter has replaced last.
    let holds = |world: &World| {
        let found = slots(world);
        assert!(
            found == [utility, meter + usize::from(meter > 0)],
            "{new:?}: {found:?}, not {utility}, {meter}"
        );
    };
    whole.rotate(new).unwrap();
    holds(&whole);
    assert_eq!(whole.runs, 1);
    let (exchanges, writes) = (whole.exchanges, whole.store.writes);
    check(&mut whole, new);
    for place in 0..exchanges {
        for &fault in faults {
            let mut world = world(suite, framing);
            world.faults.insert(place, fault);
            world.rotate(new).unwrap_or_else(|end| panic!("{fault:?} at {place}: {end:?}"));
            // Whoever is killed knows no more what only its memory knew.
            if matches!(fault, Fault::LoseRequest | Fault::LoseAnswer) {
                holds(&world);
            }
            check(&mut world, new);
        }
    }
    for place in 0..writes {
        for is_done in [false, true].into_iter().filter(|is_done| *is_done || !is_slow) {
            let mut world = world(suite, framing);
            world.store.kill_at_write = Some((place, is_done));
            world.rotate(new).unwrap_or_else(|end| panic!("killed at write {place}: {end:?}"));
            check(&mut world, new);
        }
    }
}

#[test]
fn every_key_is_transferred_whatever_is_lost() {
    for suite in SUITES {
        for id in KeyId::ALL {
            let framing = if id.id() % 2 == suite.id() % 2 { Framing::Wrapper } else { Framing::Hdlc };
            with_every_fault(Keys::Octets, suite, framing, &NewRotation::new(id, RotationMethod::Transfer));
        }
    }
}

#[test]
fn over_both_framings() {
    for framing in [Framing::Wrapper, Framing::Hdlc] {
        for id in KeyId::ALL {
            with_every_fault(
                Keys::Octets,
                SecuritySuite::Suite0,
                framing,
                &NewRotation::new(id, RotationMethod::Transfer),
            );
        }
    }
}

#[test]
fn master_and_broadcast_keys_are_agreed_on_whatever_is_lost() {
    for (suite, framing) in
        [(SecuritySuite::Suite1, Framing::Wrapper), (SecuritySuite::Suite2, Framing::Hdlc)]
    {
        for id in [KeyId::Master, KeyId::GlobalBroadcast] {
            with_every_fault(Keys::Octets, suite, framing, &NewRotation::new(id, RotationMethod::Agreement));
        }
    }
}

#[test]
fn keys_of_associations_are_agreed_on_whatever_is_lost() {
    for (suite, framing) in
        [(SecuritySuite::Suite1, Framing::Hdlc), (SecuritySuite::Suite2, Framing::Wrapper)]
    {
        for id in [KeyId::GlobalUnicast, KeyId::Authentication] {
            // Through the other association, and under a master key that is agreed on.
            for through_other in [true, false] {
                let new = NewRotation { through_other, ..NewRotation::new(id, RotationMethod::Agreement) };
                with_every_fault(Keys::Octets, suite, framing, &new);
            }
        }
    }
}

#[test]
fn two_faults_lock_nobody_out() {
    let (suite, framing) = (SecuritySuite::Suite0, Framing::Wrapper);
    let new = NewRotation::new(KeyId::GlobalUnicast, RotationMethod::Transfer);
    for first in 0..8 {
        for second in first + 1..12 {
            for faults in Fault::ALL.map(|a| Fault::ALL.map(|b| [a, b])).concat() {
                let mut world = world(suite, framing);
                world.faults.insert(first, faults[0]);
                world.faults.insert(second, faults[1]);
                world.rotate(&new).unwrap_or_else(|end| panic!("{faults:?} at {first}, {second}: {end:?}"));
                world.faults.clear();
                check(&mut world, &new);
            }
        }
    }
}

#[test]
fn a_key_that_comes_back_goes_on_with_its_counters() {
    let mut world = world(SecuritySuite::Suite0, Framing::Wrapper);
    let first = world.store.keys.unicast.clone();
    let new = NewRotation::new(KeyId::GlobalUnicast, RotationMethod::Transfer);
    let used = |key: &SecretKey| sealed_under(key);
    world.rotate(&new).unwrap();
    let before = used(&first);
    assert!(before > 0);
    // The recorder fails the test if a nonce under the first value came again.
    world.rotate(&NewRotation { key: Some(first.clone()), ..new }).unwrap();
    assert_eq!(world.store.keys.unicast.expose(), first.expose());
    assert!(used(&first) > before);
}

#[test]
fn what_the_meter_refuses_is_forgotten_and_changes_nothing() {
    let mut world = world(SecuritySuite::Suite0, Framing::Wrapper);
    // Not the master key that the meter has.
    world.store.keys.master = Some(initial(SecuritySuite::Suite0, 1, KeyId::Master));
    for id in KeyId::ALL {
        let ended = world.rotate(&NewRotation::new(id, RotationMethod::Transfer));
        assert_eq!(ended, Err(End::Failed(RotationError::Refused(250))), "{id:?}");
        assert!(world.store.pending.is_none() && world.store.commits == 0);
    }
}

#[test]
fn what_is_pending_comes_first() {
    let mut world = world(SecuritySuite::Suite0, Framing::Wrapper);
    let unicast = NewRotation::new(KeyId::GlobalUnicast, RotationMethod::Transfer);
    world.faults = (0..1000).map(|place| (place, Fault::LoseAnswer)).collect();
    world.faults.retain(|place, _| *place > 2);
    assert!(std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| world.rotate(&unicast))).is_err());
    let pending = RotationStore::pending(&mut world.store).unwrap().unwrap();
    assert!(pending.id == KeyId::GlobalUnicast && pending.is_requested);
    let mut env =
        RotationEnvironment { provider: &fleet::Recorder::Software, store: &mut world.store, parties: None };
    let other = NewRotation::new(KeyId::Master, RotationMethod::Transfer);
    let begun = KeyRotation::begin(&mut env, SETUP, SecuritySuite::Suite0, other);
    assert_eq!(begun.err(), Some(RotationError::Unfinished));
}

#[test]
fn a_certificate_is_renewed_whatever_is_lost() {
    renewals(
        Keys::Octets,
        &[(SecuritySuite::Suite1, Framing::Wrapper), (SecuritySuite::Suite2, Framing::Hdlc)],
    );
}

fn renewals(keys: Keys, lines: &[(SecuritySuite, Framing)]) {
    for &(suite, framing) in lines {
        let begin = || {
            let mut world = World::new(keys, suite, framing, AuthenticationMechanism::Ecdsa);
            world.certify();
            let old = world.store.certificate.clone().unwrap();
            (world, old)
        };
        let check = |mut world: World, old: &[u8]| {
            let new = world.store.certificate.clone().unwrap();
            assert_ne!(new, old);
            assert!(world.store.pending_certificate.is_none());
            assert_eq!(world.meter_certificates(), std::slice::from_ref(&new));
            assert!(world.proves_with(&new));
            assert!(!world.proves_with(old));
        };
        let (mut whole, old) = begin();
        whole.renew();
        assert_eq!(whole.runs, 1);
        let (exchanges, writes) = (whole.exchanges, whole.store.writes);
        check(whole, &old);
        // P-384 is slow: there, what changes most.
        let faults = if suite == SecuritySuite::Suite1 { &Fault::ALL[..] } else { &[Fault::LoseAnswer] };
        for place in 0..exchanges {
            for &fault in faults {
                let (mut world, old) = begin();
                world.faults.insert(place, fault);
                world.renew();
                check(world, &old);
            }
        }
        for place in 0..writes {
            for is_done in [false, true] {
                let (mut world, old) = begin();
                world.store.kill_at_write = Some((place, is_done));
                world.renew();
                check(world, &old);
            }
        }
    }
}

#[test]
fn a_policy_is_raised_whatever_is_lost() {
    policies(Keys::Octets);
}

fn policies(keys: Keys) {
    let world = |suite, framing| World::new(keys, suite, framing, GMAC);
    for (suite, policy) in [(SecuritySuite::Suite0, 3), (SecuritySuite::Suite1, 0x6C)] {
        let mut whole = world(suite, Framing::Wrapper);
        whole.raise(policy).unwrap();
        let exchanges = whole.exchanges;
        assert!(whole.raise(0).is_ok(), "less is demanded than is in force");
        for place in 0..exchanges {
            for fault in Fault::ALL {
                let mut world = world(suite, Framing::Hdlc);
                world.faults.insert(place, fault);
                world.raise(policy).unwrap();
                assert_eq!(world.meter.security[0].policy().bits(), 0x6C);
            }
        }
    }
}

/// The same where both ends have handles alone: what is lost, begun anew, given up and freed are slots of elements, which
/// end the test when one is used or freed that is not there.
#[test]
fn secure_elements_lose_nothing_either() {
    let (suite, keys) = (SecuritySuite::Suite1, Keys::Handles);
    for id in KeyId::ALL {
        with_every_fault(keys, suite, Framing::Wrapper, &NewRotation::new(id, RotationMethod::Transfer));
        let new = NewRotation { through_other: true, ..NewRotation::new(id, RotationMethod::Agreement) };
        with_every_fault(keys, suite, Framing::Hdlc, &new);
    }
    // Under a master key that is agreed on.
    let new = NewRotation::new(KeyId::GlobalUnicast, RotationMethod::Agreement);
    with_every_fault(keys, suite, Framing::Wrapper, &new);
    renewals(keys, &[(suite, Framing::Hdlc)]);
    policies(keys);
}

/// What a driver may say, whatever the step was.
fn any_answer() -> impl Strategy<Value = Answer<'static>> {
    prop_oneof![
        4 => Just(Answer::Associated),
        1 => Just(Answer::NotAssociated),
        2 => Just(Answer::Returned(None)),
        1 => Just(Answer::Returned(Some(Data::OctetString(&[7; 40])))),
        1 => any::<u8>().prop_map(Answer::Denied),
        1 => Just(Answer::Unreached),
        1 => Just(Answer::Lost),
    ]
}

proptest! {
    /// Nothing is committed that the meter was not seen to use, nothing that may be in use is forgotten, and every run ends.
    #[test]
    fn any_answers_leave_a_way_out(
        id in 0..4u8,
        answers in proptest::collection::vec(any_answer(), 200),
    ) {
        let mut world = world(SecuritySuite::Suite0, Framing::Wrapper);
        let id = KeyId::from_id(id).unwrap();
        let mut env = RotationEnvironment { provider: &fleet::Recorder::Software, store: &mut world.store, parties: None };
        let new = NewRotation::new(id, RotationMethod::Transfer);
        let mut rotation = KeyRotation::begin(&mut env, SETUP, SecuritySuite::Suite0, new).unwrap();
        let mut buffer = [0; STEP_BUFFER];
        let (mut is_ended, mut was_done, mut was_unanswered) = (false, false, false);
        for answer in answers {
            let step = rotation.next(&mut env, &mut buffer).unwrap();
            let (is_request, is_access) = (matches!(step, Step::Invoke(..)), matches!(step, Step::Associate(_)));
            if step == Step::Done {
                is_ended = true;
                break;
            }
            was_done |= !is_access && matches!(answer, Answer::Returned(_) | Answer::Denied(_));
            was_unanswered |= is_request && answer == Answer::Lost;
            if let Err(error) = rotation.answer(&mut env, answer) {
                let is_pending = RotationStore::pending(env.store).unwrap().is_some();
                if error != RotationError::Unexpected {
                    prop_assert!(is_pending || !was_unanswered || matches!(error, RotationError::Refused(_)));
                }
                is_ended = true;
                break;
            }
        }
        prop_assert!(is_ended);
        prop_assert!(world.store.commits == 0 || was_done);
    }
}
