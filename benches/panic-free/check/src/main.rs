//! Finds what may panic in the object code of the library crates.
//!
//! `cargo run --package panic-free-check` builds `image` for both targets, and fails where a
//! function of the library crates refers to a panicking symbol. With `guilty`, the image has a function that panics: the
//! check fails unless it finds that one.

mod graph;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use graph::Graph;
use verdict::Verdict;

const TARGETS: [&str; 2] = ["thumbv7em-none-eabihf", "riscv32imc-unknown-none-elf"];
/// Of `Cargo.toml`. `small`, optimised for size, is not free of panics yet.
const PROFILES: [&str; 1] = ["release"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => prove(),
        (Some("guilty"), None) => find_guilty(),
        _ => bail!("usage: panic-free-check [guilty]"),
    }
}

fn prove() -> Result<()> {
    let mut verdicts = Vec::new();
    for target in TARGETS {
        for profile in PROFILES {
            let verdict = verdict::judge(&graph(target, profile, &[])?);
            println!("{target}, {profile}: {verdict}");
            verdicts.push(verdict);
        }
    }
    let unused = verdict::unused(&verdicts);
    for exception in &unused {
        println!("no exception is needed any more for {exception}");
    }
    if verdicts.iter().any(|verdict| !verdict.findings.is_empty()) || !unused.is_empty() {
        bail!("the library crates may panic, or the exceptions are not what there is");
    }
    Ok(())
}

fn find_guilty() -> Result<()> {
    let Verdict { findings, .. } =
        verdict::judge(&graph(TARGETS[0], PROFILES[0], &["--features", "guilty"])?);
    match &findings[..] {
        [finding] if finding.function == "panic_free_image::guilty" => {
            println!("found: {finding}");
            Ok(())
        }
        other => bail!("the function that panics is not what was found: {other:?}"),
    }
}

/// What was compiled for a target, and the part of the standard library that firmware has.
fn graph(target: &str, profile: &str, more: &[&str]) -> Result<Graph> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--package", "panic-free-image", "--message-format=json"])
        .args(["--profile", profile, "--target", target])
        .args(more)
        .current_dir(workspace)
        .env("RUSTFLAGS", "-C symbol-mangling-version=v0")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
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
    for entry in std::fs::read_dir(folder)? {
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
