//! What a head-end keeps, and how it is killed while it writes.

use dlms::client::rotation::{
    MeterKeys, PendingCertificate, PendingKey, RenewalStore, RotationStore, SetupKeys,
};
use dlms_security::{CryptoProvider, KeyId, KeyUsage, SecretKey, SecuritySuite, StorageError};

use super::nonces::Recorder;

/// What survives the head-end.
pub struct Store {
    pub(super) recorder: Recorder,
    pub(super) suite: SecuritySuite,
    pub keys: MeterKeys,
    pub pending: Option<PendingKey>,
    pub certificate: Option<Vec<u8>>,
    pub pending_certificate: Option<PendingCertificate>,
    pub commits: usize,
    pub writes: usize,
    /// The head-end is killed at the write with this number, before or after it.
    pub kill_at_write: Option<(usize, bool)>,
    pub(super) was_killed: bool,
}

impl Store {
    fn write(&mut self, write: impl FnOnce(&mut Self)) -> Result<(), StorageError> {
        let kill = self.kill_at_write.filter(|(number, _)| *number == self.writes);
        self.writes += 1;
        if kill.is_none_or(|(_, is_done)| is_done) {
            write(self);
        }
        match kill {
            Some(_) => {
                self.was_killed = true;
                Err(StorageError)
            }
            None => Ok(()),
        }
    }
}

impl Store {
    /// A key in use.
    pub fn key(&self, id: KeyId) -> SecretKey {
        let keys = &self.keys;
        match id {
            KeyId::GlobalUnicast => keys.unicast.clone(),
            KeyId::Authentication => match keys.authentication.as_handle() {
                Some(handle) => SecretKey::handle(handle).unwrap(),
                None => SecretKey::new(self.suite, keys.authentication.expose()).unwrap(),
            },
            KeyId::GlobalBroadcast => keys.broadcast.clone().unwrap(),
            KeyId::Master => keys.master.clone().unwrap(),
        }
    }

    /// With what an association is opened.
    pub fn setup_keys(&self) -> SetupKeys {
        SetupKeys { unicast: self.keys.unicast.clone(), authentication: self.keys.authentication.clone() }
    }

    /// A key that is neither in use nor pending any more is given up.
    fn put_pending(&mut self, pending: Option<&PendingKey>) {
        let before = core::mem::replace(&mut self.pending, pending.cloned()).and_then(|pending| pending.key);
        let is = |key: &SecretKey| {
            let key = key.clone();
            move |other: &SecretKey| other.expose() == key.expose()
        };
        let is_kept = |key: &SecretKey| {
            let is_pending =
                self.pending.as_ref().is_some_and(|pending| pending.key.as_ref().is_some_and(is(key)));
            is_pending || KeyId::ALL.iter().any(|id| is(key)(&self.key(*id)))
        };
        if let Some(before) = before.filter(|key| !is_kept(key)) {
            self.recorder.discard(&before);
        }
    }
}

impl RotationStore for Store {
    fn keys(&mut self) -> Result<MeterKeys, StorageError> {
        Ok(self.keys.clone())
    }

    fn pending(&mut self) -> Result<Option<PendingKey>, StorageError> {
        Ok(self.pending.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingKey>) -> Result<(), StorageError> {
        self.write(|store| store.put_pending(pending))
    }

    fn commit(&mut self, id: KeyId, key: &SecretKey, next: Option<&PendingKey>) -> Result<(), StorageError> {
        self.write(|store| {
            let replaced = store.key(id);
            store.recorder.discard(&replaced);
            store.keys.set(store.suite, id, key).unwrap();
            store.put_pending(next);
            store.commits += 1;
        })
    }
}

impl RenewalStore for Store {
    fn pending(&mut self) -> Result<Option<PendingCertificate>, StorageError> {
        Ok(self.pending_certificate.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingCertificate>) -> Result<(), StorageError> {
        self.write(|store| store.pending_certificate = pending.cloned())
    }

    fn commit(&mut self, _: KeyUsage, certificate: &[u8]) -> Result<(), StorageError> {
        self.write(|store| {
            store.certificate = Some(certificate.to_vec());
            store.pending_certificate = None;
            store.commits += 1;
        })
    }
}
