//! The meter: its objects, and who may access them.

#[cfg(feature = "classes")]
use cosem_objects::ActionItem;
use cosem_objects::classes::{
    AssociationLn, Clock, ControlMode, Data, DisconnectControl, ProfileGeneric, Register, Relay,
    SapAssignment, SapEntry, ScriptTable, SoftwareClock,
};
#[cfg(feature = "classes")]
use cosem_objects::classes::{
    CommunicationPortProtection, DemandRegister, ExtendedRegister, FunctionControl, LockoutRule,
    PortProtectionMode, ScheduleType, SingleActionSchedule,
};
use cosem_objects::{
    AccessRights, ActionResult, AssociationId, CaptureObjectDefinition, LogicalDevice, OctetString,
    ScalerUnit, Unit, Value,
};
use dlms::server::{AssociationConfig, Host};
use dlms_obis::LogicalName;

use crate::associations::{self, COUNT};
use crate::keys::{Keys, Provider, TITLE};
use crate::{board, stay, unwrap};

const NAME: &[u8] = b"GUR0000000000001";

/// Script 1 opens the relay, script 2 closes it.
static SCRIPTS: [u8; 54] = [
    0x01, 0x02, // two scripts
    0x02, 0x02, 0x12, 0, 1, 0x01, 0x01, 0x02, 0x05, 0x16, 2, 0x12, 0, 70, 0x09, 6, 0, 0, 96, 3, 10, 255,
    0x0F, 1, 0x0F, 0, //
    0x02, 0x02, 0x12, 0, 2, 0x01, 0x01, 0x02, 0x05, 0x16, 2, 0x12, 0, 70, 0x09, 6, 0, 0, 96, 3, 10, 255,
    0x0F, 2, 0x0F, 0,
];

pub struct Meter {
    pub device: &'static mut Device,
    associations: &'static mut [AssociationConfig; COUNT],
    keys: &'static mut Keys,
    counters: &'static mut Counters,
}

/// Twenty objects, and those of features.
pub struct Device {
    clock: Clock<SoftwareClock>,
    logical_device_name: Data<OctetString<16>>,
    serial_number: Data<u32>,
    firmware: Data<OctetString<16>>,
    import: Register<u32>,
    import_1: Register<u32>,
    #[cfg(not(feature = "suite0"))]
    import_2: Register<u32>,
    export: Register<u32>,
    reactive_import: Register<u32>,
    reactive_export: Register<u32>,
    power: Register<i32>,
    voltage: Register<u16>,
    current: Register<u16>,
    frequency: Register<u16>,
    profile: ProfileGeneric<&'static mut Rows, 4>,
    relay: DisconnectControl<Switch>,
    scripts: ScriptTable<&'static [u8]>,
    saps: SapAssignment<1>,
    #[cfg(feature = "keys")]
    setup_gmac: cosem_objects::classes::SecuritySetup,
    #[cfg(all(feature = "keys", feature = "suite2"))]
    setup_ecdsa: cosem_objects::classes::SecuritySetup,
    #[cfg(feature = "image")]
    image: cosem_objects::classes::ImageTransfer<Image, IMAGE_MAP>,
    #[cfg(feature = "classes")]
    demand: DemandRegister<u32, u8, 1>,
    #[cfg(feature = "classes")]
    maximum: ExtendedRegister<u32, u8>,
    #[cfg(feature = "classes")]
    schedule: SingleActionSchedule<4>,
    #[cfg(feature = "classes")]
    functions: FunctionControl<2, 4>,
    #[cfg(feature = "classes")]
    port_protection: CommunicationPortProtection,
    #[cfg(feature = "data-protection")]
    data_protection: cosem_objects::classes::DataProtection<64>,
    public: AssociationLn<1>,
    reader: AssociationLn<1>,
    #[cfg(feature = "suite2")]
    management_2: AssociationLn<1>,
    #[cfg(feature = "suite0")]
    management: AssociationLn<1>,
}

pub struct Switch;

impl Relay for Switch {
    fn switch(&mut self, connected: bool) -> Result<(), ActionResult> {
        board::relay(connected);
        Ok(())
    }
}

#[cfg(feature = "flash-profile")]
pub type Rows = cosem_objects::classes::FlashRows<crate::flash::Flash, 44>;
#[cfg(not(feature = "flash-profile"))]
pub type Rows = cosem_objects::classes::RowRing<32, 96>;

/// A year of quarters of an hour, or a day.
const ROWS: u32 = if cfg!(feature = "flash-profile") { 35_040 } else { 96 };

#[cfg(feature = "flash-profile")]
fn rows() -> &'static mut Rows {
    use crate::flash::{Flash, ROWS_LENGTH};

    stay!(Rows, || unwrap(Rows::open(Flash, crate::flash::ROWS, ROWS_LENGTH, ROWS)))
}
#[cfg(not(feature = "flash-profile"))]
fn rows() -> &'static mut Rows {
    static mut PLACE: Rows = Rows::new();
    // SAFETY: this is called once, so there is no other reference.
    unsafe { &mut *(&raw mut PLACE) }
}

#[cfg(feature = "flash-counters")]
pub type Counters = dlms_security::FlashCounters<crate::flash::Flash, 24>;

#[cfg(feature = "flash-counters")]
fn counters() -> Counters {
    use crate::flash::{COUNTERS, COUNTERS_AREA, Flash};

    match Counters::open(Flash, COUNTERS, COUNTERS_AREA) {
        Ok(counters) => counters,
        Err(_) => unwrap(Counters::format(Flash, COUNTERS, COUNTERS_AREA)),
    }
}

/// Somewhere else.
#[cfg(not(feature = "flash-counters"))]
pub struct Counters;

#[cfg(not(feature = "flash-counters"))]
const fn counters() -> Counters {
    Counters
}

#[cfg(not(feature = "flash-counters"))]
mod elsewhere {
    use dlms_security::{CounterId, CounterStore, StorageError, SystemTitle};

    use super::{Counters, board};

    impl CounterStore for Counters {
        fn reserve(&mut self, _: CounterId, ceiling: u32) -> Result<(), StorageError> {
            board::store(ceiling);
            Ok(())
        }

        fn ceiling(&mut self, _: CounterId) -> Result<u32, StorageError> {
            Ok(0)
        }

        fn floor(&mut self, _: CounterId, _: SystemTitle) -> Result<u32, StorageError> {
            Ok(0)
        }

        fn reserve_floor(&mut self, _: CounterId, _: SystemTitle, floor: u32) -> Result<(), StorageError> {
            board::store(floor);
            Ok(())
        }
    }
}

#[cfg(feature = "image")]
const IMAGE_BLOCK: u32 = 128;
#[cfg(feature = "image")]
const IMAGE_MAP: usize = (crate::flash::LONGEST_IMAGE / IMAGE_BLOCK / 8) as usize;

#[cfg(feature = "image")]
pub struct Image {
    size: u32,
}

#[cfg(feature = "image")]
mod image {
    use cosem_objects::ActionResult;
    use cosem_objects::classes::{ImageInfo, ImageStorage, Progress};
    use embedded_storage::nor_flash::NorFlash;

    use super::{IMAGE_BLOCK, Image};
    use crate::flash::{Flash, IMAGE, LONGEST_IMAGE};

    /// Whether an image is good is for its maker to say: here, any is.
    impl ImageStorage for Image {
        fn begin(&mut self, _: &[u8], size: u32) -> Result<(), ActionResult> {
            self.size = size;
            if size > LONGEST_IMAGE {
                return Err(ActionResult::OtherReason);
            }
            Flash.erase(IMAGE, IMAGE + LONGEST_IMAGE).map_err(|_| ActionResult::HardwareFault)
        }

        fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult> {
            let mut block = [0xFF; IMAGE_BLOCK as usize];
            block.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
            let padded = block.get(..octets.len().next_multiple_of(4)).ok_or(ActionResult::OtherReason)?;
            Flash.write(IMAGE + offset, padded).map_err(|_| ActionResult::HardwareFault)
        }

        fn verify(&mut self, _: u32) -> Progress {
            Progress::Done
        }

        fn activate(&mut self) -> Progress {
            Progress::Done
        }

        fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>> {
            let info = ImageInfo { size: self.size, identification: b"image", signature: &[] };
            (index == 0).then_some(info)
        }
    }
}

const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
const IMPORT: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const EXPORT: LogicalName = LogicalName::new(1, 0, 2, 8, 0, 255);
const POWER: LogicalName = LogicalName::new(1, 0, 16, 7, 0, 255);
const SCRIPT_TABLE: LogicalName = LogicalName::new(0, 0, 10, 0, 106, 255);

impl LogicalDevice for Device {
    cosem_objects::objects!(
        clock,
        logical_device_name,
        serial_number,
        firmware,
        import,
        import_1,
        #[cfg(not(feature = "suite0"))]
        import_2,
        export,
        reactive_import,
        reactive_export,
        power,
        voltage,
        current,
        frequency,
        profile,
        relay,
        scripts,
        saps,
        #[cfg(feature = "keys")]
        setup_gmac,
        #[cfg(all(feature = "keys", feature = "suite2"))]
        setup_ecdsa,
        #[cfg(feature = "image")]
        image,
        #[cfg(feature = "classes")]
        demand,
        #[cfg(feature = "classes")]
        maximum,
        #[cfg(feature = "classes")]
        schedule,
        #[cfg(feature = "classes")]
        functions,
        #[cfg(feature = "classes")]
        port_protection,
        #[cfg(feature = "data-protection")]
        data_protection,
        public,
        reader,
        #[cfg(feature = "suite2")]
        management_2,
        #[cfg(feature = "suite0")]
        management,
    );

    fn attribute_access(&self, association: AssociationId, _: usize, attribute: i8) -> AccessRights {
        match (association.0, attribute) {
            (0, _) | (_, 1) => AccessRights::READ,
            _ => AccessRights::READ | AccessRights::WRITE,
        }
    }

    fn method_access(&self, association: AssociationId, _: usize, _: i8) -> AccessRights {
        if association.0 == 0 { AccessRights::empty() } else { AccessRights::INVOKE }
    }

    fn is_visible(&self, association: AssociationId, index: usize) -> bool {
        association.0 != 0 || index < 2
    }

    fn association_object(&self, association: AssociationId) -> Option<usize> {
        Some(self.object_count() - COUNT + usize::from(association.0))
    }
}

impl Meter {
    pub fn new() -> Self {
        let associations = stay!([AssociationConfig; COUNT], associations::configs);
        Self {
            device: stay!(Device, || Device::new(associations, rows())),
            associations,
            keys: stay!(Keys, Keys::new),
            counters: stay!(Counters, counters),
        }
    }

    pub fn host<'m>(&'m mut self, scratch: &'m mut [u8]) -> Host<'m, Provider> {
        Host {
            device: self.device,
            system_title: TITLE,
            associations: self.associations,
            security: &mut self.keys.security,
            provider: &self.keys.provider,
            counters: self.counters,
            #[cfg(feature = "keys")]
            key_rings: &mut self.keys.key_rings,
            #[cfg(not(feature = "keys"))]
            key_rings: &mut [],
            #[cfg(feature = "suite2")]
            public_keys: Some(dlms::PublicKeys {
                provider: &self.keys.provider,
                own: &mut self.keys.key_pairs,
                peers: &self.keys.clients,
            }),
            #[cfg(not(feature = "suite2"))]
            public_keys: None,
            certificates: None,
            #[cfg(feature = "keys")]
            key_management: Some(&mut self.keys.manager),
            #[cfg(not(feature = "keys"))]
            key_management: None,
            manufacturer: None,
            scratch,
        }
    }
}

impl Device {
    fn new(associations: &[AssociationConfig; COUNT], rows: &'static mut Rows) -> Self {
        let energy = |c, e| register(c, 8, e, 0u32, Unit::ActiveEnergyWattHour);
        let columns = [(8, CLOCK), (3, IMPORT), (3, EXPORT), (3, POWER)]
            .map(|(class_id, name)| CaptureObjectDefinition::new(class_id, name, 2));
        let mut saps = SapAssignment::new(LogicalName::new(0, 0, 41, 0, 0, 255));
        let _ = saps.connect(SapEntry { sap: 1, logical_device_name: text(NAME) });
        let association = |place: usize| associations::object(place as u8, &associations[place]);
        Self {
            clock: Clock::new(CLOCK, SoftwareClock::new(), -60),
            logical_device_name: Data::new(LogicalName::new(0, 0, 42, 0, 0, 255), text(NAME)),
            serial_number: Data::new(LogicalName::new(0, 0, 96, 1, 0, 255), 1),
            firmware: Data::new(LogicalName::new(1, 0, 0, 2, 0, 255), text(b"1.0")),
            import: energy(1, 0),
            import_1: energy(1, 1),
            #[cfg(not(feature = "suite0"))]
            import_2: energy(1, 2),
            export: energy(2, 0),
            reactive_import: energy(3, 0),
            reactive_export: energy(4, 0),
            power: register(16, 7, 0, 0, Unit::ActivePowerWatt),
            voltage: register(32, 7, 0, 0, Unit::VoltageVolt),
            current: register(31, 7, 0, 0, Unit::CurrentAmpere),
            frequency: register(14, 7, 0, 0, Unit::FrequencyHertz),
            profile: unwrap(ProfileGeneric::new(
                LogicalName::new(1, 0, 99, 1, 0, 255),
                rows,
                &columns,
                900,
                ROWS,
            )),
            relay: DisconnectControl::new(LogicalName::new(0, 0, 96, 3, 10, 255), Switch, ControlMode::Mode4),
            scripts: unwrap(ScriptTable::new(SCRIPT_TABLE, &SCRIPTS[..])),
            saps,
            #[cfg(feature = "keys")]
            setup_gmac: setup(0),
            #[cfg(all(feature = "keys", feature = "suite2"))]
            setup_ecdsa: setup(1),
            #[cfg(feature = "image")]
            image: cosem_objects::classes::ImageTransfer::new(
                LogicalName::new(0, 0, 44, 0, 0, 255),
                Image { size: 0 },
                IMAGE_BLOCK,
            ),
            #[cfg(feature = "classes")]
            demand: DemandRegister::new(
                LogicalName::new(1, 0, 1, 4, 0, 255),
                ScalerUnit::new(0, Unit::ActivePowerWatt),
                0,
                900,
                1,
            ),
            #[cfg(feature = "classes")]
            maximum: ExtendedRegister::new(
                LogicalName::new(1, 0, 1, 6, 0, 255),
                0,
                ScalerUnit::new(0, Unit::ActivePowerWatt),
                0,
            ),
            #[cfg(feature = "classes")]
            schedule: SingleActionSchedule::new(
                LogicalName::new(0, 0, 15, 0, 1, 255),
                ActionItem { script_logical_name: SCRIPT_TABLE, script_selector: 1 },
                ScheduleType::AnyTimeWildcards,
            ),
            #[cfg(feature = "classes")]
            functions: FunctionControl::new(LogicalName::new(0, 0, 44, 1, 0, 255)),
            #[cfg(feature = "classes")]
            port_protection: CommunicationPortProtection::new(
                LogicalName::new(0, 0, 44, 2, 0, 255),
                PortProtectionMode::LockedOnFailedAttempts,
                LockoutRule {
                    allowed_failed_attempts: 5,
                    initial_lockout_time: 60,
                    steepness_factor: 2,
                    max_lockout_time: 3600,
                },
                LogicalName::new(0, 0, 22, 0, 0, 255),
            ),
            #[cfg(feature = "data-protection")]
            data_protection: cosem_objects::classes::DataProtection::new(
                LogicalName::new(0, 0, 43, 2, 0, 255),
                0,
            ),
            public: association(0),
            reader: association(1),
            #[cfg(feature = "suite2")]
            management_2: association(2),
            #[cfg(feature = "suite0")]
            management: association(COUNT - 1),
        }
    }
}

#[cfg(feature = "keys")]
fn setup(setup: u8) -> cosem_objects::classes::SecuritySetup {
    cosem_objects::classes::SecuritySetup::new(LogicalName::new(0, 0, 43, 0, setup, 255), 1, setup)
}

fn register<V: Value>(c: u8, d: u8, e: u8, value: V, unit: Unit) -> Register<V> {
    Register::new(LogicalName::new(1, 0, c, d, e, 255), value, ScalerUnit::new(0, unit))
}

fn text<const N: usize>(octets: &[u8]) -> OctetString<N> {
    octets.iter().copied().take(N).collect()
}
