//! The meter: its objects, its associations, its keys.

use cosem_objects::classes::{
    ApplicationContextName, AssociatedPartnersId, AssociationLn, AuthenticationMechanismName, Clock,
    ControlMode, Data, DisconnectControl, ProfileGeneric, Register, Relay, RowRing, SapAssignment, SapEntry,
    ScriptTable, SoftwareClock, XdlmsContextInfo,
};
use cosem_objects::{
    AccessRights, ActionResult, AssociationId, CaptureObjectDefinition, LogicalDevice, OctetString,
    ScalerUnit, Unit, Value,
};
use dlms::SecurityContext;
use dlms::server::AssociationConfig;
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationMechanism, CounterId, CounterStore, Protection, Secret, StorageError, SystemTitle,
};

use crate::hardware;

pub const TITLE: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");

const NAME: &[u8] = b"ABC0000000000001";
const PUBLIC: u16 = 16;
const READER: u16 = 1;

/// Script 1 opens the relay, script 2 closes it.
static SCRIPTS: [u8; 54] = [
    0x01, 0x02, // two scripts
    0x02, 0x02, 0x12, 0, 1, 0x01, 0x01, 0x02, 0x05, 0x16, 2, 0x12, 0, 70, 0x09, 6, 0, 0, 96, 3, 10, 255,
    0x0F, 1, 0x0F, 0, //
    0x02, 0x02, 0x12, 0, 2, 0x01, 0x01, 0x02, 0x05, 0x16, 2, 0x12, 0, 70, 0x09, 6, 0, 0, 96, 3, 10, 255,
    0x0F, 2, 0x0F, 0,
];

#[cfg(not(feature = "suite0"))]
pub type Provider = crate::no_cipher::NoCipher;
#[cfg(feature = "suite0")]
pub type Provider = dlms_security::SuiteZero<fn(&mut [u8]) -> Result<(), dlms_security::SecurityError>>;

pub struct Meter {
    pub device: Device,
    pub associations: [AssociationConfig; 2],
    pub security: [SecurityContext<Provider>; KEYS],
    pub provider: Provider,
    pub counters: Counters,
}

pub struct Device {
    clock: Clock<SoftwareClock>,
    logical_device_name: Data<OctetString<16>>,
    serial_number: Data<u32>,
    firmware: Data<OctetString<16>>,
    import: Register<u32>,
    import_1: Register<u32>,
    import_2: Register<u32>,
    export: Register<u32>,
    reactive_import: Register<u32>,
    reactive_export: Register<u32>,
    power: Register<i32>,
    voltage: Register<u16>,
    current: Register<u16>,
    frequency: Register<u16>,
    profile: ProfileGeneric<RowRing<32, 96>, 4>,
    relay: DisconnectControl<Switch>,
    scripts: ScriptTable<&'static [u8]>,
    saps: SapAssignment<1>,
    public: AssociationLn<1>,
    reader: AssociationLn<1>,
}

pub struct Switch;

impl Relay for Switch {
    fn switch(&mut self, connected: bool) -> Result<(), ActionResult> {
        hardware::relay(connected);
        Ok(())
    }
}

pub struct Counters;

impl CounterStore for Counters {
    fn reserve(&mut self, _: CounterId, ceiling: u32) -> Result<(), StorageError> {
        hardware::store(ceiling);
        Ok(())
    }

    fn ceiling(&mut self, _: CounterId) -> Result<u32, StorageError> {
        Ok(0)
    }

    fn floor(&mut self, _: CounterId, _: SystemTitle) -> Result<u32, StorageError> {
        Ok(0)
    }

    fn reserve_floor(&mut self, _: CounterId, _: SystemTitle, floor: u32) -> Result<(), StorageError> {
        hardware::store(floor);
        Ok(())
    }
}

const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
const IMPORT: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const EXPORT: LogicalName = LogicalName::new(1, 0, 2, 8, 0, 255);
const POWER: LogicalName = LogicalName::new(1, 0, 16, 7, 0, 255);

impl LogicalDevice for Device {
    cosem_objects::objects!(
        clock,
        logical_device_name,
        serial_number,
        firmware,
        import,
        import_1,
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
        public,
        reader,
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
        Some(18 + usize::from(association.0))
    }
}

impl Meter {
    #[inline(never)]
    pub fn new() -> Self {
        let provider = provider();
        let security = keys(&provider);
        Self {
            device: Device::new(),
            associations: [
                association(PUBLIC, AuthenticationMechanism::None, false),
                association(READER, MECHANISM, cfg!(feature = "suite0")),
            ],
            security,
            provider,
            counters: Counters,
        }
    }
}

impl Device {
    fn new() -> Self {
        let energy = |c, e| register(c, 8, e, 0u32, Unit::ActiveEnergyWattHour);
        let columns = [(8, CLOCK), (3, IMPORT), (3, EXPORT), (3, POWER)]
            .map(|(class_id, name)| CaptureObjectDefinition::new(class_id, name, 2));
        let mut saps = SapAssignment::new(LogicalName::new(0, 0, 41, 0, 0, 255));
        let _ = saps.connect(SapEntry { sap: 1, logical_device_name: text(NAME) });
        Self {
            clock: Clock::new(CLOCK, SoftwareClock::new(), -60),
            logical_device_name: Data::new(LogicalName::new(0, 0, 42, 0, 0, 255), text(NAME)),
            serial_number: Data::new(LogicalName::new(0, 0, 96, 1, 0, 255), 1),
            firmware: Data::new(LogicalName::new(1, 0, 0, 2, 0, 255), text(b"1.0")),
            import: energy(1, 0),
            import_1: energy(1, 1),
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
                RowRing::new(),
                &columns,
                900,
                96,
            )),
            relay: DisconnectControl::new(LogicalName::new(0, 0, 96, 3, 10, 255), Switch, ControlMode::Mode4),
            scripts: unwrap(ScriptTable::new(LogicalName::new(0, 0, 10, 0, 106, 255), &SCRIPTS[..])),
            saps,
            public: association_object(0, PUBLIC, AuthenticationMechanism::None, false),
            reader: association_object(1, READER, MECHANISM, cfg!(feature = "suite0")),
        }
    }
}

/// What cannot fail here.
pub fn unwrap<T, E>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(_) => loop {},
    }
}

fn register<V: Value>(c: u8, d: u8, e: u8, value: V, unit: Unit) -> Register<V> {
    Register::new(LogicalName::new(1, 0, c, d, e, 255), value, ScalerUnit { scaler: 0, unit })
}

fn text<const N: usize>(octets: &[u8]) -> OctetString<N> {
    octets.iter().copied().take(N).collect()
}

fn association(client_sap: u16, mechanism: AuthenticationMechanism, ciphered: bool) -> AssociationConfig {
    AssociationConfig {
        client_sap,
        ciphered,
        mechanism,
        secret: match mechanism {
            AuthenticationMechanism::Lls => unwrap(Secret::new(b"12345678")),
            _ => Secret::empty(),
        },
        security: ciphered.then_some(0),
        policy: if ciphered { Protection::AUTHENTICATED_ENCRYPTED } else { Protection::empty() },
        conformance: AssociationConfig::SUPPORTED,
        max_receive_pdu_size: 256,
        client_title: None,
        accepted: dlms::Accepted::default(),
        notifications: dlms::Envelope::GLOBAL,
        presents_certificate: false,
        accept_shared_counter: false,
        lockout: None,
    }
}

fn association_object(
    place: u8,
    client_sap: u16,
    mechanism: AuthenticationMechanism,
    ciphered: bool,
) -> AssociationLn<1> {
    AssociationLn::new(
        LogicalName::new(0, 0, 40, 0, place + 1, 255),
        1,
        AssociationId(place),
        AssociatedPartnersId { client_sap: client_sap as i8, server_sap: 1 },
        ApplicationContextName(if ciphered { 3 } else { 1 }),
        AuthenticationMechanismName(mechanism.id()),
        XdlmsContextInfo {
            conformance: AssociationConfig::SUPPORTED.octets(),
            max_receive_pdu_size: 256,
            max_send_pdu_size: 256,
        },
    )
}

#[cfg(not(feature = "suite0"))]
const KEYS: usize = 0;
#[cfg(feature = "suite0")]
const KEYS: usize = 1;

#[cfg(not(feature = "suite0"))]
const MECHANISM: AuthenticationMechanism = AuthenticationMechanism::Lls;
#[cfg(feature = "suite0")]
const MECHANISM: AuthenticationMechanism = AuthenticationMechanism::Gmac;

#[cfg(not(feature = "suite0"))]
fn provider() -> Provider {
    crate::no_cipher::NoCipher
}

#[cfg(feature = "suite0")]
fn provider() -> Provider {
    dlms_security::SuiteZero::new(|out| {
        hardware::random(out);
        Ok(())
    })
}

#[cfg(not(feature = "suite0"))]
fn keys(_: &Provider) -> [SecurityContext<Provider>; KEYS] {
    []
}

#[cfg(feature = "suite0")]
fn keys(provider: &Provider) -> [SecurityContext<Provider>; KEYS] {
    use dlms_security::{AuthenticationKey, SecretKey, SecuritySuite};

    let suite = SecuritySuite::Suite0;
    [unwrap(SecurityContext::new(
        provider,
        suite,
        TITLE,
        &unwrap(SecretKey::new(suite, b"0123456789ABCDEF")),
        unwrap(AuthenticationKey::new(b"FEDCBA9876543210")),
        CounterId(0),
        0,
    ))]
}
