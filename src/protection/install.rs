//! New keys for a security setup, which take the place of the old ones at one stroke.

use dlms_security::{
    AuthenticationKey, CounterId, CryptoProvider, InvocationCounter, KeyId, PeerWindows, Peers,
    RequiredProtection, SecretKey, SecurityError, SecuritySuite, SendCounter, SystemTitle,
};

use super::context::{KeyState, SecurityContext};
use super::key_ring::KeyRing;

/// Keys, and a policy, that are ready to be used but not used yet.
///
/// A server answers the request that changes its keys under the old ones, and a client hears that answer under them:
/// both make the new ones ready first and let them [take effect](NewKeys::take_effect) afterwards.
pub struct NewKeys<P: CryptoProvider> {
    unicast: Option<KeyState<P>>,
    broadcast: Option<KeyState<P>>,
    authentication: Option<AuthenticationKey>,
    master: Option<P::WrapKey>,
    policy: Option<RequiredProtection>,
}

impl<P: CryptoProvider> Default for NewKeys<P> {
    fn default() -> Self {
        Self { unicast: None, broadcast: None, authentication: None, master: None, policy: None }
    }
}

impl<P: CryptoProvider> NewKeys<P> {
    /// Nothing new.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a key ready. `counters` names those of an encryption key towards the
    /// [`CounterStore`](dlms_security::CounterStore), which is asked for its ceiling and floors when they are needed;
    /// other keys have none.
    ///
    /// # Errors
    /// What the provider says of the key.
    pub fn add(
        &mut self,
        provider: &P,
        suite: SecuritySuite,
        id: KeyId,
        key: &SecretKey,
        counters: CounterId,
    ) -> Result<(), SecurityError> {
        match id {
            KeyId::GlobalUnicast => {
                self.unicast = Some(KeyState::new(provider, suite, key, counters)?);
            }
            KeyId::GlobalBroadcast => {
                self.broadcast = Some(KeyState::new(provider, suite, key, counters)?);
            }
            KeyId::Authentication => {
                self.authentication = Some(AuthenticationKey::from_key(suite, key)?);
            }
            KeyId::Master => self.master = Some(provider.wrap_key(suite, key)?),
        }
        Ok(())
    }

    /// Makes a policy ready.
    pub const fn set_policy(&mut self, policy: RequiredProtection) {
        self.policy = Some(policy);
    }

    /// Puts the new keys and the policy into the place of the old ones; what is not new stays as it is.
    ///
    /// A broadcast or master key needs a key ring; without one it is dropped.
    pub fn take_effect(self, context: &mut SecurityContext<P>, key_ring: Option<&mut KeyRing<P>>) {
        if let Some(unicast) = self.unicast {
            context.unicast = unicast;
        }
        if let Some(authentication) = self.authentication {
            context.authentication_key = authentication;
        }
        if let Some(policy) = self.policy {
            context.policy = policy;
        }
        if let Some(key_ring) = key_ring {
            if self.broadcast.is_some() {
                key_ring.broadcast = self.broadcast;
            }
            if self.master.is_some() {
                key_ring.kek = self.master;
            }
        }
    }
}

impl<P: CryptoProvider> KeyState<P> {
    fn new(
        provider: &P,
        suite: SecuritySuite,
        key: &SecretKey,
        counters: CounterId,
    ) -> Result<Self, SecurityError> {
        Ok(Self {
            key: provider.aead_key(suite, key)?,
            send: SendCounter::new(counters, 0),
            windows: PeerWindows::new(),
        })
    }
}

impl<P: CryptoProvider, const N: usize> SecurityContext<P, Peers<N>> {
    /// The name of the send counter of the global unicast encryption key.
    pub const fn counter_id(&self) -> CounterId {
        self.unicast.send.id()
    }
}

impl<P: CryptoProvider> KeyRing<P> {
    /// The name of the send counter of the global broadcast encryption key.
    pub fn counter_id(&self) -> Option<CounterId> {
        self.broadcast.as_ref().map(|state| state.send.id())
    }

    /// The lowest counters that are accepted under the broadcast key from the peers heard so far.
    pub fn windows(&self) -> impl Iterator<Item = (SystemTitle, InvocationCounter)> + '_ {
        self.broadcast.iter().flat_map(|state| state.windows.iter())
    }
}
