//! Values of every shape, generated: written whole and in blocks, read borrowed, owned and as tokens; and octets that
//! are no values.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![cfg(feature = "alloc")]

use dlms_axdr::{
    BufferFull, Cursor, Data, Date, DateTime, Encode, Encoder, MAX_DEPTH, OwnedBitString, OwnedCompactArray,
    OwnedData, Reader, Rows, Table, Time, Token, Tokens,
};
use proptest::{collection::vec, prelude::*};

fn simple() -> impl Strategy<Value = OwnedData> {
    prop_oneof![
        Just(OwnedData::NullData),
        Just(OwnedData::DontCare),
        any::<bool>().prop_map(OwnedData::Boolean),
        vec(any::<bool>(), 0..40).prop_map(|bits| OwnedData::BitString(OwnedBitString::from_iter(bits))),
        any::<i32>().prop_map(OwnedData::DoubleLong),
        any::<u32>().prop_map(OwnedData::DoubleLongUnsigned),
        vec(any::<u8>(), 0..200).prop_map(OwnedData::OctetString),
        vec(any::<u8>(), 0..20).prop_map(OwnedData::VisibleString),
        ".{0,20}".prop_map(OwnedData::Utf8String),
        any::<u8>().prop_map(OwnedData::Bcd),
        any::<i8>().prop_map(OwnedData::Integer),
        any::<i16>().prop_map(OwnedData::Long),
        any::<u8>().prop_map(OwnedData::Unsigned),
        any::<u16>().prop_map(OwnedData::LongUnsigned),
        any::<i64>().prop_map(OwnedData::Long64),
        any::<u64>().prop_map(OwnedData::Long64Unsigned),
        any::<u8>().prop_map(OwnedData::Enum),
        (-1e30f32..1e30).prop_map(OwnedData::Float32),
        (-1e300f64..1e300).prop_map(OwnedData::Float64),
        any::<[u8; 12]>().prop_map(|octets| OwnedData::DateTime(DateTime(octets))),
        any::<[u8; 5]>().prop_map(|octets| OwnedData::Date(Date(octets))),
        any::<[u8; 4]>().prop_map(|octets| OwnedData::Time(Time(octets))),
    ]
}

fn any_data() -> impl Strategy<Value = OwnedData> {
    let leaf = prop_oneof![
        8 => simple(),
        1 => any::<i8>().prop_map(OwnedData::DeltaInteger),
        1 => any::<u32>().prop_map(OwnedData::DeltaDoubleLongUnsigned),
        1 => vec((any::<u16>(), vec(any::<u8>(), 0..5)), 0..5).prop_map(compact),
    ];
    leaf.prop_recursive(6, 100, 12, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..12).prop_map(OwnedData::Array),
            vec(inner, 0..12).prop_map(OwnedData::Structure),
        ]
    })
}

fn compact(rows: Vec<(u16, Vec<u8>)>) -> OwnedData {
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(number, octets)| {
            OwnedData::Structure(vec![
                OwnedData::Array(vec![OwnedData::LongUnsigned(number); 2]),
                OwnedData::OctetString(octets),
            ])
        })
        .collect();
    OwnedData::CompactArray(OwnedCompactArray::from_elements(&rows).unwrap())
}

/// As many values as the tokens announce, put together again.
fn tree<'a>(tokens: &mut dyn Iterator<Item = Token<'a>>) -> OwnedData {
    match tokens.next().expect("a token for each announced value") {
        Token::Array(count) => OwnedData::Array((0..count).map(|_| tree(tokens)).collect()),
        Token::Structure(count) => OwnedData::Structure((0..count).map(|_| tree(tokens)).collect()),
        Token::Value(data) => data.to_owned(),
    }
}

/// The elements of an array as the elements of a long attribute.
fn produce(elements: &[OwnedData], encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
    while let Some(next) =
        (encoder.next() as usize).checked_sub(1).map_or(Some(None), |index| elements.get(index).map(Some))
    {
        match next {
            None => encoder.array(elements.len())?,
            Some(element) => encoder.data(element)?,
        }
        encoder.element_done();
    }
    Ok(())
}

fn in_blocks(size: usize, mut produce: impl FnMut(&mut Encoder<'_>) -> Result<(), BufferFull>) -> Vec<u8> {
    let (mut octets, mut block, mut cursor) = (Vec::new(), vec![0; size], Cursor::default());
    loop {
        let mut encoder = Encoder::resume(&mut block, cursor);
        let done = produce(&mut encoder).is_ok();
        cursor = encoder.cursor();
        octets.extend_from_slice(encoder.written());
        if done {
            return octets;
        }
        assert_eq!(encoder.remaining(), 0, "a block is full before the next one is asked for");
    }
}

/// Everything that reads values reads `octets` without a panic, and errors point inside.
fn read_all_ways(octets: &[u8]) -> Result<(), TestCaseError> {
    match Data::from_octets(octets) {
        Ok(data) => {
            let owned = data.to_owned();
            prop_assert_eq!(owned.as_data().to_string(), data.to_string());
            let again = OwnedData::from_octets(&owned.to_octets()).unwrap();
            prop_assert_eq!(again.to_string(), data.to_string());
        }
        Err(error) => prop_assert!(error.offset <= octets.len(), "{}", error),
    }
    for token in Tokens::new(Reader::new(octets)) {
        if let Err(error) = token {
            prop_assert!(error.offset <= octets.len(), "{}", error);
        }
    }
    if let Err(error) = Rows::from_octets(octets).and_then(Rows::finish) {
        prop_assert!(error.offset <= octets.len(), "{}", error);
    }
    if let Err(error) = Table::from_octets(octets) {
        prop_assert!(error.offset <= octets.len(), "{}", error);
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_way_gives_the_same_value(data in any_data()) {
        let octets = data.to_octets();
        let borrowed = Data::from_octets(&octets).unwrap();
        prop_assert_eq!(borrowed, data.as_data());
        prop_assert_eq!(&borrowed.to_owned(), &data);
        prop_assert_eq!(borrowed.to_octets(), octets.clone());
        let mut tokens = Tokens::new(Reader::new(&octets)).map(Result::unwrap);
        prop_assert_eq!(tree(&mut tokens), data);
        prop_assert_eq!(tokens.next(), None);
    }

    #[test]
    fn blocks_of_any_size_give_the_same_octets(elements in vec(any_data(), 0..6), size in 1usize..50) {
        let array = OwnedData::Array(elements.clone());
        let octets = array.to_octets();
        prop_assert_eq!(&in_blocks(size, |encoder| array.encode(encoder)), &octets);
        prop_assert_eq!(&in_blocks(size, |encoder| produce(&elements, encoder)), &octets);
    }

    #[test]
    fn cut_and_mutated(data in any_data(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), end: prop::sample::Index) {
        let mut octets = data.to_octets();
        let cut = &octets[..end.index(octets.len())];
        let error = Data::from_octets(cut).unwrap_err();
        prop_assert!(error.offset <= cut.len());
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        read_all_ways(&octets)?;
    }

    #[test]
    fn arbitrary(octets in vec(prop_oneof![3 => 0u8..35, 1 => any::<u8>()], 0..200)) {
        read_all_ways(&octets)?;
    }
}

#[test]
fn every_block_size_of_a_profile() {
    let rows: Vec<_> = (0..20u32)
        .map(|row| {
            OwnedData::Structure(vec![
                OwnedData::OctetString(vec![row as u8; 12]),
                OwnedData::DoubleLongUnsigned(row),
            ])
        })
        .collect();
    let octets = OwnedData::Array(rows.clone()).to_octets();
    for size in 1..=octets.len() + 1 {
        assert_eq!(in_blocks(size, |encoder| produce(&rows, encoder)), octets);
    }
}

#[test]
fn hostile_claims_are_refused() {
    for tag in [1u8, 2] {
        let mut deep = [tag, 1].repeat(100_000);
        deep.push(0);
        assert!(Data::from_octets(&deep).is_err());
        assert!(Table::from_octets(&deep).is_err());
        // A chain of arrays that each claim all that is left.
        let mut claims = Vec::new();
        for left in (0..60_000u32).rev() {
            claims.extend([tag, 0x84]);
            claims.extend((left * 6).to_be_bytes());
        }
        assert!(Data::from_octets(&claims).is_err());
        assert!(Tokens::new(Reader::new(&claims)).any(|token| token.is_err()));
    }
    for head in [&[1u8][..], &[2], &[4], &[9], &[10], &[12], &[0x13, 0], &[0x13, 2]] {
        let octets = [head, &[0x84, 0xFF, 0xFF, 0xFF, 0xFF], &[0; 100]].concat();
        assert!(Data::from_octets(&octets).is_err());
        assert!(Table::from_octets(&octets).is_err());
    }
}

#[test]
fn all_elements_at_the_greatest_depth() {
    let mut octets = [1, 1].repeat(MAX_DEPTH - 1);
    octets.extend([1, 100]);
    octets.extend([0; 100]);
    let mut data = Data::from_octets(&octets).unwrap();
    for _ in 1..MAX_DEPTH {
        data = data.elements().unwrap().get(0).unwrap();
    }
    assert_eq!(data.elements().unwrap().iter().count(), 100);
}
