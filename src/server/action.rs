//! ACTION: one method or a list, parameters and return values whole or in blocks.
//!
//! A method is executed once; its return value goes into the session's storage, behind what the storage still holds of
//! the request, and leaves from there. What leaves in blocks is, for one method, its return value as Data; for a list,
//! the list of results.

use cosem_objects::{ActionResult, Effects};
use dlms_axdr::{Data, Encoder};
use dlms_security::{CryptoProvider, Functions, Protection};

use super::data_protection::DATA_PROTECTION;
use super::event::Event;
use super::execution::Execution;
use super::incoming::{ACTION, Abort, Progress, Received, Whole, receive};
use super::resolve::Requester;
use super::security_setup::Caller;
use super::session::{Failure, Host, Reply, Request, Session, State, Transfer};
use crate::transfer::Outgoing;
use crate::xdlms::{
    ACTION_RESPONSE, ActionResponse, BlockNumber, Conformance, DataBlock, InvokeIdAndPriority,
    MethodDescriptor,
};

/// A response that leaves in blocks from the storage.
#[derive(Clone, Copy)]
pub(super) struct OutgoingResponse {
    invoke_id: InvokeIdAndPriority,
    value: Outgoing,
    /// What the methods demand of each block.
    protection: Protection,
}

/// The choice of action-request-next-pblock.
const NEXT_PBLOCK: u8 = 2;
/// `00 01 00`: success, a return value is there, and it is Data.
const WITH_DATA: [u8; 3] = [0x00, 0x01, 0x00];
/// What stands before the return value in a response that is not a block.
const RESPONSE_HEADER: usize = 3 + WITH_DATA.len();
/// The octets of a result without a return value.
const WITHOUT_DATA: usize = 2;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn action(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        let Session { state: State::Associated(association), storage, events, .. } = self else {
            return Err(Failure::NOT_ALLOWED);
        };
        // Nobody is answered: the room of the answer takes the results, and the storage keeps what is under way.
        let is_broadcast = P::FUNCTIONS.contains(Functions::CIPHERING) && request.is_broadcast();
        let (storage, out) = match is_broadcast {
            true => out.split_at_mut(out.len()),
            false => (storage.as_mut(), out),
        };
        let (conformance, transfer) = (association.conformance, &mut association.transfer);
        let may_block = conformance.contains(Conformance::BLOCK_TRANSFER_WITH_ACTION);
        if let &[_, NEXT_PBLOCK, invoke_id, ref number @ ..] = request.apdu {
            let number = u32::from_be_bytes(number.try_into().map_err(|_| Failure::MALFORMED)?);
            if !conformance.contains(Conformance::ACTION) || !may_block {
                return Err(Failure::NOT_NEGOTIATED);
            }
            return next_block(transfer, InvokeIdAndPriority(invoke_id), number, storage, out);
        }
        let received = receive(&ACTION, conformance, transfer, &mut *storage, request)?;
        let Received { invoke_id, is_list, protection, block, progress } = received;
        let requester = Requester::new(host, association.id, request).protected_by(protection);
        let mut execution = Execution {
            room: (!is_list).then(|| out.len().saturating_sub(RESPONSE_HEADER)),
            ..Execution::new(requester, association.client_title, is_broadcast, events)
        };
        let results = match progress {
            Progress::Whole(mut whole) => {
                let length = execution.invoke_all(host, is_list, &mut whole)?;
                whole.room_start..whole.room_start.saturating_add(length)
            }
            Progress::Partial => {
                let mut encoder = Encoder::new(out);
                encoder.octets(&[ACTION_RESPONSE, 4, invoke_id.0])?;
                encoder.u32(block.unwrap_or_default().0)?;
                return Ok(Reply::first(encoder.len()));
            }
            Progress::Aborted(abort) => {
                let result = match abort {
                    Abort::NotInProgress => ActionResult::NoLongActionInProgress,
                    Abort::BlockNumber | Abort::TooLong => ActionResult::LongActionAborted,
                    Abort::Malformed => ActionResult::TypeUnmatched,
                };
                return failure(invoke_id, result, out);
            }
        };

        let octets = storage.get(results.clone()).unwrap_or(&[]);
        let protection = execution.response;
        let mut encoder = Encoder::new(out);
        let choice = if is_list { 0x03 } else { 0x01 };
        let whole = encoder.octets(&[ACTION_RESPONSE, choice, invoke_id.0]);
        if whole.and_then(|()| encoder.octets(octets)).is_ok() {
            return Ok(Reply { octets: 0..encoder.len(), protection });
        }
        if !may_block {
            return failure(invoke_id, ActionResult::DataBlockUnavailable, out);
        }
        let start = if is_list { results.start } else { results.start.saturating_add(WITH_DATA.len()) };
        let value = Outgoing::new(start..results.end);
        let mut response = OutgoingResponse { invoke_id, value, protection };
        let reply = response.send_block(storage, out);
        association.transfer = Transfer::Response(response);
        reply
    }
}

/// Answers a request for the next block.
fn next_block(
    transfer: &mut Transfer,
    invoke_id: InvokeIdAndPriority,
    number: u32,
    storage: &[u8],
    out: &mut [u8],
) -> Result<Reply, Failure> {
    let Transfer::Response(mut response) = core::mem::replace(transfer, Transfer::None) else {
        return failure(invoke_id, ActionResult::NoLongActionInProgress, out);
    };
    if response.value.last_number() != number {
        return failure(invoke_id, ActionResult::LongActionAborted, out);
    }
    let reply = response.send_block(storage, out);
    if !response.value.is_finished() {
        *transfer = Transfer::Response(response);
    }
    reply
}

impl OutgoingResponse {
    /// Action-Response-With-Pblock with the next block.
    fn send_block(&mut self, storage: &[u8], out: &mut [u8]) -> Result<Reply, Failure> {
        /// `C7 02 invoke last number(4) length(3)`.
        const HEADER: usize = 11;
        let block = self.value.next_block(out.len().saturating_sub(HEADER)).ok_or(Failure::TOO_LONG)?;
        let block = DataBlock {
            last: block.last,
            number: BlockNumber(block.number),
            raw_data: storage.get(block.octets).unwrap_or(&[]),
        };
        let mut encoder = Encoder::new(out);
        ActionResponse::WithPblock { invoke_id: self.invoke_id, block }.encode(&mut encoder)?;
        Ok(Reply { octets: 0..encoder.len(), protection: self.protection })
    }
}

impl Execution<'_> {
    /// Invokes one method and writes its action-response-with-optional-data into `room`; returns how long that is.
    fn invoke_one<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        method: &MethodDescriptor,
        parameter: Data<'_>,
        room: &mut [u8],
    ) -> Result<usize, Failure> {
        if room.len() < WITHOUT_DATA {
            return Err(Failure::TOO_LONG);
        }
        let value = room.get_mut(WITH_DATA.len()..).unwrap_or(&mut []);
        let code = match self.invoke(host, method, parameter, value) {
            Ok(0) => 0x00,
            Ok(length) => {
                *room.first_chunk_mut().ok_or(Failure::TOO_LONG)? = WITH_DATA;
                return Ok(length.saturating_add(WITH_DATA.len()));
            }
            Err(result) => result.code(),
        };
        *room.first_chunk_mut::<WITHOUT_DATA>().ok_or(Failure::TOO_LONG)? = [code, 0x00];
        Ok(WITHOUT_DATA)
    }

    /// Invokes the methods of a request and writes the result, or the list of results; returns how long that is.
    fn invoke_all<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        is_list: bool,
        whole: &mut Whole<'_>,
    ) -> Result<usize, Failure> {
        let mut end = 0;
        if is_list {
            let mut encoder = Encoder::new(whole.room);
            encoder.length(whole.count)?;
            end = encoder.len();
        }
        // Room for the result of each is kept, so that nothing is invoked that could not be answered.
        let mut kept = whole.count.saturating_mul(WITHOUT_DATA);
        if whole.room.len().saturating_sub(end) < kept {
            return Err(Failure::TOO_LONG);
        }
        for _ in 0..whole.count {
            let method = MethodDescriptor::decode(&mut whole.descriptors)?;
            let parameter = Data::decode(&mut whole.values)?;
            kept = kept.saturating_sub(WITHOUT_DATA);
            let limit = whole.room.len().saturating_sub(kept);
            let room = whole.room.get_mut(end..limit).ok_or(Failure::TOO_LONG)?;
            end = end.saturating_add(self.invoke_one(host, &method, parameter, room)?);
            self.requester.denied.report(self.events);
        }
        Ok(end)
    }

    /// Invokes one method and writes what it returns into `value`; gives how long that is.
    pub(super) fn invoke<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        method: &MethodDescriptor,
        parameter: Data<'_>,
        value: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let granted = self.requester.method(host.device, method)?;
        self.response |= granted.response;
        let object = host.device.object_mut(granted.index).ok_or(ActionResult::ObjectUndefined)?;
        let length = if let Some(setup) = object.security_setup() {
            // The broadcast key proves only that somebody of the group asks.
            if self.is_broadcast {
                return Err(ActionResult::ReadWriteDenied);
            }
            let class = object.class();
            let caller =
                Caller { client: self.client, protection: self.requester.protection, room: self.room };
            host.invoke_security_setup(setup, class, method.method_id, parameter, caller, value)?
        } else if Host::<'_, P>::HAS_DATA_PROTECTION && method.class_id == DATA_PROTECTION {
            self.invoke_data_protection(host, granted.index, method.method_id, parameter, value)?
        } else {
            let mut effects = Effects::new();
            let mut encoder = Encoder::new(value);
            object.invoke(method.method_id, parameter, &mut effects, &mut encoder)?;
            let length = encoder.len();
            host.carry_out(&effects, self.events);
            length
        };
        self.events.push(Event::MethodInvoked {
            class_id: method.class_id,
            instance_id: method.instance_id,
            method_id: method.method_id,
        });
        Ok(length)
    }
}

/// Action-Response-Normal without a return value.
fn failure(invoke_id: InvokeIdAndPriority, result: ActionResult, out: &mut [u8]) -> Result<Reply, Failure> {
    let mut encoder = Encoder::new(out);
    encoder.octets(&[ACTION_RESPONSE, 1, invoke_id.0, result.code(), 0x00])?;
    Ok(Reply::first(encoder.len()))
}
