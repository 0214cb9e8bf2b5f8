//! ACTION: one method or a list, parameters and return values whole or in blocks.
//!
//! A method is executed once; its return value goes into the session's storage, behind what the storage still holds of
//! the request, and leaves from there. What leaves in blocks is, for one method, its return value as Data; for a list,
//! the list of results.

use core::ops::Range;

use cosem_objects::{ActionResult, Effects};
use dlms_axdr::{Data, Encoder, Reader};
use dlms_security::{CryptoProvider, Protection};

use super::event::{Event, EventQueue};
use super::resolve::Requester;
use super::session::{Failure, Host, Reply, Request, Session, State, Transfer, descriptors_end};
use crate::transfer::{Incoming, Outgoing};
use crate::xdlms::{ActionRequest, Conformance, InvokeIdAndPriority, MethodDescriptor};

/// A long ACTION.
#[derive(Clone, Copy)]
pub(super) enum ActionTransfer {
    /// The request arrives: its descriptors, then the parameters so far, are in the storage.
    Request {
        invoke_id: InvokeIdAndPriority,
        request_length: usize,
        is_list: bool,
        parameters: Incoming,
        protection: Protection,
    },
    /// The response leaves from the storage.
    Response { invoke_id: InvokeIdAndPriority, value: Outgoing, protection: Protection },
}

/// Where the descriptors begin in an action-request.
const DESCRIPTORS: usize = 3;
/// `00 01 00`: success, a return value is there, and it is Data.
const WITH_DATA: [u8; 3] = [0x00, 0x01, 0x00];

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
        let offers = |service| association.conformance.contains(service);
        let mut reader = Reader::new(request.apdu);
        let action = ActionRequest::decode(&mut reader)?;
        reader.finish()?;
        if !offers(Conformance::ACTION) {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let is_list =
            matches!(action, ActionRequest::WithList { .. } | ActionRequest::WithListAndFirstPblock { .. });
        let is_block = !matches!(action, ActionRequest::Normal { .. } | ActionRequest::WithList { .. });
        let may_block = offers(Conformance::BLOCK_TRANSFER_WITH_ACTION);
        if is_list && !offers(Conformance::MULTIPLE_REFERENCES) || is_block && !may_block {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let transfer = core::mem::replace(&mut association.transfer, Transfer::None);
        let mut invocation = Invocation {
            requester: Requester { association: association.id, protection: request.protection },
            events,
            response: Protection::empty(),
        };
        let (invoke_id, block, transfer) = match action {
            ActionRequest::Normal { invoke_id, method, parameters } => {
                let parameter = parameters.unwrap_or(Data::NullData);
                let results = invocation.run(host, &method, parameter, storage.as_mut())?;
                return respond(
                    &mut association.transfer,
                    invoke_id,
                    false,
                    may_block,
                    invocation.response,
                    0..results,
                    storage.as_ref(),
                    out,
                );
            }
            ActionRequest::WithList { invoke_id, methods, parameters } => {
                let mut encoder = Encoder::new(storage.as_mut());
                encoder.length(methods.len())?;
                let mut end = encoder.len();
                for (method, parameter) in methods.iter().zip(parameters.iter()) {
                    let room = storage.as_mut().get_mut(end..).ok_or(Failure::TOO_LONG)?;
                    end += invocation.run(host, &method, parameter, room)?;
                }
                return respond(
                    &mut association.transfer,
                    invoke_id,
                    true,
                    may_block,
                    invocation.response,
                    0..end,
                    storage.as_ref(),
                    out,
                );
            }
            ActionRequest::NextPblock { invoke_id, block_number } => {
                return match transfer {
                    Transfer::Action(ActionTransfer::Response { invoke_id: id, mut value, protection })
                        if id.same_id(invoke_id) && value.last_number() == block_number.0 =>
                    {
                        let reply = send_block(invoke_id, &mut value, protection, storage.as_ref(), out);
                        if !value.is_finished() {
                            association.transfer =
                                Transfer::Action(ActionTransfer::Response { invoke_id, value, protection });
                        }
                        reply
                    }
                    Transfer::Action(ActionTransfer::Response { .. }) => {
                        failure(invoke_id, ActionResult::LongActionAborted, out)
                    }
                    _ => failure(invoke_id, ActionResult::NoLongActionInProgress, out),
                };
            }
            ActionRequest::WithFirstPblock { invoke_id, block, .. }
            | ActionRequest::WithListAndFirstPblock { invoke_id, block, .. } => {
                let end = descriptors_end::<MethodDescriptor>(request.apdu, DESCRIPTORS, is_list)?;
                let descriptors = request.apdu.get(DESCRIPTORS..end).ok_or(Failure::MALFORMED)?;
                let kept = storage.as_mut().get_mut(..descriptors.len()).ok_or(Failure::TOO_LONG)?;
                kept.copy_from_slice(descriptors);
                let request_length = descriptors.len();
                (
                    invoke_id,
                    block,
                    (request_length, is_list, Incoming::new(request_length), request.protection),
                )
            }
            ActionRequest::WithPblock { invoke_id, block } => match transfer {
                Transfer::Action(ActionTransfer::Request {
                    invoke_id: id,
                    request_length,
                    is_list,
                    parameters,
                    protection,
                }) if id.same_id(invoke_id) => {
                    (invoke_id, block, (request_length, is_list, parameters, protection & request.protection))
                }
                _ => return failure(invoke_id, ActionResult::NoLongActionInProgress, out),
            },
        };
        let (request_length, is_list, mut parameters, protection) = transfer;
        let number = block.number.0;
        if parameters.append(storage.as_mut(), number, block.raw_data).is_err() {
            return failure(invoke_id, ActionResult::LongActionAborted, out);
        }
        if !block.last {
            association.transfer = Transfer::Action(ActionTransfer::Request {
                invoke_id,
                request_length,
                is_list,
                parameters,
                protection,
            });
            let mut encoder = Encoder::new(out);
            encoder.octets(&[0xC7, 0x04, invoke_id.0])?;
            encoder.u32(number)?;
            return Ok(Reply::first(encoder.len()));
        }
        invocation.requester.protection = protection;
        let taken = request_length + parameters.octets(storage.as_ref()).len();
        let (kept, room) = storage.as_mut().split_at_mut_checked(taken).ok_or(Failure::TOO_LONG)?;
        let (descriptors, values) = kept.split_at(request_length);
        let mut methods = Reader::new(descriptors);
        let mut values = Reader::new(values);
        let mut end = 0;
        let count = if is_list { methods.length()? } else { 1 };
        if is_list {
            let is_whole = values.length() == Ok(count);
            let mut ahead = values.clone();
            if !is_whole || !(0..count).all(|_| Data::decode(&mut ahead).is_ok()) || !ahead.is_empty() {
                return failure(invoke_id, ActionResult::TypeUnmatched, out);
            }
            let mut encoder = Encoder::new(room);
            encoder.length(count)?;
            end = encoder.len();
        }
        for _ in 0..count {
            let method = MethodDescriptor::decode(&mut methods)?;
            let Ok(parameter) = Data::decode(&mut values) else {
                return failure(invoke_id, ActionResult::TypeUnmatched, out);
            };
            let room = room.get_mut(end..).ok_or(Failure::TOO_LONG)?;
            end += invocation.run(host, &method, parameter, room)?;
        }
        let results = taken..taken + end;
        respond(
            &mut association.transfer,
            invoke_id,
            is_list,
            may_block,
            invocation.response,
            results,
            storage.as_ref(),
            out,
        )
    }
}

/// What the invocations of one request share.
struct Invocation<'i> {
    requester: Requester,
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
        let (head, value) = room.split_at_mut_checked(WITH_DATA.len()).ok_or(Failure::TOO_LONG)?;
        match self.invoke(host, method, parameter, value) {
            Ok(0) => {
                head[..2].copy_from_slice(&[0x00, 0x00]);
                Ok(2)
            }
            Ok(length) => {
                head.copy_from_slice(&WITH_DATA);
                Ok(WITH_DATA.len() + length)
            }
            Err(result) => {
                head[..2].copy_from_slice(&[result.code(), 0x00]);
                Ok(2)
            }
        }
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
        let mut effects = Effects::new();
        let mut encoder = Encoder::new(value);
        object.invoke(method.method_id, parameter, &mut effects, &mut encoder)?;
        let length = encoder.len();
        host.carry_out(&effects, self.events);
        self.events.push(Event::MethodInvoked {
            class_id: method.class_id,
            instance_id: method.instance_id,
            method_id: method.method_id,
        });
        Ok(length)
    }
}

/// The response whose results are at `results` of the storage: whole, or its first block.
#[allow(clippy::too_many_arguments, reason = "the parts of one response")]
fn respond(
    transfer: &mut Transfer,
    invoke_id: InvokeIdAndPriority,
    is_list: bool,
    may_block: bool,
    protection: Protection,
    results: Range<usize>,
    storage: &[u8],
    out: &mut [u8],
) -> Result<Reply, Failure> {
    let octets = storage.get(results.clone()).unwrap_or(&[]);
    let mut encoder = Encoder::new(out);
    let choice = if is_list { 0x03 } else { 0x01 };
    let whole = encoder.octets(&[0xC7, choice, invoke_id.0]).and_then(|()| encoder.octets(octets));
    if whole.is_ok() {
        return Ok(Reply { octets: 0..encoder.len(), protection });
    }
    if !may_block {
        return failure(invoke_id, ActionResult::DataBlockUnavailable, out);
    }
    let start = if is_list { results.start } else { results.start + WITH_DATA.len() };
    let mut value = Outgoing::new(start..results.end);
    let reply = send_block(invoke_id, &mut value, protection, storage, out);
    *transfer = Transfer::Action(ActionTransfer::Response { invoke_id, value, protection });
    reply
}

/// Action-Response-With-Pblock with the next block.
fn send_block(
    invoke_id: InvokeIdAndPriority,
    value: &mut Outgoing,
    protection: Protection,
    storage: &[u8],
    out: &mut [u8],
) -> Result<Reply, Failure> {
    /// `C7 02 invoke last number(4) length(3)`.
    const HEADER: usize = 11;
    let block = value.next_block(out.len().saturating_sub(HEADER)).ok_or(Failure::TOO_LONG)?;
    let mut encoder = Encoder::new(out);
    encoder.octets(&[0xC7, 0x02, invoke_id.0, u8::from(block.last)])?;
    encoder.u32(block.number)?;
    encoder.octet_string(storage.get(block.octets).unwrap_or(&[]))?;
    Ok(Reply { octets: 0..encoder.len(), protection })
}

/// Action-Response-Normal without a return value.
fn failure(invoke_id: InvokeIdAndPriority, result: ActionResult, out: &mut [u8]) -> Result<Reply, Failure> {
    let mut encoder = Encoder::new(out);
    encoder.octets(&[0xC7, 0x01, invoke_id.0, result.code(), 0x00])?;
    Ok(Reply::first(encoder.len()))
}
