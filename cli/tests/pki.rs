//! `dlms pki`, by itself and with certificates, requests and keys of others (`tests/interop`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Directory, Outcome, dlms};
use serde_json::Value;

const TITLE: &str = "4D4D4D0000BC614E";

fn pki(state: &Directory, args: &[&str]) -> Outcome {
    let mut all = vec!["pki"];
    all.extend(args);
    dlms(state, all)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An authority in a directory, and the path of it.
fn authority(state: &Directory, curve: &str) -> PathBuf {
    let path = state.file("ca");
    pki(state, &["init", text(&path), "--curve", curve, "--organization", "Utility"]).expect(0);
    path
}

#[test]
fn a_small_authority() {
    let state = Directory::new();
    let ca = authority(&state, "p384");
    let ca = text(&ca);
    for usage in ["signature", "agreement", "tls"] {
        for (curve, out) in [("p256", "small.pem"), ("p384", "large.pem")] {
            let out = state.file(&format!("{usage}-{out}"));
            let args = [
                "issue",
                ca,
                "--title",
                TITLE,
                "--usage",
                usage,
                "--curve",
                curve,
                "--out",
                text(&out),
                "--json",
            ];
            let issued = pki(&state, &args).expect(0).json();
            assert_eq!(issued["system-title"], TITLE);
            let shown = pki(&state, &["show", text(&out), "--authority", ca, "--json"]).expect(0).json();
            assert_eq!((&shown["system-title"], &shown["verified"]), (&TITLE.into(), &true.into()));
            assert_eq!(shown["serial-number"], issued["serial-number"]);
            assert_eq!(shown["signature-algorithm"], "ecdsa-with-SHA384");
            let raw = pki(&state, &["export", text(&out), "--format", "raw"]).expect(0).stdout;
            assert_eq!(raw.trim_end(), shown["public-key"]);
        }
    }
    // What a certificate says survives each form.
    let certificate = state.file("signature-small.pem");
    let shown = pki(&state, &["show", text(&certificate)]).expect(0).stdout;
    assert!(shown.contains(TITLE) && shown.contains("O=Utility, CN=Lab Root CA"), "{shown}");
    let (der, again) = (state.file("form.der"), state.file("again.pem"));
    pki(&state, &["export", text(&certificate), "--format", "der", "--out", text(&der)]).expect(0);
    pki(&state, &["export", text(&der), "--format", "pem", "--out", text(&again)]).expect(0);
    assert_eq!(std::fs::read(&again).unwrap(), std::fs::read(&certificate).unwrap());
    let spki = state.file("spki.pem");
    pki(&state, &["export", text(&certificate), "--format", "spki", "--out", text(&spki)]).expect(0);
    let key = pki(&state, &["show", text(&spki), "--json"]).expect(0).json();
    let shown = pki(&state, &["show", text(&certificate), "--json"]).expect(0).json();
    assert_eq!((&key["kind"], &key["public-key"]), (&"public-key".into(), &shown["public-key"]));
}

#[test]
fn refusals() {
    let state = Directory::new();
    let ca = authority(&state, "p256");
    let ca = text(&ca);
    let root = state.file("ca/root.key");
    let before = std::fs::read(&root).unwrap();
    pki(&state, &["init", ca]).expect(2);
    assert_eq!(std::fs::read(&root).unwrap(), before, "nothing is written over");
    let issue = |rest: &[&str]| pki(&state, &[&["issue", ca], rest].concat());
    issue(&["--title", TITLE, "--usage", "signature"]).expect(0);
    issue(&["--title", TITLE, "--usage", "signature"]).expect(2);
    issue(&["--usage", "signature"]).expect(2);
    issue(&["--title", "4d4d", "--usage", "signature"]).expect(2);
    issue(&["--title", TITLE, "--usage", "tls", "--hardware-type", "x"]).expect(2);
    // A P-384 key needs a P-384 authority.
    let outcome = issue(&["--title", TITLE, "--usage", "agreement", "--curve", "p384", "--json"]).expect(4);
    assert_eq!(outcome.json()["error"]["layer"], "certificate");
    pki(&state, &["show", text(&root)]).expect(3);
    pki(&state, &["show", "/nowhere"]).expect(2);
    pki(&state, &["export", text(&root), "--format", "pem"]).expect(3);

    // A certificate of another authority, and one that was changed.
    let certificate = state.file(&format!("ca/{TITLE}-signature.pem"));
    let other = state.file("other");
    pki(&state, &["init", text(&other)]).expect(0);
    let show = |file: &Path| pki(&state, &["show", text(file), "--authority", text(&other), "--json"]);
    assert_eq!(show(&certificate).expect(4).json()["error"]["layer"], "certificate");
    let der = state.file("changed.der");
    pki(&state, &["export", text(&certificate), "--format", "der", "--out", text(&der)]).expect(0);
    let mut octets = std::fs::read(&der).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    std::fs::write(&der, &octets).unwrap();
    pki(&state, &["show", text(&der), "--authority", ca]).expect(4);
    octets.push(0);
    std::fs::write(&der, &octets).unwrap();
    let outcome = pki(&state, &["show", text(&der), "--json"]).expect(3);
    assert_eq!(outcome.json()["error"]["offset"], octets.len() - 1);
}

#[cfg(unix)]
#[test]
fn keys_are_private_and_never_printed() {
    use std::os::unix::fs::PermissionsExt as _;
    let state = Directory::new();
    let ca = authority(&state, "p256");
    let issued = pki(&state, &["issue", text(&ca), "--title", TITLE, "--usage", "signature"]).expect(0);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&ca), 0o700);
    for key in [ca.join("root.key"), ca.join(format!("{TITLE}-signature.key"))] {
        assert_eq!(mode(&key), 0o600);
        let key = std::fs::read_to_string(key).unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(!issued.stdout.contains(key.lines().nth(1).unwrap()));
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop")
}

/// What the peer's script prints; `None` where its environment was not made.
fn peer(args: &[&str]) -> Option<Value> {
    let python = peers().join(".venv/bin/python");
    if !python.exists() {
        let is_demanded = std::env::var_os("DLMS_INTEROP").is_some_and(|value| value == "1");
        assert!(
            !is_demanded,
            "DLMS_INTEROP=1, but {} is missing: run tests/interop/setup.sh",
            python.display()
        );
        eprintln!("not run: tests/interop/setup.sh has not made the peers' environment");
        return None;
    }
    let output = Command::new(python)
        .arg(peers().join("peers/certificates.py"))
        .args(args)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn others_believe_our_certificates() {
    for curve in ["p256", "p384"] {
        let state = Directory::new();
        let ca = authority(&state, curve);
        let mut files = Vec::new();
        for usage in ["signature", "agreement", "tls"] {
            for hardware in [&[][..], &["--hardware-type", "1.3.6.1.4.1.99999.7"]] {
                let out = state.file(&format!("{usage}{}.pem", hardware.len()));
                let args = [
                    "issue",
                    text(&ca),
                    "--title",
                    TITLE,
                    "--usage",
                    usage,
                    "--days",
                    "3650",
                    "--out",
                    text(&out),
                ];
                pki(&state, &[&args[..], hardware].concat()).expect(0);
                files.push(out);
            }
        }
        let root = ca.join("root.pem");
        let mut args = vec!["check", text(&root), text(&root)];
        args.extend(files.iter().map(|file| text(file)));
        let Some(said) = peer(&args) else { return };
        let said = said.as_array().unwrap();
        assert_eq!(said.len(), 7);
        let (root_said, parties) = said.split_first().unwrap();
        assert_eq!(root_said["usage"], serde_json::json!(["key_cert_sign", "crl_sign"]));
        assert_eq!(root_said["authority"], true);
        assert_eq!(root_said["not-after"], "9999-12-31T23:59:59Z");
        for (file, said) in files.iter().zip(parties) {
            let shown =
                pki(&state, &["show", text(file), "--authority", text(&ca), "--json"]).expect(0).json();
            for field in ["serial-number", "public-key", "not-after"] {
                assert_eq!(shown[field], said[field], "{field}");
            }
            assert_eq!((&said["version"], &said["constrained"]), (&"v3".into(), &false.into()));
            assert_eq!(said["hash"], if curve == "p256" { "sha256" } else { "sha384" });
            let is_hardware = said["subject"].as_array().unwrap().is_empty();
            if is_hardware {
                // hwType, and the title as serial number.
                let name = said["other-names"][0][1].as_str().unwrap();
                assert_eq!(said["other-names"][0][0], "1.3.6.1.5.5.7.8.4");
                assert!(name.ends_with(&format!("0408{}", TITLE.to_lowercase())), "{name}");
            } else {
                assert_eq!(said["subject"], serde_json::json!([TITLE]));
            }
            let usage = match shown["type"].as_str().unwrap() {
                "digital-signature" => serde_json::json!(["digital_signature"]),
                "key-agreement" => serde_json::json!(["key_agreement"]),
                _ => serde_json::json!(["digital_signature", "key_agreement"]),
            };
            assert_eq!(said["usage"], usage);
            let key = file.with_extension("key");
            assert_eq!(peer(&["check-key", text(file), text(&key)]), Some(Value::Bool(true)));
        }
        openssl_verifies(&root, &files);
    }
}

/// The same by the command of OpenSSL, where there is one.
fn openssl_verifies(root: &Path, files: &[PathBuf]) {
    let verify =
        Command::new("openssl").args(["verify", "-x509_strict", "-CAfile"]).arg(root).args(files).output();
    match verify {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => eprintln!("not run: there is no openssl"),
    }
}

#[test]
fn we_believe_the_certificates_of_others() {
    for curve in ["p256", "p384"] {
        let (state, theirs) = (Directory::new(), Directory::new());
        let Some(made) = peer(&["issue", text(theirs.path()), curve, TITLE]) else { return };
        let show = |name: &str| {
            let file = theirs.file(name);
            pki(&state, &["show", text(&file), "--authority", text(theirs.path()), "--json"])
        };
        for (name, kind) in [
            ("signature.pem", "digital-signature"),
            ("signature.der", "digital-signature"),
            ("agreement.pem", "key-agreement"),
        ] {
            let shown = show(name).expect(0).json();
            assert_eq!((&shown["type"], &shown["verified"]), (&kind.into(), &true.into()), "{name}");
            assert_eq!((&shown["system-title"], &shown["public-key"]), (&TITLE.into(), &made["public-key"]));
            assert_eq!(shown["issuer"], "O=Another\\, Ltd., CN=Another Root");
        }
        for name in ["forged.pem", "expired.pem"] {
            show(name).expect(4);
        }
        for name in ["both.pem", "unknown.pem"] {
            assert!(show(name).expect(3).json()["error"]["offset"].is_number());
        }

        // Their request becomes our certificate, which they believe.
        let ca = authority(&state, curve);
        for request in ["request.pem", "request.der"] {
            let file = theirs.file(request);
            let shown = pki(&state, &["show", text(&file), "--json"]).expect(0).json();
            assert_eq!((&shown["kind"], &shown["verified"]), (&"certification-request".into(), &true.into()));
            let out = state.file(&format!("{request}.cert"));
            let args =
                ["issue", text(&ca), "--csr", text(&file), "--usage", "signature", "--out", text(&out)];
            let elsewhere = ["--title", "0000000000000001"];
            pki(&state, &[&args[..], &elsewhere].concat()).expect(4);
            pki(&state, &args).expect(0);
            let said = peer(&["check", text(&ca.join("root.pem")), text(&out)]).unwrap();
            assert_eq!(said[0]["public-key"], made["public-key"]);
            assert_eq!(
                peer(&["check-key", text(&out), text(&theirs.file("pkcs8.pem"))]),
                Some(Value::Bool(true))
            );
        }
        // A public key in every form of a file.
        for name in ["spki.pem", "spki.der", "signature.pem", "signature.der", "request.der"] {
            let file = theirs.file(name);
            let raw = pki(&state, &["export", text(&file), "--format", "raw"]).expect(0).stdout;
            assert_eq!(raw.trim_end(), made["public-key"], "{name}");
        }
        // And an authority of theirs issues here, with its key in each form, but not with another one.
        for form in ["pkcs8.pem", "sec1.pem", "pkcs8.der", "sec1.der"] {
            for (key, code) in [(format!("root-{form}"), 0), (form.to_owned(), 4)] {
                let made = state.file(&format!("their-{key}"));
                std::fs::create_dir(&made).unwrap();
                std::fs::copy(theirs.file("root.pem"), made.join("root.pem")).unwrap();
                std::fs::copy(theirs.file(&key), made.join("root.key")).unwrap();
                pki(&state, &["issue", text(&made), "--title", TITLE, "--usage", "tls"]).expect(code);
            }
        }
    }
}
