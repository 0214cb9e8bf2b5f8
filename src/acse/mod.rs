//! ACSE, the service that opens and closes application associations (IEC 62056-5-3, clause 7; X.227).
//!
//! Four APDUs in BER: [`Aarq`] and [`Aare`] open, [`ReleaseRequest`] (RLRQ) and [`ReleaseResponse`] (RLRE) close. What
//! is negotiated about xDLMS travels inside them as `user-information`: an xDLMS APDU, plain or ciphered, which is
//! borrowed here and not looked into.
//!
//! Decoding is strict: every field at most once and in the order of the standard, every length exact, unknown tags
//! refused with their offset.

mod aare;
mod aarq;
mod fields;
mod names;
mod release;

pub use aare::{Aare, AssociateResult, Diagnostic, ProviderDiagnostic, UserDiagnostic};
pub use aarq::{Aarq, AuthenticationValue};
pub use fields::{AcseRequirements, ProtocolVersion};
pub use names::{ApplicationContextName, MechanismName};
pub use release::{ReleaseRequest, ReleaseRequestReason, ReleaseResponse, ReleaseResponseReason};

/// The tag of AARQ, `[APPLICATION 0]`.
pub const AARQ: u8 = 0x60;
/// The tag of AARE, `[APPLICATION 1]`.
pub const AARE: u8 = 0x61;
/// The tag of RLRQ, `[APPLICATION 2]`.
pub const RLRQ: u8 = 0x62;
/// The tag of RLRE, `[APPLICATION 3]`.
pub const RLRE: u8 = 0x63;
