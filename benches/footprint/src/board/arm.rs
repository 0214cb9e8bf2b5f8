//! Arm's MPS2 with the FPGA image AN386 (a Cortex-M4), which runs code for a Cortex-M0 too.

/// A UART of Arm's Cortex-M System Design Kit.
const UART: usize = 0x4000_4000;
const DATA: usize = UART;
const STATE: usize = UART + 0x04;
const CONTROL: usize = UART + 0x08;
const DIVIDER: usize = UART + 0x10;
const TRANSMIT_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 2;
const ENABLE: u32 = 3;

const LED: usize = 0x4002_8000;
const HUNDREDTHS: usize = 0x4002_8014;
#[cfg(feature = "suite0")]
const CYCLES: usize = 0x4002_8018;
/// A register that does nothing else.
#[cfg(any(not(feature = "flash-counters"), feature = "keys", feature = "sign-on"))]
const SWITCHES: usize = 0x4002_804C;

/// Memory that stands for flash.
#[cfg(feature = "flash")]
pub const FLASH: *mut u8 = 0x2100_0000 as *mut u8;

// The vectors of a Cortex-M: the stack, and where to begin.
#[cfg(not(target_abi = "eabihf"))]
core::arch::global_asm!(".section .start, \"a\"", ".word _stack_start", ".word _start", ".text");
// The same with a floating-point unit, which is switched on first.
#[cfg(target_abi = "eabihf")]
core::arch::global_asm!(
    ".syntax unified",
    ".thumb",
    ".section .start, \"ax\"",
    ".word _stack_start",
    ".word reset",
    ".thumb_func; reset:",
    "    ldr r0, =0xE000ED88",
    "    ldr r1, [r0]",
    "    orr r1, r1, #0xF00000",
    "    str r1, [r0]",
    "    dsb",
    "    isb",
    "    b _start",
    ".text",
);

fn read(register: usize) -> u32 {
    // SAFETY: the register is there, and reading has no effect on memory.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as above.
    unsafe { (register as *mut u32).write_volatile(value) }
}

pub fn receive() -> Option<u8> {
    write(DIVIDER, 16);
    write(CONTROL, ENABLE);
    (read(STATE) & RECEIVE_FULL != 0).then(|| read(DATA) as u8)
}

pub fn send(octet: u8) {
    while read(STATE) & TRANSMIT_FULL != 0 {}
    write(DATA, octet.into());
}

pub fn milliseconds() -> u32 {
    read(HUNDREDTHS).wrapping_mul(10)
}

#[cfg(feature = "suite0")]
pub fn counter() -> u32 {
    read(CYCLES)
}

pub fn relay(connected: bool) {
    write(LED, connected.into());
}

#[cfg(any(not(feature = "flash-counters"), feature = "keys", feature = "sign-on"))]
pub fn store(value: u32) {
    write(SWITCHES, value);
}
