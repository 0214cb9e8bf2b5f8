//! The envelopes that carry protected contents, the key that each names, and which of them this side takes.

use core::ops::Range;

use bitflags::bitflags;
use dlms_axdr::{DecodeError, DecodeErrorKind, Reader};
use dlms_security::{Curve, Protection, SecuritySuite, SystemTitle};

use super::{ProtectionError, TAILROOM};
use crate::xdlms::{
    GENERAL_CIPHERING, GENERAL_DED_CIPHERING, GENERAL_GLO_CIPHERING, GENERAL_SIGNING, ServiceCiphering,
};

/// Which key ciphers an APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeyClass {
    /// The global unicast key of the security setup.
    Global,
    /// The dedicated key of the association.
    Dedicated,
    /// The global broadcast key, which every meter of a group holds.
    Broadcast,
    /// A key for this APDU alone, wrapped with the master key. In general-ciphering only.
    Wrapped,
    /// A key for this APDU alone, agreed on by one-pass Diffie-Hellman C(1e, 1s). In general-ciphering only.
    OnePassDiffieHellman,
    /// A key for this APDU alone, agreed on by the static unified model C(0e, 2s). In general-ciphering only.
    StaticUnifiedModel,
}

impl KeyClass {
    /// Whether the key serves for one APDU alone.
    pub const fn is_for_one_message(self) -> bool {
        matches!(self, Self::Wrapped | Self::OnePassDiffieHellman | Self::StaticUnifiedModel)
    }
}

/// What a protected content is carried in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Carrier {
    /// `glo-` and `ded-`, which have a tag for each service. An APDU whose service has none travels
    /// [`WithTitle`](Self::WithTitle).
    ServiceSpecific,
    /// general-glo-ciphering and general-ded-ciphering, which carry any APDU and the title of its sender.
    WithTitle,
    /// general-ciphering, which carries any APDU and says how its key is found.
    GeneralCiphering,
}

/// How a ciphered APDU is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Envelope {
    /// What the content is carried in.
    pub carrier: Carrier,
    /// The key that is used.
    pub key: KeyClass,
}

bitflags! {
    /// What this side takes of what it can: envelopes, kinds of keys, and deviations.
    ///
    /// The default is what every association has: the service-specific forms and general-glo- and
    /// general-ded-ciphering.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Accepted: u16 {
        /// The service-specific forms, `glo-` and `ded-`.
        const SERVICE_SPECIFIC = 0x0001;
        /// general-glo-ciphering and general-ded-ciphering.
        const WITH_TITLE = 0x0002;
        /// general-ciphering with the global unicast key: identified, or without key-info.
        const IDENTIFIED_KEY = 0x0004;
        /// general-ciphering with a wrapped key.
        const WRAPPED_KEY = 0x0008;
        /// general-ciphering with a key agreed on by one-pass Diffie-Hellman C(1e, 1s).
        const ONE_PASS_DIFFIE_HELLMAN = 0x0010;
        /// general-ciphering with a key agreed on by the static unified model C(0e, 2s).
        const STATIC_UNIFIED_MODEL = 0x0020;
        /// general-signing. Whether a signature is required is said by the policy.
        const SIGNING = 0x0040;
        /// The broadcast key, in the envelopes that are taken. It proves only that somebody of the group sent the APDU,
        /// so keys, associations, disconnection and firmware cannot be reached with it.
        const BROADCAST = 0x0080;
        /// The broadcast key reaches everything that the association may.
        const BROADCAST_REACHES_ALL = 0x0100;
        /// Keys for one message come with counters that begin anew in each. Then only the transaction-ids of the last
        /// few messages tell a replay, and these are forgotten at a restart. Without this, such counters must rise like
        /// those of the global key.
        const RESTARTING_COUNTERS = 0x0200;
        /// An empty recipient title is this side's.
        const EMPTY_RECIPIENT = 0x0400;
        /// A signature may also cover the length octets of the content. Whether it should is not certain; none known
        /// does that in general-signing.
        const SIGNED_CONTENT_LENGTH = 0x0800;
        /// Data protection objects (class_id 30), between this client and this server: their methods, and protection_buffer.
        /// Without this the methods, and writing the buffer, are refused by read-write-denied, and reading it gives what the
        /// object holds, because much about them is not confirmed by any peer or document at hand. With it this side
        /// assumes that
        ///
        /// * protected octets are whole general-ciphering and general-signing APDUs around Data, with an empty date-time
        ///   in their header, whose tag and signature cover what those of APDUs do
        ///   ([`SIGNED_CONTENT_LENGTH`](Self::SIGNED_CONTENT_LENGTH) takes the other form of signature too);
        /// * several attributes are one structure of their values, in the order of the list;
        /// * what get_protected_attributes and a method return is a structure of parameters and octets;
        /// * an empty structure stands for the key-info of a signature;
        /// * reading protection_buffer protects anew what protection_object_list names, as protection_parameters_get says,
        ///   and puts the key-info of a wrapped or agreed key there; writing it removes what protection_parameters_set says;
        /// * a restriction is selective access to the buffer of a profile, by date on its clock column, dates being whole
        ///   days.
        ///
        /// Keys and kinds of envelopes are taken as for APDUs. Refused are third parties; all attributes at once
        /// (attribute_index 0); a data_index of a profile's buffer, which companion specifications define; parts of what is
        /// written; and a second protection_buffer in the list of one GET.
        const DATA_PROTECTION = 0x1000;
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Accepted {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "Accepted({=u16:#x})", self.bits());
    }
}

impl Default for Accepted {
    fn default() -> Self {
        Self::SERVICE_SPECIFIC | Self::WITH_TITLE
    }
}

impl Accepted {
    /// What an answer to a request in this form needs.
    #[cfg(feature = "client")]
    pub(crate) const fn form(envelope: Envelope, protection: Protection) -> Self {
        let form = match (envelope.carrier, envelope.key) {
            (Carrier::ServiceSpecific, _) => Self::SERVICE_SPECIFIC,
            (Carrier::WithTitle, _) => Self::WITH_TITLE,
            (Carrier::GeneralCiphering, KeyClass::Wrapped) => Self::WRAPPED_KEY,
            (Carrier::GeneralCiphering, KeyClass::OnePassDiffieHellman) => Self::ONE_PASS_DIFFIE_HELLMAN,
            (Carrier::GeneralCiphering, KeyClass::StaticUnifiedModel) => Self::STATIC_UNIFIED_MODEL,
            (Carrier::GeneralCiphering, _) => Self::IDENTIFIED_KEY,
        };
        if protection.contains(Protection::SIGNED) { form.union(Self::SIGNING) } else { form }
    }

    /// Whether an envelope is taken.
    pub const fn takes(self, envelope: Envelope) -> bool {
        let by_key = match envelope.key {
            KeyClass::Global | KeyClass::Dedicated => true,
            KeyClass::Broadcast => self.contains(Self::BROADCAST),
            KeyClass::Wrapped => self.contains(Self::WRAPPED_KEY),
            KeyClass::OnePassDiffieHellman => self.contains(Self::ONE_PASS_DIFFIE_HELLMAN),
            KeyClass::StaticUnifiedModel => self.contains(Self::STATIC_UNIFIED_MODEL),
        };
        by_key
            && match envelope.carrier {
                Carrier::ServiceSpecific => self.contains(Self::SERVICE_SPECIFIC),
                Carrier::WithTitle => self.contains(Self::WITH_TITLE),
                Carrier::GeneralCiphering => {
                    envelope.key.is_for_one_message() || self.contains(Self::IDENTIFIED_KEY)
                }
            }
    }
}

impl Envelope {
    /// The service-specific form under the global key.
    pub const GLOBAL: Self = Self { carrier: Carrier::ServiceSpecific, key: KeyClass::Global };
    /// The service-specific form under the dedicated key.
    pub const DEDICATED: Self = Self { carrier: Carrier::ServiceSpecific, key: KeyClass::Dedicated };

    /// How many octets this envelope, and a signature if `protection` has one, add to a plain APDU at most, where the
    /// whole has no more than `limit`. The transaction-id has `transaction` octets.
    pub(crate) const fn overhead(
        self,
        protection: Protection,
        suite: SecuritySuite,
        transaction: usize,
        limit: usize,
    ) -> usize {
        let signing = if protection.contains(Protection::SIGNED) {
            signing_overhead(suite, transaction, limit)
        } else {
            0
        };
        if protection.ciphering().is_empty() {
            return signing;
        }
        let tag = if protection.contains(Protection::AUTHENTICATED) { TAILROOM } else { 0 };
        let carrier = match self.carrier {
            Carrier::ServiceSpecific if signing == 0 => 0,
            Carrier::ServiceSpecific | Carrier::WithTitle => 9,
            Carrier::GeneralCiphering => {
                header_length(transaction).saturating_add(self.key.info_length(suite))
            }
        };
        length_octets(limit).saturating_add(1 + 5 + tag).saturating_add(signing).saturating_add(carrier)
    }
}

impl KeyClass {
    /// The octets of key-info, with its presence octet.
    pub(super) const fn info_length(self, suite: SecuritySuite) -> usize {
        match self {
            Self::Global | Self::Dedicated | Self::Broadcast => 3,
            Self::Wrapped => suite.wrapped_key_len().saturating_add(4),
            Self::OnePassDiffieHellman => pair_length(suite).saturating_mul(2).saturating_add(6),
            Self::StaticUnifiedModel => 5,
        }
    }
}

/// The octets of general-signing around a content, in an APDU of no more than `limit`.
const fn signing_overhead(suite: SecuritySuite, transaction: usize, limit: usize) -> usize {
    let around = length_octets(limit).saturating_add(pair_length(suite)).saturating_add(1 + 1);
    around.saturating_add(header_length(transaction))
}

/// The octets of the header that this side writes: without date-time and other-information.
const fn header_length(transaction: usize) -> usize {
    transaction.saturating_add(1 + 9 + 9 + 1 + 1)
}

const fn pair_length(suite: SecuritySuite) -> usize {
    match suite.curve() {
        Some(curve) => curve.pair_len(),
        None => Curve::P256.pair_len(),
    }
}

/// How many octets a length takes.
pub(super) const fn length_octets(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x100_0000 => 4,
        _ => 5,
    }
}

/// Whether an APDU travels in an envelope.
pub(crate) fn is_protected(apdu: &[u8]) -> bool {
    apdu.first().is_some_and(|&tag| {
        matches!(tag, GENERAL_GLO_CIPHERING | GENERAL_DED_CIPHERING | GENERAL_CIPHERING | GENERAL_SIGNING)
            || ServiceCiphering::service_of(tag).is_some()
    })
}

/// A received APDU in one of the envelopes that say nothing about their key but its class.
pub(super) struct Parsed {
    pub(super) carrier: Carrier,
    pub(super) dedicated: bool,
    /// The title that it carries, if it carries one.
    pub(super) title: Option<SystemTitle>,
    /// The tag that the plain APDU must have; `None` if the envelope leaves it open.
    pub(super) inner_tag: Option<u8>,
    pub(super) content: Range<usize>,
}

impl Parsed {
    /// Takes the envelope apart; an APDU in none of these is not one that protects it.
    pub(super) fn from_octets(apdu: &[u8]) -> Result<Self, ProtectionError> {
        let mut reader = Reader::new(apdu);
        let tag = reader.u8()?;
        let (carrier, dedicated, inner_tag) = match tag {
            GENERAL_GLO_CIPHERING => (Carrier::WithTitle, false, None),
            GENERAL_DED_CIPHERING => (Carrier::WithTitle, true, None),
            _ => match ServiceCiphering::service_of(tag) {
                Some((plain, dedicated)) => (Carrier::ServiceSpecific, dedicated, Some(plain)),
                None => return Err(ProtectionError::Required),
            },
        };
        let title = match carrier {
            Carrier::WithTitle => carried_title(&mut reader)?,
            _ => None,
        };
        let content = reader.octet_string()?;
        reader.finish()?;
        let end = reader.offset();
        Ok(Self { carrier, dedicated, title, inner_tag, content: end.saturating_sub(content.len())..end })
    }
}

/// The title in a general envelope. An empty one stands for the title that the association knows.
fn carried_title(reader: &mut Reader<'_>) -> Result<Option<SystemTitle>, DecodeError> {
    let at = reader.clone();
    match reader.octet_string()? {
        [] => Ok(None),
        octets => SystemTitle::try_from(octets)
            .map(Some)
            .map_err(|_| at.error(DecodeErrorKind::InvalidValue("system-title".into()))),
    }
}
