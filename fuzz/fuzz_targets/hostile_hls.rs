//! A hostile peer during mechanism 7, who knows every title and public key and no private key: neither end ever believes
//! in an association, and no signature is made over what could be a signed command.
//!
//! ```text
//! role (1) | title of the victim, first octet (1) | title that is claimed (8) | length (1) | challenge | proof
//! ```
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use core::time::Duration;

use common::public_keys::{key_pairs, peers_on};
use common::{CLIENT_TITLE, Link, PROVIDER, Provider, SERVER_TITLE, config};
use dlms::PublicKeys;
use dlms::acse::{
    Aare, Aarq, AcseRequirements, ApplicationContextName, AuthenticationValue, Diagnostic, UserDiagnostic,
};
use dlms::client::{Client, ClientConfig, Environment, Event};
use dlms::server::AssociationConfig;
use dlms::xdlms::GeneralHeader;
use dlms_axdr::{Encoder, Reader};
use dlms_security::{
    AuthenticationMechanism, Curve, NoStore, Protection, SecuritySuite, SystemTitle,
};
use libfuzzer_sys::fuzz_target;

const MECHANISM: AuthenticationMechanism = AuthenticationMechanism::Ecdsa;

fuzz_target!(|input: &[u8]| {
    let [role, first, rest @ ..] = input else { return };
    let Some((claimed, rest)) = rest.split_first_chunk::<8>() else { return };
    let [length, rest @ ..] = rest else { return };
    let (challenge, proof) = rest.split_at(usize::from(*length).min(rest.len()));
    let claimed = match role >> 1 & 3 {
        0 => SystemTitle::from_octets(*claimed),
        1 => CLIENT_TITLE,
        _ => SERVER_TITLE,
    };
    match role & 1 {
        0 => hostile_server(*first, claimed, challenge, proof),
        _ => hostile_client(claimed, challenge, proof),
    }
});

fn hostile_server(first: u8, claimed: SystemTitle, stoc: &[u8], proof: &[u8]) {
    let mut title = *CLIENT_TITLE.octets();
    title[0] = first;
    let title = SystemTitle::from_octets(title);
    let config = ClientConfig {
        ciphered: false,
        mechanism: MECHANISM,
        policy: Protection::empty(),
        client_title: Some(title),
        ..ClientConfig::hls_gmac()
    };
    let mut client = Client::<Provider, Vec<u8>>::new(config, Vec::new());
    let (mut own, peers) = ([key_pairs(SecuritySuite::Suite1, title)], peers_on(Curve::P256));
    let mut env = Environment {
        provider: &*PROVIDER,
        counters: &mut NoStore,
        security: None,
        key_ring: None,
        public_keys: Some(PublicKeys { provider: &*PROVIDER, own: &mut own, peers: &peers }),
        manufacturer: None,
        now: Duration::ZERO,
    };
    let mut out = [0; 1024];
    let asked = client.associate(&mut env, &mut out).expect("an AARQ");
    let asked = out[asked].to_vec();
    let ctos = Aarq::from_octets(&asked).expect("ours").authentication_value.and_then(|value| value.charstring());
    let aare = Aare {
        application_context_name: ApplicationContextName::LogicalNameReferencing,
        diagnostic: Diagnostic::User(UserDiagnostic::AuthenticationRequired),
        responding_ap_title: Some(claimed.octets()),
        responder_acse_requirements: Some(AcseRequirements::AUTHENTICATION),
        mechanism: Some(MECHANISM.into()),
        authentication_value: Some(AuthenticationValue::Charstring(stoc)),
        user_information: Some(&[0x08, 0x00, 0x06, 0x5F, 0x1F, 0x04, 0, 0, 0x7E, 0x1F, 0x04, 0, 0, 0x07]),
        ..Aare::default()
    };
    let mut buffer = [0; 1024];
    let mut encoder = Encoder::new(&mut buffer);
    if aare.encode(&mut encoder).is_err() {
        return;
    }
    let length = encoder.len();
    let Ok(reaction) = client.handle_apdu(&mut env, &mut buffer[..length], &mut out) else { return };
    assert!(!matches!(reaction.event, Some(Event::Associated(_))));
    let Some(sent) = reaction.transmit.filter(|sent| out[sent.start] == 0xC3) else { return };
    let invoke_id = out[sent.start + 2];
    // A proof left: what it signs is no header of general-signing, whatever follows.
    let message =
        [&title.octets()[..], claimed.octets(), stoc, ctos.unwrap_or(&[])].concat();
    if let Ok(header) = GeneralHeader::decode(&mut Reader::new(&message)) {
        let is_header = header.originator_system_title.len() == 8 && header.recipient_system_title.len() == 8;
        let within = header.received.len() <= 16 + stoc.len();
        assert!(!(is_header && within), "{message:02X?}");
    }
    let mut answer = vec![0xC7, 0x01, invoke_id, 0x00, 0x01, 0x00, 0x09];
    answer.push(proof.len().min(127) as u8);
    answer.extend(&proof[..proof.len().min(127)]);
    let reaction = client.handle_apdu(&mut env, &mut answer, &mut out);
    assert!(!matches!(reaction.map(|reaction| reaction.event), Ok(Some(Event::Associated(_)))));
}

fn hostile_client(claimed: SystemTitle, ctos: &[u8], proof: &[u8]) {
    let mut link = Link::new(AssociationConfig { security: Some(1), ..config(MECHANISM, None) });
    let aarq = Aarq {
        application_context_name: ApplicationContextName::LogicalNameReferencing,
        calling_ap_title: Some(claimed.octets()),
        sender_acse_requirements: Some(AcseRequirements::AUTHENTICATION),
        mechanism: Some(MECHANISM.into()),
        authentication_value: Some(AuthenticationValue::Charstring(ctos)),
        user_information: Some(&[1, 0, 0, 0, 6, 0x5F, 0x1F, 4, 0, 0x60, 0xFE, 0x9F, 0, 0x40]),
        ..Aarq::default()
    };
    let mut buffer = [0; 1024];
    let mut encoder = Encoder::new(&mut buffer);
    if aarq.encode(&mut encoder).is_err() {
        return;
    }
    let length = encoder.len();
    link.exchange(&buffer[..length]);
    assert!(link.session.association().is_none());
    let mut request = vec![0xC3, 0x01, 0xC1, 0, 15, 0, 0, 40, 0, 0, 255, 1, 1, 0x09];
    request.push(proof.len().min(127) as u8);
    request.extend(&proof[..proof.len().min(127)]);
    let answer = link.exchange(&request);
    assert!(link.session.association().is_none());
    // No proof of ours leaves either.
    assert!(answer.is_none_or(|answer| answer.len() < 32));
}
