//! Local time in milliseconds since 1970-01-01, and when the patterns of schedules and of daylight saving are met.
//!
//! UTC = local time + deviation, where the deviation is in minutes: −60 for Central European Time.

use core::time::Duration;

use dlms_axdr::{ClockStatus, Date, DateTime, DayOfMonth, Month, Time};

pub(crate) const DAY: i64 = 86_400;

/// The date-time at an instant given in milliseconds of local time.
pub(crate) fn date_time(local_milliseconds: i64, deviation: i16, status: ClockStatus) -> DateTime {
    let (seconds, milliseconds) = div_rem(local_milliseconds, 1000);
    let Some(seconds) = DateTime::from_local_seconds(seconds) else { return DateTime::NOT_SPECIFIED };
    let [hour, minute, second, _] = seconds.time().0;
    let hundredths = (milliseconds as u32 / 10) as u8;
    DateTime::new(seconds.date(), Time([hour, minute, second, hundredths]), Some(deviation), status)
}

/// The same in milliseconds.
pub(crate) const fn milliseconds(duration: Duration) -> i64 {
    (duration.as_secs() as i64).saturating_mul(1000).saturating_add(duration.subsec_millis() as i64)
}

/// Quotient, rounded down, and remainder, which is never negative.
#[inline(never)]
pub(crate) const fn div_rem(value: i64, by: i64) -> (i64, i64) {
    match by {
        1.. => (value.div_euclid(by), value.rem_euclid(by)),
        // Nothing is divided by these here.
        _ => (0, 0),
    }
}

/// Milliseconds of local time of a date-time whose date, hour and minute are given. Second and hundredths that are left
/// open count as 0.
pub(crate) fn local_milliseconds(date_time: &DateTime) -> Option<i64> {
    let hundredths = i64::from(date_time.time().hundredths().unwrap_or(0));
    date_time.local_seconds()?.checked_mul(1000)?.checked_add(hundredths * 10)
}

/// Milliseconds of local time at the beginning of a day so many days after 1970-01-01.
pub(crate) fn start_of(days: i64) -> Option<i64> {
    days.checked_mul(DAY * 1000)
}

/// Seconds since midnight. Minute and second that are left open count as 0.
pub(crate) fn time_of_day(time: &Time) -> Option<i64> {
    if !time.is_valid() {
        return None;
    }
    let minutes = i64::from(time.hour()?) * 60 + i64::from(time.minute().unwrap_or(0));
    Some(minutes * 60 + i64::from(time.second().unwrap_or(0)))
}

/// Whether the date stands for several days.
pub(crate) fn has_wildcard(date: &Date) -> bool {
    date.year().is_none()
        || !matches!(date.month(), Month::Number(_))
        || !matches!(date.day_of_month(), DayOfMonth::Number(_))
}

/// Whether the day so many days after 1970-01-01 is one of those that a date stands for.
pub(crate) fn date_matches(date: &Date, days: i64) -> bool {
    Date::from_unix_days(days).is_some_and(|day| date.matches(day))
}

/// The year of a day so many days after 1970-01-01.
pub(crate) fn year(days: i64) -> Option<u16> {
    Date::from_unix_days(days)?.year()
}

/// When a date-time pattern is met in a year: milliseconds of local time on the first day that matches.
pub(crate) fn occurrence_in_year(pattern: &DateTime, year: u16) -> Option<i64> {
    let time = time_of_day(&pattern.time())?;
    let date = pattern.date();
    // Where in the month to begin looking: the clock is read often.
    let (month, begin, end) = match (date.month(), date.day_of_month()) {
        (Month::Number(month), DayOfMonth::Last) => (month, 21, 31),
        (Month::Number(month), DayOfMonth::SecondLast) => (month, 14, 31),
        (Month::Number(month), _) => (month, 0, 38),
        _ => (1, 0, 366),
    };
    let first = Date::from_calendar(year, month, 1)?.unix_days()?;
    let days = first.checked_add(begin)?..first.checked_add(end)?;
    start_of(days.into_iter().find(|&days| date_matches(&date, days))?)?.checked_add(time * 1000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(year: u16, month: u8, day: u8) -> i64 {
        Date::from_calendar(year, month, day).unwrap().unix_days().unwrap()
    }

    #[test]
    fn an_instant_from_a_meter() {
        // Wed 2002-12-04 10:06:11, hundredths not specified, deviation +120.
        let instant = DateTime([0x07, 0xD2, 0x0C, 0x04, 0x03, 0x0A, 0x06, 0x0B, 0xFF, 0x00, 0x78, 0x00]);
        assert_eq!(local_milliseconds(&instant), Some(1_038_996_371_000));
        assert_eq!(local_milliseconds(&DateTime::NOT_SPECIFIED), None);
    }

    #[test]
    fn last_sunday_of_october() {
        let pattern = DateTime([0xFF, 0xFF, 10, 0xFE, 7, 3, 0, 0, 0, 0x80, 0, 0xFF]);
        let expected = (days(2026, 10, 25) * DAY + 3 * 3600) * 1000;
        assert_eq!(occurrence_in_year(&pattern, 2026), Some(expected));
    }

    proptest! {
        #[test]
        fn date_times_return(milliseconds in 0i64..400_000_000_000, deviation in -720i16..=720) {
            let value = date_time(milliseconds * 10, deviation, ClockStatus::empty());
            prop_assert_eq!(local_milliseconds(&value), Some(milliseconds * 10));
        }

        #[test]
        fn any_octets_are_taken(octets: [u8; 12], days in 0i64..40_000) {
            let value = DateTime(octets);
            let _ = local_milliseconds(&value);
            let _ = occurrence_in_year(&value, 2026);
            let _ = date_matches(&value.date(), days);
        }
    }
}
