//! Data protection (class_id 30) from the client's side: the parameters of its methods, and the values that come back.
//!
//! What goes to the meter is made here, what comes back is opened here; the calls are those of any method or attribute. The
//! meter must take it, see [`Accepted::DATA_PROTECTION`](crate::Accepted::DATA_PROTECTION), which says too what of all this is not
//! confirmed.
//!
//! ```text
//! let parameter = method_request(env, server, relay, &layers, &0i8, &mut buffer)?;
//! client.action(env, ActionItem::new(DataProtection::INVOKE_PROTECTED_METHOD.of(object).into(), &parameter), out)?;
//! ```
//!
//! protection_buffer needs no method: [`parameters`] are written once, to protection_parameters_get with the server as
//! originator, to protection_parameters_set with the client. Whoever then reads the buffer opens it with [`open_buffer`];
//! whoever writes it makes it with [`buffer`].

use cosem_objects::classes::{ProtectedObject, ProtectionParameters};
use dlms_axdr::{Array, BufferFull, Data, Encode, Encoder, FromData};
use dlms_security::{CryptoProvider, SystemTitle};
use heapless::Vec;

use super::Environment;
use crate::ProtectionError;
use crate::protection::{DataLayer, Demand, data_layers};
use crate::xdlms::MethodDescriptor;

/// Protection parameters, to be written as an array.
#[derive(Clone, Debug)]
pub struct Parameters<'p>(Vec<ProtectionParameters<'p>, 2>);

impl Encode for Parameters<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        Array(&self.0).encode(encoder)
    }
}

/// Octets of what stands before the protected octets of a request, besides the parameters.
const HEAD: usize = 512;

/// The parameter of get_protected_attributes: these attributes, protected so.
///
/// # Errors
/// [`ProtectionError::BufferFull`].
pub fn get_request<'b>(
    own_title: SystemTitle,
    server: SystemTitle,
    objects: &[ProtectedObject<'_>],
    layers: &[DataLayer],
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    // It is the server that applies them.
    let parameters = parameters(layers, &server, &own_title)?;
    let mut encoder = Encoder::new(&mut *buffer);
    (Array(objects), parameters).encode(&mut encoder)?;
    let length = encoder.len();
    whole(buffer, length)
}

/// What protection_parameters_get and protection_parameters_set hold, where `originator` applies these layers.
///
/// # Errors
/// [`ProtectionError::Nested`]: more than two layers.
pub fn parameters<'p>(
    layers: &'p [DataLayer],
    originator: &'p SystemTitle,
    recipient: &'p SystemTitle,
) -> Result<Parameters<'p>, ProtectionError> {
    let mut parameters = Vec::new();
    for layer in layers {
        let layer = layer.parameters(originator, recipient, None);
        parameters.push(layer).map_err(|_| ProtectionError::Nested)?;
    }
    Ok(Parameters(parameters))
}

/// The parameter of set_protected_attributes: these attributes and their values, a structure of as many.
///
/// # Errors
/// [`ProtectionError`]: a key is missing, or the buffer is too small. The list of objects has room for 500 octets.
pub fn set_request<'b, P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    server: SystemTitle,
    objects: &[ProtectedObject<'_>],
    layers: &[DataLayer],
    values: &dyn Encode,
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    request(env, server, &Array(objects), layers, values, buffer)
}

/// The parameter of invoke_protected_method: this method and its parameter.
///
/// # Errors
/// [`ProtectionError`]: a key is missing, or the buffer is too small.
pub fn method_request<'b, P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    server: SystemTitle,
    method: MethodDescriptor,
    layers: &[DataLayer],
    parameter: &dyn Encode,
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    let MethodDescriptor { class_id, instance_id, method_id } = method;
    request(env, server, &(class_id, instance_id, method_id), layers, parameter, buffer)
}

/// Opens what a method returned: parameters and protected octets. What is taken, and what is required, is said by
/// `demand`; it [is carried](Demand::is_carried) if the answer came in an APDU that was authenticated.
///
/// # Errors
/// [`ProtectionError`]: it is not protected as it says, or not as demanded.
pub fn open<'b, P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    demand: &Demand,
    returned: Data<'_>,
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    let fields = <(Data<'_>, &[u8])>::from_data(returned);
    let (parameters, octets) = fields.map_err(|_| ProtectionError::InvalidHeader("protected data"))?;
    let (keys, _) = env.keys(None).ok_or(ProtectionError::NoKey)?;
    let layers = data_layers(parameters, keys.context.own_title(), demand.peer)?;
    open_octets(env, demand, &layers, octets, buffer)
}

/// The value of protection_buffer that writes these values, a structure of as many as protection_object_list has objects,
/// protected as protection_parameters_set says.
///
/// # Errors
/// [`ProtectionError`]: a key is missing, or the buffer is too small.
pub fn buffer<'b, P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    server: SystemTitle,
    layers: &[DataLayer],
    values: &dyn Encode,
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    let mut encoder = Encoder::new(&mut *buffer);
    values.encode(&mut encoder)?;
    let length = encoder.len();
    let (mut keys, counters) = env.keys(None).ok_or(ProtectionError::NoKey)?;
    let range = keys.seal_data(counters, layers, server, buffer, 0..length)?.0;
    Ok(Data::OctetString(buffer.get(range).unwrap_or(&[])))
}

/// Opens a protection_buffer that was read: a structure of the values of the listed objects. It must be protected with
/// these layers, those of protection_parameters_get. For `demand` see [`open`].
///
/// # Errors
/// [`ProtectionError`]: it is not protected so, or not as demanded.
pub fn open_buffer<'b, P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    demand: &Demand,
    layers: &[DataLayer],
    value: Data<'_>,
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    let Data::OctetString(octets) = value else {
        return Err(ProtectionError::InvalidHeader("protection_buffer"));
    };
    open_octets(env, demand, layers, octets, buffer)
}

fn open_octets<'b, P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    demand: &Demand,
    layers: &[DataLayer],
    octets: &[u8],
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    let (mut keys, counters) = env.keys(None).ok_or(ProtectionError::NoKey)?;
    let room = buffer.get_mut(..octets.len()).ok_or(ProtectionError::BufferFull)?;
    room.copy_from_slice(octets);
    let data = keys.unprotect_data(counters, demand, layers, room)?;
    Ok(Data::from_octets(buffer.get(data).unwrap_or(&[]))?)
}

fn request<'b, P: CryptoProvider>(
    env: &mut Environment<'_, P>,
    server: SystemTitle,
    target: &dyn Encode,
    layers: &[DataLayer],
    data: &dyn Encode,
    buffer: &'b mut [u8],
) -> Result<Data<'b>, ProtectionError> {
    let mut head = [0; HEAD];
    let mut encoder = Encoder::new(&mut head);
    encoder.structure(3)?;
    target.encode(&mut encoder)?;
    let head = encoder.written();
    let mut encoder = Encoder::new(&mut *buffer);
    data.encode(&mut encoder)?;
    let length = encoder.len();
    let (mut keys, counters) = env.keys(None).ok_or(ProtectionError::NoKey)?;
    let length = keys.protect_data(counters, layers, server, head, buffer, 0..length)?;
    whole(buffer, length)
}

fn whole(buffer: &[u8], length: usize) -> Result<Data<'_>, ProtectionError> {
    Ok(Data::from_octets(buffer.get(..length).unwrap_or(&[]))?)
}
