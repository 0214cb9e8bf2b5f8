//! DLMS/COSEM (IEC 62056) on both ends of the wire.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod handshake;
mod protection;
pub mod transfer;

pub use protection::{Envelope, KeyClass, PEERS, ProtectionError, SecurityContext};
