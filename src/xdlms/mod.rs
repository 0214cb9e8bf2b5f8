//! The xDLMS APDUs (IEC 62056-5-3, clause 8), one file per service.
//!
//! Every APDU is a type that borrows from the octets it was read from. `decode` starts at the APDU's tag and leaves the
//! reader behind the last field; whoever holds one whole APDU then calls [`Reader::finish`](dlms_axdr::Reader::finish).
//! `encode` writes the same octets back. Decoding is strict: an unknown choice is refused with its number and its
//! offset, a count is checked against what is there, and each value inside is checked whole.
//!
//! An engine that produces a long value in place writes it first and then puts the header of the response before it:
//! see [`GetResponse::prepend_datablock_header`] and its like.

mod action;
mod block;
mod confirmed_service_error;
mod conformance;
mod descriptor;
mod exception;
mod get;
mod initiate;
mod invoke_id;
mod list;
mod set;
mod tag;

pub use action::{ActionRequest, ActionResponse, ActionResponseWithOptionalData};
pub use block::{BlockNumber, DataBlock, DataBlockResult, ResponseDataBlock, prepend};
pub use confirmed_service_error::{ConfirmedServiceError, InitiateError, ServiceErrorGroup};
pub use conformance::Conformance;
pub use cosem_objects::{AccessSelector, ActionResult, DataAccessResult};
pub use descriptor::{AttributeDescriptor, AttributeDescriptorWithSelection, MethodDescriptor};
pub use exception::{ExceptionResponse, ServiceError, StateError};
pub use get::{GetDataResult, GetRequest, GetResponse, GetResponseHeader};
pub use initiate::{InitiateRequest, InitiateResponse};
pub use invoke_id::{InvokeIdAndPriority, LongInvokeIdAndPriority};
pub use list::{Element, List, ListIter};
pub use set::{SetRequest, SetResponse};
pub use tag::*;

#[cfg(test)]
mod testing;
