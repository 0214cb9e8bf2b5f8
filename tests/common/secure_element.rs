//! A secure element: it owns its keys, in a table of its own, and gives out handles and nothing else.
//!
//! It is as strict as one on a board, or stricter: it has few slots, a handle of another element, a key that is shown to it
//! in octets where it should have a handle, and a slot that is freed twice, end the test.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use dlms_security::{
    AdditionalData, AuthenticationKey, CryptoProvider, Curve, KeyFingerprint, PrivateKey, PublicKey,
    PublicKeyProvider, SecretKey, SecurityError, SecuritySuite, Signature, SystemTitle,
};

use crate::common::delegation::delegate;
use crate::common::{Provider, provider};

/// How many keys the element has room for.
const SLOTS: usize = 20;

#[derive(Clone)]
pub struct SecureElement(Rc<Inner>);

struct Inner {
    /// Tells the handles of two elements apart.
    name: u8,
    software: Provider,
    slots: RefCell<BTreeMap<u8, Slot>>,
    next: Cell<u8>,
    imported: Cell<usize>,
}

struct Slot {
    content: Content,
    /// Whether somebody outside has a handle to it.
    has_handle: bool,
    /// How many keys were made ready from it.
    ready: usize,
}

#[derive(Clone)]
enum Content {
    Symmetric(SecretKey),
    Private(PrivateKey),
}

/// A key that is ready to use: it holds its slot.
pub struct Ready<K> {
    element: SecureElement,
    slot: u8,
    key: K,
}

impl<K> Drop for Ready<K> {
    fn drop(&mut self) {
        self.element.change(self.slot, |slot| slot.ready -= 1);
    }
}

impl SecureElement {
    pub fn new(name: u8) -> Self {
        Self(Rc::new(Inner {
            name,
            software: provider(),
            slots: RefCell::default(),
            next: Cell::new(0),
            imported: Cell::new(0),
        }))
    }

    /// A key that is put in at the factory.
    pub fn put(&self, suite: SecuritySuite, octets: &[u8]) -> SecretKey {
        let key = SecretKey::new(suite, octets).unwrap();
        self.keep(Content::Symmetric(key)).map(|slot| SecretKey::handle(&self.handle(slot))).unwrap().unwrap()
    }

    /// A private key that is put in at the factory.
    pub fn put_private(&self, key: PrivateKey) -> PrivateKey {
        let curve = key.curve();
        PrivateKey::new(curve, &self.handle(self.keep(Content::Private(key)).unwrap())).unwrap()
    }

    /// The octets of a key: for the test alone.
    pub fn reveal(&self, key: &SecretKey) -> Vec<u8> {
        self.inside(key.as_handle()).1.expose().to_vec()
    }

    /// How many slots are in use.
    pub fn in_use(&self) -> usize {
        self.0.slots.borrow().len()
    }

    /// How many keys came in octets.
    pub fn imported(&self) -> usize {
        self.0.imported.get()
    }

    /// Nobody has this handle any more.
    pub fn free(&self, handle: &[u8]) {
        self.change(self.slot(handle), |slot| {
            assert!(slot.has_handle, "a handle is given back twice");
            slot.has_handle = false;
        });
    }

    fn change(&self, number: u8, change: impl FnOnce(&mut Slot)) {
        let mut slots = self.0.slots.borrow_mut();
        let slot = slots.get_mut(&number).expect("the slot is in use");
        change(slot);
        if !slot.has_handle && slot.ready == 0 {
            slots.remove(&number);
        }
    }

    fn handle(&self, slot: u8) -> [u8; 3] {
        [b'#', self.0.name, slot]
    }

    fn slot(&self, handle: &[u8]) -> u8 {
        match *handle {
            [b'#', name, slot] if name == self.0.name => slot,
            _ => panic!("{handle:02X?} is no handle of element {}", self.0.name),
        }
    }

    fn keep(&self, content: Content) -> Result<u8, SecurityError> {
        let mut slots = self.0.slots.borrow_mut();
        if slots.len() == SLOTS {
            return Err(SecurityError::Provider);
        }
        while slots.contains_key(&self.0.next.get()) {
            self.0.next.set(self.0.next.get().wrapping_add(1));
        }
        // No number is used again soon: a handle that is out of date would go unnoticed.
        let number = self.0.next.replace(self.0.next.get().wrapping_add(1));
        slots.insert(number, Slot { content, has_handle: true, ready: 0 });
        Ok(number)
    }

    fn keep_key(&self, key: SecretKey) -> Result<SecretKey, SecurityError> {
        SecretKey::handle(&self.handle(self.keep(Content::Symmetric(key))?))
    }

    /// The octets, which stay in the element.
    fn inside(&self, handle: Option<&[u8]>) -> (u8, SecretKey) {
        let slot = self.slot(handle.expect("the octets of a key came to the element"));
        match &self.0.slots.borrow().get(&slot).expect("the slot is in use").content {
            Content::Symmetric(key) => (slot, key.clone()),
            Content::Private(_) => panic!("a private key where a symmetric one is needed"),
        }
    }

    fn private(&self, key: &PrivateKey) -> PrivateKey {
        match &self.0.slots.borrow().get(&self.slot(key.expose())).expect("the slot is in use").content {
            Content::Private(key) => key.clone(),
            Content::Symmetric(_) => panic!("a symmetric key where a private one is needed"),
        }
    }

    fn ready<K>(&self, slot: u8, key: K) -> Ready<K> {
        self.change(slot, |slot| slot.ready += 1);
        Ready { element: self.clone(), slot, key }
    }

    /// The authentication key, which comes to the element by its handle too.
    fn authentication_key(&self, key: &AuthenticationKey) -> AuthenticationKey {
        let (_, inside) = self.inside(key.as_handle());
        AuthenticationKey::new(inside.octets().unwrap()).unwrap()
    }
}

impl CryptoProvider for SecureElement {
    type AeadKey = Ready<<Provider as CryptoProvider>::AeadKey>;
    type WrapKey = Ready<<Provider as CryptoProvider>::WrapKey>;

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::AeadKey, SecurityError> {
        if key.as_handle().is_some() {
            let (slot, inside) = self.inside(key.as_handle());
            return Ok(self.ready(slot, self.0.software.aead_key(suite, &inside)?));
        }
        // A dedicated key stands in the InitiateRequest: its octets are outside in any case.
        self.0.imported.set(self.0.imported.get() + 1);
        let ready = self.0.software.aead_key(suite, key)?;
        let slot = self.keep(Content::Symmetric(key.clone()))?;
        let ready = self.ready(slot, ready);
        self.change(slot, |slot| slot.has_handle = false);
        Ok(ready)
    }

    fn seal(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        let authentication_key = &self.authentication_key(aad.authentication_key);
        self.0.software.seal(&key.key, nonce, &AdditionalData { authentication_key, ..*aad }, text)
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        let authentication_key = &self.authentication_key(aad.authentication_key);
        self.0.software.open(&key.key, nonce, &AdditionalData { authentication_key, ..*aad }, text, tag)
    }

    fn apply_keystream(
        &self,
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        text: &mut [u8],
    ) -> Result<(), SecurityError> {
        self.0.software.apply_keystream(&key.key, nonce, text)
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Self::WrapKey, SecurityError> {
        let (slot, inside) = self.inside(key.as_handle());
        Ok(self.ready(slot, self.0.software.wrap_key(suite, &inside)?))
    }

    fn wrap<'o>(
        &self,
        kek: &Self::WrapKey,
        key: &SecretKey,
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        self.0.software.wrap(&kek.key, &self.inside(key.as_handle()).1, wrapped)
    }

    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &Self::WrapKey,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError> {
        self.keep_key(self.0.software.unwrap(suite, &kek.key, wrapped)?)
    }

    fn generate_key(&self, suite: SecuritySuite) -> Result<SecretKey, SecurityError> {
        self.keep_key(SecretKey::generate(&self.0.software, suite)?)
    }

    fn fingerprint(&self, own_title: SystemTitle, key: &SecretKey) -> Result<KeyFingerprint, SecurityError> {
        self.0.software.fingerprint(own_title, &self.inside(key.as_handle()).1)
    }

    fn discard(&self, key: &SecretKey) {
        self.free(key.as_handle().expect("a handle"));
    }

    delegate!(|self| self.0.software => sha256, random);
}

impl PublicKeyProvider for SecureElement {
    fn generate(&self, curve: Curve) -> Result<PrivateKey, SecurityError> {
        let slot = self.keep(Content::Private(self.0.software.generate(curve)?))?;
        PrivateKey::new(curve, &self.handle(slot))
    }

    fn discard(&self, key: &PrivateKey) {
        self.free(key.expose());
    }

    fn public_key(&self, key: &PrivateKey) -> Result<PublicKey, SecurityError> {
        self.0.software.public_key(&self.private(key))
    }

    fn sign(&self, key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
        self.0.software.sign(&self.private(key), message)
    }

    fn verify(&self, key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
        self.0.software.verify(key, message, signature)
    }

    fn agree(
        &self,
        key: &PrivateKey,
        peer: &PublicKey,
        other_info: &[&[u8]],
    ) -> Result<SecretKey, SecurityError> {
        self.keep_key(self.0.software.agree(&self.private(key), peer, other_info)?)
    }
}
