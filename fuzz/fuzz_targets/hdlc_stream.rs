//! Arbitrary octets, in arbitrary pieces and at arbitrary times, to a server and a client; what a whole stream yields
//! must not depend on how it was cut.
#![no_main]

use core::time::Duration;

use dlms_hdlc::{
    ClientAddress, Deframer, Frame, Listener, MAX_FRAME, Primary, PrimaryConfig, Secondary, SecondaryConfig,
    SecondaryEvent, ServerAddress,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&[cut, pause], octets)) = data.split_first_chunk() else { return };
    let Ok(server) = ServerAddress::one(1) else { return };

    let mut deframer = Deframer::new([0; MAX_FRAME]);
    let mut whole = 0_u32;
    let mut input = octets;
    while deframer.next(Duration::ZERO, &mut input).is_some() {
        whole += 1;
    }

    let mut secondary = Secondary::with_queue(SecondaryConfig::new(server), [0; 512], [0; 128]);
    let mut primary = Primary::new(PrimaryConfig::new(ClientAddress::PUBLIC, server), [0; 512]);
    let mut listener = Listener::new([0; 512]);
    let mut deframer = Deframer::new([0; MAX_FRAME]);
    let mut out = [0; MAX_FRAME];
    let apdu = [0x55; 300];
    let mut now = Duration::ZERO;
    let mut split = 0_u32;
    primary.connect();
    for mut input in octets.chunks(usize::from(cut).max(1)) {
        while let Some(frame) = deframer.next(now, &mut input) {
            split += 1;
            let length = frame.encode(&mut out).expect("a frame that was read can be written");
            assert_eq!(Frame::decode(&out[1..length - 1]), Ok(frame));
            listener.handle_frame(now, &frame);

            if let Some(SecondaryEvent::Apdu(_)) = secondary.handle_frame(now, &frame) {
                let _ = secondary.send(apdu.len());
                let _ = secondary.queue_unconfirmed(&apdu[..20]);
            }
            let mut sent = 0;
            while let Ok(Some(length)) = secondary.poll_transmit(now, &apdu, &mut out) {
                assert!(Frame::decode(&out[1..length - 1]).is_ok());
                sent += 1;
                assert!(sent < 32, "the server gives the right to speak back");
            }
            secondary.handle_timeout(now);

            // The same frame as an answer.
            let answer = Frame { destination: frame.source, source: frame.destination, ..frame };
            primary.handle_frame(now, &answer);
            primary.handle_timeout(now);
            if primary.is_idle() {
                let _ = primary.send(apdu.len());
            } else if !primary.is_connected() {
                primary.connect();
            }
            let mut sent = 0;
            while let Ok(Some(length)) = primary.poll_transmit(now, &apdu, &mut out) {
                assert!(Frame::decode(&out[1..length - 1]).is_ok());
                sent += 1;
                assert!(sent < 32, "the client passes the right to speak on");
            }
        }
        now += Duration::from_millis(u64::from(pause));
    }
    assert_eq!(split, whole);
});
