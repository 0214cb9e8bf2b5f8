//! The key pairs of a model, for signatures and for key agreement: the meter's own, and its clients' public keys.

use dlms::KeyPairs;
use dlms_security::{
    Curve, KeyUsage, KnownPeer, NoRandom, PeerKeys, PrivateKey, PublicKey, PublicKeyProvider, RustCrypto,
    SecuritySuite, SystemTitle,
};

use crate::ModelError;
use crate::model::{KeySet, Model};
use crate::notation::hex;

/// The clients whose signatures a meter takes, and with whom it agrees on keys.
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

    fn private_key(&self, key: Option<&String>) -> Result<Option<PrivateKey>, ModelError> {
        let Some((curve, key)) = self.curve().zip(key) else { return Ok(None) };
        let wrong = || ModelError::Value(self.security_setup.clone());
        let scalar = hex(key).ok_or_else(wrong)?;
        PrivateKey::new(curve, &scalar).map(Some).map_err(|_| wrong())
    }

    fn public(&self, key: Option<&String>) -> Result<Option<PublicKey>, ModelError> {
        let Some(key) = self.private_key(key)? else { return Ok(None) };
        let public = RustCrypto::new(NoRandom).public_key(&key);
        public.map(Some).map_err(|_| ModelError::Value(self.security_setup.clone()))
    }

    /// The meter's public keys, for its clients: of its signatures, and for key agreement.
    pub(crate) fn server_public_keys(&self) -> Result<[Option<PublicKey>; 2], ModelError> {
        Ok([self.public(self.server_signing_key.as_ref())?, self.public(self.server_agreement_key.as_ref())?])
    }
}

/// The meter's key pairs, at the place of each Security setup.
pub(crate) fn key_pairs(model: &Model) -> Result<Vec<KeyPairs>, ModelError> {
    let pairs = model.key_set.iter().map(|keys| {
        let mut pairs = KeyPairs::new();
        pairs.set_in_use(KeyUsage::DigitalSignature, keys.private_key(keys.server_signing_key.as_ref())?);
        pairs.set_in_use(KeyUsage::KeyAgreement, keys.private_key(keys.server_agreement_key.as_ref())?);
        Ok(pairs)
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
        let signing = keys.public(keys.client_signing_key.as_ref())?;
        let agreement = keys.public(keys.client_agreement_key.as_ref())?;
        if signing.is_some() || agreement.is_some() {
            clients.push(KnownPeer { title, keys: [signing, agreement, None] });
        }
    }
    Ok(Clients(clients))
}
