//! The server: associations and services over a [`LogicalDevice`](cosem_objects::LogicalDevice), without I/O.
//!
//! A [`Session`] is one client's association with one logical device. The caller hands it each received APDU, in the
//! buffer it was received in (it is deciphered in place), and sends what comes back:
//!
//! ```text
//! loop {
//!     let apdu = receive();                                           // from HDLC, the wrapper, ...
//!     if let Some(range) = session.handle_apdu(&mut host, now, apdu, &mut transmit) {
//!         send(&transmit[range]);
//!     }
//!     while let Some(event) = session.poll_event() { ... }
//! }
//! // when session.poll_timeout() has passed: session.handle_timeout(now)
//! // when the link is lost: session.link_lost()
//! ```
//!
//! [`HdlcServer`] and [`WrapperServer`] put sessions and a framing together.
//!
//! A long attribute leaves block by block, produced as it is asked for; memory does not depend on its length.

mod access;
mod action;
mod association;
mod config;
mod data_protection;
mod event;
mod execution;
mod get;
#[cfg(feature = "hdlc")]
mod hdlc;
mod hls;
mod incoming;
mod lockout;
mod notification;
mod resolve;
mod room;
mod security_setup;
mod session;
mod set;
#[cfg(feature = "wrapper")]
mod wrapper;

pub use config::AssociationConfig;
pub use event::{Event, RefusalReason};
#[cfg(feature = "hdlc")]
pub use hdlc::HdlcServer;
pub use lockout::{Lockout, LockoutState};
pub use notification::{data_notification, event_notification};
pub use security_setup::{KeyManagement, KeyManager, PairChange, Setup, SetupKeyPairs};
pub use session::{Host, Session};
#[cfg(feature = "wrapper")]
pub use wrapper::WrapperServer;
