//! Exit codes and errors as the contract of the command has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use common::{Directory, association, credentials, dlms, options, serve, words};
use dlms_security::CryptoLibrary;
use serde_json::Value;

const CLOCK: &str = "8:0-0:1.0.0*255:2";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";

#[test]
fn wrong_usage_is_2() {
    let state = Directory::new();
    let target = ["--connect", "tcp://127.0.0.1:1"];
    for rest in [
        &["read"][..],
        &["read", CLOCK],
        &["read", target[0], target[1], "8:0.0.1:x"],
        &["read", target[0], "ftp://h", CLOCK],
        &["read", target[0], target[1], "--auth", "gmac", CLOCK],
        &["read", target[0], target[1], "--ek", "00", "--security", "auth", CLOCK],
        &["set", target[0], target[1], CLOCK, "{\"unsigned\":300}"],
        &["read", target[0], target[1], "--auth", "lls", CLOCK],
        &["read", target[0], target[1], "--auth", "gmac", "--ek", KEY, CLOCK],
        &["read", target[0], target[1], "--dedicated-key", KEY, CLOCK],
        &["profile", target[0], target[1], "1-0:99.1.0*255", "--from", "gestern"],
        &["serve", "--model", "unknown"],
        &["serve", "--model", "lab", "--crypto", "unknown"],
        &["listen", "127.0.0.1:0", "--crypto", "unknown"],
        &["read", target[0], target[1], "--crypto", "unknown", CLOCK],
        &["decode", "--framing", "unknown", "00"],
        &["nothing"],
    ] {
        let outcome = dlms(&state, rest).expect(2);
        assert!(!outcome.stderr.is_empty() && outcome.stdout.is_empty(), "{rest:?}");
        let mut json = vec!["--json"];
        json.extend(rest);
        let outcome = dlms(&state, json).expect(2);
        let error = &outcome.json()["error"];
        assert!(error["message"].is_string() && error["layer"] == "command", "{rest:?}: {outcome:?}");
    }
    assert!(dlms(&state, ["--help"]).expect(0).stdout.contains("decode"));
    assert!(dlms(&state, ["--version"]).expect(0).stdout.starts_with("dlms "));
}

#[test]
fn no_connection_is_5() {
    let state = Directory::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = format!("tcp://{free}");
    let outcome = dlms(&state, ["read", "--json", "--connect", &target, CLOCK]).expect(5);
    assert_eq!(outcome.json()["error"]["layer"], "transport");
    // A peer that accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", silent.local_addr().unwrap());
    for framing in ["wrapper", "hdlc"] {
        let silent = ["--framing", framing, "--timeout", "0.3", "--retries", "0"];
        let mut args = vec!["read", "--connect", &target, CLOCK];
        args.extend(silent);
        dlms(&state, args).expect(5);
    }
}

#[test]
fn refusals_are_6_and_wrong_secrets_are_4() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let credentials = credentials(&state, "lab");
    let changed = |name: &str, key: &str, value: Value| {
        let mut one = association(&credentials, name).clone();
        one[key] = value;
        let mut options = options(&meter, "wrapper", &one);
        options.extend(["--timeout", "1", "--retries", "0"].map(str::to_owned));
        dlms(&state, words("read", &options, &["--json", CLOCK]))
    };
    let rejected = changed("lls", "password-hex", "00".into()).expect(6);
    assert_eq!(rejected.json()["error"]["layer"], "acse");
    changed("sha256", "password-hex", "00".into()).expect(4);
    changed("public", "client", 99.into()).expect(6);
    let key = "ffffffffffffffffffffffffffffffff";
    for (association, which) in [("gmac-0-auth-enc", "ek"), ("gmac-0-auth-enc", "ak"), ("gmac-0", "ak")] {
        let outcome = changed(association, which, key.into()).expect(4);
        assert!(!format!("{outcome:?}").contains(key), "a key in the output");
    }
    // Counters that were used under these keys.
    let mut replay = options(&meter, "wrapper", association(&credentials, "gmac-0-auth-enc"));
    dlms(&state, words("read", &replay, &[CLOCK])).expect(0);
    replay.extend(["--invocation-counter", "0"].map(str::to_owned));
    let replay = dlms(&state, words("read", &replay, &["--json", CLOCK])).expect(4);
    assert!(replay.stderr.contains("--counter-from-meter"), "{replay:?}");
    // A meter with another title than the known one is not the meter.
    changed("gmac-0-auth-enc", "server-title", "4d4d4d0000000001".into()).expect(4);
}

/// On a line that several clients share, a meter has no room for the next one until it hears a DISC.
#[test]
fn a_refused_command_frees_the_link() {
    let unhex = |text: &str| -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let acknowledges = unhex("7EA00721037301407E");
    // AARE: rejected-permanent, no reason given.
    let refuses = unhex("7EA025210330BB86E6E7006117A109060760857405080101A203020101A305A103020101C2857E");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", listener.local_addr().unwrap());
    let meter = std::thread::spawn(move || {
        let (mut line, _) = listener.accept().unwrap();
        let mut frames = Vec::new();
        let mut octets = [0; 512];
        // The control fields: SNRM, I, DISC.
        for (control, reply) in [(0x93, &acknowledges), (0x10, &refuses), (0x53, &acknowledges)] {
            let length = line.read(&mut octets).unwrap();
            frames.push(octets[..length].to_vec());
            assert_eq!(octets.get(5), Some(&control), "{frames:02X?}");
            line.write_all(reply).unwrap();
        }
        frames
    });
    let state = Directory::new();
    dlms(&state, ["read", "--connect", &target, "--framing", "hdlc", CLOCK]).expect(6);
    assert_eq!(meter.join().unwrap()[2], unhex("7EA00703215303C77E"));
}

#[test]
fn secrets_come_from_the_environment_and_the_profile_file() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let credentials = credentials(&state, "lab");
    let one = association(&credentials, "gmac-0-auth-enc");
    let text = |key: &str| one[key].as_str().unwrap();
    let read = |args: &[&str]| {
        let mut command = common::command(&state);
        command.env("DLMS_EK", text("ek")).env("DLMS_AK", text("ak"));
        let output = command.args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let connect = format!("tcp://{}", meter.address);
    let client = one["client"].to_string();
    let args = ["read", "--connect", &connect, "--client", &client, "--auth", "gmac", CLOCK];
    assert_eq!(read(&args).0, Some(0));
    let (_, help) = read(&["read", "--help"]);
    assert!(help.contains("DLMS_EK") && !help.contains(text("ek")), "{help}");

    std::fs::create_dir_all(state.file("dlms")).unwrap();
    let (ek, ak) = (text("ek"), text("ak"));
    let meters = format!(
        "[lab]\nconnect = {connect:?}\nclient = {client}\nauth = \"gmac\"\nek = {ek:?}\nak = {ak:?}\n\n[broken]\nek = 5\n"
    );
    std::fs::write(state.file("dlms/meters.toml"), meters).unwrap();
    dlms(&state, ["read", "--meter", "lab", CLOCK]).expect(0);
    let outcome =
        dlms(&state, ["read", "--meter", "lab", "--auth", "none", "--client", "16", CLOCK]).expect(0);
    assert!(outcome.stdout.contains("clock"));
    let unknown = dlms(&state, ["read", "--meter", "other", CLOCK]).expect(2);
    assert!(unknown.stderr.contains("lab"), "{unknown:?}");
    dlms(&state, ["read", "--meter", "broken", CLOCK]).expect(2);
    // The library too: one that is not built in is refused wherever it is named.
    let code = |is_built_in| if is_built_in { Some(0) } else { Some(2) };
    for library in CryptoLibrary::ALL {
        let mut command = common::command(&state);
        command.env("DLMS_CRYPTO", library.name()).args(["read", "--meter", "lab", CLOCK]);
        assert_eq!(command.output().unwrap().status.code(), code(library.is_built_in()), "{library}");
        let meters = format!(
            "[lab]\nconnect = {connect:?}\nclient = {client}\nauth = \"gmac\"\nek = {ek:?}\nak = {ak:?}\ncrypto = \"{library}\"\n"
        );
        std::fs::write(state.file("dlms/meters.toml"), meters).unwrap();
        let outcome = dlms(&state, ["read", "--meter", "lab", CLOCK]);
        assert_eq!(Some(outcome.code), code(library.is_built_in()), "{outcome:?}");
        assert!(library.is_built_in() || outcome.stderr.contains("aws-lc-rs"), "{outcome:?}");
    }
    std::fs::write(state.file("dlms/meters.toml"), format!("[lab]\nek = {ek:?}garbage\n")).unwrap();
    let outcome = dlms(&state, ["read", "--meter", "lab", CLOCK]).expect(2);
    assert!(!outcome.stderr.contains(ek), "{outcome:?}");
}
