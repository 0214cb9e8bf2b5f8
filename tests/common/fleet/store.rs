//! What a head-end keeps, and how it is killed while it writes.

use dlms::client::rotation::{MeterKeys, PendingCertificate, PendingKey, RenewalStore, RotationStore};
use dlms_security::{KeyId, KeyUsage, SecretKey, SecuritySuite, StorageError};

/// What survives the head-end.
pub struct Store {
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

impl RotationStore for Store {
    fn keys(&mut self) -> Result<MeterKeys, StorageError> {
        Ok(self.keys.clone())
    }

    fn pending(&mut self) -> Result<Option<PendingKey>, StorageError> {
        Ok(self.pending.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingKey>) -> Result<(), StorageError> {
        self.write(|store| store.pending = pending.cloned())
    }

    fn commit(&mut self, id: KeyId, key: &SecretKey, next: Option<&PendingKey>) -> Result<(), StorageError> {
        self.write(|store| {
            store.keys.set(store.suite, id, key).unwrap();
            store.pending = next.cloned();
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
