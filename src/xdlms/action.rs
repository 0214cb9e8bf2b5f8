//! ACTION: invoking methods (IEC 62056-5-3, `Action-Request` C3, `Action-Response` C7).
//!
//! ```text
//! C3 01 | invoke-id | method | Data?                                      normal
//! C3 02 | invoke-id | block-number (4)                                    next-pblock
//! C3 03 | invoke-id | n | n × method | n | n × Data                       with-list
//! C3 04 | invoke-id | method | DataBlock-SA                               with-first-pblock
//! C3 05 | invoke-id | n | n × method | DataBlock-SA                       with-list-and-first-pblock
//! C3 06 | invoke-id | DataBlock-SA                                        with-pblock
//! C7 01 | invoke-id | result | Get-Data-Result?                           normal
//! C7 02 | invoke-id | DataBlock-SA                                        with-pblock
//! C7 03 | invoke-id | n | n × (result | Get-Data-Result?)                 with-list
//! C7 04 | invoke-id | block-number (4)                                    next-pblock
//! ```
//!
//! The result is that of the invocation; a data-access-result in the return parameters says that no value could be
//! returned. Some meters end a response that is an error after the result: the usage octet of the return parameters is
//! then taken for absent.

use cosem_objects::ActionResult;
use dlms_axdr::{BufferFull, Data, DecodeError, Encoder, Reader};

use super::block::{encode_head, prepend};
use super::list::{decode_optional, element, encode_optional};
use super::tag::{ACTION_REQUEST, ACTION_RESPONSE, expect, unknown};
use super::{BlockNumber, DataBlock, GetDataResult, InvokeIdAndPriority, List, MethodDescriptor};

/// The request to invoke.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum ActionRequest<'a> {
    /// One method.
    Normal { invoke_id: InvokeIdAndPriority, method: MethodDescriptor, parameters: Option<Data<'a>> },
    /// The piece of the response after the one named.
    NextPblock { invoke_id: InvokeIdAndPriority, block_number: BlockNumber },
    /// Several methods; there are as many parameters, null-data where a method takes none.
    WithList {
        invoke_id: InvokeIdAndPriority,
        methods: List<'a, MethodDescriptor>,
        parameters: List<'a, Data<'a>>,
    },
    /// One method, the first piece of its parameters.
    WithFirstPblock { invoke_id: InvokeIdAndPriority, method: MethodDescriptor, block: DataBlock<'a> },
    /// Several methods, the first piece of the list of parameters.
    WithListAndFirstPblock {
        invoke_id: InvokeIdAndPriority,
        methods: List<'a, MethodDescriptor>,
        block: DataBlock<'a>,
    },
    /// A further piece.
    WithPblock { invoke_id: InvokeIdAndPriority, block: DataBlock<'a> },
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum ActionResponse<'a> {
    /// The result of one method.
    Normal {
        invoke_id: InvokeIdAndPriority,
        result: ActionResult,
        return_parameters: Option<GetDataResult<'a>>,
    },
    /// A piece of what is too long for one APDU.
    WithPblock { invoke_id: InvokeIdAndPriority, block: DataBlock<'a> },
    /// The results of several methods.
    WithList { invoke_id: InvokeIdAndPriority, results: List<'a, ActionResponseWithOptionalData<'a>> },
    /// A piece of the request was received; the next one is awaited.
    NextPblock { invoke_id: InvokeIdAndPriority, block_number: BlockNumber },
}

/// The result of one of several methods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActionResponseWithOptionalData<'a> {
    /// Whether it was executed.
    pub result: ActionResult,
    /// What it returned, or why that is not there; `None` if it returns nothing.
    pub return_parameters: Option<GetDataResult<'a>>,
}

impl<'a> ActionRequest<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an Action-Request, a list is empty, or there are more or fewer parameters than methods.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, ACTION_REQUEST)?;
        let choice = reader.clone();
        let kind = reader.u8()?;
        if !matches!(kind, 1..=6) {
            return Err(unknown(&choice, "Action-Request", kind));
        }
        let invoke_id = InvokeIdAndPriority(reader.u8()?);
        Ok(match kind {
            1 => Self::Normal {
                invoke_id,
                method: MethodDescriptor::decode(reader)?,
                parameters: decode_optional(reader, "method-invocation-parameters")?,
            },
            2 => Self::NextPblock { invoke_id, block_number: BlockNumber(reader.u32()?) },
            3 => {
                let methods = List::decode_non_empty(reader, "empty list")?;
                let parameters = List::decode_counted(reader, methods.len(), "number of parameters")?;
                Self::WithList { invoke_id, methods, parameters }
            }
            4 => Self::WithFirstPblock {
                invoke_id,
                method: MethodDescriptor::decode(reader)?,
                block: DataBlock::decode(reader)?,
            },
            5 => Self::WithListAndFirstPblock {
                invoke_id,
                methods: List::decode_non_empty(reader, "empty list")?,
                block: DataBlock::decode(reader)?,
            },
            _ => Self::WithPblock { invoke_id, block: DataBlock::decode(reader)? },
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Normal { invoke_id, method, parameters } => {
                encoder.octets(&[ACTION_REQUEST, 1, invoke_id.0])?;
                method.encode(encoder)?;
                encode_optional(encoder, parameters)
            }
            Self::NextPblock { invoke_id, block_number } => {
                encoder.octets(&[ACTION_REQUEST, 2, invoke_id.0])?;
                encoder.u32(block_number.0)
            }
            Self::WithList { invoke_id, methods, parameters } => {
                encoder.octets(&[ACTION_REQUEST, 3, invoke_id.0])?;
                methods.encode(encoder)?;
                parameters.encode(encoder)
            }
            Self::WithFirstPblock { invoke_id, method, block } => {
                encoder.octets(&[ACTION_REQUEST, 4, invoke_id.0])?;
                method.encode(encoder)?;
                block.encode(encoder)
            }
            Self::WithListAndFirstPblock { invoke_id, methods, block } => {
                encoder.octets(&[ACTION_REQUEST, 5, invoke_id.0])?;
                methods.encode(encoder)?;
                block.encode(encoder)
            }
            Self::WithPblock { invoke_id, block } => {
                encoder.octets(&[ACTION_REQUEST, 6, invoke_id.0])?;
                block.encode(encoder)
            }
        }
    }

    /// Which request this is.
    pub const fn invoke_id(&self) -> InvokeIdAndPriority {
        match *self {
            Self::Normal { invoke_id, .. }
            | Self::NextPblock { invoke_id, .. }
            | Self::WithList { invoke_id, .. }
            | Self::WithFirstPblock { invoke_id, .. }
            | Self::WithListAndFirstPblock { invoke_id, .. }
            | Self::WithPblock { invoke_id, .. } => invoke_id,
        }
    }
}

impl<'a> ActionResponse<'a> {
    /// How many octets stand before the result of a normal response, and before the count of a list.
    pub const HEADER: usize = 3;
    /// How many octets at most stand before the raw data of a response with a block of up to 65,535 octets.
    pub const PBLOCK_HEADER_MAX: usize = 11;

    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an Action-Response, or a list is empty.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, ACTION_RESPONSE)?;
        let choice = reader.clone();
        let kind = reader.u8()?;
        if !matches!(kind, 1..=4) {
            return Err(unknown(&choice, "Action-Response", kind));
        }
        let invoke_id = InvokeIdAndPriority(reader.u8()?);
        Ok(match kind {
            1 => {
                let result = ActionResult::from_code(reader.u8()?);
                let is_cut = reader.is_empty() && result != ActionResult::Success;
                let return_parameters =
                    if is_cut { None } else { decode_optional(reader, "return-parameters")? };
                Self::Normal { invoke_id, result, return_parameters }
            }
            2 => Self::WithPblock { invoke_id, block: DataBlock::decode(reader)? },
            3 => Self::WithList { invoke_id, results: List::decode_non_empty(reader, "empty list")? },
            _ => Self::NextPblock { invoke_id, block_number: BlockNumber(reader.u32()?) },
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Normal { invoke_id, result, return_parameters } => {
                encoder.octets(&[ACTION_RESPONSE, 1, invoke_id.0])?;
                ActionResponseWithOptionalData { result, return_parameters }.encode(encoder)
            }
            Self::WithPblock { invoke_id, block } => {
                encoder.octets(&[ACTION_RESPONSE, 2, invoke_id.0])?;
                block.encode(encoder)
            }
            Self::WithList { invoke_id, results } => {
                encoder.octets(&[ACTION_RESPONSE, 3, invoke_id.0])?;
                results.encode(encoder)
            }
            Self::NextPblock { invoke_id, block_number } => {
                encoder.octets(&[ACTION_RESPONSE, 4, invoke_id.0])?;
                encoder.u32(block_number.0)
            }
        }
    }

    /// Puts the header of a block before its `length` octets of raw data, which begin at `at` of the buffer already.
    /// Returns where the APDU begins.
    ///
    /// # Errors
    /// There is no room before `at`: [`ActionResponse::PBLOCK_HEADER_MAX`] octets are enough.
    pub fn prepend_pblock_header(
        buffer: &mut [u8],
        at: usize,
        invoke_id: InvokeIdAndPriority,
        last: bool,
        number: BlockNumber,
        length: usize,
    ) -> Result<usize, BufferFull> {
        prepend(buffer, at, |encoder| {
            encoder.octets(&[ACTION_RESPONSE, 2, invoke_id.0])?;
            encode_head(encoder, last, number)?;
            encoder.length(length)
        })
    }

    /// Which request this answers.
    pub const fn invoke_id(&self) -> InvokeIdAndPriority {
        match *self {
            Self::Normal { invoke_id, .. }
            | Self::WithPblock { invoke_id, .. }
            | Self::WithList { invoke_id, .. }
            | Self::NextPblock { invoke_id, .. } => invoke_id,
        }
    }
}

impl<'a> ActionResponseWithOptionalData<'a> {
    /// Reads the result.
    ///
    /// # Errors
    /// Octets are missing, or the return parameters are malformed.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            result: ActionResult::from_code(reader.u8()?),
            return_parameters: decode_optional(reader, "return-parameters")?,
        })
    }

    /// Writes the result.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(self.result.code())?;
        encode_optional(encoder, self.return_parameters)
    }
}

element!(ActionResponseWithOptionalData<'a>);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use cosem_objects::DataAccessResult;
    use dlms_axdr::Encode;
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::super::testing::{decode, hex, mutated, never_panics, round_trip};
    use super::*;

    const HIGH: InvokeIdAndPriority = InvokeIdAndPriority(0xC1);
    const REPLY_TO_HLS: MethodDescriptor =
        MethodDescriptor::new(15, LogicalName::new(0, 0, 40, 0, 0, 255), 1);

    fn method(class_id: u16, name: [u8; 6], method_id: i8) -> MethodDescriptor {
        MethodDescriptor::new(class_id, LogicalName::from_octets(name), method_id)
    }

    fn check_normal(octets: &str, invoke_id: u8, method: MethodDescriptor, parameter: &dyn Encode) {
        let mut buffer = [0; 128];
        let mut encoder = Encoder::new(&mut buffer);
        parameter.encode(&mut encoder).unwrap();
        let parameters = Some(Data::from_octets(encoder.written()).unwrap());
        let invoke_id = InvokeIdAndPriority(invoke_id);
        round_trip!(ActionRequest, octets, ActionRequest::Normal { invoke_id, method, parameters });
    }

    #[test]
    fn normal_requests() {
        round_trip!(
            ActionRequest,
            "C301C1000F0000280000FF0100",
            ActionRequest::Normal { invoke_id: HIGH, method: REPLY_TO_HLS, parameters: None }
        );
        let profile = method(7, [1, 0, 99, 1, 0, 255], 1);
        check_normal("C301C100070100630100FF01010F00", 0xC1, profile, &0i8);
        check_normal("C301C100280000190900FF01010F00", 0xC1, method(40, [0, 0, 25, 9, 0, 255], 1), &0i8);
        for octets in [
            "C301C1000F0000280000FF010109111000001A90E6D2221FA2FD85EED61ACC22",
            "C301C1000F0000280000FF0101091110 26ECF3DF92BFDEAEE4B6F17A1B028FD3",
        ] {
            let proof = hex(octets).split_off(15);
            check_normal(octets, 0xC1, REPLY_TO_HLS, &proof.as_slice());
        }
    }

    #[test]
    fn image_transfer() {
        let image = |method_id| method(18, [0, 0, 44, 0, 0, 255], method_id);
        check_normal(
            "C301C1001200002C0000FF01010202090846573230323630310600030D40",
            0xC1,
            image(1),
            &(b"FW202601".as_slice(), 200_000u32),
        );
        let block: Vec<u8> = (0..16).collect();
        check_normal(
            "C301C1001200002C0000FF0201020206000000000910000102030405060708090A0B0C0D0E0F",
            0xC1,
            image(2),
            &(0u32, block.as_slice()),
        );
        let last: Vec<u8> = (0x10..0x18).collect();
        check_normal(
            "C301C1001200002C0000FF02010202060000000109081011121314151617",
            0xC1,
            image(2),
            &(1u32, last.as_slice()),
        );
        check_normal("C301C1001200002C0000FF03010F00", 0xC1, image(3), &0i8);
        check_normal("C301C1001200002C0000FF04010F00", 0xC1, image(4), &0i8);
    }

    #[test]
    fn lists_and_blocks() {
        let resets = [method(3, [1, 0, 1, 8, 0, 255], 1), method(3, [1, 0, 2, 8, 0, 255], 1)];
        round_trip!(
            ActionRequest,
            "C303C10200030100010800FF0100030100020800FF01020F000F00",
            ActionRequest::WithList {
                invoke_id: HIGH,
                methods: List::new(&resets),
                parameters: List::new(&[Data::Integer(0), Data::Integer(0)])
            }
        );
        let filler = [1, 2, 3, 4, 5, 6];
        let block = DataBlock { last: false, number: BlockNumber(1), raw_data: &filler };
        round_trip!(
            ActionRequest,
            "C304C100010000800000FF08000000000106010203040506",
            ActionRequest::WithFirstPblock {
                invoke_id: HIGH,
                method: method(1, [0, 0, 128, 0, 0, 255], 8),
                block
            }
        );
        let methods = [method(1, [0, 0, 128, 0, 0, 255], 8), method(2, [0, 0, 129, 0, 0, 253], 7)];
        let octets = "C305C10200010000800000FF0800020000810000FD07000000000106010203040506";
        round_trip!(
            ActionRequest,
            octets,
            ActionRequest::WithListAndFirstPblock { invoke_id: HIGH, methods: List::new(&methods), block }
        );
        for (octets, last, number, raw_data) in [
            ("C306C1000000000706010203040506", false, 7, &filler[..]),
            ("C306C1010000000203040506", true, 2, &[4, 5, 6]),
        ] {
            let block = DataBlock { last, number: BlockNumber(number), raw_data };
            round_trip!(ActionRequest, octets, ActionRequest::WithPblock { invoke_id: HIGH, block });
        }
        let block_number = BlockNumber(1);
        round_trip!(
            ActionRequest,
            "C302C100000001",
            ActionRequest::NextPblock { invoke_id: HIGH, block_number }
        );
    }

    #[test]
    fn normal_responses() {
        for (octets, result, return_parameters) in [
            ("C701C10000", ActionResult::Success, None),
            (
                "C701C100010104",
                ActionResult::Success,
                Some(GetDataResult::DataAccessResult(DataAccessResult::ObjectUndefined)),
            ),
        ] {
            let response = ActionResponse::Normal { invoke_id: HIGH, result, return_parameters };
            round_trip!(ActionResponse, octets, response);
        }
        for (invoke_id, octets) in [
            (0xC1, "C701C100010009111000001AFDE8857B728A3499106AA665D1"),
            (0x00, "C7010000010009111026ECF3E0036A1C1485EE4FAA3E2A911F"),
        ] {
            let proof = hex(octets).split_off(8);
            let return_parameters = Some(GetDataResult::Data(Data::OctetString(&proof)));
            let invoke_id = InvokeIdAndPriority(invoke_id);
            let response =
                ActionResponse::Normal { invoke_id, result: ActionResult::Success, return_parameters };
            round_trip!(ActionResponse, octets, response);
        }
    }

    #[test]
    fn an_error_may_end_after_the_result() {
        for (octets, result) in [
            ("C701C10300", ActionResult::ReadWriteDenied),
            ("C701C11000", ActionResult::NoLongActionInProgress),
            ("C701C10200", ActionResult::TemporaryFailure),
            ("C701420C00", ActionResult::TypeUnmatched),
        ] {
            let octets = hex(octets);
            let invoke_id = InvokeIdAndPriority(octets[2]);
            let expected = ActionResponse::Normal { invoke_id, result, return_parameters: None };
            assert_eq!(decode(&octets, ActionResponse::decode), Ok(expected));
            assert_eq!(decode(&octets[..4], ActionResponse::decode), Ok(expected));
            let mut buffer = [0; 8];
            let mut encoder = Encoder::new(&mut buffer);
            expected.encode(&mut encoder).unwrap();
            assert_eq!(encoder.written(), octets);
        }
        assert!(decode(&hex("C701C100"), ActionResponse::decode).is_err(), "success is said whole");
    }

    #[test]
    fn responses_with_lists_and_blocks() {
        let results = [
            ActionResponseWithOptionalData { result: ActionResult::Success, return_parameters: None },
            ActionResponseWithOptionalData {
                result: ActionResult::Success,
                return_parameters: Some(GetDataResult::Data(Data::OctetString(&[1, 2]))),
            },
        ];
        round_trip!(
            ActionResponse,
            "C703C102000000010009020102",
            ActionResponse::WithList { invoke_id: HIGH, results: List::new(&results) }
        );
        let block_number = BlockNumber(1);
        round_trip!(
            ActionResponse,
            "C704C100000001",
            ActionResponse::NextPblock { invoke_id: HIGH, block_number }
        );
        for (octets, last, number, raw_data) in [
            ("C702C10000000001050908010203", false, 1, [9, 8, 1, 2, 3]),
            ("C702C10100000002050405060708", true, 2, [4, 5, 6, 7, 8]),
        ] {
            let block = DataBlock { last, number: BlockNumber(number), raw_data: &raw_data };
            round_trip!(ActionResponse, octets, ActionResponse::WithPblock { invoke_id: HIGH, block });
        }
        let mut buffer = [0; 200];
        for length in [0, 127, 128, 189] {
            let at = ActionResponse::PBLOCK_HEADER_MAX;
            let number = BlockNumber(1);
            let start =
                ActionResponse::prepend_pblock_header(&mut buffer, at, HIGH, false, number, length).unwrap();
            let block = DataBlock { last: false, number, raw_data: &buffer[at..at + length] };
            let response = decode(&buffer[start..at + length], ActionResponse::decode).unwrap();
            assert_eq!(response, ActionResponse::WithPblock { invoke_id: HIGH, block });
        }
    }

    proptest! {
        #[test]
        fn any_list(items: Vec<(u16, [u8; 6], i8, u64)>, id: u8) {
            prop_assume!(!items.is_empty());
            let methods: Vec<_> = items.iter().map(|&(class, name, id, _)| method(class, name, id)).collect();
            let parameters: Vec<_> = items.iter().map(|&(_, _, _, value)| Data::Long64Unsigned(value)).collect();
            let request = ActionRequest::WithList {
                invoke_id: InvokeIdAndPriority(id),
                methods: List::new(&methods),
                parameters: List::new(&parameters),
            };
            let mut buffer = vec![0; 16 + 18 * items.len()];
            let mut encoder = Encoder::new(&mut buffer);
            request.encode(&mut encoder).unwrap();
            prop_assert_eq!(decode(encoder.written(), ActionRequest::decode).unwrap(), request);
        }

        #[test]
        fn malformed_input(octets in mutated(&[
            "C303C10200030100010800FF0100030100020800FF01020F000F00",
            "C305C10200010000800000FF0800020000810000FD07000000000106010203040506",
            "C703C102000000010009020102",
            "C701C100010104",
        ])) {
            never_panics(&octets, ActionRequest::decode);
            never_panics(&octets, ActionResponse::decode);
        }
    }
}
