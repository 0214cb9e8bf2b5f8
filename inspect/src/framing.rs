//! Which framing octets have, by what they begin with; confirmed by decoding them.

use dlms_axdr::Data;

use crate::options::Framing;

/// The framings that octets may have, the most plausible one first.
pub(crate) fn candidates(octets: &[u8]) -> Vec<Framing> {
    let by_first_octets = match octets {
        [0x7E, ..] => Framing::Hdlc,
        [0x00, 0x01, _, _, _, _, ..] => Framing::Wrapper,
        [0xE6 | 0xFF, 0xE6 | 0xE7, 0x00, ..] => Framing::LlcApdu,
        [0x68, first, second, 0x68, ..] if first == second => Framing::Mbus,
        [b'/', b'?', ..] | [0x02, b'0'..=b'9' | b'F', ..] => Framing::Iec62056Part21,
        [b'/', ..] => Framing::P1Ascii,
        _ => Framing::Apdu,
    };
    let mut candidates = vec![by_first_octets];
    if octets.contains(&0x7E) {
        candidates.push(Framing::Hdlc);
    }
    candidates.push(Framing::Apdu);
    if Data::from_octets(octets).is_ok() {
        candidates.push(Framing::AxdrData);
    }
    candidates.dedup();
    candidates
}
