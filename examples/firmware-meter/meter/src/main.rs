//! A meter on a Cortex-M3 with two lines, no operating system and no allocator: the optical port and the remote port.
//!
//! Everything happens in one loop: octets that came are served, then time passes for the objects, then the processor
//! sleeps until more octets come or the next tick. `README.md` says how to run it.
#![no_std]
#![no_main]

mod associations;
mod device;
mod keys;
mod port;

use core::panic::PanicInfo;
use core::time::Duration;

use board::{Flash, OPTICAL_PORT, REMOTE_PORT, Timer};
use cortex_m_rt::{entry, exception};
use device::Device;
use dlms::hdlc::ServerAddress;
use dlms::objects::behaviour;
use dlms::server::Host;
use keys::Keys;
use port::Port;
use static_cell::StaticCell;

static DEVICE: StaticCell<Device> = StaticCell::new();
static KEYS: StaticCell<Keys> = StaticCell::new();
static PORTS: StaticCell<[Port; 2]> = StaticCell::new();

/// How often time passes for the objects.
const TICK: Duration = Duration::from_millis(100);

#[entry]
fn main() -> ! {
    let Err(fault) = run();
    board::log(format_args!("stopped: {fault}"));
    loop {
        cortex_m::asm::wfi();
    }
}

fn run() -> Result<core::convert::Infallible, &'static str> {
    let peripherals = cortex_m::Peripherals::take().ok_or("started twice")?;
    let mut timer = Timer::start(peripherals.SYST);
    let flash = Flash::open().map_err(|_| "no data flash")?;
    let mut associations = associations::configs().map_err(|_| "a secret is too long")?;
    let keys = KEYS.init(Keys::new(flash).map_err(|_| "the keys cannot be read")?);
    let device = DEVICE.init_with(|| Device::new(&associations));
    let address = ServerAddress::one(1).map_err(|_| "no HDLC address")?;
    let ports = PORTS.init_with(|| [OPTICAL_PORT, REMOTE_PORT].map(|uart| Port::new(uart, address)));
    board::log(format_args!("meter {} is ready", env!("CARGO_PKG_VERSION")));
    let mut scratch = [0; 128];
    let mut next_tick = Duration::ZERO;
    loop {
        let now = timer.now();
        if now >= next_tick {
            next_tick = now + TICK;
            device.measure(now);
            behaviour::tick(device, now, &mut scratch, &mut |_| {});
        }
        let mut host = Host {
            device,
            system_title: keys::TITLE,
            associations: &mut associations,
            security: &mut keys.security,
            provider: &keys.provider,
            counters: &mut keys.counters,
            key_rings: &mut [],
            public_keys: None,
            certificates: None,
            key_management: None,
            manufacturer: None,
            scratch: &mut scratch,
        };
        let mut is_quiet = true;
        for port in ports.iter_mut() {
            is_quiet &= !port.serve(&mut timer, &mut host);
        }
        if is_quiet {
            timer.sleep();
        }
    }
}

/// Interrupts are masked and only end sleep.
#[exception]
unsafe fn DefaultHandler(_: i16) {}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
