//! Keys and cryptography.
//!
//! The keys that a meter is made with are here, in the program: those of the interoperability tests. A real meter gets its
//! own at manufacture.

use board::Flash;
use dlms::SecurityContext;
use dlms_security::{
    AuthenticationKey, CounterId, FlashCounters, RustCrypto, SecretKey, SecurityError, SecuritySuite,
    SystemTitle,
};

/// The system title of the meter.
pub const TITLE: SystemTitle = SystemTitle::from_octets(*b"GURX0001");

/// The software that computes, and where its random numbers come from.
pub type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>>;

/// The place of the security setups.
pub const GMAC: usize = 0;

const COUNTERS: u32 = 0;
const COUNTERS_AREA: u32 = 0x1000;

/// What protects messages.
pub struct Keys {
    pub provider: Provider,
    pub security: [SecurityContext<Provider>; 1],
    pub counters: FlashCounters<Flash, 16>,
}

impl Keys {
    pub fn new(flash: Flash) -> Result<Self, SecurityError> {
        let provider: Provider = RustCrypto::new(random);
        let suite = SecuritySuite::Suite0;
        let encryption: [u8; 16] = core::array::from_fn(|n| n as u8);
        let authentication: [u8; 16] = core::array::from_fn(|n| 0xD0 + n as u8);
        let gmac = SecurityContext::new(
            &provider,
            suite,
            TITLE,
            &SecretKey::new(suite, &encryption)?,
            AuthenticationKey::for_suite(suite, &authentication)?,
            CounterId(0),
            0,
        )?;
        let counters = FlashCounters::open(flash, COUNTERS, COUNTERS_AREA)
            .or_else(|_| FlashCounters::format(flash, COUNTERS, COUNTERS_AREA))?;
        Ok(Self { provider, security: [gmac], counters })
    }
}

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    if board::random(out) { Ok(()) } else { Err(SecurityError::RandomUnavailable) }
}
