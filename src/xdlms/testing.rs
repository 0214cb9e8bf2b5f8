//! What the tests of all APDUs share.

use dlms_axdr::{DecodeError, Reader};
use proptest::prelude::*;

/// The octets of a hexadecimal text.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// One APDU that takes all of `octets`.
pub(crate) fn decode<'a, T>(
    octets: &'a [u8],
    decode: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(octets);
    let value = decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// The octets, however malformed, give a value or an error within them.
pub(crate) fn never_panics<'a, T>(
    octets: &'a [u8],
    decode: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) {
    if let Err(error) = self::decode(octets, decode) {
        assert!(error.offset <= octets.len());
    }
}

/// Arbitrary octets, and good ones that were cut or changed.
pub(crate) fn mutated(good: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let changed =
        (prop::sample::select(good), any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>())
            .prop_map(|(text, at, octet, cut)| {
                let mut octets = hex(text);
                let at = at.index(octets.len());
                octets[at] = octet;
                if octet & 1 == 0 {
                    octets.truncate(cut.index(octets.len() + 1));
                }
                octets
            });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..64), changed]
}

/// The octets mean `expected`, and `expected` encodes to the octets.
macro_rules! round_trip {
    ($type:ident, $hex:expr, $expected:expr) => {{
        let octets = $crate::xdlms::testing::hex($hex);
        // A match, not a let: what the expression borrows lives to its end.
        match $expected {
            expected => {
                let decoded = $crate::xdlms::testing::decode(&octets, $type::decode);
                assert_eq!(decoded.as_ref(), Ok(&expected), "decoding {}", $hex);
                for value in [&expected, &decoded.unwrap()] {
                    let mut buffer = [0; 512];
                    let mut encoder = dlms_axdr::Encoder::new(&mut buffer);
                    value.encode(&mut encoder).unwrap();
                    assert_eq!(encoder.written(), octets, "encoding {}", $hex);
                }
                for cut in 0..octets.len() {
                    let cut_short = $crate::xdlms::testing::decode(&octets[..cut], $type::decode);
                    assert!(cut_short.is_err(), "{} cut at {cut}", $hex);
                }
            }
        }
    }};
}
pub(crate) use round_trip;

/// The value as Data.
pub(crate) fn data(value: &(impl dlms_axdr::Encode + ?Sized)) -> Vec<u8> {
    let mut buffer = [0; 256];
    let mut encoder = dlms_axdr::Encoder::new(&mut buffer);
    #[allow(clippy::unwrap_used)]
    value.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}
