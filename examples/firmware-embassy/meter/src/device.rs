//! The objects of the meter.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use dlms::axdr::Data as Octets;
use dlms::obis::LogicalName;
use dlms::objects::classes::{
    AssociationLn, Clock, Data, ProfileGeneric, Register, RowStorage, SapAssignment, SapEntry, SoftwareClock,
};
use dlms::objects::{
    AccessRights, AssociationId, CaptureObjectDefinition, LogicalDevice, OctetString, ScalerUnit, Unit,
};
use dlms::server::AssociationConfig;
use embassy_board::Flash;

use crate::associations::{self, MANAGEMENT, PUBLIC, READER};
use crate::keys::COUNTER;
use crate::metering::{IMPORT, POWER, VOLTAGE};
use crate::storage::{self, Rows};

const NAME: &[u8] = b"GUR0000000000002";
/// A month of quarters of an hour.
const ROWS: u32 = 2976;

const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
const IMPORT_NAME: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const POWER_NAME: LogicalName = LogicalName::new(1, 0, 1, 7, 0, 255);

pub struct Device {
    clock: Clock<SoftwareClock>,
    logical_device_name: Data<OctetString<16>>,
    counter: Data<&'static AtomicU32>,
    import: Register<&'static AtomicU32>,
    power: Register<&'static AtomicU32>,
    voltage: Register<&'static AtomicU32>,
    load_profile: ProfileGeneric<Rows, 3>,
    saps: SapAssignment<1>,
    public: AssociationLn<1>,
    reader: AssociationLn<1>,
    management: AssociationLn<1>,
}

/// The place of the object of the first association.
const FIRST_ASSOCIATION: usize = 8;

impl LogicalDevice for Device {
    dlms::objects::objects!(
        clock,
        logical_device_name,
        counter,
        import,
        power,
        voltage,
        load_profile,
        saps,
        public,
        reader,
        management,
    );

    fn attribute_access(&self, association: AssociationId, index: usize, attribute: i8) -> AccessRights {
        let Some(object) = self.object(index) else { return AccessRights::empty() };
        associations::attribute_access(association, object.class().id, attribute)
    }

    fn method_access(&self, association: AssociationId, _: usize, _: i8) -> AccessRights {
        associations::method_access(association)
    }

    fn is_visible(&self, association: AssociationId, index: usize) -> bool {
        self.object(index).is_some_and(|object| {
            associations::is_visible(association, object.class().id, object.logical_name())
        })
    }

    fn association_object(&self, association: AssociationId) -> Option<usize> {
        (usize::from(association.0) < associations::COUNT)
            .then_some(FIRST_ASSOCIATION + usize::from(association.0))
    }
}

impl Device {
    #[inline(never)]
    pub fn new(
        configs: &[AssociationConfig; associations::COUNT],
        flash: Flash,
        now: Duration,
    ) -> Result<Self, &'static str> {
        let rows = storage::load_profile(flash, ROWS).map_err(|_| "no load profile")?;
        IMPORT.store(last_import(&rows), Ordering::Relaxed);
        let value = |class_id, name| CaptureObjectDefinition::new(class_id, name, 2);
        let columns = [value(8, CLOCK), value(3, IMPORT_NAME), value(3, POWER_NAME)];
        let load_profile =
            ProfileGeneric::new(LogicalName::new(1, 0, 99, 1, 0, 255), rows, &columns, 900, ROWS);
        let time = SoftwareClock::starting_at(i64::from(embassy_board::unix_seconds()) * 1000, now);
        let mut saps = SapAssignment::new(LogicalName::new(0, 0, 41, 0, 0, 255));
        let _ = saps.connect(SapEntry { sap: 1, logical_device_name: text(NAME) });
        let association = |id: AssociationId| configs[usize::from(id.0)].object(id, 1);
        Ok(Self {
            clock: Clock::new(CLOCK, time, -60).with_european_summer_time(),
            logical_device_name: Data::new(LogicalName::new(0, 0, 42, 0, 0, 255), text(NAME)),
            counter: Data::new(LogicalName::new(0, 0, 43, 1, 0, 255), &COUNTER),
            import: Register::new(IMPORT_NAME, &IMPORT, ScalerUnit::new(0, Unit::ActiveEnergyWattHour)),
            power: Register::new(POWER_NAME, &POWER, ScalerUnit::new(0, Unit::ActivePowerWatt)),
            voltage: Register::new(
                LogicalName::new(1, 0, 32, 7, 0, 255),
                &VOLTAGE,
                ScalerUnit::new(-1, Unit::VoltageVolt),
            ),
            load_profile: load_profile.map_err(|_| "no load profile")?,
            saps,
            public: association(PUBLIC),
            reader: association(READER),
            management: association(MANAGEMENT),
        })
    }
}

/// What the register was at when the last row was captured.
fn last_import(rows: &Rows) -> u32 {
    let row = |octets: &[u8]| match Octets::from_octets(octets) {
        Ok(Octets::Structure(fields)) => match fields.iter().nth(1) {
            Some(Octets::DoubleLongUnsigned(import)) => Some(import),
            _ => None,
        },
        _ => None,
    };
    rows.len().checked_sub(1).and_then(|last| rows.with_row(last, row)?).unwrap_or(0)
}

fn text<const N: usize>(octets: &[u8]) -> OctetString<N> {
    octets.iter().copied().take(N).collect()
}
