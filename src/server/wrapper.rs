//! A meter on a byte stream that carries the wrapper (TCP): deframer and sessions put together, without I/O.
//!
//! ```text
//! let mut input = &received[..];
//! while !input.is_empty() {
//!     if let Some(answer) = server.handle_input(now, &mut input, &mut host)? { stream.write(answer); }
//! }
//! ```
//!
//! A stream carries as many associations as there are sessions, told apart by the client's wPort. An error means that
//! the framing is lost: close the stream.

use core::ops::Range;
use core::time::Duration;

use dlms_security::CryptoProvider;
use dlms_wrapper::{Deframer, HEADER_LENGTH, Header, WPort, WrapperError};

use super::{Event, Host, Session};

/// A server for `SESSIONS` clients on one stream.
///
/// `B` is the kind of every buffer: `[u8; N]`, `&mut [u8]` or `Vec<u8>`.
pub struct WrapperServer<P: CryptoProvider, B, const SESSIONS: usize> {
    /// The wPort of the logical device.
    server: WPort,
    deframer: Deframer<B>,
    request: B,
    response: B,
    /// Where in `response` the last answer is.
    answer: Range<usize>,
    sessions: [(WPort, Session<P, B>); SESSIONS],
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>, const SESSIONS: usize> WrapperServer<P, B, SESSIONS> {
    /// A server at the wPort `server`. `buffer` makes its buffers, which should hold the longest APDU with 64 octets
    /// more.
    pub fn new(server: WPort, mut buffer: impl FnMut() -> B) -> Self {
        Self {
            server,
            deframer: Deframer::new(buffer()),
            request: buffer(),
            response: buffer(),
            answer: 0..0,
            sessions: core::array::from_fn(|_| (WPort(0), Session::new(0, buffer()))),
        }
    }

    /// Takes octets out of `input` up to the end of one WPDU, serves it, and returns the WPDU to send back.
    ///
    /// A WPDU for another wPort is dropped, as is one of a client for whom there is no session left.
    ///
    /// # Errors
    /// The octets are no WPDU, or one that is too long.
    pub fn handle_input(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        host: &mut Host<'_, P>,
    ) -> Result<Option<&[u8]>, WrapperError> {
        self.answer = 0..0;
        let received = self.deframer.receive(input, now)?;
        let consumed = received.consumed;
        let wpdu = received.wpdu;
        let rest = input.get(consumed..).unwrap_or(&[]);
        let Some(wpdu) = wpdu.filter(|wpdu| wpdu.destination == self.server) else {
            *input = rest;
            return Ok(None);
        };
        let client = wpdu.source;
        let length = wpdu.apdu.len();
        *input = rest;
        let Some(request) = self.request.as_mut().get_mut(..length) else { return Ok(None) };
        request.copy_from_slice(wpdu.apdu);
        let known = self.sessions.iter().position(|(port, _)| *port == client);
        let free = || self.sessions.iter().position(|(_, session)| session.is_idle());
        let Some(index) = known.or_else(free) else { return Ok(None) };
        let Some((port, session)) = self.sessions.get_mut(index) else { return Ok(None) };
        if *port != client {
            *port = client;
            session.restart(client.0);
        }
        let out = self.response.as_mut();
        let Some((_, room)) = out.split_at_mut_checked(HEADER_LENGTH) else { return Ok(None) };
        let Some(range) = session.handle_apdu(host, now, request, room) else { return Ok(None) };
        // The header goes right before the APDU, wherever that begins.
        let header = Header::new(self.server, client, range.len())?.encode();
        let answer = range.start..range.end.saturating_add(HEADER_LENGTH);
        let Some(place) = out.get_mut(answer.clone()).and_then(|answer| answer.first_chunk_mut()) else {
            return Ok(None);
        };
        *place = header;
        self.answer = answer;
        Ok(self.response.as_ref().get(self.answer.clone()))
    }

    /// The answer to the WPDU that was served last, once.
    #[cfg(feature = "embedded-io")]
    pub(crate) fn take_answer(&mut self) -> Option<&[u8]> {
        let answer = core::mem::take(&mut self.answer);
        self.response.as_ref().get(answer).filter(|octets| !octets.is_empty())
    }

    /// When [`WrapperServer::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let sessions = self.sessions.iter().filter_map(|(_, session)| session.poll_timeout());
        sessions.chain(self.deframer.poll_timeout()).min()
    }

    /// Lets time pass: handshakes end.
    ///
    /// # Errors
    /// A WPDU did not arrive whole in time: close the stream.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), WrapperError> {
        self.sessions.iter_mut().for_each(|(_, session)| session.handle_timeout(now));
        self.deframer.handle_timeout(now)
    }

    /// Whether any client has an association.
    pub fn is_associated(&self) -> bool {
        self.sessions.iter().any(|(_, session)| session.association().is_some())
    }

    /// The stream is gone, and every association with it.
    pub fn stream_lost(&mut self) {
        self.deframer.reset();
        self.sessions.iter_mut().for_each(|(_, session)| session.link_lost());
    }

    /// The next event of any session.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.sessions.iter_mut().find_map(|(_, session)| session.poll_event())
    }
}
