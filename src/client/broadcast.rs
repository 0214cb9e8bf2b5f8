//! Requests to all meters of a group at once, under the global broadcast key. Nobody answers.
//!
//! Each meter knows the client and the association in advance. The key proves to it only that somebody of the group
//! sent the request, and what it does upon one is for its configuration to say.

use core::ops::Range;

use dlms_axdr::{BufferFull, Encoder};
use dlms_security::{CryptoProvider, Protection, SystemTitle};

use super::access::encode as encode_access;
use super::session::sealing;
use super::{AccessItem, ActionItem, ClientError, Environment, SetItem};
use crate::protection::{Carrier, Envelope, Form, HEADROOM, KeyClass, TransactionId};
use crate::xdlms::{ACTION_REQUEST, InvokeIdAndPriority, LongInvokeIdAndPriority, SET_REQUEST};

/// How a broadcast travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// What it is carried in. A meter that does not know the client's system title needs
    /// [`Carrier::WithTitle`] or [`Carrier::GeneralCiphering`].
    pub carrier: Carrier,
    /// How it is protected: ciphered, and authenticated too where this says no more than encrypted.
    pub protection: Protection,
    /// To whom it is addressed in general-ciphering and general-signing: the title that the meters of the group take for
    /// their own.
    pub recipient: SystemTitle,
}

/// Writes a SET of one attribute into `out` and returns where it is. [`Environment::security`] and the broadcast key in
/// [`Environment::key_ring`] are needed.
///
/// # Errors
/// [`ClientError::Configuration`], [`ClientError::Security`], [`ClientError::BufferFull`].
pub fn set<P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    broadcast: &Broadcast,
    item: SetItem<'_>,
    out: &mut [u8],
) -> Result<Range<usize>, ClientError> {
    write(env, broadcast, out, |encoder| {
        encoder.octets(&[SET_REQUEST, 0x01, UNCONFIRMED.0])?;
        item.descriptor().encode(encoder)?;
        item.value.encode(encoder)
    })
}

/// Writes an ACTION of one method into `out` and returns where it is, as [`set`] does.
///
/// # Errors
/// As [`set`].
pub fn action<P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    broadcast: &Broadcast,
    item: ActionItem<'_>,
    out: &mut [u8],
) -> Result<Range<usize>, ClientError> {
    write(env, broadcast, out, |encoder| {
        encoder.octets(&[ACTION_REQUEST, 0x01, UNCONFIRMED.0])?;
        item.method.encode(encoder)?;
        encoder.usage(item.parameter.is_some())?;
        item.parameter.map_or(Ok(()), |parameter| parameter.encode(encoder))
    })
}

/// Writes an ACCESS, which sets and invokes in one APDU, into `out` and returns where it is, as [`set`] does. It has no
/// service-specific form: with [`Carrier::ServiceSpecific`] it travels [`Carrier::WithTitle`]. What it reads, nobody sees.
///
/// # Errors
/// As [`set`].
pub fn access<P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    broadcast: &Broadcast,
    items: &[AccessItem<'_>],
    out: &mut [u8],
) -> Result<Range<usize>, ClientError> {
    let id = LongInvokeIdAndPriority::new(1, false, false);
    write(env, broadcast, out, |encoder| encode_access(id, items, encoder))
}

/// No answer has to be told from another one.
const UNCONFIRMED: InvokeIdAndPriority = InvokeIdAndPriority::new(1, false, false);

fn write<P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    broadcast: &Broadcast,
    out: &mut [u8],
    encode: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
) -> Result<Range<usize>, ClientError> {
    let mut encoder = Encoder::new(out.get_mut(HEADROOM..).ok_or(ClientError::BufferFull)?);
    encode(&mut encoder)?;
    let plain = HEADROOM..encoder.len().saturating_add(HEADROOM);
    let is_general =
        broadcast.carrier == Carrier::GeneralCiphering || broadcast.protection.contains(Protection::SIGNED);
    let transaction = is_general.then(|| TransactionId::draw(env.provider)).transpose()?;
    let envelope = Envelope { carrier: broadcast.carrier, key: KeyClass::Broadcast };
    let transaction = transaction.unwrap_or_default();
    let form = Form::new(envelope, broadcast.protection.with_integrity(), broadcast.recipient, transaction);
    let keys = env.keys(None).ok_or(ClientError::Configuration("a broadcast needs the security context"))?;
    let (mut keys, counters) = keys;
    if form.protection.ciphering().is_empty() {
        return Err(ClientError::Configuration("a broadcast is ciphered"));
    }
    keys.seal(counters, &form, out, plain).map_err(sealing)
}
