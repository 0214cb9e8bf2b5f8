//! From a descriptor to an object that may be accessed.

use cosem_objects::{AccessRights, ActionResult, AssociationId, DataAccessResult, LogicalDevice};
use dlms_obis::LogicalName;
use dlms_security::{CryptoProvider, Protection};

use super::session::Host;
use crate::xdlms::{AttributeDescriptor, MethodDescriptor};

const ASSOCIATION_LN: u16 = 15;
const CURRENT_ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);

/// Who asks, and how well the request was protected.
#[derive(Clone, Copy)]
pub(super) struct Requester {
    pub(super) association: AssociationId,
    pub(super) protection: Protection,
    /// Whether responses can be protected at all.
    is_ciphered: bool,
}

/// An item that may be accessed.
pub(super) struct Granted {
    /// The place of the object in the device.
    pub(super) index: usize,
    /// The protection that the item demands of the response.
    pub(super) response: Protection,
}

impl Requester {
    pub(super) fn new<P: CryptoProvider>(
        host: &Host<'_, P>,
        association: AssociationId,
        protection: Protection,
    ) -> Self {
        let is_ciphered = host.associations[usize::from(association.0)].ciphered;
        Self { association, protection, is_ciphered }
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
        let response = self.check(rights, wanted).ok_or(DataAccessResult::ReadWriteDenied)?;
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
        let response = self.check(rights, AccessRights::INVOKE).ok_or(ActionResult::ReadWriteDenied)?;
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
    fn check(self, rights: AccessRights, wanted: AccessRights) -> Option<Protection> {
        let mut demanded = Protection::empty();
        demanded.set(Protection::AUTHENTICATED, rights.contains(AccessRights::AUTHENTICATED_REQUEST));
        demanded.set(Protection::ENCRYPTED, rights.contains(AccessRights::ENCRYPTED_REQUEST));
        // Nothing verifies a signature here, so what must be signed is denied.
        let signed = rights.intersects(AccessRights::SIGNED_REQUEST | AccessRights::SIGNED_RESPONSE);
        if !rights.contains(wanted) || !self.protection.contains(demanded) || signed {
            return None;
        }
        let mut response = Protection::empty();
        response.set(Protection::AUTHENTICATED, rights.contains(AccessRights::AUTHENTICATED_RESPONSE));
        response.set(Protection::ENCRYPTED, rights.contains(AccessRights::ENCRYPTED_RESPONSE));
        (response.is_empty() || self.is_ciphered).then_some(response)
    }
}
