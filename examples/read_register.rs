//! Reads a register of a meter over TCP, with the client engine and nothing but the standard library around it.
//!
//! ```sh
//! cargo run --example meter &
//! cargo run --example read_register -- 127.0.0.1:4059 1-0:1.8.0*255 12345678
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use dlms::axdr::Data;
use dlms::client::{Client, ClientConfig, Environment, Event, Reaction};
use dlms::obis::LogicalName;
use dlms::objects::AttributeReference;
use dlms::objects::classes::Register;
use dlms::security::{NoRandom, NoStore, RustCrypto, Secret};
use dlms::wrapper::{HEADER_LENGTH, Header, WPort, Wpdu};

type Provider = RustCrypto<NoRandom>;

/// The client that the password belongs to.
const CLIENT: WPort = WPort(32);

/// An association over a stream.
struct Connection {
    stream: TcpStream,
    client: Client<Provider, Vec<u8>>,
    start: Instant,
    out: Vec<u8>,
}

impl Connection {
    fn open(address: &str, password: &str) -> Result<Self, Box<dyn Error>> {
        let config = ClientConfig::lls(Secret::new(password.as_bytes())?);
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(config.response_timeout))?;
        let client = Client::new(config, Vec::new());
        let mut connection = Self { stream, client, start: Instant::now(), out: vec![0; 1024] };
        connection.request(|client, env, out| client.associate(env, out), |_| Ok(()))?;
        Ok(connection)
    }

    fn read(&mut self, attribute: AttributeReference) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut value = Vec::new();
        self.request(
            |client, env, out| client.get(env, attribute.into(), out),
            |event| match event {
                Event::GetPiece { octets, .. } => {
                    value.extend_from_slice(octets);
                    Ok(())
                }
                other => Err(format!("{other:?}").into()),
            },
        )?;
        Ok(value)
    }

    /// Makes a request and exchanges APDUs until it is answered.
    fn request<E: Error + 'static>(
        &mut self,
        begin: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<std::ops::Range<usize>, E>,
        mut happened: impl FnMut(Event<'_>) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        // A password needs no random numbers, no counters, no keys.
        let provider = RustCrypto::new(NoRandom);
        let mut env = Environment {
            provider: &provider,
            counters: &mut NoStore,
            security: None,
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: self.start.elapsed(),
        };
        let mut transmit = Some(begin(&mut self.client, &mut env, &mut self.out)?);
        while let Some(range) = transmit {
            let mut apdu = exchange(&mut self.stream, &self.out[range])?;
            env.now = self.start.elapsed();
            let reaction: Reaction<'_> = self.client.handle_apdu(&mut env, &mut apdu, &mut self.out)?;
            transmit = reaction.transmit;
            match reaction.event {
                Some(Event::Refused(refusal)) => return Err(refusal.into()),
                Some(event) => happened(event)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// Sends an APDU and waits for the answer.
fn exchange(stream: &mut TcpStream, apdu: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let request = Wpdu { source: CLIENT, destination: WPort::MANAGEMENT, apdu };
    let mut octets = vec![0; HEADER_LENGTH + apdu.len()];
    request.encode(&mut octets)?;
    stream.write_all(&octets)?;
    let mut header = [0; HEADER_LENGTH];
    stream.read_exact(&mut header)?;
    let mut answer = vec![0; Header::decode(header)?.length()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:4059".to_owned());
    let name: LogicalName = arguments.next().as_deref().unwrap_or("1-0:1.8.0*255").parse()?;
    let password = arguments.next().unwrap_or_else(|| "12345678".to_owned());

    let mut meter = Connection::open(&address, &password)?;
    let scaler_unit = meter.read(Register::SCALER_UNIT.of(name))?;
    let scaler_unit = Register::SCALER_UNIT.decode(Data::from_octets(&scaler_unit)?)?;
    let value = meter.read(Register::VALUE.of(name))?;
    let value = scaler_unit.apply(Data::from_octets(&value)?).ok_or("the register holds no number")?;
    let description = name.describe().map_or_else(String::new, |description| description.to_string());
    println!("{name} {description}: {value}");
    meter.request(|client, env, out| client.release(env, out), |_| Ok(()))
}
