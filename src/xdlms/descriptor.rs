//! What a request is about: Cosem-Attribute-Descriptor and Cosem-Method-Descriptor.
//!
//! ```text
//! attribute   class-id (2) | instance-id (6) | attribute-id (1)
//! method      class-id (2) | instance-id (6) | method-id (1)
//! ...-With-Selection   attribute | usage octet | access-selector (1) | access-parameters (Data)
//! ```

use core::fmt;

use cosem_objects::AccessSelector;
use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};
use dlms_obis::LogicalName;

use super::list::{decode_optional, element, encode_optional};

/// One attribute of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AttributeDescriptor {
    /// The class of the object.
    pub class_id: u16,
    /// The logical name of the object.
    pub instance_id: LogicalName,
    /// The attribute; 0 for all of them.
    pub attribute_id: i8,
}

/// One method of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MethodDescriptor {
    /// The class of the object.
    pub class_id: u16,
    /// The logical name of the object.
    pub instance_id: LogicalName,
    /// The method.
    pub method_id: i8,
}

/// One attribute, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttributeDescriptorWithSelection<'a> {
    /// The attribute.
    pub attribute: AttributeDescriptor,
    /// Which part of it; all if `None`.
    pub selection: Option<AccessSelector<'a>>,
}

impl AttributeDescriptor {
    /// Attribute `attribute_id` of the object `instance_id` of class `class_id`.
    pub const fn new(class_id: u16, instance_id: LogicalName, attribute_id: i8) -> Self {
        Self { class_id, instance_id, attribute_id }
    }

    /// Reads the nine octets.
    ///
    /// # Errors
    /// There are fewer.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        decode(reader).map(|(class_id, instance_id, attribute_id)| Self {
            class_id,
            instance_id,
            attribute_id,
        })
    }

    /// Writes the nine octets.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encode(encoder, self.class_id, self.instance_id, self.attribute_id)
    }
}

impl MethodDescriptor {
    /// Method `method_id` of the object `instance_id` of class `class_id`.
    pub const fn new(class_id: u16, instance_id: LogicalName, method_id: i8) -> Self {
        Self { class_id, instance_id, method_id }
    }

    /// Reads the nine octets.
    ///
    /// # Errors
    /// There are fewer.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        decode(reader).map(|(class_id, instance_id, method_id)| Self { class_id, instance_id, method_id })
    }

    /// Writes the nine octets.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encode(encoder, self.class_id, self.instance_id, self.method_id)
    }
}

impl<'a> AttributeDescriptorWithSelection<'a> {
    /// Reads the descriptor and the selection behind it.
    ///
    /// # Errors
    /// Octets are missing, or the access parameters are malformed.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            attribute: AttributeDescriptor::decode(reader)?,
            selection: decode_optional(reader, "access-selection")?,
        })
    }

    /// Writes the descriptor and the selection.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.attribute.encode(encoder)?;
        encode_optional(encoder, self.selection)
    }
}

/// The attribute, all of it.
impl From<AttributeDescriptor> for AttributeDescriptorWithSelection<'_> {
    fn from(attribute: AttributeDescriptor) -> Self {
        Self { attribute, selection: None }
    }
}

/// `class/name/attribute`, `8/0-0:1.0.0*255/2` for instance.
impl fmt::Display for AttributeDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.class_id, self.instance_id, self.attribute_id)
    }
}

/// `class/name/method`, `70/0-0:96.3.10*255/1` for instance.
impl fmt::Display for MethodDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.class_id, self.instance_id, self.method_id)
    }
}

element!(AttributeDescriptor, MethodDescriptor, AttributeDescriptorWithSelection<'a>);

fn decode(reader: &mut Reader<'_>) -> Result<(u16, LogicalName, i8), DecodeError> {
    let class_id = reader.u16()?;
    let instance_id = LogicalName::from_octets(reader.array()?);
    let [id] = reader.array()?;
    Ok((class_id, instance_id, i8::from_be_bytes([id])))
}

fn encode(
    encoder: &mut Encoder<'_>,
    class_id: u16,
    instance_id: LogicalName,
    id: i8,
) -> Result<(), BufferFull> {
    encoder.u16(class_id)?;
    encoder.octets(instance_id.octets())?;
    encoder.octets(&id.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text() {
        let clock = AttributeDescriptor::new(8, LogicalName::new(0, 0, 1, 0, 0, 255), 2);
        assert_eq!(clock.to_string(), "8/0-0:1.0.0*255/2");
        let relay = MethodDescriptor::new(70, LogicalName::new(0, 0, 96, 3, 10, 255), -1);
        assert_eq!(relay.to_string(), "70/0-0:96.3.10*255/-1");
    }
}
