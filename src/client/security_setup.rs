//! Security setup (class_id 64) from the client's side: the parameters of its methods, and what their results mean.
//!
//! What goes to the meter is made here, what comes back is checked here; the calls are those of any method:
//!
//! ```text
//! let parameter = key_transfer(provider, suite, &kek, &keys, &mut buffer)?;
//! client.action(env, ActionItem::new(SecuritySetup::KEY_TRANSFER.of(setup).into(), &parameter), out)?;
//! // after the answer, which is still under the old keys:
//! let mut new = NewKeys::new();
//! new.add(provider, suite, KeyId::GlobalUnicast, &key, counters, PeerWindows::new())?;
//! new.take_effect(context, key_ring);
//! ```
//!
//! If the answer is lost the meter has the old keys or the new ones, never a mixture: both are to be tried.
//! [`rotation`](super::rotation) does all of it, and finishes what was interrupted.

use cosem_objects::classes::KeyData;
use dlms_axdr::{BufferFull, Data, Encoder, FromData};
use dlms_security::agreement::{Algorithm, SignedKey, ephemeral_key};
use dlms_security::keys::{MAX_WRAPPED_KEY, wrap_key};
use dlms_security::{
    CryptoProvider, KeyId, PrivateKey, PublicKey, PublicKeyProvider, SecretKey, SecurityError, SecuritySuite,
    SystemTitle,
};
use heapless::Vec;

/// Keys with their names, each at most once.
pub type KeyList = Vec<(KeyId, SecretKey), { KeyId::ALL.len() }>;

/// Writes the parameter of key_transfer into `buffer`: keys under the master key that the meter has now.
///
/// # Errors
/// [`SecurityError::KeyLength`] for a key that is not the suite's, [`SecurityError::BufferTooSmall`]: 50 octets for each
/// key are enough.
pub fn key_transfer<'b, P: CryptoProvider>(
    provider: &P,
    suite: SecuritySuite,
    kek: &P::WrapKey,
    keys: &[(KeyId, SecretKey)],
    buffer: &'b mut [u8],
) -> Result<Data<'b>, SecurityError> {
    let available = buffer.len();
    let too_small = |_: BufferFull| SecurityError::BufferTooSmall { needed: available + 1, available };
    let mut encoder = Encoder::new(&mut *buffer);
    encoder.array(keys.len()).map_err(too_small)?;
    for (id, key) in keys {
        let mut wrapped = [0; MAX_WRAPPED_KEY];
        let octets = wrap_key(provider, suite, kek, key, &mut wrapped)?;
        encoder.data(&KeyData { key_id: id.id(), octets }).map_err(too_small)?;
    }
    let length = encoder.len();
    whole(buffer, length)
}

/// A key agreement that was begun: the ephemeral private keys, until the meter has answered. One that will not be
/// [finished](Self::finish) is [abandoned](Self::abandon).
#[derive(Debug)]
pub struct KeyAgreement {
    ephemeral: Vec<(KeyId, PrivateKey), { KeyId::ALL.len() }>,
    master_key_algorithm: Algorithm,
}

impl KeyAgreement {
    /// Draws an ephemeral key pair for each key, and writes the parameter of key_agreement into `buffer`.
    ///
    /// # Errors
    /// What the provider answers; [`SecurityError::InvalidValue`] for none or more than four keys;
    /// [`SecurityError::BufferTooSmall`]: 200 octets for each key are enough.
    pub fn begin<'b>(
        provider: &dyn PublicKeyProvider,
        signing_key: &PrivateKey,
        keys: &[KeyId],
        buffer: &'b mut [u8],
    ) -> Result<(Self, Data<'b>), SecurityError> {
        let available = buffer.len();
        let too_small = |_: BufferFull| SecurityError::BufferTooSmall { needed: available + 1, available };
        let mut agreement = Self { ephemeral: Vec::new(), master_key_algorithm: Algorithm::Gcm };
        let mut encoder = Encoder::new(&mut *buffer);
        encoder.array(keys.len()).map_err(too_small)?;
        if keys.is_empty() || keys.len() > KeyId::ALL.len() {
            return Err(SecurityError::InvalidValue("number of keys"));
        }
        let begun = keys.iter().try_for_each(|&id| {
            let (ephemeral, signed) = SignedKey::generate(provider, signing_key, Some(id))?;
            agreement
                .ephemeral
                .push((id, ephemeral))
                .map_err(|_| SecurityError::InvalidValue("number of keys"))?;
            let mut octets = Vec::<u8, { SignedKey::MAX_LENGTH }>::new();
            let written = octets.extend_from_slice(signed.key.octets());
            written
                .and_then(|()| octets.extend_from_slice(signed.signature.octets()))
                .map_err(|_| SecurityError::Provider)?;
            encoder.data(&KeyData { key_id: id.id(), octets: &octets }).map_err(too_small)
        });
        if let Err(error) = begun {
            agreement.abandon(provider);
            return Err(error);
        }
        let length = encoder.len();
        Ok((agreement, whole(buffer, length)?))
    }

    /// Takes AES key wrap as the algorithm of an agreed master key, for a meter that is known to do so.
    #[must_use]
    pub const fn with_master_key_for_wrapping(mut self) -> Self {
        self.master_key_algorithm = Algorithm::Wrap;
        self
    }

    /// Checks the meter's answer and derives the keys; `parties` are the titles of client and server.
    ///
    /// # Errors
    /// [`SecurityError::InvalidValue`] if the answer is not one to this agreement;
    /// [`SecurityError::SignatureMismatch`] and [`SecurityError::InvalidKey`] if it is not the meter's.
    pub fn finish<P: CryptoProvider>(
        self,
        provider: &P,
        public_keys: &dyn PublicKeyProvider,
        server_key: &PublicKey,
        parties: [SystemTitle; 2],
        answer: Data<'_>,
    ) -> Result<KeyList, SecurityError> {
        let mut keys = KeyList::new();
        let derived = self.derive(public_keys, server_key, parties, answer, &mut keys);
        self.abandon(public_keys);
        if let Err(error) = derived {
            keys.iter().for_each(|(_, key)| provider.discard(key));
            return Err(error);
        }
        Ok(keys)
    }

    /// Gives the agreement up, its answer being lost: a secure element frees the ephemeral private keys.
    pub fn abandon(self, public_keys: &dyn PublicKeyProvider) {
        self.ephemeral.iter().for_each(|(_, key)| public_keys.discard(key));
    }

    fn derive(
        &self,
        provider: &dyn PublicKeyProvider,
        server_key: &PublicKey,
        parties: [SystemTitle; 2],
        answer: Data<'_>,
        keys: &mut KeyList,
    ) -> Result<(), SecurityError> {
        const WRONG: SecurityError = SecurityError::InvalidValue("answer to key_agreement");
        let Data::Array(entries) = answer else { return Err(WRONG) };
        if entries.len() != self.ephemeral.len() {
            return Err(WRONG);
        }
        for ((id, ephemeral), entry) in self.ephemeral.iter().zip(entries) {
            let entry = KeyData::from_data(entry).map_err(|_| WRONG)?;
            if entry.key_id != id.id() {
                return Err(WRONG);
            }
            let theirs = SignedKey::verified(provider, server_key, Some(*id), entry.octets)?;
            let algorithm = if *id == KeyId::Master { self.master_key_algorithm } else { Algorithm::Gcm };
            let key = ephemeral_key(provider, ephemeral, &theirs.key, algorithm, parties)?;
            keys.push((*id, key)).map_err(|_| WRONG)?;
        }
        Ok(())
    }
}

/// What was just written.
fn whole(buffer: &[u8], length: usize) -> Result<Data<'_>, SecurityError> {
    let octets = buffer.get(..length).unwrap_or(&[]);
    Data::from_octets(octets).map_err(|_| SecurityError::InvalidValue("parameter"))
}
