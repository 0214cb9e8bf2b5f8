//! From captured messages to an explanation.

use dlms::xdlms::{self, GeneralBlockTransfer};
use dlms_axdr::Data;
use dlms_hdlc::{LLC_LENGTH, Llc};
use serde_json::{Map, Value, json};

use crate::apdu::{self, Fields, object};
use crate::association::{Association, Attempt, Block, whole};
use crate::explanation::Explanation;
use crate::framing::candidates;
use crate::hdlc::{self, Joined, Joiner};
use crate::iec62056_21;
use crate::message::{Direction, Message};
use crate::options::{Framing, Options};
use crate::problem::{Layer, Problem, hex, name_of};
use crate::wrapper;

/// Explains captured messages.
#[derive(Clone, Debug, Default)]
pub struct Inspector {
    options: Options,
}

impl Inspector {
    /// An inspector that knows what `options` say.
    pub const fn new(options: Options) -> Self {
        Self { options }
    }

    /// Explains messages: one, several pushes, or a whole exchange in order.
    pub fn inspect(&self, messages: &[Message]) -> Explanation {
        let Some(first) = messages.iter().find(|message| !message.octets.is_empty()) else {
            return Explanation::refused(Problem::new(Layer::Framing, "empty", "there are no octets"));
        };
        if self.options.framing != Framing::Auto {
            return self.inspect_framed(self.options.framing, messages);
        }
        let mut explanations =
            candidates(&first.octets).into_iter().map(|framing| self.inspect_framed(framing, messages));
        // The most plausible framing tells what is wrong if none is right.
        let Some(most_plausible) = explanations.next() else {
            return Explanation::refused(Problem::new(Layer::Framing, "unknown", "no framing fits"));
        };
        if most_plausible.error().is_none() {
            return most_plausible;
        }
        explanations.find(|explanation| explanation.error().is_none()).unwrap_or(most_plausible)
    }

    fn inspect_framed(&self, framing: Framing, messages: &[Message]) -> Explanation {
        match framing {
            Framing::AxdrData => self.data(messages),
            Framing::Hdlc | Framing::Wrapper | Framing::Apdu | Framing::LlcApdu => {
                let is_one_way = messages.iter().all(|message| message.direction == Direction::Push);
                if is_one_way || messages.len() == 1 {
                    self.one_way(framing, messages, is_one_way)
                } else {
                    self.session(framing, messages)
                }
            }
            Framing::P1Ascii => iec62056_21::p1_telegram(&joined(messages)),
            Framing::Iec62056Part21 => iec62056_21::readout(&joined(messages)),
            Framing::Mbus | Framing::Wmbus | Framing::Auto => {
                let message = format!("{framing} is not covered yet");
                Explanation::refused(Problem::new(Layer::Framing, "not-covered", message))
            }
        }
    }

    fn data(&self, messages: &[Message]) -> Explanation {
        let octets = joined(messages);
        match Data::from_octets(&octets) {
            Ok(value) => Explanation::new(object(json!({ "kind": "data", "data": apdu::data(&value) }))),
            Err(error) => Explanation::refused(Problem::data(error)),
        }
    }

    /// Messages in one direction, all of one kind of content.
    fn one_way(&self, framing: Framing, messages: &[Message], is_push: bool) -> Explanation {
        let direction = messages.first().map_or(Direction::Push, |message| message.direction);
        let mut association = Association::new(&self.options);
        let mut found = match self.unframe(framing, messages) {
            Ok(found) => found,
            Err(problem) => return Explanation::refused(problem),
        };
        let is_bare = matches!(framing, Framing::Apdu | Framing::LlcApdu);
        let mut blocks: Vec<Value> = Vec::new();
        let mut apdus: Vec<Value> = Vec::new();
        let mut strict = None;
        for octets in &found.apdus {
            let Attempt { value, problem } = if octets.first() == Some(&xdlms::GENERAL_BLOCK_TRANSFER) {
                let block = match whole(octets, GeneralBlockTransfer::decode) {
                    Ok(block) => block,
                    Err(error) => return Explanation::refused(Problem::xdlms(octets, error)),
                };
                blocks.push(Value::Object(apdu::block_transfer(&block)));
                match association.block(direction, &block) {
                    Ok(Block::Whole(joined)) => association.attempt(direction, &joined),
                    Ok(Block::Pending) => continue,
                    Err(problem) => return Explanation::refused(problem),
                }
            } else {
                association.attempt(direction, octets)
            };
            match (value, problem) {
                (Some(value), None) => apdus.push(Value::Object(value)),
                (Some(value), Some(problem)) if self.options.lenient => {
                    apdus.push(Value::Object(value));
                    strict.get_or_insert(problem);
                }
                (_, Some(problem)) => return Explanation::refused(problem),
                (None, None) => {}
            }
        }
        if let Some(problem) = association.unfinished() {
            return Explanation::refused(problem);
        }
        if !is_push && !is_bare && !apdus.is_empty() {
            return self.session(framing, messages);
        }
        let kind = match apdus.len() {
            0 if blocks.is_empty() && !is_bare => "link-only",
            _ if is_bare && messages.len() == 1 => "apdu",
            _ => "push",
        };
        let mut json = object(json!({ "kind": kind }));
        json.append(&mut found.head);
        if !blocks.is_empty() {
            json.insert("gbt".into(), blocks.into());
        }
        match apdus.len() {
            0 => {}
            1 => json.extend(apdus.pop().map(|apdu| ("apdu".into(), apdu))),
            _ => json.extend([("apdus".into(), apdus.into())]),
        }
        if let Some(problem) = &strict {
            json.insert("strict".into(), json!({ "error": problem.json() }));
        }
        found.quirks.append(&mut association.quirks);
        finish(&mut json, &found.quirks, &association);
        Explanation::new(json).with_problems(strict.into_iter().collect())
    }

    /// The APDUs in messages that all went the same way, and what is to be said about their framing.
    fn unframe(&self, framing: Framing, messages: &[Message]) -> Result<Unframed, Problem> {
        let octets = joined(messages);
        match framing {
            Framing::Hdlc => self.unframe_hdlc(&octets),
            Framing::Wrapper => {
                let units = wrapper::unwrap(&octets)?;
                let link: Vec<Value> = units.iter().map(|unit| unit.header.clone()).collect();
                Ok(Unframed {
                    head: object(json!({ "link": link })),
                    apdus: units.iter().map(|unit| unit.apdu.to_vec()).collect(),
                    quirks: Vec::new(),
                })
            }
            Framing::LlcApdu => {
                let mut head = Map::new();
                let mut apdus = Vec::new();
                for message in messages {
                    let (llc, apdu) = split_llc(&message.octets)?;
                    head.insert("llc".into(), llc.into());
                    apdus.push(apdu.to_vec());
                }
                Ok(Unframed { head, apdus, quirks: Vec::new() })
            }
            _ => Ok(Unframed {
                head: object(json!({ "llc": null })),
                apdus: messages.iter().map(|message| message.octets.clone()).collect(),
                quirks: Vec::new(),
            }),
        }
    }

    fn unframe_hdlc(&self, octets: &[u8]) -> Result<Unframed, Problem> {
        let mut found = hdlc::frames(octets);
        let mut head = Map::new();
        let mut quirks = Vec::new();
        let plain =
            hdlc::without_octet_stuffing(octets).filter(|_| found.frames.is_empty() && self.options.lenient);
        if let Some(plain) = &plain {
            let unstuffed = hdlc::frames(plain);
            if !unstuffed.frames.is_empty() {
                found = unstuffed;
                head.insert("transparency".into(), "octet-stuffing".into());
                quirks.push("octet-stuffing");
            }
        }
        let damaged = found.problems.iter().find(|problem| problem.reason == "fcs-mismatch");
        if let Some(problem) = damaged {
            return Err(problem.clone());
        }
        let first_problem = found.problems.first().cloned();
        if found.frames.is_empty() {
            let none = Problem::new(Layer::Hdlc, "no-frame", "there is no frame in the octets");
            return Err(first_problem.unwrap_or(none));
        }
        let mut joiner = Joiner::default();
        let mut link = Vec::new();
        let mut apdus = Vec::new();
        let mut negotiation = None;
        for frame in &found.frames {
            let mut entry = hdlc::link(frame);
            match hdlc::carried(frame) {
                Some((name @ "negotiation", parameters)) => negotiation = Some((name.into(), parameters)),
                Some((name, octets)) => {
                    entry.insert(name.into(), octets);
                }
                None => {}
            }
            let goes_on = joiner.is_waiting();
            match joiner.take(frame) {
                Joined::Nothing => {}
                joined => {
                    let llc = frame
                        .information
                        .get(..LLC_LENGTH)
                        .filter(|_| Llc::split(frame.information).is_some());
                    let llc = llc.filter(|_| !goes_on).map(hex);
                    if llc.is_none() && matches!(joined, Joined::Apdu { llc: None, .. }) {
                        quirks.push("llc-only-in-first-frame");
                    }
                    entry.insert("llc".into(), llc.into());
                    entry.insert("info-length".into(), frame.information.len().into());
                    match joined {
                        Joined::Raw => {
                            entry.insert("info".into(), hex(frame.information).into());
                        }
                        Joined::Apdu { octets, .. } => apdus.push(octets),
                        _ => {}
                    }
                }
            }
            link.push(Value::Object(entry));
        }
        if joiner.is_waiting() {
            let message = "the last segment was not received";
            let incomplete = Problem::new(Layer::Hdlc, "incomplete-last-segment-not-received", message);
            return Err(first_problem.unwrap_or(incomplete));
        }
        head.insert("link".into(), link.into());
        head.extend(negotiation);
        if !found.problems.is_empty() {
            let skipped: Vec<Value> = found.problems.iter().map(Problem::json).collect();
            head.insert("skipped".into(), skipped.into());
        }
        quirks.dedup();
        Ok(Unframed { head, apdus, quirks })
    }

    /// An exchange, message by message.
    fn session(&self, framing: Framing, messages: &[Message]) -> Explanation {
        let mut session = Session {
            association: Association::new(&self.options),
            joiner: Joiner::default(),
            kinds: Vec::new(),
            problems: Vec::new(),
        };
        let steps: Vec<Value> =
            messages.iter().map(|message| Value::Object(session.step(framing, message))).collect();
        let mut json = object(json!({ "kind": "session", "apdu-kinds": session.kinds, "steps": steps }));
        let association = session.association;
        if !association.block_transfer_results.is_empty() {
            json.insert("block-transfer-result".into(), association.block_transfer_results.clone().into());
        }
        finish(&mut json, &association.quirks, &association);
        Explanation::new(json).with_problems(session.problems)
    }
}

/// What is left when the framing is taken off.
struct Unframed {
    head: Fields,
    apdus: Vec<Vec<u8>>,
    quirks: Vec<&'static str>,
}

/// An exchange that is being followed.
struct Session<'o> {
    association: Association<'o>,
    joiner: Joiner,
    kinds: Vec<String>,
    problems: Vec<Problem>,
}

impl Session<'_> {
    fn step(&mut self, framing: Framing, message: &Message) -> Fields {
        let mut step = object(json!({ "dir": message.direction.name() }));
        let kinds = self.kinds.len();
        match framing {
            Framing::Hdlc => self.hdlc(message, &mut step),
            Framing::Wrapper => match wrapper::unwrap(&message.octets) {
                Ok(units) => {
                    for unit in units {
                        step.insert("wrapper".into(), unit.header);
                        self.apdu(message.direction, unit.apdu, &mut step);
                    }
                }
                Err(problem) => self.problem("error:wrapper".into(), problem, &mut step),
            },
            Framing::LlcApdu => match split_llc(&message.octets) {
                Ok((llc, apdu)) => {
                    step.insert("llc".into(), llc.into());
                    self.apdu(message.direction, apdu, &mut step);
                }
                Err(problem) => self.problem("error:llc".into(), problem, &mut step),
            },
            _ => self.apdu(message.direction, &message.octets, &mut step),
        }
        // One word per message: the last one if it holds more.
        let last = self.kinds.drain(kinds..).next_back();
        self.kinds.extend(last);
        step
    }

    fn hdlc(&mut self, message: &Message, step: &mut Fields) {
        let found = hdlc::frames(&message.octets);
        if found.frames.is_empty() || found.problems.iter().any(|problem| problem.reason == "fcs-mismatch") {
            let none = Problem::new(Layer::Hdlc, "no-frame", "there is no frame in the octets");
            return self.problem(
                "error:hdlc".into(),
                found.problems.into_iter().next().unwrap_or(none),
                step,
            );
        }
        let links: Vec<Value> = found.frames.iter().map(|frame| Value::Object(hdlc::link(frame))).collect();
        if links.len() > 1 {
            step.insert("link".into(), links.into());
        }
        for frame in &found.frames {
            step.insert("hdlc".into(), Value::Object(hdlc::link(frame)));
            step.extend(hdlc::carried(frame).map(|(name, value)| (name.into(), value)));
            match self.joiner.take(frame) {
                Joined::Apdu { llc, octets } => {
                    step.remove("fragment-length");
                    step.insert("llc".into(), llc.into());
                    self.apdu(message.direction, &octets, step);
                    continue;
                }
                Joined::Fragment => {
                    step.insert("fragment-length".into(), frame.information.len().into());
                }
                Joined::Raw => {
                    step.insert("info".into(), hex(frame.information).into());
                }
                Joined::Nothing => {}
            }
            self.kinds.push(frame.control.name().into());
        }
    }

    fn apdu(&mut self, direction: Direction, octets: &[u8], step: &mut Fields) {
        let whole_apdu;
        let octets = match octets.first() {
            Some(&xdlms::GENERAL_BLOCK_TRANSFER) => {
                let name = "general-block-transfer";
                let block = match whole(octets, GeneralBlockTransfer::decode) {
                    Ok(block) => block,
                    Err(error) => {
                        return self.problem(format!("error:{name}"), Problem::xdlms(octets, error), step);
                    }
                };
                step.insert("gbt".into(), Value::Object(apdu::block_transfer(&block)));
                match self.association.block(direction, &block) {
                    Ok(Block::Whole(joined)) => {
                        whole_apdu = joined;
                        &whole_apdu[..]
                    }
                    Ok(Block::Pending) => return self.kinds.push(name.into()),
                    Err(problem) => return self.problem(format!("error:{name}"), problem, step),
                }
            }
            _ => octets,
        };
        let Attempt { value, problem } = self.association.attempt(direction, octets);
        let name = value
            .as_ref()
            .and_then(|value| value.get("apdu"))
            .and_then(Value::as_str)
            .map_or_else(|| name_of(octets), Into::into);
        match problem {
            None => {
                step.extend(value.map(|value| ("apdu".into(), Value::Object(value))));
                self.kinds.push(name);
            }
            Some(problem) => {
                self.problem(format!("error:{name}"), problem, step);
                step.extend(value.map(|value| ("lenient".into(), Value::Object(value))));
            }
        }
    }

    fn problem(&mut self, kind: String, problem: Problem, step: &mut Fields) {
        step.insert("error".into(), problem.json());
        self.kinds.push(kind);
        self.problems.push(problem);
    }
}

/// The last fields of a document.
fn finish(json: &mut Fields, quirks: &[&'static str], association: &Association<'_>) {
    if !association.hls_checks.is_empty() {
        json.insert("hls-checks".into(), association.hls_checks.clone().into());
    }
    if !quirks.is_empty() {
        json.insert("quirks".into(), quirks.into());
    }
}

fn joined(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(|message| &message.octets).copied().collect()
}

/// The LLC and the APDU behind it.
fn split_llc(octets: &[u8]) -> Result<(String, &[u8]), Problem> {
    match Llc::split(octets) {
        Some((_, apdu)) => Ok((hex(&octets[..LLC_LENGTH]), apdu)),
        None => Err(Problem::new(Layer::Framing, "llc", "the octets do not begin with an LLC").at(0)),
    }
}
