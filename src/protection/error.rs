//! Why an APDU could not be opened or sealed.

use dlms_axdr::{BufferFull, DecodeError};
use dlms_security::SecurityError;
use thiserror::Error;

/// Why an APDU could not be opened or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtectionError {
    /// The APDU came unprotected, or less protected than this side demands.
    #[error("protection is required")]
    Required,
    /// The envelope does not decode.
    #[error("malformed envelope: {0}")]
    Malformed(#[from] DecodeError),
    /// The carried system title is not the peer's, or it is our own.
    #[error("wrong system title")]
    WrongTitle,
    /// No key for this envelope.
    #[error("no key")]
    NoKey,
    /// The APDU inside is not the one that the outer tag names.
    #[error("the protected APDU is not the one announced")]
    WrongService,
    /// The counter is not above the last one accepted; the lowest acceptable one is given.
    #[error("replayed invocation counter, lowest acceptable is {0}")]
    Replay(u32),
    /// The security layer refused.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The buffer is too small for the envelope.
    #[error("buffer too small for the protected APDU")]
    BufferFull,
}

impl From<BufferFull> for ProtectionError {
    fn from(_: BufferFull) -> Self {
        Self::BufferFull
    }
}
