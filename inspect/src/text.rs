//! The document as a tree of text: one line per field, values beside their names, and what a code means behind it.

use core::fmt;

use dlms_axdr::{DataKind, DateTime};
use dlms_obis::LogicalName;
use serde_json::{Map, Value};

use crate::problem::unhex;

/// Writes the document.
pub(crate) fn write_tree(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Object(fields) => write_fields(f, fields, 0),
        value => writeln!(f, "{}", scalar(value)),
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &Map<String, Value>, depth: usize) -> fmt::Result {
    fields.iter().try_for_each(|(name, value)| write_field(f, name, value, depth))
}

fn write_field(f: &mut fmt::Formatter<'_>, name: &str, value: &Value, depth: usize) -> fmt::Result {
    indent(f, depth)?;
    match value {
        Value::Object(fields) => match data(fields) {
            Some((kind, value)) => write_data(f, name, kind, value, depth),
            None => {
                writeln!(f, "{name}")?;
                write_fields(f, fields, depth + 1)
            }
        },
        Value::Array(elements) => {
            writeln!(f, "{name} ({})", elements.len())?;
            write_elements(f, elements, depth + 1)
        }
        value => writeln!(f, "{name}: {}{}", scalar(value), remark(name, value)),
    }
}

fn write_elements(f: &mut fmt::Formatter<'_>, elements: &[Value], depth: usize) -> fmt::Result {
    for (number, element) in (1..).zip(elements) {
        write_field(f, &format!("[{number}]"), element, depth)?;
    }
    Ok(())
}

fn write_data(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    kind: &str,
    value: &Value,
    depth: usize,
) -> fmt::Result {
    match value {
        Value::Array(elements) => {
            writeln!(f, "{name}: {kind} ({})", elements.len())?;
            write_elements(f, elements, depth + 1)
        }
        Value::Null => writeln!(f, "{name}: {kind}"),
        value => writeln!(f, "{name}: {kind} {}{}", scalar(value), remark(kind, value)),
    }
}

/// The type and the value, if the fields are those of a Data.
fn data(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, value) = fields.iter().next().filter(|_| fields.len() == 1)?;
    let is_data = (0..=u8::MAX).filter_map(DataKind::from_tag).any(|kind| kind.name() == name);
    is_data.then_some((name.as_str(), value))
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        value => value.to_string(),
    }
}

/// What hexadecimal digits mean, where that can be told: a logical name, a date-time, text.
fn remark(name: &str, value: &Value) -> String {
    let is_octets = matches!(name, "octet-string" | "date-time" | "instance-id") || name.ends_with("-title");
    let octets = value.as_str().filter(|_| is_octets).and_then(|text| unhex(text).ok()).unwrap_or_default();
    if let Ok(name) = <[u8; 6]>::try_from(&octets[..])
        && matches!(octets[5], 0xFF | 0..=99)
    {
        let name = LogicalName::from_octets(name);
        return match name.describe() {
            Some(description) => format!("  {name} {description}"),
            None => format!("  {name}"),
        };
    }
    if let Ok(octets) = <[u8; 12]>::try_from(&octets[..])
        && matches!(octets[..3], [0x07 | 0x08, _, 1..=12] | [0xFF, 0xFF, _])
    {
        return format!("  {}", DateTime(octets));
    }
    let is_text = octets.len() > 1 && octets.iter().all(|octet| matches!(octet, 0x20..=0x7E));
    if is_text { format!("  \"{}\"", String::from_utf8_lossy(&octets)) } else { String::new() }
}

fn indent(f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    (0..depth).try_for_each(|_| f.write_str("  "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::{Inspector, Message, Options};

    #[test]
    fn a_push() {
        let message: Message =
            "0F40000001 0C07E50603040E091700FFC400 0202 09060100010800FF 0600001391".parse().unwrap();
        let text = Inspector::new(Options::default()).inspect(&[message]).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "kind: apdu");
        assert!(lines.contains(&"  data: structure (2)"), "{text}");
        assert!(
            lines.iter().any(|line| line.starts_with("    [1]: octet-string 0100010800ff  1-0:1.8.0*255")),
            "{text}"
        );
        assert!(lines.contains(&"    [2]: double-long-unsigned 5009"), "{text}");
        assert!(
            lines.iter().any(
                |line| line.starts_with("  date-time: 07e50603040e091700ffc400  Thu 2021-06-03 14:09:23")
            ),
            "{text}"
        );
    }
}
