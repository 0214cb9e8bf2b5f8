//! The replay windows of several peers under one key: who receives pushes, and a meter with several clients.
//!
//! A title that arrives is a claim. Only a title whose tag was verified gets a row, and a row is never given up for
//! another one, since that would forget a floor and let everything below it in again.

use crate::{InvocationCounter, ReplayWindow, SecurityError, SystemTitle};

/// Up to `N` peers and the [`ReplayWindow`] of each, for one key.
#[derive(Clone, Debug)]
pub struct PeerWindows<const N: usize> {
    rows: [Option<(SystemTitle, ReplayWindow)>; N],
    fresh: ReplayWindow,
}

impl<const N: usize> PeerWindows<N> {
    /// An empty table, for a new key.
    pub const fn new() -> Self {
        Self::with_fresh(ReplayWindow::new(InvocationCounter::new(0)))
    }

    /// An empty table in which a new peer starts with the window `fresh`.
    pub const fn with_fresh(fresh: ReplayWindow) -> Self {
        Self { rows: [None; N], fresh }
    }

    /// Puts a peer into the table, as storage or provisioning say it. Of two windows the higher floor stays.
    ///
    /// # Errors
    /// [`SecurityError::TooManyPeers`].
    pub fn insert(&mut self, title: SystemTitle, window: ReplayWindow) -> Result<(), SecurityError> {
        let row = self.row(title).ok_or(SecurityError::TooManyPeers)?;
        let floor = row.map_or(0, |(_, old)| old.lowest_acceptable().value());
        let mut window = window;
        if let Some(below) = floor.checked_sub(1) {
            window.accept(InvocationCounter::new(below));
        }
        *row = Some((title, window));
        Ok(())
    }

    /// The window of a peer; nothing if it never sent anything that was verified.
    pub fn window(&self, title: SystemTitle) -> Option<&ReplayWindow> {
        self.rows.iter().flatten().find_map(|(known, window)| (*known == title).then_some(window))
    }

    /// Whether a counter may be accepted, before its tag is looked at. Changes nothing, whatever the title is.
    ///
    /// # Errors
    /// What [`ReplayWindow::check`] says, and [`SecurityError::TooManyPeers`] if there is no room for a new peer.
    pub fn check(&self, title: SystemTitle, counter: InvocationCounter) -> Result<(), SecurityError> {
        match self.window(title) {
            Some(window) => window.check(counter),
            None if self.rows.iter().any(Option::is_none) => self.fresh.check(counter),
            None => Err(SecurityError::TooManyPeers),
        }
    }

    /// Moves the floor of a peer above a counter whose tag was verified.
    ///
    /// # Errors
    /// [`SecurityError::TooManyPeers`]: then the content must not be acted on.
    pub fn accept(&mut self, title: SystemTitle, counter: InvocationCounter) -> Result<(), SecurityError> {
        let fresh = self.fresh;
        let row = self.row(title).ok_or(SecurityError::TooManyPeers)?;
        row.get_or_insert((title, fresh)).1.accept(counter);
        Ok(())
    }

    /// All peers with their lowest acceptable counters, for storage.
    pub fn iter(&self) -> impl Iterator<Item = (SystemTitle, InvocationCounter)> + '_ {
        self.rows.iter().flatten().map(|(title, window)| (*title, window.lowest_acceptable()))
    }

    /// The peer's row, or else a free one.
    fn row(&mut self, title: SystemTitle) -> Option<&mut Option<(SystemTitle, ReplayWindow)>> {
        let known = |row: &Option<(SystemTitle, _)>| matches!(row, Some((t, _)) if *t == title);
        let index =
            self.rows.iter().position(known).or_else(|| self.rows.iter().position(Option::is_none))?;
        self.rows.get_mut(index)
    }
}

impl<const N: usize> Default for PeerWindows<N> {
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
        let mut peers = PeerWindows::<2>::new();
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
        assert_eq!(peers.window(title(2)).unwrap().lowest_acceptable().value(), 10);
    }

    #[test]
    fn inserting_again_never_lowers_a_floor() {
        let mut peers = PeerWindows::<1>::new();
        peers.accept(title(1), InvocationCounter::new(99)).unwrap();
        peers.insert(title(1), ReplayWindow::default()).unwrap();
        assert_eq!(peers.window(title(1)).unwrap().lowest_acceptable().value(), 100);
        peers.insert(title(1), ReplayWindow::new(InvocationCounter::new(200))).unwrap();
        assert_eq!(peers.window(title(1)).unwrap().lowest_acceptable().value(), 200);
        assert!(peers.insert(title(2), ReplayWindow::default()).is_err());
    }
}
