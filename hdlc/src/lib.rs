//! The HDLC data link layer of DLMS/COSEM (IEC 62056-46, 62056-7-6; ISO/IEC 13239): frames, addresses, and both
//! stations as state machines.
//!
//! * [`Deframer`] turns octets, in whatever pieces, into [`Frame`]s; [`Frame::encode`] turns them back.
//! * [`Primary`] is the client's end of a link and [`Secondary`] the server's: connection, numbered and segmented
//!   transfer, recovery, time-outs. [`route`] shares a station among several links.
//! * [`Listener`] follows a customer port that only pushes.
//!
//! Nothing here does input or output, reads a clock or allocates: octets, and the time since any origin, are passed in;
//! frames, events and the next deadline come out. The buffers are the caller's. The run loops stand at the top of
//! [`Primary`]'s and [`Secondary`]'s modules' sources, and as examples in [`primary`] and [`secondary`].
//!
//! | feature | |
//! |---|---|
//! | `std` (default) | `std`'s error machinery; turns on `fast-crc` |
//! | `fast-crc` | check sequences sixteen octets a step, for 8 KiB of constant tables instead of 512 octets |
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::unreachable))]

#[cfg(test)]
extern crate std;

mod address;
mod control;
mod crc;
mod deframer;
mod frame;
mod link;
mod listener;
mod llc;
mod log;
mod parameters;
pub mod primary;
mod reject;
mod router;
pub mod secondary;

pub use address::{Address, AddressLength, AddressRange, ClientAddress, Delivery, ServerAddress};
pub use control::{Control, Sequence};
pub use crc::Crc;
pub use deframer::{Deframer, STRIKES, Statistics};
pub use frame::{BufferTooSmall, FLAG, Frame, FrameError, FrameErrorKind, MAX_FRAME, MAX_INFORMATION};
pub use link::{SendError, TransmitError};
pub use listener::{Listener, Push};
pub use llc::{LLC_LENGTH, Llc};
pub use parameters::{
    MAX_PARAMETERS, ParameterError, ParameterErrorKind, ParameterField, ParameterForm, Parameters,
};
#[doc(inline)]
pub use primary::{Loss, Primary, PrimaryConfig, PrimaryEvent};
pub use reject::FrameReject;
pub use router::{Route, refuse, route};
#[doc(inline)]
pub use secondary::{Disconnection, Secondary, SecondaryConfig, SecondaryEvent};
