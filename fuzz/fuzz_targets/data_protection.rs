//! Whatever a client puts into a Data protection object, or a meter answers for one: nothing panics, and nothing is
//! written, invoked or opened that was not protected with the keys.
//!
//! ```text
//! layers (1) | target (1) | octets
//! ```
//!
//! Target: parameters of the three methods, protection_buffer, the two lists of parameters, the list of objects, what
//! get_protected_attributes returns and what a buffer holds. Bit 7: the octets are the Data as it comes. Otherwise it is
//! made right, and the octets are changes to it: place (2), octet (1).
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/protected.rs"]
mod protected;

use common::{CLIENT_TITLE, ENERGY, LONG_TEXT, PROFILE, SERVER_TITLE};
use cosem_objects::classes::{ProtectedObject, Restriction};
use dlms::client::data_protection::{get_request, parameters};
use dlms::xdlms::MethodDescriptor;
use dlms_axdr::{Array, Data};
use dlms_security::Protection;
use libfuzzer_sys::fuzz_target;
use protected::{AE, BUFFER, Pair, TAKEN, all_layers, encoded, whole};

const TEXT: ProtectedObject<'static> = whole(1, LONG_TEXT, 2);
const VALUE: ProtectedObject<'static> = whole(3, ENERGY, 2);
const ROWS: ProtectedObject<'static> = ProtectedObject {
    restriction: Restriction::ByDate { from_date: &[0xFF; 5], to_date: &[0xFF; 12] },
    ..whole(7, PROFILE, 2)
};
const RESET: MethodDescriptor = MethodDescriptor::new(3, ENERGY, 1);

fuzz_target!(|input: &[u8]| {
    let &[layers, target, ref rest @ ..] = input else { return };
    let all = all_layers();
    let layers = &all[usize::from(layers) % all.len()];
    let mut pair = Pair::new(TAKEN, AE, 0);
    pair.set_up(&[TEXT, VALUE], layers);
    let values = (Data::OctetString(&[0xAA]), 1u32);
    let mut room = [0; 1024];
    let kind = target & 7;
    let (made, is_secret) = match kind {
        0 => (encoded(&get_request(CLIENT_TITLE, SERVER_TITLE, &[TEXT, VALUE, ROWS], layers, &mut room).unwrap()), false),
        1 => (pair.set(&[TEXT], layers, &(values.0,)), true),
        2 => (pair.method(RESET, layers, &0i8), true),
        3 => (pair.buffer(layers, &values), true),
        4 => (encoded(&parameters(layers, &SERVER_TITLE, &CLIENT_TITLE).unwrap()), false),
        5 => (encoded(&Array(&[TEXT, ROWS, VALUE])), false),
        6 => (pair.call(1, &encoded(&get_request(CLIENT_TITLE, SERVER_TITLE, &[VALUE], layers, &mut room).unwrap())).1, true),
        _ => (pair.get(&[BUFFER.into()]).unwrap(), true),
    };
    let mut data = made.clone();
    if target & 0x80 != 0 {
        data = rest.to_vec();
    } else {
        for change in rest.chunks_exact(3).take(4) {
            let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % data.len();
            data[place] = change[2];
        }
    }
    let is_changed = data != made;
    let Ok(value) = Data::from_octets(&data) else { return };
    match kind {
        0..=2 => drop(pair.call(kind as i8 + 1, &data)),
        3 => drop(pair.set_attribute(2, &value)),
        4 => {
            let _ = pair.set_attribute(4, &value);
            let _ = pair.set_attribute(5, &value);
            let _ = pair.get(&[BUFFER.into()]);
            let _ = pair.access(None);
            let _ = pair.set_attribute(2, &Data::OctetString(&[0xDD; 40]));
        }
        5 => {
            let _ = pair.set_attribute(3, &value);
            let _ = pair.get(&[BUFFER.into()]);
        }
        6 => {
            // What says how it is protected is only told; the octets themselves must be right.
            if let Ok(opened) = pair.open(Protection::empty(), true, &data) {
                assert_eq!(opened, encoded(&(5009u32,)));
            }
        }
        _ => assert!(pair.open_buffer(layers, true, &data).is_err() || !is_changed),
    }
    let text = pair.read(1, LONG_TEXT);
    let energy = pair.read(3, ENERGY);
    let is_as_it_was = text == [9, 0] && energy == encoded(&5009u32);
    assert!(is_as_it_was || is_secret, "written without keys");
    assert!(text == [9, 0] || text == [9, 1, 0xAA], "something else was written");
});
