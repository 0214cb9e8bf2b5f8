//! Frames of published captures and worked examples, read and written again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::vectors::{FRAMES, HEADERS};
use common::{bodies, hex};
use core::time::Duration;
use dlms_hdlc::{Crc, Deframer, Frame, FrameReject, Listener, MAX_FRAME, Parameters};

/// The octets of all frames in `octets`, found by hand through the length fields.
fn cut(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = octets;
    while let Some(start) = rest.iter().position(|octet| *octet != 0x7E) {
        rest = &rest[start..];
        let length = usize::from(rest[0] & 7) << 8 | usize::from(rest[1]);
        frames.push(rest[..length].to_vec());
        assert_eq!(rest[length], 0x7E);
        rest = &rest[length..];
    }
    frames
}

#[test]
fn every_frame_reads_and_writes_back() {
    assert_eq!(FRAMES.len(), 79);
    for (meaning, source, octets) in FRAMES {
        let octets = hex(octets);
        let expected = cut(&octets);
        assert!(!expected.is_empty());
        for pieces in [1, 2, 7, octets.len()] {
            assert_eq!(bodies(&octets, pieces), expected, "{meaning} ({source}) in pieces of {pieces}");
        }
        for body in &expected {
            let frame = Frame::decode(body).unwrap_or_else(|error| panic!("{meaning}: {error}"));
            assert_eq!(&common::body(&frame), body, "{meaning}");
        }
    }
}

#[test]
fn meanings_match_the_control_field() {
    for (meaning, _, octets) in FRAMES {
        let body = &cut(&hex(octets))[0];
        let frame = Frame::decode(body).unwrap();
        let name = frame.control.name();
        let said = ["SNRM", "DISC", "FRMR", "DM", "UA", "RNR", "RR", "I("].iter().find(|name| {
            meaning
                .split([' ', ':', ',', ';'])
                .any(|word| word == **name || name.ends_with('(') && word.starts_with(**name))
        });
        match said {
            Some(&"I(") => assert_eq!(name, "I", "{meaning}"),
            Some(said) if !meaning.contains("client sends") && !meaning.contains("I(") => {
                assert_eq!(name, *said, "{meaning}");
            }
            _ => {}
        }
        if meaning.contains("S=1") {
            assert!(frame.segmented, "{meaning}");
        }
        if meaning.contains("S=0") {
            assert!(!frame.segmented, "{meaning}");
        }
    }
}

#[test]
fn headers_check() {
    for (meaning, _, octets) in HEADERS {
        let octets = hex(octets);
        let (header, check) = octets.split_at(octets.len() - 2);
        assert_eq!(Crc::of(header).to_le_bytes(), check, "{meaning}");
        let length = usize::from(octets[0] & 7) << 8 | usize::from(octets[1]);
        let mut stream = vec![0x7E];
        stream.extend(&octets);
        stream.resize(length + 1, 0);
        stream.push(0x7E);
        let mut deframer = Deframer::new([0; MAX_FRAME]);
        assert_eq!(deframer.next(Duration::ZERO, &mut &stream[..]), None);
        let statistics = deframer.statistics();
        assert_eq!((statistics.header_checks, statistics.frame_checks), (0, 1), "{meaning}");
    }
}

#[test]
fn parameters_of_real_meters() {
    let expected = [
        ("SNRM carrying only 08", (128, 128, 1, 7)),
        ("UA carrying only 06", (128, 64, 7, 1)),
        ("SNRM, all defaults, 1", (128, 128, 1, 1)),
        ("SNRM, all defaults, 2", (128, 128, 1, 1)),
        ("SNRM, 2030", (2030, 2030, 7, 7)),
        ("UA 05=256", (256, 64, 3, 1)),
        ("SNRM without", (128, 128, 1, 1)),
        ("UA without", (128, 128, 1, 1)),
        ("SNRM, 4-octet address, window", (128, 128, 1, 7)),
        ("UA Landis", (128, 62, 1, 1)),
        ("UA Kamstrup", (116, 116, 1, 1)),
        ("UA Iskra", (126, 126, 1, 1)),
        ("UA, 4-octet source", (128, 128, 1, 1)),
        ("s: UA, all parameters", (128, 128, 1, 1)),
    ];
    for (start, (transmit, receive, window_transmit, window_receive)) in expected {
        let (_, _, octets) = FRAMES.iter().find(|(meaning, ..)| meaning.starts_with(start)).unwrap();
        let body = &cut(&hex(octets))[0];
        let parameters = Parameters::decode(Frame::decode(body).unwrap().information).unwrap();
        let expected = Parameters {
            max_information_transmit: transmit,
            max_information_receive: receive,
            window_transmit,
            window_receive,
        };
        assert_eq!(parameters, expected, "{start}");
    }
}

#[test]
fn frame_reject_of_the_worked_examples() {
    let (_, _, octets) = FRAMES.iter().find(|(meaning, ..)| *meaning == "FRMR, Z").unwrap();
    let body = &cut(&hex(octets))[0];
    let reject = FrameReject::decode(Frame::decode(body).unwrap().information).unwrap();
    assert_eq!((reject.rejected().octet(), reject.reasons()), (0x31, FrameReject::INVALID_SEQUENCE));
}

#[test]
fn an_information_frame_used_as_push() {
    let (_, _, octets) = FRAMES.iter().find(|(meaning, ..)| meaning.starts_with("Kaifa Norway")).unwrap();
    let body = &cut(&hex(octets))[0];
    let mut listener = Listener::new([0; 0]);
    let push = listener.handle_frame(Duration::ZERO, &Frame::decode(body).unwrap()).unwrap();
    assert_eq!(push.apdu[0], 0x0F);
    assert_eq!(push.destination.upper(), 0);
}
