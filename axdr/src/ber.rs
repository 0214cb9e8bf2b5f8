//! The BER that ACSE needs (ISO/IEC 8825-1): one-octet tags, definite lengths.
//!
//! ```text
//! element      = tag (1) | length | content        length as in A-XDR: 00..7F, 81 nn, 82 nn nn
//! [n] implicit = 80 + n  | length | content        [n] explicit = A0 + n | length | element
//! BIT STRING   = unused bits (1) | octets
//! Conformance  = 5F 1F | 04 | 00 | three octets    also inside A-XDR
//! ```
//!
//! A length stands before its content and is known after it: [`write_element`] writes the content first and moves it if
//! its length takes more than one octet. The element must therefore fit into one buffer, as every ACSE APDU does.

use crate::{BitString, BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader};

/// The tag of INTEGER.
pub const INTEGER: u8 = 0x02;
/// The tag of BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// The tag of OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// The tag of OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// The tag of GraphicString.
pub const GRAPHIC_STRING: u8 = 0x19;

/// The tag of `[number]` with an implicit, primitive content.
pub const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// The tag of `[number]` around another element, or around a constructed one.
pub const fn explicit(number: u8) -> u8 {
    0xA0 | number
}

/// The tag of `[APPLICATION number]` around other elements.
pub const fn application(number: u8) -> u8 {
    0x60 | number
}

/// Reads one element of any tag: the tag, and its content alone.
///
/// # Errors
/// The length is not definite, or runs past the end.
pub fn read_any<'a>(reader: &mut Reader<'a>) -> Result<(u8, Reader<'a>), DecodeError> {
    let tag = reader.u8()?;
    let length = reader.length()?;
    Ok((tag, reader.sub(length)?))
}

/// Reads the element `tag`; `expected` names it in the error.
///
/// # Errors
/// As [`read_any`], or the next element has another tag.
pub fn read_element<'a>(
    reader: &mut Reader<'a>,
    tag: u8,
    expected: &'static str,
) -> Result<Reader<'a>, DecodeError> {
    match reader.peek() {
        Some(found) if found != tag => {
            Err(reader.error(DecodeErrorKind::UnknownTag { expected: expected.into(), found }))
        }
        _ => read_any(reader).map(|(_, content)| content),
    }
}

/// Reads the element `tag` if it is the next one.
///
/// # Errors
/// As [`read_any`].
pub fn read_optional<'a>(reader: &mut Reader<'a>, tag: u8) -> Result<Option<Reader<'a>>, DecodeError> {
    if reader.peek() == Some(tag) { read_any(reader).map(|(_, content)| Some(content)) } else { Ok(None) }
}

/// Reads an INTEGER of up to eight octets.
///
/// # Errors
/// As [`read_element`], or it is empty or longer.
pub fn read_integer(reader: &mut Reader<'_>) -> Result<i64, DecodeError> {
    let content = read_element(reader, INTEGER, "INTEGER")?;
    let octets = content.rest();
    match octets.first() {
        Some(&first) if octets.len() <= 8 => {
            let sign = if first & 0x80 == 0 { 0 } else { -1 };
            Ok(octets.iter().fold(sign, |value, &octet| value << 8 | i64::from(octet)))
        }
        _ => Err(content.error(DecodeErrorKind::InvalidValue("INTEGER".into()))),
    }
}

/// Reads an OCTET STRING.
///
/// # Errors
/// As [`read_element`].
pub fn read_octet_string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    read_element(reader, OCTET_STRING, "OCTET STRING").map(|content| content.rest())
}

/// Reads an OBJECT IDENTIFIER, in its octets.
///
/// # Errors
/// As [`read_element`].
pub fn read_object_identifier<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    read_element(reader, OBJECT_IDENTIFIER, "OBJECT IDENTIFIER").map(|content| content.rest())
}

/// Reads the content of a BIT STRING, all that is left in `content`.
///
/// # Errors
/// There is no octet of unused bits, or it says more bits than there are.
pub fn read_bits<'a>(content: &mut Reader<'a>) -> Result<BitString<'a>, DecodeError> {
    BitString::decode_ber(content)
}

/// Reads the 24 bits of a Conformance. Old peers write the tag in one octet, `5F`.
///
/// # Errors
/// The tag or the length is another one.
pub fn read_conformance(reader: &mut Reader<'_>) -> Result<[u8; 3], DecodeError> {
    let start = reader.clone();
    let tag = reader.u8()?;
    if tag != CONFORMANCE[0] {
        return Err(start.error(DecodeErrorKind::UnknownTag { expected: "Conformance".into(), found: tag }));
    }
    if reader.peek() == Some(CONFORMANCE[1]) {
        reader.u8()?;
    }
    let invalid = reader.error(DecodeErrorKind::InvalidValue("Conformance".into()));
    let [length, unused, a, b, c] = reader.array()?;
    if [length, unused] == [4, 0] { Ok([a, b, c]) } else { Err(invalid) }
}

/// Writes an element around what `content` writes.
///
/// # Errors
/// The buffer has no room left.
pub fn write_element(
    encoder: &mut Encoder<'_>,
    tag: u8,
    content: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
) -> Result<(), BufferFull> {
    encoder.octets(&[tag, 0])?;
    let start = encoder.len();
    content(encoder)?;
    insert_length(encoder, start)
}

/// Puts the length of what begins at `start` in place of the octet before it.
#[inline(never)]
fn insert_length(encoder: &mut Encoder<'_>, start: usize) -> Result<(), BufferFull> {
    let length = encoder.len().saturating_sub(start);
    let mut octets = [0; 5];
    let mut head = Encoder::new(&mut octets);
    head.length(length)?;
    let head = head.written();
    // The first octet of the length has its place already.
    let (_, more) = head.split_first().ok_or(BufferFull)?;
    encoder.octets(more)?;
    let written =
        start.checked_sub(1).and_then(|at| encoder.written_mut().get_mut(at..)).ok_or(BufferFull)?;
    let moved = written.len().checked_sub(more.len()).ok_or(BufferFull)?;
    written.copy_within(..moved, more.len());
    written.get_mut(..head.len()).ok_or(BufferFull)?.copy_from_slice(head);
    Ok(())
}

/// Writes an element with the content `octets`.
///
/// # Errors
/// The buffer has no room left.
pub fn write_octets(encoder: &mut Encoder<'_>, tag: u8, octets: &[u8]) -> Result<(), BufferFull> {
    encoder.u8(tag)?;
    encoder.octet_string(octets)
}

/// Writes an INTEGER in as few octets as it takes.
///
/// # Errors
/// The buffer has no room left.
pub fn write_integer(encoder: &mut Encoder<'_>, value: i64) -> Result<(), BufferFull> {
    let octets = value.to_be_bytes();
    let redundant = |&at: &usize| matches!((octets[at], octets[at + 1]), (0, ..0x80) | (0xFF, 0x80..));
    let skipped = (0..7).take_while(redundant).count();
    write_octets(encoder, INTEGER, &octets[skipped..])
}

/// Writes a BIT STRING under the tag `tag`.
///
/// # Errors
/// The buffer has no room left.
pub fn write_bits(encoder: &mut Encoder<'_>, tag: u8, bits: BitString<'_>) -> Result<(), BufferFull> {
    encoder.u8(tag)?;
    encoder.length(bits.octets().len().saturating_add(1))?;
    encoder.u8(bits.unused())?;
    encoder.octets(bits.octets())
}

/// Writes the 24 bits of a Conformance.
///
/// # Errors
/// The buffer has no room left.
pub fn write_conformance(encoder: &mut Encoder<'_>, bits: [u8; 3]) -> Result<(), BufferFull> {
    encoder.octets(&CONFORMANCE)?;
    encoder.octets(&[4, 0])?;
    encoder.octets(&bits)
}

/// `[APPLICATION 31]`, in the form of tags above 30.
const CONFORMANCE: [u8; 2] = [0x5F, 0x1F];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(write: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>) -> Vec<u8> {
        let mut buffer = [0; 400];
        let mut encoder = Encoder::new(&mut buffer);
        write(&mut encoder).unwrap();
        encoder.written().to_vec()
    }

    #[test]
    fn an_aarq() {
        const CONTEXT: [u8; 7] = [0x60, 0x85, 0x74, 5, 8, 1, 1];
        let octets = written(|encoder| {
            write_element(encoder, application(0), |encoder| {
                write_bits(encoder, implicit(0), BitString::new(1, &[0x80]).unwrap())?;
                write_element(encoder, explicit(1), |encoder| {
                    write_octets(encoder, OBJECT_IDENTIFIER, &CONTEXT)
                })?;
                write_element(encoder, explicit(9), |encoder| write_integer(encoder, 5))
            })
        });
        let expected =
            [0x60, 20, 0x80, 2, 7, 0x80, 0xA1, 9, 6, 7, 0x60, 0x85, 0x74, 5, 8, 1, 1, 0xA9, 3, 2, 1, 5];
        assert_eq!(octets, expected);

        let mut aarq = read_element(&mut Reader::new(&octets), application(0), "AARQ").unwrap();
        let mut version = read_optional(&mut aarq, implicit(0)).unwrap().unwrap();
        assert_eq!(read_bits(&mut version).unwrap().to_string(), "1");
        let mut context = read_element(&mut aarq, explicit(1), "application-context-name").unwrap();
        assert_eq!(read_object_identifier(&mut context).unwrap(), CONTEXT);
        assert!(read_optional(&mut aarq, explicit(2)).unwrap().is_none());
        let error = read_element(&mut aarq.clone(), explicit(3), "result").unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (17, DecodeErrorKind::UnknownTag { expected: "result".into(), found: 0xA9 })
        );
        assert_eq!(read_integer(&mut read_any(&mut aarq).unwrap().1).unwrap(), 5);
        aarq.finish().unwrap();
    }

    #[test]
    fn long_content_moves_behind_its_length() {
        for (length, head) in
            [(127, &[0xBE, 0x7F][..]), (128, &[0xBE, 0x81, 0x80]), (256, &[0xBE, 0x82, 1, 0])]
        {
            let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let octets = written(|encoder| write_element(encoder, 0xBE, |encoder| encoder.octets(&content)));
            assert_eq!(octets, [head, &content].concat());
            let mut short = vec![0; octets.len() - 1];
            assert!(
                write_element(&mut Encoder::new(&mut short), 0xBE, |encoder| encoder.octets(&content))
                    .is_err()
            );
        }
    }

    #[test]
    fn integers() {
        for (value, octets) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 0x7F]),
            (128, &[2, 2, 0, 0x80]),
            (-1, &[2, 1, 0xFF]),
            (-129, &[2, 2, 0xFF, 0x7F]),
            (i64::MIN, &[2, 8, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(written(|encoder| write_integer(encoder, value)), octets);
            assert_eq!(read_integer(&mut Reader::new(octets)), Ok(value));
        }
        assert!(read_integer(&mut Reader::new(&[2, 0])).is_err());
        assert!(read_integer(&mut Reader::new(&[2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1])).is_err());
    }

    #[test]
    fn conformance_under_both_tags() {
        let octets = written(|encoder| write_conformance(encoder, [0, 0x7E, 0x1F]));
        assert_eq!(octets, [0x5F, 0x1F, 4, 0, 0, 0x7E, 0x1F]);
        assert_eq!(read_conformance(&mut Reader::new(&octets)), Ok([0, 0x7E, 0x1F]));
        assert_eq!(
            read_conformance(&mut Reader::new(&[0x5F, 4, 0, 0x18, 0x1A, 0x20])),
            Ok([0x18, 0x1A, 0x20])
        );
        assert!(read_conformance(&mut Reader::new(&[0x5F, 0x1F, 3, 0, 1, 2, 3])).is_err());
        assert!(read_conformance(&mut Reader::new(&[0x5F, 0x1F, 4, 0, 1, 2])).is_err());
        assert!(read_conformance(&mut Reader::new(&[0x04])).is_err());
    }

    #[test]
    fn bit_strings() {
        for malformed in [&[][..], &[1], &[8, 0]] {
            assert!(read_bits(&mut Reader::new(malformed)).is_err());
        }
        assert!(read_bits(&mut Reader::new(&[0])).unwrap().is_empty());
    }
}
