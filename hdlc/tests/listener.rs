//! Pushes as meters send them: segmented, in blocks, late, with losses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use core::time::Duration;

use dlms_hdlc::{Address, ClientAddress, Control, Frame, Listener, Llc, ServerAddress};

fn frame(segmented: bool, information: &[u8]) -> Frame<'_> {
    Frame {
        destination: Address::from(ClientAddress::new(0x67).unwrap()),
        source: ServerAddress::two(1, 0x11).unwrap().into(),
        control: Control::UnnumberedInformation { poll_final: !segmented },
        segmented,
        information,
    }
}

const FIRST: &[u8] = &[0xE6, 0xE7, 0x00, 0x0F, 1];
const SECOND: &[u8] = &[2, 3];
const LAST: &[u8] = &[4];

fn listen(
    listener: &mut Listener<[u8; 16]>,
    seconds: u64,
    segmented: bool,
    information: &[u8],
) -> Option<Vec<u8>> {
    listener
        .handle_frame(Duration::from_secs(seconds), &frame(segmented, information))
        .map(|push| push.apdu.to_vec())
}

#[test]
fn segments_join_over_pauses_of_seconds() {
    let mut listener = Listener::new([0; 16]);
    assert_eq!(listen(&mut listener, 0, true, FIRST), None);
    assert_eq!(listen(&mut listener, 3, true, SECOND), None);
    assert_eq!(listen(&mut listener, 6, false, LAST), Some(vec![0x0F, 1, 2, 3, 4]));
}

#[test]
fn blocks_without_llc_come_one_by_one() {
    let mut listener = Listener::new([0; 16]);
    let mut push = |information: &[u8]| {
        let frame = frame(false, information);
        let push = listener.handle_frame(Duration::ZERO, &frame).unwrap();
        (push.llc, push.apdu.to_vec())
    };
    assert_eq!(push(&[0xE6, 0xE7, 0x00, 0xE0, 0x40]), (Some(Llc::Response), vec![0xE0, 0x40]));
    assert_eq!(push(&[0xE0, 0xC0]), (None, vec![0xE0, 0xC0]));
    assert_eq!(push(&[0xE6, 0xE6, 0x00, 0x0F]), (Some(Llc::Command), vec![0x0F]));
}

#[test]
fn a_push_without_its_first_segment_is_dropped() {
    let mut listener = Listener::new([0; 16]);
    assert_eq!(listen(&mut listener, 0, true, SECOND), None);
    assert_eq!(listen(&mut listener, 1, false, LAST), None);
    assert_eq!(listen(&mut listener, 2, false, FIRST), Some(vec![0x0F, 1]));
}

#[test]
fn a_new_push_or_a_long_silence_ends_the_old_one() {
    let mut listener = Listener::new([0; 16]);
    assert_eq!(listen(&mut listener, 0, true, FIRST), None);
    assert_eq!(listen(&mut listener, 1, true, FIRST), None);
    assert_eq!(listen(&mut listener, 2, false, LAST), Some(vec![0x0F, 1, 4]));
    assert_eq!(listen(&mut listener, 3, true, FIRST), None);
    assert_eq!(listen(&mut listener, 20, true, SECOND), None);
    assert_eq!(listen(&mut listener, 21, false, LAST), None);
}

#[test]
fn a_push_that_outgrows_the_buffer_is_dropped_whole() {
    let mut listener = Listener::new([0; 16]);
    assert_eq!(listen(&mut listener, 0, true, FIRST), None);
    assert_eq!(listen(&mut listener, 0, true, &[0; 12]), None);
    assert_eq!(listen(&mut listener, 0, true, SECOND), None);
    assert_eq!(listen(&mut listener, 0, false, LAST), None);
    assert_eq!(listen(&mut listener, 0, false, FIRST), Some(vec![0x0F, 1]));
}
