//! What is stated about a meter, and whether it has grown.

use std::fmt;

use anyhow::{Context as _, Result};

/// What a meter takes, in octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The meter.
    pub meter: String,
    /// What it is built for.
    pub target: String,
    /// Code, constants, and what variables are initialised with.
    pub flash: u64,
    /// Variables.
    pub ram: u64,
    /// The deepest stack; `None` where there was no emulator.
    pub stack: Option<u64>,
}

/// The first cells of the row above the figures.
pub(crate) const HEADER: &str = "| meter | built for | flash | static RAM | stack |";
/// What stands for a figure that was not measured.
const NONE: &str = "–";

impl Figures {
    /// Those that stand in a report.
    ///
    /// # Errors
    /// There are none, or one is no figure.
    pub fn parse(report: &str) -> Result<Vec<Self>> {
        let (_, table) = report.split_once(HEADER).context("no table of figures")?;
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        rows.map(|row| Self::parse_row(row).with_context(|| format!("not understood: {row}"))).collect()
    }

    fn parse_row(row: &str) -> Option<Self> {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let mut cell = || cells.next();
        let (meter, target) = (cell()?.to_owned(), cell()?.trim_matches('`').to_owned());
        let number = |cell: &str| cell.replace(',', "").parse().ok();
        let (flash, ram) = (number(cell()?)?, number(cell()?)?);
        let stack = match cell()? {
            NONE => None,
            stack => Some(number(stack)?),
        };
        Some(Self { meter, target, flash, ram, stack })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stack = self.stack.map_or(NONE.to_owned(), thousands);
        let (flash, ram) = (thousands(self.flash), thousands(self.ram));
        write!(f, "| {} | `{}` | {flash} | {ram} | {stack} |", self.meter, self.target)
    }
}

/// With a comma before each three digits.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What was found and is more than two percent above what is stated, or is not stated at all.
pub fn compare(stated: &[Figures], found: &[Figures]) -> Vec<String> {
    let mut grown = Vec::new();
    for found in found {
        let name = format!("{} on {}", found.meter, found.target);
        let same = |it: &&Figures| (&it.meter, &it.target) == (&found.meter, &found.target);
        let Some(stated) = stated.iter().find(same) else {
            grown.push(format!("{name}: not stated"));
            continue;
        };
        let pairs = [
            ("flash", Some(stated.flash), Some(found.flash)),
            ("static RAM", Some(stated.ram), Some(found.ram)),
            ("stack", stated.stack, found.stack),
        ];
        for (what, stated, found) in pairs {
            let Some(found) = found else { continue };
            match stated {
                None => grown.push(format!("{name}: {what} is not stated")),
                Some(stated) if found * 100 > stated * 102 => {
                    let percent = (found as f64 / stated as f64 - 1.0) * 100.0;
                    grown.push(format!(
                        "{name}: {what} has grown from {stated} to {found} octets, by {percent:.1} %"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    grown
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found() -> Vec<Figures> {
        let one = |meter: &str, flash, stack| Figures {
            meter: meter.to_owned(),
            target: "thumbv7em-none-eabihf".to_owned(),
            flash,
            ram: 8_000,
            stack,
        };
        vec![one("minimal", 70_000, Some(4_000)), one("full", 210_000, None)]
    }

    fn report(of: &[Figures]) -> String {
        let rows: Vec<_> = of.iter().map(Figures::to_string).collect();
        format!(
            "# Footprint\n\n{HEADER}\n| --- | --- | ---: | ---: | ---: |\n{}\n\n| other |\n",
            rows.join("\n")
        )
    }

    #[test]
    fn a_report_states_what_was_found() {
        let stated = Figures::parse(&report(&found())).unwrap();
        assert_eq!(stated, found());
        assert!(compare(&stated, &found()).is_empty());
        assert!(report(&found()).contains("| 210,000 | 8,000 | – |"));
    }

    #[test]
    fn what_has_grown_is_named() {
        let table = report(&found());
        // A table that says less than is found: by more than two percent, by less.
        let doctored = |from: &str, to: &str| {
            assert!(table.contains(from));
            compare(&Figures::parse(&table.replacen(from, to, 1)).unwrap(), &found())
        };
        let grown = doctored("70,000", "68,627");
        assert_eq!(
            grown,
            ["minimal on thumbv7em-none-eabihf: flash has grown from 68627 to 70000 octets, by 2.0 %"]
        );
        assert!(doctored("70,000", "68,628").is_empty());
        assert_eq!(doctored("8,000", "7,000").len(), 1);
        assert_eq!(doctored("4,000", "3,900").len(), 1);
        // What has become smaller is welcome.
        assert!(doctored("70,000", "80,000").is_empty());
    }

    #[test]
    fn what_is_not_stated_fails() {
        let stated = Figures::parse(&report(&found()[1..])).unwrap();
        assert_eq!(compare(&stated, &found()), ["minimal on thumbv7em-none-eabihf: not stated"]);
        let mut without_stack = found();
        without_stack[0].stack = None;
        assert_eq!(
            compare(&without_stack, &found()),
            ["minimal on thumbv7em-none-eabihf: stack is not stated"]
        );
        assert!(Figures::parse("no table").is_err());
        assert!(Figures::parse(&report(&found()).replace("70,000", "much")).is_err());
    }
}
