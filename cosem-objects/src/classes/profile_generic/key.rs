//! What rows are compared by: numbers, instants, or octets.

use core::cmp::Ordering;

use dlms_axdr::{Data, DateTime, FromData};

use crate::calendar;

/// A value that can be compared with others of its kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    /// Zero is not negative.
    Integer {
        negative: bool,
        magnitude: u64,
    },
    /// Neither NaN nor −0.
    Float(f64),
    /// Milliseconds of local time, and the deviation if there is one.
    DateTime {
        local: i64,
        deviation: Option<i16>,
    },
    Octets(&'a [u8]),
    /// Before everything or after everything: a bound that is left open.
    Open,
}

impl<'a> Key<'a> {
    /// The key of a captured value; `None` for values that have no order.
    pub(super) fn new(data: Data<'a>) -> Option<Self> {
        Some(match data {
            Data::OctetString(octets) if octets.len() == 12 => match Self::date_time(data) {
                Some(key) => key,
                None => Self::Octets(octets),
            },
            Data::DateTime(_) => Self::date_time(data)?,
            Data::OctetString(octets) | Data::VisibleString(octets) => Self::Octets(octets),
            Data::Utf8String(text) => Self::Octets(text.as_bytes()),
            Data::Boolean(value) => Self::unsigned(value.into()),
            Data::Enum(value) | Data::Bcd(value) => Self::unsigned(value.into()),
            Data::Long64Unsigned(value) => Self::unsigned(value),
            Data::Float32(value) => Self::float(value.into())?,
            Data::Float64(value) => Self::float(value)?,
            data => {
                let value = i64::from_data(data).ok()?;
                Self::Integer { negative: value < 0, magnitude: value.unsigned_abs() }
            }
        })
    }

    const fn unsigned(magnitude: u64) -> Self {
        Self::Integer { negative: false, magnitude }
    }

    fn float(value: f64) -> Option<Self> {
        const SIGN: u64 = 1 << 63;
        match value.to_bits() {
            SIGN => Some(Self::Float(0.0)),
            bits if bits & !SIGN > f64::INFINITY.to_bits() => None,
            _ => Some(Self::Float(value)),
        }
    }

    /// The key of a bound of a range: null-data, or a date-time without a year, leaves it open.
    pub(super) fn bound(data: Data<'a>) -> Option<Self> {
        match (data, DateTime::from_data(data)) {
            (Data::NullData, _) => Some(Self::Open),
            (_, Ok(date_time)) if date_time.date().year().is_none() => Some(Self::Open),
            (_, Ok(_)) => Self::date_time(data),
            _ => Self::new(data),
        }
    }

    fn date_time(data: Data<'_>) -> Option<Self> {
        let date_time = DateTime::from_data(data).ok()?;
        let local = calendar::local_milliseconds(&date_time)?;
        Some(Self::DateTime { local, deviation: date_time.deviation() })
    }

    /// The key, if it is a time.
    pub(super) const fn time(self) -> Option<Key<'static>> {
        match self {
            Self::DateTime { local, deviation } => Some(Key::DateTime { local, deviation }),
            _ => None,
        }
    }

    pub(super) const fn is_instant(&self) -> bool {
        matches!(self, Self::DateTime { deviation: Some(_), .. })
    }

    pub(super) const fn is_time_bound(&self) -> bool {
        matches!(self, Self::DateTime { .. } | Self::Open)
    }

    /// The order of two keys, if they are of one kind. Times are compared as instants if both have a deviation, else
    /// as they are shown.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        let utc = |local: i64, deviation: i16| local.saturating_add(i64::from(deviation) * 60_000);
        Some(match (*self, *other) {
            (
                Self::Integer { negative: false, magnitude: a },
                Self::Integer { negative: false, magnitude: b },
            )
            | (
                Self::Integer { negative: true, magnitude: b },
                Self::Integer { negative: true, magnitude: a },
            ) => a.cmp(&b),
            (Self::Integer { negative, .. }, Self::Integer { .. }) => match negative {
                true => Ordering::Less,
                false => Ordering::Greater,
            },
            (Self::Integer { .. } | Self::Float(_), Self::Integer { .. } | Self::Float(_)) => {
                self.as_float()?.total_cmp(&other.as_float()?)
            }
            (Self::DateTime { local: a, deviation: da }, Self::DateTime { local: b, deviation: db }) => {
                match (da, db) {
                    (Some(da), Some(db)) => utc(a, da).cmp(&utc(b, db)),
                    _ => a.cmp(&b),
                }
            }
            (Self::Octets(a), Self::Octets(b)) => a.cmp(b),
            _ => return None,
        })
    }

    /// As [`Key::compare`], by the distance from zero.
    pub(super) fn compare_magnitude(&self, other: &Self) -> Option<Ordering> {
        self.magnitude()?.compare(&other.magnitude()?)
    }

    fn as_float(&self) -> Option<f64> {
        match *self {
            Self::Integer { negative, magnitude } => {
                let value = magnitude as f64;
                Some(if negative { -value } else { value })
            }
            Self::Float(value) => Some(value),
            _ => None,
        }
    }

    fn magnitude(&self) -> Option<Self> {
        match *self {
            Self::Integer { magnitude, .. } => Some(Self::unsigned(magnitude)),
            Self::Float(value) => Some(Self::Float(if value.is_sign_negative() { -value } else { value })),
            _ => None,
        }
    }
}
