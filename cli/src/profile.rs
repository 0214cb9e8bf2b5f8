//! A load profile as a client sees it: its columns, which part of it is asked for, its rows.

use std::collections::VecDeque;

use cosem_objects::classes::{ProfileGeneric, SortMethod};
use cosem_objects::rows::{Layout, RowCompletion};
use cosem_objects::{
    AttributeReference, CaptureObjectDefinition, EntryDescriptor, Number, ScaledValue, ScalerUnit,
};
use dlms_axdr::{Data, DateTime, FromData as _, OwnedData};
use dlms_obis::LogicalName;
use dlms_tokio::ProfileSelection;

use crate::failure::{Exit, Failure, Result};
use crate::output::tree;
use crate::session::{Session, failure, refused};

const CLOCK: u16 = 8;
/// How many columns a profile may have here.
const MAX_COLUMNS: usize = 256;

/// How often progress is told, in rows.
const PROGRESS: u64 = 64;

/// What a profile says of itself.
pub(crate) struct Profile {
    pub(crate) name: LogicalName,
    pub(crate) columns: Vec<Column>,
    capture_period: u32,
    sort_method: SortMethod,
    entries_in_use: u32,
}

/// A captured attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) definition: CaptureObjectDefinition,
    pub(crate) scaler_unit: Option<ScalerUnit>,
}

/// Which rows are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Selection {
    All,
    /// By time, both ends included.
    Range(DateTime, DateTime),
    /// The newest.
    Last(u32),
}

/// Rows of the columns that were asked for.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<OwnedData>>,
}

impl Profile {
    /// Reads what a profile says of itself, and scaler and unit of its columns.
    pub(crate) async fn read(session: &mut Session, name: LogicalName) -> Result<Self> {
        let attributes = [
            ProfileGeneric::<(), 0>::CAPTURE_OBJECTS.of(name),
            ProfileGeneric::<(), 0>::CAPTURE_PERIOD.of(name),
            ProfileGeneric::<(), 0>::SORT_METHOD.of(name),
            ProfileGeneric::<(), 0>::ENTRIES_IN_USE.of(name),
        ];
        let values = session.get_all(&attributes).await?;
        let value = |index: usize| values.get(index).and_then(|value| value.as_ref().ok());
        let definitions = match values.first() {
            Some(Ok(definitions)) => definitions,
            Some(Err(result)) => return Err(refused(format!("the columns of {name}"), result)),
            None => return Err(Failure::bug("no answer for the columns")),
        };
        let columns: Vec<_> = definitions
            .as_data()
            .elements()
            .into_iter()
            .flatten()
            .map(CaptureObjectDefinition::from_data)
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| {
                Failure::new(Exit::Malformed, "objects", "capture-objects", format!("{name}: {error}"))
            })?;
        if columns.len() > MAX_COLUMNS {
            let message = format!("{name} has {} columns; {MAX_COLUMNS} can be read", columns.len());
            return Err(Failure::new(Exit::Malformed, "objects", "too-many-columns", message));
        }
        let number = |index: usize| {
            value(index)
                .and_then(|value| value.as_data().integer())
                .and_then(|number| u32::try_from(number).ok())
        };
        let sort_method = value(2).and_then(|value| SortMethod::from_data(value.as_data()).ok());
        let scaler_units = scaler_units(session, &columns).await?;
        Ok(Self {
            name,
            columns: columns
                .into_iter()
                .zip(scaler_units)
                .map(|(definition, scaler_unit)| Column { definition, scaler_unit })
                .collect(),
            capture_period: number(1).unwrap_or(0),
            sort_method: sort_method.unwrap_or(SortMethod::Fifo),
            entries_in_use: number(3).unwrap_or(0),
        })
    }

    /// Which columns are meant: numbers from 1 or logical names; all, if none is named.
    pub(crate) fn select(&self, wanted: &[String]) -> Result<Vec<usize>> {
        if wanted.is_empty() {
            return Ok((0..self.columns.len()).collect());
        }
        let unknown = |text: &str| {
            let names: Vec<_> =
                self.columns.iter().map(|column| column.definition.logical_name.to_string()).collect();
            Failure::usage(format!("{} has no column {text:?}", self.name))
                .hint(format!("there are: {}", names.join(", ")))
        };
        wanted
            .iter()
            .map(|text| {
                let by_number = || text.trim().parse::<usize>().ok()?.checked_sub(1);
                let by_name = || {
                    let name: LogicalName = text.trim().parse().ok()?;
                    self.columns.iter().position(|column| column.definition.logical_name == name)
                };
                by_number()
                    .or_else(by_name)
                    .filter(|&index| index < self.columns.len())
                    .ok_or_else(|| unknown(text))
            })
            .collect()
    }

    /// The columns at these places.
    pub(crate) fn columns_at(&self, places: &[usize]) -> Vec<Column> {
        places.iter().filter_map(|&place| self.columns.get(place).copied()).collect()
    }

    /// Reads rows and hands on each as it comes, complete. `progress` is told how many came and how many are announced.
    pub(crate) async fn rows(
        &self,
        session: &mut Session,
        selection: Selection,
        wanted: &[usize],
        mut progress: impl FnMut(u64, u64),
        mut take: impl FnMut(&[OwnedData]) -> Result<()>,
    ) -> Result<()> {
        let (selection, answered) = self.selection(selection, wanted)?;
        let about = |error: dlms_tokio::Error| match error {
            dlms_tokio::Error::DataAccess(result) => refused(format!("the rows of {}", self.name), result),
            error => failure(&error).about(format!("the rows of {}", self.name)),
        };
        let places: Vec<_> = wanted
            .iter()
            .filter_map(|column| answered.iter().position(|answered| answered == column))
            .collect();
        let is_as_answered = places.iter().copied().eq(0..answered.len());
        let definitions = self.definitions(&answered);
        let mut completion = RowCompletion::new(self.layout(&definitions));
        let mut coming = session.client().profile(self.name, &selection).await.map_err(about)?;
        let announced = coming.remaining() as u64;
        let mut picked = Vec::new();
        let mut count = 0;
        while let Some(row) = coming.next_row().await.map_err(about)? {
            let row = completion.complete(row).map_err(|error| self.malformed(error))?;
            if is_as_answered {
                take(row)?;
            } else {
                picked.clear();
                picked.extend(places.iter().filter_map(|&place| row.get(place).cloned()));
                take(&picked)?;
            }
            count += 1;
            if count % PROGRESS == 0 {
                progress(count, announced);
            }
        }
        progress(count, announced);
        Ok(())
    }

    /// What is asked for, and the columns that the answer has.
    fn selection(&self, selection: Selection, wanted: &[usize]) -> Result<(ProfileSelection, Vec<usize>)> {
        let all: Vec<_> = (0..self.columns.len()).collect();
        let is_whole = wanted == all;
        Ok(match selection {
            Selection::All => (ProfileSelection::All, all),
            Selection::Range(from, to) => {
                let columns = if is_whole { &[] } else { wanted };
                let time = |time: DateTime| OwnedData::OctetString(time.0.to_vec());
                let definition = |&column: &usize| Some(self.columns.get(column)?.definition);
                let range = ProfileSelection::Range {
                    restricting_object: self.clock()?.definition,
                    from: time(from),
                    to: time(to),
                    columns: columns.iter().filter_map(definition).collect(),
                };
                (range, if is_whole { all } else { wanted.to_vec() })
            }
            Selection::Last(count) => {
                let (from_entry, to_entry) = self.newest(count);
                let (first, last) = match is_whole {
                    true => (1, 0),
                    false => (
                        wanted.iter().min().map_or(1, |column| column + 1),
                        wanted.iter().max().map_or(0, |column| column + 1),
                    ),
                };
                let number = |column: usize| u16::try_from(column).unwrap_or(u16::MAX);
                let entries = ProfileSelection::Entry(EntryDescriptor {
                    from_entry,
                    to_entry,
                    from_selected_value: number(first),
                    to_selected_value: number(last),
                });
                (entries, if is_whole { all } else { (first - 1..last).collect() })
            }
        })
    }

    fn definitions(&self, columns: &[usize]) -> Vec<CaptureObjectDefinition> {
        self.columns_at(columns).iter().map(|column| column.definition).collect()
    }

    const fn layout<'c>(&self, columns: &'c [CaptureObjectDefinition]) -> Layout<'c> {
        Layout { columns, capture_period: self.capture_period, sort_method: self.sort_method }
    }

    fn malformed(&self, error: cosem_objects::rows::RowError) -> Failure {
        let message = format!("the rows of {}: {error}", self.name);
        Failure::new(Exit::Malformed, "objects", "malformed-rows", message)
    }

    /// The column of the time.
    fn clock(&self) -> Result<&Column> {
        self.columns.iter().find(|column| column.is_clock()).ok_or_else(|| {
            Failure::usage(format!("{} captures no time", self.name)).hint("use --last N in place of times")
        })
    }

    /// Leaves the newest of some rows.
    pub(crate) fn keep_newest<T>(&self, rows: &mut VecDeque<T>, count: usize) {
        match self.sort_method {
            SortMethod::Lifo => rows.truncate(count),
            _ => drop(rows.drain(..rows.len().saturating_sub(count))),
        }
    }

    /// The first and the last of the newest rows, counted from 1; 0 stands for the last there is.
    fn newest(&self, count: u32) -> (u32, u32) {
        match self.sort_method {
            SortMethod::Lifo => (1, count),
            // In every other order the last row is taken for the newest.
            _ => (self.entries_in_use.saturating_sub(count) + 1, 0),
        }
    }
}

/// Scaler and unit of each column that has them; a refusal leaves a column as it is.
async fn scaler_units(
    session: &mut Session,
    columns: &[CaptureObjectDefinition],
) -> Result<Vec<Option<ScalerUnit>>> {
    let place = |column: &CaptureObjectDefinition| {
        let index = crate::classes::scaler_unit_attribute(column.class_id, column.attribute_index)?;
        let logical_name = column.logical_name;
        Some(AttributeReference { class_id: column.class_id, logical_name, attribute_index: index })
    };
    let mut wanted: Vec<_> = columns.iter().filter_map(place).collect();
    wanted.sort_by_key(|attribute| (attribute.logical_name, attribute.attribute_index));
    wanted.dedup();
    let mut values = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(16) {
        values.extend(session.get_all(some).await?);
    }
    let scaler_unit = |column: &CaptureObjectDefinition| {
        let attribute = place(column)?;
        let index = wanted.iter().position(|wanted| *wanted == attribute)?;
        ScalerUnit::from_data(values.get(index)?.as_ref().ok()?.as_data()).ok()
    };
    Ok(columns.iter().map(scaler_unit).collect())
}

impl Column {
    pub(crate) fn is_clock(&self) -> bool {
        self.definition.class_id == CLOCK && self.definition.attribute_index == 2
    }

    /// `1-0:1.8.0*255:2`, which tells columns apart.
    pub(crate) fn name(&self) -> String {
        let CaptureObjectDefinition { logical_name, attribute_index, data_index, .. } = self.definition;
        match data_index {
            0 => format!("{logical_name}:{attribute_index}"),
            index => format!("{logical_name}:{attribute_index}.{index}"),
        }
    }

    /// The symbol of the unit; empty if there is none.
    pub(crate) fn unit(&self) -> &'static str {
        self.scaler_unit.map_or("", |scaler_unit| scaler_unit.unit.symbol())
    }

    /// The head of the column for people.
    pub(crate) fn heading(&self) -> String {
        let name = match self.is_clock() {
            true => "time".to_owned(),
            false => self.definition.logical_name.to_string(),
        };
        if self.unit().is_empty() { name } else { format!("{name} {}", self.unit()) }
    }

    /// The physical value of a cell, if it has one.
    pub(crate) fn scaled(&self, cell: Data<'_>) -> Option<ScaledValue> {
        self.scaler_unit?.apply(cell)
    }

    /// A cell as text, without its unit; times as a person writes them, or after ISO 8601.
    pub(crate) fn cell(&self, cell: Data<'_>, iso: bool) -> String {
        let mut text = String::new();
        self.write_cell(&mut text, cell, iso);
        text
    }

    /// Adds the text of a cell.
    pub(crate) fn write_cell(&self, text: &mut String, cell: Data<'_>, iso: bool) {
        let scaler_unit = self.scaler_unit.unwrap_or(ScalerUnit::NONE);
        match (cell, scaler_unit.apply(cell)) {
            (Data::DateTime(time), _) => write_time(text, time, iso),
            (_, Some(scaled))
                if self.scaler_unit.is_some() || matches!(scaled.number, Number::Integer(_)) =>
            {
                // Writing to a String does not fail.
                let _ = scaled.write_number(text);
            }
            (other, _) => text.push_str(&tree::cell(other)),
        }
    }
}

/// A time without day of week and needless hundredths; with `iso` in one word and with its offset.
pub(crate) fn time_text(time: DateTime, iso: bool) -> String {
    let mut text = String::new();
    write_time(&mut text, time, iso);
    text
}

fn write_time(text: &mut String, time: DateTime, iso: bool) {
    if !iso || write_plain_iso(text, time).is_none() {
        text.push_str(&any_time_text(time, iso));
    }
}

fn any_time_text(time: DateTime, iso: bool) -> String {
    let [high, low, month, day, _] = time.date().0;
    let [hour, minute, second, hundredths] = time.time().0;
    let hundredths = if hundredths == 0 || !iso { 0xFF } else { hundredths };
    let bare = time
        .with_date([high, low, month, day, 0xFF].into())
        .with_time([hour, minute, second, hundredths].into());
    match iso {
        false => bare.with_deviation(None).to_string(),
        true => {
            let text = bare.with_clock_status(dlms_axdr::ClockStatus::empty()).to_string();
            text.replacen(' ', "T", 1).replacen(' ', "", 1)
        }
    }
}

/// Adds the text after ISO 8601 of a time without open fields but the hundredths, as nearly every row has one; nothing for
/// others.
fn write_plain_iso(text: &mut String, time: DateTime) -> Option<()> {
    let [high, low, month @ 1..=12, day @ 1..=31, _] = time.date().0 else { return None };
    let [hour @ 0..=23, minute @ 0..=59, second @ 0..=59, 0 | 0xFF] = time.time().0 else { return None };
    let year @ 1000..=9999 = u16::from_be_bytes([high, low]) else { return None };
    // The deviation is what must be added to get UTC; an offset is the opposite.
    let offset = -time.deviation()?;
    let hours = u8::try_from(offset.unsigned_abs() / 60).ok().filter(|hours| *hours < 100)?;
    let sign = if offset < 0 { "-" } else { "+" };
    let minutes = (offset.unsigned_abs() % 60) as u8;
    let parts = [
        ("", (year / 100) as u8),
        ("", (year % 100) as u8),
        ("-", month),
        ("-", day),
        ("T", hour),
        (":", minute),
        (":", second),
        (sign, hours),
        (":", minutes),
    ];
    for (separator, number) in parts {
        text.push_str(separator);
        text.push(char::from(b'0' + number / 10));
        text.push(char::from(b'0' + number % 10));
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use cosem_objects::Unit;

    fn profile() -> Profile {
        let time = CaptureObjectDefinition::new(8, LogicalName::new(0, 0, 1, 0, 0, 255), 2);
        let energy = |c| CaptureObjectDefinition::new(3, LogicalName::new(1, 0, c, 8, 0, 255), 2);
        let unit = Some(ScalerUnit::new(-1, Unit::from_code(30)));
        Profile {
            name: LogicalName::new(1, 0, 99, 1, 0, 255),
            columns: vec![
                Column { definition: time, scaler_unit: None },
                Column { definition: energy(1), scaler_unit: unit },
                Column { definition: energy(2), scaler_unit: unit },
            ],
            capture_period: 900,
            sort_method: SortMethod::Fifo,
            entries_in_use: 100,
        }
    }

    #[test]
    fn the_short_way_to_the_text_of_a_time_changes_nothing() {
        for deviation in [-720i16, -120, -60, -1, 0, 30, 90, 720] {
            let [high, low] = deviation.to_be_bytes();
            for (hour, status) in [(0, 0), (9, 0x80), (23, 0xFF)] {
                let time = DateTime([0x07, 0xEA, 3, 29, 7, hour, 59, 8, 0, high, low, status]);
                let mut text = String::new();
                write_plain_iso(&mut text, time).unwrap();
                assert_eq!(text, any_time_text(time, true), "{time}");
            }
        }
        let open = DateTime([0x07, 0xEA, 0xFF, 29, 7, 1, 59, 8, 0, 0x80, 0, 0]);
        assert_eq!(write_plain_iso(&mut String::new(), open), None);
    }

    #[test]
    fn columns_by_number_and_name() {
        let text = |columns: &[&str]| columns.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>();
        assert_eq!(profile().select(&[]).unwrap(), [0, 1, 2]);
        assert_eq!(profile().select(&text(&["3", "1.8.0"])).unwrap(), [2, 1]);
        for wrong in ["0", "4", "9.9.9", "x"] {
            assert!(profile().select(&text(&[wrong])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_newest_entries() {
        assert_eq!(profile().newest(96), (5, 0));
        assert_eq!(profile().newest(200), (1, 0));
        let newest_first = Profile { sort_method: SortMethod::Lifo, ..profile() };
        assert_eq!(newest_first.newest(96), (1, 96));
        let newest = |profile: &Profile| {
            let mut rows = VecDeque::from([1, 2, 3]);
            profile.keep_newest(&mut rows, 2);
            rows
        };
        assert_eq!((newest(&profile()), newest(&newest_first)), ([2, 3].into(), [1, 2].into()));
        let (selection, answered) = profile().selection(Selection::Last(1), &[2, 1]).unwrap();
        let ProfileSelection::Entry(entries) = selection else { panic!("not by entry") };
        assert_eq!((entries.from_selected_value, entries.to_selected_value), (2, 3));
        assert_eq!(answered, [1, 2]);
    }

    #[test]
    fn null_data_stands_for_the_row_before() {
        let time = DateTime([7, 0xEA, 1, 5, 1, 13, 30, 0, 0, 0xFF, 0xC4, 0]);
        let profile_ = profile();
        let definitions = profile_.definitions(&[0, 1, 2]);
        let mut completion = RowCompletion::new(profile_.layout(&definitions));
        let rows = [
            [Data::OctetString(&time.0), Data::DoubleLongUnsigned(5), Data::Unsigned(7)],
            [Data::NullData, Data::DoubleLongUnsigned(9), Data::NullData],
        ]
        .map(|row| completion.complete(row).unwrap().to_vec());
        let text = |row: usize| -> Vec<_> {
            profile()
                .columns
                .iter()
                .zip(&rows[row])
                .map(|(column, cell)| column.cell(cell.as_data(), true))
                .collect()
        };
        assert_eq!(text(0), ["2026-01-05T13:30:00+01:00", "0.5", "0.7"]);
        assert_eq!(text(1), ["2026-01-05T13:45:00+01:00", "0.9", "0.7"]);
        assert_eq!(profile().columns[0].cell(rows[0][0].as_data(), false), "2026-01-05 13:30:00");
        assert_eq!(profile().columns[1].heading(), "1-0:1.8.0*255 Wh");
    }
}
