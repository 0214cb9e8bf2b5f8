//! What a logical name stands for, in words: the allocations of IEC 62056-6-1 for abstract objects and electricity.
//!
//! The rules go by value group, so a rate, a harmonic or an instance needs no entry of its own. Names without a rule
//! (other media, manufacturer, consortium and country ranges) have no description: nothing is guessed.

use core::fmt;

use crate::{LogicalName, electricity};

/// The words for a logical name, written by [`core::fmt::Display`]; see [`LogicalName::describe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    pub(crate) subject: &'static str,
    pub(crate) phase: &'static str,
    pub(crate) processing: &'static str,
    pub(crate) instance: Instance,
    /// Value group B where it tells channels apart; 0 is not said.
    pub(crate) channel: u8,
    /// Value group F where it says billing periods: one of the past (0 to 99), the last few (101 to 125), an unspecified
    /// number of them (126); 255 is not said.
    pub(crate) period: u8,
}

/// What value group E adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instance {
    /// Nothing.
    None,
    /// A word of its own.
    Word(&'static str),
    /// A numbered thing: `rate 2`, `harmonic 5`.
    Numbered(&'static str, u8),
    /// The bare number after the subject: `load profile 1`.
    Number(u8),
    /// The angle of one phasor against another.
    Angle(&'static str, &'static str),
}

impl LogicalName {
    /// What this name stands for, in words; `None` where the standard allocates no meaning that is known here.
    ///
    /// ```
    /// use dlms_obis::LogicalName;
    /// let words = |name: LogicalName| name.describe().map(|words| words.to_string());
    /// assert_eq!(words(LogicalName::new(1, 0, 1, 8, 2, 255)).as_deref(), Some("active energy import, rate 2"));
    /// assert_eq!(words(LogicalName::CLOCK).as_deref(), Some("clock"));
    /// assert_eq!(words(LogicalName::new(0, 0, 96, 200, 0, 255)), None);
    /// ```
    pub fn describe(&self) -> Option<Description> {
        // Utilities (B) and manufacturers (E, F) give the rest of the numbers their own meaning.
        if self.b() > 64 || self.e() > 127 || matches!(self.f(), 100 | 127..=254) {
            return None;
        }
        match self.a() {
            0 => abstract_object(self),
            1 => electricity::describe(self),
            _ => None,
        }
    }
}

impl Description {
    pub(crate) const fn of(name: &LogicalName, subject: &'static str, instance: Instance) -> Self {
        let (channel, period) = (name.b(), name.f());
        Self { subject, phase: "", processing: "", instance, channel, period }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subject)?;
        if let Instance::Number(number) = self.instance {
            write!(f, " {number}")?;
        }
        if !self.phase.is_empty() {
            write!(f, " {}", self.phase)?;
        }
        if !self.processing.is_empty() {
            write!(f, ", {}", self.processing)?;
        }
        match self.instance {
            Instance::None | Instance::Number(_) => {}
            Instance::Word(word) => write!(f, ", {word}")?,
            Instance::Numbered(noun, number) => write!(f, ", {noun} {number}")?,
            Instance::Angle(of, against) => write!(f, " of {of} against {against}")?,
        }
        if self.channel != 0 {
            write!(f, ", channel {}", self.channel)?;
        }
        match self.period {
            0..=99 => write!(f, ", billing period {}", self.period),
            101..=125 => write!(f, ", last {} billing periods", self.period - 100),
            126 => f.write_str(", most recent billing periods"),
            _ => Ok(()),
        }
    }
}

/// The value groups C, D and E of abstract objects (A = 0).
fn abstract_object(name: &LogicalName) -> Option<Description> {
    use Instance::{None as Plain, Number, Numbered, Word};
    let (subject, instance) = match (name.c(), name.d(), name.e()) {
        (0, 1, e) => billing(e)?,
        (0, 2, 0) => ("active firmware identifier", Plain),
        (0, 2, 1) => ("active firmware version", Plain),
        (0, 2, 8) => ("active firmware signature", Plain),
        (0, 9, 1) => ("local time", Plain),
        (0, 9, 2) => ("local date", Plain),
        (1, 0, 0) => ("clock", Plain),
        (1, 0, e) => ("clock", Number(e)),
        (1, 1, 0) => ("UNIX clock", Plain),
        (1, 2, 0) => ("high-resolution clock", Plain),
        (2, 0, 0) => ("modem configuration", Plain),
        (2, 1, 0) => ("auto connect", Plain),
        (2, 2, 0) => ("auto answer", Plain),
        (10, 0, e) => ("script table", Word(script_table(e)?)),
        (11, 0, e) => ("special days table", numbered(e)),
        (12, 0, e) => ("schedule", numbered(e)),
        (13, 0, e) => ("activity calendar", numbered(e)),
        (14, 0, e) => ("register activation", numbered(e)),
        (15, 0, e) => ("single action schedule", Word(single_action(e)?)),
        (16, 0, e) => ("register monitor", numbered(e)),
        (16, 1, e @ 0..=9) => ("alarm monitor", Number(e + 1)),
        (16, 2, e) => ("parameter monitor", numbered(e)),
        (17, 0, e) => ("limiter", numbered(e)),
        (18, 0, e) => ("array manager", numbered(e)),
        (19, d @ 0..=9, 0) => ("account", numbered(d)),
        (19, 10..=19, e) => ("credit", numbered(e)),
        (19, 20..=29, e) => ("charge", numbered(e)),
        (19, d @ 40..=49, 0) => ("token gateway", numbered(d - 40)),
        (19, 50..=59, 1) => ("maximum credit limit", Plain),
        (19, 50..=59, 2) => ("maximum vend limit", Plain),
        (19, d @ 60..=69, 0) => ("IEC 62055-41 attributes", numbered(d - 60)),
        (20, 0, 0) => ("IEC optical port setup", Plain),
        (20, 0, 1) => ("IEC electrical port setup", Plain),
        (21, 0, e @ 0..=5) => ("readout list", Word(READOUT_LISTS[usize::from(e)])),
        (22, 0, e) => ("IEC HDLC setup", numbered(e)),
        (24, 1, 0) => ("M-Bus client", Plain),
        (24, 2, e) => ("M-Bus value", numbered(e)),
        (24, 3, e) => ("M-Bus profile", numbered(e)),
        (24, 4, 0) => ("M-Bus disconnect control", Plain),
        (24, 5, e) => ("M-Bus control log", numbered(e)),
        (24, 6, e) => ("M-Bus master port setup", numbered(e)),
        (24, 8, e) => ("DLMS server M-Bus port setup", numbered(e)),
        (24, 9, 0) => ("M-Bus diagnostic", Plain),
        (25, d, e) => (internet(d)?, numbered(e)),
        (29, 0, 0) => ("G3-PLC MAC layer counters", Plain),
        (29, 1, 0) => ("G3-PLC MAC setup", Plain),
        (29, 2, 0) => ("G3-PLC 6LoWPAN adaptation layer setup", Plain),
        (31, 0, 0) => ("wireless Mode Q channel", Plain),
        (40, 0, 0) => ("current association", Plain),
        (40, 0, e) => ("association", Number(e)),
        (41, 0, 0) => ("SAP assignment", Plain),
        (42, 0, 0) => ("COSEM logical device name", Plain),
        (43, 0, e) => ("security setup", numbered(e)),
        (43, 1, e) => ("invocation counter", numbered(e)),
        (43, 2, e) => ("data protection", numbered(e)),
        (44, 0, e) => ("image transfer", numbered(e)),
        (44, 1, e) => ("function control", numbered(e)),
        (44, 2, e) => ("communication port protection", numbered(e)),
        (66, 0, e) => ("compact data", numbered(e)),
        (96, d, e) => return service_entry(name, d, e),
        (97, 97, e @ 0..=9) => ("error register", Number(e + 1)),
        (97, 98, e @ 0..=9) => ("alarm register", Number(e + 1)),
        (97, 98, e @ 10..=19) => ("alarm filter", Number(e - 9)),
        (97, 98, e @ 20..=29) => ("alarm descriptor", Number(e - 19)),
        (98, 1, e) => ("data of billing period 1", numbered_as("scheme", e)),
        (98, 2, e) => ("data of billing period 2", numbered_as("scheme", e)),
        (99, 1, e) => ("load profile, recording interval 1", numbered_as("scheme", e)),
        (99, 2, e) => ("load profile, recording interval 2", numbered_as("scheme", e)),
        (99, 12, e) => ("connection profile", numbered(e)),
        (99, 13, e) => ("GSM diagnostic profile", numbered(e)),
        (99, 14, e) => ("charge collection history", numbered(e)),
        (99, 15, e) => ("token credit history", numbered(e)),
        (99, 16, e) => ("parameter monitor log", numbered(e)),
        (99, 17, e) => ("token transfer log", numbered(e)),
        (99, 98, e) => ("event log", Numbered("number", e)),
        _ => return None,
    };
    Some(Description::of(name, subject, instance))
}

/// The objects of a billing period, in both media: three for the first scheme, three for the second.
pub(crate) fn billing(e: u8) -> Option<(&'static str, Instance)> {
    let subject = match e % 3 {
        0 => "billing period counter",
        1 => "number of available billing periods",
        _ => "time stamp of the most recent billing period",
    };
    match e {
        0..=2 => Some((subject, Instance::None)),
        3..=5 => Some((subject, Instance::Numbered("scheme", 2))),
        _ => None,
    }
}

/// The service entries (C = 96), which electricity shares.
pub(crate) fn service_entry(name: &LogicalName, d: u8, e: u8) -> Option<Description> {
    use Instance::{None as Plain, Number, Numbered};
    let (subject, instance) = match (d, e) {
        (1, e @ 0..=9) => ("device ID", Number(e + 1)),
        (1, 10) => ("metering point ID", Plain),
        (2, 0) => ("number of configuration program changes", Plain),
        (2, 1) => ("date of the last configuration program change", Plain),
        (2, 2) => ("date of the last time switch program change", Plain),
        (2, 3) => ("date of the last ripple control program change", Plain),
        (2, 4) => ("status of security switches", Plain),
        (2, 5) => ("date of the last calibration", Plain),
        (2, 6) => ("date of the next configuration program change", Plain),
        (2, 7) => ("date of activation of the passive calendar", Plain),
        (2, 10) => ("number of protected configuration program changes", Plain),
        (2, 11) => ("date of the last protected configuration program change", Plain),
        (2, 12) => ("time of the last clock synchronisation", Plain),
        (2, 13) => ("time of the last firmware activation", Plain),
        (3, 1) => ("state of the input control signals", Plain),
        (3, 2) => ("state of the output control signals", Plain),
        (3, 10) => ("disconnect control", Plain),
        (3, e @ 20..=29) => ("arbitrator", numbered(e - 20)),
        (4, e @ 0..=4) => ("internal control signals", numbered(e)),
        (5, e @ 0..=4) => ("internal operating status", numbered(e)),
        (6, 0) => ("battery use time", Plain),
        (6, 1) => ("battery charge", Plain),
        (6, 2) => ("date of the next battery change", Plain),
        (6, 3) => ("battery voltage", Plain),
        (6, 4) => ("initial capacity of the battery", Plain),
        (6, 5) => ("date of battery installation", Plain),
        (6, 6) => ("estimated remaining time of the battery", Plain),
        (7, e @ 0..=20) => return power_failure(name, e),
        (7, 21) => ("number of power failures in any phase", Plain),
        (8, 0) => ("operating time", Plain),
        (8, e @ 1..=63) => ("operating time", Numbered("rate", e)),
        (9, 0) => ("ambient temperature", Plain),
        (9, 1) => ("ambient pressure", Plain),
        (9, 2) => ("relative humidity", Plain),
        (10, e @ 1..=10) => ("status register", Number(e)),
        (11, e @ 0..=99) => ("event code", Number(e + 1)),
        (12, 1) => ("number of connections of the communication port", Plain),
        (12, 4) => ("communication port parameter 1", Plain),
        (12, 5) => ("GSM field strength", Plain),
        (12, 6) => ("telephone number of the communication device", Plain),
        (13, 0) => ("consumer message to the consumer information port", Plain),
        (13, 1) => ("consumer message to the display", Plain),
        (14, e @ 0..=15) => ("currently active tariff", numbered(e)),
        (15, e @ 0..=99) => ("event counter", Number(e + 1)),
        (20, e) => return tamper(name, e),
        _ => return None,
    };
    Some(Description::of(name, subject, instance))
}

fn power_failure(name: &LogicalName, e: u8) -> Option<Description> {
    let subject = match e / 5 {
        0 => "number of power failures",
        1 => "number of long power failures",
        2 => "time of power failure",
        3 => "duration of long power failure",
        _ => "threshold for long power failure",
    };
    let phases = ["all three phases", "L1", "L2", "L3", "any phase"];
    let instance = match e {
        4 => Instance::Word("auxiliary supply"),
        20 => Instance::None,
        _ => Instance::Word(phases[usize::from(e % 5)]),
    };
    Some(Description::of(name, subject, instance))
}

fn tamper(name: &LogicalName, e: u8) -> Option<Description> {
    let subject = match e {
        0..=4 => "meter opening",
        5..=9 => "terminal cover opening",
        10..=14 => "tilt",
        15..=19 => "strong DC magnetic field",
        20..=24 => "supply control switch or valve tamper",
        25..=29 => "metrology tamper",
        30..=34 => "communication tamper",
        _ => return None,
    };
    let aspect = match e % 5 {
        0 => "counter",
        1 => "time stamp of the current event",
        2 => "duration of the current event",
        3 => "cumulative duration",
        _ => return None,
    };
    Some(Description::of(name, subject, Instance::Word(aspect)))
}

fn script_table(e: u8) -> Option<&'static str> {
    Some(match e {
        0 => "global meter reset",
        1 => "end of billing period",
        100 => "tariffication",
        101 => "activate test mode",
        102 => "activate normal mode",
        103 => "set output signals",
        104 => "switch optical test output",
        105 => "power quality measurement management",
        106 => "disconnect control",
        107 => "image activation",
        108 => "push",
        109 => "load profile control",
        110 => "M-Bus profile control",
        111 => "function control",
        125 => "broadcast",
        _ => return None,
    })
}

fn single_action(e: u8) -> Option<&'static str> {
    Some(match e {
        0 => "end of billing period",
        1 => "disconnect control",
        2 => "image activation",
        3 => "output control",
        4 => "push",
        5 => "load profile control",
        6 => "M-Bus profile control",
        7 => "function control",
        _ => return None,
    })
}

fn internet(d: u8) -> Option<&'static str> {
    Some(match d {
        0 => "TCP-UDP setup",
        1 => "IPv4 setup",
        2 => "MAC address setup",
        3 => "PPP setup",
        4 => "GPRS modem setup",
        5 => "SMTP setup",
        6 => "GSM diagnostic",
        7 => "IPv6 setup",
        9 => "push setup",
        10 => "NTP setup",
        11 => "LTE monitoring",
        _ => return None,
    })
}

const READOUT_LISTS: [&str; 6] = [
    "local port",
    "general display",
    "alternate display",
    "service display",
    "configurable data",
    "additional",
];

/// The first instance (0) needs no number.
pub(crate) const fn numbered(e: u8) -> Instance {
    if e == 0 { Instance::None } else { Instance::Number(e) }
}

pub(crate) const fn numbered_as(noun: &'static str, e: u8) -> Instance {
    if e == 0 { Instance::None } else { Instance::Numbered(noun, e) }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn abstract_objects_in_words() {
        let cases = [
            ("0-0:1.0.0*255", "clock"),
            ("0-0:40.0.0*255", "current association"),
            ("0-0:40.0.3*255", "association 3"),
            ("0-0:41.0.0*255", "SAP assignment"),
            ("0-0:42.0.0*255", "COSEM logical device name"),
            ("0-0:43.1.2*255", "invocation counter 2"),
            ("0-0:44.0.0*255", "image transfer"),
            ("0-0:10.0.106*255", "script table, disconnect control"),
            ("0-0:15.0.2*255", "single action schedule, image activation"),
            ("0-1:24.2.1*255", "M-Bus value 1, channel 1"),
            ("0-2:25.9.0*255", "push setup, channel 2"),
            ("0-0:96.1.0*255", "device ID 1"),
            ("0-0:96.3.10*255", "disconnect control"),
            ("0-0:96.7.9*255", "number of long power failures, any phase"),
            ("0-0:96.20.16*255", "strong DC magnetic field, time stamp of the current event"),
            ("0-0:96.7.4*255", "number of power failures, auxiliary supply"),
            ("0-0:98.1.0*126", "data of billing period 1, most recent billing periods"),
            ("0-0:97.98.20*255", "alarm descriptor 1"),
            ("0-0:99.98.1*255", "event log, number 1"),
        ];
        for (name, words) in cases {
            let described = name.parse::<LogicalName>().ok().and_then(|name| name.describe());
            assert_eq!(described.map(|words| words.to_string()).as_deref(), Some(words), "{name}");
        }
    }

    #[test]
    fn other_media_and_private_ranges_stay_unnamed() {
        for name in [
            "7-0:3.0.0*255",
            "0-0:128.0.0*255",
            "1-0:128.8.0*255",
            "0-0:96.50.0*255",
            "1-0:94.91.0*255",
            "1-65:1.8.0*255",
        ] {
            let described = name.parse::<LogicalName>().ok().and_then(|name| name.describe());
            assert_eq!(described, None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_description_can_be_written(octets: [u8; 6], a in 0u8..=1) {
            let [_, b, c, d, e, f] = octets;
            if let Some(words) = LogicalName::new(a, b, c, d, e, f).describe() {
                prop_assert!(!words.to_string().is_empty());
            }
        }
    }
}
