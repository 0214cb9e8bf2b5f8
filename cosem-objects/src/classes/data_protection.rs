//! Data protection (class_id 30): attributes and methods that are reached with protection of their own, whoever carries
//! the messages.
//!
//! The layouts are sure; what exactly the protection covers is not: the structure has no date-time where the header of a
//! protected APDU has one, and the known implementations disagree on what is signed. The object keeps and shows its lists
//! and parameters, and refuses its methods, and the writing of its buffer, with `read-write-denied`; whoever protects
//! messages answers for them, and for the reading of the buffer, where that is asked for.

use dlms_axdr::{BufferFull, Data, Encode, Encoder, Enum, FromData, TypeMismatch};
use dlms_obis::LogicalName;

use crate::macros::{enumeration, interface_class};
use crate::{ActionResult, Any, AttributeType, DataAccessResult, ListOf, OctetString, Octets};

enumeration! {
    /// What one layer of protection does.
    ProtectionType, "protection-type" {
        /// Authentication.
        Authentication = 0,
        /// Encryption.
        Encryption = 1,
        /// Both, in one layer.
        AuthenticationAndEncryption = 2,
        /// A digital signature.
        DigitalSignature = 3,
    }
}

/// Which part of a protected attribute is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction<'a> {
    /// All of it.
    None,
    /// What was captured in a time: date-times or dates.
    ByDate {
        /// From when.
        from_date: &'a [u8],
        /// Until when.
        to_date: &'a [u8],
    },
    /// Some entries.
    ByEntry {
        /// The first.
        from_entry: u32,
        /// The last.
        to_entry: u32,
    },
}

/// An attribute that is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectedObject<'a> {
    /// class_id.
    pub class_id: u16,
    /// The object.
    pub logical_name: LogicalName,
    /// The attribute.
    pub attribute_index: i8,
    /// 0 for the whole attribute, else which of its elements.
    pub data_index: u16,
    /// Which part of it.
    pub restriction: Restriction<'a>,
}

/// How the recipient finds the key of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectionKeyInfo<'a> {
    /// There is none, as with a signature: a structure without elements.
    None,
    /// Both sides have it: 0 the unicast, 1 the broadcast key.
    Identified(u8),
    /// It comes along, wrapped.
    Wrapped {
        /// Under which key: 0 is the master key.
        kek_id: u8,
        /// The wrapped key.
        key_ciphered_data: &'a [u8],
    },
    /// Both sides agree on it.
    Agreed {
        /// The scheme.
        key_parameters: &'a [u8],
        /// What the scheme sends along.
        key_ciphered_data: &'a [u8],
    },
}

/// One layer of protection. Layers are applied in the order of their array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectionParameters<'a> {
    /// What it does.
    pub protection_type: ProtectionType,
    /// The transaction.
    pub transaction_id: &'a [u8],
    /// Who applies it.
    pub originator_system_title: &'a [u8],
    /// For whom.
    pub recipient_system_title: &'a [u8],
    /// Whatever both agree on.
    pub other_information: &'a [u8],
    /// The key; none, or anything, for a signature.
    pub key_info: ProtectionKeyInfo<'a>,
}

/// Data protection, with lists of up to `SIZE` octets each. protection_parameters_get must also hold the key-info of a
/// wrapped or agreed key, up to 192 octets.
#[derive(Clone, Debug)]
pub struct DataProtection<const SIZE: usize> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2 where it is not protected anew for each reading.
    pub protection_buffer: OctetString<SIZE>,
    /// Attribute 6: bits as in [`AccessRights`](crate::AccessRights), from `authenticated_request` on.
    pub required_protection: u8,
    /// Attributes 3, 4 and 5 as on the wire, checked.
    protection_object_list: OctetString<SIZE>,
    protection_parameters_get: OctetString<SIZE>,
    protection_parameters_set: OctetString<SIZE>,
}

impl<const SIZE: usize> DataProtection<SIZE> {
    /// A protection of nothing yet.
    pub const fn new(logical_name: LogicalName, required_protection: u8) -> Self {
        Self {
            logical_name,
            protection_buffer: OctetString::new(),
            required_protection,
            protection_object_list: OctetString::new(),
            protection_parameters_get: OctetString::new(),
            protection_parameters_set: OctetString::new(),
        }
    }
}

/// Takes a list whose elements are all of one type.
fn assign<'a, T: FromData<'a>, const SIZE: usize>(
    list: &mut OctetString<SIZE>,
    value: Data<'a>,
) -> Result<(), DataAccessResult> {
    let Data::Array(elements) = value else { return Err(DataAccessResult::TypeUnmatched) };
    for element in elements {
        T::from_data(element)?;
    }
    let mut buffer = [0; SIZE];
    let mut encoder = Encoder::new(&mut buffer);
    value.encode(&mut encoder).map_err(|_| DataAccessResult::OtherReason)?;
    *list = OctetString::from_slice(encoder.written()).map_err(|_| DataAccessResult::OtherReason)?;
    Ok(())
}

/// Writes such a list.
fn show<const SIZE: usize>(
    list: &OctetString<SIZE>,
    encoder: &mut Encoder<'_>,
) -> Result<(), crate::GetError> {
    match list.as_slice() {
        [] => encoder.array(0)?,
        octets => encoder.octets(octets)?,
    }
    Ok(())
}

impl Encode for Restriction<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::None => (Enum(0), Data::NullData).encode(encoder),
            Self::ByDate { from_date, to_date } => (Enum(1), (from_date, to_date)).encode(encoder),
            Self::ByEntry { from_entry, to_entry } => (Enum(2), (from_entry, to_entry)).encode(encoder),
        }
    }
}

impl<'a> FromData<'a> for Restriction<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (Enum(kind), value): (Enum, Data<'a>) = FromData::from_data(data)?;
        match kind {
            0 => Ok(Self::None),
            1 => {
                let (from_date, to_date) = FromData::from_data(value)?;
                Ok(Self::ByDate { from_date, to_date })
            }
            2 => {
                // Some write long-unsigned.
                let (from, to): (Data<'a>, Data<'a>) = FromData::from_data(value)?;
                Ok(Self::ByEntry { from_entry: entry(from)?, to_entry: entry(to)? })
            }
            _ => Err(TypeMismatch::new("restriction-type")),
        }
    }
}

fn entry(data: Data<'_>) -> Result<u32, TypeMismatch> {
    match data {
        Data::LongUnsigned(entry) => Ok(entry.into()),
        data => u32::from_data(data),
    }
}

impl Encode for ProtectedObject<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let Self { class_id, logical_name, attribute_index, data_index, restriction } = self;
        (class_id, logical_name, attribute_index, data_index, restriction).encode(encoder)
    }
}

impl<'a> FromData<'a> for ProtectedObject<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (class_id, logical_name, attribute_index, data_index, restriction) = FromData::from_data(data)?;
        Ok(Self { class_id, logical_name, attribute_index, data_index, restriction })
    }
}

impl Encode for ProtectionKeyInfo<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::None => encoder.structure(0),
            Self::Identified(key_id) => (Enum(0), Enum(key_id)).encode(encoder),
            Self::Wrapped { kek_id, key_ciphered_data } => {
                (Enum(1), (Enum(kek_id), key_ciphered_data)).encode(encoder)
            }
            Self::Agreed { key_parameters, key_ciphered_data } => {
                (Enum(2), (key_parameters, key_ciphered_data)).encode(encoder)
            }
        }
    }
}

impl<'a> FromData<'a> for ProtectionKeyInfo<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        if matches!(data, Data::Structure(fields) if fields.is_empty()) {
            return Ok(Self::None);
        }
        let (Enum(kind), options): (Enum, Data<'a>) = FromData::from_data(data)?;
        match (kind, options) {
            (0, Data::Enum(key_id)) => Ok(Self::Identified(key_id)),
            // Some put a structure around it.
            (0, options) => {
                let (Enum(key_id),) = FromData::from_data(options)?;
                Ok(Self::Identified(key_id))
            }
            (1, options) => {
                let (Enum(kek_id), key_ciphered_data) = FromData::from_data(options)?;
                Ok(Self::Wrapped { kek_id, key_ciphered_data })
            }
            (2, options) => {
                let (key_parameters, key_ciphered_data) = FromData::from_data(options)?;
                Ok(Self::Agreed { key_parameters, key_ciphered_data })
            }
            _ => Err(TypeMismatch::new("key-info-type")),
        }
    }
}

impl Encode for ProtectionParameters<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        let options = (
            self.transaction_id,
            self.originator_system_title,
            self.recipient_system_title,
            self.other_information,
            self.key_info,
        );
        (self.protection_type, options).encode(encoder)
    }
}

impl<'a> FromData<'a> for ProtectionParameters<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (protection_type, options) = FromData::from_data(data)?;
        let (transaction_id, originator_system_title, recipient_system_title, other_information, key_info) =
            options;
        Ok(Self {
            protection_type,
            transaction_id,
            originator_system_title,
            recipient_system_title,
            other_information,
            key_info,
        })
    }
}

macro_rules! borrowed {
    ($($type:ident),*) => {$(
        impl AttributeType for $type<'_> {
            type Value<'a> = $type<'a>;

            fn decode(data: Data<'_>) -> Result<$type<'_>, TypeMismatch> {
                $type::from_data(data)
            }
        }
    )*};
}

borrowed!(ProtectedObject, ProtectionParameters);

interface_class! {
    class 30 "Data protection" version 0, first method at Some(0x30);
    constants on DataProtection<0>;
    object impl[const SIZE: usize] DataProtection<SIZE>;
    attributes {
        2 protection_buffer PROTECTION_BUFFER: Octets = "octet-string" dynamic
            get(object, get) { Ok(get.encoder.data(object.protection_buffer.as_slice())?) }
        3 protection_object_list PROTECTION_OBJECT_LIST: ListOf<ProtectedObject<'static>> = "array<@protected_object_definition>" static
            get(object, get) { show(&object.protection_object_list, get.encoder) }
            set(object, set) { assign::<ProtectedObject<'_>, SIZE>(&mut object.protection_object_list, set.value) }
        4 protection_parameters_get PROTECTION_PARAMETERS_GET: ListOf<ProtectionParameters<'static>> = "array<@protection_parameters_element>" static
            get(object, get) { show(&object.protection_parameters_get, get.encoder) }
            set(object, set) { assign::<ProtectionParameters<'_>, SIZE>(&mut object.protection_parameters_get, set.value) }
        5 protection_parameters_set PROTECTION_PARAMETERS_SET: ListOf<ProtectionParameters<'static>> = "array<@protection_parameters_element>" static
            get(object, get) { show(&object.protection_parameters_set, get.encoder) }
            set(object, set) { assign::<ProtectionParameters<'_>, SIZE>(&mut object.protection_parameters_set, set.value) }
        6 required_protection REQUIRED_PROTECTION: Any = "enum:protection_policy_bits" static
            get(object, get) { Ok(get.encoder.data(&Enum(object.required_protection))?) }
    }
    methods {
        1 get_protected_attributes GET_PROTECTED_ATTRIBUTES: Any = "structure{object_list: array<@protected_object_definition>, protection_parameters: array<@protection_parameters_element>}" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        2 set_protected_attributes SET_PROTECTED_ATTRIBUTES: Any = "structure{object_list: array<@protected_object_definition>, protection_parameters: array<@protection_parameters_element>, protected_attributes: octet-string}" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
        3 invoke_protected_method INVOKE_PROTECTED_METHOD: Any = "structure{object_method: structure{class_id: long-unsigned, logical_name: octet-string[6], method_index: integer}, protection_parameters: array<@protection_parameters_element>, protected_method_invocation_parameters: octet-string}" optional (object, call) {
            Err(ActionResult::ReadWriteDenied)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use dlms_axdr::Array;

    use super::*;
    use crate::{Effects, Object};

    const NAME: LogicalName = LogicalName::new(0, 0, 43, 2, 0, 255);

    fn parameters(key_info: ProtectionKeyInfo<'_>) -> ProtectionParameters<'_> {
        ProtectionParameters {
            protection_type: ProtectionType::AuthenticationAndEncryption,
            transaction_id: b"1",
            originator_system_title: b"HES00001",
            recipient_system_title: b"MTR00001",
            other_information: b"",
            key_info,
        }
    }

    #[test]
    fn layers_round_trip_in_each_form_of_key_info() {
        for key_info in [
            ProtectionKeyInfo::None,
            ProtectionKeyInfo::Identified(1),
            ProtectionKeyInfo::Wrapped { kek_id: 0, key_ciphered_data: &[7; 24] },
            ProtectionKeyInfo::Agreed { key_parameters: &[2], key_ciphered_data: &[] },
        ] {
            let layer = parameters(key_info);
            let mut buffer = [0; 128];
            let mut encoder = Encoder::new(&mut buffer);
            layer.encode(&mut encoder).unwrap();
            let data = Data::from_octets(encoder.written()).unwrap();
            assert_eq!(ProtectionParameters::from_data(data), Ok(layer));
        }
        // An identified key in a structure of one.
        let octets = [2, 2, 0x16, 0, 2, 1, 0x16, 0];
        let read = ProtectionKeyInfo::from_data(Data::from_octets(&octets).unwrap());
        assert_eq!(read, Ok(ProtectionKeyInfo::Identified(0)));
    }

    #[test]
    fn objects_round_trip_in_each_restriction() {
        for restriction in [
            Restriction::None,
            Restriction::ByDate { from_date: &[0; 12], to_date: &[1; 12] },
            Restriction::ByEntry { from_entry: 1, to_entry: 70_000 },
        ] {
            let object = ProtectedObject {
                class_id: 7,
                logical_name: NAME,
                attribute_index: 2,
                data_index: 0,
                restriction,
            };
            let mut buffer = [0; 128];
            let mut encoder = Encoder::new(&mut buffer);
            object.encode(&mut encoder).unwrap();
            let data = Data::from_octets(encoder.written()).unwrap();
            assert_eq!(ProtectedObject::from_data(data), Ok(object));
        }
        let octets = [2, 2, 0x16, 2, 2, 2, 0x12, 0, 1, 0x12, 0, 9];
        let read = Restriction::from_data(Data::from_octets(&octets).unwrap());
        assert_eq!(read, Ok(Restriction::ByEntry { from_entry: 1, to_entry: 9 }));
    }

    #[test]
    fn lists_are_checked_before_they_are_kept_and_methods_are_refused() {
        let mut object = DataProtection::<128>::new(NAME, 0x0C);
        let mut buffer = [0; 256];
        let mut encoder = Encoder::new(&mut buffer);
        let layers = [parameters(ProtectionKeyInfo::Identified(0))];
        Array(&layers).encode(&mut encoder).unwrap();
        let list = Data::from_octets(encoder.written()).unwrap();
        assert_eq!(object.set(3, None, list, &mut Effects::new()), Err(DataAccessResult::TypeUnmatched));
        assert_eq!(object.set(4, None, list, &mut Effects::new()), Ok(()));
        assert_eq!(object.protection_parameters_get, encoder.written());
        assert_eq!(
            object.set(6, None, Data::Enum(0), &mut Effects::new()),
            Err(DataAccessResult::ReadWriteDenied)
        );
        for method in 1..=3 {
            let result =
                object.invoke(method, Data::NullData, &mut Effects::new(), &mut Encoder::new(&mut []));
            assert_eq!(result, Err(ActionResult::ReadWriteDenied));
        }
    }
}
