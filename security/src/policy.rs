//! Security policy and access rights: the protection that a request and its response must have.
//!
//! | bit | security_policy, version 1; access mode, Association LN version 3 |
//! | --- | --- |
//! | 0, 1 | unused in the policy; the access itself in the access mode |
//! | 2, 3, 4 | request authenticated, encrypted, signed |
//! | 5, 6, 7 | response authenticated, encrypted, signed |
//!
//! What is required is the union of the policy and of the rights of each attribute or method that is touched. More is
//! accepted, less is not.

use bitflags::bitflags;

use crate::{Protection, SecurityError};

bitflags! {
    /// What requests and responses must be protected with.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RequiredProtection: u8 {
        /// The request must be authenticated.
        const AUTHENTICATED_REQUEST = 0x04;
        /// The request must be encrypted.
        const ENCRYPTED_REQUEST = 0x08;
        /// The request must be digitally signed.
        const SIGNED_REQUEST = 0x10;
        /// The response must be authenticated.
        const AUTHENTICATED_RESPONSE = 0x20;
        /// The response must be encrypted.
        const ENCRYPTED_RESPONSE = 0x40;
        /// The response must be digitally signed.
        const SIGNED_RESPONSE = 0x80;
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for RequiredProtection {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "RequiredProtection({=u8:#x})", self.bits());
    }
}

/// The union of what the policy and the rights of one attribute or method require.
pub const fn required_protection(
    policy: RequiredProtection,
    access: RequiredProtection,
) -> RequiredProtection {
    policy.union(access)
}

impl RequiredProtection {
    /// `security_policy` of a Security setup of version 0: 0 nothing, 1 authenticated, 2 encrypted, 3 both, in both
    /// directions.
    ///
    /// # Errors
    /// [`SecurityError::InvalidValue`] for any other value.
    pub const fn from_policy_v0(policy: u8) -> Result<Self, SecurityError> {
        let authenticated = Self::AUTHENTICATED_REQUEST.union(Self::AUTHENTICATED_RESPONSE);
        let encrypted = Self::ENCRYPTED_REQUEST.union(Self::ENCRYPTED_RESPONSE);
        match policy {
            0 => Ok(Self::empty()),
            1 => Ok(authenticated),
            2 => Ok(encrypted),
            3 => Ok(authenticated.union(encrypted)),
            _ => Err(SecurityError::InvalidValue("security_policy")),
        }
    }

    /// `security_policy` of a Security setup of version 1: a set of bits.
    ///
    /// # Errors
    /// [`SecurityError::InvalidValue`] if bit 0 or 1 is set.
    pub const fn from_policy_v1(policy: u8) -> Result<Self, SecurityError> {
        match Self::from_bits(policy) {
            Some(required) => Ok(required),
            None => Err(SecurityError::InvalidValue("security_policy")),
        }
    }

    /// `security_policy` as a Security setup of version 0 says it: what is required in one direction is shown for both.
    /// Signatures have no place in it.
    pub const fn policy_v0(self) -> u8 {
        (self.request().union(self.response()).bits() & Protection::AUTHENTICATED_ENCRYPTED.bits()) >> 4
    }

    /// The access mode of an attribute or method, Association LN version 3: bits 2 to 7 of it.
    pub const fn from_access_bits(access_mode: u8) -> Self {
        Self::from_bits_truncate(access_mode)
    }

    /// The access mode of an attribute, Association LN versions 0 to 2: 4, 5 and 6 are authenticated.
    ///
    /// # Errors
    /// [`SecurityError::InvalidValue`] above 6.
    pub const fn from_attribute_access_mode(access_mode: u8) -> Result<Self, SecurityError> {
        match access_mode {
            0..=3 => Ok(Self::empty()),
            4..=6 => Ok(Self::AUTHENTICATED_REQUEST.union(Self::AUTHENTICATED_RESPONSE)),
            _ => Err(SecurityError::InvalidValue("access mode")),
        }
    }

    /// The access mode of a method, Association LN versions 0 to 2: 2 is authenticated.
    ///
    /// # Errors
    /// [`SecurityError::InvalidValue`] above 2.
    pub const fn from_method_access_mode(access_mode: u8) -> Result<Self, SecurityError> {
        match access_mode {
            0 | 1 => Ok(Self::empty()),
            2 => Ok(Self::AUTHENTICATED_REQUEST.union(Self::AUTHENTICATED_RESPONSE)),
            _ => Err(SecurityError::InvalidValue("access mode")),
        }
    }

    /// The protection that a request must have.
    pub const fn request(self) -> Protection {
        Protection::from_bits_truncate(self.bits() << 2)
    }

    /// The protection that a response must have.
    pub const fn response(self) -> Protection {
        Protection::from_bits_truncate(self.bits() >> 1)
    }

    /// Whether a request must be signed.
    pub const fn signed_request(self) -> bool {
        self.contains(Self::SIGNED_REQUEST)
    }

    /// Whether a response must be signed.
    pub const fn signed_response(self) -> bool {
        self.contains(Self::SIGNED_RESPONSE)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bits_land_on_the_control_octet() {
        let required = |bits| RequiredProtection::from_bits_truncate(bits);
        assert_eq!(required(0x04).request(), Protection::AUTHENTICATED);
        assert_eq!(required(0x08).request(), Protection::ENCRYPTED);
        assert_eq!(required(0x20).response(), Protection::AUTHENTICATED);
        assert_eq!(required(0x40).response(), Protection::ENCRYPTED);
        assert_eq!(required(0x10).request(), Protection::SIGNED);
        assert_eq!(required(0x80).response(), Protection::SIGNED);
        assert_eq!(required(0x1C).response(), Protection::empty());
        assert_eq!(required(0xE0).request(), Protection::empty());
        assert!(required(0x10).signed_request() && !required(0x10).signed_response());
        assert!(required(0x80).signed_response() && !required(0x80).signed_request());
    }

    #[test]
    fn policies() {
        let both = RequiredProtection::from_policy_v0(3).unwrap();
        assert_eq!(both.request(), Protection::AUTHENTICATED_ENCRYPTED);
        assert_eq!(both.response(), Protection::AUTHENTICATED_ENCRYPTED);
        assert!((4..=255).all(|policy| RequiredProtection::from_policy_v0(policy).is_err()));
        assert!(
            (0..4).all(|policy| RequiredProtection::from_policy_v0(policy).unwrap().policy_v0() == policy)
        );
        assert_eq!(RequiredProtection::SIGNED_REQUEST.policy_v0(), 0);
        for policy in 0..=255u8 {
            assert_eq!(RequiredProtection::from_policy_v1(policy).is_ok(), policy & 3 == 0);
        }
        assert!(RequiredProtection::from_attribute_access_mode(7).is_err());
        assert!(RequiredProtection::from_method_access_mode(3).is_err());
    }
}
