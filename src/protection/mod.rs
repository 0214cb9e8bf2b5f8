//! Security bound to APDUs: the only place where keys and APDUs meet (IEC 62056-5-3, clause 5).
//!
//! A protected APDU travels in an envelope:
//!
//! | envelope | octets |
//! | --- | --- |
//! | service-specific, global or dedicated key | `tag ‖ length ‖ content` |
//! | general-glo-ciphering `DB`, general-ded-ciphering `DC` | `tag ‖ 08 title ‖ length ‖ content` |
//!
//! with `content = SC ‖ IC ‖ information or ciphertext ‖ [tag]`. What is required comes from this side's configuration
//! alone; what arrives is only compared with it. The order on reception is fixed: structure, titles, security control,
//! key, counter, tag, then the counter is recorded, and only then is the plain APDU looked at.

mod context;
mod envelope;
mod error;
mod key_ring;
mod open;
mod public_keys;
mod seal;

pub use context::{DedicatedKey, SecurityContext};
#[cfg(feature = "server")]
pub(crate) use envelope::is_protected;
pub use envelope::{Envelope, KeyClass};
pub use error::ProtectionError;
pub use key_ring::KeyRing;
pub use open::Opened;
pub use public_keys::{KeyPairs, PublicKeys};

/// Octets that an envelope needs before the plain APDU: tag, title, length, security header.
pub const HEADROOM: usize = 1 + 9 + 5 + 5;
/// Octets that protection adds after the plain APDU: the authentication tag.
pub const TAILROOM: usize = 12;

/// How many peers a key's replay windows are kept for.
pub const PEERS: usize = 8;
