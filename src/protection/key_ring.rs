//! The further symmetric keys of a security setup, which few associations need.
//!
//! It stands beside the [`SecurityContext`](super::SecurityContext), not in it, so that who has none of them pays
//! nothing.

use dlms_security::{
    CounterId, CryptoProvider, InvocationCounter, Peer, PeerWindows, SecretKey, SecurityError, SecuritySuite,
    SendCounter, SystemTitle,
};

use super::context::KeyState;
use super::error::ProtectionError;
use super::transaction::TransactionId;

/// The master key (KEK) and the global broadcast encryption key (GBEK) of one security setup.
pub struct KeyRing<P: CryptoProvider> {
    pub(crate) kek: Option<P::WrapKey>,
    pub(crate) broadcast: Option<KeyState<P>>,
    /// The last messages under keys of their own, each as the beginning of a digest.
    seen: [u64; SEEN],
    /// Where the next one goes.
    next: usize,
}

/// How many messages under keys of their own are remembered.
const SEEN: usize = 16;

impl<P: CryptoProvider> Default for KeyRing<P> {
    fn default() -> Self {
        Self { kek: None, broadcast: None, seen: [0; SEEN], next: 0 }
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
        self.kek = Some(provider.wrap_key(suite, key)?);
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
            key: provider.aead_key(suite, key)?,
            send: SendCounter::new(id, reserved),
            windows: PeerWindows::new(),
        });
        Ok(())
    }

    /// The lowest counter that is accepted from `peer` under the broadcast key.
    pub fn lowest_acceptable(&self, peer: SystemTitle) -> InvocationCounter {
        self.broadcast
            .as_ref()
            .map_or(InvocationCounter::new(0), |state| state.windows.lowest_acceptable(peer))
    }

    pub(super) fn broadcast(&mut self) -> Option<&mut KeyState<P, [Peer]>> {
        self.broadcast.as_mut().map(|state| state as _)
    }

    /// Whether a message under a key of its own with this transaction-id may be new.
    pub(super) fn check_transaction(
        &self,
        provider: &P,
        originator: SystemTitle,
        transaction: &TransactionId,
    ) -> Result<(), ProtectionError> {
        match self.seen.contains(&mark(provider, originator, transaction)?) {
            true => Err(ProtectionError::ReplayedTransaction),
            false => Ok(()),
        }
    }

    /// Remembers a message under a key of its own.
    pub(super) fn accept_transaction(
        &mut self,
        provider: &P,
        originator: SystemTitle,
        transaction: &TransactionId,
    ) {
        if let (Some(place), Ok(mark)) =
            (self.seen.get_mut(self.next), mark(provider, originator, transaction))
        {
            *place = mark;
        }
        self.next = self.next.wrapping_add(1) % SEEN;
    }
}

/// The beginning of a digest, which tells two transactions apart.
fn mark<P: CryptoProvider>(
    provider: &P,
    originator: SystemTitle,
    transaction: &TransactionId,
) -> Result<u64, SecurityError> {
    let digest = provider.sha256(&[originator.octets(), transaction.octets()])?;
    Ok(digest.first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets)))
}
