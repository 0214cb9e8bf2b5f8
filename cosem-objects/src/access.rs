//! Who may do what to an attribute or a method, and selective access.

use dlms_axdr::Data;

bitflags::bitflags! {
    /// The access rights to one attribute or method, with the protection that a request and its response must have.
    ///
    /// The bits are those of the access mode of Association LN version 3; the enumerations of versions 0 to 2 are
    /// mapped to them. A method's right to be invoked is bit 0.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct AccessRights: u8 {
        /// The attribute may be read; the method may be invoked.
        const READ = 0x01;
        /// The attribute may be written.
        const WRITE = 0x02;
        /// The request must be authenticated.
        const AUTHENTICATED_REQUEST = 0x04;
        /// The request must be encrypted.
        const ENCRYPTED_REQUEST = 0x08;
        /// The request must be digitally signed.
        const SIGNED_REQUEST = 0x10;
        /// The response must be authenticated.
        const AUTHENTICATED_RESPONSE = 0x20;
        /// The response must be encrypted.
        const ENCRYPTED_RESPONSE = 0x40;
        /// The response must be digitally signed.
        const SIGNED_RESPONSE = 0x80;
        /// The method may be invoked.
        const INVOKE = 0x01;
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for AccessRights {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "AccessRights({=u8:#x})", self.bits());
    }
}

/// A selective access descriptor: which part of an attribute is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccessSelector<'a> {
    /// The access selector, whose meaning the class defines.
    pub selector: u8,
    /// The access parameters.
    pub parameters: Data<'a>,
}

impl AccessRights {
    /// The access mode of an attribute as the object_list of Association LN has it in `version` of the class.
    ///
    /// Versions 0 to 2 know fewer kinds of protection: what they cannot say is left out.
    pub const fn attribute_mode(self, version: u8) -> u8 {
        if version >= 3 {
            return self.bits();
        }
        let mode = self.bits() & (Self::READ.bits() | Self::WRITE.bits());
        let authenticated = self.intersects(Self::AUTHENTICATED_REQUEST.union(Self::AUTHENTICATED_RESPONSE));
        if version > 0 && mode > 0 && authenticated { mode + 3 } else { mode }
    }

    /// The access mode of a method as the object_list of Association LN has it in `version` of the class; a boolean in
    /// version 0.
    pub const fn method_mode(self, version: u8) -> u8 {
        if version >= 3 {
            return self.bits() & !Self::WRITE.bits();
        }
        let authenticated = self.intersects(Self::AUTHENTICATED_REQUEST.union(Self::AUTHENTICATED_RESPONSE));
        match self.contains(Self::INVOKE) {
            false => 0,
            true if version > 0 && authenticated => 2,
            true => 1,
        }
    }

    /// The rights that an attribute's access mode in an object_list grants.
    pub const fn from_attribute_mode(mode: u8, version: u8) -> Option<Self> {
        match (version, mode) {
            (3.., bits) => Some(Self::from_bits_retain(bits)),
            (_, 0..=3) => Some(Self::from_bits_retain(mode)),
            (1 | 2, 4..=6) => Some(Self::from_bits_retain(mode - 3).union(Self::AUTHENTICATED_REQUEST)),
            _ => None,
        }
    }

    /// The rights that a method's access mode in an object_list grants.
    pub const fn from_method_mode(mode: u8, version: u8) -> Option<Self> {
        match (version, mode) {
            (3.., bits) => Some(Self::from_bits_retain(bits)),
            (_, 0..=1) => Some(Self::from_bits_retain(mode)),
            (1 | 2, 2) => Some(Self::INVOKE.union(Self::AUTHENTICATED_REQUEST)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_each_version() {
        let protected = AccessRights::READ | AccessRights::WRITE | AccessRights::AUTHENTICATED_REQUEST;
        assert_eq!([0, 1, 2, 3].map(|version| protected.attribute_mode(version)), [3, 6, 6, 7]);
        assert_eq!([0, 1, 2, 3].map(|version| protected.method_mode(version)), [1, 2, 2, 5]);
        assert_eq!(AccessRights::from_attribute_mode(6, 1), Some(protected));
        assert_eq!(AccessRights::from_attribute_mode(6, 0), None);
        assert_eq!(AccessRights::from_attribute_mode(7, 2), None);
        assert_eq!(AccessRights::from_attribute_mode(7, 3), Some(protected));
    }
}
