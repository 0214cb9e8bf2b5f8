//! Two banks of the data flash for firmware images: how an image gets into one, and how the newest one is found.
//!
//! ```text
//! bank:   0000 transfer: magic "DLMT", size u32, length of the identifier u32, identifier 64, checksum u32
//!         0080 verified: 0 when the image is      0084 activation: number u32, its complement
//!         1000 one unit for each block of the image, 0 when the block is there
//!         3000 image
//! image:  magic "DLMF", length u32, checksum u32, version 16, zeros up to 400; the program; signature 96
//! ```
//!
//! The bank with the highest activation number whose program has its checksum is started. What is written into a bank
//! goes through erased flash once, so whatever the power cuts short, the other bank is as it was. `tests/power_cuts.rs`
//! cuts it within every single operation.
#![no_std]
#![forbid(unsafe_code)]

mod checksum;
mod update;

pub use checksum::Checksum;
pub use update::{BLOCK, Transfer, Update};

use embedded_storage::nor_flash::ReadNorFlash;

/// Where images run: first their header, then the program.
pub const RUNS_AT: usize = 0x4000;
/// The octets of an image before its program.
pub const IMAGE_HEADER: u32 = 0x400;
/// The octets of an image after its program.
pub const SIGNATURE: u32 = 96;
/// The room for a program and its header.
pub const LONGEST: u32 = 0x4_0000 - RUNS_AT as u32;
/// Where the banks begin on the flash.
pub const BANKS: u32 = 0x2_0000;
/// The size of a bank.
pub const BANK: u32 = 0x5_0000;

const ACTIVATION: u32 = 0x84;
const IMAGE: u32 = 0x3000;
const MAGIC: [u8; 4] = *b"DLMF";

/// One of the two banks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    /// The first one.
    A,
    /// The second one.
    B,
}

/// The header of an image.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// The octets of the program.
    pub length: u32,
    checksum: u32,
    /// The version, padded with zeros.
    pub version: [u8; 16],
}

impl Image {
    /// The octets of a header that are in use.
    pub const HEADER: usize = 28;

    /// What a header says; `None` if it is none.
    pub fn from_octets(octets: &[u8; Self::HEADER]) -> Option<Self> {
        let (words, version) = octets.split_at(12);
        let length = word(words, 4)?;
        let is_one = words.starts_with(&MAGIC) && length <= LONGEST - IMAGE_HEADER;
        is_one.then_some(Self { length, checksum: word(words, 8)?, version: version.try_into().ok()? })
    }
}

impl Bank {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The one that this is not.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The bank that is started, with its image and the number of its activation.
    pub fn newest<F: ReadNorFlash>(flash: &mut F) -> Option<(Self, Image, u32)> {
        let mut found = |bank: Self| {
            let activation = bank.activation(flash)?;
            Some((bank, bank.image(flash)?, activation))
        };
        let banks = Self::ALL.map(&mut found);
        banks.into_iter().flatten().max_by_key(|(_, _, activation)| *activation)
    }

    /// The image in the bank, if its program has its checksum.
    pub fn image<F: ReadNorFlash>(self, flash: &mut F) -> Option<Image> {
        let mut octets = [0; Image::HEADER];
        flash.read(self.start() + IMAGE, &mut octets).ok()?;
        let image = Image::from_octets(&octets)?;
        let mut checksum = Checksum::default();
        self.show(flash, IMAGE_HEADER, image.length, |piece| checksum.add(piece)).ok()?;
        (checksum.value() == image.checksum).then_some(image)
    }

    /// Shows octets of the image, piece after piece.
    ///
    /// # Errors
    /// The medium fails.
    pub fn show<F: ReadNorFlash>(
        self,
        flash: &mut F,
        from: u32,
        length: u32,
        mut show: impl FnMut(&[u8]),
    ) -> Result<(), F::Error> {
        let mut buffer = [0; 256];
        for at in (0..length).step_by(buffer.len()) {
            let size = buffer.len().min((length - at) as usize);
            let piece = buffer.get_mut(..size).unwrap_or_default();
            flash.read(self.start() + IMAGE + from + at, piece)?;
            show(piece);
        }
        Ok(())
    }

    /// How often a bank had been activated when this one was; `None` if it never was.
    fn activation<F: ReadNorFlash>(self, flash: &mut F) -> Option<u32> {
        let mut octets = [0; 8];
        flash.read(self.start() + ACTIVATION, &mut octets).ok()?;
        word(&octets, 0).filter(|number| word(&octets, 4) == Some(!number))
    }

    const fn start(self) -> u32 {
        BANKS + self as u32 * BANK
    }
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}
