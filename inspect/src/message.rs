//! Captured octets, and which way they went.

use std::str::FromStr;

use crate::problem::unhex;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the meter: `c2m`, `>`.
    ClientToMeter,
    /// From the meter to the client: `m2c`, `<`.
    MeterToClient,
    /// From the meter to anybody who listens.
    Push,
}

impl Direction {
    /// The short name: `c2m`, `m2c`, `push`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientToMeter => "c2m",
            Self::MeterToClient => "m2c",
            Self::Push => "push",
        }
    }
}

/// Octets as they were on the wire.
///
/// As text: hexadecimal digits, white space and `0x` between them do not matter; `>` before them for what went to the
/// meter, `<` for what came from it, nothing for a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which way they went.
    pub direction: Direction,
    /// The octets.
    pub octets: Vec<u8>,
}

impl Message {
    /// What a meter sent of its own accord.
    pub const fn push(octets: Vec<u8>) -> Self {
        Self { direction: Direction::Push, octets }
    }
}

/// Text that is no [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMessageError {
    /// A character that is no hexadecimal digit.
    #[error("character {0} is no hexadecimal digit")]
    Digit(usize),
    /// Half an octet is left.
    #[error("an odd number of hexadecimal digits")]
    Odd,
}

impl FromStr for Message {
    type Err = ParseMessageError;

    fn from_str(text: &str) -> Result<Self, ParseMessageError> {
        let trimmed = text.trim_start();
        let (direction, digits) = if let Some(digits) = trimmed.strip_prefix('>') {
            (Direction::ClientToMeter, digits)
        } else if let Some(digits) = trimmed.strip_prefix('<') {
            (Direction::MeterToClient, digits)
        } else {
            (Direction::Push, trimmed)
        };
        let start = text.len() - digits.len();
        match unhex(digits) {
            Ok(octets) => Ok(Self { direction, octets }),
            Err(Some(at)) => Err(ParseMessageError::Digit(start + at)),
            Err(None) => Err(ParseMessageError::Odd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let octets = vec![0x7E, 0xA0];
        assert_eq!(
            "> 7e 0xA0".parse(),
            Ok(Message { direction: Direction::ClientToMeter, octets: octets.clone() })
        );
        assert_eq!(
            "<7EA0\r\n".parse(),
            Ok(Message { direction: Direction::MeterToClient, octets: octets.clone() })
        );
        assert_eq!("0x7E 0xA0".parse(), Ok(Message::push(octets)));
        assert_eq!("7EA".parse::<Message>(), Err(ParseMessageError::Odd));
        assert_eq!("< 7Ex0".parse::<Message>(), Err(ParseMessageError::Digit(4)));
    }
}
