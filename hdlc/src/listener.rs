//! The listener at a push-only customer port (HAN, H1, optical): frames without a session, in one direction.
//!
//! Nothing is answered, and neither mode nor numbers nor the destination are looked at. What meters send, and what this
//! makes of it:
//!
//! | seen | treatment |
//! |---|---|
//! | one UI, far longer than 128 octets | one push |
//! | I frame as a datagram | the same |
//! | UI with S = 1 .. S = 0, LLC only in the first | joined to one push |
//! | UI with S = 0 each, a block of a general-block-transfer in each, LLC only in the first | one push per frame; joining the blocks is up to the layer above |
//! | LLC of a command instead of a response | accepted |
//!
//! UI has no numbers: a segment lost from the middle goes unnoticed here, and shows in the APDU.

use core::time::Duration;

use crate::link::Reassembly;
use crate::{Address, Control, Frame, Llc};

/// An APDU, or a piece of one, that a meter has pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push<'a> {
    /// Who it is for; meters put all sorts of values there.
    pub destination: Address,
    /// The meter.
    pub source: Address,
    /// The LLC header; `None` if there was none, as in the later blocks of a general-block-transfer.
    pub llc: Option<Llc>,
    /// What follows it.
    pub apdu: &'a [u8],
}

/// Joins segmented pushes.
///
/// `B` holds a push that arrives in segments: `[u8; N]`, `&mut [u8]`, or a `Vec<u8>`.
///
/// ```
/// use core::time::Duration;
/// use dlms_hdlc::{Deframer, Listener, MAX_FRAME};
///
/// # let octets: &[u8] = &[
/// #     0x7E, 0xA0, 0x19, 0x03, 0x03, 0x03, 0xE6, 0xE8, 0xE6, 0xE7, 0x00, 0xC2, 0x00, 0x00, 0x01, 0x00, 0x00, 0x60,
/// #     0x0B, 0x00, 0xFF, 0x02, 0x11, 0x07, 0x73, 0x75, 0x7E,
/// # ];
/// # let now = Duration::ZERO;
/// let mut deframer = Deframer::new([0; MAX_FRAME]);
/// let mut listener = Listener::new([0; 4096]);
/// let mut input = octets; // what a read has returned
/// while let Some(frame) = deframer.next(now, &mut input) {
///     if let Some(push) = listener.handle_frame(now, &frame) {
///         assert_eq!(push.apdu[0], 0xC2); // event-notification-request
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Listener<B> {
    reassembly: Reassembly<B>,
    stations: Option<(Address, Address)>,
    last_segment: Duration,
    patience: Duration,
    /// The first segments were missed, or did not fit: the rest of this push is dropped.
    skipping: bool,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Listener<B> {
    /// A listener that waits ten seconds for the next segment of a push: meters pause for seconds inside one.
    pub fn new(reassembly: B) -> Self {
        Self {
            reassembly: Reassembly::new(reassembly),
            stations: None,
            last_segment: Duration::ZERO,
            patience: Duration::from_secs(10),
            skipping: false,
        }
    }

    /// Waits so long for the next segment of a push instead.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Takes a frame that arrived at `now` and hands out a push when it is complete.
    pub fn handle_frame<'a>(&'a mut self, now: Duration, frame: &Frame<'a>) -> Option<Push<'a>> {
        if !matches!(frame.control, Control::UnnumberedInformation { .. } | Control::Information { .. })
            || frame.information.is_empty()
        {
            return None;
        }
        let stations = (frame.destination, frame.source);
        let late = now > self.last_segment.saturating_add(self.patience);
        let first = Llc::split(frame.information).is_some();
        if first || late || self.stations != Some(stations) {
            self.reassembly.clear();
            self.skipping = false;
        }
        self.last_segment = now;
        self.stations = Some(stations);
        if frame.segmented && !first && !self.reassembly.is_active() {
            self.skipping = true;
        }
        if self.skipping {
            self.skipping = frame.segmented;
            return None;
        }
        if !self.reassembly.fits(frame.information, frame.segmented) {
            self.reassembly.clear();
            self.skipping = frame.segmented;
            return None;
        }
        let msdu = self.reassembly.append(frame.information, frame.segmented)?;
        let (llc, apdu) = match Llc::split(msdu) {
            Some((llc, apdu)) => (Some(llc), apdu),
            None => (None, msdu),
        };
        Some(Push { destination: frame.destination, source: frame.source, llc, apdu })
    }
}
