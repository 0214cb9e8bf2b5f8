//! The asymmetric half of what one side has: its own key pairs, whom it trusts, and who computes.
//!
//! It stands beside the [`SecurityContext`](super::SecurityContext), not in it: a meter of suite 0 has none of it.

use dlms_security::{Curve, KeyUsage, PeerKeys, PrivateKey, PublicKeyProvider, SecurityError};

/// Our own key pairs of one security setup, one for each [`KeyUsage`]: the one in use, and the one that was generated
/// and waits for its certificate.
#[derive(Clone, Debug, Default)]
pub struct KeyPairs {
    in_use: [Option<PrivateKey>; KeyUsage::ALL.len()],
    pending: [Option<PrivateKey>; KeyUsage::ALL.len()],
}

impl KeyPairs {
    /// No key pair yet.
    pub const fn new() -> Self {
        Self { in_use: [const { None }; KeyUsage::ALL.len()], pending: [const { None }; KeyUsage::ALL.len()] }
    }

    /// The same with a key pair in use.
    #[must_use]
    pub fn with(mut self, usage: KeyUsage, key: PrivateKey) -> Self {
        self.set_in_use(usage, Some(key));
        self
    }

    /// The pair that is used.
    pub const fn in_use(&self, usage: KeyUsage) -> Option<&PrivateKey> {
        match self.in_use.split_at_checked(usage as usize) {
            Some((_, [key, ..])) => key.as_ref(),
            _ => None,
        }
    }

    /// Takes a pair into use, or the one that is away.
    pub fn set_in_use(&mut self, usage: KeyUsage, key: Option<PrivateKey>) {
        *place(&mut self.in_use, usage) = key;
    }

    /// The pair that waits for its certificate.
    pub const fn pending(&self, usage: KeyUsage) -> Option<&PrivateKey> {
        match self.pending.split_at_checked(usage as usize) {
            Some((_, [key, ..])) => key.as_ref(),
            _ => None,
        }
    }

    /// Puts a new pair beside the one in use, to wait for its certificate, or drops the one that waits.
    pub fn set_pending(&mut self, usage: KeyUsage, key: Option<PrivateKey>) {
        *place(&mut self.pending, usage) = key;
    }

    /// The pair that waited takes the place of the one in use.
    pub fn promote(&mut self, usage: KeyUsage) {
        let pending = place(&mut self.pending, usage).take();
        self.set_in_use(usage, pending);
    }

    /// The pair for `usage` on `curve`.
    ///
    /// # Errors
    /// [`SecurityError::KeyMissing`] if there is none, or it is of another curve.
    pub fn key(&self, usage: KeyUsage, curve: Curve) -> Result<&PrivateKey, SecurityError> {
        self.in_use(usage).filter(|key| key.curve() == curve).ok_or(SecurityError::KeyMissing)
    }
}

fn place<T>([signature, agreement, tls]: &mut [T; KeyUsage::ALL.len()], usage: KeyUsage) -> &mut T {
    match usage {
        KeyUsage::DigitalSignature => signature,
        KeyUsage::KeyAgreement => agreement,
        KeyUsage::Tls => tls,
    }
}

/// What this side has of the asymmetric half of suites 1 and 2: for authentication mechanism 7, general-signing, and
/// general-ciphering with agreed keys.
pub struct PublicKeys<'h> {
    /// Who computes.
    pub provider: &'h dyn PublicKeyProvider,
    /// Our own key pairs: at the place of each security setup its own; a client has one.
    pub own: &'h mut [KeyPairs],
    /// Whom this side trusts.
    pub peers: &'h dyn PeerKeys,
}

/// What one association uses of [`PublicKeys`].
#[derive(Clone, Copy)]
pub struct Asymmetric<'k> {
    /// Who computes.
    pub provider: &'k dyn PublicKeyProvider,
    /// Our own key pairs.
    pub own: &'k KeyPairs,
    /// Whom this side trusts.
    pub peers: &'k dyn PeerKeys,
}

impl PublicKeys<'_> {
    /// What an association of the security setup at `index` uses of it.
    pub fn of(&self, index: usize) -> Option<Asymmetric<'_>> {
        let own = self.own.get(index)?;
        Some(Asymmetric { provider: self.provider, own, peers: self.peers })
    }
}
