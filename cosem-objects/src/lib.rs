//! The COSEM interface classes (IEC 62056-6-2): typed attributes and methods, and the behaviour behind them.
//!
//! * [`classes`] holds the classes. Each is defined once; the definition gives a server its get, set and invoke, and a
//!   client the place and the type of every attribute (`Register::VALUE`).
//! * [`Object`] is what a server calls: get, set, invoke.
//! * [`LogicalDevice`] is a collection of objects with the access rights of each association.
//! * [`behaviour`] carries out what objects ask of each other, and lets time pass.
//! * [`ScaledValue`] and [`rows`] turn what a client reads into quantities and tables.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::unreachable))]

#[cfg(feature = "alloc")]
extern crate alloc;

mod access;
pub mod behaviour;
mod calendar;
mod class;
pub mod classes;
mod device;
mod macros;
mod object;
mod reference;
mod result;
pub mod rows;
mod scaled;
mod typed;
mod unit;
mod value;

pub use access::{AccessRights, AccessSelector};
pub use class::{
    Attribute, AttributeInfo, AttributeReference, ClassOutline, InterfaceClass, Method, MethodInfo,
    MethodReference,
};
pub use device::{AssociationId, LogicalDevice};
pub use object::{Context, Effect, Effects, GetError, Object};
pub use reference::{
    ActionItem, CaptureObjectDefinition, EntryDescriptor, ObjectDefinition, RangeDescriptor, ValueDefinition,
};
pub use result::{ActionResult, DataAccessResult};
pub use scaled::{Number, ScaledValue, ScalerUnit};
pub use typed::{Any, AttributeType, Bits, List, ListOf, Octets};
pub use unit::Unit;
#[cfg(feature = "alloc")]
pub use value::EncodedValue;
pub use value::{OctetString, Value};
