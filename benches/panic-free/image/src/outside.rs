//! What an application brings: the compiler is told nothing about how it answers.

use core::fmt;
use core::hint::black_box;
use core::time::Duration;

use cosem_objects::classes::{
    ClockSource, ImageInfo, ImageStorage, Progress, Relay, RowStorage, StorageError,
};
use cosem_objects::{ActionResult, DataAccessResult};
use dlms::drivers::Timer;
use dlms::security::{RustCrypto, SecurityError, SuiteZero};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use embedded_storage::nor_flash::{self, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// Storage whose length is known only when the program runs.
pub type Buffer = &'static mut [u8];
/// Where random numbers come from.
pub type Source = fn(&mut [u8]) -> Result<(), SecurityError>;
/// All suites.
pub type Provider = RustCrypto<Source>;
/// Suite 0 alone, with everything else that a provider names.
pub type Small = SuiteZero<Source, 0xFF>;

/// Anything that is outside.
pub struct Outside;

#[derive(Debug)]
pub struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl core::error::Error for Failure {}

impl embedded_io::Error for Failure {
    fn kind(&self) -> ErrorKind {
        black_box(ErrorKind::Other)
    }
}

impl ErrorType for Outside {
    type Error = Failure;
}

impl Read for Outside {
    fn read(&mut self, octets: &mut [u8]) -> Result<usize, Failure> {
        black_box(Ok(black_box(octets).len()))
    }
}

impl ReadReady for Outside {
    fn read_ready(&mut self) -> Result<bool, Failure> {
        black_box(Ok(true))
    }
}

impl Write for Outside {
    fn write(&mut self, octets: &[u8]) -> Result<usize, Failure> {
        black_box(Ok(black_box(octets).len()))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        black_box(Ok(()))
    }
}

impl embedded_io_async::Read for Outside {
    async fn read(&mut self, octets: &mut [u8]) -> Result<usize, Failure> {
        black_box(Ok(black_box(octets).len()))
    }
}

impl embedded_io_async::Write for Outside {
    async fn write(&mut self, octets: &[u8]) -> Result<usize, Failure> {
        black_box(Ok(black_box(octets).len()))
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        black_box(Ok(()))
    }
}

impl Timer for Outside {
    fn now(&mut self) -> Duration {
        black_box(Duration::ZERO)
    }

    async fn wait_until(&mut self, deadline: Duration) {
        black_box(deadline);
    }
}

impl NorFlashError for Failure {
    fn kind(&self) -> NorFlashErrorKind {
        black_box(NorFlashErrorKind::Other)
    }
}

impl nor_flash::ErrorType for Outside {
    type Error = Failure;
}

impl ReadNorFlash for Outside {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), Failure> {
        black_box((offset, octets));
        black_box(Ok(()))
    }

    fn capacity(&self) -> usize {
        black_box(0)
    }
}

impl NorFlash for Outside {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Failure> {
        black_box((from, to));
        black_box(Ok(()))
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), Failure> {
        black_box((offset, octets));
        black_box(Ok(()))
    }
}

impl ClockSource for Outside {
    fn unix_milliseconds(&self) -> Option<i64> {
        black_box(None)
    }

    fn set(&mut self, unix_milliseconds: i64) -> Result<(), DataAccessResult> {
        black_box(unix_milliseconds);
        black_box(Ok(()))
    }
}

impl Relay for Outside {
    fn switch(&mut self, connected: bool) -> Result<(), ActionResult> {
        black_box(connected);
        black_box(Ok(()))
    }
}

impl ImageStorage for Outside {
    fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), ActionResult> {
        black_box((identifier, size));
        black_box(Ok(()))
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult> {
        black_box((offset, octets));
        black_box(Ok(()))
    }

    fn verify(&mut self, size: u32) -> Progress {
        black_box(size);
        black_box(Progress::Running)
    }

    fn activate(&mut self) -> Progress {
        black_box(Progress::Running)
    }

    fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>> {
        black_box(index);
        black_box(None)
    }
}

impl RowStorage for Outside {
    fn capacity(&self) -> u32 {
        black_box(0)
    }

    fn len(&self) -> u32 {
        black_box(0)
    }

    fn with_row<R>(&self, position: u32, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        black_box(position);
        black_box(Some(&[][..])).map(read)
    }

    fn insert(&mut self, position: u32, row: &[u8]) -> Result<(), StorageError> {
        black_box((position, row));
        black_box(Ok(()))
    }

    fn remove(&mut self, position: u32) {
        black_box(position);
    }

    fn clear(&mut self) {}
}
