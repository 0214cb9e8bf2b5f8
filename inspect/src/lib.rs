//! Explains captured DLMS/COSEM octets.
//!
//! [`Inspector`] finds the framing or is told, puts HDLC segments and general-block-transfer blocks together, opens
//! what it has keys for, and follows a whole exchange: system titles and challenges are picked up on the way, handshake
//! proofs are recomputed, blocks of long values are joined. The [`Explanation`] is one JSON document (`serde`), or a
//! tree of text for people (`Display`).
//!
//! ```
//! use dlms_inspect::{Inspector, Message, Options};
//!
//! let push = Message::push(vec![0x0F, 0, 0, 0, 1, 0, 0x06, 0, 0, 0x13, 0x91]);
//! let explanation = Inspector::new(Options::default()).inspect(&[push]);
//! assert_eq!(explanation.json()["apdu"]["data"]["double-long-unsigned"], 5009);
//! ```
//!
//! Nothing is believed: every check sequence, length and tag is verified, and what fails says where and why
//! ([`Problem`]). Known deviations of real meters are errors too, unless [`Options::lenient`] puts up with them; then
//! they are named.
#![forbid(unsafe_code)]

mod acse;
mod apdu;
mod association;
mod ciphered;
mod explanation;
mod framing;
mod hdlc;
mod iec62056_21;
mod inspector;
mod message;
mod options;
mod problem;
mod text;
mod wrapper;

pub use explanation::Explanation;
pub use inspector::Inspector;
pub use message::{Direction, Message, ParseMessageError};
pub use options::{Framing, Options};
pub use problem::{Layer, Problem};
