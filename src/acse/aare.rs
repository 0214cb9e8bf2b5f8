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
pub enum AssociateResult {
    Accepted = 0,
    RejectedPermanent = 1,
    RejectedTransient = 2,
}

/// `associate-source-diagnostic`: who gives the result, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
                Err(at.error(DecodeErrorKind::UnknownTag { expected: "association-result", found }))
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
                Err(choice.error(DecodeErrorKind::UnknownTag { expected, found }))
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
        Err(_) => Err(start.error(DecodeErrorKind::InvalidValue("INTEGER"))),
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
    Err(start.error(DecodeErrorKind::InvalidValue("length")))
}

const USER: u8 = ber::explicit(1);
const PROVIDER: u8 = ber::explicit(2);
