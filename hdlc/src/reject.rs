//! The information field of FRMR (ISO/IEC 13239; IEC 62056-46, 6.4.3.10).
//!
//! | octet | content |
//! |---|---|
//! | 1 | control field of the rejected frame |
//! | 2 | V(R) in bits 7..5, C/R in bit 4, V(S) in bits 3..1 |
//! | 3 | bit 0 W, bit 1 X, bit 2 Y, bit 3 Z |
//!
//! Meters are known that mirror octets 2 and 3, and the field may be missing altogether: [`FrameReject::decode`] takes
//! the reasons from either half of octet 3, and nothing may depend on them.

use crate::{Control, Sequence};

/// Why a frame was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameReject {
    octets: [u8; 3],
}

impl FrameReject {
    /// W: the control field is undefined or not implemented.
    pub const UNDEFINED_CONTROL: u8 = 0x01;
    /// X: an information field where none is permitted.
    pub const INFORMATION_NOT_PERMITTED: u8 = 0x02;
    /// Y: the information field is longer than the limit.
    pub const INFORMATION_TOO_LONG: u8 = 0x04;
    /// Z: N(R) acknowledges what was never sent.
    pub const INVALID_SEQUENCE: u8 = 0x08;

    pub(crate) const fn new(rejected: Control, receive: Sequence, send: Sequence, reasons: u8) -> Self {
        Self { octets: [rejected.octet(), receive.number() << 5 | send.number() << 1, reasons] }
    }

    /// Reads an information field; `None` if it is missing or short.
    #[must_use]
    pub fn decode(information: &[u8]) -> Option<Self> {
        information.first_chunk().map(|octets| Self { octets: *octets })
    }

    /// The octets on the wire.
    #[must_use]
    pub const fn octets(self) -> [u8; 3] {
        self.octets
    }

    /// The control field of the rejected frame.
    #[must_use]
    pub const fn rejected(self) -> Control {
        Control::from_octet(self.octets[0])
    }

    /// The reasons as a set of the constants above, whichever layout they came in.
    #[must_use]
    pub const fn reasons(self) -> u8 {
        let [_, _, reasons] = self.octets;
        if reasons & 0x0F != 0 { reasons & 0x0F } else { reasons.reverse_bits() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn standard_and_mirrored() {
        let standard = FrameReject::decode(&[0x31, 0x00, 0x08]).unwrap();
        assert_eq!(standard.reasons(), FrameReject::INVALID_SEQUENCE);
        // A real meter: control 54 has N(R) = 2 after V(S) had returned to 0.
        let mirrored = FrameReject::decode(&[0x54, 0x00, 0x10]).unwrap();
        assert_eq!(mirrored.reasons(), FrameReject::INVALID_SEQUENCE);
        assert!(matches!(mirrored.rejected(), Control::Information { receive, .. } if receive.number() == 2));
        assert_eq!(FrameReject::decode(&[0x54, 0x00]), None);
        let (receive, send) = (Sequence::new(5), Sequence::new(3));
        assert_eq!(FrameReject::new(Control::Undefined(0xFF), receive, send, 1).octets(), [0xFF, 0xA6, 0x01]);
    }
}
