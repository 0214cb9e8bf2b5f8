//! Sealing in the envelopes that name no more of their key than its class.

use core::ops::Range;

use dlms_axdr::Encoder;
use dlms_security::{
    CounterStore, CryptoProvider, InvocationCounter, NoStore, Peers, Protection, Protector, SecurityControl,
    SecurityHeader,
};

use super::HEADROOM;
use super::context::{DedicatedKey, SecurityContext};
use super::envelope::{Carrier, Envelope, KeyClass};
use super::error::ProtectionError;
use super::keys::{Form, Keys};
use super::transaction::TransactionId;
use crate::xdlms::{GENERAL_DED_CIPHERING, GENERAL_GLO_CIPHERING, ServiceCiphering};

impl<P: CryptoProvider> Keys<'_, P> {
    /// Seals in a service-specific envelope, where there is one and it is asked for, or in general-glo- or
    /// general-ded-ciphering.
    pub(super) fn seal_ciphering(
        &mut self,
        store: &mut dyn CounterStore,
        form: &Form<'_>,
        buffer: &mut [u8],
        apdu: Range<usize>,
    ) -> Result<Range<usize>, ProtectionError> {
        let class = form.envelope.key;
        let plain_tag = *buffer.get(apdu.start).ok_or(ProtectionError::BufferFull)?;
        let service_tag = ServiceCiphering::tag_of(plain_tag, class == KeyClass::Dedicated)
            .filter(|_| form.envelope.carrier == Carrier::ServiceSpecific);
        let content_start =
            apdu.start.checked_sub(SecurityHeader::LENGTH).ok_or(ProtectionError::BufferFull)?;
        let counter = self.counter(store, class)?;
        let key = self.shared_key(class)?;
        let content = buffer.get_mut(content_start..).ok_or(ProtectionError::BufferFull)?;
        let control = SecurityControl::new(self.context.suite, form.protection);
        let length =
            Protector { provider: self.provider, key, authentication_key: &self.context.authentication_key }
                .protect(
                    if class == KeyClass::Broadcast { control.with_broadcast() } else { control },
                    self.context.own_title,
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
                encoder.u8(match class {
                    KeyClass::Dedicated => GENERAL_DED_CIPHERING,
                    _ => GENERAL_GLO_CIPHERING,
                })?;
                encoder.octet_string(self.context.own_title.octets())?;
            }
        }
        encoder.length(length)?;
        let head = encoder.written();
        let start = content_start.checked_sub(head.len()).ok_or(ProtectionError::BufferFull)?;
        let room = buffer.get_mut(start..content_start).and_then(|room| room.get_mut(..head.len()));
        room.ok_or(ProtectionError::BufferFull)?.copy_from_slice(head);
        Ok(start..content_start.saturating_add(length))
    }

    /// The next counter of a key that both sides have.
    pub(super) fn counter(
        &mut self,
        mut store: &mut dyn CounterStore,
        class: KeyClass,
    ) -> Result<InvocationCounter, ProtectionError> {
        Ok(match class {
            KeyClass::Dedicated => {
                self.dedicated.as_deref_mut().ok_or(ProtectionError::NoKey)?.send.next(&mut NoStore)?
            }
            KeyClass::Broadcast => {
                let state = self.key_ring.as_deref_mut().and_then(|ring| ring.broadcast.as_mut());
                state.ok_or(ProtectionError::NoKey)?.send.next(&mut store)?
            }
            // Under a key for one message any counter is new. That of the global key keeps it so even if the same key
            // should come about twice, and the recipient can tell a replay by it.
            _ => self.context.unicast.send.next(&mut store)?,
        })
    }

    /// A key that both sides have.
    pub(super) fn shared_key(&self, class: KeyClass) -> Result<&P::AeadKey, ProtectionError> {
        match class {
            KeyClass::Global => Some(&self.context.unicast.key),
            KeyClass::Dedicated => self.dedicated.as_deref().map(|dedicated| &dedicated.key),
            KeyClass::Broadcast => {
                self.key_ring.as_deref().and_then(|ring| ring.broadcast.as_ref()).map(|state| &state.key)
            }
            _ => None,
        }
        .ok_or(ProtectionError::NoKey)
    }
}

impl<P: CryptoProvider, const N: usize> SecurityContext<P, Peers<N>> {
    /// Seals the plain APDU at `apdu` of `buffer` in place with the global or the dedicated key, as [`Keys::seal`]
    /// does.
    ///
    /// # Errors
    /// There is no such room, no key, or no counter could be reserved.
    #[allow(clippy::too_many_arguments, reason = "what a protected APDU depends on")]
    pub fn seal(
        &mut self,
        provider: &P,
        store: &mut dyn CounterStore,
        dedicated: Option<&mut DedicatedKey<P>>,
        envelope: Envelope,
        protection: Protection,
        buffer: &mut [u8],
        apdu: Range<usize>,
    ) -> Result<Range<usize>, ProtectionError> {
        // Neither envelope says who its recipient is.
        let recipient = self.own_title;
        let form = Form::new(envelope, protection, recipient, TransactionId::default());
        Keys { provider, context: self, dedicated, key_ring: None, asymmetric: None }
            .seal_ciphering(store, &form, buffer, apdu)
    }
}
