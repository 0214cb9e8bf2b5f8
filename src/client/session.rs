//! The engine: which state the association is in, and which APDU goes where.

use core::ops::Range;
use core::time::Duration;

use dlms_axdr::{BufferFull, DecodeError, DecodeErrorKind, Encoder, Reader};
use dlms_security::hls::Challenge;
use dlms_security::{
    CounterStore, CryptoProvider, FloorStorage, Functions, Protection, SecretKey, SecuritySuite, SystemTitle,
};

use super::{Agreement, ClientConfig, ClientError, Environment, Event, Reaction, Tolerance};
use crate::ProtectionError;
use crate::acse;
use crate::handshake::PeerKeySource;
use crate::log::log;
use crate::protection::{
    Accepted, Carrier, DedicatedKey, Demand, Envelope, Form, HEADROOM, KeyClass, Keys, Opened, TAILROOM,
    TransactionId,
};
use crate::transfer::{Incoming, Outgoing};
use crate::xdlms::{
    self, ConfirmedServiceError, Conformance, DataNotification, EventNotification, ExceptionResponse,
    InvokeIdAndPriority,
};

/// The client's end of one association.
///
/// `B` stores what has no place in an APDU: a long value that leaves in blocks (SET, ACTION), or the return value of a
/// method that arrives in blocks. `&mut [u8]`, `[u8; N]` and `Vec<u8>` all do; an empty one allows neither.
///
/// See the [module](super) for how it is driven, and [`ClientError`] for the state after an error.
pub struct Client<P: CryptoProvider, B> {
    pub(super) config: ClientConfig,
    pub(super) state: State,
    pub(super) agreement: Agreement,
    pub(super) dedicated: Option<Dedicated<P>>,
    pub(super) invoke_id: u8,
    pub(super) long_invoke_id: u32,
    /// The suite of the security context.
    pub(super) suite: SecuritySuite,
    /// The transaction-id of the request that waits for its answer, if it had one.
    pub(super) transaction: Option<[u8; TransactionId::DRAWN]>,
    /// The server proved itself under the global key, so that whatever comes after is new.
    pub(super) is_server_fresh: bool,
    pub(super) deadline: Option<Duration>,
    pub(super) storage: B,
}

/// A dedicated key, ready to use, and its octets: a release request repeats the InitiateRequest.
pub(super) struct Dedicated<P: CryptoProvider> {
    pub(super) key: DedicatedKey<P>,
    pub(super) octets: SecretKey,
}

/// Where the association is.
#[derive(Clone)]
pub(super) enum State {
    Idle,
    /// An AARQ is out.
    Associating(Challenges),
    /// The server was accepted so far; its proof is due.
    Proving(Challenges),
    Associated(Transaction),
    /// An RLRQ is out.
    Releasing,
}

/// What is waited for while associated.
#[derive(Clone, Copy)]
pub(super) enum Transaction {
    None,
    Get { list: bool, blocks: Option<Blocks> },
    Set { list: bool, outgoing: Option<Outgoing> },
    Action { list: bool, outgoing: Option<Outgoing>, incoming: Option<Incoming> },
    Access { items: usize },
}

/// How far a value has come that arrives in blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    pub(super) last_number: u32,
    pub(super) received: u32,
}

/// The two challenges of a handshake.
#[derive(Clone, Default)]
pub(super) struct Challenges {
    pub(super) ctos: Challenge,
    pub(super) stoc: Challenge,
    /// Where the server's key of mechanism 7 is.
    pub(super) server_key: PeerKeySource,
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Client<P, B> {
    /// A client that is not associated yet.
    pub const fn new(config: ClientConfig, storage: B) -> Self {
        Self {
            config,
            state: State::Idle,
            agreement: Agreement::NONE,
            dedicated: None,
            invoke_id: 0,
            long_invoke_id: 0,
            suite: SecuritySuite::Suite0,
            transaction: None,
            is_server_fresh: false,
            deadline: None,
            storage,
        }
    }

    /// What this client was told about the association.
    pub const fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// What was agreed on, while an association is open.
    pub const fn agreement(&self) -> Option<&Agreement> {
        match self.state {
            State::Associated(_) => Some(&self.agreement),
            _ => None,
        }
    }

    /// Whether a request is waiting for its answer.
    pub const fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle | State::Associated(Transaction::None))
    }

    /// Whether there is neither an association nor an attempt at one.
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Gives up the request that is waiting for its answer; should one come, it is dropped. The server ends a long GET
    /// when it sees the next request.
    pub fn cancel(&mut self) {
        if let State::Associated(transaction) = &mut self.state {
            *transaction = Transaction::None;
            self.deadline = None;
        }
    }

    /// The link below is gone: the association is aborted.
    pub fn link_lost(&mut self) {
        self.close();
    }

    /// When [`Client::handle_timeout`] is to be called.
    pub const fn poll_timeout(&self) -> Option<Duration> {
        self.deadline
    }

    /// Ends what was not answered in time. The association stays open if it was.
    pub fn handle_timeout(&mut self, now: Duration) -> Option<Event<'static>> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        match self.state {
            State::Associated(_) => self.cancel(),
            _ => self.close(),
        }
        Some(Event::TimedOut)
    }

    /// Handles one received APDU, in the buffer it was received in: it is deciphered in place.
    ///
    /// What the [`Reaction`] says must be sent is in `out`, which should hold what the server takes and
    /// [`Client::TRANSMIT_OVERHEAD`] more.
    ///
    /// # Errors
    /// The APDU was refused; [`ClientError`] says what became of the request it may have answered.
    pub fn handle_apdu<'a>(
        &'a mut self,
        env: &mut Environment<'_, P>,
        apdu: &'a mut [u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let reaction = match apdu.first().copied() {
            None => Err(nothing().into()),
            Some(acse::AARE) => self.handle_aare(env, apdu, out),
            Some(acse::RLRE) => self.handle_rlre(env, apdu),
            Some(tag) => match self.state {
                State::Proving(_) | State::Associated(_) => self.handle_service(env, apdu, out),
                State::Associating(_) | State::Releasing => self.handle_refusal(apdu),
                State::Idle => Err(ClientError::Unexpected { tag }),
            },
        };
        match &reaction {
            Ok(Reaction { event: Some(Event::Associated(agreement)), .. }) => {
                log!(info, "associated: {}", agreement)
            }
            Ok(Reaction { event: Some(Event::Refused(refusal)), .. }) => {
                log!(warn, "no association: {}", refusal)
            }
            Ok(_) => {}
            Err(error) => log!(warn, "APDU refused: {}", error),
        }
        reaction
    }

    /// How many octets a transmit buffer needs beyond the longest APDU, so that an APDU can be protected in place.
    pub const TRANSMIT_OVERHEAD: usize = HEADROOM + TAILROOM;

    fn handle_service<'a>(
        &'a mut self,
        env: &mut Environment<'_, P>,
        apdu: &'a mut [u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        if apdu.first() == Some(&xdlms::EXCEPTION_RESPONSE) {
            return self.handle_exception(apdu, false);
        }
        let opened = self.open(env, apdu)?;
        let authenticated = opened.protection.contains(Protection::AUTHENTICATED);
        let plain = apdu.get(opened.apdu.clone()).unwrap_or(&[]);
        let tag = plain.first().copied().ok_or_else(nothing)?;
        if matches!(self.state, State::Proving(_)) {
            return match tag {
                xdlms::ACTION_RESPONSE => self.handle_proof(env, plain, &opened, out),
                xdlms::EXCEPTION_RESPONSE => self.handle_exception(plain, authenticated),
                _ => Err(ClientError::Unexpected { tag }),
            };
        }
        match tag {
            xdlms::GET_RESPONSE => self.handle_get_response(env, plain, out),
            xdlms::SET_RESPONSE => self.handle_set_response(env, plain, out),
            xdlms::ACTION_RESPONSE => self.handle_action_response(env, plain, out),
            xdlms::ACCESS_RESPONSE if P::FUNCTIONS.contains(Functions::ACCESS) => {
                self.handle_access_response(plain)
            }
            xdlms::EXCEPTION_RESPONSE => self.handle_exception(plain, authenticated),
            xdlms::CONFIRMED_SERVICE_ERROR => {
                let error = whole(plain, ConfirmedServiceError::decode)?;
                self.cancel();
                Ok(Event::ConfirmedServiceError(error).into())
            }
            xdlms::DATA_NOTIFICATION => whole(plain, DataNotification::decode)
                .map(|n| Event::DataNotification(n).into())
                .map_err(Into::into),
            xdlms::EVENT_NOTIFICATION => whole(plain, EventNotification::decode)
                .map(|n| Event::EventNotification(n).into())
                .map_err(Into::into),
            _ => Err(ClientError::Unexpected { tag }),
        }
    }

    /// An answer to AARQ or RLRQ that is neither AARE nor RLRE.
    fn handle_refusal<'a>(&'a mut self, apdu: &'a [u8]) -> Result<Reaction<'a>, ClientError> {
        match apdu.first().copied() {
            Some(xdlms::EXCEPTION_RESPONSE) => self.handle_exception(apdu, false),
            Some(xdlms::CONFIRMED_SERVICE_ERROR) => {
                let error = whole(apdu, ConfirmedServiceError::decode)?;
                self.close();
                Ok(Event::ConfirmedServiceError(error).into())
            }
            tag => Err(ClientError::Unexpected { tag: tag.unwrap_or(0) }),
        }
    }

    /// Ends the request. An association that is open stays so: an exception-response names no request and mostly
    /// comes unprotected.
    fn handle_exception<'a>(
        &mut self,
        apdu: &'a [u8],
        authenticated: bool,
    ) -> Result<Reaction<'a>, ClientError> {
        let response = whole(apdu, ExceptionResponse::decode)?;
        match self.state {
            State::Associated(_) => self.cancel(),
            _ => self.close(),
        }
        Ok(Event::Exception { response, authenticated }.into())
    }

    /// Opens a received APDU; what is demanded comes from the configuration.
    fn open(&mut self, env: &mut Environment<'_, P>, apdu: &mut [u8]) -> Result<Opened, ClientError> {
        if !self.config.ciphered {
            return Ok(Opened::plain(0..apdu.len()));
        }
        let peer = self.agreement.server_title.ok_or(ClientError::Protection(ProtectionError::WrongTitle))?;
        let expected = self.envelope();
        let demand = Demand {
            peer,
            required: self.config.policy,
            accepted: self.config.accepted | Accepted::form(expected, self.request_protection()),
            transaction: self.transaction.and_then(|transaction| TransactionId::new(&transaction)),
            floors: if self.is_server_fresh { FloorStorage::Volatile } else { FloorStorage::Exact },
            is_carried: false,
        };
        let dedicated = self.dedicated.as_mut().map(|dedicated| &mut dedicated.key);
        let (mut keys, counters) = env.keys(dedicated).ok_or(NO_SECURITY)?;
        let opened = keys.open(counters, &demand, apdu)?;
        if is_notification(apdu, &opened.apdu) {
            return Ok(opened);
        }
        let is_expected_key = match opened.envelope {
            None => self.config.policy.ciphering().is_empty(),
            Some(envelope) if envelope.carrier == Carrier::GeneralCiphering => {
                envelope.key == expected.key || self.config.accepted.takes(envelope)
            }
            Some(envelope) => self.config.policy.is_empty() || envelope.key == expected.key,
        };
        if !is_expected_key {
            return Err(ProtectionError::NoKey.into());
        }
        if demand.transaction.is_some()
            && opened.transaction.is_some_and(|_| opened.transaction != demand.transaction)
        {
            return Err(ProtectionError::WrongTransaction.into());
        }
        Ok(opened)
    }

    /// What requests travel in: the global key until the handshake is over, then the one that is configured.
    fn envelope(&self) -> Envelope {
        // ACCESS has no service-specific form.
        let is_access = matches!(self.state, State::Associated(Transaction::Access { .. }));
        let carrier = match (self.config.general_protection || is_access)
            && self.agreement.conformance.contains(Conformance::GENERAL_PROTECTION)
        {
            true => Carrier::WithTitle,
            false => Carrier::ServiceSpecific,
        };
        match (&self.state, self.config.general_ciphering) {
            (State::Associated(_), Some(key)) => Envelope { carrier: Carrier::GeneralCiphering, key },
            (State::Associated(_), None) if self.dedicated.is_some() => {
                Envelope { carrier, key: KeyClass::Dedicated }
            }
            _ => Envelope { carrier, key: KeyClass::Global },
        }
    }

    fn request_protection(&self) -> Protection {
        self.config.policy | self.config.request_protection
    }

    /// Who is not asked to change anything may be asked with encryption alone.
    fn protection_of(&self, request: Option<&u8>) -> Protection {
        let protection = self.request_protection();
        if request == Some(&xdlms::GET_REQUEST) { protection } else { protection.with_integrity() }
    }

    pub(super) fn is_protected(&self) -> bool {
        self.config.ciphered && !self.request_protection().is_empty()
    }

    /// Whether requests travel in a form that the server must have agreed to.
    pub(super) fn needs_general_protection(&self) -> bool {
        self.config.general_ciphering.is_some() || self.request_protection().contains(Protection::SIGNED)
    }

    /// How long a plain request may be so that, protected, it fits the server and the transmit buffer.
    pub(super) fn plain_room(&self, out: &[u8]) -> usize {
        let limit = match self.agreement.server_max_receive_pdu_size {
            0 => usize::from(u16::MAX),
            limit => usize::from(limit),
        };
        let mut overhead = 0;
        if self.is_protected() {
            let largest = limit.max(out.len());
            let envelope = self.envelope();
            overhead = envelope.overhead(self.protection_of(None), self.suite, TransactionId::DRAWN, largest);
        }
        let room = out.len().saturating_sub(overhead.max(Self::TRANSMIT_OVERHEAD));
        limit.saturating_sub(overhead).min(room)
    }

    /// Writes a plain request to its place in `out`. `None` if it does not fit.
    pub(super) fn write(
        &self,
        out: &mut [u8],
        encode: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>,
    ) -> Option<usize> {
        let room = self.plain_room(out);
        let mut encoder = Encoder::new(out.get_mut(HEADROOM..HEADROOM + room)?);
        encode(&mut encoder).ok()?;
        Some(encoder.len())
    }

    /// Protects the plain request of `length` octets that stands in `out`, and waits for its answer.
    pub(super) fn dispatch(
        &mut self,
        env: &mut Environment<'_, P>,
        out: &mut [u8],
        length: usize,
    ) -> Result<Range<usize>, ClientError> {
        let plain = HEADROOM..length.saturating_add(HEADROOM);
        let range = if self.is_protected() {
            let missing = Conformance::GENERAL_PROTECTION.difference(self.agreement.conformance);
            if self.needs_general_protection() && !missing.is_empty() {
                return Err(ClientError::NotNegotiated(missing));
            }
            let (envelope, protection) = (self.envelope(), self.protection_of(out.get(HEADROOM)));
            let is_general = self.needs_general_protection();
            let transaction = is_general.then(|| TransactionId::draw(env.provider)).transpose()?;
            self.transaction = transaction.and_then(|transaction| transaction.octets().try_into().ok());
            let peer =
                self.agreement.server_title.ok_or(ClientError::Protection(ProtectionError::WrongTitle))?;
            let form = Form::new(envelope, protection, peer, transaction.unwrap_or_default());
            let dedicated = self.dedicated.as_mut().map(|dedicated| &mut dedicated.key);
            let (mut keys, counters) = env.keys(dedicated).ok_or(NO_SECURITY)?;
            keys.seal(counters, &form, out, plain).map_err(sealing)?
        } else {
            plain
        };
        self.deadline = Some(env.now.saturating_add(self.config.response_timeout));
        Ok(range)
    }

    /// The invoke-id and priority of the running request.
    pub(super) const fn invoke(&self) -> InvokeIdAndPriority {
        InvokeIdAndPriority::new(self.invoke_id, true, self.config.high_priority)
    }

    /// Whether a response belongs to the running request.
    pub(super) fn is_answer(&self, plain: &[u8]) -> bool {
        let invoke_id = plain.get(2).map_or(0, |octet| octet & 0x0F);
        let takes_zero = self.config.tolerance.contains(Tolerance::INVOKE_ID_ZERO);
        invoke_id == self.invoke_id || takes_zero && invoke_id == 0
    }

    /// Drops the association and all that belongs to it; a dedicated key is erased.
    pub(super) fn close(&mut self) {
        self.state = State::Idle;
        self.dedicated = None;
        self.is_server_fresh = false;
        self.deadline = None;
    }

    /// Our own title, where there is one.
    pub(super) fn own_title(&self, env: &Environment<'_, P>) -> Option<SystemTitle> {
        env.security.as_deref().map_or(self.config.client_title, |security| Some(security.own_title()))
    }
}

impl<P: CryptoProvider> Environment<'_, P> {
    /// What the association opens and seals with, and where its counters are reserved.
    pub(super) fn keys<'k>(
        &'k mut self,
        dedicated: Option<&'k mut DedicatedKey<P>>,
    ) -> Option<(Keys<'k, P>, &'k mut dyn CounterStore)> {
        let keys = Keys {
            provider: self.provider,
            context: self.security.as_deref_mut()?,
            dedicated,
            key_ring: self.key_ring.as_deref_mut(),
            asymmetric: self.public_keys.as_ref().and_then(|keys| keys.of(0)),
        };
        Some((keys, &mut *self.counters))
    }
}

pub(super) const NO_SECURITY: ClientError = ClientError::Configuration("the security context is missing");

/// What a failure to protect is called.
pub(super) fn sealing(error: ProtectionError) -> ClientError {
    match error {
        ProtectionError::Security(error) => ClientError::Security(error),
        ProtectionError::BufferFull => ClientError::BufferFull,
        error => ClientError::Protection(error),
    }
}

/// Decodes the whole of `apdu`.
pub(super) fn whole<'a, T>(
    apdu: &'a [u8],
    decode: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(apdu);
    let value = decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// A server may send notifications under another key than the association's.
fn is_notification(apdu: &[u8], plain: &Range<usize>) -> bool {
    matches!(apdu.get(plain.start), Some(&xdlms::DATA_NOTIFICATION | &xdlms::EVENT_NOTIFICATION))
}

const fn nothing() -> DecodeError {
    DecodeError { offset: 0, kind: DecodeErrorKind::Truncated { missing: 1 } }
}

impl<'a> From<Event<'a>> for Reaction<'a> {
    fn from(event: Event<'a>) -> Self {
        Self { transmit: None, event: Some(event) }
    }
}
