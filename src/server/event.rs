//! What a session tells the application.

use cosem_objects::{AssociationId, Effect};
use dlms_obis::LogicalName;
use dlms_security::SystemTitle;
use heapless::Deque;

use crate::ProtectionError;
use crate::log::log;

/// Something that happened in a session. Events are reported after the fact; none needs an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// An association is open.
    Associated {
        /// Which of the offered ones.
        association: AssociationId,
    },
    /// An association was asked for and refused.
    Refused {
        /// Why.
        reason: RefusalReason,
    },
    /// The association was released or lost.
    Released {
        /// Which one it was.
        association: AssociationId,
    },
    /// An attribute was written.
    AttributeWritten {
        /// class_id of the object.
        class_id: u16,
        /// Its logical name.
        instance_id: LogicalName,
        /// The attribute.
        attribute_id: i8,
    },
    /// A method was executed.
    MethodInvoked {
        /// class_id of the object.
        class_id: u16,
        /// Its logical name.
        instance_id: LogicalName,
        /// The method.
        method_id: i8,
    },
    /// An attribute or method was refused, because the request, or what can be done for its response, was less protection
    /// than the access rights demand. One event for each item of a request; like all of them, those for which there is no
    /// place are counted by [`Event::Lost`].
    AccessDenied {
        /// class_id of the object.
        class_id: u16,
        /// Its logical name.
        instance_id: LogicalName,
        /// The attribute or method.
        id: i8,
    },
    /// An APDU was refused by the security layer.
    SecurityViolation {
        /// What was wrong with it.
        error: ProtectionError,
    },
    /// An object did something that concerns the application: the supply was switched, a secret was changed, …
    Effect(Effect),
    /// The lowest counter accepted from a peer rose: what an invocation counter object shows. The
    /// [`CounterStore`](dlms_security::CounterStore) has it already.
    WindowMoved {
        /// Which security context.
        security: usize,
        /// The peer.
        peer: SystemTitle,
    },
    /// Events were lost because the application did not fetch them.
    Lost {
        /// How many.
        count: u16,
    },
}

/// Why an association was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RefusalReason {
    /// The AARQ does not decode.
    Malformed,
    /// The client asked for another protocol version.
    ProtocolVersion,
    /// No association for this client and application context.
    ApplicationContext,
    /// The calling AP title is missing, malformed, not the known one, or our own.
    CallingApTitle,
    /// The authentication fields are missing or name another mechanism.
    Mechanism,
    /// Wrong password, unfit challenge, or a wrong answer to ours.
    Authentication,
    /// The InitiateRequest is missing, unprotected or cannot be opened.
    Protection,
    /// The InitiateRequest asks for what this side cannot give.
    Initiate,
    /// The client did not answer our challenge in time.
    Timeout,
    /// The client failed too often, and is locked out for a while.
    LockedOut,
}

/// The last events that were not fetched yet.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    queue: Deque<Event, 8>,
    lost: u16,
}

/// How many events there are, and how many were lost.
pub(super) type Mark = (usize, u16);

impl EventQueue {
    pub(super) const fn new() -> Self {
        Self { queue: Deque::new(), lost: 0 }
    }

    pub(super) fn push(&mut self, event: Event) {
        match event {
            Event::Associated { .. } | Event::Released { .. } => log!(info, "{}", event),
            Event::Refused { .. } | Event::AccessDenied { .. } | Event::SecurityViolation { .. } => {
                log!(warn, "{}", event);
            }
            _ => log!(debug, "{}", event),
        }
        if self.queue.push_back(event).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    pub(super) fn mark(&self) -> Mark {
        (self.queue.len(), self.lost)
    }

    /// Takes back what was pushed since.
    pub(super) fn go_back(&mut self, (length, lost): Mark) {
        self.queue.truncate(length);
        self.lost = lost;
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front().or_else(|| match core::mem::take(&mut self.lost) {
            0 => None,
            count => Some(Event::Lost { count }),
        })
    }
}
