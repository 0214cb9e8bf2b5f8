//! Notifications that come without an association: push to a listener.
//!
//! A plain notification proves nothing; a listener that demands protection takes general-glo-ciphering, whose title
//! tells which meter's keys open it. The title is a claim: it only chooses keys, and the tag then proves it.

use dlms_axdr::{DecodeError, DecodeErrorKind, Reader};
use dlms_security::{CryptoProvider, Protection, SystemTitle};

use super::session::whole;
use crate::xdlms::{self, DataNotification, EventNotification};
use crate::{ProtectionError, SecurityContext};

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

/// The system title that a received APDU claims to come from: the one in general-glo-ciphering. It tells which keys to
/// open it with, and nothing else.
pub fn claimed_sender(apdu: &[u8]) -> Option<SystemTitle> {
    let mut reader = Reader::new(apdu);
    match reader.u8() {
        Ok(xdlms::GENERAL_GLO_CIPHERING) => SystemTitle::try_from(reader.octet_string().ok()?).ok(),
        _ => None,
    }
}

/// Opens a notification in place.
///
/// `keys` are those of the meter that [`claimed_sender`] names, with that title; without them only a plain notification
/// passes, and that only if `required` is empty.
///
/// # Errors
/// [`NotificationError`]; the replay window of the keys moves only when the tag has matched.
pub fn open<'a, P: CryptoProvider>(
    provider: &P,
    keys: Option<(&mut SecurityContext<P>, SystemTitle)>,
    required: Protection,
    apdu: &'a mut [u8],
) -> Result<Opened<'a>, NotificationError> {
    let tag = apdu.first().copied();
    let is_plain = matches!(tag, Some(xdlms::DATA_NOTIFICATION | xdlms::EVENT_NOTIFICATION));
    let mut sender = None;
    let mut protection = Protection::empty();
    let mut plain = 0..apdu.len();
    match keys {
        Some((context, title)) => {
            let opened = context.open(provider, None, title, required, apdu)?;
            protection = opened.protection;
            sender = opened.envelope.map(|_| title);
            plain = opened.apdu;
        }
        None if !required.is_empty() => return Err(ProtectionError::Required.into()),
        None if !is_plain => return Err(NotificationError::Unexpected { tag: tag.unwrap_or(0) }),
        None => {}
    }
    let plain = apdu.get(plain).unwrap_or(&[]);
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
