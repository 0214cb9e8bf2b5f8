//! A value as it was read.

use dlms_axdr::{Data, DecodeError, OwnedData};

/// One COSEM value in its octets, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    octets: Vec<u8>,
}

impl Value {
    /// The value that takes all of `octets`.
    ///
    /// # Errors
    /// They do not decode.
    pub fn new(octets: Vec<u8>) -> Result<Self, DecodeError> {
        Data::from_octets(&octets)?;
        Ok(Self { octets })
    }

    /// The encoded value.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The value, borrowed.
    pub fn data(&self) -> Data<'_> {
        // What is here was decoded before; the fallback is never taken.
        Data::from_octets(&self.octets).unwrap_or(Data::NullData)
    }

    /// The value, owned.
    pub fn to_owned_data(&self) -> OwnedData {
        self.data().to_owned()
    }
}
