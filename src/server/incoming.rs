//! The requests of SET and ACTION, which differ in their choices and their descriptors only.
//!
//! | choice of SET | of ACTION | behind the invoke-id |
//! | --- | --- | --- |
//! | 1 | 1 | descriptor ‖ value (in ACTION: optional value) |
//! | 2 | 4 | descriptor ‖ first block |
//! | 4 | 3 | count ‖ descriptors ‖ count ‖ values |
//! | 5 | 5 | count ‖ descriptors ‖ first block |
//! | 3 | 6 | next block |
//!
//! While blocks arrive, the session's storage holds the descriptors as they came (a list begins with its count), then the
//! values so far, then free room.

use dlms_axdr::{Data, DecodeError, DecodeErrorKind, Reader};
use dlms_security::Protection;

use super::session::{Failure, Request, Transfer};
use crate::transfer::{Incoming, TransferError};
use crate::xdlms::{
    ACTION_REQUEST, AttributeDescriptorWithSelection, BlockNumber, Conformance, DataBlock,
    InvokeIdAndPriority, MethodDescriptor, SET_REQUEST,
};

/// What SET and ACTION differ in.
pub(super) struct Service {
    tag: u8,
    conformance: Conformance,
    block_conformance: Conformance,
    one: u8,
    one_and_block: u8,
    list: u8,
    list_and_block: u8,
    block: u8,
    /// Whether the value of a single item is optional.
    is_optional: bool,
    /// Passes a descriptor.
    pass: fn(&mut Reader<'_>) -> Result<(), DecodeError>,
}

pub(super) const SET: Service = Service {
    tag: SET_REQUEST,
    conformance: Conformance::SET,
    block_conformance: Conformance::BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    one: 1,
    one_and_block: 2,
    list: 4,
    list_and_block: 5,
    block: 3,
    is_optional: false,
    pass: |reader| AttributeDescriptorWithSelection::decode(reader).map(drop),
};

pub(super) const ACTION: Service = Service {
    tag: ACTION_REQUEST,
    conformance: Conformance::ACTION,
    block_conformance: Conformance::BLOCK_TRANSFER_WITH_ACTION,
    one: 1,
    one_and_block: 4,
    list: 3,
    list_and_block: 5,
    block: 6,
    is_optional: true,
    pass: |reader| MethodDescriptor::decode(reader).map(drop),
};

/// What is known of a request that arrives in blocks, besides what the storage holds.
#[derive(Clone, Copy)]
pub(super) struct IncomingRequest {
    tag: u8,
    invoke_id: InvokeIdAndPriority,
    /// How many octets the descriptors take.
    descriptors: usize,
    is_list: bool,
    values: Incoming,
    /// Each block proves itself; the whole is only as protected as its weakest one.
    protection: Protection,
}

/// A request, or the next block of one.
pub(super) struct Received<'s> {
    pub(super) invoke_id: InvokeIdAndPriority,
    pub(super) is_list: bool,
    /// The protection of all of it.
    pub(super) protection: Protection,
    /// The number of the block.
    pub(super) block: Option<BlockNumber>,
    pub(super) progress: Progress<'s>,
}

/// How far a request has arrived.
pub(super) enum Progress<'s> {
    Whole(Whole<'s>),
    /// More blocks follow.
    Partial,
    Aborted(Abort),
}

/// Why a request in blocks comes to nothing.
pub(super) enum Abort {
    NotInProgress,
    BlockNumber,
    TooLong,
    Malformed,
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

/// Reads a request of `service`. What is under way in `transfer` ends, unless this is its next block.
pub(super) fn receive<'s>(
    service: &Service,
    conformance: Conformance,
    transfer: &mut Transfer,
    storage: &'s mut [u8],
    request: &Request<'s>,
) -> Result<Received<'s>, Failure> {
    let mut reader = Reader::new(request.apdu);
    let [_, choice, invoke_id] = reader.array()?;
    let invoke_id = InvokeIdAndPriority(invoke_id);
    let is_next = choice == service.block;
    let is_list = choice == service.list || choice == service.list_and_block;
    let is_block = is_next || choice == service.one_and_block || choice == service.list_and_block;
    if !is_list && !is_block && choice != service.one {
        return Err(Failure::MALFORMED);
    }
    let descriptors = reader.rest();
    if !is_next {
        let count = if is_list { reader.length()? } else { 1 };
        if count == 0 {
            return Err(Failure::MALFORMED);
        }
        for _ in 0..count {
            (service.pass)(&mut reader)?;
        }
    }
    let length = descriptors.len().saturating_sub(reader.remaining());
    let descriptors = descriptors.get(..length).unwrap_or_default();
    let mut received = Received {
        invoke_id,
        is_list,
        protection: request.protection,
        block: None,
        progress: Progress::Partial,
    };
    if is_block {
        let block = DataBlock::decode(&mut reader)?;
        reader.finish()?;
        service.check(conformance, is_list, true)?;
        received.block = Some(block.number);
        let incoming = match core::mem::replace(transfer, Transfer::None) {
            Transfer::Request(incoming)
                if is_next && incoming.tag == service.tag && incoming.invoke_id.same_id(invoke_id) =>
            {
                incoming
            }
            _ if is_next => {
                received.progress = Progress::Aborted(Abort::NotInProgress);
                return Ok(received);
            }
            _ => {
                let kept = storage.get_mut(..descriptors.len()).ok_or(Failure::TOO_LONG)?;
                kept.copy_from_slice(descriptors);
                let (descriptors, values) = (descriptors.len(), Incoming::new(descriptors.len()));
                let (tag, protection) = (service.tag, request.protection);
                IncomingRequest { tag, invoke_id, descriptors, is_list, values, protection }
            }
        };
        incoming.take(&block, transfer, storage, &mut received);
        return Ok(received);
    }
    let mut values = reader.rest();
    if service.is_optional && !is_list {
        const NULL_DATA: &[u8] = &[0x00];
        values = if reader.usage("method-invocation-parameters")? { reader.rest() } else { NULL_DATA };
    }
    let whole = Whole::new(is_list, descriptors, values, storage, 0)?;
    service.check(conformance, is_list, false)?;
    *transfer = Transfer::None;
    received.progress = Progress::Whole(whole);
    Ok(received)
}

impl Service {
    fn check(&self, offered: Conformance, is_list: bool, is_block: bool) -> Result<(), Failure> {
        let mut needed = self.conformance;
        needed.set(Conformance::MULTIPLE_REFERENCES, is_list);
        needed.set(self.block_conformance, is_block);
        if offered.contains(needed) { Ok(()) } else { Err(Failure::NOT_NEGOTIATED) }
    }
}

impl IncomingRequest {
    /// Takes a block, and says in `received` what has come of the request.
    fn take<'s>(
        mut self,
        block: &DataBlock<'_>,
        transfer: &mut Transfer,
        storage: &'s mut [u8],
        received: &mut Received<'s>,
    ) {
        self.protection &= received.protection;
        (received.protection, received.is_list) = (self.protection, self.is_list);
        received.progress = match self.values.append(storage, block.number.0, block.raw_data) {
            Err(TransferError::BlockNumber { .. }) => Progress::Aborted(Abort::BlockNumber),
            Err(TransferError::TooLong { .. }) => Progress::Aborted(Abort::TooLong),
            Ok(()) if !block.last => {
                *transfer = Transfer::Request(self);
                Progress::Partial
            }
            Ok(()) => {
                let room_start = self.descriptors.saturating_add(self.values.octets(storage).len());
                let (kept, room) = storage.split_at_mut_checked(room_start).unwrap_or_default();
                match kept.split_at_checked(self.descriptors).map(|(descriptors, values)| {
                    Whole::new(self.is_list, descriptors, values, room, room_start)
                }) {
                    Some(Ok(whole)) => Progress::Whole(whole),
                    _ => Progress::Aborted(Abort::Malformed),
                }
            }
        };
    }
}

impl<'s> Whole<'s> {
    /// The request, if its values are as many as its descriptors and take every octet.
    fn new(
        is_list: bool,
        descriptors: &'s [u8],
        values: &'s [u8],
        room: &'s mut [u8],
        room_start: usize,
    ) -> Result<Self, DecodeError> {
        let (mut descriptors, mut values) = (Reader::new(descriptors), Reader::new(values));
        let mut count = 1;
        if is_list {
            count = descriptors.length()?;
            let at = values.clone();
            if values.length()? != count {
                return Err(at.error(DecodeErrorKind::InvalidValue("count of values".into())));
            }
        }
        let mut ahead = values.clone();
        for _ in 0..count {
            Data::decode(&mut ahead)?;
        }
        ahead.finish()?;
        Ok(Self { count, descriptors, values, room, room_start })
    }
}
