//! DLMS/COSEM (IEC 62056) on both ends of the wire.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod acse;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "embedded-io")]
pub mod drivers;
mod handshake;
mod protection;
#[cfg(feature = "server")]
pub mod server;
pub mod transfer;
pub mod xdlms;

pub use protection::{
    DedicatedKey, Envelope, HEADROOM, KeyClass, Opened, PEERS, ProtectionError, SecurityContext, TAILROOM,
};
