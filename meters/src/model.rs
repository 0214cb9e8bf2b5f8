//! A meter model as it stands in its TOML file.

use std::collections::HashMap;

use serde::Deserialize;

/// The model of a meter: its objects, who may do what with them, and the associations.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) meter: Meter,
    #[serde(default)]
    pub(crate) association: Vec<Association>,
    #[serde(default)]
    pub(crate) key_set: Vec<KeySet>,
    /// Rights by the name of the set, then by the role of an association.
    pub(crate) access_set: HashMap<String, HashMap<String, String>>,
    pub(crate) own_association: OwnAssociation,
    #[serde(default)]
    pub(crate) event_log: Vec<EventLog>,
    pub(crate) object: Vec<Object>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meter {
    pub(crate) model: String,
    pub(crate) logical_device_name: String,
    pub(crate) system_title: String,
}

/// One association that the meter offers.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Association {
    pub(crate) id: String,
    #[serde(default)]
    #[allow(dead_code, reason = "for the reader of the model")]
    pub(crate) role: String,
    /// The column of the access sets; the id unless told otherwise.
    #[serde(default)]
    pub(crate) access: Option<String>,
    pub(crate) client_sap: u16,
    pub(crate) server_sap: u16,
    pub(crate) ciphered: bool,
    pub(crate) mechanism: u8,
    /// The Security setup whose keys are used.
    #[serde(default)]
    pub(crate) security_setup: Option<String>,
    /// The least protection.
    #[serde(default)]
    pub(crate) protection: Vec<String>,
    #[serde(default)]
    pub(crate) secret: Option<String>,
    pub(crate) conformance: Vec<String>,
    pub(crate) max_pdu: u16,
    /// Whether clients are served that use one counter for a proof of mechanism 5 and the APDU that carries it.
    #[serde(default)]
    pub(crate) accept_shared_counter: bool,
    /// What is taken besides the service-specific forms and general-glo- and general-ded-ciphering.
    #[serde(default)]
    pub(crate) accepted: Vec<String>,
}

/// The test keys of a Security setup.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySet {
    pub(crate) security_setup: String,
    pub(crate) suite: u8,
    pub(crate) ek: String,
    pub(crate) ak: String,
    /// The master key, where keys can be transferred.
    #[serde(default)]
    pub(crate) kek: Option<String>,
    /// The meter's signature key, in suites 1 and 2.
    #[serde(default)]
    pub(crate) server_signing_key: Option<String>,
    /// The client's.
    #[serde(default)]
    pub(crate) client_signing_key: Option<String>,
    /// The meter's key for key agreement, in suites 1 and 2.
    #[serde(default)]
    pub(crate) server_agreement_key: Option<String>,
    /// The client's.
    #[serde(default)]
    pub(crate) client_agreement_key: Option<String>,
    pub(crate) client_title: String,
    /// The Data object that tells the highest counter received.
    pub(crate) counter: String,
}

/// What an association may do with the object that describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnAssociation {
    pub(crate) attributes: Vec<Item>,
    #[serde(default)]
    pub(crate) methods: Vec<Item>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventLog {
    pub(crate) name: String,
    pub(crate) ln: String,
    /// The Data object that holds the code while the log captures.
    pub(crate) code_object: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) class: u16,
    pub(crate) version: u8,
    pub(crate) ln: String,
    #[serde(default)]
    pub(crate) capture: Vec<(u16, String, i8, u16)>,
    #[serde(default)]
    pub(crate) scripts: Vec<Vec<toml::Value>>,
    #[serde(default)]
    pub(crate) attributes: Vec<Item>,
    #[serde(default)]
    pub(crate) methods: Vec<Item>,
}

/// An attribute or a method.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) id: i8,
    pub(crate) access: String,
    #[serde(default)]
    pub(crate) value: Option<toml::Value>,
}

impl Model {
    /// The PMM1220, as far as its classes are carried.
    pub(crate) fn pmm1220() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../models/pmm1220.toml"))
    }

    /// The laboratory meter, without its associations.
    pub(crate) fn lab() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../models/lab.toml"))
    }
}

impl Object {
    /// The initial value of an attribute.
    pub(crate) fn value(&self, attribute: i8) -> Option<&toml::Value> {
        self.attributes.iter().find(|it| it.id == attribute)?.value.as_ref()
    }
}
