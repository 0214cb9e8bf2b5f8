//! The frame, format type 3 (IEC 62056-46, 6.4.2).
//!
//! | field | octets | content |
//! |---|---|---|
//! | flag | 1 | 7E |
//! | frame format | 2 | 1010, S (segmentation), 11 bits of length |
//! | destination, source | 1, 2 or 4 each | [`Address`] |
//! | control | 1 | [`Control`] |
//! | HCS | 2 | only with an information field |
//! | information | 0..=2030 | |
//! | FCS | 2 | covers the HCS too |
//! | flag | 1 | 7E |
//!
//! The length counts every octet between the flags. There is no octet stuffing: 7E may stand anywhere inside.

use crate::{Address, Control, Crc};

/// Opens and closes every frame.
pub const FLAG: u8 = 0x7E;
/// The longest information field the profile allows.
pub const MAX_INFORMATION: usize = 2030;
/// Octets of the longest frame that a length field can announce, both flags included.
pub const MAX_FRAME: usize = MAX_LENGTH + 2;

/// Format, two one-octet addresses, control and FCS.
pub(crate) const MIN_LENGTH: usize = 7;
pub(crate) const MAX_LENGTH: usize = 0x7FF;
const FORMAT_TYPE: u8 = 0xA0;
const SEGMENTATION: u8 = 0x08;
const CHECK: usize = 2;

/// A frame whose checks have all passed, or one to be sent; the information field is borrowed.
///
/// ```
/// use dlms_hdlc::{ClientAddress, Control, Frame, ServerAddress};
/// let snrm = Frame {
///     destination: ServerAddress::one(1)?.into(),
///     source: ClientAddress::PUBLIC.into(),
///     control: Control::SetNormalResponseMode { poll_final: true },
///     segmented: false,
///     information: &[],
/// };
/// let mut out = [0; 16];
/// let length = snrm.encode(&mut out)?;
/// assert_eq!(out[..length], [0x7E, 0xA0, 0x07, 0x03, 0x21, 0x93, 0x0F, 0x01, 0x7E]);
/// assert_eq!(Frame::decode(&out[1..length - 1])?, snrm);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Who the frame is for.
    pub destination: Address,
    /// Who sent it.
    pub source: Address,
    /// What it is.
    pub control: Control,
    /// S: further frames of the same MSDU follow.
    pub segmented: bool,
    /// The information field; empty when absent.
    pub information: &'a [u8],
}

/// Why octets are not a frame. `offset` counts from the octet after the opening flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at octet {offset}")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameError {
    /// Where.
    pub offset: usize,
    /// What.
    pub kind: FrameErrorKind,
}

/// See [`FrameError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameErrorKind {
    /// The format type is not 3 (high nibble A).
    #[error("not frame format type 3")]
    FormatType,
    /// The octets end inside the header.
    #[error("frame ends inside its header")]
    Truncated,
    /// The length field does not say what is there.
    #[error("length field says {claimed}, there are {present} octets")]
    Length {
        /// The length field.
        claimed: usize,
        /// The octets between the flags.
        present: usize,
    },
    /// An address does not end after 1, 2 or 4 octets.
    #[error("address is not of 1, 2 or 4 octets")]
    Address,
    /// The length field leaves no room for the fields that must be there.
    #[error("length field leaves no room for the fields")]
    TooShort,
    /// The header check sequence is wrong.
    #[error("header check sequence is wrong")]
    HeaderCheck,
    /// The frame check sequence is wrong.
    #[error("frame check sequence is wrong")]
    FrameCheck,
}

/// A frame does not fit the buffer, or its information field not the length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame takes {needed} octets, there is room for {available}")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferTooSmall {
    /// Octets of the whole frame.
    pub needed: usize,
    /// Octets there is room for.
    pub available: usize,
}

impl<'a> Frame<'a> {
    /// Reads the octets between two flags.
    ///
    /// # Errors
    /// [`FrameError`] of the first check that fails, in the order of the standard: format type, length, addresses,
    /// room for the fields, header check sequence, frame check sequence.
    pub fn decode(octets: &'a [u8]) -> Result<Self, FrameError> {
        let claimed = match *octets {
            [first, ..] if first & 0xF0 != FORMAT_TYPE => return fail(0, FrameErrorKind::FormatType),
            [first, second, ..] => claimed_length(first, second),
            _ => return fail(octets.len(), FrameErrorKind::Truncated),
        };
        if claimed != octets.len() {
            return fail(0, FrameErrorKind::Length { claimed, present: octets.len() });
        }
        let header = Header::decode(octets)?;
        let mut crc = Crc::new();
        let mut checked = 0;
        if header.has_information(claimed)? {
            checked = header.length.wrapping_add(CHECK);
            // They are there, by the length; a check of nothing fails.
            crc.update(octets.get(..checked).unwrap_or_default());
            if !crc.is_good() {
                return fail(header.length, FrameErrorKind::HeaderCheck);
            }
        }
        crc.update(octets.get(checked..).unwrap_or_default());
        if !crc.is_good() {
            return fail(claimed - CHECK, FrameErrorKind::FrameCheck);
        }
        Ok(header.frame(octets))
    }

    /// Writes the frame with both flags and says how many octets it took.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if `out` is shorter than the frame, or the information field longer than a frame can carry.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        self.encode_parts(&[self.information], out)
    }

    /// Octets of the encoded frame, both flags included.
    #[must_use]
    pub const fn encoded_length(&self) -> usize {
        self.length_with(self.information.len()).saturating_add(2)
    }

    /// Writes the frame with the information field in several pieces, so that nobody has to join them first.
    pub(crate) fn encode_parts(
        &self,
        information: &[&[u8]],
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let lengths = information.iter().map(|part| part.len());
        let information_length = lengths.fold(0, usize::saturating_add);
        let length = self.length_with(information_length);
        let needed = length.saturating_add(2);
        let available = out.len().min(MAX_FRAME);
        if needed > available {
            return Err(BufferTooSmall { needed, available });
        }
        let segmentation = if self.segmented { SEGMENTATION } else { 0 };
        let mut writer = Writer { out, at: 0 };
        writer.put(&[FLAG, FORMAT_TYPE | segmentation | (length >> 8) as u8, length as u8]);
        for address in [self.destination, self.source] {
            writer.put(address.octets().get(..address.length() as usize).unwrap_or_default());
        }
        writer.put(&[self.control.octet()]);
        let mut crc = Crc::new();
        let mut checked = 1;
        if information_length > 0 {
            crc.update(writer.since(checked));
            checked = writer.at;
            writer.put(&crc.finish().to_le_bytes());
            for part in information {
                writer.put(part);
            }
        }
        crc.update(writer.since(checked));
        writer.put(&crc.finish().to_le_bytes());
        writer.put(&[FLAG]);
        // Measured before: they are the same.
        if writer.at == needed { Ok(needed) } else { Err(BufferTooSmall { needed, available }) }
    }

    const fn length_with(&self, information: usize) -> usize {
        let header = 3 + self.destination.length() as usize + self.source.length() as usize;
        let header_check = if information == 0 { 0 } else { CHECK };
        information.saturating_add(header + header_check + CHECK)
    }
}

/// The fields before the header check sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    destination: Address,
    source: Address,
    control: Control,
    segmented: bool,
    claimed: usize,
    /// Octets from the frame format to the control field.
    pub(crate) length: usize,
}

impl Header {
    /// Reads the header of octets whose format type has been seen to be 3.
    pub(crate) fn decode(octets: &[u8]) -> Result<Self, FrameError> {
        let [first, second, addresses @ ..] = octets else {
            return fail(octets.len(), FrameErrorKind::Truncated);
        };
        let destination = address(addresses, 2)?;
        let addresses = addresses.get(destination.length() as usize..).unwrap_or_default();
        let source = address(addresses, 2 + destination.length() as usize)?;
        let length = 3 + destination.length() as usize + source.length() as usize;
        let Some(control) = addresses.get(source.length() as usize) else {
            return fail(octets.len(), FrameErrorKind::Truncated);
        };
        Ok(Self {
            destination,
            source,
            control: Control::from_octet(*control),
            segmented: first & SEGMENTATION != 0,
            claimed: claimed_length(*first, *second),
            length,
        })
    }

    /// Whether a frame of `claimed` octets has an information field after this header.
    pub(crate) fn has_information(&self, claimed: usize) -> Result<bool, FrameError> {
        match claimed.checked_sub(self.length.wrapping_add(CHECK)) {
            Some(0) => Ok(false),
            Some(1..=CHECK) | None => fail(0, FrameErrorKind::TooShort),
            Some(_) => Ok(true),
        }
    }

    /// The frame, `octets` being those between the flags, of which every check has passed.
    pub(crate) fn frame(self, octets: &[u8]) -> Frame<'_> {
        let Self { destination, source, control, segmented, .. } = self;
        // Without an information field there is one check sequence, and the range is none.
        let information =
            octets.get(self.length.wrapping_add(CHECK)..self.claimed.wrapping_sub(CHECK)).unwrap_or(&[]);
        Frame { destination, source, control, segmented, information }
    }
}

/// The length field of a frame format.
pub(crate) const fn claimed_length(first: u8, second: u8) -> usize {
    ((first & 0x07) as usize) << 8 | second as usize
}

fn address(octets: &[u8], offset: usize) -> Result<Address, FrameError> {
    if let Some(address) = Address::decode(octets) {
        return Ok(address);
    }
    let unfinished = octets.len() < 4 && octets.iter().all(|octet| octet & 1 == 0);
    fail(offset, if unfinished { FrameErrorKind::Truncated } else { FrameErrorKind::Address })
}

fn fail<T>(offset: usize, kind: FrameErrorKind) -> Result<T, FrameError> {
    Err(FrameError { offset, kind })
}

/// Appends to a buffer that has been measured before.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) {
        let room = self.out.get_mut(self.at..).and_then(|room| room.get_mut(..octets.len()));
        // What is left out is missed when all is counted.
        if let Some(room) = room {
            room.copy_from_slice(octets);
            self.at = self.at.wrapping_add(octets.len());
        }
    }

    /// What was written after the first `start` octets.
    fn since(&self, start: usize) -> &[u8] {
        self.out.get(start..self.at).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ClientAddress, ServerAddress};
    use proptest::prelude::*;

    /// SNRM to server 1 from client 16.
    const SNRM: [u8; 7] = [0xA0, 0x07, 0x03, 0x21, 0x93, 0x0F, 0x01];

    fn kind(octets: &[u8]) -> FrameErrorKind {
        Frame::decode(octets).unwrap_err().kind
    }

    #[test]
    fn checks_in_their_order() {
        assert!(Frame::decode(&SNRM).is_ok());
        assert_eq!(kind(&[]), FrameErrorKind::Truncated);
        assert_eq!(kind(&[0xB0, 0x07]), FrameErrorKind::FormatType);
        assert_eq!(kind(&SNRM[..6]), FrameErrorKind::Length { claimed: 7, present: 6 });
        assert_eq!(kind(&[0xA0, 0x07, 0x02, 0x02, 0x03, 0x21, 0x93]), FrameErrorKind::Address);
        assert_eq!(kind(&[0xA0, 0x06, 0x03, 0x21, 0x93, 0x00]), FrameErrorKind::TooShort);
        assert_eq!(kind(&[0xA0, 0x09, 0x03, 0x21, 0x93, 0, 0, 0, 0]), FrameErrorKind::TooShort);
        assert_eq!(kind(&[0xA0, 0x0A, 0x03, 0x21, 0x93, 0, 0, 0, 0, 0]), FrameErrorKind::HeaderCheck);
        assert_eq!(kind(&[0xA0, 0x07, 0x03, 0x21, 0x93, 0x0F, 0x02]), FrameErrorKind::FrameCheck);
        assert_eq!(kind(&[0xA0, 0x05, 0x02, 0x02, 0x02]), FrameErrorKind::Truncated);
    }

    #[test]
    fn the_buffer_is_measured_before_it_is_written() {
        let frame = Frame::decode(&SNRM).unwrap();
        let mut out = [0; 8];
        assert_eq!(frame.encode(&mut out), Err(BufferTooSmall { needed: 9, available: 8 }));
        assert_eq!(out, [0; 8]);
    }

    fn server() -> impl Strategy<Value = Address> {
        prop_oneof![
            (0_u16..0x80).prop_map(|upper| ServerAddress::one(upper).unwrap().into()),
            (0_u16..0x80, 0_u16..0x80)
                .prop_map(|(upper, lower)| ServerAddress::two(upper, lower).unwrap().into()),
            (0_u16..0x4000, 0_u16..0x4000)
                .prop_map(|(upper, lower)| ServerAddress::four(upper, lower).unwrap().into()),
        ]
    }

    proptest! {
        #[test]
        fn round_trip(
            destination in server(),
            client in 0_u8..0x80,
            control: u8,
            segmented: bool,
            information in proptest::collection::vec(any::<u8>(), 0..=MAX_INFORMATION),
        ) {
            let frame = Frame {
                destination,
                source: ClientAddress::new(client).unwrap().into(),
                control: Control::from_octet(control),
                segmented,
                information: &information,
            };
            let mut out = [0; MAX_FRAME];
            let length = frame.encode(&mut out).unwrap();
            prop_assert_eq!(length, frame.encoded_length());
            prop_assert_eq!(Frame::decode(&out[1..length - 1]), Ok(frame));
        }

        #[test]
        fn arbitrary_octets_never_panic(mut octets in proptest::collection::vec(any::<u8>(), 0..64), tidy: bool) {
            if tidy && octets.len() >= 2 {
                octets[0] = 0xA0;
                octets[1] = octets.len() as u8;
            }
            let _ = Frame::decode(&octets);
        }
    }
}
