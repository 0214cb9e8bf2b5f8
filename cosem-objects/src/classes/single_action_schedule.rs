//! Single action schedule (class_id 22): one script, executed at listed times and dates.
//!
//! Times are local. An action that falls into a power failure or into the hour that summer time takes away is executed
//! once, when the clock is found past it; the hour that comes twice in autumn executes it the first time.

use dlms_axdr::{Array, BufferFull, Data, Date, Encode, Encoder, FromData, Time, TypeMismatch};
use dlms_obis::LogicalName;

use crate::behaviour::{Tick, WallTime};
use crate::macros::{enumeration, interface_class};
use crate::object::raise;
use crate::{ActionItem, DataAccessResult, Effect, Effects, ListOf, calendar};

enumeration! {
    /// What the execution times of a schedule may look like.
    ScheduleType, "single-action-schedule-type" {
        /// One entry; its date may have wildcards.
        OneEntry = 1,
        /// Several entries at the same time of day, without wildcards.
        SameTime = 2,
        /// Several entries at the same time of day, whose dates may have wildcards.
        SameTimeWildcards = 3,
        /// Several entries at times of their own, without wildcards.
        AnyTime = 4,
        /// Several entries at times of their own, whose dates may have wildcards.
        AnyTimeWildcards = 5,
    }
}

/// When a script is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionTime {
    /// The time of day; the hour is given.
    pub time: Time,
    /// The date, which may have wildcards.
    pub date: Date,
}

/// Single action schedule with room for `ENTRIES` execution times.
#[derive(Clone, Debug)]
pub struct SingleActionSchedule<const ENTRIES: usize> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2.
    pub executed_script: ActionItem,
    schedule_type: ScheduleType,
    execution_time: heapless::Vec<ExecutionTime, ENTRIES>,
    /// Local time up to which actions were executed, in milliseconds.
    done_until: Option<i64>,
}

impl<const ENTRIES: usize> SingleActionSchedule<ENTRIES> {
    /// A schedule without execution times.
    pub const fn new(
        logical_name: LogicalName,
        executed_script: ActionItem,
        schedule_type: ScheduleType,
    ) -> Self {
        Self {
            logical_name,
            executed_script,
            schedule_type,
            execution_time: heapless::Vec::new(),
            done_until: None,
        }
    }

    /// Attribute 4.
    pub fn execution_time(&self) -> &[ExecutionTime] {
        &self.execution_time
    }

    /// Sets attribute 4.
    ///
    /// # Errors
    /// The times do not agree with the type of the schedule, or there are too many.
    pub fn set_execution_time(&mut self, times: &[ExecutionTime]) -> Result<(), DataAccessResult> {
        check(self.schedule_type, times)?;
        self.execution_time = heapless::Vec::from_slice(times).map_err(|_| DataAccessResult::OtherReason)?;
        Ok(())
    }

    fn advance(&mut self, wall: &WallTime, effects: &mut Effects) {
        let now = wall.local_milliseconds();
        let Some(done_until) = self.done_until else {
            self.done_until = Some(now);
            return;
        };
        if now <= done_until {
            // An hour less is the end of summer time or a small correction; more is a clock that was set.
            if done_until.saturating_sub(now) > LARGEST_STEP_BACK {
                self.done_until = Some(now);
            }
            return;
        }
        self.done_until = Some(now);
        if self.execution_time.iter().any(|entry| entry.falls_between(done_until, now)) {
            let ActionItem { script_logical_name: script_table, script_selector: selector } =
                self.executed_script;
            raise(effects, Effect::ExecuteScript { script_table, selector });
        }
    }
}

/// By how many milliseconds local time may go back without the clock having been set.
const LARGEST_STEP_BACK: i64 = 2 * 3_600_000;

/// How many days back a missed action is looked for.
const LONGEST_GAP: i64 = 366;

impl ExecutionTime {
    /// Whether the entry is met after `from` and not after `to`, in milliseconds of local time.
    fn falls_between(&self, from: i64, to: i64) -> bool {
        let Some(time) = calendar::time_of_day(&self.time) else { return false };
        let day = |local: i64| local.div_euclid(calendar::DAY * 1000);
        (day(from).max(day(to) - LONGEST_GAP)..=day(to)).any(|days| {
            let due = calendar::start_of(days).and_then(|start| start.checked_add(time * 1000));
            due.is_some_and(|due| from < due && due <= to) && calendar::date_matches(&self.date, days)
        })
    }
}

fn check(schedule_type: ScheduleType, times: &[ExecutionTime]) -> Result<(), DataAccessResult> {
    use ScheduleType::{AnyTime, AnyTimeWildcards, OneEntry, SameTime, SameTimeWildcards};
    let well_formed =
        times.iter().all(|entry| calendar::time_of_day(&entry.time).is_some() && entry.date.is_valid());
    let same_time = times.windows(2).all(|pair| pair[0].time == pair[1].time);
    let wildcards = times.iter().any(|entry| calendar::has_wildcard(&entry.date));
    let allowed = match schedule_type {
        OneEntry => times.len() <= 1,
        SameTime => same_time && !wildcards,
        SameTimeWildcards => same_time,
        AnyTime => !wildcards,
        AnyTimeWildcards => true,
    };
    if well_formed && allowed { Ok(()) } else { Err(DataAccessResult::OtherReason) }
}

impl Encode for ExecutionTime {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (self.time, self.date).encode(encoder)
    }
}

impl FromData<'_> for ExecutionTime {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        let (time, date) = FromData::from_data(data)?;
        Ok(Self { time, date })
    }
}

impl crate::AttributeType for ExecutionTime {
    type Value<'a> = Self;

    fn decode(data: Data<'_>) -> Result<Self, TypeMismatch> {
        Self::from_data(data)
    }
}

interface_class! {
    class 22 "Single action schedule" version 0, first method at None;
    constants on SingleActionSchedule<0>;
    object impl[const ENTRIES: usize] SingleActionSchedule<ENTRIES>;
    attributes {
        2 executed_script EXECUTED_SCRIPT: ActionItem = "@action_item" static
            get(object, get) { Ok(get.encoder.data(&object.executed_script)?) }
            set(object, set) {
                object.executed_script = ActionItem::from_data(set.value)?;
                Ok(())
            }
        3 type TYPE: ScheduleType = "enum:single_action_schedule_type" static
            get(object, get) { Ok(get.encoder.data(&object.schedule_type)?) }
            set(object, set) {
                let schedule_type = ScheduleType::from_data(set.value)?;
                check(schedule_type, &object.execution_time)?;
                object.schedule_type = schedule_type;
                Ok(())
            }
        4 execution_time EXECUTION_TIME: ListOf<ExecutionTime> = "array<structure{time: octet-string(time), date: octet-string(date)}>" static
            get(object, get) { Ok(get.encoder.data(&Array(&object.execution_time))?) }
            set(object, set) {
                let Data::Array(entries) = set.value else { return Err(DataAccessResult::TypeUnmatched) };
                let mut times = heapless::Vec::<_, ENTRIES>::new();
                for entry in entries {
                    times
                        .push(ExecutionTime::from_data(entry)?)
                        .map_err(|_| DataAccessResult::OtherReason)?;
                }
                object.set_execution_time(&times)
            }
    }
    methods {}
    behaviour {
        fn tick(&mut self, tick: &Tick, effects: &mut Effects) {
            if let Some(wall) = tick.wall {
                self.advance(&wall, effects);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dlms_axdr::ClockStatus;

    use super::*;

    const SCRIPT: ActionItem =
        ActionItem { script_logical_name: LogicalName::new(0, 0, 10, 0, 107, 255), script_selector: 1 };

    fn schedule(schedule_type: ScheduleType) -> SingleActionSchedule<4> {
        SingleActionSchedule::new(LogicalName::new(0, 0, 15, 0, 2, 255), SCRIPT, schedule_type)
    }

    fn entry(hour: u8, date: [u8; 5]) -> ExecutionTime {
        ExecutionTime { time: Time([hour, 0, 0, 0]), date: Date(date) }
    }

    const EVERY_DAY: [u8; 5] = [0xFF; 5];

    fn fires(schedule: &mut SingleActionSchedule<4>, local: i64) -> bool {
        let wall = WallTime { unix_milliseconds: local, deviation: 0, status: ClockStatus::empty() };
        let mut effects = Effects::new();
        schedule.advance(&wall, &mut effects);
        !effects.is_empty()
    }

    #[test]
    fn fires_once_when_its_time_comes() {
        let mut schedule = schedule(ScheduleType::OneEntry);
        schedule.set_execution_time(&[entry(2, EVERY_DAY)]).unwrap();
        let midnight = 20_000 * calendar::DAY * 1000;
        let two = midnight + 2 * 3_600_000;
        assert!(!fires(&mut schedule, two + 1), "what was before the first reading is not made up for");
        assert!(!fires(&mut schedule, midnight + calendar::DAY * 1000));
        assert!(fires(&mut schedule, two + calendar::DAY * 1000));
        assert!(!fires(&mut schedule, two + calendar::DAY * 1000 + 1));
        assert!(!fires(&mut schedule, two + calendar::DAY * 1000 - 3_000_000), "back by less than an hour");
        assert!(!fires(&mut schedule, two + calendar::DAY * 1000), "the second 02:00 of an autumn night");
        assert!(fires(&mut schedule, two + 5 * calendar::DAY * 1000), "missed while the power was off");
    }

    #[test]
    fn types_restrict_the_entries() {
        let fixed = entry(2, [0x07, 0xEA, 4, 1, 0xFF]);
        let later = entry(3, [0x07, 0xEA, 4, 2, 0xFF]);
        let monthly = entry(2, [0xFF, 0xFF, 0xFF, 1, 0xFF]);
        let takes = |schedule_type, times: &[ExecutionTime]| {
            schedule(schedule_type).set_execution_time(times).is_ok()
        };
        assert!(takes(ScheduleType::OneEntry, &[monthly]));
        assert!(!takes(ScheduleType::OneEntry, &[monthly, fixed]));
        assert!(takes(ScheduleType::SameTime, &[fixed, fixed]));
        assert!(!takes(ScheduleType::SameTime, &[fixed, later]));
        assert!(!takes(ScheduleType::SameTime, &[monthly]));
        assert!(takes(ScheduleType::SameTimeWildcards, &[fixed, monthly]));
        assert!(takes(ScheduleType::AnyTime, &[fixed, later]));
        assert!(!takes(ScheduleType::AnyTime, &[fixed, monthly]));
        assert!(takes(ScheduleType::AnyTimeWildcards, &[later, monthly]));
        assert!(!takes(ScheduleType::AnyTimeWildcards, &[entry(24, EVERY_DAY)]));
    }
}
