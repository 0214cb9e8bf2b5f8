//! Conformance: which services an association offers (IEC 62056-5-3, 7.3.1), `5F 1F 04 00` and 24 bits.
//!
//! Bit 0 of the standard is the most significant one of the first octet. What is agreed is the client's proposal AND
//! what the server can, cut to the column of the application context: [`Conformance::LOGICAL_NAME`] or
//! [`Conformance::SHORT_NAME`].

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader, ber};

bitflags::bitflags! {
    /// The conformance block. Reserved bits are kept as they came.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Conformance: u32 {
        /// Bit 1: general-glo-, general-ded- and general-ciphering, general-signing.
        const GENERAL_PROTECTION = 0x40_0000;
        /// Bit 2: any APDU in blocks.
        const GENERAL_BLOCK_TRANSFER = 0x20_0000;
        /// Bit 3: ReadRequest.
        const READ = 0x10_0000;
        /// Bit 4: WriteRequest.
        const WRITE = 0x08_0000;
        /// Bit 5: UnconfirmedWriteRequest.
        const UNCONFIRMED_WRITE = 0x04_0000;
        /// Bit 6: delta types inside arrays. Reserved in older editions.
        const DELTA_VALUE_ENCODING = 0x02_0000;
        /// Bit 8: SET of attribute 0, all attributes of an object.
        const ATTRIBUTE_0_SUPPORTED_WITH_SET = 0x00_8000;
        /// Bit 9: requests of high priority.
        const PRIORITY_MGMT_SUPPORTED = 0x00_4000;
        /// Bit 10: GET of attribute 0, all attributes of an object.
        const ATTRIBUTE_0_SUPPORTED_WITH_GET = 0x00_2000;
        /// Bit 11: long values in blocks with GET or Read.
        const BLOCK_TRANSFER_WITH_GET_OR_READ = 0x00_1000;
        /// Bit 12: long values in blocks with SET or Write.
        const BLOCK_TRANSFER_WITH_SET_OR_WRITE = 0x00_0800;
        /// Bit 13: long values in blocks with ACTION.
        const BLOCK_TRANSFER_WITH_ACTION = 0x00_0400;
        /// Bit 14: lists of attributes or methods.
        const MULTIPLE_REFERENCES = 0x00_0200;
        /// Bit 15: InformationReportRequest.
        const INFORMATION_REPORT = 0x00_0100;
        /// Bit 16: DataNotification.
        const DATA_NOTIFICATION = 0x00_0080;
        /// Bit 17: ACCESS.
        const ACCESS = 0x00_0040;
        /// Bit 18: parts of attributes with short names.
        const PARAMETERIZED_ACCESS = 0x00_0020;
        /// Bit 19: GET.
        const GET = 0x00_0010;
        /// Bit 20: SET.
        const SET = 0x00_0008;
        /// Bit 21: parts of attributes.
        const SELECTIVE_ACCESS = 0x00_0004;
        /// Bit 22: EventNotification.
        const EVENT_NOTIFICATION = 0x00_0002;
        /// Bit 23: ACTION.
        const ACTION = 0x00_0001;
        const _ = 0xFF_FFFF;
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Conformance {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "Conformance({=u32:#x})", self.bits());
    }
}

impl Conformance {
    /// What exists in contexts with either kind of referencing.
    const COMMON: Self = Self::GENERAL_PROTECTION
        .union(Self::GENERAL_BLOCK_TRANSFER)
        .union(Self::DELTA_VALUE_ENCODING)
        .union(Self::BLOCK_TRANSFER_WITH_GET_OR_READ)
        .union(Self::BLOCK_TRANSFER_WITH_SET_OR_WRITE)
        .union(Self::MULTIPLE_REFERENCES)
        .union(Self::DATA_NOTIFICATION);

    /// What exists in contexts with logical name referencing.
    pub const LOGICAL_NAME: Self = Self::COMMON
        .union(Self::ATTRIBUTE_0_SUPPORTED_WITH_SET)
        .union(Self::PRIORITY_MGMT_SUPPORTED)
        .union(Self::ATTRIBUTE_0_SUPPORTED_WITH_GET)
        .union(Self::BLOCK_TRANSFER_WITH_ACTION)
        .union(Self::ACCESS)
        .union(Self::GET)
        .union(Self::SET)
        .union(Self::SELECTIVE_ACCESS)
        .union(Self::EVENT_NOTIFICATION)
        .union(Self::ACTION);

    /// What exists in contexts with short name referencing.
    pub const SHORT_NAME: Self = Self::COMMON
        .union(Self::READ)
        .union(Self::WRITE)
        .union(Self::UNCONFIRMED_WRITE)
        .union(Self::INFORMATION_REPORT)
        .union(Self::PARAMETERIZED_ACCESS);

    /// The conformance block with these octets.
    pub const fn from_octets([first, second, third]: [u8; 3]) -> Self {
        Self::from_bits_retain(u32::from_be_bytes([0, first, second, third]))
    }

    /// The three octets on the wire.
    pub const fn octets(self) -> [u8; 3] {
        let [_, first, second, third] = self.bits().to_be_bytes();
        [first, second, third]
    }

    /// Reads the element, tag included. The tag of old peers, `5F` alone, is accepted.
    ///
    /// # Errors
    /// The octets are not a Conformance.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ber::read_conformance(reader).map(Self::from_octets)
    }

    /// Writes the element, tag included.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        ber::write_conformance(encoder, self.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiation_cuts_to_the_column_of_the_context() {
        let everything = Conformance::from_octets([0xFF; 3]);
        assert_eq!((everything & Conformance::LOGICAL_NAME).octets(), [0x62, 0xFE, 0xDF]);
        assert_eq!((everything & Conformance::SHORT_NAME).octets(), [0x7E, 0x1B, 0xA0]);
        // The conformance test tool proposes all logical name services, a server grants fewer.
        let proposed = Conformance::from_octets([0x60, 0xFE, 0x9F]);
        let granted = proposed & Conformance::from_octets([0x00, 0x50, 0x1F]) & Conformance::LOGICAL_NAME;
        assert_eq!(granted.octets(), [0x00, 0x50, 0x1F]);
        assert!(granted.contains(Conformance::GET | Conformance::BLOCK_TRANSFER_WITH_GET_OR_READ));
        assert!(!granted.contains(Conformance::MULTIPLE_REFERENCES));
        assert_eq!(Conformance::from_octets([0x80, 0x01, 0x00]).octets(), [0x80, 0x01, 0x00]);
    }
}
