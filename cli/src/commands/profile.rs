//! `dlms profile`: rows of a load profile as a table and a plot, for programs, as a file.

use std::collections::VecDeque;
use std::io::{BufWriter, StdoutLock, Write as _, stdout};

use cosem_objects::classes::Clock;
use dlms_axdr::{DateTime, FromData as _, OwnedData};
use dlms_obis::LogicalName;
use serde::Serialize;

use super::read;
use crate::args::ProfileArgs;
use crate::failure::{Exit, Failure, Result};
use crate::output::{self, csv, plot, progress, table};
use crate::parse::hex;
use crate::parse::time::{End, Moment};
use crate::profile::{Column, Profile, Rows, Selection};
use crate::session::{Session, refused};

const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
/// What stands for the begin and the end of all time where only one end of a range is given.
const FIRST: DateTime = DateTime([7, 0xD0, 1, 1, 0xFF, 0, 0, 0, 0, 0x80, 0, 0]);
const LAST: DateTime = DateTime([8, 0x33, 12, 31, 0xFF, 23, 59, 59, 0, 0x80, 0, 0]);
/// Rows that a table shows before it leaves some out.
const SHOWN: usize = 200;
/// How many columns are plotted.
const PLOTS: usize = 3;

#[derive(Serialize)]
struct RowItem<'a> {
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    values: Vec<CellItem<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CellItem<'a> {
    class_id: u16,
    instance_id: String,
    attribute_id: i8,
    data_index: u16,
    data: &'a OwnedData,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

pub(crate) async fn run(args: &ProfileArgs, json: bool) -> Result<()> {
    let target = args.connection.resolve()?;
    if args.parquet.is_some() && cfg!(not(feature = "parquet")) {
        return Err(Failure::usage("this dlms was built without Parquet")
            .hint("build it with its default features, or use --csv FILE"));
    }
    if json && args.csv.as_deref().is_some_and(|path| path.as_os_str() == "-") {
        return Err(Failure::usage("--csv - and --json both write to standard output"));
    }
    let mut session = Session::open(&target).await?;
    let read = gather(&mut session, args, json).await;
    session.release().await;
    read?.finish(args)
}

/// Where rows go as they come. What can be written at once is; a table, a plot and a Parquet file need all of them.
struct Sink {
    columns: Vec<Column>,
    csv: Option<csv::Sheet>,
    json: Option<BufWriter<StdoutLock<'static>>>,
    kept: Option<Vec<Vec<OwnedData>>>,
    count: usize,
    /// The text of a cell.
    text: String,
}

impl Sink {
    fn new(args: &ProfileArgs, json: bool, columns: Vec<Column>) -> Result<Self> {
        let is_text = !json && args.csv.is_none() && args.parquet.is_none();
        let mut csv = args.csv.as_deref().map(csv::Sheet::create).transpose()?;
        if let Some(sheet) = &mut csv {
            sheet.row(columns.iter().map(csv_head))?;
        }
        Ok(Self {
            columns,
            csv,
            json: json.then(|| BufWriter::new(stdout().lock())),
            kept: (is_text || args.parquet.is_some()).then(Vec::new),
            count: 0,
            text: String::new(),
        })
    }

    fn take(&mut self, row: &[OwnedData]) -> Result<()> {
        self.count += 1;
        if let Some(sheet) = &mut self.csv {
            for (column, cell) in self.columns.iter().zip(row) {
                self.text.clear();
                column.write_cell(&mut self.text, cell.as_data(), true);
                sheet.cell(&self.text)?;
            }
            sheet.end_row()?;
        }
        if let Some(out) = &mut self.json {
            serde_json::to_writer(&mut *out, &item(&self.columns, row, self.count))?;
            out.write_all(b"\n")?;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(row.to_vec());
        }
        Ok(())
    }

    fn finish(self, args: &ProfileArgs) -> Result<()> {
        if let Some(sheet) = self.csv {
            sheet.finish()?;
        }
        let rows = self.kept.map(|rows| Rows { columns: self.columns, rows });
        #[cfg(feature = "parquet")]
        if let (Some(path), Some(rows)) = (&args.parquet, &rows) {
            output::parquet::write(path, rows)?;
        }
        if let Some(mut out) = self.json {
            return Ok(out.flush()?);
        }
        if args.csv.is_some() || args.parquet.is_some() {
            eprintln!("{} rows written", self.count);
            return Ok(());
        }
        Ok(output::text(&rows.map_or_else(String::new, |rows| text(&rows, SHOWN)))?)
    }
}

async fn gather(session: &mut Session, args: &ProfileArgs, json: bool) -> Result<Sink> {
    let profile = Profile::read(session, args.obis).await?;
    let columns = profile.select(&args.columns)?;
    let selection = match (args.last, args.from, args.to) {
        (Some(count), None, None) => Selection::Last(count),
        (None, None, None) => Selection::All,
        (_, from, to) => range(session, from, to).await?,
    };
    // The newest rows of a range are known when all of them are there.
    let newest = args.last.filter(|_| matches!(selection, Selection::Range(..))).map(|count| count as usize);
    let mut held = VecDeque::new();
    let mut sink = Sink::new(args, json, profile.columns_at(&columns))?;
    let bar = progress::bar("rows", Some(0));
    let progress = |count, announced| {
        bar.set_length(announced);
        bar.set_position(count);
    };
    let hold = |row: &[OwnedData]| match newest {
        None => sink.take(row),
        Some(count) => {
            held.push_back(row.to_vec());
            profile.keep_newest(&mut held, count);
            Ok(())
        }
    };
    let read = profile.rows(session, selection, &columns, progress, hold).await;
    bar.finish_and_clear();
    read?;
    held.iter().try_for_each(|row| sink.take(row))?;
    Ok(sink)
}

/// The times that are meant, by the meter's clock where they are relative to it.
async fn range(session: &mut Session, from: Option<Moment>, to: Option<Moment>) -> Result<Selection> {
    let is_relative = from.into_iter().chain(to).any(Moment::is_relative);
    let clock = if is_relative { clock(session).await? } else { FIRST };
    let resolve = |moment: Option<Moment>, end, otherwise| match moment {
        None => Ok(otherwise),
        Some(moment) => moment.resolve(clock, end).ok_or_else(|| {
            Failure::new(Exit::Malformed, "objects", "clock", "the meter's clock does not say the time")
                .hint("give absolute times")
        }),
    };
    let (from, to) = (resolve(from, End::Begin, FIRST)?, resolve(to, End::End, LAST)?);
    if from.local_seconds() > to.local_seconds() {
        return Err(Failure::usage("--from is after --to"));
    }
    Ok(Selection::Range(from, to))
}

/// The time by the meter's clock.
pub(crate) async fn clock(session: &mut Session) -> Result<DateTime> {
    let attribute = Clock::<()>::TIME.of(CLOCK);
    let data = session.get(attribute).await?.map_err(|result| {
        refused(format!("the meter's clock, {}", read::subject(attribute)), result)
            .hint("give absolute times")
    })?;
    DateTime::from_data(data.as_data())
        .map_err(|error| Failure::new(Exit::Malformed, "objects", "clock", error.to_string()))
}

fn item<'r>(columns: &[Column], row: &'r [OwnedData], number: usize) -> RowItem<'r> {
    let values: Vec<_> = columns
        .iter()
        .zip(row)
        .map(|(column, data)| {
            let scaled = column.scaled(data.as_data());
            CellItem {
                class_id: column.definition.class_id,
                instance_id: hex::text(column.definition.logical_name.octets()),
                attribute_id: column.definition.attribute_index,
                data_index: column.definition.data_index,
                data,
                value: scaled.as_ref().and_then(read::number),
                unit: scaled.map(|scaled| scaled.unit().symbol()),
            }
        })
        .collect();
    RowItem { row: number, time: time(columns, row, true), values }
}

/// The time of a row, if the profile has it.
fn time(columns: &[Column], row: &[OwnedData], iso: bool) -> Option<String> {
    let place = columns.iter().position(Column::is_clock)?;
    Some(columns.get(place)?.cell(row.get(place)?.as_data(), iso))
}

fn csv_head(column: &Column) -> String {
    match (column.is_clock(), column.unit()) {
        (true, _) => "time".to_owned(),
        (false, "") => column.name(),
        (false, unit) => format!("{} {unit}", column.name()),
    }
}

/// A table of the newest rows, and a plot of the first columns that are numbers.
pub(crate) fn text(rows: &Rows, shown: usize) -> String {
    let numeric: Vec<_> = rows.columns.iter().map(|column| !column.is_clock()).collect();
    let mut sheet = table::Sheet::new(rows.columns.iter().map(Column::heading), numeric);
    let left_out = rows.rows.len().saturating_sub(shown);
    for row in rows.rows.iter().skip(left_out) {
        let cells = rows.columns.iter().zip(row).map(|(column, cell)| column.cell(cell.as_data(), false));
        sheet.row(cells.collect::<Vec<_>>());
    }
    let mut text = sheet.text();
    if left_out > 0 {
        text.push_str(&table::remark(&format!(
            "the {left_out} oldest of {} rows are not shown",
            rows.rows.len()
        )));
    } else {
        text.push_str(&table::remark(&format!("{} rows", rows.rows.len())));
    }
    // Quantities say more than states.
    let (quantities, others): (Vec<_>, Vec<_>) =
        rows.columns.iter().enumerate().partition(|(_, column)| column.scaler_unit.is_some());
    let plotted = quantities.iter().chain(&others).filter(|(_, column)| !column.is_clock());
    let plots = plotted.filter_map(|(place, column)| curve(rows, *place, column)).take(PLOTS);
    plots.for_each(|plot| {
        text.push('\n');
        text.push_str(&plot);
    });
    text
}

/// The plot of one column; of an energy, which only ever rises, what each interval added to it.
fn curve(rows: &Rows, place: usize, column: &Column) -> Option<String> {
    let points: Vec<_> = rows
        .rows
        .iter()
        .map(|row| {
            let cell = row.get(place)?.as_data();
            column.scaled(cell).map_or_else(|| cell.number(), |scaled| Some(scaled.as_f64()))
        })
        .collect();
    // A column that never changes shows nothing.
    if points.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    let name = column.definition.logical_name;
    let is_energy = name.d() == 8 && points.is_sorted();
    let words = name.describe().map_or_else(|| name.to_string(), |words| words.to_string());
    let what = if is_energy { ", in each interval" } else { "" };
    let unit = if column.unit().is_empty() { String::new() } else { format!(" [{}]", column.unit()) };
    let title = output::heading().apply_to(format!("{words}{what}{unit}")).to_string();
    let points: Vec<_> = match is_energy {
        true => points.windows(2).map(|pair| Some(pair[1]? - pair[0]?)).collect(),
        false => points,
    };
    let label = |row: Option<&Vec<OwnedData>>| time(&rows.columns, row?, false);
    let labels = (label(rows.rows.first()).unwrap_or_default(), label(rows.rows.last()).unwrap_or_default());
    plot::plot(&title, &points, (&labels.0, &labels.1), output::width())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use cosem_objects::{CaptureObjectDefinition, ScalerUnit, Unit};

    fn rows() -> Rows {
        let time = CaptureObjectDefinition::new(8, CLOCK, 2);
        let energy = CaptureObjectDefinition::new(3, LogicalName::new(1, 0, 1, 8, 0, 255), 2);
        let scaler_unit = Some(ScalerUnit::new(0, Unit::from_code(30)));
        let row = |minute: u8, value: u32| {
            let time = DateTime([7, 0xEA, 1, 5, 1, 13, minute, 0, 0, 0xFF, 0xC4, 0]);
            vec![OwnedData::DateTime(time), OwnedData::DoubleLongUnsigned(value)]
        };
        Rows {
            columns: vec![
                Column { definition: time, scaler_unit: None },
                Column { definition: energy, scaler_unit },
            ],
            rows: vec![row(0, 5), row(15, 7), row(30, 12)],
        }
    }

    #[test]
    fn for_programs() {
        let json = serde_json::to_string(&item(&rows().columns, &rows().rows[1], 2)).unwrap();
        assert!(
            json.starts_with(r#"{"row":2,"time":"2026-01-05T13:15:00+01:00","values":[{"class-id":8,"#),
            "{json}"
        );
        assert!(json.ends_with(r#""data":{"double-long-unsigned":7},"value":7,"unit":"Wh"}]}"#), "{json}");
    }

    #[test]
    fn for_people() {
        console::set_colors_enabled(false);
        let text = text(&rows(), SHOWN);
        assert!(text.contains("2026-01-05 13:15:00") && text.contains("1-0:1.8.0*255 Wh"), "{text}");
        assert!(text.contains("in each interval [Wh]") && text.contains("3 rows"), "{text}");
    }
}
