//! The COSEM interface classes (IEC 62056-6-2): typed attributes and methods, and the behaviour behind them.
//!
//! * [`Object`] is what a server calls: get, set, invoke.
//! * [`LogicalDevice`] is a collection of objects with the access rights of each association.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod access;
mod class;
mod device;
mod object;
mod result;

pub use access::{AccessRights, AccessSelector};
pub use class::{AttributeInfo, InterfaceClass, MethodInfo};
pub use device::{AssociationId, LogicalDevice};
pub use object::{Context, Effect, Effects, GetError, Object};
pub use result::{ActionResult, DataAccessResult};
