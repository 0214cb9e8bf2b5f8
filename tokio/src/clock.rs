//! The time that the engines are given: since an origin of ours.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }

    /// The instant of a time that an engine gave.
    pub(crate) fn instant(self, time: Duration) -> Instant {
        self.0.checked_add(time).unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }
}
