//! Interoperability: our client against a server, and our server against clients, whose codecs are not ours.
//!
//! The peers are processes (`tests/interop`). The tests run where `tests/interop/setup.sh` has made their environment;
//! with `DLMS_INTEROP=1` it must be there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "interop/carriers.rs"]
mod carriers;
mod common;
#[path = "interop/key_management.rs"]
mod key_management;
#[path = "interop/services.rs"]
mod services;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Directory, Outcome, Running, association, credentials, dlms, options, serve, words};
use serde_json::Value;

/// The test keys and titles of the peers.
const EK: &str = "000102030405060708090a0b0c0d0e0f";
const AK: &str = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf";
const SERVER_TITLE: &str = "4755525830303031";
const CLIENT_TITLE: &str = "4755525800000001";

const PROFILE: &str = "1-0:99.1.0*255";
const WRITABLE: &str = "1:0-0:96.1.9*255:2";

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop")
}

/// The interpreter of the peers, if it is there.
fn python() -> Option<PathBuf> {
    let python = peers().join(".venv/bin/python");
    if python.exists() {
        return Some(python);
    }
    let is_demanded = std::env::var_os("DLMS_INTEROP").is_some_and(|value| value == "1");
    assert!(!is_demanded, "DLMS_INTEROP=1, but {} is missing: run tests/interop/setup.sh", python.display());
    eprintln!("not run: tests/interop/setup.sh has not made the peers' environment");
    None
}

fn peer(script: &str) -> Option<Command> {
    let mut command = Command::new(python()?);
    command.arg(peers().join("peers").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// The server driver.
fn gurux_server(arguments: &[&str]) -> Option<Running> {
    let mut command = peer("gurux_server.py")?;
    command.args(["--port", "0", "--profile-rows", "400"]).args(arguments);
    Some(Running::start(&mut command, false))
}

/// What the server driver says of its keys: options of our client.
fn gurux_keys(suite: u8) -> Vec<String> {
    let mut command = peer("gurux_server.py").unwrap();
    let (_, keys) = run_json(command.args(["--print-keys", "--suite", &suite.to_string()]));
    let keys = keys.as_object().unwrap().iter();
    keys.flat_map(|(name, value)| [format!("--{name}"), value.as_str().unwrap().to_owned()]).collect()
}

/// Runs a driver to its end.
fn run_json(command: &mut Command) -> (Outcome, Value) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let outcome = Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    let json = serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null);
    (outcome, json)
}

/// What a driver prints, every operation of which passed.
#[track_caller]
fn passed(name: &str, (outcome, json): (Outcome, Value)) -> Value {
    let failed: Vec<_> = json["ops"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, operation)| operation["ok"] != true)
        .map(|(operation, result)| format!("{operation}: {result}"))
        .collect();
    assert_eq!(outcome.code, 0, "{name}: {} {failed:?} {}", json["association"], outcome.stderr);
    json
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The client driver for one association of a simulated meter, without operations.
fn gurux_client(meter: &Running, framing: &str, one: &Value) -> Command {
    let mut command = peer("gurux_client.py").unwrap();
    command.args(["--port", meter.port(), "--framing", framing, "--client", &one["client"].to_string()]);
    command.args(["--auth", one["auth"].as_str().unwrap()]);
    if one["auth"] == "ecdsa" {
        command.args(["--fix-ecdsa", "--challenge", "32"]);
    }
    command.args(["--security", &one["security"].as_str().unwrap().replace("auth-enc", "authenc")]);
    for (option, key) in [
        ("--suite", "suite"),
        ("--ek", "ek"),
        ("--ak", "ak"),
        ("--kek", "kek"),
        ("--system-title", "client-title"),
        ("--server-title", "server-title"),
        ("--signing-key", "signing-key"),
        ("--peer-public-key", "peer-public-key"),
        ("--agreement-key", "agreement-key"),
        ("--peer-agreement-key", "peer-agreement-key"),
    ] {
        if let Some(value) = text(&one[key]) {
            command.args([option, &value]);
        }
    }
    command
}

mod our_client {
    use super::*;

    /// The object list, every attribute, a profile by range and by entry, a SET, an ACTION, an image transfer.
    fn everything(framing: &str, server_arguments: &[&str], client_options: &[&str]) {
        let Some(meter) = gurux_server(&[&["--framing", framing], server_arguments].concat()) else {
            return;
        };
        let state = Directory::new();
        let target = format!("tcp://{}", meter.address);
        let mut options: Vec<_> = ["--connect", &target, "--framing", framing].map(str::to_owned).to_vec();
        options.extend(client_options.iter().map(|option| (*option).to_owned()));
        let run = |command: &str, rest: &[&str]| dlms(&state, words(command, &options, rest));

        let objects = run("objects", &["--json", "--values"]).expect(0).json();
        let objects = objects.as_array().unwrap();
        let values: Vec<_> = objects.iter().flat_map(|object| object["values"].as_array().unwrap()).collect();
        let refused: Vec<_> = values.iter().filter(|value| value.get("data").is_none()).collect();
        assert!(
            objects.len() > 50 && values.len() > 200,
            "{} objects, {} values",
            objects.len(),
            values.len()
        );
        assert!(refused.is_empty(), "{refused:?}");

        let range = ["--json", PROFILE, "--from", "2026-01-02", "--to", "2026-01-02"];
        let range = run("profile", &range).expect(0).json_lines();
        assert_eq!(range.len(), 96);
        assert!(range[0]["time"].as_str().unwrap().starts_with("2026-01-02T00:00:00"), "{}", range[0]);
        let newest = run("profile", &["--json", PROFILE, "--last", "10"]).expect(0).json_lines();
        let all = run("profile", &["--json", PROFILE]).expect(0).json_lines();
        assert_eq!((newest.len(), all.len()), (10, 400));
        assert_eq!(newest[9]["values"], all[399]["values"]);

        run("set", &[WRITABLE, "from our client"]).expect(0);
        let read = run("read", &["--json", WRITABLE]).expect(0).json();
        assert_eq!(read[0]["data"]["octet-string"], "66726f6d206f757220636c69656e74");
        let one = |attribute: &str| run("read", &["--json", attribute]).expect(0).json()[0].clone();
        let attributes = [WRITABLE, "3:1-0:1.8.0*255:2", "8:0-0:1.0.0*255:3"];
        let access = run("read", &[&["--json", "--access", "--trace"], &attributes[..]].concat()).expect(0);
        // access-request, or one of the general envelopes, which nothing else is sent in.
        let is_access = ["apdu     d9c0", "apdu     db08", "apdu     dc08"]
            .iter()
            .any(|head| access.stderr.contains(head));
        assert!(is_access, "{}", access.stderr);
        assert_eq!(access.json().as_array().unwrap(), &attributes.map(one));
        for (method, supply) in [(1, false), (2, true)] {
            run("invoke", &[&format!("70:0-0:96.3.10*255:{method}"), "0"]).expect(0);
            let relay = run("read", &["--json", "70:0-0:96.3.10*255:2"]).expect(0).json();
            assert_eq!(relay[0]["data"]["boolean"], supply);
        }
        let image = state.file("image.bin");
        std::fs::write(&image, (0..5000u32).map(|octet| octet as u8).collect::<Vec<_>>()).unwrap();
        let sent = run("image", &["--json", image.to_str().unwrap()]).expect(0).json();
        assert_eq!(sent["status"], "activation-successful");
    }

    const GMAC_SERVER: [&str; 6] = ["--auth", "gmac", "--suite", "0", "--security-policy", "authenc"];
    const GMAC: [&str; 12] = [
        "--client",
        "1",
        "--auth",
        "gmac",
        "--ek",
        EK,
        "--ak",
        AK,
        "--client-title",
        CLIENT_TITLE,
        "--server-title",
        SERVER_TITLE,
    ];

    #[test]
    fn ecdsa_under_suite_1() {
        if python().is_none() {
            return;
        }
        let server = ["--auth", "ecdsa", "--suite", "1", "--security-policy", "authenc", "--challenge", "32"];
        let client = ["--auth", "ecdsa", "--suite", "1"];
        let keys = gurux_keys(1);
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let titles = ["--client", "1", "--client-title", CLIENT_TITLE, "--server-title", SERVER_TITLE];
        for framing in ["wrapper", "hdlc"] {
            everything(framing, &server, &[&client[..], &keys, &titles].concat());
        }
    }

    const LLS: [&str; 6] = ["--client", "1", "--auth", "lls", "--password", "Gurux"];

    #[test]
    fn plain_over_the_wrapper() {
        everything("wrapper", &[], &[]);
    }

    #[test]
    fn plain_over_hdlc() {
        everything("hdlc", &["--max-info", "128", "--window", "1"], &[]);
    }

    #[test]
    fn lls_over_the_wrapper() {
        everything("wrapper", &["--auth", "lls"], &LLS);
    }

    #[test]
    fn lls_over_hdlc() {
        everything("hdlc", &["--auth", "lls"], &LLS);
    }

    #[test]
    fn gmac_over_the_wrapper() {
        everything("wrapper", &GMAC_SERVER, &GMAC);
    }

    #[test]
    fn gmac_over_hdlc() {
        everything("hdlc", &GMAC_SERVER, &GMAC);
    }

    #[test]
    fn gmac_with_a_dedicated_key_and_every_digest() {
        everything(
            "wrapper",
            &GMAC_SERVER,
            &[&GMAC[..], &["--dedicated-key", "404142434445464748494a4b4c4d4e4f"]].concat(),
        );
        for auth in ["hls", "md5", "sha1", "sha256"] {
            let titles = ["--client-title", CLIENT_TITLE, "--server-title", SERVER_TITLE];
            let options = [&["--client", "1", "--auth", auth, "--password", "Gurux"][..], &titles].concat();
            everything("wrapper", &["--auth", auth], &options);
        }
    }

    #[test]
    fn counters_never_go_back() {
        let arguments = [&GMAC_SERVER[..], &["--check-ic"]].concat();
        let Some(meter) = gurux_server(&arguments) else { return };
        let state = Directory::new();
        let target = format!("tcp://{}", meter.address);
        let read = |state: &Directory, more: &[&str]| {
            let mut args = vec!["read", "--connect", &target, "8:0-0:1.0.0*255:2"];
            args.extend(GMAC);
            args.extend(more);
            dlms(state, args)
        };
        read(&state, &[]).expect(0);
        read(&state, &[]).expect(0);
        // Another state directory knows nothing of the counter; the server says what it expects.
        read(&Directory::new(), &[]).expect(0);
    }
}

mod our_server {
    use super::*;

    /// A day of the load profile that the meter has.
    fn day(state: &Directory, meter: &Running, framing: &str, credentials: &Value) -> [String; 2] {
        let options = options(meter, framing, credentials);
        let newest = dlms(state, words("profile", &options, &["--json", PROFILE, "--last", "400"])).expect(0);
        let rows = newest.json_lines();
        [&rows[100], &rows[195]].map(|row| row["time"].as_str().unwrap()[..19].to_owned())
    }

    fn gurux(framing: &str, name: &str, more: &[&str]) {
        if python().is_none() {
            return;
        }
        let state = Directory::new();
        let meter = serve(&state, "lab", framing, &[]);
        let credentials = credentials(&state, "lab");
        let one = association(&credentials, name);
        let day = day(&state, &meter, framing, one);
        let mut command = gurux_client(&meter, framing, one);
        command.args(["--range", &day[0], &day[1]]);
        if let Some(password) = text(&one["password-hex"]) {
            let octets =
                (0..password.len()).step_by(2).map(|at| u8::from_str_radix(&password[at..at + 2], 16));
            let password = String::from_utf8(octets.map(Result::unwrap).collect()).unwrap();
            command.args(["--password", &password]);
        }
        // The counters were used by the client that looked up the day.
        command.args(["--ic", "100000", "--tolerate-denied"]);
        let mut operations =
            String::from("objects,read-all,set,clock-set,action,profile-entry,profile-range,image,list");
        // The package looks for a service-specific form of ACCESS, which there is not.
        if one["security"] == "none" || more.contains(&"--general-protection") {
            operations.push_str(",access");
        }
        command.args(["--ops", &operations]);
        command.args(more);
        let json = passed(&format!("{name} over {framing}"), run_json(&mut command));
        assert_eq!(json["ops"]["profile-range"]["rows"], 96, "{name} over {framing}");
    }

    #[test]
    fn gurux_over_the_wrapper() {
        for name in ["none", "lls", "gmac-0-auth-enc"] {
            gurux("wrapper", name, &[]);
        }
    }

    #[test]
    fn gurux_over_hdlc() {
        for name in ["none", "lls", "gmac-0-auth-enc"] {
            gurux("hdlc", name, &[]);
        }
    }

    #[test]
    fn gurux_with_every_other_mechanism_and_suite() {
        for name in
            ["hls", "md5", "sha1", "sha256", "gmac-0", "gmac-0-auth", "gmac-1-auth-enc", "gmac-2-auth-enc"]
        {
            gurux("wrapper", name, &[]);
        }
        for (framing, name) in
            [("wrapper", "ecdsa-1"), ("wrapper", "ecdsa-1-auth-enc"), ("hdlc", "ecdsa-1-auth-enc")]
        {
            gurux(framing, name, &[]);
        }
        gurux("wrapper", "gmac-0-auth-enc", &["--general-protection"]);
        gurux("wrapper", "gmac-0-auth-enc", &["--dedicated", "404142434445464748494a4b4c4d4e4f"]);
    }

    /// Associates, reads registers, reads a profile in blocks. What the driver is given to do follows `operations`.
    fn dlms_cosem(framing: &str, name: &str, operations: &str, seed: &str) -> (Outcome, Value) {
        let state = Directory::new();
        let meter = serve(&state, "lab", framing, &["--seed", seed]);
        let credentials = credentials(&state, "lab");
        let one = association(&credentials, name);
        let day = day(&state, &meter, framing, one);
        let mut command = peer("dlmscosem_client.py").unwrap();
        command.args(["--port", meter.port(), "--framing", framing, "--client", &one["client"].to_string()]);
        command.args(["--auth", one["auth"].as_str().unwrap(), "--range", &day[0], &day[1]]);
        if one["auth"] == "lls" {
            command.args(["--password", "12345678"]);
        }
        if one["security"] == "auth-enc" {
            command.arg("--ciphered");
        }
        for (option, key) in
            [("--suite", "suite"), ("--ek", "ek"), ("--ak", "ak"), ("--system-title", "client-title")]
        {
            if let Some(value) = text(&one[key]) {
                command.args([option, &value]);
            }
        }
        command.args(["--ic", "100000", "--tolerate-denied", "--timeout", "3", "--ops", operations]);
        run_json(&mut command)
    }

    #[test]
    fn dlms_cosem_over_the_wrapper() {
        if python().is_none() {
            return;
        }
        for name in ["none", "lls", "gmac-0-auth-enc"] {
            let operations = "objects,read-all,set,action,profile-range,profile-all";
            let json = passed(name, dlms_cosem("wrapper", name, operations, "1"));
            assert_eq!(json["ops"]["profile-range"]["rows"], 96, "{name}");
            assert!(json["ops"]["profile-all"]["rows"].as_u64().unwrap() > 1000, "{name}");
        }
    }

    /// The serial line of this client waits for ever where a check sequence happens to end with the octet of a flag,
    /// once in some hundred frames: a time-out is no verdict, so another attempt, with other values, is made.
    #[test]
    fn dlms_cosem_over_hdlc() {
        if python().is_none() {
            return;
        }
        for name in ["none", "lls", "gmac-0-auth-enc"] {
            let attempt =
                |seed: i32| dlms_cosem("hdlc", name, "objects,set,action,profile-range", &seed.to_string());
            let is_verdict = |(_, json): &(Outcome, Value)| !json["ops"].to_string().contains("TimeoutError");
            let run = (1..=5).map(attempt).find(is_verdict).expect("five time-outs in a row");
            let json = passed(name, run);
            assert_eq!(json["ops"]["profile-range"]["rows"], 96, "{name}");
        }
    }
}
