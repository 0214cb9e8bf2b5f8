//! One end of a protected exchange, with every kind of key.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dlms::{
    Accepted, Asymmetric, Carrier, DedicatedKey, Demand, Envelope, Form, HEADROOM, KeyClass, KeyPairs,
    KeyRing, Keys, ProtectionError, SecurityContext, TransactionId,
};
use dlms_security::{CounterId, Curve, KnownPeer, Protection, SecretKey, SecuritySuite, SystemTitle};

use super::public_keys::{key_pairs, peers_on};
use super::{CLIENT_TITLE, Counters, PROVIDER, Provider, SERVER_TITLE, key_ring, keys, provider};

/// All that can be taken, but for deviations.
pub const ALL: Accepted = Accepted::all()
    .difference(Accepted::RESTARTING_COUNTERS)
    .difference(Accepted::EMPTY_RECIPIENT)
    .difference(Accepted::SIGNED_CONTENT_LENGTH);

pub struct Side {
    pub provider: Provider,
    pub context: SecurityContext<Provider>,
    pub dedicated: DedicatedKey<Provider>,
    pub ring: KeyRing<Provider>,
    pub pairs: KeyPairs,
    pub peers: [KnownPeer; 2],
}

impl Side {
    pub fn new(suite: SecuritySuite, title: SystemTitle) -> Self {
        let provider = provider();
        let (key, authentication_key) = keys(suite);
        let dedicated = SecretKey::new(suite, &vec![0xDD; suite.key_len()]).unwrap();
        let id = CounterId(0);
        Self {
            context: SecurityContext::new(&provider, suite, title, &key, authentication_key, id, 0).unwrap(),
            dedicated: DedicatedKey::new(&provider, suite, &dedicated).unwrap(),
            ring: key_ring(&provider, suite),
            pairs: key_pairs(suite, title),
            peers: peers_on(suite.curve().unwrap_or(Curve::P256)),
            provider,
        }
    }

    pub fn keys(&mut self) -> Keys<'_, Provider> {
        Keys {
            provider: &self.provider,
            context: &mut self.context,
            dedicated: Some(&mut self.dedicated),
            key_ring: Some(&mut self.ring),
            asymmetric: Some(Asymmetric { provider: &*PROVIDER, own: &self.pairs, peers: &self.peers }),
        }
    }

    pub fn seal(&mut self, envelope: Envelope, protection: Protection, plain: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; 1024];
        let place = HEADROOM..HEADROOM + plain.len();
        buffer[place.clone()].copy_from_slice(plain);
        let transaction = TransactionId::new(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]).unwrap();
        let form = Form::new(envelope, protection, SERVER_TITLE, transaction);
        let sealed = self.keys().seal(&mut Counters::default(), &form, &mut buffer, place).unwrap();
        buffer[sealed].to_vec()
    }

    pub fn open(&mut self, required: Protection, apdu: &[u8]) -> Result<Vec<u8>, ProtectionError> {
        let mut apdu = apdu.to_vec();
        let demand = Demand { accepted: ALL, ..Demand::new(CLIENT_TITLE, required) };
        self.keys()
            .open(&mut dlms_security::Forgetful, &demand, &mut apdu)
            .map(|opened| apdu[opened.apdu].to_vec())
    }
}

/// Every envelope that the suite has.
pub fn envelopes(suite: SecuritySuite) -> Vec<Envelope> {
    use Carrier::{GeneralCiphering, ServiceSpecific, WithTitle};
    use KeyClass::{Broadcast, Dedicated, Global, OnePassDiffieHellman, StaticUnifiedModel, Wrapped};
    let mut envelopes = Vec::new();
    for carrier in [ServiceSpecific, WithTitle] {
        envelopes.extend([Global, Dedicated, Broadcast].map(|key| Envelope { carrier, key }));
    }
    envelopes.extend([Global, Broadcast, Wrapped].map(|key| Envelope { carrier: GeneralCiphering, key }));
    if suite.curve().is_some() {
        let agreed = [OnePassDiffieHellman, StaticUnifiedModel];
        envelopes.extend(agreed.map(|key| Envelope { carrier: GeneralCiphering, key }));
    }
    envelopes
}
