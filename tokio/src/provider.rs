//! Cryptography in software, with the operating system's random numbers.

use dlms_security::{Random, RustCrypto, SecurityError};

/// The operating system's source of random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        getrandom::fill(out).map_err(|_| SecurityError::RandomUnavailable)
    }
}

/// The provider that is used unless another one is given.
pub type Provider = RustCrypto<OsRandom>;

/// The provider that is used unless another one is given.
pub fn provider() -> Provider {
    RustCrypto::new(OsRandom)
}
