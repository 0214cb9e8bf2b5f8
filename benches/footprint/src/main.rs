//! A meter that hosts what its features say on one HDLC link, to weigh what that takes in flash and RAM.
//!
//! Without features: twenty objects, two associations, LLS; GET, SET and ACTION with lists, blocks and selective access.
//! `suite0` is the minimal meter, `full` has everything. There is as much start-up code as the emulator needs.
#![no_std]
#![no_main]

mod associations;
mod board;
#[cfg(feature = "flash")]
mod flash;
mod keys;
mod meter;
#[cfg(not(feature = "suite0"))]
mod no_cipher;
mod runtime;
#[cfg(feature = "sign-on")]
mod sign_on;
mod sizes;

use core::mem::MaybeUninit;
use core::time::Duration;

use cosem_objects::behaviour;
use dlms::server::HdlcServer;
use dlms_hdlc::{SecondaryConfig, ServerAddress};
use keys::Provider;
use meter::Meter;

/// The longest APDU, and room for its protection.
const BUFFER: usize = associations::LONGEST_APDU as usize + 64;
const FRAME: usize = 160;
const SCRATCH: usize = 128;

type Server = HdlcServer<Provider, [u8; BUFFER], 1>;

/// Makes something in a place of its own, once, in a function whose frame is gone when the meter runs.
macro_rules! stay {
    ($kind:ty, $make:expr) => {{
        static mut PLACE: core::mem::MaybeUninit<$kind> = core::mem::MaybeUninit::uninit();
        // SAFETY: this is executed once, at the start, so there is no other reference.
        crate::put(unsafe { &mut *(&raw mut PLACE) }, $make)
    }};
}
use stay;

#[inline(never)]
fn put<T>(place: &'static mut MaybeUninit<T>, make: impl FnOnce() -> T) -> &'static mut T {
    place.write(make())
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let server = stay!(Server, || {
        let config = SecondaryConfig::new(unwrap(ServerAddress::one(1)));
        Server::new(config, || [0; BUFFER])
    });
    serve(Meter::new(), server)
}

#[inline(never)]
fn serve(mut meter: Meter, server: &mut Server) -> ! {
    #[cfg(feature = "sign-on")]
    let mut opening = sign_on::Opening::new();
    let mut scratch = [0; SCRATCH];
    let mut frame = [0; FRAME];
    loop {
        let now = Duration::from_millis(board::milliseconds().into());
        let received = board::receive();
        let mut input = received.as_slice();
        #[cfg(feature = "sign-on")]
        {
            input = opening.take(now, input);
        }
        while server.handle_input(now, &mut input, &mut meter.host(&mut scratch)) {
            while let Some(length) = server.poll_transmit(now, &mut frame) {
                frame.iter().take(length).for_each(|&octet| board::send(octet));
            }
        }
        if server.poll_timeout().is_some_and(|deadline| deadline <= now) {
            server.handle_timeout(now);
        }
        while server.poll_event().is_some() {}
        behaviour::tick(meter.device, now, &mut scratch, &mut |_| {});
    }
}

/// What cannot fail here.
fn unwrap<T, E>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(_) => loop {},
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
