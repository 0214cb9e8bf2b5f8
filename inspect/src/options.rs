//! What is known about the octets beforehand.

use core::fmt;
use core::str::FromStr;

use dlms_security::{AuthenticationKey, Secret, SystemTitle};

/// What an [`Inspector`](crate::Inspector) is told. The default finds the framing by itself and has no keys.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the octets begin with.
    pub framing: Framing,
    /// Whether known deviations of real meters are put up with, and named.
    pub lenient: bool,
    /// The global (block cipher) encryption key, EK.
    pub encryption_key: Option<Secret<32>>,
    /// The authentication key, AK. Without it tags stay unchecked.
    pub authentication_key: Option<AuthenticationKey>,
    /// The dedicated key, for `ded-` and general-ded-ciphering; one that is agreed on in the exchange is picked up.
    pub dedicated_key: Option<Secret<32>>,
    /// The meter's system title, for what does not carry it.
    pub system_title: Option<SystemTitle>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            framing: Framing::Auto,
            lenient: false,
            encryption_key: None,
            authentication_key: None,
            dedicated_key: None,
            system_title: None,
        }
    }
}

macro_rules! framings {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What octets begin with.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Framing {
            $($(#[$doc])* $variant,)*
        }

        impl Framing {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name, `llc-apdu` for instance.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

framings! {
    /// To be found.
    #[default]
    Auto = "auto",
    /// HDLC frames, flags included.
    Hdlc = "hdlc",
    /// The TCP/UDP wrapper.
    Wrapper = "wrapper",
    /// Wired M-Bus. Not covered yet.
    Mbus = "mbus",
    /// Wireless M-Bus. Not covered yet.
    Wmbus = "wmbus",
    /// The three octets of the LLC, then an APDU.
    LlcApdu = "llc-apdu",
    /// An APDU alone.
    Apdu = "apdu",
    /// One A-XDR encoded value.
    AxdrData = "axdr-data",
    /// A P1 telegram. Not covered yet.
    P1Ascii = "p1-ascii",
    /// An IEC 62056-21 read-out. Not covered yet.
    Iec62056Part21 = "iec62056-21",
}

impl FromStr for Framing {
    type Err = UnknownFraming;

    fn from_str(name: &str) -> Result<Self, UnknownFraming> {
        Self::ALL.iter().copied().find(|framing| framing.name() == name).ok_or(UnknownFraming)
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of a [`Framing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown framing; known are auto, hdlc, wrapper, mbus, wmbus, llc-apdu, apdu, axdr-data, p1-ascii, iec62056-21"
)]
pub struct UnknownFraming;
