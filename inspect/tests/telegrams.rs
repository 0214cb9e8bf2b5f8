//! Captured and published telegrams against their expected decode.
//!
//! Runs `tests/data/telegrams.json`, and every `*telegrams*.json` in the folder that `DLMS_EXTRA_VECTORS` names. Prints
//! one line per case that fails, one per framing that is not covered yet, and a summary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use dlms_inspect::{Direction, Framing, Inspector, Message, Options};
use dlms_security::{AuthenticationKey, Secret};
use serde_json::Value;

enum Outcome {
    Passed,
    Failed(String),
    NotCovered,
}

fn main() -> ExitCode {
    // `cargo test` passes a filter and flags of its own harness: the filter selects by id, `--list` lists nothing.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let started = Instant::now();
    let mut seen = Vec::new();
    let (mut passed, mut failed, mut filtered, mut not_covered) =
        (0, 0, 0, Vec::<(String, Vec<String>)>::new());
    for file in files() {
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let document: Value = serde_json::from_str(&text).expect("a JSON document");
        for case in document["cases"].as_array().expect("cases") {
            let id = case["id"].as_str().expect("an id").to_owned();
            if seen.contains(&(id.clone(), case["messages"].clone())) {
                continue;
            }
            seen.push((id.clone(), case["messages"].clone()));
            if filter.is_some_and(|filter| !id.contains(filter.as_str())) {
                filtered += 1;
                continue;
            }
            match run(case) {
                Outcome::Passed => passed += 1,
                Outcome::Failed(why) => {
                    failed += 1;
                    println!("FAILED {id}: {why}");
                }
                Outcome::NotCovered => {
                    let framing = case["framing"].as_str().unwrap_or("?").to_owned();
                    match not_covered.iter_mut().find(|(known, _)| *known == framing) {
                        Some((_, ids)) => ids.push(id),
                        None => not_covered.push((framing, vec![id])),
                    }
                }
            }
        }
    }
    let ignored: usize = not_covered.iter().map(|(_, ids)| ids.len()).sum();
    for (framing, ids) in &not_covered {
        println!("not covered yet: {framing}, {}: {}", ids.len(), ids.join(" "));
    }
    println!("{passed} of {}, {ignored} not covered", passed + failed + ignored);
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {filtered} filtered out; finished in {:.2}s",
        if failed == 0 { "ok" } else { "FAILED" },
        started.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The data in the repository, and what the environment adds.
fn files() -> Vec<PathBuf> {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/telegrams.json")];
    if let Some(folder) = std::env::var_os("DLMS_EXTRA_VECTORS") {
        let folder = PathBuf::from(folder);
        // A relative folder is meant from where cargo was called, which is not where tests run.
        let folder = if folder.exists() {
            folder
        } else {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)
        };
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut extra: Vec<PathBuf> = entries
            .map(|entry| entry.expect("a folder entry").path())
            .filter(|path| {
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                name.contains("telegrams") && name.ends_with(".json")
            })
            .collect();
        extra.sort();
        files.extend(extra);
    }
    files
}

fn run(case: &Value) -> Outcome {
    let messages: Vec<Message> = case["messages"].as_array().expect("messages").iter().map(message).collect();
    let expected = &case["expected"];
    let framing: Framing = case["framing"].as_str().expect("a framing").parse().expect("a known framing");
    // Where a deviation has to be put up with, both readers are tried: the tolerant one for the value, the strict one
    // for its error.
    let lenient = case["quirks"].as_array().is_some_and(|quirks| !quirks.is_empty());
    let key = |name: &str| case["keys"][name].as_str().map(octets);
    let options = Options {
        framing,
        lenient,
        encryption_key: key("ek").map(|key| Secret::new(&key).expect("a key")),
        authentication_key: key("ak").map(|key| AuthenticationKey::new(&key).expect("a key")),
        dedicated_key: key("dedicated").map(|key| Secret::new(&key).expect("a key")),
        system_title: key("system-title").map(|title| title.as_slice().try_into().expect("a system title")),
    };
    let explanation = Inspector::new(options.clone()).inspect(&messages);
    if explanation.is_not_covered() {
        return Outcome::NotCovered;
    }
    if let Err(why) = contains(explanation.json(), expected, "") {
        return Outcome::Failed(why);
    }
    // Found out by itself, the framing makes no difference.
    let found = Inspector::new(Options { framing: Framing::Auto, ..options.clone() }).inspect(&messages);
    if expected["kind"] != "error" && found.json() != explanation.json() {
        return Outcome::Failed(format!("found as {} when the framing is not told", found.json()["kind"]));
    }
    let strict = Inspector::new(Options { lenient: false, ..options }).inspect(&messages);
    let wanted = match &expected["strict"]["error"] {
        Value::Null if expected["transparency"].is_null() => expected,
        Value::Null => return Outcome::Passed,
        wanted => wanted,
    };
    match contains(strict.json(), wanted, "strict") {
        Ok(()) => Outcome::Passed,
        Err(why) => Outcome::Failed(why),
    }
}

fn message(message: &Value) -> Message {
    let direction = match message["dir"].as_str() {
        Some("c2m") => Direction::ClientToMeter,
        Some("m2c") => Direction::MeterToClient,
        _ => Direction::Push,
    };
    Message { direction, octets: octets(message["hex"].as_str().expect("hex")) }
}

fn octets(text: &str) -> Vec<u8> {
    text.parse::<Message>().expect("hexadecimal digits").octets
}

/// Whether everything that is expected is there and equal; more keys may be there.
fn contains(found: &Value, expected: &Value, path: &str) -> Result<(), String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (key, expected) in expected {
                let path = format!("{path}/{key}");
                let Some(found) = found.get(key) else { return Err(format!("{path} is missing")) };
                contains(found, expected, &path)?;
            }
            Ok(())
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => found
            .iter()
            .zip(expected)
            .enumerate()
            .try_for_each(|(at, (found, expected))| contains(found, expected, &format!("{path}[{at}]"))),
        (found, expected) if found == expected => Ok(()),
        (found, expected) => Err(format!("{path} is {}, not {}", short(found), short(expected))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.len() > 300 { format!("{}…", text.chars().take(300).collect::<String>()) } else { text }
}
