//! A TCP stream of WPDUs: whatever the octets and however they are cut, the deframer gives the same WPDUs.
//!
//! The first octet is the size of the pieces, the second whether to resynchronise; the rest is the stream.
#![no_main]

use std::time::Duration;

use dlms_wrapper::{Deframer, Recovery, WPort, WrapperError};
use libfuzzer_sys::fuzz_target;

type Found = (Vec<(WPort, WPort, Vec<u8>)>, Result<(), WrapperError>);

fn found(stream: &[u8], piece: usize, recovery: Recovery) -> Found {
    let mut deframer = Deframer::new([0; 300]).with_recovery(recovery);
    let mut found = Vec::new();
    for mut input in stream.chunks(piece) {
        while !input.is_empty() {
            let received = match deframer.receive(input, Duration::ZERO) {
                Ok(received) => received,
                Err(error) => return (found, Err(error)),
            };
            input = &input[received.consumed..];
            found.extend(received.wpdu.map(|wpdu| (wpdu.source, wpdu.destination, wpdu.apdu.to_vec())));
        }
    }
    (found, deframer.finish())
}

fuzz_target!(|data: &[u8]| {
    let [piece, resynchronise, stream @ ..] = data else { return };
    let recovery = match resynchronise & 1 {
        0 => Recovery::Close,
        _ => Recovery::Resynchronise { source: WPort(1), destination: WPort(1) },
    };
    let whole = found(stream, stream.len().max(1), recovery);
    assert_eq!(found(stream, usize::from(*piece).max(1), recovery), whole);
});
