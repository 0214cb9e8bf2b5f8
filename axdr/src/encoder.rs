//! Writing into a buffer that may be smaller than the value.
//!
//! A long value leaves in blocks. Whoever produces it calls [`Encoder::element_done`] after each whole element and,
//! when a call returns [`BufferFull`], passes the error on. [`Encoder::cursor`] then tells where to resume: which
//! element, and how many of its octets are already out. The element that straddles the boundary is produced twice, so
//! a value of n octets costs O(n) in all, whatever the block size, and no octet is kept between blocks.

use thiserror::Error;

/// The buffer has no room for what was to be written. What fits is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("buffer full")]
pub struct BufferFull;

/// Where a value that did not fit into one buffer goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// How many elements are out whole. The producer chooses what its elements are and may move the number itself
    /// ([`Encoder::set_next`]); 0 is the start of the value.
    pub next: u32,
    /// A number that the producer fixed when it began (the last row of a range, for instance).
    pub end: u32,
    /// How many octets of element `next` are already out.
    pub skip: u32,
}

/// Writes octets into a caller's buffer, from a [`Cursor`] on.
#[derive(Debug)]
pub struct Encoder<'b> {
    buffer: &'b mut [u8],
    length: usize,
    cursor: Cursor,
    /// Octets of the current element that were offered so far, whether skipped or written.
    element: u32,
}

impl<'b> Encoder<'b> {
    /// An encoder of a whole value into `buffer`.
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self::resume(buffer, Cursor { next: 0, end: 0, skip: 0 })
    }

    /// An encoder that goes on where another one stopped.
    pub const fn resume(buffer: &'b mut [u8], cursor: Cursor) -> Self {
        Self { buffer, length: 0, cursor, element: 0 }
    }

    /// How many octets are in the buffer.
    #[inline]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How much room is left.
    pub const fn remaining(&self) -> usize {
        self.buffer.len() - self.length
    }

    /// What was written.
    pub fn written(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// What was written, to be changed in place (a length that is only known at the end, for instance).
    pub fn written_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }

    /// The number of the element that is being written; 0 at the start of a value.
    pub const fn next(&self) -> u32 {
        self.cursor.next
    }

    /// The number that the producer fixed when it began.
    pub const fn end(&self) -> u32 {
        self.cursor.end
    }

    /// Fixes [`Cursor::end`] for the rest of the value.
    pub const fn set_end(&mut self, end: u32) {
        self.cursor.end = end;
    }

    /// One element is written whole; the next one begins.
    #[inline]
    pub const fn element_done(&mut self) {
        self.set_next(self.cursor.next.wrapping_add(1));
    }

    /// As [`Encoder::element_done`], naming the element that begins.
    pub const fn set_next(&mut self, next: u32) {
        self.cursor.next = next;
        self.cursor.skip = 0;
        self.element = 0;
    }

    /// Where to resume after [`BufferFull`].
    pub const fn cursor(&self) -> Cursor {
        let skip = if self.element > self.cursor.skip { self.element } else { self.cursor.skip };
        Cursor { skip, ..self.cursor }
    }

    /// Writes `octets` as they are.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) -> Result<(), BufferFull> {
        if self.element >= self.cursor.skip && octets.len() <= self.remaining() {
            self.buffer[self.length..self.length + octets.len()].copy_from_slice(octets);
            self.length += octets.len();
            self.element = self.element.wrapping_add(octets.len() as u32);
            return Ok(());
        }
        self.octets_at_edge(octets)
    }

    /// The slow path of [`Encoder::octets`]: part of it is already out, or it does not fit.
    fn octets_at_edge(&mut self, octets: &[u8]) -> Result<(), BufferFull> {
        let already_out = (self.cursor.skip.saturating_sub(self.element) as usize).min(octets.len());
        let rest = &octets[already_out..];
        let fitting = rest.len().min(self.remaining());
        self.buffer[self.length..self.length + fitting].copy_from_slice(&rest[..fitting]);
        self.length += fitting;
        self.element = self.element.wrapping_add((already_out + fitting) as u32);
        if fitting == rest.len() { Ok(()) } else { Err(BufferFull) }
    }

    /// Writes one octet.
    #[inline]
    pub fn u8(&mut self, value: u8) -> Result<(), BufferFull> {
        self.octets(&[value])
    }

    /// Writes two octets, most significant first.
    #[inline]
    pub fn u16(&mut self, value: u16) -> Result<(), BufferFull> {
        self.octets(&value.to_be_bytes())
    }

    /// Writes four octets, most significant first.
    #[inline]
    pub fn u32(&mut self, value: u32) -> Result<(), BufferFull> {
        self.octets(&value.to_be_bytes())
    }

    /// Writes eight octets, most significant first.
    #[inline]
    pub fn u64(&mut self, value: u64) -> Result<(), BufferFull> {
        self.octets(&value.to_be_bytes())
    }

    /// Writes a length or count in its shortest form. Lengths beyond 32 bits do not exist on the wire.
    #[inline]
    pub fn length(&mut self, length: usize) -> Result<(), BufferFull> {
        if length < 0x80 {
            return self.u8(length as u8);
        }
        let [a, b, c, d] = (length as u32).to_be_bytes();
        match length {
            ..=0xFF => self.octets(&[0x81, d]),
            ..=0xFFFF => self.octets(&[0x82, c, d]),
            ..=0xFF_FFFF => self.octets(&[0x83, b, c, d]),
            _ => self.octets(&[0x84, a, b, c, d]),
        }
    }

    /// Writes an octet string: its length, then the octets.
    pub fn octet_string(&mut self, octets: &[u8]) -> Result<(), BufferFull> {
        self.length(octets.len())?;
        self.octets(octets)
    }

    /// Writes the usage octet of an optional field: `01` present, `00` absent.
    pub fn usage(&mut self, present: bool) -> Result<(), BufferFull> {
        self.u8(u8::from(present))
    }
}
