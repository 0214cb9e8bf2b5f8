//! Every association of both models, opened by the client engine with the credentials that the model shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::ops::Range;
use std::time::Duration;

use cosem_objects::classes::{Clock, Data as DataClass, DisconnectControl, KeyData, SecuritySetup};
use cosem_objects::{ActionResult, AttributeReference, DataAccessResult};
use dlms::client::{self, ActionItem, Client, ClientConfig, ClientError, Environment, Refusal, SetItem};
use dlms::server::{AssociationConfig, Host, KeyManager, Session};
use dlms::{KeyPairs, KeyRing, PublicKeys, SecurityContext};
use dlms_axdr::{Data, OwnedData};
use dlms_meters::{Clients, Credentials, Keys, MeterModel, Options, Simulation};
use dlms_obis::LogicalName;
use dlms_security::{
    AesEcb, AuthenticationKey, AuthenticationMechanism, CounterId, CryptoProvider, Forgetful, KeyUsage,
    KnownPeer, PeerKeys, PrivateKey, Protection, PublicKey, RustCrypto, Secret, SecretKey, SecurityError,
    SecuritySuite, SystemTitle,
};

type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>>;

/// Random enough for a test, and never the same twice.
fn provider() -> Provider {
    fn fill(out: &mut [u8]) -> Result<(), SecurityError> {
        use core::sync::atomic::{AtomicU64, Ordering};
        static STATE: AtomicU64 = AtomicU64::new(1);
        for octet in out {
            let state = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *octet = ((state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56) as u8;
        }
        Ok(())
    }
    RustCrypto::new(fill)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A meter that is served.
struct Served {
    simulation: Simulation,
    associations: Vec<AssociationConfig>,
    security: Vec<SecurityContext<Provider>>,
    key_rings: Vec<KeyRing<Provider>>,
    key_manager: KeyManager<Provider, Keys>,
    key_pairs: Vec<KeyPairs>,
    clients: Clients,
    provider: Provider,
    scratch: Vec<u8>,
}

impl Served {
    fn new(model: MeterModel) -> Self {
        Self::in_state(model, None)
    }

    fn in_state(model: MeterModel, state: Option<std::path::PathBuf>) -> Self {
        let options = Options { unix_milliseconds: 1_768_471_200_000, speed: 1.0, seed: 1, state };
        let simulation = Simulation::new(model, options).unwrap();
        let provider = provider();
        Self {
            associations: simulation.associations().unwrap(),
            security: simulation.security(&provider).unwrap(),
            key_rings: simulation.key_rings(&provider).unwrap(),
            key_manager: KeyManager::new(simulation.keys(&provider).unwrap()),
            key_pairs: simulation.key_pairs().unwrap(),
            clients: simulation.clients().unwrap(),
            simulation,
            provider,
            scratch: vec![0; 4096],
        }
    }
}

/// One client's link to the meter.
struct Line<'m> {
    meter: &'m mut Served,
    session: Session<Provider, Vec<u8>>,
    client: Client<Provider, Vec<u8>>,
    keys: Option<SecurityContext<Provider>>,
    pairs: [KeyPairs; 1],
    peers: Option<KnownPeer>,
    provider: Provider,
}

/// The meter's public key, where the client has it.
struct Known(Option<KnownPeer>);

impl PeerKeys for Known {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        self.0.as_slice().public_key(owner, usage)
    }
}

/// What came of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    Associated,
    Refused(Refusal),
    Value(Vec<u8>),
    NotRead(DataAccessResult),
    Set(DataAccessResult),
    Invoked(ActionResult),
    Other,
}

impl<'m> Line<'m> {
    fn new(meter: &'m mut Served, credentials: &Credentials) -> Self {
        let provider = provider();
        let keys = credentials.suite.map(|suite| {
            let suite = SecuritySuite::from_id(suite).unwrap();
            let title = SystemTitle::try_from(&hex(credentials.client_title.as_ref().unwrap())[..]).unwrap();
            let ek = SecretKey::new(suite, &hex(credentials.ek.as_ref().unwrap())).unwrap();
            let ak = AuthenticationKey::new(&hex(credentials.ak.as_ref().unwrap())).unwrap();
            SecurityContext::new(&provider, suite, title, &ek, ak, CounterId(0), 100).unwrap()
        });
        let title = |text: &String| SystemTitle::try_from(&hex(text)[..]).unwrap();
        let config = ClientConfig {
            ciphered: credentials.security != "none",
            mechanism: match credentials.auth {
                "none" => AuthenticationMechanism::None,
                "lls" => AuthenticationMechanism::Lls,
                "hls" => AuthenticationMechanism::Hls2Manufacturer,
                "md5" => AuthenticationMechanism::Md5,
                "sha1" => AuthenticationMechanism::Sha1,
                "gmac" => AuthenticationMechanism::Gmac,
                "sha256" => AuthenticationMechanism::Sha256,
                "ecdsa" => AuthenticationMechanism::Ecdsa,
                other => panic!("{other}"),
            },
            secret: Secret::new(&hex(credentials.password_hex.as_deref().unwrap_or(""))).unwrap(),
            policy: match credentials.security {
                "none" => Protection::empty(),
                "auth" => Protection::AUTHENTICATED,
                _ => Protection::AUTHENTICATED_ENCRYPTED,
            },
            client_title: credentials.client_title.as_ref().filter(|_| keys.is_none()).map(title),
            server_title: credentials.server_title.as_ref().map(title),
            ..ClientConfig::public()
        };
        // Mechanism 7: our signature key, and the meter's public one.
        let curve = credentials.suite.and_then(|id| SecuritySuite::from_id(id)?.curve());
        let signing_key = curve.zip(credentials.signing_key.as_ref());
        let pairs = [signing_key.map_or(KeyPairs::new(), |(curve, key)| {
            let key = PrivateKey::new(curve, &hex(key)).unwrap();
            KeyPairs::new().with(KeyUsage::DigitalSignature, key)
        })];
        let public_key = curve.zip(credentials.peer_public_key.as_ref());
        let public_key = public_key.map(|(curve, key)| PublicKey::new(curve, &hex(key)).unwrap());
        let peers = credentials
            .server_title
            .as_ref()
            .map(|text| KnownPeer { title: title(text), keys: [public_key, None, None] });
        Self {
            pairs,
            peers,
            meter,
            session: Session::new(credentials.client, vec![0; 4096]),
            client: Client::new(config, vec![0; 4096]),
            keys,
            provider,
        }
    }

    /// Makes a request and plays it to its end.
    fn run(
        &mut self,
        request: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<Range<usize>, ClientError>,
    ) -> Outcome {
        let Self { meter, session, client, keys, pairs, peers, provider } = self;
        let known = Known(*peers);
        let mut out = vec![0; 4096];
        let mut transmit = vec![0; 4096];
        let mut env = Environment {
            provider,
            counters: &mut Forgetful,
            security: keys.as_mut().map(|context| context as _),
            key_ring: None,
            public_keys: Some(PublicKeys { provider, own: &mut *pairs, peers: &known }),
            manufacturer: Some(&AesEcb),
            now: Duration::ZERO,
        };
        let range = request(client, &mut env, &mut out).unwrap();
        let mut apdu = out[range].to_vec();
        let mut value = Vec::new();
        loop {
            let mut host = Host {
                device: &mut meter.simulation.device,
                system_title: SystemTitle::try_from(
                    &hex(TITLES[usize::from(meter.associations.len() < 20)])[..],
                )
                .unwrap(),
                associations: &mut meter.associations,
                security: &mut meter.security,
                provider: &meter.provider,
                counters: &mut meter.simulation.counters,
                key_rings: &mut meter.key_rings,
                public_keys: Some(PublicKeys {
                    provider: &meter.provider,
                    own: &mut meter.key_pairs,
                    peers: &meter.clients,
                }),
                certificates: None,
                key_management: Some(&mut meter.key_manager),
                manufacturer: Some(&AesEcb),
                scratch: &mut meter.scratch,
            };
            let range =
                session.handle_apdu(&mut host, Duration::ZERO, &mut apdu, &mut transmit).expect("an answer");
            let mut response = transmit[range].to_vec();
            while let Some(event) = session.poll_event() {
                meter.simulation.handle_event(&event, &meter.security).unwrap();
            }
            let mut env = Environment {
                provider,
                counters: &mut Forgetful,
                security: keys.as_mut().map(|context| context as _),
                key_ring: None,
                public_keys: Some(PublicKeys { provider, own: &mut *pairs, peers: &known }),
                manufacturer: Some(&AesEcb),
                now: Duration::ZERO,
            };
            let reaction = client.handle_apdu(&mut env, &mut response, &mut out).unwrap();
            match reaction.event {
                Some(client::Event::Associated(_)) => return Outcome::Associated,
                Some(client::Event::Refused(refusal)) => return Outcome::Refused(refusal),
                Some(client::Event::GetPiece { octets, last }) => {
                    value.extend_from_slice(octets);
                    if last {
                        return Outcome::Value(value);
                    }
                }
                Some(client::Event::GetRefused(result)) => return Outcome::NotRead(result),
                Some(client::Event::SetDone(result)) => return Outcome::Set(result),
                Some(client::Event::ActionDone { result, .. }) => return Outcome::Invoked(result),
                Some(_) => return Outcome::Other,
                None => {}
            }
            match reaction.transmit {
                Some(range) => apdu = out[range].to_vec(),
                None => return Outcome::Other,
            }
        }
    }

    fn associate(&mut self) -> Outcome {
        self.run(|client, env, out| client.associate(env, out))
    }

    fn get(&mut self, attribute: AttributeReference) -> Outcome {
        self.run(|client, env, out| client.get(env, attribute.into(), out))
    }

    fn set(&mut self, attribute: AttributeReference, value: &OwnedData) -> Outcome {
        self.run(|client, env, out| client.set(env, SetItem::new(attribute.into(), &value.as_data()), out))
    }
}

/// The system titles of the laboratory meter and of the PMM1220.
const TITLES: [&str; 2] = ["4c41420000000001", "504d4d3132323001"];

const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
const TEXT: LogicalName = LogicalName::new(0, 0, 96, 1, 9, 255);
const RELAY: LogicalName = LogicalName::new(0, 0, 96, 3, 10, 255);

#[test]
fn every_association_of_the_lab_opens_and_works() {
    let mut meter = Served::new(MeterModel::Lab);
    let text = DataClass::VALUE.of(TEXT);
    for credentials in MeterModel::Lab.credentials().unwrap() {
        let name = &credentials.name;
        let mut line = Line::new(&mut meter, &credentials);
        assert_eq!(line.associate(), Outcome::Associated, "{name}");
        let Outcome::Value(time) = line.get(Clock::TIME.of(CLOCK)) else { panic!("{name}") };
        let time = Clock::TIME.decode(Data::from_octets(&time).unwrap()).unwrap();
        assert_eq!(time.unix_seconds(), Some(1_768_471_200), "{name}");
        let value = OwnedData::OctetString(name.as_bytes().to_vec());
        let written = line.set(text, &value);
        // More than a year, in a thousand blocks: enough in some of them.
        if matches!(name.as_str(), "none" | "sha256-1-auth" | "gmac-2-auth-enc") {
            let profile = LogicalName::new(1, 0, 99, 1, 0, 255);
            let buffer = cosem_objects::classes::ProfileGeneric::BUFFER.of(profile);
            let Outcome::Value(rows) = line.get(buffer) else { panic!("{name}") };
            assert!(rows.len() > 1_200_000, "{name}");
        }
        if name == "public" {
            assert_eq!(written, Outcome::Set(DataAccessResult::ReadWriteDenied));
            continue;
        }
        assert_eq!(written, Outcome::Set(DataAccessResult::Success), "{name}");
        assert_eq!(line.get(text), Outcome::Value(value.to_octets()), "{name}");
        let action = DisconnectControl::REMOTE_DISCONNECT.of(RELAY).into();
        let invoked = line.run(|client, env, out| client.action(env, ActionItem::new(action, &0i8), out));
        assert_eq!(invoked, Outcome::Invoked(ActionResult::Success), "{name}");
        if let Some(counter) = &credentials.counter_object {
            let groups: Vec<u8> = counter.split('.').map(|group| group.parse().unwrap()).collect();
            let counter = LogicalName::from_octets(groups.try_into().unwrap());
            let Outcome::Value(shown) = line.get(DataClass::VALUE.of(counter)) else { panic!("{name}") };
            let Data::DoubleLongUnsigned(shown) = Data::from_octets(&shown).unwrap() else {
                panic!("{name}")
            };
            // Signatures without ciphering count nothing.
            let counts = credentials.auth != "ecdsa" || credentials.security != "none";
            assert!(!counts || shown >= 100, "{name}: {shown}");
        }
    }
}

#[test]
fn every_association_of_the_pmm1220_opens() {
    let mut meter = Served::new(MeterModel::Pmm1220);
    for credentials in MeterModel::Pmm1220.credentials().unwrap() {
        let mut line = Line::new(&mut meter, &credentials);
        assert_eq!(line.associate(), Outcome::Associated, "{}", credentials.name);
        let state = line.get(DisconnectControl::CONTROL_STATE.of(RELAY));
        let hidden = matches!(credentials.name.as_str(), "pub" | "fwu");
        let expected = match hidden {
            true => Outcome::NotRead(DataAccessResult::ObjectUndefined),
            false => Outcome::Value(vec![0x16, 0x01]),
        };
        assert_eq!(state, expected, "{}", credentials.name);
        let list =
            cosem_objects::classes::AssociationLn::OBJECT_LIST.of(LogicalName::new(0, 0, 40, 0, 0, 255));
        assert!(matches!(line.get(list), Outcome::Value(_)), "{}", credentials.name);
    }
}

#[test]
fn a_wrong_secret_or_key_opens_nothing() {
    let mut meter = Served::new(MeterModel::Lab);
    for mut credentials in MeterModel::Lab.credentials().unwrap() {
        let spoilt = match credentials.auth {
            "gmac" => &mut credentials.ak,
            "none" => continue,
            "ecdsa" => &mut credentials.signing_key,
            _ => &mut credentials.password_hex,
        };
        spoilt.as_mut().unwrap().replace_range(..2, "5a");
        let mut line = Line::new(&mut meter, &credentials);
        assert!(!matches!(line.associate(), Outcome::Associated), "{}", credentials.name);
    }
}

/// The clients of the lab can change keys and policies, and both outlive a restart.
#[test]
fn changed_keys_and_policies_outlive_a_restart() {
    let directory = std::env::temp_dir().join(format!("dlms-keys-{}", std::process::id()));
    let credentials = MeterModel::Lab.credentials().unwrap();
    let named = |name: &str| credentials.iter().find(|it| it.name == name).unwrap().clone();
    for (name, suite) in
        [("gmac-0-auth-enc", SecuritySuite::Suite0), ("gmac-2-auth-enc", SecuritySuite::Suite2)]
    {
        let mut credentials = named(name);
        let place = credentials.counter_object.as_ref().unwrap().split('.').nth(4).unwrap().parse().unwrap();
        let setup = LogicalName::new(0, 0, 43, 0, place, 255);
        let mut meter = Served::in_state(MeterModel::Lab, Some(directory.clone()));
        let mut line = Line::new(&mut meter, &credentials);
        assert_eq!(line.associate(), Outcome::Associated);
        let policy = line.get(SecuritySetup::SECURITY_POLICY.of(setup));
        let expected = if suite == SecuritySuite::Suite0 { 3 } else { 0x6C };
        assert_eq!(policy, Outcome::Value(vec![0x16, expected]));
        // The master key of setup 0 is 60 61 62 …
        let mut kek: Vec<u8> = (0x60..).take(suite.key_len()).collect();
        kek[0] = kek[0].wrapping_add(place);
        let kek = line.provider.wrap_key(suite, &SecretKey::new(suite, &kek).unwrap()).unwrap();
        let new = SecretKey::new(suite, &vec![0x5A; suite.key_len()]).unwrap();
        let mut wrapped = [0; dlms_security::keys::MAX_WRAPPED_KEY];
        let wrapped = dlms_security::keys::wrap_key(&line.provider, suite, &kek, &new, &mut wrapped).unwrap();
        let keys = [KeyData { key_id: 0, octets: wrapped }];
        let method = dlms::xdlms::MethodDescriptor::new(64, setup, 2);
        let answer = line.run(|client, env, out| {
            client.action(env, ActionItem::new(method, &dlms_axdr::Array(&keys)), out)
        });
        assert_eq!(answer, Outcome::Invoked(ActionResult::Success));
        drop(meter);

        let mut meter = Served::in_state(MeterModel::Lab, Some(directory.clone()));
        assert_ne!(Line::new(&mut meter, &credentials).associate(), Outcome::Associated, "the old key");
        credentials.ek = Some("5a".repeat(suite.key_len()));
        assert_eq!(Line::new(&mut meter, &credentials).associate(), Outcome::Associated);
    }
    std::fs::remove_dir_all(directory).unwrap();
}
