//! Sending a request and waiting for what follows from it.

use core::ops::Range;
use std::collections::VecDeque;
use std::time::Duration;

use dlms::client::{Client as Engine, ClientError, Environment, Event};
use dlms::xdlms::{DataNotification, EventNotification};
use dlms_axdr::{DateTime, OwnedData};
use dlms_security::CryptoProvider;
use dlms_security::hls::Manufacturer;

use super::Client;
use crate::Error;
use crate::options::Identity;

/// How many notifications are kept until they are asked for; the oldest give way.
const NOTIFICATIONS: usize = 64;

/// What a meter sent of its own accord, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum Notification {
    /// Data of a push list.
    Data {
        /// The long invoke-id and priority.
        long_invoke_id: u32,
        /// When the meter made it, if it says so.
        date_time: Option<DateTime>,
        /// The data.
        body: OwnedData,
    },
    /// An event.
    Event {
        /// When it happened, if the meter says so.
        time: Option<DateTime>,
        /// The attribute.
        attribute: dlms::xdlms::AttributeDescriptor,
        /// Its value.
        value: OwnedData,
    },
}

impl From<DataNotification<'_>> for Notification {
    fn from(notification: DataNotification<'_>) -> Self {
        Self::Data {
            long_invoke_id: notification.long_invoke_id.0,
            date_time: notification.date_time,
            body: notification.body.to_owned(),
        }
    }
}

impl From<EventNotification<'_>> for Notification {
    fn from(notification: EventNotification<'_>) -> Self {
        Self::Event {
            time: notification.time,
            attribute: notification.attribute,
            value: notification.value.to_owned(),
        }
    }
}

/// What the engine works with, borrowed from the fields of a client.
macro_rules! environment {
    ($client:ident, $now:expr) => {
        Environment {
            provider: &$client.provider,
            counters: &mut *$client.counters,
            security: $client.security.as_mut().map(|context| context as _),
            key_ring: $client.key_ring.as_mut(),
            public_keys: $client.identity.as_mut().and_then(Identity::public_keys),
            manufacturer: $client.manufacturer.as_deref().map(|method| method as &dyn Manufacturer),
            now: $now,
        }
    };
}
pub(super) use environment;

impl<P: CryptoProvider> Client<P> {
    /// Makes a request and sends it.
    pub(super) async fn send(
        &mut self,
        request: impl FnOnce(
            &mut Engine<P, Vec<u8>>,
            &mut Environment<'_, P>,
            &mut [u8],
        ) -> Result<Range<usize>, ClientError>,
    ) -> Result<(), Error> {
        // An answer that was not waited for belongs to a request that nobody wants any more.
        self.engine.cancel();
        self.value.clear();
        let range = {
            let mut env = environment!(self, self.link.clock().now());
            request(&mut self.engine, &mut env, &mut self.out)?
        };
        let sent = self.link.send(self.out.get(range).unwrap_or(&[])).await;
        if sent.is_err() {
            self.engine.link_lost();
        }
        sent
    }

    /// Waits until `take` has what it wants of the events that answer the request. Notifications are put aside; an
    /// exception, a refusal, silence are errors.
    pub(super) async fn wait<T>(
        &mut self,
        mut take: impl FnMut(Event<'_>, &mut Vec<u8>) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let clock = self.link.clock();
        let is_datagram = self.link.is_datagram();
        let mut dropped = None;
        loop {
            let apdu = match self.link.receive(self.engine.poll_timeout()).await {
                Ok(apdu) => apdu,
                Err(Error::Timeout(what)) => {
                    // The engine's deadline has passed, or the link has given up before.
                    if self.engine.handle_timeout(clock.now()).is_none() {
                        self.engine.cancel();
                    }
                    return Err(dropped.unwrap_or(Error::Timeout(what)));
                }
                Err(error) => {
                    self.engine.link_lost();
                    return Err(error);
                }
            };
            // Nothing of the engine's environment may live across a point where the future waits.
            let (transmit, outcome) = {
                let mut env = environment!(self, clock.now());
                match self.engine.handle_apdu(&mut env, apdu, &mut self.out) {
                    Ok(reaction) => {
                        let outcome = match reaction.event {
                            None | Some(Event::Stale) => Ok(None),
                            Some(Event::DataNotification(notification)) => {
                                keep(&mut self.notifications, notification.into());
                                Ok(None)
                            }
                            Some(Event::EventNotification(notification)) => {
                                keep(&mut self.notifications, notification.into());
                                Ok(None)
                            }
                            Some(Event::Refused(refusal)) => Err(Error::Refused(refusal)),
                            Some(Event::Exception { response, .. }) => Err(Error::Exception(response)),
                            Some(Event::ConfirmedServiceError(error)) => {
                                Err(Error::ConfirmedServiceError(error))
                            }
                            Some(event) => take(event, &mut self.value),
                        };
                        (reaction.transmit, outcome)
                    }
                    Err(error) => {
                        let waits = self.engine.is_busy() && (is_datagram || !is_final(&error));
                        if !waits {
                            self.engine.cancel();
                            return Err(error.into());
                        }
                        // Anybody can send a datagram: the answer may still come.
                        tracing::debug!(%error, "APDU dropped");
                        dropped = Some(Error::Client(error));
                        continue;
                    }
                }
            };
            if let Some(range) = transmit {
                let sent = self.link.send(self.out.get(range).unwrap_or(&[])).await;
                if let Err(error) = sent {
                    self.engine.link_lost();
                    return Err(outcome.err().unwrap_or(error));
                }
            }
            match outcome {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {}
                Err(error) => {
                    // Nothing more is wanted of this request.
                    self.engine.cancel();
                    return Err(error);
                }
            }
        }
    }

    /// Notifications that came while something else was waited for, oldest first.
    pub fn next_notification(&mut self) -> Option<Notification> {
        self.notifications.pop_front()
    }

    /// Waits for a notification, but no longer than `patience`.
    ///
    /// # Errors
    /// The link is gone.
    pub async fn wait_notification(&mut self, patience: Duration) -> Result<Option<Notification>, Error> {
        let until = self.link.clock().now().saturating_add(patience);
        loop {
            if let Some(notification) = self.notifications.pop_front() {
                return Ok(Some(notification));
            }
            let apdu = match self.link.receive(Some(until)).await {
                Ok(apdu) => apdu,
                Err(Error::Timeout(_)) => return Ok(None),
                Err(error) => {
                    self.engine.link_lost();
                    return Err(error);
                }
            };
            let mut env = environment!(self, until);
            match self.engine.handle_apdu(&mut env, apdu, &mut self.out).map(|reaction| reaction.event) {
                Ok(Some(Event::DataNotification(notification))) => {
                    keep(&mut self.notifications, notification.into());
                }
                Ok(Some(Event::EventNotification(notification))) => {
                    keep(&mut self.notifications, notification.into());
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "APDU dropped"),
            }
        }
    }
}

/// Whether an error says something about the peer that answers, where nobody else can.
fn is_final(error: &ClientError) -> bool {
    matches!(error, ClientError::Protection(_) | ClientError::Security(_))
}

fn keep(notifications: &mut VecDeque<Notification>, notification: Notification) {
    if notifications.len() == NOTIFICATIONS {
        notifications.pop_front();
    }
    notifications.push_back(notification);
}
