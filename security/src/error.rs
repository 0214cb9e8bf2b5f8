//! What can go wrong. No variant holds a secret, a plaintext or an expected tag.

use thiserror::Error;

use crate::CertificateError;

/// Why an operation on protected octets or keys was refused.
///
/// A server tells its peer the same thing for all of these (deciphering-error, in the same time), except for
/// [`SecurityError::Replay`]: which of them it was is for its own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SecurityError {
    /// The suite in the security control octet is not the one that is configured.
    #[error("security suite {found} where suite {expected} is configured")]
    SuiteMismatch {
        /// The suite id of this side's configuration.
        expected: u8,
        /// The suite id that arrived.
        found: u8,
    },
    /// A suite id that is reserved (3 to 15).
    #[error("security suite {0} is reserved")]
    ReservedSuite(u8),
    /// The applied protection is less than the required one.
    #[error("protection {found:#04x} where at least {required:#04x} is required")]
    InsufficientProtection {
        /// The required bits of the security control octet.
        required: u8,
        /// The bits that arrived.
        found: u8,
    },
    /// Neither authentication nor encryption is applied.
    #[error("content is neither authenticated nor encrypted")]
    NoProtection,
    /// The key set bit differs from what the carrier and the configuration allow.
    #[error("the key set bit does not fit this content")]
    KeySetMismatch,
    /// The compression bit is set; no compression is built in.
    #[error("compression is not supported")]
    CompressionNotSupported,
    /// Fewer octets than the security header, or header and tag, need.
    #[error("octet {offset}: protected content ends, {missing} more octets needed")]
    Truncated {
        /// Where the octets end.
        offset: usize,
        /// How many are missing.
        missing: usize,
    },
    /// The caller's buffer cannot take the result.
    #[error("buffer of {available} octets where {needed} are needed")]
    BufferTooSmall {
        /// Octets needed.
        needed: usize,
        /// Octets there.
        available: usize,
    },
    /// More octets than one GCM invocation of this project takes.
    #[error("content is too long for one invocation of the cipher")]
    TooLong,
    /// The authentication tag, a digest or a proof does not match.
    #[error("authentication failed")]
    TagMismatch,
    /// The invocation counter is below the lowest acceptable one.
    #[error("invocation counter {received} below the lowest acceptable {lowest_acceptable}")]
    Replay {
        /// The counter that arrived.
        received: u32,
        /// The lowest one that would have been accepted.
        lowest_acceptable: u32,
    },
    /// The invocation counter jumps further ahead than the configuration allows.
    #[error("invocation counter {received} is more than {limit} above the expected one")]
    CounterJump {
        /// The counter that arrived, or was hinted at.
        received: u32,
        /// The configured limit.
        limit: u32,
    },
    /// The invocation counter is at its maximum: the key must be changed.
    #[error("invocation counter is exhausted, the key must be changed")]
    CounterExhausted,
    /// The table of peers has no room for one more; nobody is evicted, since that would forget a floor.
    #[error("no room for one more peer")]
    TooManyPeers,
    /// A key of a size that the suite does not have.
    #[error("key of {found} octets where {expected} are needed")]
    KeyLength {
        /// The suite's key length in octets.
        expected: usize,
        /// The length that was given.
        found: usize,
    },
    /// A secret longer than its container.
    #[error("secret of {found} octets, {capacity} fit")]
    SecretTooLong {
        /// Octets that fit.
        capacity: usize,
        /// Octets given.
        found: usize,
    },
    /// A library that this program was built without.
    #[error("{0} is not built in")]
    NotBuiltIn(&'static str),
    /// A key's octets are needed where there is only the handle of another provider.
    #[error("key is known by a handle that is not this provider's")]
    KeyHandle,
    /// The key that this operation needs is not there.
    #[error("key is not available")]
    KeyMissing,
    /// The integrity check of a wrapped key failed, or its size is not the suite's.
    #[error("wrapped key does not unwrap")]
    KeyUnwrap,
    /// A private or public key is none of its curve, or of another curve than is needed.
    #[error("invalid key")]
    InvalidKey,
    /// The signature is not one over this message by this key.
    #[error("signature does not verify")]
    SignatureMismatch,
    /// A certificate or certification request is malformed, breaks the profile, or does not verify.
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The store of certificates has no room for one more.
    #[error("no room for one more certificate")]
    StoreFull,
    /// A system title that is not 8 octets.
    #[error("system title of {0} octets, 8 are needed")]
    TitleLength(usize),
    /// A challenge outside 8 to 64 octets (32 to 64 for mechanism 7).
    #[error("challenge of {0} octets")]
    ChallengeLength(usize),
    /// Our own challenge or our own title comes back: an attack.
    #[error("own challenge or own system title was reflected")]
    Reflection,
    /// A proof, f(challenge), of the wrong size.
    #[error("proof of {found} octets, {expected} are needed")]
    ProofLength {
        /// Octets that the mechanism's proof has.
        expected: usize,
        /// Octets that arrived.
        found: usize,
    },
    /// The security control octet of a proof is not `10` plus the suite id.
    #[error("security control {0:#04x} is not allowed here")]
    ControlNotAllowed(u8),
    /// A value that the standard reserves.
    #[error("invalid {0}")]
    InvalidValue(&'static str),
    /// The mechanism needs a function that this side does not have.
    #[error("authentication mechanism is not available")]
    MechanismUnavailable,
    /// The random number source failed or is not there.
    #[error("no random octets available")]
    RandomUnavailable,
    /// The cryptographic provider (a secure element, say) failed.
    #[error("cryptographic provider failed")]
    Provider,
    /// The counter could not be stored, so it must not be used.
    #[error("invocation counter could not be stored")]
    Storage(#[from] StorageError),
}

/// Persistent storage failed: nothing was written, or it is unknown whether it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Error)]
#[error("storage failed")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StorageError;
