//! IEC 62056-21: what is spoken at the optical port of a meter before DLMS is.
//!
//! * [`SignOn`] opens the port as the reader does it, [`Device`] answers as the meter does it: sign-on at 300 Bd,
//!   identification, option select, and with mode E the switch to HDLC. Both are state machines without I/O: they take
//!   characters and the time, and say what to send and how the line is to be set ([`LineSettings`]);
//! * [`Readout`] checks a data message and gives its [`DataSet`]s, [`ReadoutWriter`] writes one;
//! * [`p1::Telegram`] checks and reads what the consumer port of a meter sends;
//! * [`parity`] does 7E1 on a port that only has 8N1.
//!
//! ```
//! use dlms_iec62056_21::Readout;
//!
//! let message = b"\x02F.F(00)\r\n1.8.0(000123.4*kWh)\r\n!\r\n\x03\x56";
//! let readout = Readout::from_octets(message)?;
//! let energy = readout.data_sets().nth(1).unwrap()?;
//! assert_eq!((energy.identifier, energy.values().next().unwrap()), ("1.8.0", "000123.4*kWh"));
//! # Ok::<(), dlms_iec62056_21::Error>(())
//! ```
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]

mod client;
mod data_set;
mod device;
mod error;
mod line;
mod message;
pub mod p1;
pub mod parity;
mod readout;

pub use client::{Opened, SignOn, SignOnConfig, Wish};
pub use data_set::{DataSet, DataSets};
pub use device::{Device, DeviceConfig, DeviceState};
pub use error::{Error, ErrorKind};
pub use line::{BaudRate, Characters, LineSettings};
pub use message::{Identification, Mode, OptionSelect, Protocol, Request};
pub use readout::{Readout, ReadoutWriter};
