//! Images of the firmware: received into the bank that does not run, verified, activated.
//!
//! Blocks that were confirmed, a verification and an activation are on the flash before the answer leaves.

use board::Flash;
use board::bank::{
    ACTIVATION, BANK, BLOCKS, Bank, Checksum, IMAGE, IMAGE_HEADER, Image, SIGNATURE, TRANSFER, VERIFIED,
};
use dlms::objects::classes::{ImageInfo, ImageStorage, ImageTransferState, ImageTransferStatus, Progress};
use dlms::objects::{ActionResult, OctetString};
use dlms::security::{Curve, NoRandom, PublicKey, PublicKeyProvider, RustCrypto, Signature};
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use sha2::{Digest, Sha256};
use static_cell::StaticCell;

/// The size of a block of the transfer.
pub const BLOCK: u32 = 256;
/// Octets of the map of blocks.
pub const MAP: usize = (0x4_0000 / BLOCK / 8) as usize;

const MAGIC: [u8; 4] = *b"DLMT";
const RECORD: usize = 80;
/// Whose images are taken: the public key of the private key 4D 4D … 4D.
const MAKER: [u8; 96] = [
    0x32, 0xe4, 0xbf, 0x04, 0x4c, 0x35, 0x0b, 0x8b, 0x7a, 0x19, 0x33, 0x56, 0x17, 0x18, 0xf2, 0xc0, 0x77,
    0xc5, 0xaf, 0xf7, 0xdb, 0x9d, 0xbf, 0x79, 0x0e, 0xcf, 0xa3, 0x25, 0xba, 0xdc, 0xbf, 0x34, 0xab, 0x62,
    0xd9, 0x68, 0x49, 0xdc, 0x4c, 0x40, 0x3a, 0x1e, 0x00, 0x7b, 0xdb, 0x21, 0x2f, 0xd2, 0x06, 0xef, 0x54,
    0xe5, 0xbe, 0xcd, 0x9e, 0x20, 0x11, 0x10, 0x24, 0x3e, 0xce, 0x3f, 0x43, 0xdf, 0x84, 0xff, 0xd0, 0x7c,
    0xcf, 0x4e, 0x58, 0xe6, 0x4d, 0xb4, 0x47, 0x4c, 0x20, 0xdf, 0x50, 0x86, 0xfb, 0xb5, 0x02, 0xb5, 0x8c,
    0xc8, 0xb8, 0x11, 0x59, 0x08, 0x79, 0x36, 0xdb, 0x32, 0x71, 0x87,
];

/// The version that runs, without what pads it: that of the image, or that of this program if it has none.
pub fn version() -> &'static [u8] {
    static VERSION: StaticCell<[u8; 16]> = StaticCell::new();
    let made = env!("CARGO_PKG_VERSION").as_bytes();
    let version = Image::running().and_then(|image| VERSION.try_init(image.version));
    version.map_or(made, |version| version.split(|octet| *octet == 0).next().unwrap_or(made))
}

/// The bank that does not run.
pub struct Banks {
    flash: Flash,
    /// The bank that the present transfer is about.
    bank: Bank,
    /// How often a bank was activated.
    activations: u32,
    identifier: OctetString<64>,
    size: u32,
}

impl Banks {
    /// The banks, and the transfer as it stands.
    pub fn open(flash: Flash) -> (Self, ImageTransferState<MAP>) {
        let running = Bank::newest(flash);
        let (active, activations) = running.map_or((None, 0), |(bank, _, number)| (Some(bank), number));
        let free = active.map_or(Bank::A, Bank::other);
        let mut banks = Self { flash, bank: free, activations, identifier: OctetString::new(), size: 0 };
        let state = match active {
            // What the other bank holds was activated long ago.
            Some(active) if free.activation(flash).is_some() || banks.transfer(free).is_none() => {
                banks.state(active, true)
            }
            _ => banks.state(free, false),
        };
        (banks, state.unwrap_or(ImageTransferState::NONE))
    }

    /// Identifier and size of the transfer into a bank.
    fn transfer(&mut self, bank: Bank) -> Option<(OctetString<64>, u32)> {
        let mut record = [0; RECORD];
        self.read(bank.start() + TRANSFER, &mut record).ok()?;
        let word = |at: usize| record.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let (size, length) = (word(4)?, word(8)? as usize);
        let is_whole = record.starts_with(&MAGIC) && word(RECORD - 4)? == checksum(&record);
        let identifier = OctetString::from_slice(record.get(12..12 + length.min(64))?).ok()?;
        is_whole.then_some((identifier, size))
    }

    fn state(&mut self, bank: Bank, is_active: bool) -> Option<ImageTransferState<MAP>> {
        let (identifier, size) = self.transfer(bank)?;
        self.bank = bank;
        let mut transferred = [0; MAP];
        for block in 0..size.div_ceil(BLOCK).min(MAP as u32 * 8) {
            let mut mark = [0xFF; 4];
            self.read(bank.start() + BLOCKS + block * 4, &mut mark).ok()?;
            if mark == [0; 4] {
                transferred[block as usize / 8] |= 0x80 >> (block % 8);
            }
        }
        let mut verified = [0xFF; 4];
        self.read(bank.start() + VERIFIED, &mut verified).ok()?;
        let status = match verified {
            _ if is_active => ImageTransferStatus::ActivationSuccessful,
            [0, 0, 0, 0] => ImageTransferStatus::VerificationSuccessful,
            _ => ImageTransferStatus::Initiated,
        };
        (self.identifier, self.size) = (identifier.clone(), size);
        Some(ImageTransferState { status, identifier, size, transferred })
    }

    fn read(&mut self, at: u32, octets: &mut [u8]) -> Result<(), ActionResult> {
        ReadNorFlash::read(&mut self.flash, at, octets).map_err(|_| ActionResult::HardwareFault)
    }

    /// Writes octets and sees whether they can be read.
    fn write_checked(&mut self, at: u32, octets: &[u8]) -> Result<(), ActionResult> {
        let mut written = [0; BLOCK as usize];
        let written = written.get_mut(..octets.len()).ok_or(ActionResult::OtherReason)?;
        NorFlash::write(&mut self.flash, at, octets).map_err(|_| ActionResult::HardwareFault)?;
        self.read(at, written)?;
        if written == octets { Ok(()) } else { Err(ActionResult::HardwareFault) }
    }

    /// Whether the image is whole, of the size that was announced, and signed by its maker.
    fn is_good(&mut self, size: u32) -> Option<()> {
        let image: Image = self.bank.image(self.flash)?;
        let signed = IMAGE_HEADER + image.length;
        let mut digest = Sha256::new();
        self.bank.show(self.flash, IMAGE, signed, |piece| digest.update(piece)).ok()?;
        let mut signature = [0; SIGNATURE as usize];
        self.read(self.bank.start() + IMAGE + signed, &mut signature).ok()?;
        let signature = Signature::new(Curve::P384, &signature).ok()?;
        let maker = PublicKey::new(Curve::P384, &MAKER).ok()?;
        RustCrypto::new(NoRandom).verify(&maker, &[&digest.finalize()], &signature).ok()?;
        (signed + SIGNATURE == size).then_some(())
    }
}

impl ImageStorage for Banks {
    fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), ActionResult> {
        if size > BANK - IMAGE {
            return Err(ActionResult::OtherReason);
        }
        // Never into the bank that runs.
        self.bank = Bank::newest(self.flash).map_or(Bank::A, |(running, _, _)| running.other());
        let start = self.bank.start();
        NorFlash::erase(&mut self.flash, start, start + BANK).map_err(|_| ActionResult::HardwareFault)?;
        self.identifier = OctetString::from_slice(identifier).map_err(|_| ActionResult::OtherReason)?;
        self.size = size;
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&MAGIC);
        record[4..8].copy_from_slice(&size.to_le_bytes());
        record[8..12].copy_from_slice(&(self.identifier.len() as u32).to_le_bytes());
        record[12..RECORD - 4].iter_mut().zip(identifier).for_each(|(to, from)| *to = *from);
        let sum = checksum(&record);
        record[RECORD - 4..].copy_from_slice(&sum.to_le_bytes());
        self.write_checked(start + TRANSFER, &record)
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult> {
        let mut block = [0xFF; BLOCK as usize];
        let length = octets.len().next_multiple_of(4);
        let padded = block.get_mut(..length).ok_or(ActionResult::OtherReason)?;
        padded.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        self.write_checked(self.bank.start() + IMAGE + offset, padded)?;
        self.write_checked(self.bank.start() + BLOCKS + offset / BLOCK * 4, &[0; 4])
    }

    fn verify(&mut self, size: u32) -> Progress {
        let is_verified =
            self.is_good(size).is_some() && self.write_checked(self.bank.start() + VERIFIED, &[0; 4]).is_ok();
        if is_verified { Progress::Done } else { Progress::Failed }
    }

    fn activate(&mut self) -> Progress {
        let number = self.activations + 1;
        let mut mark = [0; 8];
        mark[..4].copy_from_slice(&number.to_le_bytes());
        mark[4..].copy_from_slice(&(!number).to_le_bytes());
        if self.write_checked(self.bank.start() + ACTIVATION, &mark).is_err() {
            return Progress::Failed;
        }
        self.activations = number;
        Progress::Done
    }

    fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>> {
        let info = ImageInfo { size: self.size, identification: &self.identifier, signature: &[] };
        (index == 0).then_some(info)
    }
}

fn checksum(record: &[u8; RECORD]) -> u32 {
    let mut checksum = Checksum::default();
    checksum.add(record.get(..RECORD - 4).unwrap_or_default());
    checksum.value()
}
