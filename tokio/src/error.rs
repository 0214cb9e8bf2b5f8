//! What can go wrong between a head-end and a meter.

use std::io;

use dlms::ProtectionError;
use dlms::client::rotation::RotationError;
use dlms::client::{ClientError, Refusal};
use dlms::xdlms::{ActionResult, ConfirmedServiceError, DataAccessResult, ExceptionResponse};
use dlms_axdr::{DecodeError, TypeMismatch};
use dlms_hdlc::Loss;
use dlms_security::SecurityError;
use dlms_wrapper::WrapperError;
use thiserror::Error;

/// Why something did not happen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The options contradict themselves.
    #[error("{0}")]
    Options(String),
    /// No connection to the peer.
    #[error("cannot connect to {endpoint}: {source}")]
    Connect {
        /// Where to.
        endpoint: String,
        /// Why not.
        source: io::Error,
    },
    /// The connection failed.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// No answer came in time.
    #[error("no answer in time while {0}")]
    Timeout(&'static str),
    /// The optical port was not opened.
    #[error("sign-on at the optical port: {0}")]
    SignOn(dlms_iec62056_21::Error),
    /// The data link was refused.
    #[error("the meter refuses the HDLC connection (DM)")]
    LinkRefused,
    /// The data link is gone.
    #[error("the HDLC connection is lost: {0:?}")]
    LinkLost(Loss),
    /// The TCP or UDP wrapper is malformed.
    #[error("wrapper: {0}")]
    Wrapper(#[from] WrapperError),
    /// The engine refused to do what was asked, or what was received.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no association.
    #[error("no association: {0}")]
    Refused(Refusal),
    /// The meter could not handle the request.
    #[error("exception-response: {0:?}")]
    Exception(ExceptionResponse),
    /// The meter could not handle the request.
    #[error("confirmed-service-error: {0:?}")]
    ConfirmedServiceError(ConfirmedServiceError),
    /// The meter answers something else than it was asked.
    #[error("the meter answers something else than it was asked")]
    Unexpected,
    /// The attribute was not read or set.
    #[error("data-access-result {code}: {0:?}", code = .0.code())]
    DataAccess(DataAccessResult),
    /// The method was not invoked.
    #[error("action-result {code}: {0:?}", code = .0.code())]
    Action(ActionResult),
    /// A value does not decode.
    #[error("malformed value: {0}")]
    Decode(#[from] DecodeError),
    /// A value has another type than its attribute.
    #[error("unexpected value: {0}")]
    Type(#[from] TypeMismatch),
    /// A value is longer than the configured limit.
    #[error("the value exceeds {limit} octets")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The image was not transferred.
    #[error("image transfer: {0}")]
    Image(String),
    /// A change of keys, certificate or policy did not come to its end.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The security layer failed.
    #[error(transparent)]
    Security(#[from] SecurityError),
}

/// What kind of trouble an [`Error`](enum@Error) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller's.
    Usage,
    /// The peer sent what does not decode or does not fit.
    Malformed,
    /// Wrong key, tag, title, challenge, replay, or too little protection.
    Security,
    /// Cannot connect, no answer, link lost.
    Link,
    /// The peer refused.
    Refused,
}

impl Error {
    /// What kind of trouble this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Options(_) => ErrorKind::Usage,
            Self::Connect { .. }
            | Self::Io(_)
            | Self::Closed
            | Self::Timeout(_)
            | Self::LinkRefused
            | Self::SignOn(_)
            | Self::LinkLost(_) => ErrorKind::Link,
            Self::Unexpected | Self::Wrapper(_) | Self::Decode(_) | Self::Type(_) | Self::TooLong { .. } => {
                ErrorKind::Malformed
            }
            Self::Refused(refusal) => match refusal {
                Refusal::Rejected { .. } => ErrorKind::Refused,
                Refusal::Malformed(_) | Refusal::Initiate(_) | Refusal::BufferFull => ErrorKind::Malformed,
                _ => ErrorKind::Security,
            },
            Self::Exception(_)
            | Self::ConfirmedServiceError(_)
            | Self::DataAccess(_)
            | Self::Action(_)
            | Self::Image(_) => ErrorKind::Refused,
            Self::Security(_) => ErrorKind::Security,
            Self::Rotation(error) => match error {
                RotationError::Unfinished | RotationError::Invalid(_) => ErrorKind::Usage,
                RotationError::Refused(_) | RotationError::Doubtful(_) => ErrorKind::Refused,
                RotationError::Malformed(_) => ErrorKind::Malformed,
                RotationError::Lost => ErrorKind::Link,
                _ => ErrorKind::Security,
            },
            Self::Client(error) => match error {
                ClientError::Protection(ProtectionError::Malformed(_)) => ErrorKind::Malformed,
                ClientError::Protection(_) | ClientError::Security(_) => ErrorKind::Security,
                ClientError::Malformed(_)
                | ClientError::Unexpected { .. }
                | ClientError::Transfer(_)
                | ClientError::TransferTooLong { .. } => ErrorKind::Malformed,
                ClientError::NotNegotiated(_) => ErrorKind::Refused,
                _ => ErrorKind::Usage,
            },
        }
    }

    /// Whether trying the same again may help.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::DataAccess(DataAccessResult::TemporaryFailure))
    }
}
