//! The hardware: a line, a clock, a relay, random numbers, a place for what must not be lost, flash.
//!
//! The registers are those of boards that qemu emulates, so that what is weighed is what runs.

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod registers;

#[cfg(feature = "flash")]
pub use registers::FLASH;
#[cfg(any(not(feature = "flash-counters"), feature = "keys", feature = "sign-on"))]
pub use registers::store;
pub use registers::{milliseconds, receive, relay, send};

/// Not random at all: a counter. What fetches random numbers from a peripheral is as long.
#[cfg(feature = "suite0")]
pub fn random(out: &mut [u8]) {
    for octet in out {
        *octet = (registers::counter().wrapping_mul(0x9E37_79B1) >> 24) as u8;
    }
}
