//! What is spoken at the optical port before HDLC: the sign-on of IEC 62056-21 at 300 Bd, and with mode E the switch.

use core::time::Duration;

use board::Uart;
use dlms_iec62056_21::{
    Characters, Device, DeviceConfig, DeviceState, Error, Identification, ReadoutWriter, parity,
};

/// Silence after which the port waits for a sign-on again.
const SILENCE: Duration = Duration::from_secs(120);
/// The same when the association is over.
const SILENCE_AFTER: Duration = Duration::from_secs(2);

/// The opening of the optical port.
pub struct Opening {
    device: Device<'static>,
    characters: Characters,
    heard: Duration,
    silence: Duration,
}

impl Opening {
    /// A port that waits for a sign-on.
    ///
    /// # Errors
    /// The identification is none.
    pub fn new() -> Result<Self, Error> {
        let identification =
            Identification { manufacturer: "GUR", rate: '5', escapes: "\\2", identification: "DLMS-FW" };
        let device = Device::new(DeviceConfig { identification, device_address: "00000001" })?;
        Ok(Self { device, characters: Characters::SevenEvenOne, heard: Duration::ZERO, silence: SILENCE })
    }

    /// Takes what was received, and leaves what belongs to HDLC.
    pub fn take<'o>(&mut self, now: Duration, uart: Uart, octets: &'o [u8]) -> &'o [u8] {
        if !octets.is_empty() {
            (self.heard, self.silence) = (now, SILENCE);
        }
        let mut rest = octets;
        while self.device.state() == DeviceState::SignOn
            && let Some((&octet, after)) = rest.split_first()
        {
            rest = after;
            if let Some(character) = parity::checked(octet) {
                self.device.handle_input(now, &mut &[character][..]);
            }
        }
        self.device.handle_timeout(now);
        self.send(now, uart);
        match self.device.state() {
            DeviceState::SignOn => &[],
            DeviceState::Readout => {
                self.read_out(uart);
                self.close(uart);
                &[]
            }
            DeviceState::Hdlc if now.saturating_sub(self.heard) > self.silence => {
                self.close(uart);
                &[]
            }
            DeviceState::Hdlc => rest,
        }
    }

    /// The association is over: the reader goes away.
    pub const fn released(&mut self) {
        self.silence = SILENCE_AFTER;
    }

    fn close(&mut self, uart: Uart) {
        self.device.close();
        self.set_line(uart);
    }

    fn send(&mut self, now: Duration, uart: Uart) {
        let mut message = [0; 64];
        let length = self.device.poll_transmit(now, &mut message);
        // The confirmation leaves at the new rate.
        self.set_line(uart);
        let message = length.and_then(|length| message.get_mut(..length)).unwrap_or_default();
        if self.characters == Characters::SevenEvenOne {
            message.iter_mut().for_each(|octet| *octet = parity::with_even_parity(*octet));
        }
        uart.send(message);
    }

    fn set_line(&mut self, uart: Uart) {
        if let Some(line) = self.device.poll_line() {
            uart.set_baud(line.rate.bits_per_second());
            self.characters = line.characters;
        }
    }

    /// The data message, for readers that do not speak HDLC: who the meter is.
    fn read_out(&self, uart: Uart) {
        let mut message = [0; 64];
        let written = ReadoutWriter::new(&mut message).and_then(|mut readout| {
            readout.data_set("C.1.0", "00000001", "")?;
            readout.finish()
        });
        let Ok(length) = written else { return };
        for octet in message.iter().take(length) {
            uart.send(&[parity::with_even_parity(*octet)]);
        }
    }
}
