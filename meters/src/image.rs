//! Where a simulated meter keeps a firmware image, and how it knows a good one.
//!
//! How images are verified is each manufacturer's choice. Here an image that begins with `DLMSIMG1` ends with the CRC-32
//! of what comes before, most significant octet first; any other image is taken as good. Large ones are verified while
//! the meter goes on.

use cosem_objects::ActionResult;
use cosem_objects::classes::{ImageInfo, ImageStorage, Progress};

/// The first octets of an image that carries a check.
const MARK: &[u8] = b"DLMSIMG1";

/// The longest image that is verified at once.
const QUICK: usize = 64 * 1024;

/// The longest image that is taken.
const LONGEST: u32 = 4 * 1024 * 1024;

/// The image bank of a meter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) identifier: Vec<u8>,
    pub(crate) octets: Vec<u8>,
    /// Whether verification was asked for before.
    asked: bool,
}

impl Image {
    /// The image as it was before a restart.
    pub(crate) fn restore(identifier: &[u8], octets: Vec<u8>) -> Self {
        Self { identifier: identifier.to_vec(), octets, asked: false }
    }

    fn is_good(&self) -> bool {
        match self.octets.split_last_chunk::<4>() {
            Some((content, check)) if content.starts_with(MARK) => crc32(content).to_be_bytes() == *check,
            _ => true,
        }
    }
}

impl ImageStorage for Image {
    fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), ActionResult> {
        if size > LONGEST {
            return Err(ActionResult::OtherReason);
        }
        *self = Self { identifier: identifier.to_vec(), octets: vec![0; size as usize], asked: false };
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult> {
        let place = self.octets.get_mut(offset as usize..).and_then(|rest| rest.get_mut(..octets.len()));
        place.ok_or(ActionResult::HardwareFault)?.copy_from_slice(octets);
        self.asked = false;
        Ok(())
    }

    fn verify(&mut self, _size: u32) -> Progress {
        if self.octets.len() > QUICK && !core::mem::replace(&mut self.asked, true) {
            return Progress::Running;
        }
        if self.is_good() { Progress::Done } else { Progress::Failed }
    }

    fn activate(&mut self) -> Progress {
        Progress::Done
    }

    fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>> {
        (index == 0).then_some(ImageInfo {
            size: self.octets.len() as u32,
            identification: &self.identifier,
            signature: &[],
        })
    }
}

/// CRC-32 as of IEEE 802.3.
fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(u32::MAX, |crc, &octet| {
        (0..8).fold(crc ^ u32::from(octet), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checked_image_with_a_wrong_octet_is_bad() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let mut octets = b"DLMSIMG1 firmware".to_vec();
        octets.extend(crc32(&octets).to_be_bytes());
        let mut image = Image::restore(b"FW", octets);
        assert_eq!(image.verify(0), Progress::Done);
        image.octets[10] ^= 1;
        assert_eq!(image.verify(0), Progress::Failed);
    }
}
