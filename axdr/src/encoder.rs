//! Writing into a buffer that may be smaller than the value.
//!
//! A long value leaves in blocks. Whoever produces it calls [`Encoder::element_done`] after each whole element and,
//! when a call returns [`BufferFull`], passes the error on. [`Encoder::cursor`] then tells where to resume: which
//! element, and how many of its octets are already out. The element that straddles the boundary is produced twice, so
//! a value of n octets costs O(n) in all, whatever the block size, and no octet is kept between blocks.

use thiserror::Error;

use crate::{Encode, SMALL};

/// The buffer has no room for what was to be written. What fits is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("buffer full")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    /// What may be written to: nothing while octets that are already out are skipped, so that a write is one comparison.
    buffer: &'b mut [u8],
    /// The buffer, while octets are skipped.
    held: &'b mut [u8],
    length: usize,
    cursor: Cursor,
    /// Octets of the current element that were skipped.
    skipped: u32,
    /// Where the current element begins in the buffer.
    element: usize,
}

impl<'b> Encoder<'b> {
    /// An encoder of a whole value into `buffer`.
    #[cfg_attr(target_os = "none", inline(never))]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self::resume(buffer, Cursor { next: 0, end: 0, skip: 0 })
    }

    /// An encoder that goes on where another one stopped.
    pub const fn resume(buffer: &'b mut [u8], cursor: Cursor) -> Self {
        let nothing: &mut [u8] = &mut [];
        let (buffer, held) = if cursor.skip == 0 { (buffer, nothing) } else { (nothing, buffer) };
        Self { buffer, held, length: 0, cursor, skipped: 0, element: 0 }
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
        // One of both is empty, and `length` never exceeds the other.
        (self.buffer.len().wrapping_add(self.held.len())).wrapping_sub(self.length)
    }

    /// What was written.
    pub fn written(&self) -> &[u8] {
        // `length` never exceeds the buffer, nor is it more than 0 while there is none: the fallback is not taken.
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// What was written, to be changed in place (a length that is only known at the end, for instance).
    pub fn written_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.length).unwrap_or_default()
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
    pub fn element_done(&mut self) {
        // Fewer than 2^32: their count has four octets.
        self.set_next(self.cursor.next.wrapping_add(1));
    }

    /// As [`Encoder::element_done`], naming the element that begins.
    #[inline]
    pub fn set_next(&mut self, next: u32) {
        self.cursor.next = next;
        self.cursor.skip = 0;
        self.skipped = 0;
        self.element = self.length;
        self.release();
    }

    /// Ends the skipping. Nothing was written before, so the buffer begins where it began.
    #[inline]
    fn release(&mut self) {
        if !self.held.is_empty() {
            self.buffer = core::mem::take(&mut self.held);
        }
    }

    /// Where to resume after [`BufferFull`].
    pub const fn cursor(&self) -> Cursor {
        let element = self.skipped.wrapping_add(self.length.wrapping_sub(self.element) as u32);
        let skip = if element > self.cursor.skip { element } else { self.cursor.skip };
        Cursor { skip, ..self.cursor }
    }

    /// Writes `octets` as they are.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn octets(&mut self, octets: &[u8]) -> Result<(), BufferFull> {
        match self.buffer.get_mut(self.length..).and_then(|room| room.get_mut(..octets.len())) {
            Some(room) => {
                room.copy_from_slice(octets);
                self.length = self.length.wrapping_add(octets.len());
                Ok(())
            }
            None => self.octets_at_edge(octets),
        }
    }

    /// Writes a value, comparing once with the room that is left if there is room for `N` octets and it takes no more.
    ///
    /// The rows of a profile are written several times as fast so, provided that `encode` of the row is inlined
    /// (`#[inline(always)]`). A longer value, or one near the end of the buffer, is written the usual way. The value must
    /// not end elements itself.
    ///
    /// # Errors
    /// The buffer has no room left.
    #[inline]
    pub fn at_once<const N: usize>(&mut self, value: &(impl Encode + ?Sized)) -> Result<(), BufferFull> {
        if let Some(room) = self.buffer.get_mut(self.length..).and_then(|room| room.first_chunk_mut::<N>()) {
            let mut element = Encoder::new(room);
            if value.encode(&mut element).is_ok() {
                self.length += element.length;
                return Ok(());
            }
        }
        self.at_edge(value)
    }

    #[cold]
    #[inline(never)]
    fn at_edge(&mut self, value: &(impl Encode + ?Sized)) -> Result<(), BufferFull> {
        value.encode(self)
    }

    /// Writes `head`, then `content`. The same as both by [`Encoder::octets`], with one comparison; by value, since
    /// octets that are put together in memory first cost a multiple of their writing.
    #[inline]
    pub(crate) fn parts<const H: usize, const N: usize>(
        &mut self,
        head: [u8; H],
        content: [u8; N],
    ) -> Result<(), BufferFull> {
        if SMALL {
            self.octets(&head)?;
            return self.octets(&content);
        }
        match self.buffer.get_mut(self.length..) {
            Some(room) if room.len() >= H + N => {
                room[..H].copy_from_slice(&head);
                room[H..H + N].copy_from_slice(&content);
                self.length += H + N;
                Ok(())
            }
            _ => {
                let encoder = core::mem::replace(self, Self::new(&mut []));
                let (result, encoder) = encoder.parts_at_edge(head, content);
                *self = encoder;
                result
            }
        }
    }

    /// By value, so that a loop over elements may keep its encoder in registers.
    #[cold]
    #[inline(never)]
    fn parts_at_edge<const H: usize, const N: usize>(
        mut self,
        head: [u8; H],
        content: [u8; N],
    ) -> (Result<(), BufferFull>, Self) {
        let result = self.octets_at_edge(&head).and_then(|()| self.octets_at_edge(&content));
        (result, self)
    }

    /// The slow path of [`Encoder::octets`]: part of it is already out, or it does not fit.
    #[cold]
    fn octets_at_edge(&mut self, octets: &[u8]) -> Result<(), BufferFull> {
        let already_out = (self.cursor.skip.wrapping_sub(self.skipped) as usize).min(octets.len());
        self.skipped = self.skipped.wrapping_add(already_out as u32);
        if self.skipped == self.cursor.skip {
            self.release();
        }
        let rest = octets.get(already_out..).unwrap_or_default();
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        let fitting = rest.len().min(room.len());
        room.iter_mut().zip(rest).for_each(|(place, octet)| *place = *octet);
        self.length = self.length.wrapping_add(fitting);
        if fitting == rest.len() { Ok(()) } else { Err(BufferFull) }
    }

    /// Writes one octet.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn u8(&mut self, value: u8) -> Result<(), BufferFull> {
        self.parts([], [value])
    }

    /// Writes two octets, most significant first.
    #[inline]
    pub fn u16(&mut self, value: u16) -> Result<(), BufferFull> {
        self.parts([], value.to_be_bytes())
    }

    /// Writes four octets, most significant first.
    #[inline]
    pub fn u32(&mut self, value: u32) -> Result<(), BufferFull> {
        self.parts([], value.to_be_bytes())
    }

    /// Writes eight octets, most significant first.
    #[inline]
    pub fn u64(&mut self, value: u64) -> Result<(), BufferFull> {
        self.parts([], value.to_be_bytes())
    }

    /// Writes a length or count in its shortest form. Lengths beyond 32 bits do not exist on the wire.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn length(&mut self, length: usize) -> Result<(), BufferFull> {
        if length < 0x80 {
            return self.u8(length as u8);
        }
        self.long_length(length)
    }

    #[cold]
    #[inline(never)]
    fn long_length(&mut self, length: usize) -> Result<(), BufferFull> {
        // No buffer takes what is longer.
        let [a, b, c, d] = u32::try_from(length).map_err(|_| BufferFull)?.to_be_bytes();
        match length {
            0..=0xFF => self.parts([], [0x81, d]),
            0x100..=0xFFFF => self.parts([], [0x82, c, d]),
            0x1_0000..=0xFF_FFFF => self.parts([], [0x83, b, c, d]),
            _ => self.parts([], [0x84, a, b, c, d]),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Three elements of 5, 4 and 133 octets.
    fn produce(encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        while encoder.next() < 3 {
            match encoder.next() {
                0 => {
                    encoder.u8(0)?;
                    encoder.u32(0x0102_0304)?;
                }
                1 => {
                    encoder.usage(true)?;
                    encoder.octets(&[])?;
                    encoder.u8(7)?;
                    encoder.u16(0x0809)?;
                }
                _ => {
                    encoder.length(130)?;
                    encoder.octets(&[5; 131])?;
                }
            }
            encoder.element_done();
        }
        Ok(())
    }

    #[test]
    fn an_empty_buffer_takes_nothing() {
        let mut cursor = Cursor::default();
        for _ in 0..3 {
            let mut encoder = Encoder::resume(&mut [], cursor);
            assert_eq!(produce(&mut encoder), Err(BufferFull));
            assert_eq!(encoder.cursor(), cursor);
        }
        let mut octets = [0; 3];
        let mut encoder = Encoder::new(&mut octets);
        assert_eq!(produce(&mut encoder), Err(BufferFull));
        cursor = encoder.cursor();
        assert_eq!(cursor, Cursor { next: 0, end: 0, skip: 3 });
        assert_eq!(produce(&mut Encoder::resume(&mut [], cursor)), Err(BufferFull));
    }

    proptest! {
        #[test]
        fn any_blocks_give_the_same_octets(sizes in proptest::collection::vec(0usize..40, 1..200)) {
            let mut whole = [0; 200];
            let mut encoder = Encoder::new(&mut whole);
            produce(&mut encoder).unwrap();
            let whole = encoder.written().to_vec();
            let (mut cursor, mut octets) = (Cursor::default(), Vec::new());
            for size in sizes.into_iter().chain([200]) {
                let mut block = vec![0; size];
                let mut encoder = Encoder::resume(&mut block, cursor);
                let done = produce(&mut encoder).is_ok();
                cursor = encoder.cursor();
                prop_assert!(done || encoder.remaining() == 0);
                octets.extend_from_slice(encoder.written());
                if done {
                    break;
                }
            }
            prop_assert_eq!(octets, whole);
        }
    }
}
