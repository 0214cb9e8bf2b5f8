//! What a head-end keeps of a meter's keys, and of the one that is being changed.

use dlms_security::{
    AuthenticationKey, CryptoProvider, KeyFingerprint, KeyId, PrivateKey, PublicKey, PublicKeyProvider,
    SecretKey, SecurityError, SecuritySuite, StorageError, SystemTitle, constant_time_eq,
};

/// The symmetric keys of one security setup that are in use.
#[derive(Clone, Debug)]
pub struct MeterKeys {
    /// The global unicast encryption key.
    pub unicast: SecretKey,
    /// The global authentication key; one that is not in use cannot be rotated.
    pub authentication: AuthenticationKey,
    /// The global broadcast encryption key, where it is known.
    pub broadcast: Option<SecretKey>,
    /// The master key, where it is known: key_transfer needs it.
    pub master: Option<SecretKey>,
}

impl MeterKeys {
    /// Puts a key into its place.
    ///
    /// # Errors
    /// The length of an authentication key.
    pub fn set(&mut self, suite: SecuritySuite, id: KeyId, key: &SecretKey) -> Result<(), SecurityError> {
        match id {
            KeyId::GlobalUnicast => self.unicast = key.clone(),
            KeyId::Authentication => self.authentication = AuthenticationKey::from_key(suite, key)?,
            KeyId::GlobalBroadcast => self.broadcast = Some(key.clone()),
            KeyId::Master => self.master = Some(key.clone()),
        }
        Ok(())
    }

    /// Whether a key with this value is in use, whichever it is.
    pub(super) fn contain(&self, key: &SecretKey) -> bool {
        let named = |key: &'_ SecretKey| key.as_handle().is_some();
        let is_authentication = self.authentication.as_handle().is_some() == named(key)
            && constant_time_eq(self.authentication.expose(), key.expose());
        let keys = [Some(&self.unicast), self.broadcast.as_ref(), self.master.as_ref()];
        is_authentication
            || keys
                .into_iter()
                .flatten()
                .any(|own| named(own) == named(key) && constant_time_eq(own.expose(), key.expose()))
    }
}

/// With what an association is opened.
#[derive(Clone, Debug)]
pub struct SetupKeys {
    /// The global unicast encryption key.
    pub unicast: SecretKey,
    /// The global authentication key.
    pub authentication: AuthenticationKey,
}

impl SetupKeys {
    /// By what the counters of the encryption key go, for a client with this title.
    ///
    /// # Errors
    /// What the provider answers.
    pub fn fingerprint<P: CryptoProvider>(
        &self,
        provider: &P,
        client: SystemTitle,
    ) -> Result<KeyFingerprint, SecurityError> {
        provider.fingerprint(client, &self.unicast)
    }
}

/// How a new key reaches the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationMethod {
    /// key_transfer: drawn here, wrapped under the master key.
    Transfer,
    /// key_agreement: the ephemeral unified model C(2e, 0s), in suites 1 and 2.
    Agreement,
}

/// A key that is being changed, as it is stored.
#[derive(Clone, Debug)]
pub struct PendingKey {
    /// Which one.
    pub id: KeyId,
    /// How it reaches the meter.
    pub method: RotationMethod,
    /// Its value; `None` as long as it is not agreed on.
    pub key: Option<SecretKey>,
    /// Whether a request may have left.
    pub is_requested: bool,
    /// Whether the meter said that it has the key.
    pub is_heard: bool,
    /// Which keys are to be tried first: those in use before.
    pub tries_current: bool,
    /// What is transferred under a master key that was agreed on for it.
    pub then: Option<KeyId>,
    /// Whether the agreement goes through another association.
    pub through_other: bool,
}

impl PendingKey {
    pub(super) const fn new(id: KeyId, method: RotationMethod, key: Option<SecretKey>) -> Self {
        Self {
            id,
            method,
            key,
            is_requested: false,
            is_heard: false,
            tries_current: false,
            then: None,
            through_other: false,
        }
    }
}

/// Where a head-end keeps the keys of one security setup of one meter, filled in by the application.
///
/// What is stored is on the medium when the call returns: the request that makes a key pending leaves after that. Whoever
/// has such a store cannot forget to resume: [`KeyRotation::begin`](super::KeyRotation::begin) refuses as long as
/// something is pending. A store of a secure element's handles frees what is replaced or forgotten.
pub trait RotationStore {
    /// The keys in use.
    ///
    /// # Errors
    /// [`StorageError`] if they cannot be read.
    fn keys(&mut self) -> Result<MeterKeys, StorageError>;

    /// What is pending.
    ///
    /// # Errors
    /// [`StorageError`] if that cannot be read.
    fn pending(&mut self) -> Result<Option<PendingKey>, StorageError>;

    /// Stores what is pending in place of what was; `None` if nothing is any more, because nothing has changed.
    ///
    /// # Errors
    /// [`StorageError`] if it may not be on the medium. Nothing is sent then.
    fn set_pending(&mut self, pending: Option<&PendingKey>) -> Result<(), StorageError>;

    /// Puts a key that the meter has proved to use into its place, and `next` into the place of what was pending: both or
    /// nothing, whenever power fails.
    ///
    /// # Errors
    /// [`StorageError`]: the key stays pending.
    fn commit(&mut self, id: KeyId, key: &SecretKey, next: Option<&PendingKey>) -> Result<(), StorageError>;
}

/// What a key rotation uses from outside.
pub struct RotationEnvironment<'e, P: CryptoProvider> {
    /// Symmetric cryptography, and the random numbers that new keys are made of.
    pub provider: &'e P,
    /// Where keys are kept.
    pub store: &'e mut dyn RotationStore,
    /// Who agrees on keys, where keys are agreed on.
    pub parties: Option<Parties<'e>>,
}

/// The two parties of key_agreement.
#[derive(Clone, Copy)]
pub struct Parties<'e> {
    /// Who computes.
    pub provider: &'e dyn PublicKeyProvider,
    /// Our own signature key, which the meter knows.
    pub signing_key: &'e PrivateKey,
    /// The meter's signature key.
    pub server_key: &'e PublicKey,
    /// Our own title, in the association that the request is sent in.
    pub client: SystemTitle,
    /// The meter's.
    pub server: SystemTitle,
}
