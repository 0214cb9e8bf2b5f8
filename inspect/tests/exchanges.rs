//! Exchanges and protected APDUs whose octets and meaning are published in the standard's examples.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use dlms_inspect::{Explanation, Framing, Inspector, Layer, Message, Options};
use dlms_security::{AuthenticationKey, Secret, SystemTitle};
use serde_json::{Value, json};

const EK: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const AK: [u8; 16] =
    [0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF];
const TITLE: [u8; 8] = [0x4D, 0x4D, 0x4D, 0x00, 0x00, 0xBC, 0x61, 0x4E];
const GLO_GET_REQUEST: &str = "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B";

fn keys() -> Options {
    Options {
        framing: Framing::Apdu,
        encryption_key: Some(Secret::new(&EK).unwrap()),
        authentication_key: Some(AuthenticationKey::new(&AK).unwrap()),
        ..Options::default()
    }
}

fn inspect(options: Options, lines: &[&str]) -> Explanation {
    let messages: Vec<Message> = lines.iter().map(|line| line.parse().unwrap()).collect();
    Inspector::new(options).inspect(&messages)
}

fn steps(explanation: &Explanation) -> &Vec<Value> {
    explanation.json()["steps"].as_array().unwrap()
}

#[test]
fn a_service_specific_envelope_needs_the_title_of_its_sender() {
    let options = Options { system_title: Some(SystemTitle::from_octets(TITLE)), ..keys() };
    let explanation = inspect(options, &[GLO_GET_REQUEST]);
    let apdu = &explanation.json()["apdu"];
    assert_eq!(apdu["tag"], "ok");
    assert_eq!(apdu["plaintext"]["attribute"]["instance-id"], "0000010000ff");

    let unknown = inspect(keys(), &[GLO_GET_REQUEST]);
    let apdu = &unknown.json()["apdu"];
    assert_eq!((&apdu["plaintext"], &apdu["ciphertext-length"]), (&Value::Null, &json!(13)));
    assert_eq!(apdu["missing"], "system-title");
}

#[test]
fn wrong_keys_are_a_matter_of_security() {
    let title = Some(SystemTitle::from_octets(TITLE));
    let wrong = Some(Secret::new(&AK).unwrap());
    let explanation =
        inspect(Options { system_title: title, encryption_key: wrong, ..keys() }, &[GLO_GET_REQUEST]);
    let problem = explanation.error().unwrap();
    assert_eq!((problem.layer, problem.reason.as_str()), (Layer::Security, "tag-mismatch"));

    // Without the authentication key nothing tells but what comes out.
    let wrong = Some(Secret::new(&AK).unwrap());
    let options = Options { system_title: title, encryption_key: wrong, authentication_key: None, ..keys() };
    let problem = inspect(options, &[GLO_GET_REQUEST]).error().cloned().unwrap();
    assert_eq!((problem.layer, problem.reason.as_str()), (Layer::Security, "wrong-key"));
    let options = Options { system_title: title, authentication_key: None, ..keys() };
    assert_eq!(inspect(options, &[GLO_GET_REQUEST]).json()["apdu"]["tag"], "unchecked-no-ak");

    let short = Some(Secret::new(&EK[..8]).unwrap());
    let problem =
        inspect(Options { system_title: title, encryption_key: short, ..keys() }, &[GLO_GET_REQUEST]);
    assert_eq!(problem.error().unwrap().reason, "key-length");
}

#[test]
fn a_handshake_with_ciphering() {
    let explanation = inspect(
        keys(),
        &[
            "> 6058A109060760857405080103A60A040843545430303030308A0207808B0760857405080205AC0D800BAC93A248C8FC1CA5C20B27BE230421211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9",
            "< 6169A109060760857405080103A203020100A305A10302010EA40A0408494355303030303088020780890760857405080205AA1280106A495F8D185723E288A794A19AE64024BE230421281F3026ECF3DFBA974DD84AA9262FA3FD4349F7A268D0B41B4BBCDA8448715093",
            "> DB084354543030303030313026ECF3E01ACF25914E9576DC0DA746172438C8242066F456E2D73F4EAB5264C69B2608DD37694CCF5BEB4FA71D51424D",
            "< DB0849435530303030302A3026ECF3E1E385CBA72F04AF871CE9C0760AC57172D7F69120791D8FC5E0A2C5E74BB43B53D2E1560671",
            "> 6228800100BE230421211F3026ECF3E1B2CC46BB00C666E7B147F7C2005397473D1862BC5D0257F64359",
            "< 6303800100",
        ],
    );
    let json = explanation.json();
    assert_eq!(
        json["apdu-kinds"],
        json!(["aarq", "aare", "general-glo-ciphering", "general-glo-ciphering", "rlrq", "rlre"])
    );
    assert_eq!(
        json["hls-checks"],
        json!([{ "check": "f(StoC)", "ok": true }, { "check": "f(CtoS)", "ok": true }])
    );
    let steps = steps(&explanation);
    assert_eq!(steps[0]["apdu"]["user-information"]["plaintext"]["conformance"], "60fe9f");
    assert_eq!(steps[1]["apdu"]["user-information"]["plaintext"]["server-max-receive-pdu-size"], 1280);
    assert_eq!(steps[2]["apdu"]["plaintext"]["method"]["class-id"], 15);
    assert_eq!(steps[4]["apdu"]["user-information"]["tag"], "ok");
    assert!(explanation.problems().is_empty());
}

#[test]
fn a_dedicated_key_is_picked_up() {
    let explanation = inspect(
        keys(),
        &[
            "> 6066A109060760857405080103A60A04084D4D4D0000BC614E8A0207808B0760857405080201AC0A80083132333435363738BE34043221303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855",
            // The octets of a global request under the tag of a dedicated one: the dedicated key does not open them.
            "> D01E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B",
        ],
    );
    let steps = steps(&explanation);
    let initiate = &steps[0]["apdu"]["user-information"]["plaintext"];
    assert_eq!(initiate["dedicated-key"], "00112233445566778899aabbccddeeff");
    assert_eq!(steps[1]["error"]["reason"], "tag-mismatch");
    assert_eq!(explanation.json()["apdu-kinds"], json!(["aarq", "error:ded-get-request"]));
    assert_eq!(explanation.problems().len(), 1);
}

#[test]
fn a_value_in_blocks() {
    let explanation = inspect(
        Options::default(),
        &[
            "> C001C100010000800000FF0200",
            "< C402C10000000001001E093201020304050607080910111213141516171819202122232425262728",
            "> C002C100000001",
            "< C402C10100000002001629303132333435363738394041424344454647484950",
        ],
    );
    let values = explanation.json()["block-transfer-result"].as_array().unwrap();
    assert_eq!(values.len(), 1);
    assert_eq!(values[0]["octet-string"].as_str().unwrap().len(), 100);
    assert_eq!(steps(&explanation)[2]["apdu"]["choice"], "next");
}

#[test]
fn a_general_block_transfer() {
    let lines = [
        "> C001C1000100002B0100FF0200",
        "< E0010001000005C401C10009",
        "> E0830001000100",
        "< E04300020001050A01020304",
        "< E0430003000103050607",
        "< E083000400010308090A",
    ];
    let explanation = inspect(Options::default(), &lines);
    let last = &steps(&explanation)[5];
    assert_eq!(last["gbt"]["block-number"], 4);
    assert_eq!(last["apdu"]["data"]["octet-string"], "0102030405060708090a");
    let kinds = explanation.json()["apdu-kinds"].as_array().unwrap();
    assert_eq!(kinds.last().unwrap(), "get-response");

    let with_a_gap = inspect(Options::default(), &[lines[0], lines[1], lines[4]]);
    assert_eq!(steps(&with_a_gap)[2]["error"]["reason"], "block-missing");
    let unfinished = inspect(Options::default(), &["E0010001000005C401C10009"]);
    assert_eq!(unfinished.error().unwrap().reason, "incomplete-last-block-not-received");
}

#[test]
fn lengths_that_are_one_short_need_lenience() {
    let aare = ["6128A109060760857405080102A203020100A305A103020100BE0F040D0800065F1F04001802200960FA00"];
    let strict = inspect(Options::default(), &aare);
    assert_eq!(strict.error().map(|problem| problem.layer), Some(Layer::Acse));
    let lenient = inspect(Options { lenient: true, ..Options::default() }, &aare);
    assert_eq!(lenient.json()["apdu"]["user-information"]["vaa-name"], 0xFA00);
    assert_eq!(lenient.json()["quirks"], json!(["aare-lengths-one-short"]));
    assert_eq!(lenient.json()["strict"]["error"]["reason"], "length-mismatch");
}

#[test]
fn several_pushes_in_one_stream() {
    let frame = "7EA02A41088313 0413 E6E7000F40000000000101020309060100010700FF060000067D02020F00161B1C057E";
    let explanation = inspect(Options::default(), &[frame, "00 7E A0 03", frame]);
    assert_eq!(explanation.json()["kind"], "push");
    assert_eq!(explanation.json()["apdus"].as_array().unwrap().len(), 2);
    assert!(!explanation.json()["skipped"].as_array().unwrap().is_empty());
}

#[test]
fn what_is_not_covered_says_so() {
    for framing in [Framing::Mbus, Framing::Wmbus] {
        assert!(inspect(Options { framing, ..Options::default() }, &["2F"]).is_not_covered());
    }
    assert_eq!(inspect(Options::default(), &[""]).error().unwrap().layer, Layer::Framing);
}
