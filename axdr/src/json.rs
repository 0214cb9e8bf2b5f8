//! `Data` for serde, in the form that the `dlms` command prints and reads.
//!
//! A value is an object with one key, the ASN.1 name of its type:
//!
//! | type | value |
//! | --- | --- |
//! | `null-data`, `dont-care` | null |
//! | `boolean` | true, false |
//! | integers, `enum`, `bcd`, the delta types | a decimal number |
//! | `octet-string`, `date-time`, `date`, `time`, `float32`, `float64` | the octets in hexadecimal |
//! | `bit-string` | text of 0 and 1 |
//! | `visible-string`, `utf8-string` | text; a visible-string that is no UTF-8 is `{"hex": …}` |
//! | `array`, `structure`, `compact-array` | a list of values |
//!
//! What is read may also have numbers as text, floats as numbers, and white space between hexadecimal digits. The type
//! description of a compact-array is that of its elements.

use alloc::{string::String, vec::Vec};
use core::{fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};

use crate::{
    Data, DataKind, Date, DateTime, MAX_DEPTH, OwnedBitString, OwnedCompactArray, OwnedData, Sequence, Time,
    display::Hex,
};

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.kind().name();
        let mut map = serializer.serialize_map(Some(1))?;
        match *self {
            Data::NullData | Data::DontCare => map.serialize_entry(name, &()),
            Data::Array(elements) | Data::Structure(elements) => map.serialize_entry(name, &elements),
            Data::CompactArray(array) => map.serialize_entry(name, &array.elements()),
            Data::Boolean(value) => map.serialize_entry(name, &value),
            Data::BitString(bits) => map.serialize_entry(name, &Text(bits)),
            Data::OctetString(octets) => map.serialize_entry(name, &Text(Hex(octets))),
            Data::VisibleString(octets) => match core::str::from_utf8(octets) {
                Ok(text) => map.serialize_entry(name, text),
                Err(_) => map.serialize_entry(name, &HexObject { hex: Text(Hex(octets)) }),
            },
            Data::Utf8String(text) => map.serialize_entry(name, text),
            Data::Bcd(value) | Data::Unsigned(value) | Data::Enum(value) | Data::DeltaUnsigned(value) => {
                map.serialize_entry(name, &value)
            }
            Data::Integer(value) | Data::DeltaInteger(value) => map.serialize_entry(name, &value),
            Data::Long(value) | Data::DeltaLong(value) => map.serialize_entry(name, &value),
            Data::LongUnsigned(value) | Data::DeltaLongUnsigned(value) => map.serialize_entry(name, &value),
            Data::DoubleLong(value) | Data::DeltaDoubleLong(value) => map.serialize_entry(name, &value),
            Data::DoubleLongUnsigned(value) | Data::DeltaDoubleLongUnsigned(value) => {
                map.serialize_entry(name, &value)
            }
            Data::Long64(value) => map.serialize_entry(name, &value),
            Data::Long64Unsigned(value) => map.serialize_entry(name, &value),
            Data::Float32(value) => map.serialize_entry(name, &Text(Hex(&value.to_be_bytes()))),
            Data::Float64(value) => map.serialize_entry(name, &Text(Hex(&value.to_be_bytes()))),
            Data::DateTime(value) => map.serialize_entry(name, &value),
            Data::Date(value) => map.serialize_entry(name, &value),
            Data::Time(value) => map.serialize_entry(name, &value),
        }?;
        map.end()
    }
}

impl Serialize for OwnedData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_data().serialize(serializer)
    }
}

impl Serialize for Sequence<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for OwnedData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value { depth: MAX_DEPTH }.deserialize(deserializer)
    }
}

macro_rules! dates {
    ($($type:ident, $expected:literal;)*) => {$(
        /// The octets in hexadecimal.
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&Hex(&self.0))
            }
        }

        /// The octets in hexadecimal, or readable text.
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed::new($expected, |text| {
                    match octets(text).and_then(|octets| octets.try_into().ok()) {
                        Some(octets) => Some(Self(octets)),
                        None => text.parse().ok(),
                    }
                }))
            }
        }
    )*};
}

dates! {
    DateTime, "a date-time in hexadecimal";
    Date, "a date in hexadecimal";
    Time, "a time in hexadecimal";
}

/// What `Display` writes, as text.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
struct HexObject<T> {
    hex: T,
}

/// A value, with at most `depth` levels of others inside.
struct Value {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = OwnedData;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<OwnedData, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = OwnedData;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one key, the type of the value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OwnedData, A::Error> {
        let Some(kind) = map.next_key_seed(Parsed::new("the name of a type", kind))? else {
            return Err(de::Error::custom("no type"));
        };
        let elements = Elements { depth: self.depth };
        let data = match kind {
            DataKind::NullData => map.next_value::<()>().map(|()| OwnedData::NullData),
            DataKind::DontCare => map.next_value::<()>().map(|()| OwnedData::DontCare),
            DataKind::Array => map.next_value_seed(elements).map(OwnedData::Array),
            DataKind::Structure => map.next_value_seed(elements).map(OwnedData::Structure),
            DataKind::CompactArray => OwnedCompactArray::from_elements(&map.next_value_seed(elements)?)
                .map(OwnedData::CompactArray)
                .ok_or_else(|| {
                    de::Error::custom("the elements do not share a type that a compact-array can have")
                }),
            DataKind::Boolean => map.next_value().map(OwnedData::Boolean),
            DataKind::BitString => {
                map.next_value_seed(Parsed::new("text of 0 and 1", bits)).map(OwnedData::BitString)
            }
            DataKind::OctetString => {
                map.next_value_seed(Parsed::new("hexadecimal digits", octets)).map(OwnedData::OctetString)
            }
            DataKind::VisibleString => map.next_value_seed(VisibleText).map(OwnedData::VisibleString),
            DataKind::Utf8String => map.next_value().map(OwnedData::Utf8String),
            DataKind::Bcd => map.next_value_seed(Number::new()).map(OwnedData::Bcd),
            DataKind::Integer => map.next_value_seed(Number::new()).map(OwnedData::Integer),
            DataKind::Long => map.next_value_seed(Number::new()).map(OwnedData::Long),
            DataKind::DoubleLong => map.next_value_seed(Number::new()).map(OwnedData::DoubleLong),
            DataKind::Long64 => map.next_value_seed(Number::new()).map(OwnedData::Long64),
            DataKind::Unsigned => map.next_value_seed(Number::new()).map(OwnedData::Unsigned),
            DataKind::LongUnsigned => map.next_value_seed(Number::new()).map(OwnedData::LongUnsigned),
            DataKind::DoubleLongUnsigned => {
                map.next_value_seed(Number::new()).map(OwnedData::DoubleLongUnsigned)
            }
            DataKind::Long64Unsigned => map.next_value_seed(Number::new()).map(OwnedData::Long64Unsigned),
            DataKind::Enum => map.next_value_seed(Number::new()).map(OwnedData::Enum),
            DataKind::Float32 => map.next_value_seed(Float).and_then(|float| {
                let value = match float {
                    FloatValue::Octets(octets) => octets.try_into().ok().map(f32::from_be_bytes),
                    FloatValue::Number(value) => Some(value as f32),
                };
                value.map(OwnedData::Float32).ok_or_else(|| de::Error::custom("a float32 has 4 octets"))
            }),
            DataKind::Float64 => map.next_value_seed(Float).and_then(|float| {
                let value = match float {
                    FloatValue::Octets(octets) => octets.try_into().ok().map(f64::from_be_bytes),
                    FloatValue::Number(value) => Some(value),
                };
                value.map(OwnedData::Float64).ok_or_else(|| de::Error::custom("a float64 has 8 octets"))
            }),
            DataKind::DateTime => map.next_value().map(OwnedData::DateTime),
            DataKind::Date => map.next_value().map(OwnedData::Date),
            DataKind::Time => map.next_value().map(OwnedData::Time),
            DataKind::DeltaInteger => map.next_value_seed(Number::new()).map(OwnedData::DeltaInteger),
            DataKind::DeltaLong => map.next_value_seed(Number::new()).map(OwnedData::DeltaLong),
            DataKind::DeltaDoubleLong => map.next_value_seed(Number::new()).map(OwnedData::DeltaDoubleLong),
            DataKind::DeltaUnsigned => map.next_value_seed(Number::new()).map(OwnedData::DeltaUnsigned),
            DataKind::DeltaLongUnsigned => {
                map.next_value_seed(Number::new()).map(OwnedData::DeltaLongUnsigned)
            }
            DataKind::DeltaDoubleLongUnsigned => {
                map.next_value_seed(Number::new()).map(OwnedData::DeltaDoubleLongUnsigned)
            }
        }?;
        match map.next_key::<de::IgnoredAny>()? {
            None => Ok(data),
            Some(_) => Err(de::Error::custom("more than one type")),
        }
    }
}

/// A list of values that may hold `depth - 1` levels of others.
struct Elements {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Elements {
    type Value = Vec<OwnedData>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<OwnedData>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| de::Error::custom("nested too deep"))?;
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(Value { depth })? {
            elements.push(element);
        }
        Ok(elements)
    }
}

/// Text that `parse` understands.
struct Parsed<T> {
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Parsed<T> {
    const fn new(expected: &'static str, parse: fn(&str) -> Option<T>) -> Self {
        Self { expected, parse }
    }
}

impl<'de, T> DeserializeSeed<'de> for Parsed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// An integer, as a number or as text.
struct Number<T>(PhantomData<T>);

impl<T> Number<T> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: TryFrom<i128>> DeserializeSeed<'de> for Number<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: TryFrom<i128>> Visitor<'_> for Number<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer that fits the type")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        i128::from(value).try_into().map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        i128::from(value).try_into().map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        let value = i128::from_str(text).ok().and_then(|value| value.try_into().ok());
        value.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A floating-point number, as its octets or as a number.
struct Float;

enum FloatValue {
    Octets(Vec<u8>),
    Number(f64),
}

impl<'de> DeserializeSeed<'de> for Float {
    type Value = FloatValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FloatValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Float {
    type Value = FloatValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hexadecimal digits, or a number")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<FloatValue, E> {
        Ok(FloatValue::Number(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<FloatValue, E> {
        Ok(FloatValue::Number(value as f64))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<FloatValue, E> {
        Ok(FloatValue::Number(value as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FloatValue, E> {
        octets(text).map(FloatValue::Octets).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// The octets of a visible-string: text, or an object with the octets.
struct VisibleText;

impl<'de> DeserializeSeed<'de> for VisibleText {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for VisibleText {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or an object with the key `hex`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<u8>, A::Error> {
        match map.next_key::<String>()? {
            Some(key) if key == "hex" => map.next_value_seed(Parsed::new("hexadecimal digits", octets)),
            _ => Err(de::Error::custom("the key `hex` expected")),
        }
    }
}

fn kind(name: &str) -> Option<DataKind> {
    (0..=u8::MAX).filter_map(DataKind::from_tag).find(|kind| kind.name() == name)
}

fn bits(text: &str) -> Option<OwnedBitString> {
    text.bytes()
        .map(|octet| match octet {
            b'0' => Some(false),
            b'1' => Some(true),
            _ => None,
        })
        .collect()
}

fn octets(text: &str) -> Option<Vec<u8>> {
    let mut digits = text.chars().filter(|character| !character.is_whitespace());
    let mut octets = Vec::with_capacity(text.len() / 2);
    while let Some(high) = digits.next() {
        let (high, low) = (high.to_digit(16)?, digits.next()?.to_digit(16)?);
        octets.push((high << 4 | low) as u8);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn both_ways(encoded: &[u8], json: &str) {
        let data = Data::from_octets(encoded).unwrap();
        assert_eq!(serde_json::to_string(&data).unwrap(), json);
        let owned: OwnedData = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&owned).unwrap(), json);
        assert_eq!(owned.to_octets(), encoded);
    }

    #[test]
    fn the_forms_of_the_command() {
        both_ways(
            &[2, 2, 9, 6, 1, 0, 1, 8, 0, 255, 6, 0, 0, 0x30, 0x39],
            r#"{"structure":[{"octet-string":"0100010800ff"},{"double-long-unsigned":12345}]}"#,
        );
        both_ways(&[0], r#"{"null-data":null}"#);
        both_ways(&[255], r#"{"dont-care":null}"#);
        both_ways(&[3, 1], r#"{"boolean":true}"#);
        both_ways(&[4, 3, 0xA0], r#"{"bit-string":"101"}"#);
        both_ways(&[1, 1, 0x0D, 0x45], r#"{"array":[{"bcd":69}]}"#);
        both_ways(
            &[21, 255, 255, 255, 255, 255, 255, 255, 254],
            r#"{"long64-unsigned":18446744073709551614}"#,
        );
        both_ways(&[20, 128, 0, 0, 0, 0, 0, 0, 0], r#"{"long64":-9223372036854775808}"#);
        both_ways(&[23, 0x42, 0xC8, 0, 0], r#"{"float32":"42c80000"}"#);
        both_ways(&[27, 23, 59, 59, 99], r#"{"time":"173b3b63"}"#);
        both_ways(&[10, 2, 0x22, 0x41], r#"{"visible-string":"\"A"}"#);
        both_ways(&[10, 1, 0xE9], r#"{"visible-string":{"hex":"e9"}}"#);
        both_ways(&[12, 2, 0xC3, 0xA4], r#"{"utf8-string":"ä"}"#);
        both_ways(&[28, 0xFE], r#"{"delta-integer":-2}"#);
        both_ways(
            &[0x13, 2, 2, 0x12, 6, 6, 0, 1, 0, 0, 0, 100],
            r#"{"compact-array":[{"structure":[{"long-unsigned":1},{"double-long-unsigned":100}]}]}"#,
        );
    }

    #[test]
    fn what_may_be_read_besides() {
        let read = |json: &str| serde_json::from_str::<OwnedData>(json).ok();
        assert_eq!(read(r#"{"unsigned":"5"}"#), Some(OwnedData::Unsigned(5)));
        assert_eq!(read(r#"{"float64":0.5}"#), Some(OwnedData::Float64(0.5)));
        assert_eq!(read(r#"{"octet-string":"0A 0b"}"#), Some(OwnedData::OctetString(vec![10, 11])));
        assert_eq!(read(r#"{"time":"12:30"}"#), Some(OwnedData::Time(Time([12, 30, 0, 255]))));
        for wrong in [
            "{}",
            "5",
            r#"{"unsigned":256}"#,
            r#"{"number":1}"#,
            r#"{"octet-string":"abc"}"#,
            r#"{"bit-string":"012"}"#,
            r#"{"unsigned":1,"long":1}"#,
            r#"{"compact-array":[{"unsigned":1},{"long":1}]}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let nested =
            |depth| format!("{}{}{}", r#"{"array":["#.repeat(depth), r#"{"unsigned":1}"#, "]}".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_some());
        assert!(read(&nested(MAX_DEPTH + 1)).is_none());
    }

    proptest! {
        #[test]
        fn whatever_decodes_survives(octets in proptest::collection::vec(prop_oneof![0u8..35, any::<u8>()], 0..60)) {
            if let Ok(data) = Data::from_octets(&octets) {
                let json = serde_json::to_string(&data).unwrap();
                let owned: OwnedData = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(serde_json::to_string(&owned).unwrap(), json);
            }
        }
    }
}
