//! Arbitrary octets as an APDU: what is accepted can be written and read again.
#![no_main]

use dlms::xdlms::Apdu;
use dlms_axdr::Encoder;
use libfuzzer_sys::fuzz_target;

fn encoded(apdu: &Apdu<'_>, room: usize) -> Vec<u8> {
    let mut buffer = vec![0; room];
    let mut encoder = Encoder::new(&mut buffer);
    apdu.encode(&mut encoder).expect("hardly longer than what was read");
    encoder.written().to_vec()
}

fuzz_target!(|octets: &[u8]| {
    match Apdu::from_octets(octets) {
        Ok(apdu) => {
            let room = octets.len() + 64;
            let written = encoded(&apdu, room);
            let again = Apdu::from_octets(&written).expect("what was written can be read");
            assert_eq!(encoded(&again, room), written);
        }
        Err(error) => assert!(error.offset <= octets.len()),
    }
});
