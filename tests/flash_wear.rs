//! Ten years of a meter on NOR flash: how often each sector of counters, rows and certificates is erased.
//!
//! Every quarter of an hour a client opens an association, sends eight protected requests and hears as many answers, and a
//! row is captured; ten events go into a log each day; once a day the power goes. Flash inside a microcontroller endures
//! 10,000 erasures of a sector, serial flash 100,000.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "common/flash.rs"]
mod flash;

use cosem_objects::classes::{FlashRows, RowStorage};
use dlms_security::certificate::{
    Certificate, CertificateEntity, CertificateStore as _, CertificateTime, FlashCertificates,
    NewCertificate, StoredCertificate, Subject, Validity,
};
use dlms_security::{
    CounterId, Curve, FlashCounters, FloorStorage, NoRandom, PeerWindows, PrivateKey, PublicKeyProvider as _,
    RustCrypto, SendCounter, SystemTitle,
};

const SECTOR: usize = 4096;
const YEARS: u32 = 10;
const DAYS: u32 = YEARS * 365;
const EXCHANGES_PER_DAY: u32 = 96;
const REQUESTS: u32 = 8;
/// The least that any flash endures.
const ENDURANCE: u32 = 10_000;

type Flash = flash::Flash<4, SECTOR>;

/// The most and the fewest erasures of a sector.
fn wear_of(flash: &Flash, what: &str) -> (u32, u32) {
    let erasures = flash.erasures();
    let (most, fewest) = (*erasures.iter().max().unwrap(), *erasures.iter().min().unwrap());
    println!("{what}: {most} erasures of a sector in {YEARS} years, {} sectors", erasures.len());
    (most, fewest)
}

/// Two sectors, a key and a client.
#[test]
fn counters_endure_ten_years() {
    const CLIENT: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x02");
    const ID: CounterId = CounterId(1);
    let flash = Flash::new(2);
    FlashCounters::<_, 24>::format(flash.clone(), 0, SECTOR as u32).unwrap();
    let mut client = SendCounter::new(CounterId(9), 0);
    let mut used = 0;
    for _ in 0..DAYS {
        let mut store = FlashCounters::<_, 24>::open(flash.clone(), 0, SECTOR as u32).unwrap();
        let mut answers = SendCounter::new(ID, 0);
        let mut windows = PeerWindows::<[_; 4]>::new();
        // The client is told where the meter goes on after the power was gone.
        let floor = windows.look_up(CLIENT, ID, &mut store).unwrap().lowest_acceptable();
        client.advance_to(floor, FloorStorage::DEFAULT_STEP).unwrap();
        // Opening it takes the AARQ, the proof, what carries the proof, and the release.
        for _ in 0..EXCHANGES_PER_DAY * (REQUESTS + 4) {
            let request = client.next(&mut dlms_security::Forgetful).unwrap();
            let storage = FloorStorage::Ahead(FloorStorage::DEFAULT_STEP);
            windows.accept(CLIENT, request, storage, ID, &mut store).unwrap();
            let answer = answers.next(&mut store).unwrap().value();
            assert!(answer >= used, "a nonce is used twice");
            used = answer + 1;
        }
    }
    let (most, fewest) = wear_of(&flash, "counters");
    assert!(most < ENDURANCE / 10 && most - fewest <= 2, "{most}");
    assert!(used < 1 << 23, "{used} of 2^32 values in ten years");
}

/// A profile of a year in 2 MiB, and a log of 500 events in 40 KiB.
#[test]
fn rows_endure_ten_years() {
    let wear = |sectors: usize, capacity: u32, rows: u32, what: &str| {
        let flash = Flash::new(sectors);
        let length = (sectors * SECTOR) as u32;
        let mut storage = FlashRows::<_, 44>::open(flash.clone(), 0, length, capacity).unwrap();
        for number in 0..rows {
            while storage.len() >= storage.capacity() {
                storage.remove(0);
            }
            storage.insert(storage.len(), &number.to_be_bytes()).unwrap();
        }
        assert_eq!(storage.len(), capacity);
        wear_of(&flash, what).0
    };
    let most = wear(512, 35_040, YEARS * 35_040, "load profile");
    assert!(most <= YEARS, "{most}");
    let most = wear(10, 500, DAYS * 10, "event log");
    assert!(most < ENDURANCE / 100, "{most}");
}

/// Two sectors, and a certificate that is renewed every week.
#[test]
fn certificates_endure_ten_years() {
    let provider = RustCrypto::new(NoRandom);
    let key = PrivateKey::new(Curve::P256, &[7; 32]).unwrap();
    let new = NewCertificate {
        serial_number: &[1],
        validity: Validity {
            not_before: CertificateTime::from_date(2026, 1, 1).unwrap(),
            not_after: CertificateTime::from_date(2036, 1, 1).unwrap(),
        },
        subject: Subject::Authority { organization: "Utility", common_name: "Root", path_length: None },
        public_key: provider.public_key(&key).unwrap(),
    };
    let mut buffer = [0; 512];
    let der = new.issue(&provider, None, &key, &mut buffer).unwrap();
    let stored = StoredCertificate {
        certificate: Certificate::from_der(der).unwrap(),
        entity: CertificateEntity::CertificationAuthority,
        is_trust_anchor: true,
    };
    let flash = Flash::new(2);
    let store = FlashCertificates::<_, 8, 512>::format(flash.clone(), 0, SECTOR as u32).unwrap();
    for _ in 0..YEARS * 52 {
        store.insert(&stored).unwrap();
        assert!(store.remove(&mut |_| true).unwrap());
    }
    let (most, _) = wear_of(&flash, "certificates");
    assert!(most < ENDURANCE / 10, "{most}");
}
