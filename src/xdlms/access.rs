//! ACCESS: mixed GET, SET and ACTION in one APDU (IEC 62056-5-3, `Access-Request` D9, `Access-Response` DA).
//!
//! ```text
//! D9 | long-invoke-id-and-priority (4) | date-time | n | n × specification | n | n × Data
//!      specification   01 attribute                               get
//!                      02 attribute                               set
//!                      03 method                                  action
//!                      04 attribute | access-selector | Data      get with selection, without a usage octet
//!                      05 attribute | access-selector | Data      set with selection, without a usage octet
//! DA | long-invoke-id-and-priority (4) | date-time | (n | n × specification)? | n | n × Data
//!    | n | n × (01 get, 02 set, 03 action | result)
//! ```
//!
//! Both lists of a request have as many elements, and both of a response: null-data stands where there is no value.

use cosem_objects::{AccessSelector, ActionResult, DataAccessResult};
use dlms_axdr::{BufferFull, Data, DateTime, DecodeError, Encoder, Reader};

use super::data_notification::{decode_date_time, encode_date_time};
use super::list::{Element, element};
use super::tag::{ACCESS_REQUEST, ACCESS_RESPONSE, expect, unknown};
use super::{AttributeDescriptor, GetDataResult, List, LongInvokeIdAndPriority, MethodDescriptor};

/// The request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccessRequest<'a> {
    /// Which request this is, and how its list is worked through.
    pub long_invoke_id: LongInvokeIdAndPriority,
    /// When it was made.
    pub date_time: Option<DateTime>,
    /// What is to be done.
    pub specifications: List<'a, AccessRequestSpecification<'a>>,
    /// The values for it, as many.
    pub data: List<'a, Data<'a>>,
}

/// One item of an [`AccessRequest`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum AccessRequestSpecification<'a> {
    Get(AttributeDescriptor),
    Set(AttributeDescriptor),
    Action(MethodDescriptor),
    GetWithSelection(AttributeDescriptor, AccessSelector<'a>),
    SetWithSelection(AttributeDescriptor, AccessSelector<'a>),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccessResponse<'a> {
    /// Which request this answers.
    pub long_invoke_id: LongInvokeIdAndPriority,
    /// When the answer was made.
    pub date_time: Option<DateTime>,
    /// What was asked for, if the server repeats it.
    pub request_specifications: Option<List<'a, AccessRequestSpecification<'a>>>,
    /// The values, null-data where there is none.
    pub data: List<'a, Data<'a>>,
    /// The results, as many.
    pub specifications: List<'a, AccessResponseSpecification>,
}

/// The result of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum AccessResponseSpecification {
    Get(DataAccessResult),
    Set(DataAccessResult),
    Action(ActionResult),
}

/// What became of one item: its result, with the value if there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AccessResult<'a> {
    /// The attribute was read, or not.
    Get(GetDataResult<'a>),
    /// The attribute was set, or not.
    Set(DataAccessResult),
    /// The method was invoked, or not.
    Action {
        /// Whether.
        result: ActionResult,
        /// What it returned. null-data is nothing.
        value: Option<Data<'a>>,
    },
}

impl<'a> AccessRequest<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an Access-Request, or there are more or fewer values than items.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, ACCESS_REQUEST)?;
        let long_invoke_id = LongInvokeIdAndPriority(reader.u32()?);
        let date_time = decode_date_time(reader)?;
        let specifications = List::decode(reader)?;
        let data = List::decode_counted(reader, specifications.len(), "number of data")?;
        Ok(Self { long_invoke_id, date_time, specifications, data })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(ACCESS_REQUEST)?;
        encoder.u32(self.long_invoke_id.0)?;
        encode_date_time(encoder, self.date_time)?;
        self.specifications.encode(encoder)?;
        self.data.encode(encoder)
    }
}

impl<'a> AccessRequestSpecification<'a> {
    /// Reads the item.
    ///
    /// # Errors
    /// The choice is unknown, or octets are missing.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        Ok(match reader.u8()? {
            1 => Self::Get(AttributeDescriptor::decode(reader)?),
            2 => Self::Set(AttributeDescriptor::decode(reader)?),
            3 => Self::Action(MethodDescriptor::decode(reader)?),
            4 => Self::GetWithSelection(AttributeDescriptor::decode(reader)?, Element::decode(reader)?),
            5 => Self::SetWithSelection(AttributeDescriptor::decode(reader)?, Element::decode(reader)?),
            found => return Err(unknown(&choice, "Access-Request-Specification", found)),
        })
    }

    /// Writes the item.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let (choice, attribute, selection) = match self {
            Self::Get(attribute) => (1, attribute, None),
            Self::Set(attribute) => (2, attribute, None),
            Self::Action(method) => {
                encoder.u8(3)?;
                return method.encode(encoder);
            }
            Self::GetWithSelection(attribute, selection) => (4, attribute, Some(selection)),
            Self::SetWithSelection(attribute, selection) => (5, attribute, Some(selection)),
        };
        encoder.u8(choice)?;
        attribute.encode(encoder)?;
        selection.map_or(Ok(()), |selection| selection.encode(encoder))
    }
}

impl<'a> AccessResponse<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an Access-Response, or there are more or fewer results, or repeated items, than values.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, ACCESS_RESPONSE)?;
        let long_invoke_id = LongInvokeIdAndPriority(reader.u32()?);
        let date_time = decode_date_time(reader)?;
        let request_specifications: Option<List<'a, AccessRequestSpecification<'a>>> =
            if reader.usage("access-request-specification")? { Some(List::decode(reader)?) } else { None };
        let data = match request_specifications {
            Some(repeated) => List::decode_counted(reader, repeated.len(), "number of data")?,
            None => List::decode(reader)?,
        };
        let specifications = List::decode_counted(reader, data.len(), "number of results")?;
        Ok(Self { long_invoke_id, date_time, request_specifications, data, specifications })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        Self::encode_head(encoder, self.long_invoke_id, self.date_time, self.request_specifications)?;
        self.data.encode(encoder)?;
        self.specifications.encode(encoder)
    }

    /// Writes what stands before the data.
    pub(crate) fn encode_head(
        encoder: &mut Encoder<'_>,
        long_invoke_id: LongInvokeIdAndPriority,
        date_time: Option<DateTime>,
        request_specifications: Option<List<'a, AccessRequestSpecification<'a>>>,
    ) -> Result<(), BufferFull> {
        encoder.u8(ACCESS_RESPONSE)?;
        encoder.u32(long_invoke_id.0)?;
        encode_date_time(encoder, date_time)?;
        encoder.usage(request_specifications.is_some())?;
        request_specifications.map_or(Ok(()), |specifications| specifications.encode(encoder))
    }

    /// What became of each item, in order.
    pub fn results(&self) -> impl ExactSizeIterator<Item = AccessResult<'a>> + use<'a> {
        self.specifications.iter().zip(self.data).map(|(specification, data)| match specification {
            AccessResponseSpecification::Get(DataAccessResult::Success) => {
                AccessResult::Get(GetDataResult::Data(data))
            }
            AccessResponseSpecification::Get(result) => {
                AccessResult::Get(GetDataResult::DataAccessResult(result))
            }
            AccessResponseSpecification::Set(result) => AccessResult::Set(result),
            AccessResponseSpecification::Action(result) => {
                AccessResult::Action { result, value: (data != Data::NullData).then_some(data) }
            }
        })
    }
}

impl AccessResponseSpecification {
    /// Whether the item was executed.
    pub const fn is_success(self) -> bool {
        matches!(
            self,
            Self::Get(DataAccessResult::Success)
                | Self::Set(DataAccessResult::Success)
                | Self::Action(ActionResult::Success)
        )
    }

    /// Reads the result.
    ///
    /// # Errors
    /// The choice is unknown.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        match reader.array()? {
            [1, code] => Ok(Self::Get(DataAccessResult::from_code(code))),
            [2, code] => Ok(Self::Set(DataAccessResult::from_code(code))),
            [3, code] => Ok(Self::Action(ActionResult::from_code(code))),
            [found, _] => Err(unknown(&choice, "Access-Response-Specification", found)),
        }
    }

    /// Writes the result.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.octets(&match *self {
            Self::Get(result) => [1, result.code()],
            Self::Set(result) => [2, result.code()],
            Self::Action(result) => [3, result.code()],
        })
    }
}

element!(AccessRequestSpecification<'a>, AccessResponseSpecification);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_axdr::DecodeErrorKind;
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::super::testing::{data, decode, hex, mutated, never_panics, round_trip};
    use super::*;

    const ENERGY: AttributeDescriptor = AttributeDescriptor::new(3, LogicalName::new(1, 0, 1, 8, 0, 255), 2);
    const ID: LongInvokeIdAndPriority = LongInvokeIdAndPriority(0x4000_0001);

    fn request<'a>(
        specifications: &'a [AccessRequestSpecification<'a>],
        data: &'a [Data<'a>],
    ) -> AccessRequest<'a> {
        AccessRequest {
            long_invoke_id: ID,
            date_time: None,
            specifications: List::new(specifications),
            data: List::new(data),
        }
    }

    #[test]
    fn requests() {
        use AccessRequestSpecification::*;
        let written = AttributeDescriptor::new(1, LogicalName::new(0, 0, 128, 0, 0, 255), 2);
        round_trip!(
            AccessRequest,
            "D94000000100020100030100010800FF020200010000800000FF020200090401020304",
            request(&[Get(ENERGY), Set(written)], &[Data::NullData, Data::OctetString(&[1, 2, 3, 4])])
        );
        let relay = MethodDescriptor::new(70, LogicalName::new(0, 0, 96, 3, 10, 255), 2);
        round_trip!(
            AccessRequest,
            "D9400000010001030046000060030AFF02010F00",
            request(&[Action(relay)], &[Data::Integer(0)])
        );
        let buffer = AttributeDescriptor::new(7, LogicalName::new(1, 0, 99, 1, 0, 255), 2);
        let entries = data(&(1u32, 1u32, 1u16, 0u16));
        let selection = AccessSelector { selector: 2, parameters: Data::from_octets(&entries).unwrap() };
        round_trip!(
            AccessRequest,
            "D94000000100010400070100630100FF02020204060000000106000000011200011200000100",
            request(&[GetWithSelection(buffer, selection)], &[Data::NullData])
        );
    }

    #[test]
    fn responses() {
        use AccessResponseSpecification::*;
        let response = AccessResponse {
            long_invoke_id: ID,
            date_time: None,
            request_specifications: None,
            data: List::new(&[Data::DoubleLongUnsigned(5009), Data::NullData]),
            specifications: List::new(&[Get(DataAccessResult::Success), Set(DataAccessResult::Success)]),
        };
        round_trip!(AccessResponse, "DA400000010000020600001391000201000200", response);
        round_trip!(
            AccessResponse,
            "DA4000000100000100010104",
            AccessResponse {
                data: List::new(&[Data::NullData]),
                specifications: List::new(&[Get(DataAccessResult::ObjectUndefined)]),
                ..response
            }
        );
        round_trip!(
            AccessResponse,
            "DA400000010001010100030100010800FF02010600001391010100",
            AccessResponse {
                request_specifications: Some(List::new(&[AccessRequestSpecification::Get(ENERGY)])),
                data: List::new(&[Data::DoubleLongUnsigned(5009)]),
                specifications: List::new(&[Get(DataAccessResult::Success)]),
                ..response
            }
        );
        let octets = hex("DA4000000100000100010404");
        let error = decode(&octets, AccessResponse::decode).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "Access-Response-Specification".into(), found: 4 };
        assert_eq!((error.offset, error.kind), (10, kind));
        let octets = hex("DA400000010000010000");
        let error = decode(&octets, AccessResponse::decode).unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (9, DecodeErrorKind::InvalidValue("number of results".into()))
        );
        let octets = hex("DA400000010001010100030100010800FF02000100");
        let error = decode(&octets, AccessResponse::decode).unwrap_err();
        assert_eq!((error.offset, error.kind), (18, DecodeErrorKind::InvalidValue("number of data".into())));
    }

    #[test]
    fn results() {
        let octets = hex("DA40000001000004060000139100000F0504010002000300030B");
        let response = decode(&octets, AccessResponse::decode).unwrap();
        let results: std::vec::Vec<_> = response.results().collect();
        assert_eq!(
            results,
            [
                AccessResult::Get(GetDataResult::Data(Data::DoubleLongUnsigned(5009))),
                AccessResult::Set(DataAccessResult::Success),
                AccessResult::Action { result: ActionResult::Success, value: None },
                AccessResult::Action {
                    result: ActionResult::ObjectUnavailable,
                    value: Some(Data::Integer(5))
                },
            ]
        );
    }

    proptest! {
        #[test]
        fn malformed_input(octets in mutated(&[
            "D94000000100020100030100010800FF020200010000800000FF020200090401020304",
            "D94000000100010400070100630100FF02020204060000000106000000011200011200000100",
            "DA400000010001010100030100010800FF02010600001391010100",
        ])) {
            never_panics(&octets, AccessRequest::decode);
            never_panics(&octets, AccessResponse::decode);
        }
    }
}
