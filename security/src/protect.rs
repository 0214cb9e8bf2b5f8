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
    AdditionalData, AuthenticationKey, CryptoProvider, InvocationCounter, Protection, SecurityControl,
    SecurityError, SecurityHeader, SystemTitle,
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
        if protection == Protection::ENCRYPTED {
            self.provider.apply_keystream(self.key, &nonce, text)?;
        } else {
            let computed = if protection == Protection::AUTHENTICATED {
                self.provider.seal(self.key, &nonce, &self.covered(&sc, [header, text]), &mut [])?
            } else {
                self.provider.seal(self.key, &nonce, &self.covered(&sc, [header, &[]]), text)?
            };
            *tag.first_chunk_mut().ok_or(SecurityError::Provider)? = computed;
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
        if protection == Protection::AUTHENTICATED {
            self.provider.open(self.key, &nonce, &self.covered(&sc, [header, text]), &mut [], tag)?;
        } else {
            self.provider.open(self.key, &nonce, &self.covered(&sc, [header, &[]]), text, tag)?;
        }
        Ok(text)
    }

    /// What a tag covers besides the text.
    pub(crate) const fn covered<'d>(&'d self, control: &'d [u8], rest: [&'d [u8]; 2]) -> AdditionalData<'d> {
        AdditionalData { control, authentication_key: self.authentication_key, rest }
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

#[cfg(all(test, feature = "rustcrypto"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{NoRandom, RustCrypto, SecretKey, SecuritySuite};

    const EK: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    const AK: [u8; 16] =
        [0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF];
    const TITLE: SystemTitle = SystemTitle::from_octets([0x4D, 0x4D, 0x4D, 0, 0, 0xBC, 0x61, 0x4E]);
    const COUNTER: InvocationCounter = InvocationCounter::new(0x0123_4567);
    /// get-request for attribute 2 of the clock.
    const INFORMATION: [u8; 13] = [0xC0, 1, 0, 0, 8, 0, 0, 1, 0, 0, 0xFF, 2, 0];

    fn protector<T>(with: impl FnOnce(Protector<'_, RustCrypto<NoRandom>>) -> T) -> T {
        let provider = RustCrypto::new(NoRandom);
        with(Protector {
            provider: &provider,
            key: &provider
                .aead_key(SecuritySuite::Suite0, &SecretKey::new(SecuritySuite::Suite0, &EK).unwrap())
                .unwrap(),
            authentication_key: &AuthenticationKey::new(&AK).unwrap(),
        })
    }

    fn worked_example(protection: Protection, expected: &[u8]) {
        protector(|protector| {
            let mut buffer = [0xEE; 13 + 17 + 1];
            buffer[5..18].copy_from_slice(&INFORMATION);
            let control = SecurityControl::new(SecuritySuite::Suite0, protection);
            let length = protector.protect(control, TITLE, COUNTER, &[], &mut buffer, 13).unwrap();
            assert_eq!(&buffer[..length], expected);
            assert!(buffer[length..].iter().all(|octet| *octet == 0xEE));
            let information = protector.unprotect(TITLE, &[], &mut buffer[..length]).unwrap();
            assert_eq!(information, INFORMATION);
        });
    }

    #[test]
    fn authentication_only() {
        worked_example(
            Protection::AUTHENTICATED,
            &[
                0x10, 0x01, 0x23, 0x45, 0x67, 0xC0, 0x01, 0x00, 0x00, 0x08, 0x00, 0x00, 0x01, 0x00, 0x00,
                0xFF, 0x02, 0x00, 0x06, 0x72, 0x5D, 0x91, 0x0F, 0x92, 0x21, 0xD2, 0x63, 0x87, 0x75, 0x16,
            ],
        );
    }

    #[test]
    fn encryption_only() {
        worked_example(
            Protection::ENCRYPTED,
            &[
                0x20, 0x01, 0x23, 0x45, 0x67, 0x41, 0x13, 0x12, 0xFF, 0x93, 0x5A, 0x47, 0x56, 0x68, 0x27,
                0xC4, 0x67, 0xBC,
            ],
        );
    }

    #[test]
    fn authenticated_encryption() {
        worked_example(
            Protection::AUTHENTICATED_ENCRYPTED,
            &[
                0x30, 0x01, 0x23, 0x45, 0x67, 0x41, 0x13, 0x12, 0xFF, 0x93, 0x5A, 0x47, 0x56, 0x68, 0x27,
                0xC4, 0x67, 0xBC, 0x7D, 0x82, 0x5C, 0x3B, 0xE4, 0xA7, 0x7C, 0x3F, 0xCC, 0x05, 0x6B, 0x6B,
            ],
        );
    }

    #[test]
    fn what_cannot_be_protected_is_left_alone() {
        protector(|protector| {
            let control = SecurityControl::new(SecuritySuite::Suite0, Protection::AUTHENTICATED_ENCRYPTED);
            let mut buffer = [0; 29];
            let mut protect = |control, counter, information| {
                protector.protect(control, TITLE, counter, &[], &mut buffer, information)
            };
            assert_eq!(
                protect(control, COUNTER, 13),
                Err(SecurityError::BufferTooSmall { needed: 30, available: 29 })
            );
            assert!(protect(control, COUNTER, usize::MAX).is_err());
            assert_eq!(
                protect(control, InvocationCounter::EXHAUSTED, 1),
                Err(SecurityError::CounterExhausted)
            );
            for (octet, error) in [
                (0x00, SecurityError::NoProtection),
                (0x40, SecurityError::NoProtection),
                (0xB0, SecurityError::CompressionNotSupported),
                (0x3F, SecurityError::ReservedSuite(15)),
            ] {
                assert_eq!(protect(SecurityControl::from_octet(octet), COUNTER, 1), Err(error));
            }
            assert_eq!(buffer, [0; 29]);
        });
    }

    #[test]
    fn a_refused_content_is_still_ciphered() {
        protector(|protector| {
            let mut buffer = [0; 30];
            buffer[5..18].copy_from_slice(&INFORMATION);
            let control = SecurityControl::new(SecuritySuite::Suite0, Protection::AUTHENTICATED_ENCRYPTED);
            protector.protect(control, TITLE, COUNTER, &[], &mut buffer, 13).unwrap();
            buffer[29] ^= 1;
            let before = buffer;
            assert_eq!(protector.unprotect(TITLE, &[], &mut buffer), Err(SecurityError::TagMismatch));
            assert_eq!(buffer, before);
        });
    }
}
