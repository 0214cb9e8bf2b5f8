//! The published and generated vectors that need whole APDUs: receiving protected ones, and opening an association.
//!
//! Runs `tests/data/security.json`, and every `*security*.json` of the folder that `DLMS_EXTRA_VECTORS` names.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Counters, Link, config, keys, provider, to_hex, unhex};
use dlms::server::{Event, RefusalReason};
use dlms::xdlms::{ExceptionResponse, ServiceError, StateError};
use dlms::{Envelope, HEADROOM, SecurityContext, TAILROOM};
use dlms_axdr::{Encoder, Reader};
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, InvocationCounter, Protection, SecretKey,
    SecurityControl, SecuritySuite, SystemTitle,
};
use serde_json::Value;

#[test]
fn receiving() {
    let count = run("unprotect", |vector| {
        let input = |name: &str| octets(&vector["inputs"][name]);
        let suite = SecuritySuite::from_id(input("suite")[0]).unwrap();
        let title = |name| SystemTitle::try_from(&input(name)[..]).unwrap();
        let peer = title("peer_system_title");
        let floor =
            InvocationCounter::new(u32::from_be_bytes(input("lowest_acceptable_ic").try_into().unwrap()));
        let mut context = SecurityContext::new(
            &provider(),
            suite,
            title("own_system_title"),
            &SecretKey::new(suite, &input("guek")).unwrap(),
            AuthenticationKey::new(&input("ak")).unwrap(),
            CounterId(0),
            0,
        )
        .unwrap();
        context.restore_window(peer, floor).unwrap();
        let required = SecurityControl::from_octet(input("required")[0]).protection();
        let mut apdu = input("apdu");
        let opened = context.open(&provider(), None, peer, required, &mut apdu);
        if vector["outcome"] == "reject" {
            return opened.is_err() && (context.lowest_acceptable(peer) == floor || may_move(vector));
        }
        let lowest = to_hex(&context.lowest_acceptable(peer).value().to_be_bytes());
        let plain = opened.map(|opened| to_hex(&apdu[opened.apdu]));
        plain.as_deref() == Ok(vector["expected"]["plaintext"].as_str().unwrap())
            && lowest == vector["expected"]["lowest_acceptable_ic"]
    });
    assert!(count > 0);
}

/// A verified APDU uses its counter up even where its content is then refused.
fn may_move(vector: &Value) -> bool {
    vector["name"] == "neg-tag-of-apdu-mismatch"
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
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/security.json");
    let mut files = vec![own.into()];
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
