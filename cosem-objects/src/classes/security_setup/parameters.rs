//! What the methods of Security setup take and give, and the entries of its attribute 6.
//!
//! | type | Data |
//! | --- | --- |
//! | [`KeyData`] | structure { key_id enum, octet-string }: the wrapped key, or the key_data of an agreement |
//! | [`CertificateIdentification`] | structure { enum 0, structure { entity enum, type enum, system_title } }, or structure { enum 1, structure { serial_number, issuer } } |
//! | [`CertificateInfo`] | structure { entity enum, type enum, serial_number, issuer, subject, subject_alt_name } |

use dlms_axdr::{BufferFull, Data, Encode, Encoder, Enum, FromData, TypeMismatch};

use crate::AttributeType;
use crate::macros::enumeration;

enumeration! {
    /// Whose certificate it is.
    CertificateEntity, "certificate-entity" {
        /// The server.
        Server = 0,
        /// A client.
        Client = 1,
        /// A certification authority.
        CertificationAuthority = 2,
        /// Somebody else.
        Other = 3,
    }
}

enumeration! {
    /// What the key of a certificate is for.
    CertificateType, "certificate-type" {
        /// Digital signatures.
        DigitalSignature = 0,
        /// Key agreement.
        KeyAgreement = 1,
        /// Transport layer security.
        Tls = 2,
        /// Something else: the key of a certification authority signs certificates.
        Other = 3,
    }
}

/// One key of key_transfer or key_agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyData<'a> {
    /// Which key: 0 global unicast encryption, 1 global broadcast encryption, 2 authentication, 3 master key.
    pub key_id: u8,
    /// `key_wrapped` or `key_data`.
    pub octets: &'a [u8],
}

/// Which certificate is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateIdentification<'a> {
    /// The certificate of an entity.
    ByEntity {
        /// Whose.
        entity: CertificateEntity,
        /// Which of them.
        certificate_type: CertificateType,
        /// The system title of the entity.
        system_title: &'a [u8],
    },
    /// The certificate with this number of an issuer.
    BySerialNumber {
        /// The serial number: the content octets of the INTEGER, or the whole of it in DER.
        serial_number: &'a [u8],
        /// The issuer's name in DER.
        issuer: &'a [u8],
    },
}

/// An entry of attribute 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateInfo<'a> {
    /// Whose certificate it is.
    pub entity: CertificateEntity,
    /// What its key is for.
    pub certificate_type: CertificateType,
    /// The serial number.
    pub serial_number: &'a [u8],
    /// The issuer's name.
    pub issuer: &'a [u8],
    /// The subject's name.
    pub subject: &'a [u8],
    /// The subject's alternative name; empty if there is none.
    pub subject_alt_name: &'a [u8],
}

impl Encode for KeyData<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (Enum(self.key_id), self.octets).encode(encoder)
    }
}

impl<'a> FromData<'a> for KeyData<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (Enum(key_id), octets) = FromData::from_data(data)?;
        Ok(Self { key_id, octets })
    }
}

impl Encode for CertificateIdentification<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::ByEntity { entity, certificate_type, system_title } => {
                (Enum(0), (entity, certificate_type, system_title)).encode(encoder)
            }
            Self::BySerialNumber { serial_number, issuer } => {
                (Enum(1), (serial_number, issuer)).encode(encoder)
            }
        }
    }
}

impl<'a> FromData<'a> for CertificateIdentification<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (Enum(kind), options): (Enum, Data<'a>) = FromData::from_data(data)?;
        match kind {
            0 => {
                let (entity, certificate_type, system_title) = FromData::from_data(options)?;
                Ok(Self::ByEntity { entity, certificate_type, system_title })
            }
            1 => {
                let (serial_number, issuer) = FromData::from_data(options)?;
                Ok(Self::BySerialNumber { serial_number, issuer })
            }
            _ => Err(TypeMismatch::new("certificate-identification-type")),
        }
    }
}

impl Encode for CertificateInfo<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.structure(6)?;
        encoder.data(&self.entity)?;
        encoder.data(&self.certificate_type)?;
        [self.serial_number, self.issuer, self.subject, self.subject_alt_name]
            .iter()
            .try_for_each(|octets| encoder.data(*octets))
    }
}

impl<'a> FromData<'a> for CertificateInfo<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (entity, certificate_type, serial_number, issuer, subject, subject_alt_name) =
            FromData::from_data(data)?;
        Ok(Self { entity, certificate_type, serial_number, issuer, subject, subject_alt_name })
    }
}

macro_rules! borrowed {
    ($($type:ident),*) => {$(
        impl AttributeType for $type<'_> {
            type Value<'a> = $type<'a>;

            fn decode(data: Data<'_>) -> Result<$type<'_>, TypeMismatch> {
                $type::from_data(data)
            }
        }
    )*};
}

borrowed!(KeyData, CertificateIdentification, CertificateInfo);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use dlms_axdr::Array;

    use super::*;

    fn encoded<const N: usize>(value: &(impl Encode + ?Sized)) -> heapless::Vec<u8, N> {
        let mut buffer = [0; N];
        let mut encoder = Encoder::new(&mut buffer);
        value.encode(&mut encoder).unwrap();
        heapless::Vec::from_slice(encoder.written()).unwrap()
    }

    #[test]
    fn one_wrapped_key() {
        let key = KeyData { key_id: 0, octets: &[0xAB; 24] };
        let octets = encoded::<64>(&Array(&[key]));
        assert_eq!(octets[..8], [0x01, 0x01, 0x02, 0x02, 0x16, 0x00, 0x09, 0x18]);
        assert_eq!(octets.len(), 8 + 24);
        let Data::Array(keys) = Data::from_octets(&octets).unwrap() else { panic!() };
        assert_eq!(keys.values::<KeyData<'_>>().collect::<Result<Vec<_>, _>>().unwrap(), [key]);
    }

    #[test]
    fn identifications() {
        let by_entity = CertificateIdentification::ByEntity {
            entity: CertificateEntity::Client,
            certificate_type: CertificateType::KeyAgreement,
            system_title: b"HES00001",
        };
        let octets = encoded::<64>(&by_entity);
        assert_eq!(octets, *b"\x02\x02\x16\x00\x02\x03\x16\x01\x16\x01\x09\x08HES00001");
        let decoded = CertificateIdentification::from_data(Data::from_octets(&octets).unwrap());
        assert_eq!(decoded, Ok(by_entity));

        let by_number = CertificateIdentification::BySerialNumber { serial_number: &[7], issuer: &[0x30, 0] };
        let octets = encoded::<64>(&by_number);
        assert_eq!(octets, [0x02, 0x02, 0x16, 1, 0x02, 0x02, 0x09, 1, 7, 0x09, 2, 0x30, 0]);
        let decoded = CertificateIdentification::from_data(Data::from_octets(&octets).unwrap());
        assert_eq!(decoded, Ok(by_number));

        let mut unknown = octets;
        unknown[3] = 2;
        assert!(CertificateIdentification::from_data(Data::from_octets(&unknown).unwrap()).is_err());
    }

    #[test]
    fn certificate_info() {
        let info = CertificateInfo {
            entity: CertificateEntity::Server,
            certificate_type: CertificateType::Tls,
            serial_number: &[1],
            issuer: &[2],
            subject: &[3],
            subject_alt_name: &[],
        };
        let octets = encoded::<64>(&info);
        assert_eq!(octets, [2, 6, 0x16, 0, 0x16, 2, 9, 1, 1, 9, 1, 2, 9, 1, 3, 9, 0]);
        assert_eq!(CertificateInfo::from_data(Data::from_octets(&octets).unwrap()), Ok(info));
    }
}
