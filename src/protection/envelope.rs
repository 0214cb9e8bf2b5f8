//! The envelopes that carry protected contents, and the key that each names.

use core::ops::Range;

use dlms_axdr::{DecodeError, DecodeErrorKind, Reader};
use dlms_security::{Protection, SystemTitle};

use super::{ProtectionError, TAILROOM};
use crate::xdlms::{GENERAL_DED_CIPHERING, GENERAL_GLO_CIPHERING, ServiceCiphering};

/// Which key protects an APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// The global key of the security setup.
    Global,
    /// The dedicated key of the association.
    Dedicated,
}

/// How a protected APDU is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Whether the general form (`DB`, `DC`) is used, which carries the sender's title and any APDU.
    pub general: bool,
    /// The key that is used.
    pub key: KeyClass,
}

impl Envelope {
    /// The service-specific form under the global key.
    pub const GLOBAL: Self = Self { general: false, key: KeyClass::Global };
    /// The service-specific form under the dedicated key.
    pub const DEDICATED: Self = Self { general: false, key: KeyClass::Dedicated };

    /// How many octets this envelope adds to a plain APDU of `length` octets at most.
    pub(crate) const fn overhead(self, protection: Protection, length: usize) -> usize {
        let tag = if protection.contains(Protection::AUTHENTICATED) { TAILROOM } else { 0 };
        let title = if self.general { 9 } else { 0 };
        let length_octets = match length + 5 + tag {
            0..0x80 => 1,
            0x80..0x100 => 2,
            0x100..0x1_0000 => 3,
            _ => 5,
        };
        1 + title + length_octets + 5 + tag
    }
}

/// Whether an APDU travels in an envelope.
#[cfg(feature = "server")]
pub(crate) fn is_protected(apdu: &[u8]) -> bool {
    apdu.first().is_some_and(|&tag| {
        matches!(tag, GENERAL_GLO_CIPHERING | GENERAL_DED_CIPHERING)
            || ServiceCiphering::service_of(tag).is_some()
    })
}

/// The envelope of a received APDU.
pub(super) struct Parsed {
    pub(super) envelope: Envelope,
    /// The title that it carries, if it carries one.
    pub(super) title: Option<SystemTitle>,
    /// The tag that the plain APDU must have; `None` if the envelope leaves it open.
    pub(super) inner_tag: Option<u8>,
    pub(super) content: Range<usize>,
}

impl Parsed {
    /// `None` if the APDU is a plain one.
    pub(super) fn from_octets(apdu: &[u8]) -> Result<Option<Self>, ProtectionError> {
        let mut reader = Reader::new(apdu);
        let tag = reader.u8()?;
        let (envelope, title, inner_tag) = match tag {
            GENERAL_GLO_CIPHERING => {
                (Envelope { general: true, key: KeyClass::Global }, carried_title(&mut reader)?, None)
            }
            GENERAL_DED_CIPHERING => {
                (Envelope { general: true, key: KeyClass::Dedicated }, carried_title(&mut reader)?, None)
            }
            _ => match ServiceCiphering::service_of(tag) {
                Some((plain, true)) => (Envelope::DEDICATED, None, Some(plain)),
                Some((plain, false)) => (Envelope::GLOBAL, None, Some(plain)),
                None => return Ok(None),
            },
        };
        let content = reader.octet_string()?;
        reader.finish()?;
        let end = reader.offset();
        Ok(Some(Self { envelope, title, inner_tag, content: end - content.len()..end }))
    }
}

/// The title in a general envelope. An empty one stands for the title that the association knows.
fn carried_title(reader: &mut Reader<'_>) -> Result<Option<SystemTitle>, DecodeError> {
    let at = reader.clone();
    match reader.octet_string()? {
        [] => Ok(None),
        octets => SystemTitle::try_from(octets)
            .map(Some)
            .map_err(|_| at.error(DecodeErrorKind::InvalidValue("system-title"))),
    }
}
