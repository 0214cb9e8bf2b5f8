//! The text forms of a logical name.
//!
//! | form | example |
//! | --- | --- |
//! | complete | `1-0:1.8.0*255`, `1-0:1.8.0.255` |
//! | dotted | `1.0.1.8.0.255` |
//! | hexadecimal | `0100010800FF` |
//! | reduced, IEC 62056-21: `[A-[B:]]C.D[.E][*F]` | `1-0:1.8.0`, `1.8.0`, `C.1.0`, `F.F` |
//!
//! What a reduced form leaves out is filled in: B is 0, E is 0 and F is 255. A is 1 (electricity) before a number and 0
//! (abstract) before the letters `C` (96) and `F` (97); `L` (98) and `P` (99) exist in both media, so A is needed there.

use core::fmt;
use core::str::FromStr;

use nom::branch::alt;
use nom::character::complete::char;
use nom::combinator::{all_consuming, opt};
use nom::error::ErrorKind;
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use crate::LogicalName;

/// Why a text is not a logical name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an OBIS code: {expected} expected at offset {offset}")]
pub struct ParseLogicalNameError {
    /// Where reading stopped, in octets from the start of the text.
    pub offset: usize,
    /// What should stand there.
    pub expected: Expected,
}

/// What the grammar of a logical name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// A value group: a decimal number from 0 to 255.
    ValueGroup,
    /// The separator between two value groups.
    Separator(char),
    /// Value group A (`A-`): the letter that follows exists in more than one medium.
    Medium,
    /// Nothing more.
    End,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ValueGroup => f.write_str("a value group from 0 to 255"),
            Self::Separator(separator) => write!(f, "'{separator}'"),
            Self::Medium => f.write_str("value group A, as in \"1-0:\","),
            Self::End => f.write_str("the end"),
        }
    }
}

impl FromStr for LogicalName {
    type Err = ParseLogicalNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = hexadecimal(text) {
            return Ok(name);
        }
        match all_consuming(logical_name).parse(text) {
            Ok((_, name)) => Ok(name),
            Err(nom::Err::Error(stop) | nom::Err::Failure(stop)) => Err(ParseLogicalNameError {
                offset: text.len().saturating_sub(stop.rest.len()),
                expected: stop.expected,
            }),
            // The parsers of complete input never ask for more.
            Err(nom::Err::Incomplete(_)) => {
                Err(ParseLogicalNameError { offset: text.len(), expected: Expected::ValueGroup })
            }
        }
    }
}

/// Where a parser stopped: the offset follows from what was left.
#[derive(Debug)]
struct Stop<'a> {
    rest: &'a str,
    expected: Expected,
}

type Parsed<'a, T> = IResult<&'a str, T, Stop<'a>>;

impl<'a> nom::error::ParseError<&'a str> for Stop<'a> {
    fn from_error_kind(rest: &'a str, kind: ErrorKind) -> Self {
        let expected = if kind == ErrorKind::Eof { Expected::End } else { Expected::ValueGroup };
        Self { rest, expected }
    }

    fn from_char(rest: &'a str, separator: char) -> Self {
        Self { rest, expected: Expected::Separator(separator) }
    }

    fn append(_: &'a str, _: ErrorKind, first: Self) -> Self {
        first
    }

    /// Of two alternatives, the one that read further knows better.
    fn or(self, other: Self) -> Self {
        if self.rest.len() < other.rest.len() { self } else { other }
    }
}

fn hexadecimal(text: &str) -> Option<LogicalName> {
    let digits: &[u8; 12] = text.as_bytes().try_into().ok()?;
    let mut octets = [0; 6];
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *octet = u8::try_from(high << 4 | low).ok()?;
    }
    Some(LogicalName::from_octets(octets))
}

fn logical_name(text: &str) -> Parsed<'_, LogicalName> {
    alt((dotted, reduced)).parse(text)
}

/// `A.B.C.D.E.F`
fn dotted(text: &str) -> Parsed<'_, LogicalName> {
    let next = || preceded(char('.'), number);
    let (rest, (a, b, c, d, e, f)) = (number, next(), next(), next(), next(), next()).parse(text)?;
    Ok((rest, LogicalName::new(a, b, c, d, e, f)))
}

/// `[A-[B:]]C.D[.E][*F]`; with A and B, F may also follow a dot.
fn reduced(text: &str) -> Parsed<'_, LogicalName> {
    let (rest, a) = opt(terminated(number, char('-'))).parse(text)?;
    let (rest, b) = match a {
        Some(_) => opt(terminated(number, char(':'))).parse(rest)?,
        None => (rest, None),
    };
    let (after_c, c) = value_group(rest)?;
    let a = match (a, c) {
        (Some(a), _) => a,
        (None, Group::Number(_)) => 1,
        (None, Group::Letter(96 | 97)) => 0,
        (None, Group::Letter(_)) => {
            return Err(nom::Err::Failure(Stop { rest, expected: Expected::Medium }));
        }
    };
    let (rest, d) = preceded(char('.'), value_group).parse(after_c)?;
    let (rest, e) = followed_by('.', rest)?;
    let (rest, f) = match (b, e, followed_by('*', rest)?) {
        (Some(_), Some(_), (_, None)) => followed_by('.', rest)?,
        (_, _, after_star) => after_star,
    };
    let name = LogicalName::new(a, b.unwrap_or(0), c.value(), d.value(), e.unwrap_or(0), f.unwrap_or(0xFF));
    Ok((rest, name))
}

/// An optional group: once its separator is there, the number must follow.
fn followed_by(separator: char, text: &str) -> Parsed<'_, Option<u8>> {
    match text.strip_prefix(separator) {
        None => Ok((text, None)),
        Some(rest) => number(rest).map(|(rest, value)| (rest, Some(value))),
    }
}

#[derive(Clone, Copy)]
enum Group {
    Number(u8),
    Letter(u8),
}

impl Group {
    fn value(self) -> u8 {
        match self {
            Self::Number(value) | Self::Letter(value) => value,
        }
    }
}

/// A number, or the letter that a display shows in place of 96 to 99.
fn value_group(text: &str) -> Parsed<'_, Group> {
    let letter = match text.bytes().next() {
        Some(b'C') => 96,
        Some(b'F') => 97,
        Some(b'L') => 98,
        Some(b'P') => 99,
        _ => return number.map(Group::Number).parse(text),
    };
    Ok((text.get(1..).unwrap_or_default(), Group::Letter(letter)))
}

fn number(text: &str) -> Parsed<'_, u8> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or_default();
    if digits.is_empty() {
        return Err(nom::Err::Error(Stop { rest: text, expected: Expected::ValueGroup }));
    }
    match digits.parse() {
        Ok(value) => Ok((rest, value)),
        Err(_) => Err(nom::Err::Failure(Stop { rest: text, expected: Expected::ValueGroup })),
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        text.parse::<LogicalName>().map(|name| name.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_of_one_name() {
        for text in [
            "1-0:1.8.0*255",
            "1-0:1.8.0.255",
            "1.0.1.8.0.255",
            "0100010800FF",
            "0100010800ff",
            "1-0:1.8.0",
            "1.8.0",
            "1.8",
            "1-1.8.0",
            "01-00:01.08.00*255",
        ] {
            assert_eq!(parsed(text).as_deref(), Ok("1-0:1.8.0*255"), "{text}");
        }
    }

    #[test]
    fn reduced_forms_of_a_readout() {
        assert_eq!(parsed("C.1.0").as_deref(), Ok("0-0:96.1.0*255"));
        assert_eq!(parsed("F.F").as_deref(), Ok("0-0:97.97.0*255"));
        assert_eq!(parsed("F.F.0").as_deref(), Ok("0-0:97.97.0*255"));
        assert_eq!(parsed("1-0:P.1.0").as_deref(), Ok("1-0:99.1.0*255"));
        assert_eq!(parsed("1.8.1*03").as_deref(), Ok("1-0:1.8.1*3"));
        assert_eq!(parsed("7-1:3.0").as_deref(), Ok("7-1:3.0.0*255"));
    }

    #[test]
    fn errors_say_where_and_what() {
        let group = "not an OBIS code: a value group from 0 to 255 expected at offset";
        assert_eq!(parsed(""), Err(format!("{group} 0")));
        assert_eq!(parsed("1-0:1.8.256*255"), Err(format!("{group} 8")));
        assert_eq!(parsed("1-0:1.8.0*"), Err(format!("{group} 10")));
        assert_eq!(parsed("1-0:1.8."), Err(format!("{group} 8")));
        assert_eq!(parsed("1-0:X.8.0"), Err(format!("{group} 4")));
        assert_eq!(parsed("1-0:1.8.0*255x"), Err("not an OBIS code: the end expected at offset 13".into()));
        assert_eq!(parsed("1-0:1,8,0"), Err("not an OBIS code: '.' expected at offset 5".into()));
        assert_eq!(
            parsed("P.1"),
            Err("not an OBIS code: value group A, as in \"1-0:\", expected at offset 0".into())
        );
        assert_eq!(parsed("1.8.0.255"), Err("not an OBIS code: the end expected at offset 5".into()));
    }

    proptest! {
        #[test]
        fn text_and_hexadecimal_round_trip(octets: [u8; 6]) {
            let name = LogicalName::from_octets(octets);
            prop_assert_eq!(name.to_string().parse(), Ok(name));
            prop_assert_eq!(format!("{name:x}").parse(), Ok(name));
            let [a, b, c, d, e, f] = octets;
            prop_assert_eq!(format!("{a}.{b}.{c}.{d}.{e}.{f}").parse(), Ok(name));
        }

        #[test]
        fn any_text_gives_a_name_or_an_offset_inside_it(text in "[0-9CFLPa-f.:*é-]{0,24}|.{0,16}") {
            if let Err(error) = text.parse::<LogicalName>() {
                prop_assert!(error.offset <= text.len());
            }
        }
    }
}
