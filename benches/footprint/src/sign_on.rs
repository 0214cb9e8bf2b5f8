//! What is spoken at the optical port before HDLC: the sign-on of IEC 62056-21, and with mode E the switch.
//!
//! Parity is the peripheral's. A port that was silent for long waits for a sign-on again. HDLC that comes without a
//! sign-on is taken too.

use core::time::Duration;

use dlms_iec62056_21::{Device, DeviceConfig, DeviceState, Identification};

use crate::{board, unwrap};

const SILENCE: Duration = Duration::from_secs(120);
const FLAG: u8 = 0x7E;

pub struct Opening {
    device: Device<'static>,
    heard: Duration,
    is_hdlc: bool,
}

impl Opening {
    #[inline(never)]
    pub fn new() -> Self {
        let identification =
            Identification { manufacturer: "GUR", rate: '5', escapes: "\\2", identification: "DLMS-FW" };
        let device = unwrap(Device::new(DeviceConfig { identification, device_address: "00000001" }));
        Self { device, heard: Duration::ZERO, is_hdlc: false }
    }

    /// Takes what was received, and leaves what belongs to HDLC.
    pub fn take<'o>(&mut self, now: Duration, octets: &'o [u8]) -> &'o [u8] {
        if !octets.is_empty() {
            self.heard = now;
        } else if now.saturating_sub(self.heard) > SILENCE {
            self.device.close();
            self.is_hdlc = false;
        }
        self.is_hdlc |= octets == [FLAG] || self.device.state() == DeviceState::Hdlc;
        if self.is_hdlc {
            return octets;
        }
        self.device.handle_input(now, &mut &*octets);
        self.device.handle_timeout(now);
        let mut message = [0; 64];
        while let Some(length) = self.device.poll_transmit(now, &mut message) {
            message.iter().take(length).for_each(|&octet| board::send(octet));
        }
        if let Some(line) = self.device.poll_line() {
            board::store(line.rate.bits_per_second());
        }
        &[]
    }
}
