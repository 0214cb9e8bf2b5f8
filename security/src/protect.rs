//! Protection of a content: symmetric ciphering of IEC 62056-5-3, in place.
//!
//! | protection | plaintext of GCM | additional data | after the header |
//! | --- | --- | --- | --- |
//! | A only | – | `SC AK header information` | information, tag |
//! | E only | information | – | ciphertext |
//! | A and E | information | `SC AK header` | ciphertext, tag |
//!
//! The nonce is the originator's system title followed by the invocation counter. `header` is empty for the
//! service-specific carriers, general-glo-ciphering and general-ded-ciphering; for general-ciphering it is the octets
//! of the APDU, as received, from after its tag up to key-info.

use crate::{
    AuthenticationKey, CryptoProvider, InvocationCounter, Protection, SecurityControl, SecurityError,
    SecurityHeader, SystemTitle,
};

/// Everything that the protection of a content depends on besides its header.
pub struct Protector<'k, P: CryptoProvider> {
    /// Who computes.
    pub provider: &'k P,
    /// The encryption key (EK) in use.
    pub key: &'k P::AeadKey,
    /// The authentication key (AK) in use.
    pub authentication_key: &'k AuthenticationKey,
}

impl<P: CryptoProvider> Protector<'_, P> {
    /// Protects the information at `buffer[5..5 + information]` in place and returns the length of the content, which
    /// then starts at `buffer[0]`.
    ///
    /// The header is written before the information and the tag, if the control octet asks for one, after it. `title`
    /// is the sender's; `counter` must never have been used before with this key and title.
    ///
    /// # Errors
    /// [`SecurityError::BufferTooSmall`], [`SecurityError::NoProtection`], [`SecurityError::CompressionNotSupported`],
    /// [`SecurityError::ReservedSuite`], [`SecurityError::CounterExhausted`]. The buffer is then as it was.
    pub fn protect(
        &self,
        control: SecurityControl,
        title: SystemTitle,
        counter: InvocationCounter,
        header: &[u8],
        buffer: &mut [u8],
        information: usize,
    ) -> Result<usize, SecurityError> {
        check_control(control)?;
        if counter.is_exhausted() {
            return Err(SecurityError::CounterExhausted);
        }
        let protection = control.protection();
        let needed = information.saturating_add(protection.overhead());
        let available = buffer.len();
        let content = buffer.get_mut(..needed).ok_or(SecurityError::BufferTooSmall { needed, available })?;
        let (start, rest) = split_header(content)?;
        let (text, tag) = rest.split_at_mut_checked(information).ok_or(SecurityError::Provider)?;
        let nonce = nonce(title, counter);
        let sc = [control.octet()];
        let ak = self.authentication_key.expose();
        if protection == Protection::ENCRYPTED {
            self.provider.apply_keystream(self.key, &nonce, text)?;
        } else {
            let computed = if protection == Protection::AUTHENTICATED {
                self.provider.seal(self.key, &nonce, &[&sc, ak, header, text], &mut [])?
            } else {
                self.provider.seal(self.key, &nonce, &[&sc, ak, header], text)?
            };
            tag.copy_from_slice(&computed);
        }
        *start = SecurityHeader { control, counter }.octets();
        Ok(needed)
    }

    /// Verifies and opens a whole content in place; returns the information inside it.
    ///
    /// `title` is the originator's. The caller has compared the control octet with its
    /// [`Requirement`](crate::Requirement) and the counter with its [`ReplayWindow`](crate::ReplayWindow) before, and
    /// moves the window after: this function looks at neither.
    ///
    /// # Errors
    /// [`SecurityError::TagMismatch`] if any octet of it was changed; the content is then as it was, still ciphered.
    /// [`SecurityError::Truncated`], [`SecurityError::NoProtection`], [`SecurityError::CompressionNotSupported`],
    /// [`SecurityError::ReservedSuite`] before any computation.
    pub fn unprotect<'b>(
        &self,
        title: SystemTitle,
        header: &[u8],
        content: &'b mut [u8],
    ) -> Result<&'b mut [u8], SecurityError> {
        let SecurityHeader { control, counter } = SecurityHeader::parse(content)?;
        check_control(control)?;
        let protection = control.protection();
        let (_, rest) = split_header(content)?;
        let nonce = nonce(title, counter);
        if protection == Protection::ENCRYPTED {
            self.provider.apply_keystream(self.key, &nonce, rest)?;
            return Ok(rest);
        }
        let (text, tag) =
            rest.split_last_chunk_mut::<{ SecurityHeader::TAG_LENGTH }>().ok_or(SecurityError::Provider)?;
        let sc = [control.octet()];
        let ak = self.authentication_key.expose();
        if protection == Protection::AUTHENTICATED {
            self.provider.open(self.key, &nonce, &[&sc, ak, header, text], &mut [], tag)?;
        } else {
            self.provider.open(self.key, &nonce, &[&sc, ak, header], text, tag)?;
        }
        Ok(text)
    }
}

/// The nonce (initialization vector): system title, then invocation counter.
pub(crate) fn nonce(title: SystemTitle, counter: InvocationCounter) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(title.octets());
    nonce[8..].copy_from_slice(&counter.value().to_be_bytes());
    nonce
}

fn check_control(control: SecurityControl) -> Result<(), SecurityError> {
    if control.suite().is_none() {
        return Err(SecurityError::ReservedSuite(control.suite_id()));
    }
    if control.compressed() {
        return Err(SecurityError::CompressionNotSupported);
    }
    if control.protection().is_empty() {
        return Err(SecurityError::NoProtection);
    }
    Ok(())
}

type Split<'b> = (&'b mut [u8; SecurityHeader::LENGTH], &'b mut [u8]);

fn split_header(content: &mut [u8]) -> Result<Split<'_>, SecurityError> {
    let available = content.len();
    content.split_first_chunk_mut().ok_or(SecurityError::Truncated {
        offset: available,
        missing: SecurityHeader::LENGTH.saturating_sub(available),
    })
}
