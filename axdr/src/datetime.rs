//! COSEM date, time and date-time (IEC 62056-6-2, clause 4.1.6): patterns in which each field may be left open.

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

/// A date of five octets: year (2), month, day of month, day of week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub [u8; 5]);

/// A time of day of four octets: hour, minute, second, hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub [u8; 4]);

/// A date-time of twelve octets: date (5), time (4), deviation from UTC in minutes (2), clock status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(pub [u8; 12]);
