//! Distinguished names, and the system title in one.

use core::{fmt, iter, str};

use der::asn1::ObjectIdentifier;
use der::{Decode as _, Header, Reader as _, SliceReader, Tag};

use super::read::{Reader, Result, element, is_next, offset, offset_in, read, within};
use super::{CertificateError, CertificateFault};
use crate::SystemTitle;

/// id-at-commonName.
pub(super) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The types of attribute that have a short name.
const SHORT_NAMES: [(ObjectIdentifier, &str); 8] = [
    (COMMON_NAME, "CN"),
    (ObjectIdentifier::new_unwrap("2.5.4.5"), "serialNumber"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST"),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O"),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
];

/// A distinguished name, compared as DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<'a>(&'a [u8]);

/// One attribute of a name.
struct Attribute<'a> {
    kind: ObjectIdentifier,
    tag: Tag,
    value: &'a [u8],
}

impl<'a> Name<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        within(&mut reader.clone(), Tag::Sequence, |reader| {
            while !reader.is_finished() {
                within(reader, Tag::Set, |reader| {
                    let start = offset(reader);
                    while !reader.is_finished() {
                        within(reader, Tag::Sequence, |reader| {
                            read::<ObjectIdentifier>(reader, CertificateFault::Malformed)?;
                            element(reader)
                        })?;
                    }
                    if offset(reader) == start { Err(CertificateFault::Malformed.at(start)) } else { Ok(()) }
                })?;
            }
            Ok(())
        })?;
        element(reader).map(Self)
    }

    /// The DER of the name.
    pub const fn der(&self) -> &'a [u8] {
        self.0
    }

    /// Whether it has no attribute.
    pub fn is_empty(&self) -> bool {
        self.attributes().next().is_none()
    }

    /// The first common name, if it is text.
    pub fn common_name(&self) -> Option<&'a str> {
        self.attributes().find(|attribute| attribute.kind == COMMON_NAME)?.text()
    }

    /// The system title that the common name is: 16 hexadecimal digits, upper or lower case.
    ///
    /// # Errors
    /// [`CertificateFault::Subject`] if there are several common names: they could name different parties.
    pub(super) fn title(&self, whole: &[u8]) -> Result<Option<SystemTitle>, CertificateError> {
        let mut names = self.attributes().filter(|attribute| attribute.kind == COMMON_NAME);
        let first = names.next();
        if names.next().is_some() {
            return Err(CertificateFault::Subject.at(offset_in(whole, self.0)));
        }
        Ok(first.and_then(|name| name.text()).and_then(title_of_digits))
    }

    /// Whether `text` is this name as people write it: `CN=Root, O=Utility`, in either order, with `,`, `;` or `+`
    /// between the attributes. Values are compared to the letter.
    pub fn matches_text(&self, text: &str) -> bool {
        let mut attributes = self.attributes();
        let is_in_order = parts(text)
            .all(|part| attributes.next().is_some_and(|attribute| attribute.is_written(part)))
            && attributes.next().is_none();
        let mut left = self.attributes().fold(0usize, |count, _| count.saturating_add(1));
        let mut is_reversed = || {
            parts(text).all(|part| {
                let Some(index) = left.checked_sub(1) else { return false };
                left = index;
                self.attributes().nth(index).is_some_and(|attribute| attribute.is_written(part))
            }) && left == 0
        };
        is_in_order || is_reversed()
    }

    fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let mut sets = split(self.0).map_or(&[][..], |(_, value, _)| value);
        let mut set = &[][..];
        iter::from_fn(move || {
            if set.is_empty() {
                (_, set, sets) = split(sets)?;
            }
            let (_, attribute, rest) = split(set)?;
            set = rest;
            let mut reader = SliceReader::new(attribute).ok()?;
            let kind = ObjectIdentifier::decode(&mut reader).ok()?;
            let (tag, value, _) = split(reader.tlv_bytes().ok()?)?;
            Some(Attribute { kind, tag, value })
        })
    }
}

/// Tag and contents of the first element, and what follows it.
fn split(octets: &[u8]) -> Option<(Tag, &[u8], &[u8])> {
    let mut reader = SliceReader::new(octets).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    let value = reader.read_slice(header.length()).ok()?;
    Some((header.tag(), value, octets.get(offset(&reader)..)?))
}

impl<'a> Attribute<'a> {
    fn text(&self) -> Option<&'a str> {
        match self.tag {
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => str::from_utf8(self.value).ok(),
            _ => None,
        }
    }

    fn short_name(&self) -> Option<&'static str> {
        SHORT_NAMES.iter().find(|(kind, _)| *kind == self.kind).map(|(_, name)| *name)
    }

    /// Whether `part` is this attribute as `type=value`.
    fn is_written(&self, part: &str) -> bool {
        let Some((kind, value)) = part.split_once(['=']) else { return false };
        let (kind, value) = (kind.trim(), value.trim());
        let is_kind = self.short_name().is_some_and(|name| name.eq_ignore_ascii_case(kind))
            || ObjectIdentifier::new(kind).is_ok_and(|kind| kind == self.kind);
        let Some(text) = self.text() else { return false };
        is_kind && text.chars().eq(unescaped(value))
    }
}

/// The parts of a name in text, between separators that no backslash stands before.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    text.split(move |character| {
        let is_separator = !is_escaped && matches!(character, ',' | ';' | '+');
        is_escaped = character == '\\' && !is_escaped;
        is_separator
    })
}

fn unescaped(value: &str) -> impl Iterator<Item = char> {
    let mut characters = value.chars();
    iter::from_fn(move || match characters.next()? {
        '\\' => characters.next(),
        character => Some(character),
    })
}

/// The system title that exactly 16 hexadecimal digits stand for.
pub(super) fn title_of_digits(digits: &str) -> Option<SystemTitle> {
    let mut octets = [0; SystemTitle::LENGTH];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != octets.len() || !rest.is_empty() {
        return None;
    }
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *octet = digit(*high)? << 4 | digit(*low)?;
    }
    Some(octets.into())
}

/// `O=Utility, CN=Root`, in the order of the encoding.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        for attribute in self.attributes() {
            if !core::mem::replace(&mut is_first, false) {
                f.write_str(", ")?;
            }
            match attribute.short_name() {
                Some(name) => write!(f, "{name}=")?,
                None => write!(f, "{}=", attribute.kind)?,
            }
            match attribute.text() {
                Some(text) => {
                    for character in text.chars() {
                        match character {
                            ',' | ';' | '+' | '\\' | '"' => write!(f, "\\{character}")?,
                            _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                            _ => write!(f, "{character}")?,
                        }
                    }
                }
                None => {
                    f.write_str("#")?;
                    attribute.value.iter().try_for_each(|octet| write!(f, "{octet:02X}"))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// OtherName of subjectAltName with a hardwareModuleName whose serial number is a system title.
pub(super) fn title_of_alternative_names(reader: &mut Reader<'_>) -> Result<Option<SystemTitle>> {
    const OTHER_NAME: Tag = context(0, true);
    const HARDWARE_MODULE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.4");
    let mut title = None;
    within(reader, Tag::Sequence, |reader| {
        while !reader.is_finished() {
            let start = offset(reader);
            if !is_next(reader, OTHER_NAME) {
                element(reader)?;
                continue;
            }
            let found = within(reader, OTHER_NAME, |reader| {
                if read::<ObjectIdentifier>(reader, CertificateFault::Malformed)? != HARDWARE_MODULE_NAME {
                    element(reader)?;
                    return Ok(None);
                }
                within(reader, context(0, true), |reader| {
                    within(reader, Tag::Sequence, |reader| {
                        read::<ObjectIdentifier>(reader, CertificateFault::Malformed)?;
                        super::read::value(reader, Tag::OctetString)
                    })
                })
                .map(|serial| SystemTitle::try_from(serial).ok())
            })?;
            if found.is_some() && title.replace(found).is_some() {
                return Err(CertificateFault::Subject.at(start));
            }
        }
        Ok(title.flatten())
    })
}

pub(super) const fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: der::TagNumber(number) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// O=Example, CN=Test Root CA 1
    const NAME: [u8; 45] = *b"\x30\x2B\x31\x10\x30\x0E\x06\x03\x55\x04\x0A\x0C\x07Example\
        \x31\x17\x30\x15\x06\x03\x55\x04\x03\x0C\x0ETest Root CA 1";

    #[test]
    fn names_are_written_in_several_ways() {
        let name = Name::read(&mut SliceReader::new(&NAME).unwrap()).unwrap();
        assert_eq!(name.der(), NAME);
        assert_eq!(name.to_string(), "O=Example, CN=Test Root CA 1");
        assert_eq!(name.common_name(), Some("Test Root CA 1"));
        for text in [
            "O=Example, CN=Test Root CA 1",
            "cn=Test Root CA 1,o=Example",
            "2.5.4.10 = Example + CN=Test\\ Root CA 1",
        ] {
            assert!(name.matches_text(text), "{text}");
        }
        for text in
            ["", "CN=Test Root CA 1", "O=Example,CN=Test Root CA 1,C=DE", "O=Example;CN=test root CA 1"]
        {
            assert!(!name.matches_text(text), "{text}");
        }
    }

    #[test]
    fn a_title_is_sixteen_digits() {
        let title = SystemTitle::from_octets(*b"KAR\x00\xAF\x00\x00\x01");
        assert_eq!(title_of_digits("4B415200AF000001"), Some(title));
        assert_eq!(title_of_digits("4b415200af000001"), Some(title));
        for text in ["", "4B415200AF00000", "4B415200AF00000100", "4B415200AF00000G", "+B415200AF000001"] {
            assert_eq!(title_of_digits(text), None, "{text}");
        }
    }
}
