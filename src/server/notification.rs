//! What a server sends unasked: DataNotification and EventNotification.

use core::ops::Range;

use cosem_objects::AssociationId;
use dlms_axdr::{BufferFull, DateTime, Encoder};
use dlms_security::{CryptoProvider, Protection};

use super::session::Host;
use crate::ProtectionError;
use crate::protection::{Carrier, Form, HEADROOM, TAILROOM, TransactionId};
use crate::xdlms::{AttributeDescriptor, LongInvokeIdAndPriority};

/// Writes a DataNotification into `out`, protected as the policy of `association` demands, and returns where it is.
///
/// `body` writes the value as Data. There is no service-specific envelope for a DataNotification.
///
/// # Errors
/// `out` is too small, no counter could be reserved, or a key is missing. In general-ciphering and
/// general-signing: the association's configuration does not say who the client is.
pub fn data_notification<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    association: AssociationId,
    id: LongInvokeIdAndPriority,
    date_time: Option<DateTime>,
    body: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
    out: &mut [u8],
) -> Result<Range<usize>, ProtectionError> {
    let length = plain(out, |encoder| {
        encoder.u8(0x0F)?;
        encoder.u32(id.0)?;
        encoder.octet_string(date_time.as_ref().map_or(&[][..], |date_time| &date_time.0[..]))?;
        body(encoder)
    })?;
    seal(host, association, length, out)
}

/// Writes an EventNotification into `out`, protected as the policy of `association` demands, and returns where it is.
///
/// `value` writes the attribute's value as Data.
///
/// # Errors
/// `out` is too small, no counter could be reserved, or a key is missing. In general-ciphering and
/// general-signing: the association's configuration does not say who the client is.
pub fn event_notification<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    association: AssociationId,
    time: Option<DateTime>,
    attribute: AttributeDescriptor,
    value: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
    out: &mut [u8],
) -> Result<Range<usize>, ProtectionError> {
    let length = plain(out, |encoder| {
        encoder.u8(0xC2)?;
        encoder.usage(time.is_some())?;
        if let Some(time) = time {
            encoder.octet_string(&time.0)?;
        }
        attribute.encode(encoder)?;
        value(encoder)
    })?;
    seal(host, association, length, out)
}

/// Writes a plain APDU at [`HEADROOM`] of `out` and returns its length.
fn plain(
    out: &mut [u8],
    write: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
) -> Result<usize, ProtectionError> {
    let end = out.len().saturating_sub(TAILROOM);
    let room = out.get_mut(HEADROOM..end).ok_or(ProtectionError::BufferFull)?;
    let mut encoder = Encoder::new(room);
    write(&mut encoder)?;
    Ok(encoder.len())
}

fn seal<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    association: AssociationId,
    length: usize,
    out: &mut [u8],
) -> Result<Range<usize>, ProtectionError> {
    let config = host.associations.get(usize::from(association.0)).ok_or(ProtectionError::NoKey)?;
    let range = HEADROOM..length.saturating_add(HEADROOM);
    let (context, recipient, envelope) = (config.security, config.client_title, config.notifications);
    let (_, protection) = host.policy(association);
    if protection.is_empty() {
        return Ok(range);
    }
    let mut transaction = TransactionId::default();
    let is_general = protection.contains(Protection::SIGNED) || envelope.carrier == Carrier::GeneralCiphering;
    if is_general {
        transaction = TransactionId::draw(host.provider)?;
    }
    let keys = context.and_then(|index| host.keys(index, None));
    let (mut keys, counters) = keys.ok_or(ProtectionError::NoKey)?;
    // Only general-ciphering and general-signing say who their recipient is.
    let recipient = match recipient {
        None if is_general => return Err(ProtectionError::WrongTitle),
        recipient => recipient.unwrap_or(keys.context.own_title()),
    };
    keys.seal(counters, &Form::new(envelope, protection, recipient, transaction), out, range)
}
