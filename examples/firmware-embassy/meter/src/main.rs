//! A meter with Embassy, without an allocator. Three tasks: one measures, one serves the remote port, one pushes at the
//! consumer port. `README.md` says how to run it.
#![no_std]
#![no_main]

mod associations;
mod device;
mod keys;
mod metering;
mod push;
mod storage;

use core::panic::PanicInfo;
use core::sync::atomic::Ordering;
use core::time::Duration;

use associations::LONGEST_APDU;
use defmt_semihosting as _;
use device::Device;
use dlms::SecurityContext;
use dlms::drivers::{AsyncLine, Timer, serve};
use dlms::hdlc::{Parameters, SecondaryConfig, ServerAddress};
use dlms::security::CounterStore;
use dlms::server::{AssociationConfig, HdlcServer, Host};
use embassy_board::{Flash, REMOTE_PORT};
use embassy_executor::Spawner;
use embassy_time::Instant;
use keys::{COUNTER, COUNTERS, Provider};
use push::Events;
use static_cell::StaticCell;
use storage::Counters;

/// The longest APDU with its protection.
const BUFFER: usize = LONGEST_APDU as usize + 48;
/// The longest information field of a frame, and what is around it.
const INFORMATION: u16 = 256;
const FRAME: usize = INFORMATION as usize + 32;
/// Clients at once: one that goes away without a word holds its place until it was silent for long.
const LINKS: usize = 2;

type Server = HdlcServer<Provider, [u8; BUFFER], LINKS>;

static SERVER: StaticCell<Server> = StaticCell::new();
static METER: StaticCell<Meter> = StaticCell::new();

/// What the server answers with.
struct Meter {
    device: Device,
    associations: [AssociationConfig; associations::COUNT],
    security: [SecurityContext<Provider>; 1],
    provider: Provider,
    counters: Counters,
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    embassy_board::start();
    let started = prepare().and_then(|(meter, server)| {
        let address = ServerAddress::one(1).map_err(|_| "no HDLC address")?;
        spawner.spawn(metering::measure().map_err(|_| "no task")?);
        spawner.spawn(push::send(address).map_err(|_| "no task")?);
        Ok((meter, server))
    });
    match started {
        Ok((meter, server)) => answer(meter, server).await,
        Err(fault) => {
            defmt::error!("not started: {=str}", fault);
            restart()
        }
    }
}

/// Makes what is large: in a function of its own, so that its frame is gone when the meter runs.
#[inline(never)]
fn prepare() -> Result<(&'static mut Meter, &'static mut Server), &'static str> {
    let flash = Flash::open().map_err(|_| "no data flash")?;
    let mut counters = storage::counters(flash).map_err(|_| "the counters cannot be read")?;
    let floor = counters.floor(COUNTERS, keys::CLIENT).map_err(|_| "the counters cannot be read")?;
    COUNTER.store(floor.saturating_sub(1), Ordering::Relaxed);
    let associations = associations::configs().map_err(|_| "a secret is too long")?;
    let provider = keys::provider();
    let meter = METER.init(Meter {
        device: Device::new(&associations, flash, Embassy.now())?,
        security: keys::contexts(&provider).map_err(|_| "no keys")?,
        associations,
        provider,
        counters,
    });
    let limits = Parameters {
        max_information_transmit: INFORMATION,
        max_information_receive: INFORMATION,
        ..Parameters::default()
    };
    let address = ServerAddress::one(1).map_err(|_| "no HDLC address")?;
    let config = SecondaryConfig { limits, ..SecondaryConfig::new(address) };
    Ok((meter, SERVER.init_with(|| HdlcServer::new(config, || [0; BUFFER]))))
}

/// Serves the remote port.
async fn answer(meter: &'static mut Meter, server: &'static mut Server) -> ! {
    let mut host = Host {
        device: &mut meter.device,
        system_title: keys::TITLE,
        associations: &mut meter.associations,
        security: &mut meter.security,
        provider: &meter.provider,
        counters: &mut meter.counters,
        key_rings: &mut [],
        public_keys: None,
        certificates: None,
        key_management: None,
        manufacturer: None,
        scratch: &mut [0; 64],
    };
    let mut line = AsyncLine::new(&REMOTE_PORT, Embassy);
    let mut events = Events::new();
    let mut frame = [0; FRAME];
    loop {
        // It returns when the line fails, and this one does not.
        serve(&mut line, server, &mut host, &mut events, &mut frame).await;
    }
}

defmt::timestamp!("{=u64:ms}", Instant::now().as_millis());

/// Embassy's clock.
struct Embassy;

impl Timer for Embassy {
    fn now(&mut self) -> Duration {
        Duration::from_millis(Instant::now().as_millis())
    }

    async fn wait_until(&mut self, deadline: Duration) {
        embassy_time::Timer::at(Instant::from_millis(deadline.as_millis() as u64)).await;
    }
}

fn restart() -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    defmt::error!("panicked");
    restart()
}
