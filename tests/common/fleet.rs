//! A meter and a head-end that rotates its keys, and a line between them that loses what it is told to.
//!
//! The meter stays as it is; requests and answers get lost, and the head-end is killed, at each place in turn. Every
//! nonce under which either end seals is kept: one that comes twice under one key fails the test.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::time::Duration;
use std::cell::RefCell;
use std::collections::BTreeMap;

use cosem_objects::classes::{Data as DataObject, SecuritySetup};
use cosem_objects::{AccessRights, AssociationId, LogicalDevice, OctetString};
use dlms::client::rotation::{
    Access, Answer, CertificateRenewal, KeyRotation, MeterKeys, NewRotation, Parties, PendingCertificate,
    PendingKey, PolicyRaise, RenewalEnvironment, RenewalStore, RotationEnvironment, RotationError,
    RotationStore, STEP_BUFFER, SetupKeys, Step,
};
use dlms::client::{ActionItem, Client, ClientConfig, ClientError, Environment, Event};
use dlms::server::{AssociationConfig, HdlcServer, Host, KeyManager, Lockout, WrapperServer};
use dlms::xdlms::Conformance;
use dlms::{Accepted, KeyPairs, KeyRing, PublicKeys, SecurityContext};
use dlms_axdr::Data;
use dlms_hdlc::{
    ClientAddress, Deframer, Primary, PrimaryConfig, PrimaryEvent, SecondaryConfig, ServerAddress,
};
use dlms_obis::LogicalName;
use dlms_security::certificate::{
    Authority, Certificate, CertificateEntity, CertificateStore, CertificateTime, CertificationRequest,
    MemoryCertificates, NewCertificate, StoredCertificate, Subject, Validity,
};
use dlms_security::{
    AdditionalData, AuthenticationKey, AuthenticationMechanism, CounterId, CryptoProvider, KeyFingerprint,
    KeyId, KeyPairSlot, KeyStore, KeyUsage, KnownPeer, PrivateKey, Protection, PublicKey, PublicKeyProvider,
    Secret, SecretKey, SecurityError, SecuritySuite, SetupChange, StorageError, SystemTitle,
};
use dlms_wrapper::{HEADER_LENGTH, Header, WPort};

use crate::common::{self, PROVIDER};

pub const METER: SystemTitle = common::SERVER_TITLE;
pub const UTILITY: SystemTitle = common::CLIENT_TITLE;
pub const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
pub const TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
/// The client addresses of the association whose keys change, and of the other one.
const OWN: u8 = 16;
const OTHER: u8 = 17;
const NOW: Duration = Duration::ZERO;
/// A meter that locks out at the third failure in a row.
pub const FAILURES: u16 = 3;

// ---- nonces ---------------------------------------------------------------------------------------------------------

/// A key, and title and counter; of a proof what it proves.
type Sealed = BTreeMap<(Vec<u8>, [u8; 12]), Option<Vec<u8>>>;

thread_local! {
    /// Everything that was sealed.
    static SEALED: RefCell<Sealed> = const { RefCell::new(BTreeMap::new()) };
}

/// Cryptography that refuses to use a nonce twice.
pub struct Recorder;

type Inner = common::Provider;

impl CryptoProvider for Recorder {
    type AeadKey = (Vec<u8>, <Inner as CryptoProvider>::AeadKey);
    type WrapKey = <Inner as CryptoProvider>::WrapKey;

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::AeadKey, SecurityError> {
        Ok((key.expose().to_vec(), PROVIDER.aead_key(suite, key)?))
    }

    fn seal(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        // Who verifies a proof makes the same tag over the same challenge.
        let proof = text.is_empty().then(|| aad.rest.concat());
        let earlier = SEALED.with_borrow_mut(|sealed| sealed.insert((key.0.clone(), *nonce), proof.clone()));
        assert!(
            earlier.is_none_or(|earlier| earlier.is_some() && earlier == proof),
            "nonce {nonce:02X?} comes twice"
        );
        PROVIDER.seal(&key.1, nonce, aad, text)
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        PROVIDER.open(&key.1, nonce, aad, text, tag)
    }

    fn apply_keystream(&self, _: &Self::AeadKey, _: &[u8; 12], _: &mut [u8]) -> Result<(), SecurityError> {
        panic!("encryption alone is not used here")
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::WrapKey, SecurityError> {
        PROVIDER.wrap_key(suite, key)
    }

    fn wrap<'o>(
        &self,
        kek: &Self::WrapKey,
        key: &SecretKey,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        PROVIDER.wrap(kek, key, out)
    }

    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &Self::WrapKey,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError> {
        PROVIDER.unwrap(suite, kek, wrapped)
    }

    fn sha256(&self, parts: &[&[u8]]) -> Result<[u8; 32], SecurityError> {
        PROVIDER.sha256(parts)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        PROVIDER.random(out)
    }
}

/// How many nonces were used under the key.
pub fn sealed_under(key: &SecretKey) -> usize {
    SEALED.with_borrow(|sealed| sealed.keys().filter(|(used, _)| used == key.expose()).count())
}

// ---- the meter ------------------------------------------------------------------------------------------------------

#[derive(Default)]
struct Medium {
    counters: common::Counters,
    names: BTreeMap<KeyFingerprint, u32>,
    keys: BTreeMap<(usize, KeyId), SecretKey>,
}

impl KeyStore for Medium {
    fn counter_id(&mut self, _: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        let next = self.names.len() as u32;
        Ok(CounterId(*self.names.entry(*key).or_insert(next)))
    }

    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        for key in change.keys {
            self.keys.insert((setup, key.id), key.key.clone());
        }
        assert!(change.key_pairs.iter().all(|pair| pair.slot == KeyPairSlot::InUse || pair.usage == SIGN));
        Ok(())
    }
}

pub const SIGN: KeyUsage = KeyUsage::DigitalSignature;

struct Device {
    text: DataObject<OctetString<64>>,
    setup: SecuritySetup,
}

impl LogicalDevice for Device {
    cosem_objects::objects!(text, setup);

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

/// The keys that a setup comes with.
pub fn initial(suite: SecuritySuite, setup: usize, id: KeyId) -> SecretKey {
    let octet = 0x11 * (1 + setup as u8 * 4 + id.id());
    SecretKey::new(suite, &[octet; 32][..suite.key_len()]).unwrap()
}

pub struct Meter {
    suite: SecuritySuite,
    device: Device,
    associations: Vec<AssociationConfig>,
    pub security: Vec<SecurityContext<Recorder>>,
    key_rings: Vec<KeyRing<Recorder>>,
    pub key_pairs: Vec<KeyPairs>,
    peers: [KnownPeer; 1],
    certificates: MemoryCertificates<6>,
    manager: KeyManager<Recorder, Medium>,
    counters: common::Counters,
    line: Served,
}

enum Served {
    Wrapper(Box<WrapperServer<Recorder, Vec<u8>, 2>>),
    Hdlc(Box<HdlcServer<Recorder, Vec<u8>, 2>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Wrapper,
    Hdlc,
}

fn signing_key(suite: SecuritySuite, octet: u8) -> Option<PrivateKey> {
    let curve = suite.curve()?;
    Some(PrivateKey::new(curve, &[octet; 48][..curve.coordinate_len()]).unwrap())
}

impl Meter {
    fn new(suite: SecuritySuite, framing: Framing, mechanism: AuthenticationMechanism) -> Self {
        let mut medium = Medium::default();
        let mut context = |setup: usize| {
            let key = initial(suite, setup, KeyId::GlobalUnicast);
            let fingerprint = KeyFingerprint::of(&*PROVIDER, METER, &key).unwrap();
            let id = medium.counter_id(setup, &fingerprint).unwrap();
            let authentication = initial(suite, setup, KeyId::Authentication);
            let authentication = AuthenticationKey::new(authentication.expose()).unwrap();
            SecurityContext::new(&Recorder, suite, METER, &key, authentication, id, 0).unwrap()
        };
        let security = vec![context(0), context(1)];
        let mut ring = |setup: usize| {
            let mut ring = KeyRing::new();
            ring.set_master_key(&Recorder, suite, &initial(suite, setup, KeyId::Master)).unwrap();
            let key = initial(suite, setup, KeyId::GlobalBroadcast);
            let fingerprint = KeyFingerprint::of(&*PROVIDER, METER, &key).unwrap();
            let id = medium.counter_id(setup, &fingerprint).unwrap();
            ring.set_broadcast_key(&Recorder, suite, &key, id, 0).unwrap();
            ring
        };
        let key_rings = vec![ring(0), ring(1)];
        let mut pairs = KeyPairs::new();
        let mut peers = [KnownPeer { title: UTILITY, keys: [None; 3] }];
        if let (Some(own), Some(client)) = (signing_key(suite, 0x21), signing_key(suite, 0x31)) {
            pairs = pairs.with(SIGN, own);
            peers[0].keys[0] = Some(PROVIDER.public_key(&client).unwrap());
        }
        let config = |client_sap, security, mechanism| AssociationConfig {
            client_sap,
            mechanism,
            policy: Protection::AUTHENTICATED_ENCRYPTED,
            accepted: Accepted::default() | Accepted::BROADCAST,
            security: Some(security),
            ciphered: true,
            conformance: Conformance::LOGICAL_NAME,
            max_receive_pdu_size: 2000,
            lockout: Some(Lockout::new(FAILURES, Duration::from_secs(3600), 2, Duration::from_secs(86_400))),
            ..AssociationConfig::public(1)
        };
        Self {
            suite,
            device: Device {
                text: DataObject::new(TEXT, OctetString::new()),
                setup: SecuritySetup::new(SETUP, u8::from(suite != SecuritySuite::Suite0), 0),
            },
            associations: vec![
                config(OWN.into(), 0, mechanism),
                config(OTHER.into(), 1, AuthenticationMechanism::Gmac),
            ],
            security,
            key_rings,
            key_pairs: vec![pairs, KeyPairs::new()],
            peers,
            certificates: MemoryCertificates::new(),
            manager: KeyManager::new(medium),
            counters: common::Counters::default(),
            line: match framing {
                Framing::Wrapper => Served::Wrapper(Box::new(WrapperServer::new(WPort(1), || vec![0; 2100]))),
                Framing::Hdlc => {
                    let config = SecondaryConfig::new(ServerAddress::one(1).unwrap());
                    Served::Hdlc(Box::new(HdlcServer::new(config, || vec![0; 2100])))
                }
            },
        }
    }

    /// A key as the meter has it.
    pub fn key(&self, id: KeyId) -> SecretKey {
        self.manager.store().keys.get(&(0, id)).cloned().unwrap_or_else(|| initial(self.suite, 0, id))
    }

    /// Takes octets from the line and gives those that come back.
    fn serve(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut host = Host {
            device: &mut self.device,
            system_title: METER,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &Recorder,
            counters: &mut self.counters,
            key_rings: &mut self.key_rings,
            public_keys: Some(PublicKeys {
                provider: &*PROVIDER,
                own: &mut self.key_pairs,
                peers: &self.peers,
            }),
            certificates: Some(&self.certificates),
            key_management: Some(&mut self.manager),
            manufacturer: None,
            scratch: &mut [0; 64],
        };
        let mut input = octets;
        let mut sent = Vec::new();
        match &mut self.line {
            Served::Wrapper(server) => {
                while !input.is_empty() {
                    sent.extend_from_slice(
                        server.handle_input(NOW, &mut input, &mut host).unwrap().unwrap_or(&[]),
                    );
                }
            }
            Served::Hdlc(server) => {
                while server.handle_input(NOW, &mut input, &mut host) {
                    let mut frame = [0; 2200];
                    while let Some(length) = server.poll_transmit(NOW, &mut frame) {
                        sent.extend_from_slice(&frame[..length]);
                    }
                }
            }
        }
        for association in &self.associations {
            let lockout = association.lockout.as_ref().unwrap();
            assert!(!lockout.is_locked(NOW), "the head-end is locked out");
        }
        sent
    }

    fn line_lost(&mut self) {
        match &mut self.line {
            Served::Wrapper(server) => server.stream_lost(),
            Served::Hdlc(server) => server.line_lost(),
        }
    }
}

// ---- the head-end ---------------------------------------------------------------------------------------------------

/// What goes wrong at an exchange of APDUs, or at a write of the head-end's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request does not arrive, and the line is cut.
    LoseRequest,
    /// The answer does not arrive, and the line is cut.
    LoseAnswer,
    /// The head-end is killed before the request leaves.
    KillBefore,
    /// The head-end is killed before it sees the answer.
    KillAfter,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::LoseRequest, Self::LoseAnswer, Self::KillBefore, Self::KillAfter];
}

/// What survives the head-end.
pub struct Store {
    suite: SecuritySuite,
    pub keys: MeterKeys,
    pub pending: Option<PendingKey>,
    pub certificate: Option<Vec<u8>>,
    pub pending_certificate: Option<PendingCertificate>,
    pub commits: usize,
    pub writes: usize,
    /// The head-end is killed at the write with this number, before or after it.
    pub kill_at_write: Option<(usize, bool)>,
    was_killed: bool,
}

impl Store {
    fn write(&mut self, write: impl FnOnce(&mut Self)) -> Result<(), StorageError> {
        let kill = self.kill_at_write.filter(|(number, _)| *number == self.writes);
        self.writes += 1;
        if kill.is_none_or(|(_, is_done)| is_done) {
            write(self);
        }
        match kill {
            Some(_) => {
                self.was_killed = true;
                Err(StorageError)
            }
            None => Ok(()),
        }
    }
}

impl RotationStore for Store {
    fn keys(&mut self) -> Result<MeterKeys, StorageError> {
        Ok(self.keys.clone())
    }

    fn pending(&mut self) -> Result<Option<PendingKey>, StorageError> {
        Ok(self.pending.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingKey>) -> Result<(), StorageError> {
        self.write(|store| store.pending = pending.cloned())
    }

    fn commit(&mut self, id: KeyId, key: &SecretKey, next: Option<&PendingKey>) -> Result<(), StorageError> {
        self.write(|store| {
            store.keys.set(store.suite, id, key).unwrap();
            store.pending = next.cloned();
            store.commits += 1;
        })
    }
}

impl RenewalStore for Store {
    fn pending(&mut self) -> Result<Option<PendingCertificate>, StorageError> {
        Ok(self.pending_certificate.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingCertificate>) -> Result<(), StorageError> {
        self.write(|store| store.pending_certificate = pending.cloned())
    }

    fn commit(&mut self, _: KeyUsage, certificate: &[u8]) -> Result<(), StorageError> {
        self.write(|store| {
            store.certificate = Some(certificate.to_vec());
            store.pending_certificate = None;
            store.commits += 1;
        })
    }
}

/// Why a run of the head-end ended.
#[derive(Debug, PartialEq)]
pub enum End {
    Killed,
    Failed(RotationError),
}

impl From<RotationError> for End {
    fn from(error: RotationError) -> Self {
        Self::Failed(error)
    }
}

/// What came over the line.
enum Carried {
    Answer(Vec<u8>),
    Lost,
    Killed,
}

/// What came of a request.
enum Reply {
    Associated,
    NotAssociated,
    Returned(Option<Vec<u8>>),
    Denied(u8),
    Lost,
}

impl Reply {
    /// The same for a rotation.
    fn answer(&self) -> Answer<'_> {
        match self {
            Self::Associated => Answer::Associated,
            Self::NotAssociated => Answer::NotAssociated,
            Self::Returned(None) => Answer::Returned(None),
            Self::Returned(Some(value)) => Answer::Returned(Some(Data::from_octets(value).unwrap())),
            Self::Denied(result) => Answer::Denied(*result),
            Self::Lost => Answer::Lost,
        }
    }
}

struct Open {
    client: Client<Recorder, Vec<u8>>,
    security: SecurityContext<Recorder>,
    primary: Option<Primary<Vec<u8>>>,
    sap: u8,
    server_key: Option<PublicKey>,
}

pub struct World {
    pub suite: SecuritySuite,
    framing: Framing,
    mechanism: AuthenticationMechanism,
    pub meter: Meter,
    pub store: Store,
    counters: common::Counters,
    open: Option<Open>,
    authority: Option<(PrivateKey, Vec<u8>, u8)>,
    pub exchanges: usize,
    /// Faults by the number of the exchange.
    pub faults: BTreeMap<usize, Fault>,
    pub runs: usize,
}

impl World {
    pub fn new(suite: SecuritySuite, framing: Framing, mechanism: AuthenticationMechanism) -> Self {
        SEALED.with_borrow_mut(BTreeMap::clear);
        let key = |id| initial(suite, 0, id);
        let meter = Meter::new(suite, framing, mechanism);
        Self {
            suite,
            framing,
            mechanism,
            meter,
            store: Store {
                suite,
                keys: MeterKeys {
                    unicast: key(KeyId::GlobalUnicast),
                    authentication: AuthenticationKey::new(key(KeyId::Authentication).expose()).unwrap(),
                    broadcast: Some(key(KeyId::GlobalBroadcast)),
                    master: Some(key(KeyId::Master)),
                },
                pending: None,
                certificate: None,
                pending_certificate: None,
                commits: 0,
                writes: 0,
                kill_at_write: None,
                was_killed: false,
            },
            counters: common::Counters::default(),
            open: None,
            authority: None,
            exchanges: 0,
            faults: BTreeMap::new(),
            runs: 0,
        }
    }

    fn own_key(&self) -> Option<PrivateKey> {
        signing_key(self.suite, 0x31)
    }

    /// The meter's public key as it was when all began.
    fn first_server_key(&self) -> Option<PublicKey> {
        Some(PROVIDER.public_key(&signing_key(self.suite, 0x21)?).unwrap())
    }

    // ---- the line ---------------------------------------------------------------------------------------------------

    /// Carries an APDU to the meter and its answer back, unless something goes wrong.
    fn carry(&mut self, apdu: &[u8]) -> Carried {
        let number = self.exchanges;
        self.exchanges += 1;
        let fault = self.faults.get(&number).copied();
        if matches!(fault, Some(Fault::LoseRequest | Fault::KillBefore)) {
            self.cut();
        } else {
            let answer = self.through(apdu);
            match (fault, answer) {
                (None, Some(answer)) => return Carried::Answer(answer),
                (None, None) => return Carried::Lost,
                _ => self.cut(),
            }
        }
        match fault {
            Some(Fault::KillBefore | Fault::KillAfter) => Carried::Killed,
            _ => Carried::Lost,
        }
    }

    fn cut(&mut self) {
        self.meter.line_lost();
        if let Some(open) = &mut self.open {
            open.primary = None;
        }
    }

    fn through(&mut self, apdu: &[u8]) -> Option<Vec<u8>> {
        let open = self.open.as_mut().unwrap();
        match self.framing {
            Framing::Wrapper => {
                let mut octets =
                    Header::new(WPort(open.sap.into()), WPort(1), apdu.len()).unwrap().encode().to_vec();
                octets.extend_from_slice(apdu);
                let answer = self.meter.serve(&octets);
                answer.get(HEADER_LENGTH..).map(<[u8]>::to_vec)
            }
            Framing::Hdlc => {
                if open.primary.is_none() {
                    let config = PrimaryConfig::new(
                        ClientAddress::new(open.sap).unwrap(),
                        ServerAddress::one(1).unwrap(),
                    );
                    let mut primary = Primary::new(config, vec![0; 2200]);
                    primary.connect();
                    pump(&mut primary, &mut self.meter, &[]);
                    assert!(primary.is_connected());
                    open.primary = Some(primary);
                }
                let primary = open.primary.as_mut().unwrap();
                primary.send(apdu.len()).unwrap();
                pump(primary, &mut self.meter, apdu)
            }
        }
    }

    // ---- requests ---------------------------------------------------------------------------------------------------

    fn request(
        &mut self,
        make: impl FnOnce(
            &mut Client<Recorder, Vec<u8>>,
            &mut Environment<'_, Recorder>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, ClientError>,
    ) -> Result<Reply, End> {
        let mut own = [self.own_key().map_or(KeyPairs::new(), |key| KeyPairs::new().with(SIGN, key))];
        let peers = [KnownPeer { title: METER, keys: [self.open.as_ref().unwrap().server_key, None, None] }];
        let mut out = vec![0; 4096];
        let mut make = Some(make);
        let mut value = Vec::new();
        let mut received: Option<Vec<u8>> = None;
        loop {
            let open = self.open.as_mut().unwrap();
            let is_open = open.client.agreement().is_some();
            let mut env = Environment {
                provider: &Recorder,
                counters: &mut self.counters,
                security: Some(&mut open.security),
                key_ring: None,
                public_keys: Some(PublicKeys { provider: &*PROVIDER, own: &mut own, peers: &peers }),
                manufacturer: None,
                now: NOW,
            };
            let next = match (make.take(), &mut received) {
                (Some(make), _) => Some(make(&mut open.client, &mut env, &mut out).unwrap()),
                (None, Some(apdu)) => match open.client.handle_apdu(&mut env, apdu, &mut out) {
                    Err(_) => return Ok(Reply::Lost),
                    Ok(reaction) => {
                        match reaction.event {
                            None => {}
                            Some(Event::Associated(_)) => return Ok(Reply::Associated),
                            Some(Event::Refused(_)) => return Ok(Reply::NotAssociated),
                            Some(Event::Exception { .. }) if !is_open => {
                                return Ok(Reply::NotAssociated);
                            }
                            Some(Event::GetPiece { octets, last }) => {
                                value.extend_from_slice(octets);
                                if last {
                                    return Ok(Reply::Returned(Some(value)));
                                }
                            }
                            Some(Event::GetRefused(result)) => return Ok(Reply::Denied(result.code())),
                            Some(Event::ActionDone { result, value }) if result.code() == 0 => {
                                return Ok(Reply::Returned(value.map(|value| value.unwrap().to_vec())));
                            }
                            Some(Event::ActionDone { result, .. }) => {
                                return Ok(Reply::Denied(result.code()));
                            }
                            Some(_) => return Ok(Reply::Lost),
                        }
                        reaction.transmit
                    }
                },
                (None, None) => unreachable!(),
            };
            let apdu = out[next.expect("something to send")].to_vec();
            match self.carry(&apdu) {
                Carried::Answer(answer) => received = Some(answer),
                Carried::Lost => return Ok(Reply::Lost),
                Carried::Killed => return Err(End::Killed),
            }
        }
    }

    /// Opens an association; whichever was open is given up.
    fn associate(&mut self, sap: u8, keys: &SetupKeys, server_key: Option<PublicKey>) -> Result<Reply, End> {
        self.cut();
        let fingerprint = keys.fingerprint(&Recorder, UTILITY).unwrap();
        let id = CounterId(u32::from_be_bytes(*fingerprint.octets().first_chunk().unwrap()));
        let security = SecurityContext::new(
            &Recorder,
            self.suite,
            UTILITY,
            &keys.unicast,
            keys.authentication.clone(),
            id,
            0,
        );
        let mechanism = if sap == OWN { self.mechanism } else { AuthenticationMechanism::Gmac };
        let config = ClientConfig {
            mechanism,
            secret: Secret::empty(),
            max_receive_pdu_size: 2000,
            server_title: Some(METER),
            ..ClientConfig::hls_gmac()
        };
        let client = Client::new(config, vec![0; 2048]);
        self.open = Some(Open { client, security: security.unwrap(), primary: None, sap, server_key });
        self.request(|client, env, out| client.associate(env, out))
    }

    fn other_keys(&self) -> SetupKeys {
        let authentication = initial(self.suite, 1, KeyId::Authentication);
        SetupKeys {
            unicast: initial(self.suite, 1, KeyId::GlobalUnicast),
            authentication: AuthenticationKey::new(authentication.expose()).unwrap(),
        }
    }

    fn perform(&mut self, step: &Step<'_>) -> Result<Reply, End> {
        match step {
            Step::Invoke(method, parameter) => {
                self.request(|client, env, out| client.action(env, ActionItem::new(*method, parameter), out))
            }
            Step::Read(attribute) => {
                self.request(|client, env, out| client.get(env, (*attribute).into(), out))
            }
            step => panic!("{step:?}"),
        }
    }

    // ---- rotations --------------------------------------------------------------------------------------------------

    /// One run of the head-end: it resumes, or begins.
    fn run(&mut self, new: &NewRotation) -> Result<(), End> {
        self.runs += 1;
        self.cut();
        self.open = None;
        let (own, server) = (self.own_key(), self.first_server_key());
        let parties = own.as_ref().zip(server.as_ref()).map(|(signing_key, server_key)| Parties {
            provider: &*PROVIDER,
            signing_key,
            server_key,
            client: UTILITY,
            server: METER,
        });
        macro_rules! env {
            () => {
                &mut RotationEnvironment { provider: &Recorder, store: &mut self.store, parties }
            };
        }
        let mut rotation = match KeyRotation::resume(env!(), SETUP, self.suite)? {
            Some(rotation) => rotation,
            None => KeyRotation::begin(env!(), SETUP, self.suite, new.clone())?,
        };
        let mut buffer = [0; STEP_BUFFER];
        loop {
            let step = rotation.next(env!(), &mut buffer)?;
            if let Step::Invoke(..) = step {
                assert!(
                    self.store.pending.as_ref().is_some_and(|pending| pending.is_requested),
                    "stored first"
                );
            }
            let reply = match step {
                Step::Done => return Ok(()),
                Step::Associate(Access::Other) => self.associate(OTHER, &self.other_keys(), server)?,
                Step::Associate(access) => self.associate(OWN, &rotation.keys(access).unwrap(), server)?,
                step => self.perform(&step)?,
            };
            rotation.answer(env!(), reply.answer())?;
        }
    }

    /// Runs the head-end until a key is committed and nothing is pending; gives what its last run came to.
    pub fn rotate(&mut self, new: &NewRotation) -> Result<(), End> {
        let commits = self.store.commits;
        for _ in 0..12 {
            let ended = self.run(new);
            self.store.was_killed = false;
            match ended {
                Ok(()) => return Ok(()),
                // Killed between the commit and the end.
                Err(_) if self.store.commits > commits && self.store.pending.is_none() => return Ok(()),
                Err(End::Failed(RotationError::Refused(result))) => {
                    return Err(End::Failed(RotationError::Refused(result)));
                }
                Err(_) => {}
            }
        }
        panic!("no end is in sight")
    }

    /// Whether an association opens with these keys, and something can be read in it.
    pub fn opens_with(&mut self, keys: &SetupKeys) -> bool {
        let server = self.first_server_key();
        if !matches!(self.associate(OWN, keys, server), Ok(Reply::Associated)) {
            return false;
        }
        let policy = cosem_objects::classes::SecuritySetup::SECURITY_POLICY.of(SETUP).into();
        matches!(self.perform(&Step::Read(policy)), Ok(Reply::Returned(_)))
    }

    /// A key_transfer of the authentication key as it is, under a master key.
    pub fn transfers_under(&mut self, master: &SecretKey) -> bool {
        let keys = SetupKeys {
            unicast: self.store.keys.unicast.clone(),
            authentication: self.store.keys.authentication.clone(),
        };
        assert!(self.opens_with(&keys));
        let kek = PROVIDER.wrap_key(self.suite, master).unwrap();
        let same = SecretKey::new(self.suite, keys.authentication.expose()).unwrap();
        let mut buffer = [0; STEP_BUFFER];
        let parameter = dlms::client::security_setup::key_transfer(
            &*PROVIDER,
            self.suite,
            &kek,
            &[(KeyId::Authentication, same)],
            &mut buffer,
        );
        let method = SecuritySetup::KEY_TRANSFER.of(SETUP).into();
        matches!(self.perform(&Step::Invoke(method, parameter.unwrap())), Ok(Reply::Returned(None)))
    }

    /// Whether the meter does what a broadcast under this key says.
    pub fn hears_broadcast(&mut self, key: &SecretKey) -> bool {
        use dlms::client::{SetItem, broadcast};
        use dlms::xdlms::AttributeDescriptor;
        let text: Vec<u8> = key.expose()[..8].to_vec();
        let keys = SetupKeys {
            unicast: self.store.keys.unicast.clone(),
            authentication: self.store.keys.authentication.clone(),
        };
        assert!(self.opens_with(&keys));
        let fingerprint = KeyFingerprint::of(&*PROVIDER, UTILITY, key).unwrap();
        let id = CounterId(u32::from_be_bytes(*fingerprint.octets().first_chunk().unwrap()));
        let mut ring = KeyRing::new();
        ring.set_broadcast_key(&Recorder, self.suite, key, id, 0).unwrap();
        let open = self.open.as_mut().unwrap();
        let mut env = Environment {
            provider: &Recorder,
            counters: &mut self.counters,
            security: Some(&mut open.security),
            key_ring: Some(&mut ring),
            public_keys: None,
            manufacturer: None,
            now: NOW,
        };
        let how = broadcast::Broadcast {
            carrier: dlms::Carrier::ServiceSpecific,
            protection: Protection::AUTHENTICATED_ENCRYPTED,
            recipient: METER,
        };
        let mut out = vec![0; 512];
        let value = Data::OctetString(&text);
        let item = SetItem::new(AttributeDescriptor::new(1, TEXT, 2), &value);
        let range = broadcast::set(&mut env, &how, item, &mut out).unwrap();
        let apdu = out[range].to_vec();
        self.through(&apdu);
        // Over HDLC, the station still waits for an answer.
        assert!(self.opens_with(&keys));
        let read = self.perform(&Step::Read(AttributeDescriptor::new(1, TEXT, 2)));
        matches!(read, Ok(Reply::Returned(Some(read))) if read.ends_with(&text))
    }

    // ---- certificates -----------------------------------------------------------------------------------------------

    /// Makes an authority that the meter trusts, and gives the meter a certificate for the key pair that it has.
    pub fn certify(&mut self) {
        let curve = self.suite.curve().unwrap();
        let key = PrivateKey::new(curve, &[0x5A; 48][..curve.coordinate_len()]).unwrap();
        let subject =
            Subject::Authority { organization: "Utility", common_name: "Meters", path_length: None };
        let public_key = PROVIDER.public_key(&key).unwrap();
        let der = issue(&key, None, 1, subject, public_key);
        self.authority = Some((key, der.clone(), 1));
        let anchor = StoredCertificate {
            entity: CertificateEntity::CertificationAuthority,
            is_trust_anchor: true,
            certificate: Certificate::from_der(&der).unwrap(),
        };
        self.meter.certificates.insert(&anchor).unwrap();
        let first = self.issue(self.first_server_key().unwrap());
        let own = StoredCertificate {
            entity: CertificateEntity::Server,
            is_trust_anchor: false,
            certificate: Certificate::from_der(&first).unwrap(),
        };
        self.meter.certificates.insert(&own).unwrap();
        self.store.certificate = Some(first);
    }

    fn issue(&mut self, public_key: PublicKey) -> Vec<u8> {
        let (key, der, serial) = self.authority.as_mut().unwrap();
        *serial += 1;
        issue(key, Some(der), *serial, Subject::Party(METER, SIGN), public_key)
    }

    fn run_renewal(&mut self) -> Result<(), End> {
        self.runs += 1;
        self.cut();
        self.open = None;
        let anchor = self.authority.as_ref().unwrap().1.clone();
        let authorities =
            [Authority { certificate: Certificate::from_der(&anchor).unwrap(), is_trust_anchor: true }];
        macro_rules! env {
            () => {
                &mut RenewalEnvironment {
                    provider: &*PROVIDER,
                    store: &mut self.store,
                    authorities: &authorities,
                }
            };
        }
        let mut renewal = match CertificateRenewal::resume(env!(), SETUP, METER)? {
            Some(renewal) => renewal,
            None => CertificateRenewal::begin(env!(), SETUP, METER, SIGN)?,
        };
        let mut buffer = [0; STEP_BUFFER];
        loop {
            let known =
                *Certificate::from_der(self.store.certificate.as_ref().unwrap()).unwrap().public_key();
            let (pending, current) =
                (renewal.public_key(Access::Pending), renewal.public_key(Access::Current));
            let reply = match renewal.next(&mut buffer)? {
                Step::Done => return Ok(()),
                Step::Issue(request) => {
                    let key = *CertificationRequest::from_der(request).unwrap().public_key();
                    let der = self.issue(key);
                    renewal.issued(env!(), &der)?;
                    continue;
                }
                Step::Associate(access) => {
                    let key = if access == Access::Pending { pending } else { current.or(Some(known)) };
                    let keys = SetupKeys {
                        unicast: self.store.keys.unicast.clone(),
                        authentication: self.store.keys.authentication.clone(),
                    };
                    self.associate(OWN, &keys, key)?
                }
                step => self.perform(&step)?,
            };
            renewal.answer(env!(), reply.answer())?;
        }
    }

    pub fn renew(&mut self) {
        let commits = self.store.commits;
        for _ in 0..12 {
            match self.run_renewal() {
                Ok(()) => return,
                Err(_) if self.store.commits > commits => return,
                Err(_) => {}
            }
        }
        panic!("no end is in sight")
    }

    /// The certificates of the meter for its signature key.
    pub fn meter_certificates(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        self.meter.certificates.visit(&mut |stored| {
            if stored.entity == CertificateEntity::Server {
                found.push(stored.certificate.der().to_vec());
            }
            core::ops::ControlFlow::Continue(())
        });
        found
    }

    /// Whether the meter proves itself with this certificate's key.
    pub fn proves_with(&mut self, certificate: &[u8]) -> bool {
        let key = *Certificate::from_der(certificate).unwrap().public_key();
        let keys = SetupKeys {
            unicast: self.store.keys.unicast.clone(),
            authentication: self.store.keys.authentication.clone(),
        };
        matches!(self.associate(OWN, &keys, Some(key)), Ok(Reply::Associated))
    }

    // ---- policy -----------------------------------------------------------------------------------------------------

    pub fn raise(&mut self, policy: u8) -> Result<(), End> {
        let server = self.first_server_key();
        for _ in 0..12 {
            let mut raise = PolicyRaise::new(SETUP, policy);
            let mut buffer = [0; STEP_BUFFER];
            let ended = loop {
                let reply = match raise.next(&mut buffer)? {
                    Step::Done => return Ok(()),
                    Step::Associate(_) => {
                        let keys = SetupKeys {
                            unicast: self.store.keys.unicast.clone(),
                            authentication: self.store.keys.authentication.clone(),
                        };
                        self.associate(OWN, &keys, server)
                    }
                    step => self.perform(&step),
                };
                let reply = match reply {
                    Ok(reply) => reply,
                    Err(end) => break end,
                };
                raise.answer(reply.answer())?;
            };
            assert_eq!(ended, End::Killed);
        }
        panic!("no end is in sight")
    }
}

fn issue(
    key: &PrivateKey,
    issuer: Option<&[u8]>,
    serial: u8,
    subject: Subject<'_>,
    public_key: PublicKey,
) -> Vec<u8> {
    let validity = Validity {
        not_before: CertificateTime::from_date(2026, 1, 1).unwrap(),
        not_after: CertificateTime::from_date(2046, 1, 1).unwrap(),
    };
    let new = NewCertificate { serial_number: &[serial], validity, subject, public_key };
    let issuer = issuer.map(|der| Certificate::from_der(der).unwrap());
    new.issue(&*PROVIDER, issuer.as_ref(), key, &mut [0; 1024]).unwrap().to_vec()
}

/// Lets the stations of an HDLC link talk until nothing more is to be said; gives the APDU that came back.
fn pump(primary: &mut Primary<Vec<u8>>, meter: &mut Meter, apdu: &[u8]) -> Option<Vec<u8>> {
    let mut received = None;
    let mut deframer = Deframer::new(vec![0; 2200]);
    let mut frame = [0; 2200];
    while let Some(length) = primary.poll_transmit(NOW, apdu, &mut frame).unwrap() {
        let answer = meter.serve(&frame[..length]);
        let mut input = &answer[..];
        while let Some(frame) = deframer.next(NOW, &mut input) {
            if let Some(PrimaryEvent::Apdu(octets)) = primary.handle_frame(NOW, &frame) {
                received = Some(octets.to_vec());
            }
        }
    }
    received
}
