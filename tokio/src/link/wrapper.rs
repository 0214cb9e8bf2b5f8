//! The wrapper over TCP.

use dlms_wrapper::{Deframer, HEADER_LENGTH, WPort, Wpdu};
use tokio::io::AsyncWriteExt;

use super::stream::{Input, Stream};
use crate::Error;
use crate::clock::Clock;
use crate::trace::{Direction, Layer, Tracer};

/// Octets that are read at once.
const READ: usize = 4096;

pub(super) struct WrapperLink {
    stream: Stream,
    input: Input,
    deframer: Deframer<Vec<u8>>,
    client: WPort,
    server: WPort,
    out: Vec<u8>,
}

impl WrapperLink {
    pub(super) fn new(stream: Stream, client: WPort, server: WPort, longest_apdu: usize) -> Self {
        Self {
            stream,
            input: Input::new(READ),
            deframer: Deframer::new(vec![0; longest_apdu]),
            client,
            server,
            out: Vec::new(),
        }
    }

    pub(super) async fn send(&mut self, apdu: &[u8], trace: &mut Tracer) -> Result<(), Error> {
        encode(&mut self.out, self.client, self.server, apdu)?;
        trace.octets(Layer::Wrapper, Direction::Sent, &self.out);
        self.stream.write_all(&self.out).await?;
        Ok(())
    }

    pub(super) async fn receive(
        &mut self,
        apdu: &mut Vec<u8>,
        clock: Clock,
        trace: &mut Tracer,
    ) -> Result<(), Error> {
        loop {
            let received = self.deframer.receive(self.input.unread(), clock.now())?;
            let consumed = received.consumed;
            let mut is_ours = false;
            if let Some(wpdu) = received.wpdu {
                trace_wpdu(trace, Direction::Received, &wpdu);
                is_ours = wpdu.source == self.server && wpdu.destination == self.client;
                if is_ours {
                    apdu.extend_from_slice(wpdu.apdu);
                }
            }
            self.input.consume(consumed);
            if is_ours {
                return Ok(());
            }
            if self.input.unread().is_empty() {
                self.input.fill(&mut self.stream).await?;
            }
        }
    }

    pub(super) async fn close(&mut self) -> Result<(), Error> {
        self.stream.shutdown().await?;
        Ok(())
    }
}

/// Writes a WPDU to `out`.
pub(crate) fn encode(out: &mut Vec<u8>, source: WPort, destination: WPort, apdu: &[u8]) -> Result<(), Error> {
    out.resize(HEADER_LENGTH + apdu.len(), 0);
    let length = Wpdu { source, destination, apdu }.encode(out)?;
    out.truncate(length);
    Ok(())
}

/// Shows a WPDU that was received, if anybody looks.
pub(crate) fn trace_wpdu(trace: &mut Tracer, direction: Direction, wpdu: &Wpdu<'_>) {
    if !trace.is_active() {
        return;
    }
    let mut octets = Vec::new();
    if encode(&mut octets, wpdu.source, wpdu.destination, wpdu.apdu).is_ok() {
        trace.octets(Layer::Wrapper, direction, &octets);
    }
}
