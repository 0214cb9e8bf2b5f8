//! Two banks of the data flash for firmware images, and how the newest one is found.
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
//! goes through erased flash once, so whatever the power cuts short, the other bank is as it was.

use embedded_storage::nor_flash::{NorFlashErrorKind, ReadNorFlash};

use crate::Flash;

/// Where images run: first their header, then the program.
pub const RUNS_AT: usize = 0x4000;
/// The octets of an image before its program.
pub const IMAGE_HEADER: u32 = 0x400;
/// The octets of an image after its program.
pub const SIGNATURE: u32 = 96;
/// The room for a program and its header.
pub const LONGEST: u32 = 0x4_0000 - RUNS_AT as u32;

/// The size of a bank.
pub const BANK: u32 = 0x5_0000;
/// What transfer the bank was erased for.
pub const TRANSFER: u32 = 0;
/// Whether the image was verified.
pub const VERIFIED: u32 = 0x80;
/// Whether it was activated.
pub const ACTIVATION: u32 = 0x84;
/// Which blocks of it are there.
pub const BLOCKS: u32 = 0x1000;
/// The image.
pub const IMAGE: u32 = 0x3000;

const BANKS: u32 = 0x2_0000;
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
    fn from_octets(octets: &[u8; 28]) -> Option<Self> {
        let (words, version) = octets.split_at(12);
        let word = |at: usize| words.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let length = word(4)?;
        let is_one = words.starts_with(&MAGIC) && length <= LONGEST - IMAGE_HEADER;
        is_one.then_some(Self { length, checksum: word(8)?, version: version.try_into().ok()? })
    }

    /// The image that runs, if the boot program has put one there.
    pub fn running() -> Option<Self> {
        // SAFETY: this is memory of the program's, which nobody writes while it runs.
        let octets = unsafe { (RUNS_AT as *const [u8; 28]).read_volatile() };
        Self::from_octets(&octets)
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

    /// Where the bank begins.
    pub const fn start(self) -> u32 {
        BANKS + self as u32 * BANK
    }

    /// How often a bank had been activated when this one was; `None` if it never was.
    pub fn activation(self, mut flash: Flash) -> Option<u32> {
        let mut octets = [0; 8];
        read(&mut flash, self.start() + ACTIVATION, &mut octets).ok()?;
        let [number, complement] = [0, 4]
            .map(|at| octets.get(at..).and_then(|rest| rest.first_chunk().copied()).map(u32::from_le_bytes));
        number.filter(|number| complement == Some(!number))
    }

    /// The image in the bank, if its program has its checksum.
    pub fn image(self, mut flash: Flash) -> Option<Image> {
        let mut octets = [0; 28];
        read(&mut flash, self.start() + IMAGE, &mut octets).ok()?;
        let image = Image::from_octets(&octets)?;
        let mut checksum = Checksum::default();
        self.program(flash, image.length, |piece| checksum.add(piece)).ok()?;
        (checksum.value() == image.checksum).then_some(image)
    }

    /// Shows a program, piece after piece.
    ///
    /// # Errors
    /// The medium fails.
    pub fn program(
        self,
        flash: Flash,
        length: u32,
        show: impl FnMut(&[u8]),
    ) -> Result<(), NorFlashErrorKind> {
        self.show(flash, IMAGE + IMAGE_HEADER, length, show)
    }

    /// Shows octets of the bank, piece after piece.
    ///
    /// # Errors
    /// The medium fails.
    pub fn show(
        self,
        mut flash: Flash,
        from: u32,
        length: u32,
        mut show: impl FnMut(&[u8]),
    ) -> Result<(), NorFlashErrorKind> {
        let mut buffer = [0; 256];
        for at in (0..length).step_by(buffer.len()) {
            let size = buffer.len().min((length - at) as usize);
            let piece = buffer.get_mut(..size).unwrap_or_default();
            read(&mut flash, self.start() + from + at, piece)?;
            show(piece);
        }
        Ok(())
    }

    /// The bank that is started, with its image and the number of its activation.
    pub fn newest(flash: Flash) -> Option<(Self, Image, u32)> {
        let found = |bank: Self| Some((bank, bank.image(flash)?, bank.activation(flash)?));
        Self::ALL.into_iter().filter_map(found).max_by_key(|(_, _, activation)| *activation)
    }
}

fn read(flash: &mut Flash, at: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
    ReadNorFlash::read(flash, at, octets)
}

/// CRC-32 as in IEEE 802.3.
pub struct Checksum(u32);

impl Default for Checksum {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Checksum {
    /// Goes on with more octets.
    pub fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 ^= u32::from(*octet);
            for _ in 0..8 {
                self.0 = if self.0 & 1 == 1 { self.0 >> 1 ^ 0xEDB8_8320 } else { self.0 >> 1 };
            }
        }
    }

    /// The checksum of what was added.
    pub const fn value(&self) -> u32 {
        !self.0
    }
}
