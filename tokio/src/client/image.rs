//! Image transfer (class 18), all seven steps, and on from where an earlier attempt stopped.

use std::time::Duration;

use cosem_objects::classes::{ImageTransfer as Class, ImageTransferStatus};
use dlms::xdlms::ActionResult;
use dlms_axdr::{Data, FromData};
use dlms_obis::LogicalName;
use dlms_security::CryptoProvider;

use super::Client;
use crate::Error;

/// The usual name of the object.
const IMAGE_TRANSFER: LogicalName = LogicalName::new(0, 0, 44, 0, 0, 255);

/// How an image is transferred.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageTransfer<'i> {
    /// The Image transfer object.
    pub object: LogicalName,
    /// How the meter knows the image.
    pub identification: &'i [u8],
    /// The image.
    pub image: &'i [u8],
    /// Whether to go on with an image that the meter holds in part. It must be the same one: the meter does not tell
    /// its identification before it is verified.
    pub resume: bool,
    /// Whether the image is activated at once.
    pub activate: bool,
    /// How long verification and activation may take.
    pub patience: Duration,
    /// How long to wait before the meter is asked again.
    pub poll_interval: Duration,
}

impl<'i> ImageTransfer<'i> {
    /// A transfer from the beginning, without activation.
    pub const fn new(identification: &'i [u8], image: &'i [u8]) -> Self {
        Self {
            object: IMAGE_TRANSFER,
            identification,
            image,
            resume: false,
            activate: false,
            patience: Duration::from_secs(300),
            poll_interval: Duration::from_secs(1),
        }
    }
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageProgress {
    /// The meter is ready for the image.
    Initiated {
        /// The number of blocks.
        blocks: u32,
        /// Octets of a block.
        block_size: u32,
        /// The first block that is sent; not 0 where an earlier transfer is gone on with.
        first: u32,
    },
    /// Blocks that the meter has.
    Transferred {
        /// How many were sent or were there.
        blocks: u32,
        /// Of how many.
        of: u32,
    },
    /// Some blocks were lost and are sent again.
    Missing {
        /// The first of them.
        first: u32,
    },
    /// The image is whole and being verified.
    Verifying,
    /// The meter has found the image good.
    Verified,
    /// The image is being activated.
    Activating,
    /// The image is active.
    Activated,
}

impl<P: CryptoProvider> Client<P> {
    /// Transfers an image: initiate, blocks, completeness, verification, comparison and, if wanted, activation.
    ///
    /// # Errors
    /// [`Error::Image`] if the meter does not take the image, otherwise what each step can fail with. The transfer can be
    /// resumed.
    pub async fn image_transfer(
        &mut self,
        transfer: &ImageTransfer<'_>,
        mut progress: impl FnMut(ImageProgress) + Send,
    ) -> Result<(), Error> {
        let object = transfer.object;
        if !self.read(Class::IMAGE_TRANSFER_ENABLED, object).await? {
            self.set(dlms::xdlms::AttributeDescriptor::from(Class::IMAGE_TRANSFER_ENABLED.of(object)), &true)
                .await?;
        }
        let block_size = self.read(Class::IMAGE_BLOCK_SIZE, object).await?;
        let size =
            u32::try_from(transfer.image.len()).map_err(|_| Error::Image("longer than 4 GiB".into()))?;
        if block_size == 0 || size == 0 {
            return Err(Error::Image("an image and its blocks have at least one octet".into()));
        }
        let blocks = size.div_ceil(block_size);
        let first = self.begin(transfer, size, blocks).await?;
        progress(ImageProgress::Initiated { blocks, block_size, first });
        self.send_blocks(transfer, block_size, first..blocks, blocks, &mut progress).await?;
        self.send_missing(transfer, block_size, blocks, &mut progress).await?;
        progress(ImageProgress::Verifying);
        self.verify(transfer).await?;
        self.compare(transfer, size).await?;
        progress(ImageProgress::Verified);
        if transfer.activate {
            progress(ImageProgress::Activating);
            self.activate(transfer).await?;
            progress(ImageProgress::Activated);
        }
        Ok(())
    }

    /// Initiates the transfer, unless it can be gone on with; returns the first block to send.
    async fn begin(&mut self, transfer: &ImageTransfer<'_>, size: u32, blocks: u32) -> Result<u32, Error> {
        let object = transfer.object;
        if transfer.resume
            && self.read(Class::IMAGE_TRANSFER_STATUS, object).await? == ImageTransferStatus::Initiated
        {
            let first = self.read(Class::IMAGE_FIRST_NOT_TRANSFERRED_BLOCK_NUMBER, object).await?;
            let has = self.read(Class::IMAGE_TRANSFERRED_BLOCKS_STATUS, object).await?.len();
            if u32::try_from(has).is_ok_and(|has| has == blocks) && first <= blocks {
                return Ok(first);
            }
        }
        let parameter = (transfer.identification, size);
        self.invoke(Class::IMAGE_TRANSFER_INITIATE.of(object), Some(&parameter)).await?;
        Ok(0)
    }

    async fn send_blocks(
        &mut self,
        transfer: &ImageTransfer<'_>,
        block_size: u32,
        numbers: core::ops::Range<u32>,
        of: u32,
        progress: &mut (impl FnMut(ImageProgress) + Send),
    ) -> Result<(), Error> {
        for number in numbers {
            let start = number as usize * block_size as usize;
            let end = transfer.image.len().min(start.saturating_add(block_size as usize));
            let block = transfer.image.get(start..end).unwrap_or(&[]);
            let parameter = (number, block);
            self.invoke(Class::IMAGE_BLOCK_TRANSFER.of(transfer.object), Some(&parameter)).await?;
            progress(ImageProgress::Transferred { blocks: number + 1, of });
        }
        Ok(())
    }

    /// Sends again what the meter has not got, until it has everything.
    async fn send_missing(
        &mut self,
        transfer: &ImageTransfer<'_>,
        block_size: u32,
        blocks: u32,
        progress: &mut (impl FnMut(ImageProgress) + Send),
    ) -> Result<(), Error> {
        let mut before = None;
        loop {
            let first = self.read(Class::IMAGE_FIRST_NOT_TRANSFERRED_BLOCK_NUMBER, transfer.object).await?;
            if first >= blocks {
                return Ok(());
            }
            if before == Some(first) {
                return Err(Error::Image(format!("the meter does not keep block {first}")));
            }
            before = Some(first);
            progress(ImageProgress::Missing { first });
            self.send_blocks(transfer, block_size, first..first + 1, blocks, progress).await?;
        }
    }

    async fn verify(&mut self, transfer: &ImageTransfer<'_>) -> Result<(), Error> {
        match self.invoke(Class::IMAGE_VERIFY.of(transfer.object), Some(&0i8)).await {
            Ok(_) => return Ok(()),
            Err(Error::Action(ActionResult::TemporaryFailure)) => {}
            Err(error) => return Err(error),
        }
        self.poll_status(
            transfer,
            ImageTransferStatus::VerificationInitiated,
            ImageTransferStatus::VerificationSuccessful,
        )
        .await
    }

    async fn activate(&mut self, transfer: &ImageTransfer<'_>) -> Result<(), Error> {
        match self.invoke(Class::IMAGE_ACTIVATE.of(transfer.object), Some(&0i8)).await {
            Ok(_) => return Ok(()),
            Err(Error::Action(ActionResult::TemporaryFailure)) => {}
            Err(error) => return Err(error),
        }
        self.poll_status(
            transfer,
            ImageTransferStatus::ActivationInitiated,
            ImageTransferStatus::ActivationSuccessful,
        )
        .await
    }

    /// Asks until the meter has left `during`; anything but `good` is a failure.
    async fn poll_status(
        &mut self,
        transfer: &ImageTransfer<'_>,
        during: ImageTransferStatus,
        good: ImageTransferStatus,
    ) -> Result<(), Error> {
        let deadline = tokio::time::Instant::now() + transfer.patience;
        loop {
            let status = self.read(Class::IMAGE_TRANSFER_STATUS, transfer.object).await?;
            if status == good {
                return Ok(());
            }
            if status != during {
                return Err(Error::Image(format!("{status:?}")));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Error::Timeout("the image is being worked on"));
            }
            tokio::time::sleep(transfer.poll_interval).await;
        }
    }

    /// Holds what the meter would activate against what was sent. A meter that lists nothing has said nothing against it.
    async fn compare(&mut self, transfer: &ImageTransfer<'_>, size: u32) -> Result<(), Error> {
        let info = dlms::xdlms::AttributeDescriptor::from(Class::IMAGE_TO_ACTIVATE_INFO.of(transfer.object));
        let info = self.get(info).await?;
        let Data::Array(images) = info.data() else {
            return Err(dlms_axdr::TypeMismatch::new("image-to-activate-info").into());
        };
        let is_ours = images.iter().any(|image| {
            let Data::Structure(fields) = image else { return false };
            let mut fields = fields.iter();
            let same_size = fields.next().and_then(|field| u32::from_data(field).ok()) == Some(size);
            same_size
                && matches!(fields.next(), Some(Data::OctetString(name)) if name == transfer.identification)
        });
        if is_ours || images.is_empty() {
            Ok(())
        } else {
            Err(Error::Image("the meter holds another image than the one sent".into()))
        }
    }
}
