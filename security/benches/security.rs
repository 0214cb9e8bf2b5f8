//! Protecting and unprotecting a content, beside the bare cipher of the same backend with its key schedule cached.
//!
//! Prints one line for each row with the ratio of the two, measured in turns within one run (least and median of many
//! rounds), and then what criterion measures of each alone. `--ratios` prints the ratios only. With the feature
//! `aws-lc-rs` the same for AWS-LC, whose own opening function reads the whole tag of 16 octets.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::{AeadInOut, KeyInit, consts::U12};
use aes_gcm::{AesGcm, aes};
use common::ratio;
use criterion::{BatchSize, Criterion, Throughput};
use dlms_security::{
    AuthenticationKey, CryptoProvider, InvocationCounter, NoRandom, Protection, Protector, RustCrypto,
    SecretKey, SecurityControl, SecuritySuite, SystemTitle,
};

const SIZES: [(&str, usize); 3] = [("64 B", 64), ("1 KiB", 1024), ("64 KiB", 64 * 1024)];
const SUITES: [SecuritySuite; 2] = [SecuritySuite::Suite0, SecuritySuite::Suite2];
const ROUNDS: usize = 201;
#[cfg(feature = "aws-lc-rs")]
const AWS_LC: &str = "aws-lc-rs: ";
const KEY: [u8; 32] = [0x5A; 32];
const AUTHENTICATION_KEY: [u8; 32] = [0xA5; 32];
const TITLE: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");

/// What one contender does with one content: `header information tag`, in place.
trait Contender {
    fn protect(&self, counter: u32, content: &mut [u8]);
    fn unprotect(&self, content: &mut [u8]);
    /// A protected content of so many octets, as this contender opens it.
    fn content(&self, size: usize) -> Vec<u8>;
}

struct Ours<P: CryptoProvider> {
    provider: P,
    control: SecurityControl,
    key: P::AeadKey,
    authentication_key: AuthenticationKey,
}

impl<P: CryptoProvider> Ours<P> {
    fn new(provider: P, suite: SecuritySuite) -> Self {
        Self {
            key: provider.aead_key(suite, &SecretKey::new(suite, &KEY[..suite.key_len()]).unwrap()).unwrap(),
            provider,
            control: SecurityControl::new(suite, Protection::AUTHENTICATED_ENCRYPTED),
            authentication_key: AuthenticationKey::new(&AUTHENTICATION_KEY[..suite.key_len()]).unwrap(),
        }
    }

    fn protector(&self) -> Protector<'_, P> {
        Protector { provider: &self.provider, key: &self.key, authentication_key: &self.authentication_key }
    }
}

impl<P: CryptoProvider> Contender for Ours<P> {
    fn protect(&self, counter: u32, content: &mut [u8]) {
        let (counter, information) = (InvocationCounter::new(counter), content.len() - 17);
        self.protector().protect(self.control, TITLE, counter, &[], content, information).unwrap();
    }

    fn unprotect(&self, content: &mut [u8]) {
        self.protector().unprotect(TITLE, &[], content).unwrap();
    }

    fn content(&self, size: usize) -> Vec<u8> {
        let mut content = vec![0; size + 17];
        self.protect(0, &mut content);
        content
    }
}

/// The bare cipher: the nonce and the additional data are there already.
struct Floor<C> {
    cipher: AesGcm<C, U12>,
    nonce: [u8; 12],
    aad: Vec<u8>,
}

impl<C> Floor<C>
where
    AesGcm<C, U12>: KeyInit + AeadInOut<NonceSize = U12>,
{
    fn new(suite: SecuritySuite) -> Self {
        let (nonce, aad) = nonce_and_aad(suite);
        Self { cipher: AesGcm::new_from_slice(&KEY[..suite.key_len()]).unwrap(), nonce, aad }
    }
}

fn nonce_and_aad(suite: SecuritySuite) -> ([u8; 12], Vec<u8>) {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(TITLE.octets());
    let control = SecurityControl::new(suite, Protection::AUTHENTICATED_ENCRYPTED).octet();
    (nonce, [&[control], &AUTHENTICATION_KEY[..suite.key_len()]].concat())
}

impl<C> Contender for Floor<C>
where
    AesGcm<C, U12>: KeyInit + AeadInOut<NonceSize = U12, TagSize = aes_gcm::aead::consts::U16>,
{
    fn protect(&self, _counter: u32, content: &mut [u8]) {
        let (text, tag) = content[5..].split_last_chunk_mut::<12>().unwrap();
        let full = self
            .cipher
            .encrypt_inout_detached(black_box(&self.nonce.into()), &self.aad, text.into())
            .unwrap();
        tag.copy_from_slice(&full[..12]);
    }

    fn unprotect(&self, content: &mut [u8]) {
        // The AEAD interface takes the tag in full; the shorter one is compared in the same time.
        let (text, tag) = content[5..].split_last_chunk_mut::<16>().unwrap();
        let tag = (*tag).into();
        self.cipher
            .decrypt_inout_detached(black_box(&self.nonce.into()), &self.aad, text.into(), &tag)
            .unwrap();
    }

    fn content(&self, size: usize) -> Vec<u8> {
        let mut content = vec![0; 5 + size + 16];
        let text = &mut content[5..5 + size];
        let tag = self.cipher.encrypt_inout_detached(&self.nonce.into(), &self.aad, text.into()).unwrap();
        content[5 + size..].copy_from_slice(&tag);
        content
    }
}

#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    use super::*;

    /// The bare cipher of AWS-LC.
    pub(crate) struct Floor {
        cipher: LessSafeKey,
        nonce: [u8; 12],
        aad: Vec<u8>,
    }

    impl Floor {
        pub(crate) fn new(suite: SecuritySuite) -> Self {
            let algorithm = if suite.key_len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
            let key = UnboundKey::new(algorithm, &KEY[..suite.key_len()]).unwrap();
            let (nonce, aad) = nonce_and_aad(suite);
            Self { cipher: LessSafeKey::new(key), nonce, aad }
        }

        fn seal(&self, text: &mut [u8]) -> [u8; 16] {
            let nonce = Nonce::assume_unique_for_key(black_box(self.nonce));
            let tag = self.cipher.seal_in_place_separate_tag(nonce, Aad::from(&self.aad), text).unwrap();
            tag.as_ref().try_into().unwrap()
        }
    }

    impl Contender for Floor {
        fn protect(&self, _counter: u32, content: &mut [u8]) {
            let (text, tag) = content[5..].split_last_chunk_mut::<12>().unwrap();
            tag.copy_from_slice(&self.seal(text)[..12]);
        }

        fn unprotect(&self, content: &mut [u8]) {
            let (text, tag) = content[5..].split_last_chunk_mut::<16>().unwrap();
            let nonce = Nonce::assume_unique_for_key(black_box(self.nonce));
            self.cipher.open_in_place_separate_tag(nonce, Aad::from(&self.aad), tag, text).unwrap();
        }

        fn content(&self, size: usize) -> Vec<u8> {
            let mut content = vec![0; 5 + size + 16];
            let tag = self.seal(&mut content[5..5 + size]);
            content[5 + size..].copy_from_slice(&tag);
            content
        }
    }
}

/// The time of one call, of a batch that is laid out anew before.
fn time(batch: &mut [Vec<u8>], from: &[u8], mut call: impl FnMut(&mut [u8])) -> Duration {
    batch.iter_mut().for_each(|content| content.copy_from_slice(from));
    let start = Instant::now();
    for content in batch.iter_mut() {
        call(black_box(content));
    }
    start.elapsed()
}

fn ratios(library: &str, suite: SecuritySuite, floor: &impl Contender, ours: &impl Contender, target: f64) {
    for (name, size) in SIZES {
        let batch = (64 * 1024 / size).clamp(4, 512);
        let row = |what| format!("{library}{what}, suite {}, {name}", suite.id());
        let plain = vec![0; size + 17];
        let (mut one, mut other) = (vec![plain.clone(); batch], vec![plain.clone(); batch]);
        ratio(
            &row("protect"),
            ROUNDS,
            batch as u32,
            Some(target),
            || time(&mut one, &plain, |content| floor.protect(0, content)),
            || time(&mut other, &plain, |content| ours.protect(0, content)),
        );
        let (floor_content, our_content) = (floor.content(size), ours.content(size));
        let (mut one, mut other) = (vec![floor_content.clone(); batch], vec![our_content.clone(); batch]);
        ratio(
            &row("unprotect"),
            ROUNDS,
            batch as u32,
            Some(target),
            || time(&mut one, &floor_content, |content| floor.unprotect(content)),
            || time(&mut other, &our_content, |content| ours.unprotect(content)),
        );
    }
}

fn alone(criterion: &mut Criterion, library: &str, suite: SecuritySuite, ours: &impl Contender) {
    for (name, size) in SIZES {
        let mut group = criterion.benchmark_group(format!("{library}suite {}, {name}", suite.id()));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function("protect", |bencher| {
            let mut content = vec![0; size + 17];
            bencher.iter(|| ours.protect(0, black_box(&mut content)));
        });
        group.bench_function("unprotect", |bencher| {
            let content = ours.content(size);
            bencher.iter_batched_ref(
                || content.clone(),
                |content| ours.unprotect(content),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

fn main() {
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    // Without `--bench` each row only runs once, to see that it works.
    if asked("--bench") {
        let ours = |suite| Ours::new(RustCrypto::new(NoRandom), suite);
        let [small, large] = SUITES;
        ratios("", small, &Floor::<aes::Aes128>::new(small), &ours(small), 1.1);
        ratios("", large, &Floor::<aes::Aes256>::new(large), &ours(large), 1.1);
        #[cfg(feature = "aws-lc-rs")]
        for suite in SUITES {
            ratios(AWS_LC, suite, &aws_lc::Floor::new(suite), &Ours::new(dlms_security::AwsLc, suite), 1.15);
        }
    }
    if asked("--ratios") {
        return;
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for suite in SUITES {
        alone(&mut criterion, "", suite, &Ours::new(RustCrypto::new(NoRandom), suite));
        #[cfg(feature = "aws-lc-rs")]
        alone(&mut criterion, AWS_LC, suite, &Ours::new(dlms_security::AwsLc, suite));
    }
    criterion.final_summary();
}
