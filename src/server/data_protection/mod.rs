//! The methods of Data protection objects (class_id 30), where an association takes them
//! ([`Accepted::DATA_PROTECTION`](crate::Accepted::DATA_PROTECTION)).
//!
//! | method | parameter | return value |
//! | --- | --- | --- |
//! | 1 get_protected_attributes | objects, layers | layers, octets |
//! | 2 set_protected_attributes | objects, layers, octets | – |
//! | 3 invoke_protected_method | method, layers, octets | layers, octets, if the method returns something |
//!
//! and the protection_buffer, see `buffer`.
//!
//! The way round is no way past: what is reached by it needs the same right of the same association as if it were asked
//! for itself, and that right's demands are held against the protection of the APDU, not of the data inside.

use core::ops::Range;

use cosem_objects::{ActionResult, Context};
use dlms_axdr::{Data, Encoder, Enum, FromData};
use dlms_obis::LogicalName;
use dlms_security::{CryptoProvider, Functions, Protection, RequiredProtection, SystemTitle};

use super::event::Event;
use super::execution::Execution;
use super::session::Host;
use crate::ProtectionError;
use crate::octets::shift;
use crate::protection::{Accepted, DataLayer, Demand, SealedKeyInfo, data_layers};
use crate::xdlms::MethodDescriptor;

mod buffer;
mod listed;

pub(super) use buffer::{Filled, is_buffer};

pub(super) const DATA_PROTECTION: u16 = 30;
const REQUIRED_PROTECTION: i8 = 6;

/// What protects the data of one call.
struct Call {
    /// The security setup.
    setup: usize,
    client: SystemTitle,
    accepted: Accepted,
    required: RequiredProtection,
    /// Whether the APDU around it has proved to be new.
    is_carried: bool,
}

/// A structure of two, or three, fields.
const TWO: &[u8] = &[0x02, 2];

impl Execution<'_> {
    /// Invokes a method of the Data protection object at place `index`; gives how long the return value is.
    pub(super) fn invoke_data_protection<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        index: usize,
        method: i8,
        parameter: Data<'_>,
        value: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let call = self.call(host, index).ok_or(ActionResult::ReadWriteDenied)?;
        match method {
            1 => {
                let (objects, layers) = FromData::from_data(parameter)?;
                self.get_protected_attributes(host, &call, objects, layers, value)
            }
            2 => {
                let (objects, layers, octets) = FromData::from_data(parameter)?;
                self.set_protected_attributes(host, &call, objects, layers, octets, value)
            }
            3 => {
                let (method, layers, octets) = FromData::from_data(parameter)?;
                self.invoke_protected_method(host, &call, method, layers, octets, value)
            }
            _ => Err(ActionResult::ReadWriteDenied),
        }
    }

    /// `None` if the association does not take protected data, or cannot.
    fn call<P: CryptoProvider>(&self, host: &Host<'_, P>, index: usize) -> Option<Call> {
        let config = host.associations.get(usize::from(self.requester.association.0))?;
        let accepted = config.accepted;
        if self.is_broadcast || !config.ciphered || !accepted.contains(Accepted::DATA_PROTECTION) {
            return None;
        }
        let context = Context { association: Some(self.requester.association), device: host.device };
        let mut octets = [0; 2];
        let mut encoder = Encoder::new(&mut octets);
        host.device.object(index)?.get(REQUIRED_PROTECTION, None, &context, &mut encoder).ok()?;
        let Enum(bits) = Enum::from_data(Data::from_octets(encoder.written()).ok()?).ok()?;
        Some(Call {
            setup: config.security?,
            client: self.client?,
            accepted,
            required: RequiredProtection::from_policy_v1(bits).ok()?,
            is_carried: self.requester.protection.contains(Protection::AUTHENTICATED),
        })
    }

    fn get_protected_attributes<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        call: &Call,
        objects: Data<'_>,
        layers: Data<'_>,
        value: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let layers = self.checked(call.layers(host, layers, call.required.response()))?;
        let end = self.read_listed(host, objects, value)?;
        let protected = call.protect(host, &layers, value, 0..end);
        self.checked(protected)
    }

    fn set_protected_attributes<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        call: &Call,
        objects: Data<'_>,
        layers: Data<'_>,
        octets: &[u8],
        value: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let layers = self.checked(call.layers(host, layers, call.required.request()))?;
        self.set_listed(host, call, objects, &layers, octets, value)?;
        Ok(0)
    }

    fn invoke_protected_method<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        call: &Call,
        method: Data<'_>,
        layers: Data<'_>,
        octets: &[u8],
        value: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let layers = self.checked(call.layers(host, layers, call.required.request()))?;
        let (class_id, instance_id, method_id): (u16, LogicalName, i8) = FromData::from_data(method)?;
        let method = MethodDescriptor::new(class_id, instance_id, method_id);
        if method.class_id == DATA_PROTECTION {
            return Err(ActionResult::ReadWriteDenied);
        }
        self.requester.method(host.device, &method)?;
        // What is returned could not be protected as the object demands.
        if !DataLayer::protection_of(&layers).contains(call.required.response()) {
            return Err(ActionResult::ReadWriteDenied);
        }
        let (room, returned) = value.split_at_mut_checked(octets.len()).ok_or(ActionResult::OtherReason)?;
        room.copy_from_slice(octets);
        let plain = self.checked(call.unprotect(host, &layers, room))?;
        let plain =
            Data::from_octets(room.get(plain).unwrap_or(&[])).map_err(|_| ActionResult::TypeUnmatched)?;
        // No keys are changed by this way.
        let room = self.room.take();
        let length = self.invoke(host, &method, plain, returned);
        self.room = room;
        let length = length?;
        if length == 0 {
            return Ok(0);
        }
        shift(value, octets.len()..octets.len().saturating_add(length), 0).map_err(too_long)?;
        let protected = call.protect(host, &layers, value, 0..length);
        // It was invoked: that is not denied any more.
        self.checked(protected).map_err(|_| ActionResult::OtherReason)
    }

    /// Tells the application why protected data were refused; the client learns no more than that they were.
    fn checked<T>(&mut self, result: Result<T, ProtectionError>) -> Result<T, ActionResult> {
        result.map_err(|error| {
            self.events.push(Event::SecurityViolation { error });
            ActionResult::ReadWriteDenied
        })
    }
}

impl Call {
    /// The layers that a parameter tells of, if they are all that is required.
    fn layers<P: CryptoProvider>(
        &self,
        host: &Host<'_, P>,
        parameters: Data<'_>,
        required: Protection,
    ) -> Result<heapless::Vec<DataLayer, 2>, ProtectionError> {
        let layers = data_layers(parameters, host.system_title, self.client)?;
        let is_taken = layers.iter().all(|layer| match layer.protection {
            Protection::SIGNED => self.accepted.contains(Accepted::SIGNING),
            _ => self.accepted.takes(layer.envelope()),
        });
        if !is_taken {
            return Err(ProtectionError::NotAllowed);
        }
        if DataLayer::protection_of(&layers).contains(required) {
            Ok(layers)
        } else {
            Err(ProtectionError::Required)
        }
    }

    fn protect<P: CryptoProvider>(
        &self,
        host: &mut Host<'_, P>,
        layers: &[DataLayer],
        value: &mut [u8],
        data: Range<usize>,
    ) -> Result<usize, ProtectionError> {
        let (mut keys, counters) = host.keys(self.setup, None).ok_or(ProtectionError::NoKey)?;
        keys.protect_data(counters, layers, self.client, TWO, value, data)
    }

    fn seal<P: CryptoProvider>(
        &self,
        host: &mut Host<'_, P>,
        layers: &[DataLayer],
        value: &mut [u8],
        data: Range<usize>,
    ) -> Result<(Range<usize>, SealedKeyInfo), ProtectionError> {
        let (mut keys, counters) = host.keys(self.setup, None).ok_or(ProtectionError::NoKey)?;
        keys.seal_data(counters, layers, self.client, value, data)
    }

    fn unprotect<P: CryptoProvider>(
        &self,
        host: &mut Host<'_, P>,
        layers: &[DataLayer],
        octets: &mut [u8],
    ) -> Result<Range<usize>, ProtectionError> {
        let (mut keys, counters) = host.keys(self.setup, None).ok_or(ProtectionError::NoKey)?;
        let demand = Demand {
            accepted: self.accepted,
            floors: keys.context.floors(),
            is_carried: self.is_carried,
            ..Demand::new(self.client, self.required.request())
        };
        keys.unprotect_data(counters, &demand, layers, octets)
    }
}

impl<P: CryptoProvider> Host<'_, P> {
    /// Whether a program has what protected data need.
    pub(super) const HAS_DATA_PROTECTION: bool =
        P::FUNCTIONS.contains(Functions::DATA_PROTECTION.union(Functions::GENERAL_ENVELOPES));
}

fn too_long(_: dlms_axdr::BufferFull) -> ActionResult {
    ActionResult::OtherReason
}
