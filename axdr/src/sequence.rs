//! The elements of an array or a structure.
//!
//! They come in three shapes: tagged, as `array` and `structure` hold them; without tags, as `compact-array` holds them,
//! under a type description; and owned. Whoever walks them sees [`Data`] in each case.

use core::fmt;

use crate::{Data, FromData, Reader, TypeMismatch, compact};

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
    source: Source<'a>,
}

#[derive(Clone)]
enum Source<'a> {
    Tagged(Reader<'a>),
    Array {
        types: &'a [u8],
        contents: Reader<'a>,
    },
    Structure {
        types: Reader<'a>,
        contents: Reader<'a>,
    },
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
        let source = match self.shape {
            Shape::Tagged(octets) => Source::Tagged(Reader::new(octets)),
            Shape::Array { types, contents } => Source::Array { types, contents: Reader::new(contents) },
            Shape::Structure { types, contents } => {
                Source::Structure { types: Reader::new(types), contents: Reader::new(contents) }
            }
            #[cfg(feature = "alloc")]
            Shape::Owned(elements) => Source::Owned(elements.iter()),
        };
        Elements { left: self.count, source }
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
}

impl<'a> Iterator for Elements<'a> {
    type Item = Data<'a>;

    #[inline]
    fn next(&mut self) -> Option<Data<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The octets were checked when the sequence was made: no element can fail.
        match &mut self.source {
            Source::Tagged(reader) => Data::decode_cell(reader).ok(),
            Source::Array { types, contents } => {
                compact::decode_element(&mut Reader::new(types), contents).ok()
            }
            Source::Structure { types, contents } => compact::decode_element(types, contents).ok(),
            #[cfg(feature = "alloc")]
            Source::Owned(elements) => elements.next().map(crate::OwnedData::as_data),
        }
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
