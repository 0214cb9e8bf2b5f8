//! WPDUs out of a TCP stream (IEC 62056-47).
//!
//! | state | event | next |
//! | --- | --- | --- |
//! | `Header` | eight octets, version 0001, 1 ≤ length ≤ capacity | `Apdu` |
//! | `Header` | anything else in the eight octets | `Lost`, or one octet further when resynchronising |
//! | `Apdu` | the last octet of the APDU | the WPDU is given out, `Header` |
//! | either | a partial WPDU older than the receive time-out | `Lost` |
//! | `Lost` | anything | the same error: close the connection |
//!
//! The length is a claim: nothing is reserved for it, and what exceeds the caller's buffer is refused when the header is
//! read.

use core::time::Duration;

use crate::{HEADER_LENGTH, Header, WPort, Wpdu, WrapperError};

/// Finds the WPDUs in a stream, however it is cut.
///
/// `B` is the caller's buffer (`&mut [u8]`, an array, a `Vec`); its length is the longest APDU that is accepted. It is
/// used only for an APDU that arrives in pieces: one that is whole in the input is borrowed from there.
pub struct Deframer<B> {
    buffer: B,
    header: [u8; HEADER_LENGTH],
    state: State,
    /// The octets of the stream before the current WPDU.
    position: u64,
    /// When the first octet of the current WPDU came.
    started: Option<Duration>,
    receive_timeout: Option<Duration>,
    recovery: Recovery,
}

/// What a [`Deframer`] does when a header is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Recovery {
    /// The framing is lost: every further call gives the error, and the connection should be closed. The only safe
    /// choice for a server.
    #[default]
    Close,
    /// Skips octet by octet to the next legal header between these two wPorts. For a client whose gateway puts other
    /// octets before its answers.
    Resynchronise {
        /// The wPort that the answers come from.
        source: WPort,
        /// The wPort that the answers go to.
        destination: WPort,
    },
}

/// What [`Deframer::receive`] made of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The octets of the input that are done with; call again with the rest.
    pub consumed: usize,
    /// The octets skipped while resynchronising.
    pub skipped: usize,
    /// A whole WPDU, if there is one; without one, all of the input is consumed.
    pub wpdu: Option<Wpdu<'a>>,
}

#[derive(Clone, Copy)]
enum State {
    Header { filled: usize },
    Apdu { header: Header, filled: usize },
    Lost(WrapperError),
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Deframer<B> {
    /// A deframer at the start of a stream, for APDUs of up to `buffer`'s length.
    pub const fn new(buffer: B) -> Self {
        Self {
            buffer,
            header: [0; HEADER_LENGTH],
            state: State::Header { filled: 0 },
            position: 0,
            started: None,
            receive_timeout: None,
            recovery: Recovery::Close,
        }
    }

    /// Gives up on a WPDU that is not whole `timeout` after its first octet.
    #[must_use]
    pub fn with_receive_timeout(mut self, timeout: Duration) -> Self {
        self.receive_timeout = Some(timeout);
        self
    }

    /// What to do when a header is wrong; without this, [`Recovery::Close`].
    #[must_use]
    pub fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Takes octets of the stream, up to and including the first whole WPDU.
    ///
    /// # Errors
    /// [`WrapperError::Version`], [`WrapperError::NoApdu`], [`WrapperError::TooLong`] or [`WrapperError::TimedOut`]. The
    /// framing is lost then: every later call gives the same error until [`reset`](Self::reset).
    pub fn receive<'a>(&'a mut self, input: &'a [u8], now: Duration) -> Result<Received<'a>, WrapperError> {
        self.handle_timeout(now)?;
        let mut consumed = 0usize;
        let mut skipped = 0usize;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            match self.state {
                State::Lost(error) => return Err(error),
                State::Header { filled } => {
                    let taken = fill(self.header.get_mut(filled..).unwrap_or_default(), rest);
                    consumed = consumed.wrapping_add(taken);
                    let filled = filled.wrapping_add(taken);
                    self.state = State::Header { filled };
                    if filled < HEADER_LENGTH {
                        break;
                    }
                    match (self.check_header(), self.recovery) {
                        (Ok(Some(header)), _) => self.state = State::Apdu { header, filled: 0 },
                        (Err(error), Recovery::Close) => return Err(self.lose(error)),
                        (Ok(None) | Err(_), _) => {
                            self.skip_one();
                            skipped = skipped.wrapping_add(1);
                        }
                    }
                }
                State::Apdu { header, filled } => {
                    let length = header.length();
                    if filled == 0
                        && let Some(apdu) = rest.get(..length)
                    {
                        self.complete(length);
                        let consumed = consumed.wrapping_add(length);
                        return Ok(Received { consumed, skipped, wpdu: Some(wpdu(header, apdu)) });
                    }
                    // The header was refused unless the buffer holds the APDU.
                    let taken = fill(self.buffer.as_mut().get_mut(filled..length).unwrap_or_default(), rest);
                    consumed = consumed.wrapping_add(taken);
                    let filled = filled.wrapping_add(taken);
                    self.state = State::Apdu { header, filled };
                    if filled < length {
                        break;
                    }
                    self.complete(length);
                    let wpdu = self.buffer.as_ref().get(..length).map(|apdu| wpdu(header, apdu));
                    return Ok(Received { consumed, skipped, wpdu });
                }
            }
        }
        if skipped > 0 || (self.started.is_none() && self.pending() > 0) {
            self.started = Some(now);
        }
        Ok(Received { consumed, skipped, wpdu: None })
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if octets are waited for until a time.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Lost(_) => None,
            _ => self.started?.checked_add(self.receive_timeout?),
        }
    }

    /// Checks the receive time-out.
    ///
    /// # Errors
    /// [`WrapperError::TimedOut`] once the time of [`poll_timeout`](Self::poll_timeout) is reached, and the error by
    /// which the framing was lost before.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), WrapperError> {
        if let State::Lost(error) = self.state {
            return Err(error);
        }
        match self.poll_timeout() {
            Some(deadline) if now >= deadline => {
                Err(self.lose(WrapperError::TimedOut { offset: self.position }))
            }
            _ => Ok(()),
        }
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// [`WrapperError::Truncated`] inside a WPDU, and the error by which the framing was lost before.
    pub fn finish(&self) -> Result<(), WrapperError> {
        let missing = match self.state {
            State::Header { filled: 0 } => return Ok(()),
            State::Header { filled } => HEADER_LENGTH.saturating_sub(filled),
            State::Apdu { header, filled } => header.length().saturating_sub(filled),
            State::Lost(error) => return Err(error),
        };
        Err(WrapperError::Truncated { offset: self.position.saturating_add(self.pending() as u64), missing })
    }

    /// Starts anew, for another connection.
    pub fn reset(&mut self) {
        self.state = State::Header { filled: 0 };
        self.position = 0;
        self.started = None;
    }

    /// The octets held of a WPDU that is not whole.
    fn pending(&self) -> usize {
        match self.state {
            State::Header { filled } => filled,
            State::Apdu { filled, .. } => filled.saturating_add(HEADER_LENGTH),
            State::Lost(_) => 0,
        }
    }

    /// The header, or nothing if it is legal but between wPorts that are not looked for.
    fn check_header(&self) -> Result<Option<Header>, WrapperError> {
        let header = Header::decode(self.header).map_err(|error| match error {
            WrapperError::Version { offset, found } => {
                WrapperError::Version { offset: self.position.saturating_add(offset), found }
            }
            WrapperError::NoApdu { offset } => {
                WrapperError::NoApdu { offset: self.position.saturating_add(offset) }
            }
            other => other,
        })?;
        let maximum = self.buffer.as_ref().len();
        if header.length() > maximum {
            let [.., l0, l1] = self.header;
            let length = u16::from_be_bytes([l0, l1]);
            return Err(WrapperError::TooLong { offset: self.position.saturating_add(6), length, maximum });
        }
        let found = match self.recovery {
            Recovery::Close => true,
            Recovery::Resynchronise { source, destination } => {
                header.source() == source && header.destination() == destination
            }
        };
        Ok(found.then_some(header))
    }

    fn skip_one(&mut self) {
        self.header.copy_within(1.., 0);
        self.state = State::Header { filled: HEADER_LENGTH - 1 };
        self.position = self.position.saturating_add(1);
    }

    fn complete(&mut self, length: usize) {
        self.state = State::Header { filled: 0 };
        self.position = self.position.saturating_add(HEADER_LENGTH.saturating_add(length) as u64);
        self.started = None;
    }

    fn lose(&mut self, error: WrapperError) -> WrapperError {
        self.state = State::Lost(error);
        error
    }
}

fn wpdu(header: Header, apdu: &[u8]) -> Wpdu<'_> {
    Wpdu { source: header.source(), destination: header.destination(), apdu }
}

/// Copies what fits, and says how much that is.
fn fill(room: &mut [u8], octets: &[u8]) -> usize {
    let taken = room.len().min(octets.len());
    if let Some((room, octets)) = room.get_mut(..taken).zip(octets.get(..taken)) {
        room.copy_from_slice(octets);
    }
    taken
}

#[cfg(all(test, feature = "std"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIENT: WPort = WPort::PUBLIC_CLIENT;
    const SERVER: WPort = WPort::MANAGEMENT;
    const SECOND: Duration = Duration::from_secs(1);

    fn encoded(apdu: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; HEADER_LENGTH + apdu.len()];
        Wpdu { source: SERVER, destination: CLIENT, apdu }.encode(&mut buffer).unwrap();
        buffer
    }

    /// The APDUs found when the stream arrives in `pieces`, and the octets skipped.
    fn apdus<B: AsRef<[u8]> + AsMut<[u8]>>(
        deframer: &mut Deframer<B>,
        pieces: &[&[u8]],
    ) -> Result<(Vec<Vec<u8>>, usize), WrapperError> {
        let (mut found, mut skipped) = (Vec::new(), 0);
        for piece in pieces {
            let mut input = *piece;
            while !input.is_empty() {
                let received = deframer.receive(input, Duration::ZERO)?;
                found.extend(received.wpdu.map(|wpdu| wpdu.apdu.to_vec()));
                skipped += received.skipped;
                input = &input[received.consumed..];
            }
        }
        Ok((found, skipped))
    }

    #[test]
    fn a_whole_wpdu_is_borrowed_from_the_input() {
        let stream = encoded(&[0x62, 0x00]);
        let mut deframer = Deframer::new([0; 16]);
        let received = deframer.receive(&stream, Duration::ZERO).unwrap();
        let apdu = received.wpdu.unwrap().apdu;
        assert!(core::ptr::eq(apdu, &stream[HEADER_LENGTH..]));
        assert_eq!(received.consumed, stream.len());
    }

    #[test]
    fn a_length_beyond_the_buffer_is_refused_with_the_header() {
        let mut deframer = Deframer::new([0; 16]);
        let stream = [encoded(&[1; 16]), encoded(&[2; 17])].concat();
        let error = apdus(&mut deframer, &[&stream[..24 + 8]]).unwrap_err();
        assert_eq!(error, WrapperError::TooLong { offset: 24 + 6, length: 17, maximum: 16 });
        assert_eq!(deframer.receive(&encoded(&[1]), SECOND), Err(error));
        assert_eq!(deframer.finish(), Err(error));
        deframer.reset();
        assert_eq!(apdus(&mut deframer, &[&encoded(&[1])]).unwrap().0, [[1]]);
    }

    #[test]
    fn a_wrong_version_loses_the_framing() {
        let mut deframer = Deframer::new([0; 16]);
        let stream = [encoded(&[1]), vec![0x7E; 8]].concat();
        let error = apdus(&mut deframer, &[&stream]).unwrap_err();
        assert_eq!(error, WrapperError::Version { offset: 9, found: 0x7E7E });
    }

    #[test]
    fn a_client_may_skip_to_its_answer() {
        let recovery = Recovery::Resynchronise { source: SERVER, destination: CLIENT };
        // Junk that looks like the start of a header, and a legal header between other wPorts.
        let stream = [&[0x00, 0x00, 0x01, 0x00, 0x01][..], &encoded(&[0x63, 0x00])].concat();
        for split in 0..stream.len() {
            let mut deframer = Deframer::new([0; 16]).with_recovery(recovery);
            let found = apdus(&mut deframer, &[&stream[..split], &stream[split..]]).unwrap();
            assert_eq!(found, (vec![vec![0x63, 0x00]], 5), "split at {split}");
        }
    }

    #[test]
    fn a_partial_wpdu_times_out() {
        let mut deframer = Deframer::new([0; 16]).with_receive_timeout(5 * SECOND);
        assert_eq!(deframer.poll_timeout(), None);
        let stream = encoded(&[1, 2]);
        deframer.receive(&stream[..1], SECOND).unwrap();
        deframer.receive(&stream[1..9], 3 * SECOND).unwrap();
        assert_eq!(deframer.poll_timeout(), Some(6 * SECOND));
        assert_eq!(deframer.handle_timeout(6 * SECOND - Duration::from_millis(1)), Ok(()));
        assert_eq!(deframer.finish(), Err(WrapperError::Truncated { offset: 9, missing: 1 }));
        assert_eq!(deframer.receive(&stream[9..], 6 * SECOND), Err(WrapperError::TimedOut { offset: 0 }));
        assert_eq!(deframer.poll_timeout(), None);
    }

    #[test]
    fn a_whole_wpdu_leaves_no_time_out() {
        let mut deframer = Deframer::new([0; 16]).with_receive_timeout(5 * SECOND);
        let stream = encoded(&[1, 2]);
        deframer.receive(&stream[..4], SECOND).unwrap();
        assert!(deframer.receive(&stream[4..], 2 * SECOND).unwrap().wpdu.is_some());
        assert_eq!(deframer.poll_timeout(), None);
        assert_eq!(deframer.finish(), Ok(()));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_apdus(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stream: Vec<u8> = sent.iter().flat_map(|apdu| encoded(apdu)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            let mut buffer = [0; 40];
            let mut deframer = Deframer::new(&mut buffer[..]);
            prop_assert_eq!(apdus(&mut deframer, &pieces).unwrap(), (sent, 0));
            prop_assert_eq!(deframer.finish(), Ok(()));
        }

        #[test]
        fn arbitrary_streams_never_panic(stream in prop::collection::vec(0u8..3, 0..200), piece in 1usize..9) {
            for recovery in [Recovery::Close, Recovery::Resynchronise { source: WPort(1), destination: WPort(1) }] {
                let mut deframer = Deframer::new([0; 16]).with_recovery(recovery);
                let pieces: Vec<&[u8]> = stream.chunks(piece).collect();
                let _ = apdus(&mut deframer, &pieces);
            }
        }
    }
}
