//! Where the flash of an image goes, by the source that each instruction came from.
//!
//! What was inlined counts for whom it was written, but helpers of the language and of containers count for their user.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::Loader;
use anyhow::{Result, anyhow};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

use super::image::workspace;

/// Octets by layer: a crate, and within ours a module.
pub(crate) type Layers = BTreeMap<(String, String), u64>;

/// Crates that are counted for who uses them.
const HELPERS: [&str; 6] = ["core", "heapless", "bitflags", "typenum", "hybrid-array", "zeroize"];
/// All instructions have an even number of octets.
const UNIT: u64 = 2;

/// Attributes an image.
///
/// # Errors
/// It has no lines.
pub(crate) fn layers(program: &Path, file: &object::File<'_>) -> Result<Layers> {
    let lines = Loader::new(program).map_err(|error| anyhow!("{}: {error}", program.display()))?;
    let mut symbols: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| Some((symbol.address() & !1, symbol.name().ok()?)))
        // Marks of data among code.
        .filter(|(_, name)| !name.starts_with('$'))
        .collect();
    symbols.sort_unstable();
    let mut layers = Layers::new();
    for section in file.sections() {
        match section.kind() {
            SectionKind::Text => {
                for address in (section.address()..section.address() + section.size()).step_by(UNIT as usize)
                {
                    let layer = match source(&lines, address)? {
                        Some(layer) => layer,
                        None => unsourced(&symbols, address),
                    };
                    *layers.entry(layer).or_default() += UNIT;
                }
            }
            SectionKind::ReadOnlyData | SectionKind::ReadOnlyString | SectionKind::Data => {
                *layers.entry(named("constants")).or_default() += section.size();
            }
            _ => {}
        }
    }
    Ok(layers)
}

fn named(name: &str) -> (String, String) {
    (name.to_owned(), String::new())
}

/// The layer of the innermost function that is no helper; of a helper, if there is nothing else.
fn source(lines: &Loader, address: u64) -> Result<Option<(String, String)>> {
    let mut frames = lines.find_frames(address).map_err(|error| anyhow!("{error}"))?;
    let mut helper = None;
    while let Some(frame) = frames.next().map_err(|error| anyhow!("{error}"))? {
        let Some(file) = frame.location.and_then(|location| location.file) else { continue };
        let layer = layer(file);
        if !HELPERS.contains(&layer.0.as_str()) {
            return Ok(Some(layer));
        }
        helper.get_or_insert(layer);
    }
    Ok(helper)
}

/// What has no lines: what the compiler put out of line, and assembly.
fn unsourced(symbols: &[(u64, &str)], address: u64) -> (String, String) {
    let before = symbols.partition_point(|(start, _)| *start <= address);
    let name = before.checked_sub(1).and_then(|last| symbols.get(last)).map_or("", |(_, name)| *name);
    named(if name.starts_with("OUTLINED_FUNCTION") { "outlined" } else { "run-time library" })
}

/// The layer of a source file.
fn layer(file: &str) -> (String, String) {
    if let Some((_, rest)) = file.split_once("/registry/src/") {
        // index.crates.io-…/aes-0.9.1/src/…
        let name = rest.split('/').nth(1).unwrap_or_default();
        let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
        return if name.starts_with("compiler_builtins") { named("run-time library") } else { named(name) };
    }
    let root = workspace().to_string_lossy();
    let Some(file) = file.strip_prefix(&*root).map(|file| file.trim_start_matches('/')) else {
        return named(if file.contains("compiler-builtins") { "run-time library" } else { "core" });
    };
    let Some((folder, path)) = file.split_once("src/") else { return named("the meter itself") };
    let name = match folder.trim_end_matches('/') {
        "" => "dlms",
        "cosem-objects" => "cosem-objects",
        "benches/footprint" if path.starts_with("runtime/") => return named("run-time library"),
        folder if folder.starts_with("benches") || folder.starts_with("examples") => {
            return named("the meter itself");
        }
        "iec62056-21" => "dlms-iec62056-21",
        "security" => "dlms-security",
        "axdr" => "dlms-axdr",
        "hdlc" => "dlms-hdlc",
        "obis" => "dlms-obis",
        other => other,
    };
    let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let mut module = module.split('/');
    let module: Vec<_> = module.by_ref().take(2).collect();
    (name.to_owned(), module.join("/"))
}

/// The octets of each crate.
pub(crate) fn crates(layers: &Layers) -> BTreeMap<&str, u64> {
    let mut crates = BTreeMap::new();
    for ((name, _), size) in layers {
        *crates.entry(name.as_str()).or_default() += size;
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_layers() {
        let here = |file: &str| layer(&workspace().join(file).to_string_lossy());
        let layer_of = |name: &str, module: &str| (name.to_owned(), module.to_owned());
        assert_eq!(here("src/server/get.rs"), layer_of("dlms", "server/get"));
        assert_eq!(here("src/server/security_setup/manager.rs"), layer_of("dlms", "server/security_setup"));
        assert_eq!(here("src/protection/mod.rs"), layer_of("dlms", "protection"));
        assert_eq!(here("axdr/src/reader.rs"), layer_of("dlms-axdr", "reader"));
        assert_eq!(here("benches/footprint/src/meter.rs"), named("the meter itself"));
        assert_eq!(here("benches/footprint/src/runtime/thumb2.rs"), named("run-time library"));
        let registry =
            "/home/user/.cargo/registry/src/index.crates.io-0123456789abcdef/crypto-bigint-0.7.1/src/uint.rs";
        assert_eq!(layer(registry), named("crypto-bigint"));
        assert_eq!(layer("/rustc/0123456789abcdef/library/core/src/slice/mod.rs"), named("core"));
    }
}
