//! What is wrong with a message, and where.

use thiserror::Error;

/// A message that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("octet {offset}: {kind}")]
pub struct Error {
    /// The octet at which it shows, counted from the first one of the message.
    pub offset: usize,
    /// What is wrong.
    pub kind: ErrorKind,
}

impl Error {
    pub(crate) const fn at(offset: usize, kind: ErrorKind) -> Self {
        Self { offset, kind }
    }
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something else is needed here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The message ends before it is complete.
    #[error("the message ends here")]
    Truncated,
    /// There is something behind the end of the message.
    #[error("octets after the end")]
    TrailingOctets,
    /// The block check character is not the exclusive or of the message.
    #[error("block check character {found:#04x}, computed {computed:#04x}")]
    BlockCheck {
        /// The one received.
        found: u8,
        /// The one of the octets received.
        computed: u8,
    },
    /// The CRC of a P1 telegram is not the one of its octets.
    #[error("CRC {found:#06x}, computed {computed:#06x}")]
    Crc {
        /// The one received.
        found: u16,
        /// The one of the octets received.
        computed: u16,
    },
    /// There is no CRC behind the `!` of a P1 telegram.
    #[error("there is no CRC")]
    NoCrc,
    /// The buffer is too small.
    #[error("no room for the message")]
    BufferFull,
    /// The other side did not answer, or stopped in the middle of a message.
    #[error("no answer in time")]
    Timeout,
    /// The meter offers no HDLC.
    #[error("the meter does not offer HDLC")]
    NoHdlc,
}
