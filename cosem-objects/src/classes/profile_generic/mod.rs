//! Profile generic (class_id 7, version 1): rows of captured values.
//!
//! | sort_method | order of the buffer | dropped when full |
//! | --- | --- | --- |
//! | 1 FIFO | oldest first | oldest |
//! | 2 LIFO | newest first | oldest |
//! | 3 largest, 4 smallest, 5 nearest to zero, 6 farthest from zero | by the column of sort_object | last |
//!
//! The buffer is never built: its rows leave the storage one by one, into as many blocks as it takes.

#[cfg(feature = "embedded-storage")]
mod flash;
mod key;
mod selection;
mod storage;

use core::cmp::Ordering;

use dlms_axdr::{Array, Data, FromData, Reader};
use dlms_obis::LogicalName;

use crate::behaviour::{Profile, Tick, WallTime};
use crate::macros::{enumeration, interface_class};
use crate::object::raise;
use crate::{ActionResult, Any, CaptureObjectDefinition, DataAccessResult, Effect, Effects, ListOf};

#[cfg(feature = "embedded-storage")]
pub use flash::FlashRows;
use key::Key;
#[cfg(feature = "alloc")]
pub use storage::RowDeque;
pub use storage::{RowRing, RowStorage, StorageError};

enumeration! {
    /// The order of a buffer.
    SortMethod, "sort-method" {
        /// Oldest first.
        Fifo = 1,
        /// Newest first.
        Lifo = 2,
        /// Largest value first.
        Largest = 3,
        /// Smallest value first.
        Smallest = 4,
        /// Nearest to zero first.
        NearestToZero = 5,
        /// Farthest from zero first.
        FarthestFromZero = 6,
    }
}

impl SortMethod {
    /// Whether the order is by value, not by time.
    pub const fn is_sorted(self) -> bool {
        !matches!(self, Self::Fifo | Self::Lifo)
    }
}

/// A sorted buffer is addressed with 16 bits.
const MOST_SORTED_ROWS: u32 = 0xFFFE;

/// Profile generic with room for `COLUMNS` columns and for the rows that fit into `S`.
#[derive(Clone, Debug)]
pub struct ProfileGeneric<S, const COLUMNS: usize> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    storage: S,
    capture_objects: heapless::Vec<CaptureObjectDefinition, COLUMNS>,
    capture_period: u32,
    sort_method: SortMethod,
    sort_object: CaptureObjectDefinition,
    profile_entries: u32,
    /// The number of the oldest row, where rows are numbered from 1 in the order of capture.
    first_number: u32,
    /// How often a sorted buffer was changed.
    generation: u16,
    /// Whether no row has an earlier time than the one before it.
    is_rising: bool,
    /// The number of the capture period in which the last tick fell.
    period_number: Option<i64>,
}

impl<S: RowStorage, const COLUMNS: usize> ProfileGeneric<S, COLUMNS> {
    /// A profile with the rows that are in the storage, in the order of capture. `profile_entries` is limited to what the
    /// storage has room for.
    ///
    /// Rows that are there already are looked through once, to know whether their times can be searched.
    ///
    /// # Errors
    /// There are more capture objects than `COLUMNS`.
    pub fn new(
        logical_name: LogicalName,
        storage: S,
        capture_objects: &[CaptureObjectDefinition],
        capture_period: u32,
        profile_entries: u32,
    ) -> Result<Self, DataAccessResult> {
        let capture_objects =
            heapless::Vec::from_slice(capture_objects).map_err(|_| DataAccessResult::OtherReason)?;
        let profile_entries = profile_entries.clamp(1, storage.capacity().max(1));
        let mut profile = Self {
            logical_name,
            storage,
            capture_objects,
            capture_period,
            sort_method: SortMethod::Fifo,
            sort_object: CaptureObjectDefinition::NONE,
            profile_entries,
            first_number: 1,
            generation: 0,
            is_rising: true,
            period_number: None,
        };
        profile.is_rising = profile.rises();
        Ok(profile)
    }

    /// The same profile in another order. `sort_object` is one of the captured attributes; it is not used by FIFO and
    /// LIFO.
    pub fn sorted(mut self, sort_method: SortMethod, sort_object: CaptureObjectDefinition) -> Self {
        self.sort_method = sort_method;
        self.sort_object = sort_object;
        self.clear();
        self
    }

    /// Attribute 3.
    pub fn capture_objects(&self) -> &[CaptureObjectDefinition] {
        &self.capture_objects
    }

    /// Attribute 4, in seconds; 0 for none.
    pub const fn capture_period(&self) -> u32 {
        self.capture_period
    }

    /// Attribute 5.
    pub const fn sort_method(&self) -> SortMethod {
        self.sort_method
    }

    /// Attribute 7.
    pub fn entries_in_use(&self) -> u32 {
        self.storage.len()
    }

    /// Attribute 8.
    pub const fn profile_entries(&self) -> u32 {
        self.profile_entries
    }

    /// A number that is another one whenever the rows are others.
    pub fn revision(&self) -> u64 {
        let rows = u64::from(self.first_number) + u64::from(self.storage.len());
        u64::from(self.generation) << 33 | rows
    }

    /// The rows, as they are on the wire.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        self.first_number = self.first_number.saturating_add(self.storage.len()).max(1);
        self.generation = self.generation.wrapping_add(1);
        self.is_rising = true;
        self.storage.clear();
    }

    /// Whether no row has an earlier time than the one before it.
    fn rises(&self) -> bool {
        let Some(column) = self.clock_column() else { return true };
        let mut before = None;
        (0..self.storage.len()).all(|position| {
            let time = self.storage.with_row(position, |row| selection::key(row, column)?.time()).flatten();
            let rises = match (before, time) {
                (None, Some(_)) => true,
                (Some(before), Some(time)) => Key::compare(&before, &time).is_some_and(Ordering::is_le),
                (_, None) => false,
            };
            before = time;
            rises
        })
    }

    fn most_rows(&self) -> u32 {
        let limit = if self.sort_method.is_sorted() { MOST_SORTED_ROWS } else { u32::MAX };
        self.profile_entries.min(self.storage.capacity()).min(limit)
    }

    fn append(&mut self, row: &[u8]) -> Result<(), ActionResult> {
        if self.first_number.checked_add(self.storage.len()).is_none_or(|next| next > u32::MAX - 2) {
            // After four thousand million rows the numbers begin again.
            self.first_number = 1;
        }
        if let (Some(column), Some(last)) = (self.clock_column(), self.storage.len().checked_sub(1)) {
            let new = selection::key(row, column);
            let rises = self.storage.with_row(last, |last| {
                let last = selection::key(last, column);
                matches!((last, new), (Some(last), Some(new)) if last.compare(&new).is_some_and(Ordering::is_le))
            });
            self.is_rising &= rises == Some(true);
        }
        while self.storage.len() >= self.most_rows() && !self.storage.is_empty() {
            self.storage.remove(0);
            self.first_number = self.first_number.saturating_add(1);
        }
        Ok(self.storage.insert(self.storage.len(), row)?)
    }

    fn insert_sorted(&mut self, row: &[u8]) -> Result<(), ActionResult> {
        let column = self.capture_objects.iter().position(|it| *it == self.sort_object);
        let column = column.ok_or(ActionResult::OtherReason)?;
        let (mut low, mut high) = (0, self.storage.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.storage.with_row(middle, |other| self.precedes(row, other, column)) {
                Some(true) => high = middle,
                _ => low = middle + 1,
            }
        }
        let most = self.most_rows();
        if low >= most {
            return Ok(());
        }
        while self.storage.len() >= most {
            self.storage.remove(self.storage.len().saturating_sub(1));
        }
        self.generation = self.generation.wrapping_add(1);
        Ok(self.storage.insert(low, row)?)
    }

    /// Whether a row comes before another by value.
    fn precedes(&self, row: &[u8], other: &[u8], column: usize) -> bool {
        let (Some(row), Some(other)) = (selection::key(row, column), selection::key(other, column)) else {
            return false;
        };
        let ordering = match self.sort_method {
            SortMethod::Largest => other.compare(&row),
            SortMethod::Smallest => row.compare(&other),
            SortMethod::NearestToZero => row.compare_magnitude(&other),
            SortMethod::FarthestFromZero => other.compare_magnitude(&row),
            SortMethod::Fifo | SortMethod::Lifo => None,
        };
        ordering == Some(Ordering::Less)
    }

    /// Whether a new capture period has begun.
    fn begins_period(&mut self, wall: &WallTime) -> bool {
        if self.capture_period == 0 {
            return false;
        }
        // Periods that divide an hour keep their rhythm when summer time changes; longer ones follow local time, so
        // that a day begins at midnight.
        let seconds = match 3600 % self.capture_period {
            0 => wall.unix_milliseconds.div_euclid(1000),
            _ => wall.local_milliseconds().div_euclid(1000),
        };
        let number = seconds.div_euclid(self.capture_period.into());
        let before = self.period_number.replace(number);
        before.is_some_and(|before| number > before)
    }
}

interface_class! {
    class 7 "Profile generic" version 1, first method at Some(0x58);
    constants on ProfileGeneric<(), 0>;
    object impl[S: RowStorage, const COLUMNS: usize] ProfileGeneric<S, COLUMNS>;
    attributes {
        2 buffer BUFFER: Any = "choice<array<structure{}>|compact-array>" dynamic [1, 2]
            get(object, get) { object.write_buffer(get.selector, get.encoder) }
        3 capture_objects CAPTURE_OBJECTS: ListOf<CaptureObjectDefinition> = "array<@capture_object_definition>" static
            get(object, get) { Ok(get.encoder.data(&Array(&object.capture_objects))?) }
            set(object, set) {
                let Data::Array(columns) = set.value else { return Err(DataAccessResult::TypeUnmatched) };
                let mut capture_objects = heapless::Vec::new();
                for column in columns {
                    capture_objects
                        .push(CaptureObjectDefinition::from_data(column)?)
                        .map_err(|_| DataAccessResult::OtherReason)?;
                }
                object.capture_objects = capture_objects;
                object.clear();
                Ok(())
            }
        4 capture_period CAPTURE_PERIOD: u32 = "double-long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.capture_period)?) }
            set(object, set) {
                object.capture_period = u32::from_data(set.value)?;
                object.period_number = None;
                object.clear();
                Ok(())
            }
        5 sort_method SORT_METHOD: SortMethod = "enum:sort_method" static
            get(object, get) { Ok(get.encoder.data(&object.sort_method)?) }
            set(object, set) {
                object.sort_method = SortMethod::from_data(set.value)?;
                object.clear();
                Ok(())
            }
        6 sort_object SORT_OBJECT: CaptureObjectDefinition = "@capture_object_definition" static
            get(object, get) { Ok(get.encoder.data(&object.sort_object)?) }
            set(object, set) {
                object.sort_object = CaptureObjectDefinition::from_data(set.value)?;
                object.clear();
                Ok(())
            }
        7 entries_in_use ENTRIES_IN_USE: u32 = "double-long-unsigned" dynamic
            get(object, get) { Ok(get.encoder.data(&object.entries_in_use())?) }
        8 profile_entries PROFILE_ENTRIES: u32 = "double-long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.profile_entries)?) }
            set(object, set) {
                let entries = u32::from_data(set.value)?;
                if !(1..=object.storage.capacity()).contains(&entries) {
                    return Err(DataAccessResult::OtherReason);
                }
                object.profile_entries = entries;
                object.clear();
                Ok(())
            }
    }
    methods {
        1 reset RESET: i8 = "integer(0)" optional (object, call) {
            object.clear();
            Ok(())
        }
        2 capture CAPTURE: i8 = "integer(0)" optional (object, call) {
            raise(call.effects, Effect::Capture { profile: object.logical_name });
            Ok(())
        }
    }
    behaviour {
        fn tick(&mut self, tick: &Tick, effects: &mut Effects) {
            if tick.wall.is_some_and(|wall| self.begins_period(&wall)) {
                raise(effects, Effect::Capture { profile: self.logical_name });
            }
        }

        fn profile(&self) -> Option<&dyn Profile> {
            Some(self)
        }

        fn profile_mut(&mut self) -> Option<&mut dyn Profile> {
            Some(self)
        }
    }
}

impl<S: RowStorage, const COLUMNS: usize> Profile for ProfileGeneric<S, COLUMNS> {
    fn columns(&self) -> &[CaptureObjectDefinition] {
        &self.capture_objects
    }

    fn store(&mut self, row: &[u8]) -> Result<(), ActionResult> {
        let is_row = match Data::decode(&mut Reader::new(row)) {
            Ok(Data::Structure(columns)) => columns.len() == self.capture_objects.len(),
            _ => false,
        };
        if !is_row {
            return Err(ActionResult::TypeUnmatched);
        }
        match self.sort_method.is_sorted() {
            true => self.insert_sorted(row),
            false => self.append(row),
        }
    }
}
