//! What the abstract test suite for the data link layer asks of a server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{hex, transmit};
use core::time::Duration;
use dlms_hdlc::{
    Address, ClientAddress, Control, Deframer, Frame, MAX_FRAME, Parameters, Secondary, SecondaryConfig,
    SecondaryEvent, Sequence, ServerAddress,
};

const P: bool = true;
const INTER_OCTET: Duration = Duration::from_millis(25);

/// A server as it stands on the line: octets in, octets out.
struct Station {
    now: Duration,
    deframer: Deframer<[u8; MAX_FRAME]>,
    link: Secondary<Vec<u8>>,
    own: ServerAddress,
}

impl Station {
    fn new(own: ServerAddress) -> Self {
        let limits = Parameters {
            max_information_transmit: 256,
            max_information_receive: 256,
            window_transmit: 3,
            window_receive: 3,
        };
        let config = SecondaryConfig { limits, ..SecondaryConfig::new(own) };
        Self {
            now: Duration::ZERO,
            deframer: Deframer::new([0; MAX_FRAME]).with_inter_octet_time_out(INTER_OCTET).strict(),
            link: Secondary::new(config, vec![0; 2048]),
            own,
        }
    }

    fn two() -> Self {
        Self::new(ServerAddress::two(1, 0x11).unwrap())
    }

    fn frame<'a>(&self, control: Control, information: &'a [u8]) -> Frame<'a> {
        Frame {
            destination: self.own.into(),
            source: ClientAddress::PUBLIC.into(),
            control,
            segmented: false,
            information,
        }
    }

    /// The octets of a frame, flags included.
    fn octets(&self, control: Control, information: &[u8]) -> Vec<u8> {
        encode(&self.frame(control, information))
    }

    /// What the station answers to octets after a pause; requests are echoed.
    fn answer(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        self.now += Duration::from_millis(100);
        self.deframer.handle_timeout(self.now);
        self.link.handle_timeout(self.now);
        let mut input = octets;
        let mut answers = Vec::new();
        while let Some(frame) = self.deframer.next(self.now, &mut input) {
            let mut response = Vec::new();
            if let Some(SecondaryEvent::Apdu(apdu)) = self.link.handle_frame(self.now, &frame) {
                response = apdu.to_vec();
                self.link.send(response.len()).unwrap();
            }
            while let Some(frame) = transmit(&mut self.link, self.now, &response) {
                answers.push(frame);
            }
        }
        answers
    }

    /// The one answer to a frame.
    fn exchange(&mut self, control: Control, information: &[u8]) -> (Control, Vec<u8>) {
        let octets = self.octets(control, information);
        let answers = self.answer(&octets);
        let [answer] = &answers[..] else { panic!("{control:?}: {} answers", answers.len()) };
        let frame = Frame::decode(&answer[1..answer.len() - 1]).unwrap();
        assert_eq!(frame.destination, Address::from(ClientAddress::PUBLIC));
        assert_eq!(frame.source, Address::from(self.own));
        (frame.control, frame.information.to_vec())
    }

    fn connect(&mut self) {
        let (control, _) = self.exchange(Control::SetNormalResponseMode { poll_final: P }, &[]);
        assert_eq!(control, Control::UnnumberedAcknowledge { poll_final: true });
    }
}

fn encode(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    let length = frame.encode(&mut out).unwrap();
    out[..length].to_vec()
}

fn rr(receive: u8) -> Control {
    Control::ReceiveReady { receive: Sequence::new(receive), poll_final: P }
}

fn i(send: u8, receive: u8) -> Control {
    Control::Information { send: Sequence::new(send), receive: Sequence::new(receive), poll_final: P }
}

const DISC: Control = Control::Disconnect { poll_final: P };
const UA: Control = Control::UnnumberedAcknowledge { poll_final: true };
const DM: Control = Control::DisconnectedMode { poll_final: true };
const FRMR: Control = Control::FrameReject { poll_final: true };
const APDU: &[u8] = &[0xE6, 0xE6, 0x00, 0x60];

#[test]
fn connect_poll_and_disconnect() {
    let mut station = Station::two();
    station.connect();
    assert_eq!(station.exchange(rr(0), &[]).0, rr(0));
    assert_eq!(station.exchange(DISC, &[]).0, UA);
    assert_eq!(station.exchange(DISC, &[]).0, DM);
}

#[test]
fn a_fragment_is_dropped_after_the_pause() {
    let mut station = Station::two();
    station.connect();
    let disc = station.octets(DISC, &[]);
    assert!(station.answer(&disc[..disc.len() - 1]).is_empty());
    assert_eq!(station.exchange(rr(0), &[]).0, rr(0));
}

#[test]
fn inactivity_releases_the_link() {
    let mut station = Station::two();
    station.connect();
    station.now += Duration::from_secs(132);
    assert_eq!(station.exchange(DISC, &[]).0, DM);
}

#[test]
fn inactivity_is_noticed_by_the_next_frame_too() {
    let mut station = Station::two();
    station.connect();
    let disc = station.octets(DISC, &[]);
    let frame = Frame::decode(&disc[1..disc.len() - 1]).unwrap();
    let late = station.now + Duration::from_secs(121);
    let event = station.link.handle_frame(late, &frame);
    assert!(matches!(event, Some(SecondaryEvent::Disconnected(_))));
}

/// Each of these gets no answer and changes nothing: the DISC after it is still answered with UA.
#[test]
fn damaged_frames_are_met_with_silence() {
    let own = ServerAddress::two(1, 0x11).unwrap();
    let good = Station::two().octets(DISC, &[]);
    let information = Station::two().octets(i(0, 0), APDU);
    let body = &good[1..good.len() - 1];
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = good.clone();
        change(&mut octets);
        octets
    };
    // Frames shortened by 1..=3 octets whose length says so.
    let shortened = |by: usize| {
        let mut octets = vec![0x7E];
        octets.extend(&body[..body.len() - by]);
        octets[2] -= by as u8;
        octets.push(0x7E);
        octets
    };
    let address = |destination: &str, source: &str| {
        let mut octets = hex(&format!("A0 00 {destination} {source} 53"));
        octets[1] = octets.len() as u8 + 2;
        octets.extend(dlms_hdlc::Crc::of(&octets).to_le_bytes());
        [&[0x7E][..], &octets, &[0x7E]].concat()
    };
    assert_eq!(address("02 23", "21"), good);
    let mut header_check = information.clone();
    header_check[7] ^= 1;
    let mut frame_check = information.clone();
    frame_check[12] ^= 1;
    let cases = [
        ("no opening flag", body.iter().copied().chain([0x7E]).collect()),
        ("no closing flag", good[..good.len() - 1].to_vec()),
        ("no flags", body.to_vec()),
        ("shortened by 1", shortened(1)),
        ("shortened by 2", shortened(2)),
        ("shortened by 3", shortened(3)),
        ("format type", with(&|octets| octets[1] = 0xB0)),
        ("length one too long", with(&|octets| octets[2] += 1)),
        ("length one too short", with(&|octets| octets[2] -= 1)),
        ("wrong check sequence", with(&|octets| octets[7] ^= 1)),
        ("wrong header check sequence", header_check),
        ("wrong frame check sequence", frame_check),
        ("client of two octets", address("02 23", "02 21")),
        ("another logical device", address("04 23", "21")),
        ("another physical device", address("02 25", "21")),
        ("one-octet destination", address("03", "21")),
        ("three-octet destination", address("02 02 23", "21")),
        ("five-octet destination", address("02 02 02 02 23", "21")),
        ("source ALL_STATION", address("02 23", "FF")),
        ("source NO_STATION", address("02 23", "01")),
        ("NO_STATION", address("02 01", "21")),
        ("broadcast with P", address("02 FF", "21")),
    ];
    for (case, octets) in cases {
        let mut station = Station::new(own);
        station.connect();
        assert!(station.answer(&octets).is_empty(), "{case}");
        assert_eq!(station.exchange(rr(0), &[]).0, rr(0), "{case}");
        assert_eq!(station.exchange(DISC, &[]).0, UA, "{case}");
    }
}

#[test]
fn rejected_frames() {
    let long = [0; 257];
    let cases: [(&str, Control, &[u8], u8); 7] = [
        ("undefined control field", Control::Undefined(0xFF), &[], 0x01),
        ("REJ", Control::Undefined(0x19), &[], 0x01),
        ("RR with information", rr(0), &[1], 0x03),
        ("information too long", i(0, 0), &long, 0x04),
        ("UI too long", Control::UnnumberedInformation { poll_final: P }, &long, 0x04),
        ("N(R) = 1 right after SNRM", rr(1), &[], 0x08),
        ("I with N(R) = 1", i(0, 1), APDU, 0x08),
    ];
    for (case, control, information, reasons) in cases {
        let mut station = Station::two();
        let all =
            Parameters { max_information_receive: 256, max_information_transmit: 256, ..Default::default() };
        let field = all.encode(dlms_hdlc::ParameterForm::Explicit);
        assert_eq!(station.exchange(Control::SetNormalResponseMode { poll_final: P }, field.as_ref()).0, UA);
        let reject = vec![control.octet(), 0x00, reasons];
        assert_eq!(station.exchange(control, information), (FRMR, reject.clone()), "{case}");
        // The exception stays until SNRM.
        assert_eq!(station.exchange(rr(0), &[]), (FRMR, reject.clone()), "{case}");
        assert_eq!(station.exchange(i(0, 0), APDU), (FRMR, reject), "{case}");
        let mut other = station.octets(i(0, 0), APDU);
        other.clear();
        assert!(station.answer(&other).is_empty());
        station.connect();
        assert_eq!(station.exchange(rr(0), &[]).0, rr(0), "{case}");
        station.exchange(control, information);
        assert_eq!(station.exchange(DISC, &[]).0, UA, "{case}");
        assert_eq!(station.exchange(DISC, &[]).0, DM, "{case}");
    }
}

#[test]
fn negotiation() {
    let mut station = Station::two();
    let snrm = Control::SetNormalResponseMode { poll_final: P };
    for field in [
        "81 80 14 05 02 07 EE 06 02 07 EE 07 04 00 00 00 07 08 04 00 00 00 07",
        "81 80 12 05 01 80 06 01 80 07 04 00 00 00 04 08 04 00 00 00 04",
        "81 80 0C 05 01 80 06 01 80 07 01 04 08 01 04",
    ] {
        let (control, information) = station.exchange(snrm, &hex(field));
        assert_eq!(control, UA);
        let result = Parameters::decode(&information).unwrap();
        assert!(result.max_information_receive <= 2030 && result.max_information_transmit <= 2030);
        assert_eq!((result.window_transmit, result.window_receive), (3, 3));
        // Window values stand in four octets.
        assert!(information.windows(6).any(|part| part == [7, 4, 0, 0, 0, 3]));
        assert!(information.windows(6).any(|part| part == [8, 4, 0, 0, 0, 3]));
    }
    // An unknown parameter is refused, and takes the link down; user data is not.
    assert_eq!(station.exchange(snrm, &hex("81 80 03 09 01 01")).0, DM);
    assert_eq!(station.exchange(DISC, &[]).0, DM);
    assert_eq!(station.exchange(snrm, &hex("81 80 00 81 F0 02 AA BB")).0, UA);
}

#[test]
fn one_frame_and_several() {
    let mut station = Station::two();
    station.connect();
    assert_eq!(station.exchange(i(0, 0), APDU).0, i(0, 1));
    let mut segment = station.frame(i(1, 1), APDU);
    segment.segmented = true;
    let answers = station.answer(&encode(&segment));
    assert_eq!(Frame::decode(&answers[0][1..answers[0].len() - 1]).unwrap().control, rr(2));
    segment.control = i(2, 1);
    let answers = station.answer(&encode(&segment));
    assert_eq!(Frame::decode(&answers[0][1..answers[0].len() - 1]).unwrap().control, rr(3));
    let (control, information) = station.exchange(i(3, 1), &[7]);
    assert_eq!(control, i(1, 4));
    assert_eq!(information, [0xE6, 0xE7, 0x00, 0x60, 0xE6, 0xE6, 0x00, 0x60, 7]);
}

#[test]
fn out_of_sequence_and_disconnected() {
    let mut station = Station::two();
    station.connect();
    assert_eq!(station.exchange(i(1, 0), APDU).0, rr(0));
    assert_eq!(station.exchange(i(0, 0), APDU).0, i(0, 1));
    let mut station = Station::two();
    assert_eq!(station.exchange(i(0, 0), APDU).0, DM);
    assert_eq!(station.exchange(rr(0), &[]).0, DM);
    assert_eq!(station.exchange(Control::Undefined(0xFF), &[]).0, DM);
    assert_eq!(station.exchange(DISC, &[]).0, DM);
}

#[test]
fn without_p_there_is_no_answer() {
    let poll_final = false;
    let receive = Sequence::new(0);
    for control in [
        Control::SetNormalResponseMode { poll_final },
        Control::Disconnect { poll_final },
        Control::Information { send: receive, receive, poll_final },
        Control::ReceiveReady { receive, poll_final },
        Control::ReceiveNotReady { receive, poll_final },
        Control::UnnumberedInformation { poll_final },
        Control::UnnumberedAcknowledge { poll_final: true },
        Control::DisconnectedMode { poll_final: true },
        Control::FrameReject { poll_final: true },
    ] {
        for connected in [false, true] {
            let mut station = Station::two();
            if connected {
                station.connect();
            }
            let octets = station.octets(control, &[]);
            assert!(station.answer(&octets).is_empty(), "{control:?} while connected: {connected}");
            assert_eq!(station.link.is_connected(), connected);
        }
    }
}

#[test]
fn not_ready_on_either_side() {
    let mut station = Station::two();
    station.connect();
    station.link.set_busy(true);
    let rnr = |receive| Control::ReceiveNotReady { receive: Sequence::new(receive), poll_final: true };
    assert_eq!(station.exchange(i(0, 0), APDU).0, rnr(0));
    assert_eq!(station.exchange(rr(0), &[]).0, rnr(0));
    station.link.set_busy(false);
    assert_eq!(station.exchange(i(0, 0), APDU).0, i(0, 1));
    // The client holds the response off, though it has not acknowledged it.
    assert_eq!(station.exchange(rnr(0), &[]).0, rr(1));
}

#[test]
fn a_second_snrm_resets_the_link() {
    let mut station = Station::two();
    station.connect();
    assert_eq!(station.exchange(i(0, 0), APDU).0, i(0, 1));
    let snrm = station.octets(Control::SetNormalResponseMode { poll_final: P }, &[]);
    let frame = Frame::decode(&snrm[1..snrm.len() - 1]).unwrap();
    assert!(matches!(station.link.handle_frame(station.now, &frame), Some(SecondaryEvent::Reset(_))));
    assert_eq!(transmit(&mut station.link, station.now, &[]).map(|frame| frame[6]), Some(0x73));
    assert_eq!(station.exchange(rr(0), &[]).0, rr(0));
    assert_eq!(station.exchange(i(0, 0), APDU).0, i(0, 1));
}

#[test]
fn a_late_response_waits_for_the_next_poll() {
    let own = ServerAddress::one(1).unwrap();
    let response_time_out = Some(Duration::from_secs(2));
    let config = SecondaryConfig { response_time_out, ..SecondaryConfig::new(own) };
    let mut link = Secondary::new(config, vec![0; 64]);
    let frame = |control, information| Frame {
        destination: own.into(),
        source: ClientAddress::PUBLIC.into(),
        control,
        segmented: false,
        information,
    };
    let second = Duration::from_secs;
    link.handle_frame(second(0), &frame(Control::SetNormalResponseMode { poll_final: P }, &[]));
    transmit(&mut link, second(0), &[]);
    link.handle_frame(second(1), &frame(i(0, 0), APDU));
    assert_eq!(transmit(&mut link, second(1), &[]), None);
    assert_eq!(link.poll_timeout(), Some(second(3)));
    assert_eq!(link.handle_timeout(second(3)), None);
    let sent = transmit(&mut link, second(3), &[]).unwrap();
    assert_eq!(Frame::decode(&sent[1..sent.len() - 1]).unwrap().control, rr(1));
    link.send(4).unwrap();
    assert_eq!(transmit(&mut link, second(4), &[0; 4]), None);
    link.handle_frame(second(5), &frame(rr(0), &[]));
    let sent = transmit(&mut link, second(5), &[0; 4]).unwrap();
    assert_eq!(Frame::decode(&sent[1..sent.len() - 1]).unwrap().control, i(0, 1));
}
