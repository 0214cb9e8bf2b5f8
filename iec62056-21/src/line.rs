//! How the line is set: its rate and its characters.

use core::time::Duration;

/// The rates of modes B to E, with the characters that announce them.
///
/// | rate | 300 | 600 | 1200 | 2400 | 4800 | 9600 | 19200 |
/// | --- | --- | --- | --- | --- | --- | --- | --- |
/// | modes C, D, E | `0` | `1` | `2` | `3` | `4` | `5` | `6` |
/// | mode B | – | `A` | `B` | `C` | `D` | `E` | `F` |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BaudRate {
    /// 300 Bd, the rate of the sign-on.
    B300,
    /// 600 Bd.
    B600,
    /// 1200 Bd.
    B1200,
    /// 2400 Bd.
    B2400,
    /// 4800 Bd.
    B4800,
    /// 9600 Bd.
    B9600,
    /// 19200 Bd.
    B19200,
}

impl BaudRate {
    /// All rates, in the order of their digits.
    pub const ALL: [Self; 7] =
        [Self::B300, Self::B600, Self::B1200, Self::B2400, Self::B4800, Self::B9600, Self::B19200];

    /// Bits in a second.
    pub const fn bits_per_second(self) -> u32 {
        match self {
            Self::B300 => 300,
            Self::B600 => 600,
            Self::B1200 => 1200,
            Self::B2400 => 2400,
            Self::B4800 => 4800,
            Self::B9600 => 9600,
            Self::B19200 => 19200,
        }
    }

    /// The digit that announces it in modes C, D and E.
    pub const fn digit(self) -> u8 {
        b'0' + self as u8
    }

    /// The rate that a digit announces in modes C, D and E.
    pub fn from_digit(character: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|rate| rate.digit() == character)
    }

    /// The rate that a letter announces in mode B.
    pub fn from_letter(character: u8) -> Option<Self> {
        let place = character.checked_sub(b'A')?;
        Self::ALL.into_iter().skip(1).nth(place.into())
    }

    /// How long so many characters of ten bits take.
    pub const fn duration(self, characters: usize) -> Duration {
        Duration::from_micros((characters as u64).saturating_mul(10_000_000) / self.bits_per_second() as u64)
    }
}

/// How characters are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Characters {
    /// Seven bits, even parity, one stop bit: everything but HDLC.
    SevenEvenOne,
    /// Eight bits, no parity, one stop bit: HDLC.
    EightNoneOne,
}

/// How the line is to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineSettings {
    /// The rate.
    pub rate: BaudRate,
    /// The characters.
    pub characters: Characters,
}

impl LineSettings {
    /// The sign-on: 300 Bd, 7E1.
    pub const SIGN_ON: Self = Self { rate: BaudRate::B300, characters: Characters::SevenEvenOne };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_rates() {
        assert_eq!(BaudRate::from_digit(b'5'), Some(BaudRate::B9600));
        assert_eq!(BaudRate::from_digit(b'7'), None);
        assert_eq!(BaudRate::from_digit(b'/'), None);
        assert_eq!(BaudRate::from_letter(b'A'), Some(BaudRate::B600));
        assert_eq!(BaudRate::from_letter(b'F'), Some(BaudRate::B19200));
        assert_eq!(BaudRate::from_letter(b'G'), None);
        assert_eq!(BaudRate::from_letter(b'@'), None);
        for rate in BaudRate::ALL {
            assert_eq!(BaudRate::from_digit(rate.digit()), Some(rate));
        }
        assert_eq!(BaudRate::B300.duration(6), Duration::from_millis(200));
    }
}
