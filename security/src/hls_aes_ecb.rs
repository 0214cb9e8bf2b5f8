//! A function that is commonly met as that of mechanism 2, which the standard leaves to manufacturers.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use crate::SecurityError;
use crate::hls::{Manufacturer, Proof};

const BLOCK: usize = 16;
/// The longest challenge of any mechanism.
const MAX_CHALLENGE: usize = 64;

/// AES-128-ECB of the challenge under the secret, both followed by zeros up to whole blocks of 16 octets.
///
/// Not of the standard, and weak: equal blocks of a challenge show. No engine uses it unless it is given
/// as its [`Manufacturer`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AesEcb;

impl Manufacturer for AesEcb {
    /// # Errors
    /// [`SecurityError::KeyLength`] if the secret has more than 16 octets, [`SecurityError::ChallengeLength`] if the
    /// challenge has more than 64 or none.
    fn prove(&self, challenge: &[u8], secret: &[u8]) -> Result<Proof, SecurityError> {
        let mut key = Zeroizing::new([0; BLOCK]);
        key.get_mut(..secret.len())
            .ok_or(SecurityError::KeyLength { expected: BLOCK, found: secret.len() })?
            .copy_from_slice(secret);
        let mut blocks = [0; MAX_CHALLENGE];
        let padded = challenge.len().div_ceil(BLOCK).saturating_mul(BLOCK);
        let blocks = blocks
            .get_mut(..padded)
            .filter(|blocks| !blocks.is_empty())
            .ok_or(SecurityError::ChallengeLength(challenge.len()))?;
        blocks.iter_mut().zip(challenge).for_each(|(place, octet)| *place = *octet);
        let cipher = Aes128::new((&*key).into());
        for block in blocks.as_chunks_mut::<BLOCK>().0 {
            cipher.encrypt_block(block.into());
        }
        Proof::new(blocks)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pads_with_zeros_and_takes_whole_challenges_only() {
        let long = AesEcb.prove(&[7; 20], b"secret").unwrap();
        let mut padded = [0; 32];
        padded[..20].fill(7);
        assert_eq!(long.octets(), AesEcb.prove(&padded, b"secret\0\0\0\0\0\0\0\0\0\0").unwrap().octets());
        assert_eq!(long.octets().len(), 32);
        assert!(AesEcb.prove(&[7; 65], b"secret").is_err());
        assert!(AesEcb.prove(&[], b"secret").is_err());
        assert!(AesEcb.prove(&[7; 16], &[1; 17]).is_err());
    }
}
