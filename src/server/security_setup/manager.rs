//! Key management as the standard describes it, over a [`KeyStore`].

use cosem_objects::{ActionResult, GetError};
use dlms_axdr::{Data, Encoder};
use dlms_security::certificate::CertificateStore;
use dlms_security::{CryptoProvider, Functions, KeyStore};

use super::certificates::write_certificates;
use super::{KeyManagement, PairChange, Setup};
use crate::protection::NewKeys;

/// Answers the methods of Security setup objects.
///
/// | method | needs |
/// | --- | --- |
/// | security_activate | nothing but the right to it; the policy only ever grows |
/// | key_transfer | a request that was authenticated and encrypted, a master key in the [`KeyRing`](crate::KeyRing) |
/// | key_agreement | the same protection, a signature key pair in [`PublicKeys`](crate::PublicKeys), the client's public key |
/// | generate_key_pair, generate_certificate_request | the setup's place in [`PublicKeys`](crate::PublicKeys) |
/// | import_, export_, remove_certificate | [`Host::certificates`](crate::server::Host::certificates) besides |
///
/// What changes keys or policy is refused within a list of methods, and everything under the broadcast key. A key pair of
/// our own is replaced or removed when the answer is sealed: in a list, nothing more changes pairs or certificates then.
pub struct KeyManager<P: CryptoProvider, S> {
    pub(super) store: S,
    pub(super) changes: Option<(usize, NewKeys<P>)>,
    pub(super) pair_change: Option<PairChange>,
    pub(super) agrees_master_key_for_wrapping: bool,
}

impl<P: CryptoProvider, S: KeyStore> KeyManager<P, S> {
    /// Key management that keeps keys and policies in `store`.
    pub const fn new(store: S) -> Self {
        Self { store, changes: None, pair_change: None, agrees_master_key_for_wrapping: false }
    }

    /// Names the algorithm of a master key that is agreed on as AES key wrap. The default is AES-GCM as for all other
    /// keys, since that is what is met; the standard is not known to say.
    #[must_use]
    pub const fn agree_master_key_for_wrapping(mut self) -> Self {
        self.agrees_master_key_for_wrapping = true;
        self
    }

    /// The storage.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The storage, to be changed.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }
}

impl<P: CryptoProvider, S: KeyStore> KeyManagement<P> for KeyManager<P, S> {
    fn invoke(
        &mut self,
        setup: &mut Setup<'_, P>,
        method: i8,
        parameter: Data<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ActionResult> {
        match method {
            1 => self.security_activate(setup, parameter),
            2 => self.key_transfer(setup, parameter),
            _ if !P::FUNCTIONS.contains(Functions::PUBLIC_KEYS) => Err(ActionResult::ReadWriteDenied),
            3 => self.key_agreement(setup, parameter, encoder),
            // In a list: what waits for the answer is not changed once more.
            4 | 6 | 8 if self.pair_change.is_some() => Err(ActionResult::OtherReason),
            4 => self.generate_key_pair(setup, parameter),
            5 => self.generate_certificate_request(setup, parameter, encoder),
            6 => self.import_certificate(setup, parameter),
            7 => self.export_certificate(setup, parameter, encoder),
            8 => self.remove_certificate(setup, parameter),
            _ => Err(ActionResult::ReadWriteDenied),
        }
    }

    fn certificates(&self, store: &dyn CertificateStore, encoder: &mut Encoder<'_>) -> Result<(), GetError> {
        write_certificates(store, encoder)
    }

    fn take_changes(&mut self) -> Option<(usize, NewKeys<P>)> {
        self.changes.take()
    }

    fn take_pair_change(&mut self) -> Option<PairChange> {
        self.pair_change.take()
    }
}
