//! The associations that the meter offers, and what each may do.

use dlms::obis::LogicalName;
use dlms::objects::classes::{
    ApplicationContextName, AssociatedPartnersId, AssociationLn, AuthenticationMechanismName,
    XdlmsContextInfo,
};
use dlms::objects::{AccessRights, AssociationId};
use dlms::security::{AuthenticationMechanism, Protection, Secret, SecurityError};
use dlms::server::AssociationConfig;

use crate::keys;

pub const PUBLIC: AssociationId = AssociationId(0);
pub const READER: AssociationId = AssociationId(1);
pub const MANAGEMENT: AssociationId = AssociationId(2);

/// Management under suite 2, with signatures.
pub const MANAGEMENT_2: AssociationId = AssociationId(3);

/// How many associations there are.
pub const COUNT: usize = 4;

/// The longest APDU either way.
pub const LONGEST_APDU: u16 = 512;

/// What is offered to whom.
pub fn configs() -> Result<[AssociationConfig; COUNT], SecurityError> {
    let public = AssociationConfig { max_receive_pdu_size: LONGEST_APDU, ..AssociationConfig::public(16) };
    let reader = AssociationConfig {
        client_sap: 2,
        mechanism: AuthenticationMechanism::Lls,
        secret: Secret::new(b"12345678")?,
        ..public.clone()
    };
    let management = AssociationConfig {
        client_sap: 1,
        ciphered: true,
        mechanism: AuthenticationMechanism::Gmac,
        security: Some(keys::GMAC),
        policy: Protection::AUTHENTICATED_ENCRYPTED,
        ..public.clone()
    };
    let management_2 = AssociationConfig {
        client_sap: 3,
        mechanism: AuthenticationMechanism::Ecdsa,
        security: Some(keys::ECDSA),
        ..management.clone()
    };
    Ok([public, reader, management, management_2])
}

/// The object that describes an association.
pub fn object(id: AssociationId, config: &AssociationConfig) -> AssociationLn<1> {
    AssociationLn::new(
        LogicalName::new(0, 0, 40, 0, id.0 + 1, 255),
        1,
        id,
        AssociatedPartnersId { client_sap: config.client_sap as i8, server_sap: 1 },
        ApplicationContextName(if config.ciphered { 3 } else { 1 }),
        AuthenticationMechanismName(config.mechanism.id()),
        XdlmsContextInfo {
            conformance: config.conformance.octets(),
            max_receive_pdu_size: config.max_receive_pdu_size,
            max_send_pdu_size: config.max_receive_pdu_size,
        },
    )
}

const DATA: u16 = 1;
const CLOCK: u16 = 8;
const ASSOCIATION: u16 = 15;
/// The attribute of an association that nobody reads.
const SECRET: i8 = 7;
const SAP_ASSIGNMENT: u16 = 17;

/// Whether an association sees an object of a class: the public client sees the clock, who the
/// meter is, and the invocation counters.
pub fn is_visible(association: AssociationId, class_id: u16, logical_name: LogicalName) -> bool {
    let is_public = match class_id {
        CLOCK | SAP_ASSIGNMENT => true,
        // The name of the meter, and the invocation counters.
        DATA => matches!(logical_name.octets(), [0, 0, 42 | 43, ..]),
        ASSOCIATION => logical_name.e() == PUBLIC.0 + 1,
        _ => false,
    };
    association != PUBLIC || is_public
}

/// The right to an attribute.
pub const fn attribute_access(association: AssociationId, class_id: u16, attribute: i8) -> AccessRights {
    match (association.0, class_id, attribute) {
        (2.., CLOCK, 2..) => AccessRights::READ.union(AccessRights::WRITE),
        (_, ASSOCIATION, SECRET) => AccessRights::empty(),
        _ => AccessRights::READ,
    }
}

/// The right to a method.
pub const fn method_access(association: AssociationId) -> AccessRights {
    if association.0 >= MANAGEMENT.0 { AccessRights::INVOKE } else { AccessRights::empty() }
}
