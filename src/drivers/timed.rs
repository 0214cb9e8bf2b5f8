//! The line over `embedded-io-async`, with deadlines from a timer.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use embedded_io_async::{Read, Write};

use super::Line;

/// Tells the time and waits. With embassy:
///
/// ```ignore
/// struct Embassy;
///
/// impl Timer for Embassy {
///     fn now(&mut self) -> Duration {
///         Duration::from_micros(Instant::now().as_micros())
///     }
///
///     async fn wait_until(&mut self, deadline: Duration) {
///         embassy_time::Timer::at(Instant::from_micros(deadline.as_micros() as u64)).await
///     }
/// }
/// ```
#[allow(async_fn_in_trait, reason = "who drives a line owns it; nothing is sent to another thread")]
pub trait Timer {
    /// The time, since any origin.
    fn now(&mut self) -> Duration;

    /// Waits until the time is `deadline`. The future may be dropped before.
    async fn wait_until(&mut self, deadline: Duration);
}

/// A line of `embedded-io-async` and a timer.
///
/// At a deadline a read is given up: the line must lose no octets when a read is dropped that has not ended, as
/// interrupt-driven UARTs and sockets do not.
#[derive(Debug)]
pub struct AsyncLine<IO, T> {
    io: IO,
    timer: T,
}

impl<IO, T> AsyncLine<IO, T> {
    /// A line and a timer.
    pub const fn new(io: IO, timer: T) -> Self {
        Self { io, timer }
    }

    /// The line.
    pub fn into_inner(self) -> IO {
        self.io
    }
}

impl<IO: Read + Write, T: Timer> Line for AsyncLine<IO, T> {
    type Error = IO::Error;

    fn now(&mut self) -> Duration {
        self.timer.now()
    }

    async fn read(
        &mut self,
        octets: &mut [u8],
        deadline: Option<Duration>,
    ) -> Result<Option<usize>, IO::Error> {
        let mut read = pin!(self.io.read(octets));
        let Some(deadline) = deadline else { return read.await.map(Some) };
        let mut wait = pin!(self.timer.wait_until(deadline));
        poll_fn(|context| match read.as_mut().poll(context) {
            Poll::Ready(read) => Poll::Ready(read.map(Some)),
            Poll::Pending => wait.as_mut().poll(context).map(|()| Ok(None)),
        })
        .await
    }

    async fn write(&mut self, octets: &[u8]) -> Result<usize, IO::Error> {
        self.io.write(octets).await
    }

    async fn flush(&mut self) -> Result<(), IO::Error> {
        self.io.flush().await
    }
}
