//! `Data`, the CHOICE that carries every COSEM value (IEC 62056-5-3, `Data`), borrowed from the octets it was read from.
//!
//! Decoding checks a value whole, nested values included, and keeps only slices of it. Nothing is allocated, recursion
//! does not exist, and the work is linear in the octets: every value inside takes at least one of them.

use crate::{
    BitString, CompactArray, DataKind, Date, DateTime, DecodeError, DecodeErrorKind, Reader, SMALL, Sequence,
    Time, compact,
};

/// How deep values may be nested. The deepest standard value (an association's object_list) needs 6.
pub const MAX_DEPTH: usize = 16;

/// A COSEM value. Strings, arrays and structures borrow the octets they were read from; those octets were checked
/// whole, so walking them cannot fail.
///
/// ```
/// use dlms_axdr::Data;
/// let data = Data::from_octets(&[0x02, 0x02, 0x11, 0x01, 0x12, 0x00, 0x02])?;
/// let values: i128 = data.elements().unwrap().iter().filter_map(|element| element.integer()).sum();
/// assert_eq!(values, 3);
/// # Ok::<(), dlms_axdr::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard; each variant is the type of `DataKind`")]
pub enum Data<'a> {
    NullData,
    Array(Sequence<'a>),
    Structure(Sequence<'a>),
    Boolean(bool),
    BitString(BitString<'a>),
    DoubleLong(i32),
    DoubleLongUnsigned(u32),
    OctetString(&'a [u8]),
    /// ASCII by the standard; meters send other octets too, which are kept.
    VisibleString(&'a [u8]),
    Utf8String(&'a str),
    Bcd(u8),
    Integer(i8),
    Long(i16),
    Unsigned(u8),
    LongUnsigned(u16),
    CompactArray(CompactArray<'a>),
    Long64(i64),
    Long64Unsigned(u64),
    Enum(u8),
    Float32(f32),
    Float64(f64),
    DateTime(DateTime),
    Date(Date),
    Time(Time),
    DeltaInteger(i8),
    DeltaLong(i16),
    DeltaDoubleLong(i32),
    DeltaUnsigned(u8),
    DeltaLongUnsigned(u16),
    DeltaDoubleLongUnsigned(u32),
    DontCare,
}

impl<'a> Data<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// The octets are not one value of a known type, or it is nested deeper than [`MAX_DEPTH`].
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if !SMALL && let Some(data) = flat_sequence(reader) {
            return Ok(data);
        }
        let kind = kind(reader, "Data")?;
        Ok(match kind {
            DataKind::Array => Data::Array(sequence(reader)?),
            DataKind::Structure => Data::Structure(sequence(reader)?),
            DataKind::CompactArray => Data::CompactArray(CompactArray::decode(reader, MAX_DEPTH)?),
            _ => simple(reader, kind)?,
        })
    }

    /// As [`Data::decode`], for loops over the cells of a load profile: these are nearly always of one of the types
    /// here. The others are kept out of the loop, and take the reader by value, so that it stays in registers.
    #[inline(always)]
    pub(crate) fn decode_cell(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if SMALL {
            return Self::decode(reader);
        }
        // Compared one after the other: a jump table costs more than all the rest.
        if let Some(&[6, a, b, c, d]) = reader.rest().first_chunk() {
            reader.pass(5);
            return Ok(Data::DoubleLongUnsigned(u32::from_be_bytes([a, b, c, d])));
        }
        if let Some(&[9, length @ 0..0x80]) = reader.rest().first_chunk() {
            reader.pass(2);
            return reader.octets(length.into()).map(Data::OctetString);
        }
        match reader.peek() {
            Some(0) => {
                reader.pass(1);
                Ok(Data::NullData)
            }
            Some(17) => Ok(Data::Unsigned(u8::from_be_bytes(reader.tagged()?))),
            Some(18) => Ok(Data::LongUnsigned(u16::from_be_bytes(reader.tagged()?))),
            _ => {
                let (data, after) = decode_any(reader.clone());
                *reader = after;
                data
            }
        }
    }

    /// Reads one value that takes all of `octets`.
    ///
    /// # Errors
    /// As [`Data::decode`], or octets are left over.
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(octets);
        let data = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(data)
    }

    /// The type of the value.
    pub const fn kind(&self) -> DataKind {
        match self {
            Data::NullData => DataKind::NullData,
            Data::Array(_) => DataKind::Array,
            Data::Structure(_) => DataKind::Structure,
            Data::Boolean(_) => DataKind::Boolean,
            Data::BitString(_) => DataKind::BitString,
            Data::DoubleLong(_) => DataKind::DoubleLong,
            Data::DoubleLongUnsigned(_) => DataKind::DoubleLongUnsigned,
            Data::OctetString(_) => DataKind::OctetString,
            Data::VisibleString(_) => DataKind::VisibleString,
            Data::Utf8String(_) => DataKind::Utf8String,
            Data::Bcd(_) => DataKind::Bcd,
            Data::Integer(_) => DataKind::Integer,
            Data::Long(_) => DataKind::Long,
            Data::Unsigned(_) => DataKind::Unsigned,
            Data::LongUnsigned(_) => DataKind::LongUnsigned,
            Data::CompactArray(_) => DataKind::CompactArray,
            Data::Long64(_) => DataKind::Long64,
            Data::Long64Unsigned(_) => DataKind::Long64Unsigned,
            Data::Enum(_) => DataKind::Enum,
            Data::Float32(_) => DataKind::Float32,
            Data::Float64(_) => DataKind::Float64,
            Data::DateTime(_) => DataKind::DateTime,
            Data::Date(_) => DataKind::Date,
            Data::Time(_) => DataKind::Time,
            Data::DeltaInteger(_) => DataKind::DeltaInteger,
            Data::DeltaLong(_) => DataKind::DeltaLong,
            Data::DeltaDoubleLong(_) => DataKind::DeltaDoubleLong,
            Data::DeltaUnsigned(_) => DataKind::DeltaUnsigned,
            Data::DeltaLongUnsigned(_) => DataKind::DeltaLongUnsigned,
            Data::DeltaDoubleLongUnsigned(_) => DataKind::DeltaDoubleLongUnsigned,
            Data::DontCare => DataKind::DontCare,
        }
    }

    /// The integer, whatever its width; `enum`, `bcd`, `boolean` and the delta types are none.
    pub fn integer(&self) -> Option<i128> {
        match *self {
            Data::Long64Unsigned(value) => Some(value.into()),
            _ => self.long64().map(i128::from),
        }
    }

    /// As [`Data::integer`], if it fits.
    pub(crate) fn long64(&self) -> Option<i64> {
        Some(match *self {
            Data::Integer(value) => value.into(),
            Data::Long(value) => value.into(),
            Data::DoubleLong(value) => value.into(),
            Data::Long64(value) => value,
            Data::Unsigned(value) => value.into(),
            Data::LongUnsigned(value) => value.into(),
            Data::DoubleLongUnsigned(value) => value.into(),
            Data::Long64Unsigned(value) => value.try_into().ok()?,
            _ => return None,
        })
    }

    /// The integer or floating-point number, as close as an `f64` comes to it.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Data::Float32(value) => Some(value.into()),
            Data::Float64(value) => Some(value),
            _ => self.integer().map(|value| value as f64),
        }
    }

    /// The text of a visible-string or a utf8-string, if it is valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Data::Utf8String(text) => Some(text),
            Data::VisibleString(octets) => core::str::from_utf8(octets).ok(),
            _ => None,
        }
    }

    /// The octets of an octet-string.
    pub const fn as_octets(&self) -> Option<&'a [u8]> {
        match *self {
            Data::OctetString(octets) => Some(octets),
            _ => None,
        }
    }

    /// The elements of an array, a structure or a compact-array.
    pub const fn elements(&self) -> Option<Sequence<'a>> {
        match *self {
            Data::Array(elements) | Data::Structure(elements) => Some(elements),
            Data::CompactArray(ref array) => Some(array.elements()),
            _ => None,
        }
    }

    /// Whether the value is null-data.
    pub const fn is_null(&self) -> bool {
        matches!(self, Data::NullData)
    }
}

#[inline(never)]
fn decode_any(mut reader: Reader<'_>) -> (Result<Data<'_>, DecodeError>, Reader<'_>) {
    (Data::decode(&mut reader), reader)
}

/// An array or structure of less than 128 values of the usual types, which hold no others. Nothing is read otherwise.
#[inline]
pub(crate) fn flat_sequence<'a>(reader: &mut Reader<'a>) -> Option<Data<'a>> {
    let [tag @ (1 | 2), count @ 0..0x80, rest @ ..] = reader.rest() else { return None };
    let count = usize::from(*count);
    let (0, length) = flat(rest, count) else { return None };
    let elements = Sequence::tagged(count, rest.get(..length)?);
    reader.pass(2 + length);
    Some(if *tag == 1 { Data::Array(elements) } else { Data::Structure(elements) })
}

/// Reads a tag.
pub(crate) fn kind(reader: &mut Reader<'_>, expected: &'static str) -> Result<DataKind, DecodeError> {
    let start = reader.offset();
    let found = reader.u8()?;
    DataKind::from_tag(found).ok_or(DecodeError {
        offset: start,
        kind: DecodeErrorKind::UnknownTag { expected: expected.into(), found },
    })
}

/// Reads the content of a value that holds no other values.
pub(crate) fn simple<'a>(reader: &mut Reader<'a>, kind: DataKind) -> Result<Data<'a>, DecodeError> {
    Ok(match kind {
        DataKind::NullData => Data::NullData,
        DataKind::Boolean => Data::Boolean(reader.u8()? != 0),
        DataKind::BitString => Data::BitString(BitString::decode(reader)?),
        DataKind::DoubleLong => Data::DoubleLong(reader.u32()? as i32),
        DataKind::DoubleLongUnsigned => Data::DoubleLongUnsigned(reader.u32()?),
        DataKind::OctetString => Data::OctetString(reader.octet_string()?),
        DataKind::VisibleString => Data::VisibleString(reader.octet_string()?),
        DataKind::Utf8String => Data::Utf8String(utf8_string(reader)?),
        DataKind::Bcd => Data::Bcd(reader.u8()?),
        DataKind::Integer => Data::Integer(reader.u8()? as i8),
        DataKind::Long => Data::Long(reader.u16()? as i16),
        DataKind::Unsigned => Data::Unsigned(reader.u8()?),
        DataKind::LongUnsigned => Data::LongUnsigned(reader.u16()?),
        DataKind::Long64 => Data::Long64(reader.u64()? as i64),
        DataKind::Long64Unsigned => Data::Long64Unsigned(reader.u64()?),
        DataKind::Enum => Data::Enum(reader.u8()?),
        DataKind::Float32 => Data::Float32(f32::from_bits(reader.u32()?)),
        DataKind::Float64 => Data::Float64(f64::from_bits(reader.u64()?)),
        DataKind::DateTime => Data::DateTime(DateTime(reader.array()?)),
        DataKind::Date => Data::Date(Date(reader.array()?)),
        DataKind::Time => Data::Time(Time(reader.array()?)),
        DataKind::DeltaInteger => Data::DeltaInteger(reader.u8()? as i8),
        DataKind::DeltaLong => Data::DeltaLong(reader.u16()? as i16),
        DataKind::DeltaDoubleLong => Data::DeltaDoubleLong(reader.u32()? as i32),
        DataKind::DeltaUnsigned => Data::DeltaUnsigned(reader.u8()?),
        DataKind::DeltaLongUnsigned => Data::DeltaLongUnsigned(reader.u16()?),
        DataKind::DeltaDoubleLongUnsigned => Data::DeltaDoubleLongUnsigned(reader.u32()?),
        DataKind::DontCare => Data::DontCare,
        DataKind::Array | DataKind::Structure | DataKind::CompactArray => {
            return Err(reader
                .error(DecodeErrorKind::UnknownTag { expected: "simple type".into(), found: kind.tag() }));
        }
    })
}

/// Reads the content of a utf8-string.
pub(crate) fn utf8_string<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let octets = reader.octet_string()?;
    core::str::from_utf8(octets).map_err(|error| DecodeError {
        offset: reader.offset().wrapping_sub(octets.len()).wrapping_add(error.valid_up_to()),
        kind: DecodeErrorKind::InvalidValue("utf8-string".into()),
    })
}

/// The octets of a value of fixed size, tag included, by its tag; 0 for every other tag.
const SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut tag = 0;
    while tag < sizes.len() {
        if let Some(kind) = DataKind::from_tag(tag as u8)
            && let Some(size) = kind.size()
        {
            sizes[tag] = 1 + size as u8;
        }
        tag += 1;
    }
    sizes
};

/// Reads the number of elements of an array or a structure. Each takes one octet at least.
#[inline]
pub(crate) fn count(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let count = reader.length()?;
    match count.checked_sub(reader.remaining()) {
        None | Some(0) => Ok(count),
        Some(missing) => Err(reader.error(DecodeErrorKind::truncated(missing))),
    }
}

fn sequence<'a>(reader: &mut Reader<'a>) -> Result<Sequence<'a>, DecodeError> {
    let count = count(reader)?;
    let start = reader.clone();
    skip(reader, count, MAX_DEPTH - 1)?;
    Ok(Sequence::tagged(count, start.before(reader)))
}

/// Checks and passes `values` values that hold at most `depth` levels of others.
pub(crate) fn skip(reader: &mut Reader<'_>, values: usize, depth: usize) -> Result<(), DecodeError> {
    match skip_flat(reader, values) {
        0 => Ok(()),
        left => skip_nested(reader, left, depth),
    }
}

fn skip_nested(reader: &mut Reader<'_>, values: usize, depth: usize) -> Result<(), DecodeError> {
    // How many values are left in each sequence that is open around the current one.
    let mut outer = [0; MAX_DEPTH];
    let depth = depth.min(MAX_DEPTH);
    let mut level = 0usize;
    let mut left = values;
    loop {
        left = skip_flat(reader, left);
        while left == 0 {
            level = level.wrapping_sub(1);
            match outer.get(level) {
                Some(around) => left = *around,
                None => return Ok(()),
            }
        }
        left -= 1;
        // The rows of a profile.
        if !SMALL
            && let [1 | 2, count @ 0..0x80, rest @ ..] = reader.rest()
            && usize::from(*count) <= rest.len()
            && level < depth
        {
            reader.pass(2);
            outer[level] = left;
            level += 1;
            left = usize::from(*count);
            continue;
        }
        let kind = kind(reader, "Data")?;
        match kind {
            DataKind::Array | DataKind::Structure => {
                if level >= depth {
                    return Err(reader.error(DecodeErrorKind::TooDeep));
                }
                outer[level] = left;
                level += 1;
                left = count(reader)?;
            }
            DataKind::CompactArray => {
                CompactArray::decode(reader, depth.saturating_sub(level))?;
            }
            _ => compact::skip_simple(reader, kind)?,
        }
    }
}

/// Passes up to `values` values of the usual types; gives how many are left before one of another type, or one that is
/// malformed.
fn skip_flat(reader: &mut Reader<'_>, values: usize) -> usize {
    let (left, passed) = flat(reader.rest(), values);
    reader.pass(passed);
    left
}

/// How many of `values` values are left, and how many octets the others take, before one that is of an unusual type or
/// malformed.
#[inline(never)]
fn flat(all: &[u8], values: usize) -> (usize, usize) {
    let (mut octets, mut left) = (all, values);
    while left > 0 {
        let rest = match octets {
            // Compared, not looked up: where the next value begins is then predicted, not waited for.
            [6, _, _, _, _, rest @ ..] => Some(rest),
            // An octet-string or visible-string of a short length.
            [9 | 10, length @ 0..0x80, rest @ ..] => rest.get(usize::from(*length)..),
            [tag, ..] => match usize::from(SIZES[usize::from(*tag)]) {
                0 => None,
                size => octets.get(size..),
            },
            [] => None,
        };
        match rest {
            Some(rest) => octets = rest,
            None => break,
        }
        left -= 1;
    }
    (left, all.len().wrapping_sub(octets.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::{Encode, Encoder};

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn encoded(data: &Data<'_>) -> Vec<u8> {
        let mut buffer = vec![0; 1000];
        let mut encoder = Encoder::new(&mut buffer);
        data.encode(&mut encoder).unwrap();
        encoder.written().to_vec()
    }

    /// `hex` is `expected`, and is written so again.
    #[track_caller]
    fn both_ways(hex: &str, expected: Data<'_>) {
        let octets = octets(hex);
        assert_eq!(Data::from_octets(&octets), Ok(expected));
        assert_eq!(encoded(&expected), octets);
        let cut = Data::from_octets(&octets[..octets.len() - 1]).unwrap_err();
        assert!(cut.offset < octets.len(), "{cut}");
    }

    #[track_caller]
    fn refused(hex: &str) -> DecodeError {
        Data::from_octets(&octets(hex)).unwrap_err()
    }

    #[test]
    fn every_simple_type() {
        both_ways("00", Data::NullData);
        both_ways("0301", Data::Boolean(true));
        both_ways("040BA540", Data::BitString(BitString::new(11, &[0xA5, 0x40]).unwrap()));
        both_ways("0400", Data::BitString(BitString::new(0, &[]).unwrap()));
        both_ways("05FFFFFFFE", Data::DoubleLong(-2));
        both_ways("06FFFFFFFE", Data::DoubleLongUnsigned(4_294_967_294));
        both_ways("0903414243", Data::OctetString(b"ABC"));
        both_ways("0A03303030", Data::VisibleString(b"000"));
        both_ways("0C04C3A4C3B6", Data::Utf8String("äö"));
        both_ways("0D45", Data::Bcd(0x45));
        both_ways("0FFE", Data::Integer(-2));
        both_ways("10FFFE", Data::Long(-2));
        both_ways("11FE", Data::Unsigned(254));
        both_ways("12FFFE", Data::LongUnsigned(65534));
        both_ways("14FFFFFFFFFFFFFFFE", Data::Long64(-2));
        both_ways("15FFFFFFFFFFFFFFFE", Data::Long64Unsigned(u64::MAX - 1));
        both_ways("161E", Data::Enum(30));
        both_ways("1742C80000", Data::Float32(100.0));
        both_ways("184059000000000000", Data::Float64(100.0));
        both_ways(
            "1907E60C1F06173B3B63FFC400",
            Data::DateTime(DateTime([7, 0xE6, 12, 31, 6, 23, 59, 59, 99, 0xFF, 0xC4, 0])),
        );
        both_ways("1A07E60C1F06", Data::Date(Date([7, 0xE6, 12, 31, 6])));
        both_ways("1B173B3B63", Data::Time(Time([23, 59, 59, 99])));
        both_ways("1CFE", Data::DeltaInteger(-2));
        both_ways("1DFFFE", Data::DeltaLong(-2));
        both_ways("1EFFFFFFFE", Data::DeltaDoubleLong(-2));
        both_ways("1FFE", Data::DeltaUnsigned(254));
        both_ways("20FFFE", Data::DeltaLongUnsigned(65534));
        both_ways("21FFFFFFFE", Data::DeltaDoubleLongUnsigned(4_294_967_294));
        both_ways("FF", Data::DontCare);
        assert_eq!(Data::from_octets(&[3, 0xFF]), Ok(Data::Boolean(true)));
    }

    #[test]
    fn arrays_and_structures() {
        let array = octets("010211011102");
        let Ok(Data::Array(elements)) = Data::from_octets(&array) else { panic!("no array") };
        assert!(elements.iter().eq([Data::Unsigned(1), Data::Unsigned(2)]));
        let structure = octets("02021101120002");
        let Ok(Data::Structure(elements)) = Data::from_octets(&structure) else { panic!("no structure") };
        assert!(elements.iter().eq([Data::Unsigned(1), Data::LongUnsigned(2)]));
        assert_eq!(elements.octets(), Some(&structure[2..]));
        both_ways("0100", Data::Array(Sequence::EMPTY));
        both_ways("0200", Data::Structure(Sequence::EMPTY));
    }

    #[test]
    fn long_lengths() {
        both_ways(
            "04818001020304050607080910111213141516",
            Data::BitString(BitString::new(128, &octets("01020304050607080910111213141516")).unwrap()),
        );
        // A longer form than needed is read, and written short.
        assert_eq!(Data::from_octets(&octets("0982000141")), Ok(Data::OctetString(b"A")));
        assert_eq!(refused("0980").kind, DecodeErrorKind::InvalidLength(0x80));
        assert_eq!(refused("09850000000001").kind, DecodeErrorKind::InvalidLength(0x85));
    }

    #[test]
    fn malformed() {
        for tag in [7, 8, 11, 14, 34, 254] {
            let error = Data::from_octets(&[2, 1, tag]).unwrap_err();
            assert_eq!(
                (error.offset, error.kind),
                (2, DecodeErrorKind::UnknownTag { expected: "Data".into(), found: tag })
            );
        }
        assert_eq!(refused("010311011102").kind, DecodeErrorKind::Truncated { missing: 1 });
        assert_eq!(refused("1100FF").kind, DecodeErrorKind::TrailingOctets(1));
        assert_eq!(refused("0C03C3A4C3").offset, 4);
        // Claims of 4 GiB: of octets, of bits, of elements.
        for tag in ["09", "04", "01", "02", "1306"] {
            assert!(matches!(
                refused(&format!("{tag}84FFFFFFFF0000")).kind,
                DecodeErrorKind::Truncated { .. }
            ));
        }
    }

    #[test]
    fn nesting() {
        let nested = |depth| {
            let mut octets = [1, 1].repeat(depth);
            octets.extend([17, 5]);
            octets
        };
        let deepest = nested(MAX_DEPTH);
        let mut data = Data::from_octets(&deepest).unwrap();
        for _ in 0..MAX_DEPTH {
            let elements = data.elements().unwrap();
            assert_eq!(elements.iter().count(), 1);
            data = elements.get(0).unwrap();
        }
        assert_eq!(data, Data::Unsigned(5));
        for depth in [MAX_DEPTH + 1, 100_000] {
            assert_eq!(Data::from_octets(&nested(depth)).unwrap_err().kind, DecodeErrorKind::TooDeep);
        }
    }

    #[test]
    fn accessors() {
        assert_eq!(Data::Long(-7).integer(), Some(-7));
        assert_eq!(Data::Enum(7).integer(), None);
        assert_eq!(Data::Float32(0.5).number(), Some(0.5));
        assert_eq!(Data::VisibleString(b"x").as_str(), Some("x"));
        assert_eq!(Data::VisibleString(&[0xE9]).as_str(), None);
        assert_eq!(Data::Boolean(true).kind().name(), "boolean");
        for tag in 0..=255 {
            assert!(DataKind::from_tag(tag).is_none_or(|kind| kind.tag() == tag));
        }
    }
}
