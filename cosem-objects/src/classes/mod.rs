//! The interface classes.

mod association_ln;
mod clock;
mod communication_port_protection;
mod data;
mod data_protection;
mod demand_register;
mod disconnect_control;
mod extended_register;
mod function_control;
mod image_transfer;
mod profile_generic;
mod register;
mod sap_assignment;
mod script_table;
mod security_setup;
mod single_action_schedule;

pub(crate) use association_ln::CURRENT_ASSOCIATION;
pub use association_ln::{
    AccessRightsEntry, ApplicationContextName, AssociatedPartnersId, AssociationLn, AssociationStatus,
    AuthenticationMechanismName, ObjectListElement, User, XdlmsContextInfo,
};
pub use clock::{Clock, ClockBase, ClockSource, SoftwareClock};
pub use communication_port_protection::{
    CommunicationPortProtection, LockoutRule, PortProtectionMode, PortProtectionState, PortProtectionStatus,
};
pub use data::Data;
pub use data_protection::{
    DataProtection, ProtectedObject, ProtectionKeyInfo, ProtectionParameters, ProtectionType, Restriction,
};
pub use demand_register::DemandRegister;
pub use disconnect_control::{ControlMode, ControlState, DisconnectControl, Relay, Trigger};
pub use extended_register::ExtendedRegister;
pub use function_control::{
    Function, FunctionControl, FunctionDefinition, FunctionStatus, LONGEST_FUNCTION_NAME, is_guard,
};
pub use image_transfer::{
    ImageInfo, ImageStorage, ImageTransfer, ImageTransferState, ImageTransferStatus, Progress,
};
#[cfg(feature = "embedded-storage")]
pub use profile_generic::FlashRows;
#[cfg(feature = "alloc")]
pub use profile_generic::RowDeque;
pub use profile_generic::{ProfileGeneric, RowRing, RowStorage, SortMethod, StorageError};
pub use register::Register;
pub use sap_assignment::{SapAssignment, SapEntry};
pub use script_table::ScriptTable;
pub use security_setup::{
    CertificateEntity, CertificateIdentification, CertificateInfo, CertificateType, KeyData, SecuritySetup,
};
pub use single_action_schedule::{ExecutionTime, ScheduleType, SingleActionSchedule};
