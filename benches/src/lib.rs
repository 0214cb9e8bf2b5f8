//! Measures the workspace against floors: the least work that could do each job.
//!
//! `cargo run --release -p dlms-benches -- performance` measures every row, those of the crates' own benches included,
//! and writes `docs/performance.md`. `cargo bench -p dlms-benches` measures the rows of this crate alone and prints them.
//!
//! Contenders are measured in turns within one run, least and median of [`measure::ROUNDS`] rounds, so that a busy
//! machine slows both.

pub mod crates;
pub mod exchanges;
pub mod growth;
pub mod measure;
pub mod meter;
pub mod report;
pub mod sizes;
pub mod year;
