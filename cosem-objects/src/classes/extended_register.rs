//! Extended register (class_id 4): a register with a status and the time when its value was captured.

use dlms_axdr::DateTime;
use dlms_obis::LogicalName;

use crate::behaviour::WallTime;
use crate::macros::interface_class;
use crate::{Any, ScalerUnit, Value};

/// Extended register.
#[derive(Clone, Debug)]
pub struct ExtendedRegister<V, S> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2.
    pub value: V,
    /// Attribute 3.
    pub scaler_unit: ScalerUnit,
    /// Attribute 4, whose meaning is the manufacturer's.
    pub status: S,
    /// Attribute 5.
    pub capture_time: DateTime,
}

impl<V: Value, S: Value> ExtendedRegister<V, S> {
    /// An Extended register that was not captured yet.
    pub const fn new(logical_name: LogicalName, value: V, scaler_unit: ScalerUnit, status: S) -> Self {
        Self { logical_name, value, scaler_unit, status, capture_time: DateTime::NOT_SPECIFIED }
    }

    /// Takes a value with the time at which it arose.
    pub fn capture(&mut self, value: V, time: &WallTime) {
        self.value = value;
        self.capture_time = time.date_time();
    }
}

interface_class! {
    class 4 "Extended register" version 0, first method at Some(0x38);
    constants on ExtendedRegister<(), ()>;
    object impl[V: Value, S: Value] ExtendedRegister<V, S>;
    attributes {
        2 value VALUE: Any = "@register_value" dynamic
            get(object, get) { Ok(object.value.encode_value(get.encoder)?) }
            set(object, set) { object.value.assign(set.value) }
        3 scaler_unit SCALER_UNIT: ScalerUnit = "@scaler_unit" static
            get(object, get) { Ok(get.encoder.data(&object.scaler_unit)?) }
        4 status STATUS: Any = "@status_choice" dynamic
            get(object, get) { Ok(object.status.encode_value(get.encoder)?) }
            set(object, set) { object.status.assign(set.value) }
        5 capture_time CAPTURE_TIME: DateTime = "octet-string(date-time)" dynamic
            get(object, get) { Ok(get.encoder.data(&object.capture_time)?) }
            set(object, set) { object.capture_time.assign(set.value) }
    }
    methods {
        1 reset RESET: i8 = "integer(0)" optional (object, call) {
            object.value.reset();
            object.status.reset();
            object.capture_time = DateTime::NOT_SPECIFIED;
            Ok(())
        }
    }
}
