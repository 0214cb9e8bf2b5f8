//! Data (class_id 1): one value of any type with no further meaning.

use dlms_obis::LogicalName;

use crate::macros::interface_class;
use crate::{Any, Value};

/// Data: an object with one value.
#[derive(Clone, Debug)]
pub struct Data<V> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2. Its type is fixed for each object.
    pub value: V,
}

impl<V: Value> Data<V> {
    /// A Data object.
    pub const fn new(logical_name: LogicalName, value: V) -> Self {
        Self { logical_name, value }
    }
}

interface_class! {
    class 1 "Data" version 0, first method at None;
    constants on Data<()>;
    object impl[V: Value] Data<V>;
    attributes {
        2 value VALUE: Any = "any" unspecified
            get(object, get) { Ok(object.value.encode_value(get.encoder)?) }
            set(object, set) { object.value.assign(set.value) }
    }
    methods {}
}
