//! The associations that the meter offers: public, reader (LLS), management (HLS-GMAC, suite 0), management (HLS 7,
//! suite 2).

use cosem_objects::AssociationId;
use cosem_objects::classes::{
    ApplicationContextName, AssociatedPartnersId, AssociationLn, AuthenticationMechanismName,
    XdlmsContextInfo,
};
use dlms::server::AssociationConfig;
use dlms_obis::LogicalName;
#[cfg(feature = "suite0")]
use dlms_security::Protection;
use dlms_security::{AuthenticationMechanism, Secret};

use crate::keys;
use crate::unwrap;

pub const COUNT: usize = 2 + keys::SETUPS;

/// The longest APDU either way.
#[cfg(not(feature = "suite2"))]
pub const LONGEST_APDU: u16 = 256;
/// There are two signatures or keys of suite 2 in some.
#[cfg(feature = "suite2")]
pub const LONGEST_APDU: u16 = 512;

pub fn configs() -> [AssociationConfig; COUNT] {
    let public = AssociationConfig { max_receive_pdu_size: LONGEST_APDU, ..AssociationConfig::public(16) };
    let reader = AssociationConfig {
        client_sap: 2,
        mechanism: AuthenticationMechanism::Lls,
        secret: unwrap(Secret::new(b"12345678")),
        ..public.clone()
    };
    #[cfg(feature = "suite0")]
    let management = AssociationConfig {
        client_sap: 1,
        ciphered: true,
        mechanism: AuthenticationMechanism::Gmac,
        security: Some(0),
        policy: Protection::AUTHENTICATED_ENCRYPTED,
        #[cfg(feature = "general")]
        accepted: dlms::Accepted::all(),
        ..public.clone()
    };
    [
        public,
        reader,
        #[cfg(feature = "suite2")]
        AssociationConfig {
            client_sap: 3,
            mechanism: AuthenticationMechanism::Ecdsa,
            security: Some(1),
            ..management.clone()
        },
        #[cfg(feature = "suite0")]
        management,
    ]
}

/// The object that describes an association.
pub fn object(id: u8, config: &AssociationConfig) -> AssociationLn<1> {
    AssociationLn::new(
        LogicalName::new(0, 0, 40, 0, id + 1, 255),
        1,
        AssociationId(id),
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
