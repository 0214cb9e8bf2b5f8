//! A life between two secure elements: meter and utility keep their keys in one each, and no octet of a key is outside.
//!
//! Associations with mechanisms 5 and 7, keys transferred and agreed on, general-ciphering with keys for one message,
//! refusals, restarts, in every suite; after each step the elements hold what is in use and nothing else.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/secure_element.rs"]
mod secure_element;

use core::cell::RefCell;
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use common::{CLIENT_TITLE, ENERGY, Meter, SERVER_TITLE, config, to_hex};
use cosem_objects::ActionResult;
use cosem_objects::classes::{KeyData, SecuritySetup};
use dlms::client::rotation::{
    Answer, KeyRotation, MeterKeys, NewRotation, Parties, PendingKey, RotationEnvironment, RotationMethod,
    RotationStore, STEP_BUFFER, Step,
};
use dlms::client::security_setup::{KeyAgreement, key_transfer};
use dlms::client::{ActionItem, Client, ClientConfig, DedicatedKeyChoice, Environment, Event};
use dlms::server::{AssociationConfig, Host, KeyManager, Session};
use dlms::xdlms::{AttributeDescriptor, Conformance, MethodDescriptor};
use dlms::{Accepted, KeyClass, KeyPairs, KeyRing, NewKeys, PublicKeys, SecurityContext};
use dlms_axdr::{Data, Encode, Encoder, Enum, FromData};
use dlms_obis::LogicalName;
use dlms_security::certificate::CertificationRequest;
use dlms_security::keys::{MAX_WRAPPED_KEY, wrap_key};
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CryptoProvider, KeyFingerprint, KeyId,
    KeyPairSlot, KeyStore, KeyUsage, KnownPeer, PrivateKey, PublicKeyProvider, SecretKey, SecuritySuite,
    SetupChange, StorageError,
};
use secure_element::SecureElement;

const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
/// Clients of mechanism 5 and of mechanism 7.
const GMAC: u16 = 16;
const ECDSA: u16 = 17;

/// What the meter's medium holds: handles. The keys that were replaced last may still protect an answer, so their slots are
/// freed with the next change.
#[derive(Clone)]
struct Store {
    element: SecureElement,
    kept: Rc<RefCell<Kept>>,
}

#[derive(Default)]
struct Kept {
    keys: BTreeMap<KeyId, Vec<u8>>,
    pairs: BTreeMap<(u8, KeyPairSlot), Vec<u8>>,
    replaced: Vec<Vec<u8>>,
    names: BTreeMap<KeyFingerprint, u32>,
    refuses: bool,
}

impl KeyStore for Store {
    fn counter_id(&mut self, _: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        let names = &mut self.kept.borrow_mut().names;
        let next = names.len() as u32;
        Ok(CounterId(*names.entry(*key).or_insert(next)))
    }

    fn install(&mut self, _: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        let kept = &mut *self.kept.borrow_mut();
        if kept.refuses {
            return Err(StorageError);
        }
        kept.replaced.drain(..).for_each(|handle| self.element.free(&handle));
        for new in change.keys {
            let handle = new.key.as_handle().expect("a handle").to_vec();
            kept.replaced.extend(kept.keys.insert(new.id, handle));
        }
        for pair in change.key_pairs {
            let place = (pair.usage as u8, pair.slot);
            kept.replaced.extend(match pair.key {
                Some(key) => kept.pairs.insert(place, key.expose().to_vec()),
                None => kept.pairs.remove(&place),
            });
        }
        Ok(())
    }
}

/// The meter's end.
struct MeterEnd {
    suite: SecuritySuite,
    element: SecureElement,
    store: Store,
    inner: Meter,
    security: Vec<SecurityContext<SecureElement>>,
    rings: Vec<KeyRing<SecureElement>>,
    pairs: Vec<KeyPairs>,
    utility: [KnownPeer; 1],
    manager: KeyManager<SecureElement, Store>,
    session: Session<SecureElement, Vec<u8>>,
    counters: common::Counters,
}

impl MeterEnd {
    /// The meter starts with what its medium and its element hold.
    fn start(
        suite: SecuritySuite,
        store: Store,
        utility: [KnownPeer; 1],
        counters: common::Counters,
    ) -> Self {
        let element = store.element.clone();
        let association = |client_sap, mechanism| AssociationConfig {
            client_sap,
            security: Some(0),
            accepted: Accepted::all()
                - Accepted::BROADCAST
                - Accepted::RESTARTING_COUNTERS
                - Accepted::EMPTY_RECIPIENT,
            ..config(mechanism, Some(suite))
        };
        let mut inner = Meter::new(vec![
            association(GMAC, AuthenticationMechanism::Gmac),
            association(ECDSA, AuthenticationMechanism::Ecdsa),
        ]);
        let version = u8::from(suite != SecuritySuite::Suite0);
        inner.device.objects.insert(0, Box::new(SecuritySetup::new(SETUP, version, 0)));
        let key = |id| SecretKey::handle(&store.kept.borrow().keys[&id]).unwrap();
        let name = |id| {
            let fingerprint = element.fingerprint(SERVER_TITLE, &key(id)).unwrap();
            store.clone().counter_id(0, &fingerprint).unwrap()
        };
        let unicast = key(KeyId::GlobalUnicast);
        let authentication_key = AuthenticationKey::from_key(suite, &key(KeyId::Authentication)).unwrap();
        let id = name(KeyId::GlobalUnicast);
        let mut context =
            SecurityContext::new(&element, suite, SERVER_TITLE, &unicast, authentication_key, id, 0).unwrap();
        // A client need not skip counters after a restart.
        context.set_floor_step(1);
        let mut ring = KeyRing::new();
        ring.set_master_key(&element, suite, &key(KeyId::Master)).unwrap();
        let id = name(KeyId::GlobalBroadcast);
        ring.set_broadcast_key(&element, suite, &key(KeyId::GlobalBroadcast), id, 0).unwrap();
        let mut pairs = KeyPairs::new();
        for ((usage, slot), handle) in &store.kept.borrow().pairs {
            let key = Some(PrivateKey::new(suite.curve().unwrap(), handle).unwrap());
            let usage = KeyUsage::from_id(*usage).unwrap();
            match slot {
                KeyPairSlot::InUse => pairs.set_in_use(usage, key),
                KeyPairSlot::Pending => pairs.set_pending(usage, key),
            }
        }
        Self {
            suite,
            element,
            inner,
            security: vec![context],
            rings: vec![ring],
            pairs: vec![pairs],
            utility,
            manager: KeyManager::new(store.clone()),
            store,
            session: Session::new(GMAC, vec![0; 2048]),
            counters,
        }
    }

    fn restart(&mut self) {
        let counters = core::mem::take(&mut self.counters);
        let (suite, store, utility) = (self.suite, self.store.clone(), self.utility);
        *self = Self::start(suite, store, utility, counters);
    }

    fn exchange(&mut self, apdu: &[u8]) -> Vec<u8> {
        let (mut apdu, mut out) = (apdu.to_vec(), vec![0; 4096]);
        let mut host = Host {
            device: &mut self.inner.device,
            system_title: SERVER_TITLE,
            associations: &mut self.inner.associations,
            security: &mut self.security,
            provider: &self.element,
            counters: &mut self.counters,
            key_rings: &mut self.rings,
            public_keys: Some(PublicKeys {
                provider: &self.element,
                own: &mut self.pairs,
                peers: &self.utility,
            }),
            certificates: None,
            key_management: Some(&mut self.manager),
            manufacturer: None,
            scratch: &mut self.inner.scratch,
        };
        let range = self.session.handle_apdu(&mut host, Duration::ZERO, &mut apdu, &mut out);
        range.map_or_else(Vec::new, |range| out[range].to_vec())
    }
}

/// The utility's end, and the line between both.
struct World {
    suite: SecuritySuite,
    meter: MeterEnd,
    element: SecureElement,
    client: Client<SecureElement, Vec<u8>>,
    security: SecurityContext<SecureElement>,
    ring: KeyRing<SecureElement>,
    pairs: [KeyPairs; 1],
    peers: [KnownPeer; 1],
    counters: common::Counters,
    /// The handles of the keys in use.
    keys: BTreeMap<KeyId, SecretKey>,
    names: BTreeMap<KeyFingerprint, u32>,
    dedicated_keys: usize,
}

/// A pair for signatures and one for key agreement, made in the element.
fn pairs_in(element: &SecureElement, suite: SecuritySuite) -> (KeyPairs, [KnownPeer; 1]) {
    let mut pairs = KeyPairs::new();
    let mut known = KnownPeer { title: SERVER_TITLE, keys: [None; 3] };
    for usage in [KeyUsage::DigitalSignature, KeyUsage::KeyAgreement] {
        if let Some(curve) = suite.curve() {
            let key = element.generate(curve).unwrap();
            known.keys[usage as usize] = Some(element.public_key(&key).unwrap());
            pairs.set_in_use(usage, Some(key));
        }
    }
    (pairs, [known])
}

impl World {
    fn new(suite: SecuritySuite) -> Self {
        let (element, meters) = (SecureElement::new(b'u'), SecureElement::new(b'm'));
        let (pairs, [utility]) = pairs_in(&element, suite);
        let (meter_pairs, peers) = pairs_in(&meters, suite);
        let store = Store { element: meters.clone(), kept: Rc::default() };
        let mut keys = BTreeMap::new();
        for id in KeyId::ALL {
            let octets = vec![0x10 * (1 + id.id()); suite.key_len()];
            keys.insert(id, element.put(suite, &octets));
            let handle = meters.put(suite, &octets).expose().to_vec();
            store.kept.borrow_mut().keys.insert(id, handle);
        }
        for usage in KeyUsage::ALL {
            if let Some(key) = meter_pairs.in_use(usage) {
                let place = (usage as u8, KeyPairSlot::InUse);
                store.kept.borrow_mut().pairs.insert(place, key.expose().to_vec());
            }
        }
        let utility = [KnownPeer { title: CLIENT_TITLE, ..utility }];
        let authentication_key = AuthenticationKey::from_key(suite, &keys[&KeyId::Authentication]).unwrap();
        let unicast = &keys[&KeyId::GlobalUnicast];
        let name = element.fingerprint(CLIENT_TITLE, unicast).unwrap();
        let security =
            SecurityContext::new(&element, suite, CLIENT_TITLE, unicast, authentication_key, CounterId(0), 0);
        let mut ring = KeyRing::new();
        ring.set_master_key(&element, suite, &keys[&KeyId::Master]).unwrap();
        let broadcast = &keys[&KeyId::GlobalBroadcast];
        ring.set_broadcast_key(&element, suite, broadcast, CounterId(1000), 0).unwrap();
        Self {
            suite,
            meter: MeterEnd::start(suite, store, utility, common::Counters::default()),
            element,
            client: Client::new(ClientConfig::public(), Vec::new()),
            security: security.unwrap(),
            ring,
            pairs: [pairs],
            peers,
            counters: common::Counters::default(),
            keys,
            names: BTreeMap::from([(name, 0)]),
            dedicated_keys: 0,
        }
    }

    /// What a request comes to: values as hexadecimal digits, other events by their name.
    fn call(
        &mut self,
        request: impl FnOnce(
            &mut Client<SecureElement, Vec<u8>>,
            &mut Environment<'_, SecureElement>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, dlms::client::ClientError>,
    ) -> String {
        let mut env = Environment {
            provider: &self.element,
            counters: &mut self.counters,
            security: Some(&mut self.security),
            key_ring: Some(&mut self.ring),
            public_keys: Some(PublicKeys {
                provider: &self.element,
                own: &mut self.pairs,
                peers: &self.peers,
            }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        let (mut out, mut text) = (vec![0; 4096], String::new());
        let mut to_send = Some(request(&mut self.client, &mut env, &mut out).unwrap());
        while let Some(range) = to_send.take() {
            let mut response = self.meter.exchange(&out[range]);
            let reaction = self.client.handle_apdu(&mut env, &mut response, &mut out).unwrap();
            to_send = reaction.transmit;
            text += &match reaction.event {
                None => String::new(),
                Some(Event::GetPiece { octets, .. }) => to_hex(octets),
                Some(Event::ActionDone { result: ActionResult::Success, value: Some(value) }) => {
                    to_hex(value.unwrap())
                }
                Some(Event::ActionDone { result, .. }) => format!("{result:?}"),
                Some(Event::Associated(_)) => "Associated".into(),
                Some(event) => format!("{event:?}"),
            };
        }
        text
    }

    fn associate(&mut self, client_sap: u16, config: ClientConfig) {
        self.meter.session = Session::new(client_sap, vec![0; 2048]);
        let is_signed = client_sap == ECDSA;
        let mechanism =
            if is_signed { AuthenticationMechanism::Ecdsa } else { AuthenticationMechanism::Gmac };
        let config = ClientConfig {
            mechanism,
            conformance: Conformance::LOGICAL_NAME,
            server_title: Some(SERVER_TITLE),
            ..config
        };
        self.client = Client::new(config, vec![0; 2048]);
        assert_eq!(self.call(|client, env, out| client.associate(env, out)), "Associated");
        self.reads();
    }

    fn reads(&mut self) {
        let attribute = AttributeDescriptor::new(3, ENERGY, 2);
        assert_eq!(self.call(|client, env, out| client.get(env, attribute.into(), out)), "0600001391");
    }

    fn method(&mut self, method: i8, parameter: &dyn Encode) -> String {
        let method = MethodDescriptor::new(64, SETUP, method);
        self.call(|client, env, out| client.action(env, ActionItem::new(method, parameter), out))
    }

    /// The utility takes new keys into use, as the meter did, and lets go of those before but for `kept`.
    fn follow(&mut self, keys: &[(KeyId, SecretKey)], kept: &[KeyId]) {
        let mut new = NewKeys::new();
        for (id, key) in keys {
            let fingerprint = self.element.fingerprint(CLIENT_TITLE, key).unwrap();
            let next = self.names.len() as u32;
            let name = CounterId(*self.names.entry(fingerprint).or_insert(next));
            new.add(&self.element, self.suite, *id, key, name).unwrap();
        }
        new.take_effect(&mut self.security, Some(&mut self.ring));
        for (id, key) in keys {
            let before = self.keys.insert(*id, key.clone()).unwrap();
            if !kept.contains(id) {
                CryptoProvider::discard(&self.element, &before);
            }
        }
    }

    /// key_transfer of these keys, under the master key of now.
    fn transfer(&mut self, keys: &[(KeyId, SecretKey)]) -> String {
        let kek = self.element.wrap_key(self.suite, &self.keys[&KeyId::Master]).unwrap();
        let mut buffer = [0; 256];
        let parameter = key_transfer(&self.element, self.suite, &kek, keys, &mut buffer).unwrap();
        self.method(2, &parameter)
    }

    fn agree(&mut self) {
        let signing_key = self.pairs[0].in_use(KeyUsage::DigitalSignature).unwrap().clone();
        let mut buffer = [0; 1024];
        let (agreement, parameter) =
            KeyAgreement::begin(&self.element, &signing_key, &KeyId::ALL, &mut buffer).unwrap();
        let answer = octets(&self.method(3, &parameter));
        let server = self.peers[0].keys[KeyUsage::DigitalSignature as usize].unwrap();
        let answer = Data::from_octets(&answer).unwrap();
        let parties = [CLIENT_TITLE, SERVER_TITLE];
        let keys = agreement.finish(&self.element, &self.element, &server, parties, answer).unwrap();
        self.follow(&keys, &[]);
    }

    /// Both elements hold the four keys, the key pairs, and `more`.
    fn holds(&self, what: &str, meter: usize, utility: usize) {
        let pairs = if self.suite.curve().is_some() { 2 } else { 0 };
        let replaced = self.meter.store.kept.borrow().replaced.len();
        let found = (self.meter.element.in_use(), self.element.in_use());
        assert_eq!(found, (4 + pairs + replaced + meter, 4 + pairs + utility), "{what}, {:?}", self.suite);
        let imported = (self.meter.element.imported(), self.element.imported());
        assert_eq!(imported, (self.dedicated_keys, self.dedicated_keys), "{what}");
    }
}

fn octets(hex: &str) -> Vec<u8> {
    assert!(hex.starts_with("01"), "{hex}");
    common::unhex(hex)
}

fn client() -> ClientConfig {
    ClientConfig::hls_gmac()
}

#[test]
fn on_aws_lc() {
    common::once_more_on_aws_lc();
}

#[test]
fn a_life_between_two_elements() {
    for suite in SecuritySuite::ALL {
        let mut world = World::new(suite);
        world.holds("manufacture", 0, 0);

        world.associate(GMAC, client());
        world.holds("mechanism 5", 0, 0);
        world.dedicated_keys += 1;
        world.associate(GMAC, ClientConfig { dedicated_key: DedicatedKeyChoice::Random, ..client() });
        world.holds("dedicated key", 1, 1);
        assert!(world.call(|client, env, out| client.release(env, out)).starts_with("Released"));
        world.holds("release", 0, 0);
        if suite.curve().is_some() {
            world.associate(ECDSA, client());
            world.holds("mechanism 7", 0, 0);
        }

        // All keys at once, by transfer; the first value of the unicast key is kept for later.
        world.associate(GMAC, client());
        let first = world.keys[&KeyId::GlobalUnicast].clone();
        let first_name = world.meter.security[0].counter_id();
        let fresh = |world: &World| KeyId::ALL.map(|id| (id, world.element.generate_key(suite).unwrap()));
        let keys = fresh(&world);
        assert_eq!(world.transfer(&keys), "Success");
        world.follow(&keys, &[KeyId::GlobalUnicast]);
        world.reads();
        world.holds("transfer", 0, 1);
        assert_ne!(world.meter.security[0].counter_id(), first_name);

        refused_transfers(&mut world);

        // A value that was in use before comes back, with its counters.
        assert_eq!(world.transfer(&[(KeyId::GlobalUnicast, first.clone())]), "Success");
        world.follow(&[(KeyId::GlobalUnicast, first)], &[]);
        assert_eq!(world.meter.security[0].counter_id(), first_name);
        world.reads();
        world.associate(GMAC, client());
        world.holds("back", 0, 0);

        // The master key is the one that was transferred: without it, no key for one message.
        let mut classes = vec![KeyClass::Global, KeyClass::Wrapped];
        if suite.curve().is_some() {
            classes.extend([KeyClass::OnePassDiffieHellman, KeyClass::StaticUnifiedModel]);
        }
        for class in &classes {
            world.associate(GMAC, ClientConfig { general_ciphering: Some(*class), ..client() });
            world.reads();
            world.holds("general-ciphering", 0, 0);
        }

        if suite.curve().is_some() {
            world.associate(GMAC, client());
            world.agree();
            world.reads();
            world.holds("agreement", 0, 0);
            refused_agreements(&mut world);
            world.agree();
            world.associate(ECDSA, client());
            world.holds("second agreement", 0, 0);
            key_pair_of_the_meter(&mut world);
        }

        let pending = usize::from(suite.curve().is_some());
        world.meter.restart();
        for class in classes {
            world.associate(GMAC, ClientConfig { general_ciphering: Some(class), ..client() });
        }
        world.holds("restart", pending, 0);
    }
}

/// What the utility's medium holds of a rotation: handles.
struct Rotations {
    suite: SecuritySuite,
    keys: MeterKeys,
    pending: Option<PendingKey>,
}

impl RotationStore for Rotations {
    fn keys(&mut self) -> Result<MeterKeys, StorageError> {
        Ok(self.keys.clone())
    }

    fn pending(&mut self) -> Result<Option<PendingKey>, StorageError> {
        Ok(self.pending.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingKey>) -> Result<(), StorageError> {
        self.pending = pending.cloned();
        Ok(())
    }

    fn commit(&mut self, id: KeyId, key: &SecretKey, next: Option<&PendingKey>) -> Result<(), StorageError> {
        self.pending = next.cloned();
        self.keys.set(self.suite, id, key).map_err(|_| StorageError)
    }
}

impl World {
    /// Rotates a key; the answer to the first method is lost if `is_lost`, and the utility starts anew then.
    fn rotate(&mut self, id: KeyId, method: RotationMethod, is_lost: bool) {
        let (suite, element) = (self.suite, self.element.clone());
        let key = |id| self.keys[&id].clone();
        let mut store = Rotations {
            suite,
            keys: MeterKeys {
                unicast: key(KeyId::GlobalUnicast),
                authentication: AuthenticationKey::from_key(suite, &key(KeyId::Authentication)).unwrap(),
                broadcast: Some(key(KeyId::GlobalBroadcast)),
                master: Some(key(KeyId::Master)),
            },
            pending: None,
        };
        let signing_key = self.pairs[0].in_use(KeyUsage::DigitalSignature).cloned();
        let server_key = self.peers[0].keys[KeyUsage::DigitalSignature as usize];
        let parties =
            signing_key.as_ref().zip(server_key.as_ref()).map(|(signing_key, server_key)| Parties {
                provider: &element,
                signing_key,
                server_key,
                client: CLIENT_TITLE,
                server: SERVER_TITLE,
            });
        let mut is_lost = is_lost;
        let mut buffer = [0; STEP_BUFFER];
        let mut rotation = {
            let env = &mut RotationEnvironment { provider: &element, store: &mut store, parties };
            KeyRotation::begin(env, SETUP, suite, NewRotation::new(id, method)).unwrap()
        };
        loop {
            let env = &mut RotationEnvironment { provider: &element, store: &mut store, parties };
            let value;
            let answer = match rotation.next(env, &mut buffer).unwrap() {
                Step::Done => break,
                Step::Associate(access) => {
                    let keys = rotation.keys(access).unwrap();
                    let fingerprint = element.fingerprint(CLIENT_TITLE, &keys.unicast).unwrap();
                    let next = self.names.len() as u32;
                    let name = CounterId(*self.names.entry(fingerprint).or_insert(next));
                    let (unicast, authentication) = (&keys.unicast, keys.authentication.clone());
                    self.security =
                        SecurityContext::new(&element, suite, CLIENT_TITLE, unicast, authentication, name, 0)
                            .unwrap();
                    self.meter.session = Session::new(GMAC, vec![0; 2048]);
                    let config = ClientConfig {
                        conformance: Conformance::LOGICAL_NAME,
                        server_title: Some(SERVER_TITLE),
                        ..client()
                    };
                    self.client = Client::new(config, vec![0; 2048]);
                    match self.call(|client, env, out| client.associate(env, out)).as_str() {
                        "Associated" => Answer::Associated,
                        _ => Answer::NotAssociated,
                    }
                }
                Step::Invoke(method, parameter) => {
                    let item = ActionItem::new(method, &parameter);
                    let text = self.call(|client, env, out| client.action(env, item, out));
                    match text.as_str() {
                        // The meter has done it; the utility never learns, and starts anew.
                        _ if core::mem::take(&mut is_lost) => {
                            rotation = KeyRotation::resume(env, SETUP, suite).unwrap().unwrap();
                            continue;
                        }
                        "Success" => Answer::Returned(None),
                        text => {
                            value = octets(text);
                            Answer::Returned(Some(Data::from_octets(&value).unwrap()))
                        }
                    }
                }
                Step::Read(attribute) => {
                    value =
                        common::unhex(&self.call(|client, env, out| client.get(env, attribute.into(), out)));
                    Answer::Returned(Some(Data::from_octets(&value).unwrap()))
                }
                step @ Step::Issue(_) => panic!("{step:?}"),
            };
            rotation.answer(env, answer).unwrap();
        }
        let new = match id {
            KeyId::GlobalUnicast => store.keys.unicast.clone(),
            KeyId::Authentication => {
                SecretKey::handle(store.keys.authentication.as_handle().unwrap()).unwrap()
            }
            KeyId::GlobalBroadcast => store.keys.broadcast.clone().unwrap(),
            KeyId::Master => store.keys.master.clone().unwrap(),
        };
        drop(rotation);
        assert!(store.pending.is_none());
        assert_ne!(new.expose(), self.keys[&id].expose());
        self.follow(&[(id, new)], &[]);
    }
}

/// Each key by each method from the utility's element to the meter's, also where the answer is lost: both hold what is in
/// use and nothing else, and no key left either.
#[test]
fn rotations_between_two_elements() {
    for suite in SecuritySuite::ALL {
        let mut world = World::new(suite);
        let mut rotations: Vec<_> = KeyId::ALL.map(|id| (id, RotationMethod::Transfer)).into();
        if suite.curve().is_some() {
            rotations
                .extend([KeyId::GlobalBroadcast, KeyId::Master].map(|id| (id, RotationMethod::Agreement)));
        }
        for (id, method) in rotations {
            // What was agreed on with an answer that was lost is known to the meter alone.
            for is_lost in [false, true] {
                if is_lost && method == RotationMethod::Agreement {
                    continue;
                }
                world.rotate(id, method, is_lost);
                world.associate(GMAC, client());
                world.holds(&format!("{id:?} {method:?} {is_lost}"), 0, 0);
            }
        }
        world.associate(GMAC, ClientConfig { general_ciphering: Some(KeyClass::Wrapped), ..client() });
    }
}

/// What is refused leaves nothing behind in the element.
fn refused_transfers(world: &mut World) {
    let suite = world.suite;
    let [one, other] = [0; 2].map(|_| world.element.generate_key(suite).unwrap());
    // One value twice: only the element can tell.
    let twice = [(KeyId::GlobalUnicast, one.clone()), (KeyId::Authentication, one.clone())];
    assert_eq!(world.transfer(&twice), "OtherReason");
    // The value of the broadcast key as the unicast key.
    let broadcast = world.keys[&KeyId::GlobalBroadcast].clone();
    assert_eq!(world.transfer(&[(KeyId::GlobalUnicast, broadcast)]), "OtherReason");
    // The last one of several does not unwrap.
    let kek = world.element.wrap_key(suite, &world.keys[&KeyId::Master]).unwrap();
    let wrapped = [&one, &other].map(|key| {
        let mut wrapped = [0; MAX_WRAPPED_KEY];
        wrap_key(&world.element, suite, &kek, key, &mut wrapped).unwrap().to_vec()
    });
    drop(kek);
    let mut broken = wrapped[1].clone();
    broken[3] ^= 1;
    let mut buffer = [0; 256];
    let mut encoder = Encoder::new(&mut buffer);
    encoder.array(2).unwrap();
    encoder.data(&KeyData { key_id: 0, octets: &wrapped[0] }).unwrap();
    encoder.data(&KeyData { key_id: 3, octets: &broken }).unwrap();
    assert_eq!(world.method(2, &Data::from_octets(encoder.written()).unwrap()), "OtherReason");
    // The medium refuses.
    world.meter.store.kept.borrow_mut().refuses = true;
    let both = [(KeyId::GlobalUnicast, one.clone()), (KeyId::Authentication, other.clone())];
    assert_eq!(world.transfer(&both), "HardwareFault");
    world.meter.store.kept.borrow_mut().refuses = false;
    for key in [one, other] {
        CryptoProvider::discard(&world.element, &key);
    }
    world.reads();
    world.holds("refused transfers", 0, 1);
}

fn refused_agreements(world: &mut World) {
    let signing_key = world.pairs[0].in_use(KeyUsage::DigitalSignature).unwrap().clone();
    let wrong_key = world.pairs[0].in_use(KeyUsage::KeyAgreement).unwrap().clone();
    let mut buffer = [0; 1024];
    // Signed with another key.
    let (agreement, parameter) =
        KeyAgreement::begin(&world.element, &wrong_key, &KeyId::ALL, &mut buffer).unwrap();
    assert_eq!(world.method(3, &parameter), "OtherReason");
    agreement.abandon(&world.element);
    // The meter's medium refuses after both have agreed.
    world.meter.store.kept.borrow_mut().refuses = true;
    let (agreement, parameter) =
        KeyAgreement::begin(&world.element, &signing_key, &KeyId::ALL, &mut buffer).unwrap();
    assert_eq!(world.method(3, &parameter), "HardwareFault");
    // Whatever the utility is answered then, it keeps nothing.
    let server = world.peers[0].keys[KeyUsage::DigitalSignature as usize].unwrap();
    let parties = [CLIENT_TITLE, SERVER_TITLE];
    let finished = agreement.finish(&world.element, &world.element, &server, parties, parameter);
    assert!(finished.is_err());
    // A key pair that cannot be stored is no key pair.
    assert_eq!(world.method(4, &Enum(0)), "HardwareFault");
    world.meter.store.kept.borrow_mut().refuses = false;
    assert!(KeyAgreement::begin(&world.element, &signing_key, &[KeyId::Master; 5], &mut buffer).is_err());
    assert!(KeyAgreement::begin(&world.element, &signing_key, &KeyId::ALL, &mut [0; 300]).is_err());
    world.reads();
    world.holds("refused agreements", 0, 0);
}

/// A new pair of the meter, made in its element, and a request that proves it.
fn key_pair_of_the_meter(world: &mut World) {
    assert_eq!(world.method(4, &Enum(0)), "Success");
    let answer = common::unhex(&world.method(5, &Enum(0)));
    let der = <&[u8]>::from_data(Data::from_octets(&answer).unwrap()).unwrap();
    let request = CertificationRequest::from_der(der).unwrap();
    request.verify(&common::provider()).unwrap();
    world.holds("key pair", 1, 0);
}
