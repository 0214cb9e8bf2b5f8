//! Rows of the table, and how their times are taken.

use std::fmt;
use std::time::Duration;

/// How often each contender is measured.
pub const ROUNDS: usize = 51;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is measured.
    pub name: String,
    /// What the floor takes.
    pub floor: String,
    /// What ours takes.
    pub ours: String,
    /// The least of ours beside the least of the floor.
    pub least: Option<f64>,
    /// The median of ours beside the median of the floor.
    pub median: Option<f64>,
    /// What it should be.
    pub target: String,
    /// Whether it is; `None` where there is no target.
    pub met: Option<bool>,
}

/// Rows that belong together.
#[derive(Clone, Debug)]
pub struct Table {
    /// What they are about.
    pub title: String,
    /// What the floor is, and what else a reader must know.
    pub about: String,
    /// The rows.
    pub rows: Vec<Row>,
    /// What follows them.
    pub after: String,
}

/// The times of two contenders, measured in turns.
#[derive(Clone, Debug)]
pub struct Times {
    floor: Vec<Duration>,
    ours: Vec<Duration>,
}

impl Times {
    /// Measures the floor and ours in turns.
    pub fn take(
        rounds: usize,
        mut floor: impl FnMut() -> Duration,
        mut ours: impl FnMut() -> Duration,
    ) -> Self {
        let mut times = Self { floor: Vec::with_capacity(rounds), ours: Vec::with_capacity(rounds) };
        for _ in 0..rounds {
            times.floor.push(floor());
            times.ours.push(ours());
        }
        times.floor.sort();
        times.ours.sort();
        times
    }

    /// The floor's least time.
    pub fn floor(&self) -> Duration {
        self.floor.first().copied().unwrap_or_default()
    }

    /// Our least time.
    pub fn ours(&self) -> Duration {
        self.ours.first().copied().unwrap_or_default()
    }

    /// Whether either contender took this long in some round.
    pub fn includes(&self, time: Duration) -> bool {
        self.floor.contains(&time) || self.ours.contains(&time)
    }

    /// A row with a limit to the ratio of the least times. `show` tells a time in the row's own terms.
    pub fn row(&self, name: &str, limit: f64, show: impl Fn(Duration) -> String) -> Row {
        let middle = |times: &[Duration]| times.get(times.len() / 2).copied().unwrap_or_default();
        let least = self.ours().as_secs_f64() / self.floor().as_secs_f64();
        let median = middle(&self.ours).as_secs_f64() / middle(&self.floor).as_secs_f64();
        Row {
            name: name.to_owned(),
            floor: show(self.floor()),
            ours: show(self.ours()),
            least: Some(least),
            median: Some(median),
            target: format!("≤ {limit} ×"),
            met: Some(least <= limit),
        }
    }
}

impl Row {
    /// A row without a floor: a figure and its limit.
    pub fn figure(name: &str, ours: impl fmt::Display, target: &str, met: Option<bool>) -> Self {
        Self {
            name: name.to_owned(),
            floor: "–".to_owned(),
            ours: ours.to_string(),
            least: None,
            median: None,
            target: target.to_owned(),
            met,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.title, self.about)?;
        writeln!(f, "| row | floor | ours | ratio (least) | ratio (median) | target | met |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: | :---: |")?;
        let ratio = |ratio: Option<f64>| ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        for row in &self.rows {
            let met = match row.met {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "–",
            };
            let (least, median) = (ratio(row.least), ratio(row.median));
            writeln!(
                f,
                "| {} | {} | {} | {least} | {median} | {} | {met} |",
                row.name, row.floor, row.ours, row.target
            )?;
        }
        if !self.after.is_empty() {
            writeln!(f, "\n{}", self.after.trim_end())?;
        }
        Ok(())
    }
}
