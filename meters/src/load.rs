//! What is connected to a simulated meter: a household with a few panels on its roof, the same for the same seed.

/// The quantities at the terminals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terminals {
    /// V.
    pub(crate) voltage: f64,
    /// A.
    pub(crate) current: f64,
    /// Hz.
    pub(crate) frequency: f64,
    /// W, from the grid.
    pub(crate) import: f64,
    /// W, to the grid.
    pub(crate) export: f64,
    /// var.
    pub(crate) reactive: f64,
    /// The power factor.
    pub(crate) power_factor: f64,
}

/// A household.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Household {
    seed: u64,
    nominal_voltage: f64,
}

impl Household {
    pub(crate) const fn new(seed: u64, nominal_voltage: f64) -> Self {
        Self { seed, nominal_voltage }
    }

    /// The quantities at an instant of local time, in seconds since 1970-01-01.
    pub(crate) fn at(&self, local_seconds: i64, is_connected: bool) -> Terminals {
        let voltage = self.nominal_voltage * (1.0 + 0.02 * self.noise(local_seconds, 60, 1));
        let frequency = 50.0 + 0.03 * self.noise(local_seconds, 60, 2);
        let dead = Terminals { voltage, frequency, power_factor: 1.0, ..Terminals::default() };
        if !is_connected {
            return dead;
        }
        let net = self.load(local_seconds) - self.roof(local_seconds);
        let power_factor = 0.95 + 0.03 * self.noise(local_seconds, 600, 3);
        let apparent = net.abs() / power_factor;
        Terminals {
            import: net.max(0.0),
            export: (-net).max(0.0),
            reactive: (apparent * apparent - net * net).max(0.0).sqrt(),
            current: apparent / voltage,
            power_factor,
            ..dead
        }
    }

    /// W: a base, a morning, an evening, and appliances that run for a quarter of an hour.
    fn load(&self, local_seconds: i64) -> f64 {
        let hour = hour_of_day(local_seconds);
        let base = 180.0 + 40.0 * self.noise(local_seconds, 3600, 4);
        let morning = 700.0 * bell(hour, 7.3, 1.1);
        let noon = 450.0 * bell(hour, 12.6, 1.3);
        let evening = 1300.0 * bell(hour, 19.5, 2.0);
        let appliance = if self.noise(local_seconds, 900, 5) > 0.75 { 1800.0 } else { 0.0 };
        let running = if (6.0..23.0).contains(&hour) { appliance } else { 0.0 };
        (base + morning + noon + evening + running) * (1.0 + 0.15 * self.noise(local_seconds, 300, 6))
    }

    /// W: the sun between six and six, behind clouds.
    fn roof(&self, local_seconds: i64) -> f64 {
        let hour = hour_of_day(local_seconds);
        let clear = 1600.0 * (1.0 - ((hour - 12.5) / 5.5).powi(2)).max(0.0);
        clear * (0.6 + 0.4 * self.noise(local_seconds, 1800, 7))
    }

    /// A number between −1 and 1 that stays for `hold` seconds.
    fn noise(&self, seconds: i64, hold: i64, stream: u64) -> f64 {
        let mut state = self.seed ^ (seconds.div_euclid(hold) as u64) ^ stream.rotate_left(56);
        // SplitMix64.
        for _ in 0..2 {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            state ^= state >> 31;
        }
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

fn hour_of_day(local_seconds: i64) -> f64 {
    local_seconds.rem_euclid(86_400) as f64 / 3600.0
}

/// 1 at `centre`, falling off over `width` hours.
fn bell(hour: f64, centre: f64, width: f64) -> f64 {
    (-((hour - centre) / width).powi(2)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_plausible_and_repeatable() {
        let household = Household::new(7, 230.0);
        let day: Vec<_> = (0..96).map(|quarter| household.at(1_767_225_600 + quarter * 900, true)).collect();
        let energy: f64 = day.iter().map(|it| it.import / 4.0).sum();
        assert!((3_000.0..30_000.0).contains(&energy), "{energy} Wh");
        assert!(day.iter().any(|it| it.export > 0.0));
        assert!(day.iter().all(|it| (220.0..240.0).contains(&it.voltage) && it.import * it.export == 0.0));
        assert_eq!(household.at(1_767_225_600, true).import, day[0].import);
        assert_eq!(household.at(1_767_225_600, false).current, 0.0);
    }
}
