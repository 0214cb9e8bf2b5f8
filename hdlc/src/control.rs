//! The control field (IEC 62056-46, 6.4.2.5): one octet, bit 0 sent first, P/F in bit 4.
//!
//! | frame | bits 7..0 |
//! |---|---|
//! | I | N(R) P/F N(S) 0 |
//! | RR / RNR | N(R) P/F 0001 / N(R) P/F 0101 |
//! | SNRM / DISC | 100 P 0011 / 010 P 0011 |
//! | UA / DM / FRMR | 011 F 0011 / 000 F 1111 / 100 F 0111 |
//! | UI | 000 P/F 0011 |
//!
//! REJ and SREJ are not in the repertoire of the profile: they are [`Control::Undefined`] like everything else.

const POLL_FINAL: u8 = 0x10;

/// A sequence number, modulo 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sequence(u8);

impl Sequence {
    /// The number, of which the low three bits count.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number & 7)
    }

    /// The number, 0..=7.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The number `steps` later.
    #[must_use]
    pub const fn plus(self, steps: u8) -> Self {
        Self(self.0.wrapping_add(steps) & 7)
    }

    /// How many steps lead from `earlier` to this number, 0..=7.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u8 {
        self.0.wrapping_sub(earlier.0) & 7
    }
}

/// What a frame is, and its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Control {
    /// I: numbered information.
    Information {
        /// N(S), the number of this frame.
        send: Sequence,
        /// N(R), the number of the frame expected next: all before it are acknowledged.
        receive: Sequence,
        /// P or F.
        poll_final: bool,
    },
    /// RR: ready for the frame N(R).
    ReceiveReady {
        /// N(R).
        receive: Sequence,
        /// P or F.
        poll_final: bool,
    },
    /// RNR: N(R) is acknowledged, but no frame can be taken now.
    ReceiveNotReady {
        /// N(R).
        receive: Sequence,
        /// P or F.
        poll_final: bool,
    },
    /// SNRM: set normal response mode (connect), client to server.
    SetNormalResponseMode {
        /// P.
        poll_final: bool,
    },
    /// DISC: disconnect, client to server.
    Disconnect {
        /// P.
        poll_final: bool,
    },
    /// UA: unnumbered acknowledgement of SNRM or DISC, server to client.
    UnnumberedAcknowledge {
        /// F.
        poll_final: bool,
    },
    /// DM: disconnected mode, server to client.
    DisconnectedMode {
        /// F.
        poll_final: bool,
    },
    /// FRMR: frame reject, server to client.
    FrameReject {
        /// F.
        poll_final: bool,
    },
    /// UI: unnumbered information.
    UnnumberedInformation {
        /// P or F.
        poll_final: bool,
    },
    /// Anything else, as received.
    Undefined(u8),
}

impl Control {
    /// Reads a control octet; every octet has a meaning, [`Control::Undefined`] in the worst case.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Self {
        let poll_final = octet & POLL_FINAL != 0;
        let receive = Sequence::new(octet >> 5);
        if octet & 1 == 0 {
            return Self::Information { send: Sequence::new(octet >> 1), receive, poll_final };
        }
        match octet & 0x0F {
            0x01 => return Self::ReceiveReady { receive, poll_final },
            0x05 => return Self::ReceiveNotReady { receive, poll_final },
            _ => {}
        }
        match octet & !POLL_FINAL {
            0x83 => Self::SetNormalResponseMode { poll_final },
            0x43 => Self::Disconnect { poll_final },
            0x63 => Self::UnnumberedAcknowledge { poll_final },
            0x0F => Self::DisconnectedMode { poll_final },
            0x87 => Self::FrameReject { poll_final },
            0x03 => Self::UnnumberedInformation { poll_final },
            _ => Self::Undefined(octet),
        }
    }

    /// The octet on the wire.
    #[must_use]
    pub const fn octet(self) -> u8 {
        let base = match self {
            Self::Information { send, receive, .. } => receive.0 << 5 | send.0 << 1,
            Self::ReceiveReady { receive, .. } => receive.0 << 5 | 0x01,
            Self::ReceiveNotReady { receive, .. } => receive.0 << 5 | 0x05,
            Self::SetNormalResponseMode { .. } => 0x83,
            Self::Disconnect { .. } => 0x43,
            Self::UnnumberedAcknowledge { .. } => 0x63,
            Self::DisconnectedMode { .. } => 0x0F,
            Self::FrameReject { .. } => 0x87,
            Self::UnnumberedInformation { .. } => 0x03,
            Self::Undefined(octet) => return octet,
        };
        if self.poll_final() { base | POLL_FINAL } else { base }
    }

    /// P in a command, F in a response: the right to transmit changes hands.
    #[must_use]
    pub const fn poll_final(self) -> bool {
        match self {
            Self::Information { poll_final, .. }
            | Self::ReceiveReady { poll_final, .. }
            | Self::ReceiveNotReady { poll_final, .. }
            | Self::SetNormalResponseMode { poll_final }
            | Self::Disconnect { poll_final }
            | Self::UnnumberedAcknowledge { poll_final }
            | Self::DisconnectedMode { poll_final }
            | Self::FrameReject { poll_final }
            | Self::UnnumberedInformation { poll_final } => poll_final,
            Self::Undefined(octet) => octet & POLL_FINAL != 0,
        }
    }

    /// The name in the standard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Information { .. } => "I",
            Self::ReceiveReady { .. } => "RR",
            Self::ReceiveNotReady { .. } => "RNR",
            Self::SetNormalResponseMode { .. } => "SNRM",
            Self::Disconnect { .. } => "DISC",
            Self::UnnumberedAcknowledge { .. } => "UA",
            Self::DisconnectedMode { .. } => "DM",
            Self::FrameReject { .. } => "FRMR",
            Self::UnnumberedInformation { .. } => "UI",
            Self::Undefined(_) => "undefined",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_returns_to_itself() {
        for octet in 0..=0xFF {
            assert_eq!(Control::from_octet(octet).octet(), octet);
            assert_eq!(Control::from_octet(octet).poll_final(), octet & 0x10 != 0);
        }
    }

    #[test]
    fn table_of_unnumbered_frames() {
        let poll_final = true;
        assert_eq!(Control::SetNormalResponseMode { poll_final }.octet(), 0x93);
        assert_eq!(Control::Disconnect { poll_final }.octet(), 0x53);
        assert_eq!(Control::UnnumberedAcknowledge { poll_final }.octet(), 0x73);
        assert_eq!(Control::DisconnectedMode { poll_final }.octet(), 0x1F);
        assert_eq!(Control::FrameReject { poll_final }.octet(), 0x97);
        assert_eq!(Control::UnnumberedInformation { poll_final }.octet(), 0x13);
        assert_eq!(Control::UnnumberedInformation { poll_final: false }.octet(), 0x03);
    }

    #[test]
    fn table_of_numbered_frames() {
        for receive in 0..8 {
            for send in 0..8 {
                let control = Control::Information {
                    send: Sequence::new(send),
                    receive: Sequence::new(receive),
                    poll_final: true,
                };
                assert_eq!(control.octet(), receive << 5 | 0x10 | send << 1);
            }
        }
        let rr = [0x11, 0x31, 0x51, 0x71, 0x91, 0xB1, 0xD1, 0xF1];
        for (number, octet) in (0..8).zip(rr) {
            let receive = Sequence::new(number);
            assert_eq!(Control::ReceiveReady { receive, poll_final: true }.octet(), octet);
            assert_eq!(Control::ReceiveNotReady { receive, poll_final: true }.octet(), octet + 4);
        }
    }

    #[test]
    fn reject_frames_are_undefined() {
        for octet in [0x09, 0x19, 0x0D, 0x1D, 0xFF] {
            assert_eq!(Control::from_octet(octet), Control::Undefined(octet));
        }
    }
}
