//! AES-GCM with tags of 12 octets, out of functions that know tags of 16 only.
//!
//! AWS-LC's opening function wants the whole tag. But GMAC, sealing without a text, hashes what it is given as additional
//! data `A` in the same way as a ciphertext `C`; only the last block, which holds both lengths, tells them apart:
//!
//! ```text
//! tag   = E(J) ⊕ (hash(A padded, C padded) ⊕ (len A, len C)) · H
//! GMAC  = E(J) ⊕ (hash(A padded, C padded) ⊕ (len A padded + len C, 0)) · H
//! ```
//!
//! So the tag of a received ciphertext is the GMAC of both in a row, corrected by the difference of the lengths times the
//! hash key `H`. It is compared before anything is deciphered, and what it covers is read once, as when opening. Lengths
//! are no secret: the multiplication adds up those powers of `x` times `H`, made once for a key, that they have bits for.

use core::cell::RefCell;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing, optimization_barrier};

use crate::{SecurityError, secret::tags_equal};

/// A key of AES-GCM, of AES in counter mode, and the multiples of the hash key.
pub(super) struct Gcm {
    aead: LessSafeKey,
    counter_mode: EncryptingKey,
    multiples: Box<Multiples>,
}

impl Gcm {
    /// `octets` are 16 or 32.
    pub(super) fn new(octets: &[u8]) -> Result<Self, SecurityError> {
        let (aead, cipher) = match octets.len() {
            16 => (&aead::AES_128_GCM, &cipher::AES_128),
            _ => (&aead::AES_256_GCM, &cipher::AES_256),
        };
        let aead = UnboundKey::new(aead, octets).map(LessSafeKey::new).map_err(failed)?;
        let counter_mode =
            UnboundCipherKey::new(cipher, octets).and_then(EncryptingKey::ctr).map_err(failed)?;
        let mut hash_key = Zeroizing::new([0; 16]);
        counter_mode
            .less_safe_encrypt(&mut *hash_key, EncryptionContext::Iv128([0; 16].into()))
            .map_err(failed)?;
        let multiples = Multiples::new(u128::from_be_bytes(*hash_key));
        Ok(Self { aead, counter_mode, multiples })
    }

    pub(super) fn seal(
        &self,
        nonce: &[u8; 12],
        aad: &[&[u8]],
        text: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        let tag = in_a_row(aad, &[], |aad| self.whole_tag(nonce, aad, text))?;
        Ok(first_12(tag))
    }

    pub(super) fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[&[u8]],
        text: &mut [u8],
        tag: &[u8; 12],
    ) -> Result<(), SecurityError> {
        let computed = if text.is_empty() {
            in_a_row(aad, &[], |aad| self.whole_tag(nonce, aad, &mut []))?
        } else {
            let aad_len = check_len(aad.iter().map(|piece| piece.len()).sum())?;
            let text_len = check_len(text.len())?;
            let (gmac, row_len) =
                in_a_row(aad, text, |row| Ok((self.whole_tag(nonce, row, &mut [])?, row.len() as u64)))?;
            let correction = self.multiples.of_lengths(aad_len ^ row_len, text_len);
            (u128::from_be_bytes(gmac) ^ correction).to_be_bytes()
        };
        if !tags_equal(&first_12(computed), tag) {
            return Err(SecurityError::TagMismatch);
        }
        self.apply_keystream(nonce, text)
    }

    pub(super) fn apply_keystream(&self, nonce: &[u8; 12], text: &mut [u8]) -> Result<(), SecurityError> {
        check_len(text.len())?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *nonce;
        let second = [a, b, c, d, e, f, g, h, i, j, k, l, 0, 0, 0, 2];
        self.counter_mode.less_safe_encrypt(text, EncryptionContext::Iv128(second.into())).map_err(failed)?;
        Ok(())
    }

    fn whole_tag(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], SecurityError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.aead.seal_in_place_separate_tag(nonce, Aad::from(aad), text).map_err(failed)?;
        tag.as_ref().try_into().map_err(|_| SecurityError::Provider)
    }
}

thread_local! {
    /// Where pieces are put in a row: memory that is there already, for each message one after the other.
    static ROW: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Octets of [`ROW`] that a thread keeps.
const KEPT: usize = 128 * 1024;

/// Calls `with` with the pieces in a row and, if there is a text, zeros up to a whole block and the text. The pieces, the
/// authentication key among them, are erased afterwards.
fn in_a_row<T>(
    pieces: &[&[u8]],
    text: &[u8],
    with: impl FnOnce(&[u8]) -> Result<T, SecurityError>,
) -> Result<T, SecurityError> {
    let aad_len: usize = pieces.iter().map(|piece| piece.len()).sum();
    let text_at = if text.is_empty() { aad_len } else { aad_len.next_multiple_of(16) };
    let in_row = |row: &RefCell<Vec<u8>>| {
        let mut row = row.try_borrow_mut().map_err(failed)?;
        // At once, so that nothing is copied about when it grows.
        row.reserve(text_at.saturating_add(text.len()));
        pieces.iter().for_each(|piece| row.extend_from_slice(piece));
        row.resize(text_at, 0);
        row.extend_from_slice(text);
        let result = with(&row);
        if let Some(secret) = row.get_mut(..aad_len) {
            secret.fill(0);
            optimization_barrier(secret);
        }
        row.clear();
        row.shrink_to(KEPT);
        result
    };
    ROW.try_with(in_row).map_err(failed)?
}

/// Bits of a number of octets that is put in a row: two lengths of 32 bits.
const LENGTH_BITS: usize = 33;

/// The hash key times what each bit of the two numbers in the block of lengths stands for.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Multiples {
    aad: [u128; LENGTH_BITS],
    text: [u128; LENGTH_BITS],
}

impl Multiples {
    /// The block of lengths counts bits, the first number in its first half. Its first bit stands for 1 and its last for
    /// `x` to the 127, so the lowest bit of a number of octets stands for `x` to the 60, or to the 124.
    fn new(hash_key: u128) -> Box<Self> {
        let mut multiples = Box::new(Self { aad: [0; LENGTH_BITS], text: [0; LENGTH_BITS] });
        let mut multiple = Zeroizing::new(hash_key);
        for exponent in 0..128 {
            for (multiples, last) in [(&mut multiples.aad, 60usize), (&mut multiples.text, 124)] {
                if let Some(room) = last.checked_sub(exponent).and_then(|bit| multiples.get_mut(bit)) {
                    *room = *multiple;
                }
            }
            let carried = 0u128.wrapping_sub(*multiple & 1);
            *multiple = (*multiple >> 1) ^ (carried & (0xE1 << 120));
        }
        multiples
    }

    /// The hash key times the block of these numbers of octets.
    fn of_lengths(&self, aad: u64, text: u64) -> u128 {
        let sum = |multiples: &[u128], mut bits: u64| {
            let mut sum = 0;
            while bits != 0 {
                sum ^= multiples.get(bits.trailing_zeros() as usize).copied().unwrap_or(0);
                bits &= bits - 1;
            }
            sum
        };
        sum(&self.aad, aad) ^ sum(&self.text, text)
    }
}

/// Every A-XDR length fits in 32 bits; neither counter nor length overflow then.
fn check_len(len: usize) -> Result<u64, SecurityError> {
    u32::try_from(len).map(u64::from).map_err(|_| SecurityError::TooLong)
}

fn first_12(tag: [u8; 16]) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = tag;
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

fn failed<E>(_: E) -> SecurityError {
    SecurityError::Provider
}
