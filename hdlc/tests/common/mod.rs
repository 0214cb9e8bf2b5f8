#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod vectors;

use core::time::Duration;

use dlms_hdlc::{Deframer, Frame, MAX_FRAME, Primary, Secondary};

pub fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

/// The frames in `octets`, each as the octets between its flags.
pub fn bodies(octets: &[u8], pieces: usize) -> Vec<Vec<u8>> {
    let mut deframer = Deframer::new([0; MAX_FRAME]);
    let mut bodies = Vec::new();
    for mut piece in octets.chunks(pieces) {
        while let Some(frame) = deframer.next(Duration::ZERO, &mut piece) {
            bodies.push(body(&frame));
        }
    }
    bodies
}

pub fn body(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    let length = frame.encode(&mut out).unwrap();
    out[1..length - 1].to_vec()
}

/// One frame with its flags, as the link sends it.
pub fn transmit<U: AsRef<[u8]> + AsMut<[u8]>>(
    link: &mut Secondary<Vec<u8>, U>,
    now: Duration,
    apdu: &[u8],
) -> Option<Vec<u8>> {
    let mut out = [0; MAX_FRAME];
    let length = link.poll_transmit(now, apdu, &mut out).unwrap()?;
    Some(out[..length].to_vec())
}

pub fn transmit_primary(link: &mut Primary<Vec<u8>>, now: Duration, apdu: &[u8]) -> Option<Vec<u8>> {
    let mut out = [0; MAX_FRAME];
    let length = link.poll_transmit(now, apdu, &mut out).unwrap()?;
    Some(out[..length].to_vec())
}
