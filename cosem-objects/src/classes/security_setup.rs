//! Security setup (class_id 64): the security policy and suite of an association and the system titles of its partners.
//!
//! Version 0 states the policy as an enumeration, version 1 as bits. The methods that change keys and certificates are
//! refused with `read-write-denied` here.

use dlms_axdr::Enum;
use dlms_obis::LogicalName;

use crate::macros::interface_class;
use crate::{ActionResult, Any, AttributeInfo, InterfaceClass, ListOf, MethodInfo, OctetString, Octets};

/// The protection that every message needs, in the notation of the class version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityPolicy {
    /// Version 0: 0 nothing, 1 authenticated, 2 encrypted, 3 both.
    Version0(u8),
    /// Version 1: the bits of [`crate::AccessRights`] from `authenticated_request` on.
    Version1(u8),
}

/// Security setup.
#[derive(Clone, Debug)]
pub struct SecuritySetup {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2; it also tells the version of the class.
    pub security_policy: SecurityPolicy,
    /// Attribute 3: 0, 1 or 2.
    pub security_suite: u8,
    /// Attribute 4: the title of the client that is or was associated last.
    pub client_system_title: OctetString<8>,
    /// Attribute 5.
    pub server_system_title: OctetString<8>,
}

impl SecuritySetup {
    /// A security setup.
    pub fn new(
        logical_name: LogicalName,
        security_policy: SecurityPolicy,
        security_suite: u8,
        server_system_title: [u8; 8],
    ) -> Self {
        Self {
            logical_name,
            security_policy,
            security_suite,
            client_system_title: OctetString::new(),
            server_system_title: server_system_title.into_iter().collect(),
        }
    }

    /// Version 0 of the class: no certificates.
    pub const CLASS_VERSION_0: InterfaceClass = InterfaceClass {
        version: 0,
        attributes: &[
            Self::CLASS.attributes[0],
            AttributeInfo { data_type: "enum:security_policy_v0", ..Self::CLASS.attributes[1] },
            Self::CLASS.attributes[2],
            Self::CLASS.attributes[3],
            Self::CLASS.attributes[4],
        ],
        methods: &[
            MethodInfo { parameter: "enum:security_policy_v0", ..Self::CLASS.methods[0] },
            MethodInfo { name: "global_key_transfer", ..Self::CLASS.methods[1] },
        ],
        first_method_offset: Some(0x28),
        ..Self::CLASS
    };
}

interface_class! {
    class 64 "Security setup" version 1, first method at Some(0x30);
    constants on SecuritySetup;
    object impl[] SecuritySetup;
    attributes {
        2 security_policy SECURITY_POLICY: Any = "enum:protection_policy_bits" static
            get(object, get) {
                let (SecurityPolicy::Version0(policy) | SecurityPolicy::Version1(policy)) = object.security_policy;
                Ok(get.encoder.data(&Enum(policy))?)
            }
        3 security_suite SECURITY_SUITE: Any = "enum:security_suite" static
            get(object, get) { Ok(get.encoder.data(&Enum(object.security_suite))?) }
        4 client_system_title CLIENT_SYSTEM_TITLE: Octets = "octet-string" dynamic
            get(object, get) { Ok(get.encoder.data(object.client_system_title.as_slice())?) }
        5 server_system_title SERVER_SYSTEM_TITLE: Octets = "octet-string" static
            get(object, get) { Ok(get.encoder.data(object.server_system_title.as_slice())?) }
        6 certificates CERTIFICATES: ListOf<Any> = "array<@certificate_info>" dynamic
            get(object, get) {
                match object.security_policy {
                    SecurityPolicy::Version1(_) => Ok(get.encoder.array(0)?),
                    SecurityPolicy::Version0(_) => Err(crate::DataAccessResult::ReadWriteDenied.into()),
                }
            }
    }
    methods {
        1 security_activate SECURITY_ACTIVATE: Any = "enum:protection_policy_bits" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        2 key_transfer KEY_TRANSFER: Any = "array<structure{key_id: enum:security_key_id, key_wrapped: octet-string}>" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        3 key_agreement KEY_AGREEMENT: Any = "array<structure{key_id: enum:security_key_id, key_data: octet-string}>" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        4 generate_key_pair GENERATE_KEY_PAIR: Any = "enum:certificate_type" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        5 generate_certificate_request GENERATE_CERTIFICATE_REQUEST: Any = "enum:certificate_type" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        6 import_certificate IMPORT_CERTIFICATE: Octets = "octet-string" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        7 export_certificate EXPORT_CERTIFICATE: Any = "@certificate_identification" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        8 remove_certificate REMOVE_CERTIFICATE: Any = "@certificate_identification" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
    }
    versions(object) {
        match object.security_policy {
            SecurityPolicy::Version0(_) => const { &SecuritySetup::CLASS_VERSION_0.outline() },
            SecurityPolicy::Version1(_) => const { &SecuritySetup::CLASS.outline() },
        }
    }
}
