//! Where invocation counters are kept between runs: one file for each key under each title of ours.
//!
//! The name of a file is a digest of both, from which the key does not follow. A file is locked while a run uses it: two
//! runs that drew from one counter would use a nonce twice, so the second one waits.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dlms_security::{CounterId, CryptoProvider as _};
use dlms_tokio::FileCounterStore;

use crate::failure::{Exit, Failure, Result};
use crate::parse::hex;
use crate::places;
use crate::target::Keys;

/// The one counter of a file.
pub(crate) const COUNTER: CounterId = CounterId(0);

/// The file of a key and title in the state directory.
pub(crate) fn kept(keys: &Keys) -> Result<PathBuf> {
    let parts: [&[u8]; 3] =
        [b"dlms invocation counter", keys.client_title.octets(), keys.encryption.octets()?];
    let digest = dlms_tokio::provider().sha256(&parts)?;
    Ok(places::state()?.join("counters").join(hex::text(&digest[..12])))
}

/// Opens a file of counters; waits while another run has it.
pub(crate) async fn open(path: &Path, wait: Duration) -> Result<FileCounterStore> {
    let deadline = Instant::now() + wait;
    loop {
        let error = match FileCounterStore::open(path) {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
        let message = format!("{}: {error}", path.display());
        match error.kind() {
            ErrorKind::ResourceBusy if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            ErrorKind::ResourceBusy => {
                return Err(Failure::new(Exit::Link, "security", "counter-in-use", message));
            }
            ErrorKind::InvalidData => {
                return Err(Failure::new(Exit::Security, "security", "counter-unreadable", message)
                    .hint("give --invocation-counter, or --counter-from-meter"));
            }
            _ => return Err(Failure::from(error).about(path.display())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_run_at_a_time() {
        let directory = std::env::temp_dir().join(format!("dlms-cli-counters-{}", std::process::id()));
        let path = directory.join("counter");
        let store = open(&path, Duration::ZERO).await.unwrap();
        assert_eq!(store.reserved(COUNTER), 0);
        assert_eq!(open(&path, Duration::ZERO).await.unwrap_err().exit, Exit::Link);
        drop(store);
        std::fs::write(&path, "x").unwrap();
        assert_eq!(open(&path, Duration::ZERO).await.unwrap_err().exit, Exit::Security);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
