//! What the event log tells.

use dlms::objects::Effect;
use dlms::server::Event;

/// The codes in the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EventCode {
    PowerUp = 2,
    ClockAdjusted = 4,
    FirmwareActivated = 18,
    AssociationRefused = 46,
    SecurityViolation = 49,
    Disconnected = 60,
    Connected = 61,
}

impl EventCode {
    /// What the log tells of something that happened in a session.
    pub const fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Refused { .. } => Self::AssociationRefused,
            Event::SecurityViolation { .. } => Self::SecurityViolation,
            Event::Effect(Effect::ClockAdjusted { .. }) => Self::ClockAdjusted,
            Event::Effect(Effect::OutputChanged { connected: false, .. }) => Self::Disconnected,
            Event::Effect(Effect::OutputChanged { connected: true, .. }) => Self::Connected,
            Event::Effect(Effect::ImageActivated { .. }) => Self::FirmwareActivated,
            _ => return None,
        })
    }
}
