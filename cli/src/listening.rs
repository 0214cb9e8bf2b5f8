//! The options of a listener: its keys, and what it demands of a notification.

use clap::Args;
use dlms_security::{CryptoLibrary, Protection, SystemTitle};

use crate::connection::{Security, library, title};
use crate::failure::{Failure, Result};
use crate::target::Keys;

/// The keys of a listener, as they were written.
#[derive(Args, Clone, Default)]
pub(crate) struct ListenOptions {
    /// Security suite: 0, 1 or 2
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    suite: u8,
    /// The least protection of a notification [default: auth-enc with --ek, else none]
    #[arg(long, value_enum)]
    security: Option<Security>,
    /// Block cipher key, hexadecimal
    #[arg(long, value_name = "HEX", env = "DLMS_EK", hide_env_values = true)]
    ek: Option<String>,
    /// Authentication key, hexadecimal
    #[arg(long, value_name = "HEX", env = "DLMS_AK", hide_env_values = true)]
    ak: Option<String>,
    /// System title of the sender, where a notification does not carry it
    #[arg(long, value_name = "HEX")]
    system_title: Option<String>,
    /// Cryptographic library: rustcrypto, or aws-lc where it is built in [default: rustcrypto]
    #[arg(long, value_name = "NAME", env = "DLMS_CRYPTO")]
    crypto: Option<String>,
}

/// The keys of a listener, and what it demands.
pub(crate) struct ListenKeys {
    pub(crate) keys: Option<Keys>,
    pub(crate) protection: Protection,
    pub(crate) system_title: Option<SystemTitle>,
    pub(crate) library: CryptoLibrary,
}

impl ListenOptions {
    /// What the options come to.
    pub(crate) fn resolve(&self) -> Result<ListenKeys> {
        let keys = match &self.ek {
            Some(encryption) => Some(Keys::new(Some(self.suite), encryption, self.ak.as_deref())?),
            None => None,
        };
        let protection = match (self.security, &keys) {
            (Some(security), _) => security.protection(),
            (None, Some(_)) => Security::AuthEnc.protection(),
            (None, None) => Protection::empty(),
        };
        if keys.is_none() && !protection.is_empty() {
            return Err(Failure::usage("--security needs --ek"));
        }
        let system_title = title(self.system_title.as_deref(), "--system-title")?;
        Ok(ListenKeys { keys, protection, system_title, library: library(self.crypto.as_deref())? })
    }
}
