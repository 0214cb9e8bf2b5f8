//! The meter, which stays as it is.

use core::time::Duration;
use std::collections::BTreeMap;

use cosem_objects::classes::{Data as DataObject, SecuritySetup};
use cosem_objects::{AccessRights, AssociationId, LogicalDevice, OctetString};
use dlms::server::{AssociationConfig, HdlcServer, Host, KeyManager, Lockout, WrapperServer};
use dlms::xdlms::Conformance;
use dlms::{Accepted, KeyPairs, KeyRing, PublicKeys, SecurityContext};
use dlms_hdlc::{SecondaryConfig, ServerAddress};
use dlms_security::certificate::MemoryCertificates;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CryptoProvider, KeyFingerprint, KeyId,
    KeyPairSlot, KeyStore, KnownPeer, Protection, PublicKeyProvider, SecretKey, SecuritySuite, SetupChange,
    StorageError,
};
use dlms_wrapper::WPort;

use super::nonces::Recorder;
use super::{
    FAILURES, Framing, Keys, METER, NOW, OTHER, OWN, SETUP, SIGN, TEXT, UTILITY, initial, signing_key,
};
use crate::common::{self, PROVIDER};

/// The keys that were replaced last may still protect an answer: they are given up with the next change.
struct Medium {
    recorder: Recorder,
    replaced: Vec<SecretKey>,
    names: BTreeMap<KeyFingerprint, u32>,
    keys: BTreeMap<(usize, KeyId), SecretKey>,
}

impl KeyStore for Medium {
    fn counter_id(&mut self, _: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        let next = self.names.len() as u32;
        Ok(CounterId(*self.names.entry(*key).or_insert(next)))
    }

    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        self.replaced.drain(..).for_each(|key| self.recorder.discard(&key));
        for key in change.keys {
            self.replaced.extend(self.keys.insert((setup, key.id), key.key.clone()));
        }
        assert!(change.key_pairs.iter().all(|pair| pair.slot == KeyPairSlot::InUse || pair.usage == SIGN));
        Ok(())
    }
}

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

pub struct Meter {
    suite: SecuritySuite,
    device: Device,
    associations: Vec<AssociationConfig>,
    pub security: Vec<SecurityContext<Recorder>>,
    key_rings: Vec<KeyRing<Recorder>>,
    pub key_pairs: Vec<KeyPairs>,
    peers: [KnownPeer; 1],
    pub(super) certificates: MemoryCertificates<6>,
    manager: KeyManager<Recorder, Medium>,
    counters: common::Counters,
    pub recorder: Recorder,
    line: Served,
}

enum Served {
    Wrapper(Box<WrapperServer<Recorder, Vec<u8>, 2>>),
    Hdlc(Box<HdlcServer<Recorder, Vec<u8>, 2>>),
}

impl Meter {
    pub(super) fn new(
        keys: Keys,
        suite: SecuritySuite,
        framing: Framing,
        mechanism: AuthenticationMechanism,
    ) -> Self {
        let recorder = Recorder::new(keys, b'm');
        let mut medium = Medium {
            recorder: recorder.clone(),
            replaced: Vec::new(),
            names: BTreeMap::new(),
            keys: BTreeMap::new(),
        };
        for (setup, id) in [0, 1].map(|setup| KeyId::ALL.map(|id| (setup, id))).concat() {
            medium.keys.insert((setup, id), recorder.put(suite, &initial(suite, setup, id)));
        }
        let mut context = |setup: usize| {
            let key = medium.keys[&(setup, KeyId::GlobalUnicast)].clone();
            let fingerprint = recorder.fingerprint(METER, &key).unwrap();
            let id = medium.counter_id(setup, &fingerprint).unwrap();
            let authentication = &medium.keys[&(setup, KeyId::Authentication)];
            let authentication = AuthenticationKey::from_key(suite, authentication).unwrap();
            SecurityContext::new(&recorder, suite, METER, &key, authentication, id, 0).unwrap()
        };
        let security = vec![context(0), context(1)];
        let mut ring = |setup: usize| {
            let mut ring = KeyRing::new();
            ring.set_master_key(&recorder, suite, &medium.keys[&(setup, KeyId::Master)]).unwrap();
            let key = medium.keys[&(setup, KeyId::GlobalBroadcast)].clone();
            let fingerprint = recorder.fingerprint(METER, &key).unwrap();
            let id = medium.counter_id(setup, &fingerprint).unwrap();
            ring.set_broadcast_key(&recorder, suite, &key, id, 0).unwrap();
            ring
        };
        let key_rings = vec![ring(0), ring(1)];
        let mut pairs = KeyPairs::new();
        let mut peers = [KnownPeer { title: UTILITY, keys: [None; 3] }];
        if let (Some(own), Some(client)) = (signing_key(suite, 0x21), signing_key(suite, 0x31)) {
            pairs = pairs.with(SIGN, recorder.put_private(own));
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
            recorder,
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
        self.manager.store().keys[&(0, id)].clone()
    }

    /// Takes octets from the line and gives those that come back.
    pub(super) fn serve(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut host = Host {
            device: &mut self.device,
            system_title: METER,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &self.recorder,
            counters: &mut self.counters,
            key_rings: &mut self.key_rings,
            public_keys: Some(PublicKeys {
                provider: self.recorder.public(),
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

    pub(super) fn line_lost(&mut self) {
        match &mut self.line {
            Served::Wrapper(server) => server.stream_lost(),
            Served::Hdlc(server) => server.line_lost(),
        }
    }
}
