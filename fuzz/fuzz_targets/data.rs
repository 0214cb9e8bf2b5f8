//! Octets as A-XDR data, by every reader: none panics, errors point inside, and what decodes is written and read again
//! as the same value.
#![no_main]

use dlms_axdr::{Data, OwnedData, Reader, Rows, Table, Tokens};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    match Data::from_octets(octets) {
        Ok(data) => {
            let owned = data.to_owned();
            let again = OwnedData::from_octets(&owned.to_octets()).expect("what was written is read");
            // As text, so that a NaN equals itself.
            assert_eq!(again.to_string(), data.to_string());
        }
        Err(error) => assert!(error.offset <= octets.len()),
    }
    for token in Tokens::new(Reader::new(octets)) {
        if let Err(error) = token {
            assert!(error.offset <= octets.len());
        }
    }
    if let Err(error) = Rows::from_octets(octets).and_then(Rows::finish) {
        assert!(error.offset <= octets.len());
    }
    if let Err(error) = Table::from_octets(octets) {
        assert!(error.offset <= octets.len());
    }
});
