//! Certificates in memory, for as long as the process lives.

use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;

use super::store::{CertificateEntity, CertificateStore, Meeting, StoredCertificate};
use super::{Certificate, CertificateTime};
use crate::{SecurityError, StorageError};

/// A store of `N` certificates of at most `SIZE` octets each, in memory: for tests, for a client that loads its
/// certificates at start, for a meter whose storage keeps the whole of it.
#[derive(Debug)]
pub struct MemoryCertificates<const N: usize, const SIZE: usize = 1024> {
    slots: RefCell<[Slot<SIZE>; N]>,
    time: Cell<Option<CertificateTime>>,
}

#[derive(Debug)]
struct Slot<const SIZE: usize> {
    entity: CertificateEntity,
    is_trust_anchor: bool,
    /// 0 if there is none.
    length: usize,
    der: [u8; SIZE],
}

impl<const SIZE: usize> Slot<SIZE> {
    const EMPTY: Self =
        Self { entity: CertificateEntity::Other, is_trust_anchor: false, length: 0, der: [0; SIZE] };

    fn stored(&self) -> Option<StoredCertificate<'_>> {
        let der = self.der.get(..self.length).filter(|der| !der.is_empty())?;
        Some(StoredCertificate {
            entity: self.entity,
            is_trust_anchor: self.is_trust_anchor,
            certificate: Certificate::from_der_within(der, SIZE).ok()?,
        })
    }
}

impl<const N: usize, const SIZE: usize> MemoryCertificates<N, SIZE> {
    /// An empty store.
    pub const fn new() -> Self {
        Self { slots: RefCell::new([const { Slot::EMPTY }; N]), time: Cell::new(None) }
    }

    /// Sets the present time; `None` if it is not known.
    pub fn set_time(&self, time: Option<CertificateTime>) {
        self.time.set(time);
    }
}

impl<const N: usize, const SIZE: usize> Default for MemoryCertificates<N, SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const SIZE: usize> CertificateStore for MemoryCertificates<N, SIZE> {
    fn visit(&self, visit: &mut dyn FnMut(&StoredCertificate<'_>) -> ControlFlow<()>) {
        let Ok(slots) = self.slots.try_borrow() else { return };
        let _ = slots.iter().filter_map(Slot::stored).try_for_each(|stored| visit(&stored));
    }

    fn insert(&self, new: &StoredCertificate<'_>) -> Result<(), SecurityError> {
        let der = new.certificate.der();
        let mut slots = self.slots.try_borrow_mut().map_err(|_| StorageError)?;
        if der.len() > SIZE {
            return Err(SecurityError::BufferTooSmall { needed: der.len(), available: SIZE });
        }
        let mut place = None;
        for (index, slot) in slots.iter().enumerate() {
            match slot.stored().map(|stored| new.meets(&stored)).transpose()? {
                Some(Meeting::IsThere) => return Ok(()),
                Some(Meeting::Replaces) => place = Some(index),
                None if place.is_none() => place = Some(index),
                _ => {}
            }
        }
        let slot = place.and_then(|index| slots.get_mut(index)).ok_or(SecurityError::StoreFull)?;
        let room = slot.der.get_mut(..der.len()).ok_or(SecurityError::StoreFull)?;
        room.copy_from_slice(der);
        slot.length = der.len();
        slot.entity = new.entity;
        slot.is_trust_anchor = new.is_trust_anchor;
        Ok(())
    }

    fn remove(
        &self,
        is_meant: &mut dyn FnMut(&StoredCertificate<'_>) -> bool,
    ) -> Result<bool, SecurityError> {
        let mut slots = self.slots.try_borrow_mut().map_err(|_| StorageError)?;
        let meant = slots.iter_mut().find(|slot| slot.stored().is_some_and(|stored| is_meant(&stored)));
        let found = meant.map(|slot| slot.length = 0);
        Ok(found.is_some())
    }

    fn time(&self) -> Option<CertificateTime> {
        self.time.get()
    }
}
