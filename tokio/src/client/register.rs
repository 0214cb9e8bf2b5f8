//! Registers as quantities: a value with its unit.

use cosem_objects::classes::{DemandRegister, ExtendedRegister, Register};
use cosem_objects::{AttributeReference, ScaledValue, ScalerUnit};
use dlms_axdr::{FromData, TypeMismatch};
use dlms_obis::LogicalName;
use dlms_security::CryptoProvider;

use super::Client;
use crate::Error;

/// A Register (class 3), Extended register (4) or Demand register (5) of the meter.
///
/// ```no_run
/// # async fn read(client: &mut dlms_tokio::Client) -> Result<(), dlms_tokio::Error> {
/// # let energy = dlms_obis::LogicalName::new(1, 0, 1, 8, 0, 255);
/// let energy = client.register(energy).value().await?;
/// println!("{energy}"); // 5009 Wh
/// # Ok(())
/// # }
/// ```
pub struct RemoteRegister<'c, P: CryptoProvider> {
    client: &'c mut Client<P>,
    value: AttributeReference,
    scaler_unit: AttributeReference,
}

impl<P: CryptoProvider> Client<P> {
    /// The Register with this name.
    pub fn register(&mut self, name: LogicalName) -> RemoteRegister<'_, P> {
        self.quantity(Register::VALUE.of(name), Register::SCALER_UNIT.of(name))
    }

    /// The Extended register with this name.
    pub fn extended_register(&mut self, name: LogicalName) -> RemoteRegister<'_, P> {
        self.quantity(ExtendedRegister::VALUE.of(name), ExtendedRegister::SCALER_UNIT.of(name))
    }

    /// The Demand register with this name, whose value is the average of the last whole period.
    pub fn demand_register(&mut self, name: LogicalName) -> RemoteRegister<'_, P> {
        self.quantity(DemandRegister::LAST_AVERAGE_VALUE.of(name), DemandRegister::SCALER_UNIT.of(name))
    }

    fn quantity(
        &mut self,
        value: AttributeReference,
        scaler_unit: AttributeReference,
    ) -> RemoteRegister<'_, P> {
        RemoteRegister { client: self, value, scaler_unit }
    }
}

impl<P: CryptoProvider> RemoteRegister<'_, P> {
    /// The value with its unit, read in one request where the meter takes lists.
    ///
    /// # Errors
    /// One of the two attributes was not read, or the value is not a number.
    pub async fn value(&mut self) -> Result<ScaledValue, Error> {
        let attributes = [self.value.into(), self.scaler_unit.into()];
        let results: [_; 2] =
            self.client.get_list(&attributes).await?.try_into().map_err(|_| Error::Unexpected)?;
        let [value, scaler_unit] = results;
        let scaler_unit = scaler_unit.map_err(Error::DataAccess)?;
        let scaler_unit = ScalerUnit::from_data(scaler_unit.data())?;
        let value = value.map_err(Error::DataAccess)?;
        Ok(scaler_unit.apply(value.data()).ok_or(TypeMismatch::new("number"))?)
    }
}
