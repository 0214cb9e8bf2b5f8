//! Every association of the laboratory meter, over the wrapper and over HDLC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use common::{Directory, association, credentials, dlms, options, serve, words};
use serde_json::Value;

const CLOCK: &str = "8:0-0:1.0.0*255:2";
const ENERGY: &str = "3:1-0:1.8.0*255:2";
const WRITABLE: &str = "1:0-0:96.1.9*255:2";
const RELAY: &str = "70:0-0:96.3.10*255";
const PROFILE: &str = "1-0:99.1.0*255";

fn every_association(framing: &str) {
    let state = Directory::new();
    let meter = serve(&state, "lab", framing, &["--state", state.file("meter").to_str().unwrap()]);
    let image = state.file("image.bin");
    std::fs::write(&image, vec![0x5A; 1000]).unwrap();
    for one in credentials(&state, "lab") {
        let name = one["name"].as_str().unwrap().to_owned();
        let options = options(&meter, framing, &one);
        let run = |command: &str, rest: &[&str]| {
            let outcome = dlms(&state, words(command, &options, rest));
            assert!(!outcome.stderr.contains("a bug of ours"), "{name}: {outcome:?}");
            outcome
        };
        let read = run("read", &["--json", CLOCK, ENERGY, "3:1-0:99.99.99*255:2"]).expect(6).json();
        assert_eq!(read[0]["instance-id"], "0000010000ff", "{name}");
        assert_eq!(read[0]["data"]["octet-string"].as_str().unwrap().len(), 24, "{name}");
        assert_eq!((&read[1]["unit"], read[1]["value"].is_number()), (&Value::from("Wh"), true), "{name}");
        assert_eq!(read[2]["data-access-result"], 4, "{name}");

        let objects = run("objects", &["--json"]).expect(0).json();
        assert!(objects.as_array().unwrap().len() > 20, "{name}");

        let is_public = name == "public";
        let set = run("set", &["--json", WRITABLE, r#"{"octet-string":"0102"}"#]).expect(if is_public {
            6
        } else {
            0
        });
        assert_eq!(set.json()["data-access-result"], if is_public { 3 } else { 0 }, "{name}");
        if is_public {
            run("profile", &["--json", PROFILE]).expect(0);
            run("invoke", &["--json", &format!("{RELAY}:1")]).expect(6);
            continue;
        }
        let changed = run("read", &["--json", WRITABLE]).expect(0).json();
        assert_eq!(changed[0]["data"]["octet-string"], "0102", "{name}");

        let rows = run("profile", &["--json", PROFILE, "--last", "5"]).expect(0).json_lines();
        assert_eq!(rows.len(), 5, "{name}");
        let from = rows[1]["time"].as_str().unwrap();
        let to = rows[3]["time"].as_str().unwrap();
        let range = run("profile", &["--json", PROFILE, "--from", from, "--to", to, "--columns", "1,3"]);
        let range = range.expect(0).json_lines();
        assert_eq!(range.len(), 3, "{name}");
        assert_eq!(range[0]["values"][1], rows[1]["values"][2], "{name}");

        for (method, supply) in [(1, false), (2, true)] {
            run("invoke", &[&format!("{RELAY}:{method}"), "0"]).expect(0);
            let relay = run("read", &["--json", &format!("{RELAY}:2")]).expect(0).json();
            assert_eq!(relay[0]["data"]["boolean"], supply, "{name}");
        }
        let sent = run("image", &["--json", image.to_str().unwrap(), "--id", &name]).expect(0).json();
        assert_eq!(
            (&sent["size"], &sent["status"]),
            (&1000.into(), &"activation-successful".into()),
            "{name}"
        );
    }
}

#[test]
fn every_association_over_the_wrapper() {
    every_association("wrapper");
}

#[test]
fn every_association_over_hdlc() {
    every_association("hdlc");
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn both_ends_on_aws_lc() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &["--crypto", "aws-lc"]);
    for one in credentials(&state, "lab") {
        let options = options(&meter, "wrapper", &one);
        dlms(&state, words("read", &options, &["--crypto", "aws-lc", CLOCK])).expect(0);
    }
}

#[test]
fn every_carrier() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let credentials = credentials(&state, "lab");
    let image = state.file("image.bin");
    std::fs::write(&image, vec![0xA5; 3000]).unwrap();
    for (name, has_key_pairs) in [
        ("gmac-0-auth-enc", false),
        ("gmac-1-auth-enc", true),
        ("ecdsa-1-auth-enc", true),
        ("gmac-2-auth", true),
        ("ecdsa-2-auth-enc", true),
    ] {
        let options = options(&meter, "wrapper", association(&credentials, name));
        for carrier in [
            "general-glo",
            "general-ciphering",
            "general-ciphering:wrapped",
            "general-ciphering:agreed-1e1s",
            "general-ciphering:agreed-0e2s",
        ] {
            if !has_key_pairs && carrier.contains("agreed") {
                continue;
            }
            for sign in [&[][..], &["--sign"]] {
                if !has_key_pairs && !sign.is_empty() {
                    continue;
                }
                let run = |command: &str, rest: &[&str]| {
                    let more = [&["--carrier", carrier][..], sign, rest].concat();
                    let outcome = dlms(&state, words(command, &options, &more));
                    assert_eq!(outcome.code, 0, "{name}, {more:?}: {outcome:?}");
                    outcome
                };
                let read = run("read", &["--json", CLOCK, ENERGY, "--trace"]);
                assert_eq!(read.json().as_array().unwrap().len(), 2);
                // The tag of the APDU behind the header of the wrapper.
                let tag = if carrier == "general-glo" { "> apdu     db" } else { "> apdu     dd" };
                assert!(read.stderr.contains(tag), "{}", read.stderr);
            }
        }
        let carrier = ["--carrier", "general-ciphering:wrapped"];
        let send = [&carrier[..], &["--json", image.to_str().unwrap()]].concat();
        let sent = dlms(&state, words("image", &options, &send)).expect(0).json();
        assert_eq!(sent["status"], "activation-successful", "{name}");
    }
}

#[test]
fn values_of_all_objects() {
    let state = Directory::new();
    let meter = serve(&state, "pmm1220", "wrapper", &[]);
    let credentials = credentials(&state, "pmm1220");
    let options = options(&meter, "wrapper", association(&credentials, "mgt"));
    let objects = dlms(&state, words("objects", &options, &["--values", "--json"])).expect(0).json();
    let objects = objects.as_array().unwrap();
    let refused: Vec<_> = objects
        .iter()
        .flat_map(|object| object["values"].as_array().unwrap())
        .filter(|value| value.get("data").is_none())
        .collect();
    assert!(objects.len() > 100 && refused.is_empty(), "{} objects, refused: {refused:?}", objects.len());
}

#[test]
fn what_people_see() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let credentials = credentials(&state, "lab");
    let options = options(&meter, "wrapper", association(&credentials, "gmac-0-auth-enc"));
    let run = |command: &str, rest: &[&str]| dlms(&state, words(command, &options, rest)).expect(0);
    let read = run("read", &[ENERGY]).stdout;
    assert!(read.contains("active energy import") && read.contains(" Wh"), "{read}");
    let profile = run("profile", &[PROFILE, "--from", "-24h"]).stdout;
    assert!(profile.contains("time") && profile.contains("⣿") && profile.contains("rows"), "{profile}");
    let newest = run("profile", &["--json", PROFILE, "--from", "-24h", "--last", "2"]).json_lines();
    let all = run("profile", &["--json", PROFILE, "--from", "-24h"]).json_lines();
    assert_eq!(newest.len(), 2);
    assert_eq!(newest[1]["values"], all[all.len() - 1]["values"]);
    let parquet = state.file("rows.parquet");
    let both = run("profile", &["--json", PROFILE, "--last", "3", "--parquet", parquet.to_str().unwrap()]);
    assert_eq!(both.json_lines().len(), 3);
    assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));
    for wrong in [&["--json", "--csv", "-"][..], &["--csv", "/nowhere/to/be/found"]] {
        dlms(&state, words("profile", &options, &[&[PROFILE, "--last", "3"], wrong].concat())).expect(2);
    }
    let csv = run("profile", &[PROFILE, "--last", "3", "--csv", "-"]).stdout;
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(csv.starts_with("time,"), "{csv}");
    let set = run("set", &[WRITABLE, "hello"]).stdout;
    assert!(set.contains("set"), "{set}");
    let trace = run("read", &[CLOCK, "--trace"]).stderr;
    assert!(trace.contains("> wrapper") && trace.contains("< apdu"), "{trace}");
    assert!(!read.contains('\u{1b}') && !profile.contains('\u{1b}'), "colour without a terminal");
}

#[test]
fn counters_are_kept_and_a_replay_is_refused() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let credentials = credentials(&state, "lab");
    let options = options(&meter, "wrapper", association(&credentials, "gmac-0-auth-enc"));
    let run = |rest: &[&str]| dlms(&state, words("read", &options, rest));
    run(&[CLOCK]).expect(0);
    run(&[CLOCK]).expect(0);
    let back = run(&[CLOCK, "--invocation-counter", "0", "--timeout", "1", "--retries", "0"]).expect(4);
    assert!(back.stderr.contains("--invocation-counter 0 goes back"), "{}", back.stderr);
    assert_eq!(run(&[CLOCK, "--invocation-counter", "100000"]).expect(0).stderr, "");
    let object = association(&credentials, "gmac-0-auth-enc")["counter-object"].as_str().unwrap();
    // Without a name, the highest of the meter's counters serves.
    dlms(&Directory::new(), words("read", &options, &[CLOCK, "--counter-from-meter"])).expect(0);
    let elsewhere = Directory::new();
    let from_meter = format!("--counter-from-meter={object}");
    dlms(&elsewhere, words("read", &options, &[CLOCK, &from_meter])).expect(0);
    let file = state.file("my-counter");
    let file = file.to_str().unwrap();
    // A file that knows nothing: the meter says how far it has counted.
    run(&[CLOCK, "--counter-file", file, "--timeout", "1", "--retries", "0"]).expect(0);
    std::fs::write(file, "nonsense").unwrap();
    run(&[CLOCK, "--counter-file", file]).expect(4);
    // Another meter with the same keys, whose own counter begins anew.
    let meter = serve(&state, "lab", "wrapper", &[]);
    let options = common::options(&meter, "wrapper", association(&credentials, "gmac-0-auth-enc"));
    dlms(&state, words("read", &options, &[CLOCK])).expect(0);
}

/// Passes what a meter is asked on to it, once; from then on only plays back what it answered.
fn parrot(meter: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut answers = Vec::<Vec<u8>>::new();
        for (run, client) in listener.incoming().enumerate() {
            let mut client = client.unwrap();
            let mut meter = (run == 0).then(|| TcpStream::connect(&meter).unwrap());
            let mut buffer = [0; 4096];
            for number in 0.. {
                let length = client.read(&mut buffer).unwrap_or(0);
                if length == 0 {
                    break;
                }
                if let Some(meter) = &mut meter {
                    meter.write_all(&buffer[..length]).unwrap();
                    let length = meter.read(&mut buffer).unwrap();
                    answers.push(buffer[..length].to_vec());
                }
                let Some(answer) = answers.get(number) else { break };
                let _ = client.write_all(answer);
            }
        }
    });
    address
}

/// Without a challenge only the counters of what came in tell a new answer from an old one.
#[test]
fn an_earlier_run_that_is_played_back_is_refused_or_told() {
    const TOLD: &str = "an earlier run heard higher counters";
    let state = Directory::new();
    let credentials = credentials(&state, "lab");
    for (name, kept_in_file) in
        [("none-0-auth-enc", true), ("none-0-auth-enc", false), ("gmac-0-auth-enc", true)]
    {
        let meter = serve(&state, "lab", "wrapper", &[]);
        let one = association(&credentials, name);
        let mut options = common::options(&meter, "wrapper", one);
        let at = options.iter().position(|word| word == "--connect").unwrap() + 1;
        options[at] = format!("tcp://{}", parrot(meter.address.clone()));
        let file = state.file(name);
        let counter = ["--counter-file", file.to_str().unwrap()];
        let rest = [&["--json", CLOCK][..], if kept_in_file { &counter } else { &[] }].concat();
        let run = |options: &[String]| dlms(&state, words("read", options, &rest));
        assert_eq!(run(&options).expect(0).stderr, "");
        let again = run(&options);
        match (name, kept_in_file) {
            ("none-0-auth-enc", true) => {
                let again = again.expect(4);
                assert!(again.json()["error"].to_string().contains("replay"), "{again:?}");
            }
            ("none-0-auth-enc", false) => assert!(again.expect(0).stderr.contains(TOLD)),
            _ => {
                let again = again.expect(4);
                assert!(again.json()["error"].to_string().contains("server-proof"), "{again:?}");
            }
        }
        // What the meter says itself goes on, and another one begins anew.
        let real = common::options(&meter, "wrapper", one);
        assert_eq!([run(&real), run(&real)].map(|run| run.expect(0).stderr), ["", ""], "{name}");
        let anew = serve(&state, "lab", "wrapper", &[]);
        assert_eq!(run(&common::options(&anew, "wrapper", one)).expect(0).stderr, "", "{name}");
    }
}

/// What `--trace` shows is what `decode` takes; the dedicated key that was given opens it.
#[test]
fn a_traced_exchange_is_decoded() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let credentials = credentials(&state, "lab");
    let one = association(&credentials, "gmac-0-auth-enc");
    let options = options(&meter, "wrapper", one);
    let dedicated = "404142434445464748494a4b4c4d4e4f";
    let traced =
        dlms(&state, words("read", &options, &[CLOCK, "--trace", "--dedicated-key", dedicated])).expect(0);
    let exchange: String = traced
        .stderr
        .lines()
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            (words.get(2) == Some(&"apdu")).then(|| format!("{}{}\n", words[1], words[3]))
        })
        .collect();
    let key = |name: &str| one[name].as_str().unwrap().to_owned();
    let decode = [
        "decode",
        "--json",
        "--framing",
        "apdu",
        "--ek",
        &key("ek"),
        "--ak",
        &key("ak"),
        "--dedicated-key",
        dedicated,
    ];
    let decoded = common::dlms_with_input(&state, decode, &exchange).expect(0).json();
    assert_eq!(decoded["kind"], "session");
    let text = decoded.to_string();
    assert!(text.contains("ded-get-request") && text.contains("ded-get-response"), "{text}");
    assert!(text.contains("\"apdu\":\"get-response\""), "{text}");
}

#[test]
fn an_image_is_gone_on_with() {
    let state = Directory::new();
    let meter_state = state.file("meter");
    let more = ["--state", meter_state.to_str().unwrap()];
    let meter = serve(&state, "lab", "wrapper", &more);
    let credentials = credentials(&state, "lab");
    let credentials = association(&credentials, "lls");
    let image = state.file("image.bin");
    std::fs::write(&image, (0..1_000_000u32).map(|octet| octet as u8).collect::<Vec<_>>()).unwrap();
    let options_before = options(&meter, "wrapper", credentials);
    let mut interrupted = common::command(&state)
        .args(words("image", &options_before, &[image.to_str().unwrap()]))
        .spawn()
        .unwrap();
    let blocks = |options: &[String]| {
        let read = dlms(&state, words("read", options, &["--json", "18:0-0:44.0.0*255:4"])).expect(0).json();
        read[0]["data"]["double-long-unsigned"].as_u64().unwrap()
    };
    while blocks(&options_before) < 20 {
        assert!(interrupted.try_wait().unwrap().is_none(), "it ended too soon");
    }
    interrupted.kill().unwrap();
    interrupted.wait().unwrap();
    let run = ["--json", image.to_str().unwrap(), "--activate", "no"];
    let outcome = dlms(&state, words("image", &options_before, &run)).expect(0).json();
    assert!(outcome["blocks-before"].as_u64().unwrap() >= 20, "{outcome}");
    assert_eq!(outcome["status"], "verification-successful");
    let at = ["--activate", "2030-01-01T02:00", "--json", image.to_str().unwrap()];
    dlms(&state, words("image", &options_before, &at)).expect(0);
    let schedule =
        dlms(&state, words("read", &options_before, &["--json", "22:0-0:15.0.2*255:4"])).expect(0).json();
    let entry = &schedule[0]["data"]["array"][0]["structure"];
    assert_eq!(
        (&entry[0]["octet-string"], &entry[1]["octet-string"]),
        (&"02000000".into(), &"07ee0101ff".into())
    );
}

#[cfg(unix)]
#[test]
fn state_survives_a_restart() {
    let state = Directory::new();
    let meter_state = state.file("meter");
    let more = ["--state", meter_state.to_str().unwrap()];
    let credentials = credentials(&state, "lab");
    let credentials = association(&credentials, "gmac-0-auth-enc");
    let meter = serve(&state, "lab", "wrapper", &more);
    let options_before = options(&meter, "wrapper", credentials);
    dlms(&state, words("set", &options_before, &[WRITABLE, "kept"])).expect(0);
    dlms(&state, words("invoke", &options_before, &[&format!("{RELAY}:1")])).expect(0);
    assert_eq!(meter.terminate(), 0);
    let meter = serve(&state, "lab", "wrapper", &more);
    let options = options(&meter, "wrapper", credentials);
    let read = ["--json", WRITABLE, &format!("{RELAY}:2")];
    let read = dlms(&state, words("read", &options, &read)).expect(0).json();
    assert_eq!(read[0]["data"]["octet-string"], "6b657074");
    assert_eq!(read[1]["data"]["boolean"], false);
}

#[test]
fn time_passes_as_fast_as_asked() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &["--speed", "3600", "--seed", "7"]);
    let credentials = credentials(&state, "lab");
    let options = options(&meter, "wrapper", association(&credentials, "lls"));
    let entries = || {
        let read = ["--json", "7:1-0:99.1.0*255:7"];
        let read = dlms(&state, words("read", &options, &read)).expect(0).json();
        read[0]["data"]["double-long-unsigned"].as_u64().unwrap()
    };
    let before = entries();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(entries() >= before + 4, "an hour a second makes four rows a second");
}
