//! Where a simulated meter keeps its certificates: in a file of its state directory, or in memory.
//!
//! The file is replaced as a whole. The authorities whose certificates are taken are no part of it: a meter is told them
//! each time that it is switched on.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::PathBuf;

use dlms_security::certificate::{
    Certificate, CertificateEntity, CertificateStore, Meeting, StoredCertificate,
};
use dlms_security::{
    KeyUsage, PeerKeys, PublicKey, PublicKeyProvider, SecurityError, StorageError, SystemTitle,
};
use serde::{Deserialize, Serialize};

use crate::Clients;
use crate::notation::{hex, to_hex};
use crate::state::{StateError, read_toml, write_file};

/// How many certificates a meter keeps.
const MOST: usize = 64;

/// The certificates of a meter.
#[derive(Debug)]
pub struct Certificates {
    path: Option<PathBuf>,
    list: RefCell<Vec<Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    entity: CertificateEntity,
    is_trust_anchor: bool,
    der: Vec<u8>,
}

impl Held {
    fn stored(&self) -> Option<StoredCertificate<'_>> {
        let certificate = Certificate::from_der(&self.der).ok()?;
        Some(StoredCertificate { entity: self.entity, is_trust_anchor: self.is_trust_anchor, certificate })
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    certificate: Vec<KeptCertificate>,
}

#[derive(Serialize, Deserialize)]
struct KeptCertificate {
    entity: u8,
    der: String,
}

impl Certificates {
    /// The certificates in a file, if one is named and there, besides those of the authorities.
    pub(crate) fn open(path: Option<PathBuf>, authorities: &[Vec<u8>]) -> Result<Self, StateError> {
        let kept: Kept = match &path {
            Some(path) => read_toml(path)?.unwrap_or_default(),
            None => Kept::default(),
        };
        let anchor = |der: &Vec<u8>| Held {
            entity: CertificateEntity::CertificationAuthority,
            is_trust_anchor: true,
            der: der.clone(),
        };
        let mut list: Vec<_> = authorities.iter().map(anchor).collect();
        list.extend(kept.certificate.iter().filter_map(|kept| {
            let (entity, der) = CertificateEntity::from_id(kept.entity).zip(hex(&kept.der))?;
            Some(Held { entity, is_trust_anchor: false, der })
        }));
        Ok(Self { path, list: RefCell::new(list) })
    }

    /// Writes a new list and takes it: what is not on the medium is not in use either.
    fn replace(&self, list: Vec<Held>) -> Result<(), StorageError> {
        if let Some(path) = &self.path {
            let kept = list.iter().filter(|held| !held.is_trust_anchor);
            let certificate =
                kept.map(|held| KeptCertificate { entity: held.entity as u8, der: to_hex(&held.der) });
            let text =
                toml::to_string(&Kept { certificate: certificate.collect() }).map_err(|_| StorageError)?;
            write_file(path, text.as_bytes()).map_err(|_| StorageError)?;
        }
        *self.list.try_borrow_mut().map_err(|_| StorageError)? = list;
        Ok(())
    }
}

impl CertificateStore for Certificates {
    fn visit(&self, visit: &mut dyn FnMut(&StoredCertificate<'_>) -> ControlFlow<()>) {
        let Ok(list) = self.list.try_borrow() else { return };
        let _ = list.iter().filter_map(Held::stored).try_for_each(|stored| visit(&stored));
    }

    fn insert(&self, new: &StoredCertificate<'_>) -> Result<(), SecurityError> {
        let mut list = self.list.try_borrow().map_err(|_| StorageError)?.clone();
        let mut place = None;
        for (index, held) in list.iter().enumerate() {
            match held.stored().map(|stored| new.meets(&stored)).transpose()? {
                Some(Meeting::IsThere) => return Ok(()),
                Some(Meeting::Replaces) => place = Some(index),
                _ => {}
            }
        }
        let held = Held {
            entity: new.entity,
            is_trust_anchor: new.is_trust_anchor,
            der: new.certificate.der().to_vec(),
        };
        match place {
            Some(index) => list[index] = held,
            None if list.len() >= MOST => return Err(SecurityError::StoreFull),
            None => list.push(held),
        }
        Ok(self.replace(list)?)
    }

    fn remove(
        &self,
        is_meant: &mut dyn FnMut(&StoredCertificate<'_>) -> bool,
    ) -> Result<bool, SecurityError> {
        let mut list = self.list.try_borrow().map_err(|_| StorageError)?.clone();
        let at = list.iter().position(|held| held.stored().is_some_and(|stored| is_meant(&stored)));
        let Some(at) = at else { return Ok(false) };
        list.remove(at);
        self.replace(list)?;
        Ok(true)
    }
}

/// Whom a simulated meter trusts: those whose certificate it has, and the clients that its model knows.
#[derive(Debug)]
pub struct Peers {
    /// The certificates.
    pub certificates: Certificates,
    /// The clients of the model.
    pub clients: Clients,
}

impl PeerKeys for Peers {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        self.certificates.public_key(owner, usage).or_else(|| self.clients.public_key(owner, usage))
    }

    fn certified_key(
        &self,
        provider: &dyn PublicKeyProvider,
        certificate: &[u8],
        owner: SystemTitle,
        usage: KeyUsage,
    ) -> Option<PublicKey> {
        self.certificates.certified_key(provider, certificate, owner, usage)
    }

    fn show_certificate(&self, owner: SystemTitle, usage: KeyUsage, show: &mut dyn FnMut(&[u8])) {
        self.certificates.show_certificate(owner, usage, show);
    }
}
