//! Security bound to APDUs: the only place where keys and APDUs meet (IEC 62056-5-3, clause 5).
//!
//! A protected APDU travels in an envelope:
//!
//! | envelope | octets |
//! | --- | --- |
//! | service-specific, global or dedicated key | `tag ‖ length ‖ content` |
//! | general-glo-ciphering `DB`, general-ded-ciphering `DC` | `tag ‖ 08 title ‖ length ‖ content` |
//! | general-ciphering `DD` | `tag ‖ header ‖ key-info ‖ length ‖ content` |
//! | general-signing `DF` | `tag ‖ header ‖ length ‖ APDU ‖ length ‖ signature` |
//!
//! with `content = SC ‖ IC ‖ information or ciphertext ‖ [tag]` and `header = transaction-id ‖ originator-system-title ‖
//! recipient-system-title ‖ date-time ‖ other-information`. What is required comes from this side's configuration alone;
//! what arrives is only compared with it. The order on reception is fixed: structure, titles, security control, key,
//! counter, tag, then the counter is recorded, and only then is the plain APDU looked at. A signature may stand inside
//! or outside of the ciphering.

mod context;
mod data;
mod envelope;
mod error;
mod general;
mod install;
mod key_info;
mod key_ring;
mod keys;
mod open;
mod public_keys;
mod seal;
mod signing;
mod transaction;

pub use context::{DedicatedKey, SecurityContext};
pub use data::DataLayer;
#[cfg(feature = "server")]
pub(crate) use data::SealedKeyInfo;
pub(crate) use data::data_layers;
#[cfg(feature = "server")]
pub(crate) use envelope::is_protected;
pub use envelope::{Accepted, Carrier, Envelope, KeyClass};
pub use error::ProtectionError;
pub use install::NewKeys;
pub use key_ring::KeyRing;
pub use keys::{Demand, Form, Keys, Opened};
pub use public_keys::{Asymmetric, KeyPairs, PublicKeys};
pub use transaction::TransactionId;

/// Octets that an envelope needs before the plain APDU: tag, title, length, security header. General-ciphering and
/// general-signing need more, and move the APDU.
pub const HEADROOM: usize = 1 + 9 + 5 + 5;
/// Octets that general-ciphering with an identified key needs before the plain APDU: tag, header, key-info, length,
/// security header.
#[cfg(feature = "server")]
pub(crate) const GENERAL_HEADROOM: usize = 1 + (1 + TransactionId::MAX_LENGTH) + 9 + 9 + 1 + 1 + 3 + 3 + 5;
/// Octets that ciphering adds after the plain APDU: the authentication tag.
pub const TAILROOM: usize = 12;

/// How many peers a key's replay windows are kept for.
pub const PEERS: usize = 8;
