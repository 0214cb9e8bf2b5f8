//! The rows of a profile as a client reads them, with what the meter left out put back.
//!
//! A meter may send null-data for a value that is the same as in the row before; in the column of the clock it means
//! the time before, advanced by the capture period, or moved back where the newest or the largest row comes first. A
//! column may also hold differences (the delta types). A short row repeats the columns that are missing. The first row
//! of a response is complete.

use dlms_axdr::{Data, DateTime, DecodeError, FromData, Rows};
use thiserror::Error;

use crate::classes::SortMethod;
use crate::{CaptureObjectDefinition, calendar};

const CLOCK: u16 = 8;

/// What a client knows of a profile from its attributes 3, 4 and 5.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'c> {
    /// The columns of the response: those that were asked for.
    pub columns: &'c [CaptureObjectDefinition],
    /// In seconds; 0 for none.
    pub capture_period: u32,
    /// The order of the rows.
    pub sort_method: SortMethod,
}

/// The rows of a buffer with every value in its place. Times come as [`Data::DateTime`] where they can be read as such.
///
/// `COLUMNS` is the largest number of columns.
#[derive(Debug)]
pub struct CompleteRows<'a, 'c, const COLUMNS: usize> {
    rows: Rows<'a>,
    layout: Layout<'c>,
    cells: heapless::Vec<Data<'a>, COLUMNS>,
}

/// A row that is not one of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    /// It does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It has more cells than the profile has columns.
    #[error("{found} cells in a row of {expected} columns")]
    TooManyCells {
        /// How many columns there are.
        expected: usize,
        /// How many cells the row has.
        found: usize,
    },
    /// The profile has more columns than this reader has room for.
    #[error("{found} columns, room for {limit}")]
    TooManyColumns {
        /// For how many columns there is room.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A difference to a value that is no integer.
    #[error("column {column}: a difference to a value that is no integer")]
    DifferenceToNothing {
        /// The column, from 0.
        column: usize,
    },
}

impl<'a, 'c, const COLUMNS: usize> CompleteRows<'a, 'c, COLUMNS> {
    /// The rows of the buffer that `octets` are.
    ///
    /// # Errors
    /// `octets` are no buffer, or there are more columns than `COLUMNS`.
    pub fn new(octets: &'a [u8], layout: Layout<'c>) -> Result<Self, RowError> {
        let found = layout.columns.len();
        if found > COLUMNS {
            return Err(RowError::TooManyColumns { limit: COLUMNS, found });
        }
        Ok(Self { rows: Rows::from_octets(octets)?, layout, cells: heapless::Vec::new() })
    }

    /// How many rows are left.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row is left.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The next row: one value for each column. In the first row null-data stays.
    ///
    /// # Errors
    /// The row does not decode or does not fit the columns.
    pub fn next_row(&mut self) -> Result<Option<&[Data<'a>]>, RowError> {
        let Some(mut row) = self.rows.next_row()? else { return Ok(None) };
        let expected = self.layout.columns.len();
        if row.len() > expected {
            return Err(RowError::TooManyCells { expected, found: row.len() });
        }
        for (column, definition) in self.layout.columns.iter().enumerate() {
            let cell = row.next().transpose()?.unwrap_or(Data::NullData);
            let before = self.cells.get(column).copied();
            let value = complete(&self.layout, definition, before, cell)
                .ok_or(RowError::DifferenceToNothing { column })?;
            match self.cells.get_mut(column) {
                Some(place) => *place = value,
                None => {
                    let too_many = RowError::TooManyColumns { limit: COLUMNS, found: expected };
                    self.cells.push(value).map_err(|_| too_many)?;
                }
            }
        }
        Ok(Some(&self.cells))
    }
}

/// Puts back what the meter left out, row by row as the rows come, for any number of columns.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug)]
pub struct RowCompletion<'c> {
    layout: Layout<'c>,
    cells: alloc::vec::Vec<dlms_axdr::OwnedData>,
}

#[cfg(feature = "alloc")]
impl<'c> RowCompletion<'c> {
    /// Before the first row.
    pub const fn new(layout: Layout<'c>) -> Self {
        Self { layout, cells: alloc::vec::Vec::new() }
    }

    /// The row that these cells stand for: one value for each column. In the first row null-data stays.
    ///
    /// # Errors
    /// The row does not fit the columns.
    pub fn complete<'d>(
        &mut self,
        row: impl IntoIterator<Item = Data<'d>>,
    ) -> Result<&[dlms_axdr::OwnedData], RowError> {
        let mut row = row.into_iter();
        for (column, definition) in self.layout.columns.iter().enumerate() {
            let cell = row.next().unwrap_or(Data::NullData);
            let before = self.cells.get(column).map(dlms_axdr::OwnedData::as_data);
            let value = complete(&self.layout, definition, before, cell)
                .ok_or(RowError::DifferenceToNothing { column })?
                .into();
            match self.cells.get_mut(column) {
                Some(place) => *place = value,
                None => self.cells.push(value),
            }
        }
        match row.count() {
            0 => Ok(&self.cells),
            more => {
                let expected = self.layout.columns.len();
                Err(RowError::TooManyCells { expected, found: expected + more })
            }
        }
    }
}

/// The value that a cell stands for; `None` for a difference to something that is no integer.
fn complete<'a>(
    layout: &Layout<'_>,
    column: &CaptureObjectDefinition,
    before: Option<Data<'a>>,
    cell: Data<'a>,
) -> Option<Data<'a>> {
    let is_clock = column.class_id == CLOCK && column.attribute_index == 2;
    match (cell, before) {
        (Data::NullData, None) => Some(Data::NullData),
        (Data::NullData, Some(Data::DateTime(before))) if is_clock => Some(next_time(layout, &before)),
        (Data::NullData, Some(before)) => Some(before),
        (cell, _) if is_clock => Some(DateTime::from_data(cell).map_or(cell, Data::DateTime)),
        (cell, before) => match difference(cell) {
            Some(difference) => add(before?, difference),
            None => Some(cell),
        },
    }
}

fn next_time<'a>(layout: &Layout<'_>, before: &DateTime) -> Data<'a> {
    let Some(local) = calendar::local_milliseconds(before) else { return Data::NullData };
    let step = i64::from(layout.capture_period) * 1000;
    let next = match layout.sort_method {
        _ if step == 0 => return Data::NullData,
        SortMethod::Lifo | SortMethod::Largest => local.saturating_sub(step),
        _ => local.saturating_add(step),
    };
    let deviation = before.deviation();
    let time = calendar::date_time(next, 0, before.clock_status()).with_deviation(deviation);
    Data::DateTime(time)
}

fn difference(cell: Data<'_>) -> Option<i64> {
    Some(match cell {
        Data::DeltaInteger(value) => value.into(),
        Data::DeltaLong(value) => value.into(),
        Data::DeltaDoubleLong(value) => value.into(),
        Data::DeltaUnsigned(value) => value.into(),
        Data::DeltaLongUnsigned(value) => value.into(),
        Data::DeltaDoubleLongUnsigned(value) => value.into(),
        _ => return None,
    })
}

/// The sum, in the type of `base`, with wrap-around.
fn add(base: Data<'_>, difference: i64) -> Option<Data<'_>> {
    Some(match base {
        Data::Integer(value) => Data::Integer(value.wrapping_add(difference as i8)),
        Data::Long(value) => Data::Long(value.wrapping_add(difference as i16)),
        Data::DoubleLong(value) => Data::DoubleLong(value.wrapping_add(difference as i32)),
        Data::Long64(value) => Data::Long64(value.wrapping_add(difference)),
        Data::Unsigned(value) => Data::Unsigned(value.wrapping_add(difference as u8)),
        Data::LongUnsigned(value) => Data::LongUnsigned(value.wrapping_add(difference as u16)),
        Data::DoubleLongUnsigned(value) => Data::DoubleLongUnsigned(value.wrapping_add(difference as u32)),
        Data::Long64Unsigned(value) => Data::Long64Unsigned(value.wrapping_add(difference as u64)),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [CaptureObjectDefinition; 3] = [
        CaptureObjectDefinition::new(8, LogicalName::new(0, 0, 1, 0, 0, 255), 2),
        CaptureObjectDefinition::new(1, LogicalName::new(0, 0, 96, 10, 1, 255), 2),
        CaptureObjectDefinition::new(3, LogicalName::new(1, 0, 1, 8, 0, 255), 2),
    ];

    /// Three rows with null compression: 08:00, then {null, null, 5013}, then 11:00 with another status.
    const BUFFER: &[u8] = &[
        0x01, 0x03, 0x02, 0x03, 0x09, 0x0C, 0x07, 0xEA, 1, 5, 1, 8, 0, 0, 0, 0xFF, 0xC4, 0, 0x11, 0, 0x06, 0,
        0, 0x13, 0x91, 0x02, 0x03, 0, 0, 0x06, 0, 0, 0x13, 0x95, 0x02, 0x03, 0x09, 0x0C, 0x07, 0xEA, 1, 5, 1,
        11, 0, 0, 0, 0xFF, 0xC4, 0, 0x11, 0x80, 0,
    ];

    fn read(buffer: &[u8], capture_period: u32, sort_method: SortMethod) -> std::vec::Vec<(u8, u8, u32)> {
        let layout = Layout { columns: &COLUMNS, capture_period, sort_method };
        let mut rows = CompleteRows::<4>::new(buffer, layout).unwrap();
        let mut found = std::vec::Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            let [Data::DateTime(time), Data::Unsigned(status), Data::DoubleLongUnsigned(energy)] = *row
            else {
                panic!("{row:?}")
            };
            found.push((time.0[5], status, energy));
        }
        found
    }

    #[test]
    fn null_means_the_row_before_and_the_clock_goes_on() {
        let fifo = [(8, 0, 5009), (9, 0, 5013), (11, 0x80, 5013)];
        assert_eq!(read(BUFFER, 3600, SortMethod::Fifo), fifo);
        let lifo = [(8, 0, 5009), (7, 0, 5013), (11, 0x80, 5013)];
        assert_eq!(read(BUFFER, 3600, SortMethod::Lifo), lifo);
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn rows_that_come_one_by_one_are_completed_alike() {
        let layout = Layout { columns: &COLUMNS, capture_period: 3600, sort_method: SortMethod::Fifo };
        let mut whole = CompleteRows::<3>::new(BUFFER, layout).unwrap();
        let mut completion = RowCompletion::new(layout);
        let Data::Array(rows) = Data::from_octets(BUFFER).unwrap() else { panic!("no array") };
        for row in rows {
            let completed = completion.complete(row.elements().unwrap()).unwrap();
            assert!(
                completed.iter().map(|cell| cell.as_data()).eq(whole
                    .next_row()
                    .unwrap()
                    .unwrap()
                    .iter()
                    .copied())
            );
        }
        let error = completion.complete([Data::NullData; 4]).unwrap_err();
        assert_eq!(error, RowError::TooManyCells { expected: 3, found: 4 });
    }

    #[test]
    fn differences_and_short_rows() {
        let buffer = [
            0x01, 0x03, 0x02, 0x03, 0x00, 0x11, 0xFF, 0x06, 0, 0, 0x13, 0x91, 0x02, 0x03, 0x00, 0x1F, 0x02,
            0x1C, 0xFF, 0x02, 0x01, 0x00,
        ];
        let layout = Layout { columns: &COLUMNS, capture_period: 0, sort_method: SortMethod::Fifo };
        let mut rows = CompleteRows::<3>::new(&buffer, layout).unwrap();
        rows.next_row().unwrap();
        let second = [Data::NullData, Data::Unsigned(1), Data::DoubleLongUnsigned(5008)];
        assert_eq!(rows.next_row().unwrap().unwrap(), second);
        assert_eq!(rows.next_row().unwrap().unwrap(), second);
        assert!(rows.next_row().unwrap().is_none());
        assert!(matches!(
            CompleteRows::<2>::new(&buffer, layout),
            Err(RowError::TooManyColumns { limit: 2, found: 3 })
        ));
    }

    proptest! {
        #[test]
        fn any_octets_are_taken(mut octets in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..52, to: u8) {
            let layout = Layout { columns: &COLUMNS, capture_period: 900, sort_method: SortMethod::Fifo };
            let mut mutated = BUFFER.to_vec();
            mutated[at] = to;
            octets.insert(0, 1);
            for buffer in [octets, mutated] {
                let Ok(mut rows) = CompleteRows::<3>::new(&buffer, layout) else { continue };
                while let Ok(Some(_)) = rows.next_row() {}
            }
        }
    }
}
