//! Security setup at both ends: what it shows, how its policy grows, how keys are changed, and what is refused.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/managed.rs"]
mod managed;

use common::public_keys::private_key;
use common::{CLIENT_TITLE, ENERGY, PROVIDER, SERVER_TITLE, config};
use cosem_objects::classes::{self, CertificateIdentification, KeyData, SecuritySetup};
use cosem_objects::{ActionResult, DataAccessResult};
use dlms::client::security_setup::KeyAgreement;
use dlms::client::{ActionItem, Client, ClientConfig, SetItem};
use dlms::server::{AssociationConfig, Event};
use dlms::xdlms::{AttributeDescriptor, MethodDescriptor};
use dlms::{Accepted, KeyPairs, ProtectionError};
use dlms_axdr::{Array, Data, Enum};
use dlms_security::certificate::{
    Certificate, CertificateEntity, CertificateStore, CertificateTime, CertificationRequest, NewCertificate,
    StoredCertificate, Subject, Validity,
};
use dlms_security::keys::{MAX_WRAPPED_KEY, wrap_key};
use dlms_security::{
    AuthenticationMechanism, CryptoProvider, KeyId, KeyPairSlot, KeyUsage, KnownPeer, PrivateKey, Protection,
    PublicKey, PublicKeyProvider, RequiredProtection, SecretKey, SecuritySuite,
};
use managed::{Certificates, Ends, Managed, Medium, Outcome, SETUP, encoded, master_key, suite_key};

const DONE: Outcome = Outcome::Done(ActionResult::Success, None);

fn refused(result: ActionResult) -> Outcome {
    Outcome::Done(result, None)
}

/// The parameter of key_transfer.
fn transfer(suite: SecuritySuite, kek: &SecretKey, keys: &[(u8, SecretKey)]) -> Vec<u8> {
    let provider = common::provider();
    let kek = provider.wrap_key(suite, kek).unwrap();
    let wrapped: Vec<_> = keys
        .iter()
        .map(|(id, key)| {
            let mut buffer = [0; MAX_WRAPPED_KEY];
            (*id, wrap_key(&provider, suite, &kek, key, &mut buffer).unwrap().to_vec())
        })
        .collect();
    let entries: Vec<_> =
        wrapped.iter().map(|(key_id, octets)| KeyData { key_id: *key_id, octets }).collect();
    encoded(&Array(&entries))
}

fn send_transfer(ends: &mut Ends, parameter: &[u8]) -> Outcome {
    ends.setup_method(2, &Data::from_octets(parameter).unwrap())
}

fn energy(ends: &mut Ends) -> Outcome {
    ends.get(3, ENERGY, 2)
}

#[test]
fn on_aws_lc() {
    common::once_more_on_aws_lc();
}

#[test]
fn attributes_are_those_of_the_keys_in_use() {
    for suite in SecuritySuite::ALL {
        let mut ends = Ends::new(suite, 1);
        assert_eq!(ends.associate(), Outcome::Associated);
        assert_eq!(ends.setup_attribute(1), Outcome::Value(encoded(&SETUP)));
        assert_eq!(ends.setup_attribute(2), Outcome::Value(vec![0x16, 0x00]));
        assert_eq!(ends.setup_attribute(3), Outcome::Value(vec![0x16, suite.id()]));
        assert_eq!(ends.setup_attribute(4), Outcome::Value(encoded(CLIENT_TITLE.octets())));
        assert_eq!(ends.setup_attribute(5), Outcome::Value(encoded(SERVER_TITLE.octets())));
        assert_eq!(ends.setup_attribute(6), Outcome::Value(vec![0x01, 0x00]));
        assert_eq!(ends.setup_attribute(7), Outcome::Refused(DataAccessResult::ReadWriteDenied));
        let mut ends = Ends::new(suite, 0);
        assert_eq!(ends.associate(), Outcome::Associated);
        assert_eq!(ends.setup_attribute(6), Outcome::Refused(DataAccessResult::ReadWriteDenied));
        assert_eq!(ends.setup_method(3, &Data::NullData), refused(ActionResult::ReadWriteDenied));
    }
}

#[test]
fn no_attribute_can_be_written() {
    let mut ends = Ends::new(SecuritySuite::Suite0, 1);
    ends.associate();
    for attribute in 1..=6 {
        let item = AttributeDescriptor::new(64, SETUP, attribute);
        let answer = ends.request(|client, env, out| client.set(env, SetItem::new(item, &Enum(0)), out));
        assert_eq!(answer, Outcome::Other("SetDone(ReadWriteDenied)".into()));
    }
}

#[test]
fn the_policy_only_grows() {
    let policies: [(u8, &[u8]); 2] = [(0, &[0, 1, 2, 3]), (1, &[0, 0x04, 0x08, 0x24, 0x6C, 0x48])];
    for (version, codes) in policies {
        for &old in codes {
            for &new in codes {
                let medium = Medium::default();
                let parse = match version {
                    0 => RequiredProtection::from_policy_v0,
                    _ => RequiredProtection::from_policy_v1,
                };
                medium.0.borrow_mut().policies.insert(0, parse(old).unwrap());
                let server = config(AuthenticationMechanism::Gmac, Some(SecuritySuite::Suite0));
                let mut ends = Ends::with(server, SecuritySuite::Suite0, version, medium.clone());
                assert_eq!(ends.associate(), Outcome::Associated);
                let grows = new & old == old;
                let expected = if grows { DONE } else { refused(ActionResult::OtherReason) };
                assert_eq!(ends.setup_method(1, &Enum(new)), expected, "{version}: {old:#x} -> {new:#x}");
                let shown = if grows { new } else { old };
                assert_eq!(ends.setup_attribute(2), Outcome::Value(vec![0x16, shown]));
                assert_eq!(medium.0.borrow().policies[&0], parse(shown).unwrap());
                assert_eq!(medium.0.borrow().installs, usize::from(grows && new != old));
            }
        }
    }
}

#[test]
fn policies_that_nobody_could_meet_or_that_are_none_are_refused() {
    let mut ends = Ends::new(SecuritySuite::Suite1, 1);
    ends.server.meter.key_pairs.clear();
    ends.associate();
    // Reserved bits; signatures without a key pair, and without the client's public key.
    for policy in [0x01, 0x02, 0x10, 0x80, 0xFF] {
        assert_eq!(ends.setup_method(1, &Enum(policy)), refused(ActionResult::OtherReason));
    }
    assert_eq!(ends.setup_method(1, &0x6Cu8), refused(ActionResult::TypeUnmatched));
    let mut ends = Ends::new(SecuritySuite::Suite0, 0);
    ends.associate();
    assert_eq!(ends.setup_method(1, &Enum(4)), refused(ActionResult::OtherReason));
    assert_eq!(ends.server.medium.0.borrow().installs, 0);
}

#[test]
fn a_raised_policy_holds_from_the_next_apdu_and_after_a_restart() {
    let server = AssociationConfig {
        policy: Protection::empty(),
        ..config(AuthenticationMechanism::Gmac, Some(SecuritySuite::Suite0))
    };
    let mut ends = Ends::with(server.clone(), SecuritySuite::Suite0, 1, Medium::default());
    assert_eq!(ends.associate(), Outcome::Associated);
    assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
    assert_eq!(ends.sent.last().unwrap()[0], 0xC0, "nothing is demanded, so nothing is protected");
    assert_eq!(ends.setup_method(1, &Enum(0x6C)), DONE, "the answer is as the request was");
    // A plain APDU is not enough any more.
    assert!(matches!(energy(&mut ends), Outcome::Other(_) | Outcome::Failed(_)));
    let violation = Event::SecurityViolation { error: ProtectionError::Required };
    assert!(core::iter::from_fn(|| ends.server.session.poll_event()).any(|event| event == violation));
    ends.server = Managed::new(server, 1, ends.server.medium.clone());
    // The proof of mechanism 5 would be plain too.
    assert_ne!(ends.associate(), Outcome::Associated);
    let server = config(AuthenticationMechanism::Gmac, Some(SecuritySuite::Suite0));
    let mut ends = Ends::with(server, SecuritySuite::Suite0, 1, ends.server.medium.clone());
    ends.skip_counters(256);
    assert_eq!(ends.associate(), Outcome::Associated);
    assert_eq!(ends.setup_attribute(2), Outcome::Value(vec![0x16, 0x6C]));
}

#[test]
fn keys_change_after_the_answer_under_the_old_ones() {
    for suite in SecuritySuite::ALL {
        let mut ends = Ends::new(suite, 0);
        assert_eq!(ends.associate(), Outcome::Associated);
        let new = [(0, suite_key(suite, 0x31)), (2, suite_key(suite, 0x71))];
        let parameter = transfer(suite, &master_key(suite), &new);
        // The answer is read with the old keys.
        assert_eq!(send_transfer(&mut ends, &parameter), DONE);
        // The old keys are of no use any more, in this association and in a new one.
        assert!(!matches!(energy(&mut ends), Outcome::Value(_)));
        assert_ne!(ends.associate(), Outcome::Associated);
        let [(_, unicast), (_, authentication)] = new;
        ends.follow(&[(KeyId::GlobalUnicast, unicast), (KeyId::Authentication, authentication)]);
        assert_eq!(ends.associate(), Outcome::Associated);
        assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
        // And after a restart.
        let medium = ends.server.medium.clone();
        ends.server = Managed::new(config(AuthenticationMechanism::Gmac, Some(suite)), 0, medium);
        assert_eq!(ends.associate(), Outcome::Associated);
    }
}

#[test]
fn an_open_association_goes_on_with_the_new_keys() {
    let suite = SecuritySuite::Suite2;
    let mut ends = Ends::new(suite, 1);
    ends.associate();
    let parameter = transfer(suite, &master_key(suite), &[(0, suite_key(suite, 0x31))]);
    assert_eq!(send_transfer(&mut ends, &parameter), DONE);
    ends.follow(&[(KeyId::GlobalUnicast, suite_key(suite, 0x31))]);
    assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
}

#[test]
fn all_keys_at_once_and_the_next_ones_under_the_new_master_key() {
    let suite = SecuritySuite::Suite1;
    let mut ends = Ends::new(suite, 1);
    ends.associate();
    let new: Vec<_> = (0..4u8).map(|id| (id, suite_key(suite, 0x10 * id + 0x11))).collect();
    assert_eq!(send_transfer(&mut ends, &transfer(suite, &master_key(suite), &new)), DONE);
    ends.follow(&[(KeyId::GlobalUnicast, new[0].1.clone()), (KeyId::Authentication, new[2].1.clone())]);
    let again = [(0, suite_key(suite, 0x77))];
    let old = transfer(suite, &master_key(suite), &again);
    assert_eq!(send_transfer(&mut ends, &old), refused(ActionResult::OtherReason));
    assert_eq!(send_transfer(&mut ends, &transfer(suite, &new[3].1, &again)), DONE);
    assert!(ends.server.meter.key_rings[1].counter_id().is_some());
}

#[test]
fn what_is_wrong_changes_nothing() {
    let suite = SecuritySuite::Suite0;
    let mut ends = Ends::new(suite, 1);
    ends.associate();
    let kek = master_key(suite);
    let key = |n| suite_key(suite, n);
    let good = transfer(suite, &kek, &[(0, key(1))]);
    let other = ActionResult::OtherReason;
    let mut cases = vec![
        (vec![0x01, 0x00], other),
        (transfer(suite, &kek, &[(0, key(1)), (0, key(2))]), other),
        (transfer(suite, &kek, &[(0, key(1)), (0x80, key(2))]), other),
        (transfer(suite, &kek, &[(4, key(1))]), other),
        (transfer(suite, &kek, &[(0, key(1)), (2, key(1))]), other),
        (transfer(suite, &key(9), &[(0, key(1))]), other),
        (encoded(&Array(&[KeyData { key_id: 0, octets: &[0; 40] }])), other),
        (encoded(&Array(&[KeyData { key_id: 0, octets: &[] }])), other),
        (vec![0x00], ActionResult::TypeUnmatched),
        (vec![0x01, 0x01, 0x00], ActionResult::TypeUnmatched),
    ];
    // Any bit of the wrapped key, in the second entry too.
    let two = transfer(suite, &kek, &[(2, key(3)), (0, key(1))]);
    for at in two.len() - 24..two.len() {
        let mut changed = two.clone();
        changed[at] ^= 1 << (at % 8);
        cases.push((changed, other));
    }
    for (parameter, expected) in cases {
        assert_eq!(send_transfer(&mut ends, &parameter), refused(expected), "{parameter:02X?}");
        assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
    }
    // Within a list, beside another method.
    let method = MethodDescriptor::new(64, SETUP, 2);
    let parameter = Data::from_octets(&good).unwrap();
    let items = [ActionItem::new(method, &parameter)];
    let answer = ends.request(|client, env, out| client.action_with_list(env, &items, out));
    assert!(matches!(&answer, Outcome::Other(text) if text.contains("ActionListDone")), "{answer:?}");
    assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
    assert_eq!(ends.server.medium.0.borrow().installs, 0);
}

#[test]
fn keys_come_only_in_confidence() {
    for protection in [Protection::empty(), Protection::AUTHENTICATED] {
        let suite = SecuritySuite::Suite0;
        let server =
            AssociationConfig { policy: protection, ..config(AuthenticationMechanism::Gmac, Some(suite)) };
        let mut ends = Ends::with(server, suite, 1, Medium::default());
        assert_eq!(ends.associate(), Outcome::Associated);
        let parameter = transfer(suite, &master_key(suite), &[(0, suite_key(suite, 1))]);
        assert_eq!(send_transfer(&mut ends, &parameter), refused(ActionResult::ReadWriteDenied));
        assert_eq!(ends.server.medium.0.borrow().installs, 0);
    }
}

#[test]
fn counters_belong_to_key_values() {
    let suite = SecuritySuite::Suite0;
    let mut ends = Ends::new(suite, 1);
    ends.associate();
    let (original, _) = common::keys(suite);
    let counter = |ends: &Ends| ends.server.meter.security[0].upcoming_counter().value();
    let floor = |ends: &Ends| ends.server.meter.security[0].lowest_acceptable(CLIENT_TITLE).value();
    for _ in 0..10 {
        energy(&mut ends);
    }
    // A new authentication key alone, or the key that is in use, touches no counter.
    let kek = master_key(suite);
    for (id, key) in [(2, suite_key(suite, 0x44)), (0, original.clone())] {
        let before = (counter(&ends), floor(&ends));
        assert_eq!(send_transfer(&mut ends, &transfer(suite, &kek, &[(id, key.clone())])), DONE);
        if id == 2 {
            ends.follow(&[(KeyId::Authentication, key)]);
        }
        assert_eq!((counter(&ends), floor(&ends)), (before.0 + 1, before.1 + 1));
    }
    let (sent, heard) = (counter(&ends), floor(&ends));
    let last_request = ends.sent.last().unwrap().clone();
    // A new key starts at zero.
    let new = suite_key(suite, 0x55);
    assert_eq!(send_transfer(&mut ends, &transfer(suite, &kek, &[(0, new.clone())])), DONE);
    assert_eq!((counter(&ends), floor(&ends)), (0, 0));
    ends.follow(&[(KeyId::GlobalUnicast, new)]);
    assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
    // The old one comes back with its counters: neither is an old request heard again nor a nonce used twice.
    assert_eq!(send_transfer(&mut ends, &transfer(suite, &kek, &[(0, original.clone())])), DONE);
    let answer = ends.server.exchange(&last_request).unwrap();
    assert_eq!(answer[..3], [0xD8, 0x01, 0x06], "invocation counter error");
    ends.follow(&[(KeyId::GlobalUnicast, original)]);
    ends.skip_counters(heard + 1000);
    assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
    assert!(counter(&ends) > sent && floor(&ends) > heard, "{} {}", counter(&ends), floor(&ends));
}

#[test]
fn a_power_cut_leaves_all_of_a_change_or_nothing() {
    let suite = SecuritySuite::Suite0;
    let new = [(0, suite_key(suite, 0x31)), (2, suite_key(suite, 0x71))];
    for writes in 0..6 {
        let mut ends = Ends::new(suite, 1);
        ends.associate();
        let medium = ends.server.medium.clone();
        // The floor of the request itself is written first.
        medium.0.borrow_mut().writes_left = Some(1 + writes);
        let answer = send_transfer(&mut ends, &transfer(suite, &master_key(suite), &new));
        medium.0.borrow_mut().writes_left = None;
        let is_installed = medium.0.borrow().installs > 0;
        assert_eq!(is_installed, writes > 0);
        // Without storage nothing changes, and the association goes on under the old keys.
        if !is_installed {
            assert_eq!(answer, refused(ActionResult::HardwareFault));
            assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
        }
        // Whatever the client heard: after a restart one of the two states is there, whole.
        let floors: Vec<_> = ends.server.meter.security[0].windows().collect();
        let id = ends.server.meter.security[0].counter_id();
        ends.server = Managed::new(config(AuthenticationMechanism::Gmac, Some(suite)), 1, medium);
        if is_installed {
            ends.follow(&[
                (KeyId::GlobalUnicast, new[0].1.clone()),
                (KeyId::Authentication, new[1].1.clone()),
            ]);
        } else {
            assert_eq!(ends.server.meter.security[0].counter_id(), id);
            for (peer, lowest) in floors {
                ends.server.meter.security[0].restore_window(peer, lowest).unwrap();
            }
        }
        assert_eq!(ends.associate(), Outcome::Associated, "after {writes} writes");
    }
}

/// The suites that have key pairs.
const ASYMMETRIC: [SecuritySuite; 2] = [SecuritySuite::Suite1, SecuritySuite::Suite2];

fn agree(ends: &mut Ends, ids: &[KeyId]) -> (KeyAgreement, Outcome) {
    let signing_key = signing_key(ends);
    let mut buffer = [0; 1024];
    let (agreement, parameter) = KeyAgreement::begin(&*PROVIDER, &signing_key, ids, &mut buffer).unwrap();
    let answer = ends.setup_method(3, &parameter);
    (agreement, answer)
}

fn signing_key(ends: &Ends) -> PrivateKey {
    private_key(ends.security.suite().curve().unwrap(), CLIENT_TITLE, KeyUsage::DigitalSignature)
}

#[test]
fn keys_are_agreed_on() {
    for suite in ASYMMETRIC {
        let mut ends = Ends::new(suite, 1);
        assert_eq!(ends.associate(), Outcome::Associated);
        let server = ends.server.meter.peers.public_key(SERVER_TITLE, KeyUsage::DigitalSignature).unwrap();
        for ids in
            [&[KeyId::GlobalUnicast][..], &[KeyId::Authentication, KeyId::GlobalBroadcast], &[KeyId::Master]]
        {
            let (agreement, answer) = agree(&mut ends, ids);
            let Outcome::Done(ActionResult::Success, Some(value)) = answer else { panic!("{answer:?}") };
            let answer = Data::from_octets(&value).unwrap();
            let keys = agreement
                .finish(&*PROVIDER, &*PROVIDER, &server, [CLIENT_TITLE, SERVER_TITLE], answer)
                .unwrap();
            ends.follow(&keys);
            assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)), "{ids:?}");
            assert_eq!(ends.associate(), Outcome::Associated);
            if ids == [KeyId::Master] {
                let parameter = transfer(suite, &keys[0].1, &[(2, suite_key(suite, 0x41))]);
                assert_eq!(send_transfer(&mut ends, &parameter), DONE);
            }
        }
    }
}

#[test]
fn agreements_that_are_not_sound_change_nothing() {
    for suite in ASYMMETRIC {
        let mut ends = Ends::new(suite, 1);
        ends.associate();
        let other = refused(ActionResult::OtherReason);
        let key = signing_key(&ends);
        let begin = |ids: &[KeyId], key: &PrivateKey| {
            let mut buffer = [0; 1024];
            encoded(&KeyAgreement::begin(&*PROVIDER, key, ids, &mut buffer).unwrap().1)
        };
        let good = begin(&[KeyId::GlobalUnicast], &key);
        // Each octet of key_id, point and signature; the length of what stands before is 7 or 8 octets.
        let mut cases: Vec<Vec<u8>> = (5..good.len())
            .step_by(if suite == SecuritySuite::Suite1 { 7 } else { 31 })
            .filter(|at| !(6..=8).contains(at))
            .map(|at| {
                let mut changed = good.clone();
                changed[at] ^= 1;
                changed
            })
            .collect();
        let stranger = private_key(key.curve(), SERVER_TITLE, KeyUsage::KeyAgreement);
        cases.push(begin(&[KeyId::GlobalUnicast], &stranger));
        // The server's own signature key, as if its answer came back to it.
        let own = private_key(key.curve(), SERVER_TITLE, KeyUsage::DigitalSignature);
        cases.push(begin(&[KeyId::GlobalUnicast], &own));
        cases.push(begin(&[KeyId::GlobalUnicast, KeyId::GlobalUnicast], &key));
        cases.push(vec![0x01, 0x00]);
        // The answer would not fit into one APDU of this client.
        if suite == SecuritySuite::Suite2 {
            cases.push(begin(&KeyId::ALL, &key));
        }
        for case in cases {
            let answer = ends.setup_method(3, &Data::from_octets(&case).unwrap());
            assert_eq!(answer, other, "{suite:?} {case:02X?}");
            assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
        }
        assert_eq!(ends.server.medium.0.borrow().installs, 0);
    }
}

/// A certification authority for the tests.
struct Authority {
    key: PrivateKey,
    der: Vec<u8>,
    serial: u8,
}

impl Authority {
    fn new(suite: SecuritySuite) -> Self {
        Self::with_key(suite, 0x5A)
    }

    fn with_key(suite: SecuritySuite, octet: u8) -> Self {
        let curve = suite.curve().unwrap();
        let key = PrivateKey::new(curve, &vec![octet; curve.coordinate_len()]).unwrap();
        let subject = Subject::Authority { organization: "Utility", common_name: "Root", path_length: None };
        let mut authority = Self { key, der: Vec::new(), serial: 1 };
        authority.der = authority.issue(subject, PROVIDER.public_key(&authority.key).unwrap());
        authority
    }

    fn issue(&mut self, subject: Subject<'_>, public_key: PublicKey) -> Vec<u8> {
        let not_before = CertificateTime::from_date(2026, 1, 1).unwrap();
        let not_after = CertificateTime::from_date(2046, 1, 1).unwrap();
        let validity = Validity { not_before, not_after };
        let new = NewCertificate { serial_number: &[self.serial], validity, subject, public_key };
        self.serial += 1;
        let own = (!self.der.is_empty()).then(|| Certificate::from_der(&self.der).unwrap());
        let mut buffer = [0; 1024];
        new.issue(&*PROVIDER, own.as_ref(), &self.key, &mut buffer).unwrap().to_vec()
    }

    fn trusted_by(&self, certificates: &Certificates) {
        let certificate = Certificate::from_der(&self.der).unwrap();
        let entity = CertificateEntity::CertificationAuthority;
        certificates.insert(&StoredCertificate { entity, is_trust_anchor: true, certificate }).unwrap();
    }

    /// Certifies what a meter asks for.
    fn certify(&mut self, request: &[u8], usage: KeyUsage) -> Vec<u8> {
        let request = CertificationRequest::from_der(request).unwrap();
        request.verify(&*PROVIDER).unwrap();
        self.issue(Subject::Party(request.title().unwrap(), usage), *request.public_key())
    }
}

fn octet_string(answer: Outcome) -> Vec<u8> {
    let Outcome::Done(ActionResult::Success, Some(value)) = answer else { panic!("{answer:?}") };
    let Data::OctetString(octets) = Data::from_octets(&value).unwrap() else { panic!() };
    octets.to_vec()
}

#[test]
fn key_pairs_and_certificates_from_birth_to_removal() {
    let usage = KeyUsage::DigitalSignature;
    let by_entity = |entity, title| CertificateIdentification::ByEntity {
        entity,
        certificate_type: classes::CertificateType::DigitalSignature,
        system_title: title,
    };
    let own = by_entity(classes::CertificateEntity::Server, SERVER_TITLE.octets());
    for suite in ASYMMETRIC {
        let mut authority = Authority::new(suite);
        let mut ends = Ends::new(suite, 1);
        let number = usize::from(suite.id());
        let store = ends.server.medium.1.clone();
        authority.trusted_by(&store);
        ends.server.trusts_certificates = true;
        assert_eq!(ends.associate(), Outcome::Associated);
        let before = ends.server.meter.key_pairs[number].in_use(usage).unwrap().expose().to_vec();
        let other = refused(ActionResult::OtherReason);

        // A new pair waits; the old one stays in use, also over a restart.
        assert_eq!(ends.setup_method(4, &Enum(0)), DONE);
        assert_eq!(ends.setup_method(4, &Enum(3)), other);
        let request = octet_string(ends.setup_method(5, &Enum(0)));
        let parsed = CertificationRequest::from_der(&request).unwrap();
        assert_eq!(parsed.title(), Some(SERVER_TITLE));
        let in_use =
            |ends: &Ends| ends.server.meter.key_pairs[number].in_use(usage).map(|key| key.expose().to_vec());
        assert_eq!(in_use(&ends), Some(before.clone()));
        let pending = ends.server.meter.key_pairs[number].pending(usage).unwrap().expose().to_vec();
        let medium = ends.server.medium.clone();
        ends.server = Managed::new(config(AuthenticationMechanism::Gmac, Some(suite)), 1, medium.clone());
        ends.server.trusts_certificates = true;
        // The floors are not on this medium.
        assert_eq!(ends.associate(), Outcome::Associated);
        assert_eq!(ends.server.meter.key_pairs[number].pending(usage).unwrap().expose(), pending);

        // What does not verify, or is for another key, is not imported.
        let certificate = authority.certify(&request, usage);
        let mut forged = certificate.clone();
        *forged.last_mut().unwrap() ^= 1;
        let strange = PROVIDER.public_key(&authority.key).unwrap();
        let strange = authority.issue(Subject::Party(SERVER_TITLE, usage), strange);
        let mut nobody = Authority::with_key(suite, 0x5B);
        let untrusted = nobody.certify(&request, usage);
        for wrong in [&forged, &strange, &untrusted, &nobody.der] {
            assert_eq!(ends.setup_method(6, &Data::OctetString(wrong)), other);
        }
        assert_eq!(ends.setup_method(6, &0u8), refused(ActionResult::TypeUnmatched));
        assert_eq!(in_use(&ends), Some(before));
        assert_eq!(ends.setup_method(6, &Data::OctetString(&certificate)), DONE);
        assert_eq!(in_use(&ends), Some(pending.clone()));
        assert!(ends.server.meter.key_pairs[number].pending(usage).is_none());

        // A client's certificate makes its key known: it can agree on keys from now on.
        let (_, answer) = agree(&mut ends, &[KeyId::GlobalUnicast]);
        assert_eq!(answer, other);
        let client = PROVIDER.public_key(&signing_key(&ends)).unwrap();
        let client = authority.issue(Subject::Party(CLIENT_TITLE, usage), client);
        assert_eq!(ends.setup_method(6, &Data::OctetString(&client)), DONE);
        let (agreement, answer) = agree(&mut ends, &[KeyId::GlobalUnicast]);
        let Outcome::Done(ActionResult::Success, Some(value)) = answer else { panic!("{answer:?}") };
        let server = *Certificate::from_der(&certificate).unwrap().public_key();
        let answer = Data::from_octets(&value).unwrap();
        let keys =
            agreement.finish(&*PROVIDER, &*PROVIDER, &server, [CLIENT_TITLE, SERVER_TITLE], answer).unwrap();
        ends.follow(&keys);

        // What is there can be seen and read.
        let Outcome::Value(list) = ends.setup_attribute(6) else { panic!() };
        let list = SecuritySetup::CERTIFICATES.decode(Data::from_octets(&list).unwrap()).unwrap();
        let entities: Vec<_> = list.map(|info| info.unwrap().entity.code()).collect();
        assert_eq!(entities, [2, 0, 1]);
        assert_eq!(octet_string(ends.setup_method(7, &own)), certificate);
        let parsed = Certificate::from_der(&client).unwrap();
        let by_number = CertificateIdentification::BySerialNumber {
            serial_number: parsed.serial_number(),
            issuer: parsed.issuer().der(),
        };
        assert_eq!(octet_string(ends.setup_method(7, &by_number)), client);
        let unknown = by_entity(classes::CertificateEntity::Other, b"NOBODY!!");
        assert_eq!(ends.setup_method(7, &unknown), other);

        // The trust anchor stays; the server's certificate takes its private key along.
        let parsed = Certificate::from_der(&authority.der).unwrap();
        let anchor = CertificateIdentification::BySerialNumber {
            serial_number: parsed.serial_number(),
            issuer: parsed.issuer().der(),
        };
        assert_eq!(octet_string(ends.setup_method(7, &anchor)), authority.der);
        assert_eq!(ends.setup_method(8, &anchor), other);
        assert_eq!(ends.setup_method(8, &by_number), DONE);
        assert_eq!(agree(&mut ends, &[KeyId::GlobalUnicast]).1, other);
        assert_eq!(ends.setup_method(8, &own), DONE);
        assert_eq!(in_use(&ends), None);
        assert!(!medium.0.borrow().pairs.values().any(|key| key.expose() == pending));
        assert_eq!(ends.setup_method(8, &own), other);
    }
}

/// The answer to the request that replaces or removes the meter's signature key is still signed with it.
#[test]
fn a_key_pair_changes_after_the_answer_that_it_signs() {
    let (suite, usage) = (SecuritySuite::Suite1, KeyUsage::DigitalSignature);
    let mut authority = Authority::new(suite);
    let server = AssociationConfig {
        conformance: AssociationConfig::SUPPORTED,
        ..config(AuthenticationMechanism::Gmac, Some(suite))
    };
    let mut ends = Ends::with(server, suite, 1, Medium::default());
    authority.trusted_by(&ends.server.medium.1);
    let first = ends.server.meter.peers.public_key(SERVER_TITLE, usage);
    let known = |key| ([KeyPairs::new()], [KnownPeer { title: SERVER_TITLE, keys: [key, None, None] }]);
    ends.trusted = Some(known(first));
    let accepted = Accepted::default() | Accepted::SIGNING;
    let client = ClientConfig { accepted, ..ends.client.config().clone() };
    ends.client = Client::new(client, vec![0; 2048]);
    assert_eq!(ends.associate(), Outcome::Associated);
    ends.server.meter.security[1].set_policy(RequiredProtection::SIGNED_RESPONSE);
    assert_eq!(ends.setup_method(4, &Enum(0)), DONE);
    let request = octet_string(ends.setup_method(5, &Enum(0)));
    let second = *CertificationRequest::from_der(&request).unwrap().public_key();
    let certificate = authority.certify(&request, usage);
    // In a list nothing happens to the pair that waits for the answer.
    let import = Data::OctetString(&certificate);
    let items = [
        ActionItem::new(MethodDescriptor::new(64, SETUP, 6), &import),
        ActionItem::new(MethodDescriptor::new(64, SETUP, 4), &Enum(0)),
    ];
    let answer = ends.request(|client, env, out| client.action_with_list(env, &items, out));
    assert!(matches!(&answer, Outcome::Other(text) if text.contains("OtherReason")), "{answer:?}");
    assert!(matches!(energy(&mut ends), Outcome::Failed(_)), "signed with the new key");
    ends.client.cancel();
    ends.trusted = Some(known(Some(second)));
    assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));

    assert_eq!(ends.setup_method(4, &Enum(0)), DONE);
    let request = octet_string(ends.setup_method(5, &Enum(0)));
    let third = *CertificationRequest::from_der(&request).unwrap().public_key();
    let certificate = authority.certify(&request, usage);
    assert_eq!(ends.setup_method(6, &Data::OctetString(&certificate)), DONE);
    ends.trusted = Some(known(Some(third)));
    assert_eq!(energy(&mut ends), Outcome::Value(encoded(&5009u32)));
    let own = CertificateIdentification::ByEntity {
        entity: classes::CertificateEntity::Server,
        certificate_type: classes::CertificateType::DigitalSignature,
        system_title: SERVER_TITLE.octets(),
    };
    assert_eq!(ends.setup_method(8, &own), DONE);
    assert!(ends.server.meter.key_pairs[1].in_use(usage).is_none());
    assert!(!matches!(energy(&mut ends), Outcome::Value(_)), "nothing is answered that cannot be signed");
}

#[test]
fn a_power_cut_between_certificate_and_key_pair_is_made_good() {
    let (suite, usage) = (SecuritySuite::Suite1, KeyUsage::DigitalSignature);
    let mut authority = Authority::new(suite);
    let mut ends = Ends::new(suite, 1);
    authority.trusted_by(&ends.server.medium.1);
    ends.associate();
    assert_eq!(ends.setup_method(4, &Enum(0)), DONE);
    let request = octet_string(ends.setup_method(5, &Enum(0)));
    let certificate = authority.certify(&request, usage);
    let pending = ends.server.meter.key_pairs[1].pending(usage).unwrap().expose().to_vec();
    let medium = ends.server.medium.clone();
    medium.0.borrow_mut().refuses_installs = true;
    let answer = ends.setup_method(6, &Data::OctetString(&certificate));
    assert_eq!(answer, refused(ActionResult::HardwareFault));
    medium.0.borrow_mut().refuses_installs = false;
    let mut server = Managed::new(config(AuthenticationMechanism::Gmac, Some(suite)), 1, medium.clone());
    assert_ne!(server.meter.key_pairs[1].in_use(usage).unwrap().expose(), pending);
    let pairs = &mut server.meter.key_pairs[1];
    server.manager.recover(1, &*medium.1, &*PROVIDER, SERVER_TITLE, pairs).unwrap();
    assert_eq!(pairs.in_use(usage).unwrap().expose(), pending);
    assert!(medium.0.borrow().pairs.contains_key(&(1, 0, KeyPairSlot::InUse)));
}
