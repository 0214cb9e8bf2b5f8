//! Security suites, and the system titles that name the parties.

use core::fmt;

use crate::SecurityError;

/// The security suites of IEC 62056-5-3.
///
/// | | suite 0 | suite 1 | suite 2 |
/// | --- | --- | --- | --- |
/// | authenticated encryption | AES-128-GCM | AES-128-GCM | AES-256-GCM |
/// | keys, octets | 16 | 16 | 32 |
/// | key wrap | AES-128 | AES-128 | AES-256 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SecuritySuite {
    /// AES-GCM-128 for everything.
    #[default]
    Suite0 = 0,
    /// Suite 0 with ECDSA and ECDH on P-256.
    Suite1 = 1,
    /// AES-GCM-256 with ECDSA and ECDH on P-384.
    Suite2 = 2,
}

impl SecuritySuite {
    /// All suites, in the order of their ids.
    pub const ALL: [Self; 3] = [Self::Suite0, Self::Suite1, Self::Suite2];

    /// The suite id, as in bits 0 to 3 of the security control octet.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The suite of an id; 3 to 15 are reserved.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Suite0),
            1 => Some(Self::Suite1),
            2 => Some(Self::Suite2),
            _ => None,
        }
    }

    /// Octets of every symmetric key of the suite: 16, 16, 32.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Suite0 | Self::Suite1 => 16,
            Self::Suite2 => 32,
        }
    }

    /// Octets of a wrapped key: 24, 24, 40.
    pub const fn wrapped_key_len(self) -> usize {
        self.key_len() + 8
    }
}

/// A system title: the 8 octets that name a party, and half of every nonce.
///
/// The first three are the manufacturer's FLAG id in a meter's title.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemTitle([u8; Self::LENGTH]);

impl SystemTitle {
    /// Octets of a system title.
    pub const LENGTH: usize = 8;

    /// The title of these octets.
    pub const fn from_octets(octets: [u8; Self::LENGTH]) -> Self {
        Self(octets)
    }

    /// The octets, as on the wire.
    pub const fn octets(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl TryFrom<&[u8]> for SystemTitle {
    type Error = SecurityError;

    fn try_from(octets: &[u8]) -> Result<Self, SecurityError> {
        <[u8; Self::LENGTH]>::try_from(octets).map(Self).map_err(|_| SecurityError::TitleLength(octets.len()))
    }
}

impl From<[u8; SystemTitle::LENGTH]> for SystemTitle {
    fn from(octets: [u8; Self::LENGTH]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for SystemTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for SystemTitle {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "{=u64:016X}", u64::from_be_bytes(self.0));
    }
}

impl fmt::Debug for SystemTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemTitle({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn suites_3_to_15_are_reserved() {
        for suite in SecuritySuite::ALL {
            assert_eq!(SecuritySuite::from_id(suite.id()), Some(suite));
        }
        assert!((3..=255).all(|id| SecuritySuite::from_id(id).is_none()));
    }

    #[test]
    fn titles_are_eight_octets() {
        assert_eq!(SystemTitle::try_from(&[0u8; 7][..]), Err(SecurityError::TitleLength(7)));
        assert_eq!(SystemTitle::try_from(&[0u8; 9][..]), Err(SecurityError::TitleLength(9)));
        let title = SystemTitle::try_from(&b"MMM\0\0\xBC\x61\x4E"[..]).unwrap();
        assert_eq!(std::format!("{title}"), "4D4D4D0000BC614E");
    }
}
