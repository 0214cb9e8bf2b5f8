//! The bare-metal meter of `examples/firmware-meter` in the emulator, read by our client and by one whose codec is not
//! ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::emulator::{
    Emulator, GMAC, READER, gurux_reads, images, options, read_all, read_with_gurux, value,
};
use common::firmware::{CAPACITY, crc, signed_image, write_rows};
use common::{Directory, dlms, words};
use dlms_security::{CryptoProvider, NoRandom, RustCrypto, SecretKey, SecuritySuite};
use dlms_tokio::iec62056_21::parity::with_even_parity;

/// Suite 2 and HLS 7: the private key of the client, the public key of the meter.
const ECDSA: &[&str] = &[
    "--client",
    "3",
    "--auth",
    "ecdsa",
    "--suite",
    "2",
    "--ek",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "--ak",
    "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef",
    "--client-title",
    "4755525800000001",
    "--server-title",
    "4755525830303031",
    "--signing-key",
    "434343434343434343434343434343434343434343434343434343434343434343434343434343434343434343434343",
    "--peer-public-key",
    "5f5862f033cdb259cf782ee9ca704248dfb091068cab10748435d8df9578399accd0b66712301a7d8cf32fcf3d9045cf\
     87f27348920c6205980a723e2b3dc2bc24a561221a4ed98421fea3de05cd90852e11e76bb9347882014147be2a3d4a9d",
];

const PROFILE: &str = "1-0:99.1.0*255";
const EVENTS: &str = "0-0:99.98.0*255";
const RELAY: &str = "70:0-0:96.3.10*255";

#[test]
fn our_client_reads_every_association() {
    let Some(images) = images() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let meter = Emulator::start(&images, &flash);
    let [public, reader, management, signed] =
        [&[][..], READER, GMAC, ECDSA].map(|association| options(meter.remote_port, association));
    let counts = [&public, &reader, &management, &signed].map(|options| read_all(&state, options));
    assert!(counts[0] > 10 && counts[0] < counts[1], "{counts:?}");
    assert!(counts[1..].iter().all(|count| *count == counts[1]), "{counts:?}");

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

/// Power is cut after everything that was confirmed.
#[test]
fn what_was_confirmed_outlives_the_power() {
    let Some(images) = images() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let mut meter = Emulator::start(&images, &flash);
    let association = |meter: &Emulator, with: &[&str]| options(meter.remote_port, with);
    let management = association(&meter, GMAC);
    dlms(&state, words("set", &management, &["8:0-0:1.0.0*255:2", "2030-05-06T07:08:09"])).expect(0);
    dlms(&state, words("invoke", &management, &[&format!("{RELAY}:1")])).expect(0);
    dlms(&state, words("invoke", &management, &[&format!("7:{PROFILE}:2")])).expect(0);
    let counter = |meter: &Emulator| {
        value(&state, &association(meter, &[]), "1:0-0:43.1.0*255:2")["double-long-unsigned"]
            .as_u64()
            .unwrap()
    };
    let before = counter(&meter);
    meter.cut();

    meter = Emulator::start(&images, &flash);
    assert!(counter(&meter) >= before, "an invocation counter was forgotten");
    let reader = association(&meter, READER);
    let time = value(&state, &reader, "8:0-0:1.0.0*255:2");
    assert!(time["octet-string"].as_str().unwrap().starts_with("07ee0506"), "{time}");
    assert_eq!(value(&state, &reader, &format!("{RELAY}:2"))["boolean"], false);
    let rows = dlms(&state, words("profile", &reader, &["--json", PROFILE])).expect(0).json_lines();
    assert!(rows.iter().any(|row| row["time"].as_str().unwrap().starts_with("2030-05-06T07:0")), "{rows:?}");
    let events = dlms(&state, words("profile", &reader, &["--json", EVENTS])).expect(0);
    for code in [r#""unsigned":4"#, r#""unsigned":60"#] {
        assert!(events.stdout.contains(code), "{}", events.stdout);
    }
    // The meter goes on above the counters that it used; a client that forgot its own is told.
    for with in [GMAC, ECDSA] {
        dlms(&Directory::new(), words("read", &association(&meter, with), &["8:0-0:1.0.0*255:2"])).expect(0);
    }
}

/// A new encryption key under the master key is in force, and is still after a cut of the power.
#[test]
fn keys_are_changed() {
    let Some(images) = images() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let mut meter = Emulator::start(&images, &flash);
    let provider = RustCrypto::new(NoRandom);
    let suite = SecuritySuite::Suite0;
    let master: [u8; 16] = std::array::from_fn(|n| 0xA0 + n as u8);
    let kek = provider.wrap_key(suite, &SecretKey::new(suite, &master).unwrap()).unwrap();
    let mut wrapped = [0; 24];
    let new = SecretKey::new(suite, &[0x77; 16]).unwrap();
    let wrapped = provider.wrap(&kek, &new, &mut wrapped).unwrap();
    let wrapped: String = wrapped.iter().map(|octet| format!("{octet:02x}")).collect();
    let keys = format!(r#"{{"array":[{{"structure":[{{"enum":0}},{{"octet-string":"{wrapped}"}}]}}]}}"#);
    let management = options(meter.remote_port, GMAC);
    dlms(&state, words("invoke", &management, &["64:0-0:43.0.0*255:2", &keys])).expect(0);
    meter.cut();
    meter = Emulator::start(&images, &flash);
    let mut changed = options(meter.remote_port, GMAC);
    let clock = ["8:0-0:1.0.0*255:2"];
    assert_ne!(dlms(&state, words("read", &changed, &clock)).code, 0, "the old key is still taken");
    let key = changed.iter().position(|option| option == "--ek").unwrap() + 1;
    changed[key] = "77".repeat(16);
    dlms(&state, words("read", &changed, &clock)).expect(0);
}

/// A year of quarters of an hour, as the meter itself would have written it.
#[test]
fn a_year_is_read_whole() {
    let Some(images) = images() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    write_rows(&flash, CAPACITY);
    let meter = Emulator::start(&images, &flash);
    let reader = options(meter.remote_port, READER);
    let rows = dlms(&state, words("profile", &reader, &["--csv", "-", PROFILE])).expect(0);
    let rows: Vec<_> = rows.stdout.lines().skip(1).collect();
    assert_eq!(rows.len() as u32, CAPACITY);
    for (number, row) in rows.iter().enumerate() {
        assert!(row.split(',').any(|cell| cell == (number * 7).to_string()), "row {number}: {row}");
    }
    let day = ["--json", PROFILE, "--from", "2025-07-01", "--to", "2025-07-01"];
    let day = dlms(&state, words("profile", &reader, &day)).expect(0).json_lines();
    assert_eq!(day.len(), 96);
}

/// The optical port: sign-on at 300 Bd, seven bits and even parity; then HDLC.
#[test]
fn the_optical_port_opens_with_mode_e() {
    let Some(images) = images() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let meter = Emulator::start(&images, &flash);
    let mut line = TcpStream::connect(("127.0.0.1", meter.optical_port)).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut exchange = |question: &[u8], answer: &[u8]| {
        let with_parity =
            |octets: &[u8]| octets.iter().map(|octet| with_even_parity(*octet)).collect::<Vec<_>>();
        line.write_all(&with_parity(question)).unwrap();
        let mut received = vec![0; answer.len()];
        line.read_exact(&mut received).unwrap();
        assert_eq!(received, with_parity(answer));
    };
    exchange(b"/?!\r\n", b"/GUR5\\2DLMS-FW\r\n");
    exchange(b"\x06252\r\n", b"\x06252\r\n");
    drop(line);
    let reader = options(meter.optical_port, READER);
    dlms(&state, words("read", &reader, &["3:1-0:1.8.0*255:2"])).expect(0);
}

/// A new image is taken if its maker has signed it, and started when it is activated.
#[test]
fn a_new_image_is_started() {
    let Some(images) = images() else { return };
    let (state, flash) = (Directory::new(), Directory::new());
    let mut meter = Emulator::start(&images, &flash);
    let image = signed_image(&images.join("meter"), b"1.1.0");
    let send = |meter: &Emulator, image: &[u8]| {
        let file = state.file("image.bin");
        std::fs::write(&file, image).unwrap();
        let management = options(meter.remote_port, GMAC);
        dlms(&state, words("image", &management, &["--json", file.to_str().unwrap()]))
    };
    // A short image with its checksum, and the signature of another one.
    let mut forged = [&image[..0x800], &image[image.len() - 96..]].concat();
    forged[4..8].copy_from_slice(&0x400u32.to_le_bytes());
    let checksum = crc(&forged[0x400..0x800]);
    forged[8..12].copy_from_slice(&checksum.to_le_bytes());
    assert_ne!(send(&meter, &forged).code, 0);
    let sent = send(&meter, &image).expect(0).json();
    assert_eq!(sent["status"], "activation-successful");
    meter.wait_for("meter 1.1.0 is ready");
    meter.cut();
    meter = Emulator::start(&images, &flash);
    let reader = options(meter.remote_port, READER);
    assert_eq!(value(&state, &reader, "1:1-0:0.2.0*255:2")["octet-string"], "312e312e30");
}

#[test]
fn gurux_reads_every_association() {
    let Some(images) = images() else { return };
    let flash = Directory::new();
    let meter = Emulator::start(&images, &flash);
    read_with_gurux(meter.remote_port);
    // It has no P-384 of its own: its signatures are made and checked by another library.
    let option = |name| ECDSA.iter().skip_while(|option| **option != name).nth(1).copied().unwrap();
    let [signing_key, public_key] = ["--signing-key", "--peer-public-key"].map(option);
    gurux_reads(
        meter.remote_port,
        &[
            &["--client", "3", "--auth", "ecdsa", "--suite", "2", "--security", "authenc"][..],
            &["--fix-ecdsa", "--challenge", "32"],
            &["--signing-key", signing_key, "--peer-public-key", public_key],
        ]
        .concat(),
    );
}

/// With a sign-on that is none of ours.
#[test]
fn gurux_reads_at_the_optical_port() {
    let Some(images) = images() else { return };
    let flash = Directory::new();
    let meter = Emulator::start(&images, &flash);
    gurux_reads(meter.optical_port, &[READER, &["--mode-e"]].concat());
}
