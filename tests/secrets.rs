//! Nothing that holds a secret prints it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fmt::Debug;

use dlms::KeyPairs;
use dlms::acse::{Aarq, AcseRequirements, AuthenticationValue};
use dlms::client::{ClientConfig, DedicatedKeyChoice};
use dlms::server::AssociationConfig;
use dlms_axdr::Reader;
use dlms_security::hls::{Challenge, Proof};
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CryptoProvider, Curve, KeyId, KeyUsage, NewKey, PrivateKey,
    RustCrypto, Secret, SecretKey, SecurityError, SecuritySuite, SetupChange, SuiteZero, SystemTitle,
};

/// What no output may contain, and all of it as one octet over and over.
const OCTET: u8 = 0xB7;

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    out.fill(OCTET);
    Ok(())
}

/// Holds for decimal digits, hexadecimal digits and characters.
fn shows_nothing(what: &str, value: &dyn Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        let text = text.to_lowercase();
        for octet in ["183", "b7", "\u{b7}", "10110111"] {
            assert!(!text.contains(octet), "{what}: {text}");
        }
    }
}

#[test]
fn debug_shows_no_secret() {
    let provider = RustCrypto::new(random as fn(&mut [u8]) -> Result<(), SecurityError>);
    let secret = || Secret::new(&[OCTET; 16]).unwrap();
    shows_nothing("secret", &secret());
    for suite in [SecuritySuite::Suite0, SecuritySuite::Suite1, SecuritySuite::Suite2] {
        let octets = vec![OCTET; suite.key_len()];
        let key = SecretKey::new(suite, &octets).unwrap();
        shows_nothing("key", &key);
        shows_nothing("authentication key", &AuthenticationKey::for_suite(suite, &octets).unwrap());
        shows_nothing("key schedule", &provider.aead_key(suite, &key).unwrap());
        shows_nothing("wrapping key schedule", &provider.wrap_key(suite, &key).unwrap());
        let client = ClientConfig {
            secret: secret(),
            dedicated_key: DedicatedKeyChoice::Stated(key.clone()),
            ..ClientConfig::hls_gmac()
        };
        shows_nothing("client", &client);
        shows_nothing("client", &client.dedicated_key);
        let fingerprint = provider.fingerprint(SystemTitle::from_octets([1; 8]), &key).unwrap();
        shows_nothing("fingerprint", &fingerprint);
        let new = [NewKey { id: KeyId::Authentication, key: &key, counters: None }];
        shows_nothing("new key", &new);
        shows_nothing("change", &SetupChange { keys: &new, ..SetupChange::default() });
    }
    let zero = SuiteZero::new(random as fn(&mut [u8]) -> Result<(), SecurityError>);
    let key = SecretKey::new(SecuritySuite::Suite0, &[OCTET; 16]).unwrap();
    shows_nothing("key schedule", &zero.aead_key(SecuritySuite::Suite0, &key).unwrap());
    shows_nothing("wrapping key schedule", &zero.wrap_key(SecuritySuite::Suite0, &key).unwrap());
    shows_nothing("handle", &SecretKey::handle(&[OCTET; 8]).unwrap());
    shows_nothing("handle", &AuthenticationKey::handle(&[OCTET; 8]).unwrap());
    shows_nothing("private key", &PrivateKey::new(Curve::P256, &[OCTET; 32]).unwrap());
    let pairs =
        KeyPairs::new().with(KeyUsage::DigitalSignature, PrivateKey::new(Curve::P384, &[OCTET; 48]).unwrap());
    shows_nothing("key pairs", &pairs);
    shows_nothing("challenge", &Challenge::random(&provider).unwrap());
    shows_nothing("proof", &Proof::new(&[OCTET; 16]).unwrap());
    shows_nothing("server", &AssociationConfig { secret: secret(), ..AssociationConfig::public(1) });

    // What is decoded from the wire may be a password or a key, too.
    let password = [OCTET; 8];
    let aarq = Aarq {
        sender_acse_requirements: Some(AcseRequirements::AUTHENTICATION),
        mechanism: Some(AuthenticationMechanism::Lls.into()),
        authentication_value: Some(AuthenticationValue::Charstring(&password)),
        ..Aarq::default()
    };
    shows_nothing("password", &aarq);
    let mut initiate = vec![0x01, 0x01, 0x10];
    initiate.extend([OCTET; 16]);
    initiate.extend([0x00, 0x00, 0x06, 0x5F, 0x1F, 0x04, 0x00, 0x00, 0x10, 0x10, 0x04, 0x00]);
    let decoded = dlms::xdlms::InitiateRequest::decode(&mut Reader::new(&initiate)).unwrap();
    assert!(decoded.dedicated_key.is_some());
    shows_nothing("dedicated key", &decoded);
}
