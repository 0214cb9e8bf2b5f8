//! Data protection (class_id 30): values and parameters with protection of their own, through methods or the buffer.
//!
//! The meter must take it, see [`Accepted::DATA_PROTECTION`](dlms::Accepted::DATA_PROTECTION), which says too what of all
//! this is not confirmed.

use cosem_objects::classes::{DataProtection, ProtectedObject};
use dlms::client::data_protection::{
    buffer, get_request, method_request, open, open_buffer, parameters, set_request,
};
use dlms::client::{ActionItem, ClientError, Environment, SetItem};
use dlms::xdlms::MethodDescriptor;
use dlms::{DataLayer, Demand, ProtectionError};
use dlms_axdr::{Array, Data, Encode};
use dlms_obis::LogicalName;
use dlms_security::hls::Manufacturer;
use dlms_security::{CryptoProvider, Protection, SystemTitle};

use super::exchange::environment;
use super::{Client, Value};
use crate::Error;
use crate::options::Identity;

/// The longest protected value that is sent.
const LONGEST: usize = 0x1_0000;

/// A Data protection object of the meter, and the layers in which data travel through it, either way.
pub struct RemoteDataProtection<'c, P: CryptoProvider> {
    client: &'c mut Client<P>,
    logical_name: LogicalName,
    layers: &'c [DataLayer],
}

impl<P: CryptoProvider> Client<P> {
    /// The Data protection object of this name, and the layers in which data travel through it.
    pub const fn data_protection<'c>(
        &'c mut self,
        logical_name: LogicalName,
        layers: &'c [DataLayer],
    ) -> RemoteDataProtection<'c, P> {
        RemoteDataProtection { client: self, logical_name, layers }
    }
}

impl<P: CryptoProvider> RemoteDataProtection<'_, P> {
    /// Reads attributes by get_protected_attributes; gives a structure of their values.
    ///
    /// # Errors
    /// The meter refuses, or what it returned is not protected with these layers.
    pub async fn get(&mut self, objects: &[ProtectedObject<'_>]) -> Result<Value, Error> {
        let method = DataProtection::<0>::GET_PROTECTED_ATTRIBUTES.of(self.logical_name).into();
        let (own, server) = self.titles()?;
        let layers = self.layers;
        self.call(method, |_, room| get_request(own, server, objects, layers, room)).await?;
        let returned = self.client.returned().await?.ok_or(Error::Unexpected)?;
        self.open(&returned)
    }

    /// Sets attributes by set_protected_attributes. `values` is a structure of as many values.
    ///
    /// # Errors
    /// The meter refuses; after [`Error::Timeout`] whether anything was set is unknown.
    pub async fn set(
        &mut self,
        objects: &[ProtectedObject<'_>],
        values: &(dyn Encode + Sync),
    ) -> Result<(), Error> {
        let method = DataProtection::<0>::SET_PROTECTED_ATTRIBUTES.of(self.logical_name).into();
        let ((_, server), layers) = (self.titles()?, self.layers);
        self.call(method, |env, room| set_request(env, server, objects, layers, values, room)).await?;
        self.client.returned().await.map(drop)
    }

    /// Invokes a method by invoke_protected_method and gives what it returns.
    ///
    /// # Errors
    /// The meter refuses, or what it returned is not protected with these layers; after [`Error::Timeout`] whether the
    /// method was invoked is unknown.
    pub async fn invoke(
        &mut self,
        method: impl Into<MethodDescriptor>,
        parameter: &(dyn Encode + Sync),
    ) -> Result<Option<Value>, Error> {
        let (target, layers) = (method.into(), self.layers);
        let method = DataProtection::<0>::INVOKE_PROTECTED_METHOD.of(self.logical_name).into();
        let (_, server) = self.titles()?;
        self.call(method, |env, room| method_request(env, server, target, layers, parameter, room)).await?;
        match self.client.returned().await? {
            Some(returned) => self.open(&returned).map(Some),
            None => Ok(None),
        }
    }

    /// Writes protection_object_list and both lists of parameters, so that the buffer reads and writes these objects in
    /// these layers.
    ///
    /// # Errors
    /// The meter refuses.
    pub async fn set_up(&mut self, objects: &[ProtectedObject<'_>]) -> Result<(), Error> {
        let (own, server) = self.titles()?;
        let given = parameters(self.layers, &server, &own).map_err(ClientError::from)?;
        let taken = parameters(self.layers, &own, &server).map_err(ClientError::from)?;
        let name = self.logical_name;
        self.client.set(DataProtection::<0>::PROTECTION_OBJECT_LIST.of(name), &Array(objects)).await?;
        self.client.set(DataProtection::<0>::PROTECTION_PARAMETERS_GET.of(name), &given).await?;
        self.client.set(DataProtection::<0>::PROTECTION_PARAMETERS_SET.of(name), &taken).await
    }

    /// Reads the buffer; gives a structure of the values of the listed objects.
    ///
    /// # Errors
    /// The meter refuses, or the buffer is not protected with these layers.
    pub async fn read_buffer(&mut self) -> Result<Value, Error> {
        let attribute = DataProtection::<0>::PROTECTION_BUFFER.of(self.logical_name);
        let value = self.client.get(attribute).await?;
        let layers = self.layers;
        self.opened(|env, demand, room| open_buffer(env, demand, layers, value.data(), room))
    }

    /// Writes the buffer, and by that the listed objects. `values` is a structure of as many values.
    ///
    /// # Errors
    /// The meter refuses; after [`Error::Timeout`] whether anything was written is unknown.
    pub async fn write_buffer(&mut self, values: &(dyn Encode + Sync)) -> Result<(), Error> {
        let attribute = DataProtection::<0>::PROTECTION_BUFFER.of(self.logical_name).into();
        let ((_, server), layers) = (self.titles()?, self.layers);
        self.client
            .send(|engine, env, out| {
                let mut room = vec![0; LONGEST];
                let value = buffer(env, server, layers, values, &mut room)?;
                engine.set(env, SetItem::new(attribute, &value), out)
            })
            .await?;
        self.client.was_set().await
    }

    async fn call(
        &mut self,
        method: MethodDescriptor,
        parameter: impl for<'b> FnOnce(&mut Environment<'_, P>, &'b mut [u8]) -> Result<Data<'b>, ProtectionError>,
    ) -> Result<(), Error> {
        self.client
            .send(|engine, env, out| {
                let mut room = vec![0; LONGEST];
                let parameter = parameter(env, &mut room)?;
                engine.action(env, ActionItem::new(method, &parameter), out)
            })
            .await
    }

    fn open(&mut self, returned: &Value) -> Result<Value, Error> {
        let layers = self.layers.iter().fold(Protection::empty(), |all, layer| all | layer.protection);
        self.opened(|env, demand, room| {
            open(env, &Demand { required: layers, ..*demand }, returned.data(), room)
        })
    }

    fn opened(
        &mut self,
        open: impl for<'b> FnOnce(
            &mut Environment<'_, P>,
            &Demand,
            &'b mut [u8],
        ) -> Result<Data<'b>, ProtectionError>,
    ) -> Result<Value, Error> {
        let (_, server) = self.titles()?;
        let client = &mut *self.client;
        let config = client.engine.config();
        let demand = Demand {
            accepted: config.accepted,
            is_carried: config.policy.contains(Protection::AUTHENTICATED),
            ..Demand::new(server, Protection::empty())
        };
        let mut room = vec![0; client.max_value.min(LONGEST)];
        let mut env = environment!(client, client.link.clock().now());
        let opened = open(&mut env, &demand, &mut room).map_err(ClientError::from)?;
        Ok(Value::new(opened.to_octets())?)
    }

    /// Ours and the meter's.
    fn titles(&self) -> Result<(SystemTitle, SystemTitle), Error> {
        let own = self.client.security().map(|security| security.own_title());
        let server = self.client.agreement().and_then(|agreement| agreement.server_title);
        let server = server.or(self.client.engine.config().server_title);
        own.zip(server).ok_or_else(|| ClientError::from(ProtectionError::NoKey).into())
    }
}
