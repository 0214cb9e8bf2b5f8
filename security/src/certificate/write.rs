//! Writing DER into a caller's buffer, from its end to its beginning: so each length is known when it is written.

use core::ops::Range;

use der::asn1::ObjectIdentifier;

use super::read::{EC_PUBLIC_KEY, ECDSA_WITH_SHA256, ECDSA_WITH_SHA384, P256, P384};
use super::time::{CertificateTime, Validity};
use crate::{Curve, PublicKey, SecurityError, Signature};

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0C;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// Context-specific, constructed.
pub(super) const CONTEXT: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Octets in front of what was written before.
pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    start: usize,
    /// Octets that did not fit.
    missing: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn new(buffer: &'b mut [u8]) -> Self {
        let start = buffer.len();
        Self { buffer, start, missing: 0 }
    }

    pub(super) fn raw(&mut self, octets: &[u8]) {
        let room = self.start.checked_sub(octets.len()).filter(|_| self.missing == 0);
        match room.and_then(|at| self.buffer.get_mut(at..self.start)) {
            Some(room) => {
                room.copy_from_slice(octets);
                self.start = self.start.saturating_sub(octets.len());
            }
            None => self.missing = self.missing.saturating_add(octets.len()),
        }
    }

    /// An element around what `contents` writes.
    pub(super) fn wrap(&mut self, tag: u8, contents: impl FnOnce(&mut Self)) {
        let before = self.written();
        contents(self);
        let length = self.written().saturating_sub(before);
        let [.., high, low] = length.to_be_bytes();
        match (high, low) {
            (0, 0..=0x7F) => self.raw(&[tag, low]),
            (0, _) => self.raw(&[tag, 0x81, low]),
            _ => self.raw(&[tag, 0x82, high, low]),
        }
    }

    pub(super) fn element(&mut self, tag: u8, contents: &[u8]) {
        self.wrap(tag, |writer| writer.raw(contents));
    }

    pub(super) fn object_identifier(&mut self, identifier: ObjectIdentifier) {
        self.element(OBJECT_IDENTIFIER, identifier.as_bytes());
    }

    /// A positive INTEGER of big-endian octets.
    pub(super) fn positive(&mut self, octets: &[u8]) {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let octets = octets.get(zeros..).unwrap_or_default();
        self.wrap(INTEGER, |writer| {
            writer.raw(octets);
            if octets.first().is_none_or(|first| *first >= 0x80) {
                writer.raw(&[0]);
            }
        });
    }

    pub(super) fn signature_algorithm(&mut self, curve: Curve) {
        let algorithm = match curve {
            Curve::P256 => ECDSA_WITH_SHA256,
            Curve::P384 => ECDSA_WITH_SHA384,
        };
        self.wrap(SEQUENCE, |writer| writer.object_identifier(algorithm));
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn public_key(&mut self, key: &PublicKey) {
        let curve = match key.curve() {
            Curve::P256 => P256,
            Curve::P384 => P384,
        };
        self.wrap(SEQUENCE, |writer| {
            writer.wrap(BIT_STRING, |writer| {
                writer.raw(key.octets());
                writer.raw(&[0, 4]);
            });
            writer.wrap(SEQUENCE, |writer| {
                writer.object_identifier(curve);
                writer.object_identifier(EC_PUBLIC_KEY);
            });
        });
    }

    pub(super) fn validity(&mut self, validity: &Validity) {
        self.wrap(SEQUENCE, |writer| {
            writer.time(validity.not_after);
            writer.time(validity.not_before);
        });
    }

    /// UTCTime through 2049, GeneralizedTime from then on.
    fn time(&mut self, time: CertificateTime) {
        let Some(time) = time.date_time() else { return };
        let year = time.year();
        let tag = if year < 2050 { UTC_TIME } else { GENERALIZED_TIME };
        self.wrap(tag, |writer| {
            writer.raw(b"Z");
            for number in [time.seconds(), time.minutes(), time.hour(), time.day(), time.month()] {
                writer.two_digits(number.into());
            }
            writer.two_digits(year % 100);
            if tag == GENERALIZED_TIME {
                writer.two_digits(year / 100);
            }
        });
    }

    fn two_digits(&mut self, number: u16) {
        let digit = |number: u16| b'0' + (number % 10) as u8;
        self.raw(&[digit(number / 10), digit(number)]);
    }

    /// How many octets were written, or would have been.
    fn written(&self) -> usize {
        self.buffer.len().saturating_sub(self.start).saturating_add(self.missing)
    }

    /// Where in the buffer the octets are.
    ///
    /// # Errors
    /// [`SecurityError::BufferTooSmall`].
    pub(super) fn finish(self) -> Result<Range<usize>, SecurityError> {
        if self.missing > 0 {
            return Err(SecurityError::BufferTooSmall {
                needed: self.written(),
                available: self.buffer.len(),
            });
        }
        Ok(self.start..self.buffer.len())
    }
}

/// Writes into `buffer` what `contents` writes and `sign` signs: `SEQUENCE { contents, algorithm, signature }`, from its
/// beginning. Used for certificates and certification requests alike.
pub(super) fn signed(
    buffer: &mut [u8],
    curve: Curve,
    contents: impl FnOnce(&mut Writer<'_>),
    sign: impl FnOnce(&[u8]) -> Result<Signature, SecurityError>,
) -> Result<&[u8], SecurityError> {
    /// Header, algorithm, and a signature of two numbers of 49 octets each.
    const MOST_AROUND: usize = 4 + 12 + 2 + 1 + 2 + 2 * (2 + 49);
    let available = buffer.len();
    let mut writer = Writer::new(buffer);
    contents(&mut writer);
    let place = writer.finish()?;
    let inner = buffer.get(place.clone()).unwrap_or_default();
    let signature = sign(inner)?;

    let mut tail = [0; MOST_AROUND];
    let mut writer = Writer::new(&mut tail);
    writer.wrap(BIT_STRING, |writer| {
        writer.wrap(SEQUENCE, |writer| {
            let (r, s) = signature.octets().split_at(curve.coordinate_len());
            writer.positive(s);
            writer.positive(r);
        });
        writer.raw(&[0]);
    });
    writer.signature_algorithm(curve);
    let tail_place = writer.finish()?;
    let tail = tail.get(tail_place).unwrap_or_default();

    let length = inner.len().saturating_add(tail.len());
    let mut head = [0; 4];
    let mut writer = Writer::new(&mut head);
    match u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes() {
        [0, low @ 0..=0x7F] => writer.raw(&[SEQUENCE, low]),
        [0, low] => writer.raw(&[SEQUENCE, 0x81, low]),
        [high, low] => writer.raw(&[SEQUENCE, 0x82, high, low]),
    }
    let head_place = writer.finish()?;
    let head = head.get(head_place).unwrap_or_default();

    let needed = head.len().saturating_add(length);
    let inner_end = head.len().saturating_add(inner.len());
    if needed > available || length > usize::from(u16::MAX) {
        return Err(SecurityError::BufferTooSmall { needed, available });
    }
    let too_small = SecurityError::BufferTooSmall { needed, available };
    // Contents are at the end of the buffer: not before the place that they go to.
    let inner = buffer.get_mut(head.len()..).ok_or(too_small)?;
    let from = place.start.checked_sub(head.len()).ok_or(too_small)?;
    if from > inner.len() {
        return Err(too_small);
    }
    inner.copy_within(from.., 0);
    for (octets, at) in [(head, 0), (tail, inner_end)] {
        let room = buffer.get_mut(at..).and_then(|room| room.get_mut(..octets.len()));
        room.ok_or(too_small)?.copy_from_slice(octets);
    }
    buffer.get(..needed).ok_or(too_small)
}
