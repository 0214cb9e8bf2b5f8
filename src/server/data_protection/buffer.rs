//! protection_buffer, attribute 2 of Data protection objects: filled when it is read, taken apart when it is written.
//!
//! | | objects | layers | must contain, of required_protection |
//! | --- | --- | --- | --- |
//! | read | protection_object_list (3) | protection_parameters_get (4) | what responses need |
//! | written | protection_object_list (3) | protection_parameters_set (5) | what requests need |
//!
//! What is read is made anew for each request, for its client, and kept with the request, not in the object: a buffer that
//! is only signed would show another client what it has no right to. The key-info of a key that was wrapped or agreed on
//! for it goes into protection_parameters_get, where it can be read. Where these parameters are empty, or the association
//! does not take protected data, the object answers for what it holds.

use core::ops::Range;

use cosem_objects::classes::{ProtectionKeyInfo, ProtectionParameters};
use cosem_objects::{AccessRights, ActionResult, Context, DataAccessResult, Effects, GetError};
use dlms_axdr::{Cursor, Data, Encode, Encoder, FromData, Reader};
use dlms_security::{CryptoProvider, Protection};

use super::{Call, DATA_PROTECTION};
use crate::octets::shift;
use crate::protection::SealedKeyInfo;
use crate::server::execution::Execution;
use crate::server::get::Read;
use crate::server::session::Host;
use crate::xdlms::{AttributeDescriptor, AttributeDescriptorWithSelection};

const PROTECTION_BUFFER: i8 = 2;
const PROTECTION_OBJECT_LIST: i8 = 3;
const PROTECTION_PARAMETERS_GET: i8 = 4;
const PROTECTION_PARAMETERS_SET: i8 = 5;

/// Whether an attribute is the buffer of a Data protection object.
pub(in crate::server) const fn is_buffer(attribute: &AttributeDescriptor) -> bool {
    attribute.class_id == DATA_PROTECTION && attribute.attribute_id == PROTECTION_BUFFER
}

/// What stands behind the descriptors of a GET in which a buffer is read.
///
/// ```text
/// 00 pp Data      the buffer, and the protection that its objects demand of the response
/// 01 result       why there is none
/// 02              the object answers for itself
/// ```
#[derive(Clone, Copy)]
pub(in crate::server) struct Filled<'f>(pub(in crate::server) &'f [u8]);

const VALUE: u8 = 0;
const REFUSED: u8 = 1;
const OF_THE_OBJECT: u8 = 2;

impl Filled<'_> {
    /// Writes the buffer into `room`, from `cursor` on.
    pub(in crate::server) fn read(
        self,
        cursor: Cursor,
        room: &mut [u8],
    ) -> Result<Option<Read>, DataAccessResult> {
        let (protection, value) = match *self.0 {
            [OF_THE_OBJECT, ..] => return Ok(None),
            [REFUSED, code, ..] => return Err(DataAccessResult::from_code(code)),
            [VALUE, protection, ref value @ ..] => (protection, value),
            _ => return Err(DataAccessResult::OtherReason),
        };
        let mut reader = Reader::new(value);
        Data::decode(&mut reader).map_err(|_| DataAccessResult::OtherReason)?;
        let value = value.get(..reader.offset()).unwrap_or(&[]);
        let mut encoder = Encoder::resume(room, cursor);
        let rest = encoder.octets(value).is_err().then(|| encoder.cursor());
        let response = Protection::from_bits_truncate(protection);
        Ok(Some(Read { length: encoder.len(), rest, response }))
    }
}

impl Execution<'_> {
    /// Fills the buffer that is one of the `count` attributes of a GET, if there is one. There is room for one in a request.
    pub(in crate::server) fn fill_listed<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        descriptors: &[u8],
        count: usize,
        room: &mut [u8],
    ) {
        const HEAD: usize = 2;
        let mut reader = Reader::new(descriptors);
        if count > 1 && reader.length().is_err() {
            return;
        }
        let mut items = (0..count).map_while(|_| AttributeDescriptorWithSelection::decode(&mut reader).ok());
        let Some(item) = items.find(|item| is_buffer(&item.attribute)) else { return };
        let is_only_one = !items.any(|item| is_buffer(&item.attribute));
        let (Some((head, room)), true) = (room.split_first_chunk_mut::<HEAD>(), is_only_one) else {
            if let Some(room) = room.first_chunk_mut() {
                *room = [REFUSED, DataAccessResult::OtherReason.code()];
            }
            return;
        };
        *head = match self.fill_buffer(host, &item, room) {
            Ok(Some(_)) => [VALUE, self.response.bits()],
            Ok(None) => [OF_THE_OBJECT, 0],
            Err(result) => [REFUSED, result.code()],
        };
    }

    /// Reads what the object lists and writes it, protected, into `room` as Data; gives how long that is. `None`: the object
    /// answers for itself.
    pub(in crate::server) fn fill_buffer<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        item: &AttributeDescriptorWithSelection<'_>,
        room: &mut [u8],
    ) -> Result<Option<usize>, DataAccessResult> {
        let granted = self.requester.attribute(host.device, &item.attribute, AccessRights::READ)?;
        let Some(call) = self.call(host, granted.index) else { return Ok(None) };
        if item.selection.is_some() {
            return Err(DataAccessResult::TypeUnmatched);
        }
        let lists = self.lists(host, granted.index, PROTECTION_PARAMETERS_GET, room)?;
        if lists.are_parameters_empty {
            return Ok(None);
        }
        self.response |= granted.response;
        self.fill(host, &call, granted.index, lists, room).map(Some).map_err(result)
    }

    fn fill<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        call: &Call,
        index: usize,
        lists: Lists,
        room: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let (kept, values) = room.split_at_mut_checked(lists.length).ok_or(ActionResult::OtherReason)?;
        let (objects, parameters) = lists.split(kept)?;
        let layers = self.checked(call.layers(host, parameters, call.required.response()))?;
        let length = self.read_listed(host, objects, values)?;
        let sealed = call.seal(host, &layers, values, 0..length);
        let (range, key_info) = self.checked(sealed)?;
        let length = range.len();
        // The protected octets go to the end while the lists before them are still needed.
        let start = lists.length.saturating_add(range.start);
        let protected = start..start.saturating_add(length);
        let end = room.len().checked_sub(length).ok_or(ActionResult::OtherReason)?;
        shift(room, protected, end).map_err(super::too_long)?;
        let (kept, free) = room.split_at_mut_checked(lists.length).ok_or(ActionResult::OtherReason)?;
        let free = free.get_mut(..end.saturating_sub(lists.length)).unwrap_or(&mut []);
        renew_key_info(host, index, lists.split(kept)?.1, &key_info, free)?;
        let (front, protected) = room.split_at_mut_checked(end).ok_or(ActionResult::OtherReason)?;
        let mut encoder = Encoder::new(front);
        // What has no room before the protected octets would run into them.
        let header = encoder.octets(&[0x09]).and_then(|()| encoder.length(length));
        header.map_err(super::too_long)?;
        let header = encoder.len();
        let whole = header.saturating_add(protected.len());
        shift(room, end..room.len(), header).map_err(super::too_long)?;
        Ok(whole)
    }

    /// Writes the list of objects, and the parameters that are attribute `parameters`, to the start of `room`.
    fn lists<P: CryptoProvider>(
        &self,
        host: &Host<'_, P>,
        index: usize,
        parameters: i8,
        room: &mut [u8],
    ) -> Result<Lists, DataAccessResult> {
        let context = Context { association: Some(self.requester.association), device: host.device };
        let object = host.device.object(index).ok_or(DataAccessResult::ObjectUndefined)?;
        let mut encoder = Encoder::new(room);
        let mut list = |attribute| match object.get(attribute, None, &context, &mut encoder) {
            Ok(()) => Ok(encoder.len()),
            Err(GetError::Full(_)) => Err(DataAccessResult::OtherReason),
            Err(GetError::Refused(result)) => Err(result),
        };
        let objects = list(PROTECTION_OBJECT_LIST)?;
        let length = list(parameters)?;
        let are_parameters_empty = matches!(room.get(objects..length), Some([_, 0]));
        Ok(Lists { objects, length, are_parameters_empty })
    }
}

impl Execution<'_> {
    /// Writes what the Data protection object at `index` lists from the protected octets that `value` is.
    pub(in crate::server) fn write_buffer<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        index: usize,
        item: &AttributeDescriptorWithSelection<'_>,
        value: Data<'_>,
        room: &mut [u8],
    ) -> Result<(), DataAccessResult> {
        let (Data::OctetString(octets), None) = (value, item.selection) else {
            return Err(DataAccessResult::TypeUnmatched);
        };
        let call = self.call(host, index).ok_or(DataAccessResult::ReadWriteDenied)?;
        let lists = self.lists(host, index, PROTECTION_PARAMETERS_SET, room)?;
        self.take_apart(host, &call, lists, octets, room).map_err(result)
    }

    fn take_apart<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        call: &Call,
        lists: Lists,
        octets: &[u8],
        room: &mut [u8],
    ) -> Result<(), ActionResult> {
        let (kept, room) = room.split_at_mut_checked(lists.length).ok_or(ActionResult::OtherReason)?;
        let (objects, parameters) = lists.split(kept)?;
        let layers = self.checked(call.layers(host, parameters, call.required.request()))?;
        self.set_listed(host, call, objects, &layers, octets, room)
    }
}

/// Where the list of objects and the parameters stand.
#[derive(Clone, Copy)]
struct Lists {
    /// The end of the list of objects, behind which the parameters begin.
    objects: usize,
    /// The end of both.
    length: usize,
    are_parameters_empty: bool,
}

impl Lists {
    fn split(self, octets: &[u8]) -> Result<(Data<'_>, Data<'_>), ActionResult> {
        let data = |range: Range<usize>| {
            Data::from_octets(octets.get(range).unwrap_or(&[])).map_err(|_| ActionResult::OtherReason)
        };
        Ok((data(0..self.objects)?, data(self.objects..self.length)?))
    }
}

/// Puts the key-info of a key for one message into protection_parameters_get.
fn renew_key_info<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    index: usize,
    parameters: Data<'_>,
    sealed: &SealedKeyInfo,
    room: &mut [u8],
) -> Result<(), ActionResult> {
    let told = sealed.told().map_err(|_| ActionResult::OtherReason)?;
    let (Some(told), Data::Array(elements)) = (told, parameters) else { return Ok(()) };
    let mut encoder = Encoder::new(room);
    let mut written = encoder.array(elements.len());
    for element in elements {
        let mut layer = ProtectionParameters::from_data(element)?;
        if matches!(layer.key_info, ProtectionKeyInfo::Wrapped { .. } | ProtectionKeyInfo::Agreed { .. }) {
            layer.key_info = told;
        }
        written = written.and_then(|()| layer.encode(&mut encoder));
    }
    written.map_err(super::too_long)?;
    let renewed = Data::from_octets(encoder.written()).map_err(|_| ActionResult::OtherReason)?;
    let object = host.device.object_mut(index).ok_or(ActionResult::ObjectUndefined)?;
    let set = object.set(PROTECTION_PARAMETERS_GET, None, renewed, &mut Effects::new());
    set.map_err(|result| ActionResult::from_code(result.code()))
}

fn result(result: ActionResult) -> DataAccessResult {
    DataAccessResult::from_code(result.code())
}
