//! Invocation counters in a file.
//!
//! | line | means |
//! | --- | --- |
//! | `7 512` | counters of the key 7 below 512 may have been used |
//! | `7 4D4D4D0000BC614E 90` | under the key 7 the peer with this title is heard from counter 90 on |
//!
//! A ceiling is on the disk before a counter below it is used, and a floor before a message below it is given out, so
//! that a crash loses numbers and repeats none. The file is replaced, never changed in place, and locked as long as the
//! store exists: two processes that sent under one key would use nonces twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dlms_security::{CounterId, CounterStore, StorageError, SystemTitle};

/// Invocation counters in a file.
#[derive(Debug)]
pub struct FileCounterStore {
    path: PathBuf,
    kept: Kept,
    _lock: File,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    ceilings: BTreeMap<u32, u32>,
    floors: BTreeMap<(u32, SystemTitle), u32>,
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
        let kept = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "not a file of invocation counters")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, kept, _lock: lock })
    }

    /// The ceiling that is reserved for a key: where sending goes on. 0 for a key that was never used.
    pub fn reserved(&self, id: CounterId) -> u32 {
        self.kept.ceilings.get(&id.0).copied().unwrap_or(0)
    }

    /// Makes a change, on the disk first.
    fn change(&mut self, change: impl FnOnce(&mut Kept)) -> Result<(), StorageError> {
        let mut kept = self.kept.clone();
        change(&mut kept);
        if kept == self.kept {
            return Ok(());
        }
        self.write(&kept).map_err(|error| {
            tracing::error!(%error, path = %self.path.display(), "invocation counters cannot be stored");
            StorageError
        })?;
        self.kept = kept;
        Ok(())
    }

    fn write(&self, kept: &Kept) -> io::Result<()> {
        let temporary = with_suffix(&self.path, ".new");
        let mut file = File::create(&temporary)?;
        let mut text = String::new();
        for (id, ceiling) in &kept.ceilings {
            let _ = writeln!(text, "{id} {ceiling}");
        }
        for ((id, peer), floor) in &kept.floors {
            let title = u64::from_be_bytes(*peer.octets());
            let _ = writeln!(text, "{id} {title:016X} {floor}");
        }
        file.write_all(text.as_bytes())?;
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
    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        Ok(self.reserved(id))
    }

    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        self.change(|kept| raise(kept.ceilings.entry(id.0).or_default(), ceiling))
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        Ok(self.kept.floors.get(&(id.0, peer)).copied().unwrap_or(0))
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        self.change(|kept| raise(kept.floors.entry((id.0, peer)).or_default(), floor))
    }
}

fn raise(stored: &mut u32, value: u32) {
    *stored = value.max(*stored);
}

/// A file that ends within a line was not written by us: a rename is atomic.
fn parse(text: &str) -> Option<Kept> {
    let mut kept = Kept::default();
    if !text.is_empty() && !text.ends_with('\n') {
        return None;
    }
    for line in text.lines() {
        let (id, rest) = line.split_once(' ')?;
        let id = id.parse().ok()?;
        let is_new = match rest.split_once(' ') {
            None => kept.ceilings.insert(id, rest.parse().ok()?).is_none(),
            Some((title, floor)) if title.len() == 16 => {
                let title = SystemTitle::from(u64::from_str_radix(title, 16).ok()?.to_be_bytes());
                kept.floors.insert((id, title), floor.parse().ok()?).is_none()
            }
            Some(_) => false,
        };
        is_new.then_some(())?;
    }
    Some(kept)
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
        let peer = SystemTitle::from(*b"MMM\0\0\xBC\x61\x4E");
        assert_eq!(store.floor(CounterId(7), peer), Ok(0));
        store.reserve_floor(CounterId(7), peer, 90).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "7 256\n9 1\n7 4D4D4D0000BC614E 90\n");
        assert_eq!(FileCounterStore::open(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(store);
        let mut store = FileCounterStore::open(&path).unwrap();
        assert_eq!((store.reserved(CounterId(7)), store.reserved(CounterId(9))), (256, 1));
        assert_eq!((store.floor(CounterId(7), peer), store.floor(CounterId(9), peer)), (Ok(90), Ok(0)));
        store.reserve_floor(CounterId(7), peer, 3).unwrap();
        assert_eq!(store.floor(CounterId(7), peer), Ok(90), "a floor never goes down");
        store.reserve(CounterId(7), 10).unwrap();
        assert_eq!(store.reserved(CounterId(7)), 256, "a ceiling never goes down");
        drop(store);
        for wrong in ["7 256 what\n", "7 256", "7 1\n7 1\n", "7 \n", "7 4D4D4D 90\n", "-1 4\n"] {
            fs::write(&path, wrong).unwrap();
            assert_eq!(FileCounterStore::open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
