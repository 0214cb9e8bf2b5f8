//! How often a client may fail to authenticate before its association requests are refused for a while.
//!
//! A failure is a wrong password, a wrong proof, or an InitiateRequest that cannot be deciphered; one that only is a
//! replay is none. While a client is locked out its requests are refused as a wrong password is, right or wrong, so that
//! nothing can be learnt. Associations that are open stay open. Every lock-out ends.
//!
//! A Communication port protection object (class_id 124) can take this over: then its attributes say when, and show what
//! came of it.

use core::time::Duration;

use cosem_objects::Effects;
use cosem_objects::behaviour::PortProtection;
use dlms_obis::LogicalName;
use dlms_security::CryptoProvider;

use super::event::EventQueue;
use super::session::Host;

/// Failed attempts of one client to authenticate, and what follows from them. It belongs to the association that is
/// offered, not to a connection: who connects anew is still locked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lockout {
    /// How many failures in a row lock the client out; 0 is the same as 1.
    pub failures: u16,
    /// How long the first lock-out is.
    pub initial: Duration,
    /// By how much each further failure makes it longer; 0 is the same as 1.
    pub factor: u8,
    /// No lock-out is longer.
    pub max: Duration,
    port: Option<LogicalName>,
    failed: u32,
    until: Duration,
}

/// What of a lock-out must survive a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LockoutState {
    /// Failures since the last success.
    pub failed: u32,
    /// How long the client stays locked out.
    pub left: Duration,
}

impl Lockout {
    /// After `failures` in a row the client is locked out for `initial`, and with each further one `factor` times as long,
    /// up to `max`.
    pub const fn new(failures: u16, initial: Duration, factor: u8, max: Duration) -> Self {
        Self { failures, initial, factor, max, port: None, failed: 0, until: Duration::ZERO }
    }

    /// Lets the Communication port protection object of this name decide instead. It counts the failures of all clients
    /// whose associations say so, its mode can lock them out for good or not at all, and what must survive a restart is
    /// its own state. Where the device has no such object this lock-out holds.
    #[must_use]
    pub const fn driven_by(mut self, port: LogicalName) -> Self {
        self.port = Some(port);
        self
    }

    /// As it was before a restart; `now` is the time that the caller counts from then on.
    #[must_use]
    pub fn in_state(mut self, state: LockoutState, now: Duration) -> Self {
        self.failed = state.failed;
        self.until = now.saturating_add(state.left.min(self.max));
        self
    }

    /// What must survive a restart: stored after each failure, so that switching the meter off opens nothing.
    pub fn state(&self, now: Duration) -> LockoutState {
        // In one number: a difference of two Durations is more than the compiler sees through.
        let left = self.until.as_nanos().saturating_sub(now.as_nanos());
        let left = Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX));
        LockoutState { failed: self.failed, left }
    }

    /// Whether the client is locked out.
    pub fn is_locked(&self, now: Duration) -> bool {
        now < self.until
    }

    /// The client failed to authenticate.
    pub fn attempt_failed(&mut self, now: Duration) {
        self.failed = self.failed.saturating_add(1);
        if let Some(further) = self.failed.checked_sub(u32::from(self.failures.max(1))) {
            let factor = u32::from(self.factor.max(1)).saturating_pow(further);
            let length = self.initial.saturating_mul(factor).min(self.max);
            self.until = self.until.max(now.saturating_add(length));
        }
    }

    /// The client authenticated.
    pub fn attempt_succeeded(&mut self) {
        self.failed = 0;
    }

    /// Forgets all failures and ends a lock-out.
    pub fn reset(&mut self) {
        (self.failed, self.until) = (0, Duration::ZERO);
    }
}

const COMMUNICATION_PORT_PROTECTION: u16 = 124;

impl<P: CryptoProvider> Host<'_, P> {
    /// What failed attempts to authenticate lead to, for the client with this service access point.
    fn lockout(&mut self, client_sap: u16) -> Option<&mut Lockout> {
        self.associations.iter_mut().find(|config| config.client_sap == client_sap)?.lockout.as_mut()
    }

    /// The object that decides about it.
    fn port_protection(&mut self, client_sap: u16) -> Option<&mut dyn PortProtection> {
        let port = self.lockout(client_sap)?.port?;
        let index = self.device.find(COMMUNICATION_PORT_PROTECTION, port)?;
        self.device.object_mut(index)?.port_protection_mut()
    }

    pub(super) fn is_locked_out(&mut self, client_sap: u16, now: Duration) -> bool {
        if let Some(port) = self.port_protection(client_sap) {
            return port.is_locked(now);
        }
        self.lockout(client_sap).is_some_and(|lockout| lockout.is_locked(now))
    }

    pub(super) fn attempt_failed(&mut self, client_sap: u16, now: Duration, events: &mut EventQueue) {
        let mut effects = Effects::new();
        if let Some(port) = self.port_protection(client_sap) {
            port.attempt_failed(now, &mut effects);
            self.carry_out(&effects, events);
        } else if let Some(lockout) = self.lockout(client_sap) {
            lockout.attempt_failed(now);
        }
    }

    pub(super) fn attempt_succeeded(&mut self, client_sap: u16) {
        if let Some(port) = self.port_protection(client_sap) {
            port.attempt_succeeded();
        } else if let Some(lockout) = self.lockout(client_sap) {
            lockout.attempt_succeeded();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_lock_is_longer_and_ends() {
        let mut lockout = Lockout::new(3, at(10), 2, at(60));
        lockout.attempt_failed(at(0));
        lockout.attempt_failed(at(0));
        assert!(!lockout.is_locked(at(0)));
        for (failure, length) in [(0, 10), (100, 20), (200, 40), (300, 60), (400, 60)] {
            lockout.attempt_failed(at(failure));
            assert!(lockout.is_locked(at(failure + length - 1)));
            assert!(!lockout.is_locked(at(failure + length)));
        }
        lockout.attempt_succeeded();
        lockout.attempt_failed(at(500));
        assert!(!lockout.is_locked(at(500)));
        for _ in 0..100 {
            lockout.attempt_failed(Duration::MAX);
        }
        lockout.reset();
        assert!(!lockout.is_locked(at(0)));
    }

    #[test]
    fn it_survives_a_restart_and_no_longer_than_it_may() {
        let mut lockout = Lockout::new(1, at(30), 2, at(60));
        lockout.attempt_failed(at(1000));
        let state = lockout.state(at(1010));
        assert_eq!(state, LockoutState { failed: 1, left: at(20) });
        let lockout = Lockout::new(1, at(30), 2, at(60)).in_state(state, at(0));
        assert!(lockout.is_locked(at(19)) && !lockout.is_locked(at(20)));
        let forged = LockoutState { failed: u32::MAX, left: Duration::MAX };
        let mut lockout = Lockout::new(1, at(30), 2, at(60)).in_state(forged, at(0));
        assert!(!lockout.is_locked(at(60)));
        lockout.attempt_failed(at(60));
        assert!(!lockout.is_locked(at(120)));
    }
}
