//! Demand register (class_id 5): the average of a quantity over one period (block demand) or over the last several
//! (sliding demand).
//!
//! current_average_value is what has come together since start_time_current, divided by period × number_of_periods: it
//! rises through the period. When the period ends it becomes last_average_value. Periods end where the clock's UTC
//! seconds are a multiple of the period, so that all demand registers of a meter close together.

use dlms_axdr::{DateTime, FromData};
use dlms_obis::LogicalName;

use crate::behaviour::{Tick, WallTime};
use crate::macros::interface_class;
use crate::object::raise;
use crate::{Any, DataAccessResult, Effect, Effects, ScalerUnit, Value, calendar};

/// Demand register with room for `PERIODS` periods of sliding demand. `V` is the type of the averages, `S` that of the
/// status. An average that `V` cannot hold is shown as its default.
#[derive(Clone, Debug)]
pub struct DemandRegister<V, S, const PERIODS: usize> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2.
    pub current_average_value: V,
    /// Attribute 3.
    pub last_average_value: V,
    /// Attribute 4.
    pub scaler_unit: ScalerUnit,
    /// Attribute 5, whose meaning is the manufacturer's.
    pub status: S,
    /// Attribute 6: when last_average_value was captured.
    pub capture_time: DateTime,
    /// Attribute 7.
    pub start_time_current: DateTime,
    period: u32,
    number_of_periods: u16,
    quantity: i64,
    /// In milliseconds of the caller's time.
    measured_until: Option<u64>,
    period_start: Option<PeriodStart>,
    wall: Option<WallTime>,
    /// Quantity × milliseconds in the running period.
    running: i128,
    /// The same of the last periods, the newest at the end.
    closed: heapless::Deque<i128, PERIODS>,
}

/// When the running period began: by the clock, or without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeriodStart {
    /// The number of the period since 1970.
    Wall(i64),
    /// The caller's time, in milliseconds.
    Monotonic(u64),
}

impl<V: Value + Default + TryFrom<i64>, S: Value, const PERIODS: usize> DemandRegister<V, S, PERIODS> {
    /// A Demand register whose average covers `number_of_periods` periods of `period` seconds each; 1 is block demand.
    /// Both are at least 1, and there is room for `PERIODS` periods.
    pub fn new(
        logical_name: LogicalName,
        scaler_unit: ScalerUnit,
        status: S,
        period: u32,
        number_of_periods: u16,
    ) -> Self {
        Self {
            logical_name,
            current_average_value: V::default(),
            last_average_value: V::default(),
            scaler_unit,
            status,
            capture_time: DateTime::NOT_SPECIFIED,
            start_time_current: DateTime::NOT_SPECIFIED,
            period: period.max(1),
            number_of_periods: number_of_periods.clamp(1, Self::MOST_PERIODS),
            quantity: 0,
            measured_until: None,
            period_start: None,
            wall: None,
            running: 0,
            closed: heapless::Deque::new(),
        }
    }

    const MOST_PERIODS: u16 = if PERIODS == 0 {
        1
    } else if PERIODS > u16::MAX as usize {
        u16::MAX
    } else {
        PERIODS as u16
    };

    /// The quantity that is averaged, from now on: a power in the unit of the averages.
    pub const fn measure(&mut self, quantity: i64) {
        self.quantity = quantity;
    }

    /// Attribute 8, in seconds.
    pub const fn period(&self) -> u32 {
        self.period
    }

    /// Attribute 9.
    pub const fn number_of_periods(&self) -> u16 {
        self.number_of_periods
    }

    fn advance(&mut self, tick: &Tick, effects: &mut Effects) {
        self.wall = tick.wall.or(self.wall);
        let now = u64::try_from(tick.now.as_millis()).unwrap_or(u64::MAX);
        let elapsed = self.measured_until.map_or(0, |until| now.saturating_sub(until));
        self.measured_until = Some(now);
        let part = i128::from(self.quantity).saturating_mul(elapsed.into());
        self.running = self.running.saturating_add(part);
        let start = match tick.wall {
            Some(wall) => {
                let period = i64::from(self.period).max(1);
                PeriodStart::Wall(wall.unix_milliseconds.div_euclid(1000).div_euclid(period))
            }
            None => match self.period_start {
                Some(PeriodStart::Monotonic(start))
                    if now.saturating_sub(start) < u64::from(self.period).saturating_mul(1000) =>
                {
                    PeriodStart::Monotonic(start)
                }
                _ => PeriodStart::Monotonic(now),
            },
        };
        match self.period_start {
            None => {
                self.period_start = Some(start);
                self.start_time_current = self.start_time();
            }
            Some(running) if running != start => {
                self.period_start = Some(start);
                self.close_period(effects);
            }
            Some(_) => {}
        }
        self.current_average_value = self.average();
    }

    fn close_period(&mut self, effects: &mut Effects) {
        self.last_average_value = self.average();
        if self.number_of_periods > 1 {
            while self.closed.len() >= usize::from(self.number_of_periods) - 1 {
                self.closed.pop_front();
            }
            let _ = self.closed.push_back(self.running);
        }
        self.running = 0;
        self.current_average_value = self.average();
        self.capture_time = self.wall.map_or(DateTime::NOT_SPECIFIED, |wall| wall.date_time());
        self.start_time_current = self.start_time();
        raise(effects, Effect::PeriodClosed { register: self.logical_name });
    }

    /// When the first of the periods that count began, if the present period begins now.
    fn start_time(&self) -> DateTime {
        let Some(wall) = self.wall else { return DateTime::NOT_SPECIFIED };
        let earlier = (i64::from(self.period) * 1000).saturating_mul(self.closed.len() as i64);
        calendar::date_time(wall.local_milliseconds().saturating_sub(earlier), wall.deviation, wall.status)
    }

    fn average(&self) -> V {
        let sum = self.closed.iter().fold(self.running, |sum, part| sum.saturating_add(*part));
        let duration = i128::from(self.period) * 1000 * i128::from(self.number_of_periods);
        // Neither factor is ever 0.
        let average = sum.checked_div(duration).unwrap_or(sum);
        V::try_from(average.clamp(i64::MIN.into(), i64::MAX.into()) as i64).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.current_average_value = V::default();
        self.last_average_value = V::default();
        self.status.reset();
        self.running = 0;
        self.closed.clear();
        self.capture_time = DateTime::NOT_SPECIFIED;
        self.start_time_current = self.start_time();
    }
}

interface_class! {
    class 5 "Demand register" version 0, first method at Some(0x48);
    constants on DemandRegister<(), (), 0>;
    object impl[V: Value + Default + TryFrom<i64>, S: Value, const PERIODS: usize] DemandRegister<V, S, PERIODS>;
    attributes {
        2 current_average_value CURRENT_AVERAGE_VALUE: Any = "@register_value" dynamic
            get(object, get) { Ok(object.current_average_value.encode_value(get.encoder)?) }
        3 last_average_value LAST_AVERAGE_VALUE: Any = "@register_value" dynamic
            get(object, get) { Ok(object.last_average_value.encode_value(get.encoder)?) }
        4 scaler_unit SCALER_UNIT: ScalerUnit = "@scaler_unit" static
            get(object, get) { Ok(get.encoder.data(&object.scaler_unit)?) }
        5 status STATUS: Any = "@status_choice" dynamic
            get(object, get) { Ok(object.status.encode_value(get.encoder)?) }
        6 capture_time CAPTURE_TIME: DateTime = "octet-string(date-time)" dynamic
            get(object, get) { Ok(get.encoder.data(&object.capture_time)?) }
        7 start_time_current START_TIME_CURRENT: DateTime = "octet-string(date-time)" dynamic
            get(object, get) { Ok(get.encoder.data(&object.start_time_current)?) }
        8 period PERIOD: u32 = "double-long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.period)?) }
            set(object, set) {
                let period = u32::from_data(set.value)?;
                if period == 0 {
                    return Err(DataAccessResult::OtherReason);
                }
                object.period = period;
                object.clear();
                Ok(())
            }
        9 number_of_periods NUMBER_OF_PERIODS: u16 = "long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.number_of_periods)?) }
            set(object, set) {
                let number = u16::from_data(set.value)?;
                if !(1..=Self::MOST_PERIODS).contains(&number) {
                    return Err(DataAccessResult::OtherReason);
                }
                object.number_of_periods = number;
                object.clear();
                Ok(())
            }
    }
    methods {
        1 reset RESET: i8 = "integer(0)" optional (object, call) {
            object.clear();
            Ok(())
        }
        2 next_period NEXT_PERIOD: i8 = "integer(0)" optional (object, call) {
            object.close_period(call.effects);
            Ok(())
        }
    }
    behaviour {
        fn tick(&mut self, tick: &Tick, effects: &mut Effects) {
            self.advance(tick, effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use dlms_axdr::ClockStatus;

    use super::*;
    use crate::{Object, Unit};

    type Demand = DemandRegister<u32, u8, 4>;

    fn run(demand: &mut Demand, from: u64, to: u64) -> usize {
        let mut closed = 0;
        for second in from..=to {
            let wall = WallTime {
                unix_milliseconds: 1_767_225_600_000 + second as i64 * 1000,
                deviation: 0,
                status: ClockStatus::empty(),
            };
            let mut effects = Effects::new();
            demand.tick(&Tick { now: Duration::from_secs(second), wall: Some(wall) }, &mut effects);
            closed += effects.len();
        }
        closed
    }

    fn demand(periods: u16) -> Demand {
        let name = LogicalName::new(1, 0, 1, 4, 0, 255);
        Demand::new(name, ScalerUnit::new(0, Unit::ActivePowerWatt), 0, 900, periods)
    }

    #[test]
    fn block_demand_rises_through_the_period() {
        let mut demand = demand(1);
        demand.measure(1000);
        run(&mut demand, 0, 450);
        assert_eq!((demand.current_average_value, demand.last_average_value), (500, 0));
        assert_eq!(run(&mut demand, 451, 900), 1);
        assert_eq!((demand.current_average_value, demand.last_average_value), (0, 1000));
        // 2026-01-01 00:15:00
        assert_eq!(demand.capture_time.0[..8], [0x07, 0xEA, 1, 1, 4, 0, 15, 0]);
    }

    #[test]
    fn sliding_demand_covers_the_last_periods() {
        let mut demand = demand(2);
        demand.measure(1000);
        run(&mut demand, 0, 900);
        assert_eq!((demand.current_average_value, demand.last_average_value), (500, 500));
        demand.measure(3000);
        run(&mut demand, 901, 1800);
        assert_eq!((demand.current_average_value, demand.last_average_value), (1500, 2000));
        run(&mut demand, 1801, 2700);
        assert_eq!((demand.current_average_value, demand.last_average_value), (1500, 3000));
        assert_eq!(demand.start_time_current.0[5..8], [0, 30, 0], "one period before the running one");
    }
}
