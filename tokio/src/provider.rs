//! Cryptography in software, by the library that a configuration names, with the operating system's random numbers.

use dlms_security::{Backend, CryptoLibrary, Random, RustCrypto, SecurityError};

/// The operating system's source of random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        getrandom::fill(out).map_err(|_| SecurityError::RandomUnavailable)
    }
}

/// The provider that is used unless another one is given: either library, chosen when the program starts.
pub type Provider = Backend<OsRandom>;

/// The provider on the library that is used unless another one is named.
pub const fn provider() -> Provider {
    Backend::RustCrypto(RustCrypto::new(OsRandom))
}

/// The provider on this library.
///
/// # Errors
/// [`SecurityError::NotBuiltIn`]: AWS-LC comes with the feature `aws-lc-rs`.
pub fn provider_on(library: CryptoLibrary) -> Result<Provider, SecurityError> {
    Backend::new(library, OsRandom)
}
