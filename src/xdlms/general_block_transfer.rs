//! General-Block-Transfer, tag `E0`: any APDU, ciphered or not, in blocks (IEC 62056-5-3).
//!
//! ```text
//! E0 | block-control (1) | block-number (2) | block-number-ack (2) | block-data (octet string)
//!      block-control   bit 7 last-block | bit 6 streaming | bits 5-0 window
//! ```
//!
//! Both sides number their own blocks. The window is how many blocks the sender of this APDU can receive in one burst.

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};

use super::tag::{GENERAL_BLOCK_TRANSFER, expect};

/// One block of an APDU, or an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneralBlockTransfer<'a> {
    /// Whether the sender has nothing more to send.
    pub last: bool,
    /// Whether more blocks follow without waiting.
    pub streaming: bool,
    /// How many blocks the sender can receive in one burst, 0 to 63; 0 means 1.
    pub window: u8,
    /// The number of this block among the sender's; the first one is 1.
    pub block_number: u16,
    /// The highest number up to which every block of the receiver has arrived; 0 if none has.
    pub block_number_ack: u16,
    /// The piece; empty in an acknowledgement.
    pub block_data: &'a [u8],
}

impl<'a> GeneralBlockTransfer<'a> {
    /// How many octets at most stand before the data of a block of up to 65,535 octets.
    pub const HEADER_MAX: usize = 9;

    const LAST: u8 = 0x80;
    const STREAMING: u8 = 0x40;
    const WINDOW: u8 = 0x3F;

    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a General-Block-Transfer.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, GENERAL_BLOCK_TRANSFER)?;
        let control = reader.u8()?;
        Ok(Self {
            last: control & Self::LAST != 0,
            streaming: control & Self::STREAMING != 0,
            window: control & Self::WINDOW,
            block_number: reader.u16()?,
            block_number_ack: reader.u16()?,
            block_data: reader.octet_string()?,
        })
    }

    /// Writes the APDU. Of the window the low six bits are written.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let last = if self.last { Self::LAST } else { 0 };
        let streaming = if self.streaming { Self::STREAMING } else { 0 };
        encoder.octets(&[GENERAL_BLOCK_TRANSFER, last | streaming | self.window & Self::WINDOW])?;
        encoder.u16(self.block_number)?;
        encoder.u16(self.block_number_ack)?;
        encoder.octet_string(self.block_data)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::testing::{decode, hex, mutated, never_panics, round_trip};
    use super::*;

    fn block(
        last: bool,
        streaming: bool,
        window: u8,
        block_number: u16,
        block_number_ack: u16,
        block_data: &[u8],
    ) -> GeneralBlockTransfer<'_> {
        GeneralBlockTransfer { last, streaming, window, block_number, block_number_ack, block_data }
    }

    #[test]
    fn blocks() {
        let get = hex("C001C1000100002B0100FF0200");
        round_trip!(
            GeneralBlockTransfer,
            "E081000100000DC001C1000100002B0100FF0200",
            block(true, false, 1, 1, 0, &get)
        );
        round_trip!(
            GeneralBlockTransfer,
            "E0440001000003C40181",
            block(false, true, 4, 1, 0, &[0xC4, 0x01, 0x81])
        );
        round_trip!(GeneralBlockTransfer, "E0830003000600", block(true, false, 3, 3, 6, &[]));
        round_trip!(
            GeneralBlockTransfer,
            "E08300020001050102030405",
            block(true, false, 3, 2, 1, &[1, 2, 3, 4, 5])
        );
    }

    #[test]
    fn a_response_in_four_blocks() {
        let blocks = [
            "E0010001000005C401C10009",
            "E04300020001050A01020304",
            "E0430003000103050607",
            "E083000400010308090A",
        ]
        .map(hex);
        let mut joined = Vec::new();
        for (number, octets) in (1..).zip(&blocks) {
            let block = decode(octets, GeneralBlockTransfer::decode).unwrap();
            assert_eq!((block.block_number, block.last), (number, number == 4));
            joined.extend_from_slice(block.block_data);
        }
        assert_eq!(joined, hex("C401C100090A0102030405060708090A"));
        for (octets, expected) in [
            ("E083000100000DC001C1000100002B0100FF0200", (true, false, 3, 1, 0)),
            ("E0830001000100", (true, false, 3, 1, 1)),
            ("E0430001000105C401C10009", (false, true, 3, 1, 1)),
            ("E0030003000103050607", (false, false, 3, 3, 1)),
            ("E0830002000300", (true, false, 3, 2, 3)),
            ("E083000400020308090A", (true, false, 3, 4, 2)),
            ("E0810003000100", (true, false, 1, 3, 1)),
        ] {
            let octets = hex(octets);
            let found = decode(&octets, GeneralBlockTransfer::decode).unwrap();
            let fields =
                (found.last, found.streaming, found.window, found.block_number, found.block_number_ack);
            assert_eq!(fields, expected);
        }
    }

    proptest! {
        #[test]
        fn any_block(last: bool, streaming: bool, window in 0u8..64, number: u16, ack: u16, data: Vec<u8>) {
            let block = block(last, streaming, window, number, ack, &data);
            let mut buffer = vec![0; data.len() + GeneralBlockTransfer::HEADER_MAX];
            let mut encoder = Encoder::new(&mut buffer);
            block.encode(&mut encoder).unwrap();
            prop_assert_eq!(decode(encoder.written(), GeneralBlockTransfer::decode).unwrap(), block);
        }

        #[test]
        fn malformed_input(octets in mutated(&["E081000100000DC001C1000100002B0100FF0200"])) {
            never_panics(&octets, GeneralBlockTransfer::decode);
        }
    }
}
