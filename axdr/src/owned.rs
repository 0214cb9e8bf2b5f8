//! `Data` that owns what it holds.
//!
//! A tree of values, to be built, kept and changed. Everything that reads values reads [`Data`]; a tree lends itself as
//! such ([`OwnedData::as_data`]) without being encoded.

use alloc::{string::String, vec, vec::Vec};

use crate::{
    BitString, BufferFull, CompactArray, Data, DataKind, Date, DateTime, DecodeError, Encode, Encoder,
    Sequence, Time,
};

/// A COSEM value that owns its strings and elements.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the standard; each variant is the type of `DataKind`")]
pub enum OwnedData {
    NullData,
    Array(Vec<OwnedData>),
    Structure(Vec<OwnedData>),
    Boolean(bool),
    BitString(OwnedBitString),
    DoubleLong(i32),
    DoubleLongUnsigned(u32),
    OctetString(Vec<u8>),
    /// ASCII by the standard; meters send other octets too, which are kept.
    VisibleString(Vec<u8>),
    Utf8String(String),
    Bcd(u8),
    Integer(i8),
    Long(i16),
    Unsigned(u8),
    LongUnsigned(u16),
    CompactArray(OwnedCompactArray),
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

/// A bit string that owns its bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedBitString {
    bits: usize,
    octets: Vec<u8>,
}

/// A compact array that owns its description and contents.
#[derive(Clone, Debug)]
pub struct OwnedCompactArray {
    count: usize,
    description: Vec<u8>,
    contents: Vec<u8>,
}

impl OwnedData {
    /// The value, borrowed.
    pub fn as_data(&self) -> Data<'_> {
        match self {
            OwnedData::NullData => Data::NullData,
            OwnedData::Array(elements) => Data::Array(Sequence::owned(elements)),
            OwnedData::Structure(elements) => Data::Structure(Sequence::owned(elements)),
            OwnedData::Boolean(value) => Data::Boolean(*value),
            OwnedData::BitString(bits) => Data::BitString(bits.as_bits()),
            OwnedData::DoubleLong(value) => Data::DoubleLong(*value),
            OwnedData::DoubleLongUnsigned(value) => Data::DoubleLongUnsigned(*value),
            OwnedData::OctetString(octets) => Data::OctetString(octets),
            OwnedData::VisibleString(octets) => Data::VisibleString(octets),
            OwnedData::Utf8String(text) => Data::Utf8String(text),
            OwnedData::Bcd(value) => Data::Bcd(*value),
            OwnedData::Integer(value) => Data::Integer(*value),
            OwnedData::Long(value) => Data::Long(*value),
            OwnedData::Unsigned(value) => Data::Unsigned(*value),
            OwnedData::LongUnsigned(value) => Data::LongUnsigned(*value),
            OwnedData::CompactArray(array) => Data::CompactArray(array.as_array()),
            OwnedData::Long64(value) => Data::Long64(*value),
            OwnedData::Long64Unsigned(value) => Data::Long64Unsigned(*value),
            OwnedData::Enum(value) => Data::Enum(*value),
            OwnedData::Float32(value) => Data::Float32(*value),
            OwnedData::Float64(value) => Data::Float64(*value),
            OwnedData::DateTime(value) => Data::DateTime(*value),
            OwnedData::Date(value) => Data::Date(*value),
            OwnedData::Time(value) => Data::Time(*value),
            OwnedData::DeltaInteger(value) => Data::DeltaInteger(*value),
            OwnedData::DeltaLong(value) => Data::DeltaLong(*value),
            OwnedData::DeltaDoubleLong(value) => Data::DeltaDoubleLong(*value),
            OwnedData::DeltaUnsigned(value) => Data::DeltaUnsigned(*value),
            OwnedData::DeltaLongUnsigned(value) => Data::DeltaLongUnsigned(*value),
            OwnedData::DeltaDoubleLongUnsigned(value) => Data::DeltaDoubleLongUnsigned(*value),
            OwnedData::DontCare => Data::DontCare,
        }
    }

    /// Reads one value that takes all of `octets`.
    ///
    /// # Errors
    /// As [`Data::from_octets`].
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        Data::from_octets(octets).map(Self::from)
    }

    /// The value, encoded.
    pub fn to_octets(&self) -> Vec<u8> {
        self.as_data().to_octets()
    }

    /// The type of the value.
    pub fn kind(&self) -> DataKind {
        self.as_data().kind()
    }
}

impl Data<'_> {
    /// The value, encoded.
    pub fn to_octets(&self) -> Vec<u8> {
        encoded(self)
    }

    /// The value, with what it borrows copied.
    pub fn to_owned(&self) -> OwnedData {
        OwnedData::from(*self)
    }
}

/// `value`, encoded into as many octets as it takes.
pub(crate) fn encoded(value: &(impl Encode + ?Sized)) -> Vec<u8> {
    let mut octets = vec![0; 64];
    loop {
        let mut encoder = Encoder::new(&mut octets);
        let done = value.encode(&mut encoder).is_ok();
        let (length, size) = (encoder.len(), octets.len());
        if done {
            octets.truncate(length);
            return octets;
        }
        octets.resize(size * 4, 0);
    }
}

impl From<Data<'_>> for OwnedData {
    fn from(data: Data<'_>) -> Self {
        match data {
            Data::NullData => OwnedData::NullData,
            Data::Array(elements) => OwnedData::Array(elements.iter().map(Self::from).collect()),
            Data::Structure(elements) => OwnedData::Structure(elements.iter().map(Self::from).collect()),
            Data::Boolean(value) => OwnedData::Boolean(value),
            Data::BitString(bits) => OwnedData::BitString(bits.into()),
            Data::DoubleLong(value) => OwnedData::DoubleLong(value),
            Data::DoubleLongUnsigned(value) => OwnedData::DoubleLongUnsigned(value),
            Data::OctetString(octets) => OwnedData::OctetString(octets.into()),
            Data::VisibleString(octets) => OwnedData::VisibleString(octets.into()),
            Data::Utf8String(text) => OwnedData::Utf8String(text.into()),
            Data::Bcd(value) => OwnedData::Bcd(value),
            Data::Integer(value) => OwnedData::Integer(value),
            Data::Long(value) => OwnedData::Long(value),
            Data::Unsigned(value) => OwnedData::Unsigned(value),
            Data::LongUnsigned(value) => OwnedData::LongUnsigned(value),
            Data::CompactArray(array) => OwnedData::CompactArray(array.into()),
            Data::Long64(value) => OwnedData::Long64(value),
            Data::Long64Unsigned(value) => OwnedData::Long64Unsigned(value),
            Data::Enum(value) => OwnedData::Enum(value),
            Data::Float32(value) => OwnedData::Float32(value),
            Data::Float64(value) => OwnedData::Float64(value),
            Data::DateTime(value) => OwnedData::DateTime(value),
            Data::Date(value) => OwnedData::Date(value),
            Data::Time(value) => OwnedData::Time(value),
            Data::DeltaInteger(value) => OwnedData::DeltaInteger(value),
            Data::DeltaLong(value) => OwnedData::DeltaLong(value),
            Data::DeltaDoubleLong(value) => OwnedData::DeltaDoubleLong(value),
            Data::DeltaUnsigned(value) => OwnedData::DeltaUnsigned(value),
            Data::DeltaLongUnsigned(value) => OwnedData::DeltaLongUnsigned(value),
            Data::DeltaDoubleLongUnsigned(value) => OwnedData::DeltaDoubleLongUnsigned(value),
            Data::DontCare => OwnedData::DontCare,
        }
    }
}

impl<'a> From<&'a OwnedData> for Data<'a> {
    fn from(data: &'a OwnedData) -> Self {
        data.as_data()
    }
}

impl PartialEq for OwnedData {
    fn eq(&self, other: &Self) -> bool {
        self.as_data() == other.as_data()
    }
}

impl Encode for OwnedData {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.as_data().encode(encoder)
    }
}

impl OwnedBitString {
    /// The bits, borrowed.
    pub fn as_bits(&self) -> BitString<'_> {
        BitString::new(self.bits, &self.octets).unwrap_or(BitString::EMPTY)
    }
}

impl From<BitString<'_>> for OwnedBitString {
    fn from(bits: BitString<'_>) -> Self {
        Self { bits: bits.len(), octets: bits.octets().into() }
    }
}

impl FromIterator<bool> for OwnedBitString {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let mut string = Self::default();
        for bit in bits {
            if string.bits % 8 == 0 {
                string.octets.push(0);
            }
            if let Some(last) = string.octets.last_mut() {
                *last |= u8::from(bit) << (7 - string.bits % 8);
            }
            string.bits += 1;
        }
        string
    }
}

impl OwnedCompactArray {
    /// The compact array of `elements`, described by the first of them; `None` if they differ in type, hold a type that
    /// a description cannot name, or take no octets.
    pub fn from_elements(elements: &[OwnedData]) -> Option<Self> {
        let (mut description, mut contents) = (Vec::new(), Vec::new());
        match elements.first() {
            Some(first) => describe(first, &mut description)?,
            None => description.push(DataKind::NullData.tag()),
        }
        let mut other = Vec::new();
        for element in elements {
            other.clear();
            describe(element, &mut other)?;
            if other != description {
                return None;
            }
            put(element, &mut contents);
        }
        let octets = encoded(&Untagged(&description, &contents));
        // What cannot be read again does not exist.
        match Data::from_octets(&octets) {
            Ok(Data::CompactArray(array)) if array.len() == elements.len() => Some(array.into()),
            _ => None,
        }
    }

    /// The array, borrowed.
    pub fn as_array(&self) -> CompactArray<'_> {
        CompactArray::checked(self.count, &self.description, &self.contents)
    }
}

impl From<CompactArray<'_>> for OwnedCompactArray {
    fn from(array: CompactArray<'_>) -> Self {
        Self {
            count: array.len(),
            description: array.description().into(),
            contents: array.contents().into(),
        }
    }
}

struct Untagged<'a>(&'a [u8], &'a [u8]);

impl Encode for Untagged<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        CompactArray::checked(0, self.0, self.1).encode(encoder)
    }
}

/// Appends the type description of `element`.
fn describe(element: &OwnedData, description: &mut Vec<u8>) -> Option<()> {
    description.push(element.kind().tag());
    match element {
        OwnedData::Array(elements) => {
            description.extend(u16::try_from(elements.len()).ok()?.to_be_bytes());
            let Some((first, rest)) = elements.split_first() else {
                description.push(DataKind::NullData.tag());
                return Some(());
            };
            let start = description.len();
            describe(first, description)?;
            let first = description.split_off(start);
            for element in rest {
                describe(element, description)?;
                if description.split_off(start) != first {
                    return None;
                }
            }
            description.extend(first);
        }
        OwnedData::Structure(elements) => {
            description.extend(encoded(&Length(elements.len())));
            elements.iter().try_for_each(|element| describe(element, description))?;
        }
        _ => {}
    }
    Some(())
}

struct Length(usize);

impl Encode for Length {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.length(self.0)
    }
}

/// Appends `element` without tags.
fn put(element: &OwnedData, contents: &mut Vec<u8>) {
    match element {
        OwnedData::Array(elements) | OwnedData::Structure(elements) => {
            elements.iter().for_each(|element| put(element, contents));
        }
        simple => contents.extend(&simple.to_octets()[1..]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_tree_is_the_value_it_was_made_from() {
        let octets = [2, 4, 1, 2, 17, 1, 17, 2, 0, 4, 3, 0xA0, 0x13, 0x12, 4, 0, 1, 0, 2];
        let data = Data::from_octets(&octets).unwrap();
        let owned = OwnedData::from(data);
        assert_eq!(owned.as_data(), data);
        assert_eq!(owned.to_octets(), octets);
        let OwnedData::Structure(elements) = owned else { panic!("no structure") };
        assert_eq!(elements[0], OwnedData::Array(vec![OwnedData::Unsigned(1), OwnedData::Unsigned(2)]));
        assert_eq!(elements[2], OwnedData::BitString([true, false, true].into_iter().collect()));
    }

    #[test]
    fn compact_arrays_from_elements() {
        let row = |time: &[u8], value| {
            OwnedData::Structure(vec![
                OwnedData::OctetString(time.into()),
                OwnedData::Array(vec![OwnedData::LongUnsigned(value); 2]),
                OwnedData::Array(vec![]),
            ])
        };
        let rows = [row(b"ab", 1), row(b"", 2)];
        let array = OwnedCompactArray::from_elements(&rows).unwrap();
        assert!(array.as_array().iter().eq(rows.iter().map(OwnedData::as_data)));
        assert_eq!(
            OwnedData::CompactArray(array).to_octets(),
            [0x13, 2, 3, 9, 1, 0, 2, 0x12, 1, 0, 0, 0, 12, 2, 0x61, 0x62, 0, 1, 0, 1, 0, 0, 2, 0, 2]
        );
        assert!(OwnedCompactArray::from_elements(&[]).unwrap().as_array().is_empty());
        assert!(OwnedCompactArray::from_elements(&[OwnedData::NullData]).is_none(), "it takes no octets");
        assert!(OwnedCompactArray::from_elements(&[OwnedData::Unsigned(1), OwnedData::Long(1)]).is_none());
        let mixed = OwnedData::Array(vec![OwnedData::Unsigned(1), OwnedData::Long(1)]);
        assert!(OwnedCompactArray::from_elements(&[mixed]).is_none());
    }
}
