//! Receiving: numbered blocks are appended to a buffer.

use thiserror::Error;

/// A long value that is being received into a caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    start: usize,
    length: usize,
    last_number: u32,
    /// How many blocks without octets came in a row.
    empty: u8,
}

/// A first block and a last one may be empty; more in a row do not end.
const EMPTY_IN_A_ROW: u8 = 2;

/// Why a block ends its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TransferError {
    /// Another block was due.
    #[error("block {found} instead of {expected}")]
    BlockNumber {
        /// The number that was due.
        expected: u32,
        /// The number that came.
        found: u32,
    },
    /// The value is longer than the buffer, or does not get on.
    #[error("the value exceeds {capacity} octets")]
    TooLong {
        /// The size of the buffer.
        capacity: usize,
    },
}

impl Incoming {
    /// A transfer whose octets go into the buffer from `start` on; block 1 is due.
    pub const fn new(start: usize) -> Self {
        Self { start, length: 0, last_number: 0, empty: 0 }
    }

    /// The number of the block that came last; 0 before the first.
    pub const fn last_number(&self) -> u32 {
        self.last_number
    }

    /// Appends a block.
    ///
    /// # Errors
    /// The block is not the one that is due, or it does not fit. The transfer is over then.
    pub fn append(&mut self, buffer: &mut [u8], number: u32, octets: &[u8]) -> Result<(), TransferError> {
        let expected = self.last_number.wrapping_add(1);
        if number != expected {
            return Err(TransferError::BlockNumber { expected, found: number });
        }
        let capacity = buffer.len().saturating_sub(self.start);
        let room = buffer.get_mut(self.start..).and_then(|room| room.get_mut(self.length..));
        let Some(target) = room.and_then(|room| room.get_mut(..octets.len())) else {
            return Err(TransferError::TooLong { capacity });
        };
        self.empty = if octets.is_empty() { self.empty.saturating_add(1) } else { 0 };
        if self.empty > EMPTY_IN_A_ROW {
            return Err(TransferError::TooLong { capacity });
        }
        target.copy_from_slice(octets);
        self.length = self.length.wrapping_add(octets.len());
        self.last_number = number;
        Ok(())
    }

    /// What was received so far.
    pub fn octets<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer.get(self.start..self.start.wrapping_add(self.length)).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_in_order_and_no_further_than_the_buffer() {
        let mut buffer = [0; 6];
        let mut incoming = Incoming::new(1);
        assert_eq!(incoming.append(&mut buffer, 1, &[1, 2]), Ok(()));
        assert_eq!(
            incoming.append(&mut buffer, 3, &[]),
            Err(TransferError::BlockNumber { expected: 2, found: 3 })
        );
        assert_eq!(incoming.append(&mut buffer, 2, &[3, 4, 5]), Ok(()));
        assert_eq!(incoming.octets(&buffer), [1, 2, 3, 4, 5]);
        assert_eq!(incoming.append(&mut buffer, 3, &[6]), Err(TransferError::TooLong { capacity: 5 }));
    }

    #[test]
    fn a_transfer_of_nothing_ends() {
        let mut incoming = Incoming::new(0);
        for number in [1, 2] {
            assert_eq!(incoming.append(&mut [], number, &[]), Ok(()));
        }
        assert_eq!(incoming.append(&mut [], 3, &[]), Err(TransferError::TooLong { capacity: 0 }));
    }
}
