//! The places of a server's connections: bounded, and never held by clients that open no association.
//!
//! Where all places are taken, the connection that has waited longest without an association makes room for a new one.
//! Connections with an association keep their places; new ones wait for them then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How long one connection is given to leave before the next one is asked.
const PATIENCE: Duration = Duration::from_millis(100);

/// All places of a server.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// The oldest first.
    taken: VecDeque<Arc<Place>>,
}

/// The place of one connection.
#[derive(Default)]
pub(crate) struct Place {
    is_associated: AtomicBool,
    was_asked: AtomicBool,
    leave: Notify,
}

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count.max(1))), taken: VecDeque::new() }
    }

    /// A place for a new connection, as soon as there is one. It is free again when the permit is dropped.
    pub(crate) async fn take(&mut self) -> (Arc<Place>, OwnedSemaphorePermit) {
        loop {
            // A place that nobody else knows any more is one of the past.
            self.taken.retain(|place| Arc::strong_count(place) > 1);
            let free = Arc::clone(&self.free).acquire_owned();
            if let Ok(Ok(permit)) = tokio::time::timeout(self.ask_to_leave(), free).await {
                let place = Arc::new(Place::default());
                self.taken.push_back(Arc::clone(&place));
                return (place, permit);
            }
        }
    }

    /// Asks a connection to leave if there is no room; gives how long to wait for it.
    fn ask_to_leave(&self) -> Duration {
        if self.free.available_permits() == 0
            && let Some(place) = self.taken.iter().find(|place| place.can_be_asked())
        {
            place.was_asked.store(true, Ordering::Relaxed);
            place.leave.notify_one();
        }
        PATIENCE
    }
}

impl Place {
    fn can_be_asked(&self) -> bool {
        !self.is_associated.load(Ordering::Relaxed) && !self.was_asked.load(Ordering::Relaxed)
    }

    /// Tells whether the connection has an association.
    pub(crate) fn is_associated(&self, is_associated: bool) {
        self.is_associated.store(is_associated, Ordering::Relaxed);
        if is_associated {
            self.was_asked.store(false, Ordering::Relaxed);
        }
    }

    /// Waits until the connection is asked to leave.
    pub(crate) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}
