//! Transfers in blocks, and notifications, protected, with peers that are not ours.

use std::io::Write as _;
use std::net::TcpStream;

use cosem_objects::AssociationId;
use dlms::server::{Host, data_notification};
use dlms::xdlms::LongInvokeIdAndPriority;
use dlms_meters::{MeterModel, Options, Simulation};

use super::*;

#[test]
fn blocks_of_gurux() {
    if python().is_none() {
        return;
    }
    let state = Directory::new();
    let folder = state.file("ca");
    dlms(&state, ["pki", "init", folder.to_str().unwrap()]).expect(0);
    let text = "in blocks ".repeat(100);
    for framing in ["wrapper", "hdlc"] {
        let meter = serve(&state, "lab", framing, &["--authority", folder.to_str().unwrap()]);
        let credentials = credentials(&state, "lab");
        for (name, receive, more) in [
            ("none", "64", &[][..]),
            ("gmac-0-auth-enc", "100", &[]),
            ("gmac-0-auth-enc", "100", &["--general-protection"]),
            ("gmac-2-auth-enc", "150", &["--general-ciphering", "wrapped"]),
        ] {
            let mut command = gurux_client(&meter, framing, association(&credentials, name));
            command.args([
                "--max-pdu",
                receive,
                "--send-pdu",
                "200",
                "--max-info",
                "512",
                "--list-count",
                "9",
            ]);
            command.args(["--set-value", &text, "--ops", "objects,set,list"]).args(more);
            command.args(["--ic", if more.is_empty() { "100" } else { "10000" }]);
            let json = passed(name, run_json(&mut command));
            assert!(json["ops"]["set"]["requests"].as_u64() > Some(4), "{name}: {json}");
            assert!(json["ops"]["list"]["requests"].as_u64() > Some(1), "{name}: {json}");
        }
        // A certificate as the parameter of a method.
        let one = association(&credentials, "gmac-1-auth-enc");
        let setup = one["counter-object"].as_str().unwrap().replace("0.0.43.1.", "0.0.43.0.");
        let mut command = gurux_client(&meter, framing, one);
        command.args(["--ic", "100", "--setup-ln", &setup, "--send-pdu", "300", "--max-info", "512"]);
        command.args(["--authority", folder.to_str().unwrap(), "--ops", "objects,key-pair,certificate"]);
        let json = passed("a certificate in blocks", run_json(&mut command));
        assert!(json["ops"]["certificate"]["requests"].as_u64() > Some(1), "{json}");
    }
}

#[test]
fn blocks_to_gurux() {
    let state = Directory::new();
    let text = "in blocks ".repeat(300);
    for framing in ["wrapper", "hdlc"] {
        let server = ["--framing", framing, "--auth", "gmac", "--security-policy", "authenc"];
        let blocks = ["--image-block", "3000", "--max-pdu", "500"];
        let Some(meter) = gurux_server(&[&server[..], &blocks].concat()) else { return };
        let target = format!("tcp://{}", meter.address);
        let options: Vec<_> = ["--connect", &target, "--framing", framing, "--client", "1", "--auth", "gmac"]
            .into_iter()
            .chain(["--ek", EK, "--ak", AK, "--client-title", CLIENT_TITLE, "--server-title", SERVER_TITLE])
            .map(str::to_owned)
            .collect();
        let run = |command: &str, rest: &[&str]| dlms(&state, words(command, &options, rest)).expect(0);
        run("set", &[WRITABLE, &text]);
        let read = run("read", &["--json", WRITABLE]).json();
        assert_eq!(read[0]["data"]["octet-string"].as_str().unwrap().len(), 2 * text.len());
        let image = state.file("image.bin");
        std::fs::write(&image, vec![0x5A; 7000]).unwrap();
        let sent = run("image", &["--json", image.to_str().unwrap()]).json();
        assert_eq!(sent["status"], "activation-successful");
    }
}

/// A listener of ours.
fn listen(state: &Directory, more: &[&str]) -> Running {
    let mut command = common::command(state);
    command.args(["--json", "listen", "127.0.0.1:0"]).args(more);
    Running::start(&mut command, true)
}

#[test]
fn pushes_of_gurux() {
    for (suite, security) in [(0, "authenc"), (1, "auth"), (2, "authenc"), (1, "authenc")] {
        if python().is_none() {
            return;
        }
        let keys = gurux_keys(suite);
        let keys: Vec<_> = keys.iter().take(4).map(String::as_str).collect();
        let (state, number) = (Directory::new(), suite.to_string());
        let demanded = security.replace("authenc", "auth-enc");
        let demands = ["--suite", &number, "--security", &demanded, "--count", "2"];
        let listening = listen(&state, &[&keys[..], &demands].concat());
        let server = ["--suite", &number, "--push-security", security, "--push-to", &listening.address];
        let meter = gurux_server(&server).unwrap();
        let target = format!("tcp://{}", meter.address);
        let push = ["invoke", "--connect", &target, "40:0-0:25.9.0*255:1", r#"{"integer":0}"#];
        for _ in 0..2 {
            dlms(&state, push).expect(0);
        }
        let (code, text) = listening.finish();
        let heard: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((code, heard.len()), (0, 2), "{text}");
        for one in &heard {
            assert_eq!(
                (&one["system-title"], &one["security"]),
                (&SERVER_TITLE.into(), &demanded.as_str().into())
            );
            let values = one["data"]["structure"].as_array().unwrap();
            assert_eq!(values[2]["double-long-unsigned"], 123_456, "{one}");
        }
        // Of less than is demanded, and under another key, nothing is shown.
        if security == "auth" {
            continue;
        }
        let other = [&["--ek", keys[3], "--ak", keys[1], "--count", "1"][..], &demands[..4]].concat();
        let listening = listen(&state, &other);
        let server = ["--suite", &number, "--push-security", security, "--push-to", &listening.address];
        let meter = gurux_server(&server).unwrap();
        dlms(&state, ["invoke", "--connect", &format!("tcp://{}", meter.address), push[3], push[4]])
            .expect(0);
        let (_, text) = listening.finish();
        let heard: Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(heard["error"]["layer"], "security", "{heard}");
    }
}

#[test]
fn events_of_gurux() {
    let state = Directory::new();
    let listening = listen(&state, &["--count", "1"]);
    let Some(meter) = gurux_server(&["--push-service", "event", "--push-to", &listening.address]) else {
        return;
    };
    let target = format!("tcp://{}", meter.address);
    dlms(&state, ["invoke", "--connect", &target, "40:0-0:25.9.0*255:1", r#"{"integer":0}"#]).expect(0);
    let (code, text) = listening.finish();
    let heard: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!((code, &heard["apdu"]), (0, &"event-notification-request".into()), "{heard}");
    assert_eq!((&heard["class-id"], &heard["data"]["double-long-unsigned"]), (&3.into(), &123_456.into()));
}

/// What a simulated meter pushes to the listener of the package.
#[test]
fn pushes_to_gurux() {
    if python().is_none() {
        return;
    }
    for name in ["gmac-0-auth-enc", "gmac-1-auth", "gmac-2-auth-enc"] {
        let options = Options { unix_milliseconds: 1_800_000_000_000, speed: 1.0, seed: 1, state: None };
        let mut meter = Simulation::new(MeterModel::Lab, options).unwrap();
        let provider = dlms_tokio::provider();
        let all = meter.credentials().unwrap();
        let place = all.iter().position(|one| one.name == name).unwrap();
        let one = &all[place];
        let mut associations = meter.associations().unwrap();
        let mut security = meter.security(&provider).unwrap();
        let (mut key_rings, system_title) =
            (meter.key_rings(&provider).unwrap(), meter.system_title().unwrap());
        let mut host = Host {
            device: &mut meter.device,
            system_title,
            associations: &mut associations,
            security: &mut security,
            provider: &provider,
            counters: &mut meter.counters,
            key_rings: &mut key_rings,
            public_keys: None,
            certificates: None,
            key_management: None,
            manufacturer: None,
            scratch: &mut [],
        };
        let mut command = peer("gurux_listener.py").unwrap();
        command.args(["--suite", &one.suite.unwrap().to_string(), "--count", "2"]);
        command.args(["--ek", one.ek.as_ref().unwrap(), "--ak", one.ak.as_ref().unwrap()]);
        command.args(["--server-title", one.server_title.as_ref().unwrap()]);
        let listening = Running::start(&mut command, false);
        for value in [5009_u32, 5010] {
            let mut out = [0; 200];
            let id = LongInvokeIdAndPriority(1);
            let body = |encoder: &mut dlms_axdr::Encoder<'_>| encoder.data(&value);
            let association = AssociationId(u8::try_from(place).unwrap());
            let range = data_notification(&mut host, association, id, None, body, &mut out).unwrap();
            let apdu = &out[range];
            let header = [0, 1, 0, 1, 0, 16, 0, u8::try_from(apdu.len()).unwrap()];
            let mut stream = TcpStream::connect(&listening.address).unwrap();
            stream.write_all(&[&header[..], apdu].concat()).unwrap();
        }
        let (code, text) = listening.finish();
        let heard: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(code, 0, "{name}: {text}");
        assert_eq!([&heard[0]["value"], &heard[1]["value"]], [5009, 5010], "{name}: {text}");
    }
}
