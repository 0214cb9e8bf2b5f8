//! Why a certificate was refused.

use core::fmt;

use der::ErrorKind;

/// Why a certificate or a certification request was refused, and where in its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CertificateError {
    /// The octet at which the field in question starts, or where reading stopped.
    pub offset: usize,
    /// What is wrong with it.
    pub fault: CertificateFault,
}

/// What is wrong with a certificate or a certification request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CertificateFault {
    /// No DER, or not what X.509 or PKCS#10 has here.
    Malformed,
    /// The octets end within an element.
    Truncated,
    /// Octets are left after the last element.
    TrailingOctets,
    /// Longer than the limit.
    TooLong {
        /// Octets that are accepted.
        limit: usize,
        /// Octets given.
        found: usize,
    },
    /// Not X.509 v3, or not PKCS#10 v1.
    Version,
    /// The serial number is not positive, or longer than 20 octets.
    SerialNumber,
    /// No ECDSA with SHA-256 or SHA-384, or another one than the signed part names.
    SignatureAlgorithm,
    /// A time that is none, before 1970, or an end before the begin.
    Validity,
    /// No uncompressed point on P-256 or P-384, each by its OID.
    PublicKey,
    /// A P-384 key that is certified by a P-256 one.
    WeakerIssuer,
    /// A critical extension that is not known.
    UnknownCriticalExtension,
    /// The same extension twice.
    DuplicateExtension,
    /// An extension that the profile does not have in this kind of certificate.
    ExtensionNotAllowed,
    /// keyUsage is missing, not critical, or none of an authority, a signature, an agreement or a TLS key.
    KeyUsage,
    /// basicConstraints and keyUsage do not agree on whether this is an authority, or it is not critical.
    BasicConstraints,
    /// subject and subjectAltName name no single party, or contradict each other.
    Subject,
    /// No certificate of an authority that leads to a trust anchor.
    UnknownIssuer,
    /// More authorities in between than their path length constraints, or this implementation, allow.
    PathTooLong,
    /// The signature is not the issuer's.
    SignatureMismatch,
    /// Its validity has not begun.
    NotYetValid,
    /// Its validity has ended.
    Expired,
    /// It is for another purpose.
    Purpose,
    /// It is of another party, or names none.
    SystemTitle,
    /// certificatePolicies is missing where it was asked for.
    Policies,
    /// Another certificate of that issuer has this serial number.
    DuplicateSerialNumber,
}

impl CertificateFault {
    pub(super) const fn at(self, offset: usize) -> CertificateError {
        CertificateError { offset, fault: self }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::TooLong { limit, found } => {
                return write!(f, "{found} octets where {limit} are accepted");
            }
            Self::Malformed => "malformed",
            Self::Truncated => "ends within an element",
            Self::TrailingOctets => "octets left after the end",
            Self::Version => "version is not accepted",
            Self::SerialNumber => "serial number is not positive or too long",
            Self::SignatureAlgorithm => "signature algorithm is no ECDSA of the profile",
            Self::Validity => "invalid validity",
            Self::PublicKey => "public key is no point on P-256 or P-384",
            Self::WeakerIssuer => "a P-384 key needs a P-384 issuer",
            Self::UnknownCriticalExtension => "unknown critical extension",
            Self::DuplicateExtension => "extension occurs twice",
            Self::ExtensionNotAllowed => "extension is not allowed here",
            Self::KeyUsage => "key usage is not one of the profile",
            Self::BasicConstraints => "basic constraints do not fit the key usage",
            Self::Subject => "subject names no single party",
            Self::UnknownIssuer => "issuer is not known",
            Self::PathTooLong => "too many authorities in between",
            Self::SignatureMismatch => "signature does not verify",
            Self::NotYetValid => "not valid yet",
            Self::Expired => "expired",
            Self::Purpose => "is for another purpose",
            Self::SystemTitle => "is not of that system title",
            Self::Policies => "certificate policies are missing",
            Self::DuplicateSerialNumber => "another certificate has this serial number",
        };
        f.write_str(text)
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "octet {}: {}", self.offset, self.fault)
    }
}

impl core::error::Error for CertificateError {}

impl From<der::Error> for CertificateError {
    fn from(error: der::Error) -> Self {
        let fault = match error.kind() {
            ErrorKind::Incomplete { .. } => CertificateFault::Truncated,
            ErrorKind::TrailingData { .. } => CertificateFault::TrailingOctets,
            _ => CertificateFault::Malformed,
        };
        let offset = error.position().and_then(|position| usize::try_from(position).ok());
        fault.at(offset.unwrap_or_default())
    }
}
