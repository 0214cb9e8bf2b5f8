//! The report: every table, with date and machine.

use std::fmt::Write as _;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;
use dlms_axdr::DateTime;

use crate::measure::Table;

/// The report as Markdown. `profiles` follows the tables: what is known about targets that are not met.
///
/// # Errors
/// The clock or the toolchain cannot be asked.
pub fn markdown(tables: &[Table], profiles: &str) -> Result<String> {
    let mut text = String::from("# Performance\n\n");
    writeln!(
        text,
        "Written by `cargo run --release -p dlms-benches -- performance`; what stands below the line at the end is kept.\n\n\
         Measured on {} on {}. Contenders take turns within one run; *least* compares the least times and decides, \
         *median* the medians. Ratios are times: below 1, ours is faster than its floor.",
        today()?,
        machine(),
    )?;
    let (met, all) =
        tables.iter().flat_map(|table| &table.rows).fold((0, 0), |(met, all), row| match row.met {
            Some(it) => (met + u32::from(it), all + 1),
            None => (met, all),
        });
    writeln!(
        text,
        "\n{met} of {all} targets are met. What firmware takes in flash and RAM stands in [footprint.md](footprint.md).\n"
    )?;
    for table in tables {
        writeln!(text, "{table}")?;
    }
    writeln!(text, "{MARK}\n{}", profiles.trim())?;
    Ok(text)
}

/// What is written by hand begins here.
pub const MARK: &str = "---\n";

/// The date.
///
/// # Errors
/// The clock cannot be asked.
pub fn today() -> Result<String> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let time = DateTime::from_unix_seconds(i64::try_from(seconds)?, 0).map(|time| time.0).unwrap_or_default();
    Ok(format!("{}-{:02}-{:02}", u16::from_be_bytes([time[0], time[1]]), time[2], time[3]))
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let compiler = Command::new("rustc").arg("-V").output().map(|it| it.stdout).unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{} ({cores} cores, {}), {}, load average {}",
        model.trim_start_matches([' ', '\t', ':']),
        std::env::consts::ARCH,
        String::from_utf8_lossy(&compiler).trim(),
        load.split_whitespace().next().unwrap_or("unknown"),
    )
}
