//! Script table (class_id 9): numbered lists of attributes to write and methods to execute.

use dlms_axdr::{Data, DecodeError, DecodeErrorKind, Enum, FromData, Reader, Sequence, TypeMismatch};
use dlms_obis::LogicalName;

use crate::behaviour::{ScriptAction, ScriptService};
use crate::macros::interface_class;
use crate::object::raise;
use crate::{ActionResult, Any, Effect, ListOf};

/// Script table. Its scripts are kept as they are on the wire, in flash or in memory.
#[derive(Clone, Debug)]
pub struct ScriptTable<B> {
    /// Attribute 1.
    pub logical_name: LogicalName,
    scripts: B,
}

impl<B: AsRef<[u8]>> ScriptTable<B> {
    /// A table of the scripts in `scripts`: the value of attribute 2 as it is on the wire.
    ///
    /// # Errors
    /// `scripts` is not an array of scripts.
    pub fn new(logical_name: LogicalName, scripts: B) -> Result<Self, DecodeError> {
        let table = Self { logical_name, scripts };
        let data = Data::from_octets(table.scripts.as_ref())?;
        let well_formed = match data {
            Data::Array(scripts) => scripts.iter().all(|script| {
                decode_script(script)
                    .is_ok_and(|(_, actions)| actions.iter().all(|it| decode_action(it).is_ok()))
            }),
            _ => false,
        };
        match well_formed {
            true => Ok(table),
            false => Err(Reader::new(table.scripts.as_ref())
                .error(DecodeErrorKind::InvalidValue("array of scripts".into()))),
        }
    }

    fn actions(&self, script: u16) -> Option<Sequence<'_>> {
        let Ok(Data::Array(scripts)) = Data::from_octets(self.scripts.as_ref()) else { return None };
        scripts.iter().filter_map(|it| decode_script(it).ok()).find(|it| it.0 == script).map(|it| it.1)
    }
}

/// script_identifier and actions.
fn decode_script(script: Data<'_>) -> Result<(u16, Sequence<'_>), TypeMismatch> {
    let (identifier, actions): (u16, Data<'_>) = FromData::from_data(script)?;
    match actions {
        Data::Array(actions) => Ok((identifier, actions)),
        _ => Err(TypeMismatch::new("array")),
    }
}

fn decode_action(action: Data<'_>) -> Result<ScriptAction<'_>, TypeMismatch> {
    let (Enum(service), class_id, logical_name, index, parameter): (Enum, u16, LogicalName, i8, Data<'_>) =
        FromData::from_data(action)?;
    let service = ScriptService::from_code(service).ok_or(TypeMismatch::new("script-service"))?;
    Ok(ScriptAction { service, class_id, logical_name, index, parameter })
}

interface_class! {
    class 9 "Script table" version 0, first method at Some(0x20);
    constants on ScriptTable<()>;
    object impl[B: AsRef<[u8]>] ScriptTable<B>;
    attributes {
        2 scripts SCRIPTS: ListOf<Any> = "array<structure{script_identifier: long-unsigned, actions: array<structure{service_id: enum:script_service_id, class_id: long-unsigned, logical_name: octet-string[6], index: integer, parameter: any}>}>" static
            get(object, get) { Ok(get.encoder.octets(object.scripts.as_ref())?) }
    }
    methods {
        1 execute EXECUTE: u16 = "long-unsigned" mandatory (object, call) {
            let selector = u16::from_data(call.parameter)?;
            // Script 0 is the null script: it may be executed and does nothing.
            if selector != 0 && object.actions(selector).is_none() {
                return Err(ActionResult::OtherReason);
            }
            raise(call.effects, Effect::ExecuteScript { script_table: object.logical_name, selector });
            Ok(())
        }
    }
    behaviour {
        fn script_action(&self, script: u16, action: usize) -> Option<ScriptAction<'_>> {
            decode_action(self.actions(script)?.iter().nth(action)?).ok()
        }
    }
}
