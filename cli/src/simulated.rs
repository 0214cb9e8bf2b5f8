//! A simulated meter behind a server: time passes in it, and what happens is handed back to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dlms::server::{AssociationConfig, Event, Host, KeyManager};
use dlms::{KeyPairs, KeyRing, PublicKeys, SecurityContext};
use dlms_hdlc::{Parameters, SecondaryConfig, ServerAddress};
use dlms_meters::{Credentials, Keys, MeterModel, Options, Peers, Simulation};
use dlms_security::{AesEcb, SystemTitle};
use dlms_tokio::{Provider, Server, ServerFraming, ServerHost, ServerOptions};

use crate::args::Framing;
use crate::failure::{Exit, Failure, Result};
use crate::parse::address::Address;

/// How often time is let pass where nobody asks.
const TICK: Duration = Duration::from_millis(500);
/// Room for one row of a profile.
const SCRATCH: usize = 4096;
/// What HDLC may be negotiated up to.
const LIMITS: Parameters = Parameters {
    max_information_transmit: 1024,
    max_information_receive: 1024,
    window_transmit: 7,
    window_receive: 7,
};

/// A meter with everything that serving it needs.
pub(crate) struct Meter {
    simulation: Simulation,
    associations: Vec<AssociationConfig>,
    security: Vec<SecurityContext<Provider>>,
    key_rings: Vec<KeyRing<Provider>>,
    key_manager: KeyManager<Provider, Keys>,
    key_pairs: Vec<KeyPairs>,
    peers: Peers,
    title: SystemTitle,
    provider: Provider,
    scratch: Vec<u8>,
    start: Instant,
    tells_events: bool,
}

/// A meter that can be served.
pub(crate) type Shared = Arc<Mutex<Meter>>;

impl Meter {
    pub(crate) fn new(
        model: MeterModel,
        options: Options,
        provider: Provider,
        authorities: &[Vec<u8>],
        tells_events: bool,
    ) -> Result<Self> {
        let simulation = Simulation::new(model, options).map_err(|error| broken(&error))?;
        let mut meter = Self {
            associations: simulation.associations().map_err(|error| broken(&error))?,
            security: simulation.security(&provider).map_err(|error| broken(&error))?,
            key_rings: simulation.key_rings(&provider).map_err(|error| broken(&error))?,
            key_manager: KeyManager::new(simulation.keys(&provider).map_err(|error| broken(&error))?),
            key_pairs: simulation.key_pairs().map_err(|error| broken(&error))?,
            peers: simulation.peers(authorities).map_err(|error| broken(&error))?,
            title: simulation.system_title().map_err(|error| broken(&error))?,
            simulation,
            provider,
            scratch: vec![0; SCRATCH],
            start: Instant::now(),
            tells_events,
        };
        for (setup, pairs) in meter.key_pairs.iter_mut().enumerate() {
            let certificates = &meter.peers.certificates;
            let recovered =
                meter.key_manager.recover(setup, certificates, &meter.provider, meter.title, pairs);
            recovered.map_err(|error| broken(&error))?;
        }
        Ok(meter)
    }

    pub(crate) fn credentials(&self) -> Result<Vec<Credentials>> {
        self.simulation.credentials().map_err(|error| broken(&error))
    }

    fn advance(&mut self) {
        let now = self.start.elapsed();
        self.simulation.advance(now);
        if let Err(error) = self.simulation.save_if_due(now) {
            eprintln!("dlms: the meter's state is not saved: {error}");
        }
    }

    /// Writes the state, where there is a state directory.
    pub(crate) fn save(&mut self) -> Result<()> {
        self.advance();
        self.simulation.save().map_err(|error| broken(&error))
    }
}

/// A model or a state that is not what it should be.
fn broken(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Malformed, "meter", "state", error.to_string())
}

impl ServerHost for Meter {
    type Provider = Provider;

    fn host(&mut self) -> Host<'_, Provider> {
        self.advance();
        Host {
            device: &mut self.simulation.device,
            system_title: self.title,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &self.provider,
            counters: &mut self.simulation.counters,
            key_rings: &mut self.key_rings,
            public_keys: Some(PublicKeys {
                provider: &self.provider,
                own: &mut self.key_pairs,
                peers: &self.peers,
            }),
            certificates: Some(&self.peers.certificates),
            key_management: Some(&mut self.key_manager),
            manufacturer: Some(&AesEcb),
            scratch: &mut self.scratch,
        }
    }

    fn event(&mut self, peer: Option<SocketAddr>, event: Event) {
        if let Err(error) = self.simulation.handle_event(&event, &self.security) {
            eprintln!("dlms: the meter's state is not saved: {error}");
        }
        if self.tells_events {
            let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
            eprintln!("{peer} {event:?}");
        }
    }
}

/// The meter, whoever had it last.
pub(crate) fn locked(meter: &Shared) -> MutexGuard<'_, Meter> {
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server of the meter at an address.
pub(crate) async fn bind(meter: &Shared, address: &Address, framing: Framing) -> Result<Server<Meter>> {
    let server = locked(meter).credentials()?.first().map_or(1, |credentials| credentials.server);
    let options = match framing {
        Framing::Wrapper => ServerOptions {
            framing: ServerFraming::Wrapper(dlms_wrapper::WPort(server)),
            ..ServerOptions::wrapper()
        },
        Framing::Hdlc => {
            let address = ServerAddress::one(server).map_err(|error| Failure::bug(error.to_string()))?;
            // A meter for trying clients against: any physical device will do.
            ServerOptions::hdlc(SecondaryConfig {
                any_address_length: true,
                limits: LIMITS,
                ..SecondaryConfig::new(address)
            })
        }
    };
    let bound = match address {
        Address::Tcp(host) => Server::bind(host, options, Arc::clone(meter)).await,
        Address::Udp(host) => Server::bind_udp(host, options, Arc::clone(meter)).await,
        Address::Serial(_) => return Err(Failure::usage("serving on serial lines is not built yet")),
    };
    bound.map_err(|error| {
        Failure::new(Exit::Link, "transport", "listen", format!("cannot listen on {address}: {error}"))
    })
}

/// Lets time pass in the meter, as long as the future is polled.
pub(crate) async fn live(meter: &Shared) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        locked(meter).advance();
    }
}
