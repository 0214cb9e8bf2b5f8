//! What survives a reset: counters, keys, settings. Whoever confirms something to a client stores it here first.
//!
//! | from | octets | what |
//! | --- | --- | --- |
//! | 0 | 8 KiB | invocation counters |
//! | 2000 | 16 KiB | settings and keys |
//! | 6000 | 40 KiB | event log |
//! | 2_0000 | 640 KiB | two banks for images of the firmware |
//! | 10_0000 | 2 MiB | load profile |

use core::cell::RefCell;
use core::ops::Range;

use board::Flash;
use cosem_objects::classes::{FlashRows, ImageTransferState, StorageError as RowError};
use dlms::drivers::block_on;
use dlms::security::{
    CounterId, CounterStore, FlashCounters, KeyFingerprint, KeyStore, SetupChange, StorageError, SystemTitle,
};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};

use crate::image::{Banks, MAP};
use crate::keys::SetupKeys;

const COUNTERS: u32 = 0;
const COUNTERS_AREA: u32 = 0x1000;
const SETTINGS: Range<u32> = 0x2000..0x6000;
const EVENTS: Range<u32> = 0x6000..0x1_0000;
const LOAD_PROFILE: Range<u32> = 0x10_0000..0x30_0000;

/// Ceilings and floors that are kept: for two setups with a few keys each, and their clients.
const COUNTERS_KEPT: usize = 24;
/// Key values whose counters are remembered.
const NAMES: usize = 8;
const NAME: usize = KeyFingerprint::LENGTH + 4;
/// The longest setting, with its key and what aligns it.
const LONGEST: usize = SetupKeys::LENGTH + 8;

/// Which setting.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Setting {
    Relay = 1,
    Clock = 2,
    Names = 3,
    Import = 4,
    FirstSetup = 16,
}

/// The rows of a profile, each with 30 octets at most.
pub type Rows = FlashRows<Flash, 44>;

type Counters = FlashCounters<Flash, COUNTERS_KEPT>;

type Settings = MapStorage<u8, Flash, Cache<Uncached, Uncached, Uncached, u8>>;

pub struct Storage {
    counters: RefCell<Counters>,
    settings: RefCell<Settings>,
    flash: Flash,
}

impl Storage {
    /// What is on the flash; a blank one is prepared.
    pub fn open(flash: Flash) -> Result<Self, StorageError> {
        let counters = match Counters::open(flash, COUNTERS, COUNTERS_AREA) {
            Ok(counters) => counters,
            // Only a meter that never had counters may begin at none.
            Err(_) if Counters::is_unused(flash, COUNTERS, COUNTERS_AREA)? => {
                Counters::format(flash, COUNTERS, COUNTERS_AREA)?
            }
            Err(error) => return Err(error),
        };
        let settings = MapStorage::new(flash, MapConfig::new(SETTINGS), Cache::new_uncached());
        Ok(Self { counters: RefCell::new(counters), settings: RefCell::new(settings), flash })
    }

    /// The banks for images, and the transfer as it stands.
    pub fn banks(&self) -> (Banks, ImageTransferState<MAP>) {
        Banks::open(self.flash)
    }

    pub fn load_profile(&self, capacity: u32) -> Result<Rows, RowError> {
        Rows::open(self.flash, LOAD_PROFILE.start, LOAD_PROFILE.end - LOAD_PROFILE.start, capacity)
    }

    pub fn events(&self, capacity: u32) -> Result<Rows, RowError> {
        Rows::open(self.flash, EVENTS.start, EVENTS.end - EVENTS.start, capacity)
    }

    /// Reads a setting of up to `N` octets; `None` if it was never stored.
    pub fn setting<const N: usize>(&self, key: u8) -> Result<Option<heapless::Vec<u8, N>>, StorageError> {
        let mut buffer = [0; LONGEST];
        let mut settings = self.settings.borrow_mut();
        let found: Option<&[u8]> =
            block_on(settings.fetch_item(&mut buffer, &key)).map_err(|_| StorageError)?;
        found.map(|octets| heapless::Vec::from_slice(octets).map_err(|_| StorageError)).transpose()
    }

    /// Stores a setting. It is on the flash when this returns.
    pub fn store(&self, key: u8, octets: &[u8]) -> Result<(), StorageError> {
        let mut buffer = [0; LONGEST];
        let stored = block_on(self.settings.borrow_mut().store_item(&mut buffer, &key, &octets));
        stored.map_err(|_| StorageError)
    }

    /// The keys of a security setup that took the place of those from manufacture.
    pub fn keys(&self, setup: usize) -> Result<SetupKeys, StorageError> {
        let stored = self.setting::<{ SetupKeys::LENGTH }>(Self::setup(setup)?)?;
        stored.map_or(Ok(SetupKeys::new()), |octets| SetupKeys::from_octets(&octets))
    }

    pub fn store_keys(&self, setup: usize, keys: &SetupKeys) -> Result<(), StorageError> {
        self.store(Self::setup(setup)?, keys.octets())
    }

    fn setup(setup: usize) -> Result<u8, StorageError> {
        u8::try_from(setup)
            .ok()
            .and_then(|setup| setup.checked_add(Setting::FirstSetup as u8))
            .ok_or(StorageError)
    }
}

impl CounterStore for &Storage {
    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        self.counters.borrow_mut().ceiling(id)
    }

    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        self.counters.borrow_mut().reserve(id, ceiling)
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        self.counters.borrow_mut().floor(id, peer)
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        self.counters.borrow_mut().reserve_floor(id, peer, floor)
    }
}

/// The names of counters: for each key value that is remembered its fingerprint and a number, the newest last. Numbers
/// rise, none is given twice.
impl KeyStore for &Storage {
    fn counter_id(&mut self, _: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        let mut names = self.setting::<{ NAMES * NAME }>(Setting::Names as u8)?.unwrap_or_default();
        let number = |name: &[u8]| {
            let octets = name.get(KeyFingerprint::LENGTH..).and_then(|number| number.first_chunk().copied());
            octets.map_or(0, u32::from_le_bytes)
        };
        let mut known = names.chunks(NAME);
        if let Some(name) = known.find(|name| name.starts_with(key.octets())) {
            return Ok(CounterId(number(name)));
        }
        let next = names.chunks(NAME).map(number).max().unwrap_or(0).checked_add(1).ok_or(StorageError)?;
        let mut forgotten = None;
        if names.is_full() {
            let in_use = [self.keys(0)?.counters(), self.keys(1)?.counters()];
            let oldest = names.chunks(NAME).position(|name| !in_use.contains(&Some(number(name))));
            let at = oldest.ok_or(StorageError)? * NAME;
            forgotten = names.get(at..).map(number);
            names.copy_within(at + NAME.., at);
            names.truncate((NAMES - 1) * NAME);
        }
        names.extend_from_slice(key.octets()).map_err(|_| StorageError)?;
        names.extend_from_slice(&next.to_le_bytes()).map_err(|_| StorageError)?;
        self.store(Setting::Names as u8, &names)?;
        if let Some(forgotten) = forgotten {
            self.counters.borrow_mut().forget(CounterId(forgotten))?;
        }
        Ok(CounterId(next))
    }

    fn install(&mut self, setup: usize, change: &SetupChange<'_>) -> Result<(), StorageError> {
        let mut keys = self.keys(setup)?;
        keys.change(change)?;
        self.store_keys(setup, &keys)
    }
}
