//! The LLC header in front of every MSDU (IEC 62056-46, 5.3): three octets.
//!
//! | direction | octets |
//! |---|---|
//! | client to server (command) | E6 E6 00 |
//! | server to client (response) | E6 E7 00 |
//!
//! Once per MSDU: in its first I frame and in every UI frame with data; it counts against the maximum information
//! field length. The destination FF is accepted and never sent; the quality octet is reserved and not looked at.

/// Octets of the header.
pub const LLC_LENGTH: usize = 3;

const DESTINATION: u8 = 0xE6;
const DESTINATION_ALL: u8 = 0xFF;

/// The direction of an MSDU, told by its source LSAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Llc {
    /// Client to server.
    Command = 0xE6,
    /// Server to client.
    Response = 0xE7,
}

impl Llc {
    /// The header as it is sent.
    #[must_use]
    pub const fn octets(self) -> [u8; LLC_LENGTH] {
        [DESTINATION, self as u8, 0]
    }

    /// Parts an MSDU into its direction and the APDU; `None` if it does not begin with an LLC header.
    #[must_use]
    pub fn split(msdu: &[u8]) -> Option<(Self, &[u8])> {
        match msdu {
            [DESTINATION | DESTINATION_ALL, 0xE6, _, apdu @ ..] => Some((Self::Command, apdu)),
            [DESTINATION | DESTINATION_ALL, 0xE7, _, apdu @ ..] => Some((Self::Response, apdu)),
            _ => None,
        }
    }

    /// The APDU of an MSDU of this direction.
    #[must_use]
    pub(crate) fn strip(self, msdu: &[u8]) -> Option<&[u8]> {
        Self::split(msdu).filter(|(direction, _)| *direction == self).map(|(_, apdu)| apdu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(Llc::Command.octets(), [0xE6, 0xE6, 0x00]);
        assert_eq!(Llc::Response.octets(), [0xE6, 0xE7, 0x00]);
        assert_eq!(Llc::split(&[0xE6, 0xE7, 0x00, 0x0F]), Some((Llc::Response, &[0x0F][..])));
        assert_eq!(Llc::split(&[0xFF, 0xE6, 0x55]), Some((Llc::Command, &[][..])));
        assert_eq!(Llc::split(&[0xE6, 0xE8, 0x00]), None);
        assert_eq!(Llc::split(&[0xE6, 0xE6]), None);
        assert_eq!(Llc::Command.strip(&[0xE6, 0xE7, 0x00, 0x0F]), None);
    }
}
