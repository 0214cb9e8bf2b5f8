//! What can go wrong on the client's side.

use dlms_axdr::{BufferFull, DecodeError};
use dlms_security::SecurityError;
use thiserror::Error;

use crate::ProtectionError;
use crate::acse::{AssociateResult, Diagnostic};
use crate::transfer::TransferError;
use crate::xdlms::{ConfirmedServiceError, Conformance};

/// Why a call did not do what it was asked to.
///
/// The state is defined after each: an error of a request ([`Client::get`](super::Client::get) and its like) has changed
/// nothing; what [`Client::handle_apdu`](super::Client::handle_apdu) refuses is dropped. Where the variant says that the
/// request is over, the association stays open and the next request can be sent; everywhere else the request goes on
/// waiting for its answer, because anybody may have sent what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ClientError {
    /// No association is open, or one is already.
    #[error("not possible in this state of the association")]
    State,
    /// A request is still waiting for its answer.
    #[error("another request is waiting for its answer")]
    Busy,
    /// The configuration lacks something that the association needs, or contradicts itself.
    #[error("configuration: {0}")]
    Configuration(&'static str),
    /// The server did not agree to a service that the request needs.
    #[error("{0:?} was not negotiated")]
    NotNegotiated(Conformance),
    /// A list without items.
    #[error("a list needs at least one item")]
    EmptyList,
    /// The request does not fit into one APDU and has no block form: split it.
    #[error("the request does not fit into {limit} octets")]
    RequestTooLong {
        /// How long a plain request may be.
        limit: usize,
    },
    /// The value to be sent in blocks does not fit into the client's storage.
    #[error("the value does not fit into the {capacity} octets of storage")]
    ValueTooLong {
        /// The size of the storage.
        capacity: usize,
    },
    /// The security layer refused to protect the request.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The APDU was refused before it was looked into.
    #[error("refused: {0}")]
    Protection(#[from] ProtectionError),
    /// The APDU does not decode. The request is over, if the APDU was its answer.
    #[error("malformed answer: {0}")]
    Malformed(#[from] DecodeError),
    /// An APDU that nothing waits for, or that does not answer what was asked.
    #[error("unexpected APDU with tag {tag:#04x}")]
    Unexpected {
        /// The tag of the plain APDU.
        tag: u8,
    },
    /// A block out of order, or a value beyond the storage. The request is over.
    #[error("block transfer: {0}")]
    Transfer(#[from] TransferError),
    /// The value exceeds [`ClientConfig::max_transfer`](super::ClientConfig::max_transfer). The request is over.
    #[error("the value exceeds {limit} octets")]
    TransferTooLong {
        /// The configured limit.
        limit: u32,
    },
    /// The transmit buffer is too small.
    #[error("the transmit buffer is too small")]
    BufferFull,
}

impl From<BufferFull> for ClientError {
    fn from(_: BufferFull) -> Self {
        Self::BufferFull
    }
}

/// Why there is no association.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refusal {
    /// The server does not want it.
    #[error("rejected by the server: {result:?}, {diagnostic:?}")]
    Rejected {
        /// Permanently or for now.
        result: AssociateResult,
        /// Why.
        diagnostic: Diagnostic,
        /// What was wrong with the InitiateRequest, if the server says so.
        error: Option<ConfirmedServiceError>,
    },
    /// The AARE does not decode.
    #[error("malformed AARE: {0}")]
    Malformed(#[from] DecodeError),
    /// Another application context than the proposed one.
    #[error("the server answers in another application context")]
    ApplicationContext,
    /// Another authentication mechanism than the proposed one, or a diagnostic that does not go with it.
    #[error("the server answers with another authentication mechanism")]
    Mechanism,
    /// The server's title is missing, our own, or not the known one.
    #[error("the server's system title is missing, our own or not the known one")]
    ServerTitle,
    /// The server's challenge is missing, of a wrong length, or our own.
    #[error("the server's challenge is missing, of a wrong length or our own")]
    Challenge,
    /// This side has no signature key of its own or of the server, or the server's certificate does not verify.
    #[error("no key to sign with or to verify the server's signature with")]
    ServerCertificate,
    /// The InitiateResponse is not protected as the request was.
    #[error("InitiateResponse: {0}")]
    Protection(#[from] ProtectionError),
    /// The InitiateResponse is missing or says what it may not.
    #[error("InitiateResponse: invalid {0}")]
    Initiate(&'static str),
    /// The server did not prove who it is.
    #[error("the server did not prove that it knows the secret")]
    ServerProof,
    /// The security layer could not answer the server's challenge.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The APDU with our proof does not fit the server or the transmit buffer.
    #[error("the proof does not fit into an APDU")]
    BufferFull,
}
