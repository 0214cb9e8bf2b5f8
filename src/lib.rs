//! DLMS/COSEM (IEC 62056) on both ends of the wire.
//!
//! * [`client::Client`] opens an association and reads, writes and invokes: what a head-end or a hand-held reader does.
//! * [`server::Session`] answers over the objects of a meter.
//! * [`acse`] and [`xdlms`] are the APDUs; [`SecurityContext`] protects them.
//! * [`axdr`], [`obis`], [`objects`], [`security`], `hdlc` and `wrapper` are the layers below.
//!
//! Neither engine does I/O, reads a clock or allocates: they take octets and the time, and give octets, events and the
//! next deadline. The crate `dlms-tokio` does the waiting for a head-end; the feature `embedded-io` has drivers for
//! firmware.
//!
//! A meter with one register, and a client that reads it:
//!
//! ```
//! use core::time::Duration;
//! use dlms::client::{Client, ClientConfig, Environment, Event};
//! use dlms::obis::LogicalName;
//! use dlms::objects::classes::Register;
//! use dlms::objects::{AccessRights, AssociationId, LogicalDevice, ScalerUnit, Unit};
//! use dlms::security::{NoRandom, NoStore, RustCrypto, SystemTitle};
//! use dlms::server::{AssociationConfig, Host, Session};
//!
//! const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
//!
//! struct Meter {
//!     energy: Register<u32>,
//! }
//!
//! impl LogicalDevice for Meter {
//!     dlms::objects::objects!(energy);
//!
//!     fn attribute_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
//!         AccessRights::READ
//!     }
//!
//!     fn method_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
//!         AccessRights::empty()
//!     }
//!
//!     fn is_visible(&self, _: AssociationId, _: usize) -> bool {
//!         true
//!     }
//!
//!     fn association_object(&self, _: AssociationId) -> Option<usize> {
//!         None
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let watt_hours = ScalerUnit { scaler: 0, unit: Unit::ActiveEnergyWattHour };
//! let mut meter = Meter { energy: Register::new(ENERGY, 5009, watt_hours) };
//! let provider = RustCrypto::new(NoRandom); // nothing here is ciphered or challenged
//! let mut host = Host {
//!     device: &mut meter,
//!     system_title: SystemTitle::from_octets(*b"ABC\0\0\0\0\x01"),
//!     associations: &mut [AssociationConfig::public(16)],
//!     security: &mut [],
//!     provider: &provider,
//!     counters: &mut NoStore,
//!     key_rings: &mut [],
//!     public_keys: None,
//!     certificates: None,
//!     key_management: None,
//!     manufacturer: None,
//!     scratch: &mut [0; 64],
//! };
//! let mut session = Session::new(16, [0; 256]);
//! let mut serve = |request: &[u8]| {
//!     let (mut request, mut out) = (request.to_vec(), [0; 512]);
//!     let range = session.handle_apdu(&mut host, Duration::ZERO, &mut request, &mut out);
//!     range.map_or(vec![], |range| out[range].to_vec())
//! };
//!
//! let mut env = Environment {
//!     provider: &provider,
//!     counters: &mut NoStore,
//!     security: None,
//!     key_ring: None,
//!     public_keys: None,
//!     manufacturer: None,
//!     now: Duration::ZERO,
//! };
//! let mut client = Client::new(ClientConfig::public(), [0; 0]);
//! let mut out = [0; 512];
//! let request = client.associate(&mut env, &mut out)?;
//! let mut response = serve(&out[request]);
//! let reaction = client.handle_apdu(&mut env, &mut response, &mut out)?;
//! assert!(matches!(reaction.event, Some(Event::Associated(_))));
//!
//! let value = Register::VALUE.of(ENERGY);
//! let request = client.get(&mut env, value.into(), &mut out)?;
//! let mut response = serve(&out[request]);
//! let reaction = client.handle_apdu(&mut env, &mut response, &mut out)?;
//! let Some(Event::GetPiece { octets, last: true }) = reaction.event else { panic!() };
//! let energy = watt_hours.apply(dlms::axdr::Data::from_octets(octets)?);
//! assert_eq!(energy.unwrap().to_string(), "5009 Wh");
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod acse;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "embedded-io")]
pub mod drivers;
mod handshake;
#[cfg(any(feature = "client", feature = "server"))]
mod log;
mod octets;
mod protection;
#[cfg(feature = "server")]
pub mod server;
pub mod transfer;
pub mod xdlms;

pub use cosem_objects as objects;
pub use dlms_axdr as axdr;
#[cfg(feature = "hdlc")]
pub use dlms_hdlc as hdlc;
pub use dlms_obis as obis;
pub use dlms_security as security;
#[cfg(feature = "wrapper")]
pub use dlms_wrapper as wrapper;
pub use protection::{
    Accepted, Asymmetric, Carrier, DataLayer, DedicatedKey, Demand, Envelope, Form, HEADROOM, KeyClass,
    KeyPairs, KeyRing, Keys, NewKeys, Opened, PEERS, ProtectionError, PublicKeys, SecurityContext, TAILROOM,
    TransactionId,
};
