//! What a server calls on every object.

use dlms_axdr::{BufferFull, Data, Encoder};
use dlms_obis::LogicalName;

use crate::behaviour::{PortProtection, Profile, ScriptAction, Tick, WallTime};
use crate::{AccessSelector, ActionResult, AssociationId, ClassOutline, DataAccessResult, LogicalDevice};

/// An instance of an interface class.
///
/// Access rights are checked by the caller. Attribute and method indices that the class does not have are refused with
/// `read-write-denied`.
pub trait Object {
    /// The class of the object.
    fn class(&self) -> &'static ClassOutline;

    /// Attribute 1.
    fn logical_name(&self) -> LogicalName;

    /// Writes the value of an attribute into `encoder`, as [`Data`], tag included.
    ///
    /// The encoder may stand anywhere in a long value ([`Encoder::next`]): the object goes on there, and passes
    /// [`BufferFull`] on when there is no more room.
    ///
    /// # Errors
    /// [`GetError::Full`] when the value goes on in the next block, [`GetError::Refused`] when it cannot be read.
    fn get(
        &self,
        attribute: i8,
        selector: Option<AccessSelector<'_>>,
        context: &Context<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), GetError>;

    /// Sets an attribute.
    ///
    /// # Errors
    /// The reason why the value was not taken; nothing has changed then.
    fn set(
        &mut self,
        attribute: i8,
        selector: Option<AccessSelector<'_>>,
        value: Data<'_>,
        effects: &mut Effects,
    ) -> Result<(), DataAccessResult>;

    /// Invokes a method. A return value, if the method has one, is written into `encoder` as [`Data`].
    ///
    /// # Errors
    /// The reason why the method was not executed; nothing has changed then.
    fn invoke(
        &mut self,
        method: i8,
        parameter: Data<'_>,
        effects: &mut Effects,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ActionResult>;

    /// Time has passed. The default is an object that does nothing by itself.
    fn tick(&mut self, _tick: &Tick, _effects: &mut Effects) {}

    /// The wall-clock time, from a Clock object that knows it.
    fn wall_time(&self) -> Option<WallTime> {
        None
    }

    /// The object as one that captures rows: a Profile generic.
    fn profile(&self) -> Option<&dyn Profile> {
        None
    }

    /// As [`Object::profile`], to be changed.
    fn profile_mut(&mut self) -> Option<&mut dyn Profile> {
        None
    }

    /// The action at place `action` of the script with identifier `script`, from a Script table.
    fn script_action(&self, _script: u16, _action: usize) -> Option<ScriptAction<'_>> {
        None
    }

    /// The security setup that the object stands for, if it is a Security setup. Whoever protects messages with that
    /// setup answers for all its attributes but the first and for its methods.
    fn security_setup(&self) -> Option<u8> {
        None
    }

    /// The object as one that counts failed attempts to associate: a Communication port protection.
    fn port_protection_mut(&mut self) -> Option<&mut dyn PortProtection> {
        None
    }

    /// The secret of the association that this object describes, if one was set through the object.
    fn association_secret(&self) -> Option<&[u8]> {
        None
    }
}

/// Who asks, and what else there is in the device.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The association in which the request came; `None` for the device itself (a capture, a script).
    pub association: Option<AssociationId>,
    /// All objects of the device.
    pub device: &'c dyn LogicalDevice,
}

/// Why [`Object::get`] did not write the whole value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum GetError {
    /// The buffer is full; the value goes on at [`Encoder::cursor`].
    Full(BufferFull),
    /// The value cannot be read.
    Refused(DataAccessResult),
}

impl From<BufferFull> for GetError {
    fn from(full: BufferFull) -> Self {
        Self::Full(full)
    }
}

impl From<DataAccessResult> for GetError {
    fn from(result: DataAccessResult) -> Self {
        Self::Refused(result)
    }
}

/// What an object asks the rest of the device to do, or tells the application, once its own change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Effect {
    /// A profile is to take its next row.
    Capture {
        /// The Profile generic object.
        profile: LogicalName,
    },
    /// A script is to be executed.
    ExecuteScript {
        /// The Script table object.
        script_table: LogicalName,
        /// The script's identifier.
        selector: u16,
    },
    /// The clock was set or shifted.
    ClockAdjusted {
        /// The Clock object.
        clock: LogicalName,
        /// By how many milliseconds it went forward.
        milliseconds: i64,
    },
    /// The secret of an association was changed ([`LogicalDevice::secret`] gives it).
    SecretChanged {
        /// The association.
        association: AssociationId,
    },
    /// An averaging period of a Demand register ended.
    PeriodClosed {
        /// The Demand register object.
        register: LogicalName,
    },
    /// The output of a Disconnect control changed.
    OutputChanged {
        /// The Disconnect control object.
        control: LogicalName,
        /// Whether the supply is connected now.
        connected: bool,
    },
    /// A communication port locked itself after failed attempts to associate.
    PortLocked {
        /// The Communication port protection object.
        protection: LogicalName,
        /// For how many seconds.
        seconds: u32,
    },
    /// An image was activated.
    ImageActivated {
        /// The Image transfer object.
        image_transfer: LogicalName,
    },
}

/// The effects of one call, in order.
pub type Effects = heapless::Vec<Effect, 8>;

/// What one read of an attribute brings along.
pub(crate) struct Get<'r, 's, 'c, 'b> {
    pub(crate) selector: Option<AccessSelector<'s>>,
    pub(crate) context: &'r Context<'c>,
    pub(crate) encoder: &'r mut Encoder<'b>,
}

/// What one write of an attribute brings along.
pub(crate) struct Set<'r, 'v> {
    pub(crate) value: Data<'v>,
    pub(crate) effects: &'r mut Effects,
}

/// What one call of a method brings along.
pub(crate) struct Invoke<'r, 'v> {
    pub(crate) parameter: Data<'v>,
    pub(crate) effects: &'r mut Effects,
}

/// Refuses attributes that the class does not have, and selectors that the attribute does not have.
pub(crate) fn check_get(
    class: &ClassOutline,
    attribute: i8,
    selector: Option<u8>,
) -> Result<(), DataAccessResult> {
    if !class.has_attribute(attribute) {
        return Err(DataAccessResult::ReadWriteDenied);
    }
    match selector {
        Some(selector) if !class.selectors(attribute).contains(&selector) => {
            Err(DataAccessResult::TypeUnmatched)
        }
        _ => Ok(()),
    }
}

/// Refuses attributes that the class does not have; none is written selectively.
pub(crate) const fn check_set(
    class: &ClassOutline,
    attribute: i8,
    is_selective: bool,
) -> Result<(), DataAccessResult> {
    if !class.has_attribute(attribute) {
        return Err(DataAccessResult::ReadWriteDenied);
    }
    if is_selective { Err(DataAccessResult::TypeUnmatched) } else { Ok(()) }
}

/// Hands an effect on. A call has at most a handful of them, so there is always room.
pub(crate) fn raise(effects: &mut Effects, effect: Effect) {
    let _ = effects.push(effect);
}
