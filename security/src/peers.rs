//! The replay windows of several peers under one key: who receives pushes, and a meter with several clients.
//!
//! A title that arrives is a claim. Only a title whose tag was verified gets a row, and a row is never given up for
//! another one, since that would forget a floor and let everything below it in again.

use crate::{
    CounterId, CounterStore, FloorStorage, InvocationCounter, ReplayWindow, SecurityError, SystemTitle,
};

/// Some peers and the floor of each, for one key.
///
/// `R` says for how many there is room: [`Peers<N>`] in storage, and `[Peer]` behind a reference, where the number does
/// not matter; `&mut PeerWindows<Peers<N>>` becomes `&mut PeerWindows` by itself.
#[derive(Clone, Debug)]
pub struct PeerWindows<R: ?Sized = [Peer]> {
    fresh: ReplayWindow,
    rows: R,
}

/// Room for the floors of `N` peers.
pub type Peers<const N: usize> = [Peer; N];

/// Room for the floor of one peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer(Option<Row>);

#[derive(Clone, Copy, Debug)]
struct Row {
    title: SystemTitle,
    lowest_acceptable: u32,
    /// The same for content without a tag, where it is higher.
    lowest_unauthenticated: u32,
    /// The floor that storage holds.
    stored: u32,
}

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
    /// It need not be done where a [`CounterStore`] holds the floors, which is asked when a peer is heard first.
    ///
    /// # Errors
    /// [`SecurityError::TooManyPeers`].
    pub fn restore(
        &mut self,
        title: SystemTitle,
        lowest_acceptable: InvocationCounter,
    ) -> Result<(), SecurityError> {
        let stored = lowest_acceptable.value();
        let row = self.row(title)?.get_or_insert(Row {
            title,
            lowest_acceptable: 0,
            lowest_unauthenticated: 0,
            stored: 0,
        });
        row.lowest_acceptable = row.lowest_acceptable.max(stored);
        row.stored = row.stored.max(stored);
        Ok(())
    }

    /// The window of a peer; a fresh one if it never sent anything that was verified.
    pub fn window(&self, title: SystemTitle) -> ReplayWindow {
        let Some(row) = self.known(title) else { return self.fresh };
        let mut window = self.fresh.raised_to(row.lowest_acceptable);
        window.lowest_unauthenticated = row.lowest_unauthenticated;
        window
    }

    /// The window of a peer that sends under the key `id`: from the table, or else from the store. Changes nothing,
    /// whatever the title is.
    ///
    /// # Errors
    /// [`SecurityError::TooManyPeers`] if there is no room for a new peer, [`SecurityError::Storage`] if its floor cannot
    /// be read.
    pub fn look_up(
        &self,
        title: SystemTitle,
        id: CounterId,
        store: &mut dyn CounterStore,
    ) -> Result<ReplayWindow, SecurityError> {
        if self.known(title).is_some() {
            return Ok(self.window(title));
        }
        if self.rows.as_ref().iter().all(|row| row.0.is_some()) {
            return Err(SecurityError::TooManyPeers);
        }
        Ok(self.fresh.raised_to(store.floor(id, title)?))
    }

    /// The lowest counter that is accepted from a peer.
    pub fn lowest_acceptable(&self, title: SystemTitle) -> InvocationCounter {
        self.window(title).lowest_acceptable()
    }

    /// Moves the floor of a peer above a counter whose tag was verified, after the store has the floor that it needs; or
    /// above one that came without a tag, as [`FloorStorage::Unauthenticated`] says.
    ///
    /// # Errors
    /// [`SecurityError::TooManyPeers`], [`SecurityError::Storage`]: then nothing moved, and the content must not be acted
    /// on.
    pub fn accept(
        &mut self,
        title: SystemTitle,
        counter: InvocationCounter,
        storage: FloorStorage,
        id: CounterId,
        store: &mut dyn CounterStore,
    ) -> Result<(), SecurityError> {
        let fresh = self.fresh.lowest_acceptable().value();
        let place = self.row(title)?;
        let mut row = match *place {
            Some(row) => row,
            None => {
                let stored = store.floor(id, title)?;
                Row { title, lowest_acceptable: stored.max(fresh), lowest_unauthenticated: 0, stored }
            }
        };
        let step = match storage {
            FloorStorage::Ahead(step) => Some(step.max(1)),
            FloorStorage::Exact => Some(1),
            FloorStorage::Volatile | FloorStorage::Unauthenticated => None,
        };
        if let Some(step) = step
            && counter.value() >= row.stored
        {
            row.stored = counter.value().saturating_add(step);
            store.reserve_floor(id, title, row.stored)?;
        }
        let above = counter.value().saturating_add(1);
        row.lowest_unauthenticated = above;
        if storage != FloorStorage::Unauthenticated {
            row.lowest_acceptable = row.lowest_acceptable.max(above);
        }
        *place = Some(row);
        Ok(())
    }

    /// All peers with their lowest acceptable counters.
    pub fn iter(&self) -> impl Iterator<Item = (SystemTitle, InvocationCounter)> + '_ {
        self.known_peers().map(|row| (row.title, InvocationCounter::new(row.lowest_acceptable)))
    }

    fn known(&self, title: SystemTitle) -> Option<&Row> {
        self.known_peers().find(|row| row.title == title)
    }

    fn known_peers(&self) -> impl Iterator<Item = &Row> {
        self.rows.as_ref().iter().filter_map(|row| row.0.as_ref())
    }

    /// The peer's row, or a free one.
    fn row(&mut self, title: SystemTitle) -> Result<&mut Option<Row>, SecurityError> {
        let rows = self.rows.as_mut();
        let place = rows
            .iter()
            .position(|row| row.0.is_some_and(|row| row.title == title))
            .or_else(|| rows.iter().position(|row| row.0.is_none()));
        let peer = place.and_then(|place| rows.get_mut(place)).ok_or(SecurityError::TooManyPeers)?;
        Ok(&mut peer.0)
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Forgetful, StorageError};

    const KEY: CounterId = CounterId(3);

    /// Floors in memory, and how often one was written.
    #[derive(Default)]
    struct Medium {
        floors: BTreeMap<SystemTitle, u32>,
        writes: usize,
        fails: bool,
    }

    impl CounterStore for Medium {
        fn ceiling(&mut self, _: CounterId) -> Result<u32, StorageError> {
            Err(StorageError)
        }

        fn reserve(&mut self, _: CounterId, _: u32) -> Result<(), StorageError> {
            Err(StorageError)
        }

        fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
            assert_eq!(id, KEY);
            Ok(self.floors.get(&peer).copied().unwrap_or(0))
        }

        fn reserve_floor(
            &mut self,
            id: CounterId,
            peer: SystemTitle,
            floor: u32,
        ) -> Result<(), StorageError> {
            assert_eq!(id, KEY);
            if self.fails {
                return Err(StorageError);
            }
            let before = self.floors.insert(peer, floor);
            assert!(before.is_none_or(|before| before < floor), "a floor never goes down");
            self.writes += 1;
            Ok(())
        }
    }

    fn title(n: u8) -> SystemTitle {
        SystemTitle::from_octets([n; 8])
    }

    fn counter(value: u32) -> InvocationCounter {
        InvocationCounter::new(value)
    }

    #[test]
    fn claims_leave_no_trace_and_nobody_is_evicted() {
        let mut peers = PeerWindows::<Peers<2>>::new();
        let accept = |peers: &mut PeerWindows<Peers<2>>, n, value| {
            peers.accept(title(n), counter(value), FloorStorage::Exact, KEY, &mut Forgetful)
        };
        for n in 0..100 {
            peers.look_up(title(n), KEY, &mut Forgetful).unwrap().check(counter(7)).unwrap();
        }
        assert_eq!(peers.iter().count(), 0);
        accept(&mut peers, 1, 7).unwrap();
        accept(&mut peers, 2, 9).unwrap();
        assert_eq!(peers.look_up(title(3), KEY, &mut Forgetful), Err(SecurityError::TooManyPeers));
        assert_eq!(accept(&mut peers, 3, 0), Err(SecurityError::TooManyPeers));
        assert!(peers.window(title(1)).check(counter(7)).is_err());
        peers.window(title(1)).check(counter(8)).unwrap();
        assert_eq!(peers.lowest_acceptable(title(2)).value(), 10);
    }

    #[test]
    fn restoring_never_lowers_a_floor() {
        let mut peers = PeerWindows::<Peers<1>>::new();
        peers.accept(title(1), counter(99), FloorStorage::Volatile, KEY, &mut Forgetful).unwrap();
        peers.restore(title(1), counter(0)).unwrap();
        assert_eq!(peers.lowest_acceptable(title(1)).value(), 100);
        peers.restore(title(1), counter(200)).unwrap();
        assert_eq!(peers.lowest_acceptable(title(1)).value(), 200);
        assert!(peers.restore(title(2), counter(0)).is_err());
    }

    #[test]
    fn floors_are_stored_ahead_and_read_back() {
        let mut medium = Medium::default();
        let mut peers = PeerWindows::<Peers<2>>::new();
        for value in 0..25 {
            peers.accept(title(1), counter(value), FloorStorage::Ahead(10), KEY, &mut medium).unwrap();
            assert!(medium.floors[&title(1)] > value, "stored before it is acted on");
        }
        assert_eq!((medium.floors[&title(1)], medium.writes), (30, 3));
        assert_eq!(peers.lowest_acceptable(title(1)).value(), 25);
        // A restart, without restoring anything.
        let mut peers = PeerWindows::<Peers<2>>::new();
        let window = peers.look_up(title(1), KEY, &mut medium).unwrap();
        assert_eq!(window.lowest_acceptable().value(), 30);
        peers.accept(title(1), counter(30), FloorStorage::Exact, KEY, &mut medium).unwrap();
        assert_eq!(medium.floors[&title(1)], 31);
        // What is known to be new otherwise stores nothing.
        peers.accept(title(1), counter(200), FloorStorage::Volatile, KEY, &mut medium).unwrap();
        assert_eq!((medium.floors[&title(1)], peers.lowest_acceptable(title(1)).value()), (31, 201));
        // What is not authenticated does not even move what holds for the rest.
        let unauthenticated = FloorStorage::Unauthenticated;
        peers.accept(title(1), counter(1000), unauthenticated, KEY, &mut medium).unwrap();
        assert_eq!((medium.floors[&title(1)], peers.lowest_acceptable(title(1)).value()), (31, 201));
        assert!(peers.window(title(1)).for_unauthenticated().check(counter(1000)).is_err());
        peers.window(title(1)).check(counter(201)).unwrap();
        peers.accept(title(1), counter(201), FloorStorage::Exact, KEY, &mut medium).unwrap();
        peers.window(title(1)).for_unauthenticated().check(counter(202)).unwrap();
    }

    #[test]
    fn without_storage_nothing_moves() {
        let mut medium = Medium { fails: true, ..Medium::default() };
        let mut peers = PeerWindows::<Peers<1>>::new();
        let accepted = peers.accept(title(1), counter(5), FloorStorage::Exact, KEY, &mut medium);
        assert_eq!(accepted, Err(SecurityError::Storage(StorageError)));
        assert_eq!(peers.iter().count(), 0);
        peers.look_up(title(1), KEY, &mut medium).unwrap().check(counter(5)).unwrap();
    }

    #[test]
    fn the_last_floor_shuts_the_peer_out() {
        let mut medium = Medium::default();
        let mut peers = PeerWindows::<Peers<1>>::new();
        let last = counter(u32::MAX - 1);
        peers.accept(title(1), last, FloorStorage::Ahead(64), KEY, &mut medium).unwrap();
        assert_eq!(medium.floors[&title(1)], u32::MAX);
        assert!(peers.window(title(1)).check(last).is_err());
    }
}
