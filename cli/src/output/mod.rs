//! What goes to standard output: lines, JSON, trees, tables, plots, files.

pub(crate) mod csv;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
pub(crate) mod plot;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod tree;

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};

use console::Style;
use serde::Serialize;

use crate::failure::Result;

/// Decides once whether there is colour: on a terminal, unless `NO_COLOR` is set.
pub(crate) fn choose_colours() {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    console::set_colors_enabled(is_wanted && io::stdout().is_terminal());
    console::set_colors_enabled_stderr(is_wanted && io::stderr().is_terminal());
}

/// Whether what people read goes aside, because a program reads standard output.
static IS_ASIDE: AtomicBool = AtomicBool::new(false);

/// From now on, lines and text go to standard error; JSON stays.
pub(crate) fn step_aside() {
    IS_ASIDE.store(true, Ordering::Relaxed);
}

/// Prints a line and lets it out: the reader may be a program that waits for it.
pub(crate) fn line(line: &str) -> io::Result<()> {
    text(&format!("{line}\n"))
}

/// Prints text that ends its own lines.
pub(crate) fn text(text: &str) -> io::Result<()> {
    match IS_ASIDE.load(Ordering::Relaxed) {
        true => write_out(io::stderr().lock(), text),
        false => write_out(io::stdout().lock(), text),
    }
}

fn write_out(mut out: impl io::Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints one JSON document on a line of its own.
pub(crate) fn json(document: &(impl Serialize + ?Sized)) -> Result<()> {
    let mut text = serde_json::to_string(document)?;
    text.push('\n');
    Ok(write_out(io::stdout().lock(), &text)?)
}

/// How many columns the terminal has, where there is one.
pub(crate) fn width() -> usize {
    console::Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns).clamp(40, 160))
}

/// Types, field names, tree lines.
pub(crate) fn dim() -> Style {
    Style::new().dim()
}

/// Numbers and text that people look for.
pub(crate) fn value() -> Style {
    Style::new().cyan()
}

/// Headings.
pub(crate) fn heading() -> Style {
    Style::new().bold()
}

/// What was refused or is wrong.
pub(crate) fn bad() -> Style {
    Style::new().red()
}

/// What went well.
pub(crate) fn good() -> Style {
    Style::new().green()
}
