//! InitiateRequest `01` and InitiateResponse `08`: what is agreed about xDLMS, inside AARQ and AARE.
//!
//! ```text
//! 01 | dedicated-key? | response-allowed? | proposed-quality-of-service? | proposed-dlms-version-number (1)
//!    | proposed-conformance | client-max-receive-pdu-size (2)
//! 08 | negotiated-quality-of-service? | negotiated-dlms-version-number (1)
//!    | negotiated-conformance | server-max-receive-pdu-size (2) | vaa-name (2)
//! ```
//!
//! `?` is a usage octet, then the value. response-allowed is DEFAULT TRUE: `00` means true, `01 00` false.

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};

use super::Conformance;
use super::tag::{INITIATE_REQUEST, INITIATE_RESPONSE, expect};

/// What the client proposes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub struct InitiateRequest<'a> {
    /// A key for this association alone. Only an APDU that is encrypted may carry one.
    pub dedicated_key: Option<&'a [u8]>,
    /// Whether an AARE is wanted; if not, the association is an unconfirmed one.
    pub response_allowed: bool,
    pub proposed_quality_of_service: Option<i8>,
    /// 6 in every edition of the standard.
    pub proposed_dlms_version_number: u8,
    pub proposed_conformance: Conformance,
    /// The longest APDU that the client takes; 0 for no limit.
    pub client_max_receive_pdu_size: u16,
}

/// What the server grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub struct InitiateResponse {
    pub negotiated_quality_of_service: Option<i8>,
    pub negotiated_dlms_version_number: u8,
    pub negotiated_conformance: Conformance,
    /// The longest APDU that the server takes; 0 for no limit.
    pub server_max_receive_pdu_size: u16,
    /// `0007` with logical name referencing; `FA00`, the base name of the association, with short names.
    pub vaa_name: u16,
}

impl<'a> InitiateRequest<'a> {
    /// How long an InitiateRequest with the longest dedicated key (32 octets) is.
    pub const MAX_LENGTH: usize = 1 + (2 + 32) + 2 + 2 + 1 + 7 + 2;

    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an InitiateRequest.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, INITIATE_REQUEST)?;
        Ok(Self {
            dedicated_key: if reader.usage("dedicated-key")? { Some(reader.octet_string()?) } else { None },
            response_allowed: if reader.usage("response-allowed")? { reader.u8()? != 0 } else { true },
            proposed_quality_of_service: decode_quality_of_service(reader)?,
            proposed_dlms_version_number: reader.u8()?,
            proposed_conformance: Conformance::decode(reader)?,
            client_max_receive_pdu_size: reader.u16()?,
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(INITIATE_REQUEST)?;
        encoder.usage(self.dedicated_key.is_some())?;
        self.dedicated_key.map_or(Ok(()), |key| encoder.octet_string(key))?;
        if self.response_allowed { encoder.u8(0x00) } else { encoder.octets(&[0x01, 0x00]) }?;
        encode_quality_of_service(encoder, self.proposed_quality_of_service)?;
        encoder.u8(self.proposed_dlms_version_number)?;
        self.proposed_conformance.encode(encoder)?;
        encoder.u16(self.client_max_receive_pdu_size)
    }
}

/// Does not show the key.
impl core::fmt::Debug for InitiateRequest<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("InitiateRequest")
            .field("dedicated_key", &self.dedicated_key.map(|_| "…"))
            .field("response_allowed", &self.response_allowed)
            .field("proposed_quality_of_service", &self.proposed_quality_of_service)
            .field("proposed_dlms_version_number", &self.proposed_dlms_version_number)
            .field("proposed_conformance", &self.proposed_conformance)
            .field("client_max_receive_pdu_size", &self.client_max_receive_pdu_size)
            .finish()
    }
}

impl InitiateResponse {
    /// How long an InitiateResponse is at most.
    pub const MAX_LENGTH: usize = 1 + 2 + 1 + 7 + 2 + 2;

    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an InitiateResponse.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        expect(reader, INITIATE_RESPONSE)?;
        Ok(Self {
            negotiated_quality_of_service: decode_quality_of_service(reader)?,
            negotiated_dlms_version_number: reader.u8()?,
            negotiated_conformance: Conformance::decode(reader)?,
            server_max_receive_pdu_size: reader.u16()?,
            vaa_name: reader.u16()?,
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(INITIATE_RESPONSE)?;
        encode_quality_of_service(encoder, self.negotiated_quality_of_service)?;
        encoder.u8(self.negotiated_dlms_version_number)?;
        self.negotiated_conformance.encode(encoder)?;
        encoder.u16(self.server_max_receive_pdu_size)?;
        encoder.u16(self.vaa_name)
    }
}

fn decode_quality_of_service(reader: &mut Reader<'_>) -> Result<Option<i8>, DecodeError> {
    if reader.usage("quality-of-service")? {
        reader.array().map(i8::from_be_bytes).map(Some)
    } else {
        Ok(None)
    }
}

fn encode_quality_of_service(encoder: &mut Encoder<'_>, value: Option<i8>) -> Result<(), BufferFull> {
    encoder.usage(value.is_some())?;
    value.map_or(Ok(()), |value| encoder.octets(&value.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::testing::{decode, hex, never_panics, round_trip};
    use super::*;

    const REQUEST: InitiateRequest<'static> = InitiateRequest {
        dedicated_key: None,
        response_allowed: true,
        proposed_quality_of_service: None,
        proposed_dlms_version_number: 6,
        proposed_conformance: Conformance::from_octets([0x00, 0x7E, 0x1F]),
        client_max_receive_pdu_size: 1200,
    };
    const RESPONSE: InitiateResponse = InitiateResponse {
        negotiated_quality_of_service: None,
        negotiated_dlms_version_number: 6,
        negotiated_conformance: Conformance::from_octets([0x00, 0x50, 0x1F]),
        server_max_receive_pdu_size: 500,
        vaa_name: 0x0007,
    };

    #[test]
    fn requests() {
        let key = hex("00112233445566778899AABBCCDDEEFF");
        for (octets, request) in [
            ("01000000065F1F0400007E1F04B0", REQUEST),
            (
                "01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0",
                InitiateRequest { dedicated_key: Some(&key), ..REQUEST },
            ),
            ("0100010000065F1F0400007E1F04B0", InitiateRequest { response_allowed: false, ..REQUEST }),
            (
                "0100000105065F1F0400007E1F04B0",
                InitiateRequest { proposed_quality_of_service: Some(5), ..REQUEST },
            ),
        ] {
            round_trip!(InitiateRequest, octets, request);
        }
        let explicit_default = hex("0100010100065F1F0400007E1F04B0");
        assert_eq!(decode(&explicit_default, InitiateRequest::decode).unwrap(), REQUEST);
        let one_octet_tag = hex("01000000065F0400007E1F04B0");
        assert_eq!(decode(&one_octet_tag, InitiateRequest::decode).unwrap(), REQUEST);
    }

    #[test]
    fn responses() {
        for (octets, response) in [
            ("0800065F1F040000501F01F40007", RESPONSE),
            (
                "080100065F1F0400001E1D04C80007",
                InitiateResponse {
                    negotiated_quality_of_service: Some(0),
                    negotiated_conformance: Conformance::from_octets([0x00, 0x1E, 0x1D]),
                    server_max_receive_pdu_size: 1224,
                    ..RESPONSE
                },
            ),
            (
                "0800065F1F04001C03200960FA00",
                InitiateResponse {
                    negotiated_conformance: Conformance::from_octets([0x1C, 0x03, 0x20]),
                    server_max_receive_pdu_size: 2400,
                    vaa_name: 0xFA00,
                    ..RESPONSE
                },
            ),
        ] {
            round_trip!(InitiateResponse, octets, response);
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        let request = InitiateRequest { dedicated_key: Some(&[0xA5; 16]), ..REQUEST };
        assert!(!format!("{request:?}").contains("165"));
    }

    proptest! {
        #[test]
        fn any_request(
            dedicated_key: Option<[u8; 16]>,
            response_allowed: bool,
            proposed_quality_of_service: Option<i8>,
            proposed_dlms_version_number: u8,
            bits in 0u32..0x100_0000,
            client_max_receive_pdu_size: u16,
        ) {
            let request = InitiateRequest {
                dedicated_key: dedicated_key.as_ref().map(|key| &key[..]),
                response_allowed,
                proposed_quality_of_service,
                proposed_dlms_version_number,
                proposed_conformance: Conformance::from_bits_retain(bits),
                client_max_receive_pdu_size,
            };
            let mut buffer = [0; InitiateRequest::MAX_LENGTH];
            let mut encoder = Encoder::new(&mut buffer);
            request.encode(&mut encoder).unwrap();
            prop_assert_eq!(decode(encoder.written(), InitiateRequest::decode).unwrap(), request);
        }

        #[test]
        fn malformed_input(octets in super::super::testing::mutated(&[
            "01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0",
            "080100065F1F0400001E1D04C80007",
        ])) {
            never_panics(&octets, InitiateRequest::decode);
            never_panics(&octets, InitiateResponse::decode);
        }
    }
}
