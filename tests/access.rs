//! ACCESS: mixed lists in one APDU, item by item, at both ends.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::time::Duration;

use common::{ENERGY, HIDDEN, LONG_TEXT, Link, config, provider, to_hex, unhex};
use cosem_objects::AccessRights;
use dlms::client::{
    AccessItem, AccessOptions, ActionItem, Client, ClientConfig, ClientError, Environment, SetItem,
};
use dlms::server::{self, AssociationConfig};
use dlms::xdlms::{
    AccessResponse, AccessResult, ActionResult, AttributeDescriptor, Conformance, GetDataResult,
    MethodDescriptor,
};
use dlms_axdr::Data;
use dlms_security::{AuthenticationMechanism, NoStore};
use proptest::prelude::*;

/// All services of logical names; the client takes APDUs of any size.
const AARQ: &str = "601DA109060760857405080101BE10040E01000000065F1F040062FEDFFFFF";
const ENERGY_VALUE: &str = "00030100010800FF02";
const TEXT: &str = "00010000800000FF02";
const RESET: &str = "00030100010800FF01";
const UNKNOWN: &str = "00030100020800FF02";
const READ_ENERGY: &str = "C001C100030100010800FF0200";
const READ_TEXT: &str = "C001C100010000800000FF0200";

fn public() -> Link {
    sized(0xFFFF)
}

/// The client takes no more than `size` octets at a time.
fn sized(size: u16) -> Link {
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    let aare = link.hex(&AARQ.replace("FFFFF", &format!("F{size:04X}")));
    assert!(aare.contains("5F1F0400401EDF"), "{aare}");
    link
}

#[test]
fn every_kind_of_item_in_order() {
    let mut link = public();
    // Read, write, read what was written, reset, read what was reset.
    let specifications =
        format!("05 01{ENERGY_VALUE} 02{TEXT} 01{TEXT} 03{RESET} 01{ENERGY_VALUE}").replace(' ', "");
    let answer = link.hex(&format!("D94000000100{specifications}05 00 0902AABB 00 0F00 00"));
    assert_eq!(
        answer,
        "DA400000010000 05 0600001391 00 0902AABB 00 0600000000 05 0100 0200 0100 0300 0100".replace(' ', "")
    );
    // The published examples, with objects that this meter has.
    assert_eq!(
        link.hex("D94000000100020100030100010800FF020200010000800000FF020200090401020304"),
        "DA4000000100000206000000000002 0100 0200".replace(' ', "")
    );
    assert_eq!(link.hex(READ_TEXT), "C401C100090401020304");
    // Entries 2 and 3 of the profile, the second column.
    let entries = "02020406000000020600000003120002120002";
    let answer = link.hex(&format!("D9C0ABCDEF00010400070100630100FF02{entries}0100"));
    assert_eq!(
        answer,
        "DAC0ABCDEF000001 0102 02010600000001 02010600000002 01 0100".replace(' ', ""),
        "the identifier comes back whole"
    );
}

#[test]
fn results_of_what_fails() {
    let mut link = public();
    // No such object, read only, no such method, no such attribute, a selector where there is none, wrong type.
    let specifications = format!(
        "06 01{UNKNOWN} 02{ENERGY_VALUE} 03{} 01{} 04{ENERGY_VALUE}0100 02{TEXT}",
        RESET.replace("FF01", "FF09"),
        ENERGY_VALUE.replace("FF02", "FF40")
    );
    let answer = link.hex(&format!("D94000000200{specifications}06 00 0600000001 00 00 00 1105"));
    assert_eq!(answer, "DA400000020000 06 000000000000 06 0104 0203 0303 0103 010C 020C".replace(' ', ""));
    assert_eq!(link.hex(READ_ENERGY), "C401C1000600001391", "nothing was executed");
}

/// Everything is executed unless the request says otherwise; then nothing is behind what failed.
#[test]
fn break_on_error() {
    let specifications = format!("04 02{TEXT} 01{UNKNOWN} 03{RESET} 02{TEXT}");
    let data = "04 0901AA 00 0F00 0901BB";
    let mut link = public();
    let answer = link.hex(&format!("D96000000300{specifications}{data}"));
    assert_eq!(answer, "DA600000030000 04 00000000 04 0200 0104 03FA 02FA".replace(' ', ""));
    assert_eq!(link.hex(READ_ENERGY), "C401C1000600001391");
    assert_eq!(link.hex(READ_TEXT), "C401C1000901AA");
    let answer = link.hex(&format!("D94000000300{specifications}{data}"));
    assert_eq!(answer, "DA400000030000 04 00000000 04 0200 0104 0300 0200".replace(' ', ""));
    assert_eq!(link.hex(READ_ENERGY), "C401C1000600000000");
    assert_eq!(link.hex(READ_TEXT), "C401C1000901BB");
}

#[test]
fn a_self_descriptive_request_comes_back() {
    let mut link = public();
    let answer = link.hex(&format!("D95000000100 02 01{ENERGY_VALUE} 02{TEXT} 02 00 0901AA"));
    assert_eq!(
        answer,
        format!("DA5000000100 01 02 01{ENERGY_VALUE} 02{TEXT} 02 0600001391 00 02 0100 0200")
            .replace(' ', "")
    );
}

#[test]
fn an_unconfirmed_request_is_executed_in_silence() {
    let mut link = public();
    assert_eq!(link.hex(&format!("D900000001000103{RESET}010F00")), "");
    assert_eq!(link.hex(READ_ENERGY), "C401C1000600000000");
}

#[test]
fn what_is_no_request() {
    for request in [
        "D9400000010000 00",                                     // nothing to do
        "D9400000010001 0100030100010800FF02 00",                // no value for it
        "D9400000010001 0100030100010800FF02 02 00 00",          // one too many
        "D9400000010001 0600030100010800FF02 01 00",             // unknown kind
        "D9400000010001 0100030100010800FF02 01 00 00",          // an octet left over
        "D9400000010001 0100030100010800FF02 01",                // cut
        "D9400000010001 0400030100010800FF02 01 00",             // a selection without selector
        "D94000000101 0001 0100030100010800FF02 01 00",          // a date-time of one octet
        "D9400000010084FFFFFFFF 0100030100010800FF02 01 00",     // four thousand million items
        "D9400000010001 0200010000800000FF02 0109 84FFFFFFFF00", // a value of 4 GiB
    ] {
        let mut link = public();
        assert_eq!(link.hex(request), "D80103", "{request}");
        assert_eq!(link.hex(READ_ENERGY), "C401C1000600001391", "the association stays open");
    }
}

#[test]
fn it_is_served_where_it_was_negotiated() {
    let request = format!("D94000000100 01 01{ENERGY_VALUE} 01 00");
    let mut link = Link::new(config(AuthenticationMechanism::None, None));
    assert_eq!(link.hex(&request), "D80101", "no association");
    link.meter.associations[0].conformance = Conformance::GET;
    assert!(link.hex(AARQ).contains("5F1F0400000010"));
    assert_eq!(link.hex(&request), "D80102");
    // It needs no other service, but selections are one of their own.
    link.meter.associations[0].conformance = Conformance::ACCESS;
    assert!(link.hex(AARQ).contains("5F1F0400000040"));
    assert_eq!(link.hex(&request), "DA400000010000010600001391010100");
    assert_eq!(link.hex(&format!("D94000000100 01 04{ENERGY_VALUE}0100 01 00")), "D80102");
    assert_eq!(link.hex(READ_ENERGY), "D80102");
}

/// There are no blocks: what does not fit is said item by item, and nothing is executed whose result would not fit.
#[test]
fn what_does_not_fit() {
    let mut link = public();
    link.hex(&format!("C101C1{TEXT}00 0964{}", "55".repeat(100)));
    for size in 12..200 {
        let mut link = sized(size);
        link.hex(&format!("C101C1{TEXT}00 0964{}", "55".repeat(100)));
        let answer = link.hex(&format!(
            "D94000000100 04 01{ENERGY_VALUE} 01{TEXT} 03{RESET} 01{ENERGY_VALUE} 04 00 00 0F00 00"
        ));
        assert!(answer.len() / 2 <= usize::from(size), "{size} {answer}");
        let was_reset = link.hex("C001C100030100010800FF0200") == "C401C1000600000000";
        // Header, data and results of four items, all without a value: 7 + 1 + 4 + 1 + 8.
        if size < 21 {
            assert_eq!((answer.as_str(), was_reset), ("D80104", false), "{size}");
            continue;
        }
        assert!(was_reset, "{size}");
        let expected = match size {
            21..25 => "00 00 00 00 04 010E 010E 0300 010E",
            25..29 => "0600001391 00 00 00 04 0100 010E 0300 010E",
            29..126 => "0600001391 00 00 0600000000 04 0100 010E 0300 0100",
            126..130 => "0600001391 TEXT 00 00 04 0100 0100 0300 010E",
            _ => "0600001391 TEXT 00 0600000000 04 0100 0100 0300 0100",
        };
        let expected = expected.replace("TEXT", &format!("0964{}", "55".repeat(100)));
        assert_eq!(answer, format!("DA40000001000004{expected}").replace(' ', ""), "{size}");
    }
    // More items than there can be results of.
    let mut link = sized(400);
    let items = format!("03{RESET}").repeat(200);
    assert_eq!(link.hex(&format!("D94000000100 81C8 {items} 81C8 {}", "0F00".repeat(200))), "D80104");
    assert_eq!(link.hex(READ_ENERGY), "C401C1000600001391");
    let mut link = sized(1000);
    let answer = link.hex(&format!("D94000000100 81C8 {items} 81C8 {}", "0F00".repeat(200)));
    assert_eq!(answer, format!("DA40000001000081C8{}81C8{}", "00".repeat(200), "0300".repeat(200)));
}

#[test]
fn rights_count_for_each_item() {
    let mut link = public();
    link.meter.device.attribute_rights = vec![
        (LONG_TEXT, 1, AccessRights::empty()),
        (LONG_TEXT, 2, AccessRights::WRITE),
        (ENERGY, 1, AccessRights::READ | AccessRights::AUTHENTICATED_REQUEST),
        (ENERGY, 3, AccessRights::READ | AccessRights::ENCRYPTED_RESPONSE),
    ];
    link.meter.device.method_rights = vec![(ENERGY, 1, AccessRights::empty())];
    assert_eq!(HIDDEN.octets(), &[0, 0, 96, 1, 9, 255]);
    let attribute = |name: &str, id: u8| format!("{}{id:02X}", &name[..16]);
    let specifications = format!(
        "08 01{} 01{TEXT} 02{TEXT} 01{} 01{} 03{RESET} 01 00010000600109FF02 01{ENERGY_VALUE}",
        attribute(TEXT, 1),
        attribute(ENERGY_VALUE, 1),
        attribute(ENERGY_VALUE, 3),
    );
    let answer = link.hex(&format!("D94000000100{specifications} 08 00 00 0901AA 00 00 0F00 00 00"));
    assert_eq!(
        answer,
        "DA400000010000 08 00 00 00 00 00 00 00 0600001391 08 0103 0103 0200 0103 0103 0303 0104 0100"
            .replace(' ', "")
    );
    let mut events = Vec::new();
    while let Some(event) = link.session.poll_event() {
        events.push(event);
    }
    assert!(events.contains(&server::Event::AccessDenied { class_id: 3, instance_id: ENERGY, id: 3 }));
    assert!(!events.iter().any(|event| matches!(event, server::Event::MethodInvoked { .. })));
}

fn attribute(class_id: u16, name: dlms_obis::LogicalName, id: i8) -> AttributeDescriptor {
    AttributeDescriptor::new(class_id, name, id)
}

/// A client that is associated with the meter behind `link`.
struct Reader {
    client: Client<common::Provider, [u8; 0]>,
    provider: common::Provider,
    link: Link,
    out: Vec<u8>,
}

impl Reader {
    fn new() -> Self {
        let config = ClientConfig { conformance: Conformance::LOGICAL_NAME, ..ClientConfig::public() };
        let server: AssociationConfig = common::config(AuthenticationMechanism::None, None);
        let mut reader = Self {
            client: Client::new(config, []),
            provider: provider(),
            link: Link::new(server),
            out: vec![0; 1024],
        };
        let request = reader.request(|client, env, out| client.associate(env, out)).unwrap();
        let answer = reader.link.exchange(&request).unwrap();
        assert!(reader.receive(&answer).unwrap().starts_with("Associated"));
        reader
    }

    fn request(
        &mut self,
        request: impl FnOnce(
            &mut Client<common::Provider, [u8; 0]>,
            &mut Environment<'_, common::Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, ClientError>,
    ) -> Result<Vec<u8>, ClientError> {
        let Self { client, provider, out, .. } = self;
        let mut env = Environment {
            provider,
            counters: &mut NoStore,
            security: None,
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: Duration::ZERO,
        };
        let range = request(client, &mut env, out)?;
        Ok(out[range].to_vec())
    }

    fn receive(&mut self, apdu: &[u8]) -> Result<String, ClientError> {
        let Self { client, provider, out, .. } = self;
        let mut env = Environment {
            provider,
            counters: &mut NoStore,
            security: None,
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: Duration::ZERO,
        };
        let mut apdu = apdu.to_vec();
        let reaction = client.handle_apdu(&mut env, &mut apdu, out)?;
        assert_eq!(reaction.transmit, None);
        Ok(format!("{:?}", reaction.event.unwrap()))
    }

    fn access(&mut self, options: AccessOptions) -> Vec<u8> {
        let items = [
            AccessItem::Get(attribute(3, ENERGY, 2).into()),
            AccessItem::Set(SetItem::new(attribute(1, LONG_TEXT, 2), &Data::OctetString(&[1, 2, 3, 4]))),
        ];
        self.request(|client, env, out| client.access(env, &items, options, out)).unwrap()
    }
}

#[test]
fn a_client_asks_and_reads_the_results() {
    let mut reader = Reader::new();
    let request = reader.access(AccessOptions::default());
    assert_eq!(to_hex(&request), "D9C000000100020100030100010800FF020200010000800000FF020200090401020304");
    let answer = reader.link.exchange(&request).unwrap();
    assert!(reader.receive(&answer).unwrap().starts_with("AccessDone"));
    let options = AccessOptions { break_on_error: true, self_descriptive: true };
    let request = reader.access(options);
    assert!(to_hex(&request).starts_with("D9F0000002"), "the next request, with its options");
    let answer = reader.link.exchange(&request).unwrap();
    assert!(reader.receive(&answer).unwrap().contains("request_specifications: Some"));

    let reset = MethodDescriptor::new(3, ENERGY, 1);
    let items = [
        AccessItem::Action(ActionItem::new(reset, &0i8)),
        AccessItem::Action(ActionItem { method: MethodDescriptor::new(3, ENERGY, 9), parameter: None }),
        AccessItem::Get(attribute(3, ENERGY, 2).into()),
    ];
    let request =
        reader.request(|client, env, out| client.access(env, &items, AccessOptions::default(), out));
    let answer = reader.link.exchange(&request.unwrap()).unwrap();
    let response = decode(&answer);
    assert_eq!(
        response.results().collect::<Vec<_>>(),
        [
            AccessResult::Action { result: ActionResult::Success, value: None },
            AccessResult::Action { result: ActionResult::ReadWriteDenied, value: None },
            AccessResult::Get(GetDataResult::Data(Data::DoubleLongUnsigned(0))),
        ]
    );
    assert!(reader.receive(&answer).unwrap().starts_with("AccessDone"));
    let items: [AccessItem<'_>; 0] = [];
    let empty = reader.request(|client, env, out| client.access(env, &items, AccessOptions::default(), out));
    assert_eq!(empty, Err(ClientError::EmptyList));
    let long = [7; 2000];
    let value = Data::OctetString(&long);
    let items = [AccessItem::Set(SetItem::new(attribute(1, LONG_TEXT, 2), &value))];
    let long = reader.request(|client, env, out| client.access(env, &items, AccessOptions::default(), out));
    assert!(matches!(long, Err(ClientError::RequestTooLong { .. })), "{long:?}");
    assert!(!reader.client.is_busy(), "nothing has changed");
}

/// Each response to something else is dropped, each that cannot be the answer ends the request: an ACCESS may hold an
/// action, so the engine never sends one again.
#[test]
fn a_client_takes_one_answer() {
    let good = unhex("DAC000000100000206000013910002 0100 0200");
    let mut reader = Reader::new();
    assert_eq!(reader.receive(&good).unwrap(), "Stale", "nothing was asked");
    reader.access(AccessOptions::default());
    let mut other = good.clone();
    other[4] = 2;
    assert_eq!(reader.receive(&other).unwrap(), "Stale");
    assert_eq!(reader.receive(&unhex("C401C1000600001391")).unwrap(), "Stale");
    assert!(reader.receive(&good).unwrap().starts_with("AccessDone"));
    assert_eq!(reader.receive(&good).unwrap(), "Stale", "once");
    for bad in
        ["DAC00000020000010001 0100", "DAC0000002000002000001 0100", "DAC0000002", "DAC000000200000200000202"]
    {
        let mut reader = Reader::new();
        reader.access(AccessOptions::default());
        let request = reader.client.is_busy();
        assert!(request);
        let bad = bad.replace("C0000002", "C0000001");
        let answer = reader.receive(&unhex(&bad));
        assert!(answer.is_err(), "{answer:?}");
        assert!(!reader.client.is_busy());
    }
    // Not agreed on.
    let mut reader = Reader::new();
    let request = reader.request(|client, env, out| client.release(env, out)).unwrap();
    let answer = reader.link.exchange(&request).unwrap();
    reader.receive(&answer).unwrap();
    reader.link.meter.associations[0].conformance = Conformance::GET;
    let request = reader.request(|client, env, out| client.associate(env, out)).unwrap();
    let answer = reader.link.exchange(&request).unwrap();
    reader.receive(&answer).unwrap();
    let items = [AccessItem::Get(attribute(3, ENERGY, 2).into())];
    let refused =
        reader.request(|client, env, out| client.access(env, &items, AccessOptions::default(), out));
    assert_eq!(refused, Err(ClientError::NotNegotiated(Conformance::ACCESS)));
}

fn decode(octets: &[u8]) -> AccessResponse<'_> {
    AccessResponse::decode(&mut dlms_axdr::Reader::new(octets)).unwrap()
}

const REQUESTS: [&str; 3] = [
    "D94000000100 05 0100030100010800FF02 0200010000800000FF02 0100010000800000FF02 0300030100010800FF01 \
     0100030100010800FF02 05 00 0902AABB 00 0F00 00",
    "D97000000100 02 0100030100020800FF02 0300030100010800FF01 02 00 0F00",
    "D9C0ABCDEF00 01 0400070100630100FF02 02020406000000020600000003120002120002 01 00",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Whatever the request and however little room there is: an answer that fits and can be read, or an
    /// exception-response and nothing done.
    #[test]
    fn damaged_requests(
        index in 0..REQUESTS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in prop::option::of(any::<prop::sample::Index>()),
        size in 12..120u16,
    ) {
        let mut link = sized(size);
        let mut request = unhex(REQUESTS[index]);
        for (at, octet) in changes {
            let at = at.index(request.len());
            request[at] = octet;
        }
        if let Some(cut) = cut {
            request.truncate(cut.index(request.len()).max(1));
        }
        request[0] = 0xD9;
        while link.session.poll_event().is_some() {}
        let answer = link.exchange(&request);
        let is_confirmed = request.get(1).is_none_or(|octet| octet & 0x40 != 0);
        prop_assert_eq!(answer.is_some(), is_confirmed);
        let event = link.session.poll_event();
        match answer.as_deref() {
            Some([0xD8, ..]) => prop_assert_eq!(event, None),
            Some(answer) => {
                prop_assert!(answer.len() <= usize::from(size));
                let response = decode(answer);
                prop_assert_eq!(&response.long_invoke_id.0.to_be_bytes()[..], &request[1..5]);
            }
            None => {}
        }
    }

    /// Whatever the answer: nothing is made up, and the client is ready for the next request or goes on waiting.
    #[test]
    fn damaged_answers(
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut answer = unhex("DAC000000100000206000013910002 0100 0200");
        let at = at.index(answer.len());
        answer[at] = octet;
        if let Some(cut) = cut {
            answer.truncate(cut.index(answer.len()));
        }
        let mut reader = Reader::new();
        reader.access(AccessOptions::default());
        if let Ok(event) = reader.receive(&answer) {
            let is_done = event.starts_with("AccessDone");
            prop_assert!(is_done != reader.client.is_busy(), "{}", event);
        }
    }
}
