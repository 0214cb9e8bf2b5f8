//! Where certificates are kept: trust anchors from manufacture, and what was imported since.
//!
//! A [`CertificateStore`] holds certificates that were verified when they came in. It says which keys of others are
//! trusted ([`PeerKeys`]) and which authorities are ([`Authorities`]). It is changed through a shared reference, since
//! the engine reads keys out of the store whose contents a Security setup changes.

use core::ops::ControlFlow;
use core::str;

use super::read::offset_in;
use super::{
    Authorities, Authority, Certificate, CertificateError, CertificateFault, CertificateTime,
    CertificateType, Expectation,
};
use crate::{KeyUsage, KnownPeer, PeerKeys, PublicKey, PublicKeyProvider, SecurityError, SystemTitle};

/// Whose certificate it is: `certificate_entity` of the Security setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CertificateEntity {
    /// The server: this meter.
    Server = 0,
    /// A client.
    Client = 1,
    /// A certification authority.
    CertificationAuthority = 2,
    /// Somebody else.
    Other = 3,
}

impl CertificateEntity {
    /// The entity with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Server),
            1 => Some(Self::Client),
            2 => Some(Self::CertificationAuthority),
            3 => Some(Self::Other),
            _ => None,
        }
    }
}

/// A certificate in a store.
#[derive(Clone, Copy, Debug)]
pub struct StoredCertificate<'a> {
    /// Whose it is.
    pub entity: CertificateEntity,
    /// Whether it was put in as a trust anchor. The methods of a Security setup neither import nor remove those.
    pub is_trust_anchor: bool,
    /// The certificate.
    pub certificate: Certificate<'a>,
}

impl StoredCertificate<'_> {
    /// Whether importing this one replaces `other`: the server has one certificate of each type, and so has each client.
    pub fn replaces(&self, other: &StoredCertificate<'_>) -> bool {
        let (own, other_certificate) = (&self.certificate, &other.certificate);
        !own.is_authority()
            && !other.is_trust_anchor
            && own.title().is_some()
            && self.entity == other.entity
            && own.title() == other_certificate.title()
            && own.certificate_type() == other_certificate.certificate_type()
    }

    /// What inserting this one does where `other` is there.
    ///
    /// # Errors
    /// [`CertificateFault::DuplicateSerialNumber`] if both have one issuer and one number, but differ.
    pub fn meets(&self, other: &StoredCertificate<'_>) -> Result<Meeting, CertificateError> {
        let (own, others) = (&self.certificate, &other.certificate);
        if own.der() == others.der() {
            let is_less = other.is_trust_anchor || !self.is_trust_anchor && self.entity == other.entity;
            return Ok(if is_less { Meeting::IsThere } else { Meeting::Replaces });
        }
        if own.issuer() == others.issuer() && own.serial_number() == others.serial_number() {
            return Err(CertificateFault::DuplicateSerialNumber.at(0));
        }
        Ok(if self.replaces(other) { Meeting::Replaces } else { Meeting::StandsBeside })
    }
}

/// What becomes of a certificate in a store when another one is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Both are kept.
    StandsBeside,
    /// The new one takes its place.
    Replaces,
    /// It is the new one: there is nothing to do.
    IsThere,
}

/// Which certificate is meant: the parameter of export_certificate and remove_certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateId<'a> {
    /// That of an entity. An authority has no system title: for it the title is empty.
    ByEntity {
        /// Whose.
        entity: CertificateEntity,
        /// Which of them.
        certificate_type: CertificateType,
        /// The system title of the entity.
        title: &'a [u8],
    },
    /// That with this number of an issuer, in any of the forms that are met: the serial number as the content octets of
    /// the INTEGER, as the whole INTEGER, or without leading zeros; the issuer as the DER of its name or as text.
    BySerialNumber {
        /// The serial number.
        serial_number: &'a [u8],
        /// The issuer.
        issuer: &'a [u8],
    },
}

impl CertificateId<'_> {
    /// Whether this means `stored`.
    pub fn means(&self, stored: &StoredCertificate<'_>) -> bool {
        let certificate = &stored.certificate;
        match *self {
            Self::ByEntity { entity, certificate_type, title } => {
                let own_title = certificate.title().filter(|_| !certificate.is_authority());
                stored.entity == entity
                    && certificate.certificate_type() == certificate_type
                    && title == own_title.as_ref().map_or(&[][..], |title| title.octets())
            }
            Self::BySerialNumber { serial_number, issuer } => {
                let own = certificate.serial_number();
                let is_same_number = same_number(serial_number, own)
                    || matches!(serial_number, [2, length, value @ ..]
                        if usize::from(*length) == value.len() && value == own);
                let name = certificate.issuer();
                let is_same_issuer =
                    issuer == name.der() || str::from_utf8(issuer).is_ok_and(|text| name.matches_text(text));
                is_same_number && is_same_issuer
            }
        }
    }
}

fn same_number(one: &[u8], other: &[u8]) -> bool {
    fn significant(octets: &[u8]) -> &[u8] {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        octets.get(zeros..).unwrap_or_default()
    }
    significant(one) == significant(other)
}

/// Certificates that were verified, kept over restarts.
///
/// Only [`Self::visit`], [`Self::insert`] and [`Self::remove`] are to be written for another medium.
pub trait CertificateStore: Authorities + PeerKeys {
    /// Shows each certificate to `visit` until it breaks off. `visit` may read the store again, but not change it.
    fn visit(&self, visit: &mut dyn FnMut(&StoredCertificate<'_>) -> ControlFlow<()>);

    /// Puts in a certificate, which the caller has verified, in the place of the one that it
    /// [replaces](StoredCertificate::replaces). It is on the medium when this returns; if the power fails before that,
    /// the old one is still there.
    ///
    /// # Errors
    /// [`SecurityError::StoreFull`], [`SecurityError::BufferTooSmall`] if it is longer than the store's certificates
    /// may be, [`CertificateFault::DuplicateSerialNumber`] if another certificate of that issuer has its number,
    /// [`SecurityError::Storage`]. Nothing has changed then.
    fn insert(&self, new: &StoredCertificate<'_>) -> Result<(), SecurityError>;

    /// Removes the first certificate that `is_meant` says is meant, and whether there was one. It is gone for good when
    /// this returns.
    ///
    /// # Errors
    /// [`SecurityError::Storage`].
    fn remove(&self, is_meant: &mut dyn FnMut(&StoredCertificate<'_>) -> bool)
    -> Result<bool, SecurityError>;

    /// The present time, where it is known and trusted: keys whose certificate is not valid then are not given.
    fn time(&self) -> Option<CertificateTime> {
        None
    }
}

impl dyn CertificateStore + '_ {
    /// Shows the one certificate that `id` means to `found`: export_certificate.
    ///
    /// # Errors
    /// [`SecurityError::KeyMissing`] if there is none, or more than one.
    pub fn find<T>(
        &self,
        id: &CertificateId<'_>,
        found: impl FnOnce(&StoredCertificate<'_>) -> T,
    ) -> Result<T, SecurityError> {
        let (mut found, mut result) = (Some(found), None);
        if self.count(|stored| id.means(stored)) == 1 {
            self.visit(&mut |stored| match found.take_if(|_| id.means(stored)) {
                Some(found) => {
                    result = Some(found(stored));
                    ControlFlow::Break(())
                }
                None => ControlFlow::Continue(()),
            });
        }
        result.ok_or(SecurityError::KeyMissing)
    }

    /// Removes the one certificate that `id` means, unless it is a trust anchor, and gives whose it was and what for:
    /// remove_certificate. Whoever removes the server's own destroys its private key as well.
    ///
    /// # Errors
    /// [`SecurityError::KeyMissing`] if there is none, or more than one; [`SecurityError::Storage`].
    pub fn remove_certificate(
        &self,
        id: &CertificateId<'_>,
    ) -> Result<(CertificateEntity, CertificateType), SecurityError> {
        let is_meant = |stored: &StoredCertificate<'_>| !stored.is_trust_anchor && id.means(stored);
        if self.count(is_meant) != 1 {
            return Err(SecurityError::KeyMissing);
        }
        let mut removed = None;
        self.remove(&mut |stored| {
            let is_meant = is_meant(stored);
            removed = is_meant.then_some((stored.entity, stored.certificate.certificate_type())).or(removed);
            is_meant
        })?;
        removed.ok_or(SecurityError::KeyMissing)
    }

    /// Verifies a certificate up to a trust anchor of this store and puts it in: import_certificate. `own` is this
    /// server and the public keys of the pairs that it has: a certificate of its own must be for one of them.
    ///
    /// # Errors
    /// [`SecurityError::Certificate`] if it does not verify, [`SecurityError::InvalidKey`] if it is the server's and
    /// for a key that the server does not have, and those of [`CertificateStore::insert`].
    pub fn import(
        &self,
        provider: &dyn PublicKeyProvider,
        own: &KnownPeer,
        der: &[u8],
    ) -> Result<(CertificateEntity, CertificateType), SecurityError> {
        let certificate = Certificate::from_der(der)?;
        let certificate_type = certificate.certificate_type();
        let expectation = Expectation { time: self.time(), ..Expectation::purpose(certificate_type) };
        certificate.verify(provider, &self, &expectation)?;
        let entity = match certificate.title() {
            _ if certificate.is_authority() => CertificateEntity::CertificationAuthority,
            Some(title) if title == own.title => CertificateEntity::Server,
            Some(_) => CertificateEntity::Client,
            None => {
                let at = offset_in(der, certificate.subject().der());
                return Err(CertificateFault::SystemTitle.at(at).into());
            }
        };
        if entity == CertificateEntity::Server {
            let usage = certificate_type.usage().map_or(0, |usage| usage as usize);
            if own.keys.get(usage).copied().flatten().as_ref() != Some(certificate.public_key()) {
                return Err(SecurityError::InvalidKey);
            }
        }
        self.insert(&StoredCertificate { entity, is_trust_anchor: false, certificate })?;
        Ok((entity, certificate_type))
    }

    fn count(&self, is_meant: impl Fn(&StoredCertificate<'_>) -> bool) -> usize {
        let mut count = 0usize;
        self.visit(&mut |stored| {
            count = count.saturating_add(usize::from(is_meant(stored)));
            ControlFlow::Continue(())
        });
        count
    }
}

impl Authorities for &(dyn CertificateStore + '_) {
    fn visit_authorities(&self, visit: &mut dyn FnMut(&Authority<'_>) -> ControlFlow<()>) {
        visit_authorities(*self, visit);
    }
}

impl<S: CertificateStore> Authorities for S {
    fn visit_authorities(&self, visit: &mut dyn FnMut(&Authority<'_>) -> ControlFlow<()>) {
        visit_authorities(self, visit);
    }
}

fn visit_authorities(store: &dyn CertificateStore, visit: &mut dyn FnMut(&Authority<'_>) -> ControlFlow<()>) {
    store.visit(&mut |stored| {
        if !stored.certificate.is_authority() {
            return ControlFlow::Continue(());
        }
        visit(&Authority { certificate: stored.certificate, is_trust_anchor: stored.is_trust_anchor })
    });
}

impl<S: CertificateStore> PeerKeys for S {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        let mut key = None;
        self.visit(&mut |stored| {
            let expectation =
                Expectation { time: self.time(), ..Expectation::purpose(usage.into()).of(owner) };
            if stored.certificate.check(&expectation).is_err() {
                return ControlFlow::Continue(());
            }
            key = Some(*stored.certificate.public_key());
            ControlFlow::Break(())
        });
        key
    }

    fn certified_key(
        &self,
        provider: &dyn PublicKeyProvider,
        certificate: &[u8],
        owner: SystemTitle,
        usage: KeyUsage,
    ) -> Option<PublicKey> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let expectation = Expectation { time: self.time(), ..Expectation::purpose(usage.into()).of(owner) };
        certificate.verify(provider, self, &expectation).ok()?;
        Some(*certificate.public_key())
    }

    fn show_certificate(&self, owner: SystemTitle, usage: KeyUsage, show: &mut dyn FnMut(&[u8])) {
        self.visit(&mut |stored| {
            let expectation =
                Expectation { time: self.time(), ..Expectation::purpose(usage.into()).of(owner) };
            if stored.certificate.check(&expectation).is_err() {
                return ControlFlow::Continue(());
            }
            show(stored.certificate.der());
            ControlFlow::Break(())
        });
    }
}
