//! The board of `firmware-meter` with what Embassy wants: lines whose readers wait for an interrupt, and a time driver.
//!
//! A HAL of Embassy (`embassy-stm32`, `embassy-nrf`, …) replaces this crate.
#![no_std]

mod registers;
mod time;
mod uart;

pub use board::{Flash, drive_relay, random, stack_used, unix_seconds};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;
pub use uart::{CONSUMER_PORT, REMOTE_PORT, Uart};

/// The number of an interrupt of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interrupt(u16);

// SAFETY: the numbers below are those of the board, all less than 32.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self.0
    }
}

/// Starts the clock and both lines. To be called once, before anything else.
pub fn start() {
    time::start();
    CONSUMER_PORT.start(115_200);
    REMOTE_PORT.start(115_200);
}

fn unmask(interrupt: Interrupt) {
    // SAFETY: what the handler shares with the program is behind critical sections.
    unsafe { NVIC::unmask(interrupt) };
}

/// All interrupts come here: this board has no crate that names its vectors.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    let Ok(number) = u16::try_from(number) else { return };
    time::on_interrupt(Interrupt(number));
    CONSUMER_PORT.on_interrupt(Interrupt(number));
    REMOTE_PORT.on_interrupt(Interrupt(number));
}
