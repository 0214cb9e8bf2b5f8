//! The server engine, octet by octet.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Link, PASSWORD, config, to_hex, unhex};
use dlms::server::Session;
use dlms::xdlms::Conformance;
use dlms_security::AuthenticationMechanism;

const AARQ_PUBLIC: &str = "601DA109060760857405080101BE10040E01000000065F1F040060FE9FFFFF";
const AARQ_LLS: &str = "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400007E1F04B0";
/// Context LN without ciphering, accepted, InitiateResponse with what was agreed.
const AARE_PUBLIC: &str = "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F0400";

fn public() -> Link {
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    let aare = link.hex(AARQ_PUBLIC);
    assert!(aare.starts_with(AARE_PUBLIC), "{aare}");
    link
}

/// As [`public`], to a client that takes no more than `size` octets.
fn small(size: u16) -> Link {
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    let aarq = AARQ_PUBLIC.strip_suffix("FFFF").unwrap().to_owned() + &format!("{size:04X}");
    assert!(link.hex(&aarq).starts_with(AARE_PUBLIC));
    link
}

#[test]
fn nothing_is_served_without_an_association() {
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    assert_eq!(link.hex("C001C1000F0000280000FF0100"), "D80101");
    assert_eq!(link.hex(""), "");
    assert_eq!(link.hex("6200"), "");
}

#[test]
fn release() {
    let mut link = public();
    assert_eq!(link.hex("6203800100"), "6303800100");
    assert_eq!(link.hex("C001C1000F0000280000FF0100"), "D80101");
}

#[test]
fn what_an_aarq_is_refused_for() {
    let refusal = |config, aarq: &str| {
        let mut link = Link::new(config);
        let aare = link.hex(aarq);
        assert_eq!(link.hex("C001C1000F0000280000FF0100"), "D80101", "nothing is left behind");
        aare
    };
    let none = || config(AuthenticationMechanism::None, None);
    let lls = || config(AuthenticationMechanism::Lls, None);
    let rejected = |diagnostic: &str| format!("6117A109060760857405080101A203020101A305{diagnostic}");
    // protocol-version without version1: provider diagnostic 2
    let aarq = "602180020700A109060760857405080101BE10040E01000000065F1F0400007E1F04B0";
    assert_eq!(refusal(none(), aarq), rejected("A203020102"));
    // context SN, and LN with ciphering, where LN was configured
    for context in ["02", "03", "09"] {
        let aarq = format!("601DA1090607608574050801{context}BE10040E01000000065F1F0400007E1F04B0");
        assert_eq!(refusal(none(), &aarq), rejected("A103020102"));
    }
    // no authentication fields, another mechanism, a wrong password, one that is too short
    assert_eq!(refusal(lls(), AARQ_PUBLIC), rejected("A10302010E"));
    assert_eq!(refusal(lls(), &AARQ_LLS.replace("080201AC", "080205AC")), rejected("A10302010B"));
    assert_eq!(
        refusal(lls(), &AARQ_LLS.replace("3132333435363738", "3132333435363739")),
        rejected("A10302010D")
    );
    let short = AARQ_LLS.replace("6036", "6035").replace("AC0A80083132333435363738", "AC0980073132333435363");
    assert_eq!(refusal(lls(), &short.replace("353637BE", "3637BE")).get(..4), Some("6117"));
    // a mechanism where none is configured
    assert_eq!(refusal(none(), AARQ_LLS), rejected("A10302010B"));
    // DLMS version 5, only SN services, a PDU size of 11
    let initiate = |initiate: &str| format!("601DA109060760857405080101BE10040E{initiate}");
    let error =
        |error: &str| format!("611FA109060760857405080101A203020101A305A103020101BE0604040E0106{error}");
    assert_eq!(refusal(none(), &initiate("01000000055F1F0400007E1F04B0")), error("01"));
    assert_eq!(refusal(none(), &initiate("01000000065F1F04001C032004B0")), error("02"));
    assert_eq!(refusal(none(), &initiate("01000000065F1F0400007E1F000B")), error("03"));
    // a dedicated key without ciphering
    let dedicated =
        "602EA109060760857405080101BE21041F01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0";
    assert_eq!(refusal(none(), dedicated), rejected("A10302010D"));
    // octets that are no AARQ
    assert_eq!(refusal(none(), "6003A10100"), rejected("A103020101"));
}

#[test]
fn a_newer_version_and_ignored_fields_do_no_harm() {
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    let aare = link.hex("601DA109060760857405080101BE10040E01000000075F1F0400007E1F04B0");
    assert!(aare.contains("0800065F1F0400"), "answered with version 6: {aare}");
    let aare = link.hex("6022A109060760857405080101A903020105BE10040E01000000065F1F0400007E1F04B0");
    assert!(aare.starts_with(AARE_PUBLIC));
}

#[test]
fn low_level_security() {
    let mut link = Link::new(config(AuthenticationMechanism::Lls, None));
    assert_eq!(PASSWORD, b"12345678");
    assert!(link.hex(AARQ_LLS).starts_with(AARE_PUBLIC));
    assert_eq!(link.hex("C001C100030100010800FF0200"), "C401C1000600001391");
}

/// Who guesses learns nothing about which clients there are.
#[test]
fn an_unknown_client_looks_like_one_with_a_wrong_password() {
    let wrong = AARQ_LLS.replace("3132333435363738", "3132333435363739");
    let mut known = Link::new(config(AuthenticationMechanism::Lls, None));
    let mut unknown = Link::new(config(AuthenticationMechanism::Lls, None));
    unknown.session = Session::new(99, vec![0; 2048]);
    assert_eq!(unknown.hex(&wrong), known.hex(&wrong));
    // Nor does the right password of somebody else help.
    assert_eq!(unknown.hex(AARQ_LLS), known.hex(&wrong));
    assert!(known.hex(AARQ_LLS).starts_with(AARE_PUBLIC));
}

#[test]
fn get() {
    let mut link = public();
    assert_eq!(link.hex("C001C100030100010800FF0200"), "C401C1000600001391");
    assert_eq!(link.hex("C001C100030100010800FF0300"), "C401C10002020F00161E");
    assert_eq!(link.hex("C001C1000F0000280000FF0100"), "C401C10009060000280000FF", "the current association");
    // unknown object, wrong class, unknown attribute, hidden object, selector where there is none
    assert_eq!(link.hex("C001C100030100020800FF0200"), "C401C10104");
    assert_eq!(link.hex("C001C100010100010800FF0200"), "C401C10104");
    assert_eq!(link.hex("C001C100030100010800FF4000"), "C401C10103");
    assert_eq!(link.hex("C001C100010000600109FF0200"), "C401C10104");
    assert_eq!(link.hex("C001C100030100010800FF02010100"), "C401C1010C");
    // two of a list; the invoke-id comes back
    assert_eq!(
        link.hex("C003C20200030100010800FF0200000301 00020800FF0200"),
        "C403C20200060000139101 04".replace(' ', "")
    );
}

#[test]
fn requests_that_make_no_sense() {
    let mut link = public();
    for (request, answer) in [
        ("C009C100030100010800FF0200", "D80103"),   // unknown choice
        ("C001C1000301000108", "D80103"),           // cut
        ("C001C100030100010800FF020000", "D80103"), // octets left over
        ("C003C100", "D80103"),                     // empty list
        ("050102FA00", "D80102"),                   // short names
        ("AA", "D80202"),                           // unknown tag
        ("C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B", "D80105"), // ciphered in a plain context
    ] {
        assert_eq!(link.hex(request), answer, "{request}");
    }
    assert_eq!(link.hex("C001C100030100010800FF0200"), "C401C1000600001391", "the association stays open");
}

#[test]
fn services_that_were_not_negotiated() {
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    link.meter.associations[0].conformance = Conformance::GET;
    link.hex(AARQ_PUBLIC);
    assert_eq!(link.hex("C001C100030100010800FF0200"), "C401C1000600001391");
    for request in [
        "C101C100010000800000FF02000900",
        "C301C100030100010800FF01010F00",
        "C003C20200030100010800FF0200000301000108 00FF0200",
        "C001C100070100630100FF020102020406000000010600000001120001120000",
    ] {
        assert_eq!(link.hex(request), "D80102", "{request}");
    }
}

#[test]
fn set_and_action() {
    let mut link = public();
    assert_eq!(link.hex("C101C100010000800000FF020009020102"), "C501C100");
    assert_eq!(link.hex("C001C100010000800000FF0200"), "C401C10009020102");
    assert_eq!(link.hex("C101C100030100010800FF02000600000001"), "C501C103", "read only");
    assert_eq!(link.hex("C101C100010000800000FF02001105"), "C501C10C", "wrong type");
    assert_eq!(
        link.hex("C104C10200010000800000FF0200000301 00020800FF0200020903 0A0B0C 0600000000"),
        "C505C1020004"
    );
    assert_eq!(link.hex("C001C100010000800000FF0200"), "C401C10009030A0B0C");
    assert_eq!(link.hex("C301C100030100010800FF01010F00"), "C701C10000");
    assert_eq!(link.hex("C001C100030100010800FF0200"), "C401C1000600000000", "reset");
    assert_eq!(link.hex("C301C100030100010800FF09010F00"), "C701C10300", "no such method");
    assert_eq!(link.hex("C301C100030100020800FF01010F00"), "C701C10400", "no such object");
    assert_eq!(link.hex("C303C10200030100010800FF0100030100020800FF01020F000F00"), "C703C10200000400");
}

#[test]
fn unconfirmed_requests_are_executed_in_silence() {
    let mut link = public();
    assert_eq!(link.hex("C10181 00010000800000FF020009020102"), "");
    assert_eq!(link.hex("C001C100010000800000FF0200"), "C401C10009020102");
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    link.session = dlms::server::Session::new(16, vec![0; 100]).answer_unconfirmed();
    link.hex(AARQ_PUBLIC);
    assert_eq!(link.hex("C00181 00030100010800FF0200"), "C401810006 00001391".replace(' ', ""));
}

/// An association whose client wants no answers: not even an AARE comes, and what asks for an answer is not executed.
#[test]
fn an_unconfirmed_association_has_unconfirmed_services_only() {
    const AARQ: &str = "601EA109060760857405080101BE11040F 0100010000065F1F0400007E1F04B0";
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    assert_eq!(link.hex(AARQ), "");
    assert_eq!(link.hex("C10181 00010000800000FF020009020102"), "");
    assert_eq!(link.hex("C101C1 00010000800000FF020009020304"), "");
    assert_eq!(link.hex("C001C100010000800000FF0200"), "");
    assert!(!link.hex(AARQ_PUBLIC).is_empty());
    assert_eq!(link.hex("C001C100010000800000FF0200"), "C401C10009020102");
    // Over HDLC the frame says what is confirmed.
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    link.session = dlms::server::Session::new(16, vec![0; 100]).answer_unconfirmed();
    assert!(link.hex(AARQ).starts_with("6129"));
}

/// Blocks without octets do not go on for ever, in requests of both kinds.
#[test]
fn a_request_in_empty_blocks_ends() {
    for (first, next, result) in [
        ("C102C100010000800000FF0200 00 00000001 00", "C103C1", "C503C111"),
        ("C304C100010000800000FF01 00 00000001 00", "C306C1", "C701C10F"),
    ] {
        let mut link = public();
        link.hex(first);
        let answers: Vec<_> = (2..5u32).map(|number| link.hex(&format!("{next}00{number:08X}00"))).collect();
        assert!(answers[1].starts_with(result), "{answers:?}");
        assert!(!answers[2].starts_with("C502") && !answers[2].starts_with("C704"), "{answers:?}");
    }
}

#[test]
fn a_value_leaves_in_blocks_of_any_size_and_a_lost_one_is_sent_again() {
    let value: Vec<u8> = (0..=249).collect();
    let mut whole = vec![9, 0x81, 250];
    whole.extend(&value);
    for size in [16, 30, 64, 127, 128, 200, 261, 262, 263, 264, 300] {
        let mut link = small(size);
        let set = "C101C100010000800000FF0200".to_owned() + &to_hex(&whole);
        assert_eq!(link.hex(&set), "C501C100");
        let mut response = link.exchange(&unhex("C001C100010000800000FF0200")).unwrap();
        let mut received: Vec<u8> = Vec::new();
        let mut number = 0u32;
        while response[1] == 2 {
            assert!(response.len() <= usize::from(size));
            number += 1;
            assert_eq!(response[4..8], number.to_be_bytes());
            assert_eq!(response[8], 0);
            let header = if response[9] < 0x80 { 10 } else { 10 + usize::from(response[9] & 0x7F) };
            received.extend(&response[header..]);
            if response[3] == 1 {
                break;
            }
            let mut next = unhex("C002C1");
            next.extend(number.to_be_bytes());
            let first = link.exchange(&next).unwrap();
            // The response was lost: the client asks again and gets the same.
            response = link.exchange(&next).unwrap();
            assert_eq!(first, response);
        }
        if usize::from(size) >= whole.len() + 4 {
            assert_eq!(response, [&unhex("C401C100")[..], &whole].concat(), "fits one APDU of {size}");
        } else {
            assert_eq!(received, whole, "blocks of {size}");
        }
    }
}

#[test]
fn a_list_leaves_in_blocks() {
    let request = "C003C103 00030100010800FF0200 00010000800000FF0200 00030100020800FF0200";
    let expected = {
        let mut link = public();
        link.hex("C101C100010000800000FF020009140102030405060708090A0B0C0D0E0F1011121314");
        link.exchange(&unhex(request)).unwrap()[3..].to_vec()
    };
    for size in 14..45u16 {
        let mut link = small(size);
        link.hex("C101C100010000800000FF020009140102030405060708090A0B0C0D0E0F1011121314");
        let mut response = link.exchange(&unhex(request)).unwrap();
        if response[1] == 3 {
            assert_eq!(response[3..], expected);
            continue;
        }
        let mut received: Vec<u8> = Vec::new();
        loop {
            received.extend(&response[10..]);
            if response[3] == 1 {
                break;
            }
            let next = [&unhex("C002C1")[..], &response[4..8]].concat();
            response = link.exchange(&next).unwrap();
        }
        assert_eq!(received, expected, "blocks of {size}");
    }
}

#[test]
fn a_profile_streams_by_range_and_by_entry() {
    let mut link = small(100);
    let mut response = link.exchange(&unhex("C001C100070100630100FF0200")).unwrap();
    let mut received: Vec<u8> = Vec::new();
    loop {
        assert!(response.len() <= 100);
        received.extend(&response[10..]);
        if response[3] == 1 {
            break;
        }
        response = link.exchange(&[&unhex("C002C1")[..], &response[4..8]].concat()).unwrap();
    }
    assert_eq!(received[..2], [1, 100]);
    assert_eq!(received.len(), 2 + 100 * 21);
    let mut link = public();
    let entry = "C001C100070100630100FF020102020406000000020600000003120001120000";
    let rows = link.hex(entry);
    assert_eq!(rows.len(), 2 * (4 + 2 + 2 * 21));
    assert!(rows.starts_with("C401C1000102020 2090C07EA010501000F".replace(' ', "").as_str()), "{rows}");
}

#[test]
fn a_long_value_arrives_in_blocks() {
    let mut link = public();
    assert_eq!(
        link.hex("C102C100010000800000FF0200000000000115093201020304050607080910111213141516171819"),
        "C502C100000001"
    );
    assert_eq!(
        link.hex("C103C101000000021F 20212223242526272829303132333435363738394041424344454647484950"),
        "C503C10000000002"
    );
    assert!(link.hex("C001C100010000800000FF0200").starts_with("C401C1000932010203"));
    // a block without a transfer, one out of order, one that is not Data
    assert_eq!(link.hex("C103C10100000002020102"), "C501C112");
    assert_eq!(link.hex("C102C100010000800000FF020000000000010109"), "C502C100000001");
    assert_eq!(link.hex("C103C101000000030101"), "C503C11300000003");
    assert_eq!(link.hex("C102C100010000800000FF020000000000010109"), "C502C100000001");
    assert_eq!(link.hex("C103C101000000020105"), "C503C10C00000002");
    // a list of two
    assert_eq!(
        link.hex("C105C10200010000800000FF0200000301 00020800FF0200 00 00000001 05 0209 02 0102"),
        "C502C100000001"
    );
    assert_eq!(link.hex("C103C101000000020506 00000001"), "C504C102000400000002");
    assert_eq!(link.hex("C001C100010000800000FF0200"), "C401C10009020102");
}

#[test]
fn an_endless_transfer_is_refused_in_bounded_memory() {
    let mut link = public();
    assert_eq!(link.hex("C102C100010000800000FF0200 00 00000001 00"), "C502C100000001");
    let block = "AA".repeat(200);
    for number in 2..20u32 {
        let answer = link.hex(&format!("C103C100{number:08X}81C8{block}"));
        if answer.starts_with("C503C111") {
            return;
        }
        assert_eq!(answer, format!("C502C1{number:08X}"));
    }
    panic!("18 blocks of 200 octets were taken into a storage of 2048");
}

#[test]
fn an_action_in_blocks() {
    let mut link = public();
    assert_eq!(link.hex("C304C100030100010800FF01 00 00000001 01 0F"), "C704C100000001");
    assert_eq!(link.hex("C306C10100000002 01 00"), "C701C10000");
    assert_eq!(link.hex("C306C10100000002 01 00"), "C701C11000", "no transfer");
    assert_eq!(link.hex("C302C100000001"), "C701C11000");
    assert_eq!(
        link.hex("C305C10200030100010800FF01000301 00020800FF01 01 00000001 05 02 0F00 0F00"),
        "C703C10200000400"
    );
}

#[test]
fn get_next_without_or_besides_a_transfer() {
    let mut link = small(64);
    assert_eq!(link.hex("C002C100000001"), "C401C10110");
    let set = "C101C100010000800000FF0200 09 81 C8".to_owned() + &"55".repeat(200);
    link.hex(&set);
    assert!(link.hex("C001C100010000800000FF0200").starts_with("C402C10000000001"));
    assert_eq!(link.hex("C002C100000005"), "C402C101000000050113", "wrong number ends it");
    assert_eq!(link.hex("C002C100000001"), "C401C10110");
    assert!(link.hex("C001C100010000800000FF0200").starts_with("C402C10000000001"));
    assert_eq!(link.hex("C001C100030100010800FF0200"), "C401C1000600001391", "a new request ends it");
    assert_eq!(link.hex("C002C100000001"), "C401C10110");
}
