//! A meter on a Cortex-M3 with two lines, no operating system and no allocator: the optical port and the remote port.
//!
//! Everything happens in one loop: octets that came are served, then time passes for the objects, then the processor
//! sleeps until more octets come or the next tick. `README.md` says how to run it.
#![no_std]
#![no_main]

mod associations;
mod device;
mod events;
mod hardware;
mod image;
mod keys;
mod optical;
mod port;
mod storage;

use core::convert::Infallible;
use core::panic::PanicInfo;
use core::time::Duration;

use board::{Flash, OPTICAL_PORT, REMOTE_PORT, Timer};
use cortex_m_rt::{entry, exception};
use device::Device;
use dlms::PublicKeys;
use dlms::hdlc::ServerAddress;
use dlms::server::{AssociationConfig, Host};
use events::EventCode;
use keys::Keys;
use optical::Opening;
use port::{Events, Port};
use static_cell::StaticCell;
use storage::Storage;

static DEVICE: StaticCell<Device> = StaticCell::new();
static KEYS: StaticCell<Keys> = StaticCell::new();
static STORAGE: StaticCell<Storage> = StaticCell::new();
static ASSOCIATIONS: StaticCell<[AssociationConfig; associations::COUNT]> = StaticCell::new();
static OPTICAL: StaticCell<Port> = StaticCell::new();
static REMOTE: StaticCell<Port> = StaticCell::new();

/// How often time passes for the objects.
const TICK: Duration = Duration::from_millis(100);

/// How long after its activation a new image is started: the client has said good-bye by then.
const RESTART: Duration = Duration::from_secs(2);

#[entry]
fn main() -> ! {
    let Err(fault) = run();
    board::log(format_args!("stopped: {fault}"));
    loop {
        cortex_m::asm::wfi();
    }
}

fn run() -> Result<Infallible, &'static str> {
    let peripherals = cortex_m::Peripherals::take().ok_or("started twice")?;
    let timer = Timer::start(peripherals.SYST);
    let storage = open_storage()?;
    let associations = ASSOCIATIONS.init(associations::configs().map_err(|_| "a secret is too long")?);
    let keys = make_keys(storage)?;
    let device = make_device(associations, storage)?;
    let ports = make_ports()?;
    board::log(format_args!("meter {} is ready", device.version()));
    serve(Meter { timer, storage, associations, keys, device, ports })
}

// What is made here is large: each in a function of its own, so that its frame is gone when the meter runs.

#[inline(never)]
fn open_storage() -> Result<&'static Storage, &'static str> {
    let flash = Flash::open().map_err(|_| "no data flash")?;
    Ok(STORAGE.init(Storage::open(flash).map_err(|_| "the counters cannot be read")?))
}

#[inline(never)]
fn make_keys(storage: &'static Storage) -> Result<&'static mut Keys, &'static str> {
    Ok(KEYS.init(Keys::new(storage).map_err(|_| "the keys cannot be read")?))
}

#[inline(never)]
fn make_device(
    associations: &[AssociationConfig; associations::COUNT],
    storage: &'static Storage,
) -> Result<&'static mut Device, &'static str> {
    Ok(DEVICE.init(Device::new(associations, storage)?))
}

#[inline(never)]
fn make_ports() -> Result<[&'static mut Port; 2], &'static str> {
    let address = ServerAddress::one(1).map_err(|_| "no HDLC address")?;
    let opening = Opening::new().map_err(|_| "no identification")?;
    Ok([
        OPTICAL.init_with(|| Port::new(OPTICAL_PORT, Some(opening), address)),
        REMOTE.init_with(|| Port::new(REMOTE_PORT, None, address)),
    ])
}

/// All that the loop needs.
struct Meter {
    timer: Timer,
    storage: &'static Storage,
    associations: &'static mut [AssociationConfig; associations::COUNT],
    keys: &'static mut Keys,
    device: &'static mut Device,
    ports: [&'static mut Port; 2],
}

#[inline(never)]
fn serve(mut meter: Meter) -> ! {
    let mut scratch = [0; 128];
    let mut next_tick = Duration::ZERO;
    let mut restart = None;
    meter.device.log(EventCode::PowerUp, &mut scratch);
    loop {
        let now = meter.timer.now();
        if now >= next_tick {
            next_tick = now + TICK;
            meter.device.tick(now, &mut scratch);
        }
        // A client asks for them just before it uses the next one.
        meter.device.show_counters(meter.keys.counters(meter.storage));
        let mut host = Host {
            device: meter.device,
            system_title: keys::TITLE,
            associations: meter.associations,
            security: &mut meter.keys.security,
            provider: &meter.keys.provider,
            counters: &mut meter.storage,
            key_rings: &mut meter.keys.key_rings,
            public_keys: Some(PublicKeys {
                provider: &meter.keys.provider,
                own: &mut meter.keys.key_pairs,
                peers: &meter.keys.clients,
            }),
            certificates: None,
            key_management: Some(&mut meter.keys.manager),
            manufacturer: None,
            scratch: &mut scratch,
        };
        let mut is_quiet = true;
        let mut happened = Events::new();
        for port in &mut meter.ports {
            is_quiet &= !port.serve(&mut meter.timer, &mut host, &mut happened);
        }
        for event in happened {
            meter.device.log(event, &mut scratch);
            if event == EventCode::FirmwareActivated {
                restart = Some(now + RESTART);
            }
        }
        if restart.is_some_and(|restart| now >= restart) {
            cortex_m::peripheral::SCB::sys_reset();
        }
        if is_quiet {
            meter.timer.sleep();
        }
    }
}

/// Interrupts are masked and only end sleep.
#[exception]
unsafe fn DefaultHandler(_: i16) {}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    board::log(format_args!("panicked"));
    cortex_m::peripheral::SCB::sys_reset()
}
