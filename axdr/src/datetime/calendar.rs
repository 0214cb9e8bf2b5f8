//! Dates as days, date-times as seconds of UTC, and the dates that a pattern stands for.

use thiserror::Error;

use crate::{ClockStatus, Date, DateTime, DayOfMonth, Month, Time};

/// A date-time that is no instant: a field is not specified or out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an instant: a field is not specified or out of range")]
pub struct NotAnInstant;

const SECONDS_PER_DAY: i64 = 86_400;

impl Date {
    /// The day `day` of month `month`, its day of week worked out. `None` if there is no such day.
    pub fn from_calendar(year: u16, month: u8, day: u8) -> Option<Self> {
        let day_number = days(year, month, day)?;
        Some(Self::new(
            Some(year),
            Month::Number(month),
            DayOfMonth::Number(day),
            Some(day_of_week(day_number)),
        ))
    }

    /// The date so many days after 1970-01-01.
    pub fn from_unix_days(days: i64) -> Option<Self> {
        let (year, month, day) = civil(days)?;
        Self::from_calendar(year, month, day)
    }

    /// Days after 1970-01-01; `None` if the date is a pattern or does not exist.
    pub fn unix_days(&self) -> Option<i64> {
        match (self.year(), self.month(), self.day_of_month()) {
            (Some(year), Month::Number(month), DayOfMonth::Number(day)) => days(year, month, day),
            _ => None,
        }
    }

    /// Whether every field has a value of the standard, the day exists, and the day of week is its own.
    pub fn is_valid(&self) -> bool {
        let fields = !matches!(self.month(), Month::Reserved(_))
            && !matches!(self.day_of_month(), DayOfMonth::Reserved(_))
            && self.day_of_week().is_none_or(|day| (1..=7).contains(&day));
        let exists = match (self.month(), self.day_of_month()) {
            // A leap year shows what exists in some year.
            (Month::Number(month), DayOfMonth::Number(day)) => {
                day <= days_in_month(self.year().unwrap_or(2000), month)
            }
            _ => true,
        };
        let agrees = match (self.unix_days(), self.day_of_week()) {
            (Some(days), Some(weekday)) => day_of_week(days) == weekday,
            _ => true,
        };
        fields && exists && agrees
    }

    /// Whether `date` is one of those that this pattern stands for; `false` if `date` is no date of the calendar.
    ///
    /// Day of month and day of week are read together: the last Sunday, the first Monday on or after the 8th of any
    /// year. A month in which daylight saving begins or ends matches none, as nobody says here which one that is.
    pub fn matches(&self, date: Date) -> bool {
        let Some(day_number) = date.unix_days() else { return false };
        let Some((year, month, day)) = civil(day_number) else { return false };
        let weekday = self.day_of_week();
        let is_weekday = weekday.is_none_or(|weekday| weekday == day_of_week(day_number));
        let in_month = |year: u16, month: u8| {
            self.year().is_none_or(|wanted| wanted == year)
                && match self.month() {
                    Month::Number(wanted) => wanted == month,
                    Month::NotSpecified => true,
                    Month::DaylightSavingsEnd | Month::DaylightSavingsBegin | Month::Reserved(_) => false,
                }
        };
        // How many days of the month follow.
        let after = days_in_month(year, month).saturating_sub(day);
        let in_day = match (self.day_of_month(), weekday) {
            (DayOfMonth::NotSpecified, _) => true,
            (DayOfMonth::Last, None) => after == 0,
            (DayOfMonth::Last, Some(_)) => after < 7,
            (DayOfMonth::SecondLast, None) => after == 1,
            (DayOfMonth::SecondLast, Some(_)) => (7..14).contains(&after),
            (DayOfMonth::Number(wanted), Some(_)) if self.year().is_none() => {
                // The first such weekday on or after the day, which may lie in the next month.
                return is_weekday
                    && (0..7)
                        .filter_map(|back| civil(day_number.checked_sub(back)?))
                        .any(|(year, month, day)| day == wanted && in_month(year, month));
            }
            (DayOfMonth::Number(wanted), _) => day == wanted,
            (DayOfMonth::Reserved(_), _) => false,
        };
        is_weekday && in_day && in_month(year, month)
    }
}

impl DateTime {
    /// The local time at an instant of UTC, for a clock with this deviation in minutes. Hundredths are left open, the
    /// clock status is empty. `None` if the year does not fit.
    pub fn from_unix_seconds(seconds: i64, deviation: i16) -> Option<Self> {
        let local = seconds.checked_sub(i64::from(deviation) * 60)?;
        Self::from_local_seconds(local).map(|local| local.with_deviation(Some(deviation)))
    }

    /// The date-time so many seconds of local time after 1970-01-01 00:00, without deviation.
    pub fn from_local_seconds(seconds: i64) -> Option<Self> {
        let date = Date::from_unix_days(seconds.div_euclid(SECONDS_PER_DAY))?;
        let second = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
        let time = Time([(second / 3600) as u8, (second / 60 % 60) as u8, (second % 60) as u8, 0xFF]);
        Some(Self::new(date, time, None, ClockStatus::empty()))
    }

    /// Seconds of UTC after 1970-01-01. A second that is not specified counts as 0. `None` without a deviation, or as
    /// [`DateTime::local_seconds`].
    pub fn unix_seconds(&self) -> Option<i64> {
        self.local_seconds()?.checked_add(i64::from(self.deviation()?) * 60)
    }

    /// Seconds of local time after 1970-01-01 00:00. A second that is not specified counts as 0. `None` if another
    /// field is not specified or out of its range.
    pub fn local_seconds(&self) -> Option<i64> {
        let time = self.time();
        if !time.is_valid() {
            return None;
        }
        let minutes = i64::from(time.hour()?) * 60 + i64::from(time.minute()?);
        let seconds = minutes * 60 + i64::from(time.second().unwrap_or(0));
        Some(self.date().unix_days()? * SECONDS_PER_DAY + seconds)
    }
}

/// 1 Monday to 7 Sunday; day 0, 1970-01-01, was a Thursday.
const fn day_of_week(days: i64) -> u8 {
    // Whole weeks first, so that no sum overflows.
    (days.rem_euclid(7) + 3).rem_euclid(7) as u8 + 1
}

const fn is_leap_year(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// The days of a month of 1 to 12.
pub(super) const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap_year(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from year 0, 1 March, to 1970-01-01.
const EPOCH: i32 = 719_468;
const DAYS_IN_400_YEARS: i32 = 146_097;

/// Days after 1970-01-01 in the Gregorian calendar. Years begin in March here, so that a leap day is their last one.
fn days(year: u16, month: u8, day: u8) -> Option<i64> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let year = i32::from(year) - i32::from(month <= 2);
    let month = (i32::from(month) + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + i32::from(day) - 1;
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year;
    Some((days - EPOCH).into())
}

/// Year, month and day so many days after 1970-01-01, if the year is 0 to 65534.
fn civil(days: i64) -> Option<(u16, u8, u8)> {
    let days = i32::try_from(days).ok()?.checked_add(EPOCH)?;
    let day_of_era = days.rem_euclid(DAYS_IN_400_YEARS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (DAYS_IN_400_YEARS - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month + 2) / 5 + 1) as u8;
    let year = days.div_euclid(DAYS_IN_400_YEARS) * 400 + year_of_era + i32::from(month >= 10);
    let year = u16::try_from(year).ok().filter(|&year| year != 0xFFFF)?;
    Some((year, (if month < 10 { month + 3 } else { month - 9 }) as u8, day))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn date(year: u16, month: u8, day: u8) -> Date {
        Date::from_calendar(year, month, day).unwrap()
    }

    #[test]
    fn known_instants() {
        let time = DateTime([7, 0xE6, 12, 31, 6, 23, 59, 59, 99, 0xFF, 0xC4, 0]);
        assert_eq!(time.unix_seconds(), Some(1_672_527_599), "2022-12-31T22:59:59Z");
        assert_eq!(
            DateTime::from_unix_seconds(1_672_527_599, -60),
            Some(time.with_time(Time([23, 59, 59, 0xFF])))
        );
        assert_eq!(date(1970, 1, 1).unix_days(), Some(0));
        assert_eq!(date(2000, 2, 29).day_of_week(), Some(2));
        assert_eq!(DateTime::NOT_SPECIFIED.local_seconds(), None);
        assert_eq!(time.with_deviation(None).unix_seconds(), None);
        assert_eq!(DateTime::from_unix_seconds(i64::MAX, -1), None);
        assert_eq!(DateTime::from_unix_seconds(i64::MIN, 1), None);
    }

    #[test]
    fn days_that_do_not_exist() {
        assert_eq!(Date::from_calendar(2023, 2, 29), None);
        assert_eq!(Date::from_calendar(2024, 13, 1), None);
        assert!(!Date([7, 0xE7, 2, 29, 0xFF]).is_valid());
        assert!(Date([0xFF, 0xFF, 2, 29, 0xFF]).is_valid(), "in some year");
        assert!(!Date([7, 0xE6, 12, 31, 5]).is_valid(), "it was a Saturday");
        assert!(!Date([7, 0xE6, 0, 31, 0xFF]).is_valid());
    }

    #[test]
    fn patterns() {
        let pattern = |month, day, weekday| Date::new(None, month, day, weekday);
        let last_sunday = pattern(Month::Number(3), DayOfMonth::Last, Some(7));
        assert!(last_sunday.matches(date(2024, 3, 31)) && last_sunday.matches(date(2026, 3, 29)));
        assert!(!last_sunday.matches(date(2024, 3, 24)) && !last_sunday.matches(date(2024, 4, 28)));
        let last = pattern(Month::NotSpecified, DayOfMonth::Last, None);
        assert!(last.matches(date(2024, 2, 29)) && !last.matches(date(2024, 2, 28)));
        let second_last = pattern(Month::NotSpecified, DayOfMonth::SecondLast, None);
        assert!(second_last.matches(date(2024, 2, 28)) && !second_last.matches(date(2024, 2, 29)));
        let mondays = pattern(Month::NotSpecified, DayOfMonth::NotSpecified, Some(1));
        assert!(mondays.matches(date(2026, 1, 5)) && !mondays.matches(date(2026, 1, 6)));
        // The first Sunday on or after 29 December lies in the next year at times.
        let holiday = pattern(Month::Number(12), DayOfMonth::Number(29), Some(7));
        assert!(holiday.matches(date(2023, 12, 31)) && holiday.matches(date(2023, 1, 1)));
        assert!(!holiday.matches(date(2024, 1, 7)));
        let exact = Date::new(Some(2026), Month::Number(1), DayOfMonth::Number(5), Some(2));
        assert!(!exact.matches(date(2026, 1, 5)), "it was a Monday");
        assert!(
            !pattern(Month::DaylightSavingsBegin, DayOfMonth::NotSpecified, None).matches(date(2026, 3, 29))
        );
        assert!(!Date::NOT_SPECIFIED.matches(Date::NOT_SPECIFIED));
    }

    proptest! {
        #[test]
        fn seconds_and_back(seconds in -62_167_219_200i64..2_005_949_145_600, deviation in -720i16..=720) {
            if let Some(time) = DateTime::from_unix_seconds(seconds, deviation) {
                prop_assert!(time.is_valid());
                prop_assert_eq!(time.unix_seconds(), Some(seconds));
                prop_assert!(time.matches(time));
            }
        }

        #[test]
        fn any_octets_are_safe(octets: [u8; 12], other: [u8; 12]) {
            let (time, other) = (DateTime(octets), DateTime(other));
            let _ = (time.is_valid(), time.unix_seconds(), time.matches(other));
        }

        #[test]
        fn any_seconds_are_safe(seconds: i64, deviation: i16) {
            let _ = DateTime::from_unix_seconds(seconds, deviation);
        }
    }
}
