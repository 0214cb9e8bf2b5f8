//! Association LN (class_id 15): the objects that a client sees and what it may do with them.
//!
//! object_list is not stored: it is produced from the device, element by element, with the rights of the association
//! that asks. The association in which a request comes answers to the name 0-0:40.0.0*255, and lists itself under it.
//! Versions 0 to 3 of the class differ in how access rights are written and in the attributes from 9 on.

use dlms_axdr::{
    Array, BitString, BufferFull, Data, Encode, Encoder, Enum, FromData, TypeMismatch, VisibleString,
};
use dlms_obis::LogicalName;
use zeroize::Zeroize;

use crate::macros::{enumeration, interface_class};
use crate::object::{Get, raise};
use crate::{
    AccessRights, ActionResult, Any, AssociationId, AttributeInfo, AttributeType, Context, DataAccessResult,
    Effect, GetError, InterfaceClass, ListOf, LogicalDevice, MethodInfo, ObjectDefinition, OctetString,
    Octets,
};

/// The name of the association in which a request comes.
pub(crate) const CURRENT_ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);

/// The longest secret of an association.
const LONGEST_SECRET: usize = 64;

enumeration! {
    /// The state of an association.
    AssociationStatus, "association-status" {
        /// Closed.
        NonAssociated = 0,
        /// The client's proof of its identity is awaited.
        AssociationPending = 1,
        /// Open.
        Associated = 2,
    }
}

/// `associated_partners_id`: the addresses of client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AssociatedPartnersId {
    /// The client's address.
    pub client_sap: i8,
    /// The server's address.
    pub server_sap: u16,
}

/// `application_context_name`, by the last arc of its object identifier: 2.16.756.5.8.1.x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApplicationContextName(pub u8);

/// `authentication_mechanism_name`, by the last arc of its object identifier: 2.16.756.5.8.2.x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthenticationMechanismName(pub u8);

/// `xDLMS_context_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct XdlmsContextInfo {
    /// The conformance block; bit 0 is the highest of the first octet.
    pub conformance: [u8; 3],
    /// The longest APDU that the server receives.
    pub max_receive_pdu_size: u16,
    /// The longest APDU that the server sends.
    pub max_send_pdu_size: u16,
}

/// An entry of `user_list`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The user's number.
    pub id: u8,
    /// The user's name.
    pub name: OctetString<32>,
}

/// Attribute 7, which leaves nothing behind in memory.
#[derive(Clone)]
struct Secret(OctetString<LONGEST_SECRET>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Association LN with room for `USERS` users.
#[derive(Clone)]
pub struct AssociationLn<const USERS: usize> {
    /// Attribute 1 in the view of other associations.
    pub logical_name: LogicalName,
    /// The version of the class, 0 to 3.
    pub version: u8,
    /// Which association this object describes.
    pub association: AssociationId,
    /// Attribute 3.
    pub associated_partners_id: AssociatedPartnersId,
    /// Attribute 4.
    pub application_context_name: ApplicationContextName,
    /// Attribute 5.
    pub xdlms_context_info: XdlmsContextInfo,
    /// Attribute 6.
    pub authentication_mechanism_name: AuthenticationMechanismName,
    /// Attribute 8 in the view of other associations; in its own it is `associated`.
    pub association_status: AssociationStatus,
    /// Attribute 9; all zero where there is none.
    pub security_setup_reference: LogicalName,
    /// Attribute 10.
    pub user_list: heapless::Vec<User, USERS>,
    /// Attribute 11.
    pub current_user: User,
    secret: Option<Secret>,
}

impl<const USERS: usize> AssociationLn<USERS> {
    /// The object of an association without security setup and users.
    #[allow(clippy::too_many_arguments, reason = "one for each attribute")]
    pub fn new(
        logical_name: LogicalName,
        version: u8,
        association: AssociationId,
        associated_partners_id: AssociatedPartnersId,
        application_context_name: ApplicationContextName,
        authentication_mechanism_name: AuthenticationMechanismName,
        xdlms_context_info: XdlmsContextInfo,
    ) -> Self {
        Self {
            logical_name,
            version,
            association,
            associated_partners_id,
            application_context_name,
            xdlms_context_info,
            authentication_mechanism_name,
            association_status: AssociationStatus::NonAssociated,
            security_setup_reference: LogicalName::new(0, 0, 0, 0, 0, 0),
            user_list: heapless::Vec::new(),
            current_user: User { id: 0, name: OctetString::new() },
            secret: None,
        }
    }

    /// Sets the secret as attribute 7 does: after a restart, for instance.
    ///
    /// # Errors
    /// The secret is longer than 64 octets.
    pub fn set_secret(&mut self, secret: &[u8]) -> Result<(), DataAccessResult> {
        let secret = OctetString::from_slice(secret).map_err(|_| DataAccessResult::OtherReason)?;
        self.secret = Some(Secret(secret));
        Ok(())
    }

    fn is_current(&self, context: &Context<'_>) -> bool {
        context.association == Some(self.association)
    }

    fn write_object_list(&self, get: Get<'_, '_, '_, '_>) -> Result<(), GetError> {
        let Get { selector, context, encoder } = get;
        let filter = Filter::new(selector.map(|it| (it.selector, it.parameters)))?;
        // A device that reads the list for itself sees what this association sees.
        let association = context.association.unwrap_or(self.association);
        let list = ObjectList { device: context.device, association, version: self.version, filter };
        if encoder.next() == 0 {
            encoder.array(list.count())?;
            encoder.element_done();
        }
        let first = (encoder.next() as usize).saturating_sub(1);
        for index in first..context.device.object_count() {
            if let Some(name) = list.name(index) {
                list.write_element(index, name, encoder)?;
            }
            encoder.element_done();
        }
        Ok(())
    }
}

/// The objects that an association sees.
struct ObjectList<'a> {
    device: &'a dyn LogicalDevice,
    association: AssociationId,
    version: u8,
    filter: Filter<'a>,
}

/// The selective access to object_list.
enum Filter<'a> {
    /// Everything.
    All,
    /// Selector 1: everything, without access rights.
    WithoutRights,
    /// Selector 2: the objects of these classes, without access rights.
    Classes(dlms_axdr::Sequence<'a>),
    /// Selector 3: these objects.
    Objects(dlms_axdr::Sequence<'a>),
    /// Selector 4: this object.
    Object(ObjectDefinition),
}

impl<'a> Filter<'a> {
    fn new(selector: Option<(u8, Data<'a>)>) -> Result<Self, DataAccessResult> {
        Ok(match selector {
            None => Self::All,
            Some((1, _)) => Self::WithoutRights,
            Some((2, Data::Array(classes))) => {
                for class in classes {
                    u16::from_data(class)?;
                }
                Self::Classes(classes)
            }
            Some((3, Data::Array(objects))) => {
                for object in objects {
                    ObjectDefinition::from_data(object)?;
                }
                Self::Objects(objects)
            }
            Some((4, object)) => Self::Object(ObjectDefinition::from_data(object)?),
            Some(_) => return Err(DataAccessResult::TypeUnmatched),
        })
    }

    fn accepts(&self, object: ObjectDefinition) -> bool {
        match self {
            Self::All | Self::WithoutRights => true,
            Self::Classes(classes) => classes.iter().any(|it| u16::from_data(it) == Ok(object.class_id)),
            Self::Objects(objects) => objects.iter().any(|it| ObjectDefinition::from_data(it) == Ok(object)),
            Self::Object(wanted) => *wanted == object,
        }
    }

    const fn has_rights(&self) -> bool {
        !matches!(self, Self::WithoutRights | Self::Classes(_))
    }
}

impl ObjectList<'_> {
    fn count(&self) -> usize {
        (0..self.device.object_count())
            .fold(0, |count, index| usize::from(self.name(index).is_some()).wrapping_add(count))
    }

    /// The name under which the object at `index` is listed, if it is.
    fn name(&self, index: usize) -> Option<LogicalName> {
        let object = self.device.object(index)?;
        let is_current = self.device.association_object(self.association) == Some(index);
        let logical_name = if is_current { CURRENT_ASSOCIATION } else { object.logical_name() };
        let definition = ObjectDefinition { class_id: object.class().id, logical_name };
        let is_listed = self.device.is_visible(self.association, index) && self.filter.accepts(definition);
        is_listed.then_some(logical_name)
    }

    fn write_element(
        &self,
        index: usize,
        name: LogicalName,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), BufferFull> {
        let Some(object) = self.device.object(index) else { return Ok(()) };
        let class = object.class();
        encoder.structure(if self.filter.has_rights() { 4 } else { 3 })?;
        encoder.data(&class.id)?;
        encoder.data(&class.version)?;
        encoder.data(&name)?;
        if !self.filter.has_rights() {
            return Ok(());
        }
        encoder.structure(2)?;
        encoder.array(class.attributes as usize)?;
        for attribute in 1..=class.attributes {
            let rights = self.device.attribute_access(self.association, index, attribute);
            encoder.structure(3)?;
            encoder.data(&attribute)?;
            encoder.data(&Enum(rights.attribute_mode(self.version)))?;
            let selectors = class.selectors(attribute);
            if selectors.is_empty() {
                encoder.null()?;
                continue;
            }
            encoder.array(selectors.len())?;
            for &selector in selectors {
                encoder.data(&(selector as i8))?;
            }
        }
        encoder.array(class.methods as usize)?;
        for method in 1..=class.methods {
            let mode = self.device.method_access(self.association, index, method).method_mode(self.version);
            encoder.structure(2)?;
            encoder.data(&method)?;
            match self.version {
                0 => encoder.data(&(mode != 0))?,
                _ => encoder.data(&Enum(mode))?,
            }
        }
        Ok(())
    }
}

/// An element of object_list as a client reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObjectListElement<'a> {
    /// class_id.
    pub class_id: u16,
    /// The version of the class.
    pub version: u8,
    /// The name of the object.
    pub logical_name: LogicalName,
    attribute_access: Option<dlms_axdr::Sequence<'a>>,
    method_access: Option<dlms_axdr::Sequence<'a>>,
}

/// The access to one attribute or method as object_list has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccessRightsEntry<'a> {
    /// attribute_id or method_id.
    pub index: i8,
    /// The access mode, whose meaning depends on the version of the association
    /// ([`AccessRights::from_attribute_mode`], [`AccessRights::from_method_mode`]).
    pub mode: u8,
    /// The access selectors of an attribute.
    pub selectors: Data<'a>,
}

impl<'a> ObjectListElement<'a> {
    /// The access to attributes; none if the list was read without access rights.
    pub fn attributes(&self) -> impl Iterator<Item = AccessRightsEntry<'a>> + use<'a> {
        entries(self.attribute_access)
    }

    /// The access to methods; none if the list was read without access rights.
    pub fn methods(&self) -> impl Iterator<Item = AccessRightsEntry<'a>> + use<'a> {
        entries(self.method_access)
    }

    /// The rights to an attribute, where `version` is that of the association.
    pub fn attribute_rights(&self, index: i8, version: u8) -> Option<AccessRights> {
        let entry = self.attributes().find(|entry| entry.index == index)?;
        AccessRights::from_attribute_mode(entry.mode, version)
    }

    /// The rights to a method, where `version` is that of the association.
    pub fn method_rights(&self, index: i8, version: u8) -> Option<AccessRights> {
        let entry = self.methods().find(|entry| entry.index == index)?;
        AccessRights::from_method_mode(entry.mode, version)
    }
}

fn entries<'a>(
    entries: Option<dlms_axdr::Sequence<'a>>,
) -> impl Iterator<Item = AccessRightsEntry<'a>> + use<'a> {
    entries.into_iter().flatten().filter_map(|entry| {
        let Data::Structure(fields) = entry else { return None };
        let mut fields = fields.iter();
        Some(AccessRightsEntry {
            index: i8::from_data(fields.next()?).ok()?,
            mode: match fields.next()? {
                Data::Enum(mode) | Data::Unsigned(mode) => mode,
                Data::Boolean(allowed) => allowed.into(),
                _ => return None,
            },
            selectors: fields.next().unwrap_or(Data::NullData),
        })
    })
}

impl<'a> FromData<'a> for ObjectListElement<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let mismatch = TypeMismatch::new("object-list-element");
        let Data::Structure(fields) = data else { return Err(mismatch) };
        let mut fields = fields.iter();
        let mut next = || fields.next().ok_or(mismatch);
        let (class_id, version, logical_name) =
            (u16::from_data(next()?)?, u8::from_data(next()?)?, LogicalName::from_data(next()?)?);
        let (attribute_access, method_access) = match fields.next() {
            None => (None, None),
            Some(Data::Structure(rights)) => {
                let mut rights = rights.iter();
                match (rights.next(), rights.next()) {
                    (Some(Data::Array(attributes)), Some(Data::Array(methods))) => {
                        (Some(attributes), Some(methods))
                    }
                    _ => return Err(mismatch),
                }
            }
            Some(_) => return Err(mismatch),
        };
        Ok(Self { class_id, version, logical_name, attribute_access, method_access })
    }
}

impl AttributeType for ObjectListElement<'_> {
    type Value<'a> = ObjectListElement<'a>;

    fn decode(data: Data<'_>) -> Result<ObjectListElement<'_>, TypeMismatch> {
        ObjectListElement::from_data(data)
    }
}

impl Encode for AssociatedPartnersId {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (self.client_sap, self.server_sap).encode(encoder)
    }
}

impl Encode for XdlmsContextInfo {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.octets(&[2, 6, 4, 24])?;
        encoder.octets(&self.conformance)?;
        encoder.data(&self.max_receive_pdu_size)?;
        encoder.data(&self.max_send_pdu_size)?;
        // dlms_version_number 6, quality_of_service 0, no cyphering_info.
        encoder.octets(&[17, 6, 15, 0, 9, 0])
    }
}

impl FromData<'_> for XdlmsContextInfo {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        let (conformance, max_receive_pdu_size, max_send_pdu_size, _, _, _): (
            BitString<'_>,
            u16,
            u16,
            u8,
            i8,
            Data<'_>,
        ) = FromData::from_data(data)?;
        let conformance =
            conformance.octets().try_into().map_err(|_| TypeMismatch::new("conformance block of 24 bits"))?;
        Ok(Self { conformance, max_receive_pdu_size, max_send_pdu_size })
    }
}

impl FromData<'_> for AssociatedPartnersId {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        let (client_sap, server_sap) = FromData::from_data(data)?;
        Ok(Self { client_sap, server_sap })
    }
}

/// The octets of the object identifier 2.16.756.5.8.`kind`.`id`, and its form as a structure of its arcs.
fn encode_name(kind: u8, id: u8, as_structure: bool, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
    match as_structure {
        true => encoder.octets(&[2, 7, 17, 2, 17, 16, 18, 0x02, 0xF4, 17, 5, 17, 8, 17, kind, 17, id]),
        false => encoder.octets(&[9, 7, 0x60, 0x85, 0x74, 0x05, 0x08, kind, id]),
    }
}

/// The last arc of a name in either form.
fn decode_name(kind: u8, data: Data<'_>) -> Result<u8, TypeMismatch> {
    let mismatch = TypeMismatch::new("name with the object identifier 2.16.756.5.8");
    match data {
        Data::OctetString(&[0x60, 0x85, 0x74, 0x05, 0x08, found, id]) if found == kind => Ok(id),
        Data::Structure(_) => match <(u8, u8, u16, u8, u8, u8, u8)>::from_data(data)? {
            (2, 16, 756, 5, 8, found, id) if found == kind => Ok(id),
            _ => Err(mismatch),
        },
        _ => Err(mismatch),
    }
}

impl FromData<'_> for ApplicationContextName {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        decode_name(1, data).map(Self)
    }
}

impl FromData<'_> for AuthenticationMechanismName {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        decode_name(2, data).map(Self)
    }
}

impl Encode for User {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (self.id, VisibleString(&self.name)).encode(encoder)
    }
}

impl FromData<'_> for User {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        let (id, VisibleString(name)) = FromData::from_data(data)?;
        let name = OctetString::from_slice(name)
            .map_err(|_| TypeMismatch::new("user name of at most 32 characters"))?;
        Ok(Self { id, name })
    }
}

macro_rules! attribute_types {
    ($($type:ty),*) => {$(
        impl AttributeType for $type {
            type Value<'a> = Self;

            fn decode(data: Data<'_>) -> Result<Self, TypeMismatch> {
                Self::from_data(data)
            }
        }
    )*};
}

attribute_types!(
    AssociatedPartnersId,
    ApplicationContextName,
    AuthenticationMechanismName,
    XdlmsContextInfo,
    User
);

const fn attribute(of: &AttributeInfo, name: &'static str, data_type: &'static str) -> AttributeInfo {
    AttributeInfo { index: of.index, name, data_type, is_static: of.is_static, selectors: of.selectors }
}

impl AssociationLn<0> {
    /// Version 2 of the class: as version 3, with the access modes of version 1.
    pub const CLASS_VERSION_2: InterfaceClass = InterfaceClass {
        version: 2,
        attributes: &[
            Self::CLASS.attributes[0],
            attribute(&Self::CLASS.attributes[1], "object_list", OBJECT_LIST_1),
            Self::CLASS.attributes[2],
            Self::CLASS.attributes[3],
            Self::CLASS.attributes[4],
            Self::CLASS.attributes[5],
            Self::CLASS.attributes[6],
            Self::CLASS.attributes[7],
            Self::CLASS.attributes[8],
            Self::CLASS.attributes[9],
            Self::CLASS.attributes[10],
        ],
        methods: &[
            Self::CLASS.methods[0],
            Self::CLASS.methods[1],
            MethodInfo { parameter: ELEMENT_1, ..Self::CLASS.methods[2] },
            MethodInfo { parameter: ELEMENT_1, ..Self::CLASS.methods[3] },
            Self::CLASS.methods[4],
            Self::CLASS.methods[5],
        ],
        ..Self::CLASS
    };

    /// Version 1 of the class: without users.
    pub const CLASS_VERSION_1: InterfaceClass = InterfaceClass {
        version: 1,
        attributes: Self::CLASS_VERSION_2.attributes.split_at(9).0,
        methods: Self::CLASS_VERSION_2.methods.split_at(4).0,
        ..Self::CLASS
    };

    /// Version 0 of the class: without security_setup_reference, names as structures.
    pub const CLASS_VERSION_0: InterfaceClass = InterfaceClass {
        version: 0,
        attributes: &[
            Self::CLASS.attributes[0],
            attribute(&Self::CLASS.attributes[1], "object_list", OBJECT_LIST_0),
            Self::CLASS.attributes[2],
            attribute(&Self::CLASS.attributes[3], "application_context_name", "@oid_name_structure"),
            Self::CLASS.attributes[4],
            attribute(&Self::CLASS.attributes[5], "authentication_mechanism_name", "@oid_name_structure"),
            attribute(&Self::CLASS.attributes[6], "lls_secret", "octet-string"),
            Self::CLASS.attributes[7],
        ],
        methods: &[
            Self::CLASS.methods[0],
            Self::CLASS.methods[1],
            MethodInfo { parameter: ELEMENT_0, ..Self::CLASS.methods[2] },
            MethodInfo { parameter: ELEMENT_0, ..Self::CLASS.methods[3] },
        ],
        ..Self::CLASS
    };
}

const ELEMENT_0: &str = "structure{class_id: long-unsigned, version: unsigned, logical_name: octet-string[6], access_rights: @access_rights_v0}";
const ELEMENT_1: &str = "structure{class_id: long-unsigned, version: unsigned, logical_name: octet-string[6], access_rights: @access_rights_v1}";
const OBJECT_LIST_0: &str = "array<structure{class_id: long-unsigned, version: unsigned, logical_name: octet-string[6], access_rights: @access_rights_v0}>";
const OBJECT_LIST_1: &str = "array<structure{class_id: long-unsigned, version: unsigned, logical_name: octet-string[6], access_rights: @access_rights_v1}>";

interface_class! {
    class 15 "Association LN" version 3, first method at None;
    constants on AssociationLn<0>;
    object impl[const USERS: usize] AssociationLn<USERS>;
    named(object, context) { object.is_current(context) }
    attributes {
        2 object_list OBJECT_LIST: ListOf<ObjectListElement<'static>> = "array<structure{class_id: long-unsigned, version: unsigned, logical_name: octet-string[6], access_rights: @access_rights_v3}>" static [1, 2, 3, 4]
            get(object, get) { object.write_object_list(get) }
        3 associated_partners_id ASSOCIATED_PARTNERS_ID: AssociatedPartnersId = "structure{client_SAP: integer, server_SAP: long-unsigned}" static
            get(object, get) { Ok(get.encoder.data(&object.associated_partners_id)?) }
        4 application_context_name APPLICATION_CONTEXT_NAME: ApplicationContextName = "@oid_name" static
            get(object, get) { Ok(encode_name(1, object.application_context_name.0, object.version == 0, get.encoder)?) }
        5 xdlms_context_info XDLMS_CONTEXT_INFO: XdlmsContextInfo = "@xdlms_context" static
            get(object, get) { Ok(get.encoder.data(&object.xdlms_context_info)?) }
        6 authentication_mechanism_name AUTHENTICATION_MECHANISM_NAME: AuthenticationMechanismName = "@oid_name" static
            get(object, get) { Ok(encode_name(2, object.authentication_mechanism_name.0, object.version == 0, get.encoder)?) }
        7 secret SECRET: Octets = "octet-string" static
            get(object, get) { Err(DataAccessResult::ReadWriteDenied.into()) }
            set(object, set) {
                object.set_secret(FromData::from_data(set.value)?)?;
                raise(set.effects, Effect::SecretChanged { association: object.association });
                Ok(())
            }
        8 association_status ASSOCIATION_STATUS: AssociationStatus = "enum:association_status" dynamic
            get(object, get) {
                let status = match object.is_current(get.context) {
                    true => AssociationStatus::Associated,
                    false => object.association_status,
                };
                Ok(get.encoder.data(&status)?)
            }
        9 security_setup_reference SECURITY_SETUP_REFERENCE: LogicalName = "octet-string[6]" static
            get(object, get) { Ok(get.encoder.data(&object.security_setup_reference)?) }
        10 user_list USER_LIST: ListOf<User> = "array<@user_list_entry>" static
            get(object, get) { Ok(get.encoder.data(&Array(&object.user_list))?) }
            set(object, set) {
                let Data::Array(entries) = set.value else { return Err(DataAccessResult::TypeUnmatched) };
                let mut users = heapless::Vec::new();
                for entry in entries {
                    users.push(User::from_data(entry)?).map_err(|_| DataAccessResult::OtherReason)?;
                }
                object.user_list = users;
                Ok(())
            }
        11 current_user CURRENT_USER: User = "@user_list_entry" static
            get(object, get) { Ok(get.encoder.data(&object.current_user)?) }
    }
    methods {
        1 reply_to_hls_authentication REPLY_TO_HLS_AUTHENTICATION: Octets = "octet-string" optional (object, call) {
            // The proof is a matter of the association's keys: whoever holds them answers in place of the object.
            Err(ActionResult::ReadWriteDenied)
        }
        2 change_hls_secret CHANGE_HLS_SECRET: Octets = "octet-string" optional (object, call) {
            object.set_secret(FromData::from_data(call.parameter)?).map_err(|_| ActionResult::OtherReason)?;
            raise(call.effects, Effect::SecretChanged { association: object.association });
            Ok(())
        }
        3 add_object ADD_OBJECT: Any = "structure{class_id: long-unsigned, version: unsigned, logical_name: octet-string[6], access_rights: @access_rights_v3}" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        4 remove_object REMOVE_OBJECT: Any = "structure{class_id: long-unsigned, version: unsigned, logical_name: octet-string[6], access_rights: @access_rights_v3}" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        5 add_user ADD_USER: User = "@user_list_entry" optional (object, call) {
            let user = User::from_data(call.parameter)?;
            if object.user_list.contains(&user) {
                return Ok(());
            }
            object.user_list.push(user).map_err(|_| ActionResult::OtherReason)
        }
        6 remove_user REMOVE_USER: User = "@user_list_entry" optional (object, call) {
            let user = User::from_data(call.parameter)?;
            let known = object.user_list.len();
            object.user_list.retain(|it| *it != user);
            if object.user_list.len() < known { Ok(()) } else { Err(ActionResult::OtherReason) }
        }
    }
    versions(object) {
        match object.version {
            0 => const { &AssociationLn::<0>::CLASS_VERSION_0.outline() },
            1 => const { &AssociationLn::<0>::CLASS_VERSION_1.outline() },
            2 => const { &AssociationLn::<0>::CLASS_VERSION_2.outline() },
            _ => const { &AssociationLn::<0>::CLASS.outline() },
        }
    }
    behaviour {
        fn association_secret(&self) -> Option<&[u8]> {
            self.secret.as_ref().map(|secret| secret.0.as_slice())
        }
    }
}
