//! Long values in blocks, as both ends and all services send and receive them (IEC 62056-5-3, service-specific block
//! transfer).
//!
//! Blocks are numbered from 1 and carry consecutive pieces of one encoded value; a cut may fall anywhere. Both sides
//! are bounded: what is received goes into a buffer of fixed size, and a block out of order ends the transfer.

mod incoming;
mod outgoing;

pub use incoming::{Incoming, TransferError};
pub use outgoing::{Block, Outgoing};
