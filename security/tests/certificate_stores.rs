//! Stores of certificates, in memory and on a flash whose power is cut between any two writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::LazyLock;

use dlms_security::certificate::{
    Certificate, CertificateEntity, CertificateFault, CertificateId, CertificateStore, CertificateTime,
    CertificateType, FlashCertificates, MemoryCertificates, NewCertificate, StoredCertificate, Subject,
    Validity,
};
use dlms_security::{
    Curve, KeyUsage, KnownPeer, NoRandom, PrivateKey, PublicKeyProvider, RustCrypto, SecurityError,
    SystemTitle,
};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

const ECC: RustCrypto<NoRandom> = RustCrypto::new(NoRandom);

const METER: SystemTitle = SystemTitle::from_octets(*b"MMM\0\0\xBC\x61\x4E");
const CLIENT: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x01");

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(Curve::P256, &[seed; 32]).unwrap()
}

fn issue(serial: u8, subject: Subject<'_>, own: u8, issuer: Option<(&[u8], u8)>) -> Vec<u8> {
    let not_before = CertificateTime::from_date(2026, 1, 1).unwrap();
    let not_after = CertificateTime::from_date(2027, 1, 1).unwrap();
    let new = NewCertificate {
        serial_number: &[serial],
        validity: Validity { not_before, not_after },
        subject,
        public_key: ECC.public_key(&key(own)).unwrap(),
    };
    let parsed = issuer.map(|(der, _)| Certificate::from_der(der).unwrap());
    let mut buffer = [0; 1024];
    let signer = key(issuer.map_or(own, |(_, signer)| signer));
    new.issue(&ECC, parsed.as_ref(), &signer, &mut buffer).unwrap().to_vec()
}

/// A root, an authority below it, and what they issued.
struct Issued {
    root: Vec<u8>,
    authority: Vec<u8>,
    meter: Vec<u8>,
    meter_agreement: Vec<u8>,
    client: Vec<u8>,
    renewed: Vec<u8>,
    stranger: Vec<u8>,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(|| {
    let authority =
        |common_name| Subject::Authority { organization: "Utility", common_name, path_length: None };
    let signature = |title| Subject::Party(title, KeyUsage::DigitalSignature);
    let root = issue(1, authority("Root"), 1, None);
    let below = issue(2, authority("Meters"), 2, Some((&root, 1)));
    let other = issue(1, authority("Other"), 9, None);
    Issued {
        meter: issue(3, signature(METER), 3, Some((&below, 2))),
        meter_agreement: issue(4, Subject::Party(METER, KeyUsage::KeyAgreement), 4, Some((&below, 2))),
        client: issue(0x80, signature(CLIENT), 5, Some((&root, 1))),
        renewed: issue(0x81, signature(CLIENT), 6, Some((&root, 1))),
        stranger: issue(7, signature(CLIENT), 7, Some((&other, 9))),
        root,
        authority: below,
    }
});

fn own() -> KnownPeer {
    let public = |seed| Some(ECC.public_key(&key(seed)).unwrap());
    KnownPeer { title: METER, keys: [public(3), public(4), None] }
}

fn anchor(der: &[u8]) -> StoredCertificate<'_> {
    StoredCertificate {
        entity: CertificateEntity::CertificationAuthority,
        is_trust_anchor: true,
        certificate: Certificate::from_der(der).unwrap(),
    }
}

fn import(store: &dyn CertificateStore, der: &[u8]) -> Result<CertificateEntity, SecurityError> {
    store.import(&ECC, &own(), der).map(|(entity, _)| entity)
}

fn contents(store: &dyn CertificateStore) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    store.visit(&mut |stored| {
        assert!(all.insert(stored.certificate.der().to_vec()), "twice");
        ControlFlow::Continue(())
    });
    all
}

fn fault<T: std::fmt::Debug>(result: Result<T, SecurityError>) -> CertificateFault {
    match result.unwrap_err() {
        SecurityError::Certificate(error) => error.fault,
        other => panic!("{other:?}"),
    }
}

/// What every store does.
fn behaves(store: &dyn CertificateStore, set_time: &dyn Fn(Option<CertificateTime>)) {
    let issued = &*ISSUED;
    assert_eq!(fault(import(store, &issued.client)), CertificateFault::UnknownIssuer);
    store.insert(&anchor(&issued.root)).unwrap();
    assert_eq!(
        fault(import(store, &issued.meter)),
        CertificateFault::UnknownIssuer,
        "one in between is missing"
    );
    assert_eq!(import(store, &issued.authority), Ok(CertificateEntity::CertificationAuthority));
    assert_eq!(import(store, &issued.meter), Ok(CertificateEntity::Server));
    assert_eq!(import(store, &issued.meter), Ok(CertificateEntity::Server), "once more changes nothing");
    assert_eq!(import(store, &issued.meter_agreement), Ok(CertificateEntity::Server));
    assert_eq!(import(store, &issued.client), Ok(CertificateEntity::Client));
    assert_eq!(contents(store).len(), 5);
    assert_eq!(fault(import(store, &issued.stranger)), CertificateFault::UnknownIssuer);
    let not_ours = issue(9, Subject::Party(METER, KeyUsage::DigitalSignature), 8, Some((&issued.root, 1)));
    assert_eq!(import(store, &not_ours), Err(SecurityError::InvalidKey));
    let same_number =
        issue(0x80, Subject::Party(METER, KeyUsage::DigitalSignature), 3, Some((&issued.root, 1)));
    assert_eq!(fault(import(store, &same_number)), CertificateFault::DuplicateSerialNumber);
    assert_eq!(contents(store).len(), 5);

    // A renewed certificate takes the place of the old one.
    let public = |seed| Some(ECC.public_key(&key(seed)).unwrap());
    assert_eq!(store.public_key(CLIENT, KeyUsage::DigitalSignature), public(5));
    assert_eq!(import(store, &issued.renewed), Ok(CertificateEntity::Client));
    assert_eq!(store.public_key(CLIENT, KeyUsage::DigitalSignature), public(6));
    assert_eq!(store.public_key(CLIENT, KeyUsage::KeyAgreement), None);
    assert_eq!(store.public_key(METER, KeyUsage::KeyAgreement), public(4));
    assert_eq!(contents(store).len(), 5);

    // Out of its validity a key is not given; without a clock it is.
    set_time(CertificateTime::from_date(2028, 1, 1));
    assert_eq!(store.public_key(CLIENT, KeyUsage::DigitalSignature), None);
    assert_eq!(store.certified_key(&ECC, &issued.client, CLIENT, KeyUsage::DigitalSignature), None);
    set_time(CertificateTime::from_date(2026, 6, 1));
    assert_eq!(store.public_key(CLIENT, KeyUsage::DigitalSignature), public(6));
    let certified = |der, owner| store.certified_key(&ECC, der, owner, KeyUsage::DigitalSignature);
    assert_eq!(certified(&issued.client, CLIENT), public(5));
    assert_eq!(certified(&issued.client, METER), None);
    assert_eq!(certified(&issued.stranger, CLIENT), None);

    // By entity, and by number in every form that is met.
    let client = CertificateId::ByEntity {
        entity: CertificateEntity::Client,
        certificate_type: CertificateType::DigitalSignature,
        title: CLIENT.octets(),
    };
    let der = |id: &CertificateId<'_>| store.find(id, |stored| stored.certificate.der().to_vec());
    assert_eq!(der(&client).as_ref(), Ok(&issued.renewed));
    let root = Certificate::from_der(&issued.root).unwrap();
    let texts = ["O=Utility, CN=Root", "CN=Root,O=Utility"].map(str::as_bytes);
    for serial_number in [&[0, 0x81][..], &[0x81], &[2, 2, 0, 0x81]] {
        for issuer in [root.subject().der(), texts[0], texts[1]] {
            assert_eq!(
                der(&CertificateId::BySerialNumber { serial_number, issuer }).as_ref(),
                Ok(&issued.renewed)
            );
        }
    }
    for serial_number in [&[0x82][..], &[], &[2, 1, 0x81, 0], &[0x81, 0]] {
        let id = CertificateId::BySerialNumber { serial_number, issuer: root.subject().der() };
        assert_eq!(der(&id), Err(SecurityError::KeyMissing));
    }
    // Two authorities: an id that means both means none.
    let authorities = CertificateId::ByEntity {
        entity: CertificateEntity::CertificationAuthority,
        certificate_type: CertificateType::Other,
        title: &[],
    };
    assert_eq!(der(&authorities), Err(SecurityError::KeyMissing));

    assert_eq!(
        store.remove_certificate(&client),
        Ok((CertificateEntity::Client, CertificateType::DigitalSignature))
    );
    assert_eq!(store.remove_certificate(&client), Err(SecurityError::KeyMissing));
    assert_eq!(store.public_key(CLIENT, KeyUsage::DigitalSignature), None);
    let id = CertificateId::BySerialNumber { serial_number: &[1], issuer: root.subject().der() };
    assert_eq!(der(&id).as_ref(), Ok(&issued.root), "a trust anchor can be exported");
    assert_eq!(store.remove_certificate(&id), Err(SecurityError::KeyMissing), "but not removed");
    assert_eq!(contents(store).len(), 4);

    // The authority in between becomes a trust anchor, and stays one.
    let id = CertificateId::BySerialNumber { serial_number: &[2], issuer: root.subject().der() };
    let is_anchor = || store.find(&id, |stored| stored.is_trust_anchor);
    assert_eq!(is_anchor(), Ok(false));
    store.insert(&anchor(&issued.authority)).unwrap();
    assert_eq!(is_anchor(), Ok(true));
    assert_eq!(import(store, &issued.authority), Ok(CertificateEntity::CertificationAuthority));
    assert_eq!(is_anchor(), Ok(true));
    assert_eq!(contents(store).len(), 4);
}

#[test]
fn in_memory() {
    let store = MemoryCertificates::<8, 512>::new();
    behaves(&store, &|time| store.set_time(time));
}

#[test]
fn on_flash() {
    let store = FlashCertificates::<_, 8, 512>::format(Flash::<4>::new(8192), 0, 4096).unwrap();
    behaves(&store, &|time| store.set_time(time));
    let before = contents(&store);
    let store = FlashCertificates::<_, 8, 512>::open(store.into_flash(), 0, 4096).unwrap();
    assert_eq!(contents(&store), before);
}

#[test]
fn full_stores_say_so_and_stay_as_they_are() {
    let issued = &*ISSUED;
    let memory = MemoryCertificates::<2, 512>::new();
    let few = FlashCertificates::<_, 2, 512>::format(Flash::<4>::new(8192), 0, 4096).unwrap();
    let small = FlashCertificates::<_, 8, 512>::format(Flash::<4>::new(2048), 0, 1024).unwrap();
    for store in [&memory as &dyn CertificateStore, &few, &small] {
        store.insert(&anchor(&issued.root)).unwrap();
        import(store, &issued.client).unwrap();
        let before = contents(store);
        assert_eq!(import(store, &issued.authority), Err(SecurityError::StoreFull));
        assert_eq!(contents(store), before);
        // There is room for one in the place of another.
        import(store, &issued.renewed).unwrap();
        assert_eq!(contents(store).len(), 2);
    }
    let narrow = MemoryCertificates::<2, 300>::new();
    assert!(matches!(narrow.insert(&anchor(&issued.root)), Err(SecurityError::BufferTooSmall { .. })));
}

/// Flash that writes each unit once between two erasures, and whose power can be cut.
struct Flash<const WRITE: usize> {
    octets: Vec<u8>,
    /// Writes and erasures of a unit that are left until the power goes.
    left: Rc<Cell<usize>>,
    /// What a unit that was being written or erased then holds.
    torn: u8,
}

#[derive(Debug)]
struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

const ERASE: usize = 1024;

impl<const WRITE: usize> Flash<WRITE> {
    fn new(length: usize) -> Self {
        Self { octets: vec![0xA5; length], left: Rc::new(Cell::new(usize::MAX)), torn: 0xFF }
    }

    /// Whether the power is still there for one step.
    fn step(&mut self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }
}

impl<const WRITE: usize> ErrorType for Flash<WRITE> {
    type Error = PowerCut;
}

impl<const WRITE: usize> ReadNorFlash for Flash<WRITE> {
    const READ_SIZE: usize = if WRITE > 4 { 4 } else { 1 };

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerCut> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(Self::READ_SIZE) && bytes.len().is_multiple_of(Self::READ_SIZE));
        bytes.copy_from_slice(&self.octets[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.octets.len()
    }
}

impl<const WRITE: usize> NorFlash for Flash<WRITE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        assert!((from as usize).is_multiple_of(ERASE) && (to as usize).is_multiple_of(ERASE) && from < to);
        for page in self.octets.clone().chunks(ERASE).enumerate().map(|(page, _)| page * ERASE) {
            if (from as usize..to as usize).contains(&page) {
                if !self.step() {
                    // Half of the page.
                    self.octets[page..page + ERASE / 2].fill(0xFF);
                    return Err(PowerCut);
                }
                self.octets[page..page + ERASE].fill(0xFF);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(WRITE) && bytes.len().is_multiple_of(WRITE));
        for (index, unit) in bytes.chunks(WRITE).enumerate() {
            let at = offset + index * WRITE;
            assert!(self.octets[at..at + WRITE].iter().all(|octet| *octet == 0xFF), "written twice");
            if !self.step() {
                let torn = self.torn;
                self.octets[at..at + WRITE].iter_mut().zip(unit).for_each(|(old, new)| *old = new | torn);
                return Err(PowerCut);
            }
            self.octets[at..at + WRITE].copy_from_slice(unit);
        }
        Ok(())
    }
}

type Change = Box<dyn Fn(&dyn CertificateStore) -> Result<(), SecurityError>>;

/// Changes that fill the areas several times over.
fn changes() -> Vec<Change> {
    fn put(entity: CertificateEntity, der: &'static [u8]) -> Change {
        let certificate = Certificate::from_der(der).unwrap();
        Box::new(move |store| {
            store.insert(&StoredCertificate { entity, is_trust_anchor: false, certificate })
        })
    }
    fn take(der: &'static [u8]) -> Change {
        Box::new(move |store| store.remove(&mut |stored| stored.certificate.der() == der).map(|_| ()))
    }
    let issued = &*ISSUED;
    let mut changes: Vec<Change> = vec![
        Box::new(|store| store.insert(&anchor(&ISSUED.root))),
        put(CertificateEntity::CertificationAuthority, &issued.authority),
    ];
    for _ in 0..2 {
        changes.push(put(CertificateEntity::Client, &issued.client));
        changes.push(put(CertificateEntity::Server, &issued.meter));
        changes.push(put(CertificateEntity::Client, &issued.renewed));
        changes.push(take(&issued.meter));
        changes.push(put(CertificateEntity::Client, &issued.client));
        changes.push(take(&issued.client));
    }
    changes
}

fn survives_cuts<const WRITE: usize>(torn: u8) {
    type Store<const WRITE: usize> = FlashCertificates<Flash<WRITE>, 6, 512>;
    const AREA: u32 = 2048;
    // What is there before each change and after the last.
    let model = MemoryCertificates::<6, 512>::new();
    let changes = changes();
    let mut states = vec![contents(&model)];
    for change in &changes {
        change(&model).unwrap();
        states.push(contents(&model));
    }
    let changed = |octets: &[u8], change: usize, cut: usize| {
        let flash = Flash::<WRITE> { octets: octets.to_vec(), left: Rc::default(), torn };
        let left = Rc::clone(&flash.left);
        let store = Store::<WRITE>::open(flash, 0, AREA).unwrap();
        left.set(cut);
        let is_whole = changes[change](&store).is_ok();
        if is_whole {
            assert_eq!(contents(&store), states[change + 1], "change {change}");
        }
        (store.into_flash().octets, is_whole)
    };
    let blank = Flash::<WRITE>::new(2 * AREA as usize);
    let mut octets = Store::<WRITE>::format(blank, 0, AREA).unwrap().into_flash().octets;
    for change in 0..changes.len() {
        let cuts = (0..).map(|cut| changed(&octets, change, cut)).take_while(|(_, is_whole)| !is_whole);
        for (cut, (octets, _)) in cuts.enumerate() {
            let store = Store::<WRITE>::open(Flash { octets, ..Flash::<WRITE>::new(0) }, 0, AREA).unwrap();
            let found = contents(&store);
            assert!(
                found == states[change] || found == states[change + 1],
                "change {change}, cut {cut}: {} certificates",
                found.len()
            );
            // With power the same change is made, and what follows it.
            let mut octets = store.into_flash().octets;
            for change in change..changes.len().min(change + 3) {
                let (next, is_whole) = changed(&octets, change, usize::MAX);
                assert!(is_whole, "change {change} after cut {cut}");
                octets = next;
            }
        }
        octets = changed(&octets, change, usize::MAX).0;
    }
}

#[test]
fn power_cuts_lose_at_most_the_change_at_hand() {
    survives_cuts::<8>(0xFF);
    survives_cuts::<8>(0x0F);
    survives_cuts::<32>(0x00);
}

#[test]
fn what_is_no_store_is_not_opened() {
    let open = |flash| FlashCertificates::<_, 4, 512>::open(flash, 0, 2048).is_err();
    assert!(open(Flash::<4>::new(4096)));
    let mut blank = Flash::<4>::new(4096);
    blank.erase(0, 4096).unwrap();
    assert!(open(blank));
    let format =
        |start, length| FlashCertificates::<_, 4, 512>::format(Flash::<4>::new(4096), start, length).is_ok();
    assert!(format(0, 2048) && format(1024, 1024));
    assert!(
        !format(512, 1024)
            && !format(0, 1000)
            && !format(0, 0)
            && !format(2048, 2048)
            && !format(0, u32::MAX)
    );
}
