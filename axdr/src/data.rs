//! `Data`, the CHOICE that carries every COSEM value (IEC 62056-5-3, `Data`), borrowed from the octets it was read from.

use crate::{Date, DateTime, DecodeError, DecodeErrorKind, Reader, Time};

/// How deep values may be nested. The deepest standard value (an association's object_list) needs 6.
pub const MAX_DEPTH: usize = 16;

/// The types of COSEM data, by their tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum DataKind {
    NullData = 0,
    Array = 1,
    Structure = 2,
    Boolean = 3,
    BitString = 4,
    DoubleLong = 5,
    DoubleLongUnsigned = 6,
    OctetString = 9,
    VisibleString = 10,
    Utf8String = 12,
    Bcd = 13,
    Integer = 15,
    Long = 16,
    Unsigned = 17,
    LongUnsigned = 18,
    CompactArray = 19,
    Long64 = 20,
    Long64Unsigned = 21,
    Enum = 22,
    Float32 = 23,
    Float64 = 24,
    DateTime = 25,
    Date = 26,
    Time = 27,
    DeltaInteger = 28,
    DeltaLong = 29,
    DeltaDoubleLong = 30,
    DeltaUnsigned = 31,
    DeltaLongUnsigned = 32,
    DeltaDoubleLongUnsigned = 33,
    DontCare = 255,
}

/// A COSEM value. Strings, arrays and structures borrow the octets they were read from; those octets were checked
/// whole, so walking them cannot fail.
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

/// The elements of an array or a structure, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sequence<'a> {
    count: usize,
    octets: &'a [u8],
}

/// A bit string; bit 0 is the most significant bit of the first octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitString<'a> {
    bits: usize,
    octets: &'a [u8],
}

/// A compact array: one type description, then the contents without tags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactArray<'a> {
    description: &'a [u8],
    contents: &'a [u8],
}

/// Iterates over the elements of a [`Sequence`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl<'a> Data<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// The octets are not one value of a known type, or it is nested deeper than [`MAX_DEPTH`].
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        decode(reader, MAX_DEPTH)
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
}

impl<'a> Sequence<'a> {
    /// How many elements there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements, in order.
    pub const fn iter(&self) -> Elements<'a> {
        Elements { left: self.count, reader: Reader::new(self.octets) }
    }

    /// The encoded elements, without tag and count.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }
}

impl<'a> IntoIterator for Sequence<'a> {
    type Item = Data<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        self.iter()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Data<'a>;

    fn next(&mut self) -> Option<Data<'a>> {
        self.left = self.left.checked_sub(1)?;
        decode(&mut self.reader, MAX_DEPTH).ok()
    }
}

impl<'a> BitString<'a> {
    /// A bit string of the first `bits` bits of `octets`, if there are so many.
    pub const fn new(bits: usize, octets: &'a [u8]) -> Option<Self> {
        if bits.div_ceil(8) == octets.len() { Some(Self { bits, octets }) } else { None }
    }

    /// How many bits there are.
    pub const fn len(&self) -> usize {
        self.bits
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// The octets; unused low bits of the last one have no meaning.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }
}

fn decode<'a>(reader: &mut Reader<'a>, depth: usize) -> Result<Data<'a>, DecodeError> {
    let start = reader.clone();
    let tag = reader.u8()?;
    Ok(match tag {
        0 => Data::NullData,
        1 => Data::Array(sequence(reader, depth)?),
        2 => Data::Structure(sequence(reader, depth)?),
        3 => Data::Boolean(reader.u8()? != 0),
        4 => {
            let bits = reader.length()?;
            Data::BitString(BitString { bits, octets: reader.octets(bits.div_ceil(8))? })
        }
        5 => Data::DoubleLong(reader.u32()? as i32),
        6 => Data::DoubleLongUnsigned(reader.u32()?),
        9 => Data::OctetString(reader.octet_string()?),
        10 => Data::VisibleString(reader.octet_string()?),
        12 => {
            let text = reader.octet_string()?;
            Data::Utf8String(
                core::str::from_utf8(text)
                    .map_err(|_| start.error(DecodeErrorKind::InvalidValue("utf8-string")))?,
            )
        }
        13 => Data::Bcd(reader.u8()?),
        15 => Data::Integer(reader.u8()? as i8),
        16 => Data::Long(reader.u16()? as i16),
        17 => Data::Unsigned(reader.u8()?),
        18 => Data::LongUnsigned(reader.u16()?),
        20 => Data::Long64(reader.u64()? as i64),
        21 => Data::Long64Unsigned(reader.u64()?),
        22 => Data::Enum(reader.u8()?),
        23 => Data::Float32(f32::from_bits(reader.u32()?)),
        24 => Data::Float64(f64::from_bits(reader.u64()?)),
        25 => Data::DateTime(DateTime(reader.array()?)),
        26 => Data::Date(Date(reader.array()?)),
        27 => Data::Time(Time(reader.array()?)),
        28 => Data::DeltaInteger(reader.u8()? as i8),
        29 => Data::DeltaLong(reader.u16()? as i16),
        30 => Data::DeltaDoubleLong(reader.u32()? as i32),
        31 => Data::DeltaUnsigned(reader.u8()?),
        32 => Data::DeltaLongUnsigned(reader.u16()?),
        33 => Data::DeltaDoubleLongUnsigned(reader.u32()?),
        255 => Data::DontCare,
        found => return Err(start.error(DecodeErrorKind::UnknownTag { expected: "Data", found })),
    })
}

fn sequence<'a>(reader: &mut Reader<'a>, depth: usize) -> Result<Sequence<'a>, DecodeError> {
    let Some(depth) = depth.checked_sub(1) else { return Err(reader.error(DecodeErrorKind::TooDeep)) };
    let count = reader.length()?;
    let octets = reader.rest();
    let start = reader.offset();
    for _ in 0..count {
        decode(reader, depth)?;
    }
    Ok(Sequence { count, octets: &octets[..reader.offset() - start] })
}
