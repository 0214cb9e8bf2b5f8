//! Sealing an APDU.

use core::ops::Range;

use dlms_axdr::Encoder;
use dlms_security::{
    CounterStore, CryptoProvider, NoStore, Protection, Protector, SecurityControl, SecurityHeader,
};

use super::HEADROOM;
use super::context::{DedicatedKey, SecurityContext};
use super::envelope::{Envelope, KeyClass};
use super::error::ProtectionError;
use crate::xdlms::{GENERAL_DED_CIPHERING, GENERAL_GLO_CIPHERING, ServiceCiphering};

impl<P: CryptoProvider> SecurityContext<P> {
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
