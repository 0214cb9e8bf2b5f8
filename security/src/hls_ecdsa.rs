//! Authentication mechanism 7: `ECDSA(prover's title, verifier's title, challenge, prover's own challenge)`.
//!
//! One key signs these proofs and general-signing APDUs, and nothing in the message says which of both it is: a prover
//! whose title begins with a small octet could be led to sign a command. [`EcdsaProof::sign`] refuses such a challenge.

use crate::{PrivateKey, PublicKey, PublicKeyProvider, SecurityError, Signature, SystemTitle};

/// What a proof of mechanism 7 is over. In pass 3 the client is the prover, in pass 4 the server.
#[derive(Clone, Copy, Debug)]
pub struct EcdsaProof<'c> {
    /// Who signs.
    pub prover: SystemTitle,
    /// Who verifies.
    pub verifier: SystemTitle,
    /// The challenge that is answered: 32 to 64 octets.
    pub challenge: &'c [u8],
    /// The challenge that the prover sent itself.
    pub own_challenge: &'c [u8],
}

impl EcdsaProof<'_> {
    /// The proof.
    ///
    /// # Errors
    /// [`SecurityError::Reflection`] if the message would pass as one of general-signing; what the provider answers.
    pub fn sign(
        &self,
        provider: &dyn PublicKeyProvider,
        key: &PrivateKey,
    ) -> Result<Signature, SecurityError> {
        if self.begins_like_general_signing() {
            return Err(SecurityError::Reflection);
        }
        provider.sign(key, &self.message())
    }

    /// Verifies a proof.
    ///
    /// # Errors
    /// [`SecurityError::ProofLength`]; what the provider says of key and signature.
    pub fn verify(
        &self,
        provider: &dyn PublicKeyProvider,
        key: &PublicKey,
        proof: &[u8],
    ) -> Result<(), SecurityError> {
        let wrong_length =
            |_| SecurityError::ProofLength { expected: key.curve().pair_len(), found: proof.len() };
        let signature = Signature::new(key.curve(), proof).map_err(wrong_length)?;
        provider.verify(key, &self.message(), &signature)
    }

    fn message(&self) -> [&[u8]; 4] {
        [self.prover.octets(), self.verifier.octets(), self.challenge, self.own_challenge]
    }

    /// Whether both titles and the challenge read as the five fields of a header of general-signing, its second and
    /// third being system titles: transaction-id, originator, recipient, date-time, other-information.
    fn begins_like_general_signing(&self) -> bool {
        let octets = |at: usize| {
            let titles = self.prover.octets().iter().chain(self.verifier.octets());
            titles.chain(self.challenge).nth(at).copied()
        };
        let length = self.challenge.len().saturating_add(2 * SystemTitle::LENGTH);
        let mut at = 0;
        for field in 0..5 {
            let Some(octet) = octets(at) else { return false };
            // A header is never longer than this message, so one octet is enough for a length; more of them are read all
            // the same, since a verifier may.
            let (count, digits) = match octet {
                0..=0x7F => (usize::from(octet), 0),
                0x81..=0x84 => {
                    let digits = usize::from(octet & 0x0F);
                    let value = (1..=digits).try_fold(0usize, |value, place| {
                        Some(value << 8 | usize::from(octets(at.saturating_add(place))?))
                    });
                    let Some(value) = value else { return false };
                    (value, digits)
                }
                _ => return false,
            };
            let is_title = matches!(field, 1 | 2);
            at = at.saturating_add(1 + digits).saturating_add(count);
            if at > length || is_title && count != SystemTitle::LENGTH {
                return false;
            }
        }
        true
    }
}
