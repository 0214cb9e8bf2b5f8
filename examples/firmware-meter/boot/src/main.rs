//! Starts the newest image of the meter's firmware: the one that was activated last, or the one from manufacture.
//!
//! Images are kept in the data flash and run in the processor's. Here that is memory which the emulator fills anew at each
//! reset with the image from manufacture; on a microcontroller the image is programmed only when it is another one.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use board::Flash;
use board::bank::{Bank, IMAGE, IMAGE_HEADER, RUNS_AT};
use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    let newest = Flash::open().ok().and_then(|flash| Some((flash, Bank::newest(flash)?)));
    let loaded = newest.is_some_and(|(flash, (bank, image, _))| {
        let mut at = RUNS_AT;
        let load = |piece: &[u8]| {
            for octet in piece {
                // SAFETY: the image fits behind this program, where nothing is in use yet.
                unsafe { (at as *mut u8).write_volatile(*octet) };
                at += 1;
            }
        };
        bank.show(flash, IMAGE, IMAGE_HEADER + image.length, load).is_ok()
    });
    if !loaded {
        // SAFETY: as above; the image from manufacture has no header.
        unsafe { (RUNS_AT as *mut u32).write_volatile(0) };
    }
    let vectors = (RUNS_AT + IMAGE_HEADER as usize) as *const u32;
    // SAFETY: an image begins with its vector table, whose place the processor is told before it starts there.
    unsafe {
        (*cortex_m::peripheral::SCB::PTR).vtor.write(vectors as u32);
        cortex_m::asm::bootload(vectors)
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
