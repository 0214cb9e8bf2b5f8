//! OBIS codes: the logical names of COSEM objects (IEC 62056-6-1).
//!
//! A logical name has six value groups, A to F, of one octet each. [`LogicalName`] is that value; its text forms
//! (`1-0:1.8.0*255`, `1.0.1.8.0.255`, twelve hexadecimal digits) are parsed by [`core::str::FromStr`] and written by
//! [`core::fmt::Display`].
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

mod logical_name;

pub use logical_name::LogicalName;
