//! GET, SET and ACTION as requests, whole or beginning a transfer in blocks.
//!
//! A request that fits into what the server takes leaves whole. A SET or ACTION that does not puts its value into the
//! client's storage and leaves in blocks; a GET has no block form.

use core::ops::Range;

use cosem_objects::{AccessSelector, AttributeReference, MethodReference};
use dlms_axdr::{BufferFull, Encode, Encoder};
use dlms_security::CryptoProvider;

use super::session::{Client, State, Transaction};
use super::{ClientError, Environment};
use crate::transfer::Outgoing;
use crate::xdlms::{
    ACTION_REQUEST, AttributeDescriptor, AttributeDescriptorWithSelection, Conformance, GET_REQUEST,
    MethodDescriptor, SET_REQUEST,
};

/// One attribute to be set, and its value.
#[derive(Clone, Copy)]
pub struct SetItem<'a> {
    /// The attribute.
    pub attribute: AttributeDescriptor,
    /// Which part of it is meant.
    pub selection: Option<AccessSelector<'a>>,
    /// The value.
    pub value: &'a dyn Encode,
}

/// One method to be invoked, and its parameter.
#[derive(Clone, Copy)]
pub struct ActionItem<'a> {
    /// The method.
    pub method: MethodDescriptor,
    /// The parameter; in a list and with ACCESS, null-data is sent if there is none.
    pub parameter: Option<&'a dyn Encode>,
}

/// A block to be written: its number, whether it is the last one, its octets.
#[derive(Clone, Copy)]
struct Piece<'b> {
    number: u32,
    last: bool,
    octets: &'b [u8],
}

impl Piece<'_> {
    const EMPTY: Self = Self { number: 0, last: false, octets: &[] };

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(u8::from(self.last))?;
        encoder.u32(self.number)?;
        encoder.octet_string(self.octets)
    }
}

/// The services that can send a value in blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Set,
    Action,
}

impl Service {
    const fn conformance(self) -> Conformance {
        match self {
            Self::Set => Conformance::BLOCK_TRANSFER_WITH_SET_OR_WRITE,
            Self::Action => Conformance::BLOCK_TRANSFER_WITH_ACTION,
        }
    }

    pub(super) const fn transaction(self, list: bool, outgoing: Option<Outgoing>) -> Transaction {
        match self {
            Self::Set => Transaction::Set { list, outgoing },
            Self::Action => Transaction::Action { list, outgoing, incoming: None },
        }
    }
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Client<P, B> {
    /// Reads an attribute. The result says where in `out` the request is; [`Event::GetPiece`](super::Event::GetPiece)
    /// or [`Event::GetRefused`](super::Event::GetRefused) follows.
    ///
    /// # Errors
    /// [`ClientError::State`], [`ClientError::Busy`], [`ClientError::NotNegotiated`], [`ClientError::RequestTooLong`],
    /// [`ClientError::Security`]. Nothing has changed then.
    pub fn get(
        &mut self,
        env: &mut Environment<'_, P>,
        item: AttributeDescriptorWithSelection<'_>,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        self.begin(Conformance::GET | needs(&item, Conformance::ATTRIBUTE_0_SUPPORTED_WITH_GET))?;
        let length = self.write(out, |encoder| {
            encoder.octets(&[GET_REQUEST, 0x01, self.invoke().0])?;
            item.encode(encoder)
        });
        self.send(env, out, length, Transaction::Get { list: false, blocks: None })
    }

    /// Reads several attributes with one request. What follows is as with [`Client::get`]; the pieces make up what
    /// [`get_results`](super::get_results) takes.
    ///
    /// # Errors
    /// As [`Client::get`], and [`ClientError::EmptyList`]. A list that is too long has no block form: split it.
    pub fn get_with_list(
        &mut self,
        env: &mut Environment<'_, P>,
        items: &[AttributeDescriptorWithSelection<'_>],
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        let needed =
            items.iter().fold(Conformance::GET | Conformance::MULTIPLE_REFERENCES, |needed, item| {
                needed | needs(item, Conformance::ATTRIBUTE_0_SUPPORTED_WITH_GET)
            });
        self.begin_list(needed, items.len())?;
        let length = self.write(out, |encoder| {
            encoder.octets(&[GET_REQUEST, 0x03, self.invoke().0])?;
            encoder.length(items.len())?;
            items.iter().try_for_each(|item| item.encode(encoder))
        });
        self.send(env, out, length, Transaction::Get { list: true, blocks: None })
    }

    /// Sets an attribute. [`Event::SetDone`](super::Event::SetDone) follows.
    ///
    /// # Errors
    /// As [`Client::get`]; [`ClientError::ValueTooLong`] if the value must leave in blocks and does not fit into the
    /// storage; [`ClientError::RequestTooLong`] if it must and the server cannot take blocks.
    pub fn set(
        &mut self,
        env: &mut Environment<'_, P>,
        item: SetItem<'_>,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        let attribute = item.descriptor();
        self.begin(Conformance::SET | needs(&attribute, Conformance::ATTRIBUTE_0_SUPPORTED_WITH_SET))?;
        let invoke = self.invoke().0;
        let length = self.write(out, |encoder| {
            encoder.octets(&[SET_REQUEST, 0x01, invoke])?;
            attribute.encode(encoder)?;
            item.value.encode(encoder)
        });
        if length.is_some() {
            return self.send(env, out, length, Service::Set.transaction(false, None));
        }
        let head = |encoder: &mut Encoder<'_>| {
            encoder.octets(&[SET_REQUEST, 0x02, invoke])?;
            attribute.encode(encoder)
        };
        self.send_first_block(env, Service::Set, false, head, |encoder| item.value.encode(encoder), out)
    }

    /// Sets several attributes with one request. [`Event::SetListDone`](super::Event::SetListDone) follows, or
    /// [`Event::SetDone`](super::Event::SetDone) if the whole list was refused.
    ///
    /// # Errors
    /// As [`Client::set`], and [`ClientError::EmptyList`].
    pub fn set_with_list(
        &mut self,
        env: &mut Environment<'_, P>,
        items: &[SetItem<'_>],
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        let needed =
            items.iter().fold(Conformance::SET | Conformance::MULTIPLE_REFERENCES, |needed, item| {
                needed | needs(&item.descriptor(), Conformance::ATTRIBUTE_0_SUPPORTED_WITH_SET)
            });
        self.begin_list(needed, items.len())?;
        let invoke = self.invoke().0;
        let descriptors = |encoder: &mut Encoder<'_>| {
            encoder.length(items.len())?;
            items.iter().try_for_each(|item| item.descriptor().encode(encoder))
        };
        let values = |encoder: &mut Encoder<'_>| {
            encoder.length(items.len())?;
            items.iter().try_for_each(|item| item.value.encode(encoder))
        };
        let length = self.write(out, |encoder| {
            encoder.octets(&[SET_REQUEST, 0x04, invoke])?;
            descriptors(encoder)?;
            values(encoder)
        });
        if length.is_some() {
            return self.send(env, out, length, Service::Set.transaction(true, None));
        }
        let head = |encoder: &mut Encoder<'_>| {
            encoder.octets(&[SET_REQUEST, 0x05, invoke])?;
            descriptors(encoder)
        };
        self.send_first_block(env, Service::Set, true, head, values, out)
    }

    /// Invokes a method. [`Event::ActionDone`](super::Event::ActionDone) follows.
    ///
    /// # Errors
    /// As [`Client::set`].
    pub fn action(
        &mut self,
        env: &mut Environment<'_, P>,
        item: ActionItem<'_>,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        self.begin(Conformance::ACTION)?;
        let invoke = self.invoke().0;
        let length = self.write(out, |encoder| {
            encoder.octets(&[ACTION_REQUEST, 0x01, invoke])?;
            item.method.encode(encoder)?;
            encoder.usage(item.parameter.is_some())?;
            item.parameter.map_or(Ok(()), |parameter| parameter.encode(encoder))
        });
        if length.is_some() {
            return self.send(env, out, length, Service::Action.transaction(false, None));
        }
        let head = |encoder: &mut Encoder<'_>| {
            encoder.octets(&[ACTION_REQUEST, 0x04, invoke])?;
            item.method.encode(encoder)
        };
        self.send_first_block(
            env,
            Service::Action,
            false,
            head,
            |encoder| item.encode_parameter(encoder),
            out,
        )
    }

    /// Invokes several methods with one request. [`Event::ActionListDone`](super::Event::ActionListDone) follows, or
    /// [`Event::ActionDone`](super::Event::ActionDone) if the whole list was refused.
    ///
    /// # Errors
    /// As [`Client::set`], and [`ClientError::EmptyList`].
    pub fn action_with_list(
        &mut self,
        env: &mut Environment<'_, P>,
        items: &[ActionItem<'_>],
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        self.begin_list(Conformance::ACTION | Conformance::MULTIPLE_REFERENCES, items.len())?;
        let invoke = self.invoke().0;
        let methods = |encoder: &mut Encoder<'_>| {
            encoder.length(items.len())?;
            items.iter().try_for_each(|item| item.method.encode(encoder))
        };
        let parameters = |encoder: &mut Encoder<'_>| {
            encoder.length(items.len())?;
            items.iter().try_for_each(|item| item.encode_parameter(encoder))
        };
        let length = self.write(out, |encoder| {
            encoder.octets(&[ACTION_REQUEST, 0x03, invoke])?;
            methods(encoder)?;
            parameters(encoder)
        });
        if length.is_some() {
            return self.send(env, out, length, Service::Action.transaction(true, None));
        }
        let head = |encoder: &mut Encoder<'_>| {
            encoder.octets(&[ACTION_REQUEST, 0x05, invoke])?;
            methods(encoder)
        };
        self.send_first_block(env, Service::Action, true, head, parameters, out)
    }

    /// Sends the next block of a SET or ACTION whose last one was acknowledged.
    pub(super) fn send_next_block(
        &mut self,
        env: &mut Environment<'_, P>,
        service: Service,
        outgoing: &mut Outgoing,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        let choice = match service {
            Service::Set => [SET_REQUEST, 0x03],
            Service::Action => [ACTION_REQUEST, 0x06],
        };
        let head = [choice[0], choice[1], self.invoke().0];
        let length = self.write_block(|encoder| encoder.octets(&head), outgoing, out)?;
        self.dispatch(env, out, length)
    }

    /// Checks that a request may be made, and takes the next invoke-id for it.
    pub(super) fn begin(&mut self, needed: Conformance) -> Result<(), ClientError> {
        match self.state {
            State::Associated(Transaction::None) => {}
            State::Associated(_) => return Err(ClientError::Busy),
            _ => return Err(ClientError::State),
        }
        let missing = needed.difference(self.agreement.conformance);
        if !missing.is_empty() {
            return Err(ClientError::NotNegotiated(missing));
        }
        self.next_invoke_id();
        Ok(())
    }

    pub(super) fn begin_list(&mut self, needed: Conformance, items: usize) -> Result<(), ClientError> {
        if items == 0 {
            return Err(ClientError::EmptyList);
        }
        self.begin(needed)
    }

    pub(super) const fn next_invoke_id(&mut self) {
        self.invoke_id = if self.invoke_id < 15 { self.invoke_id + 1 } else { 1 };
    }

    /// Protects the request that was written and begins its transaction.
    pub(super) fn send(
        &mut self,
        env: &mut Environment<'_, P>,
        out: &mut [u8],
        length: Option<usize>,
        transaction: Transaction,
    ) -> Result<Range<usize>, ClientError> {
        let length = length.ok_or(ClientError::RequestTooLong { limit: self.plain_room(out) })?;
        let range = self.dispatch(env, out, length)?;
        self.state = State::Associated(transaction);
        Ok(range)
    }

    /// Puts the value into the storage and sends its first block.
    fn send_first_block(
        &mut self,
        env: &mut Environment<'_, P>,
        service: Service,
        list: bool,
        head: impl Fn(&mut Encoder<'_>) -> Result<(), BufferFull>,
        value: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        if !self.agreement.conformance.contains(service.conformance()) {
            return Err(ClientError::RequestTooLong { limit: self.plain_room(out) });
        }
        let storage = self.storage.as_mut();
        let capacity = storage.len();
        let mut encoder = Encoder::new(storage);
        value(&mut encoder).map_err(|BufferFull| ClientError::ValueTooLong { capacity })?;
        let mut outgoing = Outgoing::new(0..encoder.len());
        let length = self.write_block(head, &mut outgoing, out)?;
        let range = self.dispatch(env, out, length)?;
        self.state = State::Associated(service.transaction(list, Some(outgoing)));
        Ok(range)
    }

    /// Writes `head` and as much of the value behind it as there is room for.
    fn write_block(
        &self,
        head: impl Fn(&mut Encoder<'_>) -> Result<(), BufferFull>,
        outgoing: &mut Outgoing,
        out: &mut [u8],
    ) -> Result<usize, ClientError> {
        let room = self.plain_room(out);
        let too_long = ClientError::RequestTooLong { limit: room };
        let write = |out: &mut [u8], piece: Piece<'_>| {
            self.write(out, |encoder| {
                head(encoder)?;
                piece.encode(encoder)
            })
        };
        let empty = write(out, Piece::EMPTY).ok_or(too_long)?;
        let block = outgoing.next_block(octets_in(room.saturating_sub(empty))).ok_or(too_long)?;
        let octets = self.storage.as_ref().get(block.octets).unwrap_or(&[]);
        write(out, Piece { number: block.number, last: block.last, octets }).ok_or(too_long)
    }
}

/// How many octets there is room for where `room` octets are left behind the length of none, `00`.
const fn octets_in(room: usize) -> usize {
    match room {
        ..=0x7F => room,
        0x80..=0x100 => room - 1,
        _ => room - 2,
    }
}

/// What the server must have agreed to for this attribute.
pub(super) fn needs(item: &AttributeDescriptorWithSelection<'_>, attribute_0: Conformance) -> Conformance {
    let mut needed = Conformance::empty();
    if item.selection.is_some() {
        needed |= Conformance::SELECTIVE_ACCESS;
    }
    if item.attribute.attribute_id == 0 {
        needed |= attribute_0;
    }
    needed
}

impl<'a> SetItem<'a> {
    /// An attribute as a whole, and its value.
    pub const fn new(attribute: AttributeDescriptor, value: &'a dyn Encode) -> Self {
        Self { attribute, selection: None, value }
    }

    pub(super) const fn descriptor(&self) -> AttributeDescriptorWithSelection<'a> {
        AttributeDescriptorWithSelection { attribute: self.attribute, selection: self.selection }
    }
}

impl<'a> ActionItem<'a> {
    /// A method and its parameter.
    pub const fn new(method: MethodDescriptor, parameter: &'a dyn Encode) -> Self {
        Self { method, parameter: Some(parameter) }
    }

    pub(super) fn encode_parameter(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match self.parameter {
            Some(parameter) => parameter.encode(encoder),
            None => encoder.u8(0x00),
        }
    }
}

impl From<AttributeReference> for AttributeDescriptor {
    fn from(reference: AttributeReference) -> Self {
        Self::new(reference.class_id, reference.logical_name, reference.attribute_index)
    }
}

impl From<AttributeReference> for AttributeDescriptorWithSelection<'_> {
    fn from(reference: AttributeReference) -> Self {
        AttributeDescriptor::from(reference).into()
    }
}

impl From<MethodReference> for MethodDescriptor {
    fn from(reference: MethodReference) -> Self {
        Self::new(reference.class_id, reference.logical_name, reference.method_index)
    }
}
