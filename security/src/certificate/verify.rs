//! Whether a certificate is to be believed: the path from it to a trust anchor.
//!
//! Each certificate of the path is valid at the given time, each issuer is an authority whose name and key identifier the
//! next one gives and whose path length allows what follows, and each signature verifies under the issuer's key. The
//! certificate itself is for the expected purpose and of the expected title. There is no revocation: an operator removes
//! what it no longer trusts.

use core::ops::ControlFlow;

use super::read::offset_in;
use super::{Certificate, CertificateError, CertificateFault, CertificateTime, CertificateType};
use crate::{PublicKey, PublicKeyProvider, SecurityError, SystemTitle};

/// The most authorities in a path, the trust anchor included.
pub const MAX_AUTHORITIES: usize = 4;

/// What a certificate must be for its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// What its key is to be used for.
    pub certificate_type: CertificateType,
    /// Whose it must be. `None` accepts anybody: for a certificate that is imported, or that is of an authority.
    pub title: Option<SystemTitle>,
    /// The present time, where it is known and trusted; without it no validity is checked. A clock that can be set back
    /// makes expired certificates valid again: keep a floor under it.
    pub time: Option<CertificateTime>,
    /// Whether subordinate authorities and TLS certificates must name their policies.
    pub needs_policies: bool,
}

impl Expectation {
    /// A certificate for this purpose, of anybody, at any time.
    pub const fn purpose(certificate_type: CertificateType) -> Self {
        Self { certificate_type, title: None, time: None, needs_policies: false }
    }

    /// Of this party alone.
    #[must_use]
    pub const fn of(self, title: SystemTitle) -> Self {
        Self { title: Some(title), ..self }
    }

    /// Valid at this time.
    #[must_use]
    pub const fn at(self, time: CertificateTime) -> Self {
        Self { time: Some(time), ..self }
    }
}

/// An authority that may have issued certificates.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// Its certificate.
    pub certificate: Certificate<'a>,
    /// Whether it is trusted for its own sake: it was put in at manufacture, or by hand. Otherwise its own certificate is
    /// verified as well.
    pub is_trust_anchor: bool,
}

/// The authorities that this side knows.
pub trait Authorities {
    /// Shows each authority to `visit` until it breaks off.
    fn visit_authorities(&self, visit: &mut dyn FnMut(&Authority<'_>) -> ControlFlow<()>);
}

impl Authorities for [Authority<'_>] {
    fn visit_authorities(&self, visit: &mut dyn FnMut(&Authority<'_>) -> ControlFlow<()>) {
        let _ = self.iter().try_for_each(visit);
    }
}

impl Authorities for &[Authority<'_>] {
    fn visit_authorities(&self, visit: &mut dyn FnMut(&Authority<'_>) -> ControlFlow<()>) {
        (**self).visit_authorities(visit);
    }
}

impl<const N: usize> Authorities for [Authority<'_>; N] {
    fn visit_authorities(&self, visit: &mut dyn FnMut(&Authority<'_>) -> ControlFlow<()>) {
        self.as_slice().visit_authorities(visit);
    }
}

impl Certificate<'_> {
    /// Verifies this certificate up to a trust anchor.
    ///
    /// # Errors
    /// [`SecurityError::Certificate`] with the first fault found, in its own path or in the one that came closest to an
    /// anchor; [`SecurityError::Provider`] if the provider fails.
    pub fn verify(
        &self,
        provider: &dyn PublicKeyProvider,
        authorities: &dyn Authorities,
        expectation: &Expectation,
    ) -> Result<(), SecurityError> {
        self.check(expectation)?;
        // An authority below another one is counted as if it were in between: it is there to issue.
        Path { provider, authorities, expectation }.verify(self, usize::from(self.is_authority()), 1)
    }

    /// Whether the certificate is what is expected, not looking at any signature.
    ///
    /// # Errors
    /// [`CertificateFault::Purpose`], [`CertificateFault::SystemTitle`], [`CertificateFault::NotYetValid`],
    /// [`CertificateFault::Expired`], [`CertificateFault::Policies`].
    pub fn check(&self, expectation: &Expectation) -> Result<(), CertificateError> {
        if self.certificate_type() != expectation.certificate_type {
            return Err(CertificateFault::Purpose.at(0));
        }
        if expectation.title.is_some() && expectation.title != self.title() {
            return Err(CertificateFault::SystemTitle.at(self.offset_of(self.subject().der())));
        }
        self.check_time(expectation)?;
        let is_subject_to_policies = match self.certificate_type() {
            CertificateType::DigitalSignature | CertificateType::KeyAgreement => false,
            CertificateType::Tls => true,
            CertificateType::Other => !self.is_self_issued(),
        };
        if expectation.needs_policies && is_subject_to_policies && !self.has_policies() {
            return Err(CertificateFault::Policies.at(0));
        }
        Ok(())
    }

    /// Verifies the signature with the key of the issuer, and nothing else.
    ///
    /// # Errors
    /// [`CertificateFault::SignatureAlgorithm`] if the key is of another curve than the algorithm that the certificate
    /// names, [`CertificateFault::SignatureMismatch`]; [`SecurityError::Provider`].
    pub fn verify_signature(
        &self,
        provider: &dyn PublicKeyProvider,
        issuer: &PublicKey,
    ) -> Result<(), SecurityError> {
        let at = self.signed().len();
        if issuer.curve() != self.issuer_curve() {
            return Err(CertificateFault::SignatureAlgorithm.at(at).into());
        }
        provider.verify(issuer, &[self.signed()], self.signature()).map_err(|error| match error {
            SecurityError::SignatureMismatch | SecurityError::InvalidKey => {
                CertificateFault::SignatureMismatch.at(at).into()
            }
            other => other,
        })
    }

    fn check_time(&self, expectation: &Expectation) -> Result<(), CertificateError> {
        let Some(time) = expectation.time else { return Ok(()) };
        self.validity().check(time).map_err(|fault| fault.at(self.offset_of(self.issuer().der())))
    }

    fn is_self_issued(&self) -> bool {
        self.issuer() == self.subject()
    }

    fn offset_of(&self, part: &[u8]) -> usize {
        offset_in(self.der(), part)
    }

    /// Whether `issuer` is by name the one that issued this certificate.
    fn names(&self, issuer: &Certificate<'_>) -> bool {
        let is_same_key = match (self.authority_key_id(), issuer.subject_key_id()) {
            (Some(named), Some(own)) => named == own,
            _ => true,
        };
        self.issuer() == issuer.subject() && is_same_key
    }
}

struct Path<'p> {
    provider: &'p dyn PublicKeyProvider,
    authorities: &'p dyn Authorities,
    expectation: &'p Expectation,
}

impl Path<'_> {
    /// Verifies `certificate`, below which `authorities_below` subordinate ones follow, by each authority that could have
    /// issued it.
    fn verify(
        &self,
        certificate: &Certificate<'_>,
        authorities_below: usize,
        depth: usize,
    ) -> Result<(), SecurityError> {
        let at = certificate.offset_of(certificate.issuer().der());
        let mut outcome = Err(CertificateFault::UnknownIssuer.at(at).into());
        self.authorities.visit_authorities(&mut |authority| {
            if authority.is_trust_anchor && authority.certificate.der() == certificate.der() {
                outcome = Ok(());
                return ControlFlow::Break(());
            }
            if !certificate.names(&authority.certificate) {
                return ControlFlow::Continue(());
            }
            outcome = self.verify_under(certificate, authority, authorities_below, depth);
            match outcome {
                Ok(()) => ControlFlow::Break(()),
                Err(_) => ControlFlow::Continue(()),
            }
        });
        outcome
    }

    fn verify_under(
        &self,
        certificate: &Certificate<'_>,
        authority: &Authority<'_>,
        authorities_below: usize,
        depth: usize,
    ) -> Result<(), SecurityError> {
        let issuer = &authority.certificate;
        let is_too_long = issuer.path_length().is_some_and(|most| authorities_below > usize::from(most));
        if is_too_long || depth > MAX_AUTHORITIES {
            return Err(CertificateFault::PathTooLong.at(0).into());
        }
        if !issuer.is_authority() {
            return Err(CertificateFault::UnknownIssuer
                .at(certificate.offset_of(certificate.issuer().der()))
                .into());
        }
        issuer.check_time(self.expectation)?;
        if self.expectation.needs_policies && !authority.is_trust_anchor && !issuer.has_policies() {
            return Err(CertificateFault::Policies.at(0).into());
        }
        certificate.verify_signature(self.provider, issuer.public_key())?;
        if authority.is_trust_anchor {
            return Ok(());
        }
        // The trust anchor of a certificate that is one is itself; another one's is somebody else.
        if issuer.is_self_issued() {
            return Err(CertificateFault::UnknownIssuer.at(0).into());
        }
        self.verify(issuer, authorities_below.saturating_add(1), depth.saturating_add(1))
    }
}
