//! Data sets: `identifier ( value [* unit] ) ( … ) …`, one or more on a line.
//!
//! Meters depart from the grammar in what a value may hold, so a value is whatever stands between parentheses; a value
//! group alone on a line belongs to the data set before it.

use nom::bytes::complete::{tag, take_while};
use nom::combinator::recognize;
use nom::multi::{many0_count, many1_count};
use nom::sequence::delimited;
use nom::{IResult, Parser};

use crate::message::{line_end, text};
use crate::{Error, ErrorKind};

/// One data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSet<'a> {
    /// What it is: an OBIS code in reduced form, or the manufacturer's text. Empty: the same as before.
    pub identifier: &'a str,
    /// The value groups, parentheses included.
    groups: &'a str,
}

impl<'a> DataSet<'a> {
    /// The values, each as it stands between its parentheses, with `*` and the unit if it has one.
    pub fn values(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.groups
            .split(['('])
            .skip(1)
            .map(|group| group.split_once([')']).map_or(group, |(value, _)| value))
    }
}

/// The data sets of a data block, in order.
#[derive(Clone, Debug)]
pub struct DataSets<'a> {
    octets: &'a [u8],
    offset: usize,
}

impl<'a> DataSets<'a> {
    /// The data sets in `octets`, the first of which is octet `offset` of the message.
    pub(crate) const fn new(octets: &'a [u8], offset: usize) -> Self {
        Self { octets, offset }
    }
}

impl<'a> Iterator for DataSets<'a> {
    type Item = Result<DataSet<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.octets.iter().position(|octet| !matches!(octet, b'\r' | b'\n'))?;
        self.offset = self.offset.saturating_add(start);
        let octets = self.octets.get(start..)?;
        // Groups may go on with the next line.
        let groups = recognize((many1_count(group), many0_count((line_end, many1_count(group)))));
        match (identifier, groups).parse(octets) {
            Ok((rest, (identifier, groups))) => {
                self.offset = self.offset.saturating_add(octets.len().saturating_sub(rest.len()));
                self.octets = rest;
                Some(Ok(DataSet { identifier: text(identifier), groups: text(groups) }))
            }
            Err(nom::Err::Error(error) | nom::Err::Failure(error)) => {
                let done = octets.len().saturating_sub(error.input.len());
                let offset = self.offset.saturating_add(done);
                self.octets = &[];
                Some(Err(Error::at(offset, ErrorKind::Expected("identifier (value)"))))
            }
            Err(nom::Err::Incomplete(_)) => {
                self.octets = &[];
                Some(Err(Error::at(self.offset.saturating_add(octets.len()), ErrorKind::Truncated)))
            }
        }
    }
}

fn identifier(octets: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|octet| is_printable(octet) && !matches!(octet, b'(' | b')' | b'/' | b'!')).parse(octets)
}

fn group(octets: &[u8]) -> IResult<&[u8], &[u8]> {
    let value = take_while(|octet| is_printable(octet) && !matches!(octet, b'(' | b')'));
    delimited(tag(&b"("[..]), value, tag(&b")"[..])).parse(octets)
}

const fn is_printable(octet: u8) -> bool {
    octet == b' ' || octet.is_ascii_graphic()
}

/// Whether a text may stand in an identifier, a value or a unit that is written.
pub(crate) fn is_writable(text: &str) -> bool {
    text.bytes().all(|octet| is_printable(octet) && !matches!(octet, b'(' | b')' | b'/' | b'!'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Vec<(String, Vec<String>)> {
        DataSets::new(octets, 0)
            .map(|set| {
                let set = set.unwrap();
                (set.identifier.into(), set.values().map(Into::into).collect())
            })
            .collect()
    }

    #[test]
    fn values_units_and_lines() {
        let sets =
            read(b"6.8(0029.055*MWh)6.26(01589.28*m3)F(0)\r\n9.4(088*C&082*C)0.9.4()\r\n(1)(2)\r\n(3*kW)");
        let expected: [(&str, &[&str]); 5] = [
            ("6.8", &["0029.055*MWh"]),
            ("6.26", &["01589.28*m3"]),
            ("F", &["0"]),
            ("9.4", &["088*C&082*C"]),
            ("0.9.4", &["", "1", "2", "3*kW"]),
        ];
        assert_eq!(sets.len(), expected.len());
        for ((identifier, values), (expected, expected_values)) in sets.iter().zip(expected) {
            assert_eq!(
                (identifier.as_str(), values.as_slice()),
                (expected, &expected_values.iter().map(|&v| String::from(v)).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn what_is_no_data_set_says_where() {
        let mut sets = DataSets::new(b"1.8.0(1)\r\n2.8.0", 10);
        assert!(sets.next().unwrap().is_ok());
        assert_eq!(sets.next().unwrap().unwrap_err().offset, 10 + 15);
        assert!(sets.next().is_none());
        assert_eq!(DataSets::new(b"1.8.0(1", 0).next().unwrap().unwrap_err().offset, 5);
        assert!(DataSets::new(b"\xFF(1)", 0).next().unwrap().is_err());
    }
}
