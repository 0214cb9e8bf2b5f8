//! Negotiation of the link's limits in the information fields of SNRM and UA (IEC 62056-46, 6.4.4.4.3.2).
//!
//! ```text
//! 81 80 LL { PI PL PV.. }* [ user data ]
//! ```
//!
//! | PI | parameter | PV sent |
//! |---|---|---|
//! | 05 / 06 | maximum information field length, transmit / receive | 1 octet up to 255, else 2 |
//! | 07 / 08 | window size, transmit / receive | always 4 octets |
//!
//! *Transmit* and *receive* are those of the station that sends the frame. Whatever is absent, of zero length or zero
//! means the default, never "no opinion".

use crate::frame::MAX_INFORMATION;

const FORMAT_IDENTIFIER: u8 = 0x81;
const GROUP_PARAMETERS: u8 = 0x80;
const MAX_INFORMATION_TRANSMIT: u8 = 0x05;
const MAX_INFORMATION_RECEIVE: u8 = 0x06;
const WINDOW_TRANSMIT: u8 = 0x07;
const WINDOW_RECEIVE: u8 = 0x08;

/// Octets of the longest parameter field this side writes.
pub const MAX_PARAMETERS: usize = 3 + 2 * 4 + 2 * 6;

/// Limits of a link, from the point of view of one station.
///
/// The default is the standard's: 128 octets and a window of one frame, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Parameters {
    /// Longest information field this station sends, 32..=2030.
    pub max_information_transmit: u16,
    /// Longest information field this station takes, 32..=2030.
    pub max_information_receive: u16,
    /// I frames this station sends before it waits for an acknowledgement, 1..=7.
    pub window_transmit: u8,
    /// I frames this station takes in a row, 1..=7.
    pub window_receive: u8,
}

/// How parameters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ParameterForm {
    /// All four, lengths in one octet where they fit.
    #[default]
    Explicit,
    /// All four, lengths always in two octets (setup class version 1).
    Wide,
    /// Only what differs from the default; no information field at all if nothing does.
    Brief,
}

/// A parameter field that a SNRM must be refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at octet {offset} of the information field")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParameterError {
    /// Where.
    pub offset: usize,
    /// What.
    pub kind: ParameterErrorKind,
}

/// See [`ParameterError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ParameterErrorKind {
    /// The field does not begin with 81 80.
    #[error("expected 81 80")]
    Format,
    /// A length runs past the end.
    #[error("length runs past the end")]
    Truncated,
    /// A parameter length other than 0, 1, 2 and 4.
    #[error("parameter length {0} is not 0, 1, 2 or 4")]
    Length(u8),
    /// A parameter identifier other than 05..=08.
    #[error("unknown parameter {0:#04X}")]
    Unknown(u8),
}

impl Parameters {
    /// The same limits with every value inside its legal range.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            max_information_transmit: clamp_information(u32::from(self.max_information_transmit)),
            max_information_receive: clamp_information(u32::from(self.max_information_receive)),
            window_transmit: clamp_window(u32::from(self.window_transmit)),
            window_receive: clamp_window(u32::from(self.window_receive)),
        }
    }

    /// Reads the information field of a SNRM or UA; values out of range are clamped, user data is left alone.
    ///
    /// # Errors
    /// [`ParameterError`] where the field is malformed or holds a parameter that the standard does not know.
    pub fn decode(information: &[u8]) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        let (mut rest, mut offset): (_, usize) = match information {
            [] => return Ok(parameters),
            [FORMAT_IDENTIFIER, GROUP_PARAMETERS, length, rest @ ..] => {
                let group =
                    rest.get(..usize::from(*length)).ok_or(error(2, ParameterErrorKind::Truncated))?;
                (group, 3)
            }
            [FORMAT_IDENTIFIER, GROUP_PARAMETERS] => return Err(error(2, ParameterErrorKind::Truncated)),
            _ => return Err(error(0, ParameterErrorKind::Format)),
        };
        while let [identifier, tail @ ..] = rest {
            let truncated = error(offset.saturating_add(1), ParameterErrorKind::Truncated);
            let (length, tail) = tail.split_first().ok_or(truncated)?;
            let (value, tail) = tail.split_at_checked(usize::from(*length)).ok_or(truncated)?;
            if !matches!(length, 0 | 1 | 2 | 4) {
                return Err(error(offset.saturating_add(1), ParameterErrorKind::Length(*length)));
            }
            let value = value.iter().fold(0, |value, octet| value << 8 | u32::from(*octet));
            match *identifier {
                MAX_INFORMATION_TRANSMIT => parameters.max_information_transmit = clamp_information(value),
                MAX_INFORMATION_RECEIVE => parameters.max_information_receive = clamp_information(value),
                WINDOW_TRANSMIT => parameters.window_transmit = clamp_window(value),
                WINDOW_RECEIVE => parameters.window_receive = clamp_window(value),
                unknown => return Err(error(offset, ParameterErrorKind::Unknown(unknown))),
            }
            offset = offset.saturating_add(2 + usize::from(*length));
            rest = tail;
        }
        Ok(parameters)
    }

    /// Writes the parameter field, which may be empty.
    #[must_use]
    pub fn encode(&self, form: ParameterForm) -> ParameterField {
        let default = Self::default();
        let mut field = ParameterField { octets: [0; MAX_PARAMETERS], length: 3 };
        let brief = form == ParameterForm::Brief;
        for (identifier, value, default) in [
            (MAX_INFORMATION_TRANSMIT, self.max_information_transmit, default.max_information_transmit),
            (MAX_INFORMATION_RECEIVE, self.max_information_receive, default.max_information_receive),
        ] {
            if brief && value == default {
                continue;
            }
            match u8::try_from(value) {
                Ok(short) if form != ParameterForm::Wide => field.put(&[identifier, 1, short]),
                _ => field.put(&[identifier, 2, (value >> 8) as u8, value as u8]),
            }
        }
        for (identifier, value, default) in [
            (WINDOW_TRANSMIT, self.window_transmit, default.window_transmit),
            (WINDOW_RECEIVE, self.window_receive, default.window_receive),
        ] {
            if !(brief && value == default) {
                field.put(&[identifier, 4, 0, 0, 0, value]);
            }
        }
        if field.length == 3 {
            field.length = 0;
            return field;
        }
        field.octets[..3].copy_from_slice(&[FORMAT_IDENTIFIER, GROUP_PARAMETERS, field.length as u8 - 3]);
        field
    }

    /// What holds for this station when `peer` is what the other side wrote: the lesser of both, direction by
    /// direction.
    ///
    /// A server applies it to the proposal in a SNRM and answers with the result; a client applies it to the UA, so
    /// that a peer that grants more than was proposed gains nothing.
    #[must_use]
    pub fn negotiate(self, peer: Self) -> Self {
        Self {
            max_information_transmit: self.max_information_transmit.min(peer.max_information_receive),
            max_information_receive: self.max_information_receive.min(peer.max_information_transmit),
            window_transmit: self.window_transmit.min(peer.window_receive),
            window_receive: self.window_receive.min(peer.window_transmit),
        }
        .clamped()
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            max_information_transmit: 128,
            max_information_receive: 128,
            window_transmit: 1,
            window_receive: 1,
        }
    }
}

/// An encoded parameter field.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParameterField {
    octets: [u8; MAX_PARAMETERS],
    length: usize,
}

impl ParameterField {
    fn put(&mut self, octets: &[u8]) {
        self.octets[self.length..self.length + octets.len()].copy_from_slice(octets);
        self.length += octets.len();
    }
}

impl AsRef<[u8]> for ParameterField {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

const fn error(offset: usize, kind: ParameterErrorKind) -> ParameterError {
    ParameterError { offset, kind }
}

fn clamp_information(value: u32) -> u16 {
    if value == 0 { 128 } else { value.clamp(32, MAX_INFORMATION as u32) as u16 }
}

fn clamp_window(value: u32) -> u8 {
    value.clamp(1, 7) as u8
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameters(transmit: u16, receive: u16, window_transmit: u8, window_receive: u8) -> Parameters {
        Parameters {
            max_information_transmit: transmit,
            max_information_receive: receive,
            window_transmit,
            window_receive,
        }
    }

    #[test]
    fn forms() {
        let explicit = [
            0x81, 0x80, 0x12, 0x05, 0x01, 0x80, 0x06, 0x01, 0x80, 0x07, 0x04, 0, 0, 0, 1, 0x08, 0x04, 0, 0,
            0, 1,
        ];
        assert_eq!(Parameters::default().encode(ParameterForm::Explicit).as_ref(), explicit);
        let wide = [
            0x81, 0x80, 0x14, 0x05, 0x02, 0x00, 0x80, 0x06, 0x02, 0x00, 0x80, 0x07, 0x04, 0, 0, 0, 1, 0x08,
            0x04, 0, 0, 0, 1,
        ];
        assert_eq!(Parameters::default().encode(ParameterForm::Wide).as_ref(), wide);
        assert_eq!(Parameters::default().encode(ParameterForm::Brief).as_ref(), []);
    }

    /// Table 8 of IEC 62056-46.
    #[test]
    fn worked_negotiation() {
        let snrm = parameters(128, 128, 1, 7);
        let field = snrm.encode(ParameterForm::Brief);
        assert_eq!(field.as_ref(), [0x81, 0x80, 0x06, 0x08, 0x04, 0, 0, 0, 7]);
        let server = parameters(128, 64, 7, 7).negotiate(Parameters::decode(field.as_ref()).unwrap());
        assert_eq!(server, parameters(128, 64, 7, 1));
        let ua = server.encode(ParameterForm::Brief);
        assert_eq!(ua.as_ref(), [0x81, 0x80, 0x09, 0x06, 0x01, 0x40, 0x07, 0x04, 0, 0, 0, 7]);
        let client = snrm.negotiate(Parameters::decode(ua.as_ref()).unwrap());
        assert_eq!(client, parameters(64, 128, 1, 7));
    }

    #[test]
    fn absent_zero_and_out_of_range() {
        let decode = |octets: &[u8]| Parameters::decode(octets).unwrap();
        assert_eq!(decode(&[]), Parameters::default());
        assert_eq!(decode(&[0x81, 0x80, 0x00]), Parameters::default());
        assert_eq!(decode(&[0x81, 0x80, 0x05, 0x05, 0x00, 0x06, 0x01, 0x00]), Parameters::default());
        assert_eq!(decode(&[0x81, 0x80, 0x04, 0x05, 0x02, 0x0F, 0xFF]).max_information_transmit, 2030);
        assert_eq!(decode(&[0x81, 0x80, 0x06, 0x05, 0x04, 0, 0, 1, 0]).max_information_transmit, 256);
        assert_eq!(decode(&[0x81, 0x80, 0x03, 0x07, 0x01, 0x09]).window_transmit, 7);
        assert_eq!(
            decode(&[0x81, 0x80, 0x06, 0x06, 0x01, 0x40, 0x06, 0x01, 0x50]).max_information_receive,
            0x50
        );
        assert_eq!(
            decode(&[0x81, 0x80, 0x00, 0xF0, 0x01, 0x55]),
            Parameters::default(),
            "user data is opaque"
        );
    }

    #[test]
    fn refused_fields() {
        let kind = |octets: &[u8]| Parameters::decode(octets).unwrap_err().kind;
        assert_eq!(kind(&[0x80]), ParameterErrorKind::Format);
        assert_eq!(kind(&[0x81, 0x80]), ParameterErrorKind::Truncated);
        assert_eq!(kind(&[0x81, 0x80, 0x03, 0x05, 0x01]), ParameterErrorKind::Truncated);
        assert_eq!(kind(&[0x81, 0x80, 0x02, 0x05, 0x01]), ParameterErrorKind::Truncated);
        assert_eq!(kind(&[0x81, 0x80, 0x05, 0x05, 0x03, 0, 0, 0]), ParameterErrorKind::Length(3));
        assert_eq!(kind(&[0x81, 0x80, 0x03, 0x09, 0x01, 0x01]), ParameterErrorKind::Unknown(9));
    }

    proptest! {
        #[test]
        fn round_trip(transmit in 32_u16..=2030, receive in 32_u16..=2030, wt in 1_u8..=7, wr in 1_u8..=7) {
            let parameters = parameters(transmit, receive, wt, wr);
            for form in [ParameterForm::Explicit, ParameterForm::Wide, ParameterForm::Brief] {
                prop_assert_eq!(Parameters::decode(parameters.encode(form).as_ref()), Ok(parameters));
            }
        }

        #[test]
        fn arbitrary_octets_never_panic(mut octets in proptest::collection::vec(any::<u8>(), 0..40), tidy: bool) {
            if tidy && octets.len() > 2 {
                octets[..2].copy_from_slice(&[0x81, 0x80]);
            }
            if let Ok(parameters) = Parameters::decode(&octets) {
                prop_assert_eq!(parameters.clamped(), parameters);
            }
        }
    }
}
