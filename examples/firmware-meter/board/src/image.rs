//! Where images run.
//!
//! Images are kept in the data flash and run in the processor's. Here that is memory which the emulator fills anew at each
//! reset with the image from manufacture; on a microcontroller the image is programmed only when it is another one.

use banks::{IMAGE_HEADER, Image, RUNS_AT};

/// The image that runs, if the boot program has put one there.
pub fn running() -> Option<Image> {
    // SAFETY: this is memory of the program's, which nobody writes while it runs.
    let octets = unsafe { (RUNS_AT as *const [u8; Image::HEADER]).read_volatile() };
    Image::from_octets(&octets)
}

/// Puts octets of an image where it runs. For the boot program.
///
/// # Safety
/// They fit there, and nothing runs there yet.
pub unsafe fn place(at: usize, octets: &[u8]) {
    for (to, octet) in (RUNS_AT + at..).zip(octets) {
        // SAFETY: the caller says so.
        unsafe { (to as *mut u8).write_volatile(*octet) };
    }
}

/// Starts what is there.
///
/// # Safety
/// An image is there, or the one from manufacture.
pub unsafe fn start() -> ! {
    let vectors = (RUNS_AT + IMAGE_HEADER as usize) as *const u32;
    // SAFETY: an image begins with its vector table, whose place the processor is told before it starts there.
    unsafe {
        (*cortex_m::peripheral::SCB::PTR).vtor.write(vectors as u32);
        cortex_m::asm::bootload(vectors)
    }
}
