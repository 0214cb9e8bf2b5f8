//! The machine `virt`.

/// A UART of the kind 16550.
const UART: usize = 0x1000_0000;
const STATE: usize = UART + 5;
const SCRATCH: usize = UART + 7;
const RECEIVED: u8 = 0x01;
const SENT: u8 = 0x20;

/// A counter of 10 MHz.
const TIME: *const u32 = 0x0200_BFF8 as *const u32;

/// Memory that stands for flash.
#[cfg(feature = "flash")]
pub const FLASH: *mut u8 = 0x8100_0000 as *mut u8;

core::arch::global_asm!(
    ".section .start, \"ax\"",
    ".globl reset",
    "reset:",
    "    la sp, _stack_start",
    "    j _start",
    ".text",
);

fn read(register: usize) -> u8 {
    // SAFETY: the register is there, and reading has no effect on memory.
    unsafe { (register as *const u8).read_volatile() }
}

fn write(register: usize, value: u8) {
    // SAFETY: as above.
    unsafe { (register as *mut u8).write_volatile(value) }
}

pub fn receive() -> Option<u8> {
    (read(STATE) & RECEIVED != 0).then(|| read(UART))
}

pub fn send(octet: u8) {
    while read(STATE) & SENT == 0 {}
    write(UART, octet);
}

pub fn milliseconds() -> u32 {
    counter() / 10_000
}

pub fn counter() -> u32 {
    // SAFETY: the register is there, and reading has no effect on memory.
    unsafe { TIME.read_volatile() }
}

pub fn relay(connected: bool) {
    write(SCRATCH, connected.into());
}

#[cfg(any(not(feature = "flash-counters"), feature = "keys", feature = "sign-on"))]
pub fn store(value: u32) {
    write(SCRATCH, value as u8);
}
