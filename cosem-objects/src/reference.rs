//! The structures by which attributes refer to other objects, and the two selective access descriptors of a profile.

use dlms_axdr::{Data, FromData, Sequence, TypeMismatch};
use dlms_obis::LogicalName;

use crate::macros::structure;

structure! {
    /// `capture_object_definition`: an attribute that a profile captures.
    CaptureObjectDefinition, "capture-object-definition", 4 {
        /// class_id; 0 with the name 0-0:0.0.0*0 means no object.
        class_id: u16,
        /// The object.
        logical_name: LogicalName,
        /// The attribute; 0 means all of them, as a structure.
        attribute_index: i8,
        /// 0 for the whole attribute, else which of its elements, counted from 1.
        data_index: u16,
    }
}

structure! {
    /// A reference to an object.
    ObjectDefinition, "object-definition", 2 {
        /// class_id.
        class_id: u16,
        /// The object.
        logical_name: LogicalName,
    }
}

structure! {
    /// `value_definition`: a reference to an attribute.
    ValueDefinition, "value-definition", 3 {
        /// class_id.
        class_id: u16,
        /// The object.
        logical_name: LogicalName,
        /// The attribute.
        attribute_index: i8,
    }
}

structure! {
    /// `action_item`: a script to be executed. Selector 0 is no script.
    ActionItem, "action-item", 2 {
        /// The Script table.
        script_logical_name: LogicalName,
        /// The script's identifier.
        script_selector: u16,
    }
}

structure! {
    /// Selective access by entry (selector 2 of a profile's buffer): rows and columns, both counted from 1.
    EntryDescriptor, "entry-descriptor", 4 {
        /// The first row.
        from_entry: u32,
        /// The last row; 0 is the last there is.
        to_entry: u32,
        /// The first column.
        from_selected_value: u16,
        /// The last column; 0 is the last there is.
        to_selected_value: u16,
    }
}

/// Selective access by range (selector 1 of a profile's buffer): the rows whose value in one column lies between two
/// values, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeDescriptor<'a> {
    /// The column that is compared.
    pub restricting_object: CaptureObjectDefinition,
    /// The smallest value.
    pub from_value: Data<'a>,
    /// The largest value.
    pub to_value: Data<'a>,
    /// The columns that are wanted, each a [`CaptureObjectDefinition`]; empty for all.
    pub selected_values: Sequence<'a>,
}

impl CaptureObjectDefinition {
    /// No object.
    pub const NONE: Self = Self {
        class_id: 0,
        logical_name: LogicalName::new(0, 0, 0, 0, 0, 0),
        attribute_index: 0,
        data_index: 0,
    };

    /// The whole of an attribute.
    pub const fn new(class_id: u16, logical_name: LogicalName, attribute_index: i8) -> Self {
        Self { class_id, logical_name, attribute_index, data_index: 0 }
    }
}

impl<'a> FromData<'a> for RangeDescriptor<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let mismatch = TypeMismatch::new("range-descriptor");
        let Data::Structure(fields) = data else { return Err(mismatch) };
        if fields.len() != 4 {
            return Err(mismatch);
        }
        let mut fields = fields.iter();
        let mut next = || fields.next().ok_or(mismatch);
        let descriptor = Self {
            restricting_object: CaptureObjectDefinition::from_data(next()?)?,
            from_value: next()?,
            to_value: next()?,
            selected_values: match next()? {
                Data::Array(columns) => columns,
                _ => return Err(mismatch),
            },
        };
        for column in descriptor.selected_values {
            CaptureObjectDefinition::from_data(column)?;
        }
        Ok(descriptor)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dlms_axdr::{Encode, Encoder};

    use super::*;

    const CLOCK: CaptureObjectDefinition =
        CaptureObjectDefinition::new(8, LogicalName::new(0, 0, 1, 0, 0, 255), 2);

    #[test]
    fn capture_object_on_the_wire() {
        let mut buffer = [0; 18];
        let mut encoder = Encoder::new(&mut buffer);
        CLOCK.encode(&mut encoder).unwrap();
        assert_eq!(
            encoder.written(),
            [0x02, 0x04, 0x12, 0, 8, 0x09, 6, 0, 0, 1, 0, 0, 255, 0x0F, 2, 0x12, 0, 0]
        );
        assert_eq!(CaptureObjectDefinition::from_data(Data::from_octets(&buffer).unwrap()), Ok(CLOCK));
    }

    #[test]
    fn entry_descriptor_of_all_rows() {
        let octets = [2, 4, 6, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0x12, 0, 1, 0x12, 0, 0];
        let entries = EntryDescriptor::from_data(Data::from_octets(&octets).unwrap()).unwrap();
        assert_eq!((entries.from_entry, entries.to_entry, entries.from_selected_value), (1, 0, 1));
    }
}
