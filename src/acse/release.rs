//! RLRQ, tag `62`, and RLRE, tag `63`: an association is closed (IEC 62056-5-3, 7.3.4 and 7.3.5).
//!
//! | tag | field | content |
//! | --- | --- | --- |
//! | `80` | reason | INTEGER, implicit |
//! | `BE` | user-information | OCTET STRING: in a ciphered association an InitiateRequest or InitiateResponse |
//!
//! Every field is optional: `62 00` is a release request.

use dlms_axdr::{BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader, ber};

use super::fields;

/// RLRQ: the request to close the association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReleaseRequest<'a> {
    /// Why.
    pub reason: Option<ReleaseRequestReason>,
    /// An InitiateRequest, ciphered, in a ciphered association.
    pub user_information: Option<&'a [u8]>,
}

/// RLRE: the answer to [`ReleaseRequest`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReleaseResponse<'a> {
    /// What became of it.
    pub reason: Option<ReleaseResponseReason>,
    /// An InitiateResponse, ciphered, in a ciphered association.
    pub user_information: Option<&'a [u8]>,
}

/// `release-request-reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum ReleaseRequestReason {
    Normal,
    Urgent,
    UserDefined,
    /// A number that the standard does not define.
    Unknown(u8),
}

/// `release-response-reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum ReleaseResponseReason {
    Normal,
    NotFinished,
    UserDefined,
    /// A number that the standard does not define.
    Unknown(u8),
}

impl<'a> ReleaseRequest<'a> {
    /// Reads an RLRQ that takes all of `octets`.
    ///
    /// # Errors
    /// A field is unknown, doubled, out of order or malformed; a length is not exact.
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let (reason, user_information) = read(octets, super::RLRQ, "RLRQ")?;
        Ok(Self { reason: reason.map(ReleaseRequestReason::from_code), user_information })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        write(encoder, super::RLRQ, self.reason.map(ReleaseRequestReason::code), self.user_information)
    }
}

impl<'a> ReleaseResponse<'a> {
    /// Reads an RLRE that takes all of `octets`.
    ///
    /// # Errors
    /// As [`ReleaseRequest::from_octets`].
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let (reason, user_information) = read(octets, super::RLRE, "RLRE")?;
        Ok(Self { reason: reason.map(ReleaseResponseReason::from_code), user_information })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        write(encoder, super::RLRE, self.reason.map(ReleaseResponseReason::code), self.user_information)
    }
}

impl ReleaseRequestReason {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::Urgent => 1,
            Self::UserDefined => 30,
            Self::Unknown(code) => code,
        }
    }

    /// The reason with this number.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Normal,
            1 => Self::Urgent,
            30 => Self::UserDefined,
            code => Self::Unknown(code),
        }
    }
}

impl ReleaseResponseReason {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::NotFinished => 1,
            Self::UserDefined => 30,
            Self::Unknown(code) => code,
        }
    }

    /// The reason with this number.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Normal,
            1 => Self::NotFinished,
            30 => Self::UserDefined,
            code => Self::Unknown(code),
        }
    }
}

const REASON: u8 = ber::implicit(0);

fn read<'a>(
    octets: &'a [u8],
    tag: u8,
    name: &'static str,
) -> Result<(Option<u8>, Option<&'a [u8]>), DecodeError> {
    let mut content = fields::content(octets, tag, name)?;
    let reason = match ber::read_optional(&mut content, REASON)? {
        Some(reason) => Some(read_reason(&reason)?),
        None => None,
    };
    let user_information = fields::read_user_information(&mut content)?;
    fields::finish(&content, "release field")?;
    Ok((reason, user_information))
}

fn read_reason(content: &Reader<'_>) -> Result<u8, DecodeError> {
    match content.rest() {
        &[code] => Ok(code),
        _ => Err(content.error(DecodeErrorKind::InvalidValue("release reason"))),
    }
}

fn write(
    encoder: &mut Encoder<'_>,
    tag: u8,
    reason: Option<u8>,
    user_information: Option<&[u8]>,
) -> Result<(), BufferFull> {
    ber::write_element(encoder, tag, |encoder| {
        if let Some(reason) = reason {
            ber::write_octets(encoder, REASON, &[reason])?;
        }
        fields::write_user_information(encoder, user_information)
    })
}
