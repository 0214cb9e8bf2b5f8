//! What happens in a device between requests: effects of requests are carried out, and time passes.
//!
//! Objects do not see each other. One that wants something of another raises an [`Effect`]; [`execute`] carries it out:
//! a capture reads the captured attributes into a row, a script writes attributes and executes methods, which may
//! raise effects again, to a depth of [`MAX_DEPTH`] and [`MAX_ACTIONS`] actions in all. [`tick`] lets time pass in
//! every object, the clocks first. Effects that concern the application are reported to it.

use core::time::Duration;

use dlms_axdr::{ClockStatus, Data, DateTime, Encode, Encoder, Reader};
use dlms_obis::LogicalName;

use crate::macros::enumeration;
use crate::{
    ActionResult, CaptureObjectDefinition, Context, Effect, Effects, GetError, LogicalDevice, Object,
    calendar,
};

/// How deep scripts may execute scripts.
pub const MAX_DEPTH: usize = 4;

/// How many actions the scripts of one call of [`execute`] may take in all.
pub const MAX_ACTIONS: usize = 256;

/// That time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tick {
    /// The time since an origin of the caller's choosing; it never goes back.
    pub now: Duration,
    /// The wall-clock time, if the device knows it.
    pub wall: Option<WallTime>,
}

/// A reading of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WallTime {
    /// Milliseconds since 1970-01-01 UTC.
    pub unix_milliseconds: i64,
    /// UTC − local time in minutes, daylight saving included.
    pub deviation: i16,
    /// The status of the clock.
    pub status: ClockStatus,
}

/// An object that captures rows.
pub trait Profile {
    /// What it captures.
    fn columns(&self) -> &[CaptureObjectDefinition];

    /// Stores a row: a structure with one element for each column, as it is on the wire.
    ///
    /// # Errors
    /// The row is not one, or cannot be stored.
    fn store(&mut self, row: &[u8]) -> Result<(), ActionResult>;
}

/// A port that locks itself after failed attempts to associate.
pub trait PortProtection {
    /// Whether it takes no association request at `now`.
    fn is_locked(&mut self, now: Duration) -> bool;

    /// An attempt to associate failed.
    fn attempt_failed(&mut self, now: Duration, effects: &mut Effects);

    /// An association was opened.
    fn attempt_succeeded(&mut self);
}

enumeration! {
    /// What an action of a script does.
    ScriptService, "script-service" {
        /// Nothing.
        Dummy = 0,
        /// Writes an attribute.
        WriteAttribute = 1,
        /// Executes a method.
        ExecuteMethod = 2,
    }
}

/// One action of a script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScriptAction<'a> {
    /// What it does.
    pub service: ScriptService,
    /// The class of the object.
    pub class_id: u16,
    /// The object.
    pub logical_name: LogicalName,
    /// The attribute or method.
    pub index: i8,
    /// The value or the parameter.
    pub parameter: Data<'a>,
}

impl WallTime {
    /// Milliseconds of local time since 1970-01-01.
    pub const fn local_milliseconds(&self) -> i64 {
        self.unix_milliseconds.saturating_sub(self.deviation as i64 * 60_000)
    }

    /// The reading as a COSEM date-time.
    pub fn date_time(&self) -> DateTime {
        calendar::date_time(self.local_milliseconds(), self.deviation, self.status)
    }
}

/// Carries out the effects of a call, and those which they have.
///
/// `scratch` holds one row of a profile or one parameter of a script at a time; a capture whose row does not fit is not
/// made. What the device itself does not carry out goes to `report`.
pub fn execute(
    device: &mut dyn LogicalDevice,
    effects: &Effects,
    scratch: &mut [u8],
    report: &mut dyn FnMut(&Effect),
) {
    let mut actions = MAX_ACTIONS;
    run(device, effects, scratch, report, MAX_DEPTH, &mut actions);
}

/// Lets time pass: profiles capture at their period, schedules fire, demand periods close.
pub fn tick(
    device: &mut dyn LogicalDevice,
    now: Duration,
    scratch: &mut [u8],
    report: &mut dyn FnMut(&Effect),
) {
    let mut wall = None;
    for clocks in [true, false] {
        for index in 0..device.object_count() {
            let Some(object) = device.object_mut(index) else { continue };
            if (object.class().id == CLOCK) != clocks {
                continue;
            }
            let mut effects = Effects::new();
            object.tick(&Tick { now, wall }, &mut effects);
            if clocks && wall.is_none() {
                wall = object.wall_time();
            }
            execute(device, &effects, scratch, report);
        }
    }
}

/// The time of the first Clock object that knows it.
pub fn wall_time(device: &dyn LogicalDevice) -> Option<WallTime> {
    (0..device.object_count()).find_map(|index| device.object(index)?.wall_time())
}

const CLOCK: u16 = 8;
const PROFILE_GENERIC: u16 = 7;
const SCRIPT_TABLE: u16 = 9;

fn run(
    device: &mut dyn LogicalDevice,
    effects: &Effects,
    scratch: &mut [u8],
    report: &mut dyn FnMut(&Effect),
    depth: usize,
    actions: &mut usize,
) {
    for effect in effects {
        match *effect {
            Effect::Capture { profile } => capture(device, profile, scratch),
            Effect::ExecuteScript { script_table, selector } => {
                let Some(depth) = depth.checked_sub(1) else { continue };
                execute_script(device, script_table, selector, scratch, report, depth, actions);
            }
            _ => report(effect),
        }
    }
}

fn capture(device: &mut dyn LogicalDevice, profile: LogicalName, scratch: &mut [u8]) {
    let Some(index) = device.find(PROFILE_GENERIC, profile) else { return };
    let Some(length) = write_row(device, index, scratch) else { return };
    if let Some(profile) = device.object_mut(index).and_then(|object| object.profile_mut()) {
        // A row that does not fit into the profile's storage is lost, as it would be in the meter.
        let _ = scratch.get(..length).map(|row| profile.store(row));
    }
}

/// Writes the row that the profile at `index` would capture now; its length, if it fits.
fn write_row(device: &dyn LogicalDevice, index: usize, row: &mut [u8]) -> Option<usize> {
    let columns = device.object(index)?.profile()?.columns();
    let mut encoder = Encoder::new(row);
    encoder.structure(columns.len()).ok()?;
    let mut length = encoder.len();
    for column in columns {
        length = length.checked_add(write_captured(device, column, row.get_mut(length..)?)?)?;
    }
    Some(length)
}

/// Writes one captured value, or null-data when there is none; its length, if it fits.
fn write_captured(
    device: &dyn LogicalDevice,
    column: &CaptureObjectDefinition,
    buffer: &mut [u8],
) -> Option<usize> {
    let Some(object) =
        device.find(column.class_id, column.logical_name).and_then(|index| device.object(index))
    else {
        return write_null(buffer);
    };
    if column.attribute_index == 0 {
        return write_all(device, object, buffer);
    }
    let length = write_attribute(device, object, column.attribute_index, buffer)?;
    match column.data_index.checked_sub(1) {
        None => Some(length),
        Some(element) => match element_range(buffer.get(..length)?, usize::from(element)) {
            Some(range) => {
                let length = buffer.get(range.clone())?.len();
                buffer.copy_within(range, 0);
                Some(length)
            }
            None => write_null(buffer),
        },
    }
}

/// All attributes as a structure.
fn write_all(device: &dyn LogicalDevice, object: &dyn Object, buffer: &mut [u8]) -> Option<usize> {
    let attributes = object.class().attributes;
    let mut encoder = Encoder::new(buffer);
    encoder.structure(attributes as usize).ok()?;
    let mut length = encoder.len();
    for attribute in 1..=attributes {
        length =
            length.checked_add(write_attribute(device, object, attribute, buffer.get_mut(length..)?)?)?;
    }
    Some(length)
}

fn write_attribute(
    device: &dyn LogicalDevice,
    object: &dyn Object,
    attribute: i8,
    buffer: &mut [u8],
) -> Option<usize> {
    let mut encoder = Encoder::new(buffer);
    match object.get(attribute, None, &Context { association: None, device }, &mut encoder) {
        Ok(()) => Some(encoder.len()),
        Err(GetError::Full(_)) => None,
        Err(GetError::Refused(_)) => write_null(buffer),
    }
}

fn write_null(buffer: &mut [u8]) -> Option<usize> {
    *buffer.first_mut()? = 0;
    Some(1)
}

/// Where an element of an encoded array or structure lies, the first one being 0; `None` if there is none.
pub fn element_range(octets: &[u8], element: usize) -> Option<core::ops::Range<usize>> {
    let mut reader = Reader::new(octets);
    let tag = reader.u8().ok()?;
    let count = reader.length().ok()?;
    if !matches!(tag, 1 | 2) || element >= count {
        return None;
    }
    for _ in 0..element {
        Data::decode(&mut reader).ok()?;
    }
    let start = reader.offset();
    Data::decode(&mut reader).ok()?;
    Some(start..reader.offset())
}

fn execute_script(
    device: &mut dyn LogicalDevice,
    script_table: LogicalName,
    selector: u16,
    scratch: &mut [u8],
    report: &mut dyn FnMut(&Effect),
    depth: usize,
    actions: &mut usize,
) {
    let Some(table) = device.find(SCRIPT_TABLE, script_table) else { return };
    for place in 0..usize::MAX {
        let Some(action) = device.object(table).and_then(|table| table.script_action(selector, place)) else {
            return;
        };
        let Some(left) = actions.checked_sub(1) else { return };
        *actions = left;
        let mut encoder = Encoder::new(scratch);
        if action.parameter.encode(&mut encoder).is_err() {
            continue;
        }
        let length = encoder.len();
        let (service, class_id, logical_name, index) =
            (action.service, action.class_id, action.logical_name, action.index);
        let Some(target) = device.find(class_id, logical_name) else { continue };
        let Some(object) = device.object_mut(target) else { continue };
        let Ok(parameter) = Data::from_octets(scratch.get(..length).unwrap_or_default()) else { continue };
        let mut effects = Effects::new();
        // An action that is refused does not keep the others from being taken.
        match service {
            ScriptService::Dummy => {}
            ScriptService::WriteAttribute => {
                let _ = object.set(index, None, parameter, &mut effects);
            }
            ScriptService::ExecuteMethod => {
                let _ = object.invoke(index, parameter, &mut effects, &mut Encoder::new(&mut [0; 64]));
            }
        }
        run(device, &effects, scratch, report, depth, actions);
    }
}
