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
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

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
