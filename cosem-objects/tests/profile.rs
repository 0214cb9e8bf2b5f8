//! Profiles as a server hosts them: capture, order, selection, and reading in blocks while rows are captured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use core::time::Duration;

use cosem_objects::behaviour::Profile;
use cosem_objects::classes::*;
use cosem_objects::rows::{CompleteRows, Layout};
use cosem_objects::*;
use dlms_axdr::{Array, Cursor, Data as Value, DateTime, Encode, Encoder, Enum, OwnedData};
use proptest::prelude::*;
use support::*;

/// 2026-01-01 00:00:00 UTC.
const NEW_YEAR: i64 = 1_767_225_600;

fn row(time: i64, energy: u32) -> Vec<u8> {
    let mut buffer = [0; 32];
    let mut encoder = Encoder::new(&mut buffer);
    let time = DateTime::from_unix_seconds(time, -60).unwrap();
    (time, energy).encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

/// A meter with rows of 15 minutes that have these energies.
fn filled(energies: &[u32]) -> Meter {
    let mut meter = Meter::new(NEW_YEAR);
    store(&mut meter, energies, 0);
    meter
}

fn store(meter: &mut Meter, energies: &[u32], first: i64) {
    for (&energy, number) in energies.iter().zip(first..) {
        meter.profile.store(&row(NEW_YEAR + number * 900, energy)).unwrap();
    }
}

fn buffer(meter: &Meter, selector: Option<(u8, &OwnedData)>) -> Result<Vec<u32>, GetError> {
    meter.select(7, PROFILE, 2, selector, 4096, |_| {}).map(|octets| energies(&octets))
}

fn entries(from: u32, to: u32, first: u16, last: u16) -> OwnedData {
    encoded(&EntryDescriptor {
        from_entry: from,
        to_entry: to,
        from_selected_value: first,
        to_selected_value: last,
    })
}

fn range_of(from: OwnedData, to: OwnedData, columns: &[CaptureObjectDefinition]) -> OwnedData {
    OwnedData::Structure(vec![
        encoded(&CaptureObjectDefinition::new(8, CLOCK, 2)),
        from,
        to,
        encoded(&Array(columns)),
    ])
}

/// From and to in quarters of an hour after the first row, in local time with or without a deviation.
fn range(from: i64, to: i64, deviation: Option<i16>) -> OwnedData {
    let time = |number: i64| {
        let time = DateTime::from_unix_seconds(NEW_YEAR + number * 900, -60).unwrap();
        encoded(&time.with_deviation(deviation))
    };
    range_of(time(from), time(to), &[])
}

#[test]
fn captures_at_its_period() {
    let mut meter = Meter::new(NEW_YEAR);
    for energy in 1..=5 {
        meter.energy.value = energy;
        meter.run(Duration::from_secs(900), Duration::from_secs(60));
    }
    assert_eq!(buffer(&meter, None).unwrap(), [1, 2, 3, 4, 5]);
    let octets = meter.get(7, PROFILE, 2).unwrap();
    let layout = Layout {
        columns: meter.profile.capture_objects(),
        capture_period: 900,
        sort_method: SortMethod::Fifo,
    };
    let mut rows = CompleteRows::<4>::new(&octets, layout).unwrap();
    let Some([Value::DateTime(time), _]) = rows.next_row().unwrap() else { panic!() };
    assert_eq!(time.unix_seconds(), Some(NEW_YEAR + 900));
}

#[test]
fn days_of_changing_time_have_92_and_100_quarters() {
    // 2026-03-29 and 2026-10-25, midnight in Central Europe.
    for (midnight, rows, repeated) in [(1_774_738_800, 92, 0), (1_792_879_200, 100, 4)] {
        let mut meter = Meter::new(midnight);
        let columns = [CaptureObjectDefinition::new(8, CLOCK, 2)];
        meter.profile = ProfileGeneric::new(PROFILE, RowRing::new(), &columns, 900, 48).unwrap();
        let mut hours = Vec::new();
        let mut times = Vec::new();
        for _ in 0..rows {
            meter.run(Duration::from_secs(900), Duration::from_secs(300));
            let last = meter.profile.entries_in_use();
            let octets = meter.select(7, PROFILE, 2, Some((2, &entries(last, 0, 1, 0))), 64, |_| {}).unwrap();
            let time = DateTime(octets[6..18].try_into().unwrap());
            times.push(time.unix_seconds().unwrap());
            hours.push(time.0[5..7].to_vec());
        }
        assert_eq!(hours.last().unwrap(), &[0, 0], "the day is over");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 900));
        let unique: std::collections::HashSet<_> = hours.iter().collect();
        assert_eq!(hours.len() - unique.len(), repeated);
    }
}

#[test]
fn full_profiles_drop_the_oldest() {
    let mut meter = filled(&(0..60).collect::<Vec<_>>());
    assert_eq!(buffer(&meter, None).unwrap(), (12..60).collect::<Vec<_>>());
    meter.profile.clear();
    assert_eq!(buffer(&meter, None).unwrap(), []);
    assert_eq!(meter.get(7, PROFILE, 2).unwrap(), [0x01, 0x00]);
    store(&mut meter, &[7], 0);
    assert_eq!(meter.get(7, PROFILE, 7).unwrap(), [0x06, 0, 0, 0, 1]);
}

#[test]
fn sort_methods() {
    let column = CaptureObjectDefinition::new(3, ENERGY, 2);
    let values = [5, 1, 9, 3, 9, 7];
    for (method, expected) in [
        (SortMethod::Fifo, [9, 3, 9, 7]),
        (SortMethod::Lifo, [7, 9, 3, 9]),
        (SortMethod::Largest, [9, 9, 7, 5]),
        (SortMethod::Smallest, [1, 3, 5, 7]),
        (SortMethod::NearestToZero, [1, 3, 5, 7]),
        (SortMethod::FarthestFromZero, [9, 9, 7, 5]),
    ] {
        let columns = [CaptureObjectDefinition::new(8, CLOCK, 2), column];
        let mut meter = Meter::new(NEW_YEAR);
        meter.profile =
            ProfileGeneric::new(PROFILE, RowRing::new(), &columns, 0, 4).unwrap().sorted(method, column);
        store(&mut meter, &values, 0);
        assert_eq!(buffer(&meter, None).unwrap(), expected, "{method:?}");
        let second = buffer(&meter, Some((2, &entries(2, 3, 1, 0)))).unwrap();
        assert_eq!(second, expected[1..3], "{method:?}");
    }
}

#[test]
fn selection_by_entry() {
    let meter = filled(&[10, 11, 12, 13]);
    for (from, to, expected) in [
        (1, 0, &[10, 11, 12, 13][..]),
        (2, 3, &[11, 12]),
        (4, 9, &[13]),
        (0, 1, &[10]),
        (5, 0, &[]),
        (3, 2, &[]),
    ] {
        assert_eq!(buffer(&meter, Some((2, &entries(from, to, 1, 0)))).unwrap(), expected, "{from}..{to}");
    }
    let selected =
        |first, last| meter.select(7, PROFILE, 2, Some((2, &entries(2, 2, first, last))), 64, |_| {});
    assert_eq!(selected(2, 0).unwrap(), [0x01, 0x01, 0x02, 0x01, 0x06, 0, 0, 0, 11]);
    assert_eq!(selected(1, 1).unwrap().len(), 2 + 2 + 14);
    assert_eq!(selected(3, 0), Err(GetError::Refused(DataAccessResult::OtherReason)));
}

#[test]
fn selection_by_range() {
    let mut meter = filled(&[10, 11, 12, 13]);
    // The second time without order in time: the rows are then looked at one by one.
    for shuffled in [false, true] {
        if shuffled {
            meter.profile.clear();
            store(&mut meter, &[11, 12], 1);
            store(&mut meter, &[10], 0);
            store(&mut meter, &[13], 3);
        }
        for deviation in [Some(-60), None] {
            for (from, to, expected) in
                [(1, 2, &[11, 12][..]), (-5, 0, &[10]), (3, 99, &[13]), (4, 9, &[]), (2, 1, &[])]
            {
                let found = buffer(&meter, Some((1, &range(from, to, deviation)))).unwrap();
                assert_eq!(found, expected, "{from}..{to} {deviation:?} {shuffled}");
            }
        }
    }
    let open = range_of(OwnedData::NullData, encoded(&DateTime::NOT_SPECIFIED), &[]);
    assert_eq!(buffer(&meter, Some((1, &open))).unwrap().len(), 4);
    let energy = [CaptureObjectDefinition::new(3, ENERGY, 2)];
    let open = range_of(OwnedData::NullData, OwnedData::NullData, &energy);
    let octets = meter.select(7, PROFILE, 2, Some((1, &open)), 64, |_| {}).unwrap();
    assert_eq!(octets[..4], [0x01, 0x04, 0x02, 0x01]);
}

#[test]
fn bad_selections_are_refused() {
    let meter = filled(&[1]);
    let refused = |selector, parameters: &OwnedData| {
        meter.select(7, PROFILE, 2, Some((selector, parameters)), 64, |_| {}).unwrap_err()
    };
    let unmatched = GetError::Refused(DataAccessResult::TypeUnmatched);
    assert_eq!(refused(1, &OwnedData::NullData), unmatched);
    assert_eq!(refused(2, &OwnedData::Structure(vec![])), unmatched);
    assert_eq!(refused(3, &entries(1, 0, 1, 0)), unmatched);
    assert_eq!(refused(1, &range_of(OwnedData::Unsigned(1), OwnedData::Unsigned(2), &[])), unmatched);
    let unknown = [CaptureObjectDefinition::new(3, CLOCK, 2)];
    assert_eq!(
        refused(1, &range_of(OwnedData::NullData, OwnedData::NullData, &unknown)),
        GetError::Refused(DataAccessResult::OtherReason)
    );
}

#[test]
fn every_block_size_gives_the_same_octets() {
    let energy = CaptureObjectDefinition::new(3, ENERGY, 2);
    for method in [SortMethod::Fifo, SortMethod::Lifo, SortMethod::Largest] {
        let columns = [CaptureObjectDefinition::new(8, CLOCK, 2), energy];
        let mut meter = Meter::new(NEW_YEAR);
        meter.profile =
            ProfileGeneric::new(PROFILE, RowRing::new(), &columns, 0, 48).unwrap().sorted(method, energy);
        store(&mut meter, &[5, 1, 9, 3, 9, 7], 0);
        let selections = [
            None,
            Some((2, entries(2, 4, 1, 0))),
            Some((2, entries(1, 0, 2, 2))),
            Some((1, range(1, 4, None))),
        ];
        for selection in &selections {
            let selector = selection.as_ref().map(|(selector, parameters)| (*selector, parameters));
            let whole = meter.select(7, PROFILE, 2, selector, 4096, |_| {}).unwrap();
            for block in 1..=whole.len() {
                assert_eq!(
                    meter.select(7, PROFILE, 2, selector, block, |_| {}).unwrap(),
                    whole,
                    "{method:?} {block}"
                );
            }
        }
    }
}

#[test]
fn rows_captured_meanwhile_do_not_show() {
    let mut meter = filled(&[10, 11, 12, 13]);
    let index = meter.find(7, PROFILE).unwrap();
    let mut octets = Vec::new();
    let mut cursor = Cursor::default();
    for number in 0.. {
        let (part, next) = meter.block(index, 2, None, cursor, &mut [0; 20]).unwrap();
        octets.extend(part);
        let Some(next) = next else { break };
        cursor = next;
        store(&mut meter, &[99], 10 + number);
    }
    assert_eq!(energies(&octets), [10, 11, 12, 13]);
}

#[test]
fn a_row_that_vanished_aborts() {
    for method in [SortMethod::Fifo, SortMethod::Lifo, SortMethod::Largest] {
        let energy = CaptureObjectDefinition::new(3, ENERGY, 2);
        let columns = [CaptureObjectDefinition::new(8, CLOCK, 2), energy];
        let mut meter = Meter::new(NEW_YEAR);
        meter.profile =
            ProfileGeneric::new(PROFILE, RowRing::new(), &columns, 0, 4).unwrap().sorted(method, energy);
        store(&mut meter, &[10, 11, 12, 13], 0);
        let index = meter.find(7, PROFILE).unwrap();
        let (_, cursor) = meter.block(index, 2, None, Cursor::default(), &mut [0; 30]).unwrap();
        store(&mut meter, &[20, 21, 22], 4);
        let mut cursor = cursor.unwrap();
        let result = loop {
            match meter.block(index, 2, None, cursor, &mut [0; 30]) {
                Ok((_, Some(next))) => cursor = next,
                other => break other,
            }
        };
        let aborted = GetError::Refused(DataAccessResult::LongGetAborted);
        assert_eq!(result.map(|_| ()), Err(aborted), "{method:?}");
    }
}

#[test]
fn writing_what_shapes_the_buffer_clears_it() {
    let mut meter = filled(&[1, 2]);
    meter.set(7, PROFILE, 4, Value::DoubleLongUnsigned(1800)).unwrap();
    assert_eq!(meter.profile.entries_in_use(), 0);
    for (attribute, value, result) in [
        (5, OwnedData::Enum(7), DataAccessResult::TypeUnmatched),
        (5, OwnedData::Unsigned(1), DataAccessResult::TypeUnmatched),
        (8, OwnedData::DoubleLongUnsigned(0), DataAccessResult::OtherReason),
        (8, OwnedData::DoubleLongUnsigned(49), DataAccessResult::OtherReason),
        (3, OwnedData::NullData, DataAccessResult::TypeUnmatched),
        (2, OwnedData::NullData, DataAccessResult::ReadWriteDenied),
        (9, OwnedData::NullData, DataAccessResult::ReadWriteDenied),
    ] {
        assert_eq!(meter.set(7, PROFILE, attribute, value.as_data()), Err(result), "{attribute}");
    }
    let columns = OwnedData::Array(vec![encoded(&CaptureObjectDefinition::new(3, ENERGY, 2))]);
    meter.set(7, PROFILE, 3, columns.as_data()).unwrap();
    meter.invoke(7, PROFILE, 2, Value::Integer(0)).unwrap();
    assert_eq!(meter.get(7, PROFILE, 2).unwrap(), [0x01, 0x01, 0x02, 0x01, 0x06, 0, 0, 0, 0]);
}

#[test]
fn elements_and_whole_objects_are_captured() {
    let mut meter = Meter::new(NEW_YEAR);
    let scaler = CaptureObjectDefinition { data_index: 1, ..CaptureObjectDefinition::new(3, ENERGY, 3) };
    let beyond = CaptureObjectDefinition { data_index: 3, ..scaler };
    let columns = [
        scaler,
        beyond,
        CaptureObjectDefinition::new(3, ENERGY, 0),
        CaptureObjectDefinition::new(3, CLOCK, 2),
    ];
    meter.profile = ProfileGeneric::new(PROFILE, RowRing::new(), &columns, 0, 4).unwrap();
    meter.invoke(7, PROFILE, 2, Value::Integer(0)).unwrap();
    let mut expected = Vec::from([0x01, 0x01, 0x02, 0x04, 0x0F, 0x00, 0x00, 0x02, 0x03]);
    expected.extend([0x09, 6, 1, 0, 1, 8, 0, 255, 0x06, 0, 0, 0, 0, 0x02, 2, 0x0F, 0, 0x16, 30, 0x00]);
    assert_eq!(meter.get(7, PROFILE, 2).unwrap(), expected);
    assert_eq!(encoded(&Enum(30)), OwnedData::Enum(30));
}

proptest! {
    /// Any range and any block size give what a plain filter gives.
    #[test]
    fn ranges_agree_with_a_filter(
        values in prop::collection::vec(0u32..50, 0..40),
        from in -3i64..45,
        length in -2i64..45,
        lifo: bool,
        block in 1usize..200,
    ) {
        let mut meter = Meter::new(NEW_YEAR);
        if lifo {
            meter.set(7, PROFILE, 5, Value::Enum(2)).unwrap();
        }
        store(&mut meter, &values, 0);
        let mut expected: Vec<_> = (0..).zip(&values)
            .filter(|(number, _)| (from..=from + length).contains(number)).map(|(_, value)| *value).collect();
        if lifo {
            expected.reverse();
        }
        let parameters = range(from, from + length, Some(-60));
        let octets = meter.select(7, PROFILE, 2, Some((1, &parameters)), block, |_| {}).unwrap();
        prop_assert_eq!(energies(&octets), expected);
    }

    /// Any parameters are taken or refused.
    #[test]
    fn any_parameters(selector in 0u8..4, octets in prop::collection::vec(any::<u8>(), 0..60), at in 0usize..60, to: u8) {
        let meter = filled(&[1, 2, 3]);
        let mut mutated = range(0, 2, None).to_octets();
        if let Some(octet) = mutated.get_mut(at) {
            *octet = to;
        }
        for octets in [octets, mutated] {
            if let Ok(parameters) = OwnedData::from_octets(&octets) {
                let _ = meter.select(7, PROFILE, 2, Some((selector, &parameters)), 64, |_| {});
            }
        }
    }
}
