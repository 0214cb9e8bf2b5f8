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
//! ```ignore
//! let mut line = BlockingLine::new(uart, || clock.elapsed());
//! let mut server: HdlcServer<_, [u8; 640], 2> = HdlcServer::new(SecondaryConfig::new(address), || [0; 640]);
//! let error = block_on(serve(&mut line, &mut server, &mut host, &mut application, &mut [0; 640]));
//! ```
//!
//! A hand-held reader:
//!
//! ```ignore
//! let framing = HdlcFraming::new(Deframer::new([0; 300]), Primary::new(config, [0; 1024]));
//! let mut connection = Connection::new(line, framing, client, environment, || [0; 1024]);
//! block_on(async {
//!     connection.associate().await?;
//!     let energy = connection.get(Register::VALUE.of(energy), &mut [0; 32]).await?;
//!     connection.release().await
//! })
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
