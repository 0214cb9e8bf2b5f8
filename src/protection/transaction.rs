//! The transaction-id of general-ciphering and general-signing: a response carries that of its request.

use core::fmt;

use dlms_security::{CryptoProvider, SecurityError};

/// A transaction-id, 0 to 32 octets. The default one is empty.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TransactionId {
    octets: [u8; Self::MAX_LENGTH],
    len: u8,
}

impl TransactionId {
    /// The longest transaction-id that is taken: 32 octets. A longer one could make a signature of authentication
    /// mechanism 7 pass as one of general-signing.
    pub const MAX_LENGTH: usize = 32;
    /// Octets of those that this side draws.
    pub(crate) const DRAWN: usize = 8;

    /// A transaction-id of these octets; `None` if they are more than [`TransactionId::MAX_LENGTH`].
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut id = Self { len: u8::try_from(octets.len()).ok()?, ..Self::default() };
        id.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(id)
    }

    /// A fresh one.
    pub(crate) fn draw<P: CryptoProvider>(provider: &P) -> Result<Self, SecurityError> {
        let mut octets = [0; Self::DRAWN];
        provider.random(&mut octets)?;
        Self::new(&octets).ok_or(SecurityError::Provider)
    }

    /// How many octets it has.
    pub(crate) const fn octets_len(&self) -> usize {
        self.len as usize
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&self.octets)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets().iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}
