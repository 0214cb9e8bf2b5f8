//! Who may do what.

use dlms::obis::LogicalName;
use dlms::objects::{AccessRights, AssociationId};
use dlms::security::{AuthenticationMechanism, Protection, Secret, SecurityError};
use dlms::server::AssociationConfig;

use crate::keys::GMAC;

pub const PUBLIC: AssociationId = AssociationId(0);
pub const READER: AssociationId = AssociationId(1);
pub const MANAGEMENT: AssociationId = AssociationId(2);

/// How many associations there are.
pub const COUNT: usize = 3;
/// The longest APDU either way.
pub const LONGEST_APDU: u16 = 512;

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
        security: Some(GMAC),
        policy: Protection::AUTHENTICATED_ENCRYPTED,
        ..public.clone()
    };
    Ok([public, reader, management])
}

const DATA: u16 = 1;
const CLOCK: u16 = 8;
const ASSOCIATION: u16 = 15;
/// The attribute of an association that nobody reads.
const SECRET: i8 = 7;

/// The public client sees the clock, who the meter is, and the invocation counter.
pub fn is_visible(association: AssociationId, class_id: u16, name: LogicalName) -> bool {
    association != PUBLIC
        || match class_id {
            DATA | CLOCK => true,
            ASSOCIATION => name.e() == PUBLIC.0 + 1,
            _ => false,
        }
}

pub const fn attribute_access(association: AssociationId, class_id: u16, attribute: i8) -> AccessRights {
    match (association, class_id, attribute) {
        (MANAGEMENT, CLOCK, 2..) => AccessRights::READ.union(AccessRights::WRITE),
        (_, ASSOCIATION, SECRET) => AccessRights::empty(),
        _ => AccessRights::READ,
    }
}

pub fn method_access(association: AssociationId) -> AccessRights {
    if association == MANAGEMENT { AccessRights::INVOKE } else { AccessRights::empty() }
}
