//! Even parity on a port that has eight bits and none: bit 7 is the parity of the others.

/// The character with its parity in bit 7.
pub const fn with_even_parity(character: u8) -> u8 {
    let bits = character & 0x7F;
    bits | ((bits.count_ones() as u8 & 1) << 7)
}

/// The character without its parity; `None` if the parity is wrong.
pub const fn checked(character: u8) -> Option<u8> {
    if character.count_ones() & 1 == 0 { Some(character & 0x7F) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_an_8n1_port_sees_it() {
        let seen: [u8; 5] = [0xAF, 0x3F, 0x21, 0x8D, 0x0A];
        assert_eq!(b"/?!\r\n".map(with_even_parity), seen);
        assert_eq!(b"\x06252\r\n".map(with_even_parity), [0x06, 0xB2, 0x35, 0xB2, 0x8D, 0x0A]);
        for character in 0..=255 {
            match checked(character) {
                Some(bits) => assert_eq!(with_even_parity(bits), character),
                None => assert_ne!(with_even_parity(character), character),
            }
        }
    }
}
