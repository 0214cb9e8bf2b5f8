//! HDLC over an octet stream: the driver of a primary station.

use std::time::Duration;

use dlms_hdlc::{Deframer, MAX_FRAME, Primary, PrimaryConfig, PrimaryEvent};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout_at;

use super::stream::{Input, Stream};
use crate::Error;
use crate::clock::Clock;
use crate::trace::{Direction, Layer, Tracer};

/// Octets that are read at once.
const READ: usize = 4096;
/// LLC header before the APDU.
const LLC: usize = 3;

pub(super) struct HdlcLink {
    stream: Stream,
    input: Input,
    deframer: Deframer<Vec<u8>>,
    primary: Primary<Vec<u8>>,
    /// The APDU on its way: frames that were lost are read from it again.
    request: Vec<u8>,
    frame: Vec<u8>,
    /// How long the link itself goes on trying.
    patience: Duration,
}

/// What became of the link.
enum Outcome {
    Connected,
    Disconnected,
    /// An APDU is in the receive buffer.
    Apdu,
    Idle,
    /// A frame that means nothing by itself; it may want an answer.
    Frame,
}

impl HdlcLink {
    pub(super) fn new(
        stream: Stream,
        config: PrimaryConfig,
        inter_octet: Option<Duration>,
        longest_apdu: usize,
    ) -> Self {
        let mut deframer = Deframer::new(vec![0; MAX_FRAME]);
        if let Some(time_out) = inter_octet {
            deframer = deframer.with_inter_octet_time_out(time_out);
        }
        let patience = config.response_time_out.saturating_mul(u32::from(config.retries) + 1);
        Self {
            stream,
            patience,
            input: Input::new(READ),
            deframer,
            primary: Primary::new(config, vec![0; longest_apdu + LLC]),
            request: Vec::new(),
            frame: vec![0; MAX_FRAME],
        }
    }

    pub(super) async fn connect(&mut self, clock: Clock, trace: &mut Tracer) -> Result<(), Error> {
        self.primary.connect();
        let mut ignored = Vec::new();
        loop {
            if let Outcome::Connected = self.run(&mut ignored, clock, trace).await? {
                return Ok(());
            }
        }
    }

    pub(super) async fn send(&mut self, apdu: &[u8], clock: Clock, trace: &mut Tracer) -> Result<(), Error> {
        let patience = self.patience;
        tokio::time::timeout(patience, self.settle(clock, trace))
            .await
            .map_err(|_| Error::Timeout("an earlier exchange ends"))??;
        self.primary.send(apdu.len()).map_err(|_| Error::Closed)?;
        self.request.clear();
        self.request.extend_from_slice(apdu);
        self.transmit(clock, trace).await
    }

    /// Takes the answer that nobody waited for out of the way.
    pub(super) async fn settle(&mut self, clock: Clock, trace: &mut Tracer) -> Result<(), Error> {
        let mut dropped = Vec::new();
        while !self.primary.is_idle() {
            if !self.primary.is_connected() {
                return Err(Error::Closed);
            }
            // Where an exchange was given up, the server is asked once more what it knows.
            let _ = self.primary.poll();
            self.run(&mut dropped, clock, trace).await?;
        }
        Ok(())
    }

    pub(super) async fn receive(
        &mut self,
        apdu: &mut Vec<u8>,
        clock: Clock,
        trace: &mut Tracer,
    ) -> Result<(), Error> {
        loop {
            match self.run(apdu, clock, trace).await? {
                Outcome::Apdu => return Ok(()),
                Outcome::Disconnected => return Err(Error::Closed),
                Outcome::Connected | Outcome::Idle | Outcome::Frame => {}
            }
        }
    }

    pub(super) async fn close(&mut self, clock: Clock, trace: &mut Tracer) -> Result<(), Error> {
        self.primary.disconnect();
        let mut ignored = Vec::new();
        loop {
            if let Outcome::Disconnected = self.run(&mut ignored, clock, trace).await? {
                break;
            }
        }
        self.stream.shutdown().await?;
        Ok(())
    }

    /// Runs the station until something happens.
    async fn run(&mut self, apdu: &mut Vec<u8>, clock: Clock, trace: &mut Tracer) -> Result<Outcome, Error> {
        loop {
            self.transmit(clock, trace).await?;
            match self.take_frame(apdu, clock, trace)? {
                Some(Outcome::Frame) => continue,
                Some(outcome) => return Ok(outcome),
                None => {}
            }
            let deadline = earlier(self.primary.poll_timeout(), self.deframer.poll_timeout());
            let filled = match deadline {
                Some(deadline) => {
                    timeout_at(clock.instant(deadline), self.input.fill(&mut self.stream)).await.ok()
                }
                None => Some(self.input.fill(&mut self.stream).await),
            };
            match filled {
                Some(filled) => filled?,
                None => {
                    let now = clock.now();
                    self.deframer.handle_timeout(now);
                    if let Some(event) = self.primary.handle_timeout(now)
                        && let Some(outcome) = outcome(event, apdu)?
                    {
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    /// Sends what there is to send.
    async fn transmit(&mut self, clock: Clock, trace: &mut Tracer) -> Result<(), Error> {
        loop {
            let now = clock.now();
            // Without a request on its way nothing is read from this.
            match self.primary.poll_transmit(now, &self.request, &mut self.frame) {
                Ok(Some(length)) => {
                    let frame = &self.frame[..length];
                    trace.octets(Layer::Hdlc, Direction::Sent, frame);
                    self.stream.write_all(frame).await?;
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(Error::Options(error.to_string())),
            }
        }
    }

    /// Takes the next frame out of what was read.
    fn take_frame(
        &mut self,
        apdu: &mut Vec<u8>,
        clock: Clock,
        trace: &mut Tracer,
    ) -> Result<Option<Outcome>, Error> {
        let now = clock.now();
        let before = self.input.unread().len();
        let mut rest = self.input.unread();
        let frame = self.deframer.next(now, &mut rest);
        let consumed = before - rest.len();
        let mut result = None;
        if let Some(frame) = frame {
            trace_frame(trace, &frame);
            result = match self.primary.handle_frame(now, &frame) {
                Some(event) => outcome(event, apdu)?,
                None => Some(Outcome::Frame),
            };
        }
        self.input.consume(consumed);
        Ok(result)
    }
}

fn outcome(event: PrimaryEvent<'_>, apdu: &mut Vec<u8>) -> Result<Option<Outcome>, Error> {
    Ok(Some(match event {
        PrimaryEvent::Connected(_) => Outcome::Connected,
        PrimaryEvent::Refused => return Err(Error::LinkRefused),
        PrimaryEvent::Disconnected => Outcome::Disconnected,
        PrimaryEvent::Apdu(octets) | PrimaryEvent::Unconfirmed(octets) => {
            apdu.clear();
            apdu.extend_from_slice(octets);
            Outcome::Apdu
        }
        PrimaryEvent::Idle => Outcome::Idle,
        PrimaryEvent::NoAnswer => return Err(Error::Timeout("waiting for an HDLC frame")),
        PrimaryEvent::Lost(loss) => return Err(Error::LinkLost(loss)),
    }))
}

fn trace_frame(trace: &mut Tracer, frame: &dlms_hdlc::Frame<'_>) {
    if !trace.is_active() {
        return;
    }
    let mut octets = vec![0; MAX_FRAME];
    if let Ok(length) = frame.encode(&mut octets) {
        trace.octets(Layer::Hdlc, Direction::Received, &octets[..length]);
    }
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
