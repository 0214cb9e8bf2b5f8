//! Images of the firmware: received into the bank that does not run, verified, activated.
//!
//! Blocks that were confirmed, a verification and an activation are on the flash before the answer leaves.

use banks::{BLOCK, IMAGE_HEADER, SIGNATURE, Update};
use board::Flash;
use dlms::objects::classes::{ImageInfo, ImageStorage, ImageTransferState, ImageTransferStatus, Progress};
use dlms::objects::{ActionResult, OctetString};
use dlms::security::{Curve, NoRandom, PublicKey, PublicKeyProvider, RustCrypto, Signature};
use embedded_storage::nor_flash::NorFlashErrorKind;
use sha2::{Digest, Sha256};
use static_cell::StaticCell;

/// Octets of the map of blocks.
pub const MAP: usize = (0x4_0000 / BLOCK / 8) as usize;

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
    let version = board::running().and_then(|image| VERSION.try_init(image.version));
    version.map_or(made, |version| version.split(|octet| *octet == 0).next().unwrap_or(made))
}

/// The image on its way into the bank that does not run.
pub struct Banks {
    update: Update<Flash>,
    identifier: OctetString<64>,
    size: u32,
}

impl Banks {
    /// The banks, and the transfer as it stands.
    pub fn open(flash: Flash) -> (Self, ImageTransferState<MAP>) {
        let (mut update, transfer) = Update::open(flash);
        let Some(transfer) = transfer else {
            return (Self { update, identifier: OctetString::new(), size: 0 }, ImageTransferState::NONE);
        };
        let size = transfer.size;
        let mut transferred = [0; MAP];
        for block in (0..size.div_ceil(BLOCK).min(MAP as u32 * 8)).filter(|block| update.has_block(*block)) {
            transferred[block as usize / 8] |= 0x80 >> (block % 8);
        }
        let status = match (transfer.is_active, transfer.is_verified) {
            (true, _) => ImageTransferStatus::ActivationSuccessful,
            (false, true) => ImageTransferStatus::VerificationSuccessful,
            (false, false) => ImageTransferStatus::Initiated,
        };
        let identifier: OctetString<64> = transfer.identifier().iter().copied().collect();
        let banks = Self { update, identifier: identifier.clone(), size };
        (banks, ImageTransferState { status, identifier, size, transferred })
    }

    /// Whether the image is whole, of the size that was announced, and signed by its maker.
    fn is_good(&mut self, size: u32) -> Option<()> {
        let (bank, flash) = self.update.bank();
        let signed = IMAGE_HEADER + bank.image(flash)?.length;
        let mut digest = Sha256::new();
        bank.show(flash, 0, signed, |piece| digest.update(piece)).ok()?;
        let mut signature = heapless::Vec::<u8, { SIGNATURE as usize }>::new();
        bank.show(flash, signed, SIGNATURE, |piece| _ = signature.extend_from_slice(piece)).ok()?;
        let signature = Signature::new(Curve::P384, &signature).ok()?;
        let maker = PublicKey::new(Curve::P384, &MAKER).ok()?;
        RustCrypto::new(NoRandom).verify(&maker, &[&digest.finalize()], &signature).ok()?;
        (signed + SIGNATURE == size).then_some(())
    }
}

impl ImageStorage for Banks {
    fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), ActionResult> {
        let kept = OctetString::from_slice(identifier).map_err(|_| ActionResult::OtherReason)?;
        self.update.begin(identifier, size).map_err(refusal)?;
        (self.identifier, self.size) = (kept, size);
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult> {
        self.update.write(offset, octets).map_err(refusal)
    }

    fn verify(&mut self, size: u32) -> Progress {
        let is_verified = self.is_good(size).is_some() && self.update.verified().is_ok();
        if is_verified { Progress::Done } else { Progress::Failed }
    }

    fn activate(&mut self) -> Progress {
        if self.update.activate().is_ok() { Progress::Done } else { Progress::Failed }
    }

    fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>> {
        let info = ImageInfo { size: self.size, identification: &self.identifier, signature: &[] };
        (index == 0).then_some(info)
    }
}

fn refusal(error: NorFlashErrorKind) -> ActionResult {
    match error {
        NorFlashErrorKind::OutOfBounds => ActionResult::OtherReason,
        _ => ActionResult::HardwareFault,
    }
}
