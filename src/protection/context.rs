//! The keys that every protected association has: the global ones of its security setup, and its dedicated key.

use dlms_security::{
    AuthenticationKey, CounterId, CounterStore, CryptoProvider, FloorStorage, InvocationCounter, Peer,
    PeerWindows, Peers, Protector, ReplayWindow, RequiredProtection, SecretKey, SecurityError, SecuritySuite,
    SendCounter, SystemTitle,
};

use super::PEERS;
use super::open::Windows;

/// A key with everything that must live as long as it: our send counter and the peers' replay windows.
pub(crate) struct KeyState<P: CryptoProvider, R: ?Sized = Peers<PEERS>> {
    pub(super) key: P::AeadKey,
    pub(super) send: SendCounter,
    pub(super) windows: PeerWindows<R>,
}

impl<P: CryptoProvider> KeyState<P, [Peer]> {
    /// The key, and the windows that what comes under it is held against.
    pub(super) fn receiving(&mut self) -> (&P::AeadKey, Windows<'_>) {
        (&self.key, Windows::Peers(&mut self.windows, self.send.id()))
    }
}

/// The keys of one security setup, with their counters. It outlives associations: replay windows and the send counter
/// belong to the key, not to an association.
///
/// `R` is room for the replay windows of the peers under the key. A client of one meter, short of memory, has
/// `SecurityContext<P, Peers<1>>`; `&mut SecurityContext<P, Peers<N>>` becomes `&mut SecurityContext<P, [Peer]>`, which
/// is what engines take, by itself.
pub struct SecurityContext<P: CryptoProvider, R: ?Sized = Peers<PEERS>> {
    pub(super) suite: SecuritySuite,
    pub(super) own_title: SystemTitle,
    pub(super) last_client: Option<SystemTitle>,
    pub(super) policy: RequiredProtection,
    floor_step: u32,
    pub(super) authentication_key: AuthenticationKey,
    pub(super) unicast: KeyState<P, R>,
}

/// A key of one association, both counters starting at 0.
pub struct DedicatedKey<P: CryptoProvider> {
    pub(super) key: P::AeadKey,
    pub(super) send: SendCounter,
    pub(super) window: ReplayWindow,
}

impl<P: CryptoProvider> DedicatedKey<P> {
    /// The dedicated key that an InitiateRequest carries.
    ///
    /// # Errors
    /// What the provider says of the key.
    pub fn new(provider: &P, suite: SecuritySuite, key: &SecretKey) -> Result<Self, SecurityError> {
        Ok(Self {
            key: provider.aead_key(suite, key)?,
            send: SendCounter::volatile(),
            window: ReplayWindow::default(),
        })
    }
}

impl<P: CryptoProvider> SecurityContext<P> {
    /// The context of one security setup, with room for [`PEERS`] peers: its suite, our own title, the global unicast
    /// encryption key and the global authentication key.
    ///
    /// `id` names the key towards the [`CounterStore`], which is asked for its ceiling and floors when they are needed.
    /// Sending begins no lower than at `reserved`, so that no counter is used twice; 0 where the store holds it.
    ///
    /// # Errors
    /// What the provider says of the key.
    pub fn new(
        provider: &P,
        suite: SecuritySuite,
        own_title: SystemTitle,
        encryption_key: &SecretKey,
        authentication_key: AuthenticationKey,
        id: CounterId,
        reserved: u32,
    ) -> Result<Self, SecurityError> {
        Self::with_room(provider, suite, own_title, encryption_key, authentication_key, id, reserved)
    }
}

impl<P: CryptoProvider, const N: usize> SecurityContext<P, Peers<N>> {
    /// What [`SecurityContext::new`] makes, with room for `N` peers.
    ///
    /// # Errors
    /// What the provider says of the key.
    pub fn with_room(
        provider: &P,
        suite: SecuritySuite,
        own_title: SystemTitle,
        encryption_key: &SecretKey,
        authentication_key: AuthenticationKey,
        id: CounterId,
        reserved: u32,
    ) -> Result<Self, SecurityError> {
        Ok(Self {
            suite,
            own_title,
            last_client: None,
            policy: RequiredProtection::empty(),
            floor_step: FloorStorage::DEFAULT_STEP,
            authentication_key,
            unicast: KeyState {
                key: provider.aead_key(suite, encryption_key)?,
                send: SendCounter::new(id, reserved),
                windows: PeerWindows::new(),
            },
        })
    }
}

impl<P: CryptoProvider, R: AsRef<[Peer]> + AsMut<[Peer]> + ?Sized> SecurityContext<P, R> {
    /// The suite of the setup.
    pub const fn suite(&self) -> SecuritySuite {
        self.suite
    }

    /// Our own system title.
    pub const fn own_title(&self) -> SystemTitle {
        self.own_title
    }

    /// The title of the client that associated last with keys of this setup.
    pub const fn last_client(&self) -> Option<SystemTitle> {
        self.last_client
    }

    /// Sets the title of the client that associated last, as it was stored.
    pub const fn set_last_client(&mut self, client: Option<SystemTitle>) {
        self.last_client = client;
    }

    /// The security policy: what every request and every response under this setup must have, besides what an
    /// association and an access right demand.
    pub const fn policy(&self) -> RequiredProtection {
        self.policy
    }

    /// Sets the security policy, as it was stored.
    pub const fn set_policy(&mut self, policy: RequiredProtection) {
        self.policy = policy;
    }

    /// The counter that the next message under the global key will carry.
    pub const fn upcoming_counter(&self) -> InvocationCounter {
        self.unicast.send.upcoming()
    }

    /// Skips send counters, as a peer says that it expects them; the hint is not authenticated, so `limit` bounds it.
    ///
    /// # Errors
    /// The hint is out of bounds.
    pub fn advance_counter(&mut self, to: InvocationCounter, limit: u32) -> Result<(), SecurityError> {
        self.unicast.send.advance_to(to, limit)
    }

    /// The lowest counter that is accepted from `peer`.
    pub fn lowest_acceptable(&self, peer: SystemTitle) -> InvocationCounter {
        self.unicast.windows.window(peer).lowest_acceptable()
    }

    /// The lowest counters that are accepted from the peers heard so far.
    pub fn windows(&self) -> impl Iterator<Item = (SystemTitle, InvocationCounter)> + '_ {
        self.unicast.windows.iter()
    }

    /// Sets the lowest counter that is accepted from `peer`, where the [`CounterStore`] does not know it.
    ///
    /// # Errors
    /// The table of peers is full.
    pub fn restore_window(
        &mut self,
        peer: SystemTitle,
        lowest: InvocationCounter,
    ) -> Result<(), SecurityError> {
        self.unicast.windows.restore(peer, lowest)
    }

    /// Stores the floors of clients this many counters ahead, [`FloorStorage::DEFAULT_STEP`] unless told otherwise; 1
    /// stores each exactly. A server only: what a client accepts from a server is stored exactly.
    ///
    /// A client whose counter is below the floor after a restart is told the lowest acceptable one.
    pub const fn set_floor_step(&mut self, step: u32) {
        self.floor_step = step;
    }

    /// How a server stores the floors of its clients.
    #[cfg(feature = "server")]
    pub(crate) const fn floors(&self) -> FloorStorage {
        FloorStorage::Ahead(self.floor_step)
    }

    /// The lowest counter that is accepted from `peer`, which may be known to the store alone.
    pub(crate) fn floor(
        &self,
        peer: SystemTitle,
        store: &mut dyn CounterStore,
    ) -> Result<InvocationCounter, SecurityError> {
        Ok(self.unicast.windows.look_up(peer, self.unicast.send.id(), store)?.lowest_acceptable())
    }

    /// The next counter of the global key.
    pub(crate) fn next_counter(
        &mut self,
        mut store: &mut dyn CounterStore,
    ) -> Result<InvocationCounter, SecurityError> {
        self.unicast.send.next(&mut store)
    }

    /// Records a counter of the global key that a verified handshake proof carried.
    pub(crate) fn accept_counter(
        &mut self,
        peer: SystemTitle,
        counter: InvocationCounter,
        storage: FloorStorage,
        store: &mut dyn CounterStore,
    ) -> Result<(), SecurityError> {
        self.unicast.windows.accept(peer, counter, storage, self.unicast.send.id(), store)
    }

    /// The global key, to make or verify a handshake proof.
    pub(crate) const fn protector<'k>(&'k self, provider: &'k P) -> Protector<'k, P> {
        Protector { provider, key: &self.unicast.key, authentication_key: &self.authentication_key }
    }
}
