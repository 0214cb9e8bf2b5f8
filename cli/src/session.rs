//! An association with a meter: the async client with this command's failures.

use cosem_objects::{ActionResult, AttributeReference, DataAccessResult, MethodReference};
use dlms_axdr::OwnedData;

use crate::connection::Target;
use crate::failure::{Exit, Failure, Result};

/// What reading one attribute came to.
pub(crate) type Access = std::result::Result<OwnedData, DataAccessResult>;

/// An open association.
pub(crate) struct Session {}

impl Session {
    pub(crate) async fn open(_target: &Target) -> Result<Self> {
        Err(Failure::bug("not wired"))
    }

    pub(crate) async fn get(&mut self, attribute: AttributeReference) -> Result<Access> {
        let octets = self.get_octets(attribute, None, &mut |_| {}).await?;
        match octets {
            Ok(octets) => decoded(&octets).map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// The value as octets. `progress` is told how many octets came so far.
    pub(crate) async fn get_octets(
        &mut self,
        _attribute: AttributeReference,
        _selector: Option<(u8, &OwnedData)>,
        _progress: &mut (dyn FnMut(usize) + Send),
    ) -> Result<std::result::Result<Vec<u8>, DataAccessResult>> {
        Err(Failure::bug("not wired"))
    }

    /// One result for each attribute; with-list where the meter can.
    pub(crate) async fn get_all(&mut self, attributes: &[AttributeReference]) -> Result<Vec<Access>> {
        let mut results = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            results.push(self.get(*attribute).await?);
        }
        Ok(results)
    }

    pub(crate) async fn set(
        &mut self,
        _attribute: AttributeReference,
        _value: &OwnedData,
    ) -> Result<DataAccessResult> {
        Err(Failure::bug("not wired"))
    }

    pub(crate) async fn invoke(
        &mut self,
        _method: MethodReference,
        _parameter: &OwnedData,
    ) -> Result<(ActionResult, Option<Access>)> {
        Err(Failure::bug("not wired"))
    }

    pub(crate) async fn release(self) {}
}

pub(crate) fn decoded(octets: &[u8]) -> Result<OwnedData> {
    OwnedData::from_octets(octets).map_err(|error| malformed(&error))
}

/// A value that is no Data.
pub(crate) fn malformed(error: &dlms_axdr::DecodeError) -> Failure {
    Failure::new(Exit::Malformed, "axdr", "malformed", error.to_string()).at(error.offset)
}

/// The meter refuses access to an attribute or a method. `result` is a Data-Access-Result or an Action-Result.
pub(crate) fn refused(subject: impl std::fmt::Display, result: impl std::fmt::Debug) -> Failure {
    let reason = slug(&format!("{result:?}"));
    Failure::new(Exit::Refused, "xdlms", reason.clone(), format!("{subject}: the meter answers {reason}"))
}

/// `ObjectUndefined` as `object-undefined`: the words of the standard.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len() + 4);
    for (index, character) in name.char_indices() {
        match character {
            'A'..='Z' => {
                if index > 0 && !slug.ends_with('-') {
                    slug.push('-');
                }
                slug.push(character.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' => slug.push(character),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_standard() {
        assert_eq!(slug("ObjectUndefined"), "object-undefined");
        assert_eq!(slug("Unknown(77)"), "unknown-77");
        let failure = refused("3:1-0:1.8.0*255:2", DataAccessResult::ReadWriteDenied);
        assert_eq!(failure.to_string(), "xdlms: 3:1-0:1.8.0*255:2: the meter answers read-write-denied");
    }
}
