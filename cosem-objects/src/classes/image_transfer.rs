//! Image transfer (class_id 18): a new firmware image comes in blocks, is verified and activated.
//!
//! Blocks come in any order and may come twice. Verification and activation may take their time: the method then answers
//! `temporary-failure`, and `image_transfer_status` tells how it ended.

use dlms_axdr::{BitString, Data, FromData};
use dlms_obis::LogicalName;

use crate::behaviour::Tick;
use crate::macros::{enumeration, interface_class};
use crate::object::raise;
use crate::{ActionResult, Any, Bits, DataAccessResult, Effect, Effects, ListOf, OctetString};

/// Where images are kept, and who knows whether they are good.
pub trait ImageStorage {
    /// A transfer begins: room for `size` octets is made, whatever was there before.
    ///
    /// # Errors
    /// The image is too large, or not wanted.
    fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), ActionResult>;

    /// Octets of the image.
    ///
    /// # Errors
    /// They could not be stored.
    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult>;

    /// Verifies the image that is stored, or goes on with it.
    fn verify(&mut self, size: u32) -> Progress;

    /// Activates the image that was verified, or goes on with it.
    fn activate(&mut self) -> Progress;

    /// The images that wait for their activation, in order; `None` after the last. Asked for once one is verified.
    fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>>;
}

/// How far verification or activation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Progress {
    /// It goes on; ask again.
    Running,
    /// It ended well.
    Done,
    /// It failed.
    Failed,
}

/// An element of `image_to_activate_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInfo<'a> {
    /// The size in octets.
    pub size: u32,
    /// The identification.
    pub identification: &'a [u8],
    /// The signature that the server found; empty if none.
    pub signature: &'a [u8],
}

enumeration! {
    /// The state of a transfer.
    ImageTransferStatus, "image-transfer-status" {
        /// No transfer yet.
        NotInitiated = 0,
        /// Blocks are expected.
        Initiated = 1,
        /// Verification goes on.
        VerificationInitiated = 2,
        /// The image is good.
        VerificationSuccessful = 3,
        /// The image is bad.
        VerificationFailed = 4,
        /// Activation goes on.
        ActivationInitiated = 5,
        /// The image is active.
        ActivationSuccessful = 6,
        /// The image could not be activated.
        ActivationFailed = 7,
    }
}

/// Image transfer. `BITMAP` octets tell which blocks are there, so an image has at most `BITMAP` × 8 blocks.
#[derive(Clone, Debug)]
pub struct ImageTransfer<S, const BITMAP: usize> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Where the image goes.
    pub storage: S,
    /// Attribute 2, in octets.
    pub image_block_size: u32,
    /// Attribute 5.
    pub image_transfer_enabled: bool,
    state: ImageTransferState<BITMAP>,
}

/// What of a transfer survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTransferState<const BITMAP: usize> {
    /// Attribute 6.
    pub status: ImageTransferStatus,
    /// The identifier that came with `image_transfer_initiate`.
    pub identifier: OctetString<64>,
    /// The size that came with it.
    pub size: u32,
    /// One bit for each block, the first in the highest bit.
    pub transferred: [u8; BITMAP],
}

impl<const BITMAP: usize> ImageTransferState<BITMAP> {
    /// Before the first transfer.
    pub const NONE: Self = Self {
        status: ImageTransferStatus::NotInitiated,
        identifier: OctetString::new(),
        size: 0,
        transferred: [0; BITMAP],
    };
}

impl<S, const BITMAP: usize> ImageTransfer<S, BITMAP> {
    /// An Image transfer object that is enabled.
    pub const fn new(logical_name: LogicalName, storage: S, image_block_size: u32) -> Self {
        Self {
            logical_name,
            storage,
            image_block_size,
            image_transfer_enabled: true,
            state: ImageTransferState::NONE,
        }
    }

    /// The transfer as it stands.
    pub const fn state(&self) -> &ImageTransferState<BITMAP> {
        &self.state
    }

    /// Goes on with a transfer after a restart. A verification or activation that was running is to be asked for
    /// again.
    pub fn restore(&mut self, mut state: ImageTransferState<BITMAP>) {
        state.status = match state.status {
            ImageTransferStatus::VerificationInitiated => ImageTransferStatus::Initiated,
            ImageTransferStatus::ActivationInitiated => ImageTransferStatus::VerificationSuccessful,
            status => status,
        };
        self.state = state;
    }

    /// How many blocks the image has.
    const fn blocks(&self) -> u32 {
        if self.image_block_size == 0 { 0 } else { self.state.size.div_ceil(self.image_block_size) }
    }

    fn has_block(&self, block: u32) -> bool {
        self.state.transferred.get(block as usize / 8).is_some_and(|octet| octet & (0x80 >> (block % 8)) != 0)
    }

    fn first_not_transferred(&self) -> u32 {
        (0..self.blocks()).find(|&block| !self.has_block(block)).unwrap_or(self.blocks())
    }

    fn is_complete(&self) -> bool {
        self.state.size > 0 && self.first_not_transferred() == self.blocks()
    }
}

impl<S: ImageStorage, const BITMAP: usize> ImageTransfer<S, BITMAP> {
    fn check_enabled(&self) -> Result<(), ActionResult> {
        if self.image_transfer_enabled { Ok(()) } else { Err(ActionResult::ReadWriteDenied) }
    }

    fn initiate(&mut self, parameter: Data<'_>) -> Result<(), ActionResult> {
        self.check_enabled()?;
        let (identifier, size): (&[u8], u32) = FromData::from_data(parameter)?;
        let identifier = OctetString::from_slice(identifier).map_err(|_| ActionResult::OtherReason)?;
        let fits = self.image_block_size > 0
            && size > 0
            && size.div_ceil(self.image_block_size) as usize <= BITMAP.saturating_mul(8);
        if !fits {
            return Err(ActionResult::OtherReason);
        }
        self.storage.begin(&identifier, size)?;
        self.state = ImageTransferState {
            status: ImageTransferStatus::Initiated,
            identifier,
            size,
            transferred: [0; BITMAP],
        };
        Ok(())
    }

    fn take_block(&mut self, parameter: Data<'_>) -> Result<(), ActionResult> {
        self.check_enabled()?;
        let (block, octets): (u32, &[u8]) = FromData::from_data(parameter)?;
        match self.state.status {
            ImageTransferStatus::Initiated | ImageTransferStatus::VerificationFailed => {}
            ImageTransferStatus::VerificationInitiated | ImageTransferStatus::ActivationInitiated => {
                return Err(ActionResult::TemporaryFailure);
            }
            _ => return Err(ActionResult::OtherReason),
        }
        if block >= self.blocks() {
            return Err(ActionResult::TypeUnmatched);
        }
        let offset = block.checked_mul(self.image_block_size).ok_or(ActionResult::TypeUnmatched)?;
        let left = self.state.size.checked_sub(offset).ok_or(ActionResult::TypeUnmatched)?;
        let expected = left.min(self.image_block_size);
        if octets.len() != expected as usize {
            return Err(ActionResult::TypeUnmatched);
        }
        let transferred = self.state.transferred.get_mut(block as usize / 8);
        let transferred = transferred.ok_or(ActionResult::TypeUnmatched)?;
        self.storage.write(offset, octets)?;
        *transferred |= 0x80 >> (block % 8);
        self.state.status = ImageTransferStatus::Initiated;
        Ok(())
    }

    fn verify(&mut self) -> Result<(), ActionResult> {
        use ImageTransferStatus::{
            Initiated, VerificationFailed, VerificationInitiated, VerificationSuccessful,
        };
        self.check_enabled()?;
        match self.state.status {
            VerificationSuccessful => return Ok(()),
            Initiated | VerificationInitiated | VerificationFailed if self.is_complete() => {}
            _ => return Err(ActionResult::OtherReason),
        }
        self.continue_verification()
    }

    fn continue_verification(&mut self) -> Result<(), ActionResult> {
        let (status, result) = match self.storage.verify(self.state.size) {
            Progress::Running => {
                (ImageTransferStatus::VerificationInitiated, Err(ActionResult::TemporaryFailure))
            }
            Progress::Done => (ImageTransferStatus::VerificationSuccessful, Ok(())),
            Progress::Failed => (ImageTransferStatus::VerificationFailed, Err(ActionResult::OtherReason)),
        };
        self.state.status = status;
        result
    }

    fn activate(&mut self, effects: &mut Effects) -> Result<(), ActionResult> {
        use ImageTransferStatus::{
            ActivationFailed, ActivationInitiated, Initiated, VerificationInitiated, VerificationSuccessful,
        };
        self.check_enabled()?;
        match self.state.status {
            VerificationSuccessful | ActivationInitiated | ActivationFailed => {}
            // Verification is part of an activation that comes without it.
            Initiated | VerificationInitiated => self.verify()?,
            _ => return Err(ActionResult::OtherReason),
        }
        self.continue_activation(effects)
    }

    fn continue_activation(&mut self, effects: &mut Effects) -> Result<(), ActionResult> {
        let (status, result) = match self.storage.activate() {
            Progress::Running => {
                (ImageTransferStatus::ActivationInitiated, Err(ActionResult::TemporaryFailure))
            }
            Progress::Done => (ImageTransferStatus::ActivationSuccessful, Ok(())),
            Progress::Failed => (ImageTransferStatus::ActivationFailed, Err(ActionResult::OtherReason)),
        };
        if result.is_ok() {
            raise(effects, Effect::ImageActivated { image_transfer: self.logical_name });
        }
        self.state.status = status;
        result
    }

    /// The images that wait; none unless one was verified.
    fn waiting(&self) -> impl Iterator<Item = ImageInfo<'_>> {
        let verified = matches!(
            self.state.status,
            ImageTransferStatus::VerificationSuccessful
                | ImageTransferStatus::ActivationInitiated
                | ImageTransferStatus::ActivationFailed
                | ImageTransferStatus::ActivationSuccessful
        );
        (0..usize::MAX)
            .map_while(move |index| if verified { self.storage.image_to_activate(index) } else { None })
    }
}

/// A transfer that is only named.
impl ImageStorage for () {
    fn begin(&mut self, _: &[u8], _: u32) -> Result<(), ActionResult> {
        Err(ActionResult::HardwareFault)
    }

    fn write(&mut self, _: u32, _: &[u8]) -> Result<(), ActionResult> {
        Err(ActionResult::HardwareFault)
    }

    fn verify(&mut self, _: u32) -> Progress {
        Progress::Failed
    }

    fn activate(&mut self) -> Progress {
        Progress::Failed
    }

    fn image_to_activate(&self, _: usize) -> Option<ImageInfo<'_>> {
        None
    }
}

interface_class! {
    class 18 "Image transfer" version 0, first method at Some(0x40);
    constants on ImageTransfer<(), 0>;
    object impl[S: ImageStorage, const BITMAP: usize] ImageTransfer<S, BITMAP>;
    attributes {
        2 image_block_size IMAGE_BLOCK_SIZE: u32 = "double-long-unsigned" static
            get(object, get) { Ok(get.encoder.data(&object.image_block_size)?) }
        3 image_transferred_blocks_status IMAGE_TRANSFERRED_BLOCKS_STATUS: Bits = "bit-string" dynamic
            get(object, get) {
                let blocks = object.blocks() as usize;
                let octets = object.state.transferred.get(..blocks.div_ceil(8)).unwrap_or_default();
                let bits = BitString::new(blocks, octets).ok_or(DataAccessResult::HardwareFault)?;
                Ok(get.encoder.data(&bits)?)
            }
        4 image_first_not_transferred_block_number IMAGE_FIRST_NOT_TRANSFERRED_BLOCK_NUMBER: u32 = "double-long-unsigned" dynamic
            get(object, get) { Ok(get.encoder.data(&object.first_not_transferred())?) }
        5 image_transfer_enabled IMAGE_TRANSFER_ENABLED: bool = "boolean" static
            get(object, get) { Ok(get.encoder.data(&object.image_transfer_enabled)?) }
            set(object, set) {
                object.image_transfer_enabled = bool::from_data(set.value)?;
                Ok(())
            }
        6 image_transfer_status IMAGE_TRANSFER_STATUS: ImageTransferStatus = "enum:image_transfer_status" dynamic
            get(object, get) { Ok(get.encoder.data(&object.state.status)?) }
        7 image_to_activate_info IMAGE_TO_ACTIVATE_INFO: ListOf<Any> = "array<structure{image_to_activate_size: double-long-unsigned, image_to_activate_identification: octet-string, image_to_activate_signature: octet-string}>" dynamic
            get(object, get) {
                get.encoder.array(object.waiting().count())?;
                for image in object.waiting() {
                    get.encoder.data(&(image.size, image.identification, image.signature))?;
                }
                Ok(())
            }
    }
    methods {
        1 image_transfer_initiate IMAGE_TRANSFER_INITIATE: Any = "structure{image_identifier: octet-string, image_size: double-long-unsigned}" mandatory (object, call) {
            object.initiate(call.parameter)
        }
        2 image_block_transfer IMAGE_BLOCK_TRANSFER: Any = "structure{image_block_number: double-long-unsigned, image_block_value: octet-string}" mandatory (object, call) {
            object.take_block(call.parameter)
        }
        3 image_verify IMAGE_VERIFY: i8 = "integer(0)" mandatory (object, call) {
            object.verify()
        }
        4 image_activate IMAGE_ACTIVATE: i8 = "integer(0)" mandatory (object, call) {
            object.activate(call.effects)
        }
    }
    behaviour {
        /// What was begun goes on without being asked for again.
        fn tick(&mut self, _tick: &Tick, effects: &mut Effects) {
            let _ = match self.state.status {
                ImageTransferStatus::VerificationInitiated => self.continue_verification(),
                ImageTransferStatus::ActivationInitiated => self.continue_activation(effects),
                _ => Ok(()),
            };
        }
    }
}
