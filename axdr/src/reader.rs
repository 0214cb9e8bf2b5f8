//! The cursor every decoder uses: it cannot leave its input.

use crate::{DecodeError, DecodeErrorKind};

/// A position in received octets.
///
/// Every read is checked against what is there; a failed read does not move the position. Offsets in errors count from
/// the start of the octets that the first reader was made from, also in readers made by [`Reader::sub`].
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    octets: &'a [u8],
    position: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `octets`.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self::at(octets, 0)
    }

    /// A reader at the start of `octets`, which are found at offset `base` of a larger message.
    pub const fn at(octets: &'a [u8], base: usize) -> Self {
        Self { octets, position: 0, base }
    }

    /// Offset of the next octet in the whole message.
    #[inline]
    pub const fn offset(&self) -> usize {
        self.base + self.position
    }

    /// How many octets are left.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.octets.len() - self.position
    }

    /// Whether every octet was read.
    pub const fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The octets that are left, unread.
    pub fn rest(&self) -> &'a [u8] {
        &self.octets[self.position..]
    }

    /// The next octet, without reading it.
    pub fn peek(&self) -> Option<u8> {
        self.octets.get(self.position).copied()
    }

    /// The next octet.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        match self.octets.get(self.position) {
            Some(&octet) => {
                self.position += 1;
                Ok(octet)
            }
            None => Err(self.truncated(1)),
        }
    }

    /// The next `N` octets.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.octets.get(self.position..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(chunk) => {
                self.position += N;
                Ok(*chunk)
            }
            None => Err(self.truncated(N)),
        }
    }

    /// The next octet, a tag that was looked at already, and the `N` octets after it.
    #[inline]
    pub(crate) fn tagged<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.position += 1;
        self.array().inspect_err(|_| self.position -= 1)
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
        match self.octets.get(self.position..).and_then(|rest| rest.get(..count)) {
            Some(octets) => {
                self.position += count;
                Ok(octets)
            }
            None => Err(self.truncated(count)),
        }
    }

    /// A length or count: one octet up to 127, else `80 + n` and n (1 to 4) octets. A longer form than needed is
    /// accepted.
    #[inline]
    pub fn length(&mut self) -> Result<usize, DecodeError> {
        let start = self.position;
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        self.long_length(start, first)
    }

    fn long_length(&mut self, start: usize, first: u8) -> Result<usize, DecodeError> {
        let octets = match first {
            0x81..=0x84 => self.octets(usize::from(first & 0x7F)),
            _ => Err(self.error_at(start, DecodeErrorKind::InvalidLength(first))),
        };
        match octets {
            Ok(octets) => Ok(octets.iter().fold(0usize, |length, &octet| length << 8 | usize::from(octet))),
            Err(error) => {
                self.position = start;
                Err(error)
            }
        }
    }

    /// An octet string: its length, then that many octets.
    #[inline]
    pub fn octet_string(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.position;
        let length = self.length()?;
        self.octets(length).inspect_err(|_| self.position = start)
    }

    /// The usage octet of an optional field: `00` absent, `01` present.
    pub fn usage(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.peek() {
            Some(0x00) => self.u8().map(|_| false),
            Some(0x01) => self.u8().map(|_| true),
            Some(_) => Err(self.error(DecodeErrorKind::InvalidValue(field))),
            None => Err(self.truncated(1)),
        }
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
            left => Err(self.error(DecodeErrorKind::TrailingOctets(left))),
        }
    }

    /// An error at the next octet.
    pub const fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { offset: self.offset(), kind }
    }

    const fn error_at(&self, position: usize, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { offset: self.base + position, kind }
    }

    #[cold]
    const fn truncated(&self, needed: usize) -> DecodeError {
        self.error(DecodeErrorKind::Truncated { missing: needed - self.remaining() })
    }
}
