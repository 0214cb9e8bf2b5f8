//! Deframing beside its floor: a length-driven scan with a sixteen-way table CRC and nothing else.
//!
//! First a table of ratios, contenders interleaved, minimum and median of [`ROUNDS`] rounds; then the same rows through
//! criterion.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use dlms_hdlc::{ClientAddress, Control, Deframer, Frame, MAX_FRAME, Sequence, ServerAddress};

const ROUNDS: usize = 51;

/// What a contender found: frames, and octets of information. Both contenders of a row must agree.
type Found = (u64, u64);

struct Row {
    name: String,
    octets: Vec<u8>,
    pieces: usize,
    target: f64,
}

fn main() {
    let rows = rows();
    // Without `--bench` each row only runs once, to see that it works.
    if std::env::args().any(|argument| argument == "--bench") {
        println!("{:<44} {:>10} {:>10} {:>7} {:>7} {:>7}", "row", "floor", "ours", "min", "median", "target");
        rows.iter().for_each(ratio);
    }
    let mut criterion = Criterion::default().configure_from_args();
    for row in &rows {
        let mut group = criterion.benchmark_group(&row.name);
        group.throughput(Throughput::Bytes(row.octets.len() as u64));
        group.bench_function("floor", |bencher| bencher.iter(|| floor(black_box(&row.octets), row.pieces)));
        group.bench_function("deframer", |bencher| bencher.iter(|| ours(black_box(&row.octets), row.pieces)));
        group.finish();
    }
    criterion.final_summary();
}

fn rows() -> Vec<Row> {
    let one = frame(2030);
    let mut stream = Vec::new();
    while stream.len() < 1 << 20 {
        stream.extend(frame(128));
        stream.extend(frame(2030));
    }
    let pattern = [0x7E, 0xA7, 0xFD].iter().copied().cycle().take(64 * 1024).collect();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let random = core::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(64 * 1024)
    .collect();
    let row = |name: &str, octets: &Vec<u8>, pieces, target| {
        let pieces_name =
            if pieces == usize::MAX { "whole".to_owned() } else { format!("pieces of {pieces}") };
        Row { name: format!("{name}, {pieces_name}"), octets: octets.clone(), pieces, target }
    };
    let mut rows = Vec::new();
    for (name, octets) in [("frame of 2030", &one), ("stream of 1 MiB", &stream)] {
        rows.push(row(name, octets, usize::MAX, 1.3));
        for pieces in [1, 16, 1500] {
            rows.push(row(name, octets, pieces, 1.5));
        }
    }
    for (name, octets) in [("noise 7E A7 FD", &pattern), ("noise random", &random)] {
        rows.push(row(name, octets, usize::MAX, 1.5));
    }
    rows
}

fn frame(information: usize) -> Vec<u8> {
    let information: Vec<u8> = (0..information).map(|octet| (octet * 7) as u8).collect();
    let mut out = [0; MAX_FRAME];
    let length = Frame {
        destination: ClientAddress::PUBLIC.into(),
        source: ServerAddress::four(1, 0x1234).unwrap().into(),
        control: Control::Information {
            send: Sequence::default(),
            receive: Sequence::default(),
            poll_final: true,
        },
        segmented: false,
        information: &information,
    }
    .encode(&mut out)
    .unwrap();
    out[..length].to_vec()
}

fn ratio(row: &Row) {
    let repeats = (400_000 / row.octets.len()).max(1);
    let time = |contender: fn(&[u8], usize) -> Found| {
        let start = Instant::now();
        for _ in 0..repeats {
            black_box(contender(black_box(&row.octets), row.pieces));
        }
        start.elapsed().as_secs_f64() / repeats as f64
    };
    assert_eq!(floor(&row.octets, row.pieces), ours(&row.octets, row.pieces), "{}", row.name);
    let (mut floors, mut ourses) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(time(floor));
        ourses.push(time(ours));
    }
    floors.sort_by(f64::total_cmp);
    ourses.sort_by(f64::total_cmp);
    let rate = |seconds: f64| format!("{:.0} MB/s", row.octets.len() as f64 / seconds / 1e6);
    println!(
        "{:<44} {:>10} {:>10} {:>7.2} {:>7.2} {:>7}",
        row.name,
        rate(floors[0]),
        rate(ourses[0]),
        ourses[0] / floors[0],
        ourses[ROUNDS / 2] / floors[ROUNDS / 2],
        row.target
    );
}

fn ours(octets: &[u8], pieces: usize) -> Found {
    let mut deframer = Deframer::new([0; MAX_FRAME]);
    let mut found = (0, 0);
    for mut input in octets.chunks(pieces) {
        while let Some(frame) = deframer.next(Duration::ZERO, &mut input) {
            found.0 += 1;
            found.1 += frame.information.len() as u64;
        }
    }
    found
}

fn floor(octets: &[u8], pieces: usize) -> Found {
    if pieces >= octets.len() { floor_whole(octets) } else { floor_pieces(octets, pieces) }
}

/// Goes from length field to length field; where that fails, to the next flag.
fn floor_whole(octets: &[u8]) -> Found {
    let mut found = (0, 0);
    let mut at = 0;
    while let Some(flag) = floor_flag(&octets[at..]) {
        at += flag + 1;
        while let Some((length, information)) = floor_frame(&octets[at..]) {
            found.0 += 1;
            found.1 += information as u64;
            at += length + 1;
        }
    }
    found
}

/// The next flag, sixteen octets at a time.
fn floor_flag(octets: &[u8]) -> Option<usize> {
    let mut start = 0;
    for block in octets.chunks_exact(16) {
        if block.iter().fold(false, |found, octet| found | (*octet == 0x7E)) {
            break;
        }
        start += 16;
    }
    octets[start..].iter().position(|octet| *octet == 0x7E).map(|flag| start + flag)
}

/// The length of the frame at the front of `octets`, and that of its information field.
fn floor_frame(octets: &[u8]) -> Option<(usize, usize)> {
    if octets.len() < 8 || octets[0] & 0xF0 != 0xA0 {
        return None;
    }
    let length = usize::from(octets[0] & 7) << 8 | usize::from(octets[1]);
    let mut header = 2;
    for _ in 0..2 {
        while octets.get(header)? & 1 == 0 {
            header += 1;
        }
        header += 1;
    }
    header += 1;
    if length < header + 2 {
        return None;
    }
    let mut register = 0xFFFF;
    let mut checked = 0;
    if length > header + 2 {
        checked = header + 2;
        register = floor_crc(register, octets.get(..checked)?);
        if register != 0xF0B8 {
            return None;
        }
    }
    if *octets.get(length)? != 0x7E {
        return None;
    }
    register = floor_crc(register, &octets[checked..length]);
    (register == 0xF0B8).then(|| (length, length.saturating_sub(header + 4)))
}

/// The same loop with what is there of a frame in a buffer, remembering the length field.
fn floor_pieces(octets: &[u8], pieces: usize) -> Found {
    let mut found = (0, 0);
    let mut buffer = [0; 2050];
    let mut filled = 0;
    let mut need = 0;
    for mut piece in octets.chunks(pieces) {
        while !piece.is_empty() {
            if filled == 0 {
                // Between frames: the flag.
                let Some(flag) = piece.iter().position(|octet| *octet == 0x7E) else { break };
                piece = &piece[flag..];
                need = 3;
            }
            let take = piece.len().min(need - filled);
            if take == 1 {
                buffer[filled] = piece[0];
            } else {
                buffer[filled..filled + take].copy_from_slice(&piece[..take]);
            }
            filled += take;
            piece = &piece[take..];
            if filled < need {
                break;
            }
            if need == 3 {
                if buffer[1] == 0x7E {
                    buffer[1] = buffer[2];
                    filled = 2;
                    continue;
                }
                need = (usize::from(buffer[1] & 7) << 8 | usize::from(buffer[2])) + 2;
                continue;
            }
            if let Some((_, information)) = floor_frame(&buffer[1..filled]) {
                found.0 += 1;
                found.1 += information as u64;
            }
            // The closing flag may open the next frame.
            filled = 1;
            need = 3;
        }
    }
    found
}

fn floor_crc(mut register: u16, octets: &[u8]) -> u16 {
    let mut blocks = octets.chunks_exact(16);
    for block in &mut blocks {
        let mut next = TABLES[15][usize::from(block[0] ^ register as u8)]
            ^ TABLES[14][usize::from(block[1] ^ (register >> 8) as u8)];
        for way in 2..16 {
            next ^= TABLES[15 - way][usize::from(block[way])];
        }
        register = next;
    }
    for octet in blocks.remainder() {
        register = (register >> 8) ^ TABLES[0][usize::from(*octet ^ register as u8)];
    }
    register
}

static TABLES: [[u16; 256]; 16] = {
    let mut tables = [[0; 256]; 16];
    let mut octet = 0;
    while octet < 256 {
        let mut register = octet as u16;
        let mut bit = 0;
        while bit < 8 {
            register = if register & 1 == 1 { (register >> 1) ^ 0x8408 } else { register >> 1 };
            bit += 1;
        }
        let mut way = 0;
        while way < 16 {
            tables[way][octet] = register;
            let mut shift = 0;
            while shift < 8 {
                register = if register & 1 == 1 { (register >> 1) ^ 0x8408 } else { register >> 1 };
                shift += 1;
            }
            way += 1;
        }
        octet += 1;
    }
    tables
};
