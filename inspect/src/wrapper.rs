//! Octets with the TCP/UDP wrapper: one or more WPDUs.

use dlms_wrapper::{HEADER_LENGTH, Header, WrapperError};
use serde_json::{Value, json};

use crate::problem::Problem;

/// One WPDU.
pub(crate) struct Unwrapped<'a> {
    pub(crate) header: Value,
    pub(crate) apdu: &'a [u8],
}

/// All WPDUs in `octets`.
pub(crate) fn unwrap(octets: &[u8]) -> Result<Vec<Unwrapped<'_>>, Problem> {
    let mut units = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let offset = octets.len() - rest.len();
        let truncated = |needed: usize| {
            let missing = needed.saturating_sub(rest.len());
            Problem::wrapper(WrapperError::Truncated { offset: octets.len() as u64, missing })
        };
        let (header, after) =
            rest.split_first_chunk::<HEADER_LENGTH>().ok_or_else(|| truncated(HEADER_LENGTH))?;
        let header = Header::decode(*header).map_err(|error| {
            let problem = Problem::wrapper(error);
            let at = problem.offset.unwrap_or(0);
            problem.at(offset + at)
        })?;
        let (apdu, after) = after
            .split_at_checked(header.length())
            .ok_or_else(|| truncated(HEADER_LENGTH + header.length()))?;
        let header = json!({
            "src": header.source().0,
            "dst": header.destination().0,
            "length": header.length(),
        });
        units.push(Unwrapped { header, apdu });
        rest = after;
    }
    Ok(units)
}
