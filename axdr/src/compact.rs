//! `compact-array` (tag 19): one type description, then the contents without tags.
//!
//! ```text
//! 13 | TypeDescription | length in octets | contents
//! TypeDescription = the tag of a simple type
//!                 | 01 | number of elements (2) | TypeDescription          array
//!                 | 02 | count | TypeDescription x count                   structure
//! ```
//!
//! The number of elements is found only by consuming the contents. A description of a few octets may announce any
//! number of values that take no octets (null-data), so the number of values is bounded by the octets of the contents
//! ([`VALUES_PER_OCTET`]).

use crate::{BitString, Data, DataKind, DecodeError, DecodeErrorKind, Reader, Sequence, data};

/// How many values (structures and arrays included) an element may hold for each octet that it takes at least, and
/// one. Real elements stay below two.
const VALUES_PER_OCTET: usize = 16;

/// A compact array: one type description, then the contents without tags.
#[derive(Clone, Copy, Debug)]
pub struct CompactArray<'a> {
    description: &'a [u8],
    contents: &'a [u8],
    count: usize,
}

impl<'a> CompactArray<'a> {
    /// Reads the content of a compact-array: description, length, contents.
    pub(crate) fn decode(reader: &mut Reader<'a>, depth: usize) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let element = describe(reader, depth)?;
        let description = start.before(reader);
        let mut contents = {
            let length = reader.length()?;
            reader.sub(length)?
        };
        let octets = contents.rest();
        if octets.is_empty() {
            return Ok(Self { description, contents: octets, count: 0 });
        }
        if element.octets == 0 {
            return Err(contents.error(DecodeErrorKind::trailing(octets.len())));
        }
        if element.values > VALUES_PER_OCTET.saturating_mul(element.octets.saturating_add(1)) {
            return Err(start.error(DecodeErrorKind::TooManyElements));
        }
        let mut count = 0;
        if element.fixed {
            count = octets.len().checked_div(element.octets).unwrap_or(0);
            contents.octets(count.wrapping_mul(element.octets))?;
        }
        while !contents.is_empty() {
            let missing = element.octets.saturating_sub(contents.remaining());
            if missing > 0 {
                return Err(contents.error(DecodeErrorKind::truncated(missing)));
            }
            skip_element(&mut Reader::new(description), &mut contents)?;
            count = count.wrapping_add(1);
        }
        Ok(Self { description, contents: octets, count })
    }

    /// `count` elements that were checked before.
    #[cfg(feature = "alloc")]
    pub(crate) const fn checked(count: usize, description: &'a [u8], contents: &'a [u8]) -> Self {
        Self { description, contents, count }
    }

    /// How many elements there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements.
    pub const fn elements(&self) -> Sequence<'a> {
        Sequence::compact_array(self.count, self.description, self.contents)
    }

    /// The elements, in order.
    pub fn iter(&self) -> crate::Elements<'a> {
        self.elements().iter()
    }

    /// The type description, encoded.
    pub const fn description(&self) -> &'a [u8] {
        self.description
    }

    /// The contents, encoded.
    pub const fn contents(&self) -> &'a [u8] {
        self.contents
    }
}

/// Equal if the elements are, whatever the description says about elements that are not there.
impl PartialEq for CompactArray<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.elements() == other.elements()
    }
}

impl<'a> IntoIterator for CompactArray<'a> {
    type Item = Data<'a>;
    type IntoIter = crate::Elements<'a>;

    fn into_iter(self) -> crate::Elements<'a> {
        self.iter()
    }
}

/// What a type description says about each element.
struct Element {
    /// How many values it holds, itself included; a type is counted once where an array of 0 mentions it.
    values: usize,
    /// How many octets it takes at least.
    octets: usize,
    /// Whether it takes just as many always.
    fixed: bool,
}

/// Checks and passes a type description nested in at most `depth` levels.
fn describe(types: &mut Reader<'_>, depth: usize) -> Result<Element, DecodeError> {
    let Some(inner) = depth.checked_sub(1) else { return Err(types.error(DecodeErrorKind::TooDeep)) };
    match type_of(types)? {
        DataKind::Array => {
            let count = usize::from(types.u16()?);
            let Element { values, octets, fixed } = describe(types, inner)?;
            Ok(Element {
                values: values.saturating_mul(count.max(1)).saturating_add(1),
                octets: octets.saturating_mul(count),
                fixed: fixed || count == 0,
            })
        }
        DataKind::Structure => {
            let mut structure = Element { values: 1, octets: 0, fixed: true };
            for _ in 0..data::count(types)? {
                let Element { values, octets, fixed } = describe(types, inner)?;
                structure.values = structure.values.saturating_add(values);
                structure.octets = structure.octets.saturating_add(octets);
                structure.fixed &= fixed;
            }
            Ok(structure)
        }
        simple => {
            Ok(Element { values: 1, octets: simple.size().unwrap_or(1), fixed: simple.size().is_some() })
        }
    }
}

/// Reads one tag of a type description. Compact arrays do not nest, and delta types are no part of it.
fn type_of(types: &mut Reader<'_>) -> Result<DataKind, DecodeError> {
    let start = types.clone();
    match data::kind(types, "TypeDescription")? {
        kind @ (DataKind::CompactArray
        | DataKind::DeltaInteger
        | DataKind::DeltaLong
        | DataKind::DeltaDoubleLong
        | DataKind::DeltaUnsigned
        | DataKind::DeltaLongUnsigned
        | DataKind::DeltaDoubleLongUnsigned) => Err(start
            .error(DecodeErrorKind::UnknownTag { expected: "TypeDescription".into(), found: kind.tag() })),
        kind => Ok(kind),
    }
}

/// Passes one element and its checked description.
fn skip_element(types: &mut Reader<'_>, contents: &mut Reader<'_>) -> Result<(), DecodeError> {
    match type_of(types)? {
        DataKind::Array => {
            let count = types.u16()?;
            let element = types.clone();
            describe(types, data::MAX_DEPTH)?;
            (0..count).try_for_each(|_| skip_element(&mut element.clone(), contents))
        }
        DataKind::Structure => {
            let count = types.length()?;
            (0..count).try_for_each(|_| skip_element(types, contents))
        }
        simple => skip_simple(contents, simple),
    }
}

/// Checks and passes the content of a value that holds no other values.
pub(crate) fn skip_simple(contents: &mut Reader<'_>, kind: DataKind) -> Result<(), DecodeError> {
    match kind.size() {
        Some(size) => contents.octets(size).map(drop),
        None if kind == DataKind::BitString => BitString::decode(contents).map(drop),
        None if kind == DataKind::Utf8String => data::utf8_string(contents).map(drop),
        None => contents.octet_string().map(drop),
    }
}

/// As [`decode_element`], by value, so that the caller may keep its reader in registers. Gives what is left of both.
#[inline(never)]
pub(crate) fn next_element<'a>(
    types: &'a [u8],
    mut contents: Reader<'a>,
) -> (Result<Data<'a>, DecodeError>, &'a [u8], Reader<'a>) {
    let mut types = Reader::new(types);
    (decode_element(&mut types, &mut contents), types.rest(), contents)
}

/// Reads one element of the type at the start of `types`, both of which were checked.
pub(crate) fn decode_element<'a>(
    types: &mut Reader<'a>,
    contents: &mut Reader<'a>,
) -> Result<Data<'a>, DecodeError> {
    let whole = types.clone();
    let kind = type_of(types)?;
    if !matches!(kind, DataKind::Array | DataKind::Structure) {
        return data::simple(contents, kind);
    }
    let start = contents.clone();
    let (count, inner) = match kind {
        DataKind::Array => (usize::from(types.u16()?), types.rest()),
        _ => (types.length()?, types.rest()),
    };
    *types = whole;
    skip_element(types, contents)?;
    let octets = start.before(contents);
    Ok(match kind {
        DataKind::Array => Data::Array(Sequence::compact_array(count, inner, octets)),
        _ => Data::Structure(Sequence::compact_structure(count, inner, octets)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::{DateTime, Encode, Encoder};

    #[track_caller]
    fn array(octets: &[u8]) -> CompactArray<'_> {
        let Data::CompactArray(array) = Data::from_octets(octets).unwrap() else {
            panic!("no compact-array")
        };
        let mut buffer = [0; 100];
        let mut encoder = Encoder::new(&mut buffer);
        array.encode(&mut encoder).unwrap();
        assert_eq!(encoder.written(), octets);
        assert_eq!(array.iter().count(), array.len());
        array
    }

    #[track_caller]
    fn refused(octets: &[u8]) -> DecodeErrorKind {
        let error = Data::from_octets(octets).unwrap_err();
        assert!(error.offset <= octets.len());
        error.kind
    }

    #[test]
    fn simple_elements() {
        let numbers = [0x13, 0x12, 6, 0, 1, 0, 2, 0, 3];
        assert!(array(&numbers).iter().eq([1, 2, 3].map(Data::LongUnsigned)));
        let strings = [0x13, 9, 6, 2, 0x41, 0x42, 2, 0x43, 0x44];
        assert!(array(&strings).iter().eq([Data::OctetString(b"AB"), Data::OctetString(b"CD")]));
        let time = [0x13, 25, 12, 7, 0xE6, 12, 31, 6, 23, 59, 59, 99, 0xFF, 0xC4, 0];
        assert_eq!(array(&time).iter().next(), Some(Data::DateTime(DateTime(time[3..].try_into().unwrap()))));
        assert!(array(&[0x13, 0, 0]).is_empty());
    }

    #[test]
    fn rows() {
        let octets = [0x13, 2, 2, 0x12, 6, 12, 0, 1, 0, 0, 0, 100, 0, 2, 0, 0, 0, 200];
        let rows: Vec<Vec<_>> =
            array(&octets).iter().map(|row| row.elements().unwrap().iter().collect()).collect();
        let row = |index, value| vec![Data::LongUnsigned(index), Data::DoubleLongUnsigned(value)];
        assert_eq!(rows, [row(1, 100), row(2, 200)]);

        let octets = [0x13, 2, 3, 9, 0x11, 6, 10, 4, 1, 2, 3, 4, 1, 0, 0, 0, 10];
        let row = array(&octets).iter().next().unwrap();
        assert_eq!(
            row.elements().unwrap().iter().collect::<Vec<_>>(),
            [Data::OctetString(&[1, 2, 3, 4]), Data::Unsigned(1), Data::DoubleLongUnsigned(10)]
        );
    }

    #[test]
    fn nested_arrays() {
        let octets = [0x13, 1, 0, 3, 0x11, 6, 1, 2, 3, 4, 5, 6];
        let elements: Vec<Vec<_>> =
            array(&octets).iter().map(|inner| inner.elements().unwrap().iter().collect()).collect();
        assert_eq!(elements, [[1, 2, 3].map(Data::Unsigned), [4, 5, 6].map(Data::Unsigned)]);
        // A structure of an array of 2 octet-strings, an empty array, null and a number.
        let octets = [0x13, 2, 4, 1, 0, 2, 9, 1, 0, 0, 6, 0, 0x11, 4, 1, 0x41, 0, 7];
        let row = array(&octets).iter().next().unwrap();
        // The same, tagged.
        let tagged = [2, 4, 1, 2, 9, 1, 0x41, 9, 0, 1, 0, 0, 0x11, 7];
        assert_eq!(row, Data::from_octets(&tagged).unwrap());
        let mut buffer = [0; 20];
        let mut encoder = Encoder::new(&mut buffer);
        row.encode(&mut encoder).unwrap();
        assert_eq!(encoder.written(), tagged);
    }

    #[test]
    fn malformed() {
        assert_eq!(refused(&[0x13, 0x12, 3, 0, 1, 0]), DecodeErrorKind::Truncated { missing: 1 });
        assert_eq!(refused(&[0x13, 9, 2, 2, 0x41]), DecodeErrorKind::Truncated { missing: 1 });
        assert_eq!(refused(&[0x13, 0, 1, 0]), DecodeErrorKind::TrailingOctets(1));
        for tag in [7, 0x13, 28, 33] {
            assert_eq!(
                refused(&[0x13, tag, 0]),
                DecodeErrorKind::UnknownTag { expected: "TypeDescription".into(), found: tag }
            );
        }
        assert_eq!(
            refused(&[[0x13].as_slice(), &[2, 1].repeat(20), &[0, 0]].concat()),
            DecodeErrorKind::TooDeep
        );
    }

    #[test]
    fn a_short_description_cannot_ask_for_much_work() {
        // {array of 65535 of array of 65535 of null-data, u8}, and the same with u8 inside.
        let many = [1, 0xFF, 0xFF, 1, 0xFF, 0xFF];
        let octets = [[0x13, 2, 2].as_slice(), &many, &[0, 0x11, 1, 5]].concat();
        assert_eq!(refused(&octets), DecodeErrorKind::TooManyElements);
        let octets = [[0x13].as_slice(), &many, &[9, 2, 0, 0]].concat();
        assert!(matches!(refused(&octets), DecodeErrorKind::Truncated { .. }));
        // A description of 30,000 types of nothing before each octet.
        let octets =
            [[0x13, 2, 0x82, 0x75, 0x30].as_slice(), &[0; 29_999], &[0x11, 0x82, 0x40, 0], &[5; 0x4000]]
                .concat();
        assert_eq!(refused(&octets), DecodeErrorKind::TooManyElements);
    }
}
