//! Rust values as COSEM data, tag included, and back.

use dlms_obis::LogicalName;
use thiserror::Error;

use crate::{BufferFull, Data, Date, DateTime, Encoder, Time};

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
pub struct TypeMismatch {
    /// The type that was expected, by its standard name.
    pub expected: &'static str,
}

macro_rules! scalars {
    ($($type:ty => $tag:literal, $name:literal, $data:ident => $from:expr;)*) => {$(
        impl Encode for $type {
            #[inline]
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
                encoder.u8($tag)?;
                encoder.octets(&self.to_be_bytes())
            }
        }

        impl FromData<'_> for $type {
            fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
                integer(data).and_then(|value| value.try_into().ok()).ok_or(TypeMismatch { expected: $name })
            }
        }
    )*};
}

scalars! {
    i8 => 15, "integer", Integer => 0;
    i16 => 16, "long", Long => 0;
    i32 => 5, "double-long", DoubleLong => 0;
    i64 => 20, "long64", Long64 => 0;
    u8 => 17, "unsigned", Unsigned => 0;
    u16 => 18, "long-unsigned", LongUnsigned => 0;
    u32 => 6, "double-long-unsigned", DoubleLongUnsigned => 0;
    u64 => 21, "long64-unsigned", Long64Unsigned => 0;
}

/// The integer in `data`, whatever its width; `enum`, `bcd` and `boolean` are none.
fn integer(data: Data<'_>) -> Option<i128> {
    Some(match data {
        Data::Integer(value) => value.into(),
        Data::Long(value) => value.into(),
        Data::DoubleLong(value) => value.into(),
        Data::Long64(value) => value.into(),
        Data::Unsigned(value) => value.into(),
        Data::LongUnsigned(value) => value.into(),
        Data::DoubleLongUnsigned(value) => value.into(),
        Data::Long64Unsigned(value) => value.into(),
        _ => return None,
    })
}

impl Encode for bool {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.octets(&[3, u8::from(*self)])
    }
}

/// An octet-string.
impl Encode for [u8] {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(9)?;
        encoder.octet_string(self)
    }
}

/// An octet-string of six octets.
impl Encode for LogicalName {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.octets().encode(encoder)
    }
}

impl FromData<'_> for LogicalName {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        match data {
            Data::OctetString(octets) => octets.try_into().ok().map(LogicalName::from_octets),
            _ => None,
        }
        .ok_or(TypeMismatch { expected: "logical-name" })
    }
}

impl<'a> FromData<'a> for Data<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        Ok(data)
    }
}

impl Encode for Data<'_> {
    fn encode(&self, _encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        Err(BufferFull)
    }
}

impl Encode for Date {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.0.encode(encoder)
    }
}

impl Encode for Time {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.0.encode(encoder)
    }
}

impl Encode for DateTime {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.0.encode(encoder)
    }
}
