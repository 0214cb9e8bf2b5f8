//! The providers that are built: each test that names none runs with every one of them.

#[cfg(feature = "aws-lc-rs")]
use dlms_security::{AwsLc, Backend};
use dlms_security::{NoRandom, RustCrypto};

#[cfg(feature = "aws-lc-rs")]
pub(crate) type Provider = Backend<NoRandom>;
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) type Provider = RustCrypto<NoRandom>;

#[cfg(feature = "aws-lc-rs")]
pub(crate) const PROVIDERS: &[(&str, Provider)] =
    &[("RustCrypto", Backend::RustCrypto(RustCrypto::new(NoRandom))), ("AWS-LC", Backend::AwsLc(AwsLc))];
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) const PROVIDERS: &[(&str, Provider)] = &[("RustCrypto", RustCrypto::new(NoRandom))];
