//! The signature keys of a model: the meter's own, and those of its clients.

use dlms::KeyPairs;
use dlms_security::{
    Curve, KeyUsage, KnownPeer, NoRandom, PeerKeys, PrivateKey, PublicKey, PublicKeyProvider, RustCrypto,
    SecuritySuite, SystemTitle,
};

use crate::ModelError;
use crate::model::{KeySet, Model};
use crate::notation::hex;

/// The clients whose signatures a meter takes.
#[derive(Clone, Debug, Default)]
pub struct Clients(Vec<KnownPeer>);

impl PeerKeys for Clients {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        self.0[..].public_key(owner, usage)
    }
}

impl KeySet {
    pub(crate) fn curve(&self) -> Option<Curve> {
        SecuritySuite::from_id(self.suite)?.curve()
    }

    fn signing_key(&self, key: Option<&String>) -> Result<Option<PrivateKey>, ModelError> {
        let Some((curve, key)) = self.curve().zip(key) else { return Ok(None) };
        let wrong = || ModelError::Value(self.security_setup.clone());
        let scalar = hex(key).ok_or_else(wrong)?;
        PrivateKey::new(curve, &scalar).map(Some).map_err(|_| wrong())
    }

    fn public(&self, key: Option<&String>) -> Result<Option<PublicKey>, ModelError> {
        let Some(key) = self.signing_key(key)? else { return Ok(None) };
        let public = RustCrypto::new(NoRandom).public_key(&key);
        public.map(Some).map_err(|_| ModelError::Value(self.security_setup.clone()))
    }

    /// The meter's public key, for its clients.
    pub(crate) fn server_public_key(&self) -> Result<Option<PublicKey>, ModelError> {
        self.public(self.server_signing_key.as_ref())
    }
}

/// The meter's key pairs, at the place of each Security setup.
pub(crate) fn key_pairs(model: &Model) -> Result<Vec<KeyPairs>, ModelError> {
    let pairs = model.key_set.iter().map(|keys| {
        let key = keys.signing_key(keys.server_signing_key.as_ref())?;
        Ok(key.map_or(KeyPairs::new(), |key| KeyPairs::new().with(KeyUsage::DigitalSignature, key)))
    });
    pairs.collect()
}

/// The clients' public keys.
pub(crate) fn clients(model: &Model) -> Result<Clients, ModelError> {
    let mut clients = Vec::<KnownPeer>::new();
    for keys in &model.key_set {
        let octets = hex(&keys.client_title).unwrap_or_default();
        let title = SystemTitle::try_from(&octets[..]);
        let title = title.map_err(|_| ModelError::Value(keys.client_title.clone()))?;
        if clients.iter().any(|known| known.title == title) {
            continue;
        }
        if let Some(key) = keys.public(keys.client_signing_key.as_ref())? {
            clients.push(KnownPeer { title, keys: [Some(key), None, None] });
        }
    }
    Ok(Clients(clients))
}
