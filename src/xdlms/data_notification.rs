//! DataNotification, tag `0F`, and DataNotificationConfirm, tag `10`: a meter sends of its own accord.
//!
//! ```text
//! 0F | long-invoke-id-and-priority (4) | date-time (octet string, empty or 12) | Data
//! 10 | long-invoke-id-and-priority (4) | date-time (octet string, empty or 12)
//! ```
//!
//! Neither has a service-specific ciphered form: they travel in the general ones. The confirmation is newer than
//! edition 8 of the Green Book. Some early meters put the type octet `09` before the date-time:
//! [`DataNotification::decode_lenient`] reads these.

use dlms_axdr::{BufferFull, Data, DateTime, DecodeError, DecodeErrorKind, Encoder, Reader};

use super::LongInvokeIdAndPriority;
use super::tag::{DATA_NOTIFICATION, DATA_NOTIFICATION_CONFIRM, expect};

/// Data that a meter sends of its own accord.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataNotification<'a> {
    /// Which notification this is; whether it is to be confirmed.
    pub long_invoke_id: LongInvokeIdAndPriority,
    /// When it was made.
    pub date_time: Option<DateTime>,
    /// What the receiver knows the meaning of: as a rule a structure of the values of a push list.
    pub body: Data<'a>,
}

/// The confirmation of a [`DataNotification`] that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataNotificationConfirm {
    /// Which notification is confirmed.
    pub long_invoke_id: LongInvokeIdAndPriority,
    /// When.
    pub date_time: Option<DateTime>,
}

impl<'a> DataNotification<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a DataNotification.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, DATA_NOTIFICATION)?;
        Ok(Self {
            long_invoke_id: LongInvokeIdAndPriority(reader.u32()?),
            date_time: decode_date_time(reader)?,
            body: Data::decode(reader)?,
        })
    }

    /// As [`DataNotification::decode`], but the date-time may come with the type octet of an octet-string before it.
    ///
    /// # Errors
    /// As [`DataNotification::decode`].
    pub fn decode_lenient(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, DATA_NOTIFICATION)?;
        let long_invoke_id = LongInvokeIdAndPriority(reader.u32()?);
        if reader.rest().starts_with(&[0x09, 0x0C]) {
            reader.u8()?;
        }
        Ok(Self { long_invoke_id, date_time: decode_date_time(reader)?, body: Data::decode(reader)? })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        Self::encode_header(encoder, self.long_invoke_id, self.date_time)?;
        encoder.data(&self.body)
    }

    /// Writes what stands before the body.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode_header(
        encoder: &mut Encoder<'_>,
        long_invoke_id: LongInvokeIdAndPriority,
        date_time: Option<DateTime>,
    ) -> Result<(), BufferFull> {
        encoder.u8(DATA_NOTIFICATION)?;
        encoder.u32(long_invoke_id.0)?;
        encode_date_time(encoder, date_time)
    }
}

impl DataNotificationConfirm {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not a DataNotificationConfirm.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        expect(reader, DATA_NOTIFICATION_CONFIRM)?;
        Ok(Self {
            long_invoke_id: LongInvokeIdAndPriority(reader.u32()?),
            date_time: decode_date_time(reader)?,
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(DATA_NOTIFICATION_CONFIRM)?;
        encoder.u32(self.long_invoke_id.0)?;
        encode_date_time(encoder, self.date_time)
    }
}

/// Reads a date-time that may be left out: an octet string of 12 octets, or an empty one.
pub(super) fn decode_date_time(reader: &mut Reader<'_>) -> Result<Option<DateTime>, DecodeError> {
    let start = reader.clone();
    match reader.length()? {
        0 => Ok(None),
        12 => reader.array().map(DateTime).map(Some),
        _ => Err(start.error(DecodeErrorKind::InvalidValue("length of date-time".into()))),
    }
}

pub(super) fn encode_date_time(
    encoder: &mut Encoder<'_>,
    date_time: Option<DateTime>,
) -> Result<(), BufferFull> {
    encoder.octet_string(date_time.as_ref().map_or(&[], |date_time| &date_time.0[..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::super::testing::{data, decode, hex, mutated, never_panics, round_trip};
    use super::*;

    /// Thursday 2021-06-03 14:09:23, deviation -60.
    const TIME: DateTime = DateTime([0x07, 0xE5, 6, 3, 4, 0x0E, 9, 0x17, 0, 0xFF, 0xC4, 0]);

    fn check(octets: &str, long_invoke_id: u32, date_time: Option<DateTime>, body: &[u8]) {
        let body = Data::from_octets(body).unwrap();
        let long_invoke_id = LongInvokeIdAndPriority(long_invoke_id);
        round_trip!(DataNotification, octets, DataNotification { long_invoke_id, date_time, body });
    }

    #[test]
    fn notifications() {
        let opaque = hex("5A8591360000000049000000110000000A5A8513D014800000000D0000000A0100");
        assert_eq!(opaque.len(), 33);
        let body = data(&hex("125A8591360000000049000000110000000A5A8513D014800000000D0000000A0100")[..]);
        check(
            "0F000001DB000922125A8591360000000049000000110000000A5A8513D014800000000D0000000A0100",
            475,
            None,
            &body,
        );
        let pushed = data(&(LogicalName::new(0, 0, 25, 9, 0, 255), 5009u32));
        check(
            "0F400000010C07E50603040E091700FFC400020209060000190900FF0600001391",
            0x4000_0001,
            Some(TIME),
            &pushed,
        );
        check("0F0000000100020209060000190900FF0600001391", 1, None, &pushed);
        check("0F4000000100020209060000190900FF0600001391", 0x4000_0001, None, &pushed);
        let unreadable = (LogicalName::new(0, 0, 1, 0, 0, 255), Option::<u8>::None, Option::<u8>::None);
        check("0F00000001000201020309060000010000FF0000", 1, None, &data(&(unreadable,)));
    }

    #[test]
    fn confirmations() {
        let confirm =
            |date_time| DataNotificationConfirm { long_invoke_id: LongInvokeIdAndPriority(1), date_time };
        round_trip!(DataNotificationConfirm, "10000000010C07E50603040E091700FFC400", confirm(Some(TIME)));
        round_trip!(DataNotificationConfirm, "100000000100", confirm(None));
    }

    #[test]
    fn a_tagged_date_time_needs_lenience() {
        let octets = hex("0F00000000090C07E10A1405032B1EFF8000000600001391");
        let error = decode(&octets, DataNotification::decode).unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (5, DecodeErrorKind::InvalidValue("length of date-time".into()))
        );
        let notification = decode(&octets, DataNotification::decode_lenient).unwrap();
        assert_eq!(notification.body, Data::DoubleLongUnsigned(5009));
        assert_eq!(notification.date_time.unwrap().0[..4], [0x07, 0xE1, 0x0A, 0x14]);
    }

    proptest! {
        #[test]
        fn any_notification(id: u32, date_time: Option<[u8; 12]>, value: u64) {
            let notification = DataNotification {
                long_invoke_id: LongInvokeIdAndPriority(id),
                date_time: date_time.map(DateTime),
                body: Data::Long64Unsigned(value),
            };
            let mut buffer = [0; 32];
            let mut encoder = Encoder::new(&mut buffer);
            notification.encode(&mut encoder).unwrap();
            prop_assert_eq!(decode(encoder.written(), DataNotification::decode).unwrap(), notification);
        }

        #[test]
        fn malformed_input(octets in mutated(&[
            "0F400000010C07E50603040E091700FFC400020209060000190900FF0600001391",
            "10000000010C07E50603040E091700FFC400",
        ])) {
            never_panics(&octets, DataNotification::decode);
            never_panics(&octets, DataNotification::decode_lenient);
            never_panics(&octets, DataNotificationConfirm::decode);
        }
    }
}
