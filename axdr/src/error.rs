//! What is wrong with octets, and where.

use thiserror::Error;

/// Octets that do not decode: where, and what was wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("octet {offset}: {kind}")]
pub struct DecodeError {
    /// Offset of the offending octet from the start of the message.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The ways in which octets can fail to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// A field runs past the end of the input.
    #[error("{missing} octets missing")]
    Truncated {
        /// How many octets are not there.
        missing: usize,
    },
    /// A tag that the standard does not define at this place.
    #[error("unknown tag {found:#04x} for {expected}")]
    UnknownTag {
        /// What was to be read.
        expected: &'static str,
        /// The tag that is there.
        found: u8,
    },
    /// A length octet `80`, or one that announces more than four octets of length.
    #[error("invalid length octet {0:#04x}")]
    InvalidLength(u8),
    /// A value that its field does not allow.
    #[error("invalid {0}")]
    InvalidValue(&'static str),
    /// Octets are left after the last field.
    #[error("{0} octets left over")]
    TrailingOctets(usize),
    /// Values are nested deeper than this decoder goes.
    #[error("nested too deep")]
    TooDeep,
    /// More elements than this decoder accepts.
    #[error("too many elements")]
    TooManyElements,
}
