//! DLMS/COSEM (IEC 62056) on both ends of the wire.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod transfer;
