//! A meter with one security setup and a key pair, and the utility that it knows.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

use cosem_objects::LogicalDevice;
use dlms::server::{AssociationConfig, Host};
use dlms::{KeyPairs, PublicKeys, SecurityContext};
use dlms_security::{
    AuthenticationKey, CounterId, Forgetful, KeyUsage, KnownPeer, PublicKeyProvider, SecretKey,
    SecuritySuite, SystemTitle,
};
use dlms_tokio::{Provider, ServerHost};

pub const METER: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");
pub const UTILITY: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x02");

pub struct Meter<D> {
    pub device: D,
    pub associations: Vec<AssociationConfig>,
    pub security: Vec<SecurityContext<Provider>>,
    pub pairs: Vec<KeyPairs>,
    pub utility: [KnownPeer; 1],
    pub provider: Provider,
    pub counters: Forgetful,
    pub scratch: [u8; 64],
}

impl<D: LogicalDevice + Send + 'static> ServerHost for Meter<D> {
    type Provider = Provider;

    fn host(&mut self) -> Host<'_, Provider> {
        Host {
            device: &mut self.device,
            system_title: METER,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &self.provider,
            counters: &mut self.counters,
            key_rings: &mut [],
            public_keys: Some(PublicKeys {
                provider: &self.provider,
                own: &mut self.pairs,
                peers: &self.utility,
            }),
            certificates: None,
            key_management: None,
            manufacturer: None,
            scratch: &mut self.scratch,
        }
    }
}

pub fn context(
    provider: &Provider,
    suite: SecuritySuite,
    title: SystemTitle,
    [ek, ak]: [&[u8]; 2],
) -> SecurityContext<Provider> {
    let key = SecretKey::new(suite, ek).unwrap();
    let authentication_key = AuthenticationKey::new(ak).unwrap();
    SecurityContext::new(provider, suite, title, &key, authentication_key, CounterId(0), 0).unwrap()
}

/// A key pair of the suite, and what others know of it.
pub fn key_pair(provider: &Provider, suite: SecuritySuite, title: SystemTitle) -> (KeyPairs, KnownPeer) {
    let Some(curve) = suite.curve() else { return (KeyPairs::new(), KnownPeer { title, keys: [None; 3] }) };
    let key = provider.generate(curve).unwrap();
    let known = KnownPeer { title, keys: [Some(provider.public_key(&key).unwrap()), None, None] };
    (KeyPairs::new().with(KeyUsage::DigitalSignature, key), known)
}
