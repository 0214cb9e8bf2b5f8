//! Register (class_id 3): one value with its scaler and unit.

use dlms_obis::LogicalName;

use crate::macros::interface_class;
use crate::{Any, ScalerUnit, Value};

/// Register: a process or status value.
#[derive(Clone, Debug)]
pub struct Register<V> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2.
    pub value: V,
    /// Attribute 3.
    pub scaler_unit: ScalerUnit,
}

impl<V: Value> Register<V> {
    /// A Register object.
    pub const fn new(logical_name: LogicalName, value: V, scaler_unit: ScalerUnit) -> Self {
        Self { logical_name, value, scaler_unit }
    }
}

interface_class! {
    class 3 "Register" version 0, first method at Some(0x28);
    constants on Register<()>;
    object impl[V: Value] Register<V>;
    attributes {
        2 value VALUE: Any = "@register_value" dynamic
            get(object, get) { Ok(object.value.encode_value(get.encoder)?) }
            set(object, set) { object.value.assign(set.value) }
        3 scaler_unit SCALER_UNIT: ScalerUnit = "@scaler_unit" static
            get(object, get) { Ok(get.encoder.data(&object.scaler_unit)?) }
    }
    methods {
        1 reset RESET: i8 = "integer(0)" optional (object, call) {
            object.value.reset();
            Ok(())
        }
    }
}
