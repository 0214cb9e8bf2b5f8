//! ConfirmedServiceError, tag `0E`: a service that failed as a whole (IEC 62056-5-3; IEC 61334-4-41).
//!
//! ```text
//! 0E | service (1) | error group (1) | error (1)
//! ```
//!
//! It rejects an InitiateRequest inside an AARE, and with short names a read or a write. Some servers also send it where
//! there is no association.

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};

use super::tag::{CONFIRMED_SERVICE_ERROR, expect, unknown};

/// The answer to a service that failed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConfirmedServiceError {
    /// Which service failed: 1 initiate, 5 read, 6 write; up to 19 in IEC 61334-4-41.
    pub service: u8,
    /// Why.
    pub error: ServiceErrorGroup,
}

/// `ServiceError`, a CHOICE of enumerations. The values are those of the standard; only those of initiate have names
/// here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the standard")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServiceErrorGroup {
    ApplicationReference(u8),
    HardwareResource(u8),
    VdeStateError(u8),
    Service(u8),
    Definition(u8),
    Access(u8),
    Initiate(InitiateError),
    LoadDataSet(u8),
    Task(u8),
}

/// Why an InitiateRequest was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the standard")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum InitiateError {
    Other,
    DlmsVersionTooLow,
    IncompatibleConformance,
    PduSizeTooShort,
    RefusedByTheVdeHandler,
    /// A number that the standard does not define.
    Unknown(u8),
}

impl ConfirmedServiceError {
    /// How long the APDU is.
    pub const LENGTH: usize = 4;
    /// `service` of InitiateRequest.
    pub const INITIATE: u8 = 1;
    /// `service` of ReadRequest.
    pub const READ: u8 = 5;
    /// `service` of WriteRequest.
    pub const WRITE: u8 = 6;

    /// The rejection of an InitiateRequest.
    pub const fn initiate(error: InitiateError) -> Self {
        Self { service: Self::INITIATE, error: ServiceErrorGroup::Initiate(error) }
    }

    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a ConfirmedServiceError, or the service or the group is not defined.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        expect(reader, CONFIRMED_SERVICE_ERROR)?;
        let choice = reader.clone();
        let service = reader.u8()?;
        if !matches!(service, 1..=19) {
            return Err(unknown(&choice, "ConfirmedServiceError", service));
        }
        let choice = reader.clone();
        let group = reader.u8()?;
        let error = match (group, reader.u8()?) {
            (0, error) => ServiceErrorGroup::ApplicationReference(error),
            (1, error) => ServiceErrorGroup::HardwareResource(error),
            (2, error) => ServiceErrorGroup::VdeStateError(error),
            (3, error) => ServiceErrorGroup::Service(error),
            (4, error) => ServiceErrorGroup::Definition(error),
            (5, error) => ServiceErrorGroup::Access(error),
            (6, error) => ServiceErrorGroup::Initiate(InitiateError::from_code(error)),
            (7, error) => ServiceErrorGroup::LoadDataSet(error),
            (9, error) => ServiceErrorGroup::Task(error),
            (found, _) => return Err(unknown(&choice, "ServiceError", found)),
        };
        Ok(Self { service, error })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let (group, error) = self.error.codes();
        encoder.octets(&[CONFIRMED_SERVICE_ERROR, self.service, group, error])
    }
}

impl ServiceErrorGroup {
    /// The numbers on the wire: the group, and the error in it.
    pub const fn codes(self) -> (u8, u8) {
        match self {
            Self::ApplicationReference(error) => (0, error),
            Self::HardwareResource(error) => (1, error),
            Self::VdeStateError(error) => (2, error),
            Self::Service(error) => (3, error),
            Self::Definition(error) => (4, error),
            Self::Access(error) => (5, error),
            Self::Initiate(error) => (6, error.code()),
            Self::LoadDataSet(error) => (7, error),
            Self::Task(error) => (9, error),
        }
    }
}

impl InitiateError {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Other => 0,
            Self::DlmsVersionTooLow => 1,
            Self::IncompatibleConformance => 2,
            Self::PduSizeTooShort => 3,
            Self::RefusedByTheVdeHandler => 4,
            Self::Unknown(code) => code,
        }
    }

    /// The error with this number.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Other,
            1 => Self::DlmsVersionTooLow,
            2 => Self::IncompatibleConformance,
            3 => Self::PduSizeTooShort,
            4 => Self::RefusedByTheVdeHandler,
            code => Self::Unknown(code),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_axdr::DecodeErrorKind;
    use proptest::prelude::*;

    use super::super::testing::{decode, mutated, never_panics, round_trip};
    use super::*;

    #[test]
    fn errors() {
        use ConfirmedServiceError as Error;
        round_trip!(Error, "0E010601", Error::initiate(InitiateError::DlmsVersionTooLow));
        round_trip!(Error, "0E010602", Error::initiate(InitiateError::IncompatibleConformance));
        round_trip!(Error, "0E010603", Error::initiate(InitiateError::PduSizeTooShort));
        round_trip!(Error, "0E010302", Error { service: 1, error: ServiceErrorGroup::Service(2) });
        round_trip!(Error, "0E050501", Error { service: 5, error: ServiceErrorGroup::Access(1) });
        let error = decode(&[0x0E, 1, 8, 0], Error::decode).unwrap_err();
        let kind = DecodeErrorKind::UnknownTag { expected: "ServiceError".into(), found: 8 };
        assert_eq!((error.offset, error.kind), (2, kind));
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_back(octets: [u8; 3]) {
            let octets = [0x0E, octets[0], octets[1], octets[2]];
            if let Ok(error) = decode(&octets, ConfirmedServiceError::decode) {
                let mut buffer = [0; ConfirmedServiceError::LENGTH];
                let mut encoder = Encoder::new(&mut buffer);
                error.encode(&mut encoder).unwrap();
                prop_assert_eq!(encoder.written(), octets);
            }
        }

        #[test]
        fn malformed_input(octets in mutated(&["0E010601"])) {
            never_panics(&octets, ConfirmedServiceError::decode);
        }
    }
}
