//! ACTION: one method or a list, parameters and return values whole or in blocks.
//!
//! A method is executed once; its return value goes into the session's storage, behind what the storage still holds of
//! the request, and leaves from there. What leaves in blocks is, for one method, its return value as Data; for a list,
//! the list of results.

use cosem_objects::{ActionResult, Effects};
use dlms_axdr::{Data, Encoder, Reader};
use dlms_security::{CryptoProvider, Protection, SystemTitle};

use super::event::{Event, EventQueue};
use super::incoming::IncomingRequest;
use super::resolve::Requester;
use super::security_setup::Caller;
use super::session::{Failure, Host, Reply, Request, Session, State, Transfer};
use crate::transfer::Outgoing;
use crate::xdlms::{
    ACTION_RESPONSE, ActionRequest, ActionResponse, BlockNumber, Conformance, DataBlock, InvokeIdAndPriority,
    MethodDescriptor,
};

/// A long ACTION.
#[derive(Clone, Copy)]
pub(super) enum ActionTransfer {
    Request(IncomingRequest),
    Response(OutgoingResponse),
}

/// A response that leaves in blocks from the storage.
#[derive(Clone, Copy)]
pub(super) struct OutgoingResponse {
    invoke_id: InvokeIdAndPriority,
    value: Outgoing,
    /// What the methods demand of each block.
    protection: Protection,
}

/// `00 01 00`: success, a return value is there, and it is Data.
const WITH_DATA: [u8; 3] = [0x00, 0x01, 0x00];
/// What stands before the return value in a response that is not a block.
const RESPONSE_HEADER: usize = 3 + WITH_DATA.len();
/// The octets of a result without a return value.
const WITHOUT_DATA: usize = 2;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    pub(super) fn action(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        let Session { state: State::Associated(association), storage, events, .. } = self else {
            return Err(Failure::NOT_ALLOWED);
        };
        let mut reader = Reader::new(request.apdu);
        let action = ActionRequest::decode(&mut reader)?;
        reader.finish()?;
        let offers = |service| association.conformance.contains(service);
        let may_block = offers(Conformance::BLOCK_TRANSFER_WITH_ACTION);
        let is_list =
            matches!(action, ActionRequest::WithList { .. } | ActionRequest::WithListAndFirstPblock { .. });
        let is_block = !matches!(action, ActionRequest::Normal { .. } | ActionRequest::WithList { .. });
        if !offers(Conformance::ACTION)
            || is_list && !offers(Conformance::MULTIPLE_REFERENCES)
            || is_block && !may_block
        {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let transfer = core::mem::replace(&mut association.transfer, Transfer::None);
        let storage = storage.as_mut();
        let is_broadcast = request.is_broadcast();
        let mut invocation = Invocation {
            requester: Requester::new(host, association.id, request),
            client: association.client_title,
            is_broadcast,
            room: (!is_list).then(|| out.len().saturating_sub(RESPONSE_HEADER)),
            events,
            response: Protection::empty(),
        };
        let (invoke_id, is_list, results) = match action {
            ActionRequest::Normal { invoke_id, method, parameters } => {
                let parameter = parameters.unwrap_or(Data::NullData);
                (invoke_id, false, 0..invocation.run(host, &method, parameter, storage)?)
            }
            ActionRequest::WithList { invoke_id, methods, parameters } => {
                let items = methods.iter().zip(parameters.iter());
                (invoke_id, true, 0..invocation.run_list(host, methods.len(), items, storage)?)
            }
            ActionRequest::NextPblock { invoke_id, block_number } => {
                let Transfer::Action(ActionTransfer::Response(mut response)) = transfer else {
                    return failure(invoke_id, ActionResult::NoLongActionInProgress, out);
                };
                if response.value.last_number() != block_number.0 {
                    return failure(invoke_id, ActionResult::LongActionAborted, out);
                }
                let reply = response.send_block(storage, out);
                if !response.value.is_finished() {
                    association.transfer = Transfer::Action(ActionTransfer::Response(response));
                }
                return reply;
            }
            ActionRequest::WithFirstPblock { invoke_id, block, .. }
            | ActionRequest::WithListAndFirstPblock { invoke_id, block, .. }
            | ActionRequest::WithPblock { invoke_id, block } => {
                let mut incoming = match (transfer, action) {
                    (
                        Transfer::Action(ActionTransfer::Request(incoming)),
                        ActionRequest::WithPblock { .. },
                    ) if incoming.continues(invoke_id) => incoming,
                    (_, ActionRequest::WithPblock { .. }) => {
                        return failure(invoke_id, ActionResult::NoLongActionInProgress, out);
                    }
                    _ => IncomingRequest::begin::<MethodDescriptor>(invoke_id, is_list, request, storage)?,
                };
                if incoming.append(storage, &block, request.protection).is_err() {
                    return failure(invoke_id, ActionResult::LongActionAborted, out);
                }
                if !block.last {
                    association.transfer = Transfer::Action(ActionTransfer::Request(incoming));
                    let mut encoder = Encoder::new(out);
                    ActionResponse::NextPblock { invoke_id, block_number: block.number }
                        .encode(&mut encoder)?;
                    return Ok(Reply::first(encoder.len()));
                }
                invocation.requester.protection = incoming.protection;
                if incoming.is_list {
                    invocation.room = None;
                }
                let Ok(mut whole) = incoming.whole(storage) else {
                    return failure(invoke_id, ActionResult::TypeUnmatched, out);
                };
                let mut items = core::iter::from_fn(|| {
                    let method = MethodDescriptor::decode(&mut whole.descriptors).ok()?;
                    Some((method, Data::decode(&mut whole.values).ok()?))
                });
                let length = if incoming.is_list {
                    invocation.run_list(host, whole.count, items, whole.room)?
                } else {
                    let (method, parameter) = items.next().ok_or(Failure::MALFORMED)?;
                    invocation.run(host, &method, parameter, whole.room)?
                };
                (invoke_id, incoming.is_list, whole.room_start..whole.room_start + length)
            }
        };

        let octets = storage.get(results.clone()).unwrap_or(&[]);
        let protection = invocation.response;
        let mut encoder = Encoder::new(out);
        let choice = if is_list { 0x03 } else { 0x01 };
        let whole = encoder.octets(&[ACTION_RESPONSE, choice, invoke_id.0]);
        if whole.and_then(|()| encoder.octets(octets)).is_ok() {
            return Ok(Reply { octets: 0..encoder.len(), protection });
        }
        if !may_block {
            return failure(invoke_id, ActionResult::DataBlockUnavailable, out);
        }
        let start = if is_list { results.start } else { results.start + WITH_DATA.len() };
        let value = Outgoing::new(start..results.end);
        let mut response = OutgoingResponse { invoke_id, value, protection };
        let reply = response.send_block(storage, out);
        association.transfer = Transfer::Action(ActionTransfer::Response(response));
        reply
    }
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

/// What the invocations of one request share.
struct Invocation<'i> {
    requester: Requester<'i>,
    client: Option<SystemTitle>,
    is_broadcast: bool,
    /// The longest return value that leaves in one APDU, where only one method is invoked and answered.
    room: Option<usize>,
    events: &'i mut EventQueue,
    /// What the methods demand of the response.
    response: Protection,
}

impl Invocation<'_> {
    /// Invokes one method and writes its action-response-with-optional-data into `room`; returns how long that is.
    fn run<P: CryptoProvider>(
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
        match self.invoke(host, method, parameter, value) {
            Ok(0) => {
                room[..WITHOUT_DATA].copy_from_slice(&[0x00, 0x00]);
                Ok(WITHOUT_DATA)
            }
            Ok(length) => {
                room[..WITH_DATA.len()].copy_from_slice(&WITH_DATA);
                Ok(WITH_DATA.len() + length)
            }
            Err(result) => {
                room[..WITHOUT_DATA].copy_from_slice(&[result.code(), 0x00]);
                Ok(WITHOUT_DATA)
            }
        }
    }

    /// Invokes a list of methods and writes the list of their results into `room`; returns how long that is.
    fn run_list<'a, P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        count: usize,
        items: impl Iterator<Item = (MethodDescriptor, Data<'a>)>,
        room: &mut [u8],
    ) -> Result<usize, Failure> {
        let mut encoder = Encoder::new(room);
        encoder.length(count)?;
        let mut end = encoder.len();
        // Room for the result of each is kept, so that nothing is invoked that could not be answered.
        let mut kept = count.saturating_mul(WITHOUT_DATA);
        if encoder.remaining() < kept {
            return Err(Failure::TOO_LONG);
        }
        for (method, parameter) in items {
            kept = kept.saturating_sub(WITHOUT_DATA);
            let limit = room.len().saturating_sub(kept);
            let room = room.get_mut(end..limit).ok_or(Failure::TOO_LONG)?;
            end += self.run(host, &method, parameter, room)?;
        }
        Ok(end)
    }

    fn invoke<P: CryptoProvider>(
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
    ActionResponse::Normal { invoke_id, result, return_parameters: None }.encode(&mut encoder)?;
    Ok(Reply::first(encoder.len()))
}
