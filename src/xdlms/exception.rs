//! ExceptionResponse, tag `D8`: a request that could not be handled as one of its service (IEC 62056-5-3).
//!
//! ```text
//! D8 | state-error (1) | service-error (1) | invocation-counter (4), of service-error 6 only
//! ```
//!
//! It has no invoke-id, and is never protected by the service-specific ciphered forms: anybody may have sent it. Old
//! peers send service-error 6 without the counter.

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};

use super::tag::{EXCEPTION_RESPONSE, expect, unknown};

/// The answer to a request that could not be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ExceptionResponse {
    /// What the state of the association has to do with it.
    pub state_error: StateError,
    /// What is wrong with the service.
    pub service_error: ServiceError,
}

/// `state-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StateError {
    /// 1: the service exists, but not in this state, or it was not negotiated.
    ServiceNotAllowed,
    /// 2: the service does not exist.
    ServiceUnknown,
}

/// `service-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServiceError {
    /// 1.
    OperationNotPossible,
    /// 2.
    ServiceNotSupported,
    /// 3.
    OtherReason,
    /// 4.
    PduTooLong,
    /// 5: the request could not be opened.
    DecipheringError,
    /// 6: the invocation counter is too low; with the counter that is, according to the peer, the last one accepted or
    /// the next one expected.
    InvocationCounterError(Option<u32>),
}

impl ExceptionResponse {
    /// How long an ExceptionResponse is at most.
    pub const MAX_LENGTH: usize = 7;

    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an ExceptionResponse, or one of its numbers is not defined.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        expect(reader, EXCEPTION_RESPONSE)?;
        let choice = reader.clone();
        let state_error = match reader.u8()? {
            1 => StateError::ServiceNotAllowed,
            2 => StateError::ServiceUnknown,
            found => return Err(unknown(&choice, "state-error", found)),
        };
        let choice = reader.clone();
        let service_error = match reader.u8()? {
            1 => ServiceError::OperationNotPossible,
            2 => ServiceError::ServiceNotSupported,
            3 => ServiceError::OtherReason,
            4 => ServiceError::PduTooLong,
            5 => ServiceError::DecipheringError,
            6 if reader.is_empty() => ServiceError::InvocationCounterError(None),
            6 => ServiceError::InvocationCounterError(Some(reader.u32()?)),
            found => return Err(unknown(&choice, "service-error", found)),
        };
        Ok(Self { state_error, service_error })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.octets(&[EXCEPTION_RESPONSE, self.state_error.code(), self.service_error.code()])?;
        match self.service_error {
            ServiceError::InvocationCounterError(Some(counter)) => encoder.u32(counter),
            _ => Ok(()),
        }
    }
}

impl StateError {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::ServiceNotAllowed => 1,
            Self::ServiceUnknown => 2,
        }
    }
}

impl ServiceError {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::OperationNotPossible => 1,
            Self::ServiceNotSupported => 2,
            Self::OtherReason => 3,
            Self::PduTooLong => 4,
            Self::DecipheringError => 5,
            Self::InvocationCounterError(_) => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_axdr::DecodeErrorKind;
    use proptest::prelude::*;

    use super::super::testing::{decode, hex, mutated, never_panics, round_trip};
    use super::*;

    #[test]
    fn exceptions() {
        use ServiceError::*;
        use StateError::*;
        for (octets, state_error, service_error) in [
            ("D80101", ServiceNotAllowed, OperationNotPossible),
            ("D80102", ServiceNotAllowed, ServiceNotSupported),
            ("D80103", ServiceNotAllowed, OtherReason),
            ("D80202", ServiceUnknown, ServiceNotSupported),
            ("D80104", ServiceNotAllowed, PduTooLong),
            ("D80105", ServiceNotAllowed, DecipheringError),
            ("D80106", ServiceNotAllowed, InvocationCounterError(None)),
        ] {
            round_trip!(ExceptionResponse, octets, ExceptionResponse { state_error, service_error });
        }
        let octets = hex("D8010600000005");
        let expected = ExceptionResponse {
            state_error: ServiceNotAllowed,
            service_error: InvocationCounterError(Some(5)),
        };
        assert_eq!(decode(&octets, ExceptionResponse::decode), Ok(expected));
        let mut buffer = [0; ExceptionResponse::MAX_LENGTH];
        let mut encoder = Encoder::new(&mut buffer);
        expected.encode(&mut encoder).unwrap();
        assert_eq!(encoder.written(), octets);
        assert!(decode(&octets[..6], ExceptionResponse::decode).is_err());
    }

    #[test]
    fn unknown_numbers_are_refused() {
        let error = decode(&[0xD8, 3, 1], ExceptionResponse::decode).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "state-error".into(), found: 3 };
        assert_eq!((error.offset, error.kind), (1, kind));
        let error = decode(&[0xD8, 1, 7], ExceptionResponse::decode).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "service-error".into(), found: 7 };
        assert_eq!((error.offset, error.kind), (2, kind));
    }

    proptest! {
        #[test]
        fn malformed_input(octets in mutated(&["D8010600000005"])) {
            never_panics(&octets, ExceptionResponse::decode);
        }
    }
}
