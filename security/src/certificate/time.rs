//! The validity of a certificate, to the second.

use core::fmt;
use core::time::Duration;

use der::asn1::{GeneralizedTime, UtcTime};
use der::{DateTime, Tag};

use super::CertificateFault;
use super::read::{Reader, Result, is_next, offset, read, within};

/// A time in UTC, in seconds since 1970-01-01. Leap seconds do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateTime(u64);

impl CertificateTime {
    /// `99991231235959Z`: no well-defined end.
    pub const INDEFINITE: Self = Self(253_402_300_799);

    /// So many seconds after 1970-01-01T00:00:00Z; later than [`Self::INDEFINITE`] is taken for it.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        if seconds > Self::INDEFINITE.0 { Self::INDEFINITE } else { Self(seconds) }
    }

    /// Midnight at the beginning of a day; `None` if there is no such day from 1970 to 9999.
    pub fn from_date(year: u16, month: u8, day: u8) -> Option<Self> {
        DateTime::new(year, month, day, 0, 0, 0).ok().map(Self::from)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn unix_seconds(self) -> u64 {
        self.0
    }

    pub(super) fn date_time(self) -> Option<DateTime> {
        DateTime::from_unix_duration(Duration::from_secs(self.0)).ok()
    }
}

impl From<DateTime> for CertificateTime {
    fn from(time: DateTime) -> Self {
        Self(time.unix_duration().as_secs())
    }
}

/// ISO 8601: `2024-01-01T00:00:00Z`.
impl fmt::Display for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date_time() {
            Some(time) => time.fmt(f),
            None => write!(f, "{} s", self.0),
        }
    }
}

/// From when until when a certificate is valid, both included.
///
/// | field | |
/// | --- | --- |
/// | notBefore | UTCTime through 2049, then GeneralizedTime |
/// | notAfter | the same; `99991231235959Z` where there is no end |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Validity {
    /// The first second.
    pub not_before: CertificateTime,
    /// The last second.
    pub not_after: CertificateTime,
}

impl Validity {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let start = offset(reader);
        let validity = within(reader, Tag::Sequence, |reader| {
            Ok(Self { not_before: time(reader)?, not_after: time(reader)? })
        })?;
        if validity.not_after < validity.not_before {
            return Err(CertificateFault::Validity.at(start));
        }
        Ok(validity)
    }

    /// Whether `time` is within.
    ///
    /// # Errors
    /// [`CertificateFault::NotYetValid`], [`CertificateFault::Expired`].
    pub fn check(&self, time: CertificateTime) -> Result<(), CertificateFault> {
        if time < self.not_before {
            return Err(CertificateFault::NotYetValid);
        }
        if time > self.not_after {
            return Err(CertificateFault::Expired);
        }
        Ok(())
    }
}

fn time(reader: &mut Reader<'_>) -> Result<CertificateTime> {
    let time = if is_next(reader, Tag::UtcTime) {
        read::<UtcTime>(reader, CertificateFault::Validity)?.to_date_time()
    } else {
        read::<GeneralizedTime>(reader, CertificateFault::Validity)?.to_date_time()
    };
    Ok(time.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_included() {
        let (first, last) =
            (CertificateTime::from_unix_seconds(100), CertificateTime::from_unix_seconds(200));
        let validity = Validity { not_before: first, not_after: last };
        let at = |seconds| validity.check(CertificateTime::from_unix_seconds(seconds));
        assert_eq!(at(99), Err(CertificateFault::NotYetValid));
        assert_eq!((at(100), at(200)), (Ok(()), Ok(())));
        assert_eq!(at(201), Err(CertificateFault::Expired));
    }

    #[test]
    fn the_last_second_of_9999_is_no_end() {
        assert_eq!(CertificateTime::INDEFINITE.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(CertificateTime::from_unix_seconds(u64::MAX), CertificateTime::INDEFINITE);
        assert_eq!(CertificateTime::from_date(2024, 1, 1).unwrap().unix_seconds(), 1_704_067_200);
        assert_eq!(CertificateTime::from_date(2023, 2, 29), None);
    }
}
