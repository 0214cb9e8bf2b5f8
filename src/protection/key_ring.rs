//! The further symmetric keys of a security setup, which few associations need.
//!
//! It stands beside the [`SecurityContext`](super::SecurityContext), not in it, so that who has none of them pays
//! nothing.

use dlms_security::{
    CounterId, CryptoProvider, InvocationCounter, PeerWindows, SecretKey, SecurityError, SecuritySuite,
    SendCounter, SystemTitle,
};

use super::PEERS;
use super::context::KeyState;

/// The master key (KEK) and the global broadcast encryption key (GBEK) of one security setup.
pub struct KeyRing<P: CryptoProvider> {
    pub(crate) kek: Option<P::WrapKey>,
    pub(crate) broadcast: Option<KeyState<P>>,
}

impl<P: CryptoProvider> Default for KeyRing<P> {
    fn default() -> Self {
        Self { kek: None, broadcast: None }
    }
}

impl<P: CryptoProvider> KeyRing<P> {
    /// No key yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the master key in, which wraps other keys.
    ///
    /// # Errors
    /// What the provider says of the key.
    pub fn set_master_key(
        &mut self,
        provider: &P,
        suite: SecuritySuite,
        key: &SecretKey,
    ) -> Result<(), SecurityError> {
        self.kek = Some(provider.wrap_key(suite, key.expose())?);
        Ok(())
    }

    /// Puts the global broadcast encryption key in. `id` and `reserved` are as with
    /// [`SecurityContext::new`](super::SecurityContext::new); a meter never sends under this key.
    ///
    /// # Errors
    /// What the provider says of the key.
    pub fn set_broadcast_key(
        &mut self,
        provider: &P,
        suite: SecuritySuite,
        key: &SecretKey,
        id: CounterId,
        reserved: u32,
    ) -> Result<(), SecurityError> {
        self.broadcast = Some(KeyState {
            key: provider.aead_key(suite, key.expose())?,
            send: SendCounter::new(id, reserved),
            windows: PeerWindows::<PEERS>::new(),
        });
        Ok(())
    }

    /// The lowest counter that is accepted from `peer` under the broadcast key.
    pub fn lowest_acceptable(&self, peer: SystemTitle) -> InvocationCounter {
        self.broadcast
            .as_ref()
            .map_or(InvocationCounter::new(0), |state| state.windows.lowest_acceptable(peer))
    }
}
