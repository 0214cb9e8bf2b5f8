//! A meter on a TCP port: the pattern to copy for a meter of one's own.
//!
//! The objects are the fields of a struct, known when the program is built; who may do what is a `match`. Nothing here
//! needs an allocator: in firmware the buffers are arrays, and the stream a UART (see `dlms::drivers`).
//!
//! ```sh
//! cargo run --example meter -- 127.0.0.1:4059
//! ```

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use dlms::obis::LogicalName;
use dlms::objects::classes::{AssociationLn, Clock, Register, SoftwareClock};
use dlms::objects::{AccessRights, AssociationId, LogicalDevice, ScalerUnit, Unit, behaviour};
use dlms::security::{AuthenticationMechanism, NoRandom, NoStore, RustCrypto, Secret, SystemTitle};
use dlms::server::{AssociationConfig, Host, WrapperServer};
use dlms::wrapper::WPort;

/// The public client reads the clock; the client that knows the password does everything.
const PUBLIC: AssociationId = AssociationId(0);
const READER: AssociationId = AssociationId(1);

struct Meter {
    clock: Clock<SoftwareClock>,
    energy: Register<u32>,
    voltage: Register<u16>,
    public: AssociationLn<1>,
    reader: AssociationLn<1>,
}

impl LogicalDevice for Meter {
    dlms::objects::objects!(clock, energy, voltage, public, reader);

    fn attribute_access(&self, association: AssociationId, index: usize, attribute: i8) -> AccessRights {
        let class_id = self.object(index).map(|object| object.class().id);
        match (association, class_id, attribute) {
            (READER, Some(8), 2 | 3) => AccessRights::READ | AccessRights::WRITE,
            (READER, ..) | (PUBLIC, Some(8 | 15), _) => AccessRights::READ,
            _ => AccessRights::empty(),
        }
    }

    fn method_access(&self, association: AssociationId, _index: usize, _method: i8) -> AccessRights {
        if association == READER { AccessRights::INVOKE } else { AccessRights::empty() }
    }

    fn is_visible(&self, association: AssociationId, index: usize) -> bool {
        association == READER || self.object(index).is_some_and(|object| object.class().id != 3)
    }

    fn association_object(&self, association: AssociationId) -> Option<usize> {
        Some(3 + usize::from(association.0))
    }
}

impl Meter {
    fn new(associations: &[AssociationConfig; 2]) -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let clock = SoftwareClock::starting_at(unix.as_millis() as i64, Duration::ZERO);
        let association = |id: AssociationId| associations[usize::from(id.0)].object(id, 1);
        Self {
            clock: Clock::new(LogicalName::new(0, 0, 1, 0, 0, 255), clock, 60).with_european_summer_time(),
            energy: Register::new(
                LogicalName::new(1, 0, 1, 8, 0, 255),
                1_234_567,
                ScalerUnit::new(0, Unit::ActiveEnergyWattHour),
            ),
            voltage: Register::new(
                LogicalName::new(1, 0, 32, 7, 0, 255),
                2304,
                ScalerUnit::new(-1, Unit::VoltageVolt),
            ),
            public: association(PUBLIC),
            reader: association(READER),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4059".to_owned());
    let public = AssociationConfig::public(16);
    let reader = AssociationConfig {
        client_sap: 32,
        mechanism: AuthenticationMechanism::Lls,
        secret: Secret::new(b"12345678")?,
        ..public.clone()
    };
    let mut associations = [public, reader];
    let mut meter = Meter::new(&associations);
    let listener = TcpListener::bind(&address)?;
    println!("listening on {}", listener.local_addr()?);
    let start = Instant::now();
    loop {
        let (stream, peer) = listener.accept()?;
        println!("{peer} is here");
        let end = serve(stream, start, &mut meter, &mut associations);
        println!("{peer} is gone{}", end.err().map_or_else(String::new, |error| format!(": {error}")));
    }
}

/// Serves one connection, and lets time pass meanwhile.
fn serve(
    mut stream: TcpStream,
    start: Instant,
    meter: &mut Meter,
    associations: &mut [AssociationConfig],
) -> Result<(), Box<dyn Error>> {
    const SECOND: Duration = Duration::from_secs(1);
    stream.set_read_timeout(Some(SECOND))?;
    let mut server: WrapperServer<RustCrypto<NoRandom>, [u8; 1100], 2> =
        WrapperServer::new(WPort::MANAGEMENT, || [0; 1100]);
    // Without ciphering and challenges there is nothing to be random or to be counted.
    let provider = RustCrypto::new(NoRandom);
    let mut scratch = [0; 64];
    let mut octets = [0; 512];
    let mut host = Host {
        device: meter,
        system_title: SystemTitle::from_octets(*b"ABC\0\0\0\0\x01"),
        associations,
        security: &mut [],
        provider: &provider,
        counters: &mut NoStore,
        key_rings: &mut [],
        public_keys: None,
        certificates: None,
        key_management: None,
        manufacturer: None,
        scratch: &mut scratch,
    };
    loop {
        let received = match stream.read(&mut octets) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(error) => return Err(error.into()),
        };
        let now = start.elapsed();
        behaviour::tick(host.device, now, host.scratch, &mut |effect| println!("{effect:?}"));
        server.handle_timeout(now)?;
        let mut input = &octets[..received];
        while !input.is_empty() {
            let answer = server.handle_input(now, &mut input, &mut host)?.map(<[u8]>::to_vec);
            // What must survive a restart is stored here, before the answer leaves.
            while let Some(event) = server.poll_event() {
                println!("{event:?}");
            }
            if let Some(answer) = answer {
                stream.write_all(&answer)?;
            }
        }
    }
}
