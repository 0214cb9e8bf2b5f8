//! The client: one association with one logical device of one meter.
//!
//! ```no_run
//! use cosem_objects::classes::Register;
//! use dlms_obis::LogicalName;
//! use dlms_tokio::{Client, ClientOptions, Endpoint, Framing};
//!
//! # async fn read() -> Result<(), dlms_tokio::Error> {
//! let meter = Endpoint::Tcp("192.0.2.7:4059".into());
//! let mut client = Client::connect(ClientOptions::new(meter, Framing::wrapper(16, 1))).await?;
//! let energy = LogicalName::new(1, 0, 1, 8, 0, 255);
//! let scaler_unit = client.read(Register::SCALER_UNIT, energy).await?;
//! println!("{scaler_unit:?}");
//! client.disconnect().await?;
//! # Ok(())
//! # }
//! ```

mod access;
mod data_protection;
mod exchange;
mod image;
mod object_list;
mod profile;
mod register;
mod services;
mod value;

use std::collections::VecDeque;
use std::time::Duration;

use dlms::client::{Agreement, Client as Engine, Event};
use dlms::xdlms::{ExceptionResponse, ServiceError};
use dlms::{KeyRing, SecurityContext};
use dlms_hdlc::PrimaryConfig;
use dlms_security::hls::Manufacturer;
use dlms_security::{CounterStore, CryptoProvider, InvocationCounter};

pub use access::{AccessItem, AccessOptions, Accessed};
pub use data_protection::RemoteDataProtection;
pub use exchange::Notification;
pub use image::{ImageProgress, ImageTransfer};
pub use object_list::ObjectListElement;
pub use profile::{Profile, ProfileSelection};
pub use register::RemoteRegister;
pub use value::Value;

use crate::options::{ClientOptions, Framing, Identity, no_store};
use crate::{Error, Link, Provider};

/// How far unauthenticated hints of the meter may move our invocation counter, all of them together, until the meter has
/// proved itself.
const COUNTER_JUMP: u32 = 0x10_0000;

/// An association with a meter.
///
/// One request is on its way at a time. A future that is dropped leaves the association open; the answer that comes late
/// is dropped.
pub struct Client<P: CryptoProvider = Provider> {
    engine: Engine<P, Vec<u8>>,
    link: Link,
    provider: P,
    security: Option<SecurityContext<P>>,
    key_ring: Option<KeyRing<P>>,
    counters: Box<dyn CounterStore + Send>,
    /// Where our counter was when hints began to move it.
    unhinted: u32,
    identity: Option<Identity>,
    manufacturer: Option<Box<dyn Manufacturer + Send + Sync>>,
    out: Vec<u8>,
    /// What was received of the value that is being read.
    value: Vec<u8>,
    notifications: VecDeque<Notification>,
    retries: u32,
    max_value: usize,
    follows_counter: bool,
}

impl Client<Provider> {
    /// Connects and opens the association.
    ///
    /// # Errors
    /// There is no connection, or no association; [`Error::kind`] tells.
    pub async fn connect(options: ClientOptions) -> Result<Self, Error> {
        Self::connect_with(crate::provider_on(options.library)?, options).await
    }
}

impl<P: CryptoProvider> Client<P> {
    /// The same with another provider of cryptography: a hardware security module, whose keys [`Keys::of`](crate::Keys::of)
    /// and [`Identity::with_provider`](crate::Identity::with_provider) take as handles.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_with(provider: P, mut options: ClientOptions) -> Result<Self, Error> {
        if let Framing::Hdlc(config) = &options.framing {
            // The link repeats what is lost; the request must not be given up before the link is.
            options.association.response_timeout =
                options.association.response_timeout.saturating_add(link_patience(config));
        }
        let (security, key_ring, counters) = match options.keys.take() {
            None => (None, None, no_store()),
            Some(keys) => {
                let mut key_ring = KeyRing::new();
                if let Some(key) = &keys.master {
                    key_ring.set_master_key(&provider, keys.suite, key)?;
                }
                let context = SecurityContext::new(
                    &provider,
                    keys.suite,
                    keys.client_title,
                    &keys.encryption_key,
                    keys.authentication_key,
                    keys.counter,
                    keys.reserved,
                )?;
                (Some(context), Some(key_ring), keys.store)
            }
        };
        let identity = options.identity.take().map(|identity| identity.on(options.library)).transpose()?;
        let link = Link::open(&mut options).await?;
        let engine = Engine::new(options.association.clone(), vec![0; options.max_request]);
        let mut client = Self {
            engine,
            link,
            provider,
            unhinted: security.as_ref().map_or(0, |security| security.upcoming_counter().value()),
            security,
            key_ring,
            counters,
            identity,
            manufacturer: options.manufacturer,
            out: vec![0; usize::from(u16::MAX) + Engine::<P, Vec<u8>>::TRANSMIT_OVERHEAD],
            value: Vec::new(),
            notifications: VecDeque::new(),
            retries: options.retries,
            max_value: options.max_value,
            follows_counter: options.follows_counter,
        };
        match client.associate().await {
            Ok(_) => Ok(client),
            Err(error) => {
                client.abandon().await;
                Err(error)
            }
        }
    }

    /// Opens the association anew, after a release.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn associate(&mut self) -> Result<Agreement, Error> {
        let mut tries = 0;
        let mut hinted = false;
        loop {
            match self.try_associate().await {
                Err(Error::Timeout(_)) if tries < self.retries => tries += 1,
                Err(Error::Exception(response)) if !hinted && self.follow_hint(response) => hinted = true,
                Ok(agreement) => {
                    self.unhinted = self.upcoming_counter();
                    return Ok(agreement);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_associate(&mut self) -> Result<Agreement, Error> {
        self.engine.link_lost();
        self.send(|engine, env, out| engine.associate(env, out)).await?;
        let agreed = self.wait(|event, _| match event {
            Event::Associated(agreement) => Ok(Some(agreement)),
            event => Err(unexpected(&event)),
        });
        let agreed = agreed.await;
        if agreed.is_err() {
            self.engine.link_lost();
        }
        agreed
    }

    /// Moves our counter to where the meter says that it must be, within bounds: the hint is not authenticated.
    fn follow_hint(&mut self, response: ExceptionResponse) -> bool {
        if !self.follows_counter {
            return false;
        }
        let ServiceError::InvocationCounterError(Some(counter)) = response.service_error else {
            return false;
        };
        let next = InvocationCounter::new(counter.saturating_add(1));
        let limit = self.unhinted.saturating_add(COUNTER_JUMP).saturating_sub(self.upcoming_counter());
        self.security.as_mut().is_some_and(|security| {
            next > security.upcoming_counter() && security.advance_counter(next, limit).is_ok()
        })
    }

    fn upcoming_counter(&self) -> u32 {
        self.security.as_ref().map_or(0, |security| security.upcoming_counter().value())
    }

    /// What was agreed on, while the association is open.
    pub const fn agreement(&self) -> Option<&Agreement> {
        self.engine.agreement()
    }

    /// The keys with their counters, if the client has some.
    pub const fn security(&self) -> Option<&SecurityContext<P>> {
        self.security.as_ref()
    }

    /// Releases the association; the link stays.
    ///
    /// # Errors
    /// The meter does not answer.
    pub async fn release(&mut self) -> Result<(), Error> {
        self.send(|engine, env, out| engine.release(env, out)).await?;
        self.wait(|event, _| match event {
            Event::Released { .. } => Ok(Some(())),
            event => Err(unexpected(&event)),
        })
        .await
    }

    /// Releases the association, if it is open, and closes the link.
    ///
    /// # Errors
    /// The meter does not answer; the link is closed all the same.
    pub async fn disconnect(mut self) -> Result<(), Error> {
        if self.engine.agreement().is_some()
            && let Err(error) = self.release().await
        {
            self.abandon().await;
            return Err(error);
        }
        self.link.close().await
    }

    /// Closes the link where things have gone wrong, without waiting long for the meter.
    pub(crate) async fn abandon(mut self) {
        self.link.abandon().await;
    }
}

/// How long the link itself goes on trying.
fn link_patience(config: &PrimaryConfig) -> Duration {
    config.response_time_out.saturating_mul(u32::from(config.retries) + 1)
}

/// An event that does not answer what was asked.
fn unexpected(event: &Event<'_>) -> Error {
    tracing::debug!(?event, "unexpected");
    Error::Unexpected
}
