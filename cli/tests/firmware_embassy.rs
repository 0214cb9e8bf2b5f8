//! The meter of `examples/firmware-embassy` in the emulator, read by our client and by one whose codec is not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::emulator::{Emulator, GMAC, READER, embassy_image, options, read_all, read_with_gurux, value};
use common::{Directory, Running, command, dlms, words};
use serde_json::Value;

const PROFILE: &str = "1-0:99.1.0*255";
const CLOCK: &str = "8:0-0:1.0.0*255:2";

/// Who hears `count` notifications at the consumer port.
fn listen(state: &Directory, count: &str) -> Running {
    let keys = ["--ek", "000102030405060708090a0b0c0d0e0f", "--ak", "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"];
    let mut command = command(state);
    command.args(["--json", "listen", "127.0.0.1:0", "--count", count]);
    command.args(keys).args(["--system-title", "4755525830303031"]);
    Running::start(&mut command, true)
}

#[test]
fn our_client_reads_every_association() {
    let Some(image) = embassy_image() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let listening = listen(&state, "3");
    let meter = Emulator::start_embassy(&image, &flash, &listening.address);
    let [public, reader, management] =
        [&[][..], READER, GMAC].map(|association| options(meter.remote_port, association));
    let counts = [&public, &reader, &management].map(|options| read_all(&state, options));
    assert!(counts[0] > 10 && counts[0] < counts[1] && counts[1] == counts[2], "{counts:?}");
    // The counter that the client used is shown to whoever must begin above it.
    let counter = value(&state, &public, "1:0-0:43.1.0*255:2");
    assert!(counter["double-long-unsigned"].as_u64().unwrap() > 0, "{counter}");

    dlms(&state, words("set", &management, &[CLOCK, "2030-05-06T07:08:09"])).expect(0);
    let time = value(&state, &reader, CLOCK);
    assert!(time["octet-string"].as_str().unwrap().starts_with("07ee0506"), "{time}");
    assert_ne!(dlms(&state, words("set", &reader, &[CLOCK, "2030-05-06T07:08:09"])).code, 0);
    let wrong = options(meter.remote_port, &[&READER[..5], &["12345679"]].concat());
    assert_ne!(dlms(&state, words("read", &wrong, &[CLOCK])).code, 0);

    // Power came, the clock was set, somebody did not know the password.
    let (code, heard) = listening.finish();
    assert_eq!(code, 0);
    let heard: Vec<Value> = heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> = heard.iter().map(|one| &one["data"]["structure"][0]["unsigned"]).collect();
    assert_eq!(codes, [2, 4, 46]);
    assert!(heard.iter().all(|one| one["security"] == "auth-enc"), "{heard:?}");
}

/// Power is cut: rows are still there, and no invocation counter is used twice.
#[test]
fn rows_and_counters_outlive_the_power() {
    let Some(image) = embassy_image() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let mut counters = Vec::new();
    for rows in [1, 2] {
        let listening = listen(&Directory::new(), "1");
        let meter = Emulator::start_embassy(&image, &flash, &listening.address);
        let (_, heard) = listening.finish();
        assert!(heard.contains("auth-enc"), "{heard}");
        let management = options(meter.remote_port, GMAC);
        let shown = value(&state, &options(meter.remote_port, &[]), "1:0-0:43.1.0*255:2");
        counters.push(shown["double-long-unsigned"].as_u64().unwrap());
        dlms(&state, words("invoke", &management, &[&format!("7:{PROFILE}:2")])).expect(0);
        let profile = dlms(&state, words("profile", &management, &["--json", PROFILE])).expect(0);
        assert_eq!(profile.json_lines().len(), rows);
        meter.cut();
    }
    assert!(counters[0] < counters[1], "{counters:?}");
}

#[test]
fn gurux_reads_every_association() {
    let Some(image) = embassy_image() else { return };
    let flash = Directory::new();
    let listening = listen(&flash, "1");
    let meter = Emulator::start_embassy(&image, &flash, &listening.address);
    read_with_gurux(meter.remote_port);
}
