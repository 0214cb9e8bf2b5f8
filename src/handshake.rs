//! The proofs of high level security (HLS), as either end makes and verifies them.
//!
//! Each end proves that it knows the secret by a function of the challenge that the other one sent. The proof of
//! mechanism 5 uses a counter of the global key, drawn from the same sequence as everything else under that key.

use dlms_security::hls::{self, MAX_CHALLENGE, MAX_PROOF, Manufacturer};
use dlms_security::{
    AuthenticationMechanism, CounterStore, CryptoProvider, InvocationCounter, ReplayWindow, SecurityError,
    SystemTitle,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::SecurityContext;
use crate::protection::{KeyClass, Opened};

/// A challenge: CtoS or StoC.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Challenge {
    octets: [u8; MAX_CHALLENGE],
    length: usize,
}

impl Challenge {
    /// A challenge that the peer sent.
    pub(crate) fn received(
        mechanism: AuthenticationMechanism,
        octets: &[u8],
    ) -> Result<Self, SecurityError> {
        hls::check_challenge(mechanism, octets)?;
        let mut challenge = Self { octets: [0; MAX_CHALLENGE], length: octets.len() };
        challenge.octets.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        Ok(challenge)
    }

    /// A fresh challenge of our own.
    pub(crate) fn random<P: CryptoProvider>(
        provider: &P,
        mechanism: AuthenticationMechanism,
        length: usize,
    ) -> Result<Self, SecurityError> {
        let mut challenge = Self { octets: [0; MAX_CHALLENGE], length };
        let octets = challenge.octets.get_mut(..length).ok_or(SecurityError::ChallengeLength(length))?;
        hls::generate_challenge(provider, mechanism, octets)?;
        Ok(challenge)
    }

    pub(crate) fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&[])
    }
}

/// A proof f(challenge).
pub(crate) struct Proof {
    octets: [u8; MAX_PROOF],
    length: usize,
}

impl Proof {
    fn new(proof: &[u8]) -> Self {
        let mut octets = [0; MAX_PROOF];
        octets.iter_mut().zip(proof).for_each(|(to, from)| *to = *from);
        Self { octets, length: proof.len().min(MAX_PROOF) }
    }

    pub(crate) fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&[])
    }
}

/// What the proofs of one handshake depend on, besides keys.
pub(crate) struct Handshake<'h> {
    pub(crate) mechanism: AuthenticationMechanism,
    pub(crate) secret: &'h [u8],
    pub(crate) own_title: Option<SystemTitle>,
    pub(crate) peer_title: Option<SystemTitle>,
    pub(crate) own_challenge: &'h Challenge,
    pub(crate) peer_challenge: &'h Challenge,
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
            AuthenticationMechanism::Md5 => Ok(Proof::new(&hls::md5(provider, challenge, self.secret))),
            AuthenticationMechanism::Sha1 => Ok(Proof::new(&hls::sha1(provider, challenge, self.secret))),
            AuthenticationMechanism::Sha256 => {
                let (own, peer) = self.titles()?;
                let own_challenge = self.own_challenge.octets();
                let proof = hls::sha256(provider, self.secret, own, peer, challenge, own_challenge);
                Ok(Proof::new(&proof))
            }
            AuthenticationMechanism::Gmac => {
                let context = context.ok_or(SecurityError::KeyMissing)?;
                let counter = context.next_counter(counters)?;
                let (suite, own) = (context.suite(), context.own_title());
                let proof = hls::gmac(&context.protector(provider), suite, own, counter, challenge)?;
                Ok(Proof::new(&proof))
            }
            AuthenticationMechanism::Hls2Manufacturer => {
                let manufacturer = self.manufacturer.ok_or(SecurityError::MechanismUnavailable)?;
                let mut octets = [0; MAX_PROOF];
                let length = manufacturer.prove(challenge, self.secret, &mut octets)?;
                Ok(Proof { octets, length })
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
            AuthenticationMechanism::Md5 => {
                hls::verify(&hls::md5(provider, challenge, self.secret), proof)
            }
            AuthenticationMechanism::Sha1 => {
                hls::verify(&hls::sha1(provider, challenge, self.secret), proof)
            }
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
                if carrier.counter == Some(counter) {
                    return Err(replayed(counter));
                }
                context.accept_counter(peer, counter)
            }
            AuthenticationMechanism::Hls2Manufacturer => {
                let manufacturer = self.manufacturer.ok_or(SecurityError::MechanismUnavailable)?;
                manufacturer.verify(challenge, self.secret, proof)
            }
            _ => Err(SecurityError::MechanismUnavailable),
        }
    }

    fn titles(&self) -> Result<(SystemTitle, SystemTitle), SecurityError> {
        self.own_title.zip(self.peer_title).ok_or(SecurityError::KeyMissing)
    }
}

const fn replayed(counter: InvocationCounter) -> SecurityError {
    SecurityError::Replay {
        received: counter.value(),
        lowest_acceptable: counter.value().saturating_add(1),
    }
}
