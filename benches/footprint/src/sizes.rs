//! How large things are on this machine: one symbol for each, as large as the type, in a section that no image has.

use cosem_objects::classes::AssociationLn;
use dlms::SecurityContext;
use dlms::client::Client;
use dlms::server::{AssociationConfig, HdlcServer, Session};
use dlms_hdlc::Secondary;
use dlms_security::Peers;

use crate::Server;
use crate::keys::{Keys, Provider};
use crate::meter::Device;

macro_rules! weigh {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(
            #[used]
            #[unsafe(no_mangle)]
            #[unsafe(link_section = ".sizes")]
            static $name: [u8; size_of::<$type>()] = [0; size_of::<$type>()];
        )*
    };
}

weigh! {
    SIZE_CLIENT: Client<Provider, ()>,
    SIZE_CLIENT_KEYS: SecurityContext<Provider, Peers<1>>,
    SIZE_SESSION: Session<Provider, ()>,
    SIZE_SERVER_KEYS: SecurityContext<Provider>,
    SIZE_HDLC_SECONDARY: Secondary<()>,
    SIZE_ASSOCIATION: (AssociationConfig, AssociationLn<1>),
    SIZE_SERVER: Server,
    SIZE_BUFFERS: [u8; size_of::<Server>() - size_of::<HdlcServer<Provider, [u8; 0], 1>>()],
    SIZE_DEVICE: Device,
    SIZE_ROWS: crate::meter::Rows,
    SIZE_KEYS: Keys,
}
