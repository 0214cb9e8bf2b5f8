//! COSEM date, time and date-time (IEC 62056-6-2, clause 4.1.6): patterns in which each field may be left open.
//!
//! | octets | field | values |
//! | --- | --- | --- |
//! | 0, 1 | year | `FFFF` not specified |
//! | 2 | month | 1 to 12, `FD` daylight saving ends, `FE` begins, `FF` not specified |
//! | 3 | day of month | 1 to 31, `FD` second last, `FE` last, `FF` not specified |
//! | 4 | day of week | 1 Monday to 7 Sunday, `FF` not specified |
//! | 5 to 8 | hour, minute, second, hundredths | `FF` not specified |
//! | 9, 10 | deviation | minutes, `8000` not specified; UTC = local time + deviation |
//! | 11 | clock status | [`ClockStatus`] |
//!
//! The octets are kept as they came: most values are patterns or have fields missing, and are no instant. The deviation
//! has the opposite sign of the offset that ISO 8601 writes.

mod calendar;
#[cfg(any(feature = "time", feature = "chrono"))]
mod convert;
mod text;

pub use calendar::NotAnInstant;
pub use text::ParseDateTimeError;

bitflags::bitflags! {
    /// The clock status octet; `FF` is [`ClockStatus::NOT_SPECIFIED`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ClockStatus: u8 {
        /// The time could not be recovered after a fault.
        const INVALID_VALUE = 0x01;
        /// The time could be recovered, but its value cannot be guaranteed.
        const DOUBTFUL_VALUE = 0x02;
        /// The clock runs on another base than configured.
        const DIFFERENT_CLOCK_BASE = 0x04;
        /// At least one bit of the status is not valid.
        const INVALID_CLOCK_STATUS = 0x08;
        /// Daylight saving is in force; the deviation includes it.
        const DAYLIGHT_SAVING_ACTIVE = 0x80;
        /// Every bit set: no status is given.
        const NOT_SPECIFIED = 0xFF;
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for ClockStatus {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "ClockStatus({=u8:#x})", self.bits());
    }
}

/// A date of five octets: year (2), month, day of month, day of week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Date(pub [u8; 5]);

/// A time of day of four octets: hour, minute, second, hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Time(pub [u8; 4]);

/// A date-time of twelve octets: date (5), time (4), deviation from UTC in minutes (2), clock status.
///
/// ```
/// use dlms_axdr::{ClockStatus, DateTime};
/// let midnight: DateTime = "2026-01-05 00:00:00 +01:00".parse()?;
/// assert_eq!(midnight.deviation(), Some(-60));
/// assert_eq!(midnight.unix_seconds(), Some(1_767_567_600));
/// # Ok::<(), dlms_axdr::ParseDateTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DateTime(pub [u8; 12]);

/// The month of a [`Date`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Month {
    /// 1 January to 12 December.
    Number(u8),
    /// The month in which daylight saving ends.
    DaylightSavingsEnd,
    /// The month in which daylight saving begins.
    DaylightSavingsBegin,
    /// Any month.
    NotSpecified,
    /// No value of the standard.
    Reserved(u8),
}

/// The day of month of a [`Date`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayOfMonth {
    /// 1 to 31.
    Number(u8),
    /// The last day but one; with a day of week, the last but one of these.
    SecondLast,
    /// The last day; with a day of week, the last of these.
    Last,
    /// Any day.
    NotSpecified,
    /// No value of the standard.
    Reserved(u8),
}

const NOT_SPECIFIED: u8 = 0xFF;

const fn specified(octet: u8) -> Option<u8> {
    if octet == NOT_SPECIFIED { None } else { Some(octet) }
}

const fn octet(field: Option<u8>) -> u8 {
    match field {
        Some(octet) => octet,
        None => NOT_SPECIFIED,
    }
}

impl Date {
    /// Any date.
    pub const NOT_SPECIFIED: Self = Self([NOT_SPECIFIED; 5]);

    /// A date or a pattern of dates; a day of week is 1 Monday to 7 Sunday.
    pub const fn new(
        year: Option<u16>,
        month: Month,
        day_of_month: DayOfMonth,
        day_of_week: Option<u8>,
    ) -> Self {
        let [high, low] = match year {
            Some(year) => year.to_be_bytes(),
            None => [NOT_SPECIFIED; 2],
        };
        Self([high, low, month.octet(), day_of_month.octet(), octet(day_of_week)])
    }

    /// The year.
    pub const fn year(&self) -> Option<u16> {
        match u16::from_be_bytes([self.0[0], self.0[1]]) {
            0xFFFF => None,
            year => Some(year),
        }
    }

    /// The month.
    pub const fn month(&self) -> Month {
        Month::from_octet(self.0[2])
    }

    /// The day of month.
    pub const fn day_of_month(&self) -> DayOfMonth {
        DayOfMonth::from_octet(self.0[3])
    }

    /// The day of week, 1 Monday to 7 Sunday.
    pub const fn day_of_week(&self) -> Option<u8> {
        specified(self.0[4])
    }
}

impl Time {
    /// Any time.
    pub const NOT_SPECIFIED: Self = Self([NOT_SPECIFIED; 4]);
    /// The beginning of a day, to the hundredth of a second.
    pub const MIDNIGHT: Self = Self([0; 4]);

    /// A time of day or a pattern of these.
    pub const fn new(
        hour: Option<u8>,
        minute: Option<u8>,
        second: Option<u8>,
        hundredths: Option<u8>,
    ) -> Self {
        Self([octet(hour), octet(minute), octet(second), octet(hundredths)])
    }

    /// The hour.
    pub const fn hour(&self) -> Option<u8> {
        specified(self.0[0])
    }

    /// The minute.
    pub const fn minute(&self) -> Option<u8> {
        specified(self.0[1])
    }

    /// The second.
    pub const fn second(&self) -> Option<u8> {
        specified(self.0[2])
    }

    /// The hundredths of a second.
    pub const fn hundredths(&self) -> Option<u8> {
        specified(self.0[3])
    }

    /// Whether every field is in its range or not specified.
    pub const fn is_valid(&self) -> bool {
        const fn in_range(field: u8, end: u8) -> bool {
            field < end || field == NOT_SPECIFIED
        }
        let [hour, minute, second, hundredths] = self.0;
        in_range(hour, 24) && in_range(minute, 60) && in_range(second, 60) && in_range(hundredths, 100)
    }

    /// Whether `time` is one of those that this pattern stands for. Where `time` leaves second or hundredths open,
    /// they count as 0.
    pub fn matches(&self, time: Time) -> bool {
        let fields = core::iter::zip(self.0, time.0);
        fields.enumerate().all(|(index, (pattern, field))| {
            let field = if index >= 2 && field == NOT_SPECIFIED { 0 } else { field };
            pattern == NOT_SPECIFIED || pattern == field
        })
    }
}

impl DateTime {
    /// Nothing specified: the usual "never".
    pub const NOT_SPECIFIED: Self =
        Self::new(Date::NOT_SPECIFIED, Time::NOT_SPECIFIED, None, ClockStatus::NOT_SPECIFIED);

    /// A date-time of its parts; the deviation is in minutes, UTC = local time + deviation.
    pub const fn new(date: Date, time: Time, deviation: Option<i16>, clock_status: ClockStatus) -> Self {
        let [a, b, c, d, e] = date.0;
        let [f, g, h, i] = time.0;
        let [j, k] = match deviation {
            Some(minutes) => minutes.to_be_bytes(),
            None => DEVIATION_NOT_SPECIFIED.to_be_bytes(),
        };
        Self([a, b, c, d, e, f, g, h, i, j, k, clock_status.bits()])
    }

    /// The date.
    pub const fn date(&self) -> Date {
        let [a, b, c, d, e, ..] = self.0;
        Date([a, b, c, d, e])
    }

    /// The time of day.
    pub const fn time(&self) -> Time {
        let [_, _, _, _, _, f, g, h, i, ..] = self.0;
        Time([f, g, h, i])
    }

    /// Minutes to add to local time to have UTC: −60 in Central Europe in winter.
    pub const fn deviation(&self) -> Option<i16> {
        match i16::from_be_bytes([self.0[9], self.0[10]]) {
            DEVIATION_NOT_SPECIFIED => None,
            minutes => Some(minutes),
        }
    }

    /// The clock status, reserved bits included.
    pub const fn clock_status(&self) -> ClockStatus {
        ClockStatus::from_bits_retain(self.0[11])
    }

    /// The same with another date.
    #[must_use]
    pub const fn with_date(&self, date: Date) -> Self {
        Self::new(date, self.time(), self.deviation(), self.clock_status())
    }

    /// The same with another time of day.
    #[must_use]
    pub const fn with_time(&self, time: Time) -> Self {
        Self::new(self.date(), time, self.deviation(), self.clock_status())
    }

    /// The same local time with another deviation.
    #[must_use]
    pub const fn with_deviation(&self, deviation: Option<i16>) -> Self {
        Self::new(self.date(), self.time(), deviation, self.clock_status())
    }

    /// The same with another clock status.
    #[must_use]
    pub const fn with_clock_status(&self, clock_status: ClockStatus) -> Self {
        Self::new(self.date(), self.time(), self.deviation(), clock_status)
    }

    /// Whether every field is in its range or not specified, and date and day of week agree.
    pub fn is_valid(&self) -> bool {
        self.date().is_valid()
            && self.time().is_valid()
            && self.deviation().is_none_or(|minutes| (-720..=720).contains(&minutes))
    }

    /// Whether the local time `instant` is one of those that this pattern stands for. Deviation and clock status are no
    /// part of a pattern.
    pub fn matches(&self, instant: DateTime) -> bool {
        self.date().matches(instant.date()) && self.time().matches(instant.time())
    }
}

const DEVIATION_NOT_SPECIFIED: i16 = i16::MIN;

impl Month {
    /// The month of this octet.
    pub const fn from_octet(octet: u8) -> Self {
        match octet {
            1..=12 => Self::Number(octet),
            0xFD => Self::DaylightSavingsEnd,
            0xFE => Self::DaylightSavingsBegin,
            NOT_SPECIFIED => Self::NotSpecified,
            _ => Self::Reserved(octet),
        }
    }

    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Number(octet) | Self::Reserved(octet) => octet,
            Self::DaylightSavingsEnd => 0xFD,
            Self::DaylightSavingsBegin => 0xFE,
            Self::NotSpecified => NOT_SPECIFIED,
        }
    }
}

impl DayOfMonth {
    /// The day of this octet.
    pub const fn from_octet(octet: u8) -> Self {
        match octet {
            1..=31 => Self::Number(octet),
            0xFD => Self::SecondLast,
            0xFE => Self::Last,
            NOT_SPECIFIED => Self::NotSpecified,
            _ => Self::Reserved(octet),
        }
    }

    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Number(octet) | Self::Reserved(octet) => octet,
            Self::SecondLast => 0xFD,
            Self::Last => 0xFE,
            Self::NotSpecified => NOT_SPECIFIED,
        }
    }
}

impl From<[u8; 12]> for DateTime {
    fn from(octets: [u8; 12]) -> Self {
        Self(octets)
    }
}

impl From<[u8; 5]> for Date {
    fn from(octets: [u8; 5]) -> Self {
        Self(octets)
    }
}

impl From<[u8; 4]> for Time {
    fn from(octets: [u8; 4]) -> Self {
        Self(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let time = DateTime([7, 0xD2, 12, 4, 3, 10, 6, 11, 0xFF, 0, 0x78, 0]);
        assert_eq!(time.date().year(), Some(2002));
        assert_eq!(time.date().month(), Month::Number(12));
        assert_eq!(time.date().day_of_month(), DayOfMonth::Number(4));
        assert_eq!(time.date().day_of_week(), Some(3));
        assert_eq!(time.time(), Time::new(Some(10), Some(6), Some(11), None));
        assert_eq!(time.deviation(), Some(120));
        assert_eq!(time.clock_status(), ClockStatus::empty());
        assert!(time.is_valid());
        assert!(!time.with_time(Time([24, 0, 0, 0])).is_valid());
        assert!(!time.with_deviation(Some(721)).is_valid());
    }

    #[test]
    fn never() {
        let octets = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0, 0xFF];
        assert_eq!(DateTime::NOT_SPECIFIED, DateTime(octets));
        assert!(DateTime::NOT_SPECIFIED.is_valid());
    }

    #[test]
    fn special_octets_keep_their_value() {
        for octet in 0..=255 {
            assert_eq!(Month::from_octet(octet).octet(), octet);
            assert_eq!(DayOfMonth::from_octet(octet).octet(), octet);
        }
    }

    #[test]
    fn times_as_patterns() {
        let hourly = Time::new(None, Some(0), Some(0), None);
        assert!(hourly.matches(Time([7, 0, 0, 50])));
        assert!(hourly.matches(Time([7, 0, 0xFF, 0xFF])), "no second is second 0");
        assert!(!hourly.matches(Time([7, 1, 0, 0])));
        assert!(Time::NOT_SPECIFIED.matches(Time::MIDNIGHT));
    }
}
