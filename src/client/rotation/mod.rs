//! Changing keys, certificates and policy of a meter from afar: what was begun is finished, whatever gets lost.
//!
//! If the answer to a change is lost the meter has the old keys or the new ones, never a mixture. A procedure here is
//! the head-end's memory of such a change and its way out: it says what to do next ([`Step`]), is told what came of it
//! ([`Answer`]), and stores what must not be forgotten *before* it says so. A head-end that is killed at any instant
//! resumes from what is stored.
//!
//! | procedure | what it does | stored before it is sent |
//! | --- | --- | --- |
//! | [`KeyRotation`] | a global key by key_transfer or key_agreement; proved by use | the new key |
//! | [`CertificateRenewal`] | key pair, request, certificate, import, reading back, removal of the old one | the certificate |
//! | [`PolicyRaise`] | security_activate, and whether it took effect | nothing: the meter tells |
//!
//! ```text
//! let mut rotation = match KeyRotation::resume(env, setup)? {
//!     Some(rotation) => rotation,                              // an earlier one comes first
//!     None => KeyRotation::begin(env, setup, new)?,
//! };
//! loop {
//!     let answer = match rotation.next(env, &mut buffer)? {
//!         Step::Associate(access) => give up the open association; open one with rotation.keys(access)
//!         Step::Invoke(method, parameter) => client.action(…)
//!         Step::Read(attribute) => client.get(…)
//!         Step::Issue(request) => …                            // certificates alone
//!         Step::Done => break,
//!     };
//!     rotation.answer(env, answer)?;
//! }
//! ```
//!
//! Three rules for callers. The association is authenticated and encrypted. The counters of an encryption key go by its
//! [fingerprint](dlms_security::KeyFingerprint), so that neither value's counters begin anew when it is tried once more.
//! And an association that is given up is given up by closing the link: a release under the wrong keys is refused.
//!
//! # Which keys are tried
//!
//! A meter may lock out who tries wrong keys. Of the two possible states the one is tried that is likelier; the other
//! follows at once if it is refused or nothing is heard, across restarts too: no key is tried twice in a row that may be
//! wrong, and the right one resets the meter's count. A refusal is no proof, since anybody can send one. Only what the
//! meter says under a key is: it alone commits a key, or makes a request leave again.

mod certificate;
mod keys;
mod pending;
mod policy;

use cosem_objects::ActionResult;
use dlms_axdr::{Data, Encode, Encoder};
use dlms_security::{SecurityError, StorageError};
use thiserror::Error;

pub use certificate::{CertificateRenewal, PendingCertificate, RenewalEnvironment, RenewalStore, StoredDer};
pub use keys::{KeyRotation, NewRotation};
pub use pending::{
    MeterKeys, Parties, PendingKey, RotationEnvironment, RotationMethod, RotationStore, SetupKeys,
};
pub use policy::PolicyRaise;

use crate::xdlms::{AttributeDescriptor, MethodDescriptor};

/// Octets that are enough for the parameter of every [`Step`].
pub const STEP_BUFFER: usize = 256;

/// How often an association, or a request, is tried before a procedure is left to be resumed. Where two keys may be right,
/// no more than half of the attempts are made with the wrong one.
const TRIES: u8 = 4;

/// With what an association is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// What was in use before: keys, or the public key of the meter.
    Current,
    /// What may be in use now.
    Pending,
    /// Another association, with keys of another security setup that has the right to the methods of this one.
    Other,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'s> {
    /// Open an association: [`Answer::Associated`], [`Answer::NotAssociated`], [`Answer::Unreached`] or
    /// [`Answer::Lost`] follows.
    Associate(Access),
    /// Invoke a method in the open association: [`Answer::Returned`], [`Answer::Denied`], [`Answer::Unreached`] or
    /// [`Answer::Lost`] follows.
    Invoke(MethodDescriptor, Data<'s>),
    /// Read an attribute in the open association. What follows is as with `Invoke`.
    Read(AttributeDescriptor),
    /// Have a certificate issued to this certification request, which was verified:
    /// [`CertificateRenewal::issued`] follows.
    Issue(&'s [u8]),
    /// All is done and stored.
    Done,
}

/// What came of a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer<'a> {
    /// The association is open, and the meter has proved itself.
    Associated,
    /// There is no association: the meter refuses it, or did not prove itself.
    NotAssociated,
    /// The method was invoked or the attribute read, by an answer that was protected as it must be.
    Returned(Option<Data<'a>>),
    /// The method was not invoked or the attribute not read, by an answer that was protected as it must be: the
    /// Action-Result or Data-Access-Result.
    Denied(u8),
    /// Nothing has left: no connection could be made.
    Unreached,
    /// Whether the request arrived is unknown: no answer, or one that proves nothing, such as an exception-response.
    Lost,
}

/// Why a procedure did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum RotationError {
    /// Another change of this security setup was begun and not finished: it is to be resumed first.
    #[error("an earlier change is not finished: resume it")]
    Unfinished,
    /// What was asked for contradicts itself.
    #[error("{0}")]
    Invalid(&'static str),
    /// The meter refuses the method. Nothing has changed, and nothing is pending.
    #[error("the meter refuses: result {0}")]
    Refused(u8),
    /// The meter refuses the method, and it is unknown whether an earlier request was carried out. It can be resumed.
    #[error("the meter refuses, and what became of an earlier request is unknown: result {0}")]
    Doubtful(u8),
    /// The meter refuses the association. It can be resumed.
    #[error("the meter refuses the association")]
    NotAssociated,
    /// The meter refuses the association with the old and with the new keys. It can be resumed.
    #[error("the meter refuses the old keys and the new ones")]
    NeitherKey,
    /// The meter does not do what it said that it did. It can be resumed.
    #[error("the meter does not use what it was given")]
    NotInUse,
    /// The meter cannot be heard. It can be resumed.
    #[error("the meter cannot be heard")]
    Lost,
    /// The answer does not belong to the step.
    #[error("the answer does not belong to the step")]
    Unexpected,
    /// What the meter answers is malformed.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// Cryptography, a certificate, or the storage.
    #[error(transparent)]
    Security(#[from] SecurityError),
}

impl From<StorageError> for RotationError {
    fn from(error: StorageError) -> Self {
        Self::Security(error.into())
    }
}

/// Writes a parameter into `buffer`.
fn encoded<'b>(parameter: &dyn Encode, buffer: &'b mut [u8]) -> Result<Data<'b>, RotationError> {
    let available = buffer.len();
    let too_small = SecurityError::BufferTooSmall { needed: available + 1, available };
    let mut encoder = Encoder::new(&mut *buffer);
    parameter.encode(&mut encoder).map_err(|_| too_small)?;
    let length = encoder.len();
    let octets = buffer.get(..length).unwrap_or_default();
    Data::from_octets(octets).map_err(|_| RotationError::Invalid("parameter"))
}

/// Whether a method that was refused with this Action-Result may take effect all the same: the meter's storage failed, and
/// what is on it shows when the meter starts again.
const fn may_have_changed(result: u8) -> bool {
    matches!(ActionResult::from_code(result), ActionResult::HardwareFault | ActionResult::TemporaryFailure)
}

/// Counts what came to nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Tries(u8);

impl Tries {
    /// One more that came to nothing.
    const fn failed(&mut self) -> Result<(), RotationError> {
        self.0 = self.0.saturating_add(1);
        if self.0 < TRIES { Ok(()) } else { Err(RotationError::Lost) }
    }

    const fn reset(&mut self) {
        self.0 = 0;
    }
}
