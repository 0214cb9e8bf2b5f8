//! The subcommands, one file each.

mod certificate;
pub(crate) mod decode;
pub(crate) mod demo;
pub(crate) mod image;
pub(crate) mod invoke;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod objects;
pub(crate) mod pki;
mod pki_show;
pub(crate) mod profile;
pub(crate) mod read;
pub(crate) mod serve;
pub(crate) mod set;
