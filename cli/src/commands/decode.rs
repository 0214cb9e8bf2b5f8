//! `dlms decode`: what octets say.

use std::io::Read as _;

use dlms_inspect::{Explanation, Inspector, Layer, Message, Options, ParseMessageError, Problem};
use dlms_security::{AuthenticationKey, Secret};
use serde_json::{Map, Value, json};

use crate::args::{DecodeArgs, DecodeFraming};
use crate::connection::{octets, title};
use crate::failure::{Exit, Failure, Result};
use crate::output::{self, tree::Node};

/// The longest input that is read.
const LONGEST: u64 = 256 << 20;

pub(crate) fn run(args: &DecodeArgs, json: bool) -> Result<()> {
    let options = options(args)?;
    let messages = match messages(&input(&args.input)?) {
        Err(failure) if json && failure.exit == Exit::Malformed => {
            output::json(&refusal(json!({
                "kind": "error",
                "layer": failure.layer,
                "reason": failure.reason,
                "offset": failure.offset,
                "message": failure.message,
            })))?;
            eprintln!("dlms: {failure}");
            return Err(Failure::told(failure.exit));
        }
        messages => messages?,
    };
    if messages.is_empty() {
        return Err(Failure::usage("no octets to decode").hint("give hexadecimal digits, - or @FILE"));
    }
    let explanation = Inspector::new(options).inspect(&messages);
    let Some(error) = explanation.error() else {
        return explained(&explanation, messages.len(), json);
    };
    let exit = exit(error);
    if json {
        output::json(&refusal(explanation.json().clone()))?;
        eprintln!("dlms: {error}");
        return Err(Failure::told(exit));
    }
    let failure = Failure::new(exit, error.layer.name(), error.reason.clone(), error.message.clone());
    Err(error.offset.into_iter().fold(failure, Failure::at))
}

/// What was explained, with what is wrong in single messages of it: a message that does not decode is part of the
/// explanation of an exchange, unless none of its messages does; a tag that does not verify means that the keys are not
/// those of the exchange.
fn explained(explanation: &Explanation, messages: usize, json: bool) -> Result<()> {
    if json {
        output::json(explanation)?;
    } else {
        output::text(&tree(explanation.json()))?;
    }
    explanation.problems().iter().for_each(|problem| eprintln!("dlms: {problem}"));
    let is_session = explanation.json().get("kind").is_some_and(|kind| kind == "session");
    let problems = explanation.problems();
    if problems.iter().any(|problem| exit(problem) == Exit::Security) {
        Err(Failure::told(Exit::Security))
    } else if is_session && problems.len() >= messages {
        Err(Failure::told(Exit::Malformed))
    } else {
        Ok(())
    }
}

fn exit(problem: &Problem) -> Exit {
    if problem.layer == Layer::Security { Exit::Security } else { Exit::Malformed }
}

/// The document of refused octets, with the object that every command has for an error.
fn refusal(mut document: Value) -> Value {
    if let Some(fields) = document.as_object_mut() {
        let error: Map<_, _> = ["layer", "reason", "offset", "message"]
            .into_iter()
            .filter_map(|field| Some((field.to_owned(), fields.get(field)?.clone())))
            .collect();
        fields.insert("error".to_owned(), error.into());
    }
    document
}

/// The document as a tree; what kind it is stands at the root.
fn tree(document: &Value) -> String {
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or("explanation");
    let mut document = document.clone();
    if let Some(fields) = document.as_object_mut() {
        fields.remove("kind");
    }
    Node::of_json(kind, &document).text()
}

fn options(args: &DecodeArgs) -> Result<Options> {
    let secret = |digits: &Option<String>, option: &str| match digits {
        None => Ok(None),
        Some(digits) => match octets(digits, option)? {
            key if matches!(key.len(), 16 | 32) => Secret::new(&key).ok(),
            _ => None,
        }
        .map(Some)
        .ok_or_else(|| Failure::usage(format!("{option} has 16 or 32 octets"))),
    };
    let authentication_key = match &args.ak {
        None => None,
        Some(digits) => Some(
            AuthenticationKey::new(&octets(digits, "--ak")?)
                .map_err(|_| Failure::usage("--ak has 16 or 32 octets"))?,
        ),
    };
    Ok(Options {
        framing: match args.framing {
            DecodeFraming::Auto => dlms_inspect::Framing::Auto,
            DecodeFraming::Hdlc => dlms_inspect::Framing::Hdlc,
            DecodeFraming::Wrapper => dlms_inspect::Framing::Wrapper,
            DecodeFraming::Mbus => dlms_inspect::Framing::Mbus,
            DecodeFraming::Wmbus => dlms_inspect::Framing::Wmbus,
            DecodeFraming::LlcApdu => dlms_inspect::Framing::LlcApdu,
            DecodeFraming::Apdu => dlms_inspect::Framing::Apdu,
            DecodeFraming::AxdrData => dlms_inspect::Framing::AxdrData,
            DecodeFraming::P1Ascii => dlms_inspect::Framing::P1Ascii,
            DecodeFraming::Iec6205621 => dlms_inspect::Framing::Iec62056Part21,
        },
        lenient: args.lenient,
        encryption_key: secret(&args.ek, "--ek")?,
        authentication_key,
        dedicated_key: secret(&args.dedicated_key, "--dedicated-key")?,
        system_title: title(args.system_title.as_deref(), "--system-title")?,
    })
}

/// The lines that are to be explained. Words on the command line are one line, but for those that begin with a
/// direction.
fn input(words: &[String]) -> Result<String> {
    let read_all = |reader: &mut dyn std::io::Read, name: &str| {
        let mut octets = Vec::new();
        reader
            .take(LONGEST)
            .read_to_end(&mut octets)
            .map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        // What is no text has no hexadecimal digits either, and is refused there.
        Ok(String::from_utf8_lossy(&octets).into_owned())
    };
    match words {
        [] => read_all(&mut std::io::stdin().lock(), "standard input"),
        [word] if word == "-" => read_all(&mut std::io::stdin().lock(), "standard input"),
        [word] if word.starts_with('@') => {
            let path = &word[1..];
            let mut file =
                std::fs::File::open(path).map_err(|error| Failure::usage(format!("{path}: {error}")))?;
            read_all(&mut file, path)
        }
        words => Ok(words.iter().fold(String::new(), |mut text, word| {
            text.push(if word.starts_with(['<', '>']) { '\n' } else { ' ' });
            text.push_str(word);
            text
        })),
    }
}

/// One message per line; empty lines and those that begin with `#` are none.
fn messages(text: &str) -> Result<Vec<Message>> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            line.parse().map_err(|error| {
                let message = format!("line {number}: {error}");
                let failure = Failure::new(Exit::Malformed, "framing", "not-hexadecimal", message);
                match error {
                    ParseMessageError::Digit(at) => failure.at(at),
                    ParseMessageError::Odd => failure.at(line.len()),
                }
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_message_unless_they_have_directions() {
        let words = |words: &[&str]| -> Vec<_> {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            messages(&input(&words).unwrap()).unwrap().iter().map(|message| message.octets.clone()).collect()
        };
        assert_eq!(words(&["7e", "a0", "0x07"]), [vec![0x7E, 0xA0, 0x07]]);
        assert_eq!(words(&[">7ea0", "<", "7e", "07"]), [vec![0x7E, 0xA0], vec![0x7E, 0x07]]);
        assert_eq!(messages("# a comment\n\n> 7e\n").unwrap().len(), 1);
        assert_eq!(messages("7e\n7g").unwrap_err().to_string().split(':').nth(1), Some(" line 2"));
    }
}
