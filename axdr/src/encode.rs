//! Rust values as COSEM data, tag included, and back.
//!
//! | Rust | COSEM |
//! | --- | --- |
//! | `i8` … `i64`, `u8` … `u64` | integer, long, double-long, long64, unsigned … long64-unsigned |
//! | `bool`, `f32`, `f64` | boolean, float32, float64 |
//! | `[u8]`, `[u8; N]`, [`LogicalName`], [`DateTime`], [`Date`], [`Time`] | octet-string |
//! | [`VisibleString`], `str`, [`BitString`], [`Enum`] | visible-string, utf8-string, bit-string, enum |
//! | `Option` | null-data, or the value |
//! | tuples | structure |
//! | [`Array`] | array |
//! | [`Data`] | itself; `Data::DateTime(..)` writes the tag 25 |

use dlms_obis::LogicalName;
use thiserror::Error;

use crate::{
    BitString, BufferFull, CompactArray, Data, DataKind, Date, DateTime, Encoder, Expected, Sequence, Time,
};

/// A value that is written as COSEM data: its tag, then its content.
pub trait Encode {
    /// Writes the value.
    ///
    /// # Errors
    /// The buffer has no room left.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull>;
}

/// A value that can be taken from COSEM data. An integer of another width than declared is accepted if the value fits;
/// dates and times are accepted as octet-string and under their own tags.
pub trait FromData<'a>: Sized {
    /// The value of `data`.
    ///
    /// # Errors
    /// `data` has another type, or a value that the target cannot hold.
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch>;
}

/// COSEM data of another type than was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a {expected}")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TypeMismatch {
    /// The type that was expected, by its standard name.
    pub expected: Expected,
}

impl TypeMismatch {
    /// Data of another type than this one.
    #[inline]
    pub const fn new(expected: &'static str) -> Self {
        Self { expected: Expected::new(expected) }
    }
}

/// An `enum`: a number out of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Enum(pub u8);

/// A `visible-string`: ASCII by the standard, but meters send other octets too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisibleString<'a>(pub &'a [u8]);

/// An `array` of values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<'a, T>(pub &'a [T]);

impl Encoder<'_> {
    /// Writes null-data.
    #[inline]
    pub fn null(&mut self) -> Result<(), BufferFull> {
        self.u8(DataKind::NullData.tag())
    }

    /// Writes the head of an array; its `count` elements follow.
    #[inline]
    pub fn array(&mut self, count: usize) -> Result<(), BufferFull> {
        self.head(DataKind::Array, count)
    }

    /// Writes the head of a structure; its `count` elements follow.
    #[inline]
    pub fn structure(&mut self, count: usize) -> Result<(), BufferFull> {
        self.head(DataKind::Structure, count)
    }

    #[inline]
    fn head(&mut self, kind: DataKind, count: usize) -> Result<(), BufferFull> {
        if count < 0x80 {
            return self.parts([kind.tag()], [count as u8]);
        }
        self.u8(kind.tag())?;
        self.length(count)
    }

    /// Writes a value with its tag.
    #[inline]
    pub fn data(&mut self, value: &(impl Encode + ?Sized)) -> Result<(), BufferFull> {
        value.encode(self)
    }
}

/// Writes a tag and content of fixed size at once.
#[inline]
fn fixed<const N: usize>(
    encoder: &mut Encoder<'_>,
    kind: DataKind,
    content: [u8; N],
) -> Result<(), BufferFull> {
    encoder.parts([kind.tag()], content)
}

/// Writes an octet-string of a few octets at once.
#[inline]
fn short_string<const N: usize>(encoder: &mut Encoder<'_>, content: &[u8; N]) -> Result<(), BufferFull> {
    encoder.parts([DataKind::OctetString.tag(), N as u8], *content)
}

fn string(encoder: &mut Encoder<'_>, kind: DataKind, octets: &[u8]) -> Result<(), BufferFull> {
    encoder.u8(kind.tag())?;
    encoder.octet_string(octets)
}

macro_rules! numbers {
    ($($type:ty => $kind:ident, |$data:ident| $from:expr;)*) => {$(
        impl Encode for $type {
            #[inline]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
                fixed(encoder, DataKind::$kind, self.to_be_bytes())
            }
        }

        impl FromData<'_> for $type {
            fn from_data($data: Data<'_>) -> Result<Self, TypeMismatch> {
                $from.ok_or(TypeMismatch::new(DataKind::$kind.name()))
            }
        }
    )*};
}

numbers! {
    i8 => Integer, |data| fitting(data);
    i16 => Long, |data| fitting(data);
    i32 => DoubleLong, |data| fitting(data);
    i64 => Long64, |data| fitting(data);
    u8 => Unsigned, |data| fitting(data);
    u16 => LongUnsigned, |data| fitting(data);
    u32 => DoubleLongUnsigned, |data| fitting(data);
    u64 => Long64Unsigned, |data| match data {
        Data::Long64Unsigned(value) => Some(value),
        _ => fitting(data),
    };
    f32 => Float32, |data| match data { Data::Float32(value) => Some(value), _ => None };
    f64 => Float64, |data| match data {
        Data::Float32(value) => Some(value.into()),
        Data::Float64(value) => Some(value),
        _ => None,
    };
}

fn fitting<T: TryFrom<i64>>(data: Data<'_>) -> Option<T> {
    data.long64().and_then(|value| value.try_into().ok())
}

impl Encode for Data<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let kind = self.kind();
        match *self {
            Data::NullData | Data::DontCare => encoder.u8(kind.tag()),
            Data::Array(elements) | Data::Structure(elements) => {
                encoder.u8(kind.tag())?;
                encoder.length(elements.len())?;
                elements.encode_elements(encoder)
            }
            Data::Boolean(value) => value.encode(encoder),
            Data::BitString(value) => value.encode(encoder),
            Data::OctetString(octets) | Data::VisibleString(octets) => string(encoder, kind, octets),
            Data::Utf8String(text) => string(encoder, kind, text.as_bytes()),
            Data::CompactArray(array) => array.encode(encoder),
            Data::Unsigned(value) | Data::Bcd(value) | Data::Enum(value) | Data::DeltaUnsigned(value) => {
                fixed(encoder, kind, [value])
            }
            Data::Integer(value) | Data::DeltaInteger(value) => fixed(encoder, kind, value.to_be_bytes()),
            Data::Long(value) | Data::DeltaLong(value) => fixed(encoder, kind, value.to_be_bytes()),
            Data::LongUnsigned(value) | Data::DeltaLongUnsigned(value) => {
                fixed(encoder, kind, value.to_be_bytes())
            }
            Data::DoubleLong(value) | Data::DeltaDoubleLong(value) => {
                fixed(encoder, kind, value.to_be_bytes())
            }
            Data::DoubleLongUnsigned(value) | Data::DeltaDoubleLongUnsigned(value) => {
                fixed(encoder, kind, value.to_be_bytes())
            }
            Data::Long64(value) => value.encode(encoder),
            Data::Long64Unsigned(value) => value.encode(encoder),
            Data::Float32(value) => value.encode(encoder),
            Data::Float64(value) => value.encode(encoder),
            Data::DateTime(DateTime(octets)) => fixed(encoder, kind, octets),
            Data::Date(Date(octets)) => fixed(encoder, kind, octets),
            Data::Time(Time(octets)) => fixed(encoder, kind, octets),
        }
    }
}

impl<'a> FromData<'a> for Data<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        Ok(data)
    }
}

impl Sequence<'_> {
    /// Writes the elements, each with its tag.
    fn encode_elements(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match self.octets() {
            Some(octets) => encoder.octets(octets),
            None => self.iter().try_for_each(|element| element.encode(encoder)),
        }
    }
}

impl Encode for CompactArray<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(DataKind::CompactArray.tag())?;
        encoder.octets(self.description())?;
        encoder.octet_string(self.contents())
    }
}

impl<'a> FromData<'a> for CompactArray<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        match data {
            Data::CompactArray(array) => Ok(array),
            _ => Err(TypeMismatch::new("compact-array")),
        }
    }
}

/// The elements of an array, a structure or a compact-array.
impl<'a> FromData<'a> for Sequence<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        data.elements().ok_or(TypeMismatch::new("array"))
    }
}

impl Encode for bool {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        fixed(encoder, DataKind::Boolean, [u8::from(*self)])
    }
}

impl FromData<'_> for bool {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        match data {
            Data::Boolean(value) => Ok(value),
            _ => Err(TypeMismatch::new("boolean")),
        }
    }
}

/// An octet-string.
impl Encode for [u8] {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        string(encoder, DataKind::OctetString, self)
    }
}

impl<'a> FromData<'a> for &'a [u8] {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        data.as_octets().ok_or(TypeMismatch::new("octet-string"))
    }
}

/// An octet-string.
impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.as_slice().encode(encoder)
    }
}

impl<const N: usize> FromData<'_> for [u8; N] {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        data.as_octets()
            .and_then(|octets| octets.try_into().ok())
            .ok_or(TypeMismatch::new("octet-string of this length"))
    }
}

/// A utf8-string.
impl Encode for str {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        string(encoder, DataKind::Utf8String, self.as_bytes())
    }
}

/// The text of a utf8-string or a visible-string.
impl<'a> FromData<'a> for &'a str {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        data.as_str().ok_or(TypeMismatch::new("utf8-string"))
    }
}

impl Encode for VisibleString<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        string(encoder, DataKind::VisibleString, self.0)
    }
}

impl<'a> FromData<'a> for VisibleString<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        match data {
            Data::VisibleString(octets) => Ok(Self(octets)),
            Data::Utf8String(text) => Ok(Self(text.as_bytes())),
            _ => Err(TypeMismatch::new("visible-string")),
        }
    }
}

impl Encode for BitString<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(DataKind::BitString.tag())?;
        encoder.length(self.len())?;
        let Some((last, whole)) = self.octets().split_last() else { return Ok(()) };
        encoder.octets(whole)?;
        encoder.u8(last & 0xFF << ((8 - self.len() % 8) % 8))
    }
}

impl<'a> FromData<'a> for BitString<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        match data {
            Data::BitString(bits) => Ok(bits),
            _ => Err(TypeMismatch::new("bit-string")),
        }
    }
}

impl Encode for Enum {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        fixed(encoder, DataKind::Enum, [self.0])
    }
}

impl FromData<'_> for Enum {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        match data {
            Data::Enum(value) => Ok(Self(value)),
            _ => Err(TypeMismatch::new("enum")),
        }
    }
}

/// An octet-string of six octets.
impl Encode for LogicalName {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        short_string(encoder, self.octets())
    }
}

impl FromData<'_> for LogicalName {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        <[u8; 6]>::from_data(data)
            .map(LogicalName::from_octets)
            .map_err(|_| TypeMismatch::new("logical-name"))
    }
}

macro_rules! dates {
    ($($type:ident),*) => {$(
        /// An octet-string; [`Data`] writes it under its own tag.
        impl Encode for $type {
            #[inline]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
                short_string(encoder, &self.0)
            }
        }

        impl FromData<'_> for $type {
            fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
                match data {
                    Data::$type(value) => Ok(value),
                    _ => data
                        .as_octets()
                        .and_then(|octets| octets.try_into().ok())
                        .map(Self)
                        .ok_or(TypeMismatch::new(DataKind::$type.name())),
                }
            }
        }
    )*};
}

dates!(DateTime, Date, Time);

/// null-data for `None`.
impl<T: Encode> Encode for Option<T> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match self {
            Some(value) => value.encode(encoder),
            None => encoder.null(),
        }
    }
}

impl<'a, T: FromData<'a>> FromData<'a> for Option<T> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        if data.is_null() { Ok(None) } else { T::from_data(data).map(Some) }
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (**self).encode(encoder)
    }
}

impl<T: Encode> Encode for Array<'_, T> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.array(self.0.len())?;
        self.0.iter().try_for_each(|element| element.encode(encoder))
    }
}

macro_rules! structures {
    ($($count:literal: $($field:ident)*;)*) => {$(
        /// A structure.
        impl<$($field: Encode),*> Encode for ($($field,)*) {
            #[allow(non_snake_case)]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
                let ($($field,)*) = self;
                encoder.structure($count)?;
                $($field.encode(encoder)?;)*
                Ok(())
            }
        }

        /// A structure of just so many elements.
        impl<'a, $($field: FromData<'a>),*> FromData<'a> for ($($field,)*) {
            fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
                const MISMATCH: TypeMismatch = TypeMismatch::new(concat!("structure of ", $count));
                let Data::Structure(elements) = data else { return Err(MISMATCH) };
                if elements.len() != $count {
                    return Err(MISMATCH);
                }
                let mut elements = elements.iter();
                Ok(($(elements.next_value::<$field>(MISMATCH)?,)*))
            }
        }
    )*};
}

structures! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn encoded(value: &(impl Encode + ?Sized)) -> Vec<u8> {
        let mut buffer = [0; 100];
        let mut encoder = Encoder::new(&mut buffer);
        value.encode(&mut encoder).unwrap();
        encoder.written().to_vec()
    }

    #[test]
    fn rust_values() {
        assert_eq!(encoded(&-2i8), [15, 0xFE]);
        assert_eq!(encoded(&-2i16), [16, 0xFF, 0xFE]);
        assert_eq!(encoded(&-2i32), [5, 0xFF, 0xFF, 0xFF, 0xFE]);
        assert_eq!(encoded(&-2i64), [20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]);
        assert_eq!(encoded(&100f32), [23, 0x42, 0xC8, 0, 0]);
        assert_eq!(encoded("äö"), [12, 4, 0xC3, 0xA4, 0xC3, 0xB6]);
        assert_eq!(encoded(b"ABC".as_slice()), [9, 3, 0x41, 0x42, 0x43]);
        assert_eq!(encoded(&None::<u8>), [0]);
        assert_eq!(encoded(&(Enum(30), VisibleString(b"0"))), [2, 2, 22, 30, 10, 1, 0x30]);
        assert_eq!(encoded(&Array(&[1u8, 2])), [1, 2, 17, 1, 17, 2]);
        assert_eq!(encoded(&BitString::new(11, &[0xA5, 0x5F])), [4, 11, 0xA5, 0x40]);
    }

    #[test]
    fn widths_are_taken_as_they_come() {
        assert_eq!(u32::from_data(Data::Unsigned(5)), Ok(5));
        assert_eq!(i8::from_data(Data::DoubleLongUnsigned(127)), Ok(127));
        assert_eq!(i8::from_data(Data::DoubleLongUnsigned(128)), Err(TypeMismatch::new("integer")));
        assert_eq!(u8::from_data(Data::Enum(1)), Err(TypeMismatch::new("unsigned")));
        assert_eq!(Option::<u8>::from_data(Data::NullData), Ok(None));
    }

    #[test]
    fn dates_come_in_both_forms() {
        let octets = [7, 0xE6, 12, 31, 6];
        assert_eq!(Date::from_data(Data::OctetString(&octets)), Ok(Date(octets)));
        assert_eq!(Date::from_data(Data::Date(Date(octets))), Ok(Date(octets)));
        assert_eq!(Time::from_data(Data::OctetString(&octets)), Err(TypeMismatch::new("time")));
        assert_eq!(encoded(&Date(octets))[..2], [9, 5]);
        assert_eq!(encoded(&Data::Date(Date(octets)))[..2], [26, 7]);
    }

    #[test]
    fn structures_are_tuples() {
        let octets = encoded(&(3u16, LogicalName::new(1, 0, 1, 8, 0, 255), 2i8));
        let data = Data::from_octets(&octets).unwrap();
        assert_eq!(
            <(u16, LogicalName, i8)>::from_data(data),
            Ok((3, LogicalName::new(1, 0, 1, 8, 0, 255), 2))
        );
        assert!(<(u16, LogicalName)>::from_data(data).is_err());
    }
}
