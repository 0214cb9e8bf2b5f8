//! A meter on a line that carries HDLC: deframer, links and sessions put together, without I/O.
//!
//! One rule for callers: after [`HdlcServer::handle_input`] has taken a frame, send what
//! [`HdlcServer::poll_transmit`] gives until it gives nothing, then go on with the input.
//!
//! ```text
//! let mut input = &received[..];
//! while server.handle_input(now, &mut input, &mut host) {
//!     while let Some(length) = server.poll_transmit(now, &mut frame) { line.write(&frame[..length]); }
//! }
//! // when server.poll_timeout() has passed: server.handle_timeout(now)
//! ```

use core::ops::Range;
use core::time::Duration;

use dlms_hdlc::{Deframer, Frame, Route, Secondary, SecondaryConfig, SecondaryEvent, refuse, route};
use dlms_security::CryptoProvider;

use super::{Event, Host, Session};

/// The octets of a DM with the longest addresses.
const REFUSAL: usize = 16;

/// A server for as many clients at once as it has links.
///
/// `B` is the kind of every buffer: `[u8; N]`, `&mut [u8]` or `Vec<u8>`.
pub struct HdlcServer<P: CryptoProvider, B, const LINKS: usize> {
    deframer: Deframer<B>,
    /// The request that is being served: it is deciphered in place.
    request: B,
    links: [Secondary<B>; LINKS],
    endpoints: [Endpoint<P, B>; LINKS],
    /// The link whose turn it is to send.
    turn: usize,
    refusal: [u8; REFUSAL],
    refusal_length: usize,
}

/// What a link carries.
struct Endpoint<P: CryptoProvider, B> {
    session: Session<P, B>,
    response: B,
    range: Range<usize>,
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>, const LINKS: usize> HdlcServer<P, B, LINKS> {
    /// A server at the address of `config`. `buffer` makes its buffers, which should hold the longest APDU with 32
    /// octets more, and at least one frame ([`dlms_hdlc::MAX_FRAME`] for any).
    pub fn new(config: SecondaryConfig, mut buffer: impl FnMut() -> B) -> Self {
        Self {
            deframer: Deframer::new(buffer()),
            request: buffer(),
            links: core::array::from_fn(|_| Secondary::new(config, buffer())),
            endpoints: core::array::from_fn(|_| Endpoint {
                session: Session::new(0, buffer()).answer_unconfirmed(),
                response: buffer(),
                range: 0..0,
            }),
            turn: 0,
            refusal: [0; REFUSAL],
            refusal_length: 0,
        }
    }

    /// Takes one frame out of `input` and serves it; `false` if there is none left.
    pub fn handle_input(&mut self, now: Duration, input: &mut &[u8], host: &mut Host<'_, P>) -> bool {
        let Some(frame) = self.deframer.next(now, input) else { return false };
        let mut server = Serving {
            request: self.request.as_mut(),
            links: &mut self.links,
            endpoints: &mut self.endpoints,
        };
        match route(server.links, &frame) {
            Route::Link(index) => {
                server.serve(index, now, &frame, host);
                self.turn = index;
            }
            Route::Broadcast => (0..LINKS).for_each(|index| server.serve(index, now, &frame, host)),
            Route::Full => self.refusal_length = refuse(&frame, &mut self.refusal).unwrap_or(0),
            Route::Elsewhere => {}
        }
        true
    }

    /// Writes the next frame to send into `out`, and returns its length.
    pub fn poll_transmit(&mut self, now: Duration, out: &mut [u8]) -> Option<usize> {
        let refusal = self.refusal.get(..core::mem::take(&mut self.refusal_length))?;
        if !refusal.is_empty() {
            out.get_mut(..refusal.len())?.copy_from_slice(refusal);
            return Some(refusal.len());
        }
        let (link, endpoint) = self.links.get_mut(self.turn).zip(self.endpoints.get(self.turn))?;
        let response = endpoint.response.as_ref().get(endpoint.range.clone()).unwrap_or(&[]);
        link.poll_transmit(now, response, out).ok().flatten()
    }

    /// When [`HdlcServer::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let mut earliest = self.deframer.poll_timeout();
        for (link, endpoint) in self.links.iter().zip(&self.endpoints) {
            for deadline in [link.poll_timeout(), endpoint.session.poll_timeout()].into_iter().flatten() {
                earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline)));
            }
        }
        earliest
    }

    /// Lets time pass: half frames are dropped, silent links are released, handshakes end. Frames may be due after it.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.deframer.handle_timeout(now);
        let endpoints = self.links.iter_mut().zip(&mut self.endpoints);
        for (index, (link, endpoint)) in (0..LINKS).zip(endpoints) {
            match link.handle_timeout(now) {
                Some(_) => endpoint.session.link_lost(),
                None if link.poll_timeout().is_some_and(|deadline| deadline <= now) => self.turn = index,
                None => {}
            }
            endpoint.session.handle_timeout(now);
        }
    }

    /// Whether any client has an association.
    pub fn is_associated(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.session.association().is_some())
    }

    /// The line is gone, and every association with it.
    pub fn line_lost(&mut self) {
        self.deframer.reset();
        for (link, endpoint) in self.links.iter_mut().zip(&mut self.endpoints) {
            link.physical_disconnect();
            endpoint.session.link_lost();
        }
    }

    /// The next event of any session.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.endpoints.iter_mut().find_map(|endpoint| endpoint.session.poll_event())
    }
}

/// The parts of a server that serve one frame, while the deframer holds the frame.
struct Serving<'s, P: CryptoProvider, B> {
    request: &'s mut [u8],
    links: &'s mut [Secondary<B>],
    endpoints: &'s mut [Endpoint<P, B>],
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Serving<'_, P, B> {
    fn serve(&mut self, index: usize, now: Duration, frame: &Frame<'_>, host: &mut Host<'_, P>) {
        let Some((link, endpoint)) = self.links.get_mut(index).zip(self.endpoints.get_mut(index)) else {
            return;
        };
        let (apdu, confirmed) = match link.handle_frame(now, frame) {
            None => return,
            Some(SecondaryEvent::Apdu(apdu)) => (apdu, true),
            Some(SecondaryEvent::Unconfirmed { apdu, .. }) => (apdu, false),
            Some(SecondaryEvent::Connected(_) | SecondaryEvent::Reset(_)) => {
                let client = frame.source.client().map_or(0, |client| client.number().into());
                return endpoint.session.restart(client);
            }
            Some(SecondaryEvent::Disconnected(_) | SecondaryEvent::Rejected(_)) => {
                return endpoint.session.link_lost();
            }
        };
        let Some(request) = self.request.get_mut(..apdu.len()) else {
            return link.no_response();
        };
        request.copy_from_slice(apdu);
        let answer = endpoint.session.handle_apdu(host, now, request, endpoint.response.as_mut());
        if !confirmed {
            return;
        }
        match answer {
            Some(range) if link.send(range.len()).is_ok() => endpoint.range = range,
            _ => link.no_response(),
        }
    }
}
