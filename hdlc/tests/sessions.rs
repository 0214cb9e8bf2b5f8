//! Worked sessions, octet by octet, through both state machines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::vectors::FRAMES;
use common::{hex, transmit, transmit_primary};
use core::time::Duration;
use dlms_hdlc::{
    ClientAddress, Frame, ParameterForm, Parameters, Primary, PrimaryConfig, PrimaryEvent, Secondary,
    SecondaryConfig, SecondaryEvent, ServerAddress,
};

const NOW: Duration = Duration::ZERO;
const AARQ: &str =
    "60 1D A1 09 06 07 60 85 74 05 08 01 01 BE 10 04 0E 01 00 00 00 06 5F 1F 04 00 00 30 1D FF FF";
const AARE: &str = "61 29 A1 09 06 07 60 85 74 05 08 01 01 A2 03 02 01 00 A3 05 A1 03 02 01 00 BE 10 04 0E 08 00 06 \
                    5F 1F 04 00 00 30 1D 19 00 00 07";
const GET: &str = "C0 01 C1 00 08 00 00 01 00 00 FF 02 00";
const CLOCK: &str = "C4 01 C1 00 09 0C 07 E5 03 17 02 13 1A 3A FF 80 00 00";

fn vector(start: &str) -> Vec<u8> {
    let found = FRAMES.iter().find(|(meaning, ..)| meaning.starts_with(start));
    hex(found.unwrap_or_else(|| panic!("no {start}")).2)
}

fn server(config: SecondaryConfig) -> Secondary<Vec<u8>> {
    Secondary::new(config, vec![0; 1024])
}

fn client(server: ServerAddress) -> Primary<Vec<u8>> {
    Primary::new(PrimaryConfig::new(ClientAddress::PUBLIC, server), vec![0; 1024])
}

fn one() -> ServerAddress {
    ServerAddress::one(1).unwrap()
}

fn decode(frame: &[u8]) -> Frame<'_> {
    Frame::decode(&frame[1..frame.len() - 1]).unwrap()
}

/// Client to server: what the client sends is `expected`, and the server makes `event` of it.
#[track_caller]
fn up<'a>(
    client: &mut Primary<Vec<u8>>,
    server: &'a mut Secondary<Vec<u8>>,
    apdu: &[u8],
    expected: &'a [u8],
) -> Option<SecondaryEvent<'a>> {
    assert_eq!(transmit_primary(client, NOW, apdu).unwrap(), expected);
    server.handle_frame(NOW, &decode(expected))
}

#[track_caller]
fn down<'a>(
    server: &mut Secondary<Vec<u8>>,
    client: &'a mut Primary<Vec<u8>>,
    apdu: &[u8],
    expected: &'a [u8],
) -> Option<PrimaryEvent<'a>> {
    assert_eq!(transmit(server, NOW, apdu).unwrap(), expected);
    client.handle_frame(NOW, &decode(expected))
}

#[test]
fn complete_session() {
    let mut server = server(SecondaryConfig { states_defaults: false, ..SecondaryConfig::new(one()) });
    let mut client = client(one());
    let (aarq, aare, get, clock) = (hex(AARQ), hex(AARE), hex(GET), hex(CLOCK));
    client.disconnect();
    assert_eq!(up(&mut client, &mut server, &[], &vector("C: DISC P")), None);
    assert_eq!(down(&mut server, &mut client, &[], &vector("s: DM F")), Some(PrimaryEvent::Disconnected));
    client.connect();
    let connected = Some(SecondaryEvent::Connected(Parameters::default()));
    assert_eq!(up(&mut client, &mut server, &[], &vector("C: SNRM P")[..]), connected);
    let connected = Some(PrimaryEvent::Connected(Parameters::default()));
    assert_eq!(down(&mut server, &mut client, &[], &vector("s: UA F")), connected);
    client.send(aarq.len()).unwrap();
    let frame = vector("C: I(0,0)P AARQ");
    assert_eq!(up(&mut client, &mut server, &aarq, &frame), Some(SecondaryEvent::Apdu(&aarq)));
    assert_eq!(transmit(&mut server, NOW, &[]), None, "the application is at work");
    server.send(aare.len()).unwrap();
    let frame = vector("s: I(0,1)F AARE");
    assert_eq!(down(&mut server, &mut client, &aare, &frame), Some(PrimaryEvent::Apdu(&aare)));
    client.send(get.len()).unwrap();
    let frame = vector("C: I(1,1)P GET");
    assert_eq!(up(&mut client, &mut server, &get, &frame), Some(SecondaryEvent::Apdu(&get)));
    server.send(clock.len()).unwrap();
    let frame = vector("s: response was lost"); // the same octets
    assert_eq!(down(&mut server, &mut client, &clock, &frame), Some(PrimaryEvent::Apdu(&clock)));
    client.poll().unwrap();
    assert_eq!(up(&mut client, &mut server, &[], &vector("C: RR 2 P")), None);
    assert_eq!(down(&mut server, &mut client, &[], &vector("s: RR 2 F")), Some(PrimaryEvent::Idle));
    client.poll().unwrap();
    server.set_busy(true);
    assert_eq!(up(&mut client, &mut server, &[], &vector("C: RR 2 P")), None);
    assert_eq!(down(&mut server, &mut client, &[], &vector("s: or busy: RNR 2 F")), None);
    client.disconnect();
    assert!(matches!(
        up(&mut client, &mut server, &[], &vector("C: DISC P")),
        Some(SecondaryEvent::Disconnected(_))
    ));
    assert_eq!(down(&mut server, &mut client, &[], &vector("UA F (was")), Some(PrimaryEvent::Disconnected));
}

/// Connects and exchanges the AARQ and AARE, so that the numbers stand at 1 and 1.
fn associated(server: &mut Secondary<Vec<u8>>, client: &mut Primary<Vec<u8>>) {
    client.connect();
    let frame = transmit_primary(client, NOW, &[]).unwrap();
    server.handle_frame(NOW, &decode(&frame));
    let frame = transmit(server, NOW, &[]).unwrap();
    client.handle_frame(NOW, &decode(&frame));
    let apdu = [0; 5];
    client.send(5).unwrap();
    let frame = transmit_primary(client, NOW, &apdu).unwrap();
    server.handle_frame(NOW, &decode(&frame));
    server.send(5).unwrap();
    let frame = transmit(server, NOW, &apdu).unwrap();
    client.handle_frame(NOW, &decode(&frame));
}

#[test]
fn a_lost_response_is_asked_for_and_repeated() {
    let (mut server, mut client) = (server(SecondaryConfig::new(one())), client(one()));
    associated(&mut server, &mut client);
    let (get, clock) = (hex(GET), hex(CLOCK));
    client.send(get.len()).unwrap();
    up(&mut client, &mut server, &get, &vector("C: I(1,1)P GET"));
    server.send(clock.len()).unwrap();
    transmit(&mut server, NOW, &clock).expect("the response that is lost");
    let time_out = client.poll_timeout().unwrap();
    assert_eq!(client.handle_timeout(time_out), None);
    assert_eq!(up(&mut client, &mut server, &get, &vector("C: time-out, RR N(R)=1 P")), None);
    let frame = vector("s: response was lost");
    assert_eq!(down(&mut server, &mut client, &clock, &frame), Some(PrimaryEvent::Apdu(&clock)));
}

#[test]
fn a_lost_request_is_found_out_and_repeated() {
    let (mut server, mut client) = (server(SecondaryConfig::new(one())), client(one()));
    associated(&mut server, &mut client);
    let get = hex(GET);
    client.send(get.len()).unwrap();
    transmit_primary(&mut client, NOW, &get).expect("the request that is lost");
    assert_eq!(client.handle_timeout(client.poll_timeout().unwrap()), None);
    assert_eq!(up(&mut client, &mut server, &get, &vector("C: time-out, RR N(R)=1 P")), None);
    assert_eq!(down(&mut server, &mut client, &[], &vector("s: request was lost")), None);
    let frame = vector("C: then repeat I(1,1)P");
    assert_eq!(up(&mut client, &mut server, &get, &frame), Some(SecondaryEvent::Apdu(&get)));
}

#[test]
fn a_client_that_repeats_its_request_gets_the_response_again() {
    let (mut server, mut client) = (server(SecondaryConfig::new(one())), client(one()));
    associated(&mut server, &mut client);
    let (get, clock) = (hex(GET), hex(CLOCK));
    client.send(get.len()).unwrap();
    let request = vector("C: I(1,1)P GET");
    up(&mut client, &mut server, &get, &request);
    // Before there is a response, RR.
    assert_eq!(server.handle_frame(NOW, &decode(&request)), None);
    server.send(clock.len()).unwrap();
    assert_eq!(decode(&transmit(&mut server, NOW, &clock).unwrap()).control.name(), "RR");
    assert_eq!(server.handle_frame(NOW, &decode(&request)), None);
    assert_eq!(decode(&transmit(&mut server, NOW, &clock).unwrap()).control.octet(), 0x51);
}

#[test]
fn segments_both_ways() {
    let limits =
        Parameters { max_information_transmit: 32, max_information_receive: 32, ..Parameters::default() };
    let mut server = server(SecondaryConfig { limits, ..SecondaryConfig::new(one()) });
    let mut client = client(one());
    client.connect();
    let frame = transmit_primary(&mut client, NOW, &[]).unwrap();
    assert_eq!(server.handle_frame(NOW, &decode(&frame)), Some(SecondaryEvent::Connected(limits)));
    let frame = transmit(&mut server, NOW, &[]).unwrap();
    assert_eq!(client.handle_frame(NOW, &decode(&frame)), Some(PrimaryEvent::Connected(limits)));

    let (aarq, aare, get) = (hex(AARQ), hex(AARE), hex(GET));
    client.send(aarq.len()).unwrap();
    assert_eq!(up(&mut client, &mut server, &aarq, &vector("C: I(0,0)P S=1")), None);
    assert_eq!(down(&mut server, &mut client, &[], &vector("s: RR 1 F")), None);
    let frame = vector("C: I(1,0)P S=0");
    assert_eq!(up(&mut client, &mut server, &aarq, &frame), Some(SecondaryEvent::Apdu(&aarq)));
    // The worked example goes on from numbers 1 and 1, as after an AARQ in one frame: start again there.
    server.send(aare.len()).unwrap();
    let mut server = self::server(SecondaryConfig { limits, ..SecondaryConfig::new(one()) });
    let mut client = self::client(one());
    associated(&mut server, &mut client);

    let response: Vec<u8> = [&hex("C4 01 C1 00 09 3C")[..], &(0x41..=0x7C).collect::<Vec<u8>>()].concat();
    client.send(get.len()).unwrap();
    up(&mut client, &mut server, &get, &vector("C: GET I(1,1)P"));
    server.send(response.len()).unwrap();
    assert_eq!(down(&mut server, &mut client, &response, &vector("s: I(1,2)F S=1")), None);
    assert_eq!(up(&mut client, &mut server, &get, &vector("C: RR 2 P")), None);
    assert_eq!(down(&mut server, &mut client, &response, &vector("s: I(2,2)F S=1")), None);
    assert_eq!(up(&mut client, &mut server, &get, &vector("C: RR 3 P")), None);
    let frame = vector("s: I(3,2)F S=0");
    assert_eq!(down(&mut server, &mut client, &response, &frame), Some(PrimaryEvent::Apdu(&response)));
    assert!(client.is_idle());
}

#[test]
fn a_window_of_three_in_one_burst() {
    let limits = Parameters {
        max_information_transmit: 32,
        max_information_receive: 32,
        window_transmit: 3,
        window_receive: 3,
    };
    let mut server = server(SecondaryConfig { limits, ..SecondaryConfig::new(one()) });
    let config = PrimaryConfig { proposal: limits, ..PrimaryConfig::new(ClientAddress::PUBLIC, one()) };
    let mut client = Primary::new(config, vec![0; 1024]);
    associated(&mut server, &mut client);
    let response: Vec<u8> = [&hex("C4 01 C1 00 09 3C")[..], &(0x41..=0x7C).collect::<Vec<u8>>()].concat();
    let get = hex(GET);
    client.send(get.len()).unwrap();
    up(&mut client, &mut server, &get, &vector("C: GET I(1,1)P"));
    server.send(response.len()).unwrap();
    let mut burst: Vec<u8> = Vec::new();
    let mut apdu = None;
    while let Some(frame) = transmit(&mut server, NOW, &response) {
        if let Some(PrimaryEvent::Apdu(received)) = client.handle_frame(NOW, &decode(&frame)) {
            apdu = Some(received.to_vec());
        }
        // One flag closes and opens.
        burst.extend(if burst.is_empty() { &frame[..] } else { &frame[1..] });
    }
    assert_eq!(burst, vector("s: same, window 3"));
    assert_eq!(apdu, Some(response));
}

#[test]
fn addressing_variants() {
    for (snrm, ua, own) in [
        ("2-octet server", 0, ServerAddress::two(1, 0x11).unwrap()),
        ("4-octet server 0001/0011", 1, ServerAddress::four(1, 0x11).unwrap()),
        ("4-octet server 0001/1234", 2, ServerAddress::four(1, 0x1234).unwrap()),
    ] {
        let mut server = server(SecondaryConfig { states_defaults: false, ..SecondaryConfig::new(own) });
        let mut client = client(own);
        client.connect();
        assert!(up(&mut client, &mut server, &[], &vector(snrm)).is_some());
        let ua = FRAMES.iter().filter(|(meaning, ..)| *meaning == "its UA").nth(ua).unwrap();
        assert!(down(&mut server, &mut client, &[], &hex(ua.2)).is_some());
    }
}

#[test]
fn the_calling_device_answers_from_its_real_address() {
    let own = ServerAddress::two(1, 0x11).unwrap();
    let mut server =
        server(SecondaryConfig { calling_device: true, states_defaults: false, ..SecondaryConfig::new(own) });
    let calling = ServerAddress::two(1, 0x7E).unwrap();
    let mut client = Primary::new(PrimaryConfig::new(ClientAddress::MANAGEMENT, calling), vec![0; 64]);
    client.connect();
    assert!(up(&mut client, &mut server, &[], &vector("CALLING")).is_some());
    assert!(down(&mut server, &mut client, &[], &vector("UA from the real")).is_some());
    // From now on the client uses it too.
    client.poll().unwrap();
    let frame = transmit_primary(&mut client, NOW, &[]).unwrap();
    assert_eq!(decode(&frame).destination, own.into());
}

#[test]
fn worked_negotiation() {
    let limits = Parameters {
        max_information_transmit: 128,
        max_information_receive: 64,
        window_transmit: 7,
        window_receive: 7,
    };
    let parameter_form = ParameterForm::Brief;
    let mut server = server(SecondaryConfig { limits, parameter_form, ..SecondaryConfig::new(one()) });
    let proposal = Parameters { window_receive: 7, ..Parameters::default() };
    let config = PrimaryConfig { proposal, ..PrimaryConfig::new(ClientAddress::PUBLIC, one()) };
    let mut client = Primary::new(config, vec![0; 1024]);
    client.connect();
    assert!(up(&mut client, &mut server, &[], &vector("SNRM carrying only 08")).is_some());
    let result = Parameters { max_information_transmit: 64, ..proposal };
    let frame = vector("UA carrying only 06");
    assert_eq!(down(&mut server, &mut client, &[], &frame), Some(PrimaryEvent::Connected(result)));
}

#[test]
fn notifications_wait_for_the_clients_word() {
    let config = SecondaryConfig::new(one());
    let mut server = Secondary::with_queue(config, vec![0; 64], [0; 64]);
    let mut client = Primary::new(PrimaryConfig::new(ClientAddress::MANAGEMENT, one()), vec![0; 64]);
    client.connect();
    let frame = transmit_primary(&mut client, NOW, &[]).unwrap();
    server.handle_frame(NOW, &decode(&frame));
    let frame = transmit(&mut server, NOW, &[]).unwrap();
    client.handle_frame(NOW, &decode(&frame));
    let notification = hex("C2 00 00 01 00 00 60 0B 00 FF 02 11 07");
    server.queue_unconfirmed(&notification).unwrap();
    assert_eq!(transmit(&mut server, NOW, &[]), None);

    // The empty UI fetches it with F = 1.
    client.poll_unconfirmed().unwrap();
    let poll = transmit_primary(&mut client, NOW, &[]).unwrap();
    assert_eq!(poll, vector("empty UI poll"));
    assert_eq!(server.handle_frame(NOW, &decode(&poll)), None);
    let frame = transmit(&mut server, NOW, &[]).unwrap();
    assert_eq!(frame, vector("same with F=1"));
    assert_eq!(client.handle_frame(NOW, &decode(&frame)), Some(PrimaryEvent::Unconfirmed(&notification)));
    assert!(client.is_idle());

    // RR fetches it with F = 0, and then RR.
    server.queue_unconfirmed(&notification).unwrap();
    client.poll().unwrap();
    let poll = transmit_primary(&mut client, NOW, &[]).unwrap();
    assert_eq!(server.handle_frame(NOW, &decode(&poll)), None);
    let frame = transmit(&mut server, NOW, &[]).unwrap();
    assert_eq!(frame, vector("EventNotification in UI"));
    assert_eq!(client.handle_frame(NOW, &decode(&frame)), Some(PrimaryEvent::Unconfirmed(&notification)));
    let frame = transmit(&mut server, NOW, &[]).unwrap();
    assert_eq!(client.handle_frame(NOW, &decode(&frame)), Some(PrimaryEvent::Idle));
}

#[test]
fn a_broadcast_is_delivered_and_not_answered() {
    let mut server = server(SecondaryConfig::new(one()));
    let frame = vector("broadcast clock SET");
    let event = server.handle_frame(NOW, &decode(&frame));
    assert!(matches!(event, Some(SecondaryEvent::Unconfirmed { apdu: [0xC1, ..], broadcast: true })));
    assert_eq!(transmit(&mut server, NOW, &[]), None);
}

#[test]
fn long_messages_are_bounded_on_both_sides() {
    let mut server = Secondary::new(SecondaryConfig::new(one()), vec![0; 200]);
    let mut client = Primary::new(PrimaryConfig::new(ClientAddress::PUBLIC, one()), vec![0; 200]);
    associated(&mut server, &mut client);
    let apdu = [0; 300];
    client.send(300).unwrap();
    let mut lost = None;
    while let Some(frame) = transmit_primary(&mut client, NOW, &apdu) {
        if let Some(SecondaryEvent::Disconnected(reason)) = server.handle_frame(NOW, &decode(&frame)) {
            lost = Some(reason);
        }
        if let Some(frame) = transmit(&mut server, NOW, &[]) {
            client.handle_frame(NOW, &decode(&frame));
        }
    }
    assert_eq!(lost, Some(dlms_hdlc::Disconnection::TooLong));
    assert!(!client.is_connected(), "the server has said DM");
}

/// A client that cannot do without them gets the four parameters, whatever its SNRM said (recorded from a meter).
#[test]
fn defaults_are_stated_unless_configured_otherwise() {
    let mut server = server(SecondaryConfig::new(one()));
    server.handle_frame(NOW, &decode(&vector("C: SNRM P")));
    let ua = transmit(&mut server, NOW, &[]).unwrap();
    assert!(ua.windows(3).any(|octets| octets == [0x81, 0x80, 0x12]), "{ua:02X?}");
}
