//! What is measured: a task writes it, and the objects that refer to it show it at any moment.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use embassy_time::{Duration, Ticker};

/// Active energy +, in watt-hours.
pub static IMPORT: AtomicU32 = AtomicU32::new(0);
/// Active power, in watts.
pub static POWER: AtomicU32 = AtomicU32::new(0);
/// Voltage, in tenths of a volt.
pub static VOLTAGE: AtomicU32 = AtomicU32::new(2300);

/// What a load takes that is always there.
const LOAD: u32 = 1500;
const MILLIWATT_SECONDS: u32 = 3_600_000;
const PERIOD: Duration = Duration::from_millis(100);

/// Asks the metering hardware ten times a second.
#[embassy_executor::task]
pub async fn measure() -> ! {
    let mut ticker = Ticker::every(PERIOD);
    let mut rest = 0;
    loop {
        POWER.store(LOAD, Relaxed);
        rest += LOAD * PERIOD.as_millis() as u32;
        IMPORT.store(IMPORT.load(Relaxed).wrapping_add(rest / MILLIWATT_SECONDS), Relaxed);
        rest %= MILLIWATT_SECONDS;
        ticker.next().await;
    }
}
