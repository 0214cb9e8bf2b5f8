//! EventNotification, tag `C2`: a meter reports an attribute of its own accord (IEC 62056-5-3).
//!
//! ```text
//! C2 | time? (octet string of 12) | attribute | Data
//! ```
//!
//! No invoke-id, no answer. The time is an optional octet string, `01 0C` and twelve octets; a widespread stack writes
//! the type octet of an octet-string in place of the usage octet, `09 0C`, which is accepted.

use dlms_axdr::{BufferFull, Data, DateTime, DecodeError, DecodeErrorKind, Encoder, Reader};

use super::AttributeDescriptor;
use super::tag::{EVENT_NOTIFICATION, expect};

/// An attribute that a meter reports of its own accord.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventNotification<'a> {
    /// When the event was.
    pub time: Option<DateTime>,
    /// The attribute.
    pub attribute: AttributeDescriptor,
    /// Its value.
    pub value: Data<'a>,
}

impl<'a> EventNotification<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not an EventNotification.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, EVENT_NOTIFICATION)?;
        Ok(Self {
            time: decode_time(reader)?,
            attribute: AttributeDescriptor::decode(reader)?,
            value: Data::decode(reader)?,
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(EVENT_NOTIFICATION)?;
        encoder.usage(self.time.is_some())?;
        self.time.map_or(Ok(()), |time| encoder.octet_string(&time.0))?;
        self.attribute.encode(encoder)?;
        encoder.data(&self.value)
    }
}

fn decode_time(reader: &mut Reader<'_>) -> Result<Option<DateTime>, DecodeError> {
    let start = reader.clone();
    match reader.u8()? {
        0x00 => return Ok(None),
        0x01 | 0x09 => {}
        _ => return Err(start.error(DecodeErrorKind::InvalidValue("time".into()))),
    }
    let start = reader.clone();
    if reader.length()? != 12 {
        return Err(start.error(DecodeErrorKind::InvalidValue("length of time".into())));
    }
    reader.array().map(DateTime).map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dlms_obis::LogicalName;
    use proptest::prelude::*;

    use super::super::testing::{decode, hex, mutated, never_panics, round_trip};
    use super::*;

    const ENERGY: EventNotification<'static> = EventNotification {
        time: None,
        attribute: AttributeDescriptor::new(3, LogicalName::new(1, 0, 1, 8, 0, 255), 2),
        value: Data::DoubleLongUnsigned(5009),
    };

    #[test]
    fn notifications() {
        round_trip!(EventNotification, "C20000030100010800FF020600001391", ENERGY);
        let time = Some(DateTime([0x07, 0xE5, 6, 3, 4, 0x0E, 9, 0x17, 0, 0xFF, 0xC4, 0]));
        let timed = EventNotification { time, ..ENERGY };
        round_trip!(EventNotification, "C2010C07E50603040E091700FFC40000030100010800FF020600001391", timed);
        let tagged = hex("C2090C07E50603040E091700FFC40000030100010800FF020600001391");
        assert_eq!(decode(&tagged, EventNotification::decode), Ok(timed));
        let short = hex("C2010B07E50603040E091700FFC40000030100010800FF020600001391");
        let error = decode(&short, EventNotification::decode).unwrap_err();
        assert_eq!((error.offset, error.kind), (2, DecodeErrorKind::InvalidValue("length of time".into())));
    }

    proptest! {
        #[test]
        fn malformed_input(octets in mutated(&["C2010C07E50603040E091700FFC40000030100010800FF020600001391"])) {
            never_panics(&octets, EventNotification::decode);
        }
    }
}
