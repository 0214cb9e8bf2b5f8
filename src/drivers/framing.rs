//! The client's end of each framing, as a [`Connection`](super::Connection) uses it.

use core::time::Duration;

#[cfg(feature = "hdlc")]
use dlms_hdlc::{Primary, PrimaryEvent};
#[cfg(feature = "wrapper")]
use dlms_wrapper::{WPort, Wpdu};

use super::FramingError;

/// What the client's ends of all framings have in common.
pub trait ClientFraming {
    /// Begins a link, from any state. Where there is nothing to do for it, [`LinkEvent::Connected`] comes at once.
    fn connect(&mut self) -> Option<LinkEvent>;

    /// Ends the link. Where there is nothing to do for it, [`LinkEvent::Disconnected`] comes at once.
    fn disconnect(&mut self) -> Option<LinkEvent>;

    /// Announces an APDU of so many octets, which [`ClientFraming::poll_transmit`] is then given.
    ///
    /// # Errors
    /// There is no link, or it is busy.
    fn send(&mut self, length: usize) -> Result<(), FramingError>;

    /// Writes the next octets to send into `frame` and says how many they are. `apdu` is the one announced.
    ///
    /// # Errors
    /// They do not fit.
    fn poll_transmit(
        &mut self,
        now: Duration,
        apdu: &[u8],
        frame: &mut [u8],
    ) -> Result<Option<usize>, FramingError>;

    /// Takes octets out of `input`, up to the end of one frame; `None` if there are no more. A received APDU is put
    /// into `apdu`.
    ///
    /// # Errors
    /// The link is gone.
    fn handle_input(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        apdu: &mut [u8],
    ) -> Result<Option<LinkEvent>, FramingError>;

    /// When [`ClientFraming::handle_timeout`] is to be called.
    fn poll_timeout(&self) -> Option<Duration>;

    /// Lets time pass.
    ///
    /// # Errors
    /// The link is gone, or nobody answers on it.
    fn handle_timeout(&mut self, now: Duration) -> Result<(), FramingError>;
}

/// What happened on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LinkEvent {
    /// There is a link.
    Connected,
    /// There is none any more, as asked.
    Disconnected,
    /// An APDU of so many octets has arrived.
    Apdu(usize),
    /// Octets were taken that mean nothing to the layer above.
    Frame,
}

/// HDLC: the primary station and its deframer.
#[cfg(feature = "hdlc")]
#[derive(Debug)]
pub struct HdlcFraming<D, R> {
    deframer: dlms_hdlc::Deframer<D>,
    primary: Primary<R>,
}

#[cfg(feature = "hdlc")]
impl<D, R> HdlcFraming<D, R> {
    /// A link in the disconnected mode.
    ///
    /// The deframer of a serial line should have an inter-octet time-out.
    pub const fn new(deframer: dlms_hdlc::Deframer<D>, primary: Primary<R>) -> Self {
        Self { deframer, primary }
    }
}

#[cfg(feature = "hdlc")]
impl<D: AsRef<[u8]> + AsMut<[u8]>, R: AsRef<[u8]> + AsMut<[u8]>> ClientFraming for HdlcFraming<D, R> {
    fn connect(&mut self) -> Option<LinkEvent> {
        self.deframer.reset();
        self.primary.connect();
        None
    }

    fn disconnect(&mut self) -> Option<LinkEvent> {
        self.primary.disconnect();
        None
    }

    fn send(&mut self, length: usize) -> Result<(), FramingError> {
        Ok(self.primary.send(length)?)
    }

    fn poll_transmit(
        &mut self,
        now: Duration,
        apdu: &[u8],
        frame: &mut [u8],
    ) -> Result<Option<usize>, FramingError> {
        Ok(self.primary.poll_transmit(now, apdu, frame)?)
    }

    fn handle_input(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        apdu: &mut [u8],
    ) -> Result<Option<LinkEvent>, FramingError> {
        let Some(frame) = self.deframer.next(now, input) else { return Ok(None) };
        let event = self.primary.handle_frame(now, &frame);
        event.map_or(Ok(LinkEvent::Frame), |event| link_event(event, apdu)).map(Some)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.primary.poll_timeout().into_iter().chain(self.deframer.poll_timeout()).min()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), FramingError> {
        self.deframer.handle_timeout(now);
        match self.primary.handle_timeout(now) {
            Some(event) => link_event(event, &mut []).map(|_| ()),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "hdlc")]
fn link_event(event: PrimaryEvent<'_>, apdu: &mut [u8]) -> Result<LinkEvent, FramingError> {
    match event {
        PrimaryEvent::Connected(_) => Ok(LinkEvent::Connected),
        PrimaryEvent::Disconnected => Ok(LinkEvent::Disconnected),
        PrimaryEvent::Apdu(octets) | PrimaryEvent::Unconfirmed(octets) => copy(octets, apdu),
        PrimaryEvent::Idle => Ok(LinkEvent::Frame),
        PrimaryEvent::Refused => Err(FramingError::Refused),
        PrimaryEvent::NoAnswer => Err(FramingError::NoAnswer),
        PrimaryEvent::Lost(loss) => Err(FramingError::Lost(loss)),
    }
}

/// The wrapper on a stream that is connected already.
#[cfg(feature = "wrapper")]
pub struct WrapperFraming<B> {
    client: WPort,
    server: WPort,
    deframer: dlms_wrapper::Deframer<B>,
    /// Whether an APDU was announced and has not left yet.
    is_due: bool,
}

#[cfg(feature = "wrapper")]
impl<B: AsRef<[u8]> + AsMut<[u8]>> WrapperFraming<B> {
    /// From the application process `client` here to `server` there.
    pub const fn new(client: WPort, server: WPort, deframer: dlms_wrapper::Deframer<B>) -> Self {
        Self { client, server, deframer, is_due: false }
    }
}

#[cfg(feature = "wrapper")]
impl<B: AsRef<[u8]> + AsMut<[u8]>> ClientFraming for WrapperFraming<B> {
    fn connect(&mut self) -> Option<LinkEvent> {
        self.is_due = false;
        Some(LinkEvent::Connected)
    }

    fn disconnect(&mut self) -> Option<LinkEvent> {
        self.is_due = false;
        Some(LinkEvent::Disconnected)
    }

    fn send(&mut self, _length: usize) -> Result<(), FramingError> {
        self.is_due = true;
        Ok(())
    }

    fn poll_transmit(
        &mut self,
        _now: Duration,
        apdu: &[u8],
        frame: &mut [u8],
    ) -> Result<Option<usize>, FramingError> {
        if !core::mem::take(&mut self.is_due) {
            return Ok(None);
        }
        let wpdu = Wpdu { source: self.client, destination: self.server, apdu };
        Ok(Some(wpdu.encode(frame)?))
    }

    fn handle_input(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        apdu: &mut [u8],
    ) -> Result<Option<LinkEvent>, FramingError> {
        if input.is_empty() {
            return Ok(None);
        }
        let received = self.deframer.receive(input, now)?;
        *input = input.get(received.consumed..).unwrap_or(&[]);
        match received.wpdu {
            Some(wpdu) if wpdu.source == self.server && wpdu.destination == self.client => {
                copy(wpdu.apdu, apdu).map(Some)
            }
            _ => Ok(Some(LinkEvent::Frame)),
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.deframer.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), FramingError> {
        Ok(self.deframer.handle_timeout(now)?)
    }
}

#[cfg(any(feature = "hdlc", feature = "wrapper"))]
fn copy(octets: &[u8], apdu: &mut [u8]) -> Result<LinkEvent, FramingError> {
    let length = octets.len();
    apdu.get_mut(..length).ok_or(FramingError::TooLong { length })?.copy_from_slice(octets);
    Ok(LinkEvent::Apdu(length))
}
