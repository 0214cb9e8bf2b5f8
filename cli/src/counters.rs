//! Where invocation counters are kept between runs: one file for each key under each title of ours.
//!
//! The name of a file is a digest of both, from which the key does not follow. A file is locked while a run uses it: two
//! runs that drew from one counter would use a nonce twice, so the second one waits.
//!
//! With the counter of what we send stand those of what came in, for each meter: where it was met, and its title. A meter
//! that has to prove itself by our challenge (HLS) is new whatever its counters are, so they matter only where there is no
//! challenge: there alone could an earlier run be played back. In a file that the user names they are held against the
//! meter. In the one that all meters under a key share, a meter that was exchanged, or is simulated, may begin anew at the
//! same address: the user is told.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dlms_security::{CounterId, CounterStore, CryptoProvider as _, StorageError, SystemTitle};
use dlms_tokio::FileCounterStore;

use crate::failure::{Exit, Failure, Result};
use crate::parse::address::Address;
use crate::parse::hex;
use crate::places;
use crate::target::{CounterSource, Keys, Target};

/// The one counter of a file that is sent with.
pub(crate) const COUNTER: CounterId = CounterId(0);

/// The file of a target, where its counters are kept in one.
pub(crate) fn file(target: &Target, keys: &Keys) -> Result<Option<PathBuf>> {
    match &target.counter {
        CounterSource::Memory => Ok(None),
        CounterSource::File(path) => Ok(Some(path.clone())),
        CounterSource::Kept | CounterSource::Value(_) | CounterSource::Meter(_) => kept(keys).map(Some),
    }
}

/// The file of a key and title in the state directory.
fn kept(keys: &Keys) -> Result<PathBuf> {
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

/// The name of counters of what came in, which none that is sent with has: from a place, or under a key.
pub(crate) fn received(from: &[u8]) -> Result<CounterId> {
    let digest = dlms_tokio::provider().sha256(&[b"dlms received", from])?;
    let number = digest.first_chunk().map_or(u32::MAX, |octets| u32::from_be_bytes(*octets));
    Ok(CounterId(number.max(COUNTER.0.saturating_add(1))))
}

/// What a run keeps: the counter of what it sends, and the lowest ones that it takes from the meter.
pub(crate) struct Kept {
    pub(crate) store: FileCounterStore,
    /// Whether the user states where sending begins, whatever is stored.
    pub(crate) is_stated: bool,
    /// The name under which the counters of the meter stand.
    meter: CounterId,
    /// What is made of a meter whose counters go back.
    going_back: GoingBack,
}

enum GoingBack {
    Refused,
    Told,
    /// It answers a challenge.
    Accepted,
}

impl Kept {
    pub(crate) fn new(store: FileCounterStore, target: &Target) -> Result<Self> {
        let place = match &target.address {
            Address::Tcp(host) | Address::Udp(host) => host,
            Address::Serial(serial) => &serial.path,
        };
        let meter = received(place.as_bytes())?;
        let is_stated = matches!(target.counter, CounterSource::Value(_));
        let going_back = match target.counter {
            _ if target.mechanism.is_hls() => GoingBack::Accepted,
            CounterSource::File(_) => GoingBack::Refused,
            _ => GoingBack::Told,
        };
        Ok(Self { store, is_stated, meter, going_back })
    }
}

impl CounterStore for Kept {
    fn ceiling(&mut self, id: CounterId) -> std::result::Result<u32, StorageError> {
        if self.is_stated { Ok(0) } else { self.store.ceiling(id) }
    }

    fn reserve(&mut self, id: CounterId, ceiling: u32) -> std::result::Result<(), StorageError> {
        self.store.reserve(id, ceiling)
    }

    fn floor(&mut self, _: CounterId, peer: SystemTitle) -> std::result::Result<u32, StorageError> {
        match self.going_back {
            GoingBack::Refused => self.store.floor(self.meter, peer),
            GoingBack::Told | GoingBack::Accepted => Ok(0),
        }
    }

    fn reserve_floor(
        &mut self,
        _: CounterId,
        peer: SystemTitle,
        floor: u32,
    ) -> std::result::Result<(), StorageError> {
        if matches!(self.going_back, GoingBack::Told) && floor <= self.store.floor(self.meter, peer)? {
            eprintln!(
                "dlms: an earlier run heard higher counters from this meter: it counts anew, or somebody plays back what it \
                 said; with a --counter-file of its own that is refused"
            );
            self.going_back = GoingBack::Accepted;
        }
        self.store.reserve_floor(self.meter, peer, floor)
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
