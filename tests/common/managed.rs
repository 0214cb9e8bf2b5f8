//! A meter whose keys can be changed, on a medium that survives restarts, and a client beside it.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::cell::RefCell;
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use cosem_objects::classes::SecuritySetup;
use cosem_objects::{ActionResult, DataAccessResult};
use dlms::client::{ActionItem, Client, ClientConfig, ClientError, Environment, Event};
use dlms::server::{AssociationConfig, Host, KeyManager, Session};
use dlms::xdlms::{AttributeDescriptor, Conformance, MethodDescriptor};
use dlms::{KeyPairs, KeyRing, NewKeys, PublicKeys, SecurityContext};
use dlms_axdr::Encode;
use dlms_obis::LogicalName;
use dlms_security::certificate::MemoryCertificates;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CounterStore, CryptoProvider, InvocationCounter,
    KeyFingerprint, KeyId, KeyPairSlot, KeyStore, KeyUsage, KnownPeer, PrivateKey, Protection,
    RequiredProtection, SecretKey, SecuritySuite, SetupChange, StorageError, SystemTitle,
};

use crate::common::{self, CLIENT_TITLE, Meter, Provider, SERVER_TITLE};

pub const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);

/// What is on the medium.
#[derive(Default)]
pub struct Stored {
    pub ceilings: BTreeMap<u32, u32>,
    pub names: BTreeMap<KeyFingerprint, u32>,
    pub floors: BTreeMap<(u32, [u8; 8]), u32>,
    pub keys: BTreeMap<(usize, KeyId), Vec<u8>>,
    pub policies: BTreeMap<usize, RequiredProtection>,
    pub pairs: BTreeMap<(usize, u8, KeyPairSlot), PrivateKey>,
    /// How many more records can be written; power fails then.
    pub writes_left: Option<usize>,
    pub installs: usize,
    /// Whether nothing of a security setup can be written.
    pub refuses_installs: bool,
}

pub type Certificates = MemoryCertificates<8>;

#[derive(Clone)]
pub struct Medium(pub Rc<RefCell<Stored>>, pub Rc<Certificates>);

impl Default for Medium {
    fn default() -> Self {
        Self(Rc::default(), Rc::new(Certificates::new()))
    }
}

impl Medium {
    fn write(&self) -> Result<core::cell::RefMut<'_, Stored>, StorageError> {
        let mut stored = self.0.borrow_mut();
        if let Some(left) = &mut stored.writes_left {
            *left = left.checked_sub(1).ok_or(StorageError)?;
        }
        Ok(stored)
    }
}

impl CounterStore for Medium {
    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        let mut stored = self.write()?;
        let kept = stored.ceilings.entry(id.0).or_default();
        assert!(*kept <= ceiling, "a ceiling never goes down");
        *kept = ceiling;
        Ok(())
    }

    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.0.borrow().ceilings.get(&id.0).copied().unwrap_or(0))
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        Ok(self.0.borrow().floors.get(&(id.0, *peer.octets())).copied().unwrap_or(0))
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        let mut stored = self.write()?;
        let kept = stored.floors.entry((id.0, *peer.octets())).or_default();
        *kept = floor.max(*kept);
        Ok(())
    }
}

impl KeyStore for Medium {
    fn counter_id(&mut self, _: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        let stored = &mut *self.0.borrow_mut();
        let next = stored.names.len() as u32 + 100;
        Ok(CounterId(*stored.names.entry(*key).or_insert(next)))
    }

    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        let mut stored = self.write()?;
        if stored.refuses_installs {
            return Err(StorageError);
        }
        stored.installs += 1;
        for key in change.keys {
            stored.keys.insert((setup, key.id), key.key.expose().to_vec());
        }
        for pair in change.key_pairs {
            let place = (setup, pair.usage as u8, pair.slot);
            match pair.key {
                Some(key) => stored.pairs.insert(place, key.clone()),
                None => stored.pairs.remove(&place),
            };
        }
        if let Some(policy) = change.policy {
            stored.policies.insert(setup, policy);
        }
        Ok(())
    }
}

pub fn suite_key(suite: SecuritySuite, first: u8) -> SecretKey {
    let octets: Vec<u8> = (0..suite.key_len() as u8).map(|n| n.wrapping_add(first)).collect();
    SecretKey::new(suite, &octets).unwrap()
}

/// The master key of the tests.
pub fn master_key(suite: SecuritySuite) -> SecretKey {
    suite_key(suite, 0xA0)
}

/// The server's end.
pub struct Managed {
    pub meter: Meter,
    pub manager: KeyManager<Provider, Medium>,
    pub medium: Medium,
    /// Whether trust comes from the certificates, not from keys put in by hand.
    pub trusts_certificates: bool,
    pub session: Session<Provider, Vec<u8>>,
    pub out: Vec<u8>,
}

impl Managed {
    pub fn new(config: AssociationConfig, version: u8, medium: Medium) -> Self {
        let setup = config.security.unwrap();
        let client_sap = config.client_sap;
        let mut meter = Meter::new(vec![config]);
        meter.device.objects.insert(0, Box::new(SecuritySetup::new(SETUP, version, setup as u8)));
        let (provider, title) = (common::provider(), SERVER_TITLE);
        meter.key_rings.clear();
        for suite in SecuritySuite::ALL {
            let number = usize::from(suite.id());
            let key = |id: KeyId, initial: &[u8]| {
                let kept = medium.0.borrow().keys.get(&(number, id)).cloned();
                kept.unwrap_or_else(|| initial.to_vec())
            };
            let (unicast, authentication) = common::keys(suite);
            let unicast = key(KeyId::GlobalUnicast, unicast.expose());
            let unicast = SecretKey::new(suite, &unicast).unwrap();
            let authentication = key(KeyId::Authentication, authentication.expose());
            let fingerprint = provider.fingerprint(title, &unicast).unwrap();
            let counters = medium.clone().counter_id(number, &fingerprint).unwrap();
            let mut context = SecurityContext::new(
                &provider,
                suite,
                title,
                &unicast,
                AuthenticationKey::for_suite(suite, &authentication).unwrap(),
                counters,
                0,
            )
            .unwrap();
            context.set_floor_step(1);
            // Key pairs that were made replace those of the tests.
            for usage in KeyUsage::ALL {
                let kept = |slot| medium.0.borrow().pairs.get(&(number, usage as u8, slot)).cloned();
                if let Some(key) = kept(KeyPairSlot::InUse) {
                    meter.key_pairs[number].set_in_use(usage, Some(key));
                }
                meter.key_pairs[number].set_pending(usage, kept(KeyPairSlot::Pending));
            }
            if let Some(policy) = medium.0.borrow().policies.get(&number) {
                context.set_policy(*policy);
            }
            meter.security[number] = context;
            let mut ring = KeyRing::new();
            let master = key(KeyId::Master, master_key(suite).expose());
            ring.set_master_key(&provider, suite, &SecretKey::new(suite, &master).unwrap()).unwrap();
            meter.key_rings.push(ring);
        }
        Self {
            meter,
            manager: KeyManager::new(medium.clone()),
            medium,
            trusts_certificates: false,
            session: Session::new(client_sap, vec![0; 2048]),
            out: vec![0; 4096],
        }
    }

    pub fn exchange(&mut self, apdu: &[u8]) -> Option<Vec<u8>> {
        let mut apdu = apdu.to_vec();
        let certificates = self.medium.1.clone();
        let mut host = Host {
            device: &mut self.meter.device,
            system_title: SERVER_TITLE,
            associations: &mut self.meter.associations,
            security: &mut self.meter.security,
            provider: &self.meter.provider,
            counters: &mut self.medium,
            key_rings: &mut self.meter.key_rings,
            public_keys: Some(PublicKeys {
                provider: &*common::PROVIDER,
                own: &mut self.meter.key_pairs,
                peers: if self.trusts_certificates { &*certificates } else { &*self.meter.peers },
            }),
            certificates: Some(&*certificates),
            key_management: Some(&mut self.manager),
            manufacturer: None,
            scratch: &mut self.meter.scratch,
        };
        let range = self.session.handle_apdu(&mut host, Duration::ZERO, &mut apdu, &mut self.out)?;
        Some(self.out[range].to_vec())
    }
}

/// Both ends.
pub struct Ends {
    pub client: Client<Provider, Vec<u8>>,
    pub security: SecurityContext<Provider>,
    pub provider: Provider,
    pub counters: common::Counters,
    pub out: Vec<u8>,
    pub server: Managed,
    /// Our own key pairs, and the meter's public keys, where signatures are verified.
    pub trusted: Option<([KeyPairs; 1], [KnownPeer; 1])>,
    /// Every request that left, as it left.
    pub sent: Vec<Vec<u8>>,
}

/// What a request came to.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Value(Vec<u8>),
    Refused(DataAccessResult),
    Done(ActionResult, Option<Vec<u8>>),
    Associated,
    Failed(ClientError),
    Other(String),
}

impl Ends {
    pub fn new(suite: SecuritySuite, version: u8) -> Self {
        let server = common::config(AuthenticationMechanism::Gmac, Some(suite));
        Self::with(server, suite, version, Medium::default())
    }

    pub fn with(server: AssociationConfig, suite: SecuritySuite, version: u8, medium: Medium) -> Self {
        let provider = common::provider();
        let (key, authentication_key) = common::keys(suite);
        let security =
            SecurityContext::new(&provider, suite, CLIENT_TITLE, &key, authentication_key, CounterId(9), 0);
        let client = ClientConfig {
            ciphered: true,
            mechanism: server.mechanism,
            policy: server.policy,
            conformance: Conformance::LOGICAL_NAME,
            max_receive_pdu_size: 700,
            client_title: Some(CLIENT_TITLE),
            server_title: Some(SERVER_TITLE),
            ..ClientConfig::public()
        };
        Self {
            client: Client::new(client, vec![0; 2048]),
            security: security.unwrap(),
            provider,
            counters: common::Counters::default(),
            out: vec![0; 4096],
            server: Managed::new(server, version, medium),
            trusted: None,
            sent: Vec::new(),
        }
    }

    pub fn request(
        &mut self,
        request: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, ClientError>,
    ) -> Outcome {
        let Self { client, security, provider, counters, out, server, trusted, sent } = self;
        let mut env = Environment {
            provider,
            counters,
            security: Some(security),
            key_ring: None,
            public_keys: trusted.as_mut().map(|(own, peers)| PublicKeys {
                provider: &*common::PROVIDER,
                own,
                peers: &*peers,
            }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut to_send = match request(client, &mut env, out) {
            Ok(range) => Some(range),
            Err(error) => return Outcome::Failed(error),
        };
        let mut value = Vec::new();
        while let Some(range) = to_send.take() {
            sent.push(out[range.clone()].to_vec());
            let Some(mut response) = server.exchange(&out[range]) else { break };
            let reaction = match client.handle_apdu(&mut env, &mut response, out) {
                Ok(reaction) => reaction,
                Err(error) => return Outcome::Failed(error),
            };
            to_send = reaction.transmit;
            match reaction.event {
                None => {}
                Some(Event::GetPiece { octets, last }) => {
                    value.extend_from_slice(octets);
                    if last {
                        return Outcome::Value(value);
                    }
                }
                Some(Event::GetRefused(result)) => return Outcome::Refused(result),
                Some(Event::ActionDone { result, value }) => {
                    return Outcome::Done(result, value.map(|value| value.unwrap().to_vec()));
                }
                Some(Event::Associated(_)) => return Outcome::Associated,
                Some(event) => return Outcome::Other(format!("{event:?}")),
            }
        }
        Outcome::Other("silence".into())
    }

    pub fn associate(&mut self) -> Outcome {
        self.client.link_lost();
        self.request(|client, env, out| client.associate(env, out))
    }

    /// What another client with the same keys may have used up.
    pub fn skip_counters(&mut self, count: u32) {
        self.security.advance_counter(InvocationCounter::new(count), count).unwrap();
    }

    pub fn get(&mut self, class_id: u16, name: LogicalName, attribute: i8) -> Outcome {
        let item = AttributeDescriptor::new(class_id, name, attribute);
        self.request(|client, env, out| client.get(env, item.into(), out))
    }

    pub fn setup_attribute(&mut self, attribute: i8) -> Outcome {
        self.get(64, SETUP, attribute)
    }

    pub fn setup_method(&mut self, method: i8, parameter: &dyn Encode) -> Outcome {
        let method = MethodDescriptor::new(64, SETUP, method);
        self.request(|client, env, out| client.action(env, ActionItem::new(method, parameter), out))
    }

    /// The client takes new keys into use, as the meter did; a key that it had before goes on with its counters.
    pub fn follow(&mut self, keys: &[(KeyId, SecretKey)]) {
        let mut new = NewKeys::new();
        for (id, key) in keys {
            let digest = self.provider.sha256(&[key.expose()]).unwrap();
            let name = CounterId(u32::from_be_bytes(*digest.first_chunk().unwrap()));
            new.add(&self.provider, self.security.suite(), *id, key, name).unwrap();
        }
        new.take_effect(&mut self.security, None);
    }
}

pub fn encoded(value: &dyn Encode) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut encoder = dlms_axdr::Encoder::new(&mut buffer);
    value.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

/// A protection that an association demands by itself.
pub const BOTH: Protection = Protection::AUTHENTICATED_ENCRYPTED;
