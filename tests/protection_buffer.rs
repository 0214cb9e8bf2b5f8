//! Data protection (class_id 30): the buffer that is filled when it is read and taken apart when it is written.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/protected.rs"]
mod protected;

use common::{CLIENT_TITLE, ENERGY, HIDDEN, LONG_TEXT, PROFILE, SERVER_TITLE};
use cosem_objects::AccessRights;
use cosem_objects::classes::{ProtectedObject, ProtectionKeyInfo, ProtectionParameters, Restriction};
use dlms::client::data_protection::{get_request, parameters};
use dlms::server;
use dlms::xdlms::{ActionResult, AttributeDescriptor, DataAccessResult};
use dlms::{DataLayer, KeyClass, TransactionId};
use dlms_axdr::{Array, Data, FromData};
use dlms_security::Protection;
use proptest::prelude::*;
use protected::{AE, BUFFER, NOT_TAKEN, OBJECT, Pair, S, TAKEN, all_layers, encoded, layer, whole};

const TEXT: ProtectedObject<'static> = whole(1, LONG_TEXT, 2);
const VALUE: ProtectedObject<'static> = whole(3, ENERGY, 2);
const ROWS: ProtectedObject<'static> = whole(7, PROFILE, 2);

fn id() -> TransactionId {
    TransactionId::new(&[1, 2, 3, 4]).unwrap()
}

fn ciphered() -> [DataLayer; 1] {
    [layer(AE, KeyClass::Global, id())]
}

/// A row of the profile of the tests' meter.
fn row(number: u32) -> (Vec<u8>, u32) {
    let (hour, minute) = ((number / 4) as u8, (number % 4 * 15) as u8);
    (vec![0x07, 0xEA, 1, 5, 1, hour, minute, 0, 0, 0x80, 0, 0], number)
}

fn rows(numbers: core::ops::RangeInclusive<u32>) -> Vec<u8> {
    let mut octets = vec![1, numbers.clone().count() as u8];
    for number in numbers {
        let (time, energy) = row(number);
        octets.extend(encoded(&(time.as_slice(), energy)));
    }
    octets
}

#[test]
fn it_is_filled_and_taken_apart_under_every_kind_of_layer() {
    for policy in [Protection::empty(), AE] {
        for layers in all_layers() {
            let what = format!("{policy:?} {layers:?}");
            let is_carried = !policy.is_empty();
            let mut pair = Pair::new(TAKEN, policy, 0);
            pair.set_up(&[TEXT], &layers);
            let value = pair.buffer(&layers, &(Data::OctetString(&[1, 2]),));
            let value = Data::from_octets(&value).unwrap();
            assert_eq!(pair.set_attribute(2, &value), DataAccessResult::Success, "{what}");
            assert_eq!(pair.read(1, LONG_TEXT), [9, 2, 1, 2], "{what}");
            if !is_carried {
                let again = pair.set_attribute(2, &value);
                assert_eq!(again, DataAccessResult::ReadWriteDenied, "replayed: {what}");
            }
            assert_eq!(pair.set_attribute(3, &Array(&[TEXT, VALUE])), DataAccessResult::Success);
            let read = pair.get(&[BUFFER.into()]).unwrap();
            // A signature alone is told by its transaction-id, which these tests do not change.
            let is_carried = is_carried || layers.len() == 1;
            let opened = pair.open_buffer(&layers, is_carried, &read);
            assert_eq!(opened, Ok(encoded(&(Data::OctetString(&[1, 2]), 5009u32))), "{what}");
            // Each reading is made anew; a signature of the same is the same.
            let is_ciphered = layers.iter().any(|it| it.protection != S);
            assert_eq!(pair.get(&[BUFFER.into()]).unwrap() != read, is_ciphered, "{what}");
        }
    }
}

/// A key for one message is told in protection_parameters_get, as it is in the header of the protected octets.
#[test]
fn the_key_that_was_made_for_it_is_told() {
    for layers in all_layers() {
        let mut pair = Pair::new(TAKEN, AE, 0);
        pair.set_up(&[VALUE], &layers);
        let asked = pair.get(&[AttributeDescriptor::new(30, OBJECT, 4).into()]).unwrap();
        let list = [BUFFER.into(), AttributeDescriptor::new(30, OBJECT, 4).into()];
        let both = pair.get(&list).unwrap();
        let (kept, read) = (pair.get(&list[1..]).unwrap(), both.ends_with(&pair.get(&list[1..]).unwrap()));
        assert!(read, "{layers:?}");
        let Data::Array(elements) = Data::from_octets(&kept).unwrap() else { panic!() };
        let mut is_renewed = false;
        for element in elements {
            let (ProtectionKeyInfo::Wrapped { key_ciphered_data, .. }
            | ProtectionKeyInfo::Agreed { key_ciphered_data, .. }) =
                ProtectionParameters::from_data(element).unwrap().key_info
            else {
                continue;
            };
            if !key_ciphered_data.is_empty() {
                is_renewed = true;
                assert!(
                    both.windows(key_ciphered_data.len()).filter(|it| *it == key_ciphered_data).count() > 1
                );
            }
        }
        let has_data =
            layers.iter().any(|it| matches!(it.key, KeyClass::Wrapped | KeyClass::OnePassDiffieHellman));
        assert_eq!(is_renewed, has_data, "{layers:?}");
        assert_eq!(kept != asked, has_data, "{layers:?}");
    }
}

#[test]
fn long_ones_leave_in_blocks_alone_and_in_lists() {
    let layers = ciphered();
    let mut pair = Pair::new(TAKEN, AE, 0);
    let some = ProtectedObject { restriction: Restriction::ByEntry { from_entry: 1, to_entry: 70 }, ..ROWS };
    pair.set_up(&[some], &layers);
    let expected = encoded(&(Data::from_octets(&rows(0..=69)).unwrap(),));
    assert!(expected.len() > 1024);
    let read = pair.get(&[BUFFER.into()]).unwrap();
    assert_eq!(pair.open_buffer(&layers, true, &read), Ok(expected.clone()));
    assert!(pair.received.len() > 2, "in blocks");
    // In a list, a result for each: 00 before data.
    let energy = AttributeDescriptor::new(3, ENERGY, 2).into();
    let read = pair.get(&[energy, BUFFER.into(), energy]).unwrap();
    let value = encoded(&5009u32);
    let listed = read[1..].strip_prefix(&[&[0], &value[..], &[0]].concat()[..]).unwrap();
    let listed = listed.strip_suffix(&[&[0], &value[..]].concat()[..]).unwrap();
    assert_eq!(pair.open_buffer(&layers, true, listed), Ok(expected));
    // There is room for one in a request.
    let read = pair.get(&[BUFFER.into(), BUFFER.into()]).unwrap();
    assert_eq!(read, [2, 1, 250, 1, 250]);
    // More than the session has room for.
    assert_eq!(pair.set_attribute(3, &Array(&[ROWS])), DataAccessResult::Success);
    assert_eq!(pair.get(&[BUFFER.into()]), Err(DataAccessResult::OtherReason));
}

#[test]
fn access_reaches_it_too() {
    let layers = ciphered();
    let mut pair = Pair::new(TAKEN, AE, 0);
    pair.set_up(&[TEXT], &layers);
    let value = pair.buffer(&layers, &(Data::OctetString(&[7]),));
    let value = Data::from_octets(&value).unwrap();
    assert_eq!(pair.access(Some(&value)).0, DataAccessResult::Success);
    let (result, read) = pair.access(None);
    assert_eq!(result, DataAccessResult::Success);
    assert_eq!(pair.open_buffer(&layers, true, &read), Ok(encoded(&(Data::OctetString(&[7]),))));
}

#[test]
fn restrictions_and_elements_select_of_what_is_read() {
    let date = |hour, minute| vec![0x07, 0xEA, 1, 5, 0xFF, hour, minute, 0, 0, 0x80, 0, 0xFF];
    let (from, to, late) = (date(1, 0), date(2, 0), date(23, 30));
    let (day, next_day) = ([0x07, 0xEA, 1, 5, 0xFF], [0x07, 0xEA, 1, 6, 0xFF]);
    let open = [0xFF; 5];
    let by_date = |from_date, to_date| Restriction::ByDate { from_date, to_date };
    let by_entry = |from_entry, to_entry| Restriction::ByEntry { from_entry, to_entry };
    for layers in [vec![layer(S, KeyClass::Global, id())], ciphered().to_vec()] {
        let mut pair = Pair::new(TAKEN, AE, 0);
        for (restriction, expected) in [
            (by_entry(3, 5), rows(2..=4)),
            (by_entry(96, 0), rows(95..=99)),
            (by_entry(200, 300), vec![1, 0]),
            (by_date(&from, &to), rows(4..=8)),
            (by_date(&to, &from), vec![1, 0]),
            // Dates are whole days.
            (by_date(&next_day, &next_day), vec![1, 0]),
            (by_date(&late, &open), rows(94..=95)),
            (by_date(&day, &from), rows(0..=4)),
            (by_date(&late, &day), rows(94..=95)),
        ] {
            let object = ProtectedObject { restriction, ..ROWS };
            let (result, returned) = pair.call(1, &asked(&[object], &layers));
            assert_eq!(result, ActionResult::Success, "{restriction:?}");
            let is = pair.open(Protection::empty(), true, &returned).unwrap();
            assert_eq!(is, encoded(&(Data::from_octets(&expected).unwrap(),)), "{restriction:?}");
            pair.set_up(&[object], &layers);
            let read = pair.get(&[BUFFER.into()]).unwrap();
            assert_eq!(pair.open_buffer(&layers, true, &read).as_ref(), Ok(&is), "{restriction:?}");
        }
        // Elements are counted from 1: scaler and unit.
        let scaler_unit = whole(3, ENERGY, 3);
        for (data_index, expected) in [
            (0, Ok(encoded(&((0i8, Data::Enum(30)),)))),
            (1, Ok(encoded(&(0i8,)))),
            (2, Ok(encoded(&(Data::Enum(30),)))),
            (3, Err(ActionResult::OtherReason)),
            (u16::MAX, Err(ActionResult::OtherReason)),
        ] {
            let object = ProtectedObject { data_index, ..scaler_unit };
            let (result, returned) = pair.call(1, &asked(&[object], &layers));
            assert_eq!(result, expected.as_ref().err().copied().unwrap_or(ActionResult::Success));
            if let Ok(expected) = expected {
                assert_eq!(pair.open(Protection::empty(), true, &returned), Ok(expected));
            }
        }
        for (object, expected) in [
            // Periods and columns of a profile's buffer are what companion specifications say.
            (ProtectedObject { data_index: 1, ..ROWS }, ActionResult::OtherReason),
            (ProtectedObject { data_index: 1, ..VALUE }, ActionResult::OtherReason),
            (ProtectedObject { restriction: by_entry(1, 1), ..VALUE }, ActionResult::TypeUnmatched),
            (ProtectedObject { restriction: by_date(&[1; 4], &open), ..ROWS }, ActionResult::TypeUnmatched),
        ] {
            assert_eq!(pair.call(1, &asked(&[object], &layers)).0, expected, "{object:?}");
        }
        // Only whole attributes are written.
        for object in [
            ProtectedObject { restriction: by_entry(1, 1), ..ROWS },
            ProtectedObject { data_index: 1, ..TEXT },
        ] {
            let parameter = pair.set(&[object], &layers, &(Data::OctetString(&[1]),));
            assert_eq!(pair.call(2, &parameter).0, ActionResult::OtherReason, "{object:?}");
            pair.set_up(&[object], &layers);
            let value = pair.buffer(&layers, &(Data::OctetString(&[1]),));
            let result = pair.set_attribute(2, &Data::from_octets(&value).unwrap());
            assert_eq!(result, DataAccessResult::OtherReason, "{object:?}");
        }
        assert_eq!(pair.read(1, LONG_TEXT), [9, 0]);
    }
}

fn asked(objects: &[ProtectedObject<'_>], layers: &[DataLayer]) -> Vec<u8> {
    let mut room = [0; 1024];
    encoded(&get_request(CLIENT_TITLE, SERVER_TITLE, objects, layers, &mut room).unwrap())
}

/// The buffer is no way past the rights of what is listed, nor past those of the buffer.
#[test]
fn rights_hold_for_each_listed_object() {
    let layers = ciphered();
    for policy in [Protection::empty(), AE] {
        let mut pair = Pair::new(TAKEN, policy, 0);
        let value = pair.buffer(&layers, &(Data::OctetString(&[1]), Data::OctetString(&[2])));
        let value = Data::from_octets(&value).unwrap();
        let encrypted = AccessRights::READ | AccessRights::WRITE | AccessRights::ENCRYPTED_REQUEST;
        pair.link.meter.device.attribute_rights =
            vec![(ENERGY, 2, AccessRights::READ), (ENERGY, 3, encrypted)];
        for (object, read, written) in [
            (VALUE, DataAccessResult::Success, DataAccessResult::ReadWriteDenied),
            (whole(1, HIDDEN, 2), DataAccessResult::ObjectUndefined, DataAccessResult::ObjectUndefined),
            (whole(30, OBJECT, 4), DataAccessResult::ReadWriteDenied, DataAccessResult::ReadWriteDenied),
        ] {
            pair.set_up(&[TEXT, object], &layers);
            let is = pair.get(&[BUFFER.into()]).err().unwrap_or(DataAccessResult::Success);
            assert_eq!(is, read, "{object:?}");
            assert_eq!(pair.set_attribute(2, &value), written, "{object:?}");
            assert_eq!(pair.read(1, LONG_TEXT), [9, 0], "nothing where not all may be");
        }
        // The data are encrypted; the request is too only where the policy is.
        pair.set_up(&[whole(3, ENERGY, 3)], &layers);
        assert_eq!(pair.get(&[BUFFER.into()]).is_ok(), !policy.is_empty());
        pair.set_up(&[VALUE], &layers);
        pair.link.meter.device.attribute_rights = vec![(OBJECT, 2, AccessRights::empty())];
        assert_eq!(pair.get(&[BUFFER.into()]), Err(DataAccessResult::ReadWriteDenied));
        assert_eq!(pair.set_attribute(2, &value), DataAccessResult::ReadWriteDenied);
    }
}

/// What a listed object demands of responses is demanded of each one that carries the buffer.
#[test]
fn the_response_is_protected_as_its_objects_demand() {
    let layers = [layer(S, KeyClass::Global, id())];
    let mut pair = Pair::new(TAKEN, Protection::empty(), 0);
    pair.link.meter.device.attribute_rights = vec![(
        PROFILE,
        2,
        AccessRights::READ | AccessRights::ENCRYPTED_RESPONSE | AccessRights::AUTHENTICATED_RESPONSE,
    )];
    let some = ProtectedObject { restriction: Restriction::ByEntry { from_entry: 1, to_entry: 70 }, ..ROWS };
    pair.set_up(&[some], &layers);
    let read = pair.get(&[BUFFER.into()]).unwrap();
    assert!(pair.open_buffer(&layers, true, &read).is_ok());
    /// glo-get-response.
    const CIPHERED: u8 = 0xCC;
    assert!(pair.received.len() > 1);
    assert!(pair.received.iter().all(|answer| answer[0] == CIPHERED), "{:02X?}", pair.received);
}

#[test]
fn what_the_object_requires_is_required() {
    let required = (AccessRights::SIGNED_REQUEST
        | AccessRights::ENCRYPTED_REQUEST
        | AccessRights::AUTHENTICATED_RESPONSE)
        .bits();
    let (ciphered, signed) = (layer(AE, KeyClass::Global, id()), layer(S, KeyClass::Global, id()));
    let mut pair = Pair::new(TAKEN, AE, required);
    for (layers, may_be_written, may_be_read) in [
        (&[ciphered][..], false, true),
        (&[signed], false, false),
        (&[signed, ciphered], true, true),
        (&[ciphered, signed], true, true),
    ] {
        pair.set_up(&[TEXT], layers);
        let value = pair.buffer(layers, &(Data::OctetString(&[layers.len() as u8]),));
        let result = pair.set_attribute(2, &Data::from_octets(&value).unwrap());
        assert_eq!(result == DataAccessResult::Success, may_be_written, "{layers:?}");
        let read = pair.get(&[BUFFER.into()]);
        let expected = if may_be_read { Ok(()) } else { Err(DataAccessResult::ReadWriteDenied) };
        assert_eq!(read.map(drop), expected, "{layers:?}");
    }
    // Parameters that say nothing: there is nothing to read, and nothing that could be written.
    let none = parameters(&[], &SERVER_TITLE, &CLIENT_TITLE).unwrap();
    for attribute in [4, 5] {
        assert_eq!(pair.set_attribute(attribute, &none), DataAccessResult::Success);
    }
    assert_eq!(pair.get(&[BUFFER.into()]), Ok(vec![9, 0]));
    assert_eq!(pair.set_attribute(2, &Data::OctetString(&[1])), DataAccessResult::ReadWriteDenied);
}

#[test]
fn without_the_switch_it_is_what_the_object_holds() {
    let layers = ciphered();
    let mut pair = Pair::new(NOT_TAKEN, AE, 0);
    pair.set_up(&[TEXT], &layers);
    assert_eq!(pair.get(&[BUFFER.into()]), Ok(vec![9, 0]));
    let value = pair.buffer(&layers, &(Data::OctetString(&[1]),));
    let result = pair.set_attribute(2, &Data::from_octets(&value).unwrap());
    assert_eq!(result, DataAccessResult::ReadWriteDenied);
    assert_eq!(pair.access(None), (DataAccessResult::Success, vec![9, 0]));
    assert_eq!(pair.read(1, LONG_TEXT), [9, 0]);
}

proptest! {
    /// Whatever a client writes into the object: nothing panics, and without the keys nothing is written.
    #[test]
    fn hostile_buffers_and_parameters(
        kind in 0..14usize,
        attribute in 2..=5i8,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let layers = &all_layers()[kind];
        let mut pair = Pair::new(TAKEN, AE, 0);
        pair.set_up(&[TEXT, VALUE], layers);
        let good = match attribute {
            2 => pair.buffer(layers, &(Data::OctetString(&[0xAA]), 1u32)),
            3 => encoded(&Array(&[TEXT, ProtectedObject {
                restriction: Restriction::ByDate { from_date: &[0xFF; 5], to_date: &[0xFF; 12] }, ..ROWS
            }])),
            _ => encoded(&parameters(layers, &SERVER_TITLE, &CLIENT_TITLE).unwrap()),
        };
        let mut bad = good.clone();
        for (at, octet) in changes {
            let at = at.index(bad.len());
            bad[at] = octet;
        }
        if let Some(cut) = cut {
            bad.truncate(cut.index(bad.len()));
        }
        if let Ok(value) = Data::from_octets(&bad) {
            let result = pair.set_attribute(attribute, &value);
            if attribute == 2 && bad != good {
                prop_assert_ne!(result, DataAccessResult::Success);
            }
            let _ = pair.get(&[BUFFER.into()]);
            let _ = pair.set_attribute(2, &Data::OctetString(&bad));
            prop_assert_eq!(pair.read(1, LONG_TEXT), [9, 0]);
            prop_assert_eq!(pair.read(3, ENERGY), encoded(&5009u32));
        }
    }
}

#[test]
fn a_refusal_tells_the_application_why() {
    let layers = ciphered();
    let mut pair = Pair::new(TAKEN, AE, 0);
    pair.set_up(&[TEXT], &layers);
    let mut value = pair.buffer(&layers, &(Data::OctetString(&[1]),));
    *value.last_mut().unwrap() ^= 1;
    while pair.link.session.poll_event().is_some() {}
    let result = pair.set_attribute(2, &Data::from_octets(&value).unwrap());
    assert_eq!(result, DataAccessResult::ReadWriteDenied);
    let events: Vec<_> = std::iter::from_fn(|| pair.link.session.poll_event()).collect();
    assert!(
        events.iter().any(|event| matches!(event, server::Event::SecurityViolation { .. })),
        "{events:?}"
    );
    assert!(
        !events.iter().any(|event| matches!(event, server::Event::AttributeWritten { .. })),
        "{events:?}"
    );
}
