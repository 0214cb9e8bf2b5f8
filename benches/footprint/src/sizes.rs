//! How large the engines are on this machine: one symbol for each, as large as the type.

use core::hint::black_box;

use dlms::SecurityContext;
use dlms::client::Client;
use dlms::server::Session;
use dlms_hdlc::{Primary, Secondary};
use dlms_security::Peers;

use crate::meter::Provider;

macro_rules! weigh {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(
            #[unsafe(no_mangle)]
            static $name: [u8; size_of::<$type>()] = [0; size_of::<$type>()];
        )*

        pub fn keep() {
            $(black_box(&$name);)*
        }
    };
}

weigh! {
    SIZE_CLIENT: Client<Provider, ()>,
    SIZE_SESSION: Session<Provider, ()>,
    SIZE_CLIENT_KEYS: SecurityContext<Provider, Peers<1>>,
    SIZE_SERVER_KEYS: SecurityContext<Provider>,
    SIZE_HDLC_PRIMARY: Primary<()>,
    SIZE_HDLC_SECONDARY: Secondary<()>,
}
