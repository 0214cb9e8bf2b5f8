//! A listener for what meters send of their own accord, without an association.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dlms::SecurityContext;
use dlms::client::notification::{self, NotificationError, Opened};
use dlms_hdlc::{Deframer as HdlcDeframer, Listener as HdlcListener, MAX_FRAME};
use dlms_security::{CounterStore, CryptoProvider, Peer, Protection, SystemTitle};
use dlms_wrapper::{Deframer, HEADER_LENGTH, WPort, Wpdu};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock::Clock;

/// Octets that are read at once.
const READ: usize = 4096;
/// How many notifications wait to be taken before connections are no longer read.
const QUEUE: usize = 256;

/// How what arrives is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerFraming {
    /// The TCP/UDP wrapper.
    Wrapper,
    /// HDLC frames, without a data link.
    Hdlc,
    /// One APDU in each datagram, or in each TCP connection.
    Raw,
}

/// Receives notifications on a TCP or a UDP port, or from a stream.
pub struct Listener {
    received: mpsc::Receiver<Received>,
    address: Option<SocketAddr>,
    task: JoinHandle<()>,
}

/// An APDU that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it, as far as the network tells.
    pub peer: Option<SocketAddr>,
    /// The wPorts, source first, where there is a wrapper.
    pub ports: Option<(WPort, WPort)>,
    /// The APDU, ciphered if it is.
    pub apdu: Vec<u8>,
}

impl Received {
    /// The system title that the APDU claims to come from. It tells which keys to open it with, and nothing else.
    pub fn claimed_sender(&self) -> Option<SystemTitle> {
        notification::claimed_sender(&self.apdu)
    }

    /// Opens the notification in place; `keys` are those of the meter that [`Received::claimed_sender`] names. The floor
    /// of its counter is stored in `counters`.
    ///
    /// # Errors
    /// It is not protected as `required`, or no notification.
    pub fn open<P: CryptoProvider>(
        &mut self,
        provider: &P,
        counters: &mut dyn CounterStore,
        keys: Option<(&mut SecurityContext<P, [Peer]>, SystemTitle)>,
        required: Protection,
    ) -> Result<Opened<'_>, NotificationError> {
        notification::open(provider, counters, keys, required, &mut self.apdu)
    }
}

/// How much is taken from whom.
#[derive(Clone, Copy)]
struct Limits {
    framing: ListenerFraming,
    longest_apdu: usize,
    inactivity: Duration,
    connections: usize,
}

impl Limits {
    const fn new(framing: ListenerFraming) -> Self {
        Self {
            framing,
            longest_apdu: u16::MAX as usize,
            inactivity: Duration::from_secs(300),
            connections: 256,
        }
    }
}

impl Listener {
    /// Listens on a TCP port; meters connect and send.
    ///
    /// # Errors
    /// The port is not free.
    pub async fn bind_tcp(address: &str, framing: ListenerFraming) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr().ok();
        let (sender, received) = mpsc::channel(QUEUE);
        let task = tokio::spawn(accept(listener, Limits::new(framing), sender));
        Ok(Self { received, address, task })
    }

    /// Listens on a UDP port; one APDU in each datagram.
    ///
    /// # Errors
    /// The port is not free.
    pub async fn bind_udp(address: &str, framing: ListenerFraming) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        let address = socket.local_addr().ok();
        let (sender, received) = mpsc::channel(QUEUE);
        let task = tokio::spawn(datagrams(socket, Limits::new(framing), sender));
        Ok(Self { received, address, task })
    }

    /// Listens to a stream: a serial port at a meter's customer interface, for instance.
    pub fn stream(stream: impl AsyncRead + Send + Unpin + 'static, framing: ListenerFraming) -> Self {
        let (sender, received) = mpsc::channel(QUEUE);
        let limits = Limits { inactivity: Duration::MAX, ..Limits::new(framing) };
        let task = tokio::spawn(async move {
            let _ = read(stream, None, limits, &sender).await;
        });
        Self { received, address: None, task }
    }

    /// Where the listener is; `None` for a stream.
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The next APDU; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Received> {
        self.received.recv().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, limits: Limits, sender: mpsc::Sender<Received>) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(limits.connections));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = sender.closed() => return,
        };
        let sender = sender.clone();
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                ended = read(stream, Some(peer), limits, &sender) => if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "connection ended");
                },
                () = sender.closed() => {}
            }
        });
    }
}

async fn datagrams(socket: UdpSocket, limits: Limits, sender: mpsc::Sender<Received>) {
    let clock = Clock::start();
    let mut datagram = vec![0; HEADER_LENGTH + limits.longest_apdu];
    loop {
        let (length, peer) = match socket.recv_from(&mut datagram).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "datagram not received");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let octets = datagram.get(..length).unwrap_or(&[]);
        let mut found = VecDeque::new();
        match limits.framing {
            ListenerFraming::Wrapper => match Wpdu::decode_datagram(octets) {
                Ok(wpdu) => found.push_back((Some((wpdu.source, wpdu.destination)), wpdu.apdu.to_vec())),
                Err(error) => tracing::debug!(%error, %peer, "datagram dropped"),
            },
            ListenerFraming::Raw if !octets.is_empty() => found.push_back((None, octets.to_vec())),
            ListenerFraming::Raw => {}
            // Every datagram for itself: nobody's frame can be continued by somebody else.
            ListenerFraming::Hdlc => Frames::new(limits.longest_apdu).take(clock.now(), octets, &mut found),
        }
        for (ports, apdu) in found {
            if sender.send(Received { peer: Some(peer), ports, apdu }).await.is_err() {
                return;
            }
        }
    }
}

type Found = VecDeque<(Option<(WPort, WPort)>, Vec<u8>)>;

async fn read(
    mut stream: impl AsyncRead + Unpin,
    peer: Option<SocketAddr>,
    limits: Limits,
    sender: &mpsc::Sender<Received>,
) -> io::Result<()> {
    let clock = Clock::start();
    let mut input = vec![0; READ];
    let mut wrapper = Deframer::new(vec![0; limits.longest_apdu]);
    let mut frames = Frames::new(limits.longest_apdu);
    let mut raw = Vec::new();
    loop {
        let count = match limits.inactivity {
            Duration::MAX => stream.read(&mut input).await?,
            inactivity => timeout(inactivity, stream.read(&mut input)).await??,
        };
        let octets = input.get(..count).unwrap_or(&[]);
        let mut found = Found::new();
        match limits.framing {
            ListenerFraming::Wrapper => {
                let mut rest = octets;
                while !rest.is_empty() {
                    let received = wrapper
                        .receive(rest, clock.now())
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    if let Some(wpdu) = received.wpdu {
                        found.push_back((Some((wpdu.source, wpdu.destination)), wpdu.apdu.to_vec()));
                    }
                    rest = rest.get(received.consumed..).unwrap_or(&[]);
                }
            }
            ListenerFraming::Hdlc => frames.take(clock.now(), octets, &mut found),
            ListenerFraming::Raw if count > 0 => {
                if raw.len() + count > limits.longest_apdu {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the APDU is too long"));
                }
                raw.extend_from_slice(octets);
            }
            ListenerFraming::Raw if !raw.is_empty() => found.push_back((None, std::mem::take(&mut raw))),
            ListenerFraming::Raw => {}
        }
        for (ports, apdu) in found {
            if sender.send(Received { peer, ports, apdu }).await.is_err() {
                return Ok(());
            }
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// HDLC frames that nobody answers.
struct Frames {
    deframer: HdlcDeframer<Vec<u8>>,
    listener: HdlcListener<Vec<u8>>,
}

impl Frames {
    fn new(longest_apdu: usize) -> Self {
        Self {
            deframer: HdlcDeframer::new(vec![0; MAX_FRAME]),
            listener: HdlcListener::new(vec![0; longest_apdu]),
        }
    }

    fn take(&mut self, now: Duration, mut octets: &[u8], found: &mut Found) {
        while let Some(frame) = self.deframer.next(now, &mut octets) {
            if let Some(push) = self.listener.handle_frame(now, &frame) {
                found.push_back((None, push.apdu.to_vec()));
            }
        }
    }
}
