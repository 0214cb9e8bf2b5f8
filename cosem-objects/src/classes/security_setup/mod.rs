//! Security setup (class_id 64): the security policy and suite of an association, its keys and certificates.
//!
//! Version 0 states the policy as an enumeration, version 1 as bits, and adds certificates and key agreement. The object
//! holds nothing of it: policy, suite, titles and keys are what messages are protected with, so whoever protects them
//! answers for the attributes and methods, and there is one truth. The object says which setup it stands for
//! ([`Object::security_setup`](crate::Object::security_setup)); without such an answerer all but its name is refused.

mod parameters;

use dlms_obis::LogicalName;

use crate::macros::interface_class;
use crate::{ActionResult, Any, AttributeInfo, DataAccessResult, InterfaceClass, ListOf, MethodInfo, Octets};
pub use parameters::{
    CertificateEntity, CertificateIdentification, CertificateInfo, CertificateType, KeyData,
};

/// Security setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecuritySetup {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// The version of the class, 0 or 1.
    pub version: u8,
    /// Which of the device's security setups this object stands for.
    pub setup: u8,
}

impl SecuritySetup {
    /// The object that stands for the security setup with the number `setup`.
    pub const fn new(logical_name: LogicalName, version: u8, setup: u8) -> Self {
        Self { logical_name, version, setup }
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
            get(object, get) { Err(DataAccessResult::ReadWriteDenied.into()) }
        3 security_suite SECURITY_SUITE: Any = "enum:security_suite" static
            get(object, get) { Err(DataAccessResult::ReadWriteDenied.into()) }
        4 client_system_title CLIENT_SYSTEM_TITLE: Octets = "octet-string" dynamic
            get(object, get) { Err(DataAccessResult::ReadWriteDenied.into()) }
        5 server_system_title SERVER_SYSTEM_TITLE: Octets = "octet-string" static
            get(object, get) { Err(DataAccessResult::ReadWriteDenied.into()) }
        6 certificates CERTIFICATES: ListOf<CertificateInfo<'static>> = "array<@certificate_info>" dynamic
            get(object, get) { Err(DataAccessResult::ReadWriteDenied.into()) }
    }
    methods {
        1 security_activate SECURITY_ACTIVATE: Any = "enum:protection_policy_bits" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        2 key_transfer KEY_TRANSFER: ListOf<KeyData<'static>> = "array<structure{key_id: enum:security_key_id, key_wrapped: octet-string}>" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        3 key_agreement KEY_AGREEMENT: ListOf<KeyData<'static>> = "array<structure{key_id: enum:security_key_id, key_data: octet-string}>" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        4 generate_key_pair GENERATE_KEY_PAIR: CertificateType = "enum:certificate_type" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        5 generate_certificate_request GENERATE_CERTIFICATE_REQUEST: CertificateType = "enum:certificate_type" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        6 import_certificate IMPORT_CERTIFICATE: Octets = "octet-string" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        7 export_certificate EXPORT_CERTIFICATE: CertificateIdentification<'static> = "@certificate_identification" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        8 remove_certificate REMOVE_CERTIFICATE: CertificateIdentification<'static> = "@certificate_identification" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
    }
    versions(object) {
        if object.version == 0 {
            const { &SecuritySetup::CLASS_VERSION_0.outline() }
        } else {
            const { &SecuritySetup::CLASS.outline() }
        }
    }
    behaviour {
        fn security_setup(&self) -> Option<u8> {
            Some(self.setup)
        }
    }
}
