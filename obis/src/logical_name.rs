//! The logical name: six value groups (IEC 62056-6-1, clause 4).

use core::fmt;

/// A COSEM logical name (OBIS code): the value groups A to F.
///
/// ```
/// use dlms_obis::LogicalName;
/// const ACTIVE_ENERGY_IMPORT: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
/// assert_eq!(ACTIVE_ENERGY_IMPORT.to_string(), "1-0:1.8.0*255");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogicalName([u8; 6]);

impl LogicalName {
    /// The name with the value groups A, B, C, D, E and F.
    pub const fn new(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) -> Self {
        Self([a, b, c, d, e, f])
    }

    /// The name in its six octets on the wire, A first.
    pub const fn from_octets(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six octets on the wire, A first.
    pub const fn octets(&self) -> &[u8; 6] {
        &self.0
    }
}

impl fmt::Display for LogicalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, last] = self.0;
        write!(f, "{a}-{b}:{c}.{d}.{e}*{last}")
    }
}

impl fmt::Debug for LogicalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
