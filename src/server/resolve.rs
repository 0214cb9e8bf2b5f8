//! From a descriptor to an object that may be accessed.

use core::cell::Cell;

use cosem_objects::{AccessRights, ActionResult, AssociationId, DataAccessResult, LogicalDevice};
use dlms_obis::LogicalName;
use dlms_security::{CryptoProvider, Functions, Protection, RequiredProtection};

use super::event::{Event, EventQueue};
use super::session::{Host, Request};
use crate::Accepted;
use crate::xdlms::{AttributeDescriptor, MethodDescriptor};

const ASSOCIATION_LN: u16 = 15;
/// What a member of a group may not reach with the key of the group: associations, image transfer, data protection,
/// security setup, disconnect control, function control, communication port protection.
const OUT_OF_BROADCAST: [u16; 8] = [12, 15, 18, 30, 64, 70, 122, 124];
const CURRENT_ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);

/// Who asks, and how well the request was protected.
#[derive(Clone, Copy)]
pub(super) struct Requester<'r> {
    pub(super) association: AssociationId,
    pub(super) protection: Protection,
    /// Whether responses can be protected at all, and signed.
    is_ciphered: bool,
    can_sign: bool,
    /// Whether it asks under the broadcast key, and may not reach everything with it.
    is_restricted: bool,
    /// Where a refusal is noted.
    pub(super) denied: &'r Denied,
}

/// An attribute or method that was refused for want of protection, and is not reported yet.
#[derive(Default)]
pub(super) struct Denied(Cell<Option<(u16, LogicalName, i8)>>);

impl Denied {
    /// To be called before the next item of a request is looked at.
    #[inline(never)]
    pub(super) fn report(&self, events: &mut EventQueue) {
        if let Some((class_id, instance_id, id)) = self.0.take() {
            events.push(Event::AccessDenied { class_id, instance_id, id });
        }
    }

    pub(super) fn clear(&self) {
        self.0.set(None);
    }
}

/// An item that may be accessed.
pub(super) struct Granted {
    /// The place of the object in the device.
    pub(super) index: usize,
    /// The protection that the item demands of the response.
    pub(super) response: Protection,
}

impl<'r> Requester<'r> {
    pub(super) fn new<P: CryptoProvider>(
        host: &Host<'_, P>,
        association: AssociationId,
        request: &'r Request<'_>,
    ) -> Self {
        let config = host.association(association);
        Self {
            association,
            protection: request.protection,
            is_ciphered: config.is_none_or(|config| config.ciphered),
            can_sign: P::FUNCTIONS.contains(Functions::PUBLIC_KEYS) && request.can_sign,
            is_restricted: request.is_broadcast()
                && !config.is_some_and(|config| config.accepted.contains(Accepted::BROADCAST_REACHES_ALL)),
            denied: &request.denied,
        }
    }

    /// The same, where the request came in blocks: it is only as protected as its weakest one.
    pub(super) const fn protected_by(mut self, protection: Protection) -> Self {
        self.protection = protection;
        self
    }

    /// The object of an attribute that may be accessed with `wanted`, which is READ or WRITE.
    pub(super) fn attribute(
        self,
        device: &dyn LogicalDevice,
        descriptor: &AttributeDescriptor,
        wanted: AccessRights,
    ) -> Result<Granted, DataAccessResult> {
        let index = self
            .object(device, descriptor.class_id, descriptor.instance_id)
            .ok_or(DataAccessResult::ObjectUndefined)?;
        let rights = device.attribute_access(self.association, index, descriptor.attribute_id);
        let response = self
            .check::<true>(
                (descriptor.class_id, descriptor.instance_id, descriptor.attribute_id),
                rights,
                wanted,
            )
            .ok_or(DataAccessResult::ReadWriteDenied)?;
        Ok(Granted { index, response })
    }

    /// The object of a method that may be invoked.
    pub(super) fn method(
        self,
        device: &dyn LogicalDevice,
        descriptor: &MethodDescriptor,
    ) -> Result<Granted, ActionResult> {
        let index = self
            .object(device, descriptor.class_id, descriptor.instance_id)
            .ok_or(ActionResult::ObjectUndefined)?;
        let rights = device.method_access(self.association, index, descriptor.method_id);
        let response = self
            .check::<false>(
                (descriptor.class_id, descriptor.instance_id, descriptor.method_id),
                rights,
                AccessRights::INVOKE,
            )
            .ok_or(ActionResult::ReadWriteDenied)?;
        Ok(Granted { index, response })
    }

    /// An object that is hidden in this association is as undefined as one that does not exist.
    fn object(self, device: &dyn LogicalDevice, class_id: u16, name: LogicalName) -> Option<usize> {
        if class_id == ASSOCIATION_LN && name == CURRENT_ASSOCIATION {
            return device.association_object(self.association);
        }
        device.find(class_id, name).filter(|&index| device.is_visible(self.association, index))
    }

    /// The protection demanded of the response if the rights grant what is wanted to a request protected like this.
    /// Whatever the policy says, nothing is written or invoked by what is only encrypted.
    fn check<const ATTRIBUTE: bool>(
        self,
        item: (u16, LogicalName, i8),
        rights: AccessRights,
        wanted: AccessRights,
    ) -> Option<Protection> {
        let demanded = RequiredProtection::from_access_bits(rights.bits());
        let response = demanded.response();
        if !rights.contains(wanted) {
            return None;
        }
        // READ and INVOKE are the same bit.
        let reads = ATTRIBUTE && wanted == AccessRights::READ;
        let is_protected = self.protection.contains(demanded.request())
            && (reads || !self.protection.is_encryption_alone())
            && (response.ciphering().is_empty() || self.is_ciphered)
            && (!response.contains(Protection::SIGNED) || self.can_sign)
            && !(self.is_restricted && OUT_OF_BROADCAST.contains(&item.0));
        if !is_protected {
            self.denied.0.set(Some(item));
        }
        is_protected.then_some(response)
    }
}
