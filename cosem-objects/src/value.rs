//! The values that Data and the registers hold: any COSEM type, fixed for each object.

use core::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicU8, AtomicU16, AtomicU32, Ordering,
};

use dlms_axdr::{BufferFull, Data, DateTime, Encode, Encoder, FromData};
use dlms_obis::LogicalName;

use crate::DataAccessResult;

/// A value of one COSEM type that is stored in an object.
pub trait Value {
    /// Writes the value.
    ///
    /// # Errors
    /// The buffer is full.
    fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull>;

    /// Takes a new value, if it has the right type.
    ///
    /// # Errors
    /// `type-unmatched` when it has another type, `other-reason` when the value cannot be held.
    fn assign(&mut self, data: Data<'_>) -> Result<(), DataAccessResult>;

    /// Goes back to the default: zero, or empty.
    fn reset(&mut self);
}

macro_rules! numbers {
    ($($type:ty => $variant:ident),*) => {$(
        impl Value for $type {
            fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
                self.encode(encoder)
            }

            fn assign(&mut self, data: Data<'_>) -> Result<(), DataAccessResult> {
                let Data::$variant(value) = data else { return Err(DataAccessResult::TypeUnmatched) };
                *self = value;
                Ok(())
            }

            fn reset(&mut self) {
                *self = Default::default();
            }
        }
    )*};
}

numbers!(
    i8 => Integer, i16 => Long, i32 => DoubleLong, i64 => Long64,
    u8 => Unsigned, u16 => LongUnsigned, u32 => DoubleLongUnsigned, u64 => Long64Unsigned,
    bool => Boolean, f32 => Float32, f64 => Float64
);

macro_rules! shared_numbers {
    ($($type:ty),*) => {$(
        /// What another task or an interrupt measures: clients read the number of that moment and cannot change it.
        impl Value for &$type {
            fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
                self.load(Ordering::Relaxed).encode(encoder)
            }

            fn assign(&mut self, _: Data<'_>) -> Result<(), DataAccessResult> {
                Err(DataAccessResult::ReadWriteDenied)
            }

            fn reset(&mut self) {}
        }
    )*};
}

shared_numbers!(AtomicI8, AtomicI16, AtomicI32, AtomicU8, AtomicU16, AtomicU32, AtomicBool);

impl Value for DateTime {
    fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.encode(encoder)
    }

    fn assign(&mut self, data: Data<'_>) -> Result<(), DataAccessResult> {
        *self = Self::from_data(data)?;
        Ok(())
    }

    fn reset(&mut self) {
        *self = DateTime::NOT_SPECIFIED;
    }
}

impl Value for LogicalName {
    fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.encode(encoder)
    }

    fn assign(&mut self, data: Data<'_>) -> Result<(), DataAccessResult> {
        *self = Self::from_data(data)?;
        Ok(())
    }

    fn reset(&mut self) {
        *self = Self::new(0, 0, 0, 0, 0, 0);
    }
}

/// An enumeration without a type of its own.
impl Value for dlms_axdr::Enum {
    fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.encode(encoder)
    }

    fn assign(&mut self, data: Data<'_>) -> Result<(), DataAccessResult> {
        let Data::Enum(value) = data else { return Err(DataAccessResult::TypeUnmatched) };
        self.0 = value;
        Ok(())
    }

    fn reset(&mut self) {
        self.0 = 0;
    }
}

/// An octet-string of at most `N` octets.
pub type OctetString<const N: usize> = heapless::Vec<u8, N>;

impl<const N: usize> Value for OctetString<N> {
    fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        self.as_slice().encode(encoder)
    }

    fn assign(&mut self, data: Data<'_>) -> Result<(), DataAccessResult> {
        let Data::OctetString(octets) = data else { return Err(DataAccessResult::TypeUnmatched) };
        *self = Self::from_slice(octets).map_err(|_| DataAccessResult::OtherReason)?;
        Ok(())
    }

    fn reset(&mut self) {
        self.clear();
    }
}

/// Nothing: the type of an object that is only named, not hosted.
impl Value for () {
    fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.null()
    }

    fn assign(&mut self, _: Data<'_>) -> Result<(), DataAccessResult> {
        Err(DataAccessResult::TypeUnmatched)
    }

    fn reset(&mut self) {}
}

#[cfg(feature = "alloc")]
pub use owned::EncodedValue;

#[cfg(feature = "alloc")]
mod owned {
    use alloc::vec;
    use alloc::vec::Vec;

    use dlms_axdr::{BufferFull, Data, DecodeError, Encode, Encoder};

    use super::Value;
    use crate::DataAccessResult;

    /// A value of a type that is known at run time only, kept as it is on the wire.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct EncodedValue {
        octets: Vec<u8>,
    }

    impl EncodedValue {
        /// The value that `octets` are.
        ///
        /// # Errors
        /// `octets` are not one value.
        pub fn from_octets(octets: Vec<u8>) -> Result<Self, DecodeError> {
            Data::from_octets(&octets)?;
            Ok(Self { octets })
        }

        /// A copy of `data`.
        pub fn new(data: Data<'_>) -> Self {
            Self { octets: encode(data) }
        }

        /// The value.
        pub fn data(&self) -> Data<'_> {
            Data::from_octets(&self.octets).unwrap_or(Data::NullData)
        }

        /// The value as it is on the wire.
        pub fn octets(&self) -> &[u8] {
            &self.octets
        }

        /// Takes another value, of whatever type.
        pub fn replace(&mut self, data: Data<'_>) {
            self.octets = encode(data);
        }
    }

    /// `data` on the wire.
    fn encode(data: Data<'_>) -> Vec<u8> {
        let mut octets = vec![0; 64];
        loop {
            let mut encoder = Encoder::new(&mut octets);
            if data.encode(&mut encoder).is_ok() {
                let length = encoder.len();
                octets.truncate(length);
                return octets;
            }
            let longer = octets.len() * 2;
            octets.resize(longer, 0);
        }
    }

    impl Value for EncodedValue {
        fn encode_value(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
            encoder.octets(&self.octets)
        }

        /// The type of the outermost value must stay; null-data gives way to any type, and a structure keeps its number
        /// of fields.
        fn assign(&mut self, data: Data<'_>) -> Result<(), DataAccessResult> {
            let same = match (self.data(), data) {
                (Data::NullData, _) => true,
                (Data::Structure(old), Data::Structure(new)) => old.len() == new.len(),
                (old, new) => core::mem::discriminant(&old) == core::mem::discriminant(&new),
            };
            if !same {
                return Err(DataAccessResult::TypeUnmatched);
            }
            self.replace(data);
            Ok(())
        }

        fn reset(&mut self) {
            let zero = match self.data() {
                Data::OctetString(_) => vec![9, 0],
                Data::VisibleString(_) => vec![10, 0],
                Data::Utf8String(_) => vec![12, 0],
                Data::NullData => vec![0],
                Data::Integer(_)
                | Data::Long(_)
                | Data::DoubleLong(_)
                | Data::Long64(_)
                | Data::Unsigned(_)
                | Data::LongUnsigned(_)
                | Data::DoubleLongUnsigned(_)
                | Data::Long64Unsigned(_)
                | Data::Float32(_)
                | Data::Float64(_)
                | Data::Enum(_)
                | Data::Boolean(_)
                | Data::Bcd(_) => {
                    let mut octets = vec![0; self.octets.len()];
                    octets[0] = self.octets[0];
                    octets
                }
                _ => return,
            };
            self.octets = zero;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_number_is_read_as_it_stands_and_not_written() {
        let energy = AtomicU32::new(5009);
        let mut value = &energy;
        let shows = |value: &AtomicU32, octets: [u8; 5]| {
            let mut buffer = [0; 8];
            let mut encoder = Encoder::new(&mut buffer);
            assert_eq!((&value).encode_value(&mut encoder), Ok(()));
            assert_eq!(encoder.written(), octets);
        };
        shows(value, [0x06, 0, 0, 0x13, 0x91]);
        energy.store(5010, Ordering::Relaxed);
        shows(value, [0x06, 0, 0, 0x13, 0x92]);
        assert_eq!(value.assign(Data::DoubleLongUnsigned(0)), Err(DataAccessResult::ReadWriteDenied));
        value.reset();
        shows(value, [0x06, 0, 0, 0x13, 0x92]);
    }
}
