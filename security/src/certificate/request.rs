//! PKCS#10 certification requests: what a meter makes of a new key pair, and an authority makes a certificate of.
//!
//! ```text
//! CertificationRequest ::= SEQUENCE {
//!     SEQUENCE {                        what is signed, with the new private key
//!         version                       v1: 0
//!         subject                       CN = the system title as 16 hexadecimal digits
//!         subjectPublicKeyInfo
//!         [0] attributes                none are written; those that come are passed over
//!     }
//!     signatureAlgorithm
//!     signature
//! }
//! ```

use core::fmt;

use der::{Reader as _, Tag};

use super::name::{COMMON_NAME, Name, context};
use super::read::{self, Reader, Result, element, exactly, offset, within};
use super::write::{self, CONTEXT, INTEGER, SEQUENCE, SET, UTF8_STRING, Writer};
use super::{Certificate, CertificateError, CertificateFault};
use crate::{PrivateKey, PublicKey, PublicKeyProvider, SecurityError, Signature, SystemTitle};

/// A certification request. Its signature was not looked at.
#[derive(Clone, Copy)]
pub struct CertificationRequest<'a> {
    der: &'a [u8],
    signed: &'a [u8],
    subject: Name<'a>,
    public_key: PublicKey,
    title: Option<SystemTitle>,
    signature: Signature,
}

impl<'a> CertificationRequest<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// [`CertificateError`] says at which octet it is no PKCS#10 with a key of the suites.
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        exactly(der, Certificate::MAX_LENGTH, |reader| {
            within(reader, Tag::Sequence, |reader| {
                let signed = element(&mut reader.clone())?;
                let (subject, public_key) = within(reader, Tag::Sequence, read_signed)?;
                let title = subject.title(der)?;
                let at = offset(reader);
                let curve = read::signature_algorithm(reader)?;
                if curve != public_key.curve() {
                    return Err(CertificateFault::SignatureAlgorithm.at(at));
                }
                let signature = read::signature(reader, curve)?;
                Ok(Self { der, signed, subject, public_key, title, signature })
            })
        })
    }

    /// The whole request.
    pub const fn der(&self) -> &'a [u8] {
        self.der
    }

    /// What is signed: `certificationRequestInfo`.
    pub const fn signed(&self) -> &'a [u8] {
        self.signed
    }

    /// Who asks.
    pub const fn subject(&self) -> Name<'a> {
        self.subject
    }

    /// The system title that the subject is.
    pub const fn title(&self) -> Option<SystemTitle> {
        self.title
    }

    /// The key to certify.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Verifies that whoever asks has the private key.
    ///
    /// # Errors
    /// [`CertificateFault::SignatureMismatch`]; [`SecurityError::Provider`].
    pub fn verify(&self, provider: &dyn PublicKeyProvider) -> Result<(), SecurityError> {
        provider.verify(&self.public_key, &[self.signed], &self.signature).map_err(|error| match error {
            SecurityError::SignatureMismatch | SecurityError::InvalidKey => {
                CertificateFault::SignatureMismatch.at(self.signed.len()).into()
            }
            other => other,
        })
    }
}

fn read_signed<'a>(reader: &mut Reader<'a>) -> Result<(Name<'a>, PublicKey), CertificateError> {
    let at = offset(reader);
    if read::read::<u8>(reader, CertificateFault::Version)? != 0 {
        return Err(CertificateFault::Version.at(at));
    }
    let subject = Name::read(reader)?;
    let public_key = read::public_key(reader)?;
    within(reader, context(0, true), |reader| {
        while !reader.is_finished() {
            element(reader)?;
        }
        Ok(())
    })?;
    Ok((subject, public_key))
}

/// Writes into `buffer` the request of `title` to certify its new `key`, and signs it with that key. 512 octets are
/// enough.
///
/// # Errors
/// [`SecurityError::BufferTooSmall`], and those of the provider.
pub fn write_request<'b>(
    provider: &dyn PublicKeyProvider,
    key: &PrivateKey,
    title: SystemTitle,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], SecurityError> {
    let public_key = provider.public_key(key)?;
    let contents = |writer: &mut Writer<'_>| {
        writer.wrap(SEQUENCE, |writer| {
            writer.element(CONTEXT, &[]);
            writer.public_key(&public_key);
            write_title(writer, title);
            writer.element(INTEGER, &[0]);
        });
    };
    write::signed(buffer, key.curve(), contents, |signed| provider.sign(key, &[signed]))
}

/// The name of a party: CN = 16 hexadecimal digits, upper case.
pub(super) fn write_title(writer: &mut Writer<'_>, title: SystemTitle) {
    let mut digits = [0; 2 * SystemTitle::LENGTH];
    for (pair, octet) in digits.as_chunks_mut::<2>().0.iter_mut().zip(title.octets()) {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'A' + value - 10 };
        *pair = [digit(octet >> 4), digit(octet & 0x0F)];
    }
    writer.wrap(SEQUENCE, |writer| {
        write_attribute(writer, COMMON_NAME, &digits);
    });
}

pub(super) fn write_attribute(writer: &mut Writer<'_>, kind: der::asn1::ObjectIdentifier, text: &[u8]) {
    writer.wrap(SET, |writer| {
        writer.wrap(SEQUENCE, |writer| {
            writer.element(UTF8_STRING, text);
            writer.object_identifier(kind);
        });
    });
}

impl fmt::Debug for CertificationRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificationRequest")
            .field("subject", &self.subject)
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}
