//! The optical port: the sign-on of IEC 62056-21 before HDLC, on a stream whose rate can be changed.
//!
//! The stream is set to eight bits without parity all the time; the parity of the sign-on is made and removed here.

use std::io;
use std::time::Duration;

use dlms_iec62056_21::{
    BaudRate, Device, DeviceConfig, DeviceState, Opened, SignOn, SignOnConfig, Wish, parity,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout_at;

use crate::Error;
use crate::clock::Clock;

/// More than the longest message of the sign-on.
const MESSAGE: usize = 80;

/// Protocol mode E of IEC 62056-21: how a meter is asked for HDLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeE {
    /// The address of one of several meters on the line; empty for whoever is there.
    pub device_address: String,
    /// The highest rate to use.
    pub max_rate: BaudRate,
    /// Whether to wake a battery-powered meter before.
    pub wake_up: bool,
    /// Whether the probe echoes what is sent.
    pub echo: bool,
}

impl Default for ModeE {
    fn default() -> Self {
        Self { device_address: String::new(), max_rate: BaudRate::B9600, wake_up: false, echo: false }
    }
}

/// Signs on as a reader and returns the rate at which HDLC is spoken. `set_rate` is called before anything is sent and
/// at each change.
///
/// # Errors
/// [`Error::SignOn`] if the meter does not answer or offers no HDLC, [`Error::Io`].
pub async fn sign_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mode: &ModeE,
    mut set_rate: impl FnMut(&mut S, u32) -> io::Result<()>,
) -> Result<BaudRate, Error> {
    let clock = Clock::start();
    let config = SignOnConfig {
        device_address: &mode.device_address,
        wish: Wish::Hdlc,
        max_rate: mode.max_rate,
        wake_up: mode.wake_up,
        echo: mode.echo,
        ..SignOnConfig::default()
    };
    let mut sign_on = SignOn::new(config, clock.now());
    loop {
        sign_on.handle_timeout(clock.now());
        if let Some(line) = sign_on.poll_line() {
            set_rate(stream, line.rate.bits_per_second())?;
        }
        match sign_on.outcome() {
            Some(Ok(Opened::Hdlc(rate))) => return Ok(rate),
            Some(Ok(Opened::Readout(_))) => return Err(Error::Unexpected),
            Some(Err(error)) => return Err(Error::SignOn(error)),
            None => {}
        }
        let mut message = [0; MESSAGE];
        if let Some(length) = sign_on.poll_transmit(clock.now(), &mut message) {
            send(stream, &mut message[..length]).await?;
        }
        if let Some(character) = receive(stream, clock, sign_on.poll_timeout()).await? {
            sign_on.handle_input(clock.now(), &mut &[character][..]);
        }
    }
}

/// Answers a reader as a meter does, until HDLC or the data message follows; the application then serves the stream
/// with [`serve_stream`](crate::serve_stream), or sends its data message, and calls this again for the next reader.
///
/// # Errors
/// The stream failed or ended.
pub async fn answer_sign_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    config: DeviceConfig<'_>,
    mut set_rate: impl FnMut(&mut S, u32) -> io::Result<()>,
) -> Result<DeviceState, Error> {
    let clock = Clock::start();
    let mut device = Device::new(config).map_err(Error::SignOn)?;
    loop {
        device.handle_timeout(clock.now());
        let mut message = [0; MESSAGE];
        let length = device.poll_transmit(clock.now(), &mut message);
        if let Some(line) = device.poll_line() {
            set_rate(stream, line.rate.bits_per_second())?;
        }
        if device.state() != DeviceState::SignOn {
            return Ok(device.state());
        }
        if let Some(length) = length {
            send(stream, &mut message[..length]).await?;
        }
        match device.poll_timeout() {
            // What comes now belongs to HDLC.
            Some(deadline) if !device.wants_input() => {
                tokio::time::sleep_until(clock.instant(deadline)).await;
            }
            deadline => {
                if let Some(character) = receive(stream, clock, deadline).await? {
                    device.handle_input(clock.now(), &mut &[character][..]);
                }
            }
        }
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), message: &mut [u8]) -> Result<(), Error> {
    for character in &mut *message {
        *character = parity::with_even_parity(*character);
    }
    stream.write_all(message).await?;
    stream.flush().await?;
    Ok(())
}

/// One character without its parity; nothing when time is up.
async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    clock: Clock,
    deadline: Option<Duration>,
) -> Result<Option<u8>, Error> {
    let octet = match deadline {
        Some(deadline) => match timeout_at(clock.instant(deadline), stream.read_u8()).await {
            Ok(octet) => octet?,
            Err(_) => return Ok(None),
        },
        None => stream.read_u8().await?,
    };
    // Meters that send no parity are heard too.
    Ok(Some(octet & 0x7F))
}
