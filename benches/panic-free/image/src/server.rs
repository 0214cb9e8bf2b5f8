//! Sessions and servers, of all suites and of suite 0 alone, and their drivers.

use core::future::Future;
use core::ops::Range;
use core::time::Duration;

use cosem_objects::AssociationId;
use dlms::axdr::{BufferFull, DateTime, Encoder};
use dlms::drivers::{Application, AsyncLine, BlockingLine, DriverError, block_on, serve};
use dlms::hdlc::{Deframer, Secondary, SecondaryConfig, refuse, route};
use dlms::security::{CryptoProvider, KeyStore};
use dlms::server::{
    Event, HdlcServer, Host, KeyManagement, KeyManager, Session, WrapperServer, data_notification,
    event_notification,
};
use dlms::wrapper::WPort;
use dlms::xdlms::{AttributeDescriptor, LongInvokeIdAndPriority};
use dlms::{KeyRing, Keys, NewKeys, ProtectionError, SecurityContext, wrapper};

use crate::outside::{Buffer, Failure, Outside, Provider, Small};
use crate::{Found, compiled};

type Line = BlockingLine<Outside, fn() -> Duration>;
type Waiting = AsyncLine<Outside, Outside>;
type Links<P> = HdlcServer<P, Buffer, 2>;
type Ports<P> = WrapperServer<P, Buffer, 2>;
type Station = Secondary<Buffer, Buffer>;

struct Wired<'w, P: CryptoProvider> {
    event: &'w mut dyn FnMut(Event, &mut Host<'_, P>),
    tick: &'w mut dyn FnMut(Duration, &mut Host<'_, P>) -> Option<Duration>,
}

impl<P: CryptoProvider> Application<P> for Wired<'_, P> {
    fn event(&mut self, event: Event, host: &mut Host<'_, P>) {
        (self.event)(event, host);
    }

    fn tick(&mut self, now: Duration, host: &mut Host<'_, P>) -> Option<Duration> {
        (self.tick)(now, host)
    }
}

/// A future, behind a pointer so that its code is compiled.
type Serving<'s> = &'s mut dyn Future<Output = DriverError<Failure>>;

fn serve_hdlc<P: CryptoProvider>(
    line: &mut Line,
    server: &mut Links<P>,
    host: &mut Host<'_, P>,
    application: &mut Wired<'_, P>,
    frame: &mut [u8],
) -> DriverError<Failure> {
    block_on(serve(line, server, host, application, frame))
}

fn serve_wrapper<P: CryptoProvider>(
    line: &mut Line,
    server: &mut Ports<P>,
    host: &mut Host<'_, P>,
    application: &mut Wired<'_, P>,
    frame: &mut [u8],
) -> DriverError<Failure> {
    block_on(serve(line, server, host, application, frame))
}

fn serve_waiting<P: CryptoProvider>(
    line: &mut Waiting,
    server: &mut Links<P>,
    host: &mut Host<'_, P>,
    application: &mut Wired<'_, P>,
    frame: &mut [u8],
    run: &mut dyn FnMut(Serving<'_>),
) {
    run(&mut serve(line, server, host, application, frame));
}

fn new_hdlc<P: CryptoProvider>(config: SecondaryConfig, buffer: &mut dyn FnMut() -> Buffer) -> Links<P> {
    HdlcServer::new(config, buffer)
}

fn new_wrapper<P: CryptoProvider>(port: WPort, buffer: &mut dyn FnMut() -> Buffer) -> Ports<P> {
    WrapperServer::new(port, buffer)
}

const fn manager<P: CryptoProvider, S: KeyStore>(
    manager: &mut KeyManager<P, S>,
) -> &mut dyn KeyManagement<P> {
    manager
}

/// The body of a notification.
type Body<'b> = &'b mut dyn FnMut(&mut Encoder<'_>) -> Result<(), BufferFull>;

fn notify<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    association: AssociationId,
    id: LongInvokeIdAndPriority,
    date_time: Option<DateTime>,
    body: Body<'_>,
    out: &mut [u8],
) -> Result<Range<usize>, ProtectionError> {
    data_notification(host, association, id, date_time, body, out)
}

fn report<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    association: AssociationId,
    time: Option<DateTime>,
    attribute: AttributeDescriptor,
    value: Body<'_>,
    out: &mut [u8],
) -> Result<Range<usize>, ProtectionError> {
    event_notification(host, association, time, attribute, value, out)
}

fn of<P: CryptoProvider>(found: Found<'_>) {
    compiled![found;
        Session::<P, Buffer>::handle_apdu, Session::<P, Buffer>::handle_timeout, Session::<P, Buffer>::poll_event,
        Session::<P, Buffer>::restart, Session::<P, Buffer>::link_lost,
        Links::<P>::handle_input, Links::<P>::poll_transmit, Links::<P>::poll_timeout, Links::<P>::handle_timeout,
        Links::<P>::line_lost, Links::<P>::poll_event, Links::<P>::is_associated, new_hdlc::<P>,
        Ports::<P>::handle_input, Ports::<P>::poll_timeout, Ports::<P>::handle_timeout, Ports::<P>::stream_lost,
        Ports::<P>::poll_event, Ports::<P>::is_associated, new_wrapper::<P>,
        serve_hdlc::<P>, serve_wrapper::<P>, serve_waiting::<P>,
        notify::<P>, report::<P>,
        Keys::<P>::open, Keys::<P>::seal,
        NewKeys::<P>::new, NewKeys::<P>::add, NewKeys::<P>::take_effect,
        KeyRing::<P>::new, KeyRing::<P>::set_master_key, KeyRing::<P>::set_broadcast_key, KeyRing::<P>::lowest_acceptable,
        SecurityContext::<P>::new, SecurityContext::<P>::restore_window, SecurityContext::<P>::advance_counter,
        SecurityContext::<P>::lowest_acceptable, SecurityContext::<P>::open, SecurityContext::<P>::seal,
    ];
}

pub fn all(found: Found<'_>) {
    of::<Provider>(found);
    of::<Small>(found);
    compiled![found;
        manager::<Provider, &mut dyn KeyStore>,  manager::<Small, &mut dyn KeyStore>,
        Deframer::<Buffer>::new, Deframer::<Buffer>::next, Deframer::<Buffer>::handle_timeout,
        Deframer::<Buffer>::poll_timeout, Deframer::<Buffer>::reset,
        Station::with_queue, Station::handle_frame, Station::poll_transmit, Station::send, Station::no_response,
        Station::queue_unconfirmed, Station::physical_disconnect, Station::poll_timeout, Station::handle_timeout,
        route::<Buffer, Buffer>, refuse,
        wrapper::Deframer::<Buffer>::new, wrapper::Deframer::<Buffer>::receive, wrapper::Deframer::<Buffer>::finish,
        wrapper::Deframer::<Buffer>::poll_timeout, wrapper::Deframer::<Buffer>::handle_timeout,
        wrapper::Deframer::<Buffer>::reset,
    ];
}
