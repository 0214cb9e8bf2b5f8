//! The client: associations under the keys that it is given, and what can be done in them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use dlms::client::{ActionItem, Client, ClientConfig, Environment};
use dlms::drivers::{
    ClientFraming as _, Connection, DriverError, HdlcFraming, Line as _, LinkEvent, block_on,
};
use dlms::xdlms::{AttributeDescriptor, AttributeDescriptorWithSelection, MethodDescriptor};
use dlms::{KeyPairs, PublicKeys, SecurityContext};
use dlms_axdr::{Data, Encode};
use dlms_hdlc::{ClientAddress, Deframer, MAX_FRAME, Parameters, Primary, PrimaryConfig, ServerAddress};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CounterStore, Curve, KeyUsage, KnownPeer,
    PrivateKey, PublicKey, PublicKeyProvider as _, RustCrypto, SecretKey, SecurityError, SecuritySuite,
    StorageError, SystemTitle,
};

use crate::eavesdropper::Eavesdropper;
use crate::line::Socket;

pub const CLIENT: SystemTitle = SystemTitle::from_octets([0x47, 0x55, 0x52, 0x58, 0, 0, 0, 1]);
pub const METER: SystemTitle = SystemTitle::from_octets(*b"GURX0001");

pub type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>>;

type Framing = HdlcFraming<[u8; MAX_FRAME], Vec<u8>>;

/// The power has gone.
#[derive(Debug)]
pub struct Gone;

/// The keys of one security setup. The counters of each set are the client's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub suite: SecuritySuite,
    pub encryption: Vec<u8>,
    pub authentication: Vec<u8>,
    pub counters: u32,
}

impl Keys {
    /// Those that the meter is made with.
    pub fn of_manufacture(suite: SecuritySuite) -> Self {
        let key = |first: u8| (first..).take(suite.key_len()).collect();
        Self { suite, encryption: key(0), authentication: key(0xD0), counters: suite.key_len() as u32 }
    }

    fn context(&self, provider: &Provider) -> SecurityContext<Provider> {
        let key = SecretKey::new(self.suite, &self.encryption).unwrap();
        let authentication = AuthenticationKey::for_suite(self.suite, &self.authentication).unwrap();
        let id = CounterId(self.counters);
        SecurityContext::new(provider, self.suite, CLIENT, &key, authentication, id, 0).unwrap()
    }

    fn config(&self) -> (u8, ClientConfig) {
        let config = ClientConfig { max_receive_pdu_size: 512, ..ClientConfig::hls_gmac() };
        match self.suite {
            SecuritySuite::Suite2 => {
                (3, ClientConfig { mechanism: AuthenticationMechanism::Ecdsa, ..config })
            }
            _ => (1, config),
        }
    }
}

/// A client, which remembers its counters as long as the test runs.
pub struct Reader {
    pub provider: Provider,
    socket: PathBuf,
    counters: Counters,
    pub ears: Eavesdropper,
}

impl Reader {
    pub fn new(socket: PathBuf) -> Self {
        let provider = RustCrypto::new(random as _);
        Self { provider, socket, counters: Counters::default(), ears: Eavesdropper::default() }
    }

    /// Opens an association, the public one without keys, works in it and releases it; `None` if the meter refuses it.
    pub fn associate<T>(
        &mut self,
        keys: Option<&Keys>,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, Gone>,
    ) -> Result<Option<T>, Gone> {
        let line = Socket::connect(&self.socket).ok_or(Gone)?;
        let recording = line.recording();
        let mut context = keys.map(|keys| keys.context(&self.provider));
        let private = PrivateKey::new(Curve::P384, &[0x43; 48]).unwrap();
        let mut own = [KeyPairs::new().with(KeyUsage::DigitalSignature, private)];
        let of_meter = PrivateKey::new(Curve::P384, &[0x53; 48]).unwrap();
        let of_meter: PublicKey = self.provider.public_key(&of_meter).unwrap();
        let peers = [KnownPeer { title: METER, keys: [Some(of_meter), None, None] }];
        let environment = Environment {
            provider: &self.provider,
            counters: &mut self.counters,
            security: context.as_mut().map(|context| context as _),
            key_ring: None,
            public_keys: Some(PublicKeys { provider: &self.provider, own: &mut own, peers: &peers }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        let (client, config) = keys.map_or((16, ClientConfig::public()), Keys::config);
        let framing = framing(client);
        let client = Client::new(config, vec![0; 1024]);
        let mut session =
            Session { connection: Connection::new(line, framing, client, environment, || vec![0; 1024]) };
        let outcome = match block_on(session.connection.associate()) {
            Ok(_) => work(&mut session).map(Some),
            Err(
                DriverError::Refused(_) | DriverError::Exception(_) | DriverError::ConfirmedServiceError(_),
            ) => Ok(None),
            Err(error) => Err(gone(error)),
        };
        if let Ok(Some(_)) = outcome {
            // Who has said good-bye has said everything.
            let _ = block_on(session.connection.release()).map_err(gone);
        }
        drop(session);
        if let Some(keys) = keys {
            self.ears.listen(&recording.borrow(), keys);
        }
        outcome
    }

    /// What an intruder gets who sends again what opened an association once: the answer, if there is one.
    pub fn send_opening_again(&mut self, keys: &Keys, random: u64) -> Result<(), Gone> {
        let Some(opening) = self.ears.old_opening(keys, random).map(<[u8]>::to_vec) else { return Ok(()) };
        let mut line = Socket::connect(&self.socket).ok_or(Gone)?;
        let mut framing = framing(keys.config().0);
        let (mut frame, mut apdu, mut octets) = ([0; MAX_FRAME], vec![0; 1024], [0; 256]);
        framing.connect();
        loop {
            let now = line.now();
            while let Some(length) = framing.poll_transmit(now, &opening, &mut frame).unwrap() {
                block_on(line.write(&frame[..length])).map_err(|_| Gone)?;
            }
            let deadline = framing.poll_timeout();
            let length = block_on(line.read(&mut octets, deadline)).map_err(|_| Gone)?;
            let length = length.expect("an answer to what was sent again");
            if length == 0 {
                return Err(Gone);
            }
            let mut input = &octets[..length];
            while let Some(event) = framing.handle_input(now, &mut input, &mut apdu).unwrap() {
                match event {
                    LinkEvent::Connected => framing.send(opening.len()).unwrap(),
                    LinkEvent::Apdu(length) => {
                        let accepted = [0xA2, 0x03, 0x02, 0x01, 0x00];
                        let is_accepted = apdu[0] == 0x61 && apdu[..length].windows(5).any(|w| w == accepted);
                        assert!(!is_accepted, "what was sent again opens an association");
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
    }
}

fn framing(client: u8) -> Framing {
    let limits =
        Parameters { max_information_transmit: 256, max_information_receive: 256, ..Parameters::default() };
    let meter = PrimaryConfig {
        proposal: limits,
        response_time_out: Duration::from_secs(20),
        retries: 0,
        ..PrimaryConfig::new(ClientAddress::new(client).unwrap(), ServerAddress::one(1).unwrap())
    };
    HdlcFraming::new(Deframer::new([0; MAX_FRAME]), Primary::new(meter, vec![0; 1024]))
}

/// An association.
pub struct Session<'r> {
    connection: Connection<'r, Socket, Framing, Provider, Vec<u8>>,
}

impl Session<'_> {
    pub fn get<T>(
        &mut self,
        class: u16,
        name: LogicalName,
        attribute: i8,
        take: impl FnOnce(Data<'_>) -> T,
    ) -> Result<T, Gone> {
        let attribute = AttributeDescriptor::new(class, name, attribute);
        self.get_selected(AttributeDescriptorWithSelection { attribute, selection: None }, take)
    }

    /// A double-long-unsigned.
    pub fn number(&mut self, class: u16, name: LogicalName, attribute: i8) -> Result<u32, Gone> {
        self.get(class, name, attribute, |data| match data {
            Data::DoubleLongUnsigned(number) => number,
            other => panic!("{other:?}"),
        })
    }

    pub fn get_selected<T>(
        &mut self,
        attribute: AttributeDescriptorWithSelection<'_>,
        take: impl FnOnce(Data<'_>) -> T,
    ) -> Result<T, Gone> {
        let mut value = vec![0; 1024];
        block_on(self.connection.get(attribute, &mut value)).map(take).map_err(gone)
    }

    /// Who computes for this client.
    pub fn provider(&self) -> Provider {
        RustCrypto::new(random as _)
    }

    pub fn invoke(
        &mut self,
        class: u16,
        name: LogicalName,
        method: i8,
        parameter: &dyn Encode,
    ) -> Result<(), Gone> {
        let item = ActionItem::new(MethodDescriptor::new(class, name, method), parameter);
        block_on(self.connection.action(item, &mut [0; 64])).map(|_| ()).map_err(gone)
    }

    /// Sends what a client sent once, in the association that is open now. The meter is to refuse it.
    pub fn send_again(&mut self, request: &[u8]) -> Result<(), Gone> {
        let exchange = self.connection.exchange(
            |_, _, out| {
                out[..request.len()].copy_from_slice(request);
                Ok(0..request.len())
            },
            |_| Ok(None::<()>),
        );
        match block_on(exchange) {
            Err(DriverError::Exception(_)) => Ok(()),
            Err(error) => Err(gone(error)),
            Ok(()) => unreachable!("no event ends it"),
        }
    }
}

/// Whatever is not a cut of the power is a fault.
#[track_caller]
fn gone(error: DriverError<embedded_io::ErrorKind>) -> Gone {
    match error {
        DriverError::Line(_) | DriverError::Closed => Gone,
        error => panic!("{error}"),
    }
}

/// The client's counters, which no cut touches.
#[derive(Default)]
struct Counters(BTreeMap<u32, u32>, BTreeMap<(u32, SystemTitle), u32>);

impl CounterStore for Counters {
    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.0.get(&id.0).copied().unwrap_or(0))
    }

    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        self.0.insert(id.0, ceiling);
        Ok(())
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        Ok(self.1.get(&(id.0, peer)).copied().unwrap_or(0))
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        self.1.insert((id.0, peer), floor);
        Ok(())
    }
}

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    thread_local!(static STATE: Cell<u64> = const { Cell::new(1) });
    for octet in out {
        let state =
            STATE.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        STATE.set(state);
        *octet = (state >> 56) as u8;
    }
    Ok(())
}
