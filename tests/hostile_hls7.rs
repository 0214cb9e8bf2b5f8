//! A hostile peer during mechanism 7: reflection, chosen challenges, our own title, wrong keys, changed proofs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::time::Duration;

use common::public_keys::{key_pairs, peers_on, private_key};
use common::{CLIENT_TITLE, ENERGY, Link, PROVIDER, Provider, SERVER_TITLE, config, provider, unhex};
use dlms::acse::{Aare, Aarq, AuthenticationValue};
use dlms::client::{Client, ClientConfig, ClientError, Environment, Refusal};
use dlms::server::{self, AssociationConfig, RefusalReason};
use dlms::xdlms::AttributeDescriptor;
use dlms::{KeyPairs, PublicKeys};
use dlms_axdr::Encoder;
use dlms_security::{
    AuthenticationMechanism, Curve, KeyUsage, NoStore, PeerKeys, Protection, PublicKey, PublicKeyProvider,
    SecurityError, SystemTitle,
};

const MECHANISM: AuthenticationMechanism = AuthenticationMechanism::Ecdsa;

/// A client in the plain context, where everything can be read and changed.
struct Victim {
    client: Client<Provider, Vec<u8>>,
    provider: Provider,
    pairs: [KeyPairs; 1],
    peers: Box<dyn PeerKeys>,
    out: Vec<u8>,
}

fn plain_client() -> ClientConfig {
    ClientConfig {
        ciphered: false,
        mechanism: MECHANISM,
        policy: Protection::empty(),
        client_title: Some(CLIENT_TITLE),
        ..ClientConfig::hls_gmac()
    }
}

fn plain_server() -> AssociationConfig {
    AssociationConfig { security: Some(1), ..config(MECHANISM, None) }
}

impl Victim {
    fn new(config: ClientConfig) -> Self {
        let title = config.client_title.unwrap();
        Self {
            client: Client::new(config, vec![0; 512]),
            provider: provider(),
            pairs: [key_pairs(dlms_security::SecuritySuite::Suite1, title)],
            peers: Box::new(peers_on(Curve::P256)),
            out: vec![0; 1024],
        }
    }

    fn with<T>(
        &mut self,
        run: impl FnOnce(&mut Client<Provider, Vec<u8>>, &mut Environment<'_, Provider>, &mut [u8]) -> T,
    ) -> T {
        let mut env = Environment {
            provider: &self.provider,
            counters: &mut NoStore,
            security: None,
            key_ring: None,
            public_keys: Some(PublicKeys { provider: &*PROVIDER, own: &mut self.pairs, peers: &*self.peers }),
            manufacturer: None,
            now: Duration::ZERO,
        };
        run(&mut self.client, &mut env, &mut self.out)
    }

    fn asks(&mut self) -> Vec<u8> {
        let range = self.with(|client, env, out| client.associate(env, out)).unwrap();
        self.out[range].to_vec()
    }

    /// What is sent next, and what was said about it.
    fn hears(&mut self, apdu: &[u8]) -> (Option<Vec<u8>>, String) {
        let mut apdu = apdu.to_vec();
        let (range, text) = self.with(|client, env, out| match client.handle_apdu(env, &mut apdu, out) {
            Ok(reaction) => (reaction.transmit, format!("{:?}", reaction.event)),
            Err(error) => (None, format!("{error:?}")),
        });
        (range.map(|range| self.out[range].to_vec()), text)
    }
}

fn aare<'a>(apdu: &'a [u8], change: impl FnOnce(&mut Aare<'a>)) -> Vec<u8> {
    let mut aare = Aare::from_octets(apdu).unwrap();
    change(&mut aare);
    let mut out = vec![0; 1024];
    let mut encoder = Encoder::new(&mut out);
    aare.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

fn aarq<'a>(apdu: &'a [u8], change: impl FnOnce(&mut Aarq<'a>)) -> Vec<u8> {
    let mut aarq = Aarq::from_octets(apdu).unwrap();
    change(&mut aarq);
    let mut out = vec![0; 1024];
    let mut encoder = Encoder::new(&mut out);
    aarq.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

/// The octets of the challenge in an AARQ.
fn challenge_of(apdu: &[u8]) -> Vec<u8> {
    Aarq::from_octets(apdu).unwrap().authentication_value.unwrap().charstring().unwrap().to_vec()
}

#[test]
fn the_client_refuses_reflection_and_its_own_title() {
    let mut link = Link::new(plain_server());
    let mut victim = Victim::new(plain_client());
    let request = victim.asks();
    let answer = link.exchange(&request).unwrap();
    let ctos = challenge_of(&request);
    for length in [8, 31, 65] {
        let challenge = vec![7; length];
        let mut victim = Victim::new(plain_client());
        victim.asks();
        let short = aare(&answer, |aare| {
            aare.authentication_value = Some(AuthenticationValue::Charstring(&challenge))
        });
        let (sent, text) = victim.hears(&short);
        assert!(text.contains("Challenge") && sent.is_none_or(|apdu| apdu[0] == 0x62), "{length} {text}");
    }
    let reflected =
        aare(&answer, |aare| aare.authentication_value = Some(AuthenticationValue::Charstring(&ctos)));
    let (sent, text) = victim.hears(&reflected);
    assert!(text.contains("Challenge"), "{text}");
    assert_eq!(sent.unwrap()[0], 0x62, "a release, no proof");

    let mut victim = Victim::new(plain_client());
    victim.asks();
    let ours = aare(&answer, |aare| aare.responding_ap_title = Some(CLIENT_TITLE.octets()));
    let (sent, text) = victim.hears(&ours);
    assert!(text.contains("ServerTitle") && sent.is_none_or(|apdu| apdu[0] == 0x62), "{text}");

    // A title that nobody vouches for, and one that is another's.
    let mut victim = Victim::new(plain_client());
    victim.asks();
    let unknown = aare(&answer, |aare| aare.responding_ap_title = Some(b"XXX\0\0\0\0\x09"));
    let (sent, text) = victim.hears(&unknown);
    assert!(text.contains("ServerCertificate") && sent.is_none_or(|apdu| apdu[0] == 0x62), "{text}");
}

/// The title of a signer begins with a small octet, and the challenge makes its message a header of general-signing
/// around a command.
#[test]
fn nobody_signs_a_challenge_that_is_a_command() {
    let title = SystemTitle::from_octets([0x0F, 0x0E, 0x0D, 0x0C, 0x0B, 0x0A, 0x09, 0x01]);
    let command = unhex(
        "080F0E0D0C0B0A0901085055424D545230310000C101C100010000600100FF0200093D0000000000000000000000000000000000000000000000000000000000",
    );
    let mut link = Link::new(plain_server());
    let answer = link.exchange(&Victim::new(plain_client()).asks()).unwrap();
    let hostile = |stoc: &[u8]| {
        let mut victim = Victim::new(ClientConfig { client_title: Some(title), ..plain_client() });
        victim.asks();
        let changed =
            aare(&answer, |aare| aare.authentication_value = Some(AuthenticationValue::Charstring(stoc)));
        victim.hears(&changed)
    };
    let (sent, text) = hostile(&command);
    assert!(text.contains(&format!("{:?}", Refusal::Security(SecurityError::Reflection))), "{text}");
    assert!(sent.is_none_or(|apdu| apdu[0] == 0x62), "no signature leaves");
    let (sent, _) = hostile(&[7; 64]);
    assert_eq!(sent.unwrap()[0], 0xC3, "any other challenge is answered");
}

#[test]
fn the_server_refuses_what_it_cannot_tell() {
    let request = Victim::new(plain_client()).asks();
    let refused = |apdu: &[u8], reason| {
        let mut link = Link::new(plain_server());
        let answer = link.exchange(apdu).unwrap();
        assert!(Aare::from_octets(&answer).unwrap().authentication_value.is_none());
        let told = core::iter::from_fn(|| link.session.poll_event()).collect::<Vec<_>>();
        assert!(told.contains(&server::Event::Refused { reason }), "{told:?}");
        assert!(link.session.is_idle());
    };
    for length in [0, 8, 31, 65] {
        let challenge = vec![7; length];
        let changed = aarq(&request, |aarq| {
            aarq.authentication_value = Some(AuthenticationValue::Charstring(&challenge))
        });
        refused(&changed, RefusalReason::Authentication);
    }
    refused(
        &aarq(&request, |aarq| aarq.calling_ap_title = Some(b"XXX\0\0\0\0\x09")),
        RefusalReason::Authentication,
    );
    refused(&aarq(&request, |aarq| aarq.calling_ap_title = None), RefusalReason::CallingApTitle);
    refused(
        &aarq(&request, |aarq| aarq.calling_ap_title = Some(SERVER_TITLE.octets())),
        RefusalReason::CallingApTitle,
    );
    // A certificate is worth nothing unless somebody verifies it.
    refused(
        &aarq(&request, |aarq| {
            aarq.calling_ap_title = Some(b"XXX\0\0\0\0\x09");
            aarq.calling_ae_qualifier = Some(&[0x30, 0x00]);
        }),
        RefusalReason::Authentication,
    );
}

/// Passes 1 to 3 of a right handshake.
fn three_passes() -> (Victim, Link, Vec<u8>) {
    let (mut victim, mut link) = (Victim::new(plain_client()), Link::new(plain_server()));
    let answer = link.exchange(&victim.asks()).unwrap();
    let (proof, _) = victim.hears(&answer);
    (victim, link, proof.unwrap())
}

#[test]
fn a_changed_proof_ends_the_attempt() {
    // The proof of pass 3 begins behind `C3 01 invoke class name method 01 09 40`.
    const PROOF: usize = 3 + 9 + 1 + 2;
    let (_, _, right) = three_passes();
    assert_eq!(right[PROOF - 2..PROOF], [0x09, 0x40]);
    for bit in (0..64 * 8).step_by(5) {
        let (_, mut link, mut proof) = three_passes();
        proof[PROOF + bit / 8] ^= 0x80 >> (bit % 8);
        let answer = link.exchange(&proof).unwrap();
        assert_eq!((answer[0], answer[3]), (0xC7, 3), "read-write-denied");
        assert!(link.session.is_idle());
        // There is no second try.
        proof[PROOF + bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(link.exchange(&proof).unwrap()[0], 0xD8);
    }
    for wrong in [vec![], vec![0; 64], right[PROOF..PROOF + 63].to_vec(), vec![0xFF; 64], vec![1; 96]] {
        let (_, mut link, proof) = three_passes();
        let mut apdu = proof[..PROOF - 1].to_vec();
        apdu.push(wrong.len() as u8);
        apdu.extend(wrong);
        link.exchange(&apdu);
        assert!(link.session.is_idle());
    }
}

#[test]
fn the_client_is_not_associated_before_the_server_has_proved_itself() {
    // The proof of pass 4 begins behind `C7 01 invoke 00 01 00 09 40`.
    const PROOF: usize = 8;
    for bit in (0..64 * 8).step_by(17) {
        let (mut victim, mut link, proof) = three_passes();
        let mut answer = link.exchange(&proof).unwrap();
        answer[PROOF + bit / 8] ^= 0x80 >> (bit % 8);
        let (_, text) = victim.hears(&answer);
        assert!(text.contains("ServerProof"), "{text}");
        assert!(victim.client.agreement().is_none());
    }
    // The client's own proof, sent back.
    let (mut victim, _, proof) = three_passes();
    let own = &proof[15..];
    let answer = [&[0xC7, 0x01, proof[2], 0x00, 0x01, 0x00, 0x09, 0x40], own].concat();
    let (_, text) = victim.hears(&answer);
    assert!(text.contains("ServerProof"), "{text}");
    // And nothing can be asked before.
    let (mut victim, _, _) = three_passes();
    let energy = AttributeDescriptor::new(3, ENERGY, 2);
    let asked = victim.with(|client, env, out| client.get(env, energy.into(), out));
    assert_eq!(asked, Err(ClientError::State));
    // The right one.
    let (mut victim, mut link, proof) = three_passes();
    let (_, text) = victim.hears(&link.exchange(&proof).unwrap());
    assert!(text.contains("Associated"), "{text}");
}

/// The signature of somebody else whom the server knows, and a key pair for another purpose.
#[test]
fn only_the_signature_key_of_the_client_counts() {
    for key in [
        private_key(Curve::P256, SERVER_TITLE, KeyUsage::DigitalSignature),
        private_key(Curve::P256, CLIENT_TITLE, KeyUsage::KeyAgreement),
    ] {
        let (mut victim, mut link) = (Victim::new(plain_client()), Link::new(plain_server()));
        victim.pairs[0].set_in_use(KeyUsage::DigitalSignature, Some(key));
        let answer = link.exchange(&victim.asks()).unwrap();
        let (proof, _) = victim.hears(&answer);
        assert_eq!(link.exchange(&proof.unwrap()).unwrap()[3], 3);
    }
}

#[test]
fn an_association_without_keys_refuses_mechanism_7() {
    let request = Victim::new(plain_client()).asks();
    let mut link = Link::new(plain_server());
    link.meter.key_pairs = vec![KeyPairs::new(); 3];
    assert_eq!(Aare::from_octets(&link.exchange(&request).unwrap()).unwrap().authentication_value, None);
    let mut client = Client::<Provider, Vec<u8>>::new(plain_client(), vec![]);
    let provider = provider();
    let mut env = Environment {
        provider: &provider,
        counters: &mut NoStore,
        security: None,
        key_ring: None,
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    };
    let asked = client.associate(&mut env, &mut [0; 512]);
    assert!(matches!(asked, Err(ClientError::Configuration(_))));
}

/// Knows nobody, and believes certificates that say `certificate of` and a title.
struct Believer;

impl PeerKeys for Believer {
    fn public_key(&self, _: SystemTitle, _: KeyUsage) -> Option<PublicKey> {
        None
    }

    fn certified_key(
        &self,
        provider: &dyn PublicKeyProvider,
        certificate: &[u8],
        owner: SystemTitle,
        usage: KeyUsage,
    ) -> Option<PublicKey> {
        (certificate == certificate_of(owner))
            .then(|| provider.public_key(&private_key(Curve::P256, owner, usage)).unwrap())
    }

    fn show_certificate(&self, owner: SystemTitle, _: KeyUsage, show: &mut dyn FnMut(&[u8])) {
        show(&certificate_of(owner));
    }
}

fn certificate_of(owner: SystemTitle) -> Vec<u8> {
    [&b"certificate of "[..], owner.octets()].concat()
}

#[test]
fn certificates_come_along_in_the_ae_qualifier() {
    for (presents, certified) in [(false, CLIENT_TITLE), (true, CLIENT_TITLE), (true, SERVER_TITLE)] {
        let mut victim = Victim::new(ClientConfig { presents_certificate: presents, ..plain_client() });
        victim.peers = Box::new(Believer);
        let mut link = Link::new(AssociationConfig { presents_certificate: true, ..plain_server() });
        link.meter.peers = Box::new(Believer);
        let mut request = victim.asks();
        let carried = Aarq::from_octets(&request).unwrap().calling_ae_qualifier.map(<[u8]>::to_vec);
        assert_eq!(carried, presents.then(|| certificate_of(CLIENT_TITLE)));
        let other = certificate_of(certified);
        if presents {
            request = aarq(&request, |aarq| aarq.calling_ae_qualifier = Some(&other));
        }
        let answer = link.exchange(&request).unwrap();
        let is_right = presents && certified == CLIENT_TITLE;
        assert_eq!(Aare::from_octets(&answer).unwrap().authentication_value.is_some(), is_right);
        if is_right {
            let (proof, text) = victim.hears(&answer);
            let proof = proof.expect(&text);
            let (_, text) = victim.hears(&link.exchange(&proof).unwrap());
            assert!(text.contains("Associated"), "{text}");
        }
    }
}
