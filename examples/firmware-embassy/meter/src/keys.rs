//! Keys and cryptography: those of the interoperability tests. A real meter gets its own at manufacture.

use core::sync::atomic::AtomicU32;

use dlms::SecurityContext;
use dlms::security::{
    AuthenticationKey, CounterId, SecretKey, SecurityError, SecuritySuite, SuiteZero, SystemTitle,
};

/// The system title of the meter.
pub const TITLE: SystemTitle = SystemTitle::from_octets(*b"GURX0001");
/// The system title of the client whose counter is shown.
pub const CLIENT: SystemTitle = SystemTitle::from_octets([0x47, 0x55, 0x52, 0x58, 0, 0, 0, 1]);
/// The place of the only security setup.
pub const GMAC: usize = 0;
/// Where the counters of its key are kept.
pub const COUNTERS: CounterId = CounterId(1);

/// The software that computes: suite 0 and nothing else.
pub type Provider = SuiteZero<fn(&mut [u8]) -> Result<(), SecurityError>>;

/// The last invocation counter that was accepted from the client.
pub static COUNTER: AtomicU32 = AtomicU32::new(0);

pub fn provider() -> Provider {
    SuiteZero::new(random)
}

pub fn contexts(provider: &Provider) -> Result<[SecurityContext<Provider>; 1], SecurityError> {
    let suite = SecuritySuite::Suite0;
    let key = |first: u8| SecretKey::new(suite, &core::array::from_fn::<u8, 16, _>(|n| first + n as u8));
    let authentication = AuthenticationKey::from_key(suite, &key(0xD0)?)?;
    Ok([SecurityContext::new(provider, suite, TITLE, &key(0)?, authentication, COUNTERS, 0)?])
}

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    if embassy_board::random(out) { Ok(()) } else { Err(SecurityError::RandomUnavailable) }
}
