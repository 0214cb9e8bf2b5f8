//! GET: reading attributes (IEC 62056-5-3, `Get-Request` C0, `Get-Response` C4).
//!
//! ```text
//! C0 01 | invoke-id | attribute | selection?               normal
//! C0 02 | invoke-id | block-number (4)                     next
//! C0 03 | invoke-id | n | n × (attribute | selection?)     with-list
//! C4 01 | invoke-id | Get-Data-Result                      normal
//! C4 02 | invoke-id | DataBlock-G                          with-datablock
//! C4 03 | invoke-id | n | n × Get-Data-Result              with-list
//! ```
//!
//! Get-Data-Result is `00` Data or `01` data-access-result. What blocks carry is, of a single attribute, the Data
//! without the `00`; of a list, everything from the count on.

use cosem_objects::{AccessSelector, DataAccessResult};
use dlms_axdr::{BufferFull, Data, DecodeError, Encoder, Reader};

use super::block::{RAW_DATA, encode_head, prepend};
use super::list::{decode_optional, element, encode_optional};
use super::tag::{GET_REQUEST, GET_RESPONSE, expect, unknown};
use super::{
    AttributeDescriptor, AttributeDescriptorWithSelection, BlockNumber, InvokeIdAndPriority, List,
    ResponseDataBlock,
};

/// The request to read.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum GetRequest<'a> {
    /// One attribute.
    Normal {
        invoke_id: InvokeIdAndPriority,
        attribute: AttributeDescriptor,
        selection: Option<AccessSelector<'a>>,
    },
    /// The block after the one named.
    Next { invoke_id: InvokeIdAndPriority, block_number: BlockNumber },
    /// Several attributes.
    WithList { invoke_id: InvokeIdAndPriority, attributes: List<'a, AttributeDescriptorWithSelection<'a>> },
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum GetResponse<'a> {
    /// The value of one attribute.
    Normal { invoke_id: InvokeIdAndPriority, result: GetDataResult<'a> },
    /// A piece of what is too long for one APDU.
    WithDataBlock { invoke_id: InvokeIdAndPriority, block: ResponseDataBlock<'a> },
    /// The values of several attributes.
    WithList { invoke_id: InvokeIdAndPriority, results: List<'a, GetDataResult<'a>> },
}

/// A value, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GetDataResult<'a> {
    /// `00`: the value.
    Data(Data<'a>),
    /// `01`: why there is none.
    DataAccessResult(DataAccessResult),
}

/// The beginning of a Get-Response: all of it but a value that may be long, which the reader then stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum GetResponseHeader<'a> {
    /// The Data of the attribute follows, unchecked.
    Data { invoke_id: InvokeIdAndPriority },
    /// Nothing follows.
    DataAccessResult { invoke_id: InvokeIdAndPriority, result: DataAccessResult },
    /// Nothing follows.
    WithDataBlock { invoke_id: InvokeIdAndPriority, block: ResponseDataBlock<'a> },
    /// The list of Get-Data-Results follows, beginning with its count, unchecked.
    WithList { invoke_id: InvokeIdAndPriority },
}

impl<'a> GetRequest<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a Get-Request, or a list is empty.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, GET_REQUEST)?;
        let choice = reader.clone();
        let kind = reader.u8()?;
        if !matches!(kind, 1..=3) {
            return Err(unknown(&choice, "Get-Request", kind));
        }
        let invoke_id = InvokeIdAndPriority(reader.u8()?);
        Ok(match kind {
            1 => Self::Normal {
                invoke_id,
                attribute: AttributeDescriptor::decode(reader)?,
                selection: decode_optional(reader, "access-selection")?,
            },
            2 => Self::Next { invoke_id, block_number: BlockNumber(reader.u32()?) },
            _ => Self::WithList { invoke_id, attributes: List::decode_non_empty(reader, "empty list")? },
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Normal { invoke_id, attribute, selection } => {
                encoder.octets(&[GET_REQUEST, 1, invoke_id.0])?;
                attribute.encode(encoder)?;
                encode_optional(encoder, selection)
            }
            Self::Next { invoke_id, block_number } => {
                encoder.octets(&[GET_REQUEST, 2, invoke_id.0])?;
                encoder.u32(block_number.0)
            }
            Self::WithList { invoke_id, attributes } => {
                encoder.octets(&[GET_REQUEST, 3, invoke_id.0])?;
                attributes.encode(encoder)
            }
        }
    }

    /// Which request this is.
    pub const fn invoke_id(&self) -> InvokeIdAndPriority {
        match *self {
            Self::Normal { invoke_id, .. }
            | Self::Next { invoke_id, .. }
            | Self::WithList { invoke_id, .. } => invoke_id,
        }
    }
}

impl<'a> GetResponse<'a> {
    /// How many octets stand before the Data of a normal response.
    pub const NORMAL_HEADER: usize = 4;
    /// How many octets stand before the count of a response with a list.
    pub const LIST_HEADER: usize = 3;
    /// How many octets at most stand before the raw data of a response with a block of up to 65,535 octets.
    pub const DATABLOCK_HEADER_MAX: usize = 12;

    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a Get-Response, or a list is empty.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match GetResponseHeader::decode(reader)? {
            GetResponseHeader::Data { invoke_id } => {
                Self::Normal { invoke_id, result: GetDataResult::Data(Data::decode(reader)?) }
            }
            GetResponseHeader::DataAccessResult { invoke_id, result } => {
                Self::Normal { invoke_id, result: GetDataResult::DataAccessResult(result) }
            }
            GetResponseHeader::WithDataBlock { invoke_id, block } => Self::WithDataBlock { invoke_id, block },
            GetResponseHeader::WithList { invoke_id } => {
                Self::WithList { invoke_id, results: List::decode_non_empty(reader, "empty list")? }
            }
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Normal { invoke_id, result } => {
                encoder.octets(&[GET_RESPONSE, 1, invoke_id.0])?;
                result.encode(encoder)
            }
            Self::WithDataBlock { invoke_id, block } => {
                encoder.octets(&[GET_RESPONSE, 2, invoke_id.0])?;
                block.encode(encoder)
            }
            Self::WithList { invoke_id, results } => {
                Self::encode_list_header(encoder, invoke_id)?;
                results.encode(encoder)
            }
        }
    }

    /// Writes what stands before the Data of a normal response: [`GetResponse::NORMAL_HEADER`] octets.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode_normal_header(
        encoder: &mut Encoder<'_>,
        invoke_id: InvokeIdAndPriority,
    ) -> Result<(), BufferFull> {
        encoder.octets(&[GET_RESPONSE, 1, invoke_id.0, DATA])
    }

    /// Writes what stands before the count of a list of results: [`GetResponse::LIST_HEADER`] octets.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode_list_header(
        encoder: &mut Encoder<'_>,
        invoke_id: InvokeIdAndPriority,
    ) -> Result<(), BufferFull> {
        encoder.octets(&[GET_RESPONSE, 3, invoke_id.0])
    }

    /// Puts the header of a block before its `length` octets of raw data, which begin at `at` of the buffer already.
    /// Returns where the APDU begins.
    ///
    /// # Errors
    /// There is no room before `at`: [`GetResponse::DATABLOCK_HEADER_MAX`] octets are enough.
    pub fn prepend_datablock_header(
        buffer: &mut [u8],
        at: usize,
        invoke_id: InvokeIdAndPriority,
        last: bool,
        number: BlockNumber,
        length: usize,
    ) -> Result<usize, BufferFull> {
        prepend(buffer, at, |encoder| {
            encoder.octets(&[GET_RESPONSE, 2, invoke_id.0])?;
            encode_head(encoder, last, number)?;
            encoder.u8(RAW_DATA)?;
            encoder.length(length)
        })
    }

    /// Which request this answers.
    pub const fn invoke_id(&self) -> InvokeIdAndPriority {
        match *self {
            Self::Normal { invoke_id, .. }
            | Self::WithDataBlock { invoke_id, .. }
            | Self::WithList { invoke_id, .. } => invoke_id,
        }
    }
}

impl<'a> GetResponseHeader<'a> {
    /// Reads the beginning of a Get-Response and leaves the reader at the value.
    ///
    /// # Errors
    /// The octets are not the beginning of a Get-Response.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, GET_RESPONSE)?;
        let choice = reader.clone();
        let kind = reader.u8()?;
        if !matches!(kind, 1..=3) {
            return Err(unknown(&choice, "Get-Response", kind));
        }
        let invoke_id = InvokeIdAndPriority(reader.u8()?);
        Ok(match kind {
            1 => match decode_result_choice(reader)? {
                None => Self::Data { invoke_id },
                Some(result) => Self::DataAccessResult { invoke_id, result },
            },
            2 => Self::WithDataBlock { invoke_id, block: ResponseDataBlock::decode(reader)? },
            _ => Self::WithList { invoke_id },
        })
    }
}

impl<'a> GetDataResult<'a> {
    /// Reads the result.
    ///
    /// # Errors
    /// The choice is unknown, or the value is malformed.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match decode_result_choice(reader)? {
            None => Data::decode(reader).map(Self::Data),
            Some(result) => Ok(Self::DataAccessResult(result)),
        }
    }

    /// Writes the result.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match self {
            Self::Data(data) => {
                encoder.u8(DATA)?;
                encoder.data(data)
            }
            Self::DataAccessResult(result) => encoder.octets(&[DATA_ACCESS_RESULT, result.code()]),
        }
    }
}

element!(GetDataResult<'a>);

const DATA: u8 = 0x00;
const DATA_ACCESS_RESULT: u8 = 0x01;

/// `None` if Data follows.
fn decode_result_choice(reader: &mut Reader<'_>) -> Result<Option<DataAccessResult>, DecodeError> {
    let choice = reader.clone();
    match reader.u8()? {
        DATA => Ok(None),
        DATA_ACCESS_RESULT => Ok(Some(DataAccessResult::from_code(reader.u8()?))),
        found => Err(unknown(&choice, "Get-Data-Result", found)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use dlms_axdr::{Array, DecodeErrorKind};
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::super::DataBlockResult;
    use super::super::testing::{data, decode, hex, mutated, never_panics, round_trip};
    use super::*;

    const HIGH: InvokeIdAndPriority = InvokeIdAndPriority(0xC1);
    const CLOCK: AttributeDescriptor = AttributeDescriptor::new(8, LogicalName::new(0, 0, 1, 0, 0, 255), 2);

    fn attribute(class_id: u16, name: [u8; 6], attribute_id: i8) -> AttributeDescriptor {
        AttributeDescriptor::new(class_id, LogicalName::from_octets(name), attribute_id)
    }

    fn normal(attribute: AttributeDescriptor, selection: Option<AccessSelector<'_>>) -> GetRequest<'_> {
        GetRequest::Normal { invoke_id: HIGH, attribute, selection }
    }

    #[test]
    fn normal_requests() {
        let reads = attribute(1, [0, 0, 43, 1, 0, 255], 2);
        round_trip!(GetRequest, "C001C1000100002B0100FF0200", normal(reads, None));
        let invoke_id = InvokeIdAndPriority(0x81);
        round_trip!(
            GetRequest,
            "C0018100080000010000FF0200",
            GetRequest::Normal { invoke_id, attribute: CLOCK, selection: None }
        );
        let reads = attribute(18, [0, 0, 44, 0, 0, 255], 2);
        round_trip!(GetRequest, "C001C1001200002C0000FF0200", normal(reads, None));
        let reads = attribute(18, [0, 0, 44, 0, 0, 255], 6);
        round_trip!(GetRequest, "C001C1001200002C0000FF0600", normal(reads, None));
    }

    #[test]
    fn selective_access() {
        let buffer = attribute(7, [1, 0, 99, 1, 0, 255], 2);
        let range = data(&(
            (8u16, LogicalName::new(0, 0, 1, 0, 0, 255), 2i8, 0u16),
            hex("07E20601FF000300FFFF8880").as_slice(),
            hex("07E50106FF000300FFFFC400").as_slice(),
            Array::<u8>(&[]),
        ));
        let selection = AccessSelector { selector: 1, parameters: Data::from_octets(&range).unwrap() };
        round_trip!(
            GetRequest,
            "C001C100070100630100FF0201010204020412000809060000010000FF0F02120000090C07E20601FF000300FFFF8880090C07E50106FF000300FFFFC4000100",
            normal(buffer, Some(selection))
        );
        let entries = data(&(1u32, 3u32, 1u16, 0u16));
        let selection = AccessSelector { selector: 2, parameters: Data::from_octets(&entries).unwrap() };
        round_trip!(
            GetRequest,
            "C001C100070100630100FF020102020406000000010600000003120001120000",
            normal(buffer, Some(selection))
        );
        let object_list = attribute(15, [0, 0, 40, 0, 0, 255], 2);
        let clock = (8u16, LogicalName::new(0, 0, 1, 0, 0, 255));
        for (octets, selector, parameters) in [
            ("C001C1000F0000280000FF02010100", 1, vec![0]),
            ("C001C1000F0000280000FF0201020102120007120008", 2, data(&Array(&[7u16, 8]))),
            ("C001C1000F0000280000FF0201030101020212000809060000010000FF", 3, data(&Array(&[clock]))),
            ("C001C1000F0000280000FF020104020212000809060000010000FF", 4, data(&clock)),
        ] {
            let selection = AccessSelector { selector, parameters: Data::from_octets(&parameters).unwrap() };
            round_trip!(GetRequest, octets, normal(object_list, Some(selection)));
        }
    }

    #[test]
    fn next_and_with_list() {
        for (octets, number) in [("C002C100000001", 1), ("C002C100000000", 0)] {
            let block_number = BlockNumber(number);
            round_trip!(GetRequest, octets, GetRequest::Next { invoke_id: HIGH, block_number });
        }
        for (octets, attributes) in [
            (
                "C003C10200010000800000FF020000010000800100FF0200",
                [attribute(1, [0, 0, 128, 0, 0, 255], 2), attribute(1, [0, 0, 128, 1, 0, 255], 2)],
            ),
            (
                "C003C102000100002A0000FF020000080000010000FF0200",
                [attribute(1, [0, 0, 42, 0, 0, 255], 2), CLOCK],
            ),
        ] {
            let attributes = attributes.map(AttributeDescriptorWithSelection::from);
            let attributes = List::new(&attributes);
            round_trip!(GetRequest, octets, GetRequest::WithList { invoke_id: HIGH, attributes });
        }
    }

    #[test]
    fn normal_responses() {
        let time = hex("07D20C04030A060BFF007800");
        for (octets, invoke_id, result) in [
            ("C401C1000600001391", HIGH, GetDataResult::Data(Data::DoubleLongUnsigned(5009))),
            (
                "C4018100090C07D20C04030A060BFF007800",
                InvokeIdAndPriority(0x81),
                GetDataResult::Data(Data::OctetString(&time)),
            ),
            ("C401C10103", HIGH, GetDataResult::DataAccessResult(DataAccessResult::ReadWriteDenied)),
            ("C401C10110", HIGH, GetDataResult::DataAccessResult(DataAccessResult::NoLongGetInProgress)),
            ("C401C10113", HIGH, GetDataResult::DataAccessResult(DataAccessResult::DataBlockNumberInvalid)),
            ("C401C1010E", HIGH, GetDataResult::DataAccessResult(DataAccessResult::DataBlockUnavailable)),
            ("C401C1000600000010", HIGH, GetDataResult::Data(Data::DoubleLongUnsigned(16))),
            ("C401C1001603", HIGH, GetDataResult::Data(Data::Enum(3))),
            (
                "C401C100090A0102030405060708090A",
                HIGH,
                GetDataResult::Data(Data::OctetString(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10])),
            ),
        ] {
            round_trip!(GetResponse, octets, GetResponse::Normal { invoke_id, result });
        }
        let octets = hex("C401C100040AFF80");
        let GetResponse::Normal { result: GetDataResult::Data(Data::BitString(bits)), .. } =
            decode(&octets, GetResponse::decode).unwrap()
        else {
            panic!("not a bit-string")
        };
        assert_eq!((bits.len(), bits.get(8), bits.get(9)), (10, Some(true), Some(false)));
    }

    #[test]
    fn blocks() {
        let first = hex("093201020304050607080910111213141516171819202122232425262728");
        let second = hex("29303132333435363738394041424344454647484950");
        let listed = hex("020009320102030405060708091011121314151617181920212223242526");
        let raw = DataBlockResult::RawData;
        for (octets, last, number, result) in [
            (
                "C402C10000000001001E093201020304050607080910111213141516171819202122232425262728",
                false,
                1,
                raw(&first),
            ),
            ("C402C10100000002001629303132333435363738394041424344454647484950", true, 2, raw(&second)),
            (
                "C402C10000000001001E020009320102030405060708091011121314151617181920212223242526",
                false,
                1,
                raw(&listed),
            ),
            (
                "C402C101000000130101",
                true,
                19,
                DataBlockResult::DataAccessResult(DataAccessResult::HardwareFault),
            ),
        ] {
            let block = ResponseDataBlock { last, number: BlockNumber(number), result };
            round_trip!(GetResponse, octets, GetResponse::WithDataBlock { invoke_id: HIGH, block });
        }
        let whole = [first, second].concat();
        assert!(matches!(Data::from_octets(&whole), Ok(Data::OctetString(octets)) if octets.len() == 50));
    }

    #[test]
    fn lists_of_results() {
        let time = hex("07E50603040E091700FFC400");
        for (octets, results) in [
            (
                "C403C10200090401020304000A03303030",
                [
                    GetDataResult::Data(Data::OctetString(&[1, 2, 3, 4])),
                    GetDataResult::Data(Data::VisibleString(b"000")),
                ],
            ),
            (
                "C403C10200091049534B3130333037373737363433363600090C07E50603040E091700FFC400",
                [
                    GetDataResult::Data(Data::OctetString(b"ISK1030777764366")),
                    GetDataResult::Data(Data::OctetString(&time)),
                ],
            ),
            (
                "C403C1020006000013910104",
                [
                    GetDataResult::Data(Data::DoubleLongUnsigned(5009)),
                    GetDataResult::DataAccessResult(DataAccessResult::ObjectUndefined),
                ],
            ),
        ] {
            let results = List::new(&results);
            round_trip!(GetResponse, octets, GetResponse::WithList { invoke_id: HIGH, results });
        }
    }

    #[test]
    fn what_is_wrong_and_where() {
        for (octets, offset, kind) in [
            ("C004C1", 1, DecodeErrorKind::UnknownTag { expected: "Get-Request".into(), found: 4 }),
            ("C101C1", 0, DecodeErrorKind::UnknownTag { expected: "get-request".into(), found: 0xC1 }),
            ("C003C100", 3, DecodeErrorKind::InvalidValue("empty list".into())),
            ("C003C184FFFFFFFF0001", 8, DecodeErrorKind::Truncated { missing: 0xFFFF }),
            ("C001C1000100002B0100FF0202", 12, DecodeErrorKind::InvalidValue("access-selection".into())),
            ("C001C1000100002B0100FF020000", 13, DecodeErrorKind::TrailingOctets(1)),
        ] {
            let octets = hex(octets);
            let error = decode(&octets, GetRequest::decode).unwrap_err();
            assert_eq!((error.offset, error.kind), (offset, kind));
        }
        let octets = hex("C401C102");
        let error = decode(&octets, GetResponse::decode).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "Get-Data-Result".into(), found: 2 };
        assert_eq!((error.offset, error.kind), (3, kind));
    }

    #[test]
    fn headers_before_what_is_there() {
        let mut buffer = [0; 400];
        for length in [0, 1, 127, 128, 255, 256, 388] {
            let at = GetResponse::DATABLOCK_HEADER_MAX;
            let number = BlockNumber(3);
            let start =
                GetResponse::prepend_datablock_header(&mut buffer, at, HIGH, true, number, length).unwrap();
            let block = ResponseDataBlock {
                last: true,
                number,
                result: DataBlockResult::RawData(&buffer[at..at + length]),
            };
            let response = decode(&buffer[start..at + length], GetResponse::decode).unwrap();
            assert_eq!(response, GetResponse::WithDataBlock { invoke_id: HIGH, block });
        }
        assert!(
            GetResponse::prepend_datablock_header(&mut buffer, 9, HIGH, true, BlockNumber(1), 1).is_err()
        );
    }

    #[test]
    fn the_header_leaves_the_value() {
        let octets = hex("C401C1000600001391");
        let mut reader = Reader::new(&octets);
        assert_eq!(GetResponseHeader::decode(&mut reader), Ok(GetResponseHeader::Data { invoke_id: HIGH }));
        assert_eq!(reader.rest(), hex("0600001391"));
    }

    proptest! {
        #[test]
        fn any_list(items: Vec<(u16, [u8; 6], i8, Option<(u8, u32)>)>, id: u8) {
            prop_assume!(!items.is_empty());
            let attributes: Vec<_> = items
                .iter()
                .map(|&(class_id, name, attribute_id, selection)| AttributeDescriptorWithSelection {
                    attribute: attribute(class_id, name, attribute_id),
                    selection: selection.map(|(selector, value)| AccessSelector {
                        selector,
                        parameters: Data::DoubleLongUnsigned(value),
                    }),
                })
                .collect();
            let request =
                GetRequest::WithList { invoke_id: InvokeIdAndPriority(id), attributes: List::new(&attributes) };
            let mut buffer = vec![0; 16 + 16 * attributes.len()];
            let mut encoder = Encoder::new(&mut buffer);
            request.encode(&mut encoder).unwrap();
            prop_assert_eq!(decode(encoder.written(), GetRequest::decode).unwrap(), request);
        }

        #[test]
        fn malformed_input(octets in mutated(&[
            "C001C100070100630100FF020102020406000000010600000003120001120000",
            "C003C10200010000800000FF020000010000800100FF0200",
            "C403C1020006000013910104",
            "C402C10100000002001629303132333435363738394041424344454647484950",
        ])) {
            never_panics(&octets, GetRequest::decode);
            never_panics(&octets, GetResponse::decode);
        }
    }
}
