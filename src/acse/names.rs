//! Application context names and authentication mechanism names: object identifiers under 2.16.756.5.8.
//!
//! ```text
//! 60 85 74 05 08 01 c     application context c
//! 60 85 74 05 08 02 m     authentication mechanism m
//! ```
//!
//! Names that are not of COSEM are kept: a server has to say what it does not support.

use dlms_axdr::{BufferFull, Encoder};
use dlms_security::AuthenticationMechanism;

const CONTEXT: [u8; 6] = [0x60, 0x85, 0x74, 0x05, 0x08, 0x01];
const MECHANISM: [u8; 6] = [0x60, 0x85, 0x74, 0x05, 0x08, 0x02];

/// How objects are named in an association, and whether APDUs may be ciphered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ApplicationContextName<'a> {
    /// 1: by logical name, plain.
    #[default]
    LogicalNameReferencing,
    /// 2: by short name, plain.
    ShortNameReferencing,
    /// 3: by logical name, ciphered.
    LogicalNameReferencingWithCiphering,
    /// 4: by short name, ciphered.
    ShortNameReferencingWithCiphering,
    /// Another object identifier, in its octets.
    Other(&'a [u8]),
}

impl<'a> ApplicationContextName<'a> {
    /// The name with this object identifier.
    pub fn from_object_identifier(octets: &'a [u8]) -> Self {
        match octets.split_last() {
            Some((1, prefix)) if prefix == CONTEXT => Self::LogicalNameReferencing,
            Some((2, prefix)) if prefix == CONTEXT => Self::ShortNameReferencing,
            Some((3, prefix)) if prefix == CONTEXT => Self::LogicalNameReferencingWithCiphering,
            Some((4, prefix)) if prefix == CONTEXT => Self::ShortNameReferencingWithCiphering,
            _ => Self::Other(octets),
        }
    }

    /// Whether APDUs may be ciphered; unknown of another name.
    pub const fn is_ciphered(&self) -> bool {
        matches!(self, Self::LogicalNameReferencingWithCiphering | Self::ShortNameReferencingWithCiphering)
    }

    /// Writes the octets of the object identifier.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode_object_identifier(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let context = match *self {
            Self::LogicalNameReferencing => 1,
            Self::ShortNameReferencing => 2,
            Self::LogicalNameReferencingWithCiphering => 3,
            Self::ShortNameReferencingWithCiphering => 4,
            Self::Other(octets) => return encoder.octets(octets),
        };
        encoder.octets(&CONTEXT)?;
        encoder.u8(context)
    }
}

/// How the parties of an association prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MechanismName<'a> {
    /// A mechanism of the standard.
    Standard(AuthenticationMechanism),
    /// Another object identifier, in its octets.
    Other(&'a [u8]),
}

impl<'a> MechanismName<'a> {
    /// The name with this object identifier.
    pub fn from_object_identifier(octets: &'a [u8]) -> Self {
        octets
            .strip_prefix(&MECHANISM)
            .and_then(|arc| match arc {
                &[arc] => AuthenticationMechanism::from_id(arc),
                _ => None,
            })
            .map_or(Self::Other(octets), Self::Standard)
    }

    /// The mechanism, if it is one of the standard.
    pub const fn standard(&self) -> Option<AuthenticationMechanism> {
        match *self {
            Self::Standard(mechanism) => Some(mechanism),
            Self::Other(_) => None,
        }
    }

    /// Writes the octets of the object identifier.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode_object_identifier(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Standard(mechanism) => {
                encoder.octets(&MECHANISM)?;
                encoder.u8(mechanism.id())
            }
            Self::Other(octets) => encoder.octets(octets),
        }
    }
}

/// No authentication.
impl Default for MechanismName<'_> {
    fn default() -> Self {
        Self::Standard(AuthenticationMechanism::None)
    }
}

impl From<AuthenticationMechanism> for MechanismName<'_> {
    fn from(mechanism: AuthenticationMechanism) -> Self {
        Self::Standard(mechanism)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_kept() {
        let lls = [0x60, 0x85, 0x74, 5, 8, 2, 1];
        assert_eq!(MechanismName::from_object_identifier(&lls), AuthenticationMechanism::Lls.into());
        let gost = [0x60, 0x85, 0x74, 5, 8, 2, 8];
        assert_eq!(MechanismName::from_object_identifier(&gost), MechanismName::Other(&gost));
        assert_eq!(MechanismName::from_object_identifier(&[]), MechanismName::Other(&[]));
        assert_eq!(ApplicationContextName::from_object_identifier(&lls), ApplicationContextName::Other(&lls));
        let ciphered = [0x60, 0x85, 0x74, 5, 8, 1, 3];
        assert!(ApplicationContextName::from_object_identifier(&ciphered).is_ciphered());
    }
}
