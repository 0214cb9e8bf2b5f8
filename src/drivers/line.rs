//! A line of octets with deadlines, and the blocking one over `embedded-io`.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use embedded_io::{Error as _, ErrorKind, ErrorType, Read, ReadReady, Write};

use super::DriverError;

/// A stream of octets in both directions, and the time: what a driver needs of the world.
#[allow(async_fn_in_trait, reason = "who drives a line owns it; nothing is sent to another thread")]
pub trait Line {
    /// The error of the line.
    type Error: embedded_io::Error;

    /// The time, since any origin.
    fn now(&mut self) -> Duration;

    /// Reads some octets; `None` if there are none until the deadline, `Some(0)` if the line has ended.
    ///
    /// # Errors
    /// The line failed.
    async fn read(
        &mut self,
        octets: &mut [u8],
        deadline: Option<Duration>,
    ) -> Result<Option<usize>, Self::Error>;

    /// Writes some of the octets and says how many; 0 if the line has ended.
    ///
    /// # Errors
    /// The line failed.
    async fn write(&mut self, octets: &[u8]) -> Result<usize, Self::Error>;

    /// Sends off what was written.
    ///
    /// # Errors
    /// The line failed.
    async fn flush(&mut self) -> Result<(), Self::Error>;
}

/// A line of `embedded-io`. None of its futures ever waits: see [`block_on`].
///
/// Until octets or the deadline have come, `now` is called over and over: a processor may sleep in it until the next
/// interrupt. A line whose reads end by themselves ([`ErrorKind::TimedOut`]) needs no [`ReadReady`]: see
/// [`AlwaysReady`].
#[derive(Debug)]
pub struct BlockingLine<IO, N> {
    io: IO,
    now: N,
}

impl<IO, N> BlockingLine<IO, N> {
    /// A line, and a function that tells the time since any origin.
    pub const fn new(io: IO, now: N) -> Self {
        Self { io, now }
    }

    /// The line.
    pub fn into_inner(self) -> IO {
        self.io
    }
}

impl<IO: Read + ReadReady + Write, N: FnMut() -> Duration> Line for BlockingLine<IO, N> {
    type Error = IO::Error;

    fn now(&mut self) -> Duration {
        (self.now)()
    }

    async fn read(
        &mut self,
        octets: &mut [u8],
        deadline: Option<Duration>,
    ) -> Result<Option<usize>, IO::Error> {
        loop {
            if self.io.read_ready()? {
                match self.io.read(octets) {
                    Ok(length) => return Ok(Some(length)),
                    Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                    Err(error) => return Err(error),
                }
            }
            let now = self.now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(None);
            }
        }
    }

    async fn write(&mut self, octets: &[u8]) -> Result<usize, IO::Error> {
        self.io.write(octets)
    }

    async fn flush(&mut self) -> Result<(), IO::Error> {
        self.io.flush()
    }
}

/// A line that cannot tell whether there are octets: every read waits for some.
///
/// Time-outs are noticed only when a read ends, by octets or by [`ErrorKind::TimedOut`]. That does for a server that
/// has nothing else to do, and for a serial port with a read time-out of its own.
#[derive(Debug)]
pub struct AlwaysReady<IO>(pub IO);

impl<IO: ErrorType> ErrorType for AlwaysReady<IO> {
    type Error = IO::Error;
}

impl<IO: ErrorType> ReadReady for AlwaysReady<IO> {
    fn read_ready(&mut self) -> Result<bool, IO::Error> {
        Ok(true)
    }
}

impl<IO: Read> Read for AlwaysReady<IO> {
    fn read(&mut self, octets: &mut [u8]) -> Result<usize, IO::Error> {
        self.0.read(octets)
    }
}

impl<IO: Write> Write for AlwaysReady<IO> {
    fn write(&mut self, octets: &[u8]) -> Result<usize, IO::Error> {
        self.0.write(octets)
    }

    fn flush(&mut self) -> Result<(), IO::Error> {
        self.0.flush()
    }
}

/// Runs a driver to its end, without an executor. For a [`BlockingLine`]: the waiting happens in the line.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Writes all of the octets and sends them off.
pub(super) async fn send<L: Line>(line: &mut L, octets: &[u8]) -> Result<(), DriverError<L::Error>> {
    let mut rest = octets;
    while !rest.is_empty() {
        match line.write(rest).await.map_err(DriverError::Line)? {
            0 => return Err(DriverError::Closed),
            written => rest = rest.get(written..).unwrap_or(&[]),
        }
    }
    line.flush().await.map_err(DriverError::Line)
}

/// Reads some octets; none if the deadline comes first.
pub(super) async fn receive<'o, L: Line>(
    line: &mut L,
    octets: &'o mut [u8],
    deadline: Option<Duration>,
) -> Result<Option<&'o [u8]>, DriverError<L::Error>> {
    match line.read(octets, deadline).await.map_err(DriverError::Line)? {
        Some(0) => Err(DriverError::Closed),
        Some(length) => Ok(octets.get(..length)),
        None => Ok(None),
    }
}
