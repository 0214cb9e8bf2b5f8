//! SAP assignment (class_id 17): which logical device is found at which service access point.

use dlms_axdr::{Array, BufferFull, Data, Encode, Encoder, FromData, TypeMismatch};
use dlms_obis::LogicalName;

use crate::macros::interface_class;
use crate::{ActionResult, Any, ListOf, OctetString};

/// SAP assignment with room for `DEVICES` logical devices.
#[derive(Clone, Debug)]
pub struct SapAssignment<const DEVICES: usize> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    /// Attribute 2.
    pub sap_assignment_list: heapless::Vec<SapEntry, DEVICES>,
}

/// A service access point and the logical device behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SapEntry {
    /// The service access point.
    pub sap: u16,
    /// The name of the logical device.
    pub logical_device_name: OctetString<32>,
}

impl<const DEVICES: usize> SapAssignment<DEVICES> {
    /// An assignment without devices.
    pub const fn new(logical_name: LogicalName) -> Self {
        Self { logical_name, sap_assignment_list: heapless::Vec::new() }
    }

    /// Binds a logical device to a service access point; SAP 0 unbinds it.
    ///
    /// # Errors
    /// There is no room for another device.
    pub fn connect(&mut self, entry: SapEntry) -> Result<(), ActionResult> {
        let name = &entry.logical_device_name;
        let known = self.sap_assignment_list.iter().position(|it| it.logical_device_name == *name);
        match (known, entry.sap) {
            (Some(place), 0) => {
                self.sap_assignment_list.remove(place);
            }
            (None, 0) => {}
            (Some(place), sap) => self.sap_assignment_list[place].sap = sap,
            (None, _) => self.sap_assignment_list.push(entry).map_err(|_| ActionResult::OtherReason)?,
        }
        Ok(())
    }
}

impl Encode for SapEntry {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (self.sap, self.logical_device_name.as_slice()).encode(encoder)
    }
}

impl FromData<'_> for SapEntry {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        let (sap, name): (u16, &[u8]) = FromData::from_data(data)?;
        let logical_device_name = OctetString::from_slice(name)
            .map_err(|_| TypeMismatch::new("logical device name of at most 32 octets"))?;
        Ok(Self { sap, logical_device_name })
    }
}

impl crate::AttributeType for SapEntry {
    type Value<'a> = Self;

    fn decode(data: Data<'_>) -> Result<Self, TypeMismatch> {
        Self::from_data(data)
    }
}

interface_class! {
    class 17 "SAP assignment" version 0, first method at Some(0x20);
    constants on SapAssignment<0>;
    object impl[const DEVICES: usize] SapAssignment<DEVICES>;
    attributes {
        2 sap_assignment_list SAP_ASSIGNMENT_LIST: ListOf<SapEntry> = "array<structure{SAP: long-unsigned, logical_device_name: octet-string}>" static
            get(object, get) { Ok(get.encoder.data(&Array(&object.sap_assignment_list))?) }
    }
    methods {
        1 connect_logical_device CONNECT_LOGICAL_DEVICE: Any = "structure{SAP: long-unsigned, logical_device_name: octet-string}" optional (object, call) {
            object.connect(SapEntry::from_data(call.parameter)?)
        }
    }
}
