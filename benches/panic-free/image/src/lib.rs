//! Every engine of the library crates, compiled: functions that are not generic are in the object code of their own
//! crates, those that are become code here, by being referred to with types whose behaviour the compiler cannot foresee.
//!
//! Nothing of this runs. `panic-free-check` reads the object code.
#![no_std]
#![forbid(unsafe_code)]

mod client;
mod objects;
mod outside;
mod security;
mod server;

/// Whoever takes the address of a function, which is thereby compiled.
pub type Found<'f> = &'f mut dyn FnMut(*const ());

/// Refers to functions.
macro_rules! compiled {
    ($found:expr; $($function:expr),* $(,)?) => { $($found($function as *const ());)* };
}
pub(crate) use compiled;

/// Refers to all there is.
pub fn all(found: Found<'_>) {
    client::all(found);
    objects::all(found);
    security::all(found);
    server::all(found);
}
