//! Key pairs for the tests.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::OnceLock;

use dlms::KeyPairs;
use dlms_security::{Curve, KeyUsage, KnownPeer, PrivateKey, PublicKeyProvider, SecuritySuite, SystemTitle};

/// A private key that differs for each owner and usage.
pub fn private_key(curve: Curve, owner: SystemTitle, usage: KeyUsage) -> PrivateKey {
    let mut scalar = vec![0x11 * (usage as u8 + 1); curve.coordinate_len()];
    scalar[..8].copy_from_slice(owner.octets());
    PrivateKey::new(curve, &scalar).unwrap()
}

/// The signature and key agreement pairs of an owner.
pub fn key_pairs(suite: SecuritySuite, owner: SystemTitle) -> KeyPairs {
    let Some(curve) = suite.curve() else { return KeyPairs::new() };
    [KeyUsage::DigitalSignature, KeyUsage::KeyAgreement]
        .into_iter()
        .fold(KeyPairs::new(), |pairs, usage| pairs.with(usage, private_key(curve, owner, usage)))
}

/// Everybody's public keys, of one curve.
pub fn peers_on(curve: Curve) -> [KnownPeer; 2] {
    static P256: OnceLock<[KnownPeer; 2]> = OnceLock::new();
    static P384: OnceLock<[KnownPeer; 2]> = OnceLock::new();
    let known = if curve == Curve::P256 { &P256 } else { &P384 };
    *known.get_or_init(|| compute_peers(curve))
}

fn compute_peers(curve: Curve) -> [KnownPeer; 2] {
    [super::SERVER_TITLE, super::CLIENT_TITLE].map(|title| {
        let key = |usage| Some(super::PROVIDER.public_key(&private_key(curve, title, usage)).unwrap());
        KnownPeer { title, keys: [key(KeyUsage::DigitalSignature), key(KeyUsage::KeyAgreement), None] }
    })
}
