//! Where a simulated meter keeps its invocation counters: in a file of its state directory that is written before a
//! counter is used, or in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dlms_security::{CounterId, CounterStore, InvocationCounter, StorageError, SystemTitle};
use serde::{Deserialize, Serialize};

use crate::notation::to_hex;
use crate::state::{StateError, read_toml, write_file};

/// The send counters and the replay windows of a meter.
#[derive(Debug)]
pub struct Counters {
    path: Option<PathBuf>,
    kept: Kept,
}

/// Keys of the tables are the number of the Security setup, and system titles in hexadecimal digits.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// The ceilings of the send counters.
    send: BTreeMap<String, u32>,
    /// The lowest acceptable counters.
    window: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Counters {
    /// The counters in a file, if one is named and there.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self, StateError> {
        let kept = match &path {
            Some(path) => read_toml(path)?.unwrap_or_default(),
            None => Kept::default(),
        };
        Ok(Self { path, kept })
    }

    /// The ceiling that is stored for a send counter; 0 for a new one.
    pub(crate) fn reserved(&self, id: CounterId) -> u32 {
        self.kept.send.get(&id.0.to_string()).copied().unwrap_or(0)
    }

    /// The lowest acceptable counters under the keys of a Security setup.
    pub(crate) fn windows(
        &self,
        setup: usize,
    ) -> impl Iterator<Item = (SystemTitle, InvocationCounter)> + '_ {
        let windows = self.kept.window.get(&setup.to_string()).into_iter().flatten();
        windows.filter_map(|(title, &lowest)| {
            let title = crate::objects::title(title).ok()?;
            Some((SystemTitle::from_octets(title), InvocationCounter::new(lowest)))
        })
    }

    /// Stores the lowest acceptable counter of a peer.
    ///
    /// # Errors
    /// The file could not be written.
    pub(crate) fn store_window(
        &mut self,
        setup: usize,
        peer: SystemTitle,
        lowest: InvocationCounter,
    ) -> Result<(), StateError> {
        let windows = self.kept.window.entry(setup.to_string()).or_default();
        let before = windows.insert(to_hex(peer.octets()), lowest.value());
        if before == Some(lowest.value()) { Ok(()) } else { self.write() }
    }

    fn write(&self) -> Result<(), StateError> {
        let Some(path) = &self.path else { return Ok(()) };
        write_file(path, toml::to_string(&self.kept)?.as_bytes())
    }
}

impl CounterStore for Counters {
    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        let stored = self.kept.send.entry(id.0.to_string()).or_default();
        *stored = ceiling.max(*stored);
        self.write().map_err(|_| StorageError)
    }
}
