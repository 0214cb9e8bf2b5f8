//! What the meter says unasked: a data-notification for each event, at the consumer port.

use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;

use dlms::drivers::Application;
use dlms::hdlc::{ClientAddress, Control, Frame, Llc, ServerAddress};
use dlms::objects::{Effect, behaviour};
use dlms::server::{Event, Host, data_notification};
use dlms::xdlms::LongInvokeIdAndPriority;
use embassy_board::CONSUMER_PORT;
use embassy_sync::blocking_mutex::raw::ThreadModeRawMutex;
use embassy_sync::channel::Channel;
use embedded_io_async::Write;

use crate::associations::MANAGEMENT;
use crate::keys::{COUNTER, GMAC, Provider};
use crate::metering::IMPORT;

/// The longest notification.
const LONGEST: usize = 128;
/// How often time passes for the objects.
const TICK: Duration = Duration::from_millis(500);

/// Notifications that wait for the consumer port, sealed.
static NOTIFICATIONS: Channel<ThreadModeRawMutex, heapless::Vec<u8, LONGEST>, 4> = Channel::new();

/// What is worth a notification.
#[derive(Clone, Copy, defmt::Format)]
#[repr(u8)]
enum EventCode {
    PowerUp = 2,
    ClockAdjusted = 4,
    AssociationRefused = 46,
    SecurityViolation = 49,
}

impl EventCode {
    const fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Refused { .. } => Self::AssociationRefused,
            Event::SecurityViolation { .. } => Self::SecurityViolation,
            Event::Effect(Effect::ClockAdjusted { .. }) => Self::ClockAdjusted,
            _ => return None,
        })
    }
}

/// What happens in the meter beside the answers to clients.
pub struct Events {
    /// The next number of a notification.
    number: u32,
    next_tick: Duration,
}

impl Events {
    pub const fn new() -> Self {
        Self { number: 0, next_tick: Duration::ZERO }
    }

    /// Seals a notification as the management association has it, and leaves it to the other task.
    fn notify(&mut self, code: EventCode, host: &mut Host<'_, Provider>) {
        let mut out = [0; LONGEST];
        let id = LongInvokeIdAndPriority::new(self.number, false, false);
        let time = behaviour::wall_time(host.device).map(|time| time.date_time());
        let written = data_notification(
            host,
            MANAGEMENT,
            id,
            time,
            |encoder| encoder.data(&(code as u8, IMPORT.load(Relaxed))),
            &mut out,
        );
        let notification = written.ok().and_then(|range| heapless::Vec::from_slice(out.get(range)?).ok());
        // A client that provokes more events than the port has room for gains nothing by it.
        if let Some(notification) = notification
            && NOTIFICATIONS.try_send(notification).is_ok()
        {
            defmt::info!("notification {}: {}", self.number, code);
            self.number += 1;
        }
    }
}

impl Application<Provider> for Events {
    fn event(&mut self, event: Event, host: &mut Host<'_, Provider>) {
        if let Event::WindowMoved { security: GMAC, peer } = event {
            COUNTER.store(host.security[GMAC].lowest_acceptable(peer).value().saturating_sub(1), Relaxed);
        }
        if let Event::Released { .. } = event {
            defmt::info!("deepest stack {}", embassy_board::stack_used());
        }
        if let Some(code) = EventCode::of(&event) {
            self.notify(code, host);
        }
    }

    fn tick(&mut self, now: Duration, host: &mut Host<'_, Provider>) -> Option<Duration> {
        if now >= self.next_tick {
            if self.next_tick.is_zero() {
                self.notify(EventCode::PowerUp, host);
            }
            self.next_tick = now + TICK;
            behaviour::tick(host.device, now, host.scratch, &mut |_| {});
        }
        Some(self.next_tick)
    }
}

/// Sends notifications in UI frames.
#[embassy_executor::task]
pub async fn send(address: ServerAddress) -> ! {
    let mut port = &CONSUMER_PORT;
    loop {
        let notification = NOTIFICATIONS.receive().await;
        let mut information = heapless::Vec::<u8, { LONGEST + 3 }>::new();
        let _ = information.extend_from_slice(&Llc::Response.octets());
        let _ = information.extend_from_slice(&notification);
        let frame = Frame {
            destination: ClientAddress::PUBLIC.into(),
            source: address.into(),
            control: Control::UnnumberedInformation { poll_final: false },
            segmented: false,
            information: &information,
        };
        let mut octets = [0; LONGEST + 32];
        if let Ok(length) = frame.encode(&mut octets) {
            let Ok(()) = port.write_all(octets.get(..length).unwrap_or(&[])).await;
        }
    }
}
