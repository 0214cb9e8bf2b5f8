//! AARQ → AARE and RLRQ → RLRE.
//!
//! What a client proposes is compared with the association that this side configured for it. Everything that depends
//! on a secret fails with the same diagnostic, so that nothing can be learnt from it.

use core::ops::Range;
use core::time::Duration;

use cosem_objects::AssociationId;
use dlms_axdr::{Encoder, Reader};
use dlms_security::{
    AuthenticationMechanism, CryptoProvider, Functions, Protection, Secret, SecretKey, SystemTitle,
};

use super::AssociationConfig;
use super::event::{Event, RefusalReason};
use super::hls::Challenges;
use super::session::{Association, Host, Initiation, Session, State, Transfer, asymmetric, exception};
use crate::ProtectionError;
use crate::acse::{
    Aare, Aarq, AcseRequirements, ApplicationContextName, AssociateResult, AuthenticationValue, Diagnostic,
    MechanismName, ProviderDiagnostic, ReleaseRequest, ReleaseResponse, ReleaseResponseReason,
    UserDiagnostic,
};
use crate::handshake::{find_signature_key, with_certificate};
use crate::protection::{
    Accepted, DedicatedKey, Demand, Envelope, Form, GENERAL_HEADROOM, HEADROOM, SecurityContext, TAILROOM,
    TransactionId,
};
use crate::xdlms::{
    ConfirmedServiceError, Conformance, InitiateError, InitiateRequest, InitiateResponse, ServiceError,
    StateError,
};

const DLMS_VERSION: u8 = 6;
const LN_VAA_NAME: u16 = 0x0007;
const SHORTEST_PDU: u16 = 12;
/// The longest InitiateResponse, protected.
const INITIATE_RESPONSE: usize = GENERAL_HEADROOM + InitiateResponse::MAX_LENGTH + TAILROOM;

/// Why an AARQ is refused, and what is said about it.
struct Refusal {
    reason: RefusalReason,
    diagnostic: Diagnostic,
    error: Option<ConfirmedServiceError>,
    /// The lowest acceptable counter, if that of the InitiateRequest is below it.
    lowest_acceptable: Option<u32>,
}

impl Refusal {
    const fn user(reason: RefusalReason, diagnostic: UserDiagnostic) -> Self {
        Self { reason, diagnostic: Diagnostic::User(diagnostic), error: None, lowest_acceptable: None }
    }

    const fn initiate(error: InitiateError) -> Self {
        Self {
            reason: RefusalReason::Initiate,
            diagnostic: Diagnostic::User(UserDiagnostic::NoReasonGiven),
            error: Some(ConfirmedServiceError::initiate(error)),
            lowest_acceptable: None,
        }
    }

    /// The InitiateRequest cannot be opened. A client that only is behind is told where to go on.
    fn protection(error: ProtectionError) -> Self {
        let lowest_acceptable = match error {
            ProtectionError::Replay(lowest) => Some(lowest),
            _ => None,
        };
        Self { lowest_acceptable, ..Self::PROTECTION }
    }

    const AUTHENTICATION: Self =
        Self::user(RefusalReason::Authentication, UserDiagnostic::AuthenticationFailure);
    const PROTECTION: Self = Self::user(RefusalReason::Protection, UserDiagnostic::AuthenticationFailure);
}

/// An AARQ that may be accepted.
struct Acceptable<P: CryptoProvider> {
    association: Association<P>,
    challenges: Option<Challenges>,
    /// The transaction-id of the InitiateRequest.
    transaction: TransactionId,
}

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn handle_aarq(
        &mut self,
        host: &mut Host<'_, P>,
        now: Duration,
        apdu: &mut [u8],
        out: &mut [u8],
    ) -> Option<Range<usize>> {
        self.link_lost();
        if host.is_locked_out(self.client_sap, now) {
            self.events.push(Event::Refused { reason: RefusalReason::LockedOut });
            return refuse(&Refusal::AUTHENTICATION, out);
        }
        match self.accept(host, now, apdu) {
            Ok(accepted) => self.open(host, accepted, out),
            Err(refusal) => {
                let is_failure =
                    matches!(refusal.reason, RefusalReason::Authentication | RefusalReason::Protection)
                        && refusal.lowest_acceptable.is_none();
                if is_failure {
                    host.attempt_failed(self.client_sap, now, &mut self.events);
                }
                self.events.push(Event::Refused { reason: refusal.reason });
                match refusal.lowest_acceptable {
                    Some(lowest) => {
                        let error = ServiceError::InvocationCounterError(Some(lowest));
                        exception(out, StateError::ServiceNotAllowed, error)
                    }
                    None => refuse(&refusal, out),
                }
            }
        }
    }

    fn accept(
        &mut self,
        host: &mut Host<'_, P>,
        now: Duration,
        apdu: &mut [u8],
    ) -> Result<Acceptable<P>, Refusal> {
        const MALFORMED: Refusal = Refusal::user(RefusalReason::Malformed, UserDiagnostic::NoReasonGiven);
        // By reference: it is large, and moving it takes code.
        let aarq = Aarq::from_octets(apdu);
        let aarq = aarq.as_ref().map_err(|_| MALFORMED)?;
        if aarq.protocol_version.is_some_and(|version| !version.is_version_1()) {
            return Err(Refusal {
                reason: RefusalReason::ProtocolVersion,
                diagnostic: Diagnostic::Provider(ProviderDiagnostic::NoCommonAcseVersion),
                error: None,
                lowest_acceptable: None,
            });
        }
        const CONTEXT: Refusal = Refusal::user(
            RefusalReason::ApplicationContext,
            UserDiagnostic::ApplicationContextNameNotSupported,
        );
        let (index, config) = (0..=u8::MAX)
            .zip(host.associations.iter())
            .find(|(_, config)| config.client_sap == self.client_sap)
            // A client that is not known is refused as one whose password is wrong.
            .ok_or(if aarq.mechanism.is_some() { Refusal::AUTHENTICATION } else { CONTEXT })?;
        if aarq.application_context_name != config.application_context_name() {
            return Err(CONTEXT);
        }
        let id = AssociationId(index);
        let client_title = client_title(aarq, config, host.system_title)?;
        let authentication_value =
            check_authentication(aarq, config, &host.secret(id).ok_or(Refusal::AUTHENTICATION)?)?;
        let challenges = if config.mechanism.is_hls() {
            let challenges = Challenges::new(host.provider, config.mechanism, authentication_value, now);
            let mut challenges = challenges.map_err(|_| Refusal::AUTHENTICATION)?;
            if config.mechanism == AuthenticationMechanism::Ecdsa {
                let suite =
                    config.security.and_then(|index| host.security.get(index)).map(SecurityContext::suite);
                let asymmetric =
                    config.security.and_then(|index| asymmetric::<P>(host.public_keys.as_ref(), index));
                let certificate = aarq.calling_ae_qualifier;
                let storage = self.storage.as_mut();
                let key = find_signature_key(asymmetric, suite, client_title, certificate, storage);
                challenges.client_key = key.ok_or(Refusal::AUTHENTICATION)?;
            }
            Some(challenges)
        } else {
            None
        };

        let user_information = aarq.user_information.ok_or(Refusal::PROTECTION)?;
        let information = position(apdu, user_information);
        let ciphered = config.ciphered;
        let mut initiation = Initiation::default();
        let mut transaction = TransactionId::default();
        let mut initiate = information.clone();
        if ciphered {
            let (Some(context), Some(title)) = (config.security, client_title) else {
                return Err(Refusal::PROTECTION);
            };
            let demand = initiation_demand(config, title, config.policy | Protection::AUTHENTICATED);
            let (mut keys, counters) = host.keys(context, None).ok_or(Refusal::PROTECTION)?;
            let demand = Demand { floors: keys.context.floors(), ..demand };
            let protected = apdu.get_mut(information.clone()).ok_or(Refusal::PROTECTION)?;
            let opened = keys.open(counters, &demand, protected).map_err(|error| {
                self.events.push(Event::SecurityViolation { error });
                Refusal::protection(error)
            })?;
            self.events.push(Event::WindowMoved { security: context, peer: title });
            initiation = Initiation { envelope: opened.envelope, protection: opened.protection };
            transaction = opened.transaction.unwrap_or_default();
            let start = information.start;
            initiate = start.saturating_add(opened.apdu.start)..start.saturating_add(opened.apdu.end);
        }
        let mut reader = Reader::new(apdu.get(initiate).ok_or(Refusal::PROTECTION)?);
        let initiate = InitiateRequest::decode(&mut reader)
            .and_then(|initiate| reader.finish().map(|()| initiate))
            .map_err(|_| Refusal::user(RefusalReason::Malformed, UserDiagnostic::NoReasonGiven))?;

        let config = host.associations.get(usize::from(index)).ok_or(Refusal::PROTECTION)?;
        let conformance = negotiate::<P>(&initiate, config)?;
        let dedicated = match (initiate.dedicated_key, config.security) {
            (None, _) => None,
            (Some(key), Some(context)) if initiation.protection == Protection::AUTHENTICATED_ENCRYPTED => {
                let suite = host.security.get(context).ok_or(Refusal::PROTECTION)?.suite();
                let key = SecretKey::new(suite, key).map_err(|_| Refusal::PROTECTION)?;
                Some(DedicatedKey::new(host.provider, suite, &key).map_err(|_| Refusal::PROTECTION)?)
            }
            (Some(_), _) => return Err(Refusal::PROTECTION),
        };
        Ok(Acceptable {
            association: Association {
                id,
                conformance,
                client_max_receive_pdu_size: match initiate.client_max_receive_pdu_size {
                    0 => usize::from(u16::MAX),
                    size => usize::from(size),
                },
                client_title,
                dedicated,
                initiation,
                // Over HDLC the kind of frame decides, not this.
                is_confirmed: initiate.response_allowed || self.answers_unconfirmed,
                transfer: Transfer::None,
                has_signed_items: false,
            },
            challenges,
            transaction,
        })
    }

    /// Answers an acceptable AARQ and moves on.
    fn open(
        &mut self,
        host: &mut Host<'_, P>,
        accepted: Acceptable<P>,
        out: &mut [u8],
    ) -> Option<Range<usize>> {
        let Acceptable { association, challenges, transaction } = accepted;
        let is_confirmed = association.is_confirmed;
        let config = host.association(association.id)?;
        let own_title = config.needs_titles().then_some(host.system_title);
        let (mechanism, security) = (config.mechanism, config.security);
        let application_context_name = config.application_context_name();
        let mut initiate = [0; INITIATE_RESPONSE];
        let initiate_range = seal_initiate_response(
            host,
            &association,
            association.initiation.envelope,
            transaction,
            &mut initiate,
        )?;
        let config = host.association(association.id)?;
        let presenting = config.presents_certificate && mechanism == AuthenticationMechanism::Ecdsa;
        let setup = config.security.filter(|_| presenting);
        let keys = setup.and_then(|index| asymmetric::<P>(host.public_keys.as_ref(), index));
        let length = with_certificate(keys, own_title, |certificate| {
            let aare = Aare {
                application_context_name,
                result: AssociateResult::Accepted,
                diagnostic: Diagnostic::User(match challenges {
                    Some(_) => UserDiagnostic::AuthenticationRequired,
                    None => UserDiagnostic::Null,
                }),
                responding_ap_title: own_title.as_ref().map(|title| &title.octets()[..]),
                responding_ae_qualifier: certificate,
                responder_acse_requirements: challenges.as_ref().map(|_| AcseRequirements::AUTHENTICATION),
                mechanism: challenges.as_ref().map(|_| MechanismName::Standard(mechanism)),
                authentication_value: challenges
                    .as_ref()
                    .map(|challenges| AuthenticationValue::Charstring(challenges.stoc.octets())),
                user_information: initiate.get(initiate_range.clone()),
                ..Aare::default()
            };
            let mut encoder = Encoder::new(out);
            aare.encode(&mut encoder).ok().map(|()| encoder.len())
        })?;
        match challenges {
            Some(challenges) => self.state = State::Challenged(association, challenges),
            None => {
                host.attempt_succeeded(self.client_sap);
                host.keep_client(security, association.client_title);
                self.events.push(Event::Associated { association: association.id });
                self.state = State::Associated(association);
            }
        }
        is_confirmed.then_some(0..length)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn handle_rlrq(
        &mut self,
        host: &mut Host<'_, P>,
        apdu: &mut [u8],
        out: &mut [u8],
    ) -> Option<Range<usize>> {
        let (State::Associated(association) | State::Challenged(association, _)) = &mut self.state else {
            return None;
        };
        let config = host.association(association.id)?;
        let request = ReleaseRequest::from_octets(apdu).ok()?;
        let mut initiate = [0; INITIATE_RESPONSE];
        let mut user_information = None;
        if let Some((context, title)) =
            config.security.zip(association.client_title).filter(|_| config.ciphered)
        {
            let required = association.initiation.protection;
            let opened = match request.user_information.map(|information| position(apdu, information)) {
                Some(range) => {
                    let demand = initiation_demand(config, title, required);
                    let keys = host.keys(context, None);
                    let keys = keys.ok_or(ProtectionError::NoKey);
                    keys.and_then(|(mut keys, counters)| {
                        let demand = Demand { floors: keys.context.floors(), ..demand };
                        keys.open(counters, &demand, apdu.get_mut(range).unwrap_or_default())
                    })
                }
                None => Err(ProtectionError::Required),
            };
            match opened {
                Ok(opened) => {
                    self.events.push(Event::WindowMoved { security: context, peer: title });
                    let range = seal_initiate_response(
                        host,
                        association,
                        opened.envelope,
                        opened.transaction.unwrap_or_default(),
                        &mut initiate,
                    )?;
                    user_information = Some(initiate.get(range)?);
                }
                Err(error) => {
                    self.events.push(Event::SecurityViolation { error });
                    return release_response(ReleaseResponseReason::NotFinished, None, out);
                }
            }
        }
        self.link_lost();
        release_response(ReleaseResponseReason::Normal, user_information, out)
    }
}

impl AssociationConfig {
    const fn application_context_name(&self) -> ApplicationContextName<'static> {
        if self.ciphered {
            ApplicationContextName::LogicalNameReferencingWithCiphering
        } else {
            ApplicationContextName::LogicalNameReferencing
        }
    }

    /// Whether both system titles must be known: for the nonces of ciphering and for mechanisms 5 to 7.
    fn needs_titles(&self) -> bool {
        self.ciphered || self.mechanism.needs_titles()
    }
}

fn client_title(
    aarq: &Aarq<'_>,
    config: &AssociationConfig,
    own_title: SystemTitle,
) -> Result<Option<SystemTitle>, Refusal> {
    const WRONG: Refusal =
        Refusal::user(RefusalReason::CallingApTitle, UserDiagnostic::CallingApTitleNotRecognized);
    if !config.needs_titles() {
        return Ok(config.client_title);
    }
    let title = SystemTitle::try_from(aarq.calling_ap_title.unwrap_or(&[])).map_err(|_| WRONG)?;
    let is_known = config.client_title.is_none_or(|known| known == title);
    if title == own_title || !is_known {
        return Err(WRONG);
    }
    Ok(Some(title))
}

/// Checks the authentication functional unit and, for LLS, the password; returns the authentication value.
fn check_authentication<'a>(
    aarq: &Aarq<'a>,
    config: &AssociationConfig,
    secret: &Secret,
) -> Result<&'a [u8], Refusal> {
    let mechanism = MechanismName::Standard(config.mechanism);
    if config.mechanism == AuthenticationMechanism::None {
        return match aarq.mechanism {
            Some(proposed) if proposed != mechanism => Err(Refusal::user(
                RefusalReason::Mechanism,
                UserDiagnostic::AuthenticationMechanismNameNotRecognised,
            )),
            _ => Ok(&[]),
        };
    }
    let requirements = aarq.sender_acse_requirements;
    let diagnostic = match aarq.mechanism {
        _ if !requirements.is_some_and(|requirements| requirements.authentication()) => {
            Some(UserDiagnostic::AuthenticationRequired)
        }
        None => Some(UserDiagnostic::AuthenticationMechanismNameRequired),
        Some(proposed) if proposed != mechanism => {
            Some(UserDiagnostic::AuthenticationMechanismNameNotRecognised)
        }
        Some(_) => None,
    };
    if let Some(diagnostic) = diagnostic {
        return Err(Refusal::user(RefusalReason::Mechanism, diagnostic));
    }
    let value = aarq.authentication_value.and_then(|value| value.charstring());
    let value = value.ok_or(Refusal::AUTHENTICATION)?;
    if config.mechanism == AuthenticationMechanism::Lls && !secret.matches(value) {
        return Err(Refusal::AUTHENTICATION);
    }
    Ok(value)
}

fn negotiate<P: CryptoProvider>(
    initiate: &InitiateRequest<'_>,
    config: &AssociationConfig,
) -> Result<Conformance, Refusal> {
    if initiate.proposed_dlms_version_number < DLMS_VERSION {
        return Err(Refusal::initiate(InitiateError::DlmsVersionTooLow));
    }
    let size = initiate.client_max_receive_pdu_size;
    if size != 0 && size < SHORTEST_PDU {
        return Err(Refusal::initiate(InitiateError::PduSizeTooShort));
    }
    let mut conformance = initiate.proposed_conformance & config.conformance & AssociationConfig::SUPPORTED;
    if !P::FUNCTIONS.contains(Functions::ACCESS) {
        conformance.remove(Conformance::ACCESS);
    }
    let services = Conformance::GET | Conformance::SET | Conformance::ACTION | Conformance::ACCESS;
    if !conformance.intersects(services) {
        return Err(Refusal::initiate(InitiateError::IncompatibleConformance));
    }
    Ok(conformance)
}

fn seal_initiate_response<P: CryptoProvider>(
    host: &mut Host<'_, P>,
    association: &Association<P>,
    envelope: Option<Envelope>,
    transaction: TransactionId,
    buffer: &mut [u8],
) -> Option<Range<usize>> {
    let config = host.association(association.id)?;
    let mut encoder = Encoder::new(buffer.get_mut(HEADROOM..)?);
    let response = InitiateResponse {
        negotiated_quality_of_service: None,
        negotiated_dlms_version_number: DLMS_VERSION,
        negotiated_conformance: association.conformance,
        server_max_receive_pdu_size: config.max_receive_pdu_size,
        vaa_name: LN_VAA_NAME,
    };
    response.encode(&mut encoder).ok()?;
    let plain = HEADROOM..encoder.len().saturating_add(HEADROOM);
    let Some((context, envelope)) = config.security.zip(envelope) else {
        return Some(plain);
    };
    let form = Form::new(envelope, association.initiation.protection, association.client_title?, transaction);
    let (mut keys, counters) = host.keys(context, None)?;
    keys.seal(counters, &form, buffer, plain).ok()
}

/// What is demanded of an InitiateRequest, which is under the global unicast key and never signed.
fn initiation_demand(config: &AssociationConfig, client: SystemTitle, required: Protection) -> Demand {
    let by_global_key = Accepted::SERVICE_SPECIFIC | Accepted::WITH_TITLE | Accepted::IDENTIFIED_KEY;
    let accepted = config.accepted & by_global_key;
    Demand { accepted, ..Demand::new(client, required.ciphering()) }
}

/// Where `part`, which is a part of `whole`, lies in it.
fn position(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start.saturating_add(part.len())
}

fn refuse(refusal: &Refusal, out: &mut [u8]) -> Option<Range<usize>> {
    let mut error = [0; 4];
    let mut encoder = Encoder::new(&mut error);
    if let Some(service_error) = &refusal.error {
        service_error.encode(&mut encoder).ok()?;
    }
    let error = encoder.written();
    let aare = Aare {
        application_context_name: ApplicationContextName::LogicalNameReferencing,
        result: AssociateResult::RejectedPermanent,
        diagnostic: refusal.diagnostic,
        user_information: refusal.error.as_ref().map(|_| error),
        ..Aare::default()
    };
    let mut encoder = Encoder::new(out);
    aare.encode(&mut encoder).ok()?;
    Some(0..encoder.len())
}

fn release_response(
    reason: ReleaseResponseReason,
    user_information: Option<&[u8]>,
    out: &mut [u8],
) -> Option<Range<usize>> {
    let mut encoder = Encoder::new(out);
    ReleaseResponse { reason: Some(reason), user_information }.encode(&mut encoder).ok()?;
    Some(0..encoder.len())
}
