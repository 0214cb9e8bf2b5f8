//! How deep the stack was.

/// What the start-up code paints the stack with.
const PAINT: u32 = 0xCCCC_CCCC;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// The most octets of stack that were used since the start.
pub fn stack_used() -> usize {
    let end = &raw const _stack_end;
    let start = &raw const _stack_start;
    let mut untouched = end;
    // SAFETY: all of this is RAM that belongs to the stack; what is below what is in use is only read.
    while untouched < start && unsafe { untouched.read_volatile() } == PAINT {
        untouched = untouched.wrapping_add(1);
    }
    start as usize - untouched as usize
}
