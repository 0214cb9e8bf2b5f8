//! What can be wrong with a WPDU.

/// Why octets are not a WPDU, or cannot be made one.
///
/// `offset` counts octets from the start of the datagram or, in a [`Deframer`](crate::Deframer), of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WrapperError {
    /// The first two octets are not the version; in a stream the framing is lost.
    #[error("wrapper version 0x{found:04X} at offset {offset}, expected 0x0001")]
    Version {
        /// Where the version stands.
        offset: u64,
        /// What stands there.
        found: u16,
    },
    /// The length is 0, and there is no APDU without octets.
    #[error("wrapper length 0 at offset {offset}, expected at least 1")]
    NoApdu {
        /// Where the length stands.
        offset: u64,
    },
    /// The length is more than this side takes.
    #[error("wrapper length {length} at offset {offset}, expected at most {maximum}")]
    TooLong {
        /// Where the length stands.
        offset: u64,
        /// The length that the header claims.
        length: u16,
        /// The octets that this side has room for.
        maximum: usize,
    },
    /// The datagram or the stream ends inside a WPDU.
    #[error("{missing} octets of a WPDU missing at offset {offset}")]
    Truncated {
        /// Where it ends.
        offset: u64,
        /// How many more octets are needed.
        missing: usize,
    },
    /// More octets follow the APDU of a datagram.
    #[error("{extra} octets after the WPDU at offset {offset}, expected the end of the datagram")]
    Trailing {
        /// Where the APDU ends.
        offset: u64,
        /// How many octets follow.
        extra: usize,
    },
    /// The rest of a WPDU did not arrive in time.
    #[error("receive time-out inside the WPDU at offset {offset}")]
    TimedOut {
        /// Where the WPDU starts.
        offset: u64,
    },
    /// An APDU to be sent has no octets, or more than the length field can say.
    #[error("an APDU of {length} octets does not fit the wrapper, expected 1 to 65535")]
    ApduLength {
        /// The octets of the APDU.
        length: usize,
    },
    /// The transmit buffer is too small.
    #[error("transmit buffer too small for a WPDU of {needed} octets")]
    BufferTooSmall {
        /// The octets that the WPDU takes.
        needed: usize,
    },
}
