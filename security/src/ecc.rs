//! Signatures and key agreement in software, on the RustCrypto crates `p256` and `p384`.
//!
//! Signatures are deterministic (RFC 6979): no random number can give the key away. A point that is received is checked to
//! lie on its curve before anything is computed with it; both curves have cofactor 1, so nothing else is to be checked.

use ecdsa::hazmat::sign_prehashed_rfc6979;
use sha2::{Digest, Sha256, Sha384};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    CryptoProvider, Curve, PrivateKey, PublicKey, PublicKeyProvider, Random, RustCrypto, SecretKey,
    SecurityError, Signature,
};

/// The same for the curve of a key, with the types of its crate. Each is a function, so that the variables of both do not
/// share one stack frame.
macro_rules! on_curve {
    ($curve:expr, $crate_name:ident, $hash:ident, ($($name:ident: $type:ty),*) -> $result:ty $body:block) => {
        match $curve {
            Curve::P256 => {
                use p256 as $crate_name;
                type $hash = Sha256;
                #[cfg_attr(target_os = "none", inline(never))]
                fn on($($name: $type),*) -> $result $body
                on($($name),*)
            }
            Curve::P384 => {
                use p384 as $crate_name;
                type $hash = Sha384;
                #[cfg_attr(target_os = "none", inline(never))]
                fn on($($name: $type),*) -> $result $body
                on($($name),*)
            }
        }
    };
}

impl<R: Random, const FUNCTIONS: u8> PublicKeyProvider for RustCrypto<R, FUNCTIONS> {
    fn generate(&self, curve: Curve) -> Result<PrivateKey, SecurityError> {
        PrivateKey::draw(curve, |octets| self.random(octets), |key| is_scalar(curve, key))
    }

    fn public_key(&self, key: &PrivateKey) -> Result<PublicKey, SecurityError> {
        public_key(key)
    }

    fn sign(&self, key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
        sign(key, message)
    }

    fn verify(&self, key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
        verify(key, message, signature)
    }

    fn agree(
        &self,
        key: &PrivateKey,
        peer: &PublicKey,
        other_info: &[&[u8]],
    ) -> Result<SecretKey, SecurityError> {
        agree(key, peer, other_info)
    }
}

// Whatever the random octets come from, curves are compiled once, here.

fn is_scalar(curve: Curve, key: &PrivateKey) -> bool {
    on_curve!(curve, ecc, _Hash, (key: &PrivateKey) -> bool { ecc::SecretKey::from_slice(key.expose()).is_ok() })
}

fn public_key(key: &PrivateKey) -> Result<PublicKey, SecurityError> {
    on_curve!(key.curve(), ecc, _Hash,
        (key: &PrivateKey) -> Result<PublicKey, SecurityError> {
        use ecc::elliptic_curve::sec1::ToSec1Point;
        let key_pair = ecc::SecretKey::from_slice(key.scalar()?).map_err(invalid)?;
        let point = key_pair.public_key().to_sec1_point(false);
        PublicKey::new(key.curve(), point.as_bytes().get(1..).unwrap_or(&[]))
    })
}

fn sign(key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
    on_curve!(key.curve(), ecc, Hash,
        (key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError> {
        // Not by way of `SigningKey`, which computes the public key too: as much work as the signature.
        let scalar = ecc::SecretKey::from_slice(key.scalar()?).map_err(invalid)?.to_nonzero_scalar();
        let scalar = Zeroizing::new(scalar);
        let digest = hash::<Hash>(message).finalize();
        let (signature, _) = sign_prehashed_rfc6979::<_, Hash>(&scalar, &digest, &[]);
        Signature::new(key.curve(), &signature.to_bytes())
    })
}

fn verify(key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
    if key.curve() != signature.curve() {
        return Err(SecurityError::SignatureMismatch);
    }
    on_curve!(key.curve(), ecc, Hash,
        (key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError> {
        use ecc::ecdsa::{self, signature::hazmat::PrehashVerifier};
        let key = ecdsa::VerifyingKey::from_sec1_bytes(key.sec1(&mut [0; 97])).map_err(invalid)?;
        ecdsa::Signature::from_slice(signature.octets())
            .and_then(|signature| key.verify_prehash(&hash::<Hash>(message).finalize(), &signature))
            .map_err(|_| SecurityError::SignatureMismatch)
    })
}

fn agree(key: &PrivateKey, peer: &PublicKey, other_info: &[&[u8]]) -> Result<SecretKey, SecurityError> {
    if key.curve() != peer.curve() {
        return Err(SecurityError::InvalidKey);
    }
    on_curve!(key.curve(), ecc, _Hash,
        (key: &PrivateKey, peer: &PublicKey, other_info: &[&[u8]]) -> Result<SecretKey, SecurityError> {
        let own = ecc::SecretKey::from_slice(key.scalar()?).map_err(invalid)?;
        let point = ecc::PublicKey::from_sec1_bytes(peer.sec1(&mut [0; 97])).map_err(invalid)?;
        let shared = ecc::elliptic_curve::ecdh::diffie_hellman(own.to_nonzero_scalar(), point.as_affine());
        derive_key(key.curve(), shared.raw_secret_bytes(), other_info)
    })
}

/// The key from a shared secret `Z`, for providers that give it out: the leftmost octets of `H(00000001 ‖ Z ‖ other-info)`.
///
/// # Errors
/// [`SecurityError::KeyLength`] if `z` is no coordinate of the curve, leading zeros included.
pub fn derive_key(curve: Curve, z: &[u8], other_info: &[&[u8]]) -> Result<SecretKey, SecurityError> {
    if z.len() != curve.coordinate_len() {
        return Err(SecurityError::KeyLength { expected: curve.coordinate_len(), found: z.len() });
    }
    let message = [&[0, 0, 0, 1][..], z].into_iter().chain(other_info.iter().copied());
    match curve {
        Curve::P256 => leftmost::<Sha256>(curve, message),
        Curve::P384 => leftmost::<Sha384>(curve, message),
    }
}

fn leftmost<'m, H: Digest>(
    curve: Curve,
    message: impl Iterator<Item = &'m [u8]>,
) -> Result<SecretKey, SecurityError> {
    let mut hash = H::new();
    message.for_each(|part| hash.update(part));
    let mut derived = hash.finalize();
    let suite = curve.suite();
    let key = SecretKey::new(suite, derived.get(..suite.key_len()).unwrap_or(&[]));
    derived.as_mut_slice().zeroize();
    key
}

fn hash<H: Digest>(message: &[&[u8]]) -> H {
    let mut hash = H::new();
    message.iter().for_each(|part| hash.update(part));
    hash
}

fn invalid<E>(_: E) -> SecurityError {
    SecurityError::InvalidKey
}
