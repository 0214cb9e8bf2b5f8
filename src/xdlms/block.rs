//! One block of a long value (IEC 62056-5-3, service-specific block transfer): DataBlock-SA and DataBlock-G.
//!
//! ```text
//! DataBlock-SA   last-block (1) | block-number (4) | raw-data (octet string)                    SET, ACTION
//! DataBlock-G    last-block (1) | block-number (4) | 00 raw-data | 01 data-access-result        Get-Response
//! ```

use cosem_objects::DataAccessResult;
use dlms_axdr::{BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader};

/// The number of a block; the first one is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BlockNumber(pub u32);

/// DataBlock-SA: a piece of what SET or ACTION transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataBlock<'a> {
    /// Whether it is the last one.
    pub last: bool,
    /// Its number.
    pub number: BlockNumber,
    /// The piece.
    pub raw_data: &'a [u8],
}

/// DataBlock-G: a piece of what GET transfers, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseDataBlock<'a> {
    /// Whether it is the last one.
    pub last: bool,
    /// Its number.
    pub number: BlockNumber,
    /// The piece, or the reason why the transfer ends.
    pub result: DataBlockResult<'a>,
}

/// The content of a [`ResponseDataBlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataBlockResult<'a> {
    /// `00`: the piece.
    RawData(&'a [u8]),
    /// `01`: why the transfer ends.
    DataAccessResult(DataAccessResult),
}

impl BlockNumber {
    /// The number of the first block.
    pub const FIRST: Self = Self(1);
}

impl<'a> DataBlock<'a> {
    /// Reads a block.
    ///
    /// # Errors
    /// Octets are missing.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (last, number) = decode_head(reader)?;
        Ok(Self { last, number, raw_data: reader.octet_string()? })
    }

    /// Writes the block.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encode_head(encoder, self.last, self.number)?;
        encoder.octet_string(self.raw_data)
    }
}

impl<'a> ResponseDataBlock<'a> {
    /// Reads a block.
    ///
    /// # Errors
    /// Octets are missing, or the choice is unknown.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (last, number) = decode_head(reader)?;
        let choice = reader.clone();
        let result = match reader.u8()? {
            RAW_DATA => DataBlockResult::RawData(reader.octet_string()?),
            DATA_ACCESS_RESULT => {
                DataBlockResult::DataAccessResult(DataAccessResult::from_code(reader.u8()?))
            }
            found => {
                return Err(
                    choice.error(DecodeErrorKind::UnknownTag { expected: "DataBlock-G".into(), found })
                );
            }
        };
        Ok(Self { last, number, result })
    }

    /// Writes the block.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encode_head(encoder, self.last, self.number)?;
        match self.result {
            DataBlockResult::RawData(octets) => {
                encoder.u8(RAW_DATA)?;
                encoder.octet_string(octets)
            }
            DataBlockResult::DataAccessResult(result) => encoder.octets(&[DATA_ACCESS_RESULT, result.code()]),
        }
    }
}

/// Writes what `header` writes right before `buffer[at..]`, where the octets that it announces already are. Returns
/// where the whole begins.
///
/// # Errors
/// There is no room for the header before `at`, or it is longer than 32 octets.
pub fn prepend(
    buffer: &mut [u8],
    at: usize,
    header: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
) -> Result<usize, BufferFull> {
    let mut octets = [0; 32];
    let mut encoder = Encoder::new(&mut octets);
    header(&mut encoder)?;
    let header = encoder.written();
    let start = at.checked_sub(header.len()).ok_or(BufferFull)?;
    buffer.get_mut(start..at).ok_or(BufferFull)?.copy_from_slice(header);
    Ok(start)
}

pub(super) const RAW_DATA: u8 = 0x00;
const DATA_ACCESS_RESULT: u8 = 0x01;

fn decode_head(reader: &mut Reader<'_>) -> Result<(bool, BlockNumber), DecodeError> {
    Ok((reader.u8()? != 0, BlockNumber(reader.u32()?)))
}

pub(super) fn encode_head(
    encoder: &mut Encoder<'_>,
    last: bool,
    number: BlockNumber,
) -> Result<(), BufferFull> {
    encoder.u8(u8::from(last))?;
    encoder.u32(number.0)
}
