//! Data protection (class_id 30): values and parameters with protection of their own, at both ends.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "common/protected.rs"]
mod protected;

use common::{CLIENT_TITLE, ENERGY, HIDDEN, LONG_TEXT, SERVER_TITLE};
use cosem_objects::AccessRights;
use cosem_objects::classes::{ProtectedObject, Restriction};
use dlms::client::data_protection::get_request;
use dlms::server;
use dlms::xdlms::{ActionResult, MethodDescriptor};
use dlms::{Accepted, DataLayer, KeyClass, TransactionId};
use dlms_axdr::Data;
use dlms_security::Protection;
use proptest::prelude::*;
use protected::{AE, NOT_TAKEN, OBJECT, Pair, S, TAKEN, all_layers, encoded, layer, whole};

const TEXT: ProtectedObject<'static> = whole(1, LONG_TEXT, 2);
const VALUE: ProtectedObject<'static> = whole(3, ENERGY, 2);
const RESET: MethodDescriptor = MethodDescriptor::new(3, ENERGY, 1);

fn get(objects: &[ProtectedObject<'_>], layers: &[DataLayer]) -> Vec<u8> {
    let mut buffer = [0; 1024];
    encoded(&get_request(CLIENT_TITLE, SERVER_TITLE, objects, layers, &mut buffer).unwrap())
}

#[test]
fn every_method_with_every_kind_of_layer() {
    for policy in [Protection::empty(), AE] {
        for layers in all_layers() {
            let what = format!("{policy:?} {layers:?}");
            let is_carried = !policy.is_empty();
            let protection = layers.iter().fold(Protection::empty(), |all, layer| all | layer.protection);
            let mut pair = Pair::new(TAKEN, policy, 0);
            let values = (Data::OctetString(&[1, 2]),);
            let parameter = pair.set(&[TEXT], &layers, &values);
            assert_eq!(pair.call(2, &parameter).0, ActionResult::Success, "{what}");
            assert_eq!(pair.read(1, LONG_TEXT), [9, 2, 1, 2], "{what}");
            if policy.is_empty() {
                assert_ne!(pair.call(2, &parameter).0, ActionResult::Success, "replayed: {what}");
            }
            // A signature alone is told by its transaction-id, which these tests do not change.
            let (result, returned) = pair.call(1, &get(&[TEXT, VALUE], &layers));
            assert_eq!(result, ActionResult::Success, "{what}");
            let read = pair.open(protection, is_carried || protection == S, &returned);
            assert_eq!(read, Ok(encoded(&(Data::OctetString(&[1, 2]), 5009u32))), "{what}");
            if is_carried || protection != S {
                let parameter = pair.method(RESET, &layers, &0i8);
                assert_eq!(pair.call(3, &parameter), (ActionResult::Success, vec![]), "{what}");
                assert_eq!(pair.read(3, ENERGY), encoded(&0u32), "{what}");
            }
        }
    }
}

#[test]
fn it_is_refused_unless_the_association_takes_it() {
    let layers = &all_layers()[2];
    let mut pair = Pair::new(NOT_TAKEN, AE, 0);
    let parameter = pair.method(RESET, layers, &0i8);
    assert_eq!(pair.call(3, &parameter).0, ActionResult::ReadWriteDenied);
    assert_eq!(pair.call(1, &get(&[VALUE], layers)).0, ActionResult::ReadWriteDenied);
    let parameter = pair.set(&[TEXT], layers, &(Data::OctetString(&[1]),));
    assert_eq!(pair.call(2, &parameter).0, ActionResult::ReadWriteDenied);
    assert_eq!((pair.read(3, ENERGY), pair.read(1, LONG_TEXT)), (encoded(&5009u32), vec![9, 0]));
    // Keys and signatures are taken as for APDUs.
    let mut pair = Pair::new(Accepted::default() | Accepted::DATA_PROTECTION, AE, 0);
    for layers in all_layers() {
        let parameter = pair.method(RESET, &layers, &0i8);
        assert_eq!(pair.call(3, &parameter).0, ActionResult::ReadWriteDenied, "{layers:?}");
        assert_eq!(pair.call(1, &get(&[VALUE], &layers)).0, ActionResult::ReadWriteDenied, "{layers:?}");
    }
    assert_eq!(pair.read(3, ENERGY), encoded(&5009u32));
}

/// What is reached this way needs the same rights as if it were asked for itself.
#[test]
fn it_is_no_way_past_the_rights_of_what_is_reached() {
    for layers in all_layers() {
        let mut pair = Pair::new(TAKEN, Protection::empty(), 0);
        let encrypted = AccessRights::READ | AccessRights::WRITE | AccessRights::ENCRYPTED_REQUEST;
        pair.link.meter.device.attribute_rights = vec![
            (ENERGY, 2, AccessRights::READ),
            (LONG_TEXT, 2, AccessRights::empty()),
            (ENERGY, 3, encrypted),
        ];
        pair.link.meter.device.method_rights = vec![(ENERGY, 1, AccessRights::empty())];
        assert_eq!(HIDDEN.octets(), &[0, 0, 96, 1, 9, 255]);
        for (object, result) in [
            (TEXT, ActionResult::ReadWriteDenied),
            // The data are encrypted, the request is not.
            (whole(3, ENERGY, 3), ActionResult::ReadWriteDenied),
            (whole(1, HIDDEN, 2), ActionResult::ObjectUndefined),
            (whole(30, OBJECT, 6), ActionResult::ReadWriteDenied),
            (ProtectedObject { data_index: 1, ..VALUE }, ActionResult::OtherReason),
            (
                ProtectedObject { restriction: Restriction::ByEntry { from_entry: 1, to_entry: 1 }, ..VALUE },
                ActionResult::TypeUnmatched,
            ),
        ] {
            assert_eq!(pair.call(1, &get(&[VALUE, object], &layers)), (result, vec![]), "{object:?}");
        }
        // Nothing is set where not all may be.
        pair.link.meter.device.attribute_rights = vec![(ENERGY, 2, AccessRights::READ)];
        let values = (Data::OctetString(&[1]), 1u32);
        let parameter = pair.set(&[TEXT, VALUE], &layers, &values);
        assert_eq!(pair.call(2, &parameter).0, ActionResult::ReadWriteDenied);
        assert_eq!(pair.read(1, LONG_TEXT), [9, 0]);
        let parameter = pair.method(RESET, &layers, &0i8);
        assert_eq!(pair.call(3, &parameter).0, ActionResult::ReadWriteDenied);
        let itself = MethodDescriptor::new(30, OBJECT, 3);
        let parameter = pair.method(itself, &layers, &0i8);
        assert_eq!(pair.call(3, &parameter).0, ActionResult::ReadWriteDenied);
        assert_eq!(pair.read(3, ENERGY), encoded(&5009u32));
        let events: Vec<_> = std::iter::from_fn(|| pair.link.session.poll_event()).collect();
        assert!(!events.iter().any(|event| matches!(event, server::Event::AttributeWritten { .. })));
    }
}

#[test]
fn what_the_object_requires_is_asked_of_the_data() {
    let id = TransactionId::new(&[9]).unwrap();
    // Signed and encrypted requests, authenticated responses.
    let required = (AccessRights::SIGNED_REQUEST
        | AccessRights::ENCRYPTED_REQUEST
        | AccessRights::AUTHENTICATED_RESPONSE)
        .bits();
    let (ciphered, signed) = (layer(AE, KeyClass::Global, id), layer(S, KeyClass::Global, id));
    let mut pair = Pair::new(TAKEN, AE, required);
    for (layers, is_enough) in [
        (&[ciphered][..], false),
        (&[signed], false),
        (&[signed, ciphered], true),
        (&[ciphered, signed], true),
    ] {
        let parameter = pair.set(&[TEXT], layers, &(Data::OctetString(&[layers.len() as u8]),));
        assert_eq!(pair.call(2, &parameter).0 == ActionResult::Success, is_enough, "{layers:?}");
        let parameter = pair.method(RESET, layers, &0i8);
        assert_eq!(pair.call(3, &parameter).0 == ActionResult::Success, is_enough, "{layers:?}");
    }
    assert_eq!(pair.call(1, &get(&[VALUE], &[signed])).0, ActionResult::ReadWriteDenied);
    assert_eq!(pair.call(1, &get(&[VALUE], &[ciphered])).0, ActionResult::Success);
    // Parameters that say nothing, the same thing twice, or something else than the octets.
    assert_eq!(pair.call(1, &get(&[VALUE], &[])).0, ActionResult::ReadWriteDenied);
    assert_eq!(pair.call(1, &get(&[VALUE], &[ciphered, ciphered])).0, ActionResult::ReadWriteDenied);
}

/// Every octet of the protected octets counts.
#[test]
fn every_changed_octet_is_refused() {
    let id = TransactionId::new(&[7; 2]).unwrap();
    let layers = [layer(S, KeyClass::Global, id), layer(AE, KeyClass::Global, id)];
    let mut pair = Pair::new(TAKEN, AE, 0);
    let good = pair.set(&[TEXT], &layers, &(Data::OctetString(&[0xAA]),));
    // Behind the list of objects: what says which object is not covered by this protection but by that of the APDU.
    let start = good.iter().position(|&octet| octet == 0xDD).unwrap();
    for at in start..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        if Data::from_octets(&bad).is_ok() {
            assert_ne!(pair.call(2, &bad).0, ActionResult::Success, "octet {at}");
        }
        assert_eq!(pair.read(1, LONG_TEXT), [9, 0], "octet {at}");
    }
    assert_eq!(pair.call(2, &good).0, ActionResult::Success);
    let (_, returned) = pair.call(1, &get(&[TEXT], &layers));
    let start = returned.iter().position(|&octet| octet == 0xDD).unwrap();
    for at in start..returned.len() {
        let mut bad = returned.clone();
        bad[at] ^= 1 << (at % 8);
        if Data::from_octets(&bad).is_ok() {
            assert!(pair.open(AE, true, &bad).is_err(), "octet {at}");
        }
    }
    assert_eq!(pair.open(AE | S, true, &returned), Ok(encoded(&(Data::OctetString(&[0xAA]),))));
}

proptest! {
    /// Whatever the parameter: nothing panics, and without the keys nothing is set or invoked.
    #[test]
    fn damaged_parameters(
        method in 1..=3i8,
        kind in 0..14usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let layers = &all_layers()[kind];
        let mut pair = Pair::new(TAKEN, AE, 0);
        let good = match method {
            1 => get(&[TEXT, VALUE], layers),
            2 => pair.set(&[TEXT], layers, &(Data::OctetString(&[0xAA]),)),
            _ => pair.method(RESET, layers, &0i8),
        };
        let mut bad = good.clone();
        for (at, octet) in changes {
            let at = at.index(bad.len());
            bad[at] = octet;
        }
        if let Some(cut) = cut {
            bad.truncate(cut.index(bad.len()));
        }
        if Data::from_octets(&bad).is_ok() {
            let (result, _) = pair.call(method, &bad);
            let is_changed = pair.read(1, LONG_TEXT) != [9, 0] || pair.read(3, ENERGY) != encoded(&5009u32);
            prop_assert!(!is_changed || result == ActionResult::Success);
            // What the protected octets hold is what was put there, whatever it is set to.
            prop_assert!(pair.read(1, LONG_TEXT) == [9, 0] || pair.read(1, LONG_TEXT) == [9, 1, 0xAA]);
        }
    }
}
