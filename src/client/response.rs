//! The answers to GET, SET and ACTION, and what is sent because of them: the next block, or the wish for it.

use dlms_axdr::Reader;
use dlms_security::CryptoProvider;

use super::request::Service;
use super::results::{action_results, returned_in_blocks};
use super::session::{Blocks, Client, State, Transaction, whole};
use super::{ClientError, Environment, Event, Reaction, Tolerance};
use crate::transfer::{Incoming, Outgoing, TransferError};
use crate::xdlms::{
    ACTION_REQUEST, ACTION_RESPONSE, ActionResponse, ActionResult, DataAccessResult, DataBlockResult,
    GET_REQUEST, GET_RESPONSE, GetDataResult, GetResponse, SET_RESPONSE, SetResponse,
};

/// Where the Data begin in an Action-Response-Normal that has some: tag, choice, invoke-id, result, usage, choice.
const RETURNED_DATA: usize = 6;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Client<P, B> {
    pub(super) fn handle_get_response<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        plain: &'a [u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let State::Associated(Transaction::Get { list, blocks }) = self.state else {
            return Ok(Event::Stale.into());
        };
        if !self.is_answer(plain) {
            return Ok(Event::Stale.into());
        }
        let response = self.answer(plain, GetResponse::decode)?;
        let whole_value =
            |from: usize| Event::GetPiece { octets: plain.get(from..).unwrap_or(&[]), last: true };
        let event = match response {
            GetResponse::Normal { result: GetDataResult::DataAccessResult(result), .. } => {
                Event::GetRefused(result)
            }
            GetResponse::Normal { .. } if !list && blocks.is_none() => {
                whole_value(GetResponse::NORMAL_HEADER)
            }
            GetResponse::WithList { .. } if list && blocks.is_none() => whole_value(GetResponse::LIST_HEADER),
            GetResponse::WithDataBlock { block, .. } => match block.result {
                DataBlockResult::DataAccessResult(result) => Event::GetRefused(result),
                DataBlockResult::RawData(octets) => {
                    return self.handle_get_block(env, list, blocks, block.number.0, block.last, octets, out);
                }
            },
            _ => return Err(self.unexpected(GET_RESPONSE)),
        };
        self.cancel();
        Ok(event.into())
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a block")]
    fn handle_get_block<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        list: bool,
        blocks: Option<Blocks>,
        number: u32,
        last: bool,
        octets: &'a [u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let expected = match blocks {
            Some(blocks) if blocks.last_number == number => return Ok(Event::Stale.into()),
            Some(blocks) => blocks.last_number.wrapping_add(1),
            None if number == 0 && self.config.tolerance.contains(Tolerance::BLOCK_NUMBER_ZERO) => 0,
            None => 1,
        };
        if number != expected {
            self.cancel();
            return Err(TransferError::BlockNumber { expected, found: number }.into());
        }
        // An empty block counts too, so that a transfer of nothing ends.
        let received = blocks.map_or(0, |blocks| blocks.received);
        let limit = self.config.max_transfer;
        let received =
            u32::try_from(octets.len().max(1)).ok().and_then(|length| received.checked_add(length));
        let Some(received) = received.filter(|&received| received <= limit) else {
            self.cancel();
            return Err(ClientError::TransferTooLong { limit });
        };
        let piece = Event::GetPiece { octets, last };
        if last {
            self.cancel();
            return Ok(piece.into());
        }
        let transmit = self.acknowledge(env, [GET_REQUEST, 0x02], number, out)?;
        let blocks = Some(Blocks { last_number: number, received });
        self.state = State::Associated(Transaction::Get { list, blocks });
        Ok(Reaction { transmit: Some(transmit), event: Some(piece) })
    }

    pub(super) fn handle_set_response<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        plain: &'a [u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let State::Associated(Transaction::Set { list, outgoing }) = self.state else {
            return Ok(Event::Stale.into());
        };
        if !self.is_answer(plain) {
            return Ok(Event::Stale.into());
        }
        let response = self.answer(plain, SetResponse::decode)?;
        // Success can only be claimed once everything was sent.
        let is_sent = outgoing.is_none_or(|outgoing| outgoing.is_finished());
        let event = match response {
            SetResponse::DataBlock { block_number, .. } => {
                return self.handle_acknowledgement(env, Service::Set, list, outgoing, block_number.0, out);
            }
            SetResponse::Normal { result, .. } | SetResponse::LastDataBlock { result, .. }
                if result != DataAccessResult::Success || is_sent && !list =>
            {
                Event::SetDone(result)
            }
            SetResponse::WithList { results, .. } | SetResponse::LastDataBlockWithList { results, .. }
                if list && is_sent =>
            {
                Event::SetListDone(results)
            }
            _ => return Err(self.unexpected(SET_RESPONSE)),
        };
        self.cancel();
        Ok(event.into())
    }

    pub(super) fn handle_action_response<'a>(
        &'a mut self,
        env: &mut Environment<'_, P>,
        plain: &'a [u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let State::Associated(Transaction::Action { list, outgoing, incoming }) = self.state else {
            return Ok(Event::Stale.into());
        };
        if !self.is_answer(plain) {
            return Ok(Event::Stale.into());
        }
        let response = self.answer(plain, ActionResponse::decode)?;
        let is_sent = outgoing.is_none_or(|outgoing| outgoing.is_finished());
        let is_whole = is_sent && incoming.is_none();
        let event = match response {
            ActionResponse::NextPblock { block_number, .. } => {
                return self.handle_acknowledgement(
                    env,
                    Service::Action,
                    list,
                    outgoing,
                    block_number.0,
                    out,
                );
            }
            ActionResponse::WithPblock { block, .. } if is_sent => {
                let incoming = incoming.unwrap_or(Incoming::new(0));
                return self.handle_pblock(
                    env,
                    list,
                    incoming,
                    block.number.0,
                    block.last,
                    block.raw_data,
                    out,
                );
            }
            ActionResponse::Normal { result, return_parameters, .. }
                if result != ActionResult::Success || is_whole && !list =>
            {
                let value = return_parameters.map(|value| match value {
                    GetDataResult::Data(_) => Ok(plain.get(RETURNED_DATA..).unwrap_or(&[])),
                    GetDataResult::DataAccessResult(result) => Err(result),
                });
                Event::ActionDone { result, value }
            }
            ActionResponse::WithList { results, .. } if list && is_whole => Event::ActionListDone(results),
            _ => return Err(self.unexpected(ACTION_RESPONSE)),
        };
        self.cancel();
        Ok(event.into())
    }

    /// A piece of the return value: it goes into the storage, which the parameter has left by now.
    #[allow(clippy::too_many_arguments, reason = "the fields of a block")]
    fn handle_pblock<'a>(
        &'a mut self,
        env: &mut Environment<'_, P>,
        list: bool,
        mut incoming: Incoming,
        number: u32,
        last: bool,
        octets: &[u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        if number == incoming.last_number() && number != 0 {
            return Ok(Event::Stale.into());
        }
        if let Err(error) = incoming.append(self.storage.as_mut(), number, octets) {
            self.cancel();
            return Err(error.into());
        }
        if !last {
            let transmit = self.acknowledge(env, [ACTION_REQUEST, 0x02], number, out)?;
            self.state =
                State::Associated(Transaction::Action { list, outgoing: None, incoming: Some(incoming) });
            return Ok(Reaction { transmit: Some(transmit), event: None });
        }
        self.cancel();
        let octets = incoming.octets(self.storage.as_ref());
        let event = match list {
            true => Event::ActionListDone(action_results(octets)?),
            false => returned_in_blocks(octets)?,
        };
        Ok(event.into())
    }

    /// The server has a block of ours and waits for the next one.
    fn handle_acknowledgement<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        service: Service,
        list: bool,
        outgoing: Option<Outgoing>,
        number: u32,
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let tag = match service {
            Service::Set => SET_RESPONSE,
            Service::Action => ACTION_RESPONSE,
        };
        let Some(mut outgoing) = outgoing else {
            return Err(self.unexpected(tag));
        };
        let expected = outgoing.last_number();
        if number.wrapping_add(1) == expected {
            return Ok(Event::Stale.into());
        }
        if number != expected {
            self.cancel();
            return Err(TransferError::BlockNumber { expected, found: number }.into());
        }
        if outgoing.is_finished() {
            return Err(self.unexpected(tag));
        }
        match self.send_next_block(env, service, &mut outgoing, out) {
            Ok(range) => {
                self.state = State::Associated(service.transaction(list, Some(outgoing)));
                Ok(Reaction { transmit: Some(range), event: None })
            }
            Err(error) => {
                self.cancel();
                Err(error)
            }
        }
    }

    /// Asks for the block after `number`.
    fn acknowledge(
        &mut self,
        env: &mut Environment<'_, P>,
        choice: [u8; 2],
        number: u32,
        out: &mut [u8],
    ) -> Result<core::ops::Range<usize>, ClientError> {
        let invoke = self.invoke().0;
        let length = self.write(out, |encoder| {
            encoder.octets(&[choice[0], choice[1], invoke])?;
            encoder.u32(number)
        });
        let sent = length.ok_or(ClientError::BufferFull).and_then(|length| self.dispatch(env, out, length));
        sent.inspect_err(|_| self.cancel())
    }

    /// Decodes an answer; what does not decode ends the request.
    pub(super) fn answer<'a, T>(
        &mut self,
        plain: &'a [u8],
        decode: impl FnOnce(&mut Reader<'a>) -> Result<T, dlms_axdr::DecodeError>,
    ) -> Result<T, ClientError> {
        whole(plain, decode).map_err(|error| {
            self.cancel();
            error.into()
        })
    }

    /// An answer that does not fit the request ends it.
    pub(super) fn unexpected(&mut self, tag: u8) -> ClientError {
        self.cancel();
        ClientError::Unexpected { tag }
    }
}
