//! A server for many clients at once: each connection has its own sessions, all work on one device.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dlms::server::{Event, HdlcServer, Host, WrapperServer};
use dlms_hdlc::{MAX_FRAME, SecondaryConfig};
use dlms_security::CryptoProvider;
use dlms_wrapper::{HEADER_LENGTH, WPort, Wpdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::places::{Place, Places};

/// Octets that are read at once.
const READ: usize = 4096;
/// What a buffer holds beyond the longest APDU.
const OVERHEAD: usize = 64;
/// How many clients one connection carries at most.
const SESSIONS: usize = 4;
/// How many peers a UDP socket remembers.
const UDP_PEERS: usize = 256;
/// Silence after which a peer makes room for another, though it has an association: anybody can open one with an address
/// that is not theirs.
const UDP_SILENCE: Duration = Duration::from_secs(10);
/// How long a connection may take to take what is sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server serves: the device, its associations and its keys.
pub trait ServerHost: Send + 'static {
    /// The cryptography of the device.
    type Provider: CryptoProvider<AeadKey: Send> + Send + Sync + 'static;

    /// Everything that one APDU is served with. Called for each, while the device is locked; time may be let pass here.
    fn host(&mut self) -> Host<'_, Self::Provider>;

    /// Something happened in a session.
    fn event(&mut self, peer: Option<SocketAddr>, event: Event) {
        let _ = (peer, event);
    }
}

/// How clients are served.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// How APDUs are framed.
    pub framing: ServerFraming,
    /// The longest APDU that is taken or sent.
    pub max_pdu: usize,
    /// How many connections are served at once. Where there are more, those without an association make room, the
    /// oldest first; if there are none, the others wait.
    pub max_connections: usize,
    /// Silence after which a connection is closed.
    pub inactivity_timeout: Duration,
}

/// How a server's APDUs are framed.
#[derive(Clone, Copy, Debug)]
pub enum ServerFraming {
    /// The wrapper; the wPort of the logical device.
    Wrapper(WPort),
    /// HDLC; the address and the limits of the logical device.
    Hdlc(SecondaryConfig),
}

impl ServerOptions {
    /// The wrapper, for logical device 1: APDUs of up to 65535 octets, 256 connections, 180 s of silence.
    pub const fn wrapper() -> Self {
        Self {
            framing: ServerFraming::Wrapper(WPort::MANAGEMENT),
            max_pdu: u16::MAX as usize,
            max_connections: 256,
            inactivity_timeout: Duration::from_secs(180),
        }
    }

    /// HDLC at this address, otherwise the same.
    pub const fn hdlc(config: SecondaryConfig) -> Self {
        Self { framing: ServerFraming::Hdlc(config), ..Self::wrapper() }
    }
}

/// A server on a TCP port or a UDP port.
pub struct Server<H> {
    socket: Socket,
    options: ServerOptions,
    device: Arc<Mutex<H>>,
}

enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl<H: ServerHost> Server<H> {
    /// A server on a TCP port; port 0 takes any that is free.
    ///
    /// # Errors
    /// The port is not free.
    pub async fn bind(address: &str, options: ServerOptions, device: Arc<Mutex<H>>) -> io::Result<Self> {
        Ok(Self { socket: Socket::Tcp(TcpListener::bind(address).await?), options, device })
    }

    /// A server on a UDP port, which needs the wrapper.
    ///
    /// # Errors
    /// The port is not free, or the framing is HDLC.
    pub async fn bind_udp(address: &str, options: ServerOptions, device: Arc<Mutex<H>>) -> io::Result<Self> {
        if let ServerFraming::Hdlc(_) = options.framing {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "HDLC does not run over UDP"));
        }
        Ok(Self { socket: Socket::Udp(UdpSocket::bind(address).await?), options, device })
    }

    /// Where the server is.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr(),
            Socket::Udp(socket) => socket.local_addr(),
        }
    }

    /// Serves until the socket fails. Dropping the future ends the server; connections that are open end when their
    /// clients close them or fall silent.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn run(self) -> io::Result<()> {
        match self.socket {
            Socket::Tcp(listener) => run_tcp(listener, self.options, self.device).await,
            Socket::Udp(socket) => run_udp(socket, self.options, self.device).await,
        }
    }
}

/// Serves one stream, a serial line for instance, until it ends.
///
/// # Errors
/// The stream failed, or what came is not framed as it should be.
pub async fn serve_stream<H: ServerHost>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Option<SocketAddr>,
    options: &ServerOptions,
    device: &Mutex<H>,
) -> io::Result<()> {
    serve_at(stream, peer, options, device, &Place::default()).await
}

async fn serve_at<H: ServerHost>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Option<SocketAddr>,
    options: &ServerOptions,
    device: &Mutex<H>,
    place: &Place,
) -> io::Result<()> {
    let mut connection = Connection::new(options);
    let result = connection.serve(stream, peer, options, device, place).await;
    connection.lost();
    connection.report(peer, device);
    result
}

async fn run_tcp<H: ServerHost>(
    listener: TcpListener,
    options: ServerOptions,
    device: Arc<Mutex<H>>,
) -> io::Result<()> {
    let mut places = Places::new(options.max_connections);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The client has gone, or this process has too many files open: the next one may do better.
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (place, permit) = places.take().await;
        let (options, device) = (options.clone(), Arc::clone(&device));
        tokio::spawn(async move {
            let _permit = permit;
            let _ = stream.set_nodelay(true);
            if let Err(error) = serve_at(stream, Some(peer), &options, &*device, &place).await {
                tracing::debug!(%error, %peer, "connection ended");
            }
        });
    }
}

async fn run_udp<H: ServerHost>(
    socket: UdpSocket,
    options: ServerOptions,
    device: Arc<Mutex<H>>,
) -> io::Result<()> {
    struct Peer<P: CryptoProvider> {
        address: SocketAddr,
        last: Instant,
        connection: Connection<P>,
    }
    let clock = Clock::start();
    let mut peers: Vec<Peer<H::Provider>> = Vec::new();
    let mut datagram = vec![0; HEADER_LENGTH + options.max_pdu];
    let most = options.max_connections.clamp(1, UDP_PEERS);
    loop {
        let (length, address) = match socket.recv_from(&mut datagram).await {
            Ok(received) => received,
            // An answer to somebody who does not listen any more comes back as an error.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
            Err(error) => return Err(error),
        };
        let input = datagram.get(..length).unwrap_or(&[]);
        // What is no WPDU is dropped: it must not disturb the association of the peer whose address it bears.
        if Wpdu::decode_datagram(input).is_err() {
            continue;
        }
        peers.retain_mut(|peer| {
            let alive = peer.last.elapsed() < options.inactivity_timeout;
            if !alive {
                peer.connection.lost();
                peer.connection.report(Some(peer.address), &device);
            }
            alive
        });
        let index = match peers.iter().position(|peer| peer.address == address) {
            Some(index) => index,
            None => {
                // A flood of new peers must not push out those that are associated, nor keep others out.
                if peers.len() >= most {
                    let is_idle = |peer: &Peer<_>| !peer.connection.is_associated();
                    let is_silent = |peer: &Peer<_>| peer.last.elapsed() >= UDP_SILENCE;
                    let idle = peers.iter().position(is_idle).or_else(|| peers.iter().position(is_silent));
                    let Some(idle) = idle else { continue };
                    let mut peer = peers.remove(idle);
                    peer.connection.lost();
                    peer.connection.report(Some(peer.address), &device);
                }
                let connection = Connection::new(&options);
                peers.push(Peer { address, last: Instant::now(), connection });
                peers.len() - 1
            }
        };
        let Some(peer) = peers.get_mut(index) else { continue };
        peer.last = Instant::now();
        let mut answer = Vec::new();
        if peer.connection.take(clock.now(), input, &device, &mut answer).is_err() {
            peer.connection.lost();
        }
        peer.connection.report(Some(address), &device);
        if !answer.is_empty() {
            let _ = socket.send_to(&answer, address).await;
        }
    }
}

/// The sessions of one connection.
enum Connection<P: CryptoProvider> {
    Wrapper(Box<WrapperServer<P, Vec<u8>, SESSIONS>>),
    Hdlc(Box<HdlcServer<P, Vec<u8>, SESSIONS>>),
}

impl<P: CryptoProvider> Connection<P> {
    fn new(options: &ServerOptions) -> Self {
        let length = options.max_pdu + OVERHEAD;
        match options.framing {
            ServerFraming::Wrapper(port) => {
                Self::Wrapper(Box::new(WrapperServer::new(port, || vec![0; length])))
            }
            ServerFraming::Hdlc(config) => {
                Self::Hdlc(Box::new(HdlcServer::new(config, || vec![0; length.max(MAX_FRAME)])))
            }
        }
    }

    /// Takes what was received and writes what is to be sent.
    fn take<H: ServerHost<Provider = P>>(
        &mut self,
        now: Duration,
        mut input: &[u8],
        device: &Mutex<H>,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let mut device = lock(device);
        let mut host = device.host();
        match self {
            Self::Wrapper(server) => {
                while !input.is_empty() {
                    let answer = server.handle_input(now, &mut input, &mut host);
                    if let Some(answer) = answer.map_err(invalid)? {
                        out.extend_from_slice(answer);
                    }
                }
            }
            Self::Hdlc(server) => {
                let mut frame = [0; MAX_FRAME];
                while server.handle_input(now, &mut input, &mut host) {
                    while let Some(length) = server.poll_transmit(now, &mut frame) {
                        out.extend_from_slice(&frame[..length]);
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets time pass and writes what is to be sent because of it.
    fn time(&mut self, now: Duration, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Wrapper(server) => server.handle_timeout(now).map_err(invalid),
            Self::Hdlc(server) => {
                server.handle_timeout(now);
                let mut frame = [0; MAX_FRAME];
                while let Some(length) = server.poll_transmit(now, &mut frame) {
                    out.extend_from_slice(&frame[..length]);
                }
                Ok(())
            }
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        match self {
            Self::Wrapper(server) => server.poll_timeout(),
            Self::Hdlc(server) => server.poll_timeout(),
        }
    }

    fn is_associated(&self) -> bool {
        match self {
            Self::Wrapper(server) => server.is_associated(),
            Self::Hdlc(server) => server.is_associated(),
        }
    }

    fn lost(&mut self) {
        match self {
            Self::Wrapper(server) => server.stream_lost(),
            Self::Hdlc(server) => server.line_lost(),
        }
    }

    /// Tells the application what happened.
    fn report<H: ServerHost<Provider = P>>(&mut self, peer: Option<SocketAddr>, device: &Mutex<H>) {
        loop {
            let event = match self {
                Self::Wrapper(server) => server.poll_event(),
                Self::Hdlc(server) => server.poll_event(),
            };
            match event {
                Some(event) => lock(device).event(peer, event),
                None => return,
            }
        }
    }

    async fn serve<H: ServerHost<Provider = P>>(
        &mut self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: Option<SocketAddr>,
        options: &ServerOptions,
        device: &Mutex<H>,
        place: &Place,
    ) -> io::Result<()> {
        let clock = Clock::start();
        let mut input = vec![0; READ];
        let mut out = Vec::new();
        let mut silent_at = Instant::now() + options.inactivity_timeout;
        loop {
            let deadline = self.poll_timeout().map_or(silent_at, |at| clock.instant(at).min(silent_at));
            out.clear();
            let read = tokio::select! {
                read = timeout_at(deadline, stream.read(&mut input)) => read,
                () = place.asked_to_leave() => {
                    // It may have opened an association since it was asked.
                    if self.is_associated() {
                        continue;
                    }
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "others need the place"));
                }
            };
            match read {
                Ok(count) => {
                    let count = count?;
                    if count == 0 {
                        return Ok(());
                    }
                    silent_at = Instant::now() + options.inactivity_timeout;
                    let received = input.get(..count).unwrap_or(&[]);
                    let taken = self.take(clock.now(), received, device, &mut out);
                    write(&mut stream, &out).await?;
                    taken?;
                }
                Err(_) if Instant::now() >= silent_at => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the client is silent"));
                }
                Err(_) => {
                    self.time(clock.now(), &mut out)?;
                    write(&mut stream, &out).await?;
                }
            }
            self.report(peer, device);
            place.is_associated(self.is_associated());
        }
    }
}

/// A client that does not take its answers must not hold a place for ever.
async fn write(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> io::Result<()> {
    if octets.is_empty() {
        return Ok(());
    }
    let written: Result<io::Result<()>, _> = within(WRITE_TIMEOUT, stream.write_all(octets)).await;
    written.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no answers")))
}

async fn within<F: Future>(time: Duration, future: F) -> Result<F::Output, tokio::time::error::Elapsed> {
    tokio::time::timeout(time, future).await
}

/// A device whose lock was poisoned is served on: what panicked was not the engine.
fn lock<H>(device: &Mutex<H>) -> MutexGuard<'_, H> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(error: dlms_wrapper::WrapperError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
