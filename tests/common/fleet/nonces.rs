//! Cryptography that remembers every nonce.

use std::cell::RefCell;
use std::collections::BTreeMap;

use dlms_security::{
    AdditionalData, CryptoProvider, KeyFingerprint, PrivateKey, PublicKeyProvider, SecretKey, SecurityError,
    SecuritySuite, SystemTitle,
};

use super::Keys;
use crate::common::delegation::delegate;
use crate::common::{PROVIDER, Provider};
use crate::secure_element::{Ready, SecureElement};

/// A key, and title and counter; of a proof what it proves.
type Sealed = BTreeMap<(Vec<u8>, [u8; 12]), Option<Vec<u8>>>;

thread_local! {
    /// Everything that was sealed.
    static SEALED: RefCell<Sealed> = const { RefCell::new(BTreeMap::new()) };
}

/// Cryptography of one end, which refuses to use a nonce twice.
#[derive(Clone)]
pub enum Recorder {
    Software,
    Element(SecureElement),
}

/// A key that is ready to use.
pub enum Either<K> {
    Software(K),
    Element(Ready<K>),
}

impl Recorder {
    pub(super) fn new(keys: Keys, name: u8) -> Self {
        match keys {
            Keys::Octets => Self::Software,
            Keys::Handles => Self::Element(SecureElement::new(name)),
        }
    }

    /// A key as this end has it.
    pub fn put(&self, suite: SecuritySuite, key: &SecretKey) -> SecretKey {
        match self {
            Self::Software => key.clone(),
            Self::Element(element) => element.put(suite, key.expose()),
        }
    }

    pub(super) fn put_private(&self, key: PrivateKey) -> PrivateKey {
        match self {
            Self::Software => key,
            Self::Element(element) => element.put_private(key),
        }
    }

    /// The octets of a key.
    pub fn reveal(&self, key: &SecretKey) -> Vec<u8> {
        match self {
            Self::Software => key.expose().to_vec(),
            Self::Element(element) => element.reveal(key),
        }
    }

    /// How many slots of an element are in use.
    pub fn slots(&self) -> usize {
        match self {
            Self::Software => 0,
            Self::Element(element) => element.in_use(),
        }
    }

    pub(super) fn public(&self) -> &dyn PublicKeyProvider {
        match self {
            Self::Software => &*PROVIDER,
            Self::Element(element) => element,
        }
    }
}

impl CryptoProvider for Recorder {
    type AeadKey = (Vec<u8>, Either<<Provider as CryptoProvider>::AeadKey>);
    type WrapKey = Either<<Provider as CryptoProvider>::WrapKey>;

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::AeadKey, SecurityError> {
        let ready = match self {
            Self::Software => Either::Software(PROVIDER.aead_key(suite, key)?),
            Self::Element(element) => Either::Element(element.aead_key(suite, key)?),
        };
        Ok((self.reveal(key), ready))
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
        match (self, &key.1) {
            (Self::Element(element), Either::Element(key)) => element.seal(key, nonce, aad, text),
            (Self::Software, Either::Software(key)) => PROVIDER.seal(key, nonce, aad, text),
            _ => panic!("a key of somebody else"),
        }
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        match (self, &key.1) {
            (Self::Element(element), Either::Element(key)) => element.open(key, nonce, aad, text, tag),
            (Self::Software, Either::Software(key)) => PROVIDER.open(key, nonce, aad, text, tag),
            _ => panic!("a key of somebody else"),
        }
    }

    fn apply_keystream(&self, _: &Self::AeadKey, _: &[u8; 12], _: &mut [u8]) -> Result<(), SecurityError> {
        panic!("encryption alone is not used here")
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::WrapKey, SecurityError> {
        match self {
            Self::Software => PROVIDER.wrap_key(suite, key).map(Either::Software),
            Self::Element(element) => element.wrap_key(suite, key).map(Either::Element),
        }
    }

    fn wrap<'o>(
        &self,
        kek: &Self::WrapKey,
        key: &SecretKey,
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        match (self, kek) {
            (Self::Element(element), Either::Element(kek)) => element.wrap(kek, key, wrapped),
            (Self::Software, Either::Software(kek)) => PROVIDER.wrap(kek, key, wrapped),
            _ => panic!("a key of somebody else"),
        }
    }

    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &Self::WrapKey,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError> {
        match (self, kek) {
            (Self::Element(element), Either::Element(kek)) => element.unwrap(suite, kek, wrapped),
            (Self::Software, Either::Software(kek)) => PROVIDER.unwrap(suite, kek, wrapped),
            _ => panic!("a key of somebody else"),
        }
    }

    fn generate_key(&self, suite: SecuritySuite) -> Result<SecretKey, SecurityError> {
        match self {
            Self::Software => PROVIDER.generate_key(suite),
            Self::Element(element) => element.generate_key(suite),
        }
    }

    fn fingerprint(&self, own_title: SystemTitle, key: &SecretKey) -> Result<KeyFingerprint, SecurityError> {
        match self {
            Self::Software => PROVIDER.fingerprint(own_title, key),
            Self::Element(element) => element.fingerprint(own_title, key),
        }
    }

    fn discard(&self, key: &SecretKey) {
        if let Self::Element(element) = self {
            CryptoProvider::discard(element, key);
        }
    }

    delegate!(|self| PROVIDER => sha256, random);
}

/// How many nonces were used under the key.
pub fn sealed_under(key: &SecretKey) -> usize {
    SEALED.with_borrow(|sealed| sealed.keys().filter(|(used, _)| used == key.expose()).count())
}

/// Another world has other keys.
pub(super) fn forget_nonces() {
    SEALED.with_borrow_mut(BTreeMap::clear);
}
