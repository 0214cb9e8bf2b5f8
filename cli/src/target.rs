//! What the connection options come to: a meter, how to reach it, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CryptoLibrary, PrivateKey, Protection, PublicKey, Secret,
    SecretKey, SecuritySuite, SystemTitle,
};

use crate::args::Framing;
use crate::connection::{CarrierName, octets};
use crate::failure::{Failure, Result};
use crate::parse::address::Address;

/// The system title of a client that was given none. Its manufacturer's letters are nobody's.
pub(crate) const CLIENT_TITLE: [u8; 8] = *b"DLM\0\0\0\0\x01";

/// Where the invocation counter comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CounterSource {
    /// The state directory, by key and title.
    Kept,
    File(PathBuf),
    Value(u32),
    /// This process: for keys that nobody else uses.
    Memory,
    /// An object that the public client reads, or the highest of all invocation counters that it sees.
    Meter(Option<dlms_obis::LogicalName>),
}

/// The keys of a ciphered association.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) suite: SecuritySuite,
    pub(crate) client_title: SystemTitle,
    pub(crate) encryption: SecretKey,
    pub(crate) authentication: AuthenticationKey,
    pub(crate) dedicated: Option<SecretKey>,
    pub(crate) master: Option<SecretKey>,
}

impl Keys {
    /// The keys of a suite, for a client with the usual title.
    pub(crate) fn new(suite: Option<u8>, encryption: &str, authentication: Option<&str>) -> Result<Self> {
        let suite = match suite.unwrap_or(0) {
            0 => SecuritySuite::Suite0,
            1 => SecuritySuite::Suite1,
            _ => SecuritySuite::Suite2,
        };
        let authentication = match authentication {
            Some(digits) => AuthenticationKey::for_suite(suite, &octets(digits, "--ak")?)
                .map_err(|_| key_length(suite, "--ak"))?,
            None => AuthenticationKey::unused(),
        };
        Ok(Self {
            suite,
            client_title: SystemTitle::from_octets(CLIENT_TITLE),
            encryption: key(suite, encryption, "--ek")?,
            authentication,
            dedicated: None,
            master: None,
        })
    }
}

/// Our private key for one use, and the meter's public key for the same.
#[derive(Clone)]
pub(crate) struct KeyPair {
    pub(crate) own: PrivateKey,
    pub(crate) peer: PublicKey,
}

/// A meter, how to reach it, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) framing: Framing,
    pub(crate) client: u16,
    pub(crate) server: u16,
    pub(crate) physical: Option<u16>,
    pub(crate) address_size: Option<u8>,
    pub(crate) mechanism: AuthenticationMechanism,
    pub(crate) secret: Secret,
    pub(crate) protection: Protection,
    pub(crate) keys: Option<Keys>,
    pub(crate) signatures: Option<KeyPair>,
    pub(crate) agreement: Option<KeyPair>,
    pub(crate) carrier: CarrierName,
    pub(crate) signs: bool,
    pub(crate) client_title: Option<SystemTitle>,
    pub(crate) server_title: Option<SystemTitle>,
    pub(crate) counter: CounterSource,
    pub(crate) max_pdu: Option<u16>,
    pub(crate) library: CryptoLibrary,
    pub(crate) timeout: Duration,
    pub(crate) retries: u8,
    /// Whether the service ACCESS is proposed, to read with.
    pub(crate) proposes_access: bool,
    pub(crate) trace: bool,
}

impl Target {
    /// The same meter for the public client.
    pub(crate) fn public(&self) -> Self {
        Self {
            client: 16,
            mechanism: AuthenticationMechanism::None,
            secret: Secret::empty(),
            protection: Protection::empty(),
            keys: None,
            signatures: None,
            agreement: None,
            carrier: CarrierName::default(),
            signs: false,
            client_title: None,
            server_title: None,
            counter: CounterSource::Kept,
            ..self.clone()
        }
    }
}

/// The key that an option gives.
pub(crate) fn key(suite: SecuritySuite, digits: &str, option: &str) -> Result<SecretKey> {
    SecretKey::new(suite, &octets(digits, option)?).map_err(|_| key_length(suite, option))
}

fn key_length(suite: SecuritySuite, option: &str) -> Failure {
    Failure::usage(format!("{option} has {} octets in suite {}", suite.key_len(), suite.id()))
}
