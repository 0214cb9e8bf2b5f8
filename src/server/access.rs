//! ACCESS: reading, writing and invoking in one APDU.
//!
//! The items are executed in the order of the request, each under its own access rights. The service has no blocks of its
//! own: a value for which the response has no room left is answered by data-block-unavailable, so that the results of
//! what was executed besides it are not lost, and a request whose results would not fit is refused before anything is
//! executed. Behind an item that fails a request with break-on-error executes nothing; what it skips is answered by
//! other-reason.

use cosem_objects::{ActionResult, DataAccessResult};
use dlms_axdr::{Cursor, Data, Encoder, Reader};
use dlms_security::CryptoProvider;

use super::data_protection::is_buffer;
use super::execution::Execution;
use super::get::{Read, read};
use super::resolve::Requester;
use super::security_setup::Source;
use super::session::{Failure, Host, Reply, Request, Session, State, Transfer};
use crate::octets::shift;
use crate::xdlms::{
    AccessRequest, AccessRequestSpecification, AccessResponse, AccessResponseSpecification,
    AttributeDescriptorWithSelection, Conformance,
};

/// The octets of null-data, which stands where an item has no value.
const NULL_DATA: usize = 1;
/// The octets of one result.
const RESULT: usize = 2;

impl<P: CryptoProvider, B: AsRef<[u8]> + AsMut<[u8]>> Session<P, B> {
    pub(super) fn access(
        &mut self,
        host: &mut Host<'_, P>,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<Reply, Failure> {
        let Session { state: State::Associated(association), events, .. } = self else {
            return Err(Failure::NOT_ALLOWED);
        };
        let offers = |service| association.conformance.contains(service);
        if !offers(Conformance::ACCESS) {
            return Err(Failure::NOT_NEGOTIATED);
        }
        let mut reader = Reader::new(request.apdu);
        let AccessRequest { long_invoke_id, specifications, data, .. } = AccessRequest::decode(&mut reader)?;
        reader.finish()?;
        if specifications.iter().any(|item| is_selective(&item)) && !offers(Conformance::SELECTIVE_ACCESS) {
            return Err(Failure::NOT_NEGOTIATED);
        }
        if specifications.is_empty() {
            return Err(Failure::MALFORMED);
        }
        association.transfer = Transfer::None;

        let mut encoder = Encoder::new(&mut *out);
        let repeated = long_invoke_id.is_self_descriptive().then_some(specifications);
        AccessResponse::encode_head(&mut encoder, long_invoke_id, None, repeated)?;
        let count_start = encoder.len();
        encoder.length(specifications.len())?;
        let mut end = encoder.len();
        // The results follow the data; until these are all there, they are kept at the end of the room.
        let results_length = specifications.len().saturating_mul(RESULT);
        let results_length = end.saturating_sub(count_start).saturating_add(results_length);
        let limit = out.len().checked_sub(results_length).ok_or(Failure::TOO_LONG)?;
        let (data_room, results_room) = out.split_at_mut(limit);
        let mut results = Encoder::new(results_room);
        results.length(specifications.len())?;
        let mut kept = specifications.len().saturating_mul(NULL_DATA);
        if limit.saturating_sub(end) < kept {
            return Err(Failure::TOO_LONG);
        }
        let requester = Requester::new(host, association.id, request);
        let mut execution =
            Execution::new(requester, association.client_title, request.is_broadcast(), events);
        let mut goes_on = true;
        for (specification, value) in specifications.iter().zip(data) {
            kept = kept.saturating_sub(NULL_DATA);
            let room = data_room.get_mut(end..limit.saturating_sub(kept)).ok_or(Failure::TOO_LONG)?;
            execution.room = (specifications.len() == 1).then_some(room.len());
            let (mut length, result) = match goes_on {
                true => execution.execute(host, &specification, value, room),
                false => (0, skipped(&specification)),
            };
            execution.requester.denied.report(execution.events);
            if length == 0 {
                *room.first_mut().ok_or(Failure::TOO_LONG)? = 0x00;
                length = NULL_DATA;
            }
            goes_on &= result.is_success() || !long_invoke_id.is_break_on_error();
            result.encode(&mut results)?;
            end = end.saturating_add(length);
        }
        let protection = execution.response;
        shift(out, limit..limit.saturating_add(results_length), end)?;
        Ok(Reply { octets: 0..end.saturating_add(results_length), protection })
    }
}

impl Execution<'_> {
    /// Executes an item and writes its value into `room`; gives how long that is.
    fn execute<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        item: &AccessRequestSpecification<'_>,
        value: Data<'_>,
        room: &mut [u8],
    ) -> (usize, AccessResponseSpecification) {
        use AccessRequestSpecification::{Action, Get, GetWithSelection, Set, SetWithSelection};
        match *item {
            Get(attribute) => self.read_item(host, &attribute.into(), room),
            GetWithSelection(attribute, selector) => {
                let selection = Some(selector);
                self.read_item(host, &AttributeDescriptorWithSelection { attribute, selection }, room)
            }
            Set(attribute) => self.write_item(host, &attribute.into(), value, room),
            SetWithSelection(attribute, selector) => {
                let selection = Some(selector);
                self.write_item(host, &AttributeDescriptorWithSelection { attribute, selection }, value, room)
            }
            Action(method) => {
                let returned = self.invoke(host, &method, value, room);
                let result = returned.err().unwrap_or(ActionResult::Success);
                (returned.unwrap_or(0), AccessResponseSpecification::Action(result))
            }
        }
    }

    fn read_item<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        item: &AttributeDescriptorWithSelection<'_>,
        room: &mut [u8],
    ) -> (usize, AccessResponseSpecification) {
        if Host::<'_, P>::HAS_DATA_PROTECTION && is_buffer(&item.attribute) {
            match self.fill_buffer(host, item, room) {
                Ok(Some(length)) => {
                    return (length, AccessResponseSpecification::Get(DataAccessResult::Success));
                }
                Err(result) => return (0, AccessResponseSpecification::Get(result)),
                Ok(None) => {}
            }
        }
        let (length, result) = match read(self.requester, Source::new(host), item, Cursor::default(), room) {
            Ok(Read { length, rest: None, response }) => {
                self.response |= response;
                (length, DataAccessResult::Success)
            }
            Ok(_) => (0, DataAccessResult::DataBlockUnavailable),
            Err(result) => (0, result),
        };
        (length, AccessResponseSpecification::Get(result))
    }

    fn write_item<P: CryptoProvider>(
        &mut self,
        host: &mut Host<'_, P>,
        item: &AttributeDescriptorWithSelection<'_>,
        value: Data<'_>,
        room: &mut [u8],
    ) -> (usize, AccessResponseSpecification) {
        let written = self.write(host, item, value, room);
        (0, AccessResponseSpecification::Set(written.err().unwrap_or(DataAccessResult::Success)))
    }
}

const fn is_selective(item: &AccessRequestSpecification<'_>) -> bool {
    use AccessRequestSpecification::{GetWithSelection, SetWithSelection};
    matches!(item, GetWithSelection(..) | SetWithSelection(..))
}

/// The result of an item that was not executed.
const fn skipped(item: &AccessRequestSpecification<'_>) -> AccessResponseSpecification {
    use AccessRequestSpecification::{Action, Get, GetWithSelection, Set, SetWithSelection};
    match item {
        Get(_) | GetWithSelection(..) => AccessResponseSpecification::Get(DataAccessResult::OtherReason),
        Set(_) | SetWithSelection(..) => AccessResponseSpecification::Set(DataAccessResult::OtherReason),
        Action(_) => AccessResponseSpecification::Action(ActionResult::OtherReason),
    }
}
