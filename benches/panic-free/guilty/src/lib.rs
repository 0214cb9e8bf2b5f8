//! What the check must find, each time it looks.
#![no_std]
#![forbid(unsafe_code)]

/// Panics.
pub fn index(octets: &[u8], index: usize) -> u8 {
    octets[index]
}

/// Panics where sums are checked.
pub fn sum(one: u32, other: u32) -> u32 {
    one + other
}

/// Panics in a function that no other crate can name.
pub fn hidden(octets: &[u8]) -> &'static dyn Fn(&[u8]) -> u8 {
    #[inline(never)]
    fn last(octets: &[u8]) -> u8 {
        octets[octets.len() - 1]
    }
    if octets.is_empty() { &|_| 0 } else { &last }
}
