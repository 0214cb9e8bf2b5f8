//! The client: associations and services over any link, without I/O.
//!
//! A [`Client`] is one association with one logical device. A call makes a request and says where in the transmit buffer
//! its APDU is; every received APDU goes to [`Client::handle_apdu`], in the buffer it was received in, and a
//! [`Reaction`] says what to send next and what happened:
//!
//! ```text
//! send(&out[client.associate(&mut env, out)?]);
//! loop {
//!     let apdu = receive();                       // until client.poll_timeout(); then client.handle_timeout(now)
//!     let reaction = client.handle_apdu(&mut env, apdu, out)?;
//!     if let Some(range) = reaction.transmit { send(&out[range]); }
//!     match reaction.event {
//!         Some(Event::Associated(_)) => send(&out[client.get(&mut env, item, out)?]),
//!         Some(Event::GetPiece { octets, last }) => ...,
//!         ...
//!     }
//! }
//! // when the link is lost: client.link_lost()
//! ```
//!
//! One rule for callers: what must be transmitted is sent before anything else is asked of the client.
//!
//! A long value arrives in pieces and leaves in blocks; who asked for it need not know. Keys and counters live in a
//! [`SecurityContext`](crate::SecurityContext) that outlives associations.

mod access;
mod association;
pub mod broadcast;
mod config;
pub mod data_protection;
mod error;
mod event;
pub mod notification;
mod reassembly;
mod request;
mod response;
mod results;
pub mod rotation;
pub mod security_setup;
mod session;

pub use access::{AccessItem, AccessOptions};
pub use config::{ClientConfig, DedicatedKeyChoice, Environment, Tolerance};
pub use error::{ClientError, Refusal};
pub use event::{Agreement, Event, Reaction};
pub use reassembly::Reassembly;
pub use request::{ActionItem, SetItem};
pub use results::get_results;
pub use session::Client;
