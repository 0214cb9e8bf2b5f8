//! What the client is told about the server it talks to, and what it uses from outside.

use core::time::Duration;

use dlms_security::{
    AuthenticationMechanism, CounterStore, CryptoProvider, Peer, Protection, Secret, SecretKey, SystemTitle,
    hls,
};

use crate::xdlms::Conformance;
use crate::{Accepted, KeyClass, KeyRing, PublicKeys, SecurityContext};

/// Which dedicated key a client proposes.
#[derive(Clone, Debug, Default)]
pub enum DedicatedKeyChoice {
    /// None: the global keys serve for everything.
    #[default]
    None,
    /// One that is drawn at random for each association.
    Random,
    /// This one. Both its counters begin at 0 in every association, so a key that is used in two of them repeats nonces:
    /// only who makes a new one each time may state it.
    Stated(SecretKey),
}

/// One association as this side wants it.
///
/// Everything that protects it is stated here; what the server answers is compared with this and never adopted.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Whether the application context is the one with ciphering. Needs [`Environment::security`].
    pub ciphered: bool,
    /// How this side proves who it is. Mechanism 5 needs [`Environment::security`], mechanism 7
    /// [`Environment::public_keys`], mechanism 2 [`Environment::manufacturer`].
    pub mechanism: AuthenticationMechanism,
    /// The password of LLS, or the HLS secret of mechanisms 2, 3, 4 and 6.
    pub secret: Secret,
    /// The protection of requests, and the least protection of whatever comes back, once the association is open. The
    /// InitiateRequest of a ciphered context is authenticated and encrypted whatever stands here. So is every request but
    /// GET where this and `request_protection` say no more than encrypted: what is only encrypted can be changed on its
    /// way, and [no server of ours](crate::server) writes or executes it.
    pub policy: Protection,
    /// What requests are protected with besides `policy`: a signature, where responses need none.
    pub request_protection: Protection,
    /// The envelopes, kinds of keys and deviations that are taken, besides the form in which requests leave.
    pub accepted: Accepted,
    /// The services that are proposed.
    pub conformance: Conformance,
    /// The longest APDU that this side takes: 0 for no limit, else at least 12.
    pub max_receive_pdu_size: u16,
    /// Our own title where no security context gives it (mechanism 6 without ciphering).
    pub client_title: Option<SystemTitle>,
    /// The server's title, where it is known in advance; another one is then refused.
    pub server_title: Option<SystemTitle>,
    /// The dedicated key of the association. Only in a ciphered context.
    pub dedicated_key: DedicatedKeyChoice,
    /// Whether requests travel as general-glo- and general-ded-ciphering, if the server can.
    pub general_protection: bool,
    /// Whether requests travel in general-ciphering once the association is open, and with which key: any but the
    /// dedicated one. Where the server cannot, nothing is sent.
    pub general_ciphering: Option<KeyClass>,
    /// How many octets our challenge has: 8 to 64, with mechanism 7 at least 32.
    pub challenge_length: u8,
    /// Whether our signature certificate goes along with mechanism 7, in the AE-qualifier, where [`PublicKeys::peers`] has
    /// it. A server that knows our key needs none.
    pub presents_certificate: bool,
    /// The user id of this client (calling-AE-invocation-id).
    pub user_id: Option<u8>,
    /// Whether requests ask for high priority.
    pub high_priority: bool,
    /// How long an answer is waited for.
    pub response_timeout: Duration,
    /// How many octets a long value may have before its transfer is ended.
    pub max_transfer: u32,
    /// Deviations of the server that are put up with.
    pub tolerance: Tolerance,
}

bitflags::bitflags! {
    /// Deviations of real servers that a client can put up with. None is by default.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Tolerance: u8 {
        /// A response with invoke-id 0 answers whatever was asked last.
        const INVOKE_ID_ZERO = 0x01;
        /// The blocks of a response are numbered from 0.
        const BLOCK_NUMBER_ZERO = 0x02;
        /// The lengths around the InitiateResponse of an AARE are one too small.
        const SHORT_AARE_LENGTHS = 0x04;
        /// The server's HLS-GMAC proof has the same counter as the APDU that carries it: it uses a nonce twice.
        const SHARED_PROOF_COUNTER = 0x08;
    }
}

impl ClientConfig {
    /// A client without authentication and ciphering, as the public client is; a base for others.
    pub fn public() -> Self {
        Self {
            ciphered: false,
            mechanism: AuthenticationMechanism::None,
            secret: Secret::empty(),
            policy: Protection::empty(),
            request_protection: Protection::empty(),
            accepted: Accepted::default(),
            conformance: Conformance::GET
                | Conformance::SET
                | Conformance::ACTION
                | Conformance::SELECTIVE_ACCESS
                | Conformance::EVENT_NOTIFICATION
                | Conformance::DATA_NOTIFICATION
                | Conformance::MULTIPLE_REFERENCES
                | Conformance::BLOCK_TRANSFER_WITH_GET_OR_READ
                | Conformance::BLOCK_TRANSFER_WITH_SET_OR_WRITE
                | Conformance::BLOCK_TRANSFER_WITH_ACTION
                | Conformance::ATTRIBUTE_0_SUPPORTED_WITH_GET
                | Conformance::ATTRIBUTE_0_SUPPORTED_WITH_SET
                | Conformance::PRIORITY_MGMT_SUPPORTED,
            max_receive_pdu_size: 0xFFFF,
            client_title: None,
            server_title: None,
            dedicated_key: DedicatedKeyChoice::None,
            general_protection: false,
            general_ciphering: None,
            challenge_length: 32,
            presents_certificate: false,
            user_id: None,
            high_priority: true,
            response_timeout: Duration::from_secs(10),
            max_transfer: 64 << 20,
            tolerance: Tolerance::empty(),
        }
    }

    /// A client that shows a password (LLS).
    pub fn lls(password: Secret) -> Self {
        Self { mechanism: AuthenticationMechanism::Lls, secret: password, ..Self::public() }
    }

    /// A client with HLS-GMAC in a ciphered context, every APDU authenticated and encrypted.
    pub fn hls_gmac() -> Self {
        Self {
            ciphered: true,
            mechanism: AuthenticationMechanism::Gmac,
            policy: Protection::AUTHENTICATED | Protection::ENCRYPTED,
            ..Self::public()
        }
    }
}

/// What the engine uses from outside while it handles one call.
pub struct Environment<'e, P: CryptoProvider> {
    /// Cryptography and randomness.
    pub provider: &'e P,
    /// Where the send counter of the global key is kept, and the floors of the servers that are heard under it.
    pub counters: &'e mut dyn CounterStore,
    /// The keys, where ciphering or mechanism 5 needs them. They outlive the association.
    pub security: Option<&'e mut SecurityContext<P, [Peer]>>,
    /// The further keys of the security setup, where broadcasts or wrapped keys need them.
    pub key_ring: Option<&'e mut KeyRing<P>>,
    /// Signatures and key agreement, where the association uses them. Our own key pairs are the first ones.
    pub public_keys: Option<PublicKeys<'e>>,
    /// The method of mechanism 2.
    pub manufacturer: Option<&'e dyn hls::Manufacturer>,
    /// The time, since an origin of the caller's choosing.
    pub now: Duration,
}
