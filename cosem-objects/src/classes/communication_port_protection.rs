//! Communication port protection (class_id 124): a port that locks itself after failed attempts to associate.
//!
//! | protection_mode | |
//! | --- | --- |
//! | 0 locked | nothing comes in |
//! | 1 locked on failed attempts | after `allowed_failed_attempts` failures the port is locked for a time |
//! | 2 unlocked | failures are counted only |
//!
//! Each further failure multiplies the time by `steepness_factor`, up to `max_lockout_time`: a lock always ends. A
//! success starts the count anew. Whoever serves the port asks [`PortProtection::is_locked`] before it
//! listens to an association request, and tells what came of it. A failure is a wrong password, a wrong proof, or an
//! association request that cannot be deciphered.

use core::time::Duration;

use dlms_axdr::FromData;
use dlms_obis::LogicalName;

use crate::behaviour::PortProtection;
use crate::macros::{enumeration, interface_class};
use crate::object::raise;
use crate::{Effect, Effects};

enumeration! {
    /// Whether failures lock the port. Some meters number from 1; the numbers here are those of most.
    PortProtectionMode, "port-protection-mode" {
        /// The port is locked.
        Locked = 0,
        /// Failures lock it for a time.
        LockedOnFailedAttempts = 1,
        /// Failures are only counted.
        Unlocked = 2,
    }
}

enumeration! {
    /// Whether the port is locked now.
    PortProtectionStatus, "port-protection-status" {
        /// It is not.
        Unlocked = 0,
        /// For a time.
        TemporarilyLocked = 1,
        /// Until its mode is changed.
        Locked = 2,
    }
}

/// When a port locks itself, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutRule {
    /// Attribute 3: how many failures lock the port; 0 is the same as 1.
    pub allowed_failed_attempts: u16,
    /// Attribute 4, in seconds: the first lock.
    pub initial_lockout_time: u32,
    /// Attribute 5: by how much each further lock is longer; 0 is the same as 1.
    pub steepness_factor: u8,
    /// Attribute 6, in seconds: no lock is longer.
    pub max_lockout_time: u32,
}

/// What must survive a restart. A lock begins anew then with the time that it had left, so that it ends at last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortProtectionState {
    /// Attribute 9.
    pub failed_attempts: u32,
    /// Attribute 10, which is never reset.
    pub cumulative_failed_attempts: u32,
    /// How long the port stays locked, in seconds.
    pub lockout_left: u32,
}

/// Communication port protection.
#[derive(Clone, Debug)]
pub struct CommunicationPortProtection {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2.
    pub protection_mode: PortProtectionMode,
    /// Attributes 3 to 6.
    pub rule: LockoutRule,
    /// Attribute 7: the object that sets the port up.
    pub port_reference: LogicalName,
    failed_attempts: u32,
    cumulative_failed_attempts: u32,
    locked_until: Duration,
    now: Duration,
}

impl LockoutRule {
    /// How long so many failures since the last success lock the port, in seconds; 0 if they are allowed.
    pub fn lockout(&self, failed_attempts: u32) -> u32 {
        let Some(further) = failed_attempts.checked_sub(u32::from(self.allowed_failed_attempts.max(1)))
        else {
            return 0;
        };
        let factor = u32::from(self.steepness_factor.max(1)).saturating_pow(further);
        self.initial_lockout_time.saturating_mul(factor).min(self.max_lockout_time)
    }
}

impl CommunicationPortProtection {
    /// The protection of the port that the object `port_reference` sets up.
    pub const fn new(
        logical_name: LogicalName,
        protection_mode: PortProtectionMode,
        rule: LockoutRule,
        port_reference: LogicalName,
    ) -> Self {
        Self {
            logical_name,
            protection_mode,
            rule,
            port_reference,
            failed_attempts: 0,
            cumulative_failed_attempts: 0,
            locked_until: Duration::ZERO,
            now: Duration::ZERO,
        }
    }

    /// As it was before a restart; `now` is the time that the caller counts from then on.
    #[must_use]
    pub fn in_state(mut self, state: PortProtectionState, now: Duration) -> Self {
        self.failed_attempts = state.failed_attempts;
        self.cumulative_failed_attempts = state.cumulative_failed_attempts;
        let left = state.lockout_left.min(self.rule.max_lockout_time);
        self.locked_until = now.saturating_add(Duration::from_secs(left.into()));
        self.now = now;
        self
    }

    /// What must survive a restart; to be stored after each failure, and now and then while the port is locked.
    pub fn state(&self, now: Duration) -> PortProtectionState {
        let left = self.locked_until.as_millis().saturating_sub(now.as_millis()).div_ceil(1000);
        PortProtectionState {
            failed_attempts: self.failed_attempts,
            cumulative_failed_attempts: self.cumulative_failed_attempts,
            lockout_left: u32::try_from(left).unwrap_or(u32::MAX),
        }
    }

    /// Attribute 8.
    pub fn status(&self) -> PortProtectionStatus {
        match self.protection_mode {
            PortProtectionMode::Locked => PortProtectionStatus::Locked,
            PortProtectionMode::LockedOnFailedAttempts if self.now < self.locked_until => {
                PortProtectionStatus::TemporarilyLocked
            }
            _ => PortProtectionStatus::Unlocked,
        }
    }

    /// Method 1: forgets the failures since the last success, and the lock.
    pub fn reset(&mut self) {
        self.failed_attempts = 0;
        self.locked_until = Duration::ZERO;
    }
}

impl PortProtection for CommunicationPortProtection {
    fn is_locked(&mut self, now: Duration) -> bool {
        self.now = self.now.max(now);
        self.status() != PortProtectionStatus::Unlocked
    }

    fn attempt_failed(&mut self, now: Duration, effects: &mut Effects) {
        self.now = self.now.max(now);
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        self.cumulative_failed_attempts = self.cumulative_failed_attempts.saturating_add(1);
        let seconds = self.rule.lockout(self.failed_attempts);
        if self.protection_mode == PortProtectionMode::LockedOnFailedAttempts && seconds > 0 {
            let until = self.now.saturating_add(Duration::from_secs(seconds.into()));
            self.locked_until = self.locked_until.max(until);
            raise(effects, Effect::PortLocked { protection: self.logical_name, seconds });
        }
    }

    fn attempt_succeeded(&mut self) {
        self.failed_attempts = 0;
    }
}

interface_class! {
    class 124 "Communication port protection" version 0, first method at Some(0x50);
    constants on CommunicationPortProtection;
    object impl[] CommunicationPortProtection;
    attributes {
        2 protection_mode PROTECTION_MODE: PortProtectionMode = "enum:port_protection_mode" static
            get(object, get) { Ok(get.encoder.data(&object.protection_mode)?) }
            set(object, set) { object.protection_mode = FromData::from_data(set.value)?; Ok(()) }
        3 allowed_failed_attempts ALLOWED_FAILED_ATTEMPTS: u16 = "long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.rule.allowed_failed_attempts)?) }
            set(object, set) { object.rule.allowed_failed_attempts = FromData::from_data(set.value)?; Ok(()) }
        4 initial_lockout_time INITIAL_LOCKOUT_TIME: u32 = "double-long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.rule.initial_lockout_time)?) }
            set(object, set) { object.rule.initial_lockout_time = FromData::from_data(set.value)?; Ok(()) }
        5 steepness_factor STEEPNESS_FACTOR: u8 = "unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.rule.steepness_factor)?) }
            set(object, set) { object.rule.steepness_factor = FromData::from_data(set.value)?; Ok(()) }
        6 max_lockout_time MAX_LOCKOUT_TIME: u32 = "double-long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.rule.max_lockout_time)?) }
            set(object, set) { object.rule.max_lockout_time = FromData::from_data(set.value)?; Ok(()) }
        7 port_reference PORT_REFERENCE: LogicalName = "octet-string[6]" static
            get(object, get) { Ok(get.encoder.data(&object.port_reference)?) }
            set(object, set) { object.port_reference = FromData::from_data(set.value)?; Ok(()) }
        8 protection_status PROTECTION_STATUS: PortProtectionStatus = "enum:port_protection_status" dynamic
            get(object, get) { Ok(get.encoder.data(&object.status())?) }
        9 failed_attempts FAILED_ATTEMPTS: u32 = "double-long-unsigned" dynamic
            get(object, get) { Ok(get.encoder.data(&object.failed_attempts)?) }
        10 cumulative_failed_attempts CUMULATIVE_FAILED_ATTEMPTS: u32 = "double-long-unsigned" dynamic
            get(object, get) { Ok(get.encoder.data(&object.cumulative_failed_attempts)?) }
    }
    methods {
        1 reset RESET: i8 = "integer(0)" optional (object, call) {
            i8::from_data(call.parameter)?;
            object.reset();
            Ok(())
        }
    }
    behaviour {
        fn tick(&mut self, tick: &crate::behaviour::Tick, _effects: &mut Effects) {
            self.now = self.now.max(tick.now);
        }

        fn port_protection_mut(&mut self) -> Option<&mut dyn PortProtection> {
            Some(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: LogicalName = LogicalName::new(0, 0, 44, 2, 0, 255);
    const PORT: LogicalName = LogicalName::new(0, 0, 22, 0, 0, 255);
    const RULE: LockoutRule = LockoutRule {
        allowed_failed_attempts: 3,
        initial_lockout_time: 10,
        steepness_factor: 2,
        max_lockout_time: 60,
    };

    fn protection(mode: PortProtectionMode) -> CommunicationPortProtection {
        CommunicationPortProtection::new(NAME, mode, RULE, PORT)
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn locks_grow_up_to_the_longest_and_end() {
        let locks: Vec<u32> = (0..8).map(|failures| RULE.lockout(failures)).collect();
        assert_eq!(locks, [0, 0, 0, 10, 20, 40, 60, 60]);
        assert_eq!(RULE.lockout(u32::MAX), 60);

        let mut port = protection(PortProtectionMode::LockedOnFailedAttempts);
        let mut effects = Effects::new();
        for _ in 0..2 {
            port.attempt_failed(at(1), &mut effects);
            assert!(!port.is_locked(at(1)));
        }
        port.attempt_failed(at(1), &mut effects);
        assert_eq!(effects.as_slice(), [Effect::PortLocked { protection: NAME, seconds: 10 }]);
        assert!(port.is_locked(at(10)));
        assert_eq!(port.status(), PortProtectionStatus::TemporarilyLocked);
        assert!(!port.is_locked(at(11)));
        port.attempt_failed(at(11), &mut effects);
        assert!(port.is_locked(at(30)) && !port.is_locked(at(31)));
        port.attempt_succeeded();
        port.attempt_failed(at(31), &mut effects);
        assert!(!port.is_locked(at(31)));
        assert_eq!(port.state(at(31)).cumulative_failed_attempts, 5);
    }

    #[test]
    fn a_restart_neither_opens_the_port_nor_locks_it_for_good() {
        let mut port = protection(PortProtectionMode::LockedOnFailedAttempts);
        let mut effects = Effects::new();
        (0..3).for_each(|_| port.attempt_failed(at(100), &mut effects));
        let state = port.state(at(104));
        assert_eq!(state.lockout_left, 6);
        let mut port = protection(PortProtectionMode::LockedOnFailedAttempts).in_state(state, Duration::ZERO);
        assert!(port.is_locked(at(5)) && !port.is_locked(at(6)));
        assert_eq!(port.state(at(6)).failed_attempts, 3);
        // What was stored may be anything; the lock ends all the same.
        let mad = PortProtectionState { lockout_left: u32::MAX, ..state };
        let mut port = protection(PortProtectionMode::LockedOnFailedAttempts).in_state(mad, Duration::ZERO);
        assert!(!port.is_locked(at(60)));
        port.reset();
        assert_eq!(port.state(at(60)), PortProtectionState { failed_attempts: 0, lockout_left: 0, ..mad });
    }

    #[test]
    fn the_other_modes() {
        let mut effects = Effects::new();
        let mut open = protection(PortProtectionMode::Unlocked);
        (0..9).for_each(|_| open.attempt_failed(at(1), &mut effects));
        assert!(!open.is_locked(at(1)) && effects.is_empty());
        let mut locked = protection(PortProtectionMode::Locked);
        assert!(locked.is_locked(at(1_000_000)));
        assert_eq!(locked.status(), PortProtectionStatus::Locked);
    }

    proptest! {
        #[test]
        fn every_lock_ends(
            rule in (any::<u16>(), any::<u32>(), any::<u8>(), 0..100_000u32),
            failures in proptest::collection::vec(0..1000u64, 0..50),
        ) {
            let rule = LockoutRule {
                allowed_failed_attempts: rule.0 % 8,
                initial_lockout_time: rule.1,
                steepness_factor: rule.2,
                max_lockout_time: rule.3,
            };
            let mode = PortProtectionMode::LockedOnFailedAttempts;
            let mut port = CommunicationPortProtection::new(NAME, mode, rule, PORT);
            let mut now = Duration::ZERO;
            for pause in failures {
                now += at(pause);
                port.attempt_failed(now, &mut Effects::new());
            }
            prop_assert!(!port.is_locked(now + at(rule.max_lockout_time.into())));
        }
    }
}
