//! The envelopes of protected APDUs (IEC 62056-5-3, 5.3): what stands around the protected content, which is borrowed
//! as it is. Nothing here knows a key.
//!
//! ```text
//! glo-, ded-  tag | content                                              tag of the plain service + 20/40 or 08/10
//! DB, DC | system-title | content                                        general-glo-, general-ded-ciphering
//! DD | header | key-info? | content                                      general-ciphering
//! DF | header | content | signature                                      general-signing
//! header = transaction-id | originator-system-title | recipient-system-title | date-time | other-information
//! key-info = 00 key-id (1) | 01 kek-id (1) key | 02 parameters ciphered-data
//! ```
//!
//! All fields but tags and ids are octet strings. The header of general-ciphering and general-signing is covered by the
//! tag or the signature in exactly the octets in which it came: [`GeneralHeader::received`].

use dlms_axdr::{BufferFull, DecodeError, Encoder, Reader};

use super::tag::{
    GENERAL_CIPHERING, GENERAL_DED_CIPHERING, GENERAL_GLO_CIPHERING, GENERAL_SIGNING, expect, unknown,
};

/// An APDU of one service, protected with the global or the dedicated key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceCiphering<'a> {
    /// The tag of the plain APDU inside.
    pub service: u8,
    /// Whether the dedicated key protects it (`ded-`), not the global one (`glo-`).
    pub dedicated: bool,
    /// Security header, ciphertext or plain text, and authentication tag.
    pub content: &'a [u8],
}

/// general-glo-ciphering and general-ded-ciphering: any APDU, with the system title of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneralCipheringWithTitle<'a> {
    /// Whether the dedicated key protects it, not the global one.
    pub dedicated: bool,
    /// The title of the sender; empty if it is known.
    pub system_title: &'a [u8],
    /// Security header, ciphertext or plain text, and authentication tag.
    pub content: &'a [u8],
}

/// general-ciphering: any APDU, from anybody to anybody, with what is known about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneralCiphering<'a> {
    /// From whom to whom.
    pub header: GeneralHeader<'a>,
    /// Which key.
    pub key_info: Option<KeyInfo<'a>>,
    /// Security header, ciphertext or plain text, and authentication tag.
    pub content: &'a [u8],
}

/// general-signing: any APDU, with a digital signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneralSigning<'a> {
    /// From whom to whom.
    pub header: GeneralHeader<'a>,
    /// The APDU.
    pub content: &'a [u8],
    /// The signature over header and content.
    pub signature: &'a [u8],
}

/// What general-ciphering and general-signing say about an exchange.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "the names of the standard")]
pub struct GeneralHeader<'a> {
    pub transaction_id: &'a [u8],
    pub originator_system_title: &'a [u8],
    pub recipient_system_title: &'a [u8],
    pub date_time: &'a [u8],
    pub other_information: &'a [u8],
    /// All of it in the octets in which it came; empty in one that did not come.
    pub received: &'a [u8],
}

/// Which key protects an APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyInfo<'a> {
    /// A key that both sides have.
    Identified(KeySetId),
    /// A key for this APDU, wrapped with one that both sides have.
    Wrapped {
        /// The key encryption key: 0 is the master key.
        kek_id: u8,
        /// The wrapped key.
        key: &'a [u8],
    },
    /// A key that is agreed on.
    Agreed {
        /// How.
        parameters: &'a [u8],
        /// What the other side needs for it.
        ciphered_data: &'a [u8],
    },
}

/// `key-id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeySetId {
    /// 0.
    GlobalUnicast,
    /// 1.
    GlobalBroadcast,
}

impl<'a> ServiceCiphering<'a> {
    /// The tag of the envelope of the APDU whose plain tag is `service`; `None` if the service has none.
    pub const fn tag_of(service: u8, dedicated: bool) -> Option<u8> {
        let distance = match (service, dedicated) {
            (0x01 | 0x05 | 0x06 | 0x08 | 0x0C | 0x0D | 0x0E | 0x16 | 0x18, false) => 0x20,
            (0x01 | 0x05 | 0x06 | 0x08 | 0x0C | 0x0D | 0x0E | 0x16 | 0x18, true) => 0x40,
            (0xC0..=0xC5 | 0xC7, false) => 0x08,
            (0xC0..=0xC5 | 0xC7, true) => 0x10,
            _ => return None,
        };
        service.checked_add(distance)
    }

    /// The plain tag that the tag of an envelope announces, and whether the dedicated key is used; `None` if the tag is
    /// not one of these.
    pub const fn service_of(tag: u8) -> Option<(u8, bool)> {
        let (service, dedicated) = match tag {
            0x21..=0x38 => (tag - 0x20, false),
            0x41..=0x58 => (tag - 0x40, true),
            0xC8..=0xCF => (tag - 0x08, false),
            0xD0..=0xD7 => (tag - 0x10, true),
            _ => return None,
        };
        match Self::tag_of(service, dedicated) {
            Some(_) => Some((service, dedicated)),
            None => None,
        }
    }

    /// Reads the APDU.
    ///
    /// # Errors
    /// The tag is none of these, or octets are missing.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        let tag = reader.u8()?;
        let (service, dedicated) =
            Self::service_of(tag).ok_or_else(|| unknown(&choice, "ciphered APDU", tag))?;
        Ok(Self { service, dedicated, content: reader.octet_string()? })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left, or the service has no ciphered form.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(Self::tag_of(self.service, self.dedicated).ok_or(BufferFull)?)?;
        encoder.octet_string(self.content)
    }
}

impl<'a> GeneralCipheringWithTitle<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are neither general-glo-ciphering nor general-ded-ciphering.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        let dedicated = match reader.u8()? {
            GENERAL_GLO_CIPHERING => false,
            GENERAL_DED_CIPHERING => true,
            found => return Err(unknown(&choice, "general-glo-ciphering", found)),
        };
        Ok(Self { dedicated, system_title: reader.octet_string()?, content: reader.octet_string()? })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(if self.dedicated { GENERAL_DED_CIPHERING } else { GENERAL_GLO_CIPHERING })?;
        encoder.octet_string(self.system_title)?;
        encoder.octet_string(self.content)
    }
}

impl<'a> GeneralCiphering<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not general-ciphering.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, GENERAL_CIPHERING)?;
        Ok(Self {
            header: GeneralHeader::decode(reader)?,
            key_info: if reader.usage("key-info")? { Some(KeyInfo::decode(reader)?) } else { None },
            content: reader.octet_string()?,
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(GENERAL_CIPHERING)?;
        self.header.encode(encoder)?;
        encoder.usage(self.key_info.is_some())?;
        self.key_info.map_or(Ok(()), |key_info| key_info.encode(encoder))?;
        encoder.octet_string(self.content)
    }
}

impl<'a> GeneralSigning<'a> {
    /// Reads the APDU.
    ///
    /// # Errors
    /// The octets are not general-signing.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        expect(reader, GENERAL_SIGNING)?;
        Ok(Self {
            header: GeneralHeader::decode(reader)?,
            content: reader.octet_string()?,
            signature: reader.octet_string()?,
        })
    }

    /// Writes the APDU.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.u8(GENERAL_SIGNING)?;
        self.header.encode(encoder)?;
        encoder.octet_string(self.content)?;
        encoder.octet_string(self.signature)
    }
}

impl<'a> GeneralHeader<'a> {
    /// Reads the five octet strings.
    ///
    /// # Errors
    /// Octets are missing.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let octets = reader.rest();
        let header = Self {
            transaction_id: reader.octet_string()?,
            originator_system_title: reader.octet_string()?,
            recipient_system_title: reader.octet_string()?,
            date_time: reader.octet_string()?,
            other_information: reader.octet_string()?,
            received: &[],
        };
        let length = octets.len().saturating_sub(reader.remaining());
        Ok(Self { received: octets.get(..length).unwrap_or_default(), ..header })
    }

    /// Writes the five octet strings.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.octet_string(self.transaction_id)?;
        encoder.octet_string(self.originator_system_title)?;
        encoder.octet_string(self.recipient_system_title)?;
        encoder.octet_string(self.date_time)?;
        encoder.octet_string(self.other_information)
    }
}

/// Equal if the fields are, whether they were received or not.
impl PartialEq for GeneralHeader<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.transaction_id == other.transaction_id
            && self.originator_system_title == other.originator_system_title
            && self.recipient_system_title == other.recipient_system_title
            && self.date_time == other.date_time
            && self.other_information == other.other_information
    }
}

impl Eq for GeneralHeader<'_> {}

impl<'a> KeyInfo<'a> {
    /// Reads the key information.
    ///
    /// # Errors
    /// The choice or the key id is unknown, or octets are missing.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let choice = reader.clone();
        Ok(match reader.u8()? {
            0 => {
                let choice = reader.clone();
                Self::Identified(match reader.u8()? {
                    0 => KeySetId::GlobalUnicast,
                    1 => KeySetId::GlobalBroadcast,
                    found => return Err(unknown(&choice, "key-id", found)),
                })
            }
            1 => Self::Wrapped { kek_id: reader.u8()?, key: reader.octet_string()? },
            2 => Self::Agreed { parameters: reader.octet_string()?, ciphered_data: reader.octet_string()? },
            found => return Err(unknown(&choice, "key-info", found)),
        })
    }

    /// Writes the key information.
    ///
    /// # Errors
    /// The buffer has no room left.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        match *self {
            Self::Identified(KeySetId::GlobalUnicast) => encoder.octets(&[0, 0]),
            Self::Identified(KeySetId::GlobalBroadcast) => encoder.octets(&[0, 1]),
            Self::Wrapped { kek_id, key } => {
                encoder.octets(&[1, kek_id])?;
                encoder.octet_string(key)
            }
            Self::Agreed { parameters, ciphered_data } => {
                encoder.u8(2)?;
                encoder.octet_string(parameters)?;
                encoder.octet_string(ciphered_data)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::testing::{decode, hex, mutated, never_panics, round_trip};
    use super::super::{ACTION_REQUEST, GET_REQUEST, INITIATE_REQUEST, INITIATE_RESPONSE};
    use super::*;

    #[test]
    fn service_specific() {
        for (octets, service, dedicated) in [
            ("C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B", GET_REQUEST, false),
            ("D01E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B", GET_REQUEST, true),
            ("211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9", INITIATE_REQUEST, false),
            ("281F3026ECF3DFBA974DD84AA9262FA3FD4349F7A268D0B41B4BBCDA8448715093", INITIATE_RESPONSE, false),
        ] {
            let content = hex(octets).split_off(2);
            round_trip!(ServiceCiphering, octets, ServiceCiphering { service, dedicated, content: &content });
        }
        assert_eq!(ServiceCiphering::tag_of(ACTION_REQUEST, true), Some(0xD3));
        assert_eq!(ServiceCiphering::service_of(0xCE), None, "C6 does not exist");
        assert_eq!(ServiceCiphering::service_of(0x2F), None, "a data-notification has no form of its own");
        assert_eq!(ServiceCiphering::tag_of(0xD8, false), None, "nor has an exception");
    }

    #[test]
    fn with_title() {
        for (octets, title) in [
            (
                "DB082F192291991641033B30000001E5025CE9D2271FD78BE8C204211A916A9D7F587E0A7A814CADEA89E9593F01F92EA8C087B5BDFDEFEAB6BECF282DFE49C08F5BE6DC8400",
                "2F19229199164103",
            ),
            (
                "DB084354543030303030313026ECF3E01ACF25914E9576DC0DA746172438C8242066F456E2D73F4EAB5264C69B2608DD37694CCF5BEB4FA71D51424D",
                "4354543030303030",
            ),
            (
                "DB0849435530303030302A3026ECF3E1E385CBA72F04AF871CE9C0760AC57172D7F69120791D8FC5E0A2C5E74BB43B53D2E1560671",
                "4943553030303030",
            ),
        ] {
            let (system_title, content) = (hex(title), hex(octets).split_off(11));
            let expected = GeneralCipheringWithTitle {
                dedicated: false,
                system_title: &system_title,
                content: &content,
            };
            round_trip!(GeneralCipheringWithTitle, octets, expected);
        }
    }

    #[test]
    fn general_ciphering_and_signing() {
        let id = hex("0123456789ABCDEF");
        let header = GeneralHeader {
            transaction_id: &id,
            originator_system_title: b"CTT00000",
            recipient_system_title: b"ICU00000",
            ..GeneralHeader::default()
        };
        let octets = "DD080123456789ABCDEF08435454303030303008494355303030303000000100001E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B";
        let content = hex("3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B");
        let key_info = Some(KeyInfo::Identified(KeySetId::GlobalUnicast));
        round_trip!(GeneralCiphering, octets, GeneralCiphering { header, key_info, content: &content });
        let octets = hex(octets);
        let received = decode(&octets, GeneralCiphering::decode).unwrap().header.received;
        assert_eq!(received, &octets[1..30]);

        let content = hex("C001C1000100002B0100FF0200");
        let signature = hex("DEADBEEF");
        round_trip!(
            GeneralSigning,
            "DF080123456789ABCDEF08435454303030303008494355303030303000000DC001C1000100002B0100FF020004DEADBEEF",
            GeneralSigning { header, content: &content, signature: &signature }
        );
    }

    #[test]
    fn every_key_info() {
        let (key, data) = (hex("0011223344556677"), hex("8899"));
        for (octets, key_info) in [
            ("0001", KeyInfo::Identified(KeySetId::GlobalBroadcast)),
            ("0100080011223344556677", KeyInfo::Wrapped { kek_id: 0, key: &key }),
            ("02020102028899", KeyInfo::Agreed { parameters: &[1, 2], ciphered_data: &data }),
        ] {
            round_trip!(KeyInfo, octets, key_info);
        }
        assert_eq!(decode(&[0, 2], KeyInfo::decode).unwrap_err().offset, 1);
        assert_eq!(decode(&[3, 0], KeyInfo::decode).unwrap_err().offset, 0);
    }

    proptest! {
        #[test]
        fn malformed_input(octets in mutated(&[
            "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B",
            "DB0849435530303030302A3026ECF3E1E385CBA72F04AF871CE9C0760AC57172D7F69120791D8FC5E0A2C5E74BB43B53D2E1560671",
            "DD080123456789ABCDEF08435454303030303008494355303030303000000100001E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B",
            "DF080123456789ABCDEF08435454303030303008494355303030303000000DC001C1000100002B0100FF020004DEADBEEF",
        ])) {
            never_panics(&octets, ServiceCiphering::decode);
            never_panics(&octets, GeneralCipheringWithTitle::decode);
            never_panics(&octets, GeneralCiphering::decode);
            never_panics(&octets, GeneralSigning::decode);
        }
    }
}
