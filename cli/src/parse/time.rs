//! Points in time for `--from`, `--to` and `--activate`.
//!
//! | text | is |
//! | --- | --- |
//! | `2026-01-05T13:30`, `2026-01-05 13:30:00+01:00`, `…Z` | ISO 8601 |
//! | `2026-01-05` | the day: its begin, or its end for `--to` |
//! | `now`, `today`, `yesterday`, `tomorrow` | by the meter's clock |
//! | `-24h`, `-7d`, `-90m`, `-30s`, `-2w`, `+1h` | so long before or after the meter's time |
//!
//! Relative times are relative to the meter's clock: what `yesterday` means depends on the time zone that its entries
//! are stamped in, and a simulated meter may live in another year.

use std::str::FromStr;

use dlms_axdr::{ClockStatus, Date, DateTime, Time};

const DAY: i64 = 86_400;

/// A point in time as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Instant(DateTime),
    Day(Date),
    /// The day so many days after the meter's.
    RelativeDay(i64),
    /// So many seconds after the meter's time.
    RelativeSeconds(i64),
}

/// Which end of a day is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Begin,
    End,
}

impl Moment {
    /// Whether the meter's clock must be known.
    pub(crate) const fn is_relative(self) -> bool {
        matches!(self, Self::RelativeDay(_) | Self::RelativeSeconds(_))
    }

    /// The time that is meant, by this clock; `None` if the clock does not say the time.
    pub(crate) fn resolve(self, clock: DateTime, end: End) -> Option<DateTime> {
        let second = if end == End::Begin { 0 } else { DAY - 1 };
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Day(date) => local(date.unix_days()? * DAY + second),
            Self::RelativeDay(days) => {
                let today = clock.date().unix_days()?;
                local(today.checked_add(days)?.checked_mul(DAY)? + second)
            }
            Self::RelativeSeconds(seconds) => local(clock.local_seconds()?.checked_add(seconds)?),
        }
    }
}

/// A local time without deviation, which stands for the meter's own zone.
fn local(seconds: i64) -> Option<DateTime> {
    let time = DateTime::from_local_seconds(seconds)?;
    let [hour, minute, second, _] = time.time().0;
    Some(time.with_time(Time([hour, minute, second, 0])).with_clock_status(ClockStatus::empty()))
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text {
            "now" => return Ok(Self::RelativeSeconds(0)),
            "today" => return Ok(Self::RelativeDay(0)),
            "yesterday" => return Ok(Self::RelativeDay(-1)),
            "tomorrow" => return Ok(Self::RelativeDay(1)),
            _ => {}
        }
        if let Some(seconds) = span(text) {
            return Ok(Self::RelativeSeconds(seconds));
        }
        let form = "a time is written as in 2026-01-05, 2026-01-05T13:30:00+01:00, yesterday or -24h";
        if let Ok(date) = text.parse::<Date>()
            && date.unix_days().is_some()
        {
            return Ok(Self::Day(date));
        }
        let instant: DateTime = text.parse().map_err(|_| form.to_owned())?;
        if instant.local_seconds().is_none() || !instant.is_valid() {
            return Err(form.to_owned());
        }
        let [hour, minute, second, hundredths] = instant.time().0;
        let hundredths = if hundredths == 0xFF { 0 } else { hundredths };
        Ok(Self::Instant(instant.with_time(Time([hour, minute, second, hundredths]))))
    }
}

/// `-1d12h` in seconds. The sign is there, or the text is no span.
fn span(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.split_at_checked(1)? {
        ("-", rest) => (-1, rest),
        ("+", rest) => (1, rest),
        _ => return None,
    };
    let mut total = 0i64;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let mut characters = rest[digits..].chars();
        let unit = match characters.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => DAY,
            'w' => 7 * DAY,
            _ => return None,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = characters.as_str();
    }
    (total > 0).then_some(sign * total)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn clock() -> DateTime {
        "2026-03-01 10:30:15 +01:00".parse().unwrap()
    }

    fn resolved(text: &str, end: End) -> String {
        text.parse::<Moment>().unwrap().resolve(clock(), end).unwrap().to_string()
    }

    #[test]
    fn by_the_meters_clock() {
        assert_eq!(resolved("now", End::Begin), "Sun 2026-03-01 10:30:15.00");
        assert_eq!(resolved("yesterday", End::Begin), "Sat 2026-02-28 00:00:00.00");
        assert_eq!(resolved("yesterday", End::End), "Sat 2026-02-28 23:59:59.00");
        assert_eq!(resolved("-24h", End::End), "Sat 2026-02-28 10:30:15.00");
        assert_eq!(resolved("-1d12h", End::Begin), "Fri 2026-02-27 22:30:15.00");
        assert_eq!(resolved("+2w", End::Begin), "Sun 2026-03-15 10:30:15.00");
    }

    #[test]
    fn iso_8601() {
        assert_eq!(resolved("2026-01-05", End::Begin), "Mon 2026-01-05 00:00:00.00");
        assert_eq!(resolved("2026-01-05", End::End), "Mon 2026-01-05 23:59:59.00");
        for text in ["2026-01-05T13:30:00+01:00", "2026-01-05 13:30+01:00", "Mon 2026-01-05 13:30:00 +01:00"]
        {
            let time = resolved(text, End::Begin);
            assert!(time.contains("2026-01-05 13:30:00.00 +01:00"), "{text}: {time}");
        }
        assert!(resolved("2026-01-05T13:30Z", End::Begin).ends_with("13:30:00.00 +00:00"));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "-",
            "-24",
            "-h",
            "24h",
            "2026-13-01",
            "2026-02-30",
            "*-*-*",
            "gestern",
            "-99999999999999999w",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
