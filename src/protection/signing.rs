//! general-signing `DF`: an APDU, plain or ciphered, with a digital signature of its originator.
//!
//! ```text
//! DF | header | content | signature
//! ```
//!
//! The signature covers the header in exactly the octets in which it came, and then those of the content; neither the
//! tag `DF` nor, as far as is known, the length of the content.

use core::ops::Range;

use dlms_axdr::{Encoder, Reader};
use dlms_security::{CryptoProvider, InvocationCounter, KeyUsage, Protection, SecurityError, Signature};

use super::envelope::{Accepted, length_octets};
use super::error::ProtectionError;
use super::general::header;
use super::keys::{Demand, Form, Keys, Layer};
use super::transaction::TransactionId;
use crate::xdlms::GENERAL_SIGNING;

impl<P: CryptoProvider> Keys<'_, P> {
    /// Verifies general-signing.
    pub(super) fn open_signing(
        &self,
        demand: &Demand,
        outer: &mut Option<TransactionId>,
        apdu: &[u8],
    ) -> Result<Layer, ProtectionError> {
        if !demand.accepted.contains(Accepted::SIGNING) {
            return Err(ProtectionError::NotAllowed);
        }
        let mut reader = Reader::new(apdu);
        reader.u8()?;
        let (header, _) = header(demand, self.context.own_title, outer, &mut reader)?;
        let content = reader.octet_string()?;
        let inner = reader.offset().saturating_sub(content.len())..reader.offset();
        let signature = reader.octet_string()?;
        reader.finish()?;

        let (asymmetric, curve) = self.asymmetric()?;
        let signature =
            Signature::new(curve, signature).map_err(|_| ProtectionError::InvalidHeader("signature"))?;
        let key = asymmetric.peer(demand.peer, KeyUsage::DigitalSignature, curve)?;
        let verified = asymmetric.provider.verify(&key, &[header.received, content], &signature);
        if verified == Err(SecurityError::SignatureMismatch)
            && demand.accepted.contains(Accepted::SIGNED_CONTENT_LENGTH)
        {
            let with_length = apdu.get(1..inner.end).unwrap_or(&[]);
            asymmetric.provider.verify(&key, &[with_length], &signature)?;
        } else {
            verified?;
        }
        Ok(Layer {
            inner,
            protection: Protection::SIGNED,
            envelope: None,
            counter: None,
            floor_before: InvocationCounter::new(0),
        })
    }

    /// Signs the APDU at `apdu` of `buffer`.
    pub(super) fn sign(
        &self,
        form: &Form<'_>,
        buffer: &mut [u8],
        apdu: Range<usize>,
    ) -> Result<Range<usize>, ProtectionError> {
        let (asymmetric, curve) = self.asymmetric()?;
        let key = asymmetric.own.key(KeyUsage::DigitalSignature, curve)?;
        let own_title = self.context.own_title;
        let header = form.header(&own_title);
        let head_length = header.length().saturating_add(length_octets(apdu.len())).saturating_add(1);
        let start = apdu.start.checked_sub(head_length).ok_or(ProtectionError::BufferFull)?;
        let head = buffer.get_mut(start..apdu.start).ok_or(ProtectionError::BufferFull)?;
        let mut encoder = Encoder::new(head);
        encoder.u8(GENERAL_SIGNING)?;
        header.encode(&mut encoder)?;
        encoder.length(apdu.len())?;
        let covered = start.saturating_add(1);
        let covered = buffer.get(covered..covered.saturating_add(header.length()));
        let covered = covered.ok_or(ProtectionError::BufferFull)?;
        let content = buffer.get(apdu.clone()).ok_or(ProtectionError::BufferFull)?;
        let signature = asymmetric.provider.sign(key, &[covered, content])?;
        let mut encoder = Encoder::new(buffer.get_mut(apdu.end..).ok_or(ProtectionError::BufferFull)?);
        encoder.octet_string(signature.octets())?;
        let end = apdu.end.saturating_add(encoder.len());
        Ok(start..end)
    }
}
