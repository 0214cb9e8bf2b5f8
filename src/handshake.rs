//! The proofs of high level security (HLS), as either end makes and verifies them.
//!
//! Each end proves that it knows the secret by a function of the challenge that the other one sent. The proof of
//! mechanism 5 uses a counter of the global key, drawn from the same sequence as everything else under that key; that of
//! mechanism 7 is a signature.

use dlms_security::hls::{self, Challenge, EcdsaProof, Manufacturer, Proof};
use dlms_security::{
    AuthenticationMechanism, CounterStore, CryptoProvider, Curve, FloorStorage, Functions, InvocationCounter,
    KeyUsage, Peer, PublicKey, ReplayWindow, SecurityError, SecuritySuite, SystemTitle,
};

use crate::SecurityContext;
use crate::protection::{Asymmetric, KeyClass, Opened};

/// What the proofs of one handshake depend on, besides keys.
pub(crate) struct Handshake<'h> {
    pub(crate) mechanism: AuthenticationMechanism,
    pub(crate) secret: &'h [u8],
    pub(crate) own_title: Option<SystemTitle>,
    pub(crate) peer_title: Option<SystemTitle>,
    pub(crate) own_challenge: &'h Challenge,
    pub(crate) peer_challenge: &'h Challenge,
    /// Accept a proof that shares its counter with its carrier.
    pub(crate) accept_shared_counter: bool,
    /// How the floor of a counter that comes with a proof is stored.
    pub(crate) floors: FloorStorage,
    /// The function of mechanism 2.
    pub(crate) manufacturer: Option<&'h dyn Manufacturer>,
    /// The peer's key of mechanism 7.
    pub(crate) peer_key: Option<PublicKey>,
}

impl Handshake<'_> {
    /// Our proof of the peer's challenge.
    pub(crate) fn prove<P: CryptoProvider>(
        &self,
        provider: &P,
        counters: &mut dyn CounterStore,
        context: Option<&mut SecurityContext<P, [Peer]>>,
        asymmetric: Option<Asymmetric<'_>>,
    ) -> Result<Proof, SecurityError> {
        let challenge = self.peer_challenge.octets();
        self.check_available::<P>()?;
        match self.mechanism {
            AuthenticationMechanism::Md5 => Proof::new(&hls::md5(provider, challenge, self.secret)?),
            AuthenticationMechanism::Sha1 => Proof::new(&hls::sha1(provider, challenge, self.secret)?),
            AuthenticationMechanism::Sha256 => {
                let (own, peer) = self.titles()?;
                let own_challenge = self.own_challenge.octets();
                Proof::new(&hls::sha256(provider, self.secret, own, peer, challenge, own_challenge)?)
            }
            AuthenticationMechanism::Gmac => {
                let context = context.ok_or(SecurityError::KeyMissing)?;
                let counter = context.next_counter(counters)?;
                let (suite, own) = (context.suite(), context.own_title());
                Proof::new(&hls::gmac(&context.protector(provider), suite, own, counter, challenge)?)
            }
            AuthenticationMechanism::Hls2Manufacturer => {
                self.manufacturer.ok_or(SecurityError::MechanismUnavailable)?.prove(challenge, self.secret)
            }
            AuthenticationMechanism::Ecdsa => {
                let asymmetric = asymmetric.ok_or(SecurityError::KeyMissing)?;
                let key = asymmetric.own.in_use(KeyUsage::DigitalSignature);
                let key = key.ok_or(SecurityError::KeyMissing)?;
                let (own, peer) = self.titles()?;
                let own_challenge = self.own_challenge.octets();
                let proof = EcdsaProof { prover: own, verifier: peer, challenge, own_challenge };
                Proof::new(proof.sign(asymmetric.provider, key)?.octets())
            }
            _ => Err(SecurityError::MechanismUnavailable),
        }
    }

    /// Verifies the peer's proof of our challenge. `carrier` is the APDU that it came in: what that one recorded does
    /// not count against the proof inside, but the two must not share a counter.
    pub(crate) fn verify<P: CryptoProvider>(
        &self,
        provider: &P,
        counters: &mut dyn CounterStore,
        context: Option<&mut SecurityContext<P, [Peer]>>,
        asymmetric: Option<Asymmetric<'_>>,
        carrier: &Opened,
        proof: &[u8],
    ) -> Result<(), SecurityError> {
        let challenge = self.own_challenge.octets();
        self.check_available::<P>()?;
        match self.mechanism {
            AuthenticationMechanism::Md5 => hls::verify(&hls::md5(provider, challenge, self.secret)?, proof),
            AuthenticationMechanism::Sha1 => {
                hls::verify(&hls::sha1(provider, challenge, self.secret)?, proof)
            }
            AuthenticationMechanism::Sha256 => {
                let (own, peer) = self.titles()?;
                let peer_challenge = self.peer_challenge.octets();
                let expected = hls::sha256(provider, self.secret, peer, own, challenge, peer_challenge)?;
                hls::verify(&expected, proof)
            }
            AuthenticationMechanism::Gmac => {
                let context = context.ok_or(SecurityError::KeyMissing)?;
                let peer = self.peer_title.ok_or(SecurityError::KeyMissing)?;
                let floor = match carrier.envelope {
                    Some(envelope) if envelope.key == KeyClass::Global => carrier.floor_before,
                    _ => context.floor(peer, counters)?,
                };
                let (suite, window) = (context.suite(), ReplayWindow::new(floor));
                let protector = context.protector(provider);
                let counter = hls::verify_gmac(&protector, suite, peer, challenge, &window, proof)?;
                if carrier.counter == Some(counter) && !self.accept_shared_counter {
                    return Err(replayed(counter));
                }
                context.accept_counter(peer, counter, self.floors, counters)
            }
            AuthenticationMechanism::Hls2Manufacturer => {
                let manufacturer = self.manufacturer.ok_or(SecurityError::MechanismUnavailable)?;
                manufacturer.prove(challenge, self.secret)?.verify(proof)
            }
            AuthenticationMechanism::Ecdsa => {
                let asymmetric = asymmetric.ok_or(SecurityError::KeyMissing)?;
                let key = self.peer_key.ok_or(SecurityError::KeyMissing)?;
                let (own, peer) = self.titles()?;
                let own_challenge = self.peer_challenge.octets();
                let expected = EcdsaProof { prover: peer, verifier: own, challenge, own_challenge };
                expected.verify(asymmetric.provider, &key, proof)
            }
            _ => Err(SecurityError::MechanismUnavailable),
        }
    }

    /// Refuses mechanisms that need what the application does not use.
    #[inline(always)]
    fn check_available<P: CryptoProvider>(&self) -> Result<(), SecurityError> {
        let needed = match self.mechanism {
            AuthenticationMechanism::Gmac => Functions::CIPHERING,
            AuthenticationMechanism::Ecdsa => Functions::PUBLIC_KEYS,
            _ => Functions::empty(),
        };
        if P::FUNCTIONS.contains(needed) { Ok(()) } else { Err(SecurityError::MechanismUnavailable) }
    }

    fn titles(&self) -> Result<(SystemTitle, SystemTitle), SecurityError> {
        self.own_title.zip(self.peer_title).ok_or(SecurityError::KeyMissing)
    }
}

/// The signature key of a peer, where it comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PeerKeySource {
    /// This side has it.
    #[default]
    Known,
    /// It came with the AARQ or AARE, in a certificate that verified, and is kept in the storage.
    Certified(Curve),
}

/// Finds the signature key of a peer for mechanism 7: one that this side has, or the one in a certificate that came with
/// the AARQ or AARE and that verifies. The latter is kept in `storage`, which is free until the handshake is over.
pub(crate) fn find_signature_key(
    asymmetric: Option<Asymmetric<'_>>,
    suite: Option<SecuritySuite>,
    peer: Option<SystemTitle>,
    certificate: Option<&[u8]>,
    storage: &mut [u8],
) -> Option<PeerKeySource> {
    let (asymmetric, peer) = asymmetric.zip(peer)?;
    let curve = match suite {
        Some(suite) => suite.curve()?,
        None => asymmetric.own.in_use(USAGE)?.curve(),
    };
    asymmetric.own.key(USAGE, curve).ok()?;
    if let Some(key) = asymmetric.peers.public_key(peer, USAGE) {
        return (key.curve() == curve).then_some(PeerKeySource::Known);
    }
    let key = asymmetric.peers.certified_key(asymmetric.provider, certificate?, peer, USAGE)?;
    let octets = key.octets();
    storage.get_mut(..octets.len())?.copy_from_slice(octets);
    (key.curve() == curve).then_some(PeerKeySource::Certified(curve))
}

/// The key that [`find_signature_key`] found.
pub(crate) fn signature_key(
    source: PeerKeySource,
    asymmetric: Option<Asymmetric<'_>>,
    peer: Option<SystemTitle>,
    storage: &[u8],
) -> Option<PublicKey> {
    match source {
        PeerKeySource::Known => asymmetric?.peers.public_key(peer?, USAGE),
        PeerKeySource::Certified(curve) => PublicKey::new(curve, storage.get(..curve.pair_len())?).ok(),
    }
}

/// Encodes an AARQ or AARE with our signature certificate, if `asymmetric` is there and has one, or without.
pub(crate) fn with_certificate<T>(
    asymmetric: Option<Asymmetric<'_>>,
    own: Option<SystemTitle>,
    mut encode: impl FnMut(Option<&[u8]>) -> T,
) -> T {
    let mut done = None;
    if let Some((asymmetric, own)) = asymmetric.zip(own) {
        asymmetric.peers.show_certificate(own, USAGE, &mut |der| done = Some(encode(Some(der))));
    }
    done.unwrap_or_else(|| encode(None))
}

const USAGE: KeyUsage = KeyUsage::DigitalSignature;

const fn replayed(counter: InvocationCounter) -> SecurityError {
    SecurityError::Replay { received: counter.value(), lowest_acceptable: counter.value().saturating_add(1) }
}
