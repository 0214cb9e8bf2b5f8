//! Types of attributes as a client sees them, where the Rust type of the value may borrow from the octets received.

use core::marker::PhantomData;

use dlms_axdr::{BitString, Data, Date, DateTime, Elements, FromData, Time, TypeMismatch};
use dlms_obis::LogicalName;

/// The type of an attribute, and the Rust type of its value while the octets that it was read from are there.
pub trait AttributeType {
    /// The value.
    type Value<'a>;

    /// The value of `data`.
    ///
    /// # Errors
    /// `data` has another type.
    fn decode(data: Data<'_>) -> Result<Self::Value<'_>, TypeMismatch>;
}

/// Data of any type.
#[derive(Clone, Copy, Debug)]
pub enum Any {}

/// An octet-string.
#[derive(Clone, Copy, Debug)]
pub enum Octets {}

/// A bit-string.
#[derive(Clone, Copy, Debug)]
pub enum Bits {}

/// An array of `T`.
#[derive(Clone, Copy, Debug)]
pub struct ListOf<T>(PhantomData<T>);

/// An array whose elements are decoded as they are asked for.
#[derive(Debug)]
pub struct List<'a, T> {
    elements: Elements<'a>,
    left: usize,
    element: PhantomData<fn() -> T>,
}

impl<T> List<'_, T> {
    /// How many elements are left.
    pub const fn len(&self) -> usize {
        self.left
    }

    /// Whether none is left.
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        Self { elements: self.elements.clone(), left: self.left, element: PhantomData }
    }
}

impl<'a, T: AttributeType> Iterator for List<'a, T> {
    type Item = Result<T::Value<'a>, TypeMismatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.elements.next()?;
        self.left = self.left.saturating_sub(1);
        Some(T::decode(element))
    }
}

impl<T: AttributeType> AttributeType for ListOf<T> {
    type Value<'a> = List<'a, T>;

    fn decode(data: Data<'_>) -> Result<List<'_, T>, TypeMismatch> {
        match data {
            Data::Array(elements) => {
                Ok(List { elements: elements.iter(), left: elements.len(), element: PhantomData })
            }
            _ => Err(TypeMismatch::new("array")),
        }
    }
}

impl AttributeType for Any {
    type Value<'a> = Data<'a>;

    fn decode(data: Data<'_>) -> Result<Data<'_>, TypeMismatch> {
        Ok(data)
    }
}

impl AttributeType for Octets {
    type Value<'a> = &'a [u8];

    fn decode(data: Data<'_>) -> Result<&[u8], TypeMismatch> {
        match data {
            Data::OctetString(octets) => Ok(octets),
            _ => Err(TypeMismatch::new("octet-string")),
        }
    }
}

impl AttributeType for Bits {
    type Value<'a> = BitString<'a>;

    fn decode(data: Data<'_>) -> Result<BitString<'_>, TypeMismatch> {
        match data {
            Data::BitString(bits) => Ok(bits),
            _ => Err(TypeMismatch::new("bit-string")),
        }
    }
}

macro_rules! owned {
    ($($type:ty),*) => {$(
        impl AttributeType for $type {
            type Value<'a> = Self;

            fn decode(data: Data<'_>) -> Result<Self, TypeMismatch> {
                Self::from_data(data)
            }
        }
    )*};
}

owned!(i8, i16, i32, i64, u8, u16, u32, u64, bool, LogicalName, Date, Time, DateTime);
