//! The registers of the board that are used.

/// The registers of the FPGA, and of them the LEDs, a counter and what it is clocked with.
const FPGA: usize = 0x4002_8000;
pub(crate) const FPGA_LED: usize = FPGA;
pub(crate) const FPGA_COUNTER: usize = FPGA + 0x18;
pub(crate) const FPGA_PRESCALE: usize = FPGA + 0x1C;

pub(crate) fn read(register: usize) -> u32 {
    // SAFETY: the addresses are those of the board's registers; reading has no effect on memory.
    unsafe { (register as *const u32).read_volatile() }
}

pub(crate) fn write(register: usize, value: u32) {
    // SAFETY: as above; none of the registers makes the board access memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}
