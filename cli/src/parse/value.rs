//! `VALUE`: Data in its JSON form, or a bare number or text where the type is known.

use dlms_axdr::{Data, Date, DateTime, OwnedBitString, OwnedData, Time};
use dlms_obis::LogicalName;

use crate::failure::{Failure, Result};
use crate::parse::{hex, time::Moment};

/// A value as it was typed.
#[derive(Clone, Debug)]
pub(crate) enum Typed {
    /// In the JSON form, which says its type.
    Data(OwnedData),
    /// As text, whose type must come from elsewhere.
    Bare(String),
}

impl Typed {
    /// # Errors
    /// A text that begins as the JSON form does and is none.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if !trimmed.starts_with('{') {
            return Ok(Self::Bare(text.to_owned()));
        }
        match serde_json::from_str(trimmed) {
            Ok(data) => Ok(Self::Data(data)),
            Err(error) => Err(Failure::usage(format!("the value is no Data: {error}"))
                .at(error.column().saturating_sub(1))
                .hint(r#"it is written as in {"double-long-unsigned": 5}"#)),
        }
    }
}

/// What `text` is as a value of the type of `example`.
///
/// # Errors
/// The text does not fit the type, or the type has no bare form.
pub(crate) fn like(text: &str, example: Data<'_>) -> Result<OwnedData> {
    let name = example.kind().name();
    let data = match example {
        Data::OctetString(octets) => Some(OwnedData::OctetString(octets_like(text, octets))),
        _ => bare(text, name),
    };
    data.ok_or_else(|| {
        Failure::usage(format!("{text:?} is no {name}"))
            .hint(format!(r#"the value can be given with its type, as in {{"{name}": …}}"#))
    })
}

/// What `text` is as a value of a type in the notation of the standard, such as `integer(0)` or `octet-string[6]`;
/// `None` if the notation names no simple type or the text does not fit.
pub(crate) fn of_type(text: &str, notation: &str) -> Option<OwnedData> {
    let end = notation.find(['(', '[', '{', '<', ':', ' ']).unwrap_or(notation.len());
    match &notation[..end] {
        "octet-string" => Some(OwnedData::OctetString(octets_like(text, &[]))),
        name => bare(text, name),
    }
}

fn bare(text: &str, kind: &str) -> Option<OwnedData> {
    let trimmed = text.trim();
    Some(match kind {
        "null-data" => matches!(trimmed, "" | "null").then_some(OwnedData::NullData)?,
        "boolean" => OwnedData::Boolean(match trimmed {
            "true" | "1" | "on" => true,
            "false" | "0" | "off" => false,
            _ => return None,
        }),
        "bit-string" => {
            let bits: Option<OwnedBitString> = trimmed
                .chars()
                .map(|character| match character {
                    '0' => Some(false),
                    '1' => Some(true),
                    _ => None,
                })
                .collect();
            OwnedData::BitString(bits?)
        }
        "double-long" => OwnedData::DoubleLong(trimmed.parse().ok()?),
        "double-long-unsigned" => OwnedData::DoubleLongUnsigned(trimmed.parse().ok()?),
        "visible-string" => OwnedData::VisibleString(text.is_ascii().then(|| text.as_bytes().to_vec())?),
        "utf8-string" => OwnedData::Utf8String(text.to_owned()),
        "bcd" => OwnedData::Bcd(trimmed.parse().ok()?),
        "integer" => OwnedData::Integer(trimmed.parse().ok()?),
        "long" => OwnedData::Long(trimmed.parse().ok()?),
        "unsigned" => OwnedData::Unsigned(trimmed.parse().ok()?),
        "long-unsigned" => OwnedData::LongUnsigned(trimmed.parse().ok()?),
        "long64" => OwnedData::Long64(trimmed.parse().ok()?),
        "long64-unsigned" => OwnedData::Long64Unsigned(trimmed.parse().ok()?),
        "enum" => OwnedData::Enum(trimmed.parse().ok()?),
        "float32" => OwnedData::Float32(trimmed.parse().ok()?),
        "float64" => OwnedData::Float64(trimmed.parse().ok()?),
        "date-time" => OwnedData::DateTime(date_time(trimmed)?),
        "date" => OwnedData::Date(trimmed.parse::<Date>().ok()?),
        "time" => OwnedData::Time(trimmed.parse::<Time>().ok()?),
        _ => return None,
    })
}

fn date_time(text: &str) -> Option<DateTime> {
    text.parse().ok().or_else(|| match text.parse().ok()? {
        Moment::Instant(instant) => Some(instant),
        _ => None,
    })
}

/// `0x…` is hexadecimal. Otherwise the present value says how text is meant: 12 octets are a date-time, 6 a logical
/// name, where the text is one; anything else is the octets of the text.
fn octets_like(text: &str, present: &[u8]) -> Vec<u8> {
    let trimmed = text.trim();
    if trimmed.starts_with("0x")
        && let Ok(octets) = hex::octets(trimmed)
    {
        return octets;
    }
    let parsed = match present.len() {
        12 => date_time(trimmed).map(|time| time.0.to_vec()),
        6 => trimmed.parse::<LogicalName>().ok().map(|name| name.octets().to_vec()),
        _ => None,
    };
    parsed.unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn json_says_its_type() {
        let Typed::Data(data) =
            Typed::parse(r#" {"structure":[{"octet-string":"0100"},{"unsigned":1}]}"#).unwrap()
        else {
            panic!("no data")
        };
        assert_eq!(data.to_octets(), [2, 2, 9, 2, 1, 0, 17, 1]);
        assert!(matches!(Typed::parse("12").unwrap(), Typed::Bare(text) if text == "12"));
        let error = Typed::parse(r#"{"unsigned":256}"#).unwrap_err();
        assert_eq!(error.exit as u8, 2);
    }

    #[test]
    fn bare_values_take_the_present_type() {
        let text = |text, example: Data<'_>| like(text, example).unwrap().to_octets();
        assert_eq!(text("12", Data::LongUnsigned(0)), [0x12, 0, 12]);
        assert_eq!(text("-2", Data::Integer(0)), [0x0F, 0xFE]);
        assert_eq!(text("true", Data::Boolean(false))[0], 3);
        assert_eq!(text("0x0102", Data::OctetString(b"")), [9, 2, 1, 2]);
        assert_eq!(text("abc", Data::OctetString(b"x")), [9, 3, 0x61, 0x62, 0x63]);
        assert_eq!(text("1-0:1.8.0*255", Data::OctetString(&[0; 6])), [9, 6, 1, 0, 1, 8, 0, 255]);
        assert_eq!(
            text("2026-01-05 13:30:00", Data::OctetString(&[0; 12]))[..9],
            [9, 12, 7, 0xEA, 1, 5, 0xFF, 13, 30]
        );
        for (wrong, example) in [("300", Data::Unsigned(0)), ("x", Data::Enum(0)), ("", Data::Long(0))] {
            assert!(like(wrong, example).is_err());
        }
    }

    #[test]
    fn types_of_the_standard() {
        assert_eq!(of_type("0", "integer(0)"), Some(OwnedData::Integer(0)));
        assert_eq!(of_type("5", "long-unsigned"), Some(OwnedData::LongUnsigned(5)));
        assert_eq!(of_type("0x01", "octet-string[6]"), Some(OwnedData::OctetString(vec![1])));
        assert_eq!(of_type("5", "@register_value"), None);
        assert_eq!(of_type("5", "structure{a: unsigned}"), None);
    }
}
