//! The definition of an interface class as data: the one place from which everything else about it is derived.

/// An interface class: its identity, attributes and methods.
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
