//! `Data` for people: numbers as such, octets in hexadecimal, `[arrays]` and `{structures}`.

use core::fmt::{self, Write};

use crate::{Data, Sequence};

/// Octets in hexadecimal, without separators.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Nesting ends at [`MAX_DEPTH`](crate::MAX_DEPTH) in what was decoded.
impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Data::NullData => f.write_str("null"),
            Data::DontCare => f.write_str("don't care"),
            Data::Array(elements) => list(f, ('[', ']'), elements),
            Data::CompactArray(array) => list(f, ('[', ']'), array.elements()),
            Data::Structure(elements) => list(f, ('{', '}'), elements),
            Data::Boolean(value) => write!(f, "{value}"),
            Data::BitString(bits) => write!(f, "0b{bits}"),
            Data::OctetString(octets) => write!(f, "0x{}", Hex(octets)),
            Data::VisibleString(octets) => match core::str::from_utf8(octets) {
                Ok(text) => write!(f, "{text:?}"),
                Err(_) => write!(f, "0x{}", Hex(octets)),
            },
            Data::Utf8String(text) => write!(f, "{text:?}"),
            Data::Bcd(octet) => write!(f, "bcd {octet:02x}"),
            Data::Enum(value) => write!(f, "enum {value}"),
            Data::Integer(value) => write!(f, "{value}"),
            Data::Long(value) => write!(f, "{value}"),
            Data::DoubleLong(value) => write!(f, "{value}"),
            Data::Long64(value) => write!(f, "{value}"),
            Data::Unsigned(value) => write!(f, "{value}"),
            Data::LongUnsigned(value) => write!(f, "{value}"),
            Data::DoubleLongUnsigned(value) => write!(f, "{value}"),
            Data::Long64Unsigned(value) => write!(f, "{value}"),
            Data::Float32(value) => write!(f, "{value}"),
            Data::Float64(value) => write!(f, "{value}"),
            Data::DateTime(value) => write!(f, "{value}"),
            Data::Date(value) => write!(f, "{value}"),
            Data::Time(value) => write!(f, "{value}"),
            Data::DeltaInteger(value) => write!(f, "delta {value:+}"),
            Data::DeltaLong(value) => write!(f, "delta {value:+}"),
            Data::DeltaDoubleLong(value) => write!(f, "delta {value:+}"),
            Data::DeltaUnsigned(value) => write!(f, "delta {value:+}"),
            Data::DeltaLongUnsigned(value) => write!(f, "delta {value:+}"),
            Data::DeltaDoubleLongUnsigned(value) => write!(f, "delta {value:+}"),
        }
    }
}

#[cfg(feature = "alloc")]
impl fmt::Display for crate::OwnedData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_data().fmt(f)
    }
}

fn list(f: &mut fmt::Formatter<'_>, (open, close): (char, char), elements: Sequence<'_>) -> fmt::Result {
    f.write_char(open)?;
    let mut is_first = true;
    for element in elements.iter() {
        if !core::mem::replace(&mut is_first, false) {
            f.write_str(", ")?;
        }
        fmt::Display::fmt(&element, f)?;
    }
    f.write_char(close)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn readable() {
        let octets =
            [2, 5, 1, 2, 17, 1, 15, 0xFE, 9, 2, 1, 0xFF, 10, 2, 0x22, 0x41, 4, 3, 0xA0, 27, 23, 59, 59, 0xFF];
        let data = Data::from_octets(&octets).unwrap();
        assert_eq!(data.to_string(), r#"{[1, -2], 0x01ff, "\"A", 0b101, 23:59:59}"#);
    }
}
