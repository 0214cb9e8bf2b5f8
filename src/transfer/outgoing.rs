//! Sending: a value that is held whole is cut into numbered blocks.

use core::ops::Range;

/// A long value that leaves in blocks from a caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    next: usize,
    end: usize,
    last_number: u32,
}

/// One block to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u32,
    /// Whether it is the last one.
    pub last: bool,
    /// Where its octets are in the buffer.
    pub octets: Range<usize>,
}

impl Outgoing {
    /// A transfer of the octets at `value` of the buffer.
    pub const fn new(value: Range<usize>) -> Self {
        Self { next: value.start, end: value.end, last_number: 0 }
    }

    /// The number of the block that was sent last; 0 before the first.
    pub const fn last_number(&self) -> u32 {
        self.last_number
    }

    /// Whether every octet was sent.
    pub const fn is_finished(&self) -> bool {
        self.next == self.end && self.last_number > 0
    }

    /// The next block, of at most `size` octets; `None` when all is sent or `size` is 0.
    pub fn next_block(&mut self, size: usize) -> Option<Block> {
        if self.is_finished() || size == 0 {
            return None;
        }
        let octets = self.next..self.end.min(self.next.saturating_add(size));
        self.next = octets.end;
        self.last_number = self.last_number.wrapping_add(1);
        Some(Block { number: self.last_number, last: self.next == self.end, octets })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::Incoming;
    use super::*;

    proptest! {
        #[test]
        fn what_leaves_in_blocks_arrives(value: Vec<u8>, size in 1usize..40) {
            let mut outgoing = Outgoing::new(0..value.len());
            let mut incoming = Incoming::new(3);
            let mut buffer = vec![0; value.len() + 3];
            let mut last = false;
            while let Some(block) = outgoing.next_block(size) {
                prop_assert!(!last);
                incoming.append(&mut buffer, block.number, &value[block.octets]).unwrap();
                last = block.last;
            }
            prop_assert!(last);
            prop_assert_eq!(incoming.octets(&buffer), &value[..]);
        }
    }
}
