//! HDLC addresses of clients and servers (IEC 62056-46, 6.4.2).
//!
//! Every octet carries seven address bits above an extension bit (0 = another octet follows, 1 = last).
//!
//! | form | octets |
//! |---|---|
//! | client | `client << 1 \| 1` |
//! | server, 1 octet | `upper << 1 \| 1` |
//! | server, 2 octets | `upper << 1`, `lower << 1 \| 1` |
//! | server, 4 octets | `upper[13..7] << 1`, `upper[6..0] << 1`, `lower[13..7] << 1`, `lower[6..0] << 1 \| 1` |
//!
//! *Upper* is the logical device, *lower* the physical device on the line. The form is configuration: it does not
//! follow from the values, and many meters answer to one form only.

use core::fmt;

const ALL_STATION_SHORT: u16 = 0x7F;
const ALL_STATION_WIDE: u16 = 0x3FFF;
const CALLING_SHORT: u16 = 0x7E;
const CALLING_WIDE: u16 = 0x3FFE;
const NO_STATION: u16 = 0;
const MANAGEMENT_LOGICAL_DEVICE: u16 = 1;

/// How many octets an address takes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AddressLength {
    /// Upper address only; the only form of a client.
    One = 1,
    /// Upper and lower address of seven bits each.
    Two = 2,
    /// Upper and lower address of fourteen bits each.
    Four = 4,
}

/// An address as it stands in a frame, of either side and any form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Address {
    upper: u16,
    lower: u16,
    length: AddressLength,
}

/// The number does not fit the form of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("address {value:#X} does not fit: at most {limit:#X}")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AddressRange {
    /// What was asked for.
    pub value: u16,
    /// The largest number the form can carry.
    pub limit: u16,
}

/// A client's address: one octet, seven bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientAddress(u8);

/// A server's address: logical device (upper), physical device (lower), and the form in which it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerAddress(Address);

/// How a destination reached a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Delivery {
    /// Addressed to this station alone.
    Individual,
    /// Addressed to the CALLING physical device, which this station is.
    Calling,
    /// Addressed to several stations; never answered.
    Broadcast,
}

impl Address {
    /// Reads one address and says how many octets it took; `None` if it does not end after 1, 2 or 4 octets.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let (upper, lower, length) = match *octets {
            [a, ..] if a & 1 == 1 => (seven(a), 0, AddressLength::One),
            [a, b, ..] if b & 1 == 1 => (seven(a), seven(b), AddressLength::Two),
            [a, b, c, d, ..] if c & 1 == 0 && d & 1 == 1 => {
                (seven(a) << 7 | seven(b), seven(c) << 7 | seven(d), AddressLength::Four)
            }
            _ => return None,
        };
        Some(Self { upper, lower, length })
    }

    /// The octets of the address, of which the first [`Self::length`] count.
    #[must_use]
    pub const fn octets(self) -> [u8; 4] {
        match self.length {
            AddressLength::One => [last(self.upper), 0, 0, 0],
            AddressLength::Two => [more(self.upper), last(self.lower), 0, 0],
            AddressLength::Four => {
                [more(self.upper >> 7), more(self.upper), more(self.lower >> 7), last(self.lower)]
            }
        }
    }

    /// How many octets the address takes.
    #[must_use]
    pub const fn length(self) -> AddressLength {
        self.length
    }

    /// The logical device, or the client.
    #[must_use]
    pub const fn upper(self) -> u16 {
        self.upper
    }

    /// The physical device; 0 in the one-octet form.
    #[must_use]
    pub const fn lower(self) -> u16 {
        self.lower
    }

    /// The address as a client's, if it has one octet.
    #[must_use]
    pub fn client(self) -> Option<ClientAddress> {
        (self.length == AddressLength::One).then_some(ClientAddress(self.upper as u8))
    }

    /// Whether the upper address stands for no station, or for all: neither may send.
    #[must_use]
    pub const fn is_reserved_source(self) -> bool {
        let wide = self.wide_upper();
        wide == NO_STATION || wide == ALL_STATION_WIDE
    }

    const fn wide_upper(self) -> u16 {
        match (self.length, self.upper) {
            (AddressLength::Four, upper) => upper,
            (_, ALL_STATION_SHORT) => ALL_STATION_WIDE,
            (_, upper) => upper,
        }
    }

    const fn wide_lower(self) -> u16 {
        match (self.length, self.lower) {
            (AddressLength::Four, lower) => lower,
            (_, ALL_STATION_SHORT) => ALL_STATION_WIDE,
            (_, CALLING_SHORT) => CALLING_WIDE,
            (_, lower) => lower,
        }
    }
}

impl ClientAddress {
    /// NO_STATION.
    pub const NO_STATION: Self = Self(0);
    /// The client management process.
    pub const MANAGEMENT: Self = Self(0x01);
    /// The public client.
    pub const PUBLIC: Self = Self(0x10);

    /// A client's number, 0..=0x7F.
    ///
    /// # Errors
    /// [`AddressRange`] beyond 0x7F.
    pub const fn new(number: u8) -> Result<Self, AddressRange> {
        if number > 0x7F {
            return Err(AddressRange { value: number as u16, limit: 0x7F });
        }
        Ok(Self(number))
    }

    /// The client's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl ServerAddress {
    /// One octet: the logical device alone.
    ///
    /// # Errors
    /// [`AddressRange`] beyond 0x7F.
    pub const fn one(upper: u16) -> Result<Self, AddressRange> {
        Self::checked(upper, 0, AddressLength::One, 0x7F)
    }

    /// Two octets: logical and physical device of seven bits each.
    ///
    /// # Errors
    /// [`AddressRange`] beyond 0x7F.
    pub const fn two(upper: u16, lower: u16) -> Result<Self, AddressRange> {
        Self::checked(upper, lower, AddressLength::Two, 0x7F)
    }

    /// Four octets: logical and physical device of fourteen bits each.
    ///
    /// # Errors
    /// [`AddressRange`] beyond 0x3FFF.
    pub const fn four(upper: u16, lower: u16) -> Result<Self, AddressRange> {
        Self::checked(upper, lower, AddressLength::Four, 0x3FFF)
    }

    const fn checked(
        upper: u16,
        lower: u16,
        length: AddressLength,
        limit: u16,
    ) -> Result<Self, AddressRange> {
        if upper > limit {
            return Err(AddressRange { value: upper, limit });
        }
        if lower > limit {
            return Err(AddressRange { value: lower, limit });
        }
        Ok(Self(Address { upper, lower, length }))
    }

    /// The logical device.
    #[must_use]
    pub const fn upper(self) -> u16 {
        self.0.upper
    }

    /// The physical device; 0 in the one-octet form.
    #[must_use]
    pub const fn lower(self) -> u16 {
        self.0.lower
    }

    /// How many octets the address takes.
    #[must_use]
    pub const fn length(self) -> AddressLength {
        self.0.length
    }

    /// How a frame for `destination` reaches a station of this address; `None` if it does not.
    ///
    /// `calling_device`: the station's CALLING DEVICE flag. `any_length`: values decide, whatever the form (a station
    /// that serves several address lengths at once); without it the length rules of 6.4.2.4 hold.
    #[must_use]
    pub fn receives(self, destination: Address, calling_device: bool, any_length: bool) -> Option<Delivery> {
        use AddressLength::{Four, One, Two};
        let upper = destination.wide_upper();
        let lower = destination.wide_lower();
        let everyone = upper == ALL_STATION_WIDE && lower == ALL_STATION_WIDE;
        let calling = calling_device
            && lower == CALLING_WIDE
            && upper == MANAGEMENT_LOGICAL_DEVICE
            && self.0.upper == MANAGEMENT_LOGICAL_DEVICE;

        let upper_delivery = self.part(upper, self.0.wide_upper())?;
        if destination.length == One {
            return (self.0.length == One || any_length).then_some(upper_delivery);
        }
        if everyone {
            return Some(Delivery::Broadcast);
        }
        if calling && self.0.length != One {
            return Some(Delivery::Calling);
        }
        match (destination.length, self.0.length) {
            (_, One) if any_length && lower != ALL_STATION_WIDE => Some(upper_delivery),
            (Two, One) => (lower == ALL_STATION_WIDE).then_some(Delivery::Broadcast),
            (Four, One) => None,
            (Four, Two) if !any_length => None,
            _ => match self.part(lower, self.0.wide_lower())? {
                Delivery::Broadcast => Some(Delivery::Broadcast),
                _ => Some(upper_delivery),
            },
        }
    }

    /// Whether a frame from `source` comes from this server, whatever the length of either address.
    #[must_use]
    pub fn is_source(self, source: Address) -> bool {
        let upper = self.0.wide_upper() == source.wide_upper();
        if source.length == AddressLength::One || self.0.length == AddressLength::One {
            return upper;
        }
        upper && (self.0.wide_lower() == source.wide_lower() || self.is_calling())
    }

    /// Whether the lower address stands for the physical device that has called.
    #[must_use]
    pub const fn is_calling(self) -> bool {
        !matches!(self.0.length, AddressLength::One) && self.0.wide_lower() == CALLING_WIDE
    }

    /// This address in the form of `length`, where the values fit.
    #[must_use]
    pub(crate) fn in_form_of(self, length: AddressLength) -> Address {
        let fits = match length {
            AddressLength::One => self.0.length == AddressLength::One,
            AddressLength::Two => self.0.upper <= 0x7F && self.0.lower <= 0x7F,
            AddressLength::Four => true,
        };
        if fits { Address { length, ..self.0 } } else { self.0 }
    }

    fn part(self, received: u16, own: u16) -> Option<Delivery> {
        match received {
            ALL_STATION_WIDE => Some(Delivery::Broadcast),
            NO_STATION => None,
            _ if received == own => Some(Delivery::Individual),
            _ => None,
        }
    }
}

impl From<ClientAddress> for Address {
    fn from(client: ClientAddress) -> Self {
        Self { upper: u16::from(client.0), lower: 0, length: AddressLength::One }
    }
}

impl From<ServerAddress> for Address {
    fn from(server: ServerAddress) -> Self {
        server.0
    }
}

impl From<Address> for ServerAddress {
    fn from(address: Address) -> Self {
        Self(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            AddressLength::One => write!(f, "{:02X}", self.upper),
            AddressLength::Two => write!(f, "{:02X}/{:02X}", self.upper, self.lower),
            AddressLength::Four => write!(f, "{:04X}/{:04X}", self.upper, self.lower),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

const fn seven(octet: u8) -> u16 {
    (octet >> 1) as u16
}

const fn more(bits: u16) -> u8 {
    ((bits & 0x7F) as u8) << 1
}

const fn last(bits: u16) -> u8 {
    more(bits) | 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn server(length: u8, upper: u16, lower: u16) -> ServerAddress {
        match length {
            1 => ServerAddress::one(upper).unwrap(),
            2 => ServerAddress::two(upper, lower).unwrap(),
            _ => ServerAddress::four(upper, lower).unwrap(),
        }
    }

    #[test]
    fn octets_both_ways() {
        let cases: [(u8, u16, u16, &[u8]); 9] = [
            (1, 0x01, 0, &[0x03]),
            (1, 0x7F, 0, &[0xFF]),
            (2, 0x01, 0x11, &[0x02, 0x23]),
            (2, 0x01, 0x7E, &[0x02, 0xFD]),
            (4, 0x0001, 0x0011, &[0x00, 0x02, 0x00, 0x23]),
            (4, 0x0001, 0x1234, &[0x00, 0x02, 0x48, 0x69]),
            (4, 0x1234, 0x3FFF, &[0x48, 0x68, 0xFE, 0xFF]),
            (1, 0x10, 0, &[0x21]),
            (1, 0x3A, 0, &[0x75]),
        ];
        for (length, upper, lower, octets) in cases {
            let address = Address::from(server(length, upper, lower));
            assert_eq!(&address.octets()[..length as usize], octets);
            assert_eq!(Address::decode(octets), Some(address));
        }
        assert_eq!(Address::from(ClientAddress::PUBLIC).octets()[0], 0x21);
        assert_eq!(Address::decode(&[0x21]).unwrap().client(), Some(ClientAddress::PUBLIC));
    }

    #[test]
    fn three_and_five_octets_are_no_address() {
        assert_eq!(Address::decode(&[0x02, 0x02, 0x23, 0x21]), None);
        assert_eq!(Address::decode(&[0x02, 0x02, 0x02, 0x22, 0x23]), None);
        assert_eq!(Address::decode(&[]), None);
    }

    #[test]
    fn numbers_that_do_not_fit() {
        assert!(ClientAddress::new(0x80).is_err());
        assert!(ServerAddress::one(0x80).is_err());
        assert!(ServerAddress::two(1, 0x80).is_err());
        assert!(ServerAddress::four(0x4000, 0).is_err());
    }

    /// The table of destination lengths against the station's own.
    #[test]
    fn destination_length_rules() {
        use Delivery::{Broadcast, Calling, Individual};
        let own = [server(1, 1, 0), server(2, 1, 0x11), server(4, 1, 0x11)];
        type Case = ((u8, u16, u16), [Option<Delivery>; 3]);
        let cases: [Case; 12] = [
            ((1, 1, 0), [Some(Individual), None, None]),
            ((1, 0x7F, 0), [Some(Broadcast), None, None]),
            ((1, 2, 0), [None; 3]),
            ((1, 0, 0), [None; 3]),
            ((2, 1, 0x11), [None, Some(Individual), Some(Individual)]),
            ((2, 1, 0x12), [None; 3]),
            ((2, 1, 0x7F), [Some(Broadcast); 3]),
            ((2, 0x7F, 0x11), [None, Some(Broadcast), Some(Broadcast)]),
            ((4, 1, 0x11), [None, None, Some(Individual)]),
            ((4, 0x3FFF, 0x3FFF), [Some(Broadcast); 3]),
            ((4, 1, 0x3FFF), [None, None, Some(Broadcast)]),
            ((4, 1, 0), [None; 3]),
        ];
        for ((length, upper, lower), expected) in cases {
            let destination = Address::from(server(length, upper, lower));
            for (own, expected) in own.iter().zip(expected) {
                assert_eq!(own.receives(destination, false, false), expected, "{destination} at {own}");
            }
        }
        for (length, lower) in [(2, 0x7E), (4, 0x3FFE)] {
            let destination = Address::from(server(length, 1, lower));
            for own in &own[1..] {
                assert_eq!(own.receives(destination, false, false), None);
                assert_eq!(own.receives(destination, true, false), Some(Calling));
            }
            assert_eq!(server(2, 0x10, 0x11).receives(destination, true, false), None);
        }
    }

    #[test]
    fn any_length_matches_by_value() {
        let own = server(4, 1, 0x11);
        assert_eq!(own.receives(server(1, 1, 0).into(), false, true), Some(Delivery::Individual));
        let own = server(2, 1, 0x11);
        assert_eq!(own.receives(server(4, 1, 0x11).into(), false, true), Some(Delivery::Individual));
        assert!(own.is_source(server(4, 1, 0x11).into()));
        assert!(!own.is_source(server(4, 1, 0x12).into()));
    }
}
