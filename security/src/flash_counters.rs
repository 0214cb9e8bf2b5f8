//! Invocation counters on NOR flash, through the traits of `embedded-storage`: a log in two areas.
//!
//! ```text
//! area:    magic "DLMI", FF × 4, generation u32, FF × 16, checksum u32        written last when an area is filled
//! record:  kind, FF × 3, id u32, title 8, value u32, FF × 8, checksum u32     1 ceiling, 2 floor, 3 forgotten key
//! ```
//!
//! Both have 32 octets, numbers are little-endian. A record is there when its checksum is; one that the power cut short is
//! passed over, and its place is not used again until the area is erased. Of several values of one counter the highest
//! holds. A full area leaves the last values to the other one, which is in force once its header, with the higher
//! generation, is whole: each area is erased once while two of them are filled.

use embedded_storage::nor_flash::NorFlash;

use crate::certificate::Checksum;
use crate::{CounterId, CounterStore, StorageError, SystemTitle};

const MAGIC: [u8; 4] = *b"DLMI";
const SLOT: usize = 32;
const CHECKED: usize = SLOT - 4;
const STEP: u32 = 32;
const CEILING: u8 = 1;
const FLOOR: u8 = 2;
const FORGOTTEN: u8 = 3;

/// Up to `N` ceilings and floors on flash; [`CounterStore`] says how long the flash survives that.
///
/// A meter needs one ceiling for each key, and one floor for each key and client. Keys that came out of use keep theirs,
/// so that they find them if they are installed again, until they are [forgotten](FlashCounters::forget).
pub struct FlashCounters<F, const N: usize> {
    flash: F,
    start: u32,
    area_length: u32,
    second: bool,
    generation: u32,
    /// Where the next record goes.
    end: u32,
    entries: [Option<Entry>; N],
}

/// A value that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    kind: u8,
    id: u32,
    title: [u8; SystemTitle::LENGTH],
    value: u32,
}

impl Entry {
    const fn ceiling(id: CounterId, value: u32) -> Self {
        Self { kind: CEILING, id: id.0, title: [0xFF; SystemTitle::LENGTH], value }
    }

    const fn floor(id: CounterId, peer: SystemTitle, value: u32) -> Self {
        Self { kind: FLOOR, id: id.0, title: *peer.octets(), value }
    }

    fn is_of(&self, other: &Self) -> bool {
        (self.kind, self.id, self.title) == (other.kind, other.id, other.title)
    }

    fn slot(&self) -> [u8; SLOT] {
        let mut slot = [0xFF; SLOT];
        slot[0] = self.kind;
        slot[4..8].copy_from_slice(&self.id.to_le_bytes());
        slot[8..16].copy_from_slice(&self.title);
        slot[16..20].copy_from_slice(&self.value.to_le_bytes());
        sealed(slot)
    }

    fn from_slot(slot: &[u8; SLOT]) -> Option<Self> {
        let [kind, _, _, _, i0, i1, i2, i3, t0, t1, t2, t3, t4, t5, t6, t7, v0, v1, v2, v3, ..] = *slot;
        let entry = Self {
            kind,
            id: u32::from_le_bytes([i0, i1, i2, i3]),
            title: [t0, t1, t2, t3, t4, t5, t6, t7],
            value: u32::from_le_bytes([v0, v1, v2, v3]),
        };
        (matches!(kind, CEILING | FLOOR | FORGOTTEN) && entry.slot() == *slot).then_some(entry)
    }
}

impl<F: NorFlash, const N: usize> FlashCounters<F, N> {
    /// The store that [`Self::format`] put there.
    ///
    /// # Errors
    /// [`StorageError`] if there is none, or the medium fails, or `N` are too few. Nothing may be sent then under keys that
    /// were in use.
    pub fn open(flash: F, start: u32, area_length: u32) -> Result<Self, StorageError> {
        let mut store = Self::new(flash, start, area_length)?;
        store.load()?;
        Ok(store)
    }

    /// An empty store in the `2 * area_length` octets of flash from `start`, at manufacture. The counters of all keys are
    /// lost: keys that were in use must never be used again.
    ///
    /// # Errors
    /// [`StorageError`] if `start` or `area_length` is no multiple of the erase size, an area does not take more than `N`
    /// records, the write or read size does not divide 32, or the medium fails.
    pub fn format(flash: F, start: u32, area_length: u32) -> Result<Self, StorageError> {
        let mut store = Self::new(flash, start, area_length)?;
        // The other area first: as long as one of them is in force, the other one is not.
        store.erase(true)?;
        store.second = true;
        store.switch()?;
        Ok(store)
    }

    /// Whether nothing was ever stored in the areas: only then may a meter that cannot [open](Self::open) them
    /// [format](Self::format) them. Power that goes during the first `format` of blank flash leaves a header at most.
    ///
    /// # Errors
    /// As [`Self::format`].
    pub fn is_unused(flash: F, start: u32, area_length: u32) -> Result<bool, StorageError> {
        let mut store = Self::new(flash, start, area_length)?;
        for area in [store.area(false), store.area(true)] {
            for at in (area..area.saturating_add(area_length)).step_by(SLOT).skip(1) {
                if store.read(at)? != [0xFF; SLOT] {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Forgets a key and all its peers. Should the same key be installed again, its counters begin at 0: do this only with
    /// keys that never come back.
    ///
    /// # Errors
    /// [`StorageError`] if it may still be there.
    pub fn forget(&mut self, id: CounterId) -> Result<(), StorageError> {
        let forgotten = Entry { kind: FORGOTTEN, id: id.0, title: [0xFF; SystemTitle::LENGTH], value: 0 };
        self.append(&forgotten)?;
        self.apply(&forgotten)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    fn new(flash: F, start: u32, area_length: u32) -> Result<Self, StorageError> {
        let erase = u32::try_from(F::ERASE_SIZE).map_err(|_| StorageError)?;
        let end = area_length.checked_mul(2).and_then(|both| both.checked_add(start)).ok_or(StorageError)?;
        let is_there = usize::try_from(end).is_ok_and(|end| end <= flash.capacity());
        // Besides the header, and what is kept, at least one more.
        let is_long = usize::try_from(area_length).is_ok_and(|length| length / SLOT > N + 1);
        let is_aligned = start.is_multiple_of(erase) && area_length.is_multiple_of(erase);
        let fits_slots = SLOT.is_multiple_of(F::WRITE_SIZE) && SLOT.is_multiple_of(F::READ_SIZE);
        if !is_there || !is_long || !is_aligned || !fits_slots {
            return Err(StorageError);
        }
        Ok(Self { flash, start, area_length, second: false, generation: 0, end: 0, entries: [None; N] })
    }

    const fn area(&self, second: bool) -> u32 {
        if second { self.start.saturating_add(self.area_length) } else { self.start }
    }

    const fn area_end(&self) -> u32 {
        self.area(self.second).saturating_add(self.area_length)
    }

    /// Finds the area in force, and in it what is there.
    fn load(&mut self) -> Result<(), StorageError> {
        let first = generation(&self.read(self.area(false))?);
        let second = generation(&self.read(self.area(true))?);
        self.generation = first.max(second).ok_or(StorageError)?;
        self.second = second == Some(self.generation);
        let mut at = self.area(self.second).saturating_add(STEP);
        self.end = at;
        while self.area_end().saturating_sub(at) >= STEP {
            let slot = self.read(at)?;
            at = at.saturating_add(STEP);
            if slot != [0xFF; SLOT] {
                self.end = at;
            }
            if let Some(entry) = Entry::from_slot(&slot) {
                self.apply(&entry)?;
            }
        }
        Ok(())
    }

    fn value(&self, wanted: &Entry) -> u32 {
        self.entries.iter().flatten().find(|entry| entry.is_of(wanted)).map_or(0, |entry| entry.value)
    }

    /// The place of an entry, or a free one.
    fn place(&mut self, wanted: &Entry) -> Result<&mut Option<Entry>, StorageError> {
        let index = self
            .entries
            .iter()
            .position(|entry| entry.is_some_and(|entry| entry.is_of(wanted)))
            .or_else(|| self.entries.iter().position(Option::is_none));
        index.and_then(|index| self.entries.get_mut(index)).ok_or(StorageError)
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), StorageError> {
        if entry.kind == FORGOTTEN {
            for kept in &mut self.entries {
                kept.take_if(|kept| kept.id == entry.id);
            }
            return Ok(());
        }
        let kept = self.place(entry)?.get_or_insert(*entry);
        kept.value = kept.value.max(entry.value);
        Ok(())
    }

    fn raise(&mut self, entry: &Entry) -> Result<(), StorageError> {
        if entry.value <= self.value(entry) {
            return Ok(());
        }
        self.place(entry)?;
        self.append(entry)?;
        self.apply(entry)
    }

    fn append(&mut self, entry: &Entry) -> Result<(), StorageError> {
        if self.area_end().saturating_sub(self.end) < STEP {
            self.switch()?;
        }
        let at = self.end;
        // Whatever becomes of the write, the place is used up.
        self.end = at.saturating_add(STEP);
        self.write(at, &entry.slot())
    }

    /// Fills the other area with what is kept, and puts it in force.
    fn switch(&mut self) -> Result<(), StorageError> {
        let second = !self.second;
        let generation = self.generation.checked_add(1).ok_or(StorageError)?;
        self.erase(second)?;
        let mut at = self.area(second);
        for index in 0..N {
            if let Some(entry) = self.entries.get(index).copied().flatten() {
                at = at.saturating_add(STEP);
                self.write(at, &entry.slot())?;
            }
        }
        self.write(self.area(second), &header(generation))?;
        (self.second, self.generation, self.end) = (second, generation, at.saturating_add(STEP));
        Ok(())
    }

    fn erase(&mut self, second: bool) -> Result<(), StorageError> {
        let from = self.area(second);
        self.flash.erase(from, from.saturating_add(self.area_length)).map_err(|_| StorageError)
    }

    fn read(&mut self, at: u32) -> Result<[u8; SLOT], StorageError> {
        let mut slot = [0; SLOT];
        self.flash.read(at, &mut slot).map_err(|_| StorageError)?;
        Ok(slot)
    }

    /// Writes a slot and sees whether it can be read.
    fn write(&mut self, at: u32, slot: &[u8; SLOT]) -> Result<(), StorageError> {
        self.flash.write(at, slot).map_err(|_| StorageError)?;
        if self.read(at)? == *slot { Ok(()) } else { Err(StorageError) }
    }
}

impl<F: NorFlash, const N: usize> CounterStore for FlashCounters<F, N> {
    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.value(&Entry::ceiling(id, 0)))
    }

    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        self.raise(&Entry::ceiling(id, ceiling))
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        Ok(self.value(&Entry::floor(id, peer, 0)))
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        self.raise(&Entry::floor(id, peer, floor))
    }
}

fn sealed(mut slot: [u8; SLOT]) -> [u8; SLOT] {
    let (checked, checksum) = slot.split_at_mut(CHECKED);
    checksum.copy_from_slice(&Checksum::of(checked).to_le_bytes());
    slot
}

fn header(generation: u32) -> [u8; SLOT] {
    let mut slot = [0xFF; SLOT];
    slot[..4].copy_from_slice(&MAGIC);
    slot[8..12].copy_from_slice(&generation.to_le_bytes());
    sealed(slot)
}

/// The generation of an area, if the header is whole.
fn generation(slot: &[u8; SLOT]) -> Option<u32> {
    let [_, _, _, _, _, _, _, _, g0, g1, g2, g3, ..] = *slot;
    let generation = u32::from_le_bytes([g0, g1, g2, g3]);
    (header(generation) == *slot).then_some(generation)
}
