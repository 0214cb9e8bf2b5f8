//! An image transfer with all its steps, its interruptions and its faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use core::time::Duration;

use cosem_objects::behaviour::Tick;
use cosem_objects::classes::*;
use cosem_objects::*;
use dlms_axdr::{Data as Value, Encoder, OwnedData};
use dlms_obis::LogicalName;
use proptest::prelude::*;

const NAME: LogicalName = LogicalName::new(0, 0, 44, 0, 0, 255);

/// Keeps an image; its last octet says whether it is good. Takes `busy` calls for anything.
#[derive(Default)]
struct Flash {
    identifier: Vec<u8>,
    image: Vec<u8>,
    busy: u32,
    active: bool,
}

impl Flash {
    fn work(&mut self, good: bool) -> Progress {
        match self.busy.checked_sub(1) {
            Some(busy) => {
                self.busy = busy;
                Progress::Running
            }
            None if good => Progress::Done,
            None => Progress::Failed,
        }
    }
}

impl ImageStorage for Flash {
    fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), ActionResult> {
        self.identifier = identifier.to_vec();
        self.image = vec![0xEE; size as usize];
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult> {
        self.image[offset as usize..][..octets.len()].copy_from_slice(octets);
        Ok(())
    }

    fn verify(&mut self, _: u32) -> Progress {
        let good = self.image.last() == Some(&0);
        self.work(good)
    }

    fn activate(&mut self) -> Progress {
        let progress = self.work(true);
        self.active = progress == Progress::Done;
        progress
    }

    fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>> {
        (index == 0).then_some(ImageInfo {
            size: self.image.len() as u32,
            identification: &self.identifier,
            signature: &[],
        })
    }
}

type Transfer = ImageTransfer<Flash, 4>;

fn invoke(transfer: &mut Transfer, method: i8, parameter: &OwnedData) -> Result<(), ActionResult> {
    transfer.invoke(method, parameter.as_data(), &mut Effects::new(), &mut Encoder::new(&mut []))
}

fn initiate(transfer: &mut Transfer, size: u32) -> Result<(), ActionResult> {
    let parameter = OwnedData::Structure(vec![
        OwnedData::OctetString(b"FW1".to_vec()),
        OwnedData::DoubleLongUnsigned(size),
    ]);
    invoke(transfer, 1, &parameter)
}

fn block(transfer: &mut Transfer, number: u32, octets: &[u8]) -> Result<(), ActionResult> {
    let octets = OwnedData::OctetString(octets.to_vec());
    invoke(transfer, 2, &OwnedData::Structure(vec![OwnedData::DoubleLongUnsigned(number), octets]))
}

const ZERO: OwnedData = OwnedData::Integer(0);

fn verify(transfer: &mut Transfer) -> Result<(), ActionResult> {
    invoke(transfer, 3, &ZERO)
}

fn activate(transfer: &mut Transfer) -> Result<(), ActionResult> {
    invoke(transfer, 4, &ZERO)
}

struct NoDevice;

impl LogicalDevice for NoDevice {
    cosem_objects::objects!();

    fn attribute_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::empty()
    }

    fn method_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::empty()
    }

    fn is_visible(&self, _: AssociationId, _: usize) -> bool {
        false
    }

    fn association_object(&self, _: AssociationId) -> Option<usize> {
        None
    }
}

fn get(transfer: &Transfer, attribute: i8) -> Vec<u8> {
    let mut buffer = [0; 64];
    let mut encoder = Encoder::new(&mut buffer);
    let context = Context { association: None, device: &NoDevice };
    transfer.get(attribute, None, &context, &mut encoder).unwrap();
    encoder.written().to_vec()
}

fn tick(transfer: &mut Transfer) -> usize {
    let mut effects = Effects::new();
    transfer.tick(&Tick { now: Duration::ZERO, wall: None }, &mut effects);
    effects.len()
}

fn new() -> Transfer {
    ImageTransfer::new(NAME, Flash::default(), 16)
}

#[test]
fn seven_steps() {
    let mut transfer = new();
    assert_eq!(get(&transfer, 2), [0x06, 0, 0, 0, 16]);
    initiate(&mut transfer, 150).unwrap();
    for number in [3, 0, 1, 2, 8, 7, 6, 5, 4, 4] {
        block(&mut transfer, number, &[number as u8; 16]).unwrap();
    }
    assert_eq!(get(&transfer, 3), [0x04, 10, 0xFF, 0x80], "the last of ten is missing");
    assert_eq!(get(&transfer, 4), [0x06, 0, 0, 0, 9]);
    assert_eq!(verify(&mut transfer), Err(ActionResult::OtherReason));
    assert_eq!(block(&mut transfer, 9, &[0; 16]), Err(ActionResult::TypeUnmatched), "the last has 6 octets");
    assert_eq!(block(&mut transfer, 10, &[0; 16]), Err(ActionResult::TypeUnmatched));
    block(&mut transfer, 9, &[0; 6]).unwrap();
    assert_eq!(get(&transfer, 4), [0x06, 0, 0, 0, 10]);
    assert_eq!(get(&transfer, 7), [0x01, 0]);
    verify(&mut transfer).unwrap();
    verify(&mut transfer).unwrap();
    assert_eq!(get(&transfer, 6), [0x16, 3]);
    assert_eq!(get(&transfer, 7), [1, 1, 2, 3, 6, 0, 0, 0, 150, 9, 3, b'F', b'W', b'1', 9, 0]);
    activate(&mut transfer).unwrap();
    assert_eq!(get(&transfer, 6), [0x16, 6]);
    assert!(transfer.storage.active);
    assert_eq!(transfer.storage.image[16..32], [1; 16]);
}

#[test]
fn verification_and_activation_that_take_their_time() {
    let mut transfer = new();
    initiate(&mut transfer, 16).unwrap();
    block(&mut transfer, 0, &[0; 16]).unwrap();
    transfer.storage.busy = 2;
    assert_eq!(verify(&mut transfer), Err(ActionResult::TemporaryFailure));
    assert_eq!(get(&transfer, 6), [0x16, 2]);
    assert_eq!(block(&mut transfer, 0, &[0; 16]), Err(ActionResult::TemporaryFailure));
    tick(&mut transfer);
    tick(&mut transfer);
    assert_eq!(get(&transfer, 6), [0x16, 3]);
    transfer.storage.busy = 1;
    assert_eq!(activate(&mut transfer), Err(ActionResult::TemporaryFailure));
    assert_eq!(get(&transfer, 6), [0x16, 5]);
    assert_eq!(tick(&mut transfer), 1, "the activation is told");
    assert_eq!(get(&transfer, 6), [0x16, 6]);
}

#[test]
fn a_bad_image_is_not_activated() {
    let mut transfer = new();
    initiate(&mut transfer, 16).unwrap();
    block(&mut transfer, 0, &[1; 16]).unwrap();
    assert_eq!(activate(&mut transfer), Err(ActionResult::OtherReason));
    assert_eq!(get(&transfer, 6), [0x16, 4]);
    assert_eq!(activate(&mut transfer), Err(ActionResult::OtherReason));
    block(&mut transfer, 0, &[0; 16]).unwrap();
    activate(&mut transfer).unwrap();
}

#[test]
fn refusals() {
    let mut transfer = new();
    assert_eq!(block(&mut transfer, 0, &[0; 16]), Err(ActionResult::OtherReason), "nothing was initiated");
    assert_eq!(verify(&mut transfer), Err(ActionResult::OtherReason));
    assert_eq!(initiate(&mut transfer, 0), Err(ActionResult::OtherReason));
    assert_eq!(initiate(&mut transfer, u32::MAX), Err(ActionResult::OtherReason));
    assert_eq!(
        initiate(&mut transfer, 32 * 16 + 1),
        Err(ActionResult::OtherReason),
        "more blocks than there is room for"
    );
    assert_eq!(invoke(&mut transfer, 1, &ZERO), Err(ActionResult::TypeUnmatched));
    transfer.set(5, None, Value::Boolean(false), &mut Effects::new()).unwrap();
    assert_eq!(initiate(&mut transfer, 16), Err(ActionResult::ReadWriteDenied));
}

#[test]
fn a_transfer_goes_on_after_a_restart() {
    let mut transfer = new();
    initiate(&mut transfer, 40).unwrap();
    block(&mut transfer, 1, &[0; 16]).unwrap();
    let state = transfer.state().clone();
    let mut restarted = ImageTransfer::new(NAME, transfer.storage, 16);
    restarted.restore(state);
    assert_eq!(get(&restarted, 3), [0x04, 3, 0x40]);
    block(&mut restarted, 0, &[0; 16]).unwrap();
    block(&mut restarted, 2, &[0; 8]).unwrap();
    verify(&mut restarted).unwrap();
}

proptest! {
    #[test]
    fn any_order_completes(order in Just((0u32..20).collect::<Vec<_>>()).prop_shuffle()) {
        let mut transfer = new();
        initiate(&mut transfer, 20 * 16).unwrap();
        for number in order {
            prop_assert!(verify(&mut transfer).is_err());
            block(&mut transfer, number, &[0; 16]).unwrap();
        }
        prop_assert_eq!(verify(&mut transfer), Ok(()));
    }

    #[test]
    fn any_parameter(method in 0i8..6, octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut transfer = new();
        initiate(&mut transfer, 40).unwrap();
        if let Ok(parameter) = OwnedData::from_octets(&octets) {
            let _ = invoke(&mut transfer, method, &parameter);
        }
    }
}
