//! AARE, tag `61`: the server's answer to an AARQ (IEC 62056-5-3, 7.3.3).
//!
//! | tag | field | content |
//! | --- | --- | --- |
//! | `80` | protocol-version | BIT STRING, normally absent |
//! | `A1` | application-context-name | OBJECT IDENTIFIER |
//! | `A2` | result | INTEGER |
//! | `A3` | result-source-diagnostic | `A1` (service user) or `A2` (service provider) around an INTEGER |
//! | `A4` … `A7` | responding-AP-title, -AE-qualifier, -AP-invocation-id, -AE-invocation-id | OCTET STRING ×2, INTEGER ×2 |
//! | `88` | responder-acse-requirements | BIT STRING |
//! | `89` | mechanism-name | OBJECT IDENTIFIER, implicit |
//! | `AA` | responding-authentication-value | `80` charstring or `81` bitstring |
//! | `BD` | implementation-information | |
//! | `BE` | user-information | OCTET STRING: an InitiateResponse or a ConfirmedServiceError, plain or ciphered |
//!
//! Some meters write lengths that fit the one-octet tag of Conformance while they send the two-octet one:
//! [`Aare::from_octets_lenient`] reads these.

use dlms_axdr::{BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader, ber};

use super::aarq::AuthenticationValue;
use super::{AcseRequirements, ApplicationContextName, MechanismName, ProtocolVersion, fields};

/// The answer to the request to open an association.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub struct Aare<'a> {
    pub protocol_version: Option<ProtocolVersion<'a>>,
    pub application_context_name: ApplicationContextName<'a>,
    pub result: AssociateResult,
    pub diagnostic: Diagnostic,
    /// The server's system title.
    pub responding_ap_title: Option<&'a [u8]>,
    /// The server's certificate for digital signatures.
    pub responding_ae_qualifier: Option<&'a [u8]>,
    pub responding_ap_invocation_id: Option<i64>,
    pub responding_ae_invocation_id: Option<i64>,
    pub responder_acse_requirements: Option<AcseRequirements<'a>>,
    pub mechanism: Option<MechanismName<'a>>,
    /// The challenge to the client, of HLS.
    pub authentication_value: Option<AuthenticationValue<'a>>,
    pub implementation_information: Option<&'a [u8]>,
    /// An InitiateResponse or a ConfirmedServiceError, plain or ciphered.
    pub user_information: Option<&'a [u8]>,
}

/// `association-result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the standard")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AssociateResult {
    Accepted = 0,
    RejectedPermanent = 1,
    RejectedTransient = 2,
}

/// `associate-source-diagnostic`: who gives the result, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Diagnostic {
    /// The acse-service-user: the server's application.
    User(UserDiagnostic),
    /// The acse-service-provider: the server's association control.
    Provider(ProviderDiagnostic),
}

macro_rules! diagnostics {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[allow(missing_docs, reason = "the names of the standard")]
        pub enum $name {
            $($variant,)*
            /// A number that the standard does not define.
            Unknown(u8),
        }

        impl $name {
            /// The number on the wire.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Unknown(code) => code,
                }
            }

            /// The diagnostic with this number.
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    code => Self::Unknown(code),
                }
            }
        }
    };
}

diagnostics! {
    /// The diagnostics of the acse-service-user.
    UserDiagnostic {
        Null = 0,
        NoReasonGiven = 1,
        ApplicationContextNameNotSupported = 2,
        CallingApTitleNotRecognized = 3,
        CallingApInvocationIdNotRecognized = 4,
        CallingAeQualifierNotRecognized = 5,
        CallingAeInvocationIdNotRecognized = 6,
        CalledApTitleNotRecognized = 7,
        CalledApInvocationIdNotRecognized = 8,
        CalledAeQualifierNotRecognized = 9,
        CalledAeInvocationIdNotRecognized = 10,
        AuthenticationMechanismNameNotRecognised = 11,
        AuthenticationMechanismNameRequired = 12,
        AuthenticationFailure = 13,
        AuthenticationRequired = 14,
    }
}

diagnostics! {
    /// The diagnostics of the acse-service-provider.
    ProviderDiagnostic {
        Null = 0,
        NoReasonGiven = 1,
        NoCommonAcseVersion = 2,
    }
}

impl<'a> Aare<'a> {
    /// Reads an AARE that takes all of `octets`.
    ///
    /// # Errors
    /// A field is missing, unknown, doubled, out of order or malformed; a length is not exact.
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let mut content = fields::content(octets, super::AARE, "AARE")?;
        let aare = Self::read_fields(&mut content, fields::read_user_information)?;
        fields::finish(&content, "AARE field")?;
        Ok(aare)
    }

    /// As [`Aare::from_octets`], but the lengths of the APDU, of user-information and of the OCTET STRING in it may all
    /// be one less than what is there.
    ///
    /// # Errors
    /// As [`Aare::from_octets`].
    pub fn from_octets_lenient(octets: &'a [u8]) -> Result<Self, DecodeError> {
        Self::from_octets(octets).or_else(|error| {
            let mut content = Reader::new(octets);
            read_head_one_short(&mut content, super::AARE)?;
            let aare = Self::read_fields(&mut content, |content| {
                read_head_one_short(content, fields::USER_INFORMATION)?;
                read_head_one_short(content, ber::OCTET_STRING)?;
                content.octets(content.remaining()).map(Some)
            });
            aare.map_err(|_| error)
        })
    }

    fn read_fields(
        content: &mut Reader<'a>,
        read_user_information: impl FnOnce(&mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError>,
    ) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: fields::read_protocol_version(content)?,
            application_context_name: fields::read_context_name(content)?,
            result: AssociateResult::read(content)?,
            diagnostic: Diagnostic::read(content)?,
            responding_ap_title: fields::read_octets(content, 4)?,
            responding_ae_qualifier: fields::read_octets(content, 5)?,
            responding_ap_invocation_id: fields::read_integer(content, 6)?,
            responding_ae_invocation_id: fields::read_integer(content, 7)?,
            responder_acse_requirements: fields::read_acse_requirements(content, 8)?,
            mechanism: fields::read_mechanism_name(content, 9)?,
            authentication_value: AuthenticationValue::read_optional(content, 10)?,
            implementation_information: fields::read_implementation_information(content)?,
            user_information: read_user_information(content)?,
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        ber::write_element(encoder, super::AARE, |encoder| {
            fields::write_bits(encoder, 0, self.protocol_version.map(|version| version.0))?;
            fields::write_context_name(encoder, &self.application_context_name)?;
            fields::write_integer(encoder, 2, Some(self.result as i64))?;
            self.diagnostic.write(encoder)?;
            fields::write_octets(encoder, 4, self.responding_ap_title)?;
            fields::write_octets(encoder, 5, self.responding_ae_qualifier)?;
            fields::write_integer(encoder, 6, self.responding_ap_invocation_id)?;
            fields::write_integer(encoder, 7, self.responding_ae_invocation_id)?;
            fields::write_bits(
                encoder,
                8,
                self.responder_acse_requirements.map(|requirements| requirements.0),
            )?;
            fields::write_mechanism_name(encoder, 9, self.mechanism.as_ref())?;
            AuthenticationValue::write_optional(self.authentication_value, encoder, 10)?;
            fields::write_implementation_information(encoder, self.implementation_information)?;
            fields::write_user_information(encoder, self.user_information)
        })
    }
}

/// An accepted association by logical name; a base for others.
impl Default for Aare<'_> {
    fn default() -> Self {
        Self {
            protocol_version: None,
            application_context_name: ApplicationContextName::default(),
            result: AssociateResult::Accepted,
            diagnostic: Diagnostic::User(UserDiagnostic::Null),
            responding_ap_title: None,
            responding_ae_qualifier: None,
            responding_ap_invocation_id: None,
            responding_ae_invocation_id: None,
            responder_acse_requirements: None,
            mechanism: None,
            authentication_value: None,
            implementation_information: None,
            user_information: None,
        }
    }
}

impl AssociateResult {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    fn read(content: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut field = ber::read_element(content, ber::explicit(2), "result")?;
        match read_code(&mut field)? {
            (_, 0) => Ok(Self::Accepted),
            (_, 1) => Ok(Self::RejectedPermanent),
            (_, 2) => Ok(Self::RejectedTransient),
            (at, found) => {
                Err(at.error(DecodeErrorKind::UnknownTag { expected: "association-result".into(), found }))
            }
        }
    }
}

impl Diagnostic {
    fn read(content: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut field = ber::read_element(content, ber::explicit(3), "result-source-diagnostic")?;
        let choice = field.clone();
        let (source, mut code) = ber::read_any(&mut field)?;
        field.finish()?;
        match source {
            USER => Ok(Self::User(UserDiagnostic::from_code(read_code(&mut code)?.1))),
            PROVIDER => Ok(Self::Provider(ProviderDiagnostic::from_code(read_code(&mut code)?.1))),
            found => {
                let expected = "result-source-diagnostic";
                Err(choice.error(DecodeErrorKind::UnknownTag { expected: expected.into(), found }))
            }
        }
    }

    fn write(self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let (source, code) = match self {
            Self::User(diagnostic) => (USER, diagnostic.code()),
            Self::Provider(diagnostic) => (PROVIDER, diagnostic.code()),
        };
        ber::write_element(encoder, ber::explicit(3), |encoder| {
            ber::write_element(encoder, source, |encoder| ber::write_integer(encoder, code.into()))
        })
    }
}

/// An INTEGER from 0 to 255, alone, and where it begins.
fn read_code<'a>(field: &mut Reader<'a>) -> Result<(Reader<'a>, u8), DecodeError> {
    let start = field.clone();
    let value = ber::read_integer(field)?;
    field.finish()?;
    match u8::try_from(value) {
        Ok(code) => Ok((start, code)),
        Err(_) => Err(start.error(DecodeErrorKind::InvalidValue("INTEGER".into()))),
    }
}

/// Reads a tag and a length that is one less than what follows.
fn read_head_one_short(reader: &mut Reader<'_>, tag: u8) -> Result<(), DecodeError> {
    let start = reader.clone();
    let found = reader.u8()?;
    let length = reader.length()?;
    if found == tag && length.checked_add(1) == Some(reader.remaining()) {
        return Ok(());
    }
    Err(start.error(DecodeErrorKind::InvalidValue("length".into())))
}

const USER: u8 = ber::explicit(1);
const PROVIDER: u8 = ber::explicit(2);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_security::AuthenticationMechanism;
    use proptest::prelude::*;

    use super::*;
    use crate::xdlms::testing::{hex, mutated};
    use crate::xdlms::{ConfirmedServiceError, InitiateError, InitiateResponse};

    fn check(text: &str, expected: Aare<'_>) {
        let octets = hex(text);
        assert_eq!(Aare::from_octets(&octets), Ok(expected), "{text}");
        assert_eq!(Aare::from_octets_lenient(&octets), Ok(expected), "{text}");
        let mut buffer = [0; 512];
        let mut encoder = Encoder::new(&mut buffer);
        expected.encode(&mut encoder).unwrap();
        assert_eq!(encoder.written(), octets, "{text}");
        for cut in 0..octets.len() {
            assert!(Aare::from_octets(&octets[..cut]).is_err(), "{text} cut at {cut}");
        }
    }

    #[test]
    fn accepted() {
        let initiate = hex("0800065F1F040000501F01F40007");
        let plain = Aare { user_information: Some(&initiate), ..Aare::default() };
        check(
            "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007",
            plain,
        );
        let other = hex("0800065F1F0400601A9D05000007");
        check(
            "6132A109060760857405080101A203020100A305A103020100890760857405080200BE10040E0800065F1F0400601A9D05000007",
            Aare {
                mechanism: Some(AuthenticationMechanism::None.into()),
                user_information: Some(&other),
                ..plain
            },
        );
        let short_names = hex("0800065F1F04001802200960FA00");
        check(
            "6129A109060760857405080102A203020100A305A103020100BE10040E0800065F1F04001802200960FA00",
            Aare {
                application_context_name: ApplicationContextName::ShortNameReferencing,
                user_information: Some(&short_names),
                ..plain
            },
        );
    }

    #[test]
    fn accepted_with_a_challenge() {
        let initiate = hex("0800065F1F040000501F01F40007");
        let pending = Aare {
            diagnostic: Diagnostic::User(UserDiagnostic::AuthenticationRequired),
            responder_acse_requirements: Some(AcseRequirements::AUTHENTICATION),
            mechanism: Some(AuthenticationMechanism::Gmac.into()),
            authentication_value: Some(AuthenticationValue::Charstring(b"P6wRJ21F")),
            user_information: Some(&initiate),
            ..Aare::default()
        };
        check(
            "6142A109060760857405080101A203020100A305A10302010E88020780890760857405080205AA0A8008503677524A323146BE10040E0800065F1F040000501F01F40007",
            pending,
        );
        let challenge = hex("6A495F8D185723E288A794A19AE64024");
        let ciphered = hex("281F3026ECF3DFBA974DD84AA9262FA3FD4349F7A268D0B41B4BBCDA8448715093");
        check(
            "6169A109060760857405080103A203020100A305A10302010EA40A0408494355303030303088020780890760857405080205AA1280106A495F8D185723E288A794A19AE64024BE230421281F3026ECF3DFBA974DD84AA9262FA3FD4349F7A268D0B41B4BBCDA8448715093",
            Aare {
                application_context_name: ApplicationContextName::LogicalNameReferencingWithCiphering,
                responding_ap_title: Some(b"ICU00000"),
                authentication_value: Some(AuthenticationValue::Charstring(&challenge)),
                user_information: Some(&ciphered),
                ..pending
            },
        );
    }

    #[test]
    fn rejected() {
        let rejected = Aare { result: AssociateResult::RejectedPermanent, ..Aare::default() };
        let initiate = hex("0800065F1F040000501F01F40007");
        check(
            "6129A109060760857405080101A203020101A305A103020102BE10040E0800065F1F040000501F01F40007",
            Aare {
                diagnostic: Diagnostic::User(UserDiagnostic::ApplicationContextNameNotSupported),
                user_information: Some(&initiate),
                ..rejected
            },
        );
        let too_low = hex("0E010601");
        let text = "611FA109060760857405080101A203020101A305A103020101BE0604040E010601";
        check(
            text,
            Aare {
                diagnostic: Diagnostic::User(UserDiagnostic::NoReasonGiven),
                user_information: Some(&too_low),
                ..rejected
            },
        );
        assert_eq!(
            ConfirmedServiceError::decode(&mut Reader::new(&too_low)),
            Ok(ConfirmedServiceError::initiate(InitiateError::DlmsVersionTooLow))
        );
        check(
            "6117A109060760857405080101A203020101A305A203020102",
            Aare { diagnostic: Diagnostic::Provider(ProviderDiagnostic::NoCommonAcseVersion), ..rejected },
        );
    }

    #[test]
    fn lengths_for_the_other_conformance_tag_need_lenience() {
        let octets =
            hex("6128A109060760857405080102A203020100A305A103020100BE0F040D0800065F1F04001802200960FA00");
        let error = Aare::from_octets(&octets).unwrap_err();
        assert_eq!((error.offset, error.kind), (42, DecodeErrorKind::TrailingOctets(1)));
        let aare = Aare::from_octets_lenient(&octets).unwrap();
        let mut reader = Reader::new(aare.user_information.unwrap());
        assert_eq!(InitiateResponse::decode(&mut reader).unwrap().vaa_name, 0xFA00);
        reader.finish().unwrap();
        for cut in 0..octets.len() - 1 {
            assert!(Aare::from_octets_lenient(&octets[..cut]).is_err());
        }
    }

    #[test]
    fn unknown_numbers() {
        let unknown_diagnostic = hex("6117A109060760857405080101A203020101A305A1030201FF");
        assert!(Aare::from_octets(&unknown_diagnostic).is_err(), "negative");
        let unknown_diagnostic = hex("6117A109060760857405080101A203020101A305A103020163");
        let aare = Aare::from_octets(&unknown_diagnostic).unwrap();
        assert_eq!(aare.diagnostic, Diagnostic::User(UserDiagnostic::Unknown(0x63)));
        let error =
            Aare::from_octets(&hex("6117A109060760857405080101A203020103A305A103020100")).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "association-result".into(), found: 3 };
        assert_eq!((error.offset, error.kind), (15, kind));
        let error =
            Aare::from_octets(&hex("6117A109060760857405080101A203020101A305A303020100")).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "result-source-diagnostic".into(), found: 0xA3 };
        assert_eq!((error.offset, error.kind), (20, kind));
    }

    proptest! {
        #[test]
        fn any_aare(
            result in 0u8..3,
            code: u8,
            title: Option<Vec<u8>>,
            challenge: Option<Vec<u8>>,
            id: Option<i64>,
            information: Option<Vec<u8>>,
        ) {
            let aare = Aare {
                result: match result {
                    0 => AssociateResult::Accepted,
                    1 => AssociateResult::RejectedPermanent,
                    _ => AssociateResult::RejectedTransient,
                },
                diagnostic: Diagnostic::User(UserDiagnostic::from_code(code)),
                responding_ap_title: title.as_deref(),
                responding_ae_qualifier: title.as_deref(),
                responding_ap_invocation_id: id,
                responding_ae_invocation_id: id,
                authentication_value: challenge.as_deref().map(AuthenticationValue::Charstring),
                user_information: information.as_deref(),
                ..Aare::default()
            };
            let mut buffer = [0; 1024];
            let mut encoder = Encoder::new(&mut buffer);
            aare.encode(&mut encoder).unwrap();
            prop_assert_eq!(Aare::from_octets(encoder.written()), Ok(aare));
        }

        #[test]
        fn malformed_input(octets in mutated(&[
            "6169A109060760857405080103A203020100A305A10302010EA40A0408494355303030303088020780890760857405080205AA1280106A495F8D185723E288A794A19AE64024BE230421281F3026ECF3DFBA974DD84AA9262FA3FD4349F7A268D0B41B4BBCDA8448715093",
            "6128A109060760857405080102A203020100A305A103020100BE0F040D0800065F1F04001802200960FA00",
        ])) {
            for decode in [Aare::from_octets, Aare::from_octets_lenient] {
                if let Err(error) = decode(&octets) {
                    prop_assert!(error.offset <= octets.len());
                }
            }
        }
    }
}
