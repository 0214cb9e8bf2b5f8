//! The rows of a buffer, read in one pass.
//!
//! A buffer (of a profile, an event log) is an array of structures, or a compact-array of one structure type:
//!
//! ```text
//! 01 | rows | 02 | cells | Data x cells | 02 ...
//! 13 | 02 | cells | TypeDescription x cells | length | contents
//! ```
//!
//! Cells come as they stand: null-data that repeats the row before is undone by who knows the columns.

use crate::{CompactArray, Data, DataKind, DecodeError, DecodeErrorKind, MAX_DEPTH, Reader, compact, data};

/// Reads a buffer row by row, each octet once.
///
/// ```
/// use dlms_axdr::{Reader, Rows};
/// let buffer = [0x01, 0x02, 0x02, 0x02, 0x11, 1, 0x11, 2, 0x02, 0x02, 0x11, 3, 0x11, 4];
/// let mut rows = Rows::decode(&mut Reader::new(&buffer))?;
/// let mut sum = 0;
/// while let Some(row) = rows.next_row()? {
///     for cell in row {
///         sum += cell?.integer().unwrap_or(0);
///     }
/// }
/// assert_eq!(sum, 10);
/// # Ok::<(), dlms_axdr::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    reader: Reader<'a>,
    /// The type description of a row of a compact-array, from its count on; empty if the cells have tags.
    types: &'a [u8],
    /// The types of the cells that are left in the row.
    cell_types: &'a [u8],
    rows: usize,
    cells: usize,
}

/// The cells of one row. Those that are not taken are passed over.
#[derive(Debug)]
pub struct Row<'r, 'a> {
    rows: &'r mut Rows<'a>,
}

impl<'a> Rows<'a> {
    /// Reads the head of a buffer; `reader` must not be used before the rows are read, and stands at its end.
    ///
    /// # Errors
    /// The next value is no array, or a compact-array of something else than structures.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        match data::kind(reader, "buffer")? {
            DataKind::Array => {
                let rows = data::count(reader)?;
                Ok(Self { reader: reader.clone(), types: &[], cell_types: &[], rows, cells: 0 })
            }
            DataKind::CompactArray => {
                let array = CompactArray::decode(reader, MAX_DEPTH)?;
                let contents = array.contents();
                let mut types = Reader::at(array.description(), start.offset().wrapping_add(1));
                let rows = array.len();
                if rows > 0 && data::kind(&mut types, "row")? != DataKind::Structure {
                    return Err(start.error(DecodeErrorKind::InvalidValue("row".into())));
                }
                let reader = Reader::at(contents, reader.offset().wrapping_sub(contents.len()));
                Ok(Self { reader, types: types.rest(), cell_types: &[], rows, cells: 0 })
            }
            kind => {
                Err(start.error(DecodeErrorKind::UnknownTag { expected: "buffer".into(), found: kind.tag() }))
            }
        }
    }

    /// Reads the head of a buffer that takes all of `octets`; [`Rows::finish`] tells whether it did.
    ///
    /// # Errors
    /// As [`Rows::decode`].
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode(&mut Reader::new(octets))
    }

    /// How many rows are left.
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Whether no row is left.
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Begins the next row, if there is one.
    ///
    /// # Errors
    /// The octets are no structure of as many values as it says.
    #[inline]
    pub fn next_row(&mut self) -> Result<Option<Row<'_, 'a>>, DecodeError> {
        self.end_row()?;
        match self.rows.checked_sub(1) {
            None => return Ok(None),
            Some(left) => self.rows = left,
        }
        if !self.types.is_empty() {
            let mut types = Reader::new(self.types);
            self.cells = data::count(&mut types)?;
            self.cell_types = types.rest();
        } else {
            match self.reader.peek() {
                Some(tag) if tag == DataKind::Structure.tag() => self.reader.u8()?,
                Some(found) => {
                    return Err(self
                        .reader
                        .error(DecodeErrorKind::UnknownTag { expected: "row".into(), found }));
                }
                None => self.reader.u8()?,
            };
            self.cells = data::count(&mut self.reader)?;
        }
        Ok(Some(Row { rows: self }))
    }

    /// Passes over the rows that are left; gives what follows the buffer.
    ///
    /// # Errors
    /// As [`Rows::next_row`].
    pub fn finish(mut self) -> Result<Reader<'a>, DecodeError> {
        while self.next_row()?.is_some() {}
        Ok(self.reader)
    }

    /// The octets that are left, the cells of the current row included.
    #[cfg(feature = "alloc")]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// Whether cells have no tags.
    #[cfg(feature = "alloc")]
    pub(crate) const fn is_compact(&self) -> bool {
        !self.types.is_empty()
    }

    /// The row that was begun.
    #[cfg(feature = "alloc")]
    pub(crate) const fn row(&mut self) -> Row<'_, 'a> {
        Row { rows: self }
    }

    /// Passes over `rows` whole rows of `length` octets.
    #[cfg(feature = "alloc")]
    pub(crate) fn advance(&mut self, rows: usize, length: usize) -> Result<(), DecodeError> {
        self.rows -= rows;
        self.reader.octets(rows * length).map(drop)
    }

    /// An error at the next row.
    #[cfg(feature = "alloc")]
    pub(crate) const fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        self.reader.error(kind)
    }

    /// Passes over the cells that are left in the row.
    #[inline]
    pub(crate) fn end_row(&mut self) -> Result<(), DecodeError> {
        if self.cells == 0 {
            return Ok(());
        }
        let result;
        (result, *self) = self.clone().without_cells();
        result
    }

    /// By value, as is whatever else is not inlined into a loop over cells: the loop keeps its reader in registers.
    #[cold]
    fn without_cells(mut self) -> (Result<(), DecodeError>, Self) {
        while self.cells > 0 {
            if let Err(error) = self.next_cell() {
                return (Err(error), self);
            }
        }
        (Ok(()), self)
    }

    #[inline(always)]
    fn next_cell(&mut self) -> Result<Data<'a>, DecodeError> {
        self.cells -= 1;
        if self.types.is_empty() {
            return Data::decode_cell(&mut self.reader);
        }
        let data;
        (data, self.cell_types, self.reader) = compact::next_element(self.cell_types, self.reader.clone());
        data
    }
}

impl Row<'_, '_> {
    /// How many cells are left.
    pub const fn len(&self) -> usize {
        self.rows.cells
    }

    /// Whether no cell is left.
    pub const fn is_empty(&self) -> bool {
        self.rows.cells == 0
    }
}

impl<'a> Iterator for Row<'_, 'a> {
    type Item = Result<Data<'a>, DecodeError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rows.cells == 0 {
            return None;
        }
        let cell = self.rows.next_cell();
        if cell.is_err() {
            (self.rows.rows, self.rows.cells) = (0, 0);
        }
        Some(cell)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all<'a>(mut rows: Rows<'a>) -> Result<Vec<Vec<Data<'a>>>, DecodeError> {
        let mut table = Vec::new();
        while let Some(row) = rows.next_row()? {
            table.push(row.collect::<Result<_, _>>()?);
        }
        Ok(table)
    }

    #[test]
    fn tagged_and_compact() {
        let tagged = [1, 2, 2, 2, 0x12, 0, 1, 6, 0, 0, 0, 100, 2, 2, 0x12, 0, 2, 6, 0, 0, 0, 200];
        let compact = [0x13, 2, 2, 0x12, 6, 12, 0, 1, 0, 0, 0, 100, 0, 2, 0, 0, 0, 200];
        let row = |index, value| vec![Data::LongUnsigned(index), Data::DoubleLongUnsigned(value)];
        for buffer in [&tagged[..], &compact] {
            assert_eq!(all(Rows::from_octets(buffer).unwrap()).unwrap(), [row(1, 100), row(2, 200)]);
            let mut rows = Rows::from_octets(buffer).unwrap();
            assert_eq!(rows.next_row().unwrap().unwrap().next(), Some(Ok(Data::LongUnsigned(1))));
            let second: Vec<_> = rows.next_row().unwrap().unwrap().map(Result::unwrap).collect();
            assert_eq!(second, row(2, 200), "a cell that was not taken is passed over");
            rows.finish().unwrap().finish().unwrap();
        }
    }

    #[test]
    fn the_buffer_of_the_reference() {
        let octets = [
            0x01, 0x03, 0x02, 0x03, 0x09, 0x0C, 0x07, 0xEA, 0x01, 0x05, 0x01, 0x08, 0, 0, 0, 0xFF, 0xC4, 0,
            0x11, 0, 0x06, 0, 0, 0x13, 0x91, 0x02, 0x03, 0, 0, 0x06, 0, 0, 0x13, 0x95, 0x02, 0x03, 0x09,
            0x0C, 0x07, 0xEA, 0x01, 0x05, 0x01, 0x0B, 0, 0, 0, 0xFF, 0xC4, 0, 0x11, 0x80, 0,
        ];
        let rows = all(Rows::from_octets(&octets).unwrap()).unwrap();
        assert_eq!(rows[1], [Data::NullData, Data::NullData, Data::DoubleLongUnsigned(5013)]);
        assert_eq!(rows[2][1..], [Data::Unsigned(0x80), Data::NullData]);
        for end in 0..octets.len() {
            let cut = Rows::from_octets(&octets[..end]).and_then(all).unwrap_err();
            assert!(cut.offset <= end);
        }
    }

    #[test]
    fn what_is_no_buffer() {
        for octets in [&[][..], &[2, 0], &[1, 1, 17, 5], &[0x13, 17, 1, 5], &[1, 0x84, 255, 255, 255, 255, 0]]
        {
            assert!(Rows::from_octets(octets).and_then(all).is_err(), "{octets:?}");
        }
        assert!(all(Rows::from_octets(&[1, 0]).unwrap()).unwrap().is_empty());
        assert!(all(Rows::from_octets(&[0x13, 0, 0]).unwrap()).unwrap().is_empty());
    }
}
