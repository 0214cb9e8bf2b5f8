//! Arbitrary protected contents and proofs: never a panic, and without the key nothing with a tag opens.
#![no_main]

use dlms_security::{
    AuthenticationKey, CryptoProvider, InvocationCounter, KeySet, NoRandom, Protection, Protector,
    ReplayWindow, Requirement, RustCrypto, SecretKey, SecurityHeader, SecuritySuite, SystemTitle, hls, keys,
};
use libfuzzer_sys::fuzz_target;

const TITLE: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");

fuzz_target!(|input: (u8, u8, &[u8], &[u8])| {
    let (suite, required, header, content) = input;
    let suite = SecuritySuite::ALL[usize::from(suite) % 3];
    let provider = RustCrypto::new(NoRandom);
    let secret = [0x5A; 32];
    let Ok(secret) = SecretKey::new(suite, &secret[..suite.key_len()]) else { return };
    let Ok(key) = provider.aead_key(suite, &secret) else { return };
    let authentication_key = AuthenticationKey::unused();
    let protector = Protector { provider: &provider, key: &key, authentication_key: &authentication_key };

    let requirement =
        Requirement { suite, protection: Protection::from_bits_truncate(required), key_set: KeySet::Unicast };
    if let Ok(received) = SecurityHeader::parse(content) {
        let _ = requirement.check(received.control);
        let window = ReplayWindow::new(InvocationCounter::new(u32::from(required)));
        let _ = window.check(received.counter);
    }
    let mut opened = content.to_vec();
    match protector.unprotect(TITLE, header, &mut opened) {
        Ok(_) => {
            let control = SecurityHeader::parse(content).map(|header| header.control.protection());
            assert_eq!(control, Ok(Protection::ENCRYPTED));
        }
        Err(_) => assert_eq!(opened, content),
    }

    let window = ReplayWindow::default();
    assert!(hls::verify_gmac(&protector, suite, TITLE, header, &window, content).is_err());
    if let Ok(kek) = provider.wrap_key(suite, &secret) {
        assert!(keys::unwrap_key(&provider, suite, &kek, content).is_err());
    }
});
