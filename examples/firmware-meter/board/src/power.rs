//! The power, as far as a test cuts it within a certain operation of the data flash: the file `power.bin` says in how many
//! operations (u32, little-endian), and which bits of an octet then stay as they were (u8). Without it the power stays.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m_semihosting::debug;

use crate::host;

/// Operations that are left, then the bits.
static LEFT: AtomicU32 = AtomicU32::new(u32::MAX);
static UNCHANGED: AtomicU32 = AtomicU32::new(0);

/// Asks how long the power stays.
pub(crate) fn start() {
    let mut order = [0; 5];
    if host::read(c"power.bin", &mut order) {
        let [l0, l1, l2, l3, unchanged] = order;
        LEFT.store(u32::from_le_bytes([l0, l1, l2, l3]), Ordering::Relaxed);
        UNCHANGED.store(unchanged.into(), Ordering::Relaxed);
    }
}

/// An operation begins. If the power goes within it: which bits are not reached any more.
pub(crate) fn goes() -> Option<u8> {
    let left = LEFT.load(Ordering::Relaxed);
    match left {
        u32::MAX => None,
        0 => Some(UNCHANGED.load(Ordering::Relaxed) as u8),
        _ => {
            LEFT.store(left - 1, Ordering::Relaxed);
            None
        }
    }
}

/// It is gone.
pub(crate) fn off() -> ! {
    loop {
        debug::exit(debug::EXIT_SUCCESS);
    }
}
