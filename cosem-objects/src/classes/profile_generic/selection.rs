//! Which rows and columns of a buffer a request selects, and how they leave.
//!
//! Rows are addressed by numbers that stay with them while others are captured: in the order of capture by their number
//! in that order, in a sorted buffer by their place, as long as nothing was stored. A row that was dropped while the
//! buffer is being read, or a sorted buffer that changed, aborts the reading with `long-get-aborted`.

use core::cmp::Ordering;

use dlms_axdr::{Data, Encoder, FromData, Reader};

use super::key::Key;
use super::{ProfileGeneric, RowStorage, SortMethod};
use crate::behaviour::element_range;
use crate::{
    AccessSelector, CaptureObjectDefinition, DataAccessResult, EntryDescriptor, GetError, RangeDescriptor,
};

const CLOCK: u16 = 8;

/// What is wanted of a buffer.
struct Selection<'a, const COLUMNS: usize> {
    rows: RowSelection<'a>,
    /// Which columns; `None` for all.
    columns: Option<[bool; COLUMNS]>,
}

#[derive(Clone, Copy)]
enum RowSelection<'a> {
    All,
    /// By place, from 0, both included.
    Entries {
        from: u32,
        to: u32,
    },
    /// By the value in a column, both included.
    Range {
        column: usize,
        from: Key<'a>,
        to: Key<'a>,
    },
}

/// The rows that are sent, by their addresses, and how many there are.
#[derive(Clone, Copy)]
struct Span {
    first: u32,
    last: u32,
    count: u32,
}

impl<S: RowStorage, const COLUMNS: usize> ProfileGeneric<S, COLUMNS> {
    pub(super) fn write_buffer(
        &self,
        selector: Option<AccessSelector<'_>>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), GetError> {
        let selection = self.selection(selector)?;
        if encoder.next() == 0 {
            // Rows captured while the count is half sent would make it wrong.
            let version = self.buffer_version();
            if encoder.end() != 0 && encoder.end() != version {
                return Err(DataAccessResult::LongGetAborted.into());
            }
            encoder.set_end(version);
            let span = self.span(&selection.rows);
            encoder.array(span.count as usize)?;
            if span.count == 0 {
                return Ok(());
            }
            encoder.set_next(self.mark(span.first));
            encoder.set_end(self.mark(span.last));
        }
        loop {
            self.write_row(self.position(encoder.next())?, &selection, encoder)?;
            if encoder.next() == encoder.end() {
                return Ok(());
            }
            encoder.set_next(match self.sort_method {
                SortMethod::Lifo => encoder.next().wrapping_sub(1),
                _ => encoder.next().wrapping_add(1),
            });
        }
    }

    /// A number that changes with every row that is stored; never 0.
    fn buffer_version(&self) -> u32 {
        if self.sort_method.is_sorted() {
            u32::from(self.generation) << 16 | 1
        } else {
            self.first_number.wrapping_add(self.storage.len())
        }
    }

    /// The address of the row at a storage position.
    fn mark(&self, position: u32) -> u32 {
        if self.sort_method.is_sorted() {
            u32::from(self.generation) << 16 | position.wrapping_add(1)
        } else {
            self.first_number.wrapping_add(position)
        }
    }

    /// The storage position of the row with an address.
    fn position(&self, mark: u32) -> Result<u32, DataAccessResult> {
        let position = if self.sort_method.is_sorted() {
            (mark >> 16 == u32::from(self.generation)).then(|| (mark & 0xFFFF).checked_sub(1)).flatten()
        } else {
            mark.checked_sub(self.first_number)
        };
        position.filter(|&position| position < self.storage.len()).ok_or(DataAccessResult::LongGetAborted)
    }

    fn write_row(
        &self,
        position: u32,
        selection: &Selection<'_, COLUMNS>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), GetError> {
        self.storage
            .with_row(position, |row| {
                if !selection.rows.contains(row) {
                    return Ok(());
                }
                match &selection.columns {
                    None => encoder.octets(row),
                    Some(columns) => write_columns(row, columns, encoder),
                }
            })
            .ok_or(DataAccessResult::LongGetAborted)??;
        Ok(())
    }

    fn selection<'a>(
        &self,
        selector: Option<AccessSelector<'a>>,
    ) -> Result<Selection<'a, COLUMNS>, DataAccessResult> {
        match selector.map(|it| (it.selector, it.parameters)) {
            None => Ok(Selection { rows: RowSelection::All, columns: None }),
            Some((1, parameters)) => self.by_range(RangeDescriptor::from_data(parameters)?),
            Some((2, parameters)) => self.by_entry(EntryDescriptor::from_data(parameters)?),
            Some(_) => Err(DataAccessResult::TypeUnmatched),
        }
    }

    fn by_range<'a>(&self, range: RangeDescriptor<'a>) -> Result<Selection<'a, COLUMNS>, DataAccessResult> {
        let column = self.column(&range.restricting_object).ok_or(DataAccessResult::OtherReason)?;
        let from = Key::bound(range.from_value).ok_or(DataAccessResult::TypeUnmatched)?;
        let to = Key::bound(range.to_value).ok_or(DataAccessResult::TypeUnmatched)?;
        let is_clock = range.restricting_object.class_id == CLOCK;
        if is_clock && !(from.is_time_bound() && to.is_time_bound()) {
            return Err(DataAccessResult::TypeUnmatched);
        }
        let mut columns = None;
        for selected in range.selected_values {
            let selected = CaptureObjectDefinition::from_data(selected)?;
            let column = self.column(&selected).ok_or(DataAccessResult::OtherReason)?;
            let column = columns.get_or_insert([false; COLUMNS]).get_mut(column);
            *column.ok_or(DataAccessResult::OtherReason)? = true;
        }
        Ok(Selection { rows: RowSelection::Range { column, from, to }, columns })
    }

    fn by_entry<'a>(&self, entries: EntryDescriptor) -> Result<Selection<'a, COLUMNS>, DataAccessResult> {
        let last_or = |to: u32, last: u32| if to == 0 { last } else { to };
        let rows = RowSelection::Entries {
            from: entries.from_entry.saturating_sub(1),
            to: last_or(entries.to_entry, u32::MAX) - 1,
        };
        let count = self.capture_objects.len();
        let from = usize::from(entries.from_selected_value).saturating_sub(1);
        let to = last_or(entries.to_selected_value.into(), count as u32).min(count as u32) as usize;
        if from == 0 && to == count {
            return Ok(Selection { rows, columns: None });
        }
        if from >= to {
            return Err(DataAccessResult::OtherReason);
        }
        let mut columns = [false; COLUMNS];
        columns.get_mut(from..to).ok_or(DataAccessResult::OtherReason)?.fill(true);
        Ok(Selection { rows, columns: Some(columns) })
    }

    fn column(&self, wanted: &CaptureObjectDefinition) -> Option<usize> {
        self.capture_objects.iter().position(|it| it == wanted)
    }

    /// The rows of a selection, first to last in the order in which they are sent.
    fn span(&self, rows: &RowSelection<'_>) -> Span {
        const NONE: Span = Span { first: 0, last: 0, count: 0 };
        let len = self.storage.len();
        let is_lifo = self.sort_method == SortMethod::Lifo;
        let in_order = |first: u32, last: u32, count: u32| match is_lifo {
            true => Span { first: last, last: first, count },
            false => Span { first, last, count },
        };
        if len == 0 {
            return NONE;
        }
        match rows {
            RowSelection::All => in_order(0, len - 1, len),
            &RowSelection::Entries { from, to } => {
                let to = to.min(len - 1);
                if from > to {
                    return NONE;
                }
                let count = to - from + 1;
                match is_lifo {
                    true => Span { first: len - 1 - from, last: len - 1 - to, count },
                    false => Span { first: from, last: to, count },
                }
            }
            RowSelection::Range { column, from, to } if self.is_searchable(*column, from, to) => {
                let first =
                    self.first_where(|key| !matches!(key.compare(from), Some(Ordering::Less)), *column);
                let end = self.first_where(|key| matches!(key.compare(to), Some(Ordering::Greater)), *column);
                match end.checked_sub(first) {
                    None | Some(0) => NONE,
                    Some(count) => in_order(first, end.wrapping_sub(1), count),
                }
            }
            rows => {
                let mut found = NONE;
                for position in 0..len {
                    if self.storage.with_row(position, |row| rows.contains(row)) == Some(true) {
                        if found.count == 0 {
                            found.first = position;
                        }
                        found.last = position;
                        found.count = found.count.wrapping_add(1);
                    }
                }
                match found.count {
                    0 => NONE,
                    count => in_order(found.first, found.last, count),
                }
            }
        }
    }

    /// Whether the times in a column rise from row to row, so that bounds can be searched.
    fn is_searchable(&self, column: usize, from: &Key<'_>, to: &Key<'_>) -> bool {
        let is_definite = |key: &Key<'_>| key.is_instant() || matches!(key, Key::Open);
        !self.sort_method.is_sorted()
            && self.is_rising
            && self.clock_column() == Some(column)
            && is_definite(from)
            && is_definite(to)
    }

    /// The position of the first row whose key fulfils a condition that all later ones fulfil too.
    fn first_where(&self, condition: impl Fn(&Key<'_>) -> bool, column: usize) -> u32 {
        let (mut low, mut high) = (0, self.storage.len());
        while low < high {
            let middle = low.midpoint(high);
            let fulfils =
                self.storage.with_row(middle, |row| key(row, column).is_some_and(|key| condition(&key)));
            match fulfils {
                Some(true) => high = middle,
                _ => low = middle.saturating_add(1),
            }
        }
        low
    }

    /// The column that holds the time of the capture.
    pub(super) fn clock_column(&self) -> Option<usize> {
        self.capture_objects
            .iter()
            .position(|it| it.class_id == CLOCK && it.attribute_index == 2 && it.data_index == 0)
    }
}

impl RowSelection<'_> {
    fn contains(&self, row: &[u8]) -> bool {
        let Self::Range { column, from, to } = self else { return true };
        let Some(key) = key(row, *column) else { return false };
        let reaches = |bound: &Key<'_>, outside: Ordering| match (bound, key.compare(bound)) {
            (Key::Open, _) => true,
            (_, Some(ordering)) => ordering != outside,
            (_, None) => false,
        };
        reaches(from, Ordering::Less) && reaches(to, Ordering::Greater)
    }
}

/// The key of a row in a column.
pub(super) fn key(row: &[u8], column: usize) -> Option<Key<'_>> {
    let range = element_range(row, column)?;
    Key::new(Data::from_octets(row.get(range)?).ok()?)
}

fn write_columns(
    row: &[u8],
    columns: &[bool],
    encoder: &mut Encoder<'_>,
) -> Result<(), dlms_axdr::BufferFull> {
    encoder.structure(columns.iter().fold(0, |count, it| usize::from(*it).wrapping_add(count)))?;
    let mut reader = Reader::new(row);
    let (Ok(_), Ok(count)) = (reader.u8(), reader.length()) else { return Ok(()) };
    for selected in columns.iter().take(count) {
        let start = reader.offset();
        if Data::decode(&mut reader).is_err() {
            break;
        }
        if *selected {
            encoder.octets(row.get(start..reader.offset()).unwrap_or_default())?;
        }
    }
    Ok(())
}
