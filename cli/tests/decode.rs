//! `dlms decode` as a process; what octets mean is tested in `dlms-inspect`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{Directory, dlms, dlms_with_input};

/// A data-notification with a long-unsigned.
const APDU: &str = "0F 00 00 00 01 00 06 00 00 13 91";

#[test]
fn from_words_input_and_file() {
    let state = Directory::new();
    let file = state.file("octets");
    std::fs::write(&file, format!("# a push\n\n0x{APDU}\n")).unwrap();
    let file = format!("@{}", file.display());
    let words: Vec<_> = ["decode", "--json"].into_iter().chain(APDU.split(' ')).collect();
    for outcome in [
        dlms(&state, ["decode", "--json", APDU]),
        dlms(&state, words),
        dlms(&state, ["--json", "decode", &file]),
        dlms_with_input(&state, ["decode", "--json", "-"], APDU),
        dlms_with_input(&state, ["decode", "--json"], &format!("{APDU}\n")),
    ] {
        let json = outcome.expect(0).json();
        assert_eq!(json["kind"], "apdu");
        assert_eq!(json["apdu"]["data"]["double-long-unsigned"], 5009);
    }
    let people = dlms(&state, ["decode", APDU]).expect(0).stdout;
    assert!(people.contains("double-long-unsigned 5009") && people.contains("└─"), "{people}");
    let data = dlms(&state, ["decode", "--framing", "axdr-data", "--json", "1105"]).expect(0).json();
    assert_eq!(data["data"]["unsigned"], 5);
}

#[test]
fn malformed_input_is_3() {
    let state = Directory::new();
    let cut = dlms(&state, ["decode", "--json", "0F 00 00 00 01 00 06 00"]).expect(3).json();
    assert_eq!((&cut["kind"], &cut["layer"]), (&"error".into(), &"axdr".into()));
    assert!(cut["offset"].is_number() && cut["reason"].is_string(), "{cut}");
    let people = dlms(&state, ["decode", "0F 00 00 00 01 00 06 00"]).expect(3);
    assert!(people.stdout.is_empty() && people.stderr.lines().count() == 1, "{people:?}");
    let digits = dlms(&state, ["decode", "--json", "0Fx"]).expect(3).json();
    assert_eq!(digits["error"]["layer"], "framing");
    assert_eq!((&digits["kind"], &digits["offset"]), (&"error".into(), &2.into()));
    assert_eq!((&cut["error"]["layer"], &cut["error"]["offset"]), (&"axdr".into(), &cut["offset"]));
    let binary = state.file("binary");
    std::fs::write(&binary, [0x0F, 0xFF, 0xFE]).unwrap();
    dlms(&state, ["decode", &format!("@{}", binary.display())]).expect(3);
    // A key that no suite has is not a matter of the octets.
    dlms(&state, ["decode", "--ek", "00", APDU]).expect(2);
    dlms(&state, ["decode", "@/nowhere/to/be/found"]).expect(2);
    dlms(&state, ["decode", "--framing", "mbus", "68"]).expect(3);
}

#[test]
fn a_wrong_tag_is_4() {
    let state = Directory::new();
    // glo-get-request, authenticated and encrypted, with a tag that no key gives.
    let apdu = format!("c81e3000000001{}", "00".repeat(25));
    let keys = ["--ek", "000102030405060708090a0b0c0d0e0f", "--ak", "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"];
    let mut args = vec!["decode", "--json", "--system-title", "4d4d4d0000000001", &apdu];
    args.extend(keys);
    let outcome = dlms(&state, args).expect(4);
    assert_eq!(outcome.json()["layer"], "security");
    assert!(!format!("{outcome:?}").contains(keys[1]), "a key in the output");
}

#[test]
fn a_wrong_tag_in_an_exchange_is_4_and_a_malformed_message_is_explained() {
    let state = Directory::new();
    let request = "c001c100080000010000ff0200";
    let keys = ["--ek", "000102030405060708090a0b0c0d0e0f", "--ak", "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"];
    let title = ["--system-title", "4d4d4d0000000001"];
    let ciphered = format!(">{request}\n<cc1e3000000001{}\n", "00".repeat(25));
    let outcome = dlms_with_input(&state, [&["decode", "--json"][..], &title, &keys].concat(), &ciphered);
    let json = outcome.expect(4).json();
    assert_eq!(
        (&json["kind"], &json["apdu-kinds"][1]),
        (&"session".into(), &"error:glo-get-response".into())
    );
    let cut = format!(">{request}\n<c401c1000906\n");
    let json = dlms_with_input(&state, ["decode", "--json"], &cut).expect(0).json();
    assert_eq!(json["apdu-kinds"][1], "error:get-response");
    // Nothing at all is understood.
    let json = dlms_with_input(&state, ["decode", "--json"], ">c001c1\n<c401c1000906\n").expect(3).json();
    assert_eq!(json["kind"], "session");
}
