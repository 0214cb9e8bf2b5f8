//! Protecting and unprotecting a content, beside the bare cipher of the same backend with its key schedule cached.
//!
//! Prints one line for each row with the ratio of the two, measured in turns within one run (least and median of many
//! rounds), and then what criterion measures of each alone. `--ratios` prints the ratios only.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::{AeadInOut, KeyInit, consts::U12};
use aes_gcm::{AesGcm, aes};
use criterion::{BatchSize, Criterion, Throughput};
use dlms_security::{
    AeadKey, AuthenticationKey, CryptoProvider, InvocationCounter, NoRandom, Protection, Protector,
    RustCrypto, SecurityControl, SecuritySuite, SystemTitle,
};

const SIZES: [(&str, usize); 3] = [("64 B", 64), ("1 KiB", 1024), ("64 KiB", 64 * 1024)];
const SUITES: [SecuritySuite; 2] = [SecuritySuite::Suite0, SecuritySuite::Suite2];
const ROUNDS: usize = 201;
const KEY: [u8; 32] = [0x5A; 32];
const AUTHENTICATION_KEY: [u8; 32] = [0xA5; 32];
const TITLE: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");

/// What one contender does with one content: `header information tag`, in place.
trait Contender {
    fn protect(&self, counter: u32, content: &mut [u8]);
    fn unprotect(&self, content: &mut [u8]);
}

struct Ours {
    provider: RustCrypto<NoRandom>,
    control: SecurityControl,
    key: AeadKey,
    authentication_key: AuthenticationKey,
}

impl Ours {
    fn new(suite: SecuritySuite) -> Self {
        let provider = RustCrypto::new(NoRandom);
        Self {
            key: provider.aead_key(suite, &KEY[..suite.key_len()]).unwrap(),
            provider,
            control: SecurityControl::new(suite, Protection::AUTHENTICATED_ENCRYPTED),
            authentication_key: AuthenticationKey::new(&AUTHENTICATION_KEY[..suite.key_len()]).unwrap(),
        }
    }

    fn protector(&self) -> Protector<'_, RustCrypto<NoRandom>> {
        Protector { provider: &self.provider, key: &self.key, authentication_key: &self.authentication_key }
    }
}

impl Contender for Ours {
    fn protect(&self, counter: u32, content: &mut [u8]) {
        let (counter, information) = (InvocationCounter::new(counter), content.len() - 17);
        self.protector().protect(self.control, TITLE, counter, &[], content, information).unwrap();
    }

    fn unprotect(&self, content: &mut [u8]) {
        self.protector().unprotect(TITLE, &[], content).unwrap();
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
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(TITLE.octets());
        let control = SecurityControl::new(suite, Protection::AUTHENTICATED_ENCRYPTED).octet();
        Self {
            cipher: AesGcm::new_from_slice(&KEY[..suite.key_len()]).unwrap(),
            nonce,
            aad: [&[control], &AUTHENTICATION_KEY[..suite.key_len()]].concat(),
        }
    }
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
}

/// A protected content as the floor opens it: with a full tag.
fn floor_content<C>(floor: &Floor<C>, size: usize) -> Vec<u8>
where
    AesGcm<C, U12>: KeyInit + AeadInOut<NonceSize = U12, TagSize = aes_gcm::aead::consts::U16>,
{
    let mut content = vec![0; 5 + size + 16];
    let text = &mut content[5..5 + size];
    let tag = floor.cipher.encrypt_inout_detached(&floor.nonce.into(), &floor.aad, text.into()).unwrap();
    content[5 + size..].copy_from_slice(&tag);
    content
}

fn our_content(ours: &Ours, size: usize) -> Vec<u8> {
    let mut content = vec![0; size + 17];
    ours.protect(0, &mut content);
    content
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

fn ratio(
    row: &str,
    size: usize,
    mut floor: impl FnMut() -> Duration,
    mut ours: impl FnMut() -> Duration,
    batch: u32,
) {
    let mut floors = Vec::with_capacity(ROUNDS);
    let mut own = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        floors.push(floor() / batch);
        own.push(ours() / batch);
    }
    floors.sort();
    own.sort();
    let of = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    let (least, middle) = (0, ROUNDS / 2);
    println!(
        "{row:<28} floor {:>9.1?} ours {:>9.1?} ratio {:.3} (median {:.3}), {:.2} GB/s",
        floors[least],
        own[least],
        of(own[least], floors[least]),
        of(own[middle], floors[middle]),
        size as f64 / own[least].as_secs_f64() / 1e9,
    );
}

fn ratios<C>(suite: SecuritySuite)
where
    AesGcm<C, U12>: KeyInit + AeadInOut<NonceSize = U12, TagSize = aes_gcm::aead::consts::U16>,
{
    let (floor, ours) = (Floor::<C>::new(suite), Ours::new(suite));
    for (name, size) in SIZES {
        let batch = (64 * 1024 / size).clamp(4, 512);
        let plain = vec![0; size + 17];
        let (mut one, mut other) = (vec![plain.clone(); batch], vec![plain.clone(); batch]);
        ratio(
            &format!("protect, suite {}, {name}", suite.id()),
            size,
            || time(&mut one, &plain, |content| floor.protect(0, content)),
            || time(&mut other, &plain, |content| ours.protect(0, content)),
            batch as u32,
        );
        let (floor_content, our_content) = (floor_content(&floor, size), our_content(&ours, size));
        let (mut one, mut other) = (vec![floor_content.clone(); batch], vec![our_content.clone(); batch]);
        ratio(
            &format!("unprotect, suite {}, {name}", suite.id()),
            size,
            || time(&mut one, &floor_content, |content| floor.unprotect(content)),
            || time(&mut other, &our_content, |content| ours.unprotect(content)),
            batch as u32,
        );
    }
}

fn alone(criterion: &mut Criterion, suite: SecuritySuite) {
    let ours = Ours::new(suite);
    for (name, size) in SIZES {
        let mut group = criterion.benchmark_group(format!("suite {}, {name}", suite.id()));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function("protect", |bencher| {
            let mut content = vec![0; size + 17];
            bencher.iter(|| ours.protect(0, black_box(&mut content)));
        });
        group.bench_function("unprotect", |bencher| {
            let content = our_content(&ours, size);
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
        ratios::<aes::Aes128>(SecuritySuite::Suite0);
        ratios::<aes::Aes256>(SecuritySuite::Suite2);
    }
    if asked("--ratios") {
        return;
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for suite in SUITES {
        alone(&mut criterion, suite);
    }
    criterion.final_summary();
}
