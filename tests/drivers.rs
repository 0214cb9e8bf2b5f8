//! Both drivers against each other, on lines in memory: both framings, plain and ciphered, blocking and async.
#![cfg(feature = "embedded-io-async")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use common::{CLIENT_TITLE, Counters, ENERGY, LONG_TEXT, Meter, PROFILE, Provider, config, keys, provider};
use cosem_objects::classes::{Data as DataObject, ProfileGeneric, Register};
use dlms::SecurityContext;
use dlms::client::{
    ActionItem, Client, ClientConfig, ClientError, DedicatedKeyChoice, Environment, Refusal, SetItem,
};
use dlms::drivers::{
    Application, AsyncLine, BlockingLine, ClientFraming, Connection, DriverError, FramingError, HdlcFraming,
    Line, ServerFraming, Timer, WrapperFraming, block_on, serve,
};
use dlms::server::{AssociationConfig, Event, HdlcServer, Host, RefusalReason, WrapperServer};
use dlms::xdlms::{ActionResult, DataAccessResult, MethodDescriptor};
use dlms_axdr::Data;
use dlms_hdlc::{ClientAddress, Deframer, MAX_FRAME, Primary, PrimaryConfig, SecondaryConfig, ServerAddress};
use dlms_security::{AuthenticationMechanism, CounterId, SecuritySuite};
use dlms_wrapper::WPort;

/// How the tests tell associations apart.
#[derive(Clone, Copy)]
enum Security {
    Plain,
    Gmac(SecuritySuite),
}

impl Security {
    const ALL: [Self; 2] = [Self::Plain, Self::Gmac(SecuritySuite::Suite0)];

    /// The association as the meter offers it; its APDUs are short, so that values travel in blocks.
    fn offered(self) -> AssociationConfig {
        let config = match self {
            Self::Plain => config(AuthenticationMechanism::None, None),
            Self::Gmac(suite) => config(AuthenticationMechanism::Gmac, Some(suite)),
        };
        AssociationConfig { max_receive_pdu_size: 300, ..config }
    }

    fn wanted(self) -> ClientConfig {
        let config = match self {
            Self::Plain => ClientConfig::public(),
            Self::Gmac(_) => {
                ClientConfig { dedicated_key: DedicatedKeyChoice::Random, ..ClientConfig::hls_gmac() }
            }
        };
        ClientConfig { max_receive_pdu_size: 200, ..config }
    }

    fn context(self, provider: &Provider) -> Option<SecurityContext<Provider>> {
        let Self::Gmac(suite) = self else { return None };
        let (key, authentication_key) = keys(suite);
        let id = CounterId(100);
        Some(SecurityContext::new(provider, suite, CLIENT_TITLE, &key, authentication_key, id, 0).unwrap())
    }
}

fn hdlc_server() -> HdlcServer<Provider, Vec<u8>, 2> {
    HdlcServer::new(SecondaryConfig::new(ServerAddress::one(1).unwrap()), || vec![0; 2100])
}

fn wrapper_server() -> WrapperServer<Provider, Vec<u8>, 2> {
    WrapperServer::new(WPort(1), || vec![0; 2100])
}

fn hdlc_client() -> HdlcFraming<[u8; MAX_FRAME], Vec<u8>> {
    let config = PrimaryConfig::new(ClientAddress::PUBLIC, ServerAddress::one(1).unwrap());
    HdlcFraming::new(Deframer::new([0; MAX_FRAME]), Primary::new(config, vec![0; 600]))
}

fn wrapper_client() -> WrapperFraming<Vec<u8>> {
    WrapperFraming::new(WPort(16), WPort(1), dlms_wrapper::Deframer::new(vec![0; 600]))
}

/// A whole session, twice.
async fn read_and_write<L: Line<Error = Infallible>, F: ClientFraming>(
    line: L,
    framing: F,
    security: Security,
) {
    let provider = provider();
    let mut counters = Counters::default();
    let mut context = security.context(&provider);
    let environment = Environment {
        provider: &provider,
        counters: &mut counters,
        security: context.as_mut().map(|context| context as _),
        key_ring: None,
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    };
    let client = Client::new(security.wanted(), vec![0; 2048]);
    let mut connection = Connection::new(line, framing, client, environment, || vec![0; 600]);
    for round in 0..2 {
        let agreement = connection.associate().await.unwrap();
        assert_eq!(agreement.server_max_receive_pdu_size, 300);
        let energy = Register::VALUE.of(ENERGY);
        let mut value = [0; 4096];
        let expected = if round == 0 { 5009 } else { 0 };
        assert_eq!(connection.get(energy, &mut value).await, Ok(Data::DoubleLongUnsigned(expected)));

        let text = DataObject::VALUE.of(LONG_TEXT);
        let long: Vec<u8> = (0..700u32).map(|n| n as u8).collect();
        let long = Data::OctetString(&long);
        connection.set(SetItem::new(text.into(), &long)).await.unwrap();
        assert_eq!(connection.get(text, &mut value).await, Ok(long));
        let profile = ProfileGeneric::<(), 0>::BUFFER.of(PROFILE);
        let Ok(Data::Array(rows)) = connection.get(profile, &mut value).await else { panic!("the buffer") };
        assert_eq!(rows.len(), 100);

        // What the server or the buffer refuses leaves the association open.
        let refused = connection.set(SetItem::new(energy.into(), &0u32)).await;
        assert_eq!(refused, Err(DriverError::DataAccess(DataAccessResult::ReadWriteDenied)));
        assert_eq!(
            connection.get(profile, &mut [0; 100]).await,
            Err(DriverError::ValueTooLong { capacity: 100 })
        );
        let reset = MethodDescriptor::new(3, ENERGY, 1);
        assert_eq!(connection.action(ActionItem::new(reset, &0i8), &mut value).await, Ok(None));
        let unknown = MethodDescriptor::new(3, LONG_TEXT, 1);
        assert_eq!(
            connection.action(ActionItem::new(unknown, &0i8), &mut value).await,
            Err(DriverError::Action(ActionResult::ObjectUndefined))
        );
        assert_eq!(connection.get(energy, &mut value).await, Ok(Data::DoubleLongUnsigned(0)));
        connection.release().await.unwrap();
        assert_eq!(connection.get(energy, &mut value).await, Err(DriverError::Client(ClientError::State)));
    }
}

/// Remembers what happened.
#[derive(Default)]
struct Log(Rc<RefCell<Vec<Event>>>);

impl Application<Provider> for Log {
    fn event(&mut self, event: Event, _host: &mut Host<'_, Provider>) {
        self.0.borrow_mut().push(event);
    }
}

// Async: one thread, and a clock that the test moves.

/// Octets on their way in one direction.
type Wire = Rc<RefCell<VecDeque<u8>>>;

struct Pipe {
    input: Wire,
    output: Wire,
}

impl Pipe {
    fn pair() -> (Self, Self) {
        let (there, back) = (Wire::default(), Wire::default());
        (Self { input: back.clone(), output: there.clone() }, Self { input: there, output: back })
    }
}

impl embedded_io::ErrorType for Pipe {
    type Error = Infallible;
}

impl embedded_io_async::Read for Pipe {
    async fn read(&mut self, octets: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| match take(&mut self.input.borrow_mut(), octets) {
            0 => Poll::Pending,
            length => Poll::Ready(Ok(length)),
        })
        .await
    }
}

impl embedded_io_async::Write for Pipe {
    /// Takes a few octets at a time, as a small FIFO does.
    async fn write(&mut self, octets: &[u8]) -> Result<usize, Infallible> {
        let length = octets.len().min(5);
        self.output.borrow_mut().extend(&octets[..length]);
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn take(wire: &mut VecDeque<u8>, octets: &mut [u8]) -> usize {
    let length = wire.len().min(octets.len());
    for (octet, taken) in octets.iter_mut().zip(wire.drain(..length)) {
        *octet = taken;
    }
    length
}

#[derive(Clone, Default)]
struct Clock(Rc<Cell<Duration>>);

impl Timer for Clock {
    fn now(&mut self) -> Duration {
        self.0.get()
    }

    async fn wait_until(&mut self, deadline: Duration) {
        let clock = self.0.clone();
        poll_fn(|_| if clock.get() < deadline { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

/// Runs `client` to its end while `server` serves; a round takes 10 ms.
fn run<T>(clock: &Clock, server: impl Future, client: impl Future<Output = T>) -> T {
    let (mut server, mut client) = (pin!(server), pin!(client));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        assert!(server.as_mut().poll(&mut context).is_pending(), "the line does not fail");
        if let Poll::Ready(result) = client.as_mut().poll(&mut context) {
            return result;
        }
        clock.0.set(clock.0.get() + Duration::from_millis(10));
        assert!(clock.0.get() < Duration::from_secs(3600), "an hour is enough");
    }
}

fn both_ends<S: ServerFraming<Provider>, F: ClientFraming>(server: S, framing: F, security: Security) {
    let mut server = server;
    let clock = Clock::default();
    let (here, there) = Pipe::pair();
    let mut meter = Meter::new(vec![security.offered()]);
    let mut log = Log::default();
    let events = log.0.clone();
    let mut line = AsyncLine::new(there, clock.clone());
    let mut host = meter.host();
    let mut frame = [0; MAX_FRAME];
    let serving = serve(&mut line, &mut server, &mut host, &mut log, &mut frame);
    run(&clock, serving, read_and_write(AsyncLine::new(here, clock.clone()), framing, security));
    let events = events.borrow();
    let count = |wanted: fn(&&Event) -> bool| events.iter().filter(wanted).count();
    assert_eq!(count(|event| matches!(event, Event::Associated { .. })), 2);
    assert_eq!(count(|event| matches!(event, Event::AttributeWritten { .. })), 2);
    assert_eq!(count(|event| matches!(event, Event::MethodInvoked { .. })), 2);
    assert_eq!(count(|event| matches!(event, Event::SecurityViolation { .. })), 0);
}

#[test]
fn async_over_hdlc() {
    for security in Security::ALL {
        both_ends(hdlc_server(), hdlc_client(), security);
    }
}

#[test]
fn async_over_the_wrapper() {
    for suite in SecuritySuite::ALL {
        both_ends(wrapper_server(), wrapper_client(), Security::Gmac(suite));
    }
    both_ends(wrapper_server(), wrapper_client(), Security::Plain);
}

/// What a client without keys works with.
fn plain<'e>(provider: &'e Provider, counters: &'e mut Counters) -> Environment<'e, Provider> {
    Environment {
        provider,
        counters,
        security: None,
        key_ring: None,
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    }
}

/// What a client says that nobody answers, and when.
fn unanswered<F: ClientFraming>(framing: F) -> (DriverError<Infallible>, Duration) {
    let clock = Clock::default();
    let (here, _there) = Pipe::pair();
    let provider = provider();
    let mut counters = Counters::default();
    let environment = plain(&provider, &mut counters);
    let client = Client::<Provider, _>::new(ClientConfig::public(), vec![0; 100]);
    let line = AsyncLine::new(here, clock.clone());
    let mut connection = Connection::new(line, framing, client, environment, || vec![0; 600]);
    let error = run(&clock, core::future::pending::<()>(), connection.associate()).unwrap_err();
    (error, clock.0.get())
}

#[test]
fn silence_ends_in_time() {
    // 10 s for the AARE.
    assert_eq!(unanswered(wrapper_client()), (DriverError::TimedOut, Duration::from_secs(10)));
    // The SNRM and three repetitions, 5 s each.
    let (error, when) = unanswered(hdlc_client());
    assert_eq!(error, DriverError::Framing(FramingError::NoAnswer));
    assert_eq!(when, Duration::from_secs(20));
}

#[test]
fn a_wrong_key_is_told_from_a_lost_line() {
    let clock = Clock::default();
    let (here, there) = Pipe::pair();
    let mut meter = Meter::new(vec![Security::Gmac(SecuritySuite::Suite0).offered()]);
    let mut host = meter.host();
    let (mut line, mut server) = (AsyncLine::new(there, clock.clone()), wrapper_server());
    let mut application = ();
    let serving = serve(&mut line, &mut server, &mut host, &mut application, &mut []);
    let provider = provider();
    // Keys of another suite, which the meter does not use for this association.
    let mut context = Security::Gmac(SecuritySuite::Suite1).context(&provider);
    let environment = Environment {
        provider: &provider,
        counters: &mut Counters::default(),
        security: context.as_mut().map(|context| context as _),
        key_ring: None,
        public_keys: None,
        manufacturer: None,
        now: Duration::ZERO,
    };
    let client = Client::new(ClientConfig::hls_gmac(), vec![0; 100]);
    let line = AsyncLine::new(here, clock.clone());
    let mut connection = Connection::new(line, wrapper_client(), client, environment, || vec![0; 600]);
    let refused = run(&clock, serving, connection.associate());
    assert!(matches!(refused, Err(DriverError::Refused(Refusal::Rejected { .. }))), "{refused:?}");
}

/// A meter with a single place for links: who is refused leaves it to the next.
#[test]
fn a_refused_client_leaves_the_link_to_others() {
    let clock = Clock::default();
    let (here, there) = Pipe::pair();
    let mut meter = Meter::new(vec![Security::Plain.offered()]);
    let mut host = meter.host();
    let config = SecondaryConfig::new(ServerAddress::one(1).unwrap());
    let mut server = HdlcServer::<Provider, Vec<u8>, 1>::new(config, || vec![0; 2100]);
    let (mut application, mut frame) = ((), [0; MAX_FRAME]);
    let mut line = AsyncLine::new(there, clock.clone());
    let mut serving = pin!(serve(&mut line, &mut server, &mut host, &mut application, &mut frame));
    let provider = provider();
    let mut client_line = AsyncLine::new(here, clock.clone());
    for (client, is_known) in [(99, false), (16, true), (99, false)] {
        let mut counters = Counters::default();
        let environment = plain(&provider, &mut counters);
        let config = PrimaryConfig::new(ClientAddress::new(client).unwrap(), ServerAddress::one(1).unwrap());
        let framing = HdlcFraming::new(Deframer::new([0; MAX_FRAME]), Primary::new(config, vec![0; 600]));
        let engine = Client::<Provider, _>::new(ClientConfig::public(), vec![0; 100]);
        let mut connection = Connection::new(client_line, framing, engine, environment, || vec![0; 600]);
        let associated = run(&clock, serving.as_mut(), connection.associate());
        match associated {
            Ok(_) => run(&clock, serving.as_mut(), connection.release()).unwrap(),
            Err(ref error) => {
                assert!(matches!(error, DriverError::Refused(Refusal::Rejected { .. })), "{error}")
            }
        }
        assert_eq!(associated.is_ok(), is_known, "{associated:?}");
        (client_line, _) = connection.into_parts();
    }
}

#[test]
fn a_meter_goes_on_while_nobody_speaks() {
    struct Ticking(Rc<RefCell<Vec<Duration>>>);
    impl Application<Provider> for Ticking {
        fn tick(&mut self, now: Duration, _host: &mut Host<'_, Provider>) -> Option<Duration> {
            self.0.borrow_mut().push(now);
            Some(Duration::from_secs(now.as_secs() + 1))
        }
    }
    let clock = Clock::default();
    let (_here, there) = Pipe::pair();
    let mut meter = Meter::new(vec![Security::Plain.offered()]);
    let mut host = meter.host();
    let ticks = Rc::default();
    let mut application = Ticking(Rc::clone(&ticks));
    let (mut line, mut server) = (AsyncLine::new(there, clock.clone()), hdlc_server());
    let mut frame = [0; MAX_FRAME];
    let serving = serve(&mut line, &mut server, &mut host, &mut application, &mut frame);
    let mut timer = clock.clone();
    run(&clock, serving, async move { timer.wait_until(Duration::from_secs(5)).await });
    let seconds: Vec<u64> = ticks.borrow().iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_handshake_that_nobody_finishes_is_over_in_time() {
    let clock = Clock::default();
    let (here, there) = Pipe::pair();
    let mut meter = Meter::new(vec![config(AuthenticationMechanism::Md5, None)]);
    let mut host = meter.host();
    let mut log = Log::default();
    let events = log.0.clone();
    let (mut line, mut server) = (AsyncLine::new(there, clock.clone()), wrapper_server());
    let serving = serve(&mut line, &mut server, &mut host, &mut log, &mut []);
    let aarq = common::unhex(
        "00010010000100386036A1090607608574050801018A0207808B0760857405080203AC0A80083132333435363738BE10040E01000000065F1F0400007E1F04B0",
    );
    here.output.borrow_mut().extend(aarq);
    let mut timer = clock.clone();
    run(&clock, serving, async move { timer.wait_until(Duration::from_secs(61)).await });
    assert_eq!(*events.borrow(), [Event::Refused { reason: RefusalReason::Timeout }]);
}

// Blocking: a thread for each end.

#[derive(Clone, Default)]
struct Shared {
    octets: Arc<Mutex<VecDeque<u8>>>,
    closed: Arc<core::sync::atomic::AtomicBool>,
}

struct Uart {
    input: Shared,
    output: Shared,
}

impl Uart {
    fn pair() -> (Self, Self) {
        let (there, back) = (Shared::default(), Shared::default());
        (Self { input: back.clone(), output: there.clone() }, Self { input: there, output: back })
    }
}

impl Drop for Uart {
    fn drop(&mut self) {
        self.output.closed.store(true, core::sync::atomic::Ordering::Release);
    }
}

impl embedded_io::ErrorType for Uart {
    type Error = Infallible;
}

impl embedded_io::ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        let closed = self.input.closed.load(core::sync::atomic::Ordering::Acquire);
        Ok(closed || !self.input.octets.lock().unwrap().is_empty())
    }
}

impl embedded_io::Read for Uart {
    fn read(&mut self, octets: &mut [u8]) -> Result<usize, Infallible> {
        Ok(take(&mut self.input.octets.lock().unwrap(), octets))
    }
}

impl embedded_io::Write for Uart {
    fn write(&mut self, octets: &[u8]) -> Result<usize, Infallible> {
        let length = octets.len().min(16);
        self.output.octets.lock().unwrap().extend(&octets[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn blocking<S: ServerFraming<Provider>, F: ClientFraming>(
    server: impl FnOnce() -> S + Send + 'static,
    framing: F,
    security: Security,
) {
    let start = std::time::Instant::now();
    let now = move || {
        std::thread::yield_now();
        start.elapsed()
    };
    let (here, there) = Uart::pair();
    let meter = std::thread::spawn(move || {
        let mut meter = Meter::new(vec![security.offered()]);
        let mut line = BlockingLine::new(there, now);
        block_on(serve(&mut line, &mut server(), &mut meter.host(), &mut (), &mut [0; MAX_FRAME]))
    });
    block_on(read_and_write(BlockingLine::new(here, now), framing, security));
    assert_eq!(meter.join().unwrap(), DriverError::Closed);
}

#[test]
fn blocking_over_hdlc() {
    for security in Security::ALL {
        blocking(hdlc_server, hdlc_client(), security);
    }
}

#[test]
fn blocking_over_the_wrapper() {
    for security in Security::ALL {
        blocking(wrapper_server, wrapper_client(), security);
    }
}

#[test]
fn a_stream_that_is_no_wrapper_is_given_up() {
    let (here, there) = Uart::pair();
    here.output.octets.lock().unwrap().extend(b"GET / HTTP/1.1\r\n");
    let mut meter = Meter::new(vec![Security::Plain.offered()]);
    let mut line = BlockingLine::new(there, || Duration::ZERO);
    let error = block_on(serve(&mut line, &mut wrapper_server(), &mut meter.host(), &mut (), &mut []));
    assert!(matches!(error, DriverError::Framing(FramingError::Wrapper(_))), "{error:?}");
}
