//! Why an APDU could not be opened or sealed.

use dlms_axdr::{BufferFull, DecodeError};
use dlms_security::SecurityError;
use thiserror::Error;

/// Why an APDU could not be opened or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ProtectionError {
    /// The APDU came unprotected, or less protected than this side demands.
    #[error("protection is required")]
    Required,
    /// The envelope does not decode.
    #[error("malformed envelope: {0}")]
    Malformed(#[from] DecodeError),
    /// A system title is not the peer's, the recipient is not this side, or a title is on the wrong side.
    #[error("wrong system title")]
    WrongTitle,
    /// A field of the header of general-ciphering or general-signing has a length that it may not have.
    #[error("invalid {0}")]
    InvalidHeader(&'static str),
    /// The transaction-id is not the one of the request, or differs between two layers.
    #[error("wrong transaction-id")]
    WrongTransaction,
    /// This side's configuration does not take this envelope or this kind of key.
    #[error("envelope or key not allowed by the configuration")]
    NotAllowed,
    /// The APDU is ciphered, or signed, more than once.
    #[error("too many layers of protection")]
    Nested,
    /// No key for this envelope.
    #[error("no key")]
    NoKey,
    /// The APDU inside is not the one that the outer tag names.
    #[error("the protected APDU is not the one announced")]
    WrongService,
    /// The counter is not above the last one accepted; the lowest acceptable one is given.
    #[error("replayed invocation counter, lowest acceptable is {0}")]
    Replay(u32),
    /// A message under a key of its own came again.
    #[error("replayed transaction-id")]
    ReplayedTransaction,
    /// The security layer refused.
    #[error(transparent)]
    Security(SecurityError),
    /// The buffer is too small for the envelope.
    #[error("buffer too small for the protected APDU")]
    BufferFull,
}

impl From<BufferFull> for ProtectionError {
    fn from(_: BufferFull) -> Self {
        Self::BufferFull
    }
}

impl From<SecurityError> for ProtectionError {
    fn from(error: SecurityError) -> Self {
        match error {
            SecurityError::Replay { lowest_acceptable, .. } => Self::Replay(lowest_acceptable),
            SecurityError::KeyMissing => Self::NoKey,
            error => Self::Security(error),
        }
    }
}
