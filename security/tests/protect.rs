//! Properties of protected contents: they round trip, any change is noticed, nothing makes the receiver panic, and the
//! cipher put together from its parts is the AEAD of the same crates.
#![cfg(feature = "rustcrypto")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "common/providers.rs"]
mod providers;

use aes_gcm::aead::{AeadInOut, KeyInit, consts::U12};
use aes_gcm::{AesGcm, aes};
use dlms_security::{
    AuthenticationKey, CryptoProvider, InvocationCounter, Protection, Protector, ReplayWindow, SecretKey,
    SecurityControl, SecurityError, SecurityHeader, SecuritySuite, SystemTitle, hls, keys,
};
use proptest::prelude::*;
use providers::{PROVIDERS, Provider};

const PROTECTIONS: [Protection; 3] =
    [Protection::AUTHENTICATED, Protection::ENCRYPTED, Protection::AUTHENTICATED_ENCRYPTED];

#[derive(Clone, Debug)]
struct Case {
    provider: Provider,
    suite: SecuritySuite,
    protection: Protection,
    key: Vec<u8>,
    authentication_key: Vec<u8>,
    title: [u8; 8],
    counter: u32,
    header: Vec<u8>,
    information: Vec<u8>,
}

fn octets(range: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), range)
}

fn case(information: std::ops::Range<usize>) -> impl Strategy<Value = Case> {
    (prop::sample::select(SecuritySuite::ALL.to_vec()), any::<bool>()).prop_flat_map(
        move |(suite, with_ak)| {
            let ak = if with_ak { suite.key_len() } else { 0 };
            (
                prop::sample::select(PROVIDERS).prop_map(|(_, provider)| provider),
                prop::sample::select(PROTECTIONS.to_vec()),
                octets(suite.key_len()..suite.key_len() + 1),
                octets(ak..ak + 1),
                any::<[u8; 8]>(),
                0..u32::MAX,
                octets(0..150),
                octets(information.clone()),
            )
                .prop_map(
                    move |(
                        provider,
                        protection,
                        key,
                        authentication_key,
                        title,
                        counter,
                        header,
                        information,
                    )| Case {
                        provider,
                        suite,
                        protection,
                        key,
                        authentication_key,
                        title,
                        counter,
                        header,
                        information,
                    },
                )
        },
    )
}

impl Case {
    fn with<T>(&self, with: impl FnOnce(&Protector<'_, Provider>) -> T) -> T {
        with(&Protector {
            provider: &self.provider,
            key: &self
                .provider
                .aead_key(self.suite, &SecretKey::new(self.suite, &self.key).unwrap())
                .unwrap(),
            authentication_key: &AuthenticationKey::new(&self.authentication_key).unwrap(),
        })
    }

    fn title(&self) -> SystemTitle {
        SystemTitle::from_octets(self.title)
    }

    fn content(&self) -> Vec<u8> {
        let mut buffer = vec![0; self.information.len() + 17];
        buffer[5..5 + self.information.len()].copy_from_slice(&self.information);
        let control = SecurityControl::new(self.suite, self.protection);
        let counter = InvocationCounter::new(self.counter);
        let length = self
            .with(|p| {
                p.protect(control, self.title(), counter, &self.header, &mut buffer, self.information.len())
            })
            .unwrap();
        buffer.truncate(length);
        buffer
    }
}

/// The tag and ciphertext as the AEAD interface of the same crates makes them.
fn reference<C>(case: &Case) -> (Vec<u8>, Vec<u8>)
where
    AesGcm<C, U12>: KeyInit + AeadInOut<NonceSize = U12>,
{
    let cipher = AesGcm::<C, U12>::new_from_slice(&case.key).unwrap();
    let nonce: [u8; 12] = [&case.title[..], &case.counter.to_be_bytes()].concat().try_into().unwrap();
    let mut aad =
        [&[case.suite.id() | case.protection.bits()], &case.authentication_key[..], &case.header[..]]
            .concat();
    let mut text = case.information.clone();
    if case.protection == Protection::AUTHENTICATED {
        aad.append(&mut text);
    }
    let tag = cipher.encrypt_inout_detached(&nonce.into(), &aad, (&mut text[..]).into()).unwrap();
    if case.protection == Protection::AUTHENTICATED {
        text = case.information.clone();
    }
    (text, tag[..12].to_vec())
}

proptest! {
    #[test]
    fn contents_round_trip(case in case(0..700)) {
        let mut content = case.content();
        prop_assert_eq!(content.len(), case.information.len() + case.protection.overhead());
        let opened = case.with(|p| p.unprotect(case.title(), &case.header, &mut content).map(|i| i.to_vec()));
        prop_assert_eq!(opened.unwrap(), case.information);
    }

    #[test]
    fn the_cipher_is_that_of_the_aead_crate(case in case(0..700)) {
        let content = case.content();
        let (ciphertext, tag) = match case.suite {
            SecuritySuite::Suite2 => reference::<aes::Aes256>(&case),
            _ => reference::<aes::Aes128>(&case),
        };
        let (text, end) = content[5..].split_at(case.information.len());
        prop_assert_eq!(text, ciphertext);
        if case.protection.contains(Protection::AUTHENTICATED) {
            prop_assert_eq!(end, tag);
        }
    }

    /// With a tag no bit of the content, of the header, of the title can change; without, the header bits still count.
    #[test]
    fn every_flipped_bit_is_refused(case in case(0..40)) {
        prop_assume!(case.protection.contains(Protection::AUTHENTICATED));
        let content = case.content();
        case.with(|protector| {
            for bit in 0..content.len() * 8 {
                let mut changed = content.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let sent = changed.clone();
                let opened = protector.unprotect(case.title(), &case.header, &mut changed).map(|i| i.to_vec());
                // Without A the octets are not authenticated at all: what then opens is for `Requirement` to refuse.
                if SecurityHeader::parse(&sent).is_ok_and(|h| h.control.protection() == Protection::ENCRYPTED) {
                    assert!(bit == 4);
                    continue;
                }
                assert!(opened.is_err(), "bit {bit}");
                assert_eq!(changed, sent, "bit {bit}");
            }
            for bit in 0..case.header.len() * 8 {
                let mut header = case.header.clone();
                header[bit / 8] ^= 1 << (bit % 8);
                assert!(protector.unprotect(case.title(), &header, &mut content.clone()).is_err());
            }
            for bit in 0..64 {
                let mut title = case.title;
                title[bit / 8] ^= 1 << (bit % 8);
                let title = SystemTitle::from_octets(title);
                assert!(protector.unprotect(title, &case.header, &mut content.clone()).is_err());
            }
            for length in 0..content.len() {
                assert!(protector.unprotect(case.title(), &case.header, &mut content[..length].to_vec()).is_err());
            }
            let longer = [&content[..], &[0]].concat();
            assert!(protector.unprotect(case.title(), &case.header, &mut longer.clone()).is_err());
        });
    }

    #[test]
    fn arbitrary_contents_never_panic(case in case(0..1), mut content in octets(0..80)) {
        let sent = content.clone();
        let opened = case.with(|p| p.unprotect(case.title(), &case.header, &mut content).map(|i| i.to_vec()));
        match opened {
            // Only what carries no tag can open by chance.
            Ok(_) => prop_assert_eq!(SecurityHeader::parse(&sent).unwrap().control.protection(), Protection::ENCRYPTED),
            Err(_) => prop_assert_eq!(content, sent),
        }
    }

    #[test]
    fn arbitrary_proofs_and_wrapped_keys_never_pass(case in case(0..1), noise in octets(0..50)) {
        let provider = case.provider;
        let kek = provider.wrap_key(case.suite, &SecretKey::new(case.suite, &case.key).unwrap()).unwrap();
        prop_assert_eq!(keys::unwrap_key(&provider, case.suite, &kek, &noise).err(), Some(SecurityError::KeyUnwrap));
        let window = ReplayWindow::default();
        let verified = case.with(|p| hls::verify_gmac(p, case.suite, case.title(), &case.header, &window, &noise));
        prop_assert!(verified.is_err());
    }
}

/// Every single bit of a content of each suite and protection, once and for all.
#[test]
fn single_bits_of_a_fixed_content() {
    for (provider, suite) in PROVIDERS.iter().flat_map(|(_, p)| SecuritySuite::ALL.map(|suite| (*p, suite))) {
        for protection in PROTECTIONS {
            let case = Case {
                provider,
                suite,
                protection,
                key: vec![0x11; suite.key_len()],
                authentication_key: vec![0x22; suite.key_len()],
                title: *b"ABC\0\0\0\0\x01",
                counter: 7,
                header: Vec::new(),
                information: b"\xC0\x01\xC1\x00\x03\x01\x00\x01\x08\x00\xFF\x02\x00".to_vec(),
            };
            let content = case.content();
            let requirement =
                dlms_security::Requirement { suite, protection, key_set: dlms_security::KeySet::Unicast };
            for bit in 0..content.len() * 8 {
                let mut changed = content.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let opened = SecurityHeader::parse(&changed)
                    .and_then(|header| requirement.check(header.control))
                    .and_then(|()| {
                        case.with(|p| p.unprotect(case.title(), &[], &mut changed).map(|i| i.to_vec()))
                    });
                if protection == Protection::ENCRYPTED {
                    // No tag: the change goes through, which is why this protection is off unless asked for.
                    assert!(opened != Ok(case.information.clone()), "{suite:?} {protection:?} bit {bit}");
                } else {
                    assert!(opened.is_err(), "{suite:?} {protection:?} bit {bit}");
                }
            }
        }
    }
}
