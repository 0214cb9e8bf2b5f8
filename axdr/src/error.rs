//! What is wrong with octets, and where.
//!
//! An error takes two words of a microcontroller, so that it is returned in registers.

use core::fmt;

use thiserror::Error;

/// Octets that do not decode: where, and what was wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("octet {offset}: {kind}")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DecodeError {
    /// Offset of the offending octet from the start of the message.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The ways in which octets can fail to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DecodeErrorKind {
    /// A field runs past the end of the input.
    #[error("{missing} octets missing")]
    Truncated {
        /// How many octets are not there; 65,535 stands for more, too.
        missing: u16,
    },
    /// A tag that the standard does not define at this place.
    #[error("unknown tag {found:#04x} for {expected}")]
    UnknownTag {
        /// What was to be read.
        expected: Expected,
        /// The tag that is there.
        found: u8,
    },
    /// A length octet `80`, or one that announces more than four octets of length.
    #[error("invalid length octet {0:#04x}")]
    InvalidLength(u8),
    /// A value that its field does not allow.
    #[error("invalid {0}")]
    InvalidValue(Expected),
    /// Octets are left after the last field; 65,535 stands for more, too.
    #[error("{0} octets left over")]
    TrailingOctets(u16),
    /// Values are nested deeper than this decoder goes.
    #[error("nested too deep")]
    TooDeep,
    /// More elements than this decoder accepts.
    #[error("too many elements")]
    TooManyElements,
}

/// What was to be read, in the standard's words. Only with the feature `std`: where nobody reads them, words would fill the
/// flash.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Expected(#[cfg(any(feature = "std", test))] &'static str);

impl Expected {
    /// These words.
    #[inline]
    pub const fn new(_words: &'static str) -> Self {
        Self(
            #[cfg(any(feature = "std", test))]
            _words,
        )
    }

    /// The words; `field` without `std`.
    pub const fn as_str(self) -> &'static str {
        #[cfg(any(feature = "std", test))]
        return self.0;
        #[cfg(not(any(feature = "std", test)))]
        "field"
    }
}

impl From<&'static str> for Expected {
    #[inline]
    fn from(words: &'static str) -> Self {
        Self::new(words)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl DecodeErrorKind {
    /// [`Self::Truncated`] by so many octets.
    pub const fn truncated(missing: usize) -> Self {
        Self::Truncated { missing: saturated(missing) }
    }

    /// [`Self::TrailingOctets`], so many.
    pub const fn trailing(left: usize) -> Self {
        Self::TrailingOctets(saturated(left))
    }
}

const fn saturated(octets: usize) -> u16 {
    if octets > 0xFFFF { 0xFFFF } else { octets as u16 }
}
