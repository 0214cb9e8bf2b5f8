//! The wrapper over UDP: one WPDU in each datagram.

use dlms_wrapper::{HEADER_LENGTH, WPort, Wpdu};
use tokio::net::UdpSocket;

use super::wrapper::encode;
use crate::Error;
use crate::trace::{Direction, Layer, Tracer};

pub(super) struct UdpLink {
    socket: UdpSocket,
    client: WPort,
    server: WPort,
    datagram: Vec<u8>,
    out: Vec<u8>,
}

impl UdpLink {
    pub(super) fn new(socket: UdpSocket, client: WPort, server: WPort, longest_apdu: usize) -> Self {
        Self { socket, client, server, datagram: vec![0; HEADER_LENGTH + longest_apdu], out: Vec::new() }
    }

    pub(super) async fn send(&mut self, apdu: &[u8], trace: &mut Tracer) -> Result<(), Error> {
        encode(&mut self.out, self.client, self.server, apdu)?;
        trace.octets(Layer::Wrapper, Direction::Sent, &self.out);
        self.socket.send(&self.out).await?;
        Ok(())
    }

    /// A datagram that is no WPDU of ours is dropped: anybody can send one.
    pub(super) async fn receive(&mut self, apdu: &mut Vec<u8>, trace: &mut Tracer) -> Result<(), Error> {
        loop {
            let length = self.socket.recv(&mut self.datagram).await?;
            let datagram = &self.datagram[..length];
            trace.octets(Layer::Wrapper, Direction::Received, datagram);
            match Wpdu::decode_datagram(datagram) {
                Ok(wpdu) if wpdu.source == self.server && wpdu.destination == self.client => {
                    apdu.extend_from_slice(wpdu.apdu);
                    return Ok(());
                }
                Ok(wpdu) => tracing::debug!(?wpdu.source, ?wpdu.destination, "datagram for somebody else"),
                Err(error) => tracing::debug!(%error, "datagram dropped"),
            }
        }
    }
}
