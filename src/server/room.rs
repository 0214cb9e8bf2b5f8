//! How much of a response is left for its plain octets.
//!
//! A signature takes more than many a client has room for. Its octets are kept free only where the response will be
//! signed; whether an item demands that is looked up before any item is executed.

use cosem_objects::{AccessRights, LogicalDevice};
use dlms_axdr::Reader;
use dlms_security::{CryptoProvider, Functions, Protection, SecuritySuite};

use super::data_protection::DATA_PROTECTION;
use super::resolve::Requester;
use super::session::{Association, Host, Request};
use crate::protection::{Carrier, Envelope, HEADROOM, SecurityContext, TAILROOM};
use crate::xdlms::{
    ACCESS_REQUEST, ACTION_REQUEST, AccessRequest, AccessRequestSpecification, AttributeDescriptor,
    AttributeDescriptorWithSelection, GET_REQUEST, MethodDescriptor, SET_REQUEST,
};

/// Where the descriptors begin in a request of GET, SET or ACTION.
const DESCRIPTORS: usize = 3;

impl<P: CryptoProvider> Association<P> {
    /// Whether the response to a request will be signed: because the request was, because the policy says so, or because
    /// of an item that the request names or goes on with.
    pub(super) fn signs_response(
        &mut self,
        host: &Host<'_, P>,
        request: &Request<'_>,
        is_associated: bool,
    ) -> bool {
        let (_, policy) = host.policy(self.id);
        if is_associated && !request.is_broadcast() {
            let requester = Requester::new(host, self.id, request);
            if let Some(response) = requester.demanded_of_response(host.device, request.apdu) {
                self.has_signed_items = response.contains(Protection::SIGNED);
            }
            // Nothing was refused yet.
            request.denied.clear();
        }
        (policy | request.protection).contains(Protection::SIGNED) || self.has_signed_items
    }

    /// How long a plain response may be so that, protected, it fits the client and `out`.
    pub(super) fn plain_room(&self, host: &Host<'_, P>, request: &Request<'_>, out: usize) -> usize {
        let limit = self.client_max_receive_pdu_size.min(0x1_0000);
        let Some(config) = host.association(self.id) else { return 0 };
        let overhead = if config.ciphered && P::FUNCTIONS.contains(Functions::CIPHERING) {
            let mut protection = Protection::AUTHENTICATED_ENCRYPTED;
            protection
                .set(Protection::SIGNED, P::FUNCTIONS.contains(Functions::PUBLIC_KEYS) && request.can_sign);
            let context = config.security.and_then(|index| host.security.get(index));
            let envelope = request.opened.envelope.unwrap_or(match request.apdu.first() {
                // It has no service-specific form.
                Some(&ACCESS_REQUEST) if P::FUNCTIONS.contains(Functions::ACCESS) => {
                    Envelope { carrier: Carrier::WithTitle, ..Envelope::GLOBAL }
                }
                _ => Envelope::GLOBAL,
            });
            envelope.overhead(
                protection,
                context.map_or(SecuritySuite::Suite0, SecurityContext::suite),
                request.opened.transaction.map_or(0, |transaction| transaction.octets().len()),
                limit.max(out),
            )
        } else {
            0
        };
        let room = out.saturating_sub(overhead.max(HEADROOM + TAILROOM));
        limit.saturating_sub(overhead).min(room)
    }
}

impl Requester<'_> {
    /// What the items that a request names demand of the response, as far as they may be accessed; `None` if it goes on
    /// with the items of the request before.
    fn demanded_of_response(self, device: &dyn LogicalDevice, apdu: &[u8]) -> Option<Protection> {
        use AccessRequestSpecification::{Action, Get, GetWithSelection, Set, SetWithSelection};
        let of_attribute = |item: &AttributeDescriptor, wanted| match self.attribute(device, item, wanted) {
            Ok(granted) => granted.response,
            Err(_) => Protection::empty(),
        };
        let of_method = |item: &MethodDescriptor| match self.method(device, item) {
            // It reaches other objects, each with rights of its own.
            Ok(_) if item.class_id == DATA_PROTECTION => Protection::SIGNED,
            Ok(granted) => granted.response,
            Err(_) => Protection::empty(),
        };
        let mut demanded = Protection::empty();
        let (wanted, is_list) = match *apdu {
            [GET_REQUEST, 2, ..] | [SET_REQUEST, 3, ..] | [ACTION_REQUEST, 2 | 6, ..] => return None,
            [GET_REQUEST, choice, ..] => (Some(AccessRights::READ), choice == 3),
            [SET_REQUEST, choice, ..] => (Some(AccessRights::WRITE), choice == 4 || choice == 5),
            [ACTION_REQUEST, choice, ..] => (None, choice == 3 || choice == 5),
            _ => {
                let request = AccessRequest::decode(&mut Reader::new(apdu)).ok()?;
                for item in request.specifications.iter() {
                    demanded |= match &item {
                        Get(item) | GetWithSelection(item, _) => of_attribute(item, AccessRights::READ),
                        Set(item) | SetWithSelection(item, _) => of_attribute(item, AccessRights::WRITE),
                        Action(item) => of_method(item),
                    };
                }
                return Some(demanded);
            }
        };
        let mut reader = Reader::new(apdu.get(DESCRIPTORS..)?);
        let count = if is_list { reader.length().ok()? } else { 1 };
        for _ in 0..count {
            demanded |= match wanted {
                None => of_method(&MethodDescriptor::decode(&mut reader).ok()?),
                Some(wanted) => {
                    let item = AttributeDescriptorWithSelection::decode(&mut reader).ok()?;
                    of_attribute(&item.attribute, wanted)
                }
            };
        }
        Some(demanded)
    }
}
