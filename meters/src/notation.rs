//! The notation of values in model files: `["long-unsigned", 230]`, `["dt", "2026-01-15/4 10:00:00.00 -120 0x00"]`.

use dlms_axdr::{ClockStatus, Data, Date, DateTime, DayOfMonth, FromData, Month, OwnedData, Time};
use dlms_obis::LogicalName;
use toml::Value;

use crate::ModelError;

/// The value of a notation.
pub(crate) fn parse(value: &Value) -> Result<OwnedData, ModelError> {
    let wrong = || ModelError::Value(value.to_string());
    let parts = value.as_array().ok_or_else(wrong)?;
    let (kind, arguments) = parts.split_first().ok_or_else(wrong)?;
    let kind = kind.as_str().ok_or_else(wrong)?;
    let elements = || arguments.iter().map(parse).collect::<Result<Vec<_>, _>>();
    let argument = arguments.first();
    let text = || argument.and_then(Value::as_str).ok_or_else(wrong);
    let number = || argument.and_then(Value::as_integer).ok_or_else(wrong);
    macro_rules! integer {
        ($variant:ident) => {
            OwnedData::$variant(number()?.try_into().map_err(|_| wrong())?)
        };
    }
    Ok(match kind {
        "null-data" => OwnedData::NullData,
        "array" => OwnedData::Array(elements()?),
        "structure" => OwnedData::Structure(elements()?),
        "boolean" => OwnedData::Boolean(argument.and_then(Value::as_bool).ok_or_else(wrong)?),
        "bit-string" => bits(text()?).ok_or_else(wrong)?,
        "double-long" => integer!(DoubleLong),
        "double-long-unsigned" => integer!(DoubleLongUnsigned),
        "octet-string" => OwnedData::OctetString(hex(text()?).ok_or_else(wrong)?),
        "ascii" => OwnedData::OctetString(text()?.as_bytes().to_vec()),
        "ln" => OwnedData::OctetString(logical_name(text()?)?.octets().to_vec()),
        "dt" => OwnedData::OctetString(date_time(text()?).ok_or_else(wrong)?.0.to_vec()),
        "date" => OwnedData::OctetString(date(text()?).ok_or_else(wrong)?.0.to_vec()),
        "time" => OwnedData::OctetString(time(text()?).ok_or_else(wrong)?.0.to_vec()),
        "date-time" => OwnedData::DateTime(date_time(text()?).ok_or_else(wrong)?),
        "visible-string" => OwnedData::VisibleString(text()?.as_bytes().to_vec()),
        "integer" => integer!(Integer),
        "long" => integer!(Long),
        "unsigned" => integer!(Unsigned),
        "long-unsigned" => integer!(LongUnsigned),
        "long64" => integer!(Long64),
        "long64-unsigned" => integer!(Long64Unsigned),
        "enum" => integer!(Enum),
        _ => return Err(wrong()),
    })
}

/// The value of a notation as a Rust type.
pub(crate) fn parse_as<T: for<'a> FromData<'a>>(value: &Value) -> Result<T, ModelError> {
    T::from_data(parse(value)?.as_data()).map_err(|_| ModelError::Value(value.to_string()))
}

/// A logical name in the form `1-0:1.8.0.255`.
pub(crate) fn logical_name(text: &str) -> Result<LogicalName, ModelError> {
    let groups = text.split(['-', ':', '.']).map(str::parse).collect::<Result<Vec<u8>, _>>();
    let octets = groups.ok().and_then(|groups| <[u8; 6]>::try_from(groups).ok());
    octets.map(LogicalName::from_octets).ok_or_else(|| ModelError::Value(text.to_owned()))
}

/// Hexadecimal digits.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// `octets` as hexadecimal digits.
pub(crate) fn to_hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn bits(text: &str) -> Option<OwnedData> {
    let mut octets = vec![0; text.len().div_ceil(8)];
    for (place, bit) in text.chars().enumerate() {
        match bit {
            '1' => octets[place / 8] |= 0x80 >> (place % 8),
            '0' => {}
            _ => return None,
        }
    }
    dlms_axdr::BitString::new(text.len(), &octets).map(|bits| Data::BitString(bits).into())
}

/// `YYYY-MM-DD/W`, where `*` is open, day L the last and L2 the second last.
fn date(text: &str) -> Option<Date> {
    let (date, weekday) = text.split_once('/')?;
    let mut fields = date.split('-');
    let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
    let month = match month {
        "*" => Month::NotSpecified,
        "DB" => Month::DaylightSavingsBegin,
        "DE" => Month::DaylightSavingsEnd,
        month => Month::Number(month.parse().ok()?),
    };
    let day = match day {
        "*" => DayOfMonth::NotSpecified,
        "L" => DayOfMonth::Last,
        "L2" => DayOfMonth::SecondLast,
        day => DayOfMonth::Number(day.parse().ok()?),
    };
    let open = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
    let year = if year == "*" { None } else { Some(year.parse().ok()?) };
    Some(Date::new(year, month, day, open(weekday)?))
}

/// `HH:MM:SS.hh`.
fn time(text: &str) -> Option<Time> {
    let fields =
        text.split([':', '.']).map(|field| if field == "*" { Some(0xFF) } else { field.parse().ok() });
    Some(Time(fields.collect::<Option<Vec<u8>>>()?.try_into().ok()?))
}

/// Date, time, deviation in minutes and clock status; or `never`.
fn date_time(text: &str) -> Option<DateTime> {
    if text == "never" {
        return Some(DateTime::NOT_SPECIFIED);
    }
    let mut parts = text.split(' ');
    let (date_part, time_part, deviation, status) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let deviation = if deviation == "*" { None } else { Some(deviation.parse().ok()?) };
    let status = ClockStatus::from_bits_retain(u8::from_str_radix(status.strip_prefix("0x")?, 16).ok()?);
    Some(DateTime::new(date(date_part)?, time(time_part)?, deviation, status))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn octets(notation: &str) -> Vec<u8> {
        let table: toml::Table = toml::from_str(&format!("value = {notation}")).unwrap();
        parse(&table["value"]).unwrap().to_octets()
    }

    #[test]
    fn values() {
        assert_eq!(octets(r#"["long-unsigned", 230]"#), [0x12, 0, 230]);
        assert_eq!(octets(r#"["ln", "1-0:1.8.0.255"]"#), [9, 6, 1, 0, 1, 8, 0, 255]);
        assert_eq!(octets(r#"["bit-string", "1010"]"#), [4, 4, 0xA0]);
        assert_eq!(octets(r#"["structure", ["integer", -1], ["enum", 35]]"#), [2, 2, 15, 0xFF, 22, 35]);
        let last_sunday = octets(r#"["dt", "*-03-L/7 02:00:00.00 * 0x00"]"#);
        assert_eq!(last_sunday, [9, 12, 0xFF, 0xFF, 3, 0xFE, 7, 2, 0, 0, 0, 0x80, 0, 0]);
        let instant = octets(r#"["dt", "2026-01-15/4 10:00:00.00 -120 0x00"]"#);
        assert_eq!(instant[2..], [0x07, 0xEA, 1, 15, 4, 10, 0, 0, 0, 0xFF, 0x88, 0]);
        assert_eq!(octets(r#"["date", "*-*-01/*"]"#), [9, 5, 0xFF, 0xFF, 0xFF, 1, 0xFF]);
    }
}
