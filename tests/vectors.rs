//! The published and generated vectors that need whole APDUs: receiving protected ones, and opening an association.
//!
//! Runs `tests/data/security.json` and `tests/data/data_protection.json`, and every `*security*.json` of the folder that `DLMS_EXTRA_VECTORS` names.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "vectors/data_protection.rs"]
mod data_protection;

use common::delegation::delegate;
use common::{Counters, Link, PROVIDER, Provider, config, keys, provider, to_hex, unhex};
use cosem_objects::classes::{CertificateEntity, CertificateIdentification, CertificateType, KeyData};
use dlms::client::security_setup::key_transfer;
use dlms::server::{Event, RefusalReason};
use dlms::xdlms::{ExceptionResponse, GeneralCiphering, GeneralSigning, ServiceError, StateError};
use dlms::{
    Accepted, Asymmetric, Carrier, Demand, Envelope, Form, HEADROOM, KeyClass, KeyPairs, KeyRing, Keys,
    SecurityContext, TAILROOM, TransactionId,
};
use dlms_axdr::{Data, Encode, Encoder, Enum, FromData, Reader};
use dlms_security::keys::unwrap_key;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, CryptoProvider, Curve, InvocationCounter, KeyId,
    KeyUsage, NoRandom, PeerKeys, PrivateKey, Protection, Protector, PublicKey, PublicKeyProvider,
    RequiredProtection, RustCrypto, SecretKey, SecurityControl, SecurityError, SecuritySuite, Signature,
    SystemTitle,
};
use serde_json::Value;

#[test]
fn on_aws_lc() {
    common::once_more_on_aws_lc();
}

#[test]
fn receiving() {
    let count = run("unprotect", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let suite = SecuritySuite::from_id(input("suite")[0]).unwrap();
        let peer = title(vector, "peer_system_title");
        let floor =
            InvocationCounter::new(u32::from_be_bytes(input("lowest_acceptable_ic").try_into().unwrap()));
        let mut side = Side::new(suite, title(vector, "own_system_title"), &input("guek"), &input("ak"));
        side.context.restore_window(peer, floor).unwrap();
        let required = SecurityControl::from_octet(input("required")[0]).protection();
        let mut apdu = input("apdu");
        // What is taken is more than any association takes, so that the reason to refuse is another one.
        let accepted = Accepted::all() - Accepted::BROADCAST;
        let demand = Demand { accepted, ..Demand::new(peer, required) };
        let opened = side.keys().open(&mut dlms_security::Forgetful, &demand, &mut apdu);
        if vector["outcome"] == "reject" {
            return opened.is_err() && (side.context.lowest_acceptable(peer) == floor || may_move(vector));
        }
        let lowest = to_hex(&side.context.lowest_acceptable(peer).value().to_be_bytes());
        let plain = opened.map(|opened| to_hex(&apdu[opened.apdu]));
        plain.as_deref() == Ok(vector["expected"]["plaintext"].as_str().unwrap())
            && lowest == vector["expected"]["lowest_acceptable_ic"]
    });
    assert!(count > 0);
}

/// general-ciphering is built octet by octet, and opened again by its recipient.
#[test]
fn general_ciphering() {
    let all = vectors();
    let count = run("protect-general-ciphering", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let control = SecurityControl::from_octet(input("security_control")[0]);
        let suite = control.suite().unwrap();
        let (originator, recipient) =
            (title(vector, "originator_system_title"), title(vector, "recipient_system_title"));
        let info = input("key_info");
        let class = match info[..] {
            [0] | [1, 0, 0] => KeyClass::Global,
            [1, 0, 1] => KeyClass::Broadcast,
            [1, 1, ..] => KeyClass::Wrapped,
            [1, 2, 1, 1, ..] => KeyClass::OnePassDiffieHellman,
            _ => KeyClass::StaticUnifiedModel,
        };
        let global = if class == KeyClass::Global { input("ek") } else { vec![0; suite.key_len()] };
        let counter = u32::from_be_bytes(input("invocation_counter").try_into().unwrap());
        let mut sender = Side::new(suite, originator, &global, &input("ak"));
        let mut receiver = Side::new(suite, recipient, &global, &input("ak"));
        sender.context.advance_counter(InvocationCounter::new(counter), u32::MAX).unwrap();
        // Encryption alone may not move the window far.
        receiver.context.restore_window(originator, InvocationCounter::new(counter)).unwrap();
        for side in [&mut sender, &mut receiver] {
            if class == KeyClass::Broadcast {
                let key = SecretKey::new(suite, &input("ek")).unwrap();
                side.ring.set_broadcast_key(&side.provider, suite, &key, CounterId(1), counter).unwrap();
            }
            if class == KeyClass::Wrapped {
                let kek = SecretKey::new(suite, &input("kek")).unwrap();
                side.ring.set_master_key(&side.provider, suite, &kek).unwrap();
            }
        }
        if matches!(class, KeyClass::OnePassDiffieHellman | KeyClass::StaticUnifiedModel) {
            let agreement = all
                .iter()
                .find(|other| {
                    other["expected"]["key_info"] == vector["inputs"]["key_info"]
                        && other["expected"]["key"] == vector["inputs"]["ek"]
                })
                .unwrap();
            agree_on(agreement, &mut sender, &mut receiver);
        }
        // The key of the message is drawn from the random source.
        sender.provider = drawing(input("ek"));
        let plain = input("plaintext");
        let mut buffer = vec![0; 1024];
        buffer[HEADROOM..HEADROOM + plain.len()].copy_from_slice(&plain);
        let (date_time, other_information) = (input("date_time"), input("other_information"));
        let form = Form {
            date_time: &date_time,
            other_information: &other_information,
            ..Form::new(
                Envelope { carrier: Carrier::GeneralCiphering, key: class },
                control.protection(),
                recipient,
                TransactionId::new(&input("transaction_id")).unwrap(),
            )
        };
        let sealed = sender
            .keys()
            .seal(&mut Counters::default(), &form, &mut buffer, HEADROOM..HEADROOM + plain.len())
            .unwrap();
        // We write key-info always, and take it when it is absent.
        let is_built = info == [0] || to_hex(&buffer[sealed]) == vector["expected"]["apdu"];

        // The content is opened as it is: one that is signed inside stays signed.
        let is_signed = plain[0] == 0xDF;
        if is_signed {
            let signing =
                all.iter().find(|other| other["expected"]["apdu"] == vector["inputs"]["plaintext"]).unwrap();
            receiver.trust(
                originator,
                KeyUsage::DigitalSignature,
                &octets(&signing["expected"]["public_key"]),
            );
        }
        let mut apdu = octets(&vector["expected"]["apdu"]);
        let accepted = Accepted::all();
        let demand = Demand { accepted, ..Demand::new(originator, control.protection()) };
        let opened = receiver.keys().open(&mut dlms_security::Forgetful, &demand, &mut apdu).unwrap();
        let expected = match is_signed {
            true => GeneralSigning::decode(&mut Reader::new(&plain)).unwrap().content.to_vec(),
            false => plain.clone(),
        };
        let is_opened = apdu[opened.apdu] == expected
            && opened.protection.contains(control.protection())
            && opened.protection.contains(Protection::SIGNED) == is_signed
            && opened.counter == Some(InvocationCounter::new(counter));
        is_built && is_opened
    });
    assert!(count > 0);
}

/// The published example: everything but its tag can be computed, and the tag is none by anybody's rules.
#[test]
fn published_general_ciphering() {
    let all = vectors();
    let count = run("general-ciphering-decrypt-only", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let apdu = input("apdu");
        let parsed = GeneralCiphering::decode(&mut Reader::new(&apdu)).unwrap();
        let key = provider()
            .aead_key(SecuritySuite::Suite1, &SecretKey::new(SecuritySuite::Suite1, &input("ek")).unwrap())
            .unwrap();
        let iv: [u8; 12] = octets(&vector["expected"]["iv"]).try_into().unwrap();
        let end = parsed.content.len() - 12;
        let mut text = parsed.content[5..end].to_vec();
        provider().apply_keystream(&key, &iv, &mut text).unwrap();
        let is_deciphered = to_hex(&text) == vector["expected"]["plaintext"];

        let agreement = all.iter().find(|other| other["expected"]["key"] == vector["inputs"]["ek"]).unwrap();
        let open = |apdu: &mut [u8]| {
            let header = parsed.header;
            let title = |octets| SystemTitle::try_from(octets).unwrap();
            let (originator, own) =
                (title(header.originator_system_title), title(header.recipient_system_title));
            let mut sender = Side::new(SecuritySuite::Suite1, originator, &[0; 16], &input("ak"));
            let mut receiver = Side::new(SecuritySuite::Suite1, own, &[0; 16], &input("ak"));
            agree_on(agreement, &mut sender, &mut receiver);
            let demand = Demand {
                accepted: Accepted::all(),
                ..Demand::new(originator, Protection::AUTHENTICATED_ENCRYPTED)
            };
            receiver
                .keys()
                .open(&mut dlms_security::Forgetful, &demand, apdu)
                .map(|opened| apdu[opened.apdu].to_vec())
        };
        let is_refused = open(&mut apdu.clone()) == Err(SecurityError::TagMismatch.into());
        let mut mended = apdu[..apdu.len() - 12].to_vec();
        mended.extend(octets(&vector["expected"]["tag_by_the_rules_of_this_reference"]));
        is_deciphered && is_refused && open(&mut mended) == Ok(text)
    });
    assert!(count > 0);
}

#[test]
fn general_signing() {
    let count = run("general-signing", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let suite = SecuritySuite::from_id(input("suite")[0]).unwrap();
        let (originator, recipient) =
            (title(vector, "originator_system_title"), title(vector, "recipient_system_title"));
        let mut sender = Side::new(suite, originator, &vec![0; suite.key_len()], &[]);
        sender.own(KeyUsage::DigitalSignature, &input("private_key"));
        let content = input("content");
        let mut buffer = vec![0; 512];
        buffer[HEADROOM..HEADROOM + content.len()].copy_from_slice(&content);
        let (date_time, other_information) = (input("date_time"), input("other_information"));
        let transaction = TransactionId::new(&input("transaction_id")).unwrap();
        let form = Form {
            date_time: &date_time,
            other_information: &other_information,
            ..Form::new(Envelope::GLOBAL, Protection::SIGNED, recipient, transaction)
        };
        let plain = HEADROOM..HEADROOM + content.len();
        let sealed = sender.keys().seal(&mut Counters::default(), &form, &mut buffer, plain).unwrap();
        to_hex(&buffer[sealed]) == vector["expected"]["apdu"]
    });
    assert!(count > 0);
}

#[test]
fn general_signing_is_verified() {
    let verify = |vector: &Value, accepted: Accepted| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let suite = SecuritySuite::from_id(input("suite")[0]).unwrap();
        let originator = title(vector, "certified_system_title");
        let mut receiver =
            Side::new(suite, title(vector, "own_system_title"), &vec![0; suite.key_len()], &[]);
        receiver.trust(originator, KeyUsage::DigitalSignature, &input("public_key"));
        let demand = Demand { accepted, ..Demand::new(originator, Protection::SIGNED) };
        receiver.keys().open(&mut dlms_security::Forgetful, &demand, &mut input("apdu")).is_ok()
    };
    let count = run("general-signing-verify", |vector| {
        verify(vector, Accepted::SIGNING) == (vector["outcome"] == "accept")
    });
    assert!(count > 0);
    let count = run("general-signing-compat", |vector| {
        let with_length = Accepted::SIGNING | Accepted::SIGNED_CONTENT_LENGTH;
        !verify(vector, Accepted::SIGNING) && verify(vector, with_length)
    });
    assert!(count > 0);
}

#[test]
fn general_signing_is_parsed() {
    let count = run("general-signing-parse", |vector| {
        let apdu = octets(&vector["inputs"]["apdu"]);
        let parsed = GeneralSigning::decode(&mut Reader::new(&apdu)).unwrap();
        [
            ("transaction_id", parsed.header.transaction_id),
            ("originator_system_title", parsed.header.originator_system_title),
            ("recipient_system_title", parsed.header.recipient_system_title),
            ("date_time", parsed.header.date_time),
            ("other_information", parsed.header.other_information),
            ("content", parsed.content),
            ("signature", parsed.signature),
        ]
        .iter()
        .all(|(name, found)| to_hex(found) == vector["expected"][name])
    });
    assert!(count > 0);
}

/// key-info as it is written, and the key that it leads to, with an APDU around them: both ends agree.
#[test]
fn agreed_keys() {
    for (algorithm, class) in [
        ("key-agreement-1e1s", KeyClass::OnePassDiffieHellman),
        ("key-agreement-0e2s", KeyClass::StaticUnifiedModel),
    ] {
        let count = run(algorithm, |vector| {
            let suite = SecuritySuite::from_id(octets(&vector["inputs"]["suite"])[0]).unwrap();
            let (originator, recipient) =
                (title(vector, "originator_system_title"), title(vector, "recipient_system_title"));
            let guek = vec![0; suite.key_len()];
            let mut sender = Side::new(suite, originator, &guek, &[]);
            let mut receiver = Side::new(suite, recipient, &guek, &[]);
            agree_on(vector, &mut sender, &mut receiver);
            let transaction = vector["inputs"]["transaction_id"].as_str().map_or(vec![1], unhex);
            let plain = unhex("C001C100030100010800FF0200");
            let mut buffer = vec![0; 512];
            buffer[HEADROOM..HEADROOM + plain.len()].copy_from_slice(&plain);
            let protection = Protection::AUTHENTICATED_ENCRYPTED;
            let form = Form::new(
                Envelope { carrier: Carrier::GeneralCiphering, key: class },
                protection,
                recipient,
                TransactionId::new(&transaction).unwrap(),
            );
            let place = HEADROOM..HEADROOM + plain.len();
            let sealed = sender.keys().seal(&mut Counters::default(), &form, &mut buffer, place).unwrap();
            let apdu = &mut buffer[sealed];
            let info = octets(&vector["expected"]["key_info"]);
            let header = 1 + 1 + transaction.len() + 9 + 9 + 1 + 1;
            // A published signature is another one each time: it takes the place of ours.
            let signature = vector["expected"]["signature"].as_str().map_or(0, |hex| hex.len() / 2);
            let is_published = vector["name"].as_str().unwrap().starts_with("gb-annex");
            let compared = info.len() - if is_published { signature } else { 0 };
            let is_written = apdu[header..].starts_with(&info[..compared]);
            apdu[header..header + info.len()].copy_from_slice(&info);

            // With the key of the vector, the content is what was sent.
            let key = SecretKey::new(suite, &octets(&vector["expected"]["key"])).unwrap();
            let key = provider().aead_key(suite, &key).unwrap();
            let protector = Protector {
                provider: &provider(),
                key: &key,
                authentication_key: &AuthenticationKey::new(&[]).unwrap(),
            };
            let covered = apdu[1..header].to_vec();
            let mut content = GeneralCiphering::decode(&mut Reader::new(apdu)).unwrap().content.to_vec();
            let is_key =
                protector.unprotect(originator, &covered, &mut content).is_ok_and(|text| *text == plain);

            let demand = Demand { accepted: Accepted::all(), ..Demand::new(originator, protection) };
            let opened = receiver.keys().open(&mut dlms_security::Forgetful, &demand, apdu).unwrap();
            is_written && is_key && apdu[opened.apdu] == plain
        });
        assert!(count > 0);
    }
}

/// Draws what is given, again and again, and computes as all do.
struct Drawing(Vec<u8>);

fn drawing(octets: Vec<u8>) -> Drawing {
    Drawing(octets)
}

impl CryptoProvider for Drawing {
    type AeadKey = <Provider as CryptoProvider>::AeadKey;
    type WrapKey = <Provider as CryptoProvider>::WrapKey;

    delegate!(|self| PROVIDER => aead_key, seal, open, apply_keystream, wrap_key, wrap, unwrap, sha256);

    fn random(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        out.copy_from_slice(self.0.get(..out.len()).ok_or(SecurityError::RandomUnavailable)?);
        Ok(())
    }
}

/// One end, with what a vector says of it.
struct Side {
    suite: SecuritySuite,
    provider: Drawing,
    context: SecurityContext<Drawing>,
    ring: KeyRing<Drawing>,
    pairs: KeyPairs,
    peers: Peers,
    ecc: Fixed,
}

/// Public keys by owner and usage.
#[derive(Default)]
struct Peers(Vec<(SystemTitle, KeyUsage, PublicKey)>);

impl PeerKeys for Peers {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        self.0.iter().find(|(title, used, _)| (*title, *used) == (owner, usage)).map(|known| known.2)
    }
}

/// Whoever asks for an ephemeral key gets the one of the vector, and whoever signs gets the signature of RFC 6979, as the
/// vectors have them; that of a library with random numbers in it only has to verify.
#[derive(Default)]
struct Fixed(Option<PrivateKey>);

impl PublicKeyProvider for Fixed {
    fn generate(&self, _: Curve) -> Result<PrivateKey, SecurityError> {
        self.0.clone().ok_or(SecurityError::RandomUnavailable)
    }

    fn public_key(&self, key: &PrivateKey) -> Result<PublicKey, SecurityError> {
        PROVIDER.public_key(key)
    }

    fn sign(&self, key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
        PROVIDER.verify(&PROVIDER.public_key(key)?, message, &PROVIDER.sign(key, message)?)?;
        RustCrypto::new(NoRandom).sign(key, message)
    }

    fn verify(&self, key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
        PROVIDER.verify(key, message, signature)
    }

    fn agree(
        &self,
        key: &PrivateKey,
        peer: &PublicKey,
        other_info: &[&[u8]],
    ) -> Result<SecretKey, SecurityError> {
        PROVIDER.agree(key, peer, other_info)
    }
}

impl Side {
    fn new(suite: SecuritySuite, own_title: SystemTitle, guek: &[u8], ak: &[u8]) -> Self {
        let (provider, id) = (drawing(Vec::new()), CounterId(0));
        let (key, ak) = (SecretKey::new(suite, guek).unwrap(), AuthenticationKey::new(ak).unwrap());
        Self {
            suite,
            context: SecurityContext::new(&provider, suite, own_title, &key, ak, id, 0).unwrap(),
            provider,
            ring: KeyRing::new(),
            pairs: KeyPairs::new(),
            peers: Peers::default(),
            ecc: Fixed::default(),
        }
    }

    fn keys(&mut self) -> Keys<'_, Drawing> {
        Keys {
            provider: &self.provider,
            context: &mut self.context,
            dedicated: None,
            key_ring: Some(&mut self.ring),
            asymmetric: Some(Asymmetric { provider: &self.ecc, own: &self.pairs, peers: &self.peers }),
        }
    }

    fn own(&mut self, usage: KeyUsage, private_key: &[u8]) {
        let curve = self.suite.curve().unwrap();
        self.pairs.set_in_use(usage, Some(PrivateKey::new(curve, private_key).unwrap()));
    }

    fn trust(&mut self, owner: SystemTitle, usage: KeyUsage, public_key: &[u8]) {
        let curve = self.suite.curve().unwrap();
        self.peers.0.push((owner, usage, PublicKey::new(curve, public_key).unwrap()));
    }
}

/// Gives both ends the keys of a key agreement, and of a signature, that a vector has.
fn agree_on(vector: &Value, sender: &mut Side, receiver: &mut Side) {
    let text = |name: &str| vector["inputs"].get(name).or(vector["expected"].get(name)).map(octets);
    let (originator, recipient) = (sender.context.own_title(), receiver.context.own_title());
    if let Some(ephemeral) = text("originator_ephemeral_private_key") {
        sender.ecc.0 = Some(PrivateKey::new(sender.suite.curve().unwrap(), &ephemeral).unwrap());
    }
    if let (Some(own), Some(public)) =
        (text("originator_signing_private_key"), text("originator_signing_public_key"))
    {
        sender.own(KeyUsage::DigitalSignature, &own);
        receiver.trust(originator, KeyUsage::DigitalSignature, &public);
    }
    if let (Some(own), Some(public)) =
        (text("originator_static_private_key"), text("originator_static_public_key"))
    {
        sender.own(KeyUsage::KeyAgreement, &own);
        receiver.trust(originator, KeyUsage::KeyAgreement, &public);
    }
    if let (Some(own), Some(public)) =
        (text("recipient_static_private_key"), text("recipient_static_public_key"))
    {
        receiver.own(KeyUsage::KeyAgreement, &own);
        sender.trust(recipient, KeyUsage::KeyAgreement, &public);
    }
}

fn title(vector: &Value, name: &str) -> SystemTitle {
    SystemTitle::try_from(&octets(&vector["inputs"][name])[..]).unwrap()
}

/// A verified APDU uses its counter up even where its content is then refused.
fn may_move(vector: &Value) -> bool {
    vector["name"] == "neg-tag-of-apdu-mismatch"
}

/// The parameters of the methods of Security setup, as a client makes them and as a server reads them.
#[test]
fn security_setup_parameters() {
    let encoded = |value: &dyn Encode| {
        let mut buffer = [0; 2048];
        let mut encoder = Encoder::new(&mut buffer);
        value.encode(&mut encoder).unwrap();
        to_hex(encoder.written())
    };
    let mut count = run("security-setup-security_activate", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name])[0];
        let policy = match input("version") {
            0 => RequiredProtection::from_policy_v0(input("policy")).unwrap().policy_v0(),
            _ => RequiredProtection::from_policy_v1(input("policy")).unwrap().bits(),
        };
        encoded(&Enum(policy)) == vector["expected"]["parameter"]
    });
    count += run("security-setup-key_transfer", |vector| {
        let list = |name: &str| -> Vec<Vec<u8>> {
            vector["inputs"][name].as_array().unwrap().iter().map(octets).collect()
        };
        let kek = octets(&vector["inputs"]["kek"]);
        let suite = if kek.len() == 32 { SecuritySuite::Suite2 } else { SecuritySuite::Suite1 };
        let kek = PROVIDER.wrap_key(suite, &SecretKey::new(suite, &kek).unwrap()).unwrap();
        let keys: Vec<_> = list("key_ids")
            .iter()
            .zip(list("keys"))
            .map(|(id, key)| (KeyId::from_id(id[0]).unwrap(), SecretKey::new(suite, &key).unwrap()))
            .collect();
        let mut buffer = [0; 256];
        let parameter = key_transfer(&*PROVIDER, suite, &kek, &keys, &mut buffer).unwrap();
        let Data::Array(read) = parameter else { return false };
        let is_read = read.values::<KeyData<'_>>().zip(&keys).all(|(entry, (id, key))| {
            let entry = entry.unwrap();
            let unwrapped = unwrap_key(&*PROVIDER, suite, &kek, entry.octets).unwrap();
            entry.key_id == id.id() && unwrapped.expose() == key.expose()
        });
        is_read && encoded(&parameter) == vector["expected"]["parameter"]
    });
    count += run("security-setup-generate_key_pair", |vector| {
        let kind = CertificateType::from_code(octets(&vector["inputs"]["type"])[0]).unwrap();
        encoded(&kind) == vector["expected"]["parameter"]
    });
    for method in ["export", "remove"] {
        count += run(&format!("security-setup-{method}_certificate"), |vector| {
            let input = |name: &str| octets(&vector["inputs"][name]);
            let (title, serial, issuer);
            let id = if input("by") == [0] {
                title = input("system_title");
                CertificateIdentification::ByEntity {
                    entity: CertificateEntity::from_code(input("entity")[0]).unwrap(),
                    certificate_type: CertificateType::from_code(input("type")[0]).unwrap(),
                    system_title: &title,
                }
            } else {
                (serial, issuer) = (input("serial"), input("issuer"));
                CertificateIdentification::BySerialNumber { serial_number: &serial, issuer: &issuer }
            };
            let expected = octets(&vector["expected"]["parameter"]);
            let read = CertificateIdentification::from_data(Data::from_octets(&expected).unwrap());
            read == Ok(id) && encoded(&id) == to_hex(&expected)
        });
    }
    count += run("security-setup-import_certificate", |vector| {
        let der = octets(&vector["inputs"]["certificate"]);
        dlms_security::certificate::Certificate::from_der(&der).is_ok()
            && encoded(&Data::OctetString(&der)) == vector["expected"]["parameter"]
    });
    assert!(count > 0);
}

#[test]
fn initiate_requests() {
    let count = run("initiate-request-check", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let suite = SecuritySuite::from_id(input("suite")[0]).unwrap();
        let protection = SecurityControl::from_octet(input("protection")[0]).protection();
        let mut link = Link::new(config(AuthenticationMechanism::Lls, Some(suite)));
        let aarq = aarq(suite, protection, &input("initiate_request"));
        link.exchange(&aarq).unwrap();
        let accepted = link.session.association().is_some();
        let refused = core::iter::from_fn(|| link.session.poll_event()).any(|event| {
            matches!(event, Event::Refused { reason: RefusalReason::Protection | RefusalReason::Malformed })
        });
        accepted == (vector["outcome"] == "accept") && accepted != refused
    });
    assert!(count > 0);
}

#[test]
fn exception_responses() {
    let count = run("exception-response", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let counter = input("invocation_counter").try_into().ok().map(u32::from_be_bytes);
        let response = ExceptionResponse {
            state_error: match input("state_error")[..] {
                [1] => StateError::ServiceNotAllowed,
                _ => StateError::ServiceUnknown,
            },
            service_error: match input("service_error")[..] {
                [1] => ServiceError::OperationNotPossible,
                [5] => ServiceError::DecipheringError,
                _ => ServiceError::InvocationCounterError(counter),
            },
        };
        let mut buffer = [0; ExceptionResponse::MAX_LENGTH];
        let mut encoder = Encoder::new(&mut buffer);
        response.encode(&mut encoder).unwrap();
        to_hex(encoder.written()) == vector["expected"]["apdu"]
            && ExceptionResponse::decode(&mut Reader::new(encoder.written())) == Ok(response)
    });
    assert!(count > 0);
}

/// An AARQ in the ciphered context whose InitiateRequest is protected like this.
fn aarq(suite: SecuritySuite, protection: Protection, initiate: &[u8]) -> Vec<u8> {
    let title = common::CLIENT_TITLE;
    let (key, authentication_key) = keys(suite);
    let id = CounterId(9);
    let mut context =
        SecurityContext::new(&provider(), suite, title, &key, authentication_key, id, 0).unwrap();
    let mut buffer = vec![0; HEADROOM + initiate.len() + TAILROOM];
    let plain = HEADROOM..HEADROOM + initiate.len();
    buffer[plain.clone()].copy_from_slice(initiate);
    let information = if protection.is_empty() {
        initiate.to_vec()
    } else {
        let mut counters = Counters::default();
        let sealed = context
            .seal(&provider(), &mut counters, None, Envelope::GLOBAL, protection, &mut buffer, plain)
            .unwrap();
        buffer[sealed].to_vec()
    };
    let mut content = unhex("A109060760857405080103A60A0408");
    content.extend(title.octets());
    content.extend(unhex("8A0207808B0760857405080201AC0A80083132333435363738"));
    content.extend([0xBE, information.len() as u8 + 2, 0x04, information.len() as u8]);
    content.extend(information);
    [&[0x60, 0x81, content.len() as u8][..], &content].concat()
}

/// Runs every vector of an algorithm, names those that fail, and returns how many there were.
fn run(algorithm: &str, check: impl Fn(&Value) -> bool) -> usize {
    let mut failed = Vec::new();
    let mut count = 0;
    for vector in vectors().iter().filter(|vector| vector["algorithm"] == algorithm) {
        count += 1;
        if !check(vector) {
            failed.push(vector["name"].to_string());
        }
    }
    assert!(failed.is_empty(), "{} of {count} {algorithm} vectors fail: {}", failed.len(), failed.join(", "));
    count
}

fn vectors() -> Vec<Value> {
    let mut files = ["security.json", "data_protection.json"]
        .map(|name| std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name))
        .to_vec();
    if let Some(folder) = std::env::var_os("DLMS_EXTRA_VECTORS") {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.contains("security") && name.ends_with(".json")
        }));
    }
    files
        .into_iter()
        .flat_map(|file: std::path::PathBuf| {
            let text = std::fs::read_to_string(&file).unwrap();
            serde_json::from_str::<Vec<Value>>(&text).unwrap()
        })
        .collect()
}

fn octets(hex: &Value) -> Vec<u8> {
    unhex(hex.as_str().unwrap())
}
