//! The meter's side of the opening: the same sequence as in [`SignOn`](crate::SignOn).

use core::time::Duration;

use crate::client::{RATE_CHANGE, REACTION};
use crate::message::{ACK, write};
use crate::{
    BaudRate, Characters, Error, Identification, LineSettings, Mode, OptionSelect, Protocol, Request,
};

/// How a meter answers at its optical port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceConfig<'a> {
    /// How it identifies itself. The rate is the highest one that it uses, a digit; with the escape `\2` it offers
    /// HDLC.
    pub identification: Identification<'a>,
    /// The address that it listens to, besides the empty one.
    pub device_address: &'a str,
}

/// What the port is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// The sign-on.
    SignOn,
    /// HDLC: everything received belongs to the link layer until [`Device::close`] is called.
    Hdlc,
    /// The application sends its data message and calls [`Device::close`].
    Readout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// To be sent at this time.
    Identification(Duration),
    /// An option select is waited for until this time.
    Choice(Duration),
    /// The rate is to be changed at this time, and the choice confirmed.
    RateChange(Duration, OptionSelect),
    /// The confirmation has left at this time.
    Confirmed(Duration, BaudRate),
    Hdlc,
    Readout,
}

/// The longest message that a reader sends.
const LONGEST: usize = Request::MAX_LENGTH;

/// Answers at the optical port: a state machine without I/O. Characters are given and taken without parity.
#[derive(Debug)]
pub struct Device<'a> {
    config: DeviceConfig<'a>,
    state: State,
    line: LineSettings,
    line_changed: bool,
    received: [u8; LONGEST],
    length: usize,
    last_input: Duration,
}

impl<'a> Device<'a> {
    /// A port that waits for a reader. The line is to be set as [`Device::poll_line`] says.
    ///
    /// # Errors
    /// The identification is none.
    pub fn new(config: DeviceConfig<'a>) -> Result<Self, Error> {
        config.identification.encode(&mut [0; Identification::MAX_LENGTH])?;
        Ok(Self {
            config,
            state: State::Idle,
            line: LineSettings::SIGN_ON,
            line_changed: true,
            received: [0; LONGEST],
            length: 0,
            last_input: Duration::ZERO,
        })
    }

    /// What the port is used for.
    pub const fn state(&self) -> DeviceState {
        match self.state {
            State::Hdlc => DeviceState::Hdlc,
            State::Readout => DeviceState::Readout,
            _ => DeviceState::SignOn,
        }
    }

    /// Whether the port listens. What is received otherwise is noise, or belongs to what follows the opening.
    pub const fn wants_input(&self) -> bool {
        matches!(self.state, State::Idle | State::Choice(_))
    }

    /// How the line is to be set from now on, if that changed.
    pub fn poll_line(&mut self) -> Option<LineSettings> {
        core::mem::take(&mut self.line_changed).then_some(self.line)
    }

    /// HDLC or the data message is over, or nothing has been heard for too long: the port waits for a reader again.
    pub fn close(&mut self) {
        self.state = State::Idle;
        self.length = 0;
        self.set_line(LineSettings::SIGN_ON);
    }

    /// Takes received characters, without parity, from the front of `input`. What belongs to HDLC is left there.
    pub fn handle_input(&mut self, now: Duration, input: &mut &[u8]) {
        while self.state() == DeviceState::SignOn
            && let Some((&character, rest)) = input.split_first()
        {
            *input = rest;
            if !self.wants_input() {
                continue;
            }
            let is_late = now > self.last_input.saturating_add(REACTION);
            self.last_input = now;
            if is_late || matches!(character, b'/' | ACK) {
                self.length = 0;
            }
            match self.received.get_mut(self.length) {
                Some(room) => *room = character,
                None => continue,
            }
            self.length = self.length.wrapping_add(1);
            if character == b'\n' {
                self.line(now);
                self.length = 0;
            }
        }
    }

    /// A line is whole.
    fn line(&mut self, now: Duration) {
        let line = self.received.get(..self.length).unwrap_or(&[]);
        if let Ok(request) = Request::from_octets(line) {
            if request.device_address.is_empty() || request.device_address == self.config.device_address {
                self.state =
                    State::Identification(now.saturating_add(self.config.identification.reaction_time()));
            }
            return;
        }
        let State::Choice(_) = self.state else { return };
        let Ok(mut select) = OptionSelect::from_octets(line) else { return };
        if let Some(own) = self.config.identification.rate_of_mode_c() {
            select.rate = select.rate.min(own);
        }
        let is_offered = match (select.protocol, select.mode) {
            (Protocol::Hdlc, Mode::Binary) => self.config.identification.offers_hdlc(),
            (_, Mode::Readout) => true,
            _ => false,
        };
        self.state =
            if is_offered { State::RateChange(now.saturating_add(RATE_CHANGE), select) } else { State::Idle };
    }

    /// Writes what is to be sent now to the front of `out`, which should hold 64 octets, and returns its length.
    pub fn poll_transmit(&mut self, now: Duration, out: &mut [u8]) -> Option<usize> {
        match self.state {
            State::Identification(at) if at <= now => {
                let length = self.config.identification.encode(out).ok()?;
                self.state = State::Choice(
                    now.saturating_add(self.line.rate.duration(length)).saturating_add(REACTION),
                );
                Some(length)
            }
            State::RateChange(at, select) if at <= now => {
                self.set_line(LineSettings { rate: select.rate, characters: Characters::SevenEvenOne });
                if !select.is_hdlc() {
                    self.state = State::Readout;
                    return None;
                }
                let length = write(out, &[&select.to_octets()]).ok()?;
                self.state = State::Confirmed(now.saturating_add(select.rate.duration(length)), select.rate);
                Some(length)
            }
            _ => None,
        }
    }

    /// When [`Device::handle_timeout`] or [`Device::poll_transmit`] is to be called.
    pub const fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Identification(at)
            | State::Choice(at)
            | State::RateChange(at, _)
            | State::Confirmed(at, _) => Some(at),
            State::Idle | State::Hdlc | State::Readout => None,
        }
    }

    /// Lets time pass. A reader that chooses nothing gets the data message at 300 Bd.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.state {
            State::Choice(until) if until <= now => self.state = State::Readout,
            State::Confirmed(at, rate) if at <= now => {
                self.set_line(LineSettings { rate, characters: Characters::EightNoneOne });
                self.state = State::Hdlc;
            }
            _ => {}
        }
    }

    fn set_line(&mut self, line: LineSettings) {
        self.line_changed |= line != self.line;
        self.line = line;
    }
}
