//! High level security: the proofs f(challenge) of mechanisms 2 to 7.
//!
//! | id | f(challenge), made by the prover | octets |
//! | --- | --- | --- |
//! | 3 | `MD5(challenge secret)` | 16 |
//! | 4 | `SHA-1(challenge secret)` | 20 |
//! | 5 | `SC IC GMAC(SC AK challenge)`, SC = `10` plus the suite id | 17 |
//! | 6 | `SHA-256(secret prover's title, verifier's title, challenge, prover's own challenge)` | 32 |
//! | 7 | `ECDSA(prover's title, verifier's title, challenge, prover's own challenge)` | 64, 96 |
//!
//! In pass 3 the client is the prover and the challenge is StoC; in pass 4 the server is, and it is CtoS. The secret
//! comes after the challenge in 3 and 4 and before everything in 6.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    AuthenticationMechanism, CryptoProvider, InvocationCounter, Protection, Protector, ReplayWindow,
    SecurityControl, SecurityError, SecurityHeader, SecuritySuite, SystemTitle, constant_time_eq,
    protect::nonce,
};

pub use crate::hls_ecdsa::EcdsaProof;

/// The fewest octets of a challenge.
pub const MIN_CHALLENGE: usize = 8;
/// The fewest octets of a challenge of mechanism 7.
pub const MIN_CHALLENGE_ECDSA: usize = 32;
/// The most octets of a challenge.
pub const MAX_CHALLENGE: usize = 64;
/// Octets of a proof of mechanism 3.
pub const MD5_LENGTH: usize = 16;
/// Octets of a proof of mechanism 4.
pub const SHA1_LENGTH: usize = 20;
/// Octets of a proof of mechanism 5.
pub const GMAC_LENGTH: usize = SecurityHeader::LENGTH + SecurityHeader::TAG_LENGTH;
/// Octets of a proof of mechanism 6.
pub const SHA256_LENGTH: usize = 32;
/// The most octets of a proof of any mechanism: ECDSA on P-384.
pub const MAX_PROOF: usize = 96;

/// A challenge: 8 to 64 octets, erased when dropped.
///
/// The default one is empty, which no mechanism takes: it stands for a challenge that is not there yet.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Challenge {
    octets: [u8; MAX_CHALLENGE],
    len: u8,
}

impl Challenge {
    /// Octets of the challenges that this side makes: enough for every mechanism.
    pub const GENERATED_LENGTH: usize = 32;

    /// The challenge that a peer sent for this mechanism.
    ///
    /// # Errors
    /// [`SecurityError::ChallengeLength`].
    pub fn received(mechanism: AuthenticationMechanism, octets: &[u8]) -> Result<Self, SecurityError> {
        check_challenge(mechanism, octets)?;
        let mut challenge = Self { octets: [0; MAX_CHALLENGE], len: octets.len() as u8 };
        challenge
            .octets
            .get_mut(..octets.len())
            .ok_or(SecurityError::ChallengeLength(octets.len()))?
            .copy_from_slice(octets);
        Ok(challenge)
    }

    /// A fresh challenge of 32 octets. Every attempt gets one of its own.
    ///
    /// # Errors
    /// What the random source answers.
    pub fn random<P: CryptoProvider>(provider: &P) -> Result<Self, SecurityError> {
        Self::random_with_length(provider, Self::GENERATED_LENGTH)
    }

    /// A fresh challenge of 8 to 64 octets, for a peer that does not take 32.
    ///
    /// # Errors
    /// [`SecurityError::ChallengeLength`], or what the random source answers.
    pub fn random_with_length<P: CryptoProvider>(provider: &P, length: usize) -> Result<Self, SecurityError> {
        let mut challenge = Self { octets: [0; MAX_CHALLENGE], len: length as u8 };
        let octets = challenge
            .octets
            .get_mut(..length)
            .filter(|octets| octets.len() >= MIN_CHALLENGE)
            .ok_or(SecurityError::ChallengeLength(length))?;
        provider.random(octets)?;
        Ok(challenge)
    }

    /// The octets, as on the wire.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&self.octets)
    }
}

impl Default for Challenge {
    fn default() -> Self {
        Self { octets: [0; MAX_CHALLENGE], len: 0 }
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Challenge({} octets)", self.len)
    }
}

/// A proof, f(challenge), of any mechanism: up to 96 octets. The default one is empty and proves nothing.
#[derive(Clone, Copy)]
pub struct Proof {
    octets: [u8; MAX_PROOF],
    len: u8,
}

impl Proof {
    /// A proof of these octets.
    ///
    /// # Errors
    /// [`SecurityError::ProofLength`] if there are more than any mechanism has.
    pub fn new(octets: &[u8]) -> Result<Self, SecurityError> {
        let mut proof = Self { len: octets.len() as u8, ..Self::default() };
        proof
            .octets
            .get_mut(..octets.len())
            .ok_or(SecurityError::ProofLength { expected: MAX_PROOF, found: octets.len() })?
            .copy_from_slice(octets);
        Ok(proof)
    }

    /// The octets, as on the wire.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&self.octets)
    }

    /// Compares with a received proof in constant time.
    ///
    /// # Errors
    /// [`SecurityError::ProofLength`], [`SecurityError::TagMismatch`]; an empty proof matches nothing.
    pub fn verify(&self, received: &[u8]) -> Result<(), SecurityError> {
        if self.len == 0 {
            return Err(SecurityError::TagMismatch);
        }
        verify(self.octets(), received)
    }
}

impl Default for Proof {
    fn default() -> Self {
        Self { octets: [0; MAX_PROOF], len: 0 }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({} octets)", self.len)
    }
}

/// Checks the length of a challenge: 8 to 64 octets, 32 to 64 with mechanism 7.
///
/// # Errors
/// [`SecurityError::ChallengeLength`].
pub fn check_challenge(mechanism: AuthenticationMechanism, challenge: &[u8]) -> Result<(), SecurityError> {
    let least = match mechanism {
        AuthenticationMechanism::Ecdsa => MIN_CHALLENGE_ECDSA,
        _ => MIN_CHALLENGE,
    };
    if !(least..=MAX_CHALLENGE).contains(&challenge.len()) {
        return Err(SecurityError::ChallengeLength(challenge.len()));
    }
    Ok(())
}

/// Refuses our own challenge coming back: the peer would have us compute its answer.
///
/// # Errors
/// [`SecurityError::Reflection`].
pub fn check_reflected_challenge(sent: &[u8], received: &[u8]) -> Result<(), SecurityError> {
    if sent == received {
        return Err(SecurityError::Reflection);
    }
    Ok(())
}

/// Refuses our own system title as the peer's: both directions would share their nonces.
///
/// # Errors
/// [`SecurityError::Reflection`].
pub fn check_reflected_title(own: SystemTitle, peer: SystemTitle) -> Result<(), SecurityError> {
    if own == peer {
        return Err(SecurityError::Reflection);
    }
    Ok(())
}

/// Mechanism 3. Deprecated: MD5 is broken, use it only with a meter that has nothing else.
///
/// # Errors
/// [`SecurityError::MechanismUnavailable`] if the provider has no such function.
pub fn md5<P: CryptoProvider>(
    provider: &P,
    challenge: &[u8],
    secret: &[u8],
) -> Result<[u8; MD5_LENGTH], SecurityError> {
    provider.md5(&[challenge, secret])
}

/// Mechanism 4. Deprecated: SHA-1 is broken, use it only with a meter that has nothing else.
///
/// # Errors
/// [`SecurityError::MechanismUnavailable`] if the provider has no such function.
pub fn sha1<P: CryptoProvider>(
    provider: &P,
    challenge: &[u8],
    secret: &[u8],
) -> Result<[u8; SHA1_LENGTH], SecurityError> {
    provider.sha1(&[challenge, secret])
}

/// Mechanism 6. `challenge` is the one that is answered, `own_challenge` the one that the prover itself sent.
///
/// # Errors
/// [`SecurityError::MechanismUnavailable`] if the provider has no such function.
pub fn sha256<P: CryptoProvider>(
    provider: &P,
    secret: &[u8],
    prover: SystemTitle,
    verifier: SystemTitle,
    challenge: &[u8],
    own_challenge: &[u8],
) -> Result<[u8; SHA256_LENGTH], SecurityError> {
    provider.sha256(&[secret, prover.octets(), verifier.octets(), challenge, own_challenge])
}

/// Mechanism 5. `counter` comes from the send counter of the key, like that of every other message.
///
/// The control octet is `10` plus the suite id whatever the security policy is.
///
/// # Errors
/// [`SecurityError::CounterExhausted`], or what the provider answers.
pub fn gmac<P: CryptoProvider>(
    protector: &Protector<'_, P>,
    suite: SecuritySuite,
    prover: SystemTitle,
    counter: InvocationCounter,
    challenge: &[u8],
) -> Result<[u8; GMAC_LENGTH], SecurityError> {
    if counter.is_exhausted() {
        return Err(SecurityError::CounterExhausted);
    }
    let control = SecurityControl::new(suite, Protection::AUTHENTICATED);
    let tag = protector.provider.seal(
        protector.key,
        &nonce(prover, counter),
        &protector.covered(&[control.octet()], [challenge, &[]]),
        &mut [],
    )?;
    let mut proof = [0; GMAC_LENGTH];
    let (header, end) = proof.split_at_mut(SecurityHeader::LENGTH);
    header.copy_from_slice(&SecurityHeader { control, counter }.octets());
    end.copy_from_slice(&tag);
    Ok(proof)
}

/// Verifies a proof of mechanism 5 over `challenge`, which is the one that this side sent and stored.
///
/// `window` is the one of the key and the prover **as it was before** the APDU that carries the proof: that APDU's own
/// counter is normally one higher and has already moved the floor. The counter that is returned is to be accepted
/// into the window that stands now.
///
/// # Errors
/// [`SecurityError::ProofLength`], [`SecurityError::ControlNotAllowed`] if the control octet is not exactly `10` plus
/// the suite id, what [`ReplayWindow::check`] says, [`SecurityError::TagMismatch`].
pub fn verify_gmac<P: CryptoProvider>(
    protector: &Protector<'_, P>,
    suite: SecuritySuite,
    prover: SystemTitle,
    challenge: &[u8],
    window: &ReplayWindow,
    proof: &[u8],
) -> Result<InvocationCounter, SecurityError> {
    let proof: &[u8; GMAC_LENGTH] = proof
        .try_into()
        .map_err(|_| SecurityError::ProofLength { expected: GMAC_LENGTH, found: proof.len() })?;
    let header = SecurityHeader::parse(proof)?;
    if header.control != SecurityControl::new(suite, Protection::AUTHENTICATED) {
        return Err(SecurityError::ControlNotAllowed(header.control.octet()));
    }
    window.check(header.counter)?;
    let expected = gmac(protector, suite, prover, header.counter, challenge)?;
    verify(&expected, proof)?;
    Ok(header.counter)
}

/// Compares a proof with the expected one in constant time.
///
/// # Errors
/// [`SecurityError::ProofLength`], [`SecurityError::TagMismatch`].
pub fn verify(expected: &[u8], proof: &[u8]) -> Result<(), SecurityError> {
    if expected.len() != proof.len() {
        return Err(SecurityError::ProofLength { expected: expected.len(), found: proof.len() });
    }
    if !constant_time_eq(expected, proof) {
        return Err(SecurityError::TagMismatch);
    }
    Ok(())
}

/// Mechanism 2: the manufacturer's own function, which is not public. There is no default; with the feature `rustcrypto`,
/// `AesEcb` is one that is commonly met.
///
/// Any `Fn(challenge, secret) -> Result<Proof, SecurityError>` is one.
pub trait Manufacturer {
    /// The proof of `challenge`.
    ///
    /// # Errors
    /// [`SecurityError::MechanismUnavailable`], or what the function itself refuses.
    fn prove(&self, challenge: &[u8], secret: &[u8]) -> Result<Proof, SecurityError>;
}

impl<F> Manufacturer for F
where
    F: Fn(&[u8], &[u8]) -> Result<Proof, SecurityError>,
{
    fn prove(&self, challenge: &[u8], secret: &[u8]) -> Result<Proof, SecurityError> {
        self(challenge, secret)
    }
}

/// No function of mechanism 2: nothing can be proved.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoManufacturer;

impl Manufacturer for NoManufacturer {
    fn prove(&self, _challenge: &[u8], _secret: &[u8]) -> Result<Proof, SecurityError> {
        Err(SecurityError::MechanismUnavailable)
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{AuthenticationKey, NoRandom, RustCrypto, SecretKey};

    const EK: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    const AK: [u8; 16] =
        [0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF];

    /// The worked example of mechanism 5: pass 3, suite 0.
    #[test]
    fn gmac_of_the_worked_example() {
        let provider = RustCrypto::new(NoRandom);
        let protector = Protector {
            provider: &provider,
            key: &provider
                .aead_key(SecuritySuite::Suite0, &SecretKey::new(SecuritySuite::Suite0, &EK).unwrap())
                .unwrap(),
            authentication_key: &AuthenticationKey::new(&AK).unwrap(),
        };
        let client = SystemTitle::from_octets(*b"MMM\0\0\0\0\x01");
        let challenge = b"P6wRJ21F";
        let proof =
            gmac(&protector, SecuritySuite::Suite0, client, InvocationCounter::new(1), challenge).unwrap();
        let expected =
            [0x10, 0, 0, 0, 1, 0x1A, 0x52, 0xFE, 0x7D, 0xD3, 0xE7, 0x27, 0x48, 0x97, 0x3C, 0x1E, 0x28];
        assert_eq!(proof, expected);

        let check = |title, challenge: &[u8], floor, proof: &[u8]| {
            verify_gmac(
                &protector,
                SecuritySuite::Suite0,
                title,
                challenge,
                &ReplayWindow::new(InvocationCounter::new(floor)),
                proof,
            )
        };
        assert_eq!(check(client, challenge, 1, &proof), Ok(InvocationCounter::new(1)));
        assert!(check(client, challenge, 2, &proof).is_err());
        assert!(check(client, b"P6wRJ21G", 0, &proof).is_err());
        assert!(check(SystemTitle::from_octets([0; 8]), challenge, 0, &proof).is_err());
        for bit in 0..proof.len() * 8 {
            let mut flipped = proof;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(check(client, challenge, 0, &flipped).is_err());
        }
        for len in 0..proof.len() {
            assert_eq!(
                check(client, challenge, 0, &proof[..len]),
                Err(SecurityError::ProofLength { expected: 17, found: len })
            );
        }
    }

    #[test]
    fn challenges_have_bounds() {
        use AuthenticationMechanism::{Ecdsa, Gmac};
        let octets = [0; 65];
        for len in 0..=65 {
            assert_eq!(check_challenge(Gmac, &octets[..len]).is_ok(), (8..=64).contains(&len));
            assert_eq!(check_challenge(Ecdsa, &octets[..len]).is_ok(), (32..=64).contains(&len));
        }
    }

    #[test]
    fn challenges_come_from_the_random_source() {
        let provider = RustCrypto::new(|out: &mut [u8]| {
            out.fill(0x5A);
            Ok(())
        });
        assert_eq!(Challenge::random(&provider).unwrap().octets(), [0x5A; 32]);
        for length in 0..300 {
            let challenge = Challenge::random_with_length(&provider, length);
            assert_eq!(challenge.is_ok(), (8..=64).contains(&length));
        }
        assert_eq!(
            Challenge::random(&RustCrypto::new(NoRandom)).err(),
            Some(SecurityError::RandomUnavailable)
        );
        assert!(Challenge::received(AuthenticationMechanism::Gmac, &[1; 65]).is_err());
        assert!(Challenge::default().octets().is_empty());
    }

    #[test]
    fn mechanism_2_is_a_hook() {
        let joined = |challenge: &[u8], secret: &[u8]| {
            let mut octets = [0; 4];
            octets[..2].copy_from_slice(challenge);
            octets[2..].copy_from_slice(secret);
            Proof::new(&octets)
        };
        let hook: &dyn Manufacturer = &joined;
        let proof = hook.prove(b"ab", b"xy").unwrap();
        assert_eq!(proof.verify(b"abxy"), Ok(()));
        assert_eq!(proof.verify(b"abxz"), Err(SecurityError::TagMismatch));
        assert!(proof.verify(b"abx").is_err());
        assert!(Proof::default().verify(b"").is_err());
        assert!(Proof::new(&[0; 97]).is_err());
        assert!(NoManufacturer.prove(b"ab", b"xy").is_err());
    }
}
