//! Drivers: a [`Line`] of octets joined to a server or a client, without an allocator and without a clock of their own.
//!
//! | | |
//! | --- | --- |
//! | [`serve`] | a meter: [`HdlcServer`](crate::server::HdlcServer) or [`WrapperServer`](crate::server::WrapperServer) on a line, until the line fails |
//! | [`Connection`] | a reader: [`Client`](crate::client::Client) over [`HdlcFraming`] or [`WrapperFraming`] |
//! | [`BlockingLine`] | anything of `embedded-io`, and a function that tells the time |
//! | [`AsyncLine`] | anything of `embedded-io-async`, and a [`Timer`] (feature `embedded-io-async`) |
//!
//! Each driver is written once, as a future. On a [`BlockingLine`] no future ever waits: [`block_on`] runs it through
//! without an executor.
//!
//! A meter on a UART:
//!
//! ```
//! # #[cfg(all(feature = "server", feature = "hdlc"))] {
//! use core::time::Duration;
//! use dlms::drivers::{Application, BlockingLine, DriverError, block_on, serve};
//! use dlms::hdlc::{SecondaryConfig, ServerAddress};
//! use dlms::security::CryptoProvider;
//! use dlms::server::{HdlcServer, Host};
//! use embedded_io::{Read, ReadReady, Write};
//!
//! fn run<IO: Read + ReadReady + Write, P: CryptoProvider>(
//!     uart: IO,
//!     now: impl FnMut() -> Duration,
//!     address: ServerAddress,
//!     host: &mut Host<'_, P>,
//!     application: &mut impl Application<P>,
//! ) -> DriverError<IO::Error> {
//!     let mut line = BlockingLine::new(uart, now);
//!     let mut server = HdlcServer::<P, [u8; 640], 2>::new(SecondaryConfig::new(address), || [0; 640]);
//!     block_on(serve(&mut line, &mut server, host, application, &mut [0; 640]))
//! }
//! # }
//! ```
//!
//! A hand-held reader:
//!
//! ```
//! # #[cfg(all(feature = "client", feature = "hdlc"))] {
//! use core::time::Duration;
//! use dlms::client::{Client, ClientConfig, Environment};
//! use dlms::drivers::{BlockingLine, Connection, DriverError, HdlcFraming, block_on};
//! use dlms::hdlc::{Deframer, MAX_FRAME, Primary, PrimaryConfig};
//! use dlms::obis::LogicalName;
//! use dlms::objects::{Number, classes::Register};
//! use dlms::security::CryptoProvider;
//! use embedded_io::{Read, ReadReady, Write};
//!
//! fn read_energy<IO: Read + ReadReady + Write, P: CryptoProvider>(
//!     uart: IO,
//!     now: impl FnMut() -> Duration,
//!     meter: PrimaryConfig,
//!     environment: Environment<'_, P>,
//! ) -> Result<Option<Number>, DriverError<IO::Error>> {
//!     let framing = HdlcFraming::new(Deframer::new([0; MAX_FRAME]), Primary::new(meter, [0; 640]));
//!     let client = Client::new(ClientConfig::public(), [0; 640]);
//!     let line = BlockingLine::new(uart, now);
//!     let mut connection = Connection::new(line, framing, client, environment, || [0; 640]);
//!     block_on(async {
//!         connection.associate().await?;
//!         let energy = Register::VALUE.of(LogicalName::new(1, 0, 1, 8, 0, 255));
//!         let energy = Number::from_data(connection.get(energy, &mut [0; 16]).await?);
//!         connection.release().await?;
//!         Ok(energy)
//!     })
//! }
//! # }
//! ```

#[cfg(feature = "client")]
mod connection;
mod error;
#[cfg(feature = "client")]
mod framing;
mod line;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "embedded-io-async")]
mod timed;

#[cfg(feature = "client")]
pub use connection::Connection;
pub use error::{DriverError, FramingError};
#[cfg(all(feature = "client", feature = "hdlc"))]
pub use framing::HdlcFraming;
#[cfg(all(feature = "client", feature = "wrapper"))]
pub use framing::WrapperFraming;
#[cfg(feature = "client")]
pub use framing::{ClientFraming, LinkEvent};
pub use line::{AlwaysReady, BlockingLine, Line, block_on};
#[cfg(feature = "server")]
pub use server::{Application, ServerFraming, serve};
#[cfg(feature = "embedded-io-async")]
pub use timed::{AsyncLine, Timer};

/// How many octets are read at once.
const READ: usize = 64;
