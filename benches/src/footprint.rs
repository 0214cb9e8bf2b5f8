//! What the least meter takes in the flash and RAM of a Cortex-M4, and how large the engines are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use dlms_security::{Peers, SecurityError, SuiteZero};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use crate::measure::{Row, Table};

/// Suite 0, as on the Cortex-M4.
type Provider = SuiteZero<fn(&mut [u8]) -> Result<(), SecurityError>>;

const TARGET: &str = "thumbv7em-none-eabihf";
const KIBIBYTE: u64 = 1024;
/// Crates below this are counted together.
const SMALL: u64 = 256;

/// What a linked meter takes.
struct Weight {
    flash: u64,
    ram: u64,
    /// Octets of flash by crate.
    crates: BTreeMap<String, u64>,
    /// The sizes that the meter states of the engines.
    engines: BTreeMap<String, u64>,
}

fn build(features: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("footprint");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("../../target"), PathBuf::from);
    let target = target.join("footprint");
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--target", TARGET, "--features", features])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(&folder)
        .env_remove("RUSTFLAGS")
        .status()?;
    if !status.success() {
        bail!("the meter does not build; is the target {TARGET} installed?");
    }
    Ok(target.join(TARGET).join("release/dlms-footprint"))
}

fn weigh(features: &str) -> Result<Weight> {
    let octets = std::fs::read(build(features)?)?;
    let file = object::File::parse(&*octets)?;
    let mut weight = Weight { flash: 0, ram: 0, crates: BTreeMap::new(), engines: BTreeMap::new() };
    for section in file.sections() {
        match section.kind() {
            SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => {
                weight.flash += section.size();
            }
            // What is initialised lies in both.
            SectionKind::Data => {
                weight.flash += section.size();
                weight.ram += section.size();
            }
            SectionKind::UninitializedData => weight.ram += section.size(),
            _ => {}
        }
    }
    for symbol in file.symbols() {
        let name = symbol.name()?;
        if let Some(engine) = name.strip_prefix("SIZE_") {
            weight.engines.insert(engine.to_owned(), symbol.size());
        } else if matches!(symbol.kind(), SymbolKind::Text) {
            *weight.crates.entry(home(name)).or_default() += symbol.size();
        }
    }
    let code: u64 = weight.crates.values().sum();
    weight.crates.insert("constants".to_owned(), weight.flash.saturating_sub(code));
    Ok(weight)
}

/// The crate that a mangled name belongs to.
fn home(name: &str) -> String {
    let Some(path) = name.strip_prefix("_ZN") else {
        let outlined = name.starts_with("OUTLINED_FUNCTION");
        let own = name == "_start";
        return match (own, outlined) {
            (true, _) => "dlms_footprint",
            (_, true) => "outlined",
            _ => "compiler_builtins",
        }
        .to_owned();
    };
    let digits = path.find(|it: char| !it.is_ascii_digit()).unwrap_or(0);
    let (length, rest) = path.split_at(digits);
    let first = length.parse().ok().and_then(|length: usize| rest.get(..length)).unwrap_or(rest);
    // The crate of the type, or, where the language has the type, of the trait.
    let name = |path: &str| {
        let path = path.trim_start_matches('_').trim_start_matches("$LT$").trim_start_matches("$RF$");
        let end = path.find("..").or_else(|| path.find('$')).unwrap_or(path.len());
        path[..end].to_owned()
    };
    match first.split_once("$u20$as$u20$") {
        Some((ty, path)) if !ty.contains("..") => name(path),
        _ => name(first),
    }
}

/// Measures the rows.
///
/// # Errors
/// The meter does not build.
pub fn table() -> Result<Table> {
    let plain = weigh("")?;
    let ciphered = weigh("suite0")?;
    let mut engines = ciphered.engines.clone();
    let mut rows = Vec::new();
    let mut flash = |name: &str, weight: &Weight, limit: u64| {
        let share = weight.flash as f64 / KIBIBYTE as f64;
        let target = format!("≤ {limit} KiB");
        let met = Some(weight.flash <= limit * KIBIBYTE);
        rows.push(Row::figure(&format!("{name}: flash"), format!("{share:.1} KiB"), &target, met));
        rows.push(Row::figure(&format!("{name}: RAM"), format!("{} octets", weight.ram), "–", None));
    };
    flash("server, HDLC, 20 objects, LLS", &plain, 24);
    flash("server, HDLC, 20 objects, HLS-GMAC, suite 0", &ciphered, 32);
    let mut engine = |name: &str| engines.remove(name).with_context(|| anyhow!("no size of {name}"));
    let (client, client_keys) = (engine("CLIENT")?, engine("CLIENT_KEYS")?);
    let (server, server_keys) = (engine("SESSION")?, engine("SERVER_KEYS")?);
    let here = |ours: usize, name: &str, limit: u64| {
        let met = Some(ours as u64 <= limit);
        Row::figure(&format!("{name}, x86-64"), format!("{ours} octets"), &format!("≤ {limit}"), met)
    };
    let there = |ours: u64, name: &str, limit: u64| {
        Row::figure(
            &format!("{name}, Cortex-M4"),
            format!("{ours} octets"),
            &format!("≤ {limit}"),
            Some(ours <= limit),
        )
    };
    let client_keys_here = size_of::<dlms::SecurityContext<Provider, Peers<1>>>();
    let server_keys_here = size_of::<dlms::SecurityContext<Provider>>();
    let client_here = size_of::<dlms::client::Client<Provider, ()>>();
    let server_here = size_of::<dlms::server::Session<Provider, ()>>();
    rows.extend([
        there(client, "client session", 1024),
        there(client + client_keys, "client session with its keys", 1024),
        there(server, "server session", 2048),
        there(server + server_keys, "server session with its keys", 2048),
        here(client_here, "client session", 1024),
        here(client_here + client_keys_here, "client session with its keys", 1024),
        here(server_here, "server session", 2048),
        here(server_here + server_keys_here, "server session with its keys", 2048),
    ]);
    let mut after =
        "Where the flash goes, in octets:\n\n| crate | without cipher | suite 0 |\n| --- | ---: | ---: |\n"
            .to_owned();
    let mut names: Vec<_> = ciphered.crates.iter().map(|(name, size)| (*size, name)).collect();
    names.sort_by(|a, b| b.cmp(a));
    let (mut small, mut small_without) = (0, 0);
    for (size, name) in names {
        let without = plain.crates.get(name).copied().unwrap_or(0);
        if size < SMALL {
            (small, small_without) = (small + size, small_without + without);
            continue;
        }
        writeln!(after, "| `{name}` | {without} | {size} |")?;
    }
    writeln!(after, "| others | {small_without} | {small} |")?;
    Ok(Table {
        title: "Footprint".to_owned(),
        about: format!(
            "`benches/footprint` for `{TARGET}`, opt-level z, link-time optimisation: 20 objects (clock, profile with \
             selective access, relay, scripts, registers, two associations), GET, SET and ACTION with lists and blocks, one \
             HDLC link. Without start-up code and drivers. A session is counted beside its buffers; the keys belong to \
             the security setup and are shared by its associations. A client has the replay window of one server, a \
             server those of eight clients."
        ),
        rows,
        after,
    })
}
