//! Values as trees.
//!
//! ```text
//! structure (2)
//! ├─ octet-string 0100010800ff  1-0:1.8.0*255, active energy import
//! └─ double-long-unsigned 12345
//! ```

use dlms_axdr::{Data, DateTime};
use dlms_obis::LogicalName;

use super::{bad, dim, good, value};
use crate::parse::hex;

/// A line with lines below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    text: String,
    children: Vec<Node>,
}

impl Node {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), children: Vec::new() }
    }

    pub(crate) fn push(&mut self, child: Node) {
        self.children.push(child);
    }

    /// The tree of a value.
    pub(crate) fn of_data(data: Data<'_>) -> Self {
        let name = dim().apply_to(data.kind().name());
        match data {
            Data::Array(_) | Data::Structure(_) | Data::CompactArray(_) => {
                let children: Vec<_> = match data {
                    Data::CompactArray(array) => array.iter().map(Self::of_data).collect(),
                    _ => data.elements().into_iter().flatten().map(Self::of_data).collect(),
                };
                Self { text: format!("{name} ({})", children.len()), children }
            }
            simple => match note(simple) {
                Some(note) => Self::new(format!(
                    "{name} {}  {}",
                    value().apply_to(content(simple)),
                    good().apply_to(note)
                )),
                None => Self::new(format!("{name} {}", value().apply_to(content(simple)))),
            },
        }
    }

    /// The tree of a JSON document: the form of an explanation for programs, for people.
    pub(crate) fn of_json(name: &str, document: &serde_json::Value) -> Self {
        use serde_json::Value;
        if let Some(data) = document.as_object().filter(|object| object.len() == 1)
            && !data.is_empty()
            && let Ok(data) = serde_json::from_value::<dlms_axdr::OwnedData>(document.clone())
        {
            let mut node = Self::of_data(data.as_data());
            node.text = format!("{name} {}", node.text);
            return node;
        }
        let style = if matches!(name, "error" | "reason" | "quirks" | "layer") { bad() } else { value() };
        match document {
            Value::Object(fields) => Self {
                text: name.to_owned(),
                children: fields.iter().map(|(name, field)| Self::of_json(name, field)).collect(),
            },
            Value::Array(elements)
                if elements.iter().any(|element| element.is_object() || element.is_array()) =>
            {
                Self {
                    text: format!("{name} ({})", elements.len()),
                    children: elements
                        .iter()
                        .enumerate()
                        .map(|(index, element)| Self::of_json(&(index + 1).to_string(), element))
                        .collect(),
                }
            }
            Value::Array(elements) => {
                let words: Vec<_> = elements.iter().map(plain).collect();
                Self::new(format!("{} {}", dim().apply_to(name), style.apply_to(words.join(", "))))
            }
            simple => Self::new(format!("{} {}", dim().apply_to(name), style.apply_to(plain(simple)))),
        }
    }

    /// The lines of the tree, each with its end.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.text);
        self.below("", &mut text);
        text
    }

    fn below(&self, indent: &str, text: &mut String) {
        for (index, child) in self.children.iter().enumerate() {
            let is_last = index + 1 == self.children.len();
            let (branch, next) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let lines = dim().apply_to(format!("{indent}{branch}"));
            text.push_str(&format!("{lines}{}\n", child.text));
            child.below(&format!("{indent}{next}"), text);
        }
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value without parts as text; text of the meter's is made harmless for a terminal.
pub(crate) fn content(data: Data<'_>) -> String {
    match data {
        Data::NullData => String::new(),
        Data::DontCare => String::new(),
        Data::Boolean(value) => value.to_string(),
        Data::BitString(bits) => bits.to_string(),
        Data::OctetString(octets) => hex::text(octets),
        Data::VisibleString(octets) => harmless(&String::from_utf8_lossy(octets)),
        Data::Utf8String(text) => harmless(text),
        Data::Bcd(value) => format!("{value:02x}"),
        Data::Enum(value) => value.to_string(),
        Data::Float32(value) => value.to_string(),
        Data::Float64(value) => value.to_string(),
        Data::DateTime(time) => time.to_string(),
        Data::Date(date) => date.to_string(),
        Data::Time(time) => time.to_string(),
        Data::Array(_) | Data::Structure(_) | Data::CompactArray(_) => format!("({})", data.kind().name()),
        number => number.integer().map(|number| number.to_string()).unwrap_or_default(),
    }
}

/// A value on one line, as a cell of a table has it.
pub(crate) fn cell(data: Data<'_>) -> String {
    let elements: Vec<_> = match data {
        Data::OctetString(_) => return note(data).unwrap_or_else(|| content(data)),
        Data::Array(elements) | Data::Structure(elements) => elements.iter().map(cell).collect(),
        Data::CompactArray(array) => array.iter().map(cell).collect(),
        simple => return content(simple),
    };
    let (open, close) = if matches!(data, Data::Structure(_)) { ('{', '}') } else { ('[', ']') };
    format!("{open}{}{close}", elements.join(", "))
}

/// What an octet string seems to be: a time, a logical name, text.
pub(crate) fn note(data: Data<'_>) -> Option<String> {
    let Data::OctetString(octets) = data else { return None };
    if let Ok(octets) = <[u8; 12]>::try_from(octets) {
        let time = DateTime(octets);
        if time.is_valid() && (octets[0] == 0xFF || (1900..2200).contains(&time.date().year().unwrap_or(0))) {
            return Some(time.to_string());
        }
    }
    if let Ok(name) = LogicalName::try_from(octets)
        && name.f() == 255
        && name.a() < 16
    {
        return Some(match name.describe() {
            Some(words) => format!("{name} {words}"),
            None => name.to_string(),
        });
    }
    let is_text = octets.len() > 2 && octets.iter().all(|octet| (0x20..0x7F).contains(octet));
    is_text.then(|| format!("{:?}", String::from_utf8_lossy(octets)))
}

/// Text with its control characters escaped.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut harmless, character| {
        if character.is_control() {
            harmless.extend(character.escape_default());
        } else {
            harmless.push(character);
        }
        harmless
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_data() {
        console::set_colors_enabled(false);
        let octets = [2, 3, 9, 6, 1, 0, 1, 8, 0, 255, 1, 1, 0x12, 0x30, 0x39, 10, 2, 0x41, 0x1B];
        let text = Node::of_data(Data::from_octets(&octets).unwrap()).text();
        let expected = "structure (3)\n\
            ├─ octet-string 0100010800ff  1-0:1.8.0*255 active energy import (+A)\n\
            ├─ array (1)\n\
            │  └─ long-unsigned 12345\n\
            └─ visible-string A\\u{1b}\n";
        let simplified = |text: &str| {
            text.lines().map(|line| line.split("  1-0").next().unwrap_or("").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(simplified(&text), simplified(expected));
        assert!(text.contains("1-0:1.8.0*255"));
    }

    #[test]
    fn one_line() {
        let octets = [2, 2, 9, 12, 7, 0xEA, 1, 5, 1, 13, 30, 0, 0, 0xFF, 0xC4, 0, 17, 3];
        assert_eq!(cell(Data::from_octets(&octets).unwrap()), "{Mon 2026-01-05 13:30:00.00 +01:00, 3}");
        assert_eq!(cell(Data::OctetString(b"meter 1")), "\"meter 1\"");
        assert_eq!(cell(Data::OctetString(&[0xFF, 0])), "ff00");
    }
}
