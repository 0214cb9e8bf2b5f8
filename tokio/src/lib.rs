//! DLMS/COSEM over tokio: a client, a listener and a server for head-ends and simulators.
//!
//! The protocol is in [`dlms`], without I/O; here are sockets, serial lines, clocks and files.
//!
//! * [`Client`] connects, associates, reads, sets, invokes; [`ClientOptions`] says how.
//! * [`Listener`] receives notifications without an association.
//! * [`ModeE`] and [`answer_sign_on`] open an optical port before HDLC is spoken on it.
//! * [`Server`] lets many clients at once work on one device.
//! * [`FileCounterStore`] keeps invocation counters over restarts.
//! * [`ClientOptions::library`] and [`provider_on`] choose the cryptographic library, [`Client::connect_with`] takes any other
//!   provider: a hardware security module whose keys are handles, for instance.
//! * [`rotate_key`], [`renew_certificate`] and [`raise_policy`] change what a meter is secured with.
//! * [`Trace`] sees every frame and every APDU.
#![forbid(unsafe_code)]

mod client;
mod clock;
mod counters;
mod error;
mod link;
mod listener;
mod optical;
mod options;
mod places;
mod provider;
mod rotation;
mod server;
mod trace;

pub use client::{
    AccessItem, AccessOptions, Accessed, Client, ImageProgress, ImageTransfer, Notification,
    ObjectListElement, Profile, ProfileSelection, RemoteDataProtection, RemoteRegister, Value,
};
pub use counters::FileCounterStore;
pub use dlms;
pub use dlms_iec62056_21 as iec62056_21;
pub use error::{Error, ErrorKind};
pub use link::Link;
pub use listener::{Listener, ListenerFraming, Received};
pub use optical::{ModeE, answer_sign_on, sign_on};
pub use options::{ClientOptions, Endpoint, Framing, Identity, Keys, SerialOptions};
pub use provider::{OsRandom, Provider, provider, provider_on};
pub use rotation::{AgreementParties, raise_policy, renew_certificate, rotate_key};
pub use server::{Server, ServerFraming, ServerHost, ServerOptions, serve_stream};
pub use trace::{Direction, Layer, Trace};
