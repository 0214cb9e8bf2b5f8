//! A P1 telegram, as it is found inside a ciphered APDU (DSMR, Smarty).
//!
//! ```text
//! /identification CR LF CR LF { id (value) (value)… CR LF } ! crc CR LF
//! ```
//!
//! The CRC is CRC-16/ARC over everything from `/` to `!`, both included; four hexadecimal digits, or none.

use serde_json::{Value, json};

/// The telegram; `None` if the octets are none.
pub(crate) fn explain(octets: &[u8]) -> Option<Value> {
    let text = core::str::from_utf8(octets).ok()?.strip_prefix('/')?;
    let (body, end) = text.rsplit_once('!')?;
    let mut lines = body.lines();
    let identification = lines.next()?.trim_end();
    let mut objects: Vec<Value> = Vec::new();
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        let values = line.find('(').unwrap_or(line.len());
        let (id, values) = line.split_at(values);
        let values: Vec<&str> =
            values.split('(').skip(1).map(|value| value.trim_end().trim_end_matches(')')).collect();
        objects.push(json!({ "id": id, "values": values }));
    }
    let crc = end.trim();
    let covered = octets.len() - end.len();
    let ok = u16::from_str_radix(crc, 16).ok().map(|crc| crc == crc16(&octets[..covered]));
    let crc = if crc.is_empty() { Value::Null } else { crc.into() };
    Some(json!({ "identification": identification, "objects": objects, "crc": crc, "crc-ok": ok }))
}

/// CRC-16/ARC.
fn crc16(octets: &[u8]) -> u16 {
    octets.iter().fold(0, |crc, &octet| {
        (0..8).fold(crc ^ u16::from(octet), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xA001 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_crc() {
        assert_eq!(crc16(b"123456789"), 0xBB3D);
    }

    #[test]
    fn lines_and_values() {
        let telegram = explain(b"/ABC5x\r\n\r\n1-0:1.8.0(1*kWh)(2)\r\n!\r\n");
        assert_eq!(
            telegram,
            Some(json!({
                "identification": "ABC5x",
                "objects": [{ "id": "1-0:1.8.0", "values": ["1*kWh", "2"] }],
                "crc": null,
                "crc-ok": null,
            }))
        );
        assert_eq!(explain(b"no telegram"), None);
    }
}
