//! ACCESS: reading, writing and invoking with one request.
//!
//! The service has neither blocks nor a service-specific ciphered form: a request leaves in one APDU, and where the
//! association is ciphered that is one of the general forms, so that general-protection must have been agreed on.

use core::ops::Range;

use dlms_axdr::{BufferFull, Encoder};
use dlms_security::CryptoProvider;

use super::request::needs;
use super::session::{Client, State, Transaction};
use super::{ActionItem, ClientError, Environment, Event, Reaction, SetItem, Tolerance};
use crate::xdlms::{
    ACCESS_REQUEST, ACCESS_RESPONSE, AccessRequestSpecification, AccessResponse,
    AttributeDescriptorWithSelection, Conformance, LongInvokeIdAndPriority,
};

/// One thing to be done by an ACCESS.
#[derive(Clone, Copy)]
pub enum AccessItem<'a> {
    /// Read an attribute, or a part of it.
    Get(AttributeDescriptorWithSelection<'a>),
    /// Set an attribute.
    Set(SetItem<'a>),
    /// Invoke a method.
    Action(ActionItem<'a>),
}

/// How the items of an ACCESS are worked through, and what comes back. The default is all of them, and only results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessOptions {
    /// Whether the server leaves out everything behind the first item that fails. Which results it gives for what it left
    /// out is not agreed on.
    pub break_on_error: bool,
    /// Whether the server repeats the items in its response.
    pub self_descriptive: bool,
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Client<P, B> {
    /// Reads, sets and invokes with one request, in the order of `items`. [`Event::AccessDone`](super::Event::AccessDone)
    /// follows.
    ///
    /// # Errors
    /// As [`Client::get`], and [`ClientError::EmptyList`]. A request that is too long has no block form: split it.
    pub fn access(
        &mut self,
        env: &mut Environment<'_, P>,
        items: &[AccessItem<'_>],
        options: AccessOptions,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        let mut needed = Conformance::ACCESS;
        needed.set(Conformance::GENERAL_PROTECTION, self.is_protected());
        let needed = items.iter().fold(needed, |needed, item| needed | item.needs());
        self.begin_list(needed, items.len())?;
        self.long_invoke_id = self.long_invoke_id % LongInvokeIdAndPriority::MAX_ID + 1;
        let mut id = LongInvokeIdAndPriority::new(self.long_invoke_id, true, self.config.high_priority);
        if options.break_on_error {
            id = id.break_on_error();
        }
        if options.self_descriptive {
            id = id.self_descriptive();
        }
        let transaction = Transaction::Access { items: items.len() };
        // What it travels in follows from the service.
        self.state = State::Associated(transaction);
        let length = self.write(out, |encoder| encode(id, items, encoder));
        self.send(env, out, length, transaction)
            .inspect_err(|_| self.state = State::Associated(Transaction::None))
    }

    pub(super) fn handle_access_response<'a>(
        &mut self,
        plain: &'a [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let State::Associated(Transaction::Access { items }) = self.state else {
            return Ok(Event::Stale.into());
        };
        let id = plain.get(1..5).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes);
        let id = LongInvokeIdAndPriority(id).id();
        let takes_zero = self.config.tolerance.contains(Tolerance::INVOKE_ID_ZERO);
        if id != self.long_invoke_id && !(takes_zero && id == 0) {
            return Ok(Event::Stale.into());
        }
        let response = self.answer(plain, AccessResponse::decode)?;
        if response.specifications.len() != items {
            return Err(self.unexpected(ACCESS_RESPONSE));
        }
        self.cancel();
        Ok(Event::AccessDone(response).into())
    }
}

/// Writes an Access-Request.
pub(super) fn encode(
    id: LongInvokeIdAndPriority,
    items: &[AccessItem<'_>],
    encoder: &mut Encoder<'_>,
) -> Result<(), BufferFull> {
    encoder.u8(ACCESS_REQUEST)?;
    encoder.u32(id.0)?;
    encoder.octet_string(&[])?;
    encoder.length(items.len())?;
    items.iter().try_for_each(|item| item.specification().encode(encoder))?;
    encoder.length(items.len())?;
    items.iter().try_for_each(|item| item.encode_value(encoder))
}

impl<'a> AccessItem<'a> {
    /// What the server must have agreed to for it, besides ACCESS.
    fn needs(&self) -> Conformance {
        match self {
            Self::Get(item) => needs(item, Conformance::ATTRIBUTE_0_SUPPORTED_WITH_GET),
            Self::Set(item) => needs(&item.descriptor(), Conformance::ATTRIBUTE_0_SUPPORTED_WITH_SET),
            Self::Action(_) => Conformance::empty(),
        }
    }

    fn specification(&self) -> AccessRequestSpecification<'a> {
        use AccessRequestSpecification::{Action, Get, GetWithSelection, Set, SetWithSelection};
        match *self {
            Self::Get(AttributeDescriptorWithSelection { attribute, selection: None }) => Get(attribute),
            Self::Get(AttributeDescriptorWithSelection { attribute, selection: Some(selection) }) => {
                GetWithSelection(attribute, selection)
            }
            Self::Set(SetItem { attribute, selection: None, .. }) => Set(attribute),
            Self::Set(SetItem { attribute, selection: Some(selection), .. }) => {
                SetWithSelection(attribute, selection)
            }
            Self::Action(ActionItem { method, .. }) => Action(method),
        }
    }

    fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match self {
            Self::Get(_) => encoder.u8(0x00),
            Self::Set(item) => item.value.encode(encoder),
            Self::Action(item) => item.encode_parameter(encoder),
        }
    }
}
