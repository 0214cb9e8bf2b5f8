//! The certificate of a meter is renewed, with a new key pair.
//!
//! ```text
//! export_certificate (the old one) → generate_key_pair → generate_certificate_request → issue
//!     → import_certificate → export_certificate (the new one: read back) → remove_certificate (the old one)
//! ```
//!
//! Everything up to the issue can be done again: the old pair stays in use until a certificate of the new one is
//! imported. The certificate is stored before it is imported; if that answer is lost, reading back tells. With
//! authentication mechanism 7, or signed answers, the association in which it is read back is opened with the new public
//! key, which is the proof by use. The old certificate is removed last, and only where the meter still has it: many
//! replace it when the new one comes.

use cosem_objects::classes::{CertificateEntity, CertificateIdentification, CertificateType, SecuritySetup};
use dlms_axdr::{Data, Enum};
use dlms_obis::LogicalName;
use dlms_security::certificate::{Authorities, Certificate, CertificationRequest, Expectation};
use dlms_security::{KeyUsage, PublicKey, PublicKeyProvider, SecurityError, StorageError, SystemTitle};
use heapless::Vec;

use super::{Access, Answer, RotationError, Step, Tries, encoded, may_have_changed};

/// A certificate or a certification request in DER.
pub type StoredDer = Vec<u8, { Certificate::MAX_LENGTH }>;

/// A certificate that is being renewed, as it is stored.
#[derive(Clone, Debug)]
pub struct PendingCertificate {
    /// What its key is for.
    pub usage: KeyUsage,
    /// The old one, if the meter had one.
    pub old: Option<StoredDer>,
    /// The new one, once it is issued.
    pub new: Option<StoredDer>,
}

/// Where a head-end keeps a meter's certificates, filled in by the application. What is stored is on the medium when the
/// call returns.
pub trait RenewalStore {
    /// What is pending.
    ///
    /// # Errors
    /// [`StorageError`] if that cannot be read.
    fn pending(&mut self) -> Result<Option<PendingCertificate>, StorageError>;

    /// Stores what is pending in place of what was; `None` if nothing is any more, because nothing has changed.
    ///
    /// # Errors
    /// [`StorageError`] if it may not be on the medium. Nothing is sent then.
    fn set_pending(&mut self, pending: Option<&PendingCertificate>) -> Result<(), StorageError>;

    /// Puts the certificate that the meter has proved to use into the place of the old one; nothing is pending any more.
    /// Both or nothing, whenever power fails.
    ///
    /// # Errors
    /// [`StorageError`]: the certificate stays pending.
    fn commit(&mut self, usage: KeyUsage, certificate: &[u8]) -> Result<(), StorageError>;
}

/// What a renewal uses from outside.
pub struct RenewalEnvironment<'e> {
    /// Who verifies signatures.
    pub provider: &'e dyn PublicKeyProvider,
    /// Where certificates are kept.
    pub store: &'e mut dyn RenewalStore,
    /// Up to whom a new certificate is verified before it is given to the meter.
    pub authorities: &'e dyn Authorities,
}

/// The renewal of one certificate of one meter. See the [module](super) for how it is driven.
#[derive(Debug)]
pub struct CertificateRenewal {
    setup: LogicalName,
    server: SystemTitle,
    pending: PendingCertificate,
    request: StoredDer,
    state: State,
    /// With what the next association is opened.
    access: Access,
    open: Option<Access>,
    is_asked: bool,
    refused: [bool; 2],
    /// What the meter said when it refused the new one.
    denial: Option<u8>,
    tries: Tries,
    requests: Tries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Which one is to be renewed.
    FindOld,
    Generate,
    Request,
    Issue,
    Import,
    ReadBack,
    /// Whether the meter still has the old one.
    CheckOld,
    Remove,
    Finished,
}

impl CertificateRenewal {
    /// Begins to renew the certificate of the meter with this title.
    ///
    /// # Errors
    /// [`RotationError::Unfinished`] if a renewal is pending; the storage.
    pub fn begin(
        env: &mut RenewalEnvironment<'_>,
        setup: LogicalName,
        server: SystemTitle,
        usage: KeyUsage,
    ) -> Result<Self, RotationError> {
        if env.store.pending()?.is_some() {
            return Err(RotationError::Unfinished);
        }
        let pending = PendingCertificate { usage, old: None, new: None };
        Ok(Self::new(setup, server, pending, State::FindOld, Access::Current))
    }

    /// Takes up what is pending; `None` if nothing is.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn resume(
        env: &mut RenewalEnvironment<'_>,
        setup: LogicalName,
        server: SystemTitle,
    ) -> Result<Option<Self>, RotationError> {
        let Some(pending) = env.store.pending()? else { return Ok(None) };
        let (state, access) = match pending.new {
            Some(_) => (State::ReadBack, Access::Pending),
            None => (State::FindOld, Access::Current),
        };
        Ok(Some(Self::new(setup, server, pending, state, access)))
    }

    const fn new(
        setup: LogicalName,
        server: SystemTitle,
        pending: PendingCertificate,
        state: State,
        access: Access,
    ) -> Self {
        Self {
            setup,
            server,
            pending,
            request: Vec::new(),
            state,
            access,
            open: None,
            is_asked: false,
            refused: [false; 2],
            denial: None,
            tries: Tries(0),
            requests: Tries(0),
        }
    }

    /// What the certificate is for.
    pub const fn usage(&self) -> KeyUsage {
        self.pending.usage
    }

    /// The public key that the meter is to be known by; `None` if nothing was pending or read yet, or for
    /// [`Access::Other`]: then the one that is known.
    pub fn public_key(&self, access: Access) -> Option<PublicKey> {
        let der = match access {
            Access::Current => self.pending.old.as_ref()?,
            Access::Pending => self.pending.new.as_ref()?,
            Access::Other => return None,
        };
        Some(*Certificate::from_der(der).ok()?.public_key())
    }

    /// What to do next; the same again until [`CertificateRenewal::answer`], or [`CertificateRenewal::issued`], is called.
    /// `buffer` holds a parameter: [`STEP_BUFFER`](super::STEP_BUFFER) octets are enough.
    ///
    /// # Errors
    /// What is kept is no certificate.
    pub fn next<'s>(&'s mut self, buffer: &'s mut [u8]) -> Result<Step<'s>, RotationError> {
        if self.state == State::Finished {
            return Ok(Step::Done);
        }
        if self.state == State::Issue {
            return Ok(Step::Issue(&self.request));
        }
        self.is_asked = true;
        if self.open != Some(self.access) {
            self.open = None;
            return Ok(Step::Associate(self.access));
        }
        let usage = Enum(self.pending.usage as u8);
        let (method, parameter) = match self.state {
            State::FindOld => {
                let id = CertificateIdentification::ByEntity {
                    entity: CertificateEntity::Server,
                    certificate_type: match self.pending.usage {
                        KeyUsage::DigitalSignature => CertificateType::DigitalSignature,
                        KeyUsage::KeyAgreement => CertificateType::KeyAgreement,
                        KeyUsage::Tls => CertificateType::Tls,
                    },
                    system_title: self.server.octets(),
                };
                (SecuritySetup::EXPORT_CERTIFICATE.of(self.setup), encoded(&id, buffer)?)
            }
            State::Generate => (SecuritySetup::GENERATE_KEY_PAIR.of(self.setup), encoded(&usage, buffer)?),
            State::Request => {
                (SecuritySetup::GENERATE_CERTIFICATE_REQUEST.of(self.setup), encoded(&usage, buffer)?)
            }
            State::Import => {
                let der = self.pending.new.as_ref().ok_or(RotationError::Unexpected)?;
                (SecuritySetup::IMPORT_CERTIFICATE.of(self.setup), Data::OctetString(der))
            }
            State::ReadBack => {
                let id = by_number(self.pending.new.as_ref(), buffer)?;
                (SecuritySetup::EXPORT_CERTIFICATE.of(self.setup), id)
            }
            State::CheckOld => {
                let id = by_number(self.pending.old.as_ref(), buffer)?;
                (SecuritySetup::EXPORT_CERTIFICATE.of(self.setup), id)
            }
            State::Remove => {
                let id = by_number(self.pending.old.as_ref(), buffer)?;
                (SecuritySetup::REMOVE_CERTIFICATE.of(self.setup), id)
            }
            State::Issue | State::Finished => return Err(RotationError::Unexpected),
        };
        Ok(Step::Invoke(method.into(), parameter))
    }

    /// Takes the certificate that was issued: it is verified, and stored before it is sent.
    ///
    /// # Errors
    /// [`RotationError::Security`] if it is not one for the request, or nobody vouches for it.
    pub fn issued(&mut self, env: &mut RenewalEnvironment<'_>, der: &[u8]) -> Result<(), RotationError> {
        if self.state != State::Issue {
            return Err(RotationError::Unexpected);
        }
        let request = CertificationRequest::from_der(&self.request).map_err(SecurityError::from)?;
        let certificate = Certificate::from_der(der).map_err(SecurityError::from)?;
        if certificate.public_key() != request.public_key() {
            return Err(SecurityError::InvalidKey.into());
        }
        let expectation = Expectation::purpose(self.pending.usage.into()).of(self.server);
        certificate.verify(env.provider, env.authorities, &expectation)?;
        self.pending.new = Some(stored(der)?);
        env.store.set_pending(Some(&self.pending))?;
        self.state = State::Import;
        Ok(())
    }

    /// Takes what came of the last step.
    ///
    /// # Errors
    /// Why the renewal ends here; [`RotationError`] says whether it can be resumed.
    pub fn answer(
        &mut self,
        env: &mut RenewalEnvironment<'_>,
        answer: Answer<'_>,
    ) -> Result<(), RotationError> {
        if !core::mem::replace(&mut self.is_asked, false) {
            return Err(RotationError::Unexpected);
        }
        if self.open.is_none() {
            return self.associated(answer);
        }
        match answer {
            Answer::Returned(value) => {
                self.tries.reset();
                self.returned(env, value)
            }
            Answer::Denied(result) => self.denied(env, result),
            Answer::Unreached | Answer::Lost => {
                self.open = None;
                // Whether it was imported is to be seen.
                if self.state == State::Import && answer == Answer::Lost {
                    (self.state, self.access) = (State::ReadBack, Access::Pending);
                }
                if self.state == State::Remove {
                    self.state = State::CheckOld;
                }
                self.tries.failed()
            }
            Answer::Associated | Answer::NotAssociated => Err(RotationError::Unexpected),
        }
    }

    fn associated(&mut self, answer: Answer<'_>) -> Result<(), RotationError> {
        match answer {
            Answer::Associated => {
                self.open = Some(self.access);
                self.refused = [false; 2];
                Ok(())
            }
            // The meter may use the other key pair.
            Answer::NotAssociated if self.pending.new.is_some() => {
                let [current, pending] = &mut self.refused;
                let (refused, other) = match self.access {
                    Access::Pending => (pending, Access::Current),
                    _ => (current, Access::Pending),
                };
                *refused = true;
                self.access = other;
                if self.refused == [true; 2] { Err(RotationError::NeitherKey) } else { Ok(()) }
            }
            Answer::NotAssociated => Err(RotationError::NotAssociated),
            Answer::Unreached | Answer::Lost => self.tries.failed(),
            Answer::Returned(_) | Answer::Denied(_) => Err(RotationError::Unexpected),
        }
    }

    fn returned(
        &mut self,
        env: &mut RenewalEnvironment<'_>,
        value: Option<Data<'_>>,
    ) -> Result<(), RotationError> {
        match self.state {
            State::FindOld => {
                let der = octets(value)?;
                let certificate = Certificate::from_der(der).map_err(SecurityError::from)?;
                if certificate.title() != Some(self.server) {
                    return Err(RotationError::Malformed("a certificate of somebody else"));
                }
                self.pending.old = Some(stored(der)?);
                self.begin_pair(env)
            }
            State::Generate => {
                self.state = State::Request;
                Ok(())
            }
            State::Request => self.take_request(env, octets(value)?),
            State::Import => {
                // What follows is said under the new key pair.
                (self.state, self.access, self.open) = (State::ReadBack, Access::Pending, None);
                Ok(())
            }
            State::ReadBack => {
                if Some(octets(value)?) != self.pending.new.as_deref() {
                    return Err(RotationError::NotInUse);
                }
                // Where the key pair shows in the association, the meter must have changed it.
                if self.access != Access::Pending {
                    return Err(RotationError::NotInUse);
                }
                match self.pending.old {
                    Some(_) => self.state = State::CheckOld,
                    None => self.commit(env)?,
                }
                Ok(())
            }
            State::CheckOld => {
                self.state = State::Remove;
                Ok(())
            }
            State::Remove => self.commit(env),
            State::Issue | State::Finished => Err(RotationError::Unexpected),
        }
    }

    fn denied(&mut self, env: &mut RenewalEnvironment<'_>, result: u8) -> Result<(), RotationError> {
        match self.state {
            State::FindOld => self.begin_pair(env),
            // It may be there all the same, where the meter failed half-way.
            State::Import => {
                (self.state, self.access, self.open) = (State::ReadBack, Access::Pending, None);
                self.denial = Some(result);
                Ok(())
            }
            State::ReadBack => match self.denial {
                Some(denial) if may_have_changed(denial) => Err(RotationError::Doubtful(denial)),
                // It is not of a pair that the meter has: one begins anew.
                Some(denial) => {
                    env.store.set_pending(None)?;
                    Err(RotationError::Refused(denial))
                }
                None => {
                    self.requests.failed().map_err(|_| RotationError::NotInUse)?;
                    self.state = State::Import;
                    Ok(())
                }
            },
            // It is gone, or it stays: the new one is in use all the same.
            State::CheckOld | State::Remove => self.commit(env),
            _ => {
                env.store.set_pending(None)?;
                Err(RotationError::Refused(result))
            }
        }
    }

    fn begin_pair(&mut self, env: &mut RenewalEnvironment<'_>) -> Result<(), RotationError> {
        env.store.set_pending(Some(&self.pending))?;
        self.state = State::Generate;
        Ok(())
    }

    fn take_request(&mut self, env: &RenewalEnvironment<'_>, der: &[u8]) -> Result<(), RotationError> {
        let request = CertificationRequest::from_der(der).map_err(SecurityError::from)?;
        request.verify(env.provider)?;
        if request.title().is_some_and(|title| title != self.server) {
            return Err(RotationError::Malformed("a certification request of somebody else"));
        }
        let old = self.public_key(Access::Current);
        if old.as_ref() == Some(request.public_key()) {
            // The meter has no new pair.
            self.requests.failed().map_err(|_| RotationError::NotInUse)?;
            self.state = State::Generate;
            return Ok(());
        }
        self.request = stored(der)?;
        self.state = State::Issue;
        Ok(())
    }

    fn commit(&mut self, env: &mut RenewalEnvironment<'_>) -> Result<(), RotationError> {
        let new = self.pending.new.as_ref().ok_or(RotationError::Unexpected)?;
        env.store.commit(self.pending.usage, new)?;
        self.state = State::Finished;
        Ok(())
    }
}

/// A certificate by its number and issuer.
fn by_number<'b>(der: Option<&StoredDer>, buffer: &'b mut [u8]) -> Result<Data<'b>, RotationError> {
    let der = der.ok_or(RotationError::Unexpected)?;
    let certificate = Certificate::from_der(der).map_err(SecurityError::from)?;
    let id = CertificateIdentification::BySerialNumber {
        serial_number: certificate.serial_number(),
        issuer: certificate.issuer().der(),
    };
    encoded(&id, buffer)
}

fn octets(value: Option<Data<'_>>) -> Result<&[u8], RotationError> {
    match value {
        Some(Data::OctetString(octets)) => Ok(octets),
        _ => Err(RotationError::Malformed("no octet-string")),
    }
}

fn stored(der: &[u8]) -> Result<StoredDer, RotationError> {
    Vec::from_slice(der).map_err(|_| RotationError::Malformed("longer than a certificate may be"))
}
