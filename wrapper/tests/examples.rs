//! Published and computed WPDUs (IEC 62056-47; those marked YB from traces in the DLMS UA Yellow Book), whole, as one
//! stream, and cut at every place.
#![allow(clippy::unwrap_used, missing_docs)]

use core::time::Duration;

use dlms_wrapper::{Deframer, HEADER_LENGTH, WPort, Wpdu};

const CLIENT: WPort = WPort::PUBLIC_CLIENT;
const SERVER: WPort = WPort::MANAGEMENT;

/// Source, destination, octets.
const EXAMPLES: [(WPort, WPort, &str); 7] = [
    // AARQ
    (CLIENT, SERVER, "00010010000100 1F601DA109060760857405080101BE10040E01000000065F1F040000301DFFFF"),
    // AARE
    (
        SERVER,
        CLIENT,
        "000100010010002B6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000301D19000007",
    ),
    // GET before the association (YB)
    (CLIENT, SERVER, "000100100001000DC001C1000F0000280000FF0100"),
    // exception-response to it (YB)
    (SERVER, CLIENT, "0001000100100003D80101"),
    // GET response (YB)
    (SERVER, CLIENT, "000100010010000CC401C10009060000280000FF"),
    // RLRQ (YB)
    (CLIENT, SERVER, "00010010000100056203800100"),
    // RLRE (YB)
    (SERVER, CLIENT, "00010001001000056303800100"),
];

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn each_is_read_and_written_again() {
    for (source, destination, hex) in EXAMPLES {
        let octets = octets(hex);
        let wpdu = Wpdu::decode_datagram(&octets).unwrap();
        assert_eq!(wpdu, Wpdu { source, destination, apdu: &octets[HEADER_LENGTH..] });
        let mut written = [0; 128];
        let length = wpdu.encode(&mut written).unwrap();
        assert_eq!(&written[..length], octets);
    }
}

#[test]
fn all_in_one_stream_cut_at_every_place() {
    let stream: Vec<u8> = EXAMPLES.iter().flat_map(|(.., hex)| octets(hex)).collect();
    for cut in 0..=stream.len() {
        let mut deframer = Deframer::new([0; 64]);
        let mut found = 0;
        for mut input in [&stream[..cut], &stream[cut..]] {
            while !input.is_empty() {
                let received = deframer.receive(input, Duration::ZERO).unwrap();
                input = &input[received.consumed..];
                if let Some(wpdu) = received.wpdu {
                    let (source, destination, hex) = EXAMPLES[found];
                    assert_eq!(wpdu, Wpdu { source, destination, apdu: &octets(hex)[HEADER_LENGTH..] });
                    found += 1;
                }
            }
        }
        assert_eq!(found, EXAMPLES.len(), "cut at {cut}");
        assert_eq!(deframer.finish(), Ok(()));
    }
}

/// A WPDU of 992 octets in TCP segments of 476, 302 and 222 octets, header included in the sum of 1000 (IEC 62056-47).
#[test]
fn the_segments_of_the_standard() {
    let apdu: Vec<u8> = (0..992u16).map(|index| index.to_be_bytes()[1]).collect();
    let mut stream = [0; 1000];
    Wpdu { source: CLIENT, destination: SERVER, apdu: &apdu }.encode(&mut stream).unwrap();
    let mut deframer = Deframer::new(vec![0; 1024]);
    for segment in [&stream[..476], &stream[476..778]] {
        let received = deframer.receive(segment, Duration::ZERO).unwrap();
        assert_eq!((received.consumed, received.wpdu), (segment.len(), None));
    }
    let received = deframer.receive(&stream[778..], Duration::ZERO).unwrap();
    assert_eq!(received.wpdu.unwrap().apdu, apdu);
}
