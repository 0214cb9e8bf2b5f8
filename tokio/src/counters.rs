//! Invocation counters in a file.
//!
//! One line for each key: its identifier and the ceiling that is reserved, both decimal. A ceiling is on the disk before
//! a counter below it is used, so that a crash loses numbers and never repeats one. The file is locked as long as the
//! store exists: two processes that sent under one key would use nonces twice.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dlms_security::{CounterId, CounterStore, StorageError};

/// Invocation counters in a file.
#[derive(Debug)]
pub struct FileCounterStore {
    path: PathBuf,
    ceilings: BTreeMap<u32, u32>,
    _lock: File,
}

impl FileCounterStore {
    /// Opens the file at `path`, which need not exist yet.
    ///
    /// # Errors
    /// The file cannot be read, is not one of counters, or is in use by another process. Nothing may be sent under its
    /// keys then.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory)?;
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(with_suffix(&path, ".lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the invocation counters are in use by another process",
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        let ceilings = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "not a file of invocation counters")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, ceilings, _lock: lock })
    }

    /// The ceiling that is reserved for a key: where sending goes on. 0 for a key that was never used.
    pub fn reserved(&self, id: CounterId) -> u32 {
        self.ceilings.get(&id.0).copied().unwrap_or(0)
    }

    fn write(&self, ceilings: &BTreeMap<u32, u32>) -> io::Result<()> {
        let temporary = with_suffix(&self.path, ".new");
        let mut file = File::create(&temporary)?;
        for (id, ceiling) in ceilings {
            writeln!(file, "{id} {ceiling}")?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        // The rename itself must be on the disk too.
        if let Some(directory) = self.path.parent() {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            if let Ok(directory) = File::open(directory) {
                directory.sync_all()?;
            }
        }
        Ok(())
    }
}

impl CounterStore for FileCounterStore {
    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        let mut ceilings = self.ceilings.clone();
        ceilings.insert(id.0, ceiling.max(self.reserved(id)));
        self.write(&ceilings).map_err(|error| {
            tracing::error!(%error, path = %self.path.display(), "invocation counters cannot be stored");
            StorageError
        })?;
        self.ceilings = ceilings;
        Ok(())
    }
}

fn parse(text: &str) -> Option<BTreeMap<u32, u32>> {
    text.lines()
        .map(|line| {
            let (id, ceiling) = line.split_once(' ')?;
            Some((id.parse().ok()?, ceiling.parse().ok()?))
        })
        .collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn counters_survive_and_are_not_shared() {
        let directory = std::env::temp_dir().join(format!("dlms-counters-{}", std::process::id()));
        let path = directory.join("counters");
        let mut store = FileCounterStore::open(&path).unwrap();
        assert_eq!(store.reserved(CounterId(7)), 0);
        store.reserve(CounterId(7), 256).unwrap();
        store.reserve(CounterId(9), 1).unwrap();
        assert_eq!(FileCounterStore::open(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(store);
        let mut store = FileCounterStore::open(&path).unwrap();
        assert_eq!((store.reserved(CounterId(7)), store.reserved(CounterId(9))), (256, 1));
        store.reserve(CounterId(7), 10).unwrap();
        assert_eq!(store.reserved(CounterId(7)), 256, "a ceiling never goes down");
        drop(store);
        fs::write(&path, "7 256 what\n").unwrap();
        assert_eq!(FileCounterStore::open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::remove_dir_all(&directory).unwrap();
    }
}
