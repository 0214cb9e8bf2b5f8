//! Arbitrary octets as AARQ, AARE, RLRQ and RLRE: what is accepted can be written and read again.
//!
//! The first octet chooses the APDU, so that no time goes into other tags.
#![no_main]

use dlms::acse::{self, Aare};
use dlms::xdlms::Apdu;
use dlms_axdr::Encoder;
use libfuzzer_sys::fuzz_target;

const TAGS: [u8; 4] = [acse::AARQ, acse::AARE, acse::RLRQ, acse::RLRE];

fuzz_target!(|input: &[u8]| {
    let Some((choice, content)) = input.split_first() else { return };
    let octets = [&[TAGS[usize::from(choice % 4)]], content].concat();
    let _ = Aare::from_octets_lenient(&octets);
    match Apdu::from_octets(&octets) {
        Ok(apdu) => {
            let mut buffer = vec![0; octets.len() + 64];
            let mut encoder = Encoder::new(&mut buffer);
            apdu.encode(&mut encoder).expect("hardly longer than what was read");
            assert_eq!(Apdu::from_octets(encoder.written()), Ok(apdu));
        }
        Err(error) => assert!(error.offset <= octets.len()),
    }
});
