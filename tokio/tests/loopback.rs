//! Client, listener and server over loopback: every framing, many clients at once.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosem_objects::classes::{
    ApplicationContextName, AssociatedPartnersId, AssociationLn, AuthenticationMechanismName, Data,
    ImageInfo, ImageStorage, ImageTransfer as Image, ProfileGeneric, Progress, Register, RowDeque,
    XdlmsContextInfo,
};
use cosem_objects::{
    AccessRights, AssociationId, CaptureObjectDefinition, LogicalDevice, Object, OctetString, ScalerUnit,
    Unit,
};
use dlms::SecurityContext;
use dlms::client::{ClientConfig, DedicatedKeyChoice, Refusal};
use dlms::server::{AssociationConfig, Event, Host};
use dlms::xdlms::{ActionResult, AttributeDescriptor, Conformance, DataAccessResult, MethodDescriptor};
use dlms_axdr::{Data as Value, Encoder};
use dlms_hdlc::{ClientAddress, Parameters, SecondaryConfig, ServerAddress};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CounterStore, Protection, Secret, SecretKey,
    SecuritySuite, StorageError, SystemTitle,
};
use dlms_tokio::iec62056_21::{DeviceConfig, DeviceState, Identification};
use dlms_tokio::{
    AccessItem, AccessOptions, Accessed, Client, ClientOptions, Endpoint, Error, ErrorKind, Framing,
    ImageProgress, ImageTransfer, Keys, Layer, Listener, ListenerFraming, ProfileSelection, Provider,
    SerialOptions, Server, ServerHost, ServerOptions, provider, serve_stream,
};
use dlms_tokio::{ModeE, answer_sign_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_serial::{SerialPort, SerialStream};

const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const DEMAND: LogicalName = LogicalName::new(1, 0, 1, 7, 0, 255);
const IMAGE: LogicalName = LogicalName::new(0, 0, 44, 0, 0, 255);
const TEXT: LogicalName = LogicalName::new(0, 0, 128, 0, 0, 255);
const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
const SERVER_TITLE: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");
const CLIENT_TITLE: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x02");
const EK: [u8; 16] = [1; 16];
const AK: [u8; 16] = [2; 16];
const PUBLIC: u16 = 16;
const SECURE: u16 = 1;

struct Device(Vec<Box<dyn Object + Send>>);

impl LogicalDevice for Device {
    fn object_count(&self) -> usize {
        self.0.len()
    }

    fn object(&self, index: usize) -> Option<&dyn Object> {
        self.0.get(index).map(|object| &**object as &dyn Object)
    }

    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object> {
        match self.0.get_mut(index) {
            Some(object) => Some(&mut **object),
            None => None,
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
        Some(self.0.len() - 1)
    }
}

/// An image in memory. The first verification takes its time, and a write can fail.
#[derive(Default)]
struct Flash {
    name: Vec<u8>,
    octets: Vec<u8>,
    writes: u32,
    fails_at: Option<u32>,
    active: bool,
}

impl ImageStorage for Flash {
    fn begin(&mut self, identifier: &[u8], size: u32) -> Result<(), ActionResult> {
        *self = Self { fails_at: self.fails_at, ..Self::default() };
        self.name = identifier.to_vec();
        self.octets = vec![0; size as usize];
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), ActionResult> {
        self.writes += 1;
        if self.fails_at == Some(self.writes) {
            self.fails_at = None;
            return Err(ActionResult::HardwareFault);
        }
        self.octets[offset as usize..][..octets.len()].copy_from_slice(octets);
        Ok(())
    }

    fn verify(&mut self, _size: u32) -> Progress {
        if self.octets == image() { Progress::Done } else { Progress::Failed }
    }

    fn activate(&mut self) -> Progress {
        self.active = true;
        Progress::Done
    }

    fn image_to_activate(&self, index: usize) -> Option<ImageInfo<'_>> {
        let size = self.octets.len() as u32;
        (index == 0).then_some(ImageInfo { size, identification: &self.name, signature: &[] })
    }
}

fn image() -> Vec<u8> {
    (0..5000u32).map(|n| (n * 7) as u8).collect()
}

#[derive(Default)]
struct Counters(BTreeMap<u32, u32>, BTreeMap<SystemTitle, u32>);

impl CounterStore for Counters {
    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        self.0.insert(id.0, ceiling);
        Ok(())
    }

    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.0.get(&id.0).copied().unwrap_or(0))
    }

    fn floor(&mut self, _: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        Ok(self.1.get(&peer).copied().unwrap_or(0))
    }

    fn reserve_floor(&mut self, _: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        self.1.insert(peer, floor);
        Ok(())
    }
}

struct Meter {
    device: Device,
    associations: Vec<AssociationConfig>,
    security: Vec<SecurityContext<Provider>>,
    provider: Provider,
    counters: Counters,
    scratch: [u8; 256],
    events: Vec<Event>,
}

impl ServerHost for Meter {
    type Provider = Provider;

    fn host(&mut self) -> Host<'_, Provider> {
        Host {
            device: &mut self.device,
            system_title: SERVER_TITLE,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &self.provider,
            counters: &mut self.counters,
            key_rings: &mut [],
            public_keys: None,
            certificates: None,
            key_management: None,
            manufacturer: None,
            scratch: &mut self.scratch,
        }
    }

    fn event(&mut self, _peer: Option<SocketAddr>, event: Event) {
        self.events.push(event);
    }
}

fn meter(rows: u32) -> Arc<Mutex<Meter>> {
    let columns = [
        CaptureObjectDefinition::new(8, LogicalName::new(0, 0, 1, 0, 0, 255), 2),
        CaptureObjectDefinition::new(3, ENERGY, 2),
    ];
    let mut profile =
        ProfileGeneric::<RowDeque, 2>::new(PROFILE, RowDeque::new(rows), &columns, 900, rows).unwrap();
    for row in 0..rows {
        let mut octets = [0; 32];
        let mut encoder = Encoder::new(&mut octets);
        encoder.octets(&[2, 2, 9, 12, 0x07, 0xEA, 1, 5, 1]).unwrap();
        encoder.octets(&[(row / 4 % 24) as u8, (row % 4 * 15) as u8, 0, 0, 0x80, 0, 0, 6]).unwrap();
        encoder.u32(row).unwrap();
        let row = encoder.written().to_vec();
        cosem_objects::behaviour::Profile::store(&mut profile, &row).unwrap();
    }
    let association = |client_sap, mechanism, ciphered| AssociationConfig {
        client_sap,
        ciphered,
        mechanism,
        secret: Secret::empty(),
        security: Some(0),
        policy: if ciphered { Protection::AUTHENTICATED_ENCRYPTED } else { Protection::empty() },
        conformance: Conformance::LOGICAL_NAME,
        max_receive_pdu_size: 1024,
        client_title: None,
        accepted: dlms::Accepted::default(),
        notifications: dlms::Envelope::GLOBAL,
        presents_certificate: false,
        accept_shared_counter: false,
        lockout: None,
    };
    let provider = provider();
    let suite = SecuritySuite::Suite0;
    let security = SecurityContext::new(
        &provider,
        suite,
        SERVER_TITLE,
        &SecretKey::new(suite, &EK).unwrap(),
        AuthenticationKey::new(&AK).unwrap(),
        CounterId(0),
        0,
    );
    Arc::new(Mutex::new(Meter {
        device: Device(vec![
            Box::new(Register::new(
                ENERGY,
                5009u32,
                ScalerUnit { scaler: -1, unit: Unit::ActiveEnergyWattHour },
            )),
            Box::new(Data::new(TEXT, OctetString::<4000>::new())),
            Box::new(profile),
            Box::new(Image::<Flash, 16>::new(IMAGE, Flash { fails_at: Some(20), ..Flash::default() }, 100)),
            Box::new(Register::new(DEMAND, 7u32, ScalerUnit { scaler: 0, unit: Unit::ActivePowerWatt })),
            Box::new(AssociationLn::<1>::new(
                LogicalName::new(0, 0, 40, 0, 1, 255),
                1,
                AssociationId(0),
                AssociatedPartnersId { client_sap: 16, server_sap: 1 },
                ApplicationContextName(1),
                AuthenticationMechanismName(0),
                XdlmsContextInfo {
                    conformance: Conformance::LOGICAL_NAME.octets(),
                    max_receive_pdu_size: 1024,
                    max_send_pdu_size: 1024,
                },
            )),
        ]),
        associations: vec![
            association(PUBLIC, AuthenticationMechanism::None, false),
            association(SECURE, AuthenticationMechanism::Gmac, true),
        ],
        security: vec![security.unwrap()],
        provider,
        counters: Counters::default(),
        scratch: [0; 256],
        events: Vec::new(),
    }))
}

/// A server with this framing; the client's endpoint.
async fn serve(meter: &Arc<Mutex<Meter>>, options: ServerOptions) -> Endpoint {
    let server = Server::bind("127.0.0.1:0", options, Arc::clone(meter)).await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    tokio::spawn(server.run());
    Endpoint::Tcp(address)
}

async fn serve_udp(meter: &Arc<Mutex<Meter>>) -> Endpoint {
    let server = Server::bind_udp("127.0.0.1:0", ServerOptions::wrapper(), Arc::clone(meter)).await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    tokio::spawn(server.run());
    Endpoint::Udp(address)
}

fn hdlc_server() -> ServerOptions {
    let mut config = SecondaryConfig::new(ServerAddress::one(1).unwrap());
    config.limits = wide();
    ServerOptions::hdlc(config)
}

fn wide() -> Parameters {
    Parameters {
        max_information_transmit: 256,
        max_information_receive: 256,
        window_transmit: 3,
        window_receive: 3,
    }
}

fn hdlc_client(client: u8) -> Framing {
    Framing::hdlc_with(ClientAddress::new(client).unwrap(), ServerAddress::one(1).unwrap(), wide())
}

fn public(endpoint: Endpoint, framing: Framing) -> ClientOptions {
    ClientOptions::new(endpoint, framing).with_association(ClientConfig {
        max_receive_pdu_size: 1024,
        conformance: Conformance::LOGICAL_NAME,
        ..ClientConfig::public()
    })
}

fn secure(endpoint: Endpoint, framing: Framing, counter: u32) -> ClientOptions {
    let keys =
        Keys::new(SecuritySuite::Suite0, CLIENT_TITLE, &EK, &AK, CounterId(1), counter, Counters::default());
    ClientOptions::new(endpoint, framing)
        .with_association(ClientConfig {
            max_receive_pdu_size: 1024,
            conformance: Conformance::LOGICAL_NAME,
            dedicated_key: DedicatedKeyChoice::Random,
            ..ClientConfig::hls_gmac()
        })
        .with_keys(keys.unwrap())
}

/// What a head-end does with a meter.
async fn use_meter(mut client: Client, rows: u32) {
    let scaler_unit = client.read(Register::SCALER_UNIT, ENERGY).await.unwrap();
    assert_eq!(scaler_unit, ScalerUnit { scaler: -1, unit: Unit::ActiveEnergyWattHour });
    assert_eq!(client.read(Register::VALUE, ENERGY).await.unwrap(), Value::DoubleLongUnsigned(5009));
    assert_eq!(client.register(ENERGY).value().await.unwrap().to_string(), "500.9 Wh");
    let nowhere = client.extended_register(ENERGY).value().await.unwrap_err();
    assert!(matches!(nowhere, Error::DataAccess(DataAccessResult::ObjectUndefined)), "{nowhere}");
    let missing = AttributeDescriptor::new(3, TEXT, 2);
    assert!(matches!(client.get(missing).await, Err(Error::DataAccess(DataAccessResult::ObjectUndefined))));

    let text: Vec<u8> = (0..3000u32).map(|n| n as u8).collect();
    let target = AttributeDescriptor::new(1, TEXT, 2);
    client.set(target, &Value::OctetString(&text)).await.unwrap();
    assert_eq!(client.get(target).await.unwrap().data(), Value::OctetString(&text));

    let mut items = vec![AttributeDescriptor::new(3, ENERGY, 2).into(); 70];
    items.push(missing.into());
    items.push(target.into());
    let values = client.get_list(&items).await.unwrap();
    assert_eq!(values.len(), 72);
    assert_eq!(values[69].as_ref().unwrap().data(), Value::DoubleLongUnsigned(5009));
    assert_eq!(values[70], Err(DataAccessResult::ObjectUndefined));
    assert_eq!(values[71].as_ref().unwrap().data(), Value::OctetString(&text));

    let results = client.set_list(&[(target, &Value::OctetString(b"x")), (missing, &1u8)]).await.unwrap();
    assert_eq!(results, [DataAccessResult::Success, DataAccessResult::ObjectUndefined]);
    assert_eq!(client.invoke(MethodDescriptor::new(3, DEMAND, 1), Some(&0i8)).await.unwrap(), None);
    assert!(matches!(client.invoke(MethodDescriptor::new(3, ENERGY, 9), None).await, Err(Error::Action(_))));

    let items = [
        AccessItem::Set(target, &Value::OctetString(b"y")),
        AccessItem::Get(target.into()),
        AccessItem::Action(MethodDescriptor::new(3, DEMAND, 1), Some(&0i8)),
        AccessItem::Action(MethodDescriptor::new(3, ENERGY, 9), None),
        AccessItem::Get(missing.into()),
    ];
    let results = client.access(&items, AccessOptions::default()).await.unwrap();
    let [Accessed::Set(DataAccessResult::Success), Accessed::Get(Ok(text)), done, not_done, gone] =
        &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!(text.data(), Value::OctetString(b"y"));
    assert_eq!(done, &Accessed::Action(Ok(None)));
    assert!(matches!(not_done, Accessed::Action(Err(_))));
    assert_eq!(gone, &Accessed::Get(Err(DataAccessResult::ObjectUndefined)));

    let mut profile = client.profile(PROFILE, &ProfileSelection::All).await.unwrap();
    assert_eq!(profile.remaining(), rows as usize);
    let mut seen = 0;
    while let Some(row) = profile.next_row().await.unwrap() {
        assert_eq!(row.get(1), Some(Value::DoubleLongUnsigned(seen)));
        seen += 1;
    }
    assert_eq!(seen, rows);
    // A profile that is not read to its end is in nobody's way.
    let mut profile = client.profile(PROFILE, &ProfileSelection::All).await.unwrap();
    profile.next_row().await.unwrap().unwrap();
    let mut profile = client.profile(PROFILE, &ProfileSelection::entries(3, 5)).await.unwrap();
    let mut entries = Vec::new();
    while let Some(row) = profile.next_row().await.unwrap() {
        entries.push(row.get(1).unwrap().to_octets());
    }
    assert_eq!(entries, [2u8, 3, 4].map(|row| vec![6, 0, 0, 0, row]));

    client.release().await.unwrap();
    client.associate().await.unwrap();
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn over_the_wrapper() {
    let meter = meter(500);
    let endpoint = serve(&meter, ServerOptions::wrapper()).await;
    use_meter(Client::connect(public(endpoint.clone(), Framing::wrapper(PUBLIC, 1))).await.unwrap(), 500)
        .await;
    use_meter(Client::connect(secure(endpoint, Framing::wrapper(SECURE, 1), 0)).await.unwrap(), 500).await;
    let events = &meter.lock().unwrap().events;
    assert!(events.iter().any(|event| matches!(event, Event::Associated { .. })));
}

#[tokio::test]
async fn over_hdlc() {
    let meter = meter(100);
    let endpoint = serve(&meter, hdlc_server()).await;
    use_meter(Client::connect(public(endpoint.clone(), hdlc_client(16))).await.unwrap(), 100).await;
    use_meter(Client::connect(secure(endpoint, hdlc_client(1), 0)).await.unwrap(), 100).await;
}

/// A line that brings one octet at a time, as serial lines and their gateways do.
#[tokio::test]
async fn over_hdlc_octet_by_octet() {
    let meter = meter(100);
    let Endpoint::Tcp(server) = serve(&meter, hdlc_server()).await else { panic!("the endpoint") };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap().to_string());
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.split(), server.split());
        let back = async {
            while let Ok(octet) = from_server.read_u8().await {
                to_client.write_u8(octet).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::join!(tokio::io::copy(&mut from_client, &mut to_server), back);
    });
    let begin = std::time::Instant::now();
    use_meter(Client::connect(public(endpoint, hdlc_client(16))).await.unwrap(), 100).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "the link waited for something");
}

/// An optical port: the reader signs on at 300 bit/s, both change the rate, and HDLC follows.
#[cfg(unix)]
#[tokio::test]
async fn over_an_optical_port() {
    let meter = meter(100);
    let (mut line, far_end) = SerialStream::pair().unwrap();
    let path = far_end.name().unwrap();
    drop(far_end);
    let rates = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&rates);
    tokio::spawn(async move {
        let identification =
            Identification { manufacturer: "ABc", rate: '5', escapes: "\\2", identification: "METER" };
        let config = DeviceConfig { identification, device_address: "" };
        // While nobody has the other end open, this one only gives errors.
        loop {
            let state = answer_sign_on(&mut line, config, |_, rate| {
                seen.lock().unwrap().push(rate);
                Ok(())
            });
            if let Ok(DeviceState::Hdlc) = state.await {
                let _ = serve_stream(&mut line, None, &hdlc_server(), &meter).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mode_e = Some(ModeE::default());
    let endpoint = Endpoint::Serial(SerialOptions { mode_e, ..SerialOptions::new(path) });
    use_meter(Client::connect(secure(endpoint, hdlc_client(1), 0)).await.unwrap(), 100).await;
    assert!(rates.lock().unwrap().windows(2).any(|pair| pair == [300, 9600]));
}

/// A pseudo-terminal stands for the line: the meter on one end, the client opens the other by its path.
#[cfg(unix)]
#[tokio::test]
async fn over_a_serial_line() {
    let meter = meter(100);
    let (mut line, far_end) = SerialStream::pair().unwrap();
    let path = far_end.name().unwrap();
    drop(far_end);
    tokio::spawn(async move {
        // While nobody has the other end open, this one only gives errors.
        loop {
            let _ = serve_stream(&mut line, None, &hdlc_server(), &meter).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let endpoint = Endpoint::Serial(SerialOptions { baud_rate: 115_200, ..SerialOptions::new(path) });
    use_meter(Client::connect(public(endpoint.clone(), hdlc_client(16))).await.unwrap(), 100).await;
    use_meter(Client::connect(secure(endpoint, hdlc_client(1), 0)).await.unwrap(), 100).await;
}

#[tokio::test]
async fn over_udp() {
    let meter = meter(100);
    let endpoint = serve_udp(&meter).await;
    use_meter(Client::connect(public(endpoint.clone(), Framing::wrapper(PUBLIC, 1))).await.unwrap(), 100)
        .await;
    use_meter(Client::connect(secure(endpoint, Framing::wrapper(SECURE, 1), 0)).await.unwrap(), 100).await;
}

#[tokio::test]
async fn many_clients_at_once() {
    let meter = meter(50);
    let endpoint = serve(&meter, ServerOptions::wrapper()).await;
    let clients: Vec<_> = (0..30)
        .map(|_| {
            let options = public(endpoint.clone(), Framing::wrapper(PUBLIC, 1));
            tokio::spawn(async move {
                let mut client = Client::connect(options).await.unwrap();
                for _ in 0..20 {
                    client.read(Register::VALUE, ENERGY).await.unwrap();
                }
                client.disconnect().await.unwrap();
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn connections_are_bounded_and_silence_ends_them() {
    let meter = meter(1);
    let options = ServerOptions {
        max_connections: 1,
        inactivity_timeout: Duration::from_millis(300),
        ..ServerOptions::wrapper()
    };
    let endpoint = serve(&meter, options).await;
    let first = Client::connect(public(endpoint.clone(), Framing::wrapper(PUBLIC, 1))).await.unwrap();
    // The second one waits for the first one's place, which silence frees.
    let mut second = Client::connect(public(endpoint, Framing::wrapper(PUBLIC, 1))).await.unwrap();
    second.read(Register::VALUE, ENERGY).await.unwrap();
    drop(first);
}

#[tokio::test]
async fn a_lost_counter_is_made_good() {
    let meter = meter(1);
    let endpoint = serve(&meter, ServerOptions::wrapper()).await;
    let framing = Framing::wrapper(SECURE, 1);
    Client::connect(secure(endpoint.clone(), framing, 500)).await.unwrap().disconnect().await.unwrap();
    // The meter tells the lowest acceptable counter, and the client goes on there.
    let client = Client::connect(secure(endpoint.clone(), framing, 0)).await.unwrap();
    assert!(client.security().unwrap().upcoming_counter().value() > 500);
    client.disconnect().await.unwrap();
    Client::connect(secure(endpoint, framing, 2000)).await.unwrap().disconnect().await.unwrap();
}

#[tokio::test]
async fn errors_have_kinds() {
    let meter = meter(1);
    let endpoint = serve(&meter, ServerOptions::wrapper()).await;
    // Nobody there.
    let nobody = Endpoint::Tcp("127.0.0.1:1".into());
    let error = Client::connect(public(nobody, Framing::wrapper(PUBLIC, 1))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Link, "{error}");
    // No such client.
    let error = Client::connect(public(endpoint.clone(), Framing::wrapper(99, 1))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(matches!(error, Error::Refused(Refusal::Rejected { .. })));
    // A wrong key.
    let mut options = secure(endpoint.clone(), Framing::wrapper(SECURE, 1), 0);
    options.keys = Some(
        Keys::new(SecuritySuite::Suite0, CLIENT_TITLE, &[9; 16], &AK, CounterId(1), 0, Counters::default())
            .unwrap(),
    );
    let error = Client::connect(options).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused, "the server refuses first: {error}");
    // No answer: another wPort than the server's.
    let mut options = public(endpoint, Framing::wrapper(PUBLIC, 7));
    options.association.response_timeout = Duration::from_millis(50);
    options.retries = 1;
    let error = Client::connect(options).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Link, "{error}");
}

/// Connections that open no association do not keep those out that do.
#[tokio::test]
async fn idle_connections_make_room() {
    let meter = meter(1);
    let options = ServerOptions { max_connections: 2, ..ServerOptions::wrapper() };
    let Endpoint::Tcp(address) = serve(&meter, options).await else { panic!("no TCP") };
    let connect = || public(Endpoint::Tcp(address.clone()), Framing::wrapper(PUBLIC, 1));
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.push(tokio::net::TcpStream::connect(&address).await.unwrap());
    }
    let mut first = Client::connect(connect()).await.unwrap();
    let mut second = Client::connect(connect()).await.unwrap();
    // Both places are kept by associations now: a third client waits, then gives up.
    let mut patient = connect();
    patient.association.response_timeout = Duration::from_millis(300);
    patient.retries = 0;
    assert_eq!(Client::connect(patient).await.err().unwrap().kind(), ErrorKind::Link);
    let name = AttributeDescriptor::new(1, TEXT, 1);
    assert!(first.get(name).await.is_ok() && second.get(name).await.is_ok());
    first.disconnect().await.unwrap();
    Client::connect(connect()).await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_flood_of_datagrams_keeps_nobody_out() {
    let meter = meter(1);
    let Endpoint::Udp(address) = serve_udp(&meter).await else { panic!("no UDP") };
    let mut client =
        Client::connect(public(Endpoint::Udp(address.clone()), Framing::wrapper(PUBLIC, 1))).await.unwrap();
    for _ in 0..300 {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(&[0, 1, 0, 16, 0, 1, 0, 1, 0x62], &address).await.unwrap();
    }
    Client::connect(public(Endpoint::Udp(address), Framing::wrapper(PUBLIC, 1))).await.unwrap();
    assert!(client.get(AttributeDescriptor::new(1, TEXT, 1)).await.is_ok(), "the first is still known");
}

/// Datagrams that are no WPDU are dropped, whoever's address they bear, and the next one is read from its begin.
#[tokio::test]
async fn a_malformed_datagram_disturbs_nobody() {
    let meter = meter(1);
    let Endpoint::Udp(address) = serve_udp(&meter).await else { panic!("no UDP") };
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(&address).await.unwrap();
    let mut answer = [0; 100];
    let mut exchange = async |apdu: &[u8]| {
        let mut wpdu = vec![0, 1, 0, PUBLIC as u8, 0, 1, 0, apdu.len() as u8];
        wpdu.extend(apdu);
        for wrong in [&wpdu[..wpdu.len() - 1], &wpdu[..5], &[0, 2, 0, 0], &[&wpdu[..], &[0]].concat()] {
            socket.send(wrong).await.unwrap();
        }
        socket.send(&wpdu).await.unwrap();
        let length = tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut answer)).await.unwrap();
        answer[8..length.unwrap()].to_vec()
    };
    let aarq = [
        0x60, 0x1D, 0xA1, 9, 6, 7, 0x60, 0x85, 0x74, 5, 8, 1, 1, 0xBE, 0x10, 4, 0x0E, 1, 0, 0, 0, 6, 0x5F,
        0x1F, 4, 0, 0, 0x7E, 0x1F, 4, 0xB0,
    ];
    assert_eq!(exchange(&aarq).await[0], 0x61);
    let get = [0xC0, 1, 0xC1, 0, 1, 0, 0, 96, 1, 0, 255, 1, 0];
    assert_eq!(exchange(&get).await[0], 0xC4);
}

#[tokio::test]
async fn a_trace_sees_every_layer() {
    let meter = meter(1);
    let endpoint = serve(&meter, hdlc_server()).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let options = public(endpoint, hdlc_client(16)).with_trace(move |layer, direction, octets: &[u8]| {
        sink.lock().unwrap().push((layer, direction, octets.to_vec()));
    });
    Client::connect(options).await.unwrap().disconnect().await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(
        seen.iter().filter(|(layer, _, _)| *layer == Layer::Hdlc).all(|(_, _, octets)| octets[0] == 0x7E)
    );
    let apdus: Vec<u8> =
        seen.iter().filter(|(layer, _, _)| *layer == Layer::Apdu).map(|(_, _, octets)| octets[0]).collect();
    assert_eq!(apdus, [0x60, 0x61, 0x62, 0x63]);
}

#[tokio::test]
async fn notifications_are_heard() {
    let notification = [0x0F, 0, 0, 0, 1, 0, 2, 2, 9, 6, 0, 0, 25, 9, 0, 255, 6, 0, 0, 0x13, 0x91];
    let mut wpdu = vec![0, 1, 0, 1, 0, 16, 0, notification.len() as u8];
    wpdu.extend(notification);
    let mut listener = Listener::bind_tcp("127.0.0.1:0", ListenerFraming::Wrapper).await.unwrap();
    let mut meter = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    for piece in wpdu.repeat(3).chunks(7) {
        meter.write_all(piece).await.unwrap();
    }
    for _ in 0..3 {
        let mut received = listener.next().await.unwrap();
        assert_eq!(received.apdu, notification);
        let opened =
            received.open(&provider(), &mut dlms_security::NoStore, None, Protection::empty()).unwrap();
        assert_eq!((opened.sender, opened.protection), (None, Protection::empty()));
        assert!(
            received.open(&provider(), &mut dlms_security::NoStore, None, Protection::AUTHENTICATED).is_err()
        );
    }
    let mut listener = Listener::bind_udp("127.0.0.1:0", ListenerFraming::Wrapper).await.unwrap();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(b"noise", listener.local_addr().unwrap()).await.unwrap();
    socket.send_to(&wpdu, listener.local_addr().unwrap()).await.unwrap();
    assert_eq!(listener.next().await.unwrap().apdu, notification);
    // HDLC, as a meter's customer port pushes it.
    let frame: &[u8] = &[
        0x7E, 0xA0, 0x19, 0x03, 0x03, 0x03, 0xE6, 0xE8, 0xE6, 0xE7, 0x00, 0xC2, 0x00, 0x00, 0x01, 0x00, 0x00,
        0x60, 0x0B, 0x00, 0xFF, 0x02, 0x11, 0x07, 0x73, 0x75, 0x7E,
    ];
    let mut listener = Listener::stream(frame, ListenerFraming::Hdlc);
    assert_eq!(listener.next().await.unwrap().apdu[0], 0xC2);
    assert_eq!(listener.next().await, None);
}

#[tokio::test]
async fn objects_are_listed_with_their_rights() {
    let meter = meter(1);
    let endpoint = serve(&meter, ServerOptions::wrapper()).await;
    let mut client = Client::connect(public(endpoint, Framing::wrapper(PUBLIC, 1))).await.unwrap();
    let objects = client.object_list().await.unwrap();
    assert_eq!(objects.len(), 6);
    let energy = objects.iter().find(|object| object.logical_name == ENERGY).unwrap();
    assert_eq!((energy.class_id, energy.version), (3, 0));
    assert_eq!(energy.attribute_rights(2, 1), Some(AccessRights::READ | AccessRights::WRITE));
    assert_eq!(energy.method_rights(1, 1), Some(AccessRights::INVOKE));
    assert_eq!(energy.attribute_rights(9, 1), None);
}

#[tokio::test]
async fn an_image_is_transferred_and_gone_on_with() {
    let meter = meter(1);
    let endpoint = serve(&meter, ServerOptions::wrapper()).await;
    let mut client = Client::connect(secure(endpoint, Framing::wrapper(SECURE, 1), 0)).await.unwrap();
    let image = image();
    let mut transfer = ImageTransfer { activate: true, ..ImageTransfer::new(b"FW202601", &image) };
    let mut steps = Vec::new();
    // The nineteenth block is the last that the meter keeps at first.
    let error = client.image_transfer(&transfer, |step| steps.push(step)).await.err().unwrap();
    assert!(matches!(error, Error::Action(ActionResult::HardwareFault)), "{error}");
    assert_eq!(steps.last(), Some(&ImageProgress::Transferred { blocks: 19, of: 50 }));
    transfer.resume = true;
    steps.clear();
    client.image_transfer(&transfer, |step| steps.push(step)).await.unwrap();
    assert_eq!(steps[0], ImageProgress::Initiated { blocks: 50, block_size: 100, first: 19 });
    assert_eq!(
        steps[steps.len() - 4..],
        [
            ImageProgress::Verifying,
            ImageProgress::Verified,
            ImageProgress::Activating,
            ImageProgress::Activated
        ]
    );
    // A bad image is found out.
    let bad = vec![0; 5000];
    let error = client.image_transfer(&ImageTransfer::new(b"BAD", &bad), |_| ()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}
