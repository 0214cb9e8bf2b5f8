//! The security control octet and the security header, IEC 62056-5-3.
//!
//! | bit | meaning |
//! | --- | --- |
//! | 0..3 | suite id |
//! | 4 | A: authenticated, a 12 octet tag is present |
//! | 5 | E: encrypted |
//! | 6 | key set: 0 unicast, 1 broadcast |
//! | 7 | compressed before the ciphering |
//!
//! What arrives is compared with a [`Requirement`] of this side's own making. It never chooses the algorithm, the key
//! or how much protection is enough.

use core::fmt;

use bitflags::bitflags;

use crate::{InvocationCounter, SecurityError, SecuritySuite};

const SUITE_MASK: u8 = 0x0F;
const BROADCAST: u8 = 0x40;
const COMPRESSED: u8 = 0x80;

bitflags! {
    /// Which protection is applied or required. The bits of the ciphering are those of the security control octet.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Protection: u8 {
        /// A: the content ends with an authentication tag.
        const AUTHENTICATED = 0x10;
        /// E: the information is encrypted.
        const ENCRYPTED = 0x20;
        /// The APDU is digitally signed: it travels in general-signing, which has no security control octet.
        const SIGNED = 0x40;
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Protection {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "Protection({=u8:#x})", self.bits());
    }
}

impl Protection {
    /// Authenticated and encrypted.
    pub const AUTHENTICATED_ENCRYPTED: Self = Self::AUTHENTICATED.union(Self::ENCRYPTED);

    /// What of it is applied by ciphering: all but the signature.
    #[must_use]
    pub const fn ciphering(self) -> Self {
        self.intersection(Self::AUTHENTICATED_ENCRYPTED)
    }

    /// Encryption without a tag or a signature: whoever knows the information can change any bit of it. Nothing that
    /// writes or executes something is sent or taken like this.
    pub const fn is_encryption_alone(self) -> bool {
        self.bits() == Self::ENCRYPTED.bits()
    }

    /// At least this protection, and never [encryption alone](Self::is_encryption_alone).
    #[must_use]
    pub const fn with_integrity(self) -> Self {
        if self.is_encryption_alone() { Self::AUTHENTICATED_ENCRYPTED } else { self }
    }

    /// Octets that this protection adds to the information: header, and tag if there is one.
    pub const fn overhead(self) -> usize {
        if self.contains(Self::AUTHENTICATED) {
            SecurityHeader::LENGTH + SecurityHeader::TAG_LENGTH
        } else {
            SecurityHeader::LENGTH
        }
    }
}

/// Which global encryption key a content is ciphered with: bit 6 of the security control octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeySet {
    /// The unicast key; also every dedicated, wrapped and agreed key.
    #[default]
    Unicast,
    /// The broadcast key, which every meter of a group holds.
    Broadcast,
}

/// The security control octet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SecurityControl(u8);

impl SecurityControl {
    /// The octet for a suite and a ciphering, unicast, not compressed.
    pub const fn new(suite: SecuritySuite, protection: Protection) -> Self {
        Self(suite.id() | protection.ciphering().bits())
    }

    /// The same octet with the broadcast key set.
    #[must_use]
    pub const fn with_broadcast(self) -> Self {
        Self(self.0 | BROADCAST)
    }

    /// Any octet, as received. Says nothing about whether it is acceptable: see [`Requirement::check`].
    pub const fn from_octet(octet: u8) -> Self {
        Self(octet)
    }

    /// The octet.
    pub const fn octet(self) -> u8 {
        self.0
    }

    /// The suite id, reserved ones included.
    pub const fn suite_id(self) -> u8 {
        self.0 & SUITE_MASK
    }

    /// The suite; nothing if the id is reserved.
    pub const fn suite(self) -> Option<SecuritySuite> {
        SecuritySuite::from_id(self.suite_id())
    }

    /// The applied protection.
    pub const fn protection(self) -> Protection {
        Protection::from_bits_truncate(self.0).ciphering()
    }

    /// Whether the broadcast key is used.
    pub const fn broadcast(self) -> bool {
        self.0 & BROADCAST != 0
    }

    /// The key set.
    pub const fn key_set(self) -> KeySet {
        if self.broadcast() { KeySet::Broadcast } else { KeySet::Unicast }
    }

    /// Whether the information was compressed before the ciphering.
    pub const fn compressed(self) -> bool {
        self.0 & COMPRESSED != 0
    }
}

impl fmt::Debug for SecurityControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityControl({:#04x})", self.0)
    }
}

/// The security header of a protected content.
///
/// ```text
/// A only   SC(1) IC(4) information(n) tag(12)
/// E only   SC(1) IC(4) ciphertext(n)
/// A and E  SC(1) IC(4) ciphertext(n)  tag(12)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SecurityHeader {
    /// The security control octet.
    pub control: SecurityControl,
    /// The invocation counter, the second half of the nonce.
    pub counter: InvocationCounter,
}

impl SecurityHeader {
    /// Octets of the header.
    pub const LENGTH: usize = 5;
    /// Octets of the authentication tag, in every suite.
    pub const TAG_LENGTH: usize = 12;

    /// Reads the header of a whole protected content.
    ///
    /// # Errors
    /// [`SecurityError::Truncated`] if the content is shorter than its own control octet asks for (17 octets with a
    /// tag, 5 without), [`SecurityError::NoProtection`] if it is neither authenticated nor encrypted.
    pub fn parse(content: &[u8]) -> Result<Self, SecurityError> {
        let (header, _) = content
            .split_first_chunk::<{ Self::LENGTH }>()
            .ok_or_else(|| truncated(content.len(), Self::LENGTH))?;
        let [control, counter @ ..] = *header;
        let header = Self {
            control: SecurityControl::from_octet(control),
            counter: InvocationCounter::new(u32::from_be_bytes(counter)),
        };
        let protection = header.control.protection();
        if protection.is_empty() {
            return Err(SecurityError::NoProtection);
        }
        if content.len() < protection.overhead() {
            return Err(truncated(content.len(), protection.overhead()));
        }
        Ok(header)
    }

    /// The header's octets.
    pub fn octets(self) -> [u8; Self::LENGTH] {
        let [a, b, c, d] = self.counter.value().to_be_bytes();
        [self.control.octet(), a, b, c, d]
    }
}

/// What this side demands of a content, from its own configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Requirement {
    /// The suite of the security setup.
    pub suite: SecuritySuite,
    /// The least ciphering that is enough; whether there must be a signature is asked elsewhere.
    pub protection: Protection,
    /// The key set that the carrier and the association allow.
    pub key_set: KeySet,
}

impl Requirement {
    /// Compares a received security control octet with this requirement.
    ///
    /// More protection than required is fine. A content that is only encrypted has no integrity at all, so it passes
    /// only where the configuration asks for exactly that, never as "more than nothing".
    ///
    /// # Errors
    /// [`SecurityError::SuiteMismatch`], [`SecurityError::CompressionNotSupported`],
    /// [`SecurityError::KeySetMismatch`], [`SecurityError::NoProtection`], [`SecurityError::InsufficientProtection`].
    pub fn check(&self, control: SecurityControl) -> Result<(), SecurityError> {
        if control.suite_id() != self.suite.id() {
            return Err(SecurityError::SuiteMismatch {
                expected: self.suite.id(),
                found: control.suite_id(),
            });
        }
        if control.compressed() {
            return Err(SecurityError::CompressionNotSupported);
        }
        if control.key_set() != self.key_set {
            return Err(SecurityError::KeySetMismatch);
        }
        let applied = control.protection();
        if applied.is_empty() {
            return Err(SecurityError::NoProtection);
        }
        let required = self.protection.ciphering();
        let only_encrypted = applied == Protection::ENCRYPTED && required != Protection::ENCRYPTED;
        if only_encrypted || !applied.contains(required) {
            return Err(SecurityError::InsufficientProtection {
                required: required.bits(),
                found: applied.bits(),
            });
        }
        Ok(())
    }
}

const fn truncated(offset: usize, needed: usize) -> SecurityError {
    SecurityError::Truncated { offset, missing: needed.saturating_sub(offset) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ALL: Protection = Protection::AUTHENTICATED_ENCRYPTED;

    fn requirement(protection: Protection) -> Requirement {
        Requirement { suite: SecuritySuite::Suite1, protection, key_set: KeySet::Unicast }
    }

    #[test]
    fn control_octets_of_the_standard() {
        assert_eq!(SecurityControl::new(SecuritySuite::Suite0, ALL).octet(), 0x30);
        assert_eq!(SecurityControl::new(SecuritySuite::Suite1, ALL).octet(), 0x31);
        assert_eq!(SecurityControl::new(SecuritySuite::Suite2, ALL).octet(), 0x32);
        let control = SecurityControl::new(SecuritySuite::Suite2, Protection::AUTHENTICATED);
        assert_eq!(control.with_broadcast().octet(), 0x52);
        assert!(control.with_broadcast().broadcast());
        assert_eq!(SecurityControl::from_octet(0x3F).suite(), None);
    }

    #[test]
    fn headers_have_a_least_length() {
        for len in 0..17 {
            let mut content = [0u8; 17];
            content[0] = 0x30;
            assert!(matches!(
                SecurityHeader::parse(&content[..len]),
                Err(SecurityError::Truncated { .. } | SecurityError::NoProtection)
            ));
        }
        let header = SecurityHeader::parse(&[0x20, 1, 0x23, 0x45, 0x67]).unwrap();
        assert_eq!(header.counter.value(), 0x0123_4567);
        assert_eq!(header.octets(), [0x20, 1, 0x23, 0x45, 0x67]);
        assert_eq!(SecurityHeader::parse(&[0; 17]), Err(SecurityError::NoProtection));
    }

    #[test]
    fn every_control_octet_against_every_requirement() {
        for required in [Protection::empty(), Protection::AUTHENTICATED, Protection::ENCRYPTED, ALL] {
            let accepted = (0..=255u8)
                .filter(|octet| requirement(required).check(SecurityControl::from_octet(*octet)).is_ok())
                .collect::<std::vec::Vec<_>>();
            let expected: &[u8] = match required {
                Protection::ENCRYPTED => &[0x21, 0x31],
                ALL => &[0x31],
                _ => &[0x11, 0x31],
            };
            assert_eq!(accepted, expected, "{required:?}");
        }
    }

    #[test]
    fn compression_is_refused_by_name() {
        assert_eq!(
            requirement(ALL).check(SecurityControl::from_octet(0xB1)),
            Err(SecurityError::CompressionNotSupported)
        );
    }
}
