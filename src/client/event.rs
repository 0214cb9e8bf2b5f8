//! What the engine tells the application.

use core::ops::Range;

use dlms_security::SystemTitle;

use super::Refusal;
use crate::acse::ReleaseResponseReason;
use crate::xdlms::{
    AccessResponse, ActionResponseWithOptionalData, ActionResult, ConfirmedServiceError, Conformance,
    DataAccessResult, DataNotification, EventNotification, ExceptionResponse, List,
};

/// What followed from a received APDU.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction<'a> {
    /// Where in the transmit buffer the APDU is that must be sent now.
    pub transmit: Option<Range<usize>>,
    /// What happened.
    pub event: Option<Event<'a>>,
}

/// What a finished handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Agreement {
    /// The services that both sides can.
    pub conformance: Conformance,
    /// The longest APDU that the server takes; 0 for no limit.
    pub server_max_receive_pdu_size: u16,
    /// The server's system title, if it has one.
    pub server_title: Option<SystemTitle>,
}

impl Agreement {
    pub(super) const NONE: Self =
        Self { conformance: Conformance::empty(), server_max_receive_pdu_size: 0, server_title: None };
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The association is open; with HLS, the server has proved who it is.
    Associated(Agreement),
    /// There is no association. If an APDU is to be sent all the same, it is a release request, because the server
    /// believes that there is one.
    Refused(Refusal),
    /// A piece of what was read. The pieces one after the other are the value (one Data) or, for a list, what
    /// [`get_results`](super::get_results) takes.
    GetPiece {
        /// The octets.
        octets: &'a [u8],
        /// Whether the value is complete with them.
        last: bool,
    },
    /// The attribute was not read, or not to its end.
    GetRefused(DataAccessResult),
    /// The attribute was set, or not.
    SetDone(DataAccessResult),
    /// The attributes of a list were set, or not, one result for each.
    SetListDone(List<'a, DataAccessResult>),
    /// The method was invoked, or not.
    ActionDone {
        /// Whether.
        result: ActionResult,
        /// What it returned: the octets of one Data, or why there are none.
        value: Option<Result<&'a [u8], DataAccessResult>>,
    },
    /// The methods of a list were invoked, or not.
    ActionListDone(List<'a, ActionResponseWithOptionalData<'a>>),
    /// The items of an ACCESS were executed, or not: [`AccessResponse::results`] has one result for each.
    AccessDone(AccessResponse<'a>),
    /// The server could not handle the request, which is over. Before the association is open: there will be none.
    Exception {
        /// What it says.
        response: ExceptionResponse,
        /// Whether it came protected. If not, anybody may have sent it; it is a hint.
        authenticated: bool,
    },
    /// The server could not handle the request, which is over.
    ConfirmedServiceError(ConfirmedServiceError),
    /// The server sends data of its own accord.
    DataNotification(DataNotification<'a>),
    /// The server reports an event.
    EventNotification(EventNotification<'a>),
    /// A response to an earlier request, or a block that was received before. It was dropped.
    Stale,
    /// The association is released.
    Released {
        /// What the server says about it.
        reason: Option<ReleaseResponseReason>,
        /// Whether its answer was protected as the request was.
        authenticated: bool,
    },
    /// No answer came in time. The request is over; while associating or releasing, the association is.
    TimedOut,
}
