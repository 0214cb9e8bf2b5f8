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

/// A selective access descriptor: which part of an attribute is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccessSelector<'a> {
    /// The access selector, whose meaning the class defines.
    pub selector: u8,
    /// The access parameters.
    pub parameters: Data<'a>,
}
