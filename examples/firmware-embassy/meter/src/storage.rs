//! What is on the data flash.
//!
//! | from | octets | what |
//! | --- | --- | --- |
//! | 0 | 8 KiB | invocation counters |
//! | 1_0000 | 160 KiB | load profile |

use cosem_objects::classes::{FlashRows, StorageError as RowError};
use dlms::security::{FlashCounters, StorageError};
use embassy_board::Flash;

const COUNTERS_AREA: u32 = 0x1000;
const LOAD_PROFILE: u32 = 0x1_0000;
const LOAD_PROFILE_LENGTH: u32 = 0x2_8000;

/// The ceiling of one key, and the floors of its clients.
pub type Counters = FlashCounters<Flash, 8>;
/// The rows of a profile, each with 30 octets at most.
pub type Rows = FlashRows<Flash, 44>;

/// The invocation counters; only a meter that never had any may begin at none.
pub fn counters(flash: Flash) -> Result<Counters, StorageError> {
    Counters::open(flash, 0, COUNTERS_AREA).or_else(|error| {
        let is_unused = Counters::is_unused(flash, 0, COUNTERS_AREA)?;
        if is_unused { Counters::format(flash, 0, COUNTERS_AREA) } else { Err(error) }
    })
}

pub fn load_profile(flash: Flash, capacity: u32) -> Result<Rows, RowError> {
    Rows::open(flash, LOAD_PROFILE, LOAD_PROFILE_LENGTH, capacity)
}
