//! The proofs of high level security (HLS), as either end makes and verifies them.
//!
//! Each end proves that it knows the secret by a function of the challenge that the other one sent. The proof of
//! mechanism 5 uses a counter of the global key, drawn from the same sequence as everything else under that key.

use dlms_security::hls::{self, Challenge, Manufacturer, Proof};
use dlms_security::{
    AuthenticationMechanism, CounterStore, CryptoProvider, InvocationCounter, ReplayWindow, SecurityError,
    SystemTitle,
};

use crate::SecurityContext;
use crate::protection::{KeyClass, Opened};

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
    /// The function of mechanism 2.
    pub(crate) manufacturer: Option<&'h dyn Manufacturer>,
}

impl Handshake<'_> {
    /// Our proof of the peer's challenge.
    pub(crate) fn prove<P: CryptoProvider>(
        &self,
        provider: &P,
        counters: &mut dyn CounterStore,
        context: Option<&mut SecurityContext<P>>,
    ) -> Result<Proof, SecurityError> {
        let challenge = self.peer_challenge.octets();
        match self.mechanism {
            AuthenticationMechanism::Md5 => Proof::new(&hls::md5(provider, challenge, self.secret)),
            AuthenticationMechanism::Sha1 => Proof::new(&hls::sha1(provider, challenge, self.secret)),
            AuthenticationMechanism::Sha256 => {
                let (own, peer) = self.titles()?;
                let own_challenge = self.own_challenge.octets();
                Proof::new(&hls::sha256(provider, self.secret, own, peer, challenge, own_challenge))
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
            _ => Err(SecurityError::MechanismUnavailable),
        }
    }

    /// Verifies the peer's proof of our challenge. `carrier` is the APDU that it came in: what that one recorded does
    /// not count against the proof inside, but the two must not share a counter.
    pub(crate) fn verify<P: CryptoProvider>(
        &self,
        provider: &P,
        context: Option<&mut SecurityContext<P>>,
        carrier: &Opened,
        proof: &[u8],
    ) -> Result<(), SecurityError> {
        let challenge = self.own_challenge.octets();
        match self.mechanism {
            AuthenticationMechanism::Md5 => hls::verify(&hls::md5(provider, challenge, self.secret), proof),
            AuthenticationMechanism::Sha1 => hls::verify(&hls::sha1(provider, challenge, self.secret), proof),
            AuthenticationMechanism::Sha256 => {
                let (own, peer) = self.titles()?;
                let peer_challenge = self.peer_challenge.octets();
                let expected = hls::sha256(provider, self.secret, peer, own, challenge, peer_challenge);
                hls::verify(&expected, proof)
            }
            AuthenticationMechanism::Gmac => {
                let context = context.ok_or(SecurityError::KeyMissing)?;
                let peer = self.peer_title.ok_or(SecurityError::KeyMissing)?;
                let floor = match carrier.envelope {
                    Some(envelope) if envelope.key == KeyClass::Global => carrier.floor_before,
                    _ => context.lowest_acceptable(peer),
                };
                let (suite, window) = (context.suite(), ReplayWindow::new(floor));
                let protector = context.protector(provider);
                let counter = hls::verify_gmac(&protector, suite, peer, challenge, &window, proof)?;
                if carrier.counter == Some(counter) && !self.accept_shared_counter {
                    return Err(replayed(counter));
                }
                context.accept_counter(peer, counter)
            }
            AuthenticationMechanism::Hls2Manufacturer => {
                let manufacturer = self.manufacturer.ok_or(SecurityError::MechanismUnavailable)?;
                manufacturer.prove(challenge, self.secret)?.verify(proof)
            }
            _ => Err(SecurityError::MechanismUnavailable),
        }
    }

    fn titles(&self) -> Result<(SystemTitle, SystemTitle), SecurityError> {
        self.own_title.zip(self.peer_title).ok_or(SecurityError::KeyMissing)
    }
}

const fn replayed(counter: InvocationCounter) -> SecurityError {
    SecurityError::Replay { received: counter.value(), lowest_acceptable: counter.value().saturating_add(1) }
}
