//! AARQ → AARE, the four passes of HLS, RLRQ → RLRE.
//!
//! What was asked for is held against what the server answers: context, mechanism, title, challenge, protection. The
//! association is open only when all of it fits and, with HLS, the server has proved who it is.

use core::ops::Range;

use dlms_axdr::{Data, Encoder};
use dlms_obis::LogicalName;
use dlms_security::hls::{Challenge, check_challenge};
use dlms_security::{
    AuthenticationMechanism, CryptoProvider, FloorStorage, Protection, SecretKey, SecuritySuite, SystemTitle,
};

use super::session::{Challenges, Client, Dedicated, NO_SECURITY, State, Transaction, sealing, whole};
use super::{Agreement, ClientError, DedicatedKeyChoice, Environment, Event, Reaction, Refusal, Tolerance};
use crate::acse::{
    Aare, Aarq, AcseRequirements, ApplicationContextName, AssociateResult, AuthenticationValue, Diagnostic,
    ReleaseRequest, ReleaseRequestReason, ReleaseResponse, UserDiagnostic,
};
use crate::handshake::{Handshake, find_signature_key, signature_key, with_certificate};
use crate::protection::{
    DedicatedKey, Demand, Envelope, Form, HEADROOM, Keys, Opened, TAILROOM, TransactionId,
};
use crate::xdlms::{
    ActionRequest, ActionResponse, ActionResult, ConfirmedServiceError, Conformance, GetDataResult,
    InitiateRequest, InitiateResponse, MethodDescriptor,
};
use crate::{KeyClass, ProtectionError, SecurityContext};

const DLMS_VERSION: u8 = 6;
const LN_VAA_NAME: u16 = 0x0007;
const SHORTEST_PDU: u16 = 12;
const FULL: Protection = Protection::AUTHENTICATED.union(Protection::ENCRYPTED);

/// The longest InitiateRequest, protected.
const INITIATE_REQUEST: usize = HEADROOM + InitiateRequest::MAX_LENGTH + TAILROOM;
/// The longest user-information of an AARE or RLRE that is looked at.
const USER_INFORMATION: usize = 96;

const REPLY_TO_HLS_AUTHENTICATION: MethodDescriptor =
    MethodDescriptor { class_id: 15, instance_id: LogicalName::new(0, 0, 40, 0, 0, 255), method_id: 1 };

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Client<P, B> {
    /// Asks for the association. The result says where in `out` the AARQ is; [`Event::Associated`] or
    /// [`Event::Refused`] follows.
    ///
    /// # Errors
    /// [`ClientError::State`] unless idle, [`ClientError::Configuration`], [`ClientError::Security`],
    /// [`ClientError::BufferFull`].
    pub fn associate(
        &mut self,
        env: &mut Environment<'_, P>,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        if !self.is_idle() {
            return Err(ClientError::State);
        }
        let own_title = self.check_configuration(env)?;
        self.close();
        self.suite = env.security.as_deref().map_or(SecuritySuite::Suite0, SecurityContext::suite);
        self.agreement = Agreement::NONE;
        let suite = self.suite;
        let dedicated = match &self.config.dedicated_key {
            DedicatedKeyChoice::None => None,
            DedicatedKeyChoice::Random => Some(SecretKey::generate(env.provider, suite)?),
            DedicatedKeyChoice::Stated(key) => Some(key.clone()),
        };
        if let Some(octets) = dedicated {
            let key = DedicatedKey::new(env.provider, suite, &octets)?;
            self.dedicated = Some(Dedicated { key, octets });
        }
        let mechanism = self.config.mechanism;
        let mut challenges = Challenges::default();
        if mechanism.is_hls() {
            let length = usize::from(self.config.challenge_length);
            challenges.ctos = Challenge::random_with_length(env.provider, length)?;
            check_challenge(mechanism, challenges.ctos.octets())?;
        }
        let is_authenticated = mechanism != AuthenticationMechanism::None;
        let mut information = [0; INITIATE_REQUEST];
        let initiate = self.write_initiate_request(env, &mut information)?;
        let keys = env.public_keys.as_ref().and_then(|keys| keys.of(0));
        let presenting = self.config.presents_certificate && mechanism == AuthenticationMechanism::Ecdsa;
        let length = with_certificate(keys.filter(|_| presenting), own_title, |certificate| {
            let aarq = Aarq {
                application_context_name: self.application_context_name(),
                calling_ap_title: own_title.as_ref().map(|title| &title.octets()[..]),
                calling_ae_qualifier: certificate,
                calling_ae_invocation_id: self.config.user_id.map(Into::into),
                sender_acse_requirements: is_authenticated.then_some(AcseRequirements::AUTHENTICATION),
                mechanism: is_authenticated.then_some(mechanism.into()),
                authentication_value: match mechanism {
                    AuthenticationMechanism::None => None,
                    AuthenticationMechanism::Lls => {
                        Some(AuthenticationValue::Charstring(self.config.secret.expose()))
                    }
                    _ => Some(AuthenticationValue::Charstring(challenges.ctos.octets())),
                },
                user_information: information.get(initiate.clone()),
                ..Aarq::default()
            };
            let mut encoder = Encoder::new(out);
            aarq.encode(&mut encoder).map(|()| encoder.len())
        })?;
        self.state = State::Associating(challenges);
        self.deadline = Some(env.now.saturating_add(self.config.response_timeout));
        Ok(0..length)
    }

    /// Releases the association. The result says where in `out` the RLRQ is; [`Event::Released`] follows.
    ///
    /// # Errors
    /// [`ClientError::State`] if there is none, [`ClientError::Security`], [`ClientError::BufferFull`]: the association
    /// stays open then.
    pub fn release(
        &mut self,
        env: &mut Environment<'_, P>,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        match self.state {
            State::Associated(_) => self.write_release_request(env, out),
            _ => Err(ClientError::State),
        }
    }

    pub(super) fn handle_aare<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        apdu: &[u8],
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let State::Associating(mut challenges) = self.state.clone() else {
            return Err(ClientError::Unexpected { tag: crate::acse::AARE });
        };
        let read = match self.config.tolerance.contains(Tolerance::SHORT_AARE_LENGTHS) {
            true => Aare::from_octets_lenient,
            false => Aare::from_octets,
        };
        let aare = match read(apdu) {
            Ok(aare) => aare,
            Err(error) => return Ok(self.refuse(error.into())),
        };
        if aare.result != AssociateResult::Accepted {
            return Ok(self.refuse(rejection(&aare)));
        }
        match self.check_aare(env, &aare, &mut challenges) {
            Err(refusal) => Ok(self.refuse_and_release(env, refusal, out)),
            Ok(()) if !self.config.mechanism.is_hls() => Ok(self.associated()),
            Ok(()) => {
                self.state = State::Proving(challenges);
                match self.write_proof(env, out) {
                    Ok(range) => Ok(Reaction { transmit: Some(range), event: None }),
                    Err(refusal) => Ok(self.refuse_and_release(env, refusal, out)),
                }
            }
        }
    }

    /// Pass 4.
    pub(super) fn handle_proof<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        plain: &[u8],
        opened: &Opened,
        out: &mut [u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let State::Proving(challenges) = self.state.clone() else {
            return Err(ClientError::State);
        };
        // The invoke-id is not looked at: some servers do not mirror it here, and the proof answers one challenge.
        let proof = match whole(plain, ActionResponse::decode) {
            Ok(ActionResponse::Normal {
                result: ActionResult::Success,
                return_parameters: Some(GetDataResult::Data(Data::OctetString(proof))),
                ..
            }) => proof,
            _ => return Ok(self.refuse_and_release(env, Refusal::ServerProof, out)),
        };
        let handshake = self.handshake(env, &challenges);
        let asymmetric = env.public_keys.as_ref().and_then(|keys| keys.of(0));
        let (provider, counters) = (env.provider, &mut *env.counters);
        match handshake.verify(provider, counters, env.security.as_deref_mut(), asymmetric, opened, proof) {
            Ok(()) => {
                // The proof of our challenge, and what it came in, are new; their counter is above all that came before.
                self.is_server_fresh = self.config.mechanism == AuthenticationMechanism::Gmac
                    || opened.protection.contains(Protection::AUTHENTICATED);
                Ok(self.associated())
            }
            Err(_) => Ok(self.refuse_and_release(env, Refusal::ServerProof, out)),
        }
    }

    pub(super) fn handle_rlre<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        apdu: &[u8],
    ) -> Result<Reaction<'a>, ClientError> {
        let State::Releasing = self.state else {
            return Err(ClientError::Unexpected { tag: crate::acse::RLRE });
        };
        let response = ReleaseResponse::from_octets(apdu)?;
        let authenticated = self.config.ciphered
            && response
                .user_information
                .is_some_and(|information| self.open_user_information(env, information).is_ok());
        self.close();
        Ok(Event::Released { reason: response.reason, authenticated }.into())
    }

    /// Checks that the configuration can work at all; returns the title that the AARQ carries.
    fn check_configuration(&self, env: &Environment<'_, P>) -> Result<Option<SystemTitle>, ClientError> {
        let config = &self.config;
        let needs_keys = config.ciphered || config.mechanism == AuthenticationMechanism::Gmac;
        if needs_keys && env.security.is_none() {
            return Err(NO_SECURITY);
        }
        if config.mechanism == AuthenticationMechanism::Ecdsa && env.public_keys.is_none() {
            return Err(ClientError::Configuration("mechanism 7 needs signatures"));
        }
        if config.mechanism == AuthenticationMechanism::Hls2Manufacturer && env.manufacturer.is_none() {
            return Err(ClientError::Configuration("mechanism 2 needs the manufacturer's method"));
        }
        let has_dedicated = !matches!(config.dedicated_key, DedicatedKeyChoice::None);
        let protection = config.policy | config.request_protection;
        if !config.ciphered && (has_dedicated || config.general_ciphering.is_some() || !protection.is_empty())
        {
            return Err(ClientError::Configuration("protection needs the ciphered context"));
        }
        let is_dedicated = has_dedicated || config.general_ciphering == Some(KeyClass::Dedicated);
        if config.general_ciphering.is_some() && is_dedicated {
            return Err(ClientError::Configuration("general-ciphering has no dedicated key"));
        }
        if config.max_receive_pdu_size != 0 && config.max_receive_pdu_size < SHORTEST_PDU {
            return Err(ClientError::Configuration("max_receive_pdu_size is below 12"));
        }
        if !self.needs_titles() {
            return Ok(None);
        }
        let own =
            self.own_title(env).ok_or(ClientError::Configuration("the client's system title is missing"))?;
        if config.server_title == Some(own) {
            return Err(ClientError::Configuration("both sides have the same system title"));
        }
        Ok(Some(own))
    }

    /// The services that are proposed: those configured, and what the configured envelope needs.
    fn proposal(&self) -> Conformance {
        match self.config.general_protection || self.needs_general_protection() {
            true => self.config.conformance | Conformance::GENERAL_PROTECTION,
            false => self.config.conformance,
        }
    }

    /// Whether both system titles must be known: for the nonces of ciphering and for mechanisms 5 to 7.
    fn needs_titles(&self) -> bool {
        self.config.ciphered || self.config.mechanism.needs_titles()
    }

    fn application_context_name(&self) -> ApplicationContextName<'static> {
        if self.config.ciphered {
            ApplicationContextName::LogicalNameReferencingWithCiphering
        } else {
            ApplicationContextName::LogicalNameReferencing
        }
    }

    fn handshake<'h, 'e: 'h>(
        &'h self,
        env: &Environment<'e, P>,
        challenges: &'h Challenges,
    ) -> Handshake<'h> {
        Handshake {
            mechanism: self.config.mechanism,
            secret: self.config.secret.expose(),
            own_title: self.own_title(env),
            peer_title: self.agreement.server_title,
            own_challenge: &challenges.ctos,
            peer_challenge: &challenges.stoc,
            manufacturer: env.manufacturer,
            peer_key: match self.config.mechanism {
                AuthenticationMechanism::Ecdsa => {
                    let asymmetric = env.public_keys.as_ref().and_then(|keys| keys.of(0));
                    let server = self.agreement.server_title;
                    signature_key(challenges.server_key, asymmetric, server, self.storage.as_ref())
                }
                _ => None,
            },
            floors: FloorStorage::Exact,
            accept_shared_counter: self.config.tolerance.contains(Tolerance::SHARED_PROOF_COUNTER),
        }
    }

    /// Holds an accepting AARE against what was asked for; fills in the agreement and the server's challenge.
    fn check_aare(
        &mut self,
        env: &mut Environment<'_, P>,
        aare: &Aare<'_>,
        challenges: &mut Challenges,
    ) -> Result<(), Refusal> {
        if aare.application_context_name != self.application_context_name() {
            return Err(Refusal::ApplicationContext);
        }
        let mechanism = self.config.mechanism;
        let is_same_mechanism = match aare.mechanism {
            Some(answered) => answered == mechanism.into(),
            None => !mechanism.is_hls(),
        };
        let diagnostic = match mechanism.is_hls() {
            true => UserDiagnostic::AuthenticationRequired,
            false => UserDiagnostic::Null,
        };
        let is_null = aare.diagnostic == Diagnostic::User(diagnostic);
        if !is_same_mechanism || !is_null {
            return Err(Refusal::Mechanism);
        }
        self.agreement.server_title = self.check_title(env, aare)?;
        if mechanism.is_hls() {
            let stoc =
                aare.authentication_value.and_then(|value| value.charstring()).ok_or(Refusal::Challenge)?;
            challenges.stoc = Challenge::received(mechanism, stoc).map_err(|_| Refusal::Challenge)?;
            if challenges.stoc == challenges.ctos {
                return Err(Refusal::Challenge);
            }
            if mechanism == AuthenticationMechanism::Ecdsa {
                let suite = env.security.as_deref().map(SecurityContext::suite);
                let asymmetric = env.public_keys.as_ref().and_then(|keys| keys.of(0));
                let server = self.agreement.server_title;
                let certificate = aare.responding_ae_qualifier;
                let storage = self.storage.as_mut();
                let key = find_signature_key(asymmetric, suite, server, certificate, storage);
                challenges.server_key = key.ok_or(Refusal::ServerCertificate)?;
            }
        }
        let information = aare.user_information.ok_or(Refusal::Initiate("user-information"))?;
        let response = self.open_user_information(env, information)?;
        if response.negotiated_dlms_version_number != DLMS_VERSION {
            return Err(Refusal::Initiate("negotiated-dlms-version-number"));
        }
        if response.vaa_name != LN_VAA_NAME {
            return Err(Refusal::Initiate("vaa-name"));
        }
        let size = response.server_max_receive_pdu_size;
        if size != 0 && size < SHORTEST_PDU {
            return Err(Refusal::Initiate("server-max-receive-pdu-size"));
        }
        self.agreement.conformance = response.negotiated_conformance & self.proposal();
        self.agreement.server_max_receive_pdu_size = size;
        Ok(())
    }

    fn check_title(&self, env: &Environment<'_, P>, aare: &Aare<'_>) -> Result<Option<SystemTitle>, Refusal> {
        let title = match aare.responding_ap_title {
            Some(octets) => Some(SystemTitle::try_from(octets).map_err(|_| Refusal::ServerTitle)?),
            None if self.needs_titles() => return Err(Refusal::ServerTitle),
            None => self.config.server_title,
        };
        let is_ours = title.is_some() && title == self.own_title(env);
        let is_other =
            title.is_some_and(|title| self.config.server_title.is_some_and(|known| known != title));
        if is_ours || is_other { Err(Refusal::ServerTitle) } else { Ok(title) }
    }

    /// The InitiateResponse in the user-information of an AARE or RLRE, which must be protected as its request was.
    fn open_user_information(
        &mut self,
        env: &mut Environment<'_, P>,
        information: &[u8],
    ) -> Result<InitiateResponse, Refusal> {
        let mut buffer = [0; USER_INFORMATION];
        let octets = buffer.get_mut(..information.len()).ok_or(Refusal::Initiate("length"))?;
        octets.copy_from_slice(information);
        let plain = if self.config.ciphered {
            let (keys, counters) = env.keys(None).ok_or(Refusal::Protection(ProtectionError::NoKey))?;
            let server = self.agreement.server_title.ok_or(Refusal::ServerTitle)?;
            global_keys(keys).open(counters, &Demand::new(server, FULL), octets)?.apdu
        } else {
            0..octets.len()
        };
        Ok(whole(octets.get(plain).unwrap_or(&[]), InitiateResponse::decode)?)
    }

    fn associated<'a>(&mut self) -> Reaction<'a> {
        self.state = State::Associated(Transaction::None);
        self.deadline = None;
        Event::Associated(self.agreement).into()
    }

    fn refuse<'a>(&mut self, refusal: Refusal) -> Reaction<'a> {
        self.close();
        Event::Refused(refusal).into()
    }

    /// The server believes in an association that we do not want: it is told to end it, if that can be said at all.
    fn refuse_and_release<'a>(
        &mut self,
        env: &mut Environment<'_, P>,
        refusal: Refusal,
        out: &mut [u8],
    ) -> Reaction<'a> {
        let transmit = self.write_release_request(env, out).ok();
        if transmit.is_none() {
            self.close();
        }
        Reaction { transmit, event: Some(Event::Refused(refusal)) }
    }

    /// Pass 3: reply_to_HLS_authentication with f(StoC).
    fn write_proof(&mut self, env: &mut Environment<'_, P>, out: &mut [u8]) -> Result<Range<usize>, Refusal> {
        let State::Proving(challenges) = self.state.clone() else {
            return Err(Refusal::ServerProof);
        };
        let handshake = self.handshake(env, &challenges);
        let asymmetric = env.public_keys.as_ref().and_then(|keys| keys.of(0));
        let proof = handshake.prove(env.provider, env.counters, env.security.as_deref_mut(), asymmetric)?;
        self.next_invoke_id();
        let request = ActionRequest::Normal {
            invoke_id: self.invoke(),
            method: REPLY_TO_HLS_AUTHENTICATION,
            parameters: Some(Data::OctetString(proof.octets())),
        };
        let length = self.write(out, |encoder| request.encode(encoder)).ok_or(Refusal::BufferFull)?;
        self.dispatch(env, out, length).map_err(|error| match error {
            ClientError::Security(error) => Refusal::Security(error),
            ClientError::Protection(error) => Refusal::Protection(error),
            _ => Refusal::BufferFull,
        })
    }

    fn write_release_request(
        &mut self,
        env: &mut Environment<'_, P>,
        out: &mut [u8],
    ) -> Result<Range<usize>, ClientError> {
        let mut information = [0; INITIATE_REQUEST];
        let mut initiate = None;
        if self.config.ciphered {
            initiate = Some(self.write_initiate_request(env, &mut information)?);
        }
        let request = ReleaseRequest {
            reason: Some(ReleaseRequestReason::Normal),
            user_information: initiate.and_then(|range| information.get(range)),
        };
        let mut encoder = Encoder::new(out);
        request.encode(&mut encoder)?;
        self.state = State::Releasing;
        self.deadline = Some(env.now.saturating_add(self.config.response_timeout));
        Ok(0..encoder.len())
    }

    /// Writes the InitiateRequest, in a ciphered context authenticated and encrypted under the global key.
    fn write_initiate_request(
        &mut self,
        env: &mut Environment<'_, P>,
        buffer: &mut [u8; INITIATE_REQUEST],
    ) -> Result<Range<usize>, ClientError> {
        let mut encoder = Encoder::new(&mut buffer[HEADROOM..]);
        let request = InitiateRequest {
            dedicated_key: self.dedicated.as_ref().map(|dedicated| dedicated.octets.octets()).transpose()?,
            response_allowed: true,
            proposed_quality_of_service: None,
            proposed_dlms_version_number: DLMS_VERSION,
            proposed_conformance: self.proposal(),
            client_max_receive_pdu_size: self.config.max_receive_pdu_size,
        };
        request.encode(&mut encoder)?;
        let plain = HEADROOM..encoder.len().saturating_add(HEADROOM);
        if !self.config.ciphered {
            return Ok(plain);
        }
        let (keys, counters) = env.keys(None).ok_or(NO_SECURITY)?;
        // The envelope does not say who its recipient is.
        let form = Form::new(Envelope::GLOBAL, FULL, keys.context.own_title(), TransactionId::default());
        global_keys(keys).seal(counters, &form, buffer, plain).map_err(sealing)
    }
}

/// The keys of an InitiateRequest and its response: the global unicast key, and no signature.
fn global_keys<P: CryptoProvider>(keys: Keys<'_, P>) -> Keys<'_, P> {
    Keys { key_ring: None, asymmetric: None, ..keys }
}

/// What a rejecting AARE says.
fn rejection(aare: &Aare<'_>) -> Refusal {
    let error = aare.user_information.and_then(|octets| whole(octets, ConfirmedServiceError::decode).ok());
    Refusal::Rejected { result: aare.result, diagnostic: aare.diagnostic, error }
}
