//! A line and the server on it.

use board::{Timer, Uart};
use dlms::hdlc::{Parameters, SecondaryConfig, ServerAddress};
use dlms::server::{Event, HdlcServer, Host};

use crate::associations::LONGEST_APDU;
use crate::events::EventCode;
use crate::keys::Provider;
use crate::optical::Opening;

/// The longest APDU with its protection.
const BUFFER: usize = LONGEST_APDU as usize + 48;
/// The longest information field of a frame, and what is around it.
const INFORMATION: u16 = 256;
const FRAME: usize = INFORMATION as usize + 32;
/// Clients at once on one line.
const LINKS: usize = 2;

/// What happened in one round that belongs into the log.
pub type Events = heapless::Vec<EventCode, 8>;

/// A line with HDLC on it, after a sign-on if it is the optical port.
pub struct Port {
    uart: Uart,
    opening: Option<Opening>,
    server: HdlcServer<Provider, [u8; BUFFER], LINKS>,
}

impl Port {
    /// A line that waits for a client.
    pub fn new(uart: Uart, opening: Option<Opening>, address: ServerAddress) -> Self {
        uart.start(115_200);
        let limits = Parameters {
            max_information_transmit: INFORMATION,
            max_information_receive: INFORMATION,
            ..Parameters::default()
        };
        let config = SecondaryConfig { limits, ..SecondaryConfig::new(address) };
        Self { uart, opening, server: HdlcServer::new(config, || [0; BUFFER]) }
    }

    /// Serves what has come; `false` if nothing has.
    pub fn serve(&mut self, timer: &mut Timer, host: &mut Host<'_, Provider>, happened: &mut Events) -> bool {
        let mut octets = [0; 64];
        let mut input = self.uart.receive(&mut octets);
        let is_input = !input.is_empty();
        if let Some(opening) = &mut self.opening {
            input = opening.take(timer.now(), self.uart, input);
        }
        while self.server.handle_input(timer.now(), &mut input, host) {
            self.send(timer);
        }
        self.server.handle_timeout(timer.now());
        self.send(timer);
        while let Some(event) = self.server.poll_event() {
            log(event);
            if let (Event::Released { .. }, Some(opening)) = (event, &mut self.opening) {
                opening.released();
            }
            if let Some(code) = EventCode::of(&event) {
                let _ = happened.push(code);
            }
        }
        is_input
    }

    fn send(&mut self, timer: &mut Timer) {
        let mut frame = [0; FRAME];
        while let Some(length) = self.server.poll_transmit(timer.now(), &mut frame) {
            self.uart.send(frame.get(..length).unwrap_or(&[]));
        }
    }
}

fn log(event: Event) {
    match event {
        Event::Associated { association } => board::log(format_args!("association {}", association.0)),
        Event::Released { association } => {
            board::log(format_args!("released {}, stack {}", association.0, board::stack_used()));
        }
        Event::Refused { .. } => board::log(format_args!("refused")),
        _ => {}
    }
}
