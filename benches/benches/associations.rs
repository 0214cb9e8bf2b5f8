//! Associations with mechanisms 5 and 7, client and server in one memory on one core: AARQ, AARE, and both proofs.
//!
//! The floor makes the same calls of the bare library with its keys ready: each of the four APDUs is ciphered and
//! deciphered, and each of both proofs made and verified. Prints one line for each row, rates instead of times; `cargo test`
//! runs each row once, to see that it works.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce};
use cosem_objects::{AccessRights, AssociationId, LogicalDevice, Object};
use dlms::client::{Client, ClientConfig, Environment, Event};
use dlms::server::{AssociationConfig, Host, Session};
use dlms::{KeyPairs, PublicKeys, SecurityContext};
use dlms_benches::measure::Times;
use dlms_benches::meter::{CLIENT_TITLE, SERVER_TITLE};
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, Backend, CounterId, CryptoLibrary, Curve, Forgetful,
    KeyUsage, KnownPeer, PrivateKey, Protection, PublicKeyProvider, SecretKey, SecurityError, SecuritySuite,
    SystemTitle,
};

type Provider = Backend<fn(&mut [u8]) -> Result<(), SecurityError>>;

const CLIENT: u16 = 1;
const KEY: [u8; 32] = *b"0123456789ABCDEF0123456789ABCDEF";
const AUTHENTICATION_KEY: [u8; 32] = *b"FEDCBA9876543210FEDCBA9876543210";
/// Octets of InitiateRequest and InitiateResponse, and of the ACTION that carries a proof besides the proof.
const INITIATE: usize = 14;
const ACTION: usize = 15;
/// Both titles and both challenges: what mechanism 7 signs.
const SIGNED: [u8; 80] = [0xA5; 80];

/// A device without objects: nothing but associations.
struct Nothing;

impl LogicalDevice for Nothing {
    fn object_count(&self) -> usize {
        0
    }

    fn object(&self, _: usize) -> Option<&dyn Object> {
        None
    }

    fn object_mut(&mut self, _: usize) -> Option<&mut dyn Object> {
        None
    }

    fn attribute_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::empty()
    }

    fn method_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::empty()
    }

    fn is_visible(&self, _: AssociationId, _: usize) -> bool {
        false
    }

    fn association_object(&self, _: AssociationId) -> Option<usize> {
        None
    }
}

/// Challenges that differ: nobody listens.
fn fill(out: &mut [u8]) -> Result<(), SecurityError> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static STATE: AtomicU64 = AtomicU64::new(1);
    let mut state = STATE.fetch_add(1, Ordering::Relaxed);
    for octet in out {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        *octet = (state >> 56) as u8;
    }
    Ok(())
}

fn private_key(curve: Curve, title: SystemTitle) -> PrivateKey {
    PrivateKey::new(curve, &vec![title.octets()[0]; curve.coordinate_len()]).unwrap()
}

/// One end's keys.
struct End {
    security: [SecurityContext<Provider>; 1],
    pairs: [KeyPairs; 1],
    peer: [KnownPeer; 1],
}

impl End {
    fn new(provider: &Provider, suite: SecuritySuite, title: SystemTitle, peer: SystemTitle) -> Self {
        let key = SecretKey::new(suite, &KEY[..suite.key_len()]).unwrap();
        let authentication_key = AuthenticationKey::new(&AUTHENTICATION_KEY[..suite.key_len()]).unwrap();
        let id = CounterId(0);
        let context = SecurityContext::new(provider, suite, title, &key, authentication_key, id, 0).unwrap();
        let (mut pairs, mut known) = (KeyPairs::new(), KnownPeer { title: peer, keys: [None; 3] });
        if let Some(curve) = suite.curve() {
            pairs.set_in_use(KeyUsage::DigitalSignature, Some(private_key(curve, title)));
            known.keys[0] = Some(provider.public_key(&private_key(curve, peer)).unwrap());
        }
        Self { security: [context], pairs: [pairs], peer: [known] }
    }
}

struct Ends {
    provider: Provider,
    meter: End,
    associations: [AssociationConfig; 1],
    session: Session<Provider, Vec<u8>>,
    utility: End,
    client: Client<Provider, Vec<u8>>,
}

impl Ends {
    fn new(library: CryptoLibrary, suite: SecuritySuite, mechanism: AuthenticationMechanism) -> Self {
        let provider = Backend::new(library, fill as _).unwrap();
        let association = AssociationConfig {
            ciphered: true,
            mechanism,
            security: Some(0),
            policy: Protection::AUTHENTICATED_ENCRYPTED,
            ..AssociationConfig::public(CLIENT)
        };
        Self {
            meter: End::new(&provider, suite, SERVER_TITLE, CLIENT_TITLE),
            utility: End::new(&provider, suite, CLIENT_TITLE, SERVER_TITLE),
            provider,
            associations: [association],
            session: Session::new(CLIENT, vec![0; 512]),
            client: Client::new(ClientConfig { mechanism, ..ClientConfig::hls_gmac() }, Vec::new()),
        }
    }

    /// Opens the association, in the place of the one before.
    fn associate(&mut self) {
        let mut host = Host {
            device: &mut Nothing,
            system_title: SERVER_TITLE,
            associations: &mut self.associations,
            security: &mut self.meter.security,
            provider: &self.provider,
            counters: &mut Forgetful,
            key_rings: &mut [],
            public_keys: Some(PublicKeys {
                provider: &self.provider,
                own: &mut self.meter.pairs,
                peers: &self.meter.peer,
            }),
            certificates: None,
            key_management: None,
            manufacturer: None,
            scratch: &mut [],
        };
        let mut env = Environment {
            provider: &self.provider,
            counters: &mut Forgetful,
            security: Some(&mut self.utility.security[0]),
            key_ring: None,
            public_keys: Some(PublicKeys {
                provider: &self.provider,
                own: &mut self.utility.pairs,
                peers: &self.utility.peer,
            }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        let (mut request, mut response) = ([0; 512], [0; 512]);
        self.client.link_lost();
        let mut next = Some(self.client.associate(&mut env, &mut request).unwrap());
        let mut is_open = false;
        while let Some(range) = next {
            let answer =
                self.session.handle_apdu(&mut host, Duration::ZERO, &mut request[range], &mut response);
            let reaction =
                self.client.handle_apdu(&mut env, &mut response[answer.unwrap()], &mut request).unwrap();
            is_open = matches!(reaction.event, Some(Event::Associated(_)));
            next = reaction.transmit;
        }
        assert!(is_open);
        while self.session.poll_event().is_some() {}
    }
}

/// The calls of a bare library.
trait Bare {
    /// Ciphers so many octets and returns the tag.
    fn seal(&self, aad: &[u8], text: &mut [u8]) -> [u8; 16];
    fn open(&self, aad: &[u8], text: &mut [u8], tag: [u8; 16]);
    fn sign_and_verify(&self);
}

/// What both ends let the library do for one association.
fn floor(bare: &dyn Bare, suite: SecuritySuite, mechanism: AuthenticationMechanism) {
    let aad = [&[0x30][..], &AUTHENTICATION_KEY[..suite.key_len()], &[0; 32]].concat();
    let (covered, proof) = (&aad[..1 + suite.key_len()], &aad[..]);
    let is_signed = mechanism == AuthenticationMechanism::Ecdsa;
    let proof_length = if is_signed { suite.curve().unwrap().pair_len() } else { 17 };
    let mut text = [0; 128];
    for length in [INITIATE, INITIATE, ACTION + proof_length, ACTION + proof_length] {
        let text = &mut text[..length];
        let tag = bare.seal(black_box(covered), text);
        bare.open(black_box(covered), text, tag);
    }
    for _ in 0..2 {
        if is_signed {
            bare.sign_and_verify();
        } else {
            let tag = bare.seal(black_box(proof), &mut []);
            bare.open(black_box(proof), &mut [], tag);
        }
    }
}

/// RustCrypto with its keys ready.
struct RustCrypto<C> {
    cipher: C,
    pair: Option<Pair>,
}

enum Pair {
    P256(p256::ecdsa::SigningKey, p256::ecdsa::VerifyingKey),
    P384(Box<(p384::ecdsa::SigningKey, p384::ecdsa::VerifyingKey)>),
}

impl<C: KeyInit> RustCrypto<C> {
    fn new(suite: SecuritySuite) -> Self {
        let pair = suite.curve().map(|curve| {
            let key = private_key(curve, CLIENT_TITLE);
            match curve {
                Curve::P256 => {
                    let signer = p256::ecdsa::SigningKey::from_slice(key.expose()).unwrap();
                    let verifier = *signer.verifying_key();
                    Pair::P256(signer, verifier)
                }
                Curve::P384 => {
                    let signer = p384::ecdsa::SigningKey::from_slice(key.expose()).unwrap();
                    let verifier = *signer.verifying_key();
                    Pair::P384(Box::new((signer, verifier)))
                }
            }
        });
        Self { cipher: C::new_from_slice(&KEY[..suite.key_len()]).unwrap(), pair }
    }
}

impl<C> Bare for RustCrypto<C>
where
    C: AeadInOut<NonceSize = aes_gcm::aead::consts::U12, TagSize = aes_gcm::aead::consts::U16>,
{
    fn seal(&self, aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let nonce = *black_box(&Nonce::from([7; 12]));
        self.cipher.encrypt_inout_detached(&nonce, aad, text.into()).unwrap().into()
    }

    fn open(&self, aad: &[u8], text: &mut [u8], tag: [u8; 16]) {
        let nonce = *black_box(&Nonce::from([7; 12]));
        self.cipher.decrypt_inout_detached(&nonce, aad, text.into(), &tag.into()).unwrap();
    }

    fn sign_and_verify(&self) {
        use p256::ecdsa::signature::{Signer, Verifier};
        match self.pair.as_ref().unwrap() {
            Pair::P256(signer, verifier) => {
                let signature: p256::ecdsa::Signature = signer.sign(black_box(&SIGNED));
                verifier.verify(black_box(&SIGNED), &signature).unwrap();
            }
            Pair::P384(pair) => {
                let signature: p384::ecdsa::Signature = pair.0.sign(black_box(&SIGNED));
                pair.1.verify(black_box(&SIGNED), &signature).unwrap();
            }
        }
    }
}

#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey, VerificationAlgorithm,
    };

    use super::*;

    /// AWS-LC with its keys ready.
    pub(crate) struct AwsLc {
        cipher: LessSafeKey,
        pair: Option<(EcdsaKeyPair, ParsedPublicKey)>,
    }

    impl AwsLc {
        pub(crate) fn new(suite: SecuritySuite) -> Self {
            let cipher = if suite.key_len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
            let cipher = UnboundKey::new(cipher, &KEY[..suite.key_len()]).unwrap();
            let pair = suite.curve().map(|curve| {
                let (signing, verifying): (_, &'static dyn VerificationAlgorithm) = match curve {
                    Curve::P256 => (&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_FIXED),
                    Curve::P384 => (&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED),
                };
                let own = private_key(curve, CLIENT_TITLE);
                let public = dlms_security::AwsLc.public_key(&own).unwrap();
                let public = [&[4], public.octets()].concat();
                let signer =
                    EcdsaKeyPair::from_private_key_and_public_key(signing, own.expose(), &public).unwrap();
                (signer, ParsedPublicKey::new(verifying, &public).unwrap())
            });
            Self { cipher: LessSafeKey::new(cipher), pair }
        }
    }

    impl Bare for AwsLc {
        fn seal(&self, aad: &[u8], text: &mut [u8]) -> [u8; 16] {
            let nonce = Nonce::assume_unique_for_key(black_box([7; 12]));
            let tag = self.cipher.seal_in_place_separate_tag(nonce, Aad::from(aad), text).unwrap();
            tag.as_ref().try_into().unwrap()
        }

        fn open(&self, aad: &[u8], text: &mut [u8], tag: [u8; 16]) {
            let nonce = Nonce::assume_unique_for_key(black_box([7; 12]));
            self.cipher.open_in_place_separate_tag(nonce, Aad::from(aad), &tag, text).unwrap();
        }

        fn sign_and_verify(&self) {
            let (signer, verifier) = self.pair.as_ref().unwrap();
            let signature = signer.sign(&SystemRandom::new(), black_box(&SIGNED)).unwrap();
            verifier.verify_sig(black_box(&SIGNED), signature.as_ref()).unwrap();
        }
    }
}

fn bare(library: CryptoLibrary, suite: SecuritySuite) -> Box<dyn Bare> {
    match library {
        #[cfg(feature = "aws-lc-rs")]
        CryptoLibrary::AwsLc => Box::new(aws_lc::AwsLc::new(suite)),
        _ if suite.key_len() == 16 => Box::new(RustCrypto::<Aes128Gcm>::new(suite)),
        _ => Box::new(RustCrypto::<Aes256Gcm>::new(suite)),
    }
}

fn main() {
    let once = !std::env::args().any(|argument| argument == "--bench");
    for library in CryptoLibrary::ALL.into_iter().filter(|library| library.is_built_in()) {
        for (mechanism, suites) in [
            (AuthenticationMechanism::Gmac, &SecuritySuite::ALL[..]),
            (AuthenticationMechanism::Ecdsa, &SecuritySuite::ALL[1..]),
        ] {
            for &suite in suites {
                let (bare, mut ends) = (bare(library, suite), Ends::new(library, suite, mechanism));
                let is_signed = mechanism == AuthenticationMechanism::Ecdsa;
                let (rounds, repeats) = match (once, is_signed) {
                    (true, _) => (1, 1),
                    (false, true) => (31, 8),
                    (false, false) => (101, 200),
                };
                let time = |call: &mut dyn FnMut()| {
                    let start = Instant::now();
                    (0..repeats).for_each(|_| call());
                    start.elapsed() / repeats
                };
                let times = Times::take(
                    rounds,
                    || time(&mut || floor(&*bare, suite, mechanism)),
                    || time(&mut || ends.associate()),
                );
                let rate = |time: Duration| format!("{:.0}/s", 1.0 / time.as_secs_f64());
                let row = times.row("", 0.0, rate);
                println!(
                    "{library}: HLS {}, suite {:<16} floor {:>9} ours {:>9} ratio {:.3} (median {:.3}), target none",
                    mechanism.id(),
                    suite.id(),
                    row.floor,
                    row.ours,
                    row.least.unwrap_or_default(),
                    row.median.unwrap_or_default(),
                );
            }
        }
    }
}
