//! The client's end of a data link connection: the primary station (IEC 62056-46, 6.4.4, class UNC).
//!
//! A primary owns the line: it passes the right to speak with P = 1 and has it back with F = 1. When no answer comes it
//! repeats what it sent, except I frames: after those it asks with RR which side has lost what (the checkpoint
//! recovery), and sends again only what the server has not got.
//!
//! **The run loop.** Ask for something ([`connect`](Primary::connect), [`send`](Primary::send), ...), send what there
//! is, one frame per call, then wait for octets or the deadline. The APDU to be sent stays with the caller, unchanged,
//! until the event that ends the exchange: a frame that was lost is read from it again.
//!
//! ```
//! use core::time::Duration;
//! use dlms_hdlc::{
//!     ClientAddress, Deframer, MAX_FRAME, Primary, PrimaryConfig, PrimaryEvent, ServerAddress,
//! };
//!
//! # let mut line = [
//! #     &[0x7E, 0xA0, 0x07, 0x21, 0x03, 0x73, 0x01, 0x40, 0x7E][..],
//! #     &[0x7E, 0xA0, 0x12, 0x21, 0x03, 0x30, 0x68, 0x9D, 0xE6, 0xE7, 0x00, 0xC4, 0x01, 0xC1, 0x00, 0x11, 0x07, 0xA4, 0x39, 0x7E],
//! # ].into_iter();
//! # let now = Duration::ZERO;
//! # let mut patience = 0;
//! let mut deframer = Deframer::new([0; MAX_FRAME]);
//! let mut link = Primary::new(PrimaryConfig::new(ClientAddress::PUBLIC, ServerAddress::one(1)?), [0; 1024]);
//! let request = [0xC0, 0x01, 0xC1, 0x00, 0x08, 0x00, 0x00, 0x01, 0x00, 0x00, 0xFF, 0x02, 0x00];
//! let mut out = [0; MAX_FRAME];
//!
//! link.connect();
//! 'exchange: loop {
//!     while let Some(length) = link.poll_transmit(now, &request, &mut out)? {
//!         // write out[..length] to the line
//! #       assert_ne!(length, 0);
//!     }
//!     // Read octets until `link.poll_timeout()` or `deframer.poll_timeout()`; when one of them has passed:
//!     deframer.handle_timeout(now);
//!     if let Some(event) = link.handle_timeout(now) {
//!         panic!("the link is gone: {event:?}");
//!     }
//! #   let Some(octets) = line.next() else { break };
//!     let mut input = octets;
//!     while let Some(frame) = deframer.next(now, &mut input) {
//!         let connected = match link.handle_frame(now, &frame) {
//!             Some(PrimaryEvent::Connected(_)) => true,
//!             Some(PrimaryEvent::Apdu(response)) => break 'exchange, // decode it
//!             _ => false,
//!         };
//!         if connected {
//!             link.send(request.len())?;
//! #           patience += 1;
//!         }
//!     }
//! }
//! # assert_eq!(patience, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::time::Duration;

use crate::link::{Reassembly, SendError, SendWindow, TransmitError, earlier};
use crate::llc::{LLC_LENGTH, Llc};
use crate::{
    Address, ClientAddress, Control, Frame, FrameReject, ParameterForm, Parameters, Sequence, ServerAddress,
};

/// What a client decides about a link.
#[derive(Debug, Clone, Copy)]
pub struct PrimaryConfig {
    /// This station.
    pub client: ClientAddress,
    /// The other; its form is used in every frame, and answers are taken in any.
    pub server: ServerAddress,
    /// What the SNRM proposes.
    pub proposal: Parameters,
    /// How the SNRM states it: some meters refuse a SNRM without an information field, others one that has it.
    pub parameter_form: ParameterForm,
    /// The meter takes the maximum information field length for that of the whole frame.
    pub limit_is_frame_length: bool,
    /// How long an answer to P = 1 may take.
    pub response_time_out: Duration,
    /// How often an unanswered frame is followed up.
    pub retries: u8,
    /// Pause between polls of a server that has no response yet, or is not ready.
    pub poll_interval: Duration,
    /// Silence after which the server is taken to have released the link; `None`: never.
    pub inactivity_time_out: Option<Duration>,
}

impl PrimaryConfig {
    /// 128 octets, window 1; 5 s for an answer, 3 retries, 120 s of silence.
    #[must_use]
    pub fn new(client: ClientAddress, server: ServerAddress) -> Self {
        Self {
            client,
            server,
            proposal: Parameters::default(),
            parameter_form: ParameterForm::Brief,
            limit_is_frame_length: false,
            response_time_out: Duration::from_secs(5),
            retries: 3,
            poll_interval: Duration::from_millis(200),
            inactivity_time_out: Some(Duration::from_secs(120)),
        }
    }
}

/// What happened on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrimaryEvent<'a> {
    /// The server has agreed to a link with these limits (this station's point of view).
    Connected(Parameters),
    /// The server has refused the link.
    Refused,
    /// The link has been released, as asked.
    Disconnected,
    /// The response.
    Apdu(&'a [u8]),
    /// An APDU that the server sent on its own account.
    Unconfirmed(&'a [u8]),
    /// What was sent has been acknowledged, or the poll answered, and there is no response to come.
    Idle,
    /// The retries are used up. Whether the last request was carried out is unknown; disconnect, or
    /// [`poll`](Primary::poll) again.
    NoAnswer,
    /// The link, and the association on it, is gone.
    Lost(Loss),
}

/// Why a link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Loss {
    /// The server says that there is no connection (DM).
    DisconnectedMode,
    /// The server has rejected a frame (FRMR), with its reasons if it gave any.
    FrameReject(Option<FrameReject>),
    /// The server acknowledges what was never sent.
    InvalidAcknowledgement,
    /// Nothing was heard for too long.
    Inactivity,
    /// The response is longer than the reassembly buffer.
    TooLong,
}

/// The client's end of one link.
///
/// `B` holds an MSDU that arrives in segments (LLC header and APDU): `[u8; N]`, `&mut [u8]`, or a `Vec<u8>`.
#[derive(Debug, Clone)]
pub struct Primary<B> {
    config: PrimaryConfig,
    /// The server's address; the real one after a connection to the CALLING device.
    server: ServerAddress,
    state: State,
    parameters: Parameters,
    window: SendWindow,
    /// V(R).
    receive: Sequence,
    reassembly: Reassembly<B>,
    pending: Pending,
    /// What the response timer would follow up.
    last: Pending,
    /// The response timer.
    deadline: Option<Duration>,
    attempts: u8,
    /// A response is to come.
    answer_due: bool,
    last_activity: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// NDM.
    Disconnected,
    /// SNRM is to be answered.
    Connecting,
    /// NRM, and the right to speak is here.
    Idle,
    /// NRM, and the right to speak is with the server.
    Busy,
    /// DISC is to be answered.
    Disconnecting,
}

/// What is to be sent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    Connect,
    Disconnect,
    /// I frames, as the window allows.
    Window,
    /// RR.
    Poll,
    /// RR, at that time.
    PollAt(Duration),
    /// UI without information, for what the server has queued.
    PollUnconfirmed,
    /// UI with an APDU of so many octets.
    Unconfirmed(usize),
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Primary<B> {
    /// A link in the disconnected mode.
    pub fn new(config: PrimaryConfig, reassembly: B) -> Self {
        let parameters = Parameters::default();
        Self {
            config: PrimaryConfig { proposal: config.proposal.clamped(), ..config },
            server: config.server,
            state: State::Disconnected,
            parameters,
            window: SendWindow::new(parameters),
            receive: Sequence::default(),
            reassembly: Reassembly::new(reassembly),
            pending: Pending::Nothing,
            last: Pending::Nothing,
            deadline: None,
            attempts: 0,
            answer_due: false,
            last_activity: Duration::ZERO,
        }
    }

    /// What was configured.
    #[must_use]
    pub const fn config(&self) -> &PrimaryConfig {
        &self.config
    }

    /// The limits in force.
    #[must_use]
    pub const fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// Whether the server has agreed to a link.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Idle | State::Busy)
    }

    /// Whether the link is connected and takes an APDU.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle && self.pending == Pending::Nothing && !self.window.is_active()
    }

    /// Asks for a link (SNRM), from any state; a link that exists is set up anew.
    pub fn connect(&mut self) {
        self.release();
        self.server = self.config.server;
        self.begin(State::Connecting, Pending::Connect);
    }

    /// Releases the link (DISC), from any state. Without a link it brings the server to a known state.
    pub fn disconnect(&mut self) {
        self.release();
        self.begin(State::Disconnecting, Pending::Disconnect);
    }

    /// Announces an APDU of so many octets that will be answered; [`Self::poll_transmit`] is then given it.
    ///
    /// # Errors
    /// [`SendError::NotConnected`], or [`SendError::Busy`] before the last exchange has ended.
    pub fn send(&mut self, apdu_length: usize) -> Result<(), SendError> {
        self.expect_idle()?;
        self.window.start(apdu_length);
        self.begin(State::Busy, Pending::Window);
        self.answer_due = true;
        Ok(())
    }

    /// The same for an APDU that has no response; [`PrimaryEvent::Idle`] says that it has arrived.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_without_response(&mut self, apdu_length: usize) -> Result<(), SendError> {
        self.send(apdu_length)?;
        self.answer_due = false;
        Ok(())
    }

    /// Announces an APDU that goes out in one UI frame, with or without a link.
    ///
    /// # Errors
    /// [`SendError::Busy`] during an exchange, [`SendError::TooLong`] if it does not fit one frame.
    pub fn send_unconfirmed(&mut self, apdu_length: usize) -> Result<(), SendError> {
        if !(self.is_idle() || self.state == State::Disconnected && self.pending == Pending::Nothing) {
            return Err(SendError::Busy);
        }
        let limit = usize::from(self.parameters.max_information_transmit);
        let length = LLC_LENGTH.saturating_add(apdu_length);
        if length > limit {
            return Err(SendError::TooLong { length, limit });
        }
        self.pending = Pending::Unconfirmed(apdu_length);
        Ok(())
    }

    /// Polls the server (RR): keeps the link alive, fetches notifications, or asks again after
    /// [`PrimaryEvent::NoAnswer`]. Ends with [`PrimaryEvent::Idle`].
    ///
    /// # Errors
    /// [`SendError::NotConnected`], or [`SendError::Busy`] during an exchange.
    pub fn poll(&mut self) -> Result<(), SendError> {
        match self.state {
            State::Idle if self.pending == Pending::Nothing => {
                self.begin(State::Busy, Pending::Poll);
                Ok(())
            }
            State::Idle | State::Busy => Err(SendError::Busy),
            _ => Err(SendError::NotConnected),
        }
    }

    /// Asks the server for the notifications it has queued (UI without information).
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn poll_unconfirmed(&mut self) -> Result<(), SendError> {
        self.expect_idle()?;
        self.begin(State::Busy, Pending::PollUnconfirmed);
        Ok(())
    }

    /// Takes a frame that arrived at `now` and says what it means to the application.
    pub fn handle_frame<'a>(&'a mut self, now: Duration, frame: &Frame<'a>) -> Option<PrimaryEvent<'a>> {
        if frame.destination != Address::from(self.config.client) || !self.server.is_source(frame.source) {
            return None;
        }
        self.last_activity = now;
        if let Control::UnnumberedInformation { poll_final } = frame.control {
            return self.handle_unconfirmed(now, frame, poll_final);
        }
        match self.state {
            State::Disconnected => None,
            State::Connecting => self.handle_connecting(frame),
            State::Idle => self.handle_loss(frame),
            State::Busy => self.handle_busy(now, frame),
            State::Disconnecting => match frame.control {
                Control::UnnumberedAcknowledge { .. } | Control::DisconnectedMode { .. } => {
                    self.release();
                    Some(PrimaryEvent::Disconnected)
                }
                _ => None,
            },
        }
    }

    /// Writes the next frame, both flags included; `None`: nothing is to be sent now.
    ///
    /// `apdu` is the one announced, as long as there is one.
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
        let receive = self.receive;
        let pending = self.pending;
        let mut poll = true;
        let length = match pending {
            Pending::PollAt(at) if now < at => return Ok(None),
            Pending::Nothing => return Ok(None),
            Pending::Connect => {
                let field = self.config.proposal.encode(self.config.parameter_form);
                self.encode(Control::SetNormalResponseMode { poll_final }, &[field.as_ref()], out)?
            }
            Pending::Disconnect => self.encode(Control::Disconnect { poll_final }, &[], out)?,
            Pending::PollUnconfirmed => {
                self.encode(Control::UnnumberedInformation { poll_final }, &[], out)?
            }
            Pending::Unconfirmed(announced) => {
                if apdu.len() != announced {
                    return Err(TransmitError::Apdu { announced, given: apdu.len() });
                }
                poll = false;
                let control = Control::UnnumberedInformation { poll_final: false };
                self.encode(control, &[&Llc::Command.octets(), apdu], out)?
            }
            Pending::Window | Pending::Poll | Pending::PollAt(_) => {
                let mut window = self.window;
                if let Some(segment) = window.segment().filter(|_| pending == Pending::Window) {
                    poll = segment.poll_final;
                    let control = Control::Information { send: segment.send, receive, poll_final: poll };
                    let frame = Frame { segmented: segment.segmented, ..self.frame(control) };
                    let length = window.encode(&segment, &frame, Llc::Command, apdu, out)?;
                    self.window = window;
                    length
                } else {
                    self.encode(Control::ReceiveReady { receive, poll_final }, &[], out)?
                }
            }
        };
        self.last_activity = now;
        if poll {
            self.last = pending;
            self.pending = Pending::Nothing;
            self.deadline = Some(now.saturating_add(self.config.response_time_out));
        } else if pending != Pending::Window {
            self.pending = Pending::Nothing;
        }
        Ok(Some(length))
    }

    /// When [`Self::handle_timeout`], and then [`Self::poll_transmit`], has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let poll = match self.pending {
            Pending::PollAt(at) => Some(at),
            _ => None,
        };
        earlier(self.inactive_at(), earlier(poll, self.deadline))
    }

    /// Acts on a deadline that has passed.
    pub fn handle_timeout(&mut self, now: Duration) -> Option<PrimaryEvent<'static>> {
        if self.inactive_at().is_some_and(|deadline| deadline <= now) {
            return self.lose(Loss::Inactivity);
        }
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.deadline = None;
        self.pending = match self.last {
            Pending::Window => Pending::Poll,
            last => last,
        };
        self.attempt()
    }

    fn handle_connecting<'a>(&mut self, frame: &Frame<'a>) -> Option<PrimaryEvent<'a>> {
        match frame.control {
            Control::UnnumberedAcknowledge { .. } => {
                let results = Parameters::decode(frame.information).unwrap_or_default();
                self.release();
                if self.server.is_calling() {
                    self.server = frame.source.into();
                }
                self.parameters = self.config.proposal.negotiate(results);
                self.window = SendWindow::new(self.transmit_parameters());
                self.receive = Sequence::default();
                self.state = State::Idle;
                Some(PrimaryEvent::Connected(self.parameters))
            }
            Control::DisconnectedMode { .. } | Control::FrameReject { .. } => {
                self.release();
                Some(PrimaryEvent::Refused)
            }
            _ => None,
        }
    }

    fn handle_loss<'a>(&mut self, frame: &Frame<'a>) -> Option<PrimaryEvent<'a>> {
        match frame.control {
            Control::DisconnectedMode { .. } => self.lose(Loss::DisconnectedMode),
            Control::FrameReject { .. } => {
                self.lose(Loss::FrameReject(FrameReject::decode(frame.information)))
            }
            _ => None,
        }
    }

    fn handle_busy<'a>(&'a mut self, now: Duration, frame: &Frame<'a>) -> Option<PrimaryEvent<'a>> {
        match frame.control {
            Control::Information { receive, .. }
            | Control::ReceiveReady { receive, .. }
            | Control::ReceiveNotReady { receive, .. }
                if !self.window.is_valid(receive) =>
            {
                self.lose(Loss::InvalidAcknowledgement)
            }
            Control::Information { send, receive, poll_final } => {
                self.handle_information(now, frame, send, receive, poll_final)
            }
            Control::ReceiveReady { receive, poll_final } => {
                if self.window.acknowledge(receive) {
                    self.attempts = 0;
                }
                if !poll_final {
                    self.restart(now);
                    return None;
                }
                self.deadline = None;
                if self.window.is_outstanding() {
                    self.window.rewind();
                    self.pending = Pending::Window;
                    return self.attempt();
                }
                self.attempts = 0;
                if self.window.is_active() {
                    self.pending = Pending::Window;
                } else if self.answer_due {
                    self.pending = Pending::PollAt(now.saturating_add(self.config.poll_interval));
                } else {
                    self.end();
                    return Some(PrimaryEvent::Idle);
                }
                None
            }
            Control::ReceiveNotReady { receive, poll_final } => {
                self.window.acknowledge(receive);
                self.restart(now);
                if poll_final {
                    self.attempts = 0;
                    self.deadline = None;
                    self.pending = Pending::PollAt(now.saturating_add(self.config.poll_interval));
                }
                None
            }
            _ => self.handle_loss(frame),
        }
    }

    fn handle_information<'a>(
        &'a mut self,
        now: Duration,
        frame: &Frame<'a>,
        send: Sequence,
        receive: Sequence,
        poll_final: bool,
    ) -> Option<PrimaryEvent<'a>> {
        self.window.acknowledge(receive);
        if poll_final {
            self.deadline = None;
        } else {
            self.restart(now);
        }
        if send != self.receive {
            if poll_final {
                self.pending = Pending::Poll;
                return self.attempt();
            }
            return None;
        }
        self.receive = send.plus(1);
        self.attempts = 0;
        if !self.reassembly.fits(frame.information, frame.segmented) {
            return self.lose(Loss::TooLong);
        }
        let msdu = self.reassembly.append(frame.information, frame.segmented);
        let apdu = msdu.and_then(|msdu| Llc::Response.strip(msdu));
        if apdu.is_some() {
            self.answer_due = false;
        }
        if poll_final {
            if self.window.is_outstanding() {
                self.window.rewind();
                self.pending = Pending::Window;
            } else if frame.segmented {
                self.pending = Pending::Poll;
            } else if self.window.is_active() {
                self.pending = Pending::Window;
            } else if self.answer_due {
                self.pending = Pending::PollAt(now.saturating_add(self.config.poll_interval));
            } else {
                self.state = State::Idle;
                self.pending = Pending::Nothing;
            }
        }
        apdu.map(PrimaryEvent::Apdu)
    }

    fn handle_unconfirmed<'a>(
        &mut self,
        now: Duration,
        frame: &Frame<'a>,
        poll_final: bool,
    ) -> Option<PrimaryEvent<'a>> {
        let event = Llc::split(frame.information).map(|(_, apdu)| PrimaryEvent::Unconfirmed(apdu));
        if self.state != State::Busy {
            return event;
        }
        if !poll_final {
            self.restart(now);
            return event;
        }
        self.deadline = None;
        self.attempts = 0;
        if self.answer_due || self.window.is_outstanding() {
            self.pending = Pending::Poll;
        } else if self.window.is_active() {
            self.pending = Pending::Window;
        } else {
            self.end();
            return event.or(Some(PrimaryEvent::Idle));
        }
        event
    }

    fn expect_idle(&self) -> Result<(), SendError> {
        match self.state {
            State::Idle if self.is_idle() => Ok(()),
            State::Idle | State::Busy => Err(SendError::Busy),
            State::Disconnected | State::Connecting | State::Disconnecting => Err(SendError::NotConnected),
        }
    }

    fn begin(&mut self, state: State, pending: Pending) {
        self.state = state;
        self.pending = pending;
        self.attempts = 0;
        self.deadline = None;
    }

    /// The right to speak is back, and nothing is due.
    fn end(&mut self) {
        self.state = State::Idle;
        self.pending = Pending::Nothing;
        self.deadline = None;
    }

    /// Counts a follow-up of what went unanswered.
    fn attempt<'a>(&mut self) -> Option<PrimaryEvent<'a>> {
        if self.attempts < self.config.retries {
            self.attempts += 1;
            return None;
        }
        let state = if self.state == State::Busy { State::Idle } else { State::Disconnected };
        self.begin(state, Pending::Nothing);
        Some(PrimaryEvent::NoAnswer)
    }

    /// The server is alive and goes on speaking.
    fn restart(&mut self, now: Duration) {
        if self.deadline.is_some() {
            self.deadline = Some(now.saturating_add(self.config.response_time_out));
        }
    }

    fn lose<'a>(&mut self, loss: Loss) -> Option<PrimaryEvent<'a>> {
        self.release();
        Some(PrimaryEvent::Lost(loss))
    }

    fn release(&mut self) {
        self.begin(State::Disconnected, Pending::Nothing);
        self.parameters = Parameters::default();
        self.window = SendWindow::new(self.parameters);
        self.reassembly.clear();
        self.answer_due = false;
    }

    fn transmit_parameters(&self) -> Parameters {
        if !self.config.limit_is_frame_length {
            return self.parameters;
        }
        let overhead = 9 + self.server.length() as u16 + 1;
        let max_information_transmit = self.parameters.max_information_transmit.saturating_sub(overhead);
        // The LLC header has to fit the first frame of the smallest limit too.
        Parameters {
            max_information_transmit: max_information_transmit.max(LLC_LENGTH as u16 + 1),
            ..self.parameters
        }
    }

    fn inactive_at(&self) -> Option<Duration> {
        let time_out = self.config.inactivity_time_out.filter(|_| self.is_connected())?;
        Some(self.last_activity.saturating_add(time_out))
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
        Frame {
            destination: self.server.into(),
            source: self.config.client.into(),
            control,
            segmented: false,
            information: &[],
        }
    }
}
