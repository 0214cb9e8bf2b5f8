//! What both stations share: the sending window with its checkpoint recovery, and the reassembly of MSDUs
//! (IEC 62056-46, 6.4.4.4).

use core::ops::Range;

use crate::frame::BufferTooSmall;
use crate::llc::{LLC_LENGTH, Llc};
use crate::{Frame, Parameters, Sequence};

/// The link cannot take what the caller wants to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SendError {
    /// There is no connection.
    #[error("the link is not connected")]
    NotConnected,
    /// Something is still on its way, or not acknowledged.
    #[error("the link is busy")]
    Busy,
    /// An unconfirmed APDU must fit one frame.
    #[error("{length} octets do not fit a frame of {limit}")]
    TooLong {
        /// Octets of the LLC header and the APDU.
        length: usize,
        /// The longest information field.
        limit: usize,
    },
    /// There is no room in the queue of unconfirmed APDUs.
    #[error("the queue of unconfirmed APDUs is full")]
    QueueFull,
}

/// A frame could not be written; nothing has changed, and the call can be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TransmitError {
    /// The frame does not fit the buffer.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
    /// The APDU is not the one that was announced.
    #[error("the APDU announced has {announced} octets, not {given}")]
    Apdu {
        /// Octets announced with `send`.
        announced: usize,
        /// Octets given.
        given: usize,
    },
}

/// The numbered frames that are on their way, of one MSDU at a time.
///
/// Every segment but the last is filled to the limit: a number tells its place in the MSDU, so that nothing has to
/// be kept to send it again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendWindow {
    /// The lowest number that is not acknowledged.
    acknowledged: Sequence,
    /// V(S).
    next: Sequence,
    /// One after the highest number ever sent; ahead of V(S) while frames are repeated.
    highest: Sequence,
    /// Octets of the MSDU before `acknowledged`.
    base: usize,
    /// Octets of the MSDU; 0 when there is none.
    length: usize,
    limit: usize,
    window: u8,
}

pub(crate) struct Segment {
    pub(crate) send: Sequence,
    /// Octets of the MSDU.
    range: Range<usize>,
    /// S.
    pub(crate) segmented: bool,
    /// The last before an acknowledgement is needed: P or F.
    pub(crate) poll_final: bool,
}

impl SendWindow {
    pub(crate) fn new(parameters: Parameters) -> Self {
        let zero = Sequence::default();
        Self {
            acknowledged: zero,
            next: zero,
            highest: zero,
            base: 0,
            length: 0,
            limit: usize::from(parameters.max_information_transmit),
            window: parameters.window_transmit,
        }
    }

    pub(crate) fn start(&mut self, apdu_length: usize) {
        self.abandon();
        self.length = LLC_LENGTH.saturating_add(apdu_length);
    }

    /// Forgets the MSDU; frames that were not acknowledged count as never sent.
    pub(crate) fn abandon(&mut self) {
        self.next = self.acknowledged;
        self.highest = self.acknowledged;
        self.base = 0;
        self.length = 0;
    }

    pub(crate) fn is_valid(&self, receive: Sequence) -> bool {
        receive.since(self.acknowledged) <= self.highest.since(self.acknowledged)
    }

    /// Takes a valid N(R); whether it acknowledges anything new.
    pub(crate) fn acknowledge(&mut self, receive: Sequence) -> bool {
        let frames = receive.since(self.acknowledged);
        if self.next.since(self.acknowledged) < frames {
            self.next = receive;
        }
        self.acknowledged = receive;
        self.base = self.base.saturating_add(usize::from(frames).saturating_mul(self.limit));
        if self.base >= self.length {
            (self.base, self.length) = (0, 0);
        }
        frames > 0
    }

    /// Goes back to the first frame that is not acknowledged.
    pub(crate) fn rewind(&mut self) {
        self.next = self.acknowledged;
    }

    /// Whether frames have been sent that are not acknowledged.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.highest != self.acknowledged
    }

    /// Whether an MSDU is on its way.
    pub(crate) fn is_active(&self) -> bool {
        self.length > 0
    }

    /// V(S).
    pub(crate) fn next(&self) -> Sequence {
        self.next
    }

    /// The next segment that the window allows.
    pub(crate) fn segment(&mut self) -> Option<Segment> {
        let ahead = self.next.since(self.acknowledged);
        let start = self.base.saturating_add(usize::from(ahead).saturating_mul(self.limit));
        if ahead >= self.window || start >= self.length {
            return None;
        }
        let end = self.length.min(start.saturating_add(self.limit));
        let send = self.next;
        self.next = send.plus(1);
        if self.highest.since(self.acknowledged) <= ahead {
            self.highest = self.next;
        }
        let segmented = end < self.length;
        Some(Segment {
            send,
            range: start..end,
            segmented,
            poll_final: !segmented || ahead + 1 >= self.window,
        })
    }

    /// Writes `segment` as the information field of `frame`.
    pub(crate) fn encode(
        &self,
        segment: &Segment,
        frame: &Frame<'_>,
        llc: Llc,
        apdu: &[u8],
        out: &mut [u8],
    ) -> Result<usize, TransmitError> {
        let announced = self.length.saturating_sub(LLC_LENGTH);
        if apdu.len() != announced {
            return Err(TransmitError::Apdu { announced, given: apdu.len() });
        }
        let Range { start, end } = segment.range;
        let part = start.saturating_sub(LLC_LENGTH)..end.saturating_sub(LLC_LENGTH);
        let apdu = apdu.get(part).ok_or(TransmitError::Apdu { announced, given: apdu.len() })?;
        let header = llc.octets();
        let header = if start == 0 { &header[..] } else { &[] };
        Ok(frame.encode_parts(&[header, apdu], out)?)
    }
}

/// The received part of an MSDU, in a buffer of the caller's.
#[derive(Debug, Clone)]
pub(crate) struct Reassembly<B> {
    buffer: B,
    length: usize,
    active: bool,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Reassembly<B> {
    pub(crate) fn new(buffer: B) -> Self {
        Self { buffer, length: 0, active: false }
    }

    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.active = false;
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active
    }

    /// Whether there is room for a segment.
    pub(crate) fn fits(&self, segment: &[u8], more: bool) -> bool {
        !more && !self.active || self.buffer.as_ref().len().saturating_sub(self.length) >= segment.len()
    }

    /// Appends a segment that [fits](Self::fits) and hands out the MSDU after the last; an MSDU of one segment is not
    /// copied at all.
    pub(crate) fn append<'a>(&'a mut self, segment: &'a [u8], more: bool) -> Option<&'a [u8]> {
        if !more && !self.active {
            return Some(segment);
        }
        self.buffer.as_mut().get_mut(self.length..)?.get_mut(..segment.len())?.copy_from_slice(segment);
        let end = self.length.wrapping_add(segment.len());
        self.length = end;
        self.active = true;
        if more {
            return None;
        }
        self.clear();
        self.buffer.as_ref().get(..end)
    }
}

/// The earlier of two deadlines, either of which may be absent.
pub(crate) fn earlier(
    a: Option<core::time::Duration>,
    b: Option<core::time::Duration>,
) -> Option<core::time::Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn window(limit: u16, window_transmit: u8) -> SendWindow {
        SendWindow::new(Parameters {
            max_information_transmit: limit,
            window_transmit,
            ..Parameters::default()
        })
    }

    #[test]
    fn segments_of_a_window() {
        let mut window = window(32, 3);
        window.start(32 * 4 - LLC_LENGTH + 1);
        let mut seen = std::vec::Vec::new();
        while let Some(segment) = window.segment() {
            seen.push((segment.send.number(), segment.range, segment.segmented, segment.poll_final));
        }
        assert_eq!(seen, [(0, 0..32, true, false), (1, 32..64, true, false), (2, 64..96, true, true)]);
        assert!(window.is_valid(Sequence::new(3)) && !window.is_valid(Sequence::new(4)));
        // The second was lost: all from there again, then one more.
        assert!(window.acknowledge(Sequence::new(1)));
        window.rewind();
        assert!(
            window.is_valid(Sequence::new(3)),
            "an acknowledgement may still come while frames are repeated"
        );
        let next = window.segment().unwrap();
        assert_eq!((next.send.number(), next.range), (1, 32..64));
        assert!(window.acknowledge(Sequence::new(3)));
        let next = window.segment().unwrap();
        assert_eq!((next.send.number(), next.range, next.segmented), (3, 96..128, true));
        let next = window.segment().unwrap();
        assert_eq!((next.send.number(), next.range, next.poll_final), (4, 128..129, true));
        assert!(window.acknowledge(Sequence::new(5)));
        assert!(!window.is_active() && !window.is_outstanding());
    }

    #[test]
    fn reassembly_is_bounded() {
        let mut reassembly = Reassembly::new([0; 4]);
        assert!(reassembly.fits(&[1, 2, 3, 4, 5], false), "an MSDU of one segment needs no room");
        assert_eq!(reassembly.append(&[1, 2, 3, 4, 5], false), Some(&[1, 2, 3, 4, 5][..]));
        assert!(!reassembly.fits(&[1, 2, 3, 4, 5], true));
        assert_eq!(reassembly.append(&[1, 2, 3], true), None);
        assert!(reassembly.fits(&[4], false) && !reassembly.fits(&[4, 5], false));
        assert_eq!(reassembly.append(&[4], false), Some(&[1, 2, 3, 4][..]));
        assert!(!reassembly.is_active());
    }
}
