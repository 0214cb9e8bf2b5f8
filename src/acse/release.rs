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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
        _ => Err(content.error(DecodeErrorKind::InvalidValue("release reason".into()))),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::xdlms::testing::{hex, mutated};

    fn check_request(text: &str, reason: Option<ReleaseRequestReason>, information: Option<&str>) {
        let (octets, information) = (hex(text), information.map(hex));
        let expected = ReleaseRequest { reason, user_information: information.as_deref() };
        assert_eq!(ReleaseRequest::from_octets(&octets), Ok(expected));
        let mut buffer = [0; 128];
        let mut encoder = Encoder::new(&mut buffer);
        expected.encode(&mut encoder).unwrap();
        assert_eq!(encoder.written(), octets);
        for cut in 0..octets.len() {
            assert!(ReleaseRequest::from_octets(&octets[..cut]).is_err());
        }
    }

    #[test]
    fn requests() {
        let normal = Some(ReleaseRequestReason::Normal);
        check_request("6200", None, None);
        check_request("6203800100", normal, None);
        check_request("620380011E", Some(ReleaseRequestReason::UserDefined), None);
        check_request(
            "6228800100BE230421211F3026ECF3E1B2CC46BB00C666E7B147F7C2005397473D1862BC5D0257F64359",
            normal,
            Some("211F3026ECF3E1B2CC46BB00C666E7B147F7C2005397473D1862BC5D0257F64359"),
        );
        check_request(
            "6239800100BE34043221303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855",
            normal,
            Some(
                "21303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855",
            ),
        );
    }

    #[test]
    fn responses() {
        let initiate = hex("080100065F1F0400001E1D04C80007");
        for (text, user_information) in
            [("6303800100", None), ("6316800100BE11040F080100065F1F0400001E1D04C80007", Some(&initiate[..]))]
        {
            let octets = hex(text);
            let expected = ReleaseResponse { reason: Some(ReleaseResponseReason::Normal), user_information };
            assert_eq!(ReleaseResponse::from_octets(&octets), Ok(expected));
            let mut buffer = [0; 64];
            let mut encoder = Encoder::new(&mut buffer);
            expected.encode(&mut encoder).unwrap();
            assert_eq!(encoder.written(), octets);
        }
    }

    #[test]
    fn what_is_wrong_and_where() {
        let error = ReleaseRequest::from_octets(&hex("620480020000")).unwrap_err();
        assert_eq!((error.offset, error.kind), (4, DecodeErrorKind::InvalidValue("release reason".into())));
        let error = ReleaseRequest::from_octets(&hex("6206800100810100")).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "release field".into(), found: 0x81 };
        assert_eq!((error.offset, error.kind), (5, kind));
    }

    proptest! {
        #[test]
        fn any_reason(code: u8) {
            for octets in [[0x62, 3, 0x80, 1, code], [0x63, 3, 0x80, 1, code]] {
                let mut buffer = [0; 8];
                let mut encoder = Encoder::new(&mut buffer);
                match octets[0] {
                    0x62 => ReleaseRequest::from_octets(&octets).unwrap().encode(&mut encoder).unwrap(),
                    _ => ReleaseResponse::from_octets(&octets).unwrap().encode(&mut encoder).unwrap(),
                }
                prop_assert_eq!(encoder.written(), octets);
            }
        }

        #[test]
        fn malformed_input(octets in mutated(&["6316800100BE11040F080100065F1F0400001E1D04C80007", "6203800100"])) {
            if let Err(error) = ReleaseRequest::from_octets(&octets) {
                prop_assert!(error.offset <= octets.len());
            }
            if let Err(error) = ReleaseResponse::from_octets(&octets) {
                prop_assert!(error.offset <= octets.len());
            }
        }
    }
}
