//! Security bound to APDUs: the only place where keys and APDUs meet (IEC 62056-5-3, clause 5).
//!
//! A protected APDU travels in an envelope:
//!
//! | envelope | octets |
//! | --- | --- |
//! | service-specific, global or dedicated key | `tag ‖ length ‖ content` |
//! | general-glo-ciphering `DB`, general-ded-ciphering `DC` | `tag ‖ 08 title ‖ length ‖ content` |
//!
//! with `content = SC ‖ IC ‖ information or ciphertext ‖ [tag]`. What is required comes from this side's configuration
//! alone; what arrives is only compared with it. The order on reception is fixed: structure, titles, security control,
//! key, counter, tag, then the counter is recorded, and only then is the plain APDU looked at.

use core::ops::Range;

use dlms_axdr::{BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader};
use dlms_security::{
    AuthenticationKey, CounterId, CounterStore, CryptoProvider, InvocationCounter, KeySet, NoStore,
    PeerWindows, Protection, Protector, ReplayWindow, Requirement, SecretKey, SecurityControl, SecurityError,
    SecurityHeader, SecuritySuite, SendCounter, SystemTitle,
};
use thiserror::Error;

use crate::xdlms::{GENERAL_DED_CIPHERING, GENERAL_GLO_CIPHERING, ServiceCiphering};

/// Octets that an envelope needs before the plain APDU: tag, title, length, security header.
pub const HEADROOM: usize = 1 + 9 + 5 + 5;
/// Octets that protection adds after the plain APDU: the authentication tag.
pub const TAILROOM: usize = 12;

/// How many peers a key's replay windows are kept for.
pub const PEERS: usize = 8;

/// How far an APDU without an authentication tag may move a replay window.
const UNAUTHENTICATED_JUMP: u32 = 256;

/// Which key protects an APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// The global key of the security setup.
    Global,
    /// The dedicated key of the association.
    Dedicated,
}

/// How a protected APDU is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Whether the general form (`DB`, `DC`) is used, which carries the sender's title and any APDU.
    pub general: bool,
    /// The key that is used.
    pub key: KeyClass,
}

impl Envelope {
    /// The service-specific form under the global key.
    pub const GLOBAL: Self = Self { general: false, key: KeyClass::Global };
    /// The service-specific form under the dedicated key.
    pub const DEDICATED: Self = Self { general: false, key: KeyClass::Dedicated };

    /// How many octets this envelope adds to a plain APDU of `length` octets at most.
    pub(crate) const fn overhead(self, protection: Protection, length: usize) -> usize {
        let tag = if protection.contains(Protection::AUTHENTICATED) { TAILROOM } else { 0 };
        let title = if self.general { 9 } else { 0 };
        let length_octets = match length + 5 + tag {
            0..0x80 => 1,
            0x80..0x100 => 2,
            0x100..0x1_0000 => 3,
            _ => 5,
        };
        1 + title + length_octets + 5 + tag
    }
}

/// Why an APDU could not be opened or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtectionError {
    /// The APDU came unprotected, or less protected than this side demands.
    #[error("protection is required")]
    Required,
    /// The envelope does not decode.
    #[error("malformed envelope: {0}")]
    Malformed(#[from] DecodeError),
    /// The carried system title is not the peer's, or it is our own.
    #[error("wrong system title")]
    WrongTitle,
    /// No key for this envelope.
    #[error("no key")]
    NoKey,
    /// The APDU inside is not the one that the outer tag names.
    #[error("the protected APDU is not the one announced")]
    WrongService,
    /// The counter is not above the last one accepted; the lowest acceptable one is given.
    #[error("replayed invocation counter, lowest acceptable is {0}")]
    Replay(u32),
    /// The security layer refused.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The buffer is too small for the envelope.
    #[error("buffer too small for the protected APDU")]
    BufferFull,
}

impl From<BufferFull> for ProtectionError {
    fn from(_: BufferFull) -> Self {
        Self::BufferFull
    }
}

/// A key with everything that must live as long as it: our send counter and the peers' replay windows.
struct KeyState<P: CryptoProvider> {
    key: P::AeadKey,
    send: SendCounter,
    windows: PeerWindows<PEERS>,
}

/// The keys of one security setup, with their counters. It outlives associations: replay windows and the send counter
/// belong to the key, not to an association.
pub struct SecurityContext<P: CryptoProvider> {
    suite: SecuritySuite,
    own_title: SystemTitle,
    authentication_key: AuthenticationKey,
    unicast: KeyState<P>,
}

/// A key of one association, both counters starting at 0.
pub struct DedicatedKey<P: CryptoProvider> {
    key: P::AeadKey,
    send: SendCounter,
    window: ReplayWindow,
}

impl<P: CryptoProvider> DedicatedKey<P> {
    /// The dedicated key that an InitiateRequest carries.
    ///
    /// # Errors
    /// What the provider says of the key.
    pub fn new(provider: &P, suite: SecuritySuite, key: &SecretKey) -> Result<Self, SecurityError> {
        Ok(Self {
            key: provider.aead_key(suite, key.expose())?,
            send: SendCounter::volatile(),
            window: ReplayWindow::default(),
        })
    }
}

/// What was found in a received APDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where the plain APDU is.
    pub apdu: Range<usize>,
    /// What it was carried in; `None` if it came plain.
    pub envelope: Option<Envelope>,
    /// The protection that was verified and removed.
    pub protection: Protection,
    /// The counter it carried, if it was protected.
    pub counter: Option<InvocationCounter>,
    /// The lowest acceptable counter before this APDU was accepted.
    pub floor_before: InvocationCounter,
}

impl Opened {
    /// A plain APDU.
    pub(crate) const fn plain(apdu: Range<usize>) -> Self {
        Self {
            apdu,
            envelope: None,
            protection: Protection::empty(),
            counter: None,
            floor_before: InvocationCounter::new(0),
        }
    }
}

impl<P: CryptoProvider> SecurityContext<P> {
    /// The context of one security setup: its suite, our own title, the global unicast encryption key and the global
    /// authentication key.
    ///
    /// `id` names the key towards the [`CounterStore`]; `reserved` is the ceiling that the store holds for it (0 for a
    /// new key). Sending begins there, so that no counter is used twice.
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
        Ok(Self {
            suite,
            own_title,
            authentication_key,
            unicast: KeyState {
                key: provider.aead_key(suite, encryption_key.expose())?,
                send: SendCounter::new(id, reserved),
                windows: PeerWindows::new(),
            },
        })
    }

    /// The suite of the setup.
    pub const fn suite(&self) -> SecuritySuite {
        self.suite
    }

    /// Our own system title.
    pub const fn own_title(&self) -> SystemTitle {
        self.own_title
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

    /// Sets the lowest counter that is accepted from `peer`, as it was stored before a restart.
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
    ) -> Result<(), SecurityError> {
        self.unicast.windows.accept(peer, counter)
    }

    /// The global key, to make or verify a handshake proof.
    pub(crate) const fn protector<'k>(&'k self, provider: &'k P) -> Protector<'k, P> {
        Protector { provider, key: &self.unicast.key, authentication_key: &self.authentication_key }
    }

    /// Opens a received APDU in place.
    ///
    /// A plain APDU passes only if `required` is empty. Nothing but the replay window changes, and that only after the
    /// tag has matched.
    ///
    /// # Errors
    /// The envelope is malformed, carries the wrong title, less protection than required, an unknown key, a replayed
    /// counter or a wrong tag, or hides another service than it names. `apdu` is then of no more use.
    pub fn open(
        &mut self,
        provider: &P,
        dedicated: Option<&mut DedicatedKey<P>>,
        peer: SystemTitle,
        required: Protection,
        apdu: &mut [u8],
    ) -> Result<Opened, ProtectionError> {
        let Some(parsed) = Parsed::from_octets(apdu)? else {
            if !required.is_empty() {
                return Err(ProtectionError::Required);
            }
            return Ok(Opened::plain(0..apdu.len()));
        };
        if peer == self.own_title || parsed.title.is_some_and(|title| title != peer) {
            return Err(ProtectionError::WrongTitle);
        }
        let content = &mut apdu[parsed.content.clone()];
        let header = SecurityHeader::parse(content)?;
        Requirement { suite: self.suite, protection: required, key_set: KeySet::Unicast }
            .check(header.control)?;
        let mut dedicated = dedicated;
        let (key, floor_before, check) = match (parsed.envelope.key, dedicated.as_deref_mut()) {
            (KeyClass::Global, _) => {
                let check = self.unicast.windows.check(peer, header.counter);
                (&self.unicast.key, self.lowest_acceptable(peer), check)
            }
            (KeyClass::Dedicated, Some(dedicated)) => {
                let window = dedicated.window;
                (&dedicated.key, window.lowest_acceptable(), window.check(header.counter))
            }
            (KeyClass::Dedicated, None) => return Err(ProtectionError::NoKey),
        };
        check.map_err(|error| match error {
            SecurityError::Replay { lowest_acceptable, .. } => ProtectionError::Replay(lowest_acceptable),
            error => error.into(),
        })?;
        if header.control.protection() == Protection::ENCRYPTED {
            // Without a tag anybody can forge the counter: such an APDU is taken only where this side asked for
            // encryption alone, and may not push the window far.
            if required != Protection::ENCRYPTED {
                return Err(ProtectionError::Required);
            }
            if header.counter.value() - floor_before.value() > UNAUTHENTICATED_JUMP {
                return Err(ProtectionError::Replay(floor_before.value()));
            }
        }
        let protector = Protector { provider, key, authentication_key: &self.authentication_key };
        let plain = protector.unprotect(peer, &[], content)?;
        let plain_length = plain.len();
        let inner_tag = plain.first().copied();
        // The outer tag is not covered by the authentication tag: who changes it must not use up the counter.
        if parsed.inner_tag.is_some_and(|announced| inner_tag != Some(announced)) {
            return Err(ProtectionError::WrongService);
        }
        match (parsed.envelope.key, dedicated) {
            (KeyClass::Global, _) => self.unicast.windows.accept(peer, header.counter)?,
            (KeyClass::Dedicated, Some(dedicated)) => dedicated.window.accept(header.counter),
            (KeyClass::Dedicated, None) => return Err(ProtectionError::NoKey),
        }
        let start = parsed.content.start + SecurityHeader::LENGTH;
        Ok(Opened {
            apdu: start..start + plain_length,
            envelope: Some(parsed.envelope),
            protection: header.control.protection(),
            counter: Some(header.counter),
            floor_before,
        })
    }

    /// Seals the plain APDU at `apdu` of `buffer` in place and returns where the protected one is. The octets
    /// [`HEADROOM`] before and [`TAILROOM`] behind it are used.
    ///
    /// # Errors
    /// There is no such room, no key, or no counter could be reserved.
    #[allow(clippy::too_many_arguments, reason = "what a protected APDU depends on")]
    pub fn seal(
        &mut self,
        provider: &P,
        mut store: &mut dyn CounterStore,
        dedicated: Option<&mut DedicatedKey<P>>,
        envelope: Envelope,
        protection: Protection,
        buffer: &mut [u8],
        apdu: Range<usize>,
    ) -> Result<Range<usize>, ProtectionError> {
        let plain_tag = *buffer.get(apdu.start).ok_or(ProtectionError::BufferFull)?;
        let service_tag = ServiceCiphering::tag_of(plain_tag, envelope.key == KeyClass::Dedicated)
            .filter(|_| !envelope.general);
        let content_start =
            apdu.start.checked_sub(SecurityHeader::LENGTH).ok_or(ProtectionError::BufferFull)?;
        let (key, counter) = match (envelope.key, dedicated) {
            (KeyClass::Global, _) => {
                let counter = self.unicast.send.next(&mut store)?;
                (&self.unicast.key, counter)
            }
            (KeyClass::Dedicated, Some(dedicated)) => {
                let counter = dedicated.send.next(&mut NoStore)?;
                (&dedicated.key, counter)
            }
            (KeyClass::Dedicated, None) => return Err(ProtectionError::NoKey),
        };
        let content = buffer.get_mut(content_start..).ok_or(ProtectionError::BufferFull)?;
        let length = Protector { provider, key, authentication_key: &self.authentication_key }.protect(
            SecurityControl::new(self.suite, protection),
            self.own_title,
            counter,
            &[],
            content,
            apdu.len(),
        )?;
        let mut head = [0; HEADROOM];
        let mut encoder = Encoder::new(&mut head);
        match service_tag {
            Some(tag) => encoder.u8(tag)?,
            None => {
                encoder.u8(match envelope.key {
                    KeyClass::Global => GENERAL_GLO_CIPHERING,
                    KeyClass::Dedicated => GENERAL_DED_CIPHERING,
                })?;
                encoder.octet_string(self.own_title.octets())?;
            }
        }
        encoder.length(length)?;
        let head = encoder.written();
        let start = content_start.checked_sub(head.len()).ok_or(ProtectionError::BufferFull)?;
        buffer[start..content_start].copy_from_slice(head);
        Ok(start..content_start + length)
    }
}

/// Whether an APDU travels in an envelope.
#[cfg(feature = "server")]
pub(crate) fn is_protected(apdu: &[u8]) -> bool {
    apdu.first().is_some_and(|&tag| {
        matches!(tag, GENERAL_GLO_CIPHERING | GENERAL_DED_CIPHERING)
            || ServiceCiphering::service_of(tag).is_some()
    })
}

/// The envelope of a received APDU.
struct Parsed {
    envelope: Envelope,
    /// The title that it carries, if it carries one.
    title: Option<SystemTitle>,
    /// The tag that the plain APDU must have; `None` if the envelope leaves it open.
    inner_tag: Option<u8>,
    content: Range<usize>,
}

impl Parsed {
    /// `None` if the APDU is a plain one.
    fn from_octets(apdu: &[u8]) -> Result<Option<Self>, ProtectionError> {
        let mut reader = Reader::new(apdu);
        let tag = reader.u8()?;
        let (envelope, title, inner_tag) = match tag {
            GENERAL_GLO_CIPHERING => {
                (Envelope { general: true, key: KeyClass::Global }, carried_title(&mut reader)?, None)
            }
            GENERAL_DED_CIPHERING => {
                (Envelope { general: true, key: KeyClass::Dedicated }, carried_title(&mut reader)?, None)
            }
            _ => match ServiceCiphering::service_of(tag) {
                Some((plain, true)) => (Envelope::DEDICATED, None, Some(plain)),
                Some((plain, false)) => (Envelope::GLOBAL, None, Some(plain)),
                None => return Ok(None),
            },
        };
        let content = reader.octet_string()?;
        reader.finish()?;
        let end = reader.offset();
        Ok(Some(Self { envelope, title, inner_tag, content: end - content.len()..end }))
    }
}

/// The title in a general envelope. An empty one stands for the title that the association knows.
fn carried_title(reader: &mut Reader<'_>) -> Result<Option<SystemTitle>, DecodeError> {
    let at = reader.clone();
    match reader.octet_string()? {
        [] => Ok(None),
        octets => SystemTitle::try_from(octets)
            .map(Some)
            .map_err(|_| at.error(DecodeErrorKind::InvalidValue("system-title"))),
    }
}
