//! A load profile (rows of a clock of 12 octets and seven double-long-unsigned) decoded and encoded, each beside the
//! least work that could do the job.
//!
//! First a table of ratios (contenders interleaved, so that a noisy machine slows both), then criterion's own figures.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput};
use dlms_axdr::{BufferFull, Data, DateTime, Encode, Encoder, Rows, Table};

const REGISTERS: usize = 7;
const ROW: usize = 2 + 14 + REGISTERS * 5;
const ROUNDS: usize = 51;

struct ProfileRow {
    clock: DateTime,
    registers: [u32; REGISTERS],
}

impl Encode for ProfileRow {
    #[inline(always)]
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.structure(1 + REGISTERS)?;
        encoder.data(&self.clock)?;
        self.registers.iter().try_for_each(|register| encoder.data(register))
    }
}

fn profile(rows: usize) -> Vec<ProfileRow> {
    (0..rows)
        .map(|row| ProfileRow {
            clock: DateTime::from_unix_seconds(1_767_225_600 + 900 * row as i64, -60).unwrap(),
            registers: std::array::from_fn(|column| (row * 7919 + column * 104_729) as u32),
        })
        .collect()
}

/// One pass over octets that may only be such a buffer: each tag and length checked, every cell touched.
fn floor_visit(octets: &[u8]) -> Option<u64> {
    let (count, mut rest) = head(octets)?;
    let mut sum = 0u64;
    for _ in 0..count {
        let (&[tag, mut cells], after) = rest.split_first_chunk()?;
        if tag != 2 {
            return None;
        }
        rest = after;
        while cells > 0 {
            cells -= 1;
            let (tag, after) = rest.split_first()?;
            match tag {
                6 => {
                    let (value, after) = after.split_first_chunk()?;
                    sum = sum.wrapping_add(u32::from_be_bytes(*value).into());
                    rest = after;
                }
                9 => {
                    let (length, after) = after.split_first()?;
                    let (octets, after) = after.split_at_checked((*length).into())?;
                    sum = sum.wrapping_add(touched(octets));
                    rest = after;
                }
                _ => return None,
            }
        }
    }
    Some(sum)
}

fn head(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (tag, rest) = octets.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (count, rest) = match length {
        0..0x80 => (usize::from(*length), rest),
        _ => {
            let (octets, rest) = rest.split_at_checked((length & 0x7F).into())?;
            (octets.iter().fold(0, |count, octet| count << 8 | usize::from(*octet)), rest)
        }
    };
    (*tag == 1).then_some((count, rest))
}

fn touched(octets: &[u8]) -> u64 {
    octets.last_chunk().map_or(0, |last| u64::from_be_bytes(*last))
}

fn cell(data: &Data<'_>) -> u64 {
    match data {
        Data::DoubleLongUnsigned(value) => (*value).into(),
        Data::OctetString(octets) => touched(octets),
        _ => 0,
    }
}

fn visit_rows(octets: &[u8]) -> Option<u64> {
    let mut rows = Rows::from_octets(octets).ok()?;
    let mut sum = 0u64;
    while let Some(row) = rows.next_row().ok()? {
        for data in row {
            sum = sum.wrapping_add(cell(&data.ok()?));
        }
    }
    Some(sum)
}

/// The same through `Data`, which checks the buffer whole and then walks it.
fn visit_data(octets: &[u8]) -> Option<u64> {
    let rows = Data::from_octets(octets).ok()?.elements()?;
    let mut sum = 0u64;
    for row in rows {
        for data in row.elements()? {
            sum = sum.wrapping_add(cell(&data));
        }
    }
    Some(sum)
}

/// Two vectors filled in one pass.
fn floor_table(octets: &[u8]) -> Option<(Vec<[u8; 12]>, Vec<u32>)> {
    let (count, mut rest) = head(octets)?;
    let room = count.min(rest.len() / ROW);
    let (mut clocks, mut registers) = (Vec::with_capacity(room), Vec::with_capacity(room * REGISTERS));
    for _ in 0..count {
        let (&[tag, mut cells], after) = rest.split_first_chunk()?;
        if tag != 2 {
            return None;
        }
        rest = after;
        while cells > 0 {
            cells -= 1;
            let (tag, after) = rest.split_first()?;
            match tag {
                6 => {
                    let (value, after) = after.split_first_chunk()?;
                    registers.push(u32::from_be_bytes(*value));
                    rest = after;
                }
                9 => {
                    let (length, after) = after.split_first()?;
                    let (octets, after) = after.split_at_checked((*length).into())?;
                    clocks.push(octets.try_into().ok()?);
                    rest = after;
                }
                _ => return None,
            }
        }
    }
    Some((clocks, registers))
}

/// The layout written straight into a buffer that is known to be large enough.
fn floor_encode(rows: &[ProfileRow], buffer: &mut [u8]) -> Option<usize> {
    let mut encoder = Encoder::new(buffer);
    encoder.array(rows.len()).ok()?;
    let head = encoder.len();
    let room = buffer.get_mut(head..)?;
    let (chunks, _) = room.as_chunks_mut::<ROW>();
    for (row, octets) in rows.iter().zip(chunks) {
        octets[..4].copy_from_slice(&[2, 8, 9, 12]);
        octets[4..16].copy_from_slice(&row.clock.0);
        for (register, octets) in row.registers.iter().zip(octets[16..].as_chunks_mut::<5>().0) {
            octets[0] = 6;
            octets[1..].copy_from_slice(&register.to_be_bytes());
        }
    }
    Some(head + rows.len() * ROW)
}

fn encode(rows: &[ProfileRow], buffer: &mut [u8]) -> Option<usize> {
    let mut encoder = Encoder::new(buffer);
    encoder.array(rows.len()).ok()?;
    rows.iter().try_for_each(|row| encoder.at_once::<64>(row)).ok()?;
    Some(encoder.len())
}

fn timed<T>(work: &mut dyn FnMut() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

/// Interleaved rounds; minimum and median of both, and their ratio.
fn ratio<F, T>(
    name: &str,
    rows: usize,
    target: f64,
    mut floor: impl FnMut() -> F,
    mut ours: impl FnMut() -> T,
) {
    let repeat = (200_000 / rows).max(1);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push((0..repeat).map(|_| timed(&mut floor)).sum::<Duration>() / repeat as u32);
        times[1].push((0..repeat).map(|_| timed(&mut ours)).sum::<Duration>() / repeat as u32);
    }
    times.iter_mut().for_each(|times| times.sort());
    let per_row = |time: Duration| time.as_secs_f64() * 1e9 / rows as f64;
    let [floor, ours] = times.map(|times| (per_row(times[0]), per_row(times[ROUNDS / 2])));
    println!(
        "{name:<24} {rows:>9} rows  floor {:>6.2} ns/row ({:.2})  ours {:>6.2} ns/row ({:.2})  x{:.2} min, x{:.2} median, target x{target}",
        floor.0,
        floor.1,
        ours.0,
        ours.1,
        ours.0 / floor.0,
        ours.1 / floor.1
    );
}

fn ratios() {
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let rows = profile(count);
        let mut buffer = vec![0; 16 + count * ROW];
        let length = encode(&rows, &mut buffer).unwrap();
        let octets = buffer[..length].to_vec();
        assert_eq!(floor_encode(&rows, &mut buffer), Some(length));
        assert_eq!(buffer[..length], octets);
        assert_eq!(visit_rows(&octets), floor_visit(&octets));
        assert_eq!(visit_data(&octets), floor_visit(&octets));
        let octets = octets.as_slice();
        ratio(
            "decode, borrowed: Rows",
            count,
            1.5,
            || floor_visit(black_box(octets)),
            || visit_rows(black_box(octets)),
        );
        ratio(
            "decode, borrowed: Data",
            count,
            1.5,
            || floor_visit(black_box(octets)),
            || visit_data(black_box(octets)),
        );
        ratio(
            "decode, owned: Table",
            count,
            2.0,
            || floor_table(black_box(octets)),
            || Table::from_octets(black_box(octets)),
        );
        let mut other = buffer.clone();
        ratio(
            "encode",
            count,
            2.0,
            || floor_encode(black_box(&rows), &mut buffer),
            || encode(black_box(&rows), &mut other),
        );
    }
}

fn main() {
    // Without `--bench` each row only runs once, to see that it works.
    if std::env::args().any(|argument| argument == "--bench") {
        ratios();
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(25);
    for count in [1_000, 100_000] {
        let rows = profile(count);
        let mut buffer = vec![0; 16 + count * ROW];
        let length = encode(&rows, &mut buffer).unwrap();
        let octets = buffer[..length].to_vec();
        let mut group = criterion.benchmark_group("profile");
        group
            .throughput(Throughput::Elements(count as u64))
            .measurement_time(Duration::from_secs(1))
            .warm_up_time(Duration::from_millis(300));
        group.bench_function(BenchmarkId::new("decode borrowed, floor", count), |b| {
            b.iter(|| floor_visit(black_box(&octets)))
        });
        group.bench_function(BenchmarkId::new("decode borrowed, Rows", count), |b| {
            b.iter(|| visit_rows(black_box(&octets)))
        });
        group.bench_function(BenchmarkId::new("decode borrowed, Data", count), |b| {
            b.iter(|| visit_data(black_box(&octets)))
        });
        group.bench_function(BenchmarkId::new("decode owned, floor", count), |b| {
            b.iter(|| floor_table(black_box(&octets)))
        });
        group.bench_function(BenchmarkId::new("decode owned, Table", count), |b| {
            b.iter(|| Table::from_octets(black_box(&octets)))
        });
        group.bench_function(BenchmarkId::new("encode, floor", count), |b| {
            b.iter(|| floor_encode(black_box(&rows), &mut buffer))
        });
        group.bench_function(BenchmarkId::new("encode, Encoder", count), |b| {
            b.iter(|| encode(black_box(&rows), &mut buffer))
        });
    }
}
