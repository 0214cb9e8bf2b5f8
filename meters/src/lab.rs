//! The associations of the laboratory meter: one for each mechanism, suite and protection.
//!
//! | client address | association |
//! | --- | --- |
//! | 16 | `public`: reads without authentication |
//! | 17 to 24 | without ciphering: none, LLS, MD5, SHA-1, GMAC with the keys of suite 0, 1 and 2, SHA-256 |
//! | 32 to 67 | with ciphering: for each suite, first authenticated, then authenticated and encrypted, the six mechanisms |
//! | 25, 26 | without ciphering: ECDSA with the keys of suite 1 and 2 |
//! | 68 to 71 | with ciphering: ECDSA in suites 1 and 2, first authenticated, then authenticated and encrypted |
//! | 27 | without ciphering: the manufacturer's mechanism 2, which is `AesEcb` |
//! | 72 to 77 | with ciphering: the same in each suite, first authenticated, then authenticated and encrypted |
//!
//! Each association with keys has a Security setup, keys and a counter object of its own: of version 0 with suite 0, of
//! version 1 with the others. The master key of setup 0 is 60 61 62 …; the first octet rises with the number of the setup. The public client sees all
//! counters. Clients of every kind are tried here, so those are served too that use one invocation counter for a proof of
//! mechanism 5 and the APDU that carries it, and those that speak general-ciphering, with any key information, and
//! general-signing.

use std::collections::HashMap;

use toml::Value;

use crate::model::{Association, Item, KeySet, Model, Object};

const MECHANISMS: [(&str, u8); 6] =
    [("none", 0), ("lls", 1), ("md5", 3), ("sha1", 4), ("gmac", 5), ("sha256", 6)];
const MANUFACTURER: u8 = 2;
const ECDSA: u8 = 7;
const PROTECTIONS: [(&str, &[&str]); 2] =
    [("auth", &["authenticated"]), ("auth-enc", &["authenticated", "encrypted"])];
const PASSWORD: &str = "12345678";
const SECRET: &str = "0123456789abcdef";
/// One for each suite: a title has one signature key.
const CLIENT_TITLES: [&str; 3] = ["434c494c41420001", "434c494c41420101", "434c494c41420201"];
const MAX_PDU: u16 = 1280;

const SERVICES: [&str; 10] = [
    "general-protection",
    "block-transfer-with-get-or-read",
    "block-transfer-with-set-or-write",
    "block-transfer-with-action",
    "multiple-references",
    "get",
    "set",
    "selective-access",
    "action",
    "access",
];

/// Adds the associations to the model, with the objects that belong to them.
pub(crate) fn add_associations(model: &mut Model) {
    add(model, "public", 16, 0, None, &[], "public");
    for (place, (name, mechanism, suite)) in [
        ("none", 0, None),
        ("lls", 1, None),
        ("md5", 3, None),
        ("sha1", 4, None),
        ("gmac-0", 5, Some(0)),
        ("gmac-1", 5, Some(1)),
        ("gmac-2", 5, Some(2)),
        ("sha256", 6, None),
    ]
    .into_iter()
    .enumerate()
    {
        add(model, name, 17 + place as u16, mechanism, suite, &[], "full");
    }
    let mut client = 32;
    for suite in 0..3 {
        for (suffix, protection) in PROTECTIONS {
            for (name, mechanism) in MECHANISMS {
                let name = format!("{name}-{suite}-{suffix}");
                add(model, &name, client, mechanism, Some(suite), protection, "full");
                client += 1;
            }
        }
    }
    for suite in [1, 2] {
        add(model, &format!("ecdsa-{suite}"), 24 + u16::from(suite), ECDSA, Some(suite), &[], "full");
        for (suffix, protection) in PROTECTIONS {
            let name = format!("ecdsa-{suite}-{suffix}");
            add(model, &name, client, ECDSA, Some(suite), protection, "full");
            client += 1;
        }
    }
    add(model, "hls", 27, MANUFACTURER, None, &[], "full");
    for suite in 0..3 {
        for (suffix, protection) in PROTECTIONS {
            let name = format!("hls-{suite}-{suffix}");
            add(model, &name, client, MANUFACTURER, Some(suite), protection, "full");
            client += 1;
        }
    }
}

/// What an association with ciphering takes besides the usual envelopes.
const ACCEPTED: [&str; 6] = [
    "identified-key",
    "wrapped-key",
    "one-pass-diffie-hellman",
    "static-unified-model",
    "signing",
    "restarting-counters",
];

/// A private key of the suite's curve; test material.
fn private_key(suite: u8, first: u8) -> Option<String> {
    let length = match suite {
        0 => return None,
        1 => 32,
        _ => 48,
    };
    Some((0..length).map(|octet| format!("{:02x}", first + octet)).collect())
}

fn add(
    model: &mut Model,
    name: &str,
    client_sap: u16,
    mechanism: u8,
    suite: Option<u8>,
    protection: &[&str],
    access: &str,
) {
    let ciphered = !protection.is_empty();
    let number = model.key_set.len();
    let security_setup = suite.map(|_| format!("0-0:43.0.{number}.255"));
    model.association.push(Association {
        id: name.to_owned(),
        role: String::new(),
        access: Some(access.to_owned()),
        client_sap,
        server_sap: 1,
        ciphered,
        mechanism,
        security_setup: security_setup.clone(),
        protection: protection.iter().map(|&it| it.to_owned()).collect(),
        secret: match mechanism {
            1 => Some(PASSWORD.to_owned()),
            2 | 3 | 4 | 6 => Some(SECRET.to_owned()),
            _ => None,
        },
        conformance: SERVICES
            .iter()
            .filter(|&&it| ciphered || it != "general-protection")
            .map(|&it| it.to_owned())
            .collect(),
        max_pdu: MAX_PDU,
        accept_shared_counter: mechanism == 5,
        accepted: ACCEPTED.iter().filter(|_| ciphered).map(|&it| it.to_owned()).collect(),
    });
    let place = model.association.len();
    model.object.push(Object {
        name: format!("association_{name}"),
        class: 15,
        version: 1,
        ln: format!("0-0:40.0.{place}.255"),
        capture: Vec::new(),
        scripts: Vec::new(),
        attributes: Vec::new(),
        methods: Vec::new(),
    });
    let (Some(suite), Some(security_setup)) = (suite, security_setup) else { return };
    let client_title = CLIENT_TITLES[usize::from(suite.min(2))];
    let counter = format!("0-0:43.1.{number}.255");
    let length = if suite == 2 { 32 } else { 16 };
    let key = |first: u8| -> String {
        (0..length)
            .map(|octet| {
                format!("{:02x}", if octet == 0 { first.wrapping_add(number as u8) } else { first + octet })
            })
            .collect()
    };
    model.key_set.push(KeySet {
        security_setup: security_setup.clone(),
        suite,
        ek: key(0x00),
        ak: key(0xD0),
        kek: Some(key(0x60)),
        server_signing_key: private_key(suite, 0x21),
        client_signing_key: private_key(suite, 0x31),
        server_agreement_key: private_key(suite, 0x41),
        client_agreement_key: private_key(suite, 0x51),
        client_title: client_title.to_owned(),
        counter: counter.clone(),
    });
    let only =
        |names: &[&str]| names.iter().map(|&it| (it.to_owned(), "r".to_owned())).collect::<HashMap<_, _>>();
    let (setup_set, counter_set) = (format!("setup-{name}"), format!("counter-{name}"));
    let invoke_set = format!("setup-methods-{name}");
    model.access_set.insert(setup_set.clone(), only(&[name]));
    model.access_set.insert(invoke_set.clone(), HashMap::from([(name.to_owned(), "x".to_owned())]));
    model.access_set.insert(counter_set.clone(), only(&[name, "public"]));
    let version = u8::from(suite > 0);
    let policy = match (version, protection.len()) {
        (_, 0) => 0,
        (0, 1) => 0x01,
        (0, _) => 0x03,
        (_, 1) => 0x24,
        (_, _) => 0x6C,
    };
    let methods = if version == 0 { 1..=2 } else { 1..=8 };
    let title = |text: &str| Value::Array(vec!["octet-string".into(), text.into()]);
    let code = |code: i64| Value::Array(vec!["enum".into(), code.into()]);
    let item =
        |id: i8, access: &str, value: Value| Item { id, access: access.to_owned(), value: Some(value) };
    let server_title = title(&model.meter.system_title);
    model.object.push(Object {
        name: format!("security_setup_{number}"),
        class: 64,
        version,
        ln: security_setup,
        capture: Vec::new(),
        scripts: Vec::new(),
        attributes: vec![
            item(2, &setup_set, code(policy)),
            item(3, &setup_set, code(suite.into())),
            item(4, &setup_set, title(client_title)),
            item(5, &setup_set, server_title),
            Item { id: 6, access: setup_set, value: None },
        ],
        methods: methods.map(|id| Item { id, access: invoke_set.clone(), value: None }).collect(),
    });
    model.object.push(Object {
        name: format!("invocation_counter_{number}"),
        class: 1,
        version: 0,
        ln: counter,
        capture: Vec::new(),
        scripts: Vec::new(),
        attributes: vec![item(2, &counter_set, Value::Array(vec!["double-long-unsigned".into(), 0.into()]))],
        methods: Vec::new(),
    });
}
