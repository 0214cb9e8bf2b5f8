//! The rows that the crates' own benches print.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::measure::{Row, Table};

/// Runs the benches of `dlms-axdr`, `dlms-hdlc` and `dlms-security`, and that of associations, and reads what they print.
///
/// # Errors
/// One does not run, or prints nothing that is understood.
pub fn tables() -> Result<Vec<Table>> {
    Ok(vec![
        table(
            "Encoding",
            "Rows of a 12-octet clock and seven double-long-unsigned, every cell touched. Floors: a one-pass visitor; two \
             vectors filled in one pass; the fixed layout written straight into the buffer.",
            &run("dlms-axdr", "axdr", "nothing")?,
            encoding,
        )?,
        table(
            "HDLC",
            "Floor: a length-driven scan with a 16-way table CRC; in pieces, the same loop with the length remembered; for \
             noise, with the header checked before the frame.",
            &run("dlms-hdlc", "hdlc", "nothing")?,
            hdlc,
        )?,
        table(
            "Security",
            "Contents in place, authenticated and encrypted, by RustCrypto and by aws-lc-rs. Floor: the same library's \
             AES-GCM with a cached key, which with aws-lc-rs opens with the whole tag of 16 octets.",
            &run("dlms-security", "security", "--ratios")?,
            security,
        )?,
        table(
            "Public keys",
            "A message of 144 octets. Floor: the same library with its keys ready; ours takes keys as the octets that \
             storage and certificates have, and derives the agreed key.",
            &run("dlms-security", "public_keys", "--ratios")?,
            security,
        )?,
        table(
            "Associations",
            "Client and server in one memory on one core: AARQ, AARE and both proofs, each APDU authenticated and encrypted. \
             Floor: what both ends let the library do, by the bare library with its keys ready.",
            &run("dlms-benches", "associations", "nothing")?,
            security,
        )?,
    ])
}

fn run(package: &str, bench: &str, argument: &str) -> Result<String> {
    let output = Command::new("cargo")
        .args(["bench", "--quiet", "--all-features", "--package", package, "--bench", bench, "--", argument])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    if !output.status.success() {
        bail!("{package}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn table(title: &str, about: &str, printed: &str, parse: fn(&str) -> Option<Row>) -> Result<Table> {
    let rows: Vec<_> = printed.lines().filter_map(parse).collect();
    if rows.is_empty() {
        bail!("{title}: no row in what was printed:\n{printed}");
    }
    let (title, about) = (title.to_owned(), about.to_owned());
    Ok(Table { title, about, rows, after: String::new() })
}

fn row(name: &str, floor: &str, ours: &str, ratios: (f64, f64), limit: f64) -> Row {
    Row {
        name: name.trim().to_owned(),
        floor: floor.trim().to_owned(),
        ours: ours.trim().to_owned(),
        least: Some(ratios.0),
        median: Some(ratios.1),
        target: format!("≤ {limit} ×"),
        met: Some(ratios.0 <= limit),
    }
}

/// `decode, borrowed: Rows  1000 rows  floor  9.87 ns/row (9.98)  ours 10.2 ns/row (10.3)  x1.03 min, x1.03 median, target x1.5`
fn encoding(line: &str) -> Option<Row> {
    let (name, rest) = line.split_once("  floor ")?;
    let (floor, rest) = rest.split_once(" ns/row")?;
    let (_, rest) = rest.split_once("ours ")?;
    let (ours, rest) = rest.split_once(" ns/row")?;
    let (_, rest) = rest.split_once(" x")?;
    let (least, rest) = rest.split_once(" min, x")?;
    let (median, target) = rest.split_once(" median, target x")?;
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let rate = |figure: &str| format!("{} ns/row", figure.trim());
    let ratios = (least.trim().parse().ok()?, median.trim().parse().ok()?);
    Some(row(&name, &rate(floor), &rate(ours), ratios, target.trim().parse().ok()?))
}

/// `stream of 1 MiB, whole   5000 MB/s  4600 MB/s   1.09   1.10   1.3`
fn hdlc(line: &str) -> Option<Row> {
    let (rest, ratios) = line.rsplit_once(" MB/s")?;
    let (rest, ours) = rest.trim_end().rsplit_once(' ')?;
    let (name, floor) = rest.trim_end().strip_suffix(" MB/s")?.trim_end().rsplit_once(' ')?;
    let figures = ratios.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>().ok()?;
    let [least, median, target] = figures[..] else { return None };
    Some(row(name, &format!("{floor} MB/s"), &format!("{ours} MB/s"), (least, median), target))
}

/// `protect, suite 0, 64 B   floor  57.1ns ours  60.2ns ratio 1.054 (median 1.061), target 1.1`
fn security(line: &str) -> Option<Row> {
    let (name, rest) = line.split_once("floor ")?;
    let (floor, rest) = rest.split_once(" ours ")?;
    let (ours, rest) = rest.split_once(" ratio ")?;
    let (least, rest) = rest.split_once(" (median ")?;
    let (median, target) = rest.split_once("), target ")?;
    let ratios = (least.trim().parse().ok()?, median.trim().parse().ok()?);
    Some(match target.trim() {
        "none" => Row { target: "–".to_owned(), met: None, ..row(name, floor, ours, ratios, 0.0) },
        target => row(name, floor, ours, ratios, target.parse().ok()?),
    })
}

/// Builds the `dlms` command and says where it is.
///
/// # Errors
/// It does not build.
pub fn dlms() -> Result<std::path::PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--package", "dlms-cli"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()?;
    if !status.success() {
        bail!("the dlms command does not build");
    }
    // Where this program is, the command is too: both are release builds of one workspace.
    let this = std::env::current_exe()?;
    Ok(this.parent().context("no folder")?.join("dlms"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_benches_print_is_understood() {
        let line = "decode, borrowed: Rows        1000 rows  floor   9.87 ns/row (9.98)  ours  10.20 ns/row (10.33)  x1.03 min, x1.04 median, target x1.5";
        let row = encoding(line).unwrap();
        assert_eq!(
            (row.name.as_str(), row.least, row.median),
            ("decode, borrowed: Rows 1000 rows", Some(1.03), Some(1.04))
        );
        let line = "stream of 1 MiB, pieces of 16               1200 MB/s  1100 MB/s    1.09    1.10     1.5";
        let row = hdlc(line).unwrap();
        assert_eq!(
            (row.name.as_str(), row.floor.as_str(), row.met),
            ("stream of 1 MiB, pieces of 16", "1200 MB/s", Some(true))
        );
        let line = "protect, suite 0, 64 B       floor    57.1ns ours    60.2ns ratio 1.154 (median 1.161), target 1.1";
        let row = security(line).unwrap();
        assert_eq!(
            (row.name.as_str(), row.ours.as_str(), row.met),
            ("protect, suite 0, 64 B", "60.2ns", Some(false))
        );
        let line = "sign, P256       floor   157.1µs ours   160.2µs ratio 1.054 (median 1.061), target none";
        let row = security(line).unwrap();
        assert_eq!((row.name.as_str(), row.least, row.met), ("sign, P256", Some(1.054), None));
    }
}
