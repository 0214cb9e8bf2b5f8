//! Dates and times as text that people read and write, every field kept.
//!
//! ```text
//! date      = [Mon..Sun ' '] year '-' month '-' day       2026-01-05   *-dst-begin-last   Sun *-03-last
//! time      = hour ':' minute [':' second ['.' hundredths]]
//! date-time = date (' ' | 'T') time [' ' offset] [' ' status]
//! offset    = 'Z' | ('+' | '-') hours ':' minutes           as ISO 8601 has it: local time minus UTC
//! status    = '[' word {',' word} ']'                       [daylight-saving,doubtful]
//! ```
//!
//! `*` is a field that is not specified, `x0D` one with an octet that the standard does not define. Left out are: a day
//! of week, an offset and hundredths that are not specified, and a status without any bit set. A second that is left out
//! is 0.

use core::{fmt, str::FromStr};

use thiserror::Error;

use crate::{ClockStatus, Date, DateTime, DayOfMonth, Month, Time};

/// Text that is no date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{expected} expected, as in `2026-01-05 13:30:00 +01:00`")]
pub struct ParseDateTimeError {
    /// The part that is missing or malformed.
    pub expected: &'static str,
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const STATUS: [(ClockStatus, &str); 5] = [
    (ClockStatus::DAYLIGHT_SAVING_ACTIVE, "daylight-saving"),
    (ClockStatus::INVALID_VALUE, "invalid"),
    (ClockStatus::DOUBTFUL_VALUE, "doubtful"),
    (ClockStatus::DIFFERENT_CLOCK_BASE, "different-base"),
    (ClockStatus::INVALID_CLOCK_STATUS, "invalid-status"),
];

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.day_of_week() {
            None => {}
            Some(day @ 1..=7) => write!(f, "{} ", WEEKDAYS[usize::from(day) - 1])?,
            Some(octet) => write!(f, "x{octet:02X} ")?,
        }
        match self.year() {
            Some(year) => write!(f, "{year:04}-")?,
            None => f.write_str("*-")?,
        }
        match self.month() {
            Month::Number(month) => write!(f, "{month:02}-")?,
            Month::DaylightSavingsEnd => f.write_str("dst-end-")?,
            Month::DaylightSavingsBegin => f.write_str("dst-begin-")?,
            Month::NotSpecified => f.write_str("*-")?,
            Month::Reserved(octet) => write!(f, "x{octet:02X}-")?,
        }
        match self.day_of_month() {
            DayOfMonth::Number(day) => write!(f, "{day:02}"),
            DayOfMonth::SecondLast => f.write_str("second-last"),
            DayOfMonth::Last => f.write_str("last"),
            DayOfMonth::NotSpecified => f.write_str("*"),
            DayOfMonth::Reserved(octet) => write!(f, "x{octet:02X}"),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separators = ["", ":", ":", "."];
        for (separator, (octet, limit)) in
            core::iter::zip(separators, core::iter::zip(self.0, [24, 60, 60, 100]))
        {
            match octet {
                0xFF if separator == "." => {}
                0xFF => write!(f, "{separator}*")?,
                octet if octet < limit => write!(f, "{separator}{octet:02}")?,
                octet => write!(f, "{separator}x{octet:02X}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.date(), self.time())?;
        if let Some(deviation) = self.deviation() {
            let sign = if deviation > 0 { '-' } else { '+' };
            let minutes = deviation.unsigned_abs();
            write!(f, " {sign}{:02}:{:02}", minutes / 60, minutes % 60)?;
        }
        let status = self.clock_status();
        if status.is_empty() {
            return Ok(());
        }
        f.write_str(" [")?;
        if status == ClockStatus::NOT_SPECIFIED {
            return f.write_str("*]");
        }
        let mut separator = "";
        let mut rest = status.bits();
        for (_, word) in STATUS.iter().filter(|(flag, _)| status.contains(*flag)) {
            write!(f, "{separator}{word}")?;
            separator = ",";
        }
        STATUS.iter().for_each(|(flag, _)| rest &= !flag.bits());
        if rest != 0 {
            write!(f, "{separator}x{rest:02X}")?;
        }
        f.write_str("]")
    }
}

impl FromStr for Date {
    type Err = ParseDateTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |expected| ParseDateTimeError { expected };
        let (weekday, rest) = match text.split_once([' ']) {
            Some((word, rest)) => match WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(word)) {
                Some(index) => (index as u8 + 1, rest),
                None => (hex(word).ok_or(error("day of week"))?, rest),
            },
            None => (0xFF, text),
        };
        let (year, rest) = rest.split_once(['-']).ok_or(error("year"))?;
        let [high, low] = match year {
            "*" => u16::MAX,
            _ => digits(year).ok_or(error("year"))?,
        }
        .to_be_bytes();
        let special = [("dst-end-", Month::DaylightSavingsEnd), ("dst-begin-", Month::DaylightSavingsBegin)];
        let special =
            special.iter().find_map(|(word, month)| Some((month.octet(), rest.strip_prefix(word)?)));
        let (month, day) = match special {
            Some(found) => found,
            None => {
                let (month, day) = rest.split_once(['-']).ok_or(error("month"))?;
                (field(month).ok_or(error("month"))?, day)
            }
        };
        let day = match day {
            "last" => DayOfMonth::Last.octet(),
            "second-last" => DayOfMonth::SecondLast.octet(),
            _ => field(day).ok_or(error("day of month"))?,
        };
        Ok(Self([high, low, month, day, weekday]))
    }
}

impl FromStr for Time {
    type Err = ParseDateTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |expected| ParseDateTimeError { expected };
        let (hour, rest) = text.split_once([':']).ok_or(error("time"))?;
        let (minute, rest) = rest.split_once([':']).unwrap_or((rest, "00"));
        let (second, hundredths) = rest.split_once(['.']).unwrap_or((rest, "*"));
        Ok(Self([
            field(hour).ok_or(error("hour"))?,
            field(minute).ok_or(error("minute"))?,
            field(second).ok_or(error("second"))?,
            field(hundredths).ok_or(error("hundredths"))?,
        ]))
    }
}

impl FromStr for DateTime {
    type Err = ParseDateTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |expected| ParseDateTimeError { expected };
        // The first colon stands in the time; what separates it from the date stands before.
        let (before, _) = text.split_once([':']).ok_or(error("time"))?;
        let (date, _) = before.rsplit_once([' ', 'T']).ok_or(error("date"))?;
        let rest = text.strip_prefix(date).and_then(|rest| rest.strip_prefix([' ', 'T']));
        let mut words = rest.unwrap_or_default().split_ascii_whitespace();
        let date = date.parse()?;
        let time = words.next().ok_or(error("time"))?;
        // An offset may follow the time at once, as in ISO 8601.
        let at = time.find(['+', '-', 'Z']);
        let (time, attached) = match at.and_then(|at| time.split_at_checked(at)) {
            Some((time, attached)) => (time, Some(attached)),
            None => (time, None),
        };
        let (mut deviation, mut status) = (None, ClockStatus::empty());
        for word in attached.into_iter().chain(words) {
            if let Some(flags) = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                status = flags
                    .split([','])
                    .try_fold(status, |status, flag| Some(status | clock_status(flag)?))
                    .ok_or(error("clock status"))?;
            } else {
                deviation = Some(offset(word).ok_or(error("offset"))?);
            }
        }
        Ok(Self::new(date, time.parse()?, deviation, status))
    }
}

fn field(text: &str) -> Option<u8> {
    match text {
        "*" => Some(0xFF),
        _ => hex(text).or_else(|| digits(text)),
    }
}

fn hex(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix('x').filter(|digits| digits.len() == 2)?, 16).ok()
}

/// A number without a sign.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|octet| octet.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn offset(text: &str) -> Option<i16> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('-')?),
    };
    let (hours, minutes) = rest.split_once([':'])?;
    let minutes = digits::<i32>(hours)?.checked_mul(60)?.checked_add(digits::<u8>(minutes)?.into())?;
    i16::try_from(minutes.checked_mul(sign)?).ok().filter(|&minutes| minutes != i16::MIN)
}

fn clock_status(word: &str) -> Option<ClockStatus> {
    match word {
        "*" => Some(ClockStatus::NOT_SPECIFIED),
        _ => STATUS
            .iter()
            .find(|(_, name)| *name == word)
            .map(|(flag, _)| *flag)
            .or_else(|| hex(word).map(ClockStatus::from_bits_retain)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn both_ways(text: &str, time: DateTime) {
        assert_eq!(time.to_string(), text);
        assert_eq!(text.parse(), Ok(time));
    }

    #[test]
    fn readable() {
        both_ways(
            "Sat 2022-12-31 23:59:59.99 +01:00",
            DateTime([7, 0xE6, 12, 31, 6, 23, 59, 59, 99, 0xFF, 0xC4, 0]),
        );
        both_ways(
            "Sun *-dst-begin-last 02:00:00 -05:30 [daylight-saving,doubtful]",
            DateTime([0xFF, 0xFF, 0xFE, 0xFE, 7, 2, 0, 0, 0xFF, 1, 0x4A, 0x82]),
        );
        both_ways("*-*-* *:*:* [*]", DateTime::NOT_SPECIFIED);
        both_ways(
            "x09 0000-x0D-second-last x18:00:*.xC8 [x70]",
            DateTime([0, 0, 13, 0xFD, 9, 24, 0, 0xFF, 200, 0x80, 0, 0x70]),
        );
    }

    #[test]
    fn as_people_type_it() {
        let midnight = DateTime([7, 0xEA, 1, 5, 0xFF, 0, 0, 0, 0xFF, 0, 0, 0]);
        assert_eq!("2026-01-05T00:00Z".parse(), Ok(midnight));
        assert_eq!("2026-01-05T00:00:00+00:00".parse(), Ok(midnight));
        assert_eq!("2026-01-05 00:00".parse(), Ok(midnight.with_deviation(None)));
        for wrong in
            ["", "2026", "2026-01-05", "2026-01 00:00", "2026-1-5 +1:00", "2026-01-05 00:00 1", "a:", " :"]
        {
            assert!(wrong.parse::<DateTime>().is_err(), "{wrong}");
        }
        assert_eq!("2026-13-05 00:00".parse::<DateTime>().map(|time| time.is_valid()), Ok(false));
    }

    proptest! {
        #[test]
        fn every_octet_is_kept(octets: [u8; 12]) {
            let time = DateTime(octets);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn any_text_is_safe(text in "\\PC*") {
            let _ = text.parse::<DateTime>();
        }
    }
}
