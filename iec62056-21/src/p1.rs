//! The telegram of the P1 consumer port (DSMR, ESMR, eMUCs), which comes from mode D.
//!
//! ```text
//! /XXX5identification CR LF CR LF { identifier (value) (value)… CR LF } ! CRC CR LF
//! ```
//!
//! The CRC is CRC-16/ARC over everything from `/` to `!`, both included, as it was received: four hexadecimal digits.
//! Telegrams of DSMR 2 and 3 have none; some meters leave leading zeros away.

use crate::{DataSets, Error, ErrorKind};

/// A telegram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telegram<'a> {
    /// The first line, without its `/`.
    pub identification: &'a str,
    /// The CRC that it ends with.
    pub crc: Option<u16>,
    octets: &'a [u8],
    body: usize,
    end: usize,
}

impl<'a> Telegram<'a> {
    /// Reads a telegram and checks its CRC.
    ///
    /// # Errors
    /// As [`Self::parse`] and [`Self::check`].
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, Error> {
        let telegram = Self::parse(octets)?;
        telegram.check()?;
        Ok(telegram)
    }

    /// Reads a telegram without looking whether its CRC is right, for meters that send none.
    ///
    /// # Errors
    /// It is no telegram, or there are octets behind it.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        if octets.first() != Some(&b'/') {
            return Err(Error::at(0, ErrorKind::Expected("/")));
        }
        let line = octets.iter().position(|&octet| octet == b'\n');
        let line = line.ok_or(Error::at(octets.len(), ErrorKind::Truncated))?;
        let identification = trimmed(octets.get(1..line).unwrap_or(&[]));
        let identification = core::str::from_utf8(identification).map_err(|error| {
            Error::at(error.valid_up_to().saturating_add(1), ErrorKind::Expected("printable characters"))
        })?;
        // No identifier and no value holds a `!`.
        let end = octets.get(line..).unwrap_or_default().iter().position(|&octet| octet == b'!');
        let end = line.saturating_add(end.ok_or(Error::at(octets.len(), ErrorKind::Truncated))?);
        let after = end.saturating_add(1);
        let digits = trimmed(octets.get(after..).unwrap_or(&[]));
        if digits.len() > 4 {
            return Err(Error::at(after.saturating_add(4), ErrorKind::TrailingOctets));
        }
        let mut crc = None;
        for (place, &digit) in digits.iter().enumerate() {
            let value = char::from(digit).to_digit(16);
            let offset = after.saturating_add(place);
            let value = value.ok_or(Error::at(offset, ErrorKind::Expected("a hexadecimal digit")))?;
            crc = Some(crc.unwrap_or(0) << 4 | value as u16);
        }
        Ok(Self { identification, crc, octets, body: line.saturating_add(1), end })
    }

    /// The CRC of the octets.
    pub fn computed_crc(&self) -> u16 {
        crc16(self.octets.get(..=self.end).unwrap_or(&[]))
    }

    /// Checks the CRC.
    ///
    /// # Errors
    /// [`ErrorKind::Crc`], or [`ErrorKind::NoCrc`] if there is none.
    pub fn check(&self) -> Result<(), Error> {
        let computed = self.computed_crc();
        match self.crc {
            Some(crc) if crc == computed => Ok(()),
            Some(found) => Err(Error::at(self.end.saturating_add(1), ErrorKind::Crc { found, computed })),
            None => Err(Error::at(self.end.saturating_add(1), ErrorKind::NoCrc)),
        }
    }

    /// What is read, in order.
    pub fn data_sets(&self) -> DataSets<'a> {
        DataSets::new(self.octets.get(self.body..self.end).unwrap_or(&[]), self.body)
    }
}

/// Without line ends, and the NUL that some meters send before them.
fn trimmed(mut octets: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n' | 0] = octets {
        octets = rest;
    }
    octets
}

/// CRC-16/ARC.
fn crc16(octets: &[u8]) -> u16 {
    octets.iter().fold(0, |crc, &octet| {
        (0..8).fold(crc ^ u16::from(octet), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xA001 })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A Sagemcom T210-D-r in Austria.
    const TELEGRAM: &[u8] = b"/EST5\\253710000_A\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(221006155014S)\r\n\
        1-0:1.8.0(006545766*Wh)\r\n1-0:1.8.1(005017120*Wh)\r\n1-0:1.8.2(001528646*Wh)\r\n\
        1-0:1.7.0(000000286*W)\r\n1-0:2.8.0(000000058*Wh)\r\n1-0:2.8.1(000000000*Wh)\r\n\
        1-0:2.8.2(000000058*Wh)\r\n1-0:2.7.0(000000000*W)\r\n1-0:3.8.0(000000747*varh)\r\n\
        1-0:3.8.1(000000000*varh)\r\n1-0:3.8.2(000000747*varh)\r\n1-0:3.7.0(000000000*var)\r\n\
        1-0:4.8.0(003897726*varh)\r\n1-0:4.8.1(002692848*varh)\r\n1-0:4.8.2(001204878*varh)\r\n\
        1-0:4.7.0(000000166*var)\r\n!7EF9\r\n";

    #[test]
    fn a_telegram_of_a_meter() {
        assert_eq!(crc16(b"123456789"), 0xBB3D);
        let telegram = Telegram::from_octets(TELEGRAM).unwrap();
        assert_eq!(telegram.identification, "EST5\\253710000_A");
        assert_eq!(telegram.crc, Some(0x7EF9));
        let energy = telegram.data_sets().nth(2).unwrap().unwrap();
        assert_eq!((energy.identifier, energy.values().next().unwrap()), ("1-0:1.8.0", "006545766*Wh"));
        assert_eq!(telegram.data_sets().count(), 18);
    }

    #[test]
    fn a_changed_octet_and_a_missing_crc() {
        let mut changed = TELEGRAM.to_vec();
        changed[60] ^= 1;
        assert!(matches!(
            Telegram::from_octets(&changed).unwrap_err().kind,
            ErrorKind::Crc { found: 0x7EF9, .. }
        ));
        let without = b"/ABC5x\r\n\r\n1-0:1.8.0(1*kWh)(2)\r\n!\r\n";
        assert_eq!(Telegram::from_octets(without).unwrap_err().kind, ErrorKind::NoCrc);
        assert_eq!(Telegram::parse(without).unwrap().data_sets().count(), 1);
        assert_eq!(Telegram::parse(b"/ABC5x\r\n\r\n!12G4\r\n").unwrap_err().offset, 13);
        assert_eq!(Telegram::parse(b"/ABC5x\r\n\r\n!12345\r\n").unwrap_err().kind, ErrorKind::TrailingOctets);
        // One meter prints 0B9F as B9F.
        assert_eq!(Telegram::parse(b"/ABC5x\r\n\r\n!B9F\r\n").unwrap().crc, Some(0x0B9F));
    }

    proptest! {
        #[test]
        fn nothing_panics(octets in prop::collection::vec(any::<u8>(), 0..64), body in "/[ -~\r\n]{0,64}") {
            for octets in [&octets, body.as_bytes()] {
                if let Ok(telegram) = Telegram::parse(octets) {
                    let _ = telegram.check();
                    telegram.data_sets().for_each(drop);
                }
            }
        }
    }
}
