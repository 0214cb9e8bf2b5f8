//! SET: one attribute or a list, whole or in blocks.

use cosem_objects::{AccessRights, DataAccessResult, Effects};
use dlms_axdr::{Data, DecodeError, Encoder};
use dlms_security::CryptoProvider;

use super::data_protection::is_buffer;
use super::event::Event;
use super::execution::Execution;
use super::incoming::{Abort, Progress, Received, SET, Whole, receive};
use super::resolve::Requester;
use super::session::{Failure, Host, Reply, Request, Session, State};
use crate::xdlms::{AttributeDescriptorWithSelection, SET_RESPONSE};

/// The octets of a block number.
const BLOCK_NUMBER: usize = 4;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    /// The response is `C5 choice invoke-id`, the results, and the number of a block if the request came in blocks:
    /// normal 1, data-block 2, last-data-block 3, last-data-block-with-list 4, with-list 5.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn set(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        let Session { state: State::Associated(association), storage, events, .. } = self else {
            return Err(Failure::NOT_ALLOWED);
        };
        let (conformance, client) = (association.conformance, association.client_title);
        let transfer = &mut association.transfer;
        let received = receive(&SET, conformance, transfer, storage.as_mut(), request)?;
        let Received { invoke_id, is_list, protection, mut block, progress } = received;
        let requester = Requester::new(host, association.id, request).protected_by(protection);
        let mut execution = Execution::new(requester, client, request.is_broadcast(), events);
        let (one, list) = if block.is_some() { (3, 4) } else { (1, 5) };
        let mut encoder = Encoder::new(out);
        let mut begin = |choice| encoder.octets(&[SET_RESPONSE, choice, invoke_id.0]);
        match progress {
            Progress::Partial => begin(2)?,
            Progress::Whole(whole) if is_list => {
                begin(list)?;
                execution.write_all(host, whole, &mut encoder)?;
            }
            Progress::Whole(mut whole) => {
                begin(one)?;
                encoder.u8(execution.write_next(host, &mut whole)?.code())?;
            }
            Progress::Aborted(Abort::NotInProgress) => {
                begin(1)?;
                encoder.u8(DataAccessResult::NoLongSetInProgress.code())?;
                block = None;
            }
            Progress::Aborted(abort) => {
                let result = match abort {
                    Abort::BlockNumber => DataAccessResult::DataBlockNumberInvalid,
                    Abort::TooLong => DataAccessResult::LongSetAborted,
                    _ => DataAccessResult::TypeUnmatched,
                };
                begin(one)?;
                encoder.u8(result.code())?;
            }
        }
        if let Some(number) = block {
            encoder.u32(number.0)?;
        }
        Ok(Reply { octets: 0..encoder.len(), protection: execution.response })
    }
}

impl Execution<'_> {
    /// Writes a list of attributes, and their results into `encoder`.
    fn write_all<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        mut whole: Whole<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), Failure> {
        encoder.length(whole.count)?;
        // Nothing is written that could not be answered.
        if encoder.remaining() < whole.count.saturating_add(BLOCK_NUMBER) {
            return Err(Failure::TOO_LONG);
        }
        for _ in 0..whole.count {
            encoder.u8(self.write_next(host, &mut whole)?.code())?;
            self.requester.denied.report(self.events);
        }
        Ok(())
    }

    /// Writes the next attribute of a request.
    fn write_next<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        whole: &mut Whole<'_>,
    ) -> Result<DataAccessResult, DecodeError> {
        let item = AttributeDescriptorWithSelection::decode(&mut whole.descriptors)?;
        let value = Data::decode(&mut whole.values)?;
        Ok(self.write(host, &item, value, whole.room).err().unwrap_or(DataAccessResult::Success))
    }

    /// Writes one attribute, with what follows from it in the rest of the device. Protected data are opened in `room`.
    pub(super) fn write<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        item: &AttributeDescriptorWithSelection<'_>,
        value: Data<'_>,
        room: &mut [u8],
    ) -> Result<(), DataAccessResult> {
        let attribute = &item.attribute;
        let granted = self.requester.attribute(host.device, attribute, AccessRights::WRITE)?;
        self.response |= granted.response;
        if Host::<'_, P>::HAS_DATA_PROTECTION && is_buffer(attribute) {
            self.write_buffer(host, granted.index, item, value, room)?;
        } else {
            let mut effects = Effects::new();
            let object = host.device.object_mut(granted.index).ok_or(DataAccessResult::ObjectUndefined)?;
            object.set(attribute.attribute_id, item.selection, value, &mut effects)?;
            host.carry_out(&effects, self.events);
        }
        self.events.push(Event::AttributeWritten {
            class_id: attribute.class_id,
            instance_id: attribute.instance_id,
            attribute_id: attribute.attribute_id,
        });
        Ok(())
    }
}
