//! A server, or somebody between, that wishes the client ill.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::ops::Range;
use core::time::Duration;

use common::{CLIENT_TITLE, Counters, HLS_SECRET, Provider, SERVER_TITLE, keys, provider, to_hex, unhex};
use dlms::acse::{Aare, AssociateResult, AuthenticationValue, Diagnostic, UserDiagnostic};
use dlms::client::{Client, ClientConfig, ClientError, DedicatedKeyChoice, Environment};
use dlms::transfer::TransferError;
use dlms::xdlms::{AttributeDescriptor, AttributeDescriptorWithSelection, Conformance};
use dlms::{ProtectionError, SecurityContext};
use dlms_axdr::Encoder;
use dlms_obis::LogicalName;
use dlms_security::{AuthenticationMechanism, CounterId, Protection, Secret, SecuritySuite, SystemTitle};
use proptest::prelude::*;

const READ: AttributeDescriptorWithSelection<'static> = AttributeDescriptorWithSelection {
    attribute: AttributeDescriptor::new(3, common::ENERGY, 2),
    selection: None,
};

/// The client under attack, and an honest server that the attacker may use.
struct Victim {
    client: Client<Provider, Vec<u8>>,
    security: SecurityContext<Provider>,
    provider: Provider,
    out: Vec<u8>,
    server: common::Link,
}

type Outcome = Result<(Option<Vec<u8>>, String), ClientError>;

impl Victim {
    fn new(mechanism: AuthenticationMechanism, suite: Option<SecuritySuite>) -> Self {
        let server = common::config(mechanism, suite);
        let config = ClientConfig {
            ciphered: suite.is_some(),
            mechanism,
            secret: Secret::new(HLS_SECRET).unwrap(),
            policy: server.policy,
            conformance: Conformance::LOGICAL_NAME,
            client_title: Some(CLIENT_TITLE),
            max_transfer: 1000,
            ..ClientConfig::public()
        };
        let provider = provider();
        let (key, authentication_key) = keys(SecuritySuite::Suite0);
        let security = SecurityContext::new(
            &provider,
            SecuritySuite::Suite0,
            CLIENT_TITLE,
            &key,
            authentication_key,
            CounterId(3),
            0,
        );
        Self {
            client: Client::new(config, vec![0; 64]),
            security: security.unwrap(),
            provider,
            out: vec![0; 2048],
            server: common::Link::new(server),
        }
    }

    fn gmac() -> Self {
        Self::new(AuthenticationMechanism::Gmac, Some(SecuritySuite::Suite0))
    }

    fn call(
        &mut self,
        call: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<Range<usize>, ClientError>,
    ) -> Vec<u8> {
        let mut counters = Counters::default();
        let mut env = Environment {
            provider: &self.provider,
            counters: &mut counters,
            security: Some(&mut self.security),
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: Duration::ZERO,
        };
        let range = call(&mut self.client, &mut env, &mut self.out).unwrap();
        self.out[range].to_vec()
    }

    fn receives(&mut self, apdu: &[u8]) -> Outcome {
        let mut counters = Counters::default();
        let mut env = Environment {
            provider: &self.provider,
            counters: &mut counters,
            security: Some(&mut self.security),
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut apdu = apdu.to_vec();
        let reaction = self.client.handle_apdu(&mut env, &mut apdu, &mut self.out)?;
        let text = reaction.event.map_or_else(String::new, |event| format!("{event:?}"));
        Ok((reaction.transmit.map(|range| self.out[range].to_vec()), text))
    }

    fn associate(&mut self) -> Vec<u8> {
        self.call(|client, env, out| client.associate(env, out))
    }

    /// An association with the honest server.
    fn associated(mut self) -> Self {
        let mut next = Some(self.associate());
        while let Some(request) = next.take() {
            let response = self.server.exchange(&request).unwrap();
            next = self.receives(&response).unwrap().0;
        }
        assert!(self.client.agreement().is_some());
        self
    }

    fn get(&mut self) -> Vec<u8> {
        self.call(|client, env, out| client.get(env, READ, out))
    }

    /// Has the AARE changed and sees why the client refuses it.
    fn refuses(mut self, change: impl FnOnce(&mut Aare<'_>)) -> String {
        let aarq = self.associate();
        let honest = self.server.exchange(&aarq).unwrap();
        let mut aare = Aare::from_octets(&honest).unwrap();
        change(&mut aare);
        let mut octets = [0; 512];
        let mut encoder = Encoder::new(&mut octets);
        aare.encode(&mut encoder).unwrap();
        let (sent, text) = self.receives(encoder.written()).unwrap();
        assert!(self.client.agreement().is_none());
        // The server is told to forget it; no proof leaves.
        let sent = sent.expect("a release request");
        assert_eq!(sent[0], 0x62, "{}", to_hex(&sent));
        text
    }
}

#[test]
fn the_answer_must_be_to_what_was_asked() {
    use dlms::acse::{ApplicationContextName, MechanismName};
    let text = Victim::gmac().refuses(|aare| {
        aare.application_context_name = ApplicationContextName::LogicalNameReferencing;
    });
    assert_eq!(text, "Refused(ApplicationContext)");
    for weaker in [AuthenticationMechanism::None, AuthenticationMechanism::Lls, AuthenticationMechanism::Md5]
    {
        let text = Victim::gmac().refuses(|aare| aare.mechanism = Some(MechanismName::Standard(weaker)));
        assert_eq!(text, "Refused(Mechanism)");
    }
    assert_eq!(Victim::gmac().refuses(|aare| aare.mechanism = None), "Refused(Mechanism)");
    let text = Victim::gmac().refuses(|aare| aare.diagnostic = Diagnostic::User(UserDiagnostic::Null));
    assert_eq!(text, "Refused(Mechanism)", "associated without a proof");
}

#[test]
fn our_own_title_or_challenge_coming_back_is_an_attack() {
    static OWN: SystemTitle = CLIENT_TITLE;
    let text = Victim::gmac().refuses(|aare| aare.responding_ap_title = Some(OWN.octets()));
    assert_eq!(text, "Refused(ServerTitle)");
    assert_eq!(Victim::gmac().refuses(|aare| aare.responding_ap_title = None), "Refused(ServerTitle)");
    assert_eq!(
        Victim::gmac().refuses(|aare| aare.responding_ap_title = Some(&[1; 7])),
        "Refused(ServerTitle)"
    );
    let mut victim = Victim::gmac();
    victim.client = Client::new(
        ClientConfig {
            server_title: Some(SystemTitle::from_octets(*b"XYZ\0\0\0\0\x09")),
            ..victim.client.config().clone()
        },
        vec![0; 64],
    );
    assert_eq!(victim.refuses(|_| ()), "Refused(ServerTitle)", "another one than the known one");

    let mut victim = Victim::gmac();
    let aarq = victim.associate();
    let ctos = {
        let aarq = dlms::acse::Aarq::from_octets(&aarq).unwrap();
        aarq.authentication_value.unwrap().charstring().unwrap().to_vec()
    };
    let honest = victim.server.exchange(&aarq).unwrap();
    let mut aare = Aare::from_octets(&honest).unwrap();
    aare.authentication_value = Some(AuthenticationValue::Charstring(&ctos));
    let mut octets = [0; 512];
    let mut encoder = Encoder::new(&mut octets);
    aare.encode(&mut encoder).unwrap();
    let (sent, text) = victim.receives(encoder.written()).unwrap();
    assert_eq!(text, "Refused(Challenge)");
    assert_eq!(sent.unwrap()[0], 0x62);

    for length in [0, 7, 65] {
        let challenge = vec![1; length];
        let text = Victim::gmac().refuses(|aare| {
            aare.authentication_value = Some(AuthenticationValue::Charstring(challenge.leak()))
        });
        assert_eq!(text, "Refused(Challenge)");
    }
}

#[test]
fn the_initiate_response_must_be_protected_as_the_request_was() {
    let plain = unhex("0800065F1F040062FE9F04000007");
    let text = Victim::gmac().refuses(|aare| aare.user_information = Some(plain.leak()));
    assert_eq!(text, "Refused(Protection(Required))");
    assert_eq!(
        Victim::gmac().refuses(|aare| aare.user_information = None),
        "Refused(Initiate(\"user-information\"))"
    );
    let mut flipped = Vec::new();
    let text = Victim::gmac().refuses(|aare| {
        flipped = aare.user_information.unwrap().to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        aare.user_information = Some(flipped.clone().leak());
    });
    assert_eq!(text, "Refused(Protection(Security(TagMismatch)))");
}

#[test]
fn a_rejection_leaves_nothing_behind() {
    let mut victim = Victim::gmac();
    let aarq = victim.associate();
    let honest = victim.server.exchange(&aarq).unwrap();
    let mut aare = Aare::from_octets(&honest).unwrap();
    aare.result = AssociateResult::RejectedPermanent;
    let mut octets = [0; 512];
    let mut encoder = Encoder::new(&mut octets);
    aare.encode(&mut encoder).unwrap();
    let (sent, text) = victim.receives(encoder.written()).unwrap();
    assert_eq!(sent, None);
    assert!(text.starts_with("Refused(Rejected"));
    assert!(victim.client.is_idle());
    assert_eq!(victim.receives(&honest), Err(ClientError::Unexpected { tag: 0x61 }));
}

#[test]
fn a_wrong_proof_ends_in_a_release() {
    let mut victim = Victim::gmac();
    let aarq = victim.associate();
    let aare = victim.server.exchange(&aarq).unwrap();
    let (pass_3, _) = victim.receives(&aare).unwrap();
    // The server does not know the secret of mechanism 5, or skips the proof: it can only say "success".
    let mut server = AnyKey::new();
    let (sent, text) = victim.receives(&server.seal(&unhex("C701C10000"))).unwrap();
    assert_eq!(text, "Refused(ServerProof)");
    assert_eq!(sent.unwrap()[0], 0x62);
    assert!(victim.client.agreement().is_none());
    // The right one, too late.
    let pass_4 = victim.server.exchange(&pass_3.unwrap()).unwrap();
    assert_eq!(victim.receives(&pass_4), Err(ClientError::Unexpected { tag: pass_4[0] }));
    // Our own proof coming back is no proof of the server's.
    let mut victim = Victim::gmac();
    let aarq = victim.associate();
    let aare = victim.server.exchange(&aarq).unwrap();
    let (pass_3, _) = victim.receives(&aare).unwrap();
    assert!(victim.receives(&pass_3.unwrap()).is_err());
    assert!(victim.client.agreement().is_none());
}

/// Somebody who has the keys and says what he likes.
struct AnyKey {
    context: SecurityContext<Provider>,
    provider: Provider,
}

impl AnyKey {
    fn new() -> Self {
        let provider = provider();
        let (key, authentication_key) = keys(SecuritySuite::Suite0);
        let context = SecurityContext::new(
            &provider,
            SecuritySuite::Suite0,
            SERVER_TITLE,
            &key,
            authentication_key,
            CounterId(4),
            1000,
        );
        Self { context: context.unwrap(), provider }
    }

    fn seal_with(&mut self, plain: &[u8], protection: Protection, general: bool) -> Vec<u8> {
        let mut buffer = vec![0; dlms::HEADROOM + plain.len() + dlms::TAILROOM];
        let range = dlms::HEADROOM..dlms::HEADROOM + plain.len();
        buffer[range.clone()].copy_from_slice(plain);
        let carrier = if general { dlms::Carrier::WithTitle } else { dlms::Carrier::ServiceSpecific };
        let envelope = dlms::Envelope { carrier, key: dlms::KeyClass::Global };
        let mut counters = Counters::default();
        let sealed = self
            .context
            .seal(&self.provider, &mut counters, None, envelope, protection, &mut buffer, range)
            .unwrap();
        buffer[sealed].to_vec()
    }

    fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        self.seal_with(plain, Protection::AUTHENTICATED_ENCRYPTED, false)
    }
}

#[test]
fn responses_are_protected_or_refused() {
    let mut victim = Victim::gmac().associated();
    let mut server = AnyKey::new();
    victim.get();
    let plain = unhex("C401C2000600001391");
    assert_eq!(victim.receives(&plain), Err(ClientError::Protection(ProtectionError::Required)));
    for weaker in [Protection::AUTHENTICATED, Protection::ENCRYPTED] {
        let response = server.seal_with(&plain, weaker, false);
        let error = victim.receives(&response).unwrap_err();
        assert!(matches!(error, ClientError::Protection(_)), "{error:?}");
    }
    // A service that the outer tag does not announce.
    let mut response = server.seal(&plain);
    response[0] = 0xCF;
    assert_eq!(victim.receives(&response), Err(ClientError::Protection(ProtectionError::WrongService)));
    let mut response = server.seal(&plain);
    response[9] ^= 0x80;
    assert!(matches!(victim.receives(&response), Err(ClientError::Protection(_))));
    assert!(victim.client.is_busy(), "the answer may still come");
    let response = server.seal(&plain);
    assert_eq!(victim.receives(&response).unwrap().1, "GetPiece { octets: [6, 0, 0, 19, 145], last: true }");
    victim.get();
    assert!(matches!(victim.receives(&response), Err(ClientError::Protection(ProtectionError::Replay(_)))));
}

#[test]
fn the_dedicated_key_is_not_replaced_by_the_global_one() {
    let mut victim = Victim::gmac();
    victim.client = Client::new(
        ClientConfig { dedicated_key: DedicatedKeyChoice::Random, ..victim.client.config().clone() },
        vec![0; 64],
    );
    let mut victim = victim.associated();
    assert_eq!(victim.get()[0], 0xD0);
    let response = AnyKey::new().seal(&unhex("C401C2000600001391"));
    assert_eq!(victim.receives(&response), Err(ClientError::Protection(ProtectionError::NoKey)));
}

#[test]
fn an_unprotected_exception_is_a_hint() {
    let mut victim = Victim::gmac().associated();
    victim.get();
    let (_, text) = victim.receives(&unhex("D801060000FFFF")).unwrap();
    assert!(text.contains("authenticated: false") && text.contains("65535"), "{text}");
    assert!(victim.client.agreement().is_some());
    victim.get();
    let sealed = AnyKey::new().seal(&unhex("D80102"));
    let (_, text) = victim.receives(&sealed).unwrap();
    assert!(text.contains("authenticated: true"), "{text}");
}

fn plain() -> Victim {
    Victim::new(AuthenticationMechanism::None, None).associated()
}

#[test]
fn blocks_out_of_order_end_the_request() {
    for (first, found) in [("00000002", 2), ("00000000", 0), ("FFFFFFFF", u32::MAX)] {
        let mut victim = plain();
        victim.get();
        assert_eq!(
            victim.receives(&unhex(&format!("C402C100{first}00020901"))),
            Err(ClientError::Transfer(TransferError::BlockNumber { expected: 1, found }))
        );
        assert!(!victim.client.is_busy());
    }
    let mut victim = plain();
    victim.get();
    victim.receives(&unhex("C402C1000000000100020901")).unwrap();
    assert_eq!(
        victim.receives(&unhex("C402C1000000000300020901")),
        Err(ClientError::Transfer(TransferError::BlockNumber { expected: 2, found: 3 }))
    );
}

#[test]
fn an_endless_transfer_ends() {
    for piece in ["00", "0A00000000000000000000"] {
        let mut victim = plain();
        victim.get();
        let error = (1u32..10_000)
            .find_map(|number| victim.receives(&unhex(&format!("C402C100{number:08X}00{piece}"))).err());
        assert_eq!(error, Some(ClientError::TransferTooLong { limit: 1000 }));
        assert!(!victim.client.is_busy());
    }
    // Return values are kept in the storage, which bounds them.
    let mut victim = plain();
    let method = dlms::xdlms::MethodDescriptor::new(3, LogicalName::new(1, 0, 1, 8, 0, 255), 1);
    victim.call(|client, env, out| {
        client.action(env, dlms::client::ActionItem { method, parameter: None }, out)
    });
    let error = (1u32..10_000).find_map(|number| {
        victim.receives(&unhex(&format!("C702C100{number:08X}0A{}", "00".repeat(10)))).err()
    });
    assert_eq!(error, Some(ClientError::Transfer(TransferError::TooLong { capacity: 64 })));
}

#[test]
fn a_set_is_not_done_before_it_is_sent() {
    let mut victim = plain();
    let value = [0u8; 40];
    let value = dlms_axdr::Data::OctetString(&value);
    let target = AttributeDescriptor::new(1, common::LONG_TEXT, 2);
    victim.out.truncate(60);
    victim.call(|client, env, out| client.set(env, dlms::client::SetItem::new(target, &value), out));
    assert_eq!(victim.receives(&unhex("C501C100")), Err(ClientError::Unexpected { tag: 0xC5 }));
    assert!(!victim.client.is_busy());
}

/// The client in each of its states, `state` naming one.
fn in_state(state: u8) -> Victim {
    let mut victim = match state % 8 {
        0 => Victim::gmac(),
        1 => {
            let mut victim = Victim::gmac();
            victim.associate();
            victim
        }
        2 => {
            let mut victim = Victim::gmac();
            let aarq = victim.associate();
            let aare = victim.server.exchange(&aarq).unwrap();
            victim.receives(&aare).unwrap();
            victim
        }
        3 => Victim::gmac().associated(),
        _ => plain(),
    };
    let target = AttributeDescriptor::new(1, common::LONG_TEXT, 2);
    let method = dlms::xdlms::MethodDescriptor::new(3, common::ENERGY, 1);
    match state % 8 {
        4 => drop(victim.get()),
        5 => {
            victim.out.truncate(60);
            let value = [0u8; 40];
            let value = dlms_axdr::Data::OctetString(&value);
            victim.call(|client, env, out| client.set(env, dlms::client::SetItem::new(target, &value), out));
        }
        6 => {
            let item = dlms::client::ActionItem { method, parameter: None };
            victim.call(|client, env, out| client.action(env, item, out));
        }
        7 => drop(victim.call(|client, env, out| client.release(env, out))),
        _ => {}
    }
    victim
}

/// APDUs of every kind, to be mutated.
fn known() -> Vec<Vec<u8>> {
    [
        "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007",
        "6142A109060760857405080101A203020100A305A10302010E88020780890760857405080205AA0A8008503677524A323146BE10040E0800065F1F040000501F01F40007",
        "6169A109060760857405080103A203020100A305A10302010EA40A0408494355303030303088020780890760857405080205AA1280106A495F8D185723E288A794A19AE64024BE230421281F3026ECF3DFBA974DD84AA9262FA3FD4349F7A268D0B41B4BBCDA8448715093",
        "611FA109060760857405080101A203020101A305A103020101BE0604040E010601",
        "6303800100",
        "C401C1000600001391",
        "C402C10000000001001E093201020304050607080910111213141516171819202122232425262728",
        "C403C1020006000013910104",
        "C5018100",
        "C502C100000001",
        "C503C10000000002",
        "C505C1020001",
        "C701C100010009111000001AFDE8857B728A3499106AA665D1",
        "C702C10000000001050908010203",
        "C703C102000000010009020102",
        "C704C100000001",
        "C20000030100010800FF020600001391",
        "0F0000000100020209060000190900FF0600001391",
        "0E010601",
        "D801060000FFFF",
        "CC1F3000000052921F63255C6313E7BF425AE010B149F4D85B16ED5887C315D2E7",
        "DB0849435530303030302A3026ECF3E1E385CBA72F04AF871CE9C0760AC57172D7F69120791D8FC5E0A2C5E74BB43B53D2E1560671",
    ]
    .map(unhex)
    .to_vec()
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(known()), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut apdu, changes, cut, is_cut)| {
            for (at, octet) in changes {
                let at = at.index(apdu.len());
                apdu[at] = octet;
            }
            if is_cut {
                apdu.truncate(cut.index(apdu.len()));
            }
            apdu
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_that_arrives_panics(
        state: u8,
        apdus in proptest::collection::vec(prop_oneof![mutated(), proptest::collection::vec(any::<u8>(), 0..80)], 1..6),
    ) {
        let mut victim = in_state(state);
        let was_open = victim.client.agreement().is_some();
        for apdu in apdus {
            let _ = victim.receives(&apdu);
        }
        // Without the key nobody opens a ciphered association.
        if !was_open && victim.client.config().ciphered {
            prop_assert!(victim.client.agreement().is_none());
        }
    }

    #[test]
    fn what_is_protected_and_malformed_does_not_panic(state in 2u8..4, apdus in proptest::collection::vec(mutated(), 1..6)) {
        let mut victim = in_state(state);
        let mut server = AnyKey::new();
        for apdu in apdus.iter().filter(|apdu| !apdu.is_empty()) {
            let _ = victim.receives(&server.seal_with(apdu, Protection::AUTHENTICATED_ENCRYPTED, true));
        }
    }
}

#[test]
fn the_state_is_small() {
    // The key schedule of a dedicated key is the provider's.
    let state = size_of::<Client<Provider, &mut [u8]>>() - size_of::<dlms_security::AeadKey>();
    assert!(state <= 1024, "{state} octets");
}
