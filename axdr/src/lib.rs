//! A-XDR, the encoding of COSEM data (IEC 61334-6, IEC 62056-5-3).
//!
//! * [`Reader`] walks octets and never past their end; [`DecodeError`] says where and what was expected.
//! * [`Data`] is any COSEM value, borrowed from the octets it was read from; decoding never allocates.
//! * [`Encoder`] writes into a caller's buffer and can stop and resume anywhere, so that a value of any length leaves
//!   block by block in O(block) memory.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod data;
mod datetime;
mod encode;
mod encoder;
mod error;
mod reader;

pub use data::{BitString, CompactArray, Data, DataKind, Elements, Sequence};
pub use datetime::{ClockStatus, Date, DateTime, Time};
pub use encode::{Encode, FromData, TypeMismatch};
pub use encoder::{BufferFull, Cursor, Encoder};
pub use error::{DecodeError, DecodeErrorKind};
pub use reader::Reader;
