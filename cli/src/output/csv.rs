//! Rows as comma-separated values.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::failure::{Exit, Failure, Result};

/// A file that rows are written to as they come; `-` is standard output.
pub(crate) struct Sheet {
    writer: csv::Writer<Box<dyn Write>>,
    path: String,
}

impl Sheet {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let target: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stdout().lock())
        } else {
            let file = File::create(path);
            Box::new(file.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?)
        };
        let writer = csv::Writer::from_writer(Box::new(BufWriter::new(target)) as Box<dyn Write>);
        Ok(Self { writer, path: path.display().to_string() })
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<()> {
        self.writer.write_record(cells).map_err(|error| self.failed(&error))
    }

    /// Writes one cell; [`Sheet::end_row`] ends the row.
    pub(crate) fn cell(&mut self, text: &str) -> Result<()> {
        self.writer.write_field(text).map_err(|error| self.failed(&error))
    }

    pub(crate) fn end_row(&mut self) -> Result<()> {
        self.writer.write_record(None::<&[u8]>).map_err(|error| self.failed(&error))
    }

    /// Writes out what is still held back.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.writer.flush().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::error::Error) -> Failure {
        Failure::new(Exit::Link, "command", "input-output", format!("{}: {error}", self.path))
    }
}
