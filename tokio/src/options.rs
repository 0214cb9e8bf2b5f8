//! How a client reaches a meter, and what protects the association.

use std::path::PathBuf;
use std::time::Duration;

use dlms::client::ClientConfig;
use dlms::{KeyPairs, PublicKeys};
use dlms_hdlc::{ClientAddress, Parameters, PrimaryConfig, ServerAddress};
use dlms_security::hls::Manufacturer;
use dlms_security::{
    AuthenticationKey, CounterId, CounterStore, CryptoLibrary, NoStore, PeerKeys, PublicKeyProvider,
    SecretKey, SecuritySuite, SystemTitle,
};
use dlms_wrapper::WPort;

use crate::{Error, FileCounterStore, ModeE, Trace};

/// Where the meter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `host:port`.
    Tcp(String),
    /// `host:port`; only with [`Framing::Wrapper`].
    Udp(String),
    /// A serial line.
    Serial(SerialOptions),
}

/// A serial line: eight data bits, no parity, one stop bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialOptions {
    /// The device, `/dev/ttyUSB0` for instance.
    pub path: PathBuf,
    /// Bits per second.
    pub baud_rate: u32,
    /// Silence inside a frame that ends it.
    pub inter_octet_timeout: Duration,
    /// Whether the meter is asked for HDLC first, at 300 bit/s; what it then agrees to is the rate.
    pub mode_e: Option<ModeE>,
}

impl SerialOptions {
    /// A line at 9600 bit/s.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            baud_rate: 9600,
            inter_octet_timeout: Duration::from_millis(500),
            mode_e: None,
        }
    }
}

/// How APDUs are framed, and whom they are for.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    /// The TCP/UDP wrapper.
    Wrapper {
        /// The client's service access point.
        client: WPort,
        /// The logical device's service access point.
        server: WPort,
    },
    /// HDLC, on a serial line or over TCP.
    Hdlc(PrimaryConfig),
}

impl Framing {
    /// The wrapper between a client and a logical device.
    pub const fn wrapper(client: u16, server: u16) -> Self {
        Self::Wrapper { client: WPort(client), server: WPort(server) }
    }

    /// HDLC between a client and a logical device; with a large frame and a wide window where the link is TCP.
    pub fn hdlc(client: ClientAddress, server: ServerAddress) -> Self {
        Self::Hdlc(PrimaryConfig::new(client, server))
    }

    /// The same, proposing other limits than 128 octets and a window of 1.
    pub fn hdlc_with(client: ClientAddress, server: ServerAddress, proposal: Parameters) -> Self {
        Self::Hdlc(PrimaryConfig { proposal, ..PrimaryConfig::new(client, server) })
    }
}

/// The keys of one security setup, and where their invocation counter is kept.
pub struct Keys {
    pub(crate) suite: SecuritySuite,
    pub(crate) client_title: SystemTitle,
    pub(crate) encryption_key: SecretKey,
    pub(crate) authentication_key: AuthenticationKey,
    pub(crate) counter: CounterId,
    pub(crate) reserved: u32,
    pub(crate) store: Box<dyn CounterStore + Send>,
    pub(crate) master: Option<SecretKey>,
}

impl Keys {
    /// The global unicast encryption key, the global authentication key (empty if it is not in use) and our own title.
    ///
    /// `store` keeps the invocation counter under `counter`; `reserved` is what it holds for it.
    ///
    /// # Errors
    /// A key's length does not fit the suite.
    pub fn new(
        suite: SecuritySuite,
        client_title: SystemTitle,
        encryption_key: &[u8],
        authentication_key: &[u8],
        counter: CounterId,
        reserved: u32,
        store: impl CounterStore + Send + 'static,
    ) -> Result<Self, Error> {
        let encryption_key = SecretKey::new(suite, encryption_key)?;
        let authentication_key = AuthenticationKey::for_suite(suite, authentication_key)?;
        Ok(Self::of(suite, client_title, encryption_key, authentication_key, counter, reserved, store))
    }

    /// The same with keys that are there already: handles, for a provider that keeps its keys.
    pub fn of(
        suite: SecuritySuite,
        client_title: SystemTitle,
        encryption_key: SecretKey,
        authentication_key: AuthenticationKey,
        counter: CounterId,
        reserved: u32,
        store: impl CounterStore + Send + 'static,
    ) -> Self {
        Self {
            suite,
            client_title,
            encryption_key,
            authentication_key,
            counter,
            reserved,
            store: Box::new(store),
            master: None,
        }
    }

    /// With the master key, which wraps the keys of general-ciphering with wrapped keys.
    #[must_use]
    pub fn with_master_key(mut self, key: SecretKey) -> Self {
        self.master = Some(key);
        self
    }

    /// Begins no lower than at `counter`: a number that a user gives, or that the meter shows. What is reserved already
    /// is not used again.
    #[must_use]
    pub fn start_at(mut self, counter: u32) -> Self {
        self.reserved = self.reserved.max(counter);
        self
    }

    /// The same with the counter in a file.
    ///
    /// # Errors
    /// As [`Keys::new`].
    pub fn with_file(
        suite: SecuritySuite,
        client_title: SystemTitle,
        encryption_key: &[u8],
        authentication_key: &[u8],
        counter: CounterId,
        file: FileCounterStore,
    ) -> Result<Self, Error> {
        let reserved = file.reserved(counter);
        Self::new(suite, client_title, encryption_key, authentication_key, counter, reserved, file)
    }
}

/// Our own key pairs and whom we trust: for authentication mechanism 7, signatures and agreed keys.
pub struct Identity {
    provider: Option<Box<dyn PublicKeyProvider + Send + Sync>>,
    pub(crate) own: KeyPairs,
    pub(crate) peers: Box<dyn PeerKeys + Send + Sync>,
}

impl Identity {
    /// Key pairs in software, for the library of the [`ClientOptions`].
    pub fn new(own: KeyPairs, peers: impl PeerKeys + Send + Sync + 'static) -> Self {
        Self { provider: None, own, peers: Box::new(peers) }
    }

    /// Key pairs that another provider knows: a hardware security module, whose private keys are handles.
    pub fn with_provider(
        provider: impl PublicKeyProvider + Send + Sync + 'static,
        own: KeyPairs,
        peers: impl PeerKeys + Send + Sync + 'static,
    ) -> Self {
        Self { provider: Some(Box::new(provider)), own, peers: Box::new(peers) }
    }

    /// The same with a provider on `library`, unless it has one of its own.
    pub(crate) fn on(mut self, library: CryptoLibrary) -> Result<Self, Error> {
        if self.provider.is_none() {
            self.provider = Some(Box::new(crate::provider_on(library)?));
        }
        Ok(self)
    }

    pub(crate) fn public_keys(&mut self) -> Option<PublicKeys<'_>> {
        Some(PublicKeys {
            provider: self.provider.as_deref()?,
            own: std::slice::from_mut(&mut self.own),
            peers: &*self.peers,
        })
    }
}

/// Everything that connecting to a meter needs.
pub struct ClientOptions {
    /// Where the meter is.
    pub endpoint: Endpoint,
    /// How APDUs are framed.
    pub framing: Framing,
    /// The association.
    pub association: ClientConfig,
    /// The keys, where the association needs some.
    pub keys: Option<Keys>,
    /// The library that computes, unless a provider is given.
    pub library: CryptoLibrary,
    /// Our own key pairs and the meter's public keys, where the association needs some.
    pub identity: Option<Identity>,
    /// The method of authentication mechanism 2.
    pub manufacturer: Option<Box<dyn Manufacturer + Send + Sync>>,
    /// Whether our invocation counter moves to where the meter says, within bounds, when it refuses one as too low.
    pub follows_counter: bool,
    /// How long connecting may take. How long an answer may take stands in the association.
    pub connect_timeout: Duration,
    /// How often connecting, associating and reading are tried again after a time-out. What changes the meter is never
    /// repeated: whether it was done is unknown.
    pub retries: u32,
    /// The longest value that is put together whole.
    pub max_value: usize,
    /// The longest value that is sent in blocks.
    pub max_request: usize,
    /// Who sees the traffic.
    pub trace: Option<Box<dyn Trace>>,
}

impl ClientOptions {
    /// No authentication and no ciphering, 10 s to connect, 2 retries, values of up to 16 MiB.
    pub fn new(endpoint: Endpoint, framing: Framing) -> Self {
        Self {
            endpoint,
            framing,
            association: ClientConfig::public(),
            keys: None,
            library: CryptoLibrary::default(),
            identity: None,
            manufacturer: None,
            follows_counter: true,
            connect_timeout: Duration::from_secs(10),
            retries: 2,
            max_value: 16 << 20,
            max_request: 64 << 10,
            trace: None,
        }
    }

    /// With this association.
    #[must_use]
    pub fn with_association(mut self, association: ClientConfig) -> Self {
        self.association = association;
        self
    }

    /// With these keys.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// With the cryptography of this library. One that is not built in is refused when connecting.
    #[must_use]
    pub fn with_library(mut self, library: CryptoLibrary) -> Self {
        self.library = library;
        self
    }

    /// With these key pairs and public keys.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// With somebody who sees the traffic.
    #[must_use]
    pub fn with_trace(mut self, trace: impl Trace + 'static) -> Self {
        self.trace = Some(Box::new(trace));
        self
    }
}

/// A store for clients without keys: it is never asked.
pub(crate) fn no_store() -> Box<dyn CounterStore + Send> {
    Box::new(NoStore)
}
