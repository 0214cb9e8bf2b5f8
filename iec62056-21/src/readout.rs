//! The data message: `STX data block ! CR LF ETX BCC`.
//!
//! The block check character is the exclusive or of everything behind STX, ETX included, in seven bits.

use crate::data_set::is_writable;
use crate::message::write;
use crate::{DataSets, Error, ErrorKind};

const STX: u8 = 0x02;
const ETX: u8 = 0x03;

/// A data message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readout<'a> {
    block: &'a [u8],
    /// The block check character that it ends with.
    pub block_check: u8,
    computed: u8,
}

impl<'a> Readout<'a> {
    /// Reads a whole message, parity removed, and checks its block check character.
    ///
    /// # Errors
    /// As [`Self::parse`] and [`Self::check`].
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, Error> {
        let readout = Self::parse(octets)?;
        readout.check()?;
        Ok(readout)
    }

    /// Reads a whole message, parity removed, without looking whether its block check character is right.
    ///
    /// # Errors
    /// It is not complete, or holds more than one message.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let Some((&STX, checked)) = octets.split_first() else {
            return Err(Error::at(0, ErrorKind::Expected("STX")));
        };
        let end = checked.iter().position(|&octet| octet == ETX);
        let end = end.ok_or(Error::at(octets.len(), ErrorKind::Truncated))?;
        let (checked, rest) = checked.split_at(end + 1);
        let block_check = match rest {
            [] => return Err(Error::at(octets.len(), ErrorKind::Truncated)),
            &[block_check] => block_check,
            _ => return Err(Error::at(1 + checked.len() + 1, ErrorKind::TrailingOctets)),
        };
        match checked.strip_suffix(b"!\r\n\x03") {
            Some(block) => Ok(Self { block, block_check, computed: exclusive_or(checked) }),
            None => Err(Error::at(checked.len(), ErrorKind::Expected("! CR LF ETX"))),
        }
    }

    /// The block check character of the octets.
    pub const fn computed_block_check(&self) -> u8 {
        self.computed
    }

    /// Checks the block check character.
    ///
    /// # Errors
    /// [`ErrorKind::BlockCheck`].
    pub const fn check(&self) -> Result<(), Error> {
        if self.block_check == self.computed {
            return Ok(());
        }
        let kind = ErrorKind::BlockCheck { found: self.block_check, computed: self.computed };
        Err(Error::at(self.block.len().saturating_add(1 + b"!\r\n\x03".len()), kind))
    }

    /// What is read, in order.
    pub const fn data_sets(&self) -> DataSets<'a> {
        DataSets::new(self.block, 1)
    }
}

/// Writes a data message, data set after data set.
#[derive(Debug)]
pub struct ReadoutWriter<'o> {
    out: &'o mut [u8],
    length: usize,
}

impl<'o> ReadoutWriter<'o> {
    /// Begins a message at the front of `out`.
    ///
    /// # Errors
    /// There is no room.
    pub fn new(out: &'o mut [u8]) -> Result<Self, Error> {
        let length = write(out, &[&[STX]])?;
        Ok(Self { out, length })
    }

    /// A line with one data set; the unit is left out where it is empty.
    ///
    /// # Errors
    /// There is no room, or a text holds a character that it may not.
    pub fn data_set(&mut self, identifier: &str, value: &str, unit: &str) -> Result<(), Error> {
        if ![identifier, value, unit].into_iter().all(is_writable) {
            return Err(Error::at(self.length, ErrorKind::Expected("printable characters without ( ) / !")));
        }
        let star: &[u8] = if unit.is_empty() { b"" } else { b"*" };
        self.write(&[identifier.as_bytes(), b"(", value.as_bytes(), star, unit.as_bytes(), b")\r\n"])
    }

    /// Ends the message and returns its length.
    ///
    /// # Errors
    /// There is no room.
    pub fn finish(mut self) -> Result<usize, Error> {
        self.write(&[b"!\r\n\x03"])?;
        let check = exclusive_or(self.out.get(1..self.length).unwrap_or(&[]));
        self.write(&[&[check]])?;
        Ok(self.length)
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        let room = self.out.get_mut(self.length..).unwrap_or(&mut []);
        let written = write(room, parts)
            .map_err(|error| Error::at(self.length.saturating_add(error.offset), error.kind))?;
        self.length = self.length.saturating_add(written);
        Ok(())
    }
}

/// The exclusive or of the octets, in seven bits.
fn exclusive_or(octets: &[u8]) -> u8 {
    octets.iter().fold(0, |check, octet| check ^ (octet & 0x7F))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn block_checks_of_published_messages() {
        let messages: [&[u8]; 6] = [
            b"B0\x03\x71",
            b"R1\x021.8.0(1)\x03\x6B",
            b"W1\x021.8.0(123)\x03\x6F",
            b"P0\x02(1234567)\x03\x50",
            b"P1\x02(00000000)\x03\x61",
            b"F.F(00)\r\n0.0.0(12345678)\r\n1.8.0(000123.4*kWh)\r\n!\r\n\x03\x68",
        ];
        for message in messages {
            let (check, octets) = message.split_last().unwrap();
            assert_eq!(exclusive_or(octets), *check);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = [0; 128];
        let mut writer = ReadoutWriter::new(&mut out).unwrap();
        writer.data_set("F.F", "00", "").unwrap();
        writer.data_set("0.0.0", "12345678", "").unwrap();
        writer.data_set("1.8.0", "000123.4", "kWh").unwrap();
        assert!(writer.data_set("1.8.0", "1)", "").is_err());
        let length = writer.finish().unwrap();
        assert_eq!(&out[..length], b"\x02F.F(00)\r\n0.0.0(12345678)\r\n1.8.0(000123.4*kWh)\r\n!\r\n\x03\x68");
        let readout = Readout::from_octets(&out[..length]).unwrap();
        assert_eq!(readout.data_sets().count(), 3);
        assert!(readout.data_sets().all(|set| set.is_ok()));
        for size in 0..length {
            let mut small = [0; 128];
            let mut writer = match ReadoutWriter::new(&mut small[..size]) {
                Ok(writer) => writer,
                Err(_) => continue,
            };
            let all = writer
                .data_set("F.F", "00", "")
                .and_then(|()| writer.data_set("0.0.0", "12345678", ""))
                .and_then(|()| writer.data_set("1.8.0", "000123.4", "kWh"))
                .and_then(|()| writer.finish());
            assert_eq!(all.unwrap_err().kind, ErrorKind::BufferFull);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let message = b"\x021.8.0(000123.4*kWh)\r\n!\r\n\x03";
        let mut message = message.to_vec();
        message.push(exclusive_or(&message[1..]));
        assert!(Readout::from_octets(&message).is_ok());
        for bit in (0..message.len() * 8).filter(|bit| bit % 8 != 7) {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Readout::from_octets(&changed).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(octets in prop::collection::vec(any::<u8>(), 0..64), body in "[ -~\r\n]{0,64}") {
            if let Ok(readout) = Readout::from_octets(&octets) {
                readout.data_sets().for_each(drop);
            }
            let mut message = format!("\x02{body}!\r\n\x03").into_bytes();
            message.push(exclusive_or(&message[1..]));
            let readout = Readout::from_octets(&message).unwrap();
            // The iterator ends: each data set takes at least two octets.
            prop_assert!(readout.data_sets().count() <= body.len());
        }
    }
}
