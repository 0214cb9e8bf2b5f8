//! general-ciphering `DD`: from anybody to anybody, with what is known about its key.
//!
//! ```text
//! DD | header | key-info? | content
//! header = transaction-id | originator-system-title | recipient-system-title | date-time | other-information
//! ```
//!
//! The tag covers the header in exactly the octets in which it came, length octets included; neither the tag `DD` nor
//! key-info nor the length of the content.

use core::ops::Range;

use dlms_axdr::{BufferFull, Encoder, Reader};
use dlms_security::{
    CounterStore, CryptoProvider, KeySet, Protection, Protector, SecurityControl, SecurityHeader, SystemTitle,
};

use super::envelope::{Accepted, Carrier, Envelope, KeyClass, length_octets};
use super::error::ProtectionError;
use super::key_info::{self, Sender};
use super::key_ring::KeyRing;
use super::keys::{Demand, Form, Keys, Layer};
use super::open::{Checked, Windows};
use super::transaction::TransactionId;
use crate::xdlms::{GENERAL_CIPHERING, GeneralHeader, KeyInfo};

/// The most octets of other-information.
const MAX_OTHER_INFORMATION: usize = 128;
/// The octets of a date-time.
const DATE_TIME: usize = 12;

/// The five fields of a header that this side writes.
pub(super) struct HeaderFields<'h> {
    pub(super) form: &'h Form<'h>,
    pub(super) originator: &'h SystemTitle,
}

impl HeaderFields<'_> {
    pub(super) const fn length(&self) -> usize {
        let transaction = self.form.transaction.octets_len();
        let fixed = (1 + 9 + 9 + 1 + 1usize).saturating_add(transaction);
        fixed.saturating_add(self.form.date_time.len()).saturating_add(self.form.other_information.len())
    }

    pub(super) fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        // Each has one length octet: that is what `length` counts.
        if self.form.other_information.len() >= 0x80 || self.form.date_time.len() >= 0x80 {
            return Err(BufferFull);
        }
        encoder.octet_string(self.form.transaction.octets())?;
        encoder.octet_string(self.originator.octets())?;
        encoder.octet_string(self.form.recipient.octets())?;
        encoder.octet_string(self.form.date_time)?;
        encoder.octet_string(self.form.other_information)
    }
}

/// Reads a header and holds it against what this side demands, and its transaction-id against that of the layer outside.
pub(super) fn header<'a>(
    demand: &Demand,
    own_title: SystemTitle,
    outer: &mut Option<TransactionId>,
    reader: &mut Reader<'a>,
) -> Result<(GeneralHeader<'a>, TransactionId), ProtectionError> {
    let header = GeneralHeader::decode(reader)?;
    let transaction =
        TransactionId::new(header.transaction_id).ok_or(ProtectionError::InvalidHeader("transaction-id"))?;
    if !matches!(header.date_time.len(), 0 | DATE_TIME) {
        return Err(ProtectionError::InvalidHeader("date-time"));
    }
    if header.other_information.len() > MAX_OTHER_INFORMATION {
        return Err(ProtectionError::InvalidHeader("other-information"));
    }
    let recipient = header.recipient_system_title;
    let is_ours = recipient == own_title.octets()
        || recipient.is_empty() && demand.accepted.contains(Accepted::EMPTY_RECIPIENT);
    if header.originator_system_title != demand.peer.octets() || !is_ours {
        return Err(ProtectionError::WrongTitle);
    }
    if outer.is_some_and(|outer| outer != transaction) {
        return Err(ProtectionError::WrongTransaction);
    }
    *outer = Some(transaction);
    Ok((header, transaction))
}

impl<P: CryptoProvider> Keys<'_, P> {
    /// Opens general-ciphering. What is cheap is checked first, then signatures, then key agreement, then the tag.
    pub(super) fn open_general_ciphering(
        &mut self,
        store: &mut dyn CounterStore,
        demand: &Demand,
        outer: &mut Option<TransactionId>,
        apdu: &mut [u8],
    ) -> Result<Layer, ProtectionError> {
        let own_title = self.context.own_title;
        let mut reader = Reader::new(apdu);
        reader.u8()?;
        let (header, transaction) = header(demand, own_title, outer, &mut reader)?;
        let covered = 1..header.received.len().saturating_add(1);
        let info = if reader.usage("key-info")? { Some(KeyInfo::decode(&mut reader)?) } else { None };
        let content = reader.octet_string()?;
        reader.finish()?;
        let at = reader.offset().saturating_sub(content.len())..reader.offset();

        let class = key_info::class(info.as_ref())?;
        let envelope = Envelope { carrier: Carrier::GeneralCiphering, key: class };
        if !demand.accepted.takes(envelope) {
            return Err(ProtectionError::NotAllowed);
        }
        let is_answer = demand.is_carried || demand.transaction.is_some_and(|asked| asked == transaction);
        let is_restarting = demand.accepted.contains(Accepted::RESTARTING_COUNTERS) && !demand.is_carried;
        let suite = self.context.suite;
        let one_message_key = if class.is_for_one_message() {
            // Cheap checks before any computation with a private key; the window is consulted again below.
            let windows = match is_answer || is_restarting {
                true => Windows::None,
                false => self.context.unicast.receiving().1,
            };
            let checked = Checked::new(suite, KeySet::Unicast, demand, windows, store, content)?;
            if !checked.protection().contains(Protection::AUTHENTICATED) {
                return Err(ProtectionError::Required);
            }
            if !is_answer && is_restarting {
                let ring = self.key_ring.as_deref().ok_or(ProtectionError::NoKey)?;
                ring.check_transaction(self.provider, demand.peer, &transaction)?;
            }
            let sender = Sender { originator: demand.peer, transaction: &transaction };
            Some(self.received_key(&sender, info.as_ref())?.make_ready(suite)?)
        } else {
            None
        };
        let context = &mut *self.context;
        let (key, windows) = match (&one_message_key, class) {
            (Some(key), _) if is_answer || is_restarting => (&key.ready, Windows::None),
            (Some(key), _) => (&key.ready, context.unicast.receiving().1),
            (None, KeyClass::Broadcast) => {
                let ring = self.key_ring.as_deref_mut();
                ring.and_then(KeyRing::broadcast).ok_or(ProtectionError::NoKey)?.receiving()
            }
            (None, _) if demand.is_carried => (context.unicast.receiving().0, Windows::None),
            (None, _) => context.unicast.receiving(),
        };
        let content = apdu.get(at.clone()).unwrap_or(&[]);
        let checked = Checked::new(suite, KeySet::Unicast, demand, windows, store, content)?;
        let ak = &context.authentication_key;
        let layer = checked.open(self.provider, store, key, ak, envelope, None, apdu, covered, at)?;
        if class.is_for_one_message()
            && !is_answer
            && is_restarting
            && let Some(ring) = self.key_ring.as_deref_mut()
        {
            ring.accept_transaction(self.provider, demand.peer, &transaction);
        }
        Ok(layer)
    }

    /// Seals in general-ciphering.
    pub(super) fn seal_general_ciphering(
        &mut self,
        store: &mut dyn CounterStore,
        form: &Form<'_>,
        buffer: &mut [u8],
        apdu: Range<usize>,
    ) -> Result<Range<usize>, ProtectionError> {
        let class = form.envelope.key;
        let (suite, own_title) = (self.context.suite, self.context.own_title);
        let mut info = [0; key_info::MAX_LENGTH];
        let mut encoder = Encoder::new(&mut info);
        let one_message_key = match class {
            KeyClass::Global => {
                encoder.octets(&[1, 0, 0])?;
                None
            }
            KeyClass::Broadcast => {
                encoder.octets(&[1, 0, 1])?;
                None
            }
            KeyClass::Dedicated => return Err(ProtectionError::NotAllowed),
            _ => Some(self.sent_key(form, &mut encoder)?.make_ready(suite)?),
        };
        let info = encoder.written();
        let control = SecurityControl::new(suite, form.protection);
        let header = form.header(&own_title);
        let length = apdu.len().saturating_add(form.protection.overhead());
        let content_start =
            apdu.start.checked_sub(SecurityHeader::LENGTH).ok_or(ProtectionError::BufferFull)?;
        let head_length = header
            .length()
            .saturating_add(info.len())
            .saturating_add(length_octets(length))
            .saturating_add(1);
        let start = content_start.checked_sub(head_length).ok_or(ProtectionError::BufferFull)?;
        let mut encoder =
            Encoder::new(buffer.get_mut(start..content_start).ok_or(ProtectionError::BufferFull)?);
        encoder.u8(GENERAL_CIPHERING)?;
        header.encode(&mut encoder)?;
        encoder.octets(info)?;
        encoder.length(length)?;
        if encoder.remaining() > 0 {
            return Err(ProtectionError::BufferFull);
        }
        let covered = start.saturating_add(1);
        let covered = covered..covered.saturating_add(header.length());
        let counter = self.counter(store, class)?;
        let key = match &one_message_key {
            Some(key) => &key.ready,
            None => self.shared_key(class)?,
        };
        let (head, content) = buffer.split_at_mut(content_start);
        let covered = head.get(covered).ok_or(ProtectionError::BufferFull)?;
        let protector =
            Protector { provider: self.provider, key, authentication_key: &self.context.authentication_key };
        let length = protector.protect(control, own_title, counter, covered, content, apdu.len())?;
        Ok(start..content_start.saturating_add(length))
    }
}
