//! Names that every implementation needs (IEC 62056-6-1, abstract objects).

use crate::LogicalName;

impl LogicalName {
    /// Clock, class 8.
    pub const CLOCK: Self = Self::new(0, 0, 1, 0, 0, 255);
    /// The association in use, class 15.
    pub const CURRENT_ASSOCIATION: Self = Self::new(0, 0, 40, 0, 0, 255);
    /// SAP assignment, class 17, in the management logical device.
    pub const SAP_ASSIGNMENT: Self = Self::new(0, 0, 41, 0, 0, 255);
    /// COSEM logical device name, class 1.
    pub const LOGICAL_DEVICE_NAME: Self = Self::new(0, 0, 42, 0, 0, 255);
    /// Security setup, class 64, the first instance.
    pub const SECURITY_SETUP: Self = Self::new(0, 0, 43, 0, 0, 255);
    /// Invocation counter, class 1, the first instance.
    pub const INVOCATION_COUNTER: Self = Self::new(0, 0, 43, 1, 0, 255);
    /// Image transfer, class 18, the first instance.
    pub const IMAGE_TRANSFER: Self = Self::new(0, 0, 44, 0, 0, 255);
    /// Script table of the global meter reset, class 9.
    pub const GLOBAL_RESET_SCRIPTS: Self = Self::new(0, 0, 10, 0, 0, 255);
    /// Script table of the end of a billing period (MDI reset), class 9.
    pub const END_OF_BILLING_SCRIPTS: Self = Self::new(0, 0, 10, 0, 1, 255);
    /// Script table of tariffication, class 9.
    pub const TARIFFICATION_SCRIPTS: Self = Self::new(0, 0, 10, 0, 100, 255);
    /// Script table of disconnection and reconnection, class 9.
    pub const DISCONNECT_SCRIPTS: Self = Self::new(0, 0, 10, 0, 106, 255);
    /// Script table of image activation, class 9.
    pub const IMAGE_ACTIVATION_SCRIPTS: Self = Self::new(0, 0, 10, 0, 107, 255);
    /// Single action schedule of the end of a billing period, class 22.
    pub const END_OF_BILLING_SCHEDULE: Self = Self::new(0, 0, 15, 0, 0, 255);
    /// Single action schedule of disconnection and reconnection, class 22.
    pub const DISCONNECT_SCHEDULE: Self = Self::new(0, 0, 15, 0, 1, 255);
    /// Single action schedule of image activation, class 22.
    pub const IMAGE_ACTIVATION_SCHEDULE: Self = Self::new(0, 0, 15, 0, 2, 255);
    /// IEC HDLC setup of the first port, class 23.
    pub const HDLC_SETUP: Self = Self::new(0, 0, 22, 0, 0, 255);
    /// TCP-UDP setup, class 41.
    pub const TCP_UDP_SETUP: Self = Self::new(0, 0, 25, 0, 0, 255);
    /// Push setup, class 40, the first instance.
    pub const PUSH_SETUP: Self = Self::new(0, 0, 25, 9, 0, 255);
    /// Device ID 1 (the manufacturing number), class 1.
    pub const DEVICE_ID_1: Self = Self::new(0, 0, 96, 1, 0, 255);
    /// Disconnect control, class 70, the first instance.
    pub const DISCONNECT_CONTROL: Self = Self::new(0, 0, 96, 3, 10, 255);
    /// Alarm register 1, class 1.
    pub const ALARM_REGISTER_1: Self = Self::new(0, 0, 97, 98, 0, 255);
    /// Standard event log, class 7.
    pub const STANDARD_EVENT_LOG: Self = Self::new(0, 0, 99, 98, 0, 255);
    /// Electricity: active energy import, all rates.
    pub const ACTIVE_ENERGY_IMPORT: Self = Self::new(1, 0, 1, 8, 0, 255);
    /// Electricity: active energy export, all rates.
    pub const ACTIVE_ENERGY_EXPORT: Self = Self::new(1, 0, 2, 8, 0, 255);
    /// Electricity: load profile with recording interval 1, class 7.
    pub const LOAD_PROFILE_1: Self = Self::new(1, 0, 99, 1, 0, 255);
    /// Electricity: load profile with recording interval 2, class 7.
    pub const LOAD_PROFILE_2: Self = Self::new(1, 0, 99, 2, 0, 255);
}
