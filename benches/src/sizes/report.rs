//! `docs/footprint.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use dlms_security::{Peers, SecurityError, SuiteZero};

use super::check::{HEADER, thousands};
use super::image::Weight;
use super::layers::{Layers, crates};
use super::{FIRMWARE, LLS_ALONE, MINIMAL, Meter, REFERENCE, TARGETS};
use crate::report::{MARK, today};

/// Suite 0, as in the minimal meter.
type Provider = SuiteZero<fn(&mut [u8]) -> Result<(), SecurityError>>;

const KIBIBYTE: u64 = 1024;
/// What takes less is counted together.
const SMALL: u64 = 256;

/// An option: its feature, what it is, and what the minimal meter takes with it.
pub(crate) struct Added {
    pub(crate) feature: &'static str,
    pub(crate) what: &'static str,
    pub(crate) weight: Weight,
}

/// The report; what stands below its mark in `kept` stays.
pub(crate) fn markdown(meters: &[Meter], options: &[Added], kept: &str) -> Result<String> {
    let mut text = String::from("# Footprint\n\n");
    writeln!(
        text,
        "Written by `cargo run --release -p dlms-benches -- sizes` on {} with {}; what stands below the line at the end is \
         kept. `-- sizes --check` compares the first table with what it finds, and fails where something has grown by more \
         than 2 %.\n",
        today()?,
        compiler()?,
    )?;
    text += "Octets. *Flash* is code, constants and what variables are initialised with; *static RAM* is all variables, \
        buffers among them; *stack* is the deepest one while a client in another process did all that it could in each \
        association, on the processor as qemu emulates it (a Cortex-M4 for code of a Cortex-M0).\n\n";
    figures(&mut text, meters)?;
    limits(&mut text, meters)?;
    ram(&mut text, meters)?;
    engines(&mut text, meters)?;
    added(&mut text, meters, options)?;
    flash_by_crate(&mut text, meters)?;
    flash_by_layer(&mut text, meters)?;
    let by_hand = kept.split_once(&format!("\n{MARK}")).map_or("", |(_, by_hand)| by_hand);
    writeln!(text, "{MARK}\n{}", by_hand.trim())?;
    Ok(text)
}

/// What `rustc` says that it is.
pub(crate) fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("-V").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn figures(text: &mut String, meters: &[Meter]) -> Result<()> {
    writeln!(text, "{HEADER}\n| --- | --- | ---: | ---: | ---: |")?;
    for meter in meters {
        writeln!(text, "{}", meter.figures())?;
    }
    text.push_str(
        "\n*LLS alone*: twenty objects (clock, identification, eleven registers, a profile with selective access, relay, \
         scripts, two associations), HDLC, GET, SET and ACTION with lists and blocks. *Minimal*: HLS-GMAC and ciphering \
         with suite 0 in a third association, one register less. *Full*: four associations (public, LLS, HLS-GMAC with suite \
         0, HLS 7 with suite 2), all options below. These are `benches/footprint`, as small as the compiler makes them, \
         without drivers and with two instructions of start-up code. *firmware-meter* is `examples/firmware-meter` without its \
         boot program: two lines at once, flash in earnest, a log.\n\n",
    );
    Ok(())
}

fn find<'m>(meters: &'m [Meter], name: &str, target: &str) -> Result<&'m Meter> {
    let found = meters.iter().find(|meter| meter.name == name && meter.target.name == target);
    found.with_context(|| format!("no {name} for {target}"))
}

/// The parts of static RAM that a link's buffers and the rows of a profile are.
fn beside_buffers(weight: &Weight) -> Result<[u64; 3]> {
    let (buffers, rows) = (weight.part("BUFFERS")?, weight.part("ROWS")?);
    Ok([buffers, rows, weight.ram.saturating_sub(buffers + rows)])
}

fn limits(text: &mut String, meters: &[Meter]) -> Result<()> {
    let minimal = find(meters, "minimal", REFERENCE.name)?;
    let lls = find(meters, LLS_ALONE, REFERENCE.name)?;
    let firmware = find(meters, "firmware-meter", FIRMWARE.name)?;
    let [_, _, beside] = beside_buffers(&minimal.weight)?;
    let firmware_ram = firmware.weight.ram + firmware.stack.unwrap_or(0);
    text.push_str("## Limits\n\n| what | octets | limit | met |\n| --- | ---: | ---: | :---: |\n");
    for (what, ours, limit) in [
        ("LLS alone, Cortex-M4: flash", lls.weight.flash, 24 * KIBIBYTE),
        ("minimal, Cortex-M4: flash", minimal.weight.flash, 24 * KIBIBYTE),
        ("minimal, Cortex-M4: static RAM beside buffers and the rows of the profile", beside, 2 * KIBIBYTE),
        (
            "firmware-meter: flash, with 17 KiB for the boot program and a header",
            firmware.weight.flash + 17 * KIBIBYTE,
            256 * KIBIBYTE,
        ),
        ("firmware-meter: static RAM and stack", firmware_ram, 64 * KIBIBYTE),
    ] {
        let met = if ours <= limit { "yes" } else { "**no**" };
        writeln!(text, "| {what} | {} | {} | {met} |", thousands(ours), thousands(limit))?;
    }
    text.push('\n');
    Ok(())
}

fn ram(text: &mut String, meters: &[Meter]) -> Result<()> {
    let shown: Vec<_> = meters.iter().filter(|meter| !meter.weight.parts.is_empty()).collect();
    text.push_str(
        "## RAM\n\nOf a meter: *buffers* are the five of an HDLC link (frames in, request, answer, segments, a value in blocks), \
         each with the longest APDU; *rows* are those of a profile in RAM.\n\n\
         | meter | built for | buffers | rows | objects | keys | server | the rest | all |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for meter in &shown {
        let weight = &meter.weight;
        let [buffers, rows, beside] = beside_buffers(weight)?;
        let objects = weight.part("DEVICE")?;
        let keys = weight.part("KEYS")?;
        let server = weight.part("SERVER")? - buffers;
        let rest = beside.saturating_sub(objects + keys + server);
        let cells = [buffers, rows, objects, keys, server, rest, weight.ram].map(thousands).join(" | ");
        writeln!(text, "| {} | `{}` | {cells} |", meter.name, meter.target.name)?;
    }
    text.push_str(
        "\nOf one more association: its configuration and object, and, where it has keys of its own, the security setup, which \
         associations may share. Of one more client at the same time: its session and HDLC link, beside four buffers.\n\n\
         | meter | built for | association | its keys | session | HDLC link |\n| --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    for meter in &shown {
        let part = |name: &str| meter.weight.part(name).map(thousands);
        let (association, keys) = (part("ASSOCIATION")?, part("SERVER_KEYS")?);
        let (session, link) = (part("SESSION")?, part("HDLC_SECONDARY")?);
        writeln!(
            text,
            "| {} | `{}` | {association} | {keys} | {session} | {link} |",
            meter.name, meter.target.name
        )?;
    }
    text.push('\n');
    Ok(())
}

/// The engines beside their limits; those of clients are not part of a meter.
fn engines(text: &mut String, meters: &[Meter]) -> Result<()> {
    text.push_str(
        "Engines with suite 0, beside their buffers, with their keys: a client has the replay window of one server, a server \
         those of eight clients.\n\n| engine | limit |",
    );
    let mut sizes = Vec::new();
    for target in TARGETS {
        write!(text, " {} |", target.processor)?;
        let weight = &find(meters, "minimal", target.name)?.weight;
        let parts = ["CLIENT", "CLIENT_KEYS", "SESSION", "SERVER_KEYS"].map(|part| weight.part(part));
        let [client, client_keys, server, server_keys] = parts;
        sizes.push([client?, client_keys?, server?, server_keys?]);
    }
    sizes.push(
        [
            size_of::<dlms::client::Client<Provider, ()>>(),
            size_of::<dlms::SecurityContext<Provider, Peers<1>>>(),
            size_of::<dlms::server::Session<Provider, ()>>(),
            size_of::<dlms::SecurityContext<Provider>>(),
        ]
        .map(|size| size as u64),
    );
    text.push_str(" x86-64 |\n| --- | ---: | ---: | ---: | ---: | ---: |\n");
    let mut row = |name: &str, limit: u64, size: fn(&[u64; 4]) -> u64| {
        write!(text, "| {name} | {} |", thousands(limit))?;
        for sizes in &sizes {
            let size = size(sizes);
            let mark = if size > limit { "**" } else { "" };
            write!(text, " {mark}{}{mark} |", thousands(size))?;
        }
        writeln!(text)
    };
    row("client session", 1024, |[client, ..]| *client)?;
    row("client session with its keys", 1024, |[client, keys, ..]| client + keys)?;
    row("server session", 2048, |[_, _, server, _]| *server)?;
    row("server session with its keys", 2048, |[_, _, server, keys]| server + keys)?;
    text.push('\n');
    Ok(())
}

fn added(text: &mut String, meters: &[Meter], options: &[Added]) -> Result<()> {
    writeln!(
        text,
        "## What options add\n\nTo the minimal meter on a {}, each alone.\n\n| feature | what | flash | static RAM |\n\
         | --- | --- | ---: | ---: |",
        REFERENCE.processor
    )?;
    let weight = |name: &str| anyhow::Ok(&find(meters, name, REFERENCE.name)?.weight);
    let minimal = weight("minimal")?;
    let what = "HLS-GMAC, ciphering with suite 0: what the minimal meter adds to LLS alone";
    for (feature, what, without, with) in std::iter::once((MINIMAL, what, weight(LLS_ALONE)?, minimal))
        .chain(options.iter().map(|option| (option.feature, option.what, minimal, &option.weight)))
    {
        let [flash, ram] = [(with.flash, without.flash), (with.ram, without.ram)]
            .map(|(with, without)| with as i64 - without as i64);
        writeln!(text, "| `{feature}` | {what} | {flash:+} | {ram:+} |")?;
    }
    text.push_str("\nBlock transfer, lists and selective access cannot be left out.\n\n");
    Ok(())
}

/// The columns of the tables of layers: all meters of the reference, and the firmware.
fn columns(meters: &[Meter]) -> Vec<&Meter> {
    let is_shown = |meter: &&Meter| [REFERENCE.name, FIRMWARE.name].contains(&meter.target.name);
    meters.iter().filter(is_shown).collect()
}

fn flash_by_crate(text: &mut String, meters: &[Meter]) -> Result<()> {
    let columns: Vec<_> = meters.iter().collect();
    text.push_str(
        "## Flash by crate\n\nBy the source of each instruction. Inlined functions count for the crate that they are written in, but \
         helpers of `core` and `heapless` for who uses them.\n\n",
    );
    let crates: Vec<_> = columns.iter().map(|meter| crates(&meter.weight.layers)).collect();
    let names: BTreeSet<_> = crates.iter().flat_map(|crates| crates.keys().copied()).collect();
    let rows = names.into_iter().map(|name| {
        let sizes = crates.iter().map(|crates| crates.get(name).copied().unwrap_or(0));
        (format!("`{name}`"), sizes.collect())
    });
    table(text, "crate", &columns, rows.collect())
}

fn flash_by_layer(text: &mut String, meters: &[Meter]) -> Result<()> {
    let columns = columns(meters);
    text.push_str("## Flash by layer\n\nThe modules of our crates.\n\n");
    let all = |layers: &Layers, key: &(String, String)| layers.get(key).copied().unwrap_or(0);
    let keys: BTreeSet<_> = columns.iter().flat_map(|meter| meter.weight.layers.keys()).collect();
    let rows = keys.into_iter().filter(|(_, module)| !module.is_empty()).map(|key| {
        let ours = ["dlms", "cosem-objects"].contains(&key.0.as_str()) || key.0.starts_with("dlms-");
        let sizes = columns.iter().map(|meter| if ours { all(&meter.weight.layers, key) } else { 0 });
        (format!("`{}`: {}", key.0, key.1), sizes.collect())
    });
    table(text, "layer", &columns, rows.collect())
}

/// A table with the largest rows first; those that are small everywhere are one.
fn table(text: &mut String, what: &str, columns: &[&Meter], rows: Vec<(String, Vec<u64>)>) -> Result<()> {
    write!(text, "| {what} |")?;
    for meter in columns {
        let processor = meter.target.processor;
        write!(text, " {}, {processor} |", meter.name)?;
    }
    writeln!(text, "\n| --- |{}", " ---: |".repeat(columns.len()))?;
    let mut others = vec![0; columns.len()];
    let mut shown: Vec<(u64, String, Vec<u64>)> = Vec::new();
    for (name, sizes) in rows {
        match sizes.iter().max() {
            Some(&largest) if largest >= SMALL => shown.push((sizes.iter().sum(), name, sizes)),
            _ => others.iter_mut().zip(&sizes).for_each(|(others, size)| *others += size),
        }
    }
    shown.sort_by(|a, b| b.cmp(a));
    shown.push((0, "others".to_owned(), others));
    for (_, name, sizes) in &shown {
        let cells: Vec<_> = sizes.iter().map(|size| thousands(*size)).collect();
        writeln!(text, "| {name} | {} |", cells.join(" | "))?;
    }
    text.push('\n');
    Ok(())
}
