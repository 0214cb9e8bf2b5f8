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

/// `Authentication-value`, a CHOICE. Everybody sends a charstring. It may be a password, so `Debug` tells its length only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationValue<'a> {
    /// `80`: octets, printable or not.
    Charstring(&'a [u8]),
    /// `81`: bits.
    Bitstring(BitString<'a>),
}

impl core::fmt::Debug for AuthenticationValue<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Charstring(octets) => write!(f, "Charstring({} octets)", octets.len()),
            Self::Bitstring(_) => f.write_str("Bitstring(..)"),
        }
    }
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
                return Err(choice.error(DecodeErrorKind::UnknownTag { expected: expected.into(), found }));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_security::AuthenticationMechanism;
    use proptest::prelude::*;

    use super::*;
    use crate::xdlms::testing::{hex, mutated};
    use crate::xdlms::{Conformance, InitiateRequest};

    const INITIATE: &str = "01000000065F1F0400007E1F04B0";
    const WITH_CIPHERING: ApplicationContextName<'static> =
        ApplicationContextName::LogicalNameReferencingWithCiphering;

    fn check(text: &str, expected: Aarq<'_>) {
        let octets = hex(text);
        assert_eq!(Aarq::from_octets(&octets), Ok(expected), "{text}");
        let mut buffer = [0; 512];
        let mut encoder = Encoder::new(&mut buffer);
        expected.encode(&mut encoder).unwrap();
        assert_eq!(encoder.written(), octets, "{text}");
        for cut in 0..octets.len() {
            assert!(Aarq::from_octets(&octets[..cut]).is_err(), "{text} cut at {cut}");
        }
    }

    fn authenticated(mechanism: AuthenticationMechanism, value: &[u8]) -> Aarq<'_> {
        Aarq {
            sender_acse_requirements: Some(AcseRequirements::AUTHENTICATION),
            mechanism: Some(mechanism.into()),
            authentication_value: Some(value.into()),
            ..Aarq::default()
        }
    }

    #[test]
    fn without_authentication() {
        let initiate = hex(INITIATE);
        let plain = Aarq { user_information: Some(&initiate), ..Aarq::default() };
        check("601DA109060760857405080101BE10040E01000000065F1F0400007E1F04B0", plain);
        let tool = hex("01000000065F1F040060FE9FFFFF");
        check(
            "601DA109060760857405080101BE10040E01000000065F1F040060FE9FFFFF",
            Aarq { user_information: Some(&tool), ..plain },
        );
        let short_names = hex("01000000065F1F04001C0320FFFF");
        check(
            "601DA109060760857405080102BE10040E01000000065F1F04001C0320FFFF",
            Aarq {
                application_context_name: ApplicationContextName::ShortNameReferencing,
                user_information: Some(&short_names),
                ..plain
            },
        );
        check(
            "6022A109060760857405080101A903020105BE10040E01000000065F1F0400007E1F04B0",
            Aarq { calling_ae_invocation_id: Some(5), ..plain },
        );
        check(
            "602180020780A109060760857405080101BE10040E01000000065F1F0400007E1F04B0",
            Aarq { protocol_version: Some(ProtocolVersion::VERSION_1), ..plain },
        );
    }

    #[test]
    fn the_one_octet_conformance_tag() {
        let octets = hex("602080020780A109060760857405080102BE0F040D01000000065F0400181A200000");
        let aarq = Aarq::from_octets(&octets).unwrap();
        assert!(aarq.protocol_version.unwrap().is_version_1());
        let mut reader = Reader::new(aarq.user_information.unwrap());
        let initiate = InitiateRequest::decode(&mut reader).unwrap();
        reader.finish().unwrap();
        assert_eq!(initiate.proposed_conformance, Conformance::from_octets([0x18, 0x1A, 0x20]));
        assert_eq!(initiate.client_max_receive_pdu_size, 0);
    }

    #[test]
    fn with_authentication() {
        let initiate = hex(INITIATE);
        check(
            "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400007E1F04B0",
            Aarq {
                user_information: Some(&initiate),
                ..authenticated(AuthenticationMechanism::Lls, b"12345678")
            },
        );
        check(
            "6036A1090607608574050801018A0207808B0760857405080205AC0A80084B35366956616759BE10040E01000000065F1F0400007E1F04B0",
            Aarq {
                user_information: Some(&initiate),
                ..authenticated(AuthenticationMechanism::Gmac, b"K56iVagY")
            },
        );
        let empty_title = "603AA109060760857405080101A60204008A0207808B0760857405080201AC0A80083030303030303033BE10040E01000000065F1F0400207E1F01F4";
        let initiate = hex("01000000065F1F0400207E1F01F4");
        check(
            empty_title,
            Aarq {
                calling_ap_title: Some(&[]),
                user_information: Some(&initiate),
                ..authenticated(AuthenticationMechanism::Lls, b"00000003")
            },
        );
    }

    #[test]
    fn with_ciphering() {
        let ciphered = hex("211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9");
        let text = "6058A109060760857405080103A60A040843545430303030308A0207808B0760857405080205AC0D800BAC93A248C8FC1CA5C20B27BE230421211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9";
        let challenge = hex("AC93A248C8FC1CA5C20B27");
        check(
            text,
            Aarq {
                application_context_name: WITH_CIPHERING,
                calling_ap_title: Some(b"CTT00000"),
                user_information: Some(&ciphered),
                ..authenticated(AuthenticationMechanism::Gmac, &challenge)
            },
        );
        let title = hex("4D4D4D0000BC614E");
        let ciphered = hex(
            "21303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855",
        );
        check(
            "6066A109060760857405080103A60A04084D4D4D0000BC614E8A0207808B0760857405080201AC0A80083132333435363738BE34043221303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855",
            Aarq {
                application_context_name: WITH_CIPHERING,
                calling_ap_title: Some(&title),
                user_information: Some(&ciphered),
                ..authenticated(AuthenticationMechanism::Lls, b"12345678")
            },
        );
    }

    #[test]
    fn what_is_wrong_and_where() {
        let wrong = |text: &str| {
            let error = Aarq::from_octets(&hex(text)).unwrap_err();
            (error.offset, error.kind)
        };
        let field = |found| DecodeErrorKind::UnknownTag { expected: "AARQ field".into(), found };
        assert_eq!(wrong("600FA109060760857405080101C1020700"), (13, field(0xC1)), "an unknown field");
        assert_eq!(wrong("600BA109060760857405080101BE00"), (13, DecodeErrorKind::TrailingOctets(2)));
        assert_eq!(wrong("6015A109060760857405080101A903020105A903020105"), (18, field(0xA9)), "twice");
        assert_eq!(
            wrong("6015A109060760857405080101A903020105A803020105"),
            (18, field(0xA8)),
            "out of order"
        );
        let expected = "application-context-name";
        assert_eq!(
            wrong("6005BE03040101"),
            (2, DecodeErrorKind::UnknownTag { expected: expected.into(), found: 0xBE })
        );
        let expected = "authentication-value";
        assert_eq!(
            wrong("6011A109060760857405080101AC04A2020500"),
            (15, DecodeErrorKind::UnknownTag { expected: expected.into(), found: 0xA2 })
        );
        let bits = hex("6012A109060760857405080101AC05810305AAA0");
        let bits = Aarq::from_octets(&bits).unwrap().authentication_value.unwrap();
        assert!(matches!(bits, AuthenticationValue::Bitstring(bits) if bits.len() == 11));
    }

    proptest! {
        #[test]
        fn any_aarq(
            titles: [Option<Vec<u8>>; 4],
            ids: [Option<i64>; 4],
            oid: Vec<u8>,
            value: Option<Vec<u8>>,
            information: Option<Vec<u8>>,
        ) {
            let [called_title, called_qualifier, title, qualifier] = &titles;
            let aarq = Aarq {
                protocol_version: Some(ProtocolVersion::VERSION_1),
                application_context_name: ApplicationContextName::Other(&oid),
                called_ap_title: called_title.as_deref(),
                called_ae_qualifier: called_qualifier.as_deref(),
                called_ap_invocation_id: ids[0],
                called_ae_invocation_id: ids[1],
                calling_ap_title: title.as_deref(),
                calling_ae_qualifier: qualifier.as_deref(),
                calling_ap_invocation_id: ids[2],
                calling_ae_invocation_id: ids[3],
                sender_acse_requirements: Some(AcseRequirements::AUTHENTICATION),
                mechanism: Some(MechanismName::Other(&oid)),
                authentication_value: value.as_deref().map(AuthenticationValue::Charstring),
                implementation_information: value.as_deref(),
                user_information: information.as_deref(),
            };
            let mut buffer = [0; 2048];
            let mut encoder = Encoder::new(&mut buffer);
            aarq.encode(&mut encoder).unwrap();
            prop_assert_eq!(Aarq::from_octets(encoder.written()), Ok(aarq));
        }

        #[test]
        fn malformed_input(octets in mutated(&[
            "6058A109060760857405080103A60A040843545430303030308A0207808B0760857405080205AC0D800BAC93A248C8FC1CA5C20B27BE230421211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9",
            "602180020780A109060760857405080101BE10040E01000000065F1F0400007E1F04B0",
        ])) {
            if let Err(error) = Aarq::from_octets(&octets) {
                prop_assert!(error.offset <= octets.len());
            }
        }
    }
}
