//! The elements of an array or a structure.
//!
//! They come in three shapes: tagged, as `array` and `structure` hold them; without tags, as `compact-array` holds them,
//! under a type description; and owned. Whoever walks them sees [`Data`] in each case.

use core::fmt;

use crate::{Data, FromData, Reader, SMALL, TypeMismatch, compact, data};

/// The elements of an array or a structure, checked.
#[derive(Clone, Copy)]
pub struct Sequence<'a> {
    count: usize,
    shape: Shape<'a>,
}

#[derive(Clone, Copy)]
enum Shape<'a> {
    /// Each element with its tag.
    Tagged(&'a [u8]),
    /// Without tags: the contents, and the one type of all elements.
    Array { types: &'a [u8], contents: &'a [u8] },
    /// Without tags: the contents, and the types of the elements one after another.
    Structure { types: &'a [u8], contents: &'a [u8] },
    #[cfg(feature = "alloc")]
    Owned(&'a [crate::OwnedData]),
}

/// Iterates over the elements of a [`Sequence`].
#[derive(Clone)]
pub struct Elements<'a> {
    left: usize,
    /// Apart from what tells the types, so that a loop keeps it in registers.
    reader: Reader<'a>,
    types: Types<'a>,
}

/// Where the types of the elements stand.
#[derive(Clone)]
enum Types<'a> {
    /// Before each element.
    Tags,
    /// Here, one for all.
    Same(&'a [u8]),
    /// Here, one after another.
    Each(Reader<'a>),
    /// With the elements, which are not read.
    #[cfg(feature = "alloc")]
    Owned(core::slice::Iter<'a, crate::OwnedData>),
}

impl<'a> Sequence<'a> {
    /// No elements.
    pub const EMPTY: Self = Self::tagged(0, &[]);

    /// `octets` are `count` checked values.
    pub(crate) const fn tagged(count: usize, octets: &'a [u8]) -> Self {
        Self { count, shape: Shape::Tagged(octets) }
    }

    /// `contents` are `count` checked values of the type at the start of `types`.
    pub(crate) const fn compact_array(count: usize, types: &'a [u8], contents: &'a [u8]) -> Self {
        Self { count, shape: Shape::Array { types, contents } }
    }

    /// `contents` are `count` checked values of the types at the start of `types`.
    pub(crate) const fn compact_structure(count: usize, types: &'a [u8], contents: &'a [u8]) -> Self {
        Self { count, shape: Shape::Structure { types, contents } }
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn owned(elements: &'a [crate::OwnedData]) -> Self {
        Self { count: elements.len(), shape: Shape::Owned(elements) }
    }

    /// How many elements there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements, in order.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn iter(&self) -> Elements<'a> {
        let (octets, types) = match self.shape {
            Shape::Tagged(octets) => (octets, Types::Tags),
            Shape::Array { types, contents } => (contents, Types::Same(types)),
            Shape::Structure { types, contents } => (contents, Types::Each(Reader::new(types))),
            #[cfg(feature = "alloc")]
            Shape::Owned(elements) => (&[][..], Types::Owned(elements.iter())),
        };
        Elements { left: self.count, reader: Reader::new(octets), types }
    }

    /// Element `index`, found by walking from the first one.
    pub fn get(&self, index: usize) -> Option<Data<'a>> {
        self.iter().nth(index)
    }

    /// The elements as values of one Rust type.
    pub fn values<T: FromData<'a>>(&self) -> impl Iterator<Item = Result<T, TypeMismatch>> + use<'a, T> {
        self.iter().map(T::from_data)
    }

    /// The encoded elements, without tag and count. `None` if they are not encoded with their tags, as those of a
    /// compact-array.
    pub const fn octets(&self) -> Option<&'a [u8]> {
        match self.shape {
            Shape::Tagged(octets) => Some(octets),
            _ => None,
        }
    }
}

impl<'a> IntoIterator for Sequence<'a> {
    type Item = Data<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        self.iter()
    }
}

impl<'a> Elements<'a> {
    /// The next element as a value of a type of its own; the mismatch if there is none.
    ///
    /// # Errors
    /// There is no element left, or it is of another type.
    #[inline(never)]
    pub fn next_value<T: FromData<'a>>(&mut self, mismatch: TypeMismatch) -> Result<T, TypeMismatch> {
        T::from_data(self.next().ok_or(mismatch)?)
    }

    #[inline(never)]
    fn next_any(&mut self) -> Option<Data<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.read()
    }

    /// By value, so that a loop keeps its reader in registers.
    #[inline(never)]
    fn next_other(mut self) -> (Option<Data<'a>>, Self) {
        if matches!(self.types, Types::Tags)
            && let Some(data) = data::flat_sequence(&mut self.reader)
        {
            return (Some(data), self);
        }
        (self.read(), self)
    }

    /// The octets were checked when the sequence was made: no element can fail.
    #[inline(always)]
    fn read(&mut self) -> Option<Data<'a>> {
        let reader = &mut self.reader;
        match &mut self.types {
            Types::Tags => Data::decode(reader).ok(),
            Types::Same(types) => compact::decode_element(&mut Reader::new(types), reader).ok(),
            Types::Each(types) => compact::decode_element(types, reader).ok(),
            #[cfg(feature = "alloc")]
            Types::Owned(elements) => elements.next().map(crate::OwnedData::as_data),
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Data<'a>;

    // Into the loop: the usual cells of a load profile, and nothing else.
    #[inline(always)]
    fn next(&mut self) -> Option<Data<'a>> {
        if SMALL {
            return self.next_any();
        }
        self.left = self.left.checked_sub(1)?;
        if matches!(self.types, Types::Tags) {
            if let Some(&[6, a, b, c, d]) = self.reader.rest().first_chunk() {
                self.reader.pass(5);
                return Some(Data::DoubleLongUnsigned(u32::from_be_bytes([a, b, c, d])));
            }
            if let Some(&[9, length @ 0..0x80]) = self.reader.rest().first_chunk() {
                self.reader.pass(2);
                return self.reader.octets(length.into()).ok().map(Data::OctetString);
            }
        }
        let data;
        (data, *self) = self.clone().next_other();
        data
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}
impl core::iter::FusedIterator for Elements<'_> {}

/// Equal if the elements are, however they are stored.
impl PartialEq for Sequence<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Sequence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
