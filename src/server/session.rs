//! One association from end to end: which state it is in, and which APDU goes where.

use core::ops::Range;
use core::time::Duration;

use cosem_objects::{AssociationId, Effects, LogicalDevice, behaviour};
use dlms_axdr::Encoder;
use dlms_security::certificate::CertificateStore;
use dlms_security::hls::Manufacturer;
use dlms_security::{CounterStore, CryptoProvider, Functions, KeyUsage, Protection, Secret, SystemTitle};

use super::AssociationConfig;
use super::action::OutgoingResponse;
use super::event::{Event, EventQueue, RefusalReason};
use super::get::GetTransfer;
use super::hls::Challenges;
use super::incoming::IncomingRequest;
use super::resolve::Denied;
use super::security_setup::KeyManagement;
use crate::protection::{
    Asymmetric, DedicatedKey, Demand, Envelope, Form, HEADROOM, KeyClass, KeyRing, Keys, Opened, PublicKeys,
    SecurityContext, is_protected,
};
use crate::xdlms::{
    ACCESS_REQUEST, ACTION_REQUEST, Conformance, ExceptionResponse, GENERAL_BLOCK_TRANSFER, GET_REQUEST,
    InvokeIdAndPriority, LongInvokeIdAndPriority, READ_REQUEST, SET_REQUEST, ServiceError, StateError,
    UNCONFIRMED_WRITE_REQUEST, WRITE_REQUEST,
};
use crate::{ProtectionError, acse};

/// What sessions work on: the device, the associations it offers, and their keys.
pub struct Host<'h, P: CryptoProvider> {
    /// The objects.
    pub device: &'h mut dyn LogicalDevice,
    /// The system title of the device.
    pub system_title: SystemTitle,
    /// The associations that are offered, in the order of their [`AssociationId`].
    pub associations: &'h mut [AssociationConfig],
    /// The security setups that [`AssociationConfig::security`] refers to.
    pub security: &'h mut [SecurityContext<P>],
    /// The further keys of the security setups, each at the place of its own; setups at the end may have none.
    pub key_rings: &'h mut [KeyRing<P>],
    /// Signatures and key agreement, where an association uses them.
    pub public_keys: Option<PublicKeys<'h>>,
    /// Certificates that clients read, import and remove; the same store that [`PublicKeys::peers`] trusts, so that what
    /// is imported is trusted from then on.
    pub certificates: Option<&'h dyn CertificateStore>,
    /// The methods of Security setup objects, where keys and policies can be changed.
    pub key_management: Option<&'h mut dyn KeyManagement<P>>,
    /// Cryptography and random numbers.
    pub provider: &'h P,
    /// Where send counters and the floors of clients are kept: reserved before a counter is used, and before a request
    /// is acted on.
    pub counters: &'h mut dyn CounterStore,
    /// The function of authentication mechanism 2, where an association uses it.
    pub manufacturer: Option<&'h dyn Manufacturer>,
    /// Room for one row of a profile, or one parameter of a script, while an object's wishes are carried out.
    pub scratch: &'h mut [u8],
}

impl<P: CryptoProvider> Host<'_, P> {
    /// What an association of the security setup at `index` opens and seals with, and where its counters are reserved.
    pub(super) fn keys<'k>(
        &'k mut self,
        index: usize,
        dedicated: Option<&'k mut DedicatedKey<P>>,
    ) -> Option<(Keys<'k, P>, &'k mut dyn CounterStore)> {
        if !P::FUNCTIONS.contains(Functions::CIPHERING) {
            return None;
        }
        let keys = Keys {
            provider: self.provider,
            context: self.security.get_mut(index)?,
            dedicated,
            key_ring: self.key_rings.get_mut(index),
            asymmetric: asymmetric::<P>(self.public_keys.as_ref(), index),
        };
        Some((keys, &mut *self.counters))
    }

    /// Whether responses of an association can be signed.
    pub(super) fn can_sign(&self, association: AssociationId) -> bool {
        let context = self.associations.get(usize::from(association.0)).and_then(|config| config.security);
        context.is_some_and(|index| {
            let curve = self.security.get(index).and_then(|context| context.suite().curve());
            let keys = asymmetric::<P>(self.public_keys.as_ref(), index);
            curve
                .zip(keys)
                .is_some_and(|(curve, keys)| keys.own.key(KeyUsage::DigitalSignature, curve).is_ok())
        })
    }

    /// What the policy demands of the requests and of the responses of an association.
    pub(super) fn policy(&self, association: AssociationId) -> (Protection, Protection) {
        // Nothing satisfies what an association demands that is not there.
        let Some(config) = self.association(association) else {
            return (Protection::all(), Protection::all());
        };
        let policy = config.security.and_then(|index| self.security.get(index)).map(SecurityContext::policy);
        let policy = policy.unwrap_or_default();
        (config.policy | policy.request(), config.policy | policy.response())
    }

    /// Carries out what objects want of the rest of the device, and reports what concerns the application.
    pub(super) fn carry_out(&mut self, effects: &Effects, events: &mut EventQueue) {
        behaviour::execute(self.device, effects, self.scratch, &mut |&effect| {
            events.push(Event::Effect(effect))
        });
    }

    /// The configuration of an association.
    pub(super) fn association(&self, association: AssociationId) -> Option<&AssociationConfig> {
        self.associations.get(usize::from(association.0))
    }

    /// The secret of an association: the one that its client set last, or the configured one.
    pub(super) fn secret(&self, association: AssociationId) -> Option<Secret> {
        let changed = self.device.secret(association).and_then(|octets| Secret::new(octets).ok());
        changed.or_else(|| self.association(association).map(|config| config.secret.clone()))
    }
}

/// The public keys of the security setup at `index`, and who computes with them.
pub(super) fn asymmetric<'k, P: CryptoProvider>(
    keys: Option<&'k PublicKeys<'_>>,
    index: usize,
) -> Option<Asymmetric<'k>> {
    keys.filter(|_| P::FUNCTIONS.contains(Functions::PUBLIC_KEYS))?.of(index)
}

/// One client's association with one logical device.
///
/// `B` is the storage for what must be kept between APDUs: the request of a long GET, a value that arrives or leaves
/// in blocks. Its length bounds these.
pub struct Session<P: CryptoProvider, B> {
    pub(super) client_sap: u16,
    pub(super) answers_unconfirmed: bool,
    pub(super) storage: B,
    pub(super) state: State<P>,
    pub(super) events: EventQueue,
}

/// Where an association stands.
pub(super) enum State<P: CryptoProvider> {
    Idle,
    /// Pass 2 of HLS was sent; only reply_to_HLS_authentication is served.
    Challenged(Association<P>, Challenges),
    Associated(Association<P>),
    /// The client's proof was wrong; what was agreed only serves to seal the refusal.
    Refused(Association<P>),
}

/// What was agreed.
pub(super) struct Association<P: CryptoProvider> {
    pub(super) id: AssociationId,
    pub(super) conformance: Conformance,
    /// The longest APDU that the client takes.
    pub(super) client_max_receive_pdu_size: usize,
    pub(super) client_title: Option<SystemTitle>,
    pub(super) dedicated: Option<DedicatedKey<P>>,
    pub(super) initiation: Initiation,
    /// Whether requests are answered at all: not where the client opened an unconfirmed association.
    pub(super) is_confirmed: bool,
    pub(super) transfer: Transfer,
    /// Whether an item of the request under way demands a signed response.
    pub(super) has_signed_items: bool,
}

/// How the InitiateRequest was protected: its response and the release are protected alike.
#[derive(Clone, Copy, Default)]
pub(super) struct Initiation {
    pub(super) envelope: Option<Envelope>,
    pub(super) protection: Protection,
}

/// The long value that is under way.
pub(super) enum Transfer {
    None,
    Get(GetTransfer),
    /// A SET or ACTION that arrives.
    Request(IncomingRequest),
    /// The response of an ACTION that leaves.
    Response(OutgoingResponse),
}

/// A request, opened.
pub(super) struct Request<'r> {
    pub(super) now: Duration,
    pub(super) apdu: &'r [u8],
    /// How it was protected; access rights may demand more than the policy.
    pub(super) protection: Protection,
    pub(super) opened: &'r Opened,
    /// Whether the response has room for a signature; an item that demands one is refused otherwise.
    pub(super) can_sign: bool,
    pub(super) denied: Denied,
}

impl Request<'_> {
    /// Whether it came under the broadcast key.
    pub(super) fn is_broadcast(&self) -> bool {
        self.opened.envelope.is_some_and(|envelope| envelope.key == KeyClass::Broadcast)
    }
}

/// The plain response.
pub(super) struct Reply {
    /// Where it is, counted from [`HEADROOM`] of the transmit buffer.
    pub(super) octets: Range<usize>,
    /// What the accessed items demand of the response.
    pub(super) protection: Protection,
}

impl Reply {
    /// A response at the start that no item demands protection of.
    pub(super) const fn first(length: usize) -> Self {
        Self { octets: 0..length, protection: Protection::empty() }
    }
}

/// The exception-response that ends the handling of a request without a response of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure(StateError, ServiceError);

impl Failure {
    pub(super) const MALFORMED: Self = Self(StateError::ServiceNotAllowed, ServiceError::OtherReason);
    pub(super) const NOT_NEGOTIATED: Self =
        Self(StateError::ServiceNotAllowed, ServiceError::ServiceNotSupported);
    pub(super) const NOT_ALLOWED: Self =
        Self(StateError::ServiceNotAllowed, ServiceError::OperationNotPossible);
    pub(super) const TOO_LONG: Self = Self(StateError::ServiceNotAllowed, ServiceError::PduTooLong);
    const UNKNOWN: Self = Self(StateError::ServiceUnknown, ServiceError::ServiceNotSupported);
}

impl From<dlms_axdr::DecodeError> for Failure {
    fn from(_: dlms_axdr::DecodeError) -> Self {
        Self::MALFORMED
    }
}

impl From<dlms_axdr::BufferFull> for Failure {
    fn from(_: dlms_axdr::BufferFull) -> Self {
        Self::TOO_LONG
    }
}

/// Nothing is executed if the client, or the transmit buffer, has no room for the longest plain response that says no
/// more than whether a request succeeded: set-response-last-datablock.
const SHORTEST_ROOM: usize = 8;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    /// A session for the client with this service access point, not associated yet.
    pub const fn new(client_sap: u16, storage: B) -> Self {
        Self {
            client_sap,
            answers_unconfirmed: false,
            storage,
            state: State::Idle,
            events: EventQueue::new(),
        }
    }

    /// Answers requests whose service-class bit says unconfirmed all the same. Over HDLC that bit is not significant:
    /// the frame type decides, and a request in an I frame is answered.
    pub const fn answer_unconfirmed(mut self) -> Self {
        self.answers_unconfirmed = true;
        self
    }

    /// The association that is open.
    pub const fn association(&self) -> Option<AssociationId> {
        match &self.state {
            State::Associated(association) => Some(association.id),
            _ => None,
        }
    }

    /// Whether there is neither an association nor a handshake.
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Begins anew for the client with this service access point; an association that was open is aborted.
    pub fn restart(&mut self, client_sap: u16) {
        self.link_lost();
        self.client_sap = client_sap;
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When [`Session::handle_timeout`] is to be called.
    pub const fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Challenged(_, challenges) => Some(challenges.deadline),
            _ => None,
        }
    }

    /// Ends a handshake that the client did not finish in time.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.state = State::Idle;
            self.events.push(Event::Refused { reason: RefusalReason::Timeout });
        }
    }

    /// The link below is gone: the association is aborted.
    pub fn link_lost(&mut self) {
        if let Some(association) = self.association() {
            self.events.push(Event::Released { association });
        }
        self.state = State::Idle;
    }

    /// Handles one received APDU and returns where in `out` the answer is, if there is one.
    ///
    /// `out` should hold what the client takes plus the overhead of protection; a response that does not fit leaves in
    /// blocks.
    pub fn handle_apdu(
        &mut self,
        host: &mut Host<'_, P>,
        now: Duration,
        apdu: &mut [u8],
        out: &mut [u8],
    ) -> Option<Range<usize>> {
        self.handle_timeout(now);
        match apdu.first() {
            None => None,
            Some(&acse::AARQ) => self.handle_aarq(host, now, apdu, out),
            Some(&acse::RLRQ) => self.handle_rlrq(host, apdu, out),
            Some(_) => self.handle_service(host, now, apdu, out),
        }
    }

    fn handle_service(
        &mut self,
        host: &mut Host<'_, P>,
        now: Duration,
        apdu: &mut [u8],
        out: &mut [u8],
    ) -> Option<Range<usize>> {
        let is_associated = self.association().is_some();
        let (State::Associated(association) | State::Challenged(association, _)) = &mut self.state else {
            return exception(out, StateError::ServiceNotAllowed, ServiceError::OperationNotPossible);
        };
        let id = association.id;
        let opened = match association.open(host, apdu) {
            Ok(opened) => opened,
            Err(error) => {
                self.events.push(Event::SecurityViolation { error });
                let service_error = match error {
                    ProtectionError::Replay(lowest) => ServiceError::InvocationCounterError(Some(lowest)),
                    _ => ServiceError::DecipheringError,
                };
                return exception(out, StateError::ServiceNotAllowed, service_error);
            }
        };
        if opened.envelope.is_some_and(|envelope| envelope.key != KeyClass::Broadcast)
            && let (Some(security), Some(peer)) =
                (host.association(id).and_then(|config| config.security), association.client_title)
        {
            self.events.push(Event::WindowMoved { security, peer });
        }
        let plain = apdu.get(opened.apdu.clone()).unwrap_or(&[]);
        // An unconfirmed association has unconfirmed services only.
        let asks_for_answer = is_confirmed(plain);
        if !association.is_confirmed && asks_for_answer {
            return None;
        }
        let mut request = Request {
            now,
            apdu: plain,
            protection: opened.protection,
            opened: &opened,
            can_sign: P::FUNCTIONS.contains(Functions::PUBLIC_KEYS) && host.can_sign(id),
            denied: Denied::default(),
        };
        if request.can_sign {
            request.can_sign = association.signs_response(host, &request, is_associated);
        }
        let room = association.plain_room(host, &request, out.len());
        let is_broadcast = request.is_broadcast();
        let confirmed = !is_broadcast && (self.answers_unconfirmed || asks_for_answer);
        let Some(target) = out.get_mut(HEADROOM..HEADROOM + room).filter(|_| room >= SHORTEST_ROOM) else {
            let Failure(state_error, service_error) = Failure::TOO_LONG;
            return confirmed.then(|| exception(out, state_error, service_error)).flatten();
        };
        let transfer = match &mut self.state {
            State::Associated(association) if is_broadcast => {
                Some(core::mem::replace(&mut association.transfer, Transfer::None))
            }
            _ => None,
        };
        let reply = self.dispatch(host, &request, target);
        request.denied.report(&mut self.events);
        // What is under way with this client goes on behind a broadcast.
        if let (State::Associated(association), Some(transfer)) = (&mut self.state, transfer) {
            association.transfer = transfer;
        }
        let answer = match reply {
            Ok(reply) if confirmed => self.seal(host, &opened, reply, out),
            Err(Failure(state_error, service_error)) if confirmed => {
                exception(out, state_error, service_error)
            }
            Ok(_) | Err(_) => None,
        };
        host.change_keys();
        if let State::Refused(_) = self.state {
            self.state = State::Idle;
        }
        answer
    }

    // It has one caller, and is smaller there.
    #[inline(always)]
    fn dispatch(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        if request.is_broadcast() && !(self.association().is_some() && can_be_broadcast::<P>(request.apdu)) {
            return Err(Failure::NOT_ALLOWED);
        }
        if let State::Challenged(..) = self.state {
            return self.reply_to_hls(host, request, out);
        }
        match request.apdu.first() {
            Some(&GET_REQUEST) => self.get(host, request, out),
            Some(&SET_REQUEST) => self.set(host, request, out),
            Some(&ACTION_REQUEST) => self.action(host, request, out),
            Some(&ACCESS_REQUEST) if P::FUNCTIONS.contains(Functions::ACCESS) => {
                self.access(host, request, out)
            }
            Some(&READ_REQUEST | &WRITE_REQUEST | &UNCONFIRMED_WRITE_REQUEST | &GENERAL_BLOCK_TRANSFER) => {
                Err(Failure::NOT_NEGOTIATED)
            }
            _ => Err(Failure::UNKNOWN),
        }
    }

    /// Protects the plain response at [`HEADROOM`] of `out` as its request was, as the policy demands, and as the
    /// items demand.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn seal(
        &mut self,
        host: &mut Host<'_, P>,
        opened: &Opened,
        reply: Reply,
        out: &mut [u8],
    ) -> Option<Range<usize>> {
        let plain = reply.octets.start.saturating_add(HEADROOM)..reply.octets.end.saturating_add(HEADROOM);
        let (State::Associated(association)
        | State::Challenged(association, _)
        | State::Refused(association)) = &mut self.state
        else {
            return Some(plain);
        };
        let mut mirrored = opened.protection;
        mirrored
            .set(Protection::SIGNED, mirrored.contains(Protection::SIGNED) && host.can_sign(association.id));
        let (_, policy) = host.policy(association.id);
        let protection = mirrored | policy | reply.protection;
        let config = host.association(association.id)?;
        let context = config.security.filter(|_| config.ciphered && !protection.is_empty());
        let Some((context, recipient)) = context.zip(association.client_title) else {
            return Some(plain);
        };
        let form = Form::new(
            opened.envelope.unwrap_or(Envelope::GLOBAL),
            protection,
            recipient,
            opened.transaction.unwrap_or_default(),
        );
        let (mut keys, counters) = host.keys(context, association.dedicated.as_mut())?;
        let sealed = keys.seal(counters, &form, out, plain);
        sealed.inspect_err(|&error| self.events.push(Event::SecurityViolation { error })).ok()
    }
}

impl<P: CryptoProvider> Association<P> {
    /// Opens a request, checking it against the association's policy.
    fn open(&mut self, host: &mut Host<'_, P>, apdu: &mut [u8]) -> Result<Opened, ProtectionError> {
        let (required, promised) = host.policy(self.id);
        let config = host.association(self.id).ok_or(ProtectionError::NoKey)?;
        let can_protect = match config.ciphered {
            true => !promised.contains(Protection::SIGNED) || host.can_sign(self.id),
            false => (required | promised).is_empty(),
        };
        // Nothing is executed that cannot be answered as the policy demands.
        if !can_protect {
            return Err(ProtectionError::Required);
        }
        let context = config.security.filter(|_| config.ciphered).zip(self.client_title);
        match context {
            Some((context, client)) => {
                let accepted = config.accepted;
                let (mut keys, counters) =
                    host.keys(context, self.dedicated.as_mut()).ok_or(ProtectionError::NoKey)?;
                let floors = keys.context.floors();
                keys.open(counters, &Demand { accepted, floors, ..Demand::new(client, required) }, apdu)
            }
            None if is_protected(apdu) => Err(ProtectionError::NoKey),
            None => Ok(Opened::plain(0..apdu.len())),
        }
    }
}

/// Whether a request makes sense without an answer: SET and ACTION, but not in blocks, and ACCESS.
const fn can_be_broadcast<P: CryptoProvider>(apdu: &[u8]) -> bool {
    match apdu {
        [SET_REQUEST, 0x01 | 0x04, ..] | [ACTION_REQUEST, 0x01 | 0x03, ..] => true,
        [ACCESS_REQUEST, ..] => P::FUNCTIONS.contains(Functions::ACCESS),
        _ => false,
    }
}

/// Whether a request asks for an answer, by the service-class bit of the services that have one.
fn is_confirmed(apdu: &[u8]) -> bool {
    match *apdu {
        [GET_REQUEST | SET_REQUEST | ACTION_REQUEST, _, invoke_id, ..] => {
            InvokeIdAndPriority(invoke_id).is_confirmed()
        }
        [ACCESS_REQUEST, options, ..] => {
            LongInvokeIdAndPriority(u32::from_be_bytes([options, 0, 0, 0])).is_confirmed()
        }
        _ => true,
    }
}

/// Writes an exception-response, which is never protected.
pub(super) fn exception(
    out: &mut [u8],
    state_error: StateError,
    service_error: ServiceError,
) -> Option<Range<usize>> {
    let mut encoder = Encoder::new(out);
    ExceptionResponse { state_error, service_error }.encode(&mut encoder).ok()?;
    Some(0..encoder.len())
}
