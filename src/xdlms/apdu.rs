//! Any APDU: the CHOICE `COSEMpdu` (IEC 62056-5-3), which the first octet decides.

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};

use super::tag::{self, unknown};
use super::{
    AccessRequest, AccessResponse, ActionRequest, ActionResponse, ConfirmedServiceError, DataNotification,
    DataNotificationConfirm, EventNotification, ExceptionResponse, Gateway, GeneralBlockTransfer,
    GeneralCiphering, GeneralCipheringWithTitle, GeneralSigning, GetRequest, GetResponse, InformationReport,
    InitiateRequest, InitiateResponse, ReadRequest, ReadResponse, ServiceCiphering, SetRequest, SetResponse,
    UnconfirmedWriteRequest, WriteRequest, WriteResponse,
};
use crate::acse::{self, Aare, Aarq, ReleaseRequest, ReleaseResponse};

macro_rules! apdus {
    ($($pattern:pat => $variant:ident($type:ty),)*) => {
        /// Any APDU.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is the APDU of its type")]
        #[allow(clippy::large_enum_variant, reason = "made once and looked at; nothing is boxed without an allocator")]
        pub enum Apdu<'a> {
            Aarq(Aarq<'a>),
            Aare(Aare<'a>),
            ReleaseRequest(ReleaseRequest<'a>),
            ReleaseResponse(ReleaseResponse<'a>),
            $($variant($type),)*
        }

        impl<'a> Apdu<'a> {
            /// Reads an APDU that takes all of `octets`.
            ///
            /// # Errors
            /// The tag is unknown, or the octets are not one APDU of it.
            pub fn from_octets(octets: &'a [u8]) -> Result<Self, DecodeError> {
                let mut reader = Reader::new(octets);
                let choice = reader.clone();
                let apdu = match choice.clone().u8()? {
                    acse::AARQ => return Aarq::from_octets(octets).map(Self::Aarq),
                    acse::AARE => return Aare::from_octets(octets).map(Self::Aare),
                    acse::RLRQ => return ReleaseRequest::from_octets(octets).map(Self::ReleaseRequest),
                    acse::RLRE => return ReleaseResponse::from_octets(octets).map(Self::ReleaseResponse),
                    $($pattern => Self::$variant(<$type>::decode(&mut reader)?),)*
                    tag if ServiceCiphering::service_of(tag).is_some() => {
                        Self::ServiceCiphering(ServiceCiphering::decode(&mut reader)?)
                    }
                    found => return Err(unknown(&choice, "APDU", found)),
                };
                reader.finish()?;
                Ok(apdu)
            }

            /// Writes the APDU.
            ///
            /// # Errors
            /// The buffer has no room left.
            pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
                match self {
                    Self::Aarq(apdu) => apdu.encode(encoder),
                    Self::Aare(apdu) => apdu.encode(encoder),
                    Self::ReleaseRequest(apdu) => apdu.encode(encoder),
                    Self::ReleaseResponse(apdu) => apdu.encode(encoder),
                    $(Self::$variant(apdu) => apdu.encode(encoder),)*
                }
            }
        }
    };
}

apdus! {
    tag::INITIATE_REQUEST => InitiateRequest(InitiateRequest<'a>),
    tag::INITIATE_RESPONSE => InitiateResponse(InitiateResponse),
    tag::CONFIRMED_SERVICE_ERROR => ConfirmedServiceError(ConfirmedServiceError),
    tag::GET_REQUEST => GetRequest(GetRequest<'a>),
    tag::GET_RESPONSE => GetResponse(GetResponse<'a>),
    tag::SET_REQUEST => SetRequest(SetRequest<'a>),
    tag::SET_RESPONSE => SetResponse(SetResponse<'a>),
    tag::ACTION_REQUEST => ActionRequest(ActionRequest<'a>),
    tag::ACTION_RESPONSE => ActionResponse(ActionResponse<'a>),
    tag::ACCESS_REQUEST => AccessRequest(AccessRequest<'a>),
    tag::ACCESS_RESPONSE => AccessResponse(AccessResponse<'a>),
    tag::EXCEPTION_RESPONSE => ExceptionResponse(ExceptionResponse),
    tag::EVENT_NOTIFICATION => EventNotification(EventNotification<'a>),
    tag::DATA_NOTIFICATION => DataNotification(DataNotification<'a>),
    tag::DATA_NOTIFICATION_CONFIRM => DataNotificationConfirm(DataNotificationConfirm),
    tag::READ_REQUEST => ReadRequest(ReadRequest<'a>),
    tag::READ_RESPONSE => ReadResponse(ReadResponse<'a>),
    tag::WRITE_REQUEST => WriteRequest(WriteRequest<'a>),
    tag::WRITE_RESPONSE => WriteResponse(WriteResponse<'a>),
    tag::UNCONFIRMED_WRITE_REQUEST => UnconfirmedWriteRequest(UnconfirmedWriteRequest<'a>),
    tag::INFORMATION_REPORT => InformationReport(InformationReport<'a>),
    tag::GENERAL_GLO_CIPHERING | tag::GENERAL_DED_CIPHERING => GeneralCipheringWithTitle(GeneralCipheringWithTitle<'a>),
    tag::GENERAL_CIPHERING => GeneralCiphering(GeneralCiphering<'a>),
    tag::GENERAL_SIGNING => GeneralSigning(GeneralSigning<'a>),
    tag::GENERAL_BLOCK_TRANSFER => GeneralBlockTransfer(GeneralBlockTransfer<'a>),
    tag::GATEWAY_REQUEST | tag::GATEWAY_RESPONSE => Gateway(Gateway<'a>),
    SERVICE_CIPHERING => ServiceCiphering(ServiceCiphering<'a>),
}

/// Stands for the many tags of service-specific ciphering; itself `glo-initiate-request`.
const SERVICE_CIPHERING: u8 = 0x21;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_axdr::DecodeErrorKind;
    use proptest::prelude::*;

    use super::super::testing::{hex, mutated};
    use super::*;

    const ONE_OF_EACH: &[&str] = &[
        "601DA109060760857405080101BE10040E01000000065F1F0400007E1F04B0",
        "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007",
        "6203800100",
        "6303800100",
        "01000000065F1F0400007E1F04B0",
        "0800065F1F040000501F01F40007",
        "0E010601",
        "C001C1000100002B0100FF0200",
        "C401C1000600001391",
        "C101C1001200002C0000FF05000301",
        "C501C100",
        "C301C1000F0000280000FF0100",
        "C701C10000",
        "D9400000010001030046000060030AFF02010F00",
        "DA4000000100000100010104",
        "D80101",
        "C20000030100010800FF020600001391",
        "0F0000000100020209060000190900FF0600001391",
        "100000000100",
        "050102FA00",
        "0C010104",
        "0601070000010109050102640801",
        "0D0100",
        "1601026408010600000001",
        "180001026408010600001391",
        "DB0849435530303030302A3026ECF3E1E385CBA72F04AF871CE9C0760AC57172D7F69120791D8FC5E0A2C5E74BB43B53D2E1560671",
        "DD080123456789ABCDEF08435454303030303008494355303030303000000100001E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B",
        "DF080123456789ABCDEF08435454303030303008494355303030303000000DC001C1000100002B0100FF020004DEADBEEF",
        "E081000100000DC001C1000100002B0100FF0200",
        "E60002AABBC001C1000100002B0100FF0200",
        "D01E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B",
        "211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9",
    ];

    #[test]
    fn one_of_each_there_and_back() {
        let mut kinds = Vec::new();
        for text in ONE_OF_EACH {
            let octets = hex(text);
            let apdu = Apdu::from_octets(&octets).unwrap();
            kinds.push(format!("{apdu:?}").split('(').next().map(str::to_owned));
            let mut buffer = [0; 128];
            let mut encoder = Encoder::new(&mut buffer);
            apdu.encode(&mut encoder).unwrap();
            assert_eq!(encoder.written(), octets, "{text}");
        }
        kinds.dedup();
        assert_eq!(kinds.len(), 31, "every variant, and two ciphered services");
    }

    #[test]
    fn unknown_tags_are_refused() {
        for tag in [0x00, 0x02, 0x30, 0xC6, 0xCE, 0xD6, 0xDE, 0xFF] {
            let error = Apdu::from_octets(&[tag, 0, 0]).unwrap_err();
            let kind = DecodeErrorKind::UnknownTag { expected: "APDU".into(), found: tag };
            assert_eq!((error.offset, error.kind), (0, kind));
        }
        assert!(Apdu::from_octets(&[]).is_err());
    }

    proptest! {
        /// What decodes, in whatever way it was written, encodes to octets that mean the same.
        #[test]
        fn decoding_is_stable(octets in mutated(ONE_OF_EACH)) {
            match Apdu::from_octets(&octets) {
                Err(error) => prop_assert!(error.offset <= octets.len()),
                Ok(apdu) => {
                    let mut buffer = [0; 1024];
                    let mut encoder = Encoder::new(&mut buffer);
                    apdu.encode(&mut encoder).unwrap();
                    let again = Apdu::from_octets(encoder.written()).unwrap();
                    // Not compared as values: NaN is not equal to itself.
                    prop_assert_eq!(format!("{apdu:?}"), format!("{again:?}"));
                }
            }
        }
    }
}
