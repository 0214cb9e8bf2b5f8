//! No cryptography: for a meter whose associations have none or a password.

use dlms_security::{AdditionalData, CryptoProvider, Functions, SecretKey, SecurityError, SecuritySuite};

const NONE: SecurityError = SecurityError::MechanismUnavailable;

pub struct NoCipher;

impl CryptoProvider for NoCipher {
    type AeadKey = ();
    type WrapKey = ();
    const FUNCTIONS: Functions = Functions::empty();

    fn aead_key(&self, _: SecuritySuite, _: &SecretKey) -> Result<(), SecurityError> {
        Err(NONE)
    }

    fn seal(
        &self,
        (): &(),
        _: &[u8; 12],
        _: &AdditionalData<'_>,
        _: &mut [u8],
    ) -> Result<[u8; 12], SecurityError> {
        Err(NONE)
    }

    fn open(
        &self,
        (): &(),
        _: &[u8; 12],
        _: &AdditionalData<'_>,
        _: &mut [u8],
        _: &[u8; 12],
    ) -> Result<(), SecurityError> {
        Err(NONE)
    }

    fn apply_keystream(&self, (): &(), _: &[u8; 12], _: &mut [u8]) -> Result<(), SecurityError> {
        Err(NONE)
    }

    fn wrap_key(&self, _: SecuritySuite, _: &SecretKey) -> Result<(), SecurityError> {
        Err(NONE)
    }

    fn wrap<'o>(&self, (): &(), _: &SecretKey, _: &'o mut [u8]) -> Result<&'o [u8], SecurityError> {
        Err(NONE)
    }

    fn unwrap(&self, _: SecuritySuite, (): &(), _: &[u8]) -> Result<SecretKey, SecurityError> {
        Err(NONE)
    }

    fn random(&self, _: &mut [u8]) -> Result<(), SecurityError> {
        Err(SecurityError::RandomUnavailable)
    }
}
