//! The asymmetric half of suites 1 and 2: key pairs, signatures, key agreement, and the seam to whoever does them.
//!
//! | | suite 1 | suite 2 |
//! | --- | --- | --- |
//! | curve | P-256 | P-384 |
//! | hash of signature and key derivation | SHA-256 | SHA-384 |
//! | public key `x ‖ y`, signature `r ‖ s` | 64 octets | 96 octets |

use core::fmt;

use crate::{Secret, SecretKey, SecurityError, SecuritySuite, SystemTitle};

/// The elliptic curve of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Curve {
    /// NIST P-256, with SHA-256: suite 1.
    P256,
    /// NIST P-384, with SHA-384: suite 2.
    P384,
}

impl Curve {
    /// Octets of a coordinate, of a scalar, and of a shared secret.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// Octets of a public key `x ‖ y`, and of a signature `r ‖ s`.
    pub const fn pair_len(self) -> usize {
        2 * self.coordinate_len()
    }

    /// The suite whose keys are derived with this curve.
    pub const fn suite(self) -> SecuritySuite {
        match self {
            Self::P256 => SecuritySuite::Suite1,
            Self::P384 => SecuritySuite::Suite2,
        }
    }
}

impl SecuritySuite {
    /// The curve of the suite; suite 0 has none.
    pub const fn curve(self) -> Option<Curve> {
        match self {
            Self::Suite0 => None,
            Self::Suite1 => Some(Curve::P256),
            Self::Suite2 => Some(Curve::P384),
        }
    }
}

/// Two numbers of one curve, each left-padded to the length of a coordinate.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pair {
    curve: Curve,
    octets: [u8; Pair::MAX],
}

impl Pair {
    const MAX: usize = 96;

    fn new(curve: Curve, octets: &[u8]) -> Result<Self, SecurityError> {
        let mut pair = Self { curve, octets: [0; Self::MAX] };
        match pair.octets.get_mut(..curve.pair_len()) {
            Some(room) if room.len() == octets.len() => room.copy_from_slice(octets),
            _ => return Err(SecurityError::KeyLength { expected: curve.pair_len(), found: octets.len() }),
        }
        Ok(pair)
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.curve.pair_len()).unwrap_or(&self.octets)
    }
}

/// A public key: the point `x ‖ y`, without a leading `04`. Whether it lies on its curve is checked by each function of
/// a [`PublicKeyProvider`] that takes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(Pair);

impl PublicKey {
    /// The longest public key.
    pub const MAX_LENGTH: usize = Pair::MAX;

    /// A public key from `x ‖ y`.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] if it is not [`Curve::pair_len`] octets long.
    pub fn new(curve: Curve, octets: &[u8]) -> Result<Self, SecurityError> {
        Pair::new(curve, octets).map(Self)
    }

    /// The curve.
    pub const fn curve(&self) -> Curve {
        self.0.curve
    }

    /// `x ‖ y`.
    pub fn octets(&self) -> &[u8] {
        self.0.octets()
    }

    /// The point as SEC 1 writes it, with its leading `04`, in the buffer.
    #[cfg(any(feature = "ecc", feature = "aws-lc-rs"))]
    pub(crate) fn sec1<'b>(&self, buffer: &'b mut [u8; 1 + Self::MAX_LENGTH]) -> &'b [u8] {
        let octets = self.octets();
        buffer[0] = 4;
        if let Some(room) = buffer.get_mut(1..1 + octets.len()) {
            room.copy_from_slice(octets);
        }
        buffer.get(..1 + octets.len()).unwrap_or(&[])
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, ", self.curve())?;
        self.octets().iter().try_for_each(|octet| write!(f, "{octet:02X}"))?;
        f.write_str(")")
    }
}

/// An ECDSA signature `r ‖ s`, as xDLMS carries it (DER is for certificates alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(Pair);

impl Signature {
    /// The longest signature.
    pub const MAX_LENGTH: usize = Pair::MAX;

    /// A signature from `r ‖ s`.
    ///
    /// # Errors
    /// [`SecurityError::KeyLength`] if it is not [`Curve::pair_len`] octets long.
    pub fn new(curve: Curve, octets: &[u8]) -> Result<Self, SecurityError> {
        Pair::new(curve, octets).map(Self)
    }

    /// The curve of the key that made it.
    pub const fn curve(&self) -> Curve {
        self.0.curve
    }

    /// `r ‖ s`.
    pub fn octets(&self) -> &[u8] {
        self.0.octets()
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets().iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

/// A private key as its provider knows it: the scalar in software, a handle or a wrapped blob with a secure element.
#[derive(Clone)]
pub struct PrivateKey {
    curve: Curve,
    material: Secret<64>,
}

impl PrivateKey {
    /// A private key. In software the material is the scalar, [`Curve::coordinate_len`] octets; the provider checks it
    /// at each use.
    ///
    /// # Errors
    /// [`SecurityError::SecretTooLong`] above 64 octets.
    pub fn new(curve: Curve, material: &[u8]) -> Result<Self, SecurityError> {
        Ok(Self { curve, material: Secret::new(material)? })
    }

    /// Draws random octets until they are a scalar of the curve: one draw in 2³² is none of P-256, far fewer of P-384.
    #[cfg(any(feature = "ecc", feature = "aws-lc-rs"))]
    pub(crate) fn draw(
        curve: Curve,
        random: impl Fn(&mut [u8]) -> Result<(), SecurityError>,
        is_scalar: impl Fn(&Self) -> bool,
    ) -> Result<Self, SecurityError> {
        const DRAWS: usize = 4;
        let mut octets = zeroize::Zeroizing::new([0; 48]);
        let drawn = octets.get_mut(..curve.coordinate_len()).ok_or(SecurityError::Provider)?;
        for _ in 0..DRAWS {
            random(drawn)?;
            let key = Self::new(curve, drawn)?;
            if is_scalar(&key) {
                return Ok(key);
            }
        }
        Err(SecurityError::Provider)
    }

    /// The material as a scalar of the right length, neither cut nor padded. Its range is for the library to check.
    #[cfg(any(feature = "ecc", feature = "aws-lc-rs"))]
    pub(crate) fn scalar(&self) -> Result<&[u8], SecurityError> {
        let material = self.expose();
        if material.len() != self.curve.coordinate_len() {
            return Err(SecurityError::InvalidKey);
        }
        Ok(material)
    }

    /// The curve.
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The material, for the provider and for the storage that keeps it.
    pub fn expose(&self) -> &[u8] {
        self.material.expose()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// What a key pair is for, one pair for each purpose: `certificate_type` of the Security setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeyUsage {
    /// Signatures: HLS 7, general-signing, ephemeral keys.
    DigitalSignature = 0,
    /// Static key agreement.
    KeyAgreement = 1,
    /// Transport layer security.
    Tls = 2,
}

impl KeyUsage {
    /// All usages, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::DigitalSignature, Self::KeyAgreement, Self::Tls];

    /// The usage with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::DigitalSignature),
            1 => Some(Self::KeyAgreement),
            2 => Some(Self::Tls),
            _ => None,
        }
    }
}

/// The asymmetric functions of suites 1 and 2, in software or on a secure element.
///
/// Private keys pass as [`PrivateKey`] material, which with a secure element is a handle, and so does the key that
/// [`Self::agree`] derives: then no scalar, no shared secret and no agreed key leaves it. The trait is object-safe: each call takes milliseconds on a meter, and a meter without these suites
/// links nothing of them.
pub trait PublicKeyProvider {
    /// Makes a new key pair: one to be kept, or an ephemeral one.
    ///
    /// # Errors
    /// [`SecurityError::RandomUnavailable`], [`SecurityError::Provider`].
    fn generate(&self, curve: Curve) -> Result<PrivateKey, SecurityError>;

    /// A pair that [`Self::generate`] made is not used any more: a secure element frees its slot. Not called for one that
    /// a [`KeyStore`](crate::KeyStore) has installed.
    fn discard(&self, _key: &PrivateKey) {}

    /// The public key of a pair.
    ///
    /// # Errors
    /// [`SecurityError::InvalidKey`] if the material is none.
    fn public_key(&self, key: &PrivateKey) -> Result<PublicKey, SecurityError>;

    /// ECDSA with the hash of the curve over the pieces of a message, one after the other; deterministic (RFC 6979) or
    /// hedged.
    ///
    /// # Errors
    /// [`SecurityError::InvalidKey`], [`SecurityError::Provider`].
    fn sign(&self, key: &PrivateKey, message: &[&[u8]]) -> Result<Signature, SecurityError>;

    /// Verifies a signature over the pieces of a message.
    ///
    /// # Errors
    /// [`SecurityError::SignatureMismatch`], also when key and signature are of different curves;
    /// [`SecurityError::InvalidKey`] if the key is no point of its curve.
    fn verify(&self, key: &PublicKey, message: &[&[u8]], signature: &Signature) -> Result<(), SecurityError>;

    /// ECDH, and from the shared secret the key: the leftmost octets of `H(00000001 ‖ Z ‖ other-info)`, 16 with P-256
    /// and 32 with P-384 (NIST SP 800-56A, concatenation, one round).
    ///
    /// # Errors
    /// [`SecurityError::InvalidKey`] if a key is none, or the curves differ.
    fn agree(
        &self,
        key: &PrivateKey,
        peer: &PublicKey,
        other_info: &[&[u8]],
    ) -> Result<SecretKey, SecurityError>;
}

/// Whom this side trusts: the public keys of others, by the system title of their owner. A table of keys that were put
/// in by hand is one, a store of verified certificates another.
pub trait PeerKeys {
    /// The public key of `owner` for `usage`.
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey>;

    /// The public key of `owner` for `usage` out of a certificate that came over the wire, if that verifies up to an
    /// authority that this side trusts. The default trusts none.
    fn certified_key(
        &self,
        _provider: &dyn PublicKeyProvider,
        _certificate: &[u8],
        _owner: SystemTitle,
        _usage: KeyUsage,
    ) -> Option<PublicKey> {
        None
    }

    /// Shows the DER octets of the certificate of `owner` for `usage`, if there is one: to present our own to a peer. The
    /// default has none.
    fn show_certificate(&self, _owner: SystemTitle, _usage: KeyUsage, _show: &mut dyn FnMut(&[u8])) {}
}

/// One peer's keys that were put in by hand.
#[derive(Clone, Copy, Debug)]
pub struct KnownPeer {
    /// The peer.
    pub title: SystemTitle,
    /// Its public keys, by [`KeyUsage`].
    pub keys: [Option<PublicKey>; 3],
}

impl<const N: usize> PeerKeys for [KnownPeer; N] {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        self.as_slice().public_key(owner, usage)
    }
}

impl PeerKeys for [KnownPeer] {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        let peer = self.iter().find(|peer| peer.title == owner)?;
        peer.keys.get(usage as usize).copied().flatten()
    }
}
