//! The frame and header check sequences: CRC-16/X-25 (ISO/IEC 13239; x^16 + x^12 + x^5 + 1).
//!
//! Preset to ones, complemented, low bit first, **low octet sent first**. A receiver that runs the register over the
//! data and both check octets ends at [`GOOD`], so it never has to cut the check sequence off.

/// What the register holds after data followed by its own check sequence.
const GOOD: u16 = 0xF0B8;
const POLYNOMIAL: u16 = 0x8408;

/// How many octets a step takes; with 0, a nibble at a time with a table of 32 octets.
const WAYS: usize = if cfg!(feature = "fast-crc") { 16 } else { 0 };

/// A check sequence in the making: feed octets, then ask for the result.
///
/// ```
/// use dlms_hdlc::Crc;
/// assert_eq!(Crc::of(b"123456789"), 0x906E);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crc(u16);

impl Crc {
    /// A preset register.
    #[must_use]
    pub const fn new() -> Self {
        Self(0xFFFF)
    }

    /// The check sequence of `octets`.
    #[must_use]
    pub fn of(octets: &[u8]) -> u16 {
        let mut crc = Self::new();
        crc.update(octets);
        crc.finish()
    }

    /// Runs the register over `octets`.
    pub fn update(&mut self, octets: &[u8]) {
        let mut rest = octets;
        rest = self.update_blocks::<16>(rest);
        rest = self.update_blocks::<8>(rest);
        rest = self.update_blocks::<4>(rest);
        for octet in rest {
            if let Some(table) = TABLES.first() {
                self.0 = (self.0 >> 8) ^ table[usize::from(*octet ^ self.0 as u8)];
            } else {
                self.0 ^= u16::from(*octet);
                for _ in 0..2 {
                    self.0 = (self.0 >> 4) ^ NIBBLES[usize::from(self.0 & 0x0F)];
                }
            }
        }
    }

    /// The check sequence as a number; it travels low octet first.
    #[must_use]
    pub const fn finish(self) -> u16 {
        self.0 ^ 0xFFFF
    }

    /// Whether the octets seen so far end with their own check sequence.
    #[must_use]
    pub const fn is_good(self) -> bool {
        self.0 == GOOD
    }

    /// `N` octets a step: only the first two depend on the register, so the other lookups run ahead of it.
    #[inline]
    fn update_blocks<'a, const N: usize>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        if WAYS < N {
            return octets;
        }
        let (blocks, rest) = octets.as_chunks::<N>();
        for block in blocks {
            let mut next = TABLES[N - 1][usize::from(block[0] ^ self.0 as u8)]
                ^ TABLES[N - 2][usize::from(block[1] ^ (self.0 >> 8) as u8)];
            for (position, octet) in block.iter().enumerate().skip(2) {
                next ^= TABLES[N - 1 - position][usize::from(*octet)];
            }
            self.0 = next;
        }
        rest
    }
}

impl Default for Crc {
    fn default() -> Self {
        Self::new()
    }
}

/// What a nibble leaves in the register.
static NIBBLES: [u16; 16] = {
    let mut nibbles = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        nibbles[nibble] = shifted(nibble as u16, 4);
        nibble += 1;
    }
    nibbles
};

const fn shifted(mut register: u16, bits: usize) -> u16 {
    let mut bit = 0;
    while bit < bits {
        register = if register & 1 == 1 { (register >> 1) ^ POLYNOMIAL } else { register >> 1 };
        bit += 1;
    }
    register
}

/// `TABLES[n][octet]`: what `octet` leaves in the register `n` octets later.
static TABLES: [[u16; 256]; WAYS] = tables();

const fn tables() -> [[u16; 256]; WAYS] {
    let mut tables = [[0; 256]; WAYS];
    let mut way = 0;
    while way != WAYS {
        let mut octet = 0;
        while octet < 256 {
            let before = if way == 0 { octet as u16 } else { tables[way - 1][octet] };
            tables[way][octet] = shifted(before, 8);
            octet += 1;
        }
        way += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn catalogue_check_value() {
        assert_eq!(Crc::of(b"123456789"), 0x906E);
    }

    #[test]
    fn worked_example_and_residue() {
        assert_eq!(Crc::of(&[0x03, 0x3F]), 0xEC5B);
        assert_eq!(Crc::of(&[0xA0, 0x07, 0x03, 0x21, 0x93]), 0x010F);
        let mut crc = Crc::new();
        crc.update(&[0x03, 0x3F, 0x5B, 0xEC]);
        assert!(crc.is_good());
    }

    fn bit_by_bit(octets: &[u8]) -> u16 {
        let mut register = 0xFFFF_u16;
        for octet in octets {
            register ^= u16::from(*octet);
            for _ in 0..8 {
                register = if register & 1 == 1 { (register >> 1) ^ POLYNOMIAL } else { register >> 1 };
            }
        }
        !register
    }

    proptest! {
        #[test]
        fn equals_the_definition_in_any_pieces(octets in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
            let (head, tail) = octets.split_at(cut.min(octets.len()));
            let mut crc = Crc::new();
            crc.update(head);
            crc.update(tail);
            prop_assert_eq!(crc.finish(), bit_by_bit(&octets));
        }
    }
}
