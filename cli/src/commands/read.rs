//! `dlms read`: attributes, with unit where the class gives one.

use std::collections::HashMap;

use cosem_objects::{AttributeReference, ScaledValue, ScalerUnit};
use dlms_axdr::{FromData as _, OwnedData};
use serde::Serialize;

use crate::args::ReadArgs;
use crate::classes;
use crate::failure::{Exit, Failure, Result};
use crate::output::{self, tree};
use crate::parse::hex;
use crate::session::{Access, Session, slug};
use crate::target::Target;

/// One attribute as programs get it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Item {
    class_id: u16,
    instance_id: String,
    attribute_id: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<OwnedData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_access_result: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

/// What was read of one attribute, with its physical value if it has one.
pub(crate) struct Reading {
    pub(crate) attribute: AttributeReference,
    pub(crate) access: Access,
    pub(crate) scaled: Option<ScaledValue>,
}

impl Reading {
    pub(crate) fn item(&self) -> Item {
        Item {
            class_id: self.attribute.class_id,
            instance_id: hex::text(self.attribute.logical_name.octets()),
            attribute_id: self.attribute.attribute_index,
            data: self.access.as_ref().ok().cloned(),
            data_access_result: self.access.as_ref().err().map(|result| result.code()),
            value: self.scaled.as_ref().and_then(number),
            unit: self.scaled.map(|scaled| scaled.unit().symbol()),
        }
    }

    /// A heading and the value below it, or beside it if it is short.
    pub(crate) fn text(&self) -> String {
        let mut heading = format!("{}", output::heading().apply_to(subject(self.attribute)));
        let name = self.attribute.logical_name.describe().map(|words| words.to_string());
        let attribute = classes::attribute_name(self.attribute.class_id, self.attribute.attribute_index);
        let class = classes::name(self.attribute.class_id);
        let words: Vec<_> = [name.as_deref(), Some(class), attribute]
            .into_iter()
            .flatten()
            .filter(|word| !word.is_empty())
            .collect();
        if !words.is_empty() {
            heading.push_str(&format!("  {}", output::dim().apply_to(words.join(", "))));
        }
        match (&self.access, self.scaled) {
            (Ok(_), Some(scaled)) => format!("{heading}\n  {}\n", output::value().apply_to(scaled)),
            (Ok(data), None) => {
                format!("{heading}\n{}", indented(&tree::Node::of_data(data.as_data()).text()))
            }
            (Err(result), _) => {
                let refused = output::bad().apply_to(slug(&format!("{result:?}")));
                format!("{heading}\n  {refused}\n")
            }
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// `3:1-0:1.8.0*255:2`
pub(crate) fn subject(attribute: AttributeReference) -> String {
    format!("{}:{}:{}", attribute.class_id, attribute.logical_name, attribute.attribute_index)
}

/// A physical value as a JSON number: exact as an integer, else the nearest float, which prints as the decimal.
pub(crate) fn number(scaled: &ScaledValue) -> Option<serde_json::Number> {
    let number = ScaledValue {
        scaler_unit: ScalerUnit { unit: cosem_objects::Unit::NoUnit, ..scaled.scaler_unit },
        ..*scaled
    };
    let text = number.to_string();
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    serde_json::Number::from_f64(text.parse().ok()?)
}

/// Reads attributes, and scaler and unit where the class has them.
pub(crate) async fn readings(
    session: &mut Session,
    attributes: &[AttributeReference],
) -> Result<Vec<Reading>> {
    let mut wanted = attributes.to_vec();
    for attribute in attributes {
        if let Some(scaler_unit) = scaler_unit_of(*attribute)
            && !wanted.contains(&scaler_unit)
        {
            wanted.push(scaler_unit);
        }
    }
    let results = session.get_all(&wanted).await?;
    let known: HashMap<_, _> = wanted.iter().copied().zip(&results).collect();
    let scaled = |attribute: AttributeReference, access: &Access| {
        let scaler_unit = known.get(&scaler_unit_of(attribute)?)?.as_ref().ok()?;
        let scaler_unit = ScalerUnit::from_data(scaler_unit.as_data()).ok()?;
        scaler_unit.apply(access.as_ref().ok()?.as_data())
    };
    Ok(attributes
        .iter()
        .zip(&results)
        .map(|(&attribute, access)| Reading {
            attribute,
            access: access.clone(),
            scaled: scaled(attribute, access),
        })
        .collect())
}

fn scaler_unit_of(attribute: AttributeReference) -> Option<AttributeReference> {
    let index = classes::scaler_unit_attribute(attribute.class_id, attribute.attribute_index)?;
    Some(AttributeReference { attribute_index: index, ..attribute })
}

pub(crate) async fn run(args: &ReadArgs, json: bool) -> Result<()> {
    let target = Target { proposes_access: args.access, ..args.connection.resolve()? };
    let attributes: Vec<_> = args.attributes.iter().map(|reference| reference.attribute()).collect();
    let mut session = Session::open(&target).await?;
    let readings = readings(&mut session, &attributes).await;
    session.release().await;
    let readings = readings?;
    if json {
        let items: Vec<_> = readings.iter().map(Reading::item).collect();
        output::json(&items)?;
    } else {
        readings.iter().try_for_each(|reading| output::text(&reading.text()))?;
    }
    match readings.iter().filter(|reading| reading.access.is_err()).count() {
        0 => Ok(()),
        refused if json => {
            eprintln!("dlms: {refused} of {} attributes were refused", readings.len());
            Err(Failure::told(Exit::Refused))
        }
        _ => Err(Failure::told(Exit::Refused)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use cosem_objects::{DataAccessResult, Unit};
    use dlms_obis::LogicalName;

    fn reading(access: Access, scaler: Option<ScalerUnit>) -> Reading {
        let scaled = scaler.and_then(|scaler| scaler.apply(access.as_ref().ok()?.as_data()));
        let attribute = AttributeReference {
            class_id: 3,
            logical_name: LogicalName::new(1, 0, 32, 7, 0, 255),
            attribute_index: 2,
        };
        Reading { attribute, access, scaled }
    }

    #[test]
    fn for_programs() {
        let volt = ScalerUnit::new(-1, Unit::VoltageVolt);
        let json = |reading: Reading| serde_json::to_string(&reading.item()).unwrap();
        assert_eq!(
            json(reading(Ok(OwnedData::LongUnsigned(2304)), Some(volt))),
            r#"{"class-id":3,"instance-id":"0100200700ff","attribute-id":2,"data":{"long-unsigned":2304},"value":230.4,"unit":"V"}"#
        );
        assert_eq!(
            json(reading(Err(DataAccessResult::ObjectUndefined), None)),
            r#"{"class-id":3,"instance-id":"0100200700ff","attribute-id":2,"data-access-result":4}"#
        );
        let large = reading(Ok(OwnedData::Long64Unsigned(u64::MAX)), Some(ScalerUnit::NONE));
        assert!(json(large).contains(r#""value":18446744073709551615,"unit":"""#));
    }

    #[test]
    fn for_people() {
        console::set_colors_enabled(false);
        let volt = ScalerUnit::new(-1, Unit::VoltageVolt);
        let text = reading(Ok(OwnedData::LongUnsigned(2304)), Some(volt)).text();
        assert!(text.starts_with("3:1-0:32.7.0*255:2  ") && text.ends_with("\n  230.4 V\n"), "{text}");
    }
}
