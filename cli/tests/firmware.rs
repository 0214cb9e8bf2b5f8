//! The bare-metal meter of `examples/firmware-meter` in the emulator, read by our client and by one whose codec is not
//! ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::path::Path;
use std::process::Command;

use common::emulator::{Emulator, images};
use common::{Directory, dlms, words};
use serde_json::Value;

const READER: &[&str] = &["--client", "2", "--auth", "lls", "--password", "12345678"];
const GMAC: &[&str] = &[
    "--client",
    "1",
    "--auth",
    "gmac",
    "--ek",
    "000102030405060708090a0b0c0d0e0f",
    "--ak",
    "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
    "--client-title",
    "4755525800000001",
    "--server-title",
    "4755525830303031",
];

const RELAY: &str = "70:0-0:96.3.10*255";

fn options(port: u16, association: &[&str]) -> Vec<String> {
    let target = format!("tcp://127.0.0.1:{port}");
    let line = ["--connect", &target, "--framing", "hdlc"];
    line.iter().chain(association).map(|option| (*option).to_owned()).collect()
}

/// Every attribute that the association may read.
fn read_all(state: &Directory, options: &[String]) -> usize {
    let objects = dlms(state, words("objects", options, &["--json", "--values"])).expect(0).json();
    let objects = objects.as_array().unwrap();
    let values: Vec<_> = objects.iter().flat_map(|object| object["values"].as_array().unwrap()).collect();
    let refused: Vec<_> = values.iter().filter(|value| value.get("data").is_none()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    values.len()
}

fn value(state: &Directory, options: &[String], attribute: &str) -> Value {
    let read = dlms(state, words("read", options, &["--json", attribute])).expect(0).json();
    read[0]["data"].clone()
}

#[test]
fn our_client_reads_every_association() {
    let Some(images) = images() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let meter = Emulator::start(&images, &flash);
    let [public, reader, management] =
        [&[][..], READER, GMAC].map(|association| options(meter.remote_port, association));
    let counts = [&public, &reader, &management].map(|options| read_all(&state, options));
    assert!(counts[0] > 10 && counts[0] < counts[1] && counts[1] == counts[2], "{counts:?}");

    let set = words("set", &management, &["8:0-0:1.0.0*255:2", "2030-05-06T07:08:09"]);
    dlms(&state, set).expect(0);
    let time = value(&state, &reader, "8:0-0:1.0.0*255:2");
    assert!(time["octet-string"].as_str().unwrap().starts_with("07ee0506"), "{time}");
    for (method, supply) in [(1, false), (2, true)] {
        dlms(&state, words("invoke", &management, &[&format!("{RELAY}:{method}")])).expect(0);
        assert_eq!(value(&state, &reader, &format!("{RELAY}:2"))["boolean"], supply);
    }
    // Who only reads does not switch.
    assert_ne!(dlms(&state, words("invoke", &reader, &[&format!("{RELAY}:1")])).code, 0);
    // The password is looked at.
    let wrong = options(meter.remote_port, &[&READER[..5], &["12345679"]].concat());
    assert_ne!(dlms(&state, words("read", &wrong, &["8:0-0:1.0.0*255:2"])).code, 0);
}

#[test]
fn gurux_reads_every_association() {
    let Some(images) = images() else { return };
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop");
    if !peers.join(".venv/bin/python").exists() && std::env::var_os("DLMS_INTEROP").is_none() {
        eprintln!("not run: tests/interop/setup.sh has not made the peers' environment");
        return;
    }
    let flash = Directory::new();
    let meter = Emulator::start(&images, &flash);
    let gmac = ["--client", "1", "--auth", "gmac", "--security", "authenc"];
    for association in [&["--client", "16"][..], READER, &gmac] {
        let output = Command::new(peers.join(".venv/bin/python"))
            .arg(peers.join("peers/gurux_client.py"))
            .args(["--port", &meter.remote_port.to_string(), "--framing", "hdlc"])
            .args(["--ops", "objects,read-all", "--tolerate-denied"])
            .args(association)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let read: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{read}");
        assert!(read["ops"]["read-all"]["attributes_ok"].as_u64().unwrap() > 10, "{read}");
    }
}
