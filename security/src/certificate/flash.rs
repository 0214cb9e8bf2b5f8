//! Certificates on NOR flash, through the traits of `embedded-storage`: a log in two areas.
//!
//! ```text
//! area:    magic "DLMC", generation u32, checksum u32                          written last when an area is filled
//! record:  kind, entity, is trust anchor, FF,                                  1 certificate, 2 removal
//!          length u16, FF FF, id u32, replaces u32, checksum u32, certificate  of header and certificate
//! ```
//!
//! Numbers are little-endian, each piece is padded to the write size. A record is there when its checksum is, so one that
//! the power cut short is not; what it replaces or removes goes with the same write. Nothing is written behind a record
//! that was cut short: the next change fills the other area with what is left and gives it the higher generation.

use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;

use embedded_storage::nor_flash::NorFlash;

use super::store::{CertificateEntity, CertificateStore, Meeting, StoredCertificate};
use super::{Certificate, CertificateTime};
use crate::{SecurityError, StorageError};

const MAGIC: [u8; 4] = *b"DLMC";
const AREA_HEADER: usize = 12;
const RECORD_HEADER: usize = 20;
const CERTIFICATE: u8 = 1;
const REMOVAL: u8 = 2;
/// The largest unit that flash may be written in.
const CHUNK: usize = 64;

/// A store of at most `N` certificates of at most `SIZE` octets each, on flash.
///
/// Each area takes one certificate at least; for wear it should take several times what is kept. Reading a certificate
/// takes `SIZE` octets of stack.
pub struct FlashCertificates<F, const N: usize, const SIZE: usize = 1024> {
    log: RefCell<Log<F, N, SIZE>>,
    time: Cell<Option<CertificateTime>>,
}

struct Log<F, const N: usize, const SIZE: usize> {
    flash: F,
    start: u32,
    area_length: u32,
    second: bool,
    generation: u32,
    next_id: u32,
    /// Where the next record goes; `None` if the area cannot take one.
    end: Option<u32>,
    entries: [Option<Entry>; N],
}

/// A certificate that is there.
#[derive(Clone, Copy)]
struct Entry {
    id: u32,
    entity: CertificateEntity,
    is_trust_anchor: bool,
    offset: u32,
    length: u16,
}

/// A record header as it is on the medium.
#[derive(Clone, Copy)]
struct Record {
    kind: u8,
    entity: u8,
    is_trust_anchor: bool,
    length: u16,
    id: u32,
    replaces: u32,
}

impl<F: NorFlash, const N: usize, const SIZE: usize> FlashCertificates<F, N, SIZE> {
    /// The store that [`Self::format`] put there.
    ///
    /// # Errors
    /// [`StorageError`] if there is none, or the medium fails, or `N` are too few.
    pub fn open(flash: F, start: u32, area_length: u32) -> Result<Self, StorageError> {
        let mut log = Log::new(flash, start, area_length)?;
        log.load()?;
        Ok(Self { log: RefCell::new(log), time: Cell::new(None) })
    }

    /// An empty store in the `2 * area_length` octets of flash from `start`, at manufacture: what was there is lost.
    ///
    /// # Errors
    /// [`StorageError`] if `start` or `area_length` is no multiple of the erase size, an area is too short, or the medium
    /// fails.
    pub fn format(flash: F, start: u32, area_length: u32) -> Result<Self, StorageError> {
        let mut log = Log::new(flash, start, area_length)?;
        let second = log.area(true);
        log.erase(second)?;
        log.second = true;
        log.switch(None, None).map_err(|_| StorageError)?;
        Ok(Self { log: RefCell::new(log), time: Cell::new(None) })
    }

    /// Sets the present time; `None` if it is not known.
    pub fn set_time(&self, time: Option<CertificateTime>) {
        self.time.set(time);
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.log.into_inner().flash
    }
}

impl<F: NorFlash, const N: usize, const SIZE: usize> CertificateStore for FlashCertificates<F, N, SIZE> {
    fn visit(&self, visit: &mut dyn FnMut(&StoredCertificate<'_>) -> ControlFlow<()>) {
        let mut octets = [0; SIZE];
        for index in 0..N {
            // Let go before the visitor is called: it may come back.
            let entry = match self.log.try_borrow_mut() {
                Ok(mut log) => log.entry(index, &mut octets),
                Err(_) => return,
            };
            let Some((entry, der)) = entry else { continue };
            let Some(stored) = entry.stored(der) else { continue };
            if visit(&stored).is_break() {
                return;
            }
        }
    }

    fn insert(&self, new: &StoredCertificate<'_>) -> Result<(), SecurityError> {
        let der = new.certificate.der();
        let length = u16::try_from(der.len()).ok().filter(|_| der.len() <= SIZE);
        let length = length.ok_or(SecurityError::BufferTooSmall { needed: der.len(), available: SIZE })?;
        let mut log = self.log.try_borrow_mut().map_err(|_| StorageError)?;
        let mut octets = [0; SIZE];
        let mut place = None;
        let mut replaced = None;
        for index in 0..N {
            let Some((entry, der)) = log.entry(index, &mut octets) else {
                if log.entries.get(index).is_some_and(Option::is_none) {
                    place = place.or(Some(index));
                }
                continue;
            };
            let Some(stored) = entry.stored(der) else { continue };
            match new.meets(&stored)? {
                Meeting::IsThere => return Ok(()),
                Meeting::Replaces => replaced = Some((index, entry.id)),
                Meeting::StandsBeside => {}
            }
        }
        let (index, replaces) = replaced.or(place.map(|index| (index, 0))).ok_or(SecurityError::StoreFull)?;
        let record = Record {
            kind: CERTIFICATE,
            entity: new.entity as u8,
            is_trust_anchor: new.is_trust_anchor,
            length,
            id: log.next_id,
            replaces,
        };
        log.change(record, der, index)
    }

    fn remove(
        &self,
        is_meant: &mut dyn FnMut(&StoredCertificate<'_>) -> bool,
    ) -> Result<bool, SecurityError> {
        let mut log = self.log.try_borrow_mut().map_err(|_| StorageError)?;
        let mut octets = [0; SIZE];
        for index in 0..N {
            let Some((entry, der)) = log.entry(index, &mut octets) else { continue };
            if entry.stored(der).is_some_and(|stored| is_meant(&stored)) {
                let id = log.next_id;
                let record = Record {
                    kind: REMOVAL,
                    entity: 0,
                    is_trust_anchor: false,
                    length: 0,
                    id,
                    replaces: entry.id,
                };
                log.change(record, &[], index)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn time(&self) -> Option<CertificateTime> {
        self.time.get()
    }
}

impl Entry {
    fn stored<'d>(&self, der: &'d [u8]) -> Option<StoredCertificate<'d>> {
        let certificate = Certificate::from_der_within(der, der.len()).ok()?;
        Some(StoredCertificate { entity: self.entity, is_trust_anchor: self.is_trust_anchor, certificate })
    }
}

impl<F: NorFlash, const N: usize, const SIZE: usize> Log<F, N, SIZE> {
    /// What pieces begin and end at.
    const UNIT: usize = {
        let unit = if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE } else { F::READ_SIZE };
        assert!(
            unit <= CHUNK && CHUNK.is_multiple_of(unit),
            "a write size of more than 64 octets, or no power of 2"
        );
        unit
    };

    fn new(flash: F, start: u32, area_length: u32) -> Result<Self, StorageError> {
        let erase = u32::try_from(F::ERASE_SIZE).map_err(|_| StorageError)?;
        let end = area_length.checked_mul(2).and_then(|both| both.checked_add(start)).ok_or(StorageError)?;
        let is_there = usize::try_from(end).is_ok_and(|end| end <= flash.capacity());
        let least = padded::<F, N, SIZE>(AREA_HEADER) + padded::<F, N, SIZE>(RECORD_HEADER + SIZE);
        let is_long = usize::try_from(area_length).is_ok_and(|length| length >= least);
        if !start.is_multiple_of(erase) || !area_length.is_multiple_of(erase) || !is_there || !is_long {
            return Err(StorageError);
        }
        let entries = [None; N];
        Ok(Self { flash, start, area_length, second: false, generation: 0, next_id: 1, end: None, entries })
    }

    fn area(&self, second: bool) -> u32 {
        if second { self.start.saturating_add(self.area_length) } else { self.start }
    }

    fn area_end(&self) -> u32 {
        self.area(self.second).saturating_add(self.area_length)
    }

    /// Finds the area in force, and in it what is there.
    fn load(&mut self) -> Result<(), StorageError> {
        let first = self.area_generation(false)?;
        let second = self.area_generation(true)?;
        self.generation = first.max(second).ok_or(StorageError)?;
        self.second = second == Some(self.generation);
        self.next_id = 1;
        self.entries = [None; N];
        let mut at = self.area(self.second).saturating_add(length_of(padded::<F, N, SIZE>(AREA_HEADER)));
        self.end = loop {
            let Some(record) = self.record(at)? else { break self.is_blank(at)?.then_some(at) };
            self.next_id = self.next_id.max(record.id.saturating_add(1));
            for entry in &mut self.entries {
                entry.take_if(|entry| entry.id == record.replaces);
            }
            if record.kind == CERTIFICATE {
                let place = self.entries.iter_mut().find(|entry| entry.is_none()).ok_or(StorageError)?;
                *place = Some(record.entry(at).ok_or(StorageError)?);
            }
            at = at.saturating_add(record_length::<F, N, SIZE>(record.length));
        };
        Ok(())
    }

    fn area_generation(&mut self, second: bool) -> Result<Option<u32>, StorageError> {
        let mut header = [0; CHUNK];
        let at = self.area(second);
        self.read(at, &mut header, AREA_HEADER)?;
        let [a, b, c, d, g0, g1, g2, g3, s0, s1, s2, s3, ..] = header;
        let is_whole = [a, b, c, d] == MAGIC
            && Checksum::of(&[a, b, c, d, g0, g1, g2, g3]) == u32::from_le_bytes([s0, s1, s2, s3]);
        Ok(is_whole.then_some(u32::from_le_bytes([g0, g1, g2, g3])))
    }

    /// The record that starts at `at`, if it is whole.
    fn record(&mut self, at: u32) -> Result<Option<Record>, StorageError> {
        let mut header = [0; CHUNK];
        if self.area_end().saturating_sub(at) < record_length::<F, N, SIZE>(0) {
            return Ok(None);
        }
        self.read(at, &mut header, RECORD_HEADER)?;
        let [kind, entity, anchor, _, l0, l1, _, _, i0, i1, i2, i3, r0, r1, r2, r3, s0, s1, s2, s3, ..] =
            header;
        let record = Record {
            kind,
            entity,
            is_trust_anchor: anchor == 1,
            length: u16::from_le_bytes([l0, l1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
            replaces: u32::from_le_bytes([r0, r1, r2, r3]),
        };
        let is_known = matches!(kind, CERTIFICATE | REMOVAL) && usize::from(record.length) <= SIZE;
        if !is_known || self.area_end().saturating_sub(at) < record_length::<F, N, SIZE>(record.length) {
            return Ok(None);
        }
        let mut checksum = Checksum::new();
        checksum.add(record.header(0).get(..RECORD_HEADER - 4).unwrap_or_default());
        let mut octets = [0; SIZE];
        let certificate = self.certificate(at, record.length, &mut octets)?;
        checksum.add(certificate);
        Ok((checksum.value() == u32::from_le_bytes([s0, s1, s2, s3])).then_some(record))
    }

    /// Whether nothing was ever written from `at` to the end of the area.
    fn is_blank(&mut self, at: u32) -> Result<bool, StorageError> {
        let mut at = at;
        let unit = length_of(Self::UNIT);
        while at < self.area_end() {
            let mut octets = [0; CHUNK];
            self.read(at, &mut octets, Self::UNIT)?;
            if octets.iter().take(Self::UNIT).any(|octet| *octet != 0xFF) {
                return Ok(false);
            }
            at = at.saturating_add(unit);
        }
        Ok(true)
    }

    /// The certificate at this index, read into `octets`. One that cannot be read is not there: nobody is trusted for it.
    fn entry<'d>(&mut self, index: usize, octets: &'d mut [u8; SIZE]) -> Option<(Entry, &'d [u8])> {
        let entry = self.entries.get(index).copied().flatten()?;
        let der = self.certificate(entry.offset, entry.length, octets).ok()?;
        Some((entry, der))
    }

    fn certificate<'d>(
        &mut self,
        record: u32,
        length: u16,
        octets: &'d mut [u8; SIZE],
    ) -> Result<&'d [u8], StorageError> {
        let length = usize::from(length);
        let mut done = 0;
        // In units, since header and certificate follow each other without padding.
        while done < RECORD_HEADER + length {
            let mut chunk = [0; CHUNK];
            let left = padded::<F, N, SIZE>(RECORD_HEADER + length).saturating_sub(done);
            self.read(record.saturating_add(length_of(done)), &mut chunk, CHUNK.min(left))?;
            for (index, octet) in chunk.iter().enumerate() {
                let at = (done + index).checked_sub(RECORD_HEADER).filter(|at| *at < length);
                if let Some(place) = at.and_then(|at| octets.get_mut(at)) {
                    *place = *octet;
                }
            }
            done += CHUNK;
        }
        octets.get(..length).ok_or(StorageError)
    }

    /// Appends a record about the entry at `index`, in this area or, if it has no room, with all the others in the next.
    fn change(&mut self, record: Record, der: &[u8], index: usize) -> Result<(), SecurityError> {
        let length = record_length::<F, N, SIZE>(record.length);
        let end = self.end.filter(|end| self.area_end().saturating_sub(*end) >= length);
        let Some(at) = end else {
            let new = (record.kind == CERTIFICATE).then_some((record, der));
            return self.switch(Some(record.replaces), new);
        };
        // Whatever becomes of this write, none goes over it.
        self.end = None;
        self.write_record(at, record, der)?;
        self.end = Some(at.saturating_add(length));
        self.next_id = record.id.saturating_add(1);
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = if record.kind == CERTIFICATE { record.entry(at) } else { None };
        }
        Ok(())
    }

    /// Fills the other area with all entries but the one with the id `without`, and with `new`, and takes it into use.
    fn switch(&mut self, without: Option<u32>, new: Option<(Record, &[u8])>) -> Result<(), SecurityError> {
        let target = self.area(!self.second);
        self.end = None;
        self.erase(target)?;
        let mut at = target.saturating_add(length_of(padded::<F, N, SIZE>(AREA_HEADER)));
        let target_end = target.saturating_add(self.area_length);
        let mut octets = [0; SIZE];
        for index in 0..N {
            let Some(entry) = self.entries.get(index).copied().flatten() else { continue };
            if without == Some(entry.id) {
                continue;
            }
            let der = self.certificate(entry.offset, entry.length, &mut octets)?;
            let record = Record {
                kind: CERTIFICATE,
                entity: entry.entity as u8,
                is_trust_anchor: entry.is_trust_anchor,
                length: entry.length,
                id: entry.id,
                replaces: 0,
            };
            at = self.append(at, target_end, record, der)?;
        }
        if let Some((record, der)) = new {
            self.append(at, target_end, Record { replaces: 0, ..record }, der)?;
        }
        let generation = self.generation.checked_add(1).ok_or(StorageError)?;
        let [g0, g1, g2, g3] = generation.to_le_bytes();
        let [a, b, c, d] = MAGIC;
        let header = [a, b, c, d, g0, g1, g2, g3];
        self.write(target, &[&header, &Checksum::of(&header).to_le_bytes()])?;
        Ok(self.load()?)
    }

    fn append(&mut self, at: u32, end: u32, record: Record, der: &[u8]) -> Result<u32, SecurityError> {
        let next = at.saturating_add(record_length::<F, N, SIZE>(record.length));
        if next > end {
            return Err(SecurityError::StoreFull);
        }
        self.write_record(at, record, der)?;
        Ok(next)
    }

    fn write_record(&mut self, at: u32, record: Record, der: &[u8]) -> Result<(), StorageError> {
        let mut checksum = Checksum::new();
        checksum.add(record.header(0).get(..RECORD_HEADER - 4).unwrap_or_default());
        checksum.add(der);
        self.write(at, &[&record.header(checksum.value()), der])
    }

    /// Writes pieces one after the other, padded at the end.
    fn write(&mut self, at: u32, pieces: &[&[u8]]) -> Result<(), StorageError> {
        let mut at = at;
        let mut chunk = [0xFF; CHUNK];
        let mut filled = 0usize;
        let mut octets = pieces.iter().copied().flatten().peekable();
        while let Some(octet) = octets.next() {
            if let Some(place) = chunk.get_mut(filled) {
                *place = *octet;
            }
            filled = filled.saturating_add(1);
            if filled == CHUNK || octets.peek().is_none() {
                let length = padded::<F, N, SIZE>(filled);
                let written = chunk.get(..length).ok_or(StorageError)?;
                self.flash.write(at, written).map_err(|_| StorageError)?;
                at = at.saturating_add(length_of(length));
                chunk = [0xFF; CHUNK];
                filled = 0;
            }
        }
        Ok(())
    }

    fn read(&mut self, at: u32, octets: &mut [u8; CHUNK], length: usize) -> Result<(), StorageError> {
        let octets = octets.get_mut(..padded::<F, N, SIZE>(length)).ok_or(StorageError)?;
        self.flash.read(at, octets).map_err(|_| StorageError)
    }

    fn erase(&mut self, area: u32) -> Result<(), StorageError> {
        self.flash.erase(area, area.saturating_add(self.area_length)).map_err(|_| StorageError)
    }
}

impl Record {
    fn header(&self, checksum: u32) -> [u8; RECORD_HEADER] {
        let [l0, l1] = self.length.to_le_bytes();
        let [i0, i1, i2, i3] = self.id.to_le_bytes();
        let [r0, r1, r2, r3] = self.replaces.to_le_bytes();
        let [s0, s1, s2, s3] = checksum.to_le_bytes();
        let anchor = u8::from(self.is_trust_anchor);
        [
            self.kind,
            self.entity,
            anchor,
            0xFF,
            l0,
            l1,
            0xFF,
            0xFF,
            i0,
            i1,
            i2,
            i3,
            r0,
            r1,
            r2,
            r3,
            s0,
            s1,
            s2,
            s3,
        ]
    }

    fn entry(&self, offset: u32) -> Option<Entry> {
        Some(Entry {
            id: self.id,
            entity: CertificateEntity::from_id(self.entity)?,
            is_trust_anchor: self.is_trust_anchor,
            offset,
            length: self.length,
        })
    }
}

/// Up to the next unit of the flash.
const fn padded<F: NorFlash, const N: usize, const SIZE: usize>(length: usize) -> usize {
    length.div_ceil(Log::<F, N, SIZE>::UNIT).saturating_mul(Log::<F, N, SIZE>::UNIT)
}

const fn record_length<F: NorFlash, const N: usize, const SIZE: usize>(length: u16) -> u32 {
    length_of(padded::<F, N, SIZE>(RECORD_HEADER + length as usize))
}

/// Lengths here are far below 2^32.
const fn length_of(length: usize) -> u32 {
    length as u32
}

/// CRC-32 as in IEEE 802.3.
pub(crate) struct Checksum(u32);

impl Checksum {
    const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(crate) fn of(octets: &[u8]) -> u32 {
        let mut checksum = Self::new();
        checksum.add(octets);
        checksum.value()
    }

    fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 ^= u32::from(*octet);
            for _ in 0..8 {
                self.0 = if self.0 & 1 == 1 { self.0 >> 1 ^ 0xEDB8_8320 } else { self.0 >> 1 };
            }
        }
    }

    const fn value(&self) -> u32 {
        !self.0
    }
}
