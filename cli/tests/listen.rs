//! `dlms listen`: notifications in every framing, plain and protected.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};

use common::{Directory, Running, command};
use dlms_security::{
    AuthenticationKey, CryptoProvider as _, InvocationCounter, NoRandom, Protection, Protector, RustCrypto,
    SecretKey, SecurityControl, SecuritySuite, SystemTitle,
};
use serde_json::Value;

/// A data-notification with a double-long-unsigned.
const APDU: [u8; 11] = [0x0F, 0, 0, 0, 1, 0, 0x06, 0, 0, 0x13, 0x91];

fn listen(state: &Directory, address: &str, more: &[&str]) -> Running {
    let mut command = command(state);
    command.args(["--json", "listen", address]).args(more);
    Running::start(&mut command, true)
}

fn heard(listening: Running) -> Vec<Value> {
    let (code, text) = listening.finish();
    assert_eq!(code, 0);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A check sequence as it is sent.
fn check(octets: &[u8]) -> [u8; 2] {
    dlms_hdlc::Crc::of(octets).to_le_bytes()
}

fn wrapped() -> Vec<u8> {
    let mut octets = vec![0, 1, 0, 1, 0, 16, 0, APDU.len() as u8];
    octets.extend(APDU);
    octets
}

#[test]
fn wrapper_hdlc_and_apdus_over_tcp() {
    let state = Directory::new();
    // UI frame from server 1 to client 16, with LLC.
    let hdlc = [
        &[0x7E, 0xA0, 0x17, 0x21, 0x03, 0x13][..],
        &check(&[0xA0, 0x17, 0x21, 0x03, 0x13]),
        &[0xE6, 0xE7, 0x00],
        &APDU,
    ]
    .concat();
    let hdlc = [&hdlc[..], &check(&hdlc[1..]), &[0x7E]].concat();
    for octets in [wrapped(), hdlc, APDU.to_vec()] {
        let listening = listen(&state, "127.0.0.1:0", &["--count", "1"]);
        TcpStream::connect(&listening.address).unwrap().write_all(&octets).unwrap();
        let heard = heard(listening);
        assert_eq!(heard[0]["apdu"], "data-notification");
        assert_eq!(heard[0]["data"]["double-long-unsigned"], 5009);
        assert_eq!(heard[0]["security"], "none");
    }
}

#[test]
fn datagrams_of_several_meters() {
    let state = Directory::new();
    let listening = listen(&state, "udp://127.0.0.1:0", &["--count", "3"]);
    for octets in [wrapped(), APDU.to_vec(), vec![0x0F, 0, 0]] {
        let meter = UdpSocket::bind("127.0.0.1:0").unwrap();
        meter.send_to(&octets, &listening.address).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let heard = heard(listening);
    assert_eq!(heard.len(), 3);
    assert_eq!(heard[0]["data"], heard[1]["data"]);
    assert_eq!(heard[2]["error"]["layer"], "xdlms", "{}", heard[2]);
}

#[test]
fn with_keys_plain_notifications_are_refused() {
    let state = Directory::new();
    let keys = ["--ek", "000102030405060708090a0b0c0d0e0f", "--ak", "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"];
    let mut more = keys.to_vec();
    more.extend(["--system-title", "4d4d4d0000000001", "--count", "1"]);
    let listening = listen(&state, "127.0.0.1:0", &more);
    TcpStream::connect(&listening.address).unwrap().write_all(&wrapped()).unwrap();
    assert_eq!(heard(listening)[0]["error"]["layer"], "security");
}

/// A data-notification under both keys.
fn sealed(counter: u32) -> Vec<u8> {
    let (key, authentication) = ([0x11; 16], [0x22; 16]);
    let title = SystemTitle::from(*b"MMM\0\0\0\0\x01");
    let provider = RustCrypto::new(NoRandom);
    let suite = SecuritySuite::Suite0;
    let key = provider.aead_key(suite, &SecretKey::new(suite, &key).unwrap()).unwrap();
    let authentication_key = AuthenticationKey::new(&authentication).unwrap();
    let protector = Protector { provider: &provider, key: &key, authentication_key: &authentication_key };
    let control = SecurityControl::new(suite, Protection::AUTHENTICATED_ENCRYPTED);
    let mut content = vec![0; 5 + APDU.len() + 12];
    content[5..5 + APDU.len()].copy_from_slice(&APDU);
    let counter = InvocationCounter::new(counter);
    let length = protector.protect(control, title, counter, &[], &mut content, APDU.len()).unwrap();
    [&[0xDB, 8][..], title.octets(), &[length as u8], &content[..length]].concat()
}

#[test]
fn what_an_earlier_run_heard_is_not_taken_again_where_counters_are_kept() {
    let state = Directory::new();
    let file = state.file("heard");
    let keys = ["--ek", &"11".repeat(16), "--ak", &"22".repeat(16)];
    let run = |more: &[&str], counters: &[u32]| -> Vec<bool> {
        let count = counters.len().to_string();
        let listening =
            listen(&state, "udp://127.0.0.1:0", &[&keys[..], &["--count", &count], more].concat());
        let meter = UdpSocket::bind("127.0.0.1:0").unwrap();
        for &counter in counters {
            meter.send_to(&sealed(counter), &listening.address).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        heard(listening).iter().map(|one| one["error"].is_null()).collect()
    };
    assert_eq!(run(&[], &[7, 7]), [true, false]);
    assert_eq!(run(&[], &[7]), [true], "kept nowhere");
    let file = ["--counter-file", file.to_str().unwrap()];
    assert_eq!(run(&file, &[7, 8]), [true, true]);
    assert_eq!(run(&file, &[7, 8, 9]), [false, false, true]);
}

/// Without tags the first counter that is heard from a meter cannot be doubted; after it, the same one is a replay.
#[test]
fn encryption_alone_is_taken_where_it_is_asked_for() {
    let octets = |digits: &str| -> Vec<u8> {
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    // Sealed with the keys below: counters 0x00ABCDEF and one above.
    let first = octets("db084d4d4d0000000001102000abcdeff9a9b19c15b127b5efc0b1");
    let next = octets("db084d4d4d0000000001102000abcdf07f852a0e5e1c04418f3e00");
    let state = Directory::new();
    let keys = ["--ek", "000102030405060708090a0b0c0d0e0f", "--security", "enc", "--count", "3"];
    let listening = listen(&state, "udp://127.0.0.1:0", &keys);
    let meter = UdpSocket::bind("127.0.0.1:0").unwrap();
    for octets in [&first, &first, &next] {
        meter.send_to(octets, &listening.address).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let heard = heard(listening);
    assert_eq!(heard[0]["data"]["double-long-unsigned"], 5009, "{}", heard[0]);
    assert_eq!(heard[0]["security"], "enc");
    assert_eq!(heard[1]["error"]["layer"], "security");
    assert_eq!(heard[2]["data"]["double-long-unsigned"], 5009);
}
