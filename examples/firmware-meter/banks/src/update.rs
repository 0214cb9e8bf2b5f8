//! An image on its way into the bank that does not run.

use embedded_storage::nor_flash::{MultiwriteNorFlash, NorFlashErrorKind};

use crate::{ACTIVATION, BANK, Bank, Checksum, IMAGE, word};

/// The size of a block of the transfer.
pub const BLOCK: u32 = 256;

const TRANSFER: u32 = 0;
const VERIFIED: u32 = 0x80;
const BLOCKS: u32 = 0x1000;
const MAGIC: [u8; 4] = *b"DLMT";
const RECORD: usize = 80;
const SUM: usize = RECORD - 4;
const IDENTIFIER: usize = 64;
/// What marks a thing as done: it can be written over what was cut short.
const DONE: [u8; 4] = [0; 4];

/// What is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The size of the image.
    pub size: u32,
    /// Whether it was verified.
    pub is_verified: bool,
    /// Whether this is the image that runs: nothing else was begun since.
    pub is_active: bool,
    identifier: [u8; IDENTIFIER],
    length: usize,
}

impl Transfer {
    /// What the client calls the image.
    pub fn identifier(&self) -> &[u8] {
        self.identifier.get(..self.length).unwrap_or_default()
    }
}

/// The bank that does not run, and what is written into it. What a method has written is on the flash when it returns.
pub struct Update<F> {
    flash: F,
    /// The bank that the present transfer is about.
    bank: Bank,
    /// How often a bank was activated.
    activations: u32,
}

impl<F: MultiwriteNorFlash> Update<F> {
    /// The banks, and the transfer as it stands.
    pub fn open(mut flash: F) -> (Self, Option<Transfer>) {
        let (active, activations) =
            Bank::newest(&mut flash).map_or((None, 0), |(bank, _, number)| (Some(bank), number));
        let mut update = Self { flash, bank: active.map_or(Bank::A, Bank::other), activations };
        // What was activated some time and does not run was replaced by what runs.
        let begun = match update.bank.activation(&mut update.flash) {
            None => update.transfer(false),
            Some(_) => None,
        };
        let transfer = begun.or_else(|| {
            update.bank = active?;
            update.transfer(true)
        });
        (update, transfer)
    }

    /// Makes room for an image.
    ///
    /// # Errors
    /// The medium fails, or there is not so much room.
    pub fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), NorFlashErrorKind> {
        let mut record = [0; RECORD];
        let place = record.get_mut(12..SUM).and_then(|room| room.get_mut(..identifier.len()));
        place
            .filter(|_| size <= BANK - IMAGE)
            .ok_or(NorFlashErrorKind::OutOfBounds)?
            .copy_from_slice(identifier);
        let [_, _, _, _, words @ ..] = &mut record;
        words[..4].copy_from_slice(&size.to_le_bytes());
        words[4..8].copy_from_slice(&(identifier.len() as u32).to_le_bytes());
        record[..4].copy_from_slice(&MAGIC);
        let sum = checksum(&record);
        record[SUM..].copy_from_slice(&sum.to_le_bytes());
        // Never into the bank that runs.
        self.bank = Bank::newest(&mut self.flash).map_or(Bank::A, |(running, _, _)| running.other());
        // What was there is gone before its blocks are: an erasure that is cut short may leave either.
        let start = self.bank.start();
        self.write_checked(TRANSFER, &DONE)?;
        let sector = F::ERASE_SIZE as u32;
        self.flash.erase(start + sector, start + BANK).map_err(kind)?;
        self.flash.erase(start, start + sector).map_err(kind)?;
        self.write_checked(TRANSFER, &record)
    }

    /// Takes a block of the image, or the same one again.
    ///
    /// # Errors
    /// The medium fails, or there is another block already.
    pub fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        let mut block = [0xFF; BLOCK as usize];
        let padded = block.get_mut(..octets.len().next_multiple_of(F::WRITE_SIZE));
        let padded = padded.ok_or(NorFlashErrorKind::OutOfBounds)?;
        padded.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        self.write_checked(IMAGE + offset, padded)?;
        self.write_checked(BLOCKS + offset / BLOCK * 4, &DONE)
    }

    /// Whether a block is there.
    pub fn has_block(&mut self, block: u32) -> bool {
        self.is_done(BLOCKS + block * 4)
    }

    /// The bank, for the eyes of who verifies it, and the flash.
    pub const fn bank(&mut self) -> (Bank, &mut F) {
        (self.bank, &mut self.flash)
    }

    /// The image is good.
    ///
    /// # Errors
    /// The medium fails.
    pub fn verified(&mut self) -> Result<(), NorFlashErrorKind> {
        self.write_checked(VERIFIED, &DONE)
    }

    /// From now on the image is the one that is started.
    ///
    /// # Errors
    /// The medium fails.
    pub fn activate(&mut self) -> Result<(), NorFlashErrorKind> {
        let number = self.activations.checked_add(1).ok_or(NorFlashErrorKind::Other)?;
        let mut mark = [0; 8];
        mark[..4].copy_from_slice(&number.to_le_bytes());
        mark[4..].copy_from_slice(&(!number).to_le_bytes());
        self.write_checked(ACTIVATION, &mark)?;
        self.activations = number;
        Ok(())
    }

    fn transfer(&mut self, is_active: bool) -> Option<Transfer> {
        let mut record = [0; RECORD];
        self.flash.read(self.bank.start() + TRANSFER, &mut record).ok()?;
        let length = word(&record, 8)? as usize;
        let is_whole =
            record.starts_with(&MAGIC) && word(&record, SUM)? == checksum(&record) && length <= IDENTIFIER;
        let identifier = record.get(12..SUM)?.first_chunk().copied()?;
        let size = word(&record, 4)?;
        let is_verified = self.is_done(VERIFIED);
        is_whole.then_some(Transfer { size, is_verified, is_active, identifier, length })
    }

    fn is_done(&mut self, at: u32) -> bool {
        let mut mark = [0xFF; DONE.len()];
        self.flash.read(self.bank.start() + at, &mut mark).is_ok() && mark == DONE
    }

    /// Writes octets and sees whether they can be read.
    fn write_checked(&mut self, at: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        let at = self.bank.start() + at;
        let mut written = [0; BLOCK as usize];
        let written = written.get_mut(..octets.len()).ok_or(NorFlashErrorKind::OutOfBounds)?;
        self.flash.write(at, octets).map_err(kind)?;
        self.flash.read(at, written).map_err(kind)?;
        if written == octets { Ok(()) } else { Err(NorFlashErrorKind::Other) }
    }
}

fn kind(error: impl embedded_storage::nor_flash::NorFlashError) -> NorFlashErrorKind {
    error.kind()
}

fn checksum(record: &[u8; RECORD]) -> u32 {
    let mut checksum = Checksum::default();
    checksum.add(record.get(..SUM).unwrap_or_default());
    checksum.value()
}
