//! The results of lists, and the return value of a method that came in blocks.

use dlms_axdr::{Data, DecodeError, DecodeErrorKind, Reader};

use super::Event;
use super::session::whole;
use crate::xdlms::{ActionResponseWithOptionalData, ActionResult, GetDataResult, List};

/// The results of a GET with a list, in the order of the request, from the octets of all pieces.
///
/// # Errors
/// The octets are no such list.
pub fn get_results(octets: &[u8]) -> Result<List<'_, GetDataResult<'_>>, DecodeError> {
    whole(octets, List::decode)
}

/// The results of an ACTION with a list that came in blocks.
pub(super) fn action_results(
    octets: &[u8],
) -> Result<List<'_, ActionResponseWithOptionalData<'_>>, DecodeError> {
    whole(octets, List::decode)
}

/// The return value that came in blocks: Data, or `00` and Data, or `00 01 00` and Data. What is cut into blocks is not
/// agreed on among implementations; the first reading that takes every octet is right.
pub(super) fn returned_in_blocks(octets: &[u8]) -> Result<Event<'_>, DecodeError> {
    let is_data = |octets: &[u8]| {
        let mut reader = Reader::new(octets);
        Data::decode(&mut reader).and_then(|_| reader.finish())
    };
    let prefixes: [&[u8]; 3] = [&[], &[0x00], &[0x00, 0x01, 0x00]];
    let data =
        prefixes.iter().filter_map(|prefix| octets.strip_prefix(*prefix)).find(|data| is_data(data).is_ok());
    match data {
        Some(data) => Ok(Event::ActionDone { result: ActionResult::Success, value: Some(Ok(data)) }),
        None => Err(is_data(octets).err().unwrap_or(DecodeError {
            offset: 0,
            kind: DecodeErrorKind::InvalidValue("return-parameters".into()),
        })),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use cosem_objects::DataAccessResult;

    use super::*;

    #[test]
    fn results_of_a_list() {
        // double-long-unsigned 5009; object-undefined
        let octets = [0x02, 0x00, 0x06, 0x00, 0x00, 0x13, 0x91, 0x01, 0x04];
        let results: Vec<_> = get_results(&octets).unwrap().iter().collect();
        assert_eq!(
            results,
            [
                GetDataResult::Data(Data::DoubleLongUnsigned(5009)),
                GetDataResult::DataAccessResult(DataAccessResult::ObjectUndefined)
            ]
        );
        for cut in 0..octets.len() {
            assert!(get_results(&octets[..cut]).is_err());
        }
        assert!(get_results(&[0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]).is_err());
    }

    #[test]
    fn every_reading_of_a_return_value_in_blocks_is_taken() {
        let data = [0x09, 0x02, 0x41, 0x42];
        let done = Event::ActionDone { result: ActionResult::Success, value: Some(Ok(&data[..])) };
        assert_eq!(returned_in_blocks(&[0x09, 0x02, 0x41, 0x42]), Ok(done.clone()));
        assert_eq!(returned_in_blocks(&[0x00, 0x09, 0x02, 0x41, 0x42]), Ok(done.clone()));
        assert_eq!(returned_in_blocks(&[0x00, 0x01, 0x00, 0x09, 0x02, 0x41, 0x42]), Ok(done));
        assert!(returned_in_blocks(&[0x00, 0x02, 0x00, 0x09, 0x02, 0x41, 0x42]).is_err());
        assert!(returned_in_blocks(&[]).is_err());
    }
}
