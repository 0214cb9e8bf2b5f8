//! key_agreement: keys by the ephemeral unified model C(2e, 0s).
//!
//! ```text
//! key_data = ephemeral public key ‖ signature( key_id ‖ ephemeral public key )
//! key      = KDF( Z, AlgorithmID ‖ client title ‖ server title )
//! ```
//!
//! The client is party U, the server party V; each entry has ephemeral keys of its own.

use cosem_objects::ActionResult;
use cosem_objects::classes::KeyData;
use dlms_axdr::{BufferFull, Data, Encoder};
use dlms_security::agreement::{Algorithm, SignedKey, ephemeral_key};
use dlms_security::{CryptoProvider, KeyId, KeyStore, KeyUsage};

use super::install::{KeyList, for_each_key, unusable};
use super::{KeyManager, Setup};

impl<P: CryptoProvider, S: KeyStore> KeyManager<P, S> {
    /// Method 3. Every signature and every point is checked before anything is installed.
    pub(super) fn key_agreement(
        &mut self,
        setup: &Setup<'_, P>,
        parameter: Data<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ActionResult> {
        setup.expect_confidential()?;
        let Data::Array(entries) = parameter else { return Err(ActionResult::TypeUnmatched) };
        let usage = KeyUsage::DigitalSignature;
        let (client, curve) =
            setup.client.zip(setup.context.suite().curve()).ok_or(ActionResult::OtherReason)?;
        let pairs = setup.key_pairs.as_ref().ok_or(ActionResult::OtherReason)?;
        let own = pairs.own.key(usage, curve).map_err(unusable)?;
        let peer = pairs.peers.public_key(client, usage).filter(|key| key.curve() == curve);
        let peer = peer.ok_or(ActionResult::OtherReason)?;
        let parties = [client, setup.context.own_title()];
        encoder.array(entries.len()).map_err(too_long)?;
        let mut keys = KeyList::new();
        let agreed = for_each_key(parameter, |id, data| {
            let theirs = SignedKey::verified(pairs.provider, &peer, Some(id), data).map_err(unusable)?;
            let (ephemeral, ours) = SignedKey::generate(pairs.provider, own, Some(id)).map_err(unusable)?;
            let algorithm = match id {
                KeyId::Master if self.agrees_master_key_for_wrapping => Algorithm::Wrap,
                _ => Algorithm::Gcm,
            };
            let key = ephemeral_key(pairs.provider, &ephemeral, &theirs.key, algorithm, parties);
            pairs.provider.discard(&ephemeral);
            keys.push((id, key.map_err(unusable)?)).map_err(|_| ActionResult::OtherReason)?;
            let mut key_data = heapless::Vec::<u8, { SignedKey::MAX_LENGTH }>::new();
            let whole = key_data.extend_from_slice(ours.key.octets());
            whole
                .and_then(|()| key_data.extend_from_slice(ours.signature.octets()))
                .map_err(|_| ActionResult::OtherReason)?;
            encoder.data(&KeyData { key_id: id.id(), octets: &key_data }).map_err(too_long)
        });
        // The answer leaves in one APDU, under the old keys.
        let fits = setup.room.is_some_and(|room| encoder.len() <= room);
        let agreed = agreed.and(if fits { Ok(()) } else { Err(ActionResult::OtherReason) });
        self.install(setup, &keys, agreed)
    }
}

pub(super) const fn too_long(_: BufferFull) -> ActionResult {
    ActionResult::OtherReason
}
