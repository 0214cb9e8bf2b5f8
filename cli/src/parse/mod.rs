//! What people type: octets, references, values, times, addresses.

pub(crate) mod address;
pub(crate) mod hex;
pub(crate) mod reference;
pub(crate) mod time;
pub(crate) mod value;
