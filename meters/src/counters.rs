//! Where a simulated meter keeps its invocation counters: in a file of its state directory that is written before a
//! counter is used, or in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dlms_security::{CounterId, CounterStore, InvocationCounter, StorageError, SystemTitle};
use serde::{Deserialize, Serialize};

use crate::notation::to_hex;
use crate::state::{StateError, read_toml, write_file};

/// The send counters and the replay windows of a meter. All clones are one.
#[derive(Clone, Debug)]
pub struct Counters(Arc<Mutex<File>>);

#[derive(Debug)]
struct File {
    path: Option<PathBuf>,
    kept: Kept,
}

/// Keys of the tables are the number of an encryption key, and system titles in hexadecimal digits. The keys that a
/// model comes with have the number of their Security setup.
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
        Ok(Self(Arc::new(Mutex::new(File { path, kept }))))
    }

    /// The ceiling that is stored for a send counter; 0 for a new one.
    pub(crate) fn reserved(&self, id: CounterId) -> u32 {
        self.file().kept.send.get(&id.0.to_string()).copied().unwrap_or(0)
    }

    /// The lowest acceptable counters under a key.
    pub(crate) fn windows(&self, key: CounterId) -> Vec<(SystemTitle, InvocationCounter)> {
        let file = self.file();
        let windows = file.kept.window.get(&key.0.to_string()).into_iter().flatten();
        let windows = windows.filter_map(|(title, &lowest)| {
            let title = crate::objects::title(title).ok()?;
            Some((SystemTitle::from_octets(title), InvocationCounter::new(lowest)))
        });
        windows.collect()
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File {
    fn write(&self) -> Result<(), StateError> {
        let Some(path) = &self.path else { return Ok(()) };
        write_file(path, toml::to_string(&self.kept)?.as_bytes())
    }
}

impl CounterStore for Counters {
    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        let mut file = self.file();
        let stored = file.kept.send.entry(id.0.to_string()).or_default();
        *stored = ceiling.max(*stored);
        file.write().map_err(|_| StorageError)
    }

    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.reserved(id))
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        let file = self.file();
        let floors = file.kept.window.get(&id.0.to_string());
        Ok(floors.and_then(|floors| floors.get(&to_hex(peer.octets())).copied()).unwrap_or(0))
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        let mut file = self.file();
        let floors = file.kept.window.entry(id.0.to_string()).or_default();
        let stored = floors.entry(to_hex(peer.octets())).or_default();
        if floor > *stored {
            *stored = floor;
            file.write().map_err(|_| StorageError)?;
        }
        Ok(())
    }
}
