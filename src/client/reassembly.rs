//! Putting the pieces of a long value together in a caller's buffer.

use crate::transfer::TransferError;

/// A value that arrives in pieces ([`Event::GetPiece`](super::Event::GetPiece)) and is wanted whole.
///
/// ```
/// use dlms::client::Reassembly;
/// let mut buffer = [0; 16];
/// let mut reassembly = Reassembly::new(&mut buffer);
/// reassembly.append(&[0x09, 0x02])?;
/// reassembly.append(&[0x41, 0x42])?;
/// assert_eq!(reassembly.octets(), [0x09, 0x02, 0x41, 0x42]);
/// # Ok::<(), dlms::transfer::TransferError>(())
/// ```
#[derive(Debug)]
pub struct Reassembly<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Reassembly<'b> {
    /// A value of which nothing has arrived; `buffer` bounds it.
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// The buffer is too small; what was received so far stays.
    pub fn append(&mut self, octets: &[u8]) -> Result<(), TransferError> {
        let capacity = self.buffer.len();
        let room = self.buffer.get_mut(self.length..).and_then(|room| room.get_mut(..octets.len()));
        room.ok_or(TransferError::TooLong { capacity })?.copy_from_slice(octets);
        self.length = self.length.wrapping_add(octets.len());
        Ok(())
    }

    /// What was received so far.
    pub fn octets(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or(&[])
    }

    /// The value, borrowed for as long as the buffer.
    pub fn into_octets(self) -> &'b [u8] {
        self.buffer.get(..self.length).unwrap_or(&[])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_do_not_fit_are_refused() {
        let mut buffer = [0; 3];
        let mut reassembly = Reassembly::new(&mut buffer);
        reassembly.append(&[1, 2]).unwrap();
        assert_eq!(reassembly.append(&[3, 4]), Err(TransferError::TooLong { capacity: 3 }));
        reassembly.append(&[3]).unwrap();
        assert_eq!(reassembly.into_octets(), [1, 2, 3]);
    }
}
