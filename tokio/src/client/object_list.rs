//! The objects that the association shows.

use cosem_objects::AccessRights;
use cosem_objects::classes::{AssociationLn, ObjectListElement as Element};
use dlms_axdr::{Data, FromData};
use dlms_obis::LogicalName;
use dlms_security::CryptoProvider;

use super::Client;
use crate::Error;

/// The object that describes the association that is open.
const CURRENT_ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);

/// One object as the association shows it, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectListElement {
    /// class_id.
    pub class_id: u16,
    /// The version of the class.
    pub version: u8,
    /// The name of the object.
    pub logical_name: LogicalName,
    /// The attributes and the access modes to them, whose meaning depends on the version of the association
    /// ([`AccessRights::from_attribute_mode`]).
    pub attributes: Vec<(i8, u8)>,
    /// The methods and the access modes to them ([`AccessRights::from_method_mode`]).
    pub methods: Vec<(i8, u8)>,
}

impl ObjectListElement {
    /// The rights to an attribute, where `version` is that of the association object.
    pub fn attribute_rights(&self, index: i8, version: u8) -> Option<AccessRights> {
        let (_, mode) = self.attributes.iter().find(|(attribute, _)| *attribute == index)?;
        AccessRights::from_attribute_mode(*mode, version)
    }

    /// The rights to a method, where `version` is that of the association object.
    pub fn method_rights(&self, index: i8, version: u8) -> Option<AccessRights> {
        let (_, mode) = self.methods.iter().find(|(method, _)| *method == index)?;
        AccessRights::from_method_mode(*mode, version)
    }
}

impl<P: CryptoProvider> Client<P> {
    /// Reads the list of objects with their access rights.
    ///
    /// # Errors
    /// The list was not read, or is none.
    pub async fn object_list(&mut self) -> Result<Vec<ObjectListElement>, Error> {
        self.fetch(AssociationLn::OBJECT_LIST.of(CURRENT_ASSOCIATION).into()).await?;
        let data = Data::from_octets(&self.value)?;
        let Data::Array(elements) = data else {
            return Err(dlms_axdr::TypeMismatch::new("object-list").into());
        };
        elements
            .iter()
            .map(|element| {
                let element = Element::from_data(element)?;
                Ok(ObjectListElement {
                    class_id: element.class_id,
                    version: element.version,
                    logical_name: element.logical_name,
                    attributes: element.attributes().map(|entry| (entry.index, entry.mode)).collect(),
                    methods: element.methods().map(|entry| (entry.index, entry.mode)).collect(),
                })
            })
            .collect()
    }
}
