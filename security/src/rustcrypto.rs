//! The provider in software, on the RustCrypto crates: constant-time AES and GHASH, no allocation.
//!
//! AES-GCM (NIST SP 800-38D) is put together from `aes`, `ctr` and `ghash`, since the additional data of DLMS come in
//! pieces (control octet, authentication key, header and, where nothing is encrypted, the information itself) which
//! would have to be copied into one slice for an AEAD interface.

use aes::cipher::{
    Array, Block, BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipherCore,
    common::InnerInit, consts::U16,
};
use aes_kw::AesKw;
use core::fmt;
use ctr::{CtrCore, flavors::Ctr32BE};
use ghash::{GHash, universal_hash::UniversalHash};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, optimization_barrier};

use crate::{CryptoProvider, Random, SecurityError, SecuritySuite};

/// The RustCrypto crates, with the caller's source of random octets.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto<R> {
    random: R,
}

impl<R: Random> RustCrypto<R> {
    /// A provider that draws its random octets from `random`.
    pub const fn new(random: R) -> Self {
        Self { random }
    }
}

/// A key schedule of AES-GCM with its GHASH key, erased when dropped.
pub struct AeadKey(Gcm);

enum Gcm {
    Aes128(Parts<aes::Aes128Enc>),
    Aes256(Parts<aes::Aes256Enc>),
}

/// A key encrypting key's schedule, erased when dropped.
pub struct WrapKey(Kek);

enum Kek {
    Aes128(AesKw<aes::Aes128>),
    Aes256(AesKw<aes::Aes256>),
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AeadKey(..)")
    }
}

impl fmt::Debug for WrapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrapKey(..)")
    }
}

impl<R: Random> CryptoProvider for RustCrypto<R> {
    type AeadKey = AeadKey;
    type WrapKey = WrapKey;

    fn aead_key(&self, suite: SecuritySuite, key: &[u8]) -> Result<AeadKey, SecurityError> {
        let gcm = match suite {
            SecuritySuite::Suite0 | SecuritySuite::Suite1 => Gcm::Aes128(Parts::new(schedule(suite, key)?)),
            SecuritySuite::Suite2 => Gcm::Aes256(Parts::new(schedule(suite, key)?)),
        };
        Ok(AeadKey(gcm))
    }

    fn seal(
        &self,
        key: &AeadKey,
        nonce: &[u8; 12],
        aad: &[&[u8]],
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        match &key.0 {
            Gcm::Aes128(parts) => parts.seal(nonce, aad, text),
            Gcm::Aes256(parts) => parts.seal(nonce, aad, text),
        }
    }

    fn open(
        &self,
        key: &AeadKey,
        nonce: &[u8; 12],
        aad: &[&[u8]],
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        match &key.0 {
            Gcm::Aes128(parts) => parts.open(nonce, aad, text, tag),
            Gcm::Aes256(parts) => parts.open(nonce, aad, text, tag),
        }
    }

    fn apply_keystream(&self, key: &AeadKey, nonce: &[u8; 12], text: &mut [u8]) -> Result<(), SecurityError> {
        check_len(text)?;
        match &key.0 {
            Gcm::Aes128(parts) => parts.keystream(nonce).0.apply_keystream_partial(text.into()),
            Gcm::Aes256(parts) => parts.keystream(nonce).0.apply_keystream_partial(text.into()),
        }
        Ok(())
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &[u8]) -> Result<WrapKey, SecurityError> {
        let kek = match suite {
            SecuritySuite::Suite0 | SecuritySuite::Suite1 => {
                Kek::Aes128(AesKw::inner_init(schedule(suite, key)?))
            }
            SecuritySuite::Suite2 => Kek::Aes256(AesKw::inner_init(schedule(suite, key)?)),
        };
        Ok(WrapKey(kek))
    }

    fn wrap<'o>(&self, kek: &WrapKey, key: &[u8], wrapped: &'o mut [u8]) -> Result<&'o [u8], SecurityError> {
        let available = wrapped.len();
        match &kek.0 {
            Kek::Aes128(kw) => kw.wrap_key(key, wrapped),
            Kek::Aes256(kw) => kw.wrap_key(key, wrapped),
        }
        .map_err(|error| wrap_error(error, available))
    }

    fn unwrap<'o>(
        &self,
        kek: &WrapKey,
        wrapped: &[u8],
        key: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        let available = key.len();
        match &kek.0 {
            Kek::Aes128(kw) => kw.unwrap_key(wrapped, key),
            Kek::Aes256(kw) => kw.unwrap_key(wrapped, key),
        }
        .map_err(|error| wrap_error(error, available))
    }

    fn md5(&self, parts: &[&[u8]]) -> [u8; 16] {
        digest::<Md5>(parts).into()
    }

    fn sha1(&self, parts: &[&[u8]]) -> [u8; 20] {
        digest::<Sha1>(parts).into()
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        digest::<Sha256>(parts).into()
    }

    fn random(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        self.random.fill(out)
    }
}

/// A block cipher and the hash keyed by its encryption of the zero block.
struct Parts<C> {
    cipher: C,
    ghash: GHash,
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Parts<C> {
    fn new(cipher: C) -> Self {
        let mut hash_key = Block::<C>::default();
        cipher.encrypt_block(&mut hash_key);
        let ghash = GHash::new(&hash_key);
        hash_key.zeroize();
        Self { cipher, ghash }
    }

    fn seal(&self, nonce: &[u8; 12], aad: &[&[u8]], text: &mut [u8]) -> Result<[u8; 12], SecurityError> {
        check_len(text)?;
        let (keystream, mask) = self.keystream(nonce);
        keystream.apply_keystream_partial(text.into());
        Ok(self.tag(&mask, aad, text))
    }

    fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[&[u8]],
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        check_len(text)?;
        let (keystream, mask) = self.keystream(nonce);
        if !bool::from(self.tag(&mask, aad, text).ct_eq(tag)) {
            return Err(SecurityError::TagMismatch);
        }
        keystream.apply_keystream_partial(text.into());
        Ok(())
    }

    /// The keystream from counter block 2, and block 1, which masks the tag.
    fn keystream(&self, nonce: &[u8; 12]) -> (CtrCore<&C, Ctr32BE>, Block<C>) {
        let mut first = Block::<C>::default();
        first[..12].copy_from_slice(nonce);
        first[15] = 1;
        let mut keystream = CtrCore::inner_iv_init(&self.cipher, &first);
        let mut mask = Block::<C>::default();
        keystream.write_keystream_block(&mut mask);
        (keystream, mask)
    }

    fn tag(&self, mask: &Block<C>, aad: &[&[u8]], text: &[u8]) -> [u8; 12] {
        let mut hash = self.ghash.clone();
        let aad_len = update_pieces(&mut hash, aad);
        hash.update_padded(text);

        let mut lengths = ghash::Block::default();
        lengths[..8].copy_from_slice(&aad_len.wrapping_mul(8).to_be_bytes());
        lengths[8..].copy_from_slice(&(text.len() as u64).wrapping_mul(8).to_be_bytes());
        hash.update(&[lengths]);

        let full = hash.finalize();
        core::array::from_fn(|i| full[i] ^ mask[i])
    }
}

/// Hashes the pieces as if they were one, padded to a block at the end, and returns their length.
fn update_pieces(hash: &mut GHash, pieces: &[&[u8]]) -> u64 {
    const BATCH: usize = 8 * 16;
    let mut batch = [0u8; BATCH];
    let mut filled = 0;
    let mut total = 0u64;
    for piece in pieces {
        total = total.wrapping_add(piece.len() as u64);
        let mut rest = *piece;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BATCH - filled));
            batch[filled..filled + now.len()].copy_from_slice(now);
            filled += now.len();
            rest = later;
            if filled == BATCH {
                hash.update_padded(&batch);
                filled = 0;
            }
        }
    }
    hash.update_padded(&batch[..filled]);
    // The authentication key went through here.
    batch = [0; BATCH];
    optimization_barrier(&batch);
    total
}

fn schedule<C: KeyInit>(suite: SecuritySuite, key: &[u8]) -> Result<C, SecurityError> {
    C::new_from_slice(key)
        .map_err(|_| SecurityError::KeyLength { expected: suite.key_len(), found: key.len() })
}

/// Every A-XDR length fits in 32 bits, and 2^32 octets are far below what one GCM invocation may take.
fn check_len(text: &[u8]) -> Result<(), SecurityError> {
    u32::try_from(text.len()).map_err(|_| SecurityError::TooLong)?;
    Ok(())
}

fn wrap_error(error: aes_kw::Error, available: usize) -> SecurityError {
    match error {
        aes_kw::Error::InvalidOutputSize { expected_len } => {
            SecurityError::BufferTooSmall { needed: expected_len, available }
        }
        _ => SecurityError::KeyUnwrap,
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Array<u8, D::OutputSize> {
    let mut digest = D::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize()
}
