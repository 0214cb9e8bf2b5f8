//! What AARQ, AARE, RLRQ and RLRE have in common: their fields, by context tag.

use dlms_axdr::{BitString, BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader, ber};

use super::{ApplicationContextName, MechanismName};

/// `protocol-version`, a bit string with one bit per version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolVersion<'a>(pub BitString<'a>);

impl ProtocolVersion<'_> {
    /// Version 1, the only one there is; also what an absent field means.
    pub const VERSION_1: Self = Self(FIRST_BIT);

    /// Whether exactly version 1 is meant.
    pub fn is_version_1(&self) -> bool {
        self.0.get(0) == Some(true) && self.0.iter().skip(1).all(|bit| !bit)
    }
}

/// `sender-acse-requirements` and `responder-acse-requirements`, a bit string with one bit per functional unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcseRequirements<'a>(pub BitString<'a>);

impl AcseRequirements<'_> {
    /// The authentication functional unit, the only one there is.
    pub const AUTHENTICATION: Self = Self(FIRST_BIT);

    /// Whether the authentication functional unit is asked for.
    pub const fn authentication(&self) -> bool {
        matches!(self.0.get(0), Some(true))
    }
}

/// `07 80`: one bit, set.
const FIRST_BIT: BitString<'static> = match BitString::new(1, &[0x80]) {
    Some(bits) => bits,
    None => BitString::EMPTY,
};

/// The tag of `user-information`.
pub(super) const USER_INFORMATION: u8 = ber::explicit(30);
const IMPLEMENTATION_INFORMATION: u8 = ber::explicit(29);

/// A whole APDU of the tag `tag`, alone in `octets`.
pub(super) fn content<'a>(
    octets: &'a [u8],
    tag: u8,
    expected: &'static str,
) -> Result<Reader<'a>, DecodeError> {
    let mut reader = Reader::new(octets);
    let content = ber::read_element(&mut reader, tag, expected)?;
    reader.finish()?;
    Ok(content)
}

/// Fails if a field is left: it is unknown, comes twice, or is not in its place.
pub(super) fn finish(content: &Reader<'_>, expected: &'static str) -> Result<(), DecodeError> {
    match content.peek() {
        Some(found) => Err(content.error(DecodeErrorKind::UnknownTag { expected: expected.into(), found })),
        None => Ok(()),
    }
}

pub(super) fn read_protocol_version<'a>(
    content: &mut Reader<'a>,
) -> Result<Option<ProtocolVersion<'a>>, DecodeError> {
    read_bits(content, 0).map(|bits| bits.map(ProtocolVersion))
}

pub(super) fn read_acse_requirements<'a>(
    content: &mut Reader<'a>,
    number: u8,
) -> Result<Option<AcseRequirements<'a>>, DecodeError> {
    read_bits(content, number).map(|bits| bits.map(AcseRequirements))
}

fn read_bits<'a>(content: &mut Reader<'a>, number: u8) -> Result<Option<BitString<'a>>, DecodeError> {
    match ber::read_optional(content, ber::implicit(number))? {
        Some(mut bits) => ber::read_bits(&mut bits).map(Some),
        None => Ok(None),
    }
}

pub(super) fn read_context_name<'a>(
    content: &mut Reader<'a>,
) -> Result<ApplicationContextName<'a>, DecodeError> {
    let mut name = ber::read_element(content, ber::explicit(1), "application-context-name")?;
    let octets = ber::read_object_identifier(&mut name)?;
    name.finish()?;
    Ok(ApplicationContextName::from_object_identifier(octets))
}

pub(super) fn read_mechanism_name<'a>(
    content: &mut Reader<'a>,
    number: u8,
) -> Result<Option<MechanismName<'a>>, DecodeError> {
    let name = ber::read_optional(content, ber::implicit(number))?;
    Ok(name.map(|name| MechanismName::from_object_identifier(name.rest())))
}

/// An explicit OCTET STRING.
pub(super) fn read_octets<'a>(content: &mut Reader<'a>, number: u8) -> Result<Option<&'a [u8]>, DecodeError> {
    let Some(mut field) = ber::read_optional(content, ber::explicit(number))? else { return Ok(None) };
    let octets = ber::read_octet_string(&mut field)?;
    field.finish()?;
    Ok(Some(octets))
}

/// An explicit INTEGER.
pub(super) fn read_integer(content: &mut Reader<'_>, number: u8) -> Result<Option<i64>, DecodeError> {
    let Some(mut field) = ber::read_optional(content, ber::explicit(number))? else { return Ok(None) };
    let value = ber::read_integer(&mut field)?;
    field.finish()?;
    Ok(Some(value))
}

pub(super) fn read_implementation_information<'a>(
    content: &mut Reader<'a>,
) -> Result<Option<&'a [u8]>, DecodeError> {
    ber::read_optional(content, IMPLEMENTATION_INFORMATION).map(|field| field.map(|field| field.rest()))
}

pub(super) fn read_user_information<'a>(content: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    read_octets(content, 30)
}

pub(super) fn write_bits(
    encoder: &mut Encoder<'_>,
    number: u8,
    bits: Option<BitString<'_>>,
) -> Result<(), BufferFull> {
    bits.map_or(Ok(()), |bits| ber::write_bits(encoder, ber::implicit(number), bits))
}

pub(super) fn write_context_name(
    encoder: &mut Encoder<'_>,
    name: &ApplicationContextName<'_>,
) -> Result<(), BufferFull> {
    ber::write_element(encoder, ber::explicit(1), |encoder| {
        ber::write_element(encoder, ber::OBJECT_IDENTIFIER, |encoder| name.encode_object_identifier(encoder))
    })
}

pub(super) fn write_mechanism_name(
    encoder: &mut Encoder<'_>,
    number: u8,
    name: Option<&MechanismName<'_>>,
) -> Result<(), BufferFull> {
    let Some(name) = name else { return Ok(()) };
    ber::write_element(encoder, ber::implicit(number), |encoder| name.encode_object_identifier(encoder))
}

pub(super) fn write_octets(
    encoder: &mut Encoder<'_>,
    number: u8,
    octets: Option<&[u8]>,
) -> Result<(), BufferFull> {
    let Some(octets) = octets else { return Ok(()) };
    ber::write_element(encoder, ber::explicit(number), |encoder| {
        ber::write_octets(encoder, ber::OCTET_STRING, octets)
    })
}

pub(super) fn write_integer(
    encoder: &mut Encoder<'_>,
    number: u8,
    value: Option<i64>,
) -> Result<(), BufferFull> {
    let Some(value) = value else { return Ok(()) };
    ber::write_element(encoder, ber::explicit(number), |encoder| ber::write_integer(encoder, value))
}

pub(super) fn write_implementation_information(
    encoder: &mut Encoder<'_>,
    octets: Option<&[u8]>,
) -> Result<(), BufferFull> {
    octets.map_or(Ok(()), |octets| ber::write_octets(encoder, IMPLEMENTATION_INFORMATION, octets))
}

pub(super) fn write_user_information(
    encoder: &mut Encoder<'_>,
    octets: Option<&[u8]>,
) -> Result<(), BufferFull> {
    write_octets(encoder, 30, octets)
}
