//! Hexadecimal text: white space and `0x` prefixes do not count.

use std::fmt;

/// Why text is not hexadecimal. It never quotes the text, which may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotHex {
    /// Another character, so many characters from the start.
    Character(usize),
    /// An odd number of digits.
    Odd,
}

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(position) => write!(f, "no hexadecimal digit at character {}", position + 1),
            Self::Odd => f.write_str("an odd number of hexadecimal digits"),
        }
    }
}

/// The octets that `text` stands for.
pub(crate) fn octets(text: &str) -> Result<Vec<u8>, NotHex> {
    let mut octets = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    let mut characters = text.chars().enumerate().peekable();
    while let Some((position, character)) = characters.next() {
        if character.is_whitespace() {
            continue;
        }
        let is_prefix = character == '0' && high.is_none();
        if is_prefix && characters.next_if(|(_, next)| matches!(next, 'x' | 'X')).is_some() {
            continue;
        }
        let digit = character.to_digit(16).ok_or(NotHex::Character(position))? as u8;
        match high.take() {
            None => high = Some(digit),
            Some(high) => octets.push(high << 4 | digit),
        }
    }
    if high.is_some() { Err(NotHex::Odd) } else { Ok(octets) }
}

/// Octets as lower-case text.
pub(crate) fn text(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_prefixes_do_not_count() {
        for typed in ["7EA007", "7e a0 07", "0x7ea007", "0x7e 0xA0\n0x07", " 7 e a 0 0 7 "] {
            assert_eq!(octets(typed), Ok(vec![0x7E, 0xA0, 0x07]), "{typed}");
        }
        assert_eq!(octets(""), Ok(vec![]));
        assert_eq!(octets("7e a"), Err(NotHex::Odd));
        assert_eq!(octets("7eg0"), Err(NotHex::Character(2)));
        assert_eq!(octets("70x1"), Err(NotHex::Character(2)), "no prefix inside an octet");
        assert_eq!(text(&[0x7E, 0x0A]), "7e0a");
    }
}
