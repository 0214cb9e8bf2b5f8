//! The associations of a model, as a server is told about them and as a client needs to know them.

use std::fmt;

use dlms::Accepted;
use dlms::server::AssociationConfig;
use dlms::xdlms::Conformance;
use dlms_security::{AuthenticationMechanism, Protection, Secret, SecuritySuite};
use serde::Serialize;

use crate::ModelError;
use crate::model::{Association, KeySet, Model};
use crate::notation::{hex, logical_name, to_hex};

/// What a client needs to open an association. The keys are test material, and `Debug` leaves them out all the same.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Credentials {
    /// The name of the association in the model.
    pub name: String,
    /// The client's address.
    pub client: u16,
    /// The server's address.
    pub server: u16,
    /// `none`, `lls`, `md5`, `sha1`, `gmac`, `sha256`, `ecdsa`.
    pub auth: &'static str,
    /// The security suite, where keys are used.
    pub suite: Option<u8>,
    /// `none`, `auth`, `enc`, `auth-enc`.
    pub security: &'static str,
    /// The password of LLS, or the secret of HLS.
    pub password_hex: Option<String>,
    /// The global unicast encryption key.
    pub ek: Option<String>,
    /// The authentication key.
    pub ak: Option<String>,
    /// A dedicated key; the client chooses one if it wants to.
    pub dedicated: Option<String>,
    /// The server's system title, where it matters.
    pub server_title: Option<String>,
    /// A system title for the client, where it matters.
    pub client_title: Option<String>,
    /// The Data object that tells the highest invocation counter received.
    pub counter_object: Option<String>,
    /// The client's signature key, in suites 1 and 2.
    pub signing_key: Option<String>,
    /// The server's public signature key, `x ‖ y`.
    pub peer_public_key: Option<String>,
    /// The master key.
    pub kek: Option<String>,
    /// The client's key for key agreement, in suites 1 and 2.
    pub agreement_key: Option<String>,
    /// The server's public key for key agreement, `x ‖ y`.
    pub peer_agreement_key: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("name", &self.name)
            .field("client", &self.client)
            .field("auth", &self.auth)
            .field("suite", &self.suite)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

impl Association {
    pub(crate) fn mechanism(&self) -> Result<AuthenticationMechanism, ModelError> {
        AuthenticationMechanism::from_id(self.mechanism)
            .ok_or_else(|| ModelError::Association(self.id.clone()))
    }

    fn policy(&self) -> Protection {
        let mut policy = Protection::empty();
        policy.set(Protection::AUTHENTICATED, self.protection.iter().any(|it| it == "authenticated"));
        policy.set(Protection::ENCRYPTED, self.protection.iter().any(|it| it == "encrypted"));
        policy
    }

    /// The keys that the association uses, and their place.
    pub(crate) fn key_set<'m>(&self, model: &'m Model) -> Option<(usize, &'m KeySet)> {
        let setup = self.security_setup.as_ref()?;
        model.key_set.iter().enumerate().find(|(_, keys)| keys.security_setup == *setup)
    }

    /// What a server is told.
    pub(crate) fn config(&self, model: &Model) -> Result<AssociationConfig, ModelError> {
        let wrong = || ModelError::Association(self.id.clone());
        Ok(AssociationConfig {
            client_sap: self.client_sap,
            ciphered: self.ciphered,
            mechanism: self.mechanism()?,
            secret: Secret::new(self.secret.as_deref().unwrap_or_default().as_bytes())
                .map_err(|_| wrong())?,
            security: self.key_set(model).map(|(place, _)| place),
            policy: self.policy(),
            conformance: conformance(self)?,
            max_receive_pdu_size: self.max_pdu,
            client_title: None,
            accepted: accepted(self)?,
            notifications: dlms::Envelope::GLOBAL,
            presents_certificate: false,
            accept_shared_counter: self.accept_shared_counter,
            lockout: None,
        })
    }

    /// What a client is told.
    pub(crate) fn credentials(&self, model: &Model) -> Result<Credentials, ModelError> {
        let mechanism = self.mechanism()?;
        let keys = self.key_set(model).map(|(_, keys)| keys);
        let has_titles = keys.is_some() || mechanism.needs_titles();
        let client_title = keys.map_or(DEFAULT_CLIENT_TITLE, |keys| keys.client_title.as_str());
        let counter = keys.map(|keys| dotted(&keys.counter)).transpose()?;
        let public = keys.map_or(Ok([None, None]), KeySet::server_public_keys)?;
        let [peer_public_key, peer_agreement_key] = public.map(|key| key.map(|key| to_hex(key.octets())));
        Ok(Credentials {
            name: self.id.clone(),
            client: self.client_sap,
            server: self.server_sap,
            auth: match mechanism {
                AuthenticationMechanism::None => "none",
                AuthenticationMechanism::Lls => "lls",
                AuthenticationMechanism::Hls2Manufacturer => "hls",
                AuthenticationMechanism::Md5 => "md5",
                AuthenticationMechanism::Sha1 => "sha1",
                AuthenticationMechanism::Gmac => "gmac",
                AuthenticationMechanism::Sha256 => "sha256",
                AuthenticationMechanism::Ecdsa => "ecdsa",
            },
            suite: keys.map(|keys| keys.suite),
            security: match (self.ciphered, self.policy()) {
                (true, Protection::AUTHENTICATED) => "auth",
                (true, Protection::ENCRYPTED) => "enc",
                (true, Protection::AUTHENTICATED_ENCRYPTED) => "auth-enc",
                _ => "none",
            },
            password_hex: self.secret.as_ref().map(|secret| to_hex(secret.as_bytes())),
            ek: keys.map(|keys| keys.ek.clone()),
            ak: keys.map(|keys| keys.ak.clone()),
            dedicated: None,
            server_title: has_titles.then(|| model.meter.system_title.clone()),
            client_title: has_titles.then(|| client_title.to_owned()),
            counter_object: counter,
            signing_key: keys.and_then(|keys| keys.client_signing_key.clone()),
            peer_public_key,
            kek: keys.and_then(|keys| keys.kek.clone()),
            agreement_key: keys.and_then(|keys| keys.client_agreement_key.clone()),
            peer_agreement_key,
        })
    }
}

/// The title of a client that has no keys.
const DEFAULT_CLIENT_TITLE: &str = "434c490000000001";

/// A logical name in the form `1.0.1.8.0.255`.
fn dotted(name: &str) -> Result<String, ModelError> {
    let [a, b, c, d, e, f] = *logical_name(name)?.octets();
    Ok(format!("{a}.{b}.{c}.{d}.{e}.{f}"))
}

/// The services of an association.
pub(crate) fn conformance(association: &Association) -> Result<Conformance, ModelError> {
    let mut conformance = Conformance::empty();
    for service in &association.conformance {
        conformance |= match service.as_str() {
            "general-protection" => Conformance::GENERAL_PROTECTION,
            "block-transfer-with-get-or-read" => Conformance::BLOCK_TRANSFER_WITH_GET_OR_READ,
            "block-transfer-with-set-or-write" => Conformance::BLOCK_TRANSFER_WITH_SET_OR_WRITE,
            "block-transfer-with-action" => Conformance::BLOCK_TRANSFER_WITH_ACTION,
            "multiple-references" => Conformance::MULTIPLE_REFERENCES,
            "get" => Conformance::GET,
            "set" => Conformance::SET,
            "selective-access" => Conformance::SELECTIVE_ACCESS,
            "action" => Conformance::ACTION,
            "access" => Conformance::ACCESS,
            _ => return Err(ModelError::Value(service.clone())),
        };
    }
    Ok(conformance)
}

/// The envelopes, kinds of keys and deviations of an association.
fn accepted(association: &Association) -> Result<Accepted, ModelError> {
    let mut accepted = Accepted::default();
    for form in &association.accepted {
        accepted |= match form.as_str() {
            "identified-key" => Accepted::IDENTIFIED_KEY,
            "wrapped-key" => Accepted::WRAPPED_KEY,
            "one-pass-diffie-hellman" => Accepted::ONE_PASS_DIFFIE_HELLMAN,
            "static-unified-model" => Accepted::STATIC_UNIFIED_MODEL,
            "signing" => Accepted::SIGNING,
            "restarting-counters" => Accepted::RESTARTING_COUNTERS,
            _ => return Err(ModelError::Value(form.clone())),
        };
    }
    Ok(accepted)
}

impl KeySet {
    /// The suite, the global unicast encryption key and the authentication key.
    pub(crate) fn values(&self) -> Result<(SecuritySuite, Vec<u8>, Vec<u8>), ModelError> {
        let wrong = || ModelError::Value(self.security_setup.clone());
        let suite = SecuritySuite::from_id(self.suite).ok_or_else(wrong)?;
        let (ek, ak) = hex(&self.ek).zip(hex(&self.ak)).ok_or_else(wrong)?;
        Ok((suite, ek, ak))
    }
}
