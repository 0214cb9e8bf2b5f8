//! ACCESS: reading, writing and invoking with one request.

use dlms::client::{self, ActionItem, Event, SetItem};
use dlms::xdlms::{
    AccessResult, ActionResult, AttributeDescriptor, AttributeDescriptorWithSelection, DataAccessResult,
    GetDataResult, MethodDescriptor,
};
use dlms_axdr::{DecodeError, Encode};
use dlms_security::CryptoProvider;

use super::{Client, Value, unexpected};
use crate::Error;

pub use dlms::client::AccessOptions;

/// One thing to be done by [`Client::access`].
#[derive(Clone, Copy)]
pub enum AccessItem<'a> {
    /// Read an attribute, or a part of it.
    Get(AttributeDescriptorWithSelection<'a>),
    /// Set an attribute.
    Set(AttributeDescriptor, &'a (dyn Encode + Sync)),
    /// Invoke a method, with a parameter if it has one.
    Action(MethodDescriptor, Option<&'a (dyn Encode + Sync)>),
}

/// What became of an [`AccessItem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accessed {
    /// The value of the attribute, or why there is none.
    Get(Result<Value, DataAccessResult>),
    /// Whether the attribute was set.
    Set(DataAccessResult),
    /// What the method returned, or why it was not invoked.
    Action(Result<Option<Value>, ActionResult>),
}

impl<P: CryptoProvider> Client<P> {
    /// Reads, sets and invokes with one request, in the order of `items`. The meter must have agreed to ACCESS, which is
    /// proposed where [`ClientConfig::conformance`](dlms::client::ClientConfig::conformance) says so.
    ///
    /// A request that only reads is sent again after a time-out, any other is not.
    ///
    /// # Errors
    /// The meter did not answer or refuses the request as a whole; after [`Error::Timeout`] what of it was done is unknown.
    /// What it refuses of the items stands in the results.
    pub async fn access(
        &mut self,
        items: &[AccessItem<'_>],
        options: AccessOptions,
    ) -> Result<Vec<Accessed>, Error> {
        let only_reads = items.iter().all(|item| matches!(item, AccessItem::Get(_)));
        let retries = if only_reads { self.retries } else { 0 };
        let mut tries = 0;
        loop {
            match self.try_access(items, options).await {
                Err(error) if error.is_transient() && tries < retries => tries += 1,
                result => return result,
            }
        }
    }

    async fn try_access(
        &mut self,
        items: &[AccessItem<'_>],
        options: AccessOptions,
    ) -> Result<Vec<Accessed>, Error> {
        self.send(|engine, env, out| {
            let items: Vec<_> = items.iter().map(AccessItem::of_engine).collect();
            engine.access(env, &items, options, out)
        })
        .await?;
        let results = self
            .wait(|event, _| match event {
                Event::AccessDone(response) => {
                    let results: Result<Vec<_>, DecodeError> =
                        response.results().map(Accessed::new).collect();
                    Ok(Some(results?))
                }
                event => Err(unexpected(&event)),
            })
            .await?;
        let mut pairs = items.iter().zip(&results);
        if results.len() == items.len() && pairs.all(|(item, result)| item.is_answered_by(result)) {
            Ok(results)
        } else {
            Err(Error::Unexpected)
        }
    }
}

impl<'a> AccessItem<'a> {
    fn of_engine(&self) -> client::AccessItem<'a> {
        match *self {
            Self::Get(attribute) => client::AccessItem::Get(attribute),
            Self::Set(attribute, value) => client::AccessItem::Set(SetItem::new(attribute, value)),
            Self::Action(method, parameter) => {
                let parameter = parameter.map(|parameter| parameter as &dyn Encode);
                client::AccessItem::Action(ActionItem { method, parameter })
            }
        }
    }

    const fn is_answered_by(&self, result: &Accessed) -> bool {
        matches!(
            (self, result),
            (Self::Get(..), Accessed::Get(_))
                | (Self::Set(..), Accessed::Set(_))
                | (Self::Action(..), Accessed::Action(_))
        )
    }
}

impl Accessed {
    fn new(result: AccessResult<'_>) -> Result<Self, DecodeError> {
        Ok(match result {
            AccessResult::Get(GetDataResult::Data(data)) => Self::Get(Ok(Value::new(data.to_octets())?)),
            AccessResult::Get(GetDataResult::DataAccessResult(result)) => Self::Get(Err(result)),
            AccessResult::Set(result) => Self::Set(result),
            AccessResult::Action { result: ActionResult::Success, value } => {
                Self::Action(Ok(value.map(|data| Value::new(data.to_octets())).transpose()?))
            }
            AccessResult::Action { result, .. } => Self::Action(Err(result)),
        })
    }
}
