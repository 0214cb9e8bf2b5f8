//! The driver of a meter: one loop for every framing.

use core::convert::Infallible;
use core::time::Duration;

use dlms_security::CryptoProvider;
use embedded_io::Error as _;

use super::line::{receive, send};
use super::{DriverError, FramingError, Line, READ};
use crate::log::log;
use crate::server::{Event, Host};

/// What the servers of all framings have in common; their own documentation says more.
pub trait ServerFraming<P: CryptoProvider> {
    /// Takes octets out of `input`, up to the end of one frame, and serves it; `false` if there was nothing to take.
    ///
    /// # Errors
    /// The framing is lost.
    fn handle_input(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        host: &mut Host<'_, P>,
    ) -> Result<bool, FramingError>;

    /// The next octets to send. `frame` is room to write them in.
    fn poll_transmit<'f>(&'f mut self, now: Duration, frame: &'f mut [u8]) -> Option<&'f [u8]>;

    /// When [`ServerFraming::handle_timeout`] is to be called.
    fn poll_timeout(&self) -> Option<Duration>;

    /// Lets time pass.
    ///
    /// # Errors
    /// The framing is lost.
    fn handle_timeout(&mut self, now: Duration) -> Result<(), FramingError>;

    /// The next event of any session.
    fn poll_event(&mut self) -> Option<Event>;

    /// The line is gone, and every association with it.
    fn line_lost(&mut self);
}

/// What the rest of a meter does while its line is served. `()` does nothing.
pub trait Application<P: CryptoProvider> {
    /// Something happened in a session. The answer to the request leaves when this returns: store before it what must
    /// survive a restart.
    fn event(&mut self, _event: Event, _host: &mut Host<'_, P>) {}

    /// Time has passed: the place to let the objects tick. Called after each read of the line and at the time that it
    /// returned last.
    fn tick(&mut self, _now: Duration, _host: &mut Host<'_, P>) -> Option<Duration> {
        None
    }
}

impl<P: CryptoProvider> Application<P> for () {}

/// Serves a line until it fails, and returns why. Every association is then aborted; `server` can be used for the next
/// line, or for the same one again.
///
/// `frame` is room for one frame that leaves: what the server's framing sends at once, and at least one frame of HDLC.
/// The wrapper needs none.
pub async fn serve<L: Line, P: CryptoProvider, F: ServerFraming<P>>(
    line: &mut L,
    server: &mut F,
    host: &mut Host<'_, P>,
    application: &mut impl Application<P>,
    frame: &mut [u8],
) -> DriverError<L::Error> {
    let Err(error) = run(line, server, host, application, frame).await;
    match &error {
        DriverError::Line(error) => log!(warn, "the line failed: {}", error.kind()),
        DriverError::Framing(error) => log!(warn, "the framing is lost: {}", error),
        _ => log!(info, "the line has ended"),
    }
    server.line_lost();
    while let Some(event) = server.poll_event() {
        application.event(event, host);
    }
    error
}

async fn run<L: Line, P: CryptoProvider, F: ServerFraming<P>>(
    line: &mut L,
    server: &mut F,
    host: &mut Host<'_, P>,
    application: &mut impl Application<P>,
    frame: &mut [u8],
) -> Result<Infallible, DriverError<L::Error>> {
    let mut octets = [0; READ];
    let mut input: &[u8] = &[];
    loop {
        let now = line.now();
        let took = server.handle_input(now, &mut input, host)?;
        if !took {
            server.handle_timeout(now)?;
        }
        while let Some(event) = server.poll_event() {
            application.event(event, host);
        }
        while let Some(octets) = server.poll_transmit(now, frame) {
            send(line, octets).await?;
        }
        if took {
            continue;
        }
        let tick = application.tick(now, host);
        let deadline = tick.into_iter().chain(server.poll_timeout()).min();
        input = receive(line, &mut octets, deadline).await?.unwrap_or(&[]);
    }
}

#[cfg(feature = "hdlc")]
impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>, const LINKS: usize> ServerFraming<P>
    for crate::server::HdlcServer<P, B, LINKS>
{
    fn handle_input(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        host: &mut Host<'_, P>,
    ) -> Result<bool, FramingError> {
        Ok(self.handle_input(now, input, host))
    }

    fn poll_transmit<'f>(&'f mut self, now: Duration, frame: &'f mut [u8]) -> Option<&'f [u8]> {
        let length = self.poll_transmit(now, frame)?;
        frame.get(..length)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), FramingError> {
        self.handle_timeout(now);
        Ok(())
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.poll_event()
    }

    fn line_lost(&mut self) {
        self.line_lost();
    }
}

#[cfg(feature = "wrapper")]
impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>, const SESSIONS: usize> ServerFraming<P>
    for crate::server::WrapperServer<P, B, SESSIONS>
{
    fn handle_input(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        host: &mut Host<'_, P>,
    ) -> Result<bool, FramingError> {
        if input.is_empty() {
            return Ok(false);
        }
        self.handle_input(now, input, host)?;
        Ok(true)
    }

    fn poll_transmit<'f>(&'f mut self, _now: Duration, _frame: &'f mut [u8]) -> Option<&'f [u8]> {
        self.take_answer()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), FramingError> {
        Ok(self.handle_timeout(now)?)
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.poll_event()
    }

    fn line_lost(&mut self) {
        self.stream_lost();
    }
}
