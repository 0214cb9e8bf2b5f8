//! The server's end of a data link connection: the secondary station (IEC 62056-46, 6.4.4, class UNC).
//!
//! One `Secondary` is one link, that is one pair of client address and server address with its own mode, numbers and
//! limits; [`route`](crate::route) finds the right one of several. A secondary speaks only when the client has passed
//! it the right to (P = 1), and gives it back with the last frame it sends (F = 1).
//!
//! **The run loop.** Feed frames, act on the event, then send what there is, one frame per call, before the next frame
//! is fed. The APDU to be sent stays with the caller, unchanged, until the next [`SecondaryEvent`] other than
//! [`Unconfirmed`](SecondaryEvent::Unconfirmed): a frame that was lost is read from it again.
//!
//! ```
//! use core::time::Duration;
//! use dlms_hdlc::{Deframer, MAX_FRAME, Secondary, SecondaryConfig, SecondaryEvent, ServerAddress};
//!
//! # fn serve(request: &[u8], response: &mut [u8]) -> usize { response[..request.len()].copy_from_slice(request); request.len() }
//! # let received: &[u8] = &[
//! #     0x7E, 0xA0, 0x07, 0x03, 0x21, 0x93, 0x0F, 0x01, 0x7E, // SNRM
//! #     0xA0, 0x19, 0x03, 0x21, 0x10, 0x7F, 0xDA, 0xE6, 0xE6, 0x00, 0xC0, 0x01, 0xC1, 0x00, 0x08, 0x00, 0x00, 0x01,
//! #     0x00, 0x00, 0xFF, 0x02, 0x00, 0x60, 0x1A, 0x7E,
//! # ];
//! # let now = Duration::ZERO;
//! # let mut sent = 0;
//! let mut deframer = Deframer::new([0; MAX_FRAME]);
//! let mut link = Secondary::new(SecondaryConfig::new(ServerAddress::one(1)?), [0; 1024]);
//! let mut response = [0; 1024];
//! let mut response_length = 0;
//! let mut out = [0; MAX_FRAME];
//!
//! let mut input = received; // what a read has returned
//! while let Some(frame) = deframer.next(now, &mut input) {
//!     let answer = match link.handle_frame(now, &frame) {
//!         Some(SecondaryEvent::Apdu(request)) => Some(serve(request, &mut response)),
//!         _ => None, // a real server opens and closes its association here
//!     };
//!     if let Some(length) = answer {
//!         response_length = length;
//!         link.send(length)?;
//!     }
//!     while let Some(length) = link.poll_transmit(now, &response[..response_length], &mut out)? {
//!         // write out[..length] to the line
//! #       sent += length;
//!     }
//! }
//! // Sleep until `deframer.poll_timeout()`, `link.poll_timeout()` or the next octet; then:
//! deframer.handle_timeout(now);
//! link.handle_timeout(now);
//! # assert_eq!(sent, 32 + 27);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::time::Duration;

use crate::address::Delivery;
use crate::link::{Reassembly, SendError, SendWindow, TransmitError, earlier};
use crate::llc::{LLC_LENGTH, Llc};
use crate::{
    Address, ClientAddress, Control, Frame, FrameReject, ParameterForm, Parameters, Sequence, ServerAddress,
};

/// What a server decides about a link.
#[derive(Debug, Clone, Copy)]
pub struct SecondaryConfig {
    /// This station.
    pub server: ServerAddress,
    /// The only client of this link; `None` takes whoever connects first, until the link is released.
    pub client: Option<ClientAddress>,
    /// Takes every address length, and answers in that of the request.
    pub any_address_length: bool,
    /// The CALLING DEVICE flag: frames for the CALLING physical device are for this station.
    pub calling_device: bool,
    /// The most this station can do; a SNRM may ask for less.
    pub limits: Parameters,
    /// How the UA states the result.
    pub parameter_form: ParameterForm,
    /// States the result even when the SNRM did not ask and it is the default, which the standard leaves open. There
    /// are clients that cannot do without.
    pub states_defaults: bool,
    /// Silence after which the link is released; `None`: never.
    pub inactivity_time_out: Option<Duration>,
    /// How long the client may be kept waiting for a response before RR gives it the right to speak back; the response
    /// then goes out at its next poll. `None`: for ever.
    pub response_time_out: Option<Duration>,
}

impl SecondaryConfig {
    /// The standard's defaults: 128 octets, window 1, 120 s of silence.
    #[must_use]
    pub fn new(server: ServerAddress) -> Self {
        Self {
            server,
            client: None,
            any_address_length: false,
            calling_device: false,
            limits: Parameters::default(),
            parameter_form: ParameterForm::Explicit,
            states_defaults: true,
            inactivity_time_out: Some(Duration::from_secs(120)),
            response_time_out: None,
        }
    }
}

/// What happened on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondaryEvent<'a> {
    /// A client has connected, with these limits (this station's point of view).
    Connected(Parameters),
    /// The client has connected again: its association is gone, and everything on its way with it.
    Reset(Parameters),
    /// The link, and the association on it, is gone.
    Disconnected(Disconnection),
    /// A frame has been rejected; the client must connect again before anything else.
    Rejected(FrameReject),
    /// An APDU. Answer with [`Secondary::send`], or [`Secondary::no_response`].
    Apdu(&'a [u8]),
    /// An APDU that expects no answer on the link.
    Unconfirmed {
        /// The APDU.
        apdu: &'a [u8],
        /// Whether others have it too.
        broadcast: bool,
    },
}

/// Why a link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Disconnection {
    /// The client has asked for it.
    Requested,
    /// The client connected again with parameters, or at a time, that this station refuses.
    Refused,
    /// Nothing was heard for too long.
    Inactivity,
    /// The client has sent an MSDU that is longer than the reassembly buffer.
    TooLong,
}

/// The server's end of one link.
///
/// `B` holds an MSDU that arrives in segments (LLC header and APDU); `U` holds unconfirmed APDUs until the client lets
/// the server speak, with two octets each for their length. Both are `[u8; N]`, `&mut [u8]`, or a `Vec<u8>`.
#[derive(Debug, Clone)]
pub struct Secondary<B, U = [u8; 0]> {
    config: SecondaryConfig,
    state: State,
    parameters: Parameters,
    window: SendWindow,
    /// V(R).
    receive: Sequence,
    reassembly: Reassembly<B>,
    queue: U,
    queued: usize,
    reply: Reply,
    peer: ClientAddress,
    own: Address,
    /// The client has said RNR.
    peer_busy: bool,
    /// This station says RNR.
    busy: bool,
    refusing: bool,
    last_activity: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// NDM.
    Disconnected,
    /// NRM.
    Connected,
    /// The frame-reject exception.
    Rejecting(FrameReject),
}

/// What is owed to the client that has passed the right to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Nothing,
    /// UA, with or without parameters.
    Acknowledge {
        parameters: bool,
    },
    DisconnectedMode,
    Reject(FrameReject),
    /// The application is at work; by then RR at the latest.
    Awaiting(Option<Duration>),
    /// Queued UI, then RR or RNR.
    Ready,
    /// Queued UI, then I frames as the window allows, else RR or RNR.
    Turn,
    /// Queued UI, the last with F.
    Unconfirmed,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Secondary<B> {
    /// A link in the disconnected mode, without a queue for unconfirmed APDUs.
    pub fn new(config: SecondaryConfig, reassembly: B) -> Self {
        Self::with_queue(config, reassembly, [])
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, U: AsRef<[u8]> + AsMut<[u8]>> Secondary<B, U> {
    /// A link in the disconnected mode.
    pub fn with_queue(config: SecondaryConfig, reassembly: B, queue: U) -> Self {
        let config = SecondaryConfig { limits: config.limits.clamped(), ..config };
        let parameters = Parameters::default();
        Self {
            state: State::Disconnected,
            parameters,
            window: SendWindow::new(parameters),
            receive: Sequence::default(),
            reassembly: Reassembly::new(reassembly),
            queue,
            queued: 0,
            reply: Reply::Nothing,
            peer: config.client.unwrap_or(ClientAddress::NO_STATION),
            own: config.server.into(),
            peer_busy: false,
            busy: false,
            refusing: false,
            last_activity: Duration::ZERO,
            config,
        }
    }

    /// What was configured.
    #[must_use]
    pub const fn config(&self) -> &SecondaryConfig {
        &self.config
    }

    /// The limits in force.
    #[must_use]
    pub const fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// The connected client.
    #[must_use]
    pub fn client(&self) -> Option<ClientAddress> {
        self.is_connected().then_some(self.peer)
    }

    /// Whether a client is connected, the frame-reject exception included.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state != State::Disconnected
    }

    /// How a frame would reach this link, which its client's address has a say in.
    #[must_use]
    pub fn accepts(&self, frame: &Frame<'_>) -> Option<Delivery> {
        let client = frame.source.client()?;
        if frame.source.is_reserved_source() {
            return None;
        }
        let SecondaryConfig { server, calling_device, any_address_length, .. } = self.config;
        let delivery = server.receives(frame.destination, calling_device, any_address_length)?;
        let bound = if self.is_connected() { Some(self.peer) } else { self.config.client };
        let ours = bound.is_none_or(|bound| bound == client);
        let accepted = match (delivery, frame.control) {
            (Delivery::Broadcast, Control::UnnumberedInformation { poll_final }) => !poll_final,
            (Delivery::Broadcast, Control::Disconnect { poll_final }) => !poll_final && ours,
            (Delivery::Broadcast, _) => false,
            _ => ours,
        };
        accepted.then_some(delivery)
    }

    /// Takes a frame that arrived at `now` and says what it means to the application.
    ///
    /// Send what [`Self::poll_transmit`] has before the next frame.
    pub fn handle_frame<'a>(&'a mut self, now: Duration, frame: &Frame<'a>) -> Option<SecondaryEvent<'a>> {
        let delivery = self.accepts(frame)?;
        let expired = self.expire(now);
        self.last_activity = now;
        if delivery == Delivery::Broadcast {
            return self.handle_broadcast(frame).or(expired);
        }
        if let Some(client) = frame.source.client() {
            self.peer = client;
        }
        self.own = match delivery {
            Delivery::Calling => self.config.server.in_form_of(frame.destination.length()),
            _ => frame.destination,
        };
        match self.state {
            State::Disconnected => self.handle_disconnected(frame),
            State::Connected => self.handle_connected(now, frame),
            State::Rejecting(reject) => self.handle_rejecting(frame, reject),
        }
        .or(expired)
    }

    /// Announces the response to the last APDU: so many octets, which [`Self::poll_transmit`] is then given.
    ///
    /// # Errors
    /// [`SendError::NotConnected`], or [`SendError::Busy`] while another APDU is on its way.
    pub fn send(&mut self, apdu_length: usize) -> Result<(), SendError> {
        if self.state != State::Connected {
            return Err(SendError::NotConnected);
        }
        if self.window.is_active() {
            return Err(SendError::Busy);
        }
        self.window.start(apdu_length);
        if let Reply::Awaiting(_) = self.reply {
            self.reply = Reply::Turn;
        }
        Ok(())
    }

    /// Says that the last APDU has no response: the client gets an RR.
    pub fn no_response(&mut self) {
        if let Reply::Awaiting(_) = self.reply {
            self.reply = Reply::Ready;
        }
    }

    /// Copies an unconfirmed APDU (a notification) into the queue, for the next time that the client lets the server
    /// speak. The queue outlives the connection.
    ///
    /// # Errors
    /// [`SendError::TooLong`] if it does not fit one frame, [`SendError::QueueFull`].
    pub fn queue_unconfirmed(&mut self, apdu: &[u8]) -> Result<(), SendError> {
        let limit = usize::from(self.parameters.max_information_transmit);
        let length = LLC_LENGTH.saturating_add(apdu.len());
        if length > limit {
            return Err(SendError::TooLong { length, limit });
        }
        let free = self.queue.as_mut().get_mut(self.queued..);
        let free = free.and_then(|free| free.split_first_chunk_mut());
        let Some((size, target)) = free.and_then(|(size, free)| Some((size, free.get_mut(..apdu.len())?)))
        else {
            return Err(SendError::QueueFull);
        };
        *size = (apdu.len() as u16).to_be_bytes();
        target.copy_from_slice(apdu);
        self.queued = self.queued.wrapping_add(2).wrapping_add(apdu.len());
        Ok(())
    }

    /// While busy, I frames are turned away with RNR.
    pub fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// While refusing, SNRM is answered with DM.
    pub fn set_refusing(&mut self, refusing: bool) {
        self.refusing = refusing;
    }

    /// The physical connection is gone, and the link with it.
    pub fn physical_disconnect(&mut self) {
        self.release();
        self.config.calling_device = false;
    }

    /// Writes the next frame, both flags included; `None`: nothing is to be sent.
    ///
    /// `apdu` is the one announced with [`Self::send`], as long as there is one.
    ///
    /// # Errors
    /// [`TransmitError`]; the call can be repeated.
    pub fn poll_transmit(
        &mut self,
        now: Duration,
        apdu: &[u8],
        out: &mut [u8],
    ) -> Result<Option<usize>, TransmitError> {
        let poll_final = true;
        let (length, reply) = match self.reply {
            Reply::Nothing | Reply::Awaiting(_) => return Ok(None),
            Reply::Acknowledge { parameters } => {
                let field = self.parameters.encode(self.config.parameter_form);
                let field = if parameters { field.as_ref() } else { &[] };
                (self.encode(Control::UnnumberedAcknowledge { poll_final }, &[field], out)?, Reply::Nothing)
            }
            Reply::DisconnectedMode => {
                (self.encode(Control::DisconnectedMode { poll_final }, &[], out)?, Reply::Nothing)
            }
            Reply::Reject(reject) => {
                (self.encode(Control::FrameReject { poll_final }, &[&reject.octets()], out)?, Reply::Nothing)
            }
            Reply::Unconfirmed if self.queued > 0 => {
                let last = self.unconfirmed().1.is_empty();
                let length = self.transmit_unconfirmed(last, out)?;
                (length, if last { Reply::Nothing } else { Reply::Unconfirmed })
            }
            Reply::Unconfirmed if self.state == State::Disconnected => {
                (self.encode(Control::DisconnectedMode { poll_final }, &[], out)?, Reply::Nothing)
            }
            reply @ (Reply::Ready | Reply::Turn) if self.queued > 0 => {
                (self.transmit_unconfirmed(false, out)?, reply)
            }
            reply => {
                let mut window = self.window;
                let segment = window.segment().filter(|_| reply == Reply::Turn && !self.peer_busy);
                if let Some(segment) = segment {
                    let control = Control::Information {
                        send: segment.send,
                        receive: self.receive,
                        poll_final: segment.poll_final,
                    };
                    let frame = Frame { segmented: segment.segmented, ..self.frame(control) };
                    let length = window.encode(&segment, &frame, Llc::Response, apdu, out)?;
                    self.window = window;
                    (length, if segment.poll_final { Reply::Nothing } else { Reply::Turn })
                } else {
                    let receive = self.receive;
                    let control = if self.busy {
                        Control::ReceiveNotReady { receive, poll_final }
                    } else {
                        Control::ReceiveReady { receive, poll_final }
                    };
                    (self.encode(control, &[], out)?, Reply::Nothing)
                }
            }
        };
        self.reply = reply;
        self.last_activity = now;
        Ok(Some(length))
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let response = match self.reply {
            Reply::Awaiting(deadline) => deadline,
            _ => None,
        };
        earlier(self.inactive_at(), response)
    }

    /// Acts on a deadline that has passed.
    pub fn handle_timeout(&mut self, now: Duration) -> Option<SecondaryEvent<'static>> {
        if let Reply::Awaiting(Some(deadline)) = self.reply
            && deadline <= now
        {
            self.reply = Reply::Ready;
        }
        self.expire(now)
    }

    fn handle_broadcast<'a>(&mut self, frame: &Frame<'a>) -> Option<SecondaryEvent<'a>> {
        match frame.control {
            Control::UnnumberedInformation { .. } => deliver(frame, true),
            Control::Disconnect { .. } if self.is_connected() => {
                self.release();
                Some(SecondaryEvent::Disconnected(Disconnection::Requested))
            }
            _ => None,
        }
    }

    fn handle_disconnected<'a>(&mut self, frame: &Frame<'a>) -> Option<SecondaryEvent<'a>> {
        let poll = frame.control.poll_final();
        match frame.control {
            Control::SetNormalResponseMode { poll_final: true } => return self.connect(frame),
            Control::UnnumberedInformation { .. } => {
                if poll {
                    self.reply = Reply::Unconfirmed;
                }
                return deliver(frame, false);
            }
            Control::SetNormalResponseMode { .. }
            | Control::UnnumberedAcknowledge { .. }
            | Control::DisconnectedMode { .. }
            | Control::FrameReject { .. } => {}
            Control::Disconnect { .. }
            | Control::Information { .. }
            | Control::ReceiveReady { .. }
            | Control::ReceiveNotReady { .. }
            | Control::Undefined(_) => {
                if poll {
                    self.reply = Reply::DisconnectedMode;
                }
            }
        }
        None
    }

    fn handle_rejecting<'a>(&mut self, frame: &Frame<'a>, reject: FrameReject) -> Option<SecondaryEvent<'a>> {
        match frame.control {
            Control::SetNormalResponseMode { poll_final: true } => self.connect(frame),
            Control::Disconnect { poll_final: true } => self.disconnect(),
            control => {
                if control.poll_final() {
                    self.reply = Reply::Reject(reject);
                }
                None
            }
        }
    }

    fn handle_connected<'a>(&'a mut self, now: Duration, frame: &Frame<'a>) -> Option<SecondaryEvent<'a>> {
        let poll = frame.control.poll_final();
        match frame.control {
            Control::SetNormalResponseMode { poll_final: true } => self.connect(frame),
            Control::Disconnect { poll_final: true } => self.disconnect(),
            Control::Information { send, receive, .. } => self.handle_information(now, frame, send, receive),
            Control::ReceiveReady { .. } | Control::ReceiveNotReady { .. }
                if !frame.information.is_empty() =>
            {
                self.reject(frame, FrameReject::INFORMATION_NOT_PERMITTED | FrameReject::UNDEFINED_CONTROL)
            }
            Control::ReceiveReady { receive, .. } | Control::ReceiveNotReady { receive, .. } => {
                if !self.window.is_valid(receive) {
                    return self.reject(frame, FrameReject::INVALID_SEQUENCE);
                }
                self.window.acknowledge(receive);
                self.peer_busy = matches!(frame.control, Control::ReceiveNotReady { .. });
                if poll {
                    self.window.rewind();
                    self.reply = Reply::Turn;
                }
                None
            }
            Control::UnnumberedInformation { .. } => {
                if frame.information.len() > usize::from(self.parameters.max_information_receive) {
                    return self.reject(frame, FrameReject::INFORMATION_TOO_LONG);
                }
                if poll {
                    self.reply = Reply::Unconfirmed;
                }
                deliver(frame, false)
            }
            Control::Undefined(_) => self.reject(frame, FrameReject::UNDEFINED_CONTROL),
            // SNRM and DISC without P give no opportunity to respond; the others are echoes.
            Control::SetNormalResponseMode { .. }
            | Control::Disconnect { .. }
            | Control::UnnumberedAcknowledge { .. }
            | Control::DisconnectedMode { .. }
            | Control::FrameReject { .. } => None,
        }
    }

    fn handle_information<'a>(
        &'a mut self,
        now: Duration,
        frame: &Frame<'a>,
        send: Sequence,
        receive: Sequence,
    ) -> Option<SecondaryEvent<'a>> {
        if !self.window.is_valid(receive) {
            return self.reject(frame, FrameReject::INVALID_SEQUENCE);
        }
        if frame.information.len() > usize::from(self.parameters.max_information_receive) {
            return self.reject(frame, FrameReject::INFORMATION_TOO_LONG);
        }
        self.window.acknowledge(receive);
        self.peer_busy = false;
        let poll = frame.control.poll_final();
        if poll {
            self.reply = Reply::Ready;
        }
        if self.busy {
            return None;
        }
        if send != self.receive {
            // The client has repeated a request whose response was lost.
            if poll && send.plus(1) == self.receive && self.window.is_outstanding() {
                self.window.rewind();
                self.reply = Reply::Turn;
            }
            return None;
        }
        self.receive = send.plus(1);
        // A client that goes on has given up what it has not acknowledged.
        self.window.abandon();
        if !self.reassembly.fits(frame.information, frame.segmented) {
            self.release();
            self.reply = if poll { Reply::DisconnectedMode } else { Reply::Nothing };
            return Some(SecondaryEvent::Disconnected(Disconnection::TooLong));
        }
        let msdu = self.reassembly.append(frame.information, frame.segmented)?;
        let apdu = Llc::Command.strip(msdu)?;
        if poll {
            let time_out = self.config.response_time_out;
            self.reply = Reply::Awaiting(time_out.map(|time_out| now.saturating_add(time_out)));
        }
        Some(SecondaryEvent::Apdu(apdu))
    }

    /// SNRM with P, in any mode.
    fn connect<'a>(&mut self, frame: &Frame<'_>) -> Option<SecondaryEvent<'a>> {
        let was_connected = self.is_connected();
        self.release();
        let proposal = Parameters::decode(frame.information).ok().filter(|_| !self.refusing);
        let Some(proposal) = proposal else {
            self.reply = Reply::DisconnectedMode;
            return was_connected.then_some(SecondaryEvent::Disconnected(Disconnection::Refused));
        };
        self.parameters = self.config.limits.negotiate(proposal);
        self.window = SendWindow::new(self.parameters);
        self.receive = Sequence::default();
        self.state = State::Connected;
        let parameters = self.config.states_defaults
            || !frame.information.is_empty()
            || self.parameters != Parameters::default();
        self.reply = Reply::Acknowledge { parameters };
        Some(match was_connected {
            true => SecondaryEvent::Reset(self.parameters),
            false => SecondaryEvent::Connected(self.parameters),
        })
    }

    /// DISC with P, while connected.
    fn disconnect<'a>(&mut self) -> Option<SecondaryEvent<'a>> {
        self.release();
        self.reply = Reply::Acknowledge { parameters: false };
        Some(SecondaryEvent::Disconnected(Disconnection::Requested))
    }

    fn reject<'a>(&mut self, frame: &Frame<'_>, reason: u8) -> Option<SecondaryEvent<'a>> {
        let reject = FrameReject::new(frame.control, self.receive, self.window.next(), reason);
        self.state = State::Rejecting(reject);
        self.reply = if frame.control.poll_final() { Reply::Reject(reject) } else { Reply::Nothing };
        Some(SecondaryEvent::Rejected(reject))
    }

    fn release(&mut self) {
        self.state = State::Disconnected;
        self.reply = Reply::Nothing;
        self.parameters = Parameters::default();
        self.window = SendWindow::new(self.parameters);
        self.reassembly.clear();
        self.peer_busy = false;
    }

    fn inactive_at(&self) -> Option<Duration> {
        let time_out = self.config.inactivity_time_out.filter(|_| self.is_connected())?;
        Some(self.last_activity.saturating_add(time_out))
    }

    fn expire(&mut self, now: Duration) -> Option<SecondaryEvent<'static>> {
        self.inactive_at().filter(|deadline| *deadline <= now)?;
        self.release();
        Some(SecondaryEvent::Disconnected(Disconnection::Inactivity))
    }

    /// The first APDU of the queue, and the entries after it.
    fn unconfirmed(&self) -> (&[u8], &[u8]) {
        let entries = self.queue.as_ref().get(..self.queued).unwrap_or_default();
        let Some((size, rest)) = entries.split_first_chunk() else {
            return (&[], &[]);
        };
        // Entries are whole: the fallback is not taken.
        rest.split_at_checked(usize::from(u16::from_be_bytes(*size))).unwrap_or_default()
    }

    fn transmit_unconfirmed(&mut self, poll_final: bool, out: &mut [u8]) -> Result<usize, TransmitError> {
        let (apdu, rest) = self.unconfirmed();
        let left = rest.len();
        let control = Control::UnnumberedInformation { poll_final };
        let length = self.encode(control, &[&Llc::Response.octets(), apdu], out)?;
        if let Some(entries) = self.queue.as_mut().get_mut(..self.queued)
            && let Some(done) = entries.len().checked_sub(left)
        {
            entries.copy_within(done.., 0);
        }
        self.queued = left;
        Ok(length)
    }

    fn encode(
        &self,
        control: Control,
        information: &[&[u8]],
        out: &mut [u8],
    ) -> Result<usize, TransmitError> {
        Ok(self.frame(control).encode_parts(information, out)?)
    }

    fn frame(&self, control: Control) -> Frame<'static> {
        Frame { destination: self.peer.into(), source: self.own, control, segmented: false, information: &[] }
    }
}

fn deliver<'a>(frame: &Frame<'a>, broadcast: bool) -> Option<SecondaryEvent<'a>> {
    let apdu = Llc::Command.strip(frame.information)?;
    Some(SecondaryEvent::Unconfirmed { apdu, broadcast })
}
