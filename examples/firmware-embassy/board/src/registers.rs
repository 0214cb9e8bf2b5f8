//! The registers of the board that are used here.

/// The timer whose interrupt is the alarm.
pub(crate) const TIMER: usize = 0x4000_0000;
/// The FPGA's counter, and what it is clocked with.
pub(crate) const FPGA_COUNTER: usize = 0x4002_8018;
pub(crate) const FPGA_PRESCALE: usize = 0x4002_801C;
/// The UARTs.
pub(crate) const UART_0: usize = 0x4000_4000;
pub(crate) const UART_1: usize = 0x4000_5000;

/// The clock of processor, FPGA, timer and UARTs.
pub(crate) const CLOCK: u32 = 25_000_000;

pub(crate) fn read(register: usize) -> u32 {
    // SAFETY: the addresses are those of the board's registers; reading has no effect on memory.
    unsafe { (register as *const u32).read_volatile() }
}

pub(crate) fn write(register: usize, value: u32) {
    // SAFETY: as above; none of the registers makes the board access memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}
