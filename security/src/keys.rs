//! Key transport: AES key wrap (RFC 3394) under the key encrypting key, with the suite's sizes.
//!
//! | suite | KEK | key | wrapped |
//! | --- | --- | --- | --- |
//! | 0, 1 | 16 | 16 | 24 |
//! | 2 | 32 | 32 | 40 |

use crate::{CryptoProvider, SecretKey, SecurityError, SecuritySuite};

/// The most octets of a wrapped key.
pub const MAX_WRAPPED_KEY: usize = 40;

/// Wraps a key; returns the 24 or 40 octets at the front of `wrapped`.
///
/// # Errors
/// [`SecurityError::KeyLength`] if the key is not the suite's.
pub fn wrap_key<'o, P: CryptoProvider>(
    provider: &P,
    suite: SecuritySuite,
    kek: &P::WrapKey,
    key: &SecretKey,
    wrapped: &'o mut [u8; MAX_WRAPPED_KEY],
) -> Result<&'o [u8], SecurityError> {
    if let Ok(octets) = key.octets()
        && octets.len() != suite.key_len()
    {
        return Err(SecurityError::KeyLength { expected: suite.key_len(), found: octets.len() });
    }
    provider.wrap(kek, key, wrapped)
}

/// Unwraps a key and checks that it is one of the suite.
///
/// # Errors
/// [`SecurityError::KeyUnwrap`], whatever was wrong with it.
pub fn unwrap_key<P: CryptoProvider>(
    provider: &P,
    suite: SecuritySuite,
    kek: &P::WrapKey,
    wrapped: &[u8],
) -> Result<SecretKey, SecurityError> {
    if wrapped.len() != suite.wrapped_key_len() {
        return Err(SecurityError::KeyUnwrap);
    }
    provider.unwrap(suite, kek, wrapped).map_err(|_| SecurityError::KeyUnwrap)
}

#[cfg(all(test, feature = "rustcrypto"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{NoRandom, RustCrypto};

    #[test]
    fn keys_round_trip_and_every_changed_bit_is_noticed() {
        let provider = RustCrypto::new(NoRandom);
        for suite in SecuritySuite::ALL {
            let kek = SecretKey::new(suite, &[7; 32][..suite.key_len()]).unwrap();
            let kek = provider.wrap_key(suite, &kek).unwrap();
            let key = SecretKey::new(suite, &[9; 32][..suite.key_len()]).unwrap();
            let mut buffer = [0; MAX_WRAPPED_KEY];
            let wrapped = wrap_key(&provider, suite, &kek, &key, &mut buffer).unwrap();
            assert_eq!(wrapped.len(), suite.wrapped_key_len());
            let unwrapped = unwrap_key(&provider, suite, &kek, wrapped).unwrap();
            assert_eq!(unwrapped.expose(), key.expose());
            for bit in 0..wrapped.len() * 8 {
                let mut changed = [0; MAX_WRAPPED_KEY];
                let changed = &mut changed[..wrapped.len()];
                changed.copy_from_slice(wrapped);
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(unwrap_key(&provider, suite, &kek, changed).err(), Some(SecurityError::KeyUnwrap));
            }
            for len in 0..wrapped.len() {
                assert!(unwrap_key(&provider, suite, &kek, &wrapped[..len]).is_err());
            }
        }
    }
}
