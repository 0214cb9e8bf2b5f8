//! Passes 3 and 4 of HLS: reply_to_HLS_authentication of the current association.
//!
//! Nothing else is served until the client has proved itself. A wrong proof ends the attempt: there is no second try
//! against the same challenge.

use core::time::Duration;

use cosem_objects::ActionResult;
use dlms_axdr::{Data, Encoder, Reader};
use dlms_obis::LogicalName;
use dlms_security::hls::{Challenge, Proof};
use dlms_security::{AuthenticationMechanism, CryptoProvider, FloorStorage, Peer, SecurityError};

use super::event::{Event, RefusalReason};
use super::session::{Association, Failure, Host, Reply, Request, Session, State, asymmetric};
use crate::handshake::{Handshake, PeerKeySource, signature_key};
use crate::protection::{KeyClass, SecurityContext};
use crate::xdlms::{ActionRequest, MethodDescriptor};

/// How long a client may take to answer our challenge.
const ANSWER_TIME: Duration = Duration::from_secs(60);

const REPLY_TO_HLS: MethodDescriptor =
    MethodDescriptor { class_id: 15, instance_id: LogicalName::new(0, 0, 40, 0, 0, 255), method_id: 1 };

/// The two challenges of a handshake.
pub(super) struct Challenges {
    pub(super) ctos: Challenge,
    pub(super) stoc: Challenge,
    pub(super) deadline: Duration,
    /// Where the client's key of mechanism 7 is.
    pub(super) client_key: PeerKeySource,
}

impl Challenges {
    /// Our challenge to a client that sent us `ctos`.
    pub(super) fn new<P: CryptoProvider>(
        provider: &P,
        mechanism: AuthenticationMechanism,
        ctos: &[u8],
        now: Duration,
    ) -> Result<Self, SecurityError> {
        let ctos = Challenge::received(mechanism, ctos)?;
        let stoc = Challenge::random(provider)?;
        if stoc.octets() == ctos.octets() {
            return Err(SecurityError::Reflection);
        }
        Ok(Self {
            ctos,
            stoc,
            deadline: now.saturating_add(ANSWER_TIME),
            client_key: PeerKeySource::default(),
        })
    }
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn reply_to_hls(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        let mut reader = Reader::new(request.apdu);
        let by_dedicated_key =
            request.opened.envelope.is_some_and(|envelope| envelope.key == KeyClass::Dedicated);
        let (invoke_id, parameters) = match ActionRequest::decode(&mut reader) {
            Ok(ActionRequest::Normal { invoke_id, method, parameters })
                if method == REPLY_TO_HLS && reader.is_empty() && !by_dedicated_key =>
            {
                (invoke_id, parameters)
            }
            _ => return Err(Failure::NOT_ALLOWED),
        };
        let State::Challenged(association, challenges) = core::mem::replace(&mut self.state, State::Idle)
        else {
            return Err(Failure::NOT_ALLOWED);
        };
        let mut encoder = Encoder::new(out);
        let storage = self.storage.as_ref();
        match exchange_proofs(host, &association, &challenges, storage, request, parameters) {
            Ok(proof) => {
                host.attempt_succeeded(self.client_sap);
                let config = host.association(association.id).ok_or(Failure::NOT_ALLOWED)?;
                if let Some((security, peer)) = config.security.zip(association.client_title)
                    && config.mechanism == AuthenticationMechanism::Gmac
                {
                    self.events.push(Event::WindowMoved { security, peer });
                }
                let security = config.security;
                host.keep_client(security, association.client_title);
                self.events.push(Event::Associated { association: association.id });
                self.state = State::Associated(association);
                encoder.octets(&[0xC7, 0x01, invoke_id.0, 0x00, 0x01, 0x00, 0x09])?;
                encoder.octet_string(proof.octets())?;
            }
            Err(error) => {
                // That our storage or our key fails is not the client's failure.
                let is_failure = !matches!(error, SecurityError::Storage(_) | SecurityError::Provider);
                if is_failure {
                    host.attempt_failed(self.client_sap, request.now, &mut self.events);
                }
                self.events.push(Event::Refused { reason: RefusalReason::Authentication });
                self.state = State::Refused(association);
                let denied = ActionResult::ReadWriteDenied.code();
                encoder.octets(&[0xC7, 0x01, invoke_id.0, denied, 0x00])?;
            }
        }
        Ok(Reply::first(encoder.len()))
    }
}

/// Verifies the client's proof and makes ours.
fn exchange_proofs<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    association: &Association<P>,
    challenges: &Challenges,
    storage: &[u8],
    request: &Request<'_>,
    parameters: Option<Data<'_>>,
) -> Result<Proof, SecurityError> {
    let Some(Data::OctetString(proof)) = parameters else { return Err(SecurityError::TagMismatch) };
    let secret = host.secret(association.id).ok_or(SecurityError::MechanismUnavailable)?;
    let config = host.associations.get(usize::from(association.id.0));
    let config = config.ok_or(SecurityError::MechanismUnavailable)?;
    let mut context: Option<&mut SecurityContext<P, [Peer]>> = match config.security {
        Some(index) => host.security.get_mut(index).map(|context| context as _),
        None => None,
    };
    let asymmetric = config.security.and_then(|index| asymmetric::<P>(host.public_keys.as_ref(), index));
    let handshake = Handshake {
        mechanism: config.mechanism,
        secret: secret.expose(),
        own_title: Some(host.system_title),
        peer_title: association.client_title,
        own_challenge: &challenges.stoc,
        peer_challenge: &challenges.ctos,
        accept_shared_counter: config.accept_shared_counter,
        manufacturer: host.manufacturer,
        peer_key: signature_key(challenges.client_key, asymmetric, association.client_title, storage),
        floors: context.as_deref().map_or(FloorStorage::Exact, SecurityContext::floors),
    };
    let counters = &mut *host.counters;
    let opened = request.opened;
    handshake.verify(host.provider, counters, context.as_deref_mut(), asymmetric, opened, proof)?;
    handshake.prove(host.provider, counters, context, asymmetric)
}
