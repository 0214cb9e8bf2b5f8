//! How often a client may fail to authenticate before its association requests are refused for a while.
//!
//! A failure is a wrong password, a wrong proof, or an InitiateRequest that cannot be deciphered; one that only is a
//! replay is none. While a client is locked out its requests are refused as a wrong password is, right or wrong, so that
//! nothing can be learnt. Associations that are open stay open. Every lock-out ends.

use core::time::Duration;

/// Failed attempts of one client to authenticate, and what follows from them. It belongs to the association that is
/// offered, not to a connection: who connects anew is still locked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// How many failures in a row lock the client out; 0 is the same as 1.
    pub failures: u16,
    /// How long the first lock-out is.
    pub initial: Duration,
    /// By how much each further failure makes it longer; 0 is the same as 1.
    pub factor: u8,
    /// No lock-out is longer.
    pub max: Duration,
    failed: u32,
    until: Duration,
}

/// What of a lock-out must survive a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
        Self { failures, initial, factor, max, failed: 0, until: Duration::ZERO }
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
        LockoutState { failed: self.failed, left: self.until.saturating_sub(now) }
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
