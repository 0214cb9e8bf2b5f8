//! SET: one attribute or a list, whole or in blocks.

use cosem_objects::{AccessRights, DataAccessResult, Effects};
use dlms_axdr::{Data, Encoder, Reader};
use dlms_security::{CryptoProvider, Protection};

use super::event::{Event, EventQueue};
use super::resolve::Requester;
use super::session::{Failure, Host, Reply, Request, Session, State, Transfer, descriptors_end};
use crate::transfer::{Incoming, TransferError};
use crate::xdlms::{AttributeDescriptorWithSelection, Conformance, InvokeIdAndPriority, SetRequest};

/// A long SET: its descriptors, then the value so far, are in the storage.
#[derive(Clone, Copy)]
pub(super) struct SetTransfer {
    invoke_id: InvokeIdAndPriority,
    /// How many octets the descriptors take; a list begins with its count.
    request_length: usize,
    is_list: bool,
    value: Incoming,
    protection: Protection,
}

/// Where the descriptors begin in a set-request.
const DESCRIPTORS: usize = 3;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    pub(super) fn set(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        let Session { state: State::Associated(association), storage, events, .. } = self else {
            return Err(Failure::NOT_ALLOWED);
        };
        let offers = |service| association.conformance.contains(service);
        let requester = Requester { association: association.id, protection: request.protection };
        let mut reader = Reader::new(request.apdu);
        let set = SetRequest::decode(&mut reader)?;
        reader.finish()?;
        if !offers(Conformance::SET) {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let (is_list, is_block) = match &set {
            SetRequest::Normal { .. } => (false, false),
            SetRequest::WithFirstDataBlock { .. } => (false, true),
            SetRequest::WithDataBlock { .. } => (false, true),
            SetRequest::WithList { .. } => (true, false),
            SetRequest::WithListAndFirstDataBlock { .. } => (true, true),
        };
        if is_list && !offers(Conformance::MULTIPLE_REFERENCES)
            || is_block && !offers(Conformance::BLOCK_TRANSFER_WITH_SET_OR_WRITE)
        {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let transfer = core::mem::replace(&mut association.transfer, Transfer::None);
        let mut encoder = Encoder::new(out);
        let mut response = Protection::empty();
        let (invoke_id, block, transfer) = match set {
            SetRequest::Normal { invoke_id, attribute, selection, value } => {
                let item = AttributeDescriptorWithSelection { attribute, selection };
                let result = write(host, requester, &item, value, events, &mut response);
                encoder.octets(&[0xC5, 0x01, invoke_id.0, result.code()])?;
                return Ok(Reply { octets: 0..encoder.len(), protection: response });
            }
            SetRequest::WithList { invoke_id, attributes, values } => {
                encoder.octets(&[0xC5, 0x05, invoke_id.0])?;
                encoder.length(values.len())?;
                for (item, value) in attributes.iter().zip(values.iter()) {
                    encoder.u8(write(host, requester, &item, value, events, &mut response).code())?;
                }
                return Ok(Reply { octets: 0..encoder.len(), protection: response });
            }
            SetRequest::WithFirstDataBlock { invoke_id, block, .. }
            | SetRequest::WithListAndFirstDataBlock { invoke_id, block, .. } => {
                let end = descriptors_end::<AttributeDescriptorWithSelection<'_>>(
                    request.apdu,
                    DESCRIPTORS,
                    is_list,
                )?;
                let descriptors = request.apdu.get(DESCRIPTORS..end).ok_or(Failure::MALFORMED)?;
                let kept = storage.as_mut().get_mut(..descriptors.len()).ok_or(Failure::TOO_LONG)?;
                kept.copy_from_slice(descriptors);
                let transfer = SetTransfer {
                    invoke_id,
                    request_length: descriptors.len(),
                    is_list,
                    value: Incoming::new(descriptors.len()),
                    protection: request.protection,
                };
                (invoke_id, block, transfer)
            }
            SetRequest::WithDataBlock { invoke_id, block } => match transfer {
                Transfer::Set(transfer) if transfer.invoke_id.same_id(invoke_id) => {
                    (invoke_id, block, transfer)
                }
                _ => {
                    let result = DataAccessResult::NoLongSetInProgress;
                    encoder.octets(&[0xC5, 0x01, invoke_id.0, result.code()])?;
                    return Ok(Reply::first(encoder.len()));
                }
            },
        };
        let mut transfer = transfer;
        // Each block proves itself; the whole is only as protected as its weakest one.
        transfer.protection &= request.protection;
        let number = block.number.0;
        if let Err(error) = transfer.value.append(storage.as_mut(), number, block.raw_data) {
            let result = match error {
                TransferError::BlockNumber { .. } => DataAccessResult::DataBlockNumberInvalid,
                TransferError::TooLong { .. } => DataAccessResult::LongSetAborted,
            };
            encoder.octets(&[0xC5, 0x03, invoke_id.0, result.code()])?;
            encoder.u32(number)?;
            return Ok(Reply::first(encoder.len()));
        }
        if !block.last {
            encoder.octets(&[0xC5, 0x02, invoke_id.0])?;
            encoder.u32(number)?;
            association.transfer = Transfer::Set(transfer);
            return Ok(Reply::first(encoder.len()));
        }
        let requester = Requester { protection: transfer.protection, ..requester };
        let kept = storage.as_ref();
        let value = transfer.value.octets(kept);
        let mut items = Reader::new(kept.get(..transfer.request_length).unwrap_or(&[]));
        if !transfer.is_list {
            let item = AttributeDescriptorWithSelection::decode(&mut items)?;
            let result = match Data::from_octets(value) {
                Ok(value) => write(host, requester, &item, value, events, &mut response),
                Err(_) => DataAccessResult::TypeUnmatched,
            };
            encoder.octets(&[0xC5, 0x03, invoke_id.0, result.code()])?;
            encoder.u32(number)?;
            return Ok(Reply { octets: 0..encoder.len(), protection: response });
        }
        let count = items.length()?;
        let mut values = Reader::new(value);
        let is_whole = values.length() == Ok(count) && {
            let mut ahead = values.clone();
            (0..count).all(|_| Data::decode(&mut ahead).is_ok()) && ahead.is_empty()
        };
        encoder.octets(&[0xC5, 0x04, invoke_id.0])?;
        encoder.length(count)?;
        for _ in 0..count {
            let item = AttributeDescriptorWithSelection::decode(&mut items)?;
            let result = match is_whole.then(|| Data::decode(&mut values)) {
                Some(Ok(value)) => write(host, requester, &item, value, events, &mut response),
                _ => DataAccessResult::TypeUnmatched,
            };
            encoder.u8(result.code())?;
        }
        encoder.u32(number)?;
        Ok(Reply { octets: 0..encoder.len(), protection: response })
    }
}

/// Writes one attribute, with what follows from it in the rest of the device.
fn write<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    requester: Requester,
    item: &AttributeDescriptorWithSelection<'_>,
    value: Data<'_>,
    events: &mut EventQueue,
    response: &mut Protection,
) -> DataAccessResult {
    let attribute = &item.attribute;
    let granted = match requester.attribute(host.device, attribute, AccessRights::WRITE) {
        Ok(granted) => granted,
        Err(result) => return result,
    };
    *response |= granted.response;
    let mut effects = Effects::new();
    let Some(object) = host.device.object_mut(granted.index) else {
        return DataAccessResult::ObjectUndefined;
    };
    if let Err(result) = object.set(attribute.attribute_id, item.selection, value, &mut effects) {
        return result;
    }
    host.carry_out(&effects, events);
    events.push(Event::AttributeWritten {
        class_id: attribute.class_id,
        instance_id: attribute.instance_id,
        attribute_id: attribute.attribute_id,
    });
    DataAccessResult::Success
}
