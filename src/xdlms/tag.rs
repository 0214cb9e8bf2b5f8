//! The tags of the APDUs: the CHOICE octet that each begins with.
//!
//! A plain APDU has a ciphered form under the global key (`glo-`) and one under the dedicated key (`ded-`): see
//! [`ServiceCiphering`](super::ServiceCiphering).

use dlms_axdr::{DecodeError, DecodeErrorKind, Reader};

macro_rules! tags {
    ($($name:ident = $tag:literal, $text:literal;)*) => {
        $(
            #[doc = concat!("The tag of ", $text, ".")]
            pub const $name: u8 = $tag;
        )*

        /// The standard's name of the APDU with this tag; the ciphered forms are named after the plain one by
        /// [`ServiceCiphering`](super::ServiceCiphering).
        pub const fn apdu_name(tag: u8) -> Option<&'static str> {
            match tag {
                $($tag => Some($text),)*
                _ => None,
            }
        }
    };
}

tags! {
    INITIATE_REQUEST = 0x01, "initiate-request";
    READ_REQUEST = 0x05, "read-request";
    WRITE_REQUEST = 0x06, "write-request";
    INITIATE_RESPONSE = 0x08, "initiate-response";
    READ_RESPONSE = 0x0C, "read-response";
    WRITE_RESPONSE = 0x0D, "write-response";
    CONFIRMED_SERVICE_ERROR = 0x0E, "confirmed-service-error";
    DATA_NOTIFICATION = 0x0F, "data-notification";
    DATA_NOTIFICATION_CONFIRM = 0x10, "data-notification-confirm";
    UNCONFIRMED_WRITE_REQUEST = 0x16, "unconfirmed-write-request";
    INFORMATION_REPORT = 0x18, "information-report-request";
    GET_REQUEST = 0xC0, "get-request";
    SET_REQUEST = 0xC1, "set-request";
    EVENT_NOTIFICATION = 0xC2, "event-notification-request";
    ACTION_REQUEST = 0xC3, "action-request";
    GET_RESPONSE = 0xC4, "get-response";
    SET_RESPONSE = 0xC5, "set-response";
    ACTION_RESPONSE = 0xC7, "action-response";
    EXCEPTION_RESPONSE = 0xD8, "exception-response";
    ACCESS_REQUEST = 0xD9, "access-request";
    ACCESS_RESPONSE = 0xDA, "access-response";
    GENERAL_GLO_CIPHERING = 0xDB, "general-glo-ciphering";
    GENERAL_DED_CIPHERING = 0xDC, "general-ded-ciphering";
    GENERAL_CIPHERING = 0xDD, "general-ciphering";
    GENERAL_SIGNING = 0xDF, "general-signing";
    GENERAL_BLOCK_TRANSFER = 0xE0, "general-block-transfer";
    GATEWAY_REQUEST = 0xE6, "gateway-request";
    GATEWAY_RESPONSE = 0xE7, "gateway-response";
}

/// Reads the tag of an APDU.
pub(super) fn expect(reader: &mut Reader<'_>, tag: u8) -> Result<(), DecodeError> {
    let start = reader.clone();
    match reader.u8()? {
        found if found == tag => Ok(()),
        found => {
            let expected = apdu_name(tag).unwrap_or("APDU");
            Err(start.error(DecodeErrorKind::UnknownTag { expected: expected.into(), found }))
        }
    }
}

/// An error at `choice`, whose octet is none of the choices of `expected`.
pub(super) fn unknown(choice: &Reader<'_>, expected: &'static str, found: u8) -> DecodeError {
    choice.error(DecodeErrorKind::UnknownTag { expected: expected.into(), found })
}
