//! Clock (class_id 8): date and time, deviation, daylight saving, adjustment.
//!
//! time_zone has the sign of the deviation: UTC = local time + time_zone, −60 for Central European Time. While daylight
//! saving is active the deviation is time_zone − daylight_savings_deviation, and status bit 7 is set.

use core::time::Duration;

use dlms_axdr::{ClockStatus, Data, DateTime, FromData};
use dlms_obis::LogicalName;

use crate::behaviour::{Tick, WallTime};
use crate::macros::{enumeration, interface_class};
use crate::object::raise;
use crate::{ActionResult, Any, DataAccessResult, Effect, Effects, calendar};

/// The hardware behind a Clock: it counts UTC.
pub trait ClockSource {
    /// Milliseconds since 1970-01-01 UTC, if the time is known.
    fn unix_milliseconds(&self) -> Option<i64>;

    /// Sets the time.
    ///
    /// # Errors
    /// The hardware does not take it.
    fn set(&mut self, unix_milliseconds: i64) -> Result<(), DataAccessResult>;

    /// Time has passed, for a source that does not count by itself. `now` is measured from an origin of the caller's.
    fn advance(&mut self, _now: Duration) {}
}

/// A clock source that counts the caller's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoftwareClock {
    now: Duration,
    /// UTC at the origin of the caller's time.
    origin: Option<i64>,
}

enumeration! {
    /// Where a clock takes its time from.
    ClockBase, "clock-base" {
        /// Not defined.
        NotDefined = 0,
        /// A crystal of its own.
        InternalCrystal = 1,
        /// The mains, 50 Hz.
        MainsFrequency50Hz = 2,
        /// The mains, 60 Hz.
        MainsFrequency60Hz = 3,
        /// The global positioning system.
        Gps = 4,
        /// A radio signal.
        RadioControlled = 5,
    }
}

/// Clock.
#[derive(Clone, Debug)]
pub struct Clock<S> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Where the time comes from.
    pub source: S,
    /// Attribute 3, in minutes.
    pub time_zone: i16,
    /// Attribute 4, without the bit for daylight saving.
    pub status: ClockStatus,
    /// Attribute 5: local standard time, unless it has a deviation of its own.
    pub daylight_savings_begin: DateTime,
    /// Attribute 6: local daylight saving time, unless it has a deviation of its own.
    pub daylight_savings_end: DateTime,
    /// Attribute 7, in minutes.
    pub daylight_savings_deviation: i8,
    /// Attribute 8.
    pub daylight_savings_enabled: bool,
    /// Attribute 9.
    pub clock_base: ClockBase,
    /// The period to which `adjust_to_measuring_period` rounds, in seconds.
    pub measuring_period: u32,
    preset: Option<Preset>,
}

/// A time to be set if the clock is found within an interval. All in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug)]
struct Preset {
    time: i64,
    interval_start: i64,
    interval_end: i64,
}

impl SoftwareClock {
    /// A clock whose time is not known yet.
    pub const fn new() -> Self {
        Self { now: Duration::ZERO, origin: None }
    }

    /// A clock that shows `unix_milliseconds` at `now`.
    pub const fn starting_at(unix_milliseconds: i64, now: Duration) -> Self {
        Self { now, origin: Some(unix_milliseconds.saturating_sub(calendar::milliseconds(now))) }
    }
}

impl ClockSource for SoftwareClock {
    fn unix_milliseconds(&self) -> Option<i64> {
        self.origin?.checked_add(calendar::milliseconds(self.now))
    }

    fn set(&mut self, unix_milliseconds: i64) -> Result<(), DataAccessResult> {
        let origin = unix_milliseconds.checked_sub(calendar::milliseconds(self.now));
        self.origin = Some(origin.ok_or(DataAccessResult::OtherReason)?);
        Ok(())
    }

    fn advance(&mut self, now: Duration) {
        self.now = now;
    }
}

impl<S: ClockSource> Clock<S> {
    /// A clock without daylight saving.
    pub const fn new(logical_name: LogicalName, source: S, time_zone: i16) -> Self {
        Self {
            logical_name,
            source,
            time_zone,
            status: ClockStatus::empty(),
            daylight_savings_begin: DateTime::NOT_SPECIFIED,
            daylight_savings_end: DateTime::NOT_SPECIFIED,
            daylight_savings_deviation: 0,
            daylight_savings_enabled: false,
            clock_base: ClockBase::InternalCrystal,
            measuring_period: 900,
            preset: None,
        }
    }

    /// The daylight saving of the European Union: from the last Sunday of March, 01:00 UTC, to the last Sunday of
    /// October, 01:00 UTC, by an hour.
    pub fn with_european_summer_time(mut self) -> Self {
        let hour = (1 - self.time_zone.div_euclid(60)).rem_euclid(24) as u8;
        let [standard_high, standard_low] = self.time_zone.to_be_bytes();
        let [summer_high, summer_low] = self.time_zone.saturating_sub(60).to_be_bytes();
        self.daylight_savings_begin =
            DateTime([0xFF, 0xFF, 3, 0xFE, 7, hour, 0, 0, 0, standard_high, standard_low, 0x00]);
        self.daylight_savings_end =
            DateTime([0xFF, 0xFF, 10, 0xFE, 7, hour + 1, 0, 0, 0, summer_high, summer_low, 0x80]);
        self.daylight_savings_deviation = 60;
        self.daylight_savings_enabled = true;
        self
    }

    /// The reading at an instant given in milliseconds since 1970-01-01 UTC.
    pub fn reading(&self, unix_milliseconds: i64) -> WallTime {
        let summer = self.is_daylight_saving(unix_milliseconds);
        let mut status = self.status;
        status.set(ClockStatus::DAYLIGHT_SAVING_ACTIVE, summer);
        let deviation = if summer { self.daylight_deviation() } else { self.time_zone };
        WallTime { unix_milliseconds, deviation, status }
    }

    /// The instant that a local date-time means, in milliseconds since 1970-01-01 UTC. Without a deviation it is
    /// local time as the clock would show it then; of an hour that comes twice, the first.
    pub fn instant(&self, date_time: &DateTime) -> Option<i64> {
        let local = calendar::local_milliseconds(date_time)?;
        let at = |deviation: i16| local.saturating_add(i64::from(deviation) * 60_000);
        Some(match date_time.deviation() {
            Some(deviation) => at(deviation),
            None if self.is_daylight_saving(at(self.daylight_deviation())) => at(self.daylight_deviation()),
            None => at(self.time_zone),
        })
    }

    fn daylight_deviation(&self) -> i16 {
        self.time_zone.saturating_sub(self.daylight_savings_deviation.into())
    }

    fn is_daylight_saving(&self, unix_milliseconds: i64) -> bool {
        if !self.daylight_savings_enabled {
            return false;
        }
        let local = unix_milliseconds.saturating_sub(i64::from(self.time_zone) * 60_000);
        let Some(year) = calendar::year(calendar::div_rem(local, calendar::DAY * 1000).0) else {
            return false;
        };
        let change = |pattern: &DateTime, deviation: i16| {
            let deviation = pattern.deviation().unwrap_or(deviation);
            calendar::occurrence_in_year(pattern, year)?.checked_add(i64::from(deviation) * 60_000)
        };
        let begin = change(&self.daylight_savings_begin, self.time_zone);
        let end = change(&self.daylight_savings_end, self.daylight_deviation());
        match (begin, end) {
            (Some(begin), Some(end)) if begin < end => (begin..end).contains(&unix_milliseconds),
            (Some(begin), Some(end)) => !(end..begin).contains(&unix_milliseconds),
            _ => false,
        }
    }

    fn set_time(&mut self, unix_milliseconds: i64, effects: &mut Effects) -> Result<(), DataAccessResult> {
        let before = self.source.unix_milliseconds();
        self.source.set(unix_milliseconds)?;
        self.status.remove(ClockStatus::INVALID_VALUE | ClockStatus::DOUBTFUL_VALUE);
        let milliseconds = before.map_or(0, |before| unix_milliseconds.saturating_sub(before));
        raise(effects, Effect::ClockAdjusted { clock: self.logical_name, milliseconds });
        Ok(())
    }

    /// Sets the clock to the nearest multiple of `period` seconds of local time.
    fn round(&mut self, period: u32, effects: &mut Effects) -> Result<(), ActionResult> {
        let now = self.source.unix_milliseconds().ok_or(ActionResult::TemporaryFailure)?;
        let deviation = i64::from(self.reading(now).deviation) * 60_000;
        let period = i64::from(period.max(1)) * 1000;
        let middle = now.saturating_sub(deviation).saturating_add(period / 2);
        let begun = calendar::div_rem(middle, period).1;
        let rounded = middle.saturating_sub(begun).saturating_add(deviation);
        self.set_time(rounded, effects).map_err(|_| ActionResult::HardwareFault)
    }

    fn take_preset(&mut self, parameter: Data<'_>) -> Result<(), ActionResult> {
        let (time, start, end): (DateTime, DateTime, DateTime) = FromData::from_data(parameter)?;
        let instant = |value: &DateTime| self.instant(value).ok_or(ActionResult::OtherReason);
        let preset =
            Preset { time: instant(&time)?, interval_start: instant(&start)?, interval_end: instant(&end)? };
        self.preset = Some(preset);
        Ok(())
    }

    fn adjust_to_preset(&mut self, effects: &mut Effects) -> Result<(), ActionResult> {
        let now = self.source.unix_milliseconds().ok_or(ActionResult::TemporaryFailure)?;
        let preset = self.preset.ok_or(ActionResult::OtherReason)?;
        if !(preset.interval_start..=preset.interval_end).contains(&now) {
            return Err(ActionResult::OtherReason);
        }
        self.preset = None;
        self.set_time(preset.time, effects).map_err(|_| ActionResult::HardwareFault)
    }

    fn shift(&mut self, seconds: i16, effects: &mut Effects) -> Result<(), ActionResult> {
        if !(-900..=900).contains(&seconds) {
            return Err(ActionResult::OtherReason);
        }
        let now = self.source.unix_milliseconds().ok_or(ActionResult::TemporaryFailure)?;
        self.set_time(now.saturating_add(i64::from(seconds) * 1000), effects)
            .map_err(|_| ActionResult::HardwareFault)
    }
}

/// A clock that is only named.
impl ClockSource for () {
    fn unix_milliseconds(&self) -> Option<i64> {
        None
    }

    fn set(&mut self, _: i64) -> Result<(), DataAccessResult> {
        Err(DataAccessResult::HardwareFault)
    }
}

interface_class! {
    class 8 "Clock" version 0, first method at Some(0x60);
    constants on Clock<()>;
    object impl[S: ClockSource] Clock<S>;
    attributes {
        2 time TIME: DateTime = "octet-string(date-time)" dynamic
            get(object, get) {
                let time = match object.source.unix_milliseconds() {
                    Some(now) => object.reading(now).date_time(),
                    None => DateTime::NOT_SPECIFIED,
                };
                Ok(get.encoder.data(&time)?)
            }
            set(object, set) {
                let time = DateTime::from_data(set.value)?;
                let instant = object.instant(&time).ok_or(DataAccessResult::OtherReason)?;
                object.set_time(instant, set.effects)
            }
        3 time_zone TIME_ZONE: i16 = "long" static
            get(object, get) { Ok(get.encoder.data(&object.time_zone)?) }
            set(object, set) {
                let minutes = i16::from_data(set.value)?;
                if !(-720..=840).contains(&minutes) {
                    return Err(DataAccessResult::OtherReason);
                }
                object.time_zone = minutes;
                Ok(())
            }
        4 status STATUS: u8 = "unsigned:clock_status" dynamic
            get(object, get) {
                let status = match object.source.unix_milliseconds() {
                    Some(now) => object.reading(now).status,
                    None => object.status | ClockStatus::INVALID_VALUE,
                };
                Ok(get.encoder.data(&status.bits())?)
            }
        5 daylight_savings_begin DAYLIGHT_SAVINGS_BEGIN: DateTime = "octet-string(date-time)" static
            get(object, get) { Ok(get.encoder.data(&object.daylight_savings_begin)?) }
            set(object, set) {
                object.daylight_savings_begin = DateTime::from_data(set.value)?;
                Ok(())
            }
        6 daylight_savings_end DAYLIGHT_SAVINGS_END: DateTime = "octet-string(date-time)" static
            get(object, get) { Ok(get.encoder.data(&object.daylight_savings_end)?) }
            set(object, set) {
                object.daylight_savings_end = DateTime::from_data(set.value)?;
                Ok(())
            }
        7 daylight_savings_deviation DAYLIGHT_SAVINGS_DEVIATION: i8 = "integer" static
            get(object, get) { Ok(get.encoder.data(&object.daylight_savings_deviation)?) }
            set(object, set) {
                let minutes = i8::from_data(set.value)?;
                if !(-120..=120).contains(&minutes) {
                    return Err(DataAccessResult::OtherReason);
                }
                object.daylight_savings_deviation = minutes;
                Ok(())
            }
        8 daylight_savings_enabled DAYLIGHT_SAVINGS_ENABLED: bool = "boolean" static
            get(object, get) { Ok(get.encoder.data(&object.daylight_savings_enabled)?) }
            set(object, set) {
                object.daylight_savings_enabled = bool::from_data(set.value)?;
                Ok(())
            }
        9 clock_base CLOCK_BASE: ClockBase = "enum:clock_base" static
            get(object, get) { Ok(get.encoder.data(&object.clock_base)?) }
    }
    methods {
        1 adjust_to_quarter ADJUST_TO_QUARTER: i8 = "integer(0)" optional (object, call) {
            object.round(900, call.effects)
        }
        2 adjust_to_measuring_period ADJUST_TO_MEASURING_PERIOD: i8 = "integer(0)" optional (object, call) {
            object.round(object.measuring_period, call.effects)
        }
        3 adjust_to_minute ADJUST_TO_MINUTE: i8 = "integer(0)" optional (object, call) {
            object.round(60, call.effects)
        }
        4 adjust_to_preset_time ADJUST_TO_PRESET_TIME: i8 = "integer(0)" optional (object, call) {
            object.adjust_to_preset(call.effects)
        }
        5 preset_adjusting_time PRESET_ADJUSTING_TIME: Any = "structure{preset_time: octet-string(date-time), validity_interval_start: octet-string(date-time), validity_interval_end: octet-string(date-time)}" optional (object, call) {
            object.take_preset(call.parameter)
        }
        6 shift_time SHIFT_TIME: i16 = "long" optional (object, call) {
            object.shift(i16::from_data(call.parameter)?, call.effects)
        }
    }
    behaviour {
        fn tick(&mut self, tick: &Tick, _effects: &mut Effects) {
            self.source.advance(tick.now);
        }

        fn wall_time(&self) -> Option<WallTime> {
            Some(self.reading(self.source.unix_milliseconds()?))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dlms_axdr::{Encode, Encoder};

    use super::*;
    use crate::Object;

    /// 2026-03-29 01:00:00 UTC, when summer time begins in Europe.
    const BEGIN: i64 = 1_774_746_000_000;
    /// 2026-10-25 01:00:00 UTC, when it ends.
    const END: i64 = 1_792_890_000_000;

    fn clock() -> Clock<SoftwareClock> {
        let name = LogicalName::new(0, 0, 1, 0, 0, 255);
        Clock::new(name, SoftwareClock::new(), -60).with_european_summer_time()
    }

    #[test]
    fn european_summer_time() {
        let clock = clock();
        assert_eq!(clock.daylight_savings_begin.0[..8], [0xFF, 0xFF, 3, 0xFE, 7, 2, 0, 0]);
        assert_eq!(clock.daylight_savings_end.0[..8], [0xFF, 0xFF, 10, 0xFE, 7, 3, 0, 0]);
        let shown = |instant| clock.reading(instant).date_time().0;
        assert_eq!(shown(BEGIN - 1000)[5..], [1, 59, 59, 0, 0xFF, 0xC4, 0x00]);
        assert_eq!(shown(BEGIN)[5..], [3, 0, 0, 0, 0xFF, 0x88, 0x80]);
        assert_eq!(shown(END - 1000)[5..], [2, 59, 59, 0, 0xFF, 0x88, 0x80]);
        assert_eq!(shown(END)[5..], [2, 0, 0, 0, 0xFF, 0xC4, 0x00]);
    }

    #[test]
    fn a_southern_summer_crosses_the_year() {
        let mut clock = clock();
        core::mem::swap(&mut clock.daylight_savings_begin, &mut clock.daylight_savings_end);
        assert!(!clock.is_daylight_saving(1_782_864_000_000), "2026-07-01");
        assert!(clock.is_daylight_saving(1_767_225_600_000), "2026-01-01");
    }

    #[test]
    fn local_time_without_deviation_is_understood_as_shown() {
        let clock = clock();
        let at = |hour, minute, month, day| {
            clock.instant(&DateTime([0x07, 0xEA, month, day, 0xFF, hour, minute, 0, 0, 0x80, 0, 0xFF]))
        };
        assert_eq!(at(1, 59, 3, 29), Some(BEGIN - 60_000));
        assert_eq!(at(3, 0, 3, 29), Some(BEGIN));
        assert_eq!(at(2, 30, 10, 25), Some(END - 30 * 60_000), "the first of two");
        assert_eq!(at(3, 0, 10, 25), Some(END + 3_600_000));
    }

    fn invoke(clock: &mut Clock<SoftwareClock>, method: i8, parameter: Data<'_>) -> Result<(), ActionResult> {
        clock.invoke(method, parameter, &mut Effects::new(), &mut Encoder::new(&mut []))
    }

    #[test]
    fn adjusting() {
        let mut clock = clock();
        assert_eq!(invoke(&mut clock, 1, Data::Integer(0)), Err(ActionResult::TemporaryFailure));
        clock.source = SoftwareClock::starting_at(BEGIN + 437_000, Duration::ZERO);
        invoke(&mut clock, 3, Data::Integer(0)).unwrap();
        assert_eq!(clock.source.unix_milliseconds(), Some(BEGIN + 420_000));
        invoke(&mut clock, 1, Data::Integer(0)).unwrap();
        assert_eq!(clock.source.unix_milliseconds(), Some(BEGIN));
        invoke(&mut clock, 6, Data::Long(-900)).unwrap();
        assert_eq!(clock.source.unix_milliseconds(), Some(BEGIN - 900_000));
        assert_eq!(invoke(&mut clock, 6, Data::Long(901)), Err(ActionResult::OtherReason));
        assert_eq!(invoke(&mut clock, 6, Data::NullData), Err(ActionResult::TypeUnmatched));
        assert_eq!(invoke(&mut clock, 7, Data::NullData), Err(ActionResult::ReadWriteDenied));
    }

    #[test]
    fn preset_time_applies_within_its_interval() {
        let mut clock = clock();
        clock.source = SoftwareClock::starting_at(BEGIN, Duration::ZERO);
        assert_eq!(invoke(&mut clock, 4, Data::Integer(0)), Err(ActionResult::OtherReason));
        let times = [BEGIN + 5000, BEGIN - 1000, BEGIN + 1000].map(|time| clock.reading(time).date_time());
        let mut buffer = [0; 64];
        let mut encoder = Encoder::new(&mut buffer);
        (times[0], times[1], times[2]).encode(&mut encoder).unwrap();
        let length = encoder.len();
        invoke(&mut clock, 5, Data::from_octets(&buffer[..length]).unwrap()).unwrap();
        invoke(&mut clock, 4, Data::Integer(0)).unwrap();
        assert_eq!(clock.source.unix_milliseconds(), Some(BEGIN + 5000));
    }
}
