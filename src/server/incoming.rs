//! A SET or ACTION request that arrives in blocks: what is kept of it until it is whole.
//!
//! The session's storage holds the descriptors as they came in the first block (a list begins with its count), then the
//! values so far, then free room.

use dlms_axdr::{Data, DecodeError, Reader};
use dlms_security::Protection;

use super::session::{Failure, Request};
use crate::transfer::{Incoming, TransferError};
use crate::xdlms::{DataBlock, Element, InvokeIdAndPriority};

/// Where the descriptors begin in a set-request or action-request.
const DESCRIPTORS: usize = 3;

/// What is known of a request besides what the storage holds.
#[derive(Clone, Copy)]
pub(super) struct IncomingRequest {
    invoke_id: InvokeIdAndPriority,
    /// How many octets the descriptors take.
    descriptors: usize,
    pub(super) is_list: bool,
    values: Incoming,
    /// Each block proves itself; the whole is only as protected as its weakest one.
    pub(super) protection: Protection,
}

/// A request that has arrived whole.
pub(super) struct Whole<'s> {
    /// How many items it has.
    pub(super) count: usize,
    /// At the first descriptor.
    pub(super) descriptors: Reader<'s>,
    /// At the first value.
    pub(super) values: Reader<'s>,
    /// What is free of the storage, and where that begins.
    pub(super) room: &'s mut [u8],
    pub(super) room_start: usize,
}

impl IncomingRequest {
    /// Keeps the descriptors, of type `T`, of the request that carries the first block.
    pub(super) fn begin<'r, T: Element<'r>>(
        invoke_id: InvokeIdAndPriority,
        is_list: bool,
        request: &Request<'r>,
        storage: &mut [u8],
    ) -> Result<Self, Failure> {
        let mut reader = Reader::new(request.apdu.get(DESCRIPTORS..).unwrap_or(&[]));
        let count = if is_list { reader.length()? } else { 1 };
        for _ in 0..count {
            T::decode(&mut reader)?;
        }
        let descriptors = reader.offset();
        let octets = request.apdu.get(DESCRIPTORS..DESCRIPTORS + descriptors).ok_or(Failure::MALFORMED)?;
        storage.get_mut(..descriptors).ok_or(Failure::TOO_LONG)?.copy_from_slice(octets);
        let values = Incoming::new(descriptors);
        Ok(Self { invoke_id, descriptors, is_list, values, protection: request.protection })
    }

    /// Whether a block with this invoke-id belongs to the request.
    pub(super) const fn continues(&self, invoke_id: InvokeIdAndPriority) -> bool {
        self.invoke_id.same_id(invoke_id)
    }

    /// Takes a block.
    pub(super) fn append(
        &mut self,
        storage: &mut [u8],
        block: &DataBlock<'_>,
        protection: Protection,
    ) -> Result<(), TransferError> {
        self.protection &= protection;
        self.values.append(storage, block.number.0, block.raw_data)
    }

    /// The request, if its values are as many as its descriptors and take every octet.
    pub(super) fn whole<'s>(&self, storage: &'s mut [u8]) -> Result<Whole<'s>, DecodeError> {
        let room_start = self.descriptors + self.values.octets(storage).len();
        let (kept, room) = storage.split_at_mut(room_start);
        let (descriptors, values) = kept.split_at(self.descriptors);
        let (mut descriptors, mut values) = (Reader::new(descriptors), Reader::new(values));
        let mut count = 1;
        if self.is_list {
            count = descriptors.length()?;
            let at = values.clone();
            if values.length()? != count {
                return Err(at.error(dlms_axdr::DecodeErrorKind::InvalidValue("count of values".into())));
            }
        }
        let mut ahead = values.clone();
        for _ in 0..count {
            Data::decode(&mut ahead)?;
        }
        ahead.finish()?;
        Ok(Whole { count, descriptors, values, room, room_start })
    }
}
