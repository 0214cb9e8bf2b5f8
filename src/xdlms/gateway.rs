//! The gateway prefix, tags `E6` and `E7`: an APDU for, or from, a meter behind a gateway.
//!
//! ```text
//! E6 | network-id (1) | physical-device-address (octet string) | APDU      to the meter
//! E7 | network-id (1) | physical-device-address (octet string) | APDU      from the meter
//! ```

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};

use super::tag::{GATEWAY_REQUEST, GATEWAY_RESPONSE, unknown};

/// An APDU with the address of the meter behind a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway<'a> {
    /// Whether it comes from the meter.
    pub is_response: bool,
    /// The network behind the gateway.
    pub network_id: u8,
    /// The address of the meter in that network.
    pub physical_device_address: &'a [u8],
    /// The APDU: all that is left.
    pub apdu: &'a [u8],
}

impl<'a> Gateway<'a> {
    /// Reads the prefix, and everything after it as the APDU.
    ///
    /// # Errors
    /// The octets are not a gateway request or response.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        let is_response = match reader.u8()? {
            GATEWAY_REQUEST => false,
            GATEWAY_RESPONSE => true,
            found => return Err(unknown(&choice, "gateway-request", found)),
        };
        Ok(Self {
            is_response,
            network_id: reader.u8()?,
            physical_device_address: reader.octet_string()?,
            apdu: reader.octets(reader.remaining())?,
        })
    }

    /// Writes prefix and APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(if self.is_response { GATEWAY_RESPONSE } else { GATEWAY_REQUEST })?;
        encoder.u8(self.network_id)?;
        encoder.octet_string(self.physical_device_address)?;
        encoder.octets(self.apdu)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::testing::{decode, mutated, never_panics};
    use super::*;

    proptest! {
        #[test]
        fn any_prefix(is_response: bool, network_id: u8, address: Vec<u8>, apdu: Vec<u8>) {
            let prefixed = Gateway { is_response, network_id, physical_device_address: &address, apdu: &apdu };
            let mut buffer = vec![0; address.len() + apdu.len() + 8];
            let mut encoder = Encoder::new(&mut buffer);
            prefixed.encode(&mut encoder).unwrap();
            prop_assert_eq!(decode(encoder.written(), Gateway::decode).unwrap(), prefixed);
        }

        #[test]
        fn malformed_input(octets in mutated(&["E60002AABBC001C1000100002B0100FF0200"])) {
            never_panics(&octets, Gateway::decode);
        }
    }
}
