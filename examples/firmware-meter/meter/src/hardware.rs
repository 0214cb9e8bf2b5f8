//! The clock and the relay, whose state is kept.

use core::time::Duration;

use dlms::obis::LogicalName;
use dlms::objects::classes::{ClockSource, ControlMode, ControlState, DisconnectControl, Relay};
use dlms::objects::{ActionResult, DataAccessResult};
use dlms::security::StorageError;

use crate::storage::{Setting, Storage};

/// The clock chip, and how far the meter's time is from it.
pub struct Rtc {
    storage: &'static Storage,
    /// The time of the chip at the start, and since then; in milliseconds.
    start: i64,
    elapsed: i64,
    offset: i64,
}

impl Rtc {
    pub fn new(storage: &'static Storage) -> Result<Self, StorageError> {
        let offset = storage.setting::<8>(Setting::Clock as u8)?.and_then(|octets| octets.into_array().ok());
        Ok(Self {
            storage,
            start: i64::from(board::unix_seconds()) * 1000,
            elapsed: 0,
            offset: offset.map_or(0, i64::from_le_bytes),
        })
    }
}

impl ClockSource for Rtc {
    fn unix_milliseconds(&self) -> Option<i64> {
        Some(self.start + self.elapsed + self.offset)
    }

    fn set(&mut self, unix_milliseconds: i64) -> Result<(), DataAccessResult> {
        let offset = unix_milliseconds.saturating_sub(self.start + self.elapsed);
        let stored = self.storage.store(Setting::Clock as u8, &offset.to_le_bytes());
        stored.map_err(|_| DataAccessResult::HardwareFault)?;
        self.offset = offset;
        Ok(())
    }

    fn advance(&mut self, now: Duration) {
        self.elapsed = now.as_millis() as i64;
    }
}

/// The relay.
pub struct Switch {
    storage: &'static Storage,
}

impl Switch {
    /// The supply as it was before the power went.
    pub fn restore(storage: &'static Storage) -> Result<DisconnectControl<Self>, StorageError> {
        let kept = storage.setting::<1>(Setting::Relay as u8)?;
        let connected = kept.is_none_or(|kept| *kept != [0]);
        board::drive_relay(connected);
        let state = if connected { ControlState::Connected } else { ControlState::Disconnected };
        let name = LogicalName::new(0, 0, 96, 3, 10, 255);
        Ok(DisconnectControl::new(name, Self { storage }, ControlMode::Mode4).in_state(state))
    }
}

impl Relay for Switch {
    /// The new position is stored before the relay moves: after a cut of the power it goes there.
    fn switch(&mut self, connected: bool) -> Result<(), ActionResult> {
        let stored = self.storage.store(Setting::Relay as u8, &[connected.into()]);
        stored.map_err(|_| ActionResult::HardwareFault)?;
        board::drive_relay(connected);
        Ok(())
    }
}
