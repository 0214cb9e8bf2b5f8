//! The logical name: six value groups (IEC 62056-6-1, clause 4).
//!
//! On the wire it is an octet-string of six octets, A first. Its text form `A-B:C.D.E*F` is for people; programs that
//! want the octets write it in hexadecimal (`{:x}`).

use core::fmt;

/// A COSEM logical name (OBIS code): the value groups A to F.
///
/// | group | says |
/// | --- | --- |
/// | A | the medium: 0 abstract, 1 electricity, 7 gas, 8 cold water … |
/// | B | the channel |
/// | C | the quantity |
/// | D | how it is processed: instantaneous, maximum, time integral … |
/// | E | the rate, harmonic or instance |
/// | F | the billing period; 255 is the current one |
///
/// ```
/// use dlms_obis::LogicalName;
/// const ACTIVE_ENERGY_IMPORT: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
/// assert_eq!(ACTIVE_ENERGY_IMPORT.to_string(), "1-0:1.8.0*255");
/// assert_eq!(format!("{ACTIVE_ENERGY_IMPORT:x}"), "0100010800ff");
/// assert_eq!("1.0.1.8.0.255".parse(), Ok(ACTIVE_ENERGY_IMPORT));
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

    /// Value group A: the medium.
    pub const fn a(&self) -> u8 {
        self.0[0]
    }

    /// Value group B: the channel.
    pub const fn b(&self) -> u8 {
        self.0[1]
    }

    /// Value group C: the quantity.
    pub const fn c(&self) -> u8 {
        self.0[2]
    }

    /// Value group D: the processing of the quantity.
    pub const fn d(&self) -> u8 {
        self.0[3]
    }

    /// Value group E: the rate, harmonic or instance.
    pub const fn e(&self) -> u8 {
        self.0[4]
    }

    /// Value group F: the billing period, 255 the current one.
    pub const fn f(&self) -> u8 {
        self.0[5]
    }
}

impl From<[u8; 6]> for LogicalName {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl From<LogicalName> for [u8; 6] {
    fn from(name: LogicalName) -> Self {
        name.0
    }
}

/// An octet-string of any other length is no logical name.
impl TryFrom<&[u8]> for LogicalName {
    type Error = core::array::TryFromSliceError;

    fn try_from(octets: &[u8]) -> Result<Self, Self::Error> {
        octets.try_into().map(Self)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for LogicalName {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        let [a, b, c, d, e, f] = self.0;
        defmt::write!(formatter, "{=u8}-{=u8}:{=u8}.{=u8}.{=u8}*{=u8}", a, b, c, d, e, f);
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

/// Twelve hexadecimal digits, as in machine-readable output.
impl fmt::LowerHex for LogicalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Twelve hexadecimal digits in capitals.
impl fmt::UpperHex for LogicalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

/// The text form in formats for people (JSON, TOML), the six octets in binary ones.
#[cfg(feature = "serde")]
mod serde_impl {
    use core::fmt;

    use serde::de::{Deserialize, Deserializer, Error, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::LogicalName;

    impl Serialize for LogicalName {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if serializer.is_human_readable() {
                return serializer.collect_str(self);
            }
            self.0.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for LogicalName {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            if deserializer.is_human_readable() {
                return deserializer.deserialize_str(TextForm);
            }
            <[u8; 6]>::deserialize(deserializer).map(Self)
        }
    }

    struct TextForm;

    impl Visitor<'_> for TextForm {
        type Value = LogicalName;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an OBIS code such as 1-0:1.8.0*255")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<LogicalName, E> {
            text.parse().map_err(E::custom)
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn groups_in_the_order_of_the_wire() {
        let name = LogicalName::from_octets([1, 2, 3, 4, 5, 6]);
        assert_eq!([name.a(), name.b(), name.c(), name.d(), name.e(), name.f()], *name.octets());
        assert_eq!(format!("{name} {name:x} {name:X}"), "1-2:3.4.5*6 010203040506 010203040506");
        assert_eq!(LogicalName::try_from(&[1, 2, 3, 4, 5, 6][..]).ok(), Some(name));
        assert!(LogicalName::try_from(&[1, 2, 3, 4, 5][..]).is_err());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_holds_the_text_form() {
        let name = LogicalName::new(1, 0, 1, 8, 0, 255);
        assert_eq!(serde_json::to_value(name).ok(), Some(serde_json::json!("1-0:1.8.0*255")));
        assert_eq!(serde_json::from_str::<LogicalName>("\"0100010800FF\"").ok(), Some(name));
        assert!(serde_json::from_str::<LogicalName>("\"1-0:1.8\u{e9}\"").is_err());
    }
}
