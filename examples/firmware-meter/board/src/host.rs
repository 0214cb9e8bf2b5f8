//! What the host does for the board.

use core::ffi::CStr;
use core::fmt;

use cortex_m_semihosting::{hprintln, syscall};

const READ_BINARY: usize = 1;

/// What the clock chip with its battery says: seconds since 1970-01-01 UTC.
pub fn unix_seconds() -> u32 {
    // SAFETY: SYS_TIME takes nothing.
    unsafe { syscall!(TIME) as u32 }
}

/// Fills `out` with random numbers; `false` if there are none.
pub fn random(out: &mut [u8]) -> bool {
    read(c"/dev/urandom", out)
}

/// Fills `out` from the beginning of a file; `false` if it is not there, or too short.
pub(crate) fn read(name: &CStr, out: &mut [u8]) -> bool {
    // SAFETY: the pointers and lengths are those of `name` and `out`.
    unsafe {
        let file = syscall!(OPEN, name.as_ptr(), READ_BINARY, name.to_bytes().len()) as isize;
        if file < 0 {
            return false;
        }
        let missing = syscall!(READ, file, out.as_mut_ptr(), out.len());
        syscall!(CLOSE, file);
        missing == 0
    }
}

/// Prints a line on the host's console.
pub fn log(line: fmt::Arguments<'_>) {
    hprintln!("{}", line);
}
