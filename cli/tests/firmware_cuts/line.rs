//! The line to the meter: a socket, and a recording of what went over it.

use std::cell::RefCell;
use std::io::{ErrorKind as IoError, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dlms::drivers::Line;
use embedded_io::ErrorKind;

/// The octets of either direction.
#[derive(Default)]
pub struct Recording {
    pub to_meter: Vec<u8>,
    pub from_meter: Vec<u8>,
}

pub struct Socket {
    stream: UnixStream,
    begin: Instant,
    recording: Rc<RefCell<Recording>>,
}

impl Socket {
    /// `None` if the meter is off.
    pub fn connect(path: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path).ok()?;
        Some(Self { stream, begin: Instant::now(), recording: Rc::default() })
    }

    pub fn recording(&self) -> Rc<RefCell<Recording>> {
        self.recording.clone()
    }
}

impl Line for Socket {
    type Error = ErrorKind;

    fn now(&mut self) -> Duration {
        self.begin.elapsed()
    }

    async fn read(
        &mut self,
        octets: &mut [u8],
        deadline: Option<Duration>,
    ) -> Result<Option<usize>, ErrorKind> {
        let now = self.now();
        let left = deadline.map(|deadline| deadline.saturating_sub(now).max(Duration::from_millis(1)));
        self.stream.set_read_timeout(left).map_err(|_| ErrorKind::Other)?;
        match self.stream.read(octets) {
            Ok(length) => {
                self.recording.borrow_mut().from_meter.extend(&octets[..length]);
                Ok(Some(length))
            }
            Err(error) if matches!(error.kind(), IoError::WouldBlock | IoError::TimedOut) => Ok(None),
            Err(_) => Err(ErrorKind::ConnectionReset),
        }
    }

    async fn write(&mut self, octets: &[u8]) -> Result<usize, ErrorKind> {
        let length = self.stream.write(octets).map_err(|_| ErrorKind::ConnectionReset)?;
        self.recording.borrow_mut().to_meter.extend(&octets[..length]);
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
