//! Cut, changed and arbitrary octets: every framing explains them or refuses them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use dlms_inspect::{Direction, Framing, Inspector, Message, Options};
use dlms_security::{AuthenticationKey, Secret, SystemTitle};
use proptest::prelude::*;

const GOOD: &[&str] = &[
    "7EA02A410883130413E6E7000F40000000000101020309060100010700FF060000067D02020F00161B1C057E",
    "7EA023210002002373F6C5818014050200EF060200EF070400000001080400000001074B7E",
    "7EA00D0102011063AB7D5E7D5D7D23932D7E",
    "0001000103E90020C301C1000F0000280000FF010109111000000000A850A10FFD94028DBF4BBE66",
    "E6E7000F40000000090C07E40119060D091EFF80000002010600002611",
    "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B",
    "DD080123456789ABCDEF08435454303030303008494355303030303000000100001E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B",
    "DF080123456789ABCDEF08435454303030303008494355303030303000000DC001C1000100002B0100FF020004DEADBEEF",
    "6058A109060760857405080103A60A040843545430303030308A0207808B0760857405080205AC0D800BAC93A248C8FC1CA5C20B27BE230421211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9",
    "E081000100000DC001C1000100002B0100FF0200",
    "DA400000010001010100030100010800FF02010600001391010100",
];

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(GOOD).prop_map(|text| text.parse::<Message>().unwrap().octets);
    let changed = (good, any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>()).prop_map(
        |(mut octets, at, octet, cut)| {
            let at = at.index(octets.len());
            octets[at] = octet;
            if octet & 1 == 0 {
                octets.truncate(cut.index(octets.len() + 1));
            }
            octets
        },
    );
    prop_oneof![prop::collection::vec(any::<u8>(), 0..80), changed]
}

fn options(framing: Framing, lenient: bool) -> Options {
    Options {
        framing,
        lenient,
        encryption_key: Some(Secret::new(&[7; 16]).unwrap()),
        authentication_key: Some(AuthenticationKey::new(&[8; 16]).unwrap()),
        dedicated_key: Some(Secret::new(&[9; 16]).unwrap()),
        system_title: Some(SystemTitle::from_octets([1; 8])),
    }
}

proptest! {
    #[test]
    fn explained_or_refused(
        captured in prop::collection::vec((octets(), 0u8..3), 1..4),
        framing in prop::sample::select(Framing::ALL),
        lenient: bool,
    ) {
        let messages: Vec<Message> = captured
            .into_iter()
            .map(|(octets, direction)| Message {
                direction: [Direction::ClientToMeter, Direction::MeterToClient, Direction::Push][usize::from(direction)],
                octets,
            })
            .collect();
        let explanation = Inspector::new(options(framing, lenient)).inspect(&messages);
        prop_assert!(explanation.json()["kind"].is_string());
        prop_assert!(!explanation.to_string().is_empty());
        let length = messages.iter().map(|message| message.octets.len()).sum();
        for problem in explanation.problems() {
            prop_assert!(problem.offset.is_none_or(|offset| offset <= length), "{problem}");
        }
    }
}

/// APDUs in APDUs in APDUs.
#[test]
fn nesting_ends() {
    let mut octets = vec![0xC0, 0x02, 0xC1, 0, 0, 0, 1];
    for _ in 0..5000 {
        octets = [&[0xE6, 0x00, 0x00], &octets[..]].concat();
    }
    let explanation = Inspector::new(options(Framing::Apdu, true)).inspect(&[Message::push(octets)]);
    assert_eq!(explanation.error().unwrap().reason, "nested-too-deep");
}

/// A stream that is nothing but flags and headers is looked at once.
#[test]
fn hostile_streams_end() {
    for unit in [&[0x7E][..], &[0x7E, 0xA7, 0xFF], &[0x7E, 0xA0], &[0x7E, 0xA0, 0x02, 0x7E]] {
        let octets = unit.repeat(200_000 / unit.len());
        let explanation = Inspector::new(options(Framing::Hdlc, true)).inspect(&[Message::push(octets)]);
        assert!(explanation.error().is_some());
    }
}
