//! The services with short name referencing (IEC 62056-5-3): Read, Write, UnconfirmedWrite, InformationReport.
//!
//! ```text
//! 05 | n | n × VAS                              ReadRequest
//! 0C | n | n × result                           ReadResponse
//! 06 | n | n × VAS | n | n × Data               WriteRequest
//! 0D | n | n × result                           WriteResponse
//! 16 | n | n × VAS | n | n × Data               UnconfirmedWriteRequest
//! 18 | current-time? | n | n × VAS | n | n × Data    InformationReportRequest
//!
//! VAS (variable-access-specification)           read result                    write result
//! 02 name (2)                                   00 Data                        00
//! 04 name (2) | selector (1) | Data             01 data-access-error (1)       01 data-access-error (1)
//! 05 block-number (2)                           02 last (1) | number (2)       02 block-number (2)
//! 06 last (1) | number (2) | octet string          | octet string
//! 07 last (1) | number (2)                      03 block-number (2)
//! ```
//!
//! There is no invoke-id: one request at a time.

use cosem_objects::{AccessSelector, DataAccessResult};
use dlms_axdr::{BufferFull, Data, DecodeError, Encoder, Reader};

use super::List;
use super::list::{Element, element};
use super::tag::{
    INFORMATION_REPORT, READ_REQUEST, READ_RESPONSE, UNCONFIRMED_WRITE_REQUEST, WRITE_REQUEST,
    WRITE_RESPONSE, expect, unknown,
};

/// What is read or written.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum VariableAccessSpecification<'a> {
    /// An attribute, or a method.
    VariableName(u16),
    /// A part of an attribute, or a method with its parameter.
    ParameterizedAccess { name: u16, selection: AccessSelector<'a> },
    /// The block of a long response after this one.
    BlockNumberAccess(u16),
    /// A piece of a long ReadRequest.
    ReadDataBlockAccess { last: bool, block_number: u16, raw_data: &'a [u8] },
    /// A piece of a long WriteRequest, which is the one value.
    WriteDataBlockAccess { last: bool, block_number: u16 },
}

/// The request to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadRequest<'a> {
    /// What is to be read.
    pub specifications: List<'a, VariableAccessSpecification<'a>>,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadResponse<'a> {
    /// One result for each item of the request; a single one if it is a block.
    pub results: List<'a, ReadResult<'a>>,
}

/// The result of one item of a [`ReadRequest`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum ReadResult<'a> {
    /// The value.
    Data(Data<'a>),
    /// Why there is none.
    DataAccessError(DataAccessResult),
    /// A piece of a long ReadResponse: of its content from the count on.
    DataBlockResult { last: bool, block_number: u16, raw_data: &'a [u8] },
    /// A piece of a long ReadRequest was received.
    BlockNumber(u16),
}

/// The request to write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WriteRequest<'a> {
    /// What is to be written.
    pub specifications: List<'a, VariableAccessSpecification<'a>>,
    /// The values, as many.
    pub data: List<'a, Data<'a>>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WriteResponse<'a> {
    /// One result for each item of the request.
    pub results: List<'a, WriteResult>,
}

/// The result of one item of a [`WriteRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the standard")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteResult {
    Success,
    DataAccessError(DataAccessResult),
    /// A piece of a long WriteRequest was received.
    BlockNumber(u16),
}

/// The request to write, without an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnconfirmedWriteRequest<'a> {
    /// What is to be written.
    pub specifications: List<'a, VariableAccessSpecification<'a>>,
    /// The values, as many.
    pub data: List<'a, Data<'a>>,
}

/// Attributes that a meter reports of its own accord.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InformationReport<'a> {
    /// When, as the characters of a GeneralizedTime.
    pub current_time: Option<&'a [u8]>,
    /// What is reported.
    pub specifications: List<'a, VariableAccessSpecification<'a>>,
    /// The values, as many.
    pub data: List<'a, Data<'a>>,
}

impl<'a> VariableAccessSpecification<'a> {
    /// Reads the specification.
    ///
    /// # Errors
    /// The choice is unknown, or octets are missing.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        Ok(match reader.u8()? {
            2 => Self::VariableName(reader.u16()?),
            4 => Self::ParameterizedAccess { name: reader.u16()?, selection: Element::decode(reader)? },
            5 => Self::BlockNumberAccess(reader.u16()?),
            6 => Self::ReadDataBlockAccess {
                last: reader.u8()? != 0,
                block_number: reader.u16()?,
                raw_data: reader.octet_string()?,
            },
            7 => Self::WriteDataBlockAccess { last: reader.u8()? != 0, block_number: reader.u16()? },
            found => return Err(unknown(&choice, "Variable-Access-Specification", found)),
        })
    }

    /// Writes the specification.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::VariableName(name) => {
                encoder.u8(2)?;
                encoder.u16(name)
            }
            Self::ParameterizedAccess { name, selection } => {
                encoder.u8(4)?;
                encoder.u16(name)?;
                selection.encode(encoder)
            }
            Self::BlockNumberAccess(block_number) => {
                encoder.u8(5)?;
                encoder.u16(block_number)
            }
            Self::ReadDataBlockAccess { last, block_number, raw_data } => {
                encoder.octets(&[6, u8::from(last)])?;
                encoder.u16(block_number)?;
                encoder.octet_string(raw_data)
            }
            Self::WriteDataBlockAccess { last, block_number } => {
                encoder.octets(&[7, u8::from(last)])?;
                encoder.u16(block_number)
            }
        }
    }
}

impl<'a> ReadRequest<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a ReadRequest.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, READ_REQUEST)?;
        Ok(Self { specifications: List::decode(reader)? })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(READ_REQUEST)?;
        self.specifications.encode(encoder)
    }
}

impl<'a> ReadResponse<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a ReadResponse.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, READ_RESPONSE)?;
        Ok(Self { results: List::decode(reader)? })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(READ_RESPONSE)?;
        self.results.encode(encoder)
    }
}

impl<'a> ReadResult<'a> {
    /// Reads the result.
    ///
    /// # Errors
    /// The choice is unknown, or the value is malformed.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        Ok(match reader.u8()? {
            0 => Self::Data(Data::decode(reader)?),
            1 => Self::DataAccessError(Element::decode(reader)?),
            2 => Self::DataBlockResult {
                last: reader.u8()? != 0,
                block_number: reader.u16()?,
                raw_data: reader.octet_string()?,
            },
            3 => Self::BlockNumber(reader.u16()?),
            found => return Err(unknown(&choice, "ReadResponse", found)),
        })
    }

    /// Writes the result.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Data(data) => {
                encoder.u8(0)?;
                encoder.data(&data)
            }
            Self::DataAccessError(result) => encoder.octets(&[1, result.code()]),
            Self::DataBlockResult { last, block_number, raw_data } => {
                encoder.octets(&[2, u8::from(last)])?;
                encoder.u16(block_number)?;
                encoder.octet_string(raw_data)
            }
            Self::BlockNumber(block_number) => {
                encoder.u8(3)?;
                encoder.u16(block_number)
            }
        }
    }
}

impl<'a> WriteRequest<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a WriteRequest, or there are more or fewer values than items.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, WRITE_REQUEST)?;
        let (specifications, data) = decode_assignments(reader)?;
        Ok(Self { specifications, data })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(WRITE_REQUEST)?;
        self.specifications.encode(encoder)?;
        self.data.encode(encoder)
    }
}

impl<'a> WriteResponse<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a WriteResponse.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, WRITE_RESPONSE)?;
        Ok(Self { results: List::decode(reader)? })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(WRITE_RESPONSE)?;
        self.results.encode(encoder)
    }
}

impl WriteResult {
    /// Reads the result.
    ///
    /// # Errors
    /// The choice is unknown, or octets are missing.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        Ok(match reader.u8()? {
            0 => Self::Success,
            1 => Self::DataAccessError(Element::decode(reader)?),
            2 => Self::BlockNumber(reader.u16()?),
            found => return Err(unknown(&choice, "WriteResponse", found)),
        })
    }

    /// Writes the result.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Success => encoder.u8(0),
            Self::DataAccessError(result) => encoder.octets(&[1, result.code()]),
            Self::BlockNumber(block_number) => {
                encoder.u8(2)?;
                encoder.u16(block_number)
            }
        }
    }
}

impl<'a> UnconfirmedWriteRequest<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an UnconfirmedWriteRequest, or there are more or fewer values than items.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, UNCONFIRMED_WRITE_REQUEST)?;
        let (specifications, data) = decode_assignments(reader)?;
        Ok(Self { specifications, data })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(UNCONFIRMED_WRITE_REQUEST)?;
        self.specifications.encode(encoder)?;
        self.data.encode(encoder)
    }
}

impl<'a> InformationReport<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an InformationReportRequest, or there are more or fewer values than items.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, INFORMATION_REPORT)?;
        let current_time = if reader.usage("current-time")? { Some(reader.octet_string()?) } else { None };
        let (specifications, data) = decode_assignments(reader)?;
        Ok(Self { current_time, specifications, data })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(INFORMATION_REPORT)?;
        encoder.usage(self.current_time.is_some())?;
        self.current_time.map_or(Ok(()), |time| encoder.octet_string(time))?;
        self.specifications.encode(encoder)?;
        self.data.encode(encoder)
    }
}

element!(VariableAccessSpecification<'a>, ReadResult<'a>, WriteResult);

type Assignments<'a> = (List<'a, VariableAccessSpecification<'a>>, List<'a, Data<'a>>);

/// A list of specifications and a list of as many values.
fn decode_assignments<'a>(reader: &mut Reader<'a>) -> Result<Assignments<'a>, DecodeError> {
    let specifications = List::decode(reader)?;
    let data = List::decode_counted(reader, specifications.len(), "number of data")?;
    Ok((specifications, data))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_axdr::Array;
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::super::testing::{data, decode, hex, mutated, never_panics, round_trip};
    use super::VariableAccessSpecification::*;
    use super::*;

    const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);

    fn check_read(octets: &str, specifications: &[VariableAccessSpecification<'_>]) {
        round_trip!(ReadRequest, octets, ReadRequest { specifications: List::new(specifications) });
    }

    fn parameterized(name: u16, selector: u8, parameters: &[u8]) -> VariableAccessSpecification<'_> {
        let parameters = Data::from_octets(parameters).unwrap();
        ParameterizedAccess { name, selection: AccessSelector { selector, parameters } }
    }

    #[test]
    fn read_requests() {
        check_read("050102FA00", &[VariableName(0xFA00)]);
        check_read("050202FA0002FA08", &[VariableName(0xFA00), VariableName(0xFA08)]);
        let clock = data(&(8u16, CLOCK));
        check_read("050104FA0802020212000809060000010000FF", &[parameterized(0xFA08, 2, &clock)]);
        let range = data(&(
            (8u16, CLOCK, 2i8, 0u16),
            hex("07EA0105FF000000FFFFC400").as_slice(),
            hex("07EA0106FF000000FFFFC400").as_slice(),
            Array::<u8>(&[]),
        ));
        check_read(
            "0501046410010204020412000809060000010000FF0F02120000090C07EA0105FF000000FFFFC400090C07EA0106FF000000FFFFC4000100",
            &[parameterized(0x6410, 1, &range)],
        );
        check_read("0501050001", &[BlockNumberAccess(1)]);
        let raw_data = hex("0302FA0002FA");
        let block = ReadDataBlockAccess { last: false, block_number: 1, raw_data: &raw_data };
        check_read("050106000001060302FA0002FA", &[block]);
        let proof = data(&[0x10u8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14][..]);
        assert_eq!(proof.len(), 18);
        let proof = data(&hex("000102030405060708090A0B0C0D0E0F").as_slice());
        check_read("050104FA58000910000102030405060708090A0B0C0D0E0F", &[parameterized(0xFA58, 0, &proof)]);
    }

    #[test]
    fn read_responses() {
        let name = data(&LogicalName::new(0, 0, 40, 0, 0, 255));
        let first = hex("010009043132");
        for (octets, results) in [
            ("0C010009060000280000FF", &[ReadResult::Data(Data::from_octets(&name).unwrap())][..]),
            ("0C010104", &[ReadResult::DataAccessError(DataAccessResult::ObjectUndefined)]),
            (
                "0C02000600001391010D",
                &[
                    ReadResult::Data(Data::DoubleLongUnsigned(5009)),
                    ReadResult::DataAccessError(DataAccessResult::ScopeOfAccessViolated),
                ],
            ),
            (
                "0C010200000106010009043132",
                &[ReadResult::DataBlockResult { last: false, block_number: 1, raw_data: &first }],
            ),
            (
                "0C0102010002023334",
                &[ReadResult::DataBlockResult { last: true, block_number: 2, raw_data: b"34" }],
            ),
            ("0C01030001", &[ReadResult::BlockNumber(1)]),
        ] {
            round_trip!(ReadResponse, octets, ReadResponse { results: List::new(results) });
        }
        let whole = [&[READ_RESPONSE], &first[..], b"34"].concat();
        let response = decode(&whole, ReadResponse::decode).unwrap();
        assert_eq!(response.results.iter().next(), Some(ReadResult::Data(Data::OctetString(b"1234"))));
    }

    #[test]
    fn writes() {
        let time = hex("07E50118FF0E303950FFC400");
        let proof = hex("000102030405060708090A0B0C0D0E0F");
        let piece = hex("0102640801");
        for (octets, specification, value) in [
            ("060102640801090C07E50118FF0E303950FFC400", VariableName(0x6408), Data::OctetString(&time)),
            (
                "060102FA58010910000102030405060708090A0B0C0D0E0F",
                VariableName(0xFA58),
                Data::OctetString(&proof),
            ),
            ("06010464080106000000010100", parameterized(0x6408, 1, &[6, 0, 0, 0, 1]), Data::NullData),
            (
                "0601070000010109050102640801",
                WriteDataBlockAccess { last: false, block_number: 1 },
                Data::OctetString(&piece),
            ),
        ] {
            let (specifications, data) = ([specification], [value]);
            let request = WriteRequest { specifications: List::new(&specifications), data: List::new(&data) };
            round_trip!(WriteRequest, octets, request);
        }
        round_trip!(
            UnconfirmedWriteRequest,
            "1601026408010600000001",
            UnconfirmedWriteRequest {
                specifications: List::new(&[VariableName(0x6408)]),
                data: List::new(&[Data::DoubleLongUnsigned(1)])
            }
        );
        for (octets, results) in [
            ("0D01020001", &[WriteResult::BlockNumber(1)][..]),
            ("0D0100", &[WriteResult::Success]),
            (
                "0D02000103",
                &[WriteResult::Success, WriteResult::DataAccessError(DataAccessResult::ReadWriteDenied)],
            ),
        ] {
            round_trip!(WriteResponse, octets, WriteResponse { results: List::new(results) });
        }
        assert!(decode(&hex("060102640800"), WriteRequest::decode).is_err(), "no value");
    }

    #[test]
    fn information_reports() {
        let report = InformationReport {
            current_time: None,
            specifications: List::new(&[VariableName(0x6408)]),
            data: List::new(&[Data::DoubleLongUnsigned(5009)]),
        };
        round_trip!(InformationReport, "180001026408010600001391", report);
        round_trip!(
            InformationReport,
            "18010F32303236303130313030303030305A01026408010600001391",
            InformationReport { current_time: Some(b"20260101000000Z"), ..report }
        );
    }

    proptest! {
        #[test]
        fn malformed_input(octets in mutated(&[
            "050104FA0802020212000809060000010000FF",
            "050106000001060302FA0002FA",
            "0C02000600001391010D",
            "0C010200000106010009043132",
            "0601070000010109050102640801",
            "0D02000103",
            "18010F32303236303130313030303030305A01026408010600001391",
        ])) {
            never_panics(&octets, ReadRequest::decode);
            never_panics(&octets, ReadResponse::decode);
            never_panics(&octets, WriteRequest::decode);
            never_panics(&octets, WriteResponse::decode);
            never_panics(&octets, UnconfirmedWriteRequest::decode);
            never_panics(&octets, InformationReport::decode);
        }
    }
}
