//! Meters made of the COSEM interface classes: a laboratory meter to try clients against, and the PMM1220.
//!
//! A [`Simulation`] is a meter that lives. It has no sockets and no clock of its own: a server serves its objects, and
//! time is told to it. The models are TOML files in `models/`, which say what they leave out of the real meter.
#![forbid(unsafe_code)]

mod associations;
mod certificates;
mod counters;
mod device;
mod image;
mod keys;
mod lab;
mod load;
mod model;
mod notation;
mod objects;
mod registers;
mod signatures;
mod simulation;
mod state;

use core::str::FromStr;

use dlms_security::SecurityError;
use thiserror::Error;

pub use associations::Credentials;
pub use certificates::{Certificates, Peers};
pub use counters::Counters;
pub use device::MeterDevice;
pub use keys::Keys;
pub use signatures::Clients;
pub use simulation::{Options, Simulation};
pub use state::StateError;

/// The models that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeterModel {
    /// The laboratory meter: one association for each mechanism, suite and protection.
    Lab,
    /// The PMM1220, a single-phase meter.
    Pmm1220,
}

/// A model file that is not what it should be.
#[derive(Debug, Error)]
pub enum ModelError {
    /// It is no TOML, or has other keys.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A value that is not in the notation of models.
    #[error("not a value: {0}")]
    Value(String),
    /// An attribute without an initial value.
    #[error("{0} has no value for attribute {1}")]
    Missing(String, i8),
    /// A class that is not carried.
    #[error("class {0} is not carried")]
    Class(u16),
    /// An association that is not described, or not described well.
    #[error("association {0} is not one that can be offered")]
    Association(String),
}

/// Why a simulation could not start or go on.
#[derive(Debug, Error)]
pub enum Error {
    /// The model is not what it should be.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The state directory could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A key was refused.
    #[error(transparent)]
    Security(#[from] SecurityError),
}

impl MeterModel {
    /// What clients need to open the associations, the public one first. The keys are test material.
    ///
    /// # Errors
    /// The model is not what it should be.
    pub fn credentials(self) -> Result<Vec<Credentials>, ModelError> {
        simulation::credentials(&self.model()?)
    }

    fn model(self) -> Result<model::Model, ModelError> {
        match self {
            Self::Lab => {
                let mut model = model::Model::lab()?;
                lab::add_associations(&mut model);
                Ok(model)
            }
            Self::Pmm1220 => Ok(model::Model::pmm1220()?),
        }
    }
}

/// `lab` or `pmm1220`.
impl FromStr for MeterModel {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        match name {
            "lab" => Ok(Self::Lab),
            "pmm1220" => Ok(Self::Pmm1220),
            _ => Err(ModelError::Value(name.to_owned())),
        }
    }
}
