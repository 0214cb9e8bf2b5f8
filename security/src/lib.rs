//! DLMS/COSEM security suites 0, 1 and 2 (IEC 62056-5-3, clause 5).
//!
//! This crate knows octets and keys, not APDUs. From the wire inwards:
//!
//! * [`SecurityHeader`] and [`SecurityControl`] say how a content claims to be protected, [`Requirement`] says whether
//!   that is enough for this side's configuration;
//! * [`ReplayWindow`] and [`PeerWindows`] say whether its invocation counter is new, [`SendCounter`] gives out our own,
//!   each once, across restarts;
//! * [`Protector`] opens and protects, in place, with whatever [`CryptoProvider`] there is: [`RustCrypto`] or
//!   `AwsLc` in software, or a secure element;
//! * [`hls`] proves who the parties are, [`keys`] moves keys under a key encrypting key, [`RequiredProtection`] adds up
//!   policy and access rights.
//!
//! The asymmetric half of suites 1 and 2 is behind [`PublicKeyProvider`]: signatures, [`agreement`] of keys, and
//! [`certificate`]s.
//!
//! A receiver does it in this order: [`SecurityHeader::parse`], [`Requirement::check`], [`ReplayWindow::check`],
//! [`Protector::unprotect`], [`ReplayWindow::accept`], and only then looks at the information.
//!
//! ```
//! # #[cfg(feature = "rustcrypto")] {
//! use dlms_security::*;
//!
//! let provider = RustCrypto::new(NoRandom);
//! let key = provider.aead_key(SecuritySuite::Suite0, &SecretKey::new(SecuritySuite::Suite0, &[1; 16])?)?;
//! let authentication_key = AuthenticationKey::new(&[2; 16])?;
//! let protector = Protector { provider: &provider, key: &key, authentication_key: &authentication_key };
//! let title = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");
//!
//! let mut buffer = [0; 64];
//! buffer[5..10].copy_from_slice(b"hello");
//! let control = SecurityControl::new(SecuritySuite::Suite0, Protection::AUTHENTICATED_ENCRYPTED);
//! let counter = InvocationCounter::new(0);
//! let length = protector.protect(control, title, counter, &[], &mut buffer, 5)?;
//! assert_eq!(length, 5 + 5 + 12);
//!
//! let mut window = ReplayWindow::default();
//! let requirement = Requirement {
//!     suite: SecuritySuite::Suite0,
//!     protection: Protection::AUTHENTICATED,
//!     key_set: KeySet::Unicast,
//! };
//! let content = &mut buffer[..length];
//! let header = SecurityHeader::parse(content)?;
//! requirement.check(header.control)?;
//! window.check(header.counter)?;
//! let information = protector.unprotect(title, &[], content)?;
//! window.accept(header.counter);
//! assert_eq!(information, b"hello");
//! # }
//! # Ok::<(), dlms_security::SecurityError>(())
//! ```
//!
//! # A secure element
//!
//! A secure element, or a hardware security module, implements [`CryptoProvider`] and [`PublicKeyProvider`] and keeps every
//! symmetric and every private key. What it gives for them are handles (a slot number, a name; 32 octets for a symmetric
//! key, 64 for a private one), which everything else passes on as they are:
//!
//! | where | the handle |
//! | --- | --- |
//! | put in when the device is made: GUEK, GBEK, GAK, KEK | [`SecretKey::handle`], [`AuthenticationKey::handle`] |
//! | key pairs of the device | [`PrivateKey::new`] with the handle as material, from [`PublicKeyProvider::generate`] |
//! | keys that are transferred or agreed on | from [`CryptoProvider::unwrap`], [`PublicKeyProvider::agree`]; [`KeyStore::install`] stores it |
//! | keys for one message, ephemeral pairs | from [`CryptoProvider::generate_key`], [`CryptoProvider::unwrap`], [`PublicKeyProvider::generate`], [`PublicKeyProvider::agree`]; gone with [`CryptoProvider::discard`], [`PublicKeyProvider::discard`] |
//!
//! * [`CryptoProvider::aead_key`] makes a handle ready; [`CryptoProvider::AeadKey`] is whatever the element needs to find the
//!   key again, and may free a slot when it is dropped.
//! * The authentication key is part of what a tag covers: [`CryptoProvider::seal`] and [`CryptoProvider::open`] get its handle
//!   in [`AdditionalData`].
//! * [`CryptoProvider::fingerprint`] must be the element's own, since counters go by it: a value that comes back must be
//!   known again.
//! * [`CryptoProvider::generate_key`] must be the element's own where it does not wrap octets that it is shown.
//! * A dedicated key reaches the element in octets ([`SecretKey::octets`]): it travels in the InitiateRequest, whose
//!   plaintext is there in any case. Passwords and HLS secrets are no keys, and stay with their owner.
//!
//! A provider in software is never given a handle by mistake: it asks for [`SecretKey::octets`], which a handle does not
//! have. Signatures may be an element's and the ciphers software's: then [`PublicKeyProvider::agree`] gives octets.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::unreachable))]

pub mod agreement;
mod asymmetric;
#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(feature = "ecc")]
mod backend;
pub mod certificate;
mod control;
mod counter;
#[cfg(feature = "ecc")]
mod ecc;
mod error;
#[cfg(feature = "embedded-storage")]
mod flash_counters;
pub mod hls;
#[cfg(feature = "rustcrypto")]
mod hls_aes_ecb;
mod hls_ecdsa;
mod key_store;
pub mod keys;
mod mechanism;
mod peers;
mod policy;
mod protect;
mod provider;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;
mod secret;
mod suite;
#[cfg(feature = "rustcrypto")]
mod suite_zero;

pub use asymmetric::{
    Curve, KeyUsage, KnownPeer, PeerKeys, PrivateKey, PublicKey, PublicKeyProvider, Signature,
};
#[cfg(feature = "aws-lc-rs")]
pub use aws_lc::{AwsLc, AwsLcAeadKey, AwsLcWrapKey};
#[cfg(feature = "ecc")]
pub use backend::{Backend, BackendAeadKey, BackendWrapKey, CryptoLibrary};
pub use certificate::{Certificate, CertificateError, CertificateFault};
pub use control::{KeySet, Protection, Requirement, SecurityControl, SecurityHeader};
pub use counter::{
    CounterId, CounterStore, FloorStorage, Forgetful, InvocationCounter, NoStore, ReplayWindow, SendCounter,
};
#[cfg(feature = "ecc")]
pub use ecc::derive_key;
pub use error::{SecurityError, StorageError};
#[cfg(feature = "embedded-storage")]
pub use flash_counters::FlashCounters;
#[cfg(feature = "rustcrypto")]
pub use hls_aes_ecb::AesEcb;
pub use key_store::{KeyFingerprint, KeyId, KeyPairChange, KeyPairSlot, KeyStore, NewKey, SetupChange};
pub use mechanism::AuthenticationMechanism;
pub use peers::{Peer, PeerWindows, Peers};
pub use policy::{RequiredProtection, required_protection};
pub use protect::Protector;
pub use provider::{AdditionalData, CryptoProvider, Functions, NoRandom, Random};
#[cfg(feature = "rustcrypto")]
pub use rustcrypto::{AeadKey, RustCrypto, WrapKey};
pub use secret::{AuthenticationKey, Secret, SecretKey, constant_time_eq};
pub use suite::{SecuritySuite, SystemTitle};
#[cfg(feature = "rustcrypto")]
pub use suite_zero::{Aead128Key, SuiteZero, Wrap128Key};
