//! A line, a millisecond counter, a relay and a source of random numbers: registers somewhere.

const LINE: *mut u8 = 0x4000_0000 as *mut u8;
const MILLISECONDS: *const u32 = 0x4000_0010 as *const u32;
const RELAY: *mut u32 = 0x4000_0020 as *mut u32;
const STORE: *mut u32 = 0x4000_0040 as *mut u32;
#[cfg(feature = "suite0")]
const RANDOM: *const u32 = 0x4000_0030 as *const u32;

pub fn receive() -> u8 {
    // SAFETY: the register is always there.
    unsafe { LINE.read_volatile() }
}

pub fn send(octet: u8) {
    // SAFETY: the register is always there.
    unsafe { LINE.write_volatile(octet) }
}

pub fn milliseconds() -> u32 {
    // SAFETY: the register is always there.
    unsafe { MILLISECONDS.read_volatile() }
}

pub fn relay(connected: bool) {
    // SAFETY: the register is always there.
    unsafe { RELAY.write_volatile(connected.into()) }
}

pub fn store(value: u32) {
    // SAFETY: the register is always there.
    unsafe { STORE.write_volatile(value) }
}

#[cfg(feature = "suite0")]
pub fn random(out: &mut [u8]) {
    for octet in out {
        // SAFETY: the register is always there.
        *octet = unsafe { RANDOM.read_volatile() } as u8;
    }
}
