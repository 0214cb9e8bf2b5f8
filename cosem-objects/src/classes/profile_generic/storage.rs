//! Where a profile keeps its rows.

use crate::ActionResult;

/// Rows in an order that the profile decides: first to last by the time of capture, or sorted.
pub trait RowStorage {
    /// How many rows there is room for.
    fn capacity(&self) -> u32;

    /// How many rows there are.
    fn len(&self) -> u32;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the row at a position; `None` if there is no such row.
    fn with_row<R>(&self, position: u32, read: impl FnOnce(&[u8]) -> R) -> Option<R>;

    /// Stores a row at a position; those from there on move back by one. Profiles that are not sorted append only.
    ///
    /// # Errors
    /// There is no room for another row, or the row is too long.
    fn insert(&mut self, position: u32, row: &[u8]) -> Result<(), StorageError>;

    /// Removes the row at a position; those behind it move up. Profiles that are not sorted remove the first only.
    fn remove(&mut self, position: u32);

    /// Removes all rows.
    fn clear(&mut self);
}

/// Rows that somebody else has: a static, so that they are not moved with the profile.
impl<S: RowStorage> RowStorage for &mut S {
    fn capacity(&self) -> u32 {
        (**self).capacity()
    }

    fn len(&self) -> u32 {
        (**self).len()
    }

    fn with_row<R>(&self, position: u32, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        (**self).with_row(position, read)
    }

    fn insert(&mut self, position: u32, row: &[u8]) -> Result<(), StorageError> {
        (**self).insert(position, row)
    }

    fn remove(&mut self, position: u32) {
        (**self).remove(position);
    }

    fn clear(&mut self) {
        (**self).clear();
    }
}

/// A row that could not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StorageError {
    /// There is no room for another row.
    #[error("no room for another row")]
    Full,
    /// The row is longer than a place for rows.
    #[error("row too long")]
    RowTooLong,
    /// The medium failed.
    #[error("the medium failed")]
    Medium,
}

impl From<StorageError> for ActionResult {
    fn from(_: StorageError) -> Self {
        Self::OtherReason
    }
}

/// Rows in memory without an allocator: `ROWS` places of `ROW` octets each. A new one is all zeros, so a static takes no flash.
#[derive(Clone, Debug)]
pub struct RowRing<const ROW: usize, const ROWS: usize> {
    octets: [[u8; ROW]; ROWS],
    lengths: [u16; ROWS],
    /// Which place the row at each position has, from `first` on, cyclically; the free places follow. Each is the difference
    /// (exclusive or) to where it stands.
    places: [u16; ROWS],
    first: usize,
    len: usize,
}

impl<const ROW: usize, const ROWS: usize> RowRing<ROW, ROWS> {
    const FITS: () = assert!(ROW <= u16::MAX as usize && ROWS <= u16::MAX as usize);

    /// No rows.
    pub const fn new() -> Self {
        let () = Self::FITS;
        Self { octets: [[0; ROW]; ROWS], lengths: [0; ROWS], places: [0; ROWS], first: 0, len: 0 }
    }

    const fn at(&self, position: usize) -> usize {
        match self.first.wrapping_add(position).checked_rem(ROWS) {
            Some(at) => at,
            None => 0,
        }
    }

    /// The place of the row at a position; no place at all if there is none.
    fn place(&self, position: usize) -> u16 {
        let at = self.at(position);
        self.places.get(at).map_or(u16::MAX, |place| place ^ at as u16)
    }

    fn set_place(&mut self, position: usize, place: u16) {
        let at = self.at(position);
        if let Some(it) = self.places.get_mut(at) {
            *it = place ^ at as u16;
        }
    }
}

impl<const ROW: usize, const ROWS: usize> Default for RowRing<ROW, ROWS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ROW: usize, const ROWS: usize> RowStorage for RowRing<ROW, ROWS> {
    fn capacity(&self) -> u32 {
        ROWS as u32
    }

    fn len(&self) -> u32 {
        self.len as u32
    }

    fn with_row<R>(&self, position: u32, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let position = position as usize;
        if position >= self.len {
            return None;
        }
        let place = usize::from(self.place(position));
        let length = usize::from(*self.lengths.get(place)?);
        self.octets.get(place)?.get(..length).map(read)
    }

    fn insert(&mut self, position: u32, row: &[u8]) -> Result<(), StorageError> {
        if self.len >= ROWS {
            return Err(StorageError::Full);
        }
        if row.len() > ROW {
            return Err(StorageError::RowTooLong);
        }
        let position = (position as usize).min(self.len);
        let place = self.place(self.len);
        let free = self.octets.get_mut(usize::from(place)).zip(self.lengths.get_mut(usize::from(place)));
        let (octets, length) = free.ok_or(StorageError::Medium)?;
        octets.get_mut(..row.len()).ok_or(StorageError::RowTooLong)?.copy_from_slice(row);
        *length = row.len() as u16;
        for later in (position..self.len).rev() {
            self.set_place(later.wrapping_add(1), self.place(later));
        }
        self.set_place(position, place);
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    fn remove(&mut self, position: u32) {
        let position = position as usize;
        if position >= self.len {
            return;
        }
        if position == 0 {
            self.first = self.at(1);
        } else {
            let place = self.place(position);
            for earlier in position..self.len.saturating_sub(1) {
                self.set_place(earlier, self.place(earlier.wrapping_add(1)));
            }
            self.set_place(self.len.saturating_sub(1), place);
        }
        self.len = self.len.saturating_sub(1);
    }

    fn clear(&mut self) {
        self.len = 0;
    }
}

/// Rows on the heap.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default)]
pub struct RowDeque {
    rows: alloc::collections::VecDeque<alloc::boxed::Box<[u8]>>,
    capacity: u32,
}

#[cfg(feature = "alloc")]
impl RowDeque {
    /// No rows, and room for `capacity`.
    pub const fn new(capacity: u32) -> Self {
        Self { rows: alloc::collections::VecDeque::new(), capacity }
    }
}

#[cfg(feature = "alloc")]
impl RowStorage for RowDeque {
    fn capacity(&self) -> u32 {
        self.capacity
    }

    fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    fn with_row<R>(&self, position: u32, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.rows.get(position as usize).map(|row| read(row))
    }

    fn insert(&mut self, position: u32, row: &[u8]) -> Result<(), StorageError> {
        if self.len() >= self.capacity {
            return Err(StorageError::Full);
        }
        self.rows.insert((position as usize).min(self.rows.len()), row.into());
        Ok(())
    }

    fn remove(&mut self, position: u32) {
        self.rows.remove(position as usize);
    }

    fn clear(&mut self) {
        self.rows.clear();
    }
}

/// The storage of a profile that is only named.
impl RowStorage for () {
    fn capacity(&self) -> u32 {
        0
    }

    fn len(&self) -> u32 {
        0
    }

    fn with_row<R>(&self, _: u32, _: impl FnOnce(&[u8]) -> R) -> Option<R> {
        None
    }

    fn insert(&mut self, _: u32, _: &[u8]) -> Result<(), StorageError> {
        Err(StorageError::Full)
    }

    fn remove(&mut self, _: u32) {}

    fn clear(&mut self) {}
}

#[cfg(all(test, feature = "alloc"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The ring and the heap agree, whatever is done to them.
        #[test]
        fn ring_is_a_deque(steps in prop::collection::vec((0u8..4, 0u32..8, any::<[u8; 3]>()), 0..200)) {
            let mut ring = RowRing::<3, 5>::new();
            let mut deque = RowDeque::new(5);
            for (step, position, row) in steps {
                match step {
                    0 | 1 => prop_assert_eq!(ring.insert(position, &row), deque.insert(position, &row)),
                    2 => {
                        ring.remove(position);
                        deque.remove(position);
                    }
                    _ if position == 0 => {
                        ring.clear();
                        deque.clear();
                    }
                    _ => {}
                }
                prop_assert_eq!(ring.len(), deque.len());
                for position in 0..6 {
                    let row = |it: &[u8]| it.to_vec();
                    prop_assert_eq!(ring.with_row(position, row), deque.with_row(position, row));
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_too_long_is_refused() {
        assert_eq!(RowRing::<3, 2>::new().insert(0, &[0; 4]), Err(StorageError::RowTooLong));
    }
}
