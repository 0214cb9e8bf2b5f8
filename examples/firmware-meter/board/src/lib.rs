//! The board: Arm's MPS2 with the FPGA image AN385 (a Cortex-M3), as qemu emulates it (`-M mps2-an385`).
//!
//! A meter of one's own replaces this crate. What qemu has no hardware for is asked of the host through semihosting: the
//! time, random numbers, a file for the data flash.
#![no_std]

mod flash;
mod host;
mod image;
mod power;
mod registers;
mod stack;
mod timer;
mod uart;

pub use flash::Flash;
pub use host::{log, random, unix_seconds};
pub use image::{place, running, start};
pub use stack::stack_used;
pub use timer::Timer;
pub use uart::{OPTICAL_PORT, REMOTE_PORT, Uart};

/// Drives the relay: the first LED.
pub fn drive_relay(connected: bool) {
    registers::write(registers::FPGA_LED, connected.into());
}
