//! `bit-string`: a length in bits, then the octets that hold them.

use core::fmt;

use crate::{DecodeError, DecodeErrorKind, Reader};

/// A bit string; bit 0 is the most significant bit of the first octet.
#[derive(Clone, Copy, Debug)]
pub struct BitString<'a> {
    bits: usize,
    octets: &'a [u8],
}

impl<'a> BitString<'a> {
    /// No bits.
    pub const EMPTY: Self = Self { bits: 0, octets: &[] };

    /// A bit string of the first `bits` bits of `octets`, if that takes exactly all octets.
    pub const fn new(bits: usize, octets: &'a [u8]) -> Option<Self> {
        if bits.div_ceil(8) == octets.len() { Some(Self { bits, octets }) } else { None }
    }

    /// Reads the content: the number of bits, then the octets.
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bits = reader.length()?;
        Ok(Self { bits, octets: reader.octets(bits.div_ceil(8))? })
    }

    /// Reads the form of BER: the number of unused bits of the last octet, then all the octets that are left.
    pub(crate) fn decode_ber(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let invalid = reader.error(DecodeErrorKind::InvalidValue("bit string".into()));
        let unused = usize::from(reader.u8()?);
        let octets = reader.octets(reader.remaining())?;
        match octets.len().saturating_mul(8).checked_sub(unused) {
            Some(bits) if unused < 8 => Ok(Self { bits, octets }),
            _ => Err(invalid),
        }
    }

    /// How many bits there are.
    pub const fn len(&self) -> usize {
        self.bits
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// The octets; unused low bits of the last one have no meaning.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// How many bits of the last octet have no meaning.
    pub(crate) const fn unused(&self) -> u8 {
        self.bits.wrapping_neg() as u8 % 8
    }

    /// Bit number `bit`, 0 being the first.
    pub const fn get(&self, bit: usize) -> Option<bool> {
        match self.octets.split_at_checked(bit / 8) {
            Some((_, [octet, ..])) if bit < self.bits => Some(*octet & 0x80 >> (bit % 8) != 0),
            _ => None,
        }
    }

    /// The bits, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = bool> + use<'a> {
        let bits = self
            .octets
            .iter()
            .flat_map(|octet| (0..8u32).map(move |bit| octet & 0x80u8.wrapping_shr(bit) != 0));
        bits.take(self.bits)
    }
}

impl PartialEq for BitString<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits && self.iter().eq(other.iter())
    }
}

impl Eq for BitString<'_> {}

/// As text of `0` and `1`, the first bit first.
impl fmt::Display for BitString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|bit| f.write_str(if bit { "1" } else { "0" }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bit_0_is_the_most_significant_of_the_first_octet() {
        let bits = BitString::new(11, &[0xA5, 0x40]).unwrap();
        assert_eq!(bits.to_string(), "10100101010");
        assert_eq!(
            (bits.get(0), bits.get(1), bits.get(9), bits.get(11)),
            (Some(true), Some(false), Some(true), None)
        );
        assert_eq!(Some(bits), BitString::new(11, &[0xA5, 0x5F]), "unused bits do not count");
        assert_eq!(BitString::new(17, &[0, 0]), None);
        assert_eq!(BitString::new(8, &[0, 0]), None);
    }
}
