//! GET, SET and ACTION, one or many at a time.

use cosem_objects::{Attribute, AttributeType, Method};
use dlms::client::{ActionItem, ClientError, Event, SetItem, get_results};
use dlms::xdlms::{
    ActionResult, AttributeDescriptor, AttributeDescriptorWithSelection, Conformance, DataAccessResult,
    GetDataResult, MethodDescriptor,
};
use dlms_axdr::{Data, Encode};
use dlms_obis::LogicalName;
use dlms_security::CryptoProvider;

use super::{Client, Value, unexpected};
use crate::Error;

/// How many attributes are asked for with one request at most: a list is limited by what the meter can hold.
const LIST: usize = 32;

impl<P: CryptoProvider> Client<P> {
    /// Reads an attribute, as its class defines it. The value borrows from the client.
    ///
    /// # Errors
    /// The attribute was not read, or has another type than its class defines.
    pub async fn read<T: AttributeType>(
        &mut self,
        attribute: Attribute<T>,
        logical_name: LogicalName,
    ) -> Result<T::Value<'_>, Error> {
        self.fetch(AttributeDescriptor::from(attribute.of(logical_name)).into()).await?;
        Ok(attribute.decode(Data::from_octets(&self.value)?)?)
    }

    /// Reads an attribute, or a part of it.
    ///
    /// # Errors
    /// The attribute was not read.
    pub async fn get(
        &mut self,
        attribute: impl Into<AttributeDescriptorWithSelection<'_>>,
    ) -> Result<Value, Error> {
        self.fetch(attribute.into()).await?;
        Ok(Value::new(std::mem::take(&mut self.value))?)
    }

    /// Reads an attribute into the client's own buffer, again after a time-out.
    pub(super) async fn fetch(
        &mut self,
        attribute: AttributeDescriptorWithSelection<'_>,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            match self.try_fetch(attribute).await {
                Err(error) if error.is_transient() && tries < self.retries => tries += 1,
                result => return result,
            }
        }
    }

    async fn try_fetch(&mut self, attribute: AttributeDescriptorWithSelection<'_>) -> Result<(), Error> {
        self.send(|engine, env, out| engine.get(env, attribute, out)).await?;
        self.collect().await
    }

    /// Takes the pieces of what was asked for.
    async fn collect(&mut self) -> Result<(), Error> {
        let limit = self.max_value;
        self.wait(|event, value| match event {
            Event::GetPiece { octets, last } => {
                if value.len() + octets.len() > limit {
                    return Err(Error::TooLong { limit });
                }
                value.extend_from_slice(octets);
                Ok(last.then_some(()))
            }
            Event::GetRefused(result) => Err(Error::DataAccess(result)),
            event => Err(unexpected(&event)),
        })
        .await
    }

    /// Reads several attributes: with lists where the meter can, else one by one.
    ///
    /// # Errors
    /// The meter did not answer. What it refuses stands in the result of each attribute.
    pub async fn get_list(
        &mut self,
        attributes: &[AttributeDescriptorWithSelection<'_>],
    ) -> Result<Vec<Result<Value, DataAccessResult>>, Error> {
        let mut values = Vec::with_capacity(attributes.len());
        let lists = self
            .agreement()
            .is_some_and(|agreement| agreement.conformance.contains(Conformance::MULTIPLE_REFERENCES));
        let mut rest = attributes;
        let mut size = if lists { LIST } else { 1 };
        while !rest.is_empty() {
            let (some, others) = rest.split_at(size.min(rest.len()));
            let results = match some {
                [one] => match self.get(*one).await {
                    Ok(value) => vec![Ok(value)],
                    Err(Error::DataAccess(result)) => vec![Err(result)],
                    Err(error) => return Err(error),
                },
                some => match self.try_list(some).await {
                    Ok(results) => results,
                    // Too long for the meter, one way or the other: ask for fewer.
                    Err(
                        Error::Client(ClientError::RequestTooLong { .. })
                        | Error::DataAccess(_)
                        | Error::Exception(_),
                    ) => {
                        size = some.len().div_ceil(2);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            values.extend(results);
            rest = others;
        }
        Ok(values)
    }

    async fn try_list(
        &mut self,
        attributes: &[AttributeDescriptorWithSelection<'_>],
    ) -> Result<Vec<Result<Value, DataAccessResult>>, Error> {
        self.send(|engine, env, out| engine.get_with_list(env, attributes, out)).await?;
        self.collect().await?;
        let results = get_results(&self.value)?;
        if results.len() != attributes.len() {
            return Err(Error::Unexpected);
        }
        results
            .iter()
            .map(|result| match result {
                GetDataResult::Data(data) => Ok(Ok(Value::new(data.to_octets())?)),
                GetDataResult::DataAccessResult(result) => Ok(Err(result)),
            })
            .collect()
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// The attribute was not set; after [`Error::Timeout`] whether it was is unknown.
    pub async fn set(
        &mut self,
        attribute: impl Into<AttributeDescriptorWithSelection<'_>>,
        value: &(dyn Encode + Sync),
    ) -> Result<(), Error> {
        let AttributeDescriptorWithSelection { attribute, selection } = attribute.into();
        self.send(|engine, env, out| engine.set(env, SetItem { attribute, selection, value }, out)).await?;
        self.was_set().await
    }

    /// Waits for the result of a SET of one attribute.
    pub(super) async fn was_set(&mut self) -> Result<(), Error> {
        self.wait(|event, _| match event {
            Event::SetDone(DataAccessResult::Success) => Ok(Some(())),
            Event::SetDone(result) => Err(Error::DataAccess(result)),
            event => Err(unexpected(&event)),
        })
        .await
    }

    /// Sets several attributes with one request.
    ///
    /// # Errors
    /// The meter did not answer or refuses the list as a whole. What it refuses of the list stands in the results.
    pub async fn set_list(
        &mut self,
        items: &[(AttributeDescriptor, &(dyn Encode + Sync))],
    ) -> Result<Vec<DataAccessResult>, Error> {
        self.send(|engine, env, out| {
            let items: Vec<_> =
                items.iter().map(|&(attribute, value)| SetItem::new(attribute, value)).collect();
            engine.set_with_list(env, &items, out)
        })
        .await?;
        let results = self
            .wait(|event, _| match event {
                Event::SetListDone(results) => Ok(Some(results.iter().collect::<Vec<_>>())),
                Event::SetDone(result) => Err(Error::DataAccess(result)),
                event => Err(unexpected(&event)),
            })
            .await?;
        if results.len() == items.len() { Ok(results) } else { Err(Error::Unexpected) }
    }

    /// Invokes a method and gives what it returns.
    ///
    /// # Errors
    /// The method was not invoked; after [`Error::Timeout`] whether it was is unknown.
    pub async fn invoke(
        &mut self,
        method: impl Into<MethodDescriptor>,
        parameter: Option<&(dyn Encode + Sync)>,
    ) -> Result<Option<Value>, Error> {
        let method = method.into();
        self.send(|engine, env, out| {
            let parameter = parameter.map(|parameter| parameter as &dyn Encode);
            engine.action(env, ActionItem { method, parameter }, out)
        })
        .await?;
        self.returned().await
    }

    /// Waits for what a method returns.
    pub(super) async fn returned(&mut self) -> Result<Option<Value>, Error> {
        let returned = self
            .wait(|event, _| match event {
                Event::ActionDone { result: ActionResult::Success, value } => match value {
                    None => Ok(Some(None)),
                    Some(Ok(octets)) => Ok(Some(Some(octets.to_vec()))),
                    Some(Err(result)) => Err(Error::DataAccess(result)),
                },
                Event::ActionDone { result, .. } => Err(Error::Action(result)),
                event => Err(unexpected(&event)),
            })
            .await?;
        Ok(returned.map(Value::new).transpose()?)
    }

    /// Invokes a method of a class with its own parameter type.
    ///
    /// # Errors
    /// As [`Client::invoke`].
    pub async fn call<T: Encode + Sync>(
        &mut self,
        method: Method<T>,
        logical_name: LogicalName,
        parameter: &T,
    ) -> Result<Option<Value>, Error> {
        self.invoke(method.of(logical_name), Some(parameter)).await
    }
}
