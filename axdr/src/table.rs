//! A buffer as columns: the owned form of a load profile.
//!
//! A column takes the type of its first cell and is one vector of that Rust type. A cell of another type turns the
//! column into one of [`OwnedData`]. Rows that have the layout of the first one, as nearly all have, are moved a block
//! at a time, column by column, which leaves no decision per cell but the comparison of its tag.

use alloc::vec::Vec;

use crate::{Data, DataKind, Date, DateTime, DecodeError, DecodeErrorKind, OwnedData, Reader, Rows, Time};

/// The rows of a buffer, column by column.
///
/// ```
/// use dlms_axdr::{Column, Data, Table};
/// let table = Table::from_octets(&[0x01, 0x02, 0x02, 0x01, 0x12, 0, 7, 0x02, 0x01, 0x12, 0, 8])?;
/// assert_eq!(table.columns()[0], Column::LongUnsigned(vec![7, 8]));
/// assert_eq!(table.cell(1, 0), Some(Data::LongUnsigned(8)));
/// # Ok::<(), dlms_axdr::DecodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    rows: usize,
    columns: Vec<Column>,
}

/// How many rows are moved at a time: few enough to stay in the innermost cache.
const BLOCK: usize = 64;

macro_rules! columns {
    ($($variant:ident($type:ty), $size:literal, $decode:expr;)*) => {
        /// A column of a [`Table`].
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the names of the standard")]
        pub enum Column {
            $($variant(Vec<$type>),)*
            /// Octet-strings of twelve octets, the usual form of a clock.
            OctetStringDateTime(Vec<DateTime>),
            /// Cells of different types, or of one that has no column of its own.
            Cells(Vec<OwnedData>),
        }

        impl Column {
            fn of(first: &Data<'_>, rows: usize) -> Self {
                match first {
                    $(Data::$variant(_) => Self::$variant(Vec::with_capacity(rows)),)*
                    Data::OctetString(octets) if octets.len() == 12 => {
                        Self::OctetStringDateTime(Vec::with_capacity(rows))
                    }
                    _ => Self::Cells(Vec::with_capacity(rows)),
                }
            }

            /// How many cells there are.
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$variant(values) => values.len(),)*
                    Self::OctetStringDateTime(values) => values.len(),
                    Self::Cells(cells) => cells.len(),
                }
            }

            /// The cell of row `row`.
            pub fn cell(&self, row: usize) -> Option<Data<'_>> {
                match self {
                    $(Self::$variant(values) => values.get(row).map(|&value| Data::$variant(value)),)*
                    Self::OctetStringDateTime(values) => {
                        values.get(row).map(|value| Data::OctetString(&value.0))
                    }
                    Self::Cells(cells) => cells.get(row).map(OwnedData::as_data),
                }
            }

            fn push(&mut self, cell: Data<'_>) {
                match (&mut *self, cell) {
                    $((Self::$variant(values), Data::$variant(value)) => values.push(value),)*
                    (Self::Cells(cells), cell) => cells.push(cell.into()),
                    (Self::OctetStringDateTime(values), Data::OctetString(octets)) if octets.len() == 12 => {
                        values.extend(octets.try_into().map(DateTime));
                    }
                    (_, cell) => {
                        let cells = (0..self.len()).filter_map(|row| self.cell(row)).chain([cell]);
                        *self = Self::Cells(cells.map(OwnedData::from).collect());
                    }
                }
            }

            fn truncate(&mut self, rows: usize) {
                match self {
                    $(Self::$variant(values) => values.truncate(rows),)*
                    Self::OctetStringDateTime(values) => values.truncate(rows),
                    Self::Cells(cells) => cells.truncate(rows),
                }
            }

            /// The octets before a value, and how many octets the value takes; `None` if that varies.
            fn layout(&self) -> Option<(&'static [u8], usize)> {
                match self {
                    $(Self::$variant(_) => Some((&[DataKind::$variant as u8], $size)),)*
                    Self::OctetStringDateTime(_) => Some((&[DataKind::OctetString as u8, 12], 12)),
                    Self::Cells(_) => None,
                }
            }

            /// Appends the cells at octet `at` of each row, up to the first row that has something else there. Gives
            /// the number of rows.
            fn extend(&mut self, rows: &[u8], row_length: usize, at: usize) -> usize {
                match self {
                    $(Self::$variant(values) => {
                        extend(values, rows, row_length, at, [DataKind::$variant as u8], $decode)
                    })*
                    Self::OctetStringDateTime(values) => {
                        extend(values, rows, row_length, at, [DataKind::OctetString as u8, 12], DateTime)
                    }
                    Self::Cells(_) => 0,
                }
            }
        }
    };
}

columns! {
    Integer(i8), 1, i8::from_be_bytes;
    Long(i16), 2, i16::from_be_bytes;
    DoubleLong(i32), 4, i32::from_be_bytes;
    Long64(i64), 8, i64::from_be_bytes;
    Unsigned(u8), 1, u8::from_be_bytes;
    LongUnsigned(u16), 2, u16::from_be_bytes;
    DoubleLongUnsigned(u32), 4, u32::from_be_bytes;
    Long64Unsigned(u64), 8, u64::from_be_bytes;
    Enum(u8), 1, u8::from_be_bytes;
    Float32(f32), 4, f32::from_be_bytes;
    Float64(f64), 8, f64::from_be_bytes;
    DateTime(DateTime), 12, DateTime;
    Date(Date), 5, Date;
    Time(Time), 4, Time;
}

fn extend<T, const H: usize, const N: usize>(
    values: &mut Vec<T>,
    rows: &[u8],
    row_length: usize,
    at: usize,
    head: [u8; H],
    decode: impl Fn([u8; N]) -> T,
) -> usize {
    let rows = rows.chunks_exact(row_length);
    let found = |row: &[u8]| row.get(at..).and_then(|cell| cell.first_chunk::<H>().copied());
    let alike = rows.clone().take_while(|row| found(row) == Some(head)).count();
    // An iterator of known length and a closure that always has a value: the vector grows once.
    values.extend(rows.take(alike).map(|row| {
        let value = row.get(at + H..).and_then(|value| value.first_chunk::<N>());
        decode(value.copied().unwrap_or([0; N]))
    }));
    alike
}

impl Column {
    /// Whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells.
    pub fn iter(&self) -> impl Iterator<Item = Data<'_>> {
        (0..self.len()).filter_map(|row| self.cell(row))
    }
}

impl Table {
    /// Reads a buffer that takes all of `octets`.
    ///
    /// # Errors
    /// The octets are no buffer, or its rows differ in their number of cells.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(octets);
        let table = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(table)
    }

    /// Reads a buffer.
    ///
    /// # Errors
    /// The octets are no buffer, or its rows differ in their number of cells.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut rows = Rows::decode(reader)?;
        let mut table = Self::default();
        let mut layout = table.begin(&rows)?;
        let mut block = BLOCK;
        while !rows.is_empty() {
            if let Some(layout) = &layout {
                let wanted = block.min(rows.len());
                let moved = table.push_rows(rows.rest(), wanted, layout);
                rows.advance(moved, layout.length)?;
                block = if moved == wanted { BLOCK.min(block * 2) } else { 1 };
                if moved > 0 {
                    continue;
                }
            }
            table.push_row(&mut rows)?;
            if layout.is_some() && table.columns.iter().any(|column| column.layout().is_none()) {
                layout = None;
            }
        }
        *reader = rows.finish()?;
        Ok(table)
    }

    /// How many rows there are.
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns, in the order of the cells in a row.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One cell.
    pub fn cell(&self, row: usize, column: usize) -> Option<Data<'_>> {
        self.columns.get(column)?.cell(row)
    }

    /// The cells of one row, in order.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Data<'_>> {
        self.columns.iter().filter_map(move |column| column.cell(row))
    }

    /// Makes the columns after the first row, without taking it. Room is made for as many rows of its length as there
    /// are octets, whatever number the buffer claims.
    fn begin(&mut self, rows: &Rows<'_>) -> Result<Option<Layout>, DecodeError> {
        let octets = rows.rest();
        let mut first = rows.clone();
        let Some(row) = first.next_row()? else { return Ok(None) };
        let cells = row.len();
        let head = octets.len() - first.rest().len();
        let mut after = first.clone();
        after.end_row()?;
        let length = octets.len() - after.rest().len();
        let room = rows.len().min(octets.len() / length.max(1));
        self.columns.reserve_exact(cells);
        for cell in first.row() {
            self.columns.push(Column::of(&cell?, room));
        }
        if rows.is_compact() {
            return Ok(None);
        }
        let mut at = head;
        let mut positions = Vec::with_capacity(cells);
        for column in &self.columns {
            let Some((head, value)) = column.layout() else { return Ok(None) };
            positions.push(at);
            at += head.len() + value;
        }
        Ok((at == length).then(|| Layout { head: octets[..head].into(), positions, length }))
    }

    /// Moves up to `wanted` rows that have the layout; gives how many did.
    fn push_rows(&mut self, octets: &[u8], wanted: usize, layout: &Layout) -> usize {
        let rows = octets.chunks_exact(layout.length).take(wanted);
        let mut alike = rows.take_while(|row| row.starts_with(&layout.head)).count();
        for (column, at) in self.columns.iter_mut().zip(&layout.positions) {
            alike = column.extend(&octets[..alike * layout.length], layout.length, *at);
        }
        if alike < wanted {
            self.columns.iter_mut().for_each(|column| column.truncate(self.rows + alike));
        }
        self.rows += alike;
        alike
    }

    /// Takes the next row, whatever is in it.
    fn push_row(&mut self, rows: &mut Rows<'_>) -> Result<(), DecodeError> {
        let error =
            rows.error(DecodeErrorKind::InvalidValue("row: not as many cells as in the first one".into()));
        let Some(row) = rows.next_row()? else { return Ok(()) };
        if row.len() != self.columns.len() {
            return Err(error);
        }
        for (column, cell) in self.columns.iter_mut().zip(row) {
            column.push(cell?);
        }
        self.rows += 1;
        Ok(())
    }
}

/// Where the cells stand in a row in which all are of fixed size.
struct Layout {
    head: Vec<u8>,
    positions: Vec<usize>,
    length: usize,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Array, Encode, VisibleString};
    use proptest::prelude::*;

    fn buffer(rows: &[impl Encode]) -> Vec<u8> {
        crate::owned::encoded(&Array(rows))
    }

    /// The table has the cells that a walk over the values has.
    fn check(octets: &[u8]) -> Table {
        let table = Table::from_octets(octets).unwrap();
        let rows = Data::from_octets(octets).unwrap().elements().unwrap();
        assert_eq!(table.len(), rows.len());
        for (index, row) in rows.iter().enumerate() {
            assert!(table.row(index).eq(row.elements().unwrap()));
        }
        table
    }

    #[test]
    fn columns_take_the_type_of_the_first_cell() {
        let rows: Vec<_> =
            (0..1000u32).map(|row| ([row as u8; 12], row as u16, row, VisibleString(b"x"))).collect();
        let table = check(&buffer(&rows));
        assert!(matches!(table.columns()[0], Column::OctetStringDateTime(_)));
        assert!(matches!(table.columns()[1], Column::LongUnsigned(_)));
        assert!(matches!(table.columns()[3], Column::Cells(_)));
        let rows: Vec<_> = rows.iter().map(|row| (row.0, row.1, row.2)).collect();
        assert_eq!(check(&buffer(&rows)).columns(), &table.columns()[..3]);
    }

    #[test]
    fn another_type_turns_the_column() {
        let mut rows: Vec<_> = (0..1000u32).map(|row| (Some(row), row, [0u8; 12].as_slice())).collect();
        let short = [1, 2, 3];
        rows[700].2 = &short;
        assert!(matches!(check(&buffer(&rows)).columns()[2], Column::Cells(_)));
        rows[500].0 = None;
        rows[999].0 = None;
        let table = check(&buffer(&rows));
        assert!(matches!(table.columns()[0], Column::Cells(_)));
        assert!(matches!(table.columns()[1], Column::DoubleLongUnsigned(_)));
    }

    #[test]
    fn compact_buffers() {
        let table = check(&[0x13, 2, 2, 0x12, 6, 12, 0, 1, 0, 0, 0, 100, 0, 2, 0, 0, 0, 200]);
        assert_eq!(
            table.columns(),
            [Column::LongUnsigned(vec![1, 2]), Column::DoubleLongUnsigned(vec![100, 200])]
        );
    }

    #[test]
    fn rows_of_different_lengths() {
        let octets = [1, 2, 2, 1, 17, 1, 2, 2, 17, 1, 17, 2];
        let error = Table::from_octets(&octets).unwrap_err();
        assert_eq!(error.offset, 6);
        check(&[1, 0]);
        check(&[1, 2, 2, 0, 2, 0]);
    }

    proptest! {
        #[test]
        fn mutated_buffers(
            changes in proptest::collection::vec((0usize..2000, any::<u8>()), 0..4),
            end in 0usize..4000,
        ) {
            let rows: Vec<_> = (0..80u32).map(|row| ([row as u8; 12], row, -1i16)).collect();
            let mut octets = buffer(&rows);
            for (at, octet) in changes {
                if let Some(place) = octets.get_mut(at) {
                    *place = octet;
                }
            }
            octets.truncate(end);
            match Table::from_octets(&octets) {
                Ok(_) => { check(&octets); }
                Err(error) => prop_assert!(error.offset <= octets.len()),
            }
        }
    }
}
