//! The cursor every decoder uses: it cannot leave its input.

use crate::{DecodeError, DecodeErrorKind};

/// A position in received octets.
///
/// Every read is checked against what is there; a failed read does not move the position. Offsets in errors count from
/// the start of the octets that the first reader was made from, also in readers made by [`Reader::sub`].
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// What is left, so that a read is one comparison.
    rest: &'a [u8],
    /// Offset of the end of `rest`, which never moves.
    end: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `octets`.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self::at(octets, 0)
    }

    /// A reader at the start of `octets`, which are found at offset `base` of a larger message.
    pub const fn at(octets: &'a [u8], base: usize) -> Self {
        Self { rest: octets, end: base.wrapping_add(octets.len()) }
    }

    /// Offset of the next octet in the whole message.
    #[inline]
    pub const fn offset(&self) -> usize {
        self.end.wrapping_sub(self.rest.len())
    }

    /// How many octets are left.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether every octet was read.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The octets that are left, unread.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next octet, without reading it.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next octet.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        match self.rest.split_first() {
            Some((&octet, rest)) => {
                self.rest = rest;
                Ok(octet)
            }
            None => Err(self.truncated(1)),
        }
    }

    /// The next `N` octets.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(*chunk)
            }
            None => Err(self.truncated(N)),
        }
    }

    /// The next octet, a tag that was looked at already, and the `N` octets after it.
    #[inline]
    pub(crate) fn tagged<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.get(1..).and_then(|rest| rest.split_first_chunk::<N>()) {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(*chunk)
            }
            None => Err(self.truncated(1 + N)),
        }
    }

    /// Passes `count` octets if there are so many.
    #[inline]
    pub(crate) fn pass(&mut self, count: usize) -> bool {
        match self.rest.get(count..) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The next two octets, most significant first.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four octets, most significant first.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight octets, most significant first.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `count` octets.
    #[inline]
    pub fn octets(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((octets, rest)) => {
                self.rest = rest;
                Ok(octets)
            }
            None => Err(self.truncated(count)),
        }
    }

    /// A length or count: one octet up to 127, else `80 + n` and n (1 to 4) octets. A longer form than needed is
    /// accepted.
    #[inline]
    pub fn length(&mut self) -> Result<usize, DecodeError> {
        match self.rest.split_first() {
            Some((&length @ 0..0x80, rest)) => {
                self.rest = rest;
                Ok(usize::from(length))
            }
            _ => {
                let (length, after) = self.clone().long_length();
                *self = after;
                length
            }
        }
    }

    /// The rare forms of a length. By value, so that a caller may keep its reader in registers.
    #[inline(never)]
    fn long_length(mut self) -> (Result<usize, DecodeError>, Self) {
        let start = self.clone();
        let octets = match self.u8() {
            Ok(first @ 0..=0x7F) => return (Ok(usize::from(first)), self),
            Ok(first @ 0x81..=0x84) => self.octets(usize::from(first & 0x7F)),
            Ok(first) => Err(start.error(DecodeErrorKind::InvalidLength(first))),
            Err(error) => Err(error),
        };
        match octets {
            Ok(octets) => {
                (Ok(octets.iter().fold(0usize, |length, &octet| length << 8 | usize::from(octet))), self)
            }
            Err(error) => (Err(error), start),
        }
    }

    /// An octet string: its length, then that many octets.
    #[inline]
    pub fn octet_string(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.rest;
        let length = self.length()?;
        let octets = self.octets(length);
        if octets.is_err() {
            self.rest = start;
        }
        octets
    }

    /// The usage octet of an optional field: `00` absent, `01` present.
    pub fn usage(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.peek() {
            Some(0x00) => self.u8().map(|_| false),
            Some(0x01) => self.u8().map(|_| true),
            Some(_) => Err(self.error(DecodeErrorKind::InvalidValue(field.into()))),
            None => Err(self.truncated(1)),
        }
    }

    /// What was read by `after`, which is this reader later on.
    pub(crate) fn before(&self, after: &Self) -> &'a [u8] {
        // Less is left later on, so the fallback is not taken.
        self.rest.get(..self.rest.len().wrapping_sub(after.rest.len())).unwrap_or_default()
    }

    /// A reader of the next `count` octets alone.
    pub fn sub(&mut self, count: usize) -> Result<Reader<'a>, DecodeError> {
        let base = self.offset();
        self.octets(count).map(|octets| Reader::at(octets, base))
    }

    /// Succeeds if nothing is left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.error(DecodeErrorKind::trailing(left))),
        }
    }

    /// An error at the next octet.
    #[inline]
    pub const fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { offset: self.offset(), kind }
    }

    #[inline]
    const fn truncated(&self, needed: usize) -> DecodeError {
        self.error(DecodeErrorKind::truncated(needed.saturating_sub(self.remaining())))
    }
}
