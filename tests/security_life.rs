//! The life of a meter under suite 2, from its first key pair to the removal of its certificate, without an allocator on
//! the meter's side; and once more for each instant at which power can fail.
//!
//! The medium keeps what a meter keeps: counters, keys, policy, key pairs, certificates. Power fails before or after one
//! of its writes; the meter then starts from what is there, the client opens an association again, with the old keys or
//! the new ones, and takes up where it was.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;
use core::time::Duration;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use cosem_objects::classes::{
    CertificateEntity, CertificateIdentification, CertificateType, Data as DataObject, Register,
    SecuritySetup,
};
use cosem_objects::{
    AccessRights, ActionResult, AssociationId, LogicalDevice, OctetString, ScalerUnit, Unit,
};
use dlms::client::security_setup::{KeyAgreement, key_transfer};
use dlms::client::{ActionItem, Client, ClientConfig, ClientError, Environment, Event, SetItem};
use dlms::server::{AssociationConfig, Host, KeyManager, Session};
use dlms::xdlms::{AttributeDescriptor, Conformance, MethodDescriptor};
use dlms::{Accepted, KeyClass, KeyPairs, KeyRing, PublicKeys, SecurityContext};
use dlms_axdr::{Data, Encode, Enum};
use dlms_obis::LogicalName;
use dlms_security::certificate::{
    Certificate, CertificateEntity as Entity, CertificateStore, CertificateTime, CertificationRequest,
    MemoryCertificates, NewCertificate, StoredCertificate, Subject, Validity,
};
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CounterStore, CryptoProvider, Forgetful,
    KeyFingerprint, KeyId, KeyPairSlot, KeyStore, KeyUsage, KnownPeer, PrivateKey, Protection, PublicKey,
    PublicKeyProvider, RequiredProtection, RustCrypto, Secret, SecretKey, SecurityError, SecuritySuite,
    SetupChange, StorageError, SystemTitle,
};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>>;
const PROVIDER: Provider = RustCrypto::new(random);
const SUITE: SecuritySuite = SecuritySuite::Suite2;
const METER: SystemTitle = SystemTitle::from_octets(*b"MTR\0\0\0\0\x01");
const UTILITY: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x02");
const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
const SIGN: KeyUsage = KeyUsage::DigitalSignature;
/// The security setups: that of the utility, and that of the manufacturer.
const SETUPS: usize = 2;

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    use core::sync::atomic::{AtomicU64, Ordering};
    static STATE: AtomicU64 = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
    for octet in out {
        let state = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        *octet = ((state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56) as u8;
    }
    Ok(())
}

// ---- the medium ----------------------------------------------------------------------------------------------------

/// When power fails: at the write with this number, before or after it.
#[derive(Clone, Copy, Debug)]
struct Cut {
    write: usize,
    is_done: bool,
}

/// What survives. Nothing here allocates.
struct Flash {
    kept: RefCell<Kept>,
    certificates: MemoryCertificates<6>,
    writes: Cell<usize>,
    cut: Cell<Option<Cut>>,
    is_off: Cell<bool>,
}

#[derive(Default)]
struct Kept {
    names: heapless::Vec<KeyFingerprint, 8>,
    ceilings: [u32; 8],
    floors: heapless::Vec<(u32, SystemTitle, u32), 16>,
    keys: [[Option<SecretKey>; 4]; SETUPS],
    policies: [RequiredProtection; SETUPS],
    pairs: [[[Option<PrivateKey>; 2]; 3]; SETUPS],
}

impl Flash {
    fn new(cut: Option<Cut>) -> Self {
        Self {
            kept: RefCell::default(),
            certificates: MemoryCertificates::new(),
            writes: Cell::new(0),
            cut: Cell::new(cut),
            is_off: Cell::new(false),
        }
    }

    /// Writes, unless power fails.
    fn write<T>(&self, write: impl FnOnce() -> Result<T, SecurityError>) -> Result<T, SecurityError> {
        let number = self.writes.replace(self.writes.get() + 1);
        let fails = self.cut.get().filter(|cut| cut.write == number);
        if self.is_off.get() || fails.is_some_and(|cut| !cut.is_done) {
            self.is_off.set(true);
            return Err(StorageError.into());
        }
        let written = write()?;
        if fails.is_some() {
            self.is_off.set(true);
            return Err(StorageError.into());
        }
        Ok(written)
    }
}

#[derive(Clone, Copy)]
struct Medium<'f>(&'f Flash);

impl CounterStore for Medium<'_> {
    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.0.kept.borrow().ceilings[id.0 as usize])
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        let kept = self.0.kept.borrow();
        Ok(kept.floors.iter().find(|floor| (floor.0, floor.1) == (id.0, peer)).map_or(0, |floor| floor.2))
    }

    /// Floors are written most often; what a cut there leads to is tried with the counters themselves.
    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, lowest: u32) -> Result<(), StorageError> {
        let floors = &mut self.0.kept.borrow_mut().floors;
        match floors.iter_mut().find(|floor| (floor.0, floor.1) == (id.0, peer)) {
            Some(floor) => floor.2 = floor.2.max(lowest),
            None => floors.push((id.0, peer, lowest)).map_err(|_| StorageError)?,
        }
        Ok(())
    }

    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        let written = self.0.write(|| {
            let kept = &mut self.0.kept.borrow_mut().ceilings[id.0 as usize];
            assert!(*kept <= ceiling, "a ceiling never goes down");
            *kept = ceiling;
            Ok(())
        });
        written.map_err(|_| StorageError)
    }
}

impl KeyStore for Medium<'_> {
    fn counter_id(&mut self, _: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        let names = &mut self.0.kept.borrow_mut().names;
        let id = match names.iter().position(|known| known == key) {
            Some(id) => id,
            None => {
                names.push(*key).map_err(|_| StorageError)?;
                names.len() - 1
            }
        };
        Ok(CounterId(id as u32))
    }

    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        let written = self.0.write(|| {
            let kept = &mut *self.0.kept.borrow_mut();
            for key in change.keys {
                kept.keys[setup][usize::from(key.id.id())] = Some(key.key.clone());
            }
            for pair in change.key_pairs {
                let slot = usize::from(pair.slot == KeyPairSlot::Pending);
                kept.pairs[setup][pair.usage as usize][slot] = pair.key.cloned();
            }
            if let Some(policy) = change.policy {
                kept.policies[setup] = policy;
            }
            Ok(())
        });
        written.map_err(|_| StorageError)
    }
}

impl CertificateStore for Medium<'_> {
    fn visit(&self, visit: &mut dyn FnMut(&StoredCertificate<'_>) -> ControlFlow<()>) {
        self.0.certificates.visit(visit);
    }

    fn insert(&self, new: &StoredCertificate<'_>) -> Result<(), SecurityError> {
        self.0.write(|| self.0.certificates.insert(new))
    }

    fn remove(
        &self,
        is_meant: &mut dyn FnMut(&StoredCertificate<'_>) -> bool,
    ) -> Result<bool, SecurityError> {
        self.0.write(|| self.0.certificates.remove(is_meant))
    }
}

// ---- the meter -----------------------------------------------------------------------------------------------------

struct Device {
    energy: Register<u32>,
    text: DataObject<OctetString<400>>,
    setup: SecuritySetup,
}

impl LogicalDevice for Device {
    cosem_objects::objects!(energy, text, setup);

    fn attribute_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::READ | AccessRights::WRITE
    }

    fn method_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::INVOKE
    }

    fn is_visible(&self, _: AssociationId, _: usize) -> bool {
        true
    }

    fn association_object(&self, _: AssociationId) -> Option<usize> {
        None
    }
}

/// The initial keys of a setup; the utility's are those of transport.
fn initial(setup: usize, id: KeyId) -> SecretKey {
    SecretKey::new(SUITE, &[0x11 * (1 + setup as u8 * 4 + id.id()); 32]).unwrap()
}

struct Meter<'f> {
    flash: &'f Flash,
    device: Device,
    associations: [AssociationConfig; 2],
    security: [SecurityContext<Provider>; SETUPS],
    key_rings: [KeyRing<Provider>; SETUPS],
    key_pairs: [KeyPairs; SETUPS],
    manager: KeyManager<Provider, Medium<'f>>,
    sessions: [Session<Provider, [u8; 2048]>; 2],
    transmit: [u8; 2048],
}

impl<'f> Meter<'f> {
    /// The meter starts from what the medium holds.
    fn start(flash: &'f Flash) -> Self {
        flash.is_off.set(false);
        let kept = |setup: usize, id: KeyId| {
            let key = flash.kept.borrow().keys[setup][usize::from(id.id())].clone();
            key.unwrap_or_else(|| initial(setup, id))
        };
        let security = [0, 1].map(|setup| {
            let unicast = kept(setup, KeyId::GlobalUnicast);
            let fingerprint = PROVIDER.fingerprint(METER, &unicast).unwrap();
            let id = Medium(flash).counter_id(setup, &fingerprint).unwrap();
            let authentication = kept(setup, KeyId::Authentication);
            let authentication = AuthenticationKey::from_key(SUITE, &authentication).unwrap();
            let reserved = Medium(flash).ceiling(id).unwrap();
            let mut context =
                SecurityContext::new(&PROVIDER, SUITE, METER, &unicast, authentication, id, reserved)
                    .unwrap();
            context.set_policy(flash.kept.borrow().policies[setup]);
            context
        });
        let key_rings = [0, 1].map(|setup| {
            let mut ring = KeyRing::new();
            ring.set_master_key(&PROVIDER, SUITE, &kept(setup, KeyId::Master)).unwrap();
            ring
        });
        let mut manager = KeyManager::new(Medium(flash));
        let key_pairs = [0, 1].map(|setup| {
            let mut pairs = KeyPairs::new();
            for usage in KeyUsage::ALL {
                let [in_use, pending] = flash.kept.borrow().pairs[setup][usage as usize].clone();
                pairs.set_in_use(usage, in_use);
                pairs.set_pending(usage, pending);
            }
            manager.recover(setup, &Medium(flash), &PROVIDER, METER, &mut pairs).unwrap();
            pairs
        });
        let signed = Protection::AUTHENTICATED_ENCRYPTED | Protection::SIGNED;
        let utility = AssociationConfig {
            mechanism: AuthenticationMechanism::Ecdsa,
            policy: signed,
            accepted: Accepted::default() | Accepted::IDENTIFIED_KEY | Accepted::SIGNING,
            security: Some(0),
            ciphered: true,
            secret: Secret::empty(),
            conformance: Conformance::LOGICAL_NAME,
            max_receive_pdu_size: 1600,
            ..AssociationConfig::public(1)
        };
        let manufacturer = AssociationConfig {
            client_sap: 2,
            mechanism: AuthenticationMechanism::Gmac,
            policy: Protection::AUTHENTICATED_ENCRYPTED,
            accepted: Accepted::default(),
            security: Some(1),
            ..utility.clone()
        };
        Self {
            flash,
            device: Device {
                energy: Register::new(
                    ENERGY,
                    5009,
                    ScalerUnit { scaler: 0, unit: Unit::ActiveEnergyWattHour },
                ),
                text: DataObject::new(TEXT, OctetString::new()),
                setup: SecuritySetup::new(SETUP, 1, 0),
            },
            associations: [utility, manufacturer],
            security,
            key_rings,
            key_pairs,
            manager,
            sessions: [Session::new(1, [0; 2048]), Session::new(2, [0; 2048])],
            transmit: [0; 2048],
        }
    }

    /// Answers an APDU, unless power fails meanwhile.
    fn answer(&mut self, session: usize, apdu: &mut [u8]) -> Option<&[u8]> {
        let medium = Medium(self.flash);
        let mut counters = medium;
        let mut host = Host {
            device: &mut self.device,
            system_title: METER,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &PROVIDER,
            counters: &mut counters,
            key_rings: &mut self.key_rings,
            public_keys: Some(PublicKeys { provider: &PROVIDER, own: &mut self.key_pairs, peers: &medium }),
            certificates: Some(&medium),
            key_management: Some(&mut self.manager),
            manufacturer: None,
            scratch: &mut [0; 64],
        };
        let range = self.sessions[session].handle_apdu(&mut host, Duration::ZERO, apdu, &mut self.transmit);
        while self.sessions[session].poll_event().is_some() {}
        if self.flash.is_off.get() { None } else { self.transmit.get(range?) }
    }
}

// ---- the certification authority -------------------------------------------------------------------------------------

struct Authority {
    key: PrivateKey,
    der: Vec<u8>,
    serial: u8,
}

impl Authority {
    fn new() -> Self {
        let key = PrivateKey::new(SUITE.curve().unwrap(), &[0x5A; 48]).unwrap();
        let mut authority = Self { key, der: Vec::new(), serial: 0 };
        let subject =
            Subject::Authority { organization: "Utility", common_name: "Meters", path_length: None };
        let public_key = PROVIDER.public_key(&authority.key).unwrap();
        authority.der = authority.issue(subject, public_key);
        authority
    }

    fn issue(&mut self, subject: Subject<'_>, public_key: PublicKey) -> Vec<u8> {
        self.serial += 1;
        let validity = Validity {
            not_before: CertificateTime::from_date(2026, 1, 1).unwrap(),
            not_after: CertificateTime::from_date(2046, 1, 1).unwrap(),
        };
        let new = NewCertificate { serial_number: &[self.serial], validity, subject, public_key };
        let own = (!self.der.is_empty()).then(|| Certificate::from_der(&self.der).unwrap());
        let mut buffer = [0; 1024];
        new.issue(&PROVIDER, own.as_ref(), &self.key, &mut buffer).unwrap().to_vec()
    }
}

// ---- both ends -----------------------------------------------------------------------------------------------------

/// The keys with which the utility speaks: the global unicast encryption key and the authentication key.
type Pair = [SecretKey; 2];

struct World<'f> {
    meter: Meter<'f>,
    authority: Authority,
    own: [KeyPairs; 1],
    peers: [KnownPeer; 1],
    utility: Client<Provider, Vec<u8>>,
    manufacturer: Client<Provider, Vec<u8>>,
    contexts: [SecurityContext<Provider>; SETUPS],
    /// The keys in use, and those that may be if an answer was lost.
    keys: Pair,
    next: Option<Pair>,
    /// The highest send counter of the meter under each key.
    highest: [u32; 8],
    last_request: Vec<u8>,
    restarts: usize,
}

/// Power failed.
#[derive(Debug)]
struct Off;

/// What a request came to.
#[derive(Debug, PartialEq)]
enum Answer {
    Associated,
    Value(Vec<u8>),
    Done(ActionResult, Option<Vec<u8>>),
    Set,
    Other(String),
}

const DONE: Answer = Answer::Done(ActionResult::Success, None);

/// The client's counters are of no interest here: they go on from a number that only rises.
fn context(keys: &Pair) -> SecurityContext<Provider> {
    use core::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let reserved = NEXT.fetch_add(1000, Ordering::Relaxed);
    let authentication = AuthenticationKey::from_key(SUITE, &keys[1]).unwrap();
    SecurityContext::new(&PROVIDER, SUITE, UTILITY, &keys[0], authentication, CounterId(0), reserved).unwrap()
}

fn initial_pair(setup: usize) -> Pair {
    [initial(setup, KeyId::GlobalUnicast), initial(setup, KeyId::Authentication)]
}

fn utility_key(usage: KeyUsage) -> PrivateKey {
    PrivateKey::new(SUITE.curve().unwrap(), &[0x21 + usage as u8; 48]).unwrap()
}

impl<'f> World<'f> {
    fn new(flash: &'f Flash) -> Self {
        let authority = Authority::new();
        // The trust anchor is put in when the meter is made.
        let certificate = Certificate::from_der(&authority.der).unwrap();
        let entity = Entity::CertificationAuthority;
        let anchor = StoredCertificate { entity, is_trust_anchor: true, certificate };
        flash.certificates.insert(&anchor).unwrap();
        let signed = Protection::AUTHENTICATED_ENCRYPTED | Protection::SIGNED;
        let manufacturer = ClientConfig {
            max_receive_pdu_size: 1600,
            server_title: Some(METER),
            ..ClientConfig::hls_gmac()
        };
        let utility = ClientConfig {
            mechanism: AuthenticationMechanism::Ecdsa,
            policy: signed,
            general_ciphering: Some(KeyClass::Global),
            ..manufacturer.clone()
        };
        Self {
            meter: Meter::start(flash),
            authority,
            own: [KeyPairs::new().with(SIGN, utility_key(SIGN))],
            peers: [KnownPeer { title: METER, keys: [None; 3] }],
            utility: Client::new(utility, vec![0; 4096]),
            manufacturer: Client::new(manufacturer, vec![0; 4096]),
            contexts: [0, 1].map(|setup| context(&initial_pair(setup))),
            keys: initial_pair(0),
            next: None,
            highest: [0; 8],
            last_request: Vec::new(),
            restarts: 0,
        }
    }

    fn request(
        &mut self,
        setup: usize,
        request: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, ClientError>,
    ) -> Result<Answer, Off> {
        let client = if setup == 0 { &mut self.utility } else { &mut self.manufacturer };
        let mut env = Environment {
            provider: &PROVIDER,
            counters: &mut Forgetful,
            security: Some(&mut self.contexts[setup]),
            key_ring: None,
            public_keys: Some(PublicKeys { provider: &PROVIDER, own: &mut self.own, peers: &self.peers }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut out = vec![0; 4096];
        let mut next = match request(client, &mut env, &mut out) {
            Ok(range) => Some(range),
            Err(error) => return Ok(Answer::Other(format!("{error:?}"))),
        };
        let mut value = Vec::new();
        while let Some(range) = next.take() {
            let apdu = &mut out[range];
            self.last_request = apdu.to_vec();
            let meter = &mut self.meter;
            let mut response = [0; 2048];
            let length = assert_no_alloc(|| {
                let answer = meter.answer(setup, apdu)?;
                response[..answer.len()].copy_from_slice(answer);
                Some(answer.len())
            });
            for context in &meter.security {
                let highest = &mut self.highest[context.counter_id().0 as usize];
                let upcoming = context.upcoming_counter().value();
                assert!(upcoming >= *highest, "a nonce comes twice");
                *highest = upcoming;
            }
            let Some(length) = length else { return Err(Off) };
            let reaction = match client.handle_apdu(&mut env, &mut response[..length], &mut out) {
                Ok(reaction) => reaction,
                Err(error) => return Ok(Answer::Other(format!("{error:?}"))),
            };
            next = reaction.transmit;
            match reaction.event {
                None => {}
                Some(Event::GetPiece { octets, last }) => {
                    value.extend_from_slice(octets);
                    if last {
                        return Ok(Answer::Value(value));
                    }
                }
                Some(Event::ActionDone { result, value }) => {
                    return Ok(Answer::Done(result, value.map(|value| value.unwrap().to_vec())));
                }
                Some(Event::SetDone(result)) if result.code() == 0 => return Ok(Answer::Set),
                Some(Event::Associated(_)) => return Ok(Answer::Associated),
                Some(event) => return Ok(Answer::Other(format!("{event:?}"))),
            }
        }
        Ok(Answer::Other("silence".into()))
    }

    fn associate(&mut self, setup: usize) -> Result<Answer, Off> {
        if setup == 0 {
            self.utility.link_lost()
        } else {
            self.manufacturer.link_lost()
        }
        self.request(setup, |client, env, out| client.associate(env, out))
    }

    /// Opens the association of a setup, with whichever keys the meter has.
    fn open(&mut self, setup: usize) -> Result<(), Off> {
        if setup == 0
            && let Some(next) = self.next.take()
        {
            // The answer to a change of keys was lost: either both are the old ones, or both are new.
            self.contexts[0] = context(&next);
            match self.associate(0) {
                Ok(Answer::Associated) => {
                    self.keys = next;
                    return Ok(());
                }
                answer => {
                    self.next = Some(next);
                    answer?;
                }
            }
        }
        let keys = if setup == 0 { self.keys.clone() } else { initial_pair(1) };
        self.contexts[setup] = context(&keys);
        match self.associate(setup)? {
            Answer::Associated => {
                self.next = self.next.take().filter(|_| setup != 0);
                Ok(())
            }
            other => panic!("association {setup}: {other:?}"),
        }
    }

    fn method(&mut self, setup: usize, method: i8, parameter: &dyn Encode) -> Result<Answer, Off> {
        let method = MethodDescriptor::new(64, SETUP, method);
        self.request(setup, |client, env, out| client.action(env, ActionItem::new(method, parameter), out))
    }

    fn value(&mut self, setup: usize, method: i8, parameter: &dyn Encode) -> Result<Vec<u8>, Off> {
        match self.method(setup, method, parameter)? {
            Answer::Done(ActionResult::Success, Some(value)) => Ok(value),
            other => panic!("method {method}: {other:?}"),
        }
    }

    fn get(&mut self, class_id: u16, name: LogicalName) -> Result<Answer, Off> {
        let item = AttributeDescriptor::new(class_id, name, 2);
        self.request(0, |client, env, out| client.get(env, item.into(), out))
    }

    /// Takes a step, as often as power fails in it.
    fn step(&mut self, step: impl Fn(&mut Self) -> Result<(), Off>) {
        while step(self).is_err() {
            self.restarts += 1;
            let flash = self.meter.flash;
            flash.cut.set(None);
            self.meter = assert_no_alloc(|| Meter::start(flash));
            for context in &self.meter.security {
                let used = self.highest[context.counter_id().0 as usize];
                assert!(context.upcoming_counter().value() >= used, "a nonce would come twice");
            }
        }
    }

    // ---- the steps -------------------------------------------------------------------------------------------------

    /// A new key pair, its request, its certificate.
    fn certify(&mut self, usage: KeyUsage) -> Result<(), Off> {
        self.open(1)?;
        assert_eq!(self.method(1, 4, &Enum(usage as u8))?, DONE);
        let request = self.value(1, 5, &Enum(usage as u8))?;
        let Data::OctetString(request) = Data::from_octets(&request).unwrap() else { panic!() };
        let request = CertificationRequest::from_der(request).unwrap();
        request.verify(&PROVIDER).unwrap();
        assert_eq!(request.title(), Some(METER));
        let certificate = self.authority.issue(Subject::Party(METER, usage), *request.public_key());
        self.peers[0].keys[usage as usize] = Some(*request.public_key());
        // If the answer is lost it is asked for again: with the same certificate.
        match self.method(1, 6, &Data::OctetString(&certificate)) {
            Ok(answer) => assert_eq!(answer, DONE),
            Err(Off) => self.step(|world| {
                world.open(1)?;
                assert_eq!(world.method(1, 6, &Data::OctetString(&certificate))?, DONE);
                Ok(())
            }),
        }
        Ok(())
    }

    fn import_utility(&mut self) -> Result<(), Off> {
        self.open(1)?;
        let public_key = PROVIDER.public_key(&utility_key(SIGN)).unwrap();
        let certificate = self.authority.issue(Subject::Party(UTILITY, SIGN), public_key);
        assert_eq!(self.method(1, 6, &Data::OctetString(&certificate))?, DONE);
        Ok(())
    }

    /// Mechanism 7; GET, SET and ACTION, signed and ciphered.
    fn use_it(&mut self) -> Result<(), Off> {
        self.open(0)?;
        let Answer::Value(_) = self.get(3, ENERGY)? else { panic!() };
        assert_eq!(self.last_request[0], 0xDD, "general-ciphering, with the signature inside");
        let text = [7; 300];
        let (item, value) = (AttributeDescriptor::new(1, TEXT, 2), Data::OctetString(&text));
        let answer = self.request(0, |client, env, out| client.set(env, SetItem::new(item, &value), out))?;
        assert_eq!(answer, Answer::Set);
        let Answer::Value(read) = self.get(1, TEXT)? else { panic!() };
        assert_eq!(Data::from_octets(&read).unwrap(), value);
        let reset = MethodDescriptor::new(3, ENERGY, 1);
        let item = ActionItem::new(reset, &0i8);
        assert_eq!(self.request(0, |client, env, out| client.action(env, item, out))?, DONE);
        Ok(())
    }

    /// New keys by agreement. If its answer is lost nobody but the meter knows them: keys are then transferred through
    /// the manufacturer's setup.
    fn agree(&mut self) -> Result<(), Off> {
        self.open(0)?;
        let ids = [KeyId::GlobalUnicast, KeyId::Authentication];
        let mut buffer = [0; 1024];
        let (agreement, parameter) =
            KeyAgreement::begin(&PROVIDER, &utility_key(SIGN), &ids, &mut buffer).unwrap();
        match self.value(0, 3, &parameter) {
            Ok(value) => {
                let server = self.peers[0].keys[0].unwrap();
                let answer = Data::from_octets(&value).unwrap();
                let keys = agreement.finish(&PROVIDER, &PROVIDER, &server, [UTILITY, METER], answer).unwrap();
                let [(_, unicast), (_, authentication)] = &keys[..] else { panic!() };
                self.keys = [unicast.clone(), authentication.clone()];
            }
            Err(Off) => self.step(|world| {
                world.open(1)?;
                let keys = [SecretKey::new(SUITE, &[0xC1; 32]).unwrap(), initial(0, KeyId::Authentication)];
                assert_eq!(world.transfer_through(1, &keys)?, DONE);
                world.keys = keys;
                Ok(())
            }),
        }
        Ok(())
    }

    fn transfer_through(&mut self, setup: usize, keys: &Pair) -> Result<Answer, Off> {
        let kek = PROVIDER.wrap_key(SUITE, &initial(0, KeyId::Master)).unwrap();
        let list = [(KeyId::GlobalUnicast, keys[0].clone()), (KeyId::Authentication, keys[1].clone())];
        let mut buffer = [0; 256];
        let parameter = key_transfer(&PROVIDER, SUITE, &kek, &list, &mut buffer).unwrap();
        self.method(setup, 2, &parameter)
    }

    /// New keys under the master key; if the answer is lost both pairs are tried.
    fn rotate(&mut self) -> Result<(), Off> {
        self.open(0)?;
        let keys = [0xE1, 0xE2].map(|octet| SecretKey::new(SUITE, &[octet; 32]).unwrap());
        if self.keys[0].expose() == keys[0].expose() {
            return Ok(());
        }
        self.next = Some(keys.clone());
        assert_eq!(self.transfer_through(0, &keys)?, DONE);
        self.next = None;
        let old = core::mem::replace(&mut self.keys, keys);
        // The old keys open nothing any more.
        self.contexts[0] = context(&old);
        assert_ne!(self.associate(0)?, Answer::Associated);
        self.open(0)
    }

    fn raise_policy(&mut self) -> Result<(), Off> {
        self.open(0)?;
        assert_eq!(self.method(0, 1, &Enum(0xFC))?, DONE);
        // It never goes down again.
        for weaker in [0x00, 0x6C, 0x7C, 0xEC] {
            assert_eq!(
                self.method(0, 1, &Enum(weaker))?,
                Answer::Done(ActionResult::OtherReason, None),
                "{weaker:#04x}"
            );
        }
        assert_eq!(self.get(64, SETUP)?, Answer::Value(vec![0x16, 0xFC]));
        Ok(())
    }

    /// What was said before is not heard again, and less protection than is required is refused.
    fn refuse(&mut self) -> Result<(), Off> {
        self.open(0)?;
        let reset = MethodDescriptor::new(3, ENERGY, 1);
        let item = ActionItem::new(reset, &0i8);
        assert_eq!(self.request(0, |client, env, out| client.action(env, item, out))?, DONE);
        let mut replayed = self.last_request.clone();
        let answer = self.meter.answer(0, &mut replayed).map(<[u8]>::to_vec).ok_or(Off)?;
        assert_eq!(answer[..3], [0xD8, 0x01, 0x06], "invocation counter error");
        // Signed only, ciphered only, and plain.
        let plain = [0xC0, 0x01, 0xC1, 0x00, 0x03, 1, 0, 1, 8, 0, 255, 0x02, 0x00];
        let ciphered = {
            let mut buffer = [0; 128];
            buffer[40..53].copy_from_slice(&plain);
            let range = self.contexts[0]
                .seal(
                    &PROVIDER,
                    &mut Forgetful,
                    None,
                    dlms::Envelope::GLOBAL,
                    Protection::AUTHENTICATED_ENCRYPTED,
                    &mut buffer,
                    40..53,
                )
                .unwrap();
            buffer[range].to_vec()
        };
        for mut weak in [plain.to_vec(), ciphered] {
            let answer = self.meter.answer(0, &mut weak).map(<[u8]>::to_vec).ok_or(Off)?;
            assert_eq!(answer, [0xD8, 0x01, 0x05], "deciphering error");
        }
        assert_eq!(self.get(3, ENERGY)?, Answer::Value(vec![6, 0, 0, 0, 0]));
        Ok(())
    }

    /// The utility's certificate goes, and with it the utility; then the meter's own, with its private key.
    fn remove(&mut self) -> Result<(), Off> {
        for (entity, title) in [(CertificateEntity::Client, UTILITY), (CertificateEntity::Server, METER)] {
            self.open(1)?;
            let id = CertificateIdentification::ByEntity {
                entity,
                certificate_type: CertificateType::DigitalSignature,
                system_title: title.octets(),
            };
            let answer = self.method(1, 8, &id)?;
            // Whoever asks again hears that there is none.
            assert!(matches!(answer, Answer::Done(ActionResult::Success | ActionResult::OtherReason, None)));
            assert_eq!(self.method(1, 7, &id)?, Answer::Done(ActionResult::OtherReason, None));
            self.contexts[0] = context(&self.keys.clone());
            assert_ne!(self.associate(0)?, Answer::Associated);
        }
        assert!(self.meter.key_pairs[0].in_use(SIGN).is_none());
        assert!(self.meter.flash.kept.borrow().pairs[0][0].iter().all(Option::is_none));
        Ok(())
    }

    fn live(&mut self) {
        self.step(|world| world.certify(SIGN));
        self.step(Self::import_utility);
        self.step(Self::use_it);
        self.step(Self::agree);
        self.step(Self::use_it);
        self.step(Self::rotate);
        self.step(Self::raise_policy);
        self.step(Self::refuse);
        self.step(Self::use_it);
        self.step(Self::remove);
    }
}

#[test]
fn a_life_without_an_allocator() {
    let flash = Flash::new(None);
    let mut world = World::new(&flash);
    world.live();
    assert_eq!(world.restarts, 0);
}

/// The life with power cut once, before or after each write in turn.
fn lives_with_a_cut(is_done: bool) {
    let flash = Flash::new(None);
    World::new(&flash).live();
    let writes = flash.writes.get();
    assert!(writes > 10, "{writes}");
    for write in 0..writes {
        let flash = Flash::new(Some(Cut { write, is_done }));
        let mut world = World::new(&flash);
        world.live();
        assert_eq!(world.restarts, 1, "write {write} of {writes}");
    }
}

#[test]
fn a_life_with_power_cut_before_each_write() {
    lives_with_a_cut(false);
}

#[test]
fn a_life_with_power_cut_after_each_write() {
    lives_with_a_cut(true);
}
