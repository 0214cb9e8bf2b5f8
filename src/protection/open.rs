//! Opening a received APDU.

use core::ops::Range;

use dlms_security::{
    CryptoProvider, InvocationCounter, KeySet, Protection, Protector, Requirement, SecurityError,
    SecurityHeader, SystemTitle,
};

use super::context::{DedicatedKey, SecurityContext};
use super::envelope::{Envelope, KeyClass, Parsed};
use super::error::ProtectionError;

/// How far an APDU without an authentication tag may move a replay window.
const UNAUTHENTICATED_JUMP: u32 = 256;

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
}
