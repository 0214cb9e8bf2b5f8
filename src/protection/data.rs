//! Protected Data: what Data protection (class_id 30) makes of values, which is general-ciphering and general-signing
//! around Data instead of an APDU.
//!
//! ```text
//! layers ‖ octet-string      layers        array of protection parameters, in the order in which they were applied
//!                            octet-string  DF header content signature    one layer around the other, the last one
//!                                          DD header key-info content     outside; the innermost content is Data
//! ```
//!
//! Which octets the protection covers here is not certain: see [`Accepted::DATA_PROTECTION`].

use core::ops::Range;

use cosem_objects::classes::{ProtectionKeyInfo, ProtectionParameters, ProtectionType};
use dlms_axdr::{Array, Data, Encode, Encoder, FromData, Reader};
use dlms_security::{CounterStore, CryptoProvider, Protection, SystemTitle};
use heapless::Vec;

use super::envelope::{Accepted, Carrier, Envelope, KeyClass};
use super::error::ProtectionError;
use super::key_info;
use super::keys::{Demand, Form, Keys};
use super::transaction::TransactionId;
use crate::octets::shift;
use crate::xdlms::{GENERAL_CIPHERING, GENERAL_SIGNING, GeneralCiphering, KeyInfo};

/// One layer of protected Data: a ciphering or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataLayer {
    /// What it does: authentication, encryption, both, or a signature.
    pub protection: Protection,
    /// The key of a ciphering.
    pub key: KeyClass,
    /// Its transaction-id.
    pub transaction: TransactionId,
}

/// At most one ciphering and one signature.
pub(crate) type DataLayers = Vec<DataLayer, 2>;

/// Reads protection parameters. One side of each layer must be `own`, the other `peer`; empty titles are nobody's.
pub(crate) fn data_layers(
    parameters: Data<'_>,
    own: SystemTitle,
    peer: SystemTitle,
) -> Result<DataLayers, ProtectionError> {
    let Data::Array(elements) = parameters else { return Err(INVALID) };
    let mut layers = DataLayers::new();
    for element in elements {
        let parameters = ProtectionParameters::from_data(element).map_err(|_| INVALID)?;
        let protection = match parameters.protection_type {
            ProtectionType::Authentication => Protection::AUTHENTICATED,
            ProtectionType::Encryption => Protection::ENCRYPTED,
            ProtectionType::AuthenticationAndEncryption => Protection::AUTHENTICATED_ENCRYPTED,
            ProtectionType::DigitalSignature => Protection::SIGNED,
        };
        let titles = [parameters.originator_system_title, parameters.recipient_system_title];
        if !titles.iter().all(|title| title.is_empty() || *title == own.octets() || *title == peer.octets()) {
            return Err(ProtectionError::WrongTitle);
        }
        let key = match (parameters.protection_type, parameters.key_info) {
            (ProtectionType::DigitalSignature, _) => KeyClass::Global,
            (_, ProtectionKeyInfo::None) => return Err(INVALID),
            (_, ProtectionKeyInfo::Identified(0)) => KeyClass::Global,
            (_, ProtectionKeyInfo::Wrapped { kek_id: 0, .. }) => KeyClass::Wrapped,
            (_, ProtectionKeyInfo::Agreed { key_parameters: [1], .. }) => KeyClass::OnePassDiffieHellman,
            (_, ProtectionKeyInfo::Agreed { key_parameters: [2], .. }) => KeyClass::StaticUnifiedModel,
            // A value for one meter is not protected with the key of a group.
            _ => return Err(ProtectionError::NotAllowed),
        };
        let transaction = TransactionId::new(parameters.transaction_id).ok_or(INVALID)?;
        layers.push(DataLayer { protection, key, transaction }).map_err(|_| ProtectionError::Nested)?;
    }
    match layers.as_slice() {
        [] => Err(ProtectionError::Required),
        [one, two] if one.is_signature() == two.is_signature() => Err(ProtectionError::Nested),
        [one, two] if one.transaction != two.transaction => Err(ProtectionError::WrongTransaction),
        _ => Ok(layers),
    }
}

const INVALID: ProtectionError = ProtectionError::InvalidHeader("protection-parameters");

impl DataLayer {
    /// What all layers together do.
    pub(crate) fn protection_of(layers: &[Self]) -> Protection {
        layers.iter().fold(Protection::empty(), |all, layer| all | layer.protection)
    }

    const fn is_signature(&self) -> bool {
        self.protection.contains(Protection::SIGNED)
    }

    pub(crate) const fn envelope(&self) -> Envelope {
        Envelope { carrier: Carrier::GeneralCiphering, key: self.key }
    }

    const fn protection_type(&self) -> ProtectionType {
        match (self.is_signature(), self.protection.contains(Protection::AUTHENTICATED_ENCRYPTED)) {
            (true, _) => ProtectionType::DigitalSignature,
            (_, true) => ProtectionType::AuthenticationAndEncryption,
            _ if self.protection.contains(Protection::ENCRYPTED) => ProtectionType::Encryption,
            _ => ProtectionType::Authentication,
        }
    }

    /// The parameters that ask for this layer, or tell of it: then with the key-info that it has.
    pub(crate) fn parameters<'p>(
        &'p self,
        originator: &'p SystemTitle,
        recipient: &'p SystemTitle,
        told: Option<ProtectionKeyInfo<'p>>,
    ) -> ProtectionParameters<'p> {
        let key_info = match (self.key, told) {
            _ if self.is_signature() => ProtectionKeyInfo::None,
            (_, Some(told)) => told,
            (KeyClass::Wrapped, _) => ProtectionKeyInfo::Wrapped { kek_id: 0, key_ciphered_data: &[] },
            (KeyClass::OnePassDiffieHellman, _) => {
                ProtectionKeyInfo::Agreed { key_parameters: &[1], key_ciphered_data: &[] }
            }
            (KeyClass::StaticUnifiedModel, _) => {
                ProtectionKeyInfo::Agreed { key_parameters: &[2], key_ciphered_data: &[] }
            }
            _ => ProtectionKeyInfo::Identified(0),
        };
        ProtectionParameters {
            protection_type: self.protection_type(),
            transaction_id: self.transaction.octets(),
            originator_system_title: originator.octets(),
            recipient_system_title: recipient.octets(),
            other_information: &[],
            key_info,
        }
    }
}

/// The key-info of the ciphering among the layers of protected Data, as it is in its header; empty if it has none.
pub(crate) struct SealedKeyInfo(Vec<u8, { key_info::MAX_LENGTH }>);

impl SealedKeyInfo {
    /// What protection parameters tell of it: the key that was wrapped, or agreed on, for this one ciphering.
    pub(crate) fn told(&self) -> Result<Option<ProtectionKeyInfo<'_>>, ProtectionError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        Ok(match KeyInfo::decode(&mut Reader::new(&self.0))? {
            KeyInfo::Wrapped { kek_id, key } => {
                Some(ProtectionKeyInfo::Wrapped { kek_id, key_ciphered_data: key })
            }
            KeyInfo::Agreed { parameters, ciphered_data } => Some(ProtectionKeyInfo::Agreed {
                key_parameters: parameters,
                key_ciphered_data: ciphered_data,
            }),
            KeyInfo::Identified(_) => None,
        })
    }
}

impl<P: CryptoProvider> Keys<'_, P> {
    /// Applies the layers to the Data at `data` of `buffer`, in order; says where the protected octets are.
    pub(crate) fn seal_data(
        &mut self,
        store: &mut dyn CounterStore,
        layers: &[DataLayer],
        recipient: SystemTitle,
        buffer: &mut [u8],
        data: Range<usize>,
    ) -> Result<(Range<usize>, SealedKeyInfo), ProtectionError> {
        let mut info = Vec::new();
        let mut range = data;
        for layer in layers {
            if layer.key == KeyClass::Dedicated || layer.key == KeyClass::Broadcast {
                return Err(ProtectionError::NotAllowed);
            }
            let form = Form::new(layer.envelope(), layer.protection, recipient, layer.transaction);
            range = self.seal(store, &form, buffer, range)?;
            if !layer.is_signature() {
                let mut reader = Reader::new(buffer.get(range.clone()).unwrap_or(&[]));
                if let Some(key_info) = GeneralCiphering::decode(&mut reader)?.key_info {
                    let mut octets = [0; key_info::MAX_LENGTH];
                    let mut encoder = Encoder::new(&mut octets);
                    key_info.encode(&mut encoder)?;
                    info.extend_from_slice(encoder.written()).map_err(|_| ProtectionError::BufferFull)?;
                }
            }
        }
        Ok((range, SealedKeyInfo(info)))
    }

    /// The same, and writes `head`, the parameters and the protected octets to the start of the buffer. Returns how long
    /// that is.
    pub(crate) fn protect_data(
        &mut self,
        store: &mut dyn CounterStore,
        layers: &[DataLayer],
        recipient: SystemTitle,
        head: &[u8],
        buffer: &mut [u8],
        data: Range<usize>,
    ) -> Result<usize, ProtectionError> {
        let own_title = self.context.own_title;
        let (range, info) = self.seal_data(store, layers, recipient, buffer, data)?;
        let info = info.told()?;
        let mut told = Vec::<ProtectionParameters<'_>, 2>::new();
        for layer in layers {
            let parameters = layer.parameters(&own_title, &recipient, info);
            told.push(parameters).map_err(|_| ProtectionError::Nested)?;
        }
        // The protected octets go to the end, what stands before them to the start.
        let length = range.len();
        let end = buffer.len().checked_sub(length).ok_or(ProtectionError::BufferFull)?;
        shift(buffer, range, end)?;
        let (front, protected) = buffer.split_at_mut_checked(end).ok_or(ProtectionError::BufferFull)?;
        let mut encoder = Encoder::new(front);
        encoder.octets(head)?;
        Array(&told).encode(&mut encoder)?;
        encoder.octets(&[0x09])?;
        encoder.length(length)?;
        encoder.octets(protected)?;
        Ok(encoder.len())
    }

    /// Removes the layers of protected Data in place; says where the Data is. `demand` is held against what was there.
    pub(crate) fn unprotect_data(
        &mut self,
        store: &mut dyn CounterStore,
        demand: &Demand,
        layers: &[DataLayer],
        octets: &mut [u8],
    ) -> Result<Range<usize>, ProtectionError> {
        let (protection, outermost) = (DataLayer::protection_of(layers), layers.last());
        let tag = match outermost.is_some_and(DataLayer::is_signature) {
            true => GENERAL_SIGNING,
            false => GENERAL_CIPHERING,
        };
        if octets.first() != Some(&tag) {
            return Err(ProtectionError::Required);
        }
        let carriers = Accepted::SERVICE_SPECIFIC | Accepted::WITH_TITLE | Accepted::BROADCAST;
        let demand = Demand {
            accepted: demand.accepted - carriers,
            required: demand.required | protection,
            ..*demand
        };
        let opened = self.open(store, &demand, octets)?;
        // What the parameters say is only told; what was verified must be the same.
        let is_as_told = opened.protection == protection
            && opened.transaction == outermost.map(|layer| layer.transaction)
            && layers.iter().all(|layer| {
                layer.is_signature() || opened.envelope.is_some_and(|envelope| envelope.key == layer.key)
            });
        if is_as_told { Ok(opened.apdu) } else { Err(INVALID) }
    }
}
