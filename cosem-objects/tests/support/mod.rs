//! A small meter of this crate's classes, and calls as a server makes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code, unreachable_pub)]

use core::time::Duration;
use cosem_objects::behaviour;
use cosem_objects::classes::*;
use cosem_objects::*;
use dlms_axdr::{BufferFull, Cursor, Data as Value, Encode, Encoder, OwnedData};
use dlms_obis::LogicalName;

pub const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
pub const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
pub const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
pub const SCRIPTS: LogicalName = LogicalName::new(0, 0, 10, 0, 106, 255);
pub const SCHEDULE: LogicalName = LogicalName::new(0, 0, 15, 0, 1, 255);
pub const RELAY: LogicalName = LogicalName::new(0, 0, 96, 3, 10, 255);
pub const ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 1, 255);
pub const CURRENT: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);

/// Script 1 opens the relay; 2 sets the energy to 7 and captures; 3 executes itself.
pub fn scripts() -> Vec<u8> {
    let action = |service: u8, class: u16, name: LogicalName, index: i8, parameter: OwnedData| {
        OwnedData::Structure(vec![
            OwnedData::Enum(service),
            OwnedData::LongUnsigned(class),
            OwnedData::OctetString(name.octets().to_vec()),
            OwnedData::Integer(index),
            parameter,
        ])
    };
    let script = |id: u16, actions: Vec<OwnedData>| {
        OwnedData::Structure(vec![OwnedData::LongUnsigned(id), OwnedData::Array(actions)])
    };
    OwnedData::Array(vec![
        script(1, vec![action(2, 70, RELAY, 1, OwnedData::Integer(0))]),
        script(
            2,
            vec![
                action(1, 3, ENERGY, 2, OwnedData::DoubleLongUnsigned(7)),
                action(2, 7, PROFILE, 2, OwnedData::Integer(0)),
            ],
        ),
        script(3, vec![action(2, 9, SCRIPTS, 1, OwnedData::LongUnsigned(3))]),
    ])
    .to_octets()
}

pub struct Meter {
    pub clock: Clock<SoftwareClock>,
    pub energy: Register<u32>,
    pub profile: ProfileGeneric<RowRing<64, 48>, 8>,
    pub scripts: ScriptTable<Vec<u8>>,
    pub schedule: SingleActionSchedule<4>,
    pub relay: DisconnectControl<()>,
    pub association: AssociationLn<2>,
    now: Duration,
    scratch: [u8; 128],
}

impl LogicalDevice for Meter {
    cosem_objects::objects!(clock, energy, profile, scripts, schedule, relay, association);

    fn attribute_access(&self, _: AssociationId, _: usize, attribute: i8) -> AccessRights {
        if attribute == 2 { AccessRights::READ | AccessRights::WRITE } else { AccessRights::READ }
    }

    fn method_access(&self, _: AssociationId, _: usize, method: i8) -> AccessRights {
        if method == 1 { AccessRights::INVOKE } else { AccessRights::empty() }
    }

    fn is_visible(&self, association: AssociationId, index: usize) -> bool {
        association == AssociationId(0) || index < 2
    }

    fn association_object(&self, association: AssociationId) -> Option<usize> {
        (association == AssociationId(0)).then_some(6)
    }
}

impl Meter {
    /// A meter in Central Europe that shows `unix` seconds.
    pub fn new(unix: i64) -> Self {
        let columns = [CaptureObjectDefinition::new(8, CLOCK, 2), CaptureObjectDefinition::new(3, ENERGY, 2)];
        Self {
            clock: Clock::new(CLOCK, SoftwareClock::starting_at(unix * 1000, Duration::ZERO), -60)
                .with_european_summer_time(),
            energy: Register::new(ENERGY, 0, ScalerUnit::new(0, Unit::ActiveEnergyWattHour)),
            profile: ProfileGeneric::new(PROFILE, RowRing::new(), &columns, 900, 48).unwrap(),
            scripts: ScriptTable::new(SCRIPTS, scripts()).unwrap(),
            schedule: SingleActionSchedule::new(
                SCHEDULE,
                ActionItem { script_logical_name: SCRIPTS, script_selector: 1 },
                ScheduleType::OneEntry,
            ),
            relay: DisconnectControl::new(RELAY, (), ControlMode::Mode4),
            association: AssociationLn::new(
                ASSOCIATION,
                3,
                AssociationId(0),
                AssociatedPartnersId { client_sap: 1, server_sap: 1 },
                ApplicationContextName(1),
                AuthenticationMechanismName(1),
                XdlmsContextInfo {
                    conformance: [0, 0x1E, 0x1D],
                    max_receive_pdu_size: 512,
                    max_send_pdu_size: 512,
                },
            ),
            now: Duration::ZERO,
            scratch: [0; 128],
        }
    }

    /// Time passes, second by second of `step`.
    pub fn run(&mut self, duration: Duration, step: Duration) -> Vec<Effect> {
        let end = self.now + duration;
        let mut reported = Vec::new();
        let mut scratch = self.scratch;
        while self.now < end {
            self.now += step;
            let now = self.now;
            behaviour::tick(self, now, &mut scratch, &mut |effect| reported.push(*effect));
        }
        reported
    }

    pub fn set(
        &mut self,
        class_id: u16,
        name: LogicalName,
        attribute: i8,
        value: Value<'_>,
    ) -> Result<(), DataAccessResult> {
        let index = self.find(class_id, name).unwrap();
        let mut effects = Effects::new();
        self.object_mut(index).unwrap().set(attribute, None, value, &mut effects)?;
        let mut scratch = self.scratch;
        behaviour::execute(self, &effects, &mut scratch, &mut |_| {});
        Ok(())
    }

    pub fn invoke(
        &mut self,
        class_id: u16,
        name: LogicalName,
        method: i8,
        parameter: Value<'_>,
    ) -> Result<(), ActionResult> {
        let index = self.find(class_id, name).unwrap();
        let mut effects = Effects::new();
        let object = self.object_mut(index).unwrap();
        object.invoke(method, parameter, &mut effects, &mut Encoder::new(&mut []))?;
        let mut scratch = self.scratch;
        behaviour::execute(self, &effects, &mut scratch, &mut |_| {});
        Ok(())
    }

    pub fn get(&self, class_id: u16, name: LogicalName, attribute: i8) -> Result<Vec<u8>, GetError> {
        self.select(class_id, name, attribute, None, 4096, |_| {})
    }

    /// Reads an attribute in blocks of `block` octets.
    pub fn select(
        &self,
        class_id: u16,
        name: LogicalName,
        attribute: i8,
        selector: Option<(u8, &OwnedData)>,
        block: usize,
        mut between: impl FnMut(usize),
    ) -> Result<Vec<u8>, GetError> {
        let index = self.find(class_id, name).unwrap();
        let mut octets = Vec::new();
        let mut cursor = Cursor::default();
        for number in 0.. {
            let mut buffer = vec![0; block];
            let (part, next) = self.block(index, attribute, selector, cursor, &mut buffer)?;
            octets.extend_from_slice(&part);
            match next {
                Some(next) => cursor = next,
                None => break,
            }
            between(number);
        }
        Ok(octets)
    }

    pub fn block(
        &self,
        index: usize,
        attribute: i8,
        selector: Option<(u8, &OwnedData)>,
        cursor: Cursor,
        buffer: &mut [u8],
    ) -> Result<(Vec<u8>, Option<Cursor>), GetError> {
        let context = Context { association: Some(AssociationId(0)), device: self };
        let selector = selector
            .map(|(selector, parameters)| AccessSelector { selector, parameters: parameters.as_data() });
        let mut encoder = Encoder::resume(buffer, cursor);
        match self.object(index).unwrap().get(attribute, selector, &context, &mut encoder) {
            Ok(()) => Ok((encoder.written().to_vec(), None)),
            Err(GetError::Full(BufferFull)) => {
                assert_eq!(encoder.remaining(), 0, "a block is filled");
                Ok((encoder.written().to_vec(), Some(encoder.cursor())))
            }
            Err(refused) => Err(refused),
        }
    }
}

pub fn encoded(value: &(impl Encode + ?Sized)) -> OwnedData {
    let mut buffer = [0; 256];
    let mut encoder = Encoder::new(&mut buffer);
    value.encode(&mut encoder).unwrap();
    OwnedData::from_octets(encoder.written()).unwrap()
}

/// The energies in the rows of a buffer.
pub fn energies(buffer: &[u8]) -> Vec<u32> {
    let Value::Array(rows) = Value::from_octets(buffer).unwrap() else { panic!() };
    rows.iter()
        .map(|row| match row {
            Value::Structure(cells) => match cells.iter().last() {
                Some(Value::DoubleLongUnsigned(energy)) => energy,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect()
}
