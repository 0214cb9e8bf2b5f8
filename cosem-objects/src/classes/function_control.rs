//! Function control (class_id 122): named functions of a device, each with the objects that belong to it, which can be
//! switched off and on.
//!
//! What guards the device cannot be part of a function: associations, security setups, invocation counters, data
//! protection, port protection and function control itself stay whatever is switched off.

use dlms_axdr::{Array, BufferFull, Data, Encode, Encoder, FromData, Sequence, TypeMismatch};
use dlms_obis::LogicalName;

use crate::macros::interface_class;
use crate::{ActionResult, AttributeType, ListOf, ObjectDefinition, OctetString, Octets};

/// The longest name of a function.
pub const LONGEST_FUNCTION_NAME: usize = 32;

/// Function control with room for `FUNCTIONS` functions of up to `OBJECTS` objects each.
#[derive(Clone, Debug)]
pub struct FunctionControl<const FUNCTIONS: usize, const OBJECTS: usize> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    functions: heapless::Vec<Function<OBJECTS>, FUNCTIONS>,
}

/// A function that is hosted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function<const OBJECTS: usize> {
    name: OctetString<LONGEST_FUNCTION_NAME>,
    is_active: bool,
    objects: heapless::Vec<ObjectDefinition, OBJECTS>,
}

/// An entry of `activation_status`, and of the parameter of `set_function_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionStatus<'a> {
    /// The name of the function.
    pub function_name: &'a [u8],
    /// Whether it is switched on.
    pub function_status: bool,
}

/// An entry of `function_list`, and the parameter of `add_function`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FunctionDefinition<'a> {
    /// The name of the function.
    pub function_name: &'a [u8],
    /// The objects that belong to it, each an [`ObjectDefinition`].
    pub object_list: Sequence<'a>,
}

/// Association SN and LN, Data protection, Security setup, Function control, Communication port protection.
const GUARDS: [u16; 6] = [12, 15, 30, 64, 122, 124];

/// Whether an object guards the device, so that no function can have it.
pub const fn is_guard(object: ObjectDefinition) -> bool {
    let mut place = 0;
    while place < GUARDS.len() {
        if GUARDS[place] == object.class_id {
            return true;
        }
        place += 1;
    }
    // The invocation counters of clients: Data objects 0-b:43.1.e.
    matches!(object.logical_name.octets(), [0, _, 43, 1, _, _])
}

impl<const FUNCTIONS: usize, const OBJECTS: usize> FunctionControl<FUNCTIONS, OBJECTS> {
    /// A device without functions.
    pub const fn new(logical_name: LogicalName) -> Self {
        Self { logical_name, functions: heapless::Vec::new() }
    }

    /// Adds a function, switched on.
    ///
    /// # Errors
    /// There is one with this name, no room, or one of the objects [guards](is_guard) the device.
    pub fn add(
        &mut self,
        name: &[u8],
        objects: impl IntoIterator<Item = ObjectDefinition>,
    ) -> Result<(), ActionResult> {
        if self.place(name).is_some() {
            return Err(ActionResult::OtherReason);
        }
        let name = OctetString::from_slice(name).map_err(|_| ActionResult::OtherReason)?;
        let mut function = Function { name, is_active: true, objects: heapless::Vec::new() };
        for object in objects {
            if is_guard(object) {
                return Err(ActionResult::ReadWriteDenied);
            }
            function.objects.push(object).map_err(|_| ActionResult::OtherReason)?;
        }
        self.functions.push(function).map_err(|_| ActionResult::OtherReason)
    }

    /// Switches functions on and off, all that are named or none.
    ///
    /// # Errors
    /// There is no function with one of the names.
    pub fn set_status<'a>(
        &mut self,
        status: impl Iterator<Item = FunctionStatus<'a>> + Clone,
    ) -> Result<(), ActionResult> {
        if status.clone().any(|entry| self.place(entry.function_name).is_none()) {
            return Err(ActionResult::OtherReason);
        }
        for entry in status {
            let place = self.place(entry.function_name);
            if let Some(function) = place.and_then(|place| self.functions.get_mut(place)) {
                function.is_active = entry.function_status;
            }
        }
        Ok(())
    }

    /// Whether an object may be used: no function that it belongs to is switched off. The device asks where it decides
    /// what an association sees.
    pub fn is_enabled(&self, object: ObjectDefinition) -> bool {
        is_guard(object)
            || !self
                .functions
                .iter()
                .any(|function| !function.is_active && function.objects.contains(&object))
    }

    /// Whether the function with this name is switched on; `None` if there is none.
    pub fn status(&self, name: &[u8]) -> Option<bool> {
        self.functions.get(self.place(name)?).map(|function| function.is_active)
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        self.functions.iter().position(|function| function.name == name)
    }
}

/// The entry of `activation_status` of a function.
struct Status<'f, const OBJECTS: usize>(&'f Function<OBJECTS>);

impl<const OBJECTS: usize> Encode for Status<'_, OBJECTS> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        FunctionStatus { function_name: &self.0.name, function_status: self.0.is_active }.encode(encoder)
    }
}

/// The entry of `function_list` of a function.
impl<const OBJECTS: usize> Encode for Function<OBJECTS> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (self.name.as_slice(), Array(&self.objects)).encode(encoder)
    }
}

impl Encode for FunctionStatus<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (self.function_name, self.function_status).encode(encoder)
    }
}

impl<'a> FromData<'a> for FunctionStatus<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (function_name, function_status) = FromData::from_data(data)?;
        Ok(Self { function_name, function_status })
    }
}

impl Encode for FunctionDefinition<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        (self.function_name, Data::Array(self.object_list)).encode(encoder)
    }
}

impl<'a> FromData<'a> for FunctionDefinition<'a> {
    fn from_data(data: Data<'a>) -> Result<Self, TypeMismatch> {
        let (function_name, object_list): (_, Data<'a>) = FromData::from_data(data)?;
        let Data::Array(object_list) = object_list else { return Err(TypeMismatch::new("array of objects")) };
        for object in object_list {
            ObjectDefinition::from_data(object)?;
        }
        Ok(Self { function_name, object_list })
    }
}

impl AttributeType for FunctionStatus<'_> {
    type Value<'a> = FunctionStatus<'a>;

    fn decode(data: Data<'_>) -> Result<FunctionStatus<'_>, TypeMismatch> {
        FunctionStatus::from_data(data)
    }
}

impl AttributeType for FunctionDefinition<'_> {
    type Value<'a> = FunctionDefinition<'a>;

    fn decode(data: Data<'_>) -> Result<FunctionDefinition<'_>, TypeMismatch> {
        FunctionDefinition::from_data(data)
    }
}

interface_class! {
    class 122 "Function control" version 0, first method at Some(0x20);
    constants on FunctionControl<0, 0>;
    object impl[const FUNCTIONS: usize, const OBJECTS: usize] FunctionControl<FUNCTIONS, OBJECTS>;
    attributes {
        2 activation_status ACTIVATION_STATUS: ListOf<FunctionStatus<'static>> = "array<structure{function_name: octet-string, function_status: boolean}>" dynamic
            get(object, get) {
                get.encoder.array(object.functions.len())?;
                object.functions.iter().try_for_each(|function| get.encoder.data(&Status(function)))?;
                Ok(())
            }
        3 function_list FUNCTION_LIST: ListOf<FunctionDefinition<'static>> = "array<structure{function_name: octet-string, object_list: array<@object_definition>}>" static
            get(object, get) { Ok(get.encoder.data(&Array(&object.functions))?) }
    }
    methods {
        1 set_function_status SET_FUNCTION_STATUS: ListOf<FunctionStatus<'static>> = "array<structure{function_name: octet-string, function_status: boolean}>" optional (object, call) {
            let Data::Array(entries) = call.parameter else { return Err(ActionResult::TypeUnmatched) };
            for entry in entries {
                FunctionStatus::from_data(entry)?;
            }
            object.set_status(entries.iter().filter_map(|entry| FunctionStatus::from_data(entry).ok()))
        }
        2 add_function ADD_FUNCTION: FunctionDefinition<'static> = "structure{function_name: octet-string, object_list: array<@object_definition>}" optional (object, call) {
            let function = FunctionDefinition::from_data(call.parameter)?;
            let objects = function.object_list.iter();
            object.add(function.function_name, objects.filter_map(|it| ObjectDefinition::from_data(it).ok()))
        }
        3 remove_function REMOVE_FUNCTION: Octets = "octet-string" optional (object, call) {
            let name = <&[u8]>::from_data(call.parameter)?;
            let place = object.place(name).ok_or(ActionResult::OtherReason)?;
            object.functions.remove(place);
            Ok(())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{Effects, Object};

    const NAME: LogicalName = LogicalName::new(0, 0, 44, 1, 0, 255);
    const RELAY: ObjectDefinition =
        ObjectDefinition { class_id: 70, logical_name: LogicalName::new(0, 0, 96, 3, 10, 255) };

    fn invoke(
        control: &mut FunctionControl<2, 2>,
        method: i8,
        parameter: &(impl Encode + ?Sized),
    ) -> Result<(), ActionResult> {
        let mut buffer = [0; 128];
        let mut encoder = Encoder::new(&mut buffer);
        parameter.encode(&mut encoder).unwrap();
        let length = encoder.len();
        let parameter = Data::from_octets(&buffer[..length]).unwrap();
        control.invoke(method, parameter, &mut Effects::new(), &mut Encoder::new(&mut []))
    }

    fn switch(name: &[u8], status: bool) -> FunctionStatus<'_> {
        FunctionStatus { function_name: name, function_status: status }
    }

    #[test]
    fn functions_are_switched_all_or_none() {
        let mut control = FunctionControl::<2, 2>::new(NAME);
        control.add(b"relay", [RELAY]).unwrap();
        assert!(control.is_enabled(RELAY));
        let unknown = [switch(b"relay", false), switch(b"other", false)];
        assert_eq!(invoke(&mut control, 1, &Array(&unknown)), Err(ActionResult::OtherReason));
        assert_eq!(control.status(b"relay"), Some(true));
        assert_eq!(invoke(&mut control, 1, &Array(&unknown[..1])), Ok(()));
        assert!(!control.is_enabled(RELAY));
        assert_eq!(invoke(&mut control, 3, &b"relay"[..]), Ok(()));
        assert!(control.is_enabled(RELAY));
        assert_eq!(invoke(&mut control, 3, &b"relay"[..]), Err(ActionResult::OtherReason));
    }

    #[test]
    fn what_guards_the_device_cannot_be_switched_off() {
        let mut control = FunctionControl::<2, 2>::new(NAME);
        let guards = GUARDS.map(|class_id| ObjectDefinition { class_id, ..RELAY });
        let counter = ObjectDefinition { class_id: 1, logical_name: LogicalName::new(0, 0, 43, 1, 7, 255) };
        for guard in guards.into_iter().chain([counter]) {
            let definition: (&[u8], Array<'_, _>) = (b"all", Array(&[RELAY, guard]));
            assert_eq!(invoke(&mut control, 2, &definition), Err(ActionResult::ReadWriteDenied), "{guard:?}");
            assert!(control.is_enabled(guard));
        }
        assert_eq!(control.status(b"all"), None);
    }

    #[test]
    fn lists_read_as_they_were_written() {
        let mut control = FunctionControl::<2, 2>::new(NAME);
        control.add(b"relay", [RELAY]).unwrap();
        let mut buffer = [0; 64];
        let mut encoder = Encoder::new(&mut buffer);
        encoder.data(&Array(&control.functions)).unwrap();
        assert_eq!(
            encoder.written(),
            b"\x01\x01\x02\x02\x09\x05relay\x01\x01\x02\x02\x12\x00\x46\x09\x06\x00\x00\x60\x03\x0A\xFF"
        );
        let list = FunctionControl::<0, 0>::FUNCTION_LIST;
        let mut read = list.decode(Data::from_octets(encoder.written()).unwrap()).unwrap();
        let function = read.next().unwrap().unwrap();
        assert_eq!((function.function_name, function.object_list.len()), (&b"relay"[..], 1));
    }
}
