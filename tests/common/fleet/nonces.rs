//! Cryptography that remembers every nonce.

use std::cell::RefCell;
use std::collections::BTreeMap;

use dlms_security::{AdditionalData, CryptoProvider, SecretKey, SecurityError, SecuritySuite};

use crate::common::delegation::delegate;
use crate::common::{PROVIDER, Provider};

/// A key, and title and counter; of a proof what it proves.
type Sealed = BTreeMap<(Vec<u8>, [u8; 12]), Option<Vec<u8>>>;

thread_local! {
    /// Everything that was sealed.
    static SEALED: RefCell<Sealed> = const { RefCell::new(BTreeMap::new()) };
}

/// Cryptography that refuses to use a nonce twice.
pub struct Recorder;

impl CryptoProvider for Recorder {
    type AeadKey = (Vec<u8>, <Provider as CryptoProvider>::AeadKey);
    type WrapKey = <Provider as CryptoProvider>::WrapKey;

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::AeadKey, SecurityError> {
        Ok((key.expose().to_vec(), PROVIDER.aead_key(suite, key)?))
    }

    fn seal(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        // Who verifies a proof makes the same tag over the same challenge.
        let proof = text.is_empty().then(|| aad.rest.concat());
        let earlier = SEALED.with_borrow_mut(|sealed| sealed.insert((key.0.clone(), *nonce), proof.clone()));
        assert!(
            earlier.is_none_or(|earlier| earlier.is_some() && earlier == proof),
            "nonce {nonce:02X?} comes twice"
        );
        PROVIDER.seal(&key.1, nonce, aad, text)
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        PROVIDER.open(&key.1, nonce, aad, text, tag)
    }

    fn apply_keystream(&self, _: &Self::AeadKey, _: &[u8; 12], _: &mut [u8]) -> Result<(), SecurityError> {
        panic!("encryption alone is not used here")
    }

    delegate!(|self| PROVIDER => wrap_key, wrap, unwrap, sha256, random);
}

/// How many nonces were used under the key.
pub fn sealed_under(key: &SecretKey) -> usize {
    SEALED.with_borrow(|sealed| sealed.keys().filter(|(used, _)| used == key.expose()).count())
}

/// Another world has other keys.
pub(super) fn forget_nonces() {
    SEALED.with_borrow_mut(BTreeMap::clear);
}
