//! The models as a server hosts them: what each association sees, the past, the load, the relay, a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use cosem_objects::classes::AssociationLn;
use cosem_objects::{AccessSelector, AssociationId, Context, Effects, GetError, LogicalDevice};
use dlms::server::Event;
use dlms_axdr::{BufferFull, Cursor, Data, Encoder, OwnedData};
use dlms_meters::{MeterModel, Options, Simulation};
use dlms_obis::LogicalName;
use dlms_security::{CounterId, CounterStore};

/// Thu 2026-01-15 10:00:00 UTC.
const START: i64 = 1_768_471_200_000;
const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const POWER: LogicalName = LogicalName::new(1, 0, 1, 7, 0, 255);
const RELAY: LogicalName = LogicalName::new(0, 0, 96, 3, 10, 255);
const TEXT: LogicalName = LogicalName::new(0, 0, 96, 1, 9, 255);
const IMAGE: LogicalName = LogicalName::new(0, 0, 44, 0, 0, 255);

fn options() -> Options {
    Options { unix_milliseconds: START, speed: 1.0, seed: 1, state: None }
}

fn meter(model: MeterModel) -> Simulation {
    Simulation::new(model, options()).unwrap()
}

fn get(
    meter: &Simulation,
    association: Option<u8>,
    class_id: u16,
    name: LogicalName,
    attribute: i8,
) -> Vec<u8> {
    select(meter, association, class_id, name, attribute, None)
}

fn select(
    meter: &Simulation,
    association: Option<u8>,
    class_id: u16,
    name: LogicalName,
    attribute: i8,
    selector: Option<AccessSelector<'_>>,
) -> Vec<u8> {
    let index = meter.device.find(class_id, name).unwrap();
    let context = Context { association: association.map(AssociationId), device: &meter.device };
    let mut octets = Vec::new();
    let mut cursor = Cursor::default();
    loop {
        let mut buffer = [0; 4096];
        let mut encoder = Encoder::resume(&mut buffer, cursor);
        let result = meter.device.object(index).unwrap().get(attribute, selector, &context, &mut encoder);
        octets.extend_from_slice(encoder.written());
        match result {
            Ok(()) => return octets,
            Err(GetError::Full(BufferFull)) => cursor = encoder.cursor(),
            Err(GetError::Refused(result)) => panic!("{result:?}"),
        }
    }
}

fn number(meter: &Simulation, name: LogicalName) -> u32 {
    match Data::from_octets(&get(meter, None, 3, name, 2)).unwrap() {
        Data::DoubleLongUnsigned(value) => value,
        other => panic!("{other:?}"),
    }
}

fn invoke(meter: &mut Simulation, class_id: u16, name: LogicalName, method: i8, parameter: &OwnedData) {
    let index = meter.device.find(class_id, name).unwrap();
    let mut effects = Effects::new();
    let object = meter.device.object_mut(index).unwrap();
    object.invoke(method, parameter.as_data(), &mut effects, &mut Encoder::new(&mut [])).unwrap();
    for effect in effects {
        meter.handle_event::<Provider>(&Event::Effect(effect), &[]).unwrap();
    }
}

type Provider = dlms_security::RustCrypto<dlms_security::NoRandom>;

fn rows(buffer: &[u8]) -> Vec<OwnedData> {
    match OwnedData::from_octets(buffer).unwrap() {
        OwnedData::Array(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn listed(meter: &Simulation, association: u8) -> usize {
    let index = meter.device.association_object(AssociationId(association)).unwrap();
    let name = meter.device.object(index).unwrap().logical_name();
    let octets = get(meter, Some(association), 15, name, 2);
    let list = AssociationLn::OBJECT_LIST.decode(Data::from_octets(&octets).unwrap()).unwrap();
    list.map(Result::unwrap).count()
}

#[test]
fn credentials_of_the_lab() {
    let credentials = MeterModel::Lab.credentials().unwrap();
    assert_eq!(
        (credentials[0].name.as_str(), credentials[0].client, credentials[0].auth),
        ("public", 16, "none")
    );
    assert_eq!(credentials[0].ek, None);
    let clients: std::collections::HashSet<_> = credentials.iter().map(|it| it.client).collect();
    assert_eq!(clients.len(), credentials.len(), "each has a client address of its own");
    for auth in ["none", "lls", "hls", "md5", "sha1", "gmac", "sha256"] {
        assert!(credentials.iter().any(|it| it.auth == auth && it.security == "none"), "{auth}");
        for suite in 0..3 {
            for security in ["auth", "auth-enc"] {
                let found = credentials
                    .iter()
                    .find(|it| it.auth == auth && it.suite == Some(suite) && it.security == security);
                let length = if suite == 2 { 64 } else { 32 };
                assert_eq!(found.unwrap().ek.as_ref().unwrap().len(), length, "{auth} {suite} {security}");
                assert!(found.unwrap().counter_object.is_some());
            }
        }
    }
    let keys: std::collections::HashSet<_> = credentials.iter().filter_map(|it| it.ek.clone()).collect();
    assert_eq!(
        keys.len(),
        credentials.iter().filter(|it| it.ek.is_some()).count(),
        "each has a key of its own"
    );
}

#[test]
fn associations_agree_with_the_credentials() {
    for model in [MeterModel::Lab, MeterModel::Pmm1220] {
        let meter = meter(model);
        let provider = Provider::new(dlms_security::NoRandom);
        let security = meter.security(&provider).unwrap();
        let associations = meter.associations().unwrap();
        for (config, credentials) in associations.iter().zip(meter.credentials().unwrap()) {
            assert_eq!(config.client_sap, credentials.client);
            assert_eq!(config.security.is_some(), credentials.ek.is_some(), "{}", credentials.name);
            let suite = config.security.map(|place| security[place].suite().id());
            assert_eq!(suite, credentials.suite, "{}", credentials.name);
        }
    }
}

#[test]
fn what_each_association_of_the_pmm1220_sees() {
    let meter = meter(MeterModel::Pmm1220);
    let counts: Vec<_> = (0..6).map(|association| listed(&meter, association)).collect();
    assert_eq!(counts[0], 23, "{counts:?}");
    assert!(counts[3] > 330, "{counts:?}");
    let index = meter.device.find(7, PROFILE).unwrap();
    assert!(!meter.device.is_visible(AssociationId(5), index), "the customer's unit sees no profile");
    let own = meter.device.association_object(AssociationId(0)).unwrap();
    assert_eq!(meter.device.object(own).unwrap().logical_name(), LogicalName::new(0, 0, 40, 0, 1, 255));
}

#[test]
fn the_last_day_is_there_at_the_start() {
    for model in [MeterModel::Lab, MeterModel::Pmm1220] {
        let meter = meter(model);
        let buffer = rows(&get(&meter, None, 7, PROFILE, 2));
        assert!(buffer.len() > 700, "{model:?} {}", buffer.len());
        let last_day = &buffer[buffer.len() - 96..];
        let energies: Vec<_> = last_day
            .iter()
            .map(|row| {
                let OwnedData::Structure(cells) = row else { panic!() };
                let OwnedData::DoubleLongUnsigned(energy) = cells[2] else { panic!("{cells:?}") };
                energy
            })
            .collect();
        assert!(energies.windows(2).all(|pair| pair[0] <= pair[1]), "energy rises");
        let day = energies[95] - energies[0];
        assert!((2_000..40_000).contains(&day), "{day} Wh");
    }
}

#[test]
fn days_and_months_were_closed() {
    let meter = meter(MeterModel::Pmm1220);
    let monthly = rows(&get(&meter, None, 7, LogicalName::new(0, 0, 98, 1, 0, 255), 2));
    let daily = rows(&get(&meter, None, 7, LogicalName::new(0, 0, 98, 2, 0, 255), 2));
    assert_eq!((monthly.len(), daily.len()), (13, 62));
}

#[test]
fn time_passes_at_any_speed() {
    let mut meter = Simulation::new(MeterModel::Lab, Options { speed: 3600.0, ..options() }).unwrap();
    assert_eq!(meter.wall_time().unwrap().unix_milliseconds, START);
    let (energy, entries) = (number(&meter, ENERGY), get(&meter, None, 7, PROFILE, 7));
    meter.advance(Duration::from_secs(24));
    assert_eq!(meter.wall_time().unwrap().unix_milliseconds, START + 86_400_000);
    assert!(number(&meter, ENERGY) > energy + 2000);
    assert_ne!(get(&meter, None, 7, PROFILE, 7), entries);
    meter.advance(Duration::from_secs(24));
    assert_eq!(meter.wall_time().unwrap().unix_milliseconds, START + 86_400_000);
}

#[test]
fn an_open_relay_takes_the_power() {
    let mut meter = meter(MeterModel::Lab);
    let log = LogicalName::new(0, 0, 99, 98, 0, 255);
    // In the evening there is load.
    meter.advance(Duration::from_secs(9 * 3600));
    assert!(number(&meter, POWER) > 0);
    let events = rows(&get(&meter, None, 7, log, 2)).len();
    invoke(&mut meter, 70, RELAY, 1, &OwnedData::Integer(0));
    assert_eq!(get(&meter, None, 70, RELAY, 2), [0x03, 0x00]);
    assert_eq!(number(&meter, POWER), 0);
    let energy = number(&meter, ENERGY);
    meter.advance(Duration::from_secs(10 * 3600));
    assert_eq!(number(&meter, ENERGY), energy);
    invoke(&mut meter, 70, RELAY, 2, &OwnedData::Integer(0));
    assert!(number(&meter, POWER) > 0);
    let log = rows(&get(&meter, None, 7, log, 2));
    assert_eq!(log.len(), events + 2);
    let OwnedData::Structure(cells) = &log[log.len() - 2] else { panic!() };
    assert!(matches!(cells[1], OwnedData::Unsigned(62)), "{cells:?}");
}

#[test]
fn a_restart_forgets_nothing() {
    let directory = std::env::temp_dir().join(format!("dlms-meters-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let options = Options { state: Some(directory.clone()), ..options() };
    let mut meter = Simulation::new(MeterModel::Lab, options.clone()).unwrap();
    let text = meter.device.find(1, TEXT).unwrap();
    let object = meter.device.object_mut(text).unwrap();
    object.set(2, None, Data::OctetString(b"kept"), &mut Effects::new()).unwrap();
    invoke(&mut meter, 70, RELAY, 1, &OwnedData::Integer(0));
    let image = OwnedData::Structure(vec![
        OwnedData::OctetString(b"FW2".to_vec()),
        OwnedData::DoubleLongUnsigned(600),
    ]);
    invoke(&mut meter, 18, IMAGE, 1, &image);
    let block =
        OwnedData::Structure(vec![OwnedData::DoubleLongUnsigned(1), OwnedData::OctetString(vec![7; 256])]);
    invoke(&mut meter, 18, IMAGE, 2, &block);
    meter.counters.reserve(CounterId(3), 256).unwrap();
    let energy = number(&meter, ENERGY);
    let profile = get(&meter, None, 7, PROFILE, 2);
    meter.save_if_due(Duration::ZERO).unwrap();
    drop(meter);

    let later = Options { unix_milliseconds: START + 3_600_000, ..options };
    let mut meter = Simulation::new(MeterModel::Lab, later).unwrap();
    assert_eq!(meter.wall_time().unwrap().unix_milliseconds, START + 3_600_000);
    assert_eq!(get(&meter, None, 1, TEXT, 2)[2..], *b"kept");
    assert_eq!(get(&meter, None, 70, RELAY, 3), [0x16, 0x00]);
    assert_eq!(get(&meter, None, 7, PROFILE, 2), profile);
    assert_eq!(number(&meter, ENERGY), energy);
    assert_eq!(get(&meter, None, 18, IMAGE, 3), [0x04, 3, 0x40]);
    let provider = Provider::new(dlms_security::NoRandom);
    let security = meter.security(&provider).unwrap();
    assert_eq!(security[3].upcoming_counter().value(), 256);
    for number in [0, 2] {
        let length = if number == 2 { 88 } else { 256 };
        let block = OwnedData::Structure(vec![
            OwnedData::DoubleLongUnsigned(number),
            OwnedData::OctetString(vec![7; length]),
        ]);
        invoke(&mut meter, 18, IMAGE, 2, &block);
    }
    invoke(&mut meter, 18, IMAGE, 4, &OwnedData::Integer(0));
    assert_eq!(get(&meter, None, 1, LogicalName::new(1, 0, 0, 2, 0, 255), 2)[2..], *b"FW2");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn every_attribute_of_every_object_can_be_read() {
    for model in [MeterModel::Lab, MeterModel::Pmm1220] {
        let meter = meter(model);
        for index in 0..meter.device.object_count() {
            let object = meter.device.object(index).unwrap();
            for attribute in 1..=object.class().attributes {
                // Secrets are not shown, and whoever holds the keys answers for Security setup.
                if matches!((object.class().id, attribute), (15, 7) | (64, 2..)) {
                    continue;
                }
                let octets = get(&meter, Some(0), object.class().id, object.logical_name(), attribute);
                Data::from_octets(&octets).unwrap();
            }
        }
    }
}

#[test]
fn debug_output_shows_no_key() {
    for model in [MeterModel::Lab, MeterModel::Pmm1220] {
        let simulation = Simulation::new(model, options()).unwrap();
        for credentials in simulation.credentials().unwrap() {
            let text = format!("{simulation:?} {credentials:?} {credentials:#?}").to_lowercase();
            let secrets = [
                &credentials.ek,
                &credentials.ak,
                &credentials.dedicated,
                &credentials.password_hex,
                &credentials.signing_key,
            ];
            for secret in secrets.into_iter().flatten() {
                assert!(!text.contains(&secret.to_lowercase()), "{text}");
            }
        }
    }
}
