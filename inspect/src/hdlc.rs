//! Octets with HDLC: frames are found, checked and shown; the pieces of an MSDU are put together.
//!
//! The length field delimits a frame. What does not check is searched for the next flag from the octet after its own
//! opening flag on, so that noise, and half a frame before a good one, do no harm.

use dlms_hdlc::{Address, Control, FLAG, Frame, FrameError, FrameErrorKind, LLC_LENGTH, Llc};
use serde_json::{Map, Value, json};

use crate::problem::{Problem, hex};

/// What was found in octets.
pub(crate) struct Frames<'a> {
    pub(crate) frames: Vec<Frame<'a>>,
    /// What was taken for a frame first and is none, in order.
    pub(crate) problems: Vec<Problem>,
}

/// All frames in `octets`.
pub(crate) fn frames(octets: &[u8]) -> Frames<'_> {
    let mut found = Frames { frames: Vec::new(), problems: Vec::new() };
    let mut position = 0;
    while let Some(flag) = octets[position..].iter().position(|&octet| octet == FLAG) {
        let flags = octets[position + flag..].iter().take_while(|&&octet| octet == FLAG).count();
        let start = position + flag + flags;
        let rest = &octets[start..];
        if rest.is_empty() {
            break;
        }
        match candidate(rest) {
            Ok((frame, length)) => {
                found.frames.push(frame);
                position = start + length;
            }
            Err(error) => {
                found.problems.push(Problem::hdlc(FrameError { offset: start + error.offset, ..error }));
                position = start;
            }
        }
    }
    found
}

/// The frame at the start of `octets`, and how many octets it has.
fn candidate(octets: &[u8]) -> Result<(Frame<'_>, usize), FrameError> {
    let fail = |offset, kind| Err(FrameError { offset, kind });
    let &[first, ref rest @ ..] = octets else { return fail(0, FrameErrorKind::Truncated) };
    if first & 0xF0 != 0xA0 {
        return fail(0, FrameErrorKind::FormatType);
    }
    let Some(second) = rest.first() else { return fail(1, FrameErrorKind::Truncated) };
    let length = usize::from(first & 0x07) << 8 | usize::from(*second);
    match octets.get(length) {
        None => fail(octets.len(), FrameErrorKind::Truncated),
        Some(&FLAG) => Frame::decode(&octets[..length]).map(|frame| (frame, length)),
        Some(_) => {
            let present = octets.iter().position(|&octet| octet == FLAG).unwrap_or(octets.len());
            fail(length, FrameErrorKind::Length { claimed: length, present })
        }
    }
}

/// The octets between the first flag and the next one without the escapes of octet stuffing, which this frame format
/// does not have; `None` if there is no escape.
pub(crate) fn without_octet_stuffing(octets: &[u8]) -> Option<Vec<u8>> {
    let start = octets.iter().position(|&octet| octet == FLAG)?;
    let inner = octets[start..].split(|&octet| octet == FLAG).find(|inner| !inner.is_empty())?;
    if !inner.contains(&0x7D) {
        return None;
    }
    let mut plain = vec![FLAG];
    let mut escaped = false;
    for &octet in inner {
        match octet {
            0x7D if !escaped => escaped = true,
            octet => {
                plain.push(if escaped { octet ^ 0x20 } else { octet });
                escaped = false;
            }
        }
    }
    plain.push(FLAG);
    Some(plain)
}

/// The header of a frame.
pub(crate) fn link(frame: &Frame<'_>) -> Map<String, Value> {
    let mut link = Map::new();
    link.insert("segmented".into(), frame.segmented.into());
    link.insert("dst".into(), address(frame.destination).into());
    link.insert("src".into(), address(frame.source).into());
    link.insert("control".into(), hex(&[frame.control.octet()]).into());
    link.insert("type".into(), frame.control.name().into());
    if let Control::Information { send, .. } = frame.control {
        link.insert("ns".into(), send.number().into());
    }
    if let Control::Information { receive, .. }
    | Control::ReceiveReady { receive, .. }
    | Control::ReceiveNotReady { receive, .. } = frame.control
    {
        link.insert("nr".into(), receive.number().into());
    }
    link.insert("pf".into(), u8::from(frame.control.poll_final()).into());
    link
}

fn address(address: Address) -> String {
    hex(&address.octets()[..address.length() as usize])
}

/// What SNRM, UA, DISC, DM and FRMR carry: negotiation parameters, or octets that are shown as they are.
pub(crate) fn carried(frame: &Frame<'_>) -> Option<(&'static str, Value)> {
    if frame.information.is_empty()
        || matches!(frame.control, Control::Information { .. } | Control::UnnumberedInformation { .. })
    {
        return None;
    }
    let is_negotiation = matches!(
        frame.control,
        Control::SetNormalResponseMode { .. } | Control::UnnumberedAcknowledge { .. }
    );
    match parameters(frame.information).filter(|_| is_negotiation) {
        Some(parameters) => Some(("negotiation", parameters)),
        None => Some(("info", hex(frame.information).into())),
    }
}

fn parameters(information: &[u8]) -> Option<Value> {
    let [0x81, 0x80, length, rest @ ..] = information else { return None };
    let mut rest = rest.get(..usize::from(*length))?;
    let mut parameters = Map::new();
    while let [identifier, length, tail @ ..] = rest {
        let (value, tail) = tail.split_at_checked(usize::from(*length))?;
        let name = match identifier {
            0x05 => "max-info-tx".into(),
            0x06 => "max-info-rx".into(),
            0x07 => "window-tx".into(),
            0x08 => "window-rx".into(),
            other => format!("parameter-0x{other:02x}"),
        };
        let value = match value.len() {
            0..=8 => json!(value.iter().fold(0, |number: u64, &octet| number << 8 | u64::from(octet))),
            _ => hex(value).into(),
        };
        parameters.insert(name, value);
        rest = tail;
    }
    rest.is_empty().then_some(Value::Object(parameters))
}

/// What a frame contributes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// No information.
    Nothing,
    /// A segment; more follow.
    Fragment,
    /// A whole APDU, and the LLC in front of it.
    Apdu { llc: Option<String>, octets: Vec<u8> },
    /// Information that is no APDU: it has no LLC, and nothing came before that it could go on with.
    Raw,
}

/// Puts the segments of MSDUs together, for each pair of stations.
#[derive(Default)]
pub(crate) struct Joiner {
    streams: Vec<Stream>,
}

struct Stream {
    stations: (Address, Address),
    segments: Vec<u8>,
    /// The last whole APDU was a block of a general block transfer, so that the next one may come without an LLC.
    in_block_transfer: bool,
}

impl Joiner {
    pub(crate) fn take(&mut self, frame: &Frame<'_>) -> Joined {
        if !matches!(frame.control, Control::Information { .. } | Control::UnnumberedInformation { .. })
            || frame.information.is_empty()
        {
            return Joined::Nothing;
        }
        let stations = (frame.destination, frame.source);
        let at = self.streams.iter().position(|stream| stream.stations == stations).unwrap_or_else(|| {
            self.streams.push(Stream { stations, segments: Vec::new(), in_block_transfer: false });
            self.streams.len() - 1
        });
        self.streams[at].take(frame)
    }

    /// Whether an MSDU has begun and not ended.
    pub(crate) fn is_waiting(&self) -> bool {
        self.streams.iter().any(|stream| !stream.segments.is_empty())
    }
}

impl Stream {
    fn take(&mut self, frame: &Frame<'_>) -> Joined {
        let begins = Llc::split(frame.information).is_some();
        // UI has no numbers: an LLC there is the only sign that the rest of a push was lost and another one begins.
        if begins && matches!(frame.control, Control::UnnumberedInformation { .. }) {
            self.segments.clear();
        }
        let goes_on = self.in_block_transfer && frame.information.first() == Some(&0xE0) && !frame.segmented;
        if self.segments.is_empty() && !begins && !goes_on {
            return Joined::Raw;
        }
        self.segments.extend_from_slice(frame.information);
        if frame.segmented {
            return Joined::Fragment;
        }
        let msdu = core::mem::take(&mut self.segments);
        let (llc, octets) = match Llc::split(&msdu) {
            Some((_, apdu)) => (Some(hex(&msdu[..LLC_LENGTH])), apdu.to_vec()),
            None => (None, msdu),
        };
        self.in_block_transfer = octets.first() == Some(&0xE0);
        Joined::Apdu { llc, octets }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::problem::unhex;

    #[test]
    fn noise_and_half_a_frame_before_a_good_one() {
        let good = unhex("7EA00703219 30F017E").unwrap();
        let octets = [&[0x10, 0x40, 0x16][..], &good[..5], &good, &good[1..], &[0x00]].concat();
        let found = frames(&octets);
        assert_eq!(found.frames.len(), 2);
        assert_eq!(found.problems[0].reason, "length-mismatch");
    }

    #[test]
    fn parameters_as_they_are_written() {
        let brief = parameters(&unhex("81 80 06 05 01 80 06 01 80").unwrap());
        assert_eq!(brief, Some(json!({ "max-info-tx": 128, "max-info-rx": 128 })));
        assert_eq!(parameters(&[0x81, 0x80, 0x02, 0x05, 0x04]), None);
    }
}
