//! The replay windows of several peers under one key: who receives pushes, and a meter with several clients.
//!
//! A title that arrives is a claim. Only a title whose tag was verified gets a row, and a row is never given up for
//! another one, since that would forget a floor and let everything below it in again.

use crate::{InvocationCounter, ReplayWindow, SecurityError, SystemTitle};

/// Some peers and the [`ReplayWindow`] of each, for one key.
///
/// `R` says for how many there is room: [`Peers<N>`] in storage, and `[Peer]` behind a reference, where the number does
/// not matter; `&mut PeerWindows<Peers<N>>` becomes `&mut PeerWindows` by itself.
#[derive(Clone, Debug)]
pub struct PeerWindows<R: ?Sized = [Peer]> {
    fresh: ReplayWindow,
    rows: R,
}

/// Room for the windows of `N` peers.
pub type Peers<const N: usize> = [Peer; N];

/// Room for the window of one peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer(Option<(SystemTitle, ReplayWindow)>);

impl<const N: usize> PeerWindows<Peers<N>> {
    /// An empty table, for a new key.
    pub const fn new() -> Self {
        Self::with_fresh(ReplayWindow::new(InvocationCounter::new(0)))
    }

    /// An empty table in which a new peer starts with the window `fresh`.
    pub const fn with_fresh(fresh: ReplayWindow) -> Self {
        Self { fresh, rows: [Peer(None); N] }
    }
}

impl<R: AsRef<[Peer]> + AsMut<[Peer]> + ?Sized> PeerWindows<R> {
    /// Puts a peer into the table with the lowest counter that is accepted from it, as it was stored before a restart.
    /// A floor that is higher already stays.
    ///
    /// # Errors
    /// [`SecurityError::TooManyPeers`].
    pub fn restore(
        &mut self,
        title: SystemTitle,
        lowest_acceptable: InvocationCounter,
    ) -> Result<(), SecurityError> {
        let window = self.window_mut(title).ok_or(SecurityError::TooManyPeers)?;
        if let Some(below) = lowest_acceptable.value().checked_sub(1) {
            window.accept(InvocationCounter::new(below));
        }
        Ok(())
    }

    /// The window of a peer; a fresh one if it never sent anything that was verified.
    pub fn window(&self, title: SystemTitle) -> ReplayWindow {
        self.known(title).unwrap_or(self.fresh)
    }

    /// The lowest counter that is accepted from a peer.
    pub fn lowest_acceptable(&self, title: SystemTitle) -> InvocationCounter {
        self.window(title).lowest_acceptable()
    }

    /// Whether a counter may be accepted, before its tag is looked at. Changes nothing, whatever the title is.
    ///
    /// # Errors
    /// What [`ReplayWindow::check`] says, and [`SecurityError::TooManyPeers`] if there is no room for a new peer.
    pub fn check(&self, title: SystemTitle, counter: InvocationCounter) -> Result<(), SecurityError> {
        if self.known(title).is_none() && self.rows.as_ref().iter().all(|row| row.0.is_some()) {
            return Err(SecurityError::TooManyPeers);
        }
        self.window(title).check(counter)
    }

    /// Moves the floor of a peer above a counter whose tag was verified.
    ///
    /// # Errors
    /// [`SecurityError::TooManyPeers`]: then the content must not be acted on.
    pub fn accept(&mut self, title: SystemTitle, counter: InvocationCounter) -> Result<(), SecurityError> {
        self.window_mut(title).ok_or(SecurityError::TooManyPeers)?.accept(counter);
        Ok(())
    }

    /// All peers with their lowest acceptable counters, for storage.
    pub fn iter(&self) -> impl Iterator<Item = (SystemTitle, InvocationCounter)> + '_ {
        self.known_peers().map(|(title, window)| (*title, window.lowest_acceptable()))
    }

    fn known(&self, title: SystemTitle) -> Option<ReplayWindow> {
        self.known_peers().find_map(|(known, window)| (*known == title).then_some(*window))
    }

    fn known_peers(&self) -> impl Iterator<Item = &(SystemTitle, ReplayWindow)> {
        self.rows.as_ref().iter().filter_map(|row| row.0.as_ref())
    }

    /// The window in the peer's row, or in a free one that becomes the peer's.
    fn window_mut(&mut self, title: SystemTitle) -> Option<&mut ReplayWindow> {
        let rows = self.rows.as_mut();
        let index = rows
            .iter()
            .position(|row| row.0.is_some_and(|(known, _)| known == title))
            .or_else(|| rows.iter().position(|row| row.0.is_none()))?;
        let row = rows.get_mut(index)?;
        Some(&mut row.0.get_or_insert((title, self.fresh)).1)
    }
}

impl<const N: usize> Default for PeerWindows<Peers<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn title(n: u8) -> SystemTitle {
        SystemTitle::from_octets([n; 8])
    }

    #[test]
    fn claims_leave_no_trace_and_nobody_is_evicted() {
        let mut peers = PeerWindows::<Peers<2>>::new();
        for n in 0..100 {
            peers.check(title(n), InvocationCounter::new(7)).unwrap();
        }
        assert_eq!(peers.iter().count(), 0);
        peers.accept(title(1), InvocationCounter::new(7)).unwrap();
        peers.accept(title(2), InvocationCounter::new(9)).unwrap();
        assert_eq!(peers.check(title(3), InvocationCounter::new(0)), Err(SecurityError::TooManyPeers));
        assert_eq!(peers.accept(title(3), InvocationCounter::new(0)), Err(SecurityError::TooManyPeers));
        assert!(peers.check(title(1), InvocationCounter::new(7)).is_err());
        peers.check(title(1), InvocationCounter::new(8)).unwrap();
        assert_eq!(peers.lowest_acceptable(title(2)).value(), 10);
    }

    #[test]
    fn restoring_never_lowers_a_floor() {
        let mut peers = PeerWindows::<Peers<1>>::new();
        peers.accept(title(1), InvocationCounter::new(99)).unwrap();
        peers.restore(title(1), InvocationCounter::new(0)).unwrap();
        assert_eq!(peers.lowest_acceptable(title(1)).value(), 100);
        peers.restore(title(1), InvocationCounter::new(200)).unwrap();
        assert_eq!(peers.lowest_acceptable(title(1)).value(), 200);
        assert!(peers.restore(title(2), InvocationCounter::new(0)).is_err());
    }
}
