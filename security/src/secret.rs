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

/// A secret of up to `N` octets, 255 at most: a password, an HLS secret, a key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize = 64> {
    octets: [u8; N],
    len: u8,
}

impl<const N: usize> Secret<N> {
    /// Copies `octets` into a secret. The caller's copy stays the caller's to erase.
    ///
    /// # Errors
    /// [`SecurityError::SecretTooLong`] if there are more than `N`.
    pub fn new(octets: &[u8]) -> Result<Self, SecurityError> {
        let too_long = SecurityError::SecretTooLong { capacity: N, found: octets.len() };
        Self::with_octets(octets.len(), too_long, |room| {
            room.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
            Ok(())
        })
    }

    fn with_octets(
        len: usize,
        too_long: SecurityError,
        write: impl FnOnce(&mut [u8]) -> Result<(), SecurityError>,
    ) -> Result<Self, SecurityError> {
        const { assert!(N <= u8::MAX as usize, "the length is one octet") };
        let mut secret = Self { octets: [0; N], len: len as u8 };
        write(secret.octets.get_mut(..len).ok_or(too_long)?)?;
        Ok(secret)
    }

    /// No secret at all; only the empty octet string [matches](Self::matches) it.
    pub const fn empty() -> Self {
        Self { octets: [0; N], len: 0 }
    }

    /// The octets themselves. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8] {
        // `len` never exceeds `N`, so the fallback is never taken; it spares a panic path.
        self.octets.get(..self.len()).unwrap_or(&self.octets)
    }

    /// How many octets the secret has.
    pub fn len(&self) -> usize {
        usize::from(self.len)
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
        (self.octets.ct_eq(&padded) & u64::from(self.len).ct_eq(&(received.len() as u64))).into()
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a provider knows a key by: its octets, or a handle to where the octets are.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Material {
    octets: Secret<32>,
    is_handle: bool,
}

impl Material {
    fn handle(handle: &[u8]) -> Result<Self, SecurityError> {
        Ok(Self { octets: Secret::new(handle)?, is_handle: true })
    }

    fn octets(&self) -> Result<&[u8], SecurityError> {
        if self.is_handle { Err(SecurityError::KeyHandle) } else { Ok(self.octets.expose()) }
    }

    fn as_handle(&self) -> Option<&[u8]> {
        self.is_handle.then(|| self.octets.expose())
    }
}

/// A symmetric key as its provider knows it: GUEK, GBEK, GAK, KEK, a dedicated or an ephemeral key.
///
/// In software these are its octets. A secure element that keeps its keys gives handles instead, a slot number or a name,
/// and everything but the element passes them on as they are.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(Material);

impl SecretKey {
    /// A key of the suite's size.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] for any other size; keys are neither cut nor padded.
    pub fn new(suite: SecuritySuite, octets: &[u8]) -> Result<Self, SecurityError> {
        let expected = suite.key_len();
        if octets.len() != expected {
            return Err(SecurityError::KeyLength { expected, found: octets.len() });
        }
        Self::written(suite, |room| {
            room.copy_from_slice(octets);
            Ok(())
        })
    }

    /// A key whose octets `write` puts into its place, so that no copy of them stays behind elsewhere.
    ///
    /// # Errors
    /// What `write` answers.
    pub fn written(
        suite: SecuritySuite,
        write: impl FnOnce(&mut [u8]) -> Result<(), SecurityError>,
    ) -> Result<Self, SecurityError> {
        let octets = Secret::with_octets(suite.key_len(), SecurityError::Provider, write)?;
        Ok(Self(Material { octets, is_handle: false }))
    }

    /// A key that its provider keeps and knows by this handle.
    ///
    /// # Errors
    /// [`SecurityError::SecretTooLong`] above 32 octets.
    pub fn handle(handle: &[u8]) -> Result<Self, SecurityError> {
        Material::handle(handle).map(Self)
    }

    /// A fresh key in octets from the provider's random source: a dedicated key, which travels as octets whatever the
    /// provider is. For others there is [`CryptoProvider::generate_key`].
    ///
    /// # Errors
    /// What the random source answers.
    pub fn generate<P: CryptoProvider + ?Sized>(
        provider: &P,
        suite: SecuritySuite,
    ) -> Result<Self, SecurityError> {
        Self::written(suite, |room| provider.random(room))
    }

    /// The octets of the key, 16 or 32, for a provider in software. Whoever calls this answers for where they go.
    ///
    /// # Errors
    /// [`SecurityError::KeyHandle`] if there is only a handle.
    pub fn octets(&self) -> Result<&[u8], SecurityError> {
        self.0.octets()
    }

    /// The handle, for the provider that gave it; `None` if there are octets.
    pub fn as_handle(&self) -> Option<&[u8]> {
        self.0.as_handle()
    }

    /// What is stored of the key, octets or handle. A storage that serves providers of both kinds keeps
    /// [`Self::as_handle`] apart.
    pub fn expose(&self) -> &[u8] {
        self.0.octets.expose()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The authentication key (GAK): part of what the tag covers, not a second cipher key.
///
/// It stays the global one whatever the encryption key is. A meter may do without: then it is empty. As a [`SecretKey`], it
/// is what its provider knows it by.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AuthenticationKey(Material);

impl AuthenticationKey {
    /// A key of 16 or 32 octets; 0 octets mean that the authentication key is not in use.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] for any other size.
    pub fn new(octets: &[u8]) -> Result<Self, SecurityError> {
        match octets.len() {
            0 | 16 | 32 => Ok(Self(Material { octets: Secret::new(octets)?, is_handle: false })),
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

    /// A key that was transferred or agreed on.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] if it is none of the suite.
    pub fn from_key(suite: SecuritySuite, key: &SecretKey) -> Result<Self, SecurityError> {
        match key.octets() {
            Ok(octets) => Self::for_suite(suite, octets),
            Err(_) => Ok(Self(key.0.clone())),
        }
    }

    /// A key that its provider keeps and knows by this handle.
    ///
    /// # Errors
    /// [`SecurityError::SecretTooLong`] above 32 octets.
    pub fn handle(handle: &[u8]) -> Result<Self, SecurityError> {
        Material::handle(handle).map(Self)
    }

    /// The authentication key is not in use.
    pub const fn unused() -> Self {
        Self(Material { octets: Secret::empty(), is_handle: false })
    }

    /// The octets of the key, 0, 16 or 32, for a provider in software.
    ///
    /// # Errors
    /// [`SecurityError::KeyHandle`] if there is only a handle.
    pub fn octets(&self) -> Result<&[u8], SecurityError> {
        self.0.octets()
    }

    /// The handle, for the provider that gave it; `None` if there are octets.
    pub fn as_handle(&self) -> Option<&[u8]> {
        self.0.as_handle()
    }

    /// What is stored of the key, octets or handle.
    pub fn expose(&self) -> &[u8] {
        self.0.octets.expose()
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

    /// A handle that has the size of a key must never be taken for one.
    #[test]
    fn handles_are_no_octets() {
        let suite = SecuritySuite::Suite0;
        let handle = SecretKey::handle(&[7; 16]).unwrap();
        assert_eq!(handle.octets(), Err(SecurityError::KeyHandle));
        assert_eq!(handle.as_handle(), Some(&[7; 16][..]));
        let authentication_key = AuthenticationKey::from_key(suite, &handle).unwrap();
        assert_eq!(authentication_key.octets(), Err(SecurityError::KeyHandle));
        assert_eq!(authentication_key.as_handle(), Some(&[7; 16][..]));
        assert!(AuthenticationKey::handle(&[7; 33]).is_err());
        let octets = SecretKey::new(suite, &[7; 16]).unwrap();
        assert_eq!((octets.octets(), octets.as_handle()), (Ok(&[7; 16][..]), None));
    }
}
