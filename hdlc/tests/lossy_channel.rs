//! Client against server over a line that loses, damages and repeats frames, but does not reorder them: every MSDU
//! arrives once and in order, or the link says that it is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use core::time::Duration;
use std::collections::VecDeque;

use dlms_hdlc::{
    ClientAddress, Deframer, MAX_FRAME, Parameters, Primary, PrimaryConfig, PrimaryEvent, Secondary,
    SecondaryConfig, SecondaryEvent, ServerAddress,
};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Lost,
    Damaged(usize, u8),
    Twice,
}

fn fate(trouble: u32) -> impl Strategy<Value = Fate> {
    prop_oneof![
        20 => Just(Fate::Arrives),
        trouble => Just(Fate::Lost),
        trouble => (any::<usize>(), 1_u8..).prop_map(|(octet, change)| Fate::Damaged(octet, change)),
        trouble => Just(Fate::Twice),
    ]
}

fn parameters() -> impl Strategy<Value = Parameters> {
    (32_u16..200, 32_u16..200, 1_u8..=7, 1_u8..=7).prop_map(
        |(transmit, receive, window_transmit, window_receive)| Parameters {
            max_information_transmit: transmit,
            max_information_receive: receive,
            window_transmit,
            window_receive,
        },
    )
}

/// What the line does to the frames, and the octets that are on it.
struct Line<'a> {
    fates: &'a mut dyn Iterator<Item = Fate>,
    octets: VecDeque<u8>,
}

impl Line<'_> {
    fn send(&mut self, frame: &[u8]) {
        match self.fates.next().unwrap() {
            Fate::Arrives => self.octets.extend(frame),
            Fate::Lost => {}
            Fate::Damaged(octet, change) => {
                let mut frame = frame.to_vec();
                let octet = octet % frame.len();
                frame[octet] ^= change;
                self.octets.extend(frame);
            }
            Fate::Twice => {
                self.octets.extend(frame);
                self.octets.extend(frame);
            }
        }
    }
}

/// The request and the response of an exchange, told apart by number and length.
fn message(kind: u8, number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|position| kind ^ (number as u8).wrapping_mul(31) ^ position as u8).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Completed,
    Reported,
}

fn run(
    client: Parameters,
    server: Parameters,
    lengths: &[(usize, usize)],
    up: &mut dyn Iterator<Item = Fate>,
    down: &mut dyn Iterator<Item = Fate>,
    piece: usize,
) -> Outcome {
    let address = ServerAddress::four(1, 0x1234).unwrap();
    let mut now = Duration::ZERO;
    let mut primary = Primary::new(
        PrimaryConfig { proposal: client, retries: 8, ..PrimaryConfig::new(ClientAddress::PUBLIC, address) },
        [0; 2048],
    );
    let mut secondary =
        Secondary::new(SecondaryConfig { limits: server, ..SecondaryConfig::new(address) }, [0; 2048]);
    let time_out = Duration::from_millis(100);
    let mut primary_deframer = Deframer::new([0; MAX_FRAME]).with_inter_octet_time_out(time_out);
    let mut secondary_deframer = Deframer::new([0; MAX_FRAME]).with_inter_octet_time_out(time_out);
    let mut up = Line { fates: up, octets: VecDeque::new() };
    let mut down = Line { fates: down, octets: VecDeque::new() };
    let mut out = [0; MAX_FRAME];
    let mut request = Vec::new();
    let mut response = Vec::new();
    let (mut sent, mut served, mut answered) = (0, 0, 0);

    primary.connect();
    for _ in 0..100_000 {
        let mut quiet = true;
        while let Some(length) = primary.poll_transmit(now, &request, &mut out).unwrap() {
            up.send(&out[..length]);
            quiet = false;
        }
        let octets: Vec<u8> = up.octets.drain(..).collect();
        for mut input in octets.chunks(piece) {
            while let Some(frame) = secondary_deframer.next(now, &mut input) {
                match secondary.handle_frame(now, &frame) {
                    Some(SecondaryEvent::Apdu(apdu)) => {
                        assert!(served < sent, "delivered more than was sent");
                        assert_eq!(apdu, message(0x11, served, lengths[served].0), "request {served}");
                        response = message(0x77, served, lengths[served].1);
                        served += 1;
                        secondary.send(response.len()).unwrap();
                    }
                    Some(SecondaryEvent::Reset(_)) if sent > 0 => panic!("nobody has reset the link"),
                    Some(SecondaryEvent::Rejected(_)) => panic!("nothing was wrong"),
                    _ => {}
                }
                while let Some(length) = secondary.poll_transmit(now, &response, &mut out).unwrap() {
                    down.send(&out[..length]);
                    quiet = false;
                }
            }
        }
        let octets: Vec<u8> = down.octets.drain(..).collect();
        for mut input in octets.chunks(piece) {
            while let Some(frame) = primary_deframer.next(now, &mut input) {
                let idle = match primary.handle_frame(now, &frame) {
                    Some(PrimaryEvent::Connected(_)) => true,
                    Some(PrimaryEvent::Apdu(apdu)) => {
                        assert_eq!(apdu, message(0x77, answered, lengths[answered].1), "response {answered}");
                        answered += 1;
                        assert_eq!(answered, served);
                        true
                    }
                    Some(PrimaryEvent::NoAnswer | PrimaryEvent::Lost(_) | PrimaryEvent::Refused) => {
                        return Outcome::Reported;
                    }
                    _ => false,
                };
                if idle {
                    let Some((length, _)) = lengths.get(sent) else { return Outcome::Completed };
                    request = message(0x11, sent, *length);
                    sent += 1;
                    primary.send(request.len()).unwrap();
                }
            }
        }
        if !quiet {
            continue;
        }
        let deadlines = [
            primary.poll_timeout(),
            secondary.poll_timeout(),
            primary_deframer.poll_timeout(),
            secondary_deframer.poll_timeout(),
        ];
        now = now.max(deadlines.into_iter().flatten().min().expect("somebody waits for something"));
        primary_deframer.handle_timeout(now);
        secondary_deframer.handle_timeout(now);
        secondary.handle_timeout(now);
        if let Some(event) = primary.handle_timeout(now) {
            assert!(matches!(event, PrimaryEvent::NoAnswer | PrimaryEvent::Lost(_)));
            return Outcome::Reported;
        }
    }
    panic!("no end: {sent} sent, {served} served, {answered} answered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn a_perfect_line_completes(
        client in parameters(),
        server in parameters(),
        lengths in proptest::collection::vec((1_usize..2000, 1_usize..2000), 1..12),
        piece in 1_usize..300,
    ) {
        let mut up = std::iter::repeat(Fate::Arrives);
        let mut down = std::iter::repeat(Fate::Arrives);
        prop_assert_eq!(run(client, server, &lengths, &mut up, &mut down, piece), Outcome::Completed);
    }

    #[test]
    fn every_message_once_and_in_order(
        client in parameters(),
        server in parameters(),
        lengths in proptest::collection::vec((1_usize..2000, 1_usize..2000), 1..8),
        up in proptest::collection::vec(fate(2), 1..60),
        down in proptest::collection::vec(fate(2), 1..60),
        piece in 1_usize..300,
    ) {
        let mut up = up.into_iter().cycle();
        let mut down = down.into_iter().cycle();
        run(client, server, &lengths, &mut up, &mut down, piece);
    }

    #[test]
    fn trouble_that_ends_is_recovered_from(
        client in parameters(),
        server in parameters(),
        lengths in proptest::collection::vec((1_usize..600, 1_usize..600), 1..6),
        up in proptest::collection::vec(fate(4), 0..4),
        down in proptest::collection::vec(fate(4), 0..4),
    ) {
        let mut up = up.into_iter().chain(std::iter::repeat(Fate::Arrives));
        let mut down = down.into_iter().chain(std::iter::repeat(Fate::Arrives));
        prop_assert_eq!(run(client, server, &lengths, &mut up, &mut down, 64), Outcome::Completed);
    }

    #[test]
    fn arbitrary_frames_never_panic(
        frames in proptest::collection::vec(
            (any::<u8>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..160), 0_u64..400), 0..40),
        own in 0_usize..40,
    ) {
        let server = ServerAddress::one(1).unwrap();
        let mut secondary = Secondary::with_queue(SecondaryConfig::new(server), [0; 200], [0; 64]);
        let mut primary = Primary::new(PrimaryConfig::new(ClientAddress::PUBLIC, server), [0; 200]);
        let apdu = vec![0; own];
        let mut out = [0; MAX_FRAME];
        let mut now = Duration::ZERO;
        primary.connect();
        for (control, segmented, information, seconds) in frames {
            now += Duration::from_secs(seconds);
            let mut frame = dlms_hdlc::Frame {
                destination: server.into(),
                source: ClientAddress::PUBLIC.into(),
                control: dlms_hdlc::Control::from_octet(control),
                segmented,
                information: &information,
            };
            secondary.handle_timeout(now);
            let request = matches!(secondary.handle_frame(now, &frame), Some(SecondaryEvent::Apdu(_)));
            let _ = secondary.queue_unconfirmed(&apdu);
            if request {
                let _ = secondary.send(apdu.len());
            }
            let mut sent = 0;
            while let Some(length) = secondary.poll_transmit(now, &apdu, &mut out).unwrap() {
                prop_assert!(dlms_hdlc::Frame::decode(&out[1..length - 1]).is_ok());
                sent += 1;
                prop_assert!(sent < 100);
            }
            (frame.destination, frame.source) = (frame.source, frame.destination);
            primary.handle_timeout(now);
            primary.handle_frame(now, &frame);
            if primary.is_idle() {
                primary.send(apdu.len()).unwrap();
            } else if !primary.is_connected() {
                primary.connect();
            }
            let mut sent = 0;
            while let Some(length) = primary.poll_transmit(now, &apdu, &mut out).unwrap() {
                prop_assert!(dlms_hdlc::Frame::decode(&out[1..length - 1]).is_ok());
                sent += 1;
                prop_assert!(sent < 100);
            }
        }
    }
}
