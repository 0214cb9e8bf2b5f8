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
use verdict::LIBRARIES;

const TARGETS: [&str; 2] = ["thumbv7em-none-eabihf", "riscv32imc-unknown-none-elf"];
/// Whether sums are checked, and what of `guilty` panics then.
const SUMS: [(bool, &[&str]); 2] = [
    (false, &["panic_free_guilty::hidden::last", "panic_free_guilty::index"]),
    (true, &["panic_free_guilty::hidden::last", "panic_free_guilty::index", "panic_free_guilty::sum"]),
];

fn main() -> Result<()> {
    if let Some(argument) = std::env::args().nth(1) {
        bail!("{argument}: there are no arguments");
    }
    let (mut verdicts, mut blind) = (Vec::new(), false);
    for (are_checked, guilty) in SUMS {
        let archives = build(are_checked)?;
        for target in TARGETS {
            let mut verdict = verdict::judge(&graph(target, &archives)?);
            let found = verdict.take("panic_free_guilty");
            println!("{target}, sums {}checked: {verdict}", if are_checked { "" } else { "not " });
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

/// Compiles for all targets; the crates' names and archives.
fn build(are_sums_checked: bool) -> Result<Vec<(String, PathBuf)>> {
    let mut checks = Vec::new();
    if are_sums_checked {
        let packages = LIBRARIES.map(|name| format!(".package.{}", name.replace('_', "-")));
        checks.extend(packages.map(|package| format!("profile.release{package}.overflow-checks=true")));
        checks.push("profile.release.overflow-checks=true".to_owned());
    }
    let output = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--release", "--message-format=json"])
        .args(["--package", "panic-free-image", "--package", "panic-free-guilty"])
        .args(TARGETS.iter().flat_map(|target| ["--target", target]))
        .args(checks.iter().flat_map(|check| ["--config", check]))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("RUSTFLAGS", "-C symbol-mangling-version=v0")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_INCREMENTAL")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the image does not build; are the targets {TARGETS:?} installed?");
    }
    let mut archives = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        for file in message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str()) {
            if file.ends_with(".rlib") {
                let name = message["target"]["name"].as_str().context("no name")?;
                archives.push((name.to_owned(), PathBuf::from(file)));
            }
        }
    }
    Ok(archives)
}

/// What of it is for a target, and the part of the standard library that firmware has.
fn graph(target: &str, archives: &[(String, PathBuf)]) -> Result<Graph> {
    let mut graph = Graph::default();
    for (name, path) in archives.iter().filter(|(_, path)| path.iter().any(|folder| folder == target)) {
        graph.read(name, path)?;
    }
    for library in LIBRARIES {
        if !graph.nodes.iter().any(|node| node.archive == library) {
            bail!("nothing of {library} was compiled for {target}");
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
