//! The extensions of a certificate, and which of them each kind of certificate has.
//!
//! | extension | authority | signature | agreement | TLS |
//! | --- | --- | --- | --- | --- |
//! | keyUsage, critical | keyCertSign, cRLSign | digitalSignature | keyAgreement | both |
//! | basicConstraints | CA, critical | – | – | – |
//! | extKeyUsage | – | – | – | serverAuth, clientAuth |
//! | certificatePolicies | optional | optional | optional | optional |
//! | authorityKeyIdentifier, subjectKeyIdentifier | optional | optional | optional | optional |
//! | subjectAltName | optional | optional, critical where the subject is empty | same | same |
//! | issuerAltName, cRLDistributionPoints | optional | – | – | – |
//!
//! Another extension that is critical is refused, one that is not is passed over. One restatement of the profile wants
//! certificatePolicies in subordinate authorities and TLS certificates: that is asked for, where it is, when a path is
//! verified.

use der::asn1::ObjectIdentifier;
use der::{Reader as _, Tag};

use super::name::{context, title_of_alternative_names};
use super::read::{Reader, Result, element, is_next, offset, read, value, within};
use super::{CertificateFault, CertificateType};
use crate::SystemTitle;

macro_rules! oid {
    ($text:literal) => {
        const { ObjectIdentifier::new_unwrap($text) }
    };
}

/// What the extensions say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extensions<'a> {
    key_usage: Option<u16>,
    /// The offset of keyUsage.
    key_usage_at: usize,
    /// Whether this is an authority, and how many may follow it.
    authority: Option<Option<u8>>,
    has_basic_constraints: bool,
    has_extended_key_usage: bool,
    pub(super) has_policies: bool,
    pub(super) authority_key_id: Option<&'a [u8]>,
    pub(super) subject_key_id: Option<&'a [u8]>,
    pub(super) subject_alternative_name: Option<&'a [u8]>,
    pub(super) is_alternative_name_critical: bool,
    pub(super) alternative_title: Option<SystemTitle>,
    /// The offset of an extension that only authorities have.
    authority_only: Option<usize>,
    /// The offset of the extended key usage.
    extended_key_usage_at: usize,
}

const DIGITAL_SIGNATURE: u16 = 0x8000;
const KEY_AGREEMENT: u16 = 0x0800;
const KEY_CERT_SIGN: u16 = 0x0400;
const CRL_SIGN: u16 = 0x0200;

impl<'a> Extensions<'a> {
    /// Reads `SEQUENCE OF SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OCTET STRING }`.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let start = offset(reader);
        let mut extensions = Self::default();
        within(reader, Tag::Sequence, |reader| {
            let all = reader.clone();
            while !reader.is_finished() {
                let at = offset(reader);
                within(reader, Tag::Sequence, |reader| {
                    let kind: ObjectIdentifier = read(reader, CertificateFault::Malformed)?;
                    if occurs_before(all.clone(), at, kind) {
                        return Err(CertificateFault::DuplicateExtension.at(at));
                    }
                    let is_critical = critical(reader)?;
                    extensions.add(kind, is_critical, at, reader)
                })?;
            }
            if offset(reader) == offset(&all) { Err(CertificateFault::Malformed.at(start)) } else { Ok(()) }
        })?;
        Ok(extensions)
    }

    fn add(
        &mut self,
        kind: ObjectIdentifier,
        is_critical: bool,
        at: usize,
        reader: &mut Reader<'a>,
    ) -> Result<()> {
        within(reader, Tag::OctetString, |reader| {
            if kind == oid!("2.5.29.15") {
                self.key_usage = Some(key_usage(reader)?).filter(|_| is_critical);
                self.key_usage_at = at;
            } else if kind == oid!("2.5.29.19") {
                self.has_basic_constraints = true;
                self.authority = basic_constraints(reader)?.filter(|_| is_critical);
            } else if kind == oid!("2.5.29.37") {
                self.has_extended_key_usage = true;
                self.extended_key_usage_at = at;
                extended_key_usage(reader, at)?;
            } else if kind == oid!("2.5.29.32") {
                self.has_policies = true;
                within(reader, Tag::Sequence, elements)?;
            } else if kind == oid!("2.5.29.35") {
                self.authority_key_id = authority_key_identifier(reader)?;
            } else if kind == oid!("2.5.29.14") {
                self.subject_key_id = Some(value(reader, Tag::OctetString)?);
            } else if kind == oid!("2.5.29.17") {
                self.is_alternative_name_critical = is_critical;
                self.alternative_title = title_of_alternative_names(&mut reader.clone())?;
                self.subject_alternative_name = Some(element(reader)?);
            } else if kind == oid!("2.5.29.18") || kind == oid!("2.5.29.31") {
                self.authority_only = Some(at);
                within(reader, Tag::Sequence, elements)?;
            } else if is_critical {
                return Err(CertificateFault::UnknownCriticalExtension.at(at));
            } else {
                // What is not known is octets, not DER.
                let rest = reader.remaining_len();
                reader.read_slice(rest)?;
            }
            Ok(())
        })
    }

    /// What kind of certificate this is, if its extensions are those of one; for an authority with the path length.
    pub(super) fn kind(&self) -> Result<(CertificateType, Option<u8>)> {
        let Some(usage) = self.key_usage else {
            return Err(CertificateFault::KeyUsage.at(self.key_usage_at));
        };
        let kind = match usage {
            DIGITAL_SIGNATURE => CertificateType::DigitalSignature,
            KEY_AGREEMENT => CertificateType::KeyAgreement,
            _ if usage == DIGITAL_SIGNATURE | KEY_AGREEMENT && self.has_extended_key_usage => {
                CertificateType::Tls
            }
            _ if usage & !CRL_SIGN == KEY_CERT_SIGN => CertificateType::Other,
            _ => return Err(CertificateFault::KeyUsage.at(self.key_usage_at)),
        };
        let is_authority = kind == CertificateType::Other;
        if is_authority != self.authority.is_some() || is_authority != self.has_basic_constraints {
            return Err(CertificateFault::BasicConstraints.at(self.key_usage_at));
        }
        if self.has_extended_key_usage && kind != CertificateType::Tls {
            return Err(CertificateFault::ExtensionNotAllowed.at(self.extended_key_usage_at));
        }
        match self.authority_only {
            Some(at) if !is_authority => Err(CertificateFault::ExtensionNotAllowed.at(at)),
            _ => Ok((kind, self.authority.flatten())),
        }
    }
}

/// Whether an extension of this kind starts before `end`.
fn occurs_before(mut reader: Reader<'_>, end: usize, kind: ObjectIdentifier) -> bool {
    while offset(&reader) < end {
        let earlier = within(&mut reader, Tag::Sequence, |reader| {
            let earlier = read::<ObjectIdentifier>(reader, CertificateFault::Malformed)?;
            let rest = reader.remaining_len();
            reader.read_slice(rest)?;
            Ok(earlier)
        });
        match earlier {
            Ok(earlier) if earlier == kind => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

/// `BOOLEAN DEFAULT FALSE`: FALSE is not written.
fn critical(reader: &mut Reader<'_>) -> Result<bool> {
    let start = offset(reader);
    if !is_next(reader, Tag::Boolean) {
        return Ok(false);
    }
    if read::<bool>(reader, CertificateFault::Malformed)? {
        Ok(true)
    } else {
        Err(CertificateFault::Malformed.at(start))
    }
}

/// The bits of `BIT STRING`, the first one highest.
fn key_usage(reader: &mut Reader<'_>) -> Result<u16> {
    let start = offset(reader);
    let (unwritten, bits) = match value(reader, Tag::BitString)? {
        [unused @ 0..=7, high] => (8 + u32::from(*unused), u16::from_be_bytes([*high, 0])),
        [unused @ 0..=7, high, low] => (u32::from(*unused), u16::from_be_bytes([*high, *low])),
        _ => return Err(CertificateFault::Malformed.at(start)),
    };
    // The last bit that is written is set: DER leaves out what follows it.
    if bits.trailing_zeros() != unwritten {
        return Err(CertificateFault::Malformed.at(start));
    }
    Ok(bits)
}

/// `SEQUENCE { cA DEFAULT FALSE, pathLenConstraint OPTIONAL }`: the path length of an authority.
fn basic_constraints(reader: &mut Reader<'_>) -> Result<Option<Option<u8>>> {
    within(reader, Tag::Sequence, |reader| {
        let is_authority = critical(reader)?;
        let at = offset(reader);
        let path_length = match reader.is_finished() {
            true => None,
            false => Some(read::<u8>(reader, CertificateFault::Malformed)?),
        };
        match (is_authority, path_length) {
            (true, _) => Ok(Some(path_length)),
            (false, None) => Ok(None),
            (false, Some(_)) => Err(CertificateFault::Malformed.at(at)),
        }
    })
}

/// serverAuth, clientAuth or both.
fn extended_key_usage(reader: &mut Reader<'_>, at: usize) -> Result<()> {
    within(reader, Tag::Sequence, |reader| {
        if reader.is_finished() {
            return Err(CertificateFault::Malformed.at(at));
        }
        while !reader.is_finished() {
            let purpose: ObjectIdentifier = read(reader, CertificateFault::Malformed)?;
            if purpose != oid!("1.3.6.1.5.5.7.3.1") && purpose != oid!("1.3.6.1.5.5.7.3.2") {
                return Err(CertificateFault::KeyUsage.at(at));
            }
        }
        Ok(())
    })
}

/// `SEQUENCE { keyIdentifier [0] OPTIONAL, authorityCertIssuer [1], authorityCertSerialNumber [2] }`
fn authority_key_identifier<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>> {
    const KEY_IDENTIFIER: Tag = context(0, false);
    within(reader, Tag::Sequence, |reader| {
        let identifier =
            if is_next(reader, KEY_IDENTIFIER) { Some(value(reader, KEY_IDENTIFIER)?) } else { None };
        elements(reader)?;
        Ok(identifier)
    })
}

fn elements(reader: &mut Reader<'_>) -> Result<()> {
    while !reader.is_finished() {
        element(reader)?;
    }
    Ok(())
}
