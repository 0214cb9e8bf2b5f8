//! key-info of general-ciphering: which key, and how the recipient comes by one that serves for this APDU alone.
//!
//! ```text
//! 00                                absent: the global unicast key
//! 01 00 kk                          identified: 00 global unicast, 01 global broadcast
//! 01 01 00 length wrapped           wrapped with the master key, 24 or 40 octets
//! 01 02 01 01 length Q signature    agreed, one-pass Diffie-Hellman C(1e, 1s)
//! 01 02 01 02 00                    agreed, static unified model C(0e, 2s)
//! ```
//!
//! `Q` is the originator's ephemeral key, signed alone. The tag does not cover key-info; its own signature, wrapping or
//! the key itself does.

use dlms_axdr::Encoder;
use dlms_security::agreement::{Algorithm, SignedKey, ephemeral_key, static_key};
use dlms_security::keys::{MAX_WRAPPED_KEY, unwrap_key, wrap_key};
use dlms_security::{
    CryptoProvider, Curve, KeyUsage, PublicKey, SecretKey, SecurityError, SecuritySuite, SystemTitle,
};

use super::envelope::KeyClass;
use super::error::ProtectionError;
use super::keys::{Form, Keys};
use super::public_keys::Asymmetric;
use super::transaction::TransactionId;
use crate::xdlms::{KeyInfo, KeySetId};

/// The most octets of key-info: one-pass Diffie-Hellman on P-384.
pub(super) const MAX_LENGTH: usize = 6 + SignedKey::MAX_LENGTH;

const ONE_PASS_DIFFIE_HELLMAN: &[u8] = &[1];
const STATIC_UNIFIED_MODEL: &[u8] = &[2];
const MASTER_KEY: u8 = 0;

/// Which class of key a key-info names.
pub(super) fn class(info: Option<&KeyInfo<'_>>) -> Result<KeyClass, ProtectionError> {
    Ok(match info {
        None | Some(KeyInfo::Identified(KeySetId::GlobalUnicast)) => KeyClass::Global,
        Some(KeyInfo::Identified(KeySetId::GlobalBroadcast)) => KeyClass::Broadcast,
        Some(KeyInfo::Wrapped { kek_id: MASTER_KEY, .. }) => KeyClass::Wrapped,
        Some(KeyInfo::Agreed { parameters: ONE_PASS_DIFFIE_HELLMAN, .. }) => KeyClass::OnePassDiffieHellman,
        Some(KeyInfo::Agreed { parameters: STATIC_UNIFIED_MODEL, ciphered_data: [] }) => {
            KeyClass::StaticUnifiedModel
        }
        Some(KeyInfo::Wrapped { .. }) => return Err(ProtectionError::InvalidHeader("kek-id")),
        Some(KeyInfo::Agreed { .. }) => return Err(ProtectionError::InvalidHeader("key-parameters")),
    })
}

/// From whom a key for one message comes.
pub(super) struct Sender<'s> {
    pub(super) originator: SystemTitle,
    pub(super) transaction: &'s TransactionId,
}

/// A key for one message. Its provider is told when it is not used any more.
pub(super) struct Passing<'p, P: CryptoProvider> {
    provider: &'p P,
    key: SecretKey,
}

/// The same, ready to use. What was made ready goes first.
pub(super) struct OneMessageKey<'p, P: CryptoProvider> {
    pub(super) ready: P::AeadKey,
    _key: Passing<'p, P>,
}

impl<'p, P: CryptoProvider> Passing<'p, P> {
    pub(super) fn make_ready(self, suite: SecuritySuite) -> Result<OneMessageKey<'p, P>, SecurityError> {
        Ok(OneMessageKey { ready: self.provider.aead_key(suite, &self.key)?, _key: self })
    }
}

impl<P: CryptoProvider> Drop for Passing<'_, P> {
    fn drop(&mut self) {
        self.provider.discard(&self.key);
    }
}

impl<'k, P: CryptoProvider> Keys<'k, P> {
    /// The key for one message that a received key-info leads to.
    pub(super) fn received_key(
        &self,
        sender: &Sender<'_>,
        info: Option<&KeyInfo<'_>>,
    ) -> Result<Passing<'k, P>, ProtectionError> {
        let (suite, own_title) = (self.context.suite, self.context.own_title);
        let key = match info {
            Some(KeyInfo::Wrapped { key, .. }) => {
                let kek = self.key_ring.as_deref().and_then(|ring| ring.kek.as_ref());
                unwrap_key(self.provider, suite, kek.ok_or(ProtectionError::NoKey)?, key)?
            }
            Some(KeyInfo::Agreed { parameters: ONE_PASS_DIFFIE_HELLMAN, ciphered_data }) => {
                let (asymmetric, curve) = self.asymmetric()?;
                let own_key = asymmetric.own.key(KeyUsage::KeyAgreement, curve)?;
                let signer = asymmetric.peer(sender.originator, KeyUsage::DigitalSignature, curve)?;
                let ephemeral = SignedKey::verified(asymmetric.provider, &signer, None, ciphered_data)?;
                let parties = [sender.originator, own_title];
                ephemeral_key(asymmetric.provider, own_key, &ephemeral.key, Algorithm::Gcm, parties)?
            }
            Some(KeyInfo::Agreed { .. }) => {
                self.static_key(sender.originator, sender.originator, own_title, sender.transaction)?
            }
            _ => return Err(ProtectionError::NoKey),
        };
        Ok(self.passing(key))
    }

    const fn passing(&self, key: SecretKey) -> Passing<'k, P> {
        Passing { provider: self.provider, key }
    }

    /// Makes a key for one message, and writes the key-info that leads the recipient to it.
    pub(super) fn sent_key(
        &self,
        form: &Form<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<Passing<'k, P>, ProtectionError> {
        let (suite, own_title) = (self.context.suite, self.context.own_title);
        match form.envelope.key {
            KeyClass::Wrapped => {
                let kek = self.key_ring.as_deref().and_then(|ring| ring.kek.as_ref());
                let kek = kek.ok_or(ProtectionError::NoKey)?;
                let key = self.passing(self.provider.generate_key(suite)?);
                let mut wrapped = [0; MAX_WRAPPED_KEY];
                encoder.octets(&[1, 1, MASTER_KEY])?;
                encoder.octet_string(wrap_key(self.provider, suite, kek, &key.key, &mut wrapped)?)?;
                Ok(key)
            }
            KeyClass::OnePassDiffieHellman => {
                let (asymmetric, curve) = self.asymmetric()?;
                let provider = asymmetric.provider;
                let signing_key = asymmetric.own.key(KeyUsage::DigitalSignature, curve)?;
                let recipient = asymmetric.peer(form.recipient, KeyUsage::KeyAgreement, curve)?;
                let (ephemeral, signed) = SignedKey::generate(provider, signing_key, None)?;
                let parties = [own_title, form.recipient];
                let key = ephemeral_key(provider, &ephemeral, &recipient, Algorithm::Gcm, parties);
                provider.discard(&ephemeral);
                let key = self.passing(key?);
                encoder.octets(&[1, 2, 1])?;
                encoder.octets(ONE_PASS_DIFFIE_HELLMAN)?;
                encoder.length(curve.pair_len().saturating_mul(2))?;
                encoder.octets(signed.key.octets())?;
                encoder.octets(signed.signature.octets())?;
                Ok(key)
            }
            KeyClass::StaticUnifiedModel => {
                encoder.octets(&[1, 2, 1])?;
                encoder.octets(STATIC_UNIFIED_MODEL)?;
                encoder.length(0)?;
                let key = self.static_key(form.recipient, own_title, form.recipient, &form.transaction)?;
                Ok(self.passing(key))
            }
            KeyClass::Global | KeyClass::Dedicated | KeyClass::Broadcast => Err(ProtectionError::NoKey),
        }
    }

    /// The key of C(0e, 2s), which the transaction-id makes new: an empty one would give the same key each time.
    fn static_key(
        &self,
        peer: SystemTitle,
        originator: SystemTitle,
        recipient: SystemTitle,
        transaction: &TransactionId,
    ) -> Result<SecretKey, ProtectionError> {
        let (asymmetric, curve) = self.asymmetric()?;
        let own_key = asymmetric.own.key(KeyUsage::KeyAgreement, curve)?;
        let peer = asymmetric.peer(peer, KeyUsage::KeyAgreement, curve)?;
        let parties = [originator, recipient];
        Ok(static_key(asymmetric.provider, own_key, &peer, parties, transaction.octets())?)
    }
}

impl Asymmetric<'_> {
    /// The public key of a peer that this side trusts.
    pub(crate) fn peer(
        &self,
        title: SystemTitle,
        usage: KeyUsage,
        curve: Curve,
    ) -> Result<PublicKey, SecurityError> {
        let key = self.peers.public_key(title, usage).filter(|key| key.curve() == curve);
        key.ok_or(SecurityError::KeyMissing)
    }
}
