//! Key pairs and certificates: methods 4 to 8 and attribute 6.
//!
//! A new key pair waits beside the one in use until its certificate has been imported and verified. The certificate is
//! stored first and the pair then takes its place; a power cut between the two is made good by
//! [`KeyManager::recover`].

use core::ops::ControlFlow;

use cosem_objects::classes::{CertificateIdentification, CertificateInfo};
use cosem_objects::{ActionResult, GetError, classes};
use dlms_axdr::{Data, Encoder, Enum, FromData};
use dlms_security::certificate::{
    Certificate, CertificateEntity, CertificateId, CertificateStore, CertificateType, StoredCertificate,
    write_request,
};
use dlms_security::{
    CryptoProvider, KeyPairChange, KeyPairSlot, KeyStore, KeyUsage, KnownPeer, PrivateKey, PublicKey,
    PublicKeyProvider, SecurityError, SetupChange, StorageError, SystemTitle,
};

use super::agreement::too_long;
use super::install::{failed, unusable};
use super::{KeyManager, PairChange, Setup, SetupKeyPairs};
use crate::protection::KeyPairs;

/// Room for a certification request.
const REQUEST: usize = 512;

impl<P: CryptoProvider, S: KeyStore> KeyManager<P, S> {
    /// Method 4. Making a key pair takes as long as the provider takes: seconds on a small meter without a secure
    /// element.
    pub(super) fn generate_key_pair(
        &mut self,
        setup: &mut Setup<'_, P>,
        parameter: Data<'_>,
    ) -> Result<(), ActionResult> {
        let usage = usage(parameter)?;
        let curve = setup.context.suite().curve().ok_or(ActionResult::OtherReason)?;
        let pairs = setup.key_pairs.as_mut().ok_or(ActionResult::OtherReason)?;
        let key = pairs.provider.generate(curve).map_err(unusable)?;
        let change = KeyPairChange { usage, slot: KeyPairSlot::Pending, key: Some(&key) };
        if let Err(error) = self.store_pairs(setup.number, &[change]) {
            pairs.provider.discard(&key);
            return Err(error);
        }
        pairs.own.set_pending(usage, Some(key));
        Ok(())
    }

    /// Method 5: a request for the new pair, or for the one in use if there is no new one.
    pub(super) fn generate_certificate_request(
        &self,
        setup: &Setup<'_, P>,
        parameter: Data<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ActionResult> {
        let usage = usage(parameter)?;
        let pairs = setup.key_pairs.as_ref().ok_or(ActionResult::OtherReason)?;
        let key = pairs.own.pending(usage).or(pairs.own.in_use(usage)).ok_or(ActionResult::OtherReason)?;
        let mut buffer = [0; REQUEST];
        let request = write_request(pairs.provider, key, setup.context.own_title(), &mut buffer);
        encoder.data(request.map_err(unusable)?).map_err(too_long)
    }

    /// Method 6.
    pub(super) fn import_certificate(
        &mut self,
        setup: &mut Setup<'_, P>,
        parameter: Data<'_>,
    ) -> Result<(), ActionResult> {
        let der = <&[u8]>::from_data(parameter)?;
        let store = setup.certificates.ok_or(ActionResult::OtherReason)?;
        let title = setup.context.own_title();
        let pairs = setup.key_pairs.as_mut().ok_or(ActionResult::OtherReason)?;
        let certificate = Certificate::from_der(der).map_err(|_| ActionResult::OtherReason)?;
        // It may be for the new pair, or a renewal for the one in use.
        let mut promoted = None;
        let mut own = KnownPeer { title, keys: [None; KeyUsage::ALL.len()] };
        for usage in KeyUsage::ALL {
            let pending = pairs.pending_key(usage).filter(|key| key == certificate.public_key());
            if pending.is_some() && certificate.certificate_type() == usage.into() {
                promoted = Some(usage);
            }
            if let Some(place) = own.keys.get_mut(usage as usize) {
                *place = pending.or_else(|| pairs.public_key(pairs.own.in_use(usage)));
            }
        }
        store.import(pairs.provider, &own, der).map_err(refused)?;
        if let Some(usage) = promoted {
            self.store_promotion(setup.number, usage, pairs.own).map_err(failed)?;
            self.pair_change = Some(PairChange { setup: setup.number, usage, is_removal: false });
        }
        Ok(())
    }

    /// Method 7.
    pub(super) fn export_certificate(
        &self,
        setup: &Setup<'_, P>,
        parameter: Data<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ActionResult> {
        let id = identification(parameter)?;
        let store = setup.certificates.ok_or(ActionResult::OtherReason)?;
        let found = store.find(&id, |stored| encoder.data(stored.certificate.der()));
        found.map_err(refused)?.map_err(too_long)
    }

    /// Method 8. The server's own certificate takes its private key along: the key goes first, so that a power cut
    /// leaves a certificate without a key, which can be removed again, and never a key without a certificate.
    pub(super) fn remove_certificate(
        &mut self,
        setup: &mut Setup<'_, P>,
        parameter: Data<'_>,
    ) -> Result<(), ActionResult> {
        let id = identification(parameter)?;
        let store = setup.certificates.ok_or(ActionResult::OtherReason)?;
        let found = store.find(&id, |stored| {
            let own = stored.entity == CertificateEntity::Server;
            let usage = stored.certificate.certificate_type().usage().filter(|_| own);
            (stored.is_trust_anchor, usage, *stored.certificate.public_key())
        });
        let (is_trust_anchor, usage, key) = found.map_err(refused)?;
        if is_trust_anchor {
            return Err(ActionResult::OtherReason);
        }
        if let (Some(usage), Some(pairs)) = (usage, setup.key_pairs.as_mut())
            && pairs.public_key(pairs.own.in_use(usage)) == Some(key)
        {
            self.store_pairs(setup.number, &[KeyPairChange { usage, slot: KeyPairSlot::InUse, key: None }])?;
            self.pair_change = Some(PairChange { setup: setup.number, usage, is_removal: true });
        }
        store.remove_certificate(&id).map(|_| ()).map_err(refused)
    }

    /// Completes what a power cut left half done: a new key pair takes its place whose certificate is there. To be
    /// called at start for each security setup with key pairs.
    ///
    /// # Errors
    /// [`StorageError`]: the pair keeps waiting.
    pub fn recover(
        &mut self,
        setup: usize,
        certificates: &dyn CertificateStore,
        provider: &dyn PublicKeyProvider,
        own_title: SystemTitle,
        own: &mut KeyPairs,
    ) -> Result<(), StorageError> {
        for usage in KeyUsage::ALL {
            let Some(key) = own.pending(usage).and_then(|key| provider.public_key(key).ok()) else {
                continue;
            };
            let id = CertificateId::ByEntity {
                entity: CertificateEntity::Server,
                certificate_type: usage.into(),
                title: own_title.octets(),
            };
            if certificates.find(&id, |stored| *stored.certificate.public_key() == key) != Ok(true) {
                continue;
            }
            self.store_promotion(setup, usage, own)?;
            own.promote(usage);
        }
        Ok(())
    }

    fn store_promotion(&mut self, setup: usize, usage: KeyUsage, own: &KeyPairs) -> Result<(), StorageError> {
        let change = |slot, key| KeyPairChange { usage, slot, key };
        let changes = [change(KeyPairSlot::InUse, own.pending(usage)), change(KeyPairSlot::Pending, None)];
        self.store.install(setup, &SetupChange { key_pairs: &changes, ..SetupChange::default() })
    }

    fn store_pairs(&mut self, setup: usize, changes: &[KeyPairChange<'_>]) -> Result<(), ActionResult> {
        let change = SetupChange { key_pairs: changes, ..SetupChange::default() };
        self.store.install(setup, &change).map_err(failed)
    }
}

impl SetupKeyPairs<'_> {
    fn public_key(&self, key: Option<&PrivateKey>) -> Option<PublicKey> {
        self.provider.public_key(key?).ok()
    }

    fn pending_key(&self, usage: KeyUsage) -> Option<PublicKey> {
        self.public_key(self.own.pending(usage))
    }
}

/// Writes attribute 6: every certificate, trust anchors too.
pub(super) fn write_certificates(
    store: &dyn CertificateStore,
    encoder: &mut Encoder<'_>,
) -> Result<(), GetError> {
    if encoder.next() == 0 {
        let mut count = 0usize;
        store.visit(&mut |_| {
            count = count.saturating_add(1);
            ControlFlow::Continue(())
        });
        encoder.array(count)?;
        encoder.element_done();
    }
    let first = encoder.next().saturating_sub(1);
    let (mut index, mut result) = (0u32, Ok(()));
    store.visit(&mut |stored| {
        let is_due = index >= first;
        index = index.saturating_add(1);
        if is_due {
            result = encoder.data(&info(stored));
            if result.is_err() {
                return ControlFlow::Break(());
            }
            encoder.element_done();
        }
        ControlFlow::Continue(())
    });
    Ok(result?)
}

fn info<'s>(stored: &StoredCertificate<'s>) -> CertificateInfo<'s> {
    let certificate = &stored.certificate;
    CertificateInfo {
        entity: match stored.entity {
            CertificateEntity::Server => classes::CertificateEntity::Server,
            CertificateEntity::Client => classes::CertificateEntity::Client,
            CertificateEntity::CertificationAuthority => classes::CertificateEntity::CertificationAuthority,
            CertificateEntity::Other => classes::CertificateEntity::Other,
        },
        certificate_type: match certificate.certificate_type() {
            CertificateType::DigitalSignature => classes::CertificateType::DigitalSignature,
            CertificateType::KeyAgreement => classes::CertificateType::KeyAgreement,
            CertificateType::Tls => classes::CertificateType::Tls,
            CertificateType::Other => classes::CertificateType::Other,
        },
        serial_number: certificate.serial_number(),
        issuer: certificate.issuer().der(),
        subject: certificate.subject().der(),
        subject_alt_name: certificate.subject_alternative_name().unwrap_or_default(),
    }
}

fn identification(parameter: Data<'_>) -> Result<CertificateId<'_>, ActionResult> {
    Ok(match CertificateIdentification::from_data(parameter)? {
        CertificateIdentification::ByEntity { entity, certificate_type, system_title } => {
            CertificateId::ByEntity {
                entity: CertificateEntity::from_id(entity.code()).ok_or(ActionResult::OtherReason)?,
                certificate_type: CertificateType::from_id(certificate_type.code())
                    .ok_or(ActionResult::OtherReason)?,
                title: system_title,
            }
        }
        CertificateIdentification::BySerialNumber { serial_number, issuer } => {
            CertificateId::BySerialNumber { serial_number, issuer }
        }
    })
}

/// The key pair that a parameter names.
fn usage(parameter: Data<'_>) -> Result<KeyUsage, ActionResult> {
    let Enum(code) = Enum::from_data(parameter)?;
    KeyUsage::from_id(code).ok_or(ActionResult::OtherReason)
}

const fn refused(error: SecurityError) -> ActionResult {
    match error {
        SecurityError::Storage(_) => ActionResult::HardwareFault,
        _ => ActionResult::OtherReason,
    }
}
