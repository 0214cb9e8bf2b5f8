//! What goes over the wire when an association does not come about on an HDLC link: the meter is told with a DISC that the
//! link ends, or it answers the next client with DM.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use dlms_hdlc::{ClientAddress, Control, Deframer, Frame, MAX_FRAME, PrimaryConfig, ServerAddress};
use dlms_tokio::{Client, ClientOptions, Endpoint, Error, ErrorKind, Framing};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// DISC with P = 1, of the client 16 to the logical device 1.
const DISC: &str = "7EA00703215303C77E";
/// UA with F = 1.
const UA: u8 = 0x73;
/// I frame number 0 with F = 1; the client's number 0 has arrived.
const I: u8 = 0x30;
/// RR with F = 1; the client's number 0 has arrived.
const RR: u8 = 0x31;
/// An AARE: rejected-permanent, no reason given, after the LLC header.
const REJECTED: &str = "E6E700 6117 A109060760857405080101 A203020101 A305A103020101";
/// An AARE that ends before its length.
const CUT_SHORT: &str = "E6E700 6117 A109";

/// What a meter does with the I frame that the AARQ is in.
#[derive(Clone, Copy)]
enum Meter {
    Answers(&'static str),
    /// It acknowledges the frame, and every poll after it.
    HasNoAnswer,
    IsSilent,
    /// It refuses, and is gone.
    RefusesAndLeaves,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut octets = vec![0; MAX_FRAME];
    let length = frame.encode(&mut octets).unwrap();
    octets.truncate(length);
    octets
}

impl Meter {
    /// Control field and information of what is answered.
    fn reply(self, control: Control) -> Option<(u8, Vec<u8>)> {
        match (control, self) {
            (Control::Disconnect { .. }, Self::RefusesAndLeaves) => None,
            (Control::SetNormalResponseMode { .. } | Control::Disconnect { .. }, _) => Some((UA, Vec::new())),
            (Control::Information { .. }, Self::Answers(information)) => Some((I, unhex(information))),
            (Control::Information { .. }, Self::RefusesAndLeaves) => Some((I, unhex(REJECTED))),
            (_, Self::HasNoAnswer) => Some((RR, Vec::new())),
            _ => None,
        }
    }

    /// Serves one connection to its end; the frames that came.
    async fn serve(self, listener: TcpListener) -> Vec<Vec<u8>> {
        let (mut line, _) = listener.accept().await.unwrap();
        let mut deframer = Deframer::new([0; MAX_FRAME]);
        let mut octets = [0; 512];
        let mut frames = Vec::new();
        loop {
            let length = line.read(&mut octets).await.unwrap_or(0);
            if length == 0 {
                return frames;
            }
            let mut input = &octets[..length];
            while let Some(frame) = deframer.next(Duration::ZERO, &mut input) {
                frames.push(encoded(&frame));
                let Some((control, information)) = self.reply(frame.control) else { continue };
                let (destination, source) = (frame.source, frame.destination);
                let control = Control::from_octet(control);
                let reply =
                    Frame { destination, source, control, segmented: false, information: &information };
                line.write_all(&encoded(&reply)).await.unwrap();
            }
        }
    }
}

/// The error that a client sees, what it sent, and how long both took.
async fn refused(meter: Meter, response_time_out: Duration) -> (Error, Vec<Vec<u8>>, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap().to_string());
    let serving = tokio::spawn(meter.serve(listener));
    let link = PrimaryConfig {
        response_time_out,
        retries: 0,
        ..PrimaryConfig::new(ClientAddress::PUBLIC, ServerAddress::one(1).unwrap())
    };
    let mut options = ClientOptions::new(endpoint, Framing::Hdlc(link));
    options.association.response_timeout = Duration::from_millis(100);
    options.retries = 0;
    let begin = Instant::now();
    let error = Client::connect(options).await.err().unwrap();
    let elapsed = begin.elapsed();
    (error, serving.await.unwrap(), elapsed)
}

#[tokio::test]
async fn a_refused_client_says_that_the_link_ends() {
    let (error, frames, elapsed) = refused(Meter::Answers(REJECTED), Duration::from_secs(5)).await;
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(frames.len(), 3, "SNRM, AARQ, DISC: {frames:02X?}");
    assert_eq!(frames[2], unhex(DISC));
    assert!(elapsed < Duration::from_secs(1), "nothing is waited for: {elapsed:?}");
}

#[tokio::test]
async fn so_does_one_whose_meter_makes_no_sense() {
    let (error, frames, _) = refused(Meter::Answers(CUT_SHORT), Duration::from_secs(5)).await;
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    assert_eq!(*frames.last().unwrap(), unhex(DISC));
}

#[tokio::test]
async fn so_does_one_that_is_not_answered() {
    for meter in [Meter::HasNoAnswer, Meter::IsSilent] {
        let (error, frames, _) = refused(meter, Duration::from_millis(100)).await;
        assert_eq!(error.kind(), ErrorKind::Link, "{error}");
        assert_eq!(*frames.last().unwrap(), unhex(DISC));
    }
}

#[tokio::test]
async fn nobody_waits_long_for_a_farewell() {
    let (error, frames, elapsed) = refused(Meter::RefusesAndLeaves, Duration::from_secs(30)).await;
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(*frames.last().unwrap(), unhex(DISC));
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}
