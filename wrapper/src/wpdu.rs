//! The WPDU: header and APDU (IEC 62056-47).
//!
//! The length counts the APDU alone, without the header. An answer swaps the wPorts.

use core::fmt;

use crate::WrapperError;

/// The octets of the header.
pub const HEADER_LENGTH: usize = 8;
/// The version of the wrapper.
pub const VERSION: u16 = 0x0001;
/// The longest APDU that the length field can say.
pub const MAXIMUM_APDU_LENGTH: usize = 0xFFFF;
/// The registered TCP and UDP port (`dlms/cosem`); not a wPort.
pub const PORT: u16 = 4059;

/// A wrapper port: the application process at one end, and no TCP or UDP port.
///
/// The same numbers mean different things at the two ends; the constants say which.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WPort(pub u16);

impl WPort {
    /// Nobody: no WPDU comes from or goes to it.
    pub const NO_STATION: Self = Self(0x0000);
    /// In the client the management process, in the server the management logical device.
    pub const MANAGEMENT: Self = Self(0x0001);
    /// In the client: the public client.
    pub const PUBLIC_CLIENT: Self = Self(0x0010);
    /// In the server: every logical device (broadcast), for UDP and never answered.
    pub const ALL_STATION: Self = Self(0x007F);
}

impl fmt::Debug for WPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WPort(0x{:04X})", self.0)
    }
}

impl fmt::Display for WPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The header of a WPDU, with a legal version and a length of at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header {
    source: WPort,
    destination: WPort,
    length: u16,
}

impl Header {
    /// The header of an APDU of `length` octets.
    ///
    /// # Errors
    /// [`WrapperError::ApduLength`] if `length` is 0 or more than [`MAXIMUM_APDU_LENGTH`].
    pub fn new(source: WPort, destination: WPort, length: usize) -> Result<Self, WrapperError> {
        match u16::try_from(length) {
            Ok(length @ 1..) => Ok(Self { source, destination, length }),
            _ => Err(WrapperError::ApduLength { length }),
        }
    }

    /// Reads the eight octets of a header.
    ///
    /// # Errors
    /// [`WrapperError::Version`] and [`WrapperError::NoApdu`], with offsets inside the header. Any wPorts are accepted:
    /// who lives behind them is for the caller to know.
    pub fn decode(octets: [u8; HEADER_LENGTH]) -> Result<Self, WrapperError> {
        let [v0, v1, s0, s1, d0, d1, l0, l1] = octets;
        let found = u16::from_be_bytes([v0, v1]);
        if found != VERSION {
            return Err(WrapperError::Version { offset: 0, found });
        }
        let length = u16::from_be_bytes([l0, l1]);
        if length == 0 {
            return Err(WrapperError::NoApdu { offset: 6 });
        }
        let source = WPort(u16::from_be_bytes([s0, s1]));
        let destination = WPort(u16::from_be_bytes([d0, d1]));
        Ok(Self { source, destination, length })
    }

    /// The eight octets of the header, for a caller that has the APDU already in place behind them.
    pub const fn encode(&self) -> [u8; HEADER_LENGTH] {
        let [v0, v1] = VERSION.to_be_bytes();
        let [s0, s1] = self.source.0.to_be_bytes();
        let [d0, d1] = self.destination.0.to_be_bytes();
        let [l0, l1] = self.length.to_be_bytes();
        [v0, v1, s0, s1, d0, d1, l0, l1]
    }

    /// The application process that sends.
    pub const fn source(&self) -> WPort {
        self.source
    }

    /// The application process that is meant.
    pub const fn destination(&self) -> WPort {
        self.destination
    }

    /// The octets of the APDU.
    pub const fn length(&self) -> usize {
        self.length as usize
    }
}

/// A wrapper protocol data unit: one whole APDU between two application processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wpdu<'a> {
    /// The application process that sends.
    pub source: WPort,
    /// The application process that is meant.
    pub destination: WPort,
    /// The APDU, 1 to 65535 octets.
    pub apdu: &'a [u8],
}

impl<'a> Wpdu<'a> {
    /// Reads the one WPDU of a UDP datagram.
    ///
    /// # Errors
    /// Those of [`Header::decode`], [`WrapperError::Truncated`] and [`WrapperError::Trailing`]. A receiver drops such a
    /// datagram silently.
    pub fn decode_datagram(datagram: &'a [u8]) -> Result<Self, WrapperError> {
        let missing = |needed: usize| WrapperError::Truncated {
            offset: datagram.len() as u64,
            missing: needed - datagram.len(),
        };
        let Some((header, apdu)) = datagram.split_first_chunk::<HEADER_LENGTH>() else {
            return Err(missing(HEADER_LENGTH));
        };
        let header = Header::decode(*header)?;
        let needed = HEADER_LENGTH + header.length();
        if datagram.len() < needed {
            return Err(missing(needed));
        }
        if datagram.len() > needed {
            let extra = datagram.len() - needed;
            return Err(WrapperError::Trailing { offset: needed as u64, extra });
        }
        Ok(Self { source: header.source, destination: header.destination, apdu })
    }

    /// Writes header and APDU to the start of `buffer` and says how many octets they are.
    ///
    /// # Errors
    /// [`WrapperError::ApduLength`] and [`WrapperError::BufferTooSmall`]; nothing is written then.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, WrapperError> {
        let header = Header::new(self.source, self.destination, self.apdu.len())?;
        let needed = HEADER_LENGTH + self.apdu.len();
        let Some(buffer) = buffer.get_mut(..needed) else {
            return Err(WrapperError::BufferTooSmall { needed });
        };
        let (head, body) = buffer.split_at_mut(HEADER_LENGTH);
        head.copy_from_slice(&header.encode());
        body.copy_from_slice(self.apdu);
        Ok(needed)
    }

    /// The answer to this WPDU: the wPorts swapped around another APDU.
    #[must_use]
    pub const fn answer<'b>(&self, apdu: &'b [u8]) -> Wpdu<'b> {
        Wpdu { source: self.destination, destination: self.source, apdu }
    }
}

#[cfg(all(test, feature = "std"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A release request of the public client to the management logical device.
    const RLRQ: [u8; 13] = [0x00, 0x01, 0x00, 0x10, 0x00, 0x01, 0x00, 0x05, 0x62, 0x03, 0x80, 0x01, 0x00];

    #[test]
    fn header_layout() {
        let wpdu = Wpdu::decode_datagram(&RLRQ).unwrap();
        assert_eq!((wpdu.source, wpdu.destination), (WPort::PUBLIC_CLIENT, WPort::MANAGEMENT));
        assert_eq!(wpdu.apdu, &RLRQ[8..]);
        let answer = wpdu.answer(&[0x63]);
        assert_eq!((answer.source, answer.destination), (WPort::MANAGEMENT, WPort::PUBLIC_CLIENT));
    }

    #[test]
    fn a_datagram_holds_exactly_one_wpdu() {
        let mut octets = RLRQ.to_vec();
        octets.push(0);
        let error = Wpdu::decode_datagram(&octets).unwrap_err();
        assert_eq!(error, WrapperError::Trailing { offset: 13, extra: 1 });
        let error = Wpdu::decode_datagram(&RLRQ[..12]).unwrap_err();
        assert_eq!(error, WrapperError::Truncated { offset: 12, missing: 1 });
        let error = Wpdu::decode_datagram(&RLRQ[..3]).unwrap_err();
        assert_eq!(error, WrapperError::Truncated { offset: 3, missing: 5 });
    }

    #[test]
    fn version_and_length_are_checked() {
        let mut octets = RLRQ;
        octets[..2].copy_from_slice(&[0x01, 0x00]);
        let error = Wpdu::decode_datagram(&octets).unwrap_err();
        assert_eq!(error.to_string(), "wrapper version 0x0100 at offset 0, expected 0x0001");
        let empty = [0x00, 0x01, 0x00, 0x10, 0x00, 0x01, 0x00, 0x00];
        assert_eq!(Wpdu::decode_datagram(&empty), Err(WrapperError::NoApdu { offset: 6 }));
        let too_long = vec![0; MAXIMUM_APDU_LENGTH + 1];
        let wpdu = Wpdu { source: WPort(1), destination: WPort(1), apdu: &too_long };
        let mut buffer = vec![0; 0x2_0000];
        assert_eq!(wpdu.encode(&mut buffer), Err(WrapperError::ApduLength { length: 0x1_0000 }));
        let fits = Wpdu { apdu: &too_long[1..], ..wpdu };
        assert_eq!(fits.encode(&mut buffer), Ok(HEADER_LENGTH + MAXIMUM_APDU_LENGTH));
        assert_eq!(fits.encode(&mut buffer[..8]), Err(WrapperError::BufferTooSmall { needed: 0x1_0007 }));
    }

    proptest! {
        #[test]
        fn datagrams_round_trip(source: u16, destination: u16, apdu in prop::collection::vec(any::<u8>(), 1..300)) {
            let wpdu = Wpdu { source: WPort(source), destination: WPort(destination), apdu: &apdu };
            let mut buffer = [0; 308];
            let length = wpdu.encode(&mut buffer).unwrap();
            prop_assert_eq!(Wpdu::decode_datagram(&buffer[..length]), Ok(wpdu));
        }

        #[test]
        fn arbitrary_datagrams_are_read_or_refused(datagram in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(wpdu) = Wpdu::decode_datagram(&datagram) {
                prop_assert_eq!(wpdu.apdu.len() + HEADER_LENGTH, datagram.len());
            }
        }
    }
}
