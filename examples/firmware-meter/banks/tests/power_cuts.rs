//! Power is cut within every operation of an update, one after the other: the meter then still has an image to start, keeps
//! the blocks that were confirmed, and ends the update.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::RefCell;
use std::rc::Rc;

use banks::{BANK, BANKS, BLOCK, Bank, Checksum, IMAGE_HEADER, Update};
use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};

const UNIT: usize = 4;
const SECTOR: usize = 4096;
const SIGNATURE: usize = 96;
/// What of a unit or a sector the cut leaves as it was: nothing, every other bit, all.
const UNCHANGED: [u8; 3] = [0x00, 0xAA, 0xFF];

/// NOR flash whose power goes within an operation: the programming of a unit, or the erasure of a sector.
#[derive(Clone)]
struct Flash(Rc<RefCell<Medium>>);

#[derive(Clone)]
struct Medium {
    octets: Vec<u8>,
    /// Whole operations until then, and what the last one leaves unchanged.
    left: Option<usize>,
    unchanged: u8,
    operations: usize,
}

impl Flash {
    fn new() -> Self {
        let octets = vec![0xFF; (BANKS + 2 * BANK) as usize];
        Self(Rc::new(RefCell::new(Medium { octets, left: None, unchanged: 0, operations: 0 })))
    }

    fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    fn cut_after(&self, operations: usize, unchanged: u8) {
        let mut medium = self.0.borrow_mut();
        (medium.left, medium.unchanged) = (Some(operations), unchanged);
    }

    fn power_on(&self) {
        self.0.borrow_mut().left = None;
    }
}

impl Medium {
    /// The bits that the next operation changes.
    fn operation(&mut self) -> Result<u8, NorFlashErrorKind> {
        self.operations += 1;
        match &mut self.left {
            None => Ok(0xFF),
            Some(0) => {
                // Whatever follows changes nothing.
                let changed = !self.unchanged;
                self.unchanged = 0xFF;
                Ok(changed)
            }
            Some(left) => {
                *left -= 1;
                Ok(0xFF)
            }
        }
    }

    fn outcome(&self) -> Result<(), NorFlashErrorKind> {
        if self.left == Some(0) && self.unchanged == 0xFF { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        octets.copy_from_slice(&self.0.borrow().octets[offset as usize..][..octets.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().octets.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let mut medium = self.0.borrow_mut();
        for sector in (from as usize..to as usize).step_by(SECTOR) {
            let changed = medium.operation()?;
            medium.octets[sector..sector + SECTOR].iter_mut().for_each(|octet| *octet |= changed);
            medium.outcome()?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, octets.len())?;
        let mut medium = self.0.borrow_mut();
        for (at, unit) in (offset as usize..).step_by(UNIT).zip(octets.chunks(UNIT)) {
            let changed = medium.operation()?;
            for (old, new) in medium.octets[at..at + UNIT].iter_mut().zip(unit) {
                *old &= new | !changed;
            }
            medium.outcome()?;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}

/// An image of a few blocks.
fn image(version: u8) -> Vec<u8> {
    let program: Vec<u8> = (0..600u32).map(|n| (n as u8).wrapping_mul(version | 1)).collect();
    let mut checksum = Checksum::default();
    checksum.add(&program);
    let mut image = vec![0; IMAGE_HEADER as usize];
    image[..4].copy_from_slice(b"DLMF");
    image[4..8].copy_from_slice(&(program.len() as u32).to_le_bytes());
    image[8..12].copy_from_slice(&checksum.value().to_le_bytes());
    image[12] = version;
    image.extend(program);
    image.resize(image.len() + SIGNATURE, version);
    image
}

/// What a client was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Confirmed {
    begun: bool,
    blocks: u32,
    verified: bool,
    activated: bool,
}

fn blocks(image: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    (0..).step_by(BLOCK as usize).zip(image.chunks(BLOCK as usize))
}

/// A whole update, until the power goes.
fn update(flash: &Flash, version: u8) -> Confirmed {
    let image = image(version);
    let mut confirmed = Confirmed::default();
    let (mut update, _) = Update::open(flash.clone());
    let mut steps = || {
        update.begin(&[version; 5], image.len() as u32)?;
        confirmed.begun = true;
        for (offset, block) in blocks(&image) {
            update.write(offset, block)?;
            confirmed.blocks += 1;
        }
        update.verified()?;
        confirmed.verified = true;
        update.activate()?;
        confirmed.activated = true;
        Ok::<_, NorFlashErrorKind>(())
    };
    let outcome = steps();
    assert_eq!(outcome.is_ok(), confirmed.activated);
    confirmed
}

/// The version that the boot program starts.
fn started(flash: &Flash) -> Option<u8> {
    let mut flash = flash.clone();
    let (bank, found, _) = Bank::newest(&mut flash)?;
    let mut octets = Vec::new();
    bank.show(&mut flash, 0, IMAGE_HEADER + found.length, |piece| octets.extend_from_slice(piece)).unwrap();
    let version = found.version[0];
    assert!(image(version).starts_with(&octets), "an image that is not whole is started");
    Some(version)
}

/// What is there after the power was cut within an update from `old` to `new`.
fn check(flash: &Flash, old: Option<u8>, new: u8, confirmed: Confirmed) {
    let started = started(flash);
    if confirmed.activated {
        assert_eq!(started, Some(new));
    }
    assert!(started == old || (started == Some(new) && confirmed.verified), "{started:?}");
    let image = image(new);
    let (mut update, transfer) = Update::open(flash.clone());
    let ours = transfer.filter(|transfer| transfer.identifier() == [new; 5]);
    if confirmed.begun {
        assert_eq!(ours.unwrap().size, image.len() as u32);
    }
    let Some(transfer) = ours else { return };
    assert_eq!(transfer.is_active, started == Some(new));
    assert!(transfer.is_verified || !confirmed.verified);
    assert!(!transfer.is_verified || confirmed.blocks == blocks(&image).count() as u32);
    for (offset, block) in blocks(&image) {
        let number = offset / BLOCK;
        assert!(update.has_block(number) || number >= confirmed.blocks, "block {number} is gone");
        if update.has_block(number) {
            let (bank, flash) = update.bank();
            let mut stored = Vec::new();
            bank.show(flash, offset, block.len() as u32, |piece| stored.extend_from_slice(piece)).unwrap();
            assert_eq!(stored, block, "block {number}");
        }
    }
}

/// Goes on where the update stands.
fn resume(flash: &Flash, new: u8) {
    let (mut update, transfer) = Update::open(flash.clone());
    if transfer.is_none_or(|transfer| transfer.identifier() != [new; 5]) {
        assert!(self::update(flash, new).activated);
    } else if !transfer.unwrap().is_active {
        for (offset, block) in blocks(&image(new)) {
            update.write(offset, block).unwrap();
        }
        update.verified().unwrap();
        update.activate().unwrap();
    }
    assert_eq!(started(flash), Some(new));
}

/// Cuts within each operation of the update to `new`, and once more within each of some in the one that follows.
fn cut_everywhere(before: &Flash, old: Option<u8>, new: u8) -> usize {
    let whole = before.copy();
    whole.0.borrow_mut().operations = 0;
    assert!(update(&whole, new).activated);
    let operations = whole.0.borrow().operations;
    for unchanged in UNCHANGED {
        for operation in 0..operations {
            let flash = before.copy();
            flash.cut_after(operation, unchanged);
            let confirmed = update(&flash, new);
            flash.power_on();
            check(&flash, old, new, confirmed);
            resume(&flash, new);
        }
    }
    operations * UNCHANGED.len()
}

#[test]
fn within_every_operation() {
    let flash = Flash::new();
    let mut cuts = 0;
    let mut running = None;
    // The first update, and those that find something in both banks.
    for version in 1..=3 {
        cuts += cut_everywhere(&flash, running, version);
        assert!(update(&flash, version).activated);
        running = Some(version);
        assert_eq!(started(&flash), running);
    }
    assert!(cuts > 3000, "{cuts}");
}

/// A transfer that was given up is replaced by another one, whose beginning is cut short.
#[test]
fn within_a_change_of_mind() {
    let flash = Flash::new();
    assert!(update(&flash, 1).activated);
    let image = image(2);
    let (mut given_up, _) = Update::open(flash.clone());
    given_up.begin(&[2; 5], image.len() as u32).unwrap();
    for (offset, block) in blocks(&image) {
        given_up.write(offset, block).unwrap();
    }
    given_up.verified().unwrap();
    assert!(cut_everywhere(&flash, Some(1), 3) > 1000);
    // What was verified is not taken for what is there now.
    for unchanged in UNCHANGED {
        for operation in 0..90 {
            let flash = flash.copy();
            flash.cut_after(operation, unchanged);
            let _ = update(&flash, 3);
            flash.power_on();
            let (mut update, transfer) = Update::open(flash.clone());
            if transfer.is_some_and(|transfer| transfer.is_verified && transfer.identifier() == [2; 5]) {
                assert!(blocks(&image).all(|(offset, _)| update.has_block(offset / BLOCK)));
                let (bank, flash) = update.bank();
                assert!(bank.image(flash).is_some());
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (mut update, transfer) = Update::open(Flash::new());
    assert_eq!(transfer, None);
    assert_eq!(update.begin(&[0; 5], BANK), Err(NorFlashErrorKind::OutOfBounds));
    assert_eq!(update.begin(&[0; 65], 1), Err(NorFlashErrorKind::OutOfBounds));
    assert_eq!(update.begin(&[9; 64], 1), Ok(()));
    assert_eq!(update.write(0, &[0; 257]), Err(NorFlashErrorKind::OutOfBounds));
}
