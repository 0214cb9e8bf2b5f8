//! Data protection (class_id 30) from the client's side: the parameters of its methods, and the values that come back.
//!
//! What goes to the meter is made here, what comes back is opened here; the calls are those of any method. The meter must
//! take it, see [`Accepted::DATA_PROTECTION`](crate::Accepted::DATA_PROTECTION), which says too what of all this is not
//! confirmed.
//!
//! ```text
//! let parameter = method_request(env, server, relay, &layers, &0i8, &mut buffer)?;
//! client.action(env, ActionItem::new(DataProtection::INVOKE_PROTECTED_METHOD.of(object).into(), &parameter), out)?;
//! ```

use cosem_objects::classes::{ProtectedObject, ProtectionParameters};
use dlms_axdr::{Array, Data, Encode, Encoder, FromData};
use dlms_security::{CryptoProvider, SystemTitle};
use heapless::Vec;

use super::Environment;
use crate::ProtectionError;
use crate::protection::{DataLayer, Demand, data_layers};
use crate::xdlms::MethodDescriptor;

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
    let mut parameters = Vec::<ProtectionParameters<'_>, 2>::new();
    for layer in layers {
        // It is the server that applies them.
        let layer = layer.parameters(&server, &own_title, None);
        parameters.push(layer).map_err(|_| ProtectionError::Nested)?;
    }
    let mut encoder = Encoder::new(&mut *buffer);
    (Array(objects), Array(&parameters)).encode(&mut encoder)?;
    let length = encoder.len();
    whole(buffer, length)
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
    let (mut keys, counters) = env.keys(None).ok_or(ProtectionError::NoKey)?;
    let layers = data_layers(parameters, keys.context.own_title(), demand.peer)?;
    let room = buffer.get_mut(..octets.len()).ok_or(ProtectionError::BufferFull)?;
    room.copy_from_slice(octets);
    let data = keys.unprotect_data(counters, demand, &layers, room)?;
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
