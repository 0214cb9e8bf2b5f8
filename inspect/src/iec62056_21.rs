//! What is printable: data messages of IEC 62056-21 and telegrams of the P1 consumer port.

use dlms_iec62056_21::{DataSet, Error, ErrorKind, Readout, p1};
use serde_json::{Value, json};

use crate::apdu::object;
use crate::explanation::Explanation;
use crate::problem::{Layer, Problem};

/// A P1 telegram as it is found inside a ciphered APDU; `None` if the octets are none.
pub(crate) fn p1_inside(octets: &[u8]) -> Option<Value> {
    p1_value(&p1::Telegram::parse(octets).ok()?).ok()
}

/// A P1 telegram.
pub(crate) fn p1_telegram(octets: &[u8]) -> Explanation {
    let explained =
        p1::Telegram::parse(octets).and_then(|telegram| Ok((p1_value(&telegram)?, telegram.check().err())));
    // What was sent without a CRC cannot have a wrong one.
    explain(Layer::P1, "p1", explained, |error| error.kind == ErrorKind::NoCrc)
}

/// A data message.
pub(crate) fn readout(octets: &[u8]) -> Explanation {
    let explained =
        Readout::parse(octets).and_then(|readout| Ok((readout_value(&readout)?, readout.check().err())));
    explain(Layer::Iec62056Part21, "readout", explained, |_| false)
}

fn explain(
    layer: Layer,
    kind: &str,
    explained: Result<(Value, Option<Error>), Error>,
    is_harmless: impl Fn(&Error) -> bool,
) -> Explanation {
    match explained {
        Ok((value, wrong)) => {
            let mut json = object(json!({ "kind": kind }));
            json.append(&mut object(value));
            let wrong = wrong.filter(|error| !is_harmless(error));
            Explanation::new(json)
                .with_problems(wrong.map(|error| problem(layer, error)).into_iter().collect())
        }
        Err(error) => Explanation::refused(problem(layer, error)),
    }
}

fn p1_value(telegram: &p1::Telegram<'_>) -> Result<Value, Error> {
    let objects = telegram.data_sets().map(|set| {
        let set = set?;
        Ok(json!({ "id": set.identifier, "values": set.values().collect::<Vec<_>>() }))
    });
    Ok(json!({
        "identification": telegram.identification,
        "objects": objects.collect::<Result<Vec<_>, Error>>()?,
        "crc": telegram.crc.map(|crc| format!("{crc:04X}")),
        "crc-ok": telegram.crc.map(|crc| crc == telegram.computed_crc()),
    }))
}

fn readout_value(readout: &Readout<'_>) -> Result<Value, Error> {
    let objects = readout.data_sets().map(|set| Ok(data_set(&set?)));
    Ok(json!({
        "objects": objects.collect::<Result<Vec<_>, Error>>()?,
        "bcc": {
            "octet": format!("{:02x}", readout.block_check),
            "computed": format!("{:02x}", readout.computed_block_check()),
            "ok": readout.check().is_ok(),
        },
    }))
}

/// A data set: the value, and all of them where there are several.
fn data_set(set: &DataSet<'_>) -> Value {
    let values: Vec<_> = set.values().collect();
    let mut json = json!({ "id": set.identifier, "value": values.first() });
    if values.len() > 1 {
        json["values"] = values.into();
    }
    json
}

fn problem(layer: Layer, error: Error) -> Problem {
    let reason = match error.kind {
        ErrorKind::Truncated => "truncated",
        ErrorKind::TrailingOctets => "trailing-octets",
        ErrorKind::BlockCheck { .. } => "bcc-mismatch",
        ErrorKind::Crc { .. } => "crc-mismatch",
        ErrorKind::NoCrc => "no-crc",
        _ => "malformed",
    };
    Problem::new(layer, reason, error.kind.to_string()).at(error.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_values() {
        let telegram = b"/ABC5x\r\n\r\n1-0:1.8.0(1*kWh)(2)\r\n!\r\n";
        let expected = json!({
            "identification": "ABC5x",
            "objects": [{ "id": "1-0:1.8.0", "values": ["1*kWh", "2"] }],
            "crc": null,
            "crc-ok": null,
        });
        assert_eq!(p1_inside(telegram), Some(expected));
        assert_eq!(p1_inside(b"no telegram"), None);
        assert_eq!(p1_telegram(telegram).problems(), []);
    }

    #[test]
    fn wrong_checks_are_named() {
        let telegram = p1_telegram(b"/ABC5x\r\n\r\n1-0:1.8.0(1*kWh)\r\n!1234\r\n");
        assert_eq!(telegram.json()["crc-ok"], false);
        assert_eq!(telegram.problems()[0].reason, "crc-mismatch");
        let message = readout(b"\x021.8.0(1)(2)\r\n!\r\n\x03\x00");
        assert_eq!(message.json()["objects"][0]["values"], json!(["1", "2"]));
        assert_eq!(message.problems()[0].reason, "bcc-mismatch");
        assert_eq!(readout(b"\x021.8.0").json()["layer"], "iec62056-21");
    }
}
