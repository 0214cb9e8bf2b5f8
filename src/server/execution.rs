//! The accesses of one request.

use dlms_security::{Protection, SystemTitle};

use super::event::EventQueue;
use super::resolve::Requester;

/// What the accesses of one request share: who asks, and what comes of them.
pub(super) struct Execution<'e> {
    pub(super) requester: Requester<'e>,
    pub(super) client: Option<SystemTitle>,
    pub(super) is_broadcast: bool,
    /// The longest return value that leaves in one APDU, where only one method is invoked and answered.
    pub(super) room: Option<usize>,
    pub(super) events: &'e mut EventQueue,
    /// What is demanded of the response.
    pub(super) response: Protection,
}

impl<'e> Execution<'e> {
    pub(super) const fn new(
        requester: Requester<'e>,
        client: Option<SystemTitle>,
        is_broadcast: bool,
        events: &'e mut EventQueue,
    ) -> Self {
        Self { requester, client, is_broadcast, room: None, events, response: Protection::empty() }
    }
}
