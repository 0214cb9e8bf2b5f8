//! A meter and a head-end that rotates its keys, and a line between them that loses what it is told to.
//!
//! The meter stays as it is; requests and answers get lost, and the head-end is killed, at each place in turn. Every
//! nonce under which either end seals is kept: one that comes twice under one key fails the test.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod meter;
mod nonces;
mod rotations;
mod store;
mod world;

use core::time::Duration;

use dlms_obis::LogicalName;
use dlms_security::{KeyId, KeyUsage, PrivateKey, SecretKey, SecuritySuite, SystemTitle};

pub use nonces::{Recorder, sealed_under};
pub use world::{End, World};

use crate::common;

pub const METER: SystemTitle = common::SERVER_TITLE;
pub const UTILITY: SystemTitle = common::CLIENT_TITLE;
pub const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
pub const TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
/// The client addresses of the association whose keys change, and of the other one.
const OWN: u8 = 16;
const OTHER: u8 = 17;
const NOW: Duration = Duration::ZERO;
/// A meter that locks out at the third failure in a row.
pub const FAILURES: u16 = 3;

pub const SIGN: KeyUsage = KeyUsage::DigitalSignature;

/// What both ends know their keys by: octets, or the handles of a secure element each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    Octets,
    Handles,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Wrapper,
    Hdlc,
}

/// What goes wrong at an exchange of APDUs, or at a write of the head-end's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request does not arrive, and the line is cut.
    LoseRequest,
    /// The answer does not arrive, and the line is cut.
    LoseAnswer,
    /// The head-end is killed before the request leaves.
    KillBefore,
    /// The head-end is killed before it sees the answer.
    KillAfter,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::LoseRequest, Self::LoseAnswer, Self::KillBefore, Self::KillAfter];
}

/// The keys that a setup comes with.
pub fn initial(suite: SecuritySuite, setup: usize, id: KeyId) -> SecretKey {
    let octet = 0x11 * (1 + setup as u8 * 4 + id.id());
    SecretKey::new(suite, &[octet; 32][..suite.key_len()]).unwrap()
}

fn signing_key(suite: SecuritySuite, octet: u8) -> Option<PrivateKey> {
    let curve = suite.curve()?;
    Some(PrivateKey::new(curve, &[octet; 48][..curve.coordinate_len()]).unwrap())
}
