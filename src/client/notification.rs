//! Notifications that come without an association: push to a listener.
//!
//! A plain notification proves nothing; a listener that demands protection takes general-glo-ciphering, whose title
//! tells which meter's keys open it, or general-ciphering or general-signing, whose originator does. The title is a
//! claim: it only chooses keys, and the tag or the signature then proves it.

use dlms_axdr::{DecodeError, DecodeErrorKind, Reader};
use dlms_security::{CounterStore, CryptoProvider, Peer, Protection, SystemTitle};

use super::session::whole;
use crate::xdlms::{self, DataNotification, EventNotification, GeneralHeader};
use crate::{Demand, Keys, ProtectionError, SecurityContext};

/// What a meter sends of its own accord.
#[derive(Clone, Debug, PartialEq)]
pub enum Notification<'a> {
    /// Data of a push list.
    Data(DataNotification<'a>),
    /// An event, as an attribute and its value.
    Event(EventNotification<'a>),
}

/// A notification, and what is known of who sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened<'a> {
    /// The notification.
    pub notification: Notification<'a>,
    /// The system title of the sender, if the notification was protected: then it has proved to know the key.
    pub sender: Option<SystemTitle>,
    /// The protection that was verified and removed.
    pub protection: Protection,
}

/// Why a notification was not taken.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NotificationError {
    /// It was refused before it was looked into.
    #[error("refused: {0}")]
    Protection(#[from] ProtectionError),
    /// It does not decode.
    #[error("malformed notification: {0}")]
    Malformed(#[from] DecodeError),
    /// It is no notification.
    #[error("an APDU with tag {tag:#04x} is no notification")]
    Unexpected {
        /// Its tag.
        tag: u8,
    },
}

/// The system title that a received APDU claims to come from: the one in general-glo-ciphering, or the originator of
/// general-ciphering and general-signing. It tells which keys to open it with, and nothing else.
pub fn claimed_sender(apdu: &[u8]) -> Option<SystemTitle> {
    let mut reader = Reader::new(apdu);
    match reader.u8() {
        Ok(xdlms::GENERAL_GLO_CIPHERING) => SystemTitle::try_from(reader.octet_string().ok()?).ok(),
        Ok(xdlms::GENERAL_CIPHERING | xdlms::GENERAL_SIGNING) => {
            let header = GeneralHeader::decode(&mut reader).ok()?;
            SystemTitle::try_from(header.originator_system_title).ok()
        }
        _ => None,
    }
}

/// Opens a notification in place.
///
/// `keys` are those of the meter that [`claimed_sender`] names, with that title; without them only a plain notification
/// passes, and that only if `required` is empty. The floor of the meter's counter is stored in `counters` before the
/// notification is given out: one that came before a restart is not taken again.
///
/// # Errors
/// [`NotificationError`]; the replay window of the keys moves only when the tag has matched.
pub fn open<'a, P: CryptoProvider>(
    provider: &P,
    counters: &mut dyn CounterStore,
    keys: Option<(&mut SecurityContext<P, [Peer]>, SystemTitle)>,
    required: Protection,
    apdu: &'a mut [u8],
) -> Result<Opened<'a>, NotificationError> {
    if let Some((context, title)) = keys {
        let mut keys = Keys { provider, context, dedicated: None, key_ring: None, asymmetric: None };
        return open_with(&mut keys, counters, &Demand::new(title, required), apdu);
    }
    let tag = apdu.first().copied();
    let is_plain = matches!(tag, Some(xdlms::DATA_NOTIFICATION | xdlms::EVENT_NOTIFICATION));
    match is_plain {
        _ if !required.is_empty() => Err(ProtectionError::Required.into()),
        false => Err(NotificationError::Unexpected { tag: tag.unwrap_or(0) }),
        true => decode(apdu, None, Protection::empty()),
    }
}

/// Opens a notification in place, in whatever `demand` takes: general-ciphering and general-signing too.
///
/// # Errors
/// [`NotificationError`]; replay windows move only when a tag has matched.
pub fn open_with<'a, P: CryptoProvider>(
    keys: &mut Keys<'_, P>,
    counters: &mut dyn CounterStore,
    demand: &Demand,
    apdu: &'a mut [u8],
) -> Result<Opened<'a>, NotificationError> {
    let opened = keys.open(counters, demand, apdu)?;
    let sender = (!opened.protection.is_empty()).then_some(demand.peer);
    decode(apdu.get(opened.apdu).unwrap_or(&[]), sender, opened.protection)
}

fn decode(
    plain: &[u8],
    sender: Option<SystemTitle>,
    protection: Protection,
) -> Result<Opened<'_>, NotificationError> {
    let notification = match plain.first().copied() {
        Some(xdlms::DATA_NOTIFICATION) => Notification::Data(whole(plain, DataNotification::decode)?),
        Some(xdlms::EVENT_NOTIFICATION) => Notification::Event(whole(plain, EventNotification::decode)?),
        Some(tag) => return Err(NotificationError::Unexpected { tag }),
        None => {
            let kind = DecodeErrorKind::Truncated { missing: 1 };
            return Err(DecodeError { offset: 0, kind }.into());
        }
    };
    Ok(Opened { notification, sender, protection })
}
