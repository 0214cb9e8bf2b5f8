//! OBIS codes: the logical names of COSEM objects (IEC 62056-6-1).
//!
//! A logical name has six value groups, A to F, of one octet each. [`LogicalName`] is that value; its text forms
//! (`1-0:1.8.0*255`, `1.0.1.8.0.255`, twelve hexadecimal digits, the reduced forms of IEC 62056-21) are parsed by
//! [`core::str::FromStr`] and written by [`core::fmt::Display`]. [`LogicalName::describe`] says what a name stands for.
//!
//! ```
//! use dlms_obis::LogicalName;
//!
//! let name: LogicalName = "1-0:32.7.0*255".parse()?;
//! assert_eq!(name.octets(), &[1, 0, 32, 7, 0, 255]);
//! assert_eq!(name.describe().unwrap().to_string(), "voltage L1, instantaneous");
//! # Ok::<(), dlms_obis::ParseLogicalNameError>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::unreachable))]

mod describe;
mod electricity;
mod logical_name;
mod parse;
mod well_known;

pub use describe::Description;
pub use logical_name::LogicalName;
pub use parse::{Expected, ParseLogicalNameError};
