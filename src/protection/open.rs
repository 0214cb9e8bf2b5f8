//! Opening one ciphered content, and the envelopes that name no more of their key than its class.

use core::ops::Range;

use dlms_security::{
    AuthenticationKey, CounterId, CounterStore, CryptoProvider, FloorStorage, InvocationCounter, KeySet,
    PeerWindows, Peers, Protection, Protector, ReplayWindow, Requirement, SecurityError, SecurityHeader,
    SecuritySuite, SystemTitle,
};

use super::context::{DedicatedKey, SecurityContext};
use super::envelope::{Accepted, Envelope, KeyClass, Parsed};
use super::error::ProtectionError;
use super::key_ring::KeyRing;
use super::keys::{Demand, Keys, Layer, Opened};

/// The replay windows that a key is held against.
pub(super) enum Windows<'w> {
    /// Of a key that several peers use, with the name under which its floors are stored.
    Peers(&'w mut PeerWindows, CounterId),
    /// Of a key of one association.
    One(&'w mut ReplayWindow),
    /// None: something else than the counter tells whether the content is new.
    None,
}

impl Windows<'_> {
    fn window(&self, peer: SystemTitle, store: &mut dyn CounterStore) -> Result<ReplayWindow, SecurityError> {
        match self {
            Self::Peers(windows, id) => windows.look_up(peer, *id, store),
            Self::One(window) => Ok(**window),
            Self::None => Ok(ReplayWindow::default()),
        }
    }

    fn accept(
        &mut self,
        peer: SystemTitle,
        counter: InvocationCounter,
        storage: FloorStorage,
        store: &mut dyn CounterStore,
    ) -> Result<(), SecurityError> {
        match self {
            Self::Peers(windows, id) => windows.accept(peer, counter, storage, *id, store),
            Self::One(window) => {
                match storage {
                    FloorStorage::Unauthenticated => window.accept_unauthenticated(counter),
                    _ => window.accept(counter),
                }
                Ok(())
            }
            Self::None => Ok(()),
        }
    }
}

/// A content whose security header was held against what this side demands.
pub(super) struct Checked<'w> {
    header: SecurityHeader,
    floor_before: InvocationCounter,
    peer: SystemTitle,
    storage: FloorStorage,
    windows: Windows<'w>,
}

impl<'w> Checked<'w> {
    /// Reads the security header of a content and checks suite, protection, key set and counter.
    pub(super) fn new(
        suite: SecuritySuite,
        key_set: KeySet,
        demand: &Demand,
        windows: Windows<'w>,
        store: &mut dyn CounterStore,
        content: &[u8],
    ) -> Result<Self, ProtectionError> {
        let header = SecurityHeader::parse(content)?;
        Requirement { suite, protection: demand.required, key_set }.check(header.control)?;
        let mut window = windows.window(demand.peer, store)?;
        let floor_before = window.lowest_acceptable();
        // Without a tag anybody can forge the counter: such an APDU is taken only where this side asked for encryption
        // alone, and moves nothing that an APDU with a tag is held against.
        let mut storage = demand.floors;
        if !header.control.protection().contains(Protection::AUTHENTICATED) {
            (window, storage) = (window.for_unauthenticated(), FloorStorage::Unauthenticated);
        }
        window.check(header.counter)?;
        Ok(Self { header, floor_before, peer: demand.peer, storage, windows })
    }

    /// Opens the content at `at` of `apdu` in place; the octets at `covered` are covered by its tag too.
    #[allow(clippy::too_many_arguments, reason = "what a content depends on")]
    pub(super) fn open<P: CryptoProvider>(
        mut self,
        provider: &P,
        store: &mut dyn CounterStore,
        key: &P::AeadKey,
        authentication_key: &AuthenticationKey,
        envelope: Envelope,
        inner_tag: Option<u8>,
        apdu: &mut [u8],
        covered: Range<usize>,
        at: Range<usize>,
    ) -> Result<Layer, ProtectionError> {
        let (before, content) = apdu.split_at_mut_checked(at.start).ok_or(ProtectionError::Required)?;
        let content = content.get_mut(..at.len()).ok_or(ProtectionError::Required)?;
        let covered = before.get(covered).unwrap_or(&[]);
        let protector = Protector { provider, key, authentication_key };
        let plain = protector.unprotect(self.peer, covered, content)?;
        // The outer tag is not covered by the authentication tag: who changes it must not use up the counter.
        if inner_tag.is_some_and(|announced| plain.first() != Some(&announced)) {
            return Err(ProtectionError::WrongService);
        }
        let start = at.start.saturating_add(SecurityHeader::LENGTH);
        let inner = start..start.saturating_add(plain.len());
        self.windows.accept(self.peer, self.header.counter, self.storage, store)?;
        Ok(Layer {
            inner,
            protection: self.header.control.protection(),
            envelope: Some(envelope),
            counter: Some(self.header.counter),
            floor_before: self.floor_before,
        })
    }

    pub(super) const fn protection(&self) -> Protection {
        self.header.control.protection()
    }
}

impl<P: CryptoProvider> Keys<'_, P> {
    /// Opens a service-specific envelope, general-glo- or general-ded-ciphering. `None` if the APDU is in none of
    /// these.
    pub(super) fn open_ciphering(
        &mut self,
        store: &mut dyn CounterStore,
        demand: &Demand,
        is_ciphered: bool,
        apdu: &mut [u8],
    ) -> Result<Layer, ProtectionError> {
        let parsed = Parsed::from_octets(apdu)?;
        if is_ciphered {
            return Err(ProtectionError::Nested);
        }
        if parsed.title.is_some_and(|title| title != demand.peer) {
            return Err(ProtectionError::WrongTitle);
        }
        let content = apdu.get(parsed.content.clone()).unwrap_or(&[]);
        let is_broadcast = !parsed.dedicated
            && demand.accepted.contains(Accepted::BROADCAST)
            && SecurityHeader::parse(content)?.control.broadcast();
        let (class, key_set) = match (parsed.dedicated, is_broadcast) {
            (true, _) => (KeyClass::Dedicated, KeySet::Unicast),
            (false, true) => (KeyClass::Broadcast, KeySet::Broadcast),
            (false, false) => (KeyClass::Global, KeySet::Unicast),
        };
        let envelope = Envelope { carrier: parsed.carrier, key: class };
        if !demand.accepted.takes(envelope) {
            return Err(ProtectionError::NotAllowed);
        }
        let context = &mut *self.context;
        let (key, windows) = match class {
            KeyClass::Dedicated => {
                let dedicated = self.dedicated.as_deref_mut().ok_or(ProtectionError::NoKey)?;
                (&dedicated.key, Windows::One(&mut dedicated.window))
            }
            KeyClass::Broadcast => {
                let ring = self.key_ring.as_deref_mut();
                ring.and_then(KeyRing::broadcast).ok_or(ProtectionError::NoKey)?.receiving()
            }
            _ => context.unicast.receiving(),
        };
        let checked = Checked::new(context.suite, key_set, demand, windows, store, content)?;
        let (ak, tag, at) = (&context.authentication_key, parsed.inner_tag, parsed.content);
        checked.open(self.provider, store, key, ak, envelope, tag, apdu, 0..0, at)
    }
}

impl<P: CryptoProvider, const N: usize> SecurityContext<P, Peers<N>> {
    /// Opens a received APDU in place with the global or the dedicated key, as [`Keys::open`] does.
    ///
    /// # Errors
    /// The envelope is malformed, carries the wrong title, less protection than required, an unknown key, a replayed
    /// counter or a wrong tag, or hides another service than it names. `apdu` is then of no more use.
    pub fn open(
        &mut self,
        provider: &P,
        store: &mut dyn CounterStore,
        dedicated: Option<&mut DedicatedKey<P>>,
        peer: SystemTitle,
        required: Protection,
        apdu: &mut [u8],
    ) -> Result<Opened, ProtectionError> {
        let mut keys = Keys { provider, context: self, dedicated, key_ring: None, asymmetric: None };
        keys.open(store, &Demand::new(peer, required), apdu)
    }
}
