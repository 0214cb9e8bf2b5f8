//! Octets to frames: the streaming receiver (IEC 62056-46, 6.4.4.9).
//!
//! The length field delimits a frame; 7E inside it means nothing. A candidate is given up at its first failing check
//! (format, length, addresses, header check sequence, closing flag, frame check sequence), and the search for a flag
//! resumes at the octet after its opening flag. Nothing beyond the thirteen octets of the longest header is waited for
//! before the header check sequence has vouched for the length.
//!
//! **Bounded work.** A header is looked at once per flag in front of it. The frame check runs once the closing flag
//! stands where the length says: if it then fails, the boundaries are still right and the search resumes at that
//! closing flag. A stretch of octets that holds one well-checked header with a wrong length after another is dropped
//! after [`STRIKES`] of them.
//!
//! **The run loop.** Feed whatever has been read, in whatever pieces; frames borrow from the input where they lie in
//! it whole, from the deframer's own buffer where they do not.
//!
//! ```
//! use core::time::Duration;
//! use dlms_hdlc::{Deframer, MAX_FRAME};
//!
//! let mut deframer = Deframer::new([0; MAX_FRAME]);
//! let octets = [0x7E, 0xA0, 0x07, 0x03, 0x21, 0x93, 0x0F, 0x01, 0x7E];
//! let mut frames = 0;
//! for piece in octets.chunks(4) {
//!     let mut input = piece;
//!     while let Some(frame) = deframer.next(Duration::ZERO, &mut input) {
//!         assert_eq!(frame.control.name(), "SNRM");
//!         frames += 1;
//!     }
//! }
//! assert_eq!(frames, 1);
//! ```

use core::ops::Range;
use core::time::Duration;

use crate::frame::{FLAG, FrameErrorKind, Header, MIN_LENGTH, claimed_length};
use crate::log::log;
use crate::{Crc, Frame};

/// Well-checked headers with a wrong length in one stretch of octets before the stretch is dropped.
pub const STRIKES: u8 = 8;

/// Format, two addresses of four octets, control and header check sequence.
const LONGEST_HEADER: usize = 13;

/// What a [`Deframer`] has seen, for diagnostics. A line with wrong serial settings shows noise and no frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statistics {
    /// Frames handed out.
    pub frames: u32,
    /// Octets outside of any frame.
    pub noise: u64,
    /// Candidates whose format, length or addresses cannot be.
    pub malformed: u32,
    /// Candidates with a wrong header check sequence.
    pub header_checks: u32,
    /// Candidates without a closing flag where the length field wants it.
    pub lengths: u32,
    /// Candidates with a wrong frame check sequence.
    pub frame_checks: u32,
    /// Candidates that the inter-octet time-out cut off.
    pub timeouts: u32,
}

/// Finds the frames in a stream of octets.
///
/// `B` is the buffer for a frame that arrives in pieces: `[u8; N]`, `&mut [u8]`, or a `Vec<u8>`.
/// [`MAX_FRAME`](crate::MAX_FRAME) octets take anything; a smaller buffer bounds the frames that are taken.
#[derive(Debug, Clone)]
pub struct Deframer<B> {
    buffer: B,
    head: usize,
    filled: usize,
    /// Octets from `head` without which another look is useless.
    need: usize,
    candidate: Candidate,
    inter_octet: Option<Duration>,
    last_octet: Duration,
    strict: bool,
    statistics: Statistics,
    #[cfg(test)]
    examined: u64,
}

/// What is known of the octets after the last flag; independent of where they are stored.
#[derive(Debug, Clone, Copy, Default)]
struct Candidate {
    /// A flag has been seen, and the octets that follow may be a frame.
    open: bool,
    /// Octets that `crc` has run over, once the header check sequence was right.
    checked: usize,
    crc: Crc,
    /// Octets from here on that lie inside a candidate whose length was wrong.
    suspect: usize,
    strikes: u8,
    /// Strict mode: everything up to the next silence is dropped.
    dropping: bool,
}

enum Scan {
    /// Octets `range` lie between two flags and every check has passed.
    Frame {
        range: Range<usize>,
        header: Header,
    },
    /// A candidate begins at `start` and wants `need` octets.
    Partial {
        start: usize,
        need: usize,
    },
    Consumed,
}

enum Examination {
    Frame(Header, usize),
    /// Wants this many octets.
    Short(usize),
    /// Not a frame; the search resumes after this many octets.
    Refused(usize),
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Deframer<B> {
    /// A receiver that waits for octets without limit, as a TCP connection wants it.
    pub fn new(buffer: B) -> Self {
        Self {
            buffer,
            head: 0,
            filled: 0,
            need: 0,
            candidate: Candidate::default(),
            inter_octet: None,
            last_octet: Duration::ZERO,
            strict: false,
            statistics: Statistics::default(),
            #[cfg(test)]
            examined: 0,
        }
    }

    /// Drops an unfinished frame when no octet has come for `time_out`: 20 ms to 6 s, 25 ms by default on a serial
    /// line.
    #[must_use]
    pub fn with_inter_octet_time_out(mut self, time_out: Duration) -> Self {
        self.inter_octet = Some(time_out);
        self
    }

    /// After a wrong header check sequence drops everything up to the next silence, as 6.4.4.9.2 asks of a server.
    ///
    /// Needs an inter-octet time-out, without which there is no silence.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// What has been seen so far.
    #[must_use]
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Forgets an unfinished frame, as after a change of the line's speed.
    pub fn reset(&mut self) {
        (self.head, self.filled) = (0, 0);
        self.candidate = Candidate::default();
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let waiting = self.candidate.open || self.candidate.dropping || self.head < self.filled;
        self.inter_octet.filter(|_| waiting).map(|time_out| self.last_octet.saturating_add(time_out))
    }

    /// Drops an unfinished frame whose time has run out.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            if self.head < self.filled {
                self.statistics.timeouts = self.statistics.timeouts.saturating_add(1);
            }
            self.reset();
        }
    }

    /// Takes octets that arrived at `now` from the front of `input` and hands out the next frame.
    ///
    /// `None`: `input` is empty, and more octets are needed.
    pub fn next<'a, 'i: 'a>(&'a mut self, now: Duration, input: &mut &'i [u8]) -> Option<Frame<'a>> {
        if self.inter_octet.is_some() && !input.is_empty() {
            self.handle_timeout(now);
            self.last_octet = now;
        }
        while self.head < self.filled {
            let missing = self.need.saturating_sub(self.filled.wrapping_sub(self.head));
            if missing > 0 && !self.top_up(missing, input) {
                return None;
            }
            match self.scan(None) {
                Scan::Frame { range, header } => {
                    self.head = range.end;
                    self.need = 0;
                    return Some(header.frame(self.buffer.as_ref().get(range)?));
                }
                Scan::Partial { start, need } => {
                    self.head = start;
                    self.need = need;
                }
                Scan::Consumed => (self.head, self.filled) = (0, 0),
            }
        }
        let all = core::mem::take(input);
        match self.scan(Some(all)) {
            Scan::Frame { range, header } => {
                *input = all.get(range.end..)?;
                Some(header.frame(all.get(range)?))
            }
            Scan::Partial { start, need } => {
                // Fewer octets than the candidate needs, and none is followed that needs more than the buffer.
                let rest = all.get(start..)?;
                self.buffer.as_mut().get_mut(..rest.len())?.copy_from_slice(rest);
                (self.head, self.filled, self.need) = (0, rest.len(), need);
                None
            }
            Scan::Consumed => None,
        }
    }

    /// Moves `missing` octets, or all there are, from the input behind those in the buffer; whether it was enough.
    #[inline]
    fn top_up(&mut self, missing: usize, input: &mut &[u8]) -> bool {
        let buffer = self.buffer.as_mut();
        if self.head.wrapping_add(self.need) > buffer.len() {
            if let Some(filled) = buffer.get_mut(..self.filled)
                && self.head <= filled.len()
            {
                filled.copy_within(self.head.., 0);
            }
            self.filled = self.filled.saturating_sub(self.head);
            self.head = 0;
        }
        let (piece, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
        *input = rest;
        let target = buffer.get_mut(self.filled..).and_then(|room| room.get_mut(..piece.len()));
        // It is there: no candidate is followed that needs more than the buffer.
        let Some(target) = target else { return false };
        // A call of memcpy costs more than the octets of the smallest pieces.
        if let ([only], [slot]) = (piece, &mut *target) {
            *slot = *only;
        } else {
            target.copy_from_slice(piece);
        }
        self.filled = self.filled.wrapping_add(piece.len());
        piece.len() == missing
    }

    /// Looks for a frame in `input`, or in the buffer.
    fn scan(&mut self, input: Option<&[u8]>) -> Scan {
        let capacity = self.buffer.as_ref().len();
        let octets = input.unwrap_or(self.buffer.as_ref().get(self.head..self.filled).unwrap_or_default());
        let base = if input.is_some() { 0 } else { self.head };
        let candidate = &mut self.candidate;
        let statistics = &mut self.statistics;
        let mut at = 0;
        loop {
            if candidate.dropping || capacity < LONGEST_HEADER {
                return Scan::Consumed;
            }
            if !candidate.open {
                let rest = octets.get(at..).unwrap_or_default();
                let noise = find_flag(rest);
                let skipped = noise.unwrap_or(rest.len());
                statistics.noise = statistics.noise.wrapping_add(skipped as u64);
                at = at.wrapping_add(skipped);
                candidate.advance(skipped);
                #[cfg(test)]
                {
                    self.examined += skipped as u64 + 1;
                }
                if noise.is_none() {
                    return Scan::Consumed;
                }
                at = at.wrapping_add(1);
                candidate.advance(1);
                candidate.open = true;
                candidate.checked = 0;
            }
            let rest = octets.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Scan::Consumed;
            }
            #[cfg(test)]
            let before = candidate.checked;
            let examination = candidate.examine(rest, capacity, self.strict, statistics);
            #[cfg(test)]
            {
                self.examined += match &examination {
                    Examination::Frame(_, length) => length - before,
                    Examination::Refused(skip) => LONGEST_HEADER + skip,
                    Examination::Short(_) => LONGEST_HEADER,
                } as u64;
            }
            match examination {
                Examination::Short(need) => return Scan::Partial { start: base.wrapping_add(at), need },
                Examination::Frame(header, length) => {
                    candidate.open = false;
                    candidate.advance(length);
                    statistics.frames = statistics.frames.wrapping_add(1);
                    let start = base.wrapping_add(at);
                    return Scan::Frame { range: start..start.wrapping_add(length), header };
                }
                Examination::Refused(skip) => {
                    candidate.open = false;
                    candidate.advance(skip);
                    at = at.wrapping_add(skip);
                }
            }
        }
    }
}

impl Candidate {
    fn advance(&mut self, octets: usize) {
        self.suspect = self.suspect.saturating_sub(octets);
    }

    /// Checks the octets after a flag, as far as they go.
    fn examine(
        &mut self,
        octets: &[u8],
        capacity: usize,
        strict: bool,
        statistics: &mut Statistics,
    ) -> Examination {
        use Examination::{Refused, Short};

        let Some(first) = octets.first() else { return Short(MIN_LENGTH + 1) };
        if first & 0xF0 != 0xA0 {
            // A doubled flag is not an error.
            statistics.malformed = statistics.malformed.saturating_add(u32::from(*first != FLAG));
            return Refused(0);
        }
        // The shortest frame and its closing flag.
        if octets.len() <= MIN_LENGTH {
            return Short(MIN_LENGTH + 1);
        }
        let length = claimed_length(*first, octets[1]);
        if length < MIN_LENGTH || length >= capacity {
            statistics.malformed = statistics.malformed.saturating_add(1);
            return Refused(0);
        }
        let whole_header = LONGEST_HEADER.min(length + 1);
        let header = match Header::decode(&octets[..octets.len().min(length)]) {
            Ok(header) => header,
            Err(error) if error.kind == FrameErrorKind::Truncated && octets.len() < whole_header => {
                return Short(whole_header);
            }
            Err(_) => {
                statistics.malformed = statistics.malformed.saturating_add(1);
                return Refused(0);
            }
        };
        let Ok(has_information) = header.has_information(length) else {
            statistics.malformed = statistics.malformed.saturating_add(1);
            return Refused(0);
        };
        if self.checked == 0 {
            self.crc = Crc::new();
            if has_information {
                let end = header.length.wrapping_add(2);
                let Some(header_and_check) = octets.get(..end) else {
                    return Short(whole_header);
                };
                self.crc.update(header_and_check);
                if !self.crc.is_good() {
                    log!(debug, "frame rejected: header check sequence");
                    statistics.header_checks = statistics.header_checks.saturating_add(1);
                    self.dropping = strict;
                    return Refused(0);
                }
                self.checked = end;
            }
        }
        let Some(closing) = octets.get(length) else {
            return Short(length + 1);
        };
        if *closing != FLAG {
            log!(debug, "frame rejected: no flag after {} octets", length);
            statistics.lengths = statistics.lengths.saturating_add(1);
            return Refused(self.strike(length));
        }
        // The closing flag stands behind them; and what is left out fails the check.
        self.crc.update(octets.get(self.checked..length).unwrap_or_default());
        if !self.crc.is_good() {
            log!(debug, "frame rejected: frame check sequence");
            statistics.frame_checks = statistics.frame_checks.saturating_add(1);
            return Refused(if has_information { length } else { 0 });
        }
        Examination::Frame(header, length)
    }

    /// Counts a wrong length, and says how many octets to give up because of it.
    fn strike(&mut self, length: usize) -> usize {
        self.strikes = if self.suspect > 0 { self.strikes.saturating_add(1) } else { 1 };
        self.suspect = self.suspect.max(length);
        if self.strikes < STRIKES {
            return 0;
        }
        self.strikes = 0;
        self.suspect = 0;
        length
    }
}

/// Where the next flag is.
fn find_flag(octets: &[u8]) -> Option<usize> {
    let is_flag = |octet: &u8| *octet == FLAG;
    // Mostly it is near: the closing flag of the last frame, or the next one in a burst of noise.
    let near = octets.len().min(4);
    if let Some(position) = octets[..near].iter().position(is_flag) {
        return Some(position);
    }
    // Whole blocks are compared without a branch an octet, which the compiler turns into vector instructions.
    let (blocks, _) = octets[near..].as_chunks::<32>();
    let clear = blocks
        .iter()
        .position(|block| block.iter().fold(false, |found, octet| found | is_flag(octet)))
        .unwrap_or(blocks.len());
    let start = near.wrapping_add(clear.wrapping_mul(32));
    let position = octets.get(start..)?.iter().position(is_flag)?;
    Some(start.wrapping_add(position))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ClientAddress, Control, MAX_FRAME, ServerAddress};
    use proptest::prelude::*;
    use std::vec::Vec;

    const SNRM: [u8; 9] = [0x7E, 0xA0, 0x07, 0x03, 0x21, 0x93, 0x0F, 0x01, 0x7E];

    fn all(deframer: &mut Deframer<[u8; MAX_FRAME]>, octets: &[u8], pieces: usize) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        for mut piece in octets.chunks(pieces.max(1)) {
            while let Some(frame) = deframer.next(Duration::ZERO, &mut piece) {
                frames.push((frame.control.octet(), frame.information.to_vec()));
            }
            assert!(piece.is_empty());
        }
        frames
    }

    fn controls(octets: &[u8]) -> Vec<u8> {
        let whole = all(&mut Deframer::new([0; MAX_FRAME]), octets, usize::MAX);
        for pieces in [1, 2, 3, 7, 16] {
            assert_eq!(all(&mut Deframer::new([0; MAX_FRAME]), octets, pieces), whole, "pieces of {pieces}");
        }
        whole.into_iter().map(|(control, _)| control).collect()
    }

    fn frame(information: &[u8]) -> Vec<u8> {
        let mut out = [0; MAX_FRAME];
        let length = Frame {
            destination: ServerAddress::two(1, 0x11).unwrap().into(),
            source: ClientAddress::PUBLIC.into(),
            control: Control::from_octet(0x10),
            segmented: false,
            information,
        }
        .encode(&mut out)
        .unwrap();
        out[..length].to_vec()
    }

    #[test]
    fn flags_shared_doubled_and_missing() {
        let body = &SNRM[1..8];
        assert_eq!(controls(&[&SNRM[..], &SNRM[..]].concat()), [0x93, 0x93]);
        assert_eq!(controls(&[&SNRM[..], body, &[0x7E]].concat()), [0x93, 0x93]);
        assert_eq!(controls(&[&[0x7E, 0x7E], &SNRM[..]].concat()), [0x93]);
        assert_eq!(controls(&[body, &[0x7E]].concat()), []);
        assert_eq!(controls(&SNRM[..8]), []);
    }

    #[test]
    fn noise_and_half_frames() {
        assert_eq!(controls(&[&[0x00, 0xFF, 0x7E, 0x55], &SNRM[..]].concat()), [0x93]);
        assert_eq!(controls(&[&SNRM[..5], &SNRM[..]].concat()), [0x93]);
        assert_eq!(controls(&[&frame(&[0x55; 100])[..50], &SNRM[..], &[0; 100]].concat()), [0x93]);
        assert_eq!(controls(&[&[0x7E, 0xB0, 0x07], &SNRM[..]].concat()), [0x93]);
        // An M-Bus frame on the same wire.
        assert_eq!(controls(&[&[0x10, 0x40, 0x01, 0x41, 0x16], &SNRM[..]].concat()), [0x93]);
    }

    #[test]
    fn a_wrong_frame_check_keeps_the_closing_flag() {
        let mut bad = frame(&[0x7E; 40]);
        bad[20] = 0;
        assert_eq!(controls(&[&bad[..], &SNRM[1..]].concat()), [0x93]);
    }

    #[test]
    fn the_buffer_bounds_the_frame_whole_or_in_pieces() {
        let long = frame(&[0; 100]);
        for pieces in [1, 1000] {
            let mut deframer = Deframer::new([0_u8; 64]);
            let mut frames = 0;
            for mut piece in [&long[..], &SNRM[..]].concat().chunks(pieces) {
                while deframer.next(Duration::ZERO, &mut piece).is_some() {
                    frames += 1;
                }
            }
            assert_eq!(frames, 1);
        }
        let mut empty = Deframer::new([0_u8; 0]);
        assert!(empty.next(Duration::ZERO, &mut &SNRM[..]).is_none());
    }

    #[test]
    fn inter_octet_time_out() {
        let ms = Duration::from_millis;
        let mut deframer = Deframer::new([0; 64]).with_inter_octet_time_out(ms(25));
        assert_eq!(deframer.poll_timeout(), None);
        assert!(deframer.next(ms(0), &mut &SNRM[..6]).is_none());
        assert_eq!(deframer.poll_timeout(), Some(ms(25)));
        assert!(deframer.next(ms(10), &mut &SNRM[6..7]).is_none());
        deframer.handle_timeout(ms(34));
        assert!(deframer.next(ms(34), &mut &SNRM[7..8]).is_none());
        let mut rest = &SNRM[8..];
        assert!(deframer.next(ms(58), &mut rest).is_some());
        assert!(deframer.next(ms(58), &mut rest).is_none());
        // The closing flag may open a frame, but not for ever.
        assert_eq!(deframer.poll_timeout(), Some(ms(83)));
        assert!(deframer.next(ms(83), &mut &SNRM[1..]).is_none());
        assert_eq!(deframer.statistics().timeouts, 0);
        assert!(deframer.next(ms(200), &mut &SNRM[..3]).is_none());
        deframer.handle_timeout(ms(225));
        assert_eq!(deframer.statistics().timeouts, 1);
        assert!(deframer.next(ms(225), &mut &SNRM[3..]).is_none());
    }

    #[test]
    fn strict_drops_what_follows_a_wrong_header_check() {
        let mut bad = frame(&[0; 20]);
        bad[6] ^= 1;
        let octets = [&bad[..], &SNRM[..]].concat();
        assert_eq!(controls(&octets), [0x93]);
        let ms = Duration::from_millis;
        let mut deframer = Deframer::new([0; 64]).with_inter_octet_time_out(ms(25)).strict();
        assert!(deframer.next(ms(0), &mut &octets[..]).is_none());
        assert!(deframer.next(ms(24), &mut &SNRM[..]).is_none());
        assert!(deframer.next(ms(50), &mut &SNRM[..]).is_some());
    }

    /// Octets looked at per octet of hostile input stay under a constant.
    #[test]
    fn work_is_bounded() {
        const SIZE: usize = 64 * 1024;
        let noise: Vec<u8> = [0x7E, 0xA7, 0xFD].iter().copied().cycle().take(SIZE).collect();
        // A right header check sequence and a length of 0x7FD, again and again.
        let mut header = [0x7E, 0xA7, 0xFD, 0x03, 0x21, 0x10, 0, 0];
        let check = Crc::of(&header[1..6]).to_le_bytes();
        header[6..].copy_from_slice(&check);
        let headers: Vec<u8> = header.iter().copied().cycle().take(SIZE).collect();
        // The same with a length that ends on the flag of a later copy.
        let mut aligned = [0x7E, 0xA7, 0xF7, 0x03, 0x21, 0x10, 0, 0];
        let check = Crc::of(&aligned[1..6]).to_le_bytes();
        aligned[6..].copy_from_slice(&check);
        let aligned: Vec<u8> = aligned.iter().copied().cycle().take(SIZE).collect();
        for octets in [noise, headers, aligned, [0x7E; SIZE].to_vec(), [0xA0; SIZE].to_vec()] {
            for pieces in [1, 16, 1500, SIZE] {
                let mut deframer = Deframer::new([0; MAX_FRAME]);
                assert_eq!(all(&mut deframer, &octets, pieces), []);
                assert!(deframer.examined < 16 * SIZE as u64, "{} of {SIZE}", deframer.examined);
            }
        }
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..12),
            proptest::collection::vec(prop_oneof![Just(0x7E), Just(0xA0), Just(0x0A), Just(0x03)], 0..12),
            proptest::collection::vec(any::<u8>(), 0..60).prop_map(|information| frame(&information)),
            (proptest::collection::vec(any::<u8>(), 0..60), any::<proptest::sample::Index>(), any::<u8>())
                .prop_map(|(information, index, octet)| {
                    let mut frame = frame(&information);
                    *index.get_mut(&mut frame) = octet;
                    frame
                }),
            Just(SNRM[..6].to_vec()),
            // A right header that promises more than there is.
            Just(frame(&[0x7E; 300])[..20].to_vec()),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_finds_the_same_frames(octets in stream(), cuts in proptest::collection::vec(0_usize..40, 1..40)) {
            let whole = all(&mut Deframer::new([0; MAX_FRAME]), &octets, usize::MAX);
            let mut deframer = Deframer::new([0; MAX_FRAME]);
            let mut split = Vec::new();
            let mut rest = &octets[..];
            for cut in cuts.iter().cycle().take(10_000) {
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                split.extend(all(&mut deframer, piece, usize::MAX));
                rest = tail;
            }
            split.extend(all(&mut deframer, rest, usize::MAX));
            prop_assert_eq!(split, whole);
        }

        #[test]
        fn a_frame_between_random_octets_is_found(
            before in proptest::collection::vec(any::<u8>(), 0..200),
            information in proptest::collection::vec(any::<u8>(), 0..200),
            after in proptest::collection::vec(any::<u8>(), 2100),
        ) {
            // A header check sequence that is right by chance could hide the frame: one in 65,536 per flag.
            let frame = frame(&information);
            let octets = [&before[..], &frame[..], &after[..]].concat();
            let found = all(&mut Deframer::new([0; MAX_FRAME]), &octets, usize::MAX);
            prop_assert!(found.iter().any(|(_, found)| *found == information));
        }
    }
}
