//! A head-end with its meter, the line between them, and requests over it.

use std::collections::BTreeMap;

use dlms::client::rotation::{Answer, MeterKeys, RotationError, SetupKeys, Step};
use dlms::client::{ActionItem, Client, ClientConfig, ClientError, Environment, Event};
use dlms::{KeyPairs, PublicKeys, SecurityContext};
use dlms_axdr::Data;
use dlms_hdlc::{ClientAddress, Deframer, Primary, PrimaryConfig, PrimaryEvent, ServerAddress};
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, KeyId, KnownPeer, PrivateKey, PublicKey,
    PublicKeyProvider, Secret, SecretKey, SecuritySuite,
};
use dlms_wrapper::{HEADER_LENGTH, Header, WPort};

use super::meter::Meter;
use super::nonces::{Recorder, forget_nonces};
use super::store::Store;
use super::{Fault, Framing, Keys, METER, NOW, OWN, SIGN, UTILITY, initial, signing_key};
use crate::common::{self, PROVIDER};

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
pub(super) enum Reply {
    Associated,
    NotAssociated,
    Returned(Option<Vec<u8>>),
    Denied(u8),
    Lost,
}

impl Reply {
    /// The same for a rotation.
    pub(super) fn answer(&self) -> Answer<'_> {
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

pub(super) struct Open {
    client: Client<Recorder, Vec<u8>>,
    pub(super) security: SecurityContext<Recorder>,
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
    pub recorder: Recorder,
    own_key: Option<PrivateKey>,
    /// The keys of the other association.
    others: [SecretKey; 2],
    pub(super) counters: common::Counters,
    pub(super) open: Option<Open>,
    pub(super) authority: Option<(PrivateKey, Vec<u8>, u8)>,
    pub exchanges: usize,
    /// Faults by the number of the exchange.
    pub faults: BTreeMap<usize, Fault>,
    pub runs: usize,
}

impl World {
    pub fn new(
        keys: Keys,
        suite: SecuritySuite,
        framing: Framing,
        mechanism: AuthenticationMechanism,
    ) -> Self {
        forget_nonces();
        let recorder = Recorder::new(keys, b'u');
        let key = |id| recorder.put(suite, &initial(suite, 0, id));
        let authentication = key(KeyId::Authentication);
        let others = [KeyId::GlobalUnicast, KeyId::Authentication]
            .map(|id| recorder.put(suite, &initial(suite, 1, id)));
        let meter = Meter::new(keys, suite, framing, mechanism);
        Self {
            suite,
            framing,
            mechanism,
            meter,
            own_key: signing_key(suite, 0x31).map(|key| recorder.put_private(key)),
            others,
            store: Store {
                recorder: recorder.clone(),
                suite,
                keys: MeterKeys {
                    unicast: key(KeyId::GlobalUnicast),
                    authentication: AuthenticationKey::from_key(suite, &authentication).unwrap(),
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
            recorder,
            counters: common::Counters::default(),
            open: None,
            authority: None,
            exchanges: 0,
            faults: BTreeMap::new(),
            runs: 0,
        }
    }

    pub(super) fn own_key(&self) -> Option<PrivateKey> {
        self.own_key.clone()
    }

    /// The meter's public key as it was when all began.
    pub(super) fn first_server_key(&self) -> Option<PublicKey> {
        Some(PROVIDER.public_key(&signing_key(self.suite, 0x21)?).unwrap())
    }

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

    pub(super) fn cut(&mut self) {
        self.meter.line_lost();
        if let Some(open) = &mut self.open {
            open.primary = None;
        }
    }

    pub(super) fn through(&mut self, apdu: &[u8]) -> Option<Vec<u8>> {
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
                provider: &self.recorder,
                counters: &mut self.counters,
                security: Some(&mut open.security),
                key_ring: None,
                public_keys: Some(PublicKeys {
                    provider: self.recorder.public(),
                    own: &mut own,
                    peers: &peers,
                }),
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
    pub(super) fn associate(
        &mut self,
        sap: u8,
        keys: &SetupKeys,
        server_key: Option<PublicKey>,
    ) -> Result<Reply, End> {
        self.cut();
        let fingerprint = keys.fingerprint(&self.recorder, UTILITY).unwrap();
        let id = CounterId(u32::from_be_bytes(*fingerprint.octets().first_chunk().unwrap()));
        let security = SecurityContext::new(
            &self.recorder,
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

    pub(super) fn other_keys(&self) -> SetupKeys {
        let [unicast, authentication] = self.others.clone();
        SetupKeys {
            unicast,
            authentication: AuthenticationKey::from_key(self.suite, &authentication).unwrap(),
        }
    }

    pub(super) fn perform(&mut self, step: &Step<'_>) -> Result<Reply, End> {
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
