//! Issuing certificates: what a certification authority does.

use der::asn1::ObjectIdentifier;
use sha1::{Digest as _, Sha1};

use super::name::COMMON_NAME;
use super::request::{write_attribute, write_title};
use super::write::{self, BIT_STRING, BOOLEAN, CONTEXT, INTEGER, OCTET_STRING, SEQUENCE, Writer};
use super::{Certificate, CertificateFault, CertificateType, Validity};
use crate::{Curve, KeyUsage, PrivateKey, PublicKey, PublicKeyProvider, SecurityError, SystemTitle};

const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
const HARDWARE_MODULE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.4");

/// Whose certificate is issued, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'s> {
    /// A party by its system title, as the common name.
    Party(SystemTitle, KeyUsage),
    /// A party by its system title, in subjectAltName, with an empty subject. `hardware_type` names the kind of device.
    Hardware {
        /// The title.
        title: SystemTitle,
        /// What the key is for.
        usage: KeyUsage,
        /// hwType of hardwareModuleName.
        hardware_type: ObjectIdentifier,
    },
    /// A certification authority.
    Authority {
        /// O, where it is not empty.
        organization: &'s str,
        /// CN.
        common_name: &'s str,
        /// How many authorities may stand between this one and an end entity.
        path_length: Option<u8>,
    },
}

/// What is to be certified.
#[derive(Clone, Copy, Debug)]
pub struct NewCertificate<'s> {
    /// The number, unique under this issuer: big-endian, positive, at most 20 octets.
    pub serial_number: &'s [u8],
    /// From when until when.
    pub validity: Validity,
    /// Whose and for what.
    pub subject: Subject<'s>,
    /// The key to certify.
    pub public_key: PublicKey,
}

impl NewCertificate<'_> {
    /// Writes into `buffer` the certificate, issued by `issuer` whose private key is `key`; a root certificate, whose
    /// issuer is itself, without one. 1024 octets are enough unless names are long.
    ///
    /// # Errors
    /// [`SecurityError::InvalidKey`] if `key` is not the issuer's; [`SecurityError::Certificate`] if what results broke
    /// the profile: a P-384 key under a P-256 issuer, an issuer that is no authority, a serial number of 0;
    /// [`SecurityError::BufferTooSmall`], and those of the provider.
    pub fn issue<'b>(
        &self,
        provider: &dyn PublicKeyProvider,
        issuer: Option<&Certificate<'_>>,
        key: &PrivateKey,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], SecurityError> {
        let issuer_key = issuer.map_or(&self.public_key, Certificate::public_key);
        if provider.public_key(key)? != *issuer_key {
            return Err(SecurityError::InvalidKey);
        }
        if issuer.is_some_and(|issuer| !issuer.is_authority()) {
            return Err(CertificateFault::UnknownIssuer.at(0).into());
        }
        if self.public_key.curve() == Curve::P384 && key.curve() == Curve::P256 {
            return Err(CertificateFault::WeakerIssuer.at(0).into());
        }
        let computed = key_identifier(issuer_key);
        let authority_key_id = issuer.and_then(Certificate::subject_key_id).unwrap_or(&computed);
        let contents = |writer: &mut Writer<'_>| {
            writer.wrap(SEQUENCE, |writer| {
                writer.wrap(CONTEXT | 3, |writer| {
                    writer.wrap(SEQUENCE, |writer| self.write_extensions(writer, authority_key_id));
                });
                writer.public_key(&self.public_key);
                self.subject.write_name(writer);
                writer.validity(&self.validity);
                match issuer {
                    Some(issuer) => writer.raw(issuer.subject().der()),
                    None => self.subject.write_name(writer),
                }
                writer.signature_algorithm(key.curve());
                writer.positive(self.serial_number);
                writer.wrap(CONTEXT, |writer| writer.element(INTEGER, &[2]));
            });
        };
        let der = write::signed(buffer, key.curve(), contents, |signed| provider.sign(key, &[signed]))?;
        // What was written is read as anybody will: nothing leaves that breaks the profile.
        Certificate::from_der_within(der, der.len())?;
        Ok(der)
    }

    fn write_extensions(&self, writer: &mut Writer<'_>, authority_key_id: &[u8]) {
        let kind = self.subject.certificate_type();
        if let Subject::Hardware { title, hardware_type, .. } = self.subject {
            write_extension(writer, SUBJECT_ALTERNATIVE_NAME, true, |writer| {
                writer.wrap(SEQUENCE, |writer| write_hardware_module_name(writer, title, hardware_type));
            });
        }
        if let Subject::Authority { path_length, .. } = self.subject {
            write_extension(writer, BASIC_CONSTRAINTS, true, |writer| {
                writer.wrap(SEQUENCE, |writer| {
                    if let Some(path_length) = path_length {
                        writer.positive(&[path_length]);
                    }
                    writer.element(BOOLEAN, &[0xFF]);
                });
            });
        }
        if kind == CertificateType::Tls {
            write_extension(writer, EXTENDED_KEY_USAGE, false, |writer| {
                writer.wrap(SEQUENCE, |writer| {
                    writer.object_identifier(CLIENT_AUTH);
                    writer.object_identifier(SERVER_AUTH);
                });
            });
        }
        if matches!(kind, CertificateType::Tls | CertificateType::Other) {
            write_extension(writer, CERTIFICATE_POLICIES, false, |writer| {
                writer.wrap(SEQUENCE, |writer| {
                    writer.wrap(SEQUENCE, |writer| writer.object_identifier(ANY_POLICY));
                });
            });
        }
        write_extension(writer, KEY_USAGE, true, |writer| {
            let bits: [u8; 2] = match kind {
                CertificateType::DigitalSignature => [7, 0x80],
                CertificateType::KeyAgreement => [3, 0x08],
                CertificateType::Tls => [3, 0x88],
                CertificateType::Other => [1, 0x06],
            };
            writer.element(BIT_STRING, &bits);
        });
        write_extension(writer, SUBJECT_KEY_IDENTIFIER, false, |writer| {
            writer.element(OCTET_STRING, &key_identifier(&self.public_key));
        });
        write_extension(writer, AUTHORITY_KEY_IDENTIFIER, false, |writer| {
            writer.wrap(SEQUENCE, |writer| writer.element(0x80, authority_key_id));
        });
    }
}

impl Subject<'_> {
    fn certificate_type(&self) -> CertificateType {
        match self {
            Self::Party(_, usage) | Self::Hardware { usage, .. } => (*usage).into(),
            Self::Authority { .. } => CertificateType::Other,
        }
    }

    fn write_name(&self, writer: &mut Writer<'_>) {
        match *self {
            Self::Party(title, _) => write_title(writer, title),
            Self::Hardware { .. } => writer.element(SEQUENCE, &[]),
            Self::Authority { organization, common_name, .. } => writer.wrap(SEQUENCE, |writer| {
                write_attribute(writer, COMMON_NAME, common_name.as_bytes());
                if !organization.is_empty() {
                    write_attribute(writer, ORGANIZATION, organization.as_bytes());
                }
            }),
        }
    }
}

fn write_extension(
    writer: &mut Writer<'_>,
    kind: ObjectIdentifier,
    is_critical: bool,
    contents: impl FnOnce(&mut Writer<'_>),
) {
    writer.wrap(SEQUENCE, |writer| {
        writer.wrap(OCTET_STRING, contents);
        if is_critical {
            writer.element(BOOLEAN, &[0xFF]);
        }
        writer.object_identifier(kind);
    });
}

fn write_hardware_module_name(writer: &mut Writer<'_>, title: SystemTitle, hardware_type: ObjectIdentifier) {
    writer.wrap(CONTEXT, |writer| {
        writer.wrap(CONTEXT, |writer| {
            writer.wrap(SEQUENCE, |writer| {
                writer.element(OCTET_STRING, title.octets());
                writer.object_identifier(hardware_type);
            });
        });
        writer.object_identifier(HARDWARE_MODULE_NAME);
    });
}

/// The identifier of a key: SHA-1 of the point as it stands in its BIT STRING.
fn key_identifier(key: &PublicKey) -> [u8; 20] {
    Sha1::new().chain_update([4]).chain_update(key.octets()).finalize().into()
}
