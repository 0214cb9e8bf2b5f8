//! The provider in software for suite 0 alone: AES-128 and nothing else. A meter that needs no more saves the flash of the
//! other key length and of the hashes.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes128Enc};
use aes_kw::AesKw;
use aes_kw::cipher::common::InnerInit;
use core::fmt;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use zeroize::Zeroizing;

use crate::rustcrypto::{check_len, unwrapped, wrap_error};
use crate::{
    AdditionalData, CryptoProvider, Functions, Random, SecretKey, SecurityError, SecuritySuite,
    constant_time_eq,
};

/// Suite 0 on the RustCrypto crates, with the caller's source of random octets. HLS is mechanism 5 (GMAC) or 2.
///
/// `FUNCTIONS` are the bits of [`Functions`] besides [`Functions::CIPHERING`] that the program uses, none unless said:
/// `SuiteZero<R, { Functions::ACCESS.bits() }>` serves ACCESS too.
#[derive(Clone, Copy, Debug, Default)]
pub struct SuiteZero<R, const FUNCTIONS: u8 = 0> {
    random: R,
}

impl<R: Random> SuiteZero<R> {
    /// A provider that draws its random octets from `random`.
    pub const fn new(random: R) -> Self {
        Self { random }
    }
}

impl<R: Random, const FUNCTIONS: u8> SuiteZero<R, FUNCTIONS> {
    /// As [`SuiteZero::new`], with functions besides ciphering.
    pub const fn with_functions(random: R) -> Self {
        Self { random }
    }
}

/// A key schedule of AES-128-GCM with its GHASH key, erased when dropped.
pub struct Aead128Key {
    cipher: Aes128Enc,
    ghash: GHash,
}

/// A key encrypting key's schedule, erased when dropped.
pub struct Wrap128Key(AesKw<Aes128>);

impl fmt::Debug for Aead128Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aead128Key(..)")
    }
}

impl fmt::Debug for Wrap128Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrap128Key(..)")
    }
}

impl Aead128Key {
    /// The encryption of counter block `number` of a nonce.
    fn keystream(&self, nonce: &[u8; 12], number: u32) -> Zeroizing<[u8; 16]> {
        let mut block = Zeroizing::new([0; 16]);
        block[..12].copy_from_slice(nonce);
        block[12..].copy_from_slice(&number.to_be_bytes());
        self.cipher.encrypt_block((&mut *block).into());
        block
    }

    fn apply_keystream(&self, nonce: &[u8; 12], text: &mut [u8]) {
        let mut number = 1u32;
        for chunk in text.chunks_mut(16) {
            // There are fewer than 2^28 blocks.
            number = number.wrapping_add(1);
            let keystream = self.keystream(nonce, number);
            chunk.iter_mut().zip(keystream.iter()).for_each(|(octet, key)| *octet ^= key);
        }
    }

    fn tag(&self, nonce: &[u8; 12], aad: &[&[u8]], text: &[u8]) -> [u8; 12] {
        let mut hash = Hash { ghash: self.ghash.clone(), block: Zeroizing::default(), filled: 0 };
        let aad_length = aad.iter().map(|piece| hash.push(piece)).fold(0, usize::wrapping_add);
        hash.pad();
        hash.push(text);
        hash.pad();
        hash.push(&(aad_length as u64).wrapping_mul(8).to_be_bytes());
        hash.push(&(text.len() as u64).wrapping_mul(8).to_be_bytes());
        let mut tag = [0; 12];
        let mask = self.keystream(nonce, 1);
        let whole = hash.ghash.finalize();
        tag.iter_mut().zip(whole.iter().zip(mask.iter())).for_each(|(octet, (a, b))| *octet = a ^ b);
        tag
    }
}

/// GHASH over what comes in pieces. The authentication key goes through it.
struct Hash {
    ghash: GHash,
    block: Zeroizing<[u8; 16]>,
    filled: usize,
}

impl Hash {
    fn push(&mut self, piece: &[u8]) -> usize {
        for octet in piece {
            self.block[self.filled % 16] = *octet;
            self.filled = self.filled.wrapping_add(1);
            if self.filled.is_multiple_of(16) {
                self.ghash.update(&[(*self.block).into()]);
            }
        }
        piece.len()
    }

    fn pad(&mut self) {
        while !self.filled.is_multiple_of(16) {
            self.push(&[0]);
        }
    }
}

fn check(suite: SecuritySuite, key: &SecretKey) -> Result<&[u8; 16], SecurityError> {
    let key = key.octets()?;
    if suite != SecuritySuite::Suite0 {
        return Err(SecurityError::SuiteMismatch { expected: 0, found: suite.id() });
    }
    key.try_into().map_err(|_| SecurityError::KeyLength { expected: 16, found: key.len() })
}

impl<R: Random, const FUNCTIONS: u8> CryptoProvider for SuiteZero<R, FUNCTIONS> {
    type AeadKey = Aead128Key;
    type WrapKey = Wrap128Key;

    const FUNCTIONS: Functions = Functions::CIPHERING.union(Functions::from_bits_truncate(FUNCTIONS));

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Aead128Key, SecurityError> {
        let cipher = Aes128Enc::new(check(suite, key)?.into());
        let mut hash_key = Zeroizing::new([0; 16]);
        cipher.encrypt_block((&mut *hash_key).into());
        Ok(Aead128Key { ghash: GHash::new((&*hash_key).into()), cipher })
    }

    fn seal(
        &self,
        key: &Aead128Key,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        check_len(text)?;
        let aad = aad.pieces()?;
        key.apply_keystream(nonce, text);
        Ok(key.tag(nonce, &aad, text))
    }

    fn open(
        &self,
        key: &Aead128Key,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        check_len(text)?;
        if !constant_time_eq(&key.tag(nonce, &aad.pieces()?, text), tag) {
            return Err(SecurityError::TagMismatch);
        }
        key.apply_keystream(nonce, text);
        Ok(())
    }

    fn apply_keystream(
        &self,
        key: &Aead128Key,
        nonce: &[u8; 12],
        text: &mut [u8],
    ) -> Result<(), SecurityError> {
        check_len(text)?;
        key.apply_keystream(nonce, text);
        Ok(())
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<Wrap128Key, SecurityError> {
        Ok(Wrap128Key(AesKw::inner_init(Aes128::new(check(suite, key)?.into()))))
    }

    fn wrap<'o>(
        &self,
        kek: &Wrap128Key,
        key: &SecretKey,
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        let available = wrapped.len();
        kek.0.wrap_key(key.octets()?, wrapped).map_err(|error| wrap_error(error, available))
    }

    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &Wrap128Key,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError> {
        unwrapped(suite, wrapped, |key| kek.0.unwrap_key(wrapped, key).map(<[u8]>::len))
    }

    fn random(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        self.random.fill(out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{AuthenticationKey, NoRandom, RustCrypto};

    const SUITE: SecuritySuite = SecuritySuite::Suite0;

    #[test]
    fn there_is_nothing_but_suite_0() {
        let provider = SuiteZero::new(NoRandom);
        let key = SecretKey::new(SUITE, &[0; 16]).unwrap();
        let long_key = SecretKey::new(SecuritySuite::Suite2, &[0; 32]).unwrap();
        assert!(provider.aead_key(SecuritySuite::Suite1, &key).is_err());
        assert!(provider.wrap_key(SecuritySuite::Suite2, &long_key).is_err());
        assert!(provider.aead_key(SUITE, &long_key).is_err());
        assert!(provider.aead_key(SUITE, &SecretKey::handle(&[0; 16]).unwrap()).is_err());
        assert_eq!(provider.md5(&[]), Err(SecurityError::MechanismUnavailable));
    }

    proptest! {
        #[test]
        fn the_octets_are_those_of_the_large_provider(
            key: [u8; 16],
            nonce: [u8; 12],
            aad in proptest::array::uniform3(proptest::collection::vec(any::<u8>(), 0..40)),
            authentication_key: [u8; 16],
            text in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let (small, large) = (SuiteZero::new(NoRandom), RustCrypto::new(NoRandom));
            let key = SecretKey::new(SUITE, &key).unwrap();
            let (small_key, large_key) =
                (small.aead_key(SUITE, &key).unwrap(), large.aead_key(SUITE, &key).unwrap());
            let authentication_key = AuthenticationKey::new(&authentication_key).unwrap();
            let [control, rest @ ..] = aad.each_ref().map(Vec::as_slice);
            let aad = AdditionalData { control, authentication_key: &authentication_key, rest };
            let (mut ours, mut theirs) = (text.clone(), text.clone());
            let tag = small.seal(&small_key, &nonce, &aad, &mut ours).unwrap();
            prop_assert_eq!(tag, large.seal(&large_key, &nonce, &aad, &mut theirs).unwrap());
            prop_assert_eq!(&ours, &theirs);
            let mut wrong = tag;
            wrong[11] ^= 1;
            prop_assert!(small.open(&small_key, &nonce, &aad, &mut ours, &wrong).is_err());
            prop_assert_eq!(&ours, &theirs);
            small.open(&small_key, &nonce, &aad, &mut ours, &tag).unwrap();
            prop_assert_eq!(&ours, &text);
            small.apply_keystream(&small_key, &nonce, &mut ours).unwrap();
            prop_assert_eq!(&ours, &theirs);
        }
    }
}
