//! Log lines of firmware, by `defmt`. A program for an operating system has no logger for them, without which it could not
//! be linked: there they are nothing.

macro_rules! log {
    ($level:ident, $text:literal $(, $value:expr)*) => {{
        #[cfg(all(feature = "defmt", target_os = "none"))]
        defmt::$level!($text $(, $value)*);
        #[cfg(not(all(feature = "defmt", target_os = "none")))]
        if false {
            let _ = ($(&$value,)*);
        }
    }};
}

pub(crate) use log;
