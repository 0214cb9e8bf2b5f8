//! Disconnect control (class_id 70): the supply breaker and who may open and close it.
//!
//! | transition | trigger | from | to |
//! | --- | --- | --- | --- |
//! | a | remote reconnect | disconnected | connected |
//! | b | remote disconnect | connected | disconnected |
//! | c | remote disconnect | ready for reconnection | disconnected |
//! | d | remote reconnect | disconnected | ready for reconnection |
//! | e | manual reconnect | ready for reconnection | connected |
//! | f | manual disconnect | connected | ready for reconnection |
//! | g | local disconnect | connected | ready for reconnection |
//! | h | local reconnect | ready for reconnection | connected |
//! | i | remote reconnect | ready for reconnection | connected (version 1, mode 7) |

use dlms_obis::LogicalName;

use crate::macros::{enumeration, interface_class};
use crate::object::raise;
use crate::{ActionResult, Effect, Effects, InterfaceClass};
use dlms_axdr::FromData;

/// The hardware behind a Disconnect control.
pub trait Relay {
    /// Opens or closes the supply.
    ///
    /// # Errors
    /// The relay did not move.
    fn switch(&mut self, connected: bool) -> Result<(), ActionResult>;
}

/// A relay without hardware: it moves at once and never fails.
impl Relay for () {
    fn switch(&mut self, _connected: bool) -> Result<(), ActionResult> {
        Ok(())
    }
}

enumeration! {
    /// The state of the supply.
    ControlState, "control-state" {
        /// Open, until it is reconnected remotely.
        Disconnected = 0,
        /// Closed.
        Connected = 1,
        /// Open, and may be closed by hand.
        ReadyForReconnection = 2,
    }
}

enumeration! {
    /// Which transitions there are.
    ControlMode, "control-mode" {
        /// None: always connected.
        None = 0,
        /// b c d e f g.
        Mode1 = 1,
        /// a b c e f g.
        Mode2 = 2,
        /// b c d e g.
        Mode3 = 3,
        /// a b c e g.
        Mode4 = 4,
        /// b c d e f g h.
        Mode5 = 5,
        /// b c d e g h.
        Mode6 = 6,
        /// a b c e g h i; version 1 of the class.
        Mode7 = 7,
    }
}

/// What asks for a change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Trigger {
    /// The method `remote_disconnect`.
    RemoteDisconnect,
    /// The method `remote_reconnect`.
    RemoteReconnect,
    /// The button, to disconnect.
    ManualDisconnect,
    /// The button, to reconnect.
    ManualReconnect,
    /// The meter itself, to disconnect: a limiter, prepayment.
    LocalDisconnect,
    /// The meter itself, to reconnect.
    LocalReconnect,
}

impl ControlMode {
    /// The state to which a trigger leads, if the mode has that transition.
    pub const fn transition(self, from: ControlState, trigger: Trigger) -> Option<ControlState> {
        use ControlMode::{Mode1, Mode2, Mode3, Mode4, Mode5, Mode6, Mode7, None as Mode0};
        use ControlState::{Connected, Disconnected, ReadyForReconnection};
        use Trigger::{
            LocalDisconnect, LocalReconnect, ManualDisconnect, ManualReconnect, RemoteDisconnect,
            RemoteReconnect,
        };
        match (self, from, trigger) {
            (Mode0, _, _) => None,
            (Mode2 | Mode4 | Mode7, Disconnected, RemoteReconnect) => Some(Connected),
            (_, Connected | ReadyForReconnection, RemoteDisconnect) => Some(Disconnected),
            (Mode1 | Mode3 | Mode5 | Mode6, Disconnected, RemoteReconnect) => Some(ReadyForReconnection),
            (_, ReadyForReconnection, ManualReconnect) => Some(Connected),
            (Mode1 | Mode2 | Mode5, Connected, ManualDisconnect) => Some(ReadyForReconnection),
            (_, Connected, LocalDisconnect) => Some(ReadyForReconnection),
            (Mode5 | Mode6 | Mode7, ReadyForReconnection, LocalReconnect) => Some(Connected),
            (Mode7, ReadyForReconnection, RemoteReconnect) => Some(Connected),
            _ => None,
        }
    }
}

/// Disconnect control.
#[derive(Clone, Debug)]
pub struct DisconnectControl<R> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// The hardware.
    pub relay: R,
    version: u8,
    state: ControlState,
    mode: ControlMode,
}

impl<R: Relay> DisconnectControl<R> {
    /// A connected supply. Mode 7 makes it version 1 of the class.
    pub const fn new(logical_name: LogicalName, relay: R, mode: ControlMode) -> Self {
        let version = matches!(mode, ControlMode::Mode7) as u8;
        Self { logical_name, relay, version, state: ControlState::Connected, mode }
    }

    /// As it was before a restart. The relay kept its position and is not moved.
    pub const fn in_state(mut self, state: ControlState) -> Self {
        self.state = state;
        self
    }

    /// Attribute 2: whether the supply is connected.
    pub const fn output_state(&self) -> bool {
        matches!(self.state, ControlState::Connected)
    }

    /// Attribute 3.
    pub const fn control_state(&self) -> ControlState {
        self.state
    }

    /// Attribute 4.
    pub const fn control_mode(&self) -> ControlMode {
        self.mode
    }

    /// Makes the transition that a trigger asks for, if the mode has one from this state; else nothing happens.
    ///
    /// # Errors
    /// The relay did not move; the state is as before.
    pub fn trigger(&mut self, trigger: Trigger, effects: &mut Effects) -> Result<(), ActionResult> {
        let Some(next) = self.mode.transition(self.state, trigger) else { return Ok(()) };
        let connected = next == ControlState::Connected;
        if connected != self.output_state() {
            self.relay.switch(connected)?;
            raise(effects, Effect::OutputChanged { control: self.logical_name, connected });
        }
        self.state = next;
        Ok(())
    }
}

impl DisconnectControl<()> {
    /// Version 1 of the class, which adds mode 7.
    pub const CLASS_VERSION_1: InterfaceClass = InterfaceClass { version: 1, ..Self::CLASS };
}

interface_class! {
    class 70 "Disconnect control" version 0, first method at Some(0x20);
    constants on DisconnectControl<()>;
    object impl[R: Relay] DisconnectControl<R>;
    attributes {
        2 output_state OUTPUT_STATE: bool = "boolean" dynamic
            get(object, get) { Ok(get.encoder.data(&object.output_state())?) }
        3 control_state CONTROL_STATE: ControlState = "enum:control_state" dynamic
            get(object, get) { Ok(get.encoder.data(&object.state)?) }
        4 control_mode CONTROL_MODE: ControlMode = "enum:control_mode" static
            get(object, get) { Ok(get.encoder.data(&object.mode)?) }
            set(object, set) {
                let mode = ControlMode::from_data(set.value)?;
                if mode == ControlMode::Mode7 && object.version == 0 {
                    return Err(crate::DataAccessResult::OtherReason);
                }
                object.mode = mode;
                Ok(())
            }
    }
    methods {
        1 remote_disconnect REMOTE_DISCONNECT: i8 = "integer(0)" mandatory (object, call) {
            object.trigger(Trigger::RemoteDisconnect, call.effects)
        }
        2 remote_reconnect REMOTE_RECONNECT: i8 = "integer(0)" mandatory (object, call) {
            object.trigger(Trigger::RemoteReconnect, call.effects)
        }
    }
    versions(object) {
        match object.version {
            0 => const { &DisconnectControl::<()>::CLASS.outline() },
            _ => const { &DisconnectControl::<()>::CLASS_VERSION_1.outline() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ControlState::{Connected, Disconnected, ReadyForReconnection};
    use super::Trigger::*;
    use super::*;

    const TRANSITIONS: [(char, ControlState, Trigger, ControlState); 9] = [
        ('a', Disconnected, RemoteReconnect, Connected),
        ('b', Connected, RemoteDisconnect, Disconnected),
        ('c', ReadyForReconnection, RemoteDisconnect, Disconnected),
        ('d', Disconnected, RemoteReconnect, ReadyForReconnection),
        ('e', ReadyForReconnection, ManualReconnect, Connected),
        ('f', Connected, ManualDisconnect, ReadyForReconnection),
        ('g', Connected, LocalDisconnect, ReadyForReconnection),
        ('h', ReadyForReconnection, LocalReconnect, Connected),
        ('i', ReadyForReconnection, RemoteReconnect, Connected),
    ];

    const MODES: [&str; 8] = ["", "bcfgde", "bcfgae", "bcgde", "bcgae", "bcfgdeh", "bcgdeh", "bcgaieh"];

    #[test]
    fn every_mode_state_and_trigger() {
        let triggers = [
            RemoteDisconnect,
            RemoteReconnect,
            ManualDisconnect,
            ManualReconnect,
            LocalDisconnect,
            LocalReconnect,
        ];
        for (&mode, letters) in ControlMode::ALL.iter().zip(MODES) {
            for &from in ControlState::ALL {
                for trigger in triggers {
                    let expected = TRANSITIONS
                        .iter()
                        .find(|it| letters.contains(it.0) && it.1 == from && it.2 == trigger)
                        .map(|it| it.3);
                    assert_eq!(mode.transition(from, trigger), expected, "{mode:?} {from:?} {trigger:?}");
                    let name = LogicalName::new(0, 0, 96, 3, 10, 255);
                    let mut control = DisconnectControl::new(name, (), mode).in_state(from);
                    let mut effects = Effects::new();
                    assert_eq!(control.trigger(trigger, &mut effects), Ok(()));
                    assert_eq!(control.control_state(), expected.unwrap_or(from));
                    assert_eq!(control.output_state(), control.control_state() == Connected);
                    let moved = (from == Connected) != control.output_state();
                    assert_eq!(effects.len(), usize::from(moved));
                }
            }
        }
    }

    #[test]
    fn a_relay_that_does_not_move_leaves_the_state() {
        struct Stuck;
        impl Relay for Stuck {
            fn switch(&mut self, _: bool) -> Result<(), ActionResult> {
                Err(ActionResult::HardwareFault)
            }
        }
        let name = LogicalName::new(0, 0, 96, 3, 10, 255);
        let mut control = DisconnectControl::new(name, Stuck, ControlMode::Mode4);
        let mut effects = Effects::new();
        assert_eq!(control.trigger(RemoteDisconnect, &mut effects), Err(ActionResult::HardwareFault));
        assert_eq!(control.control_state(), Connected);
        assert!(effects.is_empty());
    }
}
