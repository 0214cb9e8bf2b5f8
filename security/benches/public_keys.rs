//! Signing, verifying and agreeing on a key, beside the same function of the bare library with its key ready.
//!
//! Keys reach a provider as octets, as storage and certificates have them; making them ready is what lies between the two.
//! Prints one line for each row as the bench `security` does, and then what criterion measures. `--ratios` prints the
//! ratios only.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::ratio;
use criterion::Criterion;
use dlms_security::{Curve, NoRandom, PrivateKey, PublicKey, PublicKeyProvider, RustCrypto, Signature};

const ROUNDS: usize = 31;
const BATCH: u32 = 8;
const MESSAGE: [u8; 144] = [0xA5; 144];
const INFO: [u8; 23] = [0x5A; 23];

/// One call of each.
struct Calls<'k> {
    sign: Box<dyn Fn() + 'k>,
    verify: Box<dyn Fn() + 'k>,
    agree: Box<dyn Fn() + 'k>,
}

/// The octets of a pair, of a peer's key and of a signature.
struct Keys {
    curve: Curve,
    own: PrivateKey,
    public: PublicKey,
    peer: PublicKey,
    signature: Signature,
}

impl Keys {
    fn new(provider: &dyn PublicKeyProvider, curve: Curve) -> Self {
        let key = |octet| PrivateKey::new(curve, &vec![octet; curve.coordinate_len()]).unwrap();
        let own = key(0x11);
        Self {
            curve,
            public: provider.public_key(&own).unwrap(),
            peer: provider.public_key(&key(0x22)).unwrap(),
            signature: provider.sign(&own, &[&MESSAGE]).unwrap(),
            own,
        }
    }

    fn point(key: &PublicKey) -> Vec<u8> {
        [&[4], key.octets()].concat()
    }
}

macro_rules! rust_crypto {
    ($ecc:ident, $hash:ty, $keys:expr) => {{
        use $ecc::ecdsa::{
            Signature, SigningKey, VerifyingKey,
            signature::{Signer, Verifier},
        };
        let keys = $keys;
        let own = $ecc::SecretKey::from_slice(keys.own.expose()).unwrap();
        let peer = $ecc::PublicKey::from_sec1_bytes(&Keys::point(&keys.peer)).unwrap();
        let signer = SigningKey::from(&own);
        let verifier = VerifyingKey::from_sec1_bytes(&Keys::point(&keys.public)).unwrap();
        let signature = Signature::from_slice(keys.signature.octets()).unwrap();
        Calls {
            sign: Box::new(move || {
                let signature: Signature = signer.sign(black_box(&MESSAGE));
                black_box(signature);
            }),
            verify: Box::new(move || verifier.verify(black_box(&MESSAGE), &signature).unwrap()),
            agree: Box::new(move || {
                let shared = $ecc::elliptic_curve::ecdh::diffie_hellman(
                    own.to_nonzero_scalar(),
                    black_box(&peer).as_affine(),
                );
                black_box(shared.raw_secret_bytes());
            }),
        }
    }};
}

fn rust_crypto_floor(keys: &Keys) -> Calls<'_> {
    match keys.curve {
        Curve::P256 => rust_crypto!(p256, p256::Sha256, keys),
        Curve::P384 => rust_crypto!(p384, p384::Sha384, keys),
    }
}

#[cfg(feature = "aws-lc-rs")]
fn aws_lc_floor(keys: &Keys) -> Calls<'_> {
    use aws_lc_rs::agreement::{
        self, ECDH_P256, ECDH_P384, ParsedPublicKey as AgreementKey, UnparsedPublicKey,
    };
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey, VerificationAlgorithm,
    };
    let (signing, verifying, ecdh): (_, &'static dyn VerificationAlgorithm, _) = match keys.curve {
        Curve::P256 => (&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_FIXED, &ECDH_P256),
        Curve::P384 => (&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED, &ECDH_P384),
    };
    let (own, public) = (keys.own.expose(), Keys::point(&keys.public));
    let signer = EcdsaKeyPair::from_private_key_and_public_key(signing, own, &public).unwrap();
    let verifier = ParsedPublicKey::new(verifying, &public).unwrap();
    let private = agreement::PrivateKey::from_private_key(ecdh, own).unwrap();
    let peer = UnparsedPublicKey::new(ecdh, Keys::point(&keys.peer));
    let peer = AgreementKey::try_from(peer).unwrap();
    Calls {
        sign: Box::new(move || {
            black_box(signer.sign(&SystemRandom::new(), black_box(&MESSAGE)).unwrap());
        }),
        verify: Box::new(move || {
            verifier.verify_sig(black_box(&MESSAGE), keys.signature.octets()).unwrap();
        }),
        agree: Box::new(move || {
            let copy = |z: &[u8]| Ok(black_box(z.to_vec()));
            agreement::agree(&private, black_box(&peer).clone(), (), copy).unwrap();
        }),
    }
}

fn time(call: impl Fn()) -> Duration {
    let start = Instant::now();
    (0..BATCH).for_each(|_| call());
    start.elapsed()
}

/// What a provider does with the octets of keys.
fn ours<'k>(provider: &'k dyn PublicKeyProvider, keys: &'k Keys) -> Calls<'k> {
    Calls {
        sign: Box::new(|| {
            black_box(provider.sign(&keys.own, &[black_box(&MESSAGE)]).unwrap());
        }),
        verify: Box::new(|| provider.verify(&keys.public, &[black_box(&MESSAGE)], &keys.signature).unwrap()),
        agree: Box::new(|| {
            black_box(provider.agree(&keys.own, &keys.peer, &[&INFO]).unwrap());
        }),
    }
}

fn main() {
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    type Bare = fn(&Keys) -> Calls<'_>;
    let provider = RustCrypto::new(NoRandom);
    let libraries: &[(&str, &dyn PublicKeyProvider, Bare)] = &[
        ("", &provider, rust_crypto_floor),
        #[cfg(feature = "aws-lc-rs")]
        ("aws-lc-rs: ", &dlms_security::AwsLc, aws_lc_floor),
    ];
    let mut criterion = (!asked("--ratios")).then(|| {
        Criterion::default()
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args()
    });
    for (library, provider, floor) in libraries {
        for curve in [Curve::P256, Curve::P384] {
            let keys = Keys::new(*provider, curve);
            let (floor, ours) = (floor(&keys), ours(*provider, &keys));
            let rows = [
                ("sign", floor.sign, ours.sign),
                ("verify", floor.verify, ours.verify),
                ("agree", floor.agree, ours.agree),
            ];
            for (what, floor, ours) in rows {
                let row = format!("{library}{what}, {curve:?}");
                // Without `--bench` each row only runs once, to see that it works.
                if asked("--bench") {
                    ratio(&row, ROUNDS, BATCH, None, || time(&floor), || time(&ours));
                }
                if let Some(criterion) = &mut criterion {
                    criterion.bench_function(&row, |bencher| bencher.iter(&ours));
                }
            }
        }
    }
    if let Some(criterion) = criterion {
        criterion.final_summary();
    }
}
