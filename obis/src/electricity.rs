//! The words for electricity objects (A = 1): quantity (C), processing (D), rate or harmonic (E).

use crate::LogicalName;
use crate::describe::{Description, Instance, billing, numbered, numbered_as, service_entry};

pub(crate) fn describe(name: &LogicalName) -> Option<Description> {
    use Instance::{Angle, None as Plain, Numbered, Word};
    let (c, d, e) = (name.c(), name.d(), name.e());
    let (subject, instance) = match (c, d) {
        (0, _) => general(d, e)?,
        (1..=80 | 84..=87, _) => return measured(name),
        (81, 7) => ("phase angle", Angle(phasor(e % 10)?, phasor(e / 10)?)),
        (88, 8) => ("ampere-squared hours", numbered_as("rate", e)),
        (89, 8) => ("volt-squared hours", numbered_as("rate", e)),
        (90..=92, _) => return measured(name),
        (96, 1 | 5..=10) => return service_entry(name, d, e),
        (97, 97) => ("error register", Instance::Number(e.checked_add(1)?)),
        (98, 1) => ("data of billing period 1", numbered_as("scheme", e)),
        (98, 2) => ("data of billing period 2", numbered_as("scheme", e)),
        (99, 1) => ("load profile, recording interval 1", numbered_as("scheme", e)),
        (99, 2) => ("load profile, recording interval 2", numbered_as("scheme", e)),
        (99, 3) => ("load profile during test", numbered_as("scheme", e)),
        (99, 10) => (
            "power quality profile",
            Word(match e {
                1 => "voltage dips",
                2 => "voltage swells",
                3 => "voltage cuts",
                _ => return None,
            }),
        ),
        (99, 11) => ("voltage harmonics profile", numbered(e)),
        (99, 12) => ("current harmonics profile", numbered(e)),
        (99, 13) => ("voltage unbalance profile", Plain),
        (99, 97) => ("power failure event log", numbered(e)),
        (99, 98) => ("event log", Numbered("number", e)),
        _ => return None,
    };
    Some(Description::of(name, subject, instance))
}

/// What is measured, as a power and as its time integral.
struct Quantity {
    rate: &'static str,
    integral: &'static str,
    phase: &'static str,
}

fn measured(name: &LogicalName) -> Option<Description> {
    let (c, d, e) = (name.c(), name.d(), name.e());
    let quantity = quantity(c)?;
    // A time integral of a power is an energy; that of any other quantity keeps its name.
    let (subject, processing) = match d {
        8 if !quantity.integral.is_empty() => (quantity.integral, ""),
        9 if !quantity.integral.is_empty() => (quantity.integral, "time integral 2"),
        10 if !quantity.integral.is_empty() => (quantity.integral, "time integral 3"),
        29 if !quantity.integral.is_empty() => (quantity.integral, "time integral 5"),
        30 if !quantity.integral.is_empty() => (quantity.integral, "time integral 6"),
        58 if !quantity.integral.is_empty() => (quantity.integral, "time integral 4"),
        _ => (quantity.rate, processing(d)?),
    };
    let harmonics =
        matches!(d, 7 | 24 | 31..=45) && matches!(subject, "current" | "voltage" | "active power, absolute");
    let instance = match e {
        0 => Instance::None,
        1..=120 if harmonics => Instance::Numbered("harmonic", e),
        124 if harmonics => Instance::Word("total harmonic distortion"),
        125 if harmonics => Instance::Word("total demand distortion"),
        126 if harmonics => Instance::Word("all harmonics"),
        127 if harmonics => Instance::Word("all harmonics relative to the nominal value"),
        1..=63 => Instance::Numbered("rate", e),
        _ => return None,
    };
    // Limits have no billing periods: some objects carry F = 0 there.
    let period = if matches!(d, 31..=45) { 255 } else { name.f() };
    Some(Description { subject, phase: quantity.phase, processing, instance, channel: name.b(), period })
}

fn quantity(c: u8) -> Option<Quantity> {
    let named = |rate, integral, phase| Some(Quantity { rate, integral, phase });
    match c {
        84 => return named("power factor, export", "", ""),
        85..=87 => return named("power factor, export", "", ["L1", "L2", "L3"][usize::from(c - 85)]),
        90 => return named("sum of currents", "", ""),
        91 => return named("current", "", "neutral"),
        92 => return named("voltage", "", "neutral"),
        1..=80 => {}
        _ => return None,
    }
    let phase = ["", "L1", "L2", "L3"][usize::from((c - 1) / 20)];
    let (rate, integral) = QUANTITIES[usize::from((c - 1) % 20)];
    named(rate, integral, phase)
}

/// C = 1 to 20 for all phases together; the same order from 21, 41 and 61 for L1, L2 and L3.
const QUANTITIES: [(&str, &str); 20] = [
    ("active power import", "active energy import"),
    ("active power export", "active energy export"),
    ("reactive power import", "reactive energy import"),
    ("reactive power export", "reactive energy export"),
    ("reactive power quadrant I", "reactive energy quadrant I"),
    ("reactive power quadrant II", "reactive energy quadrant II"),
    ("reactive power quadrant III", "reactive energy quadrant III"),
    ("reactive power quadrant IV", "reactive energy quadrant IV"),
    ("apparent power import", "apparent energy import"),
    ("apparent power export", "apparent energy export"),
    ("current", ""),
    ("voltage", ""),
    ("power factor", ""),
    ("supply frequency", ""),
    ("active power, absolute", "active energy, absolute"),
    ("active power, net", "active energy, net"),
    ("active power quadrant I", "active energy quadrant I"),
    ("active power quadrant II", "active energy quadrant II"),
    ("active power quadrant III", "active energy quadrant III"),
    ("active power quadrant IV", "active energy quadrant IV"),
];

fn processing(d: u8) -> Option<&'static str> {
    Some(match d {
        0 => "billing period average",
        1 => "cumulative minimum 1",
        2 => "cumulative maximum 1",
        3 => "minimum 1",
        4 => "current average 1",
        5 => "last average 1",
        6 => "maximum 1",
        7 => "instantaneous",
        8 => "time integral 1",
        9 => "time integral 2",
        10 => "time integral 3",
        11 => "cumulative minimum 2",
        12 => "cumulative maximum 2",
        13 => "minimum 2",
        14 => "current average 2",
        15 => "last average 2",
        16 => "maximum 2",
        21 => "cumulative minimum 3",
        22 => "cumulative maximum 3",
        23 => "minimum 3",
        24 => "current average 3",
        25 => "last average 3",
        26 => "maximum 3",
        31 => "under limit threshold",
        32 => "under limit occurrence counter",
        33 => "under limit duration",
        34 => "under limit magnitude",
        35 => "over limit threshold",
        36 => "over limit occurrence counter",
        37 => "over limit duration",
        38 => "over limit magnitude",
        39 => "missing threshold",
        40 => "missing occurrence counter",
        41 => "missing duration",
        42 => "missing magnitude",
        43 => "time threshold for under limit",
        44 => "time threshold for over limit",
        45 => "time threshold for missing magnitude",
        _ => return None,
    })
}

/// General purpose objects (C = 0).
fn general(d: u8, e: u8) -> Option<(&'static str, Instance)> {
    use Instance::{None as Plain, Number};
    Some(match (d, e) {
        (0, e @ 0..=9) => ("electricity ID", Number(e + 1)),
        (1, e) => return billing(e),
        (2, 0) => ("active firmware identifier", Plain),
        (2, 1) => ("parameter record number", Plain),
        (2, 4) => ("meter connection diagram ID", Plain),
        (2, 8) => ("active firmware signature", Plain),
        (3, 0) => ("LED constant, active energy", Plain),
        (3, 1) => ("LED constant, reactive energy", Plain),
        (3, 2) => ("LED constant, apparent energy", Plain),
        (3, 3) => ("output pulse constant, active energy", Plain),
        (3, 4) => ("output pulse constant, reactive energy", Plain),
        (3, 5) => ("output pulse constant, apparent energy", Plain),
        (4, 0) => ("reading factor for power", Plain),
        (4, 1) => ("reading factor for energy", Plain),
        (4, 2) => ("current transformer ratio, numerator", Plain),
        (4, 3) => ("voltage transformer ratio, numerator", Plain),
        (4, 4) => ("overall transformer ratio, numerator", Plain),
        (4, 5) => ("current transformer ratio, denominator", Plain),
        (4, 6) => ("voltage transformer ratio, denominator", Plain),
        (4, 7) => ("overall transformer ratio, denominator", Plain),
        (6, 0) => ("nominal voltage", Plain),
        (6, 1) => ("basic or nominal current", Plain),
        (6, 2) => ("nominal frequency", Plain),
        (6, 3) => ("maximum current", Plain),
        (6, 4) => ("reference voltage for power quality", Plain),
        (8, 0) => ("measurement period 1", Plain),
        (8, 1) => ("measurement period 2", Plain),
        (8, 2) => ("measurement period 3", Plain),
        (8, 3) => ("measurement period 4", Plain),
        (8, 4) => ("recording interval 1", Plain),
        (8, 5) => ("recording interval 2", Plain),
        (8, 6) => ("length of billing period 1", Plain),
        (8, 7) => ("length of billing period 2", Plain),
        (9, 1) => ("local time", Plain),
        (9, 2) => ("local date", Plain),
        (9, 8) => ("output pulse duration", Plain),
        (9, 9) => ("clock synchronisation window", Plain),
        (9, 10) => ("clock synchronisation method", Plain),
        (9, 11) => ("clock time shift limit", Plain),
        _ => return None,
    })
}

/// The digits of value group E of a phase angle (C = 81): the units are measured against the tens.
fn phasor(digit: u8) -> Option<&'static str> {
    Some(match digit {
        0 => "U(L1)",
        1 => "U(L2)",
        2 => "U(L3)",
        4 => "I(L1)",
        5 => "I(L2)",
        6 => "I(L3)",
        7 => "I(neutral)",
        _ => return None,
    })
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use crate::LogicalName;

    #[test]
    fn electricity_in_words() {
        let cases = [
            ("1-0:1.8.0*255", "active energy import"),
            ("1-0:1.8.3*255", "active energy import, rate 3"),
            ("1-0:2.8.0*1", "active energy export, billing period 1"),
            ("1-0:16.30.0*255", "active energy, net, time integral 6"),
            ("1-0:1.7.0*255", "active power import, instantaneous"),
            ("1-0:1.4.0*255", "active power import, current average 1"),
            ("1-0:1.6.2*255", "active power import, maximum 1, rate 2"),
            ("1-0:41.7.0*255", "active power import L2, instantaneous"),
            ("1-0:13.7.0*255", "power factor, instantaneous"),
            ("1-0:14.7.0*255", "supply frequency, instantaneous"),
            ("1-0:31.7.0*255", "current L1, instantaneous"),
            ("1-0:72.7.0*255", "voltage L3, instantaneous"),
            ("1-0:32.7.5*255", "voltage L1, instantaneous, harmonic 5"),
            ("1-0:32.7.124*255", "voltage L1, instantaneous, total harmonic distortion"),
            ("1-0:32.32.0*0", "voltage L1, under limit occurrence counter"),
            ("1-0:91.7.0*255", "current neutral, instantaneous"),
            ("1-0:81.7.4*255", "phase angle of I(L1) against U(L1)"),
            ("1-0:99.1.0*255", "load profile, recording interval 1"),
            ("1-0:99.97.0*255", "power failure event log"),
            ("1-0:0.2.0*255", "active firmware identifier"),
            ("1-1:0.2.0*255", "active firmware identifier, channel 1"),
            ("1-0:0.6.3*255", "maximum current"),
        ];
        for (name, words) in cases {
            let described = name.parse::<LogicalName>().ok().and_then(|name| name.describe());
            assert_eq!(described.map(|words| words.to_string()).as_deref(), Some(words), "{name}");
        }
    }
}
