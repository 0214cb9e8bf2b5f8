//! The objects of the meter.

use core::time::Duration;

use banks::BLOCK;
use dlms::obis::LogicalName;
use dlms::objects::classes::{
    AssociationLn, Clock, Data, DemandRegister, DisconnectControl, ImageTransfer, ProfileGeneric, Register,
    SapAssignment, SapEntry, SecuritySetup,
};
use dlms::objects::{
    AccessRights, AssociationId, CaptureObjectDefinition, Effect, Effects, LogicalDevice, OctetString,
    ScalerUnit, Unit, Value, behaviour,
};
use dlms::server::AssociationConfig;

use crate::associations::{self, MANAGEMENT, MANAGEMENT_2, PUBLIC, READER};
use crate::events::EventCode;
use crate::hardware::{Rtc, Switch};
use crate::image::{self, Banks, MAP};
use crate::keys;
use crate::storage::{Rows, Setting, Storage};

const NAME: &[u8] = b"GUR0000000000001";
/// What a load takes that is always there.
const POWER: u32 = 1500;
/// A year of quarters of an hour.
const LOAD_PROFILE_ROWS: u32 = 35_040;
const EVENT_ROWS: u32 = 500;

const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
const STATUS: LogicalName = LogicalName::new(0, 0, 96, 10, 1, 255);
const IMPORT: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const EXPORT: LogicalName = LogicalName::new(1, 0, 2, 8, 0, 255);
const EVENT: LogicalName = LogicalName::new(0, 0, 96, 11, 0, 255);
const EVENTS: LogicalName = LogicalName::new(0, 0, 99, 98, 0, 255);

pub struct Device {
    clock: Clock<Rtc>,
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
    status: Data<u8>,
    load_profile: ProfileGeneric<Rows, 4>,
    event: Data<u8>,
    events: ProfileGeneric<Rows, 2>,
    setup_gmac: SecuritySetup,
    setup_ecdsa: SecuritySetup,
    counter_gmac: Data<u32>,
    counter_ecdsa: Data<u32>,
    image: ImageTransfer<Banks, MAP>,
    saps: SapAssignment<1>,
    public: AssociationLn<1>,
    reader: AssociationLn<1>,
    management: AssociationLn<1>,
    management_2: AssociationLn<1>,
    storage: &'static Storage,
    /// Watt-milliseconds that are no watt-hour yet, and when that was.
    rest: u64,
    measured: Duration,
}

/// The place of the object of the first association.
const FIRST_ASSOCIATION: usize = 24;

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
        status,
        load_profile,
        event,
        events,
        setup_gmac,
        setup_ecdsa,
        counter_gmac,
        counter_ecdsa,
        image,
        saps,
        public,
        reader,
        management,
        management_2,
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
        storage: &'static Storage,
    ) -> Result<Self, &'static str> {
        let load_profile = storage.load_profile(LOAD_PROFILE_ROWS).map_err(|_| "no load profile")?;
        let events = storage.events(EVENT_ROWS).map_err(|_| "no event log")?;
        let rtc = Rtc::new(storage).map_err(|_| "no clock")?;
        let relay = Switch::restore(storage).map_err(|_| "no relay")?;
        let kept = storage.setting::<4>(Setting::Import as u8).map_err(|_| "no registers")?;
        let imported = kept.and_then(|octets| octets.into_array().ok()).map_or(0, u32::from_le_bytes);
        let value = |class_id, name| CaptureObjectDefinition::new(class_id, name, 2);
        let (banks, transfer) = storage.banks();
        let mut image_transfer = ImageTransfer::new(LogicalName::new(0, 0, 44, 0, 0, 255), banks, BLOCK);
        image_transfer.restore(transfer);
        let mut saps = SapAssignment::new(LogicalName::new(0, 0, 41, 0, 0, 255));
        let _ = saps.connect(SapEntry { sap: 1, logical_device_name: text(NAME) });
        let association = |id: AssociationId| associations::object(id, &configs[usize::from(id.0)]);
        let energy = |c, e, value: u32| register(c, 8, e, value, 0, Unit::ActiveEnergyWattHour);
        let setup = |n: u8| SecuritySetup::new(LogicalName::new(0, 0, 43, 0, n, 255), 1, n);
        let counter = |n: u8| Data::new(LogicalName::new(0, 0, 43, 1, n, 255), 0);
        Ok(Self {
            clock: Clock::new(CLOCK, rtc, -60).with_european_summer_time(),
            logical_device_name: Data::new(LogicalName::new(0, 0, 42, 0, 0, 255), text(NAME)),
            serial_number: Data::new(LogicalName::new(0, 0, 96, 1, 0, 255), 1),
            firmware: Data::new(LogicalName::new(1, 0, 0, 2, 0, 255), text(image::version())),
            import: energy(1, 0, imported),
            import_1: energy(1, 1, imported),
            import_2: energy(1, 2, 0),
            export: energy(2, 0, 0),
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
            relay,
            status: Data::new(STATUS, 0),
            load_profile: ProfileGeneric::new(
                LogicalName::new(1, 0, 99, 1, 0, 255),
                load_profile,
                &[value(8, CLOCK), value(1, STATUS), value(3, IMPORT), value(3, EXPORT)],
                900,
                LOAD_PROFILE_ROWS,
            )
            .map_err(|_| "no load profile")?,
            event: Data::new(EVENT, 0),
            events: ProfileGeneric::new(EVENTS, events, &[value(8, CLOCK), value(1, EVENT)], 0, EVENT_ROWS)
                .map_err(|_| "no event log")?,
            setup_gmac: setup(keys::GMAC as u8),
            setup_ecdsa: setup(keys::ECDSA as u8),
            counter_gmac: counter(keys::GMAC as u8),
            counter_ecdsa: counter(keys::ECDSA as u8),
            image: image_transfer,
            saps,
            public: association(PUBLIC),
            reader: association(READER),
            management: association(MANAGEMENT),
            management_2: association(MANAGEMENT_2),
            storage,
            rest: 0,
            measured: Duration::ZERO,
        })
    }

    /// Lets time pass. What the registers are at is kept with each row of the load profile.
    pub fn tick(&mut self, now: Duration, scratch: &mut [u8]) {
        let before = self.load_profile.revision();
        self.measure(now);
        behaviour::tick(self, now, scratch, &mut |_| {});
        if self.load_profile.revision() != before {
            let _ = self.storage.store(Setting::Import as u8, &self.import.value.to_le_bytes());
        }
    }

    /// The version of the firmware.
    pub fn version(&self) -> &str {
        core::str::from_utf8(&self.firmware.value).unwrap_or("?")
    }

    /// Shows the invocation counters.
    pub const fn show_counters(&mut self, [gmac, ecdsa]: [u32; 2]) {
        self.counter_gmac.value = gmac;
        self.counter_ecdsa.value = ecdsa;
    }

    /// Puts an event into the log.
    pub fn log(&mut self, event: EventCode, scratch: &mut [u8]) {
        self.event.value = event as u8;
        let mut effects = Effects::new();
        let _ = effects.push(Effect::Capture { profile: EVENTS });
        behaviour::execute(self, &effects, scratch, &mut |_| {});
    }

    /// What the metering hardware would say.
    fn measure(&mut self, now: Duration) {
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
