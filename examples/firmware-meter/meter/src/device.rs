//! The objects of the meter.

use core::time::Duration;

use dlms::obis::LogicalName;
use dlms::objects::classes::{
    AssociationLn, Clock, ControlMode, Data, DemandRegister, DisconnectControl, Register, Relay,
    SapAssignment, SapEntry, SoftwareClock,
};
use dlms::objects::{
    AccessRights, ActionResult, AssociationId, LogicalDevice, OctetString, ScalerUnit, Unit, Value,
};
use dlms::server::AssociationConfig;

use crate::associations::{self, MANAGEMENT, PUBLIC, READER};

const NAME: &[u8] = b"GUR0000000000001";
/// What a load takes that is always there.
const POWER: u32 = 1500;

pub struct Device {
    clock: Clock<SoftwareClock>,
    logical_device_name: Data<OctetString<16>>,
    serial_number: Data<u32>,
    firmware: Data<OctetString<16>>,
    import: Register<u32>,
    import_1: Register<u32>,
    import_2: Register<u32>,
    export: Register<u32>,
    power: Register<u32>,
    voltage: Register<u16>,
    current: Register<u16>,
    frequency: Register<u16>,
    demand: DemandRegister<u32, u8, 1>,
    relay: DisconnectControl<Switch>,
    saps: SapAssignment<1>,
    public: AssociationLn<1>,
    reader: AssociationLn<1>,
    management: AssociationLn<1>,
    /// Watt-milliseconds that are no watt-hour yet, and when that was.
    rest: u64,
    measured: Duration,
}

/// The relay.
pub struct Switch;

impl Relay for Switch {
    fn switch(&mut self, connected: bool) -> Result<(), ActionResult> {
        board::drive_relay(connected);
        Ok(())
    }
}

impl LogicalDevice for Device {
    dlms::objects::objects!(
        clock,
        logical_device_name,
        serial_number,
        firmware,
        import,
        import_1,
        import_2,
        export,
        power,
        voltage,
        current,
        frequency,
        demand,
        relay,
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
        (usize::from(association.0) < associations::COUNT).then_some(15 + usize::from(association.0))
    }
}

impl Device {
    #[inline(never)]
    pub fn new(configs: &[AssociationConfig; associations::COUNT]) -> Self {
        let unix = i64::from(board::unix_seconds()) * 1000;
        let clock = SoftwareClock::starting_at(unix, Duration::ZERO);
        let mut saps = SapAssignment::new(LogicalName::new(0, 0, 41, 0, 0, 255));
        let _ = saps.connect(SapEntry { sap: 1, logical_device_name: text(NAME) });
        let association = |id: AssociationId| associations::object(id, &configs[usize::from(id.0)]);
        let energy = |c, e| register(c, 8, e, 0u32, 0, Unit::ActiveEnergyWattHour);
        Self {
            clock: Clock::new(LogicalName::new(0, 0, 1, 0, 0, 255), clock, -60).with_european_summer_time(),
            logical_device_name: Data::new(LogicalName::new(0, 0, 42, 0, 0, 255), text(NAME)),
            serial_number: Data::new(LogicalName::new(0, 0, 96, 1, 0, 255), 1),
            firmware: Data::new(LogicalName::new(1, 0, 0, 2, 0, 255), text(b"1.0.0")),
            import: energy(1, 0),
            import_1: energy(1, 1),
            import_2: energy(1, 2),
            export: energy(2, 0),
            power: register(1, 7, 0, 0, 0, Unit::ActivePowerWatt),
            voltage: register(32, 7, 0, 2304, -1, Unit::VoltageVolt),
            current: register(31, 7, 0, 0, -2, Unit::CurrentAmpere),
            frequency: register(14, 7, 0, 5000, -2, Unit::FrequencyHertz),
            demand: DemandRegister::new(
                LogicalName::new(1, 0, 1, 4, 0, 255),
                ScalerUnit::new(0, Unit::ActivePowerWatt),
                0,
                900,
                1,
            ),
            relay: DisconnectControl::new(LogicalName::new(0, 0, 96, 3, 10, 255), Switch, ControlMode::Mode4),
            saps,
            public: association(PUBLIC),
            reader: association(READER),
            management: association(MANAGEMENT),
            rest: 0,
            measured: Duration::ZERO,
        }
    }

    /// What the metering hardware would say.
    pub fn measure(&mut self, now: Duration) {
        let power = if self.relay.output_state() { POWER } else { 0 };
        let elapsed = now.saturating_sub(self.measured).as_millis() as u64;
        self.measured = now;
        self.rest += u64::from(power) * elapsed;
        let whole = (self.rest / 3_600_000) as u32;
        self.rest %= 3_600_000;
        self.import.value = self.import.value.wrapping_add(whole);
        self.import_1.value = self.import_1.value.wrapping_add(whole);
        self.power.value = power;
        self.current.value = (power * 1000 / u32::from(self.voltage.value)) as u16;
        self.demand.measure(power.into());
    }
}

fn register<V: Value>(c: u8, d: u8, e: u8, value: V, scaler: i8, unit: Unit) -> Register<V> {
    Register::new(LogicalName::new(1, 0, c, d, e, 255), value, ScalerUnit::new(scaler, unit))
}

fn text<const N: usize>(octets: &[u8]) -> OctetString<N> {
    octets.iter().copied().take(N).collect()
}
