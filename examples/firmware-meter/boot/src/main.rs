//! Starts the newest image of the meter's firmware: the one that was activated last, or the one from manufacture.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use banks::{Bank, IMAGE_HEADER};
use board::Flash;
use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    if load().is_none() {
        // SAFETY: nothing runs there yet. The image from manufacture has no header.
        unsafe { board::place(0, &[0; 4]) };
    }
    // SAFETY: an image that has its checksum, or the one from manufacture.
    unsafe { board::start() }
}

/// Puts the newest image where it runs, if there is one.
fn load() -> Option<()> {
    let mut flash = Flash::open().ok()?;
    let (bank, image, _) = Bank::newest(&mut flash)?;
    let mut at = 0;
    let place = |piece: &[u8]| {
        // SAFETY: the image fits behind this program, where nothing runs yet.
        unsafe { board::place(at, piece) };
        at += piece.len();
    };
    bank.show(&mut flash, 0, IMAGE_HEADER + image.length, place).ok()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
