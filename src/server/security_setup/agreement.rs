//! key_agreement: keys by the ephemeral unified model C(2e, 0s).
//!
//! ```text
//! key_data = ephemeral public key ‖ signature( key_id ‖ ephemeral public key )
//! key      = KDF( Z, AlgorithmID ‖ client title ‖ server title )
//! ```
//!
//! The client is party U, the server party V; each entry has ephemeral keys of its own.

use cosem_objects::ActionResult;
use dlms_axdr::{Data, Encoder};
use dlms_security::{CryptoProvider, KeyStore};

use super::{KeyManager, Setup};

impl<P: CryptoProvider, S: KeyStore> KeyManager<P, S> {
    /// Method 3.
    pub(super) fn key_agreement(
        &mut self,
        _setup: &Setup<'_, P>,
        _parameter: Data<'_>,
        _encoder: &mut Encoder<'_>,
    ) -> Result<(), ActionResult> {
        Err(ActionResult::ReadWriteDenied)
    }
}
