//! SET: one attribute or a list, whole or in blocks.

use cosem_objects::{AccessRights, DataAccessResult, Effects};
use dlms_axdr::{Data, Encoder, Reader};
use dlms_security::{CryptoProvider, Protection};

use super::event::{Event, EventQueue};
use super::incoming::{IncomingRequest, Whole};
use super::resolve::Requester;
use super::session::{Failure, Host, Reply, Request, Session, State, Transfer};
use crate::transfer::TransferError;
use crate::xdlms::{AttributeDescriptorWithSelection, Conformance, SET_RESPONSE, SetRequest, SetResponse};

/// The octets of a block number.
const BLOCK_NUMBER: usize = 4;

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
        let mut reader = Reader::new(request.apdu);
        let set = SetRequest::decode(&mut reader)?;
        reader.finish()?;
        let offers = |service| association.conformance.contains(service);
        let is_list =
            matches!(set, SetRequest::WithList { .. } | SetRequest::WithListAndFirstDataBlock { .. });
        let is_block = !matches!(set, SetRequest::Normal { .. } | SetRequest::WithList { .. });
        if !offers(Conformance::SET)
            || is_list && !offers(Conformance::MULTIPLE_REFERENCES)
            || is_block && !offers(Conformance::BLOCK_TRANSFER_WITH_SET_OR_WRITE)
        {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let transfer = core::mem::replace(&mut association.transfer, Transfer::None);
        let storage = storage.as_mut();
        let mut write = Writing {
            requester: Requester::new(host, association.id, request),
            events,
            response: Protection::empty(),
        };
        let mut encoder = Encoder::new(out);
        match set {
            SetRequest::Normal { invoke_id, attribute, selection, value } => {
                let item = AttributeDescriptorWithSelection { attribute, selection };
                let result = write.attribute(host, &item, value);
                SetResponse::Normal { invoke_id, result }.encode(&mut encoder)?;
            }
            SetRequest::WithList { invoke_id, attributes, values } => {
                encoder.octets(&[SET_RESPONSE, 0x05, invoke_id.0])?;
                encoder.length(values.len())?;
                expect_room(&encoder, values.len())?;
                for (item, value) in attributes.iter().zip(values.iter()) {
                    encoder.u8(write.attribute(host, &item, value).code())?;
                }
            }
            SetRequest::WithFirstDataBlock { invoke_id, block, .. }
            | SetRequest::WithListAndFirstDataBlock { invoke_id, block, .. }
            | SetRequest::WithDataBlock { invoke_id, block } => {
                let mut incoming = match (transfer, set) {
                    (Transfer::Set(incoming), SetRequest::WithDataBlock { .. })
                        if incoming.continues(invoke_id) =>
                    {
                        incoming
                    }
                    (_, SetRequest::WithDataBlock { .. }) => {
                        let result = DataAccessResult::NoLongSetInProgress;
                        SetResponse::Normal { invoke_id, result }.encode(&mut encoder)?;
                        return Ok(Reply::first(encoder.len()));
                    }
                    _ => IncomingRequest::begin::<AttributeDescriptorWithSelection<'_>>(
                        invoke_id, is_list, request, storage,
                    )?,
                };
                let block_number = block.number;
                let result = match incoming.append(storage, &block, request.protection) {
                    Ok(()) => None,
                    Err(TransferError::BlockNumber { .. }) => Some(DataAccessResult::DataBlockNumberInvalid),
                    Err(TransferError::TooLong { .. }) => Some(DataAccessResult::LongSetAborted),
                };
                if result.is_none() && !block.last {
                    association.transfer = Transfer::Set(incoming);
                    SetResponse::DataBlock { invoke_id, block_number }.encode(&mut encoder)?;
                    return Ok(Reply::first(encoder.len()));
                }
                write.requester.protection = incoming.protection;
                match (result, incoming.whole(storage)) {
                    (None, Ok(whole)) if incoming.is_list => {
                        encoder.octets(&[SET_RESPONSE, 0x04, invoke_id.0])?;
                        write.list(host, whole, &mut encoder)?;
                        encoder.u32(block_number.0)?;
                    }
                    (None, Ok(mut whole)) => {
                        let item = AttributeDescriptorWithSelection::decode(&mut whole.descriptors)?;
                        let result = write.attribute(host, &item, Data::decode(&mut whole.values)?);
                        SetResponse::LastDataBlock { invoke_id, result, block_number }
                            .encode(&mut encoder)?;
                    }
                    (result, _) => {
                        let result = result.unwrap_or(DataAccessResult::TypeUnmatched);
                        SetResponse::LastDataBlock { invoke_id, result, block_number }
                            .encode(&mut encoder)?;
                    }
                }
            }
        }
        Ok(Reply { octets: 0..encoder.len(), protection: write.response })
    }
}

/// Nothing is written that could not be answered.
fn expect_room(encoder: &Encoder<'_>, octets: usize) -> Result<(), Failure> {
    if encoder.remaining() < octets { Err(Failure::TOO_LONG) } else { Ok(()) }
}

/// What the writes of one request share.
struct Writing<'w> {
    requester: Requester<'w>,
    events: &'w mut EventQueue,
    /// What the attributes demand of the response.
    response: Protection,
}

impl Writing<'_> {
    /// Writes a list of attributes, and their results into `encoder`.
    fn list<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        mut whole: Whole<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), Failure> {
        encoder.length(whole.count)?;
        expect_room(encoder, whole.count.saturating_add(BLOCK_NUMBER))?;
        for _ in 0..whole.count {
            let item = AttributeDescriptorWithSelection::decode(&mut whole.descriptors)?;
            let value = Data::decode(&mut whole.values)?;
            encoder.u8(self.attribute(host, &item, value).code())?;
        }
        Ok(())
    }

    /// Writes one attribute, with what follows from it in the rest of the device.
    fn attribute<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        item: &AttributeDescriptorWithSelection<'_>,
        value: Data<'_>,
    ) -> DataAccessResult {
        self.try_attribute(host, item, value).err().unwrap_or(DataAccessResult::Success)
    }

    fn try_attribute<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        item: &AttributeDescriptorWithSelection<'_>,
        value: Data<'_>,
    ) -> Result<(), DataAccessResult> {
        let attribute = &item.attribute;
        let granted = self.requester.attribute(host.device, attribute, AccessRights::WRITE)?;
        self.response |= granted.response;
        let mut effects = Effects::new();
        let object = host.device.object_mut(granted.index).ok_or(DataAccessResult::ObjectUndefined)?;
        object.set(attribute.attribute_id, item.selection, value, &mut effects)?;
        host.carry_out(&effects, self.events);
        self.events.push(Event::AttributeWritten {
            class_id: attribute.class_id,
            instance_id: attribute.instance_id,
            attribute_id: attribute.attribute_id,
        });
        Ok(())
    }
}
