//! The definition of an interface class as data: the one place from which everything else about it is derived.

use core::fmt;
use core::marker::PhantomData;

use dlms_axdr::{Data, TypeMismatch};
use dlms_obis::LogicalName;

use crate::AttributeType;

/// An interface class: its identity, attributes and methods, as the standard describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceClass {
    /// class_id.
    pub id: u16,
    /// The version of the class.
    pub version: u8,
    /// The name in the standard.
    pub name: &'static str,
    /// The attributes in order; the first has index 1.
    pub attributes: &'static [AttributeInfo],
    /// The methods in order; the first has index 1.
    pub methods: &'static [MethodInfo],
    /// Offset of the first method from the base name, in short-name referencing.
    pub first_method_offset: Option<u8>,
}

/// What a server must know of a class: the [`InterfaceClass`] without its texts, which would fill a meter's flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassOutline {
    /// class_id.
    pub id: u16,
    /// The version of the class.
    pub version: u8,
    /// The index of the last attribute; the first has index 1.
    pub attributes: i8,
    /// The index of the last method; the first has index 1.
    pub methods: i8,
    /// The attribute that can be read selectively; 0 if there is none. No class of the standard has more than one.
    pub selective: i8,
    /// The access selectors of that attribute.
    pub selectors: &'static [u8],
}

/// One attribute of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeInfo {
    /// attribute_id.
    pub index: i8,
    /// The name in the standard.
    pub name: &'static str,
    /// The type, in the notation of the standard.
    pub data_type: &'static str,
    /// Whether the value stays as configured (static) or is produced by the meter (dynamic).
    pub is_static: bool,
    /// The access selectors that reading this attribute supports.
    pub selectors: &'static [u8],
}

/// One method of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// method_id.
    pub index: i8,
    /// The name in the standard.
    pub name: &'static str,
    /// The type of the parameter, in the notation of the standard.
    pub parameter: &'static str,
    /// Whether the standard requires the method.
    pub is_mandatory: bool,
}

impl ClassOutline {
    /// The access selectors of an attribute.
    pub const fn selectors(&self, attribute: i8) -> &'static [u8] {
        if attribute == self.selective { self.selectors } else { &[] }
    }

    /// Whether there is an attribute with this index.
    pub const fn has_attribute(&self, index: i8) -> bool {
        index > 0 && index <= self.attributes
    }

    /// Whether there is a method with this index.
    pub const fn has_method(&self, index: i8) -> bool {
        index > 0 && index <= self.methods
    }
}

impl InterfaceClass {
    /// The class without its texts.
    pub const fn outline(&self) -> ClassOutline {
        let mut outline = ClassOutline {
            id: self.id,
            version: self.version,
            attributes: self.attributes.len() as i8,
            methods: self.methods.len() as i8,
            selective: 0,
            selectors: &[],
        };
        let mut attributes = self.attributes;
        while let [attribute, rest @ ..] = attributes {
            if !attribute.selectors.is_empty() {
                (outline.selective, outline.selectors) = (attribute.index, attribute.selectors);
            }
            attributes = rest;
        }
        outline
    }

    /// The attribute with this index.
    pub fn attribute(&self, index: i8) -> Option<&'static AttributeInfo> {
        self.attributes.get(usize::try_from(index).ok()?.checked_sub(1)?)
    }

    /// The method with this index.
    pub fn method(&self, index: i8) -> Option<&'static MethodInfo> {
        self.methods.get(usize::try_from(index).ok()?.checked_sub(1)?)
    }

    /// Offset of an attribute from the base name, in short-name referencing: 8 for each attribute before it.
    pub fn attribute_offset(&self, index: i8) -> Option<u16> {
        self.attribute(index).map(|attribute| (attribute.index as u16).wrapping_sub(1).wrapping_mul(8))
    }

    /// Offset of a method from the base name, in short-name referencing, if the class has short names for methods.
    pub fn method_offset(&self, index: i8) -> Option<u16> {
        let first = u16::from(self.first_method_offset?);
        self.method(index)
            .map(|method| first.wrapping_add((method.index as u16).wrapping_sub(1).wrapping_mul(8)))
    }
}

/// An attribute of a class as a client names it: where it is, and the Rust type of its value.
///
/// ```
/// use cosem_objects::classes::Register;
/// use dlms_obis::LogicalName;
///
/// let energy = LogicalName::new(1, 0, 1, 8, 0, 255);
/// let reference = Register::SCALER_UNIT.of(energy);
/// assert_eq!((reference.class_id, reference.attribute_index), (3, 3));
/// ```
pub struct Attribute<T> {
    /// class_id.
    pub class_id: u16,
    /// attribute_id.
    pub index: i8,
    value: PhantomData<fn() -> T>,
}

/// A method of a class as a client names it: where it is, and the Rust type of its parameter.
pub struct Method<T> {
    /// class_id.
    pub class_id: u16,
    /// method_id.
    pub index: i8,
    parameter: PhantomData<fn(T)>,
}

/// One attribute of one object: Cosem-Attribute-Descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AttributeReference {
    /// class_id.
    pub class_id: u16,
    /// The object.
    pub logical_name: LogicalName,
    /// attribute_id.
    pub attribute_index: i8,
}

/// One method of one object: Cosem-Method-Descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MethodReference {
    /// class_id.
    pub class_id: u16,
    /// The object.
    pub logical_name: LogicalName,
    /// method_id.
    pub method_index: i8,
}

impl<T> Attribute<T> {
    pub(crate) const fn new(class_id: u16, index: i8) -> Self {
        Self { class_id, index, value: PhantomData }
    }

    /// This attribute of the object with this name.
    pub const fn of(self, logical_name: LogicalName) -> AttributeReference {
        AttributeReference { class_id: self.class_id, logical_name, attribute_index: self.index }
    }
}

impl<T: AttributeType> Attribute<T> {
    /// The typed value of the attribute, from the data that was read.
    ///
    /// # Errors
    /// `data` has another type.
    pub fn decode<'a>(&self, data: Data<'a>) -> Result<T::Value<'a>, TypeMismatch> {
        T::decode(data)
    }
}

impl<T> Method<T> {
    pub(crate) const fn new(class_id: u16, index: i8) -> Self {
        Self { class_id, index, parameter: PhantomData }
    }

    /// This method of the object with this name.
    pub const fn of(self, logical_name: LogicalName) -> MethodReference {
        MethodReference { class_id: self.class_id, logical_name, method_index: self.index }
    }
}

impl<T> Clone for Attribute<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Attribute<T> {}

impl<T> fmt::Debug for Attribute<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attribute {} of class {}", self.index, self.class_id)
    }
}

impl<T> Clone for Method<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Method<T> {}

impl<T> fmt::Debug for Method<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "method {} of class {}", self.index, self.class_id)
    }
}
