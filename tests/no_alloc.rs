//! A whole ciphered association, both ends, under an allocator that fails the test when it is used.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::time::Duration;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use cosem_objects::classes::{
    Data as DataObject, DataProtection, ProfileGeneric, ProtectedObject, Register, Restriction, RowRing,
};
use cosem_objects::{
    AccessRights, AssociationId, CaptureObjectDefinition, LogicalDevice, Object, OctetString, ScalerUnit,
    Unit,
};
use dlms::client::data_protection::{
    buffer, get_request, method_request, open_buffer, parameters, set_request,
};
use dlms::client::{
    AccessItem, AccessOptions, ActionItem, Client, ClientConfig, DedicatedKeyChoice, Environment, Event,
    SetItem,
};
use dlms::server::{self, AssociationConfig, Host, Session};
use dlms::xdlms::{AttributeDescriptor, Conformance, MethodDescriptor};
use dlms::{Accepted, DataLayer, Demand, KeyClass, KeyPairs, PublicKeys, SecurityContext, TransactionId};
use dlms_axdr::{Array, Data, Encode, Reader};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, Curve, Forgetful, KeyUsage, KnownPeer, PrivateKey,
    Protection, PublicKeyProvider, RustCrypto, Secret, SecretKey, SecurityError, SecuritySuite, SystemTitle,
};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

const CLIENT: &[u8; 8] = b"HES\0\0\0\0\x02";
const METER: &[u8; 8] = b"ABC\0\0\0\0\x01";
const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
const PROTECTION: LogicalName = LogicalName::new(0, 0, 43, 2, 0, 255);
const ROWS: usize = 64;
const ROW: usize = 7;

struct Meter {
    energy: Register<u32>,
    text: DataObject<OctetString<400>>,
    profile: ProfileGeneric<RowRing<ROW, ROWS>, 1>,
    protection: DataProtection<512>,
}

impl LogicalDevice for Meter {
    fn object_count(&self) -> usize {
        4
    }

    fn object(&self, index: usize) -> Option<&dyn Object> {
        match index {
            0 => Some(&self.energy),
            1 => Some(&self.text),
            2 => Some(&self.profile),
            3 => Some(&self.protection),
            _ => None,
        }
    }

    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object> {
        match index {
            0 => Some(&mut self.energy),
            1 => Some(&mut self.text),
            2 => Some(&mut self.profile),
            3 => Some(&mut self.protection),
            _ => None,
        }
    }

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

type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>>;

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    use core::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(1);
    out.iter_mut().for_each(|octet| *octet = NEXT.fetch_add(37, Ordering::Relaxed));
    Ok(())
}

/// What the requests came to.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    associated: bool,
    values: usize,
    pieces: usize,
    octets: usize,
    set: usize,
    invoked: usize,
    accessed: usize,
    released: bool,
    violation: Option<server::Event>,
}

/// Both ends, with all their buffers.
struct Bench<'b> {
    client: Client<Provider, [u8; 2048]>,
    keys: SecurityContext<Provider>,
    provider: &'b Provider,
    meter: Meter,
    associations: [AssociationConfig; 1],
    meter_keys: [SecurityContext<Provider>; 1],
    session: Session<Provider, [u8; 2048]>,
    request: [u8; 2048],
    response: [u8; 2048],
    pairs: [[KeyPairs; 1]; 2],
    peers: [KnownPeer; 2],
    tally: Tally,
    /// The last value that was read in one piece.
    value: [u8; 2048],
}

impl Bench<'_> {
    fn request(
        &mut self,
        request: impl FnOnce(
            &mut Client<Provider, [u8; 2048]>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, dlms::client::ClientError>,
    ) {
        let [client_pairs, meter_pairs] = &mut self.pairs;
        let mut env = Environment {
            provider: self.provider,
            counters: &mut Forgetful,
            security: Some(&mut self.keys),
            key_ring: None,
            public_keys: Some(PublicKeys { provider: self.provider, own: client_pairs, peers: &self.peers }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut next = Some(request(&mut self.client, &mut env, &mut self.request).unwrap());
        while let Some(range) = next.take() {
            let mut host = Host {
                device: &mut self.meter,
                system_title: SystemTitle::from_octets(*METER),
                associations: &mut self.associations,
                security: &mut self.meter_keys,
                provider: self.provider,
                counters: &mut Forgetful,
                key_rings: &mut [],
                public_keys: Some(PublicKeys {
                    provider: self.provider,
                    own: meter_pairs,
                    peers: &self.peers,
                }),
                certificates: None,
                key_management: None,
                manufacturer: None,
                scratch: &mut [0; 64],
            };
            let answer = self
                .session
                .handle_apdu(&mut host, Duration::ZERO, &mut self.request[range], &mut self.response)
                .unwrap();
            while let Some(event) = self.session.poll_event() {
                if matches!(event, server::Event::SecurityViolation { .. }) {
                    self.tally.violation = Some(event);
                }
            }
            let reaction =
                self.client.handle_apdu(&mut env, &mut self.response[answer], &mut self.request).unwrap();
            next = reaction.transmit;
            match reaction.event {
                Some(Event::Associated(_)) => self.tally.associated = true,
                Some(Event::GetPiece { octets, last }) => {
                    self.tally.pieces += 1;
                    self.value[..octets.len()].copy_from_slice(octets);
                    self.tally.octets += octets.len();
                    self.tally.values += usize::from(last);
                }
                Some(Event::SetDone(result)) => self.tally.set += usize::from(result.code() == 0),
                Some(Event::ActionDone { result, .. }) => {
                    self.tally.invoked += usize::from(result.code() == 0)
                }
                Some(Event::AccessDone(response)) => {
                    self.tally.accessed +=
                        response.specifications.iter().filter(|result| result.is_success()).count();
                }
                Some(Event::Released { authenticated, .. }) => self.tally.released = authenticated,
                _ => {}
            }
        }
    }
}

fn keys(provider: &Provider, suite: SecuritySuite, title: &[u8; 8]) -> SecurityContext<Provider> {
    SecurityContext::new(
        provider,
        suite,
        SystemTitle::from_octets(*title),
        &SecretKey::new(suite, &[1; 32][..suite.key_len()]).unwrap(),
        AuthenticationKey::new(&[2; 32][..suite.key_len()]).unwrap(),
        CounterId(1),
        0,
    )
    .unwrap()
}

fn association() -> AssociationConfig {
    AssociationConfig {
        client_sap: 1,
        ciphered: true,
        mechanism: AuthenticationMechanism::Gmac,
        secret: Secret::empty(),
        security: Some(0),
        policy: Protection::AUTHENTICATED_ENCRYPTED,
        conformance: Conformance::LOGICAL_NAME,
        max_receive_pdu_size: 200,
        client_title: None,
        accepted: dlms::Accepted::default(),
        notifications: dlms::Envelope::GLOBAL,
        presents_certificate: false,
        accept_shared_counter: false,
        lockout: None,
    }
}

/// A signature pair and a key agreement pair; suite 0 has none and gets those of suite 1.
fn private_key(suite: SecuritySuite, title: &[u8; 8], usage: KeyUsage) -> PrivateKey {
    let curve = suite.curve().unwrap_or(Curve::P256);
    let mut scalar = [usage as u8 + 1; 48];
    scalar[..8].copy_from_slice(title);
    PrivateKey::new(curve, &scalar[..curve.coordinate_len()]).unwrap()
}

fn pairs(suite: SecuritySuite, title: &[u8; 8]) -> KeyPairs {
    KeyUsage::ALL
        .into_iter()
        .fold(KeyPairs::new(), |pairs, usage| pairs.with(usage, private_key(suite, title, usage)))
}

fn known(provider: &Provider, suite: SecuritySuite, title: &[u8; 8]) -> KnownPeer {
    let keys = KeyUsage::ALL.map(|usage| provider.public_key(&private_key(suite, title, usage)).ok());
    KnownPeer { title: SystemTitle::from_octets(*title), keys }
}

fn bench<'b>(
    provider: &'b Provider,
    suite: SecuritySuite,
    association: AssociationConfig,
    client: ClientConfig,
) -> Bench<'b> {
    let energy = CaptureObjectDefinition::new(3, ENERGY, 2);
    let mut meter = Meter {
        energy: Register::new(ENERGY, 5009, ScalerUnit { scaler: 0, unit: Unit::ActiveEnergyWattHour }),
        text: DataObject::new(TEXT, OctetString::new()),
        profile: ProfileGeneric::new(PROFILE, RowRing::new(), &[energy], 900, ROWS as u32).unwrap(),
        protection: DataProtection::new(PROTECTION, 0),
    };
    for row in 0..ROWS as u8 {
        cosem_objects::behaviour::Profile::store(&mut meter.profile, &[2, 1, 6, 0, 0, 0, row]).unwrap();
    }
    Bench {
        client: Client::new(client, [0; 2048]),
        keys: keys(provider, suite, CLIENT),
        provider,
        meter,
        associations: [association],
        meter_keys: [keys(provider, suite, METER)],
        session: Session::new(1, [0; 2048]),
        request: [0; 2048],
        response: [0; 2048],
        pairs: [[pairs(suite, CLIENT)], [pairs(suite, METER)]],
        peers: [CLIENT, METER].map(|title| known(provider, suite, title)),
        tally: Tally::default(),
        value: [0; 2048],
    }
}

fn whole_life(bench: &mut Bench<'_>) {
    let text = [7; 300];
    assert_no_alloc(|| {
        bench.request(|client, env, out| client.associate(env, out));
        for (class_id, name) in [(3, ENERGY), (7, PROFILE), (1, TEXT)] {
            let attribute = AttributeDescriptor::new(class_id, name, 2);
            bench.request(|client, env, out| client.get(env, attribute.into(), out));
        }
        let value = Data::OctetString(&text);
        let target = AttributeDescriptor::new(1, TEXT, 2);
        bench.request(|client, env, out| client.set(env, SetItem::new(target, &value), out));
        bench.request(|client, env, out| client.get(env, target.into(), out));
        let reset = MethodDescriptor::new(3, ENERGY, 1);
        bench.request(|client, env, out| client.action(env, ActionItem::new(reset, &0i8), out));
        let items = [
            AccessItem::Action(ActionItem::new(reset, &0i8)),
            AccessItem::Get(AttributeDescriptor::new(3, ENERGY, 2).into()),
            AccessItem::Set(SetItem::new(target, &Data::OctetString(&[1]))),
        ];
        let options = AccessOptions::default();
        bench.request(|client, env, out| client.access(env, &items, options, out));
        bench.request(|client, env, out| client.release(env, out));
    });
}

/// Mechanism 7, and each APDU signed and ciphered under a key of its own that both sides agree on.
#[test]
fn a_signed_association_needs_no_allocator() {
    for suite in [SecuritySuite::Suite1, SecuritySuite::Suite2] {
        for key in [KeyClass::Global, KeyClass::OnePassDiffieHellman, KeyClass::StaticUnifiedModel] {
            let provider: Provider = RustCrypto::new(random);
            let policy = Protection::AUTHENTICATED_ENCRYPTED | Protection::SIGNED;
            let mechanism = AuthenticationMechanism::Ecdsa;
            let association = AssociationConfig {
                mechanism,
                policy,
                accepted: Accepted::all() - Accepted::RESTARTING_COUNTERS,
                max_receive_pdu_size: 800,
                ..association()
            };
            let client = ClientConfig {
                mechanism,
                policy,
                general_ciphering: Some(key),
                max_receive_pdu_size: 800,
                conformance: Conformance::LOGICAL_NAME,
                ..ClientConfig::hls_gmac()
            };
            let mut bench = bench(&provider, suite, association, client);
            whole_life(&mut bench);
            let tally = &bench.tally;
            assert!(tally.associated && tally.released, "{suite:?} {key:?} {tally:?}");
            assert_eq!(
                (tally.values, tally.set, tally.invoked, tally.accessed),
                (4, 1, 1, 3),
                "{suite:?} {key:?} {tally:?}"
            );
        }
    }
}

/// The buffer written, read and opened, and every method, the data under a key that both sides agree on.
#[test]
fn data_protection_needs_no_allocator() {
    for suite in [SecuritySuite::Suite1, SecuritySuite::Suite2] {
        for key in [KeyClass::Global, KeyClass::OnePassDiffieHellman, KeyClass::StaticUnifiedModel] {
            let provider: Provider = RustCrypto::new(random);
            let accepted = Accepted::all() - Accepted::RESTARTING_COUNTERS;
            let association = AssociationConfig { accepted, max_receive_pdu_size: 1000, ..association() };
            let client = ClientConfig {
                max_receive_pdu_size: 1000,
                conformance: Conformance::LOGICAL_NAME,
                ..ClientConfig::hls_gmac()
            };
            let mut bench = bench(&provider, suite, association, client);
            let transaction = TransactionId::new(&[1; 8]).unwrap();
            let signed = DataLayer { protection: Protection::SIGNED, key: KeyClass::Global, transaction };
            let layers =
                [signed, DataLayer { protection: Protection::AUTHENTICATED_ENCRYPTED, key, ..signed }];
            assert_no_alloc(|| protected_data(&mut bench, accepted, &layers));
            let tally = &bench.tally;
            assert_eq!((tally.values, tally.set, tally.invoked), (1, 4, 3), "{suite:?} {key:?} {tally:?}");
            assert!(tally.released, "{suite:?} {key:?} {tally:?}");
        }
    }
}

fn protected_data(bench: &mut Bench<'_>, accepted: Accepted, layers: &[DataLayer]) {
    let (utility, meter) = (SystemTitle::from_octets(*CLIENT), SystemTitle::from_octets(*METER));
    let text = ProtectedObject {
        class_id: 1,
        logical_name: TEXT,
        attribute_index: 2,
        data_index: 0,
        restriction: Restriction::None,
    };
    let values = (Data::OctetString(&[1, 2, 3]),);
    bench.request(|client, env, out| client.associate(env, out));
    let given = parameters(layers, &meter, &utility).unwrap();
    let taken = parameters(layers, &utility, &meter).unwrap();
    let lists: [(i8, &dyn Encode); 3] = [(3, &Array(&[text])), (4, &given), (5, &taken)];
    for (attribute, value) in lists {
        let item = SetItem::new(AttributeDescriptor::new(30, PROTECTION, attribute), value);
        bench.request(|client, env, out| client.set(env, item, out));
    }
    let target = AttributeDescriptor::new(30, PROTECTION, 2);
    bench.request(|client, env, out| {
        let mut room = [0; 2048];
        let value = buffer(env, meter, layers, &values, &mut room)?;
        client.set(env, SetItem::new(target, &value), out)
    });
    bench.request(|client, env, out| client.get(env, target.into(), out));
    let value = bench.value;
    for method in 1..=3 {
        bench.request(|client, env, out| {
            let mut room = [0; 2048];
            let parameter = match method {
                1 => {
                    let value = Data::decode(&mut Reader::new(&value))?;
                    let demand =
                        Demand { accepted, is_carried: true, ..Demand::new(meter, Protection::SIGNED) };
                    let opened = open_buffer(env, &demand, layers, value, &mut room)?;
                    assert!(matches!(opened, Data::Structure(values) if values.len() == 1));
                    get_request(utility, meter, &[text], layers, &mut room)?
                }
                2 => set_request(env, meter, &[text], layers, &values, &mut room)?,
                _ => {
                    let reset = MethodDescriptor::new(3, ENERGY, 1);
                    method_request(env, meter, reset, layers, &0i8, &mut room)?
                }
            };
            let method = MethodDescriptor::new(30, PROTECTION, method);
            client.action(env, ActionItem::new(method, &parameter), out)
        });
    }
    bench.request(|client, env, out| client.release(env, out));
}

#[test]
fn a_ciphered_association_needs_no_allocator() {
    for suite in SecuritySuite::ALL {
        let provider: Provider = RustCrypto::new(random);
        let client = ClientConfig {
            max_receive_pdu_size: 200,
            conformance: Conformance::LOGICAL_NAME,
            dedicated_key: DedicatedKeyChoice::Random,
            ..ClientConfig::hls_gmac()
        };
        let mut bench = bench(&provider, suite, association(), client);
        whole_life(&mut bench);
        let tally = &bench.tally;
        assert!(tally.associated && tally.released, "{tally:?}");
        assert_eq!((tally.values, tally.set, tally.invoked, tally.accessed), (4, 1, 1, 3));
        assert_eq!(tally.octets, 5 + (2 + ROWS * ROW) + 2 + 304);
        assert!(tally.pieces > 6, "in blocks");
    }
}
