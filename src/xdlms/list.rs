//! A list inside an APDU, SEQUENCE OF in the standard: a count, then that many elements.
//!
//! What arrives is checked whole when it is read and stays encoded; iterating over it decodes it again, element by
//! element. What is sent is a slice.

use core::fmt;

use cosem_objects::AccessSelector;
use dlms_axdr::{BufferFull, Data, DecodeError, DecodeErrorKind, Encode, Encoder, Reader};

/// Something that lists and optional fields are made of.
pub trait Element<'a>: Copy {
    /// Reads one.
    ///
    /// # Errors
    /// The octets are not one.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Writes it.
    ///
    /// # Errors
    /// The buffer has no room left.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull>;
}

/// A list of `T`, checked.
#[derive(Clone, Copy)]
pub struct List<'a, T> {
    count: usize,
    elements: Elements<'a, T>,
}

#[derive(Clone, Copy)]
enum Elements<'a, T> {
    Encoded(&'a [u8]),
    Slice(&'a [T]),
}

/// Iterates over a [`List`].
#[derive(Clone)]
pub struct ListIter<'a, T> {
    left: usize,
    elements: Remaining<'a, T>,
}

#[derive(Clone)]
enum Remaining<'a, T> {
    Encoded(Reader<'a>),
    Slice(core::slice::Iter<'a, T>),
}

impl<'a, T: Element<'a>> List<'a, T> {
    /// The list of these elements.
    pub const fn new(elements: &'a [T]) -> Self {
        Self { count: elements.len(), elements: Elements::Slice(elements) }
    }

    /// Reads a list and checks every element.
    ///
    /// # Errors
    /// The count is more than what is there, or an element is malformed.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.length()?;
        // Every element takes an octet at least.
        if count > reader.remaining() {
            let missing = count.saturating_sub(reader.remaining());
            return Err(reader.error(DecodeErrorKind::truncated(missing)));
        }
        let octets = reader.rest();
        for _ in 0..count {
            T::decode(reader)?;
        }
        let length = octets.len().saturating_sub(reader.remaining());
        Ok(Self { count, elements: Elements::Encoded(octets.get(..length).unwrap_or_default()) })
    }

    /// Reads a list of at least one element.
    ///
    /// # Errors
    /// As [`List::decode`], or it is empty; `expected` names it then.
    pub fn decode_non_empty(reader: &mut Reader<'a>, expected: &'static str) -> Result<Self, DecodeError> {
        let empty = reader.error(DecodeErrorKind::InvalidValue(expected.into()));
        Self::decode(reader).and_then(|list| if list.is_empty() { Err(empty) } else { Ok(list) })
    }

    /// Reads a list that must have as many elements as one before it; `expected` names it if it has not.
    ///
    /// # Errors
    /// As [`List::decode`], or the count is another one.
    pub fn decode_counted(
        reader: &mut Reader<'a>,
        count: usize,
        expected: &'static str,
    ) -> Result<Self, DecodeError> {
        let other_count = reader.error(DecodeErrorKind::InvalidValue(expected.into()));
        Self::decode(reader).and_then(|list| if list.len() == count { Ok(list) } else { Err(other_count) })
    }

    /// Writes the list, count first.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.length(self.count)?;
        match self.elements {
            Elements::Encoded(octets) => encoder.octets(octets),
            Elements::Slice(elements) => elements.iter().try_for_each(|element| element.encode(encoder)),
        }
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
    pub fn iter(&self) -> ListIter<'a, T> {
        let elements = match self.elements {
            Elements::Encoded(octets) => Remaining::Encoded(Reader::new(octets)),
            Elements::Slice(elements) => Remaining::Slice(elements.iter()),
        };
        ListIter { left: self.count, elements }
    }
}

impl<'a, T: Element<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Element<'a>> Iterator for ListIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.elements {
            // Checked when the list was read: no element can fail.
            Remaining::Encoded(reader) => T::decode(reader).ok(),
            Remaining::Slice(elements) => elements.next().copied(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: Element<'a>> ExactSizeIterator for ListIter<'a, T> {}
impl<'a, T: Element<'a>> core::iter::FusedIterator for ListIter<'a, T> {}

/// Equal if the elements are, whether they are encoded or not.
impl<'a, T: Element<'a> + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl<'a, T: Element<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Reads an OPTIONAL field: a usage octet, then the value if it is present.
pub(crate) fn decode_optional<'a, T: Element<'a>>(
    reader: &mut Reader<'a>,
    field: &'static str,
) -> Result<Option<T>, DecodeError> {
    if reader.usage(field)? { T::decode(reader).map(Some) } else { Ok(None) }
}

/// Writes an OPTIONAL field.
pub(crate) fn encode_optional<'a, T: Element<'a>>(
    encoder: &mut Encoder<'_>,
    value: Option<T>,
) -> Result<(), BufferFull> {
    encoder.usage(value.is_some())?;
    value.map_or(Ok(()), |value| value.encode(encoder))
}

/// Makes a type with inherent `decode` and `encode` an [`Element`].
macro_rules! element {
    ($($type:ty),*) => {$(
        impl<'a> $crate::xdlms::Element<'a> for $type {
            fn decode(reader: &mut dlms_axdr::Reader<'a>) -> Result<Self, dlms_axdr::DecodeError> {
                <$type>::decode(reader)
            }

            fn encode(&self, encoder: &mut dlms_axdr::Encoder<'_>) -> Result<(), dlms_axdr::BufferFull> {
                self.encode(encoder)
            }
        }
    )*};
}
pub(crate) use element;

impl<'a> Element<'a> for Data<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Data::decode(reader)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        Encode::encode(self, encoder)
    }
}

/// access-selector (1), access-parameters (Data).
impl<'a> Element<'a> for AccessSelector<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { selector: reader.u8()?, parameters: Data::decode(reader)? })
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(self.selector)?;
        encoder.data(&self.parameters)
    }
}
