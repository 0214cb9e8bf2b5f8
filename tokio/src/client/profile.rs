//! Profiles, row by row as they arrive.
//!
//! A profile of a year is not held: while a block is worked on, the next one is already asked for, and what was given
//! out makes room for it.

use cosem_objects::classes::ProfileGeneric;
use cosem_objects::{CaptureObjectDefinition, EntryDescriptor};
use dlms::client::Event;
use dlms::xdlms::{AccessSelector, AttributeDescriptor, AttributeDescriptorWithSelection};
use dlms_axdr::{Data, DateTime, DecodeErrorKind, Encode, Encoder, OwnedData, Reader, Sequence};
use dlms_obis::LogicalName;
use dlms_security::CryptoProvider;

use super::{Client, unexpected};
use crate::Error;

const ARRAY: u8 = 1;
const COMPACT_ARRAY: u8 = 19;
/// The longest row that is waited for.
const LONGEST_ROW: usize = 64 << 10;

/// Which rows of a profile are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum ProfileSelection {
    /// All of them.
    All,
    /// Those whose value in one column lies between two values, both included (selector 1).
    Range {
        /// The column that is compared; the clock, as a rule.
        restricting_object: CaptureObjectDefinition,
        /// The smallest value.
        from: OwnedData,
        /// The largest value.
        to: OwnedData,
        /// The columns that are wanted; empty for all.
        columns: Vec<CaptureObjectDefinition>,
    },
    /// Those with these numbers (selector 2); 1 is the first, and 0 stands for the last.
    Entry(EntryDescriptor),
}

impl ProfileSelection {
    /// The rows of a time, by the clock `0-0:1.0.0*255`, with all columns.
    pub fn between(from: DateTime, to: DateTime) -> Self {
        let octets = |time: DateTime| OwnedData::OctetString(time.0.to_vec());
        Self::Range {
            restricting_object: CaptureObjectDefinition::new(8, LogicalName::new(0, 0, 1, 0, 0, 255), 2),
            from: octets(from),
            to: octets(to),
            columns: Vec::new(),
        }
    }

    /// The rows `from` to `to`, counted from 1, with all columns; 0 for the last one.
    pub const fn entries(from: u32, to: u32) -> Self {
        Self::Entry(EntryDescriptor {
            from_entry: from,
            to_entry: to,
            from_selected_value: 1,
            to_selected_value: 0,
        })
    }

    /// The selector and its encoded parameters.
    fn encode(&self) -> Option<(u8, Vec<u8>)> {
        match self {
            Self::All => None,
            Self::Range { restricting_object, from, to, columns } => {
                let mut octets = vec![2, 4];
                octets.extend(encoded(restricting_object));
                octets.extend(from.to_octets());
                octets.extend(to.to_octets());
                octets.push(ARRAY);
                octets.extend(length(columns.len()));
                for column in columns {
                    octets.extend(encoded(column));
                }
                Some((1, octets))
            }
            Self::Entry(entries) => Some((2, encoded(entries))),
        }
    }
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut buffer = [0; 64];
    let mut encoder = Encoder::new(&mut buffer);
    match value.encode(&mut encoder) {
        Ok(()) => encoder.written().to_vec(),
        Err(_) => Vec::new(),
    }
}

fn length(length: usize) -> Vec<u8> {
    let mut buffer = [0; 5];
    let mut encoder = Encoder::new(&mut buffer);
    match encoder.length(length) {
        Ok(()) => encoder.written().to_vec(),
        Err(_) => Vec::new(),
    }
}

/// The rows of a profile that is being read.
///
/// If it is dropped before its end, the rest is not read.
pub struct Profile<'c, P: CryptoProvider> {
    client: &'c mut Client<P>,
    /// Rows that are still to come, of those that the meter announced.
    left: usize,
    /// How much of the client's value buffer was given out.
    start: usize,
    complete: bool,
}

impl<P: CryptoProvider> Client<P> {
    /// Reads the buffer of a profile.
    ///
    /// # Errors
    /// The buffer was not read.
    pub async fn profile(
        &mut self,
        logical_name: LogicalName,
        selection: &ProfileSelection,
    ) -> Result<Profile<'_, P>, Error> {
        let encoded = selection.encode();
        let selection = match &encoded {
            None => None,
            Some((selector, octets)) => {
                Some(AccessSelector { selector: *selector, parameters: Data::from_octets(octets)? })
            }
        };
        let attribute = AttributeDescriptor::from(ProfileGeneric::BUFFER.of(logical_name));
        let attribute = AttributeDescriptorWithSelection { attribute, selection };
        let mut tries = 0;
        let complete = loop {
            self.send(|engine, env, out| engine.get(env, attribute, out)).await?;
            match self.next_piece().await {
                Err(error) if error.is_transient() && tries < self.retries => tries += 1,
                result => break result?,
            }
        };
        let mut profile = Profile { client: self, left: 0, start: 0, complete };
        profile.read_head().await?;
        Ok(profile)
    }

    /// Waits for one piece; tells whether it is the last one.
    async fn next_piece(&mut self) -> Result<bool, Error> {
        self.wait(|event, value| match event {
            Event::GetPiece { octets, last } => {
                value.extend_from_slice(octets);
                Ok(Some(last))
            }
            Event::GetRefused(result) => Err(Error::DataAccess(result)),
            event => Err(unexpected(&event)),
        })
        .await
    }
}

impl<P: CryptoProvider> Profile<'_, P> {
    /// How many rows are still to come.
    pub const fn remaining(&self) -> usize {
        self.left
    }

    /// The next row, as the meter sent it: null-data stands for what did not change.
    ///
    /// # Errors
    /// A row does not decode, or the transfer broke off.
    pub async fn next_row(&mut self) -> Result<Option<Sequence<'_>>, Error> {
        if self.left == 0 {
            self.finish().await?;
            return Ok(None);
        }
        let length = loop {
            let mut reader = Reader::new(self.unread());
            match Data::decode(&mut reader) {
                Ok(Data::Structure(_)) => break reader.offset(),
                Ok(_) => return Err(dlms_axdr::TypeMismatch::new("structure").into()),
                Err(error) if is_cut(error.kind) && !self.complete => self.more().await?,
                Err(error) => return Err(error.into()),
            }
        };
        let row = self.start..self.start + length;
        self.start = row.end;
        self.left -= 1;
        match Data::from_octets(self.client.value.get(row).unwrap_or(&[]))? {
            Data::Structure(cells) => Ok(Some(cells)),
            _ => Ok(None),
        }
    }

    /// Reads the tag of the buffer and the number of its rows.
    async fn read_head(&mut self) -> Result<(), Error> {
        loop {
            let mut reader = Reader::new(self.unread());
            let head = reader.u8().and_then(|tag| match tag {
                ARRAY => reader.length().map(|left| (tag, left)),
                tag => Ok((tag, 0)),
            });
            let length = reader.offset();
            match head {
                Ok((ARRAY, left)) => {
                    self.left = left;
                    self.start += length;
                    return Ok(());
                }
                Ok((COMPACT_ARRAY, _)) => return self.expand().await,
                Ok(_) => return Err(dlms_axdr::TypeMismatch::new("array").into()),
                Err(error) if is_cut(error.kind) && !self.complete => self.more().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The rows of a compact-array have no tags of their own: it is taken whole, and its rows are given some.
    async fn expand(&mut self) -> Result<(), Error> {
        let limit = self.client.max_value;
        while !self.complete {
            if self.client.value.len() > limit {
                return Err(Error::TooLong { limit });
            }
            self.complete = self.client.next_piece().await?;
        }
        let Data::CompactArray(rows) = Data::from_octets(&self.client.value)? else {
            return Err(dlms_axdr::TypeMismatch::new("compact-array").into());
        };
        let mut octets = Vec::new();
        for row in rows.iter() {
            octets.extend(row.to_octets());
            self.left += 1;
            if octets.len() > limit {
                return Err(Error::TooLong { limit });
            }
        }
        self.client.value = octets;
        self.start = 0;
        Ok(())
    }

    /// Gives up what was given out, and waits for more.
    async fn more(&mut self) -> Result<(), Error> {
        self.client.value.drain(..self.start);
        self.start = 0;
        if self.client.value.len() > LONGEST_ROW {
            return Err(Error::TooLong { limit: LONGEST_ROW });
        }
        self.complete = self.client.next_piece().await?;
        Ok(())
    }

    /// Sees that nothing follows the last row.
    async fn finish(&mut self) -> Result<(), Error> {
        while !self.complete {
            self.more().await?;
        }
        match self.unread().len() {
            0 => Ok(()),
            left => {
                let kind = DecodeErrorKind::trailing(left);
                Err(dlms_axdr::DecodeError { offset: self.start, kind }.into())
            }
        }
    }

    fn unread(&self) -> &[u8] {
        self.client.value.get(self.start..).unwrap_or(&[])
    }
}

/// Whether an error says that octets are missing.
const fn is_cut(kind: DecodeErrorKind) -> bool {
    matches!(kind, DecodeErrorKind::Truncated { .. })
}
