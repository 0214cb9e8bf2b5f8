//! AARQ, tag `60`: a client asks for an association (IEC 62056-5-3, 7.3.2).
//!
//! | tag | field | content |
//! | --- | --- | --- |
//! | `80` | protocol-version | BIT STRING, normally absent |
//! | `A1` | application-context-name | OBJECT IDENTIFIER |
//! | `A2` … `A5` | called-AP-title, -AE-qualifier, -AP-invocation-id, -AE-invocation-id | OCTET STRING ×2, INTEGER ×2 |
//! | `A6` … `A9` | calling-AP-title, -AE-qualifier, -AP-invocation-id, -AE-invocation-id | OCTET STRING ×2, INTEGER ×2 |
//! | `8A` | sender-acse-requirements | BIT STRING |
//! | `8B` | mechanism-name | OBJECT IDENTIFIER, implicit |
//! | `AC` | calling-authentication-value | `80` charstring or `81` bitstring |
//! | `BD` | implementation-information | |
//! | `BE` | user-information | OCTET STRING: an InitiateRequest, plain or ciphered |
//!
//! calling-AP-title is the client's system title, calling-AE-qualifier its certificate, calling-AE-invocation-id the
//! user id. The authentication value is the password (LLS) or the challenge to the server (HLS).

use dlms_axdr::{BitString, BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader, ber};

use super::{AcseRequirements, ApplicationContextName, MechanismName, ProtocolVersion, fields};

/// The request to open an association.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub struct Aarq<'a> {
    pub protocol_version: Option<ProtocolVersion<'a>>,
    pub application_context_name: ApplicationContextName<'a>,
    pub called_ap_title: Option<&'a [u8]>,
    pub called_ae_qualifier: Option<&'a [u8]>,
    pub called_ap_invocation_id: Option<i64>,
    pub called_ae_invocation_id: Option<i64>,
    /// The client's system title.
    pub calling_ap_title: Option<&'a [u8]>,
    /// The client's certificate for digital signatures.
    pub calling_ae_qualifier: Option<&'a [u8]>,
    pub calling_ap_invocation_id: Option<i64>,
    /// The user id.
    pub calling_ae_invocation_id: Option<i64>,
    pub sender_acse_requirements: Option<AcseRequirements<'a>>,
    pub mechanism: Option<MechanismName<'a>>,
    /// The password of LLS, the challenge to the server of HLS.
    pub authentication_value: Option<AuthenticationValue<'a>>,
    pub implementation_information: Option<&'a [u8]>,
    /// An InitiateRequest, plain or ciphered.
    pub user_information: Option<&'a [u8]>,
}

/// `Authentication-value`, a CHOICE. Everybody sends a charstring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationValue<'a> {
    /// `80`: octets, printable or not.
    Charstring(&'a [u8]),
    /// `81`: bits.
    Bitstring(BitString<'a>),
}

impl<'a> Aarq<'a> {
    /// Reads an AARQ that takes all of `octets`.
    ///
    /// # Errors
    /// A field is missing, unknown, doubled, out of order or malformed; a length is not exact.
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let mut content = fields::content(octets, super::AARQ, "AARQ")?;
        let content = &mut content;
        let aarq = Self {
            protocol_version: fields::read_protocol_version(content)?,
            application_context_name: fields::read_context_name(content)?,
            called_ap_title: fields::read_octets(content, 2)?,
            called_ae_qualifier: fields::read_octets(content, 3)?,
            called_ap_invocation_id: fields::read_integer(content, 4)?,
            called_ae_invocation_id: fields::read_integer(content, 5)?,
            calling_ap_title: fields::read_octets(content, 6)?,
            calling_ae_qualifier: fields::read_octets(content, 7)?,
            calling_ap_invocation_id: fields::read_integer(content, 8)?,
            calling_ae_invocation_id: fields::read_integer(content, 9)?,
            sender_acse_requirements: fields::read_acse_requirements(content, 10)?,
            mechanism: fields::read_mechanism_name(content, 11)?,
            authentication_value: AuthenticationValue::read_optional(content, 12)?,
            implementation_information: fields::read_implementation_information(content)?,
            user_information: fields::read_user_information(content)?,
        };
        fields::finish(content, "AARQ field")?;
        Ok(aarq)
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        ber::write_element(encoder, super::AARQ, |encoder| {
            fields::write_bits(encoder, 0, self.protocol_version.map(|version| version.0))?;
            fields::write_context_name(encoder, &self.application_context_name)?;
            fields::write_octets(encoder, 2, self.called_ap_title)?;
            fields::write_octets(encoder, 3, self.called_ae_qualifier)?;
            fields::write_integer(encoder, 4, self.called_ap_invocation_id)?;
            fields::write_integer(encoder, 5, self.called_ae_invocation_id)?;
            fields::write_octets(encoder, 6, self.calling_ap_title)?;
            fields::write_octets(encoder, 7, self.calling_ae_qualifier)?;
            fields::write_integer(encoder, 8, self.calling_ap_invocation_id)?;
            fields::write_integer(encoder, 9, self.calling_ae_invocation_id)?;
            fields::write_bits(
                encoder,
                10,
                self.sender_acse_requirements.map(|requirements| requirements.0),
            )?;
            fields::write_mechanism_name(encoder, 11, self.mechanism.as_ref())?;
            AuthenticationValue::write_optional(self.authentication_value, encoder, 12)?;
            fields::write_implementation_information(encoder, self.implementation_information)?;
            fields::write_user_information(encoder, self.user_information)
        })
    }
}

impl<'a> AuthenticationValue<'a> {
    /// The octets of a charstring.
    pub const fn charstring(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Charstring(octets) => Some(octets),
            Self::Bitstring(_) => None,
        }
    }

    pub(super) fn read_optional(content: &mut Reader<'a>, number: u8) -> Result<Option<Self>, DecodeError> {
        let Some(mut field) = ber::read_optional(content, ber::explicit(number))? else { return Ok(None) };
        let choice = field.clone();
        let value = match ber::read_any(&mut field)? {
            (CHARSTRING, value) => Self::Charstring(value.rest()),
            (BITSTRING, mut value) => Self::Bitstring(ber::read_bits(&mut value)?),
            (found, _) => {
                let expected = "authentication-value";
                return Err(choice.error(DecodeErrorKind::UnknownTag { expected, found }));
            }
        };
        field.finish()?;
        Ok(Some(value))
    }

    pub(super) fn write_optional(
        value: Option<Self>,
        encoder: &mut Encoder<'_>,
        number: u8,
    ) -> Result<(), BufferFull> {
        let Some(value) = value else { return Ok(()) };
        ber::write_element(encoder, ber::explicit(number), |encoder| match value {
            Self::Charstring(octets) => ber::write_octets(encoder, CHARSTRING, octets),
            Self::Bitstring(bits) => ber::write_bits(encoder, BITSTRING, bits),
        })
    }
}

impl<'a> From<&'a [u8]> for AuthenticationValue<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Charstring(octets)
    }
}

const CHARSTRING: u8 = ber::implicit(0);
const BITSTRING: u8 = ber::implicit(1);
