//! A whole ciphered association, both ends, under an allocator that fails the test when it is used.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::time::Duration;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use cosem_objects::classes::{Data as DataObject, ProfileGeneric, Register, RowRing};
use cosem_objects::{
    AccessRights, AssociationId, CaptureObjectDefinition, LogicalDevice, Object, OctetString, ScalerUnit,
    Unit,
};
use dlms::SecurityContext;
use dlms::client::{ActionItem, Client, ClientConfig, Environment, Event, SetItem};
use dlms::server::{AssociationConfig, Host, Session};
use dlms::xdlms::{AttributeDescriptor, Conformance, MethodDescriptor};
use dlms_axdr::Data;
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CounterStore, Protection, RustCrypto, Secret,
    SecretKey, SecurityError, SecuritySuite, StorageError, SystemTitle,
};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
const ROWS: usize = 64;
const ROW: usize = 7;

struct Meter {
    energy: Register<u32>,
    text: DataObject<OctetString<400>>,
    profile: ProfileGeneric<RowRing<ROW, ROWS>, 1>,
}

impl LogicalDevice for Meter {
    fn object_count(&self) -> usize {
        3
    }

    fn object(&self, index: usize) -> Option<&dyn Object> {
        match index {
            0 => Some(&self.energy),
            1 => Some(&self.text),
            2 => Some(&self.profile),
            _ => None,
        }
    }

    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object> {
        match index {
            0 => Some(&mut self.energy),
            1 => Some(&mut self.text),
            2 => Some(&mut self.profile),
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

struct Counters;

impl CounterStore for Counters {
    fn reserve(&mut self, _: CounterId, _: u32) -> Result<(), StorageError> {
        Ok(())
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
    released: bool,
}

/// Both ends, with all their buffers.
struct Bench<'b> {
    client: Client<Provider, [u8; 512]>,
    keys: SecurityContext<Provider>,
    provider: &'b Provider,
    meter: Meter,
    associations: [AssociationConfig; 1],
    meter_keys: [SecurityContext<Provider>; 1],
    session: Session<Provider, [u8; 512]>,
    request: [u8; 512],
    response: [u8; 512],
    tally: Tally,
}

impl Bench<'_> {
    fn request(
        &mut self,
        request: impl FnOnce(
            &mut Client<Provider, [u8; 512]>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, dlms::client::ClientError>,
    ) {
        let mut env = Environment {
            provider: self.provider,
            counters: &mut Counters,
            security: Some(&mut self.keys),
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut next = Some(request(&mut self.client, &mut env, &mut self.request).unwrap());
        while let Some(range) = next.take() {
            let mut host = Host {
                device: &mut self.meter,
                system_title: SystemTitle::from_octets(*b"ABC\0\0\0\0\x01"),
                associations: &mut self.associations,
                security: &mut self.meter_keys,
                provider: self.provider,
                counters: &mut Counters,
                key_rings: &mut [],
                public_keys: None,
                manufacturer: None,
                scratch: &mut [0; 64],
            };
            let answer = self
                .session
                .handle_apdu(&mut host, Duration::ZERO, &mut self.request[range], &mut self.response)
                .unwrap();
            while self.session.poll_event().is_some() {}
            let reaction =
                self.client.handle_apdu(&mut env, &mut self.response[answer], &mut self.request).unwrap();
            next = reaction.transmit;
            match reaction.event {
                Some(Event::Associated(_)) => self.tally.associated = true,
                Some(Event::GetPiece { octets, last }) => {
                    self.tally.pieces += 1;
                    self.tally.octets += octets.len();
                    self.tally.values += usize::from(last);
                }
                Some(Event::SetDone(result)) => self.tally.set += usize::from(result.code() == 0),
                Some(Event::ActionDone { result, .. }) => {
                    self.tally.invoked += usize::from(result.code() == 0)
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

fn bench(provider: &Provider, suite: SecuritySuite) -> Bench<'_> {
    let energy = CaptureObjectDefinition::new(3, ENERGY, 2);
    let mut meter = Meter {
        energy: Register::new(ENERGY, 5009, ScalerUnit { scaler: 0, unit: Unit::ActiveEnergyWattHour }),
        text: DataObject::new(TEXT, OctetString::new()),
        profile: ProfileGeneric::new(PROFILE, RowRing::new(), &[energy], 900, ROWS as u32).unwrap(),
    };
    for row in 0..ROWS as u8 {
        cosem_objects::behaviour::Profile::store(&mut meter.profile, &[2, 1, 6, 0, 0, 0, row]).unwrap();
    }
    let association = AssociationConfig {
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
        accept_shared_counter: false,
    };
    let client = ClientConfig { max_receive_pdu_size: 200, dedicated_key: true, ..ClientConfig::hls_gmac() };
    Bench {
        client: Client::new(client, [0; 512]),
        keys: keys(provider, suite, b"HES\0\0\0\0\x02"),
        provider,
        meter,
        associations: [association],
        meter_keys: [keys(provider, suite, b"ABC\0\0\0\0\x01")],
        session: Session::new(1, [0; 512]),
        request: [0; 512],
        response: [0; 512],
        tally: Tally::default(),
    }
}

#[test]
fn a_ciphered_association_needs_no_allocator() {
    for suite in SecuritySuite::ALL {
        let provider: Provider = RustCrypto::new(random);
        let mut bench = bench(&provider, suite);
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
            bench.request(|client, env, out| client.release(env, out));
        });
        let tally = &bench.tally;
        assert!(tally.associated && tally.released, "{tally:?}");
        assert_eq!((tally.values, tally.set, tally.invoked), (4, 1, 1));
        assert_eq!(tally.octets, 5 + (2 + ROWS * ROW) + 2 + 304);
        assert!(tally.pieces > 6, "in blocks");
    }
}
