//! Why a driver stopped.

use thiserror::Error;

/// Why a driver stopped, or why a request was not answered as it was meant to be.
///
/// `E` is the error of the line.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DriverError<E> {
    /// The line failed.
    #[error("the line failed: {0}")]
    Line(E),
    /// The line has ended.
    #[error("the line has ended")]
    Closed,
    /// The framing is lost, or there is no link.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// No answer came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The request was not made, or its answer was refused.
    #[cfg(feature = "client")]
    #[error(transparent)]
    Client(#[from] crate::client::ClientError),
    /// There is no association.
    #[cfg(feature = "client")]
    #[error(transparent)]
    Refused(#[from] crate::client::Refusal),
    /// The server could not handle the request.
    #[cfg(feature = "client")]
    #[error("exception-response: {0:?}")]
    Exception(crate::xdlms::ExceptionResponse),
    /// The server could not handle the request.
    #[cfg(feature = "client")]
    #[error("confirmed-service-error: {0:?}")]
    ConfirmedServiceError(crate::xdlms::ConfirmedServiceError),
    /// The attribute was not read or not set.
    #[cfg(feature = "client")]
    #[error("data-access-result: {0:?}")]
    DataAccess(crate::xdlms::DataAccessResult),
    /// The method was not invoked.
    #[cfg(feature = "client")]
    #[error("action-result: {0:?}")]
    Action(crate::xdlms::ActionResult),
    /// The value does not fit into the buffer given for it.
    #[cfg(feature = "client")]
    #[error("the value exceeds {capacity} octets")]
    ValueTooLong {
        /// The size of the buffer.
        capacity: usize,
    },
    /// The value does not decode.
    #[cfg(feature = "client")]
    #[error("malformed value: {0}")]
    Malformed(#[from] dlms_axdr::DecodeError),
}

/// What a framing can fail for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FramingError {
    /// The server refuses the HDLC link.
    #[cfg(feature = "hdlc")]
    #[error("the server refuses the link")]
    Refused,
    /// The retries are used up.
    #[cfg(feature = "hdlc")]
    #[error("no answer on the link")]
    NoAnswer,
    /// The HDLC link is gone.
    #[cfg(feature = "hdlc")]
    #[error("the link is lost: {0:?}")]
    Lost(dlms_hdlc::Loss),
    /// The HDLC link takes no APDU now: it is not connected, or an exchange on it was given up.
    #[cfg(feature = "hdlc")]
    #[error(transparent)]
    Send(#[from] dlms_hdlc::SendError),
    /// A frame could not be written.
    #[cfg(feature = "hdlc")]
    #[error(transparent)]
    Transmit(#[from] dlms_hdlc::TransmitError),
    /// The stream is no sequence of WPDUs, or one does not fit.
    #[cfg(feature = "wrapper")]
    #[error(transparent)]
    Wrapper(#[from] dlms_wrapper::WrapperError),
    /// A received APDU does not fit the buffer.
    #[error("an APDU of {length} octets does not fit the buffer")]
    TooLong {
        /// The octets of the APDU.
        length: usize,
    },
}
