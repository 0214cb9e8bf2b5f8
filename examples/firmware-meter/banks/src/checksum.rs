//! CRC-32 as in IEEE 802.3.

/// A checksum of octets that come piece after piece.
pub struct Checksum(u32);

impl Default for Checksum {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Checksum {
    /// Goes on with more octets.
    pub fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 ^= u32::from(*octet);
            for _ in 0..8 {
                self.0 = if self.0 & 1 == 1 { self.0 >> 1 ^ 0xEDB8_8320 } else { self.0 >> 1 };
            }
        }
    }

    /// The checksum of what was added.
    pub const fn value(&self) -> u32 {
        !self.0
    }
}
