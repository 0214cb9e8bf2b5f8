//! The time since the start, and sleep.

use core::time::Duration;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};

use crate::registers::{FPGA_COUNTER, FPGA_PRESCALE, read, write};

/// The clock of processor and FPGA.
const CLOCK: u32 = 25_000_000;
/// How long the processor sleeps at most.
const TICKS_PER_SECOND: u32 = 100;

/// A counter of milliseconds, and the tick that ends each sleep.
#[derive(Debug)]
pub struct Timer {
    milliseconds: u64,
    counter: u32,
}

impl Timer {
    /// Starts both. From here on interrupts are masked: they end sleep and do nothing else.
    pub fn start(mut tick: SYST) -> Self {
        cortex_m::interrupt::disable();
        tick.set_clock_source(SystClkSource::Core);
        tick.set_reload(CLOCK / TICKS_PER_SECOND - 1);
        tick.clear_current();
        tick.enable_counter();
        tick.enable_interrupt();
        write(FPGA_PRESCALE, CLOCK / 1000 - 1);
        write(FPGA_COUNTER, 0);
        Self { milliseconds: 0, counter: 0 }
    }

    /// The time since the start. To be asked for at least every seven weeks.
    pub fn now(&mut self) -> Duration {
        let counter = read(FPGA_COUNTER);
        self.milliseconds += u64::from(counter.wrapping_sub(self.counter));
        self.counter = counter;
        Duration::from_millis(self.milliseconds)
    }

    /// Sleeps until something is received or the next tick.
    pub fn sleep(&mut self) {
        cortex_m::asm::wfi();
        SCB::clear_pendst();
    }
}
