//! Finds what may panic in the object code of the library crates.
//!
//! `cargo run --package panic-free-check` builds `image` for both targets, with checked sums and without, and fails where
//! a function of the library crates refers to a panicking symbol. Each time it must find the functions of `guilty`, which do.

mod graph;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use graph::Graph;

const TARGETS: [&str; 2] = ["thumbv7em-none-eabihf", "riscv32imc-unknown-none-elf"];
/// Of `Cargo.toml`, and what of `guilty` panics there.
const PROFILES: [(&str, &[&str]); 2] = [
    ("release", &["panic_free_guilty::hidden::last", "panic_free_guilty::index"]),
    ("checked", &["panic_free_guilty::hidden::last", "panic_free_guilty::index", "panic_free_guilty::sum"]),
];

fn main() -> Result<()> {
    if let Some(argument) = std::env::args().nth(1) {
        bail!("{argument}: there are no arguments");
    }
    let (mut verdicts, mut blind) = (Vec::new(), false);
    for target in TARGETS {
        for (profile, guilty) in PROFILES {
            let mut verdict = verdict::judge(&graph(target, profile)?);
            let found = verdict.take("panic_free_guilty");
            println!("{target}, {profile}: {verdict}");
            if found != guilty {
                println!("    of {guilty:?} it found {found:?}");
                blind = true;
            }
            verdicts.push(verdict);
        }
    }
    let unused = verdict::unused(&verdicts);
    for exception in &unused {
        println!("no exception is needed any more for {exception}");
    }
    if blind {
        bail!("what panics was not found");
    }
    if verdicts.iter().any(|verdict| !verdict.findings.is_empty()) || !unused.is_empty() {
        bail!("the library crates may panic, or the exceptions are not what there is");
    }
    Ok(())
}

/// What was compiled for a target, and the part of the standard library that firmware has.
fn graph(target: &str, profile: &str) -> Result<Graph> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--message-format=json"])
        .args(["--package", "panic-free-image", "--package", "panic-free-guilty"])
        .args(["--profile", profile, "--target", target])
        .current_dir(workspace)
        .env("RUSTFLAGS", "-C symbol-mangling-version=v0")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_INCREMENTAL")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the image does not build; is the target {target} installed?");
    }
    let mut graph = Graph::default();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        for file in message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str()) {
            if file.ends_with(".rlib") && file.contains(target) {
                graph.read(message["target"]["name"].as_str().context("no name")?, Path::new(file))?;
            }
        }
    }
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for library in ["core", "compiler_builtins"] {
            if name.starts_with(&format!("lib{library}-")) && name.ends_with(".rlib") {
                graph.read(library, &path)?;
            }
        }
    }
    Ok(graph)
}
