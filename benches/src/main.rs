//! `performance [FILE]` measures times and writes the report; `sizes` measures flash and RAM and writes theirs, `sizes --check`
//! sees whether they have grown. The other commands measure one table, or are processes that `performance` starts; `meter` serves the year's profile to whoever wants to profile a client.

use std::path::Path;

use anyhow::{Result, bail};
use dlms_benches::{crates, exchanges, growth, report, sizes, year};

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");
const SIZES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/footprint.md");

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["performance"] => performance(Path::new(REPORT)),
        ["performance", file] => performance(Path::new(file)),
        ["exchanges"] => print(&exchanges::table(None)?),
        ["growth"] => print(&growth::table(None)?),
        ["sizes"] => sizes::write(Path::new(SIZES)),
        ["sizes", "--check"] => sizes::check(Path::new(SIZES)),
        ["process"] => print(&year::table(&std::env::current_exe()?, None, Some(&crates::dlms()?))?),
        ["meter"] => year::meter(),
        ["year", address] => year::client(address),
        ["echo", address, script] => year::echo(address, script),
        _ => bail!("usage: dlms-benches performance [FILE] | exchanges | growth | process | sizes [--check]"),
    }
}

fn print(table: &impl std::fmt::Display) -> Result<()> {
    println!("{table}");
    Ok(())
}

fn performance(file: &Path) -> Result<()> {
    // Asked now: building the benches may replace this program.
    let this = std::env::current_exe()?;
    // What may fail to build comes first.
    let dlms = crates::dlms()?;
    let mut tables = crates::tables()?;
    tables.push(exchanges::table(None)?);
    tables.push(year::table(&this, None, Some(&dlms))?);
    tables.push(growth::table(None)?);
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    let profiles = kept.split_once(&format!("\n{}", report::MARK)).map_or("", |(_, profiles)| profiles);
    let text = report::markdown(&tables, profiles)?;
    std::fs::write(file, &text)?;
    print!("{text}");
    Ok(())
}
