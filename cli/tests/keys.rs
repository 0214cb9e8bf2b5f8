//! `dlms keys` against the laboratory meter: keys are changed, the client is killed at every instant, nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use common::{Directory, association, command, credentials, dlms, options, serve, words};
use serde_json::Value;

const CLOCK: &str = "8:0-0:1.0.0*255:2";

/// The Security setup of a laboratory association.
fn setup(credentials: &Value) -> String {
    let counter = credentials["counter-object"].as_str().unwrap();
    format!("0-0:43.0.{}*255", counter.split('.').nth(4).unwrap())
}

/// The options but for some.
fn without(options: &[String], left_out: &[&str]) -> Vec<String> {
    let pairs = options.chunks(2).filter(|pair| !left_out.contains(&pair[0].as_str()));
    pairs.flatten().cloned().collect()
}

/// The values of the keys in a key file.
fn values(path: &Path) -> Vec<String> {
    let kept: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    ["ek", "ak", "master", "broadcast"]
        .into_iter()
        .filter_map(|name| kept.get(name)?.as_str().map(str::to_owned))
        .collect()
}

#[test]
fn every_key_is_rotated_and_survives_both_ends() {
    let state = Directory::new();
    let meter_state = state.file("meter");
    let more = ["--state", meter_state.to_str().unwrap()];
    for framing in ["wrapper", "hdlc"] {
        let meter = serve(&state, "lab", framing, &more);
        let associations = [
            ("gmac-0-auth-enc", "wrap"),
            ("gmac-1-auth-enc", "agreement"),
            ("sha256-2-auth-enc", "wrap"),
            ("ecdsa-2-auth-enc", "agreement"),
        ];
        let associations = if framing == "hdlc" { &associations[..2] } else { &associations[..] };
        for &(name, by) in associations {
            let all = credentials(&state, "lab");
            let one = association(&all, name);
            let key_file = state.file(&format!("{name}.toml"));
            let key_file = key_file.to_str().unwrap();
            let options = options(&meter, framing, one);
            for keys in ["ek", "ak,broadcast,master", "ek"] {
                let before = Path::new(key_file).exists().then(|| values(Path::new(key_file)));
                let rest = ["--key-file", key_file, "--json", "--key", keys, "--by", by];
                let rotated = dlms(&state, [["keys"].to_vec(), words("rotate", &options, &rest)].concat());
                assert!(!rotated.stderr.contains("a bug of ours"), "{rotated:?}");
                let rotated = rotated.expect(0);
                assert_eq!(rotated.json()["changed"].as_array().unwrap().len(), keys.split(',').count());
                let after = values(Path::new(key_file));
                assert_ne!(before, Some(after.clone()), "{name} {keys}");
                for value in &after {
                    assert!(!rotated.stdout.contains(value) && !rotated.stderr.contains(value), "{name}");
                }
            }
            let read = words("read", &options, &["--json", "--key-file", key_file, CLOCK]);
            dlms(&state, read).expect(0);
            // The keys that the meter came with are good for nothing.
            dlms(&state, words("read", &options, &["--json", CLOCK])).expect(4);
        }
        assert_eq!(meter.terminate(), 0);
        let meter = serve(&state, "lab", framing, &more);
        for &(name, _) in associations {
            let all = credentials(&state, "lab");
            let options = without(
                &common::options(&meter, framing, association(&all, name)),
                &["--ek", "--ak", "--kek"],
            );
            let key_file = state.file(&format!("{name}.toml"));
            let mut with_file = options.clone();
            // What stands in the file goes before what is typed.
            with_file.extend(["--ek".to_owned(), association(&all, name)["ek"].as_str().unwrap().to_owned()]);
            let read = words("read", &with_file, &["--key-file", key_file.to_str().unwrap(), CLOCK]);
            dlms(&state, read).expect(0);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
            }
            // The other framing begins with the keys that the model comes with.
            std::fs::remove_file(&key_file).unwrap();
        }
        drop(meter);
        std::fs::remove_dir_all(&meter_state).unwrap();
    }
}

/// What happens to one exchange on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    Request,
    Answer,
}

/// A line to the meter on which one exchange of WPDUs is lost; says when it is.
fn losing_line(meter: String, place: usize, loss: Loss) -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (lost, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut exchange = 0;
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(&meter).unwrap();
            while let Some(request) = wpdu(&mut client) {
                exchange += 1;
                let is_lost = exchange == place;
                if is_lost && loss == Loss::Request {
                    let _ = lost.send(());
                    break;
                }
                server.write_all(&request).unwrap();
                let Some(answer) = wpdu(&mut server) else { break };
                if is_lost {
                    let _ = lost.send(());
                    // The client waits until it is killed.
                    std::mem::forget((client, server));
                    return;
                }
                client.write_all(&answer).unwrap();
            }
            if exchange == place {
                std::mem::forget((client, server));
                return;
            }
        }
    });
    (address, told)
}

fn wpdu(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut octets = vec![0; 8];
    stream.read_exact(&mut octets).ok()?;
    let length = usize::from(u16::from_be_bytes([octets[6], octets[7]]));
    octets.resize(8 + length, 0);
    stream.read_exact(&mut octets[8..]).ok()?;
    Some(octets)
}

#[test]
fn a_client_that_is_killed_anywhere_goes_on() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &["--state", state.file("meter").to_str().unwrap()]);
    let all = credentials(&state, "lab");
    for (name, by, key, exchanges) in [
        ("gmac-0-auth-enc", "wrap", "ek", 6),
        ("gmac-1-auth-enc", "wrap", "ak", 6),
        ("gmac-1-auth-enc", "agreement", "master", 4),
    ] {
        let one = association(&all, name);
        let key_file = state.file(&format!("{name}.toml"));
        let direct = options(&meter, "wrapper", one);
        let setup = setup(one);
        let rest = ["--key-file", key_file.to_str().unwrap(), "--key", key, "--by", by, "--setup", &setup];
        let mut resumed_with_key = 0;
        for place in 1..=exchanges {
            for loss in [Loss::Request, Loss::Answer] {
                let before = key_file.exists().then(|| values(&key_file));
                let (line, told) = losing_line(meter.address.clone(), place, loss);
                let mut options = direct.clone();
                options[1] = format!("tcp://{line}");
                let mut run = command(&state)
                    .args([["keys"].to_vec(), words("rotate", &options, &rest)].concat())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap();
                told.recv_timeout(Duration::from_secs(60)).unwrap();
                run.kill().unwrap();
                run.wait().unwrap();

                let file = ["--key-file", key_file.to_str().unwrap()];
                let status = dlms(&state, ["keys", "status", "--json", file[0], file[1]]).expect(0).json();
                let is_pending = !status["pending"].is_null();
                assert_eq!(is_pending, place >= 3, "{name} {place} {loss:?}: {status}");
                if is_pending {
                    // Nothing else is begun before.
                    let again = [["keys"].to_vec(), words("rotate", &direct, &rest)].concat();
                    dlms(&state, again).expect(2);
                }
                let resume = [["keys", "--json"].to_vec(), words("resume", &direct, &file)].concat();
                let resumed = dlms(&state, resume).expect(0).json();
                assert_eq!(resumed["changed"].as_array().unwrap().len(), usize::from(is_pending));
                if is_pending {
                    resumed_with_key += 1;
                    assert_ne!(before, Some(values(&key_file)));
                }
                dlms(&state, words("read", &direct, &[file[0], file[1], CLOCK])).expect(0);
            }
        }
        assert!(resumed_with_key > 0);
    }
}

#[test]
fn a_meter_of_the_profile_file_is_read_with_its_new_keys() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let all = credentials(&state, "lab");
    let one = association(&all, "gmac-0-auth-enc");
    let mut profile = "[home]\n".to_owned();
    for pair in options(&meter, "wrapper", one).chunks(2) {
        let is_number = ["--client", "--server", "--suite"].contains(&pair[0].as_str());
        let value = if is_number { pair[1].clone() } else { format!("{:?}", pair[1]) };
        profile += &format!("{} = {value}\n", &pair[0][2..]);
    }
    std::fs::create_dir_all(state.file("dlms")).unwrap();
    std::fs::write(state.file("dlms/meters.toml"), profile).unwrap();

    let status = dlms(&state, ["keys", "status", "--meter", "home", "--json"]).expect(0).json();
    assert_eq!((status["known"].as_array().unwrap().len(), &status["pending"]), (0, &Value::Null));
    dlms(&state, ["read", "--meter", "home", CLOCK]).expect(0);
    dlms(&state, ["keys", "rotate", "--meter", "home", "--key", "ek,ak,master"]).expect(0);
    dlms(&state, ["read", "--meter", "home", CLOCK]).expect(0);
    let status = dlms(&state, ["keys", "status", "--meter", "home", "--json"]).expect(0).json();
    assert_eq!(status["known"], serde_json::json!(["ek", "ak", "master"]));
    let kept = state.file("dlms/keys/home.toml");
    assert_eq!(status["key-file"], kept.to_str().unwrap());

    // A key of one's own.
    let new = state.file("new.key");
    std::fs::write(&new, "0f0e0d0c0b0a09080706050403020100\n").unwrap();
    let own = ["keys", "rotate", "--meter", "home", "--new-key-file", new.to_str().unwrap()];
    dlms(&state, own).expect(0);
    assert_eq!(values(&kept)[0], "0f0e0d0c0b0a09080706050403020100");
    let same = dlms(&state, own).expect(2);
    assert!(same.stderr.contains("in use already"), "{same:?}");
    dlms(&state, ["read", "--meter", "home", CLOCK]).expect(0);
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_sent() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let all = credentials(&state, "lab");
    let one = association(&all, "gmac-0-auth-enc");
    let options = options(&meter, "wrapper", one);
    let (kek, setup) = (one["kek"].as_str().unwrap(), setup(one));
    let without_master = without(&options, &["--kek"]);
    let key_file = state.file("keys.toml");
    let file = ["--key-file", key_file.to_str().unwrap()];
    let run = |options: &[String], rest: &[&str]| {
        dlms(&state, [["keys"].to_vec(), words("rotate", options, rest)].concat())
    };
    let no_place = run(&options, &[]).expect(2);
    assert!(no_place.stderr.contains("--key-file"), "{no_place:?}");
    let no_master = run(&without_master, &[file[0], file[1], "--setup", &setup]).expect(2);
    assert!(no_master.stderr.contains("master key"), "{no_master:?}");
    let counter = run(&options, &[file[0], file[1], "--invocation-counter", "5000"]).expect(2);
    assert!(counter.stderr.contains("--invocation-counter"), "{counter:?}");
    run(&options, &[file[0], file[1], "--by", "agreement"]).expect(2);
    // Not the master key of the meter: refused, and nothing is pending.
    let wrong = kek.replace('6', "7");
    let refused = run(&without_master, &[file[0], file[1], "--kek", &wrong, "--json"]).expect(6);
    assert_eq!(refused.json()["error"]["layer"], "keys");
    dlms(&state, words("read", &options, &[file[0], file[1], CLOCK])).expect(0);
    let status = dlms(&state, ["keys", "status", "--json", file[0], file[1]]).expect(0).json();
    assert_eq!(status["pending"], Value::Null);
    run(&options, &file).expect(0);
}

#[test]
fn a_certificate_is_renewed_though_the_client_is_killed() {
    let state = Directory::new();
    let authority = state.file("authority");
    let authority = authority.to_str().unwrap();
    dlms(&state, ["pki", "init", authority]).expect(0);
    let meter_state = state.file("meter");
    let more = ["--state", meter_state.to_str().unwrap(), "--authority", authority];
    let meter = serve(&state, "lab", "wrapper", &more);
    let all = credentials(&state, "lab");
    let one = association(&all, "ecdsa-1-auth-enc");
    let direct = options(&meter, "wrapper", one);
    let key_file = state.file("keys.toml");
    let file = ["--key-file", key_file.to_str().unwrap()];
    let setup = setup(one);
    let renew = |options: &[String]| {
        let rest = [file[0], file[1], "--authority", authority, "--setup", &setup, "--json"];
        [["keys", "certificate"].to_vec(), words("renew", options, &rest)]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let first = dlms(&state, renew(&direct)).expect(0).json();
    assert_eq!(first["renewed"], "signature");
    dlms(&state, words("read", &direct, &[file[0], file[1], CLOCK])).expect(0);
    // The key that the meter came with proves nothing any more.
    dlms(&state, words("read", &direct, &[CLOCK])).expect(4);
    let mut last = first["serial-number"].clone();
    for (place, loss) in [(4, Loss::Answer), (6, Loss::Request), (6, Loss::Answer), (9, Loss::Answer)] {
        let (line, told) = losing_line(meter.address.clone(), place, loss);
        let mut options = direct.clone();
        options[1] = format!("tcp://{line}");
        let mut run = command(&state)
            .args(renew(&options))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        told.recv_timeout(Duration::from_secs(60)).unwrap();
        run.kill().unwrap();
        run.wait().unwrap();
        let status = dlms(&state, ["keys", "status", "--json", file[0], file[1]]).expect(0).json();
        assert_eq!(status["certificate"], "signature", "{place} {loss:?}");
        let renewed = dlms(&state, renew(&direct)).expect(0).json();
        assert_ne!(renewed["serial-number"], last);
        last = renewed["serial-number"].clone();
        dlms(&state, words("read", &direct, &[file[0], file[1], CLOCK])).expect(0);
    }
    assert_eq!(meter.terminate(), 0);
    let meter = serve(&state, "lab", "wrapper", &more);
    let options = options(&meter, "wrapper", one);
    dlms(&state, words("read", &options, &[file[0], file[1], CLOCK])).expect(0);
}

#[test]
fn a_policy_is_raised_and_stays() {
    let state = Directory::new();
    let meter = serve(&state, "lab", "wrapper", &[]);
    let all = credentials(&state, "lab");
    let one = association(&all, "gmac-1-auth");
    let weak = options(&meter, "wrapper", one);
    let mut options = without(&weak, &["--security"]);
    options.extend(["--security", "auth-enc"].map(str::to_owned));
    let activate = |options: &[String], policy: &str| {
        dlms(&state, [["keys"].to_vec(), words("activate", options, &[policy, "--json"])].concat())
    };
    dlms(&state, words("read", &weak, &[CLOCK])).expect(0);
    activate(&weak, "0x6c").expect(2);
    for _ in 0..2 {
        assert_eq!(activate(&options, "0x6c").expect(0).json()["security-policy"], 0x6C);
    }
    dlms(&state, words("read", &options, &[CLOCK])).expect(0);
    dlms(&state, words("read", &weak, &[CLOCK])).expect(4);
    activate(&options, "0x7c").expect(2);
}
