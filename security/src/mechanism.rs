//! Authentication mechanisms, `2.16.756.5.8.2.x`.

/// How the parties of an association prove who they are; the id is the last arc of the mechanism-name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AuthenticationMechanism {
    /// Lowest level: no authentication.
    #[default]
    None = 0,
    /// Low level security: a password, in clear.
    Lls = 1,
    /// High level security with a function that is the manufacturer's secret.
    Hls2Manufacturer = 2,
    /// High level security with MD5. Deprecated: only for meters that have nothing else.
    Md5 = 3,
    /// High level security with SHA-1. Deprecated: only for meters that have nothing else.
    Sha1 = 4,
    /// High level security with GMAC.
    Gmac = 5,
    /// High level security with SHA-256, in every suite.
    Sha256 = 6,
    /// High level security with ECDSA.
    Ecdsa = 7,
}

impl AuthenticationMechanism {
    /// The id.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The mechanism of an id; 8 and above are not defined.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Lls),
            2 => Some(Self::Hls2Manufacturer),
            3 => Some(Self::Md5),
            4 => Some(Self::Sha1),
            5 => Some(Self::Gmac),
            6 => Some(Self::Sha256),
            7 => Some(Self::Ecdsa),
            _ => None,
        }
    }

    /// Whether both parties prove themselves in four passes (HLS).
    pub const fn is_hls(self) -> bool {
        self.id() >= 2
    }

    /// Whether the mechanism rests on a broken hash and is off unless configured.
    pub const fn is_deprecated(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1)
    }

    /// Whether the proof depends on both system titles, so that they must be known.
    pub const fn needs_titles(self) -> bool {
        matches!(self, Self::Gmac | Self::Sha256 | Self::Ecdsa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip() {
        for id in 0..=255 {
            match AuthenticationMechanism::from_id(id) {
                Some(mechanism) => assert_eq!(mechanism.id(), id),
                None => assert!(id > 7),
            }
        }
    }
}
