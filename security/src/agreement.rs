//! Key agreement: what is derived from a shared secret, and the ephemeral keys that travel.
//!
//! | scheme | where | OtherInfo |
//! | --- | --- | --- |
//! | C(2e, 0s), ephemeral unified model | Security setup, method key_agreement | `AlgorithmID ‖ client's title ‖ server's title` |
//! | C(1e, 1s), one-pass Diffie-Hellman | general-ciphering | `AlgorithmID ‖ originator's title ‖ recipient's title` |
//! | C(0e, 2s), static unified model | general-ciphering | `AlgorithmID ‖ originator's title ‖ length ‖ transaction-id ‖ recipient's title` |
//!
//! An ephemeral key travels as `Q ‖ signature`. The signature is over `key_id ‖ Q` in the first scheme and over `Q` alone in
//! the second.

pub use crate::KeyId;
use crate::{
    Curve, PrivateKey, PublicKey, PublicKeyProvider, SecretKey, SecurityError, SecuritySuite, Signature,
    SystemTitle,
};

/// What a derived key is for: AlgorithmID of the key derivation, `2.16.756.5.8.3.x` as seven octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// AES-GCM: encryption and authentication keys, and, as implementations in use do it, the master key too.
    Gcm,
    /// AES key wrap.
    Wrap,
}

impl Algorithm {
    /// The octets, for the key length of a suite.
    pub const fn id(self, suite: SecuritySuite) -> &'static [u8; 7] {
        match (self, suite) {
            (Self::Gcm, SecuritySuite::Suite0 | SecuritySuite::Suite1) => b"\x60\x85\x74\x05\x08\x03\x00",
            (Self::Gcm, SecuritySuite::Suite2) => b"\x60\x85\x74\x05\x08\x03\x01",
            (Self::Wrap, SecuritySuite::Suite0 | SecuritySuite::Suite1) => b"\x60\x85\x74\x05\x08\x03\x02",
            (Self::Wrap, SecuritySuite::Suite2) => b"\x60\x85\x74\x05\x08\x03\x03",
        }
    }
}

/// An ephemeral public key with its owner's signature: key_data of key_agreement, key-ciphered-data of C(1e, 1s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedKey {
    /// The ephemeral key.
    pub key: PublicKey,
    /// The signature over it.
    pub signature: Signature,
}

impl SignedKey {
    /// The longest one on the wire.
    pub const MAX_LENGTH: usize = PublicKey::MAX_LENGTH + Signature::MAX_LENGTH;

    /// Makes a fresh key pair and signs its public key, with the key_id of C(2e, 0s) before it. The pair is the caller's to
    /// [discard](PublicKeyProvider::discard).
    ///
    /// # Errors
    /// What the provider answers.
    pub fn generate(
        provider: &dyn PublicKeyProvider,
        signing_key: &PrivateKey,
        key_id: Option<KeyId>,
    ) -> Result<(PrivateKey, Self), SecurityError> {
        let ephemeral = provider.generate(signing_key.curve())?;
        match Self::sign(provider, signing_key, key_id, &ephemeral) {
            Ok(signed) => Ok((ephemeral, signed)),
            Err(error) => {
                provider.discard(&ephemeral);
                Err(error)
            }
        }
    }

    fn sign(
        provider: &dyn PublicKeyProvider,
        signing_key: &PrivateKey,
        key_id: Option<KeyId>,
        ephemeral: &PrivateKey,
    ) -> Result<Self, SecurityError> {
        let key = provider.public_key(ephemeral)?;
        let key_id = key_id.map(|key_id| [key_id as u8]);
        let signature = provider.sign(signing_key, &signed(&key_id, &key))?;
        Ok(Self { key, signature })
    }

    /// Reads `Q ‖ signature` and verifies the signature.
    ///
    /// # Errors
    /// [`SecurityError::InvalidValue`] for a wrong length, otherwise what the provider says of key and signature.
    pub fn verified(
        provider: &dyn PublicKeyProvider,
        signer: &PublicKey,
        key_id: Option<KeyId>,
        octets: &[u8],
    ) -> Result<Self, SecurityError> {
        let curve = signer.curve();
        let (key, signature) = octets
            .split_at_checked(curve.pair_len())
            .filter(|(_, signature)| signature.len() == curve.pair_len())
            .ok_or(SecurityError::InvalidValue("key_data"))?;
        let found = Self { key: PublicKey::new(curve, key)?, signature: Signature::new(curve, signature)? };
        let key_id = key_id.map(|key_id| [key_id as u8]);
        provider.verify(signer, &signed(&key_id, &found.key), &found.signature)?;
        Ok(found)
    }

    /// The curve.
    pub const fn curve(&self) -> Curve {
        self.key.curve()
    }
}

/// What is signed: the number of the key, where one is named, as one octet and not as Data; the key.
fn signed<'s>(key_id: &'s Option<[u8; 1]>, key: &'s PublicKey) -> [&'s [u8]; 2] {
    [key_id.as_ref().map_or(&[], |id| &id[..]), key.octets()]
}

/// The key of C(2e, 0s) and of C(1e, 1s): the parties are client and server in the first, originator and recipient in the
/// second.
///
/// # Errors
/// What the provider says of the keys.
pub fn ephemeral_key(
    provider: &dyn PublicKeyProvider,
    own: &PrivateKey,
    peer: &PublicKey,
    algorithm: Algorithm,
    parties: [SystemTitle; 2],
) -> Result<SecretKey, SecurityError> {
    let id = algorithm.id(own.curve().suite());
    provider.agree(own, peer, &[id, parties[0].octets(), parties[1].octets()])
}

/// The key of C(0e, 2s) between originator and recipient. The transaction-id makes it new, so it must not be empty and must
/// never come twice.
///
/// # Errors
/// [`SecurityError::InvalidValue`] for an empty transaction-id or one above 127 octets; what the provider says of the keys.
pub fn static_key(
    provider: &dyn PublicKeyProvider,
    own: &PrivateKey,
    peer: &PublicKey,
    parties: [SystemTitle; 2],
    transaction_id: &[u8],
) -> Result<SecretKey, SecurityError> {
    let length = match u8::try_from(transaction_id.len()) {
        Ok(length @ 1..=127) => [length],
        _ => return Err(SecurityError::InvalidValue("transaction-id")),
    };
    let id = Algorithm::Gcm.id(own.curve().suite());
    provider.agree(own, peer, &[id, parties[0].octets(), &length, transaction_id, parties[1].octets()])
}
