//! What a server is told about each association that it offers.

use cosem_objects::AssociationId;
use cosem_objects::classes::{
    ApplicationContextName, AssociatedPartnersId, AssociationLn, AuthenticationMechanismName,
    XdlmsContextInfo,
};
use dlms_obis::LogicalName;
use dlms_security::{AuthenticationMechanism, Protection, Secret, SystemTitle};

use super::Lockout;
use crate::xdlms::Conformance;
use crate::{Accepted, Envelope};

/// One association that a logical device offers to one client.
///
/// Everything that protects it is stated here; what a client proposes is compared with this and never adopted.
#[derive(Clone, Debug)]
pub struct AssociationConfig {
    /// The client's service access point (client address, or source wPort).
    pub client_sap: u16,
    /// Whether the application context is the one with ciphering.
    pub ciphered: bool,
    /// How the client proves who it is.
    pub mechanism: AuthenticationMechanism,
    /// The password of LLS, or the HLS secret of mechanisms 2, 3, 4 and 6.
    pub secret: Secret,
    /// Which [`SecurityContext`](crate::SecurityContext) holds the keys, where ciphering or mechanism 5 needs them.
    pub security: Option<usize>,
    /// The least protection of requests and responses once the association is open, besides the security policy of its
    /// [`SecurityContext`](crate::SecurityContext) and what the access rights demand. An association without ciphering
    /// can have none: while anything is demanded, by its setup too, none of its requests is served.
    pub policy: Protection,
    /// The envelopes, kinds of keys and deviations that are taken.
    pub accepted: Accepted,
    /// The envelope of notifications that are protected. What has no service-specific form, DataNotification among it,
    /// then travels in general-glo-ciphering.
    pub notifications: Envelope,
    /// The services that the association offers; [`AssociationConfig::SUPPORTED`] is all there are.
    pub conformance: Conformance,
    /// The longest APDU that the server takes, at least 12 and at most its receive buffer.
    pub max_receive_pdu_size: u16,
    /// The client's system title, where it is known in advance; another one is then refused.
    pub client_title: Option<SystemTitle>,
    /// Whether our signature certificate goes along with mechanism 7, in the AE-qualifier, where
    /// [`PublicKeys::peers`](crate::PublicKeys::peers) has it. A client that knows our key needs none.
    pub presents_certificate: bool,
    /// Accepts a proof of mechanism 5 that has the same invocation counter as the APDU that carries it. Some clients
    /// reuse the nonce so, which weakens their own key: leave this off unless such a client must be served.
    pub accept_shared_counter: bool,
    /// What happens after failed attempts to authenticate: nothing, or the client is locked out for a while.
    pub lockout: Option<Lockout>,
}

impl AssociationConfig {
    /// An association without authentication and ciphering; a base for others. The public client has the address 16.
    pub fn public(client_sap: u16) -> Self {
        Self {
            client_sap,
            ciphered: false,
            mechanism: AuthenticationMechanism::None,
            secret: Secret::empty(),
            security: None,
            policy: Protection::empty(),
            accepted: Accepted::default(),
            notifications: Envelope::GLOBAL,
            conformance: Self::SUPPORTED,
            max_receive_pdu_size: 1024,
            client_title: None,
            presents_certificate: false,
            accept_shared_counter: false,
            lockout: None,
        }
    }

    /// The object that describes this association, the `id`th that is offered, of the logical device at `server_sap`:
    /// 0-0:40.0.1.255 the first one.
    pub fn object<const USERS: usize>(&self, id: AssociationId, server_sap: u16) -> AssociationLn<USERS> {
        AssociationLn::new(
            LogicalName::new(0, 0, 40, 0, id.0.saturating_add(1), 255),
            1,
            id,
            AssociatedPartnersId { client_sap: self.client_sap as i8, server_sap },
            ApplicationContextName(if self.ciphered { 3 } else { 1 }),
            AuthenticationMechanismName(self.mechanism.id()),
            XdlmsContextInfo {
                conformance: self.conformance.octets(),
                max_receive_pdu_size: self.max_receive_pdu_size,
                max_send_pdu_size: self.max_receive_pdu_size,
            },
        )
    }

    /// The services that this server has. What is configured beyond them is not offered.
    pub const SUPPORTED: Conformance = Conformance::GENERAL_PROTECTION
        .union(Conformance::BLOCK_TRANSFER_WITH_GET_OR_READ)
        .union(Conformance::BLOCK_TRANSFER_WITH_SET_OR_WRITE)
        .union(Conformance::BLOCK_TRANSFER_WITH_ACTION)
        .union(Conformance::MULTIPLE_REFERENCES)
        .union(Conformance::DATA_NOTIFICATION)
        .union(Conformance::GET)
        .union(Conformance::SET)
        .union(Conformance::SELECTIVE_ACCESS)
        .union(Conformance::EVENT_NOTIFICATION)
        .union(Conformance::ACTION)
        .union(Conformance::ACCESS);
}
