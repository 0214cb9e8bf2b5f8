//! The objects of a model: instances of the interface classes with the model's values.

use std::time::Duration;

use cosem_objects::classes::{
    ApplicationContextName, AssociatedPartnersId, AssociationLn, AuthenticationMechanismName, Clock,
    ClockBase, ControlMode, ControlState, Data, DemandRegister, DisconnectControl, ExecutionTime,
    ExtendedRegister, ImageTransfer, ProfileGeneric, Register, RowDeque, SapAssignment, SapEntry,
    ScheduleType, ScriptTable, SecuritySetup, SingleActionSchedule, SoftwareClock, SortMethod,
    XdlmsContextInfo,
};
use cosem_objects::{ActionItem, AssociationId, CaptureObjectDefinition, EncodedValue, Object, ScalerUnit};
use dlms_axdr::{Data as Value, FromData, OwnedData};
use dlms_obis::LogicalName;

use crate::image::Image;
use crate::model;
use crate::notation::{hex, logical_name, parse, parse_as};
use crate::{ModelError, associations};

/// How many rows a client may make a profile hold, if the model does not already have more.
const MOST_ROWS: u32 = 90_000;

/// An object of one of the classes that are carried.
pub(crate) enum AnyObject {
    Data(Data<EncodedValue>),
    Register(Register<EncodedValue>),
    ExtendedRegister(ExtendedRegister<EncodedValue, EncodedValue>),
    DemandRegister(Box<DemandRegister<u32, u8, 16>>),
    ProfileGeneric(Box<ProfileGeneric<RowDeque, 64>>),
    Clock(Box<Clock<SoftwareClock>>),
    ScriptTable(ScriptTable<Vec<u8>>),
    AssociationLn(Box<AssociationLn<8>>),
    SapAssignment(Box<SapAssignment<4>>),
    ImageTransfer(Box<ImageTransfer<Image, 8192>>),
    SingleActionSchedule(Box<SingleActionSchedule<16>>),
    SecuritySetup(SecuritySetup),
    DisconnectControl(DisconnectControl<()>),
}

impl AnyObject {
    pub(crate) fn as_object(&self) -> &dyn Object {
        match self {
            Self::Data(object) => object,
            Self::Register(object) => object,
            Self::ExtendedRegister(object) => object,
            Self::DemandRegister(object) => &**object,
            Self::ProfileGeneric(object) => &**object,
            Self::Clock(object) => &**object,
            Self::ScriptTable(object) => object,
            Self::AssociationLn(object) => &**object,
            Self::SapAssignment(object) => &**object,
            Self::ImageTransfer(object) => &**object,
            Self::SingleActionSchedule(object) => &**object,
            Self::SecuritySetup(object) => object,
            Self::DisconnectControl(object) => object,
        }
    }

    pub(crate) fn as_object_mut(&mut self) -> &mut dyn Object {
        match self {
            Self::Data(object) => object,
            Self::Register(object) => object,
            Self::ExtendedRegister(object) => object,
            Self::DemandRegister(object) => &mut **object,
            Self::ProfileGeneric(object) => &mut **object,
            Self::Clock(object) => &mut **object,
            Self::ScriptTable(object) => object,
            Self::AssociationLn(object) => &mut **object,
            Self::SapAssignment(object) => &mut **object,
            Self::ImageTransfer(object) => &mut **object,
            Self::SingleActionSchedule(object) => &mut **object,
            Self::SecuritySetup(object) => object,
            Self::DisconnectControl(object) => object,
        }
    }

    /// The object that a model describes. The clock shows `unix_milliseconds` at time zero.
    pub(crate) fn new(
        object: &model::Object,
        model: &model::Model,
        unix_milliseconds: i64,
    ) -> Result<Self, ModelError> {
        let name = logical_name(&object.ln)?;
        let value = |attribute: i8| {
            object.value(attribute).ok_or_else(|| ModelError::Missing(object.name.clone(), attribute))
        };
        let encoded =
            |attribute: i8| Ok::<_, ModelError>(EncodedValue::new(parse(value(attribute)?)?.as_data()));
        let scaler_unit = |attribute: i8| parse_as::<ScalerUnit>(value(attribute)?);
        Ok(match object.class {
            1 => Self::Data(Data::new(name, encoded(2)?)),
            3 => Self::Register(Register::new(name, encoded(2)?, scaler_unit(3)?)),
            4 => {
                let mut register = ExtendedRegister::new(name, encoded(2)?, scaler_unit(3)?, encoded(4)?);
                register.capture_time = parse_as(value(5)?)?;
                Self::ExtendedRegister(register)
            }
            5 => {
                let (period, number) = (parse_as(value(8)?)?, parse_as(value(9)?)?);
                Self::DemandRegister(Box::new(DemandRegister::new(name, scaler_unit(4)?, 0, period, number)))
            }
            7 => Self::ProfileGeneric(Box::new(profile(object, name)?)),
            8 => {
                let source = SoftwareClock::starting_at(unix_milliseconds, Duration::ZERO);
                let mut clock = Clock::new(name, source, parse_as(value(3)?)?);
                clock.daylight_savings_begin = parse_as(value(5)?)?;
                clock.daylight_savings_end = parse_as(value(6)?)?;
                clock.daylight_savings_deviation = parse_as(value(7)?)?;
                clock.daylight_savings_enabled = parse_as(value(8)?)?;
                clock.clock_base = parse_as::<ClockBase>(value(9)?)?;
                Self::Clock(Box::new(clock))
            }
            9 => {
                let scripts = scripts(&object.scripts)?.to_octets();
                let table = ScriptTable::new(name, scripts);
                Self::ScriptTable(table.map_err(|_| ModelError::Value(object.name.clone()))?)
            }
            15 => Self::AssociationLn(Box::new(association(object, name, model)?)),
            17 => Self::SapAssignment(Box::new(sap_assignment(name, value(2)?)?)),
            18 => {
                let mut transfer = ImageTransfer::new(name, Image::default(), parse_as(value(2)?)?);
                transfer.image_transfer_enabled = parse_as(value(5)?)?;
                Self::ImageTransfer(Box::new(transfer))
            }
            22 => {
                let script = parse_as::<ActionItem>(value(2)?)?;
                let mut schedule =
                    SingleActionSchedule::new(name, script, parse_as::<ScheduleType>(value(3)?)?);
                let times = parse_list::<ExecutionTime>(value(4)?)?;
                let set = schedule.set_execution_time(&times);
                set.map_err(|_| ModelError::Value(object.name.clone()))?;
                Self::SingleActionSchedule(Box::new(schedule))
            }
            64 => {
                let place = model.key_set.iter().position(|keys| keys.security_setup == object.ln);
                let number = place.and_then(|place| u8::try_from(place).ok());
                let number = number.ok_or_else(|| ModelError::Value(object.name.clone()))?;
                Self::SecuritySetup(SecuritySetup::new(name, object.version, number))
            }
            70 => {
                let control = DisconnectControl::new(name, (), parse_as::<ControlMode>(value(4)?)?);
                Self::DisconnectControl(control.in_state(parse_as::<ControlState>(value(3)?)?))
            }
            class => return Err(ModelError::Class(class)),
        })
    }
}

fn parse_list<T: for<'a> FromData<'a>>(value: &toml::Value) -> Result<Vec<T>, ModelError> {
    let list = parse(value)?;
    let wrong = || ModelError::Value(value.to_string());
    let Value::Array(elements) = list.as_data() else { return Err(wrong()) };
    elements.iter().map(|it| T::from_data(it).map_err(|_| wrong())).collect()
}

fn profile(object: &model::Object, name: LogicalName) -> Result<ProfileGeneric<RowDeque, 64>, ModelError> {
    let value = |attribute: i8| {
        object.value(attribute).ok_or_else(|| ModelError::Missing(object.name.clone(), attribute))
    };
    let columns = object.capture.iter().map(|(class_id, ln, attribute_index, data_index)| {
        Ok(CaptureObjectDefinition {
            class_id: *class_id,
            logical_name: logical_name(ln)?,
            attribute_index: *attribute_index,
            data_index: *data_index,
        })
    });
    let columns = columns.collect::<Result<Vec<_>, ModelError>>()?;
    let entries: u32 = parse_as(value(8)?)?;
    let storage = RowDeque::new(entries.max(MOST_ROWS));
    let profile = ProfileGeneric::new(name, storage, &columns, parse_as(value(4)?)?, entries);
    let profile = profile.map_err(|_| ModelError::Value(object.name.clone()))?;
    Ok(profile.sorted(parse_as::<SortMethod>(value(5)?)?, parse_as(value(6)?)?))
}

/// Scripts in the notation `[id, [service, class, logical name, index, parameter], ...]`.
fn scripts(scripts: &[Vec<toml::Value>]) -> Result<OwnedData, ModelError> {
    let wrong = || ModelError::Value("scripts".to_owned());
    let integer = |value: Option<&toml::Value>| value.and_then(toml::Value::as_integer).ok_or_else(wrong);
    let action = |action: &toml::Value| {
        let fields = action.as_array().ok_or_else(wrong)?;
        let ln = fields.get(2).and_then(toml::Value::as_str).ok_or_else(wrong)?;
        Ok(OwnedData::Structure(vec![
            OwnedData::Enum(integer(fields.first())?.try_into().map_err(|_| wrong())?),
            OwnedData::LongUnsigned(integer(fields.get(1))?.try_into().map_err(|_| wrong())?),
            OwnedData::OctetString(logical_name(ln)?.octets().to_vec()),
            OwnedData::Integer(integer(fields.get(3))?.try_into().map_err(|_| wrong())?),
            parse(fields.get(4).ok_or_else(wrong)?)?,
        ]))
    };
    let script = |script: &Vec<toml::Value>| {
        let (id, actions) = script.split_first().ok_or_else(wrong)?;
        Ok(OwnedData::Structure(vec![
            OwnedData::LongUnsigned(integer(Some(id))?.try_into().map_err(|_| wrong())?),
            OwnedData::Array(actions.iter().map(action).collect::<Result<_, ModelError>>()?),
        ]))
    };
    Ok(OwnedData::Array(scripts.iter().map(script).collect::<Result<_, ModelError>>()?))
}

fn sap_assignment(name: LogicalName, list: &toml::Value) -> Result<SapAssignment<4>, ModelError> {
    let mut assignment = SapAssignment::new(name);
    for entry in parse_list::<SapEntry>(list)? {
        assignment.connect(entry).map_err(|_| ModelError::Value(list.to_string()))?;
    }
    Ok(assignment)
}

/// The object that describes the association which its name ends with.
fn association(
    object: &model::Object,
    name: LogicalName,
    model: &model::Model,
) -> Result<AssociationLn<8>, ModelError> {
    let id = object.name.strip_prefix("association_");
    let place = model.association.iter().position(|it| Some(it.id.as_str()) == id);
    let place = place.ok_or_else(|| ModelError::Association(object.name.clone()))?;
    let association = &model.association[place];
    let [_, conformance @ ..] = associations::conformance(association)?.bits().to_be_bytes();
    let mut described = AssociationLn::new(
        name,
        object.version,
        AssociationId(u8::try_from(place).map_err(|_| ModelError::Association(object.name.clone()))?),
        AssociatedPartnersId { client_sap: association.client_sap as i8, server_sap: association.server_sap },
        ApplicationContextName(if association.ciphered { 3 } else { 1 }),
        AuthenticationMechanismName(association.mechanism),
        XdlmsContextInfo {
            conformance,
            max_receive_pdu_size: association.max_pdu,
            max_send_pdu_size: association.max_pdu,
        },
    );
    if let Some(setup) = &association.security_setup {
        described.security_setup_reference = logical_name(setup)?;
    }
    Ok(described)
}

/// Puts a number into a value, in the type that the value has. A number beyond its range wraps around, as a register
/// does.
pub(crate) fn set_number(value: &mut EncodedValue, number: i64) {
    let data = match value.data() {
        Value::Integer(_) => Value::Integer(number as i8),
        Value::Long(_) => Value::Long(number as i16),
        Value::DoubleLong(_) => Value::DoubleLong(number as i32),
        Value::Long64(_) => Value::Long64(number),
        Value::Unsigned(_) => Value::Unsigned(number as u8),
        Value::LongUnsigned(_) => Value::LongUnsigned(number as u16),
        Value::DoubleLongUnsigned(_) => Value::DoubleLongUnsigned(number as u32),
        Value::Long64Unsigned(_) => Value::Long64Unsigned(number as u64),
        _ => return,
    };
    value.replace(data);
}

/// The number in a value.
pub(crate) fn number(value: &EncodedValue) -> Option<i64> {
    i64::from_data(value.data()).ok()
}

/// The system title in a model.
pub(crate) fn title(text: &str) -> Result<[u8; 8], ModelError> {
    hex(text).and_then(|octets| octets.try_into().ok()).ok_or_else(|| ModelError::Value(text.to_owned()))
}
