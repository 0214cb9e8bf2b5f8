//! The driver of a reader: one connection for every framing.

use core::ops::Range;
use core::time::Duration;

use dlms_axdr::Data;
use dlms_security::CryptoProvider;

use super::line::{receive, send};
use super::{ClientFraming, DriverError, Line, LinkEvent, READ};
use crate::client::{
    ActionItem, Agreement, Client, ClientError, Environment, Event, Reaction, Reassembly, SetItem,
};
use crate::transfer::TransferError;
use crate::xdlms::{ActionResult, AttributeDescriptorWithSelection, DataAccessResult};

/// How long a server is waited for that has refused an association and is told that the link ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// A client on a line: an association, and requests one after another.
///
/// `B` is the kind of every buffer: `[u8; N]`, `&mut [u8]` or `Vec<u8>`.
///
/// What the server refuses leaves the association open, as does [`DriverError::Client`]. After any other error
/// [`Connection::associate`] begins anew.
pub struct Connection<'e, L, F, P: CryptoProvider, B> {
    line: L,
    framing: F,
    client: Client<P, B>,
    environment: Environment<'e, P>,
    request: B,
    response: B,
    frame: B,
    octets: [u8; READ],
    /// Where in `octets` those are that nobody has looked at yet.
    unread: Range<usize>,
}

impl<'e, L: Line, F: ClientFraming, P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>>
    Connection<'e, L, F, P, B>
{
    /// A connection without an association. `buffer` makes its three buffers, which should hold the longest APDU with
    /// 40 octets more, and at least one frame.
    pub fn new(
        line: L,
        framing: F,
        client: Client<P, B>,
        environment: Environment<'e, P>,
        mut buffer: impl FnMut() -> B,
    ) -> Self {
        Self {
            line,
            framing,
            client,
            environment,
            request: buffer(),
            response: buffer(),
            frame: buffer(),
            octets: [0; READ],
            unread: 0..0,
        }
    }

    /// The line, and the client with its configuration.
    pub fn into_parts(self) -> (L, Client<P, B>) {
        (self.line, self.client)
    }

    /// Sets up the link and the association; what there was of them is dropped.
    ///
    /// # Errors
    /// [`DriverError`]; there is no association then, and no link.
    pub async fn associate(&mut self) -> Result<Agreement, DriverError<L::Error>> {
        self.client.link_lost();
        let mut event = self.framing.connect();
        while event != Some(LinkEvent::Connected) {
            event = self.next_event(0..0, None).await?;
        }
        let agreed = self
            .exchange(
                |client, environment, out| client.associate(environment, out),
                |event| match event {
                    Event::Associated(agreement) => Ok(Some(agreement)),
                    _ => Ok(None),
                },
            )
            .await;
        if agreed.is_err() {
            self.abandon().await;
        }
        agreed
    }

    /// Reads an attribute into `value`.
    ///
    /// # Errors
    /// [`DriverError`].
    pub async fn get<'a, 'v>(
        &mut self,
        attribute: impl Into<AttributeDescriptorWithSelection<'a>>,
        value: &'v mut [u8],
    ) -> Result<Data<'v>, DriverError<L::Error>> {
        let attribute = attribute.into();
        let mut reassembly = Reassembly::new(value);
        self.exchange(
            |client, environment, out| client.get(environment, attribute, out),
            |event| match event {
                Event::GetPiece { octets, last } => {
                    reassembly.append(octets).map_err(too_long)?;
                    Ok(last.then_some(()))
                }
                Event::GetRefused(result) => Err(DriverError::DataAccess(result)),
                _ => Ok(None),
            },
        )
        .await?;
        Ok(Data::from_octets(reassembly.into_octets())?)
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// [`DriverError`].
    pub async fn set(&mut self, item: SetItem<'_>) -> Result<(), DriverError<L::Error>> {
        self.exchange(
            |client, environment, out| client.set(environment, item, out),
            |event| match event {
                Event::SetDone(DataAccessResult::Success) => Ok(Some(())),
                Event::SetDone(result) => Err(DriverError::DataAccess(result)),
                _ => Ok(None),
            },
        )
        .await
    }

    /// Invokes a method; what it returns, if anything, is put into `value`.
    ///
    /// # Errors
    /// [`DriverError`].
    pub async fn action<'v>(
        &mut self,
        item: ActionItem<'_>,
        value: &'v mut [u8],
    ) -> Result<Option<Data<'v>>, DriverError<L::Error>> {
        let mut reassembly = Reassembly::new(value);
        self.exchange(
            |client, environment, out| client.action(environment, item, out),
            |event| match event {
                Event::ActionDone { result: ActionResult::Success, value } => {
                    let octets = value.transpose().map_err(DriverError::DataAccess)?;
                    reassembly.append(octets.unwrap_or(&[])).map_err(too_long)?;
                    Ok(Some(()))
                }
                Event::ActionDone { result, .. } => Err(DriverError::Action(result)),
                _ => Ok(None),
            },
        )
        .await?;
        match reassembly.into_octets() {
            [] => Ok(None),
            octets => Ok(Some(Data::from_octets(octets)?)),
        }
    }

    /// Releases the association and the link.
    ///
    /// # Errors
    /// [`DriverError`]; the association is gone all the same.
    pub async fn release(&mut self) -> Result<(), DriverError<L::Error>> {
        let released = self
            .exchange(
                |client, environment, out| client.release(environment, out),
                |event| Ok(matches!(event, Event::Released { .. }).then_some(())),
            )
            .await;
        self.client.link_lost();
        let mut event = self.framing.disconnect();
        while event != Some(LinkEvent::Disconnected) {
            event = self.next_event(0..0, None).await?;
        }
        released
    }

    /// Any request: `begin` makes it, `take` gets the events that follow and says when it has what it wants.
    /// Notifications are among them; refusals, exceptions and silence are errors.
    ///
    /// # Errors
    /// [`DriverError`], and what `take` makes an error.
    pub async fn exchange<T>(
        &mut self,
        begin: impl FnOnce(
            &mut Client<P, B>,
            &mut Environment<'_, P>,
            &mut [u8],
        ) -> Result<Range<usize>, ClientError>,
        mut take: impl FnMut(Event<'_>) -> Result<Option<T>, DriverError<L::Error>>,
    ) -> Result<T, DriverError<L::Error>> {
        self.client.cancel();
        self.environment.now = self.line.now();
        let mut request = begin(&mut self.client, &mut self.environment, self.request.as_mut())?;
        self.framing.send(request.len())?;
        loop {
            let event = self.next_event(request.clone(), self.client.poll_timeout()).await?;
            let length = match event {
                Some(LinkEvent::Apdu(length)) => length,
                Some(_) => continue,
                None => {
                    self.client.handle_timeout(self.line.now());
                    return Err(DriverError::TimedOut);
                }
            };
            self.environment.now = self.line.now();
            let response = self.response.as_mut().get_mut(..length).unwrap_or(&mut []);
            let reaction = self.client.handle_apdu(&mut self.environment, response, self.request.as_mut());
            let Reaction { transmit, event } = match reaction {
                Ok(reaction) => reaction,
                Err(error) => {
                    self.client.cancel();
                    return Err(error.into());
                }
            };
            let (taken, is_refused) = match event {
                None => (Ok(None), false),
                Some(Event::Refused(refusal)) => (Err(refusal.into()), true),
                Some(Event::Exception { response, .. }) => (Err(DriverError::Exception(response)), false),
                Some(Event::ConfirmedServiceError(error)) => {
                    (Err(DriverError::ConfirmedServiceError(error)), false)
                }
                Some(event) => (take(event), false),
            };
            match (taken, transmit) {
                (Ok(Some(value)), None) => return Ok(value),
                // A server that was not accepted is told so. Whatever it answers, there is no association.
                (Err(error), Some(range)) if is_refused => {
                    self.framing.send(range.len())?;
                    let _ = self.next_event(range, self.client.poll_timeout()).await;
                    return Err(error);
                }
                (Err(error), _) => {
                    self.client.cancel();
                    return Err(error);
                }
                (Ok(_), Some(range)) => {
                    self.framing.send(range.len())?;
                    request = range;
                }
                (Ok(None), None) => {}
            }
        }
    }

    /// Ends the link of an association that did not come about, so that the server has it free for others. What becomes of
    /// that changes nothing.
    async fn abandon(&mut self) {
        self.client.link_lost();
        let mut event = self.framing.disconnect();
        let deadline = self.line.now().saturating_add(FAREWELL);
        while event != Some(LinkEvent::Disconnected) {
            match self.next_event(0..0, Some(deadline)).await {
                Ok(Some(next)) => event = Some(next),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Runs the link until something happens on it; `None` at the deadline. The request that is under way is at
    /// `request`.
    async fn next_event(
        &mut self,
        request: Range<usize>,
        deadline: Option<Duration>,
    ) -> Result<Option<LinkEvent>, DriverError<L::Error>> {
        loop {
            self.transmit(request.clone()).await?;
            let now = self.line.now();
            let mut input = self.octets.get(self.unread.clone()).unwrap_or(&[]);
            let event = self.framing.handle_input(now, &mut input, self.response.as_mut());
            self.unread.start = self.unread.end.saturating_sub(input.len());
            match event? {
                Some(LinkEvent::Frame) => continue,
                Some(event) => return Ok(Some(event)),
                None => {}
            }
            let first = deadline.into_iter().chain(self.framing.poll_timeout()).min();
            if let Some(octets) = receive(&mut self.line, &mut self.octets, first).await? {
                self.unread = 0..octets.len();
                continue;
            }
            let now = self.line.now();
            self.framing.handle_timeout(now)?;
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(None);
            }
        }
    }

    /// Sends what the link has to send.
    async fn transmit(&mut self, request: Range<usize>) -> Result<(), DriverError<L::Error>> {
        loop {
            let apdu = self.request.as_ref().get(request.clone()).unwrap_or(&[]);
            let now = self.line.now();
            match self.framing.poll_transmit(now, apdu, self.frame.as_mut())? {
                Some(length) => {
                    let frame = self.frame.as_ref().get(..length).unwrap_or(&[]);
                    send(&mut self.line, frame).await?;
                }
                None => return Ok(()),
            }
        }
    }
}

fn too_long<E>(error: TransferError) -> DriverError<E> {
    match error {
        TransferError::TooLong { capacity } => DriverError::ValueTooLong { capacity },
        error => ClientError::from(error).into(),
    }
}
