//! A link that carries whole APDUs: wrapper over TCP or UDP, HDLC over TCP or a serial line.

mod hdlc;
mod stream;
mod udp;
mod wrapper;

use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_serial::{SerialPort, SerialStream};

use crate::clock::Clock;
use crate::optical::sign_on;
use crate::options::{ClientOptions, Endpoint, Framing};
use crate::trace::{Direction, Layer, Tracer};
use crate::{Error, Trace};
use hdlc::HdlcLink;
use stream::Stream;
use udp::UdpLink;
use wrapper::WrapperLink;

/// How long a meter that did not do what it was asked is waited for when its link is closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// The client's end of a link to one logical device.
pub struct Link {
    kind: Kind,
    /// The APDU that was received last.
    apdu: Vec<u8>,
    trace: Tracer,
    clock: Clock,
}

enum Kind {
    Wrapper(WrapperLink),
    Udp(UdpLink),
    Hdlc(Box<HdlcLink>),
}

impl Link {
    /// Opens the socket or the serial line and, for HDLC, the data link.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Timeout`], [`Error::LinkRefused`], [`Error::Options`].
    pub async fn connect(
        endpoint: &Endpoint,
        framing: Framing,
        longest_apdu: usize,
        connect_timeout: Duration,
        trace: Option<Box<dyn Trace>>,
    ) -> Result<Self, Error> {
        let clock = Clock::start();
        let deadline = Instant::now() + connect_timeout;
        let kind = match (endpoint, framing) {
            (Endpoint::Udp(address), Framing::Wrapper { client, server }) => {
                Kind::Udp(UdpLink::new(connect_udp(address, deadline).await?, client, server, longest_apdu))
            }
            (Endpoint::Udp(_), Framing::Hdlc(_)) => {
                return Err(Error::Options("HDLC does not run over UDP".into()));
            }
            (endpoint, Framing::Wrapper { client, server }) => {
                let stream = open(endpoint, deadline).await?;
                Kind::Wrapper(WrapperLink::new(stream, client, server, longest_apdu))
            }
            (endpoint, Framing::Hdlc(config)) => {
                let inter_octet = match endpoint {
                    Endpoint::Serial(serial) => Some(serial.inter_octet_timeout),
                    _ => None,
                };
                let stream = open(endpoint, deadline).await?;
                Kind::Hdlc(Box::new(HdlcLink::new(stream, config, inter_octet, longest_apdu)))
            }
        };
        let mut link = Self { kind, apdu: Vec::new(), trace: Tracer::default(), clock };
        if let Some(trace) = trace {
            link.trace.set(trace);
        }
        if let Kind::Hdlc(hdlc) = &mut link.kind {
            hdlc.connect(clock, &mut link.trace).await?;
        }
        Ok(link)
    }

    pub(crate) async fn open(options: &mut ClientOptions) -> Result<Self, Error> {
        let longest = usize::from(match options.association.max_receive_pdu_size {
            0 => u16::MAX,
            size => size,
        });
        let trace = options.trace.take();
        Self::connect(&options.endpoint, options.framing, longest, options.connect_timeout, trace).await
    }

    /// Whether anybody who knows the address can put an APDU into the link.
    pub(crate) const fn is_datagram(&self) -> bool {
        matches!(self.kind, Kind::Udp(_))
    }

    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    /// Sends an APDU.
    ///
    /// # Errors
    /// The link is gone.
    pub async fn send(&mut self, apdu: &[u8]) -> Result<(), Error> {
        self.trace.octets(Layer::Apdu, Direction::Sent, apdu);
        match &mut self.kind {
            Kind::Wrapper(link) => link.send(apdu, &mut self.trace).await,
            Kind::Udp(link) => link.send(apdu, &mut self.trace).await,
            Kind::Hdlc(link) => link.send(apdu, self.clock, &mut self.trace).await,
        }
    }

    /// Receives the next APDU. `deadline` counts from the link's own origin; `None` waits as long as the link allows.
    ///
    /// Dropping the future loses no octet.
    ///
    /// # Errors
    /// [`Error::Timeout`] at the deadline; the link can be used on. Otherwise it is gone.
    pub async fn receive(&mut self, deadline: Option<Duration>) -> Result<&mut [u8], Error> {
        let deadline = deadline.map(|deadline| self.clock.instant(deadline));
        self.apdu.clear();
        let receive = async {
            match &mut self.kind {
                Kind::Wrapper(link) => link.receive(&mut self.apdu, self.clock, &mut self.trace).await,
                Kind::Udp(link) => link.receive(&mut self.apdu, &mut self.trace).await,
                Kind::Hdlc(link) => link.receive(&mut self.apdu, self.clock, &mut self.trace).await,
            }
        };
        match deadline {
            Some(deadline) => {
                timeout_at(deadline, receive).await.map_err(|_| Error::Timeout("waiting"))??
            }
            None => receive.await?,
        }
        self.trace.octets(Layer::Apdu, Direction::Received, &self.apdu);
        Ok(&mut self.apdu)
    }

    /// Closes the link: DISC on HDLC, then the socket or line.
    ///
    /// # Errors
    /// The link was gone already, or the peer does not answer; it is closed all the same.
    pub async fn close(&mut self) -> Result<(), Error> {
        match &mut self.kind {
            Kind::Wrapper(link) => link.close().await,
            Kind::Udp(_) => Ok(()),
            Kind::Hdlc(link) => link.close(self.clock, &mut self.trace).await,
        }
    }

    /// Closes the link after an error, so that the meter has it free for the next client. What becomes of that changes
    /// nothing.
    pub(crate) async fn abandon(&mut self) {
        if let Kind::Hdlc(link) = &mut self.kind {
            // A DISC does not interrupt the meter while it is speaking.
            let _ = timeout(FAREWELL, link.settle(self.clock, &mut self.trace)).await;
        }
        if !matches!(timeout(FAREWELL, self.close()).await, Ok(Ok(()))) {
            tracing::debug!("the meter does not confirm that the link is closed");
        }
    }
}

async fn open(endpoint: &Endpoint, deadline: Instant) -> Result<Stream, Error> {
    match endpoint {
        Endpoint::Tcp(address) | Endpoint::Udp(address) => {
            let refused = |source| Error::Connect { endpoint: address.clone(), source };
            let stream = timeout_at(deadline, TcpStream::connect(address))
                .await
                .map_err(|_| Error::Timeout("connecting"))?
                .map_err(refused)?;
            // Requests are small and wait for their answers.
            stream.set_nodelay(true)?;
            Ok(Stream::Tcp(stream))
        }
        Endpoint::Serial(serial) => {
            let path = serial.path.to_string_lossy();
            let builder = tokio_serial::new(path.as_ref(), serial.baud_rate);
            let mut line = SerialStream::open(&builder)
                .map_err(|error| Error::Connect { endpoint: path.into_owned(), source: error.into() })?;
            if let Some(mode) = &serial.mode_e {
                sign_on(&mut line, mode, |line, rate| line.set_baud_rate(rate).map_err(Into::into)).await?;
            }
            Ok(Stream::Serial(line))
        }
    }
}

async fn connect_udp(address: &str, deadline: Instant) -> Result<UdpSocket, Error> {
    let refused = |source| Error::Connect { endpoint: address.to_owned(), source };
    let peer = timeout_at(deadline, tokio::net::lookup_host(address))
        .await
        .map_err(|_| Error::Timeout("connecting"))?
        .map_err(refused)?
        .next()
        .ok_or_else(|| refused(std::io::Error::from(std::io::ErrorKind::NotFound)))?;
    let local = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await.map_err(refused)?;
    socket.connect(peer).await.map_err(refused)?;
    Ok(socket)
}
