//! Certificates: X.509 v3 as the security suites 1 and 2 restrict it, and PKCS#10 certification requests.
//!
//! ```text
//! Certificate ::= SEQUENCE {
//!     SEQUENCE {                        what is signed
//!         [0] version                   v3
//!         serialNumber                  positive, at most 20 octets
//!         signature                     as below
//!         issuer                        compared as DER
//!         validity                      UTCTime or GeneralizedTime
//!         subject                       CN = the system title as 16 hexadecimal digits; or empty, see below
//!         subjectPublicKeyInfo          P-256 or P-384 by OID, uncompressed point
//!         [3] extensions                which ones: one table for each kind of certificate
//!     }
//!     signatureAlgorithm                ecdsa-with-SHA256 by P-256 issuers, -SHA384 by P-384 issuers
//!     signatureValue                    BIT STRING of SEQUENCE { r, s }
//! }
//! ```
//!
//! Where the subject is empty, subjectAltName is critical and holds one otherName hardwareModuleName whose serial number
//! is the title. The hash goes with the curve of the *issuer*: a P-256 key may be certified by a P-384 authority, not the
//! other way round.
//!
//! [`Certificate::from_der`] borrows from the DER and says whether a certificate keeps to this profile; whether it is to
//! be believed is [`Certificate::verify`]'s to say.

mod error;
mod extensions;
#[cfg(feature = "embedded-storage")]
mod flash;
mod issue;
mod memory;
mod name;
mod read;
mod request;
mod store;
mod time;
mod verify;
mod write;

use core::fmt;

use der::Tag;

pub use error::{CertificateError, CertificateFault};
#[cfg(feature = "embedded-storage")]
pub(crate) use flash::Checksum;
#[cfg(feature = "embedded-storage")]
pub use flash::FlashCertificates;
pub use issue::{NewCertificate, Subject};
pub use memory::MemoryCertificates;
pub use name::Name;
pub use request::{CertificationRequest, write_request};
pub use store::{CertificateEntity, CertificateId, CertificateStore, Meeting, StoredCertificate};
pub use time::{CertificateTime, Validity};
pub use verify::{Authorities, Authority, Expectation, MAX_AUTHORITIES};

use crate::{Curve, KeyUsage, PublicKey, SecurityError, Signature, SystemTitle};
use extensions::Extensions;
use name::context;
use read::{Reader, Result, exactly, is_next, offset, offset_in, read, value, within};

/// What the key of a certificate is for: `certificate_type` of the Security setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CertificateType {
    /// Signatures.
    DigitalSignature = 0,
    /// Static key agreement.
    KeyAgreement = 1,
    /// Transport layer security.
    Tls = 2,
    /// Another one: the key of a certification authority, which signs certificates.
    Other = 3,
}

impl CertificateType {
    /// All types, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::DigitalSignature, Self::KeyAgreement, Self::Tls, Self::Other];

    /// The type with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::DigitalSignature),
            1 => Some(Self::KeyAgreement),
            2 => Some(Self::Tls),
            3 => Some(Self::Other),
            _ => None,
        }
    }

    /// What a party uses such a key for; nothing with one of an authority.
    pub const fn usage(self) -> Option<KeyUsage> {
        match self {
            Self::DigitalSignature => Some(KeyUsage::DigitalSignature),
            Self::KeyAgreement => Some(KeyUsage::KeyAgreement),
            Self::Tls => Some(KeyUsage::Tls),
            Self::Other => None,
        }
    }
}

impl From<KeyUsage> for CertificateType {
    fn from(usage: KeyUsage) -> Self {
        match usage {
            KeyUsage::DigitalSignature => Self::DigitalSignature,
            KeyUsage::KeyAgreement => Self::KeyAgreement,
            KeyUsage::Tls => Self::Tls,
        }
    }
}

/// Reads a public key out of its SubjectPublicKeyInfo, as files have it.
///
/// # Errors
/// [`CertificateError`] says at which octet it is no point on P-256 or P-384.
pub fn read_public_key(der: &[u8]) -> Result<PublicKey> {
    exactly(der, Certificate::MAX_LENGTH, read::public_key)
}

/// Writes the SubjectPublicKeyInfo of a public key to the end of `buffer`; 128 octets are enough.
///
/// # Errors
/// [`SecurityError::BufferTooSmall`].
pub fn write_public_key<'b>(key: &PublicKey, buffer: &'b mut [u8]) -> Result<&'b [u8], SecurityError> {
    let mut writer = write::Writer::new(buffer);
    writer.public_key(key);
    writer.finish().map(|place| buffer.get(place).unwrap_or_default())
}

/// A certificate that keeps to the profile. Its signature was not looked at.
#[derive(Clone, Copy)]
pub struct Certificate<'a> {
    der: &'a [u8],
    signed: &'a [u8],
    body: Body<'a>,
    signature: Signature,
}

/// What is signed.
#[derive(Clone, Copy)]
struct Body<'a> {
    serial_number: &'a [u8],
    issuer_curve: Curve,
    issuer: Name<'a>,
    validity: Validity,
    subject: Name<'a>,
    public_key: PublicKey,
    extensions: Extensions<'a>,
    kind: CertificateType,
    path_length: Option<u8>,
    title: Option<SystemTitle>,
}

impl<'a> Certificate<'a> {
    /// The longest certificate that [`Self::from_der`] accepts.
    pub const MAX_LENGTH: usize = 2048;

    /// Reads a certificate of at most [`Self::MAX_LENGTH`] octets.
    ///
    /// # Errors
    /// [`CertificateError`] says at which octet it is not DER or breaks the profile.
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::from_der_within(der, Self::MAX_LENGTH)
    }

    /// Reads a certificate of at most `limit` octets.
    ///
    /// # Errors
    /// As [`Self::from_der`].
    pub fn from_der_within(der: &'a [u8], limit: usize) -> Result<Self> {
        exactly(der, limit, |reader| {
            within(reader, Tag::Sequence, |reader| {
                let signed = read::element(&mut reader.clone())?;
                let body = within(reader, Tag::Sequence, |reader| Body::read(der, reader))?;
                let at = offset(reader);
                if read::signature_algorithm(reader)? != body.issuer_curve {
                    return Err(CertificateFault::SignatureAlgorithm.at(at));
                }
                Ok(Self { der, signed, body, signature: read::signature(reader, body.issuer_curve)? })
            })
        })
    }

    /// The whole certificate.
    pub const fn der(&self) -> &'a [u8] {
        self.der
    }

    /// What is signed: `tbsCertificate`.
    pub const fn signed(&self) -> &'a [u8] {
        self.signed
    }

    /// The content octets of the serial number.
    pub const fn serial_number(&self) -> &'a [u8] {
        self.body.serial_number
    }

    /// Who issued it.
    pub const fn issuer(&self) -> Name<'a> {
        self.body.issuer
    }

    /// From when until when it is valid.
    pub const fn validity(&self) -> Validity {
        self.body.validity
    }

    /// Whose it is.
    pub const fn subject(&self) -> Name<'a> {
        self.body.subject
    }

    /// The system title of its owner; an authority has none, unless it is named by one.
    pub const fn title(&self) -> Option<SystemTitle> {
        self.body.title
    }

    /// The certified key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.body.public_key
    }

    /// What the key is for.
    pub const fn certificate_type(&self) -> CertificateType {
        self.body.kind
    }

    /// Whether it is of a certification authority.
    pub const fn is_authority(&self) -> bool {
        matches!(self.body.kind, CertificateType::Other)
    }

    /// How many authorities may stand between this one and an end entity; `None` for any number.
    pub const fn path_length(&self) -> Option<u8> {
        self.body.path_length
    }

    /// The DER of subjectAltName, `GeneralNames`.
    pub const fn subject_alternative_name(&self) -> Option<&'a [u8]> {
        self.body.extensions.subject_alternative_name
    }

    /// The identifier of the certified key.
    pub const fn subject_key_id(&self) -> Option<&'a [u8]> {
        self.body.extensions.subject_key_id
    }

    /// The identifier of the issuer's key.
    pub const fn authority_key_id(&self) -> Option<&'a [u8]> {
        self.body.extensions.authority_key_id
    }

    /// Whether it names certificate policies.
    pub const fn has_policies(&self) -> bool {
        self.body.extensions.has_policies
    }

    /// The curve of the issuer's key.
    pub const fn issuer_curve(&self) -> Curve {
        self.body.issuer_curve
    }

    /// The issuer's signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}

impl<'a> Body<'a> {
    fn read(der: &[u8], reader: &mut Reader<'a>) -> Result<Self> {
        const VERSION: Tag = context(0, true);
        const EXTENSIONS: Tag = context(3, true);
        let at = offset(reader);
        if !is_next(reader, VERSION) {
            return Err(CertificateFault::Version.at(at));
        }
        let version: u8 = within(reader, VERSION, |reader| read(reader, CertificateFault::Version))?;
        if version != 2 {
            return Err(CertificateFault::Version.at(at));
        }
        let serial_number = serial_number(reader)?;
        let issuer_curve = read::signature_algorithm(reader)?;
        let at = offset(reader);
        let issuer = Name::read(reader)?;
        if issuer.is_empty() {
            return Err(CertificateFault::Malformed.at(at));
        }
        let validity = Validity::read(reader)?;
        let subject = Name::read(reader)?;
        let at = offset(reader);
        let public_key = read::public_key(reader)?;
        if public_key.curve() == Curve::P384 && issuer_curve == Curve::P256 {
            return Err(CertificateFault::WeakerIssuer.at(at));
        }
        let extensions = within(reader, EXTENSIONS, Extensions::read)?;
        let (kind, path_length) = extensions.kind()?;
        let title = title(der, subject, &extensions, kind)?;
        Ok(Self {
            serial_number,
            issuer_curve,
            issuer,
            validity,
            subject,
            public_key,
            extensions,
            kind,
            path_length,
            title,
        })
    }
}

/// The title that subject and subjectAltName name together.
fn title(
    der: &[u8],
    subject: Name<'_>,
    extensions: &Extensions<'_>,
    kind: CertificateType,
) -> Result<Option<SystemTitle>> {
    let contradiction = CertificateFault::Subject.at(offset_in(der, subject.der()));
    let (in_subject, in_alternative) = (subject.title(der)?, extensions.alternative_title);
    if subject.is_empty() {
        let is_named = in_alternative.is_some() && extensions.is_alternative_name_critical;
        let is_authority = kind == CertificateType::Other;
        return if is_named && !is_authority { Ok(in_alternative) } else { Err(contradiction) };
    }
    match (in_subject, in_alternative) {
        (Some(one), Some(other)) if one != other => Err(contradiction),
        _ => Ok(in_subject),
    }
}

/// A positive INTEGER of at most 20 content octets.
fn serial_number<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let at = offset(reader);
    let octets = value(reader, Tag::Integer)?;
    let is_shortest = !matches!(octets, [0, 0..=0x7F, ..]);
    let is_positive = octets.first().is_some_and(|first| *first < 0x80) && octets != [0];
    if is_shortest && is_positive && octets.len() <= 20 {
        Ok(octets)
    } else {
        Err(CertificateFault::SerialNumber.at(at))
    }
}

impl fmt::Debug for Certificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("type", &self.body.kind)
            .field("issuer", &self.body.issuer)
            .field("subject", &self.body.subject)
            .field("title", &self.body.title)
            .field("validity", &self.body.validity)
            .finish_non_exhaustive()
    }
}
