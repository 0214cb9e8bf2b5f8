//! What a server calls on every object.

use dlms_axdr::{BufferFull, Data, Encoder};
use dlms_obis::LogicalName;

use crate::{AccessSelector, ActionResult, AssociationId, DataAccessResult, InterfaceClass, LogicalDevice};

/// An instance of an interface class.
///
/// Access rights are checked by the caller. Attribute and method indices that the class does not have are refused with
/// `read-write-denied`.
pub trait Object {
    /// The class of the object.
    fn class(&self) -> &'static InterfaceClass;

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

/// What an object asks the rest of the device to do once its own change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
}

/// The effects of one call, in order.
pub type Effects = heapless::Vec<Effect, 8>;
