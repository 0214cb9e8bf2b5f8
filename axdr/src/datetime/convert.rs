//! To and from the types of the crates `time` and `chrono`.
//!
//! A COSEM date-time with a deviation is an instant with an offset; without, it is local time of an unknown place. The
//! deviation has the opposite sign of an offset. Seconds and hundredths that are not specified count as 0; fractions
//! beyond hundredths are cut off. The clock status is empty in what is made from these types.

use crate::{Date, DateTime, NotAnInstant, Time};

impl DateTime {
    /// The same with these nanoseconds of a second as its hundredths.
    const fn with_nanoseconds(&self, nanoseconds: u32) -> Self {
        let [hour, minute, second, _] = self.time().0;
        self.with_time(Time([hour, minute, second, (nanoseconds / 10_000_000) as u8]))
    }

    /// The fraction of a second.
    fn nanoseconds(&self) -> u32 {
        u32::from(self.time().hundredths().unwrap_or(0)) * 10_000_000
    }
}

/// Conversions with the crate `time`.
#[cfg(feature = "time")]
mod time_crate {
    use super::*;
    use time::{Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset};

    /// Needs a deviation.
    impl TryFrom<DateTime> for OffsetDateTime {
        type Error = NotAnInstant;

        fn try_from(cosem: DateTime) -> Result<Self, NotAnInstant> {
            let deviation = cosem.deviation().ok_or(NotAnInstant)?;
            let offset =
                UtcOffset::from_whole_seconds(-i32::from(deviation) * 60).map_err(|_| NotAnInstant)?;
            Ok(PrimitiveDateTime::try_from(cosem)?.assume_offset(offset))
        }
    }

    /// The local time; a deviation is ignored.
    impl TryFrom<DateTime> for PrimitiveDateTime {
        type Error = NotAnInstant;

        fn try_from(cosem: DateTime) -> Result<Self, NotAnInstant> {
            let seconds = cosem.local_seconds().ok_or(NotAnInstant)?;
            let date = time::Date::try_from(cosem.date())?;
            let time = Duration::new(seconds.rem_euclid(86_400), cosem.nanoseconds() as i32);
            Ok(PrimitiveDateTime::new(date, time::Time::MIDNIGHT + time))
        }
    }

    impl TryFrom<OffsetDateTime> for DateTime {
        type Error = NotAnInstant;

        fn try_from(time: OffsetDateTime) -> Result<Self, NotAnInstant> {
            DateTime::from_unix_seconds(time.unix_timestamp(), -time.offset().whole_minutes())
                .map(|cosem| cosem.with_nanoseconds(time.nanosecond()))
                .ok_or(NotAnInstant)
        }
    }

    impl TryFrom<PrimitiveDateTime> for DateTime {
        type Error = NotAnInstant;

        fn try_from(time: PrimitiveDateTime) -> Result<Self, NotAnInstant> {
            DateTime::try_from(time.assume_utc()).map(|cosem| cosem.with_deviation(None))
        }
    }

    impl TryFrom<Date> for time::Date {
        type Error = NotAnInstant;

        fn try_from(cosem: Date) -> Result<Self, NotAnInstant> {
            let days = cosem.unix_days().ok_or(NotAnInstant)?;
            OffsetDateTime::UNIX_EPOCH.date().checked_add(Duration::days(days)).ok_or(NotAnInstant)
        }
    }

    impl TryFrom<time::Date> for Date {
        type Error = NotAnInstant;

        fn try_from(date: time::Date) -> Result<Self, NotAnInstant> {
            let year = u16::try_from(date.year()).map_err(|_| NotAnInstant)?;
            Date::from_calendar(year, date.month().into(), date.day()).ok_or(NotAnInstant)
        }
    }
}

/// Conversions with the crate `chrono`.
#[cfg(feature = "chrono")]
mod chrono_crate {
    use super::*;
    use chrono::{FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike};

    /// Needs a deviation.
    impl TryFrom<DateTime> for chrono::DateTime<FixedOffset> {
        type Error = NotAnInstant;

        fn try_from(cosem: DateTime) -> Result<Self, NotAnInstant> {
            let deviation = cosem.deviation().ok_or(NotAnInstant)?;
            let offset = FixedOffset::west_opt(i32::from(deviation) * 60).ok_or(NotAnInstant)?;
            offset.from_local_datetime(&cosem.try_into()?).single().ok_or(NotAnInstant)
        }
    }

    /// The local time; a deviation is ignored.
    impl TryFrom<DateTime> for NaiveDateTime {
        type Error = NotAnInstant;

        fn try_from(cosem: DateTime) -> Result<Self, NotAnInstant> {
            let seconds = cosem.local_seconds().ok_or(NotAnInstant)?;
            chrono::DateTime::from_timestamp(seconds, cosem.nanoseconds())
                .map(|time| time.naive_utc())
                .ok_or(NotAnInstant)
        }
    }

    impl<Z: TimeZone> TryFrom<chrono::DateTime<Z>> for DateTime {
        type Error = NotAnInstant;

        fn try_from(time: chrono::DateTime<Z>) -> Result<Self, NotAnInstant> {
            let west = time.offset().fix().utc_minus_local() / 60;
            let deviation = i16::try_from(west).map_err(|_| NotAnInstant)?;
            DateTime::from_unix_seconds(time.timestamp(), deviation)
                .map(|cosem| cosem.with_nanoseconds(time.nanosecond()))
                .ok_or(NotAnInstant)
        }
    }

    impl TryFrom<NaiveDateTime> for DateTime {
        type Error = NotAnInstant;

        fn try_from(time: NaiveDateTime) -> Result<Self, NotAnInstant> {
            DateTime::try_from(time.and_utc()).map(|cosem| cosem.with_deviation(None))
        }
    }

    impl TryFrom<Date> for NaiveDate {
        type Error = NotAnInstant;

        fn try_from(cosem: Date) -> Result<Self, NotAnInstant> {
            let seconds = cosem.unix_days().and_then(|days| days.checked_mul(86_400)).ok_or(NotAnInstant)?;
            chrono::DateTime::from_timestamp(seconds, 0).map(|time| time.date_naive()).ok_or(NotAnInstant)
        }
    }

    impl TryFrom<NaiveDate> for Date {
        type Error = NotAnInstant;

        fn try_from(date: NaiveDate) -> Result<Self, NotAnInstant> {
            let days = date.signed_duration_since(NaiveDate::default()).num_days();
            Date::from_unix_days(days).ok_or(NotAnInstant)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TIME: DateTime = DateTime([7, 0xE6, 12, 31, 6, 23, 59, 59, 99, 0xFF, 0xC4, 0]);

    #[cfg(feature = "time")]
    #[test]
    fn with_time() {
        use time::{OffsetDateTime, PrimitiveDateTime};
        let time = OffsetDateTime::try_from(TIME).unwrap();
        assert_eq!((time.unix_timestamp(), time.offset().whole_hours()), (1_672_527_599, 1));
        assert_eq!(DateTime::try_from(time), Ok(TIME));
        let local = PrimitiveDateTime::try_from(TIME).unwrap();
        assert_eq!(DateTime::try_from(local), Ok(TIME.with_deviation(None)));
        assert_eq!(OffsetDateTime::try_from(TIME.with_deviation(None)), Err(NotAnInstant));
        assert_eq!(Date::try_from(time::Date::try_from(TIME.date()).unwrap()), Ok(TIME.date()));
        assert_eq!(PrimitiveDateTime::try_from(DateTime::NOT_SPECIFIED), Err(NotAnInstant));
        // Years of 65534 do not exist there.
        assert!(time::Date::try_from(Date([0xFF, 0xFE, 1, 1, 0xFF])).is_err());
    }

    #[cfg(feature = "chrono")]
    #[test]
    fn with_chrono() {
        use chrono::{FixedOffset, NaiveDate, NaiveDateTime};
        let time = chrono::DateTime::<FixedOffset>::try_from(TIME).unwrap();
        assert_eq!((time.timestamp(), time.offset().local_minus_utc()), (1_672_527_599, 3600));
        assert_eq!(DateTime::try_from(time), Ok(TIME));
        let local = NaiveDateTime::try_from(TIME).unwrap();
        assert_eq!(DateTime::try_from(local), Ok(TIME.with_deviation(None)));
        assert_eq!(chrono::DateTime::<FixedOffset>::try_from(TIME.with_deviation(None)), Err(NotAnInstant));
        assert_eq!(Date::try_from(NaiveDate::try_from(TIME.date()).unwrap()), Ok(TIME.date()));
        assert_eq!(NaiveDateTime::try_from(DateTime::NOT_SPECIFIED), Err(NotAnInstant));
    }
}
