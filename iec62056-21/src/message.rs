//! The messages of the opening sequence.
//!
//! | message | sender | characters |
//! | --- | --- | --- |
//! | request | reader | `/ ? [device address] ! CR LF` |
//! | identification | meter | `/ XXX Z [\ W]… identification CR LF` |
//! | option select | reader | `ACK V Z Y CR LF` |

use core::time::Duration;

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while, take_while_m_n};
use nom::character::complete::satisfy;
use nom::combinator::{map, verify};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use crate::{BaudRate, Error, ErrorKind};

pub(crate) const ACK: u8 = 0x06;

/// The request that opens the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The address of one of several meters; empty for whoever is there. At most 32 characters.
    pub device_address: &'a str,
}

/// The meter's answer to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification<'a> {
    /// The manufacturer: three letters (FLAG). A lower-case third one says that the meter reacts within 20 ms.
    pub manufacturer: &'a str,
    /// The character that announces the rate, and with it the mode.
    pub rate: char,
    /// The escapes, each a `\` and a character: `\2` says that the meter speaks HDLC.
    pub escapes: &'a str,
    /// What the meter calls itself, at most 16 printable characters.
    pub identification: &'a str,
}

/// Which protocol follows: V of the option select.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// 0: the one of this standard.
    Normal,
    /// 1: the secondary one.
    Secondary,
    /// 2: HDLC.
    Hdlc,
}

/// What follows: Y of the option select.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// 0: the meter sends its data.
    Readout,
    /// 1: programming.
    Programming,
    /// 2: binary, which is HDLC.
    Binary,
    /// 6 to 9: as the manufacturer says.
    Manufacturer(u8),
}

/// The reader's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionSelect {
    /// V.
    pub protocol: Protocol,
    /// Z.
    pub rate: BaudRate,
    /// Y.
    pub mode: Mode,
}

impl OptionSelect {
    /// Its length on the wire.
    pub const LENGTH: usize = 6;

    /// HDLC at this rate: mode E. It takes both V and Y.
    pub const fn hdlc(rate: BaudRate) -> Self {
        Self { protocol: Protocol::Hdlc, rate, mode: Mode::Binary }
    }

    /// Whether HDLC follows.
    pub fn is_hdlc(&self) -> bool {
        self.protocol == Protocol::Hdlc && self.mode == Mode::Binary
    }

    /// The message.
    pub const fn to_octets(&self) -> [u8; Self::LENGTH] {
        let protocol = match self.protocol {
            Protocol::Normal => b'0',
            Protocol::Secondary => b'1',
            Protocol::Hdlc => b'2',
        };
        let mode = match self.mode {
            Mode::Readout => b'0',
            Mode::Programming => b'1',
            Mode::Binary => b'2',
            Mode::Manufacturer(digit) => digit,
        };
        [ACK, protocol, self.rate.digit(), mode, b'\r', b'\n']
    }

    /// Reads the message.
    ///
    /// # Errors
    /// It is none, or holds a reserved value.
    pub fn from_octets(octets: &[u8]) -> Result<Self, Error> {
        let &[ACK, protocol, rate, mode, b'\r', b'\n'] = octets else {
            return Err(Error::at(0, ErrorKind::Expected("ACK V Z Y CR LF")));
        };
        let protocol = match protocol {
            b'0' => Protocol::Normal,
            b'1' => Protocol::Secondary,
            b'2' => Protocol::Hdlc,
            _ => return Err(Error::at(1, ErrorKind::Expected("a protocol, 0 to 2"))),
        };
        let rate = BaudRate::from_digit(rate);
        let rate = rate.ok_or(Error::at(2, ErrorKind::Expected("a rate, 0 to 6")))?;
        let mode = match mode {
            b'0' => Mode::Readout,
            b'1' => Mode::Programming,
            b'2' => Mode::Binary,
            b'6'..=b'9' => Mode::Manufacturer(mode),
            _ => return Err(Error::at(3, ErrorKind::Expected("a mode, 0 to 2 or 6 to 9"))),
        };
        Ok(Self { protocol, rate, mode })
    }
}

impl<'a> Request<'a> {
    /// The longest request on the wire.
    pub const MAX_LENGTH: usize = 2 + 32 + 3;

    /// Reads the message.
    ///
    /// # Errors
    /// It is none.
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, Error> {
        let address = take_while_m_n(0, 32, |octet: u8| octet.is_ascii_alphanumeric() || octet == b' ');
        let request = delimited(tag(&b"/?"[..]), address, tag(&b"!\r\n"[..]));
        let device_address = whole(request, octets, "/ ? [address] ! CR LF")?;
        Ok(Self { device_address: text(device_address) })
    }

    /// Writes the message to the front of `out` and returns its length.
    ///
    /// # Errors
    /// There is no room, or the address is none.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, Error> {
        let address = self.device_address.as_bytes();
        if address.len() > 32 || !address.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b' ')
        {
            return Err(Error::at(2, ErrorKind::Expected("an address of at most 32 letters and digits")));
        }
        write(out, &[b"/?", address, b"!\r\n"])
    }
}

impl<'a> Identification<'a> {
    /// The longest identification that is read.
    pub const MAX_LENGTH: usize = 64;

    /// Reads the message.
    ///
    /// # Errors
    /// It is none.
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, Error> {
        let letters = verify(take(3usize), |letters: &[u8]| letters.iter().all(u8::is_ascii_alphabetic));
        let rate = satisfy(|character| character.is_ascii_graphic() && !matches!(character, '/' | '!'));
        let printable = take_while(|octet: u8| {
            (octet == b' ' || octet.is_ascii_graphic()) && !matches!(octet, b'/' | b'!')
        });
        let message = terminated((preceded(tag(&b"/"[..]), letters), rate, printable), tag(&b"\r\n"[..]));
        let (manufacturer, rate, rest) = whole(message, octets, "/ XXX Z [\\ W] identification CR LF")?;
        let mut identification = rest;
        while let [b'\\', _, after @ ..] = identification {
            identification = after;
        }
        let escapes = rest.len().saturating_sub(identification.len());
        let escapes = rest.get(..escapes).unwrap_or_default();
        if identification.len() > 16 {
            let offset = escapes.len().saturating_add(5 + 16);
            return Err(Error::at(offset, ErrorKind::Expected("at most 16 characters")));
        }
        Ok(Self {
            manufacturer: text(manufacturer),
            rate,
            escapes: text(escapes),
            identification: text(identification),
        })
    }

    /// Whether the meter speaks HDLC after mode E.
    pub fn offers_hdlc(&self) -> bool {
        self.escapes.as_bytes().chunks_exact(2).any(|pair| pair == b"\\2")
    }

    /// The rate of modes C, D and E.
    pub fn rate_of_mode_c(&self) -> Option<BaudRate> {
        u8::try_from(self.rate).ok().and_then(BaudRate::from_digit)
    }

    /// The rate of mode B.
    pub fn rate_of_mode_b(&self) -> Option<BaudRate> {
        u8::try_from(self.rate).ok().and_then(BaudRate::from_letter)
    }

    /// How soon the meter may react to a message.
    pub fn reaction_time(&self) -> Duration {
        let is_fast = self.manufacturer.as_bytes().last().is_some_and(u8::is_ascii_lowercase);
        Duration::from_millis(if is_fast { 20 } else { 200 })
    }

    /// Writes the message to the front of `out` and returns its length. What is written can be read.
    ///
    /// # Errors
    /// There is no room, or a field holds what it may not.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, Error> {
        let rate = [u8::try_from(self.rate).unwrap_or(b'/')];
        let parts = [
            b"/",
            self.manufacturer.as_bytes(),
            &rate,
            self.escapes.as_bytes(),
            self.identification.as_bytes(),
            b"\r\n",
        ];
        let length = write(out, &parts)?;
        if Identification::from_octets(out.get(..length).unwrap_or_default())? != *self {
            return Err(Error::at(5, ErrorKind::Expected("escapes apart from the identification")));
        }
        Ok(length)
    }
}

/// A parser's result if it takes all octets.
pub(crate) fn whole<'a, O>(
    mut parser: impl Parser<&'a [u8], Output = O, Error = nom::error::Error<&'a [u8]>>,
    octets: &'a [u8],
    expected: &'static str,
) -> Result<O, Error> {
    let offset = |rest: &[u8]| octets.len().saturating_sub(rest.len());
    match parser.parse(octets) {
        Ok(([], output)) => Ok(output),
        Ok((rest, _)) => Err(Error::at(offset(rest), ErrorKind::TrailingOctets)),
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => {
            Err(Error::at(offset(error.input), ErrorKind::Expected(expected)))
        }
        Err(nom::Err::Incomplete(_)) => Err(Error::at(octets.len(), ErrorKind::Truncated)),
    }
}

/// Octets that were found to be ASCII.
pub(crate) fn text(octets: &[u8]) -> &str {
    core::str::from_utf8(octets).unwrap_or("")
}

/// The end of a line, as meters send it.
pub(crate) fn line_end(octets: &[u8]) -> IResult<&[u8], ()> {
    map(alt((tag(&b"\r\n"[..]), tag(&b"\n"[..]))), |_| ()).parse(octets)
}

/// Writes the parts one after the other.
pub(crate) fn write(out: &mut [u8], parts: &[&[u8]]) -> Result<usize, Error> {
    let mut length = 0;
    for part in parts {
        let room = out.get_mut(length..).and_then(|out| out.get_mut(..part.len()));
        room.ok_or(Error::at(length, ErrorKind::BufferFull))?.copy_from_slice(part);
        length += part.len();
    }
    Ok(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifications_of_meters() {
        let elster = Identification::from_octets(b"/Els6\\2EK280\r\n").unwrap();
        assert_eq!((elster.manufacturer, elster.identification), ("Els", "EK280"));
        assert!(elster.offers_hdlc());
        assert_eq!(elster.rate_of_mode_c(), Some(BaudRate::B19200));
        assert_eq!(elster.reaction_time(), Duration::from_millis(20));
        let apator = Identification::from_octets(b"/APA5\\2NORAX30\r\n").unwrap();
        assert_eq!(apator.reaction_time(), Duration::from_millis(200));
        assert_eq!(apator.rate_of_mode_c(), Some(BaudRate::B9600));
        let aux = Identification::from_octets(b"/AUX5\\2S34HUHD19FWV06\r\n").unwrap();
        assert_eq!(aux.identification, "S34HUHD19FWV06");
        let plain = Identification::from_octets(b"/ABCDxyz\r\n").unwrap();
        assert!(!plain.offers_hdlc());
        assert_eq!(plain.rate_of_mode_b(), Some(BaudRate::B4800));
    }

    #[test]
    fn requests_and_choices() {
        let mut out = [0; Request::MAX_LENGTH];
        let length = Request { device_address: "12345678" }.encode(&mut out).unwrap();
        assert_eq!(&out[..length], b"/?12345678!\r\n");
        assert_eq!(Request::from_octets(b"/?!\r\n").unwrap(), Request::default());
        assert_eq!(OptionSelect::hdlc(BaudRate::B9600).to_octets(), *b"\x06252\r\n");
        // A meter that announced HDLC sent its data all the same to these two.
        for octets in [b"\x06052\r\n", b"\x06256\r\n"] {
            let choice = OptionSelect::from_octets(octets).unwrap();
            assert!(!choice.is_hdlc());
            assert_eq!(choice.to_octets(), *octets);
        }
        assert_eq!(OptionSelect::from_octets(b"\x06272\r\n").unwrap_err().offset, 2);
        assert_eq!(OptionSelect::from_octets(b"\x06253\r\n").unwrap_err().offset, 3);
        assert!(Request { device_address: "a/b" }.encode(&mut out).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_is_written_alike(
            octets in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..48),
                "/[A-Za-z]{3}[0-9A-I](\\\\[0-9@]){0,3}[ -~]{0,20}\r\n".prop_map(String::into_bytes),
                "/\\?[A-Za-z0-9 ]{0,34}!\r\n".prop_map(String::into_bytes),
                "\x06[0-9]{3}\r\n".prop_map(String::into_bytes),
            ],
        ) {
            let mut out = [0; Identification::MAX_LENGTH];
            if let Ok(request) = Request::from_octets(&octets) {
                let length = request.encode(&mut out).unwrap();
                prop_assert_eq!(&out[..length], &octets);
            }
            if let Ok(identification) = Identification::from_octets(&octets) {
                let length = identification.encode(&mut out).unwrap();
                prop_assert_eq!(&out[..length], &octets);
            }
            if let Ok(choice) = OptionSelect::from_octets(&octets) {
                prop_assert_eq!(&choice.to_octets()[..], &octets);
            }
        }
    }
}
