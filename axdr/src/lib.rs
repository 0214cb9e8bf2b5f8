//! A-XDR, the encoding of COSEM data (IEC 61334-6, IEC 62056-5-3).
//!
//! * [`Reader`] walks octets and never past their end; [`DecodeError`] says where and what was expected.
//! * [`Data`] is any COSEM value, borrowed from the octets it was read from; decoding never allocates.
//! * [`Tokens`] and [`Rows`] read in one pass what need not be checked whole first; `Table` keeps a buffer in columns.
//! * `OwnedData` is the tree of values to build and keep; with the feature `serde` it has the JSON form of the `dlms`
//!   command.
//! * [`DateTime`], [`Date`] and [`Time`] are patterns or instants; [`ber`] is what ACSE needs besides.
//! * [`Encoder`] writes into a caller's buffer and can stop and resume anywhere, so that a value of any length leaves
//!   block by block in O(block) memory.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::unreachable))]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod ber;
mod bit_string;
mod compact;
mod data;
mod datetime;
mod display;
mod encode;
mod encoder;
mod error;
#[cfg(feature = "serde")]
mod json;
mod kind;
#[cfg(feature = "alloc")]
mod owned;
mod reader;
mod rows;
mod sequence;
#[cfg(feature = "alloc")]
mod table;
mod tokens;

pub use bit_string::BitString;
pub use compact::CompactArray;
pub use data::{Data, MAX_DEPTH};
pub use datetime::{ClockStatus, Date, DateTime, DayOfMonth, Month, NotAnInstant, ParseDateTimeError, Time};
pub use encode::{Array, Encode, Enum, FromData, TypeMismatch, VisibleString};
pub use encoder::{BufferFull, Cursor, Encoder};
pub use error::{DecodeError, DecodeErrorKind, Expected};
pub use kind::DataKind;
#[cfg(feature = "alloc")]
pub use owned::{OwnedBitString, OwnedCompactArray, OwnedData};
pub use reader::Reader;
pub use rows::{Row, Rows};
pub use sequence::{Elements, Sequence};
#[cfg(feature = "alloc")]
pub use table::{Column, Table};
pub use tokens::{Token, Tokens};

/// Whether octets of flash count for more than speed: on a microcontroller.
const SMALL: bool = cfg!(target_os = "none");
