//! Rows on NOR flash, through the traits of `embedded-storage`: a ring of slots, each of one row.
//!
//! ```text
//! slot:  number u32, oldest u32, length u16, row, FF …, checksum u32     length FFFF: no row, all before are removed
//! ```
//!
//! Numbers are little-endian. Rows are numbered as they are captured; `oldest` is the number of the first one that had not
//! been removed with all others. A slot is there when its checksum is; one that the power cut short is passed over. The
//! ring goes round the sectors: each is erased once while all of them are filled, just before it is used again. So a row
//! costs one write, whatever the number of rows, and removing the oldest one costs none.

use core::cell::RefCell;
use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

use super::storage::{RowStorage, StorageError};

const NUMBER: usize = 0;
const OLDEST: usize = 4;
const LENGTH: usize = 8;
const ROW: usize = 10;
const CHECKSUM: usize = 4;
/// The length of what says that all rows were removed.
const CLEARED: u16 = u16::MAX;

/// Rows in the order of capture, on flash, each in a slot of `SLOT` octets, 14 of them beside the row.
///
/// The rows are found again after a restart. It keeps no index: memory does not depend on how many rows there are. It does
/// not keep sorted profiles, whose rows move.
pub struct FlashRows<F, const SLOT: usize> {
    flash: RefCell<F>,
    start: u32,
    sectors: u32,
    capacity: u32,
    /// The slot of the oldest row, and its number.
    first: u32,
    first_number: u32,
    len: u32,
    /// The number of the first row since all were removed.
    oldest: u32,
    /// The slot that is written next.
    end: u32,
}

/// What a slot holds.
struct Slot<const SLOT: usize> {
    octets: [u8; SLOT],
    number: u32,
}

impl<F: NorFlash, const SLOT: usize> FlashRows<F, SLOT> {
    const SLOT_FITS: () = assert!(SLOT > ROW + CHECKSUM && SLOT.is_multiple_of(F::WRITE_SIZE));
    const PER_SECTOR: u32 = (F::ERASE_SIZE / SLOT) as u32;

    /// The rows in the `length` octets of flash from `start`, of which the newest `capacity` are kept. What is no row
    /// counts as blank.
    ///
    /// One sector more is needed than the rows fill, and a little for slots that the power cuts short.
    ///
    /// # Errors
    /// The medium fails, `start` or `length` is no multiple of the erase size, or there is no room for `capacity` rows.
    pub fn open(flash: F, start: u32, length: u32, capacity: u32) -> Result<Self, StorageError> {
        let () = Self::SLOT_FITS;
        let erase = F::ERASE_SIZE as u32;
        let sectors = length / erase;
        let is_there = start
            .checked_add(length)
            .is_some_and(|end| usize::try_from(end).is_ok_and(|end| end <= flash.capacity()));
        let room = sectors.saturating_sub(1).checked_mul(Self::PER_SECTOR);
        if !is_there || !start.is_multiple_of(erase) || !length.is_multiple_of(erase) {
            return Err(StorageError::Medium);
        }
        if room.is_none_or(|room| capacity == 0 || capacity > room) {
            return Err(StorageError::Full);
        }
        let flash = RefCell::new(flash);
        let mut rows =
            Self { flash, start, sectors, capacity, first: 0, first_number: 1, len: 0, oldest: 1, end: 0 };
        rows.load()?;
        Ok(rows)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash.into_inner()
    }

    const fn slots(&self) -> u32 {
        self.sectors.wrapping_mul(Self::PER_SECTOR)
    }

    /// How many slots may be used: all but those of the sector that is erased next.
    const fn room(&self) -> u32 {
        self.slots().saturating_sub(Self::PER_SECTOR)
    }

    const fn after(&self, slot: u32, steps: u32) -> u32 {
        match (slot as u64 + steps as u64).checked_rem(self.slots() as u64) {
            Some(after) => after as u32,
            // There are at least two sectors.
            None => 0,
        }
    }

    const fn next_number(&self) -> Option<u32> {
        self.first_number.checked_add(self.len)
    }

    /// How many slots there are from the oldest row to the newest.
    const fn span(&self) -> u32 {
        match self.len {
            0 => 0,
            _ => match self.end.checked_sub(self.first) {
                None | Some(0) => self.end.wrapping_add(self.slots()).wrapping_sub(self.first),
                Some(span) => span,
            },
        }
    }

    const fn offset(&self, slot: u32) -> u32 {
        let sector = (slot / Self::PER_SECTOR).wrapping_mul(F::ERASE_SIZE as u32);
        let within = (slot % Self::PER_SECTOR).wrapping_mul(SLOT as u32);
        self.start.wrapping_add(sector).wrapping_add(within)
    }

    fn octets(&self, slot: u32) -> Result<[u8; SLOT], StorageError> {
        let mut octets = [0; SLOT];
        let mut flash = self.flash.try_borrow_mut().map_err(|_| StorageError::Medium)?;
        let read = flash.read(self.offset(slot), &mut octets);
        read.map(|()| octets).map_err(|_| StorageError::Medium)
    }

    fn slot(&self, slot: u32) -> Result<Option<Slot<SLOT>>, StorageError> {
        let octets = self.octets(slot)?;
        let (checked, checksum) = octets.split_at(SLOT - CHECKSUM);
        let is_whole = checksum == crc(checked).to_le_bytes();
        Ok(is_whole.then(|| Slot { number: u32_at(&octets, NUMBER), octets }))
    }

    fn slots_of(sector: u32) -> Range<u32> {
        let first = sector.wrapping_mul(Self::PER_SECTOR);
        first..first.wrapping_add(Self::PER_SECTOR)
    }

    /// The first whole slot of a sector.
    fn first_of(&self, sector: u32) -> Result<Option<(u32, Slot<SLOT>)>, StorageError> {
        if self.is_blank(sector)? {
            return Ok(None);
        }
        for slot in Self::slots_of(sector) {
            if let Some(found) = self.slot(slot)? {
                return Ok(Some((slot, found)));
            }
        }
        Ok(None)
    }

    /// Whether there is nothing in a sector. Most of them are blank for long, and reading them slot by slot takes its time.
    fn is_blank(&self, sector: u32) -> Result<bool, StorageError> {
        const PIECE: usize = 256;
        let mut piece = [0; PIECE];
        let from = self.start.wrapping_add(sector.wrapping_mul(F::ERASE_SIZE as u32));
        for at in (0..F::ERASE_SIZE).step_by(PIECE) {
            let piece = piece.get_mut(..F::ERASE_SIZE.saturating_sub(at).min(PIECE)).unwrap_or_default();
            let mut flash = self.flash.try_borrow_mut().map_err(|_| StorageError::Medium)?;
            flash.read(from.wrapping_add(at as u32), piece).map_err(|_| StorageError::Medium)?;
            if piece.iter().any(|octet| *octet != 0xFF) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Finds the newest and the oldest row.
    fn load(&mut self) -> Result<(), StorageError> {
        let mut newest: Option<(u32, u32)> = None;
        for sector in 0..self.sectors {
            if let Some((_, found)) = self.first_of(sector)?
                && newest.is_none_or(|(_, number)| number < found.number)
            {
                newest = Some((sector, found.number));
            }
        }
        let Some((sector, _)) = newest else { return Ok(()) };
        let mut last = 0;
        for slot in Self::slots_of(sector) {
            match self.slot(slot)? {
                Some(found) => (last, self.oldest) = (found.number, u32_at(&found.octets, OLDEST)),
                None if self.octets(slot)? == [0xFF; SLOT] => continue,
                None => {}
            }
            self.end = self.after(slot, 1);
        }
        // The sector after a full one may have been half erased.
        let skipped = if self.end.is_multiple_of(Self::PER_SECTOR) { 2 } else { 1 };
        for step in skipped..=self.sectors {
            let next = sector.wrapping_add(step).checked_rem(self.sectors).ok_or(StorageError::Medium)?;
            let Some((slot, found)) = self.first_of(next)? else { continue };
            if found.number > last {
                continue;
            }
            (self.first, self.first_number) = (slot, found.number);
            self.len = (last - found.number).saturating_add(1);
            break;
        }
        let gone = self.oldest.saturating_sub(self.first_number).max(self.len.saturating_sub(self.capacity));
        self.drop_oldest(gone.min(self.len))?;
        while self.span() > self.room() {
            self.drop_oldest(1)?;
        }
        Ok(())
    }

    fn drop_oldest(&mut self, count: u32) -> Result<(), StorageError> {
        let number = self.first_number.saturating_add(count);
        self.first = match self.len.saturating_sub(count) {
            0 => self.end,
            _ => self.find(number)?.ok_or(StorageError::Medium)?.0,
        };
        self.first_number = number;
        self.len = self.len.saturating_sub(count);
        Ok(())
    }

    /// The slot with a number among the rows. Slots that were cut short are between them, so it is where it would be
    /// without them, or later.
    fn find(&self, number: u32) -> Result<Option<(u32, Slot<SLOT>)>, StorageError> {
        let span = self.span();
        let mut steps = number.saturating_sub(self.first_number);
        while steps < span {
            let slot = self.after(self.first, steps);
            steps = match self.slot(slot)? {
                Some(found) if found.number == number => return Ok(Some((slot, found))),
                Some(found) if found.number > number => return Ok(None),
                Some(found) => steps.saturating_add(number - found.number),
                None => steps + 1,
            };
        }
        Ok(None)
    }

    /// Writes the next slot and sees whether it can be read.
    fn append(&mut self, number: u32, length: u16, row: &[u8]) -> Result<u32, StorageError> {
        if self.end.is_multiple_of(Self::PER_SECTOR) {
            let from = self.offset(self.end);
            let erased = self.flash.get_mut().erase(from, from.wrapping_add(F::ERASE_SIZE as u32));
            erased.map_err(|_| StorageError::Medium)?;
        }
        let mut octets = [0xFF; SLOT];
        octets[NUMBER..OLDEST].copy_from_slice(&number.to_le_bytes());
        octets[OLDEST..LENGTH].copy_from_slice(&self.oldest.to_le_bytes());
        octets[LENGTH..ROW].copy_from_slice(&length.to_le_bytes());
        octets[ROW..].iter_mut().zip(row).for_each(|(to, from)| *to = *from);
        let checksum = crc(&octets[..SLOT - CHECKSUM]);
        octets[SLOT - CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        // Whatever becomes of the write, the slot is used up.
        let slot = self.end;
        self.end = self.after(slot, 1);
        let at = self.offset(slot);
        let written = self.flash.get_mut().write(at, &octets);
        if written.is_err() || self.octets(slot)? != octets {
            return Err(StorageError::Medium);
        }
        Ok(slot)
    }
}

impl<F: NorFlash, const SLOT: usize> RowStorage for FlashRows<F, SLOT> {
    fn capacity(&self) -> u32 {
        // Slots that were cut short hold no rows.
        let lost = self.span().saturating_sub(self.len);
        self.capacity.min(self.room().saturating_sub(lost))
    }

    fn len(&self) -> u32 {
        self.len
    }

    fn with_row<R>(&self, position: u32, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        if position >= self.len {
            return None;
        }
        let (_, slot) = self.find(self.first_number.checked_add(position)?).ok()??;
        let length = usize::from(u16::from_le_bytes([slot.octets[LENGTH], slot.octets[LENGTH + 1]]));
        slot.octets[ROW..SLOT - CHECKSUM].get(..length).map(read)
    }

    /// Appends a row; `position` is the number of rows.
    fn insert(&mut self, position: u32, row: &[u8]) -> Result<(), StorageError> {
        if row.len() > SLOT - ROW - CHECKSUM {
            return Err(StorageError::RowTooLong);
        }
        if self.len >= self.capacity() || position < self.len {
            return Err(StorageError::Full);
        }
        let number = self.next_number().ok_or(StorageError::Full)?;
        let slot = self.append(number, row.len() as u16, row)?;
        if self.len == 0 {
            self.first = slot;
        }
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Removes the oldest row; no other can be removed.
    fn remove(&mut self, position: u32) {
        if position == 0 && self.len > 0 && self.drop_oldest(1).is_err() {
            // Rows that cannot be read any more.
            self.first_number = self.first_number.saturating_add(self.len);
            (self.first, self.len) = (self.end, 0);
        }
    }

    fn clear(&mut self) {
        let Some(number) = self.next_number().filter(|_| self.len > 0) else { return };
        (self.oldest, self.first_number, self.len) = (number.saturating_add(1), number.saturating_add(1), 0);
        // If that fails, the next row says it.
        let _ = self.append(number, CLEARED, &[]);
        self.first = self.end;
    }
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    octets.get(at..).and_then(|rest| rest.first_chunk().copied()).map_or(0, u32::from_le_bytes)
}

/// CRC-32 as in IEEE 802.3.
fn crc(octets: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !octets.iter().fold(u32::MAX, |crc, octet| (0..8).fold(crc ^ u32::from(*octet), |crc, _| step(crc)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::VecDeque;
    use std::rc::Rc;
    use std::vec::Vec;

    use embedded_storage::nor_flash::{ErrorType, NorFlashErrorKind, ReadNorFlash};
    use proptest::prelude::*;

    use super::*;

    const UNIT: usize = 4;
    const SECTOR: usize = 128;
    const SECTORS: usize = 5;
    const CAPACITY: u32 = 12;

    /// Three slots a sector, the rest of it unused.
    type Rows = FlashRows<Flash, 36>;

    /// A flash whose power is cut after some units, within the next one.
    #[derive(Clone)]
    struct Flash(Rc<RefCell<Medium>>);

    struct Medium {
        octets: Vec<u8>,
        left: Option<usize>,
        torn: u8,
    }

    impl Flash {
        fn new() -> Self {
            let octets = vec![0xFF; SECTOR * SECTORS];
            Self(Rc::new(RefCell::new(Medium { octets, left: None, torn: 0 })))
        }

        fn rows(&self) -> Rows {
            Rows::open(self.clone(), 0, (SECTOR * SECTORS) as u32, CAPACITY).unwrap()
        }
    }

    impl Medium {
        fn step(&mut self) -> bool {
            match &mut self.left {
                None => true,
                Some(0) => false,
                Some(left) => {
                    *left -= 1;
                    true
                }
            }
        }
    }

    impl ErrorType for Flash {
        type Error = NorFlashErrorKind;
    }

    impl ReadNorFlash for Flash {
        const READ_SIZE: usize = 1;

        fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
            let from = offset as usize;
            octets.copy_from_slice(&self.0.borrow().octets[from..from + octets.len()]);
            Ok(())
        }

        fn capacity(&self) -> usize {
            SECTOR * SECTORS
        }
    }

    impl NorFlash for Flash {
        const WRITE_SIZE: usize = UNIT;
        const ERASE_SIZE: usize = SECTOR;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
            let mut medium = self.0.borrow_mut();
            let is_whole = medium.step();
            let end = if is_whole { to as usize } else { (from + to) as usize / 2 };
            medium.octets[from as usize..end].fill(0xFF);
            if is_whole { Ok(()) } else { Err(NorFlashErrorKind::Other) }
        }

        fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
            let mut medium = self.0.borrow_mut();
            for (at, unit) in (offset as usize..).step_by(UNIT).zip(octets.chunks(UNIT)) {
                assert!(medium.octets[at..at + UNIT].iter().all(|octet| *octet == 0xFF), "written twice");
                let torn = if medium.step() { 0 } else { medium.torn };
                for (old, new) in medium.octets[at..at + UNIT].iter_mut().zip(unit) {
                    *old = new | torn;
                }
                if medium.left == Some(0) {
                    return Err(NorFlashErrorKind::Other);
                }
            }
            Ok(())
        }
    }

    fn all(rows: &Rows) -> VecDeque<Vec<u8>> {
        (0..rows.len()).map(|position| rows.with_row(position, <[u8]>::to_vec).unwrap()).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Store(Vec<u8>),
        Remove,
        Clear,
        Restart,
        Cut { units: usize, torn: u8 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let row = || prop::collection::vec(any::<u8>(), 0..22);
        prop_oneof![
            20 => row().prop_map(Step::Store),
            1 => Just(Step::Remove),
            1 => Just(Step::Clear),
            2 => Just(Step::Restart),
            4 => (0..30usize, any::<u8>()).prop_map(|(units, torn)| Step::Cut { units, torn }),
        ]
    }

    proptest! {
        /// The newest rows are there, whatever is done to them and whenever the power goes.
        #[test]
        fn what_was_stored_is_there(steps in prop::collection::vec(step(), 0..150)) {
            let flash = Flash::new();
            let mut rows = flash.rows();
            let mut model = VecDeque::new();
            for (number, step) in steps.into_iter().enumerate() {
                let mut restart = false;
                let mut unsure = None;
                match step {
                    Step::Store(mut row) => {
                        row.push(number as u8);
                        while rows.len() >= rows.capacity() {
                            rows.remove(0);
                            model.pop_front();
                        }
                        match rows.insert(rows.len(), &row) {
                            Ok(()) => model.push_back(row),
                            Err(error) => {
                                prop_assert_eq!(error, StorageError::Medium);
                                restart = true;
                                unsure = Some(row);
                            }
                        }
                    }
                    Step::Remove => {
                        rows.remove(0);
                        model.pop_front();
                    }
                    Step::Clear if flash.0.borrow().left.is_none() => {
                        rows.clear();
                        model.clear();
                    }
                    Step::Clear => {}
                    Step::Restart => restart = true,
                    Step::Cut { units, torn } => {
                        let mut medium = flash.0.borrow_mut();
                        (medium.left, medium.torn) = (Some(units), torn);
                    }
                }
                if restart {
                    flash.0.borrow_mut().left = None;
                    rows = flash.rows();
                    // Rows that were removed one by one may be there again; none of the others is missing.
                    let found = all(&rows);
                    model.extend(unsure.filter(|row| found.back() == Some(row)));
                    let gone = found.len().checked_sub(model.len());
                    prop_assert!(gone.is_some() || found.len() as u32 == rows.capacity());
                    prop_assert!(found.iter().rev().zip(model.iter().rev()).all(|(found, row)| found == row));
                    model = found;
                }
                prop_assert_eq!(&all(&rows), &model);
            }
        }

        #[test]
        fn whatever_is_on_the_medium(octets in prop::collection::vec(any::<u8>(), SECTOR * SECTORS)) {
            let flash = Flash::new();
            flash.0.borrow_mut().octets = octets;
            let mut rows = flash.rows();
            rows.insert(rows.len(), b"row").unwrap();
            prop_assert_eq!(all(&flash.rows()).pop_back().unwrap(), b"row");
        }
    }

    #[test]
    fn sizes_are_checked() {
        let open = |start, length, capacity| Rows::open(Flash::new(), start, length, capacity).err();
        assert_eq!(open(0, 640, 12), None);
        assert_eq!(open(0, 640, 13), Some(StorageError::Full));
        assert_eq!(open(64, 512, 1), Some(StorageError::Medium));
        assert_eq!(open(128, 640, 1), Some(StorageError::Medium));
        assert_eq!(open(0, 128, 1), Some(StorageError::Full));
        assert_eq!(Flash::new().rows().insert(0, &[0; 23]), Err(StorageError::RowTooLong));
    }
}
