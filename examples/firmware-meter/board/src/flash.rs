//! The data flash: serial NOR, 3 MiB in sectors of 4 KiB. The emulator keeps it in the file `flash.bin`, so that a reset
//! and a cut of the power leave it as it is.

use cortex_m_semihosting::syscall;
use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};

use crate::power;

const FILE: &core::ffi::CStr = c"flash.bin";
const UPDATE: usize = 3;
const CREATE: usize = 7;
const CAPACITY: usize = 0x30_0000;
const SECTOR: usize = 4096;
/// The unit of writing.
const UNIT: usize = 4;

/// The data flash. Every copy of it is the same flash.
#[derive(Clone, Copy, Debug)]
pub struct Flash {
    file: usize,
}

impl Flash {
    /// The flash; a new one is blank, as is one whose file is not whole.
    ///
    /// # Errors
    /// There is none.
    pub fn open() -> Result<Self, NorFlashErrorKind> {
        power::start();
        if let Some(file) = open(UPDATE)
            // SAFETY: no memory is touched.
            && unsafe { syscall!(FLEN, file) } == CAPACITY
        {
            return Ok(Self { file });
        }
        let flash = Self { file: open(CREATE).ok_or(NorFlashErrorKind::Other)? };
        flash.blank(0, CAPACITY as u32)?;
        Ok(flash)
    }

    fn seek(self, offset: u32) -> Result<(), NorFlashErrorKind> {
        // SAFETY: the host's file; no memory is touched.
        let failed = unsafe { syscall!(SEEK, self.file, offset) };
        if failed == 0 { Ok(()) } else { Err(NorFlashErrorKind::Other) }
    }

    fn blank(self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        const BLANK: [u8; 1024] = [0xFF; 1024];
        (from..to).step_by(BLANK.len()).try_for_each(|offset| self.put(offset, &BLANK))
    }

    fn put(self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.seek(offset)?;
        // SAFETY: the host reads as many octets as there are.
        let missing = unsafe { syscall!(WRITE, self.file, octets.as_ptr(), octets.len()) };
        if missing == 0 { Ok(()) } else { Err(NorFlashErrorKind::Other) }
    }
}

fn open(mode: usize) -> Option<usize> {
    // SAFETY: the name and its length.
    let file = unsafe { syscall!(OPEN, FILE.as_ptr(), mode, FILE.to_bytes().len()) };
    (file as isize >= 0).then_some(file)
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, octets.len())?;
        self.seek(offset)?;
        // SAFETY: the host writes as many octets as there is room for.
        let missing = unsafe { syscall!(READ, self.file, octets.as_mut_ptr(), octets.len()) };
        if missing == 0 { Ok(()) } else { Err(NorFlashErrorKind::Other) }
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        for sector in (from..to).step_by(SECTOR) {
            let end = sector + SECTOR as u32;
            if power::goes().is_some() {
                self.blank(sector, sector.midpoint(end))?;
                power::off();
            }
            self.blank(sector, end)?;
        }
        Ok(())
    }

    /// Writing only clears bits, as on the chip.
    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, octets.len())?;
        for (at, piece) in (offset..).step_by(64).zip(octets.chunks(64)) {
            let mut stored = [0; 64];
            let stored = stored.get_mut(..piece.len()).unwrap_or_default();
            ReadNorFlash::read(self, at, stored)?;
            if let Some(unchanged) = power::goes() {
                let (done, torn) = (piece.len() / 2, piece.get(piece.len() / 2));
                stored.iter_mut().zip(piece).take(done).for_each(|(old, new)| *old &= new);
                stored.get_mut(done).zip(torn).into_iter().for_each(|(old, new)| *old &= new | unchanged);
                self.put(at, stored)?;
                power::off();
            }
            stored.iter_mut().zip(piece).for_each(|(old, new)| *old &= new);
            self.put(at, stored)?;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}

// The same for those who would wait: it never does.

impl embedded_storage_async::nor_flash::ReadNorFlash for Flash {
    const READ_SIZE: usize = <Self as ReadNorFlash>::READ_SIZE;

    async fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        ReadNorFlash::read(self, offset, octets)
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl embedded_storage_async::nor_flash::NorFlash for Flash {
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        NorFlash::erase(self, from, to)
    }

    async fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        NorFlash::write(self, offset, octets)
    }
}
