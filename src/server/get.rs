//! GET: one attribute or a list, whole or block by block.
//!
//! A value that does not fit one APDU is produced as it is asked for: what is kept between two blocks is the request
//! and a [`Cursor`], whatever the length of the value. A client that lost a response may repeat its get-request-next;
//! the block is then produced again. What cannot be produced twice, the buffer of a Data protection object, is kept behind
//! the request.

use core::ops::Range;

use cosem_objects::{AccessRights, Context, DataAccessResult, GetError};
use dlms_axdr::{Cursor, Encoder, Reader};
use dlms_security::{CryptoProvider, Protection};

use super::data_protection::{Filled, is_buffer};
use super::event::EventQueue;
use super::execution::Execution;
use super::resolve::Requester;
use super::security_setup::Source;
use super::session::{Failure, Host, Reply, Request, Session, State, Transfer};
use crate::octets::shift;
use crate::xdlms::{
    AttributeDescriptorWithSelection, BlockNumber, Conformance, DataBlockResult, GetDataResult, GetRequest,
    GetResponse, InvokeIdAndPriority, ResponseDataBlock, prepend,
};

/// A long GET.
#[derive(Clone, Copy)]
pub(super) struct GetTransfer {
    invoke_id: InvokeIdAndPriority,
    /// How many octets of the storage hold the request's descriptors.
    request_length: usize,
    /// The number of the last block that was sent.
    block: u32,
    /// What produced it, and what produces the next one.
    before: Producer,
    after: Producer,
}

/// What the values of one APDU are read from.
#[derive(Clone, Copy)]
struct GetSource<'s> {
    requester: Requester<'s>,
    objects: Source<'s>,
    /// Of the request.
    descriptors: &'s [u8],
    /// What was put where a protection_buffer is asked for.
    filled: Filled<'s>,
}

/// Produces the octets that a GET transfers: the Data of one attribute, or a list of Get-Data-Results.
#[derive(Clone, Copy, Debug)]
struct Producer {
    items: Items,
    /// Where the descriptor of the current item begins in the request.
    offset: usize,
    stage: Stage,
    /// What the items so far demand of the response.
    protection: Protection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Items {
    One,
    Listed { left: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The number of results.
    Count(Cursor),
    /// The choice between data and error of the next item.
    Choice,
    /// The data of the current item.
    Value(Cursor),
    /// The error of the current item.
    Error(DataAccessResult, Cursor),
    Finished,
}

/// Where the descriptors begin in a get-request.
const DESCRIPTORS: usize = 3;
/// The longest header of a block: `C4 02 invoke last number(4) 00 length`.
const BLOCK_HEADER: usize = GetResponse::DATABLOCK_HEADER_MAX;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn get(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        let Session { state: State::Associated(association), storage, events, .. } = self else {
            return Err(Failure::NOT_ALLOWED);
        };
        let offers = |service| association.conformance.contains(service);
        let requester = Requester::new(host, association.id, request);
        let mut reader = Reader::new(request.apdu);
        let get = GetRequest::decode(&mut reader)?;
        reader.finish()?;
        if !offers(Conformance::GET) {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let (invoke_id, items) = match get {
            GetRequest::Normal { selection: Some(_), .. } if !offers(Conformance::SELECTIVE_ACCESS) => {
                return Err(Failure::NOT_NEGOTIATED);
            }
            GetRequest::Normal { invoke_id, .. } => (invoke_id, Items::One),
            GetRequest::WithList { .. } if !offers(Conformance::MULTIPLE_REFERENCES) => {
                return Err(Failure::NOT_NEGOTIATED);
            }
            GetRequest::WithList { invoke_id, attributes } => {
                (invoke_id, Items::Listed { left: attributes.len() })
            }
            GetRequest::Next { invoke_id, block_number } => {
                let Transfer::Get(transfer) = &mut association.transfer else {
                    return error(invoke_id, DataAccessResult::NoLongGetInProgress, out);
                };
                let kept = storage.as_ref().split_at_checked(transfer.request_length);
                let (descriptors, filled) = kept.unwrap_or_default();
                let source =
                    GetSource { requester, objects: Source::new(host), descriptors, filled: Filled(filled) };
                let block = transfer.next::<P>(block_number.0, source, events, out);
                return block.or_else(|result| {
                    association.transfer = Transfer::None;
                    block_error(invoke_id, block_number, result, out)
                });
            }
        };
        association.transfer = Transfer::None;
        let may_block = offers(Conformance::BLOCK_TRANSFER_WITH_GET_OR_READ);
        let descriptors = request.apdu.get(DESCRIPTORS..).unwrap_or(&[]);
        if Host::<'_, P>::HAS_DATA_PROTECTION {
            let client = association.client_title;
            let mut execution = Execution::new(requester, client, request.is_broadcast(), events);
            let room = storage.as_mut().get_mut(descriptors.len()..).unwrap_or(&mut []);
            execution.fill_listed(host, descriptors, items.count(), room);
        }
        let filled = storage.as_ref().get(descriptors.len()..).unwrap_or(&[]);
        let source = GetSource { requester, objects: Source::new(host), descriptors, filled: Filled(filled) };
        let before = Producer::new(items);
        let mut after = before;
        let room = out.get_mut(BLOCK_HEADER..).filter(|room| !room.is_empty()).ok_or(Failure::TOO_LONG)?;
        let length = match after.produce::<P>(source, events, room) {
            Ok(length) => length,
            Err(result) => return error(invoke_id, result, out),
        };
        if after.stage == Stage::Finished {
            let value = BLOCK_HEADER..length.saturating_add(BLOCK_HEADER);
            return whole(invoke_id, items, value, after.protection, out);
        }
        // A response that is not a block has a shorter header: the value may end within the octets gained.
        let mut more = [0; BLOCK_HEADER - GetResponse::LIST_HEADER];
        let gained = more.get_mut(..BLOCK_HEADER.saturating_sub(items.header())).unwrap_or_default();
        let mut rest = after;
        let mark = events.mark();
        if let Ok(tail) = rest.produce::<P>(source, events, gained)
            && rest.stage == Stage::Finished
        {
            let end = length.saturating_add(BLOCK_HEADER);
            let start = BLOCK_HEADER.saturating_sub(tail);
            shift(out, BLOCK_HEADER..end, start)?;
            let tail = more.get(..tail).unwrap_or_default();
            let room = out.get_mut(end.saturating_sub(tail.len())..end).ok_or(Failure::TOO_LONG)?;
            room.copy_from_slice(tail);
            return whole(invoke_id, items, start..end, rest.protection, out);
        }
        // What did not end there is produced, and refused, once more with the next block.
        requester.denied.clear();
        events.go_back(mark);
        if !may_block {
            return error(invoke_id, DataAccessResult::DataBlockUnavailable, out);
        }
        let kept = storage.as_mut().get_mut(..descriptors.len()).ok_or(Failure::TOO_LONG)?;
        kept.copy_from_slice(descriptors);
        let transfer = GetTransfer { invoke_id, request_length: descriptors.len(), block: 1, before, after };
        let reply = transfer.block_reply(length, out);
        association.transfer = Transfer::Get(transfer);
        reply
    }
}

impl GetTransfer {
    /// The block after number `received`: the next one, or the last one again if its response was lost.
    fn next<P: CryptoProvider>(
        &mut self,
        received: u32,
        source: GetSource<'_>,
        events: &mut EventQueue,
        out: &mut [u8],
    ) -> Result<Reply, DataAccessResult> {
        let invalid = DataAccessResult::DataBlockNumberInvalid;
        if received.checked_add(1) == Some(self.block) && received > 0 {
            self.after = self.before;
            self.block = received;
        } else if received != self.block {
            return Err(invalid);
        } else if self.after.stage == Stage::Finished {
            return Err(DataAccessResult::NoLongGetInProgress);
        }
        self.before = self.after;
        let room = out.get_mut(BLOCK_HEADER..).ok_or(DataAccessResult::LongGetAborted)?;
        let length = self.after.produce::<P>(source, events, room)?;
        self.block = received.checked_add(1).ok_or(invalid)?;
        self.block_reply(length, out).map_err(|_| DataAccessResult::LongGetAborted)
    }

    /// Puts the header of the current block before its `length` octets.
    fn block_reply(&self, length: usize, out: &mut [u8]) -> Result<Reply, Failure> {
        let last = self.after.stage == Stage::Finished;
        let number = BlockNumber(self.block);
        let at = BLOCK_HEADER;
        let start = GetResponse::prepend_datablock_header(out, at, self.invoke_id, last, number, length)?;
        let octets = start..length.saturating_add(BLOCK_HEADER);
        Ok(Reply { octets, protection: self.after.protection })
    }
}

impl Items {
    const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Listed { left } => left,
        }
    }

    const fn header(self) -> usize {
        match self {
            Self::One => GetResponse::NORMAL_HEADER,
            Self::Listed { .. } => GetResponse::LIST_HEADER,
        }
    }
}

impl Producer {
    const fn new(items: Items) -> Self {
        let start = Cursor { next: 0, end: 0, skip: 0 };
        let (offset, stage) = match items {
            Items::One => (0, Stage::Value(start)),
            Items::Listed { .. } => (0, Stage::Count(start)),
        };
        Self { items, offset, stage, protection: Protection::empty() }
    }

    /// Fills `out` from where production stands; returns how many octets were produced.
    fn produce<P: CryptoProvider>(
        &mut self,
        source: GetSource<'_>,
        events: &mut EventQueue,
        out: &mut [u8],
    ) -> Result<usize, DataAccessResult> {
        let mut length = 0usize;
        loop {
            let room = out.get_mut(length..).unwrap_or_default();
            let (written, stage) = match self.stage {
                Stage::Finished => return Ok(length),
                _ if room.is_empty() => return Ok(length),
                Stage::Count(cursor) => {
                    let Items::Listed { left } = self.items else {
                        return Err(DataAccessResult::OtherReason);
                    };
                    let mut encoder = Encoder::resume(room, cursor);
                    let stage = match encoder.length(left) {
                        Ok(()) => {
                            self.offset = encoder.len();
                            Stage::Choice
                        }
                        Err(_) => Stage::Count(encoder.cursor()),
                    };
                    (encoder.len(), stage)
                }
                Stage::Choice => {
                    let (choice, room) = room.split_at_mut(1);
                    match self.value::<P>(Cursor::default(), source, room) {
                        Ok((written, stage)) => {
                            choice.fill(0);
                            (written.saturating_add(1), stage)
                        }
                        Err(result) => {
                            source.requester.denied.report(events);
                            (0, Stage::Error(result, Cursor::default()))
                        }
                    }
                }
                Stage::Value(cursor) => self.value::<P>(cursor, source, room)?,
                Stage::Error(result, cursor) => {
                    let mut encoder = Encoder::resume(room, cursor);
                    let stage = match encoder.octets(&[1, result.code()]) {
                        Ok(()) => self.next_item(source.descriptors)?,
                        Err(_) => Stage::Error(result, encoder.cursor()),
                    };
                    (encoder.len(), stage)
                }
            };
            length = length.saturating_add(written);
            self.stage = stage;
        }
    }

    /// The current item's data from `cursor` on.
    fn value<P: CryptoProvider>(
        &mut self,
        cursor: Cursor,
        source: GetSource<'_>,
        room: &mut [u8],
    ) -> Result<(usize, Stage), DataAccessResult> {
        let GetSource { requester, objects, descriptors, filled } = source;
        let mut reader = Reader::new(descriptors.get(self.offset..).unwrap_or(&[]));
        let item = AttributeDescriptorWithSelection::decode(&mut reader)
            .map_err(|_| DataAccessResult::OtherReason)?;
        let mut filled_value = None;
        if Host::<'_, P>::HAS_DATA_PROTECTION && is_buffer(&item.attribute) {
            // What was refused when it was filled is not refused, and reported, once more.
            filled_value = filled.read(cursor, room)?;
            requester.attribute(objects.device, &item.attribute, AccessRights::READ)?;
        }
        let read = match filled_value {
            Some(read) => read,
            None => read(requester, objects, &item, cursor, room)?,
        };
        let stage = match read.rest {
            None => self.next_item(descriptors)?,
            Some(cursor) => Stage::Value(cursor),
        };
        self.protection |= read.response;
        Ok((read.length, stage))
    }

    /// Moves on behind the current descriptor.
    fn next_item(&mut self, descriptors: &[u8]) -> Result<Stage, DataAccessResult> {
        let Items::Listed { left } = &mut self.items else { return Ok(Stage::Finished) };
        *left = left.saturating_sub(1);
        if *left == 0 {
            return Ok(Stage::Finished);
        }
        let mut reader = Reader::at(descriptors.get(self.offset..).unwrap_or(&[]), self.offset);
        AttributeDescriptorWithSelection::decode(&mut reader).map_err(|_| DataAccessResult::OtherReason)?;
        self.offset = reader.offset();
        Ok(Stage::Choice)
    }
}

/// What was read of an attribute.
pub(super) struct Read {
    /// How many octets were written.
    pub(super) length: usize,
    /// Where the value goes on, if there was no room for all of it.
    pub(super) rest: Option<Cursor>,
    /// The protection that the attribute demands of the response.
    pub(super) response: Protection,
}

/// Writes the Data of an attribute into `room`, from `cursor` on, if the requester may read it.
pub(super) fn read(
    requester: Requester<'_>,
    source: Source<'_>,
    item: &AttributeDescriptorWithSelection<'_>,
    cursor: Cursor,
    room: &mut [u8],
) -> Result<Read, DataAccessResult> {
    let device = source.device;
    let granted = requester.attribute(device, &item.attribute, AccessRights::READ)?;
    let object = device.object(granted.index).ok_or(DataAccessResult::ObjectUndefined)?;
    let context = Context { association: Some(requester.association), device };
    let mut encoder = Encoder::resume(room, cursor);
    let (attribute, selection) = (item.attribute.attribute_id, item.selection);
    let written = source
        .setup_attribute(object, attribute, selection, &mut encoder)
        .unwrap_or_else(|| object.get(attribute, selection, &context, &mut encoder));
    let rest = match written {
        Ok(()) => None,
        Err(GetError::Full(_)) => Some(encoder.cursor()),
        Err(GetError::Refused(result)) => return Err(result),
    };
    Ok(Read { length: encoder.len(), rest, response: granted.response })
}

/// The response that carries the whole value, which stands at `value` of `out`.
fn whole(
    invoke_id: InvokeIdAndPriority,
    items: Items,
    value: Range<usize>,
    protection: Protection,
    out: &mut [u8],
) -> Result<Reply, Failure> {
    let start = prepend(out, value.start, |encoder| match items {
        Items::One => GetResponse::encode_normal_header(encoder, invoke_id),
        Items::Listed { .. } => GetResponse::encode_list_header(encoder, invoke_id),
    })?;
    Ok(Reply { octets: start..value.end, protection })
}

/// Get-Response-Normal with an error.
fn error(invoke_id: InvokeIdAndPriority, result: DataAccessResult, out: &mut [u8]) -> Result<Reply, Failure> {
    let result = GetDataResult::DataAccessResult(result);
    let mut encoder = Encoder::new(out);
    GetResponse::Normal { invoke_id, result }.encode(&mut encoder)?;
    Ok(Reply::first(encoder.len()))
}

/// Get-Response-With-Datablock that ends the transfer with an error.
fn block_error(
    invoke_id: InvokeIdAndPriority,
    number: BlockNumber,
    result: DataAccessResult,
    out: &mut [u8],
) -> Result<Reply, Failure> {
    let result = DataBlockResult::DataAccessResult(result);
    let mut encoder = Encoder::new(out);
    let block = ResponseDataBlock { last: true, number, result };
    GetResponse::WithDataBlock { invoke_id, block }.encode(&mut encoder)?;
    Ok(Reply::first(encoder.len()))
}
