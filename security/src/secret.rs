//! Containers for secrets: zeroized when dropped, compared in constant time, never printed.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{CryptoProvider, SecurityError, SecuritySuite};

/// Whether two octet strings are equal, in a time that depends on their lengths only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Whether two tags are equal, in constant time.
#[cfg(any(feature = "rustcrypto", feature = "aws-lc-rs"))]
pub(crate) fn tags_equal(a: &[u8; 12], b: &[u8; 12]) -> bool {
    let words = |tag: &[u8; 12]| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *tag;
        (u64::from_ne_bytes([a, b, c, d, e, f, g, h]), u32::from_ne_bytes([i, j, k, l]))
    };
    let (a, b) = (words(a), words(b));
    (a.0.ct_eq(&b.0) & a.1.ct_eq(&b.1)).into()
}

/// A secret of up to `N` octets: a password, an HLS secret, a key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize = 64> {
    octets: [u8; N],
    len: usize,
}

impl<const N: usize> Secret<N> {
    /// Copies `octets` into a secret. The caller's copy stays the caller's to erase.
    ///
    /// # Errors
    /// [`SecurityError::SecretTooLong`] if there are more than `N`.
    pub fn new(octets: &[u8]) -> Result<Self, SecurityError> {
        let mut secret = Self { octets: [0; N], len: octets.len() };
        secret
            .octets
            .get_mut(..octets.len())
            .ok_or(SecurityError::SecretTooLong { capacity: N, found: octets.len() })?
            .copy_from_slice(octets);
        Ok(secret)
    }

    /// No secret at all; only the empty octet string [matches](Self::matches) it.
    pub const fn empty() -> Self {
        Self { octets: [0; N], len: 0 }
    }

    /// The octets themselves. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8] {
        // `len` never exceeds `N`, so the fallback is never taken; it spares a panic path.
        self.octets.get(..self.len).unwrap_or(&self.octets)
    }

    /// How many octets the secret has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to keep secret.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `received` is this secret: the comparison of low level security (LLS).
    ///
    /// The time depends on what was received and on `N`, not on the secret, its length included.
    pub fn matches(&self, received: &[u8]) -> bool {
        let mut padded = [0; N];
        let Some(start) = padded.get_mut(..received.len()) else {
            return false;
        };
        start.copy_from_slice(received);
        (self.octets.ct_eq(&padded) & (self.len as u64).ct_eq(&(received.len() as u64))).into()
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A symmetric key: GUEK, GBEK, KEK, a dedicated or an ephemeral key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(Secret<32>);

impl SecretKey {
    /// A key of the suite's size.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] for any other size; keys are neither cut nor padded.
    pub fn new(suite: SecuritySuite, octets: &[u8]) -> Result<Self, SecurityError> {
        if octets.len() != suite.key_len() {
            return Err(SecurityError::KeyLength { expected: suite.key_len(), found: octets.len() });
        }
        Secret::new(octets).map(Self)
    }

    /// A fresh key from the provider's random source: a dedicated key for one association, say.
    ///
    /// # Errors
    /// What the random source answers.
    pub fn generate<P: CryptoProvider>(provider: &P, suite: SecuritySuite) -> Result<Self, SecurityError> {
        let mut secret = Secret { octets: [0; 32], len: suite.key_len() };
        let octets = secret.octets.get_mut(..suite.key_len()).ok_or(SecurityError::Provider)?;
        provider.random(octets)?;
        Ok(Self(secret))
    }

    /// The octets themselves: 16 or 32.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The authentication key (GAK): part of what the tag covers, not a second cipher key.
///
/// It stays the global one whatever the encryption key is. A meter may do without: then it is empty.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AuthenticationKey(Secret<32>);

impl AuthenticationKey {
    /// A key of 16 or 32 octets; 0 octets mean that the authentication key is not in use.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] for any other size.
    pub fn new(octets: &[u8]) -> Result<Self, SecurityError> {
        match octets.len() {
            0 | 16 | 32 => Secret::new(octets).map(Self),
            found => Err(SecurityError::KeyLength { expected: 16, found }),
        }
    }

    /// A key of the suite's size, or none.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] for any other size.
    pub fn for_suite(suite: SecuritySuite, octets: &[u8]) -> Result<Self, SecurityError> {
        if !octets.is_empty() && octets.len() != suite.key_len() {
            return Err(SecurityError::KeyLength { expected: suite.key_len(), found: octets.len() });
        }
        Self::new(octets)
    }

    /// The authentication key is not in use.
    pub fn unused() -> Self {
        Self(Secret { octets: [0; 32], len: 0 })
    }

    /// The octets themselves: 0, 16 or 32.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl fmt::Debug for AuthenticationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthenticationKey(..)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn passwords_match_exactly() {
        let password = Secret::<64>::new(b"12345678").unwrap();
        assert!(password.matches(b"12345678"));
        for wrong in [&b""[..], b"1234567", b"123456789", b"12345678\0", b"12345679", &[0; 65]] {
            assert!(!password.matches(wrong));
        }
        assert!(Secret::<64>::new(b"").unwrap().matches(b""));
        assert!(!Secret::<64>::new(b"").unwrap().matches(b"\0"));
    }

    #[test]
    fn nothing_prints() {
        let shown = std::format!(
            "{:?} {:?} {:?}",
            Secret::<8>::new(&[0xAB; 8]).unwrap(),
            AuthenticationKey::new(&[0xAB; 16]).unwrap(),
            SecretKey::new(SecuritySuite::Suite2, &[0xAB; 32]).unwrap()
        );
        assert_eq!(shown, "Secret(..) AuthenticationKey(..) SecretKey(..)");
    }

    #[test]
    fn keys_are_neither_cut_nor_padded() {
        for len in 0..40 {
            let octets = [1; 40];
            let octets = &octets[..len];
            assert_eq!(AuthenticationKey::new(octets).is_ok(), [0, 16, 32].contains(&len));
            for suite in SecuritySuite::ALL {
                assert_eq!(SecretKey::new(suite, octets).is_ok(), len == suite.key_len());
                assert_eq!(
                    AuthenticationKey::for_suite(suite, octets).is_ok(),
                    len == 0 || len == suite.key_len()
                );
            }
        }
    }
}
