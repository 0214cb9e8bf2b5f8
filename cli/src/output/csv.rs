//! Rows as comma-separated values.

use std::path::Path;

use crate::failure::{Exit, Failure, Result};

/// Writes a head and rows to a file, `-` being standard output.
pub(crate) fn write(path: &Path, head: &[String], rows: &[Vec<String>]) -> Result<()> {
    let failed = |error: csv::Error| {
        Failure::new(Exit::Link, "command", "input-output", format!("{}: {error}", path.display()))
    };
    let mut text = csv::Writer::from_writer(Vec::new());
    text.write_record(head).map_err(failed)?;
    rows.iter().try_for_each(|row| text.write_record(row)).map_err(failed)?;
    let octets = text.into_inner().map_err(|error| Failure::bug(error.to_string()))?;
    if path == Path::new("-") {
        return Ok(super::text(&String::from_utf8_lossy(&octets))?);
    }
    std::fs::write(path, octets).map_err(|error| Failure::from(error).about(path.display()))
}
