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
use zeroize::{Zeroize, optimization_barrier};

use crate::{
    AdditionalData, CryptoProvider, Functions, Random, SecretKey, SecurityError, SecuritySuite,
    secret::tags_equal,
};

/// The RustCrypto crates, with the caller's source of random octets.
///
/// `FUNCTIONS` are the bits of [`Functions`] that the program uses, all unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto<R, const FUNCTIONS: u8 = { Functions::all().bits() }> {
    random: R,
}

impl<R: Random> RustCrypto<R> {
    /// A provider that draws its random octets from `random`.
    pub const fn new(random: R) -> Self {
        Self { random }
    }
}

impl<R: Random, const FUNCTIONS: u8> RustCrypto<R, FUNCTIONS> {
    /// As [`RustCrypto::new`], for a program that does not use all functions.
    pub const fn with_functions(random: R) -> Self {
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

impl<R: Random, const FUNCTIONS: u8> CryptoProvider for RustCrypto<R, FUNCTIONS> {
    type AeadKey = AeadKey;
    type WrapKey = WrapKey;

    const FUNCTIONS: Functions = Functions::from_bits_truncate(FUNCTIONS);

    fn aead_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<AeadKey, SecurityError> {
        let key = key.octets()?;
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
        aad: &AdditionalData<'_>,
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        let aad = &aad.pieces()?;
        match &key.0 {
            Gcm::Aes128(parts) => parts.seal(nonce, aad, text),
            Gcm::Aes256(parts) => parts.seal(nonce, aad, text),
        }
    }

    fn open(
        &self,
        key: &AeadKey,
        nonce: &[u8; 12],
        aad: &AdditionalData<'_>,
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        let aad = &aad.pieces()?;
        match &key.0 {
            Gcm::Aes128(parts) => parts.open(nonce, aad, text, tag),
            Gcm::Aes256(parts) => parts.open(nonce, aad, text, tag),
        }
    }

    fn apply_keystream(&self, key: &AeadKey, nonce: &[u8; 12], text: &mut [u8]) -> Result<(), SecurityError> {
        check_len(text)?;
        match &key.0 {
            Gcm::Aes128(parts) => parts.keystream(nonce, text.len()).apply(text),
            Gcm::Aes256(parts) => parts.keystream(nonce, text.len()).apply(text),
        }
        Ok(())
    }

    fn wrap_key(&self, suite: SecuritySuite, key: &SecretKey) -> Result<WrapKey, SecurityError> {
        let key = key.octets()?;
        let kek = match suite {
            SecuritySuite::Suite0 | SecuritySuite::Suite1 => {
                Kek::Aes128(AesKw::inner_init(schedule(suite, key)?))
            }
            SecuritySuite::Suite2 => Kek::Aes256(AesKw::inner_init(schedule(suite, key)?)),
        };
        Ok(WrapKey(kek))
    }

    fn wrap<'o>(
        &self,
        kek: &WrapKey,
        key: &SecretKey,
        wrapped: &'o mut [u8],
    ) -> Result<&'o [u8], SecurityError> {
        let (key, available) = (key.octets()?, wrapped.len());
        match &kek.0 {
            Kek::Aes128(kw) => kw.wrap_key(key, wrapped),
            Kek::Aes256(kw) => kw.wrap_key(key, wrapped),
        }
        .map_err(|error| wrap_error(error, available))
    }

    fn unwrap(
        &self,
        suite: SecuritySuite,
        kek: &WrapKey,
        wrapped: &[u8],
    ) -> Result<SecretKey, SecurityError> {
        unwrapped(suite, wrapped, |key| match &kek.0 {
            Kek::Aes128(kw) => kw.unwrap_key(wrapped, key).map(<[u8]>::len),
            Kek::Aes256(kw) => kw.unwrap_key(wrapped, key).map(<[u8]>::len),
        })
    }

    fn md5(&self, parts: &[&[u8]]) -> Result<[u8; 16], SecurityError> {
        Ok(digest::<Md5>(parts).into())
    }

    fn sha1(&self, parts: &[&[u8]]) -> Result<[u8; 20], SecurityError> {
        Ok(digest::<Sha1>(parts).into())
    }

    fn sha256(&self, parts: &[&[u8]]) -> Result<[u8; 32], SecurityError> {
        Ok(digest::<Sha256>(parts).into())
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
        let keystream = self.keystream(nonce, text.len());
        let mask = keystream.mask();
        keystream.apply(text);
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
        let keystream = self.keystream(nonce, text.len());
        if !tags_equal(&self.tag(&keystream.mask(), aad, text), tag) {
            return Err(SecurityError::TagMismatch);
        }
        keystream.apply(text);
        Ok(())
    }

    fn keystream(&self, nonce: &[u8; 12], text_len: usize) -> Keystream<'_, C> {
        let first: Block<C> = (left_aligned(nonce) | 1).to_be_bytes().into();
        let mut rest = CtrCore::inner_iv_init(&self.cipher, &first);
        let mut start: [Block<C>; START] = Default::default();
        let blocks = text_len.div_ceil(16).saturating_add(1).min(START);
        rest.write_keystream_blocks(&mut start[..blocks]);
        Keystream { start, rest }
    }

    fn tag(&self, mask: &Block<C>, aad: &[&[u8]], text: &[u8]) -> [u8; 12] {
        let aad_len = aad.iter().fold(0u64, |total, piece| total.wrapping_add(piece.len() as u64));
        let text_len = text.len() as u64;
        let blocks = aad_len.div_ceil(16).wrapping_add(text_len.div_ceil(16)).wrapping_add(1);

        let mut hash = self.ghash.clone();
        let mut lanes = Lanes::new(&mut hash, blocks);
        lanes.pieces(aad);
        lanes.padded(text);
        lanes.push((u128::from(aad_len) << 67) | (u128::from(text_len) << 3));
        lanes.erase();

        let full = hash.finalize();
        core::array::from_fn(|i| full[i] ^ mask[i])
    }
}

/// How many blocks of keystream are made at once in front: a short text needs no others.
const START: usize = 8;

/// The keystream of one message: block 1, which masks the tag, and what covers the text.
struct Keystream<'c, C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> {
    start: [Block<C>; START],
    rest: CtrCore<&'c C, Ctr32BE>,
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Keystream<'_, C> {
    fn mask(&self) -> Block<C> {
        self.start[0]
    }

    fn apply(mut self, text: &mut [u8]) {
        let (start, rest) = text.split_at_mut(text.len().min((START - 1) * 16));
        let stream = Array::slice_as_flattened(&self.start[1..]);
        start.iter_mut().zip(stream).for_each(|(octet, key)| *octet ^= key);
        if !rest.is_empty() {
            self.rest.apply_keystream_partial(rest.into());
        }
        self.start = Default::default();
        optimization_barrier(&self.start);
    }
}

/// How many blocks GHASH multiplies at once where the processor has carry-less multiplication; elsewhere one by one.
const LANES: usize =
    if cfg!(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")) { 4 } else { 1 };

/// Gives blocks to GHASH as many at a time as it multiplies at once.
///
/// Zero blocks in front change nothing about the hash, so the blocks of one tag are led by as many as make them a
/// multiple of [`LANES`]: no block is then left over to be multiplied alone, which is what a short message is made of.
struct Lanes<'h> {
    hash: &'h mut GHash,
    blocks: [ghash::Block; LANES],
    filled: usize,
}

impl<'h> Lanes<'h> {
    fn new(hash: &'h mut GHash, blocks: u64) -> Self {
        let over = (blocks % LANES as u64) as usize;
        Self { hash, blocks: Default::default(), filled: (LANES - over) % LANES }
    }

    fn push(&mut self, block: u128) {
        // Never more than the lanes are; it spares a panic path.
        let filled = self.filled % LANES;
        self.blocks[filled] = block.to_be_bytes().into();
        self.filled = filled + 1;
        if self.filled == LANES {
            update(self.hash, &self.blocks);
            self.filled = 0;
        }
    }

    /// The pieces as if they were one, padded to a block at the end.
    fn pieces(&mut self, pieces: &[&[u8]]) {
        // The octets that do not fill a block yet, left-aligned, and how many bits they are: fewer than 128.
        let (mut begun, mut bits) = (0u128, 0u32);
        for chunk in pieces.iter().flat_map(|piece| piece.chunks(16)) {
            let next = left_aligned(chunk);
            // As it is anyway; it spares panic paths.
            let before = bits % 128;
            begun |= next >> before;
            bits = before + 8 * chunk.len() as u32;
            if let Some(over) = bits.checked_sub(128) {
                self.push(begun);
                // By 128 bits if the chunk filled a block alone: nothing of it is left.
                begun = next.checked_shl(128 - before).unwrap_or(0);
                bits = over;
            }
        }
        if bits != 0 {
            self.push(begun);
        }
    }

    /// One long piece, padded to a block at the end. What fills all lanes is not copied.
    fn padded(&mut self, text: &[u8]) {
        let (chunks, rest) = text.as_chunks::<16>();
        let (start, chunks) = chunks.split_at((LANES.wrapping_sub(self.filled) % LANES).min(chunks.len()));
        let (full, end) = chunks.split_at(chunks.len() - chunks.len() % LANES);
        start.iter().for_each(|chunk| self.push(u128::from_be_bytes(*chunk)));
        update(self.hash, Array::cast_slice_from_core(full));
        end.iter().for_each(|chunk| self.push(u128::from_be_bytes(*chunk)));
        if !rest.is_empty() {
            self.push(left_aligned(rest));
        }
    }

    /// The authentication key went through here.
    fn erase(&mut self) {
        self.blocks = Default::default();
        optimization_barrier(&self.blocks);
    }
}

/// Up to 16 octets, followed by zeros: put together in registers, since a block that was written in parts is slow to
/// load as a whole.
fn left_aligned(octets: &[u8]) -> u128 {
    if let Some(block) = octets.first_chunk() {
        return u128::from_be_bytes(*block);
    }
    let (mut value, mut rest) = (0, octets);
    if let Some((first, after)) = rest.split_first_chunk() {
        (value, rest) = (u128::from(u64::from_be_bytes(*first)), after);
    }
    if let Some((first, after)) = rest.split_first_chunk() {
        (value, rest) = ((value << 32) | u128::from(u32::from_be_bytes(*first)), after);
    }
    if let Some((first, after)) = rest.split_first_chunk() {
        (value, rest) = ((value << 16) | u128::from(u16::from_be_bytes(*first)), after);
    }
    if let [last] = rest {
        value = (value << 8) | u128::from(*last);
    }
    // By 128 bits if there are no octets.
    value.checked_shl(128 - 8 * octets.len() as u32).unwrap_or(0)
}

/// The only way into GHASH: inlined once, its loop is compiled as one.
#[inline(never)]
fn update(hash: &mut GHash, blocks: &[ghash::Block]) {
    hash.update(blocks);
}

fn schedule<C: KeyInit>(suite: SecuritySuite, key: &[u8]) -> Result<C, SecurityError> {
    C::new_from_slice(key)
        .map_err(|_| SecurityError::KeyLength { expected: suite.key_len(), found: key.len() })
}

/// Every A-XDR length fits in 32 bits, and 2^32 octets are far below what one GCM invocation may take.
pub(crate) fn check_len(text: &[u8]) -> Result<(), SecurityError> {
    u32::try_from(text.len()).map_err(|_| SecurityError::TooLong)?;
    Ok(())
}

/// The key of a suite that `unwrap` writes into its place.
pub(crate) fn unwrapped(
    suite: SecuritySuite,
    wrapped: &[u8],
    unwrap: impl FnOnce(&mut [u8]) -> Result<usize, aes_kw::Error>,
) -> Result<SecretKey, SecurityError> {
    if wrapped.len() != suite.wrapped_key_len() {
        return Err(SecurityError::KeyUnwrap);
    }
    SecretKey::written(suite, |key| unwrap(key).map(|_| ()).map_err(|_| SecurityError::KeyUnwrap))
}

pub(crate) fn wrap_error(error: aes_kw::Error, available: usize) -> SecurityError {
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

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    /// A feature of a dependency that is forgotten would leave key schedules in memory.
    #[test]
    fn what_keys_are_made_of_is_erased() {
        const fn is_erased<T: ZeroizeOnDrop>() {}
        is_erased::<aes::Aes128Enc>();
        is_erased::<aes::Aes256Enc>();
        is_erased::<AesKw<aes::Aes128>>();
        is_erased::<AesKw<aes::Aes256>>();
    }
}
