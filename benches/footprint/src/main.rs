//! The least meter that is one, to weigh what it takes in flash on a Cortex-M4.
//!
//! Twenty objects, two associations, one HDLC link: GET, SET and ACTION with lists, blocks and selective access; LLS,
//! and with the feature `suite0` HLS-GMAC with ciphering. The hardware is three registers somewhere. There is no start-up
//! code and no vector table: what is weighed is the protocol.
#![no_std]
#![no_main]

mod hardware;
mod meter;
#[cfg(not(feature = "suite0"))]
mod no_cipher;
mod runtime;
#[cfg(feature = "sizes")]
mod sizes;

use core::time::Duration;

use cosem_objects::behaviour;
use dlms::server::{HdlcServer, Host};
use dlms_hdlc::{SecondaryConfig, ServerAddress};
use meter::{Meter, Provider};
use static_cell::StaticCell;

/// The longest APDU, and room for its protection.
const BUFFER: usize = 320;

type Server = HdlcServer<Provider, [u8; BUFFER], 1>;

static METER: StaticCell<Meter> = StaticCell::new();
static SERVER: StaticCell<Server> = StaticCell::new();

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    #[cfg(feature = "sizes")]
    sizes::keep();
    let meter = METER.init_with(Meter::new);
    let server = SERVER.init_with(|| {
        Server::new(SecondaryConfig::new(meter::unwrap(ServerAddress::one(1))), || [0; BUFFER])
    });
    let mut scratch = [0; 64];
    loop {
        let now = Duration::from_millis(hardware::milliseconds().into());
        let received = [hardware::receive()];
        let mut input = &received[..];
        loop {
            let mut host = Host {
                device: &mut meter.device,
                system_title: meter::TITLE,
                associations: &mut meter.associations,
                security: &mut meter.security,
                provider: &meter.provider,
                counters: &mut meter.counters,
                key_rings: &mut [],
                public_keys: None,
                certificates: None,
                key_management: None,
                manufacturer: None,
                scratch: &mut scratch,
            };
            if !server.handle_input(now, &mut input, &mut host) {
                break;
            }
            let mut frame = [0; 160];
            while let Some(length) = server.poll_transmit(now, &mut frame) {
                frame.iter().take(length).for_each(|&octet| hardware::send(octet));
            }
        }
        if server.poll_timeout().is_some_and(|deadline| deadline <= now) {
            server.handle_timeout(now);
        }
        while server.poll_event().is_some() {}
        behaviour::tick(&mut meter.device, now, &mut scratch, &mut |_| {});
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
