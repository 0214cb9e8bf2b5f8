//! The client, its connections, and the procedures that change keys.

use core::future::Future;
use core::time::Duration;

use dlms::axdr::Data;
use dlms::client::rotation::KeyRotation;
use dlms::client::security_setup::{KeyAgreement, key_transfer};
use dlms::client::{
    ActionItem, Agreement, Client, Environment, SetItem, broadcast, data_protection, notification,
};
use dlms::drivers::{
    AsyncLine, BlockingLine, ClientFraming, Connection, DriverError, HdlcFraming, WrapperFraming,
};
use dlms::hdlc::{Listener, Primary};
use dlms::security::CryptoProvider;
use dlms::xdlms::AttributeDescriptorWithSelection;

use crate::outside::{Buffer, Failure, Outside, Provider};
use crate::{Found, compiled};

type Line = BlockingLine<Outside, fn() -> Duration>;
type Waiting = AsyncLine<Outside, Outside>;
type Result<T> = core::result::Result<T, DriverError<Failure>>;
type Asked<'a, T> = &'a mut dyn FnMut(&mut dyn Future<Output = Result<T>>);

fn connection<L: dlms::drivers::Line<Error = Failure>, F: ClientFraming, P: CryptoProvider>(
    connection: &mut Connection<'_, L, F, P, Buffer>,
    (attribute, set, action): (AttributeDescriptorWithSelection<'_>, SetItem<'_>, ActionItem<'_>),
    [one, other]: [Buffer; 2],
    (associated, done): (Asked<'_, Agreement>, Asked<'_, ()>),
    got: Asked<'_, Data<'static>>,
    answered: Asked<'_, Option<Data<'static>>>,
) {
    associated(&mut connection.associate());
    got(&mut connection.get(attribute, one));
    done(&mut connection.set(set));
    answered(&mut connection.action(action, other));
    done(&mut connection.release());
}

fn new_connection<L: dlms::drivers::Line, F: ClientFraming, P: CryptoProvider + 'static>(
    line: L,
    framing: F,
    client: Client<P, Buffer>,
    environment: Environment<'static, P>,
    buffer: &mut dyn FnMut() -> Buffer,
) -> Connection<'static, L, F, P, Buffer> {
    Connection::new(line, framing, client, environment, buffer)
}

type Hdlc = HdlcFraming<Buffer, Buffer>;
type Wrapped = WrapperFraming<Buffer>;
type Station = Primary<Buffer>;

fn of<P: CryptoProvider + 'static>(found: Found<'_>) {
    compiled![found;
        Client::<P, Buffer>::associate, Client::<P, Buffer>::release, Client::<P, Buffer>::get,
        Client::<P, Buffer>::get_with_list, Client::<P, Buffer>::set, Client::<P, Buffer>::set_with_list,
        Client::<P, Buffer>::action, Client::<P, Buffer>::action_with_list, Client::<P, Buffer>::access,
        Client::<P, Buffer>::handle_apdu, Client::<P, Buffer>::handle_timeout, Client::<P, Buffer>::cancel,
        Client::<P, Buffer>::link_lost,
        broadcast::set::<P>, broadcast::action::<P>, broadcast::access::<P>,
        data_protection::set_request::<P>, data_protection::method_request::<P>, data_protection::open::<P>,
        notification::open::<P>, notification::open_with::<P>,
        key_transfer::<P>, KeyAgreement::finish::<P>,
        KeyRotation::begin::<P>, KeyRotation::resume::<P>, KeyRotation::next::<P>, KeyRotation::answer::<P>,
        connection::<Line, Hdlc, P>, connection::<Line, Wrapped, P>, connection::<Waiting, Hdlc, P>,
        new_connection::<Line, Hdlc, P>, new_connection::<Waiting, Wrapped, P>,
    ];
}

pub fn all(found: Found<'_>) {
    of::<Provider>(found);
    compiled![found;
        Station::new, Station::connect, Station::disconnect, Station::send, Station::send_without_response,
        Station::send_unconfirmed, Station::poll, Station::poll_unconfirmed, Station::handle_frame,
        Station::poll_transmit, Station::poll_timeout, Station::handle_timeout,
        Listener::<Buffer>::new, Listener::<Buffer>::handle_frame,
    ];
}
