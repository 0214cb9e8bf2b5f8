//! Flash that is read as memory; here it is memory. Writing only clears bits.

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};

use crate::board::FLASH;

const CAPACITY: usize = 0x30_0000;
const SECTOR: usize = 4096;

// Where things are.
#[cfg(feature = "flash-counters")]
pub const COUNTERS: u32 = 0;
#[cfg(feature = "flash-counters")]
pub const COUNTERS_AREA: u32 = 0x1000;
#[cfg(feature = "image")]
pub const IMAGE: u32 = 0x2_0000;
#[cfg(feature = "image")]
pub const LONGEST_IMAGE: u32 = 0x4_0000;
#[cfg(feature = "flash-profile")]
pub const ROWS: u32 = 0x10_0000;
#[cfg(feature = "flash-profile")]
pub const ROWS_LENGTH: u32 = 0x20_0000;

#[derive(Clone, Copy)]
pub struct Flash;

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, octets.len())?;
        // SAFETY: the range was checked, and nothing else refers to this memory.
        unsafe { FLASH.add(offset as usize).copy_to_nonoverlapping(octets.as_mut_ptr(), octets.len()) };
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        // SAFETY: as above.
        unsafe { FLASH.add(from as usize).write_bytes(0xFF, (to - from) as usize) };
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, octets.len())?;
        for (at, octet) in (offset as usize..).zip(octets) {
            // SAFETY: as above.
            unsafe { *FLASH.add(at) &= octet };
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}
