//! SET: writing attributes (IEC 62056-5-3, `Set-Request` C1, `Set-Response` C5).
//!
//! ```text
//! C1 01 | invoke-id | attribute | selection? | Data                               normal
//! C1 02 | invoke-id | attribute | selection? | DataBlock-SA                       with-first-datablock
//! C1 03 | invoke-id | DataBlock-SA                                                with-datablock
//! C1 04 | invoke-id | n | n × (attribute | selection?) | n | n × Data             with-list
//! C1 05 | invoke-id | n | n × (attribute | selection?) | DataBlock-SA             with-list-and-first-datablock
//! C5 01 | invoke-id | result                                                      normal
//! C5 02 | invoke-id | block-number (4)                                            datablock
//! C5 03 | invoke-id | result | block-number (4)                                   last-datablock
//! C5 04 | invoke-id | n | n × result | block-number (4)                           last-datablock-with-list
//! C5 05 | invoke-id | n | n × result                                              with-list
//! ```
//!
//! What blocks carry is the Data of a single attribute; of a list, the count and then the Data of each.

use cosem_objects::{AccessSelector, DataAccessResult};
use dlms_axdr::{BufferFull, Data, DecodeError, Encoder, Reader};

use super::list::{Element, decode_optional, encode_optional};
use super::tag::{SET_REQUEST, SET_RESPONSE, expect, unknown};
use super::{
    AttributeDescriptor, AttributeDescriptorWithSelection, BlockNumber, DataBlock, InvokeIdAndPriority, List,
};

/// The request to write.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum SetRequest<'a> {
    /// One attribute.
    Normal {
        invoke_id: InvokeIdAndPriority,
        attribute: AttributeDescriptor,
        selection: Option<AccessSelector<'a>>,
        value: Data<'a>,
    },
    /// One attribute, the first piece of its value.
    WithFirstDataBlock {
        invoke_id: InvokeIdAndPriority,
        attribute: AttributeDescriptor,
        selection: Option<AccessSelector<'a>>,
        block: DataBlock<'a>,
    },
    /// A further piece.
    WithDataBlock { invoke_id: InvokeIdAndPriority, block: DataBlock<'a> },
    /// Several attributes; there are as many values.
    WithList {
        invoke_id: InvokeIdAndPriority,
        attributes: List<'a, AttributeDescriptorWithSelection<'a>>,
        values: List<'a, Data<'a>>,
    },
    /// Several attributes, the first piece of the list of values.
    WithListAndFirstDataBlock {
        invoke_id: InvokeIdAndPriority,
        attributes: List<'a, AttributeDescriptorWithSelection<'a>>,
        block: DataBlock<'a>,
    },
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum SetResponse<'a> {
    /// The result of one attribute.
    Normal { invoke_id: InvokeIdAndPriority, result: DataAccessResult },
    /// A piece was received; the next one is awaited.
    DataBlock { invoke_id: InvokeIdAndPriority, block_number: BlockNumber },
    /// The last piece was received: the result of one attribute.
    LastDataBlock { invoke_id: InvokeIdAndPriority, result: DataAccessResult, block_number: BlockNumber },
    /// The last piece was received: the results of several attributes.
    LastDataBlockWithList {
        invoke_id: InvokeIdAndPriority,
        results: List<'a, DataAccessResult>,
        block_number: BlockNumber,
    },
    /// The results of several attributes.
    WithList { invoke_id: InvokeIdAndPriority, results: List<'a, DataAccessResult> },
}

impl<'a> SetRequest<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a Set-Request, a list is empty, or there are more or fewer values than attributes.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, SET_REQUEST)?;
        let choice = reader.clone();
        let kind = reader.u8()?;
        if !matches!(kind, 1..=5) {
            return Err(unknown(&choice, "Set-Request", kind));
        }
        let invoke_id = InvokeIdAndPriority(reader.u8()?);
        Ok(match kind {
            1 | 2 => {
                let attribute = AttributeDescriptor::decode(reader)?;
                let selection = decode_optional(reader, "access-selection")?;
                if kind == 1 {
                    Self::Normal { invoke_id, attribute, selection, value: Data::decode(reader)? }
                } else {
                    let block = DataBlock::decode(reader)?;
                    Self::WithFirstDataBlock { invoke_id, attribute, selection, block }
                }
            }
            3 => Self::WithDataBlock { invoke_id, block: DataBlock::decode(reader)? },
            _ => {
                let attributes = List::decode_non_empty(reader, "empty list")?;
                if kind == 4 {
                    let values = List::decode_counted(reader, attributes.len(), "number of values")?;
                    Self::WithList { invoke_id, attributes, values }
                } else {
                    let block = DataBlock::decode(reader)?;
                    Self::WithListAndFirstDataBlock { invoke_id, attributes, block }
                }
            }
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Normal { invoke_id, attribute, selection, value } => {
                encoder.octets(&[SET_REQUEST, 1, invoke_id.0])?;
                attribute.encode(encoder)?;
                encode_optional(encoder, selection)?;
                encoder.data(&value)
            }
            Self::WithFirstDataBlock { invoke_id, attribute, selection, block } => {
                encoder.octets(&[SET_REQUEST, 2, invoke_id.0])?;
                attribute.encode(encoder)?;
                encode_optional(encoder, selection)?;
                block.encode(encoder)
            }
            Self::WithDataBlock { invoke_id, block } => {
                encoder.octets(&[SET_REQUEST, 3, invoke_id.0])?;
                block.encode(encoder)
            }
            Self::WithList { invoke_id, attributes, values } => {
                encoder.octets(&[SET_REQUEST, 4, invoke_id.0])?;
                attributes.encode(encoder)?;
                values.encode(encoder)
            }
            Self::WithListAndFirstDataBlock { invoke_id, attributes, block } => {
                encoder.octets(&[SET_REQUEST, 5, invoke_id.0])?;
                attributes.encode(encoder)?;
                block.encode(encoder)
            }
        }
    }

    /// Which request this is.
    pub const fn invoke_id(&self) -> InvokeIdAndPriority {
        match *self {
            Self::Normal { invoke_id, .. }
            | Self::WithFirstDataBlock { invoke_id, .. }
            | Self::WithDataBlock { invoke_id, .. }
            | Self::WithList { invoke_id, .. }
            | Self::WithListAndFirstDataBlock { invoke_id, .. } => invoke_id,
        }
    }
}

impl<'a> SetResponse<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a Set-Response, or a list is empty.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, SET_RESPONSE)?;
        let choice = reader.clone();
        let kind = reader.u8()?;
        if !matches!(kind, 1..=5) {
            return Err(unknown(&choice, "Set-Response", kind));
        }
        let invoke_id = InvokeIdAndPriority(reader.u8()?);
        Ok(match kind {
            1 => Self::Normal { invoke_id, result: Element::decode(reader)? },
            2 => Self::DataBlock { invoke_id, block_number: BlockNumber(reader.u32()?) },
            3 => Self::LastDataBlock {
                invoke_id,
                result: Element::decode(reader)?,
                block_number: BlockNumber(reader.u32()?),
            },
            4 => Self::LastDataBlockWithList {
                invoke_id,
                results: List::decode_non_empty(reader, "empty list")?,
                block_number: BlockNumber(reader.u32()?),
            },
            _ => Self::WithList { invoke_id, results: List::decode_non_empty(reader, "empty list")? },
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Normal { invoke_id, result } => {
                encoder.octets(&[SET_RESPONSE, 1, invoke_id.0, result.code()])
            }
            Self::DataBlock { invoke_id, block_number } => {
                encoder.octets(&[SET_RESPONSE, 2, invoke_id.0])?;
                encoder.u32(block_number.0)
            }
            Self::LastDataBlock { invoke_id, result, block_number } => {
                encoder.octets(&[SET_RESPONSE, 3, invoke_id.0, result.code()])?;
                encoder.u32(block_number.0)
            }
            Self::LastDataBlockWithList { invoke_id, results, block_number } => {
                encoder.octets(&[SET_RESPONSE, 4, invoke_id.0])?;
                results.encode(encoder)?;
                encoder.u32(block_number.0)
            }
            Self::WithList { invoke_id, results } => {
                encoder.octets(&[SET_RESPONSE, 5, invoke_id.0])?;
                results.encode(encoder)
            }
        }
    }

    /// Which request this answers.
    pub const fn invoke_id(&self) -> InvokeIdAndPriority {
        match *self {
            Self::Normal { invoke_id, .. }
            | Self::DataBlock { invoke_id, .. }
            | Self::LastDataBlock { invoke_id, .. }
            | Self::LastDataBlockWithList { invoke_id, .. }
            | Self::WithList { invoke_id, .. } => invoke_id,
        }
    }
}

/// One octet.
impl Element<'_> for DataAccessResult {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u8().map(Self::from_code)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(self.code())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_axdr::{Array, DecodeErrorKind, Encode, Enum, VisibleString};
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::super::testing::{data, decode, hex, mutated, never_panics, round_trip};
    use super::*;

    const HIGH: InvokeIdAndPriority = InvokeIdAndPriority(0xC1);

    fn attribute(class_id: u16, name: [u8; 6], attribute_id: i8) -> AttributeDescriptor {
        AttributeDescriptor::new(class_id, LogicalName::from_octets(name), attribute_id)
    }

    fn manufacturer(e: u8) -> AttributeDescriptor {
        attribute(1, [0, 0, 128, e, 0, 255], 2)
    }

    fn check_normal(octets: &str, attribute: AttributeDescriptor, value: &dyn Encode) {
        let mut buffer = [0; 128];
        let mut encoder = Encoder::new(&mut buffer);
        value.encode(&mut encoder).unwrap();
        let value = Data::from_octets(encoder.written()).unwrap();
        round_trip!(
            SetRequest,
            octets,
            SetRequest::Normal { invoke_id: HIGH, attribute, selection: None, value }
        );
    }

    #[test]
    fn normal_requests() {
        let clock = attribute(8, [0, 0, 1, 0, 0, 255], 2);
        let time = hex("07D20C04030A060BFF007800");
        round_trip!(
            SetRequest,
            "C1018100080000010000FF0200090C07D20C04030A060BFF007800",
            SetRequest::Normal {
                invoke_id: InvokeIdAndPriority(0x81),
                attribute: clock,
                selection: None,
                value: Data::OctetString(&time)
            }
        );
        check_normal(
            "C101C100010000800000FF020009320102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647484950",
            manufacturer(0),
            &hex("0102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647484950").as_slice(),
        );
        check_normal("C101C1001200002C0000FF05000301", attribute(18, [0, 0, 44, 0, 0, 255], 5), &true);
        let entries = data(&(1u32, 1u32, 1u16, 0u16));
        round_trip!(
            SetRequest,
            "C101C100070100630100FF0201020204060000000106000000011200011200000600000001",
            SetRequest::Normal {
                invoke_id: HIGH,
                attribute: attribute(7, [1, 0, 99, 1, 0, 255], 2),
                selection: Some(AccessSelector {
                    selector: 2,
                    parameters: Data::from_octets(&entries).unwrap()
                }),
                value: Data::DoubleLongUnsigned(1)
            }
        );
    }

    #[test]
    fn setting_up_a_push() {
        let push = |attribute_id| attribute(40, [0, 0, 25, 9, 0, 255], attribute_id);
        let own_name = (40u16, LogicalName::new(0, 0, 25, 9, 0, 255), 1i8, 0u16);
        let energy = (3u16, LogicalName::new(1, 0, 1, 8, 0, 255), 2i8, 0u16);
        check_normal(
            "C101C100280000190900FF02000102020412002809060000190900FF0F01120000020412000309060100010800FF0F02120000",
            push(2),
            &Array(&[own_name, energy]),
        );
        let unrestricted = (Enum(0), Option::<u8>::None);
        let columns: Array<'_, u8> = Array(&[]);
        check_normal(
            "C101C100280000190900FF02000101020612000809060000010000FF0F0212000002021600000100",
            push(2),
            &Array(&[(8u16, LogicalName::new(0, 0, 1, 0, 0, 255), 2i8, 0u16, unrestricted, columns)]),
        );
        check_normal(
            "C101C100280000190900FF030002031600090D31302E302E302E313A343035391600",
            push(3),
            &(Enum(0), b"10.0.0.1:4059", Enum(0)),
        );
        let window = (hex("FFFFFFFFFF02000000800000"), hex("FFFFFFFFFF04000000800000"));
        check_normal(
            "C101C100280000190900FF040001010202090CFFFFFFFFFF02000000800000090CFFFFFFFFFF04000000800000",
            push(4),
            &Array(&[(window.0.as_slice(), window.1.as_slice())]),
        );
    }

    #[test]
    fn scheduling_an_activation() {
        let schedule = |attribute_id| attribute(22, [0, 0, 15, 0, 2, 255], attribute_id);
        let script = (LogicalName::new(0, 0, 10, 0, 107, 255), 1u16);
        check_normal("C101C1001600000F0002FF02000202090600000A006BFF120001", schedule(2), &script);
        check_normal("C101C1001600000F0002FF03001601", schedule(3), &Enum(1));
        let at = ([2u8, 0, 0, 0], [7u8, 0xEA, 4, 1, 0xFF]);
        check_normal(
            "C101C1001600000F0002FF040001010202090402000000090507EA0401FF",
            schedule(4),
            &Array(&[at]),
        );
    }

    #[test]
    fn blocks() {
        let raw_data = hex("093201020304050607080910111213141516171819");
        let block = DataBlock { last: false, number: BlockNumber(1), raw_data: &raw_data };
        round_trip!(
            SetRequest,
            "C102C100010000800000FF0200000000000115093201020304050607080910111213141516171819",
            SetRequest::WithFirstDataBlock {
                invoke_id: HIGH,
                attribute: manufacturer(0),
                selection: None,
                block
            }
        );
        let raw_data = hex("2021222324252627");
        let block = DataBlock { last: true, number: BlockNumber(2), raw_data: &raw_data };
        round_trip!(
            SetRequest,
            "C103C10100000002082021222324252627",
            SetRequest::WithDataBlock { invoke_id: HIGH, block }
        );
        let attributes = [manufacturer(0), manufacturer(1)].map(AttributeDescriptorWithSelection::from);
        let raw_data = hex("02093201020304050607");
        let block = DataBlock { last: false, number: BlockNumber(1), raw_data: &raw_data };
        round_trip!(
            SetRequest,
            "C105C10200010000800000FF020000010000800100FF020000000000010A02093201020304050607",
            SetRequest::WithListAndFirstDataBlock {
                invoke_id: HIGH,
                attributes: List::new(&attributes),
                block
            }
        );
    }

    #[test]
    fn lists() {
        let attributes = [manufacturer(0), manufacturer(1)].map(AttributeDescriptorWithSelection::from);
        let (first, second) = (data(&[1u8, 2, 3, 4]), data(&VisibleString(b"000")));
        let values = [&first, &second].map(|octets| Data::from_octets(octets).unwrap());
        round_trip!(
            SetRequest,
            "C104C10200010000800000FF020000010000800100FF0200020904010203040A03303030",
            SetRequest::WithList {
                invoke_id: HIGH,
                attributes: List::new(&attributes),
                values: List::new(&values)
            }
        );
        let fewer = hex("C104C10200010000800000FF020000010000800100FF020001090401020304");
        let error = decode(&fewer, SetRequest::decode).unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (24, DecodeErrorKind::InvalidValue("number of values".into()))
        );
    }

    #[test]
    fn responses() {
        use DataAccessResult::*;
        let invoke_id = HIGH;
        let block_number = BlockNumber(1);
        round_trip!(
            SetResponse,
            "C5018100",
            SetResponse::Normal { invoke_id: InvokeIdAndPriority(0x81), result: Success }
        );
        round_trip!(SetResponse, "C501C103", SetResponse::Normal { invoke_id, result: ReadWriteDenied });
        round_trip!(SetResponse, "C501C112", SetResponse::Normal { invoke_id, result: NoLongSetInProgress });
        round_trip!(SetResponse, "C501C100", SetResponse::Normal { invoke_id, result: Success });
        round_trip!(SetResponse, "C502C100000001", SetResponse::DataBlock { invoke_id, block_number });
        let block_number = BlockNumber(2);
        for (octets, result) in [("C503C10000000002", Success), ("C503C11300000002", DataBlockNumberInvalid)]
        {
            round_trip!(SetResponse, octets, SetResponse::LastDataBlock { invoke_id, result, block_number });
        }
        round_trip!(
            SetResponse,
            "C504C102000000000003",
            SetResponse::LastDataBlockWithList {
                invoke_id,
                results: List::new(&[Success, Success]),
                block_number: BlockNumber(3)
            }
        );
        let results = List::new(&[Success, HardwareFault]);
        round_trip!(SetResponse, "C505C1020001", SetResponse::WithList { invoke_id, results });
    }

    proptest! {
        #[test]
        fn any_block(last: bool, number: u32, raw_data: Vec<u8>, class_id: u16, name: [u8; 6], id: i8) {
            let block = DataBlock { last, number: BlockNumber(number), raw_data: &raw_data };
            let attribute = attribute(class_id, name, id);
            let requests = [
                SetRequest::WithFirstDataBlock { invoke_id: HIGH, attribute, selection: None, block },
                SetRequest::WithDataBlock { invoke_id: HIGH, block },
            ];
            for request in requests {
                let mut buffer = vec![0; raw_data.len() + 32];
                let mut encoder = Encoder::new(&mut buffer);
                request.encode(&mut encoder).unwrap();
                prop_assert_eq!(decode(encoder.written(), SetRequest::decode).unwrap(), request);
            }
        }

        #[test]
        fn malformed_input(octets in mutated(&[
            "C104C10200010000800000FF020000010000800100FF0200020904010203040A03303030",
            "C105C10200010000800000FF020000010000800100FF020000000000010A02093201020304050607",
            "C504C102000000000003",
        ])) {
            never_panics(&octets, SetRequest::decode);
            never_panics(&octets, SetResponse::decode);
        }
    }
}
