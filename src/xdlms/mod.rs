//! The xDLMS APDUs (IEC 62056-5-3, clause 8), one file per service.
//!
//! Every APDU is a type that borrows from the octets it was read from. `decode` starts at the APDU's tag and leaves the
//! reader behind the last field; whoever holds one whole APDU then calls [`Reader::finish`](dlms_axdr::Reader::finish).
//! `encode` writes the same octets back. Decoding is strict: an unknown choice is refused with its number and its
//! offset, a count is checked against what is there, and each value inside is checked whole.
//!
//! An engine that produces a long value in place writes it first and then puts the header of the response before it:
//! see [`GetResponse::prepend_datablock_header`] and its like.

mod access;
mod action;
mod apdu;
mod block;
mod ciphered;
mod confirmed_service_error;
mod conformance;
mod data_notification;
mod descriptor;
mod event_notification;
mod exception;
mod gateway;
mod general_block_transfer;
mod get;
mod initiate;
mod invoke_id;
mod list;
mod set;
mod short_name;
mod tag;

pub use access::{
    AccessRequest, AccessRequestSpecification, AccessResponse, AccessResponseSpecification, AccessResult,
};
pub use action::{ActionRequest, ActionResponse, ActionResponseWithOptionalData};
pub use apdu::Apdu;
pub use block::{BlockNumber, DataBlock, DataBlockResult, ResponseDataBlock, prepend};
pub use ciphered::{
    GeneralCiphering, GeneralCipheringWithTitle, GeneralHeader, GeneralSigning, KeyInfo, KeySetId,
    ServiceCiphering,
};
pub use confirmed_service_error::{ConfirmedServiceError, InitiateError, ServiceErrorGroup};
pub use conformance::Conformance;
pub use cosem_objects::{AccessSelector, ActionResult, DataAccessResult};
pub use data_notification::{DataNotification, DataNotificationConfirm};
pub use descriptor::{AttributeDescriptor, AttributeDescriptorWithSelection, MethodDescriptor};
pub use event_notification::EventNotification;
pub use exception::{ExceptionResponse, ServiceError, StateError};
pub use gateway::Gateway;
pub use general_block_transfer::GeneralBlockTransfer;
pub use get::{GetDataResult, GetRequest, GetResponse, GetResponseHeader};
pub use initiate::{InitiateRequest, InitiateResponse};
pub use invoke_id::{InvokeIdAndPriority, LongInvokeIdAndPriority};
pub use list::{Element, List, ListIter};
pub use set::{SetRequest, SetResponse};
pub use short_name::{
    InformationReport, ReadRequest, ReadResponse, ReadResult, UnconfirmedWriteRequest,
    VariableAccessSpecification, WriteRequest, WriteResponse, WriteResult,
};
pub use tag::*;

#[cfg(test)]
pub(crate) mod testing;
