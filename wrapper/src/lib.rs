//! The TCP/UDP wrapper of DLMS/COSEM (IEC 62056-47): eight octets before each APDU.
//!
//! | octets | field | value |
//! | --- | --- | --- |
//! | 0–1 | version | `0001` |
//! | 2–3 | source wPort | the sender's application process |
//! | 4–5 | destination wPort | the receiver's application process |
//! | 6–7 | length | octets of the APDU that follows, 1 to 65535 |
//! | 8… | APDU | one whole COSEM APDU |
//!
//! [`Wpdu`] is header and APDU together, for UDP and for sending; [`Deframer`] finds the WPDUs in a TCP stream. Neither
//! knows what an APDU is, and neither owns a socket, a clock or memory.
//!
//! ```
//! use core::time::Duration;
//! use dlms_wrapper::{Deframer, WPort, Wpdu};
//!
//! let request = Wpdu { source: WPort::PUBLIC_CLIENT, destination: WPort::MANAGEMENT, apdu: &[0x62, 0x00] };
//! let mut sent = [0; 32];
//! let length = request.encode(&mut sent)?;
//!
//! let mut deframer = Deframer::new([0; 512]);
//! let mut input = &sent[..length];
//! while !input.is_empty() {
//!     let received = deframer.receive(input, Duration::ZERO)?;
//!     input = &input[received.consumed..];
//!     if let Some(wpdu) = received.wpdu {
//!         assert_eq!(wpdu, request);
//!     }
//! }
//! # Ok::<(), dlms_wrapper::WrapperError>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]

mod deframer;
mod error;
mod wpdu;

pub use deframer::{Deframer, Received, Recovery};
pub use error::WrapperError;
pub use wpdu::{HEADER_LENGTH, Header, MAXIMUM_APDU_LENGTH, PORT, VERSION, WPort, Wpdu};
