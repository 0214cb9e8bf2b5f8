//! Embassy's clock, in milliseconds: a counter of the FPGA says what time it is, a timer rings.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;

use crate::registers::{CLOCK, FPGA_COUNTER, FPGA_PRESCALE, TIMER, read, write};
use crate::{Interrupt, unmask};

const CONTROL: usize = TIMER;
const VALUE: usize = TIMER + 0x4;
const RELOAD: usize = TIMER + 0x8;
const INTERRUPT: usize = TIMER + 0xC;
const ENABLE: u32 = 1 | 8;
const ALARM: Interrupt = Interrupt(8);

/// The timer rings at least so often, in milliseconds: long before the counter starts again at zero.
const LONGEST: u64 = 60_000;

struct Time {
    now: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TIME: Time = Time {
    now: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

pub(crate) fn start() {
    write(FPGA_PRESCALE, CLOCK / TICK_HZ as u32 - 1);
    write(FPGA_COUNTER, 0);
    unmask(ALARM);
    critical_section::with(|cs| TIME.set_alarm(cs));
}

pub(crate) fn on_interrupt(interrupt: Interrupt) {
    if interrupt == ALARM {
        write(INTERRUPT, 1);
        critical_section::with(|cs| TIME.set_alarm(cs));
    }
}

impl Time {
    /// Wakes those whose time has come, and sets the timer for the next one.
    fn set_alarm(&self, cs: CriticalSection<'_>) {
        let now = self.now();
        let next = self.queue.borrow_ref_mut(cs).next_expiration(now);
        let milliseconds = next.saturating_sub(now).clamp(1, LONGEST) as u32;
        write(CONTROL, 0);
        write(RELOAD, milliseconds * (CLOCK / TICK_HZ as u32));
        write(VALUE, milliseconds * (CLOCK / TICK_HZ as u32));
        write(CONTROL, ENABLE);
    }
}

impl Driver for Time {
    fn now(&self) -> u64 {
        critical_section::with(|cs| {
            let before = self.now.borrow(cs).get();
            let now = before + u64::from(read(FPGA_COUNTER).wrapping_sub(before as u32));
            self.now.borrow(cs).set(now);
            now
        })
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            if self.queue.borrow_ref_mut(cs).schedule_wake(at, waker) {
                self.set_alarm(cs);
            }
        });
    }
}
