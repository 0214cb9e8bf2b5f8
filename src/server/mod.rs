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
//! A long attribute leaves block by block, produced as it is asked for; memory does not depend on its length.

mod action;
mod association;
mod config;
mod event;
mod get;
mod hls;
mod notification;
mod resolve;
mod session;
mod set;

pub use config::AssociationConfig;
pub use event::{Event, RefusalReason};
pub use notification::{data_notification, event_notification};
pub use session::{Host, Session};
