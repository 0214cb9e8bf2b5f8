//! Certificates: what is refused and where, paths, every single flipped bit, and what this crate issues itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::sync::LazyLock;

use der::asn1::ObjectIdentifier;
use dlms_security::certificate::{
    Authority, Certificate, CertificateError, CertificateFault, CertificateTime, CertificateType,
    CertificationRequest, Expectation, NewCertificate, Subject, Validity, write_request,
};
use dlms_security::{
    Curve, KeyUsage, NoRandom, PrivateKey, PublicKeyProvider, RustCrypto, SecurityError, SystemTitle,
};
use proptest::prelude::*;
use serde_json::Value;

fn provider() -> RustCrypto<NoRandom> {
    RustCrypto::new(NoRandom)
}

/// The octets of an input of a vector.
fn vector(name: &str, field: &str) -> Vec<u8> {
    static VECTORS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/security.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    });
    let vector = VECTORS.iter().find(|vector| vector["name"] == name).unwrap();
    let text = vector["inputs"][field].as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn certificate(name: &str) -> Vec<u8> {
    vector(name, "certificate")
}

fn anchor(der: &[u8]) -> Authority<'_> {
    Authority { certificate: Certificate::from_der(der).unwrap(), is_trust_anchor: true }
}

fn subordinate(der: &[u8]) -> Authority<'_> {
    Authority { is_trust_anchor: false, ..anchor(der) }
}

fn fault(error: SecurityError) -> CertificateFault {
    match error {
        SecurityError::Certificate(error) => error.fault,
        other => panic!("{other:?}"),
    }
}

/// What is wrong with a certificate under the root of suite 1, at the beginning of 2024.
fn judge(der: &[u8], expectation: Expectation) -> Result<(), CertificateFault> {
    let root = certificate("x509-root-s1");
    let certificate = Certificate::from_der(der).map_err(|error| error.fault)?;
    let expectation = expectation.at(CertificateTime::from_date(2024, 1, 1).unwrap());
    certificate.verify(&provider(), &[anchor(&root)], &expectation).map_err(fault)
}

const SIGNATURE: Expectation = Expectation::purpose(CertificateType::DigitalSignature);
const AGREEMENT: Expectation = Expectation::purpose(CertificateType::KeyAgreement);
const AUTHORITY: Expectation = Expectation::purpose(CertificateType::Other);

#[test]
fn each_refusal_has_its_reason() {
    let good = certificate("x509-sign-s1");
    let title = SystemTitle::from_octets(*b"KASRV001");
    assert_eq!(judge(&good, SIGNATURE.of(title)), Ok(()));
    assert_eq!(
        judge(&good, SIGNATURE.of(SystemTitle::from_octets([1; 8]))),
        Err(CertificateFault::SystemTitle)
    );
    assert_eq!(judge(&good, AGREEMENT.of(title)), Err(CertificateFault::Purpose));
    assert_eq!(judge(&certificate("x509-ka-s1"), AGREEMENT.of(title)), Ok(()));
    assert_eq!(judge(&certificate("x509-sign-s1-san-only"), SIGNATURE), Ok(()));
    assert_eq!(judge(&certificate("x509-indefinite"), SIGNATURE), Ok(()));
    for (name, fault) in [
        ("x509-bad-signature", CertificateFault::SignatureMismatch),
        ("x509-both-usages", CertificateFault::KeyUsage),
        ("x509-p384-signed-by-p256", CertificateFault::WeakerIssuer),
        ("x509-expired", CertificateFault::Expired),
        ("x509-sign-s2", CertificateFault::UnknownIssuer),
    ] {
        assert_eq!(judge(&certificate(name), SIGNATURE), Err(fault), "{name}");
    }
    // A root is trusted because it was put in, not because it signed itself.
    assert_eq!(judge(&certificate("x509-root-s1"), AUTHORITY), Ok(()));
    assert_eq!(judge(&certificate("x509-root-s2"), AUTHORITY), Err(CertificateFault::UnknownIssuer));
}

#[test]
fn errors_say_where() {
    let der = certificate("x509-sign-s1");
    let refused = |der: &[u8]| Certificate::from_der(der).unwrap_err();
    let at = |offset, fault| CertificateError { offset, fault };
    assert_eq!(refused(&[&der[..], &[0]].concat()), at(der.len(), CertificateFault::TrailingOctets));
    assert_eq!(refused(&der[..der.len() - 1]).fault, CertificateFault::Truncated);
    let mut version = der.clone();
    version[12] = 1;
    assert_eq!(refused(&version), at(8, CertificateFault::Version));
    let mut serial = der.clone();
    serial[15] = 0x90;
    assert_eq!(refused(&serial), at(13, CertificateFault::SerialNumber));
    let limit = der.len() - 1;
    assert_eq!(
        Certificate::from_der_within(&der, limit).unwrap_err(),
        at(0, CertificateFault::TooLong { limit, found: der.len() })
    );
}

#[test]
fn no_flipped_bit_verifies() {
    for (name, root) in [
        ("x509-sign-s1", "x509-root-s1"),
        ("x509-ka-s2", "x509-root-s2"),
        ("x509-sign-s1-san-only", "x509-root-s1"),
    ] {
        let (der, root) = (certificate(name), certificate(root));
        let kind = Certificate::from_der(&der).unwrap().certificate_type();
        let verify = |der: &[u8]| {
            let certificate = Certificate::from_der(der)?;
            certificate.verify(&provider(), &[anchor(&root)], &Expectation::purpose(kind))
        };
        assert_eq!(verify(&der), Ok(()));
        for bit in 0..8 * der.len() {
            let mut flipped = der.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(verify(&flipped).is_err(), "{name}: bit {bit}");
        }
    }
}

fn key(curve: Curve, seed: u8) -> PrivateKey {
    PrivateKey::new(curve, &vec![seed; curve.coordinate_len()]).unwrap()
}

const VALIDITY: Validity = Validity {
    not_before: CertificateTime::from_unix_seconds(1_704_067_200),
    not_after: CertificateTime::INDEFINITE,
};

fn issue(
    subject: Subject<'_>,
    own: &PrivateKey,
    issuer: Option<(&[u8], &PrivateKey)>,
) -> Result<Vec<u8>, SecurityError> {
    let mut buffer = [0; 1024];
    let new = NewCertificate {
        serial_number: &[0x80, 1],
        validity: VALIDITY,
        subject,
        public_key: provider().public_key(own).unwrap(),
    };
    let parsed = issuer.map(|(der, _)| Certificate::from_der(der).unwrap());
    let signer = issuer.map_or(own, |(_, key)| key);
    new.issue(&provider(), parsed.as_ref(), signer, &mut buffer).map(<[u8]>::to_vec)
}

const fn authority(common_name: &'static str, path_length: Option<u8>) -> Subject<'static> {
    Subject::Authority { organization: "Utility", common_name, path_length }
}

const TITLE: SystemTitle = SystemTitle::from_octets(*b"MMM\0\0\xBC\x61\x4E");

#[test]
fn every_subject_is_issued_and_verifies() {
    for (authority_curve, curve) in
        [(Curve::P256, Curve::P256), (Curve::P384, Curve::P256), (Curve::P384, Curve::P384)]
    {
        let (root_key, own) = (key(authority_curve, 1), key(curve, 2));
        let root = issue(authority("Root", None), &root_key, None).unwrap();
        let hardware_type = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");
        for usage in KeyUsage::ALL {
            for subject in
                [Subject::Party(TITLE, usage), Subject::Hardware { title: TITLE, usage, hardware_type }]
            {
                let der = issue(subject, &own, Some((&root, &root_key))).unwrap();
                let certificate = Certificate::from_der(&der).unwrap();
                let expectation = Expectation {
                    title: Some(TITLE),
                    time: Some(VALIDITY.not_before),
                    needs_policies: true,
                    certificate_type: usage.into(),
                };
                assert_eq!(certificate.verify(&provider(), &[anchor(&root)], &expectation), Ok(()));
                assert_eq!(certificate.serial_number(), [0, 0x80, 1]);
                assert_eq!(certificate.validity(), VALIDITY);
                assert_eq!(certificate.public_key(), &provider().public_key(&own).unwrap());
                assert_eq!(certificate.issuer(), Certificate::from_der(&root).unwrap().subject());
                assert_eq!(
                    certificate.subject_alternative_name().is_some(),
                    certificate.subject().is_empty()
                );
            }
        }
    }
}

#[test]
fn nothing_is_issued_that_breaks_the_profile() {
    let (weak, strong) = (key(Curve::P256, 1), key(Curve::P384, 2));
    let root = issue(authority("Root", None), &weak, None).unwrap();
    let party = Subject::Party(TITLE, KeyUsage::DigitalSignature);
    let refused = issue(party, &strong, Some((&root, &weak))).unwrap_err();
    assert_eq!(fault(refused), CertificateFault::WeakerIssuer);
    let leaf = issue(party, &weak, Some((&root, &weak))).unwrap();
    let refused = issue(party, &weak, Some((&leaf, &weak))).unwrap_err();
    assert_eq!(fault(refused), CertificateFault::UnknownIssuer);
    assert_eq!(issue(party, &weak, Some((&root, &key(Curve::P256, 3)))), Err(SecurityError::InvalidKey));

    let certificate = Certificate::from_der(&root).unwrap();
    let new = |serial_number| NewCertificate {
        serial_number,
        validity: VALIDITY,
        subject: party,
        public_key: *certificate.public_key(),
    };
    for serial in [&[][..], &[0], &[1; 21], &[0x80; 20]] {
        let refused = new(serial).issue(&provider(), Some(&certificate), &weak, &mut [0; 1024]).unwrap_err();
        assert_eq!(fault(refused), CertificateFault::SerialNumber);
    }
    let needed = new(&[1]).issue(&provider(), Some(&certificate), &weak, &mut [0; 1024]).unwrap().len();
    for available in 0..needed {
        let refused =
            new(&[1]).issue(&provider(), Some(&certificate), &weak, &mut vec![0; available]).unwrap_err();
        assert!(matches!(refused, SecurityError::BufferTooSmall { .. }), "{available}: {refused:?}");
    }
    assert!(new(&[1]).issue(&provider(), Some(&certificate), &weak, &mut vec![0; needed]).is_ok());
}

#[test]
fn paths_lead_to_a_trust_anchor() {
    let keys: Vec<_> = (1..=6).map(|seed| key(Curve::P256, seed)).collect();
    let root = issue(authority("Root", None), &keys[0], None).unwrap();
    let mut chain = vec![root.clone()];
    for (depth, name) in ["Sub 1", "Sub 2", "Sub 3", "Sub 4"].into_iter().enumerate() {
        let der =
            issue(authority(name, None), &keys[depth + 1], Some((&chain[depth], &keys[depth]))).unwrap();
        chain.push(der);
    }
    let party = Subject::Party(TITLE, KeyUsage::DigitalSignature);
    let leaf_under = |depth: usize| issue(party, &keys[5], Some((&chain[depth], &keys[depth]))).unwrap();
    let verify = |leaf: &[u8], authorities: &[Authority<'_>]| {
        let certificate = Certificate::from_der(leaf).unwrap();
        certificate.verify(&provider(), &authorities, &SIGNATURE).map_err(fault)
    };
    let known: Vec<_> = chain
        .iter()
        .enumerate()
        .map(|(depth, der)| if depth == 0 { anchor(der) } else { subordinate(der) })
        .collect();
    for depth in 0..4 {
        assert_eq!(verify(&leaf_under(depth), &known), Ok(()), "{depth}");
        assert_eq!(verify(&leaf_under(depth), &known[1..]), Err(CertificateFault::UnknownIssuer), "{depth}");
    }
    assert_eq!(verify(&leaf_under(4), &known), Err(CertificateFault::PathTooLong));
    // Without the one in between.
    assert_eq!(
        verify(&leaf_under(2), &[anchor(&chain[0]), subordinate(&chain[2])]),
        Err(CertificateFault::UnknownIssuer)
    );

    // The root allows one authority below it.
    let narrow = issue(authority("Root", Some(1)), &keys[0], None).unwrap();
    let known = [anchor(&narrow), subordinate(&chain[1]), subordinate(&chain[2])];
    assert_eq!(verify(&leaf_under(1), &known), Ok(()));
    assert_eq!(verify(&leaf_under(2), &known), Err(CertificateFault::PathTooLong));
    let second = Certificate::from_der(&chain[2]).unwrap();
    assert_eq!(
        second.verify(&provider(), &known, &AUTHORITY).map_err(fault),
        Err(CertificateFault::PathTooLong)
    );

    // Somebody of the same name with another key.
    let namesake = issue(authority("Root", None), &keys[3], None).unwrap();
    assert_eq!(verify(&leaf_under(0), &[anchor(&namesake)]), Err(CertificateFault::UnknownIssuer));
    // A party is no authority.
    let leaf = leaf_under(0);
    let below = Authority { certificate: Certificate::from_der(&leaf).unwrap(), is_trust_anchor: true };
    assert_eq!(verify(&leaf_under(1), &[below]), Err(CertificateFault::UnknownIssuer));
}

#[test]
fn requests_prove_the_private_key() {
    for curve in [Curve::P256, Curve::P384] {
        let key = key(curve, 5);
        let mut buffer = [0; 512];
        let der = write_request(&provider(), &key, TITLE, &mut buffer).unwrap().to_vec();
        let request = CertificationRequest::from_der(&der).unwrap();
        assert_eq!(
            (request.title(), request.public_key()),
            (Some(TITLE), &provider().public_key(&key).unwrap())
        );
        assert_eq!(request.verify(&provider()), Ok(()));
        for bit in 0..8 * der.len() {
            let mut flipped = der.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            let verified = CertificationRequest::from_der(&flipped)
                .map_err(SecurityError::from)
                .and_then(|request| request.verify(&provider()));
            assert!(verified.is_err(), "bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_octets_are_no_certificate(octets: Vec<u8>) {
        prop_assert!(Certificate::from_der(&octets).is_err());
        prop_assert!(CertificationRequest::from_der(&octets).is_err());
    }

    #[test]
    fn changed_certificates_do_not_panic(
        name in prop::sample::select(&["x509-root-s1", "x509-sign-s2", "x509-sign-s1-san-only", "x509-indefinite"][..]),
        at: prop::sample::Index,
        with: Vec<u8>,
        instead in 0usize..4,
    ) {
        let mut der = certificate(name);
        let at = at.index(der.len());
        der.splice(at..(at + instead).min(der.len()), with);
        if let Err(error) = Certificate::from_der(&der) {
            prop_assert!(error.offset <= der.len());
        }
    }

    #[test]
    fn what_is_issued_is_read_back(
        title: [u8; 8],
        serial in prop::collection::vec(1u8..0x80, 1..20),
        begin in 0u64..253_402_300_799,
        length: u32,
    ) {
        let key = key(Curve::P256, 9);
        let not_before = CertificateTime::from_unix_seconds(begin);
        let not_after = CertificateTime::from_unix_seconds(begin + u64::from(length));
        let new = NewCertificate {
            serial_number: &serial,
            validity: Validity { not_before, not_after },
            subject: Subject::Party(title.into(), KeyUsage::KeyAgreement),
            public_key: provider().public_key(&key).unwrap(),
        };
        let mut buffer = [0; 1024];
        let der = new.issue(&provider(), None, &key, &mut buffer).unwrap();
        let certificate = Certificate::from_der(der).unwrap();
        prop_assert_eq!(certificate.title(), Some(title.into()));
        prop_assert_eq!(certificate.serial_number(), &serial[..]);
        prop_assert_eq!(certificate.validity(), new.validity);
        prop_assert_eq!(certificate.verify_signature(&provider(), &new.public_key), Ok(()));
    }
}
