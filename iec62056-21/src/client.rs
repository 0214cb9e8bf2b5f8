//! The reader's side of the opening.
//!
//! ```text
//! reader  300 7E1   / ? [address] ! CR LF
//! meter   300 7E1   / X X X Z [\2] identification CR LF
//! reader  300 7E1   ACK V Z Y CR LF
//! both    switch to rate Z
//! meter   Z   7E1   ACK 2 Z 2 CR LF        (mode E)
//! both    switch to 8N1: HDLC              (mode E)
//! ```
//!
//! The rate is changed only when the option select has left completely; some meters leave its confirmation out.

use core::time::Duration;

use crate::message::write;
use crate::{
    BaudRate, Characters, Error, ErrorKind, Identification, LineSettings, Mode, OptionSelect, Protocol,
    Request,
};

/// How long the other side may take to begin an answer, or between two characters of one.
pub(crate) const REACTION: Duration = Duration::from_millis(1500);

/// How long the line rests before the new rate is used.
pub(crate) const RATE_CHANGE: Duration = Duration::from_millis(300);

/// NUL characters that wake a battery-powered meter: 2.2 s at 300 Bd.
const WAKE_UP: usize = 66;
const WAKE_UP_SILENCE: Duration = Duration::from_millis(1600);

/// What the reader opens the port for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Mode E: HDLC. A meter that does not offer it is an error.
    Hdlc,
    /// The data message, in whatever mode the meter has.
    Readout,
}

/// How to open the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignOnConfig<'a> {
    /// The address of one of several meters; empty for whoever is there.
    pub device_address: &'a str,
    /// What for.
    pub wish: Wish,
    /// The highest rate to use; the meter's own if that is lower.
    pub max_rate: BaudRate,
    /// How often to sign on before giving up.
    pub attempts: u8,
    /// Whether to wake a battery-powered meter before.
    pub wake_up: bool,
    /// Whether the probe echoes what is sent.
    pub echo: bool,
}

impl Default for SignOnConfig<'_> {
    fn default() -> Self {
        Self {
            device_address: "",
            wish: Wish::Hdlc,
            max_rate: BaudRate::B19200,
            attempts: 3,
            wake_up: false,
            echo: false,
        }
    }
}

/// How the port was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// HDLC follows; the line is set for it.
    Hdlc(BaudRate),
    /// The meter sends its data message; the line is set for it.
    Readout(BaudRate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be sent at this time.
    WakeUp(Duration),
    Request(Duration),
    Select(Duration, OptionSelect),
    /// An answer is to begin, or to go on, until this time.
    Identification(Duration),
    Confirmation(Duration, BaudRate),
    /// The rate is to be changed at this time.
    RateChange(Duration, OptionSelect),
    Opened(Opened),
    Failed(Error),
}

/// Opens the port: a state machine without I/O. Characters are given and taken without parity.
#[derive(Debug)]
pub struct SignOn<'a> {
    config: SignOnConfig<'a>,
    state: State,
    line: LineSettings,
    line_changed: bool,
    attempts: u8,
    received: [u8; Identification::MAX_LENGTH],
    length: usize,
    /// Characters of our own that the probe still echoes.
    echo: usize,
}

impl<'a> SignOn<'a> {
    /// Begins to open the port. The line is to be set as [`SignOn::poll_line`] says.
    pub const fn new(config: SignOnConfig<'a>, now: Duration) -> Self {
        Self {
            state: if config.wake_up { State::WakeUp(now) } else { State::Request(now) },
            attempts: config.attempts,
            config,
            line: LineSettings::SIGN_ON,
            line_changed: true,
            received: [0; Identification::MAX_LENGTH],
            length: 0,
            echo: 0,
        }
    }

    /// How the port was opened, once it is; the error, once there is no more hope.
    pub const fn outcome(&self) -> Option<Result<Opened, Error>> {
        match self.state {
            State::Opened(opened) => Some(Ok(opened)),
            State::Failed(error) => Some(Err(error)),
            _ => None,
        }
    }

    /// What the meter calls itself, once it has answered. Empty octets before.
    pub fn identification(&self) -> &[u8] {
        self.received.get(..self.length).unwrap_or(&[])
    }

    /// How the line is to be set from now on, if that changed.
    pub fn poll_line(&mut self) -> Option<LineSettings> {
        core::mem::take(&mut self.line_changed).then_some(self.line)
    }

    /// Writes what is to be sent now to the front of `out`, which should hold 72 octets, and returns its length.
    pub fn poll_transmit(&mut self, now: Duration, out: &mut [u8]) -> Option<usize> {
        let sent = |length: usize| now.saturating_add(BaudRate::B300.duration(length));
        let length = match self.state {
            State::WakeUp(at) if at <= now => {
                let nulls = out.get_mut(..WAKE_UP)?;
                nulls.fill(0);
                self.state = State::Request(sent(WAKE_UP).saturating_add(WAKE_UP_SILENCE));
                WAKE_UP
            }
            State::Request(at) if at <= now => {
                let request = Request { device_address: self.config.device_address };
                let length = match request.encode(out) {
                    Ok(length) => length,
                    Err(error) => {
                        self.state = State::Failed(error);
                        return None;
                    }
                };
                self.length = 0;
                self.state = State::Identification(sent(length).saturating_add(REACTION));
                length
            }
            State::Select(at, select) if at <= now => {
                let length = write(out, &[&select.to_octets()]).ok()?;
                self.state = State::RateChange(sent(length).saturating_add(RATE_CHANGE), select);
                length
            }
            _ => return None,
        };
        self.echo = if self.config.echo { length } else { 0 };
        Some(length)
    }

    /// Takes received characters, without parity, from the front of `input`. What follows the opening is left there.
    pub fn handle_input(&mut self, now: Duration, input: &mut &[u8]) {
        let echoed = self.echo.min(input.len());
        self.echo -= echoed;
        *input = input.get(echoed..).unwrap_or(&[]);
        while self.outcome().is_none()
            && let Some((&character, rest)) = input.split_first()
        {
            *input = rest;
            match self.state {
                State::Identification(_) => {
                    self.state = State::Identification(now.saturating_add(REACTION));
                    if let Some(length) = self.collect(character, b'/') {
                        self.identified(now, length);
                    }
                }
                State::Confirmation(_, rate) => {
                    self.state = State::Confirmation(now.saturating_add(REACTION), rate);
                    if character == b'\n' {
                        self.open(Opened::Hdlc(rate));
                    }
                }
                // Noise, or a meter that confirms before it has changed its rate.
                _ => {}
            }
        }
    }

    /// When [`SignOn::handle_timeout`] or [`SignOn::poll_transmit`] is to be called.
    pub const fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::WakeUp(at)
            | State::Request(at)
            | State::Select(at, _)
            | State::Identification(at)
            | State::Confirmation(at, _)
            | State::RateChange(at, _) => Some(at),
            State::Opened(_) | State::Failed(_) => None,
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.state {
            State::Identification(until) if until <= now => {
                self.attempts = self.attempts.saturating_sub(1);
                self.state = match self.attempts {
                    0 => State::Failed(Error::at(self.length, ErrorKind::Timeout)),
                    _ => State::Request(now),
                };
            }
            State::RateChange(at, select) if at <= now => {
                self.set_line(select.rate, Characters::SevenEvenOne);
                if select.is_hdlc() {
                    self.state = State::Confirmation(now.saturating_add(REACTION), select.rate);
                } else {
                    self.open(Opened::Readout(select.rate));
                }
            }
            // Some meters do not confirm, or confirm too early to be heard.
            State::Confirmation(until, rate) if until <= now => self.open(Opened::Hdlc(rate)),
            _ => {}
        }
    }

    /// Collects a line that begins with `first`; its length once it is whole.
    fn collect(&mut self, character: u8, first: u8) -> Option<usize> {
        if self.length == 0 && character != first {
            return None;
        }
        match self.received.get_mut(self.length) {
            Some(room) => *room = character,
            None => {
                // No identification is that long: noise.
                self.length = 0;
                return None;
            }
        }
        self.length = self.length.wrapping_add(1);
        (character == b'\n').then_some(self.length)
    }

    fn identified(&mut self, now: Duration, length: usize) {
        let Ok(identification) = Identification::from_octets(self.received.get(..length).unwrap_or(&[]))
        else {
            self.length = 0;
            return;
        };
        let offers_hdlc = identification.offers_hdlc();
        let reply_at = now.saturating_add(identification.reaction_time());
        let (mode_b, mode_c) = (identification.rate_of_mode_b(), identification.rate_of_mode_c());
        let rate = mode_c.map(|rate| rate.min(self.config.max_rate));
        match (self.config.wish, rate) {
            (Wish::Hdlc, Some(rate)) if offers_hdlc => {
                self.state = State::Select(reply_at, OptionSelect::hdlc(rate));
            }
            (Wish::Hdlc, _) => self.state = State::Failed(Error::at(4, ErrorKind::NoHdlc)),
            (Wish::Readout, Some(rate)) => {
                let select = OptionSelect { protocol: Protocol::Normal, rate, mode: Mode::Readout };
                self.state = State::Select(reply_at, select);
            }
            // Mode B changes the rate by itself, mode A not at all.
            (Wish::Readout, None) => {
                let rate = mode_b.unwrap_or(BaudRate::B300);
                self.set_line(rate, Characters::SevenEvenOne);
                self.open(Opened::Readout(rate));
            }
        }
    }

    fn open(&mut self, opened: Opened) {
        if let Opened::Hdlc(rate) = opened {
            self.set_line(rate, Characters::EightNoneOne);
        }
        self.state = State::Opened(opened);
    }

    fn set_line(&mut self, rate: BaudRate, characters: Characters) {
        let line = LineSettings { rate, characters };
        self.line_changed |= line != self.line;
        self.line = line;
    }
}
