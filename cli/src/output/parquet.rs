//! Rows as a Parquet file: times as timestamps, numbers as doubles, everything else as text.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use dlms_axdr::Data;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::failure::{Exit, Failure, Result};
use crate::profile::Rows;

/// The values of one column, with gaps.
enum Values {
    /// Milliseconds after 1970-01-01, of UTC or of the meter's local time.
    Times {
        is_utc: bool,
        values: Vec<Option<i64>>,
    },
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
}

/// Writes the rows.
pub(crate) fn write(path: &Path, rows: &Rows) -> Result<()> {
    let failed = |error: ParquetError| {
        Failure::new(Exit::Link, "command", "input-output", format!("{}: {error}", path.display()))
    };
    let columns: Vec<_> = (0..rows.columns.len()).map(|column| values(rows, column)).collect();
    let fields = columns.iter().zip(&rows.columns).map(|(values, column)| {
        let name = match (column.is_clock(), column.unit()) {
            (true, _) => "time".to_owned(),
            (false, "") => column.name(),
            (false, unit) => format!("{} {unit}", column.name()),
        };
        field(&name, values).map(Arc::new)
    });
    let fields = fields.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    let schema = Type::group_type_builder("profile").with_fields(fields).build().map_err(failed)?;
    let file = File::create(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    contents(file, schema, &columns).map_err(failed)
}

fn contents(file: File, schema: Type, columns: &[Values]) -> std::result::Result<(), ParquetError> {
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), properties)?;
    let mut group = writer.next_row_group()?;
    for values in columns {
        let Some(mut column) = group.next_column()? else { break };
        match values {
            Values::Times { values, .. } => {
                let (values, levels) = dense(values);
                column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
            }
            Values::Numbers(values) => {
                let (values, levels) = dense(values);
                column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
            }
            Values::Texts(values) => {
                let (values, levels) = dense(values);
                let values: Vec<_> = values.iter().map(|text| ByteArray::from(text.as_str())).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
            }
        }
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

/// The values that are there, and for each place whether one is.
fn dense<T: Clone>(values: &[Option<T>]) -> (Vec<T>, Vec<i16>) {
    (
        values.iter().flatten().cloned().collect(),
        values.iter().map(|value| i16::from(value.is_some())).collect(),
    )
}

fn field(name: &str, values: &Values) -> std::result::Result<Type, ParquetError> {
    let (physical, logical) = match values {
        Values::Times { is_utc, .. } => {
            let logical = LogicalType::timestamp(*is_utc, TimeUnit::MILLIS);
            (Physical::INT64, Some(logical))
        }
        Values::Numbers(_) => (Physical::DOUBLE, None),
        Values::Texts(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

fn values(rows: &Rows, place: usize) -> Values {
    let column = &rows.columns[place];
    let cells = || rows.rows.iter().map(|row| row.get(place).map_or(Data::NullData, |cell| cell.as_data()));
    let is_text = |cell: Data<'_>| !cell.is_null() && cell.number().is_none();
    if column.is_clock() {
        let time = |cell| if let Data::DateTime(time) = cell { Some(time) } else { None };
        // One time without deviation leaves all of them local.
        let is_utc = cells().filter_map(time).all(|time| time.deviation().is_some());
        let seconds =
            |time: dlms_axdr::DateTime| if is_utc { time.unix_seconds() } else { time.local_seconds() };
        return Values::Times {
            is_utc,
            values: cells().map(|cell| Some(seconds(time(cell)?)? * 1000)).collect(),
        };
    }
    if cells().any(is_text) {
        let text = |cell: Data<'_>| (!cell.is_null()).then(|| column.cell(cell, true));
        return Values::Texts(cells().map(text).collect());
    }
    let number =
        |cell: Data<'_>| column.scaled(cell).map_or_else(|| cell.number(), |scaled| Some(scaled.as_f64()));
    Values::Numbers(cells().map(number).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use cosem_objects::{CaptureObjectDefinition, ScalerUnit, Unit};
    use dlms_axdr::{DateTime, OwnedData};
    use dlms_obis::LogicalName;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    use super::*;
    use crate::profile::Column;

    #[test]
    fn times_numbers_and_gaps() {
        let column = |class, c, scaler_unit| Column {
            definition: CaptureObjectDefinition::new(class, LogicalName::new(1, 0, c, 8, 0, 255), 2),
            scaler_unit,
        };
        let time = DateTime([7, 0xEA, 1, 5, 1, 13, 30, 0, 0, 0xFF, 0xC4, 0]);
        let rows = Rows {
            columns: vec![
                column(8, 0, None),
                column(3, 1, Some(ScalerUnit::new(-1, Unit::from_code(30)))),
                column(1, 2, None),
            ],
            rows: vec![
                vec![
                    OwnedData::DateTime(time),
                    OwnedData::Unsigned(5),
                    OwnedData::OctetString(b"on".to_vec()),
                ],
                vec![OwnedData::DateTime(time), OwnedData::NullData, OwnedData::NullData],
            ],
        };
        let path = std::env::temp_dir().join(format!("dlms-cli-{}.parquet", std::process::id()));
        write(&path, &rows).unwrap();
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let read: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let fields =
            |row: usize| read[row].get_column_iter().map(|(_, field)| field.clone()).collect::<Vec<_>>();
        // 2026-01-05T12:30:00Z
        assert_eq!(fields(0)[..2], [Field::TimestampMillis(1_767_616_200_000), Field::Double(0.5)]);
        assert_eq!(fields(0)[2], Field::Str("6f6e".to_owned()));
        assert_eq!(fields(1)[1..], [Field::Null, Field::Null]);
        std::fs::remove_file(&path).unwrap();
    }
}
