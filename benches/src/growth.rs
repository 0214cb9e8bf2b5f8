//! A profile of ever more rows: what the server takes for one row, what the client takes, what reading the last day
//! takes, and that neither side asks for memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use cosem_objects::CaptureObjectDefinition;
use dlms::xdlms::{AccessSelector, AttributeDescriptor, AttributeDescriptorWithSelection};
use dlms_axdr::{Data, Encode, Encoder, Reader, Rows};

use crate::exchanges::Pair;
use crate::measure::{Row, Table};
use crate::meter::{CLOCK, PROFILE, PUBLIC, ROW, time};

const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The rows of the last day.
const DAY: u32 = 96;
/// How much more a row may take at a million rows than at a thousand: what caches cost, not what growth does.
const LIMIT: f64 = 1.5;

/// The least time of several runs, and the octets that one gave.
fn least(runs: usize, mut run: impl FnMut() -> Result<usize>) -> Result<(Duration, usize)> {
    let mut best = Duration::MAX;
    let mut octets = 0;
    for _ in 0..runs {
        let start = Instant::now();
        octets = run()?;
        best = best.min(start.elapsed());
    }
    Ok((best, octets))
}

/// The parameters of a range descriptor for the last day, encoded.
fn last_day(rows: u32) -> Result<Vec<u8>> {
    let mut octets = vec![0; 128];
    let (from, to) = (time(rows - DAY)?, time(rows - 1)?);
    let mut encoder = Encoder::new(&mut octets);
    let written = (|| {
        encoder.structure(4)?;
        CaptureObjectDefinition::new(8, CLOCK, 2).encode(&mut encoder)?;
        encoder.data(&from)?;
        encoder.data(&to)?;
        encoder.array(0)
    })();
    written.map_err(|error: dlms_axdr::BufferFull| anyhow!("{error:?}"))?;
    let length = encoder.len();
    octets.truncate(length);
    Ok(octets)
}

/// Decodes rows out of pieces of a buffer as they come, holding no more than one row and one piece.
#[derive(Default)]
struct Rolling {
    held: Vec<u8>,
    head: bool,
    rows: usize,
    sum: u64,
}

impl Rolling {
    fn take(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
        let mut reader = Reader::new(&self.held);
        if !self.head {
            self.head = reader.u8().is_ok() && reader.length().is_ok();
        }
        let mut done = reader.offset();
        while let Ok(Data::Structure(cells)) = Data::decode(&mut reader) {
            for cell in cells {
                if let Data::DoubleLongUnsigned(value) = cell {
                    self.sum = self.sum.wrapping_add(value.into());
                }
            }
            self.rows += 1;
            done = reader.offset();
        }
        self.held.drain(..done);
    }
}

struct Sample {
    rows: u32,
    streamed: Duration,
    rolling: Duration,
    decoded: Duration,
    day: Duration,
    allocations: u64,
}

fn sample(rows: u32) -> Result<Sample> {
    let mut pair = Pair::new(PUBLIC, rows)?;
    pair.associate()?;
    let buffer = AttributeDescriptor::new(7, PROFILE, 2);
    let mut value = Vec::with_capacity(8 + rows as usize * ROW);
    let runs = (2_000_000 / rows as usize).clamp(3, 200);
    let (streamed, octets) = least(runs, || {
        value.clear();
        pair.get(buffer.into(), |piece| value.extend_from_slice(piece))?;
        Ok(value.len())
    })?;
    if octets < rows as usize * ROW {
        bail!("{octets} octets of {rows} rows");
    }
    let allocations = allocation_counter::measure(|| {
        value.clear();
        drop(pair.get(buffer.into(), |piece| value.extend_from_slice(piece)));
    });
    let mut held = Vec::with_capacity(4096);
    let (rolling, count) = least(runs, || {
        held.clear();
        let mut rolling = Rolling { held: std::mem::take(&mut held), ..Rolling::default() };
        pair.get(buffer.into(), |piece| rolling.take(piece))?;
        black_box(rolling.sum);
        held = rolling.held;
        Ok(rolling.rows)
    })?;
    if count != rows as usize || held.capacity() > 4096 {
        bail!("{count} rows of {rows}, {} octets held", held.capacity());
    }
    let (decoded, count) = least(runs, || {
        let mut rows = Rows::from_octets(black_box(&value))?;
        let (mut count, mut sum) = (0, 0u64);
        while let Some(row) = rows.next_row()? {
            for cell in row {
                if let Data::DoubleLongUnsigned(value) = cell? {
                    sum = sum.wrapping_add(value.into());
                }
            }
            count += 1;
        }
        black_box(sum);
        Ok(count)
    })?;
    if count != rows as usize {
        bail!("{count} rows of {rows}");
    }
    let parameters = last_day(rows)?;
    let selection = Some(AccessSelector { selector: 1, parameters: Data::from_octets(&parameters)? });
    let (day, octets) = least(200, || {
        let mut length = 0;
        pair.get(AttributeDescriptorWithSelection { attribute: buffer, selection }, |piece| {
            length += piece.len()
        })?;
        Ok(length)
    })?;
    if octets != 2 + DAY as usize * ROW {
        bail!("{octets} octets of a day");
    }
    Ok(Sample { rows, streamed, rolling, decoded, day, allocations: allocations.count_total })
}

/// Measures the rows, for profiles of up to `most` rows.
///
/// # Errors
/// Rows are missing.
pub fn table(most: Option<u32>) -> Result<Table> {
    let sizes = SIZES.into_iter().filter(|rows| *rows <= most.unwrap_or(u32::MAX));
    let samples = sizes.map(sample).collect::<Result<Vec<_>>>()?;
    let first = samples.first().ok_or_else(|| anyhow!("no sizes"))?;
    let mut rows = Vec::new();
    for sample in &samples {
        let nanoseconds = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(sample.rows);
        let at_first = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(first.rows);
        let mut push = |name: &str, ours: f64, floor: f64, unit: &str| {
            let ratio = ours / floor;
            rows.push(Row {
                name: format!("{name}, {} rows", sample.rows),
                floor: format!("{floor:.1} {unit}"),
                ours: format!("{ours:.1} {unit}"),
                least: Some(ratio),
                median: None,
                target: format!("≤ {LIMIT} ×"),
                met: Some(ratio <= LIMIT),
            });
        };
        let (streamed, decoded) = (nanoseconds(sample.streamed), nanoseconds(sample.decoded));
        push("server streams, client collects", streamed, at_first(first.streamed), "ns/row");
        let rolling = nanoseconds(sample.rolling);
        push("server streams, client decodes row by row", rolling, at_first(first.rolling), "ns/row");
        push("decoding a buffer held whole", decoded, at_first(first.decoded), "ns/row");
        let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
        push("the last 96 by range", microseconds(sample.day), microseconds(first.day), "µs");
    }
    let allocations = samples.iter().map(|sample| sample.allocations).max().unwrap_or(0);
    rows.push(Row::figure("allocations while streaming, any size", allocations, "0", Some(allocations == 0)));
    Ok(Table {
        title: "Growth".to_owned(),
        about: "Rows of a 12-octet clock and seven double-long-unsigned in blocks of 1,024 octets, both engines in one \
                memory, without ciphering. The floor of each row is what the same takes with 1,000 rows, so the ratio \
                says what a row costs more because there are others; least of several runs."
            .to_owned(),
        rows,
        after: String::new(),
    })
}
