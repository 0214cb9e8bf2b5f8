//! The objects of a list of a Data protection object: read into one structure, or written out of one.
//!
//! | of a listed object | read | written |
//! | --- | --- | --- |
//! | data_index 0 | the attribute | the attribute |
//! | data_index n | its n-th element, counted from 1 | refused |
//! | restriction by date, by entry | selective access of a profile's buffer by range of its clock column, by entry | refused |
//!
//! On the buffer of a profile data_index would select periods and columns, in halves that companion specifications
//! define: refused.

use cosem_objects::behaviour::element_range;
use cosem_objects::classes::{ProtectedObject, Restriction};
use cosem_objects::{
    AccessRights, AccessSelector, ActionResult, CaptureObjectDefinition, DataAccessResult, EntryDescriptor,
    LogicalDevice,
};
use dlms_axdr::{Array, Cursor, Data, Encode, Encoder, FromData, Sequence};
use dlms_security::CryptoProvider;

use super::{Call, DATA_PROTECTION};
use crate::octets::shift;
use crate::protection::DataLayer;
use crate::server::execution::Execution;
use crate::server::get::{Read, read};
use crate::server::security_setup::Source;
use crate::server::session::Host;
use crate::xdlms::{AttributeDescriptor, AttributeDescriptorWithSelection};

const PROFILE_GENERIC: u16 = 7;
const BUFFER: i8 = 2;
const CLOCK: u16 = 8;
const TIME: i8 = 2;
/// Octets of the parameters of selective access: `02 04`, a column, two date-times, an empty array.
const SELECTION: usize = 2 + 18 + 2 * 14 + 2;

impl Execution<'_> {
    /// Writes the values of what is listed into `room`, as a structure; gives how long that is.
    pub(super) fn read_listed<P: CryptoProvider>(
        &mut self,
        host: &Host<'_, P>,
        objects: Data<'_>,
        room: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let objects = list(objects)?;
        let mut encoder = Encoder::new(room);
        encoder.structure(objects.len()).map_err(super::too_long)?;
        let mut end = encoder.len();
        for object in objects {
            let room = room.get_mut(end..).unwrap_or(&mut []);
            let length = self.read_one(host, &other_object(object)?, room).map_err(result)?;
            end = end.saturating_add(length);
        }
        Ok(end)
    }

    fn read_one<P: CryptoProvider>(
        &mut self,
        host: &Host<'_, P>,
        object: &ProtectedObject<'_>,
        room: &mut [u8],
    ) -> Result<usize, DataAccessResult> {
        let attribute = attribute(object);
        // What may not be read is told from what is not there no better than by asking for it.
        let granted = self.requester.attribute(host.device, &attribute, AccessRights::READ)?;
        let mut parameters = [0; SELECTION];
        let selection = match object.restriction {
            Restriction::None => None,
            _ if !is_profile_buffer(object) => return Err(DataAccessResult::TypeUnmatched),
            restriction => Some(selection(host.device, granted.index, restriction, &mut parameters)?),
        };
        let item = AttributeDescriptorWithSelection { attribute, selection };
        let length = match read(self.requester, Source::new(host), &item, Cursor::default(), room)? {
            Read { length, rest: None, response } => {
                self.response |= response;
                length
            }
            _ => return Err(DataAccessResult::OtherReason),
        };
        match object.data_index.checked_sub(1) {
            None => Ok(length),
            Some(_) if is_profile_buffer(object) => Err(DataAccessResult::OtherReason),
            Some(element) => {
                let whole = room.get(..length).unwrap_or(&[]);
                let range = element_range(whole, element.into()).ok_or(DataAccessResult::OtherReason)?;
                let length = range.len();
                shift(room, range, 0).map_err(|_| DataAccessResult::OtherReason)?;
                Ok(length)
            }
        }
    }

    /// Opens protected octets in `room` and writes what is listed: nothing, unless all of it may be written.
    pub(super) fn set_listed<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        call: &Call,
        objects: Data<'_>,
        layers: &[DataLayer],
        octets: &[u8],
        room: &mut [u8],
    ) -> Result<(), ActionResult> {
        let objects = list(objects)?;
        for object in objects {
            let attribute = whole_attribute(object)?;
            self.requester.attribute(host.device, &attribute, AccessRights::WRITE).map_err(result)?;
        }
        let room = room.get_mut(..octets.len()).ok_or(ActionResult::OtherReason)?;
        room.copy_from_slice(octets);
        let plain = self.checked(call.unprotect(host, layers, room))?;
        let plain =
            Data::from_octets(room.get(plain).unwrap_or(&[])).map_err(|_| ActionResult::TypeUnmatched)?;
        let Data::Structure(values) = plain else { return Err(ActionResult::TypeUnmatched) };
        if values.len() != objects.len() {
            return Err(ActionResult::TypeUnmatched);
        }
        for (object, value) in objects.into_iter().zip(values) {
            self.write(host, &whole_attribute(object)?.into(), value, &mut []).map_err(result)?;
        }
        Ok(())
    }
}

fn list(objects: Data<'_>) -> Result<Sequence<'_>, ActionResult> {
    match objects {
        Data::Array(objects) => Ok(objects),
        _ => Err(ActionResult::TypeUnmatched),
    }
}

/// A listed object, which is none of this class.
fn other_object(object: Data<'_>) -> Result<ProtectedObject<'_>, ActionResult> {
    match ProtectedObject::from_data(object)? {
        ProtectedObject { class_id: DATA_PROTECTION, .. } => Err(ActionResult::ReadWriteDenied),
        object => Ok(object),
    }
}

fn whole_attribute(object: Data<'_>) -> Result<AttributeDescriptor, ActionResult> {
    match other_object(object)? {
        object @ ProtectedObject { restriction: Restriction::None, data_index: 0, .. } => {
            Ok(attribute(&object))
        }
        _ => Err(ActionResult::OtherReason),
    }
}

fn attribute(object: &ProtectedObject<'_>) -> AttributeDescriptor {
    AttributeDescriptor::new(object.class_id, object.logical_name, object.attribute_index)
}

fn is_profile_buffer(object: &ProtectedObject<'_>) -> bool {
    object.class_id == PROFILE_GENERIC && object.attribute_index == BUFFER
}

/// The selective access to the buffer of the profile at `index` that a restriction stands for.
fn selection<'s>(
    device: &dyn LogicalDevice,
    index: usize,
    restriction: Restriction<'_>,
    parameters: &'s mut [u8; SELECTION],
) -> Result<AccessSelector<'s>, DataAccessResult> {
    let mut encoder = Encoder::new(parameters);
    let (selector, written) = match restriction {
        Restriction::ByEntry { from_entry, to_entry } => {
            let all_columns = (1, 0);
            let (from_selected_value, to_selected_value) = all_columns;
            let entries = EntryDescriptor { from_entry, to_entry, from_selected_value, to_selected_value };
            (2, entries.encode(&mut encoder))
        }
        Restriction::ByDate { from_date, to_date } => {
            let column = clock_column(device, index).ok_or(DataAccessResult::OtherReason)?;
            let from = date_time(from_date, [0; 4]).ok_or(DataAccessResult::TypeUnmatched)?;
            let to = date_time(to_date, [23, 59, 59, 99]).ok_or(DataAccessResult::TypeUnmatched)?;
            let all_columns = Array::<CaptureObjectDefinition>(&[]);
            (1, (column, from.as_slice(), to.as_slice(), all_columns).encode(&mut encoder))
        }
        Restriction::None => return Err(DataAccessResult::OtherReason),
    };
    written.map_err(|_| DataAccessResult::OtherReason)?;
    let length = encoder.len();
    let parameters = parameters.get(..length).unwrap_or(&[]);
    let parameters = Data::from_octets(parameters).map_err(|_| DataAccessResult::OtherReason)?;
    Ok(AccessSelector { selector, parameters })
}

/// The column that holds the time of the capture.
fn clock_column(device: &dyn LogicalDevice, index: usize) -> Option<CaptureObjectDefinition> {
    let columns = device.object(index)?.profile()?.columns();
    columns
        .iter()
        .copied()
        .find(|it| it.class_id == CLOCK && it.attribute_index == TIME && it.data_index == 0)
}

/// A bound, which may be a date: then the start or the end of that day.
fn date_time(bound: &[u8], time: [u8; 4]) -> Option<[u8; 12]> {
    const DEVIATION_AND_STATUS_UNKNOWN: [u8; 3] = [0x80, 0x00, 0xFF];
    let mut octets = [0; 12];
    match bound.len() {
        12 => octets.copy_from_slice(bound),
        5 => {
            octets[..5].copy_from_slice(bound);
            octets[5..9].copy_from_slice(&time);
            octets[9..].copy_from_slice(&DEVIATION_AND_STATUS_UNKNOWN);
        }
        _ => return None,
    }
    Some(octets)
}

fn result(result: DataAccessResult) -> ActionResult {
    ActionResult::from_code(result.code())
}
