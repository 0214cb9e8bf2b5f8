//! Whatever a server may send, to a client in any state: nothing panics, and without the key nothing opens.
//!
//! ```text
//! state (1) | length (1) | APDU | length (1) | APDU …
//! ```
//!
//! Bit 7 of the state has the APDUs sealed with the right key first.
#![no_main]

use std::time::Duration;

use dlms::client::{AccessItem, AccessOptions, ActionItem, Client, ClientConfig, Environment, SetItem};
use dlms::xdlms::{AttributeDescriptor, Conformance, MethodDescriptor};
use dlms::{Carrier, Envelope, HEADROOM, SecurityContext, TAILROOM};
use dlms_axdr::Data;
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, CounterId, Forgetful, Protection, RustCrypto, SecretKey, SecurityError, SecuritySuite,
    SystemTitle,
};
use libfuzzer_sys::fuzz_target;

type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>>;

const SUITE: SecuritySuite = SecuritySuite::Suite0;
const SERVER: [u8; 8] = *b"ABC\0\0\0\0\x01";
const NAME: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
/// An association without security, every service of logical names agreed on, APDUs of up to 64 octets.
const AARE: [u8; 43] = [
    0x61, 0x29, 0xA1, 0x09, 0x06, 0x07, 0x60, 0x85, 0x74, 0x05, 0x08, 0x01, 0x01, 0xA2, 0x03, 0x02, 0x01, 0x00, 0xA3,
    0x05, 0xA1, 0x03, 0x02, 0x01, 0x00, 0xBE, 0x10, 0x04, 0x0E, 0x08, 0x00, 0x06, 0x5F, 0x1F, 0x04, 0x00, 0x60, 0xFE,
    0xDF, 0x00, 0x40, 0x00, 0x07,
];

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    out.fill(0x5A);
    Ok(())
}

fn keys(provider: &Provider, title: [u8; 8]) -> SecurityContext<Provider> {
    let key = SecretKey::new(SUITE, &[1; 16]).expect("sixteen octets");
    let authentication_key = AuthenticationKey::new(&[2; 16]).expect("sixteen octets");
    let title = SystemTitle::from_octets(title);
    SecurityContext::new(provider, SUITE, title, &key, authentication_key, CounterId(0), 0).expect("keys that fit")
}

fuzz_target!(|input: &[u8]| {
    let Some((&state, mut rest)) = input.split_first() else { return };
    let provider: Provider = RustCrypto::new(random);
    let mut security = keys(&provider, *b"HES\0\0\0\0\x02");
    let mut server = keys(&provider, SERVER);
    let ciphered = state & 0x40 != 0;
    let config = match ciphered {
        true => ClientConfig::hls_gmac(),
        false => ClientConfig { conformance: Conformance::LOGICAL_NAME, ..ClientConfig::public() },
    };
    let config = ClientConfig { max_transfer: 4096, ..config };
    let mut client = Client::new(config, [0; 64]);
    let mut out = [0; 256];
    let mut env = Environment {
        provider: &provider,
        counters: &mut Forgetful,
        security: Some(&mut security),
        key_ring: None,
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    };
    if state & 0x0F != 0 {
        client.associate(&mut env, &mut out).expect("a configuration that works");
    }
    if !ciphered && state & 0x0E != 0 {
        client.handle_apdu(&mut env, &mut AARE.clone(), &mut out).expect("an AARE that is accepted");
        let attribute = AttributeDescriptor::new(3, NAME, 2);
        let method = MethodDescriptor::new(3, NAME, 1);
        let long = [0; 48];
        let long = Data::OctetString(&long);
        let value: &dyn dlms_axdr::Encode = if state & 0x10 != 0 { &long } else { &1u8 };
        let list = state & 0x20 != 0;
        let sent = match (state & 0x0E, list) {
            (2, false) => client.get(&mut env, attribute.into(), &mut out),
            (2, true) => client.get_with_list(&mut env, &[attribute.into()], &mut out),
            (4, false) => client.set(&mut env, SetItem::new(attribute, value), &mut out),
            (4, true) => client.set_with_list(&mut env, &[SetItem::new(attribute, value)], &mut out),
            (6, false) => client.action(&mut env, ActionItem::new(method, value), &mut out),
            (6, true) => client.action_with_list(&mut env, &[ActionItem::new(method, value)], &mut out),
            (8, _) => client.release(&mut env, &mut out),
            (10, _) => {
                let items = [AccessItem::Get(attribute.into()), AccessItem::Action(ActionItem::new(method, &1u8))];
                let options = AccessOptions { break_on_error: list, ..AccessOptions::default() };
                client.access(&mut env, &items, options, &mut out)
            }
            _ => Ok(0..0),
        };
        sent.expect("a request that can be made");
    }
    while let Some((&length, behind)) = rest.split_first() {
        let (apdu, next) = behind.split_at(usize::from(length).min(behind.len()));
        rest = next;
        let mut apdu = apdu.to_vec();
        if state & 0x80 != 0 && !apdu.is_empty() {
            let plain = HEADROOM..HEADROOM + apdu.len();
            let mut buffer = vec![0; plain.end + TAILROOM];
            buffer[plain.clone()].copy_from_slice(&apdu);
            let envelope = Envelope { carrier: Carrier::WithTitle, ..Envelope::GLOBAL };
            let sealed = server
                .seal(&provider, &mut Forgetful, None, envelope, Protection::AUTHENTICATED_ENCRYPTED, &mut buffer, plain)
                .expect("room enough");
            apdu = buffer[sealed].to_vec();
        }
        let _ = client.handle_apdu(&mut env, &mut apdu, &mut out);
    }
    // Nobody has proved anything.
    assert!(!ciphered || client.agreement().is_none());
});
