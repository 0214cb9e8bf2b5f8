//! Calendar arithmetic on COSEM dates: seconds of local time since 1970-01-01, and what a date pattern matches.
//!
//! UTC = local time + deviation, where the deviation is in minutes: −60 for Central European Time.

use dlms_axdr::{Date, DateTime, Time};

/// A field of a date or time that is left open.
pub(crate) const OPEN: u8 = 0xFF;
/// A deviation that is left open.
const OPEN_DEVIATION: i16 = i16::MIN;
/// Day of month: the last one.
const LAST_DAY: u8 = 0xFE;
/// Day of month: the second last one.
const SECOND_LAST_DAY: u8 = 0xFD;

pub(crate) const DAY: i64 = 86_400;

/// The date-time in which every field is left open: the usual "never".
pub const NOT_SPECIFIED: DateTime =
    DateTime([OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, 0x80, 0x00, OPEN]);

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
pub(crate) const fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) const fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u8;
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

/// 1 for Monday to 7 for Sunday.
pub(crate) const fn weekday(days: i64) -> u8 {
    ((days + 3).rem_euclid(7) + 1) as u8
}

const fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The date-time of an instant given in milliseconds of local time.
pub(crate) fn date_time(local_milliseconds: i64, deviation: i16, status: u8) -> DateTime {
    let seconds = local_milliseconds.div_euclid(1000);
    let hundredths = (local_milliseconds.rem_euclid(1000) / 10) as u8;
    let days = seconds.div_euclid(DAY);
    let second_of_day = seconds.rem_euclid(DAY);
    let (year, month, day) = civil_from_days(days);
    let [year_high, year_low] = u16::try_from(year).unwrap_or(u16::MAX).to_be_bytes();
    let [deviation_high, deviation_low] = deviation.to_be_bytes();
    DateTime([
        year_high,
        year_low,
        month,
        day,
        weekday(days),
        (second_of_day / 3600) as u8,
        (second_of_day / 60 % 60) as u8,
        (second_of_day % 60) as u8,
        hundredths,
        deviation_high,
        deviation_low,
        status,
    ])
}

/// Milliseconds of local time of a date-time whose date, hour and minute are given. Second and hundredths that are left
/// open count as 0.
pub(crate) fn local_milliseconds(date_time: &DateTime) -> Option<i64> {
    let [year_high, year_low, month, day, _, hour, minute, second, hundredths, ..] = date_time.0;
    let year = i64::from(u16::from_be_bytes([year_high, year_low]));
    if year == 0xFFFF || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let time = time_of_day(&Time([hour, minute, second, hundredths]))?;
    let hundredths = if hundredths == OPEN { 0 } else { i64::from(hundredths) };
    Some((days_from_civil(year, month, day) * DAY + time) * 1000 + hundredths * 10)
}

/// The deviation of a date-time, if it is given.
pub(crate) fn deviation(date_time: &DateTime) -> Option<i16> {
    match i16::from_be_bytes([date_time.0[9], date_time.0[10]]) {
        OPEN_DEVIATION => None,
        deviation => Some(deviation),
    }
}

/// Milliseconds since 1970-01-01 UTC; a deviation that is left open counts as 0.
pub(crate) fn unix_milliseconds(date_time: &DateTime) -> Option<i64> {
    Some(local_milliseconds(date_time)? + i64::from(deviation(date_time).unwrap_or(0)) * 60_000)
}

/// Seconds since midnight. Minute, second and hundredths that are left open count as 0.
pub(crate) fn time_of_day(time: &Time) -> Option<i64> {
    let [hour, minute, second, hundredths] = time.0;
    let field = |value: u8, limit: u8| match value {
        OPEN => Some(0),
        value if value < limit => Some(i64::from(value)),
        _ => None,
    };
    if hour > 23 {
        return None;
    }
    field(hundredths, 100)?;
    Some(i64::from(hour) * 3600 + field(minute, 60)? * 60 + field(second, 60)?)
}

/// Whether a date can be met at all, as far as its fields tell.
pub(crate) fn is_date(date: &Date) -> bool {
    let [_, _, month, day, weekday] = date.0;
    matches!(month, 1..=12 | 0xFD..=OPEN)
        && matches!(day, 1..=31 | SECOND_LAST_DAY..=OPEN)
        && matches!(weekday, 1..=7 | OPEN)
}

/// Whether the date has open fields.
pub(crate) fn has_wildcard(date: &Date) -> bool {
    let [year_high, year_low, month, day, _] = date.0;
    [year_high, year_low] == [OPEN; 2] || month > 12 || day > 31
}

/// Whether the day with this number since 1970-01-01 matches a date pattern.
///
/// Day of month and weekday are read together: the last day with a weekday means the last such weekday of the month;
/// a day with a weekday in an open year means that weekday on or after the day.
pub(crate) fn date_matches(date: &Date, days: i64) -> bool {
    let [year_high, year_low, month, day, day_of_week] = date.0;
    let wanted_year = u16::from_be_bytes([year_high, year_low]);
    let (this_year, this_month, this_day) = civil_from_days(days);
    let this_weekday = weekday(days);
    if wanted_year != 0xFFFF && i64::from(wanted_year) != this_year || month != OPEN && month != this_month {
        return false;
    }
    let last = days_in_month(this_year, this_month);
    let any_weekday = day_of_week == OPEN;
    match day {
        _ if !any_weekday && this_weekday != day_of_week => false,
        OPEN => true,
        LAST_DAY if any_weekday => this_day == last,
        LAST_DAY => this_day + 7 > last,
        SECOND_LAST_DAY if any_weekday => this_day + 1 == last,
        SECOND_LAST_DAY => this_day + 7 <= last && this_day + 14 > last,
        _ if !any_weekday && wanted_year == 0xFFFF => (day..=day.saturating_add(6)).contains(&this_day),
        _ => this_day == day,
    }
}

/// When a date-time pattern is met in a year: milliseconds of local time of the first day that matches.
pub(crate) fn occurrence_in_year(pattern: &DateTime, year: i64) -> Option<i64> {
    let [year_high, year_low, month, day, day_of_week, hour, minute, second, hundredths, ..] = pattern.0;
    let date = Date([year_high, year_low, month, day, day_of_week]);
    let time = time_of_day(&Time([hour, minute, second, hundredths]))?;
    let first = days_from_civil(year, if month <= 12 { month.max(1) } else { 1 }, 1);
    (first..first + 366)
        .take_while(|&days| civil_from_days(days).0 == year)
        .find(|&days| date_matches(&date, days))
        .map(|days| (days * DAY + time) * 1000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_instant_from_a_meter() {
        // Wed 2002-12-04 10:06:11, hundredths not specified, deviation +120.
        let instant = DateTime([0x07, 0xD2, 0x0C, 0x04, 0x03, 0x0A, 0x06, 0x0B, 0xFF, 0x00, 0x78, 0x00]);
        assert_eq!(unix_milliseconds(&instant), Some((1_038_996_371 + 7200) * 1000));
        assert_eq!(weekday(days_from_civil(2002, 12, 4)), 3);
        assert_eq!(local_milliseconds(&NOT_SPECIFIED), None);
    }

    #[test]
    fn last_sunday() {
        let march = Date([0xFF, 0xFF, 3, 0xFE, 7]);
        let matching: std::vec::Vec<_> = (0..365)
            .map(|day| days_from_civil(2026, 1, 1) + day)
            .filter(|&day| date_matches(&march, day))
            .collect();
        assert_eq!(matching, [days_from_civil(2026, 3, 29)]);
        let pattern = DateTime([0xFF, 0xFF, 10, 0xFE, 7, 3, 0, 0, 0, 0x80, 0, 0xFF]);
        assert_eq!(
            occurrence_in_year(&pattern, 2026),
            Some((days_from_civil(2026, 10, 25) * DAY + 3 * 3600) * 1000)
        );
    }

    #[test]
    fn days_of_month() {
        let of = |day, weekday| Date([0xFF, 0xFF, 0xFF, day, weekday]);
        let day = |month, day| days_from_civil(2026, month, day);
        assert!(date_matches(&of(LAST_DAY, OPEN), day(2, 28)));
        assert!(date_matches(&of(SECOND_LAST_DAY, OPEN), day(2, 27)));
        assert!(date_matches(&of(8, 1), day(6, 8)), "the Monday on or after the 8th");
        assert!(!date_matches(&of(8, 1), day(6, 1)));
        assert!(date_matches(&of(OPEN, 7), day(6, 7)));
        assert!(!date_matches(&Date([0x07, 0xEA, 6, 8, 2]), day(6, 8)), "2026-06-08 is a Monday");
    }

    proptest! {
        #[test]
        fn civil_dates_return(days in -700_000i64..3_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }

        #[test]
        fn date_times_return(seconds in 0i64..4_000_000_000, deviation in -720i16..=720) {
            let value = date_time(seconds * 1000, deviation, 0);
            prop_assert_eq!(local_milliseconds(&value), Some(seconds * 1000));
        }

        #[test]
        fn any_octets_are_taken(octets: [u8; 12], days in 0i64..40_000) {
            let value = DateTime(octets);
            let _ = unix_milliseconds(&value);
            let _ = occurrence_in_year(&value, 2026);
            let _ = date_matches(&Date([octets[0], octets[1], octets[2], octets[3], octets[4]]), days);
        }
    }
}
