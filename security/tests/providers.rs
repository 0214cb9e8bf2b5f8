//! Both cryptographic libraries are one provider: what one makes the other opens, and they refuse the same.
#![cfg(all(feature = "ecc", feature = "aws-lc-rs"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use dlms_security::{
    AdditionalData, AuthenticationKey, AwsLc, Backend, CryptoProvider, Curve, NoRandom, PrivateKey,
    PublicKey, PublicKeyProvider, RustCrypto, SecretKey, SecurityError, SecuritySuite, Signature,
};
use proptest::prelude::*;

const OURS: RustCrypto<NoRandom> = RustCrypto::new(NoRandom);
const CURVES: [Curve; 2] = [Curve::P256, Curve::P384];

/// The orders of both curves.
fn order(curve: Curve) -> Vec<u8> {
    let text = match curve {
        Curve::P256 => "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
        Curve::P384 => {
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973"
        }
    };
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn octets(range: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), range)
}

fn secret_key(octets: &[u8]) -> SecretKey {
    let suite = if octets.len() == 32 { SecuritySuite::Suite2 } else { SecuritySuite::Suite0 };
    SecretKey::new(suite, octets).unwrap()
}

fn pieces(octets: &[u8], cuts: [usize; 2]) -> [&[u8]; 3] {
    let (start, rest) = octets.split_at(cuts[0].min(octets.len()));
    let (middle, end) = rest.split_at(cuts[1].min(rest.len()));
    [start, middle, end]
}

proptest! {
    /// Additional data and texts around the sizes that take other ways: none, a block, what fits on the stack.
    #[test]
    fn ciphers_agree(
        suite in prop::sample::select(SecuritySuite::ALL.to_vec()), key in octets(32..33), nonce: [u8; 12],
        aad in octets(0..600), cuts: [u8; 2], authentication_key: [u8; 16], text in octets(0..600),
        flip: prop::sample::Index,
    ) {
        let key = secret_key(&key[..suite.key_len()]);
        let (one, other) = (OURS.aead_key(suite, &key).unwrap(), AwsLc.aead_key(suite, &key).unwrap());
        let [control, rest @ ..] = pieces(&aad, cuts.map(usize::from));
        let authentication_key = AuthenticationKey::new(&authentication_key).unwrap();
        let aad = AdditionalData { control, authentication_key: &authentication_key, rest };

        let (mut a, mut b) = (text.clone(), text.clone());
        let tag = OURS.seal(&one, &nonce, &aad, &mut a).unwrap();
        prop_assert_eq!(AwsLc.seal(&other, &nonce, &aad, &mut b).unwrap(), tag);
        prop_assert_eq!(&a, &b);

        let mut changed = tag;
        let bit = flip.index(96);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(AwsLc.open(&other, &nonce, &aad, &mut b, &changed), Err(SecurityError::TagMismatch));
        prop_assert_eq!(&a, &b);
        AwsLc.open(&other, &nonce, &aad, &mut b, &tag).unwrap();
        prop_assert_eq!(&b, &text);

        let (mut a, mut b) = (text.clone(), text);
        OURS.apply_keystream(&one, &nonce, &mut a).unwrap();
        AwsLc.apply_keystream(&other, &nonce, &mut b).unwrap();
        prop_assert_eq!(a, b);
    }

    #[test]
    fn hashes_agree(message in octets(0..300), cuts: [u8; 2]) {
        let message = pieces(&message, cuts.map(usize::from));
        prop_assert_eq!(OURS.md5(&message), AwsLc.md5(&message));
        prop_assert_eq!(OURS.sha1(&message), AwsLc.sha1(&message));
        prop_assert_eq!(OURS.sha256(&message), AwsLc.sha256(&message));
    }

    #[test]
    fn key_wraps_agree(
        suite in prop::sample::select(SecuritySuite::ALL.to_vec()), kek in octets(32..33), key in octets(32..33),
        room in 0usize..64, flip: prop::sample::Index,
    ) {
        let (kek, key) = (secret_key(&kek[..suite.key_len()]), secret_key(&key[..suite.key_len()]));
        let (one, other) = (OURS.wrap_key(suite, &kek).unwrap(), AwsLc.wrap_key(suite, &kek).unwrap());
        let (mut a, mut b) = (vec![0; room], vec![0; room]);
        let wrapped = OURS.wrap(&one, &key, &mut a);
        prop_assert_eq!(&wrapped, &AwsLc.wrap(&other, &key, &mut b));
        let Ok(wrapped) = wrapped else { return Ok(()) };

        for unwrapped in [OURS.unwrap(suite, &one, wrapped), AwsLc.unwrap(suite, &other, wrapped)] {
            let unwrapped = unwrapped.unwrap();
            prop_assert_eq!(unwrapped.octets(), key.octets());
        }
        let mut changed = wrapped.to_vec();
        let bit = flip.index(changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        for changed in [&changed[..], &changed[..flip.index(changed.len())], &[wrapped, &[0; 8]].concat()] {
            prop_assert_eq!(OURS.unwrap(suite, &one, changed).err(), Some(SecurityError::KeyUnwrap));
            prop_assert_eq!(AwsLc.unwrap(suite, &other, changed).err(), Some(SecurityError::KeyUnwrap));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn signatures_and_shared_keys_agree(
        curve in prop::sample::select(CURVES.to_vec()), message in octets(0..200), cuts: [u8; 2],
        flip: prop::sample::Index,
    ) {
        let (own, peer) = (AwsLc.generate(curve).unwrap(), AwsLc.generate(curve).unwrap());
        let public = AwsLc.public_key(&own).unwrap();
        prop_assert_eq!(OURS.public_key(&own).unwrap(), public);

        let message = pieces(&message, cuts.map(usize::from));
        let signatures = [OURS.sign(&own, &message).unwrap(), AwsLc.sign(&own, &message).unwrap()];
        for signature in signatures {
            OURS.verify(&public, &message, &signature).unwrap();
            AwsLc.verify(&public, &message, &signature).unwrap();
            let mut changed = signature.octets().to_vec();
            let bit = flip.index(changed.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = Signature::new(curve, &changed).unwrap();
            prop_assert_eq!(OURS.verify(&public, &message, &changed), Err(SecurityError::SignatureMismatch));
            prop_assert_eq!(AwsLc.verify(&public, &message, &changed), Err(SecurityError::SignatureMismatch));
            prop_assert_eq!(
                AwsLc.verify(&public, &[&[&message.concat()[..], b"more"].concat()], &signature),
                Err(SecurityError::SignatureMismatch)
            );
        }

        let peer_public = OURS.public_key(&peer).unwrap();
        let key = OURS.agree(&own, &peer_public, &message).unwrap();
        for agreed in [AwsLc.agree(&own, &peer_public, &message), AwsLc.agree(&peer, &public, &message)] {
            let agreed = agreed.unwrap();
            prop_assert_eq!(agreed.expose(), key.expose());
        }
    }

    /// A point anywhere in the plane is hardly ever one of the curve; both say so, and so does a changed one that is.
    #[test]
    fn points_off_the_curve_are_refused(
        curve in prop::sample::select(CURVES.to_vec()), noise in octets(96..97), flip: prop::sample::Index,
    ) {
        let key = AwsLc.generate(curve).unwrap();
        let signature = AwsLc.sign(&key, &[b"message"]).unwrap();
        let mut near = AwsLc.public_key(&key).unwrap().octets().to_vec();
        let bit = flip.index(near.len() * 8);
        near[bit / 8] ^= 1 << (bit % 8);
        for point in [&near[..], &noise[..curve.pair_len()], &vec![0; curve.pair_len()], &vec![0xFF; curve.pair_len()]] {
            let point = PublicKey::new(curve, point).unwrap();
            prop_assert_eq!(AwsLc.verify(&point, &[b"message"], &signature), Err(SecurityError::InvalidKey));
            prop_assert_eq!(OURS.verify(&point, &[b"message"], &signature), Err(SecurityError::InvalidKey));
            prop_assert_eq!(AwsLc.agree(&key, &point, &[]).err(), Some(SecurityError::InvalidKey));
            prop_assert_eq!(OURS.agree(&key, &point, &[]).err(), Some(SecurityError::InvalidKey));
        }
    }
}

/// Zero, the order of the curve, more than that, and any other number of octets are no private keys.
#[test]
fn scalars_out_of_range_are_refused() {
    for curve in CURVES {
        let order = order(curve);
        let mut last = order.clone();
        *last.last_mut().unwrap() -= 1;
        let length = curve.coordinate_len();
        let peer = AwsLc.public_key(&AwsLc.generate(curve).unwrap()).unwrap();
        let others = CURVES.map(|other| other.coordinate_len()).into_iter().filter(|other| *other != length);
        let lengths = [0, 1, length - 1, length + 1].into_iter().chain(others);
        let wrong =
            [vec![0; length], order, vec![0xFF; length]].into_iter().chain(lengths.map(|len| vec![1; len]));
        for scalar in wrong {
            let key = PrivateKey::new(curve, &scalar).unwrap();
            for provider in [&OURS as &dyn PublicKeyProvider, &AwsLc] {
                assert_eq!(provider.public_key(&key).err(), Some(SecurityError::InvalidKey), "{scalar:02X?}");
                assert_eq!(
                    provider.sign(&key, &[b"m"]).err(),
                    Some(SecurityError::InvalidKey),
                    "{scalar:02X?}"
                );
                assert_eq!(provider.agree(&key, &peer, &[]).err(), Some(SecurityError::InvalidKey));
            }
        }
        let mut first = vec![0; length];
        first[length - 1] = 1;
        for scalar in [first, last] {
            let key = PrivateKey::new(curve, &scalar).unwrap();
            assert_eq!(OURS.public_key(&key).unwrap(), AwsLc.public_key(&key).unwrap());
            let signature = AwsLc.sign(&key, &[b"m"]).unwrap();
            OURS.verify(&AwsLc.public_key(&key).unwrap(), &[b"m"], &signature).unwrap();
        }
    }
}

/// `r` and `s` of zero, and of the order, sign nothing.
#[test]
fn signatures_out_of_range_are_refused() {
    for curve in CURVES {
        let key = AwsLc.generate(curve).unwrap();
        let public = AwsLc.public_key(&key).unwrap();
        let signature = AwsLc.sign(&key, &[b"m"]).unwrap();
        let (r, s) = signature.octets().split_at(curve.coordinate_len());
        let (zero, order) = (vec![0; curve.coordinate_len()], order(curve));
        for (r, s) in [(r, &zero[..]), (&zero, s), (&order, s), (r, &order), (&zero, &zero)] {
            let signature = Signature::new(curve, &[r, s].concat()).unwrap();
            for provider in [&OURS as &dyn PublicKeyProvider, &AwsLc] {
                assert_eq!(
                    provider.verify(&public, &[b"m"], &signature),
                    Err(SecurityError::SignatureMismatch)
                );
            }
        }
    }
}

#[test]
fn keys_have_the_size_of_their_suite() {
    for suite in SecuritySuite::ALL {
        for key in [secret_key(&[1; 16]), secret_key(&[1; 32]), SecretKey::handle(&[1; 16]).unwrap()] {
            let fits = key.octets().is_ok_and(|octets| octets.len() == suite.key_len());
            assert_eq!(AwsLc.aead_key(suite, &key).is_ok(), fits);
            assert_eq!(AwsLc.aead_key(suite, &key).err(), OURS.aead_key(suite, &key).err());
            assert_eq!(AwsLc.wrap_key(suite, &key).err(), OURS.wrap_key(suite, &key).err());
        }
    }
}

/// A key of one library is none for the other.
#[test]
fn backends_do_not_mix() {
    let (one, other) = (Backend::RustCrypto(OURS), Backend::<NoRandom>::AwsLc(AwsLc));
    let octets = secret_key(&[1; 16]);
    let authentication_key = AuthenticationKey::unused();
    let aad = AdditionalData { control: &[], authentication_key: &authentication_key, rest: [&[], &[]] };
    let key = one.aead_key(SecuritySuite::Suite0, &octets).unwrap();
    assert_eq!(other.seal(&key, &[0; 12], &aad, &mut []), Err(SecurityError::Provider));
    let kek = other.wrap_key(SecuritySuite::Suite0, &octets).unwrap();
    assert_eq!(one.wrap(&kek, &octets, &mut [0; 24]), Err(SecurityError::Provider));
}

/// What the keys of every provider print.
#[test]
fn nothing_prints() {
    let suite = SecuritySuite::Suite2;
    let key = [0xAB; 32];
    let private = PrivateKey::new(Curve::P256, &key).unwrap();
    let key = secret_key(&key);
    let backend = Backend::<NoRandom>::AwsLc(AwsLc);
    let shown = [
        format!("{:?}", OURS.aead_key(suite, &key).unwrap()),
        format!("{:?}", OURS.wrap_key(suite, &key).unwrap()),
        format!("{:?}", AwsLc.aead_key(suite, &key).unwrap()),
        format!("{:?}", AwsLc.wrap_key(suite, &key).unwrap()),
        format!("{:?}", backend.aead_key(suite, &key).unwrap()),
        format!("{:?}", backend.wrap_key(suite, &key).unwrap()),
        format!("{:?}", private),
        format!("{:?}", AwsLc.agree(&private, &AwsLc.public_key(&private).unwrap(), &[]).unwrap()),
        format!("{:#?}", private),
    ];
    for shown in shown {
        assert!(shown.contains("(..)"), "{shown}");
        assert!(!shown.to_uppercase().contains("AB, ") && !shown.contains("171"), "{shown}");
    }
}
